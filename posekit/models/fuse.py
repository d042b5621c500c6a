"""A trained Hourglass rewritten for prediction alone: the same heatmaps from fewer passes over memory.

- A batch normalisation behind a convolution is folded into it: w' = w s, b' = b s + t, with s = gamma /
  sqrt(variance + eps) and t = beta - mean s.
- The one at the entrance of a residual module, before a ReLU and a 1 x 1 convolution, becomes a clamp: for s
  > 0, relu(s x + t) = s max(x, -t / s) + t, and for s < 0 it is s min(x, -t / s) + t; s and t go into the
  convolution.
- Additions and ReLUs are done by the convolution that they follow, while its result is still in the cache
  (oneDNN).
- Between two stacks, the 1 x 1 convolutions from features to heatmaps to the next stack's features are one.

Nothing here can be traced, edited or trained; that is what the Hourglass is for.
"""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posekit.machine import Machine
from posekit.models.hourglass import Basic, Hourglass, Residual, Stack, upsample


def fused(model: Hourglass) -> "FusedHourglass":
    """A copy for prediction. Its heatmaps equal the model's in `eval()` to 1e-4 of their range in float32."""
    with torch.no_grad():
        network = FusedHourglass(model)
    network.eval().requires_grad_(False)
    return network


def predictor(model: Hourglass, machine: Machine) -> "FusedHourglass":
    """The fastest network with the model's heatmaps on this machine, to the precision that the machine chose.

    Pictures (B, 3, S, S) float32 on any device to heatmaps (B, stacks, K, S/4, S/4) float32 on the machine's.
    """
    network = fused(model)
    machine.place(network).to(torch.bfloat16 if machine.bf16 else torch.float32)
    for module in network.modules():
        if isinstance(module, Convolution):
            module.prepare(machine)
    return network


class Convolution(nn.Module):
    """relu(conv(x) + added), where the ReLU and the addition are optional."""

    def __init__(self, weight: Tensor, bias: Tensor, stride: int = 1, relu: bool = False):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.stride, self.padding, self.relu = stride, (weight.shape[-1] - 1) // 2, relu
        self.onednn = False

    def prepare(self, machine: Machine) -> None:
        self.onednn = machine.device.type == "cpu" and machine.channels_last and torch.backends.mkldnn.is_available()

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        if self.onednn:  # what torch.compile calls as well
            shape = ([self.padding] * 2, [self.stride] * 2, [1, 1], 1)
            if added is None:
                unary = "relu" if self.relu else "none"
                return torch.ops.mkldnn._convolution_pointwise(x, self.weight, self.bias, *shape, unary, [], "")
            return torch.ops.mkldnn._convolution_pointwise.binary(
                x, added, self.weight, self.bias, *shape, "add", 1.0, "relu" if self.relu else None, [], None
            )
        y = F.conv2d(x, self.weight, self.bias, self.stride, self.padding)
        y = y if added is None else y + added
        return y.relu_() if self.relu else y


class FusedResidual(nn.Module):
    low: Tensor
    high: Tensor

    def __init__(self, block: Residual):
        super().__init__()
        scale, shift = _affine(block.bn1)
        edge = torch.where(scale == 0, 0, -shift / scale)
        infinity = torch.full_like(edge, torch.inf)
        self.rising = bool((scale > 0).all())  # then one comparison does
        self.register_buffer("low", torch.where(scale > 0, edge, -infinity)[:, None, None])
        self.register_buffer("high", torch.where(scale < 0, edge, infinity)[:, None, None])
        constant = torch.where(scale == 0, shift.clamp_min(0), shift)
        weight, bias = _weights(block.conv1)
        bias = bias + weight[:, :, 0, 0] @ constant
        self.conv1 = Convolution(*_folded(weight * scale[:, None, None], bias, block.bn2), relu=True)
        self.conv2 = Convolution(*_folded(*_weights(block.conv2), block.bn3), relu=True)
        self.conv3 = Convolution(*_weights(block.conv3))
        self.shortcut = _shortcut(block)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.maximum(x, self.low) if self.rising else x.clamp(self.low, self.high)
        return self.conv3(self.conv2(self.conv1(y)), added=self.shortcut(x))


class FusedBasic(nn.Module):
    scale: Tensor
    shift: Tensor

    def __init__(self, block: Basic):
        super().__init__()
        # No clamp here: zeros are padded behind the normalisation, and a shift in the bias would reach them as well.
        scale, shift = _affine(block.bn1)
        self.register_buffer("scale", scale[:, None, None])
        self.register_buffer("shift", shift[:, None, None])
        self.conv1 = Convolution(*_folded(*_weights(block.conv1), block.bn2), relu=True)
        self.conv2 = Convolution(*_weights(block.conv2))
        self.shortcut = _shortcut(block)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(torch.addcmul(self.shift, x, self.scale).relu_()), added=self.shortcut(x))


