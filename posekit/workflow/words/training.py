"""What 02_training says: what the network is, how it learned, how good it is, and what others' scores mean."""

from collections.abc import Mapping, Sequence
from math import pi
from statistics import mean
from typing import Any

from posekit.data.people import parse_spec
from posekit.engine.trust.mistakes import FARTHER
from posekit.workflow.words import number, signed, spoken

OPTIMISERS = {"adamw": "AdamW", "rmsprop": "RMSProp"}
DATA = {"coco": "COCO", "lspet": "Leeds Sports Pose Extended", "mannequins": "rendered people"}
LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
CELLS = {3: "three", 4: "four", 5: "five"}
# Published scores that are often set beside each other: who, where, by which definition, and how much.
LITERATURE = (
    ("{cite:t}`newell2016`, 8 stacks", "MPII, test", "PCKh@0.5, head box, 14 joints", "90.9 %"),
    ("{cite:t}`carreira2016`, error feedback", "MPII, test", "PCKh@0.5, head box, 14 joints", "81.3 %"),
    (
        "{cite:t}`toshev2014`, DeepPose",
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
        "network": network(m),
        "parameters": f"{m['parameters']:,}",
        "cells": cells(m),
        "training": training(m),
        "test_people": f"{pck['people']:,}",
        "unseen": ", none of whom was used in training" if m["architecture"] == "hourglass" else "",
        "pck": spoken(pck),
        "pck_brief": f"{100 * pck['mean']:.0f} %",
        "definition": pck["definition"].replace("the coco skeleton", "COCO's joints"),
        "hyperparameters": hyperparameters(m),
        "curves": earlier(m) + curves(m["history"], m["loss"], m["cells"][0]),
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
    floor = f"; the median pose, predicted for everybody, finds {100 * m['floor']:.1f} %" if m["floor"] is not None else ""
    return f"**The network finds {100 * pck['mean']:.1f} % of the joints of test people**, to within a fifth of the torso{floor}."


def cells(m: Mapping[str, Any]) -> str:
    return " × ".join(map(str, m["cells"]))


def network(m: Mapping[str, Any]) -> str:
    """From a picture to joints."""
    joint = "A joint is predicted where its map is highest, to a fraction of a cell."
    if m["architecture"] != "hourglass":
        return f"The output is {m['joints']} heatmaps of {cells(m)} cells, rows first. {joint}"
    halvings = CELLS.get(m["config"]["depth"], str(m["config"]["depth"]))
    return (
        f"The *stem* reduces the picture to a quarter of its side. The hourglass halves it {halvings} more times, down to the "
        "*bottleneck*, and up-samples again. At each size a *skip connection* adds the map from the way down. The output is "
        f"{m['joints']} heatmaps. {joint}"
    )


def training(m: Mapping[str, Any]) -> str:
    """How the network came to be (`trained`), and from which weights, where these were not random."""
    recipe = m["recipe"] or {}
    start, before = recipe.get("start"), recipe.get("start_epochs")
    if not start:
        return m["training"]
    if before:
        return f"{m['training']} Before, it was trained for {' + '.join(map(str, before))} epochs."
    return f"{m['training'].removesuffix('.')}, starting from the weights of {start}."


def hyperparameters(m: Mapping[str, Any]) -> str:
    """A Markdown table of everything that was set before training."""
    recipe, config = m["recipe"], m["config"]
    side, stem = m["stride"], ", ".join(map(str, config.get("stem", ())))
    rows: dict[str, str] = {}
    if m["architecture"] == "hourglass":
        rows["architecture"] = (
            f"{config['stacks']} × hourglass, depth {config['depth']}, {config['features']} features, {config['residuals']} residual "
            f"module per branch and level, {config['bottleneck_residuals']} in the bottleneck; stem of {stem} channels"
        )
    rows["input, heatmaps"] = f"{' × '.join(str(cells * side) for cells in m['cells'])} pixels; one cell per {side} × {side} pixels"
    if recipe:
        optimiser = OPTIMISERS.get(recipe["optimiser"], recipe["optimiser"])
        rows |= {
            "loss": f"{recipe['loss']}, Gaussian targets with a standard deviation of {recipe['sigma']:g} cell",
            "optimiser": f"{optimiser}, weight decay {recipe['weight_decay']:g}, gradients clipped to norm {recipe['clip']:g}",
            "learning rate": f"{recipe['lr']:g}; linear warm-up over {100 * recipe['warm_up']:g} % of the steps, then a half cosine to 0",
            "epochs, batch": f"{recipe['epochs']}, {recipe['batch']} people",
            "weights": f"exponential moving average, decay {recipe['average']:g}; the epoch with the best PCK on validation people is kept",
            "labels": recipe.get("labels", "as annotated"),
            "initial weights": f"those of {recipe['start']}" if recipe.get("start") else "random",
            "seed": str(recipe["seed"]),
        }
    return "\n".join(["| setting | value |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


def earlier(m: Mapping[str, Any]) -> str:
    """That the curves begin with a network that has learned already."""
    before = (m["recipe"] or {}).get("start_epochs")
    return f"The network had been trained for {sum(before)} epochs before these {len(m['history'])}. " if before else ""


def curves(history: Sequence[Mapping[str, Any]], loss: str, side: int) -> str:
    """A sentence for each panel of the learning curve."""
    scored = [epoch for epoch in history if epoch.get("pck") is not None]
    if len(scored) < 2:
        return "There is no record of how the training of this network went."
    first, last = scored[0], scored[-1]
    best = max(scored, key=lambda epoch: epoch["pck"])
    gap = last["val_loss"] - last["loss"]
    side_of = "above" if gap > 0 else "below"
    fifth = scored[-max(len(scored) // 5, 1) - 1]
    parts = [
        f"The validation loss (left) ends at {number(last['val_loss'])}, {number(abs(gap))} {side_of} the loss on training people, whose "
        "views are augmented.",
        f"The share of validation joints found (middle) rises from {100 * first['pck']:.1f} % after epoch {first['epoch']} to its highest "
        f"value, {100 * best['pck']:.1f} %, after epoch {best['epoch']}."
        if best["pck"] > first["pck"]
        else f"The share of validation joints found (middle) never exceeds {100 * first['pck']:.1f} %, its value after epoch "
        f"{first['epoch']}.",
        f"Over the last fifth of the epochs it changed by {signed(100 * (last['pck'] - fifth['pck']))} points, and it ends at "
        f"{100 * last['pck']:.1f} %.",
    ]
    if last.get("val_peak") is not None:
        uniform = f", {last['val_peak'] * side**2:.0f} times the height of a flat map" if loss == "cross-entropy" else ""
        parts.append(f"The peaks of validation heatmaps (right) end at a height of {number(last['val_peak'], 3)}{uniform}.")
    return " ".join(parts)


def joint_table(pck: Mapping[str, Any], errors: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table of the score by joint, left and right apart, with the median distance from the label."""
    lines = ["| joint | PCK@0.2·torso | median error (torso lengths) | people with it labelled |", "| --- | ---: | ---: | ---: |"]
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
        return "The network makes no errors on these people."
    about = {
        "jitter": "the prediction is near the joint, but farther away than the threshold",
        "inversion": "the prediction is near the same joint of the person's other side",
        "swap": "the prediction is near the same joint of another person",
        "miss": "the prediction is near none of these joints",
    }
    lines = ["| kind of error | share of all labelled joints | meaning |", "| --- | ---: | --- |"]
    lines += [f"| {name} | {spoken(kinds[name])} | {about[name]} |" for name in wrong]
    start = (
        f"The most frequent kind of error is the *{wrong[0]}*. The kinds are those of {{cite:t}}`ronchi2017`; *near* is within "
        f"{FARTHER:.1f} times the threshold."
    )
    return "\n".join([start, "", *lines])


def gains(found: Mapping[str, Mapping[str, Any]]) -> str:
    names = ("quarter over argmax", "dark over quarter", "soft-argmax over dark", "flip")
    quarter, dark, soft, flip = (spoken(found[name], points=True) for name in names)
    return (
        f"On the same people, the quarter shift changes PCK@0.1·torso by {quarter} against the highest cell, and DARK by {dark} against "
        "the quarter shift. Soft-argmax is the mean position over the whole map, so that probability far from the joint pulls it: it "
        f"changes PCK@0.1·torso by {soft} against DARK. The flip test changes PCK@0.2·torso by {flip}."
    )


def compared(m: Mapping[str, Any]) -> str:
    """What the two losses reach in the short trainings of this chapter, which show how and decide nothing."""
    curves = m["compared"]
    if not curves:
        return ""
    ce, mse = curves["cross-entropy"], curves["mse"]
    if ce[-1]["pck"] is None:
        return "No validation person has a labelled torso, so that the two losses cannot be compared by joints found."
    epochs, side = "one short epoch" if len(ce) == 1 else f"{len(ce)} short epochs", m["compared side"]
    fallen = 1 - mse[-1]["val_loss"] / mse[0]["val_loss"]
    change = f"fell by {100 * fallen:.0f} %" if fallen > 0 else f"rose by {-100 * fallen:.0f} %"
    change = f"{change} between the first and the last epoch, to" if len(mse) > 1 else "is"
    return (
        f"Here, after {epochs} over {m['compared people']:,} people, the network trained with cross-entropy finds "
        f"{100 * ce[-1]['pck']:.1f} % of the joints and the one trained with mean squared error {100 * mse[-1]['pck']:.1f} %. The mean "
        f"squared error itself {change} {mse[-1]['val_loss']:.2g}; maps of zeros would have {pi / side**2:.2g}. The peaks "
        f"of these maps are {mse[-1]['val_peak']:.3f} high, where those of the targets are 1. "
        "The trainings are short: they show how the two losses start, not what they reach in the end."
    )


def photographs(m: Mapping[str, Any], kept: Mapping[str, Any] | None) -> str:
    rows = (
        "Rows are over the joints that network and data both have. Only the mean of the limb joints, in a column of its own, can be "
        "compared between rows."
    )
    if m["elsewhere"]:
        about = "PCK of networks on people of other data sets than those that they were trained on"
        own = {m["own"]: m["metrics"]["pck@0.2·torso"]}
        return f"{about}; first, for comparison, this chapter's network on its own. {rows}\n\n{_elsewhere(own | dict(m['elsewhere']))}"
    if kept is None:
        return "This edition has no photographs to test on."
    rendered = {name: block for name, block in kept["elsewhere"].items() if name.startswith("mannequins")}
    rendered |= {kept["own"]: kept["metrics"]["pck@0.2·torso"]} if "own" in kept else {}
    return (
        "This edition has rendered people only. How well a network trained on them, *mannequins-hg1*, works on photographs was measured in "
        f"a run that is kept with the sources, beside one trained on photographs. {rows}\n\n{_elsewhere(rendered)}"
    )


def literature(pck: Mapping[str, Any]) -> str:
    """A Markdown table of published scores, each with its data and definition, and this chapter's in the last row."""
    lines = ["| network | people | definition | score |", "| --- | --- | --- | ---: |"]
    lines += [f"| {' | '.join(row)} |" for row in LITERATURE]
    lines.append(
        f"| this chapter's | {pck['people']:,} of this edition | PCK@0.2·torso, {len(pck['joints'])} joints | {100 * pck['mean']:.1f} % |"
    )
    return "\n".join(lines)


def landing(m: Mapping[str, Any], kept: Mapping[str, Any] | None) -> str:
    if m["elsewhere"]:
        name, block = next(iter(m["elsewhere"].items()))
        network, _, people = name.partition(" on ")
        own = f", on its own {_limbs(m['metrics']['pck@0.2·torso'])}" if network == m["own"].partition(" on ")[0] else ""
        return f"On people of another data set, {people}, the network *{network}* finds {_limbs(block)} of the limb joints{own}."
    if kept is None:
        return "The network was not tested on photographs in this edition."
    block = next(block for name, block in kept["elsewhere"].items() if name.startswith("mannequins"))
    return (
        f"A network trained on mannequins alone finds {_limbs(block)} of the limb joints in photographs, one trained on photographs "
        f"{_limbs(kept['metrics']['pck@0.2·torso'])}."
    )


def data(spec: str) -> str:
    """What people are called in the table of networks on data."""
    name, _, split = parse_spec(spec)
    return DATA.get(name, name) + (f" ({split})" if split != "all" else "")


def trained(name: str, data: str, people: int, epochs: int, seconds: float | None, backend: str) -> str:
    """How the network came to be: trained here in so many seconds, or shipped (None)."""
    if not data:
        return f"it is *{name}*, adapted from outside, and how it was trained is not known here."
    if seconds is None:
        return f"it is the network *{name}*, which comes with posekit and was trained on `{data}` for {epochs} epochs."
    return f"it was trained here, on {people:,} people for {epochs} epochs, in {seconds / 60:.1f} minutes ({backend})."


def _elsewhere(blocks: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table, a line for each network and data."""
    lines = ["| network on data | people | joints | PCK@0.2·torso | limb joints |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, block in blocks.items():
        lines.append(f"| {name} | {block['people']:,} | {len(block['joints'])} | {spoken(block)} | {_limbs(block)} |")
    return "\n".join(lines)


def _limbs(block: Mapping[str, Any]) -> str:
    """The mean over the limb joints, which all data sets have, each counted once."""
    found = [value for joint, value in block["joints"].items() if joint.rpartition(" ")[2] in LIMBS and value is not None]
    return f"{100 * mean(found):.0f} %" if found else "none"
