"""What a number with an interval on a page is: its definition, over how many people, by which run, and what other runs measured.

A number is known by its value and both ends, which the page's run has at one or two places of its metrics; book/quantities.yaml says
what stands there. Where that is not certain a number stays as it is. _static/preview.js shows the card.
"""

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

VALUE = r"[+−]?\d[\d,]*(?:\.\d+)?"
INTERVAL = re.compile(rf"(?<![\w.−+-])({VALUE})(\s%)?\s\[({VALUE}),\s({VALUE})\](\spoints)?")
NOT_TEXT = re.compile(r"(<(script|style|svg|pre|code)\b.*?</\2>|<[^>]+>)", re.DOTALL)
COUNTS = {
    "low",
    "high",
    "people",
    "level",
    "k",
    "n",
    "seeds",
    "p",
    "kinds",
    "pairs",
    "cluster",
    "component",
}  # beside an interval, and not what it is of
EDITIONS = {"laptop": "mannequins", "lspet": "photographs"}


@dataclass(frozen=True)
class Block:
    """A number with its interval in a run's metrics: its place there, its value and ends, and what stands beside them."""

    place: tuple[str, ...]
    ends: tuple[float, float, float]
    beside: dict[str, Any]


class Source:
    """A run that a page's numbers may be of: its notebook, how a card names it, and its numbers by place."""

    def __init__(self, notebook: str, name: str, metrics: dict[str, Any]) -> None:
        self.notebook, self.name = notebook, name
        self.blocks = {block.place: block for block in blocks(metrics)}
        self._read: dict[tuple[int, int], dict[tuple[str, ...], list[Block]]] = {}

    def reading(self, shown: tuple[str, ...], scale: int) -> list[Block]:
        """The blocks that, times `scale`, read as a number and its ends do."""
        key = (scale, _digits(shown))
        if key not in self._read:
            self._read[key] = defaultdict(list)
            for block in self.blocks.values():
                self._read[key][written(block.ends, *key)].append(block)
        return self._read[key].get(shown, [])


