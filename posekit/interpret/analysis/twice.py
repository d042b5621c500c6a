"""How far two people's annotations of one photograph lie apart: what a set that has some photographs twice says of its labels.

found = annotated_twice(posekit.load_people("lspet:FOLDER"))
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from posekit import metrics
from posekit.data.people import People
from posekit.data.pictures import Folder
from posekit.data.readers import duplicates

SAME = 0.97  # correlation of small copies from which two photographs are taken for one, whole and perhaps of another size
JOINTS = 6  # that both annotations must have
ELSEWHERE = 1.0  # torso lengths from which the two annotations are of different people of the photograph


@dataclass(frozen=True)
class Twice:
    """M photographs in which a person was annotated twice.

    Attributes:
        people: (M, 2) int: rows of the two annotations.
        distances: (M, K) float: how far the two lie apart, in torso lengths of the first; NaN where one of them lacks the joint.
        exchanged: (M, K) float: the same with left and right of the second exchanged.
        others: photographs whose two annotations are of different people.
    """

    people: np.ndarray
    distances: np.ndarray
    exchanged: np.ndarray
    others: int


def annotated_twice(people: People, cache: str | Path = "data", same: float = SAME) -> Twice:
    """The people of photographs that are in the set twice, under two names and perhaps in two sizes, one person in each.

    People without a torso, or with fewer than JOINTS joints in common, are left out.
    """
    skeleton = people.skeleton
    names, counts = np.unique(people.names, return_counts=True)
    rows = np.flatnonzero(np.isin(people.names, names[counts == 1]))
    files = [Path(people.read.root) / name for name in people.names[rows].tolist()] if isinstance(people.read, Folder) else []
    torso = metrics.torso(people.keypoints, skeleton)
    kept, distances, exchanged, others = [], [], [], 0
    for a, b in duplicates.pairs(files, cache, same).tolist():
        i, j = rows[a], rows[b]
        first, second = people.keypoints[i], _resized(people.keypoints[j], files[b], files[a])
        both = (first[:, 2] > 0) & (second[:, 2] > 0)
        if both.sum() < JOINTS or not torso[i] > 0:
            continue
        apart = np.linalg.norm(first[:, :2] - second[:, :2], axis=1) / torso[i]
        mirrored = np.linalg.norm(first[:, :2] - second[list(skeleton.mirrored), :2], axis=1) / torso[i]
        if min(np.nanmedian(apart), np.nanmedian(mirrored)) > ELSEWHERE:
            others += 1
            continue
        kept.append((i, j))
        distances.append(apart)
        exchanged.append(mirrored)
    shape = (len(kept), len(skeleton))
    return Twice(np.array(kept, int).reshape(len(kept), 2), np.reshape(distances, shape), np.reshape(exchanged, shape), others)


def _resized(keypoints: np.ndarray, file: Path, to: Path) -> np.ndarray:
    """Keypoints (K, 3) of one file's pixels in those of another size of the same photograph."""
    with Image.open(file) as one, Image.open(to) as other:
        scale = np.divide(other.size, one.size)
    moved = keypoints.copy()
    moved[:, :2] = scale * (moved[:, :2] + 0.5) - 0.5
    return moved
