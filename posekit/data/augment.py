"""Random views of stored crops: one matrix a person moves pixels and keypoints alike, the whole batch at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from posekit.coordinates import mirroring, transform, view, warp
from posekit.skeleton import Skeleton


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random change; every draw is independent of the others."""

    rotation: float = 25.0  # degrees, normal deviate cut at twice this
    scale: float = 0.2  # relative, uniform
    shift: float = 0.06  # of the view's width, uniform
    flip: float = 0.5  # probability of the mirror image, left and right joints exchanged
    colour: float = 0.25  # strength of brightness, contrast and channel gains
    occlusion: float = 0.2  # probability of a patch of one colour over a part of the person
    upside_down: float = 0.05  # probability of a rotation from all around


def eval_view(crops: Tensor, keypoints: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
    """The network's plain view: crops (B, 3, S, S) uint8 and keypoints (B, K, 3) in their pixels, to `resolution`."""
    matrix = torch.as_tensor(view(crops.shape[-1], resolution)).to(keypoints).expand(len(crops), 3, 3)
    moved = torch.cat([transform(matrix, keypoints[..., :2]), keypoints[..., 2:]], -1)
    return warp(crops.float() / 255, matrix, resolution), moved


def augment(
    crops: Tensor, keypoints: Tensor, skeleton: Skeleton, resolution: int, strength: Augmentation,
    generator: torch.Generator, rows: slice = slice(None), total: int | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Crops (B, 3, S, S) uint8, keypoints (B, K, 3) in their pixels, to pictures (B, 3, R, R) in [0, 1] and keypoints.

    A labelled joint that leaves the view becomes unlabelled (flag 0, NaN). The crops may be the `rows` of a larger batch
    of `total`, shared out over processes: they are then changed as they would be within the whole.
    """
    b, device = len(crops), crops.device
    total = total or b

    def uniform(*shape: int) -> Tensor:  # in [-1, 1], drawn on the CPU so that every device sees the same
        return torch.rand(total, *shape, generator=generator)[rows] * 2 - 1

    angle = torch.randn(total, generator=generator)[rows].clamp(-2, 2) * strength.rotation
    angle = torch.where(uniform() * 0.5 + 0.5 < strength.upside_down, uniform() * 180, angle).deg2rad()
    scale = torch.exp(uniform() * torch.tensor(1 + strength.scale).log())
    shift = uniform(2) * strength.shift * resolution
    flipped = uniform() * 0.5 + 0.5 < strength.flip

    centre = (resolution - 1) / 2
    cos, sin = scale * angle.cos(), scale * angle.sin()
    turn = torch.eye(3).repeat(b, 1, 1)
    turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1] = cos, -sin, sin, cos
    turn[:, :2, 2] = centre + shift - (turn[:, :2, :2] @ torch.full((2,), centre))
    mirror = torch.as_tensor(mirroring(resolution), dtype=torch.float32)
    matrix = turn @ torch.where(flipped[:, None, None], mirror, torch.eye(3))
    matrix = (matrix @ torch.as_tensor(view(crops.shape[-1], resolution), dtype=torch.float32)).to(device)

    pictures = warp(crops.float() / 255, matrix, resolution)
    points = torch.cat([transform(matrix, keypoints[..., :2]), keypoints[..., 2:]], -1)
    exchanged = points[:, list(skeleton.mirrored)]
    points = torch.where(flipped.to(device)[:, None, None], exchanged, points)
    outside = ((points[..., :2] < -0.5) | (points[..., :2] > resolution - 0.5)).any(-1)
    points = torch.where(outside[..., None], points.new_tensor([torch.nan, torch.nan, 0]), points)

    if strength.colour:
        gain = 1 + strength.colour * (uniform(1, 1, 1) + 0.4 * uniform(3, 1, 1)).to(device)
        contrast = 1 + strength.colour * uniform(1, 1, 1).to(device)
        mean = pictures.mean((1, 2, 3), keepdim=True)
        pictures = (((pictures - mean) * contrast + mean) * gain).clamp(0, 1)
    if strength.occlusion:
        hidden = uniform() * 0.5 + 0.5 < strength.occlusion
        half = (0.06 + 0.06 * uniform(2)) * resolution
        at = centre + uniform(2) * 0.35 * resolution
        grid = torch.arange(resolution)
        down = (grid - at[:, 1:]).abs() < half[:, 1:]
        across = (grid - at[:, :1]).abs() < half[:, :1]
        patch = (down[:, :, None] & across[:, None, :] & hidden[:, None, None])[:, None].to(device)
        tint = (uniform(3, 1, 1) * 0.5 + 0.5).to(device)
        pictures = torch.where(patch, tint, pictures)
    return pictures, points
