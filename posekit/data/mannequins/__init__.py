"""Mannequins: rendered people with exact keypoints, honest visibility and the factors that made them.

`render(index, seed=…)` is a pure function: it draws a scene (people, clothes, props, light, camera,
backdrop) from (seed, index), casts rays at its solids and paints the picture. The scene does not depend on
the size it is rendered at. Lengths are metres; the camera looks along its z, x to the right, y down; a
place in the picture is given as a share of its side until the very end, when pixel = share · size − ½.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from posekit.data.mannequins.bodies import KEYPOINTS, PARTS
from posekit.data.mannequins.pairs import COUNTERFACTUALS, Pairs, counterfactuals
from posekit.data.mannequins.postures import POSTURES
from posekit.data.mannequins.rendering import FACTORS, Mannequin, measure, render_scene, scene_silhouettes, silhouette_box
from posekit.data.mannequins.scenes import draw_scene
from posekit.process import cores, keep_memory

__all__ = [
    "COUNTERFACTUALS", "FACTORS", "KEYPOINTS", "PARTS", "POSTURES", "Mannequin", "Pairs", "counterfactuals", "measure", "render",
    "render_many", "render_silhouettes", "silhouette_box",
]  # fmt: skip


def render(index: int, *, seed: int = 0, size: int = 160) -> Mannequin:
    """Render person `index` of the set `seed` at `size` pixels a side."""
    return render_scene(draw_scene(index, seed), size)


def render_silhouettes(index: int, *, seed: int = 0, size: int = 160) -> np.ndarray:
    """Which part of the person each pixel's centre shows: (S, S) uint8 indices into `PARTS`, 0 where
    something else is."""
    return scene_silhouettes(draw_scene(index, seed), size)


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

    `progress` is called after every person with how many are done.
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
