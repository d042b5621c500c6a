"""What excites a channel: the parts of people's pictures that it answers most to, and what a deconvnet makes of them.

found = top_patches(model, card, crops, "stack0.bottleneck3", channels=[3, 17])

After Zeiler & Fergus (2014, section 3 and figure 2): of all positions of a channel in all pictures the strongest, at most one a picture,
each projected back to the pixels on its own. A position of the bottleneck sees nearly the whole picture, so that the patch shown is
cut round the middle of what the projection found there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import load_batch
from posekit.data.people import iterate
from posekit.engine.weights import Card
from posekit.errors import PosekitError, whole
from posekit.hooks import trace
from posekit.interpret.attribution.explain import gradients, shape_at
from posekit.interpret.attribution.targets import Scored, Target

SHARE = 1 / 2  # of the picture's width: the side of a patch


@dataclass(frozen=True)
class Patches:
    """The P pictures that excite one channel most, strongest first."""

    channel: int
    people: np.ndarray  # (P,) rows of the crops
    positions: np.ndarray  # (P, 2) column and row in the channel
    values: np.ndarray  # (P,) the channel's value there
    corners: np.ndarray  # (P, 2) x, y of the patch's first pixel in the picture
    pictures: np.ndarray  # (P, S, S, 3) uint8
    projections: np.ndarray  # (P, S, S, 3) float: the deconvnet's, about 0


def top_patches(
    model: nn.Module, card: Card, crops: Crops, hook_point: str, channels: Sequence[int], *, count: int = 9, batch: int = 32,
) -> list[Patches]:  # fmt: skip
    """For each of `channels` at `hook_point`, the `count` pictures that excite it most, and the deconvnet's projection of each.

    Raises:
        PosekitError: no such hook point or channel, one that is no map, no ReLUs, or fewer people than `count`.
    """
    count, batch = whole("count", count, 1), whole("batch", batch, 1)
    if not len(channels):
        raise PosekitError(f"{hook_point}: no channel is named; give channels=[3, 17], say")
    if len(crops) < count:
        raise PosekitError(f"{count} patches of different people asked for, there are {len(crops)} people; take more, or fewer patches")
    shape_at(model.eval(), _views(crops, np.arange(1), card, model), hook_point)
    values, cells, wide = _strongest(model, card, crops, hook_point, channels, batch)
    found = []
    for number, value, cell in zip(channels, values.T, cells.swapaxes(0, 1), strict=True):
        best = np.argsort(-value, kind="stable")[:count]
        pictures = _views(crops, best, card, model)
        projections = deconvnet_projection(model, card, pictures, hook_point, number, torch.from_numpy(cell[best]))
        side = round(SHARE * card.resolution)
        corners = np.array([_corner(projection, side) for projection in projections])
        shown = (pictures.permute(0, 2, 3, 1).cpu().numpy() * 255).round().astype(np.uint8)
        found.append(Patches(
            number, best, np.stack([cell[best] % wide, cell[best] // wide], -1), value[best], corners,
            _cut(shown, corners, side), _cut(projections, corners, side),
        ))  # fmt: skip
    return found


def deconvnet_projection(model: nn.Module, card: Card, pictures: Tensor, hook_point: str, number: int, cells: Tensor) -> np.ndarray:
    """The deconvnet's projection (B, R, R, 3) of a channel's value at one of its cells (B,), counted row by row, to the pixels."""
    target = Target(f"a position of channel {number} of {hook_point}", lambda activation: _at(activation[:, number], cells), hook_point)
    found = gradients(Scored(model, card, target), pictures, "deconvnet")
    return found.permute(0, 2, 3, 1).cpu().numpy()


def _at(maps: Tensor, cells: Tensor) -> Tensor:
    return maps.flatten(1).gather(1, cells.to(maps.device)[:, None])[:, 0]


@torch.no_grad()
def _strongest(model: nn.Module, card: Card, crops: Crops, hook_point: str, channels: Sequence[int], batch: int):
    """Each picture's largest value (N, C) in each channel, the cell (N, C) where it is, and the channels' width."""
    values, cells, wide = [], [], 0
    for index in iterate(len(crops), batch):
        with trace(model, [hook_point]) as activations:
            model(card.centred(_views(crops, index, card, model)))
        activation = activations[hook_point]
        wide = activation.shape[-1]
        if max(channels) >= activation.shape[1] or min(channels) < 0:
            raise PosekitError(f"{hook_point} has channels 0 to {activation.shape[1] - 1}, not all of {', '.join(map(str, channels))}")
        value, cell = activation[:, list(channels)].float().flatten(2).max(-1)
        values.append(value.cpu().numpy())
        cells.append(cell.cpu().numpy())
    return np.concatenate(values), np.concatenate(cells), wide


def _views(crops: Crops, index: np.ndarray, card: Card, model: nn.Module) -> Tensor:
    card.check(crops)
    pictures, keypoints = load_batch(crops, index)
    return eval_view(pictures, keypoints, card.resolution)[0].to(next(model.parameters()).device)


def _corner(projection: np.ndarray, side: int) -> np.ndarray:
    """The corner (2,) of the patch round the middle of what a projection (R, R, 3) found, kept within the picture."""
    strength = np.abs(projection).sum(-1)
    total = max(strength.sum(), np.finfo(float).tiny)
    size = len(strength)
    centre = np.array([(strength.sum(axis) * np.arange(size)).sum() / total for axis in (0, 1)])
    return np.clip(np.round(centre - (side - 1) / 2), 0, size - side).astype(int)


def _cut(pictures: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    return np.stack([picture[y : y + side, x : x + side] for picture, (x, y) in zip(pictures, corners, strict=True)])
