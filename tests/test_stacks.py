"""Kinds of errors on constructed people, transitions that add up, and hand-overs in closed form."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planted import people

from posekit import Backend, HourglassConfig, PosekitError, crops, edit
from posekit.engine.weights import Card
from posekit.interpret.activations import ablation, stacks
from posekit.interpret.activations.ablation import zero
from posekit.models.hourglass import Hourglass
from posekit.skeleton import LSP
from posekit.studies import redesign

SPREAD = np.stack([np.arange(14) * 100.0, np.zeros(14), np.full(14, 2.0)], -1)[None]  # joints 100 pixels apart
LIMIT = np.array([10.0])


def kind_of(joint, at, keypoints=SPREAD, others=None):
    predicted = keypoints[..., :2].copy()
    k = LSP.joints.index(joint)
    predicted[0, k] = at
    return stacks.KINDS[stacks.error_kinds(predicted, keypoints, LIMIT, LSP, others)[0, k]]


def test_kinds_of_errors():
    x = {name: i * 100.0 for i, name in enumerate(LSP.joints)}
    assert kind_of("left knee", (x["left knee"] + 10, 0)) == "found"
    assert kind_of("left knee", (x["left knee"] + 10.5, 0)) == "jitter"
    assert kind_of("left knee", (x["left knee"] + 20, 0)) == "jitter"
    assert kind_of("left knee", (x["left knee"] + 20.5, 0)) == "miss"
    assert kind_of("left knee", (x["right knee"], 9)) == "left-right exchange"
    assert kind_of("left knee", (x["right hip"], 9)) == "another joint"
    assert kind_of("neck", (x["head top"], 0)) == "another joint"  # the neck has no counterpart
    assert kind_of("left knee", (x["right knee"], 11)) == "miss"
    assert kind_of("left knee", (np.nan, np.nan)) == "miss"
    stranger = [np.array([[50.0, 500.0], [70.0, 500.0]])]
    assert kind_of("left knee", (52, 505), others=stranger) == "another person"
    assert kind_of("left knee", (52, 525), others=stranger) == "miss"
    assert kind_of("left knee", (52, 505), others=[np.zeros((0, 2))]) == "miss"


def test_where_joints_lie_close_the_nearest_decides():
    near = SPREAD.copy()
    left, right = LSP.index("left hip", "right hip")
    near[0, left, :2], near[0, right, :2] = (0, 50), (15, 50)
    assert kind_of("left hip", (8, 50), near) == "found"  # nearer to the right hip, but within the threshold of its own
    assert kind_of("left hip", (12, 50), near) == "left-right exchange"
    assert kind_of("left hip", (-12, 50), near) == "jitter"


def test_joints_that_do_not_count():
    hidden = SPREAD.copy()
    right = LSP.joints.index("right knee")
    hidden[0, right] = (np.nan, np.nan, 0)
    predicted = SPREAD[..., :2]
    kinds = stacks.error_kinds(predicted, hidden, LIMIT, LSP)
    assert kinds[0, right] == -1 and (np.delete(kinds[0], right) == stacks.FOUND).all()
    assert (stacks.error_kinds(predicted, SPREAD, np.array([np.nan]), LSP) == -1).all()
    nobody = np.full_like(SPREAD, np.nan)
    nobody[..., 2] = 0
    assert (stacks.error_kinds(predicted, nobody, LIMIT, LSP) == -1).all()
    assert kind_of("left knee", (SPREAD[0, right, 0], 0), hidden) == "miss"  # the counterpart's place is not known


def test_other_people_are_those_of_the_same_picture():
    everyone = people(range(4))
    everyone = replace(everyone, names=np.array(["a", "b", "a", "a"]))
    everyone.keypoints[2, 0] = (np.nan, np.nan, 0)
    first, second = stacks.others_in_picture(everyone[:2], everyone)
    assert len(first) == 13 + 14 and len(second) == 0
    assert np.isfinite(first).all()


KINDS = st.lists(st.lists(st.integers(-1, len(stacks.KINDS) - 1), min_size=4, max_size=4), min_size=1, max_size=8)


@given(KINDS, st.integers(0, 9))
def test_transitions_add_up(before, seed):
    before = np.array(before)
    after = np.random.default_rng(seed).integers(0, len(stacks.KINDS), before.shape)
    after[before < 0] = -1
    flow = stacks.transitions(before, after)
    assert flow.sum() == (before >= 0).sum()
    np.testing.assert_array_equal(flow.sum(1), [(before == i).sum() for i in range(len(stacks.KINDS))])
    np.testing.assert_array_equal(flow.sum(0), [(after == i).sum() for i in range(len(stacks.KINDS))])
    np.testing.assert_array_equal(stacks.transitions(before, before), np.diag(np.diag(stacks.transitions(before, before))))


def test_what_is_mended_and_broken():
    found, exchange, miss = stacks.FOUND, stacks.EXCHANGE, stacks.MISS
    before = np.array([[found, exchange, exchange, -1], [miss, found, found, found]])
    after = np.array([[found, found, exchange, -1], [miss, miss, found, found]])
    result = stacks.corrected(before, after)
    assert result["corrected"]["mean"] == pytest.approx(1 / 7) and result["introduced"]["mean"] == pytest.approx(1 / 7)
    assert result["net"]["mean"] == 0
    assert result["corrected of left-right exchange"]["mean"] == 0.5 and result["corrected of miss"]["mean"] == 0
    assert "corrected of jitter" not in result and "corrected of found" not in result
    share = stacks.shares(before)
    assert share["left-right exchange"]["mean"] == pytest.approx(2 / 7) and sum(s["mean"] for s in share.values()) == pytest.approx(1)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Hourglass(HourglassConfig.narrow(16, joints=5, depth=2, stacks=3)).eval()


def test_a_stack_that_is_out_hands_on_what_it_got(model):
    places = stacks.hand_overs(model)
    assert list(places)[:3] == ["features of stack 1", "predictions of stack 1", "stack 1 out"] and len(places) == 6
    pictures, seen = torch.rand(2, 3, 32, 32), {}

    def keep(activation, name):
        seen[name] = activation

    with (
        torch.no_grad(),
        edit(model, dict.fromkeys(places["stack 1 out"], zero)),
        edit(model, {"stem": keep, "stack0.merge": keep, "stack0.heatmaps": keep}),
    ):
        heatmaps = model(pictures)
        assert torch.equal(seen["stack0.merge"], seen["stem"])
        assert torch.equal(heatmaps[:, 1], model.stack1(seen["stem"])[1])
        assert torch.equal(heatmaps[:, 0], seen["stack0.heatmaps"])  # its own answer is as before


def test_what_passes_a_stack_by_is_replaced_for_the_next_alone(model):
    pictures, seen = torch.rand(2, 3, 32, 32), {}

    def keep(activation, name):
        seen[name] = activation

    with torch.no_grad():
        plain = model(pictures)
        for stack in (0, 1):
            with edit(model, stacks.past(model, stack, lambda activation, name: activation)):
                assert torch.equal(model(pictures), plain)
        names = ["stack1.merge_features", "stack1.merge_heatmaps", "stack1.merge"]
        with edit(model, stacks.past(model, 1, zero)), edit(model, dict.fromkeys(names, keep)):
            heatmaps = model(pictures)
        assert torch.equal(heatmaps[:, :2], plain[:, :2])  # what the second got is as before
        total = seen["stack1.merge_features"] + seen["stack1.merge_heatmaps"]
        assert torch.equal(seen["stack1.merge"], total) and torch.equal(heatmaps[:, 2], model.stack2(total)[1])
    assert [points.got for points in model.hand_overs()] == ["stem", "stack0.merge"]


def test_one_stack_is_refused(model):
    stacks.need_stacks(model, "three")
    with pytest.raises(PosekitError, match=r"^weights mine: one stack.*give a network of two or more$"):
        stacks.need_stacks(Hourglass(HourglassConfig.narrow(16, joints=5, depth=2)), "mine")


@pytest.mark.parametrize("config", [HourglassConfig.narrow(48, joints=17, stacks=2), HourglassConfig(stacks=3, depth=2)])
def test_one_wide_stack_has_the_nearest_parameter_count(config):
    """The network that the chapter compares the stacks with."""
    target = redesign.parameters(config)
    wide = redesign.widened(replace(config, stacks=1), target)
    count = {f: redesign.parameters(redesign.scaled(wide, f)) for f in (wide.features - 4, wide.features, wide.features + 4)}
    assert wide.stacks == 1 and wide.features > config.features and wide.features % 4 == 0
    assert min(count, key=lambda f: abs(count[f] - target)) == wide.features
    assert abs(count[wide.features] / target - 1) < 0.1


def test_what_bypasses_a_stack_is_replaced_for_the_next_one_alone(model, tmp_path):
    stored = crops(people(range(6)), 40, tmp_path)
    card = Card("three", model.config.to_dict(), "lsp", 32, "mse")
    ways = {"kept": lambda activation, name: None, "zero": ablation.zero}
    found = stacks.ablate_bypass(model, card, stored, ways, backend=Backend.plain())
    whole = ablation.intact(model, card, stored, backend=Backend.plain())
    assert list(found) == ["bypass of stack 1", "bypass of stack 2"]
    for i, by_way in enumerate(found.values(), 1):
        assert np.array_equal(by_way["kept"], whole)
        assert np.array_equal(by_way["zero"][:i], whole[:i]) and not np.array_equal(by_way["zero"][i:], whole[i:])
