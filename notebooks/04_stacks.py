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
# # What a second stack is for
#
# The hourglass is repeated: the second sees what the first saw, plus the first one's features and its predictions, and answers again. Is its
# answer better, for which joints, and what kind of error does it mend? What does it take from the first: the features, the predictions, or
# only the place in the line? And had the parameters been better spent on one wide stack?

# %% tags=["parameters"]
weights: str | None = None  # a trained network of at least two stacks; none: train one here
data = "mannequins"  # people: NAME[:PATH]; tested on its test split, means taken on its validation split
stacks = 2  # hourglasses in a row, of the network trained here
features = 48  # its channels
bottleneck_residuals = 3  # its residual modules at the lowest resolution
resolution = 128  # side of its input in pixels
epochs = 8  # passes over the training people
batch = 32  # people in a step
learning_rate = 2e-3  # highest learning rate
wide: str | None = None  # a network of one stack with as many parameters; none: train it here by the same recipe
test_people = 800  # at most so many test people
cka_people = 400  # at most so many of them for comparing codes
examples = 8  # people shown whom the last stack helps most, and as many whom it harms
seed = 0  # of everything drawn by chance
on_error = "raise"  # what a picture that cannot be read does: raise or skip

# %% tags=["remove-cell"]
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import posekit
from posekit import metrics, plots
from posekit.coordinates import CONTEXT, transform_keypoints
from posekit.display.html import number
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.evaluation import common
from posekit.engine.fitting import recipe_of, same_recipe
from posekit.engine.training import Recipe
from posekit.interpret.activations import ablation
from posekit.interpret.activations import stacks as between
from posekit.interpret.activations.codes import code_hook_point, collect
from posekit.models.hourglass import HourglassConfig
from posekit.plots import ablation as figures
from posekit.skeleton import SKELETONS
from posekit.studies.redesign import parameters, widened
from posekit.workflow import runs
from posekit.workflow.words import side_by_side, spoken

plots.style()
run = runs.current()
backend = Backend.best()
if weights is not None:
    between.need_stacks(weight_files.load(weights)[0], weights)
elif stacks < 2:
    raise posekit.PosekitError(f"stacks {stacks}: what a second stack is for cannot be asked of one; give 2 or more")
people = posekit.load_people(data, on_error=on_error)


def store(chosen, side):
    """Their crops, at the size that a network of such an input takes."""
    return posekit.crops(chosen, int(side * CONTEXT), on_error=on_error)


def fit(config, recipe, name):
    """A network trained within this run."""

    def report(line):
        if "pck" in line:
            print(f"{name}, epoch {line['epoch']}: loss {line['loss']:.3f}, validation PCK {number(line['pck'])}", flush=True)

    training, validation = (store(people.split(split), recipe.resolution) for split in ("train", "val"))
    folder = run.path(f"{name}/weights.safetensors").parent
    return posekit.fit(config, recipe, training, validation, folder, name=name, backend=backend, report=report)


# %% tags=["hide-input", "remove-output"]
if weights is None:
    config = HourglassConfig.narrow(features, joints=len(people.skeleton), stacks=stacks, bottleneck_residuals=bottleneck_residuals)
    recipe = Recipe(resolution=resolution, epochs=epochs, batch=batch, lr=learning_rate, seed=seed)
    source = fit(config, recipe, f"hg{stacks}")
else:
    source = weights
network, card = weight_files.load(source)
if wide is None:
    one_wide = widened(replace(network.config, stacks=1), parameters(network.config))
    wide_source = fit(one_wide, recipe_of(card), "wide")
else:
    wide_source = wide
wide_network, wide_card = weight_files.load(wide_source)
if wide_network.config.stacks > 1 or wide_card.skeleton != card.skeleton:
    raise posekit.PosekitError(f"wide {wide}: give a network of one stack, with the joints of {card.name}")
differences = same_recipe(card, wide_card)

# %% tags=["hide-input"]
started = time.monotonic()
if {"test", "val"} <= set(people.splits):
    tested, others = (people.split(name).at_most(test_people, seed) for name in ("test", "val"))
else:  # one split alone: half is tested, the other half gives the means
    half = np.random.default_rng(seed).permutation(len(people))
    tested, others = (people[np.sort(part)].at_most(test_people, seed) for part in (half[::2], half[1::2]))
