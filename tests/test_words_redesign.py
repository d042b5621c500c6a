"""What the chapter on redesigns says, by studies that are finished, unfinished, and of every outcome."""

from copy import deepcopy

import pytest

from posekit.workflow.words import redesign as words

BLOCK = {"mean": 0.02, "low": 0.01, "high": 0.03, "seeds": 3, "people": 7, "why": None}
HELD = BLOCK | {"mean": 0.005, "low": -0.01, "high": 0.02}
WORSE = BLOCK | {"mean": -0.02, "low": -0.03, "high": -0.01}
ALONE = BLOCK | {"low": None, "high": None}


def variant(kind, difference=BLOCK, **changes):
    return {
        "kind": kind, "why": "so", "against": "base", "seeds": [0, 1, 2], "val": 0.4,
        "test": BLOCK | {"mean": 0.41, "low": 0.4, "high": 0.42}, "difference": difference, "relative": difference,
        "parameters": 1234, "macs": 5e6, "epochs": 40, "plateau": True, "learned": True,
    } | changes  # fmt: skip


def study(**changes):
    return {
        "study": "redesign", "question": "?", "source": "lspet", "reference": "base", "seeds": [0, 1, 2],
        "people": {"train": 100, "val": 20, "test": 30}, "trainings": 12, "kept": 12, "missing": {}, "floor": {"val": 0.06, "test": 0.058},
        "ceiling": 0.9, "winner": "lean",
        "variants": {"base": variant("reference"), "lean": variant("found"), "noisy code": variant("found", HELD),
                     "basic modules": variant("found", WORSE)},
        "contrasts": {name: dict(BLOCK) for name in ("autoencoder", "autoencoder, wider", "autoencoder, linear", "autoencoder, random",
                                                     "winner", "winner's cost", "found, random")},
    } | changes  # fmt: skip


def undecided(why="3 of 12 trainings are missing", **changes):
    out = study(winner=None, **changes)
    out["contrasts"] = {name: {"mean": None, "low": None, "high": None, "why": why} for name in out["contrasts"]}
    return out


UNFINISHED = undecided(missing={"lean": [1], "wider": [0, 1, 2]}, kept=8)
LIVE = {
    "people": 1500, "epochs": 3, "seconds": 12.4, "floor": 0.06,
    "networks": {"base": {"val": 0.1}, "all three": {"val": 0.2}},
}  # fmt: skip


def with_winner(block):
    found = study()
    found["contrasts"]["winner"] = block
    return found


@pytest.mark.parametrize(
    ("found", "begins"),
    [
        (UNFINISHED, "**Which helps most is not decided yet**: 3 of 12 trainings are missing. Which of the redesigns"),
        (undecided("not at the plateau: lean"), "**Which helps most is not decided yet**: not at the plateau: lean. Of the redesigns"),
        (study(winner="base"), "**No**: of the redesigns that cost no more than the base, none"),
        (
            study(),
            "**Yes**: on photographs, the redesign of small networks chosen on validation people, *lean*, changes PCK by +2.0 %",
        ),
        (with_winner(HELD), "**Undecided**: on photographs, the redesign"),
        (with_winner(WORSE), "**No**: on photographs, the redesign"),
        (with_winner(ALONE), "**Not decided**: on photographs, the redesign"),
    ],
)
def test_the_answer_is_one_line(found, begins):
    said = words.answer(found, {})
    assert said.startswith(begins) and "\n" not in said


def test_the_answer_says_whether_shipped_networks_gain():
    pairs = {name: {"relative": {"mean": low + 0.01, "low": low, "high": low + 0.02}} for name, low in (("a", -0.01), ("b", 0.002))}
    said = "Of the shipped networks no redesign gains significantly."
    assert said in words.answer(study(), {"a": pairs["a"]})
    assert said not in words.answer(study(), pairs) and said not in words.answer(study(), {})


@pytest.mark.parametrize(
    ("found", "part"),
    [
        (UNFINISHED, "Which redesign wins is not decided yet: 3 of 12"),
        (study(winner="base"), "By the rule **the base wins**."),
        (
            study(),
            "better than the base (+2.0 [+1.0, +3.0] points); relative, +2.0 % [+1.0, +3.0]. The whole interval lies below the 7.5 %",
        ),
        (with_winner(BLOCK | {"mean": 0.1, "low": 0.08, "high": 0.12}), "The whole interval lies above the 7.5 %"),
        (with_winner(BLOCK | {"mean": 0.07, "low": 0.01, "high": 0.12}), "whether the gain is as large is undecided"),
        (with_winner(ALONE), "fewer than three trainings give no interval"),
    ],
)
def test_the_winner_and_the_goal(found, part):
    assert part in words.result(found)


