"""Attributes of constructed skeletons, what they do not depend on, and the mirror image."""

import numpy as np
import pytest
import tiny_data
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit import PosekitError, load_people
from posekit.interpret.analysis import attributes as at
from posekit.skeleton import COCO, LSP, MPII, SKELETONS

# An upright person seen from the front: x across, y down, trunk 50 long. Their left is on the picture's right.
STANDING = {
    "shoulder": (10, -50), "elbow": (12, -25), "wrist": (12, 0), "hip": (8, 0), "knee": (8, 40), "ankle": (8, 80),
    "nose": (0, -70), "eye": (3, -73), "ear": (6, -72), "neck": (0, -52), "head top": (0, -85), "pelvis": (0, 0), "thorax": (0, -50),
}  # fmt: skip


def person(skeleton=COCO, **changes):
    """Keypoints (K, 3). A change is for both sides (the right one's x has the other sign), `left_knee=(x, y)` for one alone."""
    points = []
    for joint in skeleton.joints:
        side, _, kind = joint.rpartition(" ") if joint.startswith(("left", "right")) else ("", "", joint)
        x, y = changes.get(kind.replace(" ", "_"), STANDING[kind])
        x, y = changes.get(joint.replace(" ", "_"), (-x if side == "right" else x, y))
        points.append((x, y, 2.0))
    return np.array(points, float)


def measured(*people, skeleton=COCO, boxes=None):
    return at.attributes(np.stack(people), skeleton, boxes)


def turned(keypoints, degrees):
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.concatenate([keypoints[..., :2] @ matrix.T, keypoints[..., 2:]], -1)


def mirrored(keypoints, skeleton):
    flipped = keypoints * (-1, 1, 1)
    return flipped[..., list(skeleton.mirrored), :]


SITTING = {"knee": (48, 0), "ankle": (48, 40)}  # both thighs to the picture's right, as far as a picture in profile shows
CASES = {
    "standing": (person(), {"sitting": 0, "hip flexion": 0, "knee flexion": 0, "tilt": 0, "upside down": 0, "from behind": 0}),
    "sitting": (
        person(left_knee=(48, 0), right_knee=(32, 0), left_ankle=(48, 40), right_ankle=(32, 40)),
        {"sitting": 1, "hip flexion": 90, "knee flexion": 90, "upright": 1},
    ),
    "knees at the chest": (person(knee=(8, -40), ankle=(8, 0)), {"sitting": 2, "hip flexion": 180, "knee flexion": 180}),
    "upside down": (
        turned(person(), 180),
        {"sitting": 0, "upright": -1, "lean": 0, "tilt": 180, "upside down": 1, "arm elevation": np.degrees(np.arctan(2 / 25))},
    ),
    "lying": (turned(person(), 90), {"lean": 1, "upright": 0, "tilt": 90, "sitting": 0}),
    "leaning left": (turned(person(), -30), {"lean": -0.5, "tilt": 30}),
    "arms up": (person(elbow=(10, -75), wrist=(10, -100)), {"arm elevation": 180}),
    "arms out": (person(elbow=(35, -50), wrist=(60, -50)), {"arm elevation": 90}),
    "legs crossed": (person(ankle=(-8, 80)), {"legs crossed": 16 / (40 + np.hypot(16, 40)), "facing": 18 / np.hypot(18, 50)}),
    "arms crossed": (person(wrist=(-9, -20)), {"arms crossed": 18 / (np.hypot(2, 25) + np.hypot(21, 5))}),
    "looking right": (person(nose=(10, -70)), {"turn": 10 / np.hypot(50, np.hypot(10, 20))}),
}


@pytest.mark.parametrize("case", CASES)
def test_constructed_people(case):
    keypoints, expected = CASES[case]
    found = measured(keypoints)
    for name, value in expected.items():
        assert found[name][0] == pytest.approx(value, abs=1e-9), name


