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
@given(st.integers(2, 5), st.integers(2, 12), st.floats(-1, 1))
def test_a_constant_difference_has_no_interval(seeds, people, shift):
    mean, low, high = comparison.crossed(np.full((seeds, people), 3 * shift), np.full((seeds, people), 3))
    assert mean == pytest.approx(shift) and low == pytest.approx(shift) and high == pytest.approx(shift)


def test_intervals_hold_both_what_seeds_and_what_people_add():
    random = np.random.default_rng(0)
    by_seed, by_person = random.normal(size=(8, 1)), random.normal(size=(1, 200))
    counts = np.ones((8, 200))
    seeds, people, both = (
        np.ptp(comparison.crossed(effect + 0 * counts, counts)[1:]) for effect in (by_seed, by_person, by_seed + by_person)
    )
    assert seeds == pytest.approx(2 * 1.96 * by_seed.std() / np.sqrt(8), rel=0.25)
    assert people == pytest.approx(2 * 1.96 * by_person.std() / np.sqrt(200), rel=0.25)
    assert both == pytest.approx(np.hypot(seeds, people), rel=0.1)


def test_relative_gain_and_difference_are_paired_and_skip_what_is_not_labelled():
    reference = np.array([[[1.0, 0.0], [1.0, np.nan]]] * 2)  # two of three joints, for two seeds
    hits = np.array([[[1.0, 1.0], [1.0, 1.0]]] * 2)
    assert comparison.relative(hits, reference)[0] == pytest.approx(0.5)
    block = comparison.difference(hits, reference)
    assert block["mean"] == pytest.approx(1 / 3) and (block["people"], block["seeds"]) == (2, 2)
