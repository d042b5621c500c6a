import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import tiny_data
from tiny_data import mpii_person

from posekit.coordinates import MARGIN, person_square
from posekit.data import load_people
from posekit.data.readers.mpii import load
from posekit.errors import PosekitError

SHARED = Path(__file__).parents[1] / "../shared/data/mpii"


def test_columns(tmp_path):
    joints = mpii_person()["joint_self"]
    joints[0], joints[1], joints[2] = [0, 0, 0], [9, 8, 0], [0, 5, 1]  # absent, hidden, at the left edge
    joints[8], joints[9] = [30, 40, 1], [30, 20, 1]
    people = load(tiny_data.mpii(tmp_path, [mpii_person(joint_self=joints), mpii_person(isValidation=1.0)]))
    assert people.splits.tolist() == ["train", "val"] and people.ids.tolist() == [0, 1]
    assert np.isnan(people.keypoints[0, 0, :2]).all() and people.keypoints[0, 0, 2] == 0
    assert people.keypoints[0, 1].tolist() == [8, 7, 1]  # counted from 1
    assert people.keypoints[0, 2].tolist() == [-1, 4, 2]
    assert people.heads[0] == pytest.approx(15)  # 0.75 of 20


def test_the_view_is_the_square_of_the_hourglass_lineage(tmp_path):
    people = load(tiny_data.mpii(tmp_path, [mpii_person(objpos=[31, 21], scale_provided=0.2)]))
    centre, side = person_square(people.boxes, MARGIN)
    assert np.allclose(centre, [[30, 20 + 15 * 0.2]]) and np.allclose(side, 250 * 0.2)


def test_head_box_where_present(tmp_path):
    people = load(
        tiny_data.mpii(
            tmp_path,
            [
                mpii_person(head_rect=[10, 10, 40, 50]),
                mpii_person(joint_self=[[5, 5, 1]] * 8 + [[0, 0, 0]] * 8),
            ],
        )
    )
    assert people.heads[0] == pytest.approx(0.6 * 50) and np.isnan(people.heads[1])


def hrnet(row):
    """A row as HRNet and mmpose ship it."""
    joints = {"joints": [j[:2] for j in row["joint_self"]], "joints_vis": [int(any(j[:2])) for j in row["joint_self"]]}
    return joints | {"image": row["img_paths"], "center": row["objpos"], "scale": row["scale_provided"]}


@pytest.mark.parametrize("absent", [[-1, -1, 0], [-1.0, -1.0, -1.0], [-1, -1, 1], [0, 0, 0], [0, 0, 1], [float("nan"), float("nan"), 0],
                                    [float("nan")] * 3, [None, None, 0], [None, None, None], None, [], ["", "", ""], ["-1", "-1", "0"],
                                    ["nan", "nan", "1"], [-1, -1], [0, 0, -1]])  # fmt: skip
def test_a_joint_that_is_absent(tmp_path, absent):
    plain = mpii_person()["joint_self"]
    odd = [absent if i in (0, 5) else joint for i, joint in enumerate(plain)]
    people = load(tiny_data.mpii(tmp_path, [mpii_person(joint_self=odd), mpii_person()]))
    assert np.flatnonzero(people.keypoints[0, :, 2] == 0).tolist() == [0, 5] and np.isnan(people.keypoints[0, [0, 5], :2]).all()
    others = np.setdiff1d(np.arange(16), [0, 5])
    assert np.array_equal(people.keypoints[0, others], people.keypoints[1, others])


@pytest.mark.parametrize("absent", [[-1, -1], [-1.0, -1.0], [0, 0], [None, None], [float("nan")] * 2, None, []])
@pytest.mark.parametrize("flag", [0, 0.0, False, None, -1, float("nan"), "0"])
def test_rows_of_hrnet(tmp_path, absent, flag):
    row = hrnet(mpii_person())
    row["joints"][3], row["joints_vis"][3] = absent, flag
    row["joints_vis"] = [True if value == 1 else value for value in row["joints_vis"]] if flag is False else row["joints_vis"]
    tiny_data.mpii(tmp_path, [mpii_person()])
    wanted = load(tmp_path)
    (tmp_path / "mpii_annotations.json").write_text(json.dumps([row]))
    people = load(tmp_path)
    others = np.setdiff1d(np.arange(16), [3])
    assert np.array_equal(people.keypoints[:, others], wanted.keypoints[:, others]) and np.array_equal(people.boxes, wanted.boxes)
    assert people.keypoints[0, 3, 2] == 0 and np.isnan(people.keypoints[0, 3, :2]).all()


