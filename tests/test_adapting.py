"""Outside networks: planted ones, whose answers are known in closed form."""

import pickle
import types

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import posekit
from posekit import PosekitError, Skeleton, adapt
from posekit.coordinates import person_square, transform
from posekit.data.people import People
from posekit.engine.inference.prediction import Fast, by_modules
from posekit.hooks import edit, hook_points, trace
from posekit.skeleton import COCO

ONE = Skeleton("spot", ("spot",))
PLAIN = posekit.Backend.plain()


class Spot(nn.Module):
    """Finds the red spot: the mean of red in each cell, as one map, passed through modules that name what they compute."""

    def __init__(self, stride: int, wrap=lambda maps: maps, joints: int = 1):
        super().__init__()
        self.stride, self.wrap, self.joints = stride, wrap, joints
        self.red, self.pool, self.twice = nn.Conv2d(3, 1, 1, bias=False), nn.AvgPool2d(stride), nn.ReLU()
        with torch.no_grad():
            self.red.weight.copy_(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1))

    def forward(self, pictures):
        maps = self.twice(self.pool(self.twice(self.red(pictures))))
        return self.wrap(maps.repeat(1, self.joints, 1, 1))


def spot_at(x: float, y: float, width: int, height: int, spread: float) -> np.ndarray:
    grid = np.mgrid[:height, :width]
    red = np.exp(-((grid[1] - x) ** 2 + (grid[0] - y) ** 2) / (2 * spread**2))
    return np.stack([255 * red, 0 * red, 0 * red], -1).round().astype(np.uint8)


def adapted(module, skeleton=ONE, size=64, **options):
    return adapt(module, skeleton, size, backend=PLAIN, **{"report": None, **options})


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16])
def test_a_spot_is_where_it_is_whatever_the_stride(stride):
    network = adapted(Spot(stride), size=128)
    assert network.card.stride == stride
    for x, y in ((35.5, 71.0), (64.0, 33.3)):
        found = network.predict(spot_at(x, y, 128, 128, 1.2 * max(stride, 2))).keypoints[0, 0]
        assert np.allclose(found[:2], (x, y), atol=0.12 * max(stride, 2)), stride


@pytest.mark.parametrize("height, width", [(64, 48), (48, 64), (96, 32)])
def test_a_spot_is_where_it_is_in_an_input_that_is_no_square(height, width):
    network = adapted(Spot(4), size=(height, width))
    assert network.card.resolution == max(height, width) and network.card.aspect == width / height
    for x, y in ((width / 2 + 5, height / 2 - 7), (8, 9), (width - 9, height - 8)):
        found = network.predict(spot_at(x, y, width, height, 4.0)).keypoints[0, 0]
        assert np.allclose(found[:2], (x, y), atol=0.4)


BOXES = {"tall": (200.0, 160.0, 60.0, 160.0), "wide": (150.0, 220.0, 170.0, 50.0), "square": (180.0, 190.0, 110.0, 110.0)}


def planted(box, x: float, y: float, spread: float = 9.0) -> People:
    """One person of COCO's joints, all of them where the one red spot of the picture is."""
    keypoints = np.tile([x, y, 2.0], (1, 17, 1))
    picture = spot_at(x, y, 480, 500, spread)
    return People(
        COCO, np.array(["planted"]), np.array([box]), keypoints, np.array([1]), np.array(["test"]), {"planted": picture}.__getitem__,
        "planted", version=f"{x} {y} {spread}",
    )  # fmt: skip


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (64, 64), (96, 32)])
@pytest.mark.parametrize("shape", BOXES)
def test_a_spot_at_the_edge_of_a_box_is_found_whatever_the_shapes_of_box_and_input(shape, size, tmp_path):
    """By prediction in a picture and by stored crops, in the picture's pixels, to a fraction of a heatmap cell."""
    network = adapted(Spot(4, joints=17), COCO, size)
    left, top, width, height = BOXES[shape]
    cell = person_square(np.array(BOXES[shape]), 1.25, size[1] / size[0])[1] / max(size) * 4
    for x, y in ((left + 3, top + height / 2), (left + width - 4, top + 3), (left + width / 2, top + height - 4)):
        found = network.predict(spot_at(x, y, 480, 500, 0.8 * cell), [BOXES[shape]]).keypoints[0, :, :2]
        assert np.allclose(found, (x, y), atol=0.15 * cell), (shape, size)
        cut = posekit.crops(
            planted(BOXES[shape], x, y, 0.8 * cell), round(1.25 * network.card.resolution), tmp_path, aspect=network.card.aspect
        )
        assert np.allclose(posekit.predict_crops(network.model, network.card, cut, backend=PLAIN)[0, 0, :, :2], (x, y), atol=0.15 * cell)


