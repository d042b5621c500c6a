import pytest
from hypothesis import given
from hypothesis import strategies as st

from posekit.data.readers.joint_names import order, spelled
from posekit.skeleton import COCO

SPELLINGS = [
    "{side} {part}", "{side}_{part}", "{side}-{part}", "{side}.{part}", "{side}{Part}", "{Side}{Part}", "{SIDE}_{PART}", "{side}{part}",
    "{part}_{side}", "{part} ({side})", "{part}{Side}", "{l} {part}", "{l}_{part}", "{L}{Part}", "{L}_{PART}", "{l}{part}", "{part}_{l}",
    "{Part}_{L}", "{L}. {part}", " {side} {part} ",
]  # fmt: skip


def write(spelling, joint):
    if " " not in joint:
        return {"{SIDE}_{PART}": joint.upper(), "{Side}{Part}": joint.title()}.get(spelling, joint)
    side, part = joint.split()
    words = {"side": side, "Side": side.title(), "SIDE": side.upper(), "part": part, "Part": part.title(), "PART": part.upper()}
    return spelling.format(**words, l=side[0], L=side[0].upper())


@given(order_=st.permutations(range(17)), spelling=st.sampled_from(SPELLINGS))
def test_joints_go_by_their_names_in_any_order_and_spelling(order_, spelling):
    names = [write(spelling, COCO.joints[i]) for i in order_]
    places = order(names)
    assert not isinstance(places, str) and [order_[place] for place in places] == list(range(17))


@pytest.mark.parametrize(
    "name", ["head", "left", "l", "", "left foot", "left_front_paw", "left right eye", "l r eye", "left_wrist_2", "hand", "7"]
)
def test_what_is_no_joint_of_coco_has_no_name(name):
    assert spelled(name) is None


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["root", "right hip", "right knee", "right foot"], "has not: root, right foot"),
        ([str(i + 1) for i in range(17)], r"has not: 1, 2, 3, 4, \.\.\."),
        ([joint for joint in COCO.joints if "eye" not in joint] + ["neck", "head"], "has not: neck, head"),
        ([*COCO.joints, "l_wrist"], "names left wrist twice: 'left wrist' and 'l_wrist'"),
    ],
)
def test_another_skeleton_is_named(names, says):
    import re

    found = order(names)
    assert isinstance(found, str) and re.search(says, found)


def test_some_of_cocos_joints_and_others_beside_all_of_them_are_read():
    assert order(["neck", *COCO.joints, "pelvis"]) == list(range(1, 18))
    few = order(["right_ankle", "left_ankle"])
    assert few[15:] == [1, 0] and few[:15] == [None] * 15
