"""Estimators side by side: what their stages add, people to look at, and differences over several trainings."""

import itertools
from collections.abc import Sequence

import numpy as np

from posekit import metrics
from posekit.stats import Interval, over_seeds_and_people


def gains(hits: Sequence[np.ndarray], *, pictures: np.ndarray | None = None, seed: int = 0) -> list[dict]:
    """What each stage adds to the one before, {"mean", "low", "high", "people"}, from the hits (N, K) of all stages.

    Intervals are over people, or over `pictures` (N,) where people share one.
    """
    return [metrics.paired_difference(b, a, pictures=pictures, seed=seed) for a, b in itertools.pairwise(hits)]


def from_easy_to_hard(shares: np.ndarray, count: int) -> np.ndarray:
    """`count` people, or all if they are fewer, evenly spread by how well all estimators together do: shares (E, N), easiest first.

    People with a NaN are passed over.
    """
    mean = shares.mean(0)
    ranked = np.argsort(-mean, kind="stable")[: np.isfinite(mean).sum()]
    return ranked[np.unique(np.linspace(0, len(ranked) - 1, count).round().astype(int))] if len(ranked) else ranked


def difference(hits: np.ndarray, reference: np.ndarray) -> Interval:
    """The difference of the shares of joints found, of hits (S, N, K) from reference (S, N, K), paired by seed and by person.

    By `stats.over_seeds_and_people`: of fewer than three trainings `low` and `high` are NaN.

    >>> difference(np.tile([[1.0, 1.0], [1.0, np.nan]], (3, 1, 1)), np.tile([[1.0, 0.0], [1.0, np.nan]], (3, 1, 1))).mean
    0.3333333333333333
    """
    ours, theirs, counts = _sums(hits, reference)
    return over_seeds_and_people(ours - theirs, counts)


def relative(hits: np.ndarray, reference: np.ndarray) -> Interval:
    """As `difference`, as a share of what the reference finds; the interval is that of the ratio's linearisation (the delta method).

    Where the reference finds nothing all is NaN.
    """
    ours, theirs, _ = _sums(hits, reference)
    return over_seeds_and_people(ours - theirs, theirs)


def _sums(hits: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S, N) each: joints found by both sides, and joints that count in both."""
    both = np.isfinite(hits) & np.isfinite(reference)
    return np.where(both, hits, 0).sum(-1), np.where(both, reference, 0).sum(-1), both.sum(-1)
