"""Geometry: the half pixel in closed form, and that pixels and keypoints move alike."""

import doctest

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit import coordinates as co
from posekit import heatmaps as hm

often = settings(deadline=None, max_examples=100)
place = st.floats(-1000, 1000)
length = st.floats(0.1, 1000)
pixels = st.integers(4, 512)


def moved(matrix, *points):
    return co.transform(np.asarray(matrix, float), np.array(points, float))


def test_doctests():
    result = doctest.testmod(co)
    assert result.attempted and not result.failed


@pytest.mark.parametrize(
    ("factor", "x", "expected"),
    [
        (2, 0, 0.5),  # one pixel becomes pixels 0 and 1, whose middle is 0.5
        (2, -0.5, -0.5),  # the outer edge stays
        (0.25, 1.5, 0),  # pixels 0 to 3 become pixel 0
        (0.25, 63.5, 15.5),  # the other outer edge of 64 pixels
        (1, 7.3, 7.3),
    ],
)
def test_rescaling_in_closed_form(factor, x, expected):
    assert moved(co.rescaling(factor), (x, x))[0] == pytest.approx([expected, expected])


def test_stride_takes_input_pixels_to_heatmap_cells():
    assert moved(co.rescaling(1 / co.STRIDE), (127.5, -0.5))[0] == pytest.approx([31.5, -0.5])


@often
@given(place, place, length, pixels, place, place)
def test_cropping_is_exact_at_its_edges_and_inverts(x, y, side, size, px, py):
    matrix = co.cropping([x, y], side, size)
    corners = moved(matrix, (x - side / 2, y - side / 2), (x + side / 2, y + side / 2), (x, y))
    expected = [[-0.5, -0.5], [size - 0.5, size - 0.5], [(size - 1) / 2, (size - 1) / 2]]
    assert np.allclose(corners, expected, atol=1e-9 * size * (1 + 2000 / side))
    back = moved(np.linalg.inv(matrix), *moved(matrix, (px, py)))
    assert np.allclose(back, [[px, py]], atol=1e-7)


def test_cropping_takes_many_people_at_once():
    centres, sides = np.array([[10.0, 20.0], [5.0, 5.0]]), np.array([30.0, 8.0])
    together = co.cropping(centres, sides, 64)
    alone = [co.cropping(c, s, 64) for c, s in zip(centres, sides, strict=True)]
    assert np.array_equal(together, np.stack(alone))
    points = np.random.default_rng(0).uniform(0, 30, (2, 14, 2))
    each = [co.transform(m, p) for m, p in zip(alone, points, strict=True)]
    assert np.allclose(co.transform(together, points), each)


@often
@given(st.integers(1, 600), st.floats(0.05, 4))
def test_mirroring_is_an_involution_and_commutes_with_rescaling(size, factor):
    mirror = co.mirroring(size)
    assert np.array_equal(mirror @ mirror, np.eye(3))
    # Mirror then resize is resize then mirror, with the resized width: no half pixel is lost.
    there = co.rescaling(factor) @ mirror
    assert np.allclose(there, co.mirroring(size * factor) @ co.rescaling(factor))


def test_mirroring_exchanges_the_outer_pixels():
    assert moved(co.mirroring(64), (0, 3), (63, 3)).tolist() == [[63, 3], [0, 3]]


@often
@given(pixels, pixels)
def test_view_is_the_middle_of_a_crop(size, resolution):
    matrix = co.view(size, resolution)
    centre = (size - 1) / 2
    reach = size / co.CONTEXT / 2
    corners = moved(matrix, (centre, centre), (centre - reach, centre + reach))
    half = (resolution - 1) / 2
    assert np.allclose(corners, [[half, half], [-0.5, resolution - 0.5]], atol=1e-7)


def test_person_square_surrounds_the_longer_side():
    centre, side = co.person_square(np.array([[10.0, 20.0, 30.0, 60.0]]), 1.25)
    assert centre.tolist() == [[25, 50]] and side.tolist() == [75]


