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
# # Improving the model
#
# The study put what it had seen to use. Most of a code seemed to be noise, so it squeezed the code through an autoencoder of
# 50 dimensions, and the share of joints found rose from 0.441 to 0.474. But the network it compared with had been trained less and had fewer
# parameters. This chapter repeats the redesign, gives its rivals as much training and as many parameters, and adds redesigns of its own, made from what the chapters before found.
# Does any of them help?

# %% tags=["parameters"]
data = "mannequins"  # people: NAME[:PATH]; trained on its training split, chosen on its validation split, tested on its test split
features = 32  # channels of the base network, of one stack
resolution = 64  # side of the input in pixels
depth = 3  # levels of pooling; the code has resolution / (4 * 2**depth) cells a side
epochs = 6  # passes over the training people, from nothing
extra = 3  # more passes for everybody, after what is changed has been put in
batch = 32  # people in a step
learning_rate = 2e-3  # highest learning rate; half of it in the extra passes
people: int | None = None  # at most so many training people
dimensions: int | None = None  # of the squeezed code; none: as many as stand above the noise floor of the base's code
pretraining_epochs = 50  # epochs that the autoencoder is trained by itself, as the study did, before it is put in
seeds = 3  # trainings of each variant
stacked = True  # train the redesign in two stacks too, beside two and four plain ones, with one seed
test_people = 1000  # at most so many test people
code_people = 1000  # at most so many of them for comparing codes
weights: list[str] = []  # redesigned networks, larger or trained for longer, each compared with its baseline on the same test people
baselines: list[str] = []  # the networks that they are compared with, one each
workers: int | None = None  # trainings at a time; none: one a GPU, or one a core
on_error = "raise"  # what a picture that cannot be read does: raise or skip

# %% tags=["remove-cell"]
import json
import time
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import posekit
from posekit import metrics, plots
from posekit.coordinates import CONTEXT
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.evaluation import common
from posekit.engine.prediction import predict_crops
from posekit.engine.training import Recipe
from posekit.interpret.activations import ablation, walks
from posekit.interpret.activations.codes import code_hook_point, collect
from posekit.interpret.analysis import clusters, probes
from posekit.interpret.analysis.attributes import attributes, usable
from posekit.interpret.analysis.components import batches_of, count_above_floor, moments_of, noise_floor, pca
from posekit.models.hourglass import HourglassConfig
from posekit.plots import redesign as figures
from posekit.plots.ablation import joint_changes
from posekit.skeleton import SKELETONS
from posekit.studies import comparison, redesign
from posekit.workflow import runs
from posekit.workflow.words import side_by_side, spoken

plots.style()
run = runs.current()
backend = Backend.best()
started = time.monotonic()
table = posekit.load_people(data, on_error=on_error)
missing = {"train", "val", "test"} - set(table.splits)
if missing:
    raise posekit.PosekitError(
        f"{data}: has no split {', '.join(sorted(missing))}; redesigns are trained, chosen and tested on three splits"
    )
if len(weights) != len(baselines):
    raise posekit.PosekitError(f"weights {weights} and baselines {baselines}: each is compared with one; give as many of both")
if seeds < 2:
    raise posekit.PosekitError(f"seeds {seeds}: how trainings differ cannot be seen from one; give 2 or more")
folder = run.path("trained/job.json").parent

# %% tags=["hide-input", "remove-output"]
base = HourglassConfig.narrow(features, joints=len(table.skeleton), depth=depth, bottleneck_residuals=3)
side = resolution // base.multiple
recipe = Recipe(resolution=resolution, epochs=epochs, batch=batch, lr=learning_rate)
how = redesign.Pretraining(epochs=pretraining_epochs)


def jobs(variant, seed):
    return redesign.jobs_of(variant, base, replace(recipe, seed=seed), extra, folder, data, people=people, pretraining=how)


def said(line):
    print(line, flush=True)


plain = redesign.Variant("base", base, continued=True)
redesign.train_all([jobs(plain, seed)[0] for seed in range(seeds)], workers=workers, report=said)
first_network, first_card = weight_files.load(folder / "0" / "first")
training, validation = redesign.stores(data, resolution, people)
first_codes = collect(
    first_network, first_card, training.select(np.arange(min(len(training), 4000))), code_hook_point(first_network), backend=backend
)
first_components = pca(moments_of(batches_of(first_codes)))
first_floor = noise_floor(first_codes, seed=0)
measured = max(count_above_floor(first_components.spectrum, first_floor), 2)
squeezed_to = min(dimensions or measured, first_codes.shape[1])

