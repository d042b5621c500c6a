"""What an audit writes, decisions about labels, and the corrected copies that they make; the commands."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import tiny_data
import torch
from PIL import Image
from planted_labels import exchanged, people, predictor
from scipy.io import loadmat, savemat
from typer.testing import CliRunner

import posekit
from posekit.auditing import decisions, folds, writing
from posekit.auditing.quality import planted
from posekit.cli import commands as cli
from posekit.engine.backend import Backend
from posekit.engine.learning.training import Recipe
from posekit.engine.weights import Card, load, save
from posekit.errors import PosekitError
from posekit.models.hourglass import Hourglass, HourglassConfig
from posekit.skeleton import LSP
from posekit.studies import job

WHOLE = planted.groups(LSP)["whole"]


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def leeds(tmp_path_factory):
    """Ten people in the form of Leeds Sports Pose Extended, the last joint of the first one not labelled."""
    folder = tmp_path_factory.mktemp("leeds")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    joints = np.ones((14, 3, 10))
    joints[:, :2] = rng.uniform(10, 60, (14, 2, 10))
    joints[13, 2, 0] = 0
    for i in range(10):
        Image.fromarray(rng.integers(0, 256, (70, 70, 3), np.uint8)).save(folder / "images" / f"im{i + 1:05}.jpg")
    savemat(folder / "joints.mat", {"joints": joints})
    return folder


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    torch.manual_seed(0)
    config = HourglassConfig.narrow(8, joints=14, depth=2)
    path = tmp_path_factory.mktemp("toy") / "toy.safetensors"
    save(path, Hourglass(config), Card("toy", config.to_dict(), "lsp", 32, "cross-entropy"))
    return path


def decided(file, labels, *entries, **changes):
    content = {"form": decisions.FORM, "data": labels.source, "fingerprint": labels.fingerprint(), "decisions": list(entries)} | changes
    file.write_text(json.dumps(content))
    return file


EXCHANGE = {"id": 3, "decision": "change", "exchange": ["left knee", "right knee"], "remove": ["neck"]}
SAME = ("names", "boxes", "ids", "splits")


def expected(labels, row):
    keypoints = labels.keypoints.copy()
    knees = labels.skeleton.index("left knee", "right knee")
    keypoints[row, knees] = labels.keypoints[row, knees[::-1]]
    keypoints[row, labels.skeleton.joints.index("neck" if "neck" in labels.skeleton.joints else "nose")] = (np.nan, np.nan, 0)
    return keypoints


def copied(folder, spec, tmp_path, entry):
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    labels = posekit.load_people(spec, cache=tmp_path / "cache")
    copy, changed = decisions.apply(decided(tmp_path / "d.json", labels, entry, {"id": 1, "decision": "keep"}), labels, tmp_path / "copy")
    assert changed == 1 and {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()} == before
    return labels, posekit.load_people(copy, cache=tmp_path / "cache")


def test_a_corrected_copy_of_a_named_file_of_leeds_reads_back(leeds, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "images").symlink_to(leeds / "images")
    joints = loadmat(leeds / "joints.mat")["joints"]
    savemat(data / "joints.mat", {"joints": joints})
    joints[:, :2] += 2
    savemat(data / "joints_v2.mat", {"joints": joints})
    labels = posekit.load_people(f"lspet:{data / 'joints_v2.mat'}", cache=tmp_path)
    spec, changed = decisions.apply(decided(tmp_path / "d.json", labels, EXCHANGE), labels, tmp_path / "copy")
    after = posekit.load_people(spec, cache=tmp_path)
    assert changed == 1 and np.allclose(after.keypoints, expected(labels, 2), equal_nan=True)


def test_a_corrected_copy_of_leeds_reads_back(leeds, tmp_path):
    labels, after = copied(leeds, f"lspet:{leeds}", tmp_path, EXCHANGE)
    assert np.allclose(after.keypoints, expected(labels, 2), equal_nan=True) and (after.names == labels.names).all()
    assert np.array_equal(after.read(str(after.names[0])), labels.read(str(labels.names[0])))
    assert loadmat(tmp_path / "copy" / "joints.mat")["joints"].shape == (14, 3, 10)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_a_corrected_copy_of_coco_reads_back(tmp_path, nested, named):
    people = [tiny_data.coco_person(n, image=n, visible=15 + n % 3) for n in range(1, 6)]
    for person in people if nested else ():
        person["keypoints"] = [person["keypoints"][i : i + 3] for i in range(0, 51, 3)]
    folder = tiny_data.coco(tmp_path / "data", people)
    spec = f"coco:{folder}/annotations/person_keypoints_train2017.json" if named else f"coco:{folder}"
    labels, after = copied(folder, spec, tmp_path, EXCHANGE | {"remove": ["nose"]})
    assert np.allclose(after.keypoints, expected(labels, 2), equal_nan=True) and all(
        (getattr(after, c) == getattr(labels, c)).all() for c in SAME
    )
    entry = json.loads((tmp_path / "copy/annotations/person_keypoints_train2017.json").read_text())["annotations"][2]
    assert entry["num_keypoints"] == 14 and isinstance(entry["keypoints"][0], list) == nested


def test_a_corrected_copy_of_mpii_reads_back(tmp_path):
    rows = [tiny_data.mpii_person(img_paths=f"{n:09}.jpg") for n in range(5)]
    folder = tiny_data.mpii(tmp_path / "data", rows)
    for n in range(5):
        tiny_data.picture(folder / "images" / f"{n:09}.jpg", seed=n)
    labels, after = copied(folder, f"mpii:{folder}", tmp_path, EXCHANGE)
    assert np.allclose(after.keypoints, expected(labels, 3), equal_nan=True)


def test_corrected_people_are_trained_on_as_any(leeds, tmp_path):
    labels = posekit.load_people(f"lspet:{leeds}", cache=tmp_path)
    after = decisions.corrected(labels, [decisions.Decision(3, tuple(LSP.index("left knee", "right knee")), (LSP.joints.index("neck"),))])
    assert np.allclose(after.keypoints, expected(labels, 2), equal_nan=True)
    assert len(posekit.crops(after, 40, tmp_path)) == 10


@pytest.mark.parametrize(
    ("entries", "changes", "words"),
    [
        ([EXCHANGE], {"fingerprint": "0" * 12, "data": "lspet:others"}, "decisions about lspet:others, and not about lspet:"),
        ([EXCHANGE], {"form": "others"}, "not decisions about labels"),
        ([EXCHANGE], {"decisions": None}, "not decisions about labels"),
        ([EXCHANGE | {"id": 99}], {}, "decision 1 is of annotation 99, which is not there"),
        (["x"], {}, "decision 1 is of annotation 'x'"),
        ([EXCHANGE | {"exchange": ["left knee"]}], {}, "without the other side's"),
        ([EXCHANGE | {"remove": ["tail"]}], {}, "are not joints of the lsp skeleton"),
        (
            [EXCHANGE, {"id": 4, "exhange": ["left knee", "right knee"]}],
            {},
            "d.json: decision 2 has 'exhange', which is none of id, decision, exchange, remove",
        ),
        ([{"ID": 3, "remove": ["neck"]}], {}, "decision 1 has 'ID', which is none of id,"),
        ([EXCHANGE, EXCHANGE], {}, "decides about an annotation twice"),
    ],
)
def test_decisions_of_others_are_refused(leeds, tmp_path, entries, changes, words):
    labels = posekit.load_people(f"lspet:{leeds}", cache=tmp_path)
    file = decided(tmp_path / "d.json", labels, *entries, **changes)
    done = run("audit", f"lspet:{leeds}", "--apply", file, "--out", tmp_path / "copy", "--cache", tmp_path)
    assert done.exit_code == 1 and words in done.stderr.replace("\n", " ") and "d.json" in done.stderr and not (tmp_path / "copy").exists()


def test_decisions_about_people_of_other_numbers_are_refused(tmp_path):
    """The same labels with their annotations numbered anew: each decision would be of another person."""
    tiny_data.coco(tmp_path / "before", [tiny_data.coco_person(i, image=i, visible=9 + i) for i in range(1, 6)])
    tiny_data.coco(tmp_path / "after", [tiny_data.coco_person(i, image=i, visible=9 + i) | {"id": i + 1} for i in range(1, 6)])
    before, after = (posekit.load_people(f"coco:{tmp_path / name}", cache=tmp_path) for name in ("before", "after"))
    assert before.fingerprint() == after.fingerprint()
    entry = {"id": 3, "decision": "change", "exchange": [], "remove": ["nose"]}
    file = decided(tmp_path / "d.json", before, entry, ids=decisions.numbers(before))
    assert decisions.read(file, before) == [decisions.Decision(3, remove=(0,))]
    with pytest.raises(PosekitError, match=r"and not about coco:.* as it is now"):
        decisions.apply(file, after, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_copy_takes_no_folder_that_is_there(leeds, tmp_path):
    labels = posekit.load_people(f"lspet:{leeds}", cache=tmp_path)
    file = decided(tmp_path / "d.json", labels, EXCHANGE)
    with pytest.raises(PosekitError, match="is there already"):
        decisions.apply(file, labels, leeds)
    with pytest.raises(PosekitError, match="corrected copies are written of lspet"):
        decisions.apply(decided(tmp_path / "p.json", people(range(5)), EXCHANGE), people(range(5)), tmp_path / "copy")


def test_the_command_writes_what_reads_back(leeds, toy, tmp_path):
    done = run("audit", f"lspet:{leeds}", "--weights", toy, "--out", tmp_path / "audit", "--cache", tmp_path, "--most", 4)
    assert done.exit_code == 0, done.stderr
    assert "10 people judged" in done.stderr and done.stdout.split() == [
        str(tmp_path / "audit" / n) for n in ("labels.csv", "labels.json", "review.html")
    ]
    with open(tmp_path / "audit/labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["joint"] == "" for row in rows) == 10 and len(rows) == 10 + 139
    content = json.loads((tmp_path / "audit/labels.json").read_text())
    assert len(content["annotations"]) == 10 and all(0 <= entry["audit"]["probability"] <= 1 for entry in content["annotations"])
    assert content["annotations"][0]["num_keypoints"] == 13 == len(content["annotations"][0]["audit"]["joints"])
    page = (tmp_path / "audit/review.html").read_text()
    assert page.count("data:image/webp") == 4 and "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    again = run("audit", f"lspet:{leeds}", "--weights", toy, "--weights", toy, "--out", tmp_path / "two", "--cache", tmp_path, "--most", 1)
    assert again.exit_code == 0, again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--against", "mannequins-hg1.json"], "mannequins-hg1.json"),
        (["--weights", "nobody-hg1"], "no weights named 'nobody-hg1'"),
        (["--folds", "6"], "6 folds of people in 10 pictures"),
        (["--folds", "2", "--weights", "lspet-hg1"], "--folds trains the networks"),
        (["--apply", "d.json", "--against", "lspet-hg1"], "--apply takes no"),
    ],
)
def test_the_command_refuses_in_one_line(leeds, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    done = run("audit", f"lspet:{leeds}", "--cache", tmp_path, *arguments)
    assert done.exit_code == 1 and words in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_folds_are_trained_once_and_judge_whom_they_did_not_see(leeds, tmp_path):
    labels = posekit.load_people(f"lspet:{leeds}", cache=tmp_path)
    config, recipe = HourglassConfig.narrow(4, joints=14, depth=2), Recipe(resolution=32, epochs=1, batch=4)
    found = folds.train(labels, 2, tmp_path / "folds", recipe, config, cache=tmp_path)
    times = [path.stat().st_mtime_ns for path in found]
    assert folds.train(labels, 2, tmp_path / "folds", recipe, config, cache=tmp_path) == found
    assert [path.stat().st_mtime_ns for path in found] == times
    stored = posekit.crops(labels, 40, tmp_path)
    learned = [np.isin(stored.pictures & np.uint64(2**40 - 1), posekit.data.stored.seen.unpack(load(path)[1].trained_on)) for path in found]
    assert not np.all(learned, 0).any()
    audit = posekit.audit(labels, found, cache=tmp_path)
    assert not any("learned from" in note for note in audit.notes) and np.isfinite(audit.exchanged).all()
    alone = posekit.audit(labels, found[0], cache=tmp_path)
    said = [note for note in alone.notes if "pictures that it learned from" in note]
    assert len(said) == 1 and f"{learned[0].sum()} of 10 people" in said[0]


def test_a_page_of_nobody_wrong(tmp_path):
    audit = posekit.audit(people(range(20)), predictor(), flip=False, cache=tmp_path)
    assert "nobody is more likely wrong than right" in writing.page(audit, 3)


def test_labels_outside_the_picture_are_wrong_flags(leeds, toy, tmp_path):
    labels = posekit.load_people(f"lspet:{leeds}", cache=tmp_path)
    keypoints = labels.keypoints.copy()
    keypoints[4, 2, :2] = (-30, 20)
    audit = posekit.audit(replace(labels, keypoints=keypoints), toy, cache=tmp_path)
    assert audit.wrong[4, 2] == 1 and audit.joint_kinds[4, 2] == "flag wrong"


def test_the_page_names_what_is_exchanged(tmp_path):
    there = people(range(20))
    labels = replace(there, keypoints=exchanged(there.keypoints, [6], WHOLE, LSP.mirrored))
    audit = posekit.audit(labels, predictor(), flip=False, cache=tmp_path)
    content = writing.page(audit, 1).partition('type="application/json" id="data">')[2].partition("</script>")[0]
    (shown,) = json.loads(content)["people"]
    assert shown["id"] == 6 and shown["swap"] == WHOLE and shown["kind"] == "left and right exchanged: whole"


@pytest.mark.parametrize("way", ["without doubtful", "weighted"])
def test_a_study_trains_on_audited_labels_of_networks_that_did_not_learn_from_them(leeds, toy, tmp_path, monkeypatch, way):
    heard = []
    monkeypatch.setattr(folds, "train", lambda people, count, folder, **options: heard.append((len(people), count)) or [toy])
    labels = posekit.load_people(f"lspet:{leeds}", cache=tmp_path)
    training = job.Training("audited", HourglassConfig.narrow(4, joints=14, depth=2), Recipe(resolution=32, epochs=1, batch=4), labels=way)
    plain_one = replace(training, labels=None)
    assert training.key({"train": "a"}) != plain_one.key({"train": "a"}) and "labels" not in plain_one.spec()
    weights = job.do(training, labels, tmp_path / "runs", backend=Backend.plain(), cache=tmp_path)
    assert heard == [(len(labels.split("train")), job.FOLDS)] and load(weights)[1].history
