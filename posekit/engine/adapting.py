"""`posekit.adapt`: an outside network in the form of posekit's own.

    network = posekit.adapt(module, skeleton="coco", size=(256, 192), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    network.predict("photograph.jpg"), posekit.evaluate(network, "coco:photographs"), posekit.trace(network.model, ["layer4"])

What a network does is not guessed where it can be read in two ways: a dry pass looks at the shapes of its answer, and what is odd is
refused in a line that says what to give.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from posekit.engine.backend import Backend
from posekit.engine.prediction import Predictor
from posekit.engine.weights import Card
from posekit.errors import PosekitError
from posekit.hooks import first_tensor
from posekit.models.adapted import Adapted
from posekit.skeleton import Skeleton, skeleton_of

VALUES = {"raw": "mse", "sigmoid": "mse", "softmax": "cross-entropy"}  # what maps become, and the card's word for it
Output = int | str | Callable[[Any], Tensor]


@torch.inference_mode(False)
def adapt(
    module: nn.Module, skeleton: Skeleton | str, size: int | tuple[int, int], *, mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0), values: str = "raw", output: Output | None = None, stride: int | None = None,
    code: str = "", skips: Sequence[str] | Mapping[str, Sequence[str]] = (), name: str = "", backend: Backend | None = None,
    report: Callable[[str], None] | None = print,
) -> Predictor:  # fmt: skip
    """A predictor of an outside network that answers with heatmaps; every function that takes one of posekit's networks takes it.

    Args:
        module: takes pictures (B, 3, H, W) of RGB, normalised by `mean` and `std`, and answers with heatmaps.
        skeleton: whose joints its maps are of, in their order: a name of posekit.SKELETONS or a `Skeleton` of your own.
        size: (H, W) of its input in pixels, or the side of a square. People are cut out as squares of the longer side, large enough that
            their boxes fit into the input in the middle.
        mean, std: by which pictures in [0, 1] are normalised, (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225) for ImageNet's.
        values: what its maps become: "raw", they are heatmaps as they come; "sigmoid"; "softmax", over the cells of a map.
        output: which part of its answer the heatmaps are, where that is no tensor: an index, a name, or a function of the answer.
            Maps are (B, K, h, w), or (B, stages, K, h, w), or a list of the former, one a stage.
        stride: input pixels to a heatmap cell; measured by the dry pass, and checked against it where given.
        code: the hook point whose activation is the network's code, for components, probes, walks and clusters.
        skips: hook points of its skip connections, by the name of what is replaced together or each by itself.
        name: how tables and figures call it; by default its class.
        report: called with what the dry pass found, a line each; None for silence.

    Raises:
        PosekitError: the module cannot take such pictures; its answer can be read in several ways, is not finite, has another number of
            maps than the skeleton has joints or maps of another shape than its input; a hook point that it does not have, or that is
            computed several times in a pass.

    >>> module = torch.nn.Conv2d(3, 17, 8, stride=8)
    >>> network = adapt(module, "coco", 64, name="toy", report=None)
    >>> network.card.stride, network.predict(torch.zeros(50, 40, 3, dtype=torch.uint8).numpy())
    (8, <Poses of 1 person, coco skeleton, in a picture of 40 x 50 px>)
    """
    name = name or type(module).__name__
    try:
        skeleton = skeleton_of(skeleton)
    except ValueError as error:
        raise PosekitError(f"{name}: {error}") from None
    try:
        mirrored = sorted(skeleton.mirrored) == list(range(len(skeleton)))
    except ValueError:
        mirrored = False
    if not mirrored:
        raise PosekitError(f"{name}: skeleton {skeleton}: a left joint has no right one, or two; Skeleton(pairs=...) says which")
    height, width = (size, size) if isinstance(size, int) else size
    if values not in VALUES:
        raise PosekitError(f"{name}: values is {values!r}; give {' or '.join(VALUES)}")
    for what, three in (("mean", mean), ("std", std)):
        if len(three) != 3 or (what == "std" and min(three) <= 0):
            above = ", above 0" if what == "std" else ""
            raise PosekitError(f"{name}: {what} is {tuple(three)}; give three numbers, of red, green and blue{above}")
    module.eval()

    read = partial(heatmaps_of, output=output, name=name, sigmoid=values == "sigmoid")
    points, maps = _dry_pass(module, read, height, width, name)
    stride = _stride(maps, len(skeleton), height, width, stride, name)
    named = {point: (point,) for point in skips} if not isinstance(skips, Mapping) else {k: tuple(v) for k, v in skips.items()}
    for point in chain([code] if code else [], *named.values()):
        if points.get(point) != 1:
            times = f"is computed {points[point]} times in a pass" if point in points else "is none of its modules that compute a tensor"
            raise PosekitError(f"{name}: {point} {times}; there are {', '.join(p for p, count in points.items() if count == 1)}")
    once = tuple(point for point, count in points.items() if count == 1)
    model = Adapted(module, read, (height, width), mean, std, stride, logits=values == "softmax", names=once, code=code, skips=named)
    card = Card(name, {}, skeleton, max(height, width), VALUES[values], architecture="adapted", stride=stride, aspect=width / height)
    if report:
        _, stages, count, rows, columns = maps.shape
        staged = f"{stages} stage{'s' * (stages > 1)} of {count} maps"
        report(f"{name}: {staged} of {rows} x {columns} cells for {height} x {width} pixels, rows first, "
               f"stride {stride}; of noise {float(maps.min()):.3g} to {float(maps.max()):.3g}, taken as {values}")  # fmt: skip
        report(f"{name}: {len(once)} hook points, from {once[0]} to {once[-1]}; code: {code or 'none named'}; "
               f"skip connections: {', '.join(named) or 'none named'}")  # fmt: skip
    return Predictor(model, card, backend)


def heatmaps_of(answer: Any, output: Output | None, name: str, sigmoid: bool = False) -> Tensor:
    """The heatmaps (B, stages, K, h, w) in a network's answer, after a sigmoid where they are its logits.

    Raises:
        PosekitError: it is not said which part of the answer they are.
    """
    if callable(output):
        answer = output(answer)
    elif output is not None:
        try:
            answer = getattr(answer, output) if isinstance(output, str) and hasattr(answer, output) else answer[output]
        except (KeyError, IndexError, TypeError):
            raise PosekitError(f"{name}: its answer is {_described(answer)} and has no {output!r}") from None
    elif isinstance(found := getattr(answer, "heatmaps", None), Tensor):
        answer = found
    if (
        isinstance(answer, list | tuple)
        and answer
        and all(isinstance(a, Tensor) and a.ndim == 4 and a.shape == answer[0].shape for a in answer)
    ):
        answer = torch.stack(list(answer), 1)
    if isinstance(answer, Tensor) and answer.ndim == 4:
        answer = answer[:, None]
    if not isinstance(answer, Tensor) or answer.ndim != 5:
        raise PosekitError(f"{name}: its answer is {_described(answer)}, not heatmaps (B, K, h, w) or a list of them, one a stage; say by "
                           "`output` which part they are: an index, a name or a function")  # fmt: skip
    return answer.sigmoid() if sigmoid else answer


def _described(answer: Any) -> str:
    if isinstance(answer, Tensor):
        return f"a tensor {tuple(answer.shape)}"
    if isinstance(answer, Mapping):
        return f"a {type(answer).__name__} of {', '.join(f'{key}: {_described(value)}' for key, value in answer.items())}"
    if isinstance(answer, list | tuple):
        return f"a {type(answer).__name__} of {', '.join(map(_described, answer))}"
    return f"a {type(answer).__name__}"


def _dry_pass(module: nn.Module, read: Callable, height: int, width: int, name: str) -> tuple[Counter, Tensor]:
    """How often each module computed a tensor, in the order of computation, and the heatmaps (2, stages, K, h, w) of pictures of noise."""
    points: Counter = Counter()

    def count(point: str) -> Callable:
        def hook(_module: nn.Module, _inputs: tuple, answer: Any) -> None:
            found = first_tensor(answer)
            if found is not None and found.ndim and len(found) == 2:
                points[point] += 1

        return hook

    parameter = next(chain(module.parameters(), module.buffers()), torch.empty(0))
    pictures = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)).to(parameter.device)
    hooks = [child.register_forward_hook(count(point)) for point, child in module.named_modules(remove_duplicate=True) if point]
    try:
        with torch.no_grad():
            maps = read(module(pictures))
    except PosekitError:
        raise
    except Exception as error:
        raise PosekitError(f"{name}: cannot take pictures (2, 3, {height}, {width}): {type(error).__name__}: "
                           f"{' '.join(str(error).split())[:200]}; `size` is (height, width)") from None  # fmt: skip
    finally:
        for hook in hooks:
            hook.remove()
    if len(maps) != 2:
        raise PosekitError(f"{name}: answers to 2 pictures with {len(maps)}; give `output` so that the first axis is the picture")
    if not maps.isfinite().all():
        raise PosekitError(f"{name}: answers to noise with numbers that are not finite; its weights are damaged, or it wants another input")
    return points, maps.float()


def _stride(maps: Tensor, joints: int, height: int, width: int, given: int | None, name: str) -> int:
    """Input pixels to a cell, the same along both axes.

    Raises:
        PosekitError: the maps are not of these joints, or do not divide the input evenly.
    """
    _, _, count, rows, columns = maps.shape
    if count != joints:
        hint = "; the answer's axes seem to be (B, h, w, K): give output=lambda maps: maps.permute(0, 3, 1, 2)" if columns == joints else ""
        raise PosekitError(f"{name}: answers with {count} maps, the skeleton has {joints} joints{hint}")
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
