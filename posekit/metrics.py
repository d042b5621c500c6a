"""Scores of predicted keypoints. Each says what it is normalised by, and NaN where no joint is labelled."""

import numpy as np

from posekit.skeleton import Skeleton


def torso(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Torso length (N,) of keypoints (N, K, 3): a shoulder to the opposite hip, mean of the labelled diagonals.

    The normaliser of Yang & Ramanan (PAMI 2013) as used on Leeds Sports Pose; NaN where neither diagonal is labelled.
    """
    ls, rs, lh, rh = skeleton.index("left shoulder", "right shoulder", "left hip", "right hip")
    diagonals = np.stack([keypoints[:, ls, :2] - keypoints[:, rh, :2], keypoints[:, rs, :2] - keypoints[:, lh, :2]])
    lengths = np.linalg.norm(diagonals, axis=-1)
    counted = np.isfinite(lengths)
    return np.where(counted.any(0), np.nansum(lengths, 0) / np.maximum(counted.sum(0), 1), np.nan)


def hits(predicted: np.ndarray, keypoints: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """1 where a predicted joint (N, K, >=2) lies within the threshold (N,) of keypoints (N, K, 3), 0 where not.

    NaN where the joint is not labelled or the person has no threshold.
    """
    distance = np.linalg.norm(predicted[..., :2] - keypoints[..., :2], axis=-1)
    valid = (keypoints[..., 2] > 0) & np.isfinite(threshold)[:, None]
    return np.where(valid, distance <= np.nan_to_num(threshold)[:, None], np.nan)
