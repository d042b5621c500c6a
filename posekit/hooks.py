"""Named activations of a network: reading them with `trace`, replacing them with `edit`. It needs nothing but torch's modules.

with trace(model, ["stack0.bottleneck3"]) as activations:
    model(pictures)
codes = activations["stack0.bottleneck3"].flatten(1)

with edit(model, {"stack0.skip1": lambda activation, name: torch.zeros_like(activation)}):
    heatmaps = model(pictures)

Both nest, in each other too: functions at the same hook point are called in the order of their `with` statements, each with what
the one before it left. `with edit(...), trace(...)` therefore reads the edited activation, `with trace(...), edit(...)` the
network's own.
"""

import contextlib
import copy
import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from posekit.errors import PosekitError

LISTED = 20  # names in an error's one line

Edit = Callable[..., Tensor | None]  # of the activation, or of the activation and its name


def hook_points(model: nn.Module) -> list[str]:
    """Names of the activations of a posekit network, in the order of computation: `stem`, `stack0.skip1`, ...

    >>> from posekit import Hourglass, HourglassConfig
    >>> hook_points(Hourglass(HourglassConfig.narrow(16, joints=14)))[:4]
    ['stem', 'stack0.skip1', 'stack0.encoder1', 'stack0.skip2']
    """
    if not isinstance(model, nn.Module):
        raise PosekitError(f"a {type(model).__name__} has no named activations, a network has: give the `model` of what posekit.load gives")
    if callable(own := getattr(model, "hook_points", None)):
        return own()
    return [name for name, _ in model.named_children()]


def hooked(model: nn.Module) -> bool:
    """Whether anything looks on when the model computes: `trace`, `edit`, or another hook of torch's.

    >>> from posekit import Hourglass, HourglassConfig
    >>> model = Hourglass(HourglassConfig.narrow(16, joints=14))
    >>> with trace(model, ["stem"]):
    ...     hooked(model)
    True
    >>> hooked(model)
    False
    """
    return any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@contextlib.contextmanager
def edit(model: nn.Module, edits: Mapping[str, Edit]) -> Iterator[None]:
    """Within the block, pass each named activation through its function on the way.

    A function takes the activation (B, C, H, W), and its name where it has a second argument, and returns a replacement of the same
    shape, or None to leave it as it is. On leaving the block, by an error too, nothing remains in the model.

    Raises:
        PosekitError: a name is none of the model's modules, what is given for it is no function, or a replacement has another shape.

    >>> from posekit import Hourglass, HourglassConfig
    >>> import torch
    >>> model, pictures = Hourglass(HourglassConfig.narrow(16, joints=14)).eval(), torch.rand(1, 3, 64, 64)
    >>> heatmaps = model(pictures)
    >>> with edit(model, {"stack0.skip1": lambda activation, name: torch.zeros_like(activation)}):
    ...     without = model(pictures)
    >>> torch.equal(heatmaps, without), torch.equal(heatmaps, model(pictures))
    (False, True)
    """
    modules = {name: _module(model, name) for name in edits}
    for name in modules:
        if not isinstance(edits, Mapping) or not callable(edits[name]):
            given = type(edits[name] if isinstance(edits, Mapping) else edits).__name__
            raise PosekitError(f"{name}: the edit is a {given}; give {{name: function}}: {{{name!r}: lambda activation: 0 * activation}}")
    with contextlib.ExitStack() as hooks:
        for name, module in modules.items():
            handle = module.register_forward_hook(_hook(edits[name], name))
            hooks.callback(handle.remove)
        yield


@contextlib.contextmanager
def trace(model: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Within the block, keep the named activations of the latest forward pass, in a dictionary by name.

    The forward pass stays bit-identical. The tensors are the network's own, with their gradients; detach or copy them to
    change or keep them.

    Raises:
        PosekitError: a name is none of the model's modules.

    >>> from posekit import Hourglass, HourglassConfig
    >>> import torch
    >>> model = Hourglass(HourglassConfig.narrow(16, joints=14)).eval()
    >>> with trace(model, ["stem", "stack0.bottleneck1"]) as activations:
    ...     heatmaps = model(torch.zeros(1, 3, 64, 64))
    >>> activations["stack0.bottleneck1"].shape
    torch.Size([1, 16, 1, 1])
    """
    activations: dict[str, Tensor] = {}

    def keep(activation: Tensor, name: str) -> None:
        activations[name] = activation

    with edit(model, dict.fromkeys([names] if isinstance(names, str) else names, keep)):
        yield activations


def _hook(function: Callable, name: str):
    more = (name,) if _takes_name(function) else ()

    def hook(_module: nn.Module, _inputs: tuple, output: Any) -> Any:
        activation = first_tensor(output)
        if activation is None:
            raise PosekitError(f"{name}: computes a {type(output).__name__} and no tensor; name a module inside it")
        replacement = function(activation, *more)
        if replacement is None:
            return None
        if not isinstance(replacement, Tensor):
            raise PosekitError(f"{name}: the edit gives a {type(replacement).__name__}; give a tensor, or None to leave the activation")
        if replacement.shape != activation.shape:
            raise PosekitError(f"{name}: the replacement is {tuple(replacement.shape)}, the activation {tuple(activation.shape)}")
        return _with_first(output, replacement)

    return hook


def first_tensor(output: Any) -> Tensor | None:
    """The activation in what a module computes: a tensor, or the first of a tuple, a list or a mapping; None where there is none."""
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, tuple | list):
        output = output[0] if output else None
    return output if isinstance(output, Tensor) else None


def _with_first(output: Any, replacement: Tensor) -> Any:
    """What a module computes, with another activation in it."""
    if isinstance(output, Tensor):
        return replacement
    if isinstance(output, Mapping):
        changed = copy.copy(output)
        changed[next(iter(output))] = replacement  # type: ignore[index]
        return changed
    rest = (replacement, *output[1:])
    return type(output)(*rest) if hasattr(output, "_fields") else type(output)(rest)


def nearest(name: object, known: list[str]) -> str:
    """The names that a misspelt one may mean, or else the first of those that there are, for an error's one line."""
    if near := difflib.get_close_matches(str(name), known, n=4, cutoff=0.5):
        return f"near it: {', '.join(near)}"
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"there are {', '.join(known[:LISTED]) or 'none'}{more}"


def _takes_name(function: Callable) -> bool:
    """Whether a function wants the activation's name: it cannot do without a second argument, or calls it `name`, or takes any number."""
    try:
        parameters = inspect.signature(function.forward if isinstance(function, nn.Module) else function).parameters.values()
    except (TypeError, ValueError):  # of torch's own functions nothing is known: torch.relu
        return False
    given = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    second = len(given) > 1 and (given[1].default is inspect.Parameter.empty or given[1].name == "name")
    return second or (len(given) < 2 and any(p.kind is p.VAR_POSITIONAL for p in parameters))


def _module(model: nn.Module, name: str) -> nn.Module:
    known = hook_points(model)
    if name in known:
        return model.get_submodule(name)
    # Deeper modules can be named as well, `stack0.skip1.0.conv2` say; a stack returns a pair and a pool is used many times.
    # Of an outside network all that can be named is: a deeper module may be computed twice in a pass, or overwritten.
    inside = isinstance(name, str) and not hasattr(model, "shapes") and any(name.startswith(f"{point}.") for point in known)
    if inside and name in dict(model.named_modules()):
        return model.get_submodule(name)
    raise PosekitError(f"no activation named {name!r}; {nearest(name, known)}")
