"""Figures of confidence, of kinds of errors, of robustness, and of attribution in numbers."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from posekit.plots import PALETTE, part_columns, side

if TYPE_CHECKING:
    from posekit.engine.inference.poses import Poses

LEAST = 10  # joints of a bin that is drawn
KINDS = {"found": "0.85", "jitter": PALETTE[9], "inversion": PALETTE[3], "swap": PALETTE[4], "miss": PALETTE[7]}


def reliability(diagrams: Mapping[str, Sequence[Mapping]], errors: Mapping[str, Mapping]) -> Figure:
    """A reliability diagram each: the share found against the confidence, by bin of LEAST joints at least, over how many each bin holds."""
    count = len(diagrams)
    figure, axes = plt.subplots(2, count, figsize=(9, 9 / count + 1.3), sharex=True, sharey="row", height_ratios=(4, 1), squeeze=False)
    for column, (name, bins) in enumerate(diagrams.items()):
        upper, lower = axes[:, column]
        upper.plot([0, 1], [0, 1], ":", color="0.5", linewidth=1)
        several = [b for b in bins if b["joints"] >= LEAST]
        x, y = ([b[key] for b in several] for key in ("confidence", "mean"))
        spread = np.abs([[b["mean"] - b["low"] for b in several], [b["high"] - b["mean"] for b in several]])
        upper.errorbar(x, y, spread, fmt="o-", color=PALETTE[column], markersize=4, linewidth=1.3, elinewidth=1, clip_on=False)
        upper.set(xlim=(0, 1), ylim=(0, 1), title=f"{name}\nerror {errors[name]['mean']:.3f}")
        upper.set_aspect("equal")
        total = sum(b["joints"] for b in bins)
        for b in bins:
            lower.bar((b["low end"] + b["high end"]) / 2, 100 * b["joints"] / total, 0.09, color=PALETTE[column])
        lower.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    part_columns(figure)
    axes[0, 0].set_ylabel("share found")
    axes[1, 0].set_ylabel("joints\n(%)")
    figure.supxlabel("confidence", fontsize=10)
    return figure


def risk_coverage(curves: Mapping[str, Mapping]) -> Figure:
    """The share not found among the surest joints, a line a confidence."""
    figure, ax = plt.subplots(figsize=(6.5, 3.6))
    for i, (name, curve) in enumerate(curves.items()):
        ax.plot(100 * np.array(curve["coverage"]), 100 * np.array(curve["risk"]), color=PALETTE[i], label=name, linewidth=1.6)
    ax.set(xlabel="joints kept, highest confidence first (%)", ylabel="not found among them (%)", xlim=(0, 100), ylim=(0, None))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def radii(joints: Mapping[str, Mapping], level: float) -> Figure:
    """By joint, how often the radius holds the annotation, with its interval, and how large it is."""
    names, places = list(joints), np.arange(len(joints))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 0.24 * len(names) + 1.2), sharey=True)
    left.axvline(100 * level, color="0.5", linestyle=":", linewidth=1)
    for y, (name, block) in enumerate(joints.items()):
        held = block["held"]
        left.plot([100 * held["low"], 100 * held["high"]], [y, y], color=side(name), alpha=0.5, linewidth=2.5)
        left.plot(100 * held["mean"], y, "o", color=side(name), markersize=5)
        right.barh(y, block["radius"], color=side(name), height=0.65)
    left.set_yticks(places, names, fontsize=9)
    left.invert_yaxis()
    left.set(xlabel="annotation within the radius (%)")
    right.set(xlabel="median radius (torso lengths)")
    for ax in (left, right):
        ax.tick_params(axis="y", length=0)
    part_columns(figure)
    return figure


def circles(poses: Sequence["Poses"]) -> Figure:
    """People with their skeletons and the circle of each joint, the view round the person."""
    figure, axes = plt.subplots(1, len(poses), figsize=(9, 9 / len(poses)), squeeze=False)
    for ax, found in zip(axes[0], poses, strict=True):
        drawn = np.asarray(found.draw())
        scale = drawn.shape[1] / found.picture.shape[1]
        x, y, w, h = found.boxes[0]
        half, (cx, cy) = 0.65 * max(w, h), (x + w / 2, y + h / 2)
        ax.imshow(drawn)
        ax.set(xlim=(max(cx - half, 0) * scale, min((cx + half) * scale, drawn.shape[1])))
        ax.set(ylim=(min((cy + half) * scale, drawn.shape[0]), max(cy - half, 0) * scale))
        ax.axis("off")
    return figure


def hidden_joints(joints: Mapping[str, Mapping[str, Mapping]]) -> Figure:
    """By joint, how well each way tells hidden joints from visible ones."""
    figure, ax = plt.subplots(figsize=(7, 0.34 * len(joints) + 1.2))
    ways = list(next(iter(joints.values())))
    for y in range(0, len(joints), 2):  # a ground for every other joint, to tell whose dots are whose
        ax.axhspan(y - 0.5, y + 0.5, color="0.95", linewidth=0, zorder=0)
    for i, way in enumerate(ways):
        for y, blocks in enumerate(joints.values()):
            block, at = blocks[way], y + 0.25 * (i - (len(ways) - 1) / 2)
            ax.plot([block["low"], block["high"]], [at, at], color=PALETTE[i], alpha=0.5, linewidth=2)
            ax.plot(block["mean"], at, "o", color=PALETTE[i], markersize=4.5, label=None if y else way)
    ax.axvline(0.5, color="0.5", linestyle=":", linewidth=1)
    ax.set_yticks(range(len(joints)), joints, fontsize=9)
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="hidden against visible joints (AUROC)", xlim=(min(0.4, ax.get_xlim()[0]), 1), ylim=(len(joints) - 0.5, -0.5))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def mistake_bars(rows: Mapping[str, Mapping[str, Mapping]]) -> Figure:
    """A bar a row, its joints by kind: row to kind to {"mean"}."""
    figure, ax = plt.subplots(figsize=(8.5, 0.34 * len(rows) + 1.1))
    start = np.zeros(len(rows))
    for kind, colour in KINDS.items():
        share = 100 * np.array([blocks[kind]["mean"] for blocks in rows.values()])
        if kind == "swap" and not share.any():
            continue
        ax.barh(range(len(rows)), share, left=start, color=colour, label=kind, height=0.75)
        for y, (value, at) in enumerate(zip(share, start, strict=True)):
            if value >= 4:
                ax.text(at + value / 2, y, f"{value:.0f}", ha="center", va="center", fontsize=8, color="0.1")
        start += share
    ax.set_yticks(range(len(rows)), rows, fontsize=9)
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel="labelled joints (%)")
    ax.tick_params(axis="y", length=0)
    ax.legend(ncols=len(KINDS), loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=9)
    return figure


def robustness_curves(clean: Mapping, families: Mapping[str, Mapping]) -> Figure:
    """A panel a family: the score, and dashed how far the code moves, level by level."""
    columns = min(len(families), 5)
    rows = -(-len(families) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 2.9 * rows), sharey=True, squeeze=False)
    for ax in axes.flat[len(families) :]:
        ax.axis("off")
    for i, (ax, (name, family)) in enumerate(zip(axes.flat, families.items(), strict=False)):
        steps, x = family["levels"], range(len(family["levels"]) + 1)
        mean, low, high = ([100 * block[key] for block in (clean, *(step["pck"] for step in steps))] for key in ("mean", "low", "high"))
        ax.plot(x, mean, "o-", color=PALETTE[0], markersize=3.5)
        ax.fill_between(x, low, high, color=PALETTE[0], alpha=0.15, linewidth=0)
        ax.set_xticks(x, [f"{level:g}" for level in (family["clean"], *(step["level"] for step in steps))], fontsize=8)
        ax.set(ylim=(0, 100))
        ax.set_title(name, fontsize=10)
        ax.set_xlabel(fill(family["unit"], 24), fontsize=8)
        if steps[0]["code"] is not None:
            other = ax.twinx()
            other.plot(x, [0, *(step["code"]["mean"] for step in steps)], "--", color=PALETTE[1], linewidth=1.4)
            other.set(ylim=(0, 1.6))
            other.spines["right"].set_visible(False)
            last = i % columns == columns - 1 or i == len(families) - 1
            other.tick_params(axis="y", length=0, labelright=last, labelsize=8)
            if last:
                other.set_ylabel("code, dashed", fontsize=9)
    figure.supylabel("joints found (%), solid", fontsize=10)
    figure.set_layout_engine("constrained", hspace=0.1)  # the units below a panel stay apart from the title of the next
    return figure


def attribution_indices(table: Mapping[str, Mapping[str, Mapping]], nothing: Mapping[str, float], controls: Sequence[str] = ()) -> Figure:
    """A panel an index, a dot with its interval a method; a dotted line where a map that says nothing lies, for diffusion at 1."""
    even = {"diffusion": 1.0, **nothing}  # all of a uniform map is alike
    names = [name for name in next(iter(table.values())) if any(np.isfinite(blocks[name]["mean"]) for blocks in table.values())]
    figure, axes = plt.subplots(1, len(names), figsize=(9, 0.27 * len(table) + 1.1), sharey=True, squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        for y, (method, blocks) in enumerate(table.items()):
            colour, block = "0.5" if method in controls else PALETTE[0], blocks[name]
            ax.plot([block["low"], block["high"]], [y, y], color=colour, alpha=0.5, linewidth=2.5)
            ax.plot(block["mean"], y, "o", color=colour, markersize=5)
        if name in even:
            ax.axvline(even[name], color="0.5", linestyle=":", linewidth=1, clip_on=False)
        ax.set(xlabel=name, xlim=(0, 1))
        ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        ax.tick_params(axis="y", length=0)
    part_columns(figure)
    axes[0, 0].set_yticks(range(len(table)), table, fontsize=9)
    axes[0, 0].invert_yaxis()
    return figure
