"""Figures of clusters and maps of people."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure

from posekit.display.drawing import draw
from posekit.interpret.analysis.attributes import ATTRIBUTES, FACTORS
from posekit.plots import PALE, PALETTE, from_zero, ink, signed
from posekit.skeleton import Skeleton

CONTINUOUS: Colormap = sns.color_palette("viridis", as_cmap=True)
DIVERGING: Colormap = sns.color_palette("vlag", as_cmap=True)


def over_k(panels: Mapping[str, Mapping[str, Mapping[int, Mapping]]]) -> Figure:
    """A measure over the number of clusters: measure to name of the data to K to {"mean", "low", "high"}.

    A name that ends with "(control)" is drawn in grey.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.5 * len(panels), 3.4), squeeze=False)
    for ax, (title, curves) in zip(axes[0], panels.items(), strict=True):
        for i, (name, blocks) in enumerate(curves.items()):
            control = name.endswith("(control)")
            colour = "0.45" if control else PALETTE[i]
            ks = list(blocks)
            mean, low, high = (np.array([blocks[k][key] for k in ks]) for key in ("mean", "low", "high"))
            ax.plot(ks, mean, "s--" if control else "o-", color=colour, label=name, markersize=4)
            ax.fill_between(ks, low, high, color=colour, alpha=0.2, linewidth=0)
        ax.set(xlabel="number of clusters K", title=title)
        from_zero(ax)
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].legend(fontsize=9)
    return figure


