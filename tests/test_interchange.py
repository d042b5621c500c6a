"""Poses and networks come back from other programs' forms as they went."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_data
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from posekit.coordinates import cropping, person_square
from posekit.engine.inference.prediction import Poses, decode, predict_heatmaps
from posekit.engine.interchange import export_onnx, from_coco, read_coco, to_supervision
from posekit.engine.weights import Card, save
from posekit.errors import PosekitError
from posekit.models import architecture_of
from posekit.models.feedback import Feedback, FeedbackConfig
from posekit.models.hourglass import Hourglass, HourglassConfig
from posekit.models.parts import Parts, PartsConfig
from posekit.skeleton import LSP, SKELETONS

GREY = np.full((48, 64, 3), 128, np.uint8)
pixels = st.floats(-1e3, 1e3)
two_lsp_people = st.builds(
    lambda keypoints, boxes: Poses(keypoints, boxes, LSP, GREY),
    arrays(float, (2, 14, 3), elements=pixels),
    arrays(float, (2, 4), elements=pixels),
)


@given(two_lsp_people)
def test_coco_there_and_back(poses):
    """Up to what `to_coco` rounds: 4 digits of keypoints, 3 of boxes."""
    back = from_coco(json.loads(json.dumps(poses.to_coco())), GREY, LSP)
    np.testing.assert_allclose(back.keypoints, poses.keypoints, atol=0.5001e-4)
    np.testing.assert_allclose(back.boxes, poses.boxes, atol=0.5001e-3)
    np.testing.assert_allclose(back.scores, poses.scores, atol=0.5001e-4)
    assert back.skeleton is LSP and back.picture is GREY


def test_coco_without_a_box_or_people():
    corners = [[3.0, 5.0, 0.5]] + [[3.0 + i, 25.0, 0.1] for i in range(16)]
    poses = from_coco([{"keypoints": np.ravel(corners).tolist()}], GREY)
    assert poses.boxes.tolist() == [[3, 5, 15, 20]]
    nobody = from_coco([], GREY)
    assert len(nobody) == 0 and nobody.keypoints.shape == (0, 17, 3) and nobody.boxes.shape == (0, 4)


def person(x, **entry):
    return {"keypoints": [x, 10.0, 1.0] * 17, "bbox": [0, 0, 20, 20], **entry}


def test_file_of_results(tmp_path):
    for number in (1, 20):
        tiny_data.picture(tmp_path / "photos" / f"{number:012}.png", seed=number)
    tiny_data.picture(tmp_path / "photos" / "sub" / "mine.png", seed=3)
    entries = [
        person(1.0, image_id=20),
        person(2.0, image_id=0, file_name="sub/mine.png"),
        person(3.0, image_id=20),
        person(4.0, image_id=7, file_name="elsewhere/000000000001.png"),  # as predicted from another folder
    ]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(entries))
    found = read_coco(file, tmp_path / "photos")
    assert [poses.keypoints[:, 0, 0].tolist() for poses in found] == [[1, 3], [2], [4]]
    assert [poses.name.rpartition("/")[2] for poses in found] == ["000000000020.png", "mine.png", "000000000001.png"]


@pytest.mark.parametrize(
    "content, message",
    [
        ({"images": []}, r"results\.json: not COCO's results"),
        ([{"image_id": 1}], r"results\.json: not COCO's results"),
        ([person(1.0, image_id=5)], r"results\.json: result 1 is of picture 5, and no file in .*photos has that number"),
        ([person(1.0, file_name="lost.png")], r"lost\.png"),
        (
            [person(1.0, image_id=1), person(1.0, image_id=1, keypoints=[1.0] * 42)],
            r"000000000001\.png: result 2: 'keypoints' .* 51 finite",
        ),
        ([person(float("nan"), image_id=1)], "'keypoints' is not a flat list of 51 finite numbers"),
        ([person(1.0, image_id=1, bbox=[1, 2, "wide", 4])], "'bbox' is not a flat list of 4 finite numbers"),
    ],
)
def test_mistakes_are_named(tmp_path, content, message):
    tiny_data.picture(tmp_path / "photos" / "000000000001.png")
    file = tmp_path / "results.json"
    file.write_text(json.dumps(content))
    with pytest.raises(PosekitError, match=message) as error:
        read_coco(file, tmp_path / "photos")
    assert "\n" not in str(error.value)


@given(two_lsp_people)
def test_supervision_arrays_are_the_poses(poses):
    found = to_supervision(poses)
    assert {name: values.dtype for name, values in found.items()} == {
        "xy": np.float32, "keypoint_confidence": np.float32, "detection_confidence": np.float32, "class_id": int,
    }  # fmt: skip
    together = np.concatenate([found["xy"], found["keypoint_confidence"][..., None]], -1)
    np.testing.assert_array_equal(together, poses.keypoints.astype(np.float32))
    np.testing.assert_allclose(found["detection_confidence"], poses.keypoints[..., 2].mean(1), rtol=1e-6, atol=1e-6)
    assert found["class_id"].tolist() == [0, 0]


SIZE = 32


def saved(folder, model, loss, **entries):
    card = Card("toy", model.config.to_dict(), "lsp", SIZE, loss, architecture=architecture_of(model.config), **entries)
    save(folder / "toy.safetensors", model.eval(), card)
    return folder / "toy.safetensors", card


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network of two stacks, its card, and a session of onnxruntime with its ONNX."""
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="needs the extra 'onnx'")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    folder = tmp_path_factory.mktemp("onnx")
    torch.manual_seed(0)
    model = Hourglass(HourglassConfig.narrow(8, joints=14, depth=1, stacks=2))
    for module in model.modules():  # statistics as after some training
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
    with torch.no_grad():  # clear peaks: differences are seen against them
        model.stack1.heatmaps.weight.mul_(200)
    file, card = saved(folder, model, "cross-entropy", input_mean=(0.1, 0.2, 0.3))
    export_onnx(file, folder / "new" / "toy.onnx")
    return model, card, onnxruntime.InferenceSession(folder / "new" / "toy.onnx", providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("count", [1, 3])
def test_onnx_answers_as_the_network(exported, count):
    model, card, session = exported
    pictures = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(count))
    expected = predict_heatmaps(model, card, pictures)
    assert expected[:, -1].amax() > 0.1
    (found,) = session.run(["heatmaps"], {"pictures": pictures.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=0)
    matrices = cropping(*person_square(np.tile([-0.5, -0.5, SIZE, SIZE], (count, 1)), 1.0), SIZE)
    joints = decode(torch.from_numpy(found[:, -1]), card, matrices)
    np.testing.assert_allclose(joints, decode(expected[:, -1], card, matrices), atol=1e-2)


def test_onnx_says_what_it_is(exported):
    _, card, session = exported
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["card"]) == json.loads(json.dumps(card.to_dict()))
    assert tuple(json.loads(told["joints"])) == SKELETONS[card.skeleton].joints
    (pictures,) = session.get_inputs()
    assert pictures.shape[1:] == [3, SIZE, SIZE] and isinstance(pictures.shape[0], str)


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_missing_packages_are_named(tmp_path, monkeypatch, package):
    for name in ("onnx", "onnxscript"):
        monkeypatch.setitem(sys.modules, name, None if name == package else sys)
    with pytest.raises(PosekitError, match=rf'net\.onnx: .* {package}, which is not installed: pip install "posekit\[onnx\]"$'):
        export_onnx("mannequins-hg1", tmp_path / "net.onnx")


