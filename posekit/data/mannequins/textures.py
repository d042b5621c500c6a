"""Colours and surfaces: noises that are looked up, cloth and skin, and walls and floors of many kinds."""

from functools import lru_cache

import numpy as np

from posekit.data.mannequins.flesh import BOTTOM, DARK, HAIR, LIP, MATERIALS, SHOE, SKIN, TOP


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
    """Colours (7, 2, 3) and patterns (7, 5) of one person, in the order of `SKIN` and the
    following."""
    colours = np.empty((MATERIALS, 2, 3))
    patterns = np.zeros((MATERIALS, 5))
    tone = rng.random() * 4.99 if rng.random() < 0.6 else rng.random() * 2.5
    low = int(tone)
    skin = _SKINS[low] * (low + 1 - tone) + _SKINS[min(low + 1, 5)] * (tone - low)
    skin = np.clip(skin * (0.92 + 0.16 * rng.random()) + rng.normal(0, 0.015, 3), 0.05, 1)
    colours[SKIN] = skin
    colours[HAIR] = _HAIRS[int(rng.random() * 7)] if rng.random() < 0.85 else any_colour(rng)
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
    colours[TOP] = skin if kind < 0.08 else top
    colours[BOTTOM] = top if 0.08 < kind < 0.2 else bottom
    colours[SHOE] = skin if rng.random() < 0.18 else pick(rng, np.full(3, 0.08), np.full(3, 0.85), any_colour(rng))
    colours[DARK] = (0.07, 0.06, 0.06)
    colours[LIP] = skin * (0.72, 0.42, 0.42)
    for cloth, plain in ((TOP, 0.5), (BOTTOM, 0.8)):
        patterns[cloth, 3] = 0.1 + 0.35 * rng.random()
        if rng.random() > plain and not (cloth == TOP and kind < 0.08):
            colours[cloth, 1] = any_colour(rng)
            patterns[cloth, :3] = 1 + int(rng.random() * 5), 6 + 24 * rng.random() ** 1.5, rng.random()
    patterns[HAIR, 3] = 0.5
    patterns[[SKIN, SHOE], 3] = 0.12
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


def scatter(code: np.ndarray) -> np.ndarray:
    """A fixed number between 0 and 1 for each whole number, as if by chance."""
    value = np.sin(code * np.float32(12.9898)) * np.float32(437.58)
    return value - np.floor(value)


def put(planes: np.ndarray, where: np.ndarray | slice, values: np.ndarray) -> None:
    """Write `values` (3, n) into `planes` (3, N) at the places `where`: one plane at a time, which is three times as quick."""
    for plane, row in zip(planes, values, strict=True):
        plane[where] = row
