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
# And is what a trained network loses without them what a network must lose that never had them?

# %% tags=["parameters"]
weights = "mannequins-hg1"  # the trained network whose skip connections are replaced
data = "mannequins"  # people: NAME[:PATH]; tested on its test split, means taken on its validation split
retrained: str | None = None  # a network trained without skip connections; none: train it here by the recipe of baseline
baseline: str | None = None  # a network with them, trained by the same recipe; none: weights
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
from posekit.coordinates import CONTEXT, STRIDE, transform_keypoints
from posekit.display.html import number
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.evaluation import common
from posekit.engine.fitting import recipe_of, same_recipe
from posekit.interpret.activations import ablation
from posekit.plots import ablation as figures
from posekit.skeleton import SKELETONS
from posekit.workflow import runs
from posekit.workflow.words import correlation, side_by_side, spoken

plots.style()
run = runs.current()
backend = Backend.best()
people = posekit.load_people(data, on_error=on_error)
network, card = weight_files.load(weights)
groups = ablation.skip_groups(network)
started = time.monotonic()


def store(chosen, of):
    """Their crops, at the size that a network takes."""
    return posekit.crops(chosen, int(of.resolution * CONTEXT), on_error=on_error)


# %% tags=["hide-input"]
if {"test", "val"} <= set(people.splits):
    tested, others = (people.split(name).at_most(test_people, seed) for name in ("test", "val"))
else:  # one split alone: half is tested, the other half gives the means
    half = np.random.default_rng(seed).permutation(len(people))
    tested, others = (people[np.sort(part)].at_most(test_people, seed) for part in (half[::2], half[1::2]))
crops = store(tested, card)
order = ablation.mixed(crops.people.names, seed)
crops = crops.select(order)
skeleton = common(SKELETONS[card.skeleton], people.skeleton)
own = SKELETONS[card.skeleton].index(*skeleton.joints)
truth = crops.people.keypoints[:, people.skeleton.index(*skeleton.joints)]
torso = metrics.torso(truth, skeleton)


def hits(keypoints, factor=0.2):
    """Whether the last stack's joints of (stacks, N, K, 3) are found, (N, K)."""
    return metrics.hits(keypoints[-1][:, own], truth, factor * torso)


# %% [markdown]
# ## With and without, person by person
#
# First the blunt question, as the study put it: take all skip connections of a trained network away, and count for each person how many
# joints are still found. Away can mean three things. *Zero* is what most ablations take, and it is something that the layers behind
# never met. The *mean* over other people, for each channel and position, is the most ordinary activation there is, and says nothing about this person.
# *Another person's* activation is entirely ordinary, and wrong. A fourth way is fair to the network: train it *without* from the start.

# %% tags=["show-input"]
before = ablation.intact(network, card, crops, backend=backend)
ways = {
    "zero": ablation.zero,
    "the mean": ablation.mean(network, card, store(others, card), groups["all"], backend=backend),
    "another person's": ablation.resample,
}
after = ablation.ablate(network, card, crops, groups, ways, backend=backend)

# %% tags=["hide-input", "remove-output"]
intact = hits(before)
seconds = time.monotonic() - started

base_weights = baseline or weights
base_network, base_card = weight_files.load(base_weights)
if retrained is None:
    recipe = recipe_of(base_card)
    config = ablation.without_skips(base_network.config)

    def report(line):
        if "pck" in line:
            print(f"epoch {line['epoch']}: loss {line['loss']:.3f}, validation PCK {number(line['pck'])}", flush=True)

    folder = run.path("retrained/weights.safetensors").parent
    training, validation = (store(people.split(name), base_card) for name in ("train", "val"))
    retrained_weights = posekit.fit(config, recipe, training, validation, folder, name="noskip", backend=backend, report=report)
else:
    retrained_weights = retrained
bare_network, bare_card = weight_files.load(retrained_weights)
if bare_network.config.skips:
    raise posekit.PosekitError(f"retrained {retrained}: this network has skip connections; give one trained without")
if bare_card.skeleton != card.skeleton or base_card.skeleton != card.skeleton:
    raise posekit.PosekitError("retrained, baseline and weights are of different skeletons; give networks of the same joints")
differences = same_recipe(base_card, bare_card)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How large a share of each person's joints is found, a panel each: grey, with all skip connections as they are; the outline, with all of them replaced, or by the network trained without. Triangles: the means over people.", "name": "fig-skips-histogram"}, "image": {"alt": "Histograms of the share of joints found by person, with skip connections to the right, without to the left"}}
started = time.monotonic()


