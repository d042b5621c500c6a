"""What a notebook shows of an object that is the last value of a cell: small tables, in the notebook's own style."""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image  # the command line imports this module before it knows whether there is anything to do


def table(rows: Iterable[Sequence[Any]], head: Sequence[str] = ()) -> str:
    """HTML of a table whose first column names what the others say; whole numbers get separators.

    >>> print(table([("stem", 24416)], ["activation", "parameters"]))
    <table>
    <tr><th style="text-align: left">activation</th><th style="text-align: left">parameters</th></tr>
    <tr><th style="text-align: left">stem</th><td style="text-align: left">24,416</td></tr>
    </table>
    """

    def cell(tag: str, value: Any) -> str:
        return f'<{tag} style="text-align: left">{escape(f"{value:,}" if isinstance(value, int) else str(value))}</{tag}>'

    lines = ["".join(cell("th", name) for name in head)] if len(head) else []
    lines += [cell("th", name) + "".join(cell("td", value) for value in values) for name, *values in rows]
    return "\n".join(["<table>", *(f"<tr>{line}</tr>" for line in lines), "</table>"])


def facts(rows: Mapping[str, Any]) -> str:
    """HTML of a table of what there is to know, less what is None or empty."""
    return table([(name, str(value)) for name, value in rows.items() if value is not None and str(value)])


def listing(caption: str, rows: Iterable[Sequence[Any]], head: Sequence[str]) -> str:
    """HTML of a table under a caption; a long one scrolls."""
    return f'<p>{escape(caption)}</p>\n<div style="max-height: 52em; overflow: auto" tabindex="0">{table(rows, head)}</div>'


def webp(image: "Image.Image", quality: int) -> str:
    """A picture as a `data:` address, which carries its pixels with it."""
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def number(value: float | None, form: str = ".3f") -> str:
    """A number, or a dash for one that is not defined: None, NaN.

    >>> number(0.25), number(None), number(float("nan"), "+.1f")
    ('0.250', '–', '–')
    """
    return "–" if value is None or not math.isfinite(value) else format(value, form)


def interval(block: Mapping[str, Any], form: str = ".3f") -> str:
    """A score with its 95 % interval, of a block {"mean", "low", "high"}; alone where it has none, and a dash where it is not defined.

    >>> interval({"mean": 0.5, "low": 0.4567, "high": 0.5433}), interval({"mean": 0.5, "low": None, "high": None})
    ('0.500 (0.457 to 0.543)', '0.500')
    >>> interval({"mean": None, "low": None, "high": None})
    '–'
    """
    mean, low, high = (number(block.get(end), form) for end in ("mean", "low", "high"))
    return mean if "–" in (mean, low, high) else f"{mean} ({low} to {high})"


def scores(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Scores by name, each with its 95 % interval where one is known, of metrics as `posekit.evaluate` gives them.

    >>> scores({"metrics": {"pck": {"mean": 0.5, "low": 0.4567, "high": 0.5433, "people": 1200}}})
    {'pck': '0.500 (0.457 to 0.543), 1,200 people'}
    """
    found = {}
    for name, block in (metrics.get("metrics") or metrics).items():
        if isinstance(block, float):
            found[name] = number(block)
        elif isinstance(block, Mapping) and all(end in block and isinstance(block[end], float | None) for end in ("mean", "low", "high")):
            found[name] = interval(block)
            found[name] += f", {block['people']:,} people" if "people" in block else ""
    return found
