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
# When network and label disagree, which of the two is wrong? A network learns from its labels and is scored by them, so wrong labels do
# harm twice.
#
# {{ runs["14_audit"].say.answer }}
#
# The chapter plants errors in labels and measures how many of them an audit finds. Then it audits the labels as they are, on
# {{ runs["14_audit"].say.people }}.

# %% tags=["parameters"]
weights = "mannequins-hg1"  # a trained network: a weights file or the name of shipped weights
second: str | None = None  # another network, which is asked whether it prefers the exchanged labels, too
data = "mannequins:6000"  # NAME[:PATH][@SPLIT]; without a split, people outside the training split
people = 600  # people at most
kinds: list[str] = ["whole", "arms", "legs", "pair", "person", "displaced", "flag"]  # of errors that are planted
rates: list[float] = [0.01, 0.05, 0.1]  # shares of people, or of labels, in which they are planted
resamples = 200  # of people, for intervals of recall
studies = "book/studies"  # folder of the results of studies, and of what was seen by eye
seed = 0  # of everything drawn by chance
on_error = "raise"  # at a picture that cannot be read: raise an error, or skip it

# %% tags=["remove-cell"]
import time
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import posekit
from posekit import plots
from posekit.auditing import features, opinions
from posekit.auditing.quality import measure
from posekit.auditing.quality.eye import verdicts
from posekit.coordinates import CONTEXT, transform_keypoints
from posekit.data import held_out
from posekit.engine.inference.prediction import Predictor
from posekit.engine.weights import load
from posekit.files import plain
from posekit.plots import auditing as figures
from posekit.plots.comparisons import studies as study_figures
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
cut = partial(posekit.crops, table, on_error=on_error)
crops = cut(round(network.card.resolution * CONTEXT), aspect=network.card.aspect)

# %% [markdown]
# ## How a label is judged
#
# For each kind of error the audit compares two hypotheses: the label is as it should be, or it has this error. The evidence comes from the
# network. The heatmap of a joint, blurred as for decoding, gives the log-likelihood of the label at its position; the heatmap of the joint
# of the other side gives the log-likelihood of the label if left and right were exchanged. Summed over joints, the differences are
# log-likelihood ratios for an exchange of the whole annotation, of the arms, of the legs, or of one pair. Further evidence is limbs that
# are too long and other people nearby.
#
# The labels themselves have a handedness. Whoever shows their face has their left on the picture's right; of whoever is seen from the
# side, the nearer side is the one that is visible, and nose and knees point ahead. A logistic regression learns from the labels, set
# against their own exchange, how much each of these cues counts. It needs no network, so a person whom the network gets wrong cannot
# mislead it. Labels without a face, as those of the Leeds photographs, say less.
#
# Two models turn the evidence into the ratio of two densities, that of labels with the error to that of the labels as they are: a logistic
# regression, which holds with few people, and boosted trees, which can learn that a network contradicts itself about a person. What
# counts is the mean of their log-odds. They are fitted on errors planted in the same people, and each person is judged by models that were fitted on
# others. The rate of each kind of error is unknown, but the labels bound it: above any threshold of the ratio, labels with the error cannot
# be more than all labels there
# {cite:p}`blanchard2010`. This upper bound of the rate, times the ratio, is the probability that the label is wrong {cite:p}`elkan2008`.

# %% tags=["show-input"]
audit = posekit.audit(crops.people, network, on_error=on_error, seed=seed)

# %% [markdown]
# {{ runs["14_audit"].say.notes }}
#
# ## Planted errors
#
# Errors of one kind at a time are planted in a given share of the people, or of the labels. A *displaced* joint lies elsewhere, far
# enough to be wrong; a *wrong flag* labels a joint that is not labelled, anywhere in the person's box. Three baselines search for the same errors:
# sorting by the network's *loss*; *counting* label errors as confident learning does {cite:p}`northcutt2021`; and, for exchanges, what
# the *labels alone* say about left and right, without a network. People whom the audit doubted before anything was planted are left out
# unless they got an error, because on photographs nobody knows whether their labels are right.

# %% tags=["show-input"]
planted = measure.measured(crops.people, network, kinds, rates, seed=seed, resamples=resamples)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Recall at a precision of 0.8 by kind and rate of planted error, with 95 % intervals over people; not drawn where fewer than five errors were planted. Dotted: the goal for whole exchanges.", "name": "fig-audit-recall"}, "image": {"alt": "A row for each kind and rate of error, with up to four dots and their intervals"}}
run.save_figure(figures.recalls(planted["rows"], measure.METHODS, measure.PRECISION, measure.ENOUGH, words.NAMES), "recall")
plt.show()

# %% [markdown]
# {{ runs["14_audit"].say.planted }}
#
# {{ runs["14_audit"].say.baselines }}

