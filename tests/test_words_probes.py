"""What 05_probes says, by planted metrics: every branch."""

import json

import pytest

from posekit.workflow.words import probes as words


def correlated(*r):
    return {"people": 900, "r": list(r), "low": [x - 0.05 for x in r], "high": [x + 0.05 for x in r]}


def probe(r2, chance=0.01, half=0.03):
    return {"r2": r2, "low": r2 - half, "high": r2 + half, "chance": chance}


def read(code, answer=0.0, pixels=0.0):
    more = {"mean": code - pixels, "low": code - pixels - 0.03, "high": code - pixels + 0.03}
    later = {"mean": answer - code, "low": answer - code - 0.03, "high": answer - code + 0.03}
    return {"code": probe(code), "pixels": probe(pixels), "answer": probe(answer), "more": more, "later": later}


def walk(direction, skips, verdict=None, effect=0.5, moved="moved"):
    found = {"direction": direction, "skips": skips, "moved_verdict": moved}
    if verdict is None:
        return found
    return found | {"effect": {"mean": effect, "low": effect - 0.1, "high": effect + 0.1}, "effect_verdict": verdict, "p": 0.01}


def planted(**changes):
    metrics = {
        "network": "net", "hook_point": "stack0.bottleneck1", "people": 1000, "rendered": False, "seen": "of val", "components": 3,
        "shares": [0.3, 0.1, 0.05], "agreement": [0.99, 0.7, 0.95], "named": [True, False, True],
        "correlations": {"tilt": correlated(-0.7, 0.1, 0.0), "sitting": correlated(0.1, 0.2, -0.4)},
        "posture": {}, "postures": 9, "probes": {"lean": read(0.6), "sitting": read(0.3)},
        "neighbours": {"the code": {"mean": 0.4, "low": 0.38, "high": 0.42, "people": 90, "neighbour": 0.5, "anybody": 0.8, "nearest": 0.3},
                       "pixels": {"mean": 0.05, "low": 0.04, "high": 0.06}},
        "nearest": {"relative": [0.9, 1.1], "way": [0.8, 0.9]}, "walked": ["lean"], "step": 2.0, "walkers": 32,
        "moved": {"intact": {"directions": 0.3, "random directions": 0.1}, "mean": {"directions": 0.4, "random directions": 0.2}},
        "walks": [walk("probe: lean", "intact", "more than chance"), walk("probe: lean", "mean", "nothing")], "refused": {},
    }  # fmt: skip
    return json.loads(json.dumps(metrics | changes))


TIES = {
    "no": {"tilt": correlated(-0.7, 0.1, 0.0), "sitting": correlated(0.1, 0.2, -0.4)},
    "undecided": {"tilt": correlated(-0.25, 0.1, 0.0), "sitting": correlated(0.2, 0.2, -0.4)},
    "yes": {"knee flexion": correlated(-0.7, 0.1, 0.0), "sitting": correlated(0.6, 0.2, -0.4)},
    "unknown": {"tilt": correlated(-0.7, 0.1, 0.0)},
}


@pytest.mark.parametrize(
    ("verdict", "answer", "sitting", "cell"),
    [
        ("no", "**The first component is not sitting", "**The first component is not sitting versus", "does not hold"),
        ("undecided", "**Undecided**: so few people cannot show", "So few people cannot decide this.", "undecided"),
        ("yes", "**The first component is sitting versus standing**", "The first component is sitting versus", "holds: |r| = 0.70"),
        ("unknown", "The first component correlates most with *tilt*", "This cannot be tested on these people: defined", "not measured"),
    ],
)  # fmt: skip
def test_sitting_versus_standing(verdict, answer, sitting, cell):
    metrics = planted(correlations=TIES[verdict], refused={"sitting": "defined for 3"})
    assert words.is_sitting(metrics) == verdict
    said, table = words.sentences(metrics), words.verdicts(metrics)
    assert said["answer"].startswith(answer) and said["sitting"].startswith(sitting)
    assert table["It is sitting versus standing"].startswith(cell)
    if verdict == "no":
        assert said["sitting"].endswith(
            "Of all components, component 3, with 5 % of the variance, is nearest to *sitting*: |r| = 0.40 [0.35,\u00a00.45]."
        )


def test_the_component_beside_the_first():
    said = words.sentences(planted())
    assert said["second"] == "component 3, of all components the one nearest to *sitting*"
    assert said["axes"] == "the first component (left) and component 3, of all components the one nearest to *sitting* (right)"
    for tie in ("yes", "unknown"):
        said = words.sentences(planted(correlations=TIES[tie]))
        assert (said["second"], said["axes"]) == ("component 2", "the first component")


def test_mannequins_have_their_true_posture():
    metrics = planted(rendered=True, correlations=TIES["no"] | {words.POSTURES: correlated(0.02, 0.1, 0.1)})
    said = words.sentences(metrics)
    assert "the correlation with that posture is 0.02 [0.00,\u00a00.07]" in said["sitting"]
    assert said["people"] == "1,000 mannequins, of val" and said["attributes"].startswith("Mannequins have 1 more attributes")
    assert (
        words.sentences(planted())["attributes"]
        == "Mannequins have more attributes, the factors of their rendering, marked *true*; photographs have none of these."
    )


