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
# # What does a code say about a person?
#
# The [study that this book replicates](introduction) named the principal components of the code by the people nearest to points along them, and the first one sitting
# versus standing. Is it? This chapter also asks which attributes can be read from a code, whether people with similar codes have similar poses, and how the
# network's prediction changes when a code is moved along a direction.
#
# {{ runs["05_probes"].say.answer }}
#
# The codes are those of {{ runs["05_probes"].say.people }}, at the {term}`hook point` {{ runs["05_probes"].say.hook_point }} of *{{ runs["05_probes"].say.network }}*.
# Brackets hold 95 % intervals over people. [The previous chapter](05_components) asks how many components there are.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
stack = -1  # whose code: the first stack is 0, the last -1
layer: str | None = None  # another activation than the code: stack0.encoder4, say
components = 20  # principal components to look at
people = 2000  # maximum number of people, drawn at random
halvings = 10  # of the people, to see on which components they agree
walked: list[str] = ["upright", "lean", "sitting", "arm elevation", "facing"]  # attributes whose probe's direction is walked
walkers = 32  # people whose codes are moved
controls = 20  # random directions that they are moved along as well; by fewer than 20 nothing is judged
step = 2.0  # standard deviations that they are moved, either way
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

# %% tags=["remove-cell"]
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML

import posekit
from posekit import plots
from posekit.coordinates import CONTEXT, transform_keypoints
from posekit.data import held_out
from posekit.data.augment import eval_view
from posekit.data.loading import load_batch
from posekit.data.mannequins import POSTURES
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.errors import PosekitError
from posekit.interpret.activations import ablation, walks
from posekit.interpret.activations.codes import code_hook_point, codes_and_predictions
from posekit.interpret.analysis import neighbours, probes
from posekit.interpret.analysis.attributes import attributes, factors, usable
from posekit.interpret.analysis.attributes import table as attribute_table
from posekit.interpret.analysis.components import pca_of, stability
from posekit.interpret.analysis.probes import Direction
from posekit.plots.codes import components as draw
from posekit.plots.codes import meaning
from posekit.plots.codes.slider import slider, strip
from posekit.skeleton import skeleton_of
from posekit.workflow import runs, words
from posekit.workflow.words import components as components_words
from posekit.workflow.words import number, ranged
from posekit.workflow.words import probes as words_of

plots.style()
run = runs.current()
backend = Backend.best()
started = time.monotonic()

# %% tags=["remove-cell"]
network, card = weight_files.load(weights)
hook_point = layer or code_hook_point(network, stack)
skeleton = skeleton_of(card.skeleton)
table = held_out(data, people, seed, on_error=on_error)
crops = posekit.crops(table, int(card.resolution * CONTEXT), aspect=card.aspect, on_error=on_error)
table, count = crops.people, len(crops)

# %% tags=["show-input"]
codes, predicted = codes_and_predictions(network, card, crops, hook_point, backend=backend)
every = pca_of(codes)
scores = every.transform(codes)

