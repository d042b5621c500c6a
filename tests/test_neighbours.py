"""Neighbours in code and pose, on people whose poses are known."""

import numpy as np
import pytest

from posekit import PosekitError
from posekit.interpret.analysis.neighbours import closeness, pose_coordinates, pose_distances
from posekit.skeleton import LSP


def people(count, seed=0):
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(50, 20, (count, 14, 2)), np.full((count, 14, 1), 2.0)], -1)


def test_moved_and_enlarged_people_have_the_same_pose():
    one = people(6)
    other = one.copy()
    other[..., :2] = 3 * other[..., :2] + (7, -40)
    assert np.allclose(pose_coordinates(one, LSP), pose_coordinates(other, LSP))
    apart = pose_distances(np.concatenate([one, other]), LSP)
    assert np.allclose(np.diag(apart, 6), 0) and np.isnan(np.diag(apart)).all()
    assert np.allclose(apart, apart.T, equal_nan=True)


def test_a_joint_moved_by_a_trunk_length_counts_as_one_over_the_joints():
    one = people(1)
    trunk = 1 / np.linalg.norm(
        pose_coordinates(one + np.eye(3)[0] * (np.arange(14) == LSP.index("left wrist")[0])[:, None], LSP) - pose_coordinates(one, LSP)
    )
    other = one.copy()
    other[:, LSP.index("left wrist"), 0] += trunk
    assert pose_distances(np.concatenate([one, other]), LSP)[0, 1] == pytest.approx(1 / 14)


def test_who_cannot_be_compared():
    found = people(4)
    found[0, LSP.index("left hip"), 2] = 0  # no trunk
    found[1, [LSP.index(j)[0] for j in ("left wrist", "right wrist", "left elbow", "right elbow")], 2] = 0
    found[2, [LSP.index(j)[0] for j in ("left knee", "right knee", "left ankle", "right ankle")], 2] = 0
    apart = pose_distances(found, LSP)
    assert np.isnan(apart[0]).all()
    assert np.isnan(apart[1, 2]) and np.isfinite(apart[1, 3]) and np.isfinite(apart[2, 3])
    with pytest.raises(PosekitError, match="0 people whose poses can be compared are too few"):
        closeness(np.zeros((4, 2)), np.full((4, 4), np.nan))


def test_closeness_is_1_for_poses_themselves_and_about_0_for_noise():
    random = np.random.default_rng(0)
    line = random.uniform(0, 10, 300)
    apart = np.abs(line[:, None] - line)
    np.fill_diagonal(apart, np.nan)
    best = closeness(line[:, None], apart)
    assert best["mean"] == pytest.approx(1) and best["people"] == 300
    noise = closeness(random.normal(size=(300, 5)), apart)
    assert noise["low"] < 0 < noise["high"] or abs(noise["mean"]) < 0.2
    half = closeness(line[:, None] + random.normal(0, 0.5, (300, 1)), apart)
    assert 0.5 < half["low"] < half["mean"] < half["high"] < 1
