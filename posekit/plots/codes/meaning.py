"""Figures of what directions mean: correlations, probes, walks."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from posekit.display.drawing import draw, joint_colours
from posekit.interpret.activations.walks import Causal
from posekit.interpret.analysis.probes import Probe
from posekit.plots import PALETTE, ink
from posekit.skeleton import Skeleton

STRONG = 0.2  # correlations from here on are printed
CLOSE = 1.5  # times as many directions are the next tick that a label has room beside


def correlation_table(table: pd.DataFrame, components: int = 10) -> Figure:
    """Attributes by components: `probes.correlations`' table as a matrix, its strong values printed."""
    matrix = table.pivot(index="attribute", columns="component", values="r")
    matrix = matrix.loc[table["attribute"].drop_duplicates(), matrix.columns[:components]]
    shown = matrix.map(lambda r: f"{r:.2f}".replace("-", "−") if abs(r) >= STRONG else "")
    figure, ax = plt.subplots(figsize=(min(9, 3.2 + 0.56 * matrix.shape[1]), 0.27 * len(matrix) + 1.0))
    sns.heatmap(
        matrix, ax=ax, cmap="vlag", center=0, vmin=-1, vmax=1, annot=shown, fmt="", annot_kws={"fontsize": 8.5},
        linewidths=0.6,
        cbar_kws={"label": "Pearson’s r", "fraction": 0.03, "pad": 0.02, "ticks": [-1, 0, 1]},
    )  # fmt: skip
    for text, colour in zip(ax.texts, np.asarray(ax.collections[0].get_facecolor()), strict=True):
        text.set_color(ink(colour))
    ax.set(xlabel="component", ylabel="")
    ax.tick_params(length=0, axis="both")
    ax.tick_params(axis="y", labelrotation=0)
    ax.tick_params(axis="x", labelrotation=0)
    return figure


def probe_scores(code: Mapping[str, Probe], pixels: Mapping[str, Probe]) -> Figure:
    """R² of probes by attribute, best first: from codes, from pixels, and what chance reaches, with intervals."""
    names = sorted(code, key=lambda name: -code[name].r2)
    lowest = max(min([-0.08, *(found.low for found in (*code.values(), *pixels.values()))]) - 0.02, -0.5)
    figure, ax = plt.subplots(figsize=(7.5, 0.27 * len(names) + 1.2))
    for row, name in enumerate(names):
        for found, offset, colour, marker in ((pixels.get(name), 0.16, PALETTE[1], "s"), (code[name], -0.12, PALETTE[0], "o")):
            if found is not None:
                y = row + offset
                ax.plot(np.clip([found.low, found.high], lowest, 1), [y, y], color=colour, linewidth=2.2, alpha=0.5, solid_capstyle="butt")
                ax.plot(max(found.r2, lowest), y, marker, color=colour, markersize=5)
        ax.plot([code[name].chance] * 2, [row - 0.38, row + 0.38], color="0.25", linewidth=1.2)
    ax.axvline(0, color="0.8", linewidth=1, zorder=0)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(lowest, 1)
    ax.set_xlabel("R², people that the probe was not fitted to")
    ax.grid(axis="y", color="0.94")
    handles = [
        plt.Line2D([], [], color=colour, marker=marker, linestyle="", label=label)
        for colour, marker, label in ((PALETTE[0], "o", "from codes"), (PALETTE[1], "s", "from pixels"), ("0.25", "|", "chance (97.5 %)"))
    ]
    figure.legend(handles=handles, ncols=3, loc="outside upper center", fontsize=9)
    return figure


def probe_curves(found: Mapping[str, Sequence[Probe]], control: Mapping[str, Sequence[Probe]] | None = None) -> Figure:
    """R² over the number of scores that a probe had, a line an attribute, with its interval; dashed, the same of a control."""
    figure, ax = plt.subplots(figsize=(7, 3.6))
    for i, (name, line) in enumerate(found.items()):
        ks, colour = [probe.k for probe in line], PALETTE[i % len(PALETTE)]
        ax.plot(ks, [probe.r2 for probe in line], marker="o", markersize=4, color=colour, label=name)
        ax.fill_between(ks, [probe.low for probe in line], [probe.high for probe in line], color=colour, alpha=0.15, linewidth=0)
        beside = (control or {}).get(name, [])
        ax.plot([probe.k for probe in beside], [probe.r2 for probe in beside], "--", color=colour, linewidth=1)
    ax.axhline(0, color="0.8", linewidth=1, zorder=0)
    ks = sorted({probe.k for line in found.values() for probe in line})
    ax.set_xscale("log")
    following = [*ks[1:], float("inf")]
    ax.set_xticks(ks, [f"{k:,}" if after > CLOSE * k else "" for k, after in zip(ks, following, strict=True)])
    ax.minorticks_off()
    ax.set(xlabel="directions that the probe reads", ylabel="R²", ylim=(min(ax.get_ylim()[0], -0.05), 1))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    return figure


