"""BlazePose: its layers against closed forms, where its points lie, its file, and what is said where that is not there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from typer.testing import CliRunner

import posekit
from posekit.cli.commands import app
from posekit.engine import weights
from posekit.engine.outside import blazepose
from posekit.errors import PosekitError
from posekit.hooks import edit, trace
from posekit.models.outside.blazepose import LAYERS, MAPS, PARTS, POINTS, BlazePose, InvertedResidual, ReLU6, Residual
from posekit.skeleton import COCO, LSP

PLAIN = posekit.Backend.plain()


class Planted(BlazePose):
    """Finds every point at (x, y) in pixels, its first at (0, 0): as BlazePose puts it, cells and pixels counted from their upper edges."""

    def __init__(self, x, y):
        super().__init__()
        self.place = x, y

    def forward(self, pictures):
        found = super().forward(pictures)
        edge = torch.tensor(self.place) + 0.5
        cells = torch.arange(64.0)
        far = (cells - edge[0] / 4)[None, :] ** 2 + (cells - edge[1] / 4)[:, None] ** 2
        heights = torch.exp(-far / (2 * 1.5**2)).clamp(1e-6, 0.9)
        found["heatmaps"] = torch.logit(heights).expand(len(pictures), MAPS, 64, 64)
        found["landmarks"] = torch.cat([edge, torch.zeros(3)]).expand(len(pictures), MAPS, 5)
        return found


@pytest.mark.parametrize("reading", ["heatmaps", "landmarks"])
@pytest.mark.parametrize("place", [(100.0, 60.0), (101.5, 61.5), (127.5, 200.2)])
def test_a_point_is_read_where_it_is(place, reading):
    network = blazepose.adapted(Planted(*place), "planted", COCO, reading, PLAIN)
    found = network.predict(np.zeros((256, 256, 3), np.uint8)).keypoints[0]
    assert found.shape == (17, 3) and np.abs(found[:, :2] - place).max() < (0.25 if reading == "heatmaps" else 1e-4)


def test_its_points_are_cocos_and_all_of_lsps_but_two():
    assert len(POINTS) == 33 and {*COCO.joints} < {*POINTS}
    assert {*LSP.joints} - {*POINTS} == {"neck", "head top"} == {*LSP.joints} - {*blazepose.LIMBS.joints}
    for skeleton, reading in blazepose.NAMES.values():
        network = blazepose.adapted(BlazePose(), "some", skeleton, reading, PLAIN)
        chosen = network.model.read if reading == "landmarks" else network.model.read.keywords["output"]
        assert network.skeleton is skeleton and chosen.indices == tuple(map(POINTS.index, skeleton.joints))
        assert network.card.loss == ("mse" if reading == "heatmaps" else "coordinates")


@given(st.integers(0, 2), st.integers(0, 2), st.sampled_from([2, 4, 6]), st.booleans())
@settings(max_examples=12, deadline=None)
def test_a_stride_of_two_is_padded_behind_alone(row, column, size, down):
    """TensorFlow's 'SAME': of an even input, the first window of three begins at the first cell."""
    block = Residual(1, down)
    x = torch.rand(1, 1, size, size)
    with torch.no_grad():
        block.filter.weight.zero_()[0, 0, row, column] = 1
        block.filter.bias.zero_(), block.mix.weight.fill_(1), block.mix.bias.zero_()
        found = block(x)
    step, before = (2, 0) if down else (1, 1)
    around = nn.functional.pad(x, (before, 2, before, 2))[0, 0]
    moved = around[row : row + size : step, column : column + size : step]
    kept = x[0, 0].unfold(0, step, step).unfold(1, step, step).amax((-1, -2))
    assert torch.allclose(found[0, 0], kept + moved)


