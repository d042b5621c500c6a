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
# # The hourglass beside others
#
# Before the hourglass, poses were found by templates on springs {cite:p}`felzenszwalb2010,yang2013`, then by networks that regress
# coordinates {cite:p}`toshev2014` and mend their own answer {cite:p}`carreira2016`; after it came transformers {cite:p}`yang2021`. Their papers'
# scores cannot be set side by side: the data, the resolution and the length of training all differ. Here each is built small and given the
# same people, as many passes over them, and the same number of pixels. Which finds most joints, what does it cost, and where does each fail?

# %% tags=["parameters"]
data = "mannequins"  # people: NAME[:PATH]; trained on its training split, tested on its test split
weights: list[str] = []  # networks trained before, each in place of its kind's training here
one_stack: str | None = None  # an hourglass trained elsewhere, with a budget of its own, shown beside
two_stacks: str | None = None  # another, of two stacks
redesigned: str | None = None  # and a redesigned one
resolution = 64  # side of the input in pixels, for everybody
epochs = 4  # passes over the training people; templates are fitted to each once
batch = 32  # people in a step
features = 64  # channels of the hourglasses and numbers of the transformer's tokens; regressors begin with half
learning_rate = 2e-3  # highest learning rate, but half of it for the transformer
mixtures = 4  # templates of a joint
train_people: int | None = None  # at most so many training people; none: all
test_people = 600  # at most so many test people
attention_people = 60  # at most so many of them, of whom joints are hidden to compare attention with its effect
timed_people = 32  # people answered at once, to measure the time
seed = 0  # of everything drawn by chance
on_error = "raise"  # what a picture that cannot be read does: raise or skip

# %% tags=["remove-cell"]
import itertools
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch

import posekit
from posekit import metrics, plots
from posekit.coordinates import CONTEXT, STRIDE, transform_keypoints, view
from posekit.data.augment import eval_view
from posekit.data.loading import load_batch
from posekit.display.html import number as rounded
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.costs import fitted_numbers, milliseconds, multiply_adds
from posekit.engine.evaluation import common
from posekit.engine.fitting import fit_parts
from posekit.engine.prediction import Fast, predict_crops
from posekit.engine.training import Recipe
from posekit.interpret.activations import ablation
from posekit.interpret.activations import stacks as between
from posekit.interpret.attribution.dependency import SIDE, agreement, attended, dependency
from posekit.models import REGRESSORS, architecture_of
from posekit.models.deeppose import DeepPoseConfig
from posekit.models.feedback import FeedbackConfig, mean_pose
from posekit.models.hourglass import HourglassConfig
from posekit.models.transpose import TransPoseConfig, dependencies
from posekit.plots import ablation as skip_figures
from posekit.plots import comparison as figures
from posekit.skeleton import SKELETONS
from posekit.studies import comparison, redesign
from posekit.workflow import runs
from posekit.workflow.words import side_by_side, spoken

plots.style()
run = runs.current()
backend = Backend.best()
people = posekit.load_people(data, on_error=on_error)
joints = len(people.skeleton)


def store(chosen, side):
    """Their crops, at the size that a network of such an input takes."""
    return posekit.crops(chosen, int(side * CONTEXT), on_error=on_error)


def report(line):
    """A line of progress an epoch."""
    if "pck" in line:
        print(f"epoch {line['epoch']}: loss {line['loss']:.3f}, validation PCK {rounded(line['pck'])}, {line['seconds']:.0f} s", flush=True)


def name_of(card):
    """What an estimator is called here."""
    if card.config.get("basic"):
        return "hourglass, redesigned"
    stacks = card.config.get("stacks")
    names = {"parts": "templates on springs", "deeppose": "DeepPose", "feedback": "error feedback", "transpose": "TransPose"}
    return names.get(card.architecture) or f"hourglass, {stacks} stack{'s' if stacks > 1 else ''}"


