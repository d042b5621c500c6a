"""Outside networks, tiny: a SimpleBaseline-like one, a transformer, a regression, and one whose answers are known in closed form."""

import numpy as np
import pytest
import torch
from torch import nn

import posekit
from posekit import adapt
from posekit.data.people import People
from posekit.engine.inference.prediction import Predictor
from posekit.skeleton import COCO

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
QUIET = {"report": None, "backend": posekit.Backend.plain()}
SIDE, MOVED = 160, 16.0  # of the planted picture, and how far a joint lies from the red spot, in its pixels


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


class Baseline(nn.Module):
    """A residual network of sorts, one enlargement, a head: stride 8."""

    def __init__(self, joints: int = 17, features: int = 4):
        super().__init__()
        self.conv1, self.layer1 = Block(3, features), Block(features, features)
        self.layer2, self.layer3 = Block(features, features), Block(features, 2 * features)
        self.shortcut = nn.Conv2d(features, features, 1)
        self.deconv = nn.Sequential(nn.ConvTranspose2d(2 * features, features, 4, 2, 1), nn.BatchNorm2d(features), nn.ReLU(inplace=True))
        self.final = nn.Conv2d(features, joints, 1)

    def forward(self, x):
        x = self.layer2(self.layer1(self.conv1(x)))
        return self.final(self.deconv(self.layer3(x)) + self.shortcut(x))


class Planted(nn.Module):
    """The nose is at the red spot, every other joint `MOVED` pixels to its right where its index is odd: known in closed form."""

    def __init__(self, cells: int = 2):
        super().__init__()
        self.red, self.pool, self.relu = nn.Conv2d(3, 1, 1, bias=False), nn.AvgPool2d(8), nn.ReLU()
        self.cells = cells
        with torch.no_grad():
            self.red.weight.copy_(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1))

    def forward(self, pictures):
        maps = self.relu(self.pool(self.red(pictures)))
        return torch.cat([maps.roll(self.cells, -1) if k % 2 else maps for k in range(17)], 1)


class Regression(nn.Module):
    """Coordinates: the middle of the red, as shares of width and height; odd joints a tenth of the width to its right."""

    def __init__(self):
        super().__init__()
        self.red, self.pool, self.shift = nn.Conv2d(3, 1, 1, bias=False), nn.AvgPool2d(4), nn.Linear(2, 2)
        with torch.no_grad():
            self.red.weight.copy_(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1))
            self.shift.weight.copy_(torch.eye(2))
            self.shift.bias.zero_()

    def forward(self, pictures):
        red = self.pool(self.red(pictures))[:, 0] + 1e-6
        red = red / red.sum((-2, -1), keepdim=True)
        across, down = ((torch.arange(n, device=red.device) + 0.5) / n for n in (red.shape[-1], red.shape[-2]))
        middle = self.shift(torch.stack([(red.sum(-2) * across).sum(-1), (red.sum(-1) * down).sum(-1)], -1))
        return torch.stack([middle + middle.new_tensor([0.1 * (k % 2), 0]) for k in range(17)], 1)


def baseline() -> Predictor:
    torch.manual_seed(0)
    return adapt(Baseline(), "coco", (64, 48), code="layer3", skips=["shortcut"], name="baseline", **IMAGENET, **QUIET)


def planted() -> Predictor:
    return adapt(Planted(), "coco", 128, code="pool", skips=["red"], name="planted", **QUIET)


def regression() -> Predictor:
    return adapt(Regression(), "coco", 128, values="shares", code="shift", name="regression", **QUIET)


def vit() -> Predictor:
    transformers = pytest.importorskip("transformers", reason="ViTPose is of the library transformers")
    torch.manual_seed(0)
    backbone = transformers.VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=8, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2
    )
    config = transformers.VitPoseConfig(backbone_config=backbone, use_simple_decoder=True, initializer_range=0.5, num_labels=17)
    return posekit.adapters.vitpose(transformers.VitPoseForPoseEstimation(config), **QUIET)


NETWORKS = {"baseline": baseline, "vit": vit, "regression": regression, "planted": planted}


def spot_at(x: float, y: float, spread: float = 9.0, side: int = SIDE) -> np.ndarray:
    grid = np.mgrid[:side, :side]
    red = np.exp(-((grid[1] - x) ** 2 + (grid[0] - y) ** 2) / (2 * spread**2))
    return np.stack([255 * red, 40 + 0 * red, 0 * red], -1).round().astype(np.uint8)


class Pictures:
    """The picture of a name that says where its spot is."""

    def __call__(self, name: str) -> np.ndarray:
        return spot_at(*map(float, name.split()))


def people(count: int, moved: float) -> People:
    """Planted people: everybody's even joints are at the spot, the odd ones `moved` pixels to the right, but for shoulders and hips.

    These are annotated round about, so that there is a torso to measure by; the network misses them.
    """
    draw = np.random.default_rng(0)
    spots = draw.uniform(55, 95, (count, 2)).round(1)
    keypoints = np.concatenate([np.repeat(spots[:, None], 17, 1), np.full((count, 17, 1), 2.0)], -1)
    keypoints[:, 1::2, 0] += moved
    left, right = COCO.index("left shoulder", "left hip"), COCO.index("right shoulder", "right hip")
    keypoints[:, left, :2] = spots[:, None] + [[20, -20], [20, 20]]
    keypoints[:, right, :2] = spots[:, None] + [[-20, -20], [-20, 20]]
    return People(
        COCO, np.array([f"{x} {y}" for x, y in spots]), np.tile([15.5, 15.5, 128.0, 128.0], (count, 1)), keypoints,
        np.arange(count), np.full(count, "test"), Pictures(), f"planted{moved:g}", areas=np.full(count, 1600.0),
    )  # fmt: skip
