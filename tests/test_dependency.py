"""The joint-dependency matrix of a network in which one joint is found by another, and matrices that do and do not agree."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import Memory
from tiny_networks import CARD, Painted

from posekit import Backend, Card, PosekitError, crops, metrics
from posekit.coordinates import transform_keypoints, view
from posekit.data.people import People, joints_box
from posekit.interpret.attribution import dependency as dp
from posekit.interpret.attribution.attention import attended_joints, nearest_cells
from posekit.interpret.attribution.explain import blurred
from posekit.models.transpose import TransPose, TransPoseConfig
from posekit.skeleton import COCO, LSP


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """People whose first joint is a red cell and whose last is a blue one; a weaker cell of both colours lies elsewhere.

    The network's view is the pictures' middle, pixel by pixel, so that colours fill whole cells.
    """
    keypoints = np.full((12, 14, 3), 2.0)
    keypoints[..., 0], keypoints[..., 1] = np.tile([5.5, 25.5], 7), np.repeat(np.linspace(2.7, 28.3, 7), 2)
    keypoints[:, 0, 1], keypoints[:, 13, 1] = 5.5, 25.5
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[20:24, 20:24, 0] = picture[40:44, 40:44, 2] = 255
    picture[28:32, 32:36] = (128, 0, 128)
    keypoints[..., :2] += 16
    names = np.array([f"{i:02}" for i in range(12)])
    known = People(
        LSP, names, joints_box(keypoints), keypoints, np.arange(12), np.full(12, "test"), Memory(dict.fromkeys(names, picture)), "memory"
    )
    return crops(known, 40, tmp_path_factory.mktemp("dependency"))


def test_hiding_the_joint_that_the_other_is_found_by_moves_it(stored):
    found = dp.dependency(Painted(), CARD, stored, backend=Backend.plain())
    assert found.moved.shape == (12, 14, 14)
    table = dp.matrix_interval(found.moved)["mean"]
    assert table[0, 1] > 0.3 and table[0, 0] > 0.3  # the second joint is read off the first one's dot
    assert table[1, 0] < 0.05  # and not the other way round
    assert table[13, 5] > 0.3 and table[5, 13] < 0.05
    effect = dp.matrix_interval(found.effect)
    assert effect["low"][0, 1] > 0 and effect["people"][0, 1] > 6


def test_a_pair_whose_other_joint_is_covered_too_is_not_counted():
    points = np.array([[10.0, 10.0], [11.0, 10.0], [30.0, 10.0], [np.nan, np.nan]])
    squares = np.concatenate([np.nan_to_num(points), [[10.0, 30.0], [30.0, 11.0], [10.0, 90.0]]])
    far = np.arange(28.0).reshape(7, 4)
    moved, control = dp.moved_and_control(far, points, squares, 8.0)
    assert np.isnan(moved[0, 1]) and np.isnan(moved[1, 0]) and np.isnan(moved[3]).all() and np.isnan(moved[:, 3]).all()
    assert moved[0, 0] == far[0, 0] and moved[0, 2] == far[0, 2]
    assert control[0, 0] == (far[4, 0] + far[5, 0] + far[6, 0]) / 3  # all three leave the first joint in sight
    assert control[0, 2] == far[4, 2] and control[2, 0] == far[4, 0]  # the second covers the third joint, the last is too far away


def test_only_the_square_is_hidden_behind_the_same_picture_blurred():
    for picture in torch.rand(2, 3, 20, 20):
        hidden = dp.hide(picture, np.array([[5.0, 6.0], [12.0, 3.0]]), 4.0)
        changed = (hidden != picture).any(1)
        assert changed[0, 4:9, 3:8].all() and changed[0].sum() == 25
        assert changed[1, 1:6, 10:15].all() and changed[1].sum() == 25
        soft = blurred(picture[None])[0]
        assert torch.equal(hidden[0, :, 4:9, 3:8], soft[:, 4:9, 3:8]) and torch.equal(hidden[1, :, 1:6, 10:15], soft[:, 1:6, 10:15])


def test_a_network_that_any_square_disturbs_alike_leans_on_no_joint():
    """How far a joint moves hangs on how far away the square is, not on what it hides; only a square on the joint itself does more."""
    random, side = np.random.default_rng(0), 6.0
    effects = []
    for _ in range(400):
        points = random.uniform(0, 60, (5, 2))
        squares = np.concatenate([points, random.uniform(0, 60, (40, 2))])
        away = np.linalg.norm(squares[:, None] - points, axis=-1)
        covered = np.abs(squares[:, None] - points).max(-1) <= side / 2
        moved, control = dp.moved_and_control(np.where(covered, 10.0, 1 / (10 + away)), points, squares, side)
        effects.append(dp.Dependency(moved, control, LSP).effect)
    own = np.eye(5, dtype=bool)
    effect, moved = np.nanmean(effects, 0), 1 / 40
    assert (effect[own] > 9).all()  # no control covers the joint
    assert np.abs(effect[~own]).max() < 0.2 * moved


def test_summary_knows_the_mean_and_who_counts():
    values = np.zeros((40, 2, 2))
    values[:, 0, 1] = np.arange(40) % 2
    values[:35, 1, 0] = np.nan
    table = dp.matrix_interval(values)
    assert table["mean"][0, 1] == 0.5 and table["low"][0, 1] < 0.5 < table["high"][0, 1]
    assert np.isnan(table["mean"][1, 0]) and table["people"][1, 0] == 5
    assert table["low"][0, 0] == table["high"][0, 0] == 0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_a_matrix_agrees_with_itself_and_not_with_chance(seed):
    random = np.random.default_rng(seed)
    values = random.random((8, 8)) + 0.01 * random.random((30, 8, 8))
    same = dp.agreement(values, 3 * values.mean(0) + 1, resamples=100)
    assert same["mean"] == pytest.approx(1) and same["low"] > 0.9 and same["p"] < 0.05 and same["pairs"] == 56
    assert dp.agreement(values, -values, resamples=100)["mean"] == pytest.approx(-1)


def test_agreement_of_one_person_has_no_interval():
    values = np.random.default_rng(0).random((1, 8, 8))
    found = dp.agreement(values, values[0], resamples=20)
    assert found["mean"] == pytest.approx(1) and np.isnan([found["low"], found["high"]]).all() and np.isfinite(found["p"])


def test_agreement_of_two_matrices_of_the_same_people_counts_the_chance_of_both():
    """The interval is as wide as the agreement is spread over samples of people, and holds what such samples give on average."""
    random = np.random.default_rng(0)
    common = random.exponential(size=(10, 10))
    truth = [0.6 * common + 0.4 * random.exponential(size=(10, 10)) for _ in range(2)]
    blocks = []
    for _ in range(40):
        one, other = (matrix + 4 * random.normal(size=(80, 10, 10)) for matrix in truth)
        blocks.append(dp.agreement(one, other, resamples=60))
    found = np.array([block["mean"] for block in blocks])
    widths = np.array([block["high"] - block["low"] for block in blocks])
    holds = np.mean([block["low"] <= found.mean() <= block["high"] for block in blocks])
    assert widths.mean() == pytest.approx(2 * 1.96 * found.std(), rel=0.3)
    assert holds > 0.85 and all(block["low"] < block["mean"] < block["high"] for block in blocks)


def test_matrices_of_other_people_cannot_be_compared_person_by_person():
    with pytest.raises(PosekitError, match=r"^matrices of 5 and of 4 people: agreement is measured on the same people$"):
        dp.agreement(np.ones((5, 3, 3)), np.ones((4, 3, 3)))


def test_two_pairs_are_too_few():
    values = np.full((5, 3, 3), np.nan)
    values[:, 0, 1] = values[:, 1, 0] = 1.0
    assert dp.agreement(values, np.ones((3, 3)))["mean"] is None


def test_what_maps_hold_of_joints():
    maps = np.zeros((3, 20, 20))
    maps[0, 5, 5], maps[0, 15, 5] = 3.0, 1.0
    maps[2, 5, 5] = -1.0
    points = np.array([[5.0, 5.0], [5.0, 15.0], [np.nan, np.nan]])
    held = dp.attended(maps, points, 4.0)
    assert held[0, 0] == 0.75 and held[1, 0] == 0.25 and held[0, 1] == 0
    assert np.isnan(held[2]).all() and np.isnan(held[:, 2]).all()
    assert np.isnan(dp.attended(maps, points[[0, 0, 2]], 4.0)[0, 1])  # at the same place


def test_hops_along_limbs():
    steps = dp.hops(COCO)
    wrist, elbow, hip, nose = COCO.index("left wrist", "left elbow", "left hip", "nose")
    assert steps[wrist, elbow] == 1 and steps[wrist, hip] == 3 and np.isinf(steps[wrist, nose])


def test_people_with_other_joints_are_refused(stored):
    with pytest.raises(PosekitError, match="other knows the joints of coco, these people have those of lsp"):
        dp.dependency(Painted(), Card("other", {"joints": 17}, "coco", 32, "mse"), stored)


def test_influence_leaves_a_joints_effect_on_itself_out():
    effect = np.zeros((20, 14, 14))
    effect[:, 3] = 0.2
    effect[:, 3, 3] = 5.0
    effect[:, 4] = np.nan
    found = dp.influence(effect, LSP)
    assert found[LSP.joints[3]]["mean"] == pytest.approx(0.2) and found[LSP.joints[0]]["mean"] == 0
    assert LSP.joints[4] not in found, "nothing is known of it"


def test_the_effect_on_the_other_side():
    effect = np.zeros((20, 14, 14))
    for k, other in enumerate(LSP.mirrored):
        effect[:, k, other] = 9.0 if k == other else 0.1
    assert dp.on_counterparts(effect, LSP)["mean"] == pytest.approx(0.1)


def test_attention_that_is_even_holds_of_a_square_what_it_covers(stored):
    """Without queries every cell attends to all alike: a square's share is its cells, of 8 x 8."""
    config = TransPoseConfig(joints=14, features=16, layers=1, heads=2, hidden=16)
    model, card = TransPose(config).eval(), Card("even", config.to_dict(), "lsp", 32, "mse", architecture="transpose")
    with torch.no_grad():
        for parameter in model.layers[-1].queries.parameters():
            parameter.zero_()
    held = attended_joints(model, card, stored, backend=Backend.plain())
    assert held.shape == (12, 14, 14)
    seen = transform_keypoints(view(stored.size, 32), stored.keypoints[0])
    points = (seen[:, :2] + 0.5) / 4 - 0.5  # in cells
    side = dp.SIDE * metrics.torso(seen[None], LSP)[0] / 4
    y, x = np.mgrid[:8, :8]
    cells = np.maximum(np.abs(x - points[:, 0, None, None]), np.abs(y - points[:, 1, None, None])) <= side / 2
    apart = np.isfinite(held[0])
    assert apart.any() and np.allclose(held[0][apart], np.broadcast_to(cells.mean((1, 2))[:, None], (14, 14))[apart], atol=1e-6)


def test_the_cell_nearest_to_a_point():
    points = np.array([[1.5, 1.5], [3.4, 3.6], [-9.0, 99.0]])
    assert nearest_cells(points, 32).tolist() == [[0, 0], [0, 1], [0, 7]]


def test_people_with_a_torso_have_the_numbers_of_their_pictures(stored):
    keypoints = stored.keypoints.copy()
    keypoints[2, LSP.index("left hip", "right hip"), 2] = 0
    asked = dataclasses.replace(stored, keypoints=keypoints, people=dataclasses.replace(stored.people, image_ids=np.arange(12) // 2))
    few = asked.select(np.arange(4))
    assert dp.dependency(Painted(), CARD, few, backend=Backend.plain()).pictures.tolist() == [0, 0, 1]
    by_name = stored.select(np.arange(1))  # where pictures have no numbers their names tell them apart
    assert dp.dependency(Painted(), CARD, by_name, backend=Backend.plain()).pictures.tolist() == [0]
