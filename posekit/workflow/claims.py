"""The ledger of claims: what others say, which metric of ours decides it, and how.

claims = read(Path("book/claims.yaml"))
verdicts = ledger(claims, "mannequins", {"03_skips": metrics})
verdicts["skips-detail"]["photographs"].verdict

A claim is decided by the 95 % interval of one number: *supported* where the whole interval lies on the claim's side of a
threshold, *not supported* where it lies on the other, *undecided* where it holds the threshold or where there is none, as of
fewer than three trainings. A claim about training is decided by a study (`posekit.studies.summary`), and is *not decided yet* while a
training that the number rests on is missing, or has not learned. What a claim is made of stands at the head of
book/claims.yaml.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import nan, sqrt
from pathlib import Path
from typing import Any

import yaml

from posekit.data.people import parse_spec
from posekit.errors import PosekitError, extra
from posekit.workflow import runs

MARKS = {"supported": "✓", "not supported": "✗", "undecided": "?", "not decided yet": "…", "not measured": "–"}
KINDS = {"mannequins": "laptop", "photographs": "lspet"}  # of people, and the preset whose kept numbers stand in for a run
GROUPS = ("skips", "stacks", "code", "clusters", "explanations", "causes", "trust", "another", "training", "redesign", "labels")
_CENTRES = ("mean", "difference", "r", "r2")  # what the number between "low" and "high" is called


@dataclass(frozen=True)
class Rule:
    """What decides: one of `above`, `below` and `equals`."""

    above: float | None = None
    below: float | None = None
    equals: float | None = None
    sure: list | None = None  # path to how far the value leads the next one; with `equals`
    margin: float = 0.0  # half an interval, for a plain number
    p: float | None = None  # highest chance of an accident


@dataclass(frozen=True)
class Need:
    """Without which a number decides nothing: the mean of one metric over that of another, below a threshold."""

    metric: list
    over: list
    below: float
    lacking: str  # what is so where it is not


@dataclass(frozen=True)
class Claim:
    group: str
    id: str
    name: str
    claim: str
    source: str
    chapter: str
    study: str = ""
    said: str = ""
    figure: str = ""
    measure: str = ""
    metric: list | None = None
    minus: list | None = None
    over: list | None = None
    absolute: bool = False
    times: float = 1.0
    unit: str = ""
    rule: Rule | None = None
    needs: Need | None = None
    people: list | None = None
    cases: str = ""  # what `people` counts where it is no people: "pairs of mannequins"
    note: str = ""
    why: str = ""
    only: str = ""  # kind of people that can decide it, where not both can
    short: bool = False

    @property
    def difference(self) -> bool:
        """Whether its number is a change or a difference, by what it says of its measure, so that its sign is written."""
        words = self.measure.replace(",", "").split()
        return not self.absolute and (self.minus is not None or "less" in words or words[:1] in (["change"], ["difference"]))


@dataclass(frozen=True)
class Estimate:
    """A number and its interval; NaN at both ends where it has none."""

    mean: float
    low: float
    high: float
    people: int | None = None
    p: float | None = None


@dataclass(frozen=True)
class Verdict:
    verdict: str  # a key of MARKS
    why: str = ""  # of what was not measured, or was and decides nothing
    number: Estimate | None = None
    lead: Estimate | None = None  # of the number over the next, where the rule is `equals`
    data: str = ""  # name of the data set
    kept: bool = False  # decided by the reference run, not by this edition's
    study: str = ""  # that decides it, by name
    seeds: int = 0  # of its trainings


# What pydantic calls a value of another type than wanted, and how the wanted one is called here.
_WANTED = {"string_type": "a text", "bool_type": "true or false", "float_type": "a number", "list_type": "a list"}


class _MissingError(Exception):
    """Why a metric is not there."""


def read(path: Path) -> list[Claim]:
    """The claims of a ledger, in its order.

    Raises:
        PosekitError: not YAML, no mapping of GROUPS to lists, or a claim that is not complete; it is named.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise PosekitError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not all(isinstance(entries, list) for entries in content.values()):
        raise PosekitError(f"{path}: give lists of claims by group, of {', '.join(GROUPS)}")
    found: dict[str, Claim] = {}
    for group, entries in content.items():
        if group not in GROUPS:
            raise PosekitError(f"{path}: no group {group!r}; there are {', '.join(GROUPS)}")
        for number, entry in enumerate(entries, 1):
            who = f"{path}: claim {entry['id'] if isinstance(entry, dict) and 'id' in entry else f'{number} of {group}'}"
            claim = _claim(who, group, entry)
            if claim.id in found:
                raise PosekitError(f"{who} is there twice; give each an id of its own")
            found[claim.id] = claim
    return list(found.values())


