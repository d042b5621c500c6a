"""The ledger of claims: each can come out each way, and what is wrong with a ledger is said by name."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from posekit.errors import PosekitError
from posekit.plots.comparisons.claims import overview
from posekit.studies import summary
from posekit.workflow import claims, runs
from posekit.workflow.words import claims as say

ROOT = Path(__file__).parents[1]
CLAIMS = claims.read(ROOT / "book" / "claims.yaml")
DECIDABLE = [claim for claim in CLAIMS if claim.rule]
ENTRY = {
    "id": "one", "name": "One", "claim": "One holds.", "source": "study", "chapter": "03_skips", "measure": "one", "metric": ["one"],
    "rule": {"above": 0},
}  # fmt: skip


def merged(a, b):
    return {**a, **b, **{key: merged(a[key], b[key]) for key in a if isinstance(a[key], dict) and isinstance(b.get(key), dict)}}


def nested(path, value):
    """Metrics that hold the value, or block of numbers, at a path of keys, and nothing else."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(key, dict):
        return [key | nested(rest, value)]
    if isinstance(key, int):
        return [nested(rest, value)] if rest else {name: [number] for name, number in value.items()}
    return {key: nested(rest, value)}


def at(path, value):
    """The same where keys may be looked up themselves: they are then found to be "chosen"."""
    metrics = nested(["chosen" if isinstance(key, list) else key for key in path], value)
    for key in path:
        if isinstance(key, list):
            metrics = merged(metrics, nested(key, "chosen"))
    return metrics


def planted(claim, wanted):
    """Metrics by which the claim's rule gives the wanted verdict."""
    rule = claim.rule
    if rule.equals is not None:
        lead = {"mean": 0.5, "low": -0.5 if wanted == "undecided" else 0.4, "high": 0.6}
        return merged(at(claim.metric, rule.equals + (wanted == "not supported")), at(rule.sure, lead))
    side, limit = (1, rule.above) if rule.above is not None else (-1, rule.below)
    half = rule.margin or 0.01
    number = limit + {"supported": 2, "undecided": 0, "not supported": -2}[wanted] * side * half
    block = {"mean": number, "low": number - half, "high": number + half}
    if claim.study:
        plain = {"mean": number, "low": number, "high": number} if rule.margin else block
        known = plain | {"seeds": 3, "people": 7, "why": None} | ({"p": rule.p / 2} if rule.p else {})
        return {"study": claim.study, "missing": {}, "trainings": 9} | nested(claim.metric, known)
    metrics = at(claim.metric, number / claim.times if rule.margin else block | ({"p": rule.p / 2} if rule.p else {}))
    if claim.minus:
        metrics = merged(metrics, at(claim.minus, {"mean": 0, "low": 0, "high": 0}))
    if claim.over:
        metrics = merged(metrics, at(claim.over, 1))
    if claim.needs:
        metrics = merged(metrics, merged(at(claim.needs.metric, claim.needs.below - 0.01), at(claim.needs.over, 1)))
    return metrics


