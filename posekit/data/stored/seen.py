"""Which pictures were seen: each as a number that follows from what it shows, and sets of them small enough for a network's card."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.people import People
from posekit.data.pictures import Folder
from posekit.data.stored.digests import digests

BITS = 40  # of a number that are kept; of 60,000 pictures trained on, another one is taken for one of them once in 18 million


def pictures(people: People, cache: str | Path = "data") -> np.ndarray:
    """A number (N,) uint64 for each person's picture: of what its file holds, wherever it lies; 0 where it cannot be read.

    What is in no file is told apart by its reader's `source`, or else by the people's, with `version` and name.
    """
    if isinstance(people.read, Folder):
        return digests(people.read.root, people.names, Path(cache) / "digests")
    names, rows = np.unique(people.names, return_inverse=True)
    source = f"{getattr(people.read, 'source', people.source)}\0{people.version}"
    numbers = [hashlib.sha256(f"{source}\0{name}".encode()).digest()[:8] for name in names.tolist()]
    return np.frombuffer(b"".join(numbers), "<u8").astype(np.uint64)[rows]


def pack(numbers: np.ndarray) -> dict[str, Any]:
    """The set of numbers (N,) uint64 but 0, as plain JSON: 3 to 4 bytes each, and a quarter more as text.

    Sorted, the upper bits of each are told by how far the next one is, the lower ones as they are (Elias, 1974; Fano, 1971).

    >>> kept = pack(np.array([7, 2**40 + 7, 5, 0], np.uint64))
    >>> kept["pictures"], unpack(kept)
    (2, array([5, 7], dtype=uint64))
    """
    kept = np.unique(numbers[numbers != 0] & np.uint64(2**BITS - 1))
    low = _low(len(kept))
    upper = np.zeros(len(kept) + 2 ** (BITS - low), bool)
    upper[(kept >> np.uint64(low)).astype(int) + np.arange(len(kept))] = True
    lower = np.unpackbits(kept.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)[:, 64 - low :]
    content = np.packbits(upper).tobytes() + np.packbits(lower).tobytes()
    return {"pictures": len(kept), "hashes": base64.b85encode(content).decode()}


def unpack(kept: dict[str, Any]) -> np.ndarray:
    """The last BITS bits of the numbers that `pack` was given, sorted (n,) uint64.

    Raises:
        KeyError, TypeError, ValueError: that makes no sense.
    """
    count, content = kept["pictures"], np.frombuffer(base64.b85decode(kept["hashes"]), np.uint8)
    low = _low(count)
    length = count + 2 ** (BITS - low)
    upper = np.flatnonzero(np.unpackbits(content[: -(-length // 8)])) - np.arange(count)
    lower = np.unpackbits(content[-(-length // 8) :])[: count * low].reshape(count, low)
    bits = np.concatenate([np.zeros((count, 64 - low), np.uint8), lower], 1)
    return (upper.astype(np.uint64) << np.uint64(low)) | np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def among(numbers: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Which of the numbers (N,) uint64 are in a set that `unpack` gave, as a mask (N,)."""
    return (numbers != 0) & np.isin(numbers & np.uint64(2**BITS - 1), kept)


def _low(count: int) -> int:
    """How many of the BITS are kept as they are."""
    return BITS + 1 - max(count, 1).bit_length()
