"""From a recipe to a weights file: where training begins, and what the card says of it."""

import dataclasses

import pytest
import torch
from planted import RECIPE, planted

from posekit import HourglassConfig, Machine, PosekitError, fit, weights

CONFIG = HourglassConfig.narrow(16, joints=14, depth=2)


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("crops"))


def test_training_begins_with_the_given_weights(crops, tmp_path):
    first = fit(CONFIG, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path / "first", machine=Machine.plain())
    still = dataclasses.replace(RECIPE, epochs=1, rate=1e-12, seed=5)  # another seed: at random it would begin elsewhere
    second = fit(CONFIG, still, *crops, tmp_path / "second", start=first, machine=Machine.plain())
    (one, _), (two, card) = weights.load(first), weights.load(second)
    for (name, a), b in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6), name
    assert card.recipe["start"] == "weights" and card.name == "second" and len(card.history) == 1
    assert 0 <= card.metrics["metrics"]["pck@0.2·torso"]["mean"] <= 1
    assert card.data == card.metrics["data"] == "planted@train"


def test_weights_of_another_network_are_refused(crops, tmp_path):
    first = fit(CONFIG, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path / "first", machine=Machine.plain())
    other = dataclasses.replace(CONFIG, skips=False)
    with pytest.raises(PosekitError, match=r"since its network is another: skips True, not False$"):
        fit(other, RECIPE, *crops, tmp_path / "other", start=first, machine=Machine.plain())
    assert not (tmp_path / "other").exists()