# %% tags=["hide-input", "hide-output"] mystnb={"code_prompt_show": "Show the {type}", "code_prompt_hide": "Hide the {type}"}
rows = [
    {
        "kind": words.NAMES[row["kind"]],
        "rate": f"{100 * row['rate']:.0f} %",
        "planted": f"{row['planted']:,}",
        "method": row["method"],
        "area under the curve": f"{row['auc']:.3f}",
        "planted at the top": f"{100 * row['top']:.0f} %",
        "recall at precision 0.8": spoken(row["recall"]),
    }
    for row in planted["rows"]
]
pd.DataFrame(rows).style.hide().set_caption(
    "Planted errors. Planted at the top: the share of planted errors among the most doubtful people or labels, as many as were planted."
)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Calibration of the audit at the highest rate: the share of people or labels with a planted error, by the probability that the audit gave. Larger dots have more of them; on the diagonal the probabilities are right.", "name": "fig-audit-calibration"}, "image": {"alt": "Lines along the diagonal, one for each kind of error"}}
drawn = [row for row in planted["rows"] if row["method"] == "audit" and row["planted"] >= measure.ENOUGH]
curves = {words.NAMES[row["kind"]]: row["calibration"] for row in drawn if row["rate"] == max(rates)}
run.save_figure(figures.calibration(curves), "calibration")
plt.show()

# %% [markdown]
# {{ runs["14_audit"].say.calibration }}
#
# (sec-audit-found)=
# ## What is wrong with these labels
#
# {{ runs["14_audit"].say.found }}
#
# {{ runs["14_audit"].say.second }}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The people whose labels are most doubtful, with the probability that left and right are exchanged, or box or person wrong, above: each label, and to its right the prediction. Left limbs are in warm colours, right limbs in cool ones; a predicted joint with a low peak is faint.", "name": "fig-audit-doubtful"}, "image": {"alt": "Pairs of pictures of the same person with two skeletons, on many of which left and right are exchanged"}}
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
images = audit.people.picture_ids()
wrong = over_people(np.nansum(audit.wrong, 1), judged.sum(1), pictures=images, seed=seed)
there = np.isfinite(audit.exchanged)
doubted = np.nan_to_num(audit.exchanged) > 0.5
exchanged = over_people(doubted * there, there.astype(int), pictures=images, seed=seed)
asked = None
if second:
    other = Predictor(*load(second))
    opinion, _ = opinions.collect([other], cut, [crops.people.keypoints])
    ratio = features.by_exchange(opinion.likelihoods[0], crops.people.skeleton)["whole"]
    turned = np.char.startswith(audit.kinds.astype(str), "left and right exchanged: whole") & doubted
    prefers = [over_people((ratio > 0) & group, group.astype(int), pictures=images, seed=seed) for group in (turned, ~turned & there)]
    asked = {"network": other.card.name, "agreed": vars(prefers[0]), "others": vars(prefers[1])} if turned.any() else None

# %% [markdown]
# (sec-audit-eye)=
# ## Flagged labels, checked by eye
#
# {{ runs["14_audit"].say.eye }}
#
# {{ runs["14_audit"].say.viewer }}

# %% tags=["remove-cell"]
looked = verdicts.kept(f"{studies}/eye/{table.source.partition(':')[0]}.json")

# %% [markdown]
# ## How high a score wrong test labels allow
#
# {{ runs["14_audit"].say.ceiling }}
#
# ## Learning from audited labels
#
# A study on photographs trains one recipe at 64 px from three seeds in four ways: on the labels as they are, without doubtful labels, with exchanges
# corrected, and with each label weighted by the probability that it is right. The audit is made by networks that were not trained on the
# people whom they judge; it was made before the handedness of the labels and the boosted trees were part of it. Test labels stay as
# they are.

# %% tags=["show-input"]
study = summarise(kept.read("audit", f"{studies}/lspet"))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The study of audited labels, on photographs: difference in PCK between each way to learn and the labels as they are, in points, with 95 % intervals over seeds and people; small dots are seeds.", "name": "fig-audit-study"}, "image": {"alt": "A row for each way to learn, with a dot and an interval"}}
run.save_figure(study_figures.differences(study["variants"], study["reference"]), "study")
plt.show()

# %% [markdown]
# {{ runs["14_audit"].say.study }}
#
# ## The verdict
#
# *Flagged* are the labels at the head of the audit's list; those *above 50 %* are more likely wrong than right by its probabilities.
# *By eye* is the judgement of one viewer, a vision-language model.
#
# {{ runs["14_audit"].say.table }}
#
# ## What this does not show
#
# A label that disagrees with a network need not be wrong. The rate of each kind of error is an upper bound: where a network confuses left
# and right with confidence, correct labels count as wrong. Mannequins show how loose the bound can be: all of their labels are right, and
# the last table gives what the audit takes to be wrong. The bound is for errors like the planted ones, which are placed at random, while
# annotators make mistakes where the picture is difficult; other errors are not counted. Two other estimates of wrong labels among the
# photographs are independent of the audit: photographs that were annotated twice ([the data](01_dataset)) and joints on which networks
# agree with each other against the label ([the redesign](08_redesign)). In both, scatter and
# other kinds of errors count, too. A network that was trained on a label agrees with it more.
# {{ runs["14_audit"].say.unseen }} Hidden joints that are labelled against the data set's rule cannot be distinguished from others.

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
        "eye": looked or {},
        "study": study,
        "seconds": time.monotonic() - started,
    }
)
run.write_metrics(metrics | {"verdicts": words.verdicts(metrics), "say": words.sentences(metrics, data)})