# %% tags=["show-input", "remove-output"]
study = redesign.study_variants(base, squeezed_to, side)
own = redesign.own_variants(base, resolution)
variants = {variant.name: variant for variant in study + own}
redesign.train_all(
    [job for seed in range(seeds) for variant in variants.values() for job in jobs(variant, seed)], workers=workers, report=said
)

# %% [markdown]
# ## What is compared
#
# The *base* is {{ runs["08_redesign"].say.base }}. {{ runs["08_redesign"].say.budget }}

# %% tags=["hide-input"]
costs = {
    name: {"parameters": redesign.parameters(v.config), "multiply-adds": redesign.macs(v.config, resolution), "epochs": epochs + extra}
    for name, v in variants.items()
}
rows = [
    {
        "variant": name,
        "features": v.config.features,
        "parameters": f"{costs[name]['parameters']:,}",
        "multiply-adds": f"{costs[name]['multiply-adds'] / 1e6:.1f} M",
        "what for": v.why,
    }
    for name, v in variants.items()
]
pd.DataFrame(rows).style.hide().set_caption("The variants; below the study's, those of this book.")

# %% [markdown]
# The study's autoencoder takes the code through three convolutions and a linear layer to {{ runs["08_redesign"].say.dimensions }}, and back. It is first
# trained alone to give codes back, and then put behind the last bottleneck residual; the whole is trained on. *Linear* and
# *random* are its controls, without noise: the same place and as many dimensions, by a single matrix each way, begun with the principal components or with
# directions drawn by chance. *Wider* has the autoencoder's parameters in more channels. The *base* itself is trained on as long.
#
# Those of this book cost at most what the base costs, in parameters and in multiply-adds. *Noisy code* is the base with noise on its code, which is redundant; *lean* leaves out what the ablations
# hardly missed; *basic modules* are of two 3 × 3 convolutions {cite:p}`he2016` and fewer channels, because most errors lie far from the
# joint, where seeing further might help, and codes are redundant; *sharper targets* ask for a narrower peak; *all three* is the last three in one.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The autoencoder's pre-training: the share of the variance of validation people's codes that it gives back, one line a seed; below 0, the mean code would be the better answer. Dashed: what as many principal components keep.", "name": "fig-redesign-pretraining"}, "image": {"alt": "Curves over the epochs, below a dashed line"}}
histories = [json.loads((folder / str(seed) / "autoencoder" / "pretraining.json").read_text()) for seed in range(seeds)]
held = collect(first_network, first_card, validation, code_hook_point(first_network), backend=backend)
few = first_components.first(squeezed_to)
kept = 1 - np.square(held - few.inverse(few.transform(held))).sum() / np.square(held - first_components.mean).sum()
run.save_figure(figures.pretraining(histories, float(kept)), "pretraining")
plt.show()

# %% [markdown]
# {{ runs["08_redesign"].say.pretraining }}
#
# ## The rule
#
# So far this run has computed no score of the test people (but see what the end of the chapter says). The redesign that this book names is, of the variants that cost no more than the base in parameters,
# multiply-adds and passes over the data, the one with the highest mean score on the validation people over all seeds. The base may win.

# %% tags=["show-input"]
validated = {
    name: [weight_files.load(folder / str(seed) / name)[1].metrics["metrics"]["pck@0.2·torso"]["mean"] for seed in range(seeds)]
    for name in variants
}
chosen = redesign.winner(validated, {name: tuple(cost.values()) for name, cost in costs.items()}, "base")

# %% tags=["hide-input"]
tested = table.split("test").at_most(test_people)
crops = posekit.crops(tested, round(resolution * CONTEXT), on_error=on_error)
skeleton = common(SKELETONS[table.skeleton.name], crops.people.skeleton)
truth = crops.people.keypoints
threshold = 0.2 * metrics.torso(truth, skeleton)


