"""How well confidences keep their word. Confidences (N, K) of N people's joints, and hits (N, K): 1 found, 0 not, NaN where not labelled.

Intervals are 95 %, by resampling people, or pictures where people share some: joints of one person are found together.
"""

from collections.abc import Callable

import numpy as np

from posekit.stats import draws, over_people

BINS = 10  # of equal width
RESAMPLES = 500
COVERAGES = np.linspace(0.05, 1, 20)  # the share of joints that is kept, the surest first


def hits_of(distances: np.ndarray, torsos: np.ndarray, reach: float) -> np.ndarray:
    """1 where a distance (N, K) is at most `reach` torso lengths (N,), else 0; NaN where either is not known."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(distances) & np.isfinite(torsos)[:, None], distances <= reach * torsos[:, None], np.nan)


def diagram(confidence: np.ndarray, hits: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0) -> list[dict]:
    """The reliability diagram: for each bin of confidence that holds joints, `confidence`, their mean, and `mean`, `low` and `high`, the
    share that was found, with `low end` and `high end` of the bin and how many `joints` it holds.
    """
    sure, found, count, _ = _binned(confidence, hits, None)
    bins = []
    for b in np.flatnonzero(count.sum(0)):
        share = over_people(found[:, b], count[:, b], pictures=pictures, seed=seed, resamples=RESAMPLES)
        bins.append({
            "low end": b / BINS, "high end": (b + 1) / BINS, "joints": int(count[:, b].sum()),
            "confidence": float(sure[:, b].sum() / count[:, b].sum()), "mean": share.mean, "low": share.low, "high": share.high,
        })  # fmt: skip
    return bins


def calibration_error(confidence: np.ndarray, hits: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict:
    """The expected calibration error (Naeini et al., 2015; Guo et al., 2017): |mean confidence − share found| of a bin, over all joints.

    Returns:
        `mean`, `low`, `high`, `people` and `joints`; `floor`, what the error of a confidence that keeps its word would be with so many
        joints, if they were found independently of each other: it is above 0, for a bin's share is a matter of chance; `over`, the mean
        confidence less the share found, above 0 where overconfident, with an interval of its own. NaN without a joint.
    """
    sure, found, count, groups = _binned(confidence, hits, pictures)

    def error(weight: np.ndarray) -> float:
        total = weight @ count
        return float(np.abs(weight @ sure - weight @ found).sum() / total.sum()) if total.sum() else np.nan

    everybody = np.ones(groups)
    known = np.isfinite(confidence) & np.isfinite(hits)
    if not known.any():
        empty = {"mean": np.nan, "low": np.nan, "high": np.nan, "people": 0}
        return empty | {"joints": 0, "floor": np.nan, "over": empty}
    low, high = _interval(error, groups, seed)
    over = over_people((sure - found).sum(1), count.sum(1), seed=seed, resamples=RESAMPLES)
    people = int(known.any(-1).sum())
    return {
        "mean": error(everybody), "low": low, "high": high, "people": people, "joints": int(known.sum()),
        "floor": _floor(confidence[known], seed), "over": {"mean": over.mean, "low": over.low, "high": over.high, "people": people},
    }  # fmt: skip


def _floor(confidence: np.ndarray, seed: int, times: int = 100) -> float:
    """The mean calibration error of joints (J,) that are found just as often as confidence (J,) says."""
    random, which = np.random.default_rng(seed), _bin(confidence)
    errors = []
    for _ in range(times):
        found = random.random(len(confidence)) < confidence
        errors.append(np.abs(np.bincount(which, confidence - found, BINS)).sum() / len(confidence))
    return float(np.mean(errors))


def ranking(confidence: np.ndarray, hits: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict:
    """How well confidence ranks found joints above the others: the area under the ROC curve, ties counted half.

    Returns:
        `mean`, `low`, `high`, `people`, `joints`; NaN where all joints are found, or none.
    """
    known = np.isfinite(confidence) & np.isfinite(hits)
    row, _ = np.nonzero(known)
    owner = row if pictures is None else np.unique(pictures, return_inverse=True)[1][row]
    owner = np.unique(owner, return_inverse=True)[1]
    _, rank = np.unique(confidence[known], return_inverse=True)
    found = hits[known] > 0.5
    block = {"people": int(known.any(-1).sum()), "joints": int(known.sum())}
    if found.all() or not found.any():
        return {"mean": np.nan, "low": np.nan, "high": np.nan} | block

    def area(weight: np.ndarray) -> float:
        of = weight[owner]
        good, bad = (np.bincount(rank[side], of[side], rank.max() + 1) for side in (found, ~found))
        below = np.cumsum(bad) - bad
        total = good.sum() * bad.sum()
        return float(good @ (below + bad / 2) / total) if total else np.nan

    groups = owner.max() + 1
    low, high = _interval(area, groups, seed)
    return {"mean": area(np.ones(groups)), "low": low, "high": high} | block


def _interval(measure: Callable[[np.ndarray], float], groups: int, seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of a measure of how often each of `groups` people, or pictures, is drawn; of one there is none."""
    if groups < 2:
        return np.nan, np.nan
    low, high = np.nanquantile([measure(weight) for weight in draws(groups, seed, RESAMPLES)], [0.025, 0.975])
    return float(low), float(high)


def risk_coverage(confidence: np.ndarray, hits: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict:
    """The share of joints not found among the surest ones, over COVERAGES (El-Yaniv & Wiener, 2010).

    Returns:
        `coverage` and `risk`, lists; `area`, the mean risk; `half`, the risk of the surer half, with its interval.
    """
    known = np.isfinite(confidence) & np.isfinite(hits)
    order = np.argsort(-confidence[known], kind="stable")
    missed = 1 - hits[known][order]
    count = np.maximum(np.round(COVERAGES * len(missed)).astype(int), 1)
    risk = np.cumsum(missed)[np.minimum(count, len(missed)) - 1] / count if len(missed) else np.full(len(COVERAGES), np.nan)
    middle = np.median(confidence[known]) if len(missed) else np.nan
    with np.errstate(invalid="ignore"):
        kept = known & (confidence >= middle)
    half = over_people(np.where(kept, 1 - hits, 0).sum(1), kept.sum(1), pictures=pictures, seed=seed, resamples=RESAMPLES)
    return {
        "coverage": COVERAGES.tolist(), "risk": risk.tolist(), "area": float(np.mean(risk)),
        "half": {"mean": half.mean, "low": half.low, "high": half.high, "people": int(kept.any(-1).sum())},
    }  # fmt: skip


def _bin(confidence: np.ndarray) -> np.ndarray:
    return np.clip((confidence * BINS).astype(int), 0, BINS - 1)


def _binned(confidence: np.ndarray, hits: np.ndarray, pictures: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Sums of confidence and hits, and counts, (G, BINS) each: a row a person, or a picture."""
    known = np.isfinite(confidence) & np.isfinite(hits)
    row, _ = np.nonzero(known)
    owner = np.arange(len(confidence)) if pictures is None else np.unique(pictures, return_inverse=True)[1]
    groups = int(owner.max()) + 1 if len(owner) else 0
    place = owner[row] * BINS + _bin(confidence[known])

    def sums(values: np.ndarray) -> np.ndarray:
        return np.bincount(place, values, groups * BINS).reshape(groups, BINS)

    return sums(confidence[known]), sums(hits[known]), sums(np.ones(known.sum())), groups
