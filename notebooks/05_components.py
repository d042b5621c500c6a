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
# # How many components does a code have?
#
# At its narrowest point the hourglass represents a person by {{ runs["05_components"].say.dimensions }} numbers: the *code*. The study that this book re-does
# analysed codes by their principal components, found that 541 of 4,096 hold 95 % of the variance, and took those from the 50th on for noise. Are they noise?
#
# {{ runs["05_components"].say.answer }}
#
# The codes are those of {{ runs["05_components"].say.people }}, at {{ runs["05_components"].say.hook_point }} of *{{ runs["05_components"].say.network }}*.
# Brackets are 95 % intervals over people. [The next chapter](05_probes) asks what the components mean.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
stack = -1  # whose code: the first stack is 0, the last -1
layer: str | None = None  # another activation than the code: stack0.encoder4, say
components = 20  # principal components to look at
people = 2000  # at most so many people, drawn at random
permutations = 20  # of the codes, for the noise floor
halvings = 10  # of the people, for the stability
cuts: list[int] = [1, 2, 5, 10, 20, 50, 100, 200]  # components that codes are cut to; all of them are tried as well
cut_people = 400  # at most so many people's codes are cut, by the components of the others
read: list[str] = ["upright", "lean", "sitting", "arm elevation", "facing", "left on the right"]  # attributes, for probes
seed = 0  # of everything drawn by chance
on_error = "raise"  # what a picture that cannot be read does: raise or skip

# %% tags=["remove-cell"]
import time

import matplotlib.pyplot as plt
import numpy as np

import posekit
from posekit import plots
from posekit.coordinates import CONTEXT
from posekit.data import held_out
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.errors import PosekitError
from posekit.interpret.activations import ablation, walks
from posekit.interpret.activations import cuts as cutting
from posekit.interpret.activations.codes import code_hook_point, codes_and_predictions
from posekit.interpret.analysis import probes
from posekit.interpret.analysis.attributes import attributes, factors, usable
from posekit.interpret.analysis.components import batches_of, count_above_floor, jackknife, moments_of, noise_floor, pca, stability
from posekit.plots import components as draw
from posekit.plots import meaning
from posekit.workflow import runs, words
from posekit.workflow.words import components as words_of

plots.style()
run = runs.current()
backend = Backend.best()
started = time.monotonic()

# %% tags=["remove-cell"]
network, card = weight_files.load(weights)
hook_point = layer or code_hook_point(network, stack)
table = held_out(data, people, seed, on_error=on_error)
crops = posekit.crops(table, int(card.resolution * CONTEXT), aspect=card.aspect, on_error=on_error)
table, count = crops.people, len(crops)

# %% tags=["show-input"]
codes, _ = codes_and_predictions(network, card, crops, hook_point, backend=backend)
every = pca(moments_of(batches_of(codes)))

