"""What 07_explanations says, by planted metrics: every branch."""

import copy

import pytest

from posekit.interpret.attribution.judgement import cascade_verdict
from posekit.workflow.words import explanations as words

LEVELS = ["head", "decoder", "stem"]
METHODS = ["saliency", "guided backprop", "deconvnet", "Grad-CAM (sum 1)"]
CONTROLS = ["edges", "noise", "the answer"]


def block(mean, half=0.05, people=12):
    return {"mean": mean, "low": mean - half, "high": mean + half, "people": people}


def cascade(at, end=0.1, half=0.05):
    """The cascade of methods that keep `at` (by method) after the decoder and `end` at the end."""
    kept = {label: at.get(label, 0.1) for label in METHODS} | {"edges": 1.0, "noise": 1.0, "the answer": 0.0, "random map": 0.0}
    alike = {label: {"head": block(m, half), "decoder": block(m, half), "stem": block(min(m, end), half)} for label, m in kept.items()}
    worst = max(METHODS, key=lambda label: kept[label])
    return {
        "levels": LEVELS, "decided at": "decoder", "limit": 0.5, "alike": alike,
        "verdicts": {label: {level: cascade_verdict(b) for level, b in by.items()} for label, by in alike.items()},
        "at": {label: by["decoder"] for label, by in alike.items()}, "worst": {"method": worst} | alike[worst]["decoder"],
    }  # fmt: skip


def planted(**changes):
    matrix = [[0.3, 0.1, None], [-0.2, 0.4, 0.0], [0.05, None, 0.2]]

    def shifted(by):
        return [[None if value is None else value + by for value in row] for row in matrix]

    agreement = {"mean": 0.4, "low": 0.2, "high": 0.6, "p": 0.01, "pairs": 20}
    tests = {"other side": block(0.3), "deletion": block(0.2), "insertion": block(0.7), "pointing": block(0.4)}
    metrics = {
        "network": "net", "rendered": True, "seen": "none of whom is in the training split", "people": 32, "methods": METHODS,
        "controls": CONTROLS, "cascade": cascade({"guided backprop": 0.95, "saliency": 0.5}),
        "cascade, distance not taken off": {label: block(0.3 + 0.1 * i) for i, label in enumerate(METHODS)},
        "tests": {label: copy.deepcopy(tests) for label in [*METHODS, *CONTROLS]},
        "better than edges": {}, "better than the answer": {label: {"deletion": block(-0.2), "insertion": block(0)} for label in METHODS},
        "faults": {label: [] for label in METHODS}, "targets": {"peak": block(0.9, people=32), "mean": block(0.4, people=29)},
        "gradcam": {"stack0.sum1": {"pointing": block(0.6), "like the answer": block(0.5), "empty": 0.0},
                    "stack0.skip1": {"pointing": block(0.1), "like the answer": block(0.1), "empty": 0.4}},
        "code": "stack0.bottleneck1", "refused": {},
        "dependency": {
            "joints": ["nose", "neck", "hip"], "people": 100, "effect": {"mean": matrix, "low": shifted(-0.03), "high": shifted(0.03)},
            "moved": matrix, "on the others": {"nose": block(0.1), "neck": block(0.02)}, "closeness": agreement,
            "both ways": dict.fromkeys(("mean", "low", "high", "p")) | {"pairs": 2}, "other side": block(0.01),
        },
        "maximised": {"left wrist": {"made": 9.0, "best": 3.0}, "component 1": {"made": 5.0, "best": 3.0},
                      "random direction": {"made": 2.0, "best": 3.0}},
        "compared with": 400, "excited": {"channel 3": {"nine": 2.0, "all": 0.5}}, "projections like edges": block(0.5, people=36),
    }  # fmt: skip
    return metrics | changes


def said(**changes):
    return words.sentences(planted(**changes), "mannequins")


def test_a_method_that_fails_is_named_in_the_answer_and_with_its_number():
    found = said()
    assert found["answer"].startswith("**1 of 4 kinds of maps stays much the same")
    assert "The maps of guided backprop then have a rank correlation of 0.95 with" in found["answer"]
    assert "1 of 4 methods fails: guided backprop 0.95 [0.90,\u00a01.00]." in found["cascade"]
    assert "Undecided: saliency." in found["cascade"] and "Passed: deconvnet and Grad-CAM (sum 1)." in found["cascade"]
    assert "the fully random network alone would have found none" in found["cascade"]


