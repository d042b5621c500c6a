"""What a network costs: multiply-adds, numbers that were learnt, time."""

import copy
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(model: nn.Module, resolution: int) -> int:
    """Of convolutions and matrix products, for one picture (3, R, R); what NumPy does for `Parts` is not among them."""
    model = copy.deepcopy(model).float().eval()  # the caller's stays as it is
    device = next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, resolution, resolution, device=device))
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
