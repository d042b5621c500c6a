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
# An hourglass reduces the feature maps of a picture step by step to its {term}`bottleneck`, and enlarges them again. At each size a {term}`skip connection`
# carries the features past the bottleneck. How much does the prediction depend on skip connections, which level matters most, and for which joints?
# And does a network that is trained without them lose as much as one that loses them after training?
#
# {{ runs["03_skips"].say.answer }}

# %% tags=["parameters"]
weights = "mannequins-hg1"  # the trained network whose skip connections are replaced
data = "mannequins"  # people: NAME[:PATH]; tested on its test split, means taken on its validation split
baseline: str | None = None  # a network with skip connections, to compare ablation with retraining
retrained: str | None = None  # the same network without them, trained by the same recipe
studies = "book/studies/lspet"  # folder of the results of studies of photographs, of which `skips` is read
test_people = 800  # maximum number of test people
examples = 8  # people shown who lose most
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

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
from posekit.engine.learning.fitting import same_recipe
from posekit.files import plain
from posekit.interpret.activations import ablation
from posekit.interpret.activations.twins import load_twins
from posekit.plots import ablation as figures
from posekit.plots.comparisons import studies as study_figures
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
over = {"pictures": crops.people.picture_ids(), "seed": seed}  # what intervals are over, where people share pictures


def hits(keypoints, factor=0.2):
    """Whether the last stack's joints of (stacks, N, K, 3) are found, (N, K)."""
    return metrics.hits(keypoints[-1][:, own], truth, factor * torso)


# %% [markdown]
# ## With and without, person by person
#
# On the page [Try it](try_it) you can replace each skip connection yourself, for one person.
#
# First we repeat the question of the [study that this book replicates](introduction): if all skip connections of a trained network are removed, how many of each person's
# joints are still found? An activation can be removed by replacing it in three ways. *Zero* is the usual choice, but the following layers never saw it in training. The *mean* over other people, for
# each channel and position, is a typical activation that says nothing about this person. *Another person's* activation is a real one, but describes someone else.

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

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Histograms of the share of joints found per person. Grey: the intact network. Outline: all skip connections replaced, in one way per panel. Triangles: the means over people.", "name": "fig-skips-histogram"}, "image": {"alt": "Histograms of the share of joints found by person, with skip connections to the right, without to the left"}}
with_skips = ablation.by_person(intact)
persons = {way: ablation.by_person(hits(keypoints)) for way, keypoints in after["all"].items()}
titles = {"zero": "all at zero", "the mean": "all at the mean", "another person's": "all another person’s"}
label = "share of the person’s labelled joints found"
replaced = {titles[way]: shares for way, shares in persons.items()}
run.save_figure(figures.person_histogram(with_skips, replaced, label, f"{card.name}, as it is"), "histogram")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.blunt }}
#
# This does not show that the bottleneck knows nothing of the pose. It shows that the layers behind it, as they were trained, cannot use the code without skip input. {ref}`Retraining <skips-retrained>`
# shows how many joints are found when these layers learn to do so.
#
# ## Level by level
#
# Level 1 is the finest: its maps are as large as the heatmaps, {{ runs["03_skips"].say.cells }} cells. Each deeper level has maps of half the side.