def test_what_hrnet_does_not_use_is_not_labelled(tmp_path):
    row = hrnet(mpii_person())
    row["joints_vis"][2] = 0
    tiny_data.mpii(tmp_path, [mpii_person()])
    (tmp_path / "mpii_annotations.json").write_text(json.dumps([row]))
    assert load(tmp_path).keypoints[0, 2, 2] == 0


@pytest.mark.parametrize(
    ("folder", "train", "val"), [("annot", "train", "valid"), ("annotations", "mpii_train", "mpii_val"), (".", "train", "val")]
)
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_a_file_for_each_split(tmp_path, folder, train, val, suffix):
    rows = [mpii_person(img_paths=f"{i}.jpg", objpos=[30.0 + i, 20.0]) for i in range(5)]
    tiny_data.mpii(tmp_path, rows)
    (tmp_path / "mpii_annotations.json").unlink()
    (tmp_path / folder).mkdir(exist_ok=True)
    test = [{"image": "t.jpg", "center": [3, 4], "scale": 1.0}]
    for name, some in ((train, rows[:3]), (val, rows[3:]), (train.replace("train", "trainval"), rows), ("mpii_test", test)):
        content = json.dumps([hrnet(row) if "objpos" in row else row for row in some]).encode()
        (tmp_path / folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix == ".json.gz" else content)
    people = load(tmp_path)
    assert people.splits.tolist() == ["train"] * 3 + ["val"] * 2 and people.ids.tolist() == [0, 1, 2, 3, 4]
    assert people.names.tolist() == [f"{i}.jpg" for i in range(5)] and people.read("4.jpg").shape == (48, 64, 3)
    alone = load_people(f"mpii:{tmp_path / folder / f'{val}{suffix}'}@val")
    assert alone.names.tolist() == ["3.jpg", "4.jpg"]


@pytest.mark.parametrize("written", ["images/000000001.jpg", "images\\000000001.jpg", "C:\\mpii\\images\\000000001.jpg", "000000001.JPG"])
def test_how_pictures_are_written(tmp_path, written):
    tiny_data.mpii(tmp_path, [mpii_person()])
    (tmp_path / "mpii_annotations.json").write_text(json.dumps([mpii_person(img_paths=written)]))
    people = load(tmp_path)
    assert people.names.tolist() == ["000000001.jpg"] and people.read(people.names[0]).shape == (48, 64, 3)


@pytest.mark.parametrize("flags", [[0, 1, 2], [3, 1, 1], [1, -1, 1]])
@pytest.mark.parametrize("form", [lambda row: row, hrnet])
def test_flags_of_another_meaning_are_refused(tmp_path, flags, form):
    row = mpii_person()
    tiny_data.mpii(tmp_path, [row])
    for i, flag in enumerate(flags):
        row["joint_self"][i][2] = flag
    row = form(row)
    if "joints_vis" in row:
        row["joints_vis"][:3] = [flag if flag >= 0 else 7 for flag in flags]
    (tmp_path / "mpii_annotations.json").write_text(json.dumps([row]))
    for on_error in ("raise", "skip"):
        with pytest.raises(PosekitError, match="row 0 has a joint whose flag is not 0 or 1") as caught:
            load(tmp_path, on_error=on_error)
        assert "skip" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "split"), [(0, "train"), (1.0, "val"), ("0", "train"), ("1", "val"), (False, "train"), (None, "train"), ("", "train")]
)
def test_how_the_split_is_written(tmp_path, value, split):
    assert load(tiny_data.mpii(tmp_path, [mpii_person(isValidation=value)])).splits.tolist() == [split]


def test_a_picture_of_another_size(tmp_path):
    tiny_data.mpii(tmp_path, [mpii_person(img_width=128.0, img_height=96.0)])
    with pytest.raises(PosekitError, match="is 64 x 48 pixels, labelled as 128 x 96: made larger or smaller"):
        load(tmp_path, on_error="skip")


