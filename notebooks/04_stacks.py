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
# A Stacked Hourglass repeats the hourglass. The second {term}`stack` receives the first one's input, features and heatmaps, and predicts again. Is the second
# prediction better, for which joints, and which errors does it correct? How much does it depend on the features and on the heatmaps of the
# first stack? And would one wide stack make better use of the parameters?
#
# {{ runs["04_stacks"].say.answer }}

# %% tags=["parameters"]
weights = "lspet-64px-hg2"  # a trained network of at least two stacks: a weights file or the name of shipped weights
data = "mannequins"  # people: NAME[:PATH]; tested on its test split, means taken on its validation split
studies = "book/studies/lspet"  # folder of the results of studies of photographs, of which `stacks` is read
test_people = 800  # maximum number of test people
cka_people = 400  # maximum number of them, for comparing codes
examples = 8  # people shown whom the last stack helps most, and as many whom it harms
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

# %% tags=["remove-cell"]
import time

import matplotlib.pyplot as plt
import numpy as np

import posekit
from posekit import metrics, plots
from posekit.coordinates import CONTEXT, transform_keypoints
from posekit.data.people import parse_spec
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.evaluation import common
from posekit.files import plain
from posekit.interpret.activations import ablation
from posekit.interpret.activations import stacks as between
from posekit.interpret.activations.codes import collect
from posekit.interpret.analysis import cka as alignment
from posekit.plots import ablation as figures
from posekit.plots.comparisons import studies as study_figures
from posekit.skeleton import skeleton_of
from posekit.studies import kept
from posekit.studies.summary import summarise
from posekit.workflow import runs
from posekit.workflow.words import stacks as words

plots.style()
run = runs.current()
backend = Backend.best()
started = time.monotonic()
network, card = weight_files.load(weights)
between.need_stacks(network, weights)
people = posekit.load_people(data, on_error=on_error)


def store(chosen):
    """Their crops, at the size that the network takes."""
    return posekit.crops(chosen, int(card.resolution * CONTEXT), aspect=card.aspect, on_error=on_error)


# %% tags=["hide-input"]
tested, others = ablation.tested_and_others(people, test_people, seed)
crops = store(tested)
order = ablation.mixed(crops.people.names, seed)
crops = crops.select(order)
skeleton = common(skeleton_of(card.skeleton), people.skeleton)
own = skeleton_of(card.skeleton).index(*skeleton.joints)
truth = crops.people.keypoints[:, people.skeleton.index(*skeleton.joints)]
threshold = 0.2 * metrics.torso(truth, skeleton)
over = {"pictures": crops.people.picture_ids(), "seed": seed}  # what intervals are over, where people share pictures


def hits(keypoints):
    """Whether the joints of (N, K, 3) are found, (N, K)."""
    return metrics.hits(keypoints[:, own], truth, threshold)


# %% [markdown]
# ## Is the later prediction better?
#
# Every stack is trained to predict all heatmaps, so that the predictions of each can be scored. The network here is *{{ runs["04_stacks"].say.network }}*, {{ runs["04_stacks"].say.trained }}; it is tested on {{ runs["04_stacks"].say.people }}.

# %% tags=["show-input"]
count = network.stage_count()
before = ablation.intact(network, card, crops, backend=backend)
found = [hits(keypoints) for keypoints in before]
labels = [f"stack {i + 1}" for i in range(count)]
by_stack = {label: ablation.summary(hit, found[-1], skeleton, **over) for label, hit in zip(labels, found, strict=True)}
steps = {f"stack {i + 1} to {i + 2}": ablation.summary(found[i + 1], found[i], skeleton, **over) for i in range(count - 1)}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The share of joints found by each stack, by kind of joint. The vertical line is the mean over all joints, the band its 95 % interval over people.", "name": "fig-stacks-joints"}, "image": {"alt": "Points of the score by joint, a panel a stack"}}
run.save_figure(plots.per_joint(by_stack, "PCK@0.2·torso (%)"), "joints")
plt.show()
gain = ablation.summary(found[-1], found[0], skeleton, **over)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Change of PCK@0.2·torso, in points, from one stack to the next, for each joint, on the same people, with 95 % intervals over people.", "name": "fig-stacks-gain"}, "image": {"alt": "Dots with intervals for each joint, right of zero where the later stack is better"}}
run.save_figure(
    figures.joint_changes({name: block["joint changes"] for name, block in steps.items()}, "points of PCK@0.2·torso gained"), "gain"
)
plt.show()

