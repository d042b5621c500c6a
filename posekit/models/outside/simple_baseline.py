"""SimpleBaseline: a ResNet, transposed convolutions that enlarge its maps, a convolution to heatmaps.

B. Xiao, H. Wu, Y. Wei: Simple Baselines for Human Pose Estimation and Tracking, ECCV 2018, section 2. The ResNet is that of
K. He, X. Zhang, S. Ren, J. Sun: Deep residual learning for image recognition, CVPR 2016, with the stride of a module of three
convolutions in the one of 3 x 3. Modules have the names that checkpoints of mmpose and of the authors give their weights.
"""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor, nn


class Module(nn.Module):
    """A residual module of two 3 x 3 convolutions, or of a 3 x 3 between two of 1 x 1 that end in four times the channels."""

    def __init__(self, inputs: int, width: int, stride: int, three: bool):
        super().__init__()
        outputs = 4 * width if three else width
        kernels, strides = ((1, 3, 1), (1, stride, 1)) if three else ((3, 3), (stride, 1))
        widths = (inputs, width, width, outputs) if three else (inputs, width, outputs)
        self.count = len(kernels)
        for i, (kernel, step) in enumerate(zip(kernels, strides, strict=True), 1):
            self.add_module(f"conv{i}", nn.Conv2d(widths[i - 1], widths[i], kernel, step, kernel // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(widths[i]))
            self.add_module(f"relu{i}", nn.ReLU())
        shorter = stride != 1 or inputs != outputs
        conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.downsample = nn.Sequential(conv, nn.BatchNorm2d(outputs)) if shorter else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = getattr(self, f"relu{i}")(y if i < self.count else y + self.downsample(x))
        return y


class SimpleBaseline(nn.Module):
    """Pictures (B, 3, H, W), normalised, to heatmaps (B, K, H/4, W/4) with three transposed convolutions.

    Args:
        blocks: residual modules of each of the ResNet's four layers: 3, 4, 6, 3 of ResNet-50.
        three: whether a module has three convolutions, as from ResNet-50 on.
        joints: K.
        width: channels of the first layer's modules; the others have 2, 4 and 8 times as many.
        deconvolutions: channels of each transposed convolution.
        head: side of the last convolution's kernel.
    """

    def __init__(
        self, blocks: Sequence[int] = (3, 4, 6, 3), three: bool = True, joints: int = 17, width: int = 64,
        deconvolutions: Sequence[int] = (256, 256, 256), head: int = 1,
    ):  # fmt: skip
        super().__init__()
        self.conv1, self.bn1, self.relu = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = width
        for i, count in enumerate(blocks):
            modules = []
            for j in range(count):
                modules.append(Module(channels, width * 2**i, 2 if i and not j else 1, three))
                channels = width * 2**i * (4 if three else 1)
            self.add_module(f"layer{i + 1}", nn.Sequential(*modules))
        self.layers = len(blocks)
        self.code, self.skips = f"layer{len(blocks)}", dict[str, tuple[str, ...]]()
        enlarging: list[nn.Module] = []
        for outputs in deconvolutions:
            enlarging += [nn.ConvTranspose2d(channels, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            channels = outputs
        self.deconv_layers = nn.Sequential(*enlarging)
        self.final_layer = nn.Conv2d(channels, joints, head, padding=head // 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for i in range(1, self.layers + 1):
            x = getattr(self, f"layer{i}")(x)
        return self.final_layer(self.deconv_layers(x))

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> "SimpleBaseline":
        """The network, at random, that weights of these names and shapes are of.

        Raises:
            KeyError: a weight that each has is missing.
            ValueError: transposed convolutions of another kernel than 4 x 4.
        """
        blocks = [numbered(state, f"layer{i}") for i in (1, 2, 3, 4)]
        enlarging = sorted(
            int(m[1]) for name, value in state.items() if value.ndim == 4 and (m := re.match(r"deconv_layers\.(\d+)\.weight", name))
        )
        kernels = {tuple(state[f"deconv_layers.{i}.weight"].shape[2:]) for i in enlarging}
        if kernels - {(4, 4)}:
            raise ValueError(f"transposed convolutions of {kernels}; 4 x 4 is read")
        head = state["final_layer.weight"]
        return cls(
            blocks, "layer1.0.conv3.weight" in state, head.shape[0], state["conv1.weight"].shape[0],
            [state[f"deconv_layers.{i}.weight"].shape[1] for i in enlarging], head.shape[-1],
        )  # fmt: skip


def numbered(state: Mapping[str, Tensor], before: str) -> int:
    """How many numbered modules have weights under a name: `layer1.0`, `layer1.1`, ...

    Raises:
        KeyError: there is none.
    """
    found = {m[1] for name in state if (m := re.match(rf"{re.escape(before)}\.(\d+)\.", name))}
    if not found:
        raise KeyError(f"{before}.0")
    return len(found)
