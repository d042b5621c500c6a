"""A network for a reader's browser: its layers as a list of plain operations, its weights as text within a script.

    description = browser.export(*weights.load("lspet-64px-hg1"))
    Path("network.js").write_text(f"networks = [{json_text(description)}]")

`book/_extra/try_it/network.js` computes what this describes. Batch normalisation and ReLU are folded into the convolution before them;
kernels are stored in float16, exactly as in a shipped file, and all else in float32.
"""

import base64
import operator
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from posekit.engine.inference.prediction import target_peak
from posekit.engine.weights import Card
from posekit.errors import PosekitError
from posekit.heatmaps import BLUR
from posekit.skeleton import skeleton_of

Operation = dict[str, Any]


def export(model: Any, card: Card) -> dict[str, Any]:
    """What a browser needs to compute a network's heatmaps, as plain JSON values.

    `operations` is a list; each has its name `op`, the indices `of` of the operations whose results it takes, and:

    - `input`: the picture (R, R, 3) in [0, 1], less the card's `mean`.
    - `conv`: `outputs`, `kernel`, `stride`, `padding`; `weights`, an offset into `kernels`, ordered (outputs, rows, columns, inputs);
      `scale` (null: 1) and `shift` (null: 0), offsets into `constants`, a value for each output; `relu`, whether one follows.
    - `affine`: a batch normalisation or ReLU behind no convolution: `scale`, `shift`, `relu`.
    - `pool` (maximum of 2 x 2), `upsample` (nearest, by 2), `add`.

    `kernels` is float16 and `constants` float32, both little-endian in base64. `places` gives by name the operations whose results may be
    replaced: skip connections and the code of each stack. `outputs` are the heatmaps of each stack, the last stack's last.

    Raises:
        PosekitError: a layer that a browser does not compute, or a weight that float16 cannot hold.

    >>> import posekit
    >>> network = posekit.load("lspet-64px-hg1")
    >>> description = export(network.model, network.card)
    >>> description["resolution"], sorted(description["places"])[0], len(description["joints"])
    (64, 'stack0.bottleneck3', 14)
    """
    if not hasattr(model, "skip_groups") or card.config.get("squeeze"):
        what = f"a squeeze of {card.config['squeeze']}" if card.config.get("squeeze") else card.architecture
        raise PosekitError(f"{card.name}: {what} is not computed in the browser; give a plain hourglass")
    tracer = _Tracer()
    try:
        graph = tracer.trace(model.eval())
    except fx.proxy.TraceError as error:
        raise PosekitError(f"{card.name}: its forward pass depends on the picture, so it is not computed in the browser: {error}") from None
    graph.owning_module = model  # what can be left out is asked of it
    graph.eliminate_dead_code()
    stacked = next(node for node in graph.nodes if node.op == "output").args[0]
    if stacked.target is not torch.stack:
        raise PosekitError(f"{card.name}: its result is not a stack of heatmaps, so it is not computed in the browser; give an hourglass")
    places = {place: tracer.results[place] for place in (*chain.from_iterable(model.skip_groups().values()), *model.code_hook_points())}
    operations, index = _operations(graph, dict(model.named_modules()), {*places.values()}, card.name)
    kernels, constants = _packed(operations, card.name)
    skeleton = skeleton_of(card.skeleton)
    return {
        "name": card.name, "resolution": card.resolution, "stride": card.stride, "loss": card.loss, "mean": list(card.input_mean),
        "blur": BLUR, "peak": target_peak(card.loss, card.resolution, card.recipe.get("sigma", 1.0), card.stride),
        "joints": list(skeleton.joints), "limbs": [list(limb) for limb in skeleton.limb_indices],
        "operations": operations, "places": {place: index[node] for place, node in places.items()},
        "outputs": [index[node] for node in stacked.args[0]],
        "kernels": _text(kernels.astype("<f2")), "constants": _text(constants.astype("<f4")),
    }  # fmt: skip


class _Tracer(fx.Tracer):
    """Records which result each module gives; what a forward pass checks of its input's shape is passed over."""

    def __init__(self) -> None:
        super().__init__()
        self.results: dict[str, fx.Node] = {}

    def to_bool(self, obj: fx.Proxy) -> bool:
        return False

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = super().call_module(m, forward, args, kwargs)
        if isinstance(result, fx.Proxy):
            self.results[self.path_of_module(m)] = result.node
        return result


