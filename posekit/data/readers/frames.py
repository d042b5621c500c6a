"""Whether boxes, joints and picture sizes of a file fit the pictures that they are of: frames, forms of boxes, units.

What does not fit is never made to fit by a guess; the likely cause is said.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from posekit.data.people import Check, joints_box
from posekit.data.pictures import Folder, read_picture

SLACK = 0.02  # of the picture's size, by which boxes and joints may leave it
STRAY = 0.1  # of a file's boxes: so many may leave their pictures before another reading is thought of
ORIENTATION = 0x0112  # the EXIF tag
TURN = "turn the pictures themselves (mogrify -auto-orient) and label these, or take the EXIF tag out"
STORED, TURNED, RESIZED, UNCLEAR, UNKNOWN = "stored", "turned", "resized", "unclear", "unknown"


@dataclass(frozen=True)
class Header:
    """A picture's width and height as stored, and how its EXIF tag turns it (1: not at all; 5 to 8: width and height change places)."""

    width: float = np.nan
    height: float = np.nan
    orientation: int = 1

    @property
    def stored(self) -> tuple[float, float]:
        return self.width, self.height

    @property
    def shown(self) -> tuple[float, float]:
        """Width and height when turned as the tag says."""
        return self.stored[::-1] if self.orientation > 4 else self.stored


@dataclass(frozen=True)
class FramedFolder(Folder):
    """Pictures of a folder of which some are read turned, as their EXIF tag says, for so their labels count."""

    turned: frozenset[str] = frozenset()

    def __call__(self, name: str) -> np.ndarray:
        return read_picture(Path(self.root) / name, upright=name in self.turned)


def headers(paths: Iterable[str | Path]) -> list[Header]:
    """Each file's header, NaN where it cannot be read: whoever reads the picture says why. No pixel is decoded."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures and odd tags
        for path in paths:
            try:
                with Image.open(path) as image:
                    tag = image.getexif().get(ORIENTATION, 1)
                    found.append(Header(*image.size, tag if tag in range(1, 9) else 1))
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                found.append(Header())
    return found


def frames(seen: list[Header], sizes: np.ndarray, reach: np.ndarray, *, official: bool = False) -> list[str]:
    """In which frame the labels of each of N pictures count: as it is stored, or turned by its EXIF tag.

    Args:
        seen: the N headers.
        sizes: (N, 2) width and height by the labels' file, NaN where it does not say.
        reach: (N, 2) the largest x and y of the labels, NaN where there is none.
        official: whether the pictures are COCO's own, labelled as they are stored.

    Returns:
        `"stored"` or `"turned"`; `"resized"` where the file's size is neither's; `"unclear"` where a tag turns the picture and nothing
        tells: neither its size, nor that of other turned pictures, nor that the labels fit one frame only; `"unknown"` without header.
    """
    found = [_frame(header, size) for header, size in zip(seen, sizes, strict=True)]
    kinds = {frame for frame, header in zip(found, seen, strict=True) if header.orientation > 1} & {STORED, TURNED}
    for i, (frame, header) in enumerate(zip(found, seen, strict=True)):
        if frame == UNCLEAR and official:
            found[i] = STORED
        elif frame == UNCLEAR and len(kinds) == 1:
            found[i] = next(iter(kinds))
        elif frame == UNCLEAR and header.orientation > 4 and np.isnan(sizes[i]).any():
            fits = [(reach[i] <= np.multiply(size, 1 + SLACK) + 1).all() for size in (header.stored, header.shown)]
            found[i] = UNCLEAR if fits[0] == fits[1] else STORED if fits[0] else TURNED
    return found


def _frame(header: Header, size: np.ndarray) -> str:
    if np.isnan(header.width):
        return UNKNOWN
    given = not np.isnan(size).any()
    as_stored, as_shown = (bool(np.abs(np.subtract(size, there)).max() <= 1) for there in (header.stored, header.shown))
    if given and not as_stored and not as_shown:
        return RESIZED
    if header.orientation == 1:
        return STORED
    return UNCLEAR if not given or as_stored == as_shown else STORED if as_stored else TURNED


def mismatch(header: Header, size: np.ndarray) -> str:
    """What is wrong with a picture whose size the labels' file gives otherwise."""
    width, height = header.stored
    cause = "turned" if np.abs(np.subtract(size, header.stored[::-1])).max() <= 1 else "made larger or smaller"
    return f"is {width:g} x {height:g} pixels, labelled as {size[0]:g} x {size[1]:g}: {cause} after it was labelled?"


def beyond(keypoints: np.ndarray, sizes: np.ndarray, slack: float = SLACK) -> np.ndarray:
    """Which joints (N, K) of keypoints (N, K, 3) lie outside pictures of sizes (N, 2), by more than a share of these; none where NaN."""
    xy, limits = keypoints[..., :2], sizes[:, None]
    return np.asarray(((xy < -slack * limits - 1) | (xy > (1 + slack) * limits + 1)).any(-1))


