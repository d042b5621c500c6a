"""BlazePose (Bazarevsky et al., 2020), "full", as MediaPipe 0.10 has it: a network that posekit did not train.

The encoder is a MobileNetV2 of five levels. Its deepest activation leads two ways: up a decoder that adds the skip connections of three
levels and ends in heatmaps, and down to numbers, the landmarks. The product reads the landmarks; the heatmaps were there for training.
Nothing but the encoder is shared: no skip connection reaches the landmarks. The weights are fetched (`posekit.engine.outside.blazepose`).
"""

import torch
from torch import Tensor, nn

RESOLUTION = 256
POINTS = (
    "nose, left eye inner, left eye, left eye outer, right eye inner, right eye, right eye outer, left ear, right ear, left mouth, "
    "right mouth, left shoulder, right shoulder, left elbow, right elbow, left wrist, right wrist, left little finger, "
    "right little finger, left index finger, right index finger, left thumb, right thumb, left hip, right hip, left knee, right knee, "
    "left ankle, right ankle, left heel, right heel, left toes, right toes"
).split(", ")  # of 39; the last six are of the crop, for the next picture of a video, and have no name
MAPS = 39
LAYERS = ("encoder1", "encoder2", "encoder3", "encoder4", "encoder5", "bottleneck", "sum4", "sum3", "sum2")  # on the way to the heatmaps
PARTS = {  # of the way to the heatmaps, from the head downwards: what is set back to random weights together
    "head": ("heatmaps",), "decoder": ("decoder5",), "skip connections": ("skip4", "skip3", "skip2"), "bottleneck": ("bottleneck",),
    "encoder": ("encoder5", "encoder4", "encoder3", "encoder2", "encoder1"),
}  # fmt: skip


class ReLU6(nn.ReLU):
    """A ReLU that ends at 6; of ReLU's class, so that methods that change how ReLUs propagate back change it too."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).clamp(max=6)


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, relu: bool = True) -> nn.Sequential:
    """A convolution with padding to either side, and ReLU6 but where the layer is linear."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups)
    return nn.Sequential(layer, ReLU6()) if relu else nn.Sequential(layer)


