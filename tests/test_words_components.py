"""What 05_components says, by planted metrics: every branch."""

import copy
import json
from pathlib import Path

import pytest

from posekit.workflow import claims
from posekit.workflow.words import claims as ledger
from posekit.workflow.words import components as words

ROOT = Path(__file__).parents[1]


def block(mean, change=0.0, half=0.002):
    changed = {"mean": change, "low": change - half, "high": change + half, "people": 400}
    return {"mean": mean, "low": mean - 0.02, "high": mean + 0.02, "change": changed, "relative": changed}


def cut(changes, whole=0.6, random=0.3, mean_code=0.2):
    found = {k: block(whole + c, c) for k, c in changes.items()}
    return {
        "whole": {"mean": whole, "low": whole - 0.02, "high": whole + 0.02},
        "mean code": block(mean_code, mean_code - whole),
        "components": found,
        "random directions": {k: block(random) | {"behind": block(0, random - whole - c)["change"]} for k, c in changes.items()},
    }


def planted(**changes):
    size = {"mean": 40.0, "low": 38.0, "high": 42.0}
    metrics = {
        "network": "net", "hook_point": "stack0.bottleneck1", "dimensions": 1152, "people": 2000, "rendered": False,
        "seen": "none of whom is in the training split", "permutations": 20,
        "sizes": {"needed for 95 %": size, "participation ratio": size, "above the noise floor": size},
        "shares": {"needed": 0.31, "above": 0.7}, "stability": {"cosines": [0.99, 0.7, 0.95], "chance cosines": [0.1, 0.1, 0.1]},
        "cut": {"people": 400, "scored": 400, "fitted on": 1600, "skips intact": cut({1: -0.1, 50: 0.0, 300: 0.0}),
                "skips mean": cut({1: -0.3, 50: -0.08, 200: 0.0, 300: 0.0})},
        "gains": {"to": 200, "attributes": {"lean": {"mean": 0.1, "low": 0.05, "high": 0.15},
                                            "facing": {"mean": 0.02, "low": 0.01, "high": 0.03},
                                            "sitting": {"mean": 0.0, "low": -0.1, "high": 0.1}}},
    }  # fmt: skip
    return metrics | changes


def with_change(change, half=0.002):
    metrics = copy.deepcopy(planted())
    metrics["cut"]["skips mean"]["components"][50] = block(0.5, change, half)
    return metrics


@pytest.mark.parametrize(
    ("change", "half", "said"),
    [
        (
            -0.12,
            0.002,
            "**They are not noise**: with the code cut to 50 components and the skip connections at their mean, the network finds 12.0 %",
        ),
        (0.0, 0.002, "**For the network, they are noise**"),
        (-0.05, 0.005, "**Undecided**"),
    ],
)
def test_the_answer_is_that_of_the_ledger(change, half, said):
    metrics = with_change(change, half)
    assert words.sentences(metrics)["answer"].startswith(said)
    claim = next(claim for claim in claims.read(ROOT / "book" / "claims.yaml") if claim.id == "components-noise")
    assert claim.rule.above == -words.MARGIN and claim.metric == ["cut", words.DECIDES, "components", str(words.NOISE), "relative"]
    verdict = claims.decide(claim, json.loads(json.dumps(metrics))).verdict
    assert {"supported": "are noise", "not supported": "not noise", "undecided": "Undecided"}[verdict] in said


@pytest.mark.parametrize("change", [-0.12, 0.0])
def test_a_network_that_uses_little_of_its_code_decides_nothing(change):
    metrics = with_change(change)
    metrics["cut"]["skips mean"]["mean code"] = block(0.45, -0.15)
    said = words.sentences(metrics)["answer"]
    assert said.startswith("**Undecided**") and said.endswith(
        "with the mean code for everybody it still finds 75 % of them: it uses too little of its code here to tell."
    )
    claim = next(claim for claim in claims.read(ROOT / "book" / "claims.yaml") if claim.id == "components-noise")
    verdict = claims.decide(claim, json.loads(json.dumps(metrics)))
    assert claim.needs.below == -words.MATTERS and verdict.verdict == "undecided" and verdict.why == claim.needs.lacking
    assert f"; {verdict.why}" in ledger.measured(claim, verdict)
    assert ledger.brief(claim, {"mannequins": verdict}).endswith(f" on mannequins (undecided: {verdict.why})")


