"""What all chapters' sentences share; and each chapter where numbers have no interval, as those of a single person."""

import importlib
import inspect
from math import nan

import pytest
from planted_words import without_intervals

from posekit.files import plain
from posekit.workflow.words import by_inner_name, comparable, number, percent, ranged, share, signed, spoken

CHAPTERS = ("skips", "stacks", "explanations", "comparison", "another_network", "causes", "trust", "audit")
OPEN = [{"mean": -0.254, "low": none, "high": none} for none in (None, nan)]
NOTHING = [{"mean": none, "low": none, "high": none} for none in (None, nan)]


@pytest.mark.parametrize("none", [None, nan])
def test_a_number_that_is_none_is_a_dash(none):
    assert number(none) == signed(none) == "–"


@pytest.mark.parametrize("block", OPEN)
def test_a_number_without_an_interval_says_so(block):
    assert ranged(block) == "−0.25 [no\u00a0interval]" and share(block) == "−25 % [no\u00a0interval]"
    assert ranged(percent(block), 1) == "−25.4 [no\u00a0interval]"
    assert spoken(block) == "-25.4 %, without an interval" and spoken(block, points=True) == "−25.4 points, without an interval"


def test_an_end_that_would_round_to_0_shows_its_side():
    assert spoken({"mean": -0.0048, "low": -0.0094, "high": -0.0002}, points=True) == "−0.48 [−0.94, −0.02] points"
    assert spoken({"mean": 0.004, "low": 0.0, "high": 0.009}, points=True) == "+0.4 [0.0, +0.9] points"
    assert ranged({"mean": -0.035, "low": -0.065, "high": -0.004}) == "−0.035 [−0.065,\u00a0−0.004]"
    assert ranged({"mean": 0.02, "low": 0.003, "high": 0.05}) == "0.02 [0.00,\u00a00.05]", "a share has one side alone"


@pytest.mark.parametrize("block", NOTHING)
def test_what_was_not_measured_has_no_interval_either(block):
    assert ranged(block) == share(block) == "–" and spoken(block) == "nothing to measure it on"


def test_nothing_lies_above_or_below_an_interval_that_is_none():
    found = comparable({"one": [{"mean": 1.0, "low": None, "high": None}], "matrix": {"low": [[None]]}, "none": None})
    block = found["one"][0]
    assert not block["low"] > 0 and not block["high"] < 2 and found["matrix"] == {"low": [[None]]} and found["none"] is None


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_says_what_has_no_interval(chapter):
    """All of its sentences, where any one of its intervals is missing, or all are."""
    tests = importlib.import_module(f"test_words_{chapter}")
    metrics = list(without_intervals(plain(tests.planted())))
    assert len(metrics) > 5
    told = []
    for found in metrics:
        for function in (tests.words.sentences, tests.words.verdicts):
            asked = ["mannequins"] if "data" in inspect.signature(function).parameters else []
            said = " ".join(function(found, *asked).values())
            assert "None" not in said.replace("None.", "") and " nan" not in said and "[nan" not in said
            told.append(said)
    assert "without an interval" in told[0] or "[no\u00a0interval]" in told[0]


@pytest.mark.parametrize(
    ("names", "inner"),
    [
        (["stack0.skip1", "stack0.sum1"], ["skip1", "sum1"]),
        (["stack0.skip1", "stack1.skip1"], ["stack0.skip1", "stack1.skip1"]),
        (["net.backbone.layer1", "net.backbone.layer2.0", "net.head"], ["backbone.layer1", "backbone.layer2.0", "head"]),
        (["encoder1", "encoder10"], ["encoder1", "encoder10"]),
        ([], []),
    ],
)  # fmt: skip
def test_inner_names_leave_out_what_leads_all_of_them(names, inner):
    assert by_inner_name({name: name for name in names}) == dict(zip(inner, names, strict=True))
