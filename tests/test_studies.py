import errno
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from posekit.cli import commands as cli
from posekit.errors import PosekitError
from posekit.studies import execute, job, results, verdict
from posekit.studies.results import Result

SOURCE = Path(__file__).parents[1]
DATA = "mannequins:120,size=48"
PEOPLE = {"train": "a", "val": "b", "test": "c"}


def posekit(project, *arguments):
    command = [sys.executable, "-m", "posekit", "study", *arguments, "--cache", str(project / "data")]
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "COLUMNS": "160"}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


def done_here(folder, *variants):
    """Do what is missing of the study `smoke` in this process, where each of nine would take seconds to begin; returns what was said."""
    said = []
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        here.setattr(execute, "run_jobs", lambda jobs, *_: [execute.work(Path(job.command[-1])) for job in jobs])
        planned = execute.plan("smoke", DATA, (0, 1, 2), cache=folder / "data")
        said.append(execute.describe(planned, 2, variants))
        execute.run(planned, variants, cache=folder / "data", report=said.append)
    return said


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A checkout in which the study `smoke` has been done for three seeds."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("notebooks", "presets"):
        (folder / name).mkdir()
    plan, *said = done_here(folder)
    assert "9 trainings, 0 kept, 9 to train" in plan
    assert len(said) == 9 and "0 to go" in said[-1]
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
    assert done_here(project, "base", "sharper targets") == ["smoke on mannequins:120,size=48,seed=0: 9 trainings, 8 kept"]
    assert len(done_here(project)) == 2  # a process of its own may have more threads, and sums of another order
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


def merged_badly(text):
    return f"<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n"


def of_another_format(text):
    return json.dumps(json.loads(text) | {"format": 99})


def of_another_training(text):
    return json.dumps(json.loads(text) | {"key": "0" * 12})


DAMAGES = [cut_short, merged_badly, of_another_metric, of_another_format, other_hits, too_few_bits, of_another_training, lambda text: "[]"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_result_that_is_not_whole_is_named_and_nothing_is_trained(project, damage, monkeypatch):
    monkeypatch.chdir(project)
    path = files(project)[0]
    sound = path.read_text("utf-8")
    path.write_text(damage(sound), "utf-8")
    try:
        with pytest.raises(PosekitError, match=f"{path.name}: .*; move it elsewhere, and `posekit study` trains it again"):
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
    until = time.monotonic() + 400
    while not list(tmp_path.glob("book/studies/mannequins/*.json")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.2)
    os.killpg(process.pid, 2)
    process.communicate(timeout=400)
    kept = {path: path.stat().st_mtime_ns for path in files(tmp_path)}
    assert kept and process.returncode in (0, 1, 130)
    done = posekit(tmp_path, *command[4:-2])
    assert done.returncode == 0 and len(files(tmp_path)) == 3, done.stderr
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no-such", "--data", DATA), "no study 'no-such'; there are redesign"),
        (
            ("smoke", "--data", "mannequins:3,size=48"),
            "needs train, val and test people, and these have train alone; give data with val and test as well",
        ),
        (("smoke", "--data", f"{DATA}@val"), "takes the splits train, val, test; give its people without @val"),
        (("smoke", "--data", DATA, "--seeds", "0,1,1"), "one is given twice"),
        (("smoke", "--data", DATA, "--seeds", "many"), "whole numbers with commas"),
        (("smoke", "--data", DATA, "--variant", "bass"), "smoke has no variant 'bass'; its variants: base; sharper targets; linear"),
    ],
)
def test_what_cannot_be_studied_is_told_in_one_line(project, arguments, message, monkeypatch):
    monkeypatch.chdir(project)
    done = CliRunner().invoke(cli.app, ["study", *arguments])
    assert done.exit_code == 1 and message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_an_unknown_variant_is_told_before_anybody_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "load_people", lambda *_, **__: pytest.fail("people were loaded"))
    done = CliRunner().invoke(cli.app, ["study", "smoke", "--data", DATA, "--variant", "bass", "--cache", str(tmp_path / "data")])
    assert done.exit_code == 1 and "smoke has no variant 'bass'" in done.stderr and not list(tmp_path.iterdir())


@pytest.fixture
def listed(planned, project, tmp_path, monkeypatch):
    """The job of the base, seed 0, in a checkout without results, as `run` lists it."""
    for name in ("notebooks", "presets"):
        (tmp_path / name).mkdir()
    training = planned.study.trainings[0]
    file = tmp_path / "runs/studies" / planned.key(training) / "job.json"
    file.parent.mkdir(parents=True)
    what = {"study": "smoke", "data": DATA, "variant": "base", "seed": 0, "device": None, "cache": str(project / "data")}
    file.write_text(json.dumps(what), "utf-8")
    monkeypatch.chdir(tmp_path)
    return file


def same(kept, other):
    return all(kept.content[name] == other.content[name] for name in ("key", "hits", "scores", "spec"))


def test_a_worker_that_is_killed_leaves_nothing_half_and_the_next_goes_on(planned, listed):
    """To the very result that it would have had."""
    command = [sys.executable, "-m", "posekit.studies.execute", str(listed)]
    process = subprocess.Popen(command, cwd=Path.cwd(), env=os.environ | {"PYTHONPATH": str(SOURCE)})
    until = time.monotonic() + 400
    while not (listed.parent / "last.pt").exists() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -9
    assert not list(Path().glob("book/**/*")) and not (listed.parent / "kept").exists()
    execute.work(listed)
    (path,) = Path("book/studies/mannequins").iterdir()
    assert same(results.load(path), planned.result(planned.study.trainings[0])) and (listed.parent / "kept").exists()


