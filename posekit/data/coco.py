"""COCO person keypoints (Lin et al., ECCV 2014), official or of the same form: `annotations/*.json` and pictures."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.people import Check, People, existing, read_json, sift
from posekit.data.pictures import Folder
from posekit.errors import PosekitError
from posekit.skeleton import COCO

PREFIX = "person_keypoints_"
SHARE = 0.1  # of the pictures, for val or test where the folder brings neither a file nor a measure for it
NUMBERS = 3 * len(COCO)  # of a person's keypoints
ANEW = "where files are joined, renumber id and image_id"
NEAR, FAR = 1.5, 10.0  # longer sides of the box between its centre and a joint; in COCO they are hardly more than 1


def files(folder: str | Path) -> dict[str, Path]:
    """The annotation files of a folder by their name without `person_keypoints_`: `train2017`, `val2017`."""
    folder = Path(folder)
    if not folder.is_dir():
        raise PosekitError(f"{folder}: no such folder; a COCO folder has annotations/{PREFIX}train2017.json and train2017/")
    for pattern in (f"annotations/{PREFIX}*.json", "annotations/*.json", "*.json"):
        found = {path.stem.removeprefix(PREFIX): path for path in sorted(folder.glob(pattern))}
        if found:
            return found
    raise PosekitError(f"{folder}: no annotations/{PREFIX}*.json, no other annotations/*.json, no *.json")


def load(folder: str | Path, *, official: bool = False, on_error: str = "raise") -> People:
    """People of a COCO folder who have a labelled joint, sorted by picture.

    `official` splits are the annotation files (`train2017`, `val2017`). Otherwise they are the study's: val
    is the people of the val file; test is as many people, drawn by whole pictures without replacement from
    the train file; train is the rest of it. Without a val file, val and test are a tenth of the pictures
    each. The draw is always the same and does not depend on the order in the file.

    The study has 5,064 people in val and in test and 124,040 in train. COCO 2017 has 6,352 in val and 149,813
    in its train file (other readers count the same). The study left out more, by a rule that is not known: it
    keeps 80 % of the one and 86 % of the other, which hardly comes from one threshold on the joints.

    Crowds and people without a labelled joint are left out and counted. COCO's boxes run from 0 to the
    picture's width and height; its keypoints are indices of pixels, whose centres posekit counts from 0 too.
    So boxes shift by half a pixel, keypoints do not.

    Raises PosekitError naming file and annotation where something is missing or makes no sense; with
    `on_error="skip"` people whose keypoints, box or picture do are left out and counted. Numbers (`id`) that
    are missing or given twice, and what is no number at all, raise nevertheless.
    """
    folder = Path(folder)
    parts = [_load_file(folder, name, file, on_error) for name, file in files(folder).items()]
    columns: dict[str, Any] = {n: np.concatenate([part[n] for part, _ in parts]) for n in parts[0][0]}
    _, first, group = np.unique(columns["image_ids"], return_index=True, return_inverse=True)
    if (columns["names"][first][group] != columns["names"]).any():  # each file numbers its pictures from 1
        columns["image_ids"] = np.unique(columns["names"], return_inverse=True)[1]
    left_out: Counter[str] = Counter()
    for _, lost in parts:
        left_out.update(lost)
    files_of = columns.pop("splits")
    splits = files_of if official else draw_splits(files_of, columns["image_ids"])
    return People(
        COCO,
        splits=splits,
        read=Folder(str(folder)),
        source=f"coco:{folder}",
        left_out=dict(left_out),
        **columns,
    )


def draw_splits(files: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """The study's splits (N,) for people of annotation files (N,) and pictures (N,)."""
    splits = np.full(len(files), "train", dtype="<U5")
    for kind in ("val", "test"):
        splits[np.char.startswith(files, kind)] = kind
    rng = np.random.default_rng(0)
    vals = int((splits == "val").sum())
    for kind in ("test", "val"):
        pool = splits == "train"
        if not pool.any() or (splits == kind).any():
            continue
        pictures, people = np.unique(image_ids[pool], return_counts=True)
        order = rng.permutation(len(pictures))
        if kind == "test" and 0 < vals < pool.sum() / 2:
            order = _fill(order, people, vals)
        else:
            order = order[: round(SHARE * len(np.unique(image_ids)))]
        splits[pool & np.isin(image_ids, pictures[order])] = kind
    return splits


def _fill(order: np.ndarray, people: np.ndarray, wanted: int) -> np.ndarray:
    """Pictures in `order` with `wanted` people in all; one that has too many for what is left to fill is passed over."""
    taken, left = [], wanted
    for picture in order:
        if people[picture] <= left:
            taken.append(picture)
            left -= people[picture]
        if not left:
            break
    return np.array(taken, int)


