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
# # Do people form groups?
#
# Each person leaves a *code* at the bottleneck of the hourglass: {{ runs["06_clusters"].say.dimensions }} numbers here. If the network
# sorted people into kinds, those standing and those sitting say, their codes would lie in groups. The study that this book re-does
# looked for them with k-means, found two, and drew maps with UMAP. This chapter repeats both, with what is needed to know whether to believe
# them: intervals, and the same procedure on a cloud of points that has no groups.
#
# The codes are those of {{ runs["06_clusters"].say.people }}, {{ runs["06_clusters"].say.seen }}, at {{ runs["06_clusters"].say.place }} of
# *{{ runs["06_clusters"].say.network }}*. All that follows is computed on the codes' first {{ runs["06_clusters"].say.components }} principal
# components, not whitened, which hold {{ runs["06_clusters"].say.variance }} of their variance: distances are nearly those between codes, in a
# fraction of the memory. k-means on the whole codes agrees with k-means on the components, into two clusters, with an adjusted Rand index of
# {{ runs["06_clusters"].say.whole }}; 1 is complete agreement and 0 what chance gives.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
stack = -1  # whose code: the first stack is 0, the last -1
people = 2000  # at most so many people, drawn at random
components = 50  # principal components that the codes are reduced to
ks: list[int] = [2, 3, 4, 5, 6, 7, 8, 9, 10]  # numbers of clusters
detail = 6  # a finer number of clusters to look at, besides the best
pairs = 12  # pairs of resamples for the stability
neighbours: list[int] = [15, 50]  # UMAP's neighbourhoods: two sizes
scale = 124040  # people in the trial of the full scale; 0 for none
seed = 0  # of everything drawn by chance
on_error = "raise"  # what a picture that cannot be read does: raise or skip

# %% tags=["remove-cell"]
import time
import tracemalloc

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import PolynomialFeatures

import posekit
from posekit import metrics, plots
from posekit.coordinates import CONTEXT
from posekit.data import held_out
from posekit.data.people import parse_spec
from posekit.display import drawing
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.prediction import by_modules, predict_crops
from posekit.errors import PosekitError
from posekit.interpret.activations.codes import code_hook_point
from posekit.interpret.analysis import clusters, embedding
from posekit.interpret.analysis.attributes import attributes, factors, usable
from posekit.plots import clusters as draw
from posekit.plots import interactive
from posekit.workflow import runs
from posekit.workflow.words import seen, side_by_side

plots.style()
run = runs.current()
backend = Backend.best()
started = time.monotonic()

# %% tags=["remove-cell"]
network, card = weight_files.load(weights)
hook_point = code_hook_point(network, stack)
table = held_out(data, people, seed, on_error=on_error)
crops = posekit.crops(table, int(card.resolution * CONTEXT), on_error=on_error)
table, skeleton, count = crops.people, crops.people.skeleton, len(crops)
if count <= max(*ks, detail):
    raise PosekitError(
        f"{data}: {count} people, too few for {max(*ks, detail)} clusters; give more people, or smaller numbers in ks and detail"
    )

# %% tags=["show-input"]
# One pass gives codes and predictions.
passed = []
with posekit.edit(network, {hook_point: lambda activation, name: passed.append(activation.flatten(1).float().cpu())}):
    predicted = predict_crops(network, card, crops, backend=backend, network=by_modules(network, backend))[-1]
codes = torch.cat(passed).numpy()

# %% tags=["remove-cell"]
if not np.isfinite(codes).all() or not codes.std(0).any():
    raise PosekitError(f"{hook_point}: the codes are constant or not finite; take other weights or another stack")

# %% tags=["show-input"]
reduction = PCA(min(components, *codes.shape), random_state=seed).fit(codes)
points = reduction.transform(codes).astype(float)
control = clusters.structureless(points, seed)

# %% tags=["hide-input"]
distance = np.linalg.norm(predicted[..., :2] - table.keypoints[..., :2], axis=-1) / metrics.torso(table.keypoints, skeleton)[:, None]
distance[table.keypoints[..., 2] == 0] = np.nan
scored = np.isfinite(distance).any(1)
error = np.full(count, np.nan)
error[scored] = np.nanmean(np.minimum(distance[scored], 1), axis=1)
known, refused = usable(attributes(table.keypoints, skeleton, table.boxes) | factors(table))
complete = (table.keypoints[..., 2] > 0).all(1)
rendered = bool(table.factors)