@pytest.mark.parametrize("wanted", ["supported", "not supported", "undecided"])
@pytest.mark.parametrize("claim", DECIDABLE, ids=lambda claim: claim.id)
def test_each_claim_can_come_out_each_way(claim, wanted):
    verdict = claims.decide(claim, planted(claim, wanted))
    assert verdict.verdict == wanted, verdict
    assert say.measured(claim, verdict)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_each_claim_says_why_it_is_not_measured(claim):
    verdict = claims.decide(claim, {})
    assert verdict.verdict == "not measured" and verdict.number is None
    where = "the study" if claim.study else "its chapter"
    assert say.measured(claim, verdict) == verdict.why and (verdict.why == claim.why if claim.why else where in verdict.why)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_each_claim_points_at_what_is_there(claim):
    """Its source is in the bibliography, its figure in the chapter, and its metrics are those that the chapter writes."""
    sources = re.findall(r"^@\w+{(\w+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    assert claim.source in (*sources, "study", "book")
    assert "not measured" not in claim.said  # a source says something
    assert f'"{claim.chapter}"' in (ROOT / "notebooks" / "10_claims.py").read_text(encoding="utf-8")
    notebook = ROOT / "notebooks" / f"{claim.chapter}.py"
    if claim.figure and notebook.exists():
        mark = f"# ({claim.figure})=" if claim.figure.startswith("sec-") else f'"name": "{claim.figure}"'
        assert mark in notebook.read_text(encoding="utf-8")
    kept = ROOT / "book" / "reference" / "laptop" / f"{claim.chapter}.json"
    if claim.study:
        names = (
            *summary.CONTRASTS[claim.study],
            *summary.SHARES.get(claim.study, {}),
            "winner",
            "winner's cost",
            "found, random",
            "small joints",
        )
        assert claim.metric[0] == "contrasts" and claim.metric[1] in names and claim.study in summary.LEDGER
    elif claim.rule and kept.exists():
        metrics = json.loads(kept.read_text(encoding="utf-8"))
        if metrics.get(claim.metric[0]) == {}:
            pytest.skip(f"the run that is kept of {claim.chapter} was made without {claim.metric[0]}")
        verdict = claims.decide(claim, metrics)
        assert verdict.verdict != "not measured", verdict.why
        assert claim.people is None or verdict.number.people


@pytest.mark.parametrize("preset", claims.KINDS.values())
def test_the_people_of_a_claim_are_those_of_its_number(preset):
    """No claim takes the chapter's number of people for that of its own: the metric says it, or the ledger where it stands."""
    for claim in (each for each in DECIDABLE if not each.study and not each.people):
        metrics = runs.reference(claim.chapter, preset) or {}
        block = claims.look_up(metrics, claim.metric)
        assert "people" not in metrics or (isinstance(block, dict) and block.get("people")), claim.id


@pytest.mark.parametrize("path", sorted((ROOT / "presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_each_preset_has_its_runs_read(path):
    """What a preset runs, its ledger reads."""
    preset = yaml.safe_load(path.read_text(encoding="utf-8"))
    wanted = {claim.chapter for claim in CLAIMS} & set(preset)
    assert {value for value in preset["10_claims"].values() if value.startswith("run:")} == {f"run:{name}/metrics.json" for name in wanted}


def test_the_landing_page_shows_a_handful():
    assert 6 <= sum(claim.short for claim in CLAIMS) <= 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"clam": "One."}, "claim one has no entry 'clam'"),
        ({"group": "skips"}, "claim one has no entry 'group'"),
        ({"chapter": None}, "claim one: chapter is None; give a text"),
        ({"name": ...}, "claim one lacks name"),
        ({"rule": ...}, "claim one lacks rule; or say in `why`"),
        ({"why": "nobody looked"}, "claim one: either metric and rule decide it"),
        ({"only": "paintings"}, "claim one: only is 'paintings'; give one of mannequins, photographs"),
        ({"metric": "one"}, "claim one: metric is 'one'; give a list"),
        ({"times": True}, "claim one: times is True; give a number"),
        ({"rule": {"above": "much"}}, "claim one: rule: above is 'much'; give a number"),
        ({"rule": {"around": 1}}, "claim one: rule has no entry 'around'"),
        ({"rule": {}}, "claim one: rule: give one of above, below and equals"),
        ({"rule": {"above": 0, "below": 1}}, "claim one: rule: give one of above, below and equals"),
        ({"rule": {"equals": 2}}, "claim one: rule: equals and sure belong together"),
        ({"rule": [1]}, "claim one: rule is [1]; give a mapping"),
        ({"needs": [1]}, "claim one: needs is [1]; give a mapping"),
        ({"needs": {"metric": ["a"]}}, "claim one: needs lacks over"),
    ],
)
def test_a_claim_that_is_not_complete_is_refused_by_name(tmp_path, change, said):
    entry = {key: value for key, value in (ENTRY | change).items() if value is not ...}
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"skips": [entry]}))
    with pytest.raises(PosekitError, match=re.escape(said)) as error:
        claims.read(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("skips: [", "cannot be read"),
        ("- one", "give lists of claims by group"),
        ("skips: {one: 1}", "give lists of claims by group"),
        ("jumps: []", "no group 'jumps'; there are skips, stacks"),
        ("skips: [one]", "claim 1 of skips is no mapping"),
        (yaml.safe_dump({"skips": [ENTRY, ENTRY]}), "claim one is there twice"),
    ],
)
def test_a_ledger_that_is_none_is_refused(tmp_path, text, said):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(PosekitError, match=said):
        claims.read(path)


