"""The sentences that chapters compose of their numbers: what all share here, a chapter's own in the module of its name.

A chapter's module has pure functions from its metrics, plain dicts of numbers, to Markdown.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from math import isnan, nan
from typing import Any

from posekit.data.crops import Crops
from posekit.data.people import parse_spec
from posekit.engine.overlap import overlap
from posekit.engine.weights import Card
from posekit.workflow import runs

ABSENT = "not measured"
DASH = "–"  # for a number that is not known


def side_by_side(notebook: str, data: str, verdict: Mapping[str, str]) -> str:
    """A Markdown table of a chapter's verdicts, question to answer, on mannequins and on photographs.

    `data` (a spec) says which of the two `verdict` is of. The other column is of the kept run (`runs.reference`) of preset
    laptop or lspet, whose metrics have its verdicts under `"verdicts"`; what nobody measured says so.
    """
    rendered = parse_spec(data)[0] == "mannequins"
    known = (runs.reference(notebook, "lspet" if rendered else "laptop") or {}).get("verdicts", {})
    columns = (verdict, known) if rendered else (known, verdict)
    lines = ["| | mannequins | photographs |", "| --- | --- | --- |"]
    for question in verdict | known:
        cells = [column.get(question, ABSENT).replace("|", "\\|") for column in columns]
        lines.append(f"| {question} | {' | '.join(cells)} |")
    return "\n".join(lines)


def seen(card: Card, crops: Crops) -> str:
    """Whether the network was trained on the people, as a clause behind them: by its card, or where that does not say, by their split."""
    found = overlap(card, crops)
    if found and found["people"]:
        return f"{found['people']:,} of whom are in pictures that the network was trained on"
    if found and found["complete"]:
        return "none of whom the network was trained on"
    return f"{'some of whom are' if 'train' in crops.people.splits else 'none of whom is'} in the training split"


def blank(mean: Sequence[Sequence[float | None]], why: str) -> str:
    """What blank cells of a square table mean, for its caption, where it has some off the diagonal.

    >>> blank([[1, None], [2, None]], "too few people")
    ' Blank: too few people.'
    """
    cells = (cell for i, row in enumerate(mean) for j, cell in enumerate(row) if i != j)
    return f" Blank: {why}." if any(cell is None or unknown(cell) for cell in cells) else ""


def comparable(metrics: Any) -> Any:
    """The same metrics, in which a block without an interval has NaN for None at its ends: nothing lies above or below them.

    >>> comparable({"change": {"mean": 0.5, "low": None, "high": None}})
    {'change': {'mean': 0.5, 'low': nan, 'high': nan}}
    """
    if isinstance(metrics, Mapping):
        return {key: nan if value is None and key in ("low", "high") else comparable(value) for key, value in metrics.items()}
    return [comparable(value) for value in metrics] if isinstance(metrics, list) else metrics


def unknown(value: float | None) -> bool:
    """Whether a number is none: None or NaN, as of what nobody was measured on, or the ends of an interval that is none."""
    return value is None or isnan(value)


def spoken(block: Mapping, *, points: bool = False) -> str:
    """A share with its interval in percent, `71.2 % [69.9, 72.4]`; with `points` a difference, `−3.1 [−3.8, −2.4] points`."""
    if unknown(block["mean"]):
        return "nothing to measure it on"
    if unknown(block["low"]):  # of one person, or of fewer than three trainings
        mean = 100 * block["mean"]
        return f"{signed(mean)} points, without an interval" if points else f"{mean:.1f} %, without an interval"
    mean, low, high = (100 * block[name] for name in ("mean", "low", "high"))
    if points:
        mean, low, high = (signed(value, 1 + hidden(low, high, 1)) for value in (mean, low, high))
        return f"{mean} [{low}, {high}] points"
    return f"{mean:.1f} % [{low:.1f}, {high:.1f}]"


def number(value: float | None, digits: int = 2) -> str:
    """A number with a true minus, and no sign before a zero: `−0.31`, `0.00`; a dash for one that is not known."""
    if value is None or isnan(value):
        return DASH
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text.replace("-", "−")


def signed(value: float | None, digits: int = 1) -> str:
    """A difference, whose sign always shows: `+0.5`, `−3.1`, and `0.0`, which has none; a dash for one that is not known."""
    text = number(value, digits)
    return text if text.startswith(("−", DASH)) or not float(text.replace(",", "")) else f"+{text}"


def ranged(block: Mapping, digits: int = 2, unit: str = "") -> str:
    """A mean with its interval, which no line break tears: `0.31 [0.28, 0.34]`, or `0.31 [no interval]`."""
    if not unknown(block["low"]) and block["low"] < 0:
        digits += hidden(block["low"], block["high"], digits)
    mean, low, high = (number(block[name], digits) for name in ("mean", "low", "high"))
    if unknown(block["mean"]):
        return mean
    return f"{mean}{unit} [no\u00a0interval]" if unknown(block["low"]) else f"{mean}{unit} [{low},\u00a0{high}]"


def hidden(low: float, high: float, digits: int) -> bool:
    """Whether an end of a difference's interval would round to 0, so that its side is not seen: it then has one digit more."""
    return any(end and not round(end, digits) and round(end, digits + 1) for end in (low, high))


def listed(items: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`; of none, nothing."""
    items = list(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def by_inner_name(found: Mapping[str, Any]) -> dict[str, Any]:
    """What hook points have, their names without the parts that lead all: of `stack0.skip1` and `stack0.sum1` `skip1` and `sum1`."""
    leads = zip(*(name.split(".")[:-1] for name in found), strict=False)
    shared = len(list(takewhile(lambda parts: len(set(parts)) == 1, leads)))
    return {".".join(name.split(".")[shared:]): value for name, value in found.items()}


def percent(block: Mapping) -> dict[str, float]:
    """A block in hundredths."""
    return {name: nan if unknown(block[name]) else 100 * block[name] for name in ("mean", "low", "high")}


def share(block: Mapping) -> str:
    """A share with its interval in whole percent: `26 % [24, 28]`."""
    return ranged(percent(block), 0, " %")


def by_number(blocks: Mapping) -> dict[int, Any]:
    """A mapping whose keys are numbers, which a file of metrics has as text."""
    return {int(key): block for key, block in blocks.items()}


def change(block: Mapping) -> str:
    """How a score changed, as `ablation.summary` has it, in points."""
    return spoken(block["change"], points=True)


def correlation(block: Mapping) -> str:
    """A correlation with its interval and what chance has to say to it."""
    if block["mean"] is None:
        return "cannot be measured: too few kinds of joint, or all lose alike"
    mean, low, high = (signed(block[name], 2) for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}], p = {block['p']:.2g} over {block['kinds']} kinds of joint"