def test_a_person_given_twice_counts_once(tmp_path):
    people = load(tiny_data.mpii(tmp_path, [mpii_person(), mpii_person(), mpii_person(objpos=[31, 20])]))
    assert people.ids.tolist() == [0, 2] and people.left_out["given twice"] == 1


def test_no_centre(tmp_path):
    tiny_data.mpii(tmp_path, [mpii_person(), mpii_person(objpos=[-1, -1]), mpii_person(objpos=None)])
    assert load(tmp_path, on_error="skip").left_out["whose box has no area"] == 2


def test_compressed(tmp_path):
    tiny_data.mpii(tmp_path, [mpii_person()])
    file = tmp_path / "mpii_annotations.json"
    (tmp_path / "mpii_annotations.json.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()
    assert len(load(tmp_path)) == 1


@pytest.mark.parametrize(
    ("person", "says", "reason"),
    [
        (mpii_person(img_paths="gone.jpg"), "gone.jpg: no such picture, row 1", "without a picture"),
        (mpii_person(joint_self=[[0, 0, 0]] * 16), "row 1 has no labelled joint", "without a labelled joint"),
        (mpii_person(joint_self=[[float("nan"), 2, 1]] * 16), "row 1 has NaN", "with NaN coordinates"),
        (
            mpii_person(joint_self=[[200 + i, 20 + i, 1] for i in range(16)]),
            "row 1 has most of its joints outside",
            "with joints outside their picture",
        ),
        (
            mpii_person(joint_self=[[20 + i, 1e6 * (i == 3) + i, 1] for i in range(16)]),
            "or one far outside",
            "with joints outside their picture",
        ),
        (
            mpii_person(joint_self=[[i / 16, i / 20, 1] for i in range(1, 17)]),
            "row 1 has all joints between 0 and 1",
            "with normalised joints",
        ),
        (mpii_person(scale_provided=0.0), "row 1 has no centre or scale", "whose box has no area"),
        (mpii_person(objpos=[float("nan"), 3]), "row 1 has no centre or scale", "whose box has no area"),
    ],
)
def test_bad_people(tmp_path, person, says, reason):
    tiny_data.mpii(tmp_path, [mpii_person(), person])
    (tmp_path / "images" / "gone.jpg").unlink(missing_ok=True)
    with pytest.raises(PosekitError) as caught:
        load(tmp_path)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    people = load(tmp_path, on_error="skip")
    assert people.ids.tolist() == [0] and people.left_out[reason] == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a whole JSON file"),
        (b"{}", "not a list of people"),
        (json.dumps([{"img_paths": "a.jpg"}]).encode(), "row 0 has no 'joint_self'"),
        (json.dumps([mpii_person(), mpii_person(objpos=3)]).encode(), "'objpos' of row 1 has shape"),
        (json.dumps([mpii_person(joint_self=[[1, 2, 1]] * 14)]).encode(), "14 joints"),
        (json.dumps([mpii_person(head_rect=[1, 2])] * 2).encode(), "head_rect, .* of a row makes no sense"),
        (json.dumps([mpii_person(head_rect=[1, 2, 3, 4] * 2)]).encode(), "head_rect, .* of a row makes no sense"),
        (json.dumps([mpii_person(head_rect=[1, 2, 3, 10**400])]).encode(), "head_rect, .* of a row makes no sense"),
        (json.dumps([mpii_person(scale_provided=10**400)]).encode(), "'scale_provided' of row 0 is not made of numbers"),
    ],
)
def test_wrong_files(tmp_path, content, says):
    (tmp_path / "mpii_annotations.json").write_bytes(content)
    with pytest.raises(PosekitError, match=says) as caught:
        load(tmp_path)
    assert "mpii_annotations.json" in str(caught.value) and "\n" not in str(caught.value)


def test_truncated_gzip(tmp_path):
    (tmp_path / "mpii_annotations.json.gz").write_bytes(gzip.compress(b"[1, 2, 3]" * 100)[:-12])
    with pytest.raises(PosekitError, match="not a whole JSON file"):
        load(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the MPII annotations are not here")
def test_real_people():
    people = load_people(f"mpii:{SHARED}", on_error="skip")
    assert len(people) == 5 and people.left_out["without a picture"] == 25_199
    assert np.isfinite(people.heads).all()
