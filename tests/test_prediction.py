import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import posekit
from posekit import heatmaps as hm
from posekit.data.crops import crops
from posekit.data.people import People
from posekit.data.pictures import Folder
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Poses, Predictor, backend_for, decode, predict_crops, predict_heatmaps, target_peak
from posekit.engine.weights import Card, save
from posekit.errors import PosekitError
from posekit.models.hourglass import Hourglass, HourglassConfig
from posekit.skeleton import COCO, LSP


def predictor(skeleton=LSP, loss="cross-entropy", stacks=1, backend=None, seed=0, resolution=64):
    torch.manual_seed(seed)
    config = HourglassConfig.narrow(16, joints=len(skeleton), depth=2, stacks=stacks)
    model = Hourglass(config)
    for module in model.modules():  # statistics as after some training, so that folding them is not trivial
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
    return Predictor(
        model.eval(),
        Card("toy", config.to_dict(), skeleton.name, resolution, loss),
        backend or Backend.plain(),
    )


def picture(width=120, height=90, seed=0):
    """Smooth noise, so that every place looks different."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


class Painted(torch.nn.Module):
    """A network that sees the joints: the red channel, blurred to heatmap size, is each joint's map."""

    def __init__(self, joints):
        super().__init__()
        self.joints = joints

    def forward(self, x):
        maps = torch.nn.functional.avg_pool2d(x[:, :1], 4)
        return maps[:, None].expand(-1, 1, self.joints, -1, -1)


