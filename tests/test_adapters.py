"""Ready adapters: networks of other libraries at random, beside what those libraries compute."""

import numpy as np
import pytest
import torch
from checkpoints import LAYOUTS, MEAN, STD, Checkpoint
from torch import nn
from torch.nn import functional as F

import posekit
from posekit import PosekitError, Skeleton, adapt
from posekit.engine.outside import adapters
from posekit.models.outside.simple_baseline import SimpleBaseline

PLAIN = posekit.Backend.plain()
QUIET = {"report": None, "backend": PLAIN}


def spot_at(x: float, y: float, width: int, height: int, spread: float) -> np.ndarray:
    grid = np.mgrid[:height, :width]
    red = np.exp(-((grid[1] - x) ** 2 + (grid[0] - y) ** 2) / (2 * spread**2))
    return np.stack([255 * red, 0 * red, 0 * red], -1).round().astype(np.uint8)


class Sampled(nn.Module):
    """The red of pictures at the pixels that the cells of an alignment are at: a planted network whose answer is known."""

    def __init__(self, alignment: str, stride: int = 4):
        super().__init__()
        self.alignment, self.stride, self.weight = alignment, stride, nn.Parameter(torch.ones(1))

    def forward(self, pictures):
        red, (height, width) = pictures[:, :1] * self.weight, pictures.shape[-2:]
        if self.alignment == "msra":
            return red[..., :: self.stride, :: self.stride]
        size = (height // self.stride, width // self.stride)
        return F.interpolate(red, size, mode="bilinear", align_corners=self.alignment == "udp")


@pytest.mark.parametrize("size", [(64, 64), (64, 48), (48, 64)])
@pytest.mark.parametrize("alignment", ["centres", "msra", "udp"])
def test_cells_are_where_the_trainer_put_them(alignment, size):
    network = adapt(Sampled(alignment), Skeleton("spot", ("spot",)), size, alignment=alignment, **QUIET)
    height, width = size
    for x, y in ((width / 2 + 3.3, height / 2 - 6.1), (12.2, 15.9), (width - 14.5, height - 13.0)):
        picture = spot_at(x, y, width, height, 5.0)
        for flip in (False, True):
            found = network.predict(picture, flip=flip).keypoints[0, 0, :2]
            assert np.allclose(found, (x, y), atol=0.15), (alignment, flip, found)
        seen = posekit.explain(network, picture, "spot", "occlusion") if width == height else None
        if seen is not None:
            row, column = np.unravel_index(seen.heatmap.argmax(), seen.heatmap.shape)
            assert np.hypot(column - x, row - y) < 3


def test_an_alignment_that_nobody_has_is_refused():
    with pytest.raises(PosekitError, match="alignment is 'corners'; give centres or msra or udp"):
        adapt(Sampled("msra"), Skeleton("spot", ("spot",)), 64, alignment="corners", **QUIET)


@pytest.fixture(scope="module")
def vit():
    transformers = pytest.importorskip("transformers", reason="ViTPose is of the library transformers")
    torch.manual_seed(0)
    backbone = transformers.VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=8, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2
    )
    config = transformers.VitPoseConfig(backbone_config=backbone, use_simple_decoder=True, initializer_range=0.5, num_labels=17)
    return transformers.VitPoseForPoseEstimation(config).eval()


def test_vitpose_answers_as_transformers_has_it(vit):
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = vit((pictures[..., 8:56] - MEAN) / STD).heatmaps
        network = adapters.vitpose(vit, **QUIET)
        found = network.model(pictures)
    assert network.card.aspect == 0.75 and network.card.stride == 4 and network.card.alignment == "udp"
    assert torch.allclose(found[:, 0, :, :, 2:14], expected, atol=1e-5)
    assert torch.equal(found[..., :2].amax((-2, -1)), found.amin((-2, -1))), "lowest beside the input"
    assert "backbone.encoder.layer.1.attention.attention" in posekit.hooks.hook_points(network.model)
    assert network.model.shapes[network.model.code_hook_point()] == (8, 4, 3)


