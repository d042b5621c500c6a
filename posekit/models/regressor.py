"""The convolutional regressor inside DeepPose and error feedback, in the place of the papers' AlexNet and GoogLeNet."""

from torch import nn

from posekit.models.hourglass import Residual

GRID = 4  # a side of the last maps, whose cells the fully connected layers tell apart


def regressor(inputs: int, outputs: int, features: int) -> nn.Sequential:
    """Pictures (B, inputs, S, S), S of 16 pixels or more, to numbers (B, outputs)."""
    f = features
    return nn.Sequential(
        nn.Conv2d(inputs, f, 5, stride=2, padding=2), nn.BatchNorm2d(f), nn.ReLU(), nn.MaxPool2d(2),
        Residual(f, 2 * f), nn.MaxPool2d(2),
        Residual(2 * f, 4 * f), Residual(4 * f, 4 * f), nn.BatchNorm2d(4 * f), nn.ReLU(),
        nn.AdaptiveAvgPool2d(GRID), nn.Flatten(),
        nn.Linear(4 * f * GRID**2, 8 * f), nn.ReLU(), nn.Linear(8 * f, outputs),
    )  # fmt: skip
