"""How well a factor can be read at each hook point of a network, for comparison with what patching there changes.

    features = pooled(network, pictures, ["stack0.skip1", "stack0.bottleneck3"])
    found = {point: probe("left wrist", values, wrist) for point, values in features.items()}

A linear probe finds what is there; whether the network uses it, only an intervention says (`posekit.patch`).
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from posekit.coordinates import CONTEXT
from posekit.data.crops import crops
from posekit.data.people import People, iterate
from posekit.engine.inference.prediction import Predictor, by_modules
from posekit.errors import PosekitError
from posekit.hooks import trace
from posekit.interpret.activations.patching import photographs

CELLS = 8  # a side, to which larger maps are averaged
WHOLE = 64  # more than any code has, so that nothing is averaged
BATCH = 32


def pooled(
    network: Predictor, pictures: Tensor, hook_points: Iterable[str], *, cells: int = CELLS, batch: int = BATCH
) -> dict[str, np.ndarray]:  # fmt: skip
    """Activations (N, D) float32 at each hook point, of pictures (N, 3, R, R) in [0, 1]; maps of more than `cells` a side are averaged.

    Raises:
        PosekitError: no such hook point, or one whose activation is no map (N, C, h, w); no such pictures.
    """
    names = [hook_points] if isinstance(hook_points, str) else list(dict.fromkeys(hook_points))
    network.card.check_pictures(pictures)
    run = by_modules(network.model, network.backend)
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for index in iterate(len(pictures), batch):
        with trace(network.model, names) as activations, torch.inference_mode():
            run(network.card.centred(pictures[index].to(network.backend.device)))
        for name in names:
            activation = activations[name].float()
            if activation.ndim != 4:
                raise PosekitError(f"{name}: an activation of shape {tuple(activation.shape)} is no map (N, C, h, w)")
            if max(activation.shape[-2:]) > cells:
                activation = adaptive_avg_pool2d(activation, cells)
            found[name].append(activation.flatten(1).cpu().numpy())
    return {name: np.concatenate(batches) for name, batches in found.items()}


def codes_by_stack(network: Predictor, people: People, *, on_error: str = "raise") -> list[np.ndarray]:
    """The code (N, D) of each stack, the first one first, of people as this network sees them."""
    card = network.card
    seen = photographs(crops(people, int(card.resolution * CONTEXT), aspect=card.aspect, on_error=on_error), card)
    points = network.model.code_hook_points()
    found = pooled(network, seen, points, cells=WHOLE)
    return [found[point] for point in points]
