"""Walks: people near a point, the answers to replaced codes, and what moves in a network whose answers are known."""

import dataclasses
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import people
from torch import nn

from posekit import Backend, HourglassConfig, PosekitError, crops, trace
from posekit.engine.inference.prediction import decode, predict_heatmaps
from posekit.engine.weights import Card
from posekit.interpret.activations import ablation
from posekit.interpret.activations import walks as wk
from posekit.interpret.activations.codes import code_hook_point, collect
from posekit.interpret.analysis.probes import Direction
from posekit.models.hourglass import Hourglass
from posekit.skeleton import LSP

PLAIN = Backend.plain()
CONFIG = HourglassConfig.narrow(16, joints=14, depth=2, stacks=2, bottleneck_residuals=2)
CARD = Card("tiny", CONFIG.to_dict(), "lsp", 32, "cross-entropy")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return crops(people(range(6)), 40, tmp_path_factory.mktemp("walks"))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Hourglass(CONFIG).eval()


@pytest.fixture(scope="module")
def pictures(stored):
    return next(iter(wk._pictures(stored, CARD, PLAIN, 64)))


def known(model, pictures, stack):
    maps = predict_heatmaps(model, CARD, pictures)[:, stack]
    return maps, decode(maps, CARD, np.tile(np.eye(3), (len(maps), 1, 1)))


@pytest.mark.parametrize("stack", [0, 1])
def test_everybodys_own_code_gives_everybodys_own_answer(model, stored, pictures, stack):
    hook_point = code_hook_point(model, stack)
    codes = collect(model, CARD, stored, hook_point, backend=PLAIN)
    expected, points = known(model, pictures, stack)
    for given_codes in (None, codes):
        maps, found = wk.answers(model, CARD, pictures, hook_point, given_codes, backend=PLAIN)
        assert torch.equal(maps, expected) and np.array_equal(found, points)


def test_without_own_code_and_skips_the_first_stack_does_not_see_the_picture(model, stored, pictures):
    hook_point = code_hook_point(model, 0)
    code = collect(model, CARD, stored, hook_point, backend=PLAIN).mean(0, keepdims=True)
    means = ablation.means(model, CARD, stored, wk.skips_beside(model, hook_point), backend=PLAIN, batch=4)
    intact, mean, off = (wk.answers(model, CARD, pictures, hook_point, code, skips, means, backend=PLAIN)[0] for skips in wk.SKIPS)
    assert not torch.equal(intact[0], intact[1])
    assert torch.equal(mean[0], mean[1]) and torch.equal(off[0], off[1])
    assert not torch.equal(mean, off)


def test_means_of_skips_are_the_means_of_their_activations(model, stored, pictures):
    names = wk.skips_beside(model, "stack1.bottleneck2")
    assert names == ["stack1.skip1", "stack1.skip2"]
    with trace(model, names) as activations, torch.inference_mode():
        model(pictures)
    means = ablation.means(model, CARD, stored, names, backend=PLAIN, batch=4)
    for name in names:
        assert torch.allclose(means[name], activations[name].mean(0), atol=1e-6)


def test_a_network_without_skips_has_none_to_replace(stored, pictures):
    bare = Hourglass(dataclasses.replace(CONFIG, skips=False)).eval()
    hook_point = code_hook_point(bare, 0)
    assert ablation.means(bare, CARD, stored, wk.skips_beside(bare, hook_point), backend=PLAIN) == {}
    intact, off = (wk.answers(bare, CARD, pictures, hook_point, None, skips, backend=PLAIN)[0] for skips in ("intact", "off"))
    assert torch.equal(intact, off)


def test_a_walk_is_the_answer_to_moved_codes(model, stored, pictures):
    hook_point = code_hook_point(model, 0)
    codes = collect(model, CARD, stored, hook_point, backend=PLAIN)
    vectors, lengths = np.linalg.qr(np.random.default_rng(0).normal(size=(codes.shape[1], 2)))[0].T.astype(np.float32), [-3.0, 0.0, 5.0]
    walked = wk.walks(model, CARD, stored, hook_point, vectors, lengths, skips="off", backend=PLAIN, batch=4)
    start = wk.answers(model, CARD, pictures, hook_point, codes, "off", backend=PLAIN)
    for vector, walk in zip(vectors, walked, strict=True):
        assert np.allclose(walk.start, start[1], atol=1e-3)
        for length, points, varied in zip(lengths, walk.keypoints, walk.variation, strict=True):
            maps, expected = wk.answers(model, CARD, pictures, hook_point, codes + np.float32(length) * vector, "off", backend=PLAIN)
            assert np.allclose(points, expected, atol=1e-2)
            assert varied == pytest.approx(wk._total_variation(maps, start[0]), abs=1e-5)
        assert (walk.variation[1] == 0).all() and (walk.displacement[1] == 0).all()
    assert (walked[0].variation[2] > 0).all()


