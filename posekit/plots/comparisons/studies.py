"""Figures of studies, from their summaries as plain numbers."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from posekit.plots import PALETTE


def differences(variants: Mapping[str, Mapping[str, Any]], reference: str) -> Figure:
    """Difference of each variant from the reference in points, its 95 % interval, and each seed as a small dot.

    A variant is {"seeds", "difference": {"mean", "low", "high"}, "differences": {seed: difference}}; low and high are None without an
    interval, and a hollow dot says so. A variant that nothing is known of is left out.
    """
    blocks = {name: variant.get("difference") or {"mean": None} for name, variant in variants.items() if name != reference}
    names = [name for name, block in blocks.items() if block["mean"] is not None]
    figure, ax = plt.subplots(figsize=(6.5, 0.42 * max(len(names), 2) + 1.2))
    ax.axvline(0, color="0.4", linewidth=1)
    for y, name in enumerate(names):
        block = blocks[name]
        sure = block["low"] is not None
        if sure:
            ax.plot([100 * block["low"], 100 * block["high"]], [y, y], color=PALETTE[0], linewidth=2.5, alpha=0.5)
        dots = 100 * np.array([*variants[name].get("differences", {}).values()], float)
        ax.plot(dots, np.full(len(dots), y + 0.24), ".", color=PALETTE[0], markersize=5, alpha=0.7)
        ax.plot(100 * block["mean"], y, "o", color=PALETTE[0], markersize=7, markerfacecolor=PALETTE[0] if sure else "white")
    if not names:
        ax.set_xticks([])
        ax.annotate("no other network is trained yet", (0, 0), xytext=(6, 0), textcoords="offset points", va="center", color="0.4")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(max(len(names), 1) - 0.5, -0.5)
    ax.grid(axis="x", color="0.92")
    ax.set_xlabel(f"difference of PCK@0.2·torso on test from “{reference}” (points)")
    return figure
