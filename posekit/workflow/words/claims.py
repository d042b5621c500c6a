"""The ledger of claims in words: tables, sentences, and a number with what it was measured on."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import floor, isnan, log10
from typing import Any

from posekit.workflow.claims import GROUPS, KINDS, MARKS, Claim, Estimate, Verdict, counts
from posekit.workflow.words import listed
from posekit.workflow.words.training import DATA

DECIDED = ("supported", "not supported")


def sentences(
    claims: list[Claim],
    verdicts: Mapping[str, Mapping[str, Verdict]],
    studies: Mapping[str, Mapping[str, Mapping]],
    name: str,
    here: list[str],
) -> dict[str, Any]:
    """All that the pages say of the ledger: `name` is of the edition's data set, `here` are the chapters that it has."""
    by_kind = {kind: counts([verdicts[claim.id][kind] for claim in claims]) for kind in KINDS}
    found = {claim.id: outcome(verdicts[claim.id]) for claim in claims}
    return {
        "counts": f"Of {len(claims)} claims, " + "; ".join(f"on {kind}: {_listed(count)}" for kind, count in by_kind.items()) + ".",
        "people": "mannequins" if name == "mannequins" else f"the people of {DATA.get(name, name)}",
        "agreement": agreement(claims, verdicts),
        "chance": chance(verdicts),
        "studies": progress(studies),
        "short": f"{short_table(claims, verdicts)}\n\nThese are the main ones of {len(claims)} claims: [the whole ledger](10_claims).",
        "found": found,
        "numbers": {claim.id: numbers(claim, verdicts[claim.id]) for claim in claims},
        "brief": {claim.id: brief(claim, verdicts[claim.id]) for claim in claims},
        "result": result(found),
        **{group: table([claim for claim in claims if claim.group == group], verdicts, here) for group in GROUPS},
    }  # fmt: skip


def agreement(claims: Iterable[Claim], verdicts: Mapping[str, Mapping[str, Verdict]]) -> str:
    """Where the two kinds of people agree."""
    both = [claim for claim in claims if {verdict.verdict for verdict in verdicts[claim.id].values()} <= set(DECIDED)]
    if not both:
        return "No claim is decided on both kinds of people, so their agreement cannot be judged."
    apart = [claim.name for claim in both if len({verdict.verdict for verdict in verdicts[claim.id].values()}) > 1]
    text = f"{len(both)} {'claim is' if len(both) == 1 else 'claims are'} decided on both kinds of people, "
    if not apart:
        return f"{text}{'and alike' if len(both) == 1 else 'all of them alike'}."
    return f"{text}{len(both) - len(apart)} of them alike. The two kinds disagree on: {'; '.join(apart)}."


def chance(verdicts: Mapping[str, Mapping[str, Verdict]]) -> str:
    """How many verdicts chance alone would have given."""
    hung = [v for of in verdicts.values() for v in of.values() if v.number and (v.number.low < v.number.high or v.lead)]
    sure = sum(verdict.verdict in DECIDED for verdict in hung)
    return (
        f"{sure} of the {len(hung)} verdicts that depend on an interval are decided, while about {len(hung) / 20:.0f} would be decided if "
        "every number lay exactly on its threshold."
    )


def progress(studies: Mapping[str, Mapping[str, Mapping]]) -> str:
    """Which studies decide, and how much of each is there."""
    lines = []
    for kinds in studies.values():
        for kind, summary in kinds.items():
            missing = sum(map(len, summary["missing"].values()))
            state = (
                f"{missing} of {summary['trainings']} trainings are missing"
                if missing
                else f"all {summary['trainings']} trainings are complete"
            )
            lines.append(f"*{summary['study']}*, on {kind}: {state}")
    return "; ".join(lines) + "."


def result(found: Mapping[str, str]) -> str:
    """For the discussion: what came of the redesign, where it is a claim of this ledger."""
    asked = {
        "redesign-better": "The best redesign from a finding improves the network",
        "redesign": "It gains as much as the bachelor thesis reported",
        "redesign-cost": "It costs no more than the base",
        "redesign-random": "Redesigns from findings beat redesigns drawn at random",
    }
    alike: dict[str, list[str]] = {}  # what came out in the same words is said once
    for key, claim in asked.items():
        if key in found:
            alike.setdefault(found[key], []).append(claim)
    return " ".join(
        f"*{listed([first, *(claim[0].lower() + claim[1:] for claim in rest)])}* ({'each ' if rest else ''}{outcome})."
        for outcome, (first, *rest) in alike.items()
    )