def walk_effects(found: Sequence[Causal]) -> Figure:
    """What walks do to the answer: left the effect on the attribute, right how far joints move, one mark a treatment of the skips.

    Small grey marks are random directions, one each.
    """
    names = list(dict.fromkeys(walk.direction for walk in found))
    kinds = list(dict.fromkeys(walk.skips for walk in found))
    panels = (
        ("effect", "effect_control", "effect on the attribute (sd)"),
        ("moved", "moved_control", "joints move (trunk lengths)"),
    )
    figure, axes = plt.subplots(1, 2, figsize=(9, 0.2 * len(names) * (len(kinds) + 0.6) + 1.3), sharey=True)
    for ax, (measure, control, label) in zip(axes, panels, strict=True):
        for walk in found:
            block = getattr(walk, measure)
            if block is None:
                continue
            kind = kinds.index(walk.skips)
            y = names.index(walk.direction) + (kind - (len(kinds) - 1) / 2) * 0.8 / len(kinds)
            others = np.array(getattr(walk, control))
            ax.plot(others, np.full(len(others), y), "|", color="0.55", markersize=6)
            ax.plot([block["low"], block["high"]], [y, y], color=PALETTE[kind], linewidth=3, alpha=0.5, solid_capstyle="butt")
            ax.plot(block["mean"], y, "o", color=PALETTE[kind], markersize=5)
        ax.axvline(0, color="0.8", linewidth=1, zorder=0)
        ax.set_xlabel(label)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    for ax in axes:
        for row in range(1, len(names)):
            ax.axhline(row - 0.5, color="0.93", linewidth=1, zorder=0)
        ax.tick_params(axis="y", length=0)
    handles = [plt.Line2D([], [], color=PALETTE[i], marker="o", linestyle="", label=f"skips {kind}") for i, kind in enumerate(kinds)]
    handles.append(plt.Line2D([], [], color="0.55", marker="|", linestyle="", label="random directions"))
    figure.legend(handles=handles, ncols=len(handles), loc="outside upper center", fontsize=9)
    return figure


def walk(
    steps: Sequence[float], people: Sequence[tuple[np.ndarray, np.ndarray, float]],
    answers: Mapping[str, tuple[np.ndarray, np.ndarray]], skeleton: Skeleton,
) -> Figure:  # fmt: skip
    """A walk through code space, a column a step.

    Args:
        steps: (S,) in standard deviations.
        people: for each step the nearest person: picture (H, W, 3) uint8, annotated keypoints (K, 3) in its pixels, and distance
            as a multiple of the typical one, which is printed. Nobody: no such row.
        answers: by the row's label, heatmaps (S, K, h, w) and keypoints (S, K, 3) in input pixels.
        skeleton: the network's and the people's.
    """
    rows, columns = len(answers) + bool(people), len(steps)
    cell = 8.6 / columns
    figure, axes = plt.subplots(rows, columns, figsize=(9, rows * cell + 0.35 + (0.2 if people else 0)), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
        sns.despine(ax=ax, left=True, bottom=True)
    for ax, step in zip(axes[0], steps, strict=True):
        ax.set_title("mean" if step == 0 else f"{step:+g} sd".replace("-", "−"), fontsize=10, pad=3)
    for ax, (picture, keypoints, relative) in zip(axes[0], people, strict=False):
        ax.imshow(np.asarray(draw(picture, keypoints, skeleton, annotated=True)))
        ax.set_xlabel(f"{relative:.1f} ×", fontsize=9, labelpad=2)
    if people:
        axes[0, 0].set_ylabel("nearest", fontsize=10)
    for line, (label, (maps, keypoints)) in zip(axes[int(bool(people)) :], answers.items(), strict=True):
        line[0].set_ylabel(label, fontsize=10)
        for ax, heat, points in zip(line, glow(maps, skeleton), keypoints, strict=True):
            ax.imshow(np.asarray(draw(heat, points, skeleton)))
    return figure


def glow(maps: np.ndarray, skeleton: Skeleton, enlarge: int = 4) -> np.ndarray:
    """Heatmaps (N, K, h, w) laid over each other in the joints' colours, each to its own peak: (N, 4h, 4w, 3) uint8, on black."""
    colours = np.array([plt.matplotlib.colors.to_rgb(colour) for colour in joint_colours(skeleton)])
    maps = np.clip(np.asarray(maps, float), 0, None)
    strength = maps / np.maximum(maps.max((-2, -1), keepdims=True), 1e-12)
    light = (strength[:, :, None] ** 1.5 * colours[None, :, :, None, None]).max(1).transpose(0, 2, 3, 1)
    return (light * 200).astype(np.uint8).repeat(enlarge, 1).repeat(enlarge, 2)
