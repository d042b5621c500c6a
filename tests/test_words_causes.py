"""What 12_causes says, by planted metrics: every branch."""

import copy

import pytest

from posekit.interpret.activations.patching import NEAR
from posekit.workflow.words import causes as words

PARTS = ["skip1", "skip2", "all skips", "code"]
NOTHING = {"mean": None, "low": None, "high": None}


def block(mean, half=0.05):
    return {"mean": mean, "low": mean - half, "high": mean + half}


def landed(follow, elsewhere=0.05):
    return {"A": block(1 - follow - elsewhere), "B": block(follow), "elsewhere": block(elsewhere)}


def features(more=0.1, least=0.7, areas=(0.8, None, 0.9)):
    kinds = ("sparse autoencoder", "principal components", "NMF")
    stable = {"mean": 0.75, "least": least, "most": 0.8, "chance": 0.6}
    return {
        "cells": 1000, "joints": ["nose", "neck", "hip"], "explained": dict.fromkeys(kinds, 0.8), "dead": 0.25,
        "stability": dict.fromkeys(kinds, stable), "areas": {kind: list(areas) for kind in kinds}, "more": block(more),
    }  # fmt: skip


def by_epoch(*to_last, other=0.5, bare=0.1):
    """CKA with the last epoch of the untrained network and of epochs 1, 2, ..., and of the other seed, whose with the first is `bare`."""
    names = ["untrained", *(f"epoch {i}" for i in range(1, len(to_last) + 1)), "epoch 9, another seed"]
    names[len(to_last)] = "epoch 9"
    table = [[None] * len(names) for _ in names]
    table[len(to_last)] = [*to_last, 1, other]
    table[0][-1] = bare
    return {"names": names, "table": table, "count": 9, "people": 120}


def removed(more):
    """Without one joint's atom."""
    names = ("its joint", "more than others", "more than a random direction")
    return {joint: dict.fromkeys(names, block(more)) for joint in ("left wrist", "mean of these")}


def planted(**changes):
    shares = {"skip1": block(0.4), "skip2": block(0.2), "all skips": block(0.9), "code": block(0.1)}
    metrics = {
        "network": "net", "source": "mannequins", "pairs": 24, "readers": 240, "controls": 20, "atoms": 256, "active": 8, "parts": PARTS,
        "arm": {"pairs": 20, "skips": ["skip1", "skip2"],
                "lands": {part: landed(b["mean"]) for part, b in shares.items()}, "code over skips": block(-0.8)},
        "share": {factor: dict(shares) for factor in words.FACTORS}, "sides": block(-0.6),
        "nuisance": {"light": block(0.02, 0.01), "clothing": block(0.01, 0.005)},
        "groups": {f"skip1, channels {i} to {i + 7}": dict.fromkeys(("follow", "toward", "aside"), block(i / 100, 0.0)) for i in (0, 8)},
        "between": {part: landed(b["mean"], 0.08 if part != "skip2" else 0.3) for part, b in shares.items()},
        "used": {"left arm": block(0.1) | {"part": "code", "r2": 0.6}, "heading": block(0.8) | {"part": "skip1", "r2": 0.4},
                 "sides": block(0.1) | {"part": "skip1", "r2": 0.02}},
        "heading": {"component": 3, "r": -0.61, "own": block(0.2) | {"p": 0.01}, "carried": {"the whole code": block(0.3)}},
        "features": {"stack0.skip1": features()}, "removed": removed(0.2),
        "cka": {"names": ["net", "other", "third", "untrained"], "trained": {"net": ("lspet", 128), "other": ("mine", 64)},
                "table": [[1, 0.8, 0.3, 0.1], [0.8, 1, 0.4, 0.2], [0.3, 0.4, 1, None], [0.1, 0.2, None, 1]]},
        "epochs": by_epoch(0.1, 0.4, 0.7),
    }  # fmt: skip
    return copy.deepcopy(metrics) | changes


def said(**changes):
    return words.sentences(planted(**changes), "mannequins")


def with_arm(over, **lands):
    found = planted()["arm"]
    return found | {"code over skips": over, "lands": found["lands"] | lands}


