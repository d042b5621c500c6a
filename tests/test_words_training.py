"""What 02_training says, by planted metrics: every branch."""

import math

import pytest

from posekit.workflow.words import training as words

PCK = {"mean": 0.634, "low": 0.622, "high": 0.645, "people": 1630, "labelled": 21022, "definition": "share of all labelled joints",
       "joints": {"left wrist": 0.63, "neck": 0.84, "right wrist": None}}  # fmt: skip
RECIPE = {"loss": "cross-entropy", "sigma": 1.0, "optimiser": "adamw", "weight_decay": 0.01, "clip": 2.0, "lr": 0.001, "warm_up": 0.05,
          "epochs": 36, "batch": 32, "average": 0.999, "seed": 0}  # fmt: skip
CONFIG = {"stacks": 1, "depth": 4, "features": 128, "residuals": 1, "bottleneck_residuals": 3, "stem": [32, 64, 64]}
GAINS = ("quarter over argmax", "dark over quarter", "soft-argmax over dark", "flip")


def block(mean, joints=12):
    names = [f"left {i}" for i in range(joints - 2)] + ["left wrist", "left knee"]
    return {"mean": mean, "low": mean - 0.01, "high": mean + 0.01, "people": 288,
            "joints": dict.fromkeys(names, 0.9) | {"left wrist": mean - 0.1, "left knee": mean}}  # fmt: skip


def epoch(number, pck=0.5, loss=2.0, val_loss=2.1, val_peak=0.05):
    return {"epoch": number, "loss": loss, "val_loss": val_loss, "pck": pck, "val_peak": val_peak}


def planted(**changes):
    metrics = {
        "metrics": {"pck@0.2·torso": PCK}, "joints": 14, "parameters": 974158, "architecture": "hourglass", "cells": [48, 48], "stride": 4,
        "loss": "cross-entropy", "training": "it is shipped.", "floor": 0.058, "recipe": RECIPE, "config": CONFIG,
        "history": [epoch(1, 0.4, 2.4, 2.2), *(epoch(n, 0.5 + n / 100, 2.0, 2.1) for n in range(2, 11))],
        "joint errors": {"left wrist": {"median": 0.151, "labelled": 1500}, "neck": {"median": 0.08, "labelled": 1600},
                         "right wrist": {"median": None, "labelled": 0}},
        "kinds": {"found": block(0.63), "jitter": block(0.1), "inversion": block(0.15), "swap": block(0.0), "miss": block(0.12)},
        "gains": {name: {"mean": 0.01, "low": 0.005, "high": 0.015} for name in GAINS},
        "compared": {}, "compared people": 0, "compared side": 48, "elsewhere": {"lspet-hg1 on COCO": block(0.43)},
        "own": "lspet-hg1 on Leeds Sports Pose Extended (test)",
    }  # fmt: skip
    return metrics | changes


def said(kept=None, **changes):
    return words.sentences(planted(**changes), kept)


def test_answer_has_the_score_beside_the_floor():
    assert said()["answer"].endswith("a fifth of the torso; the median pose, predicted for everybody, finds 5.8 %.")
    assert said(floor=None)["answer"].endswith("of test people**, to within a fifth of the torso.")


def test_hyperparameters_are_those_of_the_card():
    text = said(recipe=RECIPE | {"start": "smaller"})["hyperparameters"]
    assert "1 × hourglass, depth 4, 128 features" in text and "| learning rate | 0.001; linear warm-up over 5 %" in text
    assert "| initial weights | those of smaller |" in text and "| initial weights | random |" in said()["hyperparameters"]
    assert "learning rate" not in said(recipe={})["hyperparameters"], "a card that says nothing"


def test_a_network_says_what_it_is():
    assert "The hourglass halves it four more times" in said()["network"] and "The output is 14 heatmaps. A joint" in said()["network"]
    assert "| input, heatmaps | 192 × 192 pixels; one cell per 4 × 4 pixels |" in said()["hyperparameters"] and said()["cells"] == "48 × 48"
    assert said()["unseen"] and not said(architecture="adapted")["unseen"], "what it saw is not known"
    other = said(architecture="adapted", cells=[32, 24], config={}, recipe={}, history=[])
    assert other["network"].startswith("The output is 14 heatmaps of 32 × 24 cells, rows first. A joint") and "hourglass" not in str(other)
    assert other["hyperparameters"].splitlines()[2:] == ["| input, heatmaps | 128 × 96 pixels; one cell per 4 × 4 pixels |"]
    assert words.trained("mine", "", 0, 0, None, "cpu") == "it is *mine*, adapted from outside, and how it was trained is not known here."


