"""What annotation tools write, and what does not fit its picture: joints read rightly, or the file refused."""

import copy
import gzip
import json

import numpy as np
import pytest
import tiny_data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_data import coco_person

from posekit.data import load_people
from posekit.errors import PosekitError
from posekit.skeleton import COCO

NAMES = [joint.replace(" ", "_") for joint in COCO.joints]
RNG = np.random.default_rng(0)


def person(number, image=1, box=(20, 10, 30, 36), labelled=17):
    """Somebody whose joints lie anywhere in the box of a picture of 64 x 48 pixels."""
    x, y, w, h = box
    joints = np.column_stack([RNG.integers(x, x + w, 17), RNG.integers(y, y + h, 17), np.full(17, 2)])
    joints[:2, :2] = (x, y), (x + w, y + h)
    joints[labelled:] = 0
    return coco_person(number, image, bbox=[*box], keypoints=joints.ravel().tolist(), area=0.5 * w * h)


def content(count=6, **options):
    images = [{"id": i, "file_name": f"{i:012}.jpg", "width": 64, "height": 48} for i in range(1, count + 1)]
    people = [person(i, i, **options) for i in range(1, count + 1)]
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person", "keypoints": list(NAMES)}]}


def write(folder, whole, *, size=(64, 48), exif=1, dumps=json.dumps):
    tag = Image.Exif()
    tag[0x0112] = exif
    for image in whole["images"]:
        tiny_data.picture(folder / "train2017" / f"{int(str(image['file_name'])[-16:-4]):012}.jpg", *size)
        path = folder / "train2017" / f"{int(str(image['file_name'])[-16:-4]):012}.jpg"
        Image.open(path).save(path, exif=tag)
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "annotations/person_keypoints_train2017.json").write_text(dumps(whole))
    return f"coco:{folder}"


def truth(whole):
    keypoints = np.array([entry["keypoints"] for entry in whole["annotations"]], float).reshape(-1, 17, 3)
    keypoints[keypoints[..., 2] == 0] = (np.nan, np.nan, 0)
    return keypoints


@settings(deadline=None, max_examples=15)
@given(order=st.permutations(range(17)), extra=st.lists(st.sampled_from(["neck", "pelvis", "head"]), unique=True))
def test_joints_are_read_by_their_names(tmp_path_factory, order, extra):
    whole = content(2)
    wanted = truth(whole)
    whole["categories"][0]["keypoints"] = [*(NAMES[i] for i in order), *extra]
    for entry in whole["annotations"]:
        joints = [entry["keypoints"][3 * i : 3 * i + 3] for i in order] + [[1, 2, 2]] * len(extra)
        entry["keypoints"] = [value for joint in joints for value in joint]
    people = load_people(write(tmp_path_factory.mktemp("reordered"), whole))
    np.testing.assert_array_equal(people.keypoints, wanted)


def test_some_of_cocos_joints_leave_the_others_unlabelled(tmp_path):
    whole = content(2)
    wanted = truth(whole)
    wanted[:, :5] = (np.nan, np.nan, 0)
    whole["categories"][0]["keypoints"] = NAMES[5:]
    for entry in whole["annotations"]:
        entry["keypoints"] = entry["keypoints"][15:]
    np.testing.assert_array_equal(load_people(write(tmp_path, whole)).keypoints, wanted)


HORSE = "left_eye right_eye nose neck root_of_tail l_f_paw r_f_paw l_b_paw r_b_paw a b c d e f g h".split()