@pytest.mark.parametrize(
    ("over", "text"),
    [
        (block(-0.8), "travels through the skip connections**: with those of another rendered picture patched in, 90 % [85,\u00a095]"),
        (block(0.8), "travels through the code**: with that of another picture patched in, 10 % [5,\u00a015]"),
        (block(0.0), "is undecided**: with the code replaced by that of another picture patched in, 10 %"),
        (None, "**What the code carries of an arm's position**: with that of another picture patched in, 10 %"),
    ],
)
def test_the_answer_has_one_number(over, text):
    answer = said(arm=with_arm(over))["answer"]
    assert text in answer and answer.count("%") == 1


def test_where_no_arm_moves_that_is_the_answer():
    nothing = dict.fromkeys(("A", "B", "elsewhere"), NOTHING)
    found = said(arm=with_arm(NOTHING, **dict.fromkeys(PARTS, nothing)))
    assert "predicts the same wherever the arm is" in found["answer"] and "nothing can be concluded" in found["arm"]
    assert "An arm's position travels through | cannot be told" in found["table"]


def test_the_arm():
    text = said()["arm"]
    assert (
        "In 20 pairs" in text
        and "far enough apart" not in text
        and "skip1 has the largest effect: 40 %" in text
        and "With all skip connections patched, 90 %" in text
    )
    assert "With the code patched, 10 %" in text and "larger effect than the sum" in text and "elsewhere" not in text
    text = said(arm=with_arm(block(-0.8), skip2=landed(0.5, 0.4)))["arm"]
    assert "Joints land elsewhere most often when skip2 is patched: 40 %" in text and "sum" not in text
    assert "skip1 has the largest" in said(arm=with_arm(block(-0.8), **{"hand-over of stack 1": landed(1.0, 0)}))["arm"]
    bare = {"pairs": 20, "lands": {"code": landed(0.5)}, "code over skips": None}
    assert "all skip" not in said(arm=bare)["arm"]
    skips = {"pairs": 20, "skips": ["skip1"], "lands": {"skip1": landed(0.5), "all skips": landed(0.5)}, "code over skips": None}
    assert "the code" not in said(arm=skips)["arm"]


def test_how_many_pairs_a_share_rests_on():
    assert said()["joints"] == ""  # of a run that did not keep it
    found = said(judged={"left arm": 17, "sides": 40}, least=5, **{"judged joints": {"nose": 4, "neck": 9, "hip": 5}})
    assert (
        "In 17 of them the two predictions are far enough apart." in found["arm"]
        and "10 % [5,\u00a015] of joints in 40 pairs" in found["sides"]
    )
    assert found["joints"].startswith(
        "Each column of {numref}`fig-causes-joints` rests on 5 to 9 pairs only, so its shares are rough. "
        "The other 1 joint is left out: each is found "
    )
    assert found["joints"].endswith("predicted far enough apart, in fewer than 5 pairs of different heading.")
    whole = said(least=5, **{"judged joints": {"nose": 6, "neck": 6}})["joints"]
    assert whole == "Each column of {numref}`fig-causes-joints` rests on 6 pairs only, so its shares are rough."
    assert said(least=5, **{"judged joints": {"nose": 1}})["joints"].startswith("No joint is shown: each is found")


def test_factors():
    text = said()["factors"]
    assert (
        "largest effect is skip1 for the left arm's position, the lean" in text and "follow all skip connections together than the" in text
    )
    turned = planted()["share"] | {"heading": {"all skips": block(0.1), "code": block(0.8)}}
    text = said(share=turned)["factors"]
    assert "; it is code for the heading." in text
    tied = planted()["share"] | {"heading": {"skip1": block(0.231), "skip2": block(0.232), "code": block(0.1)}}
    assert "; it is skip1 and skip2, equally, for the heading." in said(share=tied)["factors"]
    assert "For the heading, more joints follow the code than all skip connections together." in text
    nothing = {factor: dict.fromkeys(PARTS, NOTHING) for factor in words.FACTORS}
    assert said(share=nothing, groups={})["factors"] == "No factor moves a prediction." and said(share=nothing)["sides"] == ""
    alone = {factor: {"code": block(0.3)} for factor in words.FACTORS}
    assert "all skip" not in said(share=alone)["factors"].lower() and said(share=alone)["sides"] == ""


@pytest.mark.parametrize(
    ("difference", "text", "verdict"),
    [
        (block(-0.5), "come from the skip connections more than", "the skip connections"),
        (block(0.5), "come from the code more than", "the code"),
        (block(0.0), "is undecided", "undecided"),
        (None, "is undecided", "cannot be told"),
    ],
)
def test_sides(difference, text, verdict):
    assert text in said(sides=difference)["sides"] and f"come from | {verdict} |" in said(sides=difference)["table"]


