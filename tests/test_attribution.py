"""Attributions against closed forms, on a network small enough to differentiate by hand; and that nothing is left behind."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_networks import CARD, SIZE, Painted, Tiny, hooks
from torch.nn.functional import interpolate

import posekit
from posekit import Backend, HourglassConfig, PosekitError
from posekit.engine.inference.prediction import Predictor
from posekit.engine.weights import Card
from posekit.interpret.attribution import explain as at
from posekit.interpret.attribution.targets import Target, target
from posekit.models.hourglass import Hourglass

NECK, WINDOW = 12, 1  # a joint's row, and the reach in cells of a window in a map of 8
CELL = torch.tensor([4, 2])  # column and row


@pytest.fixture
def pictures():
    return torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))


def inside():
    """1 in the pixels of the window's cells, else 0: (R, R)."""
    mask = torch.zeros(SIZE, SIZE)
    mask[4 * (2 - WINDOW) : 4 * (3 + WINDOW), 4 * (4 - WINDOW) : 4 * (5 + WINDOW)] = 1
    return mask


def weights(model):
    """The mixing matrix (C, 3), and the target's gradient (C,) at a pixel behind the ReLU, within the window."""
    mix, head = model.mix.weight[:, :, 0, 0].detach(), model.heatmaps.weight[NECK, :, 0, 0].detach()
    return mix, head / 16 / (2 * WINDOW + 1) ** 2


def neck(cells=CELL):
    return target("window", "neck", CARD, cells)


@pytest.mark.parametrize(
    "method, passes",
    [
        ("saliency", lambda gradient, active: gradient * active),
        ("guided-backprop", lambda gradient, active: gradient.clamp(min=0) * active),
        ("deconvnet", lambda gradient, active: gradient.clamp(min=0) * torch.ones_like(active)),
    ],
)
def test_gradients_by_hand(method, passes, pictures):
    model = Tiny()
    mix, gradient = weights(model)
    active = (model.mix(pictures) > 0).float()
    behind = passes(gradient[:, None, None], active)  # (B, C, R, R)
    expected = torch.einsum("bchw,ci->bihw", behind, mix) * inside()
    found = at.attribute(model, CARD, pictures, neck(), method)
    assert found.shape == (3, SIZE, SIZE)
    assert np.allclose(found, expected.abs().amax(1), atol=1e-7)
    assert np.ptp(found) > 0


def test_grad_cam_by_hand(pictures):
    model = Tiny()
    activation = model.features(model.relu(model.mix(pictures)))
    weight = model.heatmaps.weight[NECK, :, 0, 0] / 64  # the mean over the 64 cells of a gradient that is 1/9 in 9 of them
    cam = torch.einsum("c,bchw->bhw", weight, activation).clamp(min=0)
    expected = interpolate(cam[:, None], size=(SIZE, SIZE), mode="bilinear", align_corners=False)[:, 0]
    assert np.allclose(at.attribute(model, CARD, pictures, neck(), "grad-cam", "features"), expected.detach(), atol=1e-7)


def test_grad_cam_before_the_head_is_the_heatmap_itself(pictures):
    """Why that place explains nothing: the weights are the head's."""
    model = Tiny()
    with torch.no_grad():
        model.heatmaps.bias.zero_()
        own = model(pictures)[:, 0, NECK].clamp(min=0) / 64
    cam = at.attribute(model, CARD, pictures, neck(), "grad-cam", "features")
    assert np.allclose(cam, interpolate(own[:, None], size=(SIZE, SIZE), mode="bilinear", align_corners=False)[:, 0], atol=1e-7)


def test_after_the_softmax_grad_cam_before_the_head_cancels_out(pictures):
    card = Card("tiny", {"joints": 14}, "lsp", SIZE, "cross-entropy")
    cam = at.attribute(Tiny(), card, pictures, target("probability", "neck", card, CELL), "grad-cam", "features")
    assert cam.max() < 1e-6


def test_integrated_gradients_sum_to_what_the_way_changes(pictures):
    model, asked = Tiny(), neck()
    found = at.attribute(model, CARD, pictures, asked, "integrated-gradients")
    with torch.no_grad():
        change = asked.of(model(pictures)[:, 0]) - asked.of(model(at.blurred(pictures))[:, 0])
    assert np.allclose(found.sum((1, 2)), change, atol=2e-3)


