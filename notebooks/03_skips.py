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
# # What the skip connections are for
#
# An hourglass narrows a picture of a person down to a handful of numbers and widens it again. At each size a *skip connection*
# carries the features past the narrow part. How much of the answer goes that way? Which level carries it, and for which joints?
# And does a network that is trained without them lose as much as one that loses them after training?
#
# {{ runs["03_skips"].say.answer }}

# %% tags=["parameters"]
weights = "mannequins-hg1"  # the trained network whose skip connections are replaced
data = "mannequins"  # people: NAME[:PATH]; tested on its test split, means taken on its validation split
baseline: str | None = None  # a network with skip connections, and
retrained: str | None = None  # one without, trained by the same recipe: to compare ablation and retraining of one network
studies = "book/studies"  # folder of the results of studies, of which `skips` is read
test_people = 800  # at most so many test people
examples = 8  # people shown who lose most
seed = 0  # of everything drawn by chance
on_error = "raise"  # what a picture that cannot be read does: raise or skip

# %% tags=["remove-cell"]
import time

import matplotlib.pyplot as plt
import numpy as np

import posekit
from posekit import metrics, plots
from posekit.coordinates import CONTEXT, transform_keypoints
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.evaluation import common
from posekit.engine.fitting import same_recipe
from posekit.files import plain
from posekit.interpret.activations import ablation
from posekit.interpret.activations.twins import load_twins
from posekit.plots import ablation as figures
from posekit.plots import studies as study_figures
from posekit.skeleton import skeleton_of
from posekit.studies import kept
from posekit.studies.summary import summarise
from posekit.workflow import runs
from posekit.workflow.words import skips as words

plots.style()
run = runs.current()
backend = Backend.best()
started = time.monotonic()
if (retrained is None) != (baseline is None):
    raise posekit.PosekitError("baseline and retrained: give both, networks that are alike but for their skip connections, or neither")
people = posekit.load_people(data, on_error=on_error)
network, card = weight_files.load(weights)
groups = ablation.skip_groups(network)
bottleneck = network.code_hook_points()


def store(chosen, of):
    """Their crops, at the size that a network takes."""
    return posekit.crops(chosen, int(of.resolution * CONTEXT), aspect=of.aspect, on_error=on_error)


# %% tags=["hide-input"]
tested, others = ablation.tested_and_others(people, test_people, seed)
crops = store(tested, card)
order = ablation.mixed(crops.people.names, seed)
crops = crops.select(order)
skeleton = common(skeleton_of(card.skeleton), people.skeleton)
own = skeleton_of(card.skeleton).index(*skeleton.joints)
truth = crops.people.keypoints[:, people.skeleton.index(*skeleton.joints)]
torso = metrics.torso(truth, skeleton)


def hits(keypoints, factor=0.2):
    """Whether the last stack's joints of (stacks, N, K, 3) are found, (N, K)."""
    return metrics.hits(keypoints[-1][:, own], truth, factor * torso)


# %% [markdown]
# ## With and without, person by person
#
# [Try it](try_it): there you can replace each skip connection yourself, for one person.
#
# First the blunt question of the thesis: take all skip connections of a trained network away, and count for each person how many
# joints are still found. They can be replaced in three ways. *Zero* is what most ablations take, and the layers behind never met it. The *mean* over other people, for
# each channel and position, is the most ordinary activation there is, and says nothing about this person. *Another person's* activation is entirely ordinary, and wrong.

# %% tags=["show-input"]
before = ablation.intact(network, card, crops, backend=backend)
ways = {
    "zero": ablation.zero,
    "the mean": ablation.mean(network, card, store(others, card), [*groups["all"], *bottleneck], backend=backend),
    "another person's": ablation.resample,
}
after = ablation.ablate(network, card, crops, groups, ways, backend=backend)
blind = ablation.ablate(network, card, crops, {"bottleneck": bottleneck}, ways, backend=backend)["bottleneck"]
intact = hits(before)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How large a share of each person's joints is found, a panel each: grey, with all skip connections as they are; the outline, with all of them replaced. Triangles: the means over people.", "name": "fig-skips-histogram"}, "image": {"alt": "Histograms of the share of joints found by person, with skip connections to the right, without to the left"}}
with_skips = ablation.by_person(intact)
persons = {f"all {way}": ablation.by_person(hits(keypoints)) for way, keypoints in after["all"].items()}
label = "share of the person's labelled joints found"
run.save_figure(figures.person_histogram(with_skips, persons, label, f"{card.name}, as it is"), "histogram")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.blunt }}
#
# This does not show that the bottleneck knows nothing of the pose. It shows that the layers behind it cannot read it without skip input; how much gets
# through when they must learn to, {ref}`retraining <skips-retrained>` shows.
#
# ## Level by level
#
# Level 1 is the finest: its features are as large as the heatmaps, {{ runs["03_skips"].say.cells }} cells. Each deeper one has half the side.