def test_nuisance_and_people():
    assert "2.0 [1.0,\u00a03.0] for light and 1.0" in said()["nuisance"]
    text = said()["between"]
    assert "With the code of another person 10 %" in text and "another person 90 %" in text and "with skip2 patched: 30 %" in text
    bare = {"code": landed(0.4)}
    assert "all skip" not in said(between=bare)["between"]
    tied = {"code": landed(0.4), "all skips": landed(0.5)}
    assert "most often with code or all skips patched: 5 %" in said(between=tied)["between"]
    assert "With the code" not in said(between={"skip1": landed(0.4)})["between"]
    nothing = {"code": dict.fromkeys(("A", "B", "elsewhere"), NOTHING)}
    assert "the same for everybody" in said(between=nothing)["between"]
    assert said()["data"] == "the mannequins" and said(source="lspet")["data"] == "the photographed people"


def test_probes():
    text = said()["probes"]
    assert "| the left arm's position | code | 0.60 | 10 % [5,\u00a015] |" in text and "left and right" not in text
    assert "For the left arm's position, less than half of the joints follow that patch:" in text
    used = {"left arm": block(0.8) | {"part": "skip1", "r2": 0.6}}
    assert "less than half" not in said(used=used)["probes"]
    assert "No probe predicts" in said(used={"left arm": block(0.8) | {"part": "skip1", "r2": 0.0}})["probes"]


@pytest.mark.parametrize(
    ("own", "text", "verdict"),
    [
        (block(0.2) | {"p": 0.01}, "carries part of it: with it patched, predictions go 20 %", "carries it"),
        (block(0.2) | {"p": 0.3}, "does not carry it", "correlates without carrying it"),
        (block(0.02) | {"p": 0.01}, "does not carry it", "correlates without carrying it"),
        (block(0.2) | {"p": None}, "20 random directions are too few", "undecided"),
        (block(0.2) | {"p": float("nan")}, "too few to judge that", "undecided"),
        (NOTHING | {"p": None}, "No prediction differs", "cannot be told"),
    ],
)
def test_heading(own, text, verdict):
    heading = planted()["heading"] | {"own": own}
    found = said(heading=heading)
    assert text in found["heading"] and f"component of the heading | {verdict} |" in found["table"]
    named = "Component 3 of these mannequins’ codes correlates with the heading (r = −0.61)" in found["heading"]
    assert named == (own["mean"] is not None)


def test_sparse_features():
    assert "agree on atoms more than random" in said()["sparse"] and "mark joints better than" in said()["sparse"]
    worse = {"p": features(more=-0.1, least=0.5)}
    assert "worse than" in said(features=worse)["sparse"] and "no more than random" in said(features=worse)["sparse"]
    assert "about as well as" in said(features={"p": features(more=0.0)})["sparse"]
    none = {"stack0.p": features(areas=(None,)) | {"more": NOTHING}}
    assert "mark joints" not in said(features=none)["sparse"]
    assert not any("atoms less components" in question for question in words.verdicts(planted(features=none)))
    rows = words.feature_rows(planted()["features"] | none)
    assert rows[0]["marks a joint, AUROC"] == "0.85" and rows[0]["dead (%)"] == "25" and rows[1]["dead (%)"] == ""
    assert rows[3]["marks a joint, AUROC"] == "" and rows[0]["agreement of halves"] == "0.75 (chance 0.60)"


def test_what_counts_as_following_is_what_patching_counts():
    assert words.NEAR == NEAR


def test_removed():
    text = said()["removed"]
    assert "a joint moves by 20.0 [" in text and ": on average, the network needs these atoms to find the joints." in text
    assert text.endswith("Of the joints, only the left wrist clearly moves farther than other joints do.")
    text = said(removed=removed(0.0))["removed"]
    assert "this does not show that the network needs these atoms" in text and text.endswith(
        "No joint clearly moves farther than other joints do."
    )
    assert "No joint is marked" in said(removed={})["removed"]


def test_likeness():
    text = said()["alike"]
    assert (
        "*net* and *other* are most alike (CKA 0.80)" in text
        and "those of *net* and *third* least alike (0.30)" in text
        and "the highest value is 0.20" in text
    )
    assert "*net* (Leeds Sports Pose Extended, 128 px); *other* (mine, 64 px)." in said()["alike"]
    assert "nothing to compare" in said(cka={"names": ["net", "untrained"], "table": [[1, 0.1], [0.1, 1]]})["alike"]
    assert "untrained" not in said(cka={"names": ["net", "other"], "table": [[1, 0.1], [0.1, 1]]})["alike"]


