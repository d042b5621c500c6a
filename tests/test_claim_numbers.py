"""Claims' numbers: their intervals, what a number without one decides, and how they are said."""

from dataclasses import replace
from math import hypot

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posekit.workflow import claims
from posekit.workflow.words import claims as say


def one(**changes):
    return replace(claims.Claim("skips", "one", "One", "One holds.", "study", "03_skips", measure="one", metric=["a"]), **changes)


def block(mean, low, high, **more):
    return {"mean": mean, "low": low, "high": high, **more}


numbers = st.floats(-10, 10)
widths = st.floats(0.001, 5)


@given(numbers, numbers, widths, widths, widths, widths)
def test_a_difference_has_the_distances_to_the_bounds_in_quadrature(a, b, a_down, a_up, b_down, b_up):
    claim = one(minus=["b"], rule=claims.Rule(above=0))
    number = claims.decide(claim, {"a": block(a, a - a_down, a + a_up), "b": block(b, b - b_down, b + b_up)}).number
    assert number.mean == pytest.approx(a - b, abs=1e-9)
    assert number.mean - number.low == pytest.approx(hypot(a_down, b_up), abs=1e-9)
    assert number.high - number.mean == pytest.approx(hypot(a_up, b_down), abs=1e-9)


@given(st.floats(1, 10), st.floats(1, 10), st.floats(0.001, 0.01), st.floats(0.001, 0.01))
def test_narrow_intervals_of_a_ratio_are_those_of_its_logarithm(a, b, a_half, b_half):
    claim = one(over=["b"], rule=claims.Rule(above=0))
    number = claims.decide(claim, {"a": block(a, a - a_half, a + a_half), "b": block(b, b - b_half, b + b_half)}).number
    assert number.mean == pytest.approx(a / b)
    assert (number.high - number.low) / 2 / number.mean == pytest.approx(hypot(a_half / a, b_half / b), rel=1e-6)


def test_a_ratio_to_nothing_is_not_measured():
    verdict = claims.decide(one(over=["b"], rule=claims.Rule(above=0)), {"a": 1, "b": 0})
    assert verdict.verdict == "not measured" and "nothing to compare with" in verdict.why


def test_without_its_sign_an_interval_around_zero_begins_at_zero():
    claim = one(absolute=True, rule=claims.Rule(above=0.1))
    assert claims.decide(claim, {"a": block(-0.3, -0.4, -0.2)}).number == claims.Estimate(0.3, 0.2, 0.4)
    assert claims.decide(claim, {"a": block(-0.1, -0.4, 0.2)}).number == claims.Estimate(0.1, 0, 0.4)


def test_what_chance_may_do_as_often_is_undecided():
    claim = one(rule=claims.Rule(below=0, p=0.05))
    assert claims.decide(claim, {"a": block(-0.5, -0.6, -0.4, p=0.04)}).verdict == "supported"
    assert claims.decide(claim, {"a": block(-0.5, -0.6, -0.4, p=0.05)}).verdict == "undecided"


def test_a_rule_on_chance_decides_nothing_where_the_metric_does_not_say_it():
    rule = claims.Rule(below=0, p=0.05)
    verdict = claims.decide(one(rule=rule), {"a": block(-1, -2, -0.5)})
    assert (verdict.verdict, verdict.why) == ("not measured", "03_skips has no p for a")
    assert claims._ruled(rule, claims.Estimate(-1, -2, -0.5), None) == "not measured"


@pytest.mark.parametrize("ends", [None, float("nan")])
@pytest.mark.parametrize("mean", [-0.5, 0.5])
@pytest.mark.parametrize(
    "rule", [claims.Rule(below=0), claims.Rule(above=0), claims.Rule(above=0.2, margin=0.01), claims.Rule(above=0, p=0.05)]
)
@pytest.mark.parametrize("more", [{}, {"absolute": True}, {"times": 2.0}, {"minus": ["b"]}, {"over": ["b"]}])
def test_a_number_without_an_interval_decides_nothing(mean, ends, rule, more):
    verdict = claims.decide(one(rule=rule, unit="points", **more), {"a": block(mean, ends, ends, p=0.01), "b": block(1, 0.9, 1.1)})
    assert verdict.verdict == "undecided" and verdict.number.mean == verdict.number.mean
    assert "without an interval" in say.measured(one(rule=rule, unit="points"), verdict)


def test_a_lead_without_an_interval_decides_nothing():
    claim = one(rule=claims.Rule(equals=2, sure=["b"]))
    assert claims.decide(claim, {"a": 2, "b": block(0.5, None, None)}).verdict == "undecided"


def test_what_a_run_could_not_measure_is_said():
    verdict = claims.decide(one(rule=claims.Rule(below=0)), {"a": block(None, None, None)})
    assert (verdict.verdict, verdict.why) == ("not measured", "03_skips could not measure a")


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (claims.Estimate(-0.0364, -0.0441, 0.0001), "points", "−3.6 [−4.4, 0.0] points"),
        (claims.Estimate(0.254, 0.2, 0.3), "%", "25.4 % [20.0, 30.0]"),
        (claims.Estimate(-0.55, -0.78, -0.2), "", "−0.55 [−0.78, −0.20]"),
        (claims.Estimate(0.2044, 0.1991, 0.2105), "", "0.204 [0.199, 0.210]"),
        (claims.Estimate(12, 12, 12), "components", "12 components"),
        (claims.Estimate(0.0376, 0.0376, 0.0376), "", "0.0376"),
        (claims.Estimate(1234.5, 1000, 2000), "", "1,234 [1,000, 2,000]"),
    ],
)
def test_numbers_are_said_in_their_unit(number, unit, text):
    claim = one(unit=unit, rule=claims.Rule(above=0))
    assert say.measured(claim, claims.Verdict("undecided", number=number, data="mannequins")) == text
    assert say.measured(claim, claims.Verdict("undecided", number=number, data="lspet")) == text
    counted = claims.Verdict("undecided", number=replace(number, people=1639), data="lspet")
    assert say.measured(claim, counted) == f"{text}; 1,639 photographed people"
    assert say.measured(replace(claim, cases="pairs of mannequins"), counted) == f"{text}; 1,639 pairs of mannequins"


@pytest.mark.parametrize(
    ("rule", "unit", "text"),
    [
        (claims.Rule(above=0.075), "%", "above 7.5 %"),
        (claims.Rule(below=0), "points", "below 0"),
        (claims.Rule(above=-0.05), "%", "above −5 %"),
        (claims.Rule(above=8), "GB", "above 8 GB"),
        (claims.Rule(below=0, p=0.05), "", "below 0 with p below 0.05"),
        (claims.Rule(equals=2, sure=["lead"]), "clusters", "at 2 clusters, if ahead of the next"),
    ],
)
def test_rules_are_said_in_words(rule, unit, text):
    assert say.threshold(one(rule=rule, unit=unit)) == text
