"""The figure of the ledger of claims."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from posekit.plots import PALETTE

_FACES = {"supported": PALETTE[0], "not supported": PALETTE[1], "undecided": "0.85", "not decided yet": "0.95", "not measured": "white"}
_INKS = {"supported": "white", "not supported": "black", "undecided": "black", "not decided yet": "black", "not measured": "0.35"}
_LINE, _GROUP = 0.24, 1.4  # inches a claim; lines that a group's heading and the gap below it take
_NAMES, _VERDICT = 0.57, 0.215  # the part of a column that names take, and each verdict


def overview(groups: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]], marks: Mapping[str, str]) -> Figure:
    """A line a claim, its verdict on each kind of people beside it, in two columns of groups: (name, verdict by kind) each.

    A verdict is told by its mark, of `marks` by verdict, by its word, and by colour.
    """
    halves = _halves(groups)
    lines = max(sum(len(claims) + _GROUP for claims in half.values()) for half in halves)
    figure, axes = plt.subplots(1, 2, figsize=(11.6, _LINE * (lines + 1)), layout="none")
    figure.subplots_adjust(0, 0, 1, 1, wspace=0.03)
    for ax, half in zip(axes, halves, strict=True):
        ax.set(xlim=(0, 1), ylim=(lines, -1.2))
        ax.axis("off")
        _column(ax, half, marks)
    return figure


def _halves(groups: Mapping[str, Sequence]) -> tuple[dict, dict]:
    """The first groups and the others, cut where the longer of the two is shortest."""
    items = list(groups.items())
    length = [sum(len(claims) + _GROUP for _, claims in items[:cut]) for cut in range(len(items) + 1)]
    cut = min(reversed(range(len(length))), key=lambda i: max(length[i], length[-1] - length[i]))
    return dict(items[:cut]), dict(items[cut:])


def _column(ax: Axes, groups: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]], marks: Mapping[str, str]) -> None:
    kinds = next((list(verdicts) for claims in groups.values() for _, verdicts in claims), [])
    starts, width = {kind: _NAMES + _VERDICT * i for i, kind in enumerate(kinds)}, _VERDICT - 0.01
    for kind, left in starts.items():
        ax.text(left + width / 2, -0.7, kind, ha="center", va="center", fontsize=9.5, color="0.3")
    y = 0.4
    for heading, claims in groups.items():
        ax.text(0, y, heading, va="center", fontsize=10, fontweight="bold")
        for name, verdicts in claims:
            y += 1
            ax.text(_NAMES - 0.01, y, name, ha="right", va="center", fontsize=10)
            for kind, left in starts.items():
                verdict = verdicts[kind]
                ax.add_patch(Rectangle((left, y - 0.44), width, 0.88, facecolor=_FACES[verdict], edgecolor="0.8", linewidth=0.5))
                ax.text(left + width / 2, y, f"{marks[verdict]} {verdict}", ha="center", va="center", fontsize=8.5, color=_INKS[verdict])
        y += _GROUP
