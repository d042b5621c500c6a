"""Mannequins: rendered people with exact keypoints, honest visibility and the factors that made them.

`render(index, seed=…)` is a pure function: it draws a scene (people, clothes, props, light, camera,
backdrop) from (seed, index), casts rays at its solids and paints the picture. The scene does not depend on
the size it is rendered at. Lengths are metres; the camera looks along its z, x to the right, y down; a
place in the picture is given as a share of its side until the very end, when pixel = share · size − ½.
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from scipy import ndimage

from posekit.data import bodies
from posekit.data.bodies import BOX, CONE, KEYPOINTS, MATERIALS, PARTS, POSTURES, SOLID, rotation
from posekit.memory import keep_memory

__all__ = [
    "FACTORS",
    "KEYPOINTS",
    "PARTS",
    "POSTURES",
    "Mannequin",
    "render",
    "render_many",
    "render_silhouettes",
]

FACTORS: tuple[str, ...] = (
    "posture",  # index into POSTURES
    "heading",  # radians; 0 faces the camera, positive turns towards the right edge of the picture
    "heading sin",
    "heading cos",
    "elevation",  # radians of the camera above the person's horizon
    "roll",  # radians of the trunk in the picture: 0 upright, positive to the right edge, ±π upside down
    "trunk slant",  # radians between the trunk and the picture plane; positive leans towards the camera
    "left elbow",  # joint angles in radians, 0 stretched
    "right elbow",
    "left shoulder",  # between trunk and upper arm: 0 hanging, π overhead
    "right shoulder",
    "left hip",  # flexion
    "right hip",
    "left knee",
    "right knee",
    "trunk lean",  # bending of the spine forward
    "body height",  # metres, standing
    "girth",  # 1 for an average adult
    "distance",  # metres between camera and person
    "size",  # longer side of the keypoints' box as a share of the picture's
    "offset x",  # centre of that box from the picture's centre, as a share of its side
    "offset y",
    "occluded",  # share of the silhouette in the picture that something else hides
    "visible joints",  # keypoints of flag 2
    "people",  # other people in the scene
    "brightness",  # mean of the picture, 0 to 1
    "contrast",  # mean of the person's visible pixels minus that of the rest
)


@dataclass(frozen=True)
class Mannequin:
    """One rendered person."""

    picture: np.ndarray  # (S, S, 3) uint8
    keypoints: np.ndarray  # (17, 3) float32: x, y in pixels and the COCO flag; NaN coordinates where it is 0
    box: np.ndarray  # (4,) float32 x, y, w, h of the silhouette within the picture, from pixel edge to pixel edge
    factors: dict[str, float]


@dataclass(frozen=True)
class Camera:
    """A pinhole: `axes` are its x, y, z in the world, and a ray through share (u, v) runs along ((u, v) −
    centre) / focal."""

    eye: np.ndarray  # (3,)
    axes: np.ndarray  # (3, 3)
    focal: float = 1.0
    centre: tuple[float, float] = (0.5, 0.5)

    def see(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in the camera's frame."""
        return (points - self.eye) @ self.axes.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) to shares of the picture (..., 2)."""
        seen = self.see(points)
        return seen[..., :2] / seen[..., 2:] * self.focal + np.asarray(self.centre)


@dataclass(frozen=True)
class Scene:
    """Everything that a picture is made from, independent of its size. Solids are in the camera's frame,
    owner 0 is nobody, 1 the person, 2 and above are others."""

    solids: np.ndarray  # (n,) SOLID
    pieces: Quadrics  # of the solids
    colours: np.ndarray  # (m, 2, 3) two colours a material, 0 to 1
    patterns: np.ndarray  # (m, 5): kind, frequency, phase, roughness, shine
    camera: Camera
    places: np.ndarray  # (17, 3) keypoints in the world
    bones: tuple[np.ndarray, np.ndarray]  # beginnings (17, 3) and frames (17, 3, 3) in the world
    pose: bodies.Pose
    build: bodies.Build
    people: int
    light: np.ndarray  # (3,) towards the light, in the camera's frame
    ambient: float
    flags: np.ndarray  # (17,) of the keypoints: 0, 1, 2
    backdrop: int  # seed of the backdrop and of the finishing
    indoors: bool


# ----------------------------------------------------------------------------------------------------------
# Ray casting


def seen_solids(solids: np.ndarray, camera: Camera) -> np.ndarray:
    """Bring solids from the world to the camera's frame."""
    moved = solids.copy()
    moved["start"] = camera.see(solids["start"])
    moved["inverse"] = solids["inverse"] @ camera.axes.T
    return moved


@dataclass(frozen=True)
class Quadrics:
    """What rays are cast at: a sphere-swept cone is a cone's side and a sphere at either end.

    With d = (dx, dy, 1), the ray t · d meets a piece where t² k2(d) + 2 t k1(d) + k0 = 0, at the height y
    = `height` + t `axis` · d of the solid's frame, which must lie between `low` and `high`.
    """

    solid: np.ndarray  # (m,)
    role: np.ndarray  # (m,) 0 or 1 the sphere at that end, 2 the side; sides come first
    k2: np.ndarray  # (m, 3, 3)
    k1: np.ndarray  # (m, 3)
    k0: np.ndarray  # (m,)
    axis: np.ndarray  # (m, 3)
    height: np.ndarray  # (m,)
    low: np.ndarray  # (m,)
    high: np.ndarray  # (m,)

    @property
    def conic(self) -> np.ndarray:
        """Its outline (m, 3, 3): rays with dᵀ conic d > 0 meet the piece."""
        return self.k1[:, :, None] * self.k1[:, None, :] - self.k0[:, None, None] * self.k2


def local_origin(solids: np.ndarray) -> np.ndarray:
    """The camera's place (n, 3) in each solid's own frame."""
    return -np.einsum("nij,nj->ni", solids["inverse"], solids["start"])


def quadrics(solids: np.ndarray) -> Quadrics:
    """The pieces of all cones among `solids`."""
    chosen = np.flatnonzero(solids["kind"] == CONE)
    inverse, length, radii, origin = (
        solids["inverse"],
        solids["length"],
        solids["radii"],
        local_origin(solids),
    )
    long = chosen[(length > 0.2 * radii.max(1))[chosen]]
    solid = np.concatenate([long, chosen, long])
    role = np.repeat([2, 0, 1], [len(long), len(chosen), len(long)])
    side, far = role == 2, role == 1
    axis, height = inverse[solid, 1], origin[solid, 1]
    taper = np.where(side, (radii[solid, 0] - radii[solid, 1]) / length[solid], 0)
    slope = 1 - taper**2
    gram = np.einsum("nij,nik->njk", inverse, inverse)[solid]
    pull = np.einsum("nij,ni->nj", inverse, origin)[solid]
    square = (origin**2).sum(1)[solid]
    radius = np.where(far, radii[solid, 1], radii[solid, 0])
    shift = np.where(far, length[solid], 0)
    tip = taper * radius
    # A side's terms in y² are those of the whole less the axis; a sphere at the far end is moved along it.
    k2 = slope[:, None, None] * gram - side[:, None, None] * axis[:, :, None] * axis[:, None, :]
    k1 = slope[:, None] * pull - np.where(side, height - tip, shift)[:, None] * axis
    k0 = slope * square - radius**2 - np.where(side, height * (height - 2 * tip), shift * (2 * height - shift))
    high = np.where(side, slope * length[solid] + tip, np.inf)
    return Quadrics(solid, role, k2, k1, k0, axis, height, np.where(side, tip, -np.inf), high)


def bounds(solids: np.ndarray, camera: Camera) -> np.ndarray:
    """Rectangles that hold the picture of either end of each solid, and of the whole: left, top, right,
    bottom as shares, (n, 3, 4); everything where the camera stands within."""
    rows = np.linalg.norm(solids["inverse"], axis=2)
    box = solids["kind"] == BOX
    ends = np.stack([solids["start"], solids["start"] + solids["inverse"][:, 1] * solids["length"][:, None]], 1)  # (n, 2, 3)
    radius = solids["radii"] / rows.min(1)[:, None]
    radius[box] = np.sqrt((1 / rows[box] ** 2).sum(1))[:, None]
    ends[box, 1] = ends[box, 0]
    z = ends[..., 2]
    within = (z <= radius + 0.05)[..., None]
    square = np.maximum(z**2 - radius**2, 1e-6)[..., None]
    root = radius[..., None] * np.sqrt(np.maximum(ends[..., :2] ** 2 + square, 0))
    middle = ends[..., :2] * z[..., None]
    low = np.where(within, -9.0, (middle - root) / square) * camera.focal + camera.centre
    high = np.where(within, 9.0, (middle + root) / square) * camera.focal + camera.centre
    low, high = (np.concatenate([x, f(x, 1)[:, None]], 1) for x, f in ((low, np.min), (high, np.max)))
    high[(z + radius < 0.05).all(1)] = -9
    return np.concatenate([low, high], 2)


