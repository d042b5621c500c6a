"""Figures of where a network looks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posekit.display.overlay import BRIGHTEST, MARK, bare, over
from posekit.plots import PALE, PALETTE, ink
from posekit.skeleton import Skeleton

if TYPE_CHECKING:
    from posekit.interpret.attribution.patches import Patches

COLOURS = [
    *(PALETTE[i] for i in (0, 1, 2, 3, 4, 9, 5)),
    (0.35, 0.1, 0.45),
    PALETTE[8],
]  # without the grey, which is the controls', and the palest
STYLES = ("-", "--", ":", "-.")


def maps(
    pictures: np.ndarray, rows: Mapping[str, np.ndarray | None], points: np.ndarray | None = None, titles: Sequence[str] | None = None,
) -> Figure:  # fmt: skip
    """A row a method, a column a person: maps (N, R, R) over pictures (N, R, R, 3) uint8, each to its own strength; None shows the picture.

    A cross marks `points` (N, 2) in picture pixels.
    """
    count = len(pictures)
    label = 0.075 * max(len(line) for name in rows for line in name.splitlines()) + 0.1
    cell = min((9 - label) / max(count, 4), 11 / len(rows))  # a page is no higher
    figure, axes = plt.subplots(len(rows), count, figsize=(label + cell * count, cell * len(rows) + 0.25), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for line, (name, values) in zip(axes, rows.items(), strict=True):
        for i, ax in enumerate(line):
            over(ax, pictures[i], None if values is None else values[i])
            if points is not None:
                ax.plot(*points[i], "+", color=MARK, markersize=7, markeredgewidth=1.3)
        line[0].set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
    for ax, title in zip(axes[0], titles or (), strict=False):
        ax.set_title(title, fontsize=9, pad=3)
    return figure


def cascade_likeness(
    rows: Mapping[str, Mapping[str, Mapping]], controls: Sequence[str] = (), limit: float | None = None, decisive: str | None = None,
) -> Figure:  # fmt: skip
    """How alike maps stay in the cascade: method to level to {"mean", "low", "high"}; levels from the head downwards.

    Lines mark the limit, and the level that decides, where intervals are drawn side by side; without such a level bands are.
    """
    figure, ax = plt.subplots(figsize=(8.5, 4.2))
    levels = list(next(iter(rows.values())))
    for number, ((name, colour, style), blocks) in enumerate(zip(_lines(rows, controls), rows.values(), strict=True)):
        means, lows, highs = ([1.0, *(blocks[level][key] for level in levels)] for key in ("mean", "low", "high"))
        ax.plot(range(len(means)), means, style, color=colour, label=name, marker="o", markersize=3.5, linewidth=1.6)
        if decisive is None:
            ax.fill_between(range(len(means)), lows, highs, color=colour, alpha=0.12, linewidth=0)
        else:
            step = 1 + levels.index(decisive)
            aside = step + 0.012 * len(levels) * (number - (len(rows) - 1) / 2)
            ax.plot([aside] * 2, [lows[step], highs[step]], color=colour, linewidth=2)
    if limit is not None:
        ax.axhline(limit, color="0.6", linewidth=1, linestyle=":")
    if decisive is not None:
        ax.axvline(1 + levels.index(decisive), color="0.8", linewidth=1, linestyle="--", zorder=0)
    ax.axhline(0, color="0.85", linewidth=1, zorder=0)
    rotation = 20 if len(levels) < 8 else 40 if len(levels) < 16 else 60  # labels of more would run into each other
    ax.set_xticks(range(len(levels) + 1), ["trained", *(f"+ {level}" for level in levels)], rotation=rotation, ha="right")
    ax.set(ylabel="rank correlation with the\nmap of the trained network", ylim=(max(min(-0.1, ax.get_ylim()[0]), -1.03), 1.03))
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)
    return figure


def removal_curves(
    shares: Sequence[float], deletion: Mapping[str, np.ndarray], insertion: Mapping[str, np.ndarray], controls: Sequence[str] = ()
) -> Figure:  # fmt: skip
    """The mean over people of deletion and insertion curves (N, S), a line a method; controls are grey."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.9), sharey=True)
    kinds = (deletion, "deletion: lower is better", "removed"), (insertion, "insertion: higher is better", "restored")
    for ax, (curves, title, done) in zip(axes, kinds, strict=True):
        for (name, colour, style), curve in zip(_lines(curves, controls), curves.values(), strict=True):
            ax.plot(100 * np.asarray(shares), curve.mean(0), style, color=colour, label=name, linewidth=1.6)
        ax.set_xscale("symlog", linthresh=5)
        ax.set_xticks([0, 1, 5, 10, 20, 50, 100], ["0", "1", "5", "10", "20", "50", "100"])
        ax.minorticks_off()
        ax.set(title=title, xlabel=f"share of the picture {done} (%)", xlim=(0, 100))
    axes[0].set_ylim(0, None)
    axes[0].set_ylabel("probability of the joint\nwhere the network put it")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    return figure


