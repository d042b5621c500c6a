"""What the stacks of a network do for each other: which errors a later one corrects, what it takes from the one before."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor, nn

from posekit import metrics
from posekit.data.crops import Crops
from posekit.data.people import People
from posekit.engine.backend import Backend
from posekit.engine.weights import Card
from posekit.errors import PosekitError
from posekit.hooks import Edit, edit
from posekit.interpret.activations.ablation import intact
from posekit.models.hourglass import Hourglass
from posekit.skeleton import Skeleton

KINDS = ("found", "jitter", "left-right exchange", "another joint", "another person", "miss")
FOUND, JITTER, EXCHANGE, ANOTHER_JOINT, ANOTHER_PERSON, MISS = range(len(KINDS))
JITTER_REACH = 2.0  # thresholds from the joint within which an error is jitter


def error_kinds(
    predicted: np.ndarray, keypoints: np.ndarray, threshold: np.ndarray, skeleton: Skeleton,
    others: Sequence[np.ndarray] | None = None,
) -> np.ndarray:  # fmt: skip
    """What each predicted joint (N, K, >=2) is, as an index (N, K) into KINDS; -1 where the joint does not count.

    Within the threshold (N,) of its own joint in keypoints (N, K, 3) it is *found*. Otherwise it is the first of: a
    *left-right exchange*, where the person's nearest labelled joint is its counterpart on the other side and lies within
    the threshold; *another joint*, where that nearest is any other and lies within it; *another person*, where a joint of
    `others` (each (M, 2), the annotated joints of other people in the picture) does; *jitter*, within JITTER_REACH
    thresholds of its own joint; a *miss*. The kinds follow Ronchi and Perona (ICCV 2017), with one radius for all joints.
    """
    n, k = predicted.shape[:2]
    labelled = keypoints[..., 2] > 0
    xy = np.where(labelled[..., None], keypoints[..., :2], np.inf)
    # (N, predicted joint, annotated joint); a joint without a label is infinitely far from everything
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(predicted[:, :, None, :2] - xy[:, None], axis=-1)
    distance = np.where(np.isnan(distance), np.inf, distance)
    limit = np.nan_to_num(np.asarray(threshold, float))[:, None]
    own = distance[:, np.arange(k), np.arange(k)]
    nearest = distance.argmin(-1)
    near = distance.min(-1) <= limit
    mirrored = np.asarray(skeleton.mirrored)
    exchanged = near & (nearest == mirrored) & (mirrored != np.arange(k))
    astray = np.zeros((n, k), bool)
    for i, points in enumerate(others or ()):
        if len(points):
            astray[i] = np.linalg.norm(predicted[i, :, None, :2] - points, axis=-1).min(-1) <= limit[i]
    found = np.select(
        [own <= limit, exchanged, near, astray, own <= JITTER_REACH * limit],
        [FOUND, EXCHANGE, ANOTHER_JOINT, ANOTHER_PERSON, JITTER], MISS,
    )  # fmt: skip
    return np.where(labelled & np.isfinite(threshold)[:, None], found, -1)


def others_in_picture(people: People, everyone: People) -> list[np.ndarray]:
    """For each of `people`, the labelled joints (M, 2) of all others of `everyone` in the same picture."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(everyone.names):
        rows.setdefault(str(name), []).append(row)
    found = []
    for name, number in zip(people.names, people.ids, strict=True):
        joints = everyone.keypoints[[row for row in rows.get(str(name), []) if everyone.ids[row] != number]]
        found.append(joints[joints[..., 2] > 0][:, :2])
    return found


