"""Photographs that show the same: found by comparing small grey copies, so that they never lie on two sides of a split."""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from posekit.errors import PosekitError
from posekit.files import atomic_write
from posekit.process import cores

SIDE = 32  # of the small copies, in pixels
ALIKE = 0.94  # correlation of two small copies; in Leeds Sports Pose Extended other pairs hardly reach it
ORDER = ("train", "val", "test")


def groups(files: Sequence[Path], cache: str | Path = "data") -> np.ndarray:
    """Numbers (N,) of groups of photographs that look alike: copies, other sizes or crops of one, the next frame of a series.

    Two of a group have small grey copies that correlate by ALIKE or more, or a third that does with both. Photographs that cannot be
    read are alone in their group. The small copies are kept in `cache`, by names, lengths and times of the files.
    """
    if not len(files):
        return np.zeros(0, int)
    edges = pairs(files, cache).T
    graph = coo_matrix((np.ones(edges.shape[1], bool), (edges[0], edges[1])), shape=(len(files), len(files)))
    return connected_components(graph, directed=False)[1]


def pairs(files: Sequence[Path], cache: str | Path = "data", alike: float = ALIKE) -> np.ndarray:
    """Indices (M, 2), the smaller one first, of photographs whose small grey copies correlate by `alike` or more."""
    if not len(files):
        return np.zeros((0, 2), int)
    small = _kept(files, Path(cache))
    flat = small.reshape(len(small), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    flat = np.where(length > 0, flat / np.where(length > 0, length, 1), 0)  # one of a single grey is like nothing
    found = [np.zeros((0, 2), int)]
    for start in range(0, len(flat), 2048):
        row, column = np.nonzero(flat[start : start + 2048] @ flat.T >= alike)
        found.append(np.stack([row + start, column], 1)[row + start < column])
    return np.concatenate(found)


def on_one_side(splits: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, int]:
    """The splits (N,) with every group (N,) on one side, that of training where any of it is there; and how many changed sides.

    So a network that was trained by the splits as they were has seen nobody of the new val and test.

    >>> on_one_side(np.array(["train", "test", "test", "val"]), np.array([0, 0, 1, 2]))
    (array(['train', 'train', 'test', 'val'], dtype='<U5'), 1)
    """
    rank = np.array([ORDER.index(name) for name in splits.tolist()])
    first = np.full(group.max(initial=-1) + 1, len(ORDER))
    np.minimum.at(first, group, rank)
    new = np.array(ORDER, dtype=splits.dtype)[first[group]] if len(splits) else splits
    return new, int((new != splits).sum())


def _kept(files: Sequence[Path], cache: Path) -> np.ndarray:
    """Small copies (N, SIDE, SIDE) uint8, from `cache` where it has them."""
    digest = hashlib.sha256(str(SIDE).encode())
    for file in files:
        stat = os.stat(file)
        digest.update(f"{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    store = cache / "thumbnails" / f"{digest.hexdigest()[:16]}.npy"
    with contextlib.suppress(OSError, ValueError):
        small = np.load(store, allow_pickle=False)
        if small.shape == (len(files), SIDE, SIDE):
            return small
    with ThreadPoolExecutor(cores()) as pool:
        small = np.array(list(pool.map(_small, files)), np.uint8).reshape(len(files), SIDE, SIDE)
    with contextlib.suppress(PosekitError), atomic_write(store) as copies:  # a cache that cannot be written costs time alone
        np.save(copies, small)
    return small


def _small(file: Path) -> np.ndarray:
    try:
        with Image.open(file) as image:
            image.draft("L", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded no larger than needed
            return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return np.zeros((SIDE, SIDE), np.uint8)  # whoever reads it says what is wrong