def dependency_matrix(mean: np.ndarray, sure: np.ndarray, skeleton: Skeleton, label: str, rows: str = "hidden") -> Figure:
    """A matrix (K, K) of hidden joints (rows) by joints that move (columns); pale numbers are not `sure` (K, K); blank: not counted."""
    count = len(skeleton)
    figure, ax = plt.subplots(figsize=(0.46 * count + 1.9, 0.36 * count + 1.9))
    limit = max(float(np.nanmax(np.abs(mean))) if np.isfinite(mean).any() else 0.0, 1e-9)
    joint_matrix(ax, mean, sure, skeleton, limit)
    ax.set(xlabel=label, ylabel=rows)
    return figure


def joint_matrix(ax: Axes, mean: np.ndarray, sure: np.ndarray, skeleton: Skeleton, limit: float) -> None:
    """A matrix (K, K) of joints in hundredths, on colours that are full at `limit`, small values enhanced, pale where not `sure` (K, K)."""
    shade = np.sign(mean) * np.sqrt(np.abs(mean) / limit)
    opaque = np.where(sure, 1.0, 0.35)
    colours = ax.imshow(shade, cmap="vlag", vmin=-1.15, vmax=1.15, aspect="auto", alpha=opaque).to_rgba(shade, alpha=opaque)
    for (a, b), value in np.ndenumerate(mean):
        if np.isfinite(value):
            text = f"{100 * value:.0f}".replace("-", "−") if abs(value) >= 0.005 else "0"
            ax.text(b, a, text, ha="center", va="center", fontsize=9, color=ink(colours[a, b]) if sure[a, b] else PALE)
    ax.set_xticks(range(len(skeleton)), skeleton.joints, rotation=50, ha="right", rotation_mode="anchor", fontsize=9)
    ax.set_yticks(range(len(skeleton)), skeleton.joints, fontsize=9)
    ax.tick_params(length=0)
    sns.despine(ax=ax, left=True, bottom=True)


def sheet(rows: Mapping[str, Sequence[tuple[np.ndarray, str]]]) -> Figure:
    """Rows of pictures (H, W, 3), each with the line of text below it."""
    columns = max(map(len, rows.values()))
    cell = 8.2 / columns
    figure, axes = plt.subplots(len(rows), columns, figsize=(9, len(rows) * (cell + 0.42)), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    for line, (name, shown) in zip(axes, rows.items(), strict=True):
        for ax in line:
            bare(ax)
        for ax, (picture, text) in zip(line, shown, strict=False):
            ax.imshow(picture)
            ax.set_xlabel(text, fontsize=9, labelpad=2)
        line[0].set_ylabel(name, fontsize=10)
    return figure


def patches(found: Sequence["Patches"], titles: Sequence[str]) -> Figure:
    """Channels side by side: the patches of each in a square of three by three, and below it what the deconvnet makes of them."""
    figure, axes = plt.subplots(2, len(found), figsize=(9, 18 / len(found) + 0.35), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.02, wspace=0.02, hspace=0.01)
    for column, (one, title) in enumerate(zip(found, titles, strict=True)):
        strength = np.quantile(np.abs(one.projections).reshape(len(one.projections), -1), BRIGHTEST, axis=1)[:, None, None, None]
        grey = np.clip(0.5 + 0.5 * one.projections / np.maximum(strength, 1e-12), 0, 1)
        axes[0, column].imshow(_montage(one.pictures))
        axes[1, column].imshow(_montage(grey))
        axes[0, column].set_title(title, fontsize=10, pad=3)
    for ax in axes.flat:
        bare(ax)
    for ax, name in zip(axes[:, 0], ("pictures", "projections"), strict=True):
        ax.set_ylabel(name, fontsize=10)
    return figure


def _montage(pictures: np.ndarray, gap: int = 2) -> np.ndarray:
    """Pictures (P, S, S, 3) in rows of three on white, with a gap between them."""
    side, rows = pictures.shape[1], -(-len(pictures) // 3)
    canvas = np.full((rows * (side + gap) - gap, 3 * (side + gap) - gap, 3), pictures.dtype.type(255 if pictures.dtype == np.uint8 else 1))
    for i, picture in enumerate(pictures):
        y, x = i // 3 * (side + gap), i % 3 * (side + gap)
        canvas[y : y + side, x : x + side] = picture
    return canvas


def _lines(rows: Mapping, controls: Sequence[str]) -> list[tuple[str, Any, str]]:
    """Name, colour and line style of each row: controls are grey."""
    greys, number = ["0.25", "0.45", "0.6"], 0
    found: list[tuple[str, Any, str]] = []
    for name in rows:
        if name in controls:
            found.append((name, greys[list(controls).index(name) % 3], STYLES[list(controls).index(name) % 3 + 1]))
        else:
            found.append((name, COLOURS[number % len(COLOURS)], "-"))
            number += 1
    return found
