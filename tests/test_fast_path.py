"""Every fast path of training against the plain one: gradients channels-last, in mixed precision and compiled."""

import os
import shutil
import subprocess
import sys
import timeit
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from posekit import heatmaps as hm
from posekit.engine.backend import Backend
from posekit.models.hourglass import Hourglass, HourglassConfig, Residual, upsample
from posekit.process import keep_memory

SMALL = HourglassConfig.narrow(64, joints=5, depth=2)
FAST = Backend.best("cpu")
CHANNELS_LAST = Backend(torch.device("cpu"), bf16=False, channels_last=True, can_compile=True)


class Level(nn.Module):
    """One level of an hourglass and its head: the least with up-sampling, skip connection and pooling."""

    def __init__(self):
        super().__init__()
        self.pool, self.inner, self.skip = nn.MaxPool2d(2), Residual(16, 16), Residual(16, 16)
        self.norm, self.heatmaps = nn.BatchNorm2d(16), nn.Conv2d(16, 5, 1)

    def forward(self, x):
        y = self.inner(self.pool(x))
        return self.heatmaps(self.norm(upsample(y) + self.skip(x)))[:, None]


def gradients(model, backend, dtype=torch.float32, compiled=False):
    """The gradient of each parameter after one pass of a fixed batch."""
    torch.manual_seed(0)
    model = backend.place(model().to(dtype))
    channels, size = (16, 16) if isinstance(model, Level) else (3, 64)
    blobs = hm.encode(torch.rand(16, 20 * channels, 2) * size, size, sigma=2)
    inputs, points = blobs.view(16, channels, 20, size, size).mean(2) * 10, torch.rand(16, 5, 2) * 15
    network = torch.compile(model, dynamic=False) if compiled else model
    with backend.autocast():
        output = network(backend.pictures(inputs.to(dtype)))
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
    return gradients(lambda: Hourglass(SMALL), Backend.plain(), torch.float64)


def test_the_plain_path_has_the_exact_gradients(exact):
    live = assert_parallel(gradients(lambda: Hourglass(SMALL), Backend.plain()), exact, 0.999, 0.9999)
    below_an_upsampling = [name for name in live if any(part in name for part in (".decoder", ".bottleneck", ".encoder"))]
    assert len(below_an_upsampling) > 30


def test_channels_last_has_the_gradients_of_the_plain_path(exact):
    """Sums in another order, in float32: where an activation is within their rounding of 0, a ReLU lets another gradient through."""
    assert_parallel(gradients(lambda: Hourglass(SMALL), CHANNELS_LAST), exact, 0.99, 0.999)


@pytest.mark.skipif(not FAST.bf16, reason="this processor, or what the environment lets torch use of it, has no bfloat16")
def test_mixed_precision_has_the_gradients_of_the_plain_path(exact):
    assert_parallel(gradients(lambda: Hourglass(SMALL), FAST), exact, 0.3, 0.85)


def test_bfloat16_is_chosen_only_where_it_is_not_imitated():
    product = torch.rand(512, 512)

    def seconds(dtype):
        a = product.to(dtype)
        return min(timeit.repeat(lambda: a @ a, number=1, repeat=5))

    if Backend.best("cpu").bf16:  # imitated it takes a hundred times as long
        assert seconds(torch.bfloat16) < 10 * seconds(torch.float32)


@pytest.mark.parametrize(
    "variable", ["ATEN_CPU_CAPABILITY=avx2", "ATEN_CPU_CAPABILITY=default", "ONEDNN_MAX_CPU_ISA=AVX2", "ONEDNN_MAX_CPU_ISA=SSE41"]
)
def test_instructions_that_are_ruled_out_are_not_counted_on(variable):
    name, value = variable.split("=")
    code = "from posekit import Backend; print(Backend.best('cpu').bf16)"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {name: value}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
@pytest.mark.skipif(
    not {"ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"}.isdisjoint(os.environ),
    reason="torch.compile writes code for the processor that is there, whatever the environment rules out, and the two do not go together",
)
def test_compiled_networks_have_the_gradients_of_the_plain_path():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's own
        found = gradients(Level, FAST, compiled=True)
    live = assert_parallel(found, gradients(Level, Backend.plain(), torch.float64), 0.9, 0.98)
    assert sum(name.startswith("inner") for name in live) > 6  # below the up-sampling


def test_memory_can_be_kept_and_given_back():
    assert keep_memory() == keep_memory(False)
