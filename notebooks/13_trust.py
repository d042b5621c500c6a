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
# # Confidence, errors, robustness
#
# The network predicts a left wrist with a peak of 0.8 in its heatmap. Is the prediction right in 80 % of such cases? Which errors does the
# network make, and how much accuracy is lost to blur, darkness, occlusion or a shifted box?
#
# {{ runs["13_trust"].say.answer }}
#
# The network is *{{ runs["13_trust"].say.network }}*. A joint is *found* within 0.2 torso lengths of its annotation throughout.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
networks: list[str] = []  # others whose errors are compared, on the same people
data = "mannequins:6000"  # NAME[:PATH], with splits val, to fit on, and test, to measure on
level = 0.9  # how often the radius is to hold the annotation
most = 400  # people to fit on, and to measure on
ablated_people = 100  # people whose errors are measured with skip connections replaced
worse_people = 60  # people whose pictures are made worse
probed = 600  # people for the probe of visibility
components = 40  # of the code, for that probe
explained = 16  # people whose maps of attribution are measured, one joint each
players_people = 16  # people for Shapley values
orders = 4  # of the joints, for Shapley values, each with its reverse
joints: list[str] = ["shoulder", "elbow", "wrist", "hip", "knee", "ankle"]  # to explain, of either side
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

# %% tags=["remove-cell"]
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

import posekit
from posekit import metrics
from posekit import plots as general
from posekit.coordinates import CONTEXT
from posekit.data import held_out
from posekit.data.people import parse_spec
from posekit.engine.trust import mistakes
from posekit.engine.trust.calibrate import WAYS, measure
from posekit.engine.trust.signals import SIGNALS
from posekit.files import plain
from posekit.interpret.activations import ablation
from posekit.interpret.activations.codes import code_hook_point, collect
from posekit.interpret.analysis import visibility
from posekit.interpret.attribution import dependency, indices, sanity, shapley
from posekit.interpret.attribution.explain import default_layer
from posekit.plots import attribution as maps_of
from posekit.plots import trust as plots
from posekit.workflow import runs
from posekit.workflow.words import trust as words

general.style()
run = runs.current()
started = time.monotonic()

# %% tags=["remove-cell"]
network = posekit.load(weights)
card, skeleton = network.card, network.skeleton
test = held_out(f"{data}@test", most, seed, on_error=on_error)
rendered = parse_spec(data)[0] == "mannequins"


def store(people, of=card):
    return posekit.crops(people, round(of.resolution * CONTEXT), aspect=of.aspect, on_error=on_error)


# %% [markdown]
# ## Is the confidence a probability?
#
# A heatmap offers several numbers as confidence. The *peak* is what `predict` returns as the score: the height of the map divided by that
# of the training target. The *mass* is the share of the map within 0.2 torso lengths of the predicted joint, where the torso is that of the
# prediction. If the map is read as a distribution of the joint's position, the mass is the probability that the joint is found. Confidence
# can be corrected afterwards by a *temperature*, one number that divides its logit {cite:p}`guo2017`, or by *isotonic regression*, a
# non-decreasing function. Both are fitted on the validation people and evaluated on the test people.

# %% tags=["show-input"]
trusted = posekit.calibrate(network, data, level=level, most=most, on_error=on_error, seed=seed)
scores = trusted.scores

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Reliability: in each bin of confidence, the share of joints found, with 95 % intervals over people. On the dotted line confidence equals the share found. Below, how many joints each bin holds.", "name": "fig-trust-reliability"}, "image": {"alt": "Five diagrams with a diagonal; the first two curves lie far from it, the others near it"}}
run.save_figure(plots.reliability(scores["diagrams"], scores["errors"]), "reliability")
plt.show()

# %% tags=["hide-input"]
pd.DataFrame(words.confidence_rows(plain(scores))).style.hide().set_caption(
    "Expected calibration error, with 95 % intervals over people; what a perfect confidence would have with so many joints; and the mean confidence less "
    "the share found."
)