def test_a_ledger_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PosekitError, match="cannot be read"):
        claims.read(tmp_path / "claims.yaml")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (["a"], {"b": [1, 2], "c": [3, 4]}),
        (["a", "b"], [1, 2]),
        (["a", "b", -1], 2),
        (["a", 1], {"b": 2, "c": 4}),
        (["rows", {"n": 2}, "v"], 20),
        ([["key"], "b", 0], 1),  # a key that is looked up
        (["a", "z"], None),
        (["a", "b", 2], None),
        (["rows", {"n": 3}, "v"], None),
        ([["no key"], "b"], None),
        (["a", "b", "c"], None),
    ],
)
def test_look_up(path, found):
    metrics = {"a": {"b": [1, 2], "c": [3, 4]}, "rows": [{"n": 1, "v": 10}, {"n": 2, "v": 20}], "key": "a"}
    assert claims.look_up(metrics, path) == found


def one(**changes):
    return replace(claims.Claim("skips", "one", "One", "One holds.", "study", "03_skips", measure="one", metric=["a"]), **changes)


def block(mean, low, high, **more):
    return {"mean": mean, "low": low, "high": high, **more}


@pytest.fixture
def kept(monkeypatch):
    """Numbers kept of reference runs, to be filled in: (notebook, preset) to metrics."""
    numbers = {}
    monkeypatch.setattr(runs, "reference", lambda notebook, preset: numbers.get((notebook, preset)))
    return numbers


def test_an_edition_decides_by_its_own_runs_and_quotes_what_it_lacks(kept):
    claim = one(rule=claims.Rule(above=0))
    provenance = {"parameters": {"data": "lspet:somewhere@test"}}
    kept["03_skips", "lspet"] = {"a": block(-2, -3, -1, people=7), "provenance": provenance}
    kept["03_skips", "laptop"] = {"a": block(5, 4, 6), "provenance": {"parameters": {"data": "mannequins:6000"}}}
    found = claims.ledger([claim], "mannequins:300", {"03_skips": {"a": block(2, 1, 3), "people": 9}})["one"]
    assert found["mannequins"] == claims.Verdict("supported", number=claims.Estimate(2, 1, 3, people=9), data="mannequins")
    assert found["photographs"] == claims.Verdict("not supported", number=claims.Estimate(-2, -3, -1, people=7), data="lspet", kept=True)
    found = claims.ledger([claim], "mannequins:300", {"03_skips": {}})["one"]["mannequins"]
    assert found.kept and found.number.mean == 5, "of a run without the metric the reference takes the place"
    found = claims.ledger([claim], "coco:folder", {"03_skips": None})["one"]["photographs"]
    assert found.kept and found.data == "lspet"


def test_what_nobody_ran_is_not_measured(kept):
    found = claims.ledger([one(rule=claims.Rule(above=0))], "mannequins", {"03_skips": None})["one"]
    assert {kind: verdict.why for kind, verdict in found.items()} == {kind: f"no run of 03_skips on {kind}" for kind in claims.KINDS}


def test_the_sign_of_a_difference_is_written_whatever_its_unit(kept):
    ledger = claims.read(ROOT / "book" / "claims.yaml")
    signed = {claim.id for claim in ledger if claim.difference}
    assert {"stacks-refine", "components-noise", "redesign-better", "umap-far", "causes-atoms", "mass-probability"} <= signed
    plain = {"skips-needed", "clusters-annotated", "component-sitting", "causes-component", "causes-used", "umap-stable", "redesign-cost"}
    assert not plain & signed, "shares, correlations, and what is without its sign"
    by = {"mannequins": claims.Verdict("supported", number=claims.Estimate(0.037, 0.02, 0.054))}
    for claim in ledger:
        sign = "+" if claim.id in signed or claim.unit == "points" else ""
        for text in (say.brief(claim, by), say.numbers(claim, by), say.measured(claim, by["mannequins"])):
            assert text.startswith(sign + ("3.7" if claim.unit in ("points", "%") else "0")), (claim.id, text)


def test_a_chapter_that_is_not_read_is_refused(kept):
    with pytest.raises(PosekitError, match="claim one is of 03_skips; the chapters that are read are 04_stacks"):
        claims.ledger([one(rule=claims.Rule(above=0))], "mannequins", {"04_stacks": None})


def test_a_claim_that_one_kind_of_people_alone_decides():
    claim = one(rule=claims.Rule(below=0.5), only="photographs")
    metrics = {"03_skips": {"a": block(0.2, 0.15, 0.25)}}
    assert claims.ledger([claim], "mannequins", metrics)["one"]["mannequins"].why == "only photographs can decide it"
    assert claims.ledger([claim], "lspet:folder", metrics)["one"]["photographs"].verdict == "supported"


