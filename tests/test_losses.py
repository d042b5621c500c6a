"""Losses: what is perfect, what is masked, and what an empty map costs."""

import pytest
import torch

from posekit import heatmaps as hm
from posekit.losses import LOSSES, loss_sum

POINTS = torch.tensor([[[3.3, 4.1], [7.5, 2.0], [torch.nan, torch.nan]], [[0.0, 11.5], [5.0, 5.0], [9.9, 1.2]]])
TARGET = hm.encode(POINTS, 12)
LABELLED = torch.isfinite(POINTS[..., 0])


def random_output(kind="mse", stacks=2):
    shape = (2,) if kind == "coordinates" else (12, 12)
    return torch.randn(2, stacks, 3, *shape, generator=torch.Generator().manual_seed(0), requires_grad=True)


def target(kind):
    return POINTS if kind == "coordinates" else TARGET


@pytest.mark.parametrize("kind", LOSSES)
def test_unlabelled_joints_give_neither_loss_nor_gradient(kind):
    output = random_output(kind)
    loss = loss_sum(output, target(kind), LABELLED, kind)
    loss.backward()
    assert output.grad.isfinite().all()
    assert not output.grad[0, :, 2].any()
    assert all(output.grad[b, s, k].any() for b, k in LABELLED.nonzero().tolist() for s in range(2))
    with torch.no_grad():
        other = output.clone()
        other[0, :, 2] = 1e3
        assert loss_sum(other, target(kind), LABELLED, kind) == loss


@pytest.mark.parametrize("kind", LOSSES)
def test_nobody_labelled_costs_nothing(kind):
    assert loss_sum(random_output(kind), target(kind), torch.zeros(2, 3, dtype=torch.bool), kind) == 0


@pytest.mark.parametrize("kind", LOSSES)
def test_the_sum_runs_over_stacks_and_joints(kind):
    output, wanted = random_output(kind), target(kind)
    alone = [
        loss_sum(output[b, s, k][None, None, None], wanted[b, k][None, None], LABELLED[b, k][None, None], kind)
        for b, k in LABELLED.nonzero().tolist()
        for s in range(2)
    ]
    assert loss_sum(output, wanted, LABELLED, kind).item() == pytest.approx(sum(alone).item(), rel=1e-5)


def test_a_perfect_prediction_has_no_cross_entropy():
    logits = TARGET.clamp_min(1e-30).log()[:, None]
    assert abs(float(loss_sum(logits, TARGET, LABELLED, "cross-entropy"))) < 1e-4
    assert abs(float(loss_sum(logits + 7, TARGET, LABELLED, "cross-entropy"))) < 1e-4  # a constant is no difference
    worse = loss_sum(logits.roll(1, -1), TARGET, LABELLED, "cross-entropy")
    assert worse > 0.1


def test_a_perfect_prediction_has_no_squared_error():
    assert loss_sum(TARGET[:, None], TARGET, LABELLED, "mse") == 0


def test_coordinates_cost_the_square_of_a_small_error_and_the_length_of_a_large_one():
    known = torch.ones(1, 1, dtype=torch.bool)
    for error, expected in ((0.0, 0.0), (0.05, 0.025), (-0.025, 0.00625), (1.0, 0.975)):
        found = torch.tensor([[[[0.3 + error, 0.5]]]])
        assert float(loss_sum(found, torch.tensor([[[0.3, 0.5]]]), known, "coordinates")) == pytest.approx(expected, abs=1e-6)


def test_what_a_map_of_zeros_costs():
    size, sigma = 64, 1.0
    target = hm.encode(torch.tensor([[[31.0, 31.0]]], dtype=torch.float64), size, sigma)
    loss = loss_sum(torch.zeros(1, 1, 1, size, size), target, torch.ones(1, 1, dtype=torch.bool), "mse")
    # The integral of a squared Gaussian is pi sigma^2: a thousandth of the map, which is the trap.
    assert float(loss) == pytest.approx(torch.pi * sigma**2 / size**2, rel=1e-3)


def test_what_a_uniform_map_costs():
    target = hm.encode(torch.tensor([[[31.0, 31.0]]]), 64, 1.0)
    loss = loss_sum(torch.zeros(1, 1, 1, 64, 64), target, torch.ones(1, 1, dtype=torch.bool), "cross-entropy")
    # log of the number of cells, less the entropy of a Gaussian in the plane, 1 + log(2 pi sigma^2).
    expected = torch.log(torch.tensor(4096.0)) - 1 - torch.log(torch.tensor(2 * torch.pi))
    assert float(loss) == pytest.approx(float(expected), rel=1e-3)


def test_an_unknown_loss_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no loss 'huber'; there are cross-entropy, mse"):
        loss_sum(random_output(), TARGET, LABELLED, "huber")
