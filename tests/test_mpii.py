import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import tiny_data
from tiny_data import mpii_person

from posekit.coordinates import MARGIN, person_square
from posekit.data import load_people
from posekit.data.mpii import load
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
