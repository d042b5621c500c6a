"""What 02_training says: what the network is, how it learned, how good it is, and what others' scores mean."""

from collections.abc import Mapping, Sequence
from math import pi
from typing import Any

from posekit.workflow.words import number, spoken

CELLS = {3: "three", 4: "four", 5: "five"}
# Published scores that are often set beside each other: who, where, by which definition, and how much.
LITERATURE = (
    ("Newell et al. {cite:p}`newell2016`, 8 stacks", "MPII, test", "PCKh@0.5, head box, 14 joints", "90.9 %"),
    ("Carreira et al. {cite:p}`carreira2016`, error feedback", "MPII, test", "PCKh@0.5, head box, 14 joints", "81.3 %"),
    (
        "Toshev & Szegedy {cite:p}`toshev2014`, DeepPose",
        "LSP, test",
        "PCP@0.5: both ends of a limb within half its length, mean of arms and legs",
        "61 %",
    ),
)


def sentences(m: Mapping[str, Any], kept: Mapping[str, Any] | None = None) -> dict[str, str]:
    """What the page, the landing page and the abstract say, by name, of the chapter's metrics.

    `kept` are those of the run on photographs that the repository keeps, for an edition without photographs.
    """
    pck = m["metrics"]["pck@0.2·torso"]
    return {
        "answer": answer(m),
        "joints": str(m["joints"]),
        "parameters": f"{m['parameters']:,}",
        "depth": CELLS.get(m["depth"], str(m["depth"])),
        "resolution": str(m["resolution"]),
        "cells": f"{m['resolution'] // m['stride']} × {m['resolution'] // m['stride']}",
        "training": m["training"],
        "test_people": f"{pck['people']:,}",
        "pck": spoken(pck),
        "definition": pck["definition"],
        "hyperparameters": hyperparameters(m),
        "curves": curves(m["history"], m["loss"], m["resolution"] // m["stride"]),
        "joint_table": joint_table(pck, m["joint errors"]),
        "failures": failures(m["kinds"]),
        "compared": compared(m),
        "gains": gains(m["gains"]),
        "photographs": photographs(m, kept),
        "literature": literature(pck),
        "landing": landing(m, kept),
    }


def answer(m: Mapping[str, Any]) -> str:
    """The chapter's answer in one sentence with its one number."""
    pck = m["metrics"]["pck@0.2·torso"]
    floor = f"; the median pose, which needs no picture, finds {100 * m['floor']:.1f} %" if m["floor"] is not None else ""
    return f"**The network finds {100 * pck['mean']:.1f} % of the joints of people it never saw**{floor}."


def hyperparameters(m: Mapping[str, Any]) -> str:
    """A Markdown table of everything that was set before training."""
    recipe, config = m["recipe"], m["config"]
    rows = {
        "architecture": f"{config['stacks']} × hourglass, depth {config['depth']}, {config['features']} features, "
        f"{config['residuals']} residual module a branch and level, {config['bottleneck_residuals']} in the bottleneck; "
        f"stem of {', '.join(map(str, config['stem']))} channels",
        "input, heatmaps": f"{m['resolution']} px; one cell for {m['stride']} px",
    }
    if recipe:
        rows |= {
            "loss": f"{recipe['loss']}, Gaussian targets, standard deviation {recipe['sigma']:g} of a cell",
            "optimiser": f"{recipe['optimiser']}, weight decay {recipe['weight_decay']:g}, gradients cut to norm {recipe['clip']:g}",
            "learning rate": f"{recipe['lr']:g}; linear warm-up over {100 * recipe['warm_up']:g} % of the steps, then a half cosine to 0",
            "epochs, batch": f"{recipe['epochs']}, {recipe['batch']} people",
            "weights": f"exponential moving average, decay {recipe['average']:g}; the epoch with the best score on val is kept",
            "start": f"weights of {recipe['start']}" if recipe.get("start") else "random weights",
            "seed": str(recipe["seed"]),
        }
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


def curves(history: Sequence[Mapping[str, Any]], loss: str, side: int) -> str:
    """A sentence for each panel of the learning curve."""
    scored = [epoch for epoch in history if epoch.get("pck") is not None]
    if len(scored) < 2:
        return "This network came without a record of its training."
    first, last = scored[0], scored[-1]
    best = max(scored, key=lambda epoch: epoch["pck"])
    gap = last["val_loss"] - last["loss"]
    side_of = "above" if gap > 0 else "below"
    fifth = scored[-max(len(scored) // 5, 1) - 1]
    parts = [
        f"*Left*: the loss on val falls from {number(first['val_loss'])} to {number(last['val_loss'])}, and ends {number(abs(gap))} "
        f"{side_of} that on training "
        "people, whose views are augmented.",
        f"*Middle*: the share of val joints found is {100 * first['pck']:.1f} % after epoch {first['epoch']} and {100 * last['pck']:.1f} "
        f"% after epoch "
        f"{last['epoch']}; its highest value, {100 * best['pck']:.1f} %, is that of epoch {best['epoch']}, and the last fifth of the "
        f"epochs changed it by "
        f"{number(100 * (last['pck'] - fifth['pck']), 1)} points.",
    ]
    if last.get("val_peak") is not None:
        uniform = f", {last['val_peak'] * side**2:.0f} times that of a map without any preference" if loss == "cross-entropy" else ""
        parts.append(f"*Right*: the peaks of val heatmaps end at a height of {number(last['val_peak'], 3)}{uniform}.")
    return " ".join(parts)


def joint_table(pck: Mapping[str, Any], errors: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table of the score by kind of joint, left and right apart, with the median distance from the label."""
    lines = ["| joint | PCK@0.2·torso | median distance (torso lengths) | labelled |", "| --- | ---: | ---: | ---: |"]
    for joint, share in pck["joints"].items():
        row = errors[joint]
        score = "–" if share is None or share != share else f"{100 * share:.1f} %"
        distance = "–" if row["median"] is None else number(row["median"])
        lines.append(f"| {joint} | {score} | {distance} | {row['labelled']:,} |")
    return "\n".join(lines)


def failures(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    """What kinds of wrong joints there are, largest first, with their shares of all labelled joints."""
    wrong = sorted((name for name in kinds if name != "found" and kinds[name]["mean"]), key=lambda name: -kinds[name]["mean"])
    if not wrong:
        return "It makes no errors on these people."
    about = {
        "jitter": "near its place, not near enough",
        "inversion": "at the other side's joint",
        "swap": "at another person's joint",
        "miss": "near no joint of its kind",
    }
    parts = [f"*{name}*, {about[name]}: {spoken(kinds[name])}" for name in wrong]
    return f"Of all labelled joints so many are wrong in each way (by the kinds of {{cite:t}}`ronchi2017`): {'; '.join(parts)}."


def gains(found: Mapping[str, Mapping[str, Any]]) -> str:
    quarter, dark, flip = (spoken(found[name], points=True) for name in ("quarter over argmax", "dark over quarter", "flip"))
    return (
        f"a quarter of a cell towards the higher neighbour adds {quarter} to the highest cell, and DARK adds {dark} to that. "
        f"The flip test adds {flip} at a fifth of the torso."
    )


def compared(m: Mapping[str, Any]) -> str:
    """What the two losses reach in the short trainings of this chapter, which show how and decide nothing."""
    curves = m["compared"]
    if not curves:
        return ""
    ce, mse = curves["cross-entropy"], curves["mse"]
    if ce[-1]["pck"] is None:
        return "Nobody of val has a labelled torso, so that the two losses cannot be compared by joints found."
    epochs, side = "one short epoch" if len(ce) == 1 else f"{len(ce)} short epochs", m["compared side"]
    fallen = 1 - mse[-1]["val_loss"] / mse[0]["val_loss"]
    change = f"the latter's loss {'fell' if fallen > 0 else 'rose'} by {100 * abs(fallen):.0f} % between its first and last epoch, to"
    return (
        f"Here, after {epochs} over {m['compared people']:,} people, cross-entropy finds {100 * ce[-1]['pck']:.1f} % of the joints and "
        f"mean squared error {100 * mse[-1]['pck']:.1f} %; {change if len(mse) > 1 else 'the latter has a loss of'} "
        f"{mse[-1]['val_loss']:.2g} (maps of zeros: {pi / side**2:.2g}). Its peaks are {mse[-1]['val_peak']:.3f} high; the targets' are 1. "
        "These trainings are short: they show a slow start, not what the losses reach."
    )


def photographs(m: Mapping[str, Any], kept: Mapping[str, Any] | None) -> str:
    if m["elsewhere"]:
        return " ".join(f"{name}: {spoken(block)}, over the {_common(block)}." for name, block in m["elsewhere"].items())
    if kept is None:
        return "This edition has no photographs to test on."
    rendered = {name: block for name, block in kept["elsewhere"].items() if name.startswith("mannequins")}
    return (
        "This edition has rendered people only. How far their network carries over to photographs is measured in the kept run: "
        f"{'; '.join(f'{name}: {spoken(block)}, over the {_common(block)}' for name, block in rendered.items())}."
    )


def literature(pck: Mapping[str, Any]) -> str:
    """A Markdown table of published scores, each with its data and definition, none of which is that of this chapter."""
    lines = ["| network | people | definition | score |", "| --- | --- | --- | ---: |"]
    lines += [f"| {' | '.join(row)} |" for row in LITERATURE]
    lines.append(
        f"| this chapter's | {pck['people']:,} of this edition | PCK@0.2·torso, {len(pck['joints'])} joints | {100 * pck['mean']:.1f} % |"
    )
    return "\n".join(lines)


def landing(m: Mapping[str, Any], kept: Mapping[str, Any] | None) -> str:
    if m["elsewhere"]:
        name, block = next(iter(m["elsewhere"].items()))
        return f"{spoken(block)} by {name}."
    if kept is None:
        return "not tested in this edition."
    name, block = next((n, b) for n, b in kept["elsewhere"].items() if n.startswith("mannequins"))
    own = kept["metrics"]["pck@0.2·torso"]
    return (
        f"{spoken(block)} of the {_common(block)}, by {name}, trained on mannequins alone; {spoken(own)} of {len(own['joints'])} joints "
        f"by a network "
        "trained on photographs."
    )


def trained(name: str, data: str, people: int, epochs: int, seconds: float | None, backend: str) -> str:
    """How the network came to be: trained here in so many seconds, or shipped (None)."""
    if seconds is None:
        return f"it is the shipped *{name}*, trained on `{data}` for {epochs} epochs."
    return f"it was trained here, on {people:,} people for {epochs} epochs, in {seconds / 60:.1f} minutes ({backend})."


def _common(block: Mapping[str, Any]) -> str:
    return f"{len(block['joints'])} joints that network and data share"