# %% [markdown]
# {{ runs["04_stacks"].say.gain }}
#
# ## Which errors it corrects, and which it introduces
#
# A joint that is not found is predicted somewhere else: at the same joint of the person's other side (*left-right exchange*, which the [chapter on training](02_training) calls inversion), at *another joint* of
# the person, at a joint of *another person* who is annotated in the picture, near its own position but not within the threshold (*jitter*, within twice the threshold), or near none of these (*miss*).
# The kinds follow {cite:t}`ronchi2017`, with one radius for all joints, a fifth of the torso. Here *another joint* has a kind of its own, *jitter* does not reach quite as far, and the first kind that applies counts, so that the shares differ from those of the chapter on training.

# %% tags=["show-input"]
strangers = between.others_in_picture(crops.people, people) if skeleton == people.skeleton else None
kinds = [between.error_kinds(keypoints[:, own], truth, threshold, skeleton, strangers) for keypoints in before]
kind_shares = {label: between.shares(k, **over) for label, k in zip(labels, kinds, strict=True)}
flow = between.transitions(kinds[0], kinds[-1])
corrected = {f"stack {i + 1} to {i + 2}": between.corrected(kinds[i], kinds[i + 1], **over) for i in range(count - 1)}
corrected["first to last"] = between.corrected(kinds[0], kinds[-1], **over)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The share of all labelled joints that each kind of error has, by stack, with 95 % intervals over people.", "name": "fig-stacks-kinds"}, "image": {"alt": "Bars of the share of each kind of error, a colour a stack"}}
run.save_figure(figures.stacked_kinds(kind_shares), "kinds")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "What becomes of joints between the first stack and the last. Rows: their kind in the prediction of the first stack, with the number of joints in brackets. Columns: their kind in the prediction of the last. The numbers are percent of the row. The column *found* holds the errors corrected, the row *found* the errors introduced.", "name": "fig-stacks-flow"}, "image": {"alt": "A table of percentages, kinds of error before by kinds after"}}
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

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The people for whom the last stack finds more joints than the first by the largest difference. Top: the first stack's prediction. Bottom: the last one's. Above each, the share of joints found. These people are chosen, not typical.", "name": "fig-stacks-helped"}, "image": {"alt": "People in two rows, skeletons wrong on top and right below"}}
first, last = ablation.by_person(found[0]), ablation.by_person(found[-1])
enough = np.isfinite(truth[..., 0]).sum(1) >= 2 * len(skeleton) / 3
change = np.where(enough, last - first, np.nan)


def gallery(chosen):
    versions = {"first stack": (before[0], first), "last stack": (before[-1], last)}
    drawn = {name: [transform_keypoints(crops.matrices[i], keypoints[i][own]) for i in chosen] for name, (keypoints, _) in versions.items()}
    titles = {name: [f"{100 * shares[i]:.0f} %" for i in chosen] for name, (_, shares) in versions.items()}
    figures.before_after([crops[i] for i in chosen], drawn, skeleton, titles)
    plt.show()


helped = [i for i in np.argsort(-np.nan_to_num(change), kind="stable")[:examples] if change[i] > 0]
if helped:
    gallery(helped)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The people for whom the last stack finds fewer joints than the first by the largest difference, drawn in the same way.", "name": "fig-stacks-harmed"}, "image": {"alt": "People in two rows, skeletons right on top and wrong below"}}
harmed = [i for i in np.argsort(np.nan_to_num(change), kind="stable")[:examples] if change[i] < 0]
if harmed:
    gallery(harmed)

# %% [markdown]
# ## What does a stack need of the one before?
#
# The input of a stack is a sum of three terms: the input of the stack before, which *bypasses* that stack, and that stack's features and heatmaps (*predictions*), each
# through a convolution of its own. Each term can be replaced by zero, by its mean over other people, or by another person's. *Stack 1 out*
# means that both features and predictions of stack 1 are replaced. At zero, stack 2 then receives the input of stack 1, as if stack 1 were not there.
# All scores are those of the last stack.

# %% tags=["show-input"]
groups = between.hand_overs(network)
handed = {name for names in groups.values() for name in names} | {points.got for points in network.hand_overs()}
ways = {
    "zero": ablation.zero,
    "the mean": ablation.mean(network, card, store(others), handed, backend=backend),
    "another person's": ablation.resample,
}
after = ablation.ablate(network, card, crops, groups, ways, backend=backend) if groups else {}
after |= between.ablate_bypass(network, card, crops, ways, backend=backend) if groups else {}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK of the last stack when a term of its input is replaced in three ways, with 95 % intervals over people. The line and band are the intact network.", "name": "fig-stacks-handover"}, "image": {"alt": "Dots with intervals for each thing handed on and each way of replacing it"}}
handovers = {
    group: {way: ablation.summary(hits(keypoints[-1]), found[-1], skeleton, **over) for way, keypoints in by_way.items()}
    for group, by_way in after.items()
}
if handovers:
    run.save_figure(figures.conditions(handovers, by_stack[labels[-1]], "PCK@0.2·torso of the last stack (%)", "as it is"), "handover")
    plt.show()