# %% [markdown]
# {{ runs["13_trust"].say.confidence }} Resampling people adds scatter to each bin, which only raises a calibration error: the interval of
# a small error therefore lies mostly above it.
#
# ## Which number ranks best?
#
# A confidence can be wrong as a probability and still rank joints correctly, so that joints with a higher confidence are found more often.
# The area under the ROC curve (AUROC) measures this ranking. The risk–coverage curve shows how the error rate falls when the joints with
# the lowest confidence are set aside. *Entropy* and *spread* are computed from the map; *flip agreement* is how near the predictions for
# the picture and for its mirror image lie.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Risk and coverage: the share of joints not found among the joints kept (risk), by the share of joints kept, those with the highest confidence first (coverage).", "name": "fig-trust-risk"}, "image": {"alt": "Rising curves, the lowest of them the share of the map near the joint"}}
run.save_figure(plots.risk_coverage(scores["risk"]), "risk")
plt.show()

# %% tags=["hide-input"]
pd.DataFrame(words.ranking_rows(plain(scores))).style.hide().set_caption(
    "How well each confidence ranks found joints above the others, and the share of joints not found among the half with the higher confidence."
)

# %% [markdown]
# {{ runs["13_trust"].say.ranking }}
#
# ## A radius for each joint
#
# Split-conformal prediction {cite:p}`lei2018` gives each joint a circle that contains the annotation in {{ runs["13_trust"].say.level }} of
# people like those it was fitted on, whatever the distribution of the errors. Here the radius is the spread of the joint's own heatmap
# times a factor for that joint, so it grows where the network is uncertain.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "By joint. Left: how often the circle contains the annotation of test people, with 95 % intervals; dotted: the intended share. Right: the median radius. Left joints are in orange, right joints in blue.", "name": "fig-trust-radii"}, "image": {"alt": "Dots near a dotted line at ninety percent, and bars that are longest for wrists and ankles"}}
run.save_figure(plots.radii(scores["joints"], level), "radii")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Test people with the circle of each joint, as wide as is needed to hold the intended share of annotations: of {{ runs['13_trust'].say.circled }} people, those with the narrowest circles on average (left), with the widest (right), and two between.", "name": "fig-trust-circles"}, "image": {"alt": "Four people with coloured skeletons and a thin circle round each joint, small at the left and large at the right"}}
some = test[np.random.default_rng(seed).permutation(len(test))[: words.CIRCLED]]
poses = [network.predict(some.read(name), some.boxes[i : i + 1], calibration=trusted.calibration) for i, name in enumerate(some.names)]
poses.sort(key=lambda found: np.nanmean(found.radii) / max(found.boxes[0, 2:]))
run.save_figure(plots.circles([poses[i] for i in np.linspace(0, len(poses) - 1, 4).astype(int)]), "circles")
plt.show()

# %% [markdown]
# {{ runs["13_trust"].say.radius }}
#
# ## Does the network represent what is hidden?
#
# {{ runs["13_trust"].say.visibility_method }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How well hidden joints are distinguished from visible ones (AUROC), joint by joint, with 95 % intervals: by a linear probe of the code and by two confidences. Dotted: chance.", "name": "fig-trust-visibility"}, "image": {"alt": "Dots for each joint between a half and one"}}
try:
    seen = store(held_out(data, probed, seed, on_error=on_error))
    visibility.askable(seen.people.keypoints[..., 2], seen.people.skeleton.joints)
    codes = collect(network.model, card, seen, code_hook_point(network.model), backend=network.backend)
    reduced = PCA(min(components, *codes.shape), random_state=seed).fit_transform(codes)
    own = measure(network, seen)
    flags = seen.people.keypoints[:, seen.people.skeleton.index(*own.joints.joints), 2]
    told = {name: own.signals[name] for name in ("peak", "mass")}
    hiddenness = visibility.visibility(reduced, flags, told, own.joints.joints, pictures=seen.people.picture_ids(), seed=seed)
    run.save_figure(plots.hidden_joints(hiddenness["joints"]), "visibility")
    plt.show()
except posekit.PosekitError as error:  # people whose hidden joints nobody marked
    hiddenness = {"joints": {}, "why": str(error)}

