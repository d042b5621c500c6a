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
# Which kind of pose estimator finds the most joints, what does it cost, and where does each fail?
#
# {{ runs["09_comparison"].say.answer }}
#
# Before the hourglass, poses were estimated by pictorial structures, in which springs connect templates of body parts
# {cite:p}`fischler1973,felzenszwalb2005,yang2013`, and then by networks that regress coordinates {cite:p}`toshev2014` or correct their own
# prediction {cite:p}`carreira2016`. Later networks added attention: TransPose puts a transformer behind convolutions {cite:p}`yang2021`.
# The scores in their papers cannot be compared, because data, resolution and length of training all differ. This chapter builds a small
# version of each for the same people and pixels. A *study* trains each to its own plateau, from three seeds, and decides. A short training
# of each shows how they work and where they fail.

# %% tags=["parameters"]
data = "mannequins"  # people: NAME[:PATH]; trained on its training split, tested on its test split
studies = "book/studies/lspet"  # folder of the results of studies of photographs, of which `estimators` is read
weights: list[str] = []  # networks trained before, each in place of its kind's training here
one_stack: str | None = None  # an hourglass trained elsewhere and for longer, shown beside
two_stacks: str | None = None  # another, of two stacks
redesigned: str | None = None  # and a redesigned one
resolution = 64  # side of the input in pixels, of all
epochs = 4  # of each short training; templates are fitted once
batch = 32  # people in a step
features = 64  # channels of the hourglasses and width of the transformer's tokens; regressors begin with half
learning_rate = 2e-3  # highest learning rate, but half of it for the transformer
mixtures = 4  # templates of a joint
train_people: int | None = None  # maximum number of training people; none: all
test_people = 600  # maximum number of test people
attention_people = 60  # maximum number of them whose joints are hidden to compare attention with effect
timed_people = 32  # people in the batch whose prediction is timed
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

# %% tags=["remove-cell"]
import itertools
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import posekit
from posekit import metrics, plots
from posekit.coordinates import CONTEXT, transform_keypoints, view
from posekit.data.augment import eval_view
from posekit.data.loading import load_batch
from posekit.display.html import number as rounded
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.costs import fitted_numbers, milliseconds, multiply_adds
from posekit.engine.evaluation import common
from posekit.engine.inference.prediction import Fast, predict_crops
from posekit.engine.learning.fitting import fit_parts
from posekit.engine.learning.training import Recipe
from posekit.files import plain
from posekit.interpret.activations import ablation
from posekit.interpret.activations import stacks as between
from posekit.interpret.attribution.attention import attended_joints, nearest_cells
from posekit.interpret.attribution.dependency import SIDE, agreement, dependency
from posekit.models import REGRESSORS, architecture_of
from posekit.models.deeppose import DeepPoseConfig
from posekit.models.feedback import FeedbackConfig, mean_pose
from posekit.models.hourglass import HourglassConfig
from posekit.models.transpose import TransPoseConfig, dependencies
from posekit.plots import ablation as skip_figures
from posekit.plots.comparisons import comparison as figures
from posekit.skeleton import skeleton_of
from posekit.studies import comparison, kept, redesign
from posekit.studies.floor import median_pose
from posekit.studies.summary import learning, summarise
from posekit.workflow import runs
from posekit.workflow.words import comparison as words

plots.style()
run = runs.current()
backend = Backend.best()
people = posekit.load_people(data, on_error=on_error)
joints = len(people.skeleton)


def store(chosen, side, aspect=1.0):
    """Their crops, at the size that a network of such an input takes."""
    return posekit.crops(chosen, int(side * CONTEXT), aspect=aspect, on_error=on_error)


def report(line):
    """A line of progress an epoch."""
    if "pck" in line:
        print(f"epoch {line['epoch']}: loss {line['loss']:.3f}, validation PCK {rounded(line['pck'])}, {line['seconds']:.0f} s", flush=True)


def name_of(card):
    """What an estimator is called here."""
    if card.config.get("basic"):
        return words.ALL_THREE
    stacks = card.config.get("stacks")
    names = {"parts": "templates on springs", "deeppose": "DeepPose", "feedback": "error feedback", "transpose": "TransPose"}
    return names.get(card.architecture) or f"hourglass, {stacks} stack{'s' if stacks > 1 else ''}"


# %% [markdown]
# ## Each at its plateau
#
# The study trains each kind at 64 px on photographs until its score on validation people no longer rises, for 60 epochs at most. Regressors
# have as many parameters as the hourglass of one stack. The transformer has the multiply-adds of two stacks, because attention needs many
# multiply-adds and few parameters.

