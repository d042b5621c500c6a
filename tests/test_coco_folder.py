"""Annotation files and pictures as tools lay them out, and of which split each file is."""

import gzip
import json
import shutil
import unicodedata

import numpy as np
import pytest
import tiny_data
from tiny_data import coco_person

from posekit.data import held_out, load_people
from posekit.data.readers.coco import load
from posekit.data.readers.coco_folder import files, kinds, pictures
from posekit.errors import NotPeople, PosekitError


def lay(folder, file, pictures="images", numbers=(1, 2, 3), change=None):
    """Some people in one annotation file, and their pictures in a folder; picture N shows the same wherever it is laid."""
    listed = [{"id": i, "file_name": f"{i:04}.jpg"} for i in numbers]
    for image in listed:
        tiny_data.picture(folder / pictures / image["file_name"], seed=image["id"])
    content = {"images": listed, "annotations": [coco_person(i, image=i) for i in numbers], "categories": []}
    content = (change and change(content)) or content
    text = json.dumps(content).encode()
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(gzip.compress(text) if file.endswith(".gz") else text)
    return folder


def sides(people):
    return {name: people.split(name).ids.tolist() for name in np.unique(people.splits).tolist()}


NAMES = ["coco_{}", "person_keypoints_{}", "instances_{}", "{}", "person_keypoints_{}2017", "my-people.{}", "{}_annotations", "Coco{:}Set",
         "{}set", "cocomy{}", "annotations {} v2", "{}_carnival", "latest_{}"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("words", [("train", "val", "test"), ("training", "validation", "testing"), ("Train", "Valid", "Test")])
def test_files_that_are_called_like_splits_are_the_splits(tmp_path, name, words):
    for i, word in enumerate(words):
        lay(tmp_path, f"annotations/{name.format(word)}.json", numbers=range(10 * i + 1, 10 * i + 6))
    people = load(tmp_path)
    assert sides(people) == {"train": [1, 2, 3, 4, 5], "val": [11, 12, 13, 14, 15], "test": [21, 22, 23, 24, 25]}
    assert all(people.read(picture).shape == (48, 64, 3) for picture in people.names)


def test_no_one_of_the_val_file_is_trained_on(tmp_path):
    lay(tmp_path, "annotations/coco_train.json", numbers=range(1, 41))
    lay(tmp_path, "annotations/coco_val.json", numbers=range(101, 106))
    people = load(tmp_path)
    assert people.split("val").ids.tolist() == list(range(101, 106)) and len(people.split("test")) == 5
    assert sorted([*people.split("train").ids, *people.split("test").ids]) == list(range(1, 41))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("train2017", "train"), ("trainval", "train"), ("minitrain", ""), ("test-dev2017", "test"), ("dev", "val"), ("eval_set", "val"),
        ("carnival", ""), ("contest", ""), ("constraints", ""), ("people", ""), ("default", ""), ("valley", ""), ("val/latest", "val"),
    ],
)  # fmt: skip
def test_what_a_lone_name_says(name, kind):
    assert kinds([name]) == ({name: kind} if kind else {})


@pytest.mark.parametrize("name", ["train_val", "val_of_train2017", "test_train", "train-test-split", "val_and_test"])
def test_a_name_that_says_two_is_refused_unless_it_is_asked_for(tmp_path, name):
    lay(tmp_path, f"annotations/{name}.json")
    with pytest.raises(PosekitError, match=rf"'{name}': of which split is it\? .* ask for it by name: @{name}") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert len(load_people(f"coco:{tmp_path}@{name}")) == 3


