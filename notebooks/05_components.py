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
# At its bottleneck the hourglass represents a person by {{ runs["05_components"].say.dimensions }} numbers: the {term}`code`. The [study that this book replicates](introduction)
# analysed codes by their principal components. It found that 541 of 4,096 hold 95 % of the variance, and took those from the 50th on for noise. Are they noise?
#
# {{ runs["05_components"].say.answer }}
#
# The codes are those of {{ runs["05_components"].say.people }}, at {{ runs["05_components"].say.hook_point }} of *{{ runs["05_components"].say.network }}*.
# Brackets hold 95 % intervals over people. [The next chapter](05_probes) asks what the components mean.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
stack = -1  # whose code: the first stack is 0, the last -1
layer: str | None = None  # another activation than the code: stack0.encoder4, say
components = 20  # principal components to look at
people = 2000  # maximum number of people, drawn at random
permutations = 20  # of the codes, for the permutation floor
halvings = 10  # of the people, for the stability
cuts: list[int] = [1, 2, 5, 10, 20, 50, 100, 200]  # components that codes are cut to; all of them are tried as well
cut_people = 400  # maximum number of people whose codes are cut, by the components of the others
read: list[str] = ["upright", "lean", "sitting", "arm elevation", "facing", "left on the right"]  # attributes, for probes
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

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
from posekit.interpret.analysis.components import count_above_floor, jackknife, noise_floor, pca_of, stability
from posekit.metrics import torso
from posekit.plots.codes import components as draw
from posekit.plots.codes import meaning
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
every = pca_of(codes)