@dataclass(frozen=True)
class Samples:
    """Where rays go through a picture: `per_pixel` rows of `size` samples to a row of pixels, each row's
    samples moved sideways so that those of one pixel lie on its diagonal. Sample n is column n % size
    of row n // size."""

    camera: Camera
    size: int
    per_pixel: int = 2

    def shift(self, row):
        """How far a row's samples lie to the right of their pixels' centres, in pixels."""
        return (row % self.per_pixel + 0.5) / self.per_pixel - 0.5

    def x(self, column, row):
        """The slope dx of the rays through columns of a row."""
        return ((column + 0.5 + self.shift(row)) / self.size - self.camera.centre[0]) / self.camera.focal

    def y(self, row):
        """The slope dy of the rays through a row."""
        return ((row + 0.5) / (self.size * self.per_pixel) - self.camera.centre[1]) / self.camera.focal

    def column(self, x, row):
        """The column, fractions included, of slope x in a row."""
        return (x * self.camera.focal + self.camera.centre[0]) * self.size - 0.5 - self.shift(row)


def cast(solids: np.ndarray, pieces: Quadrics, samples: Samples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every meeting of a solid with a sample: solid, sample and depth, each (h,). `pieces` are the solids' quadrics.

    Along a row of samples everything is a quadratic in the column, and an outline's roots bound the
    columns to try.
    """
    rectangles = bounds(solids, samples.camera)
    results = [_cast_quadrics(pieces, rectangles[pieces.solid, pieces.role], samples)]
    boxes = np.flatnonzero(solids["kind"] == BOX)
    if len(boxes):
        results.append(_cast_boxes(solids, boxes, rectangles[boxes, 2], samples))
    solid, sample, depth = (np.concatenate(column) for column in zip(*results, strict=True))
    return solid, sample, depth


def _rows(rectangles: np.ndarray, samples: Samples):
    """Split rectangles (m, 4), shares of the picture, into rows of samples: (piece, row, first, last),
    each (r,)."""
    size, high = samples.size, samples.size * samples.per_pixel
    left, right = (np.clip(np.floor(rectangles[:, i] * size), 0, size).astype(np.int64) for i in (0, 2))
    right = np.minimum(right + 1, size)
    top = np.clip(np.ceil(rectangles[:, 1] * high - 0.5), 0, high).astype(np.int64)
    bottom = np.clip(np.floor(rectangles[:, 3] * high + 0.5), 0, high).astype(np.int64)
    tall = np.where(rectangles[:, 2] > 0, np.maximum(bottom - top, 0), 0)
    piece = np.repeat(np.arange(len(rectangles)), tall)
    row = np.arange(len(piece)) - np.repeat(np.cumsum(tall) - tall - top, tall)
    return piece, row, left[piece], right[piece]


def _expand(row: np.ndarray, first: np.ndarray, count: np.ndarray, samples: Samples):
    """From rows to their samples: a function that repeats a row's value for each, the samples, and how far
    dx is from the row's first."""
    start = np.repeat((np.cumsum(count) - count).astype(np.int32), count)
    inside = np.arange(len(start), dtype=np.int32) - start
    return (
        lambda value, dtype=np.float32: np.repeat(value.astype(dtype), count),
        inside + np.repeat((row * samples.size + first).astype(np.int32), count),
        inside.astype(np.float32) * np.float32(1 / samples.size / samples.camera.focal),
    )


def _cast_quadrics(pieces: Quadrics, rectangles: np.ndarray, samples: Samples):
    piece, row, first, last = _rows(rectangles, samples)
    y = samples.y(row)

    def along_row(matrix):
        """Coefficients in dx of dᵀ matrix d at each row."""
        m = matrix[piece]
        return (
            m[:, 0, 0],
            2 * (m[:, 0, 1] * y + m[:, 0, 2]),
            (m[:, 1, 1] * y + 2 * m[:, 1, 2]) * y + m[:, 2, 2],
        )

    a, b, c = along_row(pieces.conic)
    square = b * b - 4 * a * c
    closed = a < 0
    root = np.sqrt(np.maximum(square, 0))
    twice = np.where(closed, 2 * a, -1.0)
    near, far = (samples.column(x, row) for x in ((-b + root) / twice, (-b - root) / twice))
    first = np.where(closed, np.clip(np.ceil(near), first, last), first).astype(np.int64)
    last = np.where(closed, np.clip(np.floor(far) + 1, first, last), last).astype(np.int64)
    count = np.where(closed & (square < 0), 0, np.maximum(last - first, 0))
    repeat, sample, x = _expand(row, first, count, samples)
    x0 = samples.x(first, row)

    def line(vector):
        """Coefficients in x of vector · d, x counting from the row's first sample."""
        v = vector[piece]
        return v[:, 0], v[:, 0] * x0 + v[:, 1] * y + v[:, 2]

    def quadratic(a, b, c):
        return repeat(c + (b + a * x0) * x0) + (repeat(b + 2 * a * x0) + repeat(a) * x) * x

    def linear(a, b):
        return repeat(b) + repeat(a) * x

    with np.errstate(invalid="ignore", divide="ignore"):
        depth = (-np.sqrt(quadratic(a, b, c)) - linear(*line(pieces.k1))) / quadratic(*along_row(pieces.k2))
        climb = depth * linear(*line(pieces.axis))
        low, high = (repeat((limit - pieces.height)[piece]) for limit in (pieces.low, pieces.high))
        ok = (depth > 0.05) & (climb > low) & (climb < high)
    hit = np.flatnonzero(ok)
    return repeat(pieces.solid[piece], np.int32)[hit], sample[hit], depth[hit]


def _cast_boxes(solids: np.ndarray, boxes: np.ndarray, rectangles: np.ndarray, samples: Samples):
    piece, row, first, last = _rows(rectangles, samples)
    repeat, sample, x = _expand(row, first, np.maximum(last - first, 0), samples)
    x0, y = samples.x(first, row), samples.y(row)
    inverse, origin = solids["inverse"][boxes][piece], local_origin(solids[boxes])[piece]
    enters, leaves = [], []
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in range(3):
            v = inverse[:, i]
            step = 1 / (repeat(v[:, 0] * x0 + v[:, 1] * y + v[:, 2]) + repeat(v[:, 0]) * x)
            middle, half = -repeat(origin[:, i]) * step, np.abs(step)
            enters.append(middle - half)
            leaves.append(middle + half)
        enter, leave = np.maximum.reduce(enters), np.minimum.reduce(leaves)
        hit = np.flatnonzero((enter < leave) & (enter > 0.05))
    return repeat(boxes[piece], np.int32)[hit], sample[hit], enter[hit]


def first_met(solids: np.ndarray, pieces: Quadrics, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The frontmost solid on each of a few rays (r, 3), −1 for none, and its depth: (r,), (r,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = (rays[:, :, None] * rays[:, None, :]).reshape(-1, 9)
        discriminant = squares @ pieces.conic.reshape(-1, 9).T
        depth = (-np.sqrt(discriminant) - rays @ pieces.k1.T) / (squares @ pieces.k2.reshape(-1, 9).T)
        y = pieces.height + depth * (rays @ pieces.axis.T)
        depth = np.where((depth > 0.05) & (y >= pieces.low) & (y <= pieces.high), depth, np.inf)
        boxes = np.flatnonzero(solids["kind"] == BOX)
        step = 1 / np.einsum("mij,rj->rmi", solids["inverse"][boxes], rays)
        middle, half = -local_origin(solids[boxes]) * step, np.abs(step)
        enter, leave = (middle - half).max(2), (middle + half).min(2)
        enter = np.where((enter < leave) & (enter > 0.05), enter, np.inf)
    depth = np.concatenate([depth, enter], 1)
    best = depth.argmin(1)
    nearest = depth[np.arange(len(rays)), best]
    return np.where(np.isfinite(nearest), np.concatenate([pieces.solid, boxes])[best], -1), nearest


def surfaces(solids: np.ndarray, which: np.ndarray, dx: np.ndarray, dy: np.ndarray, depth: np.ndarray):
    """Place in the solid's frame (3, h) and normal in the camera's (3, h) where rays (dx, dy, 1) meet
    solids at `depth`."""
    inverse, start, radii, length = solids["inverse"], solids["start"], solids["radii"], solids["length"]
    taper = (radii[:, 0] - radii[:, 1]) / length
    slope = 1 - taper**2
    columns = np.concatenate(
        [
            inverse.reshape(-1, 9),
            start,
            (taper * radii[:, 0] / slope)[:, None],
            (1 / slope)[:, None],
            length[:, None],
        ],
        1,
    )
    values = [np.take(np.ascontiguousarray(column, np.float32), which) for column in columns.T]
    matrix, (sx, sy, sz, tip, slope, length) = [values[0:3], values[3:6], values[6:9]], values[9:]
    beside = (dx * depth - sx, dy * depth - sy, depth - sz)
    place = np.empty((3, len(which)), np.float32)
    for i in range(3):
        place[i] = matrix[i][0] * beside[0] + matrix[i][1] * beside[1] + matrix[i][2] * beside[2]
    inner = [place[0], place[1] - np.clip(place[1] * slope - tip, 0, length), place[2]]
    boxes = np.flatnonzero((solids["kind"] == BOX)[which])
    if len(boxes):
        face = np.abs(place[:, boxes]).argmax(0)
        for i in range(3):
            inner[i][boxes] = np.where(face == i, np.sign(place[i, boxes]), 0)
    normal = np.empty((3, len(which)), np.float32)
    for i in range(3):
        normal[i] = matrix[0][i] * inner[0] + matrix[1][i] * inner[1] + matrix[2][i] * inner[2]
    normal /= np.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2])
    return place, normal


@dataclass(frozen=True)
class Raster:
    """What the rays met; samples that met nothing are left out."""

    sample: np.ndarray  # (h,)
    solid: np.ndarray  # (h,) frontmost solid
    place: np.ndarray  # (3, h) in the solid's frame
    normal: np.ndarray  # (3, h) in the camera's frame
    person: np.ndarray  # (S · per_pixel, S) bool, the person's whole silhouette


def rasterise(scene: Scene, size: int, per_pixel: int = 2) -> Raster:
    """Cast a ray through every sample of the picture and keep the frontmost solid."""
    solids, samples = scene.solids, Samples(scene.camera, size, per_pixel)
    which, sample, depth = cast(solids, scene.pieces, samples)
    which, sample = which.astype(np.intp), sample.astype(np.intp)  # as look-ups want them
    number = size * size * per_pixel
    nearest = np.full(number, np.inf, np.float32)
    np.minimum.at(nearest, sample, depth)
    person = np.zeros(number, bool)
    person[sample[np.take(solids["owner"] == 1, which)]] = True
    front = np.flatnonzero(depth == np.take(nearest, sample))
    which, sample, depth = which[front], sample[front], depth[front]
    row = sample // size
    along = (sample - row * size).astype(np.float32) * np.float32(1 / size / scene.camera.focal)
    rows = np.arange(size * per_pixel)
    dx = np.take(samples.x(0, rows).astype(np.float32), row) + along
    dy = np.take(samples.y(rows).astype(np.float32), row)
    place, normal = surfaces(solids, which, dx, dy, depth)
    return Raster(sample, which, place, normal, person.reshape(-1, size))


def visibility(solids: np.ndarray, pieces: Quadrics, camera: Camera, places: np.ndarray, build: bodies.Build) -> np.ndarray:
    """COCO flags (17,) of keypoints at world `places` (17, 3), by casting a ray through each.

    A joint lies inside its limb. It counts as visible when the first thing on its ray is a limb that ends
    in it, or else its own body no farther in front of it than `KEYPOINT_DEPTHS`; outside the picture it is
    not labelled.
    """
    shares, joints = camera.project(places), camera.see(places)
    frontmost, depth = first_met(solids, pieces, joints / joints[:, 2:])
    scale = build.height / bodies.ADULT * max(1.0, build.girth)
    covered = joints[:, 2] - depth
    owner, part = (np.where(frontmost >= 0, solids[name][frontmost], -1) for name in ("owner", "part"))
    shown = bodies.PART_SHOWS[np.arange(17), part] | (covered <= bodies.KEYPOINT_DEPTHS * scale)
    flags = np.where(np.where(owner == 1, shown, covered <= 0), 2, 1)
    flags[((shares < 0) | (shares >= 1)).any(1)] = 0
    return flags


# ----------------------------------------------------------------------------------------------------------
# Textures


@lru_cache(maxsize=1)
def noises() -> np.ndarray:
    """Tileable 1/f noises (4, 256, 256) float32 between 0 and 1, from coarse to fine."""
    rng = np.random.default_rng(2016)
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None])
    frequency[0, 0] = np.inf
    tiles = []
    for power in (2.0, 1.5, 1.1, 0.7):
        spectrum = np.fft.rfft2(rng.normal(size=(256, 256))) * frequency**-power
        tile = np.fft.irfft2(spectrum, s=(256, 256))
        tiles.append(np.clip(0.5 + 0.22 * tile / tile.std(), 0, 1))
    return np.array(tiles, np.float32)


