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
# A Stacked Hourglass {cite:p}`newell2016` takes a picture of a person and returns one heatmap per joint, which says for each
# cell how likely the joint is to be there. How many joints does it find, and what kinds of errors does it make? {{ runs["02_training"].say.answer }}

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
test_people = 2000  # maximum number of test people
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

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
from posekit.display.html import number
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.evaluation import evaluate
from posekit.engine.inference.prediction import decode, predict_crops, predict_heatmaps, target_peak
from posekit.engine.learning.training import Recipe, train
from posekit.engine.trust import mistakes
from posekit.models.hourglass import Hourglass, HourglassConfig
from posekit.plots.ablation import before_after
from posekit.studies.floor import median_pose
from posekit.workflow import runs
from posekit.workflow.words import training as words

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
# The preset's name, or that of this run alone.
name = f"{run.folder.parent.name}-hg{stacks}{run.name.removeprefix('02_training')}"

# %% tags=["show-input", "remove-output"]
if weights is None:
    folder = run.path("training/weights.safetensors").parent
    written = posekit.fit(config, recipe, training, validation, folder, name=name, backend=backend, report=report)
    source = str(written.replace(run.path("weights.safetensors")))
else:
    source = weights
network, card = weight_files.load(source)
card.need_heatmaps()

# %% tags=["hide-input"]
history, resolution, loss = card.history, card.resolution, card.loss
size = int(resolution * CONTEXT)
parameters = sum(p.numel() for p in network.parameters())

tested = people.split("test").at_most(test_people, seed)
test = posekit.crops(tested, size, aspect=card.aspect, on_error=on_error)
truth, images = test.people.keypoints, test.people.picture_ids()
predicted = predict_crops(network, card, test, flip=True, backend=backend)
torso = metrics.torso(truth, skeleton)
distance = np.linalg.norm(predicted[-1][..., :2] - truth[..., :2], axis=-1) / torso[:, None]
distance[truth[..., 2] == 0] = np.nan
counted = np.isfinite(distance)
right = (distance <= 0.2).sum(1) / np.maximum(counted.sum(1), 1)  # share of a person's joints found


def interval(hits):
    """The mean of hits (N, K) with its bootstrap interval over people, or over pictures where people share one."""
    values = metrics.interval(np.nansum(hits, 1), np.isfinite(hits).sum(1), pictures=images, seed=seed)
    return dict(zip(("mean", "low", "high"), values, strict=True))


# %% [markdown]
# ## Input and output

# %% tags=["hide-input"]
full = (truth[..., 2] > 0).sum(1)
typical = np.flatnonzero((full >= 0.8 * len(skeleton)) & (right >= np.median(right)))
shown = np.sort(np.random.default_rng(seed).permutation(typical)[:6])
pictures, keypoints = load_batch(test, shown)
views, _ = eval_view(pictures, keypoints, resolution)

# %% tags=["show-input"]
maps = predict_heatmaps(network, card, views, flip=False, backend=Backend.plain())[:, -1]
decoded = decode(maps, card, np.tile(np.eye(3), (len(maps), 1, 1)))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Six test people with most joints labelled, drawn from the half that the network predicts better. Top: the network's input. Middle: its heatmaps, each divided by its peak and all overlaid in the joints' colours (left warm, right cool, middle white). Bottom: the predicted joints, each where its map is highest; a joint with a low peak is faint.", "name": "fig-opening"}, "image": {"alt": "Six people, below each its overlaid heatmaps as glowing spots, and the predicted skeletons"}}
seen = views.permute(0, 2, 3, 1).mul(255).byte().numpy()
figure = plots.opening(seen, maps.numpy(), decoded, skeleton)
figure.savefig(run.path("figures/opening.png"), bbox_inches="tight")
plt.show()

# %% [markdown]
# {{ runs["02_training"].say.network }}
#
# The network of this chapter has {{ runs["02_training"].say.parameters }} parameters; {{ runs["02_training"].say.training }} The table lists everything that was set before training.
#
# {{ runs["02_training"].say.hyperparameters }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The hourglass of this chapter. Each bar is a hook point, an activation that later chapters read and replace by the name below it. The bar's height (logarithmic) and the number in it give the size of its maps, in cells.", "name": "fig-architecture"}, "image": {"alt": "Bars that shrink towards the bottleneck and grow again, joined by skip connections above"}}
if card.architecture == "hourglass":
    run.save_figure(plots.architecture(network.config, resolution), "architecture")
    plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The heatmaps of the first person of {numref}`fig-opening`, joint by joint, drawn over the person. Each is divided by its own peak. The number is the height of this peak as a multiple of a training target's.", "name": "fig-heatmaps"}, "image": {"alt": "A person under each of the predicted heatmaps, a bright spot at each joint"}}
plots.heatmaps(
    seen[0] / 255,
    maps[0].numpy() / target_peak(loss, resolution, stride=card.stride),
    skeleton.joints,
    columns=7 if len(skeleton) % 7 == 0 else 6,
)
plt.show()

