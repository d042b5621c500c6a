"""One table of people, whatever data set they come from."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from posekit.errors import PosekitError, whole
from posekit.skeleton import Skeleton

SKIP = 'on_error="skip" (--on-error skip) goes on without'  # what to do about people that cannot be used
FEW = 0.1  # of the people, who may each have a fault that would be the file's if more had it


@dataclass(frozen=True)
class People:
    """N annotated people. Coordinates are image pixels, (x, y), centre of the first pixel at (0, 0).

    Attributes:
        skeleton: whose joints `keypoints` are, in its order.
        names: (N,) str: the picture, as `read` takes it.
        boxes: (N, 4) float: x, y of the upper left outer edge, width, height.
        keypoints: (N, K, 3) float: x, y, flag (0 not labelled, then x and y are NaN; 1 hidden; 2 visible; in between 0 and 1,
            a label that counts that much in training).
        ids: (N,) int: the annotation's number in its data set.
        splits: (N,) str: train, val or test.
        read: name to picture (H, W, 3) uint8; picklable; another one needs another `version`.
        source: the data spec without its split.
        areas: (N,) float: the person's area in square pixels, for OKS.
        heads: (N,) float: MPII's head size in pixels, NaN where unknown.
        image_ids: (N,) int: COCO's image number.
        ignored: name of a picture to (M, 6) float: box, area and 1 for a crowd, else 0, of those in it without a labelled joint.
        factors: name to (N,) float: what made a mannequin.
        left_out: reason to how many people.
        remarks: what else there is to know about them, a clause each.
        version: of the pictures, where names and files do not say what they show: rendered, or `read` replaced.

    >>> import posekit
    >>> people = posekit.load_people("mannequins:10,size=40")
    >>> people
    <People, coco skeleton; mannequins:10,size=40,seed=0: 10 people, 17.0 of 17 joints labelled>
    >>> people.read(people.names[0]).shape  # a picture
    (40, 40, 3)
    >>> large = people[people.boxes[:, 3] > 20]  # whom a mask, a slice or indices select
    """

    skeleton: Skeleton
    names: np.ndarray
    boxes: np.ndarray
    keypoints: np.ndarray
    ids: np.ndarray
    splits: np.ndarray
    read: Callable[[str], np.ndarray]
    source: str
    areas: np.ndarray | None = None
    heads: np.ndarray | None = None
    image_ids: np.ndarray | None = None
    ignored: dict[str, np.ndarray] = field(default_factory=dict)
    factors: dict[str, np.ndarray] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    version: str = ""

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"<People, {self.skeleton.name} skeleton; {self.summary()}>"

    def __getitem__(self, index: int | slice | Sequence[int] | np.ndarray) -> "People":
        """The people that an index array, a boolean mask or a slice selects; a number selects one person."""
        index = np.atleast_1d(np.arange(len(self))[index])

        def take(column):
            return None if column is None else column[index]

        return replace(
            self,
            **{c: take(getattr(self, c)) for c in ("names", "boxes", "keypoints", "ids", "splits", "areas", "heads", "image_ids")},
            factors={name: values[index] for name, values in self.factors.items()},
        )  # fmt: skip

    def picture_ids(self) -> np.ndarray:
        """A number (N,) of each one's picture, to tell who shares one: `image_ids`, or where there are none, one a name."""
        if self.image_ids is not None:
            return self.image_ids
        numbers = {name: number for number, name in enumerate(dict.fromkeys(self.names.tolist()))}
        return np.array([numbers[name] for name in self.names.tolist()], int)

    def ignored_in_pictures(self) -> np.ndarray:
        """Rows (M, 7) of the pictures' `ignored`: number in `picture_ids`, then what `ignored` has."""
        numbers = dict(zip(self.names.tolist(), self.picture_ids().tolist(), strict=True))
        rows = [np.insert(row, 0, number) for name, number in numbers.items() for row in self.ignored.get(name, ())]
        return np.array(rows, float).reshape(-1, 7)

    def split(self, name: str) -> "People":
        """The people of a split; `all` is everybody. A name that nobody carries raises PosekitError."""
        if name == "all":
            return self
        if name not in self.splits:
            raise PosekitError(f"{self.source} has no split {name!r}; it has {', '.join(np.unique(self.splits))}, all")
        return self[self.splits == name]

    def at_most(self, count: int | None, seed: int = 0) -> "People":
        """At most `count` of them (none: all), drawn by `seed` and left in their order. A count below 0 raises PosekitError."""
        if count is not None and whole("count", count, None) < 0:
            raise PosekitError(f"{count} people of {self.source} are wanted; give 0 or more")
        seed = whole("seed", seed)
        return self if count is None else self[np.sort(np.random.default_rng(seed).permutation(len(self))[:count])]

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits of the table's content."""
        digest = hashlib.sha256(f"{self.skeleton.name}{self.version}".encode())
        digest.update("\0".join(self.names).encode(errors="surrogateescape"))  # names of files need not be UTF-8
        for column in (self.boxes, self.keypoints):
            digest.update(np.ascontiguousarray(column, np.float64).tobytes())
        return digest.hexdigest()[:12]

    def summary(self) -> str:
        """One line: how many people, how many labelled joints each, who was left out and why."""
        labelled = (self.keypoints[..., 2] > 0).sum(1)
        who = "1 person" if len(self) == 1 else f"{len(self):,} people"
        line = f"{self.source}: {who}, {labelled.mean() if len(self) else 0:.1f} of {len(self.skeleton)} joints labelled"
        reasons = [f"{count:,} {reason}" for reason, count in self.left_out.items() if count]
        return "; ".join([line, *self.remarks, *([f"left out: {', '.join(reasons)}"] if reasons else [])])


