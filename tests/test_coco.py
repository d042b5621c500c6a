import json
from pathlib import Path

import numpy as np
import pytest
import tiny_data
from tiny_data import coco_person

from posekit import metrics
from posekit.data import load_people
from posekit.data.readers.coco import draw_splits, load
from posekit.errors import PosekitError

SHARED = Path(__file__).parents[1] / "../shared/data/coco"


def test_columns(tmp_path):
    hidden = coco_person(7, image=36)
    hidden["keypoints"][3:6] = [33, 34, 1]
    crowd, nobody = coco_person(8, iscrowd=1), coco_person(9, visible=0)
    people = load(tiny_data.coco(tmp_path, [hidden, crowd, nobody, coco_person(5, image=36, visible=3)], images=[1, 36]))
    assert people.ids.tolist() == [5, 7] and people.image_ids.tolist() == [36, 36]
    assert people.names.tolist() == ["train2017/000000000036.jpg"] * 2
    assert people.read(people.names[0]).shape == (48, 64, 3)
    assert people.boxes[0].tolist() == [7.5, 9.5, 20, 21]  # COCO's 0 is the outer edge of the first pixel
    assert people.keypoints[1, 0].tolist() == [10, 12, 2] and people.keypoints[1, 1].tolist() == [33, 34, 1]
    assert np.isnan(people.keypoints[0, 3:, :2]).all() and (people.keypoints[0, 3:, 2] == 0).all()
    assert people.areas.tolist() == [123, 123]
    assert people.left_out["crowds"] == 1 and people.left_out["without labelled joints"] == 1


