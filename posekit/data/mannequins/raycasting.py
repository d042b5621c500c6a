"""Casting rays at solids: what each sample of a picture meets, and where.

A sphere-swept cone is a cone's side and two spheres, each a quadric; along a row of the picture whatever concerns it is a
quadratic in the column, so that an outline's roots bound the samples to try.
"""

from dataclasses import dataclass

import numpy as np

from posekit.data.mannequins.solids import BOX, CONE, Camera, local_origin


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


def rasterise(solids: np.ndarray, pieces: Quadrics, camera: Camera, size: int, per_pixel: int = 2) -> Raster:
    """Cast a ray through every sample of the picture and keep the frontmost solid."""
    samples = Samples(camera, size, per_pixel)
    which, sample, depth = cast(solids, pieces, samples)
    which, sample = which.astype(np.intp), sample.astype(np.intp)  # as look-ups want them
    number = size * size * per_pixel
    nearest = np.full(number, np.inf, np.float32)
    np.minimum.at(nearest, sample, depth)
    person = np.zeros(number, bool)
    person[sample[np.take(solids["owner"] == 1, which)]] = True
    front = np.flatnonzero(depth == np.take(nearest, sample))
    which, sample, depth = which[front], sample[front], depth[front]
    row = sample // size
    along = (sample - row * size).astype(np.float32) * np.float32(1 / size / camera.focal)
    rows = np.arange(size * per_pixel)
    dx = np.take(samples.x(0, rows).astype(np.float32), row) + along
    dy = np.take(samples.y(rows).astype(np.float32), row)
    place, normal = surfaces(solids, which, dx, dy, depth)
    return Raster(sample, which, place, normal, person.reshape(-1, size))
