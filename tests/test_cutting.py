"""Squares cut out of pictures: what is painted lands where the matrix takes it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.coordinates import cropping, transform
from posekit.data.crops import cut


def dots(centres, width=120, height=90, radius=4.0):
    """A picture with a smooth white dot at each centre (x, y)."""
    y, x = np.mgrid[:height, :width]
    light = sum(np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * radius**2)) for u, v in centres)
    return np.repeat((255 * np.clip(light, 0, 1))[..., None], 3, 2).round().astype(np.uint8)


def middle(picture):
    """Centre of brightness (x, y)."""
    weight = picture[..., 0].astype(float)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@settings(max_examples=60, deadline=None)
@given(
    dot=st.tuples(st.floats(30, 90), st.floats(25, 65)), factor=st.floats(0.3, 2.5), size=st.sampled_from([32, 64, 81]),
    place=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
)  # fmt: skip
def test_a_dot_lands_where_the_matrix_takes_it(dot, factor, size, place):
    side = max(size * factor, 45.0)
    centre = np.array(dot) + np.array(place) * side  # the square may reach over the picture's edge
    crop = cut(dots([dot]), centre, side, size)
    wanted = transform(cropping(centre, side, size), np.array([dot]))[0]
    assert np.abs(middle(crop) - wanted).max() < 0.1


def test_unscaled_cut_is_exact():
    picture = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    assert np.array_equal(cut(picture, np.array([19.5, 19.5]), 20, 20), picture[10:30, 10:30])


@pytest.mark.parametrize("centre", [(0, 0), (49, 39), (-8, 20), (25, 47)])
def test_outside_is_black_and_inside_stays(centre):
    picture = np.full((40, 50, 3), 200, np.uint8)
    crop = cut(picture, np.array(centre) + 0.5, 20, 20)
    y, x = np.mgrid[:20, :20]
    x, y = x + centre[0] - 9, y + centre[1] - 9
    inside = (x >= 0) & (x < 50) & (y >= 0) & (y < 40)
    assert (crop[inside] == 200).all() and (crop[~inside] == 0).all()


def test_far_away_and_enormous_squares():
    picture = np.full((40, 50, 3), 200, np.uint8)
    assert (cut(picture, np.array([1e4, 1e4]), 20, 20) == 0).all()
    crop = cut(picture, np.array([25.0, 20.0]), 1e6, 16)  # would not fit into memory if it were filled up
    assert crop.shape == (16, 16, 3) and (crop == 0).all()


def test_a_part_is_cut_as_within_the_whole():
    picture = np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)
    wide = np.zeros((300, 300, 3), np.uint8)
    wide[120:180, 120:180] = picture
    for side in (33.3, 80.1, 190.7):
        near, far = (
            cut(picture, np.array([12.3, 40.4]), side, 48),
            cut(wide, np.array([132.3, 160.4]), side, 48),
        )
        assert np.abs(near.astype(int) - far).max() <= 1
