# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The network and its training
#
# A Stacked Hourglass {cite:p}`newell2016` looks at a picture of a person and answers with one small map a joint: how likely the
# joint is to be in each cell. This chapter trains one, or takes one that is already trained, and asks how good it is, where it
# errs, and what it costs to choose the wrong loss.

# %% tags=["parameters"]
data = "mannequins"  # people to train on, validate on and test on: NAME[:PATH]
weights: str | None = None  # a trained network to analyse; none: train one here
stacks = 1  # hourglasses in a row
features = 64  # channels of the network
bottleneck_residuals = 3  # residual modules at the lowest resolution
resolution = 128  # side of the network's input in pixels
epochs = 12  # of training
batch = 32  # people in a step
learning_rate = 2e-3  # highest learning rate
loss = "cross-entropy"  # or mse
optimiser = "adamw"  # or rmsprop
compare_epochs = 3  # length of the short trainings that compare the losses; 0 for none
compare_people = 2000  # people in those
photographs: list[str] = []  # other data to test on: NAME:PATH@SPLIT
others: list[str] = []  # other networks to test on the same people
test_people = 2000  # at most so many test people
seed = 0  # of everything drawn by chance
on_error = "raise"  # what a picture that cannot be read does: raise or skip

# %% tags=["remove-cell"]
import dataclasses
import json
import time

import matplotlib.pyplot as plt
import numpy as np
import torch

import posekit
from posekit import heatmaps as hm
from posekit import metrics, plots
from posekit.coordinates import CONTEXT, STRIDE, transform_keypoints
from posekit.data.augment import eval_view
from posekit.data.loading import load_batch
from posekit.data.people import parse_spec
from posekit.display.html import number
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.evaluation import evaluate
from posekit.engine.prediction import decode, predict_crops, predict_heatmaps, target_peak
from posekit.engine.training import Recipe, train
from posekit.models.hourglass import Hourglass, HourglassConfig
from posekit.workflow import runs
from posekit.workflow import words as verdict

plots.style()
run = runs.current()
backend = Backend.best()
people = posekit.load_people(data, on_error=on_error)
skeleton = people.skeleton
started = time.monotonic()


config = HourglassConfig.narrow(features, joints=len(skeleton), stacks=stacks, bottleneck_residuals=bottleneck_residuals)


def report(figures):
    """A line of progress an epoch."""
    if "pck" in figures:
        print(f"epoch {figures['epoch']}: loss {figures['loss']:.3f}, validation PCK {number(figures['pck'])}", flush=True)


# %% tags=["hide-input"]
recipe = Recipe(resolution=resolution, epochs=epochs, batch=batch, lr=learning_rate, loss=loss, optimiser=optimiser, seed=seed)
if weights is None or compare_epochs:
    size = int(resolution * CONTEXT)
    training = posekit.crops(people.split("train"), size, on_error=on_error)
    validation = posekit.crops(people.split("val"), size, on_error=on_error)

# %% tags=["show-input", "remove-output"]
if weights is None:
    folder = run.path("training/weights.safetensors").parent
    written = posekit.fit(config, recipe, training, validation, folder, name=run.name, backend=backend, report=report)
    source = str(written.replace(run.path("weights.safetensors")))
else:
    source = weights
network, card = weight_files.load(source)

# %% tags=["hide-input"]
history, resolution, loss = card.history, card.resolution, card.loss
size = int(resolution * CONTEXT)
parameters = sum(p.numel() for p in network.parameters())

tested = people.split("test").at_most(test_people, seed)
test = posekit.crops(tested, size, on_error=on_error)
truth = test.people.keypoints
predicted = predict_crops(network, card, test, flip=True, backend=backend)
torso = metrics.torso(truth, skeleton)
distance = np.linalg.norm(predicted[-1][..., :2] - truth[..., :2], axis=-1) / torso[:, None]
distance[truth[..., 2] == 0] = np.nan
counted = np.isfinite(distance)
right = (distance <= 0.2).sum(1) / np.maximum(counted.sum(1), 1)  # share of a person's joints found


def interval(hits):
    """The mean of hits (N, K) with its bootstrap interval over people."""
    values = metrics.interval(np.nansum(hits, 1), np.isfinite(hits).sum(1), seed=seed)
    return dict(zip(("mean", "low", "high"), values, strict=True))


# %% [markdown]
# ## What it sees and does