@pytest.mark.parametrize("told", ["the disk is full", None])
def test_what_was_not_finished_is_named(planned, project, told, monkeypatch):
    training = planned.study.trainings[4]
    key = planned.key(training)
    lacking = replace(planned, results={other: found for other, found in planned.results.items() if other != key})
    monkeypatch.setattr(results, "kept", lambda folder, wanted: None)

    def run_jobs(jobs, folder, *_):
        assert [Path(job.output).parent.name for job in jobs] == [key]
        if told:
            (folder / key / "failed.txt").write_text(told, "utf-8")

    monkeypatch.setattr(execute, "run_jobs", run_jobs)
    words = told or "its process was ended from outside"
    with pytest.raises(PosekitError, match=f"^1 of 1 trainings .*goes on with those; {training.variant}, seed {training.seed}: {words}"):
        execute.run(lacking, cache=project / "data")
    (project / "runs/studies" / key / "kept").touch()  # as it was


def test_a_result_that_another_machine_brought_is_taken(planned, project, monkeypatch):
    """While the study runs here: it is neither trained again nor missing."""
    key = planned.key(planned.study.trainings[0])
    lacking = replace(planned, results={other: found for other, found in planned.results.items() if other != key})
    monkeypatch.setattr(execute, "run_jobs", lambda *_: None)
    said = []
    execute.run(lacking, cache=project / "data", report=said.append)
    assert key in lacking.results and len(said) == 1 and "0 to go" in said[0]
    monkeypatch.setattr(execute, "do", lambda *_, **__: pytest.fail("trained again"))
    (project / "runs/studies" / key / "kept").unlink(missing_ok=True)
    execute.work(project / "runs/studies" / key / "job.json")
    assert (project / "runs/studies" / key / "kept").exists()


def test_a_result_that_is_being_copied_stops_no_trainings(planned, project, monkeypatch):
    training = planned.study.trainings[0]
    lacking = replace(planned, results={other: found for other, found in planned.results.items() if other != planned.key(training)})
    (path,) = (project / "book/studies/mannequins").glob(f"*-{planned.key(training)}.json")
    whole = path.read_bytes()

    def run_jobs(jobs, folder, workers, threads, profile, watch):
        watch()
        path.write_bytes(whole)

    monkeypatch.setattr(execute, "run_jobs", run_jobs)
    path.write_bytes(whole[:-9])
    execute.run(lacking, cache=project / "data", report=str)
    assert planned.key(training) in lacking.results


def test_two_machines_may_keep_one_result_under_two_names(planned, tmp_path):
    """As two studies do that share a base."""
    found = planned.result(planned.study.trainings[0])
    for name in ("base", "1 wide stack"):
        results.save(Result(found.content | {"variant": name}), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2 and same(results.kept(tmp_path, found.key), found)


def test_a_full_disk_is_told_and_the_training_is_not_done_again(project, listed, monkeypatch):
    for name in ("weights.safetensors", "history.jsonl"):
        (listed.parent / name).write_bytes((project / "runs/studies" / listed.parent.name / name).read_bytes())
    monkeypatch.setattr(job, "fit", lambda *_, **__: pytest.fail("trained again"))

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", full)
        context.setattr(execute, "keep_memory", lambda: None)
        with pytest.raises(SystemExit, match=r"posekit: .*base-0.*the disk is full: free some room"):
            execute.main(listed)
    assert "the disk is full" in (listed.parent / "failed.txt").read_text("utf-8")
    assert not list(Path("book/studies/mannequins").iterdir()) and not (listed.parent / "kept").exists()
    execute.work(listed)
    assert len(list(Path("book/studies/mannequins").iterdir())) == 1


def test_people_that_changed_since_the_plan_are_not_trained_on(listed, monkeypatch):
    what = json.loads(listed.read_text("utf-8")) | {"variant": "linear"}
    listed.write_text(json.dumps(what), "utf-8")
    with pytest.raises(PosekitError, match="has changed since this was planned"):
        execute.work(listed)


@pytest.mark.parametrize(("seeds", "words"), [((0,), "there is one"), ((0, 2), "there are two")])
def test_too_few_seeds_for_an_interval_decide_nothing(planned, seeds, words):
    fewer = execute.plan("smoke", DATA, seeds)
    assert not fewer.missing
    file = StringIO()
    verdict.print_table(fewer, Console(file=file, width=200))
    assert f"Nothing is decided: a 95 % interval over trainings needs 3 seeds, and {words}; give more by --seeds." in file.getvalue()
    assert "Best on val" not in file.getvalue() and "[" not in file.getvalue().splitlines()[4]
    assert all(np.isnan(row.test.low) and (row.difference is None or np.isnan(row.difference.low)) for row in verdict.rows(fewer))


def test_what_is_missing_is_named_and_decides_nothing(planned):
    lacking = execute.plan("smoke", DATA, (0, 1, 2, 3))
    file = StringIO()
    verdict.print_table(lacking, Console(file=file, width=200))
    said = "3 trainings of networks that may win are missing: there is no winner yet. Missing: base; sharper targets; linear."
    assert said in file.getvalue()


def test_two_processes_do_not_train_the_same(planned, project, monkeypatch):
    from filelock import FileLock

    key = planned.key(planned.study.trainings[0])
    listed = project / "runs/studies" / key / "job.json"
    with FileLock(listed.with_name("lock")), pytest.raises(PosekitError, match="another process"):
        execute.work(listed)


def test_what_a_training_goes_on_from_is_trained_once(planned, project, monkeypatch):
    """Two that need the same base, begun together."""
    on = next(training for training in planned.study.trainings if training.start)
    base = on.start
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
