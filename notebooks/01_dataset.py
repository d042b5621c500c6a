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
# # The people
#
# A pose network learns from pictures in which people's joints are annotated. Which pictures and poses does it see, and how far can the labels be trusted?
# {{ runs["01_dataset"].say.answer }}

# %% tags=["parameters"]
data = "mannequins"  # which people: NAME[:PATH][@SPLIT]
size = 160  # side of a stored crop in pixels, 1.25 times the network's view
examples = 40  # people on the contact sheet
seed = 0  # of everything drawn by chance
beside: str | None = "mannequins:2000"  # rendered people to set beside photographs; none: nobody
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

# %% tags=["remove-cell"]
import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import torch

import posekit
from posekit import metrics, plots
from posekit.coordinates import CONTEXT, MARGIN
from posekit.data.augment import Augmentation, augment, eval_view
from posekit.data.loading import load_batch
from posekit.data.people import parse_spec
from posekit.interpret.analysis import attributes
from posekit.interpret.analysis.twice import annotated_twice
from posekit.stats import over_people
from posekit.studies.floor import median_pose
from posekit.workflow import runs
from posekit.workflow.words import dataset as words

plots.style()
run = runs.current()
random = np.random.default_rng(seed)

# %% [markdown]
# ## Where they come from
#
# Every data set that posekit reads becomes one table: a person is a row with a picture, a box, and joints that are *visible*,
# *labelled but hidden*, or *not labelled*. A joint without a label has no coordinates, and counts in no loss and no score.
#
# {{ runs["01_dataset"].say.provenance }}

# %% tags=["show-input"]
people = posekit.load_people(data, on_error=on_error)
crops = posekit.crops(people, size, on_error=on_error)
people, skeleton = crops.people, crops.people.skeleton
flags = people.keypoints[..., 2]
labelled = (flags > 0).sum(1)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "People as they are stored for the network, with their annotated skeletons. Each is a square crop around the person, a quarter wider than what the network sees. The person's left is drawn in warm colours, the right in cool ones; a joint is faint where the data mark it as hidden, which not all data do.", "name": "fig-people"}, "image": {"alt": "A contact sheet of people with their annotated skeletons drawn on"}}
chosen = random.permutation(len(crops))[:examples]
plots.people([crops[i] for i in chosen], [crops.keypoints[i] for i in chosen], skeleton, columns=8, annotated=True)
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How often each joint is visible, how often it is labelled but hidden behind the body or something else, and how often it is not labelled, as shares of the people. Where a data set does not mark hidden joints, all labelled ones are drawn as visible.", "name": "fig-labels"}, "image": {"alt": "Bars of the share of visible, hidden and unlabelled joints, a bar a joint"}}
run.save_figure(plots.labels(people.keypoints, skeleton), "labels")
plt.show()

# %% [markdown]
# ## Which poses they have
#
# With the middle of the hips at the origin and the torso as the unit of length, the poses of all these people can be overlaid.
# Where a joint's positions are concentrated, it can be guessed without looking at the picture. Where they spread, the network has to find it.

# %% tags=["show-input"]
torso = metrics.torso(people.keypoints, skeleton)
normalised = metrics.normalised(people.keypoints, skeleton)  # (people, joints, 2)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Where each joint lies relative to the middle of the hips (cross), in torso lengths; hips are left out, and so are eyes and ears where they are labelled. The darker a cell, the more people have the joint there.", "name": "fig-cloud"}, "image": {"alt": "A density map for each joint, of its position relative to the hips"}}
run.save_figure(plots.pose_cloud(normalised, skeleton), "cloud")
plt.show()

# %% [markdown]
# The trunk is upright, to within 45°, in {{ runs["01_dataset"].say.upright }} of the people in whom it is labelled, and upside down in
# {{ runs["01_dataset"].say.inverted }}. {{ runs["01_dataset"].say.floor }}
#
# {{ runs["01_dataset"].say.statistics }}
#
# The distance of *facing* is divided by $\sqrt{d^2 + t^2}$, where $d$ is the distance between the left joint and the right one, and $t$ the
# length of the trunk.

# %% tags=["show-input"]
upward = np.deg2rad(attributes.trunk_angle(people.keypoints, skeleton))  # 0: head up, clockwise
upward = upward[np.isfinite(upward)]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The direction of the trunk in the picture, from the hips to the shoulders. The area of a sector is the share of people whose trunk points that way.", "name": "fig-directions"}, "image": {"alt": "A rose of the trunk's directions in the picture"}}
run.save_figure(plots.directions(upward), "directions")
plt.show()

# %% tags=["show-input"]
values = attributes.attributes(people.keypoints, skeleton, people.boxes)
table = attributes.table({name: values[name] for name in words.STATISTICS if name in values})
has_splits = {"train", "test"} <= set(people.splits.tolist())
floor = median_pose(people) if has_splits else None

# %% [markdown]
# ## How far the labels can be trusted
#
# {{ runs["01_dataset"].say.labels }}

