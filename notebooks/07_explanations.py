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
# # Where it looks
#
# When the network places a left wrist, which pixels of the picture decided that? Many methods answer with a map, and most maps look
# convincing: they are bright on the person and dark elsewhere. That is no evidence, because the output of an edge detector looks the same.
#
# {{ runs["07_explanations"].say.answer }}
#
# The network is *{{ runs["07_explanations"].say.network }}*. Its maps are tested on {{ runs["07_explanations"].say.people }},
# {{ runs["07_explanations"].say.seen }}. Six methods, one of them at three layers, are tested beside controls that explain nothing. The
# chapter then turns to what maps cannot show: which other joints the network uses to find a joint, and which pictures and people excite its
# channels and components most.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
joints: list[str] = ["shoulder", "elbow", "wrist", "hip", "knee", "ankle"]  # to explain, of either side
people = 32  # people whose maps are tested, each for one joint
cascade_people = 12  # of them, those in the cascade, each with random weights of their own
hidden = 120  # people whose joints are hidden one after the other
coded = 400  # people for the components of the code, and to compare maximised pictures with
steps = 96  # of gradient ascent, for a maximised picture
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

# %% tags=["remove-cell"]
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

import posekit
from posekit import plots as general
from posekit.coordinates import CONTEXT
from posekit.data import held_out
from posekit.data.people import parse_spec
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.files import plain
from posekit.interpret.activations.codes import code_hook_point
from posekit.interpret.attribution import dependency as causes
from posekit.interpret.attribution import judgement, maximisation, sanity, tried
from posekit.interpret.attribution.patches import top_patches
from posekit.plots import attribution as plots
from posekit.skeleton import skeleton_of
from posekit.workflow import runs
from posekit.workflow.words import by_inner_name
from posekit.workflow.words import explanations as words
from posekit.workflow.words import seen as overlap

general.style()
run = runs.current()
backend = Backend.best()
started = time.monotonic()

# %% tags=["remove-cell"]
network, card = weight_files.load(weights)
backend.place(network)
card.need_heatmaps()
skeleton, hook_point = skeleton_of(card.skeleton), code_hook_point(network)
table = held_out(data, max(people, hidden, coded), seed, on_error=on_error)
crops = posekit.crops(table, int(card.resolution * CONTEXT), aspect=card.aspect, on_error=on_error)
rendered = parse_spec(data)[0] == "mannequins"

# %% [markdown]
# ## The target
#
# A classifier has a score for each class. A network that outputs heatmaps has a whole map for each joint, so one number of the map has to
# be chosen as the one to explain. That number is the *target*: the raw output at the map's *peak*, its mean in a *window* around the peak,
# the *mean* of the whole map, the *probability* in the window after the softmax, or the *distance* to another joint, the left
# shoulder. The figure shows all five for the same people by the same method. The last map
# of a left shoulder is empty, and is left out of the correlations below.

# %% tags=["show-input"]
cases = sanity.draw_cases(
    network, card, crops, [f"{side} {joint}" for joint in joints for side in ("left", "right")], people=people, seed=seed
)