class Kinked(Tiny):
    """Heatmaps are what the reddest pixel of each cell has above a half."""

    def forward(self, x):
        return torch.relu(torch.nn.functional.max_pool2d(x[:, :1], 4) - 0.5).expand(-1, 14, -1, -1)[:, None]


def test_integrated_gradients_of_a_kink_are_gauss_and_legendres():
    """On the way from a blurred spot to the spot the gradient jumps from 0 to 1, where exactly is known."""
    height = torch.linspace(0.55, 1, 19)
    spots = torch.zeros(19, 3, SIZE, SIZE)
    spots[:, 0, 4 * CELL[1] + 1, 4 * CELL[0] + 2] = height
    found = at.attribute(Kinked(), CARD, spots, target("peak", "neck", CARD, CELL), "integrated-gradients").sum((1, 2))
    start = at.blurred(spots).amax((1, 2, 3)).double().numpy()
    end = height.double().numpy()
    nodes, weights = np.polynomial.legendre.leggauss(50)
    beyond = (start[:, None] + np.outer(end - start, (nodes + 1) / 2)) > 0.5
    assert np.allclose(found, (end - start) * (beyond * weights).sum(1) / 2, atol=1e-5)
    assert (np.abs(found - (end - 0.5)) < 0.017 * (end - start)).all(), "half a step off at most"


def test_integrated_gradients_of_a_linear_network_by_hand(pictures):
    model = Tiny(bias=50.0)  # every ReLU passes everything
    mix, gradient = weights(model)
    expected = ((pictures - at.blurred(pictures)) * torch.einsum("c,ci->i", gradient, mix)[:, None, None]).sum(1) * inside()
    assert np.allclose(at.attribute(model, CARD, pictures, neck(), "integrated-gradients"), expected, atol=1e-5)


def test_occlusion_of_a_linear_network_by_hand(pictures):
    model = Tiny(bias=50.0)
    mix, gradient = weights(model)
    lost = (((pictures - at.blurred(pictures)) * torch.einsum("c,ci->i", gradient, mix)[:, None, None]).sum(1) * inside()).numpy()
    side, step = 5, 2  # a sixth of 32, and half of that
    total, count = np.zeros_like(lost), np.zeros((SIZE, SIZE))
    for y in range(0, SIZE - side + step, step):  # the last squares are cut off by the border
        for x in range(0, SIZE - side + step, step):
            square = (slice(y, y + side), slice(x, x + side))
            total[:, *square] += lost[:, *square].sum((1, 2))[:, None, None]
            count[square] += 1
    assert np.allclose(at.attribute(model, CARD, pictures, neck(), "occlusion"), total / count, atol=2e-5)


def test_each_person_is_explained_alone(pictures):
    model, cells = Tiny(), torch.tensor([[1, 1], [4, 2], [6, 6]])
    names = ["neck", "left wrist", "head top"]
    for method in at.METHODS:
        layer = "features" if method == "grad-cam" else None
        together = at.attribute(model, CARD, pictures, target("window", names, CARD, cells), method, layer)
        for i, name in enumerate(names):
            alone = at.attribute(model, CARD, pictures[i : i + 1], target("window", name, CARD, cells[i]), method, layer)
            assert np.allclose(together[i], alone[0], atol=1e-5), method


@pytest.fixture(scope="module")
def hourglass():
    torch.manual_seed(0)
    return Hourglass(HourglassConfig.narrow(8, joints=14, depth=3)).eval()


@pytest.mark.parametrize("method", at.METHODS)
def test_nothing_remains_after_success_and_error(method, hourglass):
    pictures, layer = torch.rand(2, 3, SIZE, SIZE), "stack0.sum2" if method == "grad-cam" else None
    given, before = pictures.clone(), [parameter.requires_grad for parameter in hourglass.parameters()]

    def fail(raw):
        raise RuntimeError("on the way")

    def fail_later(raw):
        number = raw.mean((1, 2, 3))
        number.register_hook(lambda gradient: fail(gradient)) if number.requires_grad else fail(raw)
        return number

    for asked in (neck(), Target("fails", fail), Target("fails later", fail_later)):
        if asked.name.startswith("fails"):
            with pytest.raises(RuntimeError, match="on the way"):
                at.attribute(hourglass, CARD, pictures, asked, method, layer)
        else:
            at.attribute(hourglass, CARD, pictures, asked, method, layer)
        assert hooks(hourglass) == 0
        assert torch.equal(pictures, given) and not pictures.requires_grad
        assert [parameter.requires_grad for parameter in hourglass.parameters()] == before
        assert all(parameter.grad is None for parameter in hourglass.parameters())


