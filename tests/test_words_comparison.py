"""What 09_comparison says, by planted metrics and planted studies: every branch."""

import matplotlib.pyplot as plt
import pytest
from planted_study import plant

from posekit.plots.comparisons import comparison as figures
from posekit.studies import kept
from posekit.studies.designs import hourglasses
from posekit.studies.floor import FLOOR
from posekit.studies.summary import learning, summarise
from posekit.workflow.words import comparison as words
from posekit.workflow.words.studies import LEARNED

ONE, TWO = "hourglass, 1 stack", "hourglass, 2 stacks"
STUDY = "estimators"
SHARES = {ONE: 0.4, TWO: 0.45, "hourglass, redesigned": 0.43, "DeepPose": 0.25, "error feedback": 0.2, "TransPose": 0.4,
          "templates on springs": 0.3}  # fmt: skip


def interval(mean, half=0.01):
    return {"mean": mean, "low": mean - half, "high": mean + half}


def errors(jitter, exchanged=0.05):
    return {"found": interval(0.3), "jitter": interval(jitter), "left-right exchange": interval(exchanged), "miss": interval(0.2)}


MISSING = {"study": STUDY, "trainings": 21, "missing": {ONE: [0], "TransPose": [0, 1, 2]}, "kept": 0, "seeds": [0, 1, 2], "source": "lspet",
           "variants": {ONE: {"seeds": [1]}, "TransPose": {"seeds": []}}, "reference": ONE, "floor": None}  # fmt: skip


def planted(**changes):
    metrics = {
        "study": MISSING, "equal": [ONE, TWO, "DeepPose", "TransPose"], "floor": 0.06,
        "scores": {ONE: interval(0.25), TWO: interval(0.27), "DeepPose": interval(0.1), "TransPose": interval(0.22),
                   "longer": interval(0.5)},
        "against the reference": {TWO: interval(0.02), "DeepPose": interval(-0.15), "TransPose": interval(-0.03)},
        "costs": {ONE: {"numbers": 221_553, "multiply-adds": 22.1e6, "seconds": 33.8, "milliseconds": 0.449},
                  "longer": {"numbers": 1_000_000, "multiply-adds": 4e7, "seconds": None, "milliseconds": 1.0}},
        "kinds of joint": {ONE: {"hip": 0.4, "wrist": 0.1}, TWO: {"hip": 0.5, "wrist": 0.2}, "DeepPose": {"hip": 0.0, "wrist": None},
                           "TransPose": {"hip": 0.1, "wrist": 0.3}},
        "stages": {"DeepPose": [interval(0.09), interval(0.1)], TWO: [interval(0.25), interval(0.27)]},
        "gains": {"DeepPose": [interval(0.01, 0.005)], TWO: [interval(0.02)]},
        "nearer": {"DeepPose": [interval(0.002, 0.001)], TWO: [interval(0.018, 0.02)]},
        "errors": {ONE: errors(0.1), TWO: errors(0.3, 0.06), "DeepPose": errors(0.2), "TransPose": errors(0.1)},
        "attention": {"people": 60, "side": 0.4, "own": 0.014, "others": 0.012,
                      "agreement": interval(0.03, 0.15) | {"p": 0.75, "pairs": 268}},
        "budget": {"people": 4000, "validation": 500, "test": 499, "epochs": 3, "resolution": 64, "joints": 17, "timed": 32, "seed": 0,
                   "backend": "2 cores"},
    }  # fmt: skip
    return metrics | changes


def said(**changes):
    return words.sentences(planted(**changes), "lspet:folder")


def study(folder, shares=SHARES, **how):
    return summarise(kept.read(STUDY, plant(folder, shares, study=STUDY, **how) / "lspet"))


def test_the_bar_is_that_of_studies():
    assert LEARNED == FLOOR


def test_missing_trainings_are_named_and_decide_nothing():
    say = said()
    assert say["answer"] == "**Not decided yet**: 4 of the 21 trainings of the study that decides this are missing."
    assert "*hourglass, 1 stack* (seed 0); *TransPose*." in say["study"] and "| seeds |" not in say["study"]
    assert say["curves"] == "The figure has curves of *hourglass, 1 stack*. Not trained yet: *TransPose*."
    nothing = MISSING | {"variants": {ONE: {"seeds": []}}}
    assert words.curves(nothing) == "No training of the study is complete yet."


def test_a_study_with_some_trainings_has_a_table_and_no_verdict(tmp_path):
    summary = study(tmp_path, leave_out=["TransPose", "templates on springs", ("DeepPose", 1)])
    text = words.study(summary)
    assert "7 of the 21 trainings" in text and "*DeepPose* (seed 1); *TransPose*; *templates on springs*." in text
    assert "| TransPose |" not in text and "Against an hourglass" not in text
    assert words.answer(summary).startswith("**Not decided yet**: 7 of the 21")


