import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from posekit.cli import commands as cli
from posekit.data.people import People
from posekit.errors import PosekitError
from posekit.skeleton import COCO
from posekit.studies import execute, job, results, verdict
from posekit.studies.results import Result

SOURCE = Path(__file__).parents[1]
DATA = "mannequins:120,size=48"
PEOPLE = {"train": "a", "val": "b", "test": "c"}


def posekit(project, *arguments):
    command = [sys.executable, "-m", "posekit", "study", *arguments, "--cache", str(project / "data")]
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "COLUMNS": "160"}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A checkout in which the study `smoke` has been done for three seeds."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("notebooks", "presets"):
        (folder / name).mkdir()
    done = posekit(folder, "smoke", "--data", DATA, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "9 trainings, 0 kept, 9 to train" in done.stderr and "0 to go" in done.stderr
    return folder


def files(project):
    return sorted((project / "book/studies/mannequins").glob("*.json"))


@pytest.fixture
def planned(project, monkeypatch):
    monkeypatch.chdir(project)
    return execute.plan("smoke", DATA, (0, 1, 2))


def test_a_finished_study_trains_nothing_and_prints_its_table(project):
    before = {path: path.stat().st_mtime_ns for path in files(project)}
    done = posekit(project, "smoke", "--data", DATA)
    assert done.returncode == 0 and "9 kept" in done.stderr and "to go" not in done.stderr
    assert all(name in done.stdout for name in ("base", "sharper targets", "linear", "The median pose finds"))
    assert "has not learned" in done.stdout  # two epochs decide nothing, and the table says so
    assert "Nothing is decided" in done.stdout and "Best on val" not in done.stdout
    assert {path: path.stat().st_mtime_ns for path in files(project)} == before and len(before) == 9


def test_one_that_is_removed_is_trained_again_alone_to_the_same_numbers(project):
    path = next(path for path in files(project) if path.name.startswith("linear-1"))
    before = {other: other.stat().st_mtime_ns for other in files(project) if other != path}
    content = json.loads(path.read_text("utf-8"))
    path.unlink()
    assert "8 kept, 1 to train" in posekit(project, "smoke", "--data", DATA, "--plan").stderr
    done = posekit(project, "smoke", "--data", DATA)
    assert done.returncode == 0, done.stderr
    assert {other: other.stat().st_mtime_ns for other in files(project) if other != path} == before
    again = json.loads(path.read_text("utf-8"))
    assert {name: again[name] for name in ("key", "hits", "scores", "spec")} == {
        name: content[name] for name in ("key", "hits", "scores", "spec")
    }


def test_what_is_kept_agrees_with_the_weights(planned, project):
    from posekit import crops, evaluate

    training = planned.study.trainings[0]
    kept = planned.result(training)
    weights = project / "runs/studies" / kept.key / "weights.safetensors"
    scores = evaluate(weights, crops(planned.people.split("test"), 40), flip=True)
    assert kept.scores["test"] == pytest.approx(scores["metrics"]["pck@0.2·torso"]["mean"])
    assert kept.content["multiply_adds"] > 0 and len(kept.content["curve"][0]) == 2
    assert not list((project / "runs/studies").glob("*/last.pt"))


def test_rows_compare_with_the_reference(planned):
    rows = {row.variant: row for row in verdict.rows(planned)}
    ours, theirs = ([planned.result(t) for t in planned.study.trainings if t.variant == name] for name in ("linear", "base"))
    row = rows["linear"]
    assert row.seeds == (0, 1, 2) and rows["base"].difference is None
    shares = [np.nanmean(a.hits("test")) - np.nanmean(b.hits("test")) for a, b in zip(ours, theirs, strict=True)]
    assert row.difference.mean == pytest.approx(np.mean(shares))
    assert row.difference.low < row.difference.mean < row.difference.high
    assert row.epochs == 3 and rows["base"].epochs == 2  # what it goes on from counts as well
    assert verdict.named_winner(planned) in ("base", "sharper targets")  # linear costs more


def cut_short(text):
    return text[: len(text) // 2]


def of_another_metric(text):
    return json.dumps(json.loads(text) | {"metric": "pck@0.1"})


def other_hits(text):
    content = json.loads(text)
    content["hits"]["test"]["found"] = content["hits"]["test"]["counted"]
    return json.dumps(content)


def too_few_bits(text):
    content = json.loads(text)
    content["hits"]["val"]["people"] += 40
    return json.dumps(content)


def of_another_training(text):
    return json.dumps(json.loads(text) | {"key": "0" * 12})


@pytest.mark.parametrize("damage", [cut_short, of_another_metric, other_hits, too_few_bits, of_another_training, lambda text: "[]"])
def test_a_result_that_is_not_whole_is_named_and_nothing_is_trained(project, damage, monkeypatch):
    monkeypatch.chdir(project)
    path = files(project)[0]
    sound = path.read_text("utf-8")
    path.write_text(damage(sound), "utf-8")
    try:
        with pytest.raises(PosekitError, match=f"{path.name}: .*delete it and the study trains it again"):
            execute.plan("smoke", DATA, (0, 1, 2))
    finally:
        path.write_text(sound, "utf-8")


def test_interrupted_it_goes_on(project, tmp_path):
    for name in ("notebooks", "presets"):
        (tmp_path / name).mkdir()
    command = [sys.executable, "-m", "posekit", "study", "smoke", "--data", DATA, "--workers", "1", "--seeds", "5",
               "--cache", str(project / "data")]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until = time.monotonic() + 120
    while not list(tmp_path.glob("book/studies/mannequins/*.json")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.2)
    os.killpg(process.pid, 2)
    process.communicate(timeout=120)
    kept = {path: path.stat().st_mtime_ns for path in files(tmp_path)}
    assert kept and process.returncode in (0, 1, 130)
    done = posekit(tmp_path, *command[4:-2])
    assert done.returncode == 0 and len(files(tmp_path)) == 3, done.stderr
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no-such", "--data", DATA), "no study 'no-such'; there are redesign"),
        (("smoke", "--data", "mannequins:3,size=48"), "needs train, val and test"),
        (("smoke", "--data", DATA, "--seeds", "0,1,1"), "one is given twice"),
        (("smoke", "--data", DATA, "--seeds", "many"), "whole numbers with commas"),
    ],
)
def test_what_cannot_be_studied_is_told_in_one_line(project, arguments, message, monkeypatch):
    monkeypatch.chdir(project)
    done = CliRunner().invoke(cli.app, ["study", *arguments])
    assert done.exit_code == 1 and message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_two_processes_do_not_train_the_same(planned, project, monkeypatch):
    from filelock import FileLock

    key = planned.key(planned.study.trainings[0])
    listed = project / "runs/studies" / key / "job.json"
    with FileLock(listed.with_name("lock")), pytest.raises(PosekitError, match="another process"):
        execute.work(listed)


