"""What 03_skips says, by planted metrics: every branch. Of its study: test_words_studies.py."""

import copy

import pytest

from posekit.workflow.words import skips as words

MISSING = {"study": "skips", "trainings": 12, "missing": {"no skips": [0, 1, 2]}, "kept": 0, "seeds": [0, 1, 2], "source": "lspet",
           "variants": {"no skips": {"seeds": []}}}  # fmt: skip


def block(mean, change=0.0, half=0.01):
    changed = {"mean": change, "low": change - half, "high": change + half}
    return {"mean": mean, "low": mean - 0.02, "high": mean + 0.02, "change": changed}


def correlation(mean, half=0.1, p=0.01):
    return {"mean": mean, "low": mean - half, "high": mean + half, "p": p, "kinds": 8}


def ways(change, whole=0.6, zero=-0.02):
    return {way: block(whole + d, d) for way, d in (("zero", change + zero), ("the mean", change), ("another person's", change - 0.05))}


def planted(**changes):
    small = {"finest level at its mean": correlation(-0.8), "all levels at their mean": correlation(0.1, 0.5)}
    kinds = {"wrist": {"mean": -0.1, "low": -0.12, "high": -0.08}, "hip": {"mean": 0.0, "low": -0.01, "high": 0.01}}
    metrics = {
        "network": "net", "people": 640, "cells": "16 × 16", "level names": {"all": "all levels", "skip1": "level 1", "skip2": "level 2"},
        "intact": block(0.6), "levels": {"skip1": ways(-0.05), "skip2": ways(-0.02), "all": ways(-0.4)}, "bottleneck": ways(-0.1),
        "twins": None, "study": MISSING,
        "kinds": {"level 1": kinds, "all levels": kinds}, "small joints": dict.fromkeys(("absolute", "relative", "at 0.1·torso"), small),
    }  # fmt: skip
    return metrics | changes


def said(**changes):
    return words.sentences(planted(**changes), "mannequins")


def with_all(change, half=0.01):
    levels = copy.deepcopy(planted()["levels"])
    levels["all"]["the mean"] = block(0.6 + change, change, half)
    return said(levels=levels)


@pytest.mark.parametrize(
    ("change", "half", "text"),
    [
        (-0.4, 0.01, "**A trained network depends on its skip connections**: with all of them at their means over other people, it "
                     "finds 33 % as many"),
        (-0.1, 0.01, "**A trained network does not depend on its skip connections alone**"),
        (-0.01, 0.05, "**Undecided**"),
    ],
)  # fmt: skip
def test_the_answer(change, half, text):
    assert with_all(change, half)["answer"].startswith(text)


def test_the_answer_still_finds_a_share():
    assert "still finds 83 % as many" in with_all(-0.1)["answer"]


def test_levels():
    text = said()["levels"]
    assert "most at level 1 (−5.0 [" in text and "least at level 2 (−2.0 [" in text and "single levels add up to −7.0 points" in text
    assert "where it costs 2.0 points more" in text and "partly redundant" in text
    levels = {"skip1": ways(-0.3, zero=0.03), "all": ways(-0.3)}
    text = said(levels=levels)["levels"]
    assert "where it costs 3.0 points less" in text and "redundant" not in text


def test_the_bottleneck():
    assert "changes by −10.0 [−11.0, −9.0] points. The network therefore takes information from its bottleneck" in said()["bottleneck"]
    assert said()["bottleneck"].endswith("but loses more without the latter.")
    assert said(bottleneck=ways(-0.5))["bottleneck"].endswith("that it does not take from the skip connections.")
    assert said(bottleneck=ways(0.0))["bottleneck"].endswith("It is not shown that the network needs its bottleneck.")


def test_joints():
    assert "the wrist loses most, −10.0" in said()["joints"] and "For 1 of 2 kinds of joint the interval" in said()["joints"]
    assert "is trained without" not in said()["joints"]
    kinds = planted()["kinds"] | {words.TRAINED_WITHOUT: planted()["kinds"]["level 1"]}
    both = said(kinds=kinds, twins=twins())
    assert "is trained without any skip connections, the wrist loses most" in both["joints"] and not said()["retrained"]
    assert both["retrained"] == " The column *trained without* is the difference of bare, which has no skip connections, from one."


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (correlation(-0.8), "holds"),
        (correlation(-0.8, p=0.2), "has the claimed sign, but with so few kinds of joint this may be chance"),
        (correlation(0.8), "is reversed: large joints lose more"),
        (correlation(0.8, p=0.2), "has the opposite sign, but with so few kinds of joint this may be chance"),
        (correlation(0.0), "cannot be distinguished from chance"),
        (dict.fromkeys(("mean", "low", "high", "p")) | {"kinds": 2}, "cannot be tested"),
    ],
)
def test_small_joints(found, text):
    assert words.judged(found) == text
    small = {"finest level at its mean": found}
    metrics = planted(**{"small joints": dict.fromkeys(("absolute", "relative", "at 0.1·torso"), small)})
    assert f"With the finest level at its mean, {words.subject(found)} {text}." in words.small(metrics)
    assert words.verdicts(metrics)["Small joints lose most, finest level"].startswith(text)


def twins(**changes):
    found = {"names": ["one", "bare"], "with": block(0.35), "without": block(0.18, -0.17), "differences": [], "numbers": 88,
             "ablated": {way: block(0.08, -0.27) for way in ("zero", "the mean", "another person's")},
             "parameters": [464918, 362134]}  # fmt: skip
    return found | changes


def test_one_network_ablated_and_retrained():
    text = said(twins=twins())["twins"]
    assert "trained by the same recipe on the same people" in text and "recovers 37 % of the points lost by ablation" in text
    assert "over people and not over trainings" in text
    table = words.verdicts(planted(twins=twins()))
    assert table["Two networks alike but for skips"] == "one and bare"
    assert table["Change of the second: trained without"] == "−17.0 [−18.0, −16.0] points"
    assert "with differences (epochs 3 and 4)" in said(twins=twins(differences=["epochs 3 and 4"]))["twins"]
    assert "recovers nothing" in said(twins=twins(without=block(0.05, -0.3)))["twins"]
    harmless = {way: block(0.36, 0.01) for way in twins()["ablated"]}
    assert "recovers" not in said(twins=twins(ablated=harmless))["twins"]


def test_an_edition_without_such_a_pair_says_where_it_is():
    assert "no pair of networks that differ" in said()["twins"] and "Two networks alike but for skips" not in words.verdicts(planted())


def test_the_rest():
    found = said()
    assert "finds 60.0 % [58.0, 62.0] of the joints" in found["blunt"] and found["cells"] == "16 × 16"
    assert "are missing**" in found["study"] and found["table"].startswith("| | mannequins")
