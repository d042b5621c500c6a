"""Figure of a sweep."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from posekit.plots import PALETTE

Blocks = Sequence[Mapping[str, float]]


def settings(numbers: Mapping[str, Mapping[str, Blocks]], over_seeds: Callable[[list[float]], Mapping[str, float]]) -> Figure:
    """A panel a number, a line a setting: its runs as dots with their own intervals, the mean of several as a diamond with its.

    `numbers` is number to setting to blocks of runs {"mean", "low", "high"}, the last two where there is an interval.
    """
    lines = len(next(iter(numbers.values())))
    columns = min(len(numbers), 2)
    rows = -(-len(numbers) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.6 * columns, rows * (0.55 * lines + 1.0)), sharey=True, squeeze=False)
    for ax in axes.flat[len(numbers) :]:
        ax.axis("off")
    for ax, (number, by_setting) in zip(axes.flat, numbers.items(), strict=False):
        for line, blocks in enumerate(by_setting.values()):
            for i, block in enumerate(blocks):
                y = line + 0.3 * ((i + 1) / (len(blocks) + 1) - 0.5)
                _dot(ax, block, y, "o", 4, "0.45")
            if len(blocks) > 1:
                _dot(ax, over_seeds([block["mean"] for block in blocks]), line + 0.32, "D", 6, PALETTE[0])
        ax.set_yticks(range(lines), by_setting)
        ax.set_ylim(lines - 0.4, -0.6)
        ax.set_xlabel(number)
        ax.grid(axis="x", color="0.92")
    named = [Line2D([], [], color="0.45", marker="o", markersize=4, label="a run, with its own 95 % interval")]
    if any(len(blocks) > 1 for by_setting in numbers.values() for blocks in by_setting.values()):
        named.append(Line2D([], [], color=PALETTE[0], marker="D", markersize=6, label="mean over seeds, 95 % over seeds"))
    figure.legend(handles=named, loc="outside upper center", ncols=columns, fontsize=9)
    return figure


def _dot(ax: plt.Axes, block: Mapping[str, float], y: float, marker: str, size: float, colour) -> None:
    if "low" in block:
        ax.plot([block["low"], block["high"]], [y, y], color=colour, linewidth=1.5)
    ax.plot(block["mean"], y, marker, color=colour, markersize=size)
