"""What 14_audit says, by planted metrics: every branch. Of its study: test_words_studies.py."""

import pytest

from posekit.workflow.words import audit as words

MISSING = {"study": "audit", "trainings": 12, "missing": {"weighted labels": [0]}, "kept": 0, "seeds": [0, 1, 2], "source": "lspet",
           "variants": {"weighted labels": {"seeds": [1]}}}  # fmt: skip


def interval(mean, half=0.02):
    return {"mean": mean, "low": mean - half, "high": mean + half}


def row(kind, method="audit", auc=0.9, recall=0.6, half=0.02, **more):
    return {"kind": kind, "rate": 0.05, "method": method, "planted": 30, "auc": auc, "top": 0.7, "recall": interval(recall, half), **more}


def planted(*rows, **changes):
    rows = rows or tuple(row(kind, method) for kind in ("whole", "displaced") for method in ("audit", "loss", "counting"))
    metrics = {
        "network": "hg1", "source": "lspet", "rendered": False, "seen": "none of whom it was trained on", "study": MISSING, "second": None,
        "planted": {"people": 700, "doubted": {"people": 0.05}, "rows": list(rows)}, "ceiling": interval(0.9),
        "audit": {"people": 690, "wrong": interval(0.1), "exchanged": interval(0.04), "rates": {"whole": 0.05, "displaced": 0.01},
                  "notes": []},
    }  # fmt: skip
    return metrics | changes


def said(*rows, **changes):
    return words.sentences(planted(*rows, **changes), "lspet:folder")


def test_the_answer_and_the_people():
    assert said()["answer"] == (
        "**Of the labels of Leeds Sports Pose Extended, the audit takes at most 10.0 % [8.0, 12.0] to be wrong**, counting only errors "
        "of the kinds that were planted."
    )
    rendered = "**Of the labels of mannequins, all right by construction, the audit takes at most 10.0 %"
    assert said(rendered=True)["answer"].startswith(rendered)
    assert said()["people"] == "700 people, none of whom it was trained on; the judge is *hg1*"
    assert "700 mannequins" in said(rendered=True)["people"]


@pytest.mark.parametrize(
    ("recall", "half", "verdict"),
    [
        (0.9, 0.02, "This meets the goal of 80 %"),
        (0.5, 0.02, "This misses the goal of 80 %"),
        (0.8, 0.1, "Whether this meets the goal, 80 %, is undecided"),
    ],
)
def test_whole_exchanges_beside_the_goal(recall, half, verdict):
    text = said(row("whole", recall=recall, half=half), row("pair"))["planted"]
    assert (
        verdict in text
        and "of 30 whole exchanges" in text
        and "Of the other kinds it finds exchanged pairs best, 60.0 % [58.0, 62.0]." in text
        and "The 5.0 % of people who were doubted" in text
    )


def test_nobody_to_exchange():
    few = {"planted": 2}
    text = said(row("whole"), row("pair", **few), row("flag", **few), row("arms"))["planted"]
    assert "it finds exchanged arms best" in text and "Too few to judge: exchanged pairs (2 planted) and wrong flags (2 planted)." in text
    assert said(row("whole", **few))["planted"].startswith("Only 2 whole exchanges could be planted, too few")
    found = words.verdicts(planted(row("pair", **few)))
    assert set(list(found.values())[1:3]) == {"only 2 planted"}
    assert (
        said(*(row("flag", method=method, **few) for method in ("audit", "loss", "counting")))["baselines"] == "No baseline was measured."
    )
    assert said(row("displaced"))["planted"] == "Nobody here has labels on both sides, so no exchange could be planted."


@pytest.mark.parametrize(("ours", "words_"), [(0.95, "larger than"), (0.8, "smaller than"), (0.902, "within 0.005 of")])
def test_baselines(ours, words_):
    text = said(row("whole", auc=ours), row("whole", "loss", auc=0.9), row("whole", "counting", auc=0.7))["baselines"]
    assert text == f"The area under the ROC curve is {words_} that of the best baseline for whole exchanges."
    assert said(row("whole"))["baselines"] == "No baseline was measured."
    behind = said(row("whole", auc=0.9, recall=0.5), row("whole", "loss", auc=0.8, recall=0.6))["baselines"]
    assert behind.endswith("In recall at a precision of 80 % a baseline is ahead for whole exchanges.")
    assert said(row("whole", auc=0.9), row("whole", "labels alone", auc=0.8))["baselines"].endswith(
        "For whole exchanges the labels alone, without any network, reach an area of 0.800, and the audit 0.900."
    )


