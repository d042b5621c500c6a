"""The map to hover over: its sheet holds each person in place, and its page asks nothing of the network."""

import json
import re

import numpy as np
import pytest

from posekit.display import drawing
from posekit.plots.codes import interactive
from posekit.skeleton import LSP
from posekit.workflow import pages

pytest.importorskip("bokeh")
SIDE = 16


def people(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, each of one brightness, and keypoints of which none is labelled."""
    pictures = np.tile(np.linspace(20, 235, count).astype(np.uint8)[:, None, None, None], (1, 32, 32, 3))
    keypoints = np.full((count, len(LSP), 3), np.nan)
    keypoints[..., 2] = 0
    return pictures, keypoints


def test_the_sheet_has_each_person_in_place():
    pictures, keypoints = people(7)
    sheet = np.asarray(drawing.sheet(pictures, keypoints, LSP, side=SIDE, columns=3))
    assert sheet.shape == (3 * SIDE, 3 * SIDE, 3)
    for i, picture in enumerate(pictures):
        cell = sheet[i // 3 * SIDE : (i // 3 + 1) * SIDE, i % 3 * SIDE : (i % 3 + 1) * SIDE]
        assert (cell == picture[0, 0]).all()


def test_the_page_is_whole_and_offline():
    count = 300
    sheet = drawing.sheet(*people(count), LSP, side=SIDE)
    random = np.random.default_rng(0)
    height = np.where(np.arange(count) < 5, np.nan, random.normal(size=count))
    html = interactive.explorer(random.normal(size=(count, 2)), {"clusters": np.arange(count) % 3, "height": height}, sheet, side=SIDE)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html) and "url(http" not in html
    assert {*re.findall(r'<script src="([^"]+)"', html)} == {f"{interactive.FOLDER}/{name}" for name in interactive.SCRIPTS}
    assert html.count("data:image/webp") == 1
    assert "not defined" in html and "stretch_width" in html
    assert len(html) < 100_000


def test_an_attribute_that_nobody_has_can_be_chosen():
    count = 10
    sheet = drawing.sheet(*people(count), LSP, side=SIDE)
    assert "not defined" in interactive.explorer(np.zeros((count, 2)), {"none": np.full(count, np.nan)}, sheet, side=SIDE)


def test_only_books_with_such_maps_carry_the_scripts(tmp_path):
    (tmp_path / "plain.ipynb").write_text('{"cells": []}')
    pages.lay_scripts(tmp_path)
    assert not (tmp_path / "_extra").exists()
    html = interactive.explorer(np.zeros((4, 2)), {"none": np.arange(4)}, drawing.sheet(*people(4), LSP, side=SIDE), side=SIDE)
    (tmp_path / "map.ipynb").write_text(json.dumps({"cells": [html]}))
    pages.lay_scripts(tmp_path)
    assert {path.name for path in (tmp_path / "_extra" / interactive.FOLDER).iterdir()} == set(interactive.SCRIPTS)