# %% [markdown]
# ## The training

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Learning curves, by epoch. Left, the loss on training and validation people. Middle, the share of validation joints found. Right, the mean height of the heatmaps' peaks on validation people; dotted, the height of a flat map.", "name": "fig-history"}, "image": {"alt": "Curves of loss, score and peak height over the epochs"}}
rows, columns = (round(resolution / card.stride * min(share, 1)) for share in (1 / card.aspect, card.aspect))
if history:
    run.save_figure(plots.history({card.name: history}, 1 / (rows * columns) if loss == "cross-entropy" else None), "history")
    plt.show()

# %% [markdown]
# {{ runs["02_training"].say.curves }}

# %% [markdown]
# ## The score
#
# On {{ runs["02_training"].say.test_people }} test people with a labelled torso{{ runs["02_training"].say.unseen }}, the network finds
# **{{ runs["02_training"].say.pck }}** of the labelled joints. Each heatmap is the mean of the one for the picture and the one for its mirror image (*flip test*). The score is *PCK@0.2·torso*, the
# {{ runs["02_training"].say.definition }}. The brackets hold a 95 % bootstrap interval over people.

# %% tags=["show-input"]
result = evaluate(source, test.people, flip=True)
pck = result["metrics"]["pck@0.2·torso"]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The share of joints found, for each kind of joint. The vertical line is the mean over all joints, the band its 95 % interval over people.", "name": "fig-joints"}, "image": {"alt": "Points of the score by joint, left and right apart"}}
run.save_figure(plots.per_joint({card.name: pck}, "PCK@0.2·torso (%)"), "joints")
plt.show()

# %% [markdown]
# {{ runs["02_training"].say.joint_table }}

# %% tags=["remove-cell"]
with np.errstate(all="ignore"):
    medians = [np.nanmedian(column) if np.isfinite(column).any() else None for column in distance.T]
