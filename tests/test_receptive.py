"""Receptive fields: by calculation what gradients count, and squares in closed form."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from posekit.models.hourglass import HourglassConfig
from posekit.models.receptive import effective_side, pixel_influence, pixels_seen, positive_hourglass, receptive_fields, sides


@pytest.mark.parametrize("residuals", [1, 3])
@pytest.mark.parametrize("depth", [2, 3])
def test_the_calculation_is_what_gradients_count(residuals, depth):
    config, line = HourglassConfig.narrow(4, joints=1, depth=depth, bottleneck_residuals=residuals), 512
    fields = receptive_fields(config, line)
    seen = pixels_seen(positive_hourglass(config), {name: name if name == "stem" else f"stack0.{name}" for name in fields}, line, height=32)
    for name, (first, last) in fields.items():
        middle = len(first) // 2
        assert seen[name] == last[middle] - first[middle] + 1, name
        assert line % len(first) == 0 and (np.diff(first) >= 0).all() and (np.diff(last) >= 0).all()


def test_the_stem_by_hand():
    first, last = receptive_fields(HourglassConfig.narrow(4, joints=1), 256)["stem"]
    # 7, then 3 at stride 2, 2 at stride 2, 3 and 3 at stride 4: 7 + 4 + 2 + 8 + 8
    assert (last - first + 1)[len(first) // 2] == 29


@settings(deadline=None)
@given(st.integers(2, 20), st.integers(1, 9))
def test_the_square_of_even_influence(half, tenths):
    influence = np.ones((2 * half, 2 * half))
    side = effective_side(influence, half - 0.5, tenths / 10)
    assert side**2 >= tenths / 10 * influence.size > (side - 2) ** 2
    spot = np.zeros((2 * half, 2 * half))
    spot[half, half] = 1
    assert effective_side(spot, half - 0.5) == 2


def test_influence_out_of_reach_needs_all():
    influence = np.zeros((8, 8))
    influence[0, 0] = 1
    assert effective_side(influence, 7.0) == 8


def test_sides_of_a_line_away_from_its_ends():
    first, last = np.array([0, 0, 2, 4, 6, 8, 10, 12]), np.array([3, 5, 7, 9, 12, 13, 15, 15])
    assert sides({"a": (first, last)}, 16) == {"a": {"mean": 6.25, "least": 6, "most": 7, "middle": 7, "stride": 2}}


def test_the_influence_of_a_network_of_one_convolution():
    convolution = nn.Sequential(nn.Conv2d(3, 2, 4, stride=4, bias=False))
    pictures = torch.rand(2, 3, 16, 16)
    maps, centres = pixel_influence(convolution, {"cells": "0"}, pictures)
    expected = np.zeros((16, 16))
    expected[8:12, 8:12] = 2 * convolution[0].weight.detach().sum(0).abs().sum(0).numpy()
    assert centres == {"cells": 9.5} and np.allclose(maps["cells"], expected, atol=1e-5)
    assert effective_side(maps["cells"], centres["cells"], 1 - 1e-6) == 4 and pictures.grad is None
