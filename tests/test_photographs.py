"""One photograph, one side; one annotation, one count."""

import json
import shutil

import numpy as np
import pytest
import tiny_data
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import coco_person

from posekit.data import load_people
from posekit.data.readers.coco import load
from posekit.data.readers.photographs import merge, sources
from posekit.data.stored.digests import alike, digests
from posekit.errors import PosekitError


def write(folder, name, images, people):
    """An annotation file of pictures {id: file name} and annotations."""
    listed = [{"id": i, "file_name": file} for i, file in images.items()]
    (folder / "annotations").mkdir(exist_ok=True, parents=True)
    (folder / "annotations" / f"{name}.json").write_text(json.dumps({"images": listed, "annotations": people, "categories": []}))
    return folder


def photographs(folder, *numbers):
    for i in numbers:
        tiny_data.picture(folder / "images" / f"{i}.jpg", seed=i)
    return folder


def moved(number, **changes):
    """The same person as another annotator saw it."""
    person = coco_person(number, **changes)
    return person | {"keypoints": [11, *person["keypoints"][1:]]}


def by_content(people, folder):
    """Which contents each split has."""
    seen = digests(folder, people.names)
    return {name: set(seen[people.splits == name].tolist()) for name in np.unique(people.splits)}


def disjoint(found):
    return all(not found[a] & found[b] for a in found for b in found if a < b)


@pytest.mark.parametrize("how", ["two ids", "two names of one file", "two files of one content", "two files and one id"])
@pytest.mark.parametrize("same", [True, False])
def test_a_photograph_that_is_listed_twice_is_one(tmp_path, how, same):
    """By two annotators, or where exports were merged."""
    count = 40
    photographs(tmp_path, *range(count))
    images = {i: f"{i}.jpg" for i in range(count)}
    if how == "two ids":
        images |= {1000 + i: f"{i}.jpg" for i in range(count)}
    elif how == "two names of one file":
        images |= {1000 + i: f"./{i}.jpg" for i in range(count)}
    elif how == "two files of one content":
        for i in range(count):
            shutil.copy(tmp_path / f"images/{i}.jpg", tmp_path / f"images/copy-{i}.jpg")
        images |= {1000 + i: f"copy-{i}.jpg" for i in range(count)}
    number = 0 if how == "two files and one id" else 1000
    people = [coco_person(i, image=i) for i in range(count)]
    again = [(coco_person if same else moved)(5000 + i, image=number + i) for i in range(count)]
    write(tmp_path, "default", images, people if number == 0 else people + again)
    if number == 0:
        write(tmp_path, "other", images, again)
    table = load(tmp_path)
    assert len(table) == (count if same else 2 * count) and table.left_out["given twice"] == (count if same else 0)
    if how != "two files of one content" or same:
        assert len(set(table.image_ids.tolist())) == count and set(table.image_ids.tolist()) == set(range(count))
    assert disjoint(by_content(table, tmp_path)) and set(table.splits) == {"train", "val", "test"}
    assert ("40 given twice" in table.summary()) == same


def test_one_id_of_several_photographs_and_one_photograph_of_several_ids(tmp_path):
    photographs(tmp_path, 1, 2, 3)
    write(tmp_path, "a", {1: "1.jpg", 2: "2.jpg"}, [coco_person(1, image=1), coco_person(2, image=2)])
    write(tmp_path, "b", {1: "2.jpg", 2: "3.jpg"}, [moved(1, image=1), coco_person(2, image=2)])
    people = load(tmp_path)
    ids = dict(zip(people.names.tolist(), people.image_ids.tolist(), strict=True))
    assert len(people) == 4 and len(set(ids.values())) == 3
    assert len(set(people.image_ids[people.names == "images/2.jpg"].tolist())) == 1


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize(
    ("one", "other", "stays"), [("train", "val", "val"), ("train", "test", "test"), ("val", "test", "test"), ("a", "val", "val")]
)
def test_a_photograph_in_two_files_is_on_the_side_that_is_not_trained_on(tmp_path, copied, one, other, stays):
    photographs(tmp_path, *range(1, 9))
    if copied:
        shutil.copy(tmp_path / "images/4.jpg", tmp_path / "images/5.jpg")
    shared = 5 if copied else 4
    write(tmp_path, f"coco_{one}", {i: f"{i}.jpg" for i in (1, 2, 3, 4)}, [coco_person(i, image=i) for i in (1, 2, 3, 4)])
    rest = (shared, 6, 7, 8)
    write(tmp_path, f"coco_{other}", {10 + i: f"{i}.jpg" for i in rest}, [moved(10 + i, image=10 + i) for i in rest])
    people = load(tmp_path)
    assert disjoint(by_content(people, tmp_path)) and len(people) == 7
    assert people.split(stays).ids.tolist() == [10 + i for i in rest] and 4 not in people.ids
    assert "1 of photographs that val or test has too" in people.summary()
    assert len(load_people(f"coco:{tmp_path}@coco_{one}")) == 4  # a file that is asked for by name is just that file


