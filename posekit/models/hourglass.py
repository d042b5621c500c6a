"""The Stacked Hourglass network.

A. Newell, K. Yang, J. Deng: Stacked Hourglass Networks for Human Pose Estimation, ECCV 2016.
Section 3.1 describes the hourglass, 3.2 the residual module and the stem, 3.3 stacking and intermediate supervision.
Layers are pre-activation (batch normalisation, ReLU, convolution), as in the authors' code.

Every child has the name that tracing uses (`stem`, `stack0.encoder1`, `stack0.sum1`, ...); an `nn.Identity` marks a
hook point that no layer owns. Level 1 is the finest.
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posekit.errors import PosekitError, whole
from posekit.models.squeeze import Autoencoder, Linear, Noise

COUNTS = ("joints", "stacks", "features", "depth", "residuals", "bottleneck_residuals", "shortcut_kernel", "dimensions", "code_side")


class Refused(PosekitError, ValueError):
    """A field makes no sense. A ValueError too, by which reading a weights file knows that the card is at fault."""


@dataclass(frozen=True)
class HourglassConfig:
    """What an hourglass is made of. The defaults are Newell's, with one stack.

    Attributes:
        joints: of the skeleton, a heatmap each.
        stacks: hourglasses in a row.
        features: channels of an hourglass.
        depth: levels of pooling in an hourglass.
        residuals: residual modules in a row on each branch of each level.
        bottleneck_residuals: residual modules at the lowest resolution; the study has 3.
        stem: channels after the stem's convolution and first two residuals.
        shortcut_kernel: of the convolution on a shortcut that changes the channel count; the study has 3.
        skips: the levels that have a skip connection: all, none (False), or these.
        normalised_heatmaps: batch normalisation behind the last layer, as in the study.
        basic: residual modules of two 3 x 3 convolutions, not of Newell's one between two of 1 x 1.
        early_pool: the stem pools before its first residual module, not after it.
        code_noise: in training the last stack's code is multiplied by 1 + this times normal noise.
        squeeze: what the last stack's code passes through then: "autoencoder" (the study's) or "linear".
        dimensions: of the squeezed code.
        code_side: cells along the code's side, which a squeeze must know: resolution / multiple.

    >>> HourglassConfig.narrow(64, joints=14, stacks=2).stem
    (16, 32, 32)
    >>> HourglassConfig.study().bottleneck_residuals
    3
    >>> HourglassConfig(skips=(1, 2)).skip_levels
    (1, 2)
    """

    joints: int = 16
    stacks: int = 1
    features: int = 256
    depth: int = 4
    residuals: int = 1
    bottleneck_residuals: int = 1
    stem: tuple[int, int, int] = (64, 128, 128)
    shortcut_kernel: int = 1
    skips: bool | tuple[int, ...] = True
    normalised_heatmaps: bool = False
    basic: bool = False
    early_pool: bool = False
    code_noise: float = 0.0
    squeeze: str | None = None
    dimensions: int = 50
    code_side: int = 0

    def __post_init__(self):
        for name in ("stem", "skips"):
            if isinstance(value := getattr(self, name), list):  # as JSON has them; a list has no hash and is not equal to a tuple
                object.__setattr__(self, name, tuple(value))
        for name in COUNTS:
            try:
                object.__setattr__(self, name, whole(name, getattr(self, name), 0 if name == "code_side" else 1))
            except PosekitError as error:
                raise Refused(str(error)) from None
        if self.shortcut_kernel % 2 == 0:
            raise Refused(f"shortcut_kernel is {self.shortcut_kernel}; it must be odd, so that maps keep their size")
        if not isinstance(self.stem, tuple) or len(self.stem) != 3 or not all(map(_counts, self.stem)):
            raise Refused(f"stem is {self.stem!r}; it must be three whole numbers from 1, as (64, 128, 128)")
        every = range(1, self.depth + 1)
        if not isinstance(self.skips, bool) and not (isinstance(self.skips, tuple) and all(level in every for level in self.skips)):
            raise Refused(f"skips is {self.skips!r}; it must be True, False or levels from 1 to the depth, {self.depth}, as (1,)")
        if self.squeeze and self.code_side < 1:
            raise Refused(f"squeeze {self.squeeze!r} needs code_side, the cells along the code's side: resolution / multiple")

    @property
    def multiple(self) -> int:
        """What the input's side is a multiple of: the picture's pixels along the side of a code's cell."""
        return 4 * 2**self.depth

    @property
    def skip_levels(self) -> tuple[int, ...]:
        """The levels with a skip connection, the finest, 1, first."""
        every = tuple(range(1, self.depth + 1))
        return every if self.skips is True else tuple(level for level in every if self.skips and level in self.skips)

    @classmethod
    def study(cls, **changes) -> "HourglassConfig":
        """The variant of the study that the book re-does."""
        return cls(**{"bottleneck_residuals": 3, "shortcut_kernel": 3, "normalised_heatmaps": True, **changes})

    @classmethod
    def narrow(cls, features: int, **changes) -> "HourglassConfig":
        """`features` channels with a stem scaled alike."""
        features = whole("features", features, 1)
        quarter, half = max(features // 4, 1), max(features // 2, 1)
        return cls(**{"features": features, "stem": (quarter, half, half), **changes})

    to_dict = asdict

    @classmethod
    def from_dict(cls, fields: dict) -> "HourglassConfig":
        # Every version writes "stem": without, they are of something else. An option that no network used any more is left out.
        return cls(**{name: value for name, value in fields.items() if (name, value) != ("eighth", False)} | {"stem": fields["stem"]})


def _counts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def upsample(x: Tensor) -> Tensor:
    """Nearest-neighbour up-sampling by two: (B, C, H, W) to (B, C, 2H, 2W).

    Compiled it is written with `expand`, since `F.interpolate(mode="nearest")`, compiled for the CPU in bfloat16,
    back-propagates zeros (torch 2.13). Eager it is not: the copies would lose the channels-last layout, and with it a
    quarter of a training step.
    """
    if torch.compiler.is_compiling():
        b, c, h, w = x.shape
        return x[:, :, :, None, :, None].expand(b, c, h, 2, w, 2).reshape(b, c, 2 * h, 2 * w)
    return F.interpolate(x, scale_factor=2, mode="nearest")


class Residual(nn.Module):
    """Bottleneck residual module: 1 x 1 to half the channels, 3 x 3, 1 x 1 (Newell et al., figure 4, left)."""

    def __init__(self, inputs: int, outputs: int, shortcut_kernel: int = 1):
        super().__init__()
        middle = max(outputs // 2, 1)
        self.bn1, self.relu1, self.conv1 = nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, middle, 1)
        self.bn2, self.relu2, self.conv2 = nn.BatchNorm2d(middle), nn.ReLU(), nn.Conv2d(middle, middle, 3, padding=1)
        self.bn3, self.relu3, self.conv3 = nn.BatchNorm2d(middle), nn.ReLU(), nn.Conv2d(middle, outputs, 1)
        self.shortcut = shortcut(inputs, outputs, shortcut_kernel)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.relu1(self.bn1(x)))
        y = self.conv2(self.relu2(self.bn2(y)))
        y = self.conv3(self.relu3(self.bn3(y)))
        return self.shortcut(x) + y


