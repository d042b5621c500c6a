"""Pictures made worse, step by step: the families of PoseBench (Ma et al., 2024), and views that are turned, scaled and shifted.

A corruption changes the network's own view, so that a level means the same for a large person as for a small one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import simplejpeg
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from posekit import heatmaps as hm

Pixels = Callable[[Tensor, float, np.random.Generator], Tensor]  # pictures (B, 3, R, R) in [0, 1], to the like
Motion = Callable[[float, np.random.Generator], tuple[float, float, float, float]]  # degrees, scale, and a shift to the right and down


@dataclass(frozen=True)
class Corruption:
    """A way to make pictures worse. Levels get worse from the first to the last; `clean` is the level at which nothing changes."""

    unit: str  # what a level counts
    levels: tuple[float, ...]
    clean: float
    pixels: Pixels | None = None
    motion: Motion | None = None  # of the view, shift in shares of its width


def _blur(pictures: Tensor, level: float, random: np.random.Generator) -> Tensor:
    sigma = level / 100 * pictures.shape[-1]
    return hm.smooth(pictures, sigma) / hm.smooth(torch.ones_like(pictures[:1, :1]), sigma)


def _noise(pictures: Tensor, level: float, random: np.random.Generator) -> Tensor:
    drawn = torch.from_numpy(random.standard_normal(pictures.shape, np.float32)).to(pictures.device)
    return (pictures + level * drawn).clamp(0, 1)


def _jpeg(pictures: Tensor, level: float, random: np.random.Generator) -> Tensor:
    whole = (pictures.cpu().permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    small = [simplejpeg.encode_jpeg(np.ascontiguousarray(picture), round(level), "RGB", "420") for picture in whole]
    again = np.stack([simplejpeg.decode_jpeg(picture, "RGB") for picture in small])
    return torch.from_numpy(again).to(pictures.device).permute(0, 3, 1, 2).float() / 255


def _dark(pictures: Tensor, level: float, random: np.random.Generator) -> Tensor:
    return (level * pictures * 255).round() / 255  # in the steps that a picture has


def _coarse(pictures: Tensor, level: float, random: np.random.Generator) -> Tensor:
    side = max(round(pictures.shape[-1] / level), 1)
    small = interpolate(pictures, size=(side, side), mode="area")
    return interpolate(small, size=pictures.shape[-2:], mode="bilinear", align_corners=False)


def _hide(pictures: Tensor, level: float, random: np.random.Generator) -> Tensor:
    """A grey square, its middle anywhere in the middle half of the view."""
    size = pictures.shape[-1]
    middle = torch.from_numpy((0.25 + 0.5 * random.random((len(pictures), 2))) * (size - 1)).to(pictures)
    grid = torch.arange(size).to(pictures)
    across, down = ((grid - middle[:, axis : axis + 1]).abs() <= level / 100 * size / 2 for axis in (0, 1))
    return torch.where((down[:, :, None] & across[:, None, :])[:, None], 0.5, pictures)


def _side(random: np.random.Generator) -> float:
    return 1.0 if random.random() < 0.5 else -1.0


def _shift(level: float, random: np.random.Generator) -> tuple[float, float, float, float]:
    angle = 2 * np.pi * random.random()
    return 0.0, 1.0, level / 100 * np.cos(angle), level / 100 * np.sin(angle)


CORRUPTIONS = {
    "blur": Corruption("standard deviation, % of the view’s width", (0.5, 1, 2, 4), 0, pixels=_blur),
    "noise": Corruption("standard deviation, white is 1", (0.05, 0.1, 0.2, 0.4), 0, pixels=_noise),
    "JPEG": Corruption("quality", (30, 15, 8, 4), 100, pixels=_jpeg),
    "darkness": Corruption("share of the light", (0.5, 0.25, 0.12, 0.06), 1, pixels=_dark),
    "low resolution": Corruption("pixels made one, along a side", (2, 3, 5, 8), 1, pixels=_coarse),
    "occlusion": Corruption("side of a grey square, % of the view’s width", (12, 20, 30, 45), 0, pixels=_hide),
    "rotation": Corruption(
        "degrees, to either side", (20, 45, 90, 180), 0, motion=lambda level, random: (level * _side(random), 1.0, 0.0, 0.0)
    ),
    "box too large": Corruption("times as wide", (1.15, 1.35, 1.6, 2), 1, motion=lambda level, random: (0.0, 1 / level, 0.0, 0.0)),
    "box too small": Corruption("share of its width", (0.9, 0.8, 0.65, 0.5), 1, motion=lambda level, random: (0.0, 1 / level, 0.0, 0.0)),
    "box shift": Corruption("% of its width, in any direction", (5, 10, 20, 30), 0, motion=_shift),
}


def moved(matrices: np.ndarray, resolution: int, corruption: Corruption, level: float, random: np.random.Generator) -> np.ndarray:
    """Matrices (B, 3, 3) to the network's view, followed by each person's own motion of the view."""
    if corruption.motion is None:
        return matrices
    centre, turns = (resolution - 1) / 2, np.tile(np.eye(3), (len(matrices), 1, 1))
    for turn in turns:
        degrees, scale, right, down = corruption.motion(level, random)
        cos, sin = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
        turn[:2, :2] = [[cos, -sin], [sin, cos]]
        turn[:2, 2] = centre + np.array([right, down]) * resolution - turn[:2, :2] @ [centre, centre]
    return turns @ matrices
