"""Whose boxes a file gives, of which picture each is, and in which frame."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from posekit.engine.inference import boxes
from posekit.errors import PosekitError

BOX = [20.0, 8.0, 60.0, 50.0]


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A working folder with two folders of pictures of 120 x 80 pixels."""
    for name in (
        "photos/a/001.png",
        "photos/a/002.png",
        "photos/b/001.png",
        "photos/000000000139.png",
        "photos/COCO_val2014_000000000042.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (120, 80)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(content, *paths, dumps=json.dumps):
    with open("boxes.json", "w") as file:
        file.write(dumps(content))
    return boxes.of_pictures(boxes.read("boxes.json"), paths)


def listed(found):
    """The boxes of each picture as the file has them; None where the file does not have the picture."""
    assert not any(wanted.fault for wanted in found)
    return [None if wanted.boxes is None else np.add(wanted.boxes, (0.5, 0.5, 0, 0)).tolist() for wanted in found]


def annotated(*entries, name="001.png", **options):
    return {
        "images": [{"id": 2, "file_name": name, **options}],
        "annotations": [{"id": i, "image_id": 2, **e} for i, e in enumerate(entries)],
    }


@pytest.mark.parametrize(
    "content",
    [
        {"001.png": [BOX]},
        {"001.png": BOX},
        {"001": [BOX]},
        {"a/001.png": [BOX], "b/001.png": [[5, 5, 20, 20]]},
        {"a\\001.png": [BOX], "b\\001.png": [[5, 5, 20, 20]]},
        {"./photos/a/001.png": [BOX]},
        {"photos/a/001.png": [BOX], "001.png": [[5, 5, 20, 20]]},
        {"C:\\home\\me\\photos\\a\\001.png": [BOX], "C:\\home\\me\\photos\\b\\001.png": []},
        {"/elsewhere/photos/a/001.png": [BOX]},
        {"https://host/of/photos/a/001.png": [BOX]},
        [{"file_name": "..\\a\\001.png", "bbox": BOX}],
        [{"file_name": "a/001.png", "image_id": "7", "bbox": [str(side) for side in BOX], "score": "0.9"}],
        [{"image_id": "001", "bbox": BOX}, {"image_id": 9, "bbox": [5, 5, 20, 20]}],
        [{"image_id": 1, "category_id": 1, "bbox": BOX, "score": 0.31}],
        annotated({"bbox": BOX}),
        annotated({"bbox": BOX}, name="a/001.png", width=120, height=80),
        annotated({"bbox": BOX}, name="..\\a\\001.png"),
        annotated({"bbox": BOX, "image_id": "2"}),
        annotated({"bbox": BOX, "image_id": 2.0}),
        annotated({"bbox": BOX}, {"bbox": BOX}),
        annotated({"bbox": [0, 0, 0, 0], "keypoints": [20, 8, 2, 80, 58, 1] + [0, 0, 0] * 15}),
        annotated({"keypoints": [[20, 8, 2], [80, 58, 2]] + [[-1, -1, -1]] * 15}),
    ],
)
def test_a_box_is_found_where_its_path_or_number_leaves_no_doubt(there, content):
    found = listed(asked(content, "photos/a/001.png"))
    assert np.allclose(found, [[BOX]], atol=0.5)  # joints count from the middle of a pixel
    assert listed(asked(content, there / "photos/a/001.png")) == found


def test_numbers_are_those_of_coco_names(there):
    content = [{"image_id": 139, "bbox": BOX}, {"image_id": "42", "bbox": [5, 5, 20, 20]}]
    found = asked(content, "photos/000000000139.png", "photos/COCO_val2014_000000000042.png", "photos/a/002.png")
    assert listed(found) == [[BOX], [[5, 5, 20, 20]], None] and [wanted.number for wanted in found] == [139, 42, None]
    words = {"images": [{"id": "img-7", "file_name": "002.png"}], "annotations": [{"id": "x", "image_id": "img-7", "bbox": BOX}]}
    assert asked(words, "photos/a/002.png")[0].number == "img-7"


@pytest.mark.parametrize(
    ("content", "paths", "says"),
    [
        (
            {"001.png": [BOX]},
            ["photos/a/001.png", "photos/b/001.png"],
            "001.png may be photos/a/001.png or photos/b/001.png; write it with",
        ),
        ([{"image_id": 1, "bbox": BOX}], ["photos/a/001.png", "photos/b/001.png"], "1 may be photos/a/001.png or photos/b/001.png"),
        ({"D:/a/001.png": [BOX], "E:/a/001.png": [BOX]}, ["photos/a/001.png"], "photos/a/001.png may be .*; give its whole path"),
        (
            {"c/001.png": [BOX]},
            ["photos/a/001.png"],
            r"of none of the pictures given \(photos/a/001.png, \.\.\.\); it is of 1 others \(c/001.png",
        ),
        ({"/elsewhere/001.png": [BOX]}, ["photos/a/001.png"], "of none of the pictures given"),
        (annotated({"bbox": BOX}, name="other.png"), ["photos/a/002.png"], "of none of the pictures given"),
        ([], ["photos/a/002.png"], "no box of a person"),
        ({}, ["photos/a/002.png"], "no box of a person"),
        ([{"image_id": 2, "category_id": 1, "bbox": BOX, "score": 0.02}], ["photos/a/002.png"], "no box of a person"),
    ],
)
def test_doubt_about_the_picture_is_refused(there, content, paths, says):
    with pytest.raises(PosekitError, match=says) as caught:
        asked(content, *paths)
    assert "boxes.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_full_path_of_this_machine_is_this_picture_and_no_other(there):
    content = {str(there / "photos/a/001.png"): [BOX], "001.png": [[5, 5, 20, 20]]}
    assert listed(asked(content, "photos/a/001.png", "photos/b/001.png")) == [[BOX], [[5, 5, 20, 20]]]
    with pytest.raises(PosekitError, match="of none of the pictures given"):
        asked({str(there / "photos/b/001.png"): [BOX]}, "photos/a/001.png")


def test_pictures_of_which_nothing_is_said_and_those_of_nobody_are_told_apart(there):
    content = annotated({"bbox": BOX})
    content["images"].append({"id": 3, "file_name": "002.png"})
    assert listed(asked(content, "photos/a/001.png", "photos/a/002.png", "photos/000000000139.png")) == [[BOX], [], None]


CATEGORIES = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}, {"id": 62, "name": "chair"}]