def test_nothing_remains_in_the_model(model):
    assert not any(module._forward_hooks for module in model.modules())


class Puppet(nn.Module):
    """An hourglass by name only: its code (B, 3, 1, 1) moves both shoulders right, and both ankles down, in heatmap cells.

    The third number of the code does nothing. The rest of the pose is fixed.
    """

    JOINTS: ClassVar = {"shoulder": (17, 8), "elbow": (18, 12), "wrist": (18, 15), "hip": (17, 18), "knee": (17, 22), "ankle": (17, 26),
              "neck": (16, 7), "head top": (16, 3)}  # fmt: skip

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(stacks=1, bottleneck_residuals=1)
        self.stem = nn.AdaptiveAvgPool2d(1)
        self.stack0 = nn.Module()
        self.stack0.bottleneck1 = nn.Identity()
        at = []
        for joint in LSP.joints:
            x, y = self.JOINTS[joint.removeprefix("left ").removeprefix("right ")]
            at.append((32 - x if joint.startswith("right") else x, y))
        self.register_buffer("at", torch.tensor(at, dtype=torch.float32))

    def skip_groups(self):
        return {}

    def stage_of(self, hook_point):
        return 0

    def forward(self, pictures):
        code = self.stack0.bottleneck1(torch.zeros_like(self.stem(pictures)))[..., 0, 0]
        at = self.at.repeat(len(code), 1, 1)
        for joint, axis, number in (("shoulder", 0, 0), ("ankle", 1, 1)):
            at[:, LSP.index(f"left {joint}", f"right {joint}"), axis] += code[:, number, None]
        y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
        squared = (x - at[..., 0, None, None]) ** 2 + (y - at[..., 1, None, None]) ** 2
        return torch.exp(-squared / 2)[:, None]


def test_a_walk_through_a_network_whose_answers_are_known(stored):
    puppet, card = Puppet(), dataclasses.replace(CARD, loss="mse", resolution=128)
    control = np.repeat(np.eye(3, dtype=np.float32)[2:], wk.CONTROLS, 0)  # moves nothing

    def walk(number, attribute=None, **options):
        direction = Direction("planted", np.eye(3, dtype=np.float32)[number], 1.0, 1.0)
        return wk.causal(puppet, card, stored, "stack0.bottleneck1", direction, control, attribute=attribute, backend=PLAIN, **options)

    lean = walk(0, "lean", step=2)
    assert lean.effect["mean"] == pytest.approx(2 * 2 / np.hypot(2, 10), abs=0.01)  # 2 cells to either side of 10 upwards
    assert walk(0, "lean", scale=0.1).effect["mean"] == pytest.approx(10 * lean.effect["mean"])
    torsos = wk._rulers(stored, card)
    assert lean.moved["mean"] == pytest.approx(np.mean(2 / 14 * 2 * 4 / torsos), rel=0.02)  # 2 of 14 joints by 2 cells of 4 pixels
    assert lean.effect_control == pytest.approx([0] * wk.CONTROLS) and lean.moved_control == pytest.approx([0] * wk.CONTROLS)
    assert (lean.effect_verdict, lean.moved_verdict) == ("more than chance", "moved")
    assert lean.effect["people"] == 6 and lean.effect["left_out"] == 0

    ankles = walk(1, "lean")
    assert (ankles.effect_verdict, ankles.moved_verdict) == ("nothing", "moved")

    control = np.repeat(np.eye(3, dtype=np.float32)[:1], wk.CONTROLS, 0)
    nothing = walk(2, "lean")
    assert (nothing.effect_verdict, nothing.moved_verdict) == ("nothing", "nothing")
    assert nothing.varied["mean"] == 0 < nothing.varied_control[0]
    stored = stored.select(np.arange(1))
    assert walk(2).moved_verdict == walk(1).moved_verdict == "undecided"  # one person
    assert walk(1).effect_verdict is None and "effect" not in walk(1).row() and "effect" in nothing.row()


