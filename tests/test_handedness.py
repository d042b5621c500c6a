"""What labels alone say about left and right: symmetries for any pose, and who is recognised where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import posekit
from posekit.auditing import handedness
from posekit.auditing.quality import baselines, measure, planted
from posekit.data.people import People
from posekit.skeleton import COCO, LSP, MPII, Skeleton

SKELETONS = [COCO, LSP, MPII, Skeleton("paws", ("head", "left paw", "right paw", "left tail", "right tail"))]


def someone(skeleton: Skeleton, seed: int, count: int = 6) -> People:
    """People of any pose, with some joints hidden and some not labelled."""
    rng = np.random.default_rng(seed)
    flags = rng.choice([0, 1, 2], (count, len(skeleton)), p=[0.2, 0.2, 0.6])
    xy = np.where(flags[..., None] > 0, rng.uniform(0, 100, (count, len(skeleton), 2)), np.nan)
    return People(
        skeleton, np.array([f"{i}.png" for i in range(count)]), np.tile([0.0, 0, 100, 100], (count, 1)),
        np.concatenate([xy, flags[..., None]], -1), np.arange(count), np.full(count, "test"), read=str, source="drawn",
    )  # fmt: skip


@given(st.sampled_from(SKELETONS), st.integers(0, 2**32 - 1), st.data())
def test_an_exchanged_pair_changes_the_sign_of_its_cues_alone(skeleton, seed, data):
    people = someone(skeleton, seed)
    every = planted.pairs(skeleton)
    number = data.draw(st.integers(0, len(every) - 1))
    before = handedness.cues(people.keypoints, people)
    after = handedness.cues(planted.exchanged(people.keypoints, skeleton, list(every[number])), people)
    signs = np.where(np.arange(len(every)) == number, -1, 1)[:, None]
    legs = any(word in skeleton.joints[every[number][0]] for word in ("hip", "knee", "ankle"))
    cues = slice(4) if legs else slice(None)  # of a leg with another leg's knee, how it is bent is another matter
    assert np.allclose(after[..., cues], (before * signs)[..., cues])


@given(st.sampled_from(SKELETONS), st.integers(0, 2**32 - 1))
def test_exchanged_labels_have_the_opposite_cues_and_mirror_images_the_same(skeleton, seed):
    people = someone(skeleton, seed)
    before = handedness.cues(people.keypoints, people)
    whole = planted.groups(skeleton)["whole"]
    assert np.allclose(handedness.cues(planted.exchanged(people.keypoints, skeleton, whole), people), -before)
    mirrored = people.keypoints[:, list(skeleton.mirrored)] * (-1, 1, 1)
    assert np.allclose(handedness.cues(mirrored, people), before)


@given(st.integers(0, 2**32 - 1), st.floats(0, 2 * np.pi), st.floats(0.1, 10))
def test_cues_are_the_same_lying_moved_and_far_away(seed, angle, scale):
    people = someone(COCO, seed)
    people.keypoints[:, COCO.index("left hip", "right hip", "left shoulder", "right shoulder"), 2] = 2
    people.keypoints[:, COCO.index("left hip", "right hip"), :2] = [(40, 80), (60, 81)]
    people.keypoints[:, COCO.index("left shoulder", "right shoulder"), :2] = [(45, 20), (62, 25)]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = people.keypoints.copy()
    moved[..., :2] = scale * moved[..., :2] @ turn + 7
    larger = replace(people, boxes=people.boxes * scale)
    assert np.allclose(handedness.cues(moved, larger), handedness.cues(people.keypoints, people))


def test_who_faces_us_has_their_left_on_the_right_of_the_picture():
    """A person who shows the face, and one seen from behind: the weights of many such tell exchanged labels."""
    rng = np.random.default_rng(0)
    people = someone(COCO, 0, 80)
    behind = np.arange(80) % 2 == 1
    heights = {"eye": 10, "ear": 11, "shoulder": 25, "elbow": 40, "wrist": 50, "hip": 55, "knee": 75, "ankle": 95}
    for part, height in heights.items():
        for side, sign in (("left", 1), ("right", -1)):
            across = np.where(behind, -1, 1) * sign * 10 + rng.normal(0, 2, 80)
            people.keypoints[:, COCO.joints.index(f"{side} {part}")] = np.stack([50 + across, np.full(80, height), np.full(80, 2)], 1)
    people.keypoints[:, COCO.joints.index("nose")] = np.where(behind[:, None], (np.nan, np.nan, 0), (50, 10, 2))
    assert (baselines.labels_alone(people) < -2).all()
    people.keypoints[7] = planted.exchanged(people.keypoints[7], COCO, planted.groups(COCO)["whole"])
    doubts = baselines.labels_alone(people)
    assert doubts.argmax() == 7 and doubts[7] > 2 and (np.delete(doubts, 7) < 0).all()


def test_nobody_is_judged_by_their_own_labels():
    """An exchange of one picture's people changes no other weight than the others'."""
    people = posekit.load_people("mannequins:40,size=32")
    before = handedness.weights(people)
    people.keypoints[3] = planted.exchanged(people.keypoints[3], people.skeleton, planted.groups(people.skeleton)["whole"])
    after = handedness.weights(people)
    assert np.allclose(after[3], before[3]) and not np.allclose(after, before)


def test_too_few_pictures_say_nothing():
    assert not handedness.weights(someone(COCO, 0, 4)).any()


@pytest.mark.parametrize("kind", ["whole", "arms", "legs"])
def test_exchanges_of_mannequins_are_found_without_a_network(kind):
    people = posekit.load_people("mannequins:400,size=32")
    changed, wrong = planted.plant(people, kind, 0.05)
    found = measure.scored(wrong.any(1), baselines.labels_alone(changed), np.arange(len(people)), resamples=10)
    assert found["auc"] > (0.95 if kind == "whole" else 0.8)
