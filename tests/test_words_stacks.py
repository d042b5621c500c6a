"""What 04_stacks says, by planted metrics: every branch. Of its study: test_words_studies.py."""

import pytest

from posekit.workflow.words import stacks as words

MISSING = {"study": "stacks", "trainings": 24, "missing": {"1 wide stack": [0]}, "kept": 0, "seeds": [0, 1, 2], "source": "lspet",
           "variants": {"1 wide stack": {"seeds": [1]}}}  # fmt: skip


def interval(mean, half=0.01):
    return {"mean": mean, "low": mean - half, "high": mean + half}


def block(mean, change=0.0, half=0.01):
    return interval(mean, 0.02) | {"change": interval(change, half)}


def gained(change, half=0.01, joints=None):
    return block(0.35, change, half) | {"joint changes": joints or {"wrist": interval(0.05), "hip": interval(0.0), "knee": interval(-0.05)}}


def planted(**changes):
    handed = {"features of stack 1": -0.06, "predictions of stack 1": -0.04, "stack 1 out": -0.16, "bypass of stack 1": -0.05}
    metrics = {
        "network": "hg2", "trained on": "lspet", "count": 2, "people": 640, "rendered": False, "strangers": 0, "study": MISSING,
        "stacks": {"stack 1": block(0.3), "stack 2": block(0.33)}, "gain": gained(0.03),
        "corrected": {"first to last": {"corrected": interval(0.09), "introduced": interval(0.06), "net": interval(0.03),
                                        "corrected of jitter": interval(0.2), "corrected of miss": interval(0.1)}},
        "flow": {"kinds": ["found", "jitter", "miss"], "joints": [[5, 1, 0], [2, 10, 1], [1, 2, 1000]]},
        "handovers": {name: {way: block(0.33 + d, d + 0.01 * i) for i, way in enumerate(("zero", "the mean", "another person's"))}
                      for name, d in handed.items()},
        "cka": {"people": 400, "pairs": {"code of stacks 1 and 2": interval(0.46, 0.05) | {"chance": 0.1},
                                         "heatmaps of stacks 1 and 2": interval(0.05, 0.05) | {"chance": -0.1}}},
    }  # fmt: skip
    return metrics | changes


def said(**changes):
    return words.sentences(planted(**changes), "lspet:folder")


@pytest.mark.parametrize(
    ("change", "answer", "verdict"),
    [
        (0.03, "**The last stack's prediction is better than the first one's**, by 3.0 points of PCK.", "yes"),
        (-0.03, "**The last stack's prediction is worse than the first one's**, by 3.0 points of PCK.", "no, worse"),
        (0.002, "**Undecided**: the predictions of the first and the last stack differ by 0.2 points of PCK, which may be chance.",
         "undecided"),
    ],
)  # fmt: skip
def test_the_answer(change, answer, verdict):
    assert said(gain=gained(change))["answer"] == answer
    assert words.verdicts(planted(gain=gained(change)))["A later stack is better"].startswith(verdict)


def test_people():
    assert said()["people"] == "640 people" and said(rendered=True)["people"] == "640 mannequins" and said()["network"] == "hg2"


def test_joints():
    text = said()["gain"]
    assert "By their own intervals, 1 of 3 joints improves significantly and 1 gets significantly worse." in text
    assert "The wrist gains most, +5.0" in text and "and the knee least, −5.0" in text
    alike = said(gain=gained(0.03, joints={"wrist": interval(0.05), "hip": interval(0.06)}))["gain"]
    assert "2 of 2 joints improve significantly and none gets" in alike
    worse = said(gain=gained(0.03, joints={"wrist": interval(-0.05), "hip": interval(-0.06)}))["gain"]
    assert "none of 2 joints improves" in worse and "2 get significantly worse" in worse


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("lspet", "which was trained on photographs"),
        ("mannequins", "which was trained on rendered people"),
        (None, "whose training is not known here"),
    ],
)
def test_what_the_network_learned_from_is_said(source, said):
    assert words.trained(source) == said


def test_errors():
    text = said()["errors"]
    assert "in 9.0 % [8.0, 10.0] of all joints, and introduces errors in 6.0 % [5.0, 7.0]." in text
    assert "the largest share among errors of the kind *jitter*, 20.0 % [19.0, 21.0] of 13 joints." in text
    assert "the smallest share among errors of the kind *miss*, 10.0 % [9.0, 11.0] of 1,003 joints." in text
    assert "No other people" in text and "No other people" not in said(strangers=3)["errors"]
    none = {"first to last": {"corrected": interval(0.0), "introduced": interval(0.0), "net": interval(0.0)}}
    assert "makes no errors that could be corrected." in said(corrected=none)["errors"]


def test_what_is_handed_on():
    text = said()["handover"]
    assert "at the mean, *features of stack 1* changes the score most, by −5.0 " in text
    assert "With stack 1 out, its features and predictions at their means, the score changes by −" in text
    idle = {name: {way: block(0.33, 0.0) for way in by_way} for name, by_way in planted()["handovers"].items()}
    assert "No single term at its mean lowers the score significantly." in said(handovers=idle)["handover"]


def test_what_stacks_have_in_common():
    text = said()["cka"]
    assert "| code of stacks 1 and 2 | 0.46 [0.41,\u00a00.51] | 0.10 |" in text and "| 0.00 |" in text
    assert text.startswith("For 1 of these 2 pairs of layers")
    pairs = planted()["cka"]["pairs"]
    (clear,) = (block for block in pairs.values() if block["low"] > max(block["chance"], 0))
    for count, start in ((1, "For the one pair of"), (2, "For both pairs of"), (3, "For all 3 pairs of")):
        cka = planted()["cka"] | {"pairs": {f"layers {i}": clear for i in range(count)}}
        assert said(cka=cka)["cka"].startswith(f"{start} layers of successive stacks, CKA")
    none = planted()["cka"] | {"pairs": {name: clear | {"low": 0.0} for name in pairs}}
    assert said(cka=none)["cka"].startswith("For none of these 2 pairs")


def test_the_table():
    table = words.verdicts(planted())
    assert table["Network"] == "hg2, 2 stacks, 640 people" and table["Corrected of errors of the kind jitter"] == "20.0 % [19.0, 21.0]"
    assert table["Change: bypass of the stack before at the mean"].startswith("−4.0") and table["CKA of their heatmaps"] == "0.05"
    assert said()["table"].startswith("| | mannequins") and "*1 wide stack* (seed 0)" in said()["study"]


def test_a_network_that_is_no_hourglass_is_asked_what_it_can_be():
    text = said(handovers={}, cka={"people": 400, "pairs": {}})
    assert text["handover"] == "*hg2* is no hourglass, and its stages do not name what they pass to the next one. Nothing is replaced here."
    assert text["cka"].startswith("*hg2* was adapted without a code or hook points of heatmaps for each stage")
    verdicts = words.verdicts(planted(handovers={}, cka={"people": 400, "pairs": {}}))
    assert "Joints found by the last" in verdicts and not [name for name in verdicts if name.startswith(("Change", "CKA"))]
    one = words.verdicts(
        planted(cka={"people": 400, "pairs": {"heatmaps of stacks 1 and 2": planted()["cka"]["pairs"]["heatmaps of stacks 1 and 2"]}})
    )
    assert [name for name in one if name.startswith("CKA")] == ["CKA of their heatmaps"], "the network named its heatmaps alone"
