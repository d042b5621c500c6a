"""What people hand to an audit: second opinions, folders and decisions of every habit."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny_data
from planted_labels import people, predictor
from scipy.io import loadmat, savemat
from test_auditing_files import EXCHANGE, decided, leeds, run, toy

import posekit
from posekit.auditing import decisions, writing
from posekit.errors import PosekitError
from posekit.skeleton import LSP

__all__ = ["leeds", "toy"]
PEOPLE = people(range(40))


def results(file, keypoints=PEOPLE.keypoints, **columns):
    columns = {"file_name": PEOPLE.names.tolist()} | columns if "image_id" not in columns else columns
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    written = [row | {"keypoints": k if isinstance(k, list) else k.ravel().tolist()} for row, k in zip(rows, keypoints, strict=True)]
    file.write_text(json.dumps(written))
    return file


def audited(file, cache, labels=PEOPLE):
    return posekit.audit(labels, predictor(), file, flip=False, cache=cache)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def numbered(form):
    return [form(number) for number in range(100, 140)]


@pytest.mark.parametrize("ids", [numbered(int), numbered(float), numbered(str), numbered("{:012}".format)])
@pytest.mark.parametrize("name", ["results.json", "RESULTS.JSON"])
def test_ids_of_pictures_are_read_however_they_are_written(cache, tmp_path, ids, name):
    found = audited(results(tmp_path / name, image_id=ids), cache, replace(PEOPLE, image_ids=np.arange(100, 140)))
    assert np.allclose(found.opinions[1].predicted, PEOPLE.keypoints) and not found.notes


NOT = [[np.nan] * 3, [-1.0, -1.0, -1.0], [0.0, 0.0, 0.0], [None] * 3, [np.inf, 1.0, 1.0], [1e300, 1e300, 1.0]]


@pytest.mark.parametrize("absent", NOT)
def test_an_absent_joint_says_nothing_however_it_is_written(cache, tmp_path, absent):
    nested = [[absent if k < 3 else list(joint) for k, joint in enumerate(person)] for person in PEOPLE.keypoints.tolist()]
    nested[7] = [absent] * 14
    found = audited(results(tmp_path / "r.json", nested), cache)
    assert np.isnan(found.opinions[1].predicted[:, :3]).all() and np.isnan(found.opinions[1].predicted[7]).all()
    assert np.isfinite(np.delete(found.opinions[1].predicted, 7, 0)[:, 3:]).all()
    assert found.notes == ("r.json: says nothing about 1 of 40 people",) and np.isfinite(found.wrong).all()


@pytest.mark.parametrize(
    "columns, order",
    [
        ({"file_name": [*PEOPLE.names[1:], PEOPLE.names[0]]}, range(14)),  # of the next picture each
        ({"file_name": PEOPLE.names[::-1].tolist()}, range(14)),
        ({}, np.roll(range(14), 3)),  # another order of joints
        ({}, [*range(7, 14), *range(7)]),
    ],
)
def test_an_opinion_that_fits_others_as_well_is_refused(cache, tmp_path, columns, order):
    with pytest.raises(PosekitError, match="fit these people's labels no better than other people's"):
        audited(results(tmp_path / "r.json", PEOPLE.keypoints[:, list(order)], **columns), cache)


@pytest.mark.parametrize("number", [[1], {}, True])
def test_what_is_no_id_is_refused(cache, tmp_path, number):
    with pytest.raises(PosekitError, match=r"r.json: image_id of result 1: .* is no id"):
        audited(results(tmp_path / "r.json", image_id=[number] * 40), cache)


def test_a_network_is_no_second_opinion_on_itself(cache):
    with pytest.raises(PosekitError, match="a second opinion is another's"):
        audited(predictor(), cache)


@pytest.mark.parametrize("out", ["", "images", "annotations/.."])
def test_nothing_is_written_into_a_folder_of_the_data(tmp_path, toy, out):
    folder = tiny_data.coco(tmp_path / "data", [tiny_data.coco_person(n, image=n) for n in range(1, 7)], name="images", file="labels.json")
    (folder / "annotations").mkdir()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = run("audit", f"coco:{folder}/labels.json", "--weights", toy, "--out", folder / out, "--cache", tmp_path / "cache")
    assert done.exit_code == 1 and "is a folder of the data themselves" in done.stderr.replace("\n", " ")
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_audit_within_the_data_is_made_again_and_read_as_no_labels(leeds, toy, tmp_path):
    folder = shutil.copytree(leeds, tmp_path / "data")
    for _ in range(2):
        done = run("audit", f"lspet:{folder}", "--weights", toy, "--out", folder / "audit", "--cache", tmp_path / "cache", "--most", 1)
        assert done.exit_code == 0, done.stderr
    assert (folder / "audit" / writing.PAGE).is_file() and len(posekit.load_people(f"lspet:{folder}", cache=tmp_path)) == 10


@pytest.mark.parametrize(
    "change, words",
    [
        *(({"id": number}, "which is not there") for number in (3.0, True, "3", None, [3])),
        ({"decision": "keep"}, "is 'keep' and names joints to change"),
        ({"decision": "delete"}, "is 'delete' and names joints"),
        ({"exchange": [], "remove": []}, "is 'change' and names no joints"),
        ({"exchange": ["neck"]}, "without the other side's"),
        ({"remove": "neck"}, "are not joints"),
        ({"remove": [3]}, "are not joints"),
    ],
)
def test_decisions_edited_by_hand_are_refused_by_what_is_wrong(leeds, tmp_path, change, words):
    labels = posekit.load_people(f"lspet:{leeds}", cache=tmp_path)
    with pytest.raises(PosekitError, match=words) as error:
        decisions.apply(decided(tmp_path / "d.json", labels, EXCHANGE | change), labels, tmp_path / "copy")
    assert "d.json: decision 1" in str(error.value) and not (tmp_path / "copy").exists()


def test_a_copy_lies_beside_the_data(leeds, tmp_path):
    folder = shutil.copytree(leeds, tmp_path / "data")
    labels = posekit.load_people(f"lspet:{folder}", cache=tmp_path)
    for out in (folder / "copy", folder / "images" / "copy"):
        with pytest.raises(PosekitError, match="give one beside it"):
            decisions.apply(decided(tmp_path / "d.json", labels, EXCHANGE), labels, out)
        assert not out.exists()


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16])
@pytest.mark.parametrize("extended", [True, False])
def test_a_corrected_copy_of_leeds_differs_in_what_was_decided_alone(leeds, tmp_path, extended, kind):
    folder, joints = shutil.copytree(leeds, tmp_path / "data"), loadmat(leeds / "joints.mat")["joints"].round().astype(kind)
    if not extended:
        for path in sorted((folder / "images").iterdir()):
            path.rename(path.with_name(path.name.replace("im0", "im")))
        joints = joints.transpose(1, 0, 2)
    savemat(folder / "joints.mat", {"joints": joints, "note": np.arange(3)})
    labels = posekit.load_people(spec := f"{'lspet' if extended else 'lsp'}:{folder}", cache=tmp_path / "cache")
    decisions.apply(decided(tmp_path / "d.json", labels, EXCHANGE), labels, tmp_path / "copy")
    after, wanted = loadmat(tmp_path / "copy/joints.mat"), (joints if extended else joints.transpose(1, 0, 2)).copy()
    knees = LSP.index("left knee", "right knee")
    wanted[knees, :, 2], wanted[LSP.joints.index("neck"), :, 2] = wanted[knees[::-1], :, 2], 0
    assert after["joints"].dtype == kind and (after["note"] == np.arange(3)).all(), spec
    assert np.array_equal(after["joints"] if extended else after["joints"].transpose(1, 0, 2), wanted)


@pytest.mark.parametrize(
    "form", [int, float, str, "{:06}".format, "label-{}".format, lambda n: n if n % 2 else f"label-{9 - n}", lambda n: 2**70 + n]
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_corrected_copy_of_coco_differs_in_what_was_decided_alone(tmp_path, form, nested):
    entries = [tiny_data.coco_person(form(n), image=n // 2 + 1, area=n + 0.5, extra={"ü": [1.0, None]}) for n in range(1, 7)]
    for n, entry in enumerate(entries):
        flat = np.random.default_rng(n).integers(8, 40, (17, 3)).clip(max=[40, 40, 2]).tolist()
        entry["keypoints"] = flat if nested else np.ravel(flat).tolist()
    folder = tiny_data.coco(tmp_path / "data", entries)
    labels = posekit.load_people(f"coco:{folder}", cache=tmp_path / "cache")
    decision = EXCHANGE | {"id": int(labels.ids[2]), "remove": ["nose"]}
    copy, _ = decisions.apply(file := decided(tmp_path / "d.json", labels, decision), labels, tmp_path / "copy")
    wanted = decisions.corrected(labels, decisions.read(file, labels)).keypoints
    assert np.array_equal(posekit.load_people(copy, cache=tmp_path / "cache").keypoints, wanted, equal_nan=True)
    name = "annotations/person_keypoints_train2017.json"
    before, after = (json.loads((place / name).read_text()) for place in (folder, tmp_path / "copy"))
    changed = [(one, other) for one, other in zip(before["annotations"], after["annotations"], strict=True) if one != other]
    assert before | {"annotations": 0} == after | {"annotations": 0} and len(changed) == 1
    assert {key for key in changed[0][0] if changed[0][0][key] != changed[0][1][key]} <= {"keypoints", "num_keypoints"}