def test_vitposes_attention_is_the_dependency_map(vit):
    network = adapters.vitpose(vit, **QUIET)
    cells = torch.tensor([[[3, 6]] * 17])  # in the square; 16 cells of 4 pixels, the input's begin at 2
    read = network.model.dependencies(torch.rand(1, 3, 64, 64), cells)
    assert read.shape == (1, 17, 64, 64) and torch.allclose(read.sum((-2, -1)), torch.tensor(256.0)) and not read[..., :8].any()
    # A token's own attention, by the queries and keys themselves: the cell lies in the second row and first column of 16 pixels.
    layer = network.model.get_submodule("backbone.encoder.layer.1.attention.attention")
    picture = torch.rand(1, 3, 64, 64)
    seen = {}
    hooks = [getattr(layer, n).register_forward_hook(lambda _m, _i, out, n=n: seen.update({n: out})) for n in ("query", "key")]
    with torch.no_grad():
        network.model(picture)
    for hook in hooks:
        hook.remove()
    query, key = (seen[n][0].unflatten(-1, (2, 4)).transpose(0, 1) for n in ("query", "key"))
    expected = (query @ key.mT / 2).softmax(-1).mean(0)[1 * 3 + 0].view(4, 3)
    found = network.model.dependencies(picture, cells)[0, 0, 8::16, 8:56][:, 8::16]
    assert torch.allclose(found, expected, atol=1e-5)
    pytest.importorskip("captum")
    shown = posekit.explain(network, spot_at(20, 20, 48, 64, 5.0), "left wrist", "attention")
    assert shown.map.shape == (64, 48) and shown.map.sum() > 0
    with pytest.raises(PosekitError, match="no attention was named"):
        posekit.explain(adapt(vit, "coco", (64, 48), **QUIET), spot_at(20, 20, 48, 64, 5.0), "left wrist", "attention")


def test_what_is_no_vitpose_is_refused():
    with pytest.raises(PosekitError, match="a Conv2d is no VitPoseForPoseEstimation"):
        adapters.vitpose(nn.Conv2d(3, 17, 1))


def random_state(three: bool, joints: int, width: int = 4) -> Checkpoint:
    """A checkpoint in mmpose's layout with small maps: names and shapes as its ResNet and heatmap head have them."""
    state = Checkpoint()
    state.conv("backbone.conv1", width, 3, 7, 7)
    state.norm("backbone.bn1", width)
    inputs = width
    for i, count in enumerate((1, 2, 1, 1)):
        for j in range(count):
            inner, outputs, name = width * 2**i, width * 2**i * (4 if three else 1), f"backbone.layer{i + 1}.{j}"
            state.residual(name, inputs, inner, three)
            if j == 0 and (inputs != outputs or i):
                state.conv(f"{name}.downsample.0", outputs, inputs, 1, 1)
                state.norm(f"{name}.downsample.1", outputs)
            inputs = outputs
    for i in (0, 3, 6):
        state.conv(f"head.deconv_layers.{i}", inputs, 5, 4, 4)
        state.norm(f"head.deconv_layers.{i + 1}", 5)
        inputs = 5
    state.conv("head.final_layer", joints, 5, 1, 1)
    state["head.final_layer.bias"] = torch.rand(joints)
    return state


def by_hand(state, x, three: bool):
    """What a network of these weights computes, by torch's functions alone."""
    x = F.relu(state.normed("backbone.bn1", F.conv2d(x, state["backbone.conv1.weight"], None, 2, 3)))
    x = F.max_pool2d(x, 3, 2, 1)
    for i, count in enumerate((1, 2, 1, 1)):
        for j in range(count):
            x = state.residually(f"backbone.layer{i + 1}.{j}", x, three, 2 if i and not j else 1)
    for i in (0, 3, 6):
        x = F.relu(state.normed(f"head.deconv_layers.{i + 1}", F.conv_transpose2d(x, state[f"head.deconv_layers.{i}.weight"], None, 2, 1)))
    return F.conv2d(x, state["head.final_layer.weight"], state["head.final_layer.bias"])


