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
# When the network says that a left wrist is *here*, which pixels made it say so? There are many methods that answer with a map, and most maps
# persuade: they are bright on the person and dark elsewhere. That is no evidence; a detector of edges does the same. This chapter draws the maps of six
# methods for *{{ runs["07_explanations"].say.network }}* on {{ runs["07_explanations"].say.people }}, {{ runs["07_explanations"].say.seen }}, and puts each to the
# test beside controls that explain nothing. Then it asks what maps cannot tell: which joints the network finds by which others, what its channels and components
# would like to see most, and which people come nearest to that.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
joints: list[str] = ["shoulder", "elbow", "wrist", "hip", "knee", "ankle"]  # that people are asked about, of either side
people = 32  # people whose maps are tested, each for one joint
forgotten = 12  # of them, those whose maps are compared with maps of a randomised network, one for each person
hidden = 120  # people whose joints are hidden one after the other
coded = 400  # people for the components of the code, and to compare maximised pictures with
steps = 96  # of climbing, for a maximised picture
seed = 0  # of everything drawn by chance
on_error = "raise"  # what a picture that cannot be read does: raise or skip

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
from posekit.data.augment import eval_view
from posekit.data.loading import load_batch
from posekit.data.people import iterate, parse_spec
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.errors import PosekitError
from posekit.hooks import hook_points, trace
from posekit.interpret.activations.codes import code_hook_point
from posekit.interpret.activations.walks import random_directions
from posekit.interpret.analysis.components import batches_of, moments_of, pca
from posekit.interpret.attribution import dependency as causes
from posekit.interpret.attribution import maximisation, sanity
from posekit.interpret.attribution.explain import default_layer
from posekit.interpret.attribution.patches import top_patches
from posekit.interpret.attribution.targets import answered, target
from posekit.plots import attribution as plots
from posekit.skeleton import SKELETONS
from posekit.workflow import runs
from posekit.workflow.words import seen, side_by_side, spoken

general.style()
run = runs.current()
backend = Backend.best()
started = time.monotonic()

# %% tags=["remove-cell"]
network, card = weight_files.load(weights)
backend.place(network)
skeleton, hook_point = SKELETONS[card.skeleton], code_hook_point(network)
table = held_out(data, max(people, hidden, coded), seed, on_error=on_error)
crops = posekit.crops(table, int(card.resolution * CONTEXT), on_error=on_error)
rendered = parse_spec(data)[0] == "mannequins"


