import json

import numpy as np
import pytest
import tiny_data
from tiny_data import coco_person

from posekit.data import load_people
from posekit.errors import PosekitError
from posekit.skeleton import COCO


def point(label, x, y, group=None, **more):
    return {"label": label, "points": [[x, y]], "group_id": group, "shape_type": "point", "flags": {}} | more


def rectangle(x, y, w, h, group=None, label="person"):
    return {"label": label, "points": [[x + w, y], [x, y + h]], "group_id": group, "shape_type": "rectangle", "flags": {}}


def shapes(person, group=None, spelling=str, box=True):
    keypoints = np.array(person["keypoints"], float).reshape(-1, 3)
    points = [point(spelling(name), x, y, group) for name, (x, y, flag) in zip(COCO.joints, keypoints, strict=True) if flag]
    return [*points, rectangle(*person["bbox"], group)] if box else points


def write(folder, name, content, seed=0, **more):
    tiny_data.picture(folder / f"{name}.jpg", seed=seed)
    base = name.rpartition("/")[2]
    page = {
        "version": "5.4",
        "flags": {},
        "shapes": content,
        "imagePath": f"{base}.jpg",
        "imageData": None,
        "imageHeight": 48,
        "imageWidth": 64,
    }
    (folder / f"{name}.json").write_text(json.dumps(page | more))
    return folder


def dashed(name):
    return name.replace(" ", "_")


def camel(name):
    return name.title().replace(" ", "")


def short(name):
    return name.replace("left ", "l_").replace("right ", "r_")


@pytest.mark.parametrize("spelling", [str, dashed, camel, short, str.upper])
@pytest.mark.parametrize("group", [None, 0, 7, "a"])
def test_a_person(tmp_path, spelling, group):
    write(tmp_path, "a", shapes(coco_person(1, visible=15), group, spelling))
    people = load_people(f"labelme:{tmp_path}")
    assert len(people) == 1 and people.boxes[0].tolist() == [7.5, 9.5, 20, 21]
    assert people.keypoints[0, :15].tolist() == [[10 + i, 12 + i, 2] for i in range(15)] and (people.keypoints[0, 15:, 2] == 0).all()
    assert people.read(people.names[0]).shape == (48, 64, 3)


def test_people_are_told_apart_by_their_group(tmp_path):
    other = coco_person(2, bbox=[30, 10, 20, 21], keypoints=[v for i in range(17) for v in (32 + i, 12 + i, 2)])
    mixed = [*shapes(coco_person(1), 1), *shapes(other, 2)]
    write(tmp_path, "a", mixed[::2] + mixed[1::2])
    people = load_people(f"labelme:{tmp_path}")
    assert sorted(people.keypoints[:, 0, 0].tolist()) == [10, 32] and sorted(people.boxes[:, 0].tolist()) == [7.5, 29.5]


def test_a_group_is_the_same_however_it_is_written(tmp_path):
    person = shapes(coco_person(1), 7)
    for shape, group in zip(person, [7, "7", 7.0, "007"] * 5, strict=False):
        shape["group_id"] = group
    write(tmp_path, "a", person)
    people = load_people(f"labelme:{tmp_path}")
    assert len(people) == 1 and (people.keypoints[..., 2] == 2).all()


def test_flags_hide_and_other_shapes_are_not_read(tmp_path):
    person = shapes(coco_person(1))
    person[3]["flags"] = {"occluded": True}
    person[4]["flags"] = {"occluded": False}
    person[5]["flags"] = None
    outline = {"label": "person", "points": [[1, 1], [9, 1], [9, 9]], "shape_type": "polygon", "group_id": None}
    write(tmp_path, "a", [*person, outline])
    assert load_people(f"labelme:{tmp_path}").keypoints[0, 2:6, 2].tolist() == [2, 1, 2, 2]


@pytest.mark.parametrize("none", [{}, {"shape_type": None}, {"shape_type": ""}])
def test_a_shape_of_no_type_is_what_its_points_allow(tmp_path, none):
    """As older files have them: LabelMe itself takes them for outlines, which one point cannot be."""
    typed = shapes(coco_person(1), 3, box=False)
    outline = {"label": "person", "points": [[1, 1], [9, 1], [9, 9]], "group_id": 3}
    untyped = [{key: value for key, value in shape.items() if key != "shape_type"} | none for shape in [*typed, outline]]
    write(tmp_path, "a", untyped)
    people = load_people(f"labelme:{tmp_path}")
    assert people.keypoints[0].tolist() == [[10 + i, 12 + i, 2] for i in range(17)] and people.boxes[0].tolist() == [10, 12, 16, 16]