def test_average_precision_is_that_of_the_file_with_crowds_and_people_without_joints(tmp_path):
    """COCO takes no notice of what is predicted on them."""
    rng, entries = np.random.default_rng(0), []
    for i in range(1, 61):
        x, y = rng.uniform(0, 20, 2).round(1).tolist()
        joints = [n for k in range(17) for n in (x + 1 + k, y + 2 + k, 2)]
        labelled = {"keypoints": joints} if i % 4 > 1 else {"keypoints": [0] * 51, "num_keypoints": 0, "iscrowd": i % 4}
        entries.append(coco_person(i, 1 + i // 8, bbox=[x, y, 20, 21], area=4000.0, **labelled))
    tiny_data.coco(tmp_path, entries)
    people = load(tmp_path)[::-1]
    predicted = people.keypoints + [0, 0, -1] + rng.normal(size=(len(people), 17, 3)) * [4, 4, 0] * rng.uniform(0, 3, (len(people), 1, 1))
    predicted[..., 2] = rng.uniform(size=(len(people), 1))
    options = {"image_ids": people.image_ids, "boxes": people.boxes, "resamples": 20}
    ours = metrics.oks_ap(predicted, people.keypoints, people.skeleton, people.areas, ignored=people.ignored_in_pictures(), **options)
    truth = json.loads((tmp_path / "annotations/person_keypoints_train2017.json").read_text()) | {"categories": [{"id": 1}]}
    found = [
        {"image_id": int(image), "category_id": 1, "keypoints": joints.ravel().tolist(), "score": joints[0, 2]}
        for image, joints in zip(people.image_ids, predicted, strict=True)
    ]
    theirs = metrics.coco_evaluation(truth, found, people.skeleton.sigmas).stats
    assert list(ours["stats"].values()) == pytest.approx(np.where(theirs < 0, np.nan, theirs).tolist(), nan_ok=True)
    without = metrics.oks_ap(predicted, people.keypoints, people.skeleton, people.areas, **options)
    assert without["mean"] < ours["mean"] - 0.02 and ours["low"] <= ours["mean"] <= ours["high"]


def test_study_splits():
    rng = np.random.default_rng(1)
    images = np.sort(rng.integers(0, 3000, 7000))
    files = np.full(7000, "train2017")
    files = np.concatenate([files, np.full(300, "val2017")])
    images = np.concatenate([images, rng.integers(10_000, 10_200, 300)])
    splits = draw_splits(files, images)
    count = {name: int((splits == name).sum()) for name in ("train", "val", "test")}
    assert count == {"train": 6700, "val": 300, "test": 300}
    assert (splits[files == "val2017"] == "val").all()
    assert not set(images[splits == "test"]) & set(images[splits == "train"])  # by whole pictures
    order = rng.permutation(len(files))
    assert (draw_splits(files[order], images[order]) == splits[order]).all()  # the file's order does not matter


def test_splits_of_one_file():
    images = np.repeat(np.arange(200), 3)
    splits = draw_splits(np.full(600, "train2017"), images)
    assert [(splits == name).sum() for name in ("train", "val", "test")] == [480, 60, 60]
    assert (splits.reshape(200, 3) == splits[::3, None]).all()
    assert set(draw_splits(np.full(600, "val2017"), images)) == {"val"}


def test_official_splits(tmp_path):
    tiny_data.coco(tmp_path, [coco_person(i, image=i) for i in range(1, 21)])
    tiny_data.coco(tmp_path, [coco_person(i, image=i) for i in range(31, 34)], name="val2017")
    assert load_people(f"coco:{tmp_path}@val2017").ids.tolist() == [31, 32, 33]
    assert len(load_people(f"coco:{tmp_path}@train2017")) == 20
    assert load_people(f"coco:{tmp_path}@val").ids.tolist() == [31, 32, 33]
    test, train = (load_people(f"coco:{tmp_path}@{name}") for name in ("test", "train"))
    assert len(test) == 3 and len(train) == 17 and not set(test.ids) & set(train.ids)
    assert len(load_people(f"coco:{tmp_path}")) == 23
    with pytest.raises(PosekitError, match="no split 'test2017'; it has test, train, val, all"):
        load_people(f"coco:{tmp_path}@test2017")


def test_files_that_both_number_their_pictures_from_1_share_none(tmp_path):
    for name in ("train2017", "val2017"):
        tiny_data.coco(tmp_path, [coco_person(i, image=i) for i in (1, 2, 3)], name=name)
    people = load(tmp_path)
    assert len(people) == 6 and len(set(people.image_ids.tolist())) == 6
    assert {*people.names} == {f"{name}/{i:012}.jpg" for name in ("train2017", "val2017") for i in (1, 2, 3)}


@pytest.mark.parametrize(("name", "file"), [("images", "annotations/mine.json"), ("", "mine.json"), ("mine", "mine.json")])
def test_a_folder_of_ones_own(tmp_path, name, file):
    people = load(tiny_data.coco(tmp_path, [coco_person(1)], name=name, file=file))
    assert people.read(people.names[0]).shape == (48, 64, 3)


@pytest.mark.parametrize("name", ["images", "", "train2017"])
def test_a_missing_picture_does_not_lose_the_others(tmp_path, name):
    people = [coco_person(i, image=i) for i in range(1, 5)]
    tiny_data.coco(tmp_path, people, name=name, file="annotations/person_keypoints_train2017.json")
    (tmp_path / name / f"{1:012}.jpg").unlink()
    tiny_data.picture(tmp_path / ("train2017" if name == "images" else "images") / f"{2:012}.jpg")  # a stray copy
    with pytest.raises(PosekitError, match=r"000000000001.jpg: no such picture, annotation 1 of .*; on_error=\"skip\""):
        load(tmp_path)
    people = load(tmp_path, on_error="skip")
    assert people.ids.tolist() == [2, 3, 4] and people.left_out["without a picture"] == 1
    assert people.names[0] == str(Path(name) / f"{2:012}.jpg")


@pytest.mark.parametrize("text", [("image_id", "id"), ("image_id",), ("id",)])
def test_numbers_may_be_written_as_text(tmp_path, text):
    """Of the annotations' `image_id`, of the pictures' `id`, or of both."""
    people = [coco_person(i, image=36 + i) for i in (1, 2)]
    file = tiny_data.coco(tmp_path, people) / "annotations" / "person_keypoints_train2017.json"
    content = json.loads(file.read_text())
    for person, picture in zip(content["annotations"], content["images"], strict=True):
        person["image_id"] = str(person["image_id"]) if "image_id" in text else person["image_id"]
        picture["id"] = str(picture["id"]) if "id" in text else picture["id"]
    file.write_text(json.dumps(content))
    assert load(tmp_path).image_ids.tolist() == [37, 38]


@pytest.mark.parametrize("area", [-4, 0, None, float("nan"), float("inf")])
def test_an_area_that_makes_no_sense_is_as_good_as_none(tmp_path, area):
    people = load(tiny_data.coco(tmp_path, [coco_person(1), coco_person(2, image=2, area=area)]))
    assert people.areas.tolist() == [123, pytest.approx(0.53 * 20 * 21)]


@pytest.mark.parametrize(
    ("person", "says", "reason"),
    [
        (
            coco_person(2, bbox=None, keypoints=[9, 8, 2] + [0, 0, 0] * 16),
            "annotation 2 has no box, and its joints all lie on one point",
            "whose joints all lie on one point, without a box",
        ),
        (coco_person(2, keypoints=[float("nan"), 1, 2] * 17), "annotation 2 has NaN", "with NaN coordinates"),
        (coco_person(2, keypoints=[0.4, 0.7, 2] * 17), "has all joints between 0 and 1; keypoints must be", "with normalised keypoints"),
        (
            coco_person(2, bbox=[0.1, 0.2, 0.3, 0.6], keypoints=[0.4, 0.7, 2] * 17),
            "has all joints between 0 and 1",
            "with normalised keypoints",
        ),
        (
            coco_person(2, bbox=[200, 100, 20, 21]),
            "annotation 2: no labelled joint is near its box; are the keypoints pixels?",
            "without joints near their box",
        ),
        (
            coco_person(2, keypoints=[99999, 99998, 1] + [12, 14, 2] * 16),
            "annotation 2 has its nose far from its box, at (99999, 99998)",
            "with a joint far from their box",
        ),
        (coco_person(2, keypoints=[9, 9, 5] + [12, 14, 2] * 16), "whose flag is not 0, 1 or 2", "with flags other than 0, 1, 2"),
        (coco_person(2, keypoints=[9, 9, -1] * 17), "whose flag is not 0, 1 or 2", "with flags other than 0, 1, 2"),
        (coco_person(2, keypoints=None), "annotation 2 has no 'keypoints'", "without keypoints"),
        (coco_person(2, keypoints=[]), "annotation 2 has no 'keypoints'", "without keypoints"),
        (
            {name: value for name, value in coco_person(2).items() if name != "keypoints"},
            "annotation 2 has no 'keypoints'",
            "without keypoints",
        ),
        (
            coco_person(2, keypoints=[9, 9, 2] * 16),
            "'keypoints' of annotation 2 is not a list of 51 numbers",
            "with a wrong number of keypoints",
        ),
        (coco_person(2, image=99), "is of picture 99, which is not listed", "whose picture is not listed"),
        (coco_person(2, image=50), "000000000050.jpg: no such picture, annotation 2", "without a picture"),
    ],
)
def test_bad_people(tmp_path, person, says, reason):
    tiny_data.coco(tmp_path, [coco_person(1), person], images=[1, 50])
    (tmp_path / "train2017" / "000000000050.jpg").unlink()
    with pytest.raises(PosekitError) as caught:
        load(tmp_path)
    assert says in str(caught.value) and str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    people = load(tmp_path, on_error="skip")
    assert people.ids.tolist() == [1] and people.left_out[reason] == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda whole: whole["annotations"][0]["keypoints"].__setitem__(0, 10**400), "'keypoints' of annotation 1 is not made of numbers"),
        (lambda whole: whole["annotations"][0]["bbox"].__setitem__(0, 10**400), "'bbox' of annotation 1 is not made of numbers"),
        (lambda whole: whole["annotations"][0].update(area=10**400), "'area' of annotation 1 is not made of numbers"),
        (lambda whole: whole["images"][0].update(width=10**400), "width and height of picture 000000000001.jpg are not numbers"),
    ],
)
def test_numbers_beyond_all_floats_are_named(tmp_path, change, says):
    file = tiny_data.coco(tmp_path, [coco_person(1), coco_person(2)]) / "annotations" / "person_keypoints_train2017.json"
    whole = json.loads(file.read_text())
    change(whole)
    file.write_text(json.dumps(whole))
    with pytest.raises(PosekitError, match=says):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a whole JSON file"),
        ('{"images": [', "not a whole JSON file"),
        ("[]", "no 'images' and 'annotations'"),
        (
            json.dumps({"images": [], "annotations": [{"id": 3, "image_id": 1, "bbox": [0, 0, 1, 1]}]}),
            "annotation 3 has no 'keypoints', and nobody here has 17 joints; instances or captions are not",
        ),
        (
            json.dumps({"images": [], "annotations": [coco_person(3, keypoints=[1, 2, 2])]}),
            "is not a list of 51 numbers",
        ),
        (
            json.dumps({"images": [], "annotations": [coco_person(3, bbox=["a", 2, 2, 4])]}),
            "'bbox' of annotation 3 is not made of numbers",
        ),
        (
            json.dumps({"images": [], "annotations": [coco_person(3, bbox=[[1, 1], [1, 1], [4, 4], [4, 4]])]}),
            "'bbox' of annotation 3 is not made of numbers",
        ),
        (json.dumps({"images": [], "annotations": [coco_person(3, bbox=7)]}), "'bbox' of annotation 3 is not a list of 4 numbers"),
        (json.dumps({"images": [], "annotations": [coco_person(3, keypoints={"nose": 7})]}), "is not a list of 51 numbers"),
        (
            json.dumps({"images": [], "annotations": [coco_person(3), coco_person(3, image=2)]}),
            "of pictures 1 and 2, both have id 3",
        ),
        (json.dumps({"images": [], "annotations": [{"image_id": 1}]}), "annotation \\? has no 'id'; every"),
        (
            json.dumps({"images": [{"id": 1, "file_name": f"{i:04}.jpg"} for i in (1, 21)], "annotations": []}),
            "pictures 0001.jpg and 0021.jpg both have id 1; where files are joined, renumber id",
        ),
        (json.dumps({"images": [], "annotations": [coco_person(3, area=[4, 4])]}), "'area' of annotation 3 is not made of numbers"),
        (json.dumps({"images": [], "annotations": [coco_person(3, image=None)]}), "annotation 3 has no 'image_id'; every"),
        (json.dumps({"images": [], "annotations": [coco_person(3) | {"id": [3]}]}), "'id' of annotation .3. is no number and no word"),
        (json.dumps({"images": None, "annotations": []}), "'images' is not a list"),
        (json.dumps({"images": [], "annotations": {"3": coco_person(3)}}), "'annotations' is not a list"),
        (json.dumps({"images": [], "annotations": [coco_person(3), 5]}), "entry 1 of 'annotations', counted from 0, is not an object"),
        (json.dumps({"images": ["a.jpg"], "annotations": []}), "entry 0 of 'images', counted from 0, is not an object"),
        (json.dumps({"images": [{"id": 7}], "annotations": []}), "picture 7 has no 'file_name'"),
        (json.dumps({"images": [{"id": 7, "file_name": 7}], "annotations": []}), "picture 7 has no 'file_name'"),
        (json.dumps({"images": [{"file_name": "a.jpg"}], "annotations": []}), "picture a.jpg has no 'id'"),
        (json.dumps({"images": [{"id": None, "file_name": "a.jpg"}], "annotations": []}), "picture a.jpg has no 'id'"),
    ],
)
def test_wrong_files(tmp_path, text, says):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "person_keypoints_train2017.json").write_text(text)
    for on_error in ("raise", "skip"):
        with pytest.raises(PosekitError, match=says) as caught:
            load(tmp_path, on_error=on_error)
        assert "person_keypoints_train2017.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_picture_may_be_listed_twice(tmp_path):
    people = [coco_person(1), coco_person(2, visible=5)]
    assert load(tiny_data.coco(tmp_path, people, images=[1, 1])).ids.tolist() == [1, 2]


def test_folder_without_annotations(tmp_path):
    with pytest.raises(PosekitError, match="no annotations/person_keypoints"):
        load(tmp_path)


def test_file_without_people(tmp_path):
    people = load(tiny_data.coco(tmp_path, []))
    assert len(people) == 0 and "0 people" in people.summary()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the COCO photographs are not here")
def test_real_people():
    people = load_people(f"coco:{SHARED}@train2017")
    assert len(people) == 446 and len(set(people.image_ids)) == 158 and not any(people.left_out.values())
    picture = people.read(people.names[0])
    assert picture.ndim == 3
    inside = people.keypoints[..., :2] - people.boxes[:, None, :2]
    # a hidden joint may well be guessed outside the segment's box
    outside = ((inside < -1) | (inside > people.boxes[:, None, 2:] + 1)).any(-1)
    assert outside.sum() < 0.05 * (people.keypoints[..., 2] > 0).sum()
