"""Networks of one budget: as many parameters, or no more multiply-adds, by the number of features."""

from bisect import bisect_left
from dataclasses import replace
from functools import lru_cache

import torch
from torch import nn

from posekit.interpret.activations import ablation
from posekit.models.hourglass import Hourglass, HourglassConfig


@lru_cache(maxsize=4096)
def macs(config: HourglassConfig, resolution: int) -> int:
    """Multiply-adds of one person's forward pass, as `engine.costs.multiply_adds` counts them, in less time.

    >>> from posekit.engine.costs import multiply_adds
    >>> config = HourglassConfig.narrow(8, joints=5, depth=1)
    >>> macs(config, 16) == multiply_adds(Hourglass(config), 16)
    True
    """
    counted = 0

    def count(module: nn.Module, _, output: torch.Tensor) -> None:
        nonlocal counted
        assert isinstance(module, nn.Conv2d | nn.Linear)
        counted += output.numel() * module.weight[0].numel()

    with torch.random.fork_rng(devices=[]), torch.no_grad():  # a pass takes milliseconds, on the meta device ten times as long
        network = Hourglass(config).eval()
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_hook(count)
        network(torch.zeros(1, 3, resolution, resolution))
    return counted


@lru_cache(maxsize=4096)
def parameters(config: HourglassConfig) -> int:
    """How many the network has, without making it."""
    with torch.device("meta"):
        return ablation.parameter_count(Hourglass(config))


def scaled(config: HourglassConfig, features: int) -> HourglassConfig:
    """The same network with other features, the stem scaled alike."""
    first, second, third = (max(round(width * features / config.features), 1) for width in config.stem)
    return replace(config, features=features, stem=(first, second, third))


def widened(config: HourglassConfig, wanted: int) -> HourglassConfig:
    """The same network with as many features, a multiple of 4, as come closest to `wanted` parameters."""
    widths = range(8, 1025, 4)
    first = bisect_left(widths, wanted, key=lambda features: parameters(scaled(config, features)))
    near = [scaled(config, widths[i]) for i in (first - 1, first) if 0 <= i < len(widths)]
    return min(near, key=lambda candidate: abs(parameters(candidate) - wanted))


def within(base: HourglassConfig, resolution: int, **changes) -> HourglassConfig:
    """The base with `changes`, with as many features, an even number, as the base's parameters and multiply-adds allow."""
    limit = (parameters(base), macs(base, resolution))

    def too_much(features: int) -> bool:
        config = scaled(replace(base, **changes), features)
        return parameters(config) > limit[0] or macs(config, resolution) > limit[1]

    widths = range(2, 2 * base.features + 1, 2)
    return scaled(replace(base, **changes), widths[max(bisect_left(widths, True, key=too_much) - 1, 0)])