def test_grad_cam_refuses_a_place_without_extent(hourglass):
    with pytest.raises(PosekitError, match=r"stack0.bottleneck1 has no spatial extent at 32 px.*stack0.skip3.* have$") as error:
        at.attribute(hourglass, CARD, torch.rand(1, 3, SIZE, SIZE), neck(), "grad-cam", "stack0.bottleneck1")
    assert "\n" not in str(error.value) and "stack0.encoder3" not in str(error.value)
    assert hooks(hourglass) == 0


@pytest.mark.parametrize(
    "method, layer, said",
    [
        ("grad-cam", None, "grad-cam needs a layer: stem, stack0.skip1"),
        ("grad-cam", "stack0.botleneck1", "no activation named 'stack0.botleneck1'; near it: stack0.bottleneck1"),
        ("saliency", "stem", "saliency attributes to pixels and takes no layer"),
        ("tea leaves", None, "no method 'tea leaves'; there are saliency, guided-backprop"),
    ],
)
def test_what_cannot_be_done_is_said(hourglass, method, layer, said):
    with pytest.raises(PosekitError, match=said):
        at.attribute(hourglass, CARD, torch.rand(1, 3, SIZE, SIZE), neck(), method, layer)


def test_the_blurred_picture_keeps_a_constant_also_at_the_border():
    grey = torch.full((2, 3, 40, 40), 0.3)
    assert torch.allclose(at.blurred(grey), grey, atol=1e-6)


@pytest.fixture
def photograph():
    """90 x 60 pixels, black, red round (63, 41)."""
    picture = np.zeros((60, 90, 3), np.uint8)
    picture[38:45, 60:67, 0] = 255
    return picture


@pytest.fixture
def predictor():
    return Predictor(Painted(), CARD, Backend.plain())


@pytest.mark.parametrize("box", [None, [40, 20, 40, 38]])
@pytest.mark.parametrize("method", ["saliency", "occlusion", "integrated-gradients"])
def test_an_explanation_lies_where_the_joint_is_in_the_picture(predictor, photograph, box, method):
    found = posekit.explain(predictor, photograph, "right ankle", method, box=box)
    assert found.map.shape == found.heatmap.shape == (60, 90)
    assert np.linalg.norm(found.point - [63, 41]) < 6
    for values in (found.map, found.heatmap):
        y, x = np.mgrid[:60, :90]
        positive = values.clip(0)
        centre = np.array([(positive * x).sum(), (positive * y).sum()]) / positive.sum()
        assert np.linalg.norm(centre - [63, 41]) < 12
    assert repr(found) == f"<Explanation of window of right ankle by {method}, tiny, 90 x 60 px>"


def test_what_the_network_did_not_see_has_no_value(predictor, photograph):
    found = posekit.explain(predictor, photograph, "right ankle", "saliency", box=[50, 30, 20, 20])
    assert found.map[:, :40].max() == 0 and found.map[:20].max() == 0
    assert found.seen.tolist() == [47.5, 27.5, 72.5, 52.5]  # a square a quarter wider than the box
    for ax in found.figure().axes:
        assert (*ax.get_xlim(), *ax.get_ylim()) == (47.5, 72.5, 52.5, 27.5)
        # Nothing else is drawn, nor has a say in how bright it is.
        assert ax.images[0].get_array().shape == (25, 25, 3) and ax.images[0].get_extent() == [47.5, 72.5, 52.5, 27.5]
    assert posekit.explain(predictor, photograph, "right ankle", "saliency", box=[-20, 30, 50, 20]).seen[0] == -0.5


def test_an_explanation_draws_itself(predictor, photograph):
    found = posekit.explain(predictor, photograph, "right ankle", "occlusion")
    assert found._repr_png_().startswith(b"\x89PNG")
    assert isinstance(found.draw(), Image.Image) and found.draw().width > 600


