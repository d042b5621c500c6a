"""Metrics of a chapter in which intervals are missing, as of a single person: each alone, and all of them."""

from collections.abc import Iterator, Mapping
from typing import Any

OPEN = {"low": None, "high": None}


def paths(metrics: Any, path: tuple = ()) -> Iterator[tuple]:
    """Where the metrics have a block with a mean and an interval of numbers."""
    if isinstance(metrics, Mapping):
        if "mean" in metrics and all(isinstance(metrics.get(end), float | int) for end in OPEN):
            yield path
        for key, value in metrics.items():
            yield from paths(value, (*path, key))
    elif isinstance(metrics, list):
        for i, value in enumerate(metrics):
            yield from paths(value, (*path, i))


def without(metrics: Any, chosen: set[tuple], path: tuple = ()) -> Any:
    """A copy of the metrics in which the blocks at the chosen paths have no interval."""
    if isinstance(metrics, Mapping):
        found = {key: without(value, chosen, (*path, key)) for key, value in metrics.items()}
        return found | OPEN if path in chosen else found
    if isinstance(metrics, list):
        return [without(value, chosen, (*path, i)) for i, value in enumerate(metrics)]
    return metrics


def without_intervals(metrics: Any) -> Iterator[Any]:
    """The metrics without any interval, and without each by itself."""
    found = list(paths(metrics))
    yield without(metrics, set(found))
    yield from (without(metrics, {path}) for path in found)
