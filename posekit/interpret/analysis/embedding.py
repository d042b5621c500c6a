"""Maps of people on a plane, by UMAP, and how far such a map can be believed.

plane = umap(points, neighbours=15, seed=0)
faithfulness(points, plane)  # trustworthiness and continuity, with intervals

UMAP keeps neighbours together and little else. Sizes of islands, the gaps between them and their arrangement mean next to
nothing, islands can come out of a cloud that has none, and another seed draws another map (Coenen & Pearce, 2019).
"""

import contextlib
import warnings
from collections.abc import Iterator

import numpy as np
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from posekit.errors import PosekitError, extra, whole
from posekit.interpret.analysis.shared import owners, people_of

SAMPLE = 2_000  # people among whom neighbours are compared
GROUPS = 10  # of people, for intervals
FAR_SAMPLE = 400  # people all of whose distances are compared


def umap(points: np.ndarray, *, neighbours: int = 15, seed: int = 0, least_distance: float = 0.1) -> np.ndarray:
    """UMAP's plane (N, 2) of points (N, D) (McInnes, Healy & Melville, 2018); the same seed gives the same on the same machine.

    Raises:
        PosekitError: fewer than 2 neighbours, not more people than neighbours, points not finite or all the same.
    """
    neighbours, seed = whole("neighbours", neighbours), whole("seed", seed)
    points = np.asarray(points, np.float32)
    if not 2 <= neighbours < len(points):
        raise PosekitError(f"UMAP: neighbours are at least 2 and fewer than the people, {len(points):,}, not {neighbours}")
    if not np.isfinite(points).all():
        raise PosekitError("UMAP: a code is not finite; leave that person out")
    if not np.ptp(points, axis=0).max() > 0:
        raise PosekitError(f"UMAP: all {len(points):,} codes are the same; take another layer or other weights")
    with _silently():
        with extra("interpret", "UMAP"):
            from umap import UMAP

        # One thread and a seed, or every kernel compiles for 40 s.
        method = UMAP(n_neighbors=neighbours, min_dist=least_distance, random_state=seed, n_jobs=1)
        plane = method.fit_transform(points)
    if not np.isfinite(plane).all():
        raise PosekitError("UMAP: people without neighbours have no position in the plane; take more neighbours")
    return plane.astype(float)


