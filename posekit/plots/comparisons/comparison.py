"""Figures of the chapter that compares estimators."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from posekit.display.drawing import joint_colours
from posekit.plots import PALETTE, SHADES, _gap, from_zero
from posekit.plots.ablation import MARKERS
from posekit.plots.comparisons.spread import side_by_side
from posekit.skeleton import Skeleton

LONGER = "trained longer"  # says a name of what was not trained as long as the others


def estimator_colours(names: Sequence[str]) -> dict[str, tuple]:
    """A colour an estimator, the same in every figure."""
    return {name: SHADES[i % len(SHADES)] for i, name in enumerate(names)}


def compute(rows: Mapping[str, Mapping], x: Mapping[str, float], label: str, equal: Sequence[str]) -> Figure:
    """Score with its interval over a cost on a logarithmic axis, filled where the budget of training was `equal`; those of nearly the same
    cost lie beside each other.
    """
    figure, ax = plt.subplots(figsize=(7, 4.8))
    shades = estimator_colours(list(rows))
    places = 10 ** side_by_side(np.log10([x[name] for name in rows]))
    for i, (at, (name, block)) in enumerate(zip(places, rows.items(), strict=True)):
        mean, low, high = (100 * block[key] for key in ("mean", "low", "high"))
        ax.plot([at, at], [low, high], marker="_", color=shades[name], linewidth=1.5, markersize=8, markeredgewidth=1.5, alpha=0.5)
        ground = shades[name] if name in equal else "white"
        ax.plot(at, mean, MARKERS[i % 7], color=shades[name], label=name, markersize=7, markerfacecolor=ground, markeredgewidth=1.5)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:,g}")
    ax.xaxis.set_minor_formatter("")
    ax.margins(x=0.08, y=0.1)
    ax.set_ylim(bottom=0)
    ax.set(xlabel=label, ylabel="PCK@0.2·torso (%)")
    ax.grid(color="0.93")
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)
    return figure


def accuracy_over_cost(curves: Mapping[str, Sequence[Mapping]], names: Sequence[str], floor: float | None) -> Figure:
    """PCK on validation people against wall time and against the compute of training, a line a seed, both on logarithmic axes.

    `curves` has, by estimator, a block {"seconds", "macs", "pck"} a seed, each a value an epoch; colours are those of all `names`.
    `floor` is the median pose's score, drawn dashed, and three times as much dotted.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
    shades = estimator_colours(names)
    for ax, key, unit, label in zip(
        axes, ("seconds", "macs"), (60, 1e12), ("minutes of training", "multiply-adds of forward passes ($10^{12}$)"), strict=True
    ):
        for i, name in enumerate(names):
            for seed, block in enumerate(curves.get(name, ())):
                mark = MARKERS[i % len(MARKERS)]
                x, y = np.array(block[key]) / unit, 100 * np.array(block["pck"])
                ax.plot(x, y, color=shades[name], linewidth=1.2, alpha=0.8)
                ax.plot(x[-1], y[-1], mark, color=shades[name], markersize=7, label=None if seed or key == "macs" else name)
        if floor is not None:
            ax.axhline(100 * floor, color="0.4", linestyle="--", linewidth=1)
            ax.axhline(300 * floor, color="0.4", linestyle=":", linewidth=1)
        if curves:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter("{x:,g}")
        else:
            ax.set_xticks([])
            ax.text(0.5, 0.5, "not trained yet", transform=ax.transAxes, ha="center", va="center", color="0.4")
        ax.set_xlabel(label)
        ax.grid(color="0.93")
    from_zero(axes[0])  # and both
    axes[0].set_ylabel("PCK@0.2·torso on val (%)")
    if curves:
        figure.legend(loc="outside upper center", ncols=3, fontsize=9)
    return figure


def joints(scores: Mapping[str, Mapping[str, float]], label: str) -> Figure:
    """A line a kind of joint, a mark an estimator: estimator to kind to share found; open marks where a name ends with LONGER."""
    kinds = list(next(iter(scores.values())))
    figure, ax = plt.subplots(figsize=(7, 0.42 * len(kinds) + 1.5))
    shades = estimator_colours(list(scores))
    for i, (name, block) in enumerate(scores.items()):
        found, ground = [100 * block[kind] for kind in kinds], "white" if name.endswith(LONGER) else shades[name]
        ax.plot(
            found,
            np.arange(len(kinds)) + 0.07 * (i - (len(scores) - 1) / 2),
            MARKERS[i % 7],
            color=shades[name],
            label=name,
            markersize=7,
            markerfacecolor=ground,
        )
    ax.set_yticks(range(len(kinds)), kinds)
    ax.invert_yaxis()
    ax.grid(axis="y", color="0.92")
    ax.set(xlabel=label, xlim=(0, None))
    figure.legend(loc="outside upper center", ncols=3, fontsize=9)
    return figure


