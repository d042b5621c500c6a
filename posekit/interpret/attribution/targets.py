"""Targets: what is explained of a network's output, as one number a picture. Every method of this package takes the same ones.

cells = answered(model, card, pictures)[1]
score = Scored(model, card, target("window", "left wrist", card, cells[:, 9]))
score(pictures)  # (B,)

A heatmap network has no class score, so a target has to say which number of a joint's map counts:

| target | the number |
| --- | --- |
| `peak` | the raw output in the cell in which the network puts the joint |
| `window` | the mean of the raw outputs in a window round that cell |
| `mean` | the mean of the raw outputs of the whole map |
| `probability` | the share of the map, as the network predicts it, that lies in the window |
| `distance to JOINT` | how far the joint is from another one, both by soft-argmax, in heatmap cells |

The first three are taken before the softmax, as Simonyan et al. (2014, section 3) and Selvaraju et al. (2017, section 3) take class
scores. After it, gradients over the cells of a map sum to zero, so that Grad-CAM, which averages them, cancels out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from posekit import heatmaps as hm
from posekit.coordinates import transform
from posekit.engine.inference.prediction import decode, predict_heatmaps
from posekit.engine.weights import Card
from posekit.errors import PosekitError
from posekit.hooks import trace
from posekit.skeleton import Skeleton, skeleton_of

TARGETS = ("peak", "window", "mean", "probability", "distance to JOINT")
WINDOW = 1 / 16  # of the map's width to either side of its middle: two cells of 32, and at least one


@dataclass(frozen=True)
class Target:
    """A number for each picture: what `of` makes of the last stack's raw outputs (B, K, h, w), or of the activation at `hook_point`."""

    name: str
    of: Callable[[Tensor], Tensor]  # to (B,), differentiable
    hook_point: str | None = None


class Scored(nn.Module):
    """A network with a target: pictures (B, 3, R, R) in [0, 1] to numbers (B,). A target at a place needs the network itself."""

    def __init__(self, model: Any, card: Card, target: Target):
        super().__init__()
        self.model, self.card, self.target = model, card, target

    def forward(self, pictures: Tensor) -> Tensor:
        pictures = self.card.centred(pictures)
        if self.target.hook_point is None:
            return self.target.of(self.model(pictures)[:, -1].float())
        with trace(self.model, [self.target.hook_point]) as activations:
            self.model(pictures)
        return self.target.of(activations[self.target.hook_point].float())


def target(name: str, joint: str | Sequence[str], card: Card, cells: Tensor | None = None) -> Target:
    """The named one of TARGETS for a joint, or for each picture's own joint.

    Args:
        name: `distance to left knee` names the other joint.
        joint: one for all pictures, or one for each.
        cells: (B, 2) or (2,), column and row in the heatmap; where `peak`, `window` and `probability` look. A target keeps its
            cell when the picture is changed: it asks how sure the network still is of the joint *there*. Pictures may come in
            multiples of B, which go through the same B cells again and again.

    Raises:
        PosekitError: no such target, the skeleton lacks a joint, or the network has no heatmaps.
    """
    card.need_heatmaps()
    skeleton = skeleton_of(card.skeleton)
    joints = torch.tensor(joint_index(skeleton, *([joint] if isinstance(joint, str) else joint)))
    label = f"{name} of {joint}" if isinstance(joint, str) else name
    if name.startswith("distance to "):
        other = joint_index(skeleton, name.removeprefix("distance to "))
        if isinstance(joint, str) and other == joints.tolist():
            raise PosekitError(f"{name!r} is that of a joint to itself, which nothing changes; name another joint")

        def distance(raw: Tensor) -> Tensor:
            maps = normalised_maps(raw, card)
            ends = [hm.decode(_of(maps, k)[:, None], "soft-argmax")[:, 0, :2] for k in (joints, torch.tensor(other))]
            return torch.linalg.vector_norm(ends[0] - ends[1], dim=-1)

        return Target(label, distance)
    if name == "mean":
        return Target(label, lambda raw: _seen(_of(raw, joints), card).mean((-2, -1)))
    if name not in TARGETS:
        raise PosekitError(f"no target {name!r}; there are {', '.join(TARGETS)}, the last with a joint's name")
    if cells is None:
        raise PosekitError(f"the target {name!r} looks at a cell of the heatmap: give cells, as `answered` finds them")
    where = torch.as_tensor(cells)
    if name == "probability":
        return Target(label, lambda raw: (_of(normalised_maps(raw, card), joints) * _window(raw, where)).sum((-2, -1)))

    def mean_within(raw: Tensor) -> Tensor:
        inside = _window(raw, where, 0 if name == "peak" else None)
        return (_of(raw, joints) * inside).sum((-2, -1)) / inside.sum((-2, -1))

    return Target(label, mean_within)