# %% tags=["hide-input"]
full = (truth[..., 2] > 0).sum(1)
typical = np.flatnonzero((full >= 0.8 * len(skeleton)) & (right >= np.median(right)))
shown = np.sort(np.random.default_rng(seed).permutation(typical)[:6])
pictures, keypoints = load_batch(test, shown)
views, _ = eval_view(pictures, keypoints, resolution)

# %% tags=["show-input"]
maps = predict_heatmaps(network, card, views, flip=False, backend=Backend.plain())[:, -1]
found = decode(maps, card, np.tile(np.eye(3), (len(maps), 1, 1)))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Six test people with most joints labelled, from the better half. Top: the network's input. Middle: its heatmaps, one a joint, each to its own peak, laid over each other in the joints' colours (left warm, right cool, middle white). Bottom: the joints, each where its map is highest; faint where the network is unsure.", "name": "fig-opening"}, "image": {"alt": "Six people, the glowing spots that the network answers with, and the skeletons read off them"}}
seen = views.permute(0, 2, 3, 1).mul(255).byte().numpy()
figure = plots.opening(seen, maps.numpy(), found, skeleton)
figure.savefig(run.path("figures/opening.png"), bbox_inches="tight")
plt.show()

# %% [markdown]
# The picture is shrunk to a quarter of its side by the *stem*; the hourglass then halves it {{ runs["02_training"].say.depth }}
# more times, down to the *bottleneck*, and builds it up again, adding at each size what a *skip connection* has kept of it. Out come
# {{ runs["02_training"].say.joints }} heatmaps. A joint is where its map is highest, to a fraction of a cell. The network of
# this chapter has {{ runs["02_training"].say.parameters }} parameters and sees {{ runs["02_training"].say.resolution }} pixels a
# side; {{ runs["02_training"].say.training }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The hourglass of this chapter. A bar is a hook point, by the name under which the later chapters trace and edit it; its height (logarithmic) and number are the side of its maps.", "name": "fig-architecture"}, "image": {"alt": "Bars that shrink towards the bottleneck and grow again, joined by skip connections above"}}
config = network.config
run.save_figure(plots.architecture(config.depth, resolution, config.features, config.bottleneck_residuals, config.joints), "architecture")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The heatmaps of the first of these people, one by one. Each is scaled to its own peak; the number is the height of that, 1 where the network is as sure as it was trained to be.", "name": "fig-heatmaps"}, "image": {"alt": "A person under each of the predicted heatmaps, a bright spot at each joint"}}
plots.heatmaps(seen[0] / 255, maps[0].numpy() / target_peak(loss, resolution), skeleton.joints, columns=6)
plt.show()