# %% tags=["remove-cell"]
k = min(components, len(every), count // 2 - 1)
if k < 2:
    raise PosekitError(f"{count} people are too few to look for components: take at least 6, 100 to learn anything")

# %% [markdown]
# ## How much of the variance do they hold?
#
# A principal component always takes some of the variance, in pure noise too. What noise would take is estimated by *parallel analysis*
# {cite:p}`horn1965`, here by permutation {cite:p}`buja1992`: every number of the code is permuted among people, which keeps its distribution and breaks all
# ties between numbers, and the components of that are computed. The noise floor is the 95 % quantile of {{ runs["05_components"].say.permutations }} such spectra.

# %% tags=["show-input"]
floor = noise_floor(codes, permutations=permutations, seed=seed)
above = count_above_floor(every.spectrum, floor)
needed = every.components_for(0.95)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, the share of the variance that each principal component holds, and what components of permuted codes hold. Dots: the components examined below. Right, how much the first ones hold together.", "name": "fig-scree"}, "image": {"alt": "A steeply falling curve that crosses a flat one, beside a rising curve that reaches 95 percent"}}
sizes = jackknife(
    codes,
    {
        "participation ratio": lambda c: c.participation_ratio,
        "needed for 95 %": lambda c: c.components_for(0.95),
        "above the noise floor": lambda c: count_above_floor(c.spectrum, floor),
    },
    min(20, count // 2),
    seed,
)
run.save_figure(draw.scree(every.spectrum, floor, k, above, needed), "scree")
plt.show()

# %% [markdown]
# **{{ runs["05_components"].say.needed }}** components hold 95 % of the variance, {{ runs["05_components"].say.needed_share }} of all there could be; in the
# study it was 541 of 4,096, 13 %. **{{ runs["05_components"].say.above }}** components lie above the permutation floor and hold
# {{ runs["05_components"].say.above_share }} of the variance. The floor describes a sample: it sinks as people are added, and so more components rise above it.
# The *participation ratio*, which counts how many components of equal variance would give the same spread of the spectrum, is {{ runs["05_components"].say.participation }}.
#
# ## Would other people have given the same?
#
# The people are halved at random, components are computed from each half, and matched. If a component is a property of the network and not of
# the sample, the halves agree.

# %% tags=["show-input"]
halves = stability(codes, k, splits=halvings, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Agreement of two random halves of the people. Left, component by component, after matching: 1 is the same direction. Right, the largest angle between the spaces that the first components span, which is small where components merely change their order. Bands span all halvings; dashed, random directions.", "name": "fig-stability"}, "image": {"alt": "Cosines that fall from one, and angles that rise, over the number of the component"}}
run.save_figure(draw.half_stability(halves.cosines, halves.angles, halves.chance_cosines, halves.chance_angles), "stability")
plt.show()

# %% [markdown]
# {{ runs["05_components"].say.stable }} A component that does not return in another half gets no name in the next chapter; the space that
# several of them span may return all the same.
#
# ## How many does the network use?
#
# Variance is not use: the network may depend on a component that hardly varies. So codes are cut. Each of {{ runs["05_components"].say.tested }}
# people's codes is replaced by its projection onto the first components, which were computed from the {{ runs["05_components"].say.fitted }} others, and the rest
# of the network answers to that. If a component is noise, the score without it is the same. As many random directions of the same space show what the order
# of the components is worth. With the skip connections intact the network still sees the picture past the bottleneck; with each at its mean over people, the code is
# all that it has of this person, and this harder test decides the claim: without noise it must find as many joints, to within 5 %.

# %% tags=["show-input"]
drawn = np.random.default_rng(seed).permutation(count)
tested, others = (crops.select(np.sort(part)) for part in np.split(drawn, [min(cut_people, count // 2)]))
frame = pca(moments_of(batches_of(codes, np.sort(drawn[len(tested) :]))))
means = ablation.means(network, card, others, walks.skips_beside(network, hook_point), backend=backend)
cut = {
    f"skips {skips}": cutting.cut_scores(
        network, card, tested, hook_point, frame, cuts, skips=skips, means=means, backend=backend, seed=seed
    )
    for skips in ("intact", "mean")  # the same for a network that has none
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How many joints the network finds when the code is cut to its first components, and to as many random directions, with 95 % intervals over people. Grey: the whole code; dotted: the mean code for everybody.", "name": "fig-cut"}, "image": {"alt": "Two panels of rising curves, that of the components above that of random directions, which meet at all components"}}
titles = {"skips intact": "skip connections intact", "skips mean": "skip connections at their mean"}
run.save_figure(draw.pck_of_cuts({titles[name]: result for name, result in cut.items()}), "cut")
plt.show()

# %% [markdown]
# {{ runs["05_components"].say.cut }}
#
# The same for linear probes (ridge regression, cross-validated), which read an attribute of the pose from the cut code. The attributes are computed from annotated
# keypoints; the next chapter defines them.

# %% tags=["hide-input"]
values, _ = usable(attributes(table.keypoints, table.skeleton, table.boxes) | factors(table))
ks = sorted({*(n for n in cuts if n < len(every)), len(every)})
scores = every.transform(codes)
random_scores = (codes - every.mean) @ cutting.rotated(every.directions, seed).T


def curve(of, name, ks):
    """Probes of an attribute from the first of these scores, by how many."""
    return [probes.probe(name, of, values[name], n, permutations=0, seed=seed) for n in ks]


# %% tags=["show-input"]
curves = {name: curve(scores, name, ks) for name in read if name in values}
random_curves = {name: curve(random_scores, name, ks[:-1]) for name in curves}
last = max((n for n in ks if n <= max(cuts)), default=ks[0])
gains = {
    name: probes.advantage(line[ks.index(last)], line[ks.index(words_of.NOISE)], seed=seed)
    for name, line in curves.items()
    if words_of.NOISE in ks and last > words_of.NOISE
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "R² of probes over the number of components that they read, with 95 % intervals over people; dashed, as many random directions.", "name": "fig-curves"}, "image": {"alt": "Curves that rise steeply over the first few components and then slowly, above dashed ones"}}
if curves:
    run.save_figure(meaning.probe_curves(curves, random_curves), "curves")
    plt.show()

# %% [markdown]
# {{ runs["05_components"].say.gains }}
#
# ## In one table
#
# {{ runs["05_components"].say.table }}
#
# ## What this does not show
#
# That a component which makes no difference to the score carries nothing: the network may not use it. Nor how many components there would be by other people: the
# floor and the components themselves are those of a sample. A cut code is one that the network never met in training, and a loss may be due to that; the
# random directions have the same handicap. And components are straight lines: a code could be short along curves.

# %% tags=["remove-cell"]
found = {
    "network": card.name,
    "hook_point": hook_point,
    "dimensions": codes.shape[1],
    "people": count,
    "rendered": bool(table.factors),
    "seen": words.seen(card, crops),
    "permutations": permutations,
    "spectrum": every.spectrum[:200],
    "floor": floor[:200],
    "sizes": sizes,
    "above": sizes["above the noise floor"] | {"people": count},
    "shares": {"needed": needed / codes.shape[1], "above": every.shares[:above].sum()},
    "stability": {"cosines": halves.cosines.mean(0), "angles": halves.angles.mean(0), "chance cosines": halves.chance_cosines},
    "cut": {"people": len(tested), "fitted on": len(others), **cut},
    "curves": {name: [p.row() for p in line] for name, line in curves.items()},
    "curves of random directions": {name: [p.row() for p in line] for name, line in random_curves.items()},
    "gains": {"to": last, "attributes": gains},
    "seconds": time.monotonic() - started,
}
verdicts = words_of.verdicts(found)
say = words_of.sentences(found) | {"table": words.side_by_side("05_components", data, verdicts)}
run.write_metrics(found | {"verdicts": verdicts, "say": say})