# %% tags=["show-input"]
levels = {
    group: {way: ablation.summary(hits(keypoints), intact, skeleton, **over) for way, keypoints in by_way.items()}
    for group, by_way in after.items()
}
whole = ablation.summary(intact, intact, skeleton, **over)
without_code = {way: ablation.summary(hits(keypoints), intact, skeleton, **over) for way, keypoints in blind.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK with the skip connection of one level, or of all, replaced in three ways, and, as a control, with the bottleneck replaced and all skip connections intact. Bars are 95 % intervals over people; the line and band are the intact network. All rows are of the same people, so that differences are more certain than overlapping intervals suggest.", "name": "fig-skips-levels"}, "image": {"alt": "Dots with intervals for each level and way of replacing it"}}
names = {group: group.replace("skip", "level ") if group[-1].isdigit() else group for group in levels} | {"all": "all levels"}
rows = {names[group]: by_way for group, by_way in levels.items()} | {"bottleneck": without_code}
run.save_figure(figures.conditions(rows, whole, "PCK@0.2·torso (%)", "as it is"), "levels")
plt.show()

# %% [markdown]
# ```{raw} html
# <details class="live" data-live="skips"><summary>Try it here: replace skip connections and the code</summary>
# <div class="try-it instance"></div>
# <p><a class="state" href="try_it.html#person=1">Open in Try it</a>, with other people, your own picture and other replacements.</p></details>
# ```
#
# {{ runs["03_skips"].say.levels }}
#
# {{ runs["03_skips"].say.bottleneck }}
#
# Neither zero nor the mean contains information about the person. Where zero costs more than the mean, the further loss comes from values far from those that the next
# layer saw in training. Where another person's features cost more than the mean, the next layers rely on the skip connection, and wrong features mislead them.
#
# (skips-retrained)=
# ## One network, ablated and retrained
#
# To compare ablation with retraining, one network is needed in three forms: with its skip connections, with all of them replaced after training, and trained
# without them.

# %% tags=["show-input"]
twins = None
if baseline and retrained:
    twins = load_twins(baseline, retrained, card.skeleton)
    seen = store(tested, twins.card).select(order)
    twin_hits = {name: hits(keypoints) for name, keypoints in twins.keypoints(seen, store(others, twins.card), backend).items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK of a network with all skip connections replaced in three ways after training, and of the same network trained without them, on the same people, with 95 % intervals over people. The line and band are the network with its skip connections.", "name": "fig-skips-twins"}, "image": {"alt": "Dots with intervals: three ways of ablation, and retraining"}}
pair = None
if twins:
    blocks = {name: ablation.summary(found, twin_hits["with"], skeleton, **over) for name, found in twin_hits.items()}
    ablated = {way: blocks[way] for way in ways}
    rows = {"ablated": ablated, "trained without": {"trained": blocks["without"]}}
    run.save_figure(figures.conditions(rows, blocks["with"], "PCK@0.2·torso (%)", "with skip connections"), "twins")
    plt.show()
    pair = {"names": twins.names, "with": blocks["with"], "without": blocks["without"], "ablated": ablated, "parameters": twins.parameters}
    pair |= {"numbers": twins.numbers, "differences": same_recipe(twins.card, twins.bare_card)}

# %% [markdown]
# {{ runs["03_skips"].say.twins }}
#
# (sec-skips-study)=
# ## Trained to the plateau
#
# Whether a network needs skip connections is decided by this book's study *skips* on photographs. It trains a network with an input of 64 pixels a side with all skip connections, without any, without the finest, and without
# the coarsest. Each is trained from three seeds, until its score no longer rises. Without any, it learns more slowly and is trained for longer; its score after as many epochs as the others
# is given as well.

# %% tags=["show-input"]
study = summarise(kept.read("skips", studies))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The study *skips*: PCK of networks trained without some skip connections, less that of the network trained with all of them. Bars are 95 % intervals over seeds and people; small dots are single seeds.{{ runs['03_skips'].say.hollow }}", "name": "fig-skips-study"}, "image": {"alt": "A row for each network trained without some skip connections, with a dot and an interval"}}
run.save_figure(study_figures.differences(study["variants"], study["reference"]), "study")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.study }}
#
# ## Which joints need which level
#
# The next figure shows for each kind of joint, left and right together, how PCK changes when a level is replaced by its mean.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Change of PCK@0.2·torso, in points, for each kind of joint when a level is replaced by its mean over other people.{{ runs['03_skips'].say.retrained }} For grey numbers, the 95 % interval over people contains 0.", "name": "fig-skips-joints"}, "image": {"alt": "A table of coloured numbers, joints by levels"}}
columns = {names[group]: ablation.kind_changes(hits(by_way["the mean"]), intact, skeleton, **over) for group, by_way in after.items()}
if twins:
    columns[words.TRAINED_WITHOUT] = ablation.kind_changes(twin_hits["without"], twin_hits["with"], skeleton, **over)
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
# The study concluded by eye that they do. Here the claim is tested by Spearman's correlation, over kinds of joint, between a joint's size and its loss of PCK.
# The size is COCO's sigma: how far annotators scatter around the joint, relative to the size of the person. COCO gives no sigma for the neck and the top of the head, which
# are therefore left out. A negative correlation means that small joints lose more. The correlation has two
# uncertainties. The interval is over people, for these joints. The value *p* is over kinds of joint, which are few however many people there are; since the
# ranks of so few kinds take few values, an estimate may lie at an end of its interval.
# A joint that is seldom found has little to lose. The loss is therefore also taken relative to the share found before, and at half the threshold, which requires more exact predictions.

