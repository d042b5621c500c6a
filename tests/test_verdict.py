"""Verdicts side by side: which column is whose, and how numbers are said."""

import pytest

from posekit.workflow import runs
from posekit.workflow import words as verdict


@pytest.fixture
def kept(monkeypatch):
    asked = []

    def reference(notebook, preset):
        asked.append((notebook, preset))
        return {"verdicts": {"Found": "58 %", "Elsewhere": "a | b"}} if preset == "lspet" else None

    monkeypatch.setattr(runs, "reference", reference)
    return asked


def test_the_edition_of_mannequins_quotes_the_photographs(kept):
    table = verdict.side_by_side("03_skips", "mannequins:300,size=80", {"Found": "50 %", "Lost": "3"}).splitlines()
    assert kept == [("03_skips", "lspet")]
    assert table == [
        "| | mannequins | photographs |",
        "| --- | --- | --- |",
        "| Found | 50 % | 58 % |",
        "| Lost | 3 | not measured |",
        "| Elsewhere | not measured | a \\| b |",
    ]


def test_the_edition_of_photographs_stands_on_the_right(kept):
    table = verdict.side_by_side("03_skips", "lspet:somewhere@val", {"Found": "59 %"}).splitlines()
    assert kept == [("03_skips", "laptop")]
    assert table[2] == "| Found | not measured | 59 % |"


def test_numbers_are_said_with_their_intervals():
    block = {"mean": -0.0312, "low": -0.05, "high": 0.0001, "p": 0.04321, "kinds": 9}
    assert verdict.spoken(block, points=True) == "−3.12 [−5.00, +0.01] points"
    assert verdict.spoken({"mean": 0.5, "low": 0.25, "high": 0.75}) == "50.0 % [25.0, 75.0]"
    assert verdict.correlation(block) == "−0.03 [−0.05, 0.00], p = 0.043 over 9 kinds of joint"
    assert "cannot be measured" in verdict.correlation({"mean": None})
    assert verdict.spoken({"mean": float("nan"), "low": 0, "high": 0}) == "nothing to measure it on"


@pytest.mark.parametrize("ends", [None, float("nan")])
def test_a_number_without_an_interval_says_so(ends):
    block = {"mean": 0.0217, "low": ends, "high": ends}
    assert verdict.spoken(block, points=True) == "+2.2 points, without an interval"
    assert verdict.spoken(block) == "2.2 %, without an interval"
