"""Any network as an ONNX file, computed by onnxruntime.

    import posekit

    network = posekit.adapters.onnx("network.onnx", "coco", (256, 192))
    posekit.evaluate(network, "coco:photographs@val")
    posekit.explain(network, "photograph.jpg", "left wrist", "occlusion")

What needs gradients or activations cannot be asked of a file; prediction, evaluation, occlusion and the joint-dependency matrix can.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from posekit.data.signatures import HEAD, no_content
from posekit.engine.inference.prediction import Predictor
from posekit.engine.outside.adapting import adapt
from posekit.errors import PosekitError, extra
from posekit.files import expand_user
from posekit.skeleton import Skeleton

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


class OnnxFile(nn.Module):
    """Pictures (B, 3, H, W) to what the file's network answers, a tensor or a tuple of tensors. Its weights are the file's own."""

    def __init__(self, path: Path):
        super().__init__()
        with extra("onnx", f"{path}: reading it"):
            import onnxruntime
        self.path = path
        try:
            data = path.read_bytes()
            if fault := no_content(data[:HEAD]):
                raise PosekitError(f"{path}: {fault}")
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except OSError as error:
            raise PosekitError(f"{path}: cannot be read: {error.strerror}") from None
        except PosekitError:
            raise
        except Exception as error:  # onnxruntime has an exception for each of its states, and no common one
            raise PosekitError(f"{path}: no ONNX file that onnxruntime can read: {' '.join(str(error).split())[:200]}") from None
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            raise PosekitError(
                f"{path}: takes {', '.join(f'{i.name} of {i.type}' for i in inputs)}; one input of pictures, float32, is needed"
            )
        self._input, shape = inputs[0].name, inputs[0].shape
        self._fixed = shape[0] if shape and isinstance(shape[0], int) else None
        self._channels_last = len(shape) == 4 and shape[3] == 3 != shape[1]  # as TensorFlow has it
        self.names = [output.name for output in self._session.get_outputs()]
        self.digest: Tensor
        self.register_buffer("digest", torch.from_numpy(np.frombuffer(hashlib.sha256(data).digest(), np.uint8).copy()))

    def forward(self, pictures: Tensor) -> Any:
        array = pictures.detach().float().cpu().numpy()
        array = np.ascontiguousarray(array.transpose(0, 2, 3, 1) if self._channels_last else array)
        step = self._fixed or len(array)
        parts = []
        for start in range(0, len(array), step):
            part = array[start : start + step]
            padded = np.concatenate([part, np.repeat(part[-1:], step - len(part), 0)])
            parts.append([answer[: len(part)] for answer in self._session.run(None, {self._input: padded})])
        found = [torch.from_numpy(np.concatenate(answers)).to(pictures.device) for answers in zip(*parts, strict=True)]
        return found[0] if len(found) == 1 else dict(zip(self.names, found, strict=True))

    def __reduce__(self) -> tuple:
        return type(self), (self.path,)


@torch.inference_mode(False)
def onnx(path: str | Path, skeleton: Skeleton | str, size: int | tuple[int, int], **options: Any) -> Predictor:
    """A predictor of the network in an ONNX file, for questions that need no gradients and no activations.

    Args:
        path: the file; it takes pictures (B, 3, H, W), or (B, H, W, 3), and a fixed number of them is fine. Of several outputs
            `output=NAME` says which one it is.
        skeleton, size: see `posekit.adapt`.
        options: what else `posekit.adapt` takes, in place of ImageNet's mean and standard deviation.

    Raises:
        PosekitError: the extra `onnx` is missing, the file is no ONNX file, or what `posekit.adapt` refuses.
    """
    path = expand_user(path)
    if not path.is_file():
        raise PosekitError(f"{path}: no such file")
    return adapt(OnnxFile(path), skeleton, size, **{"mean": MEAN, "std": STD, "name": path.stem} | options)
