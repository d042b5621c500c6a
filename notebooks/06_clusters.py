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
# A person's *code* is the {{ runs["06_clusters"].say.dimensions }} numbers at the bottleneck of the hourglass. If the network sorted people
# into kinds, such as standing and sitting, the codes would lie in groups. The study that this book repeats clustered codes with k-means,
# chose two clusters, and drew maps with UMAP. Are the two clusters groups?
#
# {{ runs["06_clusters"].say.answer }}
#
# The chapter repeats the clustering and the maps with intervals. It applies the same methods to a *control*: as many points from one normal
# distribution of the same covariance, which has no groups. The codes are those of {{ runs["06_clusters"].say.people }}, at
# {{ runs["06_clusters"].say.hook_point }} of *{{ runs["06_clusters"].say.network }}*. Everything below is computed on the codes' first
# {{ runs["06_clusters"].say.components }} principal components, not whitened, which hold {{ runs["06_clusters"].say.variance }} of their
# variance and take a fraction of the memory. Little is lost: two clusters of the whole codes and two clusters of the components have an
# adjusted Rand index of {{ runs["06_clusters"].say.whole }} (1 is complete agreement, 0 is chance).

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
stack = -1  # whose code: the first stack is 0, the last -1
people = 2000  # maximum number of people, drawn at random
components = 50  # principal components that the codes are reduced to
ks: list[int] = [2, 3, 4, 5, 6, 7, 8, 9, 10]  # numbers of clusters
detail = 6  # a finer number of clusters to look at, besides the best
pairs = 12  # pairs of resamples for the stability
neighbours: list[int] = [15, 50]  # UMAP's neighbourhoods: two sizes
scale = 124040  # people in the trial of the full scale; 0 for none
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

# %% tags=["remove-cell"]
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
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
from posekit.errors import PosekitError
from posekit.interpret.activations.codes import code_hook_point, codes_and_predictions
from posekit.interpret.analysis import clusters, embedding
from posekit.interpret.analysis.attributes import attributes, distinct, factors, usable
from posekit.plots.codes import clusters as draw
from posekit.plots.codes import interactive
from posekit.workflow import runs, words
from posekit.workflow.words import clusters as words_of
from posekit.workflow.words import ranged, share

plots.style()
run = runs.current()
backend = Backend.best()
started = time.monotonic()

# %% tags=["remove-cell"]
network, card = weight_files.load(weights)
hook_point = code_hook_point(network, stack)
table = held_out(data, people, seed, on_error=on_error)
crops = posekit.crops(table, int(card.resolution * CONTEXT), aspect=card.aspect, on_error=on_error)
table, skeleton, count = crops.people, crops.people.skeleton, len(crops)
if count <= max(*ks, detail):
    raise PosekitError(
        f"{data}: {count} people, too few for {max(*ks, detail)} clusters; give more people, or smaller numbers in ks and detail"
    )

# %% tags=["show-input"]
codes, predicted = codes_and_predictions(network, card, crops, hook_point, backend=backend)
reduction = PCA(min(components, *codes.shape), random_state=seed).fit(codes)
points = reduction.transform(codes).astype(float)
control = clusters.structureless(points, seed)

# %% tags=["hide-input"]
error = metrics.person_error(predicted, table.keypoints, skeleton)
known, refused = usable(attributes(table.keypoints, skeleton, table.boxes) | factors(table))
complete = (table.keypoints[..., 2] > 0).all(1)
rendered = bool(table.factors)


# %% tags=["remove-cell"]
def tabled(rows):
    """Rows of words as a table of the page."""
    return HTML(pd.DataFrame(rows).to_html(index=False, border=0, justify="left"))


# %% [markdown]
# ## Before any map
#
# UMAP {cite:p}`mcinnes2018` places people on a plane so that neighbours stay neighbours. It optimises nothing else. The size of an island
# on such a map, the distance to the next island, and which islands lie side by side therefore mean next to nothing {cite:p}`coenen2019`.
# One of the maps below shows the people's codes; another shows the control, which has no structure to find.

# %% tags=["show-input"]
planes = {(n, s): embedding.umap(points, neighbours=min(n, count - 1), seed=seed + s) for n in neighbours for s in (0, 1)}
for (n, s), plane in planes.items():
    if s:
        planes[n, s] = embedding.aligned(plane, planes[n, 0])  # turned for the eye; no measure below changes

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, UMAP of people's codes. Middle, UMAP of as many points from one normal distribution of the same covariance: every shape in it was made by UMAP. Right, the people's first two principal components. Colour is each person's (or point's) first principal component.", "name": "fig-caveat"}, "image": {"alt": "A map of people, a map of structureless points, and a plain cloud"}}
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
# k-means divides any cloud into as many clusters as requested. Two questions distinguish clusters from slices of one cloud. Are people
# nearer to those of their own cluster than to those of the next? The *silhouette* {cite:p}`rousseeuw1987` answers person by person, from −1
# to 1. Do other people give the same clusters? Two resamples are clustered separately, and the *adjusted Rand index* compares how the
# people in both were grouped. Each clustering is the best of ten random starts; for resamples, of three.

