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
# # A network that we did not train
#
# Do the findings of this book hold for a network that others trained, on other data, for another purpose? *BlazePose*
# {cite:p}`bazarevsky2020` runs on phones. Its architecture resembles an hourglass: a MobileNetV2 {cite:p}`sandler2018` as encoder, a
# decoder that adds skip connections of three levels, and heatmaps. The published product does not use these heatmaps: they only served to
# train the encoder. It uses the *landmarks* of a second branch, which regresses coordinates from the deepest features.
#
# {{ runs["11_another_network"].say.answer }}
#
# {{ runs["11_another_network"].say.people }} {{ runs["11_another_network"].say.where }}

# %% tags=["parameters"]
own = "mannequins-hg1"  # the book's own network: a weights file or the name of shipped weights
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
people = 120  # people who are scored, turned, and predicted without skip connections
coded = 150  # people for components of the code and for CKA
hidden = 30  # people whose joints are hidden one after the other
explained = 8  # people whose maps are tested, each for one joint
cascade_people = 5  # of them, those in the cascade
step = 45  # degrees from one direction of the trunk to the next
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

# %% tags=["remove-cell"]
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

import posekit
from posekit import metrics
from posekit import plots as general
from posekit.coordinates import CONTEXT
from posekit.data import held_out
from posekit.data.joints import people_with, with_joints
from posekit.data.people import parse_spec
from posekit.engine.inference.prediction import Fast
from posekit.engine.outside import blazepose
from posekit.files import plain
from posekit.hooks import hook_points
from posekit.interpret.activations import ablation
from posekit.interpret.analysis import attributes, cka, components, probes, rotation
from posekit.interpret.attribution import dependency as causes
from posekit.interpret.attribution import judgement, sanity
from posekit.models.outside.blazepose import LAYERS, PARTS
from posekit.plots import ablation as figures
from posekit.plots import another as plots
from posekit.plots import attribution
from posekit.skeleton import skeleton_of
from posekit.studies.floor import CEILINGS, median_pose
from posekit.workflow import runs
from posekit.workflow.words import another_network as words
from posekit.workflow.words import by_inner_name
from posekit.workflow.words import seen as overlap

general.style()
run = runs.current()
started, limbs = time.monotonic(), blazepose.LIMBS
try:
    heat, numbers, m, missing = blazepose.load("blazepose-lsp"), blazepose.load("blazepose-lsp-landmarks"), {}, ""
except posekit.PosekitError as error:  # then what is kept of the reference run is shown
    kept = runs.reference("11_another_network", "lspet") or {}
    m, missing = {key: value for key, value in kept.items() if key not in ("say", "verdicts", "provenance")}, str(error)
blazepose_here = not missing