# %% tags=["remove-cell"]
def listed(items):
    items = list(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def number(value, digits=2):
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if not float(text) else text.replace("-", "−")


def ranged(block, digits=2):
    """A mean with its interval, which no line break tears."""
    return f"{number(block['mean'], digits)} [{number(block['low'], digits)},\u00a0{number(block['high'], digits)}]"


# %% [markdown]
# ## What is asked
#
# A classifier has a score for each class; a network that answers with heatmaps has a whole map for each joint, and one has to say which number of it is
# to be explained. Here that is the *target*: the raw output at the map's *peak*, its mean in a *window* round the peak, the *mean* of the whole map, the
# *probability* in the window after the softmax, or the *distance* to another joint. The figure asks all five of the same people by the same method.

# %% tags=["show-input"]
cases = sanity.draw_cases(
    network, card, crops, [f"{side} {joint}" for joint in joints for side in ("left", "right")], people=people, seed=seed
)

# %% tags=["hide-input"]
pictures = (cases.pictures.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
shown = np.random.default_rng(seed).permutation(len(cases))[:5]  # people in the figures, drawn at random
LIMIT = 0.5  # a map that keeps more than this of its order when the network forgets everything does not speak of the network

# %% tags=["show-input"]
names = {"peak": "peak", "window": "window", "mean": "mean", "probability": "probability", "distance": "distance to left shoulder"}
by_target = {label: sanity.by(card, "saliency", name=name)(network, cases) for label, name in names.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The gradients (saliency) of five targets for five people who were drawn at random. The joint is named above; a cross marks where the network puts it. Each map is scaled to its own strength.", "name": "fig-explanations-targets"}, "image": {"alt": "Five people in columns, and below each five maps that are bright around the joint"}}
figure = plots.maps(
    pictures[shown],
    {"picture": None} | {label: maps[shown] for label, maps in by_target.items()},
    cases.predicted[shown],
    [cases.names[i] for i in shown],
)
run.save_figure(figure, "targets")
plt.show()

# %% [markdown]
# {{ runs["07_explanations"].say.targets }} From here on the target is the window.
#
# ## Six methods
#
# - *Saliency* {cite:p}`simonyan2014`: the gradient of the target by the pixels.
# - *Guided back-propagation* {cite:p}`springenberg2015` and the *deconvnet* {cite:p}`zeiler2014`: the same with ReLUs that let only positive
#   gradients pass, the latter regardless of what the ReLU did on the way forward.
# - *Grad-CAM* {cite:p}`selvaraju2017`: the channels of a place in the network, weighted with their mean gradient. It has as many versions as
#   there are places; three are shown.
# - *Occlusion* {cite:p}`zeiler2014`: what the target loses when a square is hidden.
# - *Integrated gradients* {cite:p}`sundararajan2017`: the gradients on the way from a blurred picture to this one.
#
# There are three controls besides. *Edges* are computed from the picture without the network, *noise* without the picture too, and the *answer* is the joint's own heatmap: it
# points at the joint as well as the network can, and explains nothing.

# %% tags=["hide-input"]
deep = network.config.depth
cams = {"code": hook_point, "skip 1": f"{hook_point.partition('.')[0]}.skip1", "sum 1": default_layer(network)}
cams = {label: layer for label, layer in cams.items() if layer in hook_points(network)}
refused = {}
for label, layer in list(cams.items()):
    try:
        sanity.by(card, "grad-cam", layer)(network, cases.take(np.arange(1)))
    except PosekitError as error:  # a small picture leaves the code a single cell
        refused[label] = str(error)
        del cams[label]

# %% tags=["show-input"]
ways = {
    "saliency": sanity.by(card, "saliency"),
    "guided backprop": sanity.by(card, "guided-backprop"),
    "deconvnet": sanity.by(card, "deconvnet"),
}
ways |= {f"Grad-CAM ({label})": sanity.by(card, "grad-cam", layer) for label, layer in cams.items()}
ways |= {"occlusion": sanity.by(card, "occlusion"), "integrated gradients": sanity.by(card, "integrated-gradients")}
controls = {"edges": sanity.edges, "noise": sanity.noise, "the answer": sanity.answer(card)}
everything = ways | controls

# %% tags=["hide-input"] mystnb={"figure": {"caption": "What each method shows for the same five people; the last two rows are controls.", "name": "fig-explanations-methods"}, "image": {"alt": "Five people in columns; in rows below them the maps of each method, some scattered, some smooth, most of them on the person"}}
spent, maps = {}, {}
for label, way in everything.items():
    begun = time.monotonic()
    maps[label] = way(network, cases)
    spent[label] = (time.monotonic() - begun) / len(cases)

figure = plots.maps(
    pictures[shown],
    {"picture": None} | {label: found[shown] for label, found in maps.items() if label != "noise"},
    cases.predicted[shown],
    [cases.names[i] for i in shown],
)
run.save_figure(figure, "methods")
plt.show()

# %% [markdown]
# ## Put to the test
#
# 1. *Randomisation* {cite:p}`adebayo2018`. The network forgets what it learned, from its head downwards; each part is set back to random weights. A map that
#    speaks of the network has to change. Measured is Spearman's correlation of the map's strength, cell by cell, with the trained network's map, given the
#    distance from the place that was asked about: a question about a place in a heatmap hangs on the pixels near by in any network, a random one too. A method whose
#    correlation is still above {{ runs["07_explanations"].say.limit }} when all is forgotten, with its interval, *fails*; where the interval holds that limit, it is undecided.
#    Random weights are drawn anew for each of {{ runs["07_explanations"].say.forgotten }} people, and the interval is Student's: over so few, a bootstrap's is too narrow.
# 2. *The other side.* Asked about the same joint of the other side, a method should answer with another map.
# 3. *Deletion and insertion* {cite:p}`petsiuk2018`. The cells at which the map points most are blurred away first, or brought back first from a blurred
#    picture. The score is the probability of the joint where the network put it; the area under its curve, as a share of the score of the whole picture, is small for deletion and large
#    for insertion if the map points at what the network uses.
# 4. *Pointing* {cite:p}`zhang2018`. Does the map's peak lie within a fifth of the torso's length of the true joint?
# 5. {{ runs["07_explanations"].say.limbs }}

# %% tags=["show-input"]
levels = sanity.cascade(network)
fewer = cases.take(np.arange(min(forgotten, len(cases))))
first, *_, last = levels
kept, untaken = {}, {}
for label, forgetful in sanity.randomisation(network, fewer, everything, levels, seed=seed).items():
    known = maps[label][: len(fewer)]
    kept[label] = {level: sanity.student_interval(sanity.likeness(known, found, fewer.predicted)) for level, found in forgetful.items()}
    untaken[label] = sanity.student_interval(sanity.likeness(known, forgetful[last]))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How alike the maps of a network that forgets stay to those of the trained one, with 95 % intervals over people. Each part is forgotten in addition to those before it. Grey: controls. Dotted: the limit above which, at the right end, a method fails.", "name": "fig-explanations-cascade"}, "image": {"alt": "Lines that begin at one and fall as more of the network is randomised, some of them steeply, a grey line staying at one"}}
run.save_figure(plots.cascade({label: blocks for label, blocks in kept.items() if label != "noise"}, list(controls), LIMIT), "cascade")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The method that changes least when the network forgets everything, for the same five people. Below the picture, its maps of the trained network; at the bottom, those of a network that never learned anything.", "name": "fig-explanations-failing"}, "image": {"alt": "Five people, and below each two maps that look much alike"}}
stubborn = max(ways, key=lambda label: kept[label][last]["mean"])
blank = sanity.randomised(network, levels[last], seed)
rows = {
    "picture": None,
    f"{stubborn},\ntrained": maps[stubborn][shown],
    f"{stubborn},\nrandom weights": ways[stubborn](blank, cases.take(shown)),
}
run.save_figure(plots.maps(pictures[shown], rows, cases.predicted[shown], [cases.names[i] for i in shown]), "failing")
plt.show()

# %% tags=["show-input"]
other = sanity.counterparts(network, card, cases)
across = {label: sanity.likeness(maps[label], way(network, other)) for label, way in everything.items()}
deletion, insertion = {}, {}
for label, found in maps.items():
    deletion[label], insertion[label] = sanity.curves(network, card, cases, found, backend)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How sure the network stays of the joint while the picture is taken away (left) or brought back (right), cell by cell in the order of each map; means over people. Grey: controls.", "name": "fig-explanations-removal"}, "image": {"alt": "Curves that fall on the left and rise on the right, close together, those of the controls among them"}}
whole = deletion["edges"][:, 0]
points = {label: sanity.pointing(found, cases.truth, cases.torsos) for label, found in maps.items()}
masks = sanity.limb_masks(sanity.silhouettes(crops, cases.rows, card.resolution), cases.joints) if rendered else None
limbs = {label: sanity.share_within(found, masks) for label, found in maps.items()} if rendered else {}

run.save_figure(plots.removal(sanity.SHARES, deletion, insertion, list(controls)), "removal")
plt.show()

# %% tags=["hide-input"]
tests = {}
for label in everything:
    tests[label] = {
        "head": kept[label][first],
        "randomised": kept[label][last],
        "other side": sanity.mean_interval(across[label], seed=seed),
        "deletion": sanity.mean_interval(sanity.area(deletion[label]), whole, seed=seed),
        "insertion": sanity.mean_interval(sanity.area(insertion[label]), whole, seed=seed),
        "pointing": sanity.mean_interval(points[label], seed=seed),
    } | ({"on limbs": sanity.mean_interval(limbs[label], seed=seed)} if rendered else {})
better = {  # than the detector of edges, on the same people
    label: {
        "deletion": sanity.mean_interval(sanity.area(deletion["edges"]) - sanity.area(deletion[label]), whole, seed=seed),
        "insertion": sanity.mean_interval(sanity.area(insertion[label]) - sanity.area(insertion["edges"]), whole, seed=seed),
    }
    for label in everything
    if label != "edges"
}
failed = [label for label in ways if tests[label]["randomised"]["low"] >= LIMIT]
unsure = [label for label in ways if tests[label]["randomised"]["low"] < LIMIT <= tests[label]["randomised"]["high"]]
no_better = [label for label in ways if not (better[label]["deletion"]["low"] > 0 or better[label]["insertion"]["low"] > 0)]


def fate(label):
    if label in controls:
        return "control"
    faults = {"random weights": failed, "random weights undecided": unsure, "not clearly better than edges": no_better}
    return ", ".join(fault for fault, labels in faults.items() if label in labels) or "nothing here"


headings = {
    "head": "random head",
    "randomised": "random weights",
    "other side": "other side",
    "deletion": "deletion",
    "insertion": "insertion",
    "pointing": "points at the joint",
    "on limbs": "on its limbs",
}
rows = [
    {"": f"{label}: {fate(label)}".removesuffix(": nothing here")} | {headings[test]: ranged(block) for test, block in blocks.items()}
    for label, blocks in tests.items()
]
pd.DataFrame(rows).style.hide().set_caption(
    "Each method in each test, with 95 % intervals over people; behind its name what speaks against it. Random head, random weights and other side: rank correlations of maps, low is good; deletion: low is good; the rest: high is good."
)

# %% [markdown]
# {{ runs["07_explanations"].say.tests }}
#
# {{ runs["07_explanations"].say.controls }}
#
# ## Grad-CAM, from the code to the head
#
# Grad-CAM's maps are as coarse as the place that they are taken at, and the nearer that is to the head, the more they are simply the answer: at the features
# before the last 1 × 1 convolution, Grad-CAM's weights are that convolution's, up to a factor, and its map is what is positive of the joint's raw map.

# %% tags=["hide-input"]
inner = hook_point.partition(".")[0]
wanted = (
    [f"{inner}.skip{level}" for level in (1, deep)]
    + [f"{inner}.encoder{deep - 1}", hook_point]
    + [f"{inner}.sum{level}" for level in range(deep, 0, -1)]
    + [f"{inner}.features"]
)

# %% tags=["show-input"]
by_place = {}
for layer in wanted:
    if layer in hook_points(network):
        try:
            by_place[layer] = sanity.by(card, "grad-cam", layer)(network, cases)
        except PosekitError as error:
            refused[layer] = str(error)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Grad-CAM at two skip connections, then from the last encoder but one to the head, for the same five people.", "name": "fig-explanations-gradcam"}, "image": {"alt": "Five people, and below each maps that are coarse blotches in the upper rows and a spot on the joint in the lowest"}}
label_of = {layer: layer.partition(".")[2] for layer in by_place}
figure = plots.maps(
    pictures[shown],
    {"picture": None} | {label_of[layer]: found[shown] for layer, found in by_place.items()},
    cases.predicted[shown],
    [cases.names[i] for i in shown],
)
run.save_figure(figure, "gradcam")
plt.show()
cam_tests = {
    layer: {
        "pointing": sanity.mean_interval(sanity.pointing(found, cases.truth, cases.torsos), seed=seed),
        "like the answer": sanity.mean_interval(sanity.likeness(found, maps["the answer"]), seed=seed),
        "empty": float((np.ptp(found.reshape(len(found), -1), axis=1) == 0).mean()),
    }
    for layer, found in by_place.items()
}

# %% [markdown]
# {{ runs["07_explanations"].say.gradcam }}
#
# ## Which joint is found by which other?
#
# Maps speak of pixels. To know whether a joint is found by the others, hide it and see what moves: a square over the joint, four tenths of the torso's length
# wide, is blurred away, and the answer is compared with that to the whole picture. Equally large squares elsewhere on the same person, about as far from the joint
# that moves, are the control: a disturbance near by moves a joint whatever it covers. What the joint's own square does beyond them is the effect. Pairs that lie so close that one
# square covers both are not counted.

# %% tags=["show-input"]
depends = causes.dependency(network, card, crops.select(np.arange(min(hidden, len(crops)))), seed=seed, backend=backend)
effect = causes.summary(depends.effect, seed=seed)
plain = causes.summary(depends.moved, seed=seed)
sure = (effect["low"] > 0) | (effect["high"] < 0)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The joint-dependency matrix: how far, in hundredths of the torso's length, hiding a joint (row) moves the answer for another (column) beyond what hiding another part of the person does. Pale: the 95 % interval over people holds 0. Blank: too few people in whom the two lie apart.", "name": "fig-explanations-dependency"}, "image": {"alt": "A square table, dark along the diagonal and pale elsewhere, with a few stronger cells beside the diagonal"}}
run.save_figure(plots.dependency(effect["mean"], sure, skeleton, "moves"), "dependency")
plt.show()

# %% tags=["hide-input"]
counted = np.isfinite(effect["mean"]) & ~np.eye(len(skeleton), dtype=bool)
near = causes.agreement(depends.effect, -causes.hops(skeleton), seed=seed)
back = causes.agreement(depends.effect, depends.effect.swapaxes(1, 2), seed=seed)
mirrored = np.array(skeleton.mirrored)
paired = np.flatnonzero(mirrored != np.arange(len(skeleton)))
others = np.where(np.eye(len(skeleton), dtype=bool), np.nan, depends.effect)
influence = {
    joint: sanity.mean_interval(np.nansum(others[:, k], 1), np.isfinite(others[:, k]).sum(1), seed=seed)
    for k, joint in enumerate(skeleton.joints)
}
influence = {
    joint: {key: 100 * block[key] for key in ("mean", "low", "high")}
    for joint, block in influence.items()
    if block["people"] and np.isfinite(block["mean"])
}
leaders = sorted(influence, key=lambda joint: -influence[joint]["mean"])
twin = depends.effect[:, paired, mirrored[paired]]
twins = sanity.mean_interval(np.nansum(twin, 1), np.isfinite(twin).sum(1), seed=seed)

# %% [markdown]
# {{ runs["07_explanations"].say.dependency }}
#
# ## What would it like to see?
#
# Pictures that nobody took, made by climbing the gradient until a target is as large as can be {cite:p}`simonyan2014`: for joints in the middle of the
# picture, for channels of the code, and for directions of the code, among them the principal components of [the chapter on codes](05_components). The pictures are sums of waves that are
# weaker the finer they are, in the colours of the people's pictures, and each step sees them moved and turned a little {cite:p}`olah2017`; without that they are noise.

# %% tags=["hide-input"]
chosen = np.arange(min(coded, len(crops)))
views, codes, raws, cells = [], [], [], []
for part in iterate(len(chosen), 32):
    batch = eval_view(*load_batch(crops, chosen[part]), card.resolution)[0].to(backend.device)
    with torch.no_grad(), trace(network, [hook_point]) as activations:
        raws.append(network(card.centred(batch))[:, -1].float().cpu())
    codes.append(activations[hook_point].float().cpu())
    cells.append(answered(network, card, batch)[1])
    views.append(batch.cpu())
codes, raws, cells = torch.cat(codes), torch.cat(raws), torch.cat(cells)
components = pca(moments_of(batches_of(codes.flatten(1).numpy())), 4)
strongest = codes.mean((2, 3)).std(0).argsort(descending=True)[:5].tolist()
kinds = [name for name in ("left wrist", "left elbow", "left shoulder", "left knee", "left ankle") if name in skeleton.joints]
goals, reached = {}, {}
for name in kinds:
    goals[name] = target("window", name, card, maximisation.middle(card))
    reached[name] = target("window", name, card, cells[:, skeleton.joints.index(name)]).of(raws).numpy()
for channel in strongest:
    goals[f"channel {channel}"] = maximisation.channel(hook_point, channel)
    reached[f"channel {channel}"] = goals[f"channel {channel}"].of(codes).numpy()
vectors = {f"component {c + 1}": components.directions[c].astype(np.float32) for c in range(len(components))}
vectors["random direction"] = random_directions(1, components.directions, components.variances, seed=seed)[0]
for name, vector in vectors.items():
    goals[name] = maximisation.direction(name, hook_point, vector, components.mean)
    reached[name] = goals[name].of(codes).numpy()
palette = maximisation.colours(torch.cat(views[:2]))

# %% tags=["show-input"]
made = torch.cat(
    [
        maximisation.maximise(network, card, [goals[name] for name in part], palette, steps=steps, seed=seed)
        for part in (kinds, [f"channel {c}" for c in strongest], list(vectors))
    ]
)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Pictures made to maximise joints in the middle of the picture, channels of the code, and directions of the code. Below each, its score in standard deviations over people from their mean, and in brackets that of the best person.", "name": "fig-explanations-maximised"}, "image": {"alt": "Three rows of colourful textures with hints of limbs"}}
with torch.no_grad(), trace(network, [hook_point]) as activations:
    raw = network(card.centred(made.to(backend.device)))[:, -1].float().cpu()
made_codes = activations[hook_point].float().cpu()
scores = {name: float(goal.of((raw if goal.hook_point is None else made_codes)[i : i + 1])) for i, (name, goal) in enumerate(goals.items())}
relative = {
    name: {
        "made": (scores[name] - reached[name].mean()) / reached[name].std(),
        "best": (reached[name].max() - reached[name].mean()) / reached[name].std(),
    }
    for name in goals
}

drawn = made.permute(0, 2, 3, 1).numpy()
captions = {name: f"{name}\n{number(block['made'], 1)} sd ({number(block['best'], 1)})" for name, block in relative.items()}
order = list(goals)
rows = {"joints": kinds, "channels": [f"channel {c}" for c in strongest], "directions": list(vectors)}
run.save_figure(
    plots.sheet({title: [(drawn[order.index(name)], captions[name]) for name in row] for title, row in rows.items()}), "maximised"
)
plt.show()

# %% [markdown]
# {{ runs["07_explanations"].say.maximised }}
#
# ## Who excites a channel?
#
# For four channels of the code, the nine people who excite them most, and what the deconvnet projects back to the pixels from that channel's strongest cell
# {cite:p}`zeiler2014`. A cell of the code could see the whole picture; shown is the part round the middle of the projection.

# %% tags=["show-input"]
nine = top_patches(network, card, crops.select(chosen), hook_point, strongest[:4], count=min(9, len(chosen)))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Top, the nine people who excite a channel of the code most; below, the deconvnet's projection of that cell for each (grey is nothing).", "name": "fig-explanations-patches"}, "image": {"alt": "Four blocks of three by three parts of people, and below them four blocks of grey projections with coloured edges"}}
run.save_figure(plots.patches(nine, [f"channel {one.channel}" for one in nine]), "patches")
plt.show()
outlines = np.concatenate([sanity.likeness(np.abs(one.projections).sum(-1), sanity.steepness(one.pictures.mean(-1))) for one in nine])
outlines = sanity.mean_interval(outlines, seed=seed)

# %% [markdown]
# {{ runs["07_explanations"].say.patches }}
#
# ## The verdict
#
# {{ runs["07_explanations"].say.table }}
#
# ## What this does not show
#
# A map says which pixels a number hangs on, not what the network makes of them. Deletion and insertion judge a map by pictures that are blurred in places, which
# the network has never seen, and a smooth map does better there than a scattered one that points at the same things. The randomisation test can be passed by a
# map that is wrong: it only finds those that do not speak of the network. Hiding shows what the network leans on in
# pictures where everything else is in place; two joints that can stand in for each other will both look unneeded. And the maximised pictures show the
# strongest wish of a channel, one of many.


# %% tags=["remove-cell"]
def target_words():
    rest = {
        label: sanity.mean_interval(sanity.likeness(by_target["window"], found), seed=seed)
        for label, found in by_target.items()
        if label != "window"
    }
    parts = [f"{label} {ranged(block)}" for label, block in sorted(rest.items(), key=lambda item: -item[1]["mean"])]
    return f"How much does the choice matter? The rank correlation of each map with that of the window, over {len(cases)} people: {', '.join(parts)}."


def test_words():
    order = sorted(ways, key=lambda label: tests[label]["randomised"]["mean"])
    text = f"With random weights, {order[0]} keeps least of its order, {ranged(tests[order[0]]['randomised'])}, and {order[-1]} most, {ranged(tests[order[-1]]['randomised'])}. "
    text += f"Above {number(LIMIT, 1)}, and so failing: {listed(failed)}. " if failed else "No method fails the randomisation test. "
    text += f"Undecided: {listed(unsure)}. " if unsure else ""
    blind = sorted(ways, key=lambda label: -tests[label]["head"]["mean"])
    text += f"Already with the head forgotten nothing in the network knows any more which joint is asked about; yet {blind[0]} then keeps {ranged(tests[blind[0]]['head'])}, {blind[-1]} {ranged(tests[blind[-1]]['head'])}. "
    plain_most = max(ways, key=lambda label: untaken[label]["mean"])
    text += f"Without taking the distance off, maps of random networks look more alike than they are: {plain_most} {ranged(untaken[plain_most])}. "
    best = {test: ways_by(test) for test in ("deletion", "insertion", "pointing")}
    text += f"In deletion {best['deletion'][0]} does best, {ranged(tests[best['deletion'][0]]['deletion'])}, in insertion {best['insertion'][0]}, {ranged(tests[best['insertion'][0]]['insertion'])}; "
    text += f"{best['pointing'][0]} points best, {spoken(tests[best['pointing'][0]]['pointing'])}."
    if "code" in refused:
        text += (
            f" Grad-CAM cannot be asked at the code, {hook_point}: at this resolution it has a single cell, and so no place to point at."
        )
    return text


def ways_by(test):
    """Methods, best first."""
    return sorted(ways, key=lambda label: tests[label][test]["mean"] * (1 if test == "deletion" else -1))


def control_words():
    answer = tests["the answer"]
    text = f"The controls put this into proportion. The joint's own heatmap points at {spoken(answer['pointing'])} of the joints and reaches {ranged(answer['deletion'])} in deletion and {ranged(answer['insertion'])} in insertion"
    lead = {
        label: sanity.mean_interval(sanity.area(deletion["the answer"]) - sanity.area(deletion[label]), whole, seed=seed) for label in ways
    }
    ahead = [f"{label} (by {ranged(block)})" for label, block in lead.items() if block["low"] > 0]
    text += (
        f"; clearly ahead of it in deletion {'is' if len(ahead) == 1 else 'are'} {listed(ahead)}. "
        if ahead
        else "; no method is clearly ahead of it in deletion. "
    )
    text += (
        f"Not clearly better than edges, neither in deletion nor in insertion, by 95 % intervals of the difference on the same people: {listed(no_better)}."
        if no_better
        else "Every method does better than edges in deletion or in insertion, the 95 % interval of the difference on the same people above 0."
    )
    sides = [label for label in ways if tests[label]["other side"]["low"] > LIMIT]
    if sides:
        text += f" Asked about the other side's joint, {listed(sides)} {'answers' if len(sides) == 1 else 'answer'} with much the same map: the rank correlation is above {number(LIMIT, 1)}."
    return text


def cam_words():
    best = max(by_place, key=lambda layer: cam_tests[layer]["pointing"]["mean"])
    parts = [f"{label_of[layer]} {spoken(block['pointing'])} ({ranged(block['like the answer'])})" for layer, block in cam_tests.items()]
    empty = [f"{label_of[layer]} {100 * block['empty']:.0f} %" for layer, block in cam_tests.items() if block["empty"] > 0.05]
    text = f"The share of people in whom its peak lies on the joint, by place, and in brackets how its map correlates with the answer's: {'; '.join(parts)}. "
    text += f"Best is {label_of[best]}." if cam_tests[best]["pointing"]["low"] > 0 else "None of them points clearly."
    if empty:
        text += f" Sometimes nothing positive is left, and the map is empty: {', '.join(empty)}."
    return text


def strongest_pairs(count=4):
    values = np.where(counted & (effect["low"] > 0), effect["mean"], -np.inf)
    best = [np.unravel_index(i, values.shape) for i in np.argsort(-values, axis=None)[:count]]
    return [(a, b) for a, b in best if np.isfinite(values[a, b])]


def pair_words(a, b):
    block = {key: 100 * effect[key][a, b] for key in ("mean", "low", "high")}
    return f"{skeleton.joints[a]} hidden, {skeleton.joints[b]} moves {ranged(block, 0)}"


def agreement_words(block):
    return "too few pairs" if block["mean"] is None else f"{ranged(block)}, p = {block['p']:.2g}, {block['pairs']} pairs"


own = np.diag(effect["mean"])
up = int((counted & (effect["low"] > 0)).sum())
down = int((counted & (effect["high"] < 0)).sum())


def dependency_words():
    text = (
        f"Hidden itself, a joint moves by {number(100 * np.nanmedian(own), 0)} hundredths of the torso beyond the control (median of the joints; {number(100 * np.nanmedian(np.diag(plain['mean'])), 0)} without taking it off). "
        if np.isfinite(own).any()
        else ""
    )
    text += f"Of {counted.sum()} pairs of different joints, {up} have an effect with an interval above 0 and {down} one below: for those, other parts of the person matter more. "
    if leaders:
        text += f"Which joint do the others hang on? By how much hiding a joint moves the others on average, in hundredths of the torso beyond the control: {'; '.join(f'{joint} {ranged(influence[joint], 1)}' for joint in leaders[:4])}; least {leaders[-1]} {ranged(influence[leaders[-1]], 1)}. "
    pairs = strongest_pairs()
    if pairs:
        text += f"Strongest, in hundredths of the torso: {'; '.join(pair_words(a, b) for a, b in pairs)}. "
    text += f"The effect on the counterpart of the other side is {ranged({key: 100 * twins[key] for key in ('mean', 'low', 'high')}, 1)}. "
    text += (
        f"Effects fall with the number of limbs between two joints (rank correlation with closeness {agreement_words(near)}); "
        if near["mean"] is not None and near["low"] > 0 and near["p"] < 0.05
        else f"Closeness along the limbs does not clearly order the effects (rank correlation {agreement_words(near)}); "
    )
    return text + f"what A does to B goes with what B does to A by {agreement_words(back)}."


beyond = [name for name, block in relative.items() if block["made"] > block["best"]]


def maximised_words():
    falls = [name for name in goals if name not in beyond]
    text = f"{len(beyond)} of {len(goals)} made pictures excite their target more than any of {len(chosen)} people. "
    if falls:
        text += f"Not so: {listed(falls)}. "
    along = [relative[name]["made"] for name in vectors if name != "random direction"]
    text += f"Along the components they reach {number(min(along), 1)} to {number(max(along), 1)} standard deviations, along a random direction {number(relative['random direction']['made'], 1)}. "
    if min(along) > 3:
        text += "Codes like these lie outside of where people are: the pictures say what the network could be driven to, not what it usually sees."
    return text


def patch_words():
    parts = []
    for one in nine:
        spread = codes[:, one.channel].amax((1, 2))
        parts.append(f"channel {one.channel}: {number(float(one.values.mean()), 1)} (all people: {number(float(spread.mean()), 1)})")
    text = f"Mean of the nine strongest values and of everybody's: {'; '.join(parts)}. The projections look telling. But how much of them is the picture's edges? Their strength goes with those by a rank correlation of {ranged(outlines)} over the {outlines['people']} people shown, "
    return text + f"and what the table above has against the deconvnet ({fate('deconvnet')}) tells how far to trust them."


verdict = {"Network": f"{card.name}, {len(cases)} people, each asked about one joint"}
for label in ways:
    block = tests[label]
    verdict[f"{label}: random head, random weights, deletion, insertion"] = "; ".join(
        ranged(block[test]) for test in ("head", "randomised", "deletion", "insertion")
    )
verdict |= {
    "Fail the randomisation test": listed(failed) if failed else "none",
    "Undecided in it": listed(unsure) if unsure else "none",
    "Not clearly better than a detector of edges in deletion or insertion": listed(no_better) if no_better else "none",
    "Best in deletion": f"{ways_by('deletion')[0]}, {ranged(tests[ways_by('deletion')[0]]['deletion'])}; the answer's own heatmap {ranged(tests['the answer']['deletion'])}",
    "Best in insertion": f"{ways_by('insertion')[0]}, {ranged(tests[ways_by('insertion')[0]]['insertion'])}; the answer's own heatmap {ranged(tests['the answer']['insertion'])}",
    "Best at pointing": f"{ways_by('pointing')[0]}, {spoken(tests[ways_by('pointing')[0]]['pointing'])}; the answer's own heatmap {spoken(tests['the answer']['pointing'])}",
    "Pairs of joints with an effect beyond the control": f"{up} of {counted.sum()}, by {len(depends.effect)} people",
    "Joints whose hiding moves the others most (hundredths of the torso, mean)": "; ".join(
        f"{joint} {ranged(influence[joint], 1)}" for joint in leaders[:3]
    )
    or "none",
    "Strongest pair (hundredths of the torso)": pair_words(*strongest_pairs(1)[0]) if strongest_pairs(1) else "none",
    "Effects go with closeness along the limbs": agreement_words(near),
    "Made pictures beyond any person": f"{len(beyond)} of {len(goals)}",
}
run.write_metrics(
    {
        "people": len(cases),
        "tests": tests,
        "kept": kept,
        "kept, distance not taken off": untaken,
        "better than edges": better,
        "targets": {
            label: sanity.mean_interval(sanity.likeness(by_target["window"], found), seed=seed) for label, found in by_target.items()
        },
        "curves": {
            "shares": sanity.SHARES,
            "deletion": {label: curve.mean(0) for label, curve in deletion.items()},
            "insertion": {label: curve.mean(0) for label, curve in insertion.items()},
        },
        "gradcam": cam_tests,
        "dependency": {
            "joints": skeleton.joints,
            "people": len(depends.effect),
            "effect": effect,
            "moved": plain["mean"],
            "on the others": influence,
            "closeness": near,
            "both ways": back,
            "other side": twins,
        },
        "maximised": relative,
        "projections like edges": outlines,
        "refused": refused,
        "seconds a map": spent,
        "verdicts": verdict,
        "seconds": time.monotonic() - started,
        "say": {
            "network": card.name,
            "people": f"{len(cases):,} {'mannequins' if rendered else 'people'}",
            "seen": seen(card, crops),
            "limit": number(LIMIT, 1),
            "forgotten": f"{len(fewer)}",
            "limbs": "*On its limbs*. How much of the map lies on the visible limbs that end in the joint, whose true silhouettes mannequins have?"
            if rendered
            else "Where the limbs truly are is known of mannequins only, and asked in that edition.",
            "targets": target_words(),
            "tests": test_words(),
            "controls": control_words(),
            "gradcam": cam_words(),
            "dependency": dependency_words(),
            "maximised": maximised_words(),
            "patches": patch_words(),
            "table": side_by_side("07_explanations", data, verdict),
        },
    }
)