def blocks(metrics: Any, place: tuple[str, ...] = ()) -> Iterator[Block]:
    """Every number with an interval: dicts with `low` and `high`, and lists of a value and its ends."""
    if isinstance(metrics, dict):
        low, high = metrics.get("low"), metrics.get("high")
        if _is_number(low) and _is_number(high):
            for key, value in metrics.items():
                if key not in COUNTS and _is_number(value) and low <= value <= high:
                    yield Block(place if key == "mean" else (*place, key), (value, low, high), metrics)
                    break
        for key, value in metrics.items():
            if key not in ("say", "verdicts", "provenance"):
                yield from blocks(value, (*place, str(key)))
    elif isinstance(metrics, list):
        if len(metrics) == 3 and all(isinstance(value, float) for value in metrics) and metrics[1] <= metrics[0] <= metrics[2]:
            yield Block(place, tuple(metrics), {})
        for number, value in enumerate(metrics, 1):
            yield from blocks(value, (*place, str(number)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def written(ends: tuple[float, ...], scale: int, digits: int) -> tuple[str, ...]:
    """A number and its ends with so many digits, as `read` has them."""
    return tuple(read(f"{scale * value:.{digits}f}") for value in ends)


def read(text: str) -> str:
    """A number of a page without what is only for the eye: thousands' commas, a plus, a typographic minus, a zero's sign."""
    text = text.replace("−", "-").replace("+", "").replace(",", "")
    return text if float(text) else text.removeprefix("-")


def _shown(match: re.Match) -> tuple[str, ...]:
    return tuple(read(match[group]) for group in (1, 3, 4))


def _digits(shown: tuple[str, ...]) -> int:
    return len(shown[0].partition(".")[2])


def found(match: re.Match, source: Source) -> list[tuple[Block, int]]:
    """The blocks of a run that read as an interval of a page does, and times what: 100 where it is in percent or points."""
    scales = (100,) if match[2] or match[5] else (1, 100)
    return [(block, scale) for scale in scales for block in source.reading(_shown(match), scale)]


def definition(notebook: str, place: tuple[str, ...], quantities: dict[str, dict[str, str]]) -> tuple[str, str] | None:
    """What stands at a place of a notebook's metrics, and which one of its kind; None where the list has nothing on it."""
    for pattern, says in quantities.get(notebook, {}).items():
        parts = pattern.split("/")
        if len(parts) == len(place) and all(map(fnmatchcase, place, parts)):
            which = [name for name, part in zip(place, parts, strict=True) if part == "*" and not name.isdigit()]
            named = re.sub(r"(?<![.\w])skip(\d)", r"skip connection \1", " · ".join(which))
            return says, re.sub(r"\S+/(\w+)/weights.safetensors", r"\1", named)
    return None


def over(block: Block) -> str:
    """What an interval was sampled over, as a clause; nothing where its block does not say, nor in the ledger, which says it itself."""
    if block.place[:1] == ("claims",):
        return ""
    beside = block.beside
    if isinstance(beside.get("over"), str) and beside.get("n"):
        numbers = beside["n"] if isinstance(beside["n"], list) else [beside["n"]]
        return " over " + " and ".join(f"{n:,} {what}" for n, what in zip(numbers, beside["over"].split(" and "), strict=False))
    counts = {"seeds": "trainings", "people": "people", "kinds": "kinds of joint", "pairs": "pairs"}
    parts = [f"{beside[key]:,} {what}" for key, what in counts.items() if isinstance(beside.get(key), int)]
    return " over " + " and ".join(parts) if parts else ""


def like(match: re.Match, ends: tuple[float, float, float], scale: int) -> str:
    """Another run's number, written as the page writes its own."""
    texts = written(ends, scale, _digits(_shown(match)))
    if texts == _shown(match):
        return "the same"
    plus = "+" if match[5] or "+" in match[0] else ""
    value, low, high = (text.replace("-", "−") if text[0] == "-" or not float(text) else plus + text for text in texts)
    return f"{value}{match[2] or ''} [{low}, {high}]{match[5] or ''}"


def card(match: re.Match, sources: list[Source], quantities: dict[str, dict[str, str]], others: list[Source]) -> list[str]:
    """The lines on a number, by the first of `sources` that has it; none where no run has it.

    None either where more than two things read alike, or one of a study and one of the run.
    """
    for source in sources:
        known: dict[tuple[str, str], tuple[Block, int]] = {}
        for block, scale in found(match, source):
            if says := definition(source.notebook, block.place, quantities):
                known.setdefault(says, (block, scale))
        if known:
            break
    else:
        return []
    trained = {block.place[0] in ("study", "studies") for block, _ in known.values()}
    if len(known) > 2 or len(trained) > 1:
        return []
    lines = []
    for (says, which), (block, _) in known.items():
        lines += [f"{'Or: ' if lines else ''}{says}{f': {which}' if which else ''}.", f"95 % interval{over(block)}."]
    if trained == {True}:
        return [*lines, f"Of trainings kept in book/studies. {source.name}."]
    lines.append(f"{source.name}.")
    if len(known) == 1:
        [(block, scale)] = known.values()
        alike = [other for other in others if other.notebook == source.notebook and other is not source and block.place in other.blocks]
        lines += [f"{other.name}: {like(match, other.blocks[block.place].ends, scale)}." for other in alike]
    return lines


def mark(body: str, sources: list[Source], quantities: dict[str, dict[str, str]], others: list[Source]) -> str:
    """A page's body with a card on each number that is known."""

    def marked(match: re.Match) -> str:
        text = "".join(f"<p>{html.escape(line)}</p>" for line in card(match, sources, quantities, others))
        return f'<span class="measured" data-card="{html.escape(text)}">{match[0]}</span>' if text else match[0]

    parts, place = [], 0
    for other in NOT_TEXT.finditer(body):
        parts += [INTERVAL.sub(marked, body[place : other.start()]), other[0]]
        place = other.end()
    return "".join([*parts, INTERVAL.sub(marked, body[place:])])


def named(run: str, facts: dict[str, Any]) -> str:
    """A run as a card names it, with the day and the processor of its provenance."""
    return ", ".join(filter(None, [run, facts.get("started", "")[:10], facts.get("hardware", {}).get("processor", "")]))


def gather(app):
    """All that the pages' cards are made of, once."""
    values, source = app.config.myst_substitutions, Path(app.srcdir)
    listed = source / "quantities.yaml"
    app.quantities = yaml.safe_load(listed.read_text("utf-8")) if listed.is_file() else {}
    made = values.get("provenance", {})
    app.runs = {name: Source(name, named(f"This edition: {name}", made[name]), metrics) for name, metrics in values.get("runs", {}).items()}
    app.kept = []
    for edition, people in EDITIONS.items():
        for path in sorted((source / "reference" / edition).glob("*.json")):
            kept = json.loads(path.read_text("utf-8"))
            app.kept.append(Source(path.stem, named(f"Kept run on {people}", kept["provenance"]), kept))


def on_page(app, pagename, templatename, context, doctree):
    if "body" not in context or not doctree:
        return
    text = next((p.read_text("utf-8") for p in Path(app.srcdir).glob(f"{pagename}.*") if p.suffix in (".md", ".ipynb")), "")
    quoted = dict.fromkeys([pagename, *re.findall(r"""runs\[\\?["'](\w+)\\?["']\]""", text)])
    others = [source for source in app.kept if source.notebook in quoted]
    sources = [app.runs[name] for name in quoted if name in app.runs]
    context["body"] = mark(context["body"], sources + others, app.quantities, others)


def setup(app):
    app.connect("builder-inited", gather)
    app.connect("html-page-context", on_page, priority=940)  # of tidy pages, before their cards are gathered
    return {"parallel_read_safe": True, "parallel_write_safe": True}
