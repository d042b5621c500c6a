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
# # Whose mistake is it?
#
# When network and label disagree, which of the two is wrong? A network learns from its labels and is scored by them, so that wrong labels cost twice.
#
# {{ runs["14_audit"].say.answer }}
#
# The chapter plants errors where labels are known, measures how many of them an audit finds, and then audits the labels as they are: on
# {{ runs["14_audit"].say.people }}.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
second: str | None = None  # another network, which is asked whether it prefers the exchanged labels, too
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
people = 600  # people at most
kinds: list[str] = ["whole", "arms", "legs", "pair", "person", "displaced", "flag"]  # of errors that are planted
rates: list[float] = [0.01, 0.05, 0.1]  # shares of people, or of labels, in which they are planted
resamples = 200  # of people, for intervals of recall
studies = "book/studies"  # folder of the results of studies
seed = 0  # of everything drawn by chance
on_error = "raise"  # what a picture that cannot be read does: raise or skip

# %% tags=["remove-cell"]
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import posekit
from posekit import plots
from posekit.auditing import features, measure, opinions
from posekit.coordinates import CONTEXT, transform_keypoints
from posekit.data import held_out
from posekit.engine.prediction import Predictor
from posekit.engine.weights import load
from posekit.files import plain
from posekit.plots import auditing as figures
from posekit.plots import studies as study_figures
from posekit.stats import over_people
from posekit.studies import kept
from posekit.studies.summary import summarise
from posekit.workflow import runs
from posekit.workflow.words import audit as words
from posekit.workflow.words import seen, spoken

plots.style()
run = runs.current()
started = time.monotonic()
network = Predictor(*load(weights))
table = held_out(data, people, seed, on_error=on_error)
crops = posekit.crops(table, round(network.card.resolution * CONTEXT), on_error=on_error)

# %% [markdown]
# ## How a label is judged
#
# The network's heatmap of a joint, blurred as it is for decoding, gives the log-likelihood of the label at its place; the other side's heatmap gives that of the label
# as the other side's joint. Their sums over a person are the likelihood ratios of exchanges: of the whole annotation, of arms, of legs, of one pair. Limbs that are too long, other
# people near by, and on which side left joints lie of a face that is seen, add to that. A logistic regression makes a ratio of densities of them, by errors
# planted in the same people, and nobody is judged by their own. The rate of each kind of error is unknown. It is bounded by the labels as they are: beyond any
# threshold there are at most so many of them as there are doubtful labels {cite:p}`blanchard2010`. Rate times ratio is the probability that the label is wrong {cite:p}`elkan2008`.

# %% tags=["show-input", "remove-output"]
audit = posekit.audit(crops.people, network, on_error=on_error, seed=seed)
audit.table().head()

# %% [markdown]
# What is known of these numbers:
#
# {{ runs["14_audit"].say.notes }}
#
# ## Planted errors
#
# Errors of one kind at a time are planted in some share of the people, or of the labels. Two baselines look for the same errors: the network's *loss*, by which people
# sort by hand, and *counting* as confident learning does {cite:p}`northcutt2021`. People whom the audit doubted before anything was planted take no part, since
# nobody knows whether their labels are right.

# %% tags=["show-input"]
planted = measure.measured(crops.people, network, kinds, rates, seed=seed, resamples=resamples)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Recall at a precision of 0.8 by kind and rate of planted error, with 95 % intervals over people. Dotted: the goal for whole exchanges.", "name": "fig-audit-recall"}, "image": {"alt": "A row for each kind and rate of error, with three dots and their intervals"}}
run.save_figure(figures.recalls(planted["rows"], measure.METHODS, measure.PRECISION), "recall")
plt.show()

# %% [markdown]
# {{ runs["14_audit"].say.planted }}
#
# {{ runs["14_audit"].say.baselines }}

# %% tags=["hide-input"]
rows = [
    {
        "kind": row["kind"],
        "rate": f"{100 * row['rate']:.0f} %",
        "planted": f"{row['planted']:,}",
        "method": row["method"],
        "area under the curve": f"{row['auc']:.3f}",
        "planted at the top": f"{100 * row['top']:.0f} %",
        "recall at precision 0.8": spoken(row["recall"]),
    }
    for row in planted["rows"]
]
pd.DataFrame(rows).style.hide().set_caption("Planted errors. At the top: of as many people, or labels, as there are planted ones.")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Are the probabilities right? By the probability that the audit gave, the share that was planted, at the highest rate. Larger dots have more labels; on the diagonal, probabilities hold.", "name": "fig-audit-calibration"}, "image": {"alt": "Lines along the diagonal, one for each kind of error"}}
curves = {row["kind"]: row["calibration"] for row in planted["rows"] if row["method"] == "audit" and row["rate"] == max(rates)}
run.save_figure(figures.calibration(curves), "calibration")
plt.show()

