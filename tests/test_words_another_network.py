"""What 11_another_network says, by planted metrics: every branch."""

import pytest

from posekit.workflow import claims
from posekit.workflow.words import another_network as words

OWN = "own-net"
NAMES = (words.HEATMAPS, words.LANDMARKS, OWN)


def block(mean, half=0.02, **more):
    return {"mean": mean, "low": mean - half, "high": mean + half, "people": 150} | more


def component(attribute, r, half=0.1, share=0.12):
    return {"component": 1, "attribute": attribute, "r": r, "low": r - half, "high": r + half, "share": share}


def part(mean, intact=0.5):
    return block(mean) | {"change": block(mean - intact)}


def planted(**changes):
    metrics = {
        "own": OWN, "people": 150, "seen": "none of whom it was trained on", "coded": 200, "hidden": 40, "explained": 10, "fewer": 5,
        "score": dict(zip(NAMES, map(block, (0.47, 0.41, 0.63)), strict=True)),
        "upright": dict(zip(NAMES, map(block, (0.6, 0.62, 0.64)), strict=True)),
        "gain": dict(zip(NAMES, map(block, (0.13, 0.21, 0.01)), strict=True)),
        "branches": block(0.06), "branches, upright": block(-0.05), "own ahead": block(0.16), "floor": 0.055, "ceiling": 0.9,
        "angles": [-180, -90, 0, 90],
        "headings": dict(zip(NAMES, ([block(v) for v in each] for each in (
            (0.1, 0.3, 0.6, 0.3), (0.05, 0.2, 0.62, 0.2), (0.5, 0.6, 0.64, 0.6))), strict=True)),
        "intact": block(0.5),
        "skips": {"skip2": part(0.48), "skip3": part(0.4), "skip4": part(0.3), "all": part(0.2), "decoder5": part(0.1)},
        "code": {words.BLAZEPOSE: [component("facing", 0.7)], OWN: [component("lean", -0.8)]},
        "dependency": {words.BLAZEPOSE: {"mean": [[None, 0.1], [0.2, 0.3]]}, OWN: {"mean": [[0.1, 0.1], [None, 0.3]]}},
        "closeness": {words.BLAZEPOSE: block(0.3), OWN: block(0.4)}, "agreement": block(0.5, p=0.001),
        "cka": {"rows": ["labels", "pixels", "encoder5, random", "encoder4", "encoder5"], "columns": ["labels", "pixels", "sum1"],
                "table": [[1, 0, 0.6], [0, 1, 0.1], [0, 0.9, 0.05], [0, 0, 0.7], [0, 0, 0.5]]},
        "cka of codes": block(0.52),
        "methods": ["saliency", "guided"],
        "cascade": {"decided at": "decoder", "verdicts": {"saliency": {"decoder": "passes"}, "guided": {"decoder": "fails"}},
                    "at": {"saliency": block(0.2), "guided": block(0.95)}, "empty": {"saliency": 0, "guided": 0}},
        "better": {"saliency": {"deletion": block(0.1), "insertion": block(0)}, "guided": {"deletion": block(0), "insertion": block(0)}},
    }  # fmt: skip
    return metrics | changes


def said(name, **changes):
    return words.sentences(planted(**changes), "lspet")[name]


def gains(mean, half=0.02):
    return {"gain": planted()["gain"] | {words.LANDMARKS: block(mean, half)}}


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        ("answer", {}, (
            "**The main finding holds**: without its skip connections BlazePose's heatmaps find only 40 % as many joints as with "
            "them."
        )),
        ("answer", {"intact": block(0.3)}, "Not all findings hold**: without its skip connections BlazePose's heatmaps still find 67 % as"),
        ("score", {}, "for upright people: with the trunk upright its landmarks find 1.5 times as many joints."),
        ("score", gains(0.01), "Its landmarks do not clearly gain from an upright trunk."),
        ("people", {}, "*own-net*. Both are applied to 150 people, none of whom it was trained on."),
        ("where", {}, ""),
        ("score", {}, "The median pose finds 5.5 %. own-net finds more joints than the heatmaps"),
        ("score", {"own ahead": block(-0.1)}, "own-net finds fewer joints"),
        ("score", {"own ahead": block(0.0)}, "The difference between own-net and the heatmaps of BlazePose is not significant"),
        ("headings", {}, "57 points for its landmarks (worst at −180°) and 14 points for own-net (worst at −180°)."),
        ("headings", {}, "depends less on the direction; its training"),
        ("branches", {}, "The heatmaps, which the product does not use, find more joints than the landmarks, which it uses"),
        ("branches", {}, "the difference is reversed: −5.0"),
        ("branches", {"branches, upright": block(0.05)}, "the difference remains"),
        ("branches", {"branches, upright": block(0.01)}, "the difference is no longer significant"),
        ("branches", {"branches": block(-0.06)}, "The landmarks, which the product uses, find more joints than the heatmaps"),
        ("branches", {"branches": block(0.0)}, "Heatmaps and landmarks find about as many joints"),
        ("skips", {}, "Of the three, the skip connection of 16 × 16 cells costs most: replaced by its mean, it changes PCK by −20.0"),
        ("skips", {}, "find 40 % as many joints as the intact network. Replacing the part from the code instead costs more: −40.0"),
        ("code", {}, "of BlazePose correlates strongly with *facing* (where the person faces), r = 0.70"),
        ("code", {}, "of own-net correlates strongly with *lean* (how the person is rotated in the picture), r = −0.80"),
        ("code", {"code": {words.BLAZEPOSE: [component("sitting", 0.3)]}}, "correlates only weakly with *sitting*, r ="),
        ("code", {"code": {words.BLAZEPOSE: [component("sitting", 0.6, 0.2)]}}, "correlates moderately with *sitting*, r ="),
        ("code", {"code": {words.BLAZEPOSE: [component("tilt", 0.1, 0.9)]}}, "*tilt* (how the person is rotated in the picture)"),
        ("dependency", {}, "use partly the same other joints: the rank correlation of the matrices is 0.50"),
        ("dependency", {}, "0.30 [0.28,\u00a00.32] for BlazePose and 0.40 [0.38,\u00a00.42] for own-net"),
        ("dependency", {"agreement": block(0.5, p=0.2)}, "is not clear"),
        ("dependency", {"agreement": dict.fromkeys(("mean", "low", "high", "p"))}, "The 40 people are too few"),
        ("cka", {}, (
            "encoder4 of BlazePose and sum1 of own-net, with a CKA of 0.70. With the same layer of own-net, the code of an "
            "untrained BlazePose has 0.05"
        )),
        ("cka", {}, "than the picture itself explains. The two codes have a CKA of 0.52"),
        ("explanations", {}, "guided 0.95 [0.93,\u00a00.97] fails the cascade, over 5 people. No map is empty"),
        ("explanations", {}, " Over 10 people, saliency is significantly"),
        ("table", {}, " | facing, r = 0.70 |"),
    ],
)  # fmt: skip
def test_sentences(name, changes, text):
    assert text in said(name, **changes)


