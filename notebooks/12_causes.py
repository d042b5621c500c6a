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
# # What causes an answer?
#
# The chapters before this one decode and correlate. Decoding shows that an activation holds information, not that the network uses it. Does
# an arm's position travel through the skip connections or through the code? Where does the network distinguish left from right? Does a
# component carry the heading, or does it only correlate with it?
#
# {{ runs["12_causes"].say.answer }}
#
# The network is *{{ runs["12_causes"].say.network }}*; patching takes many predictions, so that an edition may use a smaller network here
# than in other chapters. Brackets are 95 % intervals over pairs, unless stated otherwise.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
data = "mannequins:6000"  # people to exchange activations between, and whose cells are looked at: NAME[:PATH][@SPLIT]
pairs = 24  # counterfactual pairs of each factor; three times as many of the left arm and of exchanged sides
people = 32  # people of the data who are patched with each other
readers = 480  # mannequins that probes are fitted to
looked = 160  # people of the data whose cells are written in atoms, and whose layers are compared
controls = 20  # random directions beside those of components, probes and atoms
points: list[str] | None = None  # two hook points whose cells are looked at; by default the finest skip connection and the third
atoms = 256  # of a sparse autoencoder
active = 8  # atoms, or components, that a cell has at most
learners = "mannequins:400,size=80"  # people of a short training, between whose epochs codes are compared: NAME[:PATH]
epochs = 8  # of the short training
compared: list[str] = ["lspet-hg1-128px-30", "lspet-hg1-128px-redesign", "lspet-64px-hg2"]  # networks beside this one
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

# %% tags=["remove-cell"]
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

import posekit
from posekit import plots as general
from posekit.coordinates import CONTEXT, transform, view
from posekit.data import held_out
from posekit.data.mannequins import COUNTERFACTUALS, counterfactuals
from posekit.data.mannequins.pairs import unpaired
from posekit.data.people import joints_box, parse_spec
from posekit.engine.learning.epochs import epochs_of
from posekit.files import plain
from posekit.interpret.activations import patching, walks
from posekit.interpret.activations.codes import code_hook_point
from posekit.interpret.activations.patching import Part, block
from posekit.interpret.analysis import sparse
from posekit.interpret.analysis.cells import ablate_atoms, compared_sets, sampled, strongest
from posekit.interpret.analysis.cka import cka_table
from posekit.interpret.analysis.components import pca_of
from posekit.interpret.analysis.decodability import codes_by_stack, pooled
from posekit.interpret.analysis.probes import correlations, probe, reading_direction
from posekit.plots import causes as plots
from posekit.plots.ablation import matrix
from posekit.stats import over_people
from posekit.workflow import runs
from posekit.workflow.words import causes as words
from posekit.workflow.words import number, ranged

general.style()
run = runs.current()
started = time.monotonic()
network = posekit.load(weights)
card, skeleton = network.card, network.skeleton
parts = patching.parts(network.model)
channels = {name: part for name, part in parts.items() if name != "all skips and codes"}
single = {name: part for name, part in channels.items() if len(part.hook_points) == 1}
code = code_hook_point(network.model)
wanted = {factor: pairs * (3 if factor in ("left arm", "sides") else 1) for factor in COUNTERFACTUALS if factor != "right arm"}

# %% [markdown]
# ## Pairs that differ in one factor
#
# Mannequins are rendered from a known scene, so one factor can be changed while everything else is kept: the angles of the left arm, the
# heading (the direction that the person faces), the lean of the trunk, the light, the clothing, an occluder in front of the person, or the
# person's height. The factor *sides* mirrors the body in depth, which exchanges left and right and leaves the outline nearly unchanged.
# Both pictures of a pair are cropped alike. {{ runs["12_causes"].say.pairs }}

