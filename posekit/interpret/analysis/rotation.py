"""How much a network hangs on which way is up: the same people, turned in the picture.

found = turned(model, card, crops, upright(crops))        # everybody's trunk upright
curve = {angle: turned(model, card, crops, upright(crops) + angle) for angle in range(0, 360, 45)}
"""

import numpy as np
import torch

from posekit.coordinates import view, warp
from posekit.data.crops import Crops
from posekit.data.loading import load_batch
from posekit.data.people import iterate
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Fast, Network, decode, predict_heatmaps
from posekit.engine.weights import Card
from posekit.interpret.analysis.attributes import trunk_angle

BATCH = 32  # people predicted at once


def upright(crops: Crops) -> np.ndarray:
    """By how many degrees (N,), clockwise, each person is to be turned so that the labelled trunk points up; NaN without one."""
    return -trunk_angle(crops.people.keypoints, crops.people.skeleton)


def turning(degrees: np.ndarray, size: int) -> np.ndarray:
    """Matrices (N, 3, 3) that turn a picture of `size` pixels a side around its middle, clockwise for who looks at it.

    >>> from posekit.coordinates import transform
    >>> transform(turning(np.array([90.0]), 11), np.array([[5.0, 0.0]])).round().tolist()  # from the top to the right
    [[[10.0, 5.0]]]
    """
    angle, centre = np.deg2rad(np.asarray(degrees, float)), (size - 1) / 2
    matrices = np.zeros((len(angle), 3, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angle)
    matrices[:, 0, 1], matrices[:, 1, 0] = -np.sin(angle), np.sin(angle)
    matrices[:, :2, 2] = centre - (matrices[:, :2, :2] @ np.full(2, centre))
    matrices[:, 2, 2] = 1
    return matrices


def turned(
    model: torch.nn.Module, card: Card, crops: Crops, degrees: np.ndarray | float, *, backend: Backend | None = None,
    network: Network | None = None,
) -> np.ndarray:  # fmt: skip
    """Keypoints (N, K, 3), as `predict_crops` gives them of the last stage, in the pixels of the pictures as they were before each person
    was turned by `degrees` (N,), or all by as many, clockwise around the middle of the crop. At 0 it is `predict_crops`.

    A turned square shows a little of what lies beyond the stored crop, which is black, in its corners. `network` computes the answers in
    place of `Fast(model, backend)`: one for all angles is worth more preparation than one for each.

    Raises:
        ValueError: an angle is not finite.
    """
    degrees = np.broadcast_to(np.asarray(degrees, float), len(crops))
    if not np.isfinite(degrees).all():
        raise ValueError(f"{int((~np.isfinite(degrees)).sum())} angles are not finite; select the people who have a trunk")
    card.check(crops)
    backend = backend or Backend.best()
    backend.place(model.eval())
    network = network or Fast(model, backend, expected=len(crops))
    plain = view(crops.size, card.resolution)
    found = []
    for index in iterate(len(crops), BATCH):
        pictures, _ = load_batch(crops, index)
        matrices = turning(degrees[index], card.resolution) @ plain
        seen = warp(pictures.to(backend.device).float() / 255, torch.as_tensor(matrices, dtype=torch.float32), card.resolution)
        maps = predict_heatmaps(network, card, seen)
        found.append(decode(maps[:, -1], card, matrices @ crops.matrices[index]))
    return np.concatenate(found)