def test_headings_of_networks_that_depend_on_them_as_much():
    level = planted()["headings"]
    assert "depends no less on the direction" in said("headings", headings=level | {OWN: level[words.LANDMARKS]})
    some = [block(value) for value in (0.3, 0.5, 0.64, 0.5)]
    assert said("headings", headings=level | {OWN: some}).endswith("depends less on the direction.")


def test_alignment_that_the_picture_gives():
    table = planted()["cka"]
    table["table"][1][2] = 0.65
    assert "hardly more than the picture itself explains" in said("cka", cka=table)


def test_methods_none_or_all_of_which_fail():
    cascade = planted()["cascade"] | {"empty": {"saliency": 2, "guided": 0}}
    cascade["verdicts"] = {name: {"decoder": "undecided"} for name in planted()["methods"]}
    better = {name: {"deletion": block(0.0)} for name in planted()["methods"]}
    found = said("explanations", cascade=cascade, better=better)
    assert (
        "no method clearly fails" in found
        and "Undecided: saliency and guided." in found
        and "no method is significantly better" in found
        and "Empty maps, which count as 0, at this step: 2 of saliency." in found
    )


def test_without_the_network_the_page_says_how_to_get_it():
    kept = words.sentences(planted(), "mannequins", "its weights are not here")
    assert kept["where"].startswith("BlazePose is not here: its weights are not here. This page quotes") and kept["answer"] == said(
        "answer"
    )
    nothing = words.sentences({}, "mannequins", "its weights are not here")
    assert nothing.keys() == kept.keys() and nothing["answer"] == "*Not measured in this edition.*"
    assert nothing["where"] == "BlazePose is not here: its weights are not here."
    assert words.verdicts({}) == {} and nothing["blank"] == nothing["dotted"] == ""


def test_captions_name_what_is_drawn():
    assert said("blank") == f" Blank: {words.FEW}." and said("dotted") == " Dotted: what the labels allow."
    full = planted()["dependency"] | {OWN: {"mean": [[None, 0.1], [0.2, 0.3]]}}
    assert said("blank", dependency=full) == "" and said("dotted", ceiling=None) == ""


def test_each_claim_is_decided_by_what_the_chapter_measures():
    from pathlib import Path

    stated = [claim for claim in claims.read(Path(__file__).parents[1] / "book" / "claims.yaml") if claim.group == "another"]
    found = {claim.id: claims.decide(claim, planted()).verdict for claim in stated}
    assert found == {
        "blazepose-upright": "supported", "blazepose-landmarks": "not supported", "blazepose-skips": "supported",
        "blazepose-component": "supported", "blazepose-dependency": "supported", "blazepose-cka": "undecided",
    }  # fmt: skip
    shown = {"kept": planted(), "say": {}}
    assert {claims.decide(claim, shown).verdict for claim in stated} == {"not measured"}, "what is shown was not measured here"


def test_component_rows_stand_beside_each_other():
    row, *others = words.component_rows(planted()["code"])
    assert not others and row == {
        "component": "1", words.BLAZEPOSE: "12 %, facing, r = 0.70 [0.60,\u00a00.80]", OWN: "12 %, lean, r = −0.80 [−0.90,\u00a0−0.70]",
    }  # fmt: skip