# %% [markdown]
# {{ runs["14_audit"].say.calibration }}
#
# ## What is wrong with these labels
#
# {{ runs["14_audit"].say.found }} {{ runs["14_audit"].say.second }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The people whose labels are most doubtful: each label, and to its right the prediction. Left warm, right cool.", "name": "fig-audit-doubtful"}, "image": {"alt": "Pairs of pictures of the same person with two skeletons, on many of which left and right are exchanged"}}
first = audit.order()[:12]
side_by_side = [k[i] for i in first for k in (audit.people.keypoints, audit.opinions[0].predicted)]
moved = [transform_keypoints(crops.matrices[i], k) for i, k in zip(np.repeat(first, 2), side_by_side, strict=True)]
titles = [text for i in first for text in (f"{100 * audit.exchanged[i]:.0f} %", "prediction")]
run.save_figure(
    plots.people([crops[int(i)] for i in np.repeat(first, 2)], moved, crops.people.skeleton, columns=8, titles=titles), "doubtful"
)
plt.show()

# %% tags=["remove-cell"]
judged = np.isfinite(audit.wrong)
images = audit.people.image_ids
wrong = over_people(np.nansum(audit.wrong, 1), judged.sum(1), pictures=images, seed=seed)
there = np.isfinite(audit.exchanged)
doubted = np.nan_to_num(audit.exchanged) > 0.5
exchanged = over_people(doubted * there, there.astype(int), pictures=images, seed=seed)
asked = None
if second:
    other = Predictor(*load(second))
    opinion, _ = opinions.collect([other], lambda size: posekit.crops(crops.people, size, on_error=on_error), [crops.people.keypoints])
    ratio = features.by_exchange(opinion.likelihoods[0], crops.people.skeleton)["whole"]
    turned = np.char.startswith(audit.kinds.astype(str), "left and right exchanged: whole") & doubted
    prefers = [over_people((ratio > 0) & group, group.astype(int), seed=seed) for group in (turned, ~turned & there)]
    asked = {"network": other.card.name, "agreed": vars(prefers[0]), "others": vars(prefers[1])} if turned.any() else None

# %% [markdown]
# ## What a test set with wrong labels bounds
#
# {{ runs["14_audit"].say.ceiling }}
#
# ## Learning from audited labels
#
# A study trains one recipe at 64 px from three seeds on the labels as they are, without doubtful labels, with exchanges put right, and with each label counting by the probability
# that it is right. The audit is made by networks that did not learn from the people whom they judge. Test labels stay as they are.

# %% tags=["show-input"]
study = summarise(kept.read("audit", "lspet", studies))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The study of audited labels: difference of each way in PCK from labels as they are, with 95 % intervals over seeds and people; small dots are seeds.", "name": "fig-audit-study"}, "image": {"alt": "A row for each way to learn, with a dot and an interval, or the words not trained yet"}}
run.save_figure(study_figures.differences(study["variants"], study["reference"]), "study")
plt.show()

# %% [markdown]
# {{ runs["14_audit"].say.study }}
#
# ## The verdict
#
# {{ runs["14_audit"].say.table }}
#
# ## What this does not show
#
# That a label disagrees with a network is no proof. The rate of each kind of error is an upper bound: where a network confuses left and right as surely as a wrong
# label does, both count as wrong labels. A network that learned from a label is less surprised by it. Planted errors are drawn by chance, while people make mistakes
# where the picture is hard. Nobody has looked at a sample of these labels by eye yet. And hidden joints that are labelled against the data set's rule cannot be told from others.

# %% tags=["remove-cell"]
metrics = plain(
    {
        "network": network.card.name,
        "source": table.source.partition(":")[0],
        "rendered": table.source.startswith("mannequins"),
        "seen": seen(network.card, crops),
        "planted": planted,
        "audit": {
            "people": int(there.sum()),
            "wrong": vars(wrong),
            "exchanged": vars(exchanged),
            "rates": dict(zip(audit.persons.kinds + audit.joints.kinds, [*audit.persons.rates, *audit.joints.rates], strict=True)),
            "notes": list(audit.notes),
        },
        "ceiling": {"mean": 1 - wrong.mean, "low": 1 - wrong.high, "high": 1 - wrong.low, "people": int(there.sum())},
        "second": asked,
        "study": study,
        "seconds": time.monotonic() - started,
    }
)
run.write_metrics(metrics | {"verdicts": words.verdicts(metrics), "say": words.sentences(metrics, data)})
