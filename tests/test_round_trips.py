"""A network of an input that is no square, written as ONNX and read back, or computed by OpenVINO, has the heatmaps that torch has."""

import warnings

import pytest
import torch

import posekit
from posekit.engine.backend import Backend
from posekit.engine.inference import runtime
from posekit.engine.inference.prediction import predict_heatmaps
from posekit.engine.interchange import export_onnx
from posekit.engine.outside import adapters
from posekit.models.hourglass import Hourglass, HourglassConfig

HEIGHT, WIDTH = 256, 192
COLOURS = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
QUIET = {"report": None, "backend": Backend.plain()}
FLOAT32 = Backend(torch.device("cpu"), bf16=False, channels_last=True, can_compile=False)


class Foreign(torch.nn.Module):
    """A network that is none of posekit's."""

    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.network(pictures)


def network(stacks: int) -> Hourglass:
    """One as after some training, with clear peaks: differences are seen against them."""
    torch.manual_seed(stacks)
    model = Hourglass(HourglassConfig.narrow(8, joints=17, depth=2, stacks=stacks)).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 2)
        for stack in range(stacks):
            model.get_submodule(f"stack{stack}.heatmaps").weight.mul_(50)
    return model


@pytest.fixture(scope="module", params=[(1, "raw"), (2, "softmax")], ids=lambda param: f"{param[0]}-{param[1]}")
def adapted(request):
    stacks, values = request.param
    return posekit.adapt(Foreign(network(stacks)), "coco", (HEIGHT, WIDTH), values=values, **COLOURS, **QUIET)


@pytest.fixture(scope="module")
def onnx():
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="needs the extra 'onnx'")


@pytest.fixture(scope="module")
def exported(onnx, adapted, tmp_path_factory):
    """What `export_onnx` wrote, read back: pictures are squares there, and colours and the softmax are inside."""
    file = tmp_path_factory.mktemp("onnx") / "network.onnx"
    export_onnx(adapted, file)
    return adapters.onnx(file, "coco", HEIGHT, mean=(0, 0, 0), std=(1, 1, 1), **QUIET)


@pytest.fixture(scope="module")
def foreign(onnx, adapted, tmp_path_factory):
    """The bare module as anybody exports it, which takes pictures of 256 x 192."""
    file = tmp_path_factory.mktemp("onnx") / "module.onnx"
    shapes = ({0: torch.export.Dim("batch")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own code about torch's own code
        module, example = adapted.model.module, torch.zeros(2, 3, HEIGHT, WIDTH)
        torch.onnx.export(module, (example,), str(file), dynamic_shapes=shapes, dynamo=True, verbose=False)
    return adapters.onnx(file, "coco", (HEIGHT, WIDTH), values={"mse": "raw"}.get(adapted.card.loss, "softmax"), **COLOURS, **QUIET)


def compare(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape and expected.std() > 0
    for mine, other in zip(found.unbind(1), expected.unbind(1), strict=True):  # stage by stage
        assert (mine - other).abs().max() <= 1e-4 * (other.max() - other.min())


@pytest.mark.parametrize("count", [1, 3, 64])
@pytest.mark.parametrize("way", ["exported", "foreign"])
def test_onnx_read_back_has_the_heatmaps(adapted, request, way, count):
    back, pictures = request.getfixturevalue(way), torch.rand(count, 3, HEIGHT, HEIGHT)
    compare(*(predict_heatmaps(one.model, one.card, pictures) for one in (back, adapted)))


@pytest.mark.parametrize("count", [1, 3, 64])
def test_openvino_has_the_heatmaps(adapted, monkeypatch, count):
    pytest.importorskip("openvino", reason="openvino is not installed")
    pictures, computed = torch.rand(count, 3, HEIGHT, HEIGHT), []
    monkeypatch.setattr(runtime, "answer", lambda *given, answer=runtime.answer: computed.append(answer(*given)) or computed[-1])
    monkeypatch.setattr(runtime, "WORTH", 0)
    found, expected = (predict_heatmaps(adapted.model, adapted.card, pictures, backend=one) for one in (FLOAT32, None))
    assert len(computed) == 1 and computed[0] is not None
    compare(found, expected)


@pytest.mark.parametrize("stacks", [1, 2])
def test_openvino_takes_the_bare_network_as_well(stacks):
    pytest.importorskip("openvino", reason="openvino is not installed")
    model = network(stacks)
    for count in (1, 3, 64):
        pictures = torch.rand(count, 3, HEIGHT, WIDTH)
        with torch.inference_mode():
            compare(runtime.answer(model, FLOAT32, pictures), model(pictures))