def found(name, seed):
    """Hits (N, K) of one trained network, and how many milliseconds a person took."""
    network, card = weight_files.load(folder / str(seed) / name)
    predict_crops(network, card, crops.select(np.arange(min(64, len(crops)))), backend=backend)  # the first call prepares
    began = time.perf_counter()
    keypoints = predict_crops(network, card, crops, backend=backend)[-1]
    return metrics.hits(keypoints, truth, threshold), 1000 * (time.perf_counter() - began) / len(crops)


def block(hits):
    """{"mean", "low", "high", "people", "seeds"} over seeds and people, and each seed's own mean."""
    return comparison.share(hits) | {"by seed": np.nanmean(hits, (1, 2)).tolist()}


def of_one(hits):
    """{"mean", "low", "high"} of a single training's hits (N, K), over people."""
    return dict(zip(("mean", "low", "high"), metrics.interval(np.nansum(hits, -1), np.isfinite(hits).sum(-1)), strict=True))


# %% tags=["show-input"]
hits, latency = {}, {}
for name in variants:
    results = [found(name, seed) for seed in range(seeds)]
    hits[name], latency[name] = np.stack([h for h, _ in results]), min(ms for _, ms in results)

# %% tags=["hide-input"]
summary = {}
for name in variants:
    seconds = [weight_files.load(folder / str(seed) / name)[1].history[-1]["seconds"] for seed in range(seeds)]
    summary[name] = {
        "pck": block(hits[name]),
        "change": comparison.difference(hits[name], hits["base"])
        | {"by seed": [float(np.nanmean(hits[name][s] - hits["base"][s])) for s in range(seeds)]},
        "relative": comparison.relative(hits[name], hits["base"]),
        "validated": validated[name],
        "parameters": costs[name]["parameters"],
        "macs": costs[name]["multiply-adds"],
        "milliseconds": latency[name],
        "seconds": seconds,
        "features": variants[name].config.features,
    }
by_joint = {
    joint: comparison.difference(hits[chosen][..., [k]], hits["base"][..., [k]])
    for k, joint in enumerate(skeleton.joints)
    if np.isfinite(hits["base"][..., k]).any()
}

# %% [markdown]
# ## Does it help?

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Change of PCK@0.2·torso against the base, in points, on the same test people. Large dots with 95 % intervals over people and seeds; small dots are the seeds, each against the base of the same seed. Blue: the study's and its controls; orange: this book's.", "name": "fig-redesign-change"}, "image": {"alt": "A dot with an interval for each variant, left or right of zero, with small dots of seeds around it"}}
run.save_figure(
    figures.changes({name: s["change"] for name, s in summary.items() if name != "base"}, [v.name for v in study], chosen), "change"
)
plt.show()

# %% [markdown]
# {{ runs["08_redesign"].say.result }}

# %% tags=["hide-input"]
rows = [
    {
        "variant": name,
        "validation (seeds)": " · ".join(f"{100 * v:.1f}" for v in s["validated"]),
        "test, %": spoken(s["pck"]),
        "against the base": "" if name == "base" else spoken(s["change"], points=True),
        "relative": "" if name == "base" else spoken(s["relative"]).replace("-", "−"),
        "ms a person": f"{s['milliseconds']:.2f}",
        "training, s": f"{np.mean(s['seconds']):.0f}",
    }
    for name, s in summary.items()
]
pd.DataFrame(rows).style.hide().set_caption(
    "Every variant, every seed. PCK@0.2·torso; intervals over people and seeds. The last two columns are of this machine; the training's seconds those of the extra passes."
)

# %% [markdown]
# {{ runs["08_redesign"].say.study }}
#
# {{ runs["08_redesign"].say.own }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "What accuracy costs: the score against multiply-adds, parameters and time. Left and above is better. Vertical bars are 95 % intervals over people and seeds.", "name": "fig-redesign-cost"}, "image": {"alt": "Three panels of dots with names, the score over multiply-adds, parameters and milliseconds"}}
run.save_figure(figures.pareto(summary, chosen), "cost")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "What the chosen network gains by joint over the base, in points of PCK@0.2·torso, with 95 % intervals over people and seeds.", "name": "fig-redesign-joints"}, "image": {"alt": "Dots with intervals for each joint"}}
if chosen != "base":
    run.save_figure(joint_changes({chosen: by_joint}, "points of PCK@0.2·torso gained"), "joints")
    plt.show()

