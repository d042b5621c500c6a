"""What a transformer (`posekit.models.transpose`) attends to at its own predictions, to compare with the effect of hiding joints.

weights = attended_joints(model, card, crops)
agreement(dependency(model, card, crops).effect, weights)
"""

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from posekit import metrics
from posekit.coordinates import STRIDE, transform_keypoints, view
from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import load_batch
from posekit.data.people import iterate
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import predict_crops
from posekit.engine.weights import Card
from posekit.interpret.attribution.dependency import SIDE, attended
from posekit.models.transpose import dependencies

BATCH = 16  # pictures whose attention is computed at once


def nearest_cells(points: np.ndarray, resolution: int) -> Tensor:
    """Whole cells (..., 2) of the transformer's tokens, x and y, nearest to points (..., 2) in pixels of its input."""
    return torch.from_numpy(np.clip(np.round((points + 0.5) / STRIDE - 0.5), 0, resolution // STRIDE - 1))


def attended_joints(model: nn.Module, card: Card, crops: Crops, *, backend: Backend | None = None) -> np.ndarray:
    """(N, K, K): the share of the last layer's attention at predicted joint B (last axis) in a square round the true joint A.

    Of the N people with a torso, whose length the square's side is `dependency.SIDE` of, in their order, as `dependency` has them; NaN as
    in `dependency.attended`.
    """
    rows = np.flatnonzero(metrics.torso(crops.keypoints, crops.people.skeleton) > 0)
    crops = crops.select(rows)
    predicted = predict_crops(model, card, crops, backend=backend)[-1]
    network, found = deepcopy(model).float().cpu().eval(), []
    for at in iterate(len(crops), BATCH):
        pictures, keypoints = eval_view(*load_batch(crops, at), card.resolution)
        to_input = view(crops.size, card.resolution) @ crops.matrices[at]
        points = np.stack([transform_keypoints(m, k)[:, :2] for m, k in zip(to_input, predicted[at], strict=True)])
        maps = dependencies(network, pictures, nearest_cells(points, card.resolution)).numpy()
        truth = keypoints.double().numpy()
        sides = SIDE * metrics.torso(truth, crops.people.skeleton) / STRIDE
        in_cells = np.where(truth[..., 2:] > 0, (truth[..., :2] + 0.5) / STRIDE - 0.5, np.nan)
        found += [attended(m, joints, side) for m, joints, side in zip(maps, in_cells, sides, strict=True)]
    return np.stack(found)
