"""Costs and stages, counted by hand on small networks; intervals over seeds and people."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from posekit import HourglassConfig
from posekit.engine import costs
from posekit.models.hourglass import Hourglass
from posekit.models.parts import Parts, PartsConfig
from posekit.models.transpose import TransPose, TransPoseConfig
from posekit.studies import comparison


def of_convolutions(network, resolution):
    """Multiply-adds of the convolutions alone, by the shapes that hooks see."""
    counted = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda conv, _, out: counted.append(out[0].numel() * conv.weight[0].numel()))
    network.eval()(torch.zeros(1, 3, resolution, resolution))
    return sum(counted)


def test_multiply_adds_of_a_convolution_and_a_product():
    network = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1, stride=2), nn.Flatten(), nn.Linear(5 * 16 * 16, 7))
    assert costs.multiply_adds(network, 32) == 16 * 16 * 5 * 27 + 5 * 16 * 16 * 7


def test_counting_leaves_the_network_as_it_is():
    network = nn.Conv2d(3, 5, 3).bfloat16().train()
    costs.multiply_adds(network, 32)
    assert network.weight.dtype == torch.bfloat16 and network.training


def test_an_hourglass_costs_what_its_convolutions_cost():
    network = Hourglass(HourglassConfig.narrow(16, joints=14, depth=2, stacks=2))
    assert costs.multiply_adds(network, 32) == of_convolutions(network, 32)


def test_attention_is_counted():
    config = TransPoseConfig(joints=5, features=16, layers=2, heads=2, hidden=24)
    network = TransPose(config)
    tokens = 64
    layer = tokens * (4 * 16 * 16 + 2 * 16 * 24) + 2 * tokens * tokens * 16
    assert costs.multiply_adds(network, 32) == of_convolutions(network, 32) + 2 * layer


def test_fitted_numbers_are_parameters_or_what_was_fitted_otherwise():
    assert costs.fitted_numbers(nn.Linear(3, 4)) == 16
    k, t, p = 3, 2, 5
    parts = Parts(PartsConfig(k, (-1, 0, 1), t, p))
    assert costs.fitted_numbers(parts) == k * t * (13 * p * p + 1 + 4) + k * t * t


def test_milliseconds_are_per_person_and_the_network_is_asked_for_all_at_once():
    asked = []

    def network(pictures):
        asked.append(len(pictures))
        return pictures

    assert costs.milliseconds(network, torch.zeros(4, 3, 8, 8), repeats=3) > 0
    assert asked == [4] * 4


def test_gains_are_paired():
    before = np.zeros((6, 2))
    before[0] = np.nan
    after = before.copy()
    after[1:, 0] = 1
    first, second = comparison.gains([before, after, after])
    assert (first["mean"], first["low"], first["high"], first["people"]) == (0.5, 0.5, 0.5, 5)
    assert second["mean"] == 0


def test_people_from_easy_to_hard():
    shares = np.array([[0.1, 0.9, 0.5, np.nan, 0.3], [0.1, 0.7, 0.5, 1.0, 0.3]])
    assert comparison.from_easy_to_hard(shares, 2).tolist() == [1, 0]
    assert comparison.from_easy_to_hard(shares, 4).tolist() == [1, 2, 4, 0]
    assert comparison.from_easy_to_hard(shares, 9).tolist() == [1, 2, 4, 0]
    assert comparison.from_easy_to_hard(np.full((2, 3), np.nan), 2).tolist() == []


@settings(deadline=None, max_examples=20)
@given(st.integers(3, 5), st.integers(2, 12))
def test_a_constant_difference_has_no_width(seeds, people):
    hits, reference = np.ones((seeds, people, 3)), np.zeros((seeds, people, 3))
    found = comparison.difference(hits, reference)
    assert [found.mean, found.low, found.high] == pytest.approx([1, 1, 1])


def test_relative_gain_and_difference_are_paired_and_skip_what_is_not_labelled():
    reference = np.array([[[1.0, 0.0], [1.0, np.nan]]] * 3)  # two of three joints, for three seeds
    hits = np.array([[[1.0, 1.0], [1.0, 1.0]]] * 3)
    assert comparison.relative(hits, reference).mean == pytest.approx(0.5)
    found = comparison.difference(hits, reference)
    assert found.mean == pytest.approx(1 / 3) and (found.over, found.n) == ("seeds and people", (3, 2))


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("measure", [comparison.difference, comparison.relative])
def test_fewer_than_three_trainings_have_no_interval(seeds, measure):
    random = np.random.default_rng(0)
    found = measure(*(random.random((2, seeds, 40, 5)) > 0.5).astype(float))
    assert np.isfinite(found.mean) and np.isnan([found.low, found.high]).all()


def test_what_is_relative_to_nothing_is_unknown():
    found = comparison.relative(np.ones((3, 4, 2)), np.zeros((3, 4, 2)))
    assert np.isnan([found.mean, found.low, found.high]).all()


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize(("of_seeds", "of_people"), [(0.0, 0.0), (0.02, 0.0), (0.02, 0.1), (0.05, 0.1)])
def test_coverage(seeds, of_seeds, of_people):
    """Intervals of hits hold the true difference and the true relative gain 93 to 97 times in a hundred."""
    random, people, joints, draws = np.random.default_rng(3), 200, 14, 600
    base, gain = 0.4, 0.05
    held = np.zeros(2)
    for _ in range(draws):
        ease = 0.15 * random.uniform(-1, 1, (people, 1))
        rates = [
            base + g + ease + of_seeds * random.standard_normal((seeds, 1, 1)) + (g > 0) * of_people * random.uniform(-1, 1, (people, 1))
            for g in (0, gain)
        ]
        reference, hits = ((random.random((seeds, people, joints)) < rate).astype(float) for rate in rates)
        blocks = comparison.difference(hits, reference), comparison.relative(hits, reference)
        held += [block.low <= truth <= block.high for block, truth in zip(blocks, (gain, gain / base), strict=True)]
    noise = 2 * np.sqrt(0.95 * 0.05 / draws)
    assert ((0.93 - noise <= held / draws) & (held / draws <= 0.97 + noise)).all(), held / draws
