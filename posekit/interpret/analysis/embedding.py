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
from posekit.metrics import interval

SAMPLE = 2_000  # people among whom neighbours are compared
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
    points: np.ndarray, plane: np.ndarray, *, neighbours: int = 15, sample: int = SAMPLE, seed: int = 0
) -> dict[str, dict[str, float]]:  # fmt: skip
    """Whether neighbours stay neighbours between points (N, D) and a plane (N, 2), each {"mean", "low", "high"}.

    *Trustworthiness* falls where people are neighbours in the plane and not by their codes, *continuity* where neighbours by
    their codes are torn apart (Venna & Kaski, 2001); 1 is perfect and a random plane has 0.5. Both are computed among the
    same at most `sample` people; the 95 % intervals are over people.

    Raises:
        PosekitError: the two are not of the same people, or there are fewer than twice as many people as neighbours.
    """
    neighbours, chosen = whole("neighbours", neighbours), _some(points, plane, sample, seed)
    if not 1 <= neighbours < len(chosen) / 2:
        raise PosekitError(f"faithfulness: neighbours are fewer than half of the {len(chosen)} people, not {neighbours}")
    far, near = _ranks(points[chosen]), _ranks(plane[chosen])
    return {
        "trustworthiness": _interval(_kept(far, near, neighbours)),
        "continuity": _interval(_kept(near, far, neighbours)),
    }


def far_distances(
    points: np.ndarray, plane: np.ndarray, *, sample: int = FAR_SAMPLE, resamples: int = 100, seed: int = 0
) -> dict[str, float]:  # fmt: skip
    """Spearman's correlation of all distances between people by their codes and in the plane, with its interval over people.

    It says whether far apart in the plane means far apart: what trustworthiness and continuity do not ask.
    """
    chosen = _some(points, plane, sample, seed)
    # Ranks of all pairs once; a resample takes pairs of two different people as often as both were drawn.
    a, b = (squareform(rankdata(pdist(space[chosen]))) for space in (points, plane))
    upper = np.triu_indices(len(chosen), 1)
    random = np.random.default_rng(seed)
    counts = [np.ones(len(chosen), int)]
    counts += [np.bincount(random.integers(len(chosen), size=len(chosen)), minlength=len(chosen)) for _ in range(resamples)]
    found = [_correlation(a[upper], b[upper], count[upper[0]] * count[upper[1]]) for count in counts]
    low, high = np.quantile(found[1:], [0.025, 0.975])
    return {"mean": found[0], "low": float(low), "high": float(high)}


def disparity(a: np.ndarray, b: np.ndarray, *, resamples: int = 200, seed: int = 0) -> dict[str, float]:
    """What remains between two planes (N, 2) after shift, turn, mirror and scale: Procrustes' disparity, 0 same, 1 unrelated.

    With its 95 % bootstrap interval over people.
    """
    random = np.random.default_rng(whole("seed", seed))
    draws = [random.integers(len(a), size=len(a)) for _ in range(whole("resamples", resamples, 1))]
    low, high = np.quantile([procrustes(a[draw], b[draw])[2] for draw in draws], [0.025, 0.975])
    return {"mean": float(procrustes(a, b)[2]), "low": float(low), "high": float(high)}


def aligned(plane: np.ndarray, to: np.ndarray) -> np.ndarray:
    """A plane (N, 2), shifted, turned, mirrored and scaled to lie as near as can be on another: for looking at both."""
    centre, size = to.mean(0), np.linalg.norm(to - to.mean(0))
    return procrustes(to, plane)[1] * size + centre


def _ranks(points: np.ndarray) -> np.ndarray:
    """(N, N): which neighbour of the row's person the column's is, from 1; N for the person."""
    distances = squareform(pdist(points))
    np.fill_diagonal(distances, np.inf)
    ranks = np.empty(distances.shape, np.int32)
    np.put_along_axis(ranks, np.argsort(distances, axis=1, kind="stable"), np.arange(1, len(points) + 1, dtype=np.int32)[None], axis=1)
    return ranks


def _kept(true: np.ndarray, shown: np.ndarray, neighbours: int) -> np.ndarray:
    """Per person (N,), 1 less the penalty for shown neighbours that are none: how far down the true order they are.

    scikit-learn's `trustworthiness` gives the mean alone, without which there is no interval.
    """
    n = len(true)
    excess = np.where(shown <= neighbours, np.maximum(true - neighbours, 0), 0).sum(1)
    return 1 - excess * 2 / (neighbours * (2 * n - 3 * neighbours - 1))


def _some(points: np.ndarray, plane: np.ndarray, sample: int, seed: int) -> np.ndarray:
    if len(points) != len(plane):
        raise PosekitError(f"a plane of {len(plane)} people does not go with the codes of {len(points)}")
    if not (np.isfinite(points).all() and np.isfinite(plane).all()):
        raise PosekitError("a code, or a place in the plane, is not finite; leave that person out")
    chosen = np.arange(len(points))
    return chosen if len(points) <= sample else np.sort(np.random.default_rng(seed).permutation(chosen)[:sample])


def _interval(values: np.ndarray) -> dict[str, float]:
    return dict(zip(("mean", "low", "high"), interval(values, np.ones(len(values), int)), strict=True))


def _correlation(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> float:
    a, b = a - np.average(a, weights=weight), b - np.average(b, weights=weight)
    return float((weight * a * b).sum() / np.sqrt((weight * a * a).sum() * (weight * b * b).sum()))


@contextlib.contextmanager
def _silently() -> Iterator[None]:
    """umap-learn warns of a missing TensorFlow and of its own choices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