def test_relu6_and_its_gradient():
    x = torch.tensor([-1.0, 0.5, 5.9, 6.5], requires_grad=True)
    found = ReLU6()(x)
    found.sum().backward()
    assert torch.equal(found, torch.tensor([0.0, 0.5, 5.9, 6.0])) and torch.equal(x.grad, torch.tensor([0.0, 1.0, 1.0, 0.0]))
    assert all(isinstance(module, nn.ReLU) for module in BlazePose().modules() if "ReLU" in type(module).__name__)


@pytest.mark.parametrize(("inputs", "outputs", "stride", "adds"), [(4, 4, 1, True), (4, 6, 1, False), (4, 4, 2, False)])
def test_an_inverted_residual_adds_what_has_the_same_shape(inputs, outputs, stride, adds):
    block = InvertedResidual(inputs, 8, outputs, 5, stride)
    x = torch.rand(1, inputs, 8, 8)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
        found = block(x)
    assert torch.equal(found, x if adds else torch.zeros(1, outputs, 8 // stride, 8 // stride))


def test_every_convolution_is_listed_once():
    network = BlazePose(mask=True)
    listed = network.convolutions()
    assert {*map(id, listed)} == {id(module) for module in network.modules() if isinstance(module, nn.Conv2d)}
    assert len(listed) == 96  # 58 and 38 of each feature by itself, as the file has them
    assert {part for parts in PARTS.values() for part in parts} | {*LAYERS} <= {name for name, _ in network.named_modules()}


def test_heatmaps_are_of_a_sum_and_no_skip_connection_reaches_the_landmarks():
    network, pictures = BlazePose().eval(), torch.rand(1, 3, 256, 256)
    with torch.inference_mode(), trace(network, ["decoder5", "skip4", "skip3", "skip2", "sum2"]) as seen:
        plain = network(pictures)
        up = [nn.functional.interpolate(seen[name], 64, mode="bilinear") for name in ("skip3", "skip2")]
        deep = seen["decoder5"]
        for name in ("skip4", "skip3", "skip2"):
            deep = nn.functional.interpolate(deep, scale_factor=2, mode="bilinear") + seen[name]
        assert torch.allclose(deep, seen["sum2"], atol=1e-5) and len(up) == 2
    with torch.inference_mode(), edit(network, dict.fromkeys(blazepose.SKIPS, lambda activation, name: 0 * activation)):
        without = network(pictures)
    assert torch.equal(without["landmarks"], plain["landmarks"]) and not torch.equal(without["heatmaps"], plain["heatmaps"])


def test_landmarks_stay_float32_where_all_else_is_bfloat16():
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = BlazePose()(torch.rand(1, 3, 256, 256))
    assert found["landmarks"].dtype == torch.float32 and found["heatmaps"].dtype == torch.bfloat16


@pytest.fixture
def not_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(blazepose, "FOLDER", tmp_path / "blazepose")
    return tmp_path / "blazepose"


@pytest.mark.parametrize("name", sorted(blazepose.NAMES))
def test_what_was_not_fetched_is_said_with_the_command_that_fetches_it(not_fetched, name):
    with pytest.raises(PosekitError, match=f"^{name}: its weights are not here yet: `posekit fetch blazepose` fetches them$"):
        weights.load(name)


def test_commands_say_so_too(not_fetched, tmp_path):
    (tmp_path / "picture.png").touch()
    for command in (["predict", "blazepose", str(tmp_path / "picture.png")], ["evaluate", "blazepose", "--data", "mannequins:3"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 1 and "`posekit fetch blazepose` fetches them" in " ".join(done.output.split())
    done = CliRunner().invoke(app, ["fetch", "brazepose"])
    assert done.exit_code == 1 and "no network named 'brazepose' to fetch; there is blazepose" in " ".join(done.output.split())


@pytest.mark.parametrize("content", [b"", b"no weights", bytes(blazepose.PACKED.size)])
def test_a_damaged_file_is_refused(not_fetched, content):
    not_fetched.mkdir()
    (not_fetched / blazepose.PACKED.name).write_bytes(content)
    with pytest.raises(PosekitError, match=r"remove it, and `posekit fetch blazepose` fetches it anew"):
        weights.load("blazepose")


def tflite_file(kernels, depthwise=(), half=True):
    """A .tflite file whose operators are convolutions with these kernels, (outputs, h, w, inputs), or (1, h, w, features) for those in
    `depthwise`; biases are the output's number. As float16 each is dequantised first.
    """
    tflite, flatbuffers = pytest.importorskip("tflite", reason="tflite is not installed"), pytest.importorskip("flatbuffers")
    builder = flatbuffers.Builder(0)
    buffers, tensors, operators = [_buffer(tflite, builder, None)], [], []

    def vector(start, offsets):
        start(builder, len(offsets))
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    def tensor(shape, kind, content=None):
        shape, number = builder.CreateNumpyVector(np.array(shape, np.int32)), 0
        if content is not None:
            buffers.append(_buffer(tflite, builder, content))
            number = len(buffers) - 1
        tflite.TensorStart(builder)
        tflite.TensorAddShape(builder, shape)
        tflite.TensorAddType(builder, kind)
        tflite.TensorAddBuffer(builder, number)
        tensors.append(tflite.TensorEnd(builder))
        return len(tensors) - 1

    def operator(code, inputs, outputs):
        inputs, outputs = (builder.CreateNumpyVector(np.array(each, np.int32)) for each in (inputs, outputs))
        tflite.OperatorStart(builder)
        tflite.OperatorAddOpcodeIndex(builder, code)
        tflite.OperatorAddInputs(builder, inputs)
        tflite.OperatorAddOutputs(builder, outputs)
        operators.append(tflite.OperatorEnd(builder))

    def constant(values):
        if not half:
            return tensor(values.shape, tflite.TensorType.FLOAT32, values.astype("<f4"))
        packed, open_ = (
            tensor(values.shape, tflite.TensorType.FLOAT16, values.astype("<f2")),
            tensor(values.shape, tflite.TensorType.FLOAT32),
        )
        operator(2, [packed], [open_])
        return open_

    x = tensor((1, 8, 8, 3), tflite.TensorType.FLOAT32)
    for number, kernel in enumerate(kernels):
        of_each = number in depthwise
        weight, bias = constant(kernel), constant(np.arange(kernel.shape[-1] if of_each else len(kernel)))
        operator(int(of_each), [x, weight, bias], [x])
    tables = [
        vector(tflite.SubGraphStartTensorsVector, tensors), vector(tflite.SubGraphStartOperatorsVector, operators),
    ]  # fmt: skip
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tables[0])
    tflite.SubGraphAddOperators(builder, tables[1])
    graph, codes = tflite.SubGraphEnd(builder), []
    for kind in (tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D, tflite.BuiltinOperator.DEQUANTIZE):
        tflite.OperatorCodeStart(builder)
        tflite.OperatorCodeAddBuiltinCode(builder, kind)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, kind)
        codes.append(tflite.OperatorCodeEnd(builder))
    parts = [
        vector(tflite.ModelStartSubgraphsVector, [graph]), vector(tflite.ModelStartBuffersVector, buffers),
        vector(tflite.ModelStartOperatorCodesVector, codes),
    ]  # fmt: skip
    tflite.ModelStart(builder)
    tflite.ModelAddSubgraphs(builder, parts[0])
    tflite.ModelAddBuffers(builder, parts[1])
    tflite.ModelAddOperatorCodes(builder, parts[2])
    builder.Finish(tflite.ModelEnd(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _buffer(tflite, builder, content):
    data = None if content is None else builder.CreateNumpyVector(np.frombuffer(content.tobytes(), np.uint8))
    tflite.BufferStart(builder)
    if data is not None:
        tflite.BufferAddData(builder, data)
    return tflite.BufferEnd(builder)


@pytest.mark.parametrize("half", [True, False])
def test_kernels_come_out_of_a_file_as_torch_has_them(half):
    draw = np.random.default_rng(0)
    kernels = [draw.integers(-8, 8, shape).astype(float) for shape in ((5, 3, 2, 3), (1, 3, 3, 5), (2, 1, 1, 5))]
    found = blazepose.convolutions(tflite_file(kernels, depthwise=[1], half=half))
    assert [tuple(kernel.shape) for kernel, _ in found] == [(5, 3, 3, 2), (5, 1, 3, 3), (2, 5, 1, 1)]
    assert np.array_equal(found[0][0].permute(0, 2, 3, 1), kernels[0]) and np.array_equal(found[1][0][:, 0].permute(1, 2, 0), kernels[1][0])
    assert all(torch.equal(bias, torch.arange(float(len(bias)))) for _, bias in found)


def test_a_file_of_another_network_is_refused():
    pytest.importorskip("tflite", reason="tflite is not installed")
    with pytest.raises(PosekitError, match="2 convolutions, 96 expected, the first that differs is number 2"):
        blazepose.network(tflite_file([np.zeros((24, 3, 3, 3)), np.zeros((24, 3, 3, 24))]))
    for content in (b"", b"12345678", b"no weights at all"):
        with pytest.raises(PosekitError, match=r"not a \.tflite file"):
            blazepose.network(content)


def test_it_computes_what_the_file_computes():
    """Against the interpreter of such files, on photographs."""
    photographs = sorted((Path(__file__).parents[2] / "shared" / "data" / "lspet" / "images").glob("*.jpg"))[:3]
    if not photographs:
        pytest.skip("there are no photographs in ../shared/data/lspet")
    if not blazepose.fetched():
        pytest.skip("BlazePose is not fetched: posekit fetch blazepose")
    pytest.importorskip("tflite", reason="tflite is not installed")
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    content = (blazepose.FOLDER / blazepose.PACKED.name).read_bytes()
    interpreter, network = litert.Interpreter(model_content=content, num_threads=1), blazepose.network(content)
    interpreter.allocate_tensors()
    names = {64 * 64 * MAPS: "heatmaps", 5 * MAPS: "landmarks", 3 * MAPS: "world", 1: "presence"}
    for path in photographs:
        picture = torch.from_numpy(np.array(Image.open(path).convert("RGB").resize((256, 256)))).permute(2, 0, 1) / 255
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture.permute(1, 2, 0)[None].numpy())
        interpreter.invoke()
        found = {len(value.ravel()): value for value in (interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details())}
        with torch.inference_mode():
            ours = network(picture[None])
        ours["heatmaps"] = ours["heatmaps"].permute(0, 2, 3, 1)
        apart = {name: np.abs(ours[name].numpy().ravel() - found[count].ravel()) for count, name in names.items()}
        points = apart.pop("landmarks").reshape(MAPS, 5)
        assert max(values.max() for values in apart.values()) < 1e-3, {name: values.max() for name, values in apart.items()}
        assert points[: len(POINTS), :2].max() < 1e-3, "pixels"
        assert points.max() < 1e-2, "depth, in the hundreds, and logits"


def test_people_are_framed_around_the_middle_of_their_hips():
    keypoints = np.zeros((2, 14, 3))
    keypoints[..., :2], keypoints[..., 2] = (50, 60), 2
    keypoints[:, LSP.index("left hip")[0], 0], keypoints[:, LSP.index("right hip")[0], 0] = 54, 46
    keypoints[:, LSP.index("head top")[0], :2] = (50, 20)  # 40 pixels from the hips, the farthest
    keypoints[1, LSP.index("left hip", "right hip")] = [np.nan, np.nan, 0]
    boxes = np.array([[40.0, 20, 20, 50], [1, 2, 3, 4]])
    people = posekit.People(LSP, np.array(["a", "b"]), boxes, keypoints, np.arange(2), np.full(2, "test"), read=str, source="own")
    assert blazepose.framed(people).boxes.tolist() == [[10, 20, 80, 80], [1, 2, 3, 4]], "without hips the box stays"