def test_keypoints_keep_their_flags_and_nan():
    keypoints = np.array([[[1.0, 2.0, 2.0], [np.nan, np.nan, 0.0]]])
    matrix = co.rescaling(2)
    expected = [[[2.5, 4.5, 2.0], [np.nan, np.nan, 0.0]]]
    assert np.array_equal(co.transform_keypoints(matrix, keypoints), expected, equal_nan=True)
    tensor = co.transform_keypoints(torch.as_tensor(matrix), torch.as_tensor(keypoints))
    assert np.array_equal(tensor.numpy(), expected, equal_nan=True)


def dot(size, x, y):
    """A smooth blob around (x, y), (1, 1, size, size); decodes to its centre."""
    return hm.encode(torch.tensor([[x, y]], dtype=torch.float64), size, sigma=2.5)[None]


def where(picture):
    """The mean position of a picture's brightness."""
    return hm.decode(picture, "soft-argmax")[0, 0, :2]


@often
@given(
    st.floats(-180, 180), st.floats(0.8, 2), st.floats(-4, 4), st.floats(-4, 4), st.floats(26, 36),
    st.floats(26, 36),
    st.booleans(),
)  # fmt: skip
def test_warp_moves_a_dot_where_transform_says(angle, scale, dx, dy, x, y, mirrored):
    cos, sin = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    matrix = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    matrix[:2, 2] = np.array([47.5 + dx, 47.5 + dy]) - matrix[:2, :2] @ [
        31.5,
        31.5,
    ]  # the middle of 64 to that of 96, nearly
    if mirrored:
        matrix = matrix @ co.mirroring(64)
    picture = co.warp(dot(64, x, y), torch.as_tensor(matrix)[None], 96)
    expected = moved(matrix, (x, y))[0]
    assert np.abs(where(picture).numpy() - expected).max() < 0.02


@pytest.mark.parametrize("resolution", [64, 80, 128])
def test_view_and_warp_agree(resolution):
    matrix = co.view(100, resolution)
    picture = co.warp(dot(100, 47.3, 55.8), torch.as_tensor(matrix)[None], resolution)
    assert np.abs(where(picture).numpy() - moved(matrix, (47.3, 55.8))[0]).max() < 0.01


def test_identity_warp_changes_nothing_and_an_outside_is_black():
    picture = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    identity = torch.eye(3, dtype=torch.float64).expand(2, 3, 3)
    assert torch.allclose(co.warp(picture, identity, 16), picture)
    away = torch.as_tensor(co.cropping([100, 100], 16, 16)).expand(2, 3, 3)
    assert not co.warp(picture, away, 16).any()


def test_mirror_warp_is_a_flip():
    picture = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    assert torch.allclose(co.warp(picture, torch.as_tensor(co.mirroring(16))[None], 16), picture.flip(-1))


def test_warping_single_precision_stays_within_a_hundredth_of_a_pixel():
    matrix = torch.as_tensor(co.view(160, 128), dtype=torch.float32)[None]
    exact = co.warp(dot(160, 90.2, 61.7), matrix.double(), 128)
    assert (where(co.warp(dot(160, 90.2, 61.7).float(), matrix, 128)) - where(exact)).abs().max() < 0.01


@given(st.floats(0.25, 4), st.floats(1, 300), st.floats(1, 300), st.floats(1, 2))
def test_the_square_around_a_box_holds_it_in_the_middle_of_any_input_and_no_smaller_one_would(aspect, width, height, scale):
    centre, side = co.person_square(np.array([10.0, 20.0, width, height]), scale, aspect)
    across, down = side * min(aspect, 1), side * min(1 / aspect, 1)  # of the input
    assert np.allclose(centre, (10 + width / 2, 20 + height / 2)) and np.isclose(across / down, aspect)
    assert across >= scale * width * (1 - 1e-9) and down >= scale * height * (1 - 1e-9)
    assert np.isclose(across, scale * width) or np.isclose(down, scale * height)
    assert co.person_square(np.array([0, 0, width, height]), scale)[1] == scale * max(width, height)  # to the bit
