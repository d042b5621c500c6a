"""What 13_trust says, by planted metrics: every branch."""

import copy

import pytest

from posekit.workflow.words import trust as words


def block(mean, half=0.05, **more):
    return {"mean": mean, "low": None if mean is None else mean - half, "high": None if mean is None else mean + half, "people": 90} | more


def kinds(found=0.6, jitter=0.1, inversion=0.2, swap=0.0, miss=0.1):
    shares = {"found": found, "jitter": jitter, "inversion": inversion, "swap": swap, "miss": miss}
    wrong = 1 - found
    return {
        "kinds": {kind: block(value, 0.01) for kind, value in shares.items()},
        "of errors": {kind: block(value / wrong if wrong else None, 0.01) for kind, value in shares.items() if kind != "found"},
        "repaired": {kind: block(found + value, 0.01) for kind, value in shares.items() if kind != "found"},
    }


def family(*scores, change=-0.2, code=0.5, loss=0.6):
    levels = [
        {"level": i + 1, "pck": block(score), "change": block(change), "code": None if code is None else block(code)}
        for i, score in enumerate(scores)
    ]
    return {"unit": "units", "clean": 0, "levels": levels, "code at loss": loss}


def planted(**changes):
    error = {"floor": 0.01, "joints": 900}
    errors = {
        "peak": block(0.27, over=block(-0.27), **error), "peak, temperature": block(0.1, over=block(0.0), **error),
        "mass": block(0.03, 0.01, over=block(0.0), **error), "mass, isotonic": block(0.04, over=block(0.04, 0.02), **error),
    }  # fmt: skip
    risk = {"half": block(0.25), "coverage": [1.0], "risk": [0.4], "area": 0.3}
    joint = {"held": block(0.9), "radius": 0.3, "found": block(0.7), "error": block(0.1)}
    far = joint | {"radius": 1.1, "held": block(0.8, 0.02)}
    test = {"diffusion": block(0.3), "foreground": block(0.6), "locality": block(0.2), "relation": block(0.3)}
    matrix = [[0.3, 0.1], [-0.1, 0.4]]
    metrics = {
        "network": "net", "rendered": True, "people": 90, "first": "net",
        "confidence": {
            "calibration": {"people": 80}, "people": 90, "level": 0.9, "found": block(0.6), "temperature": 3.0, "errors": errors,
            "ranking": {"peak": block(0.7, 0.01), "mass": block(0.75, 0.01), "spread": block(0.74, 0.01)},
            "risk": dict.fromkeys(("peak", "mass", "spread"), risk), "held": block(0.89), "joints": {"nose": joint, "left wrist": far},
        },
        "visibility": {"joints": {"nose": {"code": block(0.8), "peak": block(0.6)}, "knee": {"code": block(0.5), "peak": block(0.6)}},
                       "left out": {"left ear": "why"}},
        "errors": {"net": {"weights": "net", "others": 0, "stacks": [kinds()], "inversions by chance": block(0.05, 0.01)}},
        "ablations": {},
        "robustness": {"people": 60, "clean": block(0.6), "families": {"blur": family(0.5, 0.3), "noise": family(0.55, 0.4, loss=0.2)}},
        "indices": {"table": {"saliency": test, "occlusion": test | {"locality": block(0.5), "diffusion": block(0.6)}, "edges": test},
                    "even": {"locality": 0.05, "relation": 0.2, "foreground": 0.25}, "controls": ["edges"], "refused": {}, "people": 9},
        "shapley": {"joints": ["nose", "neck"], "people": 12, "own": block(0.7), "agreement": block(0.6, 0.05, p=0.01, pairs=2),
                    "effect": {"mean": matrix, "low": [[v - 0.05 for v in row] for row in matrix], "high": matrix}},
    }  # fmt: skip
    return metrics | changes


def said(metrics=None, **changes):
    return words.sentences(metrics or planted(**changes), "mannequins")


def changed(path, value):
    metrics = copy.deepcopy(planted())
    place = metrics
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return metrics


def test_the_answer_has_one_number_for_each_half():
    found = said()
    assert found["answer"] == (
        "**The peak is no probability: on average it is 27 percentage points lower than the share of joints found.** Of the joints "
        "not found, 50 % [49,\u00a051] are inversions, the most frequent kind of error."
    )
    over = changed(["confidence", "errors", "peak", "over"], block(0.27))
    assert "27 percentage points higher than" in said(over)["answer"]
    fair = changed(["confidence", "errors", "peak"], block(0.02, 0.01, floor=0.01, over=block(0.0)))
    assert "**The peak is a fair probability: its calibration error is 0.02.**" in said(fair)["answer"]


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (["temperature"], 3.0, "is 3.0. It moves every peak towards one half"),
        (["temperature"], 0.5, "is 0.5. It moves every peak away from one half"),
        (["errors", "mass"], block(0.03, 0.01, floor=0, over=block(0)), "the mass is better calibrated than the peak"),
        (["errors", "mass"], block(0.5, 0.01, floor=0, over=block(0)), "the peak is better calibrated than the mass"),
        (["errors", "mass"], block(0.27, 0.01, floor=0, over=block(0)), "errors of peak and mass do not clearly differ"),
        (
            ["errors", "mass, isotonic", "over"],
            block(0.04, 0.02),
            "exceeds the share found by +4.0 [+2.0, +6.0] points: joints of the validation people are easier",
        ),
        (["errors", "mass, isotonic", "over"], block(-0.04, 0.02), "people are harder"),
    ],
)
def test_confidence(path, value, text):
    assert text in said(changed(["confidence", *path], value))["confidence"]