def stages(series: Mapping[str, Sequence[Mapping]], among: Sequence[str], label: str) -> Figure:
    """Score by stage, a line an estimator, with intervals: estimator to a block {"mean", "low", "high"} a stage.

    Colours are those of the estimators `among` all.
    """
    figure, ax = plt.subplots(figsize=(6.5, 3.6))
    shades = estimator_colours(among)
    for i, (name, blocks) in enumerate(series.items()):
        x = np.arange(1, len(blocks) + 1) + 0.05 * (i - len(series) / 2)
        mean, low, high = (np.array([100 * block[key] for block in blocks]) for key in ("mean", "low", "high"))
        ax.plot(x, mean, MARKERS[i % 7] + "-", color=shades[name], label=name)
        ax.vlines(x, low, high, color=shades[name], linewidth=3, alpha=0.4)
    ax.set_xticks(range(1, max(map(len, series.values())) + 1))
    ax.set(xlabel="stage", ylabel=label)
    from_zero(ax)
    ax.legend(fontsize=9)
    return figure


def paths(pictures: Sequence[np.ndarray], poses: Mapping[str, np.ndarray], skeleton: Skeleton) -> Figure:
    """How each joint moves from stage to stage: a row an estimator, poses (S, N, K, 2) in the pixels of the N pictures.

    A line leads from a joint's first position to its last, which has the dot.
    """
    shades = joint_colours(skeleton)
    figure, axes = plt.subplots(len(poses), len(pictures), figsize=(9, len(poses) * 9 / len(pictures) + 0.3), squeeze=False)
    _gap(figure, 0.01)
    for row, (name, found) in zip(axes, poses.items(), strict=True):
        for i, (ax, picture) in enumerate(zip(row, pictures, strict=True)):
            ax.imshow(picture, alpha=0.75)
            for k, colour in enumerate(shades):
                x, y = found[:, i, k].T
                ax.plot(x, y, "-", color="black", linewidth=2.4, alpha=0.6)
                ax.plot(x, y, "-", color=colour, linewidth=1.4)
                ax.plot(x[-1], y[-1], "o", color=colour, markersize=4, markeredgecolor="black", markeredgewidth=0.6)
            ax.set(xlim=(-0.5, picture.shape[1] - 0.5), ylim=(picture.shape[0] - 0.5, -0.5), xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        row[0].set_ylabel(name, fontsize=10)
    return figure


def templates(weights: np.ndarray, titles: Sequence[str], columns: int = 5) -> Figure:
    """Templates (N, 13, P, P) of `posekit.models.parts`: in each cell the edges that it asks for, the darker the more.

    A line runs along the edge; the joint is in the middle cell.
    """
    rows = -(-len(weights) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 9 / columns * rows + 0.25 * rows), squeeze=False)
    _gap(figure, 0.03)
    for ax in axes.flat:
        ax.axis("off")
    angles = np.pi * (np.arange(9) + 0.5) / 9
    along = 0.48 * np.stack([np.sin(angles), -np.cos(angles)], -1)  # x and y of the edge at right angles to its gradient
    size = weights.shape[-1]
    for ax, template, title in zip(axes.flat, weights, titles, strict=False):
        strength = np.maximum(template[:9], 0)
        strength = strength / max(strength.max(), 1e-12)
        o, y, x = np.nonzero(strength > 0.05)
        centre = np.stack([x, y], -1)
        lines = LineCollection(list(np.stack([centre - along[o], centre + along[o]], 1)), colors="black", linewidths=1.6)
        lines.set_alpha(strength[o, y, x])
        ax.add_collection(lines)
        ax.plot(size // 2, size // 2, "o", color=PALETTE[3], markersize=4)
        ax.set(xlim=(-0.6, size - 0.4), ylim=(size - 0.4, -0.6), aspect="equal")
        ax.set_title(title, fontsize=9, pad=2)
    return figure


def dependencies(pictures: Sequence[np.ndarray], maps: np.ndarray, points: np.ndarray, names: Sequence[str]) -> Figure:
    """Pictures (R, R, 3) under maps (N, J, h, w), a row a picture, a column a joint; a cross at its point (N, J, 2) in pixels."""
    n, count = maps.shape[:2]
    figure, axes = plt.subplots(n, count, figsize=(9, n * 9 / count + 0.3), squeeze=False)
    _gap(figure, 0.01)
    for i in range(n):
        side = pictures[i].shape[0]
        grey = np.repeat(pictures[i].mean(-1, keepdims=True), 3, -1) / 255
        for j in range(count):
            ax, strength = axes[i, j], maps[i, j] / maps[i, j].max()
            extent = (-0.5, side - 0.5, side - 0.5, -0.5)
            ax.imshow(grey, extent=extent)
            ax.imshow(strength, extent=extent, cmap="inferno", alpha=0.25 + 0.65 * strength, interpolation="nearest")
            ax.plot(*points[i, j], "+", color="white", markersize=9, markeredgewidth=2)
            ax.axis("off")
            if i == 0:
                ax.set_title(names[j], fontsize=9, pad=2)
    return figure