crops = store(tested, card.resolution)
order = ablation.mixed(crops.people.names, seed)
crops = crops.select(order)
skeleton = common(SKELETONS[card.skeleton], people.skeleton)
own = SKELETONS[card.skeleton].index(*skeleton.joints)
truth = crops.people.keypoints[:, people.skeleton.index(*skeleton.joints)]
threshold = 0.2 * metrics.torso(truth, skeleton)


def hits(keypoints):
    """Whether the joints of (N, K, 3) are found, (N, K)."""
    return metrics.hits(keypoints[:, own], truth, threshold)


# %% [markdown]
# ## Is the later answer better?
#
# Every stack is trained to give the whole answer, so that each one's can be scored.

# %% tags=["show-input"]
count = network.config.stacks
before = ablation.intact(network, card, crops, backend=backend)
found = [hits(keypoints) for keypoints in before]
labels = [f"stack {i + 1}" for i in range(count)]
by_stack = {label: ablation.summary(hit, found[-1], skeleton, seed=seed) for label, hit in zip(labels, found, strict=True)}
steps = {f"stack {i + 1} to {i + 2}": ablation.summary(found[i + 1], found[i], skeleton, seed=seed) for i in range(count - 1)}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Joints found by each stack. The vertical line is the mean over all joints, the band its 95 % interval over people.", "name": "fig-stacks-joints"}, "image": {"alt": "Points of the score by joint, a panel a stack"}}
run.save_figure(plots.per_joint(by_stack, "PCK@0.2·torso (%)"), "joints")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "What each step from one stack to the next adds by joint, in points of PCK@0.2·torso, on the same people, with 95 % intervals.", "name": "fig-stacks-gain"}, "image": {"alt": "Dots with intervals for each joint, right of zero where the later stack is better"}}
run.save_figure(
    figures.joint_changes({name: block["joint changes"] for name, block in steps.items()}, "points of PCK@0.2·torso gained"), "gain"
)
plt.show()

# %% [markdown]
# {{ runs["04_stacks"].say.gain }}

# %% [markdown]
# ## Which errors it mends, and which it makes
#
# A joint that is not found lies somewhere else: near its counterpart on the person's other side (*left-right exchange*), near *another joint* of
# the person, near *another person*'s where others are annotated in the picture, just off (*jitter*: within twice the threshold), or nowhere in particular (*miss*).
# The kinds follow {cite:t}`ronchi2017`, with one radius for all joints, a fifth of the torso.

# %% tags=["hide-input"]
everyone = people if skeleton == people.skeleton else None
strangers = between.others_in_picture(crops.people, everyone) if everyone is not None else None

# %% tags=["show-input"]
kinds = [between.error_kinds(keypoints[:, own], truth, threshold, skeleton, strangers) for keypoints in before]
kind_shares = {label: between.shares(k, seed=seed) for label, k in zip(labels, kinds, strict=True)}
flow = between.transitions(kinds[0], kinds[-1])
corrected = {f"stack {i + 1} to {i + 2}": between.corrected(kinds[i], kinds[i + 1], seed=seed) for i in range(count - 1)}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Errors by kind and stack, with 95 % intervals over people.", "name": "fig-stacks-kinds"}, "image": {"alt": "Bars of the share of each kind of error, a colour a stack"}}
if count > 2:
    corrected[f"stack 1 to {count}"] = between.corrected(kinds[0], kinds[-1], seed=seed)
whole_way = list(corrected)[-1]

run.save_figure(figures.stacked_kinds(kind_shares), "kinds")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Where the joints of each kind after the first stack (rows) are after the last (columns), in percent of the row; in brackets, how many joints. Under *found*: mended. The first row, beside *found*: broken.", "name": "fig-stacks-flow"}, "image": {"alt": "A table of percentages, kinds of error before by kinds after"}}
occurring = [i for i in range(len(between.KINDS)) if flow[i].sum() or flow[:, i].sum()]
part = flow[np.ix_(occurring, occurring)]
share = np.where(part.sum(1, keepdims=True) > 0, part / np.maximum(part.sum(1, keepdims=True), 1), np.nan)
row_names = [f"{between.KINDS[i]} ({flow[i].sum():,})" for i in occurring]
figure = figures.matrix(share, row_names, [between.KINDS[i] for i in occurring], digits=1, percent=True, row_label="after the first stack",
                        column_label="after the last stack", power=0.5)  # fmt: skip
