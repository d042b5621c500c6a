"""Figures of the theory chapters."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posekit.plots import PALETTE

WIDTH = 6.0  # inches: two panels that a phone shows whole


def _panels(count: int, height: float, **options) -> tuple[Figure, np.ndarray]:
    return plt.subplots(1, count, figsize=(WIDTH, height), squeeze=False, **options)


def decoding(offsets: np.ndarray, errors: Mapping[str, np.ndarray], noise: np.ndarray, rms: Mapping[str, np.ndarray]) -> Figure:
    """Left, each decoder's error (T,) in cells over the position of the peak within its cell (T,); right, its root mean square (S,) over
    the noise (S,) of the map.
    """
    figure, axes = _panels(2, 3.1)
    place, noisy = axes[0]
    for i, name in enumerate(errors):
        line = {"color": PALETTE[i], "label": name, "linestyle": ("-", "-.", "-", "--")[i % 4]}  # the last two coincide on the left
        place.plot(offsets, errors[name], **line)
        noisy.plot(noise, rms[name], **line)
    place.set(xlabel="position of the peak within its cell", ylabel="error (cells)")
    noisy.set(xlabel="noise (the peak is 1)", ylabel="error (cells), r.m.s.", ylim=(0, None))
    place.set_ylim(-0.55, 0.75)
    place.legend(fontsize=8, loc="upper center", ncols=2)
    return figure


def trap(counts: np.ndarray, worth: Mapping[str, np.ndarray], shifts: np.ndarray, costs: Mapping[str, np.ndarray]) -> Figure:
    """Losses relative to a flat map's: left, of the best map for a joint at one of n positions (N,); right, of a single peak that is
    off (S,).
    """
    figure, axes = _panels(2, 3.1, sharey=True)
    known, off = axes[0]
    for i, name in enumerate(worth):
        said = {"mse": "mean squared error"}.get(name, name)
        known.plot(counts, worth[name], "o-", color=PALETTE[i], markersize=4, label=said)
        off.plot(shifts, costs[name], color=PALETTE[i])
    known.set(xlabel="possible positions of the joint", ylabel="loss / loss of a flat map", xscale="log", ylim=(0, 2.1))
    known.set_xticks(counts[::2], [f"{n:,}" for n in counts[::2]])
    known.minorticks_off()
    off.set(xlabel="error of a single peak (cells)")
    for ax in (known, off):
        ax.axhline(1, color="0.6", linestyle=":", linewidth=1)
    off.annotate("a flat map", (shifts[-1], 1), xytext=(0, -12), textcoords="offset points", fontsize=9, color="0.4", ha="right")
    known.legend(fontsize=9, loc="upper left")
    return figure


def optimisers(
    paths: Mapping[str, np.ndarray], height: np.ndarray, extent: tuple[float, float, float, float], values: Mapping[str, np.ndarray]
) -> Figure:
    """Paths (T, 2) over a landscape (Y, X) of `extent`, and the height (T,) that each has come down to."""
    figure, axes = _panels(2, 3.1)
    land, fall = axes[0]
    land.contour(np.log10(height + 0.05), levels=10, extent=extent, colors="0.8", linewidths=0.8)
    for i, name in enumerate(paths):
        land.plot(*paths[name].T, ".-", color=PALETTE[i], markersize=3, linewidth=1)
        fall.plot(values[name], color=PALETTE[i], label=name)
    land.plot(0, 0, "k+", markersize=9)
    land.set(xlabel="flat direction", ylabel="steep direction", xlim=extent[:2], ylim=extent[2:])
    fall.set(xlabel="step", ylabel="loss", yscale="log")
    fall.legend(fontsize=8, loc="upper right")
    return figure


def schedule(rates: Mapping[str, np.ndarray], losses: Mapping[str, np.ndarray]) -> Figure:
    """Left, learning rates over the steps (T,); right, the loss of weights and of their running mean (T,)."""
    figure, axes = _panels(2, 3.1)
    rate, loss = axes[0]
    for i, (name, values) in enumerate(rates.items()):
        rate.plot(values, color=PALETTE[i], label=name)
    for name, values in losses.items():
        schedule_name, averaged = name.removesuffix(", averaged"), name.endswith(", averaged")
        colour = PALETTE[list(rates).index(schedule_name)]
        loss.plot(values, color=colour, linestyle="-" if averaged else ":", linewidth=1.6 if averaged else 1.2)
    rate.set(xlabel="step", ylabel="learning rate / maximum", ylim=(0, 1.05))
    loss.set(xlabel="step", ylabel="loss", yscale="log")
    rate.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0.04, 0), handlelength=1.2)
    kinds = [
        plt.Line2D([], [], color="0.3", linestyle=":", label="the weights"),
        plt.Line2D([], [], color="0.3", linestyle="-", label="their running mean"),
    ]
    loss.legend(handles=kinds, fontsize=8, loc="upper right", handlelength=1.2)
    return figure


def generalisation(
    points: tuple[np.ndarray, np.ndarray], grid: np.ndarray, truth: np.ndarray, fits: Mapping[int, np.ndarray], degrees: np.ndarray,
    seen: np.ndarray, unseen: np.ndarray,
) -> Figure:  # fmt: skip
    """Left, polynomials by degree on a grid, and the points x, y that they were fitted to; right, the error over the degree (D,) on points
    that were fitted and on others.
    """
    figure, axes = _panels(2, 3.1)
    curves, error = axes[0]
    curves.plot(grid, truth, color="0.7", linewidth=5, label="truth")
    for i, (degree, values) in enumerate(fits.items()):
        curves.plot(grid, values, color=PALETTE[i], label=f"degree {degree}")
    curves.plot(*points, "k.", markersize=6)
    curves.set(ylim=(-3.4, 4.4), xlabel="input", ylabel="output")
    curves.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    error.plot(degrees, seen, "o-", color=PALETTE[7], markersize=4, label="fitted points")
    error.plot(degrees, unseen, "o-", color=PALETTE[0], markersize=4, label="other points")
    error.set(xlabel="degree of the polynomial", ylabel="error, r.m.s.", yscale="log")
    error.xaxis.get_major_locator().set_params(integer=True)
    error.legend(fontsize=8)
    return figure


def pictures(
    shown: Mapping[str, np.ndarray], columns: int, kernels: Mapping[str, np.ndarray] | None = None, blocks: int | None = None
) -> Figure:  # fmt: skip
    """Grey pictures (H, W) by name; the kernel (k, k) that made one stands in its corner. Signed pictures are grey where they are 0.

    Lines are drawn between blocks of `blocks` cells.
    """
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, rows * (WIDTH / columns + 0.25)), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, (name, picture) in zip(axes.flat, shown.items(), strict=False):
        reach = np.quantile(np.abs(picture), 0.99) if picture.min() < 0 else picture.max()
        ax.imshow(picture, cmap="gray", vmin=-reach if picture.min() < 0 else 0, vmax=reach, interpolation="nearest")
        ax.set_title(name, fontsize=10, pad=3)
        for edge in range(blocks or len(picture), len(picture), blocks or 1):
            ax.axhline(edge - 0.5, color="0.35", linewidth=0.6)
            ax.axvline(edge - 0.5, color="0.35", linewidth=0.6)
        if kernels and name in kernels:
            corner = ax.inset_axes((0.66, 0.02, 0.32, 0.32))
            kernel = kernels[name]
            corner.imshow(kernel, cmap=sns.color_palette("vlag", as_cmap=True), vmin=-np.abs(kernel).max(), vmax=np.abs(kernel).max())
            corner.set(xticks=[], yticks=[])
            sns.despine(ax=corner, left=False, bottom=False, right=False, top=False)
    return figure


def receptive(
    sides: Mapping[str, int], effective: Mapping[str, int], resolution: int, maps: Mapping[str, np.ndarray], centres: Mapping[str, float]
) -> Figure:  # fmt: skip
    """Left, the side of the receptive field by hook point, and of the square that holds most of the gradient where that was measured;
    right, gradients (R, R) of one cell, each to its own maximum, with that square around the cell (its x and y, alike, in `centres`).
    """
    figure = plt.figure(figsize=(WIDTH, 4.6))
    bars, grid = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.45, 1))[0]
    ax = bars.subplots()
    for row, (name, side) in enumerate(sides.items()):
        ax.barh(row, side, color=PALETTE[0], alpha=0.5, height=0.7)
        ax.text(side * 1.06, row, f"{side:,}", va="center", fontsize=8, color="0.3", bbox={"color": "white", "pad": 0.8})
        if name in effective:
            ax.plot(effective[name], row, "o", color=PALETTE[1], markersize=6)
    ax.axvline(resolution, color="0.4", linestyle=":", linewidth=1)
    ax.annotate("the picture", (resolution, -0.7), xytext=(3, 0), textcoords="offset points", fontsize=8, color="0.4", va="center")
    ax.set_yticks(range(len(sides)), sides, fontsize=8)
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="side (pixels)", xlim=(5, 2400))
    ax.set_xticks([10, 100, 1000], ["10", "100", "1,000"])
    for panel, (name, gradient) in zip(grid.subplots(len(maps), 1, squeeze=False)[:, 0], maps.items(), strict=True):
        panel.imshow(np.sqrt(gradient / gradient.max()), cmap="inferno", interpolation="nearest")
        half, middle = effective[name] / 2, centres[name]
        panel.add_patch(plt.Rectangle((middle - half, middle - half), 2 * half, 2 * half, fill=False, edgecolor=PALETTE[1]))
        panel.set(xticks=[], yticks=[], xlim=(-0.5, resolution - 0.5), ylim=(resolution - 0.5, -0.5))
        panel.set_title(name, fontsize=9, pad=3)
    return figure


def depth(signals: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]) -> Figure:
    """The magnitude of signals and of gradients (L,) by layer, one line per network."""
    figure, axes = _panels(2, 3.1)
    titles = "magnitude of the signal", "magnitude of the gradient"
    for ax, curves, title in zip(axes[0], (signals, gradients), titles, strict=True):
        for i, (name, values) in enumerate(curves.items()):
            ax.plot(np.arange(1, len(values) + 1), values, color=PALETTE[i], label=name)
        ax.set(xlabel="layer", ylabel=title, yscale="log")
    axes[0, 1].legend(fontsize=8, loc="lower right")
    return figure


def planted(spectrum: np.ndarray, floor: np.ndarray, true: int, variances: np.ndarray, kept: np.ndarray, noise: float) -> Figure:
    """Left, a spectrum (R,) of which `true` components are planted, over its noise floor (R,); right, how much of each component a linear
    denoiser keeps (D,), over its variance (D,), where the noise has variance `noise`.
    """
    figure, axes = _panels(2, 3.1)
    scree, shrunk = axes[0]
    number = np.arange(1, len(spectrum) + 1)
    scree.plot(number, spectrum, "-", color=PALETTE[0], linewidth=1)
    scree.plot(number[:true], spectrum[:true], "o", color=PALETTE[0], markersize=5, label="planted")
    scree.plot(number[true:], spectrum[true:], ".", color=PALETTE[0], markersize=3, label="noise")
    scree.plot(number[: len(floor)], floor, "--", color="0.45", label="permutation floor")
    scree.set(xlabel="component", ylabel="variance", yscale="log")
    scree.legend(fontsize=8)
    line = np.logspace(np.log10(variances.min()) - 0.1, np.log10(variances.max()) + 0.1, 100)
    shrunk.plot(line, line / (line + noise), color="0.45", linestyle="--", label="λ / (λ + ν)")
    shrunk.plot(variances, kept, ".", color=PALETTE[0], markersize=6, label="measured")
    shrunk.axvline(noise, color="0.6", linestyle=":", linewidth=1)
    shrunk.annotate("ν, added noise", (noise, 0.04), xytext=(4, 0), textcoords="offset points", fontsize=9, color="0.4")
    shrunk.set(xlabel="variance of the component", ylabel="share kept", xscale="log", ylim=(0, 1.02))
    shrunk.legend(fontsize=8)
    return figure


def two_clusters(clouds: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], titles: Mapping[str, str]) -> Figure:
    """Clouds in two clusters: name to points (N, 2), labels (N,) and positions (N,) along the line between the centres, drawn below."""
    figure, axes = plt.subplots(2, len(clouds), figsize=(WIDTH, 4.4), height_ratios=(1.6, 1), squeeze=False)
    for (top, bottom), (name, (points, labels, positions)) in zip(axes.T, clouds.items(), strict=True):
        for cluster in (0, 1):
            top.plot(*points[labels == cluster].T, ".", color=PALETTE[cluster], markersize=3, alpha=0.7, rasterized=True)
            bottom.hist(positions[labels == cluster], bins=np.linspace(-1.5, 2.5, 41), color=PALETTE[cluster], alpha=0.7)
        top.set_title(f"{name}\n{titles[name]}", fontsize=10)
        top.set(xticks=[], yticks=[], aspect="equal")
        top.set_adjustable("datalim")
        bottom.axvline(0.5, color="0.4", linestyle=":", linewidth=1)
        bottom.annotate(
            "border", (0.5, 1), (0, 2), xycoords=("data", "axes fraction"), textcoords="offset points", ha="center", fontsize=9, color="0.3"
        )
        bottom.set(yticks=[], xticks=[0, 1])
        bottom.set_xticklabels(["centre", "centre"], fontsize=9)
        if points[labels == 0, 0].mean() > points[labels == 1, 0].mean():
            bottom.invert_xaxis()  # the clusters in the same order as above
    return figure


def coverage(intervals: Mapping[str, np.ndarray], truth: float, titles: Mapping[str, str], shown: int = 50) -> Figure:
    """Intervals (S, 2) of repeated samples, the first `shown` of them, those that miss the truth bold; a panel a name, and its title."""
    figure, axes = _panels(len(intervals), 3.4, sharex=True, sharey=True)
    for ax, (name, found) in zip(axes[0], intervals.items(), strict=True):
        _stack(ax, 100 * found[:shown], 100 * truth)
        ax.set_title(titles[name], fontsize=10)
        ax.set(xlabel="PCK (%)", yticks=[])
    axes[0, 0].set_ylabel("repeated samples")
    return figure


def _stack(ax: Axes, intervals: Sequence[Sequence[float]] | np.ndarray, truth: float) -> None:
    for row, (low, high) in enumerate(intervals):
        held = low <= truth <= high
        ax.plot([low, high], [row, row], color=PALETTE[0] if held else PALETTE[3], linewidth=1.2 if held else 2.8)
    ax.axvline(truth, color="0.3", linewidth=1)