# %% tags=["remove-cell"]
if blazepose_here:
    ours = posekit.load(own)
    networks = {words.HEATMAPS: heat, words.LANDMARKS: numbers, ours.card.name: ours}
    fast = {name: Fast(one.model, one.backend, expected=people * 360 / step) for name, one in networks.items()}
    table = held_out(data, None, seed, on_error=on_error)
    able = np.isfinite(metrics.torso(table.keypoints, table.skeleton)) & np.isfinite(
        attributes.trunk_angle(table.keypoints, table.skeleton)
    )
    table = table[able].at_most(people + max(coded, hidden), seed)
    crops = posekit.crops(table, int(ours.card.resolution * CONTEXT), aspect=ours.card.aspect, on_error=on_error)
    theirs = posekit.crops(blazepose.framed(crops.people), int(heat.card.resolution * CONTEXT), on_error=on_error)  # the same people
    dealt = np.random.default_rng(seed).permutation(len(crops))
    parts = np.split(dealt, [people * len(dealt) // (people + max(coded, hidden))])
    scored, _ = (with_joints(crops.select(part), limbs) for part in parts)
    framed, framed_others = (with_joints(theirs.select(part), limbs) for part in parts)
    coders, framed_coders = (one.select(parts[1][:coded]) for one in (crops, theirs))
    m["people"], m["own"], m["seen"] = len(scored), ours.card.name, overlap(ours.card, scored)
    lengths = 0.2 * metrics.torso(scored.people.keypoints, limbs)
    over = {"pictures": scored.people.picture_ids(), "seed": seed}  # what intervals are over, where people share pictures


def hits(found, network):
    """Whether each limb joint is found, (N, 12), by keypoints (N, K, 3) of the network."""
    index = skeleton_of(network.card.skeleton).index(*limbs.joints)
    return metrics.hits(found[:, index], scored.people.keypoints, lengths)


def turned(degrees):
    """Hits by network of people who are turned by so many degrees."""
    seen = {name: scored if one is ours else framed for name, one in networks.items()}
    return {
        name: hits(rotation.turned(one.model, one.card, seen[name], degrees, network=fast[name]), one) for name, one in networks.items()
    }


def score(found):
    """The share of joints found, of hits (N, 12), with its interval over people."""
    return sanity.mean_interval(np.nansum(found, 1), np.isfinite(found).sum(1), **over)


# %% [markdown]
# ## Score, floor and ceiling
#
# The score is over the twelve joints of the limbs, which both networks have. The floor is the *median pose* of the training people, which
# needs no picture; the ceiling is {{ runs["11_another_network"].say.ceiling }}. On photographs it can be estimated from labels on which several networks agree; [two
# annotators](01_dataset), who scatter more, give a lower estimate. The same people are scored twice: as they are,
# and rotated in the picture until the labelled trunk is upright. Each network gets the crop that it was trained with: ours the box with a
# margin, BlazePose a square around the middle of the hips that reaches the farthest joint.

# %% tags=["show-input"]
if blazepose_here:
    as_is, upright = turned(0.0), turned(rotation.upright(scored))
    m["score"] = {name: score(found) for name, found in as_is.items()}
    m["upright"] = {name: score(found) for name, found in upright.items()}
    m["gain"] = {name: metrics.paired_difference(upright[name], as_is[name], **over) for name in networks}
    m["branches"] = metrics.paired_difference(as_is[words.HEATMAPS], as_is[words.LANDMARKS], **over)
    m["branches, upright"] = metrics.paired_difference(upright[words.HEATMAPS], upright[words.LANDMARKS], **over)
    m["own ahead"] = metrics.paired_difference(as_is[ours.card.name], as_is[words.HEATMAPS], **over)

# %% tags=["remove-cell"]
if blazepose_here:
    everybody = people_with(posekit.load_people(data, on_error=on_error), limbs)
    m["floor"] = median_pose(everybody) if {"train", "test"} <= {*everybody.splits} else None
    m["ceiling"] = CEILINGS.get(parse_spec(data)[0])

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK@0.2·torso over the twelve limb joints, as the people are and with the trunk turned upright, with 95 % intervals over people. Dashed: the median pose.{{ runs['11_another_network'].say.dotted }}", "name": "fig-another-score"}, "image": {"alt": "A row for each network with two dots and their intervals"}}
if m:
    run.save_figure(plots.scores({"as it is": m["score"], "trunk upright": m["upright"]}, m["floor"], m["ceiling"]), "score")
    plt.show()

# %% [markdown]
# {{ runs["11_another_network"].say.score }}
#
# ## Dependence on orientation
#
# Each person is rotated in the picture so that the trunk points in each of several directions. A network that does not depend on the
# orientation gives a level line.

# %% tags=["show-input"]
if blazepose_here:
    angles, upwards = range(-180, 180, step), rotation.upright(scored)
    by_angle = [turned(upwards + angle) if angle else upright for angle in angles]
    m["headings"] = {name: [score(found[name]) for found in by_angle] for name in networks}
    m["angles"] = list(angles)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK@0.2·torso by the direction of the trunk in the picture (0° is upright), with 95 % intervals over people. Every point is of the same people.", "name": "fig-another-headings"}, "image": {"alt": "Lines over the direction of the trunk from −180 to 180 degrees"}}
if m:
    run.save_figure(plots.headings(m["angles"], m["headings"]), "headings")
    plt.show()

# %% [markdown]
# {{ runs["11_another_network"].say.headings }}
#
# ## Two branches
#
# {{ runs["11_another_network"].say.branches }}
#
# ## Without skip connections
#
# Skip connections are replaced by their mean over other people, as in [the chapter on skip connections](03_skips). In BlazePose they lead
# to the heatmaps, not to the regressed landmarks. The features before the heatmaps are the sum of four maps, one for each level, up-sampled
# to the same size: three come through skip connections, the fourth from the code.

# %% tags=["show-input"]
if blazepose_here:
    groups = ablation.skip_groups(heat.model) | {"decoder5": ["decoder5"]}
    to_mean = {"the mean": ablation.mean(heat.model, heat.card, framed_others, [*groups["all"], "decoder5"])}
    after = ablation.ablate(heat.model, heat.card, framed, groups, to_mean)
    intact = as_is[words.HEATMAPS]
    m["intact"] = ablation.summary(intact, intact, limbs, **over)
    m["skips"] = {group: ablation.summary(hits(way["the mean"][-1], heat), intact, limbs, **over) for group, way in after.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK@0.2·torso of the heatmaps, with one part of the sum, or all skip connections, at the mean over other people; 95 % intervals over people. The band is the intact network.", "name": "fig-another-skips"}, "image": {"alt": "Dots with intervals, a row for each part"}}
if m:
    rows = {words.GROUPS[group]: {"at its mean": found} for group, found in m["skips"].items()}
    run.save_figure(figures.conditions(rows, m["intact"], "PCK@0.2·torso (%)", "as it is"), "skips")
    plt.show()

# %% [markdown]
# {{ runs["11_another_network"].say.skips }}
#
# ## The code and its components
#
# The code of BlazePose is the last activation of its encoder, which both branches use. For each of its first principal components the table
# gives its share of the variance and the attribute of the pose with the largest correlation.

# %% tags=["show-input"]
if blazepose_here:
    code, kinds = ours.model.code_hook_point(), ("encoder", "sum", "features")
    inner = [name for name in hook_points(ours.model) if name == code or name.rpartition(".")[2].startswith(kinds)]
    layers = cka.layers(heat.model, heat.card, framed_coders, LAYERS)
    mine = cka.layers(ours.model, ours.card, coders, inner)
    codes = {words.BLAZEPOSE: layers["encoder5"], ours.card.name: mine[code]}
    flat = {name: values.reshape(len(coders), -1) for name, values in codes.items()}
    found = {name: components.pca_of(values, 5) for name, values in flat.items()}

# %% tags=["hide-input"]
if blazepose_here:
    values, _ = attributes.usable(attributes.attributes(coders.people.keypoints, coders.people.skeleton))
    m["coded"], m["code"] = len(coders), {}
    for name, one in found.items():
        rows = probes.correlations(one.transform(flat[name]), values, pictures=coders.people.picture_ids())
        best = rows.loc[rows.r.abs().groupby(rows.component).idxmax()].to_dict("records")
        m["code"][name] = [row | {"share": float(share)} for row, share in zip(best, one.shares, strict=False)]
if m:
    rows = pd.DataFrame(words.component_rows(plain(m["code"])))
    caption = "The first components: the share of the variance, and the attribute of the pose that correlates with each most."
    display(rows.style.hide().set_caption(caption))

# %% [markdown]
# {{ runs["11_another_network"].say.code }}
#
# ## Which joint is found by which other?
#
# As in [the chapter on attribution](07_explanations), a square over one joint is blurred. The number is how far the prediction for another
# joint moves, beyond its displacement by a square elsewhere on the person.

# %% tags=["show-input"]
if blazepose_here:
    some = np.arange(min(hidden, len(coders)))
    inside = [skeleton_of(ours.card.skeleton).index(joint)[0] for joint in limbs.joints]
    depends = causes.dependency(heat.model, heat.card, with_joints(framed_coders.select(some), limbs), seed=seed)
    own_depends = causes.dependency(ours.model, ours.card, with_joints(coders.select(some), skeleton_of(ours.card.skeleton)), seed=seed)
    effects = {words.BLAZEPOSE: depends.effect, ours.card.name: own_depends.effect[:, inside][:, :, inside]}
    by_picture = {"pictures": depends.pictures, "seed": seed}
    m["dependency"] = {name: causes.matrix_interval(effect, **by_picture) for name, effect in effects.items()}
    m["closeness"] = {name: causes.agreement(effect, -causes.hops(limbs), **by_picture) for name, effect in effects.items()}
    m["agreement"] = causes.agreement(*effects.values(), **by_picture)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How far, in hundredths of the torso's length, hiding a joint (row) moves the prediction for another (column) beyond what hiding another part of the person does. Pale cells with grey numbers: the 95 % interval over people contains 0.{{ runs['11_another_network'].say.blank }}", "name": "fig-another-dependency"}, "image": {"alt": "Two square tables, one below the other, with the largest numbers on and beside the diagonal"}}
if m:
    run.save_figure(plots.dependency_pair(plain(m["dependency"]), limbs), "dependency")
    plt.show()

# %% [markdown]
# {{ runs["11_another_network"].say.dependency }}
#
# ## Do they represent the same?
#
# Centred kernel alignment, {eq}`eq-cka`, compares two layers by how they arrange the same people. It is 1 if one layer is the other rotated
# and scaled; its unbiased form is 0 on average for layers that have nothing in common. Three rows are for comparison: the *pixels*,
# which both networks see; the *labels*, the annotated positions of the joints; and the code of a network with *random* weights.

# %% tags=["show-input"]
if blazepose_here:
    pose = coders.keypoints[..., :2] - np.nanmean(coders.keypoints[..., :2], axis=0)
    both = {"labels": np.nan_to_num(pose), "pixels": probes.pixels(coders, heat.card.resolution)}
    random = sanity.randomised(heat.model, [name for part in PARTS.values() for name in part], seed)
    untrained = cka.layers(random, heat.card, framed_coders, ["encoder5"])
    left, right = both | {"encoder5, random": untrained["encoder5"]} | layers, both | by_inner_name(mine)
    m["cka"] = {"rows": list(left), "columns": list(right), "table": cka.cka_table(left, right)}
    m["cka of codes"] = cka.interval(*flat.values(), pictures=coders.people.picture_ids(), seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Unbiased linear CKA of layers of BlazePose (rows) and of the book's own network (columns), in hundredths. Maps are averaged to at most 16 cells a side.", "name": "fig-another-cka"}, "image": {"alt": "A table of numbers, the largest where deep layers meet"}}
if m:
    run.save_figure(plots.alignment(m["cka"]["rows"], m["cka"]["columns"], m["cka"]["table"]), "cka")
    plt.show()

# %% [markdown]
# {{ runs["11_another_network"].say.cka }}
#
# ## Where it looks
#
# Attribution maps undergo two of [the earlier tests](07_explanations). In the *cascade*, weights are reset to random values from the head
# downwards, and a map that explains the network must change. In *deletion* and *insertion*, the picture is blurred or restored in the order
# of the map; the joint's probability should fall or rise faster than in the order of an edge detector.

# %% tags=["show-input"]
if blazepose_here:
    cases = sanity.draw_cases(heat.model, heat.card, framed_others, people=explained, seed=seed)
    ways = {name.replace("-", " "): sanity.by(heat.card, name) for name in ("saliency", "guided-backprop")}
    ways |= {f"Grad-CAM ({layer})": sanity.by(heat.card, "grad-cam", layer) for layer in ("encoder5", "sum2")}
    everything = ways | {"edges": sanity.edges, "noise": sanity.noise, "the answer": sanity.answer_maps(heat.card)}
    maps = {label: way(heat.model, cases) for label, way in everything.items()}
    curves = {label: sanity.curves(heat.model, heat.card, cases, found) for label, found in maps.items() if label != "noise"}

# %% tags=["show-input"]
if blazepose_here:
    levels = {part: [name for p in list(PARTS)[: i + 1] for name in PARTS[p]] for i, part in enumerate(PARTS)}
    fewer = cases.take(np.arange(min(cascade_people, len(cases))))
    known = {name: found[: len(fewer)] for name, found in maps.items()}
    alike, _ = judgement.cascade(heat.model, fewer, everything, known, levels, aspect=heat.card.aspect, seed=seed)
    m["cascade"] = judgement.judged(alike, list(ways), list(levels))
    deletion, insertion = ({label: pair[i] for label, pair in curves.items()} for i in (0, 1))
    m["better"] = judgement.ahead(deletion, insertion, seed=seed)
    m["methods"], m["explained"], m["fewer"] = list(ways), len(cases), len(fewer)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The cascade: how alike each method's maps stay to those of the trained network, with 95 % intervals over people at the step that decides (dashed vertical). Dotted horizontal line at 0.5: the limit above which a method fails. An empty map counts as 0.", "name": "fig-another-cascade"}, "image": {"alt": "Lines that begin at one and fall as more of the network is randomised"}}
if m:
    shown = {label: by_level for label, by_level in m["cascade"]["alike"].items() if label != "noise"}
    grey = ["edges", judgement.RANDOM_MAP, "the answer"]
    run.save_figure(attribution.cascade_likeness(shown, grey, m["cascade"]["limit"], m["cascade"]["decided at"]), "cascade")
    plt.show()

# %% [markdown]
# {{ runs["11_another_network"].say.explanations }}
#
# ## The verdict
#
# {{ runs["11_another_network"].say.table }}
#
# ## What this does not show
#
# BlazePose was trained for people who face a camera and exercise, and it is fed by a detector that turns the crop upright; here the crop is
# centred by the annotation and not turned, unless stated. Its training data are not public, and may hold some of the photographed people. The
# score covers twelve joints, and [some labels of the photographs are wrong](14_audit). CKA and components detect linear structure only. The
# maps are tested on few people.

# %% tags=["remove-cell"]
if blazepose_here:
    m["hidden"], m["seconds"] = len(some), time.monotonic() - started
found, said = plain(m), words.sentences(plain(m), data, missing)
# What is only shown was not measured here: no claim may be decided by it.
run.write_metrics((found | {"verdicts": words.verdicts(found)} if blazepose_here else {"kept": found}) | {"say": said})
