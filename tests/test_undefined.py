"""A score that is not defined is not 0: it is None or NaN, drawn as a dash, and stops nothing."""

import dataclasses
import json
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planted import RECIPE, planted

from posekit import plots
from posekit.cli import terminal
from posekit.display import html as display
from posekit.engine import evaluation, weights
from posekit.engine.backend import Backend
from posekit.engine.learning import training
from posekit.engine.learning.fitting import fit
from posekit.models.hourglass import HourglassConfig
from posekit.skeleton import LSP
from posekit.workflow import sweep

CONFIG = HourglassConfig.narrow(8, joints=14, depth=2)
SHORT = dataclasses.replace(RECIPE, epochs=2)


def without(crops, *joints):
    """The same crops, of which some joints are not labelled."""
    people = crops.people
    keypoints = people.keypoints.copy()
    keypoints[:, LSP.index(*joints)] = (np.nan, np.nan, 0)
    inside = crops.keypoints.copy()
    inside[:, LSP.index(*joints)] = (np.nan, np.nan, 0)
    return dataclasses.replace(crops, people=dataclasses.replace(people, keypoints=keypoints), keypoints=inside)


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    torch.set_num_threads(1)
    return planted(tmp_path_factory.mktemp("crops"))


@pytest.mark.parametrize(
    "joints",
    [("left hip", "right hip"), ("left shoulder", "right shoulder"), ("left hip", "left shoulder"), LSP.joints],
    ids=["no hips", "no shoulders", "no diagonal", "nothing"],
)
def test_training_ends_well_where_nobody_of_validation_has_a_torso(crops, tmp_path, joints, capsys):
    people, judges = crops[0], without(crops[1], *joints)

    class Bars:
        def follow(self, *_):
            pass

    report = terminal.Report(Bars(), "cross-entropy", 64, 1.0)
    path = fit(CONFIG, SHORT, people, judges, tmp_path, backend=Backend.plain(), report=report)
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["pck"] for line in lines] == [None, None]
    told = capsys.readouterr().err
    assert "PCK@0.2·torso –" in told and "0.000" not in told and told.count("is not defined") == 1
    card = weights.load(path)[1]
    block = card.metrics["metrics"]["pck@0.2·torso"]
    assert block["mean"] is None and block["low"] is None and block["people"] == 0
    assert "–" in card._repr_html_() and "nan" not in card._repr_html_().lower()
    losses = [line["val_loss"] for line in lines]
    if len(joints) < 14:
        assert card.metrics["epoch"] == 1 + int(np.argmin(losses))  # chosen by the loss
    else:
        assert losses == [None, None] and lines[0]["val_peak"] is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.booleans())
def test_the_best_epoch(values, defined):
    best = {}
    lines = [{"epoch": i, "pck": value if defined else None, "val_loss": value} for i, value in enumerate(values)]
    for line in lines:
        best = line if training._is_better(line, best) else best
    assert best["val_loss"] == (max(values) if defined else min(values))


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_numbers_and_intervals(nothing):
    assert display.number(nothing) == display.number(nothing, "+.1f") == display.number(nothing, ".0%") == "–"
    assert display.interval({"mean": nothing, "low": nothing, "high": nothing}) == "–"
    assert display.interval({"mean": 0.5, "low": nothing, "high": nothing}) == "0.500"
    shown = display.scores({"metrics": {"pck": {"mean": nothing, "low": nothing, "high": nothing, "people": 0}}})
    assert shown == {"pck": "–, 0 people"}


def test_a_comparison_without_a_common_joint_is_a_dash():
    words = evaluation._against_words({"metric": "pck", "weights": "x", "own": math.nan, "joints": ["nose"], "mean": math.nan,
                                       "low": math.nan, "high": math.nan, "people": 0})  # fmt: skip
    assert "nan" not in words and words.count("–") == 4


@pytest.mark.parametrize("count", [1, 2])
def test_the_history_of_an_undefined_score_is_drawn(count):
    lines = [{"epoch": i, "loss": 0.1, "val_loss": None, "pck": None, "val_peak": None} for i in (1, 2)]
    figure = plots.history({str(i): lines for i in range(count)})
    figure.canvas.draw()
    plt.close(figure)


def test_a_sweep_keeps_what_is_not_defined():
    found = dict(sweep.numbers({"pck": {"mean": None, "low": None, "high": None, "people": 3}, "loss": None, "seconds": 3}))
    assert math.isnan(found["pck"]["mean"]) and found["seconds"] == {"mean": 3} and "pck / people" not in found
    assert sweep._said(found["pck"]) == "–" and sweep._said(sweep.over_seeds([math.nan, 0.5])) == "–"
