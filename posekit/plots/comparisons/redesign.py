"""Figures of the chapter on the redesigned network."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from posekit.plots import PALETTE, blank_rest, from_zero, ink
from posekit.plots.comparisons.spread import side_by_side

KINDS = {
    "reference": ("the base", "0.35"),
    "found": ("a finding suggests it", PALETTE[1]),
    "study": ("the bachelor thesis’s, and its controls", PALETTE[0]),
    "distilled": ("learns from a larger network too", PALETTE[2]),
    "random": ("drawn at random", PALETTE[7]),
}


def learning_curves(variants: Mapping[str, Mapping], reference: str, floor: float | None) -> Figure:
    """PCK on validation people by epoch, a panel a variant, a line a seed; the reference's in grey behind, the median pose's dashed.

    A variant is {"kind", "seeds", "curves"}, curves {seed: [[PCK by epoch] by stage]}; those without seeds are left out,
    but for the reference.
    """
    variants = {name: variant for name, variant in variants.items() if variant["seeds"] or name == reference}
    columns, rows = 4, -(-len(variants) // 4)
    figure, axes = plt.subplots(rows, columns, figsize=(9, 1.9 * rows + 0.4), sharex=True, sharey=True, squeeze=False)
    behind = variants[reference].get("curves", {})
    blank_rest(axes, len(variants))
    for ax, (name, variant) in zip(axes.flat, variants.items(), strict=False):
        for stages in behind.values() if name != reference else ():
            _curve(ax, stages, "0.8", 2.5)
        for stages in variant.get("curves", {}).values():
            _curve(ax, stages, KINDS[variant["kind"]][1], 1.2)
        if floor is not None:
            ax.axhline(100 * floor, color="0.4", linestyle="--", linewidth=1)
        if not variant["seeds"]:
            ax.text(0.5, 0.5, "not trained yet", transform=ax.transAxes, ha="center", va="center", color="0.4", fontsize=9)
        ax.set_title(name, fontsize=9.5)
    from_zero(axes.flat[0])  # and all
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("PCK@0.2·torso on val (%)", fontsize=10)
    return figure


def _curve(ax, stages, colour, width) -> None:
    values = [100 * value for stage in stages for value in stage]
    ax.plot(range(1, len(values) + 1), values, color=colour, linewidth=width)


def variant_changes(variants: Mapping[str, Mapping], chosen: str | None) -> Figure:
    """Differences in points with intervals, a row a variant, seeds as small dots; drawn at random apart, at the bottom.

    A variant is {"kind", "difference", "differences"}: a block {"mean", "low", "high"}, low and high None without an interval, and the
    differences by seed. Those without a difference are left out.
    """
    shown = {name: v for name, v in variants.items() if v.get("difference") and v["difference"]["mean"] is not None}
    rows = sorted(shown, key=lambda name: shown[name]["kind"] == "random")
    figure, ax = plt.subplots(figsize=(6.5, 0.42 * max(len(rows), 2) + 1.4))
    for y, name in enumerate(rows):
        block, colour = shown[name]["difference"], KINDS[shown[name]["kind"]][1]
        if block["low"] is not None:
            ax.plot([100 * block["low"], 100 * block["high"]], [y, y], color=colour, linewidth=2)
        dots = 100 * np.array([*shown[name]["differences"].values()], float)
        ax.plot(dots, [y + 0.22] * len(dots), ".", color=colour, markersize=5, alpha=0.7)
        ax.plot(100 * block["mean"], y, "o", color=colour, markersize=8, markerfacecolor=colour if block["low"] is not None else "white")
    ax.axvline(0, color="0.4", linewidth=1)
    left, right = ax.get_xlim()
    ax.set_xlim(min(left, -1), max(right, 1))
    drawn = [name for name in rows if shown[name]["kind"] == "random"]
    if drawn and len(drawn) < len(rows):
        ax.axhline(len(rows) - len(drawn) - 0.5, color="0.7", linewidth=1, linestyle=":")
    if not rows:
        ax.text(0.5, 0.5, "no redesign is trained yet", transform=ax.transAxes, ha="center", va="center", color="0.4")
    ax.set_yticks(range(len(rows)), [f"{name} (chosen)" if name == chosen else name for name in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5) if rows else ax.set_ylim(1, 0)
    ax.set_xlabel("difference of PCK@0.2·torso on test (points)")
    _legend(figure, [shown[name]["kind"] for name in rows])
    return figure


def pareto(variants: Mapping[str, Mapping], chosen: str | None) -> Figure:
    """PCK on test over multiply-adds, colours by kind; left and above is better. Variants that are not trained are left out.

    Dots of about equal cost are drawn side by side, and a grey line leads from each to its cost on the axis.
    """
    shown = {name: variant for name, variant in variants.items() if variant["seeds"]}
    rows = -(-len(shown) // 3)
    figure, ax = plt.subplots(figsize=(7.5, 4 + 0.2 * rows))
    costs = np.array([variant["macs"] / 1e6 for variant in shown.values()])
    places = side_by_side(costs)
    for number, (x, (name, variant)) in enumerate(zip(places, shown.items(), strict=True), 1):
        block, colour = variant["test"], KINDS[variant["kind"]][1]
        low, mean, high = (100 * (block["mean"] if block[key] is None else block[key]) for key in ("low", "mean", "high"))
        ax.plot([x, x], [low, high], color=colour, linewidth=1.5, alpha=0.4, zorder=1)
        ax.plot(x, mean, "o", color=colour, markersize=11, label=f"{number}  {name}{' (chosen)' if name == chosen else ''}")
        letters = ink(to_rgb(colour))
        ax.annotate(str(number), (x, mean), ha="center", va="center_baseline", color=letters, fontsize=7.5, fontweight="bold")
    ax.set(xlabel="multiply-adds (millions)", ylabel="PCK@0.2·torso on test (%)")
    ax.margins(0.1)
    foot, head = ax.get_ylim()
    for cost, x, variant in zip(costs, places, shown.values(), strict=True):
        ax.plot([cost, x, x], [foot, foot + 0.08 * (head - foot), 100 * variant["test"]["mean"]], color="0.8", linewidth=0.8, zorder=0)
    ax.set_ylim(foot, head)
    if shown:
        figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
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


def _legend(figure: Figure, kinds: list[str]) -> None:
    entries = {KINDS[kind] for kind in kinds}
    handles = [
        plt.Line2D([], [], marker="o", linestyle="", color=colour, label=label)
        for label, colour in KINDS.values()
        if (label, colour) in entries
    ]
    if handles:
        figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=9)
