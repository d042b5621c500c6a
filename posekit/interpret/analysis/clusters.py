"""Whether people fall into groups by their codes: k-means, how well apart and how stable its clusters are, and what is in them.

clustering = kmeans(points, 2)
values = silhouettes(points, {2: clustering})[2]
cluster_stability(points, 2)

The points are the codes' first principal components, (N, D), not whitened: distances are then those between codes, less
what the last components add to every one of them alike, and 124,040 codes of 4,096 numbers, 2 GB, become 25 MB. What
costs memory in clustering is not k-means but the silhouette, which compares every person with every other; it is taken
over a sample of people, with an interval.

k-means finds K clusters in any cloud. `structureless` makes clouds without clusters, of the same covariance, to compare with. Silhouettes
of people in one clustering are not independent: how sure their mean is, say halves of the people, clustered anew (`halves`).

Where people share pictures, by the number of each one's in `pictures` (N,), intervals are over pictures: these are drawn, halved and left
out, with all who are in them.
"""

import time
import tracemalloc
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import gaussian_kde
from scipy.stats import t as student
from sklearn.cluster import HDBSCAN, KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, silhouette_samples

from posekit.errors import PosekitError, whole
from posekit.interpret.analysis.shared import half_width, owners, people_of
from posekit.metrics import interval

EXACT = 20_000  # people up to whom every step of k-means looks at everybody
SAMPLE = 2_000  # people over whom the silhouette is taken
CONTROLS = 20  # structureless clouds beside which a silhouette is judged
HALVES = 20  # halves of the people that say how sure a silhouette is
LEAST = 10  # people in and outside of a cluster for whom an attribute must be defined


@dataclass(frozen=True)
class Clustering:
    """K clusters of N people, the largest first."""

    labels: np.ndarray  # (N,) int, 0 ... K - 1
    centres: np.ndarray  # (K, D) float

    @property
    def sizes(self) -> np.ndarray:
        """(K,): how many people are in each."""
        return np.bincount(self.labels, minlength=len(self.centres))


def kmeans(points: np.ndarray, k: int, *, restarts: int = 10, seed: int = 0) -> Clustering:
    """The best of `restarts` k-means clusterings of points (N, D); by mini-batches where there are more than EXACT (20,000) people.

    Raises:
        PosekitError: k is below 2 or not below the number of people, the points are not finite or fewer than k differ, or a
            cluster was left empty.
    """
    k, restarts, seed = whole("k", k), whole("restarts", restarts, 1), whole("seed", seed)
    points = _checked(points, f"k-means for K = {k}")
    if not 2 <= k < len(points):
        raise PosekitError(f"k-means for K = {k}: K is at least 2 and less than the number of people, {len(points):,}")
    if len(points) > EXACT:
        method = MiniBatchKMeans(k, n_init=restarts, batch_size=4096, random_state=seed)
    else:
        method = KMeans(k, n_init=restarts, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct points than clusters: an error below
        labels = method.fit_predict(points)
    sizes = np.bincount(labels, minlength=k)
    if not sizes.all():
        raise PosekitError(f"k-means for K = {k}: {np.count_nonzero(sizes == 0)} of the clusters are empty; ask for fewer")
    order = np.argsort(-sizes, kind="stable")
    return Clustering(np.argsort(order)[labels], method.cluster_centers_[order])


def silhouettes(
    points: np.ndarray, clusterings: Mapping[int, Clustering], *, sample: int = SAMPLE, seed: int = 0
) -> dict[int, np.ndarray]:  # fmt: skip
    """Silhouettes (n,) of the same n people, drawn at random where there are more than `sample`, in each clustering by its K.

    A person's silhouette is (b - a) / max(a, b), where a is the mean distance to the others of the same cluster and b
    to those of the nearest other cluster (Rousseeuw, 1987): 1 far from the others, 0 on the border, negative on the wrong side.

    Raises:
        PosekitError: the sample has people of one cluster only, or a clustering is of other people.
    """
    for k, clustering in clusterings.items():
        if len(clustering.labels) != len(points):
            raise PosekitError(f"silhouettes for K = {k}: {len(clustering.labels)} people were clustered, and {len(points)} are given")
    chosen = np.arange(len(points))
    if len(points) > sample:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(points))[:sample])
    found = {}
    for k, clustering in clusterings.items():
        labels = clustering.labels[chosen]
        if len(np.unique(labels)) < 2 or len(np.unique(labels)) == len(labels):
            raise PosekitError(f"silhouettes for K = {k}: the sample of {len(chosen)} people is too small; take more")
        found[k] = silhouette_samples(points[chosen], labels)
    return found