def test_a_split_that_another_has_as_a_whole_is_meant_so_and_told(tmp_path):
    """As small exports to try something with have it: the same pictures to train and to validate on."""
    photographs(tmp_path, 1, 2, 3)
    for name, some in (("train", (1, 2)), ("val", (1, 2)), ("test", (1, 2, 3))):
        write(tmp_path, name, {i: f"{i}.jpg" for i in some}, [coco_person(i, image=i) for i in some])
    people = load(tmp_path)
    assert {name: len(people.split(name)) for name in ("train", "val", "test")} == {"train": 2, "val": 2, "test": 3}
    assert "all photographs of train are in val or test too; all photographs of val are in test too" in people.summary()


@pytest.mark.parametrize("beside", ["val2017_pose2seg", "val2017_copy", "val_filtered"])
def test_a_filtered_copy_adds_nobody(tmp_path, beside):
    photographs(tmp_path, *range(10))
    images = {i: f"{i}.jpg" for i in range(10)}
    people = [coco_person(100 + i, image=i) for i in range(10)]
    write(tmp_path, "person_keypoints_val2017", images, people)
    write(tmp_path, f"person_keypoints_{beside}", images, people[::2])
    table = load_people(f"coco:{tmp_path}@val")
    assert table.ids.tolist() == list(range(100, 110)) and "5 given twice" in table.summary()
    assert len(load_people(f"coco:{tmp_path}@{beside}")) == 5


def test_two_versions_of_one_annotation_are_refused(tmp_path):
    photographs(tmp_path, 1)
    write(tmp_path, "person_keypoints_val2017", {1: "1.jpg"}, [coco_person(7, image=1)])
    write(tmp_path, "person_keypoints_val2017_corrected", {1: "1.jpg"}, [moved(7, image=1)])
    says = r"annotation 7 of images/1.jpg is in val2017 and in val2017_corrected, and differs; take one file, @val2017"
    with pytest.raises(PosekitError, match=says):
        load(tmp_path)
    assert len(load_people(f"coco:{tmp_path}@val2017_corrected")) == 1
    elsewhere = coco_person(7, image=1, bbox=[30, 10, 20, 21], keypoints=[v for i in range(17) for v in (32 + i, 12 + i, 2)])
    write(tmp_path, "person_keypoints_val2017_corrected", {1: "1.jpg"}, [elsewhere])  # somebody else, whom another numbered from 1 too
    assert len(load(tmp_path)) == 2


def table(photo, joints, boxes=None):
    """Columns of people with one joint each."""
    count = len(photo)
    return {
        "names": np.array([f"{i}.jpg" for i in photo]), "image_ids": np.array(photo), "ids": np.arange(count), "files": np.full(count, "a"),
        "boxes": np.tile([0.0, 0, 9, 9], (count, 1)), "keypoints": np.array([[[x, 0, 2]] for x in joints], float),
    }  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.sampled_from(["train", "val", "test"])), min_size=1, max_size=30))
def test_whoever_stays_is_there_once_and_on_one_side(tmp_path_factory, rows):
    photo, joints, splits = map(list, zip(*rows, strict=True))
    columns = table(photo, joints)
    keep, left_out, remarks = merge(tmp_path_factory.getbasetemp(), columns, np.array(splits))
    assert len(rows) == keep.sum() + sum(left_out.values())
    kept = [row for row, stays in zip(rows, keep, strict=True) if stays]
    assert len(set(kept)) == len(kept) and {row[2] for row in kept} == {row[2] for row in rows}  # no split is emptied
    if not remarks:
        assert len({(p, s) for p, _, s in kept}) == len({p for p, _, _ in kept}) == len(set(photo))


def test_alike(tmp_path):
    for name, content in {"a": b"x" * 9000, "b": b"x" * 9000, "c": b"y" + b"x" * 8999, "d": b"x" * 8999 + b"y", "e": b"", "f": b""}.items():
        (tmp_path / name).write_bytes(content)
    a, b, c, d, e, f, gone, lost = alike(tmp_path, np.array(["a", "b", "c", "d", "e", "f", "gone", "lost"])).tolist()
    assert a == b and e == f and len({a, c, d, e, gone, lost}) == 6
    assert alike(tmp_path, np.array([], str)).shape == (0,)


def test_what_roboflow_made_of_a_picture_is_one_source():
    names = np.array(
        ["a_jpg.rf.0123456789abcdef.jpg", "a_jpg.rf.fedcba9876543210.jpg", "b_jpg.rf.0123456789abcdef.jpg", "a_jpg.jpg", "x.rf.jpg"]
    )
    assert sources(np.array([5, 3, 9, 7, 8]), names).tolist() == [3, 3, 9, 7, 8]
    plain = np.array([4, 2, 4])
    assert sources(plain, np.array(["a.jpg", "b.jpg", "a.jpg"])) is plain
