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
# # The ledger of claims
#
# Which claims about hourglass networks and their codes hold? They come from the paper that introduced the hourglass {cite:p}`newell2016`,
# from later papers, and from the bachelor thesis that this book repeats (*the study* in the tables); where none of them has it, the source
# is *this book*. For each claim one number was measured in an earlier chapter, and a rule that was written down with the claim decides by
# this number, separately on rendered people and on photographs. No number is typed by hand and no verdict is given by eye; with other
# people or another network the ledger is recomputed.
#
# {{ runs["10_claims"].say.counts }}

# %% tags=["parameters"]
data = "mannequins"  # the people of this edition: NAME[:PATH]
training: str | None = None  # metrics.json of 02_training on them; none: not run in this edition
skips: str | None = None  # of 03_skips
stacks: str | None = None  # of 04_stacks
components: str | None = None  # of 05_components
probes: str | None = None  # of 05_probes
clusters: str | None = None  # of 06_clusters
explanations: str | None = None  # of 07_explanations
causes: str | None = None  # of 12_causes
trust: str | None = None  # of 13_trust
redesign: str | None = None  # of 08_redesign
another: str | None = None  # of 11_another_network
audit: str | None = None  # of 14_audit
studies = "book/studies"  # folder of the results of studies, which decide the claims about training
claims = "book/claims.yaml"  # the claims and their rules

# %% tags=["remove-cell"]
import dataclasses
import json
from pathlib import Path

import matplotlib.pyplot as plt

from posekit import plots
from posekit.data.people import parse_spec
from posekit.plots.comparisons import claims as draw
from posekit.studies import kept, summary
from posekit.workflow import claims as ledger
from posekit.workflow import runs
from posekit.workflow.words import claims as say

plots.style()
run = runs.current()

# %% tags=["remove-cell"]
name, _, _ = parse_spec(data)
paths = {
    "02_training": training, "03_skips": skips, "04_stacks": stacks, "05_components": components, "05_probes": probes,
    "06_clusters": clusters, "07_explanations": explanations, "12_causes": causes, "13_trust": trust, "08_redesign": redesign,
    "11_another_network": another, "14_audit": audit,
}  # fmt: skip
own = {chapter: json.loads(Path(path).read_text("utf-8")) if path else None for chapter, path in paths.items()}
here = [chapter for chapter, metrics in own.items() if metrics]

# %% [markdown]
# ## How a claim is decided
#
# A claim is *supported* if the whole 95 % interval of its number lies on the claimed side of a threshold, and *not supported* if the whole
# interval lies on the other side. It is *undecided* if the interval contains the threshold, if fewer than three trainings give none, if the rule
# also requires a *p* value that is not reached, or if something that the number needs, named beside it, is lacking. A number that is no
# estimate, such as a memory, needs no interval: it is itself compared with the threshold. Where a claim is *not measured*, the table says why. Where a source gave no
# threshold, one was set with the claim; the tables show it. What counts as a strong correlation or a large difference follows
# {cite:t}`cohen1988`. A difference of two numbers that were not compared person by person has an interval as if they came from different
# people {cite:p}`zou2008`; it is wider than a paired one, and fewer claims are decided.
#
# Claims about training are decided by *studies*: many trainings, each to its plateau, from three seeds, whose results are kept with the
# sources (`posekit study`). The table names the study and its seeds. Such a claim is *not decided yet* while trainings of the networks
# that it compares are missing, or if one of these is not at its plateau or scores less than three times the median pose. Progress:
# {{ runs["10_claims"].say.studies }}
#
# This edition measured {{ runs["10_claims"].say.people }}. What it did not measure itself, mainly the other kind of people, is quoted from
# the reference runs whose numbers are kept with the sources.