# %% [markdown]
# ## What it did to the code
#
# With the tools of the chapters before, on test people, for the first seed.

# %% tags=["hide-input"]
coded = crops.select(np.sort(np.random.default_rng(0).permutation(len(crops))[:code_people]))
values, _ = usable(attributes(coded.people.keypoints, coded.people.skeleton, coded.people.boxes))
movers = coded.select(np.arange(min(32, len(coded))))
probed = [name for name in ("upright", "lean", "sitting", "arm elevation") if name in values]


def inside(name):
    """What a network's code is like."""
    network, card = weight_files.load(folder / "0" / name)
    codes = collect(network, card, coded, code_hook_point(network), backend=backend)
    components = pca(moments_of(batches_of(codes)))
    floor = noise_floor(codes, seed=0)
    points = components.transform(codes)[:, :50]
    two = clusters.kmeans(points, 2, seed=0)
    scores = components.transform(codes)[:, :20]
    told = {attribute: probes.probe(attribute, scores, values[attribute], permutations=0) for attribute in probed}
    few = components.first(min(20, len(components)))
    walked = {}
    if probed:
        hook_point, looked = code_hook_point(network), probes.reading_direction(probed[0], scores, values[probed[0]], few.directions)
        control, means = (
            walks.random_directions(4, few.directions, few.variances),
            ablation.means(network, card, coded, walks.skip_hook_points(network, hook_point), backend=backend),
        )
        scale = float(np.nanstd(values[probed[0]]))
        for skips in ("intact", "mean"):
            walk = walks.causal(
                network,
                card,
                movers,
                hook_point,
                looked,
                control,
                attribute=probed[0],
                scale=scale,
                skips=skips,
                means=means,
                backend=backend,
            )
            walked[skips] = walk.row()
    return {
        "numbers": codes.shape[1],
        "components95": components.components_for(0.95),
        "participation": components.participation_ratio,
        "above": count_above_floor(components.spectrum, floor),
        "silhouette": clusters.over_halves(clusters.silhouettes(points, {2: two})[2].mean(), clusters.halves(points, [2])[2]),
        "probes": {attribute: {"mean": p.r2, "low": p.low, "high": p.high} for attribute, p in told.items()},
        "walks": walked,
        "spectrum": components.shares[:100],
    }


# %% tags=["show-input"]
compared = list(dict.fromkeys(["base", "autoencoder", "linear", chosen]))
code = {name: inside(name) for name in compared}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The share of a code's variance that each principal component holds, before the redesign and after.", "name": "fig-redesign-spectra"}, "image": {"alt": "Falling curves on a logarithmic scale, the squeezed codes' far steeper"}}
run.save_figure(figures.spectra({name: c["spectrum"] for name, c in code.items()}), "spectra")
plt.show()

# %% tags=["hide-input"]
rows = [
    {
        "network": name,
        "components for 95 %": f"{c['components95']} of {c['numbers']}",
        "participation ratio": f"{c['participation']:.1f}",
        "above the noise floor": c["above"],
        "silhouette, K = 2": f"{c['silhouette']['mean']:.3f} [{c['silhouette']['low']:.3f}, {c['silhouette']['high']:.3f}]",
        **{
            f"R² {attribute}": f"{p['mean']:z.2f} [{p['low']:z.2f}, {p['high']:z.2f}]".replace("-", "−")
            for attribute, p in c["probes"].items()
        },
    }
    for name, c in code.items()
]
by_network = pd.DataFrame(rows).set_index("network").T.rename_axis(None, axis=1).reset_index(names="")
by_network.style.hide().set_caption("Codes before and after, over test people. R²: probes of the first 20 components.")

# %% [markdown]
# {{ runs["08_redesign"].say.code }}
#
# ## In stacks
#
# What the study left for later: is a redesigned stack worth more than a plain one?

