"""Painting a scene: what stands behind it, its shadows, its light, and how the photograph came out."""

import math

import numpy as np
from scipy import ndimage

from posekit.data.mannequins.raycasting import Raster
from posekit.data.mannequins.scenes import Scene
from posekit.data.mannequins.solids import BOX, CONE
from posekit.data.mannequins.textures import any_colour, blend, film_grain, grain, noise, paint, pick, put, scatter

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
    """How deep ground points (gx, gz) (n,) lie in soft shadow of the person and of others: (n,) from 0 to 1."""
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


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a picture (3, S, S) by `sigma` pixels."""
    return picture if sigma < 0.2 else ndimage.gaussian_filter(picture, (0, sigma, sigma), truncate=2.0)


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