def test_crops_of_an_input_of_another_shape_are_refused(tmp_path):
    network, people = adapted(Spot(4, joints=17), COCO, (64, 48)), planted(BOXES["wide"], 200, 240)
    square = posekit.crops(people, 80, tmp_path)
    own = posekit.crops(people, 80, tmp_path, aspect=0.75)
    assert square.aspect == 1 and own.select([0]).aspect == 0.75 and not np.allclose(square.matrices, own.matrices)
    with pytest.raises(PosekitError, match=r"width is 1 of its height.* is 0.75; cut them by posekit.crops\(people, size, aspect=0.75\)"):
        posekit.predict_crops(network.model, network.card, square, backend=PLAIN)
    with pytest.raises(PosekitError, match=r"cut for an input whose width is 0\.75"):
        square_network = adapted(Spot(4, joints=17), COCO, 64)
        posekit.evaluate(square_network, own)


def test_probabilities_of_an_input_that_is_no_square_sum_to_one_within_it():
    network = adapted(Spot(4), size=(64, 48), values="softmax")
    maps = posekit.prediction.predict_heatmaps(network.model, network.card, torch.rand(2, 3, 64, 64))
    assert torch.allclose(maps.sum((-2, -1)), torch.ones(2, 1, 1)) and maps[..., :2].abs().max() == 0 and maps[..., -2:].abs().max() == 0


@pytest.mark.parametrize("below", [0.0, 0.5, 3.0])
def test_beside_an_input_that_is_no_square_nothing_is_found_whatever_the_sign_of_the_maps(below):
    network = adapted(Spot(4, lambda maps: maps - below), size=(64, 48))
    found = network.predict(spot_at(30, 21, 48, 64, 4.0)).keypoints[0, 0]
    assert np.allclose(found[:2], (30, 21), atol=2.0 if below else 0.4)
    pictures = torch.rand(2, 3, 64, 64, requires_grad=True)
    network.model(pictures).sum().backward()
    assert torch.allclose(pictures.grad[:, 0, :, 8:56], torch.tensor(1 / 16)) and not pictures.grad[..., :8].any()


@pytest.mark.parametrize("height, width", [(64, 64), (64, 32), (32, 64)])
def test_grad_cam_lies_on_what_the_network_sees(height, width):
    pytest.importorskip("captum")
    network = adapted(Spot(4), size=(height, width))
    for x, y in ((width / 2 + 7, height / 2 - 9), (6.0, height - 8.0)):
        found = posekit.explain(network, spot_at(x, y, width, height, 4.0), "spot", "grad-cam", layer="red", target="window").map
        row, column = np.unravel_index(found.argmax(), found.shape)
        assert found.shape == (height, width) and np.hypot(column - x, row - y) < 3