# %% tags=["hide-input"]
tried = clusters.possible(ks, count)
groups, images = {"everyone": points}, {"everyone": table.picture_ids(), "no structure (control)": None}  # images of who may share one
if complete.sum() >= clusters.LEAST * max(tried) and not complete.all():
    groups["fully annotated"] = points[complete]
    images["fully annotated"] = table.picture_ids()[complete]
groups["no structure (control)"] = control

# %% tags=["show-input"]
found = {name: {k: clusters.kmeans(cloud, k, seed=seed) for k in tried} for name, cloud in groups.items()}
values = {name: clusters.silhouettes(groups[name], divided, seed=seed) for name, divided in found.items()}
halved = {name: clusters.halves(cloud, tried, pictures=images[name], seed=seed) for name, cloud in groups.items()}
silhouettes = {name: {k: clusters.over_halves(v.mean(), halved[name][k]) for k, v in by_k.items()} for name, by_k in values.items()}
stable = {
    name: {k: clusters.cluster_stability(groups[name], k, pairs=pairs, pictures=images[name], seed=seed) for k in tried}
    for name in ("everyone", "no structure (control)")
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, the mean silhouette of k-means with its 95 % interval over people, computed from halves of the people, each clustered anew. Right, the agreement of clusterings of two resamples, with the middle 95 % of the pairs. Grey: the same on points from one normal distribution of the same covariance, which has no clusters.", "name": "fig-silhouettes"}, "image": {"alt": "Falling curves of silhouette and stability over the number of clusters, those of people little above those of the control"}}
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
# A maximum alone says little. By the rule of thumb of {cite:t}`kaufman1990`, a mean silhouette of 0.25 or less is no substantial structure,
# and {{ runs["06_clusters"].say.control }} An excess shows only that the codes are not normally distributed; it is no evidence of groups. An elongated cloud without groups also has a best cut, across its longest axis. The cut itself
# is more telling: between two separate groups there are few people.

# %% tags=["show-input"]
positions = {name: clusters.between(groups[name], found[name][tried[0]]) for name in ("everyone", "no structure (control)")}
valleys = {name: clusters.valley(where, pictures=images[name], seed=seed) for name, where in positions.items()}
seen_from = clusters.valley_seen_from(count, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, the share of people by position along the line between the centres of the two clusters (full lines); the dotted line is the border. Right, the same for the control.", "name": "fig-border"}, "image": {"alt": "Histograms along the line between two cluster centres"}}
run.save_figure(draw.border(positions), "border")
plt.show()

# %% [markdown]
# The density at the border over the lower of those at the centres is {{ runs["06_clusters"].say.valley }}. Separate groups give less than
# 1; at 1 or above, there is no gap by this measure, whatever the histogram of few people suggests. {{ runs["06_clusters"].say.gap }}
#
# **HDBSCAN** {cite:p}`campello2013` chooses the number of clusters itself, and may find none: it looks for dense regions and calls all
# other people noise. In {{ runs["06_clusters"].say.components }} dimensions everybody is far from everybody else, so HDBSCAN is also
# applied to the first few components only.

# %% tags=["hide-input"]
density = []
for dimensions in sorted({min(d, points.shape[1]) for d in (2, 5, 10, components)}):
    for smallest in sorted({max(5, count // 100), max(5, count // 20)}):
        row = {"components": dimensions, "at least": smallest}
        for name, cloud, pictures in (("people", points, table.picture_ids()), ("control", control, None)):
            labels = clusters.dense(cloud[:, :dimensions], smallest)
            row |= {
                f"{name}: clusters": int(labels.max()) + 1,
                f"{name}: noise": clusters.mean_over_people((labels < 0).astype(float), seed, pictures=pictures),
            }
        density.append(row)
tabled([{key: share(value) if isinstance(value, dict) else value for key, value in row.items()} for row in density])

# %% [markdown]
# *At least* is the size of the smallest cluster that counts; *noise* is the share of people in no cluster.
# {{ runs["06_clusters"].say.density }}
#
# ## What is in a cluster
#
# Whether clusters are groups or slices, they show in what the codes vary most. {{ runs["06_clusters"].say.meaning }} Attributes are
# computed from the annotated keypoints; those of mannequins marked *true* are factors of the rendering. Neither the network nor
# k-means was given them.

# %% tags=["show-input"]
fine = detail if detail in tried else max(tried)
shown = list(dict.fromkeys([tried[0], fine]))
rich = {k: clusters.enrichment(found["everyone"][k].labels, known, pictures=table.picture_ids()) for k in shown}


# %% tags=["hide-input"] mystnb={"figure": {"caption": "What the two clusters differ in: the mean of cluster 1 less that of cluster 2, in standard deviations of the attribute, with its 95 % interval; grey where the interval contains 0. Attributes that differ most come first; at most 18 are drawn.", "name": "fig-two"}, "image": {"alt": "A dot with an interval for each attribute"}}
def names(k):
    """Each cluster's number and size."""
    return [f"{i + 1}\n{size:,} people" for i, size in enumerate(found["everyone"][k].sizes)]


def nearest_people(k):
    """The people nearest to each centre, by cluster."""
    index = clusters.nearest_to_centres(points, found["everyone"][k], 8)
    return draw.gallery({f"cluster {c + 1}": [(crops[i], crops.keypoints[i]) for i in row] for c, row in enumerate(index)}, skeleton)


if rich[shown[0]]:
    run.save_figure(draw.attribute_differences([record for record in rich[shown[0]] if record["cluster"] == 0]), "two")
    plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The eight people nearest to each of the two centres, with their annotated skeletons. Even these are far from the centre; see the text.", "name": "fig-two-people"}, "image": {"alt": "Two rows of people with skeletons"}}
nearest_people(shown[0])
plt.show()

# %% [markdown]
# {{ runs["06_clusters"].say.near }}
#
# The next figures, and the maps below, show a finer division of the same people, by k-means into as many clusters as the parameter `detail`
# says. It was chosen to look at people, not by any test: another number would do as well.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "A finer division: the difference between people in a cluster and all others, in standard deviations of the attribute, with half the width of its 95 % interval; pale grey numbers where the interval contains 0.", "name": "fig-detail"}, "image": {"alt": "A matrix of attributes by clusters"}}
if rich[shown[-1]]:
    run.save_figure(draw.enrichment_bars(rich[shown[-1]], names(shown[-1])), "detail")
    plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The eight people nearest to the centre of each cluster of the finer division, as annotated.", "name": "fig-detail-people"}, "image": {"alt": "Rows of people with skeletons, one row a cluster"}}
nearest_people(shown[-1])
plt.show()

# %% [markdown]
# {{ runs["06_clusters"].say.postures }}
#
# (sec-clusters-maps)=
# ## Maps
#
# UMAP is run with two seeds, which shows the effect of chance, and with two neighbourhood sizes, which shows the effect of a parameter. The
# first two principal components are the baseline. *Trustworthiness* {cite:p}`venna2001` falls where neighbours on the map are not
# neighbours by their codes; *continuity* falls where neighbours by their codes are far apart on the map. Both are 1 for a perfect map and
# about 0.5 for a random one. *Far distances* is the rank correlation, over all pairs of people, of the distance on the map with the
# distance between codes.

# %% tags=["hide-input"]
maps = {f"UMAP, {n} neighbours, seed {seed + s}": plane for (n, s), plane in planes.items()}
maps["two principal components"] = points[:, :2]
judged = {name: (points, plane) for name, plane in maps.items()}
judged["people at random"] = (points, np.random.default_rng(seed).permutation(main))
judged["UMAP of no structure (control)"] = (control, empty)
near = min(15, (count - 1) // 2)

# %% tags=["show-input"]
measures = {
    name: embedding.faithfulness(space, plane, neighbours=near, pictures=ids, seed=seed)
    | {"far distances": embedding.far_distances(space, plane, pictures=ids, seed=seed)}
    for name, (space, plane) in judged.items()
    for ids in [None if space is control else table.picture_ids()]
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Maps of the same people; each person has the same colour in all of them, by cluster of the finer division. The two seeds of one neighbourhood are turned and scaled onto each other. Last, the cloud without clusters, coloured by the clusters that k-means makes of it. T is trustworthiness, C continuity.", "name": "fig-maps"}, "image": {"alt": "Four UMAP maps and a plane of two principal components, coloured by cluster"}}
disparities = {n: embedding.disparity(planes[n, 0], planes[n, 1], pictures=table.picture_ids(), seed=seed) for n in neighbours}
disparities["sizes"] = embedding.disparity(planes[neighbours[0], 0], planes[neighbours[-1], 0], pictures=table.picture_ids(), seed=seed)
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
tabled([{"map": name} | {key: ranged(block) for key, block in m.items()} for name, m in measures.items()])

# %% [markdown]
# {{ runs["06_clusters"].say.maps }}
#
# ### Look around
#
# On the web page, touch a point, or move the pointer over it, to see its person. The list chooses what the colours mean.

# %% tags=["hide-input"]
by_colour = {f"{shown[0]} clusters": found["everyone"][shown[0]].labels, f"{fine} clusters": labels,
             "error of the prediction (torso lengths)": error} | known  # fmt: skip
sheet = drawing.sheet([crops[i] for i in range(count)], crops.keypoints, skeleton, side=48)
HTML(interactive.explorer(main, by_colour, sheet, side=48))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The UMAP of the people, coloured by the error of the prediction (torso lengths) and by attributes: those that the position on the map explains best (by a quadratic fit), without near duplicates. Grey: not defined.", "name": "fig-coloured"}, "image": {"alt": "Six copies of the map under different colours"}}
where = PolynomialFeatures(2).fit_transform(main - main.mean(0))
explained = {}
for name, column in known.items():
    defined = np.isfinite(column)
    explained[name] = LinearRegression().fit(where[defined], column[defined]).score(where[defined], column[defined])
most = distinct(known, sorted(explained, key=lambda name: -explained[name]), 5)
run.save_figure(draw.planes({"error (torso lengths)": (main, error)} | {name: (main, known[name]) for name in most}), "coloured")
plt.show()

# %% [markdown]
# ## At full scale
#
# The study clustered 10,000 of its 124,040 codes, because memory allowed no more. k-means does not need that memory. The silhouette does:
# it compares each person with every other, in a table that grows with the square of the number of people.
# {{ runs["06_clusters"].say.scale }}

# %% tags=["hide-input"]
large = clusters.at_scale(points, scale, seed=seed) if scale else {}

# %% [markdown]
# ## In one table
#
# The table gives the study's claims on rendered people and on photographs. One column was measured in this edition; the other is quoted
# from the reference run, whose numbers are kept with the sources.
#
# {{ runs["06_clusters"].say.table }}
#
# ## What this does not show
#
# The chapter does not show that the network lacks a concept of a sitting person: a concept can be a direction in the code without being a
# group. Nor does it show that there are no groups in a wider set of people or at another layer, or that a division is useless: clusters
# describe in what the codes vary most. But whoever claims clusters of pose has to show a gap between them.

# %% tags=["hide-input"]
whole = clusters.rand_index(clusters.kmeans(codes, tried[0], seed=seed).labels, two.labels, pictures=table.picture_ids(), seed=seed)
posture = {}
if rendered:
    kinds = table.factors["posture"].astype(int)
    nearest_k = max(tried, key=lambda k: adjusted_rand_score(kinds, found["everyone"][k].labels))
    agreed = clusters.rand_index(found["everyone"][nearest_k].labels, kinds, pictures=table.picture_ids(), seed=seed)
    posture = {"k": nearest_k, "agreement": agreed, "kinds": len(np.unique(kinds))}
in_first = {record["attribute"]: record for record in rich[shown[0]] if record["cluster"] == 0}
differ_in = [in_first[name] for name in distinct(known, sorted(in_first, key=lambda name: -abs(in_first[name]["difference"])), 3)]


# %% tags=["remove-cell"]
def best_of(name):
    """The K of the highest silhouette, the next, and by how much it leads."""
    return dict(zip(("k", "next", "lead"), clusters.best(values[name], halved[name]), strict=True))


source, _, split = parse_spec(data)
full = "fully annotated"
result = {
    "network": card.name,
    "hook_point": hook_point,
    "data": f"{source}@{split}" if split else source,
    "source": source,
    "rendered": rendered,
    "seen": words.seen(card, crops),
    "people": count,
    "known": {name: int(np.isfinite(column).sum()) for name, column in known.items()},  # of how many people an attribute is
    "dimensions": codes.shape[1],
    "components": points.shape[1],
    "ks": tried,
    "fingerprint": table.fingerprint(),
    "variance": float(reduction.explained_variance_ratio_.sum()),
    "silhouettes": silhouettes,
    "stability": stable,
    "excess": excess,
    "best": {"k": chosen, "next": runner_up, "lead": lead},
    full: {"people": int(complete.sum())} | ({"best": best_of(full)} if full in groups else {}),
    "control": {"best": best_of("no structure (control)")["k"], "clouds": len(controlled[tried[0]])},
    "valley": valleys | {"seen from": seen_from},
    "whole codes": whole,
    "density": density,
    "enrichment": rich,
    "differ in": differ_in,
    "nearest": clusters.nearness(points, two, 8),
    "attributes refused": refused,
    "postures": posture,
    "maps": measures,
    "disparity": disparities,
    "scale": large,
    "seconds": time.monotonic() - started,
}
verdicts = words_of.verdicts(result)
say = words_of.sentences(result) | {"table": words.side_by_side("06_clusters", data, verdicts)}
run.write_metrics(result | {"verdicts": verdicts, "say": say})
