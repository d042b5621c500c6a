"""Codes cut to k components: projections in closed form, and a network whose answer depends on one component of four."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planted import people
from torch import nn

from posekit import Backend, HourglassConfig, PosekitError, crops
from posekit.engine.inference.prediction import by_modules, predict_crops
from posekit.engine.weights import Card
from posekit.interpret.activations import ablation, cuts
from posekit.interpret.activations.codes import code_hook_point, collect
from posekit.interpret.activations.walks import skips_beside
from posekit.interpret.analysis.components import Components, batches_of, moments_of, pca
from posekit.models.hourglass import Hourglass
from posekit.skeleton import LSP

PLAIN = Backend.plain()
AT = {"shoulder": (17, 8), "elbow": (18, 12), "wrist": (18, 15), "hip": (17, 18), "knee": (17, 22), "ankle": (17, 26),
      "neck": (16, 7), "head top": (16, 3)}  # fmt: skip
FRAME = Components(10, np.zeros(4), np.eye(4), np.array([4.0, 3.0, 2.0, 1.0]))


class Puppet(nn.Module):
    """An hourglass by name only: of four numbers of its code, which hang on the picture, number `moves` shifts the whole pose sideways."""

    def __init__(self, moves: int):
        super().__init__()
        self.config, self.moves = SimpleNamespace(stacks=1, bottleneck_residuals=1), moves
        self.stack0 = nn.Module()
        self.stack0.bottleneck1 = nn.Identity()
        at = []
        for joint in LSP.joints:
            x, y = AT[joint.removeprefix("left ").removeprefix("right ")]
            at.append((32 - x if joint.startswith("right") else x, y))
        self.register_buffer("at", torch.tensor(at, dtype=torch.float32))

    def skip_groups(self):
        return {}

    def stage_of(self, hook_point):
        return 0

    def forward(self, pictures):
        bright = pictures.mean((1, 2, 3), keepdim=True)
        code = self.stack0.bottleneck1(torch.cat([6 * torch.sin(bright * 10000 * (i + 1)) for i in range(4)], 1))[..., 0, 0]
        at = self.at.repeat(len(code), 1, 1)
        at[..., 0] += code[:, self.moves, None]
        y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
        return torch.exp(-((x - at[..., 0, None, None]) ** 2 + (y - at[..., 1, None, None]) ** 2) / 2)[:, None]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return crops(people(range(24)), 40, tmp_path_factory.mktemp("cuts"))


def annotated_by(model, card, stored):
    """The same crops, with what the network answers as the annotation."""
    answer = predict_crops(model, card, stored, backend=PLAIN, network=by_modules(model, PLAIN))[-1]
    keypoints = np.concatenate([answer[..., :2], np.full((*answer.shape[:2], 1), 2.0)], -1)
    return dataclasses.replace(stored, people=dataclasses.replace(stored.people, keypoints=keypoints))


@pytest.mark.parametrize("moves", range(4))
def test_nothing_is_lost_from_the_component_on_that_the_answer_depends_on(stored, moves):
    model, card = Puppet(moves), Card("puppet", {"joints": 14}, "lsp", 128, "mse")
    own = annotated_by(model, card, stored)
    codes = collect(model, card, own, "stack0.bottleneck1", backend=PLAIN)
    torso = 0.2 * np.hypot(2, 10)  # in cells, as the shift is
    without = (np.abs(codes[:, moves]) <= torso).mean()
    assert 0 < without < 0.9
    found = cuts.cut_scores(model, card, own, "stack0.bottleneck1", FRAME, [1, 2, 3, 4, 50], backend=PLAIN, batch=7)
    assert found["whole"] == {"mean": 1, "low": 1, "high": 1} and found["mean code"]["mean"] == pytest.approx(without)
    assert list(found["components"]) == list(found["random directions"]) == [1, 2, 3, 4]
    for k, block in found["components"].items():
        if k > moves:
            assert block["change"] == block["relative"] == {"mean": 0, "low": 0, "high": 0, "people": 24}
        else:
            assert block["mean"] == pytest.approx(without) and block["change"]["mean"] == pytest.approx(without - 1)
            assert block["change"]["high"] < 0
            assert block["relative"] == pytest.approx(block["change"])  # the whole code finds all
    assert found["random directions"][4]["change"]["mean"] == 0
    assert found["random directions"][1]["change"]["high"] < 0
    assert found["mean code"]["change"]["mean"] == pytest.approx(without - 1)
    for k, block in found["random directions"].items():
        assert block["behind"]["mean"] == pytest.approx(block["mean"] - found["components"][k]["mean"])


@given(st.integers(2, 12), st.integers(0, 2**16), st.data())
def test_a_projection_leaves_what_it_spans_and_nothing_else(dimensions, seed, data):
    random = np.random.default_rng(seed)
    frame = np.linalg.qr(random.normal(size=(dimensions, dimensions)))[0]
    k = data.draw(st.integers(0, dimensions))
    mean, codes = random.normal(size=dimensions), random.normal(size=(5, dimensions))
    cut = cuts.project(mean, frame[:k])
    given_codes = torch.from_numpy(codes).float()[..., None, None]
    once = cut(given_codes, "code")
    expected = mean + (codes - mean) @ frame[:k].T @ frame[:k]
    assert once.shape == given_codes.shape and np.allclose(once.flatten(1).numpy(), expected, atol=1e-4)
    assert torch.allclose(cut(once, "code"), once, atol=1e-4)
    turned = cuts.rotated(frame[: k or 1], seed)[: k or None]
    assert not k or (np.allclose(turned @ turned.T, np.eye(k)) and np.allclose(turned.T @ turned, frame[:k].T @ frame[:k]))


@pytest.mark.parametrize("skips", ["intact", "mean"])
def test_all_components_of_an_hourglass_are_its_whole_code(stored, skips):
    torch.manual_seed(0)
    config = HourglassConfig.narrow(16, joints=14, depth=3, stacks=2)
    model, card = Hourglass(config).eval(), Card("tiny", config.to_dict(), "lsp", 32, "cross-entropy")
    hook_point = code_hook_point(model, 0)
    own = annotated_by(model, card, stored)
    means = ablation.means(model, card, own, skips_beside(model, hook_point), backend=PLAIN)
    codes = collect(model, card, own, hook_point, backend=PLAIN)
    frame = pca(moments_of(batches_of(codes)))
    found = cuts.cut_scores(model, card, own, hook_point, frame, [1], skips=skips, means=means, backend=PLAIN)
    assert list(found["components"]) == [1, len(frame)]
    assert found["components"][len(frame)]["mean"] == pytest.approx(found["whole"]["mean"], abs=0.01)
    assert not any(module._forward_hooks for module in model.modules())


def test_components_of_another_code_are_refused(stored):
    model, card = Puppet(0), Card("puppet", {"joints": 14}, "lsp", 128, "mse")
    frame = Components(10, np.zeros(3), np.eye(3), np.ones(3))
    with pytest.raises(PosekitError, match=r"components of 3 numbers do not fit stack0\.bottleneck1, where a code has 4"):
        cuts.cut_scores(model, card, stored, "stack0.bottleneck1", frame, [1], backend=PLAIN)


@pytest.mark.parametrize("k", [-1, 1.5, True])
def test_a_number_of_components_that_is_none_is_refused(stored, k):
    with pytest.raises(PosekitError, match=f"ks is {k}; it must be a whole number from 0"):
        cuts.cut_scores(Puppet(0), Card("puppet", {}, "lsp", 32, "mse"), stored, "stack0.bottleneck1", FRAME, [1, k], backend=PLAIN)