def test_a_complete_study_decides(tmp_path):
    summary = study(tmp_path)
    assert words.answer(summary).startswith("**Hourglass, 2 stacks gains most over an hourglass of one stack**, each at its own plateau: +")
    text = words.study(summary)
    assert "The redesigned hourglass of the study differs from that of one stack in its *sharper targets* alone" in text
    assert "hourglass, 2 stacks: better, +" in text and "DeepPose: worse, −" in text and "TransPose: undecided, " in text
    assert words.curves(summary).endswith("*TransPose* and *templates on springs*.")


def test_none_is_better(tmp_path):
    text = words.answer(study(tmp_path, SHARES | {TWO: 0.3, "hourglass, redesigned": 0.3}))
    assert (
        text.startswith("**None is better than an hourglass of one stack**") and "; TransPose comes nearest, with a difference of " in text
    )


def test_what_has_not_learned_or_climbs_decides_nothing(tmp_path):
    text = words.answer(study(tmp_path, SHARES | {"error feedback": 0.1}, climbing=[TWO]))
    assert "gains most" in text.partition("Not decided:")[0] and "**Hourglass, redesigned" in text
    assert "*hourglass, 2 stacks* (not at the plateau: hourglass, 2 stacks)" in text.partition("Not decided:")[2]
    assert "*error feedback* (under 3 times the median pose's score: error feedback)" in text
    assert words.answer(study(tmp_path / "low", floor=0.2)).startswith("**Not decided**: *hourglass, 2 stacks* (under 3 times")


def test_the_curves_have_time_and_compute(tmp_path):
    found = kept.read(STUDY, plant(tmp_path, SHARES, study=STUDY, leave_out=["TransPose"]) / "lspet")
    curves = learning(found)
    assert len(curves[ONE]) == 3 and "TransPose" not in curves
    block = curves[ONE][0]
    assert len(block["pck"]) == len(block["seconds"]) == 40 and block["macs"][:2] == [5000 * 60, 2 * 5000 * 60]
    for shown, floor in ((curves, 0.06), ({}, None)):
        figure = figures.accuracy_over_cost(shown, list(SHARES), floor)
        assert [ax.get_xscale() for ax in figure.axes] == (["log"] * 2 if shown else ["linear"] * 2)
        assert len(figure.axes[1].lines) == (2 * 6 * 3 + 2 if shown else 0) and bool(figure.legends) == bool(shown)
        assert bool(figure.axes[0].texts) != bool(shown)
        plt.close(figure)


def test_the_short_training():
    say = said()
    assert "the same 4,000 people" in say["budget"] and "once for 3 epochs" in say["budget"] and "of 499 test people" in say["budget"]
    once = said(budget=planted()["budget"] | {"epochs": 1})
    assert "for 1 epoch with" in once["budget"] and "one training of 1 epoch;" in once["best"]
    assert "| hourglass, 1 stack | 25.0 % [24.0, 26.0] | 0.222 M | 22.1 M | 34 s | 0.45 ms |" in say["costs"]
    assert "| longer * | 50.0 % [49.0, 51.0] | 1 M | 40 M | – | 1.00 ms |" in say["costs"]
    assert "Unlike" not in say["budget"] and "combines" not in say["budget"]
    one = planted()["costs"][ONE]
    both = words.budget(planted(costs={ONE: one, "DeepPose": one | {"numbers": 4 * 221_553}, "error feedback": one}))
    assert both.endswith("Unlike in the study, DeepPose has 4.0 times the parameters of the hourglass of one stack.")
    apart = planted()["equal"] + [words.ALL_THREE]
    assert "*Hourglass, all three* combines three redesigns, sharper targets among them; it is not" in words.budget(planted(equal=apart))
    assert say["costs"].endswith("| *the median pose* | 6.0 % | 0 | 0 | | |")
    assert "a batch of 32, divided by its size, on 2 cores." in say["notes"] and "trained elsewhere" not in say["notes"]
    assert said(equal=[ONE])["notes"].endswith(
        "*: trained elsewhere, for more epochs or with more pixels; the time is that of its last training."
    )


def test_only_what_has_learned_is_compared():
    text = said()["best"]
    assert (
        "*hourglass, 2 stacks* finds more (+2.0 [+1.0, +3.0] points); *TransPose* finds fewer (−3.0" in text
        and "DeepPose finds" not in text
    )
    assert "Below three times the median pose's score (18.0 %), and therefore not compared: *DeepPose*." in text
    assert "decided by the study" in text
    alike = said(**{"against the reference": {name: interval(0.0) for name in (TWO, "DeepPose", "TransPose")}})["best"]
    assert "*hourglass, 2 stacks* does not differ significantly (0.0" in alike
    low = said(floor=0.088)["best"]  # the bar is 26.4 %
    assert (
        "the hourglass of one stack scores too low for a comparison" in low
        and "compared: *hourglass, 1 stack*, *DeepPose* and *TransPose*" in low
    )
    alone = said(equal=[ONE])["best"]
    assert alone == "This shows one training of 3 epochs; which estimator is better is decided by the study."