class Basic(nn.Module):
    """Residual module of two 3 x 3 convolutions, half the channels between them: it sees twice as far as Newell's.

    He et al., "Deep residual learning for image recognition", CVPR 2016, figure 5, left, with the layers in Newell's order.
    """

    def __init__(self, inputs: int, outputs: int, shortcut_kernel: int = 1):
        super().__init__()
        middle = max(outputs // 2, 1)
        self.bn1, self.relu1, self.conv1 = nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, middle, 3, padding=1)
        self.bn2, self.relu2, self.conv2 = nn.BatchNorm2d(middle), nn.ReLU(), nn.Conv2d(middle, outputs, 3, padding=1)
        self.shortcut = shortcut(inputs, outputs, shortcut_kernel)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.relu1(self.bn1(x)))
        return self.shortcut(x) + self.conv2(self.relu2(self.bn2(y)))


def shortcut(inputs: int, outputs: int, kernel: int) -> nn.Module:
    """What passes a residual module by. No layer where the channel count stays: unused, it would hold parameters without a gradient."""
    return nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


class Stem(nn.Module):
    """Picture (B, 3, S, S) to features (B, F, S/4, S/4)."""

    def __init__(self, config: HourglassConfig):
        super().__init__()
        a, b, c = config.stem
        k = config.shortcut_kernel
        self.conv, self.bn, self.relu = nn.Conv2d(3, a, 7, 2, 3), nn.BatchNorm2d(a), nn.ReLU()
        residual = Basic if config.basic else Residual
        self.residual1, self.pool = residual(a, b, k), nn.MaxPool2d(2)
        self.residual2, self.residual3 = residual(b, c, k), residual(c, config.features, k)
        self.early_pool = config.early_pool

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn(self.conv(x)))
        x = self.residual1(self.pool(x)) if self.early_pool else self.pool(self.residual1(x))
        return self.residual3(self.residual2(x))