class FusedStack(nn.Module):
    def __init__(self, stack: Stack):
        super().__init__()
        self.depth, self.skip_levels, self.pool = stack.depth, stack.skip_levels, nn.MaxPool2d(2)
        for level in range(1, self.depth + 1):
            for name in ("skip", "encoder", "decoder") if level in self.skip_levels else ("encoder", "decoder"):
                self.add_module(f"{name}{level}", _residuals(getattr(stack, f"{name}{level}")))
        self.bottleneck = _residuals(getattr(stack, f"bottleneck{i}") for i in range(1, stack.bottlenecks + 1))
        self.squeeze = copy.deepcopy(stack.squeeze) or nn.Identity()
        residuals, conv, norm, _ = stack.features
        self.residuals = _residuals(residuals)
        self.features = Convolution(*_folded(*_weights(conv), norm), relu=True)
        head = list(stack.heatmaps) if isinstance(stack.heatmaps, nn.Sequential) else [stack.heatmaps]
        weight, bias = _weights(head[0])
        for module in head[1:]:
            if isinstance(module, nn.BatchNorm2d):
                weight, bias = _folded(weight, bias, module)
        self.heatmaps = Convolution(weight, bias)
        self.finer = nn.PixelShuffle(2) if isinstance(head[-1], nn.PixelShuffle) else nn.Identity()
        self.merge: nn.Module | None = None
        if not stack.last:
            back, back_bias = _weights(stack.merge_heatmaps)
            merge, merge_bias = _weights(stack.merge_features)
            through = back.flatten(1)  # a 2 x 2 kernel takes the cells in the order in which the shuffle lays them out
            merge = merge + (through @ weight[:, :, 0, 0])[:, :, None, None]
            self.merge = Convolution(merge, merge_bias + back_bias + through @ bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, skips = x, []
        for level in range(1, self.depth + 1):
            skips.append(getattr(self, f"skip{level}")(y) if level in self.skip_levels else None)
            y = getattr(self, f"encoder{level}")(self.pool(y))
        y = self.squeeze(self.bottleneck(y))
        for level in range(self.depth, 0, -1):
            skip, y = skips.pop(), getattr(self, f"decoder{level}")(y)
            y = upsample(y) if skip is None else _add_upsampled(skip, y)
        y = self.features(self.residuals(y))
        return y if self.merge is None else self.merge(y, added=x), self.finer(self.heatmaps(y))


class FusedHourglass(nn.Module):
    def __init__(self, model: Hourglass):
        super().__init__()
        self.config = model.config
        stem = model.stem
        self.first = Convolution(*_folded(*_weights(stem.conv), stem.bn), stride=stem.conv.stride[0], relu=True)
        residuals = (stem.residual1, stem.residual2, stem.residual3)
        first, second, third = _residuals(residuals)
        pool = nn.MaxPool2d(2)
        self.stem = nn.Sequential(pool, first, second, third) if stem.early_pool else nn.Sequential(first, pool, second, third)
        self.stacks = nn.ModuleList(FusedStack(getattr(model, f"stack{i}")) for i in range(model.config.stacks))

    def forward(self, pictures: Tensor) -> Tensor:
        weight, layout = self.first.weight, torch.contiguous_format
        if weight.is_contiguous(memory_format=torch.channels_last):
            layout = torch.channels_last
        pictures = pictures.to(weight.device, weight.dtype).contiguous(memory_format=layout)
        x, heatmaps = self.stem(self.first(pictures)), []
        for stack in self.stacks:
            x, h = stack(x)
            heatmaps.append(h.float())
        return torch.stack(heatmaps, 1)


def _affine(norm: Any) -> tuple[Tensor, Tensor]:
    """The scale and the shift that an `nn.BatchNorm2d` applies to each channel in `eval()`."""
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _folded(weight: Tensor, bias: Tensor, norm: Any) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does the batch normalisation behind it as well."""
    scale, shift = _affine(norm)
    return weight * scale[:, None, None, None], bias * scale + shift


def _weights(conv: Any) -> tuple[Tensor, Tensor]:
    """Copies of a convolution's weight (O, I, k, k) and bias (O,)."""
    return conv.weight.clone(), conv.bias.clone()


def _residuals(blocks) -> nn.Sequential:
    return nn.Sequential(*(FusedBasic(block) if isinstance(block, Basic) else FusedResidual(block) for block in blocks))


def _shortcut(block: Residual | Basic) -> nn.Module:
    return Convolution(*_weights(block.shortcut)) if isinstance(block.shortcut, nn.Conv2d) else nn.Identity()


def _add_upsampled(skip: Tensor, y: Tensor) -> Tensor:
    """skip (B, C, 2H, 2W), changed in place, plus the nearest-neighbour up-sampling of y (B, C, H, W)."""
    b, c, h, w = y.shape
    if skip.is_contiguous(memory_format=torch.channels_last):
        # Channels stay innermost, where the processor adds many at once.
        skip.permute(0, 2, 3, 1).view(b, h, 2, w, 2, c).add_(y.permute(0, 2, 3, 1)[:, :, None, :, None])
    else:
        skip.view(b, c, h, 2, w, 2).add_(y[:, :, :, None, :, None])
    return skip