def look_up(metrics: Any, path: Sequence) -> Any:
    """What stands at a path of keys in nested metrics; None where nothing does.

    Of a list, an integer takes that item and a mapping the first item that has these values; of a mapping of lists, an integer
    takes that item of each; a list in place of a key is the path to the key.

    >>> look_up({"walks": [{"name": "up", "r": [0.1, 0.7]}]}, ["walks", {"name": "up"}, 1])
    {'r': 0.7}
    """
    found = metrics
    for key in path:
        if isinstance(key, list):
            key = look_up(metrics, key)
        match found, key:
            case list(), dict():
                found = next((item for item in found if all(item.get(name) == value for name, value in key.items())), None)
            case list(), int():
                found = found[key] if -len(found) <= key < len(found) else None
            case dict(), int():
                found = {name: item[key] for name, item in found.items() if isinstance(item, list) and -len(item) <= key < len(item)}
            case dict(), str():
                found = found.get(key)
            case _:
                return None
    return found


def decide(claim: Claim, metrics: Mapping) -> Verdict:
    """The verdict that the claim's rule gives on a chapter's metrics; *not measured*, with the reason, where they do not hold it.

    A difference of two metrics has the interval of Zou and Donner (Statistics in Medicine, 2008), a ratio that of its first-order
    expansion, both as if the two were independent: too wide for two metrics of the same people, which go up and down together.
    """
    if claim.why or claim.rule is None:
        return Verdict("not measured", claim.why)
    if claim.study and (verdict := _open(claim, metrics)):
        return verdict
    try:
        number = _measured(claim, metrics)
        lead = _estimate(claim, metrics, claim.rule.sure) if claim.rule.sure else None
        lacking = claim.needs.lacking if claim.needs and not _met(claim, claim.needs, metrics) else ""
    except _MissingError as error:
        return Verdict("not measured", str(error))
    seeds = (look_up(metrics, claim.metric or []) or {}).get("seeds", 0) if claim.study else 0
    return Verdict("undecided" if lacking else _ruled(claim.rule, number, lead), lacking, number, lead, seeds=seeds)


def ledger(
    claims: Iterable[Claim], data: str, own: Mapping[str, Mapping | None], studies: Mapping[str, Mapping[str, Mapping]] | None = None
) -> dict[str, dict[str, Verdict]]:
    """Each claim's verdicts on the KINDS of people, by id and kind.

    `own` has the metrics of the chapters of an edition made with `data` (a spec), None for those that it leaves out. Where they do not
    decide, the numbers kept of the reference run (`runs.reference`) do. `studies` has the summaries of studies
    (`posekit.studies.summary.summarise`) by name and kind of people; they alone decide the claims that name one.

    Raises:
        PosekitError: a claim is of a chapter that `own` does not know.
    """
    kind_here = "mannequins" if parse_spec(data)[0] == "mannequins" else "photographs"
    found: dict[str, dict[str, Verdict]] = {}
    for claim in claims:
        if claim.chapter not in own:
            raise PosekitError(f"claim {claim.id} is of {claim.chapter}; the chapters that are read are {', '.join(own)}")
        if claim.study:
            found[claim.id] = {kind: _by_study(claim, (studies or {}).get(claim.study, {}).get(kind), kind) for kind in KINDS}
            continue
        found[claim.id] = {}
        for kind, preset in KINDS.items():
            if claim.only and claim.only != kind:
                found[claim.id][kind] = Verdict("not measured", f"only {claim.only} can decide it")
                continue
            verdicts = []
            if kind == kind_here and (metrics := own[claim.chapter]):
                verdicts.append(replace(decide(claim, metrics), data=parse_spec(data)[0]))
            if kept := runs.reference(claim.chapter, preset):
                name = parse_spec(kept["provenance"]["parameters"].get("data", preset))[0]
                verdicts.append(replace(decide(claim, kept), data=name, kept=True))
            if not verdicts:
                verdicts.append(Verdict("not measured", claim.why or f"no run of {claim.chapter} on {kind}"))
            found[claim.id][kind] = next((v for v in verdicts if v.verdict != "not measured"), verdicts[0])
    return found


