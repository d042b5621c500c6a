"""What a bottleneck code can be made to pass through: a few dimensions, by an autoencoder or linearly."""

from itertools import pairwise

import torch
from torch import Tensor, nn


class Noise(nn.Module):
    """In training, x (1 + a e) with e normal: noise in proportion to each activation. In `eval()`, x."""

    def __init__(self, amount: float):
        super().__init__()
        self.amount = amount

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.amount * torch.randn_like(x)) if self.training else x


class Autoencoder(nn.Module):
    """The study's autoencoder: a code (B, F, S, S) to `dimensions` numbers and back.

    Three convolutions to 3/4, 1/2 and 1/4 of the channels (256 to 192, 128 and 64), a linear layer, and the same in reverse. The
    study does not give kernels and activations: here 3 x 3, and ReLUs between the layers. Its noise is `Noise`, before it.
    Weights begin as He et al. (2015) have it: with torch's smaller ones nothing comes through so many layers, and by the study's
    SGD it learned the mean code and no more.
    """

    def __init__(self, features: int, side: int, dimensions: int):
        super().__init__()
        widths = [features, features * 3 // 4, features // 2, features // 4]
        cells = widths[-1] * side * side
        down: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            down += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        up: list[nn.Module] = [nn.Linear(dimensions, cells), nn.ReLU(), nn.Unflatten(1, (widths[-1], side, side))]
        for inputs, outputs in pairwise(reversed(widths)):
            up += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(cells, dimensions))
        self.decoder = nn.Sequential(*up[:-1])  # the code takes both signs
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.constant_(layer.get_parameter("bias"), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class Linear(nn.Module):
    """A code (B, F, S, S), flattened as (F, S, S), to `dimensions` numbers and back, each way by a matrix.

    Started by `start` from directions, it is the projection onto them through the mean: with principal components, what PCA
    keeps; with all of them, the identity.
    """

    def __init__(self, features: int, side: int, dimensions: int):
        super().__init__()
        width = features * side * side
        self.into, self.out = nn.Linear(width, dimensions), nn.Linear(dimensions, width)

    @torch.no_grad()
    def start(self, directions: Tensor, mean: Tensor) -> None:
        """Begin as the projection onto orthonormal directions (dimensions, F S S) through the mean (F S S,)."""
        self.into.weight.copy_(directions)
        self.into.bias.copy_(-directions @ mean)
        self.out.weight.copy_(directions.T)
        self.out.bias.copy_(mean)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.into(x.flatten(1))).view_as(x)