def test_a_table_links_to_what_this_edition_has(kept):
    claim = one(rule=claims.Rule(below=0.075), unit="points", figure="fig-one", said="a | b", short=True)
    metrics = {"03_skips": {"a": block(0.2, 0.15, 0.2501), "people": 1234}}
    verdicts = claims.ledger([claim], "mannequins", metrics)
    row = say.table([claim], verdicts, metrics).splitlines()[3]
    assert row == (
        "| **One holds.** *Decided by:* one; supported below 7.5 points. | the study: a \\| b "
        "| ✗ **not supported**: +20.0 [+15.0, +25.0] points; 1,234 mannequins "
        "| – **not measured**: no run of 03_skips on photographs | {numref}`fig-one` |"
    )
    assert "|  |" in say.table([claim], verdicts, []), "no link to a chapter that is not there"
    kept["03_skips", "laptop"] = metrics["03_skips"] | {"provenance": {"parameters": {}}}
    elsewhere = claims.ledger([claim], "lspet:folder", {"03_skips": {"b": 1}})
    assert "| [](03_skips) |" in say.table([claim], elsewhere, ["03_skips"]), "the figure is of another edition"
    assert say.outcome(verdicts["one"]) == "not supported on mannequins, not measured on photographs"
    alike = {kind: verdicts["one"]["mannequins"] for kind in ("mannequins", "photographs")}
    assert say.outcome(alike) == "not supported on mannequins and photographs"
    assert say.numbers(claim, verdicts["one"]) == "+20.0 [+15.0, +25.0] points on mannequins, not measured on photographs"
    assert say.brief(claim, verdicts["one"]) == "+20.0 points on mannequins; on photographs it is not measured"
    assert say.brief(claim, alike) == "+20.0 points on mannequins and +20.0 points on photographs"
    nowhere = dict.fromkeys(alike, claims.Verdict("not decided yet"))
    assert say.brief(claim, nowhere) == "not decided yet on mannequins and photographs"
    apart = {"mannequins": claims.Verdict("not decided yet"), "photographs": claims.Verdict("not measured")}
    assert say.brief(claim, apart) == "not decided yet on mannequins and not measured on photographs"
    unsure = {"mannequins": claims.Verdict("undecided", number=claims.Estimate(0.2, -0.1, 0.5))}
    assert say.brief(claim, unsure) == "+20.0 points on mannequins (undecided whether below 7.5 points)"
    assert say.short_table([claim], verdicts).splitlines()[3] == "| One | ✗ not supported | – not measured |"
    assert claims.counts([found["mannequins"] for found in verdicts.values()])["not supported"] == 1


def test_the_overview_says_each_verdict_in_words():
    figure = overview({"Skip connections": [("One", {"mannequins": "supported", "photographs": "not measured"})]}, claims.MARKS)
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "mannequins", "photographs", "Skip connections", "One", "✓ supported", "– not measured",
    ]  # fmt: skip


STUDIED = [claim for claim in CLAIMS if claim.study]


def test_the_claims_about_training_are_decided_by_studies():
    others = {"skips-retrained", "small-joints-retrained", "stacks-wide", "labels-learning"}
    assert {claim.id for claim in CLAIMS if claim.group == "redesign" and claim.rule} | others == {claim.id for claim in STUDIED}
    assert "redesign-random" in {claim.id for claim in STUDIED}


@pytest.mark.parametrize("claim", STUDIED, ids=lambda claim: claim.id)
@pytest.mark.parametrize("why", ["under 3 times the median pose's score: lean", "not at the plateau: base", "2 of 6 trainings are missing"])
def test_what_keeps_a_number_from_deciding_is_said(claim, why):
    found = planted(claim, "supported")
    claims.look_up(found, claim.metric)["why"] = why
    verdict = claims.decide(claim, found)
    assert (verdict.verdict, verdict.why, verdict.number) == ("not decided yet", why, None)
    claims.look_up(found, claim.metric)["absent"] = True
    assert claims.decide(claim, found).verdict == "not measured"


