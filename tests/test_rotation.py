"""Turned people: matrices, what comes back into the picture, and a network whose answer is known."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import posekit
from posekit import Skeleton, adapt
from posekit.coordinates import transform, view
from posekit.data.joints import people_with, with_joints
from posekit.errors import PosekitError
from posekit.interpret.analysis import rotation
from posekit.skeleton import COCO, LSP

PLAIN = posekit.Backend.plain()
HAND = Skeleton("arm", ("left wrist", "right wrist", "left shoulder", "right shoulder", "left hip", "right hip"))


class Brightest(nn.Module):
    """Six maps, all of how bright each cell is."""

    def __init__(self):
        super().__init__()
        self.cells, self.same = nn.AvgPool2d(4), nn.Identity()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, pictures):
        return self.same(self.cells(pictures.mean(1, keepdim=True)).repeat(1, 6, 1, 1))


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return posekit.crops(posekit.load_people("mannequins:6,size=64@all"), 80, tmp_path_factory.mktemp("cache"))


@given(st.floats(-720, 720), st.integers(2, 300))
def test_turning_keeps_the_middle_and_lengths_and_goes_clockwise(degrees, size):
    matrix = rotation.turning(np.array([degrees]), size)[0]
    middle = (size - 1) / 2
    up, side = np.array([[middle, middle], [middle, middle - 1], [middle + 1, middle]]), np.deg2rad(degrees)
    found = transform(matrix, up) - middle
    assert np.allclose(found[0], 0, atol=1e-9)
    assert np.allclose(found[1], (np.sin(side), -np.cos(side)), atol=1e-9), "y points down: what was up comes to the right"
    assert np.allclose(np.linalg.norm(found[1:], axis=1), 1)
    assert np.allclose(matrix @ rotation.turning(np.array([-degrees]), size)[0], np.eye(3), atol=1e-9)


def test_at_no_angle_it_is_predict_crops(crops):
    network = adapt(Brightest(), HAND, 64, backend=PLAIN, report=None)
    plain = posekit.predict_crops(network.model, network.card, crops, backend=PLAIN)[-1]
    assert np.allclose(rotation.turned(network.model, network.card, crops, 0.0, backend=PLAIN), plain, atol=1e-3)


def test_what_does_not_care_which_way_is_up_finds_the_same_place_in_the_picture(crops, monkeypatch):
    """A bright spot on black near the middle: found where it is, however the picture is turned."""
    network = adapt(Brightest(), HAND, 64, backend=PLAIN, report=None)
    y, x = np.mgrid[:80, :80]
    spot = np.exp(-((x - 48.3) ** 2 + (y - 33.1) ** 2) / (2 * 6.0**2))
    picture = torch.from_numpy((255 * spot).round().astype(np.uint8)).expand(1, 3, 80, 80)
    monkeypatch.setattr(rotation, "load_batch", lambda crops, index: (picture, torch.zeros(1, 17, 3)))
    one = crops.select([0])
    expected = transform(np.linalg.inv(crops.matrices[0]), np.array([[48.3, 33.1]]))[0]
    cell = 4 / (view(80, 64) @ crops.matrices[0])[0, 0]
    for degrees in (0, 30, 90, 135, 180, -77):
        found = rotation.turned(network.model, network.card, one, float(degrees), backend=PLAIN)[0, 0, :2]
        assert np.abs(found - expected).max() < 0.15 * cell, degrees


def test_upright_turns_the_trunk_up(crops):
    degrees = rotation.upright(crops)
    for k, angle in enumerate(degrees):
        points = transform(rotation.turning(np.array([angle]), 80)[0], crops.people.keypoints[k, :, :2])
        ls, rs, lh, rh = COCO.index("left shoulder", "right shoulder", "left hip", "right hip")
        trunk = (points[ls] - points[lh] + points[rs] - points[rh]) / 2
        assert abs(trunk[0]) < 1e-6 and trunk[1] < 0


def test_an_angle_that_is_not_known_is_refused(crops):
    network = adapt(Brightest(), HAND, 64, backend=PLAIN, report=None)
    with pytest.raises(ValueError, match="2 angles are not finite"):
        rotation.turned(network.model, network.card, crops, np.array([0, np.nan, 0, np.nan, 0, 0]), backend=PLAIN)


def test_people_get_the_joints_of_another_skeleton_by_name(crops):
    chosen = with_joints(crops, HAND)
    index = COCO.index(*HAND.joints)
    assert chosen.people.skeleton is HAND and len(chosen) == len(crops)
    assert np.array_equal(chosen.keypoints, crops.keypoints[:, index], equal_nan=True)
    assert np.array_equal(chosen.people.keypoints, crops.people.keypoints[:, index], equal_nan=True)
    assert np.array_equal(chosen.select([2]).keypoints[0], chosen.keypoints[2], equal_nan=True)
    with pytest.raises(PosekitError, match="people of the coco skeleton have no neck, head top, which lsp has"):
        people_with(crops.people, LSP)
