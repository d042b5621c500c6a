"""Figures of the chapter on the redesigned network."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from posekit.plots import PALETTE


def pretraining(histories: Sequence[Sequence[Mapping]], components: float) -> Figure:
    """The share of the codes' variance that the autoencoder gives back, over epochs, a line a seed."""
    figure, ax = plt.subplots(figsize=(6.5, 3.2))
    for history in histories:
        ax.plot([line["epoch"] for line in history], [100 * line["explained"] for line in history], color=PALETTE[0], linewidth=1.5)
    ax.axhline(100 * components, color="0.4", linestyle="--", linewidth=1)
    ax.set(xlabel="epoch", ylabel="variance given back (%)", ylim=(-20, 100))  # it begins at whatever it begins at
    return figure


def changes(rows: Mapping[str, Mapping], study: Sequence[str], chosen: str) -> Figure:
    """Changes in points with intervals, a row a variant, seeds as small dots; the study's in one colour, the book's in another."""
    figure, ax = plt.subplots(figsize=(6.5, 0.45 * len(rows) + 1.1))
    for y, (name, block) in enumerate(rows.items()):
        colour = PALETTE[0] if name in study else PALETTE[1]
        ax.plot([100 * block["low"], 100 * block["high"]], [y, y], color=colour, linewidth=2)
        ax.plot(100 * np.array(block["by seed"]), [y + 0.22] * len(block["by seed"]), ".", color=colour, markersize=5, alpha=0.7)
        ax.plot(100 * block["mean"], y, "o", color=colour, markersize=8)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set_yticks(range(len(rows)), [f"{name} (chosen)" if name == chosen else name for name in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel("points of PCK@0.2·torso against the base")
    return figure


def pareto(summary: Mapping[str, Mapping], chosen: str) -> Figure:
    """The score over multiply-adds, parameters and milliseconds, side by side; letters name the variants."""
    panels = {
        "macs": ("multiply-adds (millions)", 1e-6),
        "parameters": ("parameters (thousands)", 1e-3),
        "milliseconds": ("milliseconds a person", 1),
    }
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 4.2), sharey=True)
    colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(summary)}
    markers = "osD^vP*X<>"
    for ax, (key, (axis, factor)) in zip(axes, panels.items(), strict=True):
        for i, (name, block) in enumerate(summary.items()):
            score, x = block["pck"], block[key] * factor
            ax.plot([x, x], [100 * score["low"], 100 * score["high"]], color=colours[name], linewidth=1, alpha=0.5)
            label = f"{name} (chosen)" if name == chosen else name
            ax.plot(x, 100 * score["mean"], markers[i % len(markers)], color=colours[name], markersize=8, label=label)
        ax.set_xlabel(axis)
        ax.margins(x=0.15)
    axes[0].set_ylabel("PCK@0.2·torso (%)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return figure


def spectra(shares: Mapping[str, np.ndarray]) -> Figure:
    """Shares of the variance by component, a curve a network, on a logarithmic scale."""
    figure, ax = plt.subplots(figsize=(6.5, 3.4))
    styles = ("-", "--", ":", "-.")
    for i, (name, values) in enumerate(shares.items()):
        values = np.asarray(values)
        values = values[values > 1e-6]
        ax.plot(range(1, len(values) + 1), 100 * values, styles[i % 4], color=PALETTE[i], label=name)
    ax.set(xlabel="component", ylabel="share of the variance (%)", yscale="log", ylim=(1e-3, 100))
    ax.legend()
    return figure
