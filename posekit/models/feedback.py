"""Iterative error feedback: from the mean pose, a bounded correction at a time.

J. Carreira, P. Agrawal, K. Fragkiadaki, J. Malik: Human Pose Estimation with Iterative Error Feedback, CVPR 2016.
Section 2: the network sees the picture and, as a map of Gaussians a joint, the current keypoints; it answers with a correction of
each, and the same network is asked again. A correction is never longer than a bound, and in training the steps follow a fixed
path from the first pose straight to the truth, not the network's own answers (*fixed path consolidation*).

Otherwise than there: the steps of the path are trained together and not one after the other, and a joint without a label follows
the network's own answers. The loss compares each step's answer with the truth, which a bounded step comes nearest to by the
correction that the paper asks for.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from posekit.heatmaps import encode
from posekit.models.regressor import regressor


@dataclass(frozen=True)
class FeedbackConfig:
    joints: int
    start: tuple[tuple[float, float], ...]  # the first pose, x and y of each joint from the view's middle in units of its side
    steps: int = 4  # as in the paper
    bound: float = 20 / 224  # the longest correction of a joint, in units of the side; the paper's 20 pixels of 224
    features: int = 32  # channels of the first maps
    sigma: float = 0.03  # of the Gaussians that show the current pose, in units of the side

    to_dict = asdict

    @classmethod
    def from_dict(cls, fields: dict) -> "FeedbackConfig":
        return cls(**{**fields, "start": tuple((x, y) for x, y in fields["start"])})


def mean_pose(keypoints: np.ndarray, side: int) -> tuple[tuple[float, float], ...]:
    """The median place of each joint of keypoints (N, K, 3) in a view of `side` pixels, for `FeedbackConfig.start`."""
    middle = np.nanmedian((keypoints[..., :2] - (side - 1) / 2) / side, axis=0)
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in np.nan_to_num(middle))


class Feedback(nn.Module):
    """Pictures (B, 3, S, S), values in [0, 1], to keypoints (B, steps, K, 2) in their pixels."""

    def __init__(self, config: FeedbackConfig):
        super().__init__()
        self.config = config
        self.network = regressor(3 + config.joints, 2 * config.joints, config.features)

    def forward(self, pictures: Tensor, truth: Tensor | None = None) -> Tensor:
        """With the true keypoints (B, K, >=2), each step begins on the fixed path towards them."""
        side, bound = pictures.shape[-1], self.config.bound
        middle = (side - 1) / 2
        pose = torch.tensor(self.config.start, device=pictures.device).expand(len(pictures), -1, -1)
        poses = []
        for _ in range(self.config.steps):
            shown = encode(middle + side * pose, side, self.config.sigma * side)
            step = self.network(torch.cat([pictures, shown], 1)).float().unflatten(-1, (-1, 2))
            poses.append(pose + bounded(step, bound))
            after = poses[-1].detach()
            if truth is not None:
                path = pose + bounded((truth[..., :2] - middle) / side - pose, bound)
                after = torch.where(path.isfinite(), path, after)
            pose = after
        return middle + side * torch.stack(poses, 1)


def bounded(step: Tensor, bound: float) -> Tensor:
    """Steps (..., 2) shortened to `bound` where they are longer."""
    length = torch.linalg.vector_norm(step, dim=-1, keepdim=True)
    return step * (bound / length.clamp_min(bound))