def blob(width, height, x, y, sigma=6.0):
    """A picture with one red Gaussian around (x, y)."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    red = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.stack([red.round().astype(np.uint8)] + [np.zeros((height, width), np.uint8)] * 2, -1)


def seeing(resolution=64):
    card = Card("seeing", {}, "lsp", resolution, "mse")
    return Predictor(Painted(14), card, Backend.plain())


@pytest.mark.parametrize(
    "width, height, x, y, boxes",
    [
        (64, 64, 30.0, 21.5, None),  # as large as the input
        (200, 120, 137.3, 61.8, None),  # wide: the square is filled up with black
        (90, 170, 20.25, 140.0, None),  # tall
        (300, 200, 151.7, 88.4, [[110, 50, 70, 90]]),  # a box
        (300, 200, 26.3, 120.0, [[-20, 80, 60, 90]]),  # a box that reaches out of the picture
    ],
)
def test_a_painted_joint_is_found_where_it_is_in_the_picture(width, height, x, y, boxes):
    sigma = max(width, height) / 20 if boxes is None else 6.0
    poses = seeing().predict(blob(width, height, x, y, sigma), boxes)
    assert poses.keypoints.shape == (1, 14, 3)
    np.testing.assert_allclose(poses.keypoints[0, :, :2], [[x, y]] * 14, atol=max(width, height) / 64 * 0.1)


@pytest.mark.parametrize("skeleton", [LSP, COCO])
@pytest.mark.parametrize("loss", ["cross-entropy", "mse"])
@pytest.mark.parametrize("boxes", [None, [[31.3, 14.7, 50.2, 60.1], [5.0, 8.5, 80.0, 70.25]]])
def test_the_mirror_image_gives_the_mirrored_prediction(skeleton, loss, boxes):
    network, seen, width = predictor(skeleton, loss, stacks=2), picture(120), 120
    mirrored = None if boxes is None else [[width - 1 - x - w, y, w, h] for x, y, w, h in boxes]
    there = network.predict(seen, boxes, flip=True).keypoints
    back = network.predict(np.ascontiguousarray(seen[:, ::-1]), mirrored, flip=True).keypoints[:, list(skeleton.mirrored)]
    back[..., 0] = width - 1 - back[..., 0]
    np.testing.assert_allclose(back, there, atol=1e-4)
    assert np.ptp(there[..., 0]) > 5  # not all in one place


def test_the_flip_test_is_the_mean_of_both_views():
    network, seen = predictor(), torch.from_numpy(picture(64, 64)).permute(2, 0, 1)[None].float() / 255
    maps = [predict_heatmaps(network.model, network.card, x) for x in (seen, seen.flip(-1))]
    both = predict_heatmaps(network.model, network.card, seen, flip=True)
    torch.testing.assert_close(both, (maps[0] + hm.mirror(maps[1], LSP.mirrored)) / 2)
    torch.testing.assert_close(both.sum((-2, -1)), torch.ones(1, 1, 14))


def test_scores_are_1_where_the_network_is_as_sure_as_it_was_asked_to_be():
    for loss in ("cross-entropy", "mse"):
        card = Card("card", {}, "lsp", 64, loss, recipe={"sigma": 1.0})
        maps = hm.encode(torch.full((1, 14, 2), 7.0), 16)
        maps = maps / maps.sum((-2, -1), keepdim=True) if loss == "cross-entropy" else maps
        np.testing.assert_allclose(decode(maps, card, np.eye(3)[None])[..., 2], 1, rtol=1e-5)
    assert target_peak("cross-entropy", 256) == pytest.approx(1 / (2 * np.pi), rel=1e-3)


def test_the_fast_path_finds_the_same_joints():
    if Backend.best("cpu") == Backend.plain():
        pytest.skip("this machine has no faster path than the plain one")
    plain, fast = predictor(loss="mse"), predictor(loss="mse", backend=Backend.best("cpu"))
    seen = torch.from_numpy(picture(64, 64)).permute(2, 0, 1)[None].float() / 255
    a, b = (predict_heatmaps(p._network, p.card, seen) for p in (plain, fast))
    assert torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] > 0.999


def test_the_mean_colour_of_a_converted_network_is_subtracted():
    network = predictor(loss="mse")
    mean = (0.4, 0.5, 0.6)
    card = Card("toy", network.card.config, "lsp", 64, "mse", input_mean=mean)
    seen = torch.rand(1, 3, 64, 64)
    got = predict_heatmaps(network.model, card, seen)
    with torch.no_grad():
        torch.testing.assert_close(got, network.model(seen - torch.tensor(mean).view(3, 1, 1)))


def test_stored_crops_give_what_the_picture_gives(tmp_path):
    rng = np.random.default_rng(0)
    names = np.array(["a.png", "a.png", "b.png"])
    for name, seed in (("a.png", 1), ("b.png", 2)):
        Image.fromarray(picture(160, 120, seed)).save(tmp_path / name)
    boxes = np.array([[20.0, 30, 60, 50], [70, 10, 50, 90], [40.5, 20.25, 64, 64]])
    keypoints = np.concatenate([rng.uniform(20, 100, (3, 14, 2)), np.full((3, 14, 1), 2.0)], -1)
    people = People(LSP, names, boxes, keypoints, np.arange(3), np.array(["test"] * 3), Folder(str(tmp_path)), "toy")
    network = predictor(stacks=2, loss="mse")
    done = []
    found = predict_crops(
        network.model,
        network.card,
        crops(people, 80, tmp_path / "cache"),
        backend=Backend.plain(),
        batch=2,
        progress=done.append,
    )
    assert found.shape == (2, 3, 14, 3) and sum(done) == 3
    direct = np.concatenate([network.predict(tmp_path / n, b[None]).keypoints for n, b in zip(names, boxes, strict=True)])
    close = np.linalg.norm(found[-1] - direct, axis=-1) < 1.5  # pixels; JPEG moves a peak or two
    assert close.mean() > 0.9


def test_coco_results_are_in_cocos_form():
    poses = Poses(
        np.arange(84.0).reshape(2, 14, 3),
        np.array([[-0.5, -0.5, 40, 30], [3, 4, 5, 6]]),
        LSP,
        picture(40, 30),
        "x/12.jpg",
    )
    first, second = json.loads(json.dumps(poses.to_coco(np.int64(12))))  # as `People.image_ids` holds it
    assert first["bbox"] == [0, 0, 40, 30] and second["bbox"] == [3.5, 4.5, 5, 6]
    assert first["image_id"] == 12 and first["category_id"] == 1 and first["file_name"] == "x/12.jpg"
    assert first["keypoints"] == list(range(42))
    assert first["score"] == pytest.approx(np.mean(range(2, 42, 3)))


def test_poses_draw_themselves_and_say_what_they_are():
    poses = predictor().predict(picture(40, 30))
    assert poses._repr_png_().startswith(b"\x89PNG")
    assert repr(poses) == "<Poses of 1 person, lsp skeleton, in a picture of 40 x 30 px>"
    nobody = predictor().predict(picture(40, 30), [])
    assert nobody.keypoints.shape == (0, 14, 3) and nobody.to_coco() == [] and nobody._repr_png_()


def saved(folder, mode, **options):
    image = Image.fromarray(picture(60, 40)).convert("RGB")
    if mode == "16 bit":
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(folder / "p.png")
        return folder / "p.png"
    ending = {"CMYK": "jpg", "EXIF": "jpg"}.get(mode, "png")
    if mode == "EXIF":
        exif = Image.Exif()
        exif[0x0112] = 6  # shown turned by 90 degrees clockwise
        image.transpose(Image.Transpose.ROTATE_90).save(folder / "p.jpg", exif=exif, quality=98)
    else:
        image.convert(mode).save(folder / f"p.{ending}", **options)
    return folder / f"p.{ending}"


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "LA", "RGBA", "CMYK", "16 bit", "EXIF"])
def test_every_kind_of_picture_is_taken(tmp_path, mode):
    path = saved(tmp_path, mode)
    poses = predictor().predict(path)
    assert poses.picture.shape == (40, 60, 3) and poses.name == str(path)
    assert np.isfinite(poses.keypoints).all()
    if mode in ("RGB", "RGBA", "CMYK", "EXIF"):
        assert np.abs(poses.picture.astype(int) - picture(60, 40)).mean() < 6
    if mode == "16 bit":
        assert np.abs(poses.picture[..., 0].astype(int) - np.asarray(Image.fromarray(picture(60, 40)).convert("L"))).max() <= 1


def test_pillow_images_and_arrays_are_taken():
    network = predictor()
    expected = network.predict(picture()).keypoints
    np.testing.assert_array_equal(network.predict(Image.fromarray(picture())).keypoints, expected)
    assert network.predict(picture()[..., 0]).picture.shape == (90, 120, 3)
    for wrong in (picture() / 255, picture()[None], picture()[..., :2], np.zeros((40, 40, 4), np.uint8), np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(PosekitError, match=r"\(H, W, 3\) of uint8"):
            network.predict(wrong)


@pytest.mark.parametrize(
    "boxes, says",
    [
        ([[0, 0, 10, 10], [5, 5, 0, 10]], r"box 2 \(5, 5, 0, 10\) has no area"),
        ([[0, 0, np.nan, 10]], "box 1 .* is not finite"),
        ([[130, 0, 10, 10]], "outside the picture of 120 x 90"),
        ([[1, 2, 3]], r"boxes are \(N, 4\)"),
        ("nonsense", "four numbers"),
        ([[0.1, 0.2, 0.5, 0.6]], "box 1 .* is smaller than a pixel; boxes are pixels, not shares"),
        ([[10, 5, 20, 25], [60, 40, 110, 85], [50, 30, 119, 80]], "2 of 3 boxes leave the picture of 120 x 90 pixels, and fit as corners"),
    ],
)
def test_wrong_boxes_are_named(boxes, says):
    with pytest.raises(PosekitError, match=says):
        predictor().predict(picture(), boxes)


@pytest.mark.parametrize(
    "boxes", [[[40, 20, 90, 75]], [[-10, -8, 140, 110], [5, 5, 50, 60]], [[-20, 0, 60, 95], [70, 10, 60, 90]]], ids=str
)
def test_people_whom_the_edge_cuts_off_are_predicted(boxes):
    assert len(predictor().predict(picture(), boxes)) == len(boxes)


def test_load_takes_a_weights_file_and_a_device(tmp_path):
    network = predictor()
    save(tmp_path / "toy.safetensors", network.model, network.card)
    loaded = posekit.load(tmp_path / "toy.safetensors", device="cpu")
    assert loaded.skeleton is LSP and loaded.card.name == "toy" and "toy" in repr(loaded)
    assert loaded.predict(picture()).keypoints.shape == (1, 14, 3)
    for device in ("nonsense", "cuda:99"):
        with pytest.raises(PosekitError, match=f"no device '{device}'"):
            backend_for(device)


def test_several_pictures_at_once_are_refused():
    with pytest.raises(PosekitError, match="one a call, and no list"):
        predictor().predict([picture(), picture()])


@pytest.mark.parametrize("backend", [Backend.plain(), Backend.best("cpu")])
def test_edits_and_traces_reach_predictions(backend):
    network, people = predictor(backend=backend), posekit.crops(posekit.load_people("mannequins:3,size=80"), 80)
    before, scored = network.predict(picture()).keypoints, predict_crops(network.model, network.card, people, backend=backend)
    with posekit.edit(network.model, {"stack0.features": lambda activation, name: activation.flip(-1)}):
        assert np.abs(network.predict(picture()).keypoints - before)[..., :2].max() > 1
        assert np.abs(predict_crops(network.model, network.card, people, backend=backend) - scored)[..., :2].max() > 1
    with posekit.trace(network.model, ["stem"]) as activations:
        network.predict(picture())
    assert activations["stem"].shape == (1, 16, 16, 16)
    np.testing.assert_array_equal(network.predict(picture()).keypoints, before)


def test_changed_weights_change_predictions():
    network = predictor(backend=Backend.best("cpu"))
    before = network.predict(picture()).keypoints
    network.model.load_state_dict(predictor(seed=1).model.state_dict())
    after = network.predict(picture()).keypoints
    assert np.abs(after - before)[..., :2].max() > 1
    np.testing.assert_array_equal(after, Predictor(network.model, network.card, network.backend).predict(picture()).keypoints)


def test_a_large_picture_is_shrunk_where_a_notebook_shows_it():
    keypoints = np.tile([[2399.5, 1199.5, 1.0]], (len(LSP), 1))[None]  # the lower right corner
    poses = Poses(keypoints, np.zeros((1, 4)), LSP, np.zeros((1200, 2400, 3), np.uint8))
    shown = np.asarray(Image.open(io.BytesIO(poses._repr_png_())).convert("L"))
    assert shown.shape == (600, 1200) and shown[-3:, -3:].max() > 100 and shown[:500, :1100].max() == 0


def test_nobody_to_predict_is_said():
    network, people = predictor(), posekit.crops(posekit.load_people("mannequins:3,size=80"), 80)
    with pytest.raises(PosekitError, match="nobody to predict"):
        predict_crops(network.model, network.card, people.select(np.zeros(3, bool)))


def test_a_predictor_is_not_taken_for_its_network_or_its_weights():
    network = predictor()
    with pytest.raises(PosekitError, match="a Predictor has no named activations"), posekit.trace(network, ["stem"]):
        pass
    with pytest.raises(PosekitError, match="and no Hourglass"):
        posekit.load(network.model)