def _listed(count: Mapping[str, int]) -> str:
    """Verdicts with their numbers."""
    return ", ".join(f"{number} {name}" for name, number in count.items() if number)


def table(claims: Iterable[Claim], verdicts: Mapping[str, Mapping[str, Verdict]], here: Iterable[str]) -> str:
    """A Markdown table of claims, a line each. Of the chapters that are `here`, in this edition, it links to the figures.

    It is of the style `ledger`, which on a phone sets the cells of a line below each other.
    """
    lines = ["::::{div} ledger", f"| claim | source | {' | '.join(KINDS)} | see |", "| --- " * (len(KINDS) + 3) + "|"]
    for claim in claims:
        by_kind = verdicts[claim.id]
        rule = f" *Decided by:* {claim.measure}; supported {threshold(claim)}." if claim.rule else ""
        note = f" {claim.note}" if claim.note else ""
        source = {"study": "the study", "book": "this book"}.get(claim.source, f"{{cite:t}}`{claim.source}`")
        cells = [f"**{claim.claim}**{rule}{note}", f"{source}{': ' if claim.said else ''}{claim.said}"]
        cells += [f"{MARKS[v.verdict]} **{v.verdict}**: {measured(claim, v)}" for v in by_kind.values()]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in [*cells, _link(claim, by_kind.values(), set(here))])} |")
    return "\n".join([*lines, "::::"])


