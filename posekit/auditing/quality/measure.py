"""How good an audit is where the truth is known: errors planted at some rate, found again, beside what is simpler."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_auc_score

from posekit.auditing import opinions
from posekit.auditing.evidence import Opinion
from posekit.auditing.judging import Audit, judge, label_sets
from posekit.auditing.quality import baselines, planted
from posekit.auditing.quality.planted import JOINT, PERSON, groups
from posekit.coordinates import CONTEXT
from posekit.data.crops import crops
from posekit.data.people import People
from posekit.engine.inference.prediction import Predictor
from posekit.stats import draws

KINDS = (*PERSON, *JOINT)  # of planted errors
RATES = (0.01, 0.05, 0.1)
PRECISION = 0.8
ENOUGH = 5  # planted errors, under which a recall says nothing
EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)  # of probabilities, for calibration
METHODS = ("audit", "loss", "counting", "labels alone")


def measured(
    people: People, weights: str | Path | Predictor, kinds: Sequence[str] = KINDS, rates: Sequence[float] = RATES, *,
    flip: bool = True, seed: int = 0, resamples: int = 200, cache: str | Path = "data", progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Each kind of error planted at each rate, and how well the audit and three baselines find them; in one pass
    of the network.

    Returns:
        `people`; `network`; `doubted`, the share of people, and of labels, that the audit calls wrong before anything is planted; and
        `rows`, one a kind, rate and method, with `planted` (how many), `auc`, `top` (the share that is planted of as many at the top),
        `recall` (at a precision of 0.8, with `low` and `high`, a bootstrap over people) and, of the audit, `calibration` (by interval
        of the probability, how many there are, their mean probability and the share that is planted). Those who were doubted before
        take no part, since nobody knows whether their labels are right.
    """
    (network,) = opinions.predictors(weights)
    store = crops(people, round(network.card.resolution * CONTEXT), cache, aspect=network.card.aspect)
    people = store.people
    possible = [kind for kind in kinds if kind in (*JOINT, "pair", "person", *groups(people.skeleton))]
    cases = {(kind, rate): planted.plant(people, kind, rate, seed) for kind in possible for rate in rates}
    cases = {case: found for case, found in cases.items() if found[1].any()}
    sets = [label_sets(people, seed), *(label_sets(changed, seed) for changed, _ in cases.values())]
    asked = [labels for each in sets for labels in each]
    opinion, _ = opinions.collect([network], lambda size, aspect: store, asked, flip=flip, progress=progress)
    parts = np.split(opinion.likelihoods, len(sets))
    before = judge(people, [Opinion(opinion.name, opinion.predicted, parts[0])], sets[0])
    rows = []
    for ((kind, rate), (changed, wrong)), labels, likelihoods in zip(cases.items(), sets[1:], parts[1:], strict=True):
        after = judge(changed, [Opinion(opinion.name, opinion.predicted, likelihoods)], labels)
        rows += _rows(kind, rate, before, after, wrong, seed, resamples)
    persons, labels = np.isfinite(before.exchanged), np.isfinite(before.wrong)
    return {
        "people": len(people),
        "network": network.card.name,
        "doubted": {"people": float((before.exchanged[persons] > 0.5).mean()), "labels": float((before.wrong[labels] > 0.5).mean())},
        "rows": rows,
    }


def _rows(kind: str, rate: float, before: Audit, after: Audit, wrong: np.ndarray, seed: int, resamples: int) -> list[dict[str, Any]]:
    truth: np.ndarray
    likelihoods, skeleton = after.opinions[0].likelihoods[0], after.people.skeleton
    doubts = {"loss": baselines.loss(likelihoods), "counting": baselines.counted(likelihoods, skeleton)}
    if kind in JOINT:
        owner: np.ndarray = np.broadcast_to(np.arange(len(wrong))[:, None], wrong.shape)
        there = np.isfinite(after.wrong) & (wrong | ~(np.nan_to_num(before.wrong) > 0.5))
        scores, truth = {"audit": after.wrong, **doubts}, wrong
    else:
        owner, truth = np.arange(len(wrong)), np.asarray(wrong.any(1))
        there = np.isfinite(after.exchanged) & (truth | ~(np.nan_to_num(before.exchanged) > 0.5))
        scores = {"audit": after.exchanged} | {name: baselines.of_people(each) for name, each in doubts.items()}
        scores |= {"labels alone": baselines.labels_alone(after.people)} if kind != "person" else {}
    truth, owner = truth[there], owner[there]
    if not truth.any() or truth.all():
        return []
    out = []
    for method in (method for method in METHODS if method in scores):
        found = scored(truth, np.nan_to_num(scores[method][there]), owner, seed, resamples)
        row = {"kind": kind, "rate": rate, "method": method, **found}
        out.append(row | ({"calibration": calibration(truth, scores[method][there])} if method == "audit" else {}))
    return out


def scored(truth: np.ndarray, score: np.ndarray, owner: np.ndarray, seed: int = 0, resamples: int = 200) -> dict[str, Any]:
    """How well scores (n,) find what is true (n,): see `measured`. `owner` (n,) is whose each is, for the bootstrap.

    >>> found = scored(np.array([1, 1, 0, 0]) > 0, np.array([4.0, 3, 2, 1]), np.arange(4))
    >>> found["auc"], found["top"], found["recall"]["mean"]
    (1.0, 1.0, 1.0)
    """
    count = int(truth.sum())
    top = np.argsort(-score, kind="stable")[:count]
    who, owner = np.unique(owner, return_inverse=True)
    values = [_recall(truth, score, weight[owner]) for weight in draws(len(who), seed, resamples)]
    low, high = np.nanquantile(values, [0.025, 0.975]) if np.isfinite(values).any() else (np.nan, np.nan)
    return {
        "planted": count,
        "auc": float(roc_auc_score(truth, score)),
        "top": float(truth[top].mean()),
        "recall": {"mean": _recall(truth, score, np.ones(len(truth))), "low": float(low), "high": float(high), "people": len(who)},
    }


def _recall(truth: np.ndarray, score: np.ndarray, weight: np.ndarray) -> float:
    """The highest recall at a precision of PRECISION at least; NaN where nothing true was drawn."""
    if not weight[truth].any():
        return np.nan
    precision, recall, _ = precision_recall_curve(truth, score, sample_weight=weight)
    return float(recall[precision >= PRECISION].max(initial=0.0))


def calibration(truth: np.ndarray, probability: np.ndarray) -> list[dict[str, Any]]:
    """By interval of EDGES: `labels`, how many probabilities (n,) lie in it, their mean, and the `share` that is true (n,)."""
    place = np.clip(np.digitize(probability, EDGES[1:-1]), 0, len(EDGES) - 2)
    return [
        {"from": EDGES[i], "to": EDGES[i + 1], "labels": int((place == i).sum()), "mean": float(probability[place == i].mean()),
         "share": float(truth[place == i].mean())}
        for i in range(len(EDGES) - 1) if (place == i).any()
    ]  # fmt: skip