def test_the_true_place_of_a_joint_can_be_asked_about(predictor, photograph):
    keypoints = np.full((14, 3), np.nan)
    keypoints[:, 2] = 0
    keypoints[3] = [20, 30, 2]
    found = posekit.explain(predictor, photograph, "left hip", "saliency", keypoints=keypoints)
    y, x = np.unravel_index(found.map.argmax(), found.map.shape)
    assert abs(x - 20) < 15 and abs(y - 30) < 15
    with pytest.raises(PosekitError, match="left wrist is not labelled for this person; labelled: left hip"):
        posekit.explain(predictor, photograph, "left wrist", "saliency", keypoints=keypoints)
    with pytest.raises(PosekitError, match=r"keypoints are \(14, 3\)"):
        posekit.explain(predictor, photograph, "left wrist", "saliency", keypoints=keypoints[:4])


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"joint": "tail"}, "no joint 'tail'; it has right ankle"),
        ({"target": "taste"}, "no target 'taste'"),
        ({"method": "attention"}, "tiny is no transformer and has no attention to show; it can be explained by saliency"),
        ({"box": [0, 0, 0, 5]}, "has no area"),
        ({"image": "nowhere.jpg"}, "nowhere.jpg"),
    ],
)
def test_bad_input_is_one_line_that_says_what_is_possible(predictor, photograph, changes, said):
    with pytest.raises(PosekitError, match=said) as error:
        posekit.explain(predictor, **{"image": photograph, "joint": "left wrist", "method": "saliency", **changes})
    assert "\n" not in str(error.value)


def test_the_command_writes_a_picture_and_says_mistakes_in_one_line(tmp_path, hourglass, photograph):
    from typer.testing import CliRunner

    from posekit.cli import commands as cli
    from posekit.engine import weights

    Image.fromarray(photograph).save(tmp_path / "photograph.png")
    weights.save(tmp_path / "toy.safetensors", hourglass, Card("toy", hourglass.config.to_dict(), "lsp", 64, "cross-entropy"))
    common = ["explain", str(tmp_path / "toy.safetensors"), str(tmp_path / "photograph.png"), "--out", str(tmp_path / "map.png")]
    result = CliRunner().invoke(cli.app, [*common, "--joint", "neck", "--method", "saliency", "--box", "20", "10", "60", "40"])
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "map.png") as drawn:
        assert drawn.width > 600
    result = CliRunner().invoke(cli.app, [*common, "--joint", "tail"])
    assert result.exit_code == 1 and "no joint 'tail'" in result.stderr and len(result.stderr.splitlines()) == 1


def test_grad_cam_has_a_place_by_default(hourglass):
    assert at.default_layer(hourglass) == "stack0.sum1"
    torch.manual_seed(0)
    two = Hourglass(HourglassConfig.narrow(8, joints=14, depth=2, stacks=2))
    assert at.default_layer(two) == "stack1.sum1"
    assert at.default_layer(Tiny()) == "mix"


def test_a_transformer_shows_its_attention_and_takes_the_other_methods_too(photograph):
    from posekit.models.transpose import TransPose, TransPoseConfig

    torch.manual_seed(0)
    config = TransPoseConfig(joints=14, features=16, layers=1, heads=2, hidden=8)
    card = Card("toy", config.to_dict(), "lsp", SIZE, "cross-entropy", architecture="transpose")
    transformer = Predictor(TransPose(config), card, Backend.plain())
    read = posekit.explain(transformer, photograph, "neck", "attention")
    assert read.map.min() >= 0 and np.ptp(read.map) > 0 and read.method == "attention"
    for method in ("saliency", "grad-cam", "occlusion"):
        assert np.isfinite(posekit.explain(transformer, photograph, "neck", method).map).all()
    assert hooks(transformer.model) == 0


@pytest.mark.parametrize(
    "changes, method, said",
    [
        ({"loss": "coordinates"}, "saliency", "tiny answers with coordinates and has no heatmap to explain"),
        ({"architecture": "parts"}, "saliency", "tiny is made of templates and has no gradients for saliency; occlusion explains it"),
    ],
)
def test_networks_that_cannot_be_explained_so_are_refused(photograph, changes, method, said):
    from dataclasses import replace

    with pytest.raises(PosekitError, match=said):
        posekit.explain(Predictor(Painted(), replace(CARD, **changes), Backend.plain()), photograph, "neck", method)
