"""TransPose: a small convolutional network, then a transformer over the cells of its maps.

S. Yang, Z. Quan, M. Nie, W. Yang: TransPose: Keypoint Localization via Transformer, ICCV 2021.
Section 3.1: the first layers of a convolutional network turn the picture into maps whose cells are the tokens; an encoder with
two-dimensional sine positions; a convolution from the tokens to heatmaps. Section 3.3: what a joint depends on is read off the
last layer's attention at the cell where it is predicted.

Otherwise than there: the convolutional network is the hourglass's stem, so that tokens are heatmap cells, and training is by the
loss of the recipe, as for the hourglass.
"""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from posekit.errors import PosekitError
from posekit.models.hourglass import HourglassConfig, Stem


@dataclass(frozen=True)
class TransPoseConfig:
    joints: int = 14
    features: int = 64  # numbers a token; a multiple of 4 and of the heads
    layers: int = 3  # of the encoder
    heads: int = 4  # of the attention
    hidden: int = 128  # width of the network behind each attention

    to_dict = asdict

    @classmethod
    def from_dict(cls, fields: dict) -> "TransPoseConfig":
        return cls(**fields)


class Layer(nn.Module):
    """Self-attention and a network for each token; positions go into queries and keys alone. Tokens (B, T, F) stay (B, T, F)."""

    def __init__(self, config: TransPoseConfig):
        super().__init__()
        f, self.heads = config.features, config.heads
        self.queries, self.keys, self.values, self.out = (nn.Linear(f, f) for _ in range(4))
        self.softmax = nn.Softmax(-1)
        self.forth, self.relu, self.back = nn.Linear(f, config.hidden), nn.ReLU(), nn.Linear(config.hidden, f)
        self.norm1, self.norm2 = nn.LayerNorm(f), nn.LayerNorm(f)

    def forward(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens, and the attention (B, heads, T, T) that each row pays to the columns."""
        placed = x + positions
        q, k, v = (
            layer(y).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, y in ((self.queries, placed), (self.keys, placed), (self.values, x))
        )  # (B, heads, T, F / heads)
        weights = self.softmax(q @ k.mT / math.sqrt(q.shape[-1]))
        x = self.norm1(x + self.out((weights @ v).transpose(1, 2).flatten(2)))
        return self.norm2(x + self.back(self.relu(self.forth(x)))), weights


class TransPose(nn.Module):
    """Pictures (B, 3, S, S), values in [0, 1], to heatmaps (B, 1, K, S/4, S/4)."""

    def __init__(self, config: TransPoseConfig = TransPoseConfig()):
        super().__init__()
        self.config = config
        self.stem = Stem(HourglassConfig.narrow(config.features))
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.heatmaps = nn.Conv2d(config.features, config.joints, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.heatmaps(self.encode(pictures)[0])[:, None]

    def dependencies(self, pictures: Tensor, cells: Tensor) -> Tensor:
        """What each joint's prediction reads from, (B, K, H, W); see `dependencies`."""
        return dependencies(self, pictures, cells)

    def encode(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The last maps (B, F, H, W), and each layer's attention (B, heads, T, T) between the T = H * W cells, row by row."""
        maps = self.stem(pictures)
        height, width = maps.shape[-2:]
        positions = sine_positions(height, width, self.config.features).to(maps)
        x, attentions = maps.flatten(2).mT, []
        for layer in self.layers:
            x, weights = layer(x, positions)
            attentions.append(weights)
        return x.mT.unflatten(-1, (height, width)), attentions


def sine_positions(height: int, width: int, features: int) -> Tensor:
    """Codes (height * width, features) of cells, row by row: sines and cosines of y in one half, of x in the other.

    Wavelengths rise from one side to 10,000 sides.
    """
    quarter = features // 4
    waves = 2 * math.pi / 10_000 ** (torch.arange(quarter) / quarter)

    def code(cells: int) -> Tensor:
        phase = ((torch.arange(cells) + 1) / cells)[:, None] * waves
        return torch.cat([phase.sin(), phase.cos()], -1)

    y, x = code(height), code(width)
    return torch.cat([y[:, None].expand(-1, width, -1), x[None].expand(height, -1, -1)], -1).flatten(0, 1)


@torch.no_grad()
def attention(model: nn.Module, pictures: Tensor) -> Tensor:
    """Attention (B, layers, T, T) between the T heatmap cells, row by row, mean over heads; each row sums to 1.

    Row i is what cell i reads from. Pictures (B, 3, S, S) in [0, 1] on the model's device.

    Raises:
        PosekitError: the network has no attention.
    """
    if not isinstance(model, TransPose):
        raise PosekitError(f"a {type(model).__name__} has no attention to show; give a network of the architecture transpose")
    return torch.stack([weights.float().mean(1) for weights in model.encode(pictures)[1]], 1)


def dependencies(model: nn.Module, pictures: Tensor, cells: Tensor) -> Tensor:
    """What each joint's prediction reads from, (B, K, H, W): the last layer's attention at its cell (B, K, 2), whole x and y."""
    weights = attention(model, pictures)[:, -1]
    width = pictures.shape[-1] // 4
    rows = (cells[..., 1] * width + cells[..., 0]).long().clamp(0, weights.shape[1] - 1)
    found = weights.gather(1, rows[..., None].expand(-1, -1, weights.shape[-1]))
    return found.unflatten(-1, (-1, width))