def predicted(model, of):
    chosen = crops if of.resolution == card.resolution else store(tested, of).select(order)
    return ablation.intact(model, of, chosen, backend=backend)


base_keypoints = before if baseline is None else predicted(base_network, base_card)
bare_keypoints = predicted(bare_network, bare_card)
base_hits, bare_hits = hits(base_keypoints), hits(bare_keypoints)
base = ablation.summary(base_hits, base_hits, skeleton, seed=seed)
bare = ablation.summary(bare_hits, base_hits, skeleton, seed=seed)

with_skips = ablation.by_person(intact)
persons = {f"all {way}": ablation.by_person(hits(keypoints)) for way, keypoints in after["all"].items()}
persons["trained without"] = ablation.by_person(bare_hits)
label = "share of the person's labelled joints found"
run.save_figure(figures.person_histogram(with_skips, persons, label, f"{card.name}, as it is"), "histogram")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.blunt }}
#
# What this does not show is that the bottleneck knows nothing of the pose. It shows that the layers behind it cannot read it without
# the company that they were trained with; the last panel of the figure shows how much gets through when they must.

# %% [markdown]
# ## Level by level
#
# Level 1 is the finest: its features are as large as the heatmaps, {{ runs["03_skips"].say.cells }} cells. Each deeper one has half the side.

# %% tags=["show-input"]
levels = {
    group: {way: ablation.summary(hits(keypoints), intact, skeleton, seed=seed) for way, keypoints in by_way.items()}
    for group, by_way in after.items()
}
whole = ablation.summary(intact, intact, skeleton, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Joints found with one level, or all, replaced in three ways, and by the network trained without skip connections, with 95 % intervals over people. The line and band are the network as it is; the same people are behind all of them, so differences are surer than bands that overlap suggest.", "name": "fig-skips-levels"}, "image": {"alt": "Dots with intervals for each level and way of replacing it"}}
names = {"all": "all levels"} | {f"skip{i}": f"level {i}" for i in range(1, network.config.depth + 1)}
rows = {names[group]: by_way for group, by_way in levels.items()}
rows["trained without"] = {"trained": bare}
run.save_figure(figures.conditions(rows, whole, "PCK@0.2·torso (%)", "as it is"), "levels")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.levels }}
#
# Where zero costs more than the mean, the difference is not information about the person, which neither has: it is the shock of
# a value that the next layer never met. Where another person's features cost more than the mean, the next layers *believe* the skip
# connection, and are led astray by it.

# %% [markdown]
# ## Which joints need which level
#
# The same by joint, for the mildest of the three, the mean.

# %% tags=["show-input"]
kinds = ablation.kinds(skeleton)


def kind_changes(edited, reference):
    """Per kind of joint, left and right together, the paired change with its interval."""
    return {
        kind: metrics.paired_difference(edited[:, index], reference[:, index], seed=seed)
        for kind, index in kinds.items()
        if np.isfinite(reference[:, index]).any()
    }


# %% tags=["hide-input"] mystnb={"figure": {"caption": "Points of PCK@0.2·torso that each kind of joint changes by, when a level is replaced by its mean over other people; and, in the last column, between the networks trained with and without. Pale numbers: the 95 % interval contains 0.", "name": "fig-skips-joints"}, "image": {"alt": "A table of coloured numbers, joints by levels"}}
columns = {names[group]: kind_changes(hits(by_way["the mean"]), intact) for group, by_way in after.items()}
columns["trained without"] = kind_changes(bare_hits, base_hits)
shown = list(columns["trained without"])
table = np.array([[100 * column[kind]["mean"] for column in columns.values()] for kind in shown])
sure = np.array([[column[kind]["low"] > 0 or column[kind]["high"] < 0 for column in columns.values()] for kind in shown])
run.save_figure(figures.changes(table, sure, shown, list(columns), "change in points of PCK@0.2·torso"), "joints")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.joints }}

# %% [markdown]
# ## Do small joints suffer most?
#
# The study found that they do, by eye. Here it is a number: Spearman's correlation, over kinds of joint, of the joint's size (COCO's sigma: how
# far annotators scatter around it, relative to the person) with what it loses. COCO gives none for the neck and the top of the head, which
# are therefore not among them. Negative means that the small lose more. It has two
# uncertainties: the interval is over people, for these joints; *p* is over the joints, which are few, and no number of people
# makes them more. A joint that is seldom found has little to lose, so the loss is also taken as a share of what was found before; and
# exactness counts for more at half the threshold.

