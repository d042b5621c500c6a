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
# A pose network learns from pictures in which the joints are annotated. Before we ask what it has learned, this
# chapter looks at what it was shown: who is there, how they stand, what is hidden, and what the network will see of them.

# %% tags=["parameters"]
data = "mannequins"  # which people: NAME[:PATH][@SPLIT]
size = 160  # side of a stored crop in pixels, 1.25 times the network's view
examples = 40  # people on the contact sheet
seed = 0  # of everything drawn by chance
on_error = "raise"  # what a picture that cannot be read does: raise or skip

# %% tags=["remove-cell"]
import matplotlib.pyplot as plt
import numpy as np
import torch

import posekit
from posekit import metrics, plots
from posekit.coordinates import CONTEXT
from posekit.data.augment import Augmentation, augment, eval_view
from posekit.data.loading import load_batch
from posekit.workflow import runs

plots.style()
run = runs.current()
random = np.random.default_rng(seed)

# %% [markdown]
# ## Who is there
#
# Every data set that posekit reads becomes one table: a person is a row with a picture, a box, and joints that are *visible*,
# *labelled but hidden*, or *not labelled*. A joint that nobody labelled has no coordinates at all, and takes no part in any loss
# or score. This edition is built from **{{ runs["01_dataset"].say.data }}**: {{ runs["01_dataset"].say.count }} people, with
# {{ runs["01_dataset"].say.labelled }} of {{ runs["01_dataset"].say.joints }} joints labelled on average. They are divided once
# and for all: {{ runs["01_dataset"].say.splits }}. {{ runs["01_dataset"].say.left_out }}

# %% tags=["show-input"]
people = posekit.load_people(data, on_error=on_error)
crops = posekit.crops(people, size, on_error=on_error)
people, skeleton = crops.people, crops.people.skeleton
flags = people.keypoints[..., 2]
labelled = (flags > 0).sum(1)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "People as the network's loader keeps them: a square around the person, a quarter wider than what the network sees. The person's left is drawn in warm colours, the right in cool ones; a hidden joint is faint.", "name": "fig-people"}, "image": {"alt": "A contact sheet of people with their annotated skeletons drawn on"}}
chosen = random.permutation(len(crops))[:examples]
plots.people([crops[i] for i in chosen], [crops.keypoints[i] for i in chosen], skeleton, columns=8, annotated=True)
plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "How often each joint is labelled, and how often it is hidden behind the body or something else.", "name": "fig-labels"}, "image": {"alt": "Bars of the share of visible, hidden and unlabelled joints, a bar a joint"}}
run.save_figure(plots.labels(people.keypoints, skeleton), "labels")
plt.show()

# %% [markdown]
# ## How they stand
#
# Put the middle of the hips at the origin and measure in torso lengths, and the poses of all these people can be laid over each
# other. What spreads is what the network has to find; what does not, it could guess without looking.

# %% tags=["show-input"]
torso = metrics.torso(people.keypoints, skeleton)
hips = people.keypoints[:, skeleton.index("left hip", "right hip"), :2].mean(1)
shoulders = people.keypoints[:, skeleton.index("left shoulder", "right shoulder"), :2].mean(1)
with np.errstate(invalid="ignore", divide="ignore"):
    normalised = (people.keypoints[..., :2] - hips[:, None]) / torso[:, None, None]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Where each joint but hips, eyes and ears lies relative to the middle of the hips (cross). The darker, the more people.", "name": "fig-cloud"}, "image": {"alt": "A density map a joint, of its place relative to the hips"}}
trunk = shoulders - hips
upward = np.arctan2(trunk[:, 0], -trunk[:, 1])  # 0: head up, clockwise
upward = upward[np.isfinite(upward)]

run.save_figure(plots.pose_cloud(normalised, skeleton), "cloud")
plt.show()

# %% [markdown]
# The trunk points upwards, within 45°, in {{ runs["01_dataset"].say.upright }} of the people, and downwards in
# {{ runs["01_dataset"].say.inverted }}.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Which way the trunk points, from the hips to the shoulders. The area of a sector is the share of people.", "name": "fig-directions"}, "image": {"alt": "A rose of the trunk's directions in the picture"}}
run.save_figure(plots.directions(upward), "directions")
plt.show()

# %% [markdown]
# ## What the network sees
#
# In training every view is new: the crop is turned, scaled, shifted, mirrored (a mirrored left wrist is a right wrist: joints are
# exchanged), tinted, and sometimes a patch hides a part. One matrix moves pixels and joints alike, for the whole batch at once, and
# nothing is rounded to whole pixels on the way.

# %% tags=["show-input"]
resolution = int(size / CONTEXT)
pictures, keypoints = load_batch(crops, chosen[:6])
views = [eval_view(pictures, keypoints, resolution)]
generator = torch.Generator().manual_seed(seed)
for _ in range(5):
    views.append(augment(pictures, keypoints, skeleton, resolution, Augmentation(), generator))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The plain view of six people in the first row, five random views of each below.", "name": "fig-augmented"}, "image": {"alt": "Six people in plain view and in randomly rotated, scaled and mirrored views, skeletons drawn on"}}
shown = [(v.permute(1, 2, 0).mul(255).byte().numpy(), k.numpy()) for p, q in views for v, k in zip(p, q, strict=True)]
plots.people([p for p, _ in shown], [k for _, k in shown], skeleton, columns=6, annotated=True)
plt.show()

# %% tags=["hide-input"]
splits = {str(name): int((people.splits == name).sum()) for name in ("train", "val", "test") if (people.splits == name).any()}
if not splits:
    splits = {str(name): int((people.splits == name).sum()) for name in np.unique(people.splits)}

# %% tags=["remove-cell"]
left_out = [f"{count:,} {reason}" for reason, count in people.left_out.items() if count]
run.write_metrics(
    {
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
        "say": {
            "data": people.source,
            "count": f"{len(people):,}",
            "joints": str(len(skeleton)),
            "labelled": f"{labelled.mean():.1f}",
            "splits": ", ".join(f"{count:,} for {name}" for name, count in splits.items()),
            "upright": f"{100 * (np.abs(upward) < np.pi / 4).mean():.0f} %",
            "inverted": f"{100 * (np.abs(upward) > 3 * np.pi / 4).mean():.0f} %",
            "left_out": f"Left out were {', '.join(left_out)}." if left_out else "Nobody was left out.",
        },
    }
)