def test_the_controls_part_along_the_direction_is_not_walked():
    vector = np.array([1.0, 0, 0])
    across = wk._across(np.array([[0.6, 0.8, 0], [0, 0, 1]]), vector)
    assert across == pytest.approx(np.array([[0, 1, 0], [0, 0, 1]]))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_the_nearest_are_those_of_brute_force(seed):
    random = np.random.default_rng(seed)
    codes, points = random.normal(size=(30, 5)), random.normal(size=(4, 5))
    near = wk.nearest(codes, points, 3)
    distances = np.linalg.norm(points[:, None] - codes[None], axis=-1)
    assert np.array_equal(near.index, np.argsort(distances, 1)[:, :3])
    assert near.distance == pytest.approx(np.sort(distances, 1)[:, :3])
    among = np.linalg.norm(codes[:, None] - codes[None], axis=-1) + np.diag(np.full(30, np.inf))
    assert near.typical == pytest.approx(np.median(among.min(1)))
    assert near.relative == pytest.approx(near.distance / near.typical)


def test_random_directions_are_spread_as_codes_are():
    components = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 3)))[0].T
    drawn = wk.random_directions(4000, components, np.array([9.0, 1.0, 0.0]), seed=1)
    assert np.linalg.norm(drawn, axis=1) == pytest.approx(1)
    along = drawn @ components.T
    assert abs(along[:, 2]).max() < 1e-6 and np.abs(along.mean(0)).max() < 0.05
    # E[9 z² / (9 z² + w²)] = 3 / (3 + 1) for independent normal z, w
    assert np.square(along[:, 0]).mean() == pytest.approx(0.75, abs=0.02)
    assert np.array_equal(wk.random_directions(3, components, np.ones(3), seed=2), wk.random_directions(3, components, np.ones(3), seed=2))


@pytest.mark.parametrize(
    "low, high, p, said",
    [
        (-0.1, 0.2, 0.001, "nothing"),
        (0.1, 0.2, 0.049, "more than chance"),
        (-0.3, -0.2, 0.001, "more than chance"),
        (0.1, 0.2, 0.05, "no more than chance"),
        (0.1, 0.2, np.nan, "undecided"),
        (-0.1, 0.2, np.nan, "nothing"),
        (np.nan, np.nan, 0.001, "undecided"),
    ],
)
def test_verdicts(low, high, p, said):
    assert wk.verdict({"low": low, "high": high}, p) == said


def test_few_random_directions_judge_nothing():
    few, enough = np.linspace(-1, 1, wk.CONTROLS - 1), np.linspace(-1, 1, wk.CONTROLS)
    assert np.isnan(wk.chance_of_effect(9, few, 10))
    assert wk.chance_of_effect(9, enough, 10) == wk.chance_of_effect(-9, enough, 10) < 1e-6
    assert wk.chance_of_effect(0, enough, 10) == 1


def walked(p):
    """A walk of which people are sure, with this chance beside random directions."""
    block = {"mean": 1.0, "low": 0.9, "high": 1.1}
    return wk.Causal("a", "mean", block, [], block, [], "lean", block, [], p)


def test_a_family_of_walks_is_corrected():
    assert [walk.p for walk in wk.holm_corrected([walked(0.01), walked(0.04), walked(0.001)])] == pytest.approx([0.02, 0.04, 0.003])
    assert [walk.effect_verdict for walk in wk.holm_corrected([walked(0.04) for _ in range(2)])] == ["no more than chance"] * 2
    assert walked(0.04).effect_verdict == "more than chance", "alone it is"
    assert wk.holm_corrected([walked(np.nan)])[0].effect_verdict == "undecided"


@pytest.mark.parametrize("decline", [0.5, 1.0])
def test_structureless_directions_are_more_than_chance_as_seldom_as_they_may(decline):
    """Directions as random as the controls are: alone 5 times in a hundred, in a family less often, however fast the variances decline."""
    random, people, dimensions, rows, draws = np.random.default_rng(0), 32, 100, 20, 300
    components, variances = np.eye(dimensions), np.arange(1.0, dimensions + 1) ** -decline
    alone, families = [], 0
    for draw in range(draws):
        gradients = random.normal(size=(rows, dimensions))  # of what the network answers, an attribute each
        own = wk.random_directions(rows, components, variances, seed=2 * draw)
        control = wk.random_directions(wk.CONTROLS, components, variances, seed=2 * draw + 1)
        found = []
        for vector, gradient in zip(own, gradients, strict=True):
            others = wk._across(control, vector)
            effect, *by_chance = np.concatenate([vector[None], others]) @ gradient + random.normal(size=1 + len(others)) / np.sqrt(people)
            found.append(walked(wk.chance_of_effect(effect, by_chance, wk.freedom_of(others))))
        alone += [walk.p for walk in found]
        families += any(walk.effect_verdict == "more than chance" for walk in wk.holm_corrected(found))
    assert 0.03 <= np.mean(np.array(alone) < 0.05) <= 0.07
    assert families / draws <= 0.07


