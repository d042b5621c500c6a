"""What other trainers save: a network's weights out of checkpoints of any wrapping. Nothing of a file is executed."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from posekit.data.signatures import HEAD, no_content
from posekit.errors import PosekitError

Entries = dict[str, dict[str, Tensor]]
_WRAPPERS = ("module", "_orig_mod")  # of DataParallel and AveragedModel, and of torch.compile, which may wrap parts as well


def read(path: Path) -> Entries:
    """Everything in a file of torch or safetensors that could be a network's weights, by where it lies in the file: `ema`, `state.model`.

    Raises:
        PosekitError: the file cannot be read without executing code, is no checkpoint, or holds no weights.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
        if fault := no_content(head):
            raise PosekitError(f"{path}: {fault}")
        if head[8:9] == b"{" and 0 < int.from_bytes(head[:8], "little") < path.stat().st_size:
            content: Any = safetensors.torch.load_file(path)
        else:
            with torch.serialization.safe_globals(_inert()):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise PosekitError(f"{path}: cannot be read: {error.strerror or error}") from None
    except SafetensorError:
        raise PosekitError(f"{path}: damaged safetensors; get a fresh copy") from None
    except PosekitError:
        raise
    except Exception as error:  # damaged files end in many ways, and all of them mean the same
        if "Unsupported global" in str(error):
            raise PosekitError(
                f"{path}: holds more than tensors and numbers, and posekit executes no code of a file; load "
                "it with the program that wrote it and `torch.save(model.state_dict(), …)` it anew"
            ) from None
        raise PosekitError(f"{path}: damaged, or not a checkpoint of torch; get a fresh copy") from None
    found = dict(_entries(content, ""))
    if not found:
        raise PosekitError(f"{path}: holds no state dict; save one with `torch.save(model.state_dict(), …)`")
    return found


def choose(entries: Entries, anchors: Sequence[str]) -> dict[str, Tensor]:
    """The one network among the entries that has one of the `anchors`, its names without what wrappers and trainers put before them.

    Raises:
        ValueError: several networks have one.
    """
    found = []
    for place, state in entries.items():
        for before in sorted({match[1] or "" for name in state for match in (_ends_in(name, anchors),) if match}):
            inside = {name.removeprefix(before): value for name, value in state.items() if name.startswith(before)}
            found.append((f"{place}: {before}*" if before else place, {_unwrapped(name): value for name, value in inside.items()}))
    if not found:  # the largest entry is what an error is best told of
        return {_unwrapped(name): value for name, value in max(entries.values(), key=len).items()}
    if len(found) > 1 and not all(_same(found[0][1], other) for _, other in found[1:]):
        places = ", ".join(place or "the file itself" for place, _ in found)
        raise ValueError(f"holds several networks ({places}); save the one that is wanted with `torch.save(…, file)` alone")
    return found[0][1]


def _entries(content: Any, place: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
    if not isinstance(content, Mapping):
        return
    tensors = {name: _tensor(value) for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor | np.ndarray)}
    if state := {name: value for name, value in tensors.items() if value is not None}:
        yield place, state
    for name, value in content.items():
        yield from _entries(value, f"{place}.{name}" if place else str(name))


def _tensor(value: Tensor | np.ndarray) -> Tensor | None:
    if isinstance(value, Tensor):
        return value.detach()
    return torch.from_numpy(value.astype(value.dtype.newbyteorder("="))) if value.dtype.kind in "fiub" else None


def _ends_in(name: str, anchors: Sequence[str]) -> re.Match | None:
    between = rf"\.(?:(?:{'|'.join(_WRAPPERS)})\.)*"
    matches = (re.fullmatch(rf"(.*\.)?{between.join(map(re.escape, anchor.split('.')))}", name) for anchor in anchors)
    return next((match for match in matches if match), None)


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def _inert() -> list:
    """NumPy's scalars and arrays, and the options that checkpoints hold beside the weights; none of these names executes anything."""
    scalar, array = np.float64(0).__reduce__()[0], np.zeros(0).__reduce__()[0]
    names: list = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    names += [(array, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    kinds = (np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_)
    return [*names, np.ndarray, np.dtype, argparse.Namespace, *(type(np.dtype(kind)) for kind in kinds)]
