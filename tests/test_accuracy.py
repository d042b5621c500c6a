"""Time to accuracy: two ways of training followed until they are there, or until the time is over."""

import math

import pytest

import posekit
from posekit.cli.hardware import bench
from posekit.engine.backend import Backend
from posekit.errors import PosekitError
from posekit.studies import accuracy
from posekit.studies.accuracy import Way
from posekit.workflow.words import bench as words

TINY = posekit.Recipe(resolution=32, epochs=2, batch=8)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return posekit.load_people("mannequins:24,size=40@all", cache=tmp_path_factory.mktemp("people"))


@pytest.fixture
def follow(people, tmp_path):
    def call(*stages, folder="way", **settings):
        config = posekit.HourglassConfig.narrow(8, joints=len(people.skeleton), depth=1)
        return accuracy.follow(Way("a way", stages, Backend.plain()), config, people, tmp_path / folder, cache=tmp_path, **settings)

    return call


def test_without_reaching_a_target_every_epoch_of_every_stage_is_there(follow):
    found = follow(TINY, posekit.Recipe(resolution=16, epochs=1, batch=8), targets=(2.0,))
    assert [line["epoch"] for line in found["lines"]] == [1, 2, 1]
    seconds = [line["seconds"] for line in found["lines"]]
    assert seconds == sorted(seconds) and 0 < seconds[0] and found["seconds"] >= seconds[-1] - 0.1


def test_it_ends_with_the_first_epoch_at_the_last_target(follow):
    assert len(follow(TINY, targets=(0.0,))["lines"]) == 1


def test_no_more_time_is_spent_than_the_limit_allows(follow):
    found = follow(TINY, targets=(2.0,), limit=1e-9)
    assert not found["lines"] and found["seconds"] > 0  # the first step is the last


def test_an_interrupted_one_goes_on_with_its_time(follow):
    whole = follow(TINY, targets=(2.0,), folder="whole")

    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(TINY, targets=(2.0,), folder="halves", report=interrupt)
    halves = follow(TINY, targets=(2.0,), folder="halves")
    assert [line["pck"] for line in halves["lines"]] == [line["pck"] for line in whole["lines"]]
    again = follow(TINY, targets=(2.0,), folder="halves")
    assert again["lines"] == halves["lines"] and again["seconds"] > halves["seconds"] > 0


def test_both_ways_train_the_same_network(people, tmp_path):
    config = posekit.HourglassConfig.narrow(8, joints=len(people.skeleton), depth=1)
    pair = Way("ours", (TINY,), Backend.plain()), Way("theirs", (posekit.Recipe(32, 50, batch=8, loss="mse"),), Backend.plain())
    found = accuracy.compare(people, tmp_path / "ways", config=config, targets=(0.0, 0.0), pair=pair, cache=tmp_path)
    assert list(found["ways"]) == ["ours", "theirs"] and found["people"] == len(people.split("train"))
    with pytest.raises(PosekitError, match="before 2: there is nothing to compare with"):
        accuracy.compare(people, tmp_path / "more", config=config, targets=(2.0,), pair=pair, cache=tmp_path)
    with pytest.raises(PosekitError, match="val is missing"):
        accuracy.compare(people.split("train"), tmp_path / "less", config=config, pair=pair, cache=tmp_path)


def test_the_public_way_is_newells():
    ours, theirs = accuracy.ways(Backend.plain())
    (recipe,) = theirs.stages
    assert (recipe.resolution, recipe.loss, recipe.optimiser, recipe.lr, recipe.clip) == (256, "mse", "rmsprop", 2.5e-4, math.inf)
    assert not (theirs.backend.bf16 or theirs.backend.channels_last)
    assert [stage.resolution for stage in ours.stages] == [64, 128, 192]


LINES = [{"resolution": 64, "epoch": 1, "seconds": 60.0, "pck": 0.3}, {"resolution": 64, "epoch": 2, "seconds": 120.0, "pck": 0.6}]
SLOW = [{"resolution": 256, "epoch": 1, "seconds": 600.0, "pck": 0.1}, {"resolution": 256, "epoch": 2, "seconds": 900.0, "pck": 0.45}]
OURS, PUBLIC = [{"resolution": 64, "sigma": 0.7}, {"resolution": 128, "sigma": 0.7}], {"resolution": 256, "lr": 2.5e-4, "batch": 6}
FOUND = {"targets": [0.2, 0.4, 0.5], "people": 5512, "validated": 500, "parameters": 970_000,
         "processor": "a processor", "machine": "1 thread", "torch": "2.13.0",
         "ways": {"ours": {"stages": OURS, "lines": LINES, "seconds": 120.0},
                  "theirs": {"stages": [PUBLIC], "lines": SLOW, "seconds": 960.0}}}  # fmt: skip


def test_minutes_and_ratios():
    head, ours, theirs, sooner = words.accuracy_cells(FOUND)
    assert head == ["", "to 20 %", "to 40 %", "to 50 %"]
    assert ours == ["ours", "1.0 min", "2.0 min", "2.0 min"]
    assert theirs == ["theirs", "15.0 min", "15.0 min", "more than 16 min"]
    assert sooner == ["speed-up", "15.0×", "7.5×", "more than 8.0×"]
    said = words.accuracy(FOUND)
    assert said["end"] == "after its last whole epoch it found 45.0 %" and said["table"].splitlines()[1] == "| --- | ---: | ---: | ---: |"
    assert (said["sizes"], said["cells"], said["public_rate"], said["public_batch"]) == ("64, then 128", "0.7", "0.00025", "6")
    assert said["taken"] == "16 minutes, 8.0 times the length of the other training"
    early = FOUND | {"ways": FOUND["ways"] | {"theirs": {"stages": [PUBLIC], "lines": [], "seconds": 100.0}}}
    assert words.accuracy(early)["end"] == "its first epoch was not over by then"
    assert words.accuracy_cells(early)[-1] == ["speed-up", "more than 1.7×", "–", "–"]
    assert bench.accuracy_table(FOUND).row_count == 3
