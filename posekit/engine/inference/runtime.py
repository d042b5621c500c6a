"""Prediction on a CPU by OpenVINO, where it is installed: the same network, several times as fast as by torch.

Converting a network takes a second or two, so it is for many pictures. What is computed so cannot be traced, edited or trained.
"""

import importlib.util
import math
import os
import threading
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from posekit.coordinates import STRIDE
from posekit.engine.backend import Backend

WORTH = 1e12  # pictures times parameters times cells of a heatmap, from which converting is won back on two cores
TOLERANCE = {False: 1e-4, True: 0.1}  # of the range of a network's answers, in float32 and in bfloat16, whose numbers have 8 bits
_compiled: WeakKeyDictionary[nn.Module, dict] = WeakKeyDictionary()  # what was compiled of each network, in this process
_lock = threading.Lock()
_process: int | None = None  # the one that OpenVINO runs in: its threads do not outlive a fork


@cache
def installed() -> bool:
    return importlib.util.find_spec("openvino") is not None


def pictures_worth(model: nn.Module, size: Sequence[int]) -> float:
    """How many pictures of (H, W) win back the second or two that converting takes."""
    return WORTH / max(sum(p.numel() for p in model.parameters()) * math.prod(size) / STRIDE**2, 1)


def answer(model: nn.Module, backend: Backend, pictures: Tensor) -> Tensor | None:
    """What the network makes of pictures (B, 3, H, W), float32, by OpenVINO; converted once in a process for each state of its weights.

    None on a GPU, where OpenVINO is not installed, in a process forked from one that it ran in, while `trace`, `edit` or another
    hook looks on, and where it cannot do what the network does: it says so, or its answers to a few random pictures are not the
    network's own.
    """
    global _process
    if backend.device.type != "cpu" or _process not in (None, os.getpid()) or not installed():
        return None
    how, size = (backend, torch.get_num_threads()), tuple(pictures.shape[-2:])
    with _lock:
        before, weights, network = _compiled.setdefault(model, {}).get(size, (None, None, None))
        unchanged = before == how and weights.unchanged()
        if not unchanged:
            weights = Weights(model)
        if weights.hooked():
            return None
        if not unchanged:
            _process = os.getpid()
            network = _made(model, backend, pictures.shape)
            _compiled[model][size] = how, weights, network
        return network(pictures) if network else None


class Weights:
    """The tensors of a network and marks of their values, to tell later whether one was changed or replaced."""

    def __init__(self, model: nn.Module):
        modules = list(model.modules())
        self._hooks = [hooks for module in modules for hooks in (module._forward_hooks, module._forward_pre_hooks)]
        self._holders: list[dict[str, Any]] = [
            holder for module in modules for holder in (module._modules, module._parameters, module._buffers)
        ]
        self._held = [(holder, name, value) for holder in self._holders for name, value in holder.items()]
        self._tensors = [value for *_, value in self._held if isinstance(value, Tensor) and not value.is_inference()]
        flat = [
            tensor.detach().as_strided((tensor.numel(),), (1,)).numpy()  # the same memory, in its order
            for tensor in self._tensors
            if tensor.dtype == torch.float32 and tensor.device.type == "cpu" and (tensor.is_contiguous() or _channels_last(tensor))
        ]
        self._flat = [(numbers, _drawn(len(numbers))) for numbers in flat]
        self._marks, self._products = self._now()

    def _now(self) -> tuple[list[int], np.ndarray]:
        """Versions and places in memory; and a product with numbers drawn once, for what is changed through `.data` keeps its version."""
        marks = [mark for tensor in self._tensors for mark in (tensor._version, tensor.data_ptr())]
        return marks, np.array([numbers.dot(drawn) for numbers, drawn in self._flat])

    def hooked(self) -> bool:
        return any(self._hooks)

    def unchanged(self) -> bool:
        same = all([holder.get(name) is value for holder, name, value in self._held])
        if not same or sum(map(len, self._holders)) != len(self._held):
            return False
        marks, products = self._now()
        return marks == self._marks and np.array_equal(products, self._products, equal_nan=True)


@cache
def _drawn(count: int) -> np.ndarray:
    """As many numbers, whose product with a tensor's numbers changes with any of these."""
    return np.random.default_rng(0).random(count, np.float32)


def _channels_last(tensor: Tensor) -> bool:
    return tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)


