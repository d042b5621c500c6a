"""Walks through code space with a slider: a list chooses the direction, the slider how far along it.

Its HTML asks nothing of the network and needs no library: the pictures of a walk are one strip inside the page.
"""

import html
import json
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from posekit.display.drawing import draw
from posekit.display.html import webp
from posekit.plots.codes.meaning import glow
from posekit.skeleton import Skeleton

# fmt: off
_PAGE = """
<div class="walk-slider" id="@name@">
<style>
.walk-slider {max-width: 46rem; margin: 1rem 0}
.walk-slider select, .walk-slider input {font: inherit; max-width: 100%}
.walk-slider input {width: 100%; min-height: 2rem}
.walk-slider .headings {display: flex; font-size: 0.85em; text-align: center; line-height: 1.2; align-items: end; margin-top: 0.6rem}
.walk-slider .headings span {flex: 1 1 0; padding: 0 0.2em}
.walk-slider [role="img"] {width: 100%; background-size: 100% @tall@%}
.walk-slider output {display: block; min-height: 3em}
</style>
<label for="@name@-walk">Along</label> <select id="@name@-walk">@options@</select>
<div class="headings" aria-hidden="true">@headings@</div>
<div role="img" aria-label="" style="aspect-ratio: @wide@ / @high@"></div>
<label for="@name@-step">How far</label>
<input type="range" id="@name@-step" min="0" max="@last@" value="@middle@">
<output for="@name@-walk @name@-step"></output>
<script>
(() => {
  const strips = @strips@, steps = @steps@, notes = @notes@
  const [choice, step, picture, says] = ["select", "input", "[role=img]", "output"].map(part => document.querySelector("#@name@ " + part))
  const show = () => {
    const walk = choice.selectedIndex, at = Number(step.value)
    picture.style.backgroundImage = `url(${strips[walk]})`
    picture.style.backgroundPosition = `0 ${100 * at / (steps.length - 1)}%`
    picture.setAttribute("aria-label", `${choice.value}, ${steps[at]}: @columns@`)
    step.setAttribute("aria-valuetext", steps[at])
    says.textContent = `At ${steps[at]}. ${notes[walk][at]}`
  }
  choice.addEventListener("change", show)
  step.addEventListener("input", show)
  show()
})()
</script>
</div>
"""
# fmt: on


def strip(
    people: Sequence[tuple[np.ndarray, np.ndarray]], answers: Sequence[tuple[np.ndarray, np.ndarray]], skeleton: Skeleton, *,
    side: int = 112,
) -> np.ndarray:  # fmt: skip
    """A walk as pictures, one a step (S, side, W, 3) uint8: the nearest person, and what the network answers, side by side.

    Args:
        people: for each step a picture (H, W, 3) uint8 and annotated keypoints (K, 3) in its pixels.
        answers: for each treatment of the network, heatmaps (S, K, h, w) and keypoints (S, K, 3) in input pixels.
    """
    columns = [[draw(picture, keypoints, skeleton, annotated=True) for picture, keypoints in people]]
    columns += [[draw(heat, points, skeleton) for heat, points in zip(glow(maps, skeleton), found, strict=True)] for maps, found in answers]
    cells = [[np.asarray(cell.resize((side, side), Image.Resampling.LANCZOS)) for cell in column] for column in columns]
    line = np.full((side, 2, 3), 128, np.uint8)  # between two pictures
    rows = [[part for cell in row for part in (cell, line)][:-1] for row in zip(*cells, strict=True)]
    return np.stack([np.concatenate(row, 1) for row in rows])


def slider(
    walks: Mapping[str, np.ndarray], steps: Sequence[str], notes: Mapping[str, Sequence[str]], columns: Sequence[str], *,
    name: str = "walk", quality: int = 60,
) -> str:  # fmt: skip
    """The HTML of walks to look at step by step.

    Args:
        walks: by direction its pictures, (S, H, W, 3) uint8, of one size; see `strip`. The first is shown first.
        steps: what the slider says at each of S > 1 steps; the middle one is shown first.
        notes: by direction, what is said of each step.
        columns: what stands side by side in a picture.
        name: of the slider within the page, for pages with several.
        quality: of the pictures' WebP compression, 0 to 100.
    """
    count, high, wide = next(iter(walks.values())).shape[:3]
    values = {
        "name": name,
        "tall": 100 * count,
        "wide": wide,
        "high": high,
        "last": count - 1,
        "middle": count // 2,
        "options": "".join(f"<option>{html.escape(direction)}</option>" for direction in walks),
        "headings": "".join(f"<span>{html.escape(column)}</span>" for column in columns),
        "columns": html.escape(", ".join(columns)),
        "strips": json.dumps([webp(Image.fromarray(walk.reshape(-1, *walk.shape[2:])), quality) for walk in walks.values()]),
        "steps": json.dumps(list(steps), ensure_ascii=False),
        "notes": json.dumps([list(notes[direction]) for direction in walks], ensure_ascii=False),
    }
    page = _PAGE
    for key, value in values.items():
        page = page.replace(f"@{key}@", str(value))
    return page
