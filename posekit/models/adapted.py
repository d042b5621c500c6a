"""An outside network in the form of posekit's own. `posekit.adapt` makes one, and looks at it by a dry pass first."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posekit.errors import PosekitError
from posekit.hooks import first_tensor

PARTS = 3  # at the least, in which a network is randomised
NOTHING = 110.0  # below the lowest logit: a probability that is 0 in float32


class Adapted(nn.Module):
    """Pictures (B, 3, R, R) in [0, 1], R the longer side of the outside network's input, to heatmaps (B, stages, K, R/stride, R/stride).

    Or to coordinates (B, stages, K, 2) in their pixels. A network whose input is no square sees the middle of the picture; its heatmaps
    are lowest beside that.

    Args:
        module: the outside network.
        read: from what it answers to heatmaps (B, stages, K, h, w), or to coordinates (B, stages, K, 2) in pixels of its input.
        size: its input's height and width.
        mean, std: of RGB in [0, 1], by which pictures are normalised.
        stride: input pixels to a heatmap cell.
        kind: one of `losses.LOSSES`: whether its maps become probabilities by a softmax over the cells, or it answers with coordinates.
        joints, stages: how many it answers with.
        shapes: its hook points in the order of computation, and the shapes of their activations without the pictures' axis.
        codes: the hook points of its codes, one or one a stage.
        skips: hook points of its skip connections, by the name of what is replaced together.
        attention: the hook point whose answer is a tuple of an activation and attention weights (B, heads, T, T); "" where it has none.
        stage_points: the hook points that compute the maps of the stages, where they are read there and not in its answer.
        reaches: of several stages, the first whose maps an activation reaches, by hook point.
    """

    def __init__(
        self, module: nn.Module, read: Callable[[Any], Tensor], size: tuple[int, int], mean: Sequence[float], std: Sequence[float],
        stride: int, *, kind: str = "mse", joints: int = 0, stages: int = 1, shapes: Mapping[str, tuple[int, ...]] | None = None,
        codes: Sequence[str] = (), skips: Mapping[str, Sequence[str]] | None = None, attention: str = "", stage_points: Sequence[str] = (),
        reaches: Mapping[str, int] | None = None,
    ):  # fmt: skip
        super().__init__()
        self.module, self.read, self.size, self.stride, self.kind = module, read, size, stride, kind
        self.joints, self.stages, self.shapes, self.codes, self.skips = joints, stages, dict(shapes or {}), tuple(codes), dict(skips or {})
        self.attention, self.stage_points, self.reaches = attention, tuple(stage_points), dict(reaches or {})
        if next(module.parameters(), None) is None:  # one says on which device a network is
            self.nothing = nn.Parameter(torch.zeros(0), requires_grad=False)
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
        found = self.read(answered(self.module, (seen - self.mean) / self.std, self.stage_points))
        if height == width:
            return found
        if self.kind == "coordinates":
            return found + found.new_tensor([left, top])
        # Beside the input nothing is found, whatever the maps' sign; and no gradient comes from there.
        lowest = found.detach().amin((-2, -1), keepdim=True) - (NOTHING if self.kind == "cross-entropy" else 0.0)
        across, down = left // self.stride, top // self.stride
        border = (across, across, down, down)
        inside = F.pad(torch.ones_like(found[:1, :1, :1]), border) > 0
        return torch.where(inside, F.pad(found, border), lowest)

    def get_submodule(self, target: str) -> nn.Module:
        """By the names that the outside network's modules have in it."""
        return self.module.get_submodule(target)

    def hook_points(self) -> list[str]:
        return list(self.shapes)

    def code_hook_point(self, stack: int = -1) -> str:
        """Raises PosekitError where the network was adapted without a code, or with none of `stack`."""
        if not self.codes:
            there = f"names one of {', '.join(self.shapes)}" if self.shapes else "names one; this network has none"
            raise PosekitError(f"no code was named; posekit.adapt(..., code=NAME) {there}")
        if not -len(self.codes) <= stack < len(self.codes):
            has = f"one code, {self.codes[0]}" if len(self.codes) == 1 else f"the codes {', '.join(self.codes)}, numbered from 0"
            raise PosekitError(f"no stack {stack}: an adapted network has {has}")
        return self.codes[stack]

    def code_hook_points(self) -> list[str]:
        return list(self.codes) or [self.code_hook_point()]

    def skip_groups(self) -> dict[str, list[str]]:
        """The skip connections, by what is replaced together."""
        return {name: list(points) for name, points in self.skips.items()}

    def hand_overs(self) -> list[tuple]:
        """None: an outside network does not say what a stage hands on."""
        return []

    def stage_of(self, hook_point: str) -> int:
        """The first stage, counted from 0, whose answer an activation reaches; -1, the last, where there is one or it is not known."""
        return self.reaches.get(hook_point, -1)

    def layers(self, stage: int) -> dict[str, str]:
        """The hook points of a stage that have a counterpart in each other one: its code and its heatmaps, where they are named."""
        named = {"code": self.codes, "heatmaps": self.stage_points}
        return {name: points[stage] for name, points in named.items() if len(points) == self.stages}

    @torch.no_grad()
    def dependencies(self, pictures: Tensor, cells: Tensor) -> Tensor:
        """What each joint's prediction reads from, (B, K, R, R): the attention, mean over heads, of the token at its cell (B, K, 2).

        Raises:
            PosekitError: no attention was named, or the module that was does not answer with weights over the input's cells.
        """
        if not self.attention:
            raise PosekitError("no attention was named; posekit.adapt(..., attention=NAME) names the layer whose weights are shown")
        answers: list[Any] = []
        handle = self.get_submodule(self.attention).register_forward_hook(lambda *call: answers.append(call[2]))
        try:
            self(pictures)
        finally:
            handle.remove()
        (height, width), side = self.size, max(self.size)
        weights = answers[0][1] if isinstance(answers[0], tuple) and len(answers[0]) > 1 else None
        tokens = weights.shape[-1] if isinstance(weights, Tensor) and weights.ndim == 4 else 0
        patch = math.isqrt(height * width // tokens) if tokens else 1
        if not isinstance(weights, Tensor) or (height % patch, width % patch, height * width) != (0, 0, patch**2 * tokens):
            raise PosekitError(f"{self.attention}: does not answer with attention weights (B, heads, T, T) over {height} x {width} pixels; "
                               "a network of transformers has them with attn_implementation=\"eager\"")  # fmt: skip
        top, left = (side - height) // 2, (side - width) // 2
        pixels = cells * self.stride + self.stride // 2 - torch.tensor([left, top], device=cells.device)
        column, row = ((pixels[..., axis] // patch).clamp(0, size // patch - 1) for axis, size in enumerate((width, height)))
        rows = weights.float().mean(1).gather(1, (row * (width // patch) + column).long()[..., None].expand(-1, -1, tokens))
        read = F.interpolate(rows.unflatten(-1, (height // patch, width // patch)), size=(height, width), mode="nearest")
        return F.pad(read, (left, left, top, top))

    def stage_count(self) -> int:
        return self.stages

    def default_layer(self) -> str:
        """Grad-CAM's hook point where none is named: the code, or the last feature map before the answer's own maps.

        Raises:
            PosekitError: no activation is a map.
        """
        maps = [name for name, shape in self.shapes.items() if len(shape) == 3 and shape[1] * shape[2] > 1]
        before = [name for name in maps if self.shapes[name][0] != self.joints]
        code = self.codes[-1] if self.codes else ""
        if code in maps or before:
            return code if code in maps else before[-1]
        raise PosekitError("none of this network's activations before its answer is a map (C, h, w); name a layer that is one")

    def part_of(self, hook_point: str) -> str:
        """What is randomised together with a hook point: the part of the network that it is in, by as short a name as tells parts apart."""
        names = [name.split(".") for name in self.shapes]
        deepest = max(map(len, names))
        depth = next((depth for depth in range(1, deepest) if len({tuple(name[:depth]) for name in names}) >= PARTS), deepest)
        return ".".join(hook_point.split(".")[:depth])


def answered(module: nn.Module, pictures: Tensor, points: Sequence[str]) -> Any:
    """What a module answers to pictures, or what it computes at these hook points on the way, in their order."""
    if not points:
        return module(pictures)
    found: dict[str, Any] = {}

    def keep(point: str) -> Callable:
        return lambda _module, _inputs, activation: found.update({point: first_tensor(activation)})

    hooks = [module.get_submodule(point).register_forward_hook(keep(point)) for point in points]
    try:
        module(pictures)
    finally:
        for hook in hooks:
            hook.remove()
    return [found[point] for point in points]
