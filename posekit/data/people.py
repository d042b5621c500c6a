"""One table of people, whatever data set they come from."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from posekit.errors import PosekitError
from posekit.skeleton import Skeleton


@dataclass(frozen=True)
class People:
    """N annotated people. Coordinates are image pixels, (x, y), centre of the first pixel at (0, 0)."""

    skeleton: Skeleton
    names: np.ndarray  # (N,) str: the picture, as `read` takes it
    boxes: np.ndarray  # (N, 4) float: x, y of the upper left outer edge, width, height
    keypoints: np.ndarray  # (N, K, 3) float: x, y, flag (0 not labelled, then x and y are NaN; 1 hidden; 2 visible)
    ids: np.ndarray  # (N,) int: the annotation's number in its data set
    splits: np.ndarray  # (N,) str
    read: Callable[[str], np.ndarray]  # name to picture (H, W, 3) uint8; picklable
    source: str  # the data spec without its split
    areas: np.ndarray | None = None  # (N,) float: the person's area in square pixels, for OKS
    heads: np.ndarray | None = None  # (N,) float: MPII's head size in pixels, NaN where unknown
    image_ids: np.ndarray | None = None  # (N,) int: COCO's image number
    factors: dict[str, np.ndarray] = field(default_factory=dict)  # name to (N,) float: what made a mannequin
    left_out: dict[str, int] = field(default_factory=dict)  # reason to how many people

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index) -> "People":
        """The people that an index array, a boolean mask or a slice selects."""
        index = np.arange(len(self))[index]

        def take(column):
            return None if column is None else column[index]

        return replace(
            self,
            **{c: take(getattr(self, c)) for c in ("names", "boxes", "keypoints", "ids", "splits", "areas", "heads", "image_ids")},
            factors={name: values[index] for name, values in self.factors.items()},
        )  # fmt: skip

    def split(self, name: str) -> "People":
        """The people of a split; `all` is everybody. A name that nobody carries raises PosekitError."""
        if name == "all":
            return self
        if name not in self.splits:
            raise PosekitError(f"{self.source} has no split {name!r}; it has {', '.join(np.unique(self.splits))}, all")
        return self[self.splits == name]

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits of the table's content."""
        digest = hashlib.sha256(self.skeleton.name.encode())
        digest.update("\0".join(self.names).encode())
        for column in (self.boxes, self.keypoints):
            digest.update(np.ascontiguousarray(column, np.float64).tobytes())
        return digest.hexdigest()[:12]

    def summary(self) -> str:
        """One line: how many people, how many labelled joints each, who was left out and why."""
        labelled = (self.keypoints[..., 2] > 0).sum(1)
        line = f"{self.source}: {len(self):,} people, {labelled.mean() if len(self) else 0:.1f} of {len(self.skeleton)} joints labelled"
        reasons = [f"{count:,} {reason}" for reason, count in self.left_out.items() if count]
        return f"{line}; left out: {', '.join(reasons)}" if reasons else line


def joints_box(keypoints: np.ndarray) -> np.ndarray:
    """Tight boxes (N, 4) of x, y, w, h around the labelled joints of keypoints (N, K, 3)."""
    labelled = np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.nan)
    low, high = np.nanmin(labelled, 1), np.nanmax(labelled, 1)
    return np.concatenate([low, high - low], -1)


def parse_spec(spec: str) -> tuple[str, str | None, str | None]:
    """`NAME[:PATH][@SPLIT]` to its three parts.

    >>> parse_spec("lspet:../photos/lspet@train")
    ('lspet', '../photos/lspet', 'train')
    >>> parse_spec("mannequins")
    ('mannequins', None, None)
    """
    rest, at, split = spec.rpartition("@")
    if not at:
        rest, split = spec, ""
    name, _, path = rest.partition(":")
    return name, path or None, split or None


def iterate(count: int, size: int) -> Iterator[np.ndarray]:
    """Index arrays of at most `size` that cover range(count) in order."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