@pytest.mark.parametrize(("mean", "share", "side"), [(0.8, 0.6, "too high"), (0.4, 0.6, "too low")])
def test_calibration(mean, share, side):
    parts = [{"labels": 60, "mean": mean, "share": share}, {"labels": 60, "mean": 0.1, "share": 0.1}, {"labels": 3, "mean": 1, "share": 0}]
    flag = [{"labels": 50, "mean": 0.39, "share": 0.06}]
    text = said(
        row("displaced", calibration=parts),
        row("flag", calibration=flag) | {"planted": 2},
        row("person", calibration=flag) | {"rate": 0.01},
        row("whole", calibration=parts[2:]),
    )["calibration"]
    assert "planted in 5 % of" in text and f"for displaced joints: the audit's {100 * mean:.0f} % is {side} by 20 points." in text
    sign = "+" if mean > share else "−"
    assert text.endswith(f"| displaced joints | {100 * mean:.0f} % | {100 * share:.0f} % | {sign}20 |") and text.count("\n| ") == 3
    more = said(row("displaced", calibration=parts) | {"rate": 0.1}, row("flag", calibration=flag) | {"rate": 0.1}, row("whole"))
    assert "planted in 10 % of" in more["calibration"] and "for wrong flags: the audit's 39 % is too high by 33" in more["calibration"]
    assert said(row("displaced", calibration=parts[2:]))["calibration"].startswith("Too few labels")


def test_what_is_found_and_what_it_bounds():
    text = said()["found"]
    assert text.startswith("690 people were judged. For 4.0 %") and text.endswith(
        "| whole exchanges | 5.00 % of people |\n| displaced joints | 1.00 % of labels |"
    )
    assert said()["second"] == ""
    asked = {"network": "hg2", "agreed": interval(0.8), "others": interval(0.1)}
    assert said(second=asked)["second"].startswith("A second network, *hg2*, also prefers the exchanged labels for 80 %")
    assert "agrees with at least 90 %" in said()["ceiling"] and "set no bound to the score" in said(rendered=True)["ceiling"]
    assert said()["notes"] == "The audit gave no warnings for these people."
    given = said(audit=planted()["audit"] | {"notes": ["a", "b"]})["notes"]
    assert given == "The audit gave these warnings for these people:\n\n- a.\n- b."


def test_a_complete_study_says_what_its_intervals_are_not():
    gain = {"mean": 0.005, "low": 0.001, "high": 0.009, "why": None}
    known = {"kind": "own", "seeds": [0, 1, 2], "test": gain, "difference": gain, "relative": gain, "parameters": 9, "macs": 9e6,
             "epochs": 2, "plateau": True, "learned": True}  # fmt: skip
    variants = {"labels as they are": known | {"kind": "reference"}, "weighted labels": known}
    contrasts = {"weighted labels": gain, "winner": gain}
    whole = MISSING | {
        "missing": {},
        "kept": 12,
        "floor": None,
        "variants": variants,
        "contrasts": contrasts,
        "winner": "labels as they are",
    }
    text = said(study=whole)["study"]
    assert "*weighted labels* better, +0.5 [+0.1, +0.9] points. The intervals are not corrected for the number of comparisons." in text
    assert text.endswith("networks trained on *labels as they are* find the most joints.")


def test_the_study_is_open_while_trainings_are_missing():
    assert "are missing**" in said()["study"]


def test_the_table_has_each_kind():
    found = words.verdicts(planted())
    assert (
        found["Recall of whole exchanges at a precision of 80 %"] == "60.0 % [58.0, 62.0]"
        and "Area under the curve, displaced joints" in found
    )
    assert "Labels taken to be wrong, at most" in said()["table"]