# %% [markdown]
# {{ runs["04_stacks"].say.handover }}
#
# The network was not trained with replaced terms, so that the fall of its score is an upper bound on how much it needs a term.
#
# ## Do the stacks compute the same thing?
#
# [Centred kernel alignment](theory_codes) (linear CKA, {cite:t}`kornblith2019`) measures whether two layers arrange people alike. It is 1 where one layer is the other, rotated and scaled, and 0
# on average where the two are unrelated. The estimate is the unbiased one, since the plain estimate is far above 0 for any two layers with more dimensions than people.

# %% tags=["hide-input"]
compared = crops.select(np.sort(np.random.default_rng(seed).permutation(len(crops))[:cka_people]))


def grams(chosen):
    return {name: alignment.gram(collect(network, card, compared, point, backend=backend)) for name, point in chosen.items()}


# %% tags=["show-input"]
layers = [network.layers(i) for i in range(count)]
ends = [name for name in ("code", "heatmaps") if name in layers[0]]
inner = [grams(layers[i] if i in (0, count - 1) else {name: layers[i][name] for name in ends}) for i in range(count)]
cka = alignment.table_of_grams(inner[0], inner[-1]) if ends else None

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Unbiased linear CKA over people between layers of the first stack (rows) and of the last (columns). *sum* is the sum of a level's skip connection and the up-sampled map. The diagonal, from the upper left, compares corresponding layers.", "name": "fig-stacks-cka"}, "image": {"alt": "A square table of similarities between layers of two stacks"}}
if ends:
    figure = figures.matrix(cka, list(inner[0]), list(inner[-1]), row_label="stack 1", column_label=f"stack {count}", power=2)
    run.save_figure(figure, "cka")
    plt.show()
cka_pairs = {
    f"{name} of stacks {i + 1} and {i + 2}": alignment.interval_of_grams(
        inner[i][name], inner[i + 1][name], pictures=compared.people.picture_ids(), seed=seed
    )
    for name in ends
    for i in range(count - 1)
}

# %% [markdown]
# {{ runs["04_stacks"].say.cka }}
#
# ## Stacks or width?
#
# Whether stacks or width make better use of parameters is decided by this book's study *stacks* on photographs, with inputs of 64 pixels a side. The reference is one wide stack. Two and four stacks are compared with it
# twice: with as many parameters in all (*equal parameters*), and with as many features in each stack (*equal width*). One *large* stack has the parameters of two stacks of equal width, and one *narrow* stack is one of the
# two with equal parameters. The *redesigned* stacks have the changes that the chapter on [redesigns](08_redesign) proposes. Each network is trained from three seeds, until its score no longer rises; the two-stack network of the sections above was trained otherwise, and its score is not comparable.

# %% tags=["show-input"]
study = summarise(kept.read("stacks", studies))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The study *stacks*: PCK of each network less that of one wide stack. Bars are 95 % intervals over seeds and people; small dots are single seeds.{{ runs['04_stacks'].say.hollow }}", "name": "fig-stacks-study"}, "image": {"alt": "A row for each network, with a dot and an interval"}}
run.save_figure(study_figures.differences(study["variants"], study["reference"]), "study")
plt.show()

# %% [markdown]
# {{ runs["04_stacks"].say.study }}
#
# ## The verdict
#
# The table names the network of each column. With their own parameters both editions examine one that was trained on photographs.
#
# {{ runs["04_stacks"].say.table }}
#
# ## What this does not show
#
# A difference between the stacks may be partly due to training, in which the first stack also had to serve the next. CKA compares how layers arrange people, and not what the network
# does with them. The network and its pictures are small.

# %% tags=["remove-cell"]
kept_numbers = plain(
    {
        "network": card.name,
        "trained on": parse_spec(card.data)[0] if card.data else None,
        "count": count,
        "people": int(np.isfinite(found[-1]).any(1).sum()),
        "rendered": people.source.startswith("mannequins"),
        "stacks": by_stack,
        "steps": steps,
        "gain": gain,
        "kinds": kind_shares,
        "flow": {"kinds": list(between.KINDS), "joints": flow},
        "corrected": corrected,
        "strangers": sum(map(len, strangers)) if strangers is not None else 0,
        "handovers": handovers,
        "cka": {"hook points": list(inner[0]), "table": cka, "pairs": cka_pairs, "people": len(compared)},
        "study": study,
        "seconds": time.monotonic() - started,
    }
)
run.write_metrics(kept_numbers | {"verdicts": words.verdicts(kept_numbers), "say": words.sentences(kept_numbers, data)})