# %% tags=["show-input"]
stated = ledger.read(Path(claims))
summaries = {
    claimed: {kind: summary.summarise(kept.read(study, Path(studies, source))) for kind, (study, source) in kinds.items()}
    for claimed, kinds in summary.LEDGER.items()
}
verdicts = ledger.ledger(stated, data, own, summaries)
groups = {group: [claim for claim in stated if claim.group == group] for group in ledger.GROUPS}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Every claim, in two columns, each with its verdict on rendered people (left field) and on photographs (right field).", "name": "fig-claims"}, "image": {"alt": "A list of claims with two coloured fields each, marked supported, not supported, undecided or not measured"}}
headings = {
    "skips": "Skip connections", "stacks": "Stacks", "code": "The code", "clusters": "Clusters and maps",
    "explanations": "Where it looks", "causes": "What is used", "trust": "Confidence and errors", "another": "A network of others",
    "training": "Training and reading off", "redesign": "The redesign", "labels": "Labels",
}  # fmt: skip
lines = {
    headings[group]: [(claim.name, {kind: verdict.verdict for kind, verdict in verdicts[claim.id].items()}) for claim in members]
    for group, members in groups.items()
    if members
}
run.save_figure(draw.overview(lines, ledger.MARKS), "claims")
plt.show()

# %% [markdown]
# {{ runs["10_claims"].say.agreement }}
#
# ## Skip connections
#
# What they carry, and which joints need it.
#
# {{ runs["10_claims"].say.skips }}
#
# ## Stacks
#
# What a second hourglass adds to the first.
#
# {{ runs["10_claims"].say.stacks }}
#
# ## The code
#
# What the bottleneck holds, and in how many directions.
#
# {{ runs["10_claims"].say.code }}
#
# ## Clusters and maps
#
# Whether people form groups by their codes.
#
# {{ runs["10_claims"].say.clusters }}
#
# ## Where it looks
#
# Whether maps of attribution depend on what the network learned.
#
# {{ runs["10_claims"].say.explanations }}
#
# ## What is used
#
# Whether predictions depend on what can be decoded. Causes are told apart by pairs of mannequins in both columns, since no photographs come in such pairs: the first is
# of a network trained on mannequins, the second of one trained on photographs.
#
# {{ runs["10_claims"].say.causes }}
#
# ## A network of others
#
# Whether the findings hold for BlazePose, which others trained.
#
# {{ runs["10_claims"].say.another }}
#
# ## Confidence and errors
#
# Whether confidence is calibrated, and which errors remain.
#
# {{ runs["10_claims"].say.trust }}
#
# ## Training and reading off
#
# What the choice of the loss and of the decoder changes.
#
# {{ runs["10_claims"].say.training }}
#
# ## The redesign
#
# Whether a redesign makes a better network.
#
# {{ runs["10_claims"].say.redesign }}
#
# ## Labels
#
# How many are wrong, and whether finding them helps.
#
# {{ runs["10_claims"].say.labels }}
#
# ## What the ledger does not show
#
# A claim that is not supported here can hold elsewhere: these networks are small, those for rendered people were trained for minutes, and
# the claims were made about larger networks and other pictures. A claim that is supported need not hold for the reason that was given for
# it: one number stands for a sentence, and the tables say which number. Intervals are over people, for networks most of which were trained
# once; those of studies are over seeds and people. The rules were written when most numbers on mannequins were known and most of those on
# photographs were not, so the photographs are the stricter test. With many claims, some are decided by chance:
# {{ runs["10_claims"].say.chance }}

# %% tags=["hide-input"]
by_kind = {kind: ledger.counts([given[kind] for given in verdicts.values()]) for kind in ledger.KINDS}
both = [of for of in verdicts.values() if {verdict.verdict for verdict in of.values()} <= set(say.DECIDED)]
alike = sum(len({verdict.verdict for verdict in of.values()}) == 1 for of in both)

# %% tags=["remove-cell"]
run.write_metrics(
    {
        "claims": {
            claim.id: {"name": claim.name, "group": claim.group, "chapter": claim.chapter}
            | {kind: dataclasses.asdict(verdict) for kind, verdict in verdicts[claim.id].items()}
            for claim in stated
        },
        "counts": by_kind,
        "agreement": {"both": len(both), "alike": alike},
        "say": say.sentences(stated, verdicts, summaries, name, here),
    }
)
