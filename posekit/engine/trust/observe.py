"""A network's answers to people, with everything that they say of how sure they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from posekit.coordinates import transform_keypoints, view
from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import batches
from posekit.data.people import iterate
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Fast, decode, mirrored_back, predict_heatmaps
from posekit.engine.trust.signals import SIGNALS, need_heatmaps, of_maps, own_torso
from posekit.engine.weights import Card
from posekit.skeleton import Skeleton, skeleton_of


@dataclass(frozen=True)
class Observed:
    """What a network's last stack answers about N people.

    Attributes:
        keypoints: (N, K, 3) in picture pixels, with the score that `predict` gives.
        signals: by name of SIGNALS, (N, K), larger where surer, as `signals.of_maps` has them; the spread here is in the network's own
            torso lengths, and so is `flip agreement`, less the distance between the answers to picture and mirror image; a torso counts as
            one cell of the heatmap at least, since a network may put all joints in one place.
        spreads: (N, K) the standard deviation of each map around its joint, in picture pixels.
        skeleton: the network's.
    """

    keypoints: np.ndarray
    signals: dict[str, np.ndarray]
    spreads: np.ndarray
    skeleton: Skeleton


def observe(
    model: Any, card: Card, crops: Crops, *, flip: bool = False, backend: Backend | None = None, batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Observed:  # fmt: skip
    """A network's answers to stored crops, with everything that they say of how sure they are.

    With `flip` keypoints and heatmaps are of the mean of picture and mirror image. `progress` is called with how many people were done.

    Raises:
        PosekitError: the network has no heatmaps, or its skeleton no torso to measure by.
    """
    need_heatmaps(card)
    skeleton = skeleton_of(card.skeleton)
    backend = backend or Backend.best()
    backend.place(model.eval())
    network = Fast(model, backend, expected=2 * len(crops))
    back = np.linalg.inv(view(crops.size, card.resolution) @ crops.matrices)
    found: list[np.ndarray] = []
    told: dict[str, list[np.ndarray]] = {name: [] for name in SIGNALS}
    indices = list(iterate(len(crops), batch))
    for index, (pictures, keypoints) in zip(indices, batches(crops, indices), strict=True):
        seen, _ = eval_view(pictures.to(backend.device), keypoints.to(backend.device), card.resolution)
        plain = predict_heatmaps(network, card, seen)[:, -1]
        other = mirrored_back(predict_heatmaps(network, card, seen.flip(-1))[:, -1], card, card.resolution)
        maps, itself = (plain + other) / 2 if flip else plain, np.tile(np.eye(3), (len(index), 1, 1))
        points = decode(maps, card, itself)  # in input pixels
        apart = np.linalg.norm(decode(plain, card, itself)[..., :2] - decode(other, card, itself)[..., :2], axis=-1)
        for name, values in (of_maps(maps, points, card, skeleton) | {"flip agreement": -apart}).items():
            told[name].append(values)
        found.append(transform_keypoints(back[index], points))
        if progress:
            progress(len(index))
    signals, points = {name: np.concatenate(parts) for name, parts in told.items()}, np.concatenate(found)
    scale = back[:, :1, 0]  # picture pixels to an input pixel
    spreads = -signals["spread"] * scale
    torsos = np.maximum(np.nan_to_num(own_torso(points, skeleton))[:, None], card.stride * scale)
    for name in ("spread", "flip agreement"):
        signals[name] = signals[name] * scale / torsos
    return Observed(points, signals, spreads, skeleton)