def test_bad_input_is_named(model, stored, pictures):
    hook_point = code_hook_point(model, 0)
    with pytest.raises(PosekitError, match="skips are intact, mean, off, not 'none'"):
        wk.answers(model, CARD, pictures, hook_point, None, "none")
    with pytest.raises(PosekitError, match=r"needs the means of stack0\.skip1, stack0\.skip2"):
        wk.answers(model, CARD, pictures, hook_point, None, "mean")
    with pytest.raises(PosekitError, match=r"codes are \(6, D\).*not \(4, 8\)"):
        wk.answers(model, CARD, pictures, hook_point, np.ones((4, 8)), backend=PLAIN)
    with pytest.raises(PosekitError, match="too few"):
        wk.nearest(np.ones((3, 4)), np.ones((1, 4)), 5)
    direction = Direction("a", np.eye(64, dtype=np.float32)[0], 1.0, 1.0)
    with pytest.raises(PosekitError, match="at least one random direction"):
        wk.causal(model, CARD, stored, hook_point, direction, np.zeros((0, 64)))
    with pytest.raises(PosekitError, match="true size: cannot be measured on a prediction"):
        wk.causal(model, CARD, stored, hook_point, direction, np.eye(64, dtype=np.float32)[1:2], attribute="true size", backend=PLAIN)
    with pytest.raises(PosekitError, match=r"8 numbers do not fit stack0\.bottleneck2, where a code has 64"):
        wk.walks(model, CARD, stored, hook_point, np.ones((1, 8), np.float32), [1.0], backend=PLAIN)
    with pytest.raises(PosekitError, match="8 numbers do not fit"):
        wk.answers(model, CARD, pictures, hook_point, np.ones((1, 8)), backend=PLAIN)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("attribute", [None, "lean"])
def test_a_walk_that_cannot_be_measured_is_refused(model, stored, attribute, tmp_path):
    hook_point, ways = code_hook_point(model, 0), np.eye(64, dtype=np.float32)
    direction = Direction("a", ways[0], 1.0, 1.0)
    nobody = crops(dataclasses.replace(people(range(6)), keypoints=np.tile([np.nan, np.nan, 0], (6, 14, 1))), 40, tmp_path)
    with pytest.raises(PosekitError, match="nobody has a trunk to measure by"):
        wk.causal(model, CARD, nobody, hook_point, direction, ways[1:3], attribute=attribute, backend=PLAIN)
    for control in (ways[:1], -ways[:1], np.stack([ways[1], ways[0]])):
        with pytest.raises(PosekitError, match="a random direction is the walk's own"):
            wk.causal(model, CARD, stored, hook_point, direction, control, attribute=attribute, backend=PLAIN)
    with pytest.raises(PosekitError, match="nobody to look at"):
        wk.causal(model, CARD, stored.select(np.arange(0)), hook_point, direction, ways[1:3], attribute=attribute, backend=PLAIN)
    with pytest.raises(PosekitError, match="nobody to look at"):
        collect(model, CARD, stored.select(np.arange(0)), hook_point, backend=PLAIN)


def test_codes_that_are_not_finite_have_no_answer_and_what_does_not_vary_no_directions(model, stored, pictures):
    hook_point = code_hook_point(model, 0)
    with pytest.raises(PosekitError, match=r"stack0\.bottleneck2: a code or a step is not finite"):
        wk.answers(model, CARD, pictures, hook_point, np.full((1, 64), np.nan), backend=PLAIN)
    with pytest.raises(PosekitError, match=r"stack0\.bottleneck2: a code or a step is not finite"):
        wk.walks(model, CARD, stored, hook_point, np.ones((1, 64), np.float32), [np.inf], backend=PLAIN)
    for variances in (np.zeros(5), np.zeros(0)):
        with pytest.raises(PosekitError, match="components that vary, and none of these does"):
            wk.random_directions(3, np.eye(5)[: len(variances)], variances)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_nobody_is_near_to_what_is_not_finite(wrong):
    codes = np.random.default_rng(0).normal(size=(9, 4))
    damaged = np.where(np.arange(36).reshape(9, 4) == 5, wrong, codes)
    for among, points in ((damaged, codes[:2]), (codes, damaged[:2])):
        with pytest.raises(PosekitError, match="is not finite; leave it out"):
            wk.nearest(among, points)