# %% [markdown]
# {{ runs["13_trust"].say.visibility }} *Clearly better* means that the two intervals do not overlap.
#
# ## Which errors remain?
#
# {cite:t}`ronchi2017` classify wrong joints by where they lie: *jitter*, near the right position but not near enough; *inversion*, near the
# same person's joint of the other side; *swap*, near another person's joint; *miss*, near none of these. *Near* is about twice the distance
# at which a joint counts as found. [The chapter on stacks](04_stacks) uses a narrower definition, an exchange within the distance that
# counts as found, and therefore counts fewer of them.

# %% tags=["show-input"]
found = {name: posekit.errors_of(name, test, on_error=on_error, seed=seed) for name in [weights, *networks]}
errors = found[weights]
skips = ablation.skip_groups(network.model) if getattr(network.model, "skip_groups", dict)() else {}
some, others = store(test.at_most(ablated_people, seed)), store(held_out(f"{data}@val", ablated_people, seed, on_error=on_error))
mean = ablation.mean(network.model, card, others, skips.get("all", []), backend=network.backend)
without = ablation.ablate(network.model, card, some, skips, {"mean": mean}, backend=network.backend)
intact = ablation.intact(network.model, card, some, backend=network.backend)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Every labelled joint by kind of error: for the network, and each stack and further network where there are more; and, on fewer people, for the network of this chapter as it is, and with the skip connections of one level or of all levels replaced by their mean over other people.", "name": "fig-trust-errors"}, "image": {"alt": "Horizontal bars, most of each grey for found joints, and behind it coloured parts for kinds of errors"}}
rows = words.error_rows({card.name if name == weights else name: block["stacks"] for name, block in found.items()})
torsos, truth = metrics.torso(some.people.keypoints, some.people.skeleton), some.people.keypoints
ablations = {}
if some.people.skeleton.joints == skeleton.joints:
    replaced = {"nothing": intact} | {group: ways["mean"] for group, ways in without.items()}
    for group, predicted in replaced.items():
        kinds = mistakes.by_torso(predicted[-1], truth, torsos, skeleton, some.people.picture_ids())
        ablations[group] = mistakes.summary(kinds, skeleton, some.people.picture_ids(), seed=seed)
rows |= {words.ablated_row(group): block["kinds"] for group, block in ablations.items()}
run.save_figure(plots.mistake_bars(rows), "errors")
plt.show()

# %% tags=["hide-input"]
pd.DataFrame(words.repair_rows(plain(errors))).style.hide().set_caption(
    "Kinds of errors of this chapter’s network, and what the score would be with each kind repaired."
    + (" Similarity is COCO’s object keypoint similarity." if "oks" in errors else "")
)

# %% [markdown]
# {{ runs["13_trust"].say.errors }} Where the table has an OKS-AP, that in the row *found* is the one as it is.
#
# ## What does a worse picture cost?
#
# The network's view of the same people is degraded step by step, by the corruptions of PoseBench {cite:p}`ma2024` and by boxes that are
# rotated, too large, too small or shifted. In {numref}`fig-trust-robustness` the dashed line is how far the code moves, relative to the mean distance between the codes of
# two people.

