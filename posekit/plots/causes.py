"""Figures of the chapter on causes: pairs, where joints land, probe beside patch, and what atoms answer to."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from posekit.plots import PALETTE, blank_rest
from posekit.plots.ablation import MARKERS

SMALL = 80  # pixels a side of a picture among many: a vector figure holds each pixel


def counterfactual_pairs(rows: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]) -> Figure:
    """Pairs of pictures side by side, a row a factor: factor to (A, B) each (H, W, 3) uint8."""
    count = max(map(len, rows.values()))
    figure, axes = plt.subplots(len(rows), count, figsize=(9, 9 / count / 2 * len(rows) + 0.2), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.01, wspace=0.02, hspace=0.01)
    for line, (factor, shown) in zip(axes, rows.items(), strict=True):
        for ax in line:
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        for ax, (a, b) in zip(line, shown, strict=False):
            small = [np.asarray(Image.fromarray(picture).resize((SMALL, SMALL), Image.Resampling.BOX)) for picture in (a, b)]
            ax.imshow(np.concatenate([small[0], np.full_like(small[0][:, :2], 255), small[1]], 1), interpolation="none")
        line[0].set_ylabel(factor, fontsize=10, rotation=0, ha="right", va="center")
    return figure


def lands(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """Where joints go by patched part: part to "A", "B" and "elsewhere", each {"mean", "low", "high"}; the interval is that of B."""
    figure, ax = plt.subplots(figsize=(7.5, 0.36 * len(rows) + 1.2))
    names = {"B": ("follow B", PALETTE[0]), "elsewhere": ("land elsewhere", "0.72"), "A": ("stay at A", "0.9")}
    for y, shares in enumerate(rows.values()):
        start = 0.0
        for key, (label, colour) in names.items():
            width = 100 * np.nan_to_num(shares[key]["mean"])
            ax.barh(y, width, left=start, color=colour, height=0.72, label=label if y == 0 else None)
            start += width
        ax.plot([100 * shares["B"]["low"], 100 * shares["B"]["high"]], [y, y], color="0.15", linewidth=1.4)
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="share of joints whose predictions for A and B differ (%)", xlim=(0, 100))
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)
    return figure


def probe_beside_patch(readable: Mapping[str, Mapping[str, Mapping]], caused: Mapping[str, Mapping[str, Mapping]]) -> Figure:
    """For each factor and hook point, how well a probe reads the factor (R²) and how much patching there moves the answer.

    `readable` is factor to hook point to {"mean", "low", "high"} of R², `caused` the same of the share of joints that follow B.
    """
    columns = min(len(readable), 2)
    rows = -(-len(readable) // columns)
    shown = [(r2["high"], caused[factor][point]["high"]) for factor, points in readable.items() for point, r2 in points.items()]
    right, top = np.nanmax(np.array([(0.1, 0.1), *shown], float), axis=0) * (1, 100)
    figure, axes = plt.subplots(rows, columns, figsize=(3.6 * columns + 0.6, 2.7 * rows + 0.9), sharex=True, sharey=True, squeeze=False)
    blank_rest(axes, len(readable))
    for ax, (factor, points) in zip(axes.flat, readable.items(), strict=False):
        for i, (point, r2) in enumerate(points.items()):
            effect, colour = caused[factor][point], PALETTE[i % len(PALETTE)]
            at = max(r2["mean"], -0.1), 100 * effect["mean"]
            ax.plot(np.clip([r2["low"], r2["high"]], -0.1, 1), [at[1]] * 2, color=colour, linewidth=2, alpha=0.4)
            ax.plot([at[0]] * 2, [100 * effect["low"], 100 * effect["high"]], color=colour, linewidth=2, alpha=0.4)
            ax.plot(*at, MARKERS[i % 7], color=colour, markersize=6, label=point)
        ax.set(title=factor, xlim=(-0.12, 1.05 * right), ylim=(-0.04 * top, 1.05 * top))
        ax.grid(color="0.94")
    figure.supxlabel("read by a probe: R²", fontsize=10)
    figure.supylabel("moved by a patch: joints that follow B (%)", fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=6, fontsize=9)
    return figure


def effects(rows: Mapping[str, Mapping], control: Sequence[float], label: str) -> Figure:
    """A dot with its interval a row, {"mean", "low", "high"} in shares, over grey marks of a control's values."""
    figure, ax = plt.subplots(figsize=(7, 0.4 * len(rows) + 1.1))
    for y, block in enumerate(rows.values()):
        ax.plot(100 * np.asarray(control), np.full(len(control), y), "|", color="0.65", markersize=9)
        ax.plot([100 * block["low"], 100 * block["high"]], [y, y], color=PALETTE[0], linewidth=3, alpha=0.5)
        ax.plot(100 * block["mean"], y, "o", color=PALETTE[0])
    ax.axvline(0, color="0.8", linewidth=1, zorder=0)
    ax.set_yticks(range(len(rows)), [row.replace("'", "’") for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set(xlabel=label)
    ax.grid(axis="x", color="0.94")
    return figure


def atoms(rows: Mapping[str, np.ndarray]) -> Figure:
    """What atoms answer most to: label to patches (P, S, S, 3) uint8."""
    count = max(map(len, rows.values()))
    figure, axes = plt.subplots(len(rows), count, figsize=(9, 8 / count * len(rows)), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.02, wspace=0.01, hspace=0.01)
    for line, (label, patches) in zip(axes, rows.items(), strict=True):
        for ax in line:
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        for ax, patch in zip(line, patches, strict=False):
            ax.imshow(patch, interpolation="bilinear")
        line[0].set_ylabel(label, fontsize=9, rotation=0, ha="right", va="center")
    return figure


def detection_by_atoms(series: Mapping[str, Sequence[float]], joints: Sequence[str]) -> Figure:
    """How well the best single feature marks each joint's cell, by kind of feature: areas under the ROC curve, 0.5 is chance."""
    figure, ax = plt.subplots(figsize=(7, 0.26 * len(joints) + 1.3))
    for i, (name, values) in enumerate(series.items()):
        ax.plot(values, np.arange(len(joints)) + 0.12 * (i - (len(series) - 1) / 2), MARKERS[i], color=PALETTE[i], markersize=5, label=name)
    ax.axvline(0.5, color="0.7", linewidth=1, zorder=0)
    ax.set_yticks(range(len(joints)), joints)
    ax.invert_yaxis()
    ax.set(xlabel="area under the ROC curve, other people")
    ax.grid(axis="y", color="0.94")
    figure.legend(loc="outside upper center", ncols=len(series), fontsize=9)
    return figure