# %% tags=["hide-input", "remove-output"]
training, validation = store(people.split("train").at_most(train_people, seed), resolution), store(people.split("val"), resolution)
views = transform_keypoints(view(training.size, resolution), training.keypoints)
plain = HourglassConfig.narrow(features, joints=joints)
best = redesign.own_variants(plain, resolution)[-1]
configs = {
    "templates on springs": None,
    "DeepPose": DeepPoseConfig(joints, features=features // 2),
    "error feedback": FeedbackConfig(joints, mean_pose(views, resolution), features=features // 2),
    "TransPose": TransPoseConfig(joints, features),
    "hourglass, 1 stack": plain,
    "hourglass, 2 stacks": replace(plain, stacks=2),
    "hourglass, redesigned": best.config,
}
before = {name_of(weight_files.load(path)[1]): path for path in weights}


def trained(name, config):
    """The weights of an estimator, trained here or before."""
    if name in before:
        return before[name]
    print(name, flush=True)
    folder = run.path(f"{name.replace(',', '').replace(' ', '-')}/weights.safetensors").parent
    if config is None:
        done = folder / "weights.safetensors"
        options = {"resolution": resolution, "mixtures": mixtures, "seed": seed, "name": name, "backend": backend}
        return done if done.exists() else fit_parts(training, validation, folder, **options)
    loss = "coordinates" if architecture_of(config) in REGRESSORS else "cross-entropy"
    highest, sigma = learning_rate / 2 if name == "TransPose" else learning_rate, best.sigma if config is best.config else 1.0
    recipe = Recipe(resolution=resolution, epochs=epochs, batch=batch, lr=highest, loss=loss, sigma=sigma, seed=seed)
    return posekit.fit(config, recipe, training, validation, folder, name=name, backend=backend, compiled=False, report=report)


# %% tags=["show-input", "remove-output"]
sources = {name: trained(name, config) for name, config in configs.items()}

# %% tags=["hide-input", "remove-output"]
equal = list(sources)
given = {"1 stack, trained longer": one_stack, "2 stacks, trained longer": two_stacks, "redesigned, trained longer": redesigned}
sources |= {name: path for name, path in given.items() if path}

# %% tags=["hide-input"]
started = time.monotonic()
estimators = {name: weight_files.load(path) for name, path in sources.items()}
tested = people.split("test").at_most(test_people, seed)
if len({card.skeleton for _, card in estimators.values()}) > 1:
    raise posekit.PosekitError("the networks do not have the same joints; give networks of one skeleton")
card = estimators[equal[0]][1]
skeleton = common(SKELETONS[card.skeleton], people.skeleton)
own = SKELETONS[card.skeleton].index(*skeleton.joints)
truth = tested.keypoints[:, people.skeleton.index(*skeleton.joints)]
torso = metrics.torso(truth, skeleton)
predicted, costs = {}, {}
for name, (network, card) in estimators.items():
    crops = store(tested, card.resolution)
    costs[name] = {
        "numbers": fitted_numbers(network),
        "multiply-adds": multiply_adds(network, card.resolution),
        "seconds": card.history[-1]["seconds"] if card.history else float("nan"),
    }
    predicted[name] = predict_crops(network, card, crops, backend=backend)[:, :, own]
    pictures, keypoints = load_batch(crops, np.arange(min(timed_people, len(crops))))
    batch_seen, _ = eval_view(pictures, keypoints, card.resolution)
    costs[name]["milliseconds"] = milliseconds(Fast(network, backend, expected=np.inf), batch_seen.to(backend.device))
hits = {name: [metrics.hits(stage, truth, 0.2 * torso) for stage in found] for name, found in predicted.items()}
reference = "hourglass, 1 stack"
scored = int(np.isfinite(hits[reference][-1]).any(1).sum())  # who has no torso has no score


def share_found(hit):
    """The share of hits (N, K) with its interval over people."""
    return dict(zip(("mean", "low", "high"), metrics.interval(np.nansum(hit, 1), np.isfinite(hit).sum(1), seed=seed), strict=True))


scores = {name: share_found(found[-1]) for name, found in hits.items()}

# %% [markdown]
# ## The same budget
#
# {{ runs["09_comparison"].say.budget }}
#
# {{ runs["09_comparison"].say.costs }}
#
# {{ runs["09_comparison"].say.notes }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Joints found, with 95 % intervals over people, against the multiply-adds of one answer. Filled: trained here with the same budget. Open: trained elsewhere, for longer.", "name": "fig-comparison-compute"}, "image": {"alt": "A dot with an interval for each estimator, cheaper ones to the left, better ones higher"}}
compute = {name: cost["multiply-adds"] / 1e6 for name, cost in costs.items()}
run.save_figure(figures.compute(scores, compute, "million multiply-adds a person", equal), "compute")
plt.show()

# %% [markdown]
# {{ runs["09_comparison"].say.best }}

# %% tags=["show-input"]
groups = ablation.kinds(skeleton)
by_kind = {name: {kind: float(np.nanmean(found[-1][:, index])) for kind, index in groups.items()} for name, found in hits.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Joints found by kind of joint, left and right together.", "name": "fig-comparison-joints"}, "image": {"alt": "A line for each kind of joint with a mark for each estimator"}}
run.save_figure(figures.joints(by_kind, "PCK@0.2·torso (%)"), "joints")
plt.show()

# %% [markdown]
# {{ runs["09_comparison"].say.joints }} In percent:
#
# {{ runs["09_comparison"].say.by_joint }}
#
# ## Answers in stages
#
# Three of them answer more than once. DeepPose looks again at a window round each joint; error feedback draws its answer into the picture and corrects it, each
# joint by a bounded step; the second stack of an hourglass gets the first one's maps. Every stage is scored as if it were the last, by the
# joints found and by their distance from the truth, in which a joint more than a torso length away counts as one.

# %% tags=["show-input"]
staged = [name for name in equal if len(hits[name]) > 1]
by_stage = {name: [share_found(stage) for stage in hits[name]] for name in staged}
gains = {name: comparison.gains(hits[name], seed=seed) for name in staged}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Joints found after each stage, with 95 % intervals over people.", "name": "fig-comparison-stages"}, "image": {"alt": "A rising or flat line for each estimator over its stages"}}
distances = {
    name: [np.linalg.norm(stage[..., :2] - truth[..., :2], axis=-1) / torso[:, None] for stage in predicted[name]] for name in staged
}
nearer = {
    name: [metrics.paired_difference(np.minimum(a, 1), np.minimum(b, 1), seed=seed) for a, b in itertools.pairwise(found)]
    for name, found in distances.items()
}
run.save_figure(figures.stages(by_stage, list(scores), "PCK@0.2·torso (%)"), "stages")
plt.show()

# %% [markdown]
# {{ runs["09_comparison"].say.stages }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The way of each joint from the first answer to the last, which has the dot, for six people drawn by chance. DeepPose begins near and jumps; error feedback begins at the same mean pose for everybody, which is not drawn, and takes bounded steps.", "name": "fig-comparison-paths"}, "image": {"alt": "Six people in two rows with lines that lead to each joint"}}
crops = store(tested, resolution)
drawn_people = np.sort(np.random.default_rng(seed).permutation(len(crops))[:6])
ways = {
    name: np.stack([transform_keypoints(crops.matrices[i], predicted[name][:, i])[..., :2] for i in drawn_people], 1)
    for name in ("DeepPose", "error feedback")
    if name in predicted
}
run.save_figure(figures.paths([crops[i] for i in drawn_people], ways, skeleton), "paths")
plt.show()

# %% [markdown]
# ## What the templates ask for
#
# Templates can be read as they are. Each asks for edges {cite:p}`dalal2005`, and a joint has several, told apart by where its parent in the tree
# lies. The best pose of all is found exactly, by messages along the tree, each a distance transform {cite:p}`felzenszwalb2012`.

# %% tags=["show-input"]
parts_network = estimators["templates on springs"][0]
commonest = parts_network.together.mean(2).argmax(1).numpy()
by_joint = parts_network.templates.unflatten(0, (joints, -1)).numpy()
shown = np.stack([by_joint[i, kind] for i, kind in enumerate(commonest)])

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The commonest template of each joint. A line is an edge that the template asks for, in its direction, the darker the more; the joint is at the dot.", "name": "fig-comparison-templates"}, "image": {"alt": "A sheet of small grids with short lines that run along limbs"}}
run.save_figure(figures.templates(shown, people.skeleton.joints), "templates")
plt.show()

# %% [markdown]
# ## What the transformer attends to
#
# In TransPose, the last layer's attention at the place of a joint says from where that answer was put together. That is a weight and not a
# cause: whether hiding those places moves the joint is another question. Hiding is what the chapter *Where it looks* does to the hourglass; here it is
# done to the transformer, and the two are compared.

# %% tags=["hide-input"]
transformer = estimators["TransPose"][0].float().cpu()
pictures, keypoints = load_batch(crops, drawn_people[:3])
seen, _ = eval_view(pictures, keypoints, resolution)
asked = [joint for joint in ("left wrist", "right elbow", "left knee", "right ankle") if joint in skeleton.joints]
to_input = view(crops.size, resolution) @ crops.matrices[drawn_people[:3]]
places = np.stack([transform_keypoints(m, predicted["TransPose"][-1, i])[..., :2] for m, i in zip(to_input, drawn_people[:3], strict=True)])
places = places[:, skeleton.index(*asked)]
cells = torch.from_numpy(np.clip(np.round((places + 0.5) / STRIDE - 0.5), 0, resolution // STRIDE - 1))

# %% tags=["show-input"]
maps = dependencies(transformer, seen, cells).numpy()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The last layer's attention at the predicted place of a joint (cross), for three people and four joints, each map scaled to its own peak.", "name": "fig-comparison-attention"}, "image": {"alt": "Grey pictures under bright spots, a cross at the joint that was asked about"}}
run.save_figure(figures.dependencies([p.permute(1, 2, 0).mul(255).byte().numpy() for p in seen], maps, places, asked), "attention")
plt.show()

# %% tags=["show-input"]
asked_people = crops.select(np.sort(np.random.default_rng(seed).permutation(len(crops))[:attention_people]))
hidden = dependency(transformer, estimators["TransPose"][1], asked_people, seed=seed, backend=backend)

# %% tags=["hide-input"]
rows = np.flatnonzero(metrics.torso(asked_people.keypoints, people.skeleton) > 0)  # those whom `dependency` can measure
pictures, keypoints = load_batch(asked_people, rows)
seen, points = eval_view(pictures, keypoints, resolution)
found = predict_crops(transformer, estimators["TransPose"][1], asked_people.select(rows), backend=backend)[-1]
to_input = view(asked_people.size, resolution) @ asked_people.matrices[rows]
transformer = transformer.float().cpu()
at = np.stack([transform_keypoints(m, k)[:, :2] for m, k in zip(to_input, found, strict=True)])
cells = torch.from_numpy(np.clip(np.round((at + 0.5) / STRIDE - 0.5), 0, resolution // STRIDE - 1))
maps = np.concatenate([dependencies(transformer, s, c).numpy() for s, c in zip(seen.split(16), cells.split(16), strict=True)])
sides = SIDE * metrics.torso(points.numpy(), people.skeleton) / STRIDE
in_cells = np.where(points[..., 2:] > 0, (points[..., :2] + 0.5) / STRIDE - 0.5, np.nan)
paid = np.stack([attended(m, place, side) for m, place, side in zip(maps, in_cells, sides, strict=True)])
agrees = agreement(hidden.effect, paid, seed=seed)
home = float(np.nanmean(np.diagonal(paid, axis1=1, axis2=2)))
elsewhere = float(np.nanmean(np.where(np.eye(joints, dtype=bool), np.nan, paid)))

# %% [markdown]
# {{ runs["09_comparison"].say.attention }}
#
# ## The same twelve people
#
# Twelve test people with most joints labelled, evenly spread from those whom all estimators together find easiest to those whom they find
# hardest. Nobody was picked for any of them.

# %% tags=["show-input"]
shares = np.stack([ablation.by_person(hits[name][-1]) for name in equal])
shares[:, np.isfinite(truth[..., 0]).sum(1) < 2 * len(skeleton) / 3] = np.nan
twelve = comparison.from_easy_to_hard(shares, 12)


# %% tags=["hide-input"] mystnb={"figure": {"caption": "The easier six, easiest first. Above each answer, the share of joints found.", "name": "fig-comparison-easier"}, "image": {"alt": "Six people in columns, a row of skeletons for each estimator"}}
def gallery(chosen):
    found = {name: [transform_keypoints(crops.matrices[i], predicted[name][-1, i]) for i in chosen] for name in equal}
    titles = {name: [f"{100 * ablation.by_person(hits[name][-1])[i]:.0f} %" for i in chosen] for name in equal}
    return skip_figures.before_after([crops[i] for i in chosen], found, skeleton, titles)


run.save_figure(gallery(twelve[:6]), "easier")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The harder six, hardest last.", "name": "fig-comparison-harder"}, "image": {"alt": "Six people in columns, a row of skeletons for each estimator, many of them wrong"}}
if len(twelve) > 6:
    run.save_figure(gallery(twelve[6:]), "harder")
    plt.show()

# %% tags=["show-input"]
error_shares = {name: between.shares(between.error_kinds(predicted[name][-1], truth, 0.2 * torso, skeleton), seed=seed) for name in equal}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Errors by kind and estimator, as shares of all labelled joints, with 95 % intervals over people.", "name": "fig-comparison-errors"}, "image": {"alt": "Bars of the share of each kind of error, a colour an estimator"}}
run.save_figure(skip_figures.stacked_kinds(error_shares), "errors")
plt.show()

# %% [markdown]
# {{ runs["09_comparison"].say.failures }}
#
# ## The verdict
#
# {{ runs["09_comparison"].say.table }}

# %% tags=["hide-input"]
head_to_head = {name: metrics.paired_difference(hits[name][-1], hits[reference][-1], seed=seed) for name in equal if name != reference}
order = sorted(equal, key=lambda name: -scores[name]["mean"])

# %% tags=["remove-cell"]
ordinals = {"hourglass, 2 stacks": "stack", "error feedback": "step"}


def number(value):
    """A count in words that fit a table."""
    return f"{value / 1e6:.2f} million" if value >= 1e6 else f"{value:,.0f}"


def costs_table():
    lines = ["| | joints found | fitted numbers | multiply-adds | training | a person |", "| --- | --- | --- | --- | --- | --- |"]
    for name, cost in costs.items():
        trained = f"{cost['seconds']:,.0f} s" if np.isfinite(cost["seconds"]) else "–"
        mark = "" if name in equal else " *"
        lines.append(
            f"| {name}{mark} | {spoken(scores[name])} | {number(cost['numbers'])} | {number(cost['multiply-adds'])} | {trained} | {cost['milliseconds']:.2f} ms |"
        )
    return "\n".join(lines)


def joints_table():
    lines = [f"| | {' | '.join(groups)} |", "| --- |" + " --- |" * len(groups)]
    lines += [f"| {name} | {' | '.join(f'{100 * block[kind]:.0f}' for kind in groups)} |" for name, block in by_kind.items()]
    return "\n".join(lines)


def budget_words():
    return (
        f"Everybody was given the same {len(training):,} people of the training split, {resolution} pixels a side; each network passed over "
        f"them {f'{epochs} times' if epochs > 1 else 'once'} ({epochs * len(training):,} people seen) under the same changes of view, templates once and in the plain view. Each was trained once, and the epoch kept that found most joints of "
        f"{len(validation):,} validation people. The table is of {scored:,} test people, without a flip test; brackets are 95 % intervals over people, which do not know "
        f"how another training would have ended."
    )


def notes_words():
    beside = " *: trained elsewhere, with more passes or more pixels." if len(equal) < len(sources) else ""
    return (
        f"The score is PCK@0.2·torso over {len(skeleton)} joints. Multiply-adds are those of convolutions and matrix products; what templates on springs spend on "
        f"gradients and distance transforms is not among them, but is in the time. Times are of {min(timed_people, len(tested))} people answered together ({backend})."
        f"{beside}"
    )


def said(change):
    return "more" if change["low"] > 0 else "fewer" if change["high"] < 0 else "not measurably more or fewer"


def best_words():
    parts = [f"{name} finds {said(change)} ({spoken(change, points=True)})" for name, change in head_to_head.items()]
    return f"With the same budget most joints are found by {order[0]}, fewest by {order[-1]}. Against the {reference}, on the same people: {'; '.join(parts)}."


def joints_words():
    worst = {name: min(block, key=block.get) for name, block in by_kind.items()}
    best = {name: max(block, key=block.get) for name, block in by_kind.items()}

    def told(chosen):
        counts = {kind: sum(1 for k in chosen.values() if k == kind) for kind in dict.fromkeys(chosen.values())}
        return ", ".join(f"the {kind} for {count} of {len(chosen)}" for kind, count in sorted(counts.items(), key=lambda item: -item[1]))

    return f"Hardest is {told(worst)}; easiest {told(best)}."


def better(change):
    return "yes" if change["low"] > 0 else "no, worse" if change["high"] < 0 else "cannot be told"


def nearer_words(block):
    mean, low, high = (f"{block[key]:+z.3f}".replace("-", "−") for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def stages_words():
    parts = []
    for name in staged:
        kind = ordinals.get(name, "stage")
        steps = [
            f"{kind} {i + 2} adds {spoken(change, points=True)} and brings joints {nearer_words(by)} torso lengths nearer"
            for i, (change, by) in enumerate(zip(gains[name], nearer[name], strict=True))
        ]
        parts.append(f"{name[0].upper()}{name[1:]} begins at {spoken(by_stage[name][0])}; {', '.join(steps)}.")
    fine = [name for name in staged if all(change["low"] > 0 for change in gains[name])]
    rest = [name for name in staged if name not in fine]
    if fine:
        parts.append(f"Every stage improves on the one before, with an interval above 0, in {' and in '.join(fine)}.")
    if rest:
        parts.append(
            f"{'Not' if not fine else 'That is not'} so in {' and in '.join(rest)}: there, a stage's gain cannot be told from chance, or is a loss."
        )
    return " ".join(parts)


def attention_words():
    text = (
        f"Over {len(paid)} people, {100 * home:.1f} % of the attention at a predicted joint is paid to a square of {SIDE} torso lengths round the joint itself and "
        f"{100 * elsewhere:.1f} % to such a square round another joint. Hiding these squares one after the other in the picture shows which joints the same network's answers depend on. "
    )
    if agrees["mean"] is None:
        return text + "Too few pairs of joints could be measured to compare the two."
    agree = "puts the pairs of joints in much the same order" if agrees["low"] > 0.3 and agrees["p"] < 0.05 else "is no stand-in for it"
    return text + (
        f"The rank correlation of attention with that effect, over {agrees['pairs']} pairs of joints, is {correlation_words(agrees)}: attention {agree}."
    )


def correlation_words(block):
    mean, low, high = (f"{block[key]:+z.2f}".replace("-", "−") for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}], p = {block['p']:.2g}"


def failures_words():
    parts = []
    for name in equal:
        kinds_of = {kind: block["mean"] for kind, block in error_shares[name].items() if kind != "found"}
        first = max(kinds_of, key=kinds_of.get)
        exchanged = error_shares[name]["left-right exchange"]
        parts.append(f"{name}: mostly {first} ({100 * kinds_of[first]:.0f} % of all joints), left and right exchanged {spoken(exchanged)}")
    return f"What goes wrong, by kind of error as in the chapter on stacks: {'; '.join(parts)}."


verdict = {
    "Budget": f"{epochs * len(training):,} people seen, {resolution} px",
    "Most joints at this budget": f"{order[0]} ({spoken(scores[order[0]])})",
    "Fewest": f"{order[-1]} ({spoken(scores[order[-1]])})",
}
verdict |= {f"Joints found: {name}": spoken(scores[name]) for name in equal}
verdict |= {f"{name[0].upper()}{name[1:]} against the {reference}": spoken(change, points=True) for name, change in head_to_head.items()}
for name in staged:
    for i, change in enumerate(gains[name]):
        kind = ordinals.get(name, "stage")
        verdict[f"{name[0].upper()}{name[1:]}: {kind} {i + 2} improves on {kind} {i + 1}"] = (
            f"{better(change)} ({spoken(change, points=True)})"
        )
verdict["TransPose: rank correlation of attention and effect"] = (
    correlation_words(agrees) if agrees["mean"] is not None else "too few pairs"
)
run.write_metrics(
    {
        "scores": scores,
        "against the reference": head_to_head,
        "costs": costs,
        "kinds of joint": by_kind,
        "stages": by_stage,
        "gains": gains,
        "nearer": nearer,
        "errors": error_shares,
        "attention": {"own": home, "others": elsewhere, "agreement": agrees},
        "budget": {"people": len(training), "epochs": epochs, "resolution": resolution, "seed": seed, "backend": str(backend)},
        "verdicts": verdict,
        "seconds": time.monotonic() - started,
        "say": {
            "budget": budget_words(),
            "costs": costs_table(),
            "notes": notes_words(),
            "best": best_words(),
            "joints": joints_words(),
            "by_joint": joints_table(),
            "stages": stages_words(),
            "attention": attention_words(),
            "failures": failures_words(),
            "table": side_by_side("09_comparison", data, verdict),
        },
    }
)