@lru_cache(maxsize=1)
def _noise_cells() -> np.ndarray:
    """For bilinear look-up: each cell's value, its change along u, along v and along both, (4, 65536, 4)."""
    tile = noises()
    right, below = np.roll(tile, -1, 2), np.roll(tile, -1, 1)
    both = np.roll(right, -1, 1)
    return np.stack([tile, right - tile, below - tile, tile - right - below + both], -1).reshape(len(tile), -1, 4)


@lru_cache(maxsize=1)
def film_grain() -> np.ndarray:
    """A strip of normally distributed noise (2¹⁹,) float32."""
    return np.random.default_rng(16).standard_normal(2**19, dtype=np.float32)


def noise(kind: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Look noise `kind` up at (u, v) in periods, bilinearly."""
    u, v = u * np.float32(256), v * np.float32(256)
    i, j = np.floor(u), np.floor(v)
    u, v = u - i, v - j
    cell = ((j.astype(np.int32) & 255) << 8) + (i.astype(np.int32) & 255)
    cells = np.take(_noise_cells()[kind], cell, axis=0)
    return cells[..., 0] + cells[..., 1] * u + (cells[..., 2] + cells[..., 3] * u) * v


def grain(kind: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Look noise `kind` up at (u, v) in periods, without interpolation."""
    cell = (((v * np.float32(256)).astype(np.int32) & 255) << 8) + ((u * np.float32(256)).astype(np.int32) & 255)
    return np.take(noises()[kind].ravel(), cell)


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a picture (3, S, S) by `sigma` pixels."""
    return picture if sigma < 0.2 else ndimage.gaussian_filter(picture, (0, sigma, sigma), truncate=2.0)


def pick(rng: np.random.Generator, *choices):
    """One of the choices, all alike."""
    return choices[int(rng.random() * len(choices))]


def any_colour(rng: np.random.Generator) -> np.ndarray:
    """A colour (3,) as things have them: often grey, sometimes strong."""
    value, saturation = rng.random() ** 0.8, rng.random() ** 1.8
    hue = rng.random(3)
    hue = hue / hue.max()
    return (0.05 + 0.9 * value) * (1 - saturation * (1 - hue))


_SKINS = np.array(
    [
        (0.95, 0.78, 0.67),
        (0.89, 0.69, 0.56),
        (0.78, 0.57, 0.43),
        (0.62, 0.42, 0.30),
        (0.42, 0.28, 0.20),
        (0.28, 0.18, 0.13),
    ]
)
_HAIRS = np.array(
    [
        (0.06, 0.05, 0.05),
        (0.17, 0.10, 0.06),
        (0.32, 0.20, 0.11),
        (0.62, 0.45, 0.24),
        (0.78, 0.66, 0.42),
        (0.55, 0.53, 0.52),
        (0.45, 0.18, 0.08),
    ]
)


def person_materials(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colours (7, 2, 3) and patterns (7, 5) of one person, in the order of `bodies.SKIN` and the
    following."""
    colours = np.empty((MATERIALS, 2, 3))
    patterns = np.zeros((MATERIALS, 5))
    tone = rng.random() * 4.99 if rng.random() < 0.6 else rng.random() * 2.5
    low = int(tone)
    skin = _SKINS[low] * (low + 1 - tone) + _SKINS[min(low + 1, 5)] * (tone - low)
    skin = np.clip(skin * (0.92 + 0.16 * rng.random()) + rng.normal(0, 0.015, 3), 0.05, 1)
    colours[bodies.SKIN] = skin
    colours[bodies.HAIR] = _HAIRS[int(rng.random() * 7)] if rng.random() < 0.85 else any_colour(rng)
    kind = rng.random()
    top = pick(
        rng,
        np.full(3, 0.05 + 0.08 * rng.random()),
        np.full(3, 0.8 + 0.15 * rng.random()),
        any_colour(rng),
        any_colour(rng) ** 0.7,
        rng.random(3) ** 1.3,
    )
    bottom = pick(
        rng,
        np.full(3, 0.05 + 0.1 * rng.random()),
        np.array([0.12, 0.18, 0.32]) * (0.6 + 1.4 * rng.random()),
        np.array([0.55, 0.48, 0.36]),
        any_colour(rng),
        any_colour(rng),
    )
    colours[bodies.TOP] = skin if kind < 0.08 else top
    colours[bodies.BOTTOM] = top if 0.08 < kind < 0.2 else bottom
    colours[bodies.SHOE] = skin if rng.random() < 0.18 else pick(rng, np.full(3, 0.08), np.full(3, 0.85), any_colour(rng))
    colours[bodies.DARK] = (0.07, 0.06, 0.06)
    colours[bodies.LIP] = skin * (0.72, 0.42, 0.42)
    for cloth, plain in ((bodies.TOP, 0.5), (bodies.BOTTOM, 0.8)):
        patterns[cloth, 3] = 0.1 + 0.35 * rng.random()
        if rng.random() > plain and not (cloth == bodies.TOP and kind < 0.08):
            colours[cloth, 1] = any_colour(rng)
            patterns[cloth, :3] = 1 + int(rng.random() * 5), 6 + 24 * rng.random() ** 1.5, rng.random()
    patterns[bodies.HAIR, 3] = 0.5
    patterns[[bodies.SKIN, bodies.SHOE], 3] = 0.12
    patterns[:, 4] = rng.random() ** 3 * 0.25
    return np.clip(colours, 0, 1), patterns


def thing_materials(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colours (1, 2, 3) and a pattern (1, 5) of one prop."""
    colour = any_colour(rng)
    second = any_colour(rng) if rng.random() < 0.5 else colour * (0.6 + 0.3 * rng.random())
    kind = 1 + int(rng.random() * 5) if rng.random() < 0.55 else 0
    return np.array([[colour, second]]), np.array([[kind, 1.5 + 6 * rng.random() ** 2, rng.random(), 0.2 + 0.5 * rng.random(), 0.0]])


def blend(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Mix two colours (3,) by `share` (n,): (3, n) float32."""
    first, second = np.asarray(first, np.float32)[:, None], np.asarray(second, np.float32)[:, None]
    return first + (second - first) * np.asarray(share, np.float32)


def paint(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, kinds: tuple[str, ...]) -> np.ndarray:
    """A surface of one of `kinds` at metres (u, v), each (n,): (3, n) float32 between 0 and 1."""
    kind = pick(rng, *kinds)
    phase = rng.random(4).astype(np.float32)
    speckle = grain(3, u * (0.3 + phase[0]) + phase[1], v * (0.3 + phase[0]) + phase[2])
    coarse = noise(int(3 * phase[3]), u * (0.02 + 0.1 * phase[1]) + phase[0], v * (0.02 + 0.1 * phase[1]) + phase[3])
    first, second = (pale + (any_colour(rng) - pale) * strength for pale, strength in rng.random((2, 2)) * (0.9, 1.0) + (0.05, 0.1))
    if kind == "plain":
        colour = blend(first, first * (0.6 + 0.4 * rng.random()), coarse)
    elif kind == "cloud":
        colour = blend(first, second, np.clip(2.5 * coarse - 0.75, 0, 1))
    elif kind == "grass":
        green = np.array([0.15 + 0.4 * rng.random(), 0.3 + 0.35 * rng.random(), 0.05 + 0.2 * rng.random()])
        colour = blend(green * 0.6, green * 1.15, 0.5 * coarse + 0.5 * speckle)
    elif kind == "earth":
        brown = np.array([0.75, 0.62, 0.47]) * (0.4 + 0.7 * rng.random()) + rng.normal(0, 0.04, 3)
        colour = blend(brown * 0.7, brown * 1.1, coarse)
    elif kind == "leaves":
        green = np.array([0.10 + 0.3 * rng.random(), 0.25 + 0.3 * rng.random(), 0.04 + 0.15 * rng.random()])
        fine = noise(2, u * 0.35 + phase[2], v * 0.35 + phase[0])
        colour = blend(green * 0.15, green * 1.5, np.clip(1.2 * fine + 0.9 * speckle - 0.6, 0, 1))
        sky = (fine + coarse) > 1.25
        colour[:, sky] = 0.8 + 0.15 * rng.random()
    elif kind in ("bricks", "tiles", "blocks"):
        tall = {"bricks": 0.08, "tiles": 0.4, "blocks": 0.3}[kind] * (0.8 + 1.2 * rng.random())
        wide = tall * (2.5 if kind != "tiles" else 1.0)
        row = np.floor(v / tall)
        a, b = u / wide + (0.5 * (row % 2) if kind != "tiles" else 0.0), v / tall
        joint = ((a - np.floor(a)) < 0.06 * tall / wide + 0.03) | ((b - row) < 0.12)
        each = scatter(np.floor(a) + 57 * row)
        if kind == "bricks":
            first = np.array([0.55, 0.28, 0.2]) * (0.6 + 0.7 * rng.random()) if rng.random() < 0.6 else first
        colour = blend(first * 0.8, first * 1.1, each)
        np.copyto(colour, (second if kind != "blocks" else first * 0.45)[:, None], where=joint)
    elif kind in ("planks", "stripes"):
        wide = 0.12 + 0.5 * rng.random() if kind == "planks" else 0.3 + 1.2 * rng.random()
        a = (u if rng.random() < 0.7 else v) / wide
        cell = a - np.floor(a)
        if kind == "planks":
            colour = blend(first * 0.7, first * 1.05, scatter(np.floor(a)))
            np.copyto(colour, first[:, None] * 0.3, where=cell < 0.06)
        else:
            colour = blend(first, second, (cell < 0.2 + 0.5 * phase[0]).astype(np.float32))
    elif kind == "lines":
        gap = 1.5 + 3 * rng.random()
        a, b = u / gap + phase[0], v / gap + phase[1]
        line = ((a - np.floor(a)) < 0.06 / gap + 0.01) | ((b - np.floor(b)) < 0.06 / gap + 0.01)
        colour = blend(first, first * 0.8, coarse)
        np.copyto(colour, pick(rng, np.full(3, 0.92), second)[:, None], where=line)
    elif kind == "facade":
        floor_height, bay = 1.2 + 2 * rng.random(), 0.8 + 2 * rng.random()
        a, b = u / bay + phase[0], v / floor_height
        a_cell, b_cell = a - np.floor(a), b - np.floor(b)
        window = (a_cell > 0.25) & (a_cell < 0.5 + 0.4 * phase[1]) & (b_cell > 0.3) & (b_cell < 0.6 + 0.35 * phase[2])
        colour = blend(first * 0.9, first * 1.05, coarse)
        dark = any_colour(rng) * 0.5
        window = np.flatnonzero(window)
        put(colour, window, blend(dark, dark * 0.4 + 0.5, scatter((np.floor(a) + 57 * np.floor(b))[window]) ** 2))
    elif kind == "crowd":
        wide = 0.45
        row = np.floor(v / 0.55)
        a = u / wide + 0.5 * (row % 2) + 0.3 * np.sin(row * 5.1)
        seat = np.floor(a)
        x, y = a - seat - 0.5, v / 0.55 - row
        code = scatter(seat + 57 * row + np.float32(9) * phase[0])
        hue = np.stack([np.sin(40 * code), np.sin(57 * code + 1), np.sin(71 * code + 2)]) * 0.3 + 0.45
        head = (x / 0.2) ** 2 + ((y - 0.72 - 0.08 * code) / 0.2) ** 2 < 1
        body = ((x / 0.42) ** 2 + ((y - 0.15) / 0.5) ** 2 < 1) & ~head
        colour = blend(first * 0.25, first * 0.25, code)
        np.copyto(colour, hue, where=body)
        tone = np.take(_SKINS.T, (code * 5.99).astype(int), axis=1)
        np.copyto(colour, np.where(y > 0.8, 0.3 * tone, tone), where=head)
    else:  # noise of all colours
        channels = [noise(i, u * (0.05 + 0.2 * phase[i]) + phase[i], v * (0.05 + 0.2 * phase[i]) + phase[2]) for i in range(3)]
        colour = coarse + (np.stack(channels) - coarse) * (phase[0] * np.float32(0.7))
        colour *= (0.5 + first).astype(np.float32)[:, None]
    return colour * (0.86 + 0.28 * speckle)


_FLOORS = (
    "plain",
    "plain",
    "cloud",
    "grass",
    "grass",
    "grass",
    "earth",
    "earth",
    "tiles",
    "planks",
    "lines",
    "lines",
    "blocks",
)
_OUTDOORS = (
    "leaves",
    "leaves",
    "leaves",
    "bricks",
    "blocks",
    "facade",
    "facade",
    "crowd",
    "earth",
    "planks",
    "noise",
)
_INDOORS = (
    "plain",
    "plain",
    "cloud",
    "bricks",
    "tiles",
    "planks",
    "stripes",
    "crowd",
    "crowd",
    "facade",
    "noise",
    "lines",
)


def scatter(code: np.ndarray) -> np.ndarray:
    """A fixed number between 0 and 1 for each whole number, as if by chance."""
    value = np.sin(code * np.float32(12.9898)) * np.float32(437.58)
    return value - np.floor(value)


def put(planes: np.ndarray, where: np.ndarray | slice, values: np.ndarray) -> None:
    """Write `values` (3, n) into `planes` (3, N) at the places `where`: one plane at a time, which is three times as quick."""
    for plane, row in zip(planes, values, strict=True):
        plane[where] = row


def sky(rng: np.random.Generator, x: np.ndarray, steep: np.ndarray) -> np.ndarray:
    """Sky with clouds in directions `x` to the side and `steep` up: (3, n) float32."""
    height = np.clip(steep * np.float32(1.0 + 2 * rng.random()) + np.float32(0.2), 0, 1)
    zenith = pick(
        rng,
        (0.25, 0.45, 0.8),
        (0.45, 0.6, 0.85),
        (0.75, 0.75, 0.75),
        (0.92, 0.92, 0.92),
        (0.3, 0.3, 0.4),
        any_colour(rng),
    )
    haze = pick(rng, (0.9, 0.9, 0.9), (0.8, 0.87, 0.95), (0.95, 0.75, 0.55), zenith)
    colour = blend(haze, zenith, height)
    if rng.random() < 0.6:
        quarter = np.float32(0.25)
        clouds = noise(
            pick(rng, 0, 1),
            x * quarter + np.float32(rng.random()),
            steep * 2 * quarter + np.float32(rng.random()),
        )
        colour += (np.clip(clouds * np.float32(2.6) - np.float32(1.2), 0, 1) * np.float32(0.2 + 0.6 * rng.random())) * (1 - colour)
    return colour


def backdrop(scene: Scene, rng: np.random.Generator, size: int) -> np.ndarray:
    """What stands behind the solids: ground, then wall, trees or skyline, then sky. (3, S, S) float32, 0
    to 1."""
    camera = scene.camera
    share = (np.arange(size) + 0.5) / size
    dx, dy = (((share - c) / camera.focal).astype(np.float32) for c in camera.centre)
    axes = camera.axes.astype(np.float32)
    x, y, z = ((axes[0, i] * dx[None] + (axes[1, i] * dy[:, None] + axes[2, i])).ravel() for i in range(3))
    eye = [float(e) for e in camera.eye]
    away = np.float32(2.0 + 14 * rng.random() ** 2 if scene.indoors else 4.0 + 40 * rng.random() ** 2)
    turn = float(rng.normal(0, 0.35))
    c, s = math.cos(turn), math.sin(turn)
    forward = np.minimum(s * x + c * z, np.float32(-1e-3))  # the camera looks along −z more or less
    reach = (-away - (s * eye[0] + c * eye[2])) / forward
    reach = np.where(reach > 0, reach, 1e4).astype(np.float32)
    wall_u = eye[0] * c - eye[2] * s + reach * (c * x - s * z)
    wall_v = eye[1] + reach * y

    indoors = scene.indoors
    tall = 1e3 if indoors else pick(rng, 0.0, 1e3, *[away * 0.15 + 12 * rng.random()] * 2, 1 + 3 * rng.random())
    falls = y < -1e-3
    if eye[1] <= 0.05 or rng.random() > 0.93:
        falls[:] = False
    down = np.where(falls, -eye[1] / np.minimum(y, -1e-3), 1e5).astype(np.float32)
    ground = (down < reach) & falls if tall > 0 else falls
    canvas = np.empty((3, size * size), np.float32)

    up = np.flatnonzero(~ground)
    if tall > 100:
        far = np.empty((3, len(up)), np.float32)
    else:
        far = sky(rng, x[up], y[up] / np.sqrt(x[up] ** 2 + y[up] ** 2 + z[up] ** 2))
    wall_u, wall_v = wall_u[up], wall_v[up]
    surface = np.float32(max(0.5, min(1.0, 12 / float(away))) if rng.random() < 0.7 else 0.4)
    kinds = tuple(kind for kind in (_INDOORS if indoors else _OUTDOORS) if kind != "crowd" or away > 7)
    inside: np.ndarray | slice
    for layer in range(1 + int(rng.random() * 3) if 0 < tall < 100 else int(tall > 0)):
        edge = rng.random(3).astype(np.float32)
        if tall > 100:
            inside = slice(None)
        elif rng.random() < 0.5:
            column = np.floor(wall_u / (2 + 8 * edge[0]) + 10 * edge[1])
            inside = np.flatnonzero(wall_v < tall * (1 - 0.3 * layer) * (0.5 + scatter(column)))
        else:
            hills = noise(
                1,
                wall_u * (np.float32(0.01) + np.float32(0.03) * edge[0]) + edge[1],
                np.full_like(wall_u, edge[2]),
            )
            inside = np.flatnonzero(wall_v < tall * (1 - 0.3 * layer) * (0.4 + 1.2 * hills))
        put(far, inside, paint(rng, wall_u[inside] * surface, wall_v[inside] * surface, kinds))
    if rng.random() < 0.35:  # a band along the wall: a banner, a fence, a kerb
        low = 2.5 * rng.random()
        band = np.flatnonzero((wall_v > low) & (wall_v < low + 0.3 + 1.2 * rng.random()))
        kinds = ("plain", "stripes", "facade", "crowd", "planks", "noise", "lines")
        put(far, band, paint(rng, wall_u[band], wall_v[band], kinds))
    put(canvas, up, far)

    near = np.flatnonzero(ground)
    if len(near):
        down = down[near]
        gx, gz = eye[0] + down * x[near], eye[2] + down * z[near]
        c, s = math.cos(turn * 3), math.sin(turn * 3)
        floor = paint(rng, c * gx - s * gz, s * gx + c * gz, _FLOORS)
        fog = np.clip(down / 60, 0, 0.7)
        floor += fog * (floor.mean(1, keepdims=True) - floor)
        if scene.pose.lift < 1.5:
            floor *= 1 - shadow(scene, gx, gz) * np.float32(0.65 * (1 - scene.ambient))
        put(canvas, near, floor)
    picture = canvas.reshape(3, size, size)

    # things too far or too odd to have a shape
    for _ in range(int(10 * rng.random()) if rng.random() < 0.25 else 0):
        cx, cy, w, h = rng.random(4) * (1, 1, 0.35, 0.35)
        top, left = int(cy * size), int(cx * size)
        patch = picture[:, top : top + max(1, int(h * size)), left : left + max(1, int(w * size))]
        colour = any_colour(rng).astype(np.float32)
        if patch.size:
            patch *= np.float32(0.1 + 0.3 * rng.random())
            patch += colour[:, None, None] * np.float32(0.8)
    if rng.random() < 0.4:
        picture = blur(picture, size * 0.012 * rng.random())
    return picture


def shadow(scene: Scene, gx: np.ndarray, gz: np.ndarray) -> np.ndarray:
    """How deep ground points (gx, gz) (n,) lie in soft shadow of the person and of others: (n,) from 0 to
    1."""
    solids = scene.solids[scene.solids["kind"] == CONE]
    axes, eye = scene.camera.axes, scene.camera.eye
    steps = np.linspace(0, 1, 5)
    along = solids["inverse"][:, 1] * solids["length"][:, None]
    points = (solids["start"][:, None] + along[:, None] * steps[None, :, None]) @ axes + eye
    radius = np.repeat(solids["radii"].mean(1), 5)
    light = scene.light @ axes
    light = np.array([light[0], max(light[1], 0.35), light[2]])
    points = points.reshape(-1, 3)
    fall = points[:, 1] / light[1]
    px, pz = points[:, 0] - fall * light[0], points[:, 2] - fall * light[2]
    # Splat into a map of the ground around the person and look it up.
    cells, extent = 96, 3.2
    i, j = (
        ((px + extent) / (2 * extent) * cells).astype(int),
        ((pz + extent) / (2 * extent) * cells).astype(int),
    )
    good = (i >= 0) & (i < cells) & (j >= 0) & (j < cells)
    dark = np.bincount(j[good] * cells + i[good], weights=(radius[good] * 22) ** 2, minlength=cells * cells).reshape(cells, cells)
    dark = 1 - np.exp(-ndimage.gaussian_filter(dark.astype(np.float32), 1.3))
    dark[[0, -1]] = 0
    dark[:, [0, -1]] = 0
    i = np.clip((gx + extent) / (2 * extent) * cells, 0, cells - 1).astype(int)
    j = np.clip((gz + extent) / (2 * extent) * cells, 0, cells - 1).astype(int)
    return np.take(dark.ravel(), j * cells + i)


def shade(scene: Scene, raster: Raster) -> np.ndarray:
    """Colour what the rays met: (3, h) float32."""
    solids = scene.solids
    px, py, pz = raster.place
    plane = solids["plane"].astype(np.float32)
    materials = solids["materials"]
    second = plane[:, 0][raster.solid] * px + plane[:, 1][raster.solid] * py + plane[:, 2][raster.solid] * pz > plane[:, 3][raster.solid]
    material = np.take(materials.ravel().astype(np.intp), 2 * raster.solid + second)
    pattern = scene.patterns.astype(np.float32)
    kind, frequency, phase, roughness, shine = (pattern[:, i][material] for i in range(5))
    box = solids["kind"][raster.solid] == BOX
    # Texture coordinates in metres: along the axis, and across it.
    size = (1 / np.linalg.norm(solids["inverse"], axis=2)).astype(np.float32)
    if box.any():
        along = np.where(box, py * size[:, 1][raster.solid], py)
        across = np.where(box, px * size[:, 0][raster.solid] + pz * size[:, 2][raster.solid], px + 0.6 * pz)
    else:
        along, across = py, px + 0.6 * pz
    along, across = along + phase, across + phase
    speckle = grain(2, across * np.float32(0.9), along * np.float32(0.9))
    a, b = along * frequency, across * frequency
    a, b = a - np.floor(a) < 0.5, b - np.floor(b) < 0.5
    mark = ((kind == 1) & a) | ((kind == 2) & b) | ((kind == 3) & (a ^ b)) | ((kind == 4) & (speckle > 0.55)) | ((kind == 5) & (pz > 0.02))
    palette = np.ascontiguousarray(scene.colours.astype(np.float32).reshape(-1, 3).T)
    colour = np.take(palette, 2 * material + mark, axis=1)
    normal = raster.normal.copy()
    fold = (speckle - 0.5) * roughness
    normal[0] += 1.2 * fold
    normal[1] += 0.8 * fold
    light = scene.light.astype(np.float32)
    lambert = np.clip(light @ normal, 0, 1)
    up = (scene.camera.axes @ np.array([0.0, 1, 0])).astype(np.float32)
    sky = 0.62 + 0.38 * (up @ normal)
    edge = np.clip(-normal[2], 0, 1)
    strength = np.float32(1 - scene.ambient)
    bright = np.float32(scene.ambient) * 1.05 * sky * (0.7 + 0.3 * edge) + strength * 1.15 * lambert
    half = light + np.array([0, 0, -1], np.float32)
    gloss = np.clip((half / np.linalg.norm(half)) @ normal, 0, 1) ** 20 * shine * strength
    return colour * (bright * (1.12 + np.float32(0.5) * fold)) + gloss


# ----------------------------------------------------------------------------------------------------------
# Scenes


def cone(start, end, radii, material: int, owner: int = 0) -> np.ndarray:
    """A sphere-swept cone as one row of `SOLID`, in the world."""
    row = np.zeros(1, SOLID)
    start, end = np.asarray(start, float), np.asarray(end, float)
    y = (end - start) / np.linalg.norm(end - start)
    x = bodies.cross(y, np.eye(3)[2 if abs(y[2]) < 0.8 else 1])
    x /= np.linalg.norm(x)
    row["kind"], row["start"], row["inverse"] = CONE, start, np.stack([x, y, bodies.cross(x, y)])
    row["length"], row["radii"] = np.linalg.norm(end - start), radii
    row["owner"], row["materials"], row["plane"] = owner, material, (0, 1, 0, 1e9)
    return row


def box(centre, half, axes, material: int, owner: int = 0) -> np.ndarray:
    """A box with half sides (3,) along the rows of `axes` (3, 3) as one row of `SOLID`, in the world."""
    row = np.zeros(1, SOLID)
    row["kind"], row["start"], row["inverse"] = (
        BOX,
        centre,
        np.asarray(axes) / np.asarray(half, float)[:, None],
    )
    row["length"], row["radii"] = 1.0, 1.0
    row["owner"], row["materials"], row["plane"] = owner, material, (0, 1, 0, 1e9)
    return row


def solid_ends(solids: np.ndarray) -> np.ndarray:
    """The lowest height of each cone (n,)."""
    ends = np.stack([solids["start"], solids["start"] + solids["inverse"][:, 1] * solids["length"][:, None]], 1)
    return (ends[..., 1] - solids["radii"]).min(1)


def draw_person(rng: np.random.Generator, owner: int, heading: float, posture: int | None = None):
    """A posed, clothed body on the ground at x = z = 0: (solids, bones, pose, build)."""
    pose, build, clothes = bodies.draw_pose(rng, posture), bodies.draw_build(rng), bodies.draw_clothes(rng)
    root = rotation(1, heading) @ pose.root
    origins, frames = bodies.pose_bones(pose.angles, build, root)
    solids = bodies.body_solids(origins, frames, build, clothes, owner)
    lift = pose.lift - solid_ends(solids).min()
    middle = (origins.max(0) + origins.min(0)) / 2
    shift = np.array([-middle[0], lift, -middle[2]])
    solids["start"] += shift
    return solids, (origins + shift, frames), pose, build


def props(rng: np.random.Generator, solids: np.ndarray, bones, pose: bodies.Pose, material: int) -> tuple[np.ndarray, float]:
    """What the person sits on, hangs from, stands on or climbs: solids and how far everything has to rise
    for it."""
    origins, frames = bones
    forward = frames[0] @ (0, 0, 1.0)
    forward = np.array([forward[0], 0, forward[2]])
    forward = forward / max(np.linalg.norm(forward), 1e-6)
    if np.linalg.norm(forward) < 0.5:
        forward = np.array([0, 0, 1.0])
    axes = np.stack([bodies.cross(np.eye(3)[1], forward), np.eye(3)[1], forward])
    low = solid_ends(solids)
    if pose.prop == "seat":
        top = low[np.isin(solids["part"], (2, 9, 12))].min() + 0.02
        half = np.array([0.22 + 0.4 * rng.random() ** 2, 0.5, 0.2 + 0.06 * rng.random()])
        if top < 0.12:
            return np.zeros(0, SOLID), 0.0
        half[1] = top / 2
        parts = [box(origins[0] * (1, 0, 1) + (0, top / 2, 0) + 0.04 * forward, half, axes, material)]
        if rng.random() < 0.4:  # a chair's back
            parts.append(
                box(
                    origins[0] * (1, 0, 1) + (0, top + 0.25, 0) - 0.24 * forward,
                    (half[0], 0.28, 0.025),
                    axes,
                    material,
                )
            )
        return np.concatenate(parts), 0.0
    if pose.prop == "bar":
        left, right = (origins[b] + frames[b] @ (0, -0.08, 0.02) for b in (7, 10))
        across = left - right
        across = across / max(np.linalg.norm(across), 1e-6) * (0.2 + 1.8 * rng.random())
        return cone(left + across, right - across, 0.015 + 0.025 * rng.random(), material), 0.0
    if pose.prop == "wall" and forward[2] < 0.3:  # else it would stand between the person and the camera
        near = (origins @ forward).max() + 0.08
        tilt = rotation(0, rng.normal(0, 6))
        half = np.array([0.5 + 4 * rng.random(), 0.8 + 3 * rng.random(), 0.4])
        turned = tilt @ axes
        middle = origins.mean(0)
        centre = middle + forward * (near - middle @ forward + half[2])
        return box(centre, half, turned, material), 0.0
    if pose.prop == "block":
        rise = 0.15 + 0.9 * rng.random()
        half = np.array([0.3 + 1.2 * rng.random(), rise / 2, 0.25 + 0.8 * rng.random()])
        lowest = solids["start"][low.argmin()]
        return box((lowest[0], low.min() - rise / 2, lowest[2]), half, axes, material), rise
    return np.zeros(0, SOLID), 0.0


def draw_scene(index: int, seed: int = 0) -> Scene:
    """Draw everything that picture `index` of the set `seed` shows."""
    rng = np.random.default_rng((seed, index))
    heading = rng.normal(0, 50) if rng.random() < 0.45 else rng.uniform(-180, 180)
    solids, (origins, frames), pose, build = draw_person(rng, 1, heading)
    colours, patterns = person_materials(rng)
    palette, looks, groups = [colours], [patterns], []

    def new_material(colours, patterns):
        palette.append(colours)
        looks.append(patterns)
        return sum(len(c) for c in palette[:-1])

    extra, rise = props(rng, solids, (origins, frames), pose, new_material(*thing_materials(rng)))
    solids["start"][:, 1] += rise
    extra["start"][:, 1] += rise
    origins = origins + np.array([0, rise, 0])
    groups += [solids, extra]
    places = bodies.keypoint_places(origins, frames, build)

    # The camera looks at the middle of the keypoints; focal length and centre then frame them.
    indoors = rng.random() < 0.35
    distance = float(np.clip(math.exp(rng.normal(1.55, 0.45)), 2.6, 14)) * max(0.8, build.height / bodies.ADULT)
    elevation = float(np.clip(rng.normal(7, 13), -30, 65))
    middle = (places.max(0) + places.min(0)) / 2
    lowest = math.degrees(math.asin(np.clip((0.25 - middle[1]) / distance, -1, 1)))
    elevation = max(elevation, lowest)
    tilt = rng.normal(0, 5) if rng.random() < 0.85 else rng.normal(0, 25)
    toward = rotation(0, -elevation) @ (0, 0, 1.0)  # from the person to the camera
    right = np.array([1.0, 0, 0])
    down = bodies.cross(-toward, right)
    turned = rotation(2, tilt) @ np.stack([right, down, -toward])
    camera = Camera(middle + distance * toward, turned)
    flat = camera.project(places)
    low, high = flat.min(0), flat.max(0)
    share = 0.64 * math.exp(0.14 * math.sin(math.pi * (rng.random() - 0.5)))
    offset = rng.normal(0, 0.035, 2)
    if rng.random() < 0.07:
        share, offset = share * rng.uniform(1.0, 1.45), rng.normal(0, 0.13, 2)
    focal = share / (high - low).max()
    camera = Camera(camera.eye, turned, focal, tuple(0.5 + offset - focal * ((low + high) / 2 - 0.5)))

    # Other people: behind or beside, seldom in front.
    people = int(rng.random() < 0.33) * (1 + int(3 * rng.random() ** 2))
    for owner in range(2, 2 + people):
        other, _, _, _ = draw_person(rng, owner, rng.uniform(-180, 180), None if rng.random() < 0.4 else pick(rng, 0, 1, 3))
        colours, patterns = person_materials(rng)
        other["materials"] += new_material(colours, patterns)
        if rng.random() < 0.12:  # in front, to the side
            ahead, beside = (
                -rng.uniform(0.35, 0.5) * min(distance, 3),
                pick(rng, -1, 1) * rng.uniform(0.3, 0.7),
            )
        else:
            ahead, beside = rng.uniform(0.5, 8), pick(rng, -1, 1) * rng.uniform(0.35, 1.2)
        spread = beside * (distance + ahead) / distance * max(0.6, 0.5 / focal * distance)
        other["start"] += middle * (1, 0, 1) + np.array([spread, rise * (rng.random() < 0.5), -ahead])
        groups.append(other)

    groups += clutter(rng, camera, middle, distance, new_material)
    sun = rng.normal(size=3) * (1, 0.6, 1) + (0, 0.9, 0.35)
    light = turned @ (sun / np.linalg.norm(sun))
    ambient = 0.25 + 0.6 * rng.random()
    if rng.random() < 0.06:  # against the light
        light, ambient = np.array([0.1, -0.4, 0.9]), 0.08 + 0.15 * rng.random()
    solids = seen_solids(np.concatenate(groups), camera)
    pieces = quadrics(solids)
    flags = visibility(solids, pieces, camera, places, build)
    if (flags == 2).sum() < 7:  # clear the view
        near = (camera.see(places)[:, 2]).max()
        solids = solids[(solids["owner"] == 1) | (solids["start"][:, 2] > near)]
        solids = solids[(solids["owner"] == 1) | (bounds(solids, camera)[:, 2, 2] < 9)]
        pieces = quadrics(solids)
        flags = visibility(solids, pieces, camera, places, build)
    return Scene(
        solids, pieces, np.concatenate(palette), np.concatenate(looks), camera, places, (origins, frames), pose,
        build, people,
        light / np.linalg.norm(light), float(ambient), flags, int(rng.integers(2**62)), bool(indoors),
    )  # fmt: skip


def clutter(rng: np.random.Generator, camera: Camera, middle: np.ndarray, distance: float, new_material) -> list[np.ndarray]:
    """Boxes, posts and rails beside and behind the person, and sometimes in front."""
    groups = []
    width = distance / camera.focal  # of the picture, at the person
    for _ in range(int(5 * rng.random() ** 2.5)):
        ahead = rng.uniform(0.6, 6)
        x = rng.uniform(-0.7, 0.7) * width * (distance + ahead) / distance + middle[0]
        material = new_material(*thing_materials(rng))
        if rng.random() < 0.55:
            half = 0.1 + rng.random(3) ** 2 * (0.9, 0.8, 0.5)
            axes = rotation(1, rng.uniform(-90, 90))
            groups.append(box((x, half[1], middle[2] - ahead - half[2]), half, axes.T, material))
        elif rng.random() < 0.6:
            lean = rng.normal(0, 0.15, 2) if rng.random() < 0.6 else rng.normal(0, 1.5, 2)
            foot = np.array([x, 0, middle[2] - ahead])
            groups.append(
                cone(
                    foot,
                    foot + np.array([lean[0], 1 + 3 * rng.random(), lean[1]]),
                    0.02 + 0.08 * rng.random() ** 2,
                    material,
                )
            )
        else:
            y, slant = 0.3 + 1.5 * rng.random(), rng.normal(0, 0.1)
            for k in range(1 + int(3 * rng.random())):
                at = np.array([middle[0], y + 0.35 * k, middle[2] - ahead])
                groups.append(
                    cone(
                        at - np.array([3, 3 * slant, 0]),
                        at + np.array([3, 3 * slant, 0]),
                        0.02 + 0.02 * rng.random(),
                        material,
                    )
                )
    if rng.random() < 0.2:  # in front
        material = new_material(*thing_materials(rng))
        near = rng.uniform(0.45, 0.75) * distance
        u, v = rng.uniform(0.1, 0.9, 2)
        ray = np.array([(u - camera.centre[0]) / camera.focal, (v - camera.centre[1]) / camera.focal, 1.0])
        at = camera.eye + near * ray @ camera.axes
        reach = width * near / distance
        if rng.random() < 0.5:
            half = reach * np.array([0.05 + 0.15 * rng.random(), 0.05 + 0.2 * rng.random(), 0.05])
            groups.append(box(at, half, (rotation(1, rng.uniform(-60, 60)) @ rotation(2, rng.normal(0, 12))).T, material))
        else:
            along = camera.axes[0] * rng.normal() + camera.axes[1] * rng.normal()
            along *= reach * rng.uniform(0.4, 1.5) / np.linalg.norm(along)
            groups.append(cone(at - along, at + along, reach * (0.012 + 0.04 * rng.random()), material))
    return groups


# ----------------------------------------------------------------------------------------------------------
# Pictures


def finish(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, gamma, colour cast, pallor, blur, noise: (3, S, S) float to (S, S, 3) uint8."""
    size = picture.shape[1]
    u = rng.random(8)
    cast = rng.normal(0, 0.05, 3).astype(np.float32)
    picture = picture * (1 + cast)[:, None, None] * np.float32(0.75 + 0.5 * u[0])
    if u[1] < 0.35:
        grey = picture.mean(0, keepdims=True)
        picture = grey + (picture - grey) * np.float32(0 if u[1] < 0.03 else 0.2 + 0.8 * u[2])
    if u[3] < 0.45:
        picture = blur(picture, size * 0.007 * u[4])
    gamma = 0.7 + 0.7 * u[6] if u[5] < 0.6 else 1.0
    response = (255 * np.linspace(0, 1, 2048) ** gamma + 0.5).astype(np.float32)
    picture = np.take(response, np.clip(picture * np.float32(2047), 0, 2047).astype(np.int16))
    grain = 255 * 0.03 * u[7] ** 2
    if grain > 0.3:
        start = int(rng.random() * len(film_grain()))
        strip = film_grain()[start : start + picture.size]
        if len(strip) < picture.size:  # it begins again
            strip = np.resize(np.roll(film_grain(), -start), picture.size)
        picture += strip.reshape(picture.shape) * np.float32(grain)
    finished = np.empty((size, size, 3), np.uint8)
    for channel, plane in enumerate(np.clip(picture, 0, 255).astype(np.uint8)):
        finished[..., channel] = plane
    return finished


def measure(scene: Scene, raster: Raster, picture: np.ndarray, seen: np.ndarray) -> dict[str, float]:
    """The true factors; `seen` (S, S) is the share of each pixel that shows the person."""
    origins, frames = scene.bones
    axes, angles = scene.camera.axes, scene.pose.angles
    forward = axes @ frames[2] @ (0, 0, 1.0)
    heading = math.atan2(forward[0], -forward[2])
    trunk = axes @ (origins[3] - origins[0])
    trunk = trunk / np.linalg.norm(trunk)
    flat = scene.camera.project(scene.places)
    low, high = flat.min(0), flat.max(0)
    offset = (low + high) / 2 - 0.5
    middle = (scene.places.max(0) + scene.places.min(0)) / 2
    toward = scene.camera.eye - middle
    distance = float(np.linalg.norm(toward))
    whole = raster.person.sum()
    visible = 2 * float(seen.sum())
    light, seen = (picture.reshape(-1, 3) @ np.full(3, 1 / 765, np.float32)), seen.ravel()

    def opening(arm):
        upper = frames[arm] @ (0, -1.0, 0)
        return math.acos(np.clip(upper @ (frames[2] @ (0, -1.0, 0)), -1, 1))

    inside = float(seen.sum())
    bright, total = float(light @ seen), float(light.sum())
    contrast = bright / max(inside, 1e-9) - (total - bright) / max(seen.size - inside, 1e-9)
    values = (
        scene.pose.posture, heading, math.sin(heading), math.cos(heading), math.asin(toward[1] / distance),
        math.atan2(trunk[0], -trunk[1]), math.asin(np.clip(-trunk[2], -1, 1)),
        *(math.radians(angles[side + "elbow"]) for side in ("left ", "right ")), opening(5), opening(8),
        *(math.radians(angles[side + "hip"]) for side in ("left ", "right ")),
        *(math.radians(angles[side + "knee"]) for side in ("left ", "right ")), math.radians(angles["lean"]),
        scene.build.height, scene.build.girth, distance, (high - low).max(), offset[0], offset[1],
        1 - min(visible / whole, 1) if whole else 1.0, (scene.flags == 2).sum(), scene.people, total / light.size, contrast,
    )  # fmt: skip
    return {name: float(value) for name, value in zip(FACTORS, values, strict=True)}


def render(index: int, *, seed: int = 0, size: int = 160) -> Mannequin:
    """Render person `index` of the set `seed` at `size` pixels a side."""
    return _render(draw_scene(index, seed), size)


def _render(scene: Scene, size: int) -> Mannequin:
    rng = np.random.default_rng(scene.backdrop)
    raster = rasterise(scene, size)
    behind = backdrop(scene, rng, size)

    def spread(values):
        """Samples back to pixels, nothing where the rays met nothing: (h,) to (S, S)."""
        whole = np.zeros(2 * size * size, np.float32)
        whole[raster.sample] = values
        return pool(whole.reshape(-1, size))

    picture = behind * (1 - spread(1.0))
    for plane, channel in zip(picture, shade(scene, raster), strict=True):
        plane += spread(channel)
    picture = finish(picture, rng)
    seen = spread((scene.solids["owner"] == 1).astype(np.float32)[raster.solid])

    keypoints = np.empty((17, 3), np.float32)
    keypoints[:, :2] = scene.camera.project(scene.places) * size - 0.5
    keypoints[:, 2] = scene.flags
    keypoints[scene.flags == 0, :2] = np.nan
    return Mannequin(picture, keypoints, silhouette_box(raster.person), measure(scene, raster, picture, seen))


def pool(samples: np.ndarray) -> np.ndarray:
    """Average the two samples of each pixel: (2 S, S, …) to (S, S, …)."""
    return (samples[::2] + samples[1::2]) * np.float32(0.5)


def silhouette_box(person: np.ndarray) -> np.ndarray:
    """Tight x, y, w, h (4,) of a silhouette (2 S, S) in pixels. A sample stands for its quarter of the
    pixel: the upper left, or the lower right one."""
    halves = np.stack([person[::2].any(0), person[1::2].any(0)], 1).ravel()
    columns, rows = np.flatnonzero(halves), np.flatnonzero(person.any(1))
    if len(rows) == 0:
        return np.zeros(4, np.float32)
    x, y, right, bottom = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / 2
    return np.array([x - 0.5, y - 0.5, right - x, bottom - y], np.float32)


def render_silhouettes(index: int, *, seed: int = 0, size: int = 160) -> np.ndarray:
    """Which part of the person each pixel's centre shows: (S, S) uint8 indices into `PARTS`, 0 where
    something else is."""
    scene = draw_scene(index, seed)
    raster = rasterise(scene, size, 1)
    parts = np.zeros(size * size, np.uint8)
    parts[raster.sample] = np.where(scene.solids["owner"] == 1, scene.solids["part"], 0)[raster.solid]
    return parts.reshape(size, size)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _render_chunk(indices, seed, size):
    keep_memory()  # this process does nothing else
    return [render(index, seed=seed, size=size) for index in indices]


def render_many(
    indices: Iterable[int],
    *,
    seed: int = 0,
    size: int = 160,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Mannequin]:
    """Render many people in order, in `workers` processes (all cores by default; 0 or 1 stay in this one).

    `progress` is told after every person how many are done.
    """
    indices = list(indices)
    workers = min(cores() if workers is None else workers, max(1, len(indices) // 16))
    if workers <= 1:
        for done, index in enumerate(indices, 1):
            yield render(index, seed=seed, size=size)
            if progress:
                progress(done)
        return
    chunks = [indices[i : i + 16] for i in range(0, len(indices), 16)]
    done = 0
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for people in pool.imap(partial(_render_chunk, seed=seed, size=size), chunks):
            for person in people:
                yield person
                done += 1
                if progress:
                    progress(done)
