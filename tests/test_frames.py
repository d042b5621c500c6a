"""Which forms of boxes are believed: what people draw round themselves is, what another convention wrote is not."""

import numpy as np
import pytest

from posekit.data.readers.frames import wrong_boxes

SIZE = np.array([640.0, 480.0])


def people(count, part, seed):
    """Boxes (N, 4) of x, y, width, height within pictures of SIZE, and joints within the given part of each box."""
    random = np.random.default_rng(seed)
    sides = random.uniform(0.3, 0.95, (count, 2)) * SIZE
    corners = random.uniform(0, 1, (count, 2)) * (SIZE - sides)
    (left, top), (right, bottom) = part
    joints = random.uniform((left, top), (right, bottom), (count, 17, 2))
    xy = corners[:, None] + joints * sides[:, None]
    return np.concatenate([corners, sides], 1), np.concatenate([xy, np.full((count, 17, 1), 2.0)], -1)


WHOLE, UPPER, LEFT = ((0.05, 0.03), (0.95, 0.97)), ((0.1, 0.05), (0.9, 0.55)), ((0.0, 0.0), (0.5, 1.0))


@pytest.mark.parametrize("part", [WHOLE, UPPER, LEFT, ((0.3, 0.1), (0.7, 0.4))])
@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("seed", range(5))
def test_boxes_within_their_pictures_round_their_joints_are_believed(part, count, seed):
    boxes, keypoints = people(count, part, seed)
    assert wrong_boxes(boxes, np.tile(SIZE, (count, 1)), keypoints) is None


def as_corners(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)


def as_centres(boxes):
    return np.concatenate([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]], 1)


def as_shares(boxes):
    return boxes / np.tile(SIZE, 2)


def with_axes_exchanged(boxes):
    return boxes[:, [1, 0, 3, 2]]


@pytest.mark.parametrize(
    ("change", "says"),
    [(as_corners, "corners"), (as_centres, "centres"), (as_shares, "shares"), (with_axes_exchanged, "exchange them")],
)
@pytest.mark.parametrize("seed", range(5))
def test_boxes_of_another_form_are_named(change, says, seed):
    boxes, keypoints = people(40, WHOLE, seed)
    assert says in (wrong_boxes(change(boxes), np.tile(SIZE, (40, 1)), keypoints) or "")