# %% tags=["show-input"]
twice = annotated_twice(people)
within = np.where(np.isnan(twice.distances), np.nan, twice.distances <= 0.2)  # (photographs, joints)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Photographs that were annotated twice, at most eight, with the two annotations side by side; the most different pairs come first. The number above is the median distance between the two annotations of a joint, in torso lengths.", "name": "fig-twice"}, "image": {"alt": "Pairs of one photograph with two annotated skeletons, some of which differ or exchange left and right"}}
agreement = None
if len(within):
    agreement = dataclasses.asdict(over_people(np.nansum(within, 1), np.isfinite(within).sum(1), seed=seed))
    worst = np.argsort(-np.nanmedian(twice.distances, 1), kind="stable")[:8]
    pairs = twice.people[worst].ravel()
    titles = [f"{np.nanmedian(twice.distances[i]):.2f}" for i in worst for _ in range(2)]
    plots.people([crops[i] for i in pairs], [crops.keypoints[i] for i in pairs], skeleton, columns=8, titles=titles, annotated=True)
    plt.show()

# %% [markdown]
# ## What the network sees
#
# In training every view is new: the crop is rotated, scaled, shifted, mirrored and recoloured at random, and sometimes a patch hides a part of it. When a view
# is mirrored, the left and right joints are exchanged, since a mirrored left wrist is a right wrist. One affine map moves pixels and joints alike, and no coordinate is rounded to a whole pixel.
#
# {{ runs["01_dataset"].say.preprocessing }}

# %% tags=["show-input"]
resolution = int(size / CONTEXT)
pictures, keypoints = load_batch(crops, chosen[:6])
views = [eval_view(pictures, keypoints, resolution)]
generator = torch.Generator().manual_seed(seed)
for _ in range(5):
    views.append(augment(pictures, keypoints, skeleton, resolution, Augmentation(), generator))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Six people, one per column. First row: the view without augmentation. Below: five random views of each.", "name": "fig-augmented"}, "image": {"alt": "Six people in plain view and in randomly rotated, scaled and mirrored views, skeletons drawn on"}}
shown = [(v.permute(1, 2, 0).mul(255).byte().numpy(), k.numpy()) for p, q in views for v, k in zip(p, q, strict=True)]
plots.people([p for p, _ in shown], [k for _, k in shown], skeleton, columns=6, annotated=True)
plt.show()

# %% [markdown]
# ## Rendered people beside photographed ones
#
# {{ runs["01_dataset"].say.beside }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Six photographed people and, below each, the mannequin with the most similar pose, by the mean distance of the joints in torso lengths.", "name": "fig-beside"}, "image": {"alt": "Six photographs with skeletons above six rendered people in similar poses"}}
photographed = parse_spec(data)[0] != "mannequins"
if photographed and beside:
    rendered = posekit.crops(posekit.load_people(beside), size)
    shared = [j for j in skeleton.joints if j in rendered.people.skeleton.joints and not j.endswith("hip")]
    theirs = metrics.normalised(rendered.people.keypoints, rendered.people.skeleton)[:, rendered.people.skeleton.index(*shared)]
    whole = np.isfinite(normalised[:, skeleton.index(*shared)]).all((1, 2)) & (torso > 0)
    six = random.permutation(np.flatnonzero(whole))[:6]
    apart = np.linalg.norm(normalised[six][:, None, skeleton.index(*shared)] - theirs[None], axis=-1).mean(-1)
    alike = np.nanargmin(apart, axis=1)
    plots.pairs(
        [(crops[i], crops.keypoints[i], skeleton) for i in six],
        [(rendered[i], rendered.keypoints[i], rendered.people.skeleton) for i in alike],
    )
    plt.show()

# %% tags=["remove-cell"]
splits = {str(name): int((people.splits == name).sum()) for name in ("train", "val", "test") if (people.splits == name).any()}
if not splits:
    splits = {str(name): int((people.splits == name).sum()) for name in np.unique(people.splits)}
found = {
    "data": people.source,
    "people": len(people),
    "joints": len(skeleton),
    "labelled_per_person": labelled.mean(),
    "hidden_share": (flags == 1).sum() / max((flags > 0).sum(), 1),
    "fully_labelled_share": (labelled == len(skeleton)).mean(),
    "upright_share": (np.abs(upward) < np.pi / 4).mean(),
    "inverted_share": (np.abs(upward) > 3 * np.pi / 4).mean(),
    "splits": splits,
    "left_out": people.left_out,
    "fingerprint": people.fingerprint(),
    "statistics": table.to_dict("records"),
    "floor": floor,
    "twice": {"photographs": len(within), "others": twice.others, "joints": int(np.isfinite(within).sum()), "agreement": agreement},
    "preprocessing": {"crop": size, "context": CONTEXT, "margin": MARGIN} | dataclasses.asdict(Augmentation()),
    "beside": photographed and bool(beside),
}
run.write_metrics(found | {"say": words.sentences(found)})
