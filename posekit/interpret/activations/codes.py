"""Codes: the bottleneck activations of people, one row a person; streamed, in memory, or in a file.

write_codes("codes.npy", model, card, crops, code_hook_point(model))
codes = open_codes("codes.npy")
codes.values[:100]  # read from the file only now
"""

import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import batches
from posekit.data.people import iterate
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import by_modules, predict_crops
from posekit.engine.weights import Card, fingerprint
from posekit.errors import PosekitError
from posekit.files import atomic_write, json_text, read_json
from posekit.hooks import edit, trace
from posekit.interpret.analysis.components import Moments
from posekit.models.hourglass import Hourglass

LARGEST = float(np.finfo(np.float16).max)


def code_hook_point(model: nn.Module, stack: int = -1) -> str:
    """Where a network says that a stack's code is (`Hourglass.code_hook_point`). Stacks count from 0, from the last with -1.

    Raises:
        PosekitError: there is no such stack, or the network has no code.

    >>> from posekit import HourglassConfig
    >>> code_hook_point(Hourglass(HourglassConfig.narrow(16, joints=14, stacks=2)))
    'stack1.bottleneck1'
    """
    hook_point = getattr(model, "code_hook_point", None)
    if hook_point is None:
        raise PosekitError(f"a code is what an hourglass's bottleneck holds, and a {type(model).__name__} has none; give an hourglass")
    return hook_point(stack)


def stream(
    model: Hourglass, card: Card, crops: Crops, hook_point: str, *, backend: Backend | None = None, batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[np.ndarray, Tensor]]:  # fmt: skip
    """The activation at `hook_point` of one batch of people after the other: their rows (B,) and codes (B, D), float32, on the machine.

    `code_hook_point(model, stack)` names a stack's code. A code is flattened as (C, H, W). `progress` is called with how
    many people were done.
    """
    card.check(crops)
    backend = backend or Backend.best()
    network = by_modules(model, backend)
    indices = list(iterate(len(crops), batch))
    with trace(model, [hook_point]) as activations:
        for index, (pictures, keypoints) in zip(indices, batches(crops, indices), strict=True):
            seen, _ = eval_view(pictures.to(backend.device), keypoints.to(backend.device), card.resolution)
            with torch.inference_mode():
                network(card.centred(seen))
            yield index, activations[hook_point].flatten(1).float()
            if progress:
                progress(len(index))


