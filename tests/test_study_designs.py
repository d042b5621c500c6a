"""What studies consist of: their keys, their costs, estimators of every kind, and about how long it takes."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from posekit.cli import commands as cli
from posekit.data import load_people
from posekit.engine import weights
from posekit.engine.backend import Backend
from posekit.engine.costs import multiply_adds
from posekit.engine.learning.training import Recipe
from posekit.models import build
from posekit.models.deeppose import DeepPoseConfig
from posekit.models.feedback import FeedbackConfig
from posekit.models.hourglass import HourglassConfig
from posekit.models.parts import PartsConfig
from posekit.models.transpose import TransPoseConfig
from posekit.studies import execute, hours, job, results
from posekit.studies.designs import DESIGNS, design
from posekit.studies.designs.hourglasses import BEST, base_64
from posekit.studies.job import Training, with_seed
from posekit.studies.redesign.budget import macs, parameters
from posekit.studies.results import Result

PEOPLE = {"train": "a", "val": "b", "test": "c"}
HOURGLASS = HourglassConfig.narrow(8, joints=17, depth=1)
TINY = {
    "hourglass": (HOURGLASS, "cross-entropy"),
    "DeepPose": (DeepPoseConfig(17, stages=2, features=4, pixels=16), "coordinates"),
    "error feedback": (FeedbackConfig(17, (), steps=2, features=4), "coordinates"),
    "TransPose": (TransPoseConfig(17, features=8, layers=1, heads=2, hidden=8), "cross-entropy"),
    "templates on springs": (PartsConfig(17, (), mixtures=1), "cross-entropy"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """People, a folder of trainings and a cache."""
    folder = tmp_path_factory.mktemp("estimators")
    return load_people("mannequins:120,size=48@all", cache=folder / "data"), folder / "runs", folder / "data"


def tiny(name, seed=0):
    config, loss = TINY[name]
    return Training(name, config, Recipe(resolution=32, epochs=2, batch=16, loss=loss, seed=seed))


@pytest.mark.parametrize("name", TINY)
def test_every_kind_of_estimator_is_trained_scored_and_kept(name, made, tmp_path):
    people, folder, cache = made
    if name == "templates on springs":
        pytest.importorskip("skimage")
    training, backend = tiny(name), Backend.plain()
    path = job.do(training, people, folder, backend=backend, cache=cache)
    found = results.result(training, people, path, backend=backend, cache=cache)
    again = results.load(results.save(found, tmp_path))
    assert again.key == training.key(job.fingerprints(people)) and again.hits("test").shape == (12, 17)
    assert again.content["parameters"] > 0 and again.content["seconds"] >= 0
    (curve,) = again.content["curve"]
    assert [line["epoch"] for line in curve] == ([1] if name == "templates on springs" else [1, 2])
    assert all(set(line) == {"epoch", "seconds", "loss", "val_loss", "pck"} for line in curve)
    assert results.at_plateau([again]) or name != "templates on springs"
    before = path.stat().st_mtime_ns
    assert job.do(training, people, folder, backend=backend, cache=cache).stat().st_mtime_ns == before


def test_error_feedback_begins_at_the_median_pose_of_those_it_is_trained_on(made):
    people, folder, cache = made
    path = job.do(tiny("error feedback"), people, folder, backend=Backend.plain(), cache=cache)
    start = np.array(weights.load(path)[0].config.start)
    seen = job.stores(people, 32, cache)["train"]
    points = seen.keypoints[..., :2] - (seen.size - 1) / 2  # crops have the view's middle
    expected = np.nanmedian(points, axis=0) / 32
    assert start == pytest.approx(expected, abs=1e-4) and np.ptp(start[:, 1]) > 0.2


def test_a_teacher_is_trained_first_and_once(made):
    people, folder, cache = made
    keys, backend = job.fingerprints(people), Backend.plain()
    teacher = replace(tiny("hourglass", seed=4), config=replace(HOURGLASS, stacks=2))
    taught = [replace(tiny("hourglass", seed=seed), teacher=teacher) for seed in (4, 5)]
    paths = [job.do(training, people, folder, backend=backend, cache=cache) for training in taught]
    assert [weights.load(path)[1].recipe["teacher"] for path in paths] == ["hourglass-4"] * 2
    assert (folder / teacher.key(keys) / "weights.safetensors").exists()
    found = results.result(taught[0], people, paths[0], backend=backend, cache=cache)
    assert len(found.content["curve"]) == 1 and found.content["spec"]["teacher"] == teacher.spec()
    assert taught[0].needed == [teacher, taught[0]] and taught[0].epochs == 2
    assert with_seed(taught[0], 7).teacher.seed == 7 and taught[0].key(keys) != tiny("hourglass", seed=4).key(keys)


@pytest.mark.parametrize("name", DESIGNS)
def test_designs_name_every_training_once_and_differ_by_key(name):
    study = design(name, 14, (0, 1))
    names = [(t.variant, t.seed) for t in study.trainings]
    keys = {t.key(PEOPLE) for t in study.trainings}
    assert len(set(names)) == len(names) == len(keys) and study.reference == study.trainings[0].variant
    assert names[:2] == [(study.reference, 0), (study.reference, 1)]
    assert study.variants == design(name, 17).variants  # a misspelt one is told before the people are there


def keys_of(name):
    return {training.variant: training.key(PEOPLE) for training in design(name, 14, (0,)).trainings}


def test_what_two_studies_ask_for_is_trained_once():
    redesign, stacks, skips, losses, estimators = map(keys_of, ("redesign", "stacks", "skips", "losses", "estimators"))
    base = redesign["base"]
    assert base == stacks["1 wide stack"] == skips["all skips"] == losses["cross-entropy, 0.002"] == estimators["hourglass, 1 stack"]
    assert estimators["hourglass, 2 stacks"] == stacks["2 stacks, equal width"]
    (teacher,) = {training.teacher.key(PEOPLE) for training in design("redesign", 14, (0,)).trainings if training.teacher}
    assert teacher == stacks["2 stacks, equal width"]
    assert estimators["hourglass, redesigned"] == redesign[BEST[0]]
    rendered = design("redesign-mannequins", 14, (0,)).trainings  # the same changes, of a base that is trained for longer
    assert {training.variant for training in rendered} < redesign.keys() and rendered[0].recipe.epochs == results.MOST
    larger = design("redesign-192", 14, (0,)).trainings[0]
    assert larger.start.key(PEOPLE) == keys_of("redesign-128")["base"]


@pytest.mark.parametrize(("name", "resolution"), [("redesign", 64), ("redesign-128", 128), ("redesign-192", 192)])
def test_redesigns_cost_no_more_than_the_base(name, resolution):
    base, *others = design(name, 14, (0,)).trainings
    for training in others:
        if training.squeeze_init or training.variant == "wider":
            continue
        for stage in training.stages:
            assert parameters(stage.config) <= parameters(base.config)
            assert macs(stage.config, resolution) <= macs(base.config, resolution)
        assert training.config == training.stages[0].config
    if name == "redesign":
        assert sum(training.variant.startswith("random redesign") for training in others) == 5


def test_stacks_are_compared_at_equal_cost_and_width():
    study = {training.variant: training.config for training in design("stacks", 14, (0,)).trainings}
    one = study["1 wide stack"]
    for name in ("2 stacks, equal parameters", "4 stacks, equal parameters"):
        assert parameters(study[name]) == pytest.approx(parameters(one), rel=0.06)
    two = study["2 stacks, equal width"]
    assert parameters(study["1 large stack"]) == pytest.approx(parameters(two), rel=0.06) and study["1 large stack"].stacks == 1
    assert study["1 narrow stack"].features == study["2 stacks, equal parameters"].features
    redesigned = study["2 stacks, redesigned"]
    assert redesigned.stacks == 2 and parameters(redesigned) <= parameters(one)


def test_estimators_are_of_one_size():
    study = {training.variant: training for training in design("estimators", 14, (0,)).trainings}
    one, two = (study[name].config for name in ("hourglass, 1 stack", "hourglass, 2 stacks"))
    for name in ("DeepPose", "error feedback"):
        network = build(replace(study[name].config, start=((0.0, 0.0),) * 14) if name == "error feedback" else study[name].config)
        assert sum(p.numel() for p in network.parameters()) == pytest.approx(parameters(one), rel=0.1)
    assert multiply_adds(build(study["TransPose"].config), 64) == pytest.approx(macs(two, 64), rel=0.1)
    assert all(training.recipe.epochs in (1, 40, 60) for training in study.values())


# Kept results are found by their keys for years: whoever changes one makes them stale.
PINNED = {
    "redesign": {
        "base": "c034f9aec992", "noisy code": "5bf7878296ab", "lean": "052d4a1a54d8", "basic modules": "d0ec1b6c86fe",
        "sharper targets": "b40ac356d2ad", "all three": "bdb636a2e60d", "wider": "cca8c10d9066", "base, trained on": "67ff8c65b37a",
        "autoencoder": "270138bd1ad1", "linear": "0cae5e8f517a", "random": "565196ce5aaa", "random redesign 1": "21c92d1b1f5a",
        "random redesign 2": "e4a59820cff1", "random redesign 3": "97f38c45b153", "random redesign 4": "da155abdda60",
        "random redesign 5": "c44ed0d0ba5e",
    },
    "stacks": {"2 stacks, equal parameters": "349a42cb7a03", "4 stacks, equal width": "56e297d77691", "1 narrow stack": "2cdce35e35c5"},
    "losses": {"cross-entropy, 0.0005": "efe65836a7e8", "mean squared error, RMSProp, 0.00025": "f6d031949bb2"},
    "estimators": {
        "DeepPose": "c404f9b7e122", "error feedback": "4dc5694621d4", "TransPose": "114bfe3ec892", "templates on springs": "eb51e430c698",
    },
    "redesign-128": {"base": "ef3a78574888", "all three": "a61ef20e5099"},
    "redesign-192": {"base": "2aa3396e3d2f", "all three": "cb22bc4fa92f"},
    "skips": {"no skips": "062275244675", "without the finest": "d316db76b85d"},
}  # fmt: skip


@pytest.mark.parametrize("name", PINNED)
def test_keys_do_not_change(name):
    assert PINNED[name].items() <= keys_of(name).items()


def test_keys_follow_recipe_network_people_and_start_and_nothing_else():
    base = base_64(14)
    key = base.key(PEOPLE)
    assert key == replace(base, variant="of another study", why="said otherwise").key(PEOPLE)
    others = [
        with_seed(base, 1), replace(base, recipe=replace(base.recipe, sigma=0.7)), replace(base, config=replace(base.config, basic=True)),
        Training("on", base.config, base.recipe, base), Training("on", base.config, base.recipe, base, "components"),
        *(tiny(name) for name in TINY),
    ]  # fmt: skip
    keys = {key, base.key(PEOPLE | {"test": "other"}), *(other.key(PEOPLE) for other in others)}
    assert len(keys) == 7 + len(TINY)
    assert with_seed(others[3], 2).start.seed == 2


def result_of(training, seconds, hardware, people=1000):
    spec = training.spec()
    curve = [[{"epoch": epoch} for epoch in range(stage.recipe.epochs)] for stage in training.stages]
    return Result({
        "spec": spec, "seconds": seconds, "curve": curve, "multiply_adds": hours._macs(training.config, training.recipe.resolution),
        "data": {"people": {"train": {"count": people}}}, "made": {"hardware": hardware},
    })  # fmt: skip


def test_hours_are_those_that_this_machine_needed():
    here, there = {"processor": "a"}, {"processor": "b"}
    small, transformer = tiny("hourglass"), tiny("TransPose")
    kept = [result_of(small, 100.0, here), result_of(small, 1.0, there), result_of(transformer, 900.0, here)]
    rates = hours.measured(kept, here)
    assert set(rates) == {"hourglass", "transpose"}
    assert hours.seconds([small], 1000, rates) == pytest.approx(100)
    assert hours.seconds([with_seed(small, 1), transformer], 2000, rates) == pytest.approx(2 * 1000)
    assert hours.measured([result_of(tiny("templates on springs"), 50.0, here)], here) == {}
    assert hours.seconds([tiny("templates on springs")], 1000, {}) == 0
    assert hours.seconds([tiny("error feedback"), tiny("DeepPose")], 1000, {}) > 0


def test_a_first_stage_at_a_lower_resolution_costs_less():
    here = {"processor": "a"}
    first = tiny("hourglass")
    second = replace(first, start=first, recipe=replace(first.recipe, resolution=64))
    share = hours._macs(first.config, 32) / hours._macs(first.config, 64)
    assert share == pytest.approx(0.25)
    rates = hours.measured([result_of(second, 100.0, here)], here)
    assert hours.seconds(second.stages, 1000, rates) == pytest.approx(100)


def test_a_plan_counts_each_stage_once_and_not_what_is_there(made, tmp_path, monkeypatch):
    people, *_ = made
    monkeypatch.setattr(execute, "root", lambda: tmp_path)
    asked = []
    monkeypatch.setattr(hours, "seconds", lambda stages, count, rates: asked.extend(stages) or 7200.0)
    study, keys = design("redesign-192", 17, (0,)), job.fingerprints(people)
    planned = execute.Plan(study, "mannequins:120", people, keys, {})
    assert "3 trainings, 0 kept, 3 to train, about 1.0 hours with 2 at a time (a guess" in execute.describe(planned, 2)
    assert len(asked) == 6
    there = tmp_path / "runs/studies" / study.trainings[0].start.key(keys) / "weights.safetensors"
    there.parent.mkdir(parents=True)
    there.touch()
    asked.clear()
    execute.describe(planned, 2)
    assert len(asked) == 5


def test_a_study_of_photographs_asks_where_they_are():
    done = CliRunner().invoke(cli.app, ["study", "redesign-128"])
    assert done.exit_code == 1 and len(done.stderr.strip().splitlines()) == 1
    assert "redesign-128 is a study of photographs; say where they are: --data lspet:FOLDER" in done.stderr


@pytest.mark.parametrize("name", [name for name, found in DESIGNS.items() if found.data])
def test_other_studies_know_their_people(name, monkeypatch):
    asked = SimpleNamespace(data=None)

    def plan(study, data, seeds, **_):
        asked.data = data
        raise KeyboardInterrupt

    monkeypatch.setattr(execute, "plan", plan)
    assert CliRunner().invoke(cli.app, ["study", name]).exit_code == 130
    assert asked.data == "mannequins:5000"
