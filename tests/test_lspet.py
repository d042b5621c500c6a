from pathlib import Path

import numpy as np
import pytest
import tiny_data
from scipy.io import savemat

from posekit.data import load_people
from posekit.data.readers.lspet import load
from posekit.errors import PosekitError

SHARED = Path(__file__).parents[1] / "../shared/data/lspet"


def joints(count, flag=1.0):
    """(14, 3, N), counted from 1."""
    array = np.random.default_rng(0).uniform(5, 40, (14, 3, count))
    array[:, 2] = flag
    return array


def test_extended_layout(tmp_path):
    raw = joints(16)
    raw[4, :, 2] = (-777, 12, 0)  # not annotated: garbage
    people = load(tiny_data.lspet(tmp_path, raw))
    assert len(people) == 16 and people.skeleton.name == "lsp" and not any(people.left_out.values())
    assert np.allclose(people.keypoints[0, :, :2], raw[:, :2, 0] - 1)
    assert (people.keypoints[0, :, 2] == 2).all()
    assert np.isnan(people.keypoints[2, 4, :2]).all() and people.keypoints[2, 4, 2] == 0
    assert np.allclose(people.boxes[0, :2], raw[:, :2, 0].min(0) - 1)
    assert people.read(people.names[5]).shape == (48, 64, 3)
    assert {name: int((people.splits == name).sum()) for name in ("train", "val", "test")} == {
        "train": 11,
        "val": 1,
        "test": 4,
    }


def test_original_layout_where_the_flag_means_hidden(tmp_path):
    raw = joints(20, flag=0.0)
    raw[7, 2, 0] = 1
    people = load(tiny_data.lspet(tmp_path, raw.transpose(1, 0, 2), digits=4))
    assert np.allclose(people.keypoints[0, :, :2], raw[:, :2, 0] - 1)
    assert people.keypoints[0, 7, 2] == 1 and (np.delete(people.keypoints[0, :, 2], 7) == 2).all()
    assert people.splits[10:].tolist() == ["test"] * 10 and (people.splits[:10] == "val").sum() == 1


def test_splits_do_not_change(tmp_path):
    people = load(tiny_data.lspet(tmp_path, joints(16)))
    assert people.split("test").ids.tolist() == load(tmp_path).split("test").ids.tolist() == [3, 4, 11, 12]


@pytest.mark.parametrize("value", [0, -1, np.nan])
@pytest.mark.parametrize("flag", [0, 1, -1, np.nan])
@pytest.mark.parametrize("extended", [True, False])
def test_a_joint_that_is_absent(tmp_path, value, flag, extended):
    raw = joints(4, flag=1.0 if extended else 0.0)
    raw[4, :, 2] = (value, value, flag)
    people = load(tiny_data.lspet(tmp_path, raw if extended else raw.transpose(1, 0, 2)))
    assert people.keypoints[2, 4, 2] == 0 and np.isnan(people.keypoints[2, 4, :2]).all()
    assert (np.delete(people.keypoints[..., 2], [2 * 14 + 4]) == 2).all()
    assert people.boxes[:, :2].min() > 0


@pytest.mark.parametrize("flag", [2, 3, 0.5])
def test_flags_of_another_meaning_are_refused(tmp_path, flag):
    tiny_data.lspet(tmp_path, joints(4, flag=flag))
    with pytest.raises(PosekitError, match="person 1 has a joint whose flag is not 0 or 1"):
        load(tmp_path, on_error="skip")


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".JPG", ".jpeg"])
@pytest.mark.parametrize("folder", ["images", "."])
def test_pictures_of_other_kinds_and_beside_the_joints(tmp_path, suffix, folder):
    tiny_data.lspet(tmp_path, joints(4))
    for path in sorted((tmp_path / "images").iterdir()):
        path.rename(tmp_path / folder / f"{path.stem}{suffix}")
    for path in (tmp_path, tmp_path / "joints.mat"):
        people = load_people(f"lspet:{path}", cache=tmp_path / "cache")
        assert people.names.tolist() == [f"im{i:05}{suffix}" for i in (1, 2, 3, 4)]


def damage_missing(folder):
    (folder / "images" / "im00002.jpg").unlink()


