"""Sweeps over a notebook of a few lines: planned, run in parallel, interrupted, gone on with, and compared."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from posekit.cli import commands as cli
from posekit.errors import PosekitError
from posekit.workflow import execution, staleness, sweep

REPOSITORY = Path(__file__).parents[1]

COUNT = """\
# %% tags=["parameters"]
stacks = 1  # of what
rate = 0.5  # of what
seed = 0  # of chance
weights: str | None = None  # of another run

# %%
import time
from pathlib import Path

from posekit import runs

with open("ran.txt", "a") as file:
    print(stacks, seed, file=file)
assert not Path(f"broken-{stacks}").exists(), "no power"
while Path(f"wait-{stacks}").exists():
    time.sleep(0.1)
score = stacks + seed / 10
runs.current().write_metrics({
    "metrics": {"score": {"mean": score, "low": score - 0.05, "high": score + 0.05, "joints": {"wrist": 1.0}}},
    "dimensions": 7, "told": "nothing", f"only {stacks}": 1,
})
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    for folder in ("notebooks", "presets"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks" / "02_count.py").write_text(COUNT)
    (tmp_path / "presets" / "small.yaml").write_text("02_count:\n  rate: 0.25\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.delenv("POSEKIT_RUN", raising=False)
    return tmp_path


def heed() -> None:
    """Be stopped by Ctrl-C even where the tests themselves run in the background, whose children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ran(project: Path) -> list[str]:
    return sorted((project / "ran.txt").read_text().split("\n")[:-1])


def call(*arguments) -> object:
    return CliRunner().invoke(cli.app, ["sweep", "02_count", *map(str, arguments)])


def test_a_plan_is_the_grid_of_the_runs_that_run_would_make(project):
    planned = sweep.plan("02_count", {"stacks": ["1", "2"], "seed": ["0", "1", "2"]}, "small")
    assert [tuple(point.varied.values()) for point in planned.points] == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]
    assert all(point.params["rate"] == 0.25 for point in planned.points)
    one = sweep.plan("02_count", {"stacks": ["1", "2"], "rate": ["0.5"]})
    assert one.varying == ["stacks"] and one.points[1].varied == {"stacks": 2}
    assert planned.points[4].out == execution.custom("02_count", {"stacks": "2", "seed": "1"}, "small")[2]
    assert planned.done == [] and len(planned.waiting) == 6
    assert planned.folder == sweep.plan("02_count", {"stacks": ["1", "2"], "seed": ["0", "1", "2"]}, "small").folder
    assert planned.folder != sweep.plan("02_count", {"stacks": ["1", "2"], "seed": ["0", "1", "2"]}).folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "stack", 1, 2], "02_count has no parameter 'stack'; there is stacks"),
        (["-p", "stacks", 1, "two"], "02_count: stacks takes int, not 'two'"),
        (["-p", "stacks", 1, 1], "-p stacks has the value 1 twice"),
        (["-p", "rate", "0.5", "5e-1"], "-p rate has the value 0.5 twice"),
        (["-p", "stacks", 1, "-p", "stacks", 2], "-p stacks is given twice"),
        (["-p", "stacks"], "what is to vary?"),
        ([], "what is to vary?"),
        (["stacks", 1], "'stacks' is not understood"),
        (["-p", "stacks", 1, "--preset", "smal"], "no preset named 'smal'; there is small"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_starts(project, arguments, said):
    result = call(*arguments)
    assert result.exit_code == 1 and said in result.stderr and result.stderr.count("\n") == 1
    assert not (project / "runs").exists()


def test_an_unknown_profile_is_refused_by_name(project):
    (project / "profiles" / "slurm").mkdir(parents=True)
    result = call("-p", "stacks", 1, 2, "--profile", "slrum")
    assert result.exit_code == 1 and "no profile 'slrum' of Snakemake; profiles/ has slurm" in result.stderr
    assert not (project / "runs").exists()


def test_a_sweep_runs_what_is_not_there_and_goes_on_after_failures(project):
    by_hand = execution.run_notebook("02_count", {"stacks": "1", "seed": "1"})
    (project / "broken-2").touch()
    options = ["-p", "stacks", 1, 2, "-p", "seed", 0, 1, "--jobs", 2]
    result = call(*options)
    assert result.exit_code == 1, result.output
    assert "4 runs, 1 done, 3 to run, about" in result.stderr
    assert "2 of 4 runs are not there, and the same command makes only those; 02_count failed in cell" in result.stderr
    assert ran(project) == ["1 0", "1 1", "2 0", "2 1"]
    folder = Path(result.stdout.split()[-1]).parent
    assert len((folder / "sweep.csv").read_text().splitlines()) == 3, "what is there is compared already"

    (project / "broken-2").unlink()
    result = call(*options)
    assert result.exit_code == 0, result.output
    assert ran(project) == ["1 0", "1 1", "2 0", "2 0", "2 1", "2 1"], "finished runs are not repeated, not those made by hand either"
    call(*options)
    assert len(ran(project)) == 6

    rows = list(csv.DictReader((folder / "sweep.csv").read_text().splitlines()))
    assert [(row["stacks"], row["seed"], float(row["metrics / score"])) for row in rows] == [
        ("1", "0", 1.0), ("1", "1", 1.1), ("2", "0", 2.0), ("2", "1", 2.1)
    ]  # fmt: skip
    assert set(rows[0]) == {
        "stacks", "seed", "metrics / score", "metrics / score / low", "metrics / score / high", "dimensions", "seconds", "run",
    }  # fmt: skip
    assert project / rows[1]["run"] == by_hand
    told = (folder / "sweep.md").read_text()
    assert "| 2 | 1 | 2.1 [2.05, 2.15] |" in told
    assert "| stacks 1 | 2 | 1.05 |" in told  # two seeds have no interval
    assert (folder / "figures" / "sweep.svg").stat().st_size > 1000
    assert sorted(p.name for p in folder.iterdir()) == ["figures", "sweep.csv", "sweep.md"]


def test_a_stopped_sweep_goes_on_where_it_was(project):
    """Four runs, one at a time, stopped in the third as Ctrl-C does."""
    (project / "wait-2").touch()
    command = [sys.executable, "-m", "posekit", "sweep", "02_count", "-p", "stacks", "1", "2", "-p", "seed", "0", "1"]
    with (project / "said.txt").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True, preexec_fn=heed)
        for _ in range(18_000):
            if process.poll() is not None or ((project / "ran.txt").exists() and any(line[0] == "2" for line in ran(project))):
                break
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(600) == 130, (project / "said.txt").read_text()
    assert "the same command goes on from here" in (project / "said.txt").read_text()
    finished = [path for path in (project / "runs" / "custom").glob("02_*") if list(path.glob(".fingerprint-*"))]
    begun = ran(project)
    assert begun[:2] == ["1 0", "1 1"] and len(begun) == 3 and len(finished) == 2

    (project / "wait-2").unlink()
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "4 runs, 2 done, 2 to run" in result.stderr
    assert ran(project) == ["1 0", "1 1", *sorted(["2 0", "2 1", begun[2]])]


def test_numbers_are_found_by_path():
    metrics = {
        "a": 1, "b": {"mean": 2.0, "low": 1.0, "high": 3.0, "joints": {"wrist": 5}}, "c": {"d": {"mean": 4, "low": None, "high": None}},
        "e": [1, 2], "f": "text", "g": True, "h": None,
    }  # fmt: skip
    assert dict(sweep.numbers(metrics)) == {"a": {"mean": 1}, "b": {"mean": 2.0, "low": 1.0, "high": 3.0}, "c / d": {"mean": 4}}
    assert dict(sweep.numbers(json.loads(json.dumps(metrics)))) == dict(sweep.numbers(metrics))


def test_the_interval_over_seeds_is_students():
    values = [0.1, 0.4, 0.25]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert sweep.over_seeds(values) == pytest.approx({"mean": 0.25, "low": low, "high": high})
    assert sweep.over_seeds([0.3]) == {"mean": 0.3}
    assert sweep.over_seeds([0.25, 0.75]) == {"mean": 0.5}  # of two trainings no interval is worth its name


def test_runs_without_a_number_in_common_are_not_compared(project):
    planned = sweep.plan("02_count", {"stacks": ["1", "2"]})
    with pytest.raises(PosekitError, match="no run of the sweep is there"):
        sweep.report(planned)
    for point in planned.points:
        point.out.mkdir(parents=True)
        staleness.stamp(point.out, point.fingerprint).touch()
        (point.out / "provenance.json").write_text('{"wall_seconds": 1}')
        (point.out / "metrics.json").write_text(json.dumps({f"only {point.varied['stacks']}": 1}))
    with pytest.raises(PosekitError, match="have no number in common"):
        sweep.report(planned)
