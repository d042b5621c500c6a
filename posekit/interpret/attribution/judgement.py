"""Verdicts on methods of attribution, from the tests of `sanity`.

The cascade decides. A method *fails* at a level where its maps of a network randomised so far stay, with the whole 95 % interval over
people, nearer to its maps of the trained one than LIMIT. Two controls span the scale: a detector of edges, which does not look at
the network, stays at 1, and a map drawn anew at random at 0; LIMIT lies halfway.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from posekit.interpret.attribution.sanity import (
    Cases,
    Maps,
    area,
    likeness,
    mean_interval,
    noise,
    pointing,
    randomisation,
    student_interval,
)

LIMIT = 0.5  # of rank correlation: halfway from a random map to a detector of edges
RANDOM_MAP = "random map"  # the control that is drawn anew for each network
EDGES = "edges"  # the control that ignores the network
Alike = dict[str, dict[str, np.ndarray]]  # method to level to (N,)


def cascade(
    model: nn.Module, cases: Cases, ways: Mapping[str, Maps], maps: Mapping[str, np.ndarray], levels: Mapping[str, Sequence[str]], *,
    aspect: float = 1.0, seed: int = 0,
) -> tuple[Alike, dict[str, np.ndarray]]:  # fmt: skip
    """How alike each way's maps stay to `maps` (N, R, R) of the trained network, by level; and at the last level without taking the
    distance off.

    `sanity.likeness` given the distance from the predicted joint, of each person (N,) alone; RANDOM_MAP is among the ways of the first.
    `aspect` is the input's width over its height (`Card.aspect`).
    """
    found = randomisation(model, cases, ways, levels, seed=seed)
    last = list(levels)[-1]
    alike = {
        label: {level: likeness(maps[label], after, cases.predicted, aspect) for level, after in by_level.items()}
        for label, by_level in found.items()
    }
    once = noise(model, cases)
    alike[RANDOM_MAP] = {level: likeness(once, noise(model, cases, seed + i), cases.predicted, aspect) for i, level in enumerate(levels, 1)}
    return alike, {label: likeness(maps[label], by_level[last], aspect=aspect) for label, by_level in found.items()}


def decisive(levels: Sequence[str]) -> str:
    """The level that decides: head and decoder of the last stack are random, and no joint identity survives; without decoder, the last.

    >>> decisive(["head", "decoder", "bottleneck", "encoder and skips", "stem"])
    'decoder'
    """
    return next((level for level in levels if level.startswith("decoder")), list(levels)[-1])


def cascade_verdict(block: Mapping[str, float], limit: float = LIMIT) -> str:
    """`fails` where the whole interval of a likeness lies above the limit, `passes` where it lies below, else `undecided`.

    >>> cascade_verdict({"low": 0.6, "high": 0.9}), cascade_verdict({"low": 0.4, "high": 0.6}), cascade_verdict({"low": 0.1, "high": 0.3})
    ('fails', 'undecided', 'passes')
    """
    return "fails" if block["low"] > limit else "passes" if block["high"] < limit else "undecided"


def judged(alike: Alike, ways: Sequence[str], levels: Sequence[str]) -> dict[str, Any]:
    """What the cascade says: Student's intervals and a verdict for each way and level, and whether no way fails.

    Returns:
        "levels", "decided at" (`decisive`), "limit", "alike": {way: {level: block}}, "verdicts": {way: {level: str}} and "at": {way: block}
        at the deciding level, all with the controls; "empty": {way: at how many people one of the two maps there does not vary, and
        counts as 0}; and "worst": the block of the method among `ways` that stays most alike there, its interval by Bonferroni for as
        many methods, since it is the highest of them.
    """
    blocks = {label: {level: student_interval(by_level[level]) for level in levels} for label, by_level in alike.items()}
    at = decisive(levels)
    worst = max(ways, key=lambda label: blocks[label][at]["mean"])
    return {
        "levels": list(levels), "decided at": at, "limit": LIMIT, "alike": blocks,
        "verdicts": {label: {level: cascade_verdict(block) for level, block in by_level.items()} for label, by_level in blocks.items()},
        "at": {label: by_level[at] for label, by_level in blocks.items()},
        "empty": {label: int((by_level[at] == 0).sum()) for label, by_level in alike.items()},
        "worst": {"method": worst} | student_interval(alike[worst][at], family=len(ways)),
    }  # fmt: skip


def tests(
    cases: Cases, maps: Mapping[str, np.ndarray], across: Mapping[str, np.ndarray], deletion: Mapping[str, np.ndarray],
    insertion: Mapping[str, np.ndarray], limbs: Mapping[str, np.ndarray] | None = None, *, seed: int = 0,
) -> dict[str, dict[str, dict]]:  # fmt: skip
    """Each method's means over people in the tests other than the cascade, {"mean", "low", "high", "people"} each.

    Args:
        maps: (N, R, R) by method.
        across: `likeness` (N,) to the map of the other side's joint.
        deletion, insertion: curves (N, S), whose areas are taken as a share of the score of the whole picture.
        limbs: `share_within` (N,), where silhouettes are known.
    """
    whole = deletion[EDGES][:, 0]
    found = {
        label: {
            "other side": mean_interval(across[label], seed=seed),
            "deletion": mean_interval(area(deletion[label]), whole, seed=seed),
            "insertion": mean_interval(area(insertion[label]), whole, seed=seed),
            "pointing": mean_interval(pointing(values, cases.truth, cases.torsos), seed=seed),
        }
        for label, values in maps.items()
    }
    for label, shares in (limbs or {}).items():
        found[label]["on limbs"] = mean_interval(shares, seed=seed)
    return found


def ahead(
    deletion: Mapping[str, np.ndarray], insertion: Mapping[str, np.ndarray], reference: str = EDGES, *, seed: int = 0
) -> dict[str, dict[str, dict]]:  # fmt: skip
    """By how much each method does better than the reference in deletion and in insertion, paired by person, in shares of the score."""
    whole = deletion[reference][:, 0]
    return {
        label: {
            "deletion": mean_interval(area(deletion[reference]) - area(deletion[label]), whole, seed=seed),
            "insertion": mean_interval(area(insertion[label]) - area(insertion[reference]), whole, seed=seed),
        }
        for label in deletion
        if label != reference
    }


def faults(found: Mapping[str, Any], better: Mapping[str, Mapping[str, Mapping]], ways: Sequence[str]) -> dict[str, list[str]]:
    """What speaks against each of the methods `ways`, by what `judged` and `ahead` found; an empty list where nothing does."""
    said = {"fails": "fails the cascade", "undecided": "undecided in the cascade"}
    verdicts = {label: found["verdicts"][label][found["decided at"]] for label in ways}
    clear = {label: any(block["low"] > 0 for block in better[label].values()) for label in ways}
    return {
        label: [*([said[verdicts[label]]] if verdicts[label] in said else []), *([] if clear[label] else ["not clearly better than edges"])]
        for label in ways
    }


def coarse(
    cases: Cases, by_layer: Mapping[str, np.ndarray], answer: np.ndarray, *, aspect: float = 1.0, seed: int = 0
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Of maps (N, R, R) of each layer: whether they point at the joint, their likeness to the `answer`'s, and the share that is empty.

    `aspect` is the input's width over its height (`Card.aspect`).
    """
    return {
        layer: {
            "pointing": mean_interval(pointing(found, cases.truth, cases.torsos), seed=seed),
            "like the answer": mean_interval(likeness(found, answer, aspect=aspect), seed=seed),
            "empty": float((np.ptp(found.reshape(len(found), -1), axis=1) == 0).mean()),
        }
        for layer, found in by_layer.items()
    }
