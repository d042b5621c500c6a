"""Intervals. Every one is at 95 % and says what it runs over."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit  # quantiles of Student's t, as scipy.stats has them, which takes half a second to import


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval.

    Attributes:
        mean, low, high: in the unit of what is averaged. Without an interval `low` and `high` are NaN.
        over: what was sampled: "seeds", "people", "pictures", "seeds and people".
        n: how many there were, in the order of `over`.

    >>> interval = Interval(0.02, 0.01, 0.03, "seeds", (3,))
    >>> interval.excludes(0), interval.excludes(0.02)
    (True, False)
    """

    mean: float
    low: float
    high: float
    over: str
    n: tuple[int, ...]

    def excludes(self, value: float) -> bool:
        return bool(value < self.low or value > self.high)


def over_people(
    sums: np.ndarray, counts: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0, resamples: int = 1000
) -> Interval:  # fmt: skip
    """The total of `sums` (N,) over that of `counts` (N,), and its 95 % percentile bootstrap interval.

    People are resampled; where some share a picture, by its id in `pictures` (N,), pictures are, with all who are in them: people of one
    picture fare alike, and as many of their own would say more. Without a count there is no number, and of one no interval.

    >>> over_people(np.array([2.0, 1.0]), np.array([2, 2])).mean
    0.75
    """
    some = np.asarray(counts) > 0  # the others add nothing to either total
    sums, counts, over = np.asarray(sums, float)[some], np.asarray(counts)[some], "people"
    if pictures is not None:
        names, picture = np.unique(np.asarray(pictures)[some], return_inverse=True)
        if len(names) < len(sums):
            sums, counts, over = np.bincount(picture, sums), np.bincount(picture, counts), "pictures"
    if not len(counts):
        return Interval(float("nan"), float("nan"), float("nan"), over, (0,))
    ratios = [(weight @ sums) / (weight @ counts) for weight in draws(len(counts), seed, resamples)]
    low, high = np.quantile(ratios, [0.025, 0.975]) if ratios and len(counts) > 1 else (np.nan, np.nan)
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high), over, (len(counts),))


def relative_change(a: np.ndarray, b: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0, resamples: int = 1000) -> Interval:
    """How much larger the total of `a` (N,) is than that of `b` (N,), as a share of the latter, with its 95 % bootstrap interval.

    Paired: people are resampled with both of their numbers, or pictures (N,) where people share one. Where the total of `b` is 0, of
    everybody or of a resample, there is no number, or no interval; nor is there one of a single person or picture.

    >>> relative_change(np.array([1.0, 1.0]), np.array([2.0, 2.0])).mean
    -0.5
    """
    a, b, over = np.asarray(a, float), np.asarray(b, float), "people"
    if pictures is not None:
        names, picture = np.unique(np.asarray(pictures), return_inverse=True)
        if len(names) < len(a):
            a, b, over = np.bincount(picture, a), np.bincount(picture, b), "pictures"
    if not b.sum():
        return Interval(float("nan"), float("nan"), float("nan"), over, (len(b),))
    totals = np.array([(weight @ a, weight @ b) for weight in draws(len(b), seed, resamples)])
    low, high = np.quantile(totals[:, 0] / totals[:, 1] - 1, [0.025, 0.975]) if totals[:, 1].all() and len(b) > 1 else (np.nan, np.nan)
    return Interval(float(a.sum() / b.sum() - 1), float(low), float(high), over, (len(b),))


def draws(count: int, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """How often each of `count` is drawn, for as many draws with replacement of as many."""
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(random.integers(count, size=count), minlength=count)


def over_seeds(values: np.ndarray) -> Interval:
    """The mean of one number a training (S,), by Student's t with S - 1 degrees of freedom; of fewer than three no interval.

    >>> round(over_seeds(np.array([3.17, 0.90, 2.44])).low, 2)
    -0.71
    """
    values = np.asarray(values, float)
    count, mean = len(values), float(np.mean(values))
    if count < 3:
        return Interval(mean, float("nan"), float("nan"), "seeds", (count,))
    half = float(stdtrit(count - 1, 0.975) * values.std(ddof=1) / np.sqrt(count))
    return Interval(mean, mean - half, mean + half, "seeds", (count,))


def over_seeds_and_people(sums: np.ndarray, counts: np.ndarray) -> Interval:
    """The ratio sum(sums) / sum(counts) of (S, N) each, S trainings scored on the same N people, both of which are a sample.

    The two-way random-effects analysis of variance (Searle, Casella & McCulloch, Variance Components, 1992, section 4.3): the variance
    of the mean is (MS_seeds + MS_people - MS_rest) / (S N). Where seeds make up more of it than people, its degrees of freedom are
    S - 1, which is on the safe side, else Satterthwaite's. The ratio is taken as its linearisation about the mean. Of fewer than three
    trainings there is no interval, and where counts are 0 throughout no mean.

    For a difference of two kinds of training, `sums` holds the difference of what each finds, seed by seed.
    """
    sums, counts = np.asarray(sums, float), np.asarray(counts, float)
    seeds, people = sums.shape
    mean = float(sums.sum() / counts.sum()) if counts.sum() else float("nan")
    if seeds < 3 or people < 2 or np.isnan(mean):
        return Interval(mean, float("nan"), float("nan"), "seeds and people", (seeds, people))
    z = (sums - mean * counts) / (counts.sum() / counts.size)  # each person's share in the mean's error
    row, column = z.mean(1), z.mean(0)
    rest = z - row[:, None] - column[None] + z.mean()
    a = people * row.var(ddof=1)
    b = seeds * column.var(ddof=1)
    c = float(np.square(rest).sum() / ((seeds - 1) * (people - 1)))
    if b <= c:  # people add nothing that can be told from chance
        total, freedom = a, seeds - 1.0
    elif a <= c:
        total, freedom = b, people - 1.0
    else:
        total = a + b - c
        freedom = seeds - 1.0 if a >= b else total**2 / (a**2 / (seeds - 1) + b**2 / (people - 1))
    half = float(stdtrit(max(freedom, 1.0), 0.975) * np.sqrt(max(total, 0.0) / (seeds * people)))
    return Interval(mean, mean - half, mean + half, "seeds and people", (seeds, people))


def welch(ours: np.ndarray, theirs: np.ndarray, over: str) -> Interval:
    """The difference of the means of two independent samples (A,) and (B,), by Welch's t; of fewer than three each no interval.

    >>> interval = welch(np.array([2.0, 3.0, 4.0]), np.array([1.0, 1.5, 2.0]), "redesigns")
    >>> interval.mean, round(interval.low, 2), interval.n
    (1.5, -0.58, (3, 3))
    """
    mean, n = float(np.mean(ours) - np.mean(theirs)), (len(ours), len(theirs))
    if min(n) < 3:
        return Interval(mean, float("nan"), float("nan"), over, n)
    from scipy.stats import ttest_ind

    found = ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    return Interval(mean, float(found.low), float(found.high), over, n)


def holm(p: np.ndarray) -> np.ndarray:
    """The p-values (T,) of a family of tests, corrected so that the chance of any false finding stays below the level (Holm, 1979).

    Whatever ties the tests have. A NaN is a test that was not made: it stays, and is none of the family.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, float)
    corrected = p.copy()
    made = np.flatnonzero(np.isfinite(p))
    order = made[np.argsort(p[made], kind="stable")]
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return corrected
