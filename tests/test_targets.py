"""Targets in closed form, and which are refused."""

import numpy as np
import pytest
import torch
from tiny_networks import CARD, SIZE, Painted, Tiny

from posekit import PosekitError
from posekit.engine.weights import Card
from posekit.interpret.attribution.targets import WINDOW, Scored, Target, answered, target

LOGITS = Card("tiny", {"joints": 14}, "lsp", SIZE, "cross-entropy")
WRIST, KNEE = 11, 1  # left wrist and right knee of the LSP skeleton


@pytest.fixture(scope="module")
def raw():
    return torch.randn(6, 14, 32, 32, generator=torch.Generator().manual_seed(0))


def test_each_target_is_what_the_table_says(raw):
    cells = torch.tensor([[5, 20]] * 6)
    ask = lambda name, card=CARD: target(name, "left wrist", card, cells).of(raw)  # noqa: E731
    reach = round(WINDOW * 32)
    window = raw[:, WRIST, 20 - reach : 21 + reach, 5 - reach : 6 + reach]
    assert torch.equal(ask("peak"), raw[:, WRIST, 20, 5])
    assert torch.allclose(ask("window"), window.mean((1, 2)))
    assert torch.allclose(ask("mean"), raw[:, WRIST].mean((1, 2)))
    spread = raw[:, WRIST].flatten(1).softmax(1).view(6, 32, 32)
    assert torch.allclose(ask("probability", LOGITS), spread[:, 20 - reach : 21 + reach, 5 - reach : 6 + reach].sum((1, 2)))
    positive = raw[:, WRIST].clamp(min=0)
    assert torch.allclose(ask("probability"), window.clamp(min=0).sum((1, 2)) / positive.sum((1, 2)))


@pytest.mark.parametrize(("aspect", "inside"), [(0.5, np.s_[:, :, 8:24]), (2.0, np.s_[:, 8:24]), (1.0, np.s_[:, :])])
def test_the_mean_of_a_map_is_of_what_the_network_sees(raw, aspect, inside):
    shaped = Card("tiny", {"joints": 14}, "lsp", SIZE, "mse", aspect=aspect)
    assert torch.allclose(target("mean", "left wrist", shaped).of(raw), raw[:, WRIST][inside].mean((1, 2)))


def test_the_distance_of_two_joints_is_that_of_their_peaks():
    maps = torch.full((1, 14, 32, 32), -50.0)
    maps[0, WRIST, 10, 4] = maps[0, KNEE, 13, 8] = 50.0
    for card in (CARD, LOGITS):
        assert target("distance to right knee", "left wrist", card).of(maps) == pytest.approx([5.0], abs=1e-4)


def test_each_picture_has_its_own_joint_and_cell_and_multiples_go_through_them_again(raw):
    cells = torch.tensor([[1, 2], [3, 4], [5, 6]])
    asked = target("peak", ["left wrist", "right knee", "neck"], CARD, cells)
    expected = torch.stack(
        [raw[0, WRIST, 2, 1], raw[1, KNEE, 4, 3], raw[2, 12, 6, 5], raw[3, WRIST, 2, 1], raw[4, KNEE, 4, 3], raw[5, 12, 6, 5]]
    )
    assert torch.equal(asked.of(raw), expected)
    assert torch.equal(asked.of(raw[:3]), expected[:3])


def test_a_window_at_the_border_is_cut_off(raw):
    assert torch.allclose(target("window", "neck", CARD, torch.tensor([0, 31])).of(raw), raw[:, 12, 29:, :3].mean((1, 2)))


def test_a_network_is_scored_with_its_input_mean_and_at_a_place():
    model, pictures = Tiny(), torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    shifted = Card("tiny", {"joints": 14}, "lsp", SIZE, "mse", input_mean=(0.1, 0.2, 0.3))
    seen = pictures - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    maps = Scored(model, shifted, target("mean", "neck", shifted))(pictures)
    assert torch.allclose(maps, model(seen)[:, 0, 12].mean((1, 2)), atol=1e-6)
    at = Scored(model, shifted, Target("features", lambda activation: activation.sum((1, 2, 3)), "features"))(pictures)
    assert torch.allclose(at, model.features(model.relu(model.mix(seen))).sum((1, 2, 3)), rtol=1e-5)


def test_the_answer_is_where_the_joint_is():
    pictures = torch.zeros(1, 3, SIZE, SIZE)
    pictures[0, 0, 12:16, 20:24] = 1  # cell (5, 3)
    maps, cells, keypoints = answered(Painted(), CARD, pictures)
    assert maps.shape == (1, 14, 8, 8) and cells[0, 0].tolist() == [5, 3] and cells[0, 1].tolist() == [7, 3]
    assert np.allclose(keypoints[0, 0, :2], [21.5, 13.5], atol=2)


@pytest.mark.parametrize(
    "name, joint, said",
    [
        ("peak", "left paw", "the lsp skeleton has no joint 'left paw'; it has right ankle"),
        ("distance to tail", "neck", "no joint 'tail'"),
        ("distance to neck", "neck", "'distance to neck' is that of a joint to itself"),
        ("sum", "neck", "no target 'sum'; there are peak, window, mean, probability, distance to JOINT"),
        ("window", "neck", "looks at a cell of the heatmap: give cells"),
    ],
)
def test_what_cannot_be_asked_is_said(name, joint, said):
    with pytest.raises(PosekitError, match=said):
        target(name, joint, CARD)