def test_several_methods_fail_the_most_stubborn_first():
    found = said(cascade=cascade({"guided backprop": 0.95, "saliency": 0.8}, end=0.9))
    assert found["answer"].startswith("**2 of 4 kinds of maps stay ")
    assert "2 of 4 methods fail: guided backprop 0.95 [0.90,\u00a01.00] and saliency" in found["cascade"]
    assert "With all weights random, saliency and guided backprop still fail." in found["cascade"]
    one = said(cascade=cascade({"guided backprop": 0.95}, end=0.9))
    assert "With all weights random, guided backprop still fails." in one["cascade"]


def test_where_no_method_fails_that_is_the_answer():
    found = said(cascade=cascade({"saliency": 0.3}))
    assert found["answer"].startswith("**No method clearly fails the cascade**: saliency")
    assert "no method clearly fails; saliency keeps most" in found["cascade"] and "fail any more" not in found["cascade"]
    assert "Undecided" not in found["cascade"]


def test_each_kind_of_people_is_named():
    assert said()["people"] == "32 mannequins" and "silhouettes of the visible limbs" in said()["limbs"]
    found = said(rendered=False)
    assert found["people"] == "32 people" and "only in" not in found["limbs"] and "mannequins only." in found["limbs"]


def test_the_other_side_and_a_code_of_one_cell():
    metrics = planted(refused={"stack0.bottleneck1": "a single cell"})
    for label in METHODS[:2]:
        metrics["tests"][label]["other side"] = block(0.8)
    text = words.test_words(metrics)
    assert "saliency and guided backprop draw much the same map" in text and "the code is a single cell" in text
    metrics["tests"]["saliency"]["other side"] = block(0.1)
    assert "guided backprop draws much the same map" in words.test_words(metrics)
    assert "same map" not in said()["tests"] and "single cell" not in said()["tests"]


def test_controls_put_methods_into_proportion():
    assert "No method is clearly better" in said()["controls"] and "Every method is better than edges" in said()["controls"]
    lead = planted()["better than the answer"] | {"saliency": {"deletion": block(0.2)}}
    faults = planted()["faults"] | {"deconvnet": ["fails the cascade", "not clearly better than edges"]}
    found = said(**{"better than the answer": lead, "faults": faults})
    assert "Saliency (by 0.200" in found["controls"] and "deconvnet is not clearly better than edges in" in found["controls"]
    assert "In the tests above the deconvnet fails the cascade and is not clearly better than edges." in found["patches"]
    assert "No test above speaks against the deconvnet" in said()["patches"]


def test_grad_cam_by_layer():
    text = said()["gradcam"]
    assert "points best at *sum1*: there its peak lies on 60.0 %" in text and "A map is empty where" in text
    assert text.endswith("| skip1 | 10.0 % [5.0, 15.0] | 0.10 [0.05,\u00a00.15] | 40 % |")
    weak = {"stack0.sum1": {"pointing": block(0.02), "like the answer": block(0.5), "empty": 0.0}}
    assert "at no layer." in said(gradcam=weak)["gradcam"] and "A map is empty" not in said(gradcam=weak)["gradcam"]
    assert said(gradcam={})["gradcam"].startswith("At this resolution every layer has a single cell")


def test_dependency():
    text = said()["dependency"]
    assert "moves by 30 hundredths" in text
    assert (
        "Of 4 pairs of different joints with enough people to tell, 2 have an effect whose interval lies above 0, and 1 one whose" in text
    )
    assert (
        "hiding other parts of the person moves the joint more" in text
        and "with the nose hidden, the neck moves by 10 [7,\u00a013]" in text
    )
    assert "Effects fall with the number of limbs" in text and "correlation of too few pairs." in text
    assert "depend most on the nose: hiding it moves them by 10.0" in text
    unknown = [[None] * 3] * 3
    found = planted()["dependency"]
    nothing = found | {"effect": {"mean": unknown, "low": unknown, "high": unknown}, "moved": unknown, "on the others": {},
                       "closeness": found["both ways"]}  # fmt: skip
    text = said(dependency=nothing)["dependency"]
    assert text.startswith("Of 0 pairs") and "depend most" not in text and "strongest effect" not in text
    assert "Closeness along the limbs does not clearly order the effects" in text
    table = words.verdicts(planted(dependency=nothing))
    assert (
        table["Strongest pair (hundredths of the torso)"]
        == table["Joints whose hiding moves the others most (hundredths of the torso)"]
        == "none"
    )