run.save_figure(figure, "flow")
plt.show()

# %% [markdown]
# {{ runs["04_stacks"].say.errors }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The people whom the last stack helps most. Top: the first stack's answer. Bottom: the last one's. Above each, the share of joints found. They are chosen, not typical.", "name": "fig-stacks-helped"}, "image": {"alt": "People in two rows, skeletons wrong on top and right below"}}
first, last = ablation.by_person(found[0]), ablation.by_person(found[-1])
enough = np.isfinite(truth[..., 0]).sum(1) >= 2 * len(skeleton) / 3
change = np.where(enough, last - first, np.nan)


def gallery(chosen):
    versions = {"first stack": before[0], "last stack": before[-1]}
    drawn = {name: [transform_keypoints(crops.matrices[i], keypoints[i][own]) for i in chosen] for name, keypoints in versions.items()}
    titles = {"first stack": [f"{100 * first[i]:.0f} %" for i in chosen], "last stack": [f"{100 * last[i]:.0f} %" for i in chosen]}
    figures.before_after([crops[i] for i in chosen], drawn, skeleton, titles)
    plt.show()


helped = [i for i in np.argsort(-np.nan_to_num(change), kind="stable")[:examples] if change[i] > 0]
if helped:
    gallery(helped)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The people whom it harms most.", "name": "fig-stacks-harmed"}, "image": {"alt": "People in two rows, skeletons right on top and wrong below"}}
harmed = [i for i in np.argsort(np.nan_to_num(change), kind="stable")[:examples] if change[i] < 0]
if harmed:
    gallery(harmed)

# %% [markdown]
# ## What it takes from the one before
#
# The next stack sees a sum of three things: what the stack before was given itself, which passes it by, and that stack's features and predictions, each
# through a convolution of its own. Each can be replaced by zero, by its mean over other people, or by another person's. *Stack 1 out*
# replaces the features and the predictions both; at zero, the next stack sees just what the first one saw, as if the first were not there.
# The score is the last stack's.

# %% tags=["show-input"]
groups = between.hand_overs(network)
handed = {place for names in groups.values() for place in names} | {between.source(i) for i in range(count - 1)}
ways = {
    "zero": ablation.zero,
    "the mean": ablation.mean(network, card, store(others, card.resolution), handed, backend=backend),
    "another person's": ablation.resample,
}
after = ablation.ablate(network, card, crops, groups, ways, backend=backend)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Joints found by the last stack when what a stack hands on is replaced, with 95 % intervals over people. The line and band are the network as it is.", "name": "fig-stacks-handover"}, "image": {"alt": "Dots with intervals for each thing handed on and each way of replacing it"}}
handovers = {
    group: {way: ablation.summary(hits(keypoints[-1]), found[-1], skeleton, seed=seed) for way, keypoints in by_way.items()}
    for group, by_way in after.items()
}
for i in range(count - 1):
    handovers[f"what passed stack {i + 1} by"] = {}
    for way, function in ways.items():
        with posekit.edit(network, between.past(i, function)):
            keypoints = ablation.intact(network, card, crops, backend=backend)
        handovers[f"what passed stack {i + 1} by"][way] = ablation.summary(hits(keypoints[-1]), found[-1], skeleton, seed=seed)
run.save_figure(figures.conditions(handovers, by_stack[labels[-1]], "PCK@0.2·torso of the last stack (%)", "as it is"), "handover")
plt.show()

# %% [markdown]
# {{ runs["04_stacks"].say.handover }}
#
# The network was not trained for any of this: what it loses is the most that it can need.

# %% [markdown]
# ## Do the stacks compute the same thing?
#
# Centred kernel alignment (linear CKA, {cite:t}`kornblith2019`) asks whether two places of the network arrange people alike: 1 where one is the other, turned and scaled; 0
# where they share nothing. The estimate used is the unbiased one, since the plain one is far from 0 for any two places with more
# dimensions than people.

# %% tags=["hide-input"]
compared = crops.select(np.sort(np.random.default_rng(seed).permutation(len(crops))[:cka_people]))
depth = network.config.depth


def places(stack):
    """Places of a stack by the names in the table."""
    down = {f"encoder {level}": f"stack{stack}.encoder{level}" for level in range(1, depth + 1)}
    up = {f"sum {level}": f"stack{stack}.sum{level}" for level in range(depth, 0, -1)}
    return down | {"code": code_hook_point(network, stack)} | up | {"heatmaps": f"stack{stack}.heatmaps"}


