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
# Much has been said about hourglasses and their codes: in the paper that brought them {cite:p}`newell2016`, in later ones, and in the study that this
# book re-does. Here is what of it holds. Beside each claim stands one number of the chapters before, and a rule that is written down with the claim decides by that
# number: on rendered people and on photographs, each for itself. None of our numbers is typed by hand and no verdict is given by eye; with other
# people or another network the ledger is decided anew.
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
from posekit.plots import claims as draw
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
# A claim is *supported* where the whole 95 % interval of its number lies on its side of a threshold, *not supported* where the whole interval lies on the other
# side, and *undecided* where the interval holds the threshold, where there is none, as of fewer than three trainings, or where the rule asks for a *p* as well and that is not low enough: then so few people, or joints, cannot tell. A number without an interval is given a margin with its rule. *Not measured* says why. Where a source
# gave no threshold, one was set with the claim; the tables show it. What counts as a strong correlation or a large difference is the convention of
# {cite:t}`cohen1988`. A difference of two numbers that were not compared person by person has an interval as if they came from different
# people {cite:p}`zou2008`, and is decided less often than it might be.
#
# Claims about what training gives are decided by *studies*: many trainings, each to its plateau, from three seeds, whose results are kept with the sources
# (`posekit study`). The table names the study and its seeds. Such a claim is *not decided yet* while a training of the study is missing, or
# where a network that its number rests on is not at its plateau or scores less than three times what answering everybody with the median pose does:
# {{ runs["10_claims"].say.studies }}
#
# This edition's own people are {{ runs["10_claims"].say.people }}. What it did not measure itself, on the other kind of people above all, is quoted from the
# reference runs whose numbers are kept with the sources.

# %% tags=["show-input"]
stated = ledger.read(Path(claims))
summaries = {
    claimed: {kind: summary.summarise(kept.read(study, source, studies)) for kind, (study, source) in kinds.items()}
    for claimed, kinds in summary.LEDGER.items()
}
verdicts = ledger.ledger(stated, data, own, summaries)
groups = {group: [claim for claim in stated if claim.group == group] for group in ledger.GROUPS}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Every claim and its verdict, on rendered people and on photographs. Look for the lines where the two disagree, and for those where what was seen by eye is not supported.", "name": "fig-claims"}, "image": {"alt": "A list of claims with two coloured fields each, marked supported, not supported, undecided or not measured"}}
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
# What they carry, and who needs it.
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
# Whether what can be read out is what answers rest on.
#
# {{ runs["10_claims"].say.causes }}
#
# ## A network of others
#
# Whether what is found here holds for BlazePose, which others trained.
#
# {{ runs["10_claims"].say.another }}
#
# ## Confidence and errors
#
# What its confidence is worth, and which errors are left.
#
# {{ runs["10_claims"].say.trust }}
#
# ## Training and reading off
#
# What the choice of a loss and of a decoder costs.
#
# {{ runs["10_claims"].say.training }}
#
# ## The redesign
#
# Whether changing the bottleneck makes a better network.
#
# {{ runs["10_claims"].say.redesign }}
#
# ## Labels
#
# How many of them are wrong, and what finding those is worth.
#
# {{ runs["10_claims"].say.labels }}
#
# ## What the ledger does not show
#
# That a claim is wrong elsewhere: the networks here are small, those of rendered people minutes old, and the claims were made of larger ones and other
# pictures. Nor that a supported claim is true for the reason that was given for it: a number stands in for a sentence, and the tables say which. The
# intervals are over people, for networks most of which were trained once; those of studies are over seeds and people. The rules were written when most of the numbers on mannequins were known and
# most of those on photographs were not, so that the latter put them to the harder test. And where many claims are decided some are decided by chance:
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