def collect(
    model: Hourglass, card: Card, crops: Crops, hook_point: str, *, backend: Backend | None = None, batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:  # fmt: skip
    """Codes (N, D) float32 of all people at once; see `stream`."""
    found = stream(model, card, crops, hook_point, backend=backend, batch=batch, progress=progress)
    return torch.cat([codes.cpu() for _, codes in found]).numpy()


def codes_and_predictions(
    model: Hourglass, card: Card, crops: Crops, hook_point: str, *, backend: Backend | None = None, batch: int = 64,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Codes (N, D) float32, and keypoints (N, K, 3) as `predict_crops` gives them that the code's stack predicts: one forward pass.

    Raises:
        PosekitError: there are no crops, or the codes are all the same or not finite.
    """
    backend, seen = backend or Backend.best(), []
    with edit(model, {hook_point: lambda activation, name: seen.append(activation.flatten(1).float().cpu())}):
        predicted = predict_crops(model, card, crops, backend=backend, network=by_modules(model, backend), batch=batch)
    codes = torch.cat(seen).numpy()
    if not np.isfinite(codes).all() or not codes.std(0).any():
        raise PosekitError(f"{hook_point}: the codes are constant or not finite; take other weights or another stack")
    return codes, predicted[model.stage_of(hook_point)]


@dataclass(frozen=True)
class Codes:
    """N codes in a file, and whose they are."""

    values: np.ndarray  # (N, D) float16, memory-mapped
    shape: tuple[int, ...]  # C, H, W of an activation: D = C * H * W, flattened in this order
    hook_point: str  # the activation's name: stack0.bottleneck3, say
    weights: str  # the network's name
    weights_fingerprint: str
    source: str  # the people's data set
    ids: np.ndarray  # (N,) int: the annotation's number in its data set
    names: np.ndarray  # (N,) str: the picture
    splits: np.ndarray  # (N,) str

    def __len__(self) -> int:
        return len(self.values)


def write_codes(
    path: str | Path, model: Hourglass, card: Card, crops: Crops, hook_point: str, *, backend: Backend | None = None, batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> None:  # fmt: skip
    """Write everybody's codes as `path`, a NumPy file of float16 (N, D), and whose they are as .json beside it.

    One pass, a batch in memory at a time. The file takes its name when it is whole; after an interruption there is none, and
    writing starts again.

    Raises:
        PosekitError: the path does not end in .npy, the disk is full, or an activation is not finite or too large for float16.
    """
    path = Path(path)
    if path.suffix != ".npy":
        raise PosekitError(f"{path}: codes are written as a NumPy file; let its name end in .npy")
    shape, people = activation_shape(model, card, hook_point), crops.people
    dimensions = int(np.prod(shape))
    about = {
        "shape": shape, "hook_point": hook_point, "weights": card.name, "weights_fingerprint": fingerprint(model),
        "source": people.source, "ids": people.ids.tolist(), "names": people.names.tolist(), "splits": people.splits.tolist(),
    }  # fmt: skip
    with atomic_write(path) as file:
        header = {"descr": "<f2", "fortran_order": False, "shape": (len(crops), dimensions)}
        np.lib.format.write_array_header_2_0(file, header)
        for index, codes in stream(model, card, crops, hook_point, backend=backend, batch=batch, progress=progress):
            file.write(_half(codes, people.ids[index], hook_point).tobytes())
        path.unlink(missing_ok=True)  # or the new description could come to stand beside the old values
        with atomic_write(path.with_suffix(".json")) as beside:
            beside.write(json_text(about).encode())


def open_codes(path: str | Path) -> Codes:
    """The codes that `write_codes` wrote.

    Raises:
        PosekitError: a file is missing, damaged, or not the one that goes with the other.
    """
    path = Path(path)
    again = "write it again with `posekit codes`"
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise PosekitError(f"{path}: no whole file of codes ({error}); {again}") from None
    about = read_json(path.with_suffix(".json"))
    try:
        hook_point = about.get("hook_point") or about["place"]  # as it was called before 0.1.0
        codes = Codes(
            values, tuple(about["shape"]), hook_point, about["weights"], about["weights_fingerprint"], about["source"],
            np.array(about["ids"]), np.array(about["names"], str), np.array(about["splits"], str),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise PosekitError(f"{path.with_suffix('.json')}: does not describe codes; {again}") from None
    if values.dtype != np.float16 or values.shape != (len(codes.ids), int(np.prod(codes.shape))):
        raise PosekitError(f"{path}: is {values.shape} of {values.dtype}, and {path.stem}.json describes another file; {again}")
    return codes


def write_moments(path: str | Path, moments: Moments, model: Hourglass, card: Card, crops: Crops, hook_point: str) -> None:
    """Write the moments of codes, and which codes, as a NumPy archive: count, mean, scatter and, as JSON, about.

    Raises:
        PosekitError: the path does not end in .npz, or the disk is full.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise PosekitError(f"{path}: statistics are written as a NumPy archive; let its name end in .npz")
    about = {
        "shape": activation_shape(model, card, hook_point), "hook_point": hook_point, "weights": card.name,
        "weights_fingerprint": fingerprint(model), "source": crops.people.source, "people": crops.people.fingerprint(),
    }  # fmt: skip
    with atomic_write(path) as file:
        np.savez(file, count=moments.count, mean=moments.mean.cpu(), scatter=moments.scatter.cpu(), about=json.dumps(about))


def open_moments(path: str | Path) -> tuple[Moments, dict[str, Any]]:
    """The moments that `write_moments` wrote, and what they are of: shape, hook point, weights, source.

    Raises:
        PosekitError: the file is missing or damaged.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as found:
            mean, scatter = (torch.from_numpy(found[name]) for name in ("mean", "scatter"))
            return Moments(int(found["count"]), mean, scatter), json.loads(str(found["about"]))
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise PosekitError(f"{path}: no whole file of moments ({error}); write it again with `posekit codes --statistics`") from None


def activation_shape(model: Hourglass, card: Card, hook_point: str) -> tuple[int, ...]:
    """Channels, height and width of the activation at `hook_point` for a picture of the network's resolution; or what it has instead."""
    device = next(model.parameters()).device
    with trace(model, [hook_point]) as activations, torch.inference_mode():
        model.eval()(torch.zeros(1, 3, card.resolution, card.resolution, device=device))
    return tuple(activations[hook_point].shape[1:])


def _half(codes: Tensor, ids: np.ndarray, hook_point: str) -> np.ndarray:
    """Codes (B, D) as float16."""
    largest = codes.abs().amax(1)
    beyond = torch.nonzero(~(largest <= LARGEST)).flatten()  # not finite either
    if len(beyond):
        row = int(beyond[0])
        raise PosekitError(
            f"person {ids[row]}: an activation at {hook_point} is {float(largest[row]):.4g}, and float16 ends at {LARGEST:.0f}; "
            f"statistics alone (--statistics) are taken in float32"
        )
    return codes.to("cpu", torch.float16).numpy()