def grams(chosen):
    return {name: between.gram(collect(network, card, compared, place, backend=backend)) for name, place in chosen.items()}


# %% tags=["show-input"]
ends = ("code", "heatmaps")
inner = {i: grams(places(i) if i in (0, count - 1) else {name: places(i)[name] for name in ends}) for i in range(count)}
cka = between.cka_table(inner[0], inner[count - 1])

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Unbiased linear CKA between the places of the first stack (rows) and those of the last (columns), over people. On the diagonal, a place and its counterpart.", "name": "fig-stacks-cka"}, "image": {"alt": "A square table of similarities between places of two stacks"}}
figure = figures.matrix(cka, list(inner[0]), list(inner[count - 1]), row_label="stack 1", column_label=f"stack {count}", power=2)
run.save_figure(figure, "cka")
plt.show()

# %% tags=["hide-input"]
pairs = {
    f"{name} of stacks {i + 1} and {i + 2}": between.cka_interval(inner[i][name], inner[i + 1][name], seed=seed)
    for name in ends
    for i in range(count - 1)
}

# %% [markdown]
# {{ runs["04_stacks"].say.cka }}

# %% [markdown]
# ## The same parameters in one wide stack

# %% tags=["show-input"]
wide_crops = crops if wide_card.resolution == card.resolution else store(tested, wide_card.resolution).select(order)
wide_found = hits(ablation.intact(wide_network, wide_card, wide_crops, backend=backend)[-1])
wide_block = ablation.summary(wide_found, found[-1], skeleton, seed=seed)
stacked = ablation.summary(found[-1], wide_found, skeleton, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Joints found by each stack and by the wide network, with 95 % intervals over people.", "name": "fig-stacks-wide"}, "image": {"alt": "A dot with an interval for each stack and for the wide network"}}
run.save_figure(plots.intervals(by_stack | {"one wide stack": wide_block}, "PCK@0.2·torso (%)"), "wide")
plt.show()

# %% [markdown]
# {{ runs["04_stacks"].say.wide }}

# %% [markdown]
# ## The verdict
#
# {{ runs["04_stacks"].say.table }}

# %% tags=["hide-input"]
gain = ablation.summary(found[-1], found[0], skeleton, seed=seed)


# %% tags=["remove-cell"]
def cost(block):
    return spoken(block["change"], points=True)


def gain_words():
    parts = ", ".join(f"{label} {spoken(block)}" for label, block in by_stack.items())
    joints = gain["joint changes"]
    order = sorted(joints, key=lambda joint: -joints[joint]["mean"])
    better, worse = [sum(1 for block in joints.values() if test(block)) for test in (lambda b: b["low"] > 0, lambda b: b["high"] < 0)]
    text = f"The share of joints found: {parts}. From the first to the last, on the same people, {cost(gain)}: "
    text += f"{better} of {len(joints)} joints gain with an interval above 0, {worse} lose with one below. "
    return (
        text
        + f"The {order[0]} fares best, {spoken(joints[order[0]], points=True)}, the {order[-1]} worst, {spoken(joints[order[-1]], points=True)}."
    )


def error_words():
    block = corrected[whole_way]
    parts = []
    for kind in between.KINDS[1:]:
        if f"corrected of {kind}" in block:
            parts.append(f"{kind} {spoken(block[f'corrected of {kind}'])} (of {flow[between.KINDS.index(kind)].sum():,})")
    text = f"From the first stack to the last {spoken(block['corrected'])} of all joints are corrected, and {spoken(block['introduced'])} become wrong. Corrected errors by kind: {', '.join(parts)}. "
    if strangers is None or not sum(map(len, strangers)):
        text += "Nobody else is annotated in these pictures, so that a jump to another person counts as whatever else it is."
    return text


def handover_words():
    parts = [f"{group} {cost(by_way['the mean'])}" for group, by_way in handovers.items()]
    out = handovers[f"stack {count - 1} out"]
    others = ", ".join(f"by {way} {cost(out[way])}" for way in ways if way != "the mean")
    order = sorted((group for group in handovers if not group.endswith(" out")), key=lambda group: handovers[group]["the mean"]["mean"])
    needed = handovers[order[0]]["the mean"]["change"]["high"] < 0
    leans = f"It leans most on {order[0]}" if needed else "None of it is missed with an interval below 0"
    return (
        f"At their means, what is handed on changes the last stack's score by: {'; '.join(parts)}. Stack {count - 1} out, {others}. "
        f"{leans}. For scale: from the first stack's score to the last one's it is {cost(gain)}."
    )


def cka_words():
    parts = [
        f"{name}: {block['mean']:.2f} [{block['low']:.2f}, {block['high']:.2f}] (chance: below {max(block['chance'], 0):.2f})"
        for name, block in pairs.items()
    ]
    sure = [name for name, block in pairs.items() if block["low"] > max(block["chance"], 0)]
    shared = f"{len(sure)} of these {len(pairs)} pairs have more in common than chance gives."
    return f"CKA over {len(compared):,} people: {'; '.join(parts)}. Chance is the 97.5 % quantile with people exchanged at random. {shared}"


def wide_words():
    sizes = [ablation.parameter_count(n) for n in (network, wide_network)]
    unequal = "" if abs(sizes[1] / sizes[0] - 1) < 0.1 else " These are not as many, so that the question is only half asked."
    where = "here" if wide is None else "beforehand"
    alike = (
        "by the same recipe on the same people"
        if not differences
        else f"not quite alike ({'; '.join(differences)}), so that the comparison is not clean"
    )
    return (
        f"The network of {count} stacks has {sizes[0]:,} parameters in {network.config.features} channels, the wide one {sizes[1]:,} in "
        f"{wide_network.config.features}.{unequal} It was trained {where}, {alike}; once each: the intervals are over people and not over "
        f"trainings. It finds {spoken(wide_block)}; the stacked one's change against it is {cost(stacked)}."
    )


def judged(block, better, worse):
    change = block["change"]
    return better if change["low"] > 0 else worse if change["high"] < 0 else "cannot be told apart"


block = corrected[whole_way]
verdict = {
    "Network": f"{card.name}, {count} stacks, {np.isfinite(found[-1]).any(1).sum():,} people",
    "Joints found by the first stack": spoken(by_stack[labels[0]]),
    "Joints found by the last": spoken(by_stack[labels[-1]]),
    "A later stack is better": f"{judged(gain, 'yes', 'no, worse')} ({cost(gain)})",
    "Errors corrected, of all joints": spoken(block["corrected"]),
    "Errors introduced, of all joints": spoken(block["introduced"]),
}
for kind in ("left-right exchange", "another joint", "jitter", "miss"):
    if f"corrected of {kind}" in block:
        verdict[f"Corrected of errors of the kind {kind}"] = spoken(block[f"corrected of {kind}"])
last_pair = f"stack {count - 1}"
verdict |= {
    f"Change: {name} at {way}": cost(handovers[group][way])
    for name, group in (
        ("features handed on", f"features of {last_pair}"),
        ("predictions handed on", f"predictions of {last_pair}"),
        ("stack before the last out", f"{last_pair} out"),
        ("what passed it by", f"what passed {last_pair} by"),
    )
    for way in ("zero", "the mean")
}
verdict |= {
    "CKA of the last two stacks' codes": f"{pairs[f'code of stacks {count - 1} and {count}']['mean']:.2f}",
    "CKA of their heatmaps": f"{pairs[f'heatmaps of stacks {count - 1} and {count}']['mean']:.2f}",
    "One wide stack finds": spoken(wide_block),
    "Stacked is better than wide": f"{judged(stacked, 'yes', 'no, worse')} ({cost(stacked)})",
}
run.write_metrics(
    {
        "stacks": by_stack,
        "steps": steps,
        "gain": gain,
        "kinds": kind_shares,
        "flow": {"kinds": list(between.KINDS), "joints": flow},
        "corrected": corrected,
        "handovers": handovers,
        "cka": {"places": list(inner[0]), "table": cka, "pairs": pairs},
        "wide": {"wide": wide_block, "stacked": stacked, "differences": differences},
        "verdicts": verdict,
        "seconds": time.monotonic() - started,
        "say": {
            "gain": gain_words(),
            "errors": error_words(),
            "handover": handover_words(),
            "cka": cka_words(),
            "wide": wide_words(),
            "table": side_by_side("04_stacks", data, verdict),
        },
    }
)