@pytest.mark.parametrize("inner", ["_annotations.coco.json", "labels.json", "annotations/person_keypoints_default.json", "labels.json.gz"])
@pytest.mark.parametrize("place", [".", "images", "data"])
def test_a_folder_for_each_split(tmp_path, inner, place):
    """As Roboflow (`train/_annotations.coco.json`), FiftyOne (`train/labels.json`, `train/data/`) and CVAT leave them."""
    for i, name in enumerate(("train", "valid", "test")):
        lay(tmp_path, f"{name}/{inner}", f"{name}/{place}", numbers=range(10 * i + 1, 10 * i + 4))
    people = load_people(f"coco:{tmp_path}")
    assert sides(people) == {"train": [1, 2, 3], "val": [11, 12, 13], "test": [21, 22, 23]}
    assert all(people.read(picture).shape == (48, 64, 3) for picture in people.names)
    for asked, ids in (("train", [1, 2, 3]), ("val", [11, 12, 13]), ("valid", [11, 12, 13]), ("test", [21, 22, 23])):
        assert load_people(f"coco:{tmp_path}@{asked}").ids.tolist() == ids
    lone = load_people(f"coco:{tmp_path / 'valid' / inner}")
    assert len(lone) == 3 and lone.read(lone.names[0]).shape == (48, 64, 3)