def mean_over_people(values: np.ndarray, seed: int = 0, *, pictures: np.ndarray | None = None) -> dict[str, float]:
    """The mean of values (n,) with its 95 % bootstrap interval over people: {"mean", "low", "high"}."""
    found = interval(values, np.ones(len(values), int), pictures=pictures, seed=seed)
    return dict(zip(("mean", "low", "high"), found, strict=True))


def halves(
    points: np.ndarray, ks: Sequence[int], *, count: int = HALVES, restarts: int = 3, sample: int = SAMPLE,
    pictures: np.ndarray | None = None, seed: int = 0,
) -> dict[int, np.ndarray]:  # fmt: skip
    """Mean silhouettes (count,) of random halves of the people by K, each half clustered anew; the same halves for all of `ks`."""
    random, found = np.random.default_rng(seed), []
    owner, units = owners(pictures, len(points))
    for _ in range(count):
        half = points[people_of(random.permutation(units)[: units // 2], owner)]
        divided = {k: kmeans(half, k, restarts=restarts, seed=seed) for k in ks}
        found.append([values.mean() for values in silhouettes(half, divided, sample=sample, seed=seed).values()])
    return dict(zip(ks, np.array(found).T, strict=True))


def over_halves(value: float, halved: np.ndarray) -> dict[str, float]:
    """A number of all people with its 95 % interval over people, {"mean", "low", "high"}, by the same of `halves` (H,).

    Halves drawn without replacement scatter around the whole as other samples of its size would around the truth.
    """
    half = float(student.ppf(0.975, len(halved) - 1) * halved.std(ddof=1))
    return {"mean": float(value), "low": float(value) - half, "high": float(value) + half}


def best(values: Mapping[int, np.ndarray], halved: Mapping[int, np.ndarray]) -> tuple[int, int, dict[str, float]]:
    """The K of the highest mean silhouette, the K of the next, and by how much it leads, with its interval by the `halves` of both."""
    if len(values) < 2:
        raise PosekitError("the best K is of at least two")
    first, second = sorted(values, key=lambda k: -values[k].mean())[:2]
    return first, second, over_halves(values[first].mean() - values[second].mean(), halved[first] - halved[second])


def controls(
    points: np.ndarray, ks: Sequence[int], *, count: int = CONTROLS, restarts: int = 10, sample: int = SAMPLE, seed: int = 0
) -> dict[int, np.ndarray]:  # fmt: skip
    """Mean silhouettes (count,) of `structureless` clouds by K, clustered as `kmeans` would the points."""
    found = []
    for cloud in (structureless(points, seed + i) for i in range(count)):
        divided = {k: kmeans(cloud, k, restarts=restarts, seed=seed) for k in ks}
        found.append([values.mean() for values in silhouettes(cloud, divided, sample=sample, seed=seed).values()])
    return dict(zip(ks, np.array(found).T, strict=True))


def excess(value: float, control: np.ndarray) -> dict[str, float]:
    """How much higher a mean silhouette is than those of structureless clouds (C,): {"mean", "low", "high"}.

    Student's interval for one draw beside C others: for clouds without structure it contains zero in 19 of 20 cases.
    """
    difference = float(value - control.mean())
    half = float(student.ppf(0.975, len(control) - 1) * control.std(ddof=1) * np.sqrt(1 + 1 / len(control)))
    return {"mean": difference, "low": difference - half, "high": difference + half}


def against(values: np.ndarray, control: np.ndarray) -> dict[str, float]:
    """How much higher the mean of values (n,) is than that of other people's (m,), with Welch's 95 % interval."""
    difference = float(values.mean() - control.mean())
    one, other = (each.var(ddof=1) / len(each) for each in (values, control))
    freedom = (one + other) ** 2 / (one**2 / (len(values) - 1) + other**2 / (len(control) - 1)) if one + other else 1.0
    error = float(student.ppf(0.975, freedom) * np.sqrt(one + other))
    return {"mean": difference, "low": difference - error, "high": difference + error}


def between(points: np.ndarray, clustering: Clustering) -> np.ndarray:
    """Where people (N,) lie along the line from the first cluster's centre, 0, to the second's, 1. The border is at a half."""
    start, end = clustering.centres[:2]
    return (points - start) @ (end - start) / ((end - start) @ (end - start))


def valley(positions: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict[str, float]:
    """How many people lie at the border of two clusters, by the positions (N,) that `between` gives, with a 95 % bootstrap interval.

    The density half-way between the centres over the lower of the densities at the two centres. Below 1 there is a valley,
    as between two groups; at 1 and above the border runs through the thick of one cloud.
    """

    def ratio(sample: np.ndarray) -> float:
        first, border, second = gaussian_kde(sample)((0.0, 0.5, 1.0))
        return float(border / min(first, second))

    random, (owner, units) = np.random.default_rng(seed), owners(pictures, len(positions))
    ratios = [ratio(positions[people_of(random.integers(units, size=units), owner)]) for _ in range(200)]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return {"mean": ratio(positions), "low": float(low), "high": float(high)}


def valley_seen_from(people: int, *, draws: int = 20, seed: int = 0) -> float:
    """How far apart two equal normal groups must be, in standard deviations of either, for `valley` to show them 4 times in 5.

    Shown is a valley whose interval lies below 1. Simulated for so many people, along the line between the centres, in steps of a quarter.
    Below 2 there is none to be seen: the sum of two such groups has a single peak.
    """
    random = np.random.default_rng(seed)
    for apart in np.arange(2, 10, 0.25):
        shown = 0
        for _ in range(draws):
            line = (random.normal(size=people) + apart * (np.arange(people) % 2))[:, None]
            shown += valley(between(line, kmeans(line, 2, restarts=1, seed=seed)), seed=seed)["high"] < 1
        if shown >= 0.8 * draws:
            return float(apart)
    return float("inf")


def structureless(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """As many points (N, D) of a normal distribution, with exactly the mean and covariance of these: one cloud, no clusters.

    Given their mean and covariance, normal points are distributed just so, which makes a test beside such clouds exact.
    """
    points = _checked(points, "structureless points")
    centre = points.mean(0)
    # Along the principal axes, so that no D x D matrix is needed.
    _, scales, axes = np.linalg.svd(points - centre, full_matrices=False)
    drawn = np.random.default_rng(seed).normal(size=(len(points), len(scales)))
    drawn, _ = np.linalg.qr(drawn - drawn.mean(0))
    return centre + (drawn * scales) @ axes


def cluster_stability(
    points: np.ndarray, k: int, *, pairs: int = 20, restarts: int = 3, pictures: np.ndarray | None = None, seed: int = 0
) -> dict[str, float]:  # fmt: skip
    """Whether k-means finds the same clusters again: {"mean", "low", "high"} of the adjusted Rand index.

    Each of `pairs` times two bootstrap samples of the people are clustered; the index compares the labels of those who are
    in both, 1 for the same clusters and 0 for what chance gives. Low and high hold the middle 95 % of the pairs.
    """
    random, (owner, units) = np.random.default_rng(whole("seed", seed)), owners(pictures, len(points))
    found = []
    for pair in range(whole("pairs", pairs, 1)):
        labels = np.full((2, len(points)), -1)
        for side in (0, 1):
            drawn = people_of(random.integers(units, size=units), owner)
            labels[side, drawn] = kmeans(points[drawn], k, restarts=restarts, seed=seed + 2 * pair + side).labels
        common = (labels >= 0).all(0)
        found.append(adjusted_rand_score(labels[0, common], labels[1, common]))
    low, high = np.quantile(found, [0.025, 0.975])
    return {"mean": float(np.mean(found)), "low": float(low), "high": float(high)}


def rand_index(
    a: np.ndarray, b: np.ndarray, *, groups: int = 50, pictures: np.ndarray | None = None, seed: int = 0
) -> dict[str, float]:  # fmt: skip
    """The adjusted Rand index of two labellings (N,) with its 95 % interval over people.

    By the jackknife, each of `groups` left out in turn. In a bootstrap sample people would meet themselves, and the two
    labellings agree on those.
    """
    groups, seed = whole("groups", groups, 2), whole("seed", seed)
    index = float(adjusted_rand_score(a, b))
    owner, units = owners(pictures, len(a))
    parts = [people_of(part, owner) for part in np.array_split(np.random.default_rng(seed).permutation(units), min(groups, units))]
    without = np.array([adjusted_rand_score(np.delete(a, part), np.delete(b, part)) for part in parts])
    error = 1.96 * float(np.sqrt((len(parts) - 1) * without.var()))
    return {"mean": index, "low": index - error, "high": min(index + error, 1.0)}


def dense(points: np.ndarray, smallest: int) -> np.ndarray:
    """HDBSCAN's clusters of points (N, D), as labels (N,), -1 for noise. A cluster has at least `smallest` people.

    Unlike k-means it is free to find none (Campello, Moulavi & Sander, 2013). In many dimensions it needs many people.

    Raises:
        PosekitError: `smallest` is below 2 or above the number of people, or the points are not finite or all the same.
    """
    smallest = whole("smallest", smallest)
    points = _checked(points, "HDBSCAN")
    if not 2 <= smallest <= len(points):
        raise PosekitError(f"HDBSCAN: the smallest cluster has between 2 and {len(points):,} people, not {smallest}")
    return HDBSCAN(min_cluster_size=smallest, copy=True).fit_predict(points)


def enrichment(
    labels: np.ndarray, attributes: Mapping[str, np.ndarray], least: int = LEAST, *, pictures: np.ndarray | None = None
) -> list[dict]:  # fmt: skip
    """How each cluster differs from everybody else in each attribute (N,), in standard deviations of the attribute.

    One entry {"attribute", "cluster", "difference", "low", "high", "people"} for each cluster of `labels` (N,) and attribute:
    the difference of means with Welch's 95 % interval, or that of `shared.half_width` where people share pictures, and the
    cluster's people for whom the attribute is defined (is not NaN). Without an entry: noise (-1), and what is constant or
    defined for fewer than `least` people inside or outside.
    """
    found = []
    for name, values in attributes.items():
        known = np.isfinite(values)
        spread = values[known].std() if known.any() else 0.0
        for cluster in np.unique(labels[labels >= 0]):
            inside, outside = values[known & (labels == cluster)], values[known & (labels != cluster)]
            if min(len(inside), len(outside)) < least or spread <= 1e-12 * np.abs(values[known]).max():
                continue
            block = against(inside / spread, outside / spread)
            if (owner := owners(None if pictures is None else np.asarray(pictures)[known], int(known.sum()))[0]) is not None:
                within = labels[known] == cluster
                shares = np.where(within, (values[known] - inside.mean()) / len(inside), (outside.mean() - values[known]) / len(outside))
                half = float(half_width(shares / spread, owner))
                block |= {"low": block["mean"] - half, "high": block["mean"] + half}
            found.append({"attribute": name, "cluster": int(cluster), "difference": block["mean"], "low": block["low"],
                          "high": block["high"], "people": len(inside)})  # fmt: skip
    return found


def nearest_to_centres(points: np.ndarray, clustering: Clustering, count: int) -> list[np.ndarray]:
    """For each cluster, the indices of its `count` people (or all, if fewer) nearest to the centre, the nearest first."""
    found = []
    for cluster, centre in enumerate(clustering.centres):
        members = np.flatnonzero(clustering.labels == cluster)
        distance = np.linalg.norm(points[members] - centre, axis=1)
        found.append(members[np.argsort(distance, kind="stable")[:count]])
    return found


def nearness(points: np.ndarray, clustering: Clustering, count: int) -> list[float]:
    """How far each cluster's `count` people nearest to the centre are from it, on average, over the mean distance of all its people."""
    ratios = []
    for cluster, index in enumerate(nearest_to_centres(points, clustering, count)):
        distance = np.linalg.norm(points - clustering.centres[cluster], axis=1)
        ratios.append(float(distance[index].mean() / distance[clustering.labels == cluster].mean()))
    return ratios


def at_scale(points: np.ndarray, people: int, *, seed: int = 0) -> dict:
    """What two clusters and their silhouette cost for so many `people`, on points drawn with the variances of these (N, D).

    Returns:
        {"people", "k-means seconds", "seconds", "megabytes", "points megabytes", "silhouette", "sample", "by mini-batches"}: the peak of
        the memory beside the points, and over how many people the silhouette is taken.
    """
    many = np.random.default_rng(seed).normal(size=(people, points.shape[1])).astype(np.float32) * points.std(0).astype(np.float32)
    tracemalloc.start()
    started = time.perf_counter()
    divided = kmeans(many, 2, seed=seed)
    clustered = time.perf_counter()
    silhouette = mean_over_people(silhouettes(many, {2: divided}, seed=seed)[2], seed)
    seconds, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "people": people, "k-means seconds": clustered - started, "seconds": seconds, "megabytes": peak / 1e6,
        "points megabytes": many.nbytes / 1e6, "silhouette": silhouette, "sample": min(SAMPLE, people), "by mini-batches": people > EXACT,
    }  # fmt: skip


def possible(ks: Sequence[int], people: int) -> list[int]:
    """Those of `ks` for which each cluster can have LEAST people on average."""
    return [k for k in ks if k * LEAST <= people]


def _checked(points: np.ndarray, who: str) -> np.ndarray:
    points = np.asarray(points, float)
    if points.ndim != 2 or len(points) < 3:
        raise PosekitError(f"{who}: points are (N, D) of at least 3 people, not {points.shape}")
    if not np.isfinite(points).all():
        row = int(np.flatnonzero(~np.isfinite(points).all(1))[0])
        raise PosekitError(f"{who}: the code of person {row} is not finite; leave that person out")
    if not np.ptp(points, axis=0).max() > 1e-9 * max(1.0, np.abs(points).max()):
        raise PosekitError(f"{who}: all {len(points):,} codes are the same; take another layer or other weights")
    return points
