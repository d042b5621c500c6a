import json

import numpy as np
import pytest
import tiny_data
import yaml
from tiny_data import coco_person

from posekit.data import load_people
from posekit.data.readers.coco import load as load_coco
from posekit.errors import PosekitError
from posekit.skeleton import COCO

W, H = 64, 48


def line(person, numbers=3):
    """A person of COCO's as a line of YOLO's."""
    x, y, w, h = person["bbox"]
    joints = np.array(person["keypoints"], float).reshape(-1, 3) / (W, H, 1)
    values = [(x + w / 2) / W, (y + h / 2) / H, w / W, h / H, *joints[:, :numbers].ravel()]
    return " ".join(["0", *(f"{value:.9f}" for value in values)])


def write(folder, splits=(("train", 4), ("val", 2), ("test", 2)), layout="images/{}", about=None, numbers=3, visible=15):
    """A data set; its people, as COCO has them, by split."""
    people, number = {}, 0
    for split, count in splits:
        for _ in range(count):
            number += 1
            picture = folder / layout.format(split) / f"{number:03}.jpg"
            tiny_data.picture(picture, W, H, seed=number)
            person = coco_person(number, image=number, visible=visible)
            people.setdefault(split, []).append(person)
            labels = folder / layout.format(split).replace("images", "labels") / f"{number:03}.txt"
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text(line(person, numbers) + "\n\n")
    content = {"path": "../datasets/mine", "names": {0: "person"}, "kpt_shape": [17, numbers], "flip_idx": list(COCO.mirrored)}
    content |= {split: layout.format(split) for split, _ in splits}
    content = {key: value for key, value in (content | (about or {})).items() if value is not None}
    (folder / "data.yaml").write_text(yaml.safe_dump(content))
    return people


@pytest.mark.parametrize("layout", ["images/{}", "{}/images", "{}"])
@pytest.mark.parametrize("numbers", [3, 2])
def test_people_are_those_of_coco(tmp_path, layout, numbers):
    people = write(tmp_path / "yolo", layout=layout, numbers=numbers)
    images = [{"id": p["id"], "file_name": f"{p['id']:03}.jpg", "width": W, "height": H} for some in people.values() for p in some]
    for image in images:
        tiny_data.picture(tmp_path / "coco" / image["file_name"], W, H, seed=image["id"])
    content = {"images": images, "annotations": [p for some in people.values() for p in some], "categories": []}
    (tmp_path / "coco" / "people.json").write_text(json.dumps(content))
    wanted = load_coco(tmp_path / "coco")
    found = load_people(f"yolo:{tmp_path / 'yolo'}")
    assert [name[-7:] for name in found.names] == [name[-7:] for name in wanted.names]
    assert np.allclose(found.keypoints, wanted.keypoints, atol=1e-5, equal_nan=True) and np.allclose(found.boxes, wanted.boxes, atol=1e-5)
    assert sorted(found.splits.tolist()) == sorted(["train"] * 4 + ["val"] * 2 + ["test"] * 2)
    assert found.read(found.names[0]).shape == (H, W, 3)
    for split, some in people.items():
        assert len(load_people(f"yolo:{tmp_path / 'yolo'}@{split}")) == len(some)
    assert len(load_people(f"yolo:{tmp_path / 'yolo' / 'data.yaml'}@val")) == 2


@pytest.mark.parametrize("path", [None, "absolute", ".", "/somewhere/else"])
@pytest.mark.parametrize("entries", ["{}", "../{}", "list", "text"])
def test_where_pictures_may_be(tmp_path, path, entries):
    write(tmp_path, layout="{}/images", about={"path": str(tmp_path) if path == "absolute" else path})
    about = yaml.safe_load((tmp_path / "data.yaml").read_text())
    for split in ("train", "val", "test"):
        about[split] = entries.format(f"{split}/images") if "{" in entries else [f"{split}/images"]
        if entries == "text":
            files = sorted((tmp_path / split / "images").iterdir())
            (tmp_path / f"{split}.txt").write_text("".join(f"./{file.relative_to(tmp_path).as_posix()}\n" for file in files))
            about[split] = f"{split}.txt"
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(about))
    assert {name: len(load_people(f"yolo:{tmp_path}@{name}")) for name in ("train", "val", "test")} == {"train": 4, "val": 2, "test": 2}


