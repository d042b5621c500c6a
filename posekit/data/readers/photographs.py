"""One photograph is one picture, whoever lists it how often, and lies on one side of a split; one annotation counts once."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.stored.digests import alike
from posekit.errors import PosekitError

ORDER = ("train", "val", "test")  # a photograph of several splits stays in the last of them
SAME = 0.5  # intersection over union of two boxes of one person
Columns = dict[str, Any]  # of the table, by name, (N, ...) each


def merge(root: Path, columns: Columns, splits: np.ndarray) -> tuple[np.ndarray, dict[str, int], tuple[str, ...]]:
    """Who stays of N people, as a mask (N,), how many do not, by reason, and remarks.

    Gives each file one of `image_ids`, the lowest, and adds `photos`: of several files of one photograph the
    lowest again. A photograph is known by its file's name and by what the file holds. People of one that a file of another of
    the `splits` (N,) lists too stay in test, or else in val; but a split all of whose photographs another has is
    meant so, and stays as it is, with a remark. Of annotations of a photograph in a split with the same box and
    joints one stays. PosekitError where two files have an annotation by the same id that is about the same
    person and differs: they are two versions.
    """
    photo = alike(root, columns["names"])
    columns["image_ids"] = _numbers(columns["image_ids"], columns["names"])
    columns["photos"] = _lowest(columns["image_ids"], photo)
    rank = np.array([ORDER.index(split) for split in splits.tolist()], int)
    highest = np.full(photo.max(initial=-1) + 1, -1)
    np.maximum.at(highest, photo, rank)
    elsewhere = rank < highest[photo]
    meant = [split for split in ORDER if (of := splits == split).any() and elsewhere[of].all()]
    leaked = elsewhere & ~np.isin(splits, meant)
    keep = ~leaked & _once(photo, rank, columns["boxes"], columns["keypoints"])
    if (columns["files"] != columns["files"][:1]).any():
        _check_versions(columns, photo * len(ORDER) + rank, np.flatnonzero(keep))
    remarks = tuple(f"all photographs of {split} are in {' or '.join(ORDER[ORDER.index(split) + 1 :])} too" for split in meant)
    return keep, {"given twice": int((~keep & ~leaked).sum()), "of photographs that val or test has too": int(leaked.sum())}, remarks


def _once(photo: np.ndarray, rank: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Who is the first with the same numbers, as a mask (N,)."""
    numbers = np.column_stack([photo, rank, boxes, keypoints.reshape(len(photo), 3 * keypoints.shape[1])])
    seen: dict[bytes, int] = {}
    rows = [seen.setdefault(row.tobytes(), i) for i, row in enumerate(np.nan_to_num(numbers, nan=-1e9))]
    return np.array(rows, int) == np.arange(len(photo))


def sources(photos: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Numbers (N,) of what may not be torn apart: a photograph, with all that Roboflow made of it (`1_jpg.rf.0f3a….jpg`)."""
    made = [re.sub(r"\.rf\.[\w-]{6,}\.\w+$", "", name) if ".rf." in name else "" for name in names.tolist()]
    if not any(made):
        return photos
    return _lowest(photos, [source or number for source, number in zip(made, photos.tolist(), strict=True)])


def _lowest(numbers: np.ndarray, groups: Iterable[Any]) -> np.ndarray:
    """The lowest of the `numbers` (N,) in each one's group."""
    groups = list(groups)
    least: dict[Any, int] = {}
    for group, number in zip(groups, numbers.tolist(), strict=True):
        least[group] = min(least.get(group, number), number)
    return np.array([least[group] for group in groups], np.int64)


def _numbers(image_ids: np.ndarray, names: np.ndarray) -> np.ndarray:
    """One number a file (N,): the lowest of its `image_ids`, or a new one by name where an id is of several files."""
    _, first, group = np.unique(image_ids, return_index=True, return_inverse=True)
    if (names[first][group] != names).any():  # each annotation file numbers its pictures from 1
        return np.unique(names, return_inverse=True)[1]
    return _lowest(image_ids, names.tolist())


def _check_versions(columns: Columns, where: np.ndarray, rows: np.ndarray) -> None:
    """PosekitError where two files have an annotation at one place `where` (N,) by the same id, with much the same box, and it differs."""
    seen: dict[tuple[int, int], int] = {}
    for i in rows.tolist():
        other = seen.setdefault((int(where[i]), int(columns["ids"][i])), i)
        a, b = columns["files"][other], columns["files"][i]
        if a != b and _overlap(columns["boxes"][other], columns["boxes"][i]) > SAME:
            which = f"annotation {columns['ids'][i]} of {columns['names'][i]} is in {a} and in {b}, and differs"
            raise PosekitError(f"{which}; take one file, @{a} or @{b}, or move the other elsewhere")


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (4,)."""
    sides = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.clip(sides, 0, None)))
    union = float(np.prod(a[2:]) + np.prod(b[2:])) - shared
    return shared / union if union > 0 else 0.0
