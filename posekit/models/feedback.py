"""Iterative error feedback: from the mean pose, a bounded correction at a time.

J. Carreira, P. Agrawal, K. Fragkiadaki, J. Malik: Human Pose Estimation with Iterative Error Feedback, CVPR 2016.
Section 2: the network sees the picture and, as a map of Gaussians a joint, the current keypoints; it answers with a correction of
each, and goes through the same network again. A correction is never longer than a bound, and the loss compares each with the bounded
correction that leads to the truth.

Otherwise than there: all steps are trained together, and begin at the network's own answers. The paper lets them follow a fixed path
straight to the truth (*fixed path consolidation*, here `fixed_path`). But such a path, drawn into the input, betrays where the truth
lies: what is learnt from that is to go on as one came, and errors of the first step grow.
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
    fixed_path: bool = False  # in training, steps begin on the path to the truth, as in the paper, and not at the network's own answers

    to_dict = asdict

    @classmethod
    def from_dict(cls, fields: dict) -> "FeedbackConfig":
        return cls(**{**fields, "start": tuple((x, y) for x, y in fields["start"])})


def mean_pose(keypoints: np.ndarray, side: int) -> tuple[tuple[float, float], ...]:
    """The median position of each joint of keypoints (N, K, 3) in a view of `side` pixels, for `FeedbackConfig.start`."""
    middle = np.nanmedian((keypoints[..., :2] - (side - 1) / 2) / side, axis=0)
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in np.nan_to_num(middle))


class Feedback(nn.Module):
    """Pictures (B, 3, S, S), values in [0, 1], to keypoints (B, steps, K, 2) in their pixels."""

    def __init__(self, config: FeedbackConfig):
        super().__init__()
        self.config = config
        self.network = regressor(3 + config.joints, 2 * config.joints, config.features)

    def forward(self, pictures: Tensor, truth: Tensor | None = None) -> Tensor:
        """With the true keypoints (B, K, >=2), answers for training: see below."""
        side, bound = pictures.shape[-1], self.config.bound
        middle = (side - 1) / 2
        pose = torch.tensor(self.config.start, device=pictures.device).expand(len(pictures), -1, -1)
        poses = []
        for _ in range(self.config.steps):
            # Both as a fast machine's pictures lie: of two layouts `cat` makes the slow one.
            shown = encode(middle + side * pose, side, self.config.sigma * side).contiguous(memory_format=torch.channels_last)
            step = bound * self.network(torch.cat([pictures, shown], 1)).float().unflatten(-1, (-1, 2))
            after = pose + bounded(step, bound)
            if truth is None:
                poses.append(after)
            else:
                # The bound would stop the gradient. So the step is free, and what the bound keeps it from is given to it: the loss,
                # which compares with the truth, compares the step with the bounded correction.
                way = (truth[..., :2] - middle) / side - pose
                wanted = bounded(way, bound)
                poses.append(pose + step + (way - wanted).nan_to_num())
                after = torch.where(wanted.isfinite(), pose + wanted, after) if self.config.fixed_path else after
            pose = after.detach()
        return middle + side * torch.stack(poses, 1)


def bounded(step: Tensor, bound: float) -> Tensor:
    """Steps (..., 2) shortened to `bound` where they are longer."""
    length = torch.linalg.vector_norm(step, dim=-1, keepdim=True)
    return step * (bound / length.clamp_min(bound))