def test_what_is_missing_is_named():
    said = words.progress(UNFINISHED)
    assert said == (
        "**4 of 12 trainings are missing.** A comparison is decided once all trainings of its networks are complete, the winner once "
        "those of all candidates are. Some seeds are missing of *lean* (seed 1). Not trained yet: *wider*."
    )
    assert words.progress(study()) == "All 12 trainings of the study are complete."
    assert "Some seeds are missing" not in words.progress(undecided(missing={"wider": [0, 1, 2]}))
    assert "Not trained yet" not in words.progress(undecided(missing={"wider": [0]}))


def test_floor_and_ceiling():
    assert words.floor(study()).endswith("If these labels are wrong, a perfect network scores about 90 %.")
    assert "it finds 5.8 % of the test people's joints" in words.floor(study())
    unknown = words.floor(study(floor=None, ceiling=None))
    assert "whose score is not kept here" in unknown and "is not known" in unknown


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({}, "All trained variants are at their plateau."),
        ({"plateau": False}, "Not at the plateau by this rule: *lean*."),
        ({"learned": False}, "and therefore not used: *lean*."),
        ({"learned": None}, "All trained variants are at their plateau."),
    ],
)
def test_plateau(changes, part):
    found = study()
    found["variants"]["lean"] |= changes
    assert words.plateau(found).endswith(part)
    nothing = study(variants={"base": {"seeds": []}})
    assert words.plateau(nothing) == "No variant is trained yet."


def test_the_autoencoder_and_its_controls():
    found = study()
    found["contrasts"] |= {
        "autoencoder, linear": HELD,
        "autoencoder, random": WORSE,
        "autoencoder, wider": HELD | {"why": "not at the plateau: wider"},
    }
    said = words.thesis(found)
    assert "The *autoencoder* is better than the base trained for as many epochs (+2.0 [+1.0, +3.0] points)." in said
    assert "with as many parameters over its own base, is not decided: not at the plateau: wider." in said
    assert "principal components it is not significantly different (+0.5" in said and "random directions it is worse (−2.0" in said
    assert words.thesis(UNFINISHED) == "Whether the autoencoder helps is not decided yet: 3 of 12 trainings are missing."


def test_redesigns_that_a_finding_suggests():
    assert words.own(study()) == (
        "Of the redesigns that a finding suggests, on photographs *lean* finds more joints than the base; *basic modules* finds fewer; "
        "*noisy code* finds a number that does not differ significantly."
    )
    assert "help is not decided yet: trainings of *lean* are missing." in words.own(UNFINISHED)
    two = study()
    two["variants"] = {"base": variant("reference"), "lean": variant("found"), "all three": variant("found")}
    assert (
        words.own(two) == "Of the redesigns that a finding suggests, on photographs *lean* and *all three* find more joints than the base."
    )
    two["variants"]["lean"]["difference"] = ALONE
    assert "*lean* finds a number that does not differ" in words.own(two)


@pytest.mark.parametrize(
    ("block", "part"), [(BLOCK, "better than those"), (WORSE, "worse than those"), (HELD, "not significantly different from those")]
)
def test_beside_what_is_drawn_at_random(block, part):
    found = study()
    found["contrasts"]["found, random"] = block
    assert part in words.random(found) and "(interval over redesigns)" in words.random(found)
    assert "is not decided yet" in words.random(UNFINISHED)


def test_other_sizes_and_people():
    nothing = undecided("6 of 6 trainings are missing", missing={"base": [0, 1, 2], "lean": [0, 1, 2]}, trainings=6)
    said = words.sizes({"redesign": study(), "a": nothing, "b": UNFINISHED, "c": study(winner="base"), "d": study()})
    assert said == (
        "None of the 6 trainings of the study *a* is complete yet. The study *b* is not decided yet: 3 of 12 trainings are missing. In the "
        "study *c* the base wins. In the study *d* the winner, *lean*, gains +2.0 % [+1.0, +3.0], relative."
    )


@pytest.mark.parametrize(
    ("scores", "part"),
    [
        ((0.1, 0.2), "*base* scores less than three times the median pose"),
        ((0.1, 0.15), "*base* and *all three* score less than three times"),
        ((0.3, 0.35), "neither network is at its plateau"),
    ],
)
def test_the_demonstration_decides_nothing(scores, part):
    shown = deepcopy(LIVE)
    for network, score in zip(shown["networks"].values(), scores, strict=True):
        network["val"] = score
    said = words.live(shown)
    assert part in said and "**This decides nothing**" in said and "After 3 epochs over 1,500 people" in said
    assert "After 1 epoch over" in words.live(shown | {"epochs": 1})


PORTRAIT = {
    "numbers": 512, "components95": 188, "participation": 12.9,
    "walks": {"intact": {"attribute": "upright", "moved": {"mean": 0.2}, "effect_verdict": "more than chance"},
              "mean": {"attribute": "upright", "moved": {"mean": 0.4}, "effect_verdict": "nothing"}},
}  # fmt: skip


