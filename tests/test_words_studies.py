"""What chapters say of studies, whose results are made up: all there, some missing, none, not fit to decide."""

import matplotlib.pyplot as plt
import pytest
from planted_study import plant

from posekit.plots.comparisons import studies as figures
from posekit.studies import kept
from posekit.studies.summary import SHARES, summarise
from posekit.workflow.words import skips, stacks, studies

SKIPS = {"all skips": 0.4, "no skips, 40 epochs": 0.18, "no skips": 0.2, "without the finest": 0.38}


def skips_of(folder, **how):
    return summarise(kept.read("skips", plant(folder, SKIPS, study="skips", **how) / "lspet"))


def test_a_complete_study_says_what_was_lost(tmp_path):
    found = skips_of(tmp_path)
    text = skips.study({"study": found})
    assert "All 15 trainings of the study *skips* are kept, 3 seeds of each variant." in text
    assert text.count("\n| ") == 8, "head, rule, five variants, the median pose"
    share = found["contrasts"]["no skips, share"]
    assert f"finds {100 * share['mean']:.1f} %" in text and "as many joints as one trained with them" in text
    assert share["mean"] == pytest.approx(0.5, abs=0.02) and share["low"] < share["mean"] < share["high"] and share["why"] is None
    assert found["contrasts"]["without the coarsest"]["mean"] == pytest.approx(0.0, abs=0.01)
    assert found["contrasts"]["no skips"]["high"] < 0
    small = found["contrasts"]["small joints"]
    assert small["kinds"] == 6 and small["why"] is None and -1 <= small["low"] <= small["high"] <= 1
    assert "The Spearman correlation of a joint's size with what it loses is, over means of the seeds, " in text
    unknown = found["contrasts"] | {"small joints": small | {"mean": None}}
    assert "Spearman" not in skips.study({"study": found | {"contrasts": unknown}})


def test_missing_trainings_are_named_and_decide_nothing(tmp_path):
    found = skips_of(tmp_path, leave_out=["no skips", ("all skips", 2)])
    text = skips.study({"study": found})
    assert "**4 of the 15 trainings of the study *skips* are missing**" in text
    assert "*all skips* (seed 2); *no skips*." in text and "| no skips |" not in text
    assert "fewer "
    "joints" not in text and all(found["contrasts"][name]["mean"] is None for name in ("no skips", *SHARES["skips"], "small joints"))


def test_of_a_study_without_a_result_only_that_is_said(tmp_path):
    found = summarise(kept.read("skips", tmp_path / "lspet"))
    for text in (skips.study({"study": found}), stacks.study({"study": summarise(kept.read("stacks", tmp_path / "lspet"))})):
        assert "are missing" in text and "| seeds |" not in text


@pytest.mark.parametrize(
    ("how", "name", "note"),
    [({"climbing": ["all skips"]}, "all skips", "not at its plateau"), ({"floor": 0.08}, "no skips", "has not learned")],
)
def test_what_is_not_fit_to_decide_is_noted(tmp_path, how, name, note):
    found = skips_of(tmp_path, **how)
    assert found["contrasts"]["no skips"]["why"]
    line = next(line for line in studies.table(found).splitlines() if line.startswith(f"| {name} |"))
    text = skips.study({"study": found})
    assert note in line and "as many joints" not in text and "Spearman" not in text and "Nothing is decided by this study:" in text


def test_without_the_floor_the_table_has_none(tmp_path):
    found = skips_of(tmp_path, floor=None)
    assert "median pose" not in studies.table(found) and "has not learned" not in studies.table(found)


def test_two_seeds_have_no_interval(tmp_path):
    found = skips_of(tmp_path, leave_out=[(name, 2) for name in (*SKIPS, "without the coarsest")])
    line = next(line for line in studies.table(found).splitlines() if line.startswith("| no skips |"))
    assert "[" not in line and "without an interval" not in line


def test_stacks_are_judged_by_their_contrasts(tmp_path):
    found = {"2 stacks, equal parameters": 0.45, "4 stacks, equal parameters": 0.35, "1 large stack": 0.41, "2 stacks, equal width": 0.41}
    summary = summarise(kept.read("stacks", plant(tmp_path, found, study="stacks") / "lspet"))
    text = stacks.study({"study": summary})
    assert "Two stacks against one wide stack of as many parameters: better, +" in text
    assert "Four stacks against one wide stack of as many parameters: worse, −" in text
    assert "Two stacks against one large stack of as many parameters: undecided" in text


def test_a_contrast_says_why_it_is_not_decided():
    block = {"mean": 0.1, "low": 0.05, "high": 0.15, "why": "not at the plateau: 2 stacks"}
    assert studies.gained(block) == "not decided yet (not at the plateau: 2 stacks)"


def test_the_figure_has_a_row_for_each_variant_that_is_trained(tmp_path):
    for how in ({}, {"leave_out": ["no skips"]}, {"leave_out": ["no skips", "without the finest", "without the coarsest"]}):
        found = skips_of(tmp_path / str(len(how.get("leave_out", ()))), **how)
        figure = figures.differences(found["variants"], "all skips")
        (ax,) = figure.axes
        trained = [name for name in [*list(SKIPS)[1:], "without the coarsest"] if name not in how.get("leave_out", ())]
        assert [label.get_text() for label in ax.get_yticklabels()] == trained
        assert [text.get_text() for text in ax.texts] == [] if trained else ["no other network is trained yet"]
        assert "all skips" in ax.get_xlabel()
        plt.close(figure)
