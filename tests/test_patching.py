"""Activation patching: on planted networks, whose joints travel through what was planted and through nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_networks import hooks
from torch import nn

import posekit
from posekit import HourglassConfig, PosekitError, Skeleton, adapt
from posekit.data.mannequins import counterfactuals
from posekit.engine.inference.prediction import Predictor
from posekit.engine.weights import Card
from posekit.interpret.activations import patching as p
from posekit.interpret.activations.patching import Part
from posekit.models.hourglass import Hourglass

PLAIN = posekit.Backend.plain()
WRISTS = Skeleton("wrists", ("left wrist", "right wrist"), pairs=(("left wrist", "right wrist"),))
SIZE, CELLS = 32, 8
HIDDEN = 3  # channel of the skip connection through which the left wrist travels


class Planted(nn.Module):
    """The left wrist is where the picture is blue, which one channel of `skip` carries; the right one where it is red, through `code`."""

    def __init__(self, blind: bool = False):
        super().__init__()
        self.pool, self.skip, self.code, self.unused = nn.AvgPool2d(4), nn.Conv2d(3, 6, 1), nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
        with torch.no_grad():
            for layer in (self.skip, self.code):
                layer.weight[:] = torch.rand(layer.weight.shape) - 0.5
                layer.bias.zero_()
            self.skip.weight[HIDDEN] = torch.tensor([0.0, 0, 1]).view(3, 1, 1)
            self.code.weight[0] = torch.tensor([1.0, 0, 0]).view(3, 1, 1)
        self.blind = blind

    def forward(self, pictures):
        seen = self.pool(pictures)
        skip, code, rest = self.skip(seen), self.code(seen), self.unused(seen)
        maps = torch.stack([skip[:, HIDDEN], code[:, 0]], 1) + 0 * rest[:, :2]
        return torch.zeros_like(maps) + maps.amax() * 0 + torch.eye(CELLS) if self.blind else maps


def planted(**options):
    torch.manual_seed(0)
    module = Planted(**options)
    return adapt(module, WRISTS, SIZE, code="code", skips=["skip"], name="planted", backend=PLAIN, report=None)


def spots(blue, red):
    """Pictures (N, 3, 32, 32) with a blue and a red spot at places (N, 2) in pixels."""
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")

    def spot(at):
        at = torch.as_tensor(at).float()
        return torch.exp(-((x - at[:, 0, None, None]) ** 2 + (y - at[:, 1, None, None]) ** 2) / (2 * 4.0**2))

    return torch.stack([spot(red), torch.zeros(len(blue), SIZE, SIZE), spot(blue)], 1)


def places(count, seed):
    return np.random.default_rng(seed).uniform(6, 26, (count, 2))


def pair(count=6):
    """The left wrist differs and the right one stays."""
    red = places(count, 0)
    return spots(places(count, 1), red), spots(places(count, 2), red)


PARTS = {
    "its channel": Part(["skip"], [HIDDEN]),
    "the other channels": Part(["skip"], [c for c in range(6) if c != HIDDEN]),
    "skip": Part(["skip"]),
    "code": Part(["code"]),
    "unused": Part(["unused"]),
    "everything": Part(["skip", "code"]),
}


def test_the_channel_through_which_an_arm_travels_is_found_and_nothing_else():
    found = posekit.patch(planted(), *pair(), PARTS)
    toward = {name: found.toward(name, ["left wrist"]) for name in PARTS}
    for name in ("its channel", "skip", "everything"):
        assert toward[name].mean == pytest.approx(1) and toward[name].low == pytest.approx(1)
    for name in ("the other channels", "code", "unused"):
        assert (toward[name].mean, toward[name].low, toward[name].high) == (0, 0, 0)
    assert all(found.lands(name, ["left wrist"])["B"].mean == round(interval.mean) for name, interval in toward.items())
    assert found.moving() == ["left wrist"]
    assert list(found.table()["skip"]) == ["left wrist"]
    assert all(found.aside(name).mean == pytest.approx(0, abs=1e-6) for name in PARTS)


def test_the_other_wrist_travels_through_the_code():
    blue = places(6, 0)
    found = posekit.patch(planted(), spots(blue, places(6, 1)), spots(blue, places(6, 2)), PARTS)
    assert {name: round(found.toward(name, ["right wrist"]).mean, 6) for name in PARTS} == {
        "its channel": 0, "the other channels": 0, "skip": 0, "code": 1, "unused": 0, "everything": 1,
    }  # fmt: skip


def test_the_direction_of_the_channel_is_found_and_random_ones_are_not():
    a, b = pair()
    whole = np.eye(6 * CELLS**2)[HIDDEN * CELLS**2 : (HIDDEN + 1) * CELLS**2]
    drawn = np.random.default_rng(0).normal(size=(64, 6 * CELLS**2)) * np.repeat(np.arange(6) != HIDDEN, CELLS**2)
    parts = {"its cells": Part(["skip"], directions=3 * whole), "across": Part(["skip"], directions=drawn)}
    parts["one by chance"] = Part(["skip"], directions=np.random.default_rng(1).normal(size=(1, 6 * CELLS**2)))
    found = posekit.patch(planted(), a, b, parts)
    assert found.toward("its cells", ["left wrist"]).mean == pytest.approx(1, abs=1e-4)
    assert abs(found.toward("across", ["left wrist"]).mean) < 1e-4
    assert abs(found.toward("one by chance", ["left wrist"]).mean) < 0.2


def test_where_nothing_differs_nothing_is_found():
    a, _ = pair()
    found = posekit.patch(planted(), a, a, PARTS)
    assert found.moving() == [] and all(np.isnan(found.toward(name).mean) for name in PARTS)
    assert all(found.aside(name).mean == 0 for name in PARTS)


def test_a_network_that_does_not_look_is_not_said_to_use_anything():
    found = posekit.patch(planted(blind=True), *pair(), PARTS)
    assert found.moving() == [] and all(np.isnan(found.toward(name).mean) for name in PARTS)
    assert found.table() == {name: {} for name in PARTS}


def hourglass(seed=0, **options):
    torch.manual_seed(seed)
    config = HourglassConfig.narrow(8, joints=14, depth=2, bottleneck_residuals=1, **options)
    return Predictor(Hourglass(config), Card("tiny", config.to_dict(), "lsp", SIZE, "mse"), PLAIN)


@pytest.mark.parametrize("stacks", [1, 2])
def test_everything_of_b_makes_its_answer(stacks):
    network = hourglass(stacks=stacks)
    a, b = torch.rand(2, 4, 3, SIZE, SIZE)
    parts = p.parts(network.model)
    together = ["all skips", "code", "all skips and codes"]
    assert list(parts) == (
        ["skip1", "skip2", *together] if stacks == 1 else
        ["stack0.skip1", "stack1.skip1", "stack0.skip2", "stack1.skip2", "all skips", "stack0.bottleneck1", "stack1.bottleneck1",
         *together[1:], "hand-over of stack 1"]
    )  # fmt: skip
    found = posekit.patch(network, a, b, parts)
    assert hooks(network.model) == 0
    if stacks == 1:
        np.testing.assert_array_equal(found.patched["all skips and codes"], found.b)
    else:
        np.testing.assert_array_equal(found.patched["hand-over of stack 1"], found.b)
    same = posekit.patch(network, a, a, parts)
    assert all(np.array_equal(answer, same.a) for answer in same.patched.values())


def test_an_untrained_network_shows_no_direction_that_carries_an_answer():
    """Of 20 random directions of its code none is said to move joints: of noise nothing is carried."""
    network = hourglass(seed=1)
    a, b = torch.rand(2, 16, 3, SIZE, SIZE)
    code = network.model.code_hook_point()
    drawn = np.random.default_rng(0).normal(size=(20, 8 * (SIZE // 16) ** 2))
    found = posekit.patch(network, a, b, {str(i): Part([code], directions=v) for i, v in enumerate(drawn)})
    assert max(found.lands(str(i))["B"].low for i in range(20)) < 0.1


def test_an_answer_that_falls_apart_is_not_one_that_follows():
    """Answers that have nothing to do with A or B go half way towards B, as towards anything, and land elsewhere."""
    a, b, gone = np.random.default_rng(0).uniform(0, 100, (3, 400, 2, 3))
    found = p.Patched(a, b, {"broken": gone}, 100, WRISTS)
    assert found.toward("broken").mean == pytest.approx(0.5, abs=0.06)
    lands = found.lands("broken")
    assert lands["elsewhere"].low > 0.95 and lands["B"].high < 0.04 and lands["A"].high < 0.04


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_where_joints_land_in_closed_form(share):
    a = np.zeros((40, 2, 3))
    b = a + np.array([30, 0, 0])
    gone = a.copy()
    gone[: int(share * 40)] = b[: int(share * 40)]
    b[:, 1] = a[:, 1] + np.array([8, 0, 0])  # the right wrist's answers are too near each other to tell
    found = p.Patched(a, b, {"part": gone}, 100, WRISTS)
    lands = found.lands("part")
    assert lands["B"].mean == share and lands["A"].mean == 1 - share and lands["elsewhere"].mean == 0
    assert np.isnan(found.lands("part", ["right wrist"])["B"].mean)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-1, 2), st.floats(-9, 9)), min_size=3, max_size=12), st.floats(0, 2 * np.pi))
def test_the_measure_in_closed_form(steps, turn):
    """A joint that goes a share of the way and some pixels beside it is said to."""
    share, beside = np.array(steps).T
    along = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-along[1], along[0]])
    a = np.zeros((len(share), 2, 3))
    b = a + np.append(10 * along, 0)
    gone = a + (10 * share[:, None] * along + beside[:, None] * across)[:, None] @ np.eye(2, 3)
    found = p.Patched(a, b, {"part": gone}, 100, WRISTS)
    assert found.toward("part").mean == pytest.approx(share.mean(), abs=1e-9)
    assert found.aside("part").mean == pytest.approx(np.abs(beside).mean() / 100, abs=1e-9)
    few = found.select(np.array([0, 2]))
    assert few.toward("part", ["right wrist"]).mean == pytest.approx(share[[0, 2]].mean(), abs=1e-9)


def test_joints_count_where_the_network_is_right():
    """Of two joints in three pairs: wrong in A, wrong in B, unknown; what is left decides."""
    a, b = np.zeros((3, 2, 3)), np.full((3, 2, 3), 40.0)
    gone = a.copy()
    gone[:2, 0] = 40  # the left wrist follows in the first two pairs
    truth = a[..., :2].copy(), b[..., :2].copy()
    truth[0][0, 0] = 90
    truth[1][1, 1] = np.nan
    found = p.Patched(a, b, {"part": gone}, 100, WRISTS).where_right(truth)
    assert found.counted.tolist() == [[False, True], [True, False], [True, True]]
    assert found.lands("part", ["left wrist"])["B"].mean == 0.5 and found.lands("part", ["right wrist"])["B"].mean == 0
    assert found.toward("part").mean == pytest.approx(0.25) and found.follows_more("part", "part").mean == 0
    assert found.select(np.array([1])).lands("part")["B"].mean == 1


def test_the_true_joints_lie_where_the_pictures_show_them():
    network = hourglass()
    pairs = counterfactuals("left arm", 2, seed=3, size=96)
    first, second = p.truth(pairs, network.card)
    assert first.shape == (2, 14, 2) and np.isnan(first[:, 12:]).all(), "of lsp, mannequins lack the neck and the head's top"
    moved = np.linalg.norm(second - first, axis=-1).mean(0)
    names = np.array(network.skeleton.joints)
    assert {*names[moved > 1e-3]} == {"left shoulder", "left elbow", "left wrist"}
    assert first[:, :12].min() > 0 and first[:, :12].max() < SIZE


def test_pairs_are_patched_where_the_network_is_right(monkeypatch):
    network, pairs = hourglass(), counterfactuals("left arm", 3, seed=3, size=48)
    true = p.truth(pairs, network.card)
    monkeypatch.setattr(p, "truth", lambda pairs, card: (found.a[..., :2], found.b[..., :2] + np.array([0, 90.0, 0])[:, None, None]))
    found = posekit.patch(network, *p.views(pairs, network.card), {})
    right = p.patch_pairs(network, pairs, p.parts(network.model), ["left wrist"])
    assert len(right.a) == 2 and right.counted.all() and len(true) == 2
    assert len(p.patch_pairs(network, pairs, ["stack0.skip1"]).a) == 3
    monkeypatch.setattr(p, "truth", lambda pairs, card: (found.a[..., :2] + 90, found.b[..., :2]))
    nobody = p.patch_pairs(network, pairs, ["stack0.skip1"], ["left wrist"])
    assert len(nobody.a) == 3 and np.isnan(nobody.lands("stack0.skip1")["B"].mean)


def test_pairs_of_mannequins_are_cut_out_alike():
    pairs = counterfactuals("light", 2, size=48)
    a, b = p.views(pairs, hourglass().card)
    assert a.shape == b.shape == (2, 3, SIZE, SIZE) and 0 <= a.min() and a.max() <= 1 and not torch.equal(a, b)


class Tokens(nn.Module):
    """Answers through a sequence of tokens (B, T, C), as a transformer does, in a tuple."""

    def __init__(self):
        super().__init__()
        self.pool, self.layer, self.norm = nn.AvgPool2d(4), nn.Identity(), nn.Identity()

    def forward(self, pictures):
        tokens = self.layer(self.pool(pictures).flatten(2).transpose(1, 2))
        maps = self.norm(tokens).transpose(1, 2).reshape(-1, 3, CELLS, CELLS)
        return maps[:, [2, 0]]


def test_a_foreign_network_of_tokens_is_patched_whole_and_not_by_channels():
    network = adapt(Tokens(), WRISTS, SIZE, code="layer", name="tokens", backend=PLAIN, report=None)
    found = posekit.patch(network, *pair(), ["layer"])
    assert found.toward("layer", ["left wrist"]).mean == pytest.approx(1)
    with pytest.raises(PosekitError, match=r"layer: an activation of shape \(6, 64, 3\) has no channels"):
        posekit.patch(network, *pair(), {"blue": Part(["layer"], channels=[2])})


def test_a_part_is_called_as_one_likes():
    network = hourglass()
    a, b = torch.rand(2, 3, 3, SIZE, SIZE)
    code = network.model.code_hook_point()
    plain, called = posekit.patch(network, a, b, [code]), posekit.patch(network, a, b, {"a": Part([code]), "b": Part([code])})
    assert np.array_equal(called.a, plain.a) and np.array_equal(called.b, plain.b)
    assert all(np.array_equal(called.patched[name], plain.patched[code]) for name in ("a", "b"))


def test_what_cannot_be_patched_is_refused_by_name():
    network = hourglass()
    a, b = torch.rand(2, 3, 3, SIZE, SIZE)
    code = network.model.code_hook_point()
    refused = {
        r"stack0.skip1: the activation is \(8, 8, 8\) in A and \(8, 16, 16\) in B; give pictures of one size": (
            a, torch.rand(3, 3, 64, 64), ["stack0.skip1"]),
        "3 pictures A and 2 pictures B": (a, b[:2], [code]),
        "0 pictures A and 0 pictures B": (a[:0], b[:0], [code]),
        "no activation named 'stack0.skip7'": (a, b, ["stack0.skip7"]),
        r"takes pictures as a tensor \(N, 3, 32, 32\), not a tensor \(3, 1, 32, 32\)": (a, b[:, :1], [code]),
        "empty: a part is": (a, b, {"empty": Part([])}),
        "named: a part is": (a, b, {"named": code}),
        "one: a part is": (a, b, {"one": Part([code], channels=1)}),
        "has channels 0 to 7, not 8": (a, b, {"eighth": Part([code], channels=[8])}),
        "has channels 0 to 7, not none": (a, b, {"no": Part([code], channels=[])}),
        "directions of 5 numbers do not fit an activation of 32": (a, b, {"short": Part([code], directions=np.ones((1, 5)))}),
        "zero: a direction is zero or not finite": (a, b, {"zero": Part([code], directions=np.zeros((1, 32)))}),
        "wild: a direction is zero or not finite": (a, b, {"wild": Part([code], directions=np.full((1, 32), np.nan))}),
    }  # fmt: skip
    for said, (first, second, parts) in refused.items():
        with pytest.raises(PosekitError, match=said):
            posekit.patch(network, first, second, parts)
        assert hooks(network.model) == 0
    bare = adapt(nn.Conv2d(3, 2, 4, stride=4), WRISTS, SIZE, backend=PLAIN, report=None)
    assert p.parts(bare.model) == {}


@pytest.mark.parametrize("taken", ["code", "all skips", "all skips and codes"])
def test_a_group_with_the_name_of_another_part_is_refused(taken):
    module = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU(), nn.Conv2d(4, 2, 1))

    def parts(name):
        return p.parts(adapt(module, WRISTS, SIZE, code="2", skips={name: ["0"], "other": ["1"]}, backend=PLAIN, report=None).model)

    assert list(parts("first")) == ["first", "other", "all skips", "code", "all skips and codes"]
    with pytest.raises(PosekitError, match=f"the group '{taken}' is 0, but '{taken}' is taken"):
        parts(taken)


@pytest.mark.parametrize("size", [(64, 64), (64, 32), (32, 64)])
def test_a_pair_is_cut_so_that_the_input_holds_the_box(size):
    pairs = counterfactuals("left arm", 2)
    corners = np.zeros((2, 17, 3))
    corners[:, :2, :2] = np.stack([pairs.boxes[:, :2], pairs.boxes[:, :2] + pairs.boxes[:, 2:]], 1)
    card = adapt(nn.Conv2d(3, 17, 4, stride=4), "coco", size, backend=PLAIN, report=None).card
    seen, beside = p.joints_seen(corners, pairs.boxes, card)[:, :2], (64 - np.array(size[::-1])) / 2
    assert (seen > beside - 0.5).all() and (seen < 63.5 - beside).all() and p.views(pairs, card)[0].shape == (2, 3, 64, 64)
    tight = np.ptp(seen, axis=1) / np.array(size[::-1])
    assert np.allclose(tight.max(1), 1 / posekit.coordinates.MARGIN), "and no smaller"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_a_joint_follows_the_group_of_channels_that_holds_its_own(count):
    network, at = planted(), np.array([[6.0, 8], [22, 10], [9, 24], [20, 20]])
    groups = p.channel_groups(network, "skip", count)
    assert sorted(channel for part in groups.values() for channel in part.channels) == list(range(6)) and len(groups) == count
    assert max(len(part.channels) for part in groups.values()) - min(len(part.channels) for part in groups.values()) <= 1
    found = posekit.patch(network, spots(at, at), spots(at[::-1].copy(), at), groups)
    for name, part in groups.items():
        assert found.toward(name, ["left wrist"]).mean == pytest.approx(float(HIDDEN in part.channels), abs=1e-3)


@pytest.mark.parametrize("count", [0, 7])
def test_groups_that_a_hook_point_has_not_are_refused(count):
    with pytest.raises(PosekitError, match=rf"skip: an activation of shape \(6, 8, 8\) has no {count} groups of channels"):
        p.channel_groups(planted(), "skip", count)