def test_only_people_are_taken_and_the_rest_is_counted(there):
    entries = [{"bbox": BOX, "category_id": c, "iscrowd": crowd} for c, crowd in ((1, 0), (18, 0), (62, 0), (62, 0), (1, "1"), (1, True))]
    entries.append({"bbox": [1, 1, 30, 30], "category_id": 1, "score": 0.2})
    content = annotated(*entries) | {"categories": CATEGORIES}
    assert listed(asked(content, "photos/a/001.png")) == [[BOX]]
    assert boxes.read("boxes.json").left_out == {"crowds": 2, "of category dog": 1, "of category chair": 2, "with a score below 0.3": 1}
    results = [{"image_id": 1, "bbox": BOX, "category_id": c, "score": s} for c, s in ((1, 0.9), (18, 0.9), (1, 0.02), (1, 0.3))]
    results[3]["bbox"] = [1, 1, 30, 30]
    assert listed(asked(results, "photos/a/001.png")) == [[BOX, [1, 1, 30, 30]]]
    assert boxes.read("boxes.json").left_out == {"of category 18": 1, "with a score below 0.3": 1}


@pytest.mark.parametrize("name", ["Person", "people", "pedestrian", "human"])
@pytest.mark.parametrize("key", ["category_id", "category", "category_name", "label", "class", "class_name"])
def test_detections_may_name_their_category(there, key, name):
    entries = [{"image_id": 1, "bbox": BOX, key: name, "confidence": 0.5}, {"image_id": 1, "bbox": [1, 1, 9, 9], key: "chair"}]
    entries.append({"image_id": 1, "bbox": [1, 1, 9, 9], key: name, "confidence": 0.1})
    assert listed(asked(entries, "photos/a/001.png")) == [[BOX]]
    assert boxes.read("boxes.json").left_out == {"of category chair": 1, "with a score below 0.3": 1}
    with pytest.raises(PosekitError, match=r"none of its categories .'chair'. is called 'person'"):
        asked(entries[1:2], "photos/a/001.png")


NAMED = [("Person", 0), ("people", 4), ("pedestrian", "2"), ("human", 1)]


@pytest.mark.parametrize(("name", "ids"), NAMED)
def test_people_go_by_the_name_of_their_category(there, name, ids):
    content = annotated({"bbox": BOX, "category_id": ids}, {"bbox": BOX[::-1], "category_id": 99})
    content["categories"] = [{"id": 99, "name": "car"}, {"id": ids, "name": name}]
    assert listed(asked(content, "photos/a/001.png")) == [[BOX]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([{"image_id": 1, "bbox": BOX, "category_id": c} for c in (0, 56)], r"which of its categories \(0, 56\) are people is not said"),
        ([{"image_id": 1, "bbox": BOX, "category_id": c} for c in (0, 1)], "are people is not said"),
        ([{"image_id": 1, "bbox": BOX, "category_id": 18}], r"\(18\) are people is not said; add 'categories'"),
        (annotated({"bbox": BOX, "category_id": 3}) | {"categories": [{"id": 3, "name": "horse"}]}, "'horse'. is called 'person'"),
        ([{"image_id": 1, "bbox": BOX, "score": 95}], "entry 1 has a score of 95; scores are between 0 and 1"),
        ([{"image_id": 1, "bbox": [1, 2, 3]}], "'bbox' of entry 1 is not a list of 4 numbers"),
        ([{"image_id": 1, "bbox": ["a", 2, 3, 4]}], "'bbox' of entry 1 is not made of numbers"),
        ([3], "entry 0 of the list, counted from 0, is not an object"),
        ([{"bbox": BOX}], r"not a file of boxes; it holds"),
        ({"a.jpg": [1, 2]}, "not a file of boxes, for 'a.jpg' has no list of them"),
        ({"a.jpg": 5}, "not a file of boxes, for 'a.jpg'"),
        (3, "not a file of boxes"),
    ],
)
def test_files_that_do_not_say_who_or_where_are_named(there, content, says):
    with pytest.raises(PosekitError, match=says) as caught:
        asked(content, "photos/a/001.png")
    assert "boxes.json" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "", "<html>"])