# %% tags=["show-input"]
worse = posekit.robustness(network, test.at_most(worse_people, seed), on_error=on_error, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Joints found as the view is degraded; the first tick is the unchanged view, and bands are 95 % intervals over people. Dashed, right axis: how far the code moves, relative to the distance between two people.", "name": "fig-trust-robustness"}, "image": {"alt": "Ten small panels with falling solid lines and rising dashed ones"}}
run.save_figure(plots.robustness_curves(worse["clean"], worse["families"]), "robustness")
plt.show()

# %% [markdown]
# {{ runs["13_trust"].say.robustness }}
#
# ## Attribution in numbers
#
# [The chapter on attribution](07_explanations) tests whether maps depend on the network. Here four indices after PoseIG {cite:p}`he2023`
# describe the maps: *diffusion*, how evenly a map is spread; *foreground*, its share on the person's silhouette, for mannequins alone;
# *locality*, its share near the joint itself; *relation*, its share near the person's other joints. In {numref}`fig-trust-indices` the dotted line is the
# value for a uniform map.

# %% tags=["show-input"]
sides = [f"{side} {joint}" for joint in joints for side in ("left", "right")]
cases = sanity.draw_cases(network.model, card, store(test), sides, people=explained, seed=seed)
methods = ["saliency", "guided-backprop", "deconvnet", "occlusion", "integrated-gradients"]
ways = {method.replace("-", " "): sanity.by(card, method) for method in methods}
ways["Grad-CAM"] = sanity.by(card, "grad-cam", default_layer(network.model))
controls = {"edges": sanity.edges, "noise": sanity.noise, "the answer": sanity.answer_maps(card)}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The indices of each attribution method, with 95 % intervals over people. Grey: controls. Dotted: a uniform map.", "name": "fig-trust-indices"}, "image": {"alt": "Three or four panels with a dot for each method"}}
near, elsewhere = indices.neighbourhoods(store(test), cases, card.resolution)
bodies = sanity.part_masks(store(test), cases.rows, card.resolution) > 0 if rendered else None
table, refused = {}, {}
for name, way in (ways | controls).items():
    try:
        values = indices.indices(way(network.model, cases), near, elsewhere, bodies)
        table[name] = {index: sanity.mean_interval(column, seed=seed) for index, column in values.items()}
    except posekit.PosekitError as error:  # a network without ReLUs, say
        refused[name] = str(error)
even = {"locality": near.mean(), "relation": elsewhere.mean()} | ({"foreground": bodies.mean()} if rendered else {})
run.save_figure(plots.attribution_indices(table, even, list(controls)), "indices")
plt.show()

# %% [markdown]
# {{ runs["13_trust"].say.indices }}
#
# The *dependency matrix* of that chapter hides one joint while everything else stays visible. Two joints that can replace each other then
# both look unneeded. *Shapley values* {cite:p}`qiu2024` average what showing a joint adds over all subsets of the other joints. They divide
# among the joints the whole gain from showing all joints instead of none.

# %% tags=["show-input"]
players = store(test.at_most(players_people, seed))
game = shapley.shapley(network.model, card, players, orders=orders, seed=seed, backend=network.backend)
hidden = dependency.dependency(network.model, card, players, seed=seed, backend=network.backend)
alike = dependency.agreement(game.values, hidden.effect, pictures=hidden.pictures, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Shapley values: by how many hundredths of the torso the prediction of a joint (column) stays nearer to that on the whole picture because a joint (row) is visible. Pale cells with grey numbers: the 95 % interval over people contains 0.{{ runs['13_trust'].say.blank }}", "name": "fig-trust-shapley"}, "image": {"alt": "A square table with a strong diagonal"}}
effect = dependency.matrix_interval(game.values, pictures=hidden.pictures, seed=seed)
run.save_figure(
    maps_of.dependency_matrix(effect["mean"], (effect["low"] > 0) | (effect["high"] < 0), skeleton, "stays in place", "in sight"), "shapley"
)
plt.show()

# %% [markdown]
# {{ runs["13_trust"].say.shapley }}
#
# ## The verdict
#
# {{ runs["13_trust"].say.table }}
#
# ## What this does not show
#
# A calibration holds for people like those it was fitted on, cropped with boxes like theirs; on other photographs, or without a box, its
# probabilities and radii can be wrong. The validation people also chose the epoch at which training stopped, which makes the network look a
# little better on them than on new people. The radius holds on average over people, not for each kind of pose. A joint that the annotator
# put on the wrong side counts as an inversion of the network, so some inversions are errors of the labels. Corruptions are synthetic, not
# photographed. Shapley values and the dependency matrix hide joints by a blur that the network has never seen.

# %% tags=["remove-cell"]
measured = plain(
    {
        "network": card.name, "rendered": rendered, "people": len(test), "confidence": scores, "ways": list(WAYS), "signals": list(SIGNALS),
        "visibility": hiddenness, "errors": {name: dict(block) for name, block in found.items()}, "first": weights, "ablations": ablations,
        "robustness": dict(worse), "indices": {"table": table, "even": even, "controls": list(controls), "refused": refused, "people": len(cases)},
        "shapley": {
            "effect": effect, "joints": list(skeleton.joints), "people": len(game.values), "agreement": alike,
            "own": shapley.own_share(game, pictures=hidden.pictures, seed=seed),
        },
        "seconds": time.monotonic() - started,
    }
)  # fmt: skip
run.write_metrics(measured | {"verdicts": words.verdicts(measured), "say": words.sentences(measured, data)})
