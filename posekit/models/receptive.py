"""What a cell of a network depends on: receptive fields by calculation and by gradients, and how much of them counts.

fields = receptive_fields(model.config, 4096)
first, last = fields["heatmaps"]  # the first and last pixel that each cell can depend on, along a line
pixels_seen(model, {"heatmaps": "stack0.heatmaps"}, 4096)["heatmaps"]  # counted, by gradients
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from posekit.hooks import trace
from posekit.models.hourglass import Hourglass, HourglassConfig


def receptive_fields(config: HourglassConfig, line: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The first and the last pixel, two arrays of one number a cell, of each cell's receptive field along a line of `line` pixels.

    By the activations of the first stack: `stem`, `encoder1`, ..., `bottleneck1`, ..., `decoder1`, `features`, `heatmaps`. A skip
    connection adds nothing that is not seen already.
    """
    first = last = np.arange(line)
    found = {}

    def layer(kernel: int, stride: int = 1) -> None:
        nonlocal first, last
        start = np.arange(0, len(first), stride) - (kernel - 1) // 2
        first, last = first[start.clip(0)], last[(start + kernel - 1).clip(max=len(last) - 1)]

    for kernel, stride in ((7, 2), (3, 1), (2, 2), (3, 1), (3, 1)):  # convolution, residual module, pooling, two residual modules
        layer(kernel, stride)
    found["stem"] = first, last
    for level in range(1, config.depth + 1):
        layer(2, 2)
        layer(3)
        found[f"encoder{level}"] = first, last
    for i in range(1, config.bottleneck_residuals + 1):
        layer(3)
        found[f"bottleneck{i}"] = first, last
    for level in range(config.depth, 0, -1):
        layer(3)
        found[f"decoder{level}"] = first, last
        first, last = np.repeat(first, 2), np.repeat(last, 2)
    layer(3)
    found["features"] = found["heatmaps"] = first, last
    return found


def sides(fields: Mapping[str, tuple[np.ndarray, np.ndarray]], line: int) -> dict[str, dict[str, float]]:
    """The side of receptive fields, in pixels, by activation: {"mean", "least", "most", "middle", "stride"}.

    Mean, least and most over the half of the cells away from the ends of the line; that of the middle cell; and pixels a cell.
    """
    found: dict[str, dict[str, float]] = {}
    for name, (first, last) in fields.items():
        side = last - first + 1
        away = side[len(side) // 4 : -len(side) // 4]
        found[name] = {"mean": float(away.mean()), "least": int(away.min()), "most": int(away.max()), "middle": int(side[len(side) // 2]),
                       "stride": line // len(side)}  # fmt: skip
    return found


def positive_hourglass(config: HourglassConfig) -> Hourglass:
    """An hourglass in which every pixel of a receptive field has a gradient: positive weights, and means for maxima; float64."""
    model = Hourglass(config).double().eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for part in ("stem", "stack0"):
        model.get_submodule(part).pool = nn.AvgPool2d(2)
    return model


def pixels_seen(model: Hourglass, hook_points: Mapping[str, str], line: int, height: int = 64) -> dict[str, int]:
    """How many columns of a picture (height, line) have a gradient at the middle cell of each activation, by its name in `hook_points`."""
    strip = torch.ones(1, 3, height, line, dtype=next(model.parameters()).dtype, requires_grad=True)
    with trace(model, hook_points.values()) as activations:
        model(strip)
    found = {}
    for name, hook_point in hook_points.items():
        cell = activations[hook_point][0, 0, 0, activations[hook_point].shape[-1] // 2]
        gradient = torch.autograd.grad(cell, strip, retain_graph=True)[0]
        found[name] = int((gradient[0].sum((0, 1)) > 0).sum())
    return found


def pixel_influence(model: nn.Module, hook_points: Mapping[str, str], pictures: Tensor) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """How much each pixel matters to the middle cell of each activation: the absolute gradient (R, R), over pictures (B, 3, R, R) and
    colours; and where that cell's centre is, in pixels from the left and from the top.
    """
    pictures = pictures.clone().requires_grad_()
    with trace(model, hook_points.values()) as activations:
        model(pictures)
    maps, centres = {}, {}
    for name, hook_point in hook_points.items():
        cells = activations[hook_point].shape[-1]
        middle = activations[hook_point][:, :, cells // 2, cells // 2].sum()
        gradient = torch.autograd.grad(middle, pictures, retain_graph=True)[0]
        maps[name] = gradient.abs().sum((0, 1)).numpy()
        centres[name] = (cells // 2 + 0.5) * pictures.shape[-1] / cells - 0.5
    return maps, centres


def effective_side(influence: np.ndarray, centre: float, share: float = 0.9) -> int:
    """The side, in pixels, of the smallest square around (centre, centre) that holds this share of the influence (R, R)."""
    away = np.abs(np.arange(len(influence)) - centre)
    rings = np.maximum(away[:, None], away)  # the square of side s holds the pixels with rings <= s / 2
    squares = np.arange(2, len(influence) + 1, 2)
    held = np.array([influence[rings <= square / 2].sum() for square in squares]) / influence.sum()
    return int(squares[(held >= share).argmax()]) if (held >= share).any() else len(influence)