joint_errors = {
    joint: {"median": medians[k], "labelled": int(counted[:, k].sum())} for k, joint in enumerate(skeleton.joints) if joint in pck["joints"]
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The share of joints, of all kinds together, that lie within a distance of their label, over that distance; with a 95 % interval over people. The dotted line is the threshold of PCK@0.2·torso.", "name": "fig-curve"}, "image": {"alt": "Rising curve of joints found over the tolerated distance"}}
thresholds = np.linspace(0, 0.5, 51)
within = np.array([list(interval(np.where(np.isnan(distance), np.nan, distance <= t)).values()) for t in thresholds])
run.save_figure(plots.threshold_curve({card.name: within.T}, thresholds, "distance, in torso lengths"), "curve")
plt.show()

# %% [markdown]
# ### Kinds of errors
#
# {{ runs["02_training"].say.failures }}
#
# A *miss* is near none of the joints that the other rows name: neither near the joint itself nor near those that it is mistaken for.

# %% tags=["show-input"]
kinds = mistakes.by_torso(predicted[-1], truth, torso, skeleton, test.people.picture_ids())  # (people, joints)
errors = mistakes.summary(kinds, skeleton, test.people.picture_ids(), seed=seed)

# %% [markdown]
# The next two figures show the best and the worst predictions, of people with at least two thirds of their joints labelled. Among the worst, look for people who are upside
# down or folded up, who are seen from behind and have left and right exchanged, or, in photographs, whose labels are wrong.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The eight people with the smallest mean error: above as annotated, below as predicted, with the share of joints found.", "name": "fig-best"}, "image": {"alt": "Eight people in two rows, with labelled and with well predicted skeletons"}}
eligible = np.flatnonzero(np.isfinite(distance).sum(1) >= 2 * len(skeleton) / 3)
score = np.nanmean(np.minimum(distance[eligible], 1), axis=1)
ranked = eligible[np.argsort(score, kind="stable")]
best_people, worst_people = ranked[:8], ranked[::-1][:8]


def beside_labels(index):
    """As annotated and, below, as predicted."""
    drawn = {"label": test.keypoints[index], "prediction": [transform_keypoints(test.matrices[i], predicted[-1][i]) for i in index]}
    titles = {"label": [""] * len(index), "prediction": [f"{100 * right[i]:.0f} %" for i in index]}
    return before_after([test[i] for i in index], drawn, skeleton, titles)


beside_labels(best_people)
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The eight people with the largest mean error: above as annotated, below as predicted, with the share of joints found.", "name": "fig-worst"}, "image": {"alt": "Eight people in two rows, with labelled and with wrongly predicted skeletons"}}
beside_labels(worst_people)
plt.show()

# %% [markdown]
# ## Decoding
#
# The highest cell of a map of {{ runs["02_training"].say.cells }} cells (*argmax*) gives a joint's position only to the nearest cell. Three [refinements](sec-heatmaps) are common: the quarter shift, DARK and soft-argmax.
# Maps that are probabilities are blurred first, for all four decoders (as in {cite:t}`zhang2020`), so that the decoders find the region with the most probability
# and not a single high cell.

# %% tags=["show-input"]
strictly = {
    method: metrics.hits(predict_crops(network, card, test, flip=True, backend=backend, decoder=method)[-1], truth, 0.1 * torso)
    for method in hm.DECODERS
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK at a tenth of the torso for four ways of decoding the same heatmaps, with 95 % intervals over people. The threshold is half the usual one, so that small errors of decoding count.", "name": "fig-decoders"}, "image": {"alt": "A dot with an interval for each way of decoding"}}
strict = {method: interval(hit) for method, hit in strictly.items()}
called = {"quarter": "quarter shift", "dark": "DARK"}
run.save_figure(plots.intervals({called.get(method, method): block for method, block in strict.items()}, "PCK@0.1·torso (%)"), "decoders")
plt.show()

# %% tags=["hide-input"]
gains = {
    "quarter over argmax": metrics.paired_difference(strictly["quarter"], strictly["argmax"], pictures=images),
    "dark over quarter": metrics.paired_difference(strictly["dark"], strictly["quarter"], pictures=images),
    "soft-argmax over dark": metrics.paired_difference(strictly["soft-argmax"], strictly["dark"], pictures=images),
}
unmirrored = metrics.hits(predict_crops(network, card, test, backend=backend)[-1], truth, 0.2 * torso)
gains["flip"] = metrics.paired_difference(metrics.hits(predicted[-1], truth, 0.2 * torso), unmirrored, pictures=images)

# %% [markdown]
# {{ runs["02_training"].say.gains }}

# %% [markdown]
# ## Two losses
#
# {cite:t}`newell2016` minimise the mean squared error between the predicted map and a Gaussian. Nearly all cells of the target are close to zero, so
# a network that predicts zero everywhere has a low loss and finds no joint. [Cross-entropy](sec-losses) over the cells has no such
# trap, since a map of probabilities must put its mass somewhere. {{ runs["02_training"].say.compared }}

# %% tags=["show-input", "remove-output"]
compared = {}
if compare_epochs:
    few = training.select(np.arange(min(compare_people, len(training))))
    for kind in ("cross-entropy", "mse"):
        short = dataclasses.replace(recipe, epochs=compare_epochs, loss=kind)
        folder = run.path(f"compare-{kind}/history.jsonl").parent
        torch.manual_seed(seed)
        train(Hourglass(getattr(network, "config", config)), few, validation, short, folder, resume=True, backend=backend, report=report)
        compared[kind] = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Short trainings with the two losses, of the same network on the same people, with the same steps and learning rate. Left, the validation loss relative to its value after the first epoch. Middle, the share of validation joints found. Right, the mean height of the peaks: a probability for cross-entropy, and for mean squared error on a scale on which the targets have height 1.", "name": "fig-losses"}, "image": {"alt": "Relative loss, score and peak height for both losses"}}
if compared:
    named = {"cross-entropy": compared["cross-entropy"], "mean squared error": compared["mse"]}
    run.save_figure(plots.history(named), "losses")
    plt.show()

# %% [markdown]
# ## On other data
#
# {{ runs["02_training"].say.photographs }}

# %% tags=["show-input", "remove-output"]
elsewhere = {}
for other in [source, *others]:
    for spec in [None, *photographs]:
        if other == source and spec is None:
            continue
        report = evaluate(other, test.people if spec is None else spec, flip=True, on_error=on_error)
        block = report["metrics"]["pck@0.2·torso"]
        name = weight_files.load(other)[1].name
        elsewhere[f"{name} on {words.data(spec or test.people.source + '@test')}"] = block

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK@0.2·torso of networks on data sets, with 95 % intervals over people. First row: this chapter's network on test people of its own data set. Other rows: this and other networks on data sets that they were not trained on. Rows are over different joints, as in the table, and cannot be compared.", "name": "fig-elsewhere"}, "image": {"alt": "A dot with an interval for each pair of network and data"}}
own = f"{card.name} on {words.data(test.people.source + '@test')}"
if elsewhere:
    run.save_figure(plots.intervals({own: pck, **elsewhere}, "PCK@0.2·torso (%)"), "elsewhere")
    plt.show()

# %% [markdown]
# ## What others report
#
# Scores of pose networks can be compared only where the people and the definition of the score are the same. No published row
# below shares both with this chapter, whose score is in the last row.
#
# {{ runs["02_training"].say.literature }}

# %% tags=["remove-cell"]
settings = card.recipe and dict(card.recipe)
here = history[-1]["seconds"] if weights is None else None
found = {
    "metrics": result["metrics"],
    "stacks": result["stacks"],
    "decoders": strict,
    "gains": gains,
    "compared": compared,
    "compared people": min(compare_people, len(training)) if compared else 0,
    "compared side": recipe.resolution // STRIDE,
    "elsewhere": elsewhere,
    "own": own,
    "kinds": errors["kinds"],
    "joint errors": joint_errors,
    "floor": median_pose(people) if "train" in people.splits else None,
    "parameters": parameters,
    "joints": len(skeleton),
    "architecture": card.architecture,
    "cells": [rows, columns],
    "stride": card.stride,
    "loss": loss,
    "config": card.config,
    "recipe": settings,
    "history": history,
    "seconds": time.monotonic() - started,
    "training": words.trained(card.name, card.data, len(training) if weights is None else 0, len(history), here, str(backend)),
}
run.write_metrics(found | {"say": words.sentences(found, runs.reference("02_training"))})