def test_pictures_are_normalised_as_the_network_was_trained():
    seen = []
    module = Spot(4)
    module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network = adapted(module, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    picture = torch.rand(1, 3, 64, 64)
    network.model(picture)
    expected = (picture - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1)
    assert torch.allclose(seen[-1], expected)


ANSWERS = {  # what a network may answer with: how it is made of maps, and what `output` says of it
    "a list of stages": (lambda maps: [maps, 2 * maps], None),
    "a tuple of one": (lambda maps: (maps,), None),
    "stages in a tensor": (lambda maps: torch.stack([maps, 2 * maps], 1), None),
    "an object with heatmaps": (lambda maps: types.SimpleNamespace(heatmaps=maps, loss=None), None),
    "a tuple, by its place": (lambda maps: (maps.mean((2, 3)), maps), 1),
    "a dictionary, by its key": (lambda maps: {"features": maps.mean(), "maps": maps}, "maps"),
    "channels last, by a function": (lambda maps: maps.permute(0, 2, 3, 1), lambda answer: answer.permute(0, 3, 1, 2)),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_of_every_form_are_read(name):
    wrap, output = ANSWERS[name]
    network = adapted(Spot(4, wrap), output=output)
    found = network.predict(spot_at(40.0, 21.0, 64, 64, 4.0)).keypoints[0, 0]
    assert np.allclose(found[:2], (40, 21), atol=0.4)
    stages = 2 if "stages" in name else 1
    assert network.model(torch.rand(1, 3, 64, 64)).shape == (1, stages, 1, 16, 16)


REFUSED = {  # module, options, what is said
    "another number of joints": (Spot(4), {"skeleton": COCO}, "answers with 1 maps, the skeleton has 17 joints"),
    "channels last": (
        Spot(4, lambda maps: maps.repeat(1, 17, 1, 1).permute(0, 2, 3, 1)),
        {"skeleton": COCO},
        r"axes seem to be \(B, h, w, K\): give output=",
    ),
    "a tuple of unlike parts": (Spot(4, lambda maps: (maps, maps.mean())), {}, r"its answer is a tuple of a tensor .* say by `output`"),
    "a dictionary": (Spot(4, lambda maps: {"a": maps}), {}, "its answer is a dict of a: a tensor"),
    "no such key": (Spot(4, lambda maps: {"a": maps}), {"output": "b"}, "its answer is a dict of a: a tensor .* and has no 'b'"),
    "not finite": (Spot(4, lambda maps: maps / 0), {}, "numbers that are not finite"),
    "height and width exchanged": (
        Spot(4, lambda maps: F.interpolate(maps, (16, 12))),
        {"size": (48, 64)},
        r"have no one stride; is `size`",
    ),
    "another stride": (Spot(8), {"stride": 4}, "stride is given as 4; maps of 8 rows for 64 pixels have 8"),
    "an odd border": (Spot(16), {"size": (64, 48)}, "leaves no whole cells to either side"),
    "pictures that it cannot take": (nn.Conv2d(1, 1, 4, stride=4), {}, r"cannot take pictures \(2, 3, 64, 64\): RuntimeError"),
    "no such values": (Spot(4), {"values": "logits"}, "values is 'logits'; give raw or sigmoid or softmax"),
    "a deviation of nothing": (Spot(4), {"std": (1, 0, 1)}, "std is .* above 0"),
    "no such skeleton": (Spot(4), {"skeleton": "hand"}, "no skeleton 'hand'; there are coco, lsp, mpii"),
    "a limb to nowhere": (Spot(2), {"skeleton": Skeleton("odd", ("nose", "chin"), (("nose", "hat"),))}, "odd skeleton has no joint 'hat'"),
    "a pair of nobody": (Spot(2), {"skeleton": Skeleton("odd", ("nose", "chin"), pairs=(("a", "b"),))}, "odd skeleton has no joint 'a'"),
    "a left joint without a right one": (Spot(4), {"skeleton": Skeleton("odd", ("left eye",))}, "a left joint has no right one"),
    "a code that is not there": (Spot(4), {"code": "neck"}, "neck is none of its modules that compute a tensor; there are red, pool"),
    "a code computed twice": (Spot(4), {"code": "twice"}, "twice is computed 2 times in a pass; there are red, pool"),
    "a skip computed twice": (Spot(4), {"skips": ["twice"]}, "twice is computed 2 times in a pass"),
    "pictures mixed into one": (Spot(4, lambda maps: maps.sum(0, keepdim=True)), {}, "answers to 2 pictures with 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused_in_a_line(case):
    module, options, said = REFUSED[case]
    with pytest.raises(PosekitError, match=said) as caught:
        adapted(module, **options)
    assert "\n" not in str(caught.value) and not any(m._forward_hooks for m in module.modules())


def test_the_dry_pass_says_what_it_found():
    lines = []
    adapted(Spot(8), report=lines.append, code="pool", skips=["red"], name="spot")
    assert lines[0].startswith("spot: 1 stage of 1 maps of 8 x 8 cells for 64 x 64 pixels, rows first, stride 8; of noise 0.")
    assert lines[1] == "spot: 2 hook points, from red to pool; code: pool; skip connections: red"


class Block(nn.Module):
    """Answers with a tuple, as layers of transformers do."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.inner(x), None


class Chain(nn.Module):
    """A SimpleBaseline of sorts for COCO: blocks in a list, a skip, a bottleneck, an activation that is no ReLU, 17 maps at stride 8."""

    def __init__(self, joints: int = 17):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.down, self.neck = nn.Conv2d(3, 4, 8, stride=8), nn.Conv2d(4, 4, 2, stride=2)
        self.skip, self.head = nn.Conv2d(4, 4, 1), nn.Conv2d(4, joints, 1)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)[0]
        x = self.down(F.gelu(x))
        return self.head(F.interpolate(self.neck(x), scale_factor=2.0) + self.skip(x))


@pytest.fixture(scope="module")
def chain():
    torch.manual_seed(0)
    return adapted(Chain(), COCO, 64, code="neck", skips=["skip"], name="chain")


def test_activations_are_named_as_in_the_outside_network(chain):
    assert hook_points(chain.model) == ["blocks.0.inner", "blocks.0", "blocks.1.inner", "blocks.1", "down", "neck", "skip", "head"]
    pictures = torch.rand(2, 3, 64, 64)
    with trace(chain.model, ["blocks.0", "neck"]) as activations:
        chain.model(pictures)
    assert activations["blocks.0"].shape == (2, 3, 64, 64) and activations["neck"].shape == (2, 4, 4, 4)
    with edit(chain.model, {"blocks.1": torch.zeros_like}), trace(chain.model, ["down"]) as activations:
        chain.model(pictures)
    assert torch.allclose(activations["down"], chain.model.module.down.bias.view(1, 4, 1, 1).expand(2, 4, 8, 8))
    with pytest.raises(PosekitError, match="no activation named 'blocks'"), trace(chain.model, ["blocks"]):
        pass


def test_everything_is_asked_of_it_as_of_posekits_own(chain):
    from posekit.interpret.activations import ablation, walks
    from posekit.interpret.activations.codes import code_hook_point, collect

    people = posekit.load_people("mannequins:6,size=64@all")
    scores = posekit.evaluate(chain, people)
    assert scores["architecture"] == "adapted" and scores["people"] == 6
    crops = posekit.crops(people, 80)
    hook_point = code_hook_point(chain.model)
    codes = collect(chain.model, chain.card, crops, hook_point, backend=PLAIN)
    assert codes.shape == (6, 64)
    assert ablation.skip_groups(chain.model) == {"skip": ["skip"], "all": ["skip"]}
    lost = ablation.ablate(chain.model, chain.card, crops, ablation.skip_groups(chain.model), {"zero": ablation.zero}, backend=PLAIN)
    assert lost["skip"]["zero"].shape == (1, 6, 17, 3)
    maps, keypoints = walks.answers(chain.model, chain.card, torch.rand(2, 3, 64, 64), hook_point, codes[:2], "off", backend=PLAIN)
    assert maps.shape == (2, 17, 8, 8) and keypoints.shape == (2, 17, 3)
    assert chain._repr_html_() and repr(chain).startswith("<Predictor chain: adapted, coco skeleton, 64 px")


@pytest.mark.parametrize("method", ["saliency", "integrated-gradients", "occlusion", "grad-cam"])
def test_it_is_explained(chain, method):
    pytest.importorskip("captum")
    found = posekit.explain(chain, spot_at(30, 30, 64, 64, 5.0), "left wrist", method)
    assert found.map.shape == (64, 64) and np.isfinite(found.map).all()


@pytest.mark.parametrize("x, y", [(20, 30), (-2, 5), (42, 61), (63, 63), (20, 64), (20, 0), (44, 30)])
def test_an_annotated_joint_is_explained_where_the_network_sees_it(x, y):
    pytest.importorskip("captum")
    network, keypoints = adapted(Spot(4), size=(64, 48)), np.array([[x, y, 2.0]])
    picture = spot_at(30, 30, 64, 64, 5.0)
    if -2.5 <= x + 0.5 <= 42.5 and 2 <= y + 0.5 <= 62:  # the box and an eighth to each side
        assert np.isfinite(posekit.explain(network, picture, "spot", "saliency", keypoints=keypoints, box=(8, 8, 24, 48)).map).all()
    else:
        with pytest.raises(PosekitError, match="outside of what Spot sees; give a box that holds it"):
            posekit.explain(network, picture, "spot", "saliency", keypoints=keypoints, box=(8, 8, 24, 48))


@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet"])
def test_a_method_of_relus_is_refused_where_there_are_none(chain, method):
    pytest.importorskip("captum")
    with pytest.raises(PosekitError, match=f"{method} changes what ReLU modules hand back, and this network has none"):
        posekit.explain(chain, spot_at(30, 30, 64, 64, 5.0), "left wrist", method)


class Functional(nn.Module):
    """A ReLU module, and functional activations beside it."""

    def __init__(self, activation):
        super().__init__()
        self.conv, self.relu, self.head, self.activation = nn.Conv2d(3, 4, 4, stride=4), nn.ReLU(), nn.Conv2d(4, 17, 1), activation

    def forward(self, x):
        return self.activation(self.head(self.relu(self.conv(x))))


@pytest.mark.parametrize("activation, said", [(F.relu, "1 functional Relu"), (F.gelu, "1 Gelu"), (F.leaky_relu, "1 LeakyRelu"),
                                              (F.relu6, "1 Hardtanh"), (F.silu, "1 Silu")])  # fmt: skip
def test_a_method_of_relus_is_refused_beside_other_activations(activation, said):
    pytest.importorskip("captum")
    network = adapted(Functional(activation), COCO, 64, name="mixed")
    assert posekit.explain(network, spot_at(30, 30, 64, 64, 5.0), "nose", "saliency").map.max() >= 0
    with pytest.raises(PosekitError, match=rf"other activations beside its 1, {said}: they would"):
        posekit.explain(network, spot_at(30, 30, 64, 64, 5.0), "nose", "deconvnet")
    assert not any(m._forward_hooks for m in network.model.modules())


def test_a_planted_network_is_explained_by_the_spot_alone():
    pytest.importorskip("captum")
    network = adapted(Spot(8), code="pool")
    found = posekit.explain(network, spot_at(44, 20, 64, 64, 4.0), "spot", "occlusion")
    y, x = np.unravel_index(np.abs(found.map).argmax(), found.map.shape)
    assert np.hypot(x - 44, y - 20) < 10


def test_a_skeleton_of_ones_own():
    fingers = tuple(f"finger {i}" for i in range(5))
    hand = Skeleton("hand", ("wrist", *fingers), tuple(("wrist", finger) for finger in fingers))
    network = adapted(Spot(4, joints=6), hand)
    poses = network.predict(spot_at(30, 30, 64, 64, 5.0), flip=True)
    assert poses.keypoints.shape == (1, 6, 3) and np.allclose(poses.keypoints[0, :, :2], 30, atol=0.5) and poses.draw().size
    with pytest.raises(PosekitError, match="a network of the hand skeleton cannot be scored on coco"):
        posekit.evaluate(network, "mannequins:2,size=64@all")
    spelt = adapted(Spot(4, joints=17), Skeleton("mine", [joint.replace(" ", "_") for joint in posekit.SKELETONS["coco"].joints]))
    with pytest.raises(PosekitError, match="both must have shoulders and hips; its 'left_eye' is to be called 'left eye', and so on"):
        posekit.evaluate(spelt, "mannequins:2,size=64@all")
    pairs = Skeleton("paws", ("fore l", "fore r"), pairs=(("fore l", "fore r"),))
    assert pairs.mirrored == (1, 0) and adapted(Spot(4, joints=2), pairs).skeleton is pairs


def test_the_flip_test_exchanges_sides_at_any_stride():
    network = adapted(Spot(8), size=64)
    one, other = (network.predict(spot_at(41, 20, 64, 64, 9.0), flip=flip).keypoints[0, 0] for flip in (False, True))
    assert np.allclose(one, other, atol=1e-6)


def test_without_a_code_or_skips_what_needs_them_says_so():
    from posekit.interpret.activations import ablation, stacks
    from posekit.interpret.activations.codes import code_hook_point

    network = adapted(Spot(4))
    with pytest.raises(PosekitError, match=r"no code was named; posekit\.adapt\(\.\.\., code=NAME\) names one of red, pool"):
        code_hook_point(network.model)
    with pytest.raises(PosekitError, match="adapted without naming them"):
        ablation.skip_hook_points(network.model)
    with pytest.raises(PosekitError, match="one stack, so that there is no later one"):
        stacks.need_stacks(network.model, "spot")


def test_the_fast_path_has_the_same_heatmaps(chain):
    pictures = torch.rand(3, 3, 64, 64)
    with torch.inference_mode():
        expected = chain.model(pictures)
        fast = posekit.Backend.best("cpu")
        for network in (by_modules(chain.model, fast), Fast(chain.model, fast, expected=np.inf)):
            apart = (network(pictures) - expected).abs().max() / (expected.max() - expected.min())
            assert apart < (0.05 if fast.bf16 else 1e-4)


def test_points_lead_back_to_the_picture():
    """A picture of another size: what is found in input pixels is moved back by the inverse of the crop."""
    network = adapted(Spot(8), size=64)
    big = spot_at(200, 100, 320, 240, 20.0)
    found = network.predict(big).keypoints[0, 0]
    matrix = posekit.coordinates.cropping([159.5, 119.5], 320, 64)
    assert np.allclose(transform(matrix, found[None, :2]), transform(matrix, np.array([[200.0, 100.0]])), atol=1.0)


@pytest.mark.parametrize("values", ["raw", "sigmoid", "softmax"])
def test_an_adapted_network_goes_into_another_process(values):
    network = adapted(Chain(), COCO, values=values)
    copy, picture = pickle.loads(pickle.dumps(network)), spot_at(30, 30, 64, 64, 5.0)
    assert np.array_equal(copy.predict(picture).keypoints, network.predict(picture).keypoints)
