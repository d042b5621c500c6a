"""Verdicts on methods of attribution: a cascade in which it is known who fails."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import people
from scipy import stats

from posekit import HourglassConfig, crops
from posekit.engine.weights import Card
from posekit.interpret.attribution import judgement, sanity
from posekit.models.hourglass import Hourglass

CONFIG = HourglassConfig.narrow(8, joints=14, depth=2)
TOY = Card("toy", CONFIG.to_dict(), "lsp", 32, "cross-entropy")
LEVELS = ("head", "decoder", "stem")


def alike(**kept):
    """A dozen people's likenesses about `kept` by method, the same at each level."""
    spread = np.random.default_rng(0).normal(0, 0.05, 12)
    return {label: {level: mean + spread for level in LEVELS} for label, mean in kept.items()}


def test_the_cascade_finds_who_ignores_the_network(tmp_path):
    model = Hourglass(CONFIG).eval()
    stored = crops(people(range(9)), 40, tmp_path)
    cases = sanity.draw_cases(model, TOY, stored, people=6)
    ways = {"edges": sanity.edges, "saliency": sanity.by(TOY, "saliency")}
    maps, levels = {label: way(model, cases) for label, way in ways.items()}, sanity.cascade_levels(model)
    found, untaken = judgement.cascade(model, cases, ways, maps, levels)
    assert set(found) == {*ways, judgement.RANDOM_MAP} and set(untaken) == set(ways)
    assert all(np.allclose(by_level, 1) for by_level in found["edges"].values()) and np.allclose(untaken["edges"], 1)
    drawn = np.stack(list(found[judgement.RANDOM_MAP].values()))
    assert np.abs(drawn.mean()) < 0.2 and len(np.unique(drawn.round(9))) == drawn.size  # anew for each person and level
    said = judgement.judged(found, list(ways), list(levels))
    assert said["decided at"] == "decoder" and said["verdicts"]["edges"] == dict.fromkeys(levels, "fails")
    assert said["worst"]["method"] == "edges" and said["at"]["edges"]["mean"] == pytest.approx(1)


def test_who_fails_passes_and_stays_undecided():
    said = judgement.judged(alike(a=0.9, b=0.5, c=0.1, edges=1.0), ["a", "b", "c"], LEVELS)
    assert {label: said["verdicts"][label]["decoder"] for label in "abc"} == {"a": "fails", "b": "undecided", "c": "passes"}
    assert said["worst"]["method"] == "a", "a control is not among the methods"


def test_empty_maps_are_counted_at_the_level_that_decides():
    values = alike(a=0.9, b=0.5)
    values["b"]["decoder"][:3] = values["a"]["head"][:] = 0
    assert judgement.judged(values, ["a", "b"], LEVELS)["empty"] == {"a": 0, "b": 3}


def test_the_worst_method_has_the_interval_of_the_highest_of_many():
    values = alike(a=0.7, b=0.1, c=0.1)
    worst = judgement.judged(values, ["a", "b", "c"], LEVELS)["worst"]
    low, high = stats.ttest_1samp(values["a"]["decoder"], 0).confidence_interval(1 - 0.05 / 3)
    assert (worst["low"], worst["high"]) == (pytest.approx(low), pytest.approx(high))


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(-1, 1))
def test_a_verdict_needs_the_whole_interval(mean, half, limit):
    low, high = mean - half, mean + half
    said = judgement.cascade_verdict({"low": low, "high": high}, limit)
    assert (said == "fails") == (low > limit) and (said == "passes") == (high < limit)


def test_the_level_that_decides_is_the_last_stacks_decoder():
    assert judgement.decisive(["head of stack1", "decoder of stack1", "stem", "decoder of stack0"]) == "decoder of stack1"
    assert judgement.decisive(["conv2", "conv1"]) == "conv1"


def test_faults():
    better = {"a": {"deletion": {"low": 0.1}, "insertion": {"low": -1}}, "b": {"deletion": {"low": -0.1}, "insertion": {"low": 0}},
              "c": {"deletion": {"low": 0.2}, "insertion": {"low": 0.2}}}  # fmt: skip
    said = judgement.judged(alike(a=0.9, b=0.5, c=0.1), ["a", "b", "c"], LEVELS)
    assert judgement.faults(said, better, ["a", "b", "c"]) == {
        "a": ["fails the cascade"], "b": ["undecided in the cascade", "not clearly better than edges"], "c": [],
    }  # fmt: skip


def test_tests_and_leads_over_a_reference(tmp_path):
    curves = {"edges": np.linspace(1, 0.5, len(sanity.SHARES)) * np.ones((5, 1)), "good": np.zeros((5, len(sanity.SHARES)))}
    curves["good"][:, 0] = 1
    lead = judgement.ahead(curves, curves)
    assert set(lead) == {"good"} and lead["good"]["deletion"]["low"] > 0 > lead["good"]["insertion"]["high"]
    maps = np.zeros((5, 16, 16))
    maps[:, 4, 4] = 1
    cases = type("Cases", (), {"truth": np.full((5, 2), 4.0), "torsos": np.ones(5)})()
    across = {label: np.full(5, 0.3) for label in curves}
    found = judgement.tests(cases, dict.fromkeys(curves, maps), across, curves, curves, {"good": np.full(5, 0.25)})
    assert found["good"]["pointing"]["mean"] == 1 and found["good"]["on limbs"]["mean"] == 0.25 and "on limbs" not in found["edges"]
    assert found["good"]["deletion"]["mean"] < found["edges"]["deletion"]["mean"] and found["edges"]["other side"]["mean"] == pytest.approx(
        0.3
    )
    coarse = judgement.coarse(cases, {"sum1": maps, "code": np.zeros((5, 16, 16))}, maps)
    assert coarse["sum1"]["empty"] == 0 and coarse["code"]["empty"] == 1 and coarse["code"]["pointing"]["mean"] == 0
    assert coarse["sum1"]["like the answer"]["mean"] == pytest.approx(1)


def test_likeness_to_the_answer_is_of_what_the_network_sees():
    """What lies beside an input that is no square is the same in all maps, and would make them alike."""
    random = np.random.default_rng(0)
    maps, answer = np.zeros((2, 40, 32, 32))
    maps[..., 8:24], answer[..., 8:24] = random.random((2, 40, 32, 16))
    cases = type("Cases", (), {"truth": np.full((40, 2), 4.0), "torsos": np.ones(40)})()
    found, beside = (judgement.coarse(cases, {"sum1": maps}, answer, aspect=aspect)["sum1"]["like the answer"] for aspect in (0.5, 1.0))
    assert found["low"] < 0 < found["high"] and beside["low"] > 0.5