def displacement(joint: int, name: str, points: Tensor) -> Target:
    """Of a network that answers with coordinates: how far a joint stays from leaving its points (B, 2), in input pixels below 0."""
    return Target(f"place of {name}", lambda found: -torch.linalg.vector_norm(found[:, joint] - points.to(found), dim=-1))


def joint_index(skeleton: Skeleton, *joints: str) -> list[int]:
    """Indices of the named joints.

    Raises:
        PosekitError: the skeleton lacks one; the message lists those that it has.
    """
    try:
        return skeleton.index(*joints)
    except ValueError as error:
        raise PosekitError(str(error)) from None


def normalised_maps(raw: Tensor, card: Card) -> Tensor:
    """Raw outputs (B, K, h, w) as maps that are not negative and sum to 1, as far as there is anything in them."""
    if card.loss == "cross-entropy":
        return hm.probabilities(raw)
    maps = raw.clamp(min=0)
    return maps / maps.sum((-2, -1), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)


def answered(model: nn.Module, card: Card, pictures: Tensor) -> tuple[Tensor, Tensor, np.ndarray]:
    """What the network answers to pictures (B, 3, R, R) in [0, 1]: the last stack's heatmaps (B, K, h, w) as it predicts them, the
    cells (B, K, 2), column and row, of its joints, and its keypoints (B, K, 3) in input pixels, with scores.
    """
    card.need_heatmaps()
    maps = predict_heatmaps(model, card, pictures)[:, -1]
    keypoints = decode(maps, card, np.tile(np.eye(3), (len(maps), 1, 1)))
    return maps, cells_of(keypoints[..., :2], card, maps.shape[-1]), keypoints


def cells_of(points: np.ndarray, card: Card, width: int) -> Tensor:
    """The heatmap cells (..., 2), column and row, in which points (..., 2) of the input lie; the nearest for points outside."""
    return torch.from_numpy(np.clip(np.round(transform(np.linalg.inv(card.cells), points)), 0, width - 1)).long()


def _of(maps: Tensor, joints: Tensor) -> Tensor:
    """Each picture's map (B, h, w) of its joint, among maps (B, K, h, w); joints (1,) or of a divisor of B."""
    return maps[torch.arange(len(maps)), joints.repeat(len(maps) // len(joints))]


def _seen(maps: Tensor, card: Card) -> Tensor:
    """Maps (B, h, w) without what lies beside an input that is no square."""
    left, top, width, height = (round(pixels * maps.shape[-1] / card.resolution) for pixels in card.window)
    return maps[:, top : top + height, left : left + width]


def _window(maps: Tensor, cells: Tensor, reach: int | None = None) -> Tensor:
    """1 within `reach` cells, by default the window's, of each cell, else 0: (B, h, w)."""
    height, width = maps.shape[-2:]
    reach = max(round(WINDOW * width), 1) if reach is None else reach
    cells = cells.reshape(-1, 2).repeat(len(maps) // cells.reshape(-1, 2).shape[0], 1).to(maps.device)
    across = (torch.arange(width, device=maps.device) - cells[:, :1]).abs() <= reach
    down = (torch.arange(height, device=maps.device) - cells[:, 1:]).abs() <= reach
    return (down[:, :, None] & across[:, None, :]).to(maps.dtype)