def test_confidence_that_holds_says_nothing_of_easier_people():
    text = said(changed(["confidence", "errors", "mass, isotonic", "over"], block(0.0, 0.02)))["confidence"]
    assert "easier" not in text and "harder" not in text


def test_ranking():
    text = said()["ranking"]
    assert text.startswith("The mass ranks best, with an AUROC of 0.75 [0.74,\u00a00.76]. Its interval lies above that of peak.")
    metrics = changed(["confidence", "ranking"], {"peak": block(0.7), "mass": block(0.71)})
    assert "Its interval overlaps with all others." in said(metrics)["ranking"]
    metrics = changed(["confidence", "ranking"], {"peak": block(None)})
    assert "nothing can be ranked" in said(metrics)["ranking"] and "nothing to rank" in words.verdicts(metrics)["Ranks best (AUROC)"]


def test_radius():
    text = said()["radius"]
    assert (
        "They contain clearly fewer than intended for left wrist." in text and "from 0.30 torso lengths (nose) to 1.10 (left wrist)" in text
    )
    metrics = planted()
    metrics["confidence"]["joints"].pop("left wrist")
    assert "For no joint do they contain clearly fewer than intended." in said(metrics)["radius"]
    metrics["confidence"]["joints"]["nose"]["radius"] = None
    assert "runs from" not in said(metrics)["radius"]
    metrics["confidence"]["joints"]["nose"]["held"] = block(None)
    metrics["confidence"]["left out"] = {"nose": 3}
    assert "so they get no radius: nose." in said(metrics)["radius"]


def test_visibility():
    text = said()["visibility"]
    assert "above chance for 1 of 2 joints. It is best for the nose, with an AUROC of 0.80" in text and "than the peak for 1 joint." in text
    assert text.endswith("Left out, with too few hidden or visible cases: left ear.")
    joints = {"nose": {"code": block(0.6), "peak": block(0.6)}}
    assert "For no joint is the code clearly better" in said(visibility={"joints": joints, "left out": {}})["visibility"]
    none = said(visibility={"joints": {}, "why": "nobody is hidden"}, rendered=False)
    assert (
        none["visibility"] == "This cannot be measured on these people: nobody is hidden." and "renderer" not in none["visibility_method"]
    )
    assert "renderer" in said()["visibility_method"]


def test_errors():
    text = said()["errors"]
    assert "Of the joints that net does not find, 25 % [24,\u00a026] are jitter" in text and "swaps cannot be detected" in text
    assert "Inversions are 20.0 % [19.0, 21.0] of all joints; if wrong predictions" in text
    assert "Repairing all inversions would raise PCK@0.2·torso to 80.0 %" in text
    metrics = changed(["errors", "net", "others"], 12)
    metrics["errors"]["net"]["inversions by chance"] = block(0.2, 0.05)
    assert "are swaps" in said(metrics)["errors"] and "not clearly more than by chance" in said(metrics)["errors"]
    metrics["errors"]["net"]["stacks"] = [kinds(1, 0, 0, 0, 0)]
    assert said(metrics)["errors"].startswith("Every joint is found") and "** Every joint is found." in said(metrics)["answer"]
    assert words.verdicts(metrics)["Most frequent error"] == "none"


def test_errors_by_stack_and_by_skip():
    metrics = planted(ablations={"nothing": kinds(), "skip1": kinds(miss=0.2), "all": kinds(0.1, 0.1, 0.1, 0, 0.7)})
    metrics["errors"]["two"] = {"weights": "two", "others": 0, "stacks": [kinds(0.5, 0.1, 0.3), kinds()], "inversions by chance": block(0)}
    text = said(metrics)["errors"]
    assert "From the first stack of two to the last, inversions fall most: from 30.0 %" in text
    assert "With all skip connections at their means, misses change from 10.0 %" in text and "inversions from 20.0 %" in text
    metrics["ablations"].pop("all")
    assert "With skip1 at its mean, misses" in said(metrics)["errors"]
    metrics["ablations"].pop("skip1")
    assert "at its mean" not in said(metrics)["errors"]
    rows = words.error_rows({"net": [kinds()], "runs/two.safetensors": [kinds(), kinds()]})
    assert list(rows) == ["net", "two, stack 1", "two, stack 2"]
    assert list(words.error_rows({"runs/laptop/02_training/weights.safetensors": [kinds()]})) == ["02_training"]