def test_codes_of_few_dimensions_are_not_judged():
    metrics = planted(cut={"people": 20, "scored": 20, "fitted on": 20} | dict.fromkeys(words.TREATMENTS, cut({1: -0.1, 19: 0.0})))
    assert "fewer than 50 components" in words.sentences(metrics)["answer"]
    assert words.verdicts(metrics)["With the code cut to 50 components, skips intact, the network finds"] == "not measured here"


def test_the_fewest_components_that_lose_nothing_are_named():
    said = words.cut(planted(), "skips mean")
    assert said == (
        "With the skip connections at their mean, PCK is 60.0 % [58.0, 62.0] with the whole code, and 20.0 % [18.0, 22.0] if everybody "
        "has the mean code, a change of −40.0 [−40.2, −39.8] points, about the most that cutting can cost. 200 components are the fewest "
        "tried with which a loss of 5 % of the joints is excluded. Components keep more than random directions: PCK is 60.0 % [58.0, 62.0] "
        "with 200 of them and 30.0 % [28.0, 32.0] with as many random directions, a difference of +30.0 [+29.8, +30.2] points."
    )


def test_a_cut_that_always_loses_and_is_no_better_than_chance():
    metrics = planted(cut={"people": 9, "scored": 9, "fitted on": 9, "skips mean": cut({"5": -0.3, "50": -0.2}, random=0.45)})
    said = words.cut(metrics, "skips mean")
    assert "not even that of all 50 components" in said
    assert said.endswith("Equally many random directions are not shown to be worse.")


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        (
            None,
            "From 50 to 200 components, probes still gain for *lean* and *facing*. The largest gain in R², 0.10 [",
        ),
        (
            {"to": 200, "attributes": {"lean": {"mean": 0.1, "low": -0.1, "high": 0.3}}},
            "From 50 to 200 components no probe gains significantly.",
        ),
        ({"to": 20, "attributes": {}}, "Whether probes gain beyond 50 components cannot be tested with so few people."),
    ],
)
def test_gains_of_probes(gains, said):
    assert words.gains(planted(**({"gains": gains} if gains else {}))).startswith(said)


@pytest.mark.parametrize(
    ("cosines", "said"),
    [
        (
            [0.95, 0.899, 0.9],
            "on 2 of the first 3 components: 1 and 3. For component 3 the mean |cos| is 0.90, against 0.10 for random directions.",
        ),
        ([0.899, 0.5, 0.4], "The two halves agree on none of the first 3 components; for the first, the mean |cos| is 0.90."),
    ],
)
def test_stable_components(cosines, said):
    metrics = planted(stability={"cosines": cosines, "chance cosines": [0.1, 0.1, 0.1]})
    assert words.sentences(metrics)["stable"].endswith(said)
    table = words.verdicts(metrics)
    assert table["Components on which halves agree (cosine of at least 0.9)"] == f"{sum(c >= 0.9 for c in cosines)} of 3"
    assert table["Components for 95 % of the variance"] == "40 [38,\u00a042] of 1,152"


def test_changes_of_the_number_of_joints():
    assert words.more_or_fewer({"mean": -0.079, "low": -0.101, "high": -0.058}) == "7.9 % [5.8,\u00a010.1] fewer joints"
    assert words.more_or_fewer({"mean": 0.01, "low": -0.02, "high": 0.04}) == "1.0 % [−2.0,\u00a04.0] more joints"
    assert words.more_or_fewer({"mean": -0.5, "low": float("nan"), "high": float("nan")}) == "50.0 % fewer joints, without an interval"
