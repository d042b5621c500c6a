"""Figures of principal components: how many there are, and how sure they are."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from posekit.plots import PALETTE, from_zero


def scree(spectrum: np.ndarray, floor: np.ndarray, shown: int, above: int, needed: int) -> Figure:
    """Left, variances (R,) of the first components over a noise floor (R,), as shares, `shown` of them marked; right, their sum.

    `above` components lie above the floor; `needed` hold 95 % of the variance.
    """
    total = spectrum.sum()
    shares, noise = 100 * spectrum / total, 100 * floor / total
    figure, (each, summed) = plt.subplots(1, 2, figsize=(9, 3.3))
    count = np.arange(1, len(spectrum) + 1)
    several = min(len(spectrum), max(3 * shown, 40, 3 * above // 2))
    each.plot(count[:several], shares[:several], "-", color=PALETTE[0], linewidth=1.2)
    each.plot(count[:shown], shares[:shown], "o", color=PALETTE[0], markersize=4, label="components")
    each.plot(np.arange(1, len(floor) + 1)[:several], noise[:several], "--", color="0.45", label="permutation floor")
    if above:
        each.axvline(above + 0.5, color="0.6", linestyle=":", linewidth=1)
        each.annotate(f"{above} above", (above + 0.5, shares[above - 1]), xytext=(5, 14), textcoords="offset points", fontsize=9)
    each.set(xlabel="component", ylabel="share of the variance (%)", yscale="log", ylim=(max(shares[:several].min(), 1e-3) * 0.7, None))
    each.xaxis.get_major_locator().set_params(integer=True)
    each.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    each.legend(fontsize=9, loc="upper right")
    summed.plot(count, np.cumsum(shares), color=PALETTE[0])
    summed.axhline(95, color="0.6", linestyle=":", linewidth=1)
    summed.plot(needed, 95, "o", color=PALETTE[1])
    summed.annotate(f"95 % in {needed:,}", (needed, 95), xytext=(6, -16), textcoords="offset points", fontsize=9, color="0.3")
    summed.set(xlabel="components", ylabel="share of the variance (%)", ylim=(0, 102), xlim=(1, len(spectrum)), xscale="log")
    summed.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure


def half_stability(cosines: np.ndarray, angles: np.ndarray, chance_cosines: np.ndarray, chance_angles: np.ndarray) -> Figure:
    """Left, |cos| between matched components of two halves (S, K); right, the angles (S, K) between the subspaces of the first
    components; both beside those of random subspaces (K,). Lines are means, bands span all S halvings.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    count = np.arange(1, cosines.shape[1] + 1)
    for ax, values, chance in ((left, cosines, chance_cosines), (right, angles, chance_angles)):
        ax.fill_between(count, values.min(0), values.max(0), color=PALETTE[0], alpha=0.2, linewidth=0)
        ax.plot(count, values.mean(0), "o-", color=PALETTE[0], markersize=4, label="halves of the people")
        ax.plot(count, chance, "--", color="0.45", label="random directions")
        ax.xaxis.get_major_locator().set_params(integer=True)
    left.set(xlabel="component", ylabel="|cos| between halves", ylim=(0, 1.02))
    right.set(xlabel="first components", ylabel="largest angle between halves (°)", ylim=(0, 92))
    right.legend(fontsize=9, loc="lower right")
    return figure


def pck_of_cuts(found: Mapping[str, Mapping]) -> Figure:
    """PCK over how many components a code was cut to, a panel a treatment of the skips: `cuts.cut_scores` by its title.

    The band is the whole code's, and the dotted line that of one mean code for everybody; the other lines are the components' and as many
    random directions', with their intervals.
    """
    figure, axes = plt.subplots(1, len(found), figsize=(9 if len(found) > 1 else 5.5, 3.3), squeeze=False)
    for ax, (title, result) in zip(axes[0], found.items(), strict=True):
        ax.axhspan(100 * result["whole"]["low"], 100 * result["whole"]["high"], color="0.88")
        ax.axhline(100 * result["whole"]["mean"], color="0.55", linewidth=1, label="the whole code")
        ax.axhline(100 * result["mean code"]["mean"], color="0.55", linewidth=1, linestyle=":", label="the mean code for everybody")
        for name, colour, line in (("components", PALETTE[0], "o-"), ("random directions", PALETTE[1], "s--")):
            ks, blocks = [int(k) for k in result[name]], [*result[name].values()]
            low, high = ([100 * block[end] for block in blocks] for end in ("low", "high"))
            ax.fill_between(ks, low, high, color=colour, alpha=0.18, linewidth=0)
            ax.plot(ks, [100 * block["mean"] for block in blocks], line, color=colour, markersize=4, linewidth=1.4, label=name)
        ax.set_xscale("log")
        ax.set_xticks(ks, ["" if k < ks[-1] < 1.6 * k else f"{k:,}" for k in ks])  # the last two may be too close for two labels
        ax.minorticks_off()
        ax.set(title=title, xlabel="directions that the code is cut to")
        from_zero(ax)
    axes[0, 0].set_ylabel("PCK@0.2·torso (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), ncols=4, loc="outside upper center", fontsize=9)
    return figure


def groups(scores: Mapping[str, np.ndarray], members: Mapping[str, np.ndarray]) -> Figure:
    """How groups of people lie along components: name of the axis to scores (N,), name of the group to mask (N,).

    Curves are densities; each has the same area.
    """
    figure, axes = plt.subplots(1, len(scores), figsize=(9, 2.8), squeeze=False)
    for ax, (title, values) in zip(axes[0], scores.items(), strict=True):
        for i, (name, mask) in enumerate(members.items()):
            lot = values[mask] / values.std()
            sns.kdeplot(x=lot, ax=ax, color=PALETTE[i], label=name, linewidth=1.6, fill=True, alpha=0.15, warn_singular=False)
        ax.set(xlabel=f"{title} (standard deviations)", ylabel="", yticks=[])
        ax.spines["left"].set_visible(False)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, ncols=len(members), loc="outside upper center", fontsize=9)
    return figure
