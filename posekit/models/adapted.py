"""An outside network in the form of posekit's own. `posekit.adapt` makes one, and looks at it by a dry pass first."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posekit.errors import PosekitError


class Adapted(nn.Module):
    """Pictures (B, 3, R, R) in [0, 1], R the longer side of the outside network's input, to heatmaps (B, stages, K, R/stride, R/stride).

    A network whose input is no square sees the middle of the picture; its heatmaps are empty beside that.

    Args:
        module: the outside network.
        read: from what it answers to heatmaps (B, stages, K, h, w).
        size: its input's height and width.
        mean, std: of RGB in [0, 1], by which pictures are normalised.
        stride: input pixels to a heatmap cell.
        logits: whether its maps become probabilities by a softmax over the cells.
        names: its hook points, in the order of computation.
        code: the hook point that is its code; "" where it has none.
        skips: hook points of its skip connections, by the name of what is replaced together.
    """

    def __init__(
        self, module: nn.Module, read: Callable[[Any], Tensor], size: tuple[int, int], mean: Sequence[float], std: Sequence[float],
        stride: int, *, logits: bool = False, names: Sequence[str] = (), code: str = "", skips: Mapping[str, Sequence[str]] | None = None,
    ):  # fmt: skip
        super().__init__()
        self.module, self.read, self.size, self.stride, self.logits = module, read, size, stride, logits
        self.names, self.code, self.skips = names, code, dict(skips or {})
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        side, (height, width) = max(self.size), self.size
        if pictures.shape[-2:] != (side, side):
            raise PosekitError(f"this network takes pictures of {side} x {side} pixels, not {pictures.shape[-1]} x {pictures.shape[-2]}")
        top, left = (side - height) // 2, (side - width) // 2
        seen = pictures[..., top : top + height, left : left + width]
        maps = self.read(self.module((seen - self.mean) / self.std))
        if height == width:
            return maps
        lowest = maps.amin((-2, -1), keepdim=True).amin() - 1e4 if self.logits else 0.0
        across, down = left // self.stride, top // self.stride
        return F.pad(maps - lowest, (across, across, down, down)) + lowest

    def get_submodule(self, target: str) -> nn.Module:
        """By the names that the outside network's modules have in it."""
        return self.module.get_submodule(target)

    def hook_points(self) -> list[str]:
        return list(self.names)

    def code_hook_point(self, stack: int = -1) -> str:
        """Raises PosekitError where the network was adapted without a code, or `stack` is another than its own."""
        if not self.code:
            raise PosekitError(f"no code was named; posekit.adapt(..., code=NAME) names one of {', '.join(self.names)}")
        if stack not in (0, -1):
            raise PosekitError(f"no stack {stack}: an adapted network has one code, {self.code}")
        return self.code

    def code_hook_points(self) -> list[str]:
        return [self.code_hook_point()]

    def skip_groups(self) -> dict[str, list[str]]:
        """The skip connections, by what is replaced together."""
        return {name: list(points) for name, points in self.skips.items()}

    def stage_of(self, hook_point: str) -> int:
        """The stage whose answer an activation leads to: of an adapted network the last."""
        return -1
