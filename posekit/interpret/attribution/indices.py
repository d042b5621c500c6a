"""Maps of attribution in numbers, after PoseIG (He et al., CVPR 2023): how spread out they are, and on what they lie.

Strengths count, without their sign. What a map that says nothing would have stands beside each share: that of the picture's area.
"""

import numpy as np

from posekit.coordinates import transform, view
from posekit.data.crops import Crops
from posekit.interpret.attribution.sanity import Cases

INDICES = ("diffusion", "foreground", "locality", "relation")
NEAR = 0.4  # torso lengths round a joint that are its own


def gini(maps: np.ndarray) -> np.ndarray:
    """Gini's coefficient (N,) of the strengths of maps (N, R, R): 0 where all are alike, near 1 where one pixel has everything.

    NaN for an empty map.
    """
    values = np.sort(np.abs(maps.reshape(len(maps), -1)).astype(float), axis=1)
    total, count = values.sum(1), values.shape[1]
    rank = 2 * np.arange(1, count + 1) - count - 1
    return np.where(total > 0, values @ rank / np.where(total > 0, total * count, 1), np.nan)


def strength_share(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """How much of the strength of maps (N, R, R) lies within masks (N, R, R): (N,); NaN for an empty map or an empty mask."""
    strength = np.abs(maps).astype(float)
    total = strength.sum((1, 2))
    known = (total > 0) & masks.any((1, 2))
    return np.where(known, (strength * masks).sum((1, 2)) / np.where(total > 0, total, 1), np.nan)


def neighbourhoods(crops: Crops, cases: Cases, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks (N, R, R): within NEAR torso lengths of each case's own joint, and of any other labelled joint but not of the own one."""
    points = transform(view(crops.size, resolution), crops.keypoints[cases.rows, :, :2].astype(float))
    labelled = crops.keypoints[cases.rows, :, 2] > 0
    y, x = np.mgrid[:resolution, :resolution]
    own, others = np.zeros((2, len(cases), resolution, resolution), bool)
    for i, joint in enumerate(cases.joints):
        near = [np.hypot(x - px, y - py) <= NEAR * cases.torsos[i] for px, py in np.nan_to_num(points[i], nan=-1e9)]
        own[i] = near[joint]
        for k in np.flatnonzero(labelled[i]):
            others[i] |= near[k]
    return own, others & ~own


def indices(
    maps: np.ndarray, own: np.ndarray, others: np.ndarray, silhouettes: np.ndarray | None = None
) -> dict[str, np.ndarray]:  # fmt: skip
    """The four indices of maps (N, R, R), (N,) each, between 0 and 1.

    `diffusion`, 1 less Gini's coefficient: 1 where the map is even; `foreground`, the share on the person, (N, R, R) bool of `silhouettes`,
    NaN without; `locality`, near the joint itself, `own`; `relation`, near the person's other joints, `others` (`neighbourhoods`).
    """
    nothing = np.full(len(maps), np.nan)
    return {
        "diffusion": 1 - gini(maps), "foreground": nothing if silhouettes is None else strength_share(maps, silhouettes),
        "locality": strength_share(maps, own), "relation": strength_share(maps, others),
    }  # fmt: skip