def test_without_a_box_it_is_that_of_the_joints(tmp_path):
    write(tmp_path, "a", shapes(coco_person(1), box=False))
    assert load_people(f"labelme:{tmp_path}").boxes[0].tolist() == [10, 12, 16, 16]


def test_folders_that_are_called_like_splits_are_the_splits(tmp_path):
    for i, name in enumerate(("train/a", "train/b", "valid/a", "test/a")):
        write(tmp_path, name, shapes(coco_person(1)), seed=i)
    people = load_people(f"labelme:{tmp_path}")
    assert {name: len(people.split(name)) for name in ("train", "val", "test")} == {"train": 2, "val": 1, "test": 1}
    assert len(load_people(f"labelme:{tmp_path}@valid")) == 1


def test_splits_are_drawn_otherwise(tmp_path):
    for i in range(20):
        write(tmp_path, f"{i:02}", shapes(coco_person(1)), seed=i)
    assert {name: len(load_people(f"labelme:{tmp_path}@{name}")) for name in ("train", "val", "test")} == {"train": 16, "val": 2, "test": 2}


@pytest.mark.parametrize("path", ["a.jpg", "..\\photos\\a.jpg", "C:\\me\\a.jpg", "a.JPG"])
def test_how_the_picture_is_written(tmp_path, path):
    write(tmp_path, "a", shapes(coco_person(1)), imagePath=path)
    assert load_people(f"labelme:{tmp_path}").names.tolist() == ["a.jpg"]


@pytest.mark.parametrize(
    ("content", "more", "says"),
    [
        (
            [*shapes(coco_person(1)), point("nose", 3, 4)],
            {},
            "two points 'nose' without 'group_id'; give all shapes of a person one group_id",
        ),
        ([*shapes(coco_person(1), 3), rectangle(1, 2, 3, 4, 3)], {}, "2 rectangles with group_id 3"),
        ([point("paw", 3, 4)], {}, "names joints that the coco skeleton has not: paw"),
        ([point("nose", 3, 4, points=[[1]])], {}, "'points' of a point 'nose' are not pairs"),
        ([point("nose", 3, 4, points=None)], {}, "'points' of a point 'nose' are not pairs"),
        ([rectangle(1, 2, 3, 4)], {}, "nobody has points"),
        (shapes(coco_person(1)), {"imagePath": None}, "no 'imagePath'"),
        (shapes(coco_person(1)), {"imagePath": "gone.jpg"}, "gone.jpg: no such picture"),
        (shapes(coco_person(1)), {"imageWidth": 128, "imageHeight": 96}, "is 64 x 48 pixels, labelled as 128 x 96"),
        ([point("nose", 3, 4, flags=["occluded"])], {}, "'flags' of a point 'nose' are not names with true or false"),
        ([point("nose", 3, 4, [1])], {}, "'group_id' of a point is no number and no word"),
        ([point("nose", 3, 4, {"a": 1})], {}, "'group_id' of a point is no number and no word"),
        ([point("nose", 10**400, 4)], {}, "'points' of a point 'nose' are not pairs of numbers"),
        ([7], {}, "'shapes' is not a list of objects"),
        ([*shapes(coco_person(1)), {"label": "person", "points": [[1, 1], [9, 9]]}], {}, "a.json: a shape 'person' has 2 points and no '"),
        ([*shapes(coco_person(1)), {"label": "nose"}], {}, "a.json: a shape 'nose' has 0 points and no 'shape_type'; give it one"),
    ],
)
def test_what_is_refused(tmp_path, content, more, says):
    write(tmp_path, "a", content, **more)
    with pytest.raises(PosekitError, match=says) as caught:
        load_people(f"labelme:{tmp_path}")
    assert "\n" not in str(caught.value)


def test_no_labelme(tmp_path):
    with pytest.raises(PosekitError, match="no such folder"):
        load_people(f"labelme:{tmp_path / 'absent'}")
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(PosekitError, match="no JSON of LabelMe's"):
        load_people(f"labelme:{tmp_path}")