# %% tags=["hide-input"]
pictures = (cases.pictures.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
shown = np.random.default_rng(seed).permutation(len(cases))[:5]  # people in the figures, drawn at random


def sheet(rows):
    """Maps of the people shown, below their pictures."""
    return plots.maps(pictures[shown], {"picture": None} | rows, cases.predicted[shown], [cases.names[i] for i in shown])


# %% tags=["show-input"]
names = {"peak": "peak", "window": "window", "mean": "mean", "probability": "probability", "distance": "distance to left shoulder"}
by_target = {label: sanity.by(card, "saliency", name=name)(network, cases) for label, name in names.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The gradients (saliency) of five targets for five people who were drawn at random. The joint is named above; a cross marks where the network puts it. Each map is scaled to its own strength.", "name": "fig-explanations-targets"}, "image": {"alt": "Five people in columns, and below each five maps that are bright around the joint"}}
run.save_figure(sheet({label: maps[shown] for label, maps in by_target.items()}), "targets")
plt.show()

# %% [markdown]
# {{ runs["07_explanations"].say.targets }} From here on the target is the window.
#
# ## Six methods
#
# - *Saliency* {cite:p}`simonyan2014`: the gradient of the target with respect to the pixels.
# - *Guided back-propagation* {cite:p}`springenberg2015` and the *deconvnet* {cite:p}`zeiler2014`: the same, but ReLUs let only positive
#   gradients pass backwards. Guided back-propagation also blocks the gradient where the ReLU was zero in the forward pass; the deconvnet
#   does not.
# - *Grad-CAM* {cite:p}`selvaraju2017`: the channels of a layer, each weighted by its mean gradient, added up; negative values are set to 0.
#   Each layer gives another map; three layers are tested.
# - *Occlusion* {cite:p}`zeiler2014`: how much the target falls when a square of the picture is hidden.
# - *Integrated gradients* {cite:p}`sundararajan2017`: the mean gradient on the straight path from a blurred picture to this one, times the
#   difference of the two. The mean is over fewer steps here than by default in `posekit explain`: the maps are much alike, but with
#   more steps the sum over pixels is nearer to what the target gains on the path.
#
# There are three controls. *Edges* are computed from the picture without the network. *Noise* is one fixed random map for each person, made
# without picture and network. The *answer* is the joint's own heatmap: it points at the joint as well as the network can, but does not say
# why.

# %% tags=["hide-input"]
layers, cams = tried.cam_layers(network, hook_point)
by_layer, refused = sanity.grad_cams(network, card, cases, layers)

# %% tags=["show-input"]
ways = {name: sanity.by(card, method) for name, method in {"saliency": "saliency", "guided backprop": "guided-backprop"}.items()}
ways["deconvnet"] = sanity.by(card, "deconvnet")
ways |= {f"Grad-CAM ({label})": sanity.by(card, "grad-cam", layer) for label, layer in cams.items() if layer in by_layer}
ways |= {"occlusion": sanity.by(card, "occlusion"), "integrated gradients": sanity.by(card, "integrated-gradients")}
controls = {"edges": sanity.edges, "noise": sanity.noise, "the answer": sanity.answer_maps(card)}
everything = ways | controls

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The map of each method for the same five people; the last two rows are controls. A map of Grad-CAM is empty where no value is positive.", "name": "fig-explanations-methods"}, "image": {"alt": "Five people in columns; in rows below them the maps of each method, some scattered, some smooth, most of them on the person"}}
maps, spent, impossible = tried.attempted(network, cases, everything)
ways, everything = ({label: way for label, way in some.items() if label in maps} for some in (ways, everything))
run.save_figure(sheet({label: found[shown] for label, found in maps.items() if label != "noise"}), "methods")
plt.show()

# %% [markdown]
# ## The cascade
#
# A map that explains the network has to change when the weights change. In the *cascading randomisation* of {cite:t}`adebayo2018` the
# weights are reset to random values block by block, from the head downwards. After each step the map is compared with that of the trained
# network.
#
# The measure is Spearman's partial correlation of the two maps' absolute values over cells, given the distance from the predicted joint.
# The distance is partialled out because any network, even a random one, computes a cell of its heatmap from nearby pixels. Two controls
# define the scale. An *edge detector* stays at 1, since it does not use the network. A *random map*, drawn anew at each step, stays at 0.
#
# The rule: a method *fails* at a step if the whole 95 % interval of its correlation lies above {{ runs["07_explanations"].say.limit }},
# halfway between the two controls. If the interval contains that limit, the method is undecided at this step. The step that decides is
# *{{ runs["07_explanations"].say.step }}*. {{ runs["07_explanations"].say.decides }} Random weights are drawn anew for each of
# {{ runs["07_explanations"].say.drawn }} people; the intervals over these people are Student's.

# %% tags=["show-input"]
levels = sanity.cascade_levels(network)
fewer = cases.take(np.arange(min(cascade_people, len(cases))))
known = {label: found[: len(fewer)] for label, found in maps.items()}
alike, untaken = judgement.cascade(network, fewer, everything, known, levels, aspect=card.aspect, seed=seed)
cascade = judgement.judged(alike, list(ways), list(levels))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The cascade: how alike each method's maps stay to those of the trained network, with 95 % intervals over people at the step that decides (dashed vertical). Each block is randomised in addition to those before it. Dotted horizontal line at 0.5: the limit above which a method fails. An empty map counts as 0.", "name": "fig-explanations-cascade"}, "image": {"alt": "Lines that begin at one and fall as more of the network is randomised, some of them steeply, two grey lines staying at one and at zero"}}
drawn = {label: blocks for label, blocks in cascade["alike"].items() if label != "noise"}
grey = ["edges", judgement.RANDOM_MAP, "the answer"]
run.save_figure(plots.cascade_likeness(drawn, grey, cascade["limit"], cascade["decided at"]), "cascade")
plt.show()

# %% tags=["hide-input"]
pd.DataFrame(words.cascade_rows(plain(cascade), grey)).style.hide().set_caption(
    "The verdict on each method and control at each step of the cascade, with the correlation."
)

# %% [markdown]
# {{ runs["07_explanations"].say.cascade }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The method that changes least in the cascade, for the same five people: its maps of the trained network, of one that is random down to the step that decides, and of one that is random throughout.", "name": "fig-explanations-failing"}, "image": {"alt": "Five people, and below each three maps of which the first two look much alike"}}
worst = cascade["worst"]["method"]
rows = {f"{worst},\ntrained": maps[worst][shown]}
for label, level in words.steps(cascade).items():
    rows[label] = ways[worst](sanity.randomised(network, levels[level], seed), cases.take(shown))
run.save_figure(sheet(rows), "failing")
plt.show()

# %% [markdown]
# ## More tests
#
# 1. *The other side.* A method should give different maps for the left and the right joint of a pair.
# 2. *Deletion and insertion* {cite:p}`petsiuk2018`. The picture is blurred cell by cell, starting where the map is strongest; or a blurred
#    picture is restored in the same order. The figure shows the probability of the joint where the network put it. The table has the area
#    under this curve relative to the probability on the whole picture, which can exceed 1. If the map points at what the network uses, the
#    area is small for deletion and large for insertion.
# 3. *Pointing* {cite:p}`zhang2018`. Does the map's peak lie within a fifth of the torso's length of the annotated joint?
# 4. {{ runs["07_explanations"].say.limbs }}

# %% tags=["show-input"]
other = sanity.counterparts(network, card, cases)
across = {label: sanity.likeness(maps[label], way(network, other), aspect=card.aspect) for label, way in everything.items()}
curves = {label: sanity.curves(network, card, cases, found, backend) for label, found in maps.items()}
deletion, insertion = ({label: pair[i] for label, pair in curves.items()} for i in (0, 1))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Deletion and insertion: the probability of the joint while the picture is taken away (left) or brought back (right), cell by cell in the order of each map; means over people. Grey and black: controls.", "name": "fig-explanations-removal"}, "image": {"alt": "Curves that fall on the left and rise on the right, close together, those of the controls among them"}}
masks = sanity.limb_masks(sanity.part_masks(crops, cases.rows, card.resolution), cases.joints) if rendered else None
limbs = {label: sanity.share_within(found, masks) for label, found in maps.items()} if rendered else None
tests = judgement.tests(cases, maps, across, deletion, insertion, limbs, seed=seed)
better = judgement.ahead(deletion, insertion, seed=seed)  # than edges
answer_behind = judgement.ahead(deletion, insertion, "the answer", seed=seed)
run.save_figure(plots.removal_curves(sanity.SHARES, deletion, insertion, list(controls)), "removal")
plt.show()

# %% tags=["hide-input"]
faults = judgement.faults(cascade, better, list(ways))
pd.DataFrame(words.test_rows(plain(cascade), plain(tests), faults, list(controls))).style.hide().set_caption(
    "Each method in each test, with 95 % intervals over people; behind its name what speaks against it. Cascade, random weights and other side: "
    "rank correlations of maps, low is good; deletion: low is good; the rest: high is good."
)

# %% [markdown]
# {{ runs["07_explanations"].say.tests }}
#
# {{ runs["07_explanations"].say.controls }} In insertion, too, a method can exceed this heatmap; the table has
# both.
#
# ## Grad-CAM, from the code to the head
#
# Grad-CAM's maps are as coarse as their layer, and near the head they approach the joint's own heatmap. At the features before the last
# 1 × 1 convolution, Grad-CAM's weights are those of that convolution, up to a factor, and its map is the positive part of the joint's raw
# map, up to the bias. Where the raw map is negative, Grad-CAM's is 0, so the rank correlation of the two stays below 1.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Grad-CAM at several layers, for the same five people; for an hourglass, two skip connections, the last encoder but one, the code, the sums from coarse to fine, and the features.", "name": "fig-explanations-gradcam"}, "image": {"alt": "Five people, and below each maps that are coarse blotches in the upper rows and a spot on the joint in the lowest"}}
if by_layer:
    run.save_figure(sheet({name: found[shown] for name, found in by_inner_name(by_layer).items()}), "gradcam")
    plt.show()
cam_tests = judgement.coarse(cases, by_layer, maps["the answer"], aspect=card.aspect, seed=seed)

# %% [markdown]
# {{ runs["07_explanations"].say.gradcam }}
#
# ## Which joint is found by which other? #
# Maps are about pixels. To measure whether the network uses joint A to find joint B, A is hidden and the displacement of the prediction for
# B is measured. A square over A, four tenths of the torso's length wide, is blurred, and the prediction is compared with that for the whole
# picture. The control is equally large squares elsewhere on the same person, about as far from B, because any disturbance nearby moves a
# joint, whatever it covers. The *effect* of A on B is the displacement beyond that of the control. Pairs that lie so close that one square
# covers both are not counted.

# %% tags=["show-input"]
depends = causes.dependency(network, card, crops.select(np.arange(min(hidden, len(crops)))), seed=seed, backend=backend)
over = {"pictures": depends.pictures, "seed": seed}  # what intervals are over, where people share pictures
effect = causes.matrix_interval(depends.effect, **over)
sure = (effect["low"] > 0) | (effect["high"] < 0)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The joint-dependency matrix: how far, in hundredths of the torso's length, hiding a joint (row) moves the prediction for another (column) beyond what hiding another part of the person does. Pale cells with grey numbers: the 95 % interval over people contains 0.{{ runs['07_explanations'].say.blank }}", "name": "fig-explanations-dependency"}, "image": {"alt": "A square table, dark along the diagonal and pale elsewhere, with a few stronger cells beside the diagonal"}}
run.save_figure(plots.dependency_matrix(effect["mean"], sure, skeleton, "moves"), "dependency")
plt.show()

# %% tags=["hide-input"]
dependency = {
    "joints": list(skeleton.joints),
    "people": len(depends.effect),
    "effect": effect,
    "moved": causes.matrix_interval(depends.moved, **over)["mean"],
    "on the others": causes.influence(depends.effect, skeleton, **over),
    "closeness": causes.agreement(depends.effect, -causes.hops(skeleton), **over),
    "both ways": causes.agreement(depends.effect, depends.effect.swapaxes(1, 2), **over),
    "other side": causes.on_counterparts(depends.effect, skeleton, **over),
}

# %% [markdown]
# {{ runs["07_explanations"].say.dependency }} The interval of a rank correlation is over people, for these joints; its *p* compares it
# with correlations after the joints of one side are permuted, as if the joints were a sample {cite:p}`mantel1967`. The two can therefore disagree.
#
# On the page [Try it](try_it) you can erase any part of a picture.
#
# ```{raw} html
# <details class="live" data-live="erase"><summary>Try it here: erase a joint and see which others move</summary>
# <div class="try-it instance"></div>
# <p><a class="state" href="try_it.html#person=1">Open in Try it</a>, with other people and your own picture.</p></details>
# ```
#
# ## Which pictures excite it most?
#
# Activation maximisation {cite:p}`simonyan2014` makes a picture by gradient ascent on a target. The targets here are joints in the middle
# of the picture, channels of the code, and directions of the code, among them the principal components of [the chapter on
# codes](05_components). The picture is a sum of waves, the finer the weaker, in the colours of the people's pictures, and each step shifts
# and rotates it a little {cite:p}`olah2017`. Without these constraints the result looks like noise.

# %% tags=["show-input"]
coders = crops.select(np.arange(min(coded, len(crops))))
seen = maximisation.seen(network, card, coders, hook_point)
goals = maximisation.goals(seen, card, [f"left {joint}" for joint in ("wrist", "elbow", "shoulder", "knee", "ankle")], seed=seed)
made = {}
for kind in ("joints", "channels", "directions"):
    of_kind = [goal.target for goal in goals.values() if goal.kind == kind]
    made[kind] = maximisation.maximise(network, card, of_kind, seen.palette, steps=steps, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Pictures made to maximise joints in the middle of the picture, channels of the code, and directions of the code. Below each, its score in standard deviations over people from their mean, and in brackets that of the best person.", "name": "fig-explanations-maximised"}, "image": {"alt": "Three rows of colourful textures with hints of limbs"}}
reached = maximisation.goal_scores(network, card, torch.cat(list(made.values())), list(goals.values()), hook_point)
relative = {
    name: {"made": goal.deviations(score), "best": goal.deviations(goal.reached.max())}
    for (name, goal), score in zip(goals.items(), reached, strict=True)
}
rows = {}
for kind, drawings in made.items():
    named = [name for name, goal in goals.items() if goal.kind == kind]
    rows[kind] = [
        (p, words.maximised_label(name, relative[name])) for p, name in zip(drawings.permute(0, 2, 3, 1).numpy(), named, strict=True)
    ]
run.save_figure(plots.sheet(rows), "maximised")
plt.show()

# %% [markdown]
# {{ runs["07_explanations"].say.maximised }}
#
# ## Which people excite a channel?
#
# The figure shows, for four channels of the code, the nine people who excite the channel most, and what the deconvnet projects back to the
# pixels from its strongest cell {cite:p}`zeiler2014`. A cell of the code can depend on the whole picture; the figure shows the part around
# the middle of the projection. The picture takes part in a projection only through the places that max-pooling chose. In a network without
# max-pooling the projections of a channel look alike, whatever the picture {cite:p}`springenberg2015`.

# %% tags=["show-input"]
strongest = [int(name.split()[1]) for name, goal in goals.items() if goal.kind == "channels"][:4]
nine = [] if "deconvnet" in impossible else top_patches(network, card, coders, hook_point, strongest, count=min(9, len(coders)))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Top: for each of four channels of the code, the nine people who excite it most. Below: the deconvnet's projection from the strongest cell of each (grey is 0).", "name": "fig-explanations-patches"}, "image": {"alt": "Four blocks of three by three parts of people, and below them four blocks of grey projections with coloured edges"}}
if nine:
    run.save_figure(plots.patches(nine, [f"channel {one.channel}" for one in nine]), "patches")
    plt.show()
outlines = [sanity.likeness(np.abs(one.projections).sum(-1), sanity.steepness(one.pictures.mean(-1))) for one in nine]
excited = {f"channel {one.channel}": {"nine": one.values.mean(), "all": seen.codes[:, one.channel].amax((1, 2)).mean()} for one in nine}

# %% [markdown]
# {{ runs["07_explanations"].say.patches }}
#
# ## The verdict
#
# {{ runs["07_explanations"].say.table }}
#
# ## What this does not show
#
# A map says which pixels a number depends on, not what the network computes from them. The cascade detects maps that do not depend on what
# the upper layers learned; a map that passes can still be wrong. The intervals of this chapter are not corrected for the number of methods;
# where the ledger uses a corrected one, it says so. Deletion and insertion judge a map by pictures that are blurred in parts, which the network has never seen, and a smooth map
# does better there than a scattered one that points at the same things. Hiding one joint shows what the network relies on while everything
# else is visible; two joints that can replace each other both look unneeded. A maximised picture is one of many that excite a channel.

# %% tags=["remove-cell"]
metrics = plain(
    {
        "network": card.name,
        "rendered": rendered,
        "seen": overlap(card, crops),
        "people": len(cases),
        "methods": list(ways),
        "controls": list(controls),
        "cascade": cascade,
        "cascade, distance not taken off": {label: sanity.student_interval(values) for label, values in untaken.items()},
        "tests": tests,
        "better than edges": better,
        "better than the answer": answer_behind,
        "faults": faults,
        "targets": {
            label: sanity.mean_interval(
                np.where(found.any((1, 2)), sanity.likeness(by_target["window"], found, aspect=card.aspect), np.nan), seed=seed
            )
            for label, found in by_target.items()
            if label != "window"
        },
        "curves": {
            "shares": sanity.SHARES,
            "deletion": {label: curve.mean(0) for label, curve in deletion.items()},
            "insertion": {label: curve.mean(0) for label, curve in insertion.items()},
        },
        "gradcam": cam_tests,
        "code": hook_point,
        "dependency": dependency,
        "maximised": relative,
        "compared with": len(coders),
        "excited": excited,
        "projections like edges": sanity.mean_interval(np.concatenate(outlines), seed=seed) if nine else None,
        "refused": refused,
        "impossible": impossible,
        "seconds a map": spent,
        "seconds": time.monotonic() - started,
    }
)
run.write_metrics(metrics | {"verdicts": words.verdicts(metrics), "say": words.sentences(metrics, data)})