# %% tags=["hide-input", "remove-output"]
stacks = {}
if stacked:
    best = variants[chosen]
    plans = {
        "2 plain": replace(plain, name="2 plain", config=replace(base, stacks=2), continued=False),
        "4 plain": replace(plain, name="4 plain", config=replace(base, stacks=4), continued=False),
        "2 autoencoder": redesign.Variant("2 autoencoder", replace(variants["autoencoder"].config, stacks=2)),
        "2 redesigned": replace(best, name="2 redesigned", config=replace(best.config, stacks=2), continued=False),
    }
    if chosen == "base":
        del plans["2 redesigned"]
    redesign.train_all([job for plan in plans.values() for job in jobs(plan, 0)], workers=workers, report=said)
    stack_hits = {name: found(name, 0)[0][None] for name in plans}
    stacks = {
        name: {
            "pck": of_one(stack_hits[name][0]),
            "change": comparison.difference(stack_hits[name], stack_hits["2 plain"]),
            "parameters": redesign.parameters(plans[name].config),
            "macs": redesign.macs(plans[name].config, resolution),
        }
        for name in plans
    }

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Stacks, plain and redesigned: PCK@0.2·torso with 95 % intervals over people, one training each.", "name": "fig-redesign-stacks"}, "image": {"alt": "A dot with an interval for each network"}}
if stacks:
    single = {"1 plain": of_one(hits["base"][0])} | ({f"1 {chosen}": of_one(hits[chosen][0])} if chosen != "base" else {})
    run.save_figure(plots.intervals(single | {name: s["pck"] for name, s in stacks.items()}, "PCK@0.2·torso (%)"), "stacks")
    plt.show()

# %% [markdown]
# {{ runs["08_redesign"].say.stacks }}
#
# ## Larger, and for longer
#
# The networks above are small and see everybody a few times, so that each can be trained several times. Larger ones, and more passes, can be
# afforded once. Some were trained on photographs beforehand.
#
# *lspet-64px-redesign* and *lspet-hg1-128px-redesign* are *all three* at two sizes, each at most as large as the network beside it and trained
# from nothing by that network's recipe.
#
# *lspet-hg1-redesign* is of another kind, thought of before these. A network's finest level costs most of the multiply-adds; yet where the network of photographs was ablated,
# the skip of that level was missed least (see the chapter on skips). So this redesign does without such a level: its hourglass works at an
# eighth of the picture's side instead of a quarter, on pictures larger than before, and each of its cells answers for four of the heatmap by
# sub-pixel convolution {cite:p}`shi2016`. One bottleneck residual is left out too. It began as exactly the function that *lspet-hg1-128px*
# is of pictures half as large (`posekit.studies.redesign.doubled`), but for that residual, and was trained on.
#
# {{ runs["08_redesign"].say.full }}

# %% tags=["show-input", "remove-output"]
everyone, scored = table.split("test"), {}
for new, old in zip(weights, baselines, strict=True):
    scored[new] = posekit.evaluate(new, everyone, against=old, flip=True, on_error=on_error)
    if old not in scored:
        scored[old] = posekit.evaluate(old, everyone, flip=True, on_error=on_error)


# %% tags=["hide-input"]
def passes(card):
    """Of each turn in which a network was trained, the first one first."""
    start = card.recipe.get("start")
    before = passes(weight_files.load(start)[1]) if start in weight_files.shipped() else []
    return [*before, card.recipe["epochs"]]


full = {}
for new, old in zip(weights, baselines, strict=True):
    rows = {}
    for name in (new, old):
        network, card = weight_files.load(name)
        rows[card.name] = {
            "pck": scored[name]["metrics"]["pck@0.2·torso"],
            "parameters": sum(p.numel() for p in network.parameters()),
            "macs": redesign.macs(network.config, card.resolution),
            "resolution": card.resolution,
            "passes": passes(card),
        }
    against_old = scored[new]["against"]
    change = {key: against_old[key] for key in ("mean", "low", "high")}
    redesigned, reference = rows
    full[redesigned] = {
        "networks": rows,
        "against": reference,
        "change": change,
        "relative": {key: value / against_old["own"] for key, value in change.items()},
        "people": against_old["people"],
    }

rows = [
    {
        "network": name,
        "picture, px": f["resolution"],
        "parameters": f"{f['parameters']:,}",
        "multiply-adds": f"{f['macs'] / 1e6:.0f} M",
        "passes": " + ".join(map(str, f["passes"])),
        "test, %": spoken(f["pck"]),
    }
    for pair in full.values()
    for name, f in pair["networks"].items()
]
caption = "Redesigned networks, each above the one that it is compared with. PCK@0.2·torso on all test people, with the mirror image; intervals over people, one training each."
pd.DataFrame(rows).style.hide().set_caption(caption) if full else None