def test_every_curve_has_its_sentence():
    text = said()["curves"]
    assert "ends at 2.10, 0.10 above the loss on training people" in text
    assert "rises from 40.0 % after epoch 1 to its highest value, 60.0 %, after epoch 10" in text
    assert "last fifth of the epochs it changed by +2.0 points, and it ends at 60.0 %" in text
    assert "never exceeds 50.0 %, its value after epoch 1." in said(history=[epoch(1), epoch(2, 0.4)])["curves"]
    assert "end at a height of 0.050, 115 times the height of a flat map" in text
    assert "flat map" not in said(loss="mse")["curves"]
    assert "2.10, 0.10 below the loss" in said(history=[epoch(1), epoch(2, loss=2.2)])["curves"]
    assert (
        said(history=[])["curves"]
        == said(history=[epoch(1, None)])["curves"]
        == "There is no record of how the training of this network went."
    )


def test_table_has_a_row_a_joint_and_a_dash_where_nothing_is_known():
    lines = said()["joint_table"].splitlines()
    assert lines[2:] == ["| left wrist | 63.0 % | 0.15 | 1,500 |", "| neck | 84.0 % | 0.08 | 1,600 |", "| right wrist | – | – | 0 |"]


def test_failures_are_counted_largest_first():
    text = said()["failures"]
    assert text.startswith("The most frequent kind of error is the *inversion*.") and "2.1 times" in text
    assert text.index("| inversion |") < text.index("| miss |") < text.index("| jitter |") and "swap" not in text
    assert said(kinds={"found": block(1.0), "miss": block(0.0)})["failures"] == "The network makes no errors on these people."


def test_losses_are_compared_where_they_were_trained():
    assert said()["compared"] == ""
    mse = [epoch(1, 0.02, val_loss=0.004), epoch(2, 0.03, val_loss=0.003)]
    curves = {"cross-entropy": [epoch(1), epoch(2, 0.24)], "mse": mse}
    text = said(compared=curves, **{"compared people": 2000})["compared"]
    assert (
        "after 2 short epochs over 2,000 people, the network trained with cross-entropy finds 24.0 %" in text
        and "itself fell by 25 %" in text
    )
    assert f"maps of zeros would have {math.pi / 48**2:.2g}." in text
    assert "itself rose by 33 %" in said(compared=curves | {"mse": mse[::-1]})["compared"]
    once = said(compared={"cross-entropy": [epoch(1)], "mse": mse[:1]})["compared"]
    assert "after one short epoch" in once and "The mean squared error itself is 0.004; maps" in once
    assert "cannot be compared" in said(compared={"cross-entropy": [epoch(1, None)], "mse": mse})["compared"]


def test_photographs_of_this_edition_or_of_the_kept_run():
    kept = {
        "elsewhere": {"lspet-hg1 on COCO": block(0.4), "mannequins-hg1 on COCO": block(0.28, 17)},
        "metrics": {"pck@0.2·torso": PCK},
    }
    own, other = said()["photographs"].splitlines()[-2:]
    assert (
        own.startswith("| lspet-hg1 on Leeds Sports Pose Extended (test) | ")
        and other == "| lspet-hg1 on COCO | 288 | 12 | 43.0 % [42.0, 44.0] | 38 % |"
    )
    assert said()["landing"] == (
        "On people of another data set, COCO, the network *lspet-hg1* finds 38 % of the limb joints, on its own 63 %."
    ), "the same joints on both, each counted once"
    assert said(own="another on COCO")["landing"].endswith("finds 38 % of the limb joints.")
    rendered = said(kept, elsewhere={})
    assert "| mannequins-hg1 on COCO | 288 | 17 | 28.0 % [27.0, 29.0] | 23 % |" in rendered["photographs"]
    assert "lspet-hg1" not in rendered["photographs"]
    assert rendered["landing"] == (
        "A network trained on mannequins alone finds 23 % of the limb joints in photographs, one trained on photographs 63 %."
    )
    assert words.data("lspet:/x/lspet@test") == "Leeds Sports Pose Extended (test)" and words.data("coco:/x@all") == "COCO"
    nothing = said(elsewhere={})
    assert (
        nothing["photographs"] == "This edition has no photographs to test on."
        and nothing["landing"] == "The network was not tested on photographs in this edition."
    )


def test_published_scores_stand_with_their_definitions():
    lines = said()["literature"].splitlines()
    assert all(line.count("|") == 5 for line in lines) and "PCKh@0.5" in lines[2]
    assert lines[-1] == "| this chapter's | 1,630 of this edition | PCK@0.2·torso, 3 joints | 63.4 % |"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "*x*, which comes with posekit and was trained on `d` for 3 epochs."), (90.0, "people for 3 epochs, in 1.5 minutes (cpu).")],
)
def test_where_the_network_came_from(seconds, text):
    assert words.trained("x", "d", 500, 3, seconds, "cpu").endswith(text)


def test_a_training_that_went_on_says_what_was_before():
    text = said(recipe=RECIPE | {"start": "lspet-hg1 as it was after 42 + 36 epochs", "start_epochs": [42, 36]})
    assert text["training"] == "it is shipped. Before, it was trained for 42 + 36 epochs."
    assert text["curves"].startswith("The network had been trained for 78 epochs before these 10. The validation loss")
    assert said()["curves"].startswith("The validation loss")
    assert said(recipe=RECIPE | {"start": "smaller"})["training"] == "it is shipped, starting from the weights of smaller."