def test_seen_from_behind_left_and_right_change_places_in_the_picture():
    back = person()[list(COCO.mirrored)]  # the labels exchanged, nothing moved
    front, behind = (measured(p) for p in (person(), back))
    assert behind["facing"][0] == pytest.approx(-front["facing"][0]) and front["facing"][0] > 0.3
    assert (front["from behind"][0], behind["from behind"][0]) == (0, 1)
    assert behind["left on the right"][0] == -front["left on the right"][0] == pytest.approx(-front["facing"][0])
    handstand = measured(turned(back, 180))  # seen from behind and upside down, left is on the right again
    assert handstand["left on the right"][0] == pytest.approx(front["facing"][0]) and handstand["from behind"][0] == 1
    assert behind["legs crossed"][0] == pytest.approx(front["legs crossed"][0])  # not crossed, from either side
    profile = measured(person(shoulder=(1, -50), hip=(1, 0)))
    assert np.isnan([profile[name][0] for name in ("from behind", "legs crossed", "arms crossed")]).all()


SIDED = ("lean", "turn")


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_the_mirror_image_changes_the_sign_of_what_has_a_side_and_nothing_else(skeleton):
    poses = turned(np.stack([person(skeleton, **changes) for changes in (SITTING, {"nose": (9, -70)}, {"ankle": (-8, 70)})]), 20)
    plain, mirror = (at.attributes(p, skeleton) for p in (poses, mirrored(poses, skeleton)))
    for name in plain:
        assert mirror[name] == pytest.approx(-plain[name] if name in SIDED else plain[name], abs=1e-9), name
    angles = at.trunk_angle(poses, skeleton), at.trunk_angle(mirrored(poses, skeleton), skeleton)
    assert angles[0] == pytest.approx(20) and angles[1] == pytest.approx(-20)


poses = st.integers(0, 10**6).map(lambda seed: np.random.default_rng(seed).uniform(-50, 50, (4, 17, 2)))
TURNING = ("lean", "upright", "tilt", "upside down", "left on the right")


@settings(max_examples=40, deadline=None)
@given(poses, st.floats(0.1, 20), st.floats(-200, 200), st.floats(-200, 200), st.floats(-180, 180))
def test_neither_place_nor_size_nor_turn_matter(xy, scale, dx, dy, angle):
    keypoints = np.concatenate([xy, np.full((4, 17, 1), 2.0)], -1)
    plain = at.attributes(keypoints, COCO)
    moved = at.attributes(keypoints * (scale, scale, 1) + (dx, dy, 0), COCO)
    for name, value in plain.items():
        assert moved[name] == pytest.approx(value, abs=1e-6, rel=1e-6, nan_ok=True), name
    whirled = at.attributes(turned(keypoints, angle), COCO)
    for name in set(plain) - set(TURNING):
        # Profile is a matter of a threshold, which rounding may cross.
        same = np.isclose(whirled[name], plain[name], rtol=1e-6, atol=1e-6, equal_nan=True)
        assert (same | (np.abs(np.abs(plain["facing"]) - at.PROFILE) < 1e-6)).all(), name


def test_missing_joints_leave_undefined_what_needs_them_and_no_more():
    keypoints = np.stack([person(), person(), person(), person()])
    missing = {1: ("left knee", "right knee"), 2: ("left wrist",), 3: COCO.joints}
    for i, joints in missing.items():
        keypoints[i, COCO.index(*joints)] = (np.nan, np.nan, 0)
    found = at.attributes(keypoints, COCO, np.tile([0.0, 0, 30, 60], (4, 1)))
    undefined = {i: {name for name, value in found.items() if np.isnan(value[i])} for i in range(4)}
    assert undefined[0] == set()
    assert undefined[1] == {"sitting", "hip flexion", "knee flexion", "spread", "legs crossed"}
    assert undefined[2] == {"spread", "arms crossed"}
    assert undefined[3] == set(found) - {"labelled joints", "box size"}
    assert found["labelled joints"].tolist() == [17, 15, 16, 0]
    assert found["trunk size"][0] == pytest.approx(50 / 60) and found["box size"][0] == pytest.approx(np.log2(60))


