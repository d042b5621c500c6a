"""What is kept of a training: hits in bits, where its curve is level, and the median pose beside it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posekit.data.people import People
from posekit.skeleton import COCO
from posekit.studies import floor, results
from posekit.studies.results import Result


@given(arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 17)), elements=st.sampled_from([0.0, 1.0, np.nan])))
def test_hits_packed_in_bits_come_back(hits):
    content = {"hits": {"test": json.loads(json.dumps(results._block(hits)))}}
    assert np.array_equal(Result(content).hits("test"), hits, equal_nan=True)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.502], True),  # the last two of ten gain 0.2 points
        ([0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.405, 0.41], False),
        ([0.4], False),
        (list(np.linspace(0, 0.6, 60)), True),  # sixty epochs are enough by themselves
    ],
)
def test_plateau(curve, expected):
    content = {"curve": [[{"pck": value} for value in curve]]}
    assert results.at_plateau([Result(content | {"spec": {"architecture": "hourglass"}})]) is expected
    assert results.at_plateau([Result(content | {"spec": {"architecture": "parts"}})])  # fitted once, to their end


def test_the_plateau_is_that_of_the_mean_curve_over_seeds():
    def trained(last):
        curve = [{"pck": value} for value in [0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, last]]
        return Result({"curve": [curve], "spec": {"architecture": "hourglass"}})

    assert not results.at_plateau([trained(0.406)]) and results.at_plateau([trained(0.404)])
    assert results.at_plateau([trained(0.406), trained(0.402), trained(0.404)])  # 0.4 points together
    assert not results.at_plateau([trained(0.406), trained(0.404), trained(0.407)])


def test_the_median_pose():
    """People who all stand alike are all found by it, however large and wherever they are; who stands otherwise is not."""
    pose = np.random.default_rng(0).uniform(0, 1, (17, 2))
    pose = (pose - pose.min(0)) / np.ptp(pose, axis=0)
    sides, corners = np.array([40.0, 90, 200, 60, 80, 100]), np.random.default_rng(1).uniform(0, 50, (6, 2))
    xy = pose * sides[:, None, None] + corners[:, None]
    xy[5, :, 1] = corners[5, 1] + sides[5] - (xy[5, :, 1] - corners[5, 1])  # on the head
    keypoints = np.concatenate([xy, np.full((6, 17, 1), 2.0)], -1)
    boxes = np.concatenate([corners, np.repeat(sides[:, None], 2, 1)], 1)
    splits = np.array(["train", "train", "train", "val", "test", "test"])
    people = People(COCO, np.array(list("abcdef")), boxes, keypoints, np.arange(6), splits, lambda name: None, "made")
    alike = people[np.arange(5)]
    assert floor.median_pose(alike) == 1.0 and floor.median_pose(people) < 1.0