# %% tags=["remove-cell"]
k = min(components, len(every), count // 2 - 1)
if k < 2:
    raise PosekitError(f"{count} people are too few to look for components: take at least 6, 100 to learn anything")

# %% [markdown]
# ## How much of the variance do they hold?
#
# A principal component always holds some of the variance, even in pure noise. How much it would hold in noise is estimated by *parallel analysis*
# {cite:p}`horn1965`, here by permutation {cite:p}`buja1992`. Every number of the code is permuted among people, which keeps its distribution and removes all
# correlation with the other numbers. Then the components of the permuted codes are computed. The {term}`permutation floor` is the 95 % quantile of {{ runs["05_components"].say.permutations }} such spectra.

# %% tags=["show-input"]
floor = noise_floor(codes, permutations=permutations, seed=seed)
above = count_above_floor(every.spectrum, floor)
needed = every.components_for(0.95)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Left, the share of the variance that each principal component holds (dots: the components examined below), and the permutation floor (dashed). The vertical line is where the two cross. Right, the share that the first components hold together; the orange dot marks 95 %.", "name": "fig-scree"}, "image": {"alt": "A steeply falling curve that crosses a flat one, beside a rising curve that reaches 95 percent"}}
sizes = jackknife(
    codes,
    {
        "participation ratio": lambda c: c.participation_ratio,
        "needed for 95 %": lambda c: c.components_for(0.95),
        "above the noise floor": lambda c: count_above_floor(c.spectrum, floor),
    },
    min(20, count // 2),
    seed,
    pictures=table.picture_ids(),
)
run.save_figure(draw.scree(every.spectrum, floor, k, above, needed), "scree")
plt.show()

# %% [markdown]
# **{{ runs["05_components"].say.needed }}** components hold 95 % of the variance, which is {{ runs["05_components"].say.needed_share }} of the dimensions of the code. In the
# study it was 541 of 4,096, or 13 %. **{{ runs["05_components"].say.above }}** components lie above the permutation floor, and together they hold
# {{ runs["05_components"].say.above_share }} of the variance. This number depends on the sample: with more people the floor sinks, and more components lie above it.
# The *participation ratio*, an effective number of components that needs no threshold, {eq}`eq-participation`, is {{ runs["05_components"].say.participation }}.
#
# ## Would other people give the same components?
#
# The people are split into random halves, and components are computed from each half and matched. If a component is a property of the network and not of
# the sample, both halves give the same direction.

# %% tags=["show-input"]
halves = stability(codes, k, splits=halvings, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Agreement between two random halves of the people. Left, the absolute cosine between matched components: 1 is the same direction. Right, the largest angle between the spaces that the first components of each half span, which stays small where components only change their order. Bands span all halvings; dashed lines are random directions.", "name": "fig-stability"}, "image": {"alt": "Cosines that fall from one, and angles that rise, over the number of the component"}}
run.save_figure(draw.half_stability(halves.cosines, halves.angles, halves.chance_cosines, halves.chance_angles), "stability")
plt.show()

# %% [markdown]
# {{ runs["05_components"].say.stable }} A component on which the halves do not agree gets no name in the next chapter. The space that
# several such components span may still be the same in both halves.
#
# ## How many does the network use?
#
# A component may have little variance and still matter to the network. The codes are therefore *cut*: each code of {{ runs["05_components"].say.tested }}
# people is replaced by its projection onto the first components, which were computed from the {{ runs["05_components"].say.fitted }} others, and the rest
# of the network computes its prediction from it.{{ runs["05_components"].say.torsos }} If the components that were cut off are noise, the score stays the same. As a control, the codes are projected onto as many random directions
# of the same space. With the skip connections intact, the network still sees the picture past the bottleneck. With each skip connection at its mean over people, the code is
# all that the network knows of this person. This harder test decides the claim: if the components beyond the 50th are noise, the network must find as many joints without them, to within 5 %.
# A network that uses little of its code loses little with any cut, so the test decides only where the mean code for everybody costs at least half of the joints.

# %% tags=["show-input"]
drawn = np.random.default_rng(seed).permutation(count)
tested, others = (crops.select(np.sort(part)) for part in np.split(drawn, [min(cut_people, count // 2)]))
frame = pca_of(codes, index=np.sort(drawn[len(tested) :]))
means = ablation.means(network, card, others, walks.skips_beside(network, hook_point), backend=backend)
cut = {
    f"skips {skips}": cutting.cut_scores(
        network, card, tested, hook_point, frame, cuts, skips=skips, means=means, backend=backend, seed=seed
    )
    for skips in ("intact", "mean")  # the same for a network that has none
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PCK when the code is cut to its first components, and to as many random directions, over their number, with 95 % intervals over people. Grey line and band: the whole code. Dotted: the mean code for everybody.", "name": "fig-cut"}, "image": {"alt": "Two panels of rising curves, that of the components above that of random directions, which meet at all components"}}
titles = {"skips intact": "skip connections intact", "skips mean": "skip connections at their mean"}
run.save_figure(draw.pck_of_cuts({titles[name]: result for name, result in cut.items()}), "cut")
plt.show()

# %% [markdown]
# {{ runs["05_components"].say.cut }}
#
# The same question can be asked of linear probes (ridge regression, cross-validated), which predict an attribute of the pose from the cut code. The attributes are computed from annotated
# keypoints, and the next chapter defines them.

# %% tags=["hide-input"]
values, _ = usable(attributes(table.keypoints, table.skeleton, table.boxes) | factors(table))
ks = sorted({*(n for n in cuts if n < len(every)), len(every)})
scores = every.transform(codes)
random_scores = (codes - every.mean) @ cutting.rotated(every.directions, seed).T


def curve(of, name, ks):
    """Probes of an attribute from the first of these scores, by how many."""
    return [probes.probe(name, of, values[name], n, pictures=table.picture_ids(), permutations=0, seed=seed) for n in ks]


# %% tags=["show-input"]
curves = {name: curve(scores, name, ks) for name in read if name in values}
random_curves = {name: curve(random_scores, name, ks[:-1]) for name in curves}
last = max((n for n in ks if n <= max(cuts)), default=ks[0])
gains = {
    name: probes.advantage(line[ks.index(last)], line[ks.index(words_of.NOISE)], seed=seed)
    for name, line in curves.items()
    if words_of.NOISE in ks and last > words_of.NOISE
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "R² of probes for several attributes, over the number of components that the probe uses, with 95 % intervals over people. Dashed: probes of as many random directions.", "name": "fig-curves"}, "image": {"alt": "Curves that rise steeply over the first few components and then slowly, above dashed ones"}}
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
# A component that makes no difference to the score may still carry information which the network does not use. The number of components may differ for other people, since the
# floor and the components themselves are those of a sample. The network never saw a cut code in training, and a loss may be due to that; the
# random directions have the same handicap. Components are straight lines, and curves might describe the codes with fewer numbers.

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
    "cut": {
        "people": len(tested),
        "scored": int(np.isfinite(torso(tested.keypoints, table.skeleton)).sum()),
        "fitted on": len(others),
        **cut,
    },
    "curves": {name: [p.row() for p in line] for name, line in curves.items()},
    "curves of random directions": {name: [p.row() for p in line] for name, line in random_curves.items()},
    "gains": {"to": last, "attributes": gains},
    "seconds": time.monotonic() - started,
}
verdicts = words_of.verdicts(found)
say = words_of.sentences(found) | {"table": words.side_by_side("05_components", data, verdicts)}
run.write_metrics(found | {"verdicts": verdicts, "say": say})
