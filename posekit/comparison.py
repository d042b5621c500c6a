"""Estimators of any kind side by side: what they cost, what their stages add, and people to look at."""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from posekit import metrics


def multiply_adds(model: nn.Module, resolution: int) -> int:
    """Of convolutions and matrix products, for one picture (3, R, R); what NumPy does for `Parts` is not among them."""
    model = model.float().cpu().eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, resolution, resolution))
    return counter.get_total_flops() // 2


def fitted_numbers(model: nn.Module) -> int:
    """How many numbers were learnt: the parameters, or where a network has none (`Parts`), its buffers."""
    return sum(p.numel() for p in model.parameters()) or sum(b.numel() for b in model.buffers())


@torch.inference_mode()
def milliseconds(network: Callable[[Tensor], Tensor], pictures: Tensor, repeats: int = 5) -> float:
    """Milliseconds a person of pictures (B, 3, R, R) answered together; the median, after one that warms up."""
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        network(pictures).cpu()
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds[1:]) / len(pictures)


def gains(hits: Sequence[np.ndarray], *, seed: int = 0) -> list[dict]:
    """What each stage adds to the one before, {"mean", "low", "high", "people"}, from the hits (N, K) of all stages."""
    return [metrics.paired_difference(b, a, seed=seed) for a, b in itertools.pairwise(hits)]


def from_easy_to_hard(shares: np.ndarray, count: int) -> np.ndarray:
    """`count` people, or all if they are fewer, evenly spread by how well all estimators together do: shares (E, N), easiest first.

    People with a NaN are passed over.
    """
    mean = shares.mean(0)
    ranked = np.argsort(-mean, kind="stable")[: np.isfinite(mean).sum()]
    return ranked[np.unique(np.linspace(0, len(ranked) - 1, count).round().astype(int))] if len(ranked) else ranked
