"""Figures of audits: how well planted errors are found, how far the probabilities can be trusted."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from posekit.plots import SHADES


def recalls(rows: Sequence[Mapping[str, Any]], methods: Sequence[str], precision: float, enough: int, names: Mapping[str, str]) -> Figure:
    """Recall at a precision of each method, with its interval, by kind and rate of planted error; `rows` as of `auditing.measure`.

    Where fewer than `enough` errors were planted, their number is written in place of the recalls. `names` are the kinds' own.
    """
    cases = list(dict.fromkeys((row["kind"], row["rate"]) for row in rows))
    figure, ax = plt.subplots(figsize=(6.5, 0.38 * len(cases) + 1.7))
    few = {(row["kind"], row["rate"]): row["planted"] for row in rows if row["planted"] < enough}
    for case, planted in few.items():
        ax.text(0, cases.index(case), f"only {planted:,} planted: not drawn", va="center", fontsize=9, color="0.25")
    shades = (*SHADES[:3], SHADES[-1])  # told apart at the size of these dots
    for i, (method, shade) in enumerate(zip(methods, shades, strict=True)):
        aside = 0.7 * (i - (len(methods) - 1) / 2) / len(methods)
        found = [
            (cases.index(case), row["recall"])
            for row in rows
            if row["method"] == method and (case := (row["kind"], row["rate"])) not in few
        ]
        for y, block in found:
            ax.plot([100 * block["low"], 100 * block["high"]], [y + aside] * 2, color=shade, linewidth=2, alpha=0.5)
        ax.plot([100 * block["mean"] for _, block in found], [y + aside for y, _ in found], "o", color=shade, label=method)
    if wholes := [y for y, (kind, _) in enumerate(cases) if kind == "whole"]:
        ax.plot([80, 80], [wholes[0] - 0.5, wholes[-1] + 0.5], color="0.2", linestyle=":", linewidth=1.5)
    ax.set_yticks(range(len(cases)), [f"{names[kind]}, {100 * rate:.0f} %" for kind, rate in cases])
    ax.set_ylim(len(cases) - 0.5, -0.5)
    ax.set_xlim(-3, 103)
    ax.set_xlabel(f"recall at a precision of {precision:g} (%)")
    ax.grid(axis="x", color="0.92")
    figure.legend(loc="outside upper center", ncols=len(methods), fontsize=9)
    return figure


def calibration(parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Share of planted errors by the probability that the audit gave, one line a name; the larger a dot, the more labels."""
    figure, ax = plt.subplots(figsize=(6.5, 4.4))
    for i, (name, intervals) in enumerate(parts.items()):
        x, y = [100 * part["mean"] for part in intervals], [100 * part["share"] for part in intervals]
        ax.plot(x, y, color=SHADES[i % len(SHADES)], linewidth=1.5, label=name)
        ax.scatter(x, y, s=[min(8 + part["labels"] / 4, 120) for part in intervals], color=SHADES[i % len(SHADES)], alpha=0.7)
    ax.plot([0, 100], [0, 100], color="0.2", linewidth=1, linestyle="--", zorder=3)
    ax.set_aspect("equal")
    ax.set_xlabel("probability by the audit (%)")
    ax.set_ylabel("share that is planted (%)")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