def _by_study(claim: Claim, summary: Mapping | None, kind: str) -> Verdict:
    if summary is None:
        return Verdict("not measured", claim.why or f"there is no study of it on {kind}")
    return replace(decide(claim, summary), data=summary["source"], study=summary["study"])


def _open(claim: Claim, summary: Mapping) -> Verdict | None:
    """Why a study does not decide a claim, whatever numbers there are; None where it does."""
    block = look_up(summary, claim.metric or [])
    if not isinstance(block, Mapping):
        return Verdict("not measured", f"the study has no {' › '.join(map(str, claim.metric or []))}")
    if block.get("absent"):
        return Verdict("not measured", block["why"])
    return Verdict("not decided yet", block["why"]) if block.get("why") else None


def counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """How many there are of each kind of verdict."""
    given = [verdict.verdict for verdict in verdicts]
    return {name: given.count(name) for name in MARKS}


def _claim(who: str, group: str, entry: Any) -> Claim:
    if not isinstance(entry, dict):
        raise PosekitError(f"{who} is no mapping of {', '.join(_entries(Claim))}")
    if "group" in entry:
        raise PosekitError(f"{who} has no entry 'group'; there are {', '.join(_entries(Claim))}")
    values = entry | {"group": group}
    if isinstance(given := entry.get("rule"), dict):
        values["rule"] = rule = _made(f"{who}: rule", Rule, given)
        if sum(side is not None for side in (rule.above, rule.below, rule.equals)) != 1:
            raise PosekitError(f"{who}: rule: give one of above, below and equals")
        if (rule.equals is None) != (rule.sure is None):
            raise PosekitError(f"{who}: rule: equals and sure belong together")
    if isinstance(given := entry.get("needs"), dict):
        values["needs"] = _made(f"{who}: needs", Need, given)
    claim: Claim = _made(who, Claim, values)
    if claim.only and claim.only not in KINDS:
        raise PosekitError(f"{who}: only is {claim.only!r}; give one of {', '.join(KINDS)}")
    if claim.why and (claim.metric or claim.rule):
        raise PosekitError(f"{who}: either metric and rule decide it, or `why` says that nothing does")
    lacking = [name for name in ("measure", "metric", "rule") if not getattr(claim, name)]
    if lacking and not claim.why:
        raise PosekitError(f"{who} lacks {', '.join(lacking)}; or say in `why` what keeps it from being decided")
    return claim


def _made(who: str, kind: Any, values: Mapping) -> Any:
    """A dataclass of these values, checked by pydantic, or the first thing that is wrong with them in a line."""
    with extra("book", "reading the ledger of claims"):
        from pydantic import ConfigDict, ValidationError
        from pydantic.dataclasses import dataclass as checked
    try:
        checked(kind, frozen=True, config=ConfigDict(extra="forbid", strict=True))(**values)
        return kind(**values)
    except ValidationError as error:
        fault = error.errors()[0]
    name = str(fault["loc"][0]) if fault["loc"] else ""
    match fault["type"]:
        case "missing":
            raise PosekitError(f"{who} lacks {name}")
        case "unexpected_keyword_argument":
            raise PosekitError(f"{who} has no entry {name!r}; there are {', '.join(_entries(kind))}")
        case wrong:
            raise PosekitError(f"{who}: {name} is {fault['input']!r}; give {_WANTED.get(wrong, 'a mapping')}")