def test_one_side_suffices_for_the_trunk_and_for_a_mean_over_legs():
    keypoints = person(left_knee=(48, 0), left_ankle=(48, 40))
    keypoints[COCO.index("right shoulder", "right hip", "right knee", "right ankle")] = (np.nan, np.nan, 0)
    found = measured(keypoints)
    assert found["hip flexion"][0] == pytest.approx(90, abs=3)


def test_a_person_in_one_point_has_no_attributes_and_no_warning():
    found = measured(np.tile([5.0, 5.0, 2.0], (17, 1)), boxes=np.zeros((1, 4)))
    assert {name for name, value in found.items() if np.isfinite(value[0])} == {"upside down", "labelled joints"}


def test_each_skeleton_has_its_attributes_and_each_attribute_a_definition():
    for skeleton in (COCO, LSP, MPII):
        found = at.attributes(np.stack([person(skeleton)] * 2), skeleton, np.ones((2, 4)))
        assert set(found) == set(at.ATTRIBUTES) - (set() if skeleton is COCO else {"turn"})
        shown = at.table(found)
        assert shown["attribute"].tolist() == list(found) and not shown.isna().any(axis=None)
    assert all(about.definition for about in (at.ATTRIBUTES | at.FACTORS).values())


def test_which_attributes_are_usable():
    column = np.linspace(0, 1, 100)
    rare = np.zeros(100)
    rare[:4] = 1
    kept, refused = at.usable(
        {"good": column, "constant": np.ones(100), "rare": rare, "few": np.where(column < 0.1, column, np.nan), "half": np.round(column)}
    )
    assert set(kept) == {"good", "half"} and at.binary(kept["half"]) and not at.binary(kept["good"])
    assert "constant, 1 for all 100" in refused["constant"]
    assert "only 4 of 100" in refused["rare"]
    assert "defined for 10 people only" in refused["few"]
    with pytest.raises(PosekitError, match="constant: constant"):
        at.defined("constant", np.ones(100))


def test_an_attribute_is_one_number_a_person_whatever_it_comes_as():
    values = np.arange(60) % 2 == 0
    for same in (values, values.tolist(), values.astype(int)):
        assert at.defined("a", same).all() and at.binary(same) and at.usable({"a": same})[0]
        assert at.table({"a": same})["people"].tolist() == [60]
    with pytest.raises(PosekitError, match=r"^a: give one number a person, not an array of 60 x 2$"):
        at.defined("a", np.ones((60, 2)))
    with pytest.raises(PosekitError, match=r"^a: not all values are numbers; give one a person$"):
        at.defined("a", [[1], [1, 2]])


def test_true_factors_of_mannequins_and_none_of_others(tmp_path):
    others = tiny_data.people()
    assert at.factors(others) == at.postures(others) == {}
    people = load_people("mannequins:8,size=64", cache=tmp_path)
    known = at.factors(people)
    assert set(known) == set(at.FACTORS) and all(len(v) == len(people) and np.isfinite(v).all() for v in known.values())
    assert np.allclose(known["true roll sin"] ** 2 + known["true roll cos"] ** 2, 1)
    assert np.allclose(sum(at.postures(people).values()), 1)


def test_an_attribute_in_which_hardly_anybody_differs_is_refused():
    values = np.full(60, 17.0)
    values[:9] = np.arange(9)  # a third of LEAST is 10
    kept, refused = at.usable({"labelled joints": values})
    assert not kept and "only 9 of 60 people differ" in refused["labelled joints"]
    values[9] = 3.0
    assert "labelled joints" in at.usable({"labelled joints": values})[0]


@settings(deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 4))
def test_distinct_attributes_say_different_things(seed, count):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, 300))
    values = {"a": a, "nearly a": -a + 0.1 * b, "b": b, "half known": np.where(np.arange(300) % 2, a, np.nan)}
    assert at.distinct(values, ["a", "nearly a", "half known", "b"], count) == ["a", "b"][:count]
    assert at.distinct(values, ["nearly a", "a"], count) == ["nearly a"]
    assert at.distinct(values, ["a", "nearly a", "b"], count, limit=1.1) == ["a", "nearly a", "b"][:count]
