"""What people hand to `posekit.adapt`: networks, numbers and names of joints of every habit."""

import numpy as np
import pytest
import torch
from test_adapters import QUIET, Sampled, spot_at
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

import posekit
from posekit import PosekitError, Skeleton, adapt
from posekit.auditing import evidence
from posekit.data.people import People
from posekit.interpret.activations import patching

ONE = Skeleton("spot", ("spot",))


class Odd(nn.Module):
    def __init__(self, change, **parts):
        super().__init__()
        self.change, self.weight = change, nn.Parameter(torch.ones(1))
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, pictures):
        return self.change(F.avg_pool2d(pictures[:, :1] * self.weight, 4), self)


def same(maps, _):
    return maps


@pytest.mark.parametrize(
    "module, options, said",
    [
        (Odd(same), {"mean": (123.675, 116.28, 103.53)}, "divided by 255"),
        (Odd(same), {"std": (58.395, 57.12, 57.375)}, "divided by 255"),
        (Odd(same), {"mean": (float("nan"), 0, 0)}, "give three numbers"),
        (Odd(same), {"mean": 0.5}, "give three numbers"),
        (Odd(same), {"std": "abc"}, "give three numbers"),
        *((Odd(same), {"size": size}, r"give \(height, width\)") for size in (0, -64, 64.0, "64", (3, 64, 64), (64, None))),
        (Odd(same), {"values": ["raw"]}, "values is"),
        (Odd(same), {"skeleton": ["spot"]}, "no skeleton"),
        (Odd(lambda maps, _: torch.cat([maps, 1 - maps], 1)), {}, "2 maps, the skeleton has 1 joints; if the last map is the background"),
        (Odd(lambda maps, _: F.dropout(maps, 0.1)), {}, "changes from call to call"),
        (Odd(lambda maps, its: its.norm(maps), norm=nn.BatchNorm2d(1, track_running_stats=False)), {}, "with the pictures beside it"),
        (Odd(lambda maps, _: maps / maps.amax()), {}, "with the pictures beside it"),
        (Odd(lambda maps, _: maps.to(torch.complex64)), {}, "complex numbers"),
        *((Odd(same).to(kind), {}, "give module.float()") for kind in (torch.float16, torch.bfloat16, torch.float64)),
        (Odd(same).to("meta"), {}, "on the device meta"),
        (Odd(lambda maps, _: torch.stack([maps, maps])), {}, "answers to 3 pictures with 2"),  # stages first, as many as pictures
        (Odd(lambda maps, _: torch.stack([maps, maps], 1)), {"output": 0}, "answers to 3 pictures with 2"),  # a picture, not a stage
        (Odd(lambda maps, _: maps.flatten(2).softmax(-1).view_as(maps)), {"values": "softmax"}, 'sums to 1 already.* values="raw"'),
        *((Odd(same), {"size": size}, "joints are read from 3 cells a side at least") for size in (4, 8)),
        (Odd(same), {"skips": {"none": []}}, "none names no hook point"),
        (Odd, {}, "no torch.nn.Module"),
        ("network.pt", {}, "no torch.nn.Module"),
        ({"weight": torch.ones(1)}, {}, "no torch.nn.Module"),
    ],
)
def test_what_would_be_wrong_in_silence_is_refused_in_a_line(module, options, said):
    with pytest.raises(PosekitError, match=said) as caught:
        adapt(module, **{"skeleton": ONE, "size": 64, **QUIET, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("wrap", [torch.jit.script, lambda module: module], ids=["scripted", "plain"])
def test_a_network_that_normalises_its_pictures_in_place_and_a_scripted_one_are_read(wrap):
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = nn.AvgPool2d(4)

        def forward(self, pictures):
            return self.pool(pictures.mul_(2.0).sub_(1.0))[:, :1]

    network = adapt(wrap(InPlace()), ONE, 64, code=None, skips=None, **QUIET)
    pictures = torch.rand(2, 3, 64, 64)
    given = pictures.clone()
    assert torch.allclose(network.model(pictures)[:, 0], 2 * F.avg_pool2d(given[:, :1], 4) - 1, atol=1e-6)
    assert torch.equal(pictures, given), "they are the caller's"


def test_a_network_is_adapted_once():
    with pytest.raises(PosekitError, match="already a network of posekit's"):
        adapt(adapt(Odd(same), ONE, 64, **QUIET), ONE, 64, **QUIET)


@pytest.mark.parametrize("three", [(0.0, 0.5, 1.0), [0, 0.5, 1], np.array([0, 0.5, 1]), torch.tensor([0, 0.5, 1])])
@pytest.mark.parametrize("size", [64, np.int64(64), (64, 64), [64, 64], np.array([64, 64])])
def test_numbers_come_in_every_form(three, size):
    network = adapt(Sampled("centres"), ONE, size, mean=three, **QUIET)
    assert np.allclose(network.predict(spot_at(20, 30, 64, 64, 5.0)).keypoints[0, 0, :2], (20, 30), atol=0.2)


@pytest.mark.parametrize("wrap", [nn.DataParallel, AveragedModel, lambda net: torch.compile(net, backend="eager"),
                                  lambda net: nn.DataParallel(torch.compile(net, backend="eager"))])  # fmt: skip
def test_a_wrapped_network_is_the_network_in_it(wrap):
    plain = Odd(lambda maps, its: its.first(maps), first=nn.Conv2d(1, 1, 1))
    wrapped = wrap(plain)
    one, other = (adapt(net, ONE, 64, code="first", **QUIET) for net in (plain, wrapped))
    assert one.model.hook_points() == other.model.hook_points() == ["first"] and other.card.name == "Odd"
    assert np.allclose(one.predict(spot_at(20, 30, 64, 64, 5.0)).keypoints, other.predict(spot_at(20, 30, 64, 64, 5.0)).keypoints)


def test_an_exported_program_is_refused():
    exported = torch.export.export(nn.Conv2d(3, 1, 4, stride=4), (torch.rand(2, 3, 64, 64),)).module()
    with pytest.raises(PosekitError, match="an exported program"):
        adapt(exported, ONE, 64, **QUIET)


def test_one_hook_point_is_no_list_of_letters():
    parts = {"first": nn.Conv2d(1, 1, 1)}
    network = Odd(lambda maps, its: its.first(maps), **parts)
    for skips in ("first", ["first"], {"first": "first"}, {"first": ["first"]}):
        assert adapt(network, ONE, 64, skips=skips, **QUIET).model.skip_groups() == {"first": ["first"]}


@pytest.mark.parametrize(
    "left, right",
    [("left_wrist", "right_wrist"), ("Left Wrist", "Right Wrist"), ("leftWrist", "rightWrist"), ("LEFT-WRIST", "RIGHT-WRIST"),
     ("L_Wrist", "R_Wrist"), ("LWrist", "RWrist"), ("lWrist", "rWrist"), ("wrist.l", "wrist.r"), ("WristL", "WristR"), ("l", "r")],
)  # fmt: skip
def test_sides_are_known_however_they_are_written(left, right):
    assert Skeleton("mine", ("L5", "nose", right, left)).mirrored == (0, 1, 3, 2)


@pytest.mark.parametrize("size", [(64, 64), (64, 48), (48, 64)])
@pytest.mark.parametrize("alignment", ["centres", "msra", "udp"])
def test_audits_and_patches_look_where_the_cells_are(alignment, size, tmp_path):
    """The evidence is highest where the spot is, and the views hold the whole box, whatever the input's shape and the cells' alignment."""
    network, box = adapt(Sampled(alignment), ONE, size, alignment=alignment, **QUIET), [9.5, 9.5, 100, 100]
    spots = np.random.default_rng(0).uniform(40, 80, (24, 2)).round(1)
    keypoints = np.concatenate([spots, np.full((24, 1), 2.0)], 1)[:, None]
    people = People(ONE, np.array([f"{x} {y}" for x, y in spots]), np.tile(box, (24, 1)), keypoints, np.arange(24), np.full(24, "all"),
                    lambda name: spot_at(*map(float, name.split()), 120, 120, 12.0), "spots")  # fmt: skip
    crops = posekit.crops(people, 80, tmp_path, aspect=size[1] / size[0])
    near = [people.keypoints + np.array([dx, dy, 0]) for dx, dy in ((0, 0), (4, 0), (-4, 0), (0, 4), (0, -4))]
    found = evidence.of_network(network, crops, near, flip=False)
    assert np.allclose(found.predicted[..., :2], people.keypoints[..., :2], atol=1)
    own = found.likelihoods[..., evidence.OWN].mean((1, 2))
    assert (own[0] > own[1:]).all() and np.ptp(own[1:]) < 0.05, own  # less, and as much, to every side
    seen = patching.cropped_views([people.read(name) for name in people.names], people.boxes, network.card)
    assert all(picture[0].max() > 0.9 for picture in seen)
    if size[0] != size[1]:
        with pytest.raises(PosekitError, match="crops were cut for an input whose width"):
            evidence.of_network(network, posekit.crops(people, 80, tmp_path), near)


OWN = "import torch, posekit\n{}\ndef network({}):\n    {}\n"
NETWORK = 'return posekit.adapt(torch.nn.Conv2d(3, 17, 8, stride=8), "coco", 64, report=None)'


def own(folder, imports="", arguments="", body=NETWORK, name="own_network.py"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(OWN.format(imports, arguments, body), "utf-8")
    return f"{folder / name}:network"


@pytest.mark.parametrize(
    "options, said",
    [
        ({"imports": "def f(:"}, "own_network.py.*: SyntaxError"),
        ({"imports": "import no_such_library"}, "own_network.py, line 2: ModuleNotFoundError: No module named 'no_such_library'"),
        ({"body": "raise ValueError('two\\nlines')"}, "own_network.py, line 4: ValueError: two lines"),
        ({"body": "raise SystemExit(0)"}, "own_network.py, line 4: SystemExit"),
        ({"arguments": "size"}, "missing 1 required positional argument"),
        ({"body": "return torch.nn.Conv2d(3, 17, 8)"}, "gives a Conv2d; let it return what posekit.adapt gives"),
        ({"body": NETWORK.replace("17", "16")}, "16 maps, the skeleton has 17"),
    ],
)
def test_a_file_of_ones_own_that_fails_says_where_in_a_line(tmp_path, options, said):
    with pytest.raises(PosekitError, match=said) as caught:
        posekit.load(own(tmp_path, **options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["", ":", ":make", ":Net.make"])
def test_a_file_of_ones_own_is_named_with_its_function(tmp_path, ending):
    file = own(tmp_path).removesuffix(":network")
    with pytest.raises(PosekitError, match=r"FILE\.py:FUNCTION|has no function make"):
        posekit.load(file + ending)


@pytest.mark.parametrize("folder", ["plain", "with space", "ünï"])
def test_a_file_of_ones_own_imports_what_lies_beside_it_and_is_pickled(tmp_path, monkeypatch, folder):
    import pickle
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    kind, place = f"beside_{len(folder)}", tmp_path / folder
    place.mkdir()
    (place / f"{kind}.py").write_text("import torch\nclass Net(torch.nn.Conv2d):\n    pass\n")
    within = f"from {kind} import Net\nclass Own(Net):\n    pass"
    name = own(place, within, body=NETWORK.replace("torch.nn.Conv2d", "Own"), name=f"own_{len(folder)}.py")
    posekit.load(name)
    network = posekit.load(name)  # once more, as a notebook does when it is run again
    copy = pickle.loads(pickle.dumps(network))
    picture = np.zeros((64, 64, 3), np.uint8)
    assert np.allclose(copy.predict(picture).keypoints, network.predict(picture).keypoints)


@pytest.mark.parametrize("shape", [["N", 64, 64, 3], ["N", None, None, 3], [1, 64, 64, 3], [4, 3, 64, 64], ["N", 3, None, None]])
def test_onnx_files_take_colours_first_or_last_and_any_number_of_pictures(tmp_path, shape):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    make, last = onnx.helper, shape[-1] == 3
    red = onnx.numpy_helper.from_array(np.array([1, 0, 0], np.float32).reshape(1, 3, 1, 1), "red")
    nodes = [make.make_node("Transpose", ["x"], ["first"], perm=[0, 3, 1, 2])] if last else []
    nodes += [make.make_node("Conv", ["first" if last else "x", "red"], ["grey"])]
    nodes += [make.make_node("AveragePool", ["grey"], ["y"], kernel_shape=[4, 4], strides=[4, 4])]
    ends = [
        make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims) for name, dims in (("x", shape), ("y", [shape[0], 1, None, None]))
    ]
    graph = make.make_graph(nodes, "red", ends[:1], ends[1:], [red])
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), str(tmp_path / "red.onnx"))
    network = posekit.adapters.onnx(tmp_path / "red.onnx", ONE, 64, mean=(0, 0, 0), std=(1, 1, 1), **QUIET)
    found = network.predict(spot_at(20, 40, 64, 64, 4.0), boxes=[[-0.5, -0.5, 64, 64]] * 3).keypoints[:, 0, :2]
    assert np.allclose(found, found[0]) and len(found) == 3
    assert np.allclose(network.predict(spot_at(20, 40, 64, 64, 4.0)).keypoints[0, 0, :2], (20, 40), atol=0.3)


def test_an_onnx_file_that_git_did_not_fetch_is_called_that(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "far.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(PosekitError, match=r"far\.onnx: a Git LFS pointer"):
        posekit.adapters.onnx(tmp_path / "far.onnx", ONE, 64)
