"""What a calibration sees of a label: a row of numbers a person and a row a joint, of what opinions say and of the pose itself."""

from collections.abc import Sequence

import numpy as np

from posekit.auditing import handedness
from posekit.auditing.evidence import BEST, OTHER, OWN
from posekit.auditing.quality.planted import groups, pairs
from posekit.data.people import People
from posekit.skeleton import Skeleton

SHARE = 95  # percentile of a limb's length over the person's size: what is longer is stretched


def gains(likelihoods: np.ndarray) -> np.ndarray:
    """What each label (..., K) gains in log-likelihood if it is the other side's; 0 where nothing is known."""
    return np.nan_to_num(likelihoods[..., OTHER] - likelihoods[..., OWN])


def by_exchange(likelihoods: np.ndarray, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """The log-likelihood ratio (N,) of each exchange to the labels as they are, of likelihoods (N, K, 3): groups, then pairs by name."""
    gain = gains(likelihoods)
    found = {name: gain[:, joints].sum(1) for name, joints in groups(skeleton).items()}
    for left, right in pairs(skeleton):
        found[f"{skeleton.joints[left]}, {skeleton.joints[right]}"] = gain[:, [left, right]].sum(1)
    return found


def exchanged(likelihoods: np.ndarray, skeleton: Skeleton, joints: list[int]) -> np.ndarray:
    """Likelihoods (..., K, 3) of the same labels with left and right exchanged at `joints`, which hold both of each pair."""
    out, counterparts = likelihoods.copy(), [skeleton.mirrored[k] for k in joints]
    out[..., joints, OWN], out[..., joints, OTHER] = likelihoods[..., counterparts, OTHER], likelihoods[..., counterparts, OWN]
    return out


def of_people(
    opinions: Sequence[np.ndarray], strangers: Sequence[np.ndarray], labels: np.ndarray, people: People, weights: np.ndarray
) -> np.ndarray:
    """Rows (N, F) of opinions' likelihoods (N, K, 3) each, about labels (N, K, 3).

    `strangers` are their likelihoods of the joints of other people near by: where these fit, an opinion is about another person.
    `weights` (N, P, C) are those of the labels' own handedness.
    """
    skeleton, columns = people.skeleton, []
    for likelihoods, of_others in zip(opinions, strangers, strict=True):
        ratios, gain = by_exchange(likelihoods, skeleton), gains(likelihoods)
        named = [ratios[name] for name in groups(skeleton)]
        by_pair = np.stack([ratio for name, ratio in ratios.items() if name not in groups(skeleton)], 1)
        own, best = np.nan_to_num(likelihoods[..., OWN]).sum(1), _best(likelihoods).sum(1)
        columns += [*named, by_pair.max(1), by_pair.max(1) - gain.sum(1) / 2, np.abs(gain).sum(1), own, best,
                    np.isfinite(likelihoods[..., OWN]).sum(1), np.nan_to_num(of_others[..., OWN]).sum(1)]  # fmt: skip
    cues = handedness.cues(labels, people)
    hands = handedness.together((cues * weights).sum(-1), skeleton)
    return np.concatenate([np.stack(columns, 1), cues.reshape(len(cues), cues.shape[1] * cues.shape[2]), hands], 1)


def of_joints(
    opinions: Sequence[np.ndarray], as_is: Sequence[np.ndarray], strangers: Sequence[np.ndarray], labels: np.ndarray, reference: np.ndarray,
    others: np.ndarray, people: People,
) -> np.ndarray:  # fmt: skip
    """Rows (N, K, F) of labels (N, K, 3), each judged by itself: the person's other labels are those of `reference` (N, K, 3).

    `opinions` are the likelihoods of the labels, `as_is` of the reference, and `strangers` of `others` (N, K, 3), other people's joints of
    the same name, whose flag is 0 where there is none.
    """
    columns = []
    for likelihoods, usual, of_others in zip(opinions, as_is, strangers, strict=True):
        own, best = np.nan_to_num(likelihoods[..., OWN]), _best(likelihoods)
        known, behind = np.isfinite(usual[..., OWN]), _best(usual) - np.nan_to_num(usual[..., OWN])
        rest = (behind.sum(1, keepdims=True) - behind) / np.maximum(known.sum(1, keepdims=True) - known, 1)
        columns += [own, best, np.minimum(best - own, 4), gains(likelihoods), rest, np.nan_to_num(of_others[..., OWN])]
    size = np.maximum(people.boxes[:, 2:].max(1), 1e-6)[:, None]
    distance = np.linalg.norm(labels[..., :2] - others[..., :2], axis=-1) / size
    columns += [np.nan_to_num(np.exp(-np.square(distance / 0.05) / 2)), stretch(labels, reference, people)]
    return np.stack(columns, -1)


def stretch(labels: np.ndarray, reference: np.ndarray, people: People) -> np.ndarray:
    """How much longer than usual the longest limb at each label (N, K) is, as a log; 0 where none is, or no limb is labelled."""
    size, out = np.maximum(people.boxes[:, 2:].max(1), 1e-6), np.zeros(labels.shape[:2])
    there = np.where(reference[..., 2:] > 0, reference[..., :2], np.nan)
    for a, b in people.skeleton.limb_indices:
        usual = np.linalg.norm(there[:, a] - there[:, b], axis=1) / size
        if not np.isfinite(usual).any():
            continue
        limit = max(float(np.nanpercentile(usual, SHARE)), 1e-6)
        for joint, neighbour in ((a, b), (b, a)):
            length = np.linalg.norm(labels[:, joint, :2] - there[:, neighbour], axis=1) / size
            out[:, joint] = np.fmax(out[:, joint], np.log(np.maximum(length / limit, 1)))
    return np.nan_to_num(out)


def _best(likelihoods: np.ndarray) -> np.ndarray:
    """The height of each map (..., K) whose joint is labelled, else 0."""
    return np.nan_to_num(np.where(np.isfinite(likelihoods[..., OWN]), likelihoods[..., BEST], 0))