# %% tags=["show-input"]
conditions = {
    "finest level at its mean": (after[finest]["the mean"], before),
    "all levels at their mean": (after["all"]["the mean"], before),
}
pairs = {name: (hits(edited), intact) for name, (edited, _) in conditions.items()}
strict = {name: (hits(edited, 0.1), hits(reference, 0.1)) for name, (edited, reference) in conditions.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Loss of PCK@0.2·torso, in points, of each kind of joint over its size. Left, with the finest level at its mean; right, with all levels at their means.", "name": "fig-skips-size"}, "image": {"alt": "Scatter of loss over size of the joint, a panel a condition"}}
small = {
    "absolute": {name: ablation.small_joints(*pair_, skeleton, **over) for name, pair_ in pairs.items()},
    "relative": {name: ablation.small_joints(*pair_, skeleton, relative=True, **over) for name, pair_ in pairs.items()},
    "at 0.1·torso": {name: ablation.small_joints(*pair_, skeleton, **over) for name, pair_ in strict.items()},
}
losses = {name: block["loss"] for name, block in small["absolute"].items()}
run.save_figure(figures.losses_by_size(losses, ablation.sizes(skeleton), "points lost"), "size")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.small }}
#
# The threshold is the same for all joints, a fifth of the torso, which is generous for a small joint. If each joint had a threshold in proportion to its sigma, as
# in COCO's OKS, small joints would lose more simply because their threshold is smaller.
#
# ## Who loses most
#
# The figure shows the people who lose the largest share of their joints when all levels are at their means. They are chosen for that: they show what kind of
# errors arise, and not how often.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The people who lose the largest share of their joints. Top: the intact network. Bottom: the same network with all skip connections at their means. Above each, the share of joints found.", "name": "fig-skips-break"}, "image": {"alt": "People in two rows, their skeletons sound on top and distorted below"}}
enough = np.isfinite(truth[..., 0]).sum(1) >= 2 * len(skeleton) / 3
fall = np.where(enough, with_skips - persons["the mean"], -np.inf)
worst = np.argsort(-fall, kind="stable")[: min(examples, int(enough.sum()))]
if len(worst):
    versions = {"as it is": (before, with_skips), "at the mean": (after["all"]["the mean"], persons["the mean"])}
    drawn = {name: [transform_keypoints(crops.matrices[i], k[-1][i][own]) for i in worst] for name, (k, _) in versions.items()}
    titles = {name: [f"{100 * shares[i]:.0f} %" for i in worst] for name, (_, shares) in versions.items()}
    figures.before_after([crops[i] for i in worst], drawn, skeleton, titles)
    plt.show()

# %% [markdown]
# ## The verdict
#
# In this and later tables, *laptop-hg1* is the network that the edition on mannequins trains; the others come with posekit.
#
# {{ runs["03_skips"].say.table }}
#
# ## What this does not show
#
# An {term}`ablation` gives an upper bound on how much a network needs a part, since the network was never trained without it. Retraining shows what another network can do without the part, perhaps in another
# way. The networks are small, and have one stack.

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