def test_what_roboflow_made_of_one_picture_is_on_one_side(tmp_path):
    def augmented(content):
        for image in content["images"]:
            old = image["file_name"]
            image["file_name"] = f"photo{(image['id'] - 1) // 3}_jpg.rf.{image['id']:032x}.jpg"
            (tmp_path / "train" / old).rename(tmp_path / "train" / image["file_name"])

    people = load(lay(tmp_path, "train/_annotations.coco.json", "train", range(1, 91), augmented))
    assert {len(ids) for name, ids in sides(people).items() if name != "train"} == {9}
    for ids in sides(people).values():
        assert all(len([i for i in ids if (i - 1) // 3 == source]) in (0, 3) for source in range(30))


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("labels.json", "data"),  # FiftyOne
        ("annotations/person_keypoints_default.json", "images/default"),  # CVAT
        ("annotations/person_keypoints_default.json", "images"),
        ("dataset-1.json", "."),  # COCO Annotator
        ("annotations/instances_train2017.json", "train2017"),
        ("annotations/instances_train2017.json", "images/train"),
        ("annotations/coco_valid.json", "val"),
        ("annotations/person_keypoints_val2017_small.json", "val2017"),
        ("annotations/people.json.gz", "images"),
        ("annotations/people.JSON", "images"),
        ("result.json", "images"),  # Label Studio
    ],
)
def test_where_tools_leave_the_pictures(tmp_path, file, place):
    lay(tmp_path, file, place)
    for spec in (f"coco:{tmp_path}", f"coco:{tmp_path / file}", f"coco:{tmp_path}@{next(iter(files(tmp_path)))}"):
        people = load_people(spec)
        assert len(people) == 3 and all(people.read(name).shape == (48, 64, 3) for name in people.names)


def test_a_gzipped_file_beside_its_unpacked_self_is_not_read_twice(tmp_path):
    lay(lay(tmp_path, "annotations/people.json"), "annotations/people.json.gz")
    assert len(load(tmp_path)) == 3 and not load(tmp_path).left_out["given twice"]


def test_hidden_files_are_not_annotations(tmp_path):
    lay(tmp_path, "annotations/people.json")
    (tmp_path / "annotations" / "._people.json").write_bytes(b"\0\5\26\7")
    assert len(load(tmp_path)) == 3


@pytest.mark.parametrize("name", ["coco.zip", "coco.tar", "coco.tar.gz", "coco.tgz", "coco.7z"])
@pytest.mark.parametrize("data", ["coco", "mpii", "lspet"])
def test_an_archive_is_to_be_unpacked(tmp_path, name, data):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(PosekitError, match=f"{name}: an archive; unpack it and give the folder, {data}:FOLDER"):
        load_people(f"{data}:{tmp_path / name}")


@pytest.mark.parametrize("name", ["a.jpg", "data.yaml", "README"])
def test_another_file_is_no_data_set(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(PosekitError, match=f"{name}: a file; give the folder that it is in, coco:FOLDER, or its .json file"):
        load_people(f"coco:{tmp_path / name}")


@pytest.mark.parametrize(
    ("listed", "lies"),
    [
        ("a.jpg", "a.JPG"), ("a.JPG", "a.jpg"), ("A.JPG", "a.jpg"), ("a.jpeg", "a.JPEG"),
        (unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg")),
        (unicodedata.normalize("NFD", "Ünder/é.jpg"), unicodedata.normalize("NFC", "Ünder/é.jpg")),
        ("가.jpg", unicodedata.normalize("NFD", "가.JPG")),
        ("sub\\a.jpg", "sub/a.jpg"), ("C:\\Users\\me\\a.jpg", "a.jpg"), ("/home/me/a.jpg", "a.jpg"), ("images/a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"), ("../images/a.jpg", "a.jpg"), ("set/images/sub/a.jpg", "sub/a.jpg"), ("SUB/a.jpg", "sub/a.jpg"),
    ],
)  # fmt: skip
def test_how_pictures_are_written(tmp_path, listed, lies):
    tiny_data.picture(tmp_path / "images" / lies)
    found = pictures(tmp_path, "mine", tmp_path / "annotations" / "mine.json", {7: listed})
    assert (tmp_path / found[7]).is_file()


def test_a_name_that_fits_two_files_or_two_entries_fits_none(tmp_path):
    for name in ("a.JPG", "a.Jpg", "b.jpg", "1.jpg", "sub/2.jpg"):
        tiny_data.picture(tmp_path / "images" / name)
    listed = ["a.jpg", "b.jpg", "B.jpg", "x/1.jpg", "y/1.jpg", "1.jpg"]
    found = pictures(tmp_path, "mine", tmp_path / "mine.json", dict(enumerate(listed)))
    assert [(tmp_path / found[i]).is_file() for i in range(len(listed))] == [False, True, False, False, False, True]
    found = pictures(tmp_path, "mine", tmp_path / "mine.json", {1: "x/1.jpg", 2: "y/1.jpg"})  # only the folders tell them apart
    assert not any((tmp_path / name).is_file() for name in found.values())


def wrong_joints(content):
    for person in content["annotations"]:
        person["keypoints"] = person["keypoints"][:18]


def no_joints(content):
    for person in content["annotations"]:
        del person["keypoints"]


def captions(content):
    content["annotations"] = [{"id": 1, "image_id": 1, "caption": "a person"}]


def of_animals(content):
    content["categories"] = [{"id": 1, "name": "dog", "keypoints": [f"paw {i}" for i in range(17)]}]


@pytest.mark.parametrize("change", [wrong_joints, no_joints, captions, of_animals, lambda content: [1, 2]])
@pytest.mark.parametrize("beside", ["val2017_foot_v1", "val2017-x", "whatever"])
@pytest.mark.parametrize("prefix", ["", "person_keypoints_"])
def test_a_file_of_another_kind_bars_none(tmp_path, change, beside, prefix):
    lay(tmp_path, f"annotations/{prefix}val2017.json", "val2017")
    lay(tmp_path, f"annotations/{prefix}{beside}.json", "val2017", change=change)
    assert len(load_people(f"coco:{tmp_path}@val2017")) == len(load_people(f"coco:{tmp_path}@val")) == 3
    with pytest.raises(NotPeople):
        load_people(f"coco:{tmp_path}@{beside}")
    if prefix or beside != "whatever":
        assert f"1 file without people's 17 joints ({prefix}{beside}.json)" in load(tmp_path).summary()


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]"])
def test_a_broken_file_that_is_not_asked_for_bars_none(tmp_path, content):
    lay(tmp_path, "annotations/person_keypoints_val2017.json", "val2017")
    (tmp_path / "annotations" / "person_keypoints_train2017.json").write_bytes(content)
    assert len(load_people(f"coco:{tmp_path}@val2017")) == 3
    with pytest.raises(PosekitError, match=r"person_keypoints_train2017\.json"):
        load_people(f"coco:{tmp_path}")


def test_the_only_file_of_a_split_is_not_passed_over(tmp_path):
    lay(tmp_path, "annotations/coco_train.json")
    lay(tmp_path, "annotations/coco_val.json", numbers=(11, 12), change=of_animals)
    with pytest.raises(NotPeople, match=r"coco_val.json: .*'dog'"):
        load(tmp_path)


@pytest.mark.parametrize("asked", ["val", "valid", "coco_val"])
def test_a_file_of_another_kind_bars_no_other_split(tmp_path, asked):
    lay(tmp_path, "annotations/coco_val.json", numbers=(11, 12))
    lay(tmp_path, "annotations/coco_train.json", change=wrong_joints)
    assert load_people(f"coco:{tmp_path}@{asked}").ids.tolist() == [11, 12]
    for other in ("train", "all", "test"):
        with pytest.raises(NotPeople, match=r"coco_train\.json"):
            load_people(f"coco:{tmp_path}@{other}")


@pytest.mark.parametrize("name", ["all.json", "person_keypoints_all.json"])
def test_all_is_everybody_and_no_file_of_that_name(tmp_path, name):
    numbers = range(1, 41)
    called = {file: load_people(f"coco:{lay(tmp_path / file, f'annotations/{file}', numbers=numbers)}") for file in (name, "people.json")}
    assert sides(called[name]) == sides(called["people.json"]) and set(called[name].splits) == {"train", "val", "test"}
    people = held_out(f"coco:{tmp_path / name}")
    assert "train" not in people.splits and 0 < len(people) < 40


@pytest.mark.parametrize("place", ["images", "annotations", "people"])
def test_the_folder_of_the_annotations_may_be_named(tmp_path, place):
    lay(tmp_path, "annotations/people.json", place)
    for folder in ("annotations", "annotations/people.json", "."):
        people = load_people(f"coco:{tmp_path / folder}")
        assert len(people) == 3 and people.read(people.names[0]).shape == (48, 64, 3)


def test_pictures_written_from_the_top_beside_others(tmp_path):
    def mixed(content):
        content["images"][0]["file_name"] = "images/0001.jpg"

    assert load(lay(tmp_path, "annotations/people.json", change=mixed)).names.tolist() == [f"images/{i:04}.jpg" for i in (1, 2, 3)]


def test_cocos_other_files_are_not_read(tmp_path):
    lay(tmp_path, "annotations/person_keypoints_train2017.json", "train2017")
    for name in ("instances_train2017", "captions_val2017", "image_info_test2017", "coco_wholebody_train_v1.0"):
        (tmp_path / "annotations" / f"{name}.json").write_bytes(b"so long that nobody reads it in vain")
    assert len(load(tmp_path)) == 3


def test_nothing_to_read(tmp_path):
    with pytest.raises(PosekitError, match=r"no annotations/person_keypoints_\*.json"):
        load(tmp_path)
    with pytest.raises(PosekitError, match="no such folder; a COCO folder has"):
        load(tmp_path / "absent")
    lay(tmp_path / "unpacked", "annotations/people.json")
    with pytest.raises(PosekitError, match=r"; is it .*unpacked"):
        load(tmp_path)
    (tmp_path / "data.yaml").write_text("kpt_shape: [17, 3]")
    with pytest.raises(PosekitError, match="; is it yolo:"):
        load(tmp_path)


def test_a_missing_picture_is_named_where_it_should_be(tmp_path):
    shutil.rmtree(lay(tmp_path, "annotations/person_keypoints_val2017.json", "val2017") / "val2017")
    with pytest.raises(PosekitError, match=r"val2017/0001.jpg: no such picture, annotation 1 of"):
        load(tmp_path)
