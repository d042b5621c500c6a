"""What an audit writes: a table, COCO JSON with the probabilities in it, and a page to review labels by keyboard.

The page holds the photographs it shows, as data: it is for the folder of whoever audits, and for nobody's repository.
"""

import json
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from posekit.auditing.decisions import numbers
from posekit.auditing.judging import Audit
from posekit.auditing.quality.planted import groups
from posekit.coordinates import MARGIN, cropping, person_square, transform_keypoints
from posekit.data.crops import cut
from posekit.data.people import People, parse_spec
from posekit.data.readers.coco_folder import root
from posekit.display.drawing import joint_colours, limb_colours
from posekit.display.html import webp
from posekit.errors import PosekitError
from posekit.files import atomic_write, plain, write_json, write_text

TABLE, COCO, PAGE = "labels.csv", "labels.json", "review.html"
SHOWN = 400  # people on the page, the most doubtful ones
SIDE = 200  # pixels of a picture on the page


def write(audit: Audit, folder: str | Path, *, most: int = SHOWN) -> list[Path]:
    """Write TABLE, COCO and PAGE into a folder, which is made; the page shows `most` people. Returns the files.

    Raises:
        PosekitError: it is a folder of the data themselves, or a file cannot be written.
    """
    folder = Path(folder)
    spare(audit.people, folder)
    with atomic_write(folder / TABLE) as file:
        file.write(audit.table().to_csv(index=False, float_format="%.4f").encode("utf-8", "surrogateescape"))
    write_json(folder / COCO, to_coco(audit))
    write_text(folder / PAGE, page(audit, most))
    return [folder / name for name in (TABLE, COCO, PAGE)]


def spare(people: People, folder: Path) -> None:
    """Raises PosekitError where a folder is of the people's own data, whose files what is written would replace, or be read as labels.

    A new one within is none of theirs, nor is that of an earlier audit.
    """
    path = parse_spec(people.source)[1]
    data, out = root(path).resolve() if path else None, folder.resolve()
    theirs = data in out.parents and out.is_dir() and not (out / PAGE).is_file() and any(path.name != "folds" for path in out.iterdir())
    if data == out or theirs:
        raise PosekitError(f"{folder}: is a folder of the data themselves; give another one, which is made")


def to_coco(audit: Audit) -> dict[str, Any]:
    """The labels as a COCO key-point data set, with what was found of each annotation under `audit`."""
    people, skeleton = audit.people, audit.people.skeleton
    names, picture = np.unique(people.names, return_inverse=True)
    ids = people.image_ids if people.image_ids is not None else picture + 1
    by_name = {str(people.names[i]): int(ids[i]) for i in range(len(people))}
    entries = []
    for i in range(len(people)):
        labelled = people.keypoints[i, :, 2] > 0
        joints = {skeleton.joints[k]: {"probability": audit.wrong[i, k], "kind": audit.joint_kinds[i, k]} for k in np.flatnonzero(labelled)}
        box = people.boxes[i] + np.array([0.5, 0.5, 0, 0])
        entries.append({
            "id": int(people.ids[i]), "image_id": int(ids[i]), "category_id": 1, "iscrowd": 0, "bbox": box.round(3).tolist(),
            "area": float(people.areas[i]) if people.areas is not None else float(box[2] * box[3]), "num_keypoints": int(labelled.sum()),
            "keypoints": np.where(labelled[:, None], people.keypoints[i], 0).round(3).ravel().tolist(),
            "audit": {"probability": audit.exchanged[i], "kind": audit.kinds[i], "expected": audit.expected[i], "joints": joints},
        })  # fmt: skip
    limbs = [[a + 1, b + 1] for a, b in skeleton.limb_indices]
    return {
        "info": {"description": f"labels of {people.source}, audited", "notes": list(audit.notes)},
        "images": [{"id": by_name[name], "file_name": name} for name in names.tolist()],
        "annotations": entries,
        "categories": [{"id": 1, "name": "person", "keypoints": list(skeleton.joints), "skeleton": limbs}],
    }


def page(audit: Audit, most: int = SHOWN) -> str:
    """One HTML page that needs nothing else, of the `most` doubtful people."""
    people, skeleton = audit.people, audit.people.skeleton
    rows = audit.order()[:most]
    centres, sides = person_square(people.boxes, 1.1 * MARGIN)
    matrices = cropping(centres, sides, SIDE)
    shown = []
    for i in rows:
        picture = cut(people.read(str(people.names[i])), centres[i], float(sides[i]), SIDE)
        label, found = (transform_keypoints(matrices[i], each[i]) for each in (people.keypoints, audit.opinions[0].predicted))
        shown.append({
            "id": int(people.ids[i]), "picture": str(people.names[i]).encode(errors="replace").decode(),
            "probability": _rounded(audit.exchanged[i]),
            "kind": audit.kinds[i], "image": webp(Image.fromarray(picture), 70), "label": _points(label), "found": _points(found),
            "wrong": [_rounded(p) for p in audit.wrong[i]], "swap": np.flatnonzero(audit.swaps[i]).tolist(),
        })  # fmt: skip
    content = {
        "source": people.source, "fingerprint": people.fingerprint(), "ids": numbers(people),
        "skeleton": skeleton.name, "joints": skeleton.joints, "size": SIDE,
        "mirrored": skeleton.mirrored, "limbs": skeleton.limb_indices, "groups": list(groups(skeleton).values()), "people": shown,
        "colours": {"joints": joint_colours(skeleton), "limbs": limb_colours(skeleton)},
        "about": " ".join([f"{people.source}: {audit.summary()}.", f"{len(rows):,} of them are here.", *(f"{n}." for n in audit.notes)]),
    }  # fmt: skip
    text = json.dumps(plain(content), allow_nan=False).replace("<", "\\u003c")  # nothing in it ends the script
    return (resources("posekit.auditing") / "review.html").read_text("utf-8").replace("{{data}}", text)


def _points(keypoints: np.ndarray) -> list[list[float] | None]:
    return [[round(float(x), 1), round(float(y), 1)] if np.isfinite(x + y) else None for x, y in keypoints[:, :2]]


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