# %% tags=["remove-cell"]
def spoken(block, digits=2):
    """A mean with its interval."""
    return "{:z.{d}f} [{:z.{d}f}, {:z.{d}f}]".format(block["mean"], block["low"], block["high"], d=digits).replace("-", "−")


def tabled(rows):
    """Rows of words as a table of the page."""
    return HTML(pd.DataFrame(rows).to_html(index=False, border=0, justify="left"))


def percent(block):
    """A share with its interval."""
    return f"{100 * block['mean']:.0f} % [{100 * block['low']:.0f}, {100 * block['high']:.0f}]"


# %% [markdown]
# ## Before any map
#
# UMAP {cite:p}`mcinnes2018` places people on a plane so that neighbours stay neighbours. It is asked for nothing else, and so its maps show much that is not
# there: how large an island is, how wide the sea around it, and which islands lie side by side means next to nothing {cite:p}`coenen2019`. The picture below
# is there to be distrusted. One of its maps shows the people's codes; the other shows points drawn from a single normal distribution with the
# same covariance, in which there is nothing to find.

# %% tags=["show-input"]
planes = {(n, s): embedding.umap(points, neighbours=min(n, count - 1), seed=seed + s) for n in neighbours for s in (0, 1)}
for (n, s), plane in planes.items():
    if s:
        planes[n, s] = embedding.aligned(plane, planes[n, 0])  # turned for the eye; no measure below changes

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, UMAP of people's codes. Middle, UMAP of as many points from one normal distribution of the same covariance: whatever shape it has, UMAP made. Right, the people's first two principal components. Colour is each person's (or point's) first principal component.", "name": "fig-caveat"}, "image": {"alt": "A map of people, a map of structureless points, and a plain cloud"}}
main = planes[neighbours[0], 0]
empty = embedding.umap(control, neighbours=min(neighbours[0], count - 1), seed=seed)
pictured = {
    "people": (main, points[:, 0]),
    "no structure (control)": (empty, control[:, 0]),
    "people, two components": (points[:, :2], points[:, 0]),
}
run.save_figure(draw.planes(pictured, bars=False), "caveat")
plt.show()

# %% [markdown]
# ## How many groups?
#
# k-means divides any cloud into as many clusters as it is asked for. Two questions tell clusters from slices. Are people nearer to those of their
# own cluster than to those of the next? The *silhouette* {cite:p}`rousseeuw1987` says so person by person, from −1 to 1. And are they the same
# clusters when other people are drawn? Two resamples are clustered apart, and the *adjusted Rand index* compares how those who are in both were
# grouped. Each clustering is the best of ten restarts, of a resample of three.

# %% tags=["hide-input"]
tried = clusters.possible(ks, count)
groups = {"everyone": points}
if complete.sum() >= clusters.LEAST * max(tried) and not complete.all():
    groups["fully annotated"] = points[complete]
groups["no structure (control)"] = control