def _load_file(folder: Path, name: str, file: Path, on_error: str) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Columns of the table, and who was left out, of one annotation file."""
    images, annotations, crowds = _parse(file)
    try:
        count, nowhere, unlabelled = len(annotations), [np.nan] * 4, [0.0] * NUMBERS
        ids, image_ids = (np.array([a[name] for a in annotations], np.int64).reshape(count) for name in ("id", "image_id"))
        boxes = np.array([nowhere if a.get("bbox") is None else a["bbox"] for a in annotations], float).reshape(count, 4)
        keypoints = np.array([a["keypoints"] if _complete(a) else unlabelled for a in annotations], float).reshape(count, len(COCO), 3)
        areas = np.array([a.get("area") or np.nan for a in annotations], float).reshape(count)
    except (TypeError, ValueError, OverflowError):
        raise PosekitError(f"{file}: {_not_numbers(annotations)} is not made of numbers") from None
    _check_unique(file, ids, image_ids)
    pictures = _pictures(folder, name, images)
    names = np.array([pictures.get(i, "") for i in image_ids.tolist()], dtype=str)
    boxless = np.array([a.get("bbox") is None for a in annotations], bool)
    jointless = np.array([not a.get("keypoints") for a in annotations], bool)
    incomplete = np.array([not _complete(a) for a in annotations], bool)

    flags = keypoints[..., 2]
    labelled = (flags > 0).sum(1)
    broken = (~np.isfinite(keypoints).all(-1) & (flags != 0)).any(1)
    misflagged = ((flags != 0) & (flags != 1) & (flags != 2)).any(1)
    keypoints[flags == 0, :2] = np.nan
    flat = ~(np.isfinite(boxes).all(1) & (boxes[:, 2:] > 0).all(1))
    boxes[flat] = np.nan  # an infinite one has no area to compute
    halves = 0.53 * boxes[:, 2] * boxes[:, 3]  # segments fill about half their boxes
    areas = np.where(np.isfinite(areas) & (areas > 0), areas, halves)
    boxes[:, :2] -= 0.5
    xy, centres = keypoints[..., :2], boxes[:, :2] + boxes[:, 2:] / 2
    normalised = ((np.abs(xy) <= 1).all(-1) | (flags == 0)).all(1)
    away = np.abs(xy - centres[:, None]).max(-1) / boxes[:, 2:].max(1, keepdims=True)

    def at(i: int) -> str:
        return f"{file}: annotation {ids[i]}"

    def unlisted(i: int) -> str:
        return f"{at(i)} is of picture {image_ids[i]}, which is not listed"

    def absence(i: int) -> str:
        return f"{folder / names[i]}: no such picture, annotation {ids[i]} of {file.name} is of it"

    def apart(i: int) -> str:
        return f"{at(i)}: no labelled joint is near its box; are the keypoints pixels?"

    def astray(i: int) -> str:
        joint = int((away[i] > FAR).argmax())
        return f"{at(i)} has its {COCO.joints[joint]} far from its box, at ({xy[i, joint, 0]:g}, {xy[i, joint, 1]:g})"

    def unfit(i: int) -> str:
        if jointless[i]:
            return f"{at(i)} has no 'keypoints'"
        return f"{file}: 'keypoints' of annotation {ids[i]} is not a list of {NUMBERS} numbers"

    if count and incomplete.all():
        why = f"nobody here has {len(COCO)} joints; instances or captions are not keypoints"
        raise PosekitError(f"{unfit(int(jointless.argmin()))}, and {why}")
    checks = (
        Check("without keypoints", jointless, unfit),
        Check("with a wrong number of keypoints", incomplete, unfit),
        Check("with flags other than 0, 1, 2", misflagged, lambda i: f"{at(i)} has a joint whose flag is not 0, 1 or 2"),
        Check("without labelled joints", labelled == 0, at, expected=True),
        Check("with NaN coordinates", broken, lambda i: f"{at(i)} has NaN coordinates"),
        Check("whose picture is not listed", names == "", unlisted),
        Check("without a picture", ~existing(folder, names), absence),
        Check("without a box", boxless, lambda i: f"{at(i)} has no 'bbox'"),
        Check("whose box has no area", flat, lambda i: f"{at(i)} has a box without area"),
        Check("with normalised keypoints", normalised, lambda i: f"{at(i)} has all joints between 0 and 1; keypoints must be pixels"),
        Check("without joints near their box", ~(away <= NEAR).any(1), apart),
        Check("with a joint far from their box", (away > FAR).any(1), astray),
    )
    keep, left_out = sift(len(ids), checks, on_error)
    index = np.flatnonzero(keep)
    index = index[np.lexsort((ids[index], image_ids[index]))]
    columns = {"names": names, "boxes": boxes, "keypoints": keypoints, "ids": ids, "areas": areas, "image_ids": image_ids,
               "splits": np.full(len(ids), name)}  # fmt: skip
    return {key: column[index] for key, column in columns.items()}, {"crowds": crowds} | left_out


def _parse(file: Path) -> tuple[dict[int, str], list[dict], int]:
    """File names by picture number, the annotations of single people, and how many crowds there are."""
    content = read_json(file)
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise PosekitError(f"{file}: no 'images' and 'annotations'; is this a file of COCO person keypoints?")
    for kind in ("images", "annotations"):
        if not isinstance(content[kind], list):
            raise PosekitError(f"{file}: {kind!r} is not a list; is this a file of COCO person keypoints?")
        for i, entry in enumerate(content[kind]):
            if not isinstance(entry, dict):
                raise PosekitError(f"{file}: entry {i} of {kind!r}, counted from 0, is not an object with names and values")
    people = [a for a in content["annotations"] if not a.get("iscrowd")]
    for a in people:
        for name in ("id", "image_id"):
            if name not in a:
                raise PosekitError(f"{file}: annotation {a.get('id', '?')} has no {name!r}; every annotation needs one")
        box = a.get("bbox")
        if box is not None and (not isinstance(box, list) or len(box) != 4):
            raise PosekitError(f"{file}: 'bbox' of annotation {a['id']} is not a list of 4 numbers")
    images: dict[int, str] = {}
    for i, image in enumerate(content["images"]):
        number, name = _picture(file, i, image)
        if images.setdefault(number, name) != name:
            raise PosekitError(f"{file}: pictures {images[number]} and {name} both have id {number}; {ANEW}")
    return images, people, len(content["annotations"]) - len(people)


def _check_unique(file: Path, ids: np.ndarray, image_ids: np.ndarray) -> None:
    """Raises PosekitError where two annotations have one number."""
    numbers, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        number = numbers[counts > 1][0]
        first, second = image_ids[ids == number][:2]
        raise PosekitError(f"{file}: two annotations, of pictures {first} and {second}, both have id {number}; {ANEW}")


def _complete(annotation: dict) -> bool:
    """Whether it has a list of numbers for every joint."""
    keypoints = annotation.get("keypoints")
    return isinstance(keypoints, list) and len(keypoints) == NUMBERS


def _picture(file: Path, i: int, image: dict) -> tuple[int, str]:
    """Number and file name of entry `i` of the pictures."""
    name = image.get("file_name")
    if not isinstance(name, str) or not name:
        raise PosekitError(f"{file}: picture {image.get('id', '?')} has no 'file_name' (entry {i} of 'images', counted from 0)")
    try:
        return int(image["id"]), name  # as NumPy reads the annotations' `image_id`: "36" is 36
    except (KeyError, TypeError, ValueError, OverflowError):
        raise PosekitError(f"{file}: picture {name} has no 'id' that is a number (entry {i} of 'images', counted from 0)") from None


def _not_numbers(annotations: list[dict]) -> str:
    """The first entry that is not made of numbers."""
    for a in annotations:
        for name, length in (("id", 0), ("image_id", 0), ("bbox", 4), ("keypoints", NUMBERS), ("area", 0)):
            if (name in ("bbox", "area") and not a.get(name)) or (name == "keypoints" and not _complete(a)):
                continue
            try:
                fits = np.array(a[name], np.int64 if "id" in name else float).shape == ((length,) if length else ())
            except (TypeError, ValueError, OverflowError):
                fits = False
            if not fits:
                return f"{name!r} of annotation {a['id']}"
    return "an annotation"


def _pictures(folder: Path, name: str, images: dict[int, str]) -> dict[int, str]:
    """Each picture's name under `folder`: pictures lie in a folder called like the file, in `images`, or beside it.

    All are taken to lie where most of them are: a missing one does not lose the others.
    """
    found, place = 0, f"{name}/"
    for candidate in (place, f"images/{name}/", "images/", ""):
        there = int(existing(folder, np.array([candidate + file for file in images.values()], dtype=str)).sum())
        if there > found:
            found, place = there, candidate
        if found == len(images):
            break
    return {i: place + file for i, file in images.items()}