@pytest.mark.parametrize("three", [True, False], ids=["three convolutions", "two"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_simple_baseline_of_a_checkpoint_computes_what_its_weights_say(layout, three, tmp_path):
    state = random_state(three, 17)
    torch.save(LAYOUTS[layout](state), tmp_path / "net.pth")
    network = adapters.simple_baseline(tmp_path / "net.pth", size=(64, 32), **QUIET)
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = by_hand(state, (pictures[..., 16:48] - MEAN) / STD, three)
        found = network.model(pictures)[:, 0, :, :, 4:12]
    assert torch.allclose(found, expected, atol=1e-4) and network.card.name == "net" and network.card.alignment == "msra"
    assert network.model.code_hook_point() == "layer4" and str(network.card.skeleton) == "coco"


def test_resnet_50_has_the_parameters_that_the_paper_gives():
    assert sum(p.numel() for p in SimpleBaseline().parameters()) == 33_999_697  # mmpose's res50, 34.00 M


def test_checkpoints_of_other_networks_are_refused(tmp_path):
    state = random_state(True, 9)
    torch.save(dict(state), tmp_path / "nine.pth")
    with pytest.raises(PosekitError, match=r"nine.pth: 9 maps, of neither COCO's nor MPII's joints; give skeleton="):
        adapters.simple_baseline(tmp_path / "nine.pth", size=64, **QUIET)
    for name, change in {"shorter": "backbone.layer3", "headless": "head.final_layer", "blind": "backbone.layer2.1.conv2"}.items():
        torch.save({key: value for key, value in state.items() if not key.startswith(change)}, tmp_path / f"{name}.pth")
        with pytest.raises(PosekitError, match=rf"{name}.pth: no SimpleBaseline \(") as caught:
            adapters.simple_baseline(tmp_path / f"{name}.pth", size=64, **QUIET)
        assert "\n" not in str(caught.value)
    torch.save({**state, "head.conv_layers.0.weight": torch.zeros(5, 5, 1, 1)}, tmp_path / "deeper.pth")
    with pytest.raises(PosekitError, match=r"no SimpleBaseline \(it has what is none of its weights: conv_layers\.0\.weight\)"):
        adapters.simple_baseline(tmp_path / "deeper.pth", size=64, **QUIET)
    with pytest.raises(PosekitError, match="cannot be read"):
        adapters.simple_baseline(tmp_path / "none.pth")


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    pytest.importorskip("onnxruntime")
    helper = pytest.importorskip("onnx").helper
    file = tmp_path_factory.mktemp("onnx") / "cells.onnx"
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 17, 8, stride=8)
    onnx = pytest.importorskip("onnx")
    weights = [onnx.numpy_helper.from_array(v.detach().numpy(), n) for n, v in (("w", conv.weight), ("b", conv.bias))]
    tensors = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["batch", None, None, None]) for n in ("pictures", "maps")]
    node = helper.make_node("Conv", ["pictures", "w", "b"], ["maps"], kernel_shape=[8, 8], strides=[8, 8])
    graph = helper.make_graph([node], "cells", tensors[:1], tensors[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(file))
    return file, conv


def test_an_onnx_file_answers_as_the_network_it_holds(onnx_file):
    import pickle

    file, conv = onnx_file
    network, same = (
        adapters.onnx(file, "coco", 64, **QUIET),
        adapt(conv, "coco", 64, mean=MEAN.flatten().tolist(), std=STD.flatten().tolist(), **QUIET),
    )
    pictures, picture = torch.rand(3, 3, 64, 64), spot_at(20, 40, 64, 64, 6.0)
    with torch.no_grad():
        assert torch.allclose(network.model(pictures), same.model(pictures), atol=1e-5)
    copied = pickle.loads(pickle.dumps(network))
    assert np.allclose(copied.predict(picture).keypoints, same.predict(picture).keypoints, atol=1e-4)
    pytest.importorskip("captum")
    mine, other = (posekit.explain(one, picture, "left wrist", "occlusion").map for one in (network, same))
    assert np.allclose(mine, other, atol=1e-4)
    assert posekit.weights.fingerprint(network.model) != posekit.weights.fingerprint(same.model)


@pytest.mark.parametrize("method", ["saliency", "integrated-gradients", "guided-backprop", "grad-cam"])
def test_what_needs_gradients_is_refused_of_a_file(onnx_file, method):
    pytest.importorskip("captum")
    network = adapters.onnx(onnx_file[0], "coco", 64, **QUIET)
    with pytest.raises(PosekitError, match=r"no gradient|none of this network's activations|has none"):
        posekit.explain(network, spot_at(20, 40, 64, 64, 6.0), "left wrist", method)


def test_files_that_are_no_networks_are_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "odd.onnx").write_bytes(b"no network")
    with pytest.raises(PosekitError, match=r"odd\.onnx: no ONNX file"):
        adapters.onnx(tmp_path / "odd.onnx", "coco", 64)
    with pytest.raises(PosekitError, match=r"none\.onnx: no such file"):
        adapters.onnx(tmp_path / "none.onnx", "coco", 64)