def test_a_kind_with_few_planted_errors_is_not_drawn():
    import matplotlib.pyplot as plt

    from posekit.auditing.quality import measure
    from posekit.plots.auditing import recalls

    rows = [row(kind, method=method, planted=count) for kind, count in (("whole", 30), ("flag", 2)) for method in measure.METHODS]
    figure = recalls(rows, measure.METHODS, 0.8, measure.ENOUGH, words.NAMES)
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["only 2 planted: not drawn"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["whole exchanges, 5 %", "wrong flags, 5 %"]
    drawn = [line for line in ax.lines if line.get_label() in measure.METHODS]
    assert len(drawn) == len(measure.METHODS) and all(len(line.get_xdata()) == 1 for line in drawn)
    plt.close(figure)


def part(mean, looked=200, unknown=20, n=180):
    block = interval(mean) | {"n": n}
    return {"looked at": looked, "unknown": unknown, "exchanged": block, "wrong": interval(mean + 0.1) | {"n": n}, "network": block,
            "mean probability": 0.52, "bounds": {"low": 0.26, "high": 0.74}}  # fmt: skip


def looked(**changes):
    block = {
        "network": "hg1", "viewer": "a model", "people": 2010, "total": {"flagged": 210, "others": 1800}, "flagged": part(0.6),
        "sure": part(0.8, 90), "others": part(0.05), "recall": interval(0.57), "share": interval(0.1), "controls": 80,
        "sensitivity": interval(0.85) | {"n": 57}, "alarms": interval(0.03), "again": interval(0.9) | {"n": 40, "kappa": 0.81},
    }  # fmt: skip
    return block | changes


def test_what_was_seen_by_eye():
    text = said(eye=looked())
    assert "Of 2,010 people judged by hg1, the 210 most doubtful count as flagged; 200 of these and 200 others" in text["eye"]
    assert "exchanged in 60 % [58,\u00a062] of the flagged, and in 5 % [3,\u00a07] of the others." in text["eye"]
    assert "cannot tell for 20 of the 90 labels above 50 %: if these were all right, 26 % of the 90 would be exchanged" in text["eye"]
    assert "10 % [8,\u00a012] of all labels are exchanged, and 57 % [55,\u00a059] of these are flagged." in text["eye"]
    assert "| of these, above 50 % | 90 | 20 | 52 % | 80 % [78,\u00a082] | 90 % [88,\u00a092] | 80 % [78,\u00a082] |" in text["eye"]
    assert text["viewer"] == (
        "The viewer was a model. The sample was judged once, without a second viewer. Of 80 exchanges planted as controls, in a label or "
        "in a prediction, the viewer judged 57 and saw 85 % [83,\u00a087] of these. Of the skeletons beside them, without exchange, 3 % "
        "[1,\u00a05] were called exchanged. The people of the controls are easier to judge than the flagged, because "
        "network and label agree about them. 40 people were shown a second time, and 90 % [88,\u00a092] of the verdicts were the same "
        "(Cohen's κ 0.81). This is an upper bound: in the same sitting the viewer recognises people."
    )
    assert "one viewer" in text["unseen"] and "Flagged labels with left and right exchanged, by eye" in text["table"]


def test_all_who_are_flagged_were_looked_at_and_judged():
    text = said(eye=looked(sure=part(0.6, unknown=0)))["eye"]
    assert "the 210 with a probability above 50 % count as flagged" in text and "cannot tell for" not in text


def test_a_sample_too_small_to_say_anything():
    nothing = {"mean": None, "low": None, "high": None, "n": 0}
    text = said(eye=looked(recall=nothing, sensitivity=nothing, again=nothing | {"kappa": None}, others=part(0.05) | {"network": nothing}))
    assert "too few exchanged labels" in text["eye"] and "| nobody |" in text["eye"] and text["viewer"].endswith("without a second viewer.")
    assert "κ" not in said(eye=looked(again=interval(1) | {"n": 3, "kappa": None}))["viewer"]


@pytest.mark.parametrize(
    ("rendered", "where"),
    [(True, "The edition on photographs has such a check."), (False, "`posekit.auditing.quality.eye`")],
)
def test_nobody_looked(rendered, where):
    text = said(rendered=rendered, eye={})
    assert where in text["eye"] and not text["viewer"] and text["unseen"] == "No sample of this edition's labels has been checked by eye."
