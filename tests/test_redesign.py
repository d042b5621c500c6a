"""Redesigns on equal terms: what a squeeze begins as, what a variant costs, and the rule for the winner."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from planted import RECIPE, planted

from posekit import Backend, HourglassConfig, PosekitError, fit
from posekit.engine import weights
from posekit.interpret.activations.codes import collect
from posekit.models.squeeze import Autoencoder, Noise
from posekit.studies import redesign
from posekit.studies.redesign import Pretraining

CONFIG = HourglassConfig.narrow(16, joints=14, depth=2, bottleneck_residuals=2)
SIDE = RECIPE.resolution // 16


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("crops"))


@pytest.fixture(scope="module")
def base(crops, tmp_path_factory):
    return fit(CONFIG, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path_factory.mktemp("base"), backend=Backend.plain())


def test_the_base_is_untouched_by_training_the_autoencoder_alone(crops, base, tmp_path):
    before = base.read_bytes()
    config = dataclasses.replace(CONFIG, squeeze="autoencoder", dimensions=5, code_side=SIDE, code_noise=0.1)
    redesign.init_squeeze(base, config, "trained", *crops, tmp_path / "begin.safetensors", Pretraining(epochs=2), backend=Backend.plain())
    assert base.read_bytes() == before
    (network, _), (squeezed, card) = weights.load(base), weights.load(tmp_path / "begin.safetensors")
    kept = squeezed.state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(value, kept.pop(name)), name
    assert kept and all(name.startswith("stack0.squeeze.") for name in kept)
    assert squeezed.config == config == HourglassConfig.from_dict(card.config)
    assert [line["epoch"] for line in json.loads((tmp_path / "pretraining.json").read_text())] == [1, 2]


def test_begun_with_all_components_the_network_answers_as_before(crops, base, tmp_path):
    network, card = weights.load(base)
    numbers = collect(network, card, crops[0], "stack0.bottleneck2", backend=Backend.plain())
    if len(numbers) <= numbers.shape[1]:  # fewer people than numbers: all components that there are hold these people's codes
        dimensions = len(numbers) - 1
    else:
        dimensions = numbers.shape[1]
    config = dataclasses.replace(CONFIG, squeeze="linear", dimensions=dimensions, code_side=SIDE)
    redesign.init_squeeze(base, config, "components", *crops, tmp_path / "begin.safetensors", backend=Backend.plain())
    squeezed, _ = weights.load(tmp_path / "begin.safetensors")
    codes = collect(squeezed, card, crops[0], "stack0.squeeze", backend=Backend.plain())
    np.testing.assert_allclose(codes, numbers, atol=1e-3 * np.abs(numbers).max())


def test_random_directions_are_orthonormal():
    directions = redesign.orthonormal_directions(5, 24, seed=1)
    np.testing.assert_allclose(directions @ directions.T, np.eye(5), atol=1e-12)
    assert not np.allclose(directions, redesign.orthonormal_directions(5, 24, seed=2))


def test_an_autoencoder_alone_learns_codes_that_lie_on_a_few_directions():
    torch.manual_seed(0)
    codes = torch.randn(400, 2) @ torch.randn(2, 8 * 4)
    how = Pretraining(epochs=30, lr=0.005, halved=25)
    autoencoder = Autoencoder(features=8, side=2, dimensions=2)
    history = redesign.pretrain(autoencoder, Noise(0.1), codes[:300].view(-1, 8, 2, 2), codes[300:].view(-1, 8, 2, 2), how)
    assert history[-1]["explained"] > 0.5 > history[0]["explained"]


def test_the_studys_rate_is_halved_every_25_epochs():
    assert [Pretraining().lr_at(epoch) for epoch in (0, 24, 25, 49, 50)] == [5e-4, 5e-4, 2.5e-4, 2.5e-4, 1.25e-4]


def test_a_base_that_is_another_network_is_refused(crops, base, tmp_path):
    config = dataclasses.replace(CONFIG, features=18, squeeze="linear", dimensions=3, code_side=SIDE)
    with pytest.raises(PosekitError, match="to which a squeeze alone does not make"):
        redesign.init_squeeze(base, config, "components", *crops, tmp_path / "begin.safetensors", backend=Backend.plain())
    assert not (tmp_path / "begin.safetensors").exists()


def test_own_variants_cost_no_more_than_the_base():
    limit = redesign.parameters(CONFIG), redesign.macs(CONFIG, 64)
    for variant in redesign.own_variants(CONFIG, 64):
        assert redesign.parameters(variant.config) <= limit[0] and redesign.macs(variant.config, 64) <= limit[1], variant.name


def test_the_wider_network_has_the_autoencoders_parameters():
    by_name = {variant.name: variant.config for variant in redesign.study_variants(HourglassConfig(joints=14), 50, 4)}
    wanted = redesign.parameters(by_name["autoencoder"])
    assert redesign.parameters(by_name["wider"]) == pytest.approx(wanted, rel=0.02)


def test_multiply_adds_are_those_of_the_literature():
    assert redesign.macs(HourglassConfig(), 256) == pytest.approx(5.2e9, rel=0.02)


def test_the_winner_is_the_best_on_validation_people_that_costs_no_more():
    costs = {"base": (10, 10), "dear": (11, 9), "cheap": (9, 10), "other": (10, 10)}
    scores = {"base": [0.5, 0.5], "dear": [0.9, 0.9], "cheap": [0.6, 0.4], "other": [0.6, 0.5]}
    assert redesign.winner(scores, costs, "base") == "other"
    assert redesign.winner(scores | {"base": [0.8, 0.8]}, costs, "base") == "base"
