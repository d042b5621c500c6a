"""Skeletons: names, mirror images and sigmas hold together."""

import numpy as np
import pytest
from pycocotools.cocoeval import Params

from posekit.skeleton import COCO, LSP, MPII, SKELETONS

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


def test_index_lists_the_joints_when_a_name_is_unknown():
    assert LSP.index("left wrist", "head top") == [11, 13]
    with pytest.raises(ValueError, match="lsp skeleton has no joint 'nose'; it has right ankle, right knee"):
        LSP.index("nose")
