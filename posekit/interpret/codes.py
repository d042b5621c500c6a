"""Codes: the bottleneck activations of people, one row a person."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from posekit.data.augment import centre_view
from posekit.data.crops import Crops
from posekit.data.loading import batches
from posekit.data.people import iterate
from posekit.interpret.trace import trace
from posekit.machine import Machine
from posekit.models.hourglass import Hourglass
from posekit.prediction import by_modules
from posekit.weights import Card


def stream(
    model: Hourglass, card: Card, crops: Crops, place: str, *, machine: Machine | None = None, batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[np.ndarray, Tensor]]:  # fmt: skip
    """The activation at `place` of one batch of people after the other: their rows (B,) and codes (B, D), float32, on the machine.

    `code_place(model, stack)` names a stack's code. A code is flattened as (C, H, W). `progress` hears how many people were done.
    """
    machine = machine or Machine.best()
    network = by_modules(model, machine)
    indices = list(iterate(len(crops), batch))
    with trace(model, [place]) as activations:
        for index, (pictures, keypoints) in zip(indices, batches(crops, indices), strict=True):
            seen, _ = centre_view(pictures.to(machine.device), keypoints.to(machine.device), card.resolution)
            if any(card.input_mean):
                seen = seen - torch.tensor(card.input_mean, device=seen.device).view(3, 1, 1)
            with torch.inference_mode():
                network(seen)
            yield index, activations[place].flatten(1).float()
            if progress:
                progress(len(index))


def collect(
    model: Hourglass, card: Card, crops: Crops, place: str, *, machine: Machine | None = None, batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:  # fmt: skip
    """Codes (N, D) float32 of all people at once; see `stream`."""
    found = stream(model, card, crops, place, machine=machine, batch=batch, progress=progress)
    return torch.cat([codes.cpu() for _, codes in found]).numpy()