def gallery(rows: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]], skeleton: Skeleton) -> Figure:
    """A row of people a cluster: name to pictures (H, W, 3) uint8 and their keypoints (K, 3), flags in the third column."""
    columns = max(map(len, rows.values()))
    cell = 8.2 / columns
    figure, axes = plt.subplots(len(rows), columns, figsize=(9, len(rows) * cell), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for line, (name, shown) in zip(axes, rows.items(), strict=True):
        for ax in line:
            ax.set(xticks=[], yticks=[])
            sns.despine(ax=ax, left=True, bottom=True)
        for ax, (picture, keypoints) in zip(line, shown, strict=False):
            ax.imshow(np.asarray(draw(picture, keypoints, skeleton, annotated=True, enlarge=2)), interpolation="bilinear")
        line[0].set_ylabel(name, fontsize=9)
    return figure


def enrichment_bars(records: Sequence[Mapping], names: Sequence[str], most: int = 18) -> Figure:
    """A matrix of attributes by clusters from the records of `clusters.enrichment`; `names` are the clusters'.

    Colour is the difference in standard deviations, written with half the width of its interval; grey text where that
    holds 0, blank where the difference is not defined. Of the attributes, the `most` with the greatest difference.
    """
    greatest: dict[str, float] = {}
    for record in records:
        greatest[record["attribute"]] = max(greatest.get(record["attribute"], 0.0), abs(record["difference"]))
    attributes = sorted(greatest, key=lambda name: -greatest[name])[:most]
    values = np.full((len(attributes), len(names)), np.nan)
    figure, ax = plt.subplots(figsize=(min(9.0, 2.4 + 1.05 * len(names)), 0.3 * len(attributes) + 0.9))
    limit = max([0.5, *greatest.values()])
    shades = ScalarMappable(Normalize(-limit, limit), DIVERGING).to_rgba
    for record in records:
        if record["attribute"] not in attributes:
            continue
        row, column = attributes.index(record["attribute"]), record["cluster"]
        values[row, column] = record["difference"]
        certain = record["low"] * record["high"] > 0
        colour = ink(shades(record["difference"])) if certain else PALE
        text = f"{signed(record['difference'], 2)} ± {(record['high'] - record['low']) / 2:.2f}"
        ax.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    ax.imshow(values, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto")
    ax.set_xticks(range(len(names)), names, fontsize=9)
    ax.set_yticks(range(len(attributes)), attributes, fontsize=9)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    sns.despine(ax=ax, left=True, bottom=True)
    return figure


def planes(panels: Mapping[str, tuple[np.ndarray, np.ndarray]], columns: int = 3, bars: bool = True) -> Figure:
    """Maps of people side by side: title to map (N, 2) and values (N,), whole numbers as categories, NaN grey.

    Titles that are attributes have their unit added. Axes have no ticks, for they mean nothing.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    width = 9 / columns
    figure, axes = plt.subplots(rows, columns, figsize=(9, rows * (0.75 * width + 0.35 + 0.35 * bars)), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.04, h_pad=0.04, wspace=0.03, hspace=0.12 if bars else 0.03)
    for ax in axes.flat:
        ax.axis("off")
    for ax, (title, (plane, values)) in zip(axes.flat, panels.items(), strict=False):
        ax.axis("on")
        drawn = points(ax, plane, values)
        about = (ATTRIBUTES | FACTORS).get(title)
        ax.set_title(f"{title} ({about.unit})" if about and about.unit and not title.endswith(about.unit) else title, fontsize=12)
        if bars and not categorical(values):
            bar = figure.colorbar(drawn, ax=ax, location="bottom", shrink=0.8, aspect=30, pad=0.02)
            bar.ax.tick_params(labelsize=10)
            bar.outline.set_visible(False)
    return figure


def attribute_differences(records: Sequence[Mapping], most: int = 18) -> Figure:
    """One cluster's records of `clusters.enrichment`, a dot with its interval each; of the attributes, the `most` that differ most."""
    shown = sorted(records, key=lambda record: -abs(record["difference"]))[:most]
    figure, ax = plt.subplots(figsize=(6.5, 0.27 * len(shown) + 0.9))
    for row, record in enumerate(shown):
        certain = record["low"] * record["high"] > 0
        colour = PALETTE[0] if certain else "0.6"
        ax.plot([record["low"], record["high"]], [row, row], color=colour, linewidth=3, alpha=0.5)
        ax.plot(record["difference"], row, "o", color=colour)
    ax.axvline(0, color="0.6", linewidth=1)
    ax.set_yticks(range(len(shown)), [record["attribute"] for record in shown])
    ax.invert_yaxis()
    ax.set(xlabel="higher in cluster 1 than in cluster 2 (standard deviations)")
    ax.grid(axis="x", color="0.92")
    return figure


def border(panels: Mapping[str, np.ndarray]) -> Figure:
    """Where people lie between two centres, 0 and 1: title to positions (N,); the border is at a half."""
    figure, axes = plt.subplots(1, len(panels), figsize=(4.5 * len(panels), 2.6), sharey=True, sharex=True, squeeze=False)
    for ax, (title, positions) in zip(axes[0], panels.items(), strict=True):
        colour = "0.6" if title.endswith("(control)") else PALETTE[0]
        ax.hist(positions, bins=np.linspace(-1.5, 2.5, 41), color=colour, weights=np.full(len(positions), 1 / len(positions)))
        for centre in (0, 1):
            ax.axvline(centre, color="0.3", linewidth=1)
        ax.axvline(0.5, color="0.3", linewidth=1, linestyle=":")
        ax.set(title=title, xlabel="from one centre (0) to the other (1)")
    axes[0, 0].set_ylabel("share of people")
    return figure


def points(ax: plt.Axes, plane: np.ndarray, values: np.ndarray) -> PathCollection:
    """Draw a map (N, 2) into axes without ticks; the people without a value in grey, below the others."""
    known = np.isfinite(values)
    x, y, shown = plane[known, 0], plane[known, 1], values[known]
    size = float(np.clip(9000 / len(plane), 3, 14))
    if categorical(values):
        colours = ListedColormap([PALETTE[i % len(PALETTE)] for i in range(int(shown.max(initial=0)) + 1)])
        drawn = ax.scatter(x, y, size, shown, cmap=colours, vmin=-0.5, vmax=colours.N - 0.5)
    else:
        low, high = np.quantile(shown, [0.02, 0.98]) if known.any() else (0, 1)
        drawn = ax.scatter(x, y, size, shown, cmap=CONTINUOUS, vmin=low, vmax=high)
    absent = ax.scatter(plane[~known, 0], plane[~known, 1], size, color="0.85", zorder=0.5)
    for dots in (drawn, absent):
        dots.set(linewidths=0, rasterized=True)
    ax.set(xticks=[], yticks=[])
    ax.set_aspect("equal", adjustable="datalim")
    sns.despine(ax=ax, left=True, bottom=True)
    return drawn


def categorical(values: np.ndarray) -> bool:
    """Whether values (N,) are few whole numbers: clusters, say."""
    return np.issubdtype(np.asarray(values).dtype, np.integer)