def test_a_study_decides_alone_on_its_kind_of_people_and_is_named(kept):
    claim = one(
        study="redesign", rule=claims.Rule(above=0), metric=["contrasts", "autoencoder"], unit="points", chapter="08_redesign", figure="f"
    )
    kept["08_redesign", "laptop"] = {"contrasts": {"autoencoder": block(5, 4, 6)}, "provenance": {"parameters": {}}}
    found = planted(claim, "supported") | {"study": "redesign", "source": "lspet"}
    open_ = planted(claim, "supported") | {"missing": {"base": [2]}, "source": "mannequins", "study": "redesign-mannequins"}
    claims.look_up(open_, claim.metric)["why"] = "1 of 9 trainings are missing"
    own = {"08_redesign": {"contrasts": {"autoencoder": block(5, 4, 6)}}}
    verdicts = claims.ledger([claim], "mannequins", own, {"redesign": {"photographs": found, "mannequins": open_}})
    given = verdicts["one"]
    assert (given["photographs"].verdict, given["photographs"].seeds) == ("supported", 3)
    assert given["mannequins"].verdict == "not decided yet" and not given["mannequins"].kept
    assert say.measured(claim, given["photographs"]) == "+2.0 [+1.0, +3.0] points; study *redesign*, 3 seeds; 7 photographed people"
    claims.look_up(found, claim.metric)["people"] = None  # of what is no mean over people, as a cost
    alone = claims.ledger([claim], "mannequins", own, {"redesign": {"photographs": found | {"people": {"test": 7}}}})["one"]["photographs"]
    assert say.measured(claim, alone) == "+2.0 [+1.0, +3.0] points; study *redesign*, 3 seeds"
    assert say.measured(claim, given["mannequins"]) == "1 of 9 trainings are missing; study *redesign-mannequins*"
    assert say.outcome(given) == "not decided yet on mannequins, supported on photographs"
    assert "{numref}`f`" in say.table([claim], verdicts, ["08_redesign"])
    alone = claims.ledger([claim], "mannequins", own, {})["one"]
    assert {kind: v.why for kind, v in alone.items()} == {kind: f"there is no study of it on {kind}" for kind in claims.KINDS}


def verdict_of(name, low=1.0, high=3.0):
    return claims.Verdict(name, number=claims.Estimate((low + high) / 2, low, high), data="lspet")


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (
            [("supported", "supported"), ("supported", "not supported")],
            "2 claims are decided on both kinds of people, 1 of them alike. The two kinds disagree on: b.",
        ),
        ([("supported", "supported")], "1 claim is decided on both kinds of people, and alike."),
        ([("supported", "undecided")], "No claim is decided on both kinds of people"),
    ],
)
def test_the_pages_say_where_kinds_of_people_agree(pairs, words):
    stated = [one(id=name, name=name, rule=claims.Rule(above=0)) for name in "ab"[: len(pairs)]]
    verdicts = {c.id: dict(zip(claims.KINDS, map(verdict_of, pair), strict=True)) for c, pair in zip(stated, pairs, strict=True)}
    assert say.agreement(stated, verdicts).startswith(words)
    said = say.sentences(stated, verdicts, {}, "lspet", [])
    assert said["people"] == "the people of Leeds Sports Pose Extended" and said["result"] == "" and set(claims.GROUPS) <= set(said)
    assert said["counts"].startswith(f"Of {len(pairs)} claims, on mannequins: {len(pairs)} supported; on photographs:")
    assert f"of the {2 * len(pairs)} verdicts that depend on an interval" in said["chance"]


def test_the_pages_say_what_of_a_study_is_there():
    summaries = {"redesign": {"photographs": {"study": "redesign", "missing": {"a": [0, 1]}, "trainings": 9},
                              "mannequins": {"study": "redesign-mannequins", "missing": {}, "trainings": 6}}}  # fmt: skip
    assert say.progress(summaries) == (
        "*redesign*, on photographs: 2 of 9 trainings are missing; *redesign-mannequins*, on mannequins: all 6 trainings are complete."
    )


def test_the_discussion_quotes_what_came_of_the_redesign():
    assert say.result({"redesign": "undecided"}) == "*It gains as much as the bachelor thesis reported* (undecided)."
    assert say.result({"redesign-better": "a", "redesign": "b", "redesign-cost": "a"}) == (
        "*The best redesign from a finding improves the network and it costs no more than the base* (each a). "
        "*It gains as much as the bachelor thesis reported* (b)."
    )


@pytest.mark.parametrize(("lengths", "first"), [([3], 1), ([1, 1, 1, 1], 2), ([5, 1, 1], 1), ([1, 1, 5], 2)])
def test_the_overview_has_two_columns_of_groups_as_even_as_they_get(lengths, first):
    groups = {f"group {i}": [(f"{i}.{k}", {"mannequins": "supported"}) for k in range(n)] for i, n in enumerate(lengths)}
    columns = [[text.get_text() for text in ax.texts if "group" in text.get_text()] for ax in overview(groups, claims.MARKS).axes]
    assert columns == [list(groups)[:first], list(groups)[first:]]
