"""What heatmaps say of how sure each joint is. Every signal is larger where the network is surer."""

import numpy as np
import torch
from torch import Tensor

from posekit import heatmaps as hm
from posekit import metrics
from posekit.coordinates import transform
from posekit.engine.weights import Card
from posekit.errors import PosekitError
from posekit.skeleton import Skeleton, skeleton_of

SIGNALS = ("peak", "mass", "entropy", "spread", "flip agreement")
CELL = (1 / 6) ** 0.5  # cells: the standard deviation, over both axes, of a joint that lies anywhere in one cell
REACH = 0.2  # torso lengths: a joint within it of the annotation is found, as in PCK@0.2·torso


def need_heatmaps(card: Card) -> None:
    """Raises PosekitError for a network without heatmaps, or of a skeleton without a torso to measure by."""
    if card.loss == "coordinates":
        raise PosekitError(f"{card.name} answers with coordinates and has no heatmap to be sure by; give a network with heatmaps")
    needed = [f"{side} {joint}" for side in ("left", "right") for joint in ("shoulder", "hip")]
    if missing := [joint for joint in needed if joint not in skeleton_of(card.skeleton).joints]:
        raise PosekitError(f"{card.name}: confidence is measured in torso lengths, and its skeleton lacks {', '.join(missing)}")


def shares(maps: Tensor) -> Tensor:
    """Heatmaps (..., h, w) as they are predicted, what is negative left out, so that each sums to 1; an empty map is uniform."""
    positive = maps.double().clamp(min=0)
    total = positive.sum((-2, -1), keepdim=True)
    uniform = torch.full_like(positive, 1 / (maps.shape[-1] * maps.shape[-2]))
    return torch.where(total > 0, positive / total.clamp_min(torch.finfo(torch.float64).tiny), uniform)


def own_torso(points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Torso length (N,) of predicted keypoints (N, K, >=2); NaN where it is 0."""
    return metrics.torso(np.concatenate([points[..., :2], np.full_like(points[..., :1], 2)], -1), skeleton)


def of_maps(maps: Tensor, points: np.ndarray, card: Card, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """What heatmaps say of how sure they are, by name of SIGNALS, (B, K) each, larger where surer.

    `peak` is the score of the joint, cut off at 1; `mass` the share of the map within `REACH` torso lengths of the predicted joint,
    the torso as predicted; `entropy` 1 less that of the map; `spread` less the map's standard deviation around the joint, in input
    pixels, that of a single cell at least: a map cannot say more, and radii are this times a factor, which would be without bound.

    Args:
        maps: (B, K, h, w) as they are predicted.
        points: (B, K, 3) their joints with scores, in input pixels.
    """
    share = shares(maps)
    cells = torch.as_tensor(transform(np.linalg.inv(card.cells), points[..., :2])).to(share)
    x, y = (torch.arange(size).to(share) for size in (maps.shape[-1], maps.shape[-2]))
    squared = (x - cells[..., :1])[..., None, :] ** 2 + (y - cells[..., 1:])[..., :, None] ** 2  # (B, K, h, w), in cells
    reach = REACH * np.nan_to_num(own_torso(points, skeleton)) / card.stride
    near = torch.as_tensor(np.maximum(reach, 0.75)).to(share)[:, None, None, None]  # the cell itself at least
    return {
        "peak": np.clip(points[..., 2], 0, 1),
        "mass": (share * (squared <= near**2)).sum((-2, -1)).cpu().numpy(),
        "entropy": 1 - hm.entropy(share).cpu().numpy(),
        "spread": -card.stride * np.maximum(np.sqrt((share * squared).sum((-2, -1)).cpu().numpy()), CELL),
    }