def test_a_file_that_is_no_json_or_no_file_is_named(there, text):
    with pytest.raises(PosekitError, match=r"boxes\.json: not"):
        asked(text, "photos/a/001.png", dumps=str)
    for missing in ("missing.json", "photos"):
        with pytest.raises(PosekitError, match=missing):
            boxes.read(missing)


@pytest.mark.parametrize(
    "encode", [lambda t: b"\xef\xbb\xbf" + t.encode(), lambda t: t.encode("utf-16"), lambda t: gzip.compress(t.encode())]
)
@pytest.mark.parametrize("name", ["boxes.json", "boxes.json.gz"])
def test_marks_in_front_and_compression(there, encode, name):
    (there / name).write_bytes(encode(json.dumps({"a/001.png": [BOX]})))
    assert listed(boxes.of_pictures(boxes.read(there / name), ["photos/a/001.png"])) == [[BOX]]


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_boxes_within_their_pictures_are_taken_as_they_are(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("sound")
    rows = []
    for i in range(data.draw(st.integers(1, 4))):
        Image.new("RGB", (120, 80)).save(folder / f"{i}.png")
        w, h = data.draw(st.floats(2, 120)), data.draw(st.floats(2, 80))
        rows.append([data.draw(st.floats(0, 120 - w)), data.draw(st.floats(0, 80 - h)), w, h])
    (folder / "boxes.json").write_text(json.dumps({f"{i}.png": [row] for i, row in enumerate(rows)}))
    found = boxes.of_pictures(boxes.read(folder / "boxes.json"), [folder / f"{i}.png" for i in range(len(rows))])
    np.testing.assert_allclose([wanted.boxes[0] + (0.5, 0.5, 0, 0) for wanted in found], rows, atol=1e-9)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([[60, 30, 110, 75]], "1 of 1 leave their pictures; as corners, x, y, x, y, they fit"),
        ([[60, 30, 110, 75], [10, 5, 40, 45], [30, 20, 118, 79]], "as corners"),
        ([[0.1, 0.2, 0.3, 0.6]], "shares of the picture's size between 0 and 1"),
        ([[0.1, 0.2, 0.3, 0.6], [0, 0, 1, 1]], "shares"),
    ],
)
def test_corners_and_shares_are_refused(there, rows, says):
    for content in ({"001.png": rows}, annotated(*({"bbox": row} for row in rows))):
        with pytest.raises(PosekitError, match=f"boxes.json: its boxes are not x, y, width, height in pixels; .*{says}"):
            asked(content, "photos/a/001.png")


def test_pictures_of_another_size_than_the_file_gives_are_refused(there):
    for size in ({"width": 240, "height": 160}, {"width": 60, "height": 40}, {"width": 80, "height": 120}):
        with pytest.raises(PosekitError, match=r"001.png is 120 x 80 pixels, labelled as .*so for 1 of 1 pictures"):
            asked(annotated({"bbox": BOX}, **size), "photos/a/001.png")


def test_a_single_fault_is_of_its_picture(there):
    content = {f"{i}.png": [BOX] for i in range(12)}
    for name in content:
        Image.new("RGB", (120, 80)).save(name)
    content["3.png"] = [[0.2, 0.1, 0.5, 0.6]]
    found = asked(content, *content)
    assert [bool(wanted.fault) for wanted in found] == [i == 3 for i in range(12)] and "smaller than a pixel" in found[3].fault


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_go_to_the_frame_that_is_shown(there, orientation):
    """A white box in a stored picture is where the box lies in the picture as it is shown, in whichever frame it was given."""
    stored = np.zeros((80, 120), np.uint8)
    stored[10:30, 20:80] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save("turned.png", exif=exif)
    shown = np.asarray(ImageOps.exif_transpose(Image.open("turned.png"))) > 0
    y, x = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    box = [float(x[0]), float(y[0]), float(len(x)), float(len(y))]
    content = annotated({"bbox": [20, 10, 60, 20]}, name="turned.png", width=120, height=80)
    found = asked(content, "turned.png")
    if orientation in (2, 3, 4):
        assert "is turned by an EXIF tag, and nothing says whether its boxes are" in found[0].fault
    else:
        assert listed(found) == [[box]]
    if orientation > 4:
        assert listed(asked(annotated({"bbox": box}, name="turned.png", width=80, height=120), "turned.png")) == [[box]]
        assert listed(asked({"turned.png": [[50, 10, 60, 20]]}, "turned.png")) != [[[50, 10, 60, 20]]]  # fits the stored frame only
        assert listed(asked({"turned.png": [[10, 50, 20, 60]]}, "turned.png")) == [[[10, 50, 20, 60]]]  # the shown one only
        assert "nothing says" in asked({"turned.png": [[10, 10, 20, 20]]}, "turned.png")[0].fault