def faithfulness(
    points: np.ndarray, plane: np.ndarray, *, neighbours: int = 15, sample: int = SAMPLE, pictures: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """Whether neighbours stay neighbours between points (N, D) and a plane (N, 2), each {"mean", "low", "high"}.

    *Trustworthiness* falls where people are neighbours in the plane and not by their codes, *continuity* where neighbours by
    their codes are torn apart (Venna & Kaski, 2001); 1 is perfect and a random plane has 0.5. Both are computed among the
    same at most `sample` people.

    The 95 % intervals are over people, or over `pictures` (N,) where people share one, by the grouped jackknife, each of GROUPS left out
    once, also as a neighbour. They err on the safe side. A bootstrap of people whose neighbours stay would not do: it held the truth in
    70 to 90 % of simulations.

    Raises:
        PosekitError: the two are not of the same people, or there are fewer than twice as many people as neighbours.
    """
    neighbours, chosen = whole("neighbours", neighbours), _some(points, plane, sample, seed)
    if not 1 <= neighbours < len(chosen) / 2:
        raise PosekitError(f"faithfulness: neighbours are fewer than half of the {len(chosen)} people, not {neighbours}")
    by_codes, by_plane = _order(points[chosen]), _order(plane[chosen])

    def measured(people: np.ndarray) -> list[float]:
        far, near = _ranks(by_codes, people), _ranks(by_plane, people)
        return [_kept(far, near, neighbours), _kept(near, far, neighbours)]

    owner, units = owners(None if pictures is None else np.asarray(pictures)[chosen], len(chosen))
    groups = np.array_split(np.random.default_rng(seed).permutation(units), min(GROUPS, units))
    left_out = [~np.isin(np.arange(len(chosen)), people_of(group, owner)) for group in groups]
    means = measured(np.ones(len(chosen), bool))
    if len(groups) > 1 and min(people.sum() for people in left_out) > 2 * neighbours:
        rest = np.array([measured(people) for people in left_out])
        widths = 1.959964 * np.sqrt((len(groups) - 1) * rest.var(0))
    else:
        widths = np.full(2, np.nan)
    return {
        name: {"mean": mean, "low": mean - float(width), "high": float(min(mean + width, 1.0))}
        for name, mean, width in zip(("trustworthiness", "continuity"), means, widths, strict=True)
    }


def far_distances(
    points: np.ndarray, plane: np.ndarray, *, sample: int = FAR_SAMPLE, resamples: int = 100, pictures: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, float]:  # fmt: skip
    """Spearman's correlation of all distances between people by their codes (N, D) and in the plane (N, 2).

    It says whether far apart in the plane means far apart: what trustworthiness and continuity do not ask. With its 95 % bootstrap
    interval over people, or over `pictures` (N,) where people share one; of one picture NaN.
    """
    chosen = _some(points, plane, sample, seed)
    # Ranks of all pairs once; a resample takes pairs of two different people as often as both were drawn, and as often as their picture
    # was where both are in it: in another copy of it they would be themselves.
    a, b = (squareform(rankdata(pdist(space[chosen]))) for space in (points, plane))
    upper = np.triu_indices(len(chosen), 1)
    random, (owner, units) = np.random.default_rng(seed), owners(None if pictures is None else np.asarray(pictures)[chosen], len(chosen))
    owner = np.arange(units) if owner is None else owner
    one, other = owner[upper[0]], owner[upper[1]]
    counts = [np.ones(units, int)]
    counts += [np.bincount(random.integers(units, size=units), minlength=units) for _ in range(resamples)]
    found = [_correlation(a[upper], b[upper], count[one] * np.where(one == other, 1, count[other])) for count in counts]
    low, high = np.quantile(found[1:], [0.025, 0.975]) if units > 1 else (np.nan, np.nan)
    return {"mean": found[0], "low": float(low), "high": float(high)}


def disparity(
    a: np.ndarray, b: np.ndarray, *, resamples: int = 200, pictures: np.ndarray | None = None, seed: int = 0
) -> dict[str, float]:  # fmt: skip
    """What remains between two planes (N, 2) after shift, turn, mirror and scale: Procrustes' disparity, 0 same, 1 unrelated.

    With its 95 % bootstrap interval over people, or over `pictures` (N,) where people share one; of one picture NaN.
    """
    random, (owner, units) = np.random.default_rng(whole("seed", seed)), owners(pictures, len(a))
    draws = [people_of(random.integers(units, size=units), owner) for _ in range(whole("resamples", resamples, 1))]
    found = [procrustes(a[draw], b[draw])[2] for draw in draws if np.ptp(draw)]  # one person has no shape
    low, high = np.quantile(found, [0.025, 0.975]) if units > 1 else (np.nan, np.nan)
    return {"mean": float(procrustes(a, b)[2]), "low": float(low), "high": float(high)}


def aligned(plane: np.ndarray, to: np.ndarray) -> np.ndarray:
    """A plane (N, 2), shifted, turned, mirrored and scaled to lie as near as can be on another: for looking at both."""
    centre, size = to.mean(0), np.linalg.norm(to - to.mean(0))
    return procrustes(to, plane)[1] * size + centre


def _order(points: np.ndarray) -> np.ndarray:
    """(N, N): everybody, the nearest to the row's person first, and that person last."""
    distances = squareform(pdist(points))
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")


def _ranks(order: np.ndarray, people: np.ndarray) -> np.ndarray:
    """(n, n), of the n of `people` (N,) bool: which neighbour of the row's person the column's is, from 1; n for the person."""
    ranks = np.empty(order.shape, np.int32)
    np.put_along_axis(ranks, order, np.cumsum(people[order], axis=1, dtype=np.int32), 1)
    return ranks[np.ix_(people, people)]


def _kept(true: np.ndarray, shown: np.ndarray, neighbours: int) -> float:
    """1 less the penalty for shown neighbours that are none, by how far down the true order they are: scikit-learn's trustworthiness."""
    n = len(true)
    excess = np.where(shown <= neighbours, np.maximum(true - neighbours, 0), 0).sum(1)
    return float(1 - excess.mean() * 2 / (neighbours * (2 * n - 3 * neighbours - 1)))


def _some(points: np.ndarray, plane: np.ndarray, sample: int, seed: int) -> np.ndarray:
    if len(points) != len(plane):
        raise PosekitError(f"a plane of {len(plane)} people does not go with the codes of {len(points)}")
    if not (np.isfinite(points).all() and np.isfinite(plane).all()):
        raise PosekitError("a code, or a place in the plane, is not finite; leave that person out")
    chosen = np.arange(len(points))
    return chosen if len(points) <= sample else np.sort(np.random.default_rng(seed).permutation(chosen)[:sample])


def _correlation(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> float:
    a, b = a - np.average(a, weights=weight), b - np.average(b, weights=weight)
    return float((weight * a * b).sum() / np.sqrt((weight * a * a).sum() * (weight * b * b).sum()))


@contextlib.contextmanager
def _silently() -> Iterator[None]:
    """umap-learn warns of a missing TensorFlow and of its own choices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