class Stack(nn.Module):
    """One hourglass, its heatmaps, and the features that it hands to the next one.

    Features (B, F, H, W) to a pair of features (B, F, H, W) and heatmaps (B, K, H, W). The last stack merges nothing.
    """

    def __init__(self, config: HourglassConfig, last: bool):
        super().__init__()
        f, self.depth, self.bottlenecks = config.features, config.depth, config.bottleneck_residuals
        self.skip_levels = config.skip_levels
        residual = Basic if config.basic else Residual

        def residuals() -> nn.Module:
            return nn.Sequential(*(residual(f, f) for _ in range(config.residuals)))

        self.pool = nn.MaxPool2d(2)
        for level in range(1, config.depth + 1):
            if level in self.skip_levels:
                self.add_module(f"skip{level}", residuals())
            self.add_module(f"encoder{level}", residuals())
        for i in range(1, config.bottleneck_residuals + 1):
            self.add_module(f"bottleneck{i}", residual(f, f))
        self.noise = Noise(config.code_noise) if last and config.code_noise else None
        self.squeeze = squeeze(config) if last and config.squeeze else None
        for level in range(config.depth, 0, -1):
            self.add_module(f"decoder{level}", residuals())
            self.add_module(f"sum{level}", nn.Identity())
        self.features = nn.Sequential(residuals(), nn.Conv2d(f, f, 1), nn.BatchNorm2d(f), nn.ReLU())
        head = nn.Conv2d(f, config.joints, 1)
        self.heatmaps = nn.Sequential(head, nn.BatchNorm2d(config.joints)) if config.normalised_heatmaps else head
        self.last = last
        if not last:
            self.merge_features, self.merge_heatmaps = nn.Conv2d(f, f, 1), nn.Conv2d(config.joints, f, 1)
            self.merge = nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, skips = x, []
        for level in range(1, self.depth + 1):
            skips.append(getattr(self, f"skip{level}")(y) if level in self.skip_levels else 0)
            y = getattr(self, f"encoder{level}")(self.pool(y))
        for i in range(1, self.bottlenecks + 1):
            y = getattr(self, f"bottleneck{i}")(y)
        y = y if self.noise is None else self.noise(y)
        y = y if self.squeeze is None else self.squeeze(y)
        for level in range(self.depth, 0, -1):
            y = upsample(getattr(self, f"decoder{level}")(y))
            y = getattr(self, f"sum{level}")(y + skips.pop())
        y = self.features(y)
        heatmaps = self.heatmaps(y)
        if self.last:
            return y, heatmaps
        return self.merge(x + self.merge_features(y) + self.merge_heatmaps(heatmaps)), heatmaps


def squeeze(config: HourglassConfig) -> nn.Module:
    """The module that a squeezed code passes through."""
    kinds = {"autoencoder": Autoencoder, "linear": Linear}
    if config.squeeze not in kinds:
        raise Refused(f"no squeeze {config.squeeze!r}; there are {', '.join(kinds)}")
    return kinds[config.squeeze](config.features, config.code_side, config.dimensions)


PARTS = {  # kinds of hook points by what they are randomised with
    "heatmaps": "head", "features": "head", "merge": "head", "skip": "encoder and skips", "encoder": "encoder and skips", "sum": "decoder",
}  # fmt: skip


class HandOver(NamedTuple):
    """Hook points: of what a stack gets, of the features and of the predictions that it adds, and of the sum, which the next one gets."""

    got: str
    features: str
    heatmaps: str
    handed: str


