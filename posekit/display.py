"""What a notebook shows of an object that is the last value of a cell: small tables, in the notebook's own style."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from PIL import Image


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


def webp(image: Image.Image, quality: int) -> str:
    """A picture as a `data:` address, which carries its pixels with it."""
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def scores(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Scores by name, each with its 95 % interval where one is known, of metrics as `posekit.evaluate` gives them.

    >>> scores({"metrics": {"pck": {"mean": 0.5, "low": 0.4567, "high": 0.5433, "people": 1200}}})
    {'pck': '0.500 (0.457 to 0.543), 1,200 people'}
    """
    found = {}
    for name, block in (metrics.get("metrics") or metrics).items():
        if isinstance(block, float):
            found[name] = f"{block:.3f}"
        elif isinstance(block, Mapping) and all(isinstance(block.get(end), float) for end in ("mean", "low", "high")):
            found[name] = f"{block['mean']:.3f} ({block['low']:.3f} to {block['high']:.3f})"
            found[name] += f", {block['people']:,} people" if "people" in block else ""
    return found