# %% tags=["remove-cell"]
k = min(components, len(every), count // 2 - 1)
if k < 2:
    raise PosekitError(f"{count} people are too few to look for components: take at least 6, 100 to learn anything")

# %% tags=["hide-input"]
found = every.first(k)
agreement = stability(codes, k, splits=halvings, seed=seed).cosines.mean(0)
named = agreement >= components_words.NAMED  # a component on which halves of the people disagree gets no name
answer = np.concatenate([predicted[..., :2], np.full((count, len(skeleton), 1), 2.0)], -1)  # every joint as if it were labelled
answer = np.stack([transform_keypoints(crops.matrices[i], answer[i]) for i in range(count)])  # in crop pixels

# %% [markdown]
# ## What does a component correlate with?
#
# For each person *attributes* of the pose are computed from the annotated keypoints. Neither the network's code nor the components were computed from these annotations.
# {{ runs["05_probes"].say.attributes }} An attribute is undefined for people without the labels that it needs, and they are left out. A table below the figure, folded on the web page, has the definitions.

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
related = probes.correlations(scores[:, :k], values, pictures=table.picture_ids())

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Pearson's correlation of the scores on the first components with each attribute; those of at least 0.2 in size are written out. The sign of a component is arbitrary.", "name": "fig-correlations"}, "image": {"alt": "A matrix of coloured cells, most of them pale, with a few strong ones in the first columns"}}
run.save_figure(meaning.correlation_table(related, components=min(k, 10)), "correlations")
plt.show()

# %% tags=["hide-input", "hide-output"] mystnb={"code_prompt_show": "Show the {type}", "code_prompt_hide": "Hide the {type}"}
shown = attribute_table(values)
shown.style.hide().format({name: number for name in ("5 %", "median", "95 %")} | {"people": "{:,}"})

# %% [markdown]
# {{ runs["05_probes"].say.first }}
#
# ### Is the first component sitting versus standing?
#
# The attribute *sitting* is 0 if the thighs continue the line of the trunk, and 1 if they are at right angles to it.
# {{ runs["05_probes"].say.sitting }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Distribution of the scores of people in different postures, on {{ runs['05_probes'].say.axes }}. If the first component were sitting versus standing, the curves of people who sit and of those with straight legs would lie apart on the first.", "name": "fig-groups"}, "image": {"alt": "Overlapping density curves of people who stand, sit, and are upside down"}}
by_sitting = related[related["attribute"] == "sitting"].set_index("component")["r"].abs()
second = max(2, int(by_sitting.idxmax())) if len(by_sitting) else 2  # the component to look at beside the first
if len(by_sitting):
    upside = np.nan_to_num(values.get("upside down", np.zeros(count))) > 0
    lots = {"legs straight": (values["sitting"] < 0.2) & ~upside, "sitting": (values["sitting"] > 0.7) & ~upside, "upside down": upside}
    lots = {name: mask for name, mask in lots.items() if mask.sum() >= 10}
    axes = {f"component {c}": scores[:, c - 1] for c in dict.fromkeys((1, int(by_sitting.idxmax())))}
    if lots:
        run.save_figure(draw.groups(axes, lots), "groups")
        plt.show()

# %% [markdown]
# ## What can be read from a code?
#
# An attribute need not lie along a single component. A linear {term}`probe` (ridge regression) predicts it from the scores on the first
# {{ runs["05_probes"].say.components }} components together. The probe is cross-validated: each person's value is predicted by a probe that was fitted without that person. Three
# other probes are compared with it. *Chance* is the same probe for values that were permuted among people. *Pixels* uses as many principal components of
# the picture, small and in grey, and shows what can be read without any network. *Predicted joints* uses the joints that the network predicts and the
# attributes of the predicted pose, and shows what the network knows, be it in this code or elsewhere.

# %% tags=["hide-input"]
pictures = probes.pixels(crops, card.resolution)
pixel_scores = probes.pixel_scores(pictures, pictures, min(k, *pictures.shape), seed=seed)
joints = np.column_stack([answer[..., :2].reshape(count, -1), *attributes(answer, skeleton).values()])
joints = np.nan_to_num((joints - np.nanmean(joints, 0)) / np.maximum(np.nanstd(joints, 0), 1e-9)).clip(-4, 4)

# %% tags=["show-input"]
from_code = {name: probes.probe(name, scores, column, k, pictures=table.picture_ids(), seed=seed) for name, column in values.items()}
plain = {"pictures": table.picture_ids(), "permutations": 0, "seed": seed}
from_pixels = {name: probes.probe(name, pixel_scores, column, **plain) for name, column in values.items()}
from_joints = {name: probes.probe(name, joints, column, **plain) for name, column in values.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How well each attribute is read from the code and from as many components of the picture's pixels: the share of its variance that the probe explains (R²), with 95 % intervals over people. Black marks: 97.5 % of the probes of permuted values have a lower R².", "name": "fig-probes"}, "image": {"alt": "Dots of R squared by attribute, those from codes far right of those from pixels for the attributes at the top"}}
posture = probes.classified(scores[:, :k], kind, pictures=table.picture_ids(), seed=seed) if rendered else {}
more = {name: probes.advantage(from_code[name], from_pixels[name], seed=seed) for name in values}
later = {name: probes.advantage(from_joints[name], from_code[name], seed=seed) for name in values}

run.save_figure(meaning.probe_scores(from_code, from_pixels), "probes")
plt.show()

# %% tags=["hide-input"]
rows = [
    {"attribute": name, "from the code": ranged({"mean": p.r2, "low": p.low, "high": p.high}), "chance": number(p.chance),
     "more than from pixels": ranged(more[name]), "from predicted joints": number(from_joints[name].r2), "people": f"{p.people:,}"}
    for name, p in sorted(from_code.items(), key=lambda item: -item[1].r2)
]  # fmt: skip
pd.DataFrame(rows).style.hide().set_caption("R² of probes, with 95 % intervals over people.")

# %% [markdown]
# {{ runs["05_probes"].say.read }} {{ runs["05_probes"].say.unread }} {{ runs["05_probes"].say.pixels }}
#
# {{ runs["05_probes"].say.factors }} Posture is judged here by *sitting*, which is defined for nearly everybody; an attribute that only some
# people have, such as a rendered posture, may be read better.
#
# ## Do neighbours have similar poses?
#
# If a code describes the pose, two people with similar codes have similar poses. The distance between two poses is the
# mean distance between corresponding joints, after both trunks are moved to the same centre and scaled to length one, without rotation. For each person, the pose distance to the person with the nearest code is
# placed on a scale from a random person (0 %) to the person with the most similar pose (100 %).

# %% tags=["show-input"]
apart = neighbours.pose_distances(table.keypoints, table.skeleton)
predicted_poses = neighbours.pose_coordinates(answer, skeleton)
alike = {
    "the code": neighbours.closeness(scores, apart, pictures=table.picture_ids(), seed=seed),
    f"its first {k} components": neighbours.closeness(scores[:, :k], apart, pictures=table.picture_ids(), seed=seed),
    "pixels": neighbours.closeness(pixel_scores, apart, pictures=table.picture_ids(), seed=seed),
    "predicted joints": neighbours.closeness(predicted_poses, apart, pictures=table.picture_ids(), seed=seed),
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How similar in pose a person's nearest neighbour is, from a random person (0 %) to the person with the most similar pose (100 %). Neighbours are found by the whole code, by its first components, by as many components of the picture's pixels, and by the predicted joints. Bars are 95 % intervals over people.", "name": "fig-neighbours"}, "image": {"alt": "Four dots with intervals: pixels near zero, the code further, the predicted joints furthest"}}
run.save_figure(plots.intervals(alike, "from a random person to the most similar pose (%)"), "neighbours")
plt.show()

# %% [markdown]
# {{ runs["05_probes"].say.neighbours }}
#
# ## Walks
#
# What changes along a component? The study showed people nearest to points along it. But a point a few standard deviations from
# the mean may be far from every person. The figures below therefore also give the distance of the nearest person, in multiples of a typical person's distance
# to the nearest other person. Their lower rows show the network's prediction for the points themselves. A {term}`walk` replaces the code by points along a line through the
# mean code, and the heatmaps are drawn for each point. The picture is that of the person nearest to the mean. With its skip connections *intact*, the network still sees
# this picture past the bottleneck. With each skip connection at its *mean* over people, or *off* (zero), it has the code alone.

# %% tags=["hide-input"]
passing = walks.skips_beside(network, hook_point)
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


# %% tags=["hide-input"] mystnb={"figure": {"caption": "A walk along the first component, from three standard deviations below the mean to three above. Top: the nearest people with their predicted joints; the number is their distance, in multiples of the typical one; one person may be the nearest to several points. Below: the network's heatmaps for the code at that point, overlaid in the joints' colours (left warm, right cool, middle white), for each treatment of the skip connections.", "name": "fig-walk-first"}, "image": {"alt": "Seven people along a row, and below each the glowing heatmaps of the network's answer"}}
def sheet(direction):
    near, answered = walked_along(direction, steps)
    nearby = [(crops[i], answer[i], d) for i, d in zip(near.index[:, 0], near.relative[:, 0], strict=True)]
    return meaning.walk(steps, nearby, answered, skeleton), near


along = [Direction(f"component {c + 1}", found.directions[c].astype(np.float32), float(np.sqrt(found.variances[c])), 0.0) for c in range(k)]

figure, near = sheet(along[0])
figure.savefig(run.path("figures/walk-first.png"), bbox_inches="tight")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same for a walk along {{ runs['05_probes'].say.second }}.", "name": "fig-walk-sitting"}, "image": {"alt": "Seven people along a row, and below each the glowing heatmaps of the network's answer"}}
figure, _ = sheet(along[second - 1])
figure.savefig(run.path("figures/walk-sitting.png"), bbox_inches="tight")
plt.show()

# %% [markdown]
# {{ runs["05_probes"].say.near }}
#
# ### Walk yourself
#
# On the web page, choose a component or the direction of a probe from the list, and move along it with the slider. On the page [Try it](try_it), a network in your browser computes walks for any picture.

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
labels = ["the mean" if length == 0 else f"{length:+g} sd".replace("-", "−") for length in lengths]
HTML(slider(strips, labels, notes, ["nearest person", *(f"skips {skips}" for skips in treatments)]))

# %% [markdown]
# ```{raw} html
# <details class="live" data-live="walks"><summary>Try it here: walk the code of a network</summary>
# <div class="try-it instance"></div>
# <p><a class="state" href="try_it.html#person=1">Open in Try it</a>, with other people and your own picture.</p></details>
# ```
#
# ### Do walks change the prediction?
#
# Pictures of a single walk prove little. The codes of {{ runs["05_probes"].say.walkers }} people are therefore moved by {{ runs["05_probes"].say.step }}
# standard deviations in both directions, along the first components and along the directions of probes. Two effects are measured: how far the predicted joints move, and
# how much the attribute of the predicted pose differs between the two ends. Random directions, drawn with the covariance of the codes and walked as far, show the effect of
# any change. The effect along a direction is compared with those along random directions by Student's *t*, and *p* is corrected by Holm's method for all effects tested;
# after that, even an effect beyond all grey marks of the figure may not count as more than chance.
# The attribute that a component should change, and the direction of a probe, are chosen on the people who are not walked. With the skip connections off, the
# predicted poses are too distorted for attributes; there only the components are walked, to measure how far joints move.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, the attribute of the predicted pose after a step up less that after a step down, in standard deviations of the attribute over people. Right, how far the predicted joints move. Bars are 95 % intervals over people; each grey mark is one random direction. A component without a name has no attribute, and no dot on the left. The attribute in brackets is the one that a component correlates with most among those that are computed from the joints alone, on the people who are not walked; the component is walked towards more of it. For a probe, it is the attribute that the probe predicts, computed from the predicted joints.", "name": "fig-causal"}, "image": {"alt": "Dots with intervals by direction, for each treatment of the skip connections, among grey marks of random directions"}}
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
    for skips in treatments if name.startswith("component") else [skips for skips in treatments if skips != "off"]:
        measured = {} if skips == "off" or not attribute else {"attribute": attribute, "scale": float(np.nanstd(values[attribute]))}
        directions = control if measured else control[:5]  # of how far joints move nothing is judged
        walk = Direction(name, vector, sd, 0.0)
        try:
            causal.append(
                walks.causal(
                    network, card, chosen, hook_point, walk, directions, step=step, skips=skips, means=means, backend=backend, **measured
                )
            )
        except PosekitError as error:
            refused[f"{name}, skips {skips}"] = str(error)
causal = walks.holm_corrected(causal)

if causal:
    run.save_figure(meaning.walk_effects(causal), "causal")
    plt.show()

# %% [markdown]
# {{ runs["05_probes"].say.walks }}
#
# ## In one table
#
# Of a walk, *more than chance* means more than along random directions (p < 0.05, corrected), *no more than chance* that the change is not significantly larger than that, and *no effect shown* that its interval contains 0.
#
# {{ runs["05_probes"].say.table }}
#
# ## What this does not show
#
# Components and probes are straight lines. They do not find what a code holds along a curve, such as a product of two attributes. A
# probe shows that an attribute can be read, and not that the network uses it; only the walks test that. Attributes are computed in the plane of the picture, where a
# leg that points at the camera is a short leg. A component is named after the attribute that it correlates with most among those of this chapter that are computed from the joints alone; another attribute might correlate more.

# %% tags=["remove-cell"]
moved = {
    skips: {
        "directions": np.median([walk.moved["mean"] for walk in causal if walk.skips == skips]),
        "random directions": np.median(np.concatenate([walk.moved_control for walk in causal if walk.skips == skips])),
    }
    for skips in dict.fromkeys(walk.skips for walk in causal)
}
result = {
    "network": card.name,
    "hook_point": hook_point,
    "people": count,
    "rendered": rendered,
    "seen": words.seen(card, crops),
    "components": k,
    "shares": every.shares[:k],
    "agreement": agreement,
    "named": named,
    "correlations": {
        name: {"people": int(rows["people"].iloc[0]), **{key: rows[key].round(6).tolist() for key in ("r", "low", "high")}}
        for name, rows in related.groupby("attribute", sort=False)
    },
    "posture": posture,
    "postures": len(POSTURES),
    "probes": {
        name: {
            "code": p.row(),
            "pixels": from_pixels[name].row(),
            "answer": from_joints[name].row(),
            "more": more[name],
            "later": later[name],
        }
        for name, p in from_code.items()
    },
    "neighbours": alike,
    "nearest": {"relative": near.relative[[0, -1], 0], "way": near.distance[[0, -1], 0] / (steps[-1] * along[0].sd)},
    "walked": [name for name in walked if name in measurable],
    "step": step,
    "walkers": len(chosen),
    "moved": moved,
    "walks": [walk.row() for walk in causal],
    "refused": refused,
    "seconds": time.monotonic() - started,
}
verdicts = words_of.verdicts(result)
say = words_of.sentences(result) | {"table": words.side_by_side("05_probes", data, verdicts)}
run.write_metrics(result | {"verdicts": verdicts, "say": say})
