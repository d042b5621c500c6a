"""HRNet: branches of 1/4, 1/8, 1/16 and 1/32 of the picture's side that exchange their maps, read at the finest.

K. Sun, B. Xiao, D. Liu, J. Wang: Deep High-Resolution Representation Learning for Human Pose Estimation, CVPR 2019, section 3.
Modules have the names that checkpoints of mmpose and of the authors give their weights.
"""

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from posekit.models.outside.simple_baseline import Module, numbered


class Exchange(nn.Module):
    """Residual modules on each branch, then to each output the sum of all branches' maps, brought to its resolution.

    Args:
        widths: channels of the branches, the finest first; each has half the resolution of the one before it.
        blocks: residual modules of each branch.
        outputs: branches that go on.
    """

    def __init__(self, widths: Sequence[int], blocks: int, outputs: int):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(Module(width, width, 1, three=False) for _ in range(blocks))) for width in widths)
        self.fuse_layers = nn.ModuleList(nn.ModuleList(bring(widths, j, i) for j in range(len(widths))) for i in range(outputs))
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(outputs))

    def exchange(self, maps: Sequence[Tensor]) -> list[Tensor]:  # no `forward`: each of its maps is a hook point, a list of them is none
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        sums = [reduce(torch.add, (layer(x) for layer, x in zip(layers.children(), maps, strict=True))) for layers in self.fuse_layers]
        return [relu(x) for relu, x in zip(self.relus, sums, strict=True)]


def bring(widths: Sequence[int], source: int, to: int) -> nn.Module:
    """From one branch's maps to what another adds to its own."""
    if source == to:
        return nn.Identity()
    if source > to:
        conv = nn.Conv2d(widths[source], widths[to], 1, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(widths[to]), nn.Upsample(scale_factor=2 ** (source - to)))
    between = [convolved(widths[source], widths[source], 2) for _ in range(to - source - 1)]
    return nn.Sequential(*between, convolved(widths[source], widths[to], 2)[:2])


def convolved(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class HRNet(nn.Module):
    """Pictures (B, 3, H, W), normalised, to heatmaps (B, K, H/4, W/4); H and W are multiples of 32.

    Args:
        width: channels of the finest branch, 32 or 48; each further branch has twice as many.
        joints: K.
        modules: exchanges in each stage, of two branches, three and four.
        blocks: residual modules of each branch between two exchanges.
        stem: channels of the first two convolutions.
        first: residual modules behind these, of three convolutions each.
        head: side of the last convolution's kernel.
    """

    def __init__(
        self, width: int = 32, joints: int = 17, modules: Sequence[int] = (1, 4, 3), blocks: int = 4, stem: int = 64, first: int = 4,
        head: int = 1,
    ):  # fmt: skip
        super().__init__()
        self.conv1, self.bn1, self.relu1 = nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU()
        self.conv2, self.bn2, self.relu2 = nn.Conv2d(stem, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU()
        self.layer1 = nn.Sequential(*(Module(4 * stem if i else stem, stem, 1, three=True) for i in range(first)))
        self.stages = range(2, 2 + len(modules))
        before = [4 * stem]
        for stage, count in zip(self.stages, modules, strict=True):
            widths = [width * 2**i for i in range(stage)]
            same = [nn.Identity() if a == b else convolved(a, b, 1) for a, b in zip(before, widths, strict=False)]
            self.add_module(f"transition{stage - 1}", nn.ModuleList([*same, nn.Sequential(convolved(before[-1], widths[-1], 2))]))
            outputs = [stage] * (count - 1) + [1 if stage == self.stages[-1] else stage]
            self.add_module(f"stage{stage}", nn.ModuleList(Exchange(widths, blocks, n) for n in outputs))
            before = widths
        self.final_layer = nn.Conv2d(width, joints, head, padding=head // 2)
        # The last exchange adds up what its branches end with. To what passes the lowest resolution the others are skip connections.
        *finer, self.code = (f"stage{stage}.{count - 1}.branches.{i}" for i in range(stage))
        self.skips = {f"1/{4 * 2**i}": (branch,) for i, branch in enumerate(finer)}

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))))
        maps = [self.layer1(x)]
        for stage in self.stages:
            layers = getattr(self, f"transition{stage - 1}")
            maps = [layer(x) for layer, x in zip(layers, [*maps, maps[-1]], strict=True)]
            for module in getattr(self, f"stage{stage}"):
                maps = module.exchange(maps)
        return self.final_layer(maps[0])

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> "HRNet":
        """The network, at random, that weights of these names and shapes are of.

        Raises:
            KeyError: a weight that each has is missing.
        """
        head = state["final_layer.weight"]
        return cls(
            state["transition1.0.0.weight"].shape[0], head.shape[0], [numbered(state, f"stage{stage}") for stage in (2, 3, 4)],
            numbered(state, "stage2.0.branches.0"), state["conv1.weight"].shape[0], numbered(state, "layer1"), head.shape[-1],
        )  # fmt: skip
