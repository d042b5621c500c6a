"""Batches of stored crops, decoded ahead of the network by threads (JPEG decoding releases the interpreter lock)."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from posekit.data.crops import Crops
from posekit.process import cores

AHEAD = 4  # batches that are decoded in advance

Batch = tuple[Tensor, Tensor]  # crops (B, 3, S, S) uint8 and keypoints (B, K, 3) float32 in crop pixels


def load_batch(crops: Crops, index: np.ndarray) -> Batch:
    pictures = np.stack([crops[i] for i in index])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(crops.keypoints[index])


def batches(crops: Crops, indices: Iterable[np.ndarray]) -> Iterator[Batch]:
    """The batches that `indices` name, in order, with up to AHEAD of them decoded in advance."""
    with ThreadPoolExecutor(min(cores(), 8)) as pool:
        queue: deque[Future[Batch]] = deque()
        for index in indices:
            queue.append(pool.submit(load_batch, crops, index))
            if len(queue) > AHEAD:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()


def shuffled(count: int, size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Index arrays of one epoch, each of `size`; a remainder is dropped. A function of its arguments alone."""
    order = np.random.default_rng([seed, epoch]).permutation(count)
    whole = max(count // size, 1)
    return np.array_split(order[: whole * size], whole)
