"""COCO person keypoints (Lin et al., ECCV 2014), official or of the same form: `annotations/*.json` and pictures."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data import coco_people
from posekit.data.frames import FramedFolder
from posekit.data.json_values import Id
from posekit.data.people import People, existing
from posekit.data.pictures import Folder
from posekit.errors import PosekitError
from posekit.skeleton import COCO

PREFIX = "person_keypoints_"
SHARE = 0.1  # of the pictures, for val or test where the folder brings neither a file nor a measure for it


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
    columns: dict[str, Any] = {n: np.concatenate([part[n] for part, _, _ in parts]) for n in parts[0][0]}
    columns |= {name: _numbered(columns[name]) for name in ("ids", "image_ids")}
    order = np.lexsort((columns["ids"], columns["image_ids"], np.repeat(range(len(parts)), [len(part["ids"]) for part, _, _ in parts])))
    columns = {name: column[order] for name, column in columns.items()}
    _, first, group = np.unique(columns["image_ids"], return_index=True, return_inverse=True)
    if (columns["names"][first][group] != columns["names"]).any():  # each file numbers its pictures from 1
        columns["image_ids"] = np.unique(columns["names"], return_inverse=True)[1]
    left_out: Counter[str] = Counter()
    for _, lost, _ in parts:
        left_out.update(lost)
    files_of = columns.pop("splits")
    splits = files_of if official else draw_splits(files_of, columns["image_ids"])
    turned = frozenset[str]().union(*(names for _, _, names in parts))
    return People(
        COCO,
        splits=splits,
        read=FramedFolder(str(folder), turned) if turned else Folder(str(folder)),
        version=hashlib.sha256("\0".join(sorted(turned)).encode()).hexdigest()[:12] if turned else "",
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


def _load_file(folder: Path, name: str, file: Path, on_error: str) -> tuple[dict[str, np.ndarray], dict[str, int], set[str]]:
    """Columns of the table, who was left out, and which pictures are read turned, of one annotation file."""
    columns, left_out, turned = coco_people.read(folder, file, lambda images: _pictures(folder, name, images), on_error)
    return columns | {"splits": np.full(len(columns["names"]), name)}, left_out, turned


def _numbered(ids: np.ndarray) -> np.ndarray:
    """Ids (N,), whole numbers or words, as numbers: words, and what is beyond 64 bits, are numbered from 1 in alphabetical order."""
    if all(isinstance(i, int) and abs(i) < 2**63 for i in ids):
        return np.array(ids, np.int64)
    return np.unique(np.array([str(i) for i in ids]), return_inverse=True)[1] + 1


def _pictures(folder: Path, name: str, images: dict[Id, str]) -> dict[Id, str]:
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
