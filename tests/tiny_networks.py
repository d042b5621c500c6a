"""Networks whose answers and gradients can be written down."""

import torch
from torch import nn

from posekit import Hourglass, HourglassConfig
from posekit.engine.weights import Card

SIZE = 32  # pixels, so heatmaps of 8 x 8 cells
CARD = Card("tiny", {"joints": 14}, "lsp", SIZE, "mse")


class Tiny(nn.Module):
    """Pictures (B, 3, R, R) to heatmaps (B, 1, 14, R/4, R/4): colours mixed, a ReLU, the mean of each cell, a 1 x 1 head."""

    def __init__(self, channels: int = 4, bias: float = 0.0):
        super().__init__()
        draw = torch.Generator().manual_seed(3)
        self.mix, self.relu = nn.Conv2d(3, channels, 1), nn.ReLU()
        self.features, self.heatmaps = nn.AvgPool2d(4), nn.Conv2d(channels, 14, 1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=draw))
            self.mix.bias.add_(bias)

    def forward(self, x):
        return self.heatmaps(self.features(self.relu(self.mix(x))))[:, None]


class Painted(nn.Module):
    """The first joint is where the picture is red, the second two cells to its right, the others where it is blue."""

    def __init__(self):
        super().__init__()
        self.features = nn.AvgPool2d(4)
        self.unused = nn.Parameter(torch.zeros(1))  # says on which device the network is

    def forward(self, x):
        red, _, blue = self.features(x).unbind(1)
        return torch.stack([red, red.roll(2, -1), *[blue] * 12], 1)[:, None] + 0 * self.unused


def hourglass(seed=0, **changes):
    """A small hourglass and its card: weights that float16 holds, and batch normalisations that do something."""
    torch.manual_seed(seed)
    config = HourglassConfig.narrow(8, joints=14, **changes)
    model = Hourglass(config).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2),
            ):
                nn.init.uniform_(values, low, high)
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.half().float()
    return model, Card("small", config.to_dict(), "lsp", config.multiple, "mse")


def hooks(model: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)