def test_tables():
    table = words.verdicts(planted())
    assert table["An arm's position travels through"] == "the skip connections" and table["Arm's joints that follow code"].startswith(
        "10 %"
    )
    assert table["Arm's joints that follow at the hook point that decodes it best"] == "10 % [5,\u00a015] at code"
    assert table["Area under the ROC curve at skip1, atoms less components"].startswith("0.10")
    assert words.percent(block(0.5)) == pytest.approx({"mean": 50, "low": 45, "high": 55})


def test_groups_of_channels_are_compared():
    text = "Of the left arm's joints, 8 % [8,\u00a08] follow skip1, channels 8 to 15, the most of 2 groups of neighbouring channels there."
    assert said()["factors"].endswith(text)
    still = {f"skip1, channels {i}": dict.fromkeys(("follow", "toward", "aside"), block(0.0, 0.0)) for i in range(4)}
    assert said(groups=still)["factors"].endswith(
        "None of 4 groups of neighbouring channels of skip1 makes a joint of the left arm follow."
    )
    nothing = {"skip1, channels 0 to 7": dict.fromkeys(("follow", "toward", "aside"), NOTHING)}
    assert "neighbouring" not in said(groups=nothing)["factors"] and "neighbouring" not in said(groups={})["factors"]
    row = words.patched_row("left arm", "skip1", block(0.4), block(0.5), block(0.01, 0.001))
    assert row["follow B (%)"].startswith("40") and list(row)[1] == "patched"


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (by_epoch(0.1, 0.4, 0.7), "From epoch 2 on, the code is more like"),
        (by_epoch(0.1, 0.6, 0.7), "The code after epoch 1 is already more like"),
        (by_epoch(0.1, 0.2, 0.3), "No earlier epoch is more like the last one"),
        (by_epoch(0.6, 0.7, 0.8), "less like the end of another than like an untrained network"),
        (by_epoch(0.1, 0.7, 0.8, bare=0.6), "less like the end of another than like an untrained network"),
        (by_epoch(0.1, 0.4, 0.7, bare=0.46), "the pictures alone, without training, explain most of this likeness. From epoch 2 on"),
        (by_epoch(None, 0.2, 0.7, bare=None), "The last epochs from two seeds have 0.50 with each other. From epoch 2 on"),
        (by_epoch(0.1, None), "cannot be compared"),
        (by_epoch(0.1, 0.2, other=None), "cannot be compared"),
    ],
)
def test_epochs(block, text):
    assert text in said(epochs=block)["epochs"] and said(epochs=block)["epochs_count"] == "9"


def test_epochs_are_given_with_their_control():
    assert said()["epochs"].startswith(
        "Over 120 people, the code after epoch 1 has a CKA of 0.40 with that after epoch 9. The last epochs from two seeds have 0.50 with "
        "each other; an untrained network has up to 0.10 with one of them. "
    )


OPEN = {"mean": 0.2, "low": None, "high": None}


def test_without_intervals_nothing_is_decided():
    assert "undecided" in said(arm=with_arm(OPEN))["answer"] and "is undecided" in said(sides=OPEN)["sides"]
    heading = planted()["heading"] | {"own": OPEN | {"p": 0.01}}
    assert "the pairs are too few to judge that" in said(heading=heading)["heading"]
    assert words.verdicts(planted(heading=heading))["The component of the heading"] == "undecided"
    more = {"stack0.skip1": features() | {"more": OPEN}}
    assert "Whether atoms mark joints better than components do is undecided" in said(features=more)["sparse"]
    lost = removed(0.2)
    assert "No joint clearly moves farther" in said(removed=lost | {"left wrist": {"its joint": OPEN, "more than others": OPEN}})["removed"]
    idle = {"left knee": {"its joint": {"mean": 0.0, "low": 0.0, "high": 0.0}, "more than others": OPEN}}
    assert said(removed=lost | idle)["removed"].endswith("Without the atom of the left knee, nothing moves.")
    nothing = lost | {"mean of these": {"more than a random direction": OPEN, "more than others": OPEN}}
    assert "Too few people have the marked joints to say" in said(removed=nothing)["removed"]