def test_joints_go_by_their_names_where_there_are_any(tmp_path):
    people = write(tmp_path, splits=(("train", 3),), visible=17)
    order = sorted(range(17), key=lambda i: COCO.joints[i])
    for person in people["train"]:
        mixed = person | {"keypoints": [v for i in order for v in person["keypoints"][3 * i : 3 * i + 3]]}
        (tmp_path / "labels" / "train" / f"{person['id']:03}.txt").write_text(line(mixed))
    about = yaml.safe_load((tmp_path / "data.yaml").read_text())
    names = [COCO.joints[i].replace(" ", "_") for i in order]
    for said in (names, {0: names}):
        (tmp_path / "data.yaml").write_text(yaml.safe_dump(about | {"kpt_names": said}))
        keypoints = load_people(f"yolo:{tmp_path}").keypoints
        assert np.allclose(keypoints[0, :, 0], 10 + np.arange(17), atol=1e-5)


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"kpt_shape": None}, "no 'kpt_shape' such as"),
        ({"kpt_shape": [21, 3]}, "21 joints; without names only COCO's 17 joints in COCO's order can be read: add 'kpt_names'"),
        ({"flip_idx": list(range(17))}, "a 'flip_idx' that is not of COCO's joints; without names"),
        ({"kpt_names": ["a", "b"]}, "'kpt_names' is not a list of 17 names"),
        ({"kpt_names": {0: [f"paw {i}" for i in range(17)]}}, "names joints that the coco skeleton has not: paw 0"),
        ({"names": ["dog"]}, "none of its categories"),
        ({"train": "nowhere", "val": None, "test": None}, "nowhere: no such folder under"),
        ({"train": None, "val": None, "test": None}, "no pictures for train, val or test"),
        ({"names": {"person": 0}}, "'names' is neither a list"),
        ({"names": "person"}, "'names' is neither a list"),
        ({"names": 1}, "'names' is neither a list"),
        ({"flip_idx": 1}, "a 'flip_idx' that is not of COCO's joints"),
    ],
)
def test_what_is_no_pose_of_people_is_refused(tmp_path, about, says):
    write(tmp_path, about=about)
    with pytest.raises(PosekitError, match=says) as caught:
        load_people(f"yolo:{tmp_path}")
    assert "data.yaml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 0.5 0.5 0.1 0.1", "line 1 has 5 numbers; a class, a box and 17 x 3 for joints are 56"),
        ("0 0.5 0.5 0.1 x" + " 0" * 51, "line 1 is not made of numbers"),
        ("nan 0.5 0.5 0.1 0.1" + " 0" * 51, "line 1 begins with nan; that is the number of its class"),
        ("inf 0.5 0.5 0.1 0.1" + " 0" * 51, "line 1 begins with inf"),
        ("0.5 0.5 0.5 0.1 0.1" + " 0" * 51, "line 1 begins with 0.5"),
        ("\n0 32 24 20 20" + " 20 20 2" * 17, r"line 2 has a box of \['32', '24', '20', '20'\]; YOLO's numbers are shares"),
    ],
)
def test_wrong_lines_are_named(tmp_path, text, says):
    write(tmp_path)
    (tmp_path / "labels" / "val" / "005.txt").write_text(text)
    with pytest.raises(PosekitError, match=f"005.txt: {says}"):
        load_people(f"yolo:{tmp_path}")


@pytest.mark.parametrize("text", ["\u00e9".encode("latin-1"), "0 0.5".encode("utf-16")])
@pytest.mark.parametrize("file", ["labels/val/005.txt", "val.txt"])
def test_texts_in_other_encodings_are_named(tmp_path, text, file):
    write(tmp_path, about={"val": "val.txt"} if file == "val.txt" else None)
    (tmp_path / file).write_bytes(text)
    with pytest.raises(PosekitError, match=f"{file}: cannot be read: it is no text in UTF-8.*; save it as UTF-8"):
        load_people(f"yolo:{tmp_path}")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xd8\xff", b"version https://git-lfs.github.com/spec/v1\n"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_people_of_a_picture_that_cannot_be_read_are_missed(tmp_path, content, everywhere):
    """Labels are shares of its size: nobody knows where they lie, and they are not the same as none."""
    write(tmp_path, splits=(("train", 4),), about={"train": "train.txt"})
    (tmp_path / "train.txt").write_text("".join(f"images/train/{i:03}.jpg\n" for i in (1, 2, 3, 4)))
    damaged = [1, 2, 3, 4] if everywhere else [2]
    for i in damaged:
        picture = tmp_path / "images" / "train" / f"{i:03}.jpg"
        picture.unlink() if content is None else picture.write_bytes(content)
    with pytest.raises(PosekitError, match=rf"{damaged[0]:03}.jpg: .*on_error=\"skip\""):
        load_people(f"yolo:{tmp_path}")
    people = load_people(f"yolo:{tmp_path}", on_error="skip")
    assert len(people) == 4 - len(damaged) and people.left_out["with an unreadable picture"] == len(damaged)
    assert not people.left_out.get("without labelled joints")


def test_a_picture_named_twice_in_a_split_is_one(tmp_path):
    write(tmp_path, splits=(("train", 3),), about={"train": ["images/train", "images"]})
    assert len(load_people(f"yolo:{tmp_path}")) == 3


def test_a_picture_without_labels_has_nobody_and_all_of_them_without_is_told(tmp_path):
    write(tmp_path)
    (tmp_path / "labels" / "train" / "001.txt").unlink()
    assert len(load_people(f"yolo:{tmp_path}@train")) == 3
    for file in (tmp_path / "labels" / "val").iterdir():
        file.unlink()
    with pytest.raises(PosekitError, match=r"none of the 2 pictures of val has a label file, such as .*labels/val/005.txt"):
        load_people(f"yolo:{tmp_path}")


def test_the_same_pictures_to_train_and_to_validate_on(tmp_path):
    write(tmp_path, splits=(("train", 3),), about={"val": "images/train"})
    people = load_people(f"yolo:{tmp_path}")
    assert {name: len(people.split(name)) for name in ("train", "val")} == {"train": 3, "val": 3}
    assert "all photographs of train are in val or test too" in people.summary()


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "not a table"), ("[1, 2]", "not a table"), ("a: [", "not a readable YAML file"), ("day: 2023-13-45", "not a readable YAML file")],
)
def test_wrong_yaml(tmp_path, text, says):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(PosekitError, match=says):
        load_people(f"yolo:{tmp_path}")


def test_no_yaml(tmp_path):
    with pytest.raises(PosekitError, match=r"no data.yaml"):
        load_people(f"yolo:{tmp_path}")
    with pytest.raises(PosekitError, match="no such folder"):
        load_people(f"yolo:{tmp_path / 'absent'}")
