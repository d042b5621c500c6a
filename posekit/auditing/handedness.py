"""What labels alone say about left and right: of which hand a pose is, as the other people of the data set have theirs.

Whoever shows their face has their left on the picture's right; of whoever is seen from the side, the side that is seen goes by where nose
and knees point. Each number here changes its sign when a pair's labels are exchanged, and is the same in the mirror image, where sides
change their names with their places. What weight each has is learned from the labels themselves against their own exchange, by people of
other pictures, so that no network is asked, and none that fails on a person can mislead.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

from posekit.auditing.quality.planted import exchanged, groups, pairs
from posekit.data.people import People
from posekit.skeleton import Skeleton

FOLDS = 5
STRENGTH = 0.1  # inverse of the penalty of the coefficients, of columns of variance 1
SIDE, POINTING = 0.05, 0.1  # of the person's size: how far apart sides are, or what points ahead, before more makes no difference


def cues(labels: np.ndarray, people: People) -> np.ndarray:
    """Cues (N, P, C) of labels (N, K, 3) for each pair of joints: each changes its sign with an exchange of that pair, 0 is none.

    How far the one is to the right of the other, seen upright; the same times whether the nose is seen, 1 or -1; and by how much more the
    one is seen than the other times where the nose points from the ears, and from the shoulders, and where the knees are bent to.
    """
    skeleton, flags = people.skeleton, np.nan_to_num(labels[..., 2])
    xy = np.where(labels[..., 2:] > 0, labels[..., :2], np.nan) / np.maximum(people.boxes[:, 2:].max(1), 1e-6)[:, None, None]
    one, other = np.transpose(pairs(skeleton))
    down = _down(xy, skeleton)

    def to_the_right(vectors: np.ndarray, limit: float) -> np.ndarray:
        across = vectors[..., 0] * down[:, None, 1] - vectors[..., 1] * down[:, None, 0]
        return np.nan_to_num(np.tanh(across / limit))

    def middle(part: str) -> np.ndarray:
        sides = [_joint(xy, skeleton, f"{side} {part}") for side in ("left", "right")]
        both = (sides[0] + sides[1]) / 2
        return np.where(np.isfinite(both), both, np.where(np.isfinite(sides[0]), *sides))

    nose = _joint(xy, skeleton, "nose")
    ahead = [nose - middle("ear"), nose - middle("shoulder")]
    knees = [_joint(xy, skeleton, f"{side} knee") - (_joint(xy, skeleton, f"{side} hip") + _joint(xy, skeleton, f"{side} ankle")) / 2
             for side in ("left", "right")]  # fmt: skip
    pointing = [to_the_right(each[:, None], POINTING) for each in (*ahead, *knees)]
    seen = (flags[:, one] - flags[:, other]) / 2
    side = to_the_right(xy[:, one] - xy[:, other], SIDE)
    face = 2.0 * (flags[:, skeleton.joints.index("nose")] == 2) - 1 if "nose" in skeleton.joints else np.zeros(len(labels))
    return np.stack([side, side * face[:, None], seen * pointing[0], seen * pointing[1], seen * (pointing[2] + pointing[3])], -1)


def weights(people: People) -> np.ndarray:
    """The weight (N, P, C) of each cue for each person, learned from people of other pictures; 0 with too few pictures to learn from."""
    names, picture = np.unique(people.names, return_inverse=True)
    as_is = cues(people.keypoints, people)
    out = np.zeros_like(as_is)
    if len(names) < FOLDS:
        return out
    rows = as_is.reshape(len(people), -1)
    turned = cues(exchanged(people.keypoints, people.skeleton, groups(people.skeleton)["whole"]), people).reshape(len(people), -1)
    fold = np.random.default_rng(0).permutation(len(names))[picture] % FOLDS
    for held in range(FOLDS):
        learn = fold != held
        scale = np.maximum(rows[learn].std(0), 1e-6)
        model = LogisticRegression(C=STRENGTH, fit_intercept=False, max_iter=1000)
        model.fit(np.concatenate([rows[learn], turned[learn]]) / scale, np.repeat([1, 0], learn.sum()))
        out[fold == held] = (model.coef_[0] / scale).reshape(as_is.shape[1:])
    return out


def by_pair(labels: np.ndarray, people: People, weights: np.ndarray) -> np.ndarray:
    """The log-odds (N, P) that labels (N, K, 3) of each pair are as they should be rather than exchanged."""
    return (cues(labels, people) * weights).sum(-1)


def together(by_pair: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The log-odds (N, G) of pairs that are exchanged together, in the order of `planted.groups`, from those of each pair (N, P)."""
    return np.stack([by_pair[:, [joint in joints for joint, _ in pairs(skeleton)]].sum(1) for joints in groups(skeleton).values()], 1)


def _joint(xy: np.ndarray, skeleton: Skeleton, name: str) -> np.ndarray:
    return xy[:, skeleton.joints.index(name)] if name in skeleton.joints else np.full((len(xy), 2), np.nan)


def _down(xy: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The unit vector (N, 2) from the shoulders to the hips, or down the picture where these are not known."""
    sides = ("left", "right")
    trunk = sum(_joint(xy, skeleton, f"{side} hip") - _joint(xy, skeleton, f"{side} shoulder") for side in sides)
    length = np.linalg.norm(trunk, axis=1, keepdims=True)
    return np.where(length > 0.04, trunk / np.maximum(length, 1e-6), np.array([0.0, 1.0]))