def test_maximised_pictures():
    assert "2 of 3 such pictures" in said()["maximised"] and "The exceptions: random direction." in said()["maximised"]
    assert "Codes of people do not reach as far" in said()["maximised"]
    all_beyond = {"component 1": {"made": 2.0, "best": 1.0}, "random direction": {"made": 2.0, "best": 1.0}}
    text = said(maximised=all_beyond)["maximised"]
    assert "exceptions" not in text and "as far" not in text
    assert words.maximised_label("left wrist", {"made": 9.04, "best": -0.51}) == "left wrist\n9.04 sd (−0.51)"


def test_tables():
    metrics = planted()
    rows = words.cascade_rows(metrics["cascade"], ["edges", "random map", "the answer"])
    by_name = {row[""]: row for row in rows}
    assert "noise" not in by_name and by_name["guided backprop"]["+ decoder"] == "fails, 0.95 [0.90,\u00a01.00]"
    assert by_name["edges: control"]["+ decoder"] == "1.00 [0.95,\u00a01.05]"
    faults = metrics["faults"] | {"guided backprop": ["fails the cascade"]}
    metrics["tests"]["saliency"]["on limbs"] = block(0.4)
    rows = {row[""]: row for row in words.test_rows(metrics["cascade"], metrics["tests"], faults, CONTROLS)}
    assert set(rows) == {
        "saliency",
        "guided backprop: fails the cascade",
        "deconvnet",
        "Grad-CAM (sum 1)",
        *(f"{c}: control" for c in CONTROLS),
    }
    assert rows["saliency"]["on its limbs"] == "0.40 [0.35,\u00a00.45]"
    table = words.verdicts(metrics)
    assert table["Fail the cascade (head and decoder random)"] == "guided backprop" and table["Undecided in it"] == "saliency"
    assert words.verdicts(planted(cascade=cascade({})))["Fail the cascade (head and decoder random)"] == "none"
    assert said()["table"].startswith("| | mannequins | photographs |")


@pytest.mark.parametrize("values", [[], [None]])
def test_nothing_has_no_median(values):
    assert words._median(values) is None and words._median([3.0, 1.0]) == 2.0


def outside(**changes):
    """The metrics of a network that is no hourglass and has no ReLUs."""
    metrics = planted()
    kept = {label: block(0.1) for label in METHODS} | {"edges": block(1.0), "noise": block(1.0), "the answer": block(0.0)}
    levels = ["final", "layer4", "conv1"]
    metrics["cascade"] |= {
        "levels": levels, "decided at": "conv1", "alike": {label: dict.fromkeys(levels, value) for label, value in kept.items()},
        "verdicts": {label: dict.fromkeys(levels, cascade_verdict(value)) for label, value in kept.items()}, "at": kept,
    }  # fmt: skip
    metrics["cascade"]["worst"] = {"method": "saliency"} | kept["saliency"]
    metrics["gradcam"] = {f"backbone.{name.partition('.')[2]}": value for name, value in metrics["gradcam"].items()}
    why = "deconvnet changes what ReLU modules hand back, and this network has none"
    return metrics | {"impossible": {"guided backprop": why, "deconvnet": why}, "excited": {}, "projections like edges": None} | changes


def test_a_network_that_is_no_hourglass_is_told_of_by_its_own_parts():
    metrics = outside()
    text = words.sentences(metrics, "lspet:folder")
    assert text["step"] == "+ conv1" and text["decides"].startswith("There all weights are random")
    assert "With all weights random, no method clearly fails" in text["cascade"] and "head and decoder" not in text["cascade"]
    assert "backbone.sum1" not in text["gradcam"] and "sum1" in text["gradcam"]
    assert "Not tested: guided backprop and deconvnet; deconvnet changes what ReLU modules hand back" in text["tests"]
    assert (
        text["patches"] == "This figure cannot be made for net: deconvnet changes what ReLU modules hand back, and this network has none."
    )
    assert words.steps(metrics["cascade"]) == {"random\nweights": "conv1"} and "all weights random" in text["table"]
    assert words.steps(planted()["cascade"]) == {"random head\nand decoder": "decoder", "random\nweights": "stem"}


def test_maps_that_are_empty_are_not_counted_as_people():
    text = words.targets(planted())
    assert text.count("(over") == 1 and "for the mean (over 29; the maps of the others are empty)" in text


def test_targets_that_everybody_reaches_alike_are_said():
    maximised = planted()["maximised"] | {"left elbow": {"made": None, "best": None}}
    text = words.sentences(outside(maximised=maximised), "lspet:folder")
    assert "the same for all people: left elbow." in text["maximised"] and "left elbow" not in text["maximised"].partition("A target")[0]