# %% tags=["show-input"]
trainings = kept.read("estimators", studies)
study, curves = summarise(trainings), learning(trainings)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK@0.2·torso on validation people during training, one line a seed, against wall time and against the multiply-adds of all forward passes. Dashed: the median pose. Dotted: three times its score, below which nothing is concluded.", "name": "fig-comparison-curves"}, "image": {"alt": "Rising curves that flatten, a colour for each estimator, once over time and once over compute"}}
run.save_figure(figures.accuracy_over_cost(curves, list(study["variants"]), (study["floor"] or {}).get("val")), "curves")
plt.show()

# %% [markdown]
# {{ runs["09_comparison"].say.curves }}
#
# {{ runs["09_comparison"].say.study }}
#
# ## The same short training

# %% tags=["hide-input", "remove-output"]
training, validation = store(people.split("train").at_most(train_people, seed), resolution), store(people.split("val"), resolution)
views = transform_keypoints(view(training.size, resolution), training.keypoints)
base = HourglassConfig.narrow(features, joints=joints)
best = redesign.own_variants(base, resolution)[-1]
configs = {  # in the order of the study
    "hourglass, 1 stack": base,
    "hourglass, 2 stacks": replace(base, stacks=2),
    words.ALL_THREE: best.config,
    "DeepPose": DeepPoseConfig(joints, features=features // 2),
    "error feedback": FeedbackConfig(joints, mean_pose(views, resolution), features=features // 2),
    "TransPose": TransPoseConfig(joints, features),
    "templates on springs": None,
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
given = {"1 stack, trained longer": one_stack, "2 stacks, trained longer": two_stacks, "all three, trained longer": redesigned}
sources |= {name: path for name, path in given.items() if path}

# %% tags=["hide-input"]
started = time.monotonic()
estimators = {name: weight_files.load(path) for name, path in sources.items()}
tested = people.split("test").at_most(test_people, seed)
if len({card.skeleton for _, card in estimators.values()}) > 1:
    raise posekit.PosekitError("the networks do not have the same joints; give networks of one skeleton")
card = estimators[equal[0]][1]
skeleton = common(skeleton_of(card.skeleton), people.skeleton)
own = skeleton_of(card.skeleton).index(*skeleton.joints)
truth = tested.keypoints[:, people.skeleton.index(*skeleton.joints)]
torso = metrics.torso(truth, skeleton)
over = {"pictures": tested.picture_ids(), "seed": seed}  # what intervals are over, where people share pictures
predicted, costs = {}, {}
for name, (network, card) in estimators.items():
    crops = store(tested, card.resolution, card.aspect)
    costs[name] = {
        "numbers": fitted_numbers(network),
        "multiply-adds": multiply_adds(network, card.resolution),
        "seconds": card.history[-1]["seconds"] if card.history else float("nan"),
    }
    predicted[name] = predict_crops(network, card, crops, backend=backend)[:, :, own]
    pictures, keypoints = load_batch(crops, np.arange(min(timed_people, len(crops))))
    batch_seen, _ = eval_view(pictures, keypoints, card.resolution)
    costs[name]["milliseconds"] = milliseconds(Fast(network, backend, expected=np.inf), batch_seen.to(backend.device))
hits = {name: [metrics.hits(stage, truth, 0.2 * torso) for stage in stages] for name, stages in predicted.items()}
reference = "hourglass, 1 stack"
scored = int(np.isfinite(hits[reference][-1]).any(1).sum())  # who has no torso has no score


def pck(hit):
    """PCK of hits (N, K) with its interval over people."""
    return dict(zip(("mean", "low", "high"), metrics.interval(np.nansum(hit, 1), np.isfinite(hit).sum(1), **over), strict=True))


scores = {name: pck(stages[-1]) for name, stages in hits.items()}
head_to_head = {name: metrics.paired_difference(hits[name][-1], hits[reference][-1], **over) for name in equal if name != reference}
floor = median_pose(people)

# %% [markdown]
# {{ runs["09_comparison"].say.budget }}
#
# {{ runs["09_comparison"].say.costs }}
#
# {{ runs["09_comparison"].say.notes }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK@0.2·torso, with 95 % intervals over people, against the multiply-adds of one prediction.{{ runs['09_comparison'].say.elsewhere }}", "name": "fig-comparison-compute"}, "image": {"alt": "A mark with an interval for each estimator, cheaper ones to the left, better ones higher"}}
compute = {name: cost["multiply-adds"] / 1e6 for name, cost in costs.items()}
run.save_figure(figures.compute(scores, compute, "million multiply-adds a person", equal), "compute")
plt.show()

# %% [markdown]
# {{ runs["09_comparison"].say.best }}

# %% tags=["show-input"]
groups = ablation.kinds(skeleton)
by_kind = {name: {kind: float(np.nanmean(stages[-1][:, index])) for kind, index in groups.items()} for name, stages in hits.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK@0.2·torso by kind of joint, left and right together.", "name": "fig-comparison-joints"}, "image": {"alt": "A line for each kind of joint with a mark for each estimator"}}
run.save_figure(figures.joints(by_kind, "PCK@0.2·torso (%)"), "joints")
plt.show()

# %% [markdown]
# {{ runs["09_comparison"].say.joints }} The table gives PCK in percent.
#
# {{ runs["09_comparison"].say.by_joint }}
#
# ## Predictions in stages
#
# Three of the estimators predict in several stages. DeepPose crops a window around each predicted joint and predicts again. Error feedback
# draws its prediction into the picture and corrects each joint by a step of bounded length. The second stack of an hourglass receives the heatmaps of
# the first. Each stage is scored as if it were the last: by PCK, and by the mean distance of joints from the annotation, where distances
# above one torso length count as one.

# %% tags=["show-input"]
staged = [name for name in equal if len(hits[name]) > 1]
by_stage = {name: [pck(stage) for stage in hits[name]] for name in staged}
gains = {name: comparison.gains(hits[name], **over) for name in staged}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK@0.2·torso after each stage, with 95 % intervals over people.", "name": "fig-comparison-stages"}, "image": {"alt": "A rising or flat line for each estimator over its stages"}}
distances = {
    name: [np.linalg.norm(stage[..., :2] - truth[..., :2], axis=-1) / torso[:, None] for stage in predicted[name]] for name in staged
}
nearer = {
    name: [metrics.paired_difference(np.minimum(a, 1), np.minimum(b, 1), **over) for a, b in itertools.pairwise(stages)]
    for name, stages in distances.items()
}
run.save_figure(figures.stages(by_stage, list(scores), "PCK@0.2·torso (%)"), "stages")
plt.show()

# %% [markdown]
# {{ runs["09_comparison"].say.stages }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The path of each joint from the first prediction to the last (dot), for six people drawn at random. Error feedback begins with the mean pose, which is not drawn.", "name": "fig-comparison-paths"}, "image": {"alt": "Six people in two rows with lines that lead to each joint"}}
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
# ## What the templates match
#
# Templates can be interpreted directly. Each is a linear filter on histograms of edge directions {cite:p}`dalal2005`. A joint has several
# templates, one for each direction in which its parent in the tree of limbs lies. The highest-scoring pose is found exactly by messages
# along the tree, each a distance transform {cite:p}`felzenszwalb2012`.

# %% tags=["show-input"]
parts_network = estimators["templates on springs"][0]
commonest = parts_network.together.mean(2).argmax(1).numpy()
by_joint = parts_network.templates.unflatten(0, (joints, -1)).numpy()
shown = np.stack([by_joint[i, kind] for i, kind in enumerate(commonest)])

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The most frequent template of each joint. A line is an edge of this direction that raises the score; the darker, the more. The dot is the joint.", "name": "fig-comparison-templates"}, "image": {"alt": "A sheet of small grids with short lines that run along limbs"}}
run.save_figure(figures.templates(shown, people.skeleton.joints), "templates")
plt.show()

# %% [markdown]
# ## What the transformer attends to
#
# In TransPose, the attention of the last layer at a predicted joint gives a weight to each cell of the feature map. A weight is not an
# effect: hiding a cell with a large weight need not move the joint. [The chapter on attribution](07_explanations) hides joints from an
# hourglass; here they are hidden from the transformer, and the effect is compared with attention.

# %% tags=["hide-input"]
transformer = estimators["TransPose"][0].float().cpu()
pictures, keypoints = load_batch(crops, drawn_people[:3])
seen, _ = eval_view(pictures, keypoints, resolution)
shown_joints = [joint for joint in ("left wrist", "right elbow", "left knee", "right ankle") if joint in skeleton.joints]
to_input = view(crops.size, resolution) @ crops.matrices[drawn_people[:3]]
points = np.stack([transform_keypoints(m, predicted["TransPose"][-1, i])[..., :2] for m, i in zip(to_input, drawn_people[:3], strict=True)])
points = points[:, skeleton.index(*shown_joints)]

# %% tags=["show-input"]
maps = dependencies(transformer, seen, nearest_cells(points, resolution)).numpy()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The last layer's attention at a predicted joint (cross), for three people and four joints, each map normalised by its peak.", "name": "fig-comparison-attention"}, "image": {"alt": "Grey pictures under bright spots, a cross at the predicted joint"}}
run.save_figure(figures.dependencies([p.permute(1, 2, 0).mul(255).byte().numpy() for p in seen], maps, points, shown_joints), "attention")
plt.show()

# %% tags=["show-input"]
hidden_people = crops.select(np.sort(np.random.default_rng(seed).permutation(len(crops))[:attention_people]))
hidden = dependency(transformer, estimators["TransPose"][1], hidden_people, seed=seed, backend=backend)
paid = attended_joints(transformer, estimators["TransPose"][1], hidden_people, backend=backend)
agrees = agreement(hidden.effect, paid, pictures=hidden.pictures, seed=seed)

# %% tags=["hide-input"]
home = float(np.nanmean(np.diagonal(paid, axis1=1, axis2=2)))
elsewhere = float(np.nanmean(np.where(np.eye(joints, dtype=bool), np.nan, paid)))

# %% [markdown]
# {{ runs["09_comparison"].say.attention }}
#
# ## The same twelve people
#
# Two figures show twelve test people with most joints labelled, from the easiest to the hardest by the mean PCK of all estimators, at equal
# distances in this order. None was chosen for a particular estimator.

# %% tags=["show-input"]
shares = np.stack([ablation.by_person(hits[name][-1]) for name in equal])
shares[:, np.isfinite(truth[..., 0]).sum(1) < 2 * len(skeleton) / 3] = np.nan
twelve = comparison.from_easy_to_hard(shares, 12)


# %% tags=["hide-input"] mystnb={"figure": {"caption": "The easier six of the twelve people, easiest first, a row for each estimator. Above each prediction, the share of joints found.", "name": "fig-comparison-easier"}, "image": {"alt": "Six people in columns, a row of skeletons for each estimator"}}
def gallery(chosen):
    drawn = {name: [transform_keypoints(crops.matrices[i], predicted[name][-1, i]) for i in chosen] for name in equal}
    titles = {name: [f"{100 * ablation.by_person(hits[name][-1])[i]:.0f} %" for i in chosen] for name in equal}
    return skip_figures.before_after([crops[i] for i in chosen], drawn, skeleton, titles)


run.save_figure(gallery(twelve[:6]), "easier")
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The harder six of the twelve people, hardest last. Above each prediction, the share of joints found.", "name": "fig-comparison-harder"}, "image": {"alt": "Six people in columns, a row of skeletons for each estimator, many of them wrong"}}
if len(twelve) > 6:
    run.save_figure(gallery(twelve[6:]), "harder")
    plt.show()

# %% tags=["show-input"]
error_shares = {name: between.shares(between.error_kinds(predicted[name][-1], truth, 0.2 * torso, skeleton), **over) for name in equal}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Errors by kind and estimator, as shares of all labelled joints, with 95 % intervals over people.", "name": "fig-comparison-errors"}, "image": {"alt": "Bars of the share of each kind of error, a colour an estimator"}}
run.save_figure(skip_figures.stacked_kinds(error_shares, figures.estimator_colours(list(scores))), "errors")
plt.show()

# %% [markdown]
# {{ runs["09_comparison"].say.failures }}
#
# ## The verdict
#
# *Too low*: a PCK below three times the median pose's, from which nothing is concluded.
#
# {{ runs["09_comparison"].say.table }}
#
# ## What this does not show
#
# The estimators are small versions that follow the papers, without the authors' code, and none of their learning rates was searched widely.
# Wall times depend on the machine and on what else it was running. A short training compares how fast they learn, not how good they can
# become. Its intervals are over people; another training might differ by more.

# %% tags=["remove-cell"]
measured = plain(
    {
        "study": study,
        "equal": equal,
        "floor": floor,
        "scores": scores,
        "against the reference": head_to_head,
        "costs": costs,
        "kinds of joint": by_kind,
        "stages": by_stage,
        "gains": gains,
        "nearer": nearer,
        "errors": error_shares,
        "attention": {"people": len(paid), "side": SIDE, "own": home, "others": elsewhere, "agreement": agrees},
        "budget": {"people": len(training), "validation": len(validation), "test": scored, "epochs": epochs, "resolution": resolution,
                   "joints": len(skeleton), "timed": min(timed_people, len(tested)), "seed": seed, "backend": str(backend)},
        "seconds": time.monotonic() - started,
    }
)  # fmt: skip
run.write_metrics(measured | {"verdicts": words.verdicts(measured), "say": words.sentences(measured, data)})