def test_joints():
    say = said()
    assert say["joints"] == (
        "Among the estimators above three times the median pose's score, the hardest joint is the wrist for 2 of 3 and the hip for 1 of 3, "
        "the easiest the hip for 2 of 3 and the wrist for 1 of 3."
    )
    assert "| | hip | wrist |" in say["by_joint"] and "| DeepPose | 0 | – |" in say["by_joint"]
    longer = said(**{"kinds of joint": planted()["kinds of joint"] | {"longer": {"hip": 0.6, "wrist": 0.7}}})["joints"]
    assert "score, those trained longer included, the hardest joint is the wrist for 2 of 4 and the hip for 2 of 4, " in longer
    assert said(floor=0.2)["joints"] == "No estimator scores high enough to call a joint hard or easy."


@pytest.mark.parametrize(
    ("second", "part"), [(0.02, "Each of its steps is a significant gain for"), (0.0, "Not each step is a significant gain")]
)
def test_stages(second, part):
    text = said()["stages"]
    assert "*Hourglass, 2 stacks* starts at 25.0 % [24.0, 26.0]; stack 2 adds +2.0 [+1.0, +3.0] points" in text
    assert "and reduces the distance by 0.018 [−0.002, 0.038] torso lengths." in text
    assert "significant gain" not in text and "DeepPose starts" not in text, "there is one step"
    assert "Nothing is concluded from the stages of DeepPose (10.0 %), which scores below" in text
    flat = said(floor=0.03, gains={"DeepPose": [interval(0.0)], TWO: [interval(0.02)]})["stages"]
    assert "stage 2 adds 0.0" in flat and "Nothing is concluded" not in flat
    assert "which score below" in said(floor=0.1)["stages"]
    gains = {"DeepPose": [interval(0.0)], TWO: [interval(0.02), interval(second)]}
    text = said(gains=gains, nearer={"DeepPose": [interval(0.0)], TWO: [interval(0.02)] * 2})["stages"]
    assert part in text


@pytest.mark.parametrize(
    ("agreed", "part"),
    [
        (
            interval(0.03, 0.15) | {"p": 0.75, "pairs": 268},
            "does not predict this effect: their rank correlation over 268 pairs is 0.03 [−0.12,",
        ),
        (interval(0.5) | {"p": 0.001, "pairs": 268}, "ranks the pairs of joints much as this effect does"),
        (interval(0.5) | {"p": 0.2, "pairs": 268}, "does not predict"),
        ({"mean": None, "low": None, "high": None, "p": None, "pairs": 4}, "Too few pairs of joints"),
    ],
)
def test_attention(agreed, part):
    block = planted()["attention"] | {"agreement": agreed}
    assert part in said(attention=block)["attention"]
    verdict = words.verdicts(planted(attention=block))["TransPose: rank correlation of attention and effect"]
    assert verdict.startswith("0.") if agreed["mean"] is not None else verdict == "too few pairs of joints"
    untrained = planted(attention=block, floor=0.08)
    assert words.attention(untrained).startswith("The transformer's PCK of 22.0 % is below three times the median pose's (8.0 %)")
    assert words.verdicts(untrained)["TransPose: rank correlation of attention and effect"] == words.NOT_LEARNED


def test_failures():
    text = said()["failures"]
    assert "| hourglass, 1 stack | miss, 20 % | 5.0 % [4.0, 6.0] |" in text
    assert "| hourglass, 2 stacks | jitter, 30 % |" in text and "DeepPose" not in text
    assert said(floor=0.2)["failures"].startswith("No estimator scores")


def test_the_table():
    table = words.verdicts(planted())
    assert table["Short training"] == "4,000 people, 3 epochs, 64 px" and table["PCK: DeepPose"] == "10.0 % [9.0, 11.0]"
    assert table["Three times the median pose's PCK"] == "18.0 %"
    assert table["Hourglass, 2 stacks against the hourglass, 1 stack"] == "better (+2.0 [+1.0, +3.0] points)"
    assert table["DeepPose against the hourglass, 1 stack"] == words.NOT_LEARNED
    assert table["Hourglass, 2 stacks: stack 2 improves on stack 1"].startswith("yes (+2.0")
    assert table["DeepPose: stage 2 improves on stage 1"] == words.NOT_LEARNED
    worse = words.verdicts(planted(gains={TWO: [interval(-0.02)], "DeepPose": [interval(0.0)]}, floor=0.03))
    assert worse["Hourglass, 2 stacks: stack 2 improves on stack 1"].startswith("no, worse")
    assert worse["DeepPose: stage 2 improves on stage 1"].startswith("undecided")
    low = words.verdicts(planted(floor=0.088))  # the reference is under the bar
    assert low["Hourglass, 2 stacks against the hourglass, 1 stack"] == words.NOT_LEARNED
    assert said()["table"].startswith("| | mannequins")


def test_the_redesign_that_is_named_is_the_studys():
    assert words.CHOSEN == hourglasses.BEST[0]