# %% tags=["show-input"]
found = {name: {k: clusters.kmeans(cloud, k, seed=seed) for k in tried} for name, cloud in groups.items()}
values = {name: clusters.silhouettes(groups[name], divided, seed=seed) for name, divided in found.items()}
halved = {name: clusters.halves(cloud, tried, seed=seed) for name, cloud in groups.items()}
silhouettes = {name: {k: clusters.over_halves(v.mean(), halved[name][k]) for k, v in by_k.items()} for name, by_k in values.items()}
stable = {
    name: {k: clusters.stability(groups[name], k, pairs=pairs, seed=seed) for k in tried} for name in ("everyone", "no structure (control)")
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, the mean silhouette of k-means with its 95 % interval over people, by halves of them that are clustered anew. Right, the agreement of clusterings of two resamples, with the middle 95 % of the pairs. Grey: the same on points from one normal distribution of the same covariance, which has no clusters.", "name": "fig-silhouettes"}, "image": {"alt": "Falling curves of silhouette and stability over the number of clusters, those of people little above those of the control"}}
chosen, runner_up, lead = clusters.best(values["everyone"], halved["everyone"])
two = found["everyone"][tried[0]]
judged_k = list(dict.fromkeys([tried[0], chosen]))
controlled = clusters.controls(points, judged_k, seed=seed)
excess = {k: clusters.excess(values["everyone"][k].mean(), controlled[k]) for k in judged_k}
run.save_figure(draw.over_k({"mean silhouette": silhouettes, "stability (adjusted Rand)": stable}), "silhouettes")
plt.show()

# %% [markdown]
# {{ runs["06_clusters"].say.best }} {{ runs["06_clusters"].say.complete }}
#
# That alone says little. By the rule of thumb of {cite:t}`kaufman1990`, a mean silhouette of 0.25 or less is no substantial structure. And
# {{ runs["06_clusters"].say.control }} Even one elongated cloud can be cut across its longest side. So look at the cut itself: two groups would leave few
# people at the border between them.

# %% tags=["show-input"]
positions = {name: clusters.between(groups[name], found[name][tried[0]]) for name in ("everyone", "no structure (control)")}
valleys = {name: clusters.valley(where, seed=seed) for name, where in positions.items()}
seen_from = clusters.valley_seen_from(count, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Where people lie along the line between the centres of the two clusters (full lines); the dotted line is the border. Right, the same for the control.", "name": "fig-border"}, "image": {"alt": "Histograms along the line between two cluster centres"}}
run.save_figure(draw.border(positions), "border")
plt.show()

# %% [markdown]
# The density at the border over the lower of those at the centres is {{ runs["06_clusters"].say.valley }}: below 1 there is a valley, as between two groups, and at 1 or above the
# border runs through the thick of one cloud. {{ runs["06_clusters"].say.gap }}
#
# **HDBSCAN** {cite:p}`campello2013` is not told how many groups to find, and may find none: it looks for places where people lie
# densely, and calls the rest noise. In {{ runs["06_clusters"].say.components }} dimensions all are far from each other, and so it is also asked about the first few components alone.

# %% tags=["hide-input"]
density = []
for dimensions in sorted({min(d, points.shape[1]) for d in (2, 5, 10, components)}):
    for smallest in sorted({max(5, count // 100), max(5, count // 20)}):
        row = {"components": dimensions, "at least": smallest}
        for name, cloud in (("people", points), ("control", control)):
            labels = clusters.dense(cloud[:, :dimensions], smallest)
            row |= {f"{name}: clusters": int(labels.max()) + 1, f"{name}: noise": clusters.mean((labels < 0).astype(float), seed)}
        density.append(row)
tabled([{key: percent(value) if isinstance(value, dict) else value for key, value in row.items()} for row in density])

# %% [markdown]
# *At least* is the size of the smallest cluster that counts, *noise* the share of people left over. {{ runs["06_clusters"].say.density }}

# %% [markdown]
# ## What is in a cluster
#
# Whether they are groups or slices of one cloud, clusters are worth describing: they say along what the codes vary most. {{ runs["06_clusters"].say.meaning }} Attributes are computed from
# the annotated keypoints (and for rendered people from what made them, marked *true*), which neither the network's code nor k-means has seen.

# %% tags=["show-input"]
fine = detail if detail in tried else max(tried)
shown = list(dict.fromkeys([tried[0], fine]))
rich = {k: clusters.enrichment(found["everyone"][k].labels, known) for k in shown}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "What the two clusters differ in: the difference of means in standard deviations of the attribute, with its 95 % interval; grey where that holds 0. Of all attributes, those that differ most.", "name": "fig-two"}, "image": {"alt": "A dot with an interval for each attribute"}}
alike = pd.DataFrame(known).corr().abs()  # over the people for whom both are defined


def distinct(ranked, number):
    """The first `number` attributes of a ranking that are not nearly one of those before them (correlation above 0.6)."""
    kept = []
    for name in ranked:
        if len(kept) < number and not (alike.loc[name, kept] > 0.6).any():
            kept.append(name)
    return kept


def names(k):
    """Each cluster's number and size."""
    return [f"{i + 1}\n{size:,} people" for i, size in enumerate(found["everyone"][k].sizes)]


def nearest_people(k):
    """The people nearest to each centre, by cluster."""
    index = clusters.nearest(points, found["everyone"][k], 8)
    return draw.gallery({f"cluster {c + 1}": [(crops[i], crops.keypoints[i]) for i in row] for c, row in enumerate(index)}, skeleton)


if rich[shown[0]]:
    run.save_figure(draw.differences([record for record in rich[shown[0]] if record["cluster"] == 0]), "two")
    plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The eight people nearest to each of the two centres, as annotated. The nearest are not near: see below.", "name": "fig-two-people"}, "image": {"alt": "Two rows of people with skeletons"}}
nearest_people(shown[0])
plt.show()

# %% [markdown]
# {{ runs["06_clusters"].say.near }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "A finer division: the difference between people in a cluster and all others, in standard deviations of the attribute, with half the width of its 95 % interval; pale grey figures where that holds 0.", "name": "fig-detail"}, "image": {"alt": "A matrix of attributes by clusters"}}
if rich[shown[-1]]:
    run.save_figure(draw.enrichment(rich[shown[-1]], names(shown[-1])), "detail")
    plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The eight people nearest to the centre of each cluster of the finer division, as annotated.", "name": "fig-detail-people"}, "image": {"alt": "Rows of people with skeletons, one row a cluster"}}
nearest_people(shown[-1])
plt.show()

# %% [markdown]
# {{ runs["06_clusters"].say.postures }}
#
# ## Maps
#
# With that said, maps. Two seeds side by side show what chance does, two sizes of neighbourhood what the choice of a parameter does; the first two principal
# components are the baseline. *Trustworthiness* {cite:p}`venna2001` falls where people are neighbours on the map who are not by their codes, *continuity* where
# neighbours are torn apart. 1 is perfect and a random map has 0.5. *Far distances* is the rank correlation of all distances between people on the map
# and by their codes.

# %% tags=["hide-input"]
maps = {f"UMAP, {n} neighbours, seed {seed + s}": plane for (n, s), plane in planes.items()}
maps["two principal components"] = points[:, :2]
judged = {name: (points, plane) for name, plane in maps.items()}
judged["people at random"] = (points, np.random.default_rng(seed).permutation(main))
judged["UMAP of no structure (control)"] = (control, empty)
near = min(15, (count - 1) // 2)

# %% tags=["show-input"]
measures = {
    name: embedding.faithfulness(space, plane, neighbours=near, seed=seed)
    | {"far distances": embedding.far_distances(space, plane, seed=seed)}
    for name, (space, plane) in judged.items()
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Maps of the same people; each person has the same colour in all of them, that of the cluster in the finer division. The two seeds of one neighbourhood are turned and scaled onto each other. Last, the cloud without clusters, coloured by the clusters that k-means makes of it. T is trustworthiness, C continuity.", "name": "fig-maps"}, "image": {"alt": "Four UMAP maps and a plane of two principal components, coloured by cluster"}}
disparities = {n: embedding.disparity(planes[n, 0], planes[n, 1], seed=seed) for n in neighbours}
disparities["sizes"] = embedding.disparity(planes[neighbours[0], 0], planes[neighbours[-1], 0], seed=seed)

labels = found["everyone"][fine].labels
order = [f"UMAP, {n} neighbours, seed {seed + s}" for s in (0, 1) for n in neighbours]
order.insert(len(neighbours), "two principal components")
order.append("UMAP of no structure (control)")
drawn = {name: (plane, labels) for name, plane in maps.items()} | {order[-1]: (empty, found["no structure (control)"][fine].labels)}
titled = {
    f"{name}\nT {measures[name]['trustworthiness']['mean']:.2f}  C {measures[name]['continuity']['mean']:.2f}": drawn[name]
    for name in order
}
run.save_figure(draw.planes(titled, columns=len(neighbours) + 1), "maps")
plt.show()

# %% tags=["hide-input"]
tabled([{"map": name} | {key: spoken(block) for key, block in m.items()} for name, m in measures.items()])

# %% [markdown]
# {{ runs["06_clusters"].say.maps }}
#
# ### Look around
#
# Touch a point, or move over it, to see its person; the list chooses what the colours mean.

# %% tags=["hide-input"]
by_colour = {f"{shown[0]} clusters": found["everyone"][shown[0]].labels, f"{fine} clusters": labels,
             "error of the prediction (torso lengths)": error} | known  # fmt: skip
sheet = drawing.sheet([crops[i] for i in range(count)], crops.keypoints, skeleton, side=48)
HTML(interactive.explorer(main, by_colour, sheet, side=48))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same map in print, coloured by the error of the prediction (torso lengths) and by attributes: those that the place on the map explains best (by a quadratic fit), leaving out what says the same again. Grey: not defined.", "name": "fig-coloured"}, "image": {"alt": "Six copies of the map under different colours"}}
where = PolynomialFeatures(2).fit_transform(main - main.mean(0))
explained = {}
for name, column in known.items():
    defined = np.isfinite(column)
    explained[name] = LinearRegression().fit(where[defined], column[defined]).score(where[defined], column[defined])
most = distinct(sorted(explained, key=lambda name: -explained[name]), 5)
run.save_figure(draw.planes({"error": (main, error)} | {name: (main, known[name]) for name in most}), "coloured")
plt.show()

# %% [markdown]
# ## At full scale
#
# The study stopped at 10,000 of its 124,040 codes: memory allowed no more. It is not k-means that needs it: a silhouette compares each person with every
# other, and the table of distances grows with the square of the people. {{ runs["06_clusters"].say.scale }}

# %% tags=["hide-input"]
large = {}
if scale:
    deviations = points.std(0)
    many = np.random.default_rng(seed).normal(size=(scale, points.shape[1])).astype(np.float32) * deviations.astype(np.float32)
    tracemalloc.start()
    clock = time.perf_counter()
    divided = clusters.kmeans(many, 2, seed=seed)
    large["k-means seconds"] = time.perf_counter() - clock
    sampled = clusters.mean(clusters.silhouettes(many, {2: divided}, seed=seed)[2], seed)
    large |= {"seconds": time.perf_counter() - clock, "megabytes": tracemalloc.get_traced_memory()[1] / 1e6, "silhouette": sampled}
    tracemalloc.stop()
    large |= {"people": scale, "points megabytes": many.nbytes / 1e6}

# %% [markdown]
# ## Verdicts
#
# The study's claims, and what they come to on rendered people and on real photographs. One column is this edition's own; the other is the reference run's, whose numbers
# are kept with the sources.

# %% tags=["hide-input"]
gap = valleys["everyone"]["high"] < 1
parted = gap and valleys["everyone"]["high"] < valleys["no structure (control)"]["low"]
in_first = {record["attribute"]: record for record in rich[shown[0]] if record["cluster"] == 0}

# %% tags=["remove-cell"]
top = [in_first[name] for name in distinct(sorted(in_first, key=lambda name: -abs(in_first[name]["difference"])), 3)]


def than(measure):
    """Whether UMAP's measure is above that of two components, by their intervals."""
    one, other = measures[next(iter(maps))][measure], measures["two principal components"][measure]
    return "better than" if one["low"] > other["high"] else "worse than" if one["high"] < other["low"] else "about as well as"


def size_of(record):
    """A difference without its sign."""
    low, high = sorted((abs(record["low"]), abs(record["high"])))
    return spoken({"mean": abs(record["difference"]), "low": low if record["low"] * record["high"] > 0 else 0, "high": high})


claims = {
    f"The silhouette is highest at K = {tried[0]}": (
        f"{'Holds' if chosen == tried[0] and lead['low'] > 0 else 'Undecided' if lead['low'] <= 0 else 'Fails'}: K = {chosen} has {spoken(silhouettes['everyone'][chosen], 3)}, "
        f"{spoken(lead, 3)} more than K = {runner_up}"
    ),
    "… and is more than one cloud would give": (
        f"{'Holds' if excess[tried[0]]['low'] > 0 else 'Not shown'}, by {spoken(excess[tried[0]], 3)}; one cloud gives {spoken(silhouettes['no structure (control)'][tried[0]], 3)}"
    ),
    "… so people form two groups": (
        f"{'Holds' if parted else 'No valley shown'}: density at the border over that at the centres {spoken(valleys['everyone'])}, in one cloud {spoken(valleys['no structure (control)'])}"
    ),
    "Two clusters come back with other people": (
        f"Adjusted Rand {spoken(stable['everyone'][tried[0]])}, in one cloud {spoken(stable['no structure (control)'][tried[0]])}"
    ),
    "What the two differ in most (standard deviations)": "; ".join(f"{record['attribute']} {size_of(record)}" for record in top)
    or "No attribute is defined for enough people",
    "UMAP keeps neighbours better than two components": (
        f"{dict(zip(('better than', 'worse than', 'about as well as'), ('Holds', 'Fails', 'Undecided'), strict=True))[than('trustworthiness')]}: trustworthiness "
        f"{spoken(measures[next(iter(maps))]['trustworthiness'], 3)} against {spoken(measures['two principal components']['trustworthiness'], 3)}; "
        f"far distances {spoken(measures[next(iter(maps))]['far distances'])} against {spoken(measures['two principal components']['far distances'])}"
    ),
    "All 124,040 codes do not fit into memory": (
        f"Not needed: {large['people']:,} people in {large['seconds']:.1f} s and {large['megabytes']:.0f} MB" if large else "not tried here"
    ),
}

# %% [markdown]
# {{ runs["06_clusters"].say.table }}

# %% [markdown]
# ## What this does not show
#
# That the network has no concept of a sitting person: a concept can be a direction without being a group. That there are no groups in a wider set of people than these, or at
# another place of the network. And that a division is of no use: it says along what the codes vary most. But whoever speaks of clusters of pose should show the
# valley between them.

# %% tags=["hide-input"]
whole = clusters.agreement(clusters.kmeans(codes, tried[0], seed=seed).labels, two.labels, seed=seed)
posture = {}
if rendered:
    kinds = table.factors["posture"].astype(int)
    nearest_k = max(tried, key=lambda k: adjusted_rand_score(kinds, found["everyone"][k].labels))
    posture = {"k": nearest_k, "agreement": clusters.agreement(found["everyone"][nearest_k].labels, kinds, seed=seed)}


# %% tags=["remove-cell"]
def best_words():
    sure = "more than" if lead["low"] > 0 else "not clearly more than"
    return f"The silhouette is highest for **K = {chosen}**, {spoken(silhouettes['everyone'][chosen], 3)}: by {spoken(lead, 3)} {sure} for K = {runner_up}, over the same people."


def complete_words():
    name = "fully annotated"
    if name not in groups:
        reason = "all are fully annotated" if complete.all() else f"only {complete.sum():,} are fully annotated, too few to ask separately"
        return f"Of these people {reason}."
    best, second, ahead = clusters.best(values[name], halved[name])
    return f"Among the {complete.sum():,} fully annotated, it is highest for K = {best}, {spoken(silhouettes[name][best], 3)}, and leads K = {second} by {spoken(ahead, 3)}."


def control_words():
    name, k = "no structure (control)", tried[0]
    return (
        f"one cloud without clusters is best cut into {clusters.best(values[name], halved[name])[0]}, with {spoken(silhouettes[name][k], 3)}. Beside {len(controlled[k])} such clouds, "
        f"in {k} clusters, people are {spoken(excess[k], 3)} higher; where that interval holds 0, they are not told from a cloud."
    )


def gap_words():
    power = f" With {count:,} people the test shows two equal groups 4 times in 5 from {seen_from:g} standard deviations apart; nearer ones it may miss."
    if parted:
        return "Here there is a valley, and it is deeper than the control's." + power
    if gap:
        return "There is a shallow valley, no deeper than what cutting one cloud in two may leave." + power
    return "No valley is shown." + power


def density_words():
    most_found = max(density, key=lambda row: row["people: clusters"])
    full = [row for row in density if row["components"] == density[-1]["components"]]
    quiet = min(full, key=lambda row: row["people: noise"]["mean"])
    counted = quiet["people: clusters"]
    words = (
        f"In all {quiet['components']} components it finds {counted or 'no'} cluster{'' if counted == 1 else 's'} and leaves {percent(quiet['people: noise'])} of the people as noise; "
        f"of the cloud without clusters, {quiet['control: clusters'] or 'none'} and {percent(quiet['control: noise'])}."
    )
    if most_found["people: clusters"] > counted:
        words += (
            f" The most that it finds is {most_found['people: clusters']}, in {most_found['components']} components, with {percent(most_found['people: noise'])} left as noise; "
            f"in the cloud without clusters it finds {most_found['control: clusters'] or 'none'} there."
        )
    alone = [row for row in density if row["people: clusters"] > 1 and not row["control: clusters"]]
    if alone:
        told = "; ".join(
            f"{row['people: clusters']} in {row['components']} components, with {percent(row['people: noise'])} left over" for row in alone
        )
        words += f" Where that cloud has none, people have {told}."
    return words


def meaning_words():
    if not top:
        return "No attribute is defined for enough people to say what the two clusters differ in."
    words = [f"*{record['attribute']}*, by {size_of(record)} standard deviations" for record in top]
    return f"The two clusters differ most in {words[0]}" + (f"; then in {' and in '.join(words[1:])}." if words[1:] else ".")


def near_words():
    ratios = []
    for cluster, index in enumerate(clusters.nearest(points, two, 8)):
        lengths = np.linalg.norm(points - two.centres[cluster], axis=1)
        ratios.append(lengths[index].mean() / lengths[two.labels == cluster].mean())
    return (
        f"Those nearest to a centre are at {100 * min(ratios):.0f} % and {100 * max(ratios):.0f} % of the mean distance of their cluster's people from it: in so many dimensions the middle of "
        "a cluster is empty, and its nearest people show what is usual, not a type."
    )


def posture_words():
    if not posture:
        return "Photographs come without a list of postures to compare the clusters with."
    near_chance = posture["agreement"]["high"] < 0.2
    return (
        f"The mannequins were made in {len(np.unique(kinds))} kinds of posture. No clustering comes nearer to those than that into {posture['k']}, with an adjusted Rand index of "
        f"{spoken(posture['agreement'])}: " + ("hardly more than chance. The codes are not sorted by posture." if near_chance else "the two have something in common.")
    )  # fmt: skip


def map_words():
    first, plain, none = measures[next(iter(maps))], measures["two principal components"], measures["UMAP of no structure (control)"]
    return (
        f"UMAP keeps neighbours {than('trustworthiness')} two components do ({first['trustworthiness']['mean']:.2f} against {plain['trustworthiness']['mean']:.2f}), and far distances {than('far distances')} they do "
        f"({first['far distances']['mean']:.2f} against {plain['far distances']['mean']:.2f}). A good score is no sign of groups: the map of nothing has a trustworthiness of "
        f"{none['trustworthiness']['mean']:.2f}. Between two seeds, after turning and scaling, "
        + " and ".join(f"{spoken(disparities[n], 3)} of the variance disagrees with {n} neighbours" for n in neighbours)
        + f"; between the two sizes of neighbourhood, {spoken(disparities['sizes'], 3)} (Procrustes disparity: 0 the same map, 1 unrelated ones)."
    )


def scale_words():
    if not large:
        return "The trial is left out of this edition."
    return (
        f"For {scale:,} people it would hold {scale**2 * 8 / 1e9:,.3g} GB, and for 10,000 {10_000**2 * 8 / 1e9:.1f} GB. Over a sample of {clusters.SAMPLE:,} people, with an interval, it costs nothing. "
        f"Tried on {scale:,} points drawn with the variances of these codes: two clusters{' by mini-batches' if scale > clusters.EXACT else ''} in {large['k-means seconds']:.1f} s {'from the best of ten beginnings' if scale > clusters.EXACT else 'with ten restarts'}, {large['seconds']:.1f} s with the silhouette "
        f"({spoken(large['silhouette'], 3)}), in {large['megabytes']:.0f} MB beside the {large['points megabytes']:.0f} MB of the points."
    )


source, _, split = parse_spec(data)
run.write_metrics(
    {
        "network": card.name,
        "place": hook_point,
        "data": f"{source}@{split}" if split else source,
        "people": count,
        "fingerprint": table.fingerprint(),
        "variance": float(reduction.explained_variance_ratio_.sum()),
        "silhouettes": silhouettes,
        "stability": stable,
        "excess": excess,
        "best": {"k": chosen, "next": runner_up, "lead": lead},
        "valley": valleys | {"seen from": seen_from},
        "whole codes": whole,
        "density": density,
        "enrichment": rich,
        "attributes refused": refused,
        "postures": posture,
        "maps": measures,
        "disparity": disparities,
        "scale": large,
        "verdicts": claims,
        "seconds": time.monotonic() - started,
        "say": {
            "dimensions": f"{codes.shape[1]:,}",
            "people": f"{count:,} mannequins" if rendered else f"{count:,} people of {source}",
            "place": hook_point,
            "network": card.name,
            "seen": seen(card, crops),
            "components": str(points.shape[1]),
            "variance": f"{100 * reduction.explained_variance_ratio_.sum():.0f} %",
            "whole": spoken(whole),
            "best": best_words(),
            "complete": complete_words(),
            "control": control_words(),
            "valley": f"{spoken(valleys['everyone'])}, and {spoken(valleys['no structure (control)'])} for the control",
            "gap": gap_words(),
            "density": density_words(),
            "meaning": meaning_words(),
            "near": near_words(),
            "postures": posture_words(),
            "maps": map_words(),
            "scale": scale_words(),
            "table": side_by_side("06_clusters", data, claims),
        },
    }
)