def damage_nan(folder):
    raw = joints(4)
    raw[3, 0, 1] = np.nan
    savemat(folder / "joints.mat", {"joints": raw})


def damage_unlabelled(folder):
    raw = joints(4)
    raw[:, 2, 1] = 0
    savemat(folder / "joints.mat", {"joints": raw})


def damage_point(folder):
    raw = joints(4)
    raw[:, :2, 1] = 7
    savemat(folder / "joints.mat", {"joints": raw})


def damage_far(folder):
    raw = joints(4)
    raw[5, 0, 1] = 1e6
    savemat(folder / "joints.mat", {"joints": raw})


@pytest.mark.parametrize(("factor", "says"), [(4, "most of its joints outside its picture"), (1 / 64, "all joints between 0 and 1")])
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_joints_of_another_frame_are_refused_with_the_cause_and_never_skipped(tmp_path, factor, says, on_error):
    """Pictures made smaller after they were labelled, and shares in place of pixels."""
    raw = joints(6)
    raw[:, :2] *= factor
    with pytest.raises(PosekitError, match=f"joints.mat: person 1, im00001.jpg, has {says}.*so for 6 of 6 people"):
        load(tiny_data.lspet(tmp_path, raw), on_error=on_error)


def test_a_file_beside_joints_mat_is_read_where_it_is_named(tmp_path):
    tiny_data.lspet(tmp_path, joints(4))
    moved = joints(4)
    moved[:, :2] += 3
    savemat(tmp_path / "joints_v2.mat", {"joints": moved})
    plain, named = load_people(f"lspet:{tmp_path / 'joints.mat'}"), load_people(f"lspet:{tmp_path / 'joints_v2.mat'}")
    assert plain.source == f"lspet:{tmp_path}" and named.source == f"lspet:{tmp_path / 'joints_v2.mat'}"
    assert np.allclose(named.keypoints[..., :2], plain.keypoints[..., :2] + 3) and (named.names == plain.names).all()


@pytest.mark.parametrize(
    ("damage", "says", "reason"),
    [
        (damage_missing, "no picture for person 2", "without a picture"),
        (damage_nan, "person 2 has NaN", "with NaN coordinates"),
        (damage_unlabelled, "person 2 has no labelled joint", "without a labelled joint"),
        (damage_far, "person 2, im00002.jpg, has most of its joints outside its picture, or one far", "with joints outside their picture"),
        (damage_point, "person 2 all lie on one point", "whose joints all lie on one point"),
    ],
)
def test_bad_people(tmp_path, damage, says, reason):
    tiny_data.lspet(tmp_path, joints(4))
    damage(tmp_path)
    with pytest.raises(PosekitError) as caught:
        load(tmp_path)
    message = str(caught.value)
    assert says.replace("person 2 all", "the joints of person 2 all") in message and str(tmp_path) in message and "\n" not in message
    people = load(tmp_path, on_error="skip")
    assert people.ids.tolist() == [1, 3, 4] and people.left_out[reason] == 1 and sum(people.left_out.values()) == 1
    assert f"left out: 1 {reason}" in people.summary()


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (
            lambda file: savemat(file, {"joints": np.zeros((13, 3, 5))}),
            r"shape \(13, 3, 5\); expected \(14, 3, N\)",
        ),
        (lambda file: savemat(file, {"joints": np.zeros((14, 3))}), r"shape \(14, 3\)"),
        (lambda file: savemat(file, {"other": np.zeros(3)}), "no variable 'joints'"),
        (lambda file: file.write_bytes(b""), "not a readable MATLAB file"),
        (lambda file: file.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200)), "not a readable MATLAB file"),
        (lambda file: None, "no such file"),
    ],
)
def test_wrong_joints_files(tmp_path, write, says):
    write(tmp_path / "joints.mat")
    with pytest.raises(PosekitError, match=says) as caught:
        load(tmp_path)
    assert "joints.mat" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the LSPET photographs are not here")
def test_real_people():
    people = load_people(f"lspet:{SHARED}")
    labelled = (people.keypoints[..., 2] > 0).sum(1)
    assert len(people) == 8000 and (labelled == 14).mean() == pytest.approx(0.39, abs=0.01)
    assert [int((people.splits == name).sum()) for name in ("train", "val", "test")] == [5512, 500, 1988]  # 14 look like another
