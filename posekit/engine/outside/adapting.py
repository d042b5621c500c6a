"""`posekit.adapt`: an outside network in the form of posekit's own.

    network = posekit.adapt(module, skeleton="coco", size=(256, 192), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    network.predict("photograph.jpg"), posekit.evaluate(network, "coco:photographs"), posekit.trace(network.model, ["layer4"])

What a network does is not guessed where it can be read in two ways: a dry pass looks at the shapes of its answer, and what is odd is
refused in a line that says what to give.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from posekit.coordinates import ALIGNMENTS, STRIDE
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Predictor
from posekit.engine.weights import Card
from posekit.errors import PosekitError, whole
from posekit.hooks import edit, first_tensor, nearest
from posekit.models.adapted import Adapted, answered
from posekit.skeleton import SKELETONS, Skeleton, skeleton_of

VALUES = {  # what a network's numbers are, and the card's word for it
    "raw": "mse", "sigmoid": "mse", "softmax": "cross-entropy", "pixels": "coordinates", "shares": "coordinates",
}  # fmt: skip
SAME = 0.05  # of the spread of its answer, up to which a network answers alike: what quantisation over a batch changes
CELLS = 3  # a side, of the smallest map that can be decoded
Output = int | str | Callable[[Any], Tensor]


@torch.inference_mode(False)
def adapt(
    module: nn.Module, skeleton: Skeleton | str, size: int | tuple[int, int], *, mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0), values: str = "raw", output: Output | None = None, stride: int | None = None,
    code: str | Sequence[str] = "", skips: Sequence[str] | Mapping[str, Sequence[str]] = (), attention: str = "",
    stages: Sequence[str] = (), alignment: str = "centres", name: str = "", backend: Backend | None = None,
    report: Callable[[str], None] | None = print,
) -> Predictor:  # fmt: skip
    """A predictor of an outside network; every function that takes one of posekit's networks takes it.

    Args:
        module: takes pictures (B, 3, H, W) of RGB, normalised by `mean` and `std`, and answers with heatmaps or coordinates. It is put into
            eval mode, and activations that it computes in place are computed anew, so that they can be traced.
        skeleton: whose joints its maps are of, in their order: a name of posekit.SKELETONS or a `Skeleton` of your own.
        size: (H, W) of its input in pixels, or the side of a square. People are cut out as squares of the longer side, large enough that
            their boxes fit into the input in the middle.
        mean: of each colour, which pictures in [0, 1] are lessened by; (0.485, 0.456, 0.406) for ImageNet's.
        std: of each colour, which they are then divided by; (0.229, 0.224, 0.225) for ImageNet's.
        values: what its maps become: "raw", they are heatmaps as they come; "sigmoid"; "softmax", over the cells of a map. Or, of a
            network that answers with coordinates x and y, their unit: "pixels" of its input, the centre of the first at (0, 0), or
            "shares" of its width and height, from the outer edges.
        output: which part of its answer these are, where that is no tensor: an index, a name, or a function of the answer.
            Maps are (B, K, h, w), or (B, stages, K, h, w), or a list of the former, one a stage; coordinates (B, K, 2) likewise.
        stride: input pixels to a heatmap cell; measured by the dry pass, and checked against it where given.
        code: the hook point whose activation is the network's code, for components, probes, walks and clusters; of several stages, one
            for each or one for all.
        skips: hook points of its skip connections, by the name of what is replaced together or each by itself; `all` is every one of them.
        attention: the hook point of a transformer's attention that answers with its weights (B, heads, T, T) over the cells of the input,
            row by row, as the second of a tuple; for `explain(..., method="attention")`.
        stages: hook points that compute the maps of the stages, the first one's first, for a network with intermediate supervision whose
            answer has the last stage's alone; they are read there, in place of the answer.
        alignment: of the maps' cells with the input's pixels: "centres", a cell covers its pixels; "msra", cell i is at pixel i times
            stride; "udp", the first and the last cell are at the first and the last pixel. It is the trainer's; mmpose's codecs name it.
        name: how tables and figures call it; by default its class.
        report: called with what the dry pass found, a line each; None for silence.

    Raises:
        PosekitError: the module cannot take such pictures; its answer can be read in several ways, is not finite, changes from call to
            call, has another number of maps than the skeleton has joints or maps of another shape than its input; a hook point that it
            does not have, or that is computed several times in a pass or overwritten later in it.

    >>> module = torch.nn.Conv2d(3, 17, 8, stride=8)
    >>> network = adapt(module, "coco", 64, name="toy", report=None)
    >>> network.card.stride, network.predict(torch.zeros(50, 40, 3, dtype=torch.uint8).numpy())
    (8, <Poses of 1 person, coco skeleton, in a picture of 40 x 50 px>)
    """
    module = _unwrapped(module)
    name = name or type(module).__name__
    if not isinstance(module, nn.Module):
        loaded = "already a network of posekit's" if isinstance(module, Predictor) else "no torch.nn.Module; build it and load its weights"
        raise PosekitError(f"{name}: is {loaded}")
    try:
        skeleton = skeleton_of(skeleton)
    except (ValueError, TypeError) as error:
        raise PosekitError(f"{name}: {error}") from None
    try:
        mirrored, _ = sorted(skeleton.mirrored) == list(range(len(skeleton))), skeleton.limb_indices
    except ValueError as error:
        raise PosekitError(f"{name}: {error}") from None
    if not mirrored:
        raise PosekitError(f"{name}: skeleton {skeleton}: a left joint has no right one, or two; Skeleton(pairs=...) says which")
    height, width = _size(size, name)
    stride = None if stride is None else whole("stride", stride, 1)
    for what, word, there in (("values", values, list(VALUES)), ("alignment", alignment, list(ALIGNMENTS))):
        if word not in there:
            raise PosekitError(f"{name}: {what} is {word!r}; give {' or '.join(there)}")
    mean, std = _colours("mean", mean, name), _colours("std", std, name)
    try:
        module.eval()
    except NotImplementedError:  # of torch.export
        raise PosekitError(f"{name}: an exported program; give the network that it was made of") from None
    for child in module.modules():
        if getattr(child, "inplace", False) is True:
            child.inplace = False  # type: ignore[assignment]

    if stages and output is not None:
        raise PosekitError(f"{name}: stages says where the maps are computed, and output where they are in the answer; give one of them")
    codes = (code,) if isinstance(code, str) and code else tuple(code or ())
    coordinates = VALUES[values] == "coordinates"
    shares = (height, width) if values == "shares" else None
    read: Callable[[Any], Tensor] = (
        partial(coordinates_of, output=output, name=name, shares=shares)
        if coordinates
        else partial(heatmaps_of, output=output, name=name, sigmoid=values == "sigmoid")
    )
    modules = dict(module.named_modules())
    for point in stages:
        if point not in modules:
            raise PosekitError(f"{name}: {point} is none of its modules; {nearest(point, [*filter(None, modules)])}")
    points, maps = _dry_pass(module, stages, read, height, width, name)
    if coordinates:
        _check_coordinates(maps, len(skeleton), height, width, values, name)
        stride = stride or STRIDE
    else:
        stride = _stride(maps, len(skeleton), height, width, stride, name)
        if values == "softmax" and maps.min() >= 0 and (maps.sum((-2, -1)) - 1).abs().max() < 1e-3:
            raise PosekitError(f'{name}: each of its maps sums to 1 already, after a softmax of its own; give values="raw"')
    skips = [skips] if isinstance(skips, str) else skips or ()
    named = {point: (point,) for point in skips} if not isinstance(skips, Mapping) else {
        group: (points,) if isinstance(points, str) else tuple(points) for group, points in skips.items()
    }  # fmt: skip
    for group, together in named.items():
        if not together:
            raise PosekitError(f"{name}: skips: {group} names no hook point; give those that are replaced together, or leave it out")
    if len(codes) not in (0, 1, maps.shape[1]):
        raise PosekitError(f"{name}: {len(codes)} codes, {maps.shape[1]} stages; give a code for each stage, or one")
    shapes = {point: shape for point, shape in points.items() if isinstance(shape, tuple)}
    for point in chain(codes, filter(None, (attention,)), stages, *named.values()):
        if not isinstance(points.get(point), tuple):
            fault = points.get(point, "is none of its modules that compute a tensor")
            raise PosekitError(f"{name}: {point} {fault}; {nearest(point, list(shapes))}")
    model = Adapted(
        module, read, (height, width), mean, std, stride, kind=VALUES[values], joints=len(skeleton), stages=maps.shape[1], shapes=shapes,
        codes=codes, skips=named, attention=attention, stage_points=stages,
    )  # fmt: skip
    if maps.shape[1] > 1:
        model.reaches = _first_stages(model)
    named_so = skeleton.name if SKELETONS.get(skeleton.name) == skeleton else skeleton
    card = Card(
        name,
        {},
        named_so,
        max(height, width),
        VALUES[values],
        architecture="adapted",
        stride=stride,
        aspect=width / height,
        alignment=alignment,
    )
    if report:
        many, count = maps.shape[1:3]
        answer = f"{count} joints' x and y" if coordinates else f"{count} maps of {maps.shape[3]} x {maps.shape[4]} cells"
        strided = "" if coordinates else f", stride {stride}"
        strided += "" if coordinates or alignment == "centres" else f" aligned as {alignment}"
        report(f"{name}: {many} stage{'s' * (many > 1)} of {answer} for {height} x {width} pixels, rows first{strided}; of noise "
               f"{float(maps.min()):.3g} to {float(maps.max()):.3g}, taken as {'pixels' if coordinates else values}")  # fmt: skip
        between = f", from {next(iter(shapes))} to {list(shapes)[-1]}" if shapes else ""
        report(f"{name}: {len(shapes)} hook points{between}; code: {', '.join(codes) or 'none named'}; "
               f"skip connections: {', '.join(named) or 'none named'}")  # fmt: skip
    return Predictor(model, card, backend)


def heatmaps_of(answer: Any, output: Output | None, name: str, sigmoid: bool = False) -> Tensor:
    """The heatmaps (B, stages, K, h, w) in a network's answer, after a sigmoid where they are its logits.

    Raises:
        PosekitError: it is not said which part of the answer they are.
    """
    if output is None and isinstance(found := getattr(answer, "heatmaps", None), Tensor):
        answer = found
    answer = _staged(_part(answer, output, name), 4)
    if not isinstance(answer, Tensor) or answer.ndim != 5:
        raise PosekitError(f"{name}: its answer is {_described(answer)}, not heatmaps (B, K, h, w) or a list of them, one a stage; say by "
                           "`output` which part they are: an index, a name or a function")  # fmt: skip
    return answer.sigmoid() if sigmoid else answer


def coordinates_of(answer: Any, output: Output | None, name: str, shares: tuple[int, int] | None = None) -> Tensor:
    """The coordinates (B, stages, K, 2), in pixels of the input, in a network's answer: `shares` of its (H, W), or pixels already.

    Raises:
        PosekitError: it is not said which part of the answer they are, or they are no x and y.
    """
    answer = _staged(_part(answer, output, name), 3)
    if not isinstance(answer, Tensor) or answer.ndim != 4 or answer.shape[-1] != 2:
        raise PosekitError(f"{name}: its answer is {_described(answer)}, not coordinates (B, K, 2) of x and y or a list of them, one a "
                           "stage; say by `output` what they are: output=lambda answer: answer.unflatten(-1, (-1, 2)) where they come as "
                           "x, y, x, y, ...; answer[..., :2] where there is a third")  # fmt: skip
    return answer if shares is None else answer * answer.new_tensor(shares[::-1]) - 0.5


def _unwrapped(module: Any) -> Any:
    """The network in what trains it: its modules have their own names, and all of them answer to hooks."""
    while isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel | AveragedModel) or hasattr(module, "_orig_mod"):
        module = module._orig_mod if hasattr(module, "_orig_mod") else module.module
    return module


def _size(size: Any, name: str) -> tuple[int, int]:
    sides = (size, size) if np.ndim(size) == 0 else tuple(size)
    try:
        height, width = (whole("size", side, 1) for side in sides)
    except (PosekitError, ValueError):  # ValueError: of one side, or three
        height = width = 0
    if min(height, width) < 1:
        raise PosekitError(f"{name}: size is {size!r}; give (height, width) in whole pixels, or the side of a square")
    return height, width


def _colours(what: str, given: Any, name: str) -> tuple[float, ...]:
    """Three finite numbers of red, green and blue, which pictures in [0, 1] are normalised by; those of 0 to 255 are refused."""
    try:
        three = tuple(float(value) for value in given)
    except (TypeError, ValueError):
        three = ()
    if len(three) != 3 or not np.isfinite(three).all() or (what == "std" and min(three) <= 0):
        above = ", above 0" if what == "std" else ""
        raise PosekitError(f"{name}: {what} is {given!r}; give three numbers, of red, green and blue{above}")
    if max(map(abs, three)) > 1:
        raise PosekitError(f"{name}: {what} is {three}; pictures here are of 0 to 1, so that what is meant for 0 to 255 is divided by 255")
    return three


def _part(answer: Any, output: Output | None, name: str) -> Any:
    """The part of an answer that `output` names."""
    if callable(output):
        return output(answer)
    if output is None:
        return answer
    try:
        return getattr(answer, output) if isinstance(output, str) and hasattr(answer, output) else answer[output]
    except (KeyError, IndexError, TypeError):
        raise PosekitError(f"{name}: its answer is {_described(answer)} and has no {output!r}") from None


def _staged(answer: Any, axes: int) -> Any:
    """A tensor of so many axes, or a list of such of one shape, as one tensor that has the stages for its second axis."""
    if isinstance(answer, list | tuple) and answer:
        if all(isinstance(a, Tensor) and a.ndim == axes and a.shape == answer[0].shape for a in answer):
            return torch.stack(list(answer), 1)
    return answer[:, None] if isinstance(answer, Tensor) and answer.ndim == axes else answer


def _described(answer: Any) -> str:
    if isinstance(answer, Tensor):
        return f"a tensor {tuple(answer.shape)}"
    if isinstance(answer, Mapping):
        return f"a {type(answer).__name__} of {', '.join(f'{key}: {_described(value)}' for key, value in answer.items())}"
    if isinstance(answer, list | tuple):
        return f"a {type(answer).__name__} of {', '.join(map(_described, answer))}"
    return f"a {type(answer).__name__}"


def _dry_pass(
    module: nn.Module, stages: Sequence[str], read: Callable, height: int, width: int, name: str
) -> tuple[dict[str, Any], Tensor]:  # fmt: skip
    """What each module that computes a tensor is as a hook point, in the order of computation, and the answer to two pictures of noise.

    A hook point is the shape of its activation, without the pictures' axis, or a clause on why it is none.
    """
    seen: dict[str, list[tuple[Tensor, int]]] = {}

    def count(point: str) -> Callable:
        def hook(_module: nn.Module, _inputs: tuple, answer: Any) -> None:
            found = first_tensor(answer)
            if found is not None and found.ndim and len(found) == 2:
                seen.setdefault(point, []).append((found, found._version))

        return hook

    parameter = next(chain(module.parameters(), module.buffers()), torch.empty(0))
    if parameter.is_meta or parameter.dtype not in (torch.float32, torch.uint8):  # an ONNX file's only tensor is its digest
        fault = "on the device meta, without values; load them" if parameter.is_meta else f"{parameter.dtype}; give module.float()"
        raise PosekitError(f"{name}: its weights are {fault}")
    pictures = _noise(module, height, width)
    hooks = [
        child.register_forward_hook(count(point))
        for point, child in module.named_modules(remove_duplicate=True)
        if point and not isinstance(child, torch.jit.RecursiveScriptModule)  # which takes none
    ]
    try:
        with torch.no_grad():
            maps = read(answered(module, pictures.clone(), stages))  # which a network may normalise in place
    except PosekitError:
        raise
    except Exception as error:
        raise PosekitError(f"{name}: cannot take pictures (2, 3, {height}, {width}): {type(error).__name__}: "
                           f"{' '.join(str(error).split())[:200]}; `size` is (height, width)") from None  # fmt: skip
    finally:
        for hook in hooks:
            hook.remove()
    if maps.is_complex():
        raise PosekitError(f"{name}: answers with complex numbers; give `output` so that they are real")
    if len(maps) != 2:
        raise PosekitError(f"{name}: answers to 2 pictures with {len(maps)}; give `output` so that the first axis is the picture")
    if not maps.isfinite().all():
        raise PosekitError(f"{name}: answers to noise with numbers that are not finite; its weights are damaged, or it wants another input")
    with torch.no_grad():
        three = read(answered(module, torch.stack([pictures[0], pictures[1] / 4, pictures[1] / 4]), stages))
    if len(three) != 3:  # of two stages of two pictures, the axes look alike
        raise PosekitError(f"{name}: answers to 3 pictures with {len(three)}; give `output` so that the first axis is the picture")
    again, first = three[0].float(), maps[0].float()
    if (again - first).abs().mean() > SAME * first.std(correction=0) + 1e-5 * first.abs().max():
        raise PosekitError(f"{name}: its answer to a picture changes from call to call, or with the pictures beside it, in eval mode too; "
                           "are there F.dropout without training=self.training, or batch statistics?")  # fmt: skip
    return {point: _as_hook_point(found) for point, found in seen.items()}, maps.float()


def _noise(module: nn.Module, height: int, width: int) -> Tensor:
    parameter = next(chain(module.parameters(), module.buffers()), torch.empty(0))
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)).to(parameter.device)


def _first_stages(model: Adapted) -> dict[str, int]:
    """The first stage whose maps each activation reaches, by their gradients; nothing is said of one that has none."""
    seen: dict[str, Tensor] = {}

    def keep(activation: Tensor, name: str) -> Tensor:  # a copy, so that what a module hands through has a gradient of its own
        seen[name] = activation.clone()
        return seen[name]

    with torch.enable_grad(), edit(model, dict.fromkeys(model.shapes, keep)):
        maps = model.read(answered(model.module, _noise(model.module, *model.size).requires_grad_(), model.stage_points))
    kept = {point: activation for point, activation in seen.items() if activation.requires_grad}
    found: dict[str, int] = {}
    for stage in reversed(range(maps.shape[1] if kept and maps.requires_grad else 0)):
        total = (maps[:, stage] * torch.rand_like(maps[:, stage])).sum()
        slopes = torch.autograd.grad(total, list(kept.values()), retain_graph=True, allow_unused=True)
        found |= {point: stage for point, slope in zip(kept, slopes, strict=True) if slope is not None and slope.any()}
    return found


def _as_hook_point(found: list[tuple[Tensor, int]]) -> tuple[int, ...] | str:
    if len(found) > 1:
        return f"is computed {len(found)} times in a pass"
    activation, version = found[0]
    return "is overwritten in place later in the pass" if activation._version != version else tuple(activation.shape[1:])


def _check_coordinates(found: Tensor, joints: int, height: int, width: int, values: str, name: str) -> None:
    """Raises PosekitError where coordinates are not of these joints, or can hardly be in the unit that they are said to be in."""
    if found.shape[2] != joints:
        raise PosekitError(f"{name}: answers with {found.shape[2]} joints, the skeleton has {joints}")
    if values == "pixels" and found.abs().max() <= 1.5:
        raise PosekitError(f"{name}: all of its coordinates lie in the corner of the input, {float(found.min()):.3g} to "
                           f"{float(found.max()):.3g} pixels; give values='shares' where they are shares of width and height")  # fmt: skip
    if values == "shares" and found.abs().max() > 4 * max(height, width):
        raise PosekitError(f"{name}: its coordinates are far outside of the input as shares of its width and height; give "
                           'values="pixels" where they are pixels')  # fmt: skip


def _stride(maps: Tensor, joints: int, height: int, width: int, given: int | None, name: str) -> int:
    """Input pixels to a cell, the same along both axes.

    Raises:
        PosekitError: the maps are not of these joints, or do not divide the input evenly.
    """
    _, _, count, rows, columns = maps.shape
    if count != joints:
        hint = "; the answer's axes seem to be (B, h, w, K): give output=lambda maps: maps.permute(0, 3, 1, 2)" if columns == joints else ""
        if count == joints + 1:
            hint = "; if the last map is the background, leave it out by output=lambda maps: maps[:, :-1]"
        raise PosekitError(f"{name}: answers with {count} maps, the skeleton has {joints} joints{hint}")
    if max(rows, columns) < CELLS:
        raise PosekitError(f"{name}: maps of {rows} x {columns} cells; joints are read from {CELLS} cells a side at least")
    stride = height // rows
    if (rows * stride, columns * stride) != (height, width):
        raise PosekitError(f"{name}: maps of {rows} x {columns} cells for {height} x {width} pixels, rows first, have no one stride; is "
                           "`size` (height, width)?")  # fmt: skip
    if given not in (None, stride):
        raise PosekitError(f"{name}: stride is given as {given}; maps of {rows} rows for {height} pixels have {stride}")
    if (max(height, width) - min(height, width)) % (2 * stride):
        raise PosekitError(f"{name}: {height} x {width} pixels with a stride of {stride}: a square of the longer side leaves no whole "
                           "cells to either side")  # fmt: skip
    return stride