# %% [markdown]
# ## The verdict
#
# {{ runs["08_redesign"].say.table }}
#
# ## What this does not show
#
# The networks are small and trained for few passes: what helps here need not help one that is trained until it learns no more. A few
# trainings say little about how much trainings differ, and the intervals, by Student's t over them, are as wide as that makes them. And the variants of this book were thought of by people who had seen
# chapters made from the same data, if from other splits. Earlier versions of this chapter had scored some of the variants on the same
# test people. More was tried on validation people alone, with few trainings each. Not told from the base there: identities in place of the skip
# connections' modules, losses at every level of the way up, a stem of patches, depth-wise convolutions, squeeze-and-excitation, a fourth
# level, and springs between the joints when the maps are read off. About as good as *all three*, from which they differ little: other widths between
# the two convolutions, every skip connection kept or made an identity, and hourglasses at an eighth of larger pictures.

# %% tags=["hide-input"]
goal = summary[chosen]["relative"]
study_change, wide_change = summary["autoencoder"]["change"], summary["wider"]["change"]
controls = {name: comparison.difference(hits["autoencoder"], hits[name]) for name in ("wider", "linear", "random")}


# %% tags=["remove-cell"]
def against(change, other="the base"):
    words = spoken(change, points=True)
    if change["low"] > 0:
        return f"better than {other} ({words})"
    if np.isnan(change["low"]):
        return f"not to be told from {other} by fewer than three trainings ({words})"
    return f"worse than {other} ({words})" if change["high"] < 0 else f"not told apart from {other} ({words})"


def percent(block):
    if np.isnan(block["low"]):
        return f"{100 * block['mean']:+z.1f} %, without an interval".replace("-", "−")
    return f"{100 * block['mean']:+z.1f} % [{100 * block['low']:+z.1f}, {100 * block['high']:+z.1f}]".replace("-", "−")


def result_words():
    if chosen == "base":
        return "By the rule **the base wins**: no redesign that costs no more has a higher mean score on the validation people."
    aim = "The study's gain was 7.5 %: "
    if np.isnan(goal["low"]):
        aim += "whether as much is gained is undecided, since fewer than three trainings give no interval."
    elif goal["low"] > 0.075:
        aim += "this is more, by the whole interval."
    elif goal["high"] < 0.075:
        aim += "this is less, by the whole interval."
    else:
        aim += f"this is {'more' if goal['mean'] >= 0.075 else 'less'}, but the interval holds that too, so that whether as much is gained is undecided."
    return f"By the rule the redesign of this edition is **{chosen}**. On the test people it is {against(summary[chosen]['change'])}, relative {percent(goal)}. {aim}"


def study_words():
    parts = [f"*{name}* is {against(summary[name]['change'])}" for name in ("autoencoder", "linear", "random", "wider")]
    extra_cost = summary["autoencoder"]["parameters"] / summary["base"]["parameters"] - 1
    return f"The study's redesign, and its controls: {'; '.join(parts)}. The autoencoder has {100 * extra_cost:.0f} % more parameters than the base; against the same parameters spent on width it is {against(controls['wider'], 'them')}."


def own_words():
    parts = [f"*{v.name}* is {against(summary[v.name]['change'])}" for v in own]
    return f"Those of this book: {'; '.join(parts)}."


def pretraining_words():
    ends = [h[-1]["explained"] for h in histories]
    return f"After {pretraining_epochs} epochs it gives back {100 * min(ends):.0f} to {100 * max(ends):.0f} % of the variance; {squeezed_to} principal components keep {100 * kept:.0f} %."


def code_words():
    before, after = code["base"], code["autoencoder"]
    text = f"For 95 % of the variance the base's code needs {before['components95']} components, behind the autoencoder {after['components95']}; in the study it was 541 and 16. A code that has passed through {squeezed_to} dimensions cannot have many more, whatever they mean. "
    told = [f"{attribute} {before['probes'][attribute]['mean']:z.2f} and {after['probes'][attribute]['mean']:z.2f}" for attribute in probed]
    if not told:
        return text
    moved = [
        f"with the skips {skips}, {before['walks'][skips]['moved']['mean']:.2f} and {after['walks'][skips]['moved']['mean']:.2f} trunk lengths"
        for skips in before["walks"]
    ]
    read = f"What probes read of it, before and after (R²): {', '.join(told)}. "
    return (
        text
        + read.replace("-", "−")
        + f"How far joints move when codes are walked along *{probed[0]}*, before and after: {'; '.join(moved)}."
    )


