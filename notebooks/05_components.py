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
# # What is in a code?
#
# At its narrowest place the hourglass keeps {{ runs["05_components"].say.dimensions }} numbers of a person: the *code*. The study that this book re-does
# looked at codes by their principal components, found that 541 of 4,096 hold 95 % of the variance, looked at the people who have much or
# little of each, and said: the first component is sitting versus standing. This chapter asks the same of
# {{ runs["05_components"].say.people }}, at {{ runs["05_components"].say.place }} of *{{ runs["05_components"].say.network }}*,
# {{ runs["05_components"].say.seen }}, and puts a number to each answer: how many directions there are, whether other people would have given the same ones,
# what they go with, and what becomes of the network's answer when a code is moved along them.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
stack = -1  # whose code: the first stack is 0, the last -1
layer: str | None = None  # another activation than the code: stack0.encoder4, say
components = 20  # principal components to look at
people = 2000  # at most so many people, drawn at random
permutations = 20  # of the codes, for the noise floor
halvings = 10  # of the people, for the stability
walked: list[str] = ["upright", "lean", "sitting", "arm elevation", "facing"]  # attributes whose probe's direction is walked
walkers = 32  # people whose codes are moved
controls = 20  # random directions that they are moved along as well; by fewer than 20 nothing is judged
step = 2.0  # standard deviations that they are moved, either way
seed = 0  # of everything drawn by chance
on_error = "raise"  # what a picture that cannot be read does: raise or skip

# %% tags=["remove-cell"]
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import posekit
from posekit import metrics, plots
from posekit.coordinates import CONTEXT, transform_keypoints
from posekit.data import held_out
from posekit.data.augment import eval_view
from posekit.data.loading import load_batch
from posekit.data.mannequins import POSTURES
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.prediction import by_modules, predict_crops
from posekit.errors import PosekitError
from posekit.interpret.activations import ablation, walks
from posekit.interpret.activations.codes import code_hook_point
from posekit.interpret.analysis import neighbours, probes
from posekit.interpret.analysis.attributes import attributes, factors, usable
from posekit.interpret.analysis.attributes import table as attribute_table
from posekit.interpret.analysis.components import batches_of, count_above_floor, jackknife, moments_of, noise_floor, pca, stability
from posekit.interpret.analysis.probes import Direction
from posekit.plots import components as draw
from posekit.plots import meaning
from posekit.plots.slider import slider, strip
from posekit.skeleton import SKELETONS
from posekit.workflow import runs
from posekit.workflow.words import seen, side_by_side

plots.style()
run = runs.current()
backend = Backend.best()
started = time.monotonic()

# %% tags=["remove-cell"]
network, card = weight_files.load(weights)
hook_point = layer or code_hook_point(network, stack)
skeleton = SKELETONS[card.skeleton]
table = held_out(data, people, seed, on_error=on_error)
crops = posekit.crops(table, int(card.resolution * CONTEXT), on_error=on_error)
table, count = crops.people, len(crops)

# %% tags=["show-input"]
# One pass gives codes and answers.
passed = []
with posekit.edit(network, {hook_point: lambda activation, name: passed.append(activation.flatten(1).float().cpu())}):
    predicted = predict_crops(network, card, crops, backend=backend, network=by_modules(network, backend))[stack]
codes = torch.cat(passed).numpy()

