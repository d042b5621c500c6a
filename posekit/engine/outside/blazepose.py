"""BlazePose by name: its weights out of MediaPipe's wheel, and the network adapted to posekit's joints.

    posekit fetch blazepose
    network = posekit.load("blazepose")             # 17 joints as COCO has them, read from the heatmaps
    network = posekit.load("blazepose-landmarks")   # the same joints, read from the numbers, as the product does
    network = posekit.load("blazepose-lsp")         # the 12 of LSP's joints that it has; "blazepose-lsp-landmarks"

Of its 33 points 17 are COCO's joints. LSP's neck and head top are none of them and are left out: the middle of the shoulders is not the
neck that was annotated, and a map of it would be ours and not the network's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from posekit.data.download import wheels
from posekit.data.people import People
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Predictor
from posekit.engine.outside.adapting import adapt
from posekit.errors import PosekitError, extra
from posekit.models.outside.blazepose import POINTS, RESOLUTION, BlazePose, points
from posekit.skeleton import COCO, LSP, Skeleton

FOLDER = Path("data") / "blazepose"  # from where posekit is called
PACKED = wheels.Packed(
    "mediapipe==0.10.21", "manylinux_2_28_x86_64", "3.11", 35_622_638, "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    6_440_512, "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
)  # fmt: skip
LIMBS = Skeleton(  # of LSP, those that BlazePose has
    "lsp limbs", LSP.joints[:12], tuple(limb for limb in LSP.limbs if set(limb) <= set(LSP.joints[:12])), LSP.sigmas[:12]
)
NAMES = {  # of weights: the joints, and what they are read from
    "blazepose": (COCO, "heatmaps"),
    "blazepose-landmarks": (COCO, "landmarks"),
    "blazepose-lsp": (LIMBS, "heatmaps"),
    "blazepose-lsp-landmarks": (LIMBS, "landmarks"),
}
SKIPS = ("skip2", "skip3", "skip4")  # the finest, skip1, leads to the mask of the person alone


def fetched() -> bool:
    """Whether the weights are there."""
    return (FOLDER / PACKED.name).is_file()


def load(name: str, backend: Backend | None = None) -> Predictor:
    """The network of one of NAMES.

    Raises:
        PosekitError: its weights have not been fetched, or are damaged.
    """
    path = FOLDER / PACKED.name
    if not path.is_file():
        raise PosekitError(f"{name}: its weights are not here yet: `posekit fetch blazepose` fetches them")
    if wrong := PACKED.wrong(path):
        raise PosekitError(f"{path}: {wrong}; remove it, and `posekit fetch blazepose` fetches it anew")
    skeleton, reading = NAMES[name]
    return adapted(network(path.read_bytes()), name, skeleton, reading, backend)


def framed(people: People) -> People:
    """People whose boxes are what BlazePose's detector gives: squares around the middle of the hips that reach the farthest labelled joint.

    Who has no labelled hip keeps the box. The margin of a quarter that MediaPipe adds is that of every view here.

    Raises:
        ValueError: the skeleton has no hips.
    """
    xy = np.where(people.keypoints[..., 2:] > 0, people.keypoints[..., :2], np.nan)
    sides = xy[:, people.skeleton.index("left hip", "right hip")]
    known = np.isfinite(sides[..., 0])
    middle = np.nansum(sides, 1) / np.maximum(known.sum(1), 1)[:, None]
    reach = np.nan_to_num(np.linalg.norm(xy - middle[:, None], axis=-1), nan=0.0).max(1)[:, None]
    squares = np.concatenate([middle - reach, 2 * reach, 2 * reach], 1)
    return replace(people, boxes=np.where((known.any(1) & (reach[:, 0] > 0))[:, None], squares, people.boxes))


def adapted(module: BlazePose, name: str, skeleton: Skeleton, reading: str = "heatmaps", backend: Backend | None = None) -> Predictor:
    """A predictor of some of its points, `skeleton`'s, by their names; read from its "heatmaps" or its "landmarks".

    The landmarks have no skip connections: none reaches them.
    """
    indices = tuple(POINTS.index(joint) for joint in skeleton.joints)
    found = adapt(module, skeleton, RESOLUTION, values="sigmoid", output=Heatmaps(indices), code="encoder5", skips=SKIPS,
                  name=name, backend=backend, report=None)  # fmt: skip
    card = replace(found.card, note=f"MediaPipe's, by Google, from the wheel {PACKED.requirement}; Apache-2.0")
    if reading == "landmarks":
        found.model.read, found.model.skips = Landmarks(indices), {}
        card = replace(card, loss="coordinates")
    return Predictor(found.model, card, backend)


@dataclass(frozen=True)
class Heatmaps:
    """Heatmaps (B, K, 64, 64), logits, of the network's answer, at posekit's cells.

    A cell of the network's own stands for its upper left corner: where a point is at (x, y) pixels, its map is highest at (x / 4, y / 4),
    which mirrored pictures show, and not at the cell that holds it. Each cell gets the mean of the four around its centre.
    """

    indices: tuple[int, ...]

    def __call__(self, answer: Mapping[str, Tensor]) -> Tensor:
        maps = answer["heatmaps"][:, list(self.indices)]
        return F.avg_pool2d(F.pad(maps, (0, 1, 0, 1), "replicate"), 2, stride=1)


@dataclass(frozen=True)
class Landmarks:
    """Coordinates (B, 1, K, 2) in input pixels of the network's answer."""

    indices: tuple[int, ...]

    def __call__(self, answer: Mapping[str, Tensor]) -> Tensor:
        return points(answer["landmarks"])[:, None, list(self.indices)]


