"""What an audit is compared with: the loss of one network, counting as confident learning does, and the handedness of the labels alone."""

import numpy as np

from posekit.auditing import handedness
from posekit.auditing.evidence import BEST, OTHER, OWN
from posekit.data.people import People
from posekit.skeleton import Skeleton


def loss(likelihoods: np.ndarray) -> np.ndarray:
    """The loss (N, K) of likelihoods (N, K, 3): the higher, the more doubtful; NaN where nothing is known."""
    return -likelihoods[..., OWN]


def counted(likelihoods: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Confident learning (Northcutt, Jiang and Chuang, JAIR 2021) for key points: doubts (N, K); NaN where nothing is known.

    A label is the joint's own, the other side's, or neither, which is the network's peak. It is counted as another than its own where the
    network is for that at least as sure as it is, in the mean, of that class's own labels. What is counted comes first, by the margin.
    """
    own = likelihoods[..., OWN]
    usual = np.array([np.nanmean(column) if np.isfinite(column).any() else np.inf for column in own.T])
    others = np.stack([np.nan_to_num(likelihoods[..., OTHER], nan=-np.inf), np.nan_to_num(likelihoods[..., BEST], nan=-np.inf)])
    limits = np.stack([usual[list(skeleton.mirrored)], usual])[:, None]
    sure = (others >= limits) & (others > own)
    margin = others.max(0) - own
    return np.where(np.isfinite(own), np.where(sure.any(0), 100.0, 0.0) + margin, np.nan)


def labels_alone(people: People) -> np.ndarray:
    """How likely left and right are exchanged (N,), wholly or in arms or legs, by the labels' handedness: log-odds, without a network."""
    hands = handedness.by_pair(people.keypoints, people, handedness.weights(people))
    return -handedness.together(hands, people.skeleton).min(1)


def of_people(doubts: np.ndarray) -> np.ndarray:
    """Doubts about people (N,), the mean over their labels' (N, K); the lowest where nothing is known."""
    known = np.isfinite(doubts)
    mean = np.where(known, doubts, 0).sum(1) / np.maximum(known.sum(1), 1)
    return np.where(known.any(1), mean, np.min(mean, initial=0) - 1)