def full_words():
    if not full:
        return "This edition has no such networks; the edition of photographs has."
    parts = []
    for name, pair in full.items():
        new, old = pair["networks"].values()
        parts.append(
            f"*{name}* has {new['parameters']:,} parameters and {new['macs'] / 1e6:.0f} million multiply-adds, *{pair['against']}* {old['parameters']:,} and "
            f"{old['macs'] / 1e6:.0f} million; they saw everybody {sum(new['passes'])} and {sum(old['passes'])} times. On the {pair['people']:,} test people the redesign is "
            f"{against(pair['change'], '*' + pair['against'] + '*')}, relative {percent(pair['relative'])}."
        )
    return "\n\n".join(parts)


def stack_words():
    if not stacks:
        return "They were not trained in this run."
    parts = [
        f"*{name}* finds {spoken(s['pck'])}"
        + ("" if name == "2 plain" else f", {against(s['change'], 'two plain stacks')}")
        + f", with {s['parameters']:,} parameters"
        for name, s in stacks.items()
    ]
    return f"{'; '.join(parts)}. One training each: the intervals of what a network finds are over people alone, and a difference of two has none, since it takes three trainings to see how much they differ."


verdict = {
    "Trained": f"{len(training):,} people, {epochs} + {extra} passes, {seeds} seeds, {features} features, {resolution} px",
    "Joints found by the base": spoken(summary["base"]["pck"]),
    "The autoencoder improves it": f"{spoken(study_change, points=True)}; relative {percent(summary['autoencoder']['relative'])}",
    "Its parameters spent on width": spoken(wide_change, points=True),
    "A linear bottleneck from components": spoken(summary["linear"]["change"], points=True),
    "One from random directions": spoken(summary["random"]["change"], points=True),
    "The redesign of this book": f"{chosen}: {spoken(summary[chosen]['change'], points=True)}; relative {percent(goal)}"
    if chosen != "base"
    else "none: the base wins",
    "Components for 95 %, before and behind the autoencoder": f"{code['base']['components95']} and {code['autoencoder']['components95']}",
}
for name, pair in full.items():
    verdict[f"{name} against {pair['against']}"] = f"{spoken(pair['change'], points=True)}; relative {percent(pair['relative'])}"
for name, s in stacks.items():
    verdict[f"In stacks, {name}"] = spoken(s["pck"])
run.write_metrics(
    {
        "variants": summary,
        "autoencoder against": controls,
        "winner": chosen,
        "relative": goal,
        "joints": by_joint,
        "dimensions": {"measured": measured, "used": squeezed_to},
        "pretraining": {"explained": [h[-1]["explained"] for h in histories], "components": float(kept)},
        "code": {name: {key: value for key, value in c.items() if key != "spectrum"} for name, c in code.items()}
        | {"before": code["base"] | {"spectrum": None}, "after": code["autoencoder"] | {"spectrum": None}},
        "stacks": stacks,
        "full": full,
        "verdicts": verdict,
        "seconds": time.monotonic() - started,
        "say": {
            "base": f"an hourglass of one stack with {features} features and three bottleneck residuals, {summary['base']['parameters']:,} parameters; from pictures of {resolution} px its code is {side} × {side} cells",
            "budget": f"Every variant is trained on the same {len(training):,} people, from nothing in {epochs} passes and then in {extra} more at half the rate, with the same {seeds} seeds; what the autoencoder learns alone comes on top.",
            "dimensions": f"{squeezed_to} dimensions"
            + (
                "" if dimensions else f", as many as stand above the noise floor of the base's own code (of {first_codes.shape[1]} numbers)"
            ),
            "pretraining": pretraining_words(),
            "result": result_words(),
            "study": study_words(),
            "own": own_words(),
            "code": code_words(),
            "stacks": stack_words(),
            "full": full_words(),
            "table": side_by_side("08_redesign", data, verdict),
        },
    }
)
for path in Path(folder).glob("*/*/*.pt"):  # a finished training needs them no more
    path.unlink()