def network(content: bytes) -> BlazePose:
    """The network with the weights of a .tflite file.

    Raises:
        MissingPackage: the package that reads such files is not installed.
        PosekitError: the file is no TFLite file, or of another network.
    """
    module = BlazePose(mask=True).eval()
    layers, found = module.convolutions(), convolutions(content)
    shapes = [tuple(kernel.shape) for kernel, _ in found]
    wanted = [tuple(layer.weight.shape) for layer in layers]
    if shapes != wanted:
        differs = next((i for i, pair in enumerate(zip(shapes, wanted, strict=False)) if pair[0] != pair[1]), min(len(shapes), len(wanted)))
        raise PosekitError(f"the .tflite file is of another network than BlazePose, full: {len(shapes)} convolutions, "
                           f"{len(wanted)} expected, the first that differs is number {differs + 1}")  # fmt: skip
    with torch.no_grad():
        for layer, (kernel, bias) in zip(layers, found, strict=True):
            assert layer.bias is not None
            layer.weight.copy_(kernel)
            layer.bias.copy_(bias)
    module.masked = False  # nobody asks for it here
    return module


def convolutions(content: bytes) -> list[tuple[Tensor, Tensor]]:
    """Kernel (outputs, inputs, h, w), as torch has it, and bias of each convolution of a .tflite file, in its order, as float32.

    Raises:
        MissingPackage: the package that reads such files is not installed.
        PosekitError: the file is no TFLite file.
    """
    with extra("blazepose", "reading BlazePose's weights"):
        import tflite

    if content[4:8] != b"TFL3":
        raise PosekitError("not a .tflite file; `posekit fetch blazepose` fetches BlazePose's")
    model: Any = tflite.Model.GetRootAs(content, 0)
    graph, kinds = model.Subgraphs(0), tflite.BuiltinOperator
    types = {tflite.TensorType.FLOAT32: "<f4", tflite.TensorType.FLOAT16: "<f2"}
    known: dict[int, np.ndarray] = {}  # the tensors that are weights
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        buffer = model.Buffers(tensor.Buffer())
        if buffer.DataLength() and tensor.Type() in types:
            known[i] = buffer.DataAsNumpy().view(types[tensor.Type()]).reshape(tensor.ShapeAsNumpy()).astype(np.float32)
    found = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code, inputs = model.OperatorCodes(operator.OpcodeIndex()), operator.InputsAsNumpy()
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # the one is 0 where a file has the other
        if kind == kinds.DEQUANTIZE:
            known[operator.Outputs(0)] = known[inputs[0]]
        elif kind in (kinds.CONV_2D, kinds.DEPTHWISE_CONV_2D):
            order: Sequence[int] = (0, 3, 1, 2) if kind == kinds.CONV_2D else (3, 0, 1, 2)
            kernel, bias = (known[i] for i in inputs[1:3])
            found.append((torch.from_numpy(kernel.transpose(order).copy()), torch.from_numpy(bias.copy())))
    return found
