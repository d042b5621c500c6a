"""Estimators side by side: what their stages add, people to look at, and differences over several trainings."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from posekit import metrics


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


def crossed(sums: np.ndarray, counts: np.ndarray, *, seed: int = 0, resamples: int = 2000) -> list[float]:
    """The total of `sums` (S, N) over that of `counts` (S, N), with its 95 % interval over both seeds and people.

    Seeds and people are resampled independently of each other (the pigeonhole bootstrap of Owen, "The pigeonhole bootstrap",
    Annals of Applied Statistics 1, 2007), which for effects of both is on the safe side. Few seeds say little about how
    trainings differ, however they are resampled.

    >>> crossed(np.ones((3, 5)), np.full((3, 5), 2))
    [0.5, 0.5, 0.5]
    """
    return _percentiles(lambda a, b: (a @ sums @ b) / (a @ counts @ b), len(sums), np.shape(sums)[1], seed, resamples)


def relative(hits: np.ndarray, reference: np.ndarray, *, seed: int = 0, resamples: int = 2000) -> list[float]:
    """By how much the share of `hits` (S, N, K) is more than that of `reference` (S, N, K), as a share of the latter.

    With its 95 % interval over seeds and people, as `crossed`; seeds are paired.
    """
    ours, theirs, _ = _sums(hits, reference)
    return _percentiles(lambda a, b: (a @ ours @ b) / (a @ theirs @ b) - 1, len(ours), ours.shape[1], seed, resamples)


def difference(hits: np.ndarray, reference: np.ndarray, *, seed: int = 0) -> dict[str, float | int]:
    """{"mean", "low", "high", "people", "seeds"} of the paired difference of hits (S, N, K) from reference (S, N, K)."""
    ours, theirs, counts = _sums(hits, reference)
    mean, low, high = crossed(ours - theirs, counts, seed=seed)
    return {"mean": mean, "low": low, "high": high, "people": int((counts.sum(0) > 0).sum()), "seeds": len(counts)}


def _sums(hits: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S, N) each: joints found by both sides, and joints that count in both."""
    both = np.isfinite(hits) & np.isfinite(reference)
    return np.where(both, hits, 0).sum(-1), np.where(both, reference, 0).sum(-1), both.sum(-1)


def _percentiles(statistic: Callable, seeds: int, people: int, seed: int, resamples: int) -> list[float]:
    random = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        a = np.bincount(random.integers(seeds, size=seeds), minlength=seeds)
        values.append(statistic(a, np.bincount(random.integers(people, size=people), minlength=people)))
    low, high = np.quantile(values, [0.025, 0.975])
    return [float(statistic(np.ones(seeds), np.ones(people))), float(low), float(high)]