def test_people_without_a_torso_are_counted():
    scores = planted()["confidence"]
    assert "are found. The best" in words.confidence({"confidence": scores})
    few = scores | {"found": scores["found"] | {"people": 70}}
    assert "are found (70 people have a labelled torso, whose length decides whether a joint is found)." in words.confidence(
        {"confidence": few}
    )


@pytest.mark.parametrize("oks", [False, True])
def test_repairs_are_a_table(oks):
    errors = {"others": True, "stacks": [kinds()]} | ({"oks": kinds() | {"ap": {"as it is": block(0.4)} | dict.fromkeys(
        ("jitter", "inversion", "swap", "miss"), block(0.5))}} if oks else {})  # fmt: skip
    rows = words.repair_rows(errors)
    assert [row[""] for row in rows] == ["found", "jitter", "inversion", "swap", "miss"]
    assert rows[0]["PCK if repaired"] == "" and rows[2]["PCK if repaired"].startswith("80.0 %")
    alone = words.repair_rows(errors | {"others": False})
    assert [row[""] for row in alone] == ["found", "jitter", "inversion", "miss"], "nobody to swap a joint with"
    assert (rows[0].get("OKS-AP if repaired") == "0.400 [0.350,\u00a00.450]") == oks


def test_rows_of_ablation_say_what_was_replaced():
    assert words.ablated_row("nothing") == "as it is, fewer people" and words.ablated_row("all") == "all skips at their means"
    assert words.ablated_row("skip2") == "skip2 at its mean"


def test_robustness():
    text = said()["robustness"]
    assert "of the joints of 90 people are found." in text  # those with a torso, whom alone a score counts
    assert "Already the mildest level clearly lowers the score for blur and noise." in text
    assert "The score is lowest at the last level of blur, 30.0 %" in text
    assert "moved most for blur, by 0.60 of the distance between two people, and least for noise, by 0.20." in text
    families = {"blur": family(0.6, 0.58, change=0.0, code=None, loss=None)}
    metrics = planted(robustness={"people": 6, "clean": block(0.6), "families": families})
    text = said(metrics)["robustness"]
    assert "With so few people no level of blur clearly lowers the score." in text and "has moved" not in text
    assert words.verdicts(metrics)["Corruption that moves the code most where a quarter of the joints is lost"] == "no family costs so much"


def test_indices():
    text = said()["indices"]
    assert (
        "Occlusion has the largest share near the joint, 50 % [45,\u00a055]; a uniform map has 5 %, edges have 20 %" in text
        and "Saliency has the most concentrated maps" in text
    )
    metrics = planted()
    for blocks in metrics["indices"]["table"].values():
        blocks["foreground"] = block(None)
    metrics["indices"]["refused"] = {"deconvnet": "no ReLUs"}
    text = said(metrics)["indices"]
    assert "on the person" not in text and "deconvnet has no map: no ReLUs." in text


@pytest.mark.parametrize(
    ("agreement", "text"),
    [
        (block(0.6, 0.05, p=0.01), "in much the same order"), (block(0.3, 0.1, p=0.01), "in orders that are related but not the same"),
        (block(0.0, 0.1, p=0.9), "in no clearly related order"), ({"mean": None}, "Too few pairs are known"),
    ],
)  # fmt: skip
def test_shapley(agreement, text):
    found = said(changed(["shapley", "agreement"], agreement))
    assert text in found["shapley"] and "1 pair of different joints" in found["shapley"] and "nose for neck 10" in found["shapley"]
    assert "Shapley values against the dependency matrix" in found["table"]


def test_shapley_without_a_clear_pair():
    metrics = changed(["shapley", "effect", "low"], [[None, -0.1], [-0.2, 0.1]])
    assert "no pair of different joints has a value clearly above 0" in said(metrics)["shapley"]


def test_tables_of_confidence():
    scores = planted()["confidence"]
    rows = words.confidence_rows(scores)
    assert rows[0] == {"": "peak", "calibration error": "0.270 [0.220,\u00a00.320]", "of a perfect confidence": "0.010",
                       "mean less share found": "−27.0 [−32.0, −22.0] points"}  # fmt: skip
    scores["ranking"]["peak"] = block(None)
    assert [row["AUROC"] for row in words.ranking_rows(scores)][:2] == ["nothing to rank", "0.75 [0.74,\u00a00.76]"]


def test_a_method_of_empty_maps_is_passed_over():
    nothing = dict.fromkeys(("diffusion", "foreground", "locality", "relation"), block(None))
    assert "Occlusion has the most concentrated maps" in said(changed(["indices", "table", "saliency"], nothing))["indices"]
    none = changed(["indices", "table"], planted()["indices"]["table"] | {"saliency": nothing, "occlusion": nothing})
    assert "concentrated" not in said(none)["indices"]