def test_what_a_training_goes_on_from_is_trained_once(planned, project, monkeypatch):
    """Two that need the same base, begun together."""
    base, on = planned.study.trainings[0], planned.study.trainings[2]
    begun = []

    def fit(config, recipe, training, validation, folder, **options):
        begun.append(Path(folder).name)
        time.sleep(0.3)
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "weights.safetensors").touch()
        return Path(folder) / "weights.safetensors"

    monkeypatch.setattr(job, "fit", fit)
    monkeypatch.setattr(job, "init_squeeze", lambda *_: None)
    others = [on, replace(on, recipe=replace(on.recipe, sigma=0.5))]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda training: job.do(training, planned.people, project / "together", cache=project / "data"), others))
    assert begun.count(planned.key(base)) == 1 and len(begun) == 3


@given(arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 17)), elements=st.sampled_from([0.0, 1.0, np.nan])))
def test_hits_packed_in_bits_come_back(hits):
    content = {"hits": {"test": json.loads(json.dumps(results._block(hits)))}}
    assert np.array_equal(Result(content).hits("test"), hits, equal_nan=True)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.502], True),  # the last two of ten gain 0.2 points
        ([0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.405, 0.41], False),
        ([0.4], False),
        (list(np.linspace(0, 0.6, 60)), True),  # sixty epochs are enough by themselves
    ],
)
def test_plateau(curve, expected):
    assert Result({"curve": [[{"pck": value} for value in curve]]}).plateau is expected


def test_the_median_pose():
    """People who all stand alike are all found by it, however large and wherever they are; who stands otherwise is not."""
    pose = np.random.default_rng(0).uniform(0, 1, (17, 2))
    pose = (pose - pose.min(0)) / np.ptp(pose, axis=0)
    sides, corners = np.array([40.0, 90, 200, 60, 80, 100]), np.random.default_rng(1).uniform(0, 50, (6, 2))
    xy = pose * sides[:, None, None] + corners[:, None]
    xy[5, :, 1] = corners[5, 1] + sides[5] - (xy[5, :, 1] - corners[5, 1])  # on the head
    keypoints = np.concatenate([xy, np.full((6, 17, 1), 2.0)], -1)
    boxes = np.concatenate([corners, np.repeat(sides[:, None], 2, 1)], 1)
    splits = np.array(["train", "train", "train", "val", "test", "test"])
    people = People(COCO, np.array(list("abcdef")), boxes, keypoints, np.arange(6), splits, lambda name: None, "made")
    alike = people[np.arange(5)]
    assert verdict.median_pose(alike) == 1.0 and verdict.median_pose(people) < 1.0
