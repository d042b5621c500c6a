"""What an opinion, a network's heatmaps or given keypoints, says about labels: log-likelihoods, in one pass over the pictures.

For a label y of joint k there are three numbers, each the log of a density over that of a label thrown into the network's view at random:
at y in the map of k itself (*own*), at y in the map of its counterpart, the other side's joint (*other*), and the highest of the map of
k (*best*). 0 is no evidence; what an opinion says nothing about is NaN. Whether labels are exchanged, displaced or another person's is
read from these alone, so that a planted error costs no further pass: its labels are looked up in the same maps.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from posekit import heatmaps as hm
from posekit.coordinates import MARGIN, person_square, transform, view
from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import batches
from posekit.data.people import People, iterate
from posekit.engine.inference.prediction import Fast, Predictor, decode, predict_heatmaps
from posekit.errors import PosekitError
from posekit.skeleton import Skeleton

STRAY = 0.05  # of labels, thought to lie anywhere: what a map is sure of bounds no other evidence
OWN, OTHER, BEST = range(3)


@dataclass(frozen=True)
class Opinion:
    """What one opinion says of N people with K joints, those of the labels.

    Attributes:
        name: of the network, or of the file.
        predicted: (N, K, 3): x, y in picture pixels and the score; NaN where it says nothing.
        likelihoods: (L, N, K, 3): OWN, OTHER and BEST for each of L sets of labels; NaN where a joint is not known, and OWN and OTHER
            where it is not labelled.
    """

    name: str
    predicted: np.ndarray
    likelihoods: np.ndarray


def of_network(
    predictor: Predictor, crops: Crops, labels: Sequence[np.ndarray], *, flip: bool = True, progress: Callable[[int], None] | None = None,
) -> Opinion:  # fmt: skip
    """The opinion of a network about sets of labels (N, K, 3), in picture pixels, of the people of `crops`.

    With `flip` of the mean of its maps of picture and mirror image. Joints go by their names; those that the network lacks are NaN.

    Raises:
        PosekitError: network and labels have no joint in common, or the crops were cut for an input of another shape.
    """
    card, skeleton = predictor.card, crops.people.skeleton
    card.check(crops)
    theirs = _joints(card.name, predictor.skeleton, skeleton)
    ours = [skeleton.joints.index(predictor.skeleton.joints[k]) for k in theirs]
    counterparts = [ours.index(skeleton.mirrored[k]) if skeleton.mirrored[k] in ours else -1 for k in ours]
    matrices = view(crops.size, card.resolution) @ crops.matrices
    sets = np.stack([np.asarray(each, float) for each in labels])
    likelihoods = np.full((*sets.shape[:3], 3), np.nan)
    predicted = np.full((len(crops), len(skeleton), 3), np.nan)
    network = Fast(predictor.model, predictor.backend, expected=len(crops) * (1 + flip))
    indices = list(iterate(len(crops), 64))
    for index, (pictures, keypoints) in zip(indices, batches(crops, indices), strict=True):
        seen, _ = eval_view(pictures.to(predictor.backend.device), keypoints.to(predictor.backend.device), card.resolution)
        maps = predict_heatmaps(network, card, seen, flip=flip)[:, -1]
        found = decode(maps, card, matrices[index])[:, theirs]
        predicted[index[:, None], ours] = found
        if card.loss == "coordinates":
            moved = transform(matrices[index], found[..., :2])
            scaled = transform(matrices[index], sets[:, index][..., :2])
            known = _spots(moved, scaled[:, :, ours], card.resolution, counterparts)
        else:
            to_cells = np.linalg.inv(card.cells) @ matrices[index]
            points = transform(to_cells, sets[:, index][..., :2])
            known = _look_up(density(maps[:, theirs], card.loss), points[:, :, ours], counterparts)
        likelihoods[:, index[:, None], ours] = known
        if progress:
            progress(len(index))
    likelihoods[~(sets[..., 2] > 0), :BEST] = np.nan
    return Opinion(card.name, predicted, likelihoods)


def of_keypoints(name: str, predicted: np.ndarray, people: People, labels: Sequence[np.ndarray]) -> Opinion:
    """The opinion that keypoints (N, K, 3) in picture pixels are, whoever found them, about sets of labels (N, K, 3).

    Each is a spot as wide as a network's map is blurred. A joint that is NaN, or has score 0, says nothing.
    """
    predicted = np.where(predicted[..., 2:] > 0, predicted, np.nan)
    centres, sides = person_square(people.boxes, MARGIN)
    shift = (centres - sides[:, None] / 2)[:, None]
    sets = np.stack([np.asarray(each, float) for each in labels])
    moved, points = (predicted[..., :2] - shift) / sides[:, None, None], (sets[..., :2] - shift) / sides[:, None, None]
    likelihoods = _spots(moved, points, 1.0, people.skeleton.mirrored)
    likelihoods[~(sets[..., 2] > 0), :BEST] = np.nan
    return Opinion(name, predicted, likelihoods)


def density(maps: Tensor, loss: str) -> Tensor:
    """Maps (B, K, h, w) as log-densities over a uniform one: blurred as they are for decoding, with STRAY of the mass spread out."""
    mass = maps.double().clamp_min(0) if loss != "cross-entropy" else maps.double()
    mass = mass / mass.sum((-2, -1), keepdim=True).clamp_min(1e-12)
    cells = maps.shape[-2] * maps.shape[-1]
    return ((1 - STRAY) * hm.smooth(mass, hm.BLUR * maps.shape[-1]) * cells + STRAY).log()


def _look_up(log: Tensor, points: np.ndarray, counterparts: Sequence[int]) -> np.ndarray:
    """The three numbers (L, B, K, 3) of labels at points (L, B, K, 2), in cells of the maps' log-densities (B, K, h, w)."""
    sets, people, joints = points.shape[:3]
    both = torch.as_tensor(np.stack([points, points[:, :, list(counterparts)]], 3)).to(log)  # each map at its own and the other side's
    grid = (2 * both + 1) / both.new_tensor([log.shape[-1], log.shape[-2]]) - 1  # as grid_sample has it: the outer edges at -1 and 1
    outside = (~(grid.abs() <= 1).all(-1)).permute(1, 2, 0, 3)
    grid = torch.nan_to_num(grid, nan=2.0).permute(1, 2, 0, 3, 4).reshape(people * joints, sets, 2, 2)
    sampled = torch.nn.functional.grid_sample(log.flatten(0, 1)[:, None], grid, padding_mode="border", align_corners=False)
    inside = sampled.reshape(people, joints, sets, 2).masked_fill(outside, math.log(STRAY))
    found = inside.permute(2, 0, 1, 3).cpu().numpy()
    best = np.broadcast_to(log.amax((-2, -1)).cpu().numpy(), (sets, people, joints))
    return _three(found[..., 0], found[..., 1], best, counterparts)