def short_table(claims: Iterable[Claim], verdicts: Mapping[str, Mapping[str, Verdict]]) -> str:
    """The few claims marked so, each with its verdicts alone, as a Markdown table."""
    lines = ["::::{div} ledger-short", f"| claim | {' | '.join(KINDS)} |", "| --- " * (len(KINDS) + 1) + "|"]
    for claim in claims:
        if claim.short:
            cells = [f"{MARKS[v.verdict]} {v.verdict}" for v in verdicts[claim.id].values()]
            lines.append(f"| {claim.name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "::::"])


def measured(claim: Claim, verdict: Verdict) -> str:
    """What was measured, on whom; or why nothing was."""
    number, of_study = verdict.number, f"study *{verdict.study}*" if verdict.study else ""
    if number is None:
        return f"{verdict.why}; {of_study}" if of_study else verdict.why
    text = _spoken(number, claim.unit, plus=claim.difference)
    if verdict.lead:
        text += f", ahead by {_spoken(verdict.lead, '')}"
    if number.p is not None:
        text += f", p = {number.p:.2g}"
    if of_study:
        text += f"; {of_study}, {verdict.seeds} seeds"
    if verdict.why:
        text += f"; {verdict.why}"
    if not number.people:
        return text if verdict.data in DATA else f"{text}; {verdict.data}"
    photographed = "photographed people" if verdict.data in DATA else f"people of {verdict.data}"
    cases = claim.cases or ("mannequins" if verdict.data == "mannequins" else photographed)
    return f"{text}; {number.people:,} {cases}"


def outcome(by_kind: Mapping[str, Verdict]) -> str:
    """The verdicts in brackets behind a claim: `supported on mannequins, not measured on photographs`."""
    places: dict[str, list[str]] = {}
    for kind, v in by_kind.items():
        places.setdefault(v.verdict, []).append(kind)
    return ", ".join(f"{verdict} on {' and '.join(where)}" for verdict, where in places.items())


def numbers(claim: Claim, by_kind: Mapping[str, Verdict]) -> str:
    """What was measured, alone: `12 components on mannequins, not measured on photographs`."""
    said = {kind: _spoken(v.number, claim.unit, plus=claim.difference) if v.number else v.verdict for kind, v in by_kind.items()}
    return ", ".join(f"{what} on {kind}" for kind, what in said.items())


def brief(claim: Claim, by_kind: Mapping[str, Verdict]) -> str:
    """The same without intervals, behind "… is": `+2.0 points on mannequins and +4.0 points on photographs`.

    A number that decides nothing says so: `+0.3 points on mannequins (undecided)`. All are as exact as the least exact one. What has no
    number stands in a clause of its own: `+2.0 points on photographs; on mannequins it is not decided yet`.
    """
    said, digits = [], min((_digits(v.number, claim.unit) for v in by_kind.values() if v.number and _width(v.number)), default=None)
    for kind, v in by_kind.items():
        if v.number is None:
            continue
        mean = re.sub(r" \[.+?\]", "", _spoken(v.number, claim.unit, plus=claim.difference, digits=digits))
        said.append(f"{mean} on {kind}" + ("" if v.verdict in DECIDED else f" ({v.verdict}{f': {v.why}' if v.why else _about(claim)})"))
    rest: dict[str, list[str]] = {}  # without a number: by verdict, on whom
    for kind, v in by_kind.items():
        if v.number is None:
            rest.setdefault(v.verdict, []).append(kind)
    if not said:
        return listed(f"{verdict} on {listed(kinds)}" for verdict, kinds in rest.items())
    return listed(said) + "".join(f"; on {listed(kinds)} it is {verdict}" for verdict, kinds in rest.items())


def threshold(claim: Claim) -> str:
    """The rule in words: `below 0`, `above 7.5 %`."""
    rule = claim.rule
    assert rule is not None
    if rule.equals is not None:
        return f"at {rule.equals:g} {claim.unit}, if ahead of the next"
    side, value = ("above", rule.above) if rule.above is not None else ("below", rule.below)
    assert value is not None
    if claim.unit in ("points", "%"):
        said = f"{100 * value:g} {claim.unit}".replace("-", "−") if value else "0"
    else:
        said = f"{value:,g} {claim.unit}".replace("-", "−").strip()
    return f"{side} {said}" + (f" with p below {rule.p:g}" if rule.p else "")


def _about(claim: Claim) -> str:
    """What a verdict is about, where it is not about 0: ` whether above 7.5 %`."""
    rule = claim.rule
    return f" whether {threshold(claim)}" if rule and rule.equals is None and (rule.above or rule.below) else ""


def _scale(unit: str) -> int:
    return 100 if unit in ("points", "%") else 1


def _width(number: Estimate) -> float:
    """Of the interval; 0 where there is none."""
    width = number.high - number.low
    return 0.0 if isnan(width) else width


def _digits(number: Estimate, unit: str) -> int:
    """Digits after the point of a number with an interval: as exact as that is wide."""
    return max(1 - floor(log10(_scale(unit) * _width(number))), 1 if _scale(unit) > 1 else 0)


def _spoken(number: Estimate, unit: str, *, plus: bool = False, digits: int | None = None) -> str:
    """A number with its interval, in its unit, a difference with a `plus`: `+3.6 [+2.9, +4.4] points`; as exact as the interval is wide."""
    scale, width = _scale(unit), number.high - number.low
    if isnan(width):
        return f"{_spoken(replace(number, low=number.mean, high=number.mean), unit, plus=plus)}, without an interval"
    if digits is None:
        digits = _digits(number, unit) if width else 0

    def one(value: float) -> str:
        text = f"{scale * abs(value):,.{digits}f}" if width else f"{scale * abs(value):,.3g}"
        sign = "−" if value < 0 else "+" if plus or unit == "points" else ""
        return f"{sign if text.strip('0.') else ''}{text}"

    mean = f"{one(number.mean)}{' %' if unit == '%' else ''}"
    interval = f" [{one(number.low)}, {one(number.high)}]" if width else ""
    return f"{mean}{interval}{f' {unit}' if unit not in ('', '%') else ''}"


def _link(claim: Claim, verdicts: Iterable[Verdict], here: set[str]) -> str:
    """To the figure or section where this edition has it, or else to the chapter where that is there."""
    if claim.chapter not in here:
        return ""
    if claim.figure and (claim.study or any(verdict.number is not None and not verdict.kept for verdict in verdicts)):
        return f"{{numref}}`{claim.figure}`"
    return f"[]({claim.chapter})"
