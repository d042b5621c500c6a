"""The figure of the ledger of claims."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from posekit.plots import PALETTE

_FACES = {"supported": PALETTE[0], "not supported": PALETTE[1], "undecided": "0.85", "not decided yet": "0.95", "not measured": "white"}
_INKS = {"supported": "white", "not supported": "black", "undecided": "black", "not decided yet": "black", "not measured": "0.35"}
_LINE = 0.24  # inches a claim


def overview(groups: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]], marks: Mapping[str, str]) -> Figure:
    """A line a claim, its verdict on each kind of people beside it; by group: (name, verdict by kind) each.

    A verdict is told by its mark, of `marks` by verdict, by its word, and by colour.
    """
    kinds = next((list(verdicts) for claims in groups.values() for _, verdicts in claims), [])
    count = sum(len(claims) + 1.4 for claims in groups.values())
    figure, ax = plt.subplots(figsize=(6.4, _LINE * (count + 1)))
    ax.set(xlim=(0, 1), ylim=(count, -1.2))
    ax.axis("off")
    starts, width = {kind: 0.545 + 0.23 * i for i, kind in enumerate(kinds)}, 0.22
    for kind, left in starts.items():
        ax.text(left + width / 2, -0.7, kind, ha="center", va="center", fontsize=9.5, color="0.3")
    y = 0.4
    for heading, claims in groups.items():
        ax.text(0, y, heading, va="center", fontsize=10, fontweight="bold")
        for name, verdicts in claims:
            y += 1
            ax.text(0.535, y, name, ha="right", va="center", fontsize=9.5)
            for kind, left in starts.items():
                verdict = verdicts[kind]
                ax.add_patch(Rectangle((left, y - 0.44), width, 0.88, facecolor=_FACES[verdict], edgecolor="0.8", linewidth=0.5))
                ax.text(left + width / 2, y, f"{marks[verdict]}  {verdict}", ha="center", va="center", fontsize=9, color=_INKS[verdict])
        y += 1.4
    return figure