def depthwise(features: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Each feature by itself."""
    return convolution(features, features, kernel, stride, groups=features)


def separable(inputs: int, outputs: int) -> nn.Sequential:
    """Each feature by itself, then all at each cell."""
    return nn.Sequential(depthwise(inputs), convolution(inputs, outputs))


class Sum(nn.Module):
    """The sum of two activations, a hook point of its own."""

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return one + other


class InvertedResidual(nn.Module):
    """Sandler et al. (2018): widened, each feature by itself, narrowed; added to the input where that has the same shape."""

    def __init__(self, inputs: int, wide: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.widen = convolution(inputs, wide)
        self.filter = depthwise(wide, kernel, stride)
        self.narrow = convolution(wide, outputs, relu=False)
        self.added = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        found = self.narrow(self.filter(self.widen(x)))
        return x + found if self.added else found


class Residual(nn.Module):
    """A separable convolution added to its input, then ReLU6; with `down` to half the cells a side, the input by its largest of four."""

    def __init__(self, features: int, down: bool = False):
        super().__init__()
        # TensorFlow pads a stride of two behind alone where the input is even.
        self.pad = nn.ZeroPad2d((0, 1, 0, 1) if down else (1, 1, 1, 1))
        self.filter = nn.Conv2d(features, features, 3, 2 if down else 1, groups=features)
        self.inner = ReLU6()
        self.mix = nn.Conv2d(features, features, 1)
        self.shrink = nn.MaxPool2d(2) if down else nn.Identity()
        self.outer = ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.shrink(x) + self.mix(self.inner(self.filter(self.pad(x)))))


def _blocks(*blocks: tuple[int, int, int, int, int]) -> nn.Sequential:
    return nn.Sequential(*(InvertedResidual(*block) for block in blocks))


def _double() -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)


class BlazePose(nn.Module):
    """Pictures (B, 3, 256, 256), RGB in [0, 1], to a dictionary of its answers.

    `heatmaps` (B, 39, 64, 64), logits; `landmarks` (B, 39, 5): x and y in input pixels, depth, and the logits of being visible and of being
    in the picture; `world` (B, 39, 3) in metres from the hips; `presence` (B,), the probability that there is a person; with `mask=True`
    `mask` (B, 1, 256, 256), the logit of the person's silhouette.

    >>> {name: tuple(found.shape) for name, found in BlazePose()(torch.zeros(1, 3, 256, 256)).items()}
    {'heatmaps': (1, 39, 64, 64), 'landmarks': (1, 39, 5), 'world': (1, 39, 3), 'presence': (1,)}
    """

    def __init__(self, *, mask: bool = False):
        super().__init__()
        self.encoder1 = nn.Sequential(convolution(3, 24, 3, 2), depthwise(24), convolution(24, 16, relu=False))  # 128 cells a side
        self.encoder2 = _blocks((16, 64, 24, 3, 2), (24, 144, 24, 3, 1))
        self.encoder3 = _blocks((24, 144, 32, 5, 2), (32, 192, 32, 5, 1))
        self.encoder4 = _blocks(
            (32, 192, 64, 3, 2), (64, 384, 64, 3, 1), (64, 384, 64, 3, 1), (64, 384, 88, 5, 1), (88, 528, 88, 5, 1), (88, 528, 88, 5, 1)
        )
        self.encoder5 = _blocks((88, 528, 144, 5, 2), *[(144, 864, 144, 5, 1)] * 3)  # 8 cells a side
        self.bottleneck = nn.Sequential(convolution(144, 864), depthwise(864))

        self.decoder5 = separable(864, 48)
        self.up4, self.skip4, self.sum4 = _double(), separable(88, 48), Sum()
        self.up3, self.skip3, self.sum3 = _double(), separable(32, 48), Sum()
        self.up2, self.skip2, self.sum2 = _double(), separable(24, 48), Sum()
        self.heatmaps = nn.Conv2d(48, MAPS, 1)

        regression = [separable(864, 288), Residual(288, down=True), *(Residual(288) for _ in range(4))]
        self.regression = nn.Sequential(*regression, Residual(288, down=True), *(Residual(288) for _ in range(5)))
        self.landmarks, self.world, self.presence = (nn.Conv2d(288, numbers, 2) for numbers in (5 * MAPS, 3 * MAPS, 1))

        self.masked = mask
        self.skip1, self.sum1 = separable(16, 8), Sum()
        self.mask1 = nn.Sequential(separable(48, 8), _double())
        self.mask0 = nn.Sequential(Residual(8), Residual(8), _double(), Residual(8), Residual(8), nn.Conv2d(8, 1, 3, padding=1))

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        finest = self.encoder1(pictures)
        two = self.encoder2(finest)
        three = self.encoder3(two)
        four = self.encoder4(three)
        deepest = self.bottleneck(self.encoder5(four))

        features = self.sum4(self.up4(self.decoder5(deepest)), self.skip4(four))
        features = self.sum3(self.up3(features), self.skip3(three))
        features = self.sum2(self.up2(features), self.skip2(two))
        found = {"heatmaps": self.heatmaps(features)}
        with torch.autocast(pictures.device.type, enabled=False):  # bfloat16 has no coordinate above 128 to less than a pixel
            numbers = self.regression(deepest.float())
            found["landmarks"] = self.landmarks(numbers).view(-1, MAPS, 5)
            found["world"] = self.world(numbers).view(-1, MAPS, 3)
            found["presence"] = self.presence(numbers).flatten().sigmoid()
        if self.masked:
            found["mask"] = self.mask0(self.sum1(self.mask1(features), self.skip1(finest)))
        return found

    def convolutions(self) -> list[nn.Conv2d]:
        """All of them, in the order in which the file of weights lists them: a skip connection behind the next level's first."""
        levels = [[self.encoder1], *([level] for level in (self.encoder2, self.encoder3, self.encoder4, self.encoder5))]
        found = _of(self.encoder1)
        for (level,), skip in zip(levels[1:], (self.skip1, self.skip2, self.skip3, self.skip4), strict=True):
            first, *others = _of(level)
            found += [first, *_of(skip), *others]
        for part in (self.bottleneck, self.decoder5, self.mask1, self.mask0, self.heatmaps, self.regression):
            found += _of(part)
        return [*found, self.landmarks, self.world, self.presence]


def _of(part: nn.Module) -> list[nn.Conv2d]:
    return [module for module in part.modules() if isinstance(module, nn.Conv2d)]


def points(landmarks: Tensor, count: int = len(POINTS)) -> Tensor:
    """The first points of landmarks (B, 39, 5) as coordinates (B, count, 2), x and y in pixels whose first has its centre at (0, 0)."""
    return landmarks[:, :count, :2] - 0.5