# %% [markdown]
# ## How it learned

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, the loss on training and validation people. Middle, the share of validation joints found. Right, the mean height of the peaks; the dotted line is what a map without any preference would have.", "name": "fig-history"}, "image": {"alt": "Curves of loss, score and peak height over the epochs"}}
cells = (resolution // STRIDE) ** 2
if history:
    run.save_figure(plots.history({card.name: history}, 1 / cells if loss == "cross-entropy" else None), "history")
    plt.show()

# %% [markdown]
# ## How good it is
#
# On {{ runs["02_training"].say.test_people }} people that it never saw, mirrored copies averaged in (*flip test*), it finds
# **{{ runs["02_training"].say.pck }}** of the labelled joints. The score, *PCK@0.2·torso*, is the
# {{ runs["02_training"].say.definition }}. The brackets are a 95 % bootstrap interval over people.

# %% tags=["show-input"]
result = evaluate(source, test.people, flip=True)
pck = result["metrics"]["pck@0.2·torso"]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The share of joints found, by joint. The vertical line is the mean over all joints, the band its interval.", "name": "fig-joints"}, "image": {"alt": "Points of the score by joint, left and right apart"}}
run.save_figure(plots.per_joint({card.name: pck}, "PCK@0.2·torso (%)"), "joints")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The share of joints within a distance of the truth, for all joints together, with its 95 % interval over people. The dotted line is the usual threshold.", "name": "fig-curve"}, "image": {"alt": "Rising curve of joints found over the tolerated distance"}}
thresholds = np.linspace(0, 0.5, 51)
within = np.array([list(interval(np.where(np.isnan(distance), np.nan, distance <= t)).values()) for t in thresholds])
run.save_figure(plots.threshold_curve({card.name: within.T}, thresholds, "distance, in torso lengths"), "curve")
plt.show()

# %% [markdown]
# ### Its best and its worst
#
# Among the people with at least two thirds of their joints labelled: those whom it got right throughout, and those whom it got most wrong.
# The worst are not a matter of chance: look for people upside down, folded up, seen from behind with left and right exchanged, or
# mislabelled.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The eight people whose joints it places most exactly, with the joints as predicted. Above each, the share of joints found.", "name": "fig-best"}, "image": {"alt": "Eight people with well predicted skeletons"}}
eligible = np.flatnonzero(np.isfinite(distance).sum(1) >= 2 * len(skeleton) / 3)
score = np.nanmean(np.minimum(distance[eligible], 1), axis=1)
ranked = eligible[np.argsort(score, kind="stable")]
best_people, worst_people = ranked[:8], ranked[::-1][:16]


def gallery(index):
    drawn = [transform_keypoints(test.matrices[i], predicted[-1][i]) for i in index]
    titles = [f"{100 * right[i]:.0f} %" for i in index]
    return plots.people([test[i] for i in index], drawn, skeleton, columns=8, titles=titles)


gallery(best_people)
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The sixteen people whom it gets most wrong, as predicted.", "name": "fig-worst"}, "image": {"alt": "Sixteen people with wrongly predicted skeletons"}}
gallery(worst_people)
plt.show()

# %% [markdown]
# ## From a map to a point
#
# A map of {{ runs["02_training"].say.cells }} cells would place a joint only to the nearest cell, were it read by its highest cell
# alone. Three refinements are common; all four here read maps that were blurred a little
# where they are probabilities (as in {cite:t}`zhang2020`), so that a joint is put where most of the mass lies close by.

# %% tags=["show-input"]
strictly = {
    method: metrics.hits(predict_crops(network, card, test, flip=True, backend=backend, decoder=method)[-1], truth, 0.1 * torso)
    for method in hm.DECODERS
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK at a tenth of the torso, a threshold strict enough to tell the decoders apart, with 95 % intervals over people.", "name": "fig-decoders"}, "image": {"alt": "A dot with an interval for each way of decoding"}}
strict = {method: interval(hit) for method, hit in strictly.items()}
run.save_figure(plots.intervals(strict, "PCK@0.1·torso (%)"), "decoders")
plt.show()

# %% tags=["hide-input"]
gains = {
    "quarter over argmax": metrics.paired_difference(strictly["quarter"], strictly["argmax"]),
    "dark over quarter": metrics.paired_difference(strictly["dark"], strictly["quarter"]),
}
unmirrored = metrics.hits(predict_crops(network, card, test, backend=backend)[-1], truth, 0.2 * torso)
gains["flip"] = metrics.paired_difference(metrics.hits(predicted[-1], truth, 0.2 * torso), unmirrored)

# %% [markdown]
# On the same people, {{ runs["02_training"].say.gains }}

# %% [markdown]
# ## The loss that may learn nothing
#
# Newell et al. minimise the mean squared difference between the predicted map and a Gaussian. Nearly all of the map is zero, and so
# a network that answers zero everywhere has an almost perfect loss and finds no joint. A cross-entropy over the cells cannot
# be pleased that way: the map must put its mass somewhere. {{ runs["02_training"].say.compared }}

# %% tags=["show-input", "remove-output"]
compared = {}
if compare_epochs:
    few = training.select(np.arange(min(compare_people, len(training))))
    for kind in ("cross-entropy", "mse"):
        short = dataclasses.replace(recipe, epochs=compare_epochs, loss=kind)
        folder = run.path(f"compare-{kind}/history.jsonl").parent
        torch.manual_seed(seed)
        train(Hourglass(config), few, validation, short, folder, resume=True, backend=backend, report=report)
        compared[kind] = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same network, people, steps and rate, with the two losses. Left, the validation loss relative to its first epoch; middle, joints found; right, the height of the peaks. A loss that falls steeply says little about the joints found.", "name": "fig-losses"}, "image": {"alt": "Relative loss, score and peak height for both losses"}}
if compared:
    run.save_figure(plots.history(compared), "losses")
    plt.show()

# %% [markdown]
# ## On photographs
#
# {{ runs["02_training"].say.photographs }}


# %% tags=["hide-input"]
def short(spec):
    """A data spec without its folder."""
    name, _, split = parse_spec(spec)
    return f"{name}@{split}"


# %% tags=["show-input", "remove-output"]
elsewhere = {}
for other in [source, *others]:
    for spec in [None, *photographs]:
        if other == source and spec is None:
            continue
        report = evaluate(other, test.people if spec is None else spec, flip=True, on_error=on_error)
        block = report["metrics"]["pck@0.2·torso"]
        name = weight_files.load(other)[1].name
        elsewhere[f"{name} on {short(spec or test.people.source + '@test')}"] = block

# %% tags=["hide-input"] mystnb={"figure": {"caption": "First the network on its own people, then networks and people that were not made for each other, with 95 % intervals over people.", "name": "fig-elsewhere"}, "image": {"alt": "A dot with an interval for each pair of network and data"}}
if elsewhere:
    own = f"{card.name} on {short(test.people.source + '@test')}"
    run.save_figure(plots.intervals({own: pck, **elsewhere}, "PCK@0.2·torso (%)"), "elsewhere")
    plt.show()


# %% tags=["remove-cell"]
def spoken(block):
    mean, low, high = (number(100 * block[end], ".1f") for end in ("mean", "low", "high"))
    return f"{mean} % [{low}, {high}]"


def compare_words():
    if not compared:
        return ""
    ce, mse = compared["cross-entropy"][-1], compared["mse"][-1]
    if ce["pck"] is None:
        return "Nobody of validation has a labelled torso, so that the two losses cannot be compared by joints found."
    fallen = 1 - mse["val_loss"] / compared["mse"][0]["val_loss"]
    return (
        f"Here, after {compare_epochs} short epochs over {min(compare_people, len(training)):,} people, cross-entropy finds "
        f"{100 * ce['pck']:.1f} % of the joints and mean squared error {100 * mse['pck']:.1f} %, though the latter's loss fell by "
        f"{100 * fallen:.0f} % between its first and last epoch, to {mse['val_loss']:.2g} (maps of zeros: {np.pi / (recipe.resolution // STRIDE) ** 2:.2g}); its peaks stand {mse['val_peak']:.3f} high, where the target is 1."
    )


def photograph_words():
    if elsewhere:
        return " ".join(
            f"{name}: {spoken(block)}, over the {len(block['joints'])} joints that network and data both know."
            for name, block in elsewhere.items()
        )
    known = runs.reference("02_training")
    if known is None:
        return "This edition has no photographs to test on."
    return (
        "This edition knows rendered people only. How far that carries is measured on real photographs in the reference run: "
        + "; ".join(
            f"{name}: {spoken(block)} of the {len(block['joints'])} joints that network and data both know"
            for name, block in known["elsewhere"].items()
            if name.startswith("mannequins")
        )
        + "."
    )


def gain_words():
    quarter, dark, flip = (verdict.spoken(gains[name], points=True) for name in ("quarter over argmax", "dark over quarter", "flip"))
    return f"the quarter of a cell adds {quarter} to the highest cell, DARK {dark} to that; and the flip test adds {flip} at a fifth of the torso."


def landing_words():
    if elsewhere:
        name, block = next(iter(elsewhere.items()))
        return f"{spoken(block)} by {name}."
    known = runs.reference("02_training")
    if known is None:
        return "not tested in this edition."
    name, block = next((n, b) for n, b in known["elsewhere"].items() if n.startswith("mannequins"))
    own = known["metrics"]["pck@0.2·torso"]
    return (
        f"{spoken(block)} of the {len(block['joints'])} joints that both know, by {name}, trained on mannequins alone; {spoken(own)} of {len(own['joints'])} joints by a network "
        "trained on photographs."
    )


trained = (
    f"it was trained here, on {len(training):,} people for {epochs} epochs, in {history[-1]['seconds'] / 60:.1f} minutes ({backend})."
    if weights is None
    else f"it is the shipped *{card.name}*, trained on `{card.data}` for {len(history)} epochs."
)
run.write_metrics(
    {
        "metrics": result["metrics"],
        "stacks": result["stacks"],
        "decoders": strict,
        "gains": gains,
        "compared": compared,
        "elsewhere": elsewhere,
        "parameters": parameters,
        "history": history,
        "seconds": time.monotonic() - started,
        "say": {
            "joints": str(len(skeleton)),
            "parameters": f"{parameters:,}",
            "depth": {3: "three", 4: "four", 5: "five"}.get(config.depth, str(config.depth)),
            "resolution": str(resolution),
            "cells": f"{resolution // STRIDE} × {resolution // STRIDE}",
            "training": trained,
            "test_people": f"{pck['people']:,}",
            "pck": spoken(pck),
            "definition": pck["definition"],
            "compared": compare_words(),
            "gains": gain_words(),
            "photographs": photograph_words(),
            "landing": landing_words(),
        },
    }
)