@pytest.mark.parametrize(
    ("categories", "says"),
    [
        ([{"id": 1, "name": "person", "keypoints": HORSE}], "category 'person' names joints that the coco skeleton has not: neck"),
        ([{"id": 1, "name": "horse", "keypoints": HORSE}], "category 'horse' names joints"),
        ([{"id": 1, "name": "person", "keypoints": [str(i) for i in range(1, 18)]}], "has not: 1, 2, 3, 4"),
        ([{"id": 1, "name": "dog"}], "none of its categories .'dog'. is called 'person'"),
        ([{"id": 1, "name": "cat", "keypoints": NAMES[:5]}], "none of its categories .'cat'."),
        ([{"id": 7, "name": "person", "keypoints": NAMES}], "annotation 1 is of category 1, which is not listed; there are 7: person"),
        ([{"id": 1, "name": "person"}, {"id": 1, "name": "dog"}], "two categories, 'person' and 'dog', both have id 1"),
        ([{"id": 1, "name": "person", "keypoints": "nose"}], "is not a list of the joints' names"),
        ({"1": "person"}, "'categories' is not a list"),
    ],
)
def test_another_skeleton_or_nobody_is_refused_by_name(tmp_path, categories, says):
    spec = write(tmp_path, content() | {"categories": categories})
    for on_error in ("raise", "skip"):
        with pytest.raises(PosekitError, match=says) as caught:
            load_people(spec, on_error=on_error)
        assert "on-error" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("category", "entry"),
    [
        ({"id": 37, "name": "ball"}, {}),
        ({"id": 37, "name": "hand", "keypoints": [f"h{i}" for i in range(21)]}, {"keypoints": [10, 10, 2] * 21}),
        ({"id": "37", "name": "horse", "keypoints": HORSE}, {"keypoints": [10, 10, 2] * 17}),
        ({"id": 0, "name": "people", "supercategory": "none"}, {"keypoints": []}),
    ],
)
def test_people_are_read_beside_other_categories_which_are_counted(tmp_path, category, entry):
    whole = content()
    whole["categories"].insert(0, category)
    whole["annotations"].insert(2, {"id": 99, "image_id": 1, "category_id": category["id"], "bbox": [5, 5, 20, 20], **entry})
    people = load_people(write(tmp_path, whole))
    assert people.ids.tolist() == [1, 2, 3, 4, 5, 6] and people.left_out[f"of category {category['name']}"] == 1


def each(key, value):
    def change(whole):
        for entry in whole["annotations"]:
            entry[key] = value(entry)

    return change


def absent(*joint):
    return each("keypoints", lambda entry: [v for i in range(17) for v in (entry["keypoints"][3 * i : 3 * i + 3] if i < 9 else joint)])


def nested(*joint):
    return each("keypoints", lambda entry: [entry["keypoints"][3 * i : 3 * i + 3] if i < 9 else [*joint] or None for i in range(17)])


def words(whole):
    for image in whole["images"]:
        image["id"] = f"img-{image['id']:x}-b7"
    for entry in whole["annotations"]:
        entry |= {"id": f"a{entry['id']}", "image_id": f"img-{entry['image_id']:x}-b7"}


def huge(whole):
    for image in whole["images"]:
        image["id"] += 2**70
    for entry in whole["annotations"]:
        entry |= {"id": entry["id"] + 2**80, "image_id": entry["image_id"] + 2**70}


def windows(whole):
    for image in whole["images"]:
        image["file_name"] = "train2017\\" + image["file_name"]


