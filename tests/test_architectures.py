"""What holds for every network: shapes, gradients, the same door for training, storing, scoring and predicting."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from planted import RECIPE, planted

from posekit import Backend, HourglassConfig, PosekitError, evaluate, fit, load, models
from posekit.engine import weights
from posekit.engine.inference.prediction import by_modules, decode, predict_crops, predict_heatmaps
from posekit.interpret.activations.ablation import skip_hook_points
from posekit.interpret.activations.codes import code_hook_point
from posekit.interpret.activations.stacks import need_stacks
from posekit.losses import loss_sum
from posekit.models.deeppose import DeepPoseConfig
from posekit.models.feedback import FeedbackConfig
from posekit.models.parts import PartsConfig
from posekit.models.transpose import TransPoseConfig
from posekit.skeleton import LSP

START = tuple((x / 20, y / 20) for x in (-1, 1) for y in range(-3, 4))
CONFIGS = {
    "hourglass": HourglassConfig.narrow(16, joints=14, depth=2, stacks=2),
    "deeppose": DeepPoseConfig(joints=14, stages=3, features=8, pixels=16),
    "feedback": FeedbackConfig(14, START, steps=3, features=8),
    "transpose": TransPoseConfig(joints=14, features=16, layers=2, heads=2, hidden=16),
    "parts": PartsConfig(14, (-1, *range(13)), mixtures=2),
}
STAGES = {"hourglass": 2, "deeppose": 3, "feedback": 3, "transpose": 1, "parts": 1}
TRAINED = [name for name in CONFIGS if name != "parts"]
SIDE = 32


def loss_of(name):
    return "coordinates" if name in models.REGRESSORS else "cross-entropy"


def recipe_of(name, **changes):
    return dataclasses.replace(RECIPE, epochs=2, lr=3e-3, loss=loss_of(name), **changes)


def network(name):
    torch.manual_seed(0)
    model = models.build(CONFIGS[name])
    if name == "parts":  # fitted, not trained: as built its templates are empty
        torch.nn.init.normal_(model.templates)
    return model


def pictures(count=3):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def card_of(name, **changes):
    values = {"name": name, "config": CONFIGS[name].to_dict(), "skeleton": "lsp", "resolution": SIDE, "loss": loss_of(name)}
    return weights.Card(**values | {"architecture": name} | changes)


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("crops"), hidden=0.2)


def test_all_are_here():
    assert CONFIGS.keys() == models.ARCHITECTURES.keys()


@pytest.mark.parametrize("name", CONFIGS)
def test_the_answer_has_its_shape_and_is_finite(name):
    model = network(name).eval()
    with torch.inference_mode():
        answer = model(pictures())
    per_joint = (2,) if name in models.REGRESSORS else (SIDE // 4, SIDE // 4)
    assert answer.shape == (3, STAGES[name], 14, *per_joint) and answer.dtype == torch.float32
    assert answer.isfinite().all()


@pytest.mark.parametrize("name", CONFIGS)
def test_people_do_not_meet_in_prediction(name):
    model = network(name).eval()
    with torch.inference_mode():
        assert torch.allclose(model(pictures())[1:2], model(pictures()[1:2]), atol=1e-4)


@pytest.mark.parametrize("name", TRAINED)
def test_every_parameter_has_a_gradient_and_none_is_nan(name):
    model = network(name).train()
    points = torch.cat([torch.rand(3, 14, 2) * SIDE, torch.full((3, 14, 1), 2.0)], -1)
    points[1, 4] = torch.tensor([torch.nan, torch.nan, 0.0])
    if name in models.REGRESSORS:
        output, target = model(pictures(), points), points[..., :2]
    else:
        output, target = model(pictures()), torch.rand(3, 14, SIDE // 4, SIDE // 4)
    loss = loss_sum(output, target, points[..., 2] > 0, loss_of(name))
    assert loss.isfinite()
    loss.backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
    assert sum(bool(p.grad.any()) for p in model.parameters()) > 0.9 * len(list(model.parameters()))


@pytest.mark.parametrize("name", CONFIGS)
def test_relus_are_modules_and_not_in_place(name):
    assert all(not m.inplace for m in network(name).modules() if isinstance(m, torch.nn.ReLU))


@pytest.mark.parametrize("name", CONFIGS)
def test_the_configuration_survives_json(name):
    config = CONFIGS[name]
    again = type(config).from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config and hash(again) == hash(config) and models.architecture_of(again) == name


@pytest.mark.parametrize("name", CONFIGS)
def test_stored_and_loaded_it_answers_the_same(name, tmp_path):
    model = network(name).eval()
    weights.save(tmp_path / "a.safetensors", model, card_of(name))
    found, card = weights.load(tmp_path / "a.safetensors")
    assert card.architecture == name and type(found) is type(model) and not found.training
    with torch.inference_mode():
        assert torch.equal(found(pictures()), model(pictures()))


@pytest.mark.parametrize("name", TRAINED)
def test_trained_scored_and_asked_through_the_same_door(name, crops, tmp_path):
    path = fit(CONFIGS[name], recipe_of(name), *crops, tmp_path / name, backend=Backend.plain())
    card = weights.load(path)[1]
    assert card.architecture == name and len(card.history) == 2
    assert all(np.isfinite(line["loss"]) for line in card.history)
    result = evaluate(path, crops[1], backend=Backend.plain())
    assert len(result["stacks"]) == STAGES[name] and result["architecture"] == name
    assert result["metrics"]["pck@0.2·torso"]["mean"] == card.metrics["metrics"]["pck@0.2·torso"]["mean"]
    predictor = load(path)
    picture = np.zeros((50, 40, 3), np.uint8)
    assert predictor.predict(picture, [[5, 5, 20, 30], [0, 0, 30, 30]], flip=True).keypoints.shape == (2, 14, 3)
    assert name in repr(predictor)


@pytest.mark.parametrize("name", ["deeppose", "feedback", "transpose"])
def test_resuming_ends_in_the_same_weights(name, crops, tmp_path):
    recipe = recipe_of(name)

    def stop(line):
        if line.get("step") == 5:
            raise RuntimeError

    whole = fit(CONFIGS[name], recipe, *crops, tmp_path / "whole", backend=Backend.plain())
    with pytest.raises(RuntimeError):  # as if killed: what the last whole epoch kept is all there is
        fit(CONFIGS[name], recipe, *crops, tmp_path / "twice", backend=Backend.plain(), report=stop)
    twice = fit(CONFIGS[name], recipe, *crops, tmp_path / "twice", backend=Backend.plain())
    a, b = (weights.load(path)[0].state_dict() for path in (whole, twice))
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_flip_test_is_its_own_mirror_image(name):
    model, card, batch = network(name).eval(), card_of(name), pictures()
    ask = by_modules(model, Backend.plain())
    here, there = (predict_heatmaps(ask, card, p, flip=True) for p in (batch, batch.flip(-1)))
    eye = np.tile(np.eye(3), (len(batch), 1, 1))
    a, b = decode(here[:, -1], card, eye), decode(there[:, -1], card, eye)[:, list(LSP.mirrored)]
    b[..., 0] = SIDE - 1 - b[..., 0]
    assert np.abs(a - b).max() < (1e-3 if name in models.REGRESSORS else 1e-4)


def test_coordinates_come_back_to_the_picture_they_were_cut_from(crops):
    """A regressor that answers with the middle of its input points at the middle of the crop, wherever that was cut."""
    middle = (SIDE - 1) / 2
    found = predict_crops(
        network("deeppose"), card_of("deeppose"), crops[1], backend=Backend.plain(),
        network=lambda batch: torch.full((len(batch), 1, 14, 2), middle),
    )  # fmt: skip
    size = crops[1].size
    centre = np.array([(size - 1) / 2, (size - 1) / 2, 1])
    expected = (np.linalg.inv(crops[1].matrices) @ centre)[:, None, :2]
    np.testing.assert_allclose(found[0, ..., :2], np.broadcast_to(expected, found[0, ..., :2].shape), atol=1e-9)
    assert (found[..., 2] == 1).all()


@pytest.mark.parametrize("name", ["deeppose", "feedback", "transpose", "parts"])
def test_what_needs_an_hourglass_says_so_in_one_line(name):
    for question in (code_hook_point, skip_hook_points, lambda model: need_stacks(model, "mine")):
        with pytest.raises(PosekitError, match=r"give an hourglass") as error:
            question(network(name))
        assert "\n" not in str(error.value)


def test_a_loss_that_does_not_go_with_the_network_is_refused(crops, tmp_path):
    with pytest.raises(PosekitError, match="loss 'mse': deeppose cannot be trained by it; give coordinates"):
        fit(CONFIGS["deeppose"], dataclasses.replace(RECIPE, loss="mse"), *crops, tmp_path)
    with pytest.raises(PosekitError, match="loss 'coordinates': hourglass cannot be trained by it"):
        fit(CONFIGS["hourglass"], dataclasses.replace(RECIPE, loss="coordinates"), *crops, tmp_path)
    with pytest.raises(PosekitError, match=r"a PartsConfig, which is fitted and not trained; .* posekit\.fit_parts"):
        fit(CONFIGS["parts"], RECIPE, *crops, tmp_path)
    with pytest.raises(ValueError, match="no loss 'mse' of feedback"):
        weights.Card.from_dict(card_of("feedback", loss="mse").to_dict())
    with pytest.raises(ValueError, match="no architecture 'oracle'"):
        weights.Card.from_dict(card_of("feedback", architecture="oracle").to_dict())


def test_what_is_no_configuration_is_refused():
    for value in ("hourglass", None, network("hourglass")):
        with pytest.raises(PosekitError, match=rf"config is a {type(value).__name__}, which describes no network; give a HourglassConfig"):
            models.architecture_of(value)


def test_a_card_of_another_architecture_is_refused(tmp_path):
    with pytest.raises((ValueError, TypeError)):
        weights.save(tmp_path / "a.safetensors", network("transpose"), card_of("hourglass"))
    assert not list(tmp_path.iterdir())