# %% tags=["show-input"]
conditions = {
    "finest level at its mean": (hits(after["skip1"]["the mean"]), intact),
    "all levels at their mean": (hits(after["all"]["the mean"]), intact),
    "trained without": (bare_hits, base_hits),
}
small = {name: ablation.small_joints(*pair, skeleton, seed=seed) for name, pair in conditions.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Points of PCK@0.2·torso that each kind of joint loses, over its size.", "name": "fig-skips-size"}, "image": {"alt": "Scatter of loss over size of the joint in three panels"}}
small_relative = {name: ablation.small_joints(*pair, skeleton, relative=True, seed=seed) for name, pair in conditions.items()}
strict = {
    "finest level at its mean": (hits(after["skip1"]["the mean"], 0.1), hits(before, 0.1)),
    "all levels at their mean": (hits(after["all"]["the mean"], 0.1), hits(before, 0.1)),
    "trained without": (hits(bare_keypoints, 0.1), hits(base_keypoints, 0.1)),
}
small_strict = {name: ablation.small_joints(*pair, skeleton, seed=seed) for name, pair in strict.items()}
size = ablation.sizes(skeleton)
run.save_figure(figures.losses_by_size({name: block["loss"] for name, block in small.items()}, size, "points lost"), "size")
plt.show()

# %% [markdown]
# {{ runs["03_skips"].say.small }}
#
# The threshold is the same for all joints, a fifth of the torso, and generous for an eye. Had each joint been measured by its own sigma, as
# COCO's OKS does, small joints would have lost more by definition.

# %% [markdown]
# ## Who breaks
#
# The people who lose the largest share of their joints when all levels are at their mean. They are chosen for that, so they show how it
# goes wrong and not how often.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The people who lose most. Top: the network as it is. Middle: all skip connections at their mean. Bottom: the network trained without. Above each, the share of joints found.", "name": "fig-skips-break"}, "image": {"alt": "People in three rows, their skeletons sound on top and broken below"}}
shares = {"as it is": with_skips, "at the mean": persons["all the mean"], "trained without": persons["trained without"]}
enough = np.isfinite(truth[..., 0]).sum(1) >= 2 * len(skeleton) / 3
fall = np.where(enough, shares["as it is"] - shares["at the mean"], -np.inf)
worst = np.argsort(-fall, kind="stable")[: min(examples, int(enough.sum()))]
if len(worst):
    versions = {"as it is": before, "at the mean": after["all"]["the mean"], "trained without": bare_keypoints}
    drawn = {name: [transform_keypoints(crops.matrices[i], keypoints[-1][i][own]) for i in worst] for name, keypoints in versions.items()}
    titles = {name: [f"{100 * shares[name][i]:.0f} %" for i in worst] for name in versions}
    figures.before_after([crops[i] for i in worst], drawn, skeleton, titles)
    plt.show()

# %% [markdown]
# ## Trained without
#
# {{ runs["03_skips"].say.retrained }}
#
# ## The verdict
#
# {{ runs["03_skips"].say.table }}

# %% tags=["remove-cell"]
finest, everything = levels["skip1"], levels["all"]


def cost(block):
    return spoken(block["change"], points=True)


def judged(block):
    """What a correlation of size and loss says to the study's claim."""
    if block["mean"] is None:
        return "cannot be asked"
    sure = block["p"] < 0.05
    if block["high"] < 0:
        return "holds" if sure else "points that way, but so few joints may do so by chance"
    if block["low"] > 0:
        return "is reversed: the large ones lose more" if sure else "points the other way, but so few joints may do so by chance"
    return "cannot be told from chance"


def blunt_words():
    parts = [f"{spoken(block)} with all replaced by {way}" for way, block in everything.items()]
    return f"As it is, and without a flip test, the network finds {spoken(whole)} of the joints; {', '.join(parts)}; trained without, {spoken(bare)}."


def level_words():
    single = {group: by_way for group, by_way in levels.items() if group != "all"}
    order = sorted(single, key=lambda group: single[group]["the mean"]["mean"])
    parts = [f"{names[group]} {cost(single[group]['the mean'])}" for group in order]
    gap = {group: by_way["zero"]["mean"] - by_way["the mean"]["mean"] for group, by_way in single.items()}
    shocked = max(gap, key=lambda group: abs(gap[group]))
    more = "more" if gap[shocked] < 0 else "less"
    total = sum(by_way["the mean"]["change"]["mean"] for by_way in single.values())
    alone = 100 * abs(total)
    together = 100 * abs(everything["the mean"]["change"]["mean"])
    reading = ""
    if together > 1.5 * alone:
        reading = " The levels stand in for each other: one can be missed, all cannot."
    return (
        f"At their means, in the order of what they cost: {'; '.join(parts)}. All together change it by {cost(everything['the mean'])}, "
        f"where the single losses add up to {100 * total:.1f}".replace("-", "−")
        + f". Zero differs from the mean most at {names[shocked]}, where it costs {100 * abs(gap[shocked]):.1f} points {more}.{reading}"
    )


def joint_words():
    fine, trained = columns[names["skip1"]], columns["trained without"]
    losers = sorted(fine, key=lambda kind: fine[kind]["mean"])
    certain = [kind for kind in losers if fine[kind]["high"] < 0]
    text = f"Without the finest level the {losers[0]} loses most, {spoken(fine[losers[0]], points=True)}, and the {losers[-1]} least, {spoken(fine[losers[-1]], points=True)}; "
    text += f"{len(certain)} of {len(fine)} kinds lose with an interval below 0. "
    hurt = sorted(trained, key=lambda kind: trained[kind]["mean"])
    return (
        text
        + f"Trained without any, the {hurt[0]} loses most, {spoken(trained[hurt[0]], points=True)}, and the {hurt[-1]} least, {spoken(trained[hurt[-1]], points=True)}."
    )


def small_words():
    lines = [
        f"| over {len(size)} kinds of joint | points lost | share lost of what was found | points lost at half the threshold |",
        "| --- " * 4 + "|",
    ]
    for name in small:
        cells = [correlation(kind[name]).partition(" over ")[0] for kind in (small, small_relative, small_strict)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    told = "; ".join(f"{name}, it {judged(block)}" for name, block in small.items())
    return "\n".join([*lines, "", f"By the points lost, the claim fares so: {told}."])


def retrained_words():
    count, base_count = ablation.parameter_count(bare_network), ablation.parameter_count(base_network)
    where = "here" if retrained is None else "beforehand"
    code = base_card.resolution // STRIDE // 2**base_network.config.depth
    numbers = base_network.config.features * code**2
    alike = f"by the same recipe and on the same people as {base_card.name}"
    if differences:
        alike = f"not quite as {base_card.name} was ({'; '.join(differences)}), so that the comparison is not clean"
    back = (bare["mean"] - everything["the mean"]["mean"]) / max(whole["mean"] - everything["the mean"]["mean"], 1e-9)
    regained = ""
    if baseline is None and everything["the mean"]["change"]["high"] < 0:
        regained = (
            f" Of what replacing all by their means took, training without regains {f'{100 * back:.0f} %' if back > 0 else 'nothing'}."
        )
    return (
        f"The network without skip connections was trained {where}, {alike}; once each: the intervals are over people and not "
        f"over trainings. It has {count:,} parameters, the other {base_count:,}; all that it knows of a person passes through {numbers:,} "
        f"numbers. It finds {spoken(bare)} of the joints, the other {spoken(base)}: {cost(bare)}.{regained}"
    )


verdict = {
    "Network": f"{card.name}, {np.isfinite(intact).any(1).sum():,} people",
    "Joints found as it is": spoken(whole),
    "Change: all skips at zero": cost(everything["zero"]),
    "Change: all skips at their mean": cost(everything["the mean"]),
    "Change: all skips another person's": cost(everything["another person's"]),
    "Change: finest skip at its mean": cost(finest["the mean"]),
    "Change: trained without skips": cost(bare) if baseline is None else f"{cost(bare)}, against {base_card.name}",
    "Small joints lose most, finest level": f"{judged(small['finest level at its mean'])} ({correlation(small['finest level at its mean'])})",
    "Small joints lose most, trained without": f"{judged(small['trained without'])} ({correlation(small['trained without'])})",
}
side = (card.resolution // STRIDE,) * 2
run.write_metrics(
    {
        "intact": whole,
        "levels": levels,
        "retrained": {"baseline": base, "without": bare, "differences": differences},
        "kinds": columns,
        "small joints": {"absolute": small, "relative": small_relative, "at 0.1·torso": small_strict},
        "verdicts": verdict,
        "seconds": seconds + time.monotonic() - started,
        "say": {
            "cells": f"{side[0]} × {side[1]}",
            "blunt": blunt_words(),
            "levels": level_words(),
            "joints": joint_words(),
            "small": small_words(),
            "retrained": retrained_words(),
            "table": side_by_side("03_skips", data, verdict),
        },
    }
)
