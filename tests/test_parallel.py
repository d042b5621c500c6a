"""Two gloo processes train as one does with the whole batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import parallel_worker
import pytest
import torch
from planted import RECIPE, planted

from posekit.engine.backend import Backend
from posekit.engine.learning import parallel
from posekit.engine.learning.parallel import World
from posekit.engine.learning.training import train
from posekit.errors import PosekitError

STEPS = 12  # of the recipe: 3 epochs of 4


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What one process finds, and what each of two does; with the folders that they leave."""
    folder = tmp_path_factory.mktemp("parallel")
    planted(folder / "cache", hidden=0.4)
    threads = torch.get_num_threads()
    parallel_worker.main(folder / "one", folder / "cache")
    torch.set_num_threads(threads)
    tests = Path(__file__).parent
    paths = os.pathsep.join([str(tests.parent), str(tests), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(tests / "parallel_worker.py"), str(folder / "two"), str(folder / "cache")],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    one, first, second = (torch.load(folder / name, weights_only=True) for name in ("one/rank0.pt", "two/rank0.pt", "two/rank1.pt"))
    return folder, one, first, second


def close(a, b, relative):
    """Equal up to `relative` of the largest value of each tensor."""
    assert a.keys() == b.keys()
    for name in a:
        difference = (a[name].double() - b[name].double()).abs().max()
        assert difference <= relative * a[name].double().abs().max().clamp_min(1e-9), name


def test_rows_share_a_batch_out():
    for total in (1, 5, 7, 32):
        for size in (1, 2, 3, 5):
            shares = [list(range(total))[World(rank, size).rows(total)] for rank in range(size)]
            assert [row for share in shares for row in share] == list(range(total))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_without_torchrun_there_is_one_process():
    assert parallel.world() == World(0, 1)
    assert parallel.total(torch.tensor(3.0)) == 3 and parallel.any_of(True) is True and parallel.from_first("a") == "a"
    parallel.barrier()


def test_augmentation_is_that_of_the_whole_batch(results):
    _, one, first, second = results
    for name in ("pictures", "points"):
        whole = torch.cat([first["step"][name], second["step"][name]])
        assert len(first["step"][name]) == 3 and len(second["step"][name]) == 4
        assert torch.allclose(whole, one["step"][name], atol=1e-6, equal_nan=True)
    labelled = [int((share["step"]["points"][..., 2] > 0).sum()) for share in (first, second)]
    assert labelled[0] != labelled[1]  # so that a mean of means would be another


def test_gradients_are_those_of_one_process_with_the_whole_batch(results):
    _, one, first, second = results
    close(one["step"]["gradients"], first["step"]["gradients"], 1e-5)
    close(first["step"]["gradients"], second["step"]["gradients"], 1e-12)


def test_batch_statistics_are_those_of_the_whole_batch(results):
    _, one, first, second = results
    close(one["step"]["statistics"], first["step"]["statistics"], 1e-6)
    close(first["step"]["statistics"], second["step"]["statistics"], 1e-12)


def test_figures_are_those_of_the_whole_batch(results):
    _, one, first, second = results
    assert first["step"]["figures"] == pytest.approx(second["step"]["figures"])
    assert first["step"]["figures"] == pytest.approx(one["step"]["figures"], rel=1e-5)


def test_training_ends_in_the_weights_of_one_process(results):
    folder, one, first, second = results
    close(one["whole"]["weights"], first["whole"]["weights"], 1e-5)
    close(first["whole"]["weights"], second["whole"]["weights"], 1e-12)
    assert one["whole"]["best"] == first["whole"]["best"] == second["whole"]["best"]
    alone, together = (
        [json.loads(line) for line in (folder / name / "whole/history.jsonl").read_text().splitlines()] for name in ("one", "two")
    )
    for a, b in zip(alone, together, strict=True):
        assert a.pop("seconds") >= 0 and b.pop("seconds") >= 0
        assert a == pytest.approx(b, rel=1e-4)


def test_only_the_first_process_reports_and_writes(results):
    folder, one, first, second = results
    assert one["whole"]["heard"] == first["whole"]["heard"] == STEPS + RECIPE.epochs
    assert second["whole"]["heard"] == 0
    assert len(list((folder / "two/whole/tensorboard").iterdir())) == 1
    names = {"best.pt", "last.pt", "history.jsonl", "tensorboard"}
    assert {path.name for path in (folder / "two/whole").iterdir()} == names


def test_ctrl_c_on_one_process_stops_all_after_the_same_step_and_resumes_to_the_same_weights(results):
    folder, one, first, second = results
    for result in (one, first, second):
        assert result["interrupted"]["stopped"] and result["interrupted"]["steps"] == 6
    close(first["whole"]["weights"], first["interrupted"]["weights"], 1e-12)
    close(first["whole"]["weights"], second["interrupted"]["weights"], 1e-12)
    close(one["whole"]["weights"], one["interrupted"]["weights"], 1e-15)
    assert len((folder / "two/interrupted/history.jsonl").read_text().splitlines()) == RECIPE.epochs


def test_more_processes_than_people_in_a_step(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "world", lambda: World(0, 9))
    with pytest.raises(PosekitError, match="a step of 8 people is too small for 9 processes"):
        train(parallel_worker.network(), *planted(tmp_path), RECIPE, tmp_path / "run", backend=Backend.plain())


def test_synchronised_batch_norm_is_plain_in_one_process():
    torch.manual_seed(0)
    plain, synchronised = torch.nn.BatchNorm2d(4), torch.nn.BatchNorm2d(4)
    parallel.synchronise_batch_norm(synchronised)
    x = torch.randn(3, 4, 5, 5)
    assert type(synchronised) is parallel.BatchNorm2d and torch.equal(plain(x), synchronised(x))
    assert torch.equal(plain.running_var, synchronised.running_var)