@pytest.mark.parametrize(
    ("named", "has", "lacks"),
    [
        (
            [True, False, True],
            ["*tilt* for component 1 (|r| = 0.70", "No name", "component 2 (mean |cos| 0.70)", "45 % of the variance"],
            [],
        ),
        ([True, True, True], ["*sitting* for component 2"], ["No name"]),
        ([False, False, False], ["No name", "component 1 (mean |cos| 0.99)"], ["variance"]),
    ],
)
def test_the_first_components_are_named_where_halves_agree(named, has, lacks):
    said = words.first(planted(named=named))
    assert all(text in said for text in has) and not any(text in said for text in lacks)


def test_what_is_read_and_what_is_not():
    assert words.read({"lean": read(0.1)}) == "No attribute is read well: for none the interval of R² lies above 0.2."
    assert (
        words.read({"lean": read(0.3), "tilt": read(0.6)})
        == "The attributes read best from the code are *tilt* (R² = 0.60) and *lean* (R² = 0.30)."
    )
    metrics = planted(probes={"lean": read(0.3, answer=0.6), "true size": read(0.0, pixels=0.2), "facing": read(0.01)})
    assert words.unread(metrics) == (
        "About some attributes more can be read from the predicted joints than from the code, most of all about *lean* "
        "(R² = 0.60 against 0.30): the network holds this outside the first 3 components, not along a straight line, or in its skip "
        "connections. From the code, nothing beyond chance is read about *true size* and *facing*."
    )
    assert words.unread(planted()) == ""
    many = words.unread(planted(probes={f"a{i}": read(0.0) for i in range(9)}))
    assert many == "From the code, nothing beyond chance is read about *a0*, *a1*, *a2*, *a3*, *a4* and 4 others."
    assert words.pixels(metrics["probes"]).startswith("From pixels, *true size* is read better than from the code")
    assert words.pixels(planted()["probes"]) == "No attribute is read better from pixels than from the code."


@pytest.mark.parametrize(
    ("r2", "said"),
    [(0.0, "is read no better than by chance"), (0.1, "is barely readable"), (0.3, "is partly readable"), (0.6, "is readable")],
)
def test_grades(r2, said):
    assert words.grade(probe(r2)) == said


@pytest.mark.parametrize(
    ("answer", "said"),
    [(0.5, "it is read significantly better (*facing*, R² = 0.50)"), (0.12, "it is not read significantly better (*facing*, R² = 0.12)")],
)
def test_factors(answer, said):
    metrics = planted(
        probes={"upright": read(0.6), "facing": read(0.1, answer=answer), "box size": read(0.0)},
        posture={"correct": {"mean": 0.5, "low": 0.45, "high": 0.55}, "most common": {"mean": 0.2, "low": 0.1, "high": 0.3}},
    )
    text = words.factors_read(metrics)
    assert (
        "which of 9 **postures** a mannequin has. It is right for 50 % [45,\u00a055] of them" in text
        and "right for 20 % [10,\u00a030]" in text
    )
    assert "**Orientation** is readable: *upright*, R² = 0.60." in text and said in text
    assert "**Size** is read no better than by chance" in text and "blur" in text and "**Posture**" not in text


def test_neighbours_and_the_ends_of_a_walk():
    said = words.sentences(planted())
    assert "reach 40 % [38,\u00a042], neighbours by pixels 5 % [4,\u00a06]. This is over the 90 people" in said["neighbours"]
    assert "0.9 and 1.1 typical distances away, hardly farther than people typically are from their nearest neighbours." in said["near"]
    assert "away, no farther than" in words.near({"relative": [0.9, 1.04], "way": [0.5, 0.5]})
    assert ", at one end farther than people" in words.near({"relative": [0.9, 1.3], "way": [1, 1]})
    assert ", at both ends farther than people" in words.near({"relative": [1.1, 1.3], "way": [1, 1]})


def test_every_verdict_of_a_walk_is_said():
    directions = [
        walk("a", "intact", "more than chance"), walk("b", "intact", "more than chance", effect=-0.5),
        walk("c", "intact", "no more than chance"), walk("d", "intact", "nothing"), walk("e", "intact", "undecided"),
        walk("f", "intact", moved="nothing"),
    ]  # fmt: skip
    said = words.walks(planted(walks=directions), "intact")
    assert said == (
        "**With skip connections intact**, a walk moves the joints by 0.30 trunk lengths (median over directions), and a walk along "
        "a random "
        "direction by 0.10. No joint moves along f. The attribute changes more than along random directions (p < 0.05 after Holm's "
        "correction) for a and b (against the direction). No such effect is shown for c and d. Too few random directions were drawn to "
        "judge e."
    )
    assert words.walks(planted(), "mean").endswith(
        "No attribute is shown to change more than along random directions: the probe of *lean*."
    )
    assert words.sentences(planted(moved={}, walks=[]))["walks"] == "No walk could be measured here."


def test_the_table():
    table = words.verdicts(planted())
    assert table["Read from 3 components: lean"] == "R² 0.60 [0.57,\u00a00.63]; from pixels 0.00, from the predicted joints 0.00"
    assert table["Walked by ±2 sd: lean, skips intact"] == "0.50 [0.40,\u00a00.60] sd, more than chance"
    assert words.verdicts(planted(walks=[]))["Walked by ±2 sd: lean, skips at their means"] == "not measured here"
    assert ", no more than chance" in words.verdicts(planted(probes={"lean": read(0.0)}))["Read from 3 components: lean"]