def test_what_onnx_cannot_say_is_refused(tmp_path):
    """The springs of the parts model are solved outside torch."""
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    file, _ = saved(tmp_path, Parts(PartsConfig(14, (-1, *range(13)), mixtures=2, template=3)), "mse")
    with pytest.raises(PosekitError, match=r"net\.onnx: not written, for torch cannot put the parts toy into ONNX") as error:
        export_onnx(file, tmp_path / "net.onnx")
    assert "\n" not in str(error.value) and not (tmp_path / "net.onnx").exists()


def test_what_onnx_would_take_in_one_number_only_is_refused(tmp_path):
    """The mean pose that error feedback begins with is repeated as often as there are pictures, which tracing makes a constant."""
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    file, _ = saved(tmp_path, Feedback(FeedbackConfig(14, ((0.0, 0.0),) * 14, steps=1, features=4)), "coordinates")
    with pytest.raises(PosekitError, match=r"net\.onnx: not written, for the feedback toy in ONNX would take 2 pictures at a time only"):
        export_onnx(file, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_results_as_other_tools_write_them(tmp_path):
    """Ids as text or words, joints one list each, folders of Windows, a byte order mark."""
    for name in ("000000000007.png", "img-b7.png", "a.png"):
        Image.fromarray(GREY).save(tmp_path / name)
    flat = [float(v) for v in range(42)]
    nested = [flat[i : i + 3] for i in range(0, 42, 3)]
    entries = [
        {"image_id": "7", "keypoints": nested}, {"image_id": "img-b7", "keypoints": [str(v) for v in flat]},
        {"image_id": 3, "file_name": "photos\\a.png", "keypoints": flat},
    ]  # fmt: skip
    (tmp_path / "found.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(entries).encode())
    found = read_coco(tmp_path / "found.json", tmp_path, LSP)
    assert [Path(poses.name).name for poses in found] == ["000000000007.png", "img-b7.png", "a.png"]
    assert all(poses.keypoints.ravel().tolist() == flat for poses in found)


def test_labels_beside_a_picture_are_not_taken_for_it(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "7.png")
    for name in ("7.json", "7.txt", "found.json"):
        (tmp_path / name).write_text(json.dumps([{"image_id": 7, "keypoints": [1.0] * 42}]))
    assert [Path(poses.name).name for poses in read_coco(tmp_path / "found.json", tmp_path, LSP)] == ["7.png"]


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([{"file_name": "a/1.png"}, {"file_name": "b/1.png"}], "a/1.png and b/1.png would both be .*1.png; give the folder that has both"),
        ([{"image_id": 1}], "result 1 is of picture 1, and more than one file"),
        ([{"image_id": "x"}], "result 1 is of picture x, and no file"),
    ],
)
def test_a_result_is_not_given_to_a_picture_of_the_same_name(tmp_path, entries, says):
    for name in ("1.png", "001.png"):
        Image.fromarray(GREY).save(tmp_path / name)
    (tmp_path / "found.json").write_text(json.dumps([entry | {"keypoints": [1.0] * 42} for entry in entries]))
    with pytest.raises(PosekitError, match=says):
        read_coco(tmp_path / "found.json", tmp_path, LSP)