class Hourglass(nn.Module):
    """Picture (B, 3, S, S), values in [0, 1], to heatmaps (B, stacks, K, S/4, S/4).

    >>> network = Hourglass(HourglassConfig.narrow(16, joints=14, stacks=2)).eval()
    >>> network(torch.zeros(1, 3, 64, 64)).shape  # pictures, stacks, joints, rows, columns
    torch.Size([1, 2, 14, 16, 16])
    """

    def __init__(self, config: HourglassConfig = HourglassConfig()):
        super().__init__()
        self.config = config
        self.stem = Stem(config)
        for i in range(config.stacks):
            self.add_module(f"stack{i}", Stack(config, last=i == config.stacks - 1))

    def forward(self, x: Tensor) -> Tensor:
        multiple = self.config.multiple
        if x.shape[-1] % multiple or x.shape[-2] % multiple:
            raise ValueError(f"a depth-{self.config.depth} hourglass needs sides that are multiples of {multiple}, "
                             f"not {x.shape[-1]} x {x.shape[-2]}")  # fmt: skip
        side = self.config.code_side
        if self.config.squeeze and (x.shape[-1], x.shape[-2]) != (side * multiple, side * multiple):
            raise PosekitError(f"this network squeezes codes of {side} x {side} cells, so it takes pictures of {side * multiple} x "
                               f"{side * multiple} pixels, not {x.shape[-1]} x {x.shape[-2]}")  # fmt: skip
        x, heatmaps = self.stem(x), []
        for i in range(self.config.stacks):
            x, h = getattr(self, f"stack{i}")(x)
            heatmaps.append(h)
        return torch.stack(heatmaps, dim=1)

    def code_hook_point(self, stack: int = -1) -> str:
        """Where a stack's code is: its last bottleneck module, or the squeeze behind it. Stacks count from 0, from the last with -1.

        Raises:
            PosekitError: there is no such stack.

        >>> Hourglass(HourglassConfig.narrow(16, joints=14, stacks=2)).code_hook_point()
        'stack1.bottleneck1'
        """
        count, stack = self.config.stacks, whole("stack", stack, None)
        if not -count <= stack < count:
            raise PosekitError(f"no stack {stack}: this network has {count}, numbered from 0")
        name = f"stack{stack % count}"
        squeezed = getattr(self, name).squeeze is not None
        return f"{name}.squeeze" if squeezed else f"{name}.bottleneck{self.config.bottleneck_residuals}"

    def code_hook_points(self) -> list[str]:
        """Where the codes of all stacks are."""
        return [self.code_hook_point(stack) for stack in range(self.config.stacks)]

    def skip_groups(self) -> dict[str, list[str]]:
        """The hook points of the skip connections by level, `skip1` (the finest) first, of all stacks together."""
        stacks = range(self.config.stacks)
        return {f"skip{level}": [f"stack{stack}.skip{level}" for stack in stacks] for level in self.config.skip_levels}

    def stage_count(self) -> int:
        return self.config.stacks

    def default_layer(self) -> str:
        """Grad-CAM's hook point where none is named: the finest sum of decoder and skip connection of the last stack."""
        return f"stack{self.config.stacks - 1}.sum1"

    def cam_layers(self, code: str) -> tuple[list[str], str]:
        """Hook points of the code's stack at which Grad-CAM is worth a look, and the finest skip connection: on the way down and up."""
        deep, stack = self.config.depth, code.partition(".")[0]
        layers = [f"{stack}.skip1", f"{stack}.skip{deep}", f"{stack}.encoder{deep - 1}", code]
        return [*layers, *(f"{stack}.sum{level}" for level in range(deep, 0, -1)), f"{stack}.features"], f"{stack}.skip1"

    def layers(self, stage: int) -> dict[str, str]:
        """The hook points of a stack that have a counterpart in each other one, in the order of computation."""
        levels, before = range(1, self.config.depth + 1), f"stack{whole('stage', stage)}."
        down, up = ({f"{kind} {i}": f"{before}{kind}{i}" for i in levels[::way]} for kind, way in (("encoder", 1), ("sum", -1)))
        return down | {"code": self.code_hook_point(stage)} | up | {"heatmaps": f"{before}heatmaps"}

    def hand_overs(self) -> list[HandOver]:
        """What each stack but the last hands on."""
        got = ["stem", *(f"stack{i}.merge" for i in range(self.config.stacks - 1))]
        return [
            HandOver(before, f"stack{i}.merge_features", f"stack{i}.merge_heatmaps", after)
            for i, (before, after) in enumerate(pairwise(got))
        ]

    def hook_points(self) -> list[str]:
        """Names of the activations in the order of computation."""
        names = ["stem"]
        for i in range(self.config.stacks):
            names += [f"stack{i}.{name}" for name, _ in getattr(self, f"stack{i}").named_children() if name != "pool"]
        return names

    def part_of(self, hook_point: str) -> str:
        """What is randomised together with a hook point: head, decoder, bottleneck, encoder and skips, stem, each of its stack."""
        stack, _, inner = hook_point.rpartition(".")
        kind = (inner or stack).rstrip("0123456789")
        label = PARTS.get(kind, kind)
        return f"{label} of {stack}" if self.config.stacks > 1 and stack else label

    def stage_of(self, hook_point: str) -> int:
        """The first stack, counted from 0, whose heatmaps an activation reaches: what a stack hands over reaches the next one's."""
        stack, _, point = hook_point.partition(".")
        return int(stack.removeprefix("stack")) + point.startswith("merge") if point else 0

    def _repr_html_(self) -> str:
        from posekit.display.html import listing
        from posekit.display.overview import overview

        size = self.config.multiple * (self.config.code_side or 4)  # 256 pixels, Newell's, where there are four levels
        count = sum(p.numel() for p in self.parameters())
        stacks = "1 stack" if self.config.stacks == 1 else f"{self.config.stacks} stacks"
        found = overview(self, size)
        caption = f"Hourglass of {stacks}: {count:,} parameters; shapes for a picture of {size} x {size} pixels"
        return listing(caption, found.itertuples(index=False), list(found))