def plain_export(model: nn.Module, example: Tensor) -> Any:
    """What OpenVINO makes of the network by itself, in the machine's precision, to compare with: from an array to arrays."""
    core = _openvino()[1]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = _converted(torch.jit.trace(model, example, check_trace=False), list(example.shape))
    return core.compile_model(network, "CPU", {} if Backend.best("cpu").bf16 else {"INFERENCE_PRECISION_HINT": "f32"})


@cache
def _openvino() -> tuple[Any, Any]:
    """OpenVINO and its core, without the statistics that it would otherwise send to its makers as soon as it is imported, unasked.

    One core, for good: each sets the stack that signals are handled on, and where two go in the order in which they came, that
    of the first is left, which is gone, and Ctrl-C ends in a segmentation fault (2026.4).
    """
    before = os.environ.get("CI")
    os.environ["CI"] = "true"  # its own switch: where software is tested it sends nothing, and that holds for as long as the process
    try:
        import openvino
    finally:
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before
    return openvino, openvino.Core()


def _converted(traced: torch.jit.ScriptModule, shape: list[int]) -> Any:
    """A traced network as OpenVINO's, for pictures of this shape, -1 for any number.

    `openvino.convert_model` does the same, and sends statistics where other code has imported OpenVINO before.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced)  # which has to live as long as it is read
    read = frontend.load(decoder)
    for pictures in read.get_inputs():  # a frozen network does not say, and what then is taken off them could not be compiled
        read.set_element_type(pictures, _openvino()[0].Type.f32)
    network = frontend.convert(read)
    network.reshape(shape)
    return network


def _made(model: nn.Module, backend: Backend, shape: Sequence[int]) -> "Compiled | None":
    frontend = _openvino()[0].frontend
    pictures = torch.rand(3, 3, *shape[-2:], generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model.eval()(pictures)
        try:
            network = Compiled(model, backend, pictures[:2], expected.shape[1:], shape[0])
            inner = expected[expected > expected.min()]  # without what an adapted network has beside its maps
            apart = (network(pictures) - expected).abs().max() / (expected.max() - (inner.min() if len(inner) else expected.min()))
        except (RuntimeError, frontend.GeneralFailure, frontend.OpConversionFailure):
            return None
    return network if apart < TOLERANCE[backend.bf16] else None


class Compiled:
    """Pictures (B, 3, H, W) float32 to what the network makes of them, float32: in bfloat16 where the machine says so."""

    def __init__(self, model: nn.Module, backend: Backend, example: Tensor, shape: Sequence[int], usual: int):
        """`example` has the pictures' size, an answer the `shape`; `usual` is the number of pictures that comes most often."""
        self._core = _openvino()[1]
        self._shape, self._usual, self._threads = shape, usual, torch.get_num_threads()
        self._bf16 = backend.bf16
        self._requests: dict[int, list[Any]] = {}
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about what tracing cannot see
            traced = torch.jit.freeze(torch.jit.trace(model, example, check_trace=False))
        self._network = _converted(traced, [-1, *example.shape[1:]])

    def __call__(self, pictures: Tensor) -> Tensor:
        tensor, array = _openvino()[0].Tensor, pictures.contiguous().numpy()
        requests = self._ready(len(array))
        found = np.empty((len(array), *self._shape), np.float32)
        self._running = array, found  # what the requests read and write has to stay, should the wait be interrupted
        parts = (np.array_split(values, len(requests)) for values in (array, found))
        for request, part, answers in zip(requests, *parts, strict=True):
            request.set_input_tensor(tensor(part, shared_memory=True))
            request.set_output_tensor(tensor(answers, shared_memory=True))
            request.start_async()
        for request in requests:
            request.wait()
        return torch.from_numpy(found)

    def _ready(self, count: int) -> list[Any]:
        """What computes so many pictures. Each core takes its share and waits for no other."""
        streams = min(count, self._threads)
        known = count in (1, self._usual) and count % streams == 0  # a number known beforehand is a tenth faster
        key = count if known else -streams
        if key not in self._requests:
            network = self._network
            if known:
                network = network.clone()
                network.reshape([count // streams, *list(network.inputs[0].partial_shape)[1:]])
            options: dict[str, Any] = {"INFERENCE_NUM_THREADS": self._threads, "NUM_STREAMS": streams}
            options["INFERENCE_PRECISION_HINT"] = "bf16" if self._bf16 else "f32"
            compiled = self._core.compile_model(network, "CPU", options)
            self._requests[key] = [compiled.create_infer_request() for _ in range(streams)]
        return self._requests[key]
