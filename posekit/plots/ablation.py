"""Figures of the chapters on skip connections and on stacks."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from posekit.display.drawing import draw
from posekit.plots import PALE, PALETTE, blank_rest, ink, part_columns, signed
from posekit.skeleton import Skeleton

MARKERS = "osD^v<>"


def person_histogram(reference: np.ndarray, shares: Mapping[str, np.ndarray], label: str, reference_name: str) -> Figure:
    """How many people have which share of their joints found: a panel each of `shares` (N,), before the reference (N,).

    Triangles below mark the means; NaN is left out.
    """
    columns = min(len(shares), 4)
    rows = -(-len(shares) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 2.3 * rows + 0.6), sharex=True, sharey=True, squeeze=False)
    edges = np.linspace(0, 1, 11)
    blank_rest(axes, len(shares))
    for i, (ax, (name, share)) in enumerate(zip(axes.flat, shares.items(), strict=False)):
        outline = {"histtype": "step", "linewidth": 2}
        for values, colour, what in ((reference, "0.8", {"label": reference_name}), (share, PALETTE[i], outline)):
            values = values[np.isfinite(values)]
            if len(values):
                ax.hist(values, edges, weights=np.full(len(values), 100 / len(values)), color=colour, **what)
                ax.plot(values.mean(), -0.05, "^", color=colour, markersize=7, clip_on=False, transform=ax.get_xaxis_transform())
        ax.set_title(name, fontsize=10)
        ax.set(xlim=(0, 1))
        ax.set_xticks([0, 0.5, 1], ["0", "50", "100 %"])
        ax.xaxis.set_tick_params(pad=9)
    part_columns(figure)
    axes[0, 0].set_ylabel("people (%)")
    figure.supxlabel(label, fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", fontsize=9)
    return figure


def conditions(rows: Mapping[str, Mapping[str, Mapping]], reference: Mapping, label: str, reference_name: str) -> Figure:
    """A line a condition, a dot with its interval a way: row to way to {"mean", "low", "high"}; the reference is a band."""
    ways = list(dict.fromkeys(way for blocks in rows.values() for way in blocks))
    figure, ax = plt.subplots(figsize=(7.5, 0.17 * sum(map(len, rows.values())) + 0.2 * len(rows) + 1.1))
    ax.axvspan(100 * reference["low"], 100 * reference["high"], color="0.88")
    ax.axvline(100 * reference["mean"], color="0.55", linewidth=1, label=reference_name)
    y, middles, named = 0.0, [], set()
    for blocks in rows.values():
        middles.append(y + (len(blocks) - 1) / 2)
        for way, block in blocks.items():
            k = ways.index(way)
            ax.plot([100 * block["low"], 100 * block["high"]], [y, y], color=PALETTE[k], linewidth=2.5, alpha=0.5)
            ax.plot(
                100 * block["mean"], y, MARKERS[k], color=PALETTE[k], markersize=6, label=None if way in named else way.replace("'", "’")
            )
            named.add(way)
            y += 1
        y += 1.2
    ax.set_yticks(middles, rows)
    ax.set_ylim(y - 1.2, -1)
    ax.set(xlabel=label, xlim=(0, None))
    ax.grid(axis="x", color="0.92")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=min(len(ways) + 1, 5), fontsize=9)
    return figure


def changes(table: np.ndarray, sure: np.ndarray, rows: Sequence[str], columns: Sequence[str], label: str) -> Figure:
    """Changes in points (R, C) as numbers on colours; grey where not `sure` (R, C) bool; NaN stays blank."""
    figure, ax = plt.subplots(figsize=(min(0.95 * len(columns) + 2.6, 6.5), 0.34 * len(rows) + 1.4))
    limit = max(float(np.nanmax(np.abs(table))) if np.isfinite(table).any() else 1.0, 1.0)
    shade = np.sign(table) * np.sqrt(np.abs(table) / limit)  # small changes show beside large ones
    colours = ax.imshow(shade, cmap="RdBu", vmin=-1.1, vmax=1.1, aspect="auto").to_rgba(shade)
    for (r, c), value in np.ndenumerate(table):
        if np.isfinite(value):
            colour = ink(colours[r, c]) if sure[r, c] else PALE
            ax.text(c, r, signed(value, 1), ha="center", va="center", fontsize=9, color=colour)
    _label(ax, rows, columns)
    ax.set_title(label, fontsize=10)
    return figure


def matrix(table: np.ndarray, rows: Sequence[str], columns: Sequence[str], *, digits: int = 2, percent: bool = False,
           row_label: str = "", column_label: str = "", power: float = 1.0) -> Figure:  # fmt: skip
    """Values (R, C) from 0 to 1 as numbers on colours; a `power` below 1 tells small ones apart, above 1 large ones."""
    size = 0.62 if len(columns) < 12 else 0.46
    figure, ax = plt.subplots(figsize=(size * len(columns) + 2.4, 0.7 * size * len(rows) + 1.8))
    shade = np.clip(table, 0, 1) ** power
    colours = ax.imshow(shade, cmap="mako_r", vmin=0, vmax=1, aspect="auto").to_rgba(shade)
    for (r, c), value in np.ndenumerate(table):
        if np.isfinite(value):
            text = f"{100 * value:.{digits}f}" if percent else f"{value:.{digits}f}".replace("-", "−")
            ax.text(c, r, text, ha="center", va="center", fontsize=9 if len(columns) < 12 else 8.5, color=ink(colours[r, c]))
    _label(ax, rows, columns)
    ax.set(xlabel=column_label, ylabel=row_label)
    return figure


def _label(ax, rows: Sequence[str], columns: Sequence[str]) -> None:
    turn = max(map(len, columns), default=0) > (7 if len(columns) > 8 else 9)
    ax.set_xticks(range(len(columns)), columns, rotation=35 if turn else 0, ha="right" if turn else "center", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def losses_by_size(losses: Mapping[str, Mapping[str, float]], sizes: Mapping[str, float], label: str) -> Figure:
    """A panel a condition: what each kind of joint loses over its size; condition to kind to loss, kind to size."""
    count = len(losses)
    figure, axes = plt.subplots(1, count, figsize=(3.1 * count + 0.6, 3.3), squeeze=False)
    for ax, (name, loss) in zip(axes[0], losses.items(), strict=True):
        x, y = np.array([sizes[kind] for kind in loss]), np.array([100 * value for value in loss.values()])
        low, high = y.min(initial=np.inf), y.max(initial=-np.inf)
        span = max(high - low, 1.0) if len(y) else 1.0
        ax.plot(x, y, "o", color=PALETTE[0])
        ax.set_xlim(0.015, 0.135)
        if len(y):
            ax.set_ylim(low - 0.12 * span, high + 0.12 * span)
            if low - 0.12 * span < 0:
                ax.axhline(0, color="0.85", linewidth=1, zorder=0)
        _name_points(ax, x, y, list(loss), 0.075 * span)
        ax.set_title(name, fontsize=10)
    figure.supxlabel("size of the joint (COCO’s sigma)", fontsize=10)
    axes[0, 0].set_ylabel(label)
    return figure


def _name_points(ax, x: np.ndarray, y: np.ndarray, names: Sequence[str], height: float) -> None:
    """Each point's name to its right, as near as the names already placed and the other points let it; `height` is a line's."""
    placed: list[tuple[float, float]] = []
    low, high = ax.get_ylim()
    for i in np.argsort(-x):
        blocked = placed + [(x[j], y[j]) for j in range(len(x)) if j != i]
        shifts = [d for d in sorted(np.arange(-6, 7) * height, key=abs) if low < y[i] + d - height / 2 and y[i] + d + height / 2 < high]
        free = [d for d in shifts if all(not (-0.03 < at - x[i] < 0.032) or abs(level - y[i] - d) > 0.9 * height for at, level in blocked)]
        shift = free[0] if free else 0.0
        placed.append((x[i], y[i] + shift))
        line = {"arrowstyle": "-", "color": "0.7", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 3} if shift else None
        ax.annotate(names[i], (x[i], y[i]), xytext=(x[i] + 0.004, y[i] + shift), fontsize=8.5, va="center", arrowprops=line)


def before_after(
    pictures: Sequence[np.ndarray], versions: Mapping[str, Sequence[np.ndarray]], skeleton: Skeleton, titles: Mapping[str, Sequence[str]],
) -> Figure:  # fmt: skip
    """People in columns, versions of their skeletons in rows: version to keypoints (K, 3) of each, and titles likewise.

    All joints are drawn in full, however unsure: an edited network is sure of none.
    """
    columns = len(pictures)
    cell = 9.0 / columns
    figure, axes = plt.subplots(len(versions), columns, figsize=(9.0, len(versions) * (cell + 0.24)), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for row, (name, people) in zip(axes, versions.items(), strict=True):
        for ax, picture, keypoints, title in zip(row, pictures, people, titles[name], strict=True):
            full = np.concatenate([keypoints[:, :2], np.ones_like(keypoints[:, 2:])], -1)
            ax.imshow(np.asarray(draw(picture, full, skeleton)), interpolation="bilinear")
            ax.set_title(title, fontsize=9, pad=2)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        row[0].set_ylabel(fill(name, int(cell * 11)), fontsize=10)  # no longer than its row is high
    return figure


def joint_changes(series: Mapping[str, Mapping[str, Mapping]], label: str) -> Figure:
    """A dot with its interval for each joint and series: series to joint to {"mean", "low", "high"}, in points."""
    joints = list(dict.fromkeys(joint for blocks in series.values() for joint in blocks))
    figure, ax = plt.subplots(figsize=(7, (0.14 * len(series) + 0.12) * len(joints) + 1.2))
    ax.axvline(0, color="0.6", linewidth=1)
    for i, (name, blocks) in enumerate(series.items()):
        for j, joint in enumerate(joints):
            if joint in blocks:
                block, y = blocks[joint], j + (i - (len(series) - 1) / 2) * 0.24
                ax.plot([100 * block["low"], 100 * block["high"]], [y, y], color=PALETTE[i], linewidth=2.5, alpha=0.45)
                ax.plot(100 * block["mean"], y, MARKERS[i % 7], color=PALETTE[i], markersize=5, label=name if j == 0 else None)
    ax.set_yticks(range(len(joints)), joints)
    ax.invert_yaxis()
    ax.grid(axis="x", color="0.92")
    ax.set(xlabel=label)
    if len(series) > 1:
        figure.legend(loc="outside upper center", ncols=min(len(series), 3), fontsize=9)
    return figure


def stacked_kinds(shares: Mapping[str, Mapping[str, Mapping]], colours: Mapping[str, tuple] | None = None) -> Figure:
    """Kinds of errors by stack, or by what else has `colours`: its name to kind to {"mean", ...}; the kind `found` is left out, since it is
    most of all.
    """
    names = list(shares)
    kinds = [kind for kind in shares[names[0]] if kind != "found" and any(shares[n][kind]["mean"] > 0 for n in names)]
    figure, ax = plt.subplots(figsize=(7.5, 0.42 * len(kinds) * max(len(names), 2) / 2 + 1.3))
    for i, name in enumerate(names):
        for j, kind in enumerate(kinds):
            block, y = shares[name][kind], j + (i - (len(names) - 1) / 2) * 0.8 / len(names)
            colour = (colours or {}).get(name, PALETTE[i])
            ax.barh(y, 100 * block["mean"], height=0.76 / len(names), color=colour, alpha=0.75, label=name if j == 0 else None)
            ax.plot([100 * block["low"], 100 * block["high"]], [y, y], color="0.2", linewidth=1.3)
    ax.set_yticks(range(len(kinds)), kinds)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="share of all labelled joints (%)", xlim=(0, None))
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)
    return figure
