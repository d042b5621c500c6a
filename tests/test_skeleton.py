"""Skeletons: names, mirror images and sigmas hold together."""

import numpy as np
import pytest
from pycocotools.cocoeval import Params

from posekit.skeleton import COCO, LSP, MPII, SKELETONS, Skeleton

each = pytest.mark.parametrize("skeleton", [COCO, LSP, MPII], ids=lambda s: s.name)


def test_sizes_and_names():
    assert [(name, len(skeleton)) for name, skeleton in SKELETONS.items()] == [
        ("coco", 17),
        ("lsp", 14),
        ("mpii", 16),
    ]


@each
def test_mirroring_exchanges_left_and_right_and_nothing_else(skeleton):
    mirrored = list(skeleton.mirrored)
    assert [mirrored[i] for i in mirrored] == list(range(len(skeleton)))
    for i, j in enumerate(mirrored):
        a, b = skeleton.joints[i], skeleton.joints[j]
        if a.startswith("left "):
            assert b == a.replace("left ", "right ")
        elif not a.startswith("right "):
            assert a == b


@each
def test_limbs_join_known_joints_and_mirror_to_limbs(skeleton):
    limbs = {frozenset(limb) for limb in skeleton.limb_indices}
    assert len(limbs) == len(skeleton.limbs)
    assert {frozenset(skeleton.mirrored[i] for i in limb) for limb in limbs} == limbs


@each
def test_sigmas_are_one_a_joint_and_alike_left_and_right(skeleton):
    sigmas = np.array(skeleton.sigmas)
    assert sigmas.shape == (len(skeleton),) and (sigmas > 0).all()
    assert np.array_equal(sigmas[list(skeleton.mirrored)], sigmas)


@pytest.mark.parametrize(
    ("name", "borrowed"), [("coco", ()), ("lsp", ("neck", "head top")), ("mpii", ("pelvis", "thorax", "neck", "head top"))]
)
def test_a_skeleton_says_which_sigmas_are_borrowed(name, borrowed):
    skeleton = SKELETONS[name]
    assert skeleton.borrowed == borrowed
    own = {joint: sigma for joint, sigma in zip(skeleton.joints, skeleton.sigmas, strict=True) if joint not in borrowed}
    theirs = dict(zip(COCO.joints, Params("keypoints").kpt_oks_sigmas, strict=True))
    assert own == pytest.approx({joint: theirs[joint] for joint in own})


def test_coco_sigmas_are_cocos():
    assert np.allclose(COCO.sigmas, Params("keypoints").kpt_oks_sigmas)


def test_lists_do_as_well_as_tuples():
    given = Skeleton("mine", ["nose", "left eye", "right eye"], [["nose", "left eye"]], [0.1, 0.2, 0.2])
    assert given == Skeleton("mine", ("nose", "left eye", "right eye"), (("nose", "left eye"),), (0.1, 0.2, 0.2))
    assert hash(given) is not None and given.mirrored == (0, 2, 1) and given.limb_indices == ((0, 1),)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"joints": ("nose", "neck", "nose")}, "the mine skeleton has two joints called 'nose'"),
        ({"joints": "nose"}, "the mine skeleton: joints are 'nose'; give their names"),
        ({"joints": (0, 1)}, r"the mine skeleton: joints are \(0, 1\); give their names"),
        ({"joints": ("nose", "neck"), "sigmas": (0.1,)}, "the mine skeleton has 1 sigmas for 2 joints"),
    ],
)
def test_joints_that_cannot_be_told_apart_are_refused(fields, said):
    """Of two joints of one name the first was meant by both, in silence; too few sigmas were none."""
    with pytest.raises(ValueError, match=said):
        Skeleton("mine", **fields)


def test_index_lists_the_joints_when_a_name_is_unknown():
    assert LSP.index("left wrist", "head top") == [11, 13]
    with pytest.raises(ValueError, match="lsp skeleton has no joint 'nose'; it has right ankle, right knee"):
        LSP.index("nose")


def test_pairs_and_limbs_go_by_names_as_any_joint_does():
    """A pair of which nobody is there would leave left and right as they are, in every flip."""
    hips = ("hip 1", "hip 2", "spine")
    assert Skeleton("mine", hips, (("hip_1", "spine"),), pairs=(("hip_1", "hip-2"),)).mirrored == (1, 0, 2)
    assert Skeleton("mine", hips, (("hip_1", "spine"),)).limb_indices == ((0, 2),)
    assert Skeleton("mine", hips, pairs=(("hip 1", "hip 2"), ("hip 2", "hip 1"), ("spine", "spine"))).mirrored == (1, 0, 2)
    for pairs in ((("hip 1", "hip 3"),), (("left hip", "right hip"),)):
        with pytest.raises(ValueError, match=r"the mine skeleton has no joint '(hip 3|left hip)'; it has hip 1, hip 2, spine"):
            Skeleton("mine", hips, pairs=pairs).mirrored  # noqa: B018
    for pairs in ((("hip 1", "hip 2"), ("hip 1", "spine")), (("hip 1", "hip 2"), ("hip 2", "spine"))):
        with pytest.raises(ValueError, match="has a joint in two of its pairs"):
            Skeleton("mine", hips, pairs=pairs).mirrored  # noqa: B018
    with pytest.raises(ValueError, match="the mine skeleton has no joint 'head'"):
        Skeleton("mine", hips, (("spine", "head"),)).limb_indices  # noqa: B018
    with pytest.raises(ValueError, match="the mine skeleton has 'left hip': a left joint has no right one"):
        Skeleton("mine", ("left hip", "spine")).mirrored  # noqa: B018