def joints_box(keypoints: np.ndarray) -> np.ndarray:
    """Tight boxes (N, 4) of x, y, w, h around the labelled joints of keypoints (N, K, 3)."""
    labelled = np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.nan)
    low, high = np.nanmin(labelled, 1), np.nanmax(labelled, 1)
    return np.concatenate([low, high - low], -1)


def check_on_error(value: str) -> None:
    """Raises PosekitError unless the value says what a record that cannot be used does."""
    if value not in ("raise", "skip"):
        raise PosekitError(f"on_error is 'raise' or 'skip', not {value!r}")


def sift(count: int, checks: Sequence["Check"], on_error: str) -> tuple[np.ndarray, dict[str, int]]:
    """Who stays, as a mask (N,), and how many people each check leaves out; each counts for the first that hits.

    With `on_error="raise"` the first person that a check hits raises PosekitError, unless the check is
    `expected`. A check of the whole `file` raises with any `on_error` where it hits everybody, or several who are more than a tenth:
    the others are no sounder.
    """
    check_on_error(on_error)
    keep, left_out = np.ones(count, bool), {}
    for check in checks:
        hit = keep & check.hit
        if check.file and hit.any() and (hit.sum() == keep.sum() or (hit.sum() > 1 and hit.sum() > FEW * keep.sum())):
            raise PosekitError(f"{check.describe(int(np.flatnonzero(hit)[0]))} (so for {hit.sum():,} of {keep.sum():,} people)")
        if hit.any() and on_error == "raise" and not check.expected:
            more = f" ({hit.sum():,} such people)" if hit.sum() > 1 else ""
            raise PosekitError(f"{check.describe(int(np.flatnonzero(hit)[0]))}{more}; {SKIP}")
        left_out[check.reason] = int(hit.sum())
        keep &= ~hit
    return keep, left_out


@dataclass(frozen=True)
class Check:
    """A reason to leave people out."""

    reason: str  # completes "12 people …"
    hit: np.ndarray  # (N,) bool
    describe: Callable[[int], str]  # a row to one line that names file and record
    expected: bool = False  # sound data sets have such people: they are left out without a complaint
    file: bool = False  # where it hits more than a few, the whole file is at fault


def existing(root: Path, names: np.ndarray) -> np.ndarray:
    """Which of the files `names` (N,) are under `root`, as a mask (N,). Lists each folder once."""
    listed: dict[str, set[str]] = {}
    out = np.zeros(len(names), bool)
    for i, name in enumerate(names):
        parent, _, file = str(name).rpartition("/")
        if parent not in listed:
            listed[parent] = set(os.listdir(root / parent)) if (root / parent).is_dir() else set()
        out[i] = file in listed[parent]
    return out


def parse_spec(spec: str) -> tuple[str, str | None, str | None]:
    """`NAME[:PATH][@SPLIT]` to its three parts.

    PATH may hold an `@`: no SPLIT has a slash, and where PATH@SPLIT as a whole is there and PATH is not, it is
    a path. Where both are there, PosekitError says how to write either.

    >>> parse_spec("lspet:../photos/lspet@train")
    ('lspet', '../photos/lspet', 'train')
    >>> parse_spec("coco:/home/me@work/photos")
    ('coco', '/home/me@work/photos', None)
    >>> parse_spec("mannequins")
    ('mannequins', None, None)
    """
    if not isinstance(spec, str):
        kind = type(spec).__name__
        raise PosekitError(f"{str(spec)[:60]!r}: a data spec is a string NAME[:PATH][@SPLIT], such as 'lspet:FOLDER@test', not a {kind}")
    name, colon, rest = spec.partition(":")
    if not colon:
        name, _, split = spec.partition("@")
        return name, None, split or None
    path, at, split = rest.rpartition("@")
    if not at or "/" in split or "\\" in split:
        return name, rest or None, None
    if split and _exists(rest):
        if _exists(path):
            split_instead = f"{name}:{os.path.join(path, '.')}@{split}"
            raise PosekitError(f"{spec!r}: {path} and {rest} are both there; write {name}:{rest}/ or {split_instead}")
        return name, rest, None
    return name, path or None, split or None


def _exists(path: str) -> bool:
    try:
        return bool(path) and os.path.exists(os.path.expanduser(path))
    except ValueError:  # a zero byte
        return False


def iterate(count: int, size: int) -> Iterator[np.ndarray]:
    """Index arrays of at most `size` that cover range(count) in order."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