def _operations(
    graph: fx.Graph, modules: dict[str, nn.Module], places: set[fx.Node], name: str,
) -> tuple[list[Operation], dict[fx.Node, int]]:  # fmt: skip
    """The operations, with arrays where there will be offsets, and which of them gives each node of the graph.

    Nothing is folded over one of `places`, whose own result may be replaced.
    """
    operations: list[Operation] = []
    index: dict[fx.Node, int] = {}
    for node in graph.nodes:
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        sources = node.all_input_nodes
        if node.op == "output" or node.target is torch.stack:
            continue
        if isinstance(module, nn.Identity) or (node.target is operator.add and 0 in node.args):  # a level without its skip connection
            index[node] = index[sources[0]]
            continue
        foldable = sources and len(sources[0].users) == 1 and sources[0] not in places
        before = operations[index[sources[0]]] if foldable else Operation(op="")
        if isinstance(module, nn.BatchNorm2d):
            scale, shift = _affine(module)
            if before["op"] == "conv" and before["scale"] is None and not before["relu"]:
                before |= {"scale": scale, "shift": scale * before["shift"] + shift}  # in place
                index[node] = index[sources[0]]
                continue
            operation = {"op": "affine", "scale": scale, "shift": shift, "relu": False}
        elif isinstance(module, nn.ReLU):
            if before["op"] in ("conv", "affine"):
                before["relu"] = True
                index[node] = index[sources[0]]
                continue
            operation = {"op": "affine", "scale": None, "shift": None, "relu": True}
        else:
            operation = _operation(node, module, name)
        operations.append(operation | {"of": [index[source] for source in sources]})
        index[node] = len(operations) - 1
    return operations, index


def _operation(node: fx.Node, module: nn.Module | None, name: str) -> Operation:
    match module:
        case nn.Conv2d(groups=1, dilation=(1, 1), padding_mode="zeros") if len({*module.kernel_size}) == len({*module.stride}) == 1:
            assert isinstance(module.padding, tuple)
            bias = np.zeros(module.out_channels) if module.bias is None else module.bias.detach().double().numpy()
            return {
                "op": "conv", "outputs": module.out_channels, "kernel": module.kernel_size[0], "stride": module.stride[0],
                "padding": module.padding[0], "weights": module.weight.detach().permute(0, 2, 3, 1), "scale": None, "shift": bias,
                "relu": False,
            }  # fmt: skip
        case nn.MaxPool2d(kernel_size=2, stride=2, padding=0):
            return {"op": "pool"}
    if node.op == "placeholder":
        return {"op": "input"}
    if node.target is F.interpolate and node.kwargs.get("scale_factor") == 2 and node.kwargs.get("mode") == "nearest":
        return {"op": "upsample"}
    if node.target is operator.add and len(node.all_input_nodes) == 2:
        return {"op": "add"}
    raise PosekitError(f"{name}: {module if module is not None else node.target} is not computed in the browser")


def _affine(norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift (C,) of a batch normalisation after training."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None
    scale = (norm.weight.detach().double() / (variance.double() + norm.eps).sqrt()).numpy()
    return scale, norm.bias.detach().double().numpy() - mean.double().numpy() * scale


def _packed(operations: list[Operation], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Put offsets in place of the operations' arrays: the kernels in one array, the constants in another."""
    kernels, constants = [np.zeros(0, np.float32)], [np.zeros(0)]
    for operation in operations:
        if isinstance(weights := operation.get("weights"), Tensor):
            operation["weights"] = sum(map(len, kernels))
            kernels.append(weights.float().contiguous().numpy().ravel())
        for key in ("scale", "shift"):
            if isinstance(values := operation.get(key), np.ndarray):
                operation[key] = sum(map(len, constants))
                constants.append(values)
    joined = np.concatenate(kernels)
    if not (np.abs(joined) <= np.finfo(np.float16).max).all():
        raise PosekitError(f"{name}: a weight is not finite, or beyond what float16 holds")
    return joined, np.concatenate(constants)


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