def of_another_frame(keypoints: np.ndarray, sizes: np.ndarray, who: Callable[[int], str]) -> tuple[Check, ...]:
    """Checks of keypoints (N, K, 3) that count in no pixel of their pictures of sizes (N, 2); `who` is what a message calls a row."""
    labelled = keypoints[..., 2] > 0
    shares = labelled.any(1) & ((np.abs(keypoints[..., :2]) <= 1).all(-1) | ~labelled).all(1)
    outside = (beyond(keypoints, sizes).sum(1) > 0.5 * labelled.sum(1)) | beyond(keypoints, sizes, 1.0).any(1)
    return (
        Check("with normalised joints", np.asarray(shares), lambda i: f"{who(i)} has all joints between 0 and 1; they must be pixels",
              file=True),
        Check("with joints outside their picture", np.asarray(outside),
              lambda i: f"{who(i)} has most of its joints outside its picture, or one far outside; made smaller after it was labelled?",
              file=True),
    )  # fmt: skip


def turn(boxes: np.ndarray, header: Header) -> np.ndarray:
    """Boxes (N, 4) in the stored picture, x and y from its outer edge, as boxes in the picture turned by its tag."""
    width, height = header.stored
    x, y = np.stack([boxes[:, 0], boxes[:, 0] + boxes[:, 2]]), np.stack([boxes[:, 1], boxes[:, 1] + boxes[:, 3]])
    u, v = {
        1: (x, y), 2: (width - x, y), 3: (width - x, height - y), 4: (x, height - y),
        5: (y, x), 6: (height - y, x), 7: (height - y, width - x), 8: (y, width - x),
    }[header.orientation]  # fmt: skip
    return np.stack([u.min(0), v.min(0), np.abs(u[1] - u[0]), np.abs(v[1] - v[0])], -1)


def wrong_boxes(boxes: np.ndarray, sizes: np.ndarray, keypoints: np.ndarray | None = None) -> str | None:
    """The likely cause where the boxes of a file are not x, y, width, height in pixels; None where they are.

    Args:
        boxes: (N, 4) as written, NaN where there is none.
        sizes: (N, 2) width and height of the pictures, NaN where unknown.
        keypoints: (N, K, 3) with NaN where not labelled.
    """
    there = np.isfinite(boxes).all(1)
    if not there.any():
        return None
    given = boxes[there]
    if (np.abs(given).max(1) <= 1).mean() > 0.5:
        return "they are shares of the picture's size between 0 and 1; multiply them by its width and height"
    corners = np.concatenate([given[:, :2], given[:, 2:] - given[:, :2]], 1)
    limits = sizes[there] * (1 + SLACK) + 1
    leaves = (given[:, :2] + given[:, 2:] > limits).any(1)
    if keypoints is not None and (cause := _by_joints(given, corners, keypoints[there], leaves)):
        return cause
    fits = (corners[:, 2:] > 0).all(1) & (given[:, 2:] <= limits).all(1)
    if (leaves & fits).mean() > 0.5 or (leaves.any() and fits.all()):
        count = f"{leaves.sum():,} of {len(given):,} leave their pictures"
        return f"{count}; as corners, x, y, x, y, they fit: subtract the first two numbers from the last two"
    return None


def _by_joints(given: np.ndarray, corners: np.ndarray, keypoints: np.ndarray, leaves: np.ndarray) -> str | None:
    """The reading of boxes (N, 4), if any, that lies on the joints of most people where x, y, width, height does not.

    Joints of the upper body alone, at a desk say, fit many a reading: boxes that keep to their pictures (`leaves` is the mask of those that
    do not) and hold the joints are believed.
    """
    labelled = keypoints[..., 2] > 0
    rows = (labelled.sum(1) >= 3) & (~labelled | np.isfinite(keypoints[..., :2]).all(-1)).all(1)
    if not rows.any():
        return None
    middle = given[rows][:, [2, 3, 2, 3]] * (0.5, 0.5, 0, 0)
    tight, given, corners = joints_box(keypoints[rows]), given[rows], corners[rows]
    if leaves[rows].mean() < STRAY and (_inside(tight, given) >= 0.8).mean() > 0.5:
        return None
    readings = {
        "corners, x, y, x, y; subtract the first two numbers from the last two": corners,
        "centres, x, y, width, height; subtract half the width from x and half the height from y": given - middle,
        "y, x, height, width; exchange them": given[:, [1, 0, 3, 2]],
    }  # fmt: skip
    plain = _overlap(given, tight)
    for words, reading in readings.items():
        overlap = _overlap(reading, tight)
        if ((overlap > plain + 0.1) & (overlap > 0.3)).mean() > 0.5:
            return f"most lie round the joints only when read as {words}"
    return None


def _inside(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The share (N,) of each box of a (N, 4) that lies in that of b (N, 4)."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    area = np.prod(a[:, 2:], 1)
    return np.divide(np.prod(np.clip(high - low, 0, None), 1), area, out=np.ones(len(a)), where=area > 0)


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (N,) of boxes (N, 4); 0 where one has no extent."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), 1)
    union = np.prod(np.clip(a[:, 2:], 0, None), 1) + np.prod(np.clip(b[:, 2:], 0, None), 1) - shared
    return np.divide(shared, union, out=np.zeros(len(a)), where=union > 0)
