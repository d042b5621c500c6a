"""Skeletons drawn on pictures: left warm, right cool, what lies on the middle white.

The colours are Okabe and Ito's, which people with any common colour blindness tell apart; each line has a dark rim, so
that it shows on every ground. Left and right are the person's own.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from posekit.skeleton import Skeleton

COLOURS = {
    "left arm": "#E69F00",
    "left leg": "#D55E00",
    "right arm": "#56B4E9",
    "right leg": "#0072B2",
    "middle": "#FFFFFF",
}
RIM = "#101010"
FAINT = 0.3  # opacity of a hidden joint, or of one with score 0
SURE = 0.4  # the score from which a joint is drawn in full
LEAST = 360  # pixels: a picture whose longer side is shorter is enlarged by a whole number for drawing
OVERSAMPLING = 3  # lines are drawn this many times as large and shrunk, which smooths their edges


def joint_colours(skeleton: Skeleton) -> list[str]:
    """One `#RRGGBB` a joint."""
    return [_colour((joint,)) for joint in skeleton.joints]


def limb_colours(skeleton: Skeleton) -> list[str]:
    """One `#RRGGBB` a limb, in the order of `skeleton.limbs`."""
    return [_colour(limb) for limb in skeleton.limbs]


def _colour(joints: tuple[str, ...]) -> str:
    sides = {side for joint in joints for side in ("left", "right") if joint.startswith(side)}
    if len(sides) != 1:
        return COLOURS["middle"]
    leg = any(part in joint for joint in joints[-1:] for part in ("hip", "knee", "ankle")) and not any(
        "shoulder" in joint for joint in joints
    )
    return COLOURS[f"{sides.pop()} {'leg' if leg else 'arm'}"]


def opacity(keypoints: np.ndarray, *, annotated: bool = False) -> np.ndarray:
    """How strongly each joint of keypoints (..., K, 3) shows, (..., K) in [0, 1].

    The third column is a score, or with `annotated` the flag 0, 1 or 2. A joint without coordinates does not show.
    """
    third = keypoints[..., 2]
    if annotated:
        shown = np.select([third >= 2, third >= 1], [1.0, FAINT], 0.0)
    else:
        shown = FAINT + (1 - FAINT) * np.clip(np.nan_to_num(third) / SURE, 0, 1)
    return np.where(np.isfinite(keypoints[..., :2]).all(-1), shown, 0.0)


def enlargement(picture: np.ndarray) -> int:
    """The whole number by which a small picture (H, W, 3) is enlarged for drawing."""
    return -(-LEAST // max(max(picture.shape[:2]), 1))


def draw(
    picture: np.ndarray, keypoints: np.ndarray, skeleton: Skeleton, *, annotated: bool = False,
    enlarge: int | None = None, radii: np.ndarray | None = None,
) -> Image.Image:  # fmt: skip
    """A picture (H, W, 3) uint8 with the skeletons of keypoints (N, K, 3), in its pixels, drawn on it; with `radii` (N, K) a circle round
    each joint.

    The third column is a score, or with `annotated` the flag 0, 1 or 2; hidden and doubtful joints are faint. Lines are as
    wide as suits the person's size. The picture is enlarged by `enlarge`, a whole number; None asks `enlargement`.
    """
    keypoints = np.asarray(keypoints, float).reshape(-1, len(skeleton), 3)
    enlarge = enlarge or enlargement(picture)
    canvas = Image.fromarray(picture)
    if enlarge > 1:
        canvas = canvas.resize((canvas.width * enlarge, canvas.height * enlarge), Image.Resampling.BICUBIC)
    for person, circle in zip(keypoints, [] if radii is None else enlarge * radii, strict=radii is not None):
        _draw_circles(canvas, (person[:, :2] + 0.5) * enlarge - 0.5, circle, skeleton)
    for person in sorted(keypoints, key=_extent, reverse=True):  # small people stay visible in front of large ones
        shown = opacity(person, annotated=annotated)
        person = np.concatenate([(person[:, :2] + 0.5) * enlarge - 0.5, person[:, 2:]], 1)
        _draw_person(canvas, person, shown, skeleton)
    return canvas


def sheet(
    pictures: Sequence[np.ndarray], keypoints: Sequence[np.ndarray], skeleton: Skeleton, *, side: int = 64, columns: int = 40,
    annotated: bool = True,
) -> Image.Image:  # fmt: skip
    """People's pictures (H, W, 3) uint8 with their skeletons (K, 3), shrunk to `side` pixels, in rows of `columns`."""
    rows = -(-len(pictures) // columns)
    canvas = Image.new("RGB", (side * min(columns, len(pictures)), side * rows))
    for i, (picture, person) in enumerate(zip(pictures, keypoints, strict=True)):
        drawn = draw(picture, person, skeleton, annotated=annotated, enlarge=1)
        canvas.paste(drawn.resize((side, side), Image.Resampling.LANCZOS), (i % columns * side, i // columns * side))
    return canvas


def _extent(person: np.ndarray) -> float:
    """Longer side in pixels of the box around a person's joints (K, 3)."""
    points = person[np.isfinite(person[:, :2]).all(1), :2]
    return float(np.ptp(points, axis=0).max()) if len(points) else 0.0


def _draw_person(canvas: Image.Image, person: np.ndarray, shown: np.ndarray, skeleton: Skeleton) -> None:
    """Blend one person (K, 3) into the canvas; parts outside it are cut off."""
    width = float(np.clip(_extent(person) / 45, 2.0, 0.012 * max(canvas.size) + 2))
    points = person[shown > 0, :2]
    if not len(points):
        return
    edge = 3 * width
    left, top = np.clip(np.floor(points.min(0) - edge), 0, canvas.size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(points.max(0) + edge) + 1, 0, canvas.size).astype(int).tolist()
    if right <= left or bottom <= top:
        return
    size, s = (right - left, bottom - top), OVERSAMPLING
    at = (person[:, :2] + 0.5 - (left, top)) * s
    # One layer a strength: parts of a layer cover each other, and the layer is blended in once.
    strokes = [(min(shown[a], shown[b]), (a, b), colour)
               for (a, b), colour in zip(skeleton.limb_indices, limb_colours(skeleton), strict=True)]  # fmt: skip
    dots = [(shown[k], (k,), colour) for k, colour in enumerate(joint_colours(skeleton))]
    for level in sorted({round(stroke[0], 1) for stroke in strokes + dots} - {0.0}):
        layer = Image.new("RGBA", (size[0] * s, size[1] * s))
        pen = ImageDraw.Draw(layer)
        chosen = [stroke for stroke in strokes + dots if round(stroke[0], 1) == level]
        for rim in (True, False):
            for _, joints, colour in chosen:
                wide = (width + (0.45 * width + 0.6 if rim else 0)) * s
                ends = [tuple(at[k]) for k in joints]
                radius = wide / 2 if len(joints) == 2 else wide * 0.8
                if len(joints) == 2:
                    pen.line(ends, fill=RIM if rim else colour, width=max(round(wide), 1))
                for x, y in ends:
                    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=RIM if rim else colour)
        small = layer.resize(size, Image.Resampling.BOX)
        small.putalpha(small.getchannel("A").point(lambda value, level=level: round(value * level)))
        canvas.paste(small, (left, top), small)


def _draw_circles(canvas: Image.Image, points: np.ndarray, radii: np.ndarray, skeleton: Skeleton) -> None:
    """A thin circle of `radii` (K,) round each of `points` (K, 2), in the joint's colour; none where either is not known."""
    known = np.isfinite(points).all(1) & np.isfinite(radii)
    s, layer = OVERSAMPLING, Image.new("RGBA", (canvas.width * OVERSAMPLING, canvas.height * OVERSAMPLING))
    pen, width = ImageDraw.Draw(layer), max(round(s * max(canvas.size) / 300), 2)
    for k in np.flatnonzero(known):
        (x, y), r = (points[k] + 0.5) * s, radii[k] * s
        for grown, colour in ((width // 2, RIM), (0, joint_colours(skeleton)[k])):
            pen.ellipse((x - r - grown, y - r - grown, x + r + grown, y + r + grown), outline=colour, width=width + grown)
    small = layer.resize(canvas.size, Image.Resampling.BOX)
    small.putalpha(small.getchannel("A").point(lambda value: round(0.85 * value)))
    canvas.paste(small, (0, 0), small)