def test_codes_of_trained_networks_are_named():
    said = words.code({"old": PORTRAIT, "new": PORTRAIT}, 1000)
    assert said.startswith("The code of *new* has 512 numbers, and 188 components hold 95 % of its variance; that of *old* has 512")
    assert "\n\n| over 1,000 people | old | new |" in said and "joints move by, torso lengths | 0.20 | 0.20 |" in said
    assert "the attribute changes | more than along random directions |" in said and "changes | not at all | not at all |" in said
    for verdict, told in (("undecided", "an undecided amount"), ("no more than chance", "no more than along random directions")):
        walked = PORTRAIT | {"walks": {"intact": PORTRAIT["walks"]["intact"] | {"effect_verdict": verdict}}}
        assert told in words.code({"old": walked, "new": walked}, 9)
    still = PORTRAIT | {"walks": {}}
    assert words.code({"old": still, "new": still}, 9).endswith("is 12.9 after the redesign and 12.9 before.")
    assert "the edition on photographs has" in words.code({}, 0)


def test_shipped_pairs():
    network = {"parameters": 1000, "macs": 2e6, "epochs": [16, 4]}
    pair = {"networks": {"new": network, "old": network}, "against": "old", "change": WORSE, "relative": WORSE, "people": 1639}
    said = words.full({"new": pair})
    assert (
        "On 1,639 test people, with PCK@0.2·torso: *new* is worse than *old* (−2.0" in said
        and "The redesign has 100 % of the other's multiply-adds" in said
    )
    apart = words.full({"new": pair | {"networks": {"new": network | {"epochs": [30, 40]}, "old": network | {"epochs": [42, 40]}}}})
    assert "multiply-adds. It was trained for 30 + 40 epochs, the other for 42 + 40. Each" in apart and "It was trained" not in said
    assert said.endswith("another training might differ by more.") and "the edition on photographs has" in words.full({})


def test_the_table_of_verdicts():
    found = study(study="redesign-mannequins", winner="base")
    found["contrasts"]["autoencoder, random"] = HELD | {"why": "the study has no variant random", "absent": True}
    lines = words.table({"redesign": UNFINISHED | {"variants": {"base": {"seeds": []}}}, "redesign-mannequins": found}).splitlines()
    assert lines[0] == "| | mannequins (study *redesign-mannequins*) | photographs (study *redesign*) |"
    assert lines[2] == "| Trainings | 12 of 12 | 8 of 12 |" and lines[3] == "| PCK of the base | 41.0 % [40.0, 42.0] | not trained yet |"
    assert "| +2.0 [+1.0, +3.0] points | not decided yet: 3 of 12 trainings are missing |" in lines[4]
    assert "| not measured: the study has no variant random |" in lines[7] and "| the base wins |" in lines[8]
    assert "lean: +2.0 %" in words.table({"redesign": study(), "redesign-mannequins": study()})


@pytest.mark.parametrize("found", [study(), UNFINISHED, study(winner="base"), undecided("not at the plateau: lean")])
def test_the_page_has_every_sentence(found):
    metrics = {"studies": {"redesign": found, "redesign-mannequins": found}, "live": LIVE, "code": {}, "code people": 0, "full": {}}
    said = words.sentences(metrics)
    assert all(text for name, text in said.items() if name != "dots") and not any(
        "None" in text.replace("None of the", "") or "nan" in text for text in said.values()
    )


def test_terms_without_people():
    assert words.terms(study()) == (
        "The *base* has 1,234 parameters and 5 million multiply-adds, and is trained for 40 epochs on 100 people "
        "of Leeds Sports Pose Extended; 20 others are for validation and 30 for test. Each variant is trained from 3 seeds."
    )
    assert "epochs. Each variant" in words.terms(study(people={}))
    assert words.against(ALONE) == "not compared with the base: fewer than three trainings (+2.0 points, without an interval)"
    assert "30 for test, of whom 25 have the labelled torso that PCK needs. Each" in words.terms(study(**{"test people": 25}))


def test_a_line_of_the_table():
    assert words.cells("lean", variant("found")) == {
        "variant": "lean", "seeds": "3", "val": "40.0 %", "test": "41.0 % [40.0, 42.0]", "points": "+2.0 [+1.0, +3.0]",
        "relative": "+2.0 % [+1.0, +3.0]", "parameters": "0.00 M", "multiply-adds": "5.0 M", "epochs": "40", "plateau": "yes",
    }  # fmt: skip
    alone = words.cells("lean", variant("found", ALONE, seeds=[1], plateau=False, test=ALONE))
    assert (alone["test"], alone["points"], alone["relative"], alone["plateau"]) == ("2.0 %", "+2.0", "+2.0 %", "no")
    base = words.cells("base", variant("reference", {"mean": None, "low": None, "high": None}))
    assert base["points"] == base["relative"] == "" and base["test"]