def shares(kinds: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict[str, dict]:
    """The share of each of KINDS among the joints that count in kinds (N, K), {"mean", "low", "high"} each.

    Intervals are over people, or over `pictures` (N,) where people share one.
    """
    counts = (kinds >= 0).sum(1)
    return {
        name: dict(zip(("mean", "low", "high"), metrics.interval((kinds == i).sum(1), counts, pictures=pictures, seed=seed), strict=True))
        for i, name in enumerate(KINDS)
    }


def transitions(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How many joints went from which kind (row) to which (column) between before (N, K) and after (N, K): (6, 6) int."""
    counted = (before >= 0) & (after >= 0)
    flat = before[counted] * len(KINDS) + after[counted]
    return np.bincount(flat, minlength=len(KINDS) ** 2).reshape(len(KINDS), len(KINDS))


def corrected(before: np.ndarray, after: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict[str, dict]:
    """What a later stack corrects and introduces, of kinds (N, K) before and after it.

    Returns:
        "corrected": joints found only after it, "introduced": found only before it, "net": their difference, all as shares of all
        joints that count; "corrected of KIND": of the errors of that kind before it, the share found after it, for the kinds
        that occur. Each {"mean", "low", "high"} with a 95 % bootstrap interval over people, or over `pictures` (N,)
        where people share one.
    """
    counted = (before >= 0) & (after >= 0)
    up, down = counted & (before != FOUND) & (after == FOUND), counted & (before == FOUND) & (after != FOUND)
    pairs = {"corrected": (up, counted), "introduced": (down, counted), "net": (up.astype(int) - down, counted)}
    for i, name in enumerate(KINDS):
        errors = counted & (before == i)
        if i != FOUND and errors.any():
            pairs[f"corrected of {name}"] = (errors & (after == FOUND), errors)
    return {
        name: dict(zip(("mean", "low", "high"), metrics.interval(hit.sum(1), of.sum(1), pictures=pictures, seed=seed), strict=True))
        for name, (hit, of) in pairs.items()
    }


def need_stacks(model: nn.Module, name: str) -> None:
    """PosekitError where the network has a single stack, which has no later one to compare with, or is none of stacks."""
    stacks = getattr(model, "stage_count", int)()
    if not stacks:
        raise PosekitError(f"weights {name}: a {type(model).__name__} has no stacks; give an hourglass of two or more")
    if stacks < 2:
        raise PosekitError(f"weights {name}: one stack, so that there is no later one to look at; give a network of two or more")


def hand_overs(model: nn.Module) -> dict[str, list[str]]:
    """What each stack but the last adds to the features that it got, before the next one sees them: names to hook points.

    Empty for another network than an hourglass, which does not say what a stage hands on.

    The next stack gets x + `merge_features` + `merge_heatmaps`, where x is what this one got (`past`). `stack 1 out`
    replaces both terms; replaced by zero, the next stack sees x alone, as if this one were not there.
    """
    found: dict[str, list[str]] = {}
    for i, (_, features, heatmaps, _) in enumerate(getattr(model, "hand_overs", list)(), 1):
        found |= {f"features of stack {i}": [features], f"predictions of stack {i}": [heatmaps]}
        found[f"stack {i} out"] = [features, heatmaps]
    return found


def past(model: Hourglass, stack: int, way: Edit) -> dict[str, Edit]:
    """Edits that replace, for the next stack alone, what bypasses a stack (x in `hand_overs`); its own input stays.

    `way` is called with the activation that the stack gets and the name of its hook point. Stacks count from 0.
    """
    got, features, heatmaps, handed = model.hand_overs()[stack]
    kept: dict[str, Tensor] = {}

    def keep(activation: Tensor, name: str) -> None:
        kept[name] = activation

    def merge(activation: Tensor, name: str) -> Tensor:
        replacement = way(kept[got], got)
        # The order of the sum is the network's own, so that a way that changes nothing changes no bit.
        return (kept[got] if replacement is None else replacement) + kept[features] + kept[heatmaps]

    return {got: keep, features: keep, heatmaps: keep, handed: merge}


def ablate_bypass(
    model: Hourglass, card: Card, crops: Crops, ways: Mapping[str, Edit], *, backend: Backend | None = None
) -> dict[str, dict[str, np.ndarray]]:  # fmt: skip
    """As `ablation.ablate`, of what bypasses each stack but the last (`past`), by `bypass of stack 1` and way."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for i in range(model.stage_count() - 1):
        found[f"bypass of stack {i + 1}"] = {}
        for way, function in ways.items():
            with edit(model, past(model, i, function)):
                found[f"bypass of stack {i + 1}"][way] = intact(model, card, crops, backend=backend)
    return found
