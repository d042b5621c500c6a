"""Checkpoints at random in the layouts of other trainers, and what their weights compute, by torch's functions alone."""

import torch
from torch import Tensor
from torch.nn import functional as F

MEAN, STD = (torch.tensor(three).view(3, 1, 1) for three in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))

LAYOUTS = {  # how a checkpoint wraps and names the weights; mmpose's names are given
    "mmpose 1": lambda state: {"meta": {}, "state_dict": dict(state)},
    "mmpose 0": lambda state: {"state_dict": {name.replace("head.", "keypoint_head."): value for name, value in state.items()}},
    "the authors'": lambda state: {name.partition(".")[2]: value for name, value in state.items()},
    "data parallel": lambda state: {f"module.{name}": value for name, value in state.items()},
}


class Checkpoint(dict[str, Tensor]):
    """Weights by name."""

    def __init__(self, seed: int = 1):
        super().__init__()
        self.draw = torch.Generator().manual_seed(seed)

    def conv(self, name: str, *shape: int) -> None:
        self[f"{name}.weight"] = torch.randn(*shape, generator=self.draw) / shape[1] ** 0.5

    def norm(self, name: str, channels: int) -> None:
        self[f"{name}.weight"], self[f"{name}.bias"] = torch.rand(2, channels, generator=self.draw)
        self[f"{name}.running_mean"], self[f"{name}.running_var"] = torch.rand(2, channels, generator=self.draw)
        self[f"{name}.num_batches_tracked"] = torch.tensor(1)

    def normed(self, name: str, x: Tensor) -> Tensor:
        return F.batch_norm(x, *(self[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")))

    def residual(self, name: str, inputs: int, inner: int, three: bool) -> None:
        """Two 3 x 3 convolutions, or a 3 x 3 between two of 1 x 1 that end in four times the channels."""
        two = [(inner, inputs, 3, 3), (inner, inner, 3, 3)]
        for k, shape in enumerate([(inner, inputs, 1, 1), two[1], (4 * inner, inner, 1, 1)] if three else two, 1):
            self.conv(f"{name}.conv{k}", *shape)
            self.norm(f"{name}.bn{k}", shape[0])

    def residually(self, name: str, x: Tensor, three: bool = False, step: int = 1) -> Tensor:
        last, strided = (3, 2) if three else (2, 1)
        y = x
        for k in range(1, last + 1):
            weight = self[f"{name}.conv{k}.weight"]
            y = self.normed(f"{name}.bn{k}", F.conv2d(y, weight, None, step if k == strided else 1, weight.shape[-1] // 2))
            y = F.relu(y) if k < last else y
        if f"{name}.downsample.0.weight" in self:
            x = self.normed(f"{name}.downsample.1", F.conv2d(x, self[f"{name}.downsample.0.weight"], None, step))
        return F.relu(x + y)
