"""Figures of a network that others trained, beside the book's own. All are drawn from numbers that a run keeps."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from posekit.plots import PALETTE, from_zero, ink
from posekit.plots.attribution import joint_matrix
from posekit.skeleton import Skeleton

MARKERS = ("o", "s", "^", "D")


def scores(conditions: Mapping[str, Mapping[str, Mapping]], floor: float | None, ceiling: float | None) -> Figure:
    """Condition to network to {"mean", "low", "high"}: a row a network, a mark a condition; shares in percent."""
    names = list(next(iter(conditions.values())))
    figure, ax = plt.subplots(figsize=(6.5, 0.5 * len(names) + 1.4))
    for k, (condition, blocks) in enumerate(conditions.items()):
        for row, name in enumerate(names):
            y, block = row + 0.26 * (k - (len(conditions) - 1) / 2), blocks[name]
            ax.plot([100 * block["low"], 100 * block["high"]], [y, y], color=PALETTE[k], linewidth=2.5, alpha=0.5)
            ax.plot(100 * block["mean"], y, MARKERS[k], color=PALETTE[k], markersize=6, label=None if row else condition)
    for value, style, label in ((floor, "--", "median pose"), (ceiling, ":", "what the labels allow")):
        if value is not None:
            ax.axvline(100 * value, color="0.45", linestyle=style, linewidth=1.3, label=label)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="PCK@0.2·torso (%)", xlim=(0, 100), ylim=(len(names) - 0.5, -0.5))
    ax.grid(axis="x", color="0.92")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=9)
    return figure


def headings(angles: Sequence[int], curves: Mapping[str, Sequence[Mapping]]) -> Figure:
    """Scores by direction of the trunk in degrees, a line a network; the first is drawn again at the end where they go all around."""
    figure, ax = plt.subplots(figsize=(7.5, 3.8))
    around = len(angles) > 1 and angles[0] + 360 == angles[-1] + (angles[1] - angles[0])
    x = [*angles, angles[0] + 360] if around else list(angles)
    for k, (name, blocks) in enumerate(curves.items()):
        blocks = [*blocks, blocks[0]] if around else blocks
        means, lows, highs = ([100 * block[key] for block in blocks] for key in ("mean", "low", "high"))
        ax.plot(x, means, marker=MARKERS[k % 4], markersize=5, color=PALETTE[k], label=name)
        ax.fill_between(x, lows, highs, color=PALETTE[k], alpha=0.15, linewidth=0)
    ax.set_xticks(x, [f"{angle}°".replace("-", "−") for angle in x])
    ax.set(xlabel="direction of the trunk: 0° is upright, 90° points to the right", ylabel="PCK@0.2·torso (%)")
    from_zero(ax)
    ax.grid(axis="y", color="0.92")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
    return figure


def dependency_pair(tables: Mapping[str, Mapping], skeleton: Skeleton) -> Figure:
    """Matrices of hidden joints (rows) by joints that move (columns), each {"mean", "low", "high"} (K, K).

    They lie below each other and have one scale.
    """
    means = {name: np.array(table["mean"], float) for name, table in tables.items()}
    limit = max(float(np.abs(np.nan_to_num(mean)).max()) for mean in means.values()) or 1.0
    count = len(skeleton)
    height = (0.29 * count + 0.3) * len(tables) + 1.3
    figure, axes = plt.subplots(len(tables), 1, figsize=(0.46 * count + 1.9, height), sharex=True, squeeze=False)
    for ax, (name, table) in zip(axes[:, 0], tables.items(), strict=True):
        low, high = np.array(table["low"], float), np.array(table["high"], float)
        joint_matrix(ax, means[name], (low > 0) | (high < 0), skeleton, limit)
        ax.set(title=name, ylabel="hidden")
    axes[-1, 0].set_xlabel("moves")
    figure.set_layout_engine("constrained", hspace=0.04)  # a title stays apart from the matrix above
    return figure


def alignment(rows: Sequence[str], columns: Sequence[str], table: Sequence) -> Figure:
    """A table (R, C) of CKA in hundredths, on colours."""
    values = np.array(table, float)
    figure, ax = plt.subplots(figsize=(0.52 * len(columns) + 2.2, 0.36 * len(rows) + 1.6))
    colours = ax.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto").to_rgba(values)
    for (r, c), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{round(100 * value)}".replace("-", "−")
            ax.text(c, r, text, ha="center", va="center", fontsize=8.5, color=ink(colours[r, c]))
    ax.set_xticks(range(len(columns)), columns, rotation=50, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0, labelsize=9)
    ax.set(xlabel="the book’s own network", ylabel="BlazePose")
    sns.despine(ax=ax, left=True, bottom=True)
    return figure