# %% tags=["show-input"]
every = {factor: counterfactuals(factor, count, seed) for factor, count in wanted.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Pairs of pictures, A left and B right, that differ in one factor.", "name": "fig-causes-pairs"}, "image": {"alt": "Rows of rendered people in pairs; in the first row only the left arm differs, in the next the lean, the heading, the sides, the size, the light, the clothes, and a box in front"}}
run.save_figure(plots.counterfactual_pairs({factor: [*zip(p.a[:4], p.b[:4], strict=True)] for factor, p in every.items()}), "pairs")
plt.show()

# %% [markdown]
# ## One patch
#
# *Activation patching* {cite:p}`heimersheim2024` runs the network on picture A and replaces one activation by that of picture B. If this
# activation carries the arm's position, the prediction moves to that for B. A joint *follows* B if it lands within a twentieth of the
# picture's side (about a fifth of the torso) of the prediction for B. It *stays* if it lands as near to the prediction for A. Otherwise it
# lands *elsewhere*. Only joints count that the network finds in both pictures and whose two predictions are more than twice this distance
# apart. With all skip connections and the code patched nothing of A is left, and every joint follows. Skip connections are numbered from
# the finest level, *skip1*.

# %% tags=["show-input"]
arm = [joint for joint in ("left elbow", "left wrist") if joint in skeleton.joints]
first = next(iter(single))  # the first skip connection
channelled = patching.channel_groups(network, single[first].hook_points[0]).items()
groups = {f"{first}, {name.partition(', ')[2]}": part for name, part in channelled}
found = {"left arm": patching.patch_pairs(network, every["left arm"], parts | groups, arm)}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Where the left elbow and wrist land when one part of the network is patched with that of B, whose left arm is in another position. Black: 95 % interval of the share that follows.", "name": "fig-causes-arm"}, "image": {"alt": "Stacked bars, one a part of the network; the share that follows B grows from the code and the coarse skip connections to the finest, and is nearly all for all skip connections together"}}
landed = {part: {at: block(share) for at, share in found["left arm"].lands(part, arm, seed=seed).items()} for part in parts}
run.save_figure(plots.lands(landed), "arm")
plt.show()

# %% [markdown]
# {{ runs["12_causes"].say.arm }}
#
# ## Where each factor travels
#
# Here the measurement is repeated for every factor that moves joints. It is over all joints, but for the left arm, where it is over elbow
# and wrist as above.

# %% tags=["show-input"]
still = ("light", "clothing", "occluder")  # factors that move no joint
rest = {factor: given for factor, given in every.items() if factor not in found}
found |= {factor: patching.patch_pairs(network, given, {} if factor in still else channels) for factor, given in rest.items()}
chosen = {"left arm": arm}
moved = [factor for factor in found if factor not in still]
share = {factor: {part: block(found[factor].lands(part, chosen.get(factor), seed=seed)["B"]) for part in channels} for factor in moved}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The share (%) of joints that follow B, by the factor in which B differs and the part that is patched.", "name": "fig-causes-factors"}, "image": {"alt": "A table of shares with factors in rows and parts of the network in columns, the column of all skip connections much the darkest"}}
table = np.array([[blocks[part]["mean"] for part in channels] for blocks in share.values()])
run.save_figure(matrix(table, list(share), list(channels), percent=True, digits=0), "factors")
plt.show()
toward = {factor: {part: block(found[factor].toward(part, chosen.get(factor), seed=seed)) for part in channels} for factor in share}
aside = {factor: {part: block(found[factor].aside(part, seed=seed)) for part in channels} for factor in share}
of_arm = found["left arm"]
follow = {part: block(of_arm.lands(part, arm, seed=seed)["B"]) for part in groups}
go = {part: block(of_arm.toward(part, arm, seed=seed)) for part in groups}
by_group = {part: {"follow": follow[part], "toward": go[part], "aside": block(of_arm.aside(part, seed=seed))} for part in groups}
way = {factor: np.linalg.norm(one.b[..., :2] - one.a[..., :2], axis=-1) / card.resolution for factor, one in found.items()}
nuisance = {factor: block(over_people(way[factor].sum(1), np.full(len(way[factor]), len(skeleton)), seed=seed)) for factor in still}
judged = {factor: found[factor].counted & (way[factor] > 2 * patching.NEAR) for factor in moved}  # joints that follow B, or do not

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Pairs of different heading, joint by joint: the share (%) that follows B when the part is patched.", "name": "fig-causes-joints"}, "image": {"alt": "A table of shares with parts of the network in rows and joints in columns"}}
by_joint = {factor: found[factor].table(seed=seed) for factor in share}
turning = by_joint["heading"]
moving = list(turning["code"])
if moving:
    shown_shares = np.array([[turning[part][joint]["mean"] for joint in moving] for part in channels])
    run.save_figure(matrix(shown_shares, list(channels), moving, percent=True, digits=0), "joints")
    plt.show()

# %% [markdown]
# {{ runs["12_causes"].say.joints }}

# %% tags=["hide-input"]
rows = [words.patched_row(f, part, share[f][part], toward[f][part], aside[f][part]) for f in share for part in channels]
rows += [words.patched_row("left arm", part, *of.values()) for part, of in by_group.items()]
pd.DataFrame(rows).style.hide().set_caption(
    "Follow B: over joints whose two predictions are far apart. Way towards B: over all joints, how far predictions move from A to B (1 is the whole way). Beside the way: how far they land from the line through A and B."
)

# %% [markdown]
# {{ runs["12_causes"].say.factors }}
#
# {{ runs["12_causes"].say.sides }} {{ runs["12_causes"].say.nuisance }}
#
# ## Between people of the data
#
# Between two of {{ runs["12_causes"].say.data }} everything differs: pose, clothes, light and background. One activation of each
# person is replaced by that of another person.

# %% tags=["show-input"]
table = held_out(data, max(people, looked), seed, on_error=on_error)
crops = posekit.crops(table, int(card.resolution * CONTEXT), aspect=card.aspect, on_error=on_error)
pictures = patching.photographs(crops, card)
some = pictures[:people]
between = posekit.patch(network, some, some.roll(len(some) // 2, 0), channels)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Where joints land when one part of the network is patched with that of another person of the data.", "name": "fig-causes-between"}, "image": {"alt": "Stacked bars, one a part of the network: shares of joints that follow the other person, stay, and land elsewhere"}}
exchanged = {part: {at: block(one) for at, one in between.lands(part, seed=seed).items()} for part in channels}
run.save_figure(plots.lands(exchanged), "between")
plt.show()

# %% [markdown]
# {{ runs["12_causes"].say.between }}
#
# ## Probe beside patch
#
# A linear probe is fitted at each hook point to predict a factor, cross-validated on {{ runs["12_causes"].say.readers }} other mannequins.
# The patch at the same hook point measures what the activation changes. If information were used wherever a probe can read it, the points
# would lie along a rising line.

# %% tags=["remove-cell"]
others = unpaired(readers, seed)
keypoints = np.stack([one.keypoints for one in others])
boxes = joints_box(keypoints)
joints = patching.joints_seen(keypoints, boxes, card) / card.resolution
named = {joint: joints[:, k] for k, joint in enumerate(skeleton.joints)}
values = {
    "left arm": named["left wrist"][:, 1] - named["left shoulder"][:, 1],  # how high the hand is held
    "trunk lean": np.array([one.factors["trunk lean"] for one in others]),
    "heading": np.array([one.factors["heading cos"] for one in others]),
    "sides": named["left shoulder"][:, 0] - named["right shoulder"][:, 0],
}

# %% tags=["show-input"]
shown_others = patching.cropped_views([one.picture for one in others], boxes, card)
features = pooled(network, shown_others, [part.hook_points[0] for part in single.values()], cells=4)
at = {part: features[one.hook_points[0]] for part, one in single.items()}
probes = {
    factor: {part: probe(factor, activations, column, permutations=10, seed=seed) for part, activations in at.items()}
    for factor, column in values.items()
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Decoding against use at each hook point: R² of a linear probe for the factor (horizontal), and the share of joints that follow B when the hook point is patched (vertical). Bars: 95 % intervals, over mannequins and over pairs.", "name": "fig-causes-probes"}, "image": {"alt": "Four panels of points with error bars in both directions, most of them low however far to the right they lie"}}
readable = {f: {k: {"mean": p.r2, "low": p.low, "high": p.high, "chance": p.chance} for k, p in by.items()} for f, by in probes.items()}
best = {factor: max(by, key=lambda part: by[part]["mean"]) for factor, by in readable.items()}
run.save_figure(plots.probe_beside_patch(readable, share), "probes")
plt.show()

# %% [markdown]
# {{ runs["12_causes"].say.probes }}
#
# ## Does a component carry the heading?
#
# One principal component of the code correlates most with the cosine of the heading, which is 1 for a person who faces the camera and −1
# for one who faces away. If this component carries the heading, then replacing this one number of A's code by B's moves the prediction
# towards that for B. The direction of a probe for the heading and the span of twenty components are patched in the same way. The controls
# are {{ runs["12_causes"].say.controls }} random directions, drawn with the covariance of the codes.

# %% tags=["hide-input"]
codes = pooled(network, shown_others, [code], cells=64)[code]
axes = pca_of(codes)
count = min(20, len(axes), len(codes) // 4)
scores = axes.transform(codes)[:, :count]
related = correlations(scores, {"heading": values["heading"]}).set_index("component")["r"]
strongest_one = int(related.abs().idxmax())
read_in = reading_direction("heading", scores, values["heading"], axes.directions[:count])
drawn = walks.random_directions(controls, axes.directions[:count], axes.variances[:count], seed=seed)

# %% tags=["show-input"]
tested = {
    f"component {strongest_one} (r = {number(related[strongest_one])})": Part([code], directions=axes.directions[strongest_one - 1]),
    "the probe's direction": Part([code], directions=read_in.vector),
    f"the first {count} components": Part([code], directions=axes.directions[:count]),
}
at_random = {f"random {i}": Part([code], directions=vector) for i, vector in enumerate(drawn)}
turned = patching.patch_pairs(network, every["heading"], tested | {"the whole code": Part([code])} | at_random)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How far predictions move from those for A towards those for B, whose heading differs, when one direction of the code, twenty components or the whole code are patched, in percent of the whole way. Grey marks: single random directions.", "name": "fig-causes-heading"}, "image": {"alt": "Four dots with intervals near zero, the whole code farthest, over grey marks"}}
carried = {part: block(turned.toward(part, seed=seed)) for part in (*tested, "the whole code")}
chance = [turned.toward(part, seed=seed).mean for part in at_random]
p_values = {part: walks.chance_of_effect(carried[part]["mean"], chance, walks.freedom_of(drawn)) for part in (*tested,)[:2]}
run.save_figure(plots.effects(carried, chance, "way from A’s answer towards B’s (%)"), "heading")
plt.show()

# %% [markdown]
# {{ runs["12_causes"].say.heading }} To carry the heading a component has to do both: move predictions clearly more than none, and more than
# the random directions do. [The ledger](10_claims) has the *p* of the second, and asks for a tenth of the way.
#
# (sec-causes-atoms)=
# ## Sparse features
#
# A *sparse autoencoder* represents the vector of channels of a cell as a sum of at most {{ runs["12_causes"].say.active }} of
# {{ runs["12_causes"].say.atoms }} directions, its *atoms* {cite:p}`gao2024`. Are atoms better units of interpretation than principal
# components? Both, and the factors of non-negative matrix factorisation (NMF), are compared at the same sparsity by three measures: how
# much variance they explain, whether two trainings on different halves of the cells find the same features, and how well the best single
# feature marks the cell in which a joint lies. The last is the area under the ROC curve; the feature is chosen on half of the people and
# evaluated on the other half.

# %% tags=["remove-cell"]
skips = parts["all skips"].hook_points if "all skips" in parts else [code]
where = points or [skips[0], skips[min(2, len(skips) - 1)]]
seen_joints = transform(view(crops.size, card.resolution), crops.keypoints[..., :2].astype(float))
order = [table.skeleton.joints.index(joint) if joint in table.skeleton.joints else None for joint in skeleton.joints]
seen_joints = np.stack([np.full((len(crops), 2), np.nan) if k is None else seen_joints[:, k] for k in order], 1)
halves = np.random.default_rng(seed).permutation(len(crops)) % 2

# %% tags=["show-input"]
sampled_at = {point: sampled(network, pictures, point, seen_joints, seed=seed) for point in where}
sets_at = {point: sparse.dictionaries(cells.values, atoms, active, seed=seed) for point, cells in sampled_at.items()}

# %% tags=["hide-input"]
measured = {at: compared_sets(cells, sets_at[at], halves, skeleton.joints, seed=seed) for at, cells in sampled_at.items()}
written = {at: found_there for at, (found_there, _) in measured.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How well the best single feature at the first hook point marks the cell of each joint: an atom of the sparse autoencoder, a principal component, or a factor of NMF. 0.5 is chance.", "name": "fig-causes-atoms"}, "image": {"alt": "Three marks a joint, close together, between 0.6 and 1"}}
run.save_figure(plots.detection_by_atoms(written[where[0]]["areas"], written[where[0]]["joints"]), "atoms")
plt.show()

# %% tags=["hide-input"]
pd.DataFrame(words.feature_rows(plain(written))).style.hide().set_caption(
    "Three decompositions of the cells, with equally many coefficients. Dead: atoms that no cell uses."
)

# %% [markdown]
# {{ runs["12_causes"].say.sparse }}
#
# Which parts of pictures excite the atoms that mark a joint best, and does the network need these atoms? Each atom is removed from every
# cell. The control removes as much along {{ runs["12_causes"].say.controls }} random directions.

# %% tags=["show-input"]
atom_set, chosen_atoms, marked_joints = sets_at[where[0]]["sparse autoencoder"][0], measured[where[0]][1], written[where[0]]["joints"]
limbs = [joint for joint in ("left wrist", "left elbow", "left knee", "left ankle") if joint in marked_joints]
ends = {joint: int(chosen_atoms[marked_joints.index(joint)]) for joint in limbs}
marked_by = {atom: ",\n".join(joint for joint in ends if ends[joint] == atom) for atom in ends.values()}
shown = dict(zip(marked_by, strongest(network, pictures, where[0], atom_set, list(marked_by)), strict=True))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The parts of pictures that excite an atom most, one per person, for the atoms that mark four joints best; beside each row stand the atom’s number and the joints that it marks.", "name": "fig-causes-patches"}, "image": {"alt": "Rows of small cut-outs of people round the cell that excites the atom"}}
if shown:
    run.save_figure(plots.atoms({f"{marked_by[atom]}\natom {atom}": one.patches for atom, one in shown.items()}), "patches")
    plt.show()

# %% tags=["hide-input"]
lost = ablate_atoms(network, some, where[0], atom_set, ends, controls=controls, seed=seed)
removed = {joint: {name: block(one) for name, one in by.items()} for joint, by in lost.items()}
rows = [
    {"joint": joint, "atom": ends.get(joint, "")} | {name: ranged(words.percent(one), 1) for name, one in by.items()}
    for joint, by in removed.items()
]
pd.DataFrame(rows).style.hide().set_caption("How far joints move without the atom that marks a joint, in % of the picture’s side.")

# %% [markdown]
# {{ runs["12_causes"].say.removed }}
#
# ## Do networks arrange people alike?
#
# *Centred kernel alignment* {cite:p}`kornblith2019` compares the codes of two networks for the same people. It is 1 if one set of codes is
# the other rotated and scaled, and about 0 if they have nothing in common. An untrained network of the same architecture is the control; it, too, gives similar pictures similar codes, so that its CKA need not be 0.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Similarity of the codes of networks for the same people (unbiased linear CKA).", "name": "fig-causes-cka"}, "image": {"alt": "A square table of similarities, high among the trained networks and low against the untrained one"}}
torch.manual_seed(seed)
bare = posekit.Predictor(type(network.model)(network.model.config), card) if hasattr(network.model, "config") else None
networks = {card.name: network} | {name: posekit.load(name) for name in compared if name != card.name}
networks |= {"untrained": bare} if bare else {}
layers = {}
for name, one in networks.items():
    stacks = codes_by_stack(one, crops.people, on_error=on_error)
    layers |= {name if len(stacks) == 1 else f"{name}, stack {i}": code for i, code in enumerate(stacks, 1)}
alike = cka_table(layers, layers)
trained = {name: (parse_spec(one.card.data)[0], one.card.resolution) for name, one in networks.items() if one is not bare and one.card.data}
run.save_figure(matrix(alike, list(layers), list(layers)), "cka")
plt.show()

# %% [markdown]
# {{ runs["12_causes"].say.alike }}
#
# When does this arrangement arise? A small network is trained on mannequins for {{ runs["12_causes"].say.epochs_count }} epochs, from two
# seeds. Its codes of other people are compared between epochs, with the untrained network, and with the end of the other training. The network is
# another one than above, and far smaller, so that its numbers have a control of their own and cannot be compared with those above.

# %% tags=["show-input", "remove-output"]
students = posekit.load_people(learners, on_error=on_error)
few, judges = (posekit.crops(students.split(name), 80, on_error=on_error) for name in ("train", "val"))
config = posekit.HourglassConfig.narrow(16, joints=len(students.skeleton), depth=3)
short = [posekit.Recipe(resolution=64, epochs=epochs, batch=16, seed=seed + i) for i in (0, 1)]
keep = {min(epoch, epochs) for epoch in (1, 2, 3, 5)}
one, other = (epochs_of(config, r, few, judges, run.path(f"epochs-{r.seed}/last.pt").parent, keep) for r in short)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Similarity of the codes of one short training by epoch, and of the last epoch from another seed (unbiased linear CKA).", "name": "fig-causes-epochs"}, "image": {"alt": "A square table of similarities that grow from the untrained network to the last epoch; the other seed's last epoch is less alike"}}
learnt = {e.card.name: e for e in one.values()} | {f"epoch {epochs}, another seed": other[epochs]}
states = {name: codes_by_stack(state, students[students.splits != "train"], on_error=on_error)[0] for name, state in learnt.items()}
by_epoch = cka_table(states, states)
run.save_figure(matrix(by_epoch, list(states), list(states)), "epochs")
plt.show()

# %% [markdown]
# {{ runs["12_causes"].say.epochs }}
#
# ## In one table
#
# {{ runs["12_causes"].say.table }}
#
# ## What this does not show
#
# A patch gives the network activations that do not belong together, such as a skip connection of B beside a code of A; joints that land
# elsewhere are a sign of that. A part whose patch moves nothing may still carry the factor together with another part: the effects of
# single parts do not add up to that of all. The pairs are of standing mannequins, which for a network trained on photographs are pictures
# of another kind. Probes and components are linear. An autoencoder of more atoms, or trained on more cells, may find other features.

# %% tags=["remove-cell"]
metrics = plain({
    "network": card.name, "people": len(some), "source": crops.people.source.partition(":")[0], "looked": len(crops), "pairs": pairs,
    "readers": len(others), "controls": controls, "atoms": atoms, "active": active, "parts": list(channels),
    "arm": {"pairs": len(of_arm.a), "joints": arm, "lands": landed, "skips": [name for name, part in single.items() if part.hook_points[0] in skips],
            "code over skips": block(of_arm.follows_more("code", "all skips", arm, seed=seed)) if "all skips" in parts else None},
    "judged": {factor: int(judged[factor][:, skeleton.index(*chosen.get(factor, skeleton.joints))].any(1).sum()) for factor in moved},
    "judged joints": dict(zip(skeleton.joints, judged["heading"].sum(0).tolist(), strict=True)), "least": patching.MANY,
    "share": share, "by joint": by_joint, "toward": toward, "aside": aside, "nuisance": nuisance, "groups": by_group,
    "sides": block(found["sides"].follows_more("code", "all skips", seed=seed)) if "all skips" in parts else None,
    "between": exchanged, "probes": readable, "best": best,
    "used": {factor: share[factor][part] | {"part": part, "r2": readable[factor][part]["mean"]} for factor, part in best.items()},
    "heading": {"pairs": int(turned.counted.any(1).sum()), "component": strongest_one, "r": related[strongest_one], "carried": carried,
                "chance": chance, "p": p_values, "own": carried[next(iter(tested))] | {"p": p_values[next(iter(tested))]}},
    "features": written, "atoms over components": written[where[0]]["more"], "where": where, "removed": removed, "cka": {"names": list(layers), "table": alike, "trained": trained},
    "epochs": {"names": list(states), "table": by_epoch, "count": epochs, "people": int((students.splits != "train").sum())}, "seconds": time.monotonic() - started,
})  # fmt: skip
run.write_metrics(metrics | {"verdicts": words.verdicts(metrics), "say": words.sentences(metrics, data)})
