"""What OpenVINO computes against the network itself, and when it is asked."""

import gc
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from posekit import trace
from posekit.engine.backend import Backend
from posekit.engine.inference import runtime
from posekit.engine.inference.prediction import Fast, Predictor
from posekit.engine.weights import Card
from posekit.models.hourglass import Hourglass, HourglassConfig

needs_openvino = pytest.mark.skipif(runtime.importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
FLOAT32 = Backend(torch.device("cpu"), bf16=False, channels_last=True, can_compile=False)
VARIANTS = {
    "newell": HourglassConfig.narrow(32, depth=2),
    "two-stacks": HourglassConfig.narrow(32, depth=2, stacks=2),
    "study": HourglassConfig.study(features=32, stem=(8, 16, 16), depth=2, stacks=3),
    "two-residuals": HourglassConfig.narrow(32, depth=3, residuals=2),
    "no-skips": HourglassConfig.narrow(32, depth=2, stacks=2, skips=False),
    "some-skips": HourglassConfig.narrow(32, depth=3, skips=(1, 3), early_pool=True, code_noise=0.2),
    "autoencoder": HourglassConfig.narrow(32, depth=2, squeeze="autoencoder", dimensions=9, code_side=4),
    "linear": HourglassConfig.narrow(32, depth=2, stacks=2, squeeze="linear", dimensions=9, code_side=4),
    "basic": HourglassConfig.narrow(32, depth=2, basic=True, stacks=2),
    "stacks": HourglassConfig.narrow(32, depth=1, stacks=3, normalised_heatmaps=True),
    "same-width": HourglassConfig(joints=14, features=32, stem=(32, 32, 32), depth=1),
}


@pytest.fixture(params=["float32", "bfloat16"])
def backend(request):
    """Each precision that this machine has."""
    best = Backend.best("cpu")
    if request.param == "bfloat16" and not best.bf16:
        pytest.skip("this processor, or what the environment lets torch use of it, has no bfloat16")
    return best if request.param == "bfloat16" else FLOAT32


def trained(config, seed=0):
    """A network whose batch normalisations have seen something, some with negative scales."""
    torch.manual_seed(seed)
    model = Hourglass(config).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.uniform_(0.3, 1.3)
                module.bias.normal_(0, 0.3)
        model.stack0.encoder1[0].bn1.weight[::3] *= -1
        model.stack0.encoder1[0].bn1.weight[1] = 0
    return model


def apart(found, expected):
    """The largest difference as a share of the range."""
    return float((found - expected).abs().max() / (expected.max() - expected.min()))


@needs_openvino
@pytest.mark.parametrize("name", VARIANTS)
def test_compiled_networks_have_the_same_heatmaps(name, backend):
    model = trained(VARIANTS[name])
    size = (64, 64) if VARIANTS[name].squeeze else (96, 64)  # a squeeze is of one size of map
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for count in (2, 1, 5, 2):
        pictures = torch.rand(count, 3, *size)
        with torch.no_grad():
            expected, found = model(pictures), runtime.answer(model, backend, pictures)
        assert found is not None and found.dtype == torch.float32 and found.shape == expected.shape and expected.std() > 0.05
        if backend.bf16:
            assert (found - expected).abs().mean() < 0.02 * expected.std()
        else:
            assert apart(found, expected) < 1e-4
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@needs_openvino
def test_compiled_networks_are_no_less_precise_than_mixed_precision(backend):
    if not backend.bf16:
        pytest.skip("float32 is compared with the network itself")
    model = trained(VARIANTS["two-stacks"])
    pictures = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        expected = model(pictures)
        quick = runtime.answer(model, backend, pictures)
        with backend.autocast():
            mixed = backend.place(model)(backend.pictures(pictures)).float()
    assert (quick - expected).abs().mean() < 1.5 * (mixed - expected).abs().mean()


class Changing(nn.Module):
    """What no trace sees: the answer depends on how many pictures there are."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 1)

    def forward(self, x):
        return self.conv(x)[:, None] * (2 if len(x) > 2 else 1)


class Untraced(Changing):
    def forward(self, x):
        return torch.from_numpy(np.sort(self.conv(x).detach().numpy()))[:, None]


@needs_openvino
@pytest.mark.parametrize("kind", [Changing, Untraced])
def test_what_cannot_be_compiled_is_computed_by_the_network_itself(kind):
    model, pictures = kind().eval(), torch.rand(4, 3, 16, 16)
    assert runtime.answer(model, FLOAT32, pictures) is None
    with torch.inference_mode():
        assert torch.allclose(Fast(model, FLOAT32, expected=np.inf)(pictures), model(pictures), atol=1e-6)


@needs_openvino
def test_nothing_is_compiled_while_somebody_looks_on():
    model = trained(VARIANTS["newell"])
    with trace(model, ["stem"]):
        assert runtime.answer(model, FLOAT32, torch.rand(1, 3, 64, 64)) is None


@needs_openvino
def test_changed_weights_are_compiled_anew():
    model, pictures = trained(VARIANTS["newell"]), torch.rand(2, 3, 64, 64)
    network = Fast(model, FLOAT32, expected=np.inf)
    with torch.inference_mode():
        before = network(pictures)
    with torch.no_grad():
        model.stack0.heatmaps.weight.mul_(2)
        model.stack0.heatmaps.bias.mul_(2)
    with torch.inference_mode():
        assert apart(network(pictures), 2 * before) < 1e-4
    model.stack0.heatmaps.weight.data.mul_(2)  # which counts as no change of the tensor
    model.stack0.heatmaps.bias.data = 2 * model.stack0.heatmaps.bias.data
    with torch.inference_mode():
        assert apart(network(pictures), 4 * before) < 1e-4


@pytest.fixture
def heard():
    """Ctrl-C as in a terminal: a job in the background begins with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@needs_openvino
def test_ctrl_c_is_heard_after_compiled_networks_have_gone(heard):
    models = [trained(VARIANTS["newell"]) for _ in range(2)]
    for model in models:
        runtime.answer(model, FLOAT32, torch.rand(1, 3, 64, 64))
    while models:
        del models[0]
        model = None
        gc.collect()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def counted(monkeypatch):
    """How often OpenVINO was asked for."""
    asked = []
    monkeypatch.setattr(runtime, "answer", lambda *given: asked.append(given))
    return asked


def test_few_pictures_are_not_worth_converting(counted):
    model = trained(VARIANTS["newell"])
    count = round(runtime.pictures_worth(model, (64, 64)))
    assert count > 100
    network, pictures = Fast(model, FLOAT32), torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        network(pictures)
        network.pictures = count - 2  # as if so many had been computed already
        network(pictures)
        assert not counted
        network(pictures)
        assert len(counted) == 1
        Fast(model, FLOAT32, expected=count + 1)(pictures)
        assert len(counted) == 2
        Fast(model, Backend.plain(), expected=np.inf)(pictures)
        assert len(counted) == 2


def test_a_gpu_has_no_use_for_it(monkeypatch):
    gpu = Backend(torch.device("cuda"), True, True, True)
    assert runtime.answer(trained(VARIANTS["newell"]), gpu, torch.rand(1, 3, 64, 64)) is None
    monkeypatch.setattr(runtime, "installed", lambda: False)
    assert runtime.answer(trained(VARIANTS["newell"]), FLOAT32, torch.rand(1, 3, 64, 64)) is None  # nor has who did not install it


@needs_openvino
def test_nothing_is_sent_to_anybody(tmp_path):
    code = (
        "import os, torch; from posekit.engine.inference import runtime; from posekit import Backend; "
        "plain = Backend(torch.device('cpu'), False, True, False); "
        "print(runtime.answer(torch.nn.Conv2d(3, 4, 1).eval(), plain, torch.rand(1, 3, 8, 8)) is not None); "
        "from openvino_telemetry import Telemetry; print(Telemetry().consent, os.environ.get('CI'))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "None"] and not list(tmp_path.iterdir())


@needs_openvino
def test_predictors_are_pickled_without_what_was_compiled(monkeypatch):
    monkeypatch.setattr(runtime, "WORTH", 0)
    card = Card("toy", VARIANTS["newell"].to_dict(), "coco", 64, "mse")
    predictor = Predictor(Hourglass(HourglassConfig.narrow(32, joints=17, depth=2)), card, FLOAT32)
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    found = predictor.predict(picture).keypoints
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(predictor)).predict(picture).keypoints, found)