# %% tags=["show-input"]
levels = {
    group: {way: ablation.summary(hits(keypoints), intact, skeleton, seed=seed) for way, keypoints in by_way.items()}
    for group, by_way in after.items()
}
whole = ablation.summary(intact, intact, skeleton, seed=seed)
without_code = {way: ablation.summary(hits(keypoints), intact, skeleton, seed=seed) for way, keypoints in blind.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Joints found with one level, or all, replaced in three ways; and, as a control, with the bottleneck replaced and all skip connections intact; with 95 % intervals over people. The line and band are the network as it is. The same people are behind all of them, so that differences are surer than overlapping bands suggest.", "name": "fig-skips-levels"}, "image": {"alt": "Dots with intervals for each level and way of replacing it"}}
names = {group: group.replace("skip", "level ") if group[-1].isdigit() else group for group in levels} | {"all": "all levels"}
rows = {names[group]: by_way for group, by_way in levels.items()} | {"bottleneck": without_code}
run.save_figure(figures.conditions(rows, whole, "PCK@0.2·torso (%)", "as it is"), "levels")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.levels }}
#
# {{ runs["03_skips"].say.bottleneck }}
#
# Where zero costs more than the mean, the difference is not information about the person, which neither has: it is the shock of
# a value that the next layer never met. Where another person's features cost more than the mean, the next layers rely on the skip
# connection, and a wrong one misleads them.
#
# (skips-retrained)=
# ## One network, ablated and retrained
#
# A comparison of ablation with retraining needs one network: with skip connections, the same with all of them replaced, and the same trained
# without.

# %% tags=["show-input"]
twins = None
if baseline and retrained:
    twins = load_twins(baseline, retrained, card.skeleton)
    seen = store(tested, twins.card).select(order)
    twin_hits = {name: hits(keypoints) for name, keypoints in twins.keypoints(seen, store(others, twins.card), backend).items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "One network with skip connections, with all of them replaced in three ways, and trained without them, on the same people; 95 % intervals over people. The line and band are the network with skip connections.", "name": "fig-skips-twins"}, "image": {"alt": "Dots with intervals: three ways of ablation, and retraining"}}
pair = None
if twins:
    blocks = {name: ablation.summary(found, twin_hits["with"], skeleton, seed=seed) for name, found in twin_hits.items()}
    ablated = {way: blocks[way] for way in ways}
    rows = {"ablated": ablated, "trained without": {"trained": blocks["without"]}}
    run.save_figure(figures.conditions(rows, blocks["with"], "PCK@0.2·torso (%)", "with skip connections"), "twins")
    plt.show()
    pair = {"names": twins.names, "with": blocks["with"], "without": blocks["without"], "ablated": ablated, "parameters": twins.parameters}
    pair |= {"numbers": twins.numbers, "differences": same_recipe(twins.card, twins.bare_card)}

# %% [markdown]
# {{ runs["03_skips"].say.twins }}
#
# ## Trained to the plateau
#
# Whether a network needs skip connections is decided by a study on photographs: a network of 64 px with all skip connections, without any, without the finest, and without
# the coarsest, each from three seeds to its plateau.

# %% tags=["show-input"]
study = summarise(kept.read("skips", "lspet", studies))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The study of skip connections: difference of each network in PCK from the one trained with all of them, with 95 % intervals over seeds and people; small dots are seeds.", "name": "fig-skips-study"}, "image": {"alt": "A row for each network trained without some skip connections, with a dot and an interval, or the words not trained yet"}}
run.save_figure(study_figures.differences(study["variants"], study["reference"]), "study")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.study }}
#
# ## Which joints need which level
#
# The change by kind of joint, left and right together, with a level at its mean.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Points of PCK@0.2·torso that each kind of joint changes by when a level is replaced by its mean over other people; where there is a pair of networks trained with and without skip connections, their difference in the last column. Pale numbers: the 95 % interval contains 0.", "name": "fig-skips-joints"}, "image": {"alt": "A table of coloured numbers, joints by levels"}}
columns = {names[group]: ablation.kind_changes(hits(by_way["the mean"]), intact, skeleton, seed=seed) for group, by_way in after.items()}
if twins:
    columns[words.TRAINED_WITHOUT] = ablation.kind_changes(twin_hits["without"], twin_hits["with"], skeleton, seed=seed)
