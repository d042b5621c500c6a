"""From a recipe to a weights file: where training begins, and what the card says of it."""

import dataclasses
import signal

import pytest
import torch
from planted import RECIPE, planted

from posekit import Backend, HourglassConfig, PosekitError, fit
from posekit.engine import weights

CONFIG = HourglassConfig.narrow(16, joints=14, depth=2)


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("crops"))


def parameters(path) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(weights.load(path)[0].parameters())


def test_training_begins_with_the_given_weights(crops, tmp_path):
    first = fit(CONFIG, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path / "first", backend=Backend.plain())
    still = dataclasses.replace(RECIPE, epochs=1, lr=1e-12, seed=5)  # another seed: at random it would begin elsewhere
    second = fit(CONFIG, still, *crops, tmp_path / "second", start=first, backend=Backend.plain())
    (one, _), (two, card) = weights.load(first), weights.load(second)
    for (name, a), b in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6), name
    assert card.recipe["start"] == "first" and card.name == "second" and len(card.history) == 1
    assert 0 <= card.metrics["metrics"]["pck@0.2·torso"]["mean"] <= 1
    assert card.data == card.metrics["data"] == "planted@train"


def test_weights_of_another_network_are_refused(crops, tmp_path):
    first = fit(CONFIG, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path / "first", backend=Backend.plain())
    other = dataclasses.replace(CONFIG, skips=False)
    with pytest.raises(PosekitError, match=r"since its network is another: skips True, not False$"):
        fit(other, RECIPE, *crops, tmp_path / "other", start=first, backend=Backend.plain())
    assert not (tmp_path / "other").exists()


def test_another_start_is_not_resumed(crops, tmp_path):
    short, plain = dataclasses.replace(RECIPE, epochs=1), {"backend": Backend.plain()}
    one, other = (fit(CONFIG, dataclasses.replace(short, seed=seed), *crops, tmp_path / str(seed), **plain) for seed in (1, 2))
    path = fit(CONFIG, short, *crops, tmp_path / "third", start=one, **plain)
    before = parameters(path)
    for start in (other, None):
        with pytest.raises(PosekitError, match=r"third/last\.pt is of another recipe, network, start or data"):
            fit(CONFIG, short, *crops, tmp_path / "third", start=start, **plain)
    moved = one.rename(one.with_name("elsewhere.safetensors"))  # the same weights under another name are the same start
    assert torch.equal(parameters(fit(CONFIG, short, *crops, tmp_path / "third", start=moved, **plain)), before)
    assert not torch.equal(parameters(fit(CONFIG, short, *crops, tmp_path / "third", start=other, resume=False, **plain)), before)


def test_a_training_with_a_start_resumes_to_the_same_weights(crops, tmp_path):
    plain = {"backend": Backend.plain()}
    start = fit(CONFIG, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path / "start", **plain)
    whole = fit(CONFIG, RECIPE, *crops, tmp_path / "whole", start=start, **plain)

    def press(figures):
        if figures["step"] == 6:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(CONFIG, RECIPE, *crops, tmp_path / "twice", start=start, report=press, **plain)
    twice = fit(CONFIG, RECIPE, *crops, tmp_path / "twice", start=start, **plain)
    assert torch.equal(parameters(whole), parameters(twice))


@pytest.mark.parametrize("loss, lr", [("cross-entropy", 1e-2), ("mse", 5e-3)])
def test_history_and_card_name_the_same_number(crops, tmp_path, loss, lr):
    """Both are the share of all labelled joints found, decoded in the same way."""
    recipe = dataclasses.replace(RECIPE, epochs=6, loss=loss, lr=lr)
    card = weights.load(fit(CONFIG, recipe, *crops, tmp_path, backend=Backend.plain()))[1]
    best = card.history[card.metrics["epoch"] - 1]
    assert best["pck"] == pytest.approx(card.metrics["metrics"]["pck@0.2·torso"]["mean"], abs=1e-12) and best["pck"] > 0


def test_lists_in_a_configuration_are_trained_and_kept(crops, tmp_path):
    config = HourglassConfig(joints=14, features=16, depth=2, stem=[4, 8, 8], skips=[1])
    network, _ = weights.load(fit(config, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path, backend=Backend.plain()))
    assert network.config == config and config.skip_levels == (1,)
