"""Errors planted in labels: what each kind of error looks like, for calibration and for measuring how good an audit is."""

from dataclasses import replace

import numpy as np

from posekit.data.people import People
from posekit.errors import PosekitError
from posekit.skeleton import Skeleton

ARMS, LEGS = ("shoulder", "elbow", "wrist", "hand"), ("hip", "knee", "ankle", "foot")
NEAR, FAR = 0.1, 0.5  # how far a displaced joint lies from where it was, in longer sides of the person's box
PERSON = ("whole", "arms", "legs", "pair", "person")  # kinds of error of a whole annotation
JOINT = ("displaced", "another person", "flag")  # of one joint


def pairs(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Each joint of a left-right pair with its counterpart, by index.

    Raises:
        PosekitError: the skeleton has none.
    """
    found = [(k, other) for k, other in enumerate(skeleton.mirrored) if other > k]
    if not found:
        raise PosekitError(f"the {skeleton.name} skeleton has no left and right joints, which an audit compares; give it `pairs`")
    return found


def groups(skeleton: Skeleton) -> dict[str, list[int]]:
    """The joints that are exchanged together: whole, arms, legs, as far as the skeleton has them and they differ."""
    paired = sorted(k for pair in pairs(skeleton) for k in pair)
    found = {"whole": paired}
    for name, words in (("arms", ARMS), ("legs", LEGS)):
        joints = [k for k in paired if any(word in skeleton.joints[k] for word in words)]
        if 2 < len(joints) < len(paired):
            found[name] = joints
    return found


def exchanged(keypoints: np.ndarray, skeleton: Skeleton, joints: list[int]) -> np.ndarray:
    """Keypoints (..., K, 3) with left and right exchanged at `joints`, which hold both of each pair."""
    out = keypoints.copy()
    out[..., joints, :] = keypoints[..., [skeleton.mirrored[k] for k in joints], :]
    return out


def displaced(people: People, rng: np.random.Generator) -> np.ndarray:
    """Keypoints (N, K, 3) of which each labelled joint lies elsewhere: NEAR to FAR off, in any direction."""
    out, shape = people.keypoints.copy(), people.keypoints.shape[:2]
    angle, distance = rng.uniform(0, 2 * np.pi, shape), np.exp(rng.uniform(np.log(NEAR), np.log(FAR), shape))
    distance *= people.boxes[:, 2:].max(1)[:, None]
    out[..., :2] += distance[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    return out


def flagged(people: People, rng: np.random.Generator) -> np.ndarray:
    """Keypoints (N, K, 3) of the joints that are *not* labelled, as if they were: anywhere in the person's box. All others are NaN."""
    out = np.full_like(people.keypoints, np.nan)
    out[..., :2] = people.boxes[:, None, :2] + rng.uniform(0, 1, (*out.shape[:2], 2)) * people.boxes[:, None, 2:]
    unlabelled = people.keypoints[..., 2] == 0
    out[..., 2] = np.where(unlabelled, 2, 0)
    out[~unlabelled, :2] = np.nan
    return out


def others(people: People) -> np.ndarray:
    """The nearest other person's joints of the same name (N, K, 3) in the same picture; flag 0 where nobody else has one."""
    out = np.full_like(people.keypoints, np.nan)
    out[..., 2] = 0
    order = np.argsort(people.names, kind="stable")
    starts = np.flatnonzero(np.r_[True, people.names[order][1:] != people.names[order][:-1]])
    for rows in np.split(order, starts[1:]):
        for i in rows if len(rows) > 1 else ():
            rest = rows[rows != i]
            there = people.keypoints[rest]
            middle = people.boxes[i, :2] + people.boxes[i, 2:] / 2
            own = np.where(people.keypoints[i, :, 2:] > 0, people.keypoints[i, :, :2], middle)
            distance = np.where(there[..., 2] > 0, np.linalg.norm(there[..., :2] - own, axis=-1), np.inf)
            nearest = distance.argmin(0)
            known = np.isfinite(distance.min(0)) & (people.keypoints[i, :, 2] > 0)
            out[i, known] = there[nearest, np.arange(there.shape[1])][known]
    return out


def another_pose(people: People, rng: np.random.Generator) -> np.ndarray:
    """Keypoints (N, K, 3) of another one of these people, fitted from their box into this one's."""
    rows = (np.arange(len(people)) + rng.integers(1, max(len(people), 2), len(people))) % len(people)
    theirs, box = people.boxes[rows][:, None], people.boxes[:, None]
    out = people.keypoints[rows].copy()
    out[..., :2] = (out[..., :2] - theirs[..., :2]) / np.maximum(theirs[..., 2:], 1e-6) * box[..., 2:] + box[..., :2]
    return out


def plant(people: People, kind: str, rate: float, seed: int = 0) -> tuple[People, np.ndarray]:
    """The people with errors of a kind, one of PERSON or JOINT, in a share of the people, or of the joints.

    Boxes and pictures stay as they are. Only people and joints that can have the error are drawn: exchanged are those with something
    labelled to exchange.

    Returns:
        the people, and which labels are wrong now (N, K).
    """
    rng, skeleton = np.random.default_rng([seed, sum(map(ord, kind))]), people.skeleton
    before, labelled = people.keypoints, people.keypoints[..., 2] > 0
    if kind in JOINT:
        made = {"displaced": displaced(people, rng), "another person": others(people), "flag": flagged(people, rng)}[kind]
        able = made[..., 2] > 0
        if kind == "another person":  # theirs must lie elsewhere
            able &= np.linalg.norm(made[..., :2] - before[..., :2], axis=-1) > NEAR * people.boxes[:, 2:].max(1)[:, None]
        wrong = able & (rng.random(able.shape) < rate)
        return replace(people, keypoints=np.where(wrong[..., None], made, before)), wrong
    if kind == "person":
        chosen = _some(rng, np.asarray(labelled.any(1)), rate)
        after = np.where(chosen[:, None, None], another_pose(people, rng), before)
        return replace(people, keypoints=after), chosen[:, None] & (after[..., 2] > 0)
    by_person = [groups(skeleton)[kind]] * len(people) if kind != "pair" else [
        [int(k), skeleton.mirrored[k]] for k in one_pair(labelled, skeleton, rng)
    ]  # fmt: skip
    able = np.array([labelled[i, joints].sum() >= 2 for i, joints in enumerate(by_person)])
    after, wrong = before.copy(), np.zeros_like(labelled)
    for i in np.flatnonzero(_some(rng, able, rate)):
        after[i] = exchanged(before[i], skeleton, by_person[i])
        wrong[i, by_person[i]] = after[i, by_person[i], 2] > 0
    return replace(people, keypoints=after), wrong


def _some(rng: np.random.Generator, able: np.ndarray, rate: float) -> np.ndarray:
    """A share of all people (N,), at least one, drawn from those who are able."""
    chosen = np.zeros(len(able), bool)
    chosen[rng.permutation(np.flatnonzero(able))[: max(round(rate * len(able)), 1)]] = True
    return chosen


def one_pair(labelled: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> np.ndarray:
    """For each person (N,) a pair that is labelled (N, K) on both sides, by its first joint; the first pair where there is none."""
    firsts = np.array([a for a, _ in pairs(skeleton)])
    both = np.stack([labelled[:, a] & labelled[:, b] for a, b in pairs(skeleton)], 1)
    return firsts[np.where(both, rng.random(both.shape), -1).argmax(1)]