finest = next(iter(groups))
kinds = list(columns[names[finest]])
table = np.array([[100 * column[kind]["mean"] for column in columns.values()] for kind in kinds])
sure = np.array([[column[kind]["low"] > 0 or column[kind]["high"] < 0 for column in columns.values()] for kind in kinds])
run.save_figure(figures.changes(table, sure, kinds, list(columns), "change in points of PCK@0.2·torso"), "joints")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.joints }}
#
# ## Do small joints suffer most?
#
# The thesis found by eye that they do. Here it is a number: Spearman's correlation, over kinds of joint, of the joint's size (COCO's sigma: how
# far annotators scatter around it, relative to the person) with what it loses. COCO gives none for the neck and the top of the head, which
# are therefore left out. Negative means that small joints lose more. The number has two
# uncertainties: the interval is over people, for these joints; *p* is over the joints, which are few whatever the number of people.
# A joint that is seldom found has little to lose, so the loss is also taken as a share of what was found before; and half the threshold asks for more exactness.

# %% tags=["show-input"]
conditions = {
    "finest level at its mean": (after[finest]["the mean"], before),
    "all levels at their mean": (after["all"]["the mean"], before),
}
pairs = {name: (hits(edited), intact) for name, (edited, _) in conditions.items()}
strict = {name: (hits(edited, 0.1), hits(reference, 0.1)) for name, (edited, reference) in conditions.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Points of PCK@0.2·torso that each kind of joint loses, over its size.", "name": "fig-skips-size"}, "image": {"alt": "Scatter of loss over size of the joint, a panel a condition"}}
small = {
    "absolute": {name: ablation.small_joints(*pair_, skeleton, seed=seed) for name, pair_ in pairs.items()},
    "relative": {name: ablation.small_joints(*pair_, skeleton, relative=True, seed=seed) for name, pair_ in pairs.items()},
    "at 0.1·torso": {name: ablation.small_joints(*pair_, skeleton, seed=seed) for name, pair_ in strict.items()},
}
losses = {name: block["loss"] for name, block in small["absolute"].items()}
run.save_figure(figures.losses_by_size(losses, ablation.sizes(skeleton), "points lost"), "size")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.small }}
#
# The threshold is the same for all joints, a fifth of the torso, and generous for an eye. With a threshold by each joint's own sigma, as
# in COCO's OKS, small joints would lose more by definition.
#
# ## Who loses most
#
# The people who lose the largest share of their joints when all levels are at their mean. They are chosen for that: they show how it
# goes wrong and not how often.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The people who lose most. Top: the network as it is. Bottom: all skip connections at their mean. Above each, the share of joints found.", "name": "fig-skips-break"}, "image": {"alt": "People in two rows, their skeletons sound on top and distorted below"}}
enough = np.isfinite(truth[..., 0]).sum(1) >= 2 * len(skeleton) / 3
fall = np.where(enough, with_skips - persons["all the mean"], -np.inf)
worst = np.argsort(-fall, kind="stable")[: min(examples, int(enough.sum()))]
if len(worst):
    versions = {"as it is": (before, with_skips), "at the mean": (after["all"]["the mean"], persons["all the mean"])}
    drawn = {name: [transform_keypoints(crops.matrices[i], k[-1][i][own]) for i in worst] for name, (k, _) in versions.items()}
    titles = {name: [f"{100 * shares[i]:.0f} %" for i in worst] for name, (_, shares) in versions.items()}
    figures.before_after([crops[i] for i in worst], drawn, skeleton, titles)
    plt.show()

# %% [markdown]
# ## The verdict
#
# {{ runs["03_skips"].say.table }}
#
# ## What this does not show
#
# An ablation gives an upper bound on what a network needs: it was never trained for what it then gets. Retraining gives what another network can do, which may do
# it in another way. The networks are small, and of one stack.

# %% tags=["remove-cell"]
side = (card.resolution // card.stride,) * 2
found = plain(
    {
        "network": card.name,
        "people": int(np.isfinite(intact).any(1).sum()),
        "cells": f"{side[0]} × {side[1]}",
        "level names": names,
        "intact": whole,
        "levels": levels,
        "bottleneck": without_code,
        "twins": pair,
        "study": study,
        "kinds": columns,
        "small joints": small,
        "seconds": time.monotonic() - started,
    }
)
run.write_metrics(found | {"verdicts": words.verdicts(found), "say": words.sentences(found, data)})
