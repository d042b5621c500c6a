import numpy as np
import pytest

from posekit.display.drawing import FAINT, SURE, draw, enlargement, joint_colours, limb_colours, opacity
from posekit.skeleton import COCO, LSP, MPII


def upright(skeleton, scale=1.0):
    """A person (1, K, 3) facing the viewer, 200 pixels tall at scale 1, all joints sure."""
    places = {
        "head top": (0, -90), "nose": (0, -75), "eye": (5, -80), "ear": (9, -77), "neck": (0, -60), "thorax": (0, -55),
        "shoulder": (20, -55), "elbow": (30, -25), "wrist": (35, 5), "pelvis": (0, 5), "hip": (12, 5),
        "knee": (14, 50), "ankle": (15, 100),
    }  # fmt: skip
    points = []
    for joint in skeleton.joints:
        x, y = places[joint.removeprefix("left ").removeprefix("right ")]
        points.append((200 + scale * x * (1 if joint.startswith("left") else -1), 200 + scale * y, 2.0))
    return np.array([points])


GREY = np.full((400, 400, 3), 128, np.uint8)


def colour_at(image, x, y):
    return "#{:02X}{:02X}{:02X}".format(*image.getpixel((round(x), round(y))))


@pytest.mark.parametrize("skeleton", [COCO, LSP, MPII])
def test_joints_and_limbs_have_the_colour_of_their_side(skeleton):
    image, person = draw(GREY, upright(skeleton), skeleton), upright(skeleton)[0]
    for joint in ("left wrist", "right wrist", "left ankle", "right ankle", "left knee"):
        k = skeleton.joints.index(joint)
        assert colour_at(image, *person[k, :2]) == joint_colours(skeleton)[k]
    for limb, (a, b) in enumerate(skeleton.limb_indices):
        if {"elbow", "knee"} & {word for k in (a, b) for word in skeleton.joints[k].split()}:
            assert colour_at(image, *(person[a, :2] + person[b, :2]) / 2) == limb_colours(skeleton)[limb]
    sides = {joint.split()[0]: colour for joint, colour in zip(skeleton.joints, joint_colours(skeleton), strict=True)}
    assert sides["left"] != sides["right"]


def test_left_is_warm_and_right_is_cool():
    for skeleton in (COCO, LSP, MPII):
        for joint, colour in zip(skeleton.joints, joint_colours(skeleton), strict=True):
            red, blue = int(colour[1:3], 16), int(colour[5:], 16)
            assert np.sign(red - blue) == {"left": 1, "right": -1}.get(joint.split()[0], 0)


def test_lines_are_as_wide_as_suits_the_person():
    def painted(scale):
        row = np.asarray(draw(GREY, upright(LSP, scale), LSP))[round(200 + scale * 27)]  # through both thighs
        return (row != 128).any(-1).sum()

    assert painted(0.4) < painted(1.0) < painted(1.9)


def test_hidden_and_doubtful_joints_are_faint():
    person = upright(LSP)
    sure = np.asarray(draw(GREY, person, LSP), int)
    hidden, doubtful = person.copy(), person.copy()
    hidden[..., 2], doubtful[..., 2] = 1, 0.0
    for faint in (draw(GREY, hidden, LSP, annotated=True), draw(GREY, doubtful, LSP)):
        change = np.abs(np.asarray(faint, int) - 128).sum() / np.abs(sure - 128).sum()
        assert change == pytest.approx(FAINT, abs=0.05)
    np.testing.assert_array_equal(opacity(np.array([[1.0, 1, SURE], [1, 1, 5], [np.nan, 1, 5]])), [1, 1, 0])
    flags = np.array([[1.0, 1, 2], [1, 1, 1], [np.nan, np.nan, 0]])
    np.testing.assert_array_equal(opacity(flags, annotated=True), [1, FAINT, 0])


def test_the_picture_stays_where_nobody_is():
    person = upright(LSP)
    image = np.asarray(draw(GREY, person, LSP))
    assert image.shape == GREY.shape and (image[:, :100] == 128).all() and (image[:50] == 128).all()
    nobody = np.full((1, 14, 3), np.nan)
    for keypoints in (nobody, np.zeros((0, 14, 3)), person + np.array([1e4, 0, 0])):
        np.testing.assert_array_equal(np.asarray(draw(GREY, keypoints, LSP)), GREY)


def test_people_partly_outside_are_cut_off():
    image = draw(GREY, upright(LSP) - [200, 0, 0], LSP)
    assert (np.asarray(image)[:, 0] != 128).any()
    draw(GREY, upright(LSP) * [1e5, 1e5, 1], LSP)  # far beyond: nothing huge is allocated


def test_small_pictures_are_enlarged_and_joints_with_them():
    small = np.full((40, 40, 3), 128, np.uint8)
    person = upright(LSP) * [0.1, 0.1, 1]
    assert enlargement(small) == 9 and enlargement(GREY) == 1
    image = draw(small, person, LSP)
    assert image.size == (360, 360)
    k = LSP.joints.index("left ankle")
    assert colour_at(image, *((person[0, k, :2] + 0.5) * 9 - 0.5)) == joint_colours(LSP)[k]
    assert draw(small, person, LSP, enlarge=1).size == (40, 40)