def _spots(predicted: np.ndarray, points: np.ndarray, size: float, counterparts: Sequence[int]) -> np.ndarray:
    """The same, of maps that are Gaussians round predicted (B, K, 2) in a view of side `size`."""
    sigma = hm.BLUR * size
    height = (1 - STRAY) / (2 * math.pi * hm.BLUR**2)

    def log(at: np.ndarray) -> np.ndarray:
        return np.log(height * np.exp(-np.square(at - predicted).sum(-1) / (2 * sigma**2)) + STRAY)

    best = np.where(np.isfinite(predicted[..., 0]), math.log(height + STRAY), np.nan)
    return _three(log(points), log(points[:, :, list(counterparts)]), np.broadcast_to(best, points.shape[:3]), counterparts)


def _three(own: np.ndarray, of_counterpart: np.ndarray, best: np.ndarray, counterparts: Sequence[int]) -> np.ndarray:
    """OWN, OTHER, BEST; `of_counterpart` (L, B, K) is each map at the other side's label; OTHER is each label in the other side's map."""
    other = of_counterpart[..., list(counterparts)].copy()
    other[..., [k for k, counterpart in enumerate(counterparts) if counterpart < 0]] = np.nan
    return np.stack([own, other, best], -1)


def _joints(name: str, network: Skeleton, labels: Skeleton) -> list[int]:
    """The network's joints, by index, that the labels have too."""
    common = [k for k, joint in enumerate(network.joints) if joint in labels.joints]
    if not common:
        raise PosekitError(f"{name} finds joints of the {network.name} skeleton, and the labels are of {labels.name}: none is in both")
    return common