def _entries(kind: Any) -> list[str]:
    return [field.name for field in fields(kind) if field.name != "group"]


def _estimate(claim: Claim, metrics: Mapping, path: Sequence) -> Estimate:
    """The number, or mean with its interval, that stands at a path."""
    block, shown = look_up(metrics, path), " › ".join(str(key) for key in path)
    if block is None or block == {}:
        raise _MissingError("its chapter does not measure it on these people")
    found: Any = block if isinstance(block, dict) else {"mean": block, "low": block, "high": block}
    mean = found.get(next((name for name in _CENTRES if name in found), "mean"))
    low, high, people, p = (found.get(name) for name in ("low", "high", "people", "p"))
    if low is None and high is None and {"low", "high"} <= set(found):
        low = high = nan
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (mean, low, high)):
        raise _MissingError(f"{claim.chapter} could not measure {shown}")
    if claim.people or (people is None and not claim.study):  # a study says of each number whom it is of
        people = look_up(metrics, claim.people or ["people"])
    return Estimate(mean, low, high, people=people, p=p)


def _measured(claim: Claim, metrics: Mapping) -> Estimate:
    """The number that the claim's rule is about."""
    assert claim.metric is not None
    a = _estimate(claim, metrics, claim.metric)
    if claim.rule and claim.rule.p is not None and a.p is None:
        raise _MissingError(f"{claim.chapter} has no p for {' › '.join(map(str, claim.metric))}")
    if claim.minus:
        b = _estimate(claim, metrics, claim.minus)
        down, up = sqrt((a.mean - a.low) ** 2 + (b.high - b.mean) ** 2), sqrt((a.high - a.mean) ** 2 + (b.mean - b.low) ** 2)
        a = replace(a, mean=a.mean - b.mean, low=a.mean - b.mean - down, high=a.mean - b.mean + up)
    if claim.over:
        b = _estimate(claim, metrics, claim.over)
        if b.mean <= 0:
            raise _MissingError(f"{claim.chapter}: {' › '.join(map(str, claim.over))} is {b.mean:g}, nothing to compare with")
        ratio = a.mean / b.mean
        down = sqrt((a.mean - a.low) ** 2 + (ratio * (b.high - b.mean)) ** 2) / b.mean
        up = sqrt((a.high - a.mean) ** 2 + (ratio * (b.mean - b.low)) ** 2) / b.mean
        a = replace(a, mean=ratio, low=ratio - down, high=ratio + up)
    if claim.absolute:
        low, high = sorted((abs(a.low), abs(a.high)))
        a = replace(a, mean=abs(a.mean), low=0.0 if a.low <= 0 <= a.high else low, high=high)
    if claim.times != 1:
        a = replace(a, mean=a.mean * claim.times, low=a.low * claim.times, high=a.high * claim.times)
    return a


def _met(claim: Claim, needs: Need, metrics: Mapping) -> bool:
    whole = _estimate(claim, metrics, needs.over).mean
    return whole > 0 and _estimate(claim, metrics, needs.metric).mean / whole < needs.below


def _ruled(rule: Rule, number: Estimate, lead: Estimate | None) -> str:
    if rule.p is not None:
        if number.p is None:
            return "not measured"
        if number.p >= rule.p:
            return "undecided"
    if lead is not None:
        return "undecided" if not lead.low > 0 else "supported" if number.mean == rule.equals else "not supported"
    low, high = number.low, number.high
    if low == high:
        low, high = low - rule.margin, high + rule.margin
    if rule.above is not None:
        return "supported" if low > rule.above else "not supported" if high < rule.above else "undecided"
    assert rule.below is not None
    return "supported" if high < rule.below else "not supported" if low > rule.below else "undecided"
