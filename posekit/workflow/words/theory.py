"""The numbers of the theory chapters, as 00_theory computes them."""

from collections.abc import Mapping
from math import log10

from posekit.workflow.words import ranged, share

LAYERS = {
    "stem": "7 × 7 convolution of stride 2, residual module, pooling, two residual modules",
    "encoder": "pooling, residual module",
    "bottleneck": "residual module",
    "decoder": "residual module; then up-sampling",
    "features": "residual module, 1 × 1 convolution",
    "heatmaps": "1 × 1 convolution",
}
NOISY = 4  # which of the levels of noise is quoted
PLACES = 3  # which of the numbers of places
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def sentences(m: Mapping) -> dict[str, str]:
    """What the theory chapters quote, by name, of the notebook's metrics."""
    decoding, trap, general = m["decoding"], m["trap"], m["generalisation"]
    seen, gradients, planted, cut = m["receptive"], m["depth"]["gradients"], m["planted"], m["cut"]
    others = general["others"]
    best = min(range(len(others)), key=lambda i: others[i])
    agreeing = sum(sides["middle"] == seen["counted"][name] for name, sides in seen["fields"].items())
    constant, averaged = (m["schedule"][name] for name in ("constant", "constant, averaged"))
    return {
        "argmax": f"{decoding['largest']['argmax']:.2f}",
        "quarter": f"{decoding['largest']['quarter']:.2f}",
        "dark": small(decoding["largest"]["dark"]),
        "dark_noise": f"{decoding['rms']['dark'][NOISY]:.2f}",
        "quarter_noise": f"{decoding['rms']['quarter'][NOISY]:.2f}",
        "soft_noise": f"{decoding['rms']['soft-argmax'][NOISY]:.2f}",
        "noise": f"{decoding['noise'][NOISY]:.2g}",
        "cells": f"{trap['cells']} × {trap['cells']}",
        "flat_mse": f"{trap['flat']['mse']:.2g}",
        "flat_entropy": f"{trap['flat']['cross-entropy']:.2f}",
        "places": str(trap["places"][PLACES]),
        "worth_mse": percent(1 - trap["worth"]["mse"][PLACES]),
        "worth_entropy": percent(1 - trap["worth"]["cross-entropy"][PLACES]),
        "beyond_mse": beyond(trap["shifts"], trap["costs"]["mse"]),
        "beyond_entropy": beyond(trap["shifts"], trap["costs"]["cross-entropy"]),
        "averaged_constant": f"{constant / averaged:.0f}",
        "best_degree": str(general["degrees"][best]),
        "error_best": f"{others[best]:.2f}",
        "error_last": f"{others[-1]:.0f}",
        "seen_last": f"{general['fitted'][-1]:.2f}",
        "spots_differ": "in no cell" if m["pooling"] == 0 else "in 1 cell" if m["pooling"] == 1 else f"in {m['pooling']:.0f} cells",
        "receptive_table": receptive_table(seen),
        "resolution": str(seen["resolution"]),
        "field_stem": field(seen["fields"]["stem"]),
        "field_end": f"{seen['fields']['heatmaps']['mean']:.0f}",
        "field_check": f"{agreeing} of {len(seen['fields'])} hook points",
        "first_whole": next((f"`{name}`" for name, f in seen["fields"].items() if f["least"] >= seen["resolution"]), "none"),
        "effective_end": str(seen["effective"]["heatmaps"]),
        "depth_plain": "10" + f"{log10(gradients['plain']):.0f}".translate(SUPERSCRIPT),
        "depth_normalised": f"{gradients['batch normalisation']:,.0f}",
        "depth_residual": f"{gradients['residual, normalised']:.1f}",
        "planted_above": str(planted["above"]),
        "planted_needed": str(planted["needed"]),
        "planted_participation": f"{planted['participation']:.1f}",
        **{
            f"{name}_{measure}": ranged(cut[f"{name} cloud{'s' if name == 'two' else ''}"][measure])
            for name in ("one", "two")
            for measure in ("silhouette", "stability", "valley")
        },
        "covered_people": share(m["coverage"]["people resampled"]),
        "covered_joints": share(m["coverage"]["joints resampled"]),
    }


def small(error: float) -> str:
    """An error in cells; one that is only rounding is said to be that."""
    return "less than a millionth" if error < 1e-6 else f"{error:.2g}"


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def beyond(shifts: list[float], costs: list[float]) -> str:
    """The first shift of a peak that costs more than an empty map; none where all cost less."""
    return next((f"{shift:.1f}" for shift, cost in zip(shifts, costs, strict=True) if cost > 1), "none")


def field(sides: Mapping[str, float]) -> str:
    """The side of a receptive field, in pixels: one number, or the mean and range over a row of cells."""
    if sides["least"] == sides["most"]:
        return f"{sides['mean']:.0f}"
    return f"{sides['mean']:.0f} ({sides['least']} to {sides['most']})"


def receptive_table(seen: Mapping) -> str:
    """A Markdown table, a line an activation."""
    lines = ["| hook point | layers | cells | stride (pixels) | receptive field (pixels) |", "| --- | --- | --- | --- | --- |"]
    for name, sides in seen["fields"].items():
        cells = seen["resolution"] // sides["stride"]
        layers = LAYERS[name.rstrip("0123456789")]
        lines.append(f"| `{name}` | {layers} | {cells}\u00a0×\u00a0{cells} | {sides['stride']} | {field(sides)} |")
    return "\n".join(lines)
