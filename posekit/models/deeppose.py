"""DeepPose: joints regressed from the whole view, then corrected on a sub-image around each.

A. Toshev, C. Szegedy: DeepPose: Human Pose Estimation via Deep Neural Networks, CVPR 2014.
Section 3.1: keypoints are numbers, relative to a box and in units of its size. Section 3.2: each later stage sees, around every
joint of the stage before, a sub-image, and answers with the joint's displacement in it; it is trained on simulated answers of
the stage before, true joints displaced as that stage displaces them.

Otherwise than there: the stages are trained together; the displacements are not drawn from a normal distribution but are the
very ones that the stage before makes on the next person of the batch; a sub-image is a share of the view, since a view is already
cut to the person, and is cut from the view, so that a later stage gains focus but no resolution.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posekit.models.regressor import regressor


@dataclass(frozen=True)
class DeepPoseConfig:
    joints: int = 14
    stages: int = 3  # one on the whole view, the others on sub-images
    features: int = 32  # channels of the first stage's first maps; the later stages have half
    window: float = 0.5  # side of a sub-image, as a share of the view's: about two torsos, the paper's sigma for LSP (section 4)
    pixels: int = 32  # side of a sub-image as a stage sees it

    to_dict = asdict

    @classmethod
    def from_dict(cls, fields: dict) -> "DeepPoseConfig":
        return cls(**fields)


class DeepPose(nn.Module):
    """Pictures (B, 3, S, S), values in [0, 1], to keypoints (B, stages, K, 2) in their pixels."""

    def __init__(self, config: DeepPoseConfig = DeepPoseConfig()):
        super().__init__()
        self.config = config
        self.whole = regressor(3, 2 * config.joints, config.features)
        self.stages = nn.ModuleList(regressor(3, 2 * config.joints, config.features // 2) for _ in range(config.stages - 1))

    def forward(self, pictures: Tensor, truth: Tensor | None = None) -> Tensor:
        """With the true keypoints (B, K, >=2), each later stage begins at simulated answers of the one before."""
        side = pictures.shape[-1]
        middle = (side - 1) / 2
        poses = [self.whole(pictures).float().unflatten(-1, (-1, 2))]  # (B, K, 2) from the middle, in units of the side
        for stage in self.stages:
            start = poses[-1].detach()
            if truth is not None:
                start = simulated(start, (truth[..., :2] - middle) / side)
            steps = stage(self._windows(pictures, start)).float().unflatten(0, start.shape[:2]).unflatten(-1, (-1, 2))
            own = steps.diagonal(dim1=1, dim2=2).mT  # (B, K, 2): of all joints' displacements, that of the joint in the middle
            poses.append(start + self.config.window * own)
        return middle + side * torch.stack(poses, 1)

    def _windows(self, pictures: Tensor, centres: Tensor) -> Tensor:
        """Sub-images (B * K, 3, P, P) around centres (B, K, 2), which count from the middle in units of the side."""
        p = self.config.pixels
        step = ((torch.arange(p, device=pictures.device) + 0.5) / p - 0.5) * self.config.window
        grid = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1)
        grid = 2 * (centres[:, :, None, None] + grid)  # (B, K, P, P, 2), from -1 at one outer edge to 1 at the other
        cut = F.grid_sample(pictures.float(), grid.flatten(1, 2), padding_mode="zeros", align_corners=False)
        return cut.unflatten(2, (-1, p)).transpose(1, 2).flatten(0, 1)


def simulated(answer: Tensor, truth: Tensor) -> Tensor:
    """True keypoints displaced as the answer displaces those of the next person in the batch; all (B, K, 2).

    Where either joint is not labelled (NaN), the answer itself. No chance is drawn, so that resumed training is the same.
    """
    displaced = truth + (answer - truth).roll(-1, 0)
    return torch.where(displaced.isfinite(), displaced, answer)