# %% tags=["hide-input"]
dimensions = codes.shape[1]
every = pca(moments_of(batches_of(codes)))
k = min(components, len(every), count // 2 - 1)
if k < 2:
    raise PosekitError(f"{count} people are too few to look for components: take at least 6, 100 to learn anything")
found = every.first(k)
scores = every.transform(codes)
answer = np.concatenate([predicted[..., :2], np.full((count, len(skeleton), 1), 2.0)], -1)  # every joint as if it were labelled
answer = np.stack([transform_keypoints(crops.matrices[i], answer[i]) for i in range(count)])  # in crop pixels


# %% tags=["remove-cell"]
def number(value, digits=2):
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if not float(text) else text.replace("-", "−")


def spoken(block, digits=2):
    """A mean with its interval."""
    return f"{number(block['mean'], digits)} [{number(block['low'], digits)}, {number(block['high'], digits)}]"


def listed(items):
    items = list(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


# %% [markdown]
# ## How many directions does a code have?
#
# A principal component always takes some of the variance, in pure noise too. What noise would take is found by *parallel analysis*
# {cite:p}`horn1965`, here by permutation {cite:p}`buja1992`: every number of the code is permuted among people, which leaves each number as it was and breaks all ties between
# them, and the components of that are computed. Of {{ runs["05_components"].say.permutations }} such spectra the 95 % quantile is the noise floor.

# %% tags=["show-input"]
floor = noise_floor(codes, permutations=permutations, seed=seed)
real = count_above_floor(every.spectrum, floor)
needed = every.components_for(0.95)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, the share of the variance that each principal component holds, and what components of permuted codes hold. Dots: the components that this chapter looks at. Right, how much the first ones hold together.", "name": "fig-scree"}, "image": {"alt": "A steeply falling curve that crosses a flat one, beside a rising curve that reaches 95 percent"}}
sizes = jackknife(
    codes,
    {
        "participation ratio": lambda c: c.participation_ratio,
        "needed for 95 %": lambda c: c.components_for(0.95),
        "above the noise floor": lambda c: count_above_floor(c.spectrum, floor),
    },
    min(20, count // 2),
    seed,
)
run.save_figure(draw.scree(every.spectrum, floor, k, real, needed), "scree")
plt.show()

# %% [markdown]
# **{{ runs["05_components"].say.needed }}** components hold 95 % of the variance, {{ runs["05_components"].say.needed_share }} of all there could be; in the
# study it was 541 of 4,096, 13 %. But that number mostly counts noise: only **{{ runs["05_components"].say.above }}** stand
# above the floor, and they hold {{ runs["05_components"].say.above_share }} of the variance. The *participation ratio*, the number of equally strong directions that would have
# the same ratio of the squared sum of variances to the sum of their squares, is {{ runs["05_components"].say.participation }}. Brackets are 95 % intervals over people.
#
# ## Would other people have given the same?
#
# The people are halved at random, components are computed from each half, and matched. If a component is a property of the network and not of
# the sample, the halves agree.

# %% tags=["show-input"]
halves = stability(codes, k, splits=halvings, seed=seed)
agreed = halves.cosines.mean(0)
named = agreed >= 0.9  # by component: those that get a name below

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Agreement of two random halves of the people. Left, component by component, after matching: 1 is the same direction. Right, the largest angle between the spaces that the first components span: small wherever components merely change places. Bands span all halvings; dashed is what random directions would do.", "name": "fig-stability"}, "image": {"alt": "Cosines that fall from one, and angles that rise, over the number of the component"}}
run.save_figure(draw.stability(halves.cosines, halves.angles, halves.chance_cosines, halves.chance_angles), "stability")
plt.show()

# %% [markdown]
# {{ runs["05_components"].say.stable }} A component that does not come back in another half should not be given a name; the space that
# several span may come back all the same.
#
# ## What does a component go with?
#
# For each person *attributes* of the pose are computed from the annotated keypoints, which neither the network nor the components were given here.
# {{ runs["05_components"].say.attributes }} Whoever lacks the joints that an attribute needs is left out of it.

# %% tags=["hide-input"]
rendered = bool(table.factors)
wanted = attributes(table.keypoints, table.skeleton, table.boxes) | factors(table)
if rendered:
    kind = table.factors["posture"].astype(int)
    pair = [POSTURES.index("sitting"), POSTURES.index("standing")]
    wanted["true posture: sitting, not standing"] = np.where(np.isin(kind, pair), (kind == pair[0]).astype(float), np.nan)
values, refused = usable(wanted)
if not values:
    raise PosekitError(f"{data}: no attribute is defined for enough of {count} people; take more ({next(iter(refused.values()))})")
measurable = [name for name in attributes(np.zeros((1, len(skeleton), 3)), skeleton) if name in values and name != "labelled joints"]

# %% tags=["show-input"]
related = probes.correlations(scores[:, :k], values)
r = related.pivot(index="attribute", columns="component", values="r").loc[list(values)]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Pearson's correlation of the first components' scores with each attribute; the strong ones are written out. A component's sign is arbitrary.", "name": "fig-correlations"}, "image": {"alt": "A matrix of coloured cells, most of them pale, with a few strong ones in the first columns"}}
strongest = r.abs().idxmax()  # by component


def tie(component, attribute):
    """The correlation of a component with an attribute, with its interval; of its absolute value."""
    row = related[(related["component"] == component) & (related["attribute"] == attribute)].iloc[0]
    ends = sorted((abs(row["low"]), abs(row["high"]))) if row["low"] * row["high"] > 0 else (0.0, max(abs(row["low"]), abs(row["high"])))
    return {"mean": abs(row["r"]), "low": ends[0], "high": ends[1], "people": int(row["people"])}


run.save_figure(meaning.correlations(related, components=min(k, 10)), "correlations")
plt.show()

# %% tags=["hide-input", "hide-output"] mystnb={"code_prompt_show": "Show the {type}", "code_prompt_hide": "Hide the {type}"}
shown = attribute_table(values)
shown.style.hide().format({name: "{:.2f}" for name in ("5 %", "median", "95 %")})

# %% [markdown]
# {{ runs["05_components"].say.first }}
#
# ### Is the first component sitting versus standing?
#
# The attribute *sitting* is 0 where the thighs continue the trunk and 1 where they are at right angles to it.
# {{ runs["05_components"].say.sitting }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Where people of different postures lie along the first component and along the one that goes most with sitting. If the first were sitting versus standing, the curves of the two would lie apart on the left.", "name": "fig-groups"}, "image": {"alt": "Overlapping density curves of people who stand, sit, and are upside down"}}
sitting_known = "sitting" in values
if sitting_known:
    best_for_sitting = int(r.loc["sitting"].abs().idxmax())
    upside = np.nan_to_num(values.get("upside down", np.zeros(count))) > 0
    lots = {"legs straight": (values["sitting"] < 0.2) & ~upside, "sitting": (values["sitting"] > 0.7) & ~upside, "upside down": upside}
    lots = {name: mask for name, mask in lots.items() if mask.sum() >= 10}
    axes = {f"component {c}": scores[:, c - 1] for c in dict.fromkeys((1, best_for_sitting))}
    if lots:
        run.save_figure(draw.groups(axes, lots), "groups")
        plt.show()

# %% [markdown]
# ## What can be read from a code?
#
# An attribute need not lie along one component. A *linear probe* (ridge regression) reads it from the first
# {{ runs["05_components"].say.components }} of them at once, cross-validated: each person is told by a probe that was fitted without them. Three
# comparisons keep this honest. *Chance* is the same probe of values that were exchanged among people. *Pixels* is a
# probe of as many principal components of the small grey picture: what takes no network to know. And the *answer*, a probe of the
# joints that the network predicts in the end and of the attributes of that pose: what the network knows but may keep outside of this code.

# %% tags=["hide-input"]
pictures = probes.pixels(crops, card.resolution)
pixel_scores = probes.pixel_scores(pictures, pictures, min(k, *pictures.shape), seed=seed)
told = np.column_stack([answer[..., :2].reshape(count, -1), *attributes(answer, skeleton).values()])
told = np.nan_to_num((told - np.nanmean(told, 0)) / np.maximum(np.nanstd(told, 0), 1e-9)).clip(-4, 4)

# %% tags=["show-input"]
from_code = {name: probes.probe(name, scores, column, k, seed=seed) for name, column in values.items()}
from_pixels = {name: probes.probe(name, pixel_scores, column, permutations=0, seed=seed) for name, column in values.items()}
from_answer = {name: probes.probe(name, told, column, permutations=0, seed=seed) for name, column in values.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How well each attribute is read from the code and from as many components of the picture's pixels: the share of its variance that the probe explains (R²), with 95 % intervals over people. Black: what 97.5 % of probes of exchanged values stay below.", "name": "fig-probes"}, "image": {"alt": "Dots of R squared by attribute, those from codes far right of those from pixels for the attributes at the top"}}
posture = {}
if rendered:
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of postures that fewer than five people have
        guessed = cross_val_predict(LogisticRegression(C=1.0, max_iter=300), scores[:, :k] / scores[:, 0].std(), kind, cv=folds)
    hits = {"told": guessed == kind, "common": kind == np.bincount(kind).argmax()}
    posture = {
        name: dict(zip(("mean", "low", "high"), metrics.interval(hit.astype(float), np.ones(count)), strict=True))
        for name, hit in hits.items()
    }
more = {name: probes.advantage(from_code[name], from_pixels[name], seed=seed) for name in values}

run.save_figure(meaning.probes(from_code, from_pixels), "probes")
plt.show()

# %% tags=["hide-input"]
rows = [
    {"attribute": name, "from the code": spoken({"mean": p.r2, "low": p.low, "high": p.high}), "chance": number(p.chance),
     "more than from pixels": spoken(more[name]), "from the answer": number(from_answer[name].r2), "people": f"{p.people:,}"}
    for name, p in sorted(from_code.items(), key=lambda item: -item[1].r2)
]  # fmt: skip
pd.DataFrame(rows).style.hide().set_caption("R² of probes, with 95 % intervals over people.")

# %% [markdown]
# {{ runs["05_components"].say.read }} {{ runs["05_components"].say.unread }} {{ runs["05_components"].say.pixels }}
#
# {{ runs["05_components"].say.factors }}
#
# How much the number of components adds:

# %% tags=["hide-input"] mystnb={"figure": {"caption": "R² of probes over the number of components that they read, with 95 % intervals.", "name": "fig-curves"}, "image": {"alt": "Curves that rise steeply over the first few components and stay level"}}
most = min(100, len(every), count // 3)
ks = sorted({min(n, most) for n in (1, 2, 5, 10, 20, 50, 100)})
followed = [name for name in [*walked, "left on the right", "true heading sin", "true heading cos"] if name in values]
curves = {name: [probes.probe(name, scores, values[name], n, permutations=0, seed=seed) for n in ks] for name in followed}
if curves:
    run.save_figure(meaning.probe_curves(curves), "curves")
    plt.show()

# %% [markdown]
# ## Are neighbours alike?
#
# Two people whose codes are near each other ought to be alike in pose, if a code is about pose. How far a person's pose is from another's is the
# mean distance of a joint, with the middles of both trunks laid over each other, not turned, and the torsos scaled to length one. The person with the nearest code is then somewhere between
# anybody and the one person whose pose is nearest of all.

# %% tags=["show-input"]
apart = neighbours.pose_distances(table.keypoints, table.skeleton)
predicted_poses = neighbours.pose_coordinates(answer, skeleton)
alike = {
    "the code": neighbours.closeness(scores, apart, seed=seed),
    f"its first {k} components": neighbours.closeness(scores[:, :k], apart, seed=seed),
    "pixels": neighbours.closeness(pixel_scores, apart, seed=seed),
    "the answer": neighbours.closeness(predicted_poses, apart, seed=seed),
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How near in pose a person's nearest neighbour is, from anybody (0 %) to the nearest in pose (100 %), where neighbours are found by the whole code, by its first components, by as many components of the picture's pixels, and by the joints that the network predicts in the end. 95 % intervals over people.", "name": "fig-neighbours"}, "image": {"alt": "Four dots with intervals: pixels near zero, the code further, the answer furthest"}}
run.save_figure(plots.intervals(alike, "from anybody to the nearest in pose (%)"), "neighbours")
plt.show()

# %% [markdown]
# {{ runs["05_components"].say.neighbours }}
#
# ## Walks
#
# What lies along a component? The study showed the people who are nearest to points along it. A point a few standard deviations from
# the mean lies where hardly anybody is, and so the pictures below say how far away the nearest person is: in multiples of a typical person's distance
# to the nearest other one. The rows below do not look for people but ask the network: its code is replaced by the point on the
# walk, and the heatmaps show what it answers. With its skip connections *intact* it still sees the picture, of the
# person nearest to the mean, past the bottleneck. With each skip at its *mean* over people, or *off*, all it has is the code.

# %% tags=["hide-input"]
passing = walks.skip_hook_points(network, hook_point)
means = ablation.means(network, card, crops, passing, backend=backend)
treatments = walks.SKIPS if passing else ("intact",)
steps = np.arange(-3.0, 3.1)
central = int(walks.nearest(codes, every.mean[None]).index[0, 0])
view = eval_view(*load_batch(crops, np.array([central])), card.resolution)[0].to(backend.device)


# %% tags=["show-input"]
def walked_along(direction, steps):
    """The people nearest to the steps of a walk from the mean, and what the network answers there, by treatment of the skips."""
    points = (every.mean + steps[:, None] * direction.sd * direction.vector).astype(np.float32)
    answered = {}
    for skips in treatments:
        maps, keypoints = walks.answers(
            network, card, view.expand(len(steps), -1, -1, -1), hook_point, points, skips, means, backend=backend
        )
        answered[f"skips {skips}"] = (maps.numpy(), keypoints)
    return walks.nearest(codes, points), answered


# %% tags=["hide-input"] mystnb={"figure": {"caption": "Along the first component, from three standard deviations below the mean to three above. Top: the nearest people, with the joints that the network finds, and how far they are. Below: the network's own answer to the code at that point, its heatmaps in the joints' colours (left warm, right cool, middle white).", "name": "fig-walk-first"}, "image": {"alt": "Seven people along a row, and below each the glowing heatmaps of the network's answer"}}
def sheet(direction):
    near, answered = walked_along(direction, steps)
    nearby = [(crops[i], answer[i], d) for i, d in zip(near.index[:, 0], near.relative[:, 0], strict=True)]
    return meaning.walk(steps, nearby, answered, skeleton), near


along = [Direction(f"component {c + 1}", found.directions[c].astype(np.float32), float(np.sqrt(found.variances[c])), 0.0) for c in range(k)]

figure, near = sheet(along[0])
figure.savefig(run.path("figures/walk-first.png"), bbox_inches="tight")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same along the component that goes most with sitting, or along the second where that is the first.", "name": "fig-walk-sitting"}, "image": {"alt": "Seven people along a row, and below each the glowing heatmaps of the network's answer"}}
second = best_for_sitting if sitting_known and best_for_sitting > 1 else 2
figure, _ = sheet(along[second - 1])
figure.savefig(run.path("figures/walk-sitting.png"), bbox_inches="tight")
plt.show()

# %% [markdown]
# {{ runs["05_components"].say.near }}
#
# ### Walk yourself
#
# The list chooses a component, or a direction in which a probe reads; the slider goes along it.

# %% tags=["hide-input"]
lengths = np.linspace(-3, 3, 13)
shown = {direction.name: direction for direction in [*along[:3], along[second - 1]]}
for name in walked:
    if name in values:
        shown[f"probe: {name}"] = probes.reading_direction(name, scores[:, :k], values[name], found.directions)
strips, notes = {}, {}
for title, direction in shown.items():
    close, answered = walked_along(direction, lengths)
    strips[title] = strip([(crops[i], answer[i]) for i in close.index[:, 0]], [*answered.values()], skeleton)
    notes[title] = [f"The nearest person is {far:.1f} times as far as people are from their neighbours." for far in close.relative[:, 0]]
said = ["the mean" if length == 0 else f"{length:+g} sd".replace("-", "−") for length in lengths]
HTML(slider(strips, said, notes, ["nearest person", *(f"skips {skips}" for skips in treatments)]))

# %% [markdown]
# ### Do walks do anything?
#
# Single pictures persuade and prove little. So the codes of {{ runs["05_components"].say.walkers }} people are moved by {{ runs["05_components"].say.step }}
# standard deviations either way, along the first components and along the directions in which probes read, and the answers are measured: how far the joints move, and how much
# more of the attribute there is at one end than at the other. Random directions, drawn as codes are spread and walked as far, say what any
# push would have done: the effect along a direction is compared with theirs by Student's t, and *p* is Holm's for as many effects as are looked at.
# Which attribute a component should change, and where a probe looks, is decided on everybody but the people who are walked. With the skip connections off answers fall apart, and only the components are walked, to see how far joints move.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, how much more of the attribute the answer has after a step up than after a step down, in standard deviations of the attribute over people. Right, how far joints move. Bars are 95 % intervals over people; grey marks are random directions, one each. Components are walked towards more of the attribute in brackets, which they go with most.", "name": "fig-causal"}, "image": {"alt": "Dots with intervals by direction, for each treatment of the skip connections, among grey marks of random directions"}}
drawn = np.random.default_rng(seed).permutation(count)
going, staying = np.split(drawn, [min(walkers, count // 2)])
chosen = crops.select(np.sort(going))
elsewhere, _ = usable({name: value[staying] for name, value in values.items()})  # of people who are not walked
r_elsewhere = probes.correlations(scores[staying, :k], elsewhere).pivot(index="attribute", columns="component", values="r")
control = walks.random_directions(controls, found.directions, found.variances, seed=seed)
targets = {}
for c in dict.fromkeys((1, 2, 3, second)):
    if c <= k:
        candidates = r_elsewhere[c].reindex([name for name in measurable if name in elsewhere]) if elsewhere and named[c - 1] else ()
        goes_with = candidates.abs().idxmax() if len(candidates) else None
        sign = np.sign(candidates[goes_with]) if goes_with else 1.0  # so that walking up should give more of the attribute
        targets[f"component {c} ({goes_with or 'no name'})"] = (sign * along[c - 1].vector, along[c - 1].sd, goes_with)
read_in = {name: name for name in walked} | {"true heading cos": "facing"}
for name, attribute in read_in.items():
    if name in elsewhere and attribute in measurable:
        looked = probes.reading_direction(name, scores[staying, :k], elsewhere[name], found.directions)
        targets[f"probe: {name}" + (f" ({attribute})" if name != attribute else "")] = (looked.vector, looked.sd, attribute)
causal = []
for name, (vector, sd, attribute) in targets.items():
    for skips in treatments:
        if skips == "off" and name.startswith("probe"):
            continue
        measured = {} if skips == "off" or not attribute else {"attribute": attribute, "scale": float(np.nanstd(values[attribute]))}
        try:
            causal.append(
                walks.causal(
                    network,
                    card,
                    chosen,
                    hook_point,
                    Direction(name, vector, sd, 0.0),
                    control if measured else control[:5],  # of how far joints move nothing is judged
                    step=step,
                    skips=skips,
                    means=means,
                    backend=backend,
                    **measured,
                )
            )
        except PosekitError as error:
            refused[f"{name}, skips {skips}"] = str(error)
causal = walks.corrected(causal)

if causal:
    run.save_figure(meaning.causal(causal), "causal")
    plt.show()

# %% [markdown]
# {{ runs["05_components"].say.walks }}
#
# ## The verdict
#
# {{ runs["05_components"].say.table }}
#
# ## What this does not show
#
# Components and probes are straight lines; what a code holds in a bent way, as a product of two attributes for example, they do not see. A
# probe shows that something can be read, not that the network reads it; only the walks speak of that. Attributes are those of the picture, where a
# leg that points at the camera is a short leg. And a component is named after what it goes with most among the attributes that somebody thought of.

# %% tags=["hide-input"]
SITTING = {"sitting", "hip flexion", "knee flexion", "true hips", "true knees", "true posture: sitting, not standing"}
steady = int(named.sum())
top = strongest[1]
is_sitting = top in SITTING
decided = sitting_known and tie(1, "sitting")["high"] < tie(1, top)["low"]


# %% tags=["remove-cell"]
def probe_words(name):
    p = from_code[name]
    sure = "" if p.above_chance else ", no more than chance"
    return f"R² {spoken({'mean': p.r2, 'low': p.low, 'high': p.high})}{sure}; from pixels {number(from_pixels[name].r2)}, from the answer {number(from_answer[name].r2)}"


def first_words():
    parts = [
        f"component {c}{' goes most' if c == 1 else ''} with *{strongest[c]}* (|r| {spoken(tie(c, strongest[c]))})"
        for c in range(1, min(k, 3) + 1)
        if named[c - 1]
    ]
    unsteady = [f"component {c} ({number(agreed[c - 1])})" for c in range(1, min(k, 3) + 1) if not named[c - 1]]
    nameless = f" Not named, since halves of the people do not agree on it: {listed(unsteady)}." if unsteady else ""
    if not parts:
        return nameless.strip()
    return (
        f"Of all attributes, {listed(parts)}. Together the first three hold {100 * every.shares[:3].sum():.0f} % of the variance.{nameless}"
    )


def sitting_words():
    if not sitting_known:
        return f"It cannot be asked here: {refused.get('sitting', 'sitting is not defined')}."
    if is_sitting:
        return f"Here it is: of all attributes the first component goes most with *{top}*, |r| {spoken(tie(1, top))}; with *sitting* {spoken(tie(1, 'sitting'))}."
    extra = ""
    postures = "true posture: sitting, not standing"
    if postures in values:
        extra = f" Among the people who were made to sit or to stand, and nobody else, it is {spoken(tie(1, postures))}."
    verdict = "**It is not.**" if decided else "So few people cannot tell."
    return (
        f"{verdict} Its correlation with *sitting* is {spoken(tie(1, 'sitting'))}, with *{top}* {spoken(tie(1, top))}.{extra} "
        f"Component {best_for_sitting}, with {100 * every.shares[best_for_sitting - 1]:.0f} % of the variance, goes most with sitting: {spoken(tie(best_for_sitting, 'sitting'))}."
    )


def claim_words():
    if not sitting_known:
        return "cannot be asked"
    if is_sitting:
        return f"holds: with {top} r = {spoken(tie(1, top))}"
    return f"{'does not hold' if decided else 'cannot be told'}: r = {spoken(tie(1, 'sitting'))}; component {best_for_sitting} has {spoken(tie(best_for_sitting, 'sitting'))}"


def neighbour_words():
    own = alike["the code"]
    ways = listed(f"by {name} {percent(block)}" for name, block in alike.items())
    return (
        f"Of the way from anybody to the nearest in pose, neighbours go {ways}. In trunk lengths: the person with the nearest code is {number(own['neighbour'])} away, "
        f"anybody {number(own['anybody'])}, the nearest in pose {number(own['nearest'])}."
    )


def read_words():
    good = [name for name, p in sorted(from_code.items(), key=lambda item: -item[1].r2) if p.low > 0.2]
    if not good:
        return "No attribute is read well."
    return f"Read best: {listed(f'*{name}* ({number(from_code[name].r2)})' for name in good[:6])}."


def unread_words():
    """What the answer knows and the code does not give away."""
    kept = [name for name in values if from_answer[name].low > from_code[name].high and from_answer[name].r2 > 0.2]
    kept = sorted(kept, key=lambda name: from_code[name].r2 - from_answer[name].r2)[:4]
    none = [name for name, p in from_code.items() if not p.above_chance]
    words = ""
    if kept:
        parts = (f"*{name}* (code {number(from_code[name].r2)}, answer {number(from_answer[name].r2)})" for name in kept)
        words = f"Read much better from the answer than from the code are {listed(parts)}: what the network knows of these it keeps outside of the first {k} components, or not along a straight line."
    if none:
        words += f" No better than chance: {listed(f'*{name}*' for name in none)}."
    return words.strip()


def pixel_words():
    ahead = [name for name in values if more[name]["high"] < 0]
    if not ahead:
        return "Pixels tell no attribute better than the code does."
    return f"Pixels tell {listed(f'*{name}*' for name in ahead)} better than the code: what they plainly show and a pose does not need."


def grade(p):
    return (
        "cannot be told from chance"
        if not p.above_chance
        else "is hardly there"
        if p.r2 < 0.15
        else "is there in part"
        if p.r2 < 0.5
        else "is there"
    )


def factor_words():
    """Posture, heading and size: what a reader expects a code of a person to hold."""
    words = []
    if posture:
        words.append(
            f"Of the **posture** ({len(POSTURES)} kinds) a linear classifier of the same {k} components tells {percent(posture['told'])} right; always the most common one "
            f"would be right for {percent(posture['common'])}."
        )
    strong = {
        "orientation": ["upright"],
        "posture": ["sitting"],
        "heading": ["true heading sin", "true heading cos", "facing", "left on the right"],
        "size": ["true size", "box size"],
    }
    for factor, names in strong.items():
        names = [name for name in names if name in values]
        if names:
            best = max(names, key=lambda name: from_code[name].r2)
            parts = listed(f"*{name}* {number(from_code[name].r2)}" for name in names)
            end = ""
            if factor == "heading":
                later = max(names, key=lambda name: from_answer[name].r2)
                where = (
                    "it is settled at finer maps, past the bottleneck"
                    if from_answer[later].low > from_code[best].high
                    else "the network as a whole hardly tells it better"
                )
                end = f" From the answer *{later}* is read best, {number(from_answer[later].r2)}: {where}."
            elif factor == "size":
                end = " Crops are scaled to the person: how large somebody was in the picture shows only by the way, in how blurred an enlarged picture is, say."
            words.append(f"**{factor.capitalize()}** {grade(from_code[best])} (R²: {parts}).{end}")
    return " ".join(words)


def percent(block):
    return f"{100 * block['mean']:.0f} % [{100 * block['low']:.0f}, {100 * block['high']:.0f}]".replace("-", "−")


def near_words():
    ends = near.relative[[0, -1], 0]
    ways = 100 * near.distance[[0, -1], 0] / (steps[-1] * along[0].sd)
    how = "no farther than people are from each other anyway" if ends.max() < 1.2 else "farther than people are from each other"
    return (
        f"At the ends of the first component the nearest person is {number(ends[0], 1)} and {number(ends[1], 1)} typical distances away, {how}. That is "
        f"{ways[0]:.0f} and {ways[1]:.0f} % of the way from the mean to there: two neighbouring pictures differ in much besides the component."
    )


def steady_words():
    if not steady:
        return f"None of the first {k} components agrees well: the first has |cos| {number(agreed[0])} on average."
    which = ", ".join(str(1 + i) for i in np.flatnonzero(named))
    return f"Of the first {k} components {steady} {'agrees' if steady == 1 else 'agree'} with |cos| of at least 0.9 on average ({which}); component {k} has {number(agreed[-1])}, where random directions have {number(halves.chance_cosines[-1])}."


def walk_words():
    if not causal:
        return "No walk could be measured here."
    words = []
    for skips in treatments:
        these = [walk for walk in causal if walk.skips == skips]
        still = [walk.direction for walk in these if walk.moved_verdict == "nothing"]
        moved = np.median([walk.moved["mean"] for walk in these])
        others = np.median(np.concatenate([walk.moved_control for walk in these]))
        words.append(
            f"With skips {skips}, a walk moves the joints by {number(moved)} trunk lengths (median of the directions), a random direction by {number(others)}."
        )
        if still:
            words.append(f"{listed(still)} moved nothing.")
        judged = [walk for walk in these if walk.effect]
        if judged:
            done = [
                f"{walk.direction}, {spoken(walk.effect)} sd (p = {walk.p:.2g})"
                + (", against the direction" if walk.effect["mean"] < 0 else "")
                for walk in judged
                if walk.effect_verdict == "more than chance"
            ]
            undone = [walk.direction for walk in judged if walk.effect_verdict in ("nothing", "no more than chance")]
            unjudged = [walk.direction for walk in judged if walk.effect_verdict == "undecided"]
            if done:
                words.append(f"The attribute changes, by more than random directions change it, for {listed(done)}.")
            if undone:
                words.append(f"No such effect: {listed(undone)}.")
            if unjudged:
                words.append(f"Too few random directions to judge: {listed(unjudged)}.")
    return " ".join(words)


def walk_verdict(name, skips):
    for walk in causal:
        if walk.direction == name and walk.skips == skips and walk.effect:
            return f"{spoken(walk.effect)} sd, {walk.effect_verdict}"
    return "not measured here"


verdict = {
    "Network": f"{card.name}, {count:,} people",
    "Components for 95 % of the variance": f"{spoken(sizes['needed for 95 %'], 0)} of {dimensions:,}",
    "Participation ratio": spoken(sizes["participation ratio"], 1),
    "Components above the noise floor": spoken(sizes["above the noise floor"], 0),
    "Components on which halves agree (cosine of at least 0.9)": f"{steady} of {k}",
    "The first component goes most with": f"{top}, r = {spoken(tie(1, top))} without its sign",
    "It is sitting versus standing": claim_words(),
}
asked = ["upright", "lean", "sitting", "arm elevation", "facing", "left on the right", "true heading cos", "true heading sin", "true size"]
verdict |= {f"Read from {k} components: {name}": probe_words(name) for name in asked if name in values}
verdict |= {
    f"Walked by ±{step:g} sd: {name}, skips {skips}": walk_verdict(f"probe: {name}", skips)
    for name in walked if name in measurable for skips in treatments if skips != "off"
}  # fmt: skip
known_factors = sum(name.startswith("true ") for name in values)
run.write_metrics(
    {
        "dimensions": dimensions,
        "people": count,
        "spectrum": every.spectrum[:200],
        "floor": floor[:200],
        "sizes": sizes,
        "above": sizes["above the noise floor"] | {"people": count},
        "stability": {"cosines": halves.cosines.mean(0), "angles": halves.angles.mean(0)},
        "correlations": {
            name: {"people": int(rows["people"].iloc[0]), **{key: rows[key].round(3).tolist()[:10] for key in ("r", "low", "high")}}
            for name, rows in related.groupby("attribute", sort=False)
        },
        "posture": posture,
        "probes": {
            name: {"code": from_code[name].row(), "pixels": from_pixels[name].row(), "answer": from_answer[name].row(), "more": more[name]}
            for name in values
        },
        "curves": {name: [p.row() for p in line] for name, line in curves.items()},
        "neighbours": alike,
        "walks": [walk.row() for walk in causal],
        "refused": refused,
        "verdicts": verdict,
        "seconds": time.monotonic() - started,
        "say": {
            "neighbours": neighbour_words(),
            "dimensions": f"{dimensions:,}",
            "people": f"{count:,} {'mannequins' if rendered else 'people'}",
            "place": f"`{hook_point}`",
            "network": card.name,
            "seen": seen(card, crops),
            "permutations": str(permutations),
            "needed": spoken(sizes["needed for 95 %"], 0),
            "needed_share": f"{100 * needed / dimensions:.0f} %",
            "above": spoken(sizes["above the noise floor"], 0),
            "above_share": f"{100 * every.shares[:real].sum():.0f} %",
            "participation": spoken(sizes["participation ratio"], 1),
            "stable": steady_words(),
            "attributes": f"For mannequins there are {known_factors} of the factors that made them as well, marked *true*."
            if rendered
            else "Of photographs no more is known.",
            "first": first_words(),
            "sitting": sitting_words(),
            "components": str(k),
            "read": read_words(),
            "unread": unread_words(),
            "pixels": pixel_words(),
            "near": near_words(),
            "factors": factor_words(),
            "walkers": str(len(chosen)),
            "step": f"{step:g}",
            "walks": walk_words(),
            "table": side_by_side("05_components", data, verdict),
        },
    }
)
