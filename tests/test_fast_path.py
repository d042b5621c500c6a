"""Every fast path against the plain one: gradients in mixed precision and compiled, and the fused network."""

import shutil
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from posekit import heatmaps as hm
from posekit.machine import Machine
from posekit.memory import keep_memory
from posekit.models.fuse import fused, predictor
from posekit.models.hourglass import Hourglass, HourglassConfig, Residual, upsample

SMALL = HourglassConfig.narrow(64, joints=5, depth=2)
FAST = Machine(torch.device("cpu"), bf16=True, channels_last=True, can_compile=True)
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
    "eighth": HourglassConfig.narrow(32, depth=1, eighth=True),
    "stacks at an eighth": HourglassConfig.narrow(32, depth=1, stacks=3, eighth=True, normalised_heatmaps=True),
    "same-width": HourglassConfig(joints=14, features=32, stem=(32, 32, 32), depth=1),
}


class Level(nn.Module):
    """One level of an hourglass with both kinds of head: the least with up-sampling, skip connection, pooling and sub-pixels."""

    def __init__(self):
        super().__init__()
        self.pool, self.inner, self.skip = nn.MaxPool2d(2), Residual(16, 16), Residual(16, 16)
        self.norm, self.heatmaps = nn.BatchNorm2d(16), nn.Conv2d(16, 5, 1)
        self.finer = nn.Sequential(nn.Conv2d(16, 20, 1), nn.PixelShuffle(2))

    def forward(self, x):
        y = self.inner(self.pool(x))
        return (self.heatmaps(self.norm(upsample(y) + self.skip(x))) + self.finer(y))[:, None]


def gradients(model, machine, dtype=torch.float32, compiled=False):
    """The gradient of each parameter after one pass of a fixed batch."""
    torch.manual_seed(0)
    model = machine.place(model().to(dtype))
    channels, size = (16, 16) if isinstance(model, Level) else (3, 64)
    blobs = hm.encode(torch.rand(16, 20 * channels, 2) * size, size, sigma=2)
    inputs, points = blobs.view(16, channels, 20, size, size).mean(2) * 10, torch.rand(16, 5, 2) * 15
    network = torch.compile(model, dynamic=False) if compiled else model
    with machine.autocast():
        output = network(machine.pictures(inputs.to(dtype)))
    mass = hm.encode(points, 16).to(dtype).flatten(-2)
    mass = (mass / mass.sum(-1, keepdim=True))[:, None]
    loss = -(mass * output.to(dtype).flatten(-2).log_softmax(-1)).sum()  # cross-entropy, in the precision asked for
    loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def assert_parallel(found, exact, least, mean):
    """Every gradient points where the float64 one does; a bias whose shift is normalised away has none.

    A gradient that is lost has cosine 0, and a wrong one of a convolution's some thousand weights 0 to a few
    hundredths.
    """
    assert all(gradient is not None for gradient in found.values())
    live = [name for name, gradient in exact.items() if gradient.norm() > 1e-9]
    assert all(name.endswith("bias") for name in exact if name not in live)
    cosines = {name: float(F.cosine_similarity(found[name].flatten().double(), exact[name].flatten(), 0)) for name in live}
    assert min(cosines.values()) >= least, min(cosines.items(), key=lambda item: item[1])
    assert sum(cosines.values()) / len(cosines) >= mean
    for name in live:
        assert 0.5 < found[name].norm() / exact[name].norm() < 2, name
    return live


@pytest.fixture(scope="module")
def exact():
    return gradients(lambda: Hourglass(SMALL), Machine.plain(), torch.float64)


def test_the_plain_path_has_the_exact_gradients(exact):
    live = assert_parallel(gradients(lambda: Hourglass(SMALL), Machine.plain()), exact, 0.999, 0.9999)
    below_an_upsampling = [name for name in live if any(part in name for part in (".decoder", ".bottleneck", ".encoder"))]
    assert len(below_an_upsampling) > 30


def test_mixed_precision_has_the_gradients_of_the_plain_path(exact):
    assert_parallel(gradients(lambda: Hourglass(SMALL), FAST), exact, 0.3, 0.85)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
def test_compiled_mixed_precision_has_the_gradients_of_the_plain_path():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's own
        found = gradients(Level, FAST, compiled=True)
    live = assert_parallel(found, gradients(Level, Machine.plain(), torch.float64), 0.9, 0.98)
    assert sum(name.startswith("inner") for name in live) > 6  # below the up-sampling


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


@pytest.mark.parametrize("name", VARIANTS)
def test_fused_networks_have_the_same_heatmaps(name):
    model = trained(VARIANTS[name])
    pictures = torch.rand(2, 3, 64, 64 if VARIANTS[name].squeeze else 96)  # a squeeze is of one size of map
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        expected = model(pictures)
        assert expected.std() > 0.05
        for machine in (Machine.plain(), Machine(torch.device("cpu"), False, True, False)):
            assert (predictor(model, machine)(pictures) - expected).abs().max() < 1e-4
        assert (fused(model)(pictures) - expected).abs().max() < 1e-4
        half = predictor(model, FAST)(pictures)
    assert half.dtype == torch.float32 and half.shape == expected.shape
    assert (half - expected).abs().mean() < 0.02 * expected.std()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_fused_networks_are_no_less_precise_than_mixed_precision():
    model = trained(VARIANTS["two-stacks"])
    pictures = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        expected = model(pictures)
        quick = predictor(model, FAST)(pictures)
        with FAST.autocast():
            mixed = FAST.place(model)(FAST.pictures(pictures)).float()
    assert (quick - expected).abs().mean() < 1.5 * (mixed - expected).abs().mean()


def test_memory_can_be_kept_and_given_back():
    assert keep_memory() == keep_memory(False)