WRITTEN = {
    "absent as -1": absent(-1, -1, -1), "absent as -1, flag 0": absent(-1, -1, 0), "absent as -1, flag 2": absent(-1, -1, 2),
    "absent as NaN": absent(float("nan"), float("nan"), float("nan")), "absent as null": absent(None, None, None),
    "absent as empty text": absent("", "", ""), "absent with a flag of null": absent(0, 0, None), "absent as text": absent("0", "0", "0"),
    "absent with a place": absent(33, 22, 0), "absent as NaN, flag 2": absent(float("nan"), float("nan"), 2),
    "nested": nested(0, 0, 0), "nested, absent as null": nested(), "nested, absent as nulls": nested(None, None, None),
    "text": each("keypoints", lambda entry: [str(v) for v in entry["keypoints"][:27]] + ["0"] * 24),
    "floats": each("keypoints", lambda entry: [float(v) for v in entry["keypoints"][:27]] + [0.0] * 24),
    "ids as words": words, "ids as large numbers": huge, "Windows paths": windows,
    "image_id as text": each("image_id", lambda entry: f"{entry['image_id']:06}"),
    "image_id as a float": each("image_id", lambda e: float(e["image_id"])),
    "category as text": each("category_id", lambda entry: "1"), "no crowds": each("iscrowd", lambda entry: False),
    "iscrowd null": each("iscrowd", lambda entry: None), "iscrowd as text": each("iscrowd", lambda entry: "0"),
    "iscrowd -1": each("iscrowd", lambda entry: -1), "area as text": each("area", lambda entry: str(entry["area"])),
    "box as text": each("bbox", lambda entry: [str(v) for v in entry["bbox"]]),
    "no category": lambda whole: [entry.pop("category_id") for entry in whole["annotations"]],
    "no categories": lambda whole: whole.pop("categories"),
    "no sizes": lambda whole: [(i.pop("width"), i.update(height=0)) for i in whole["images"]],
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_tools_write_is_read(tmp_path, kind):
    whole = content(labelled=9)
    wanted = truth(whole)
    boxes = [[x - 0.5, y - 0.5, w, h] for x, y, w, h in (entry["bbox"] for entry in whole["annotations"])]
    WRITTEN[kind](whole)
    people = load_people(write(tmp_path, whole))
    np.testing.assert_array_equal(people.keypoints, wanted)
    np.testing.assert_allclose(people.boxes, boxes)
    assert people.areas.tolist() == [540] * 6 and people.names.tolist() == [f"train2017/{i:012}.jpg" for i in range(1, 7)]
    assert people.ids.dtype.kind == people.image_ids.dtype.kind == "i" and len(set(people.image_ids)) == 6


@pytest.mark.parametrize(
    "encode", [lambda t: b"\xef\xbb\xbf" + t.encode(), lambda t: t.encode("utf-16"), lambda t: gzip.compress(t.encode())]
)
def test_encodings_of_the_file(tmp_path, encode):
    whole = content()
    spec = write(tmp_path, whole)
    file = tmp_path / "annotations/person_keypoints_train2017.json"
    file.write_bytes(encode(json.dumps(whole)))
    np.testing.assert_array_equal(load_people(spec).keypoints, truth(whole))


@pytest.mark.parametrize("name", ["iscrowd", "is_crowd", "isCrowd", "crowd"])
@pytest.mark.parametrize("value", [1, "1", True, "True", "yes", 1.0])
def test_crowds_however_they_are_written(tmp_path, name, value):
    whole = content()
    del whole["annotations"][2]["iscrowd"]
    whole["annotations"][2][name] = value
    people = load_people(write(tmp_path, whole))
    assert people.ids.tolist() == [1, 2, 4, 5, 6] and people.left_out["crowds"] == 1


def test_a_crowd_that_is_neither_yes_nor_no_is_named(tmp_path):
    whole = content()
    whole["annotations"][2]["iscrowd"] = "perhaps"
    with pytest.raises(PosekitError, match="'iscrowd' of annotation 3 is 'perhaps'; it is 0 or 1"):
        load_people(write(tmp_path, whole))


@pytest.mark.parametrize(
    "box", [[0, 0, 0, 0], None, [], [20, 10, 30, 0], ["", "", "", ""], [float("nan")] * 4, [-1, -1, -1, -1], "missing"]
)
def test_boxes_that_are_missing_are_taken_round_the_joints(tmp_path, box):
    whole = content()
    for entry in whole["annotations"]:
        entry |= {"bbox": box, "area": 0}
        if box == "missing":
            del entry["bbox"]
    people = load_people(write(tmp_path, whole))
    assert people.boxes.tolist() == [[20, 10, 30, 36]] * 6 and people.areas.tolist() == pytest.approx([0.53 * 30 * 36] * 6)


def test_joints_on_one_line_have_a_box_and_an_area(tmp_path):
    whole = content()
    whole["annotations"][0] |= {"bbox": [10, 20, 30, 0], "area": 0, "keypoints": [v for i in range(17) for v in (10 + i, 20, 2)]}
    people = load_people(write(tmp_path, whole))
    assert people.boxes[0].tolist() == [10, 20, 16, 0] and people.areas[0] == pytest.approx(0.53 * 16**2)


def scaled(factor, *names):
    def change(whole):
        for entry in whole["annotations"]:
            for name in names:
                step = 3 if name == "keypoints" else 4
                entry[name] = [v if step == 3 and i % 3 == 2 else v * factor[i % step] for i, v in enumerate(entry[name])]

    return change


def corners(whole):
    for entry in whole["annotations"]:
        x, y, w, h = entry["bbox"]
        entry["bbox"] = [x, y, x + w, y + h]


def centres(whole):
    for entry in whole["annotations"]:
        x, y, w, h = entry["bbox"]
        entry["bbox"] = [x + w / 2, y + h / 2, w, h]


def rows_first(whole):
    for entry in whole["annotations"]:
        x, y, w, h = entry["bbox"]
        entry["bbox"] = [y, x, h, w]


def sizes(width, height):
    def change(whole):
        for image in whole["images"]:
            image |= {"width": width, "height": height}

    return change


SHARES = (1 / 64, 1 / 48)
UNFIT = {
    "corners": (corners, "boxes are not x, y, width, height in pixels; most lie round the joints only when read as corners"),
    "corners in text": (lambda w: (corners(w), each("bbox", lambda e: [str(v) for v in e["bbox"]])(w)), "read as corners"),
    "centres": (centres, "only when read as centres"),
    "rows first": (rows_first, "only when read as y, x, height, width"),
    "boxes as shares": (scaled(SHARES * 2, "bbox"), "boxes .* are shares of the picture's size"),
    "joints as shares": (scaled((*SHARES, 1), "keypoints"), "all joints between 0 and 1; keypoints must be pixels"),
    "both as shares": (lambda w: (scaled(SHARES * 2, "bbox")(w), scaled((*SHARES, 1), "keypoints")(w)), "shares of the picture's size"),
    "halved": (sizes(128, 96), "is 64 x 48 pixels, labelled as 128 x 96: made larger or smaller after it was labelled"),
    "doubled": (sizes(32, 24), "is 64 x 48 pixels, labelled as 32 x 24: made larger or smaller"),
    "padded": (sizes(64, 64), "labelled as 64 x 64"),
    "turned": (sizes(48, 64), "labelled as 48 x 64: turned after it was labelled"),
    "halved, no sizes": (
        lambda w: (sizes(None, None)(w), scaled((2, 2, 2, 2), "bbox")(w), scaled((2, 2, 1), "keypoints")(w)),
        "has most of its joints outside .*jpg; made smaller after it was labelled?",
    ),
    "absent as 0, 0 and labelled": (absent(0, 0, 2), "has its left wrist at .0, 0., far from its box, as labelled"),
    "flags of another kind": (absent(30, 30, 3), "whose flag is not 0, 1 or 2"),
    "joints of another scale": (scaled((0.01, 0.01, 1), "keypoints"), "between 0 and 1|no labelled joint is near its box"),
}


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("kind", UNFIT)
def test_what_does_not_fit_the_pictures_is_refused_with_the_cause_and_never_skipped(tmp_path, kind, on_error):
    whole = content(labelled=17)
    change, says = UNFIT[kind]
    change(whole)
    with pytest.raises(PosekitError, match=says) as caught:
        load_people(write(tmp_path, whole), on_error=on_error)
    assert "on-error" not in str(caught.value) and "\n" not in str(caught.value)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_sound_boxes_are_not_taken_for_others(tmp_path_factory, data):
    """Whatever people there are in the picture: the boxes are COCO's and are read."""
    whole = content(3)
    for i, entry in enumerate(whole["annotations"]):
        w, h = data.draw(st.integers(8, 60)), data.draw(st.integers(8, 44))
        box = (data.draw(st.integers(0, 64 - w)), data.draw(st.integers(0, 48 - h)), w, h)
        entry.update(person(i + 1, i + 1, box, labelled=17))
    people = load_people(write(tmp_path_factory.mktemp("sound"), whole))
    np.testing.assert_array_equal(people.keypoints, truth(whole))


@pytest.mark.parametrize("exif", range(1, 9))
def test_labels_count_in_the_frame_whose_size_the_file_gives(tmp_path, exif):
    """Stored pictures of 64 x 48: labels in the stored frame, then, where the tag turns it by 90 degrees, in the frame that is shown."""
    whole = content()
    spec = write(tmp_path, whole, exif=exif)
    if exif in (2, 3, 4):
        with pytest.raises(PosekitError, match="is turned by an EXIF tag, and nothing says whether its labels are; turn the pictures"):
            load_people(spec)
        whole["images"][0]["coco_url"] = "http://images.cocodataset.org/train2017/000000000001.jpg"
        assert load_people(write(tmp_path, whole, exif=exif)).read("train2017/000000000001.jpg").shape == (48, 64, 3)
    else:
        assert load_people(spec).read("train2017/000000000001.jpg").shape == (48, 64, 3)
    turned = content(box=(8, 20, 30, 40))
    sizes(48, 64)(turned)
    if exif > 4:
        people = load_people(write(tmp_path, turned, exif=exif))
        assert people.read("train2017/000000000001.jpg").shape == (64, 48, 3) and people.version
        np.testing.assert_array_equal(people.keypoints, truth(turned))


@pytest.mark.parametrize(("box", "shape"), [((30, 10, 33, 30), (48, 64, 3)), ((10, 30, 30, 33), (64, 48, 3)), ((5, 5, 30, 30), None)])
def test_a_turned_picture_of_unsaid_size_goes_by_where_its_labels_fit(tmp_path, box, shape):
    whole = content(box=box)
    sizes(None, None)(whole)
    spec = write(tmp_path, whole, exif=6)
    if shape is None:
        with pytest.raises(PosekitError, match="nothing says whether its labels are"):
            load_people(spec)
    else:
        assert load_people(spec).read("train2017/000000000001.jpg").shape == shape


def test_one_fault_among_many_is_of_one_person(tmp_path):
    whole = content(20)
    other = copy.deepcopy(whole)
    other["images"][3] |= {"width": 128, "height": 96}
    with pytest.raises(PosekitError, match=r"labelled as 128 x 96.*on-error skip"):
        load_people(write(tmp_path, other))
    people = load_people(write(tmp_path, other), on_error="skip")
    assert len(people) == 19 and people.left_out["whose picture is not of the labels' size"] == 1
