"""Are people whose codes are neighbours alike in pose?

    apart = pose_distances(people.keypoints, people.skeleton)
    closeness(codes, apart)["mean"]  # 1: a neighbour's pose is the likest that there is; 0: like anybody's

Both functions look at every pair of people: some thousands are enough.
"""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from posekit import metrics
from posekit.errors import PosekitError
from posekit.skeleton import Skeleton

LEAST = 8  # joints that two people must have in common to be compared


def pose_coordinates(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Where the joints are on the person (N, 2K): x, y of each, in trunk lengths from the centre of shoulders and hips.

    Keypoints (N, K, 3) are not turned, since lying is not standing. NaN where a joint is not labelled, and for a person whose shoulders
    and hips are not all labelled.
    """
    keypoints = np.asarray(keypoints, float)
    trunk = skeleton.index("left shoulder", "right shoulder", "left hip", "right hip")
    xy = np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.nan)
    lengths = np.maximum(metrics.torso(keypoints, skeleton), 1e-9)
    return ((xy - xy[:, trunk].mean(1, keepdims=True)) / lengths[:, None, None]).reshape(len(xy), -1)


def pose_distances(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """How far apart the poses of people are (N, N), in trunk lengths: the mean distance of a joint to the other person's.

    Of keypoints (N, K, 3), laid over each other by `pose_coordinates`. NaN for a person whose shoulders and hips are not all labelled, for
    two who share fewer than `LEAST` labelled joints, and for a person with themselves.
    """
    xy = pose_coordinates(keypoints, skeleton).reshape(len(keypoints), -1, 2)
    known = np.isfinite(xy).all(-1)
    apart = np.full((len(xy), len(xy)), np.nan)
    for i in range(len(xy)):
        shared = known & known[i]
        lengths = np.where(shared, np.linalg.norm(np.nan_to_num(xy - xy[i]), axis=-1), 0).sum(-1)
        apart[i] = np.where(shared.sum(-1) >= LEAST, lengths / np.maximum(shared.sum(-1), 1), np.nan)
    np.fill_diagonal(apart, np.nan)
    return apart


def closeness(points: np.ndarray, apart: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict[str, float]:
    """How near in pose each person's nearest neighbour among points (N, D) is, from anybody (0) to the nearest in pose (1).

    `apart` (N, N) are `pose_distances`; people who cannot be compared with anybody are left out. With the 95 % interval over people, or
    over `pictures` (N,) where people share one; the mean distances, in trunk lengths, to the `neighbour`, to `anybody` and to the
    `nearest` in pose; and how many `people`.

    Raises:
        PosekitError: fewer than 3 people can be compared.
    """
    usable = np.isfinite(apart).sum(1) >= 2
    if usable.sum() < 3:
        raise PosekitError(f"{int(usable.sum())} people whose poses can be compared are too few; at least 3 are needed")
    points, apart = np.asarray(points, float)[usable], apart[np.ix_(usable, usable)]
    among = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(return_distance=False)
    rows = np.arange(len(points))
    neighbour = np.where(np.isfinite(apart[rows, among[:, 0]]), apart[rows, among[:, 0]], apart[rows, among[:, 1]])
    anybody, nearest = np.nanmean(apart, 1), np.nanmin(apart, 1)
    counted = np.isfinite(neighbour)
    neighbour, anybody, nearest = neighbour[counted], anybody[counted], nearest[counted]
    pictures = None if pictures is None else np.asarray(pictures)[usable][counted]
    mean, low, high = metrics.interval(anybody - neighbour, anybody - nearest, pictures=pictures, seed=seed)
    return {
        "mean": mean, "low": low, "high": high, "people": len(neighbour),
        "neighbour": float(neighbour.mean()), "anybody": float(anybody.mean()), "nearest": float(nearest.mean()),
    }  # fmt: skip
