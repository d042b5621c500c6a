"""The joint-dependency matrix: how far hiding one joint moves the network's answer for another.

found = dependency(model, card, crops)
table = matrix_interval(found.effect, pictures=found.pictures)  # {"mean": (K, K), "low", "high", "people"}; rows are hidden, columns move

Hiding is a cause and not a correlation: a square over the joint, in place of which there is the picture blurred so far that no limb
shows. A square is also a disturbance, whatever it covers, and the more so the nearer it is; so equally large ones elsewhere on the same
person, about as far from the joint that moves, are the control, and the effect is what the joint's own square does beyond them. Where a
square covers the other joint too, the pair is not counted for that person.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from posekit import metrics
from posekit.coordinates import view
from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import load_batch
from posekit.data.people import iterate
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Fast, decode, predict_heatmaps
from posekit.engine.weights import Card
from posekit.errors import PosekitError, whole
from posekit.interpret.activations.ablation import rank_correlation
from posekit.interpret.analysis.shared import owners, summed
from posekit.interpret.attribution.explain import blurred
from posekit.interpret.attribution.sanity import mean_interval
from posekit.skeleton import Skeleton, skeleton_of

SIDE = 0.4  # of the torso's length: the side of the square
ALIKE = 2.0  # a control is at most this many times as near or as far as the joint whose control it is
FARTHEST = 1.0  # torso lengths: a joint that jumps farther counts as this far
CONTROLS = 12  # other points on the person that are hidden
LEAST = 10  # people, or pictures where people share one, without whom a pair of joints has no mean
BATCH = 128  # pictures predicted at once


@dataclass(frozen=True)
class Dependency:
    """N people: how far, in torso lengths, joint B (last axis) moves when a square hides joint A (the one before), (N, K, K).

    NaN where A or B is not labelled, where the square over A covers B as well, or where there is no control.
    """

    moved: np.ndarray
    control: np.ndarray  # by equally large squares elsewhere on the person that cover neither, about as far from B as A is
    skeleton: Skeleton
    pictures: np.ndarray | None = None  # (N,) a number for each one's picture, where known

    @property
    def effect(self) -> np.ndarray:
        """(N, K, K): what hiding the joint does beyond hiding anything else."""
        return self.moved - self.control


def dependency(model: nn.Module, card: Card, crops: Crops, *, seed: int = 0, backend: Backend | None = None) -> Dependency:
    """Hide each labelled joint of each person, and CONTROLS (12) other points on the person, and see which joints move.

    Raises:
        PosekitError: the people have other joints than the network, or nobody has a torso.
    """
    seed = whole("seed", seed)
    skeleton = skeleton_of(card.skeleton)
    if crops.people.skeleton.joints != skeleton.joints:
        raise PosekitError(f"{card.name} knows the joints of {skeleton.name}, these people have those of {crops.people.skeleton.name}")
    backend = backend or Backend.best()
    network, random = Fast(model, backend, expected=2 * len(skeleton) * len(crops)), np.random.default_rng(seed)
    torsos = metrics.torso(crops.keypoints, skeleton) * view(crops.size, card.resolution)[0, 0]
    moved, control = [], []
    rows = np.flatnonzero(torsos > 0)
    for row in rows.tolist():
        picture, points = person_view(crops, row, card)
        side = SIDE * torsos[row]
        elsewhere = _on_limbs(points, skeleton, random)
        squares = np.concatenate([np.nan_to_num(points), elsewhere])
        hidden = torch.cat([picture, hide(picture[0], squares, side)])
        answers = [
            decode(predict_heatmaps(network, card, hidden[part].to(backend.device))[:, -1], card, np.tile(np.eye(3), (len(part), 1, 1)))
            for part in iterate(len(hidden), BATCH)
        ]
        found = np.concatenate(answers)[..., :2]
        far = np.minimum(np.linalg.norm(found[1:] - found[0], axis=-1) / torsos[row], FARTHEST)  # (K + C, K)
        one, other = moved_and_control(far, points, squares, side)
        moved.append(one)
        control.append(other)
    if not moved:
        raise PosekitError(f"{crops.people.source}: nobody has a torso to measure by; take people with shoulders and hips labelled")
    return Dependency(np.stack(moved), np.stack(control), skeleton, crops.people.picture_ids()[rows])


def moved_and_control(far: np.ndarray, points: np.ndarray, squares: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray]:
    """One person's `moved` and `control` (K, K).

    `far` (K + C, K) is how far each joint moves under each of `squares` (K + C, 2), the first K over the joints `points` (K, 2), NaN
    where not labelled, the others elsewhere; `side` is the squares'.
    """
    count = len(points)
    known = np.isfinite(points[:, 0])
    own = np.eye(count, dtype=bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(squares[:, None] - points[None]).max(-1) > side / 2  # (K + C, K): the square leaves the joint in sight
        away = np.linalg.norm(squares[:, None] - points[None], axis=-1)
        ratio = away[count:, None, :] / away[None, :count]  # (C, A, B): how much farther from B the control is than A
        free = apart[count:, :, None] & apart[count:, None, :] & ((np.abs(np.log(ratio)) <= np.log(ALIKE)) | own)
    number = free.sum(0)
    counted = known[:, None] & known[None] & (apart[:count] | own) & (number > 0)
    control = (far[count:, None, :] * free).sum(0) / np.maximum(number, 1)
    return np.where(counted, far[:count], np.nan), np.where(counted, control, np.nan)


def hide(picture: Tensor, centres: np.ndarray, side: float) -> Tensor:
    """One picture (3, R, R) B times (B, 3, R, R), the square of `side` pixels round each centre (B, 2), x and y, blurred away."""
    middle = torch.as_tensor(centres, dtype=picture.dtype)
    grid = torch.arange(picture.shape[-1], dtype=picture.dtype)
    across = (grid - middle[:, :1]).abs() <= side / 2
    down = (grid - middle[:, 1:]).abs() <= side / 2
    return torch.where((down[:, :, None] & across[:, None, :])[:, None].to(picture.device), blurred(picture[None]), picture)


def matrix_interval(values: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict[str, np.ndarray]:
    """The mean over people of values (N, K, K) with its 95 % bootstrap interval, and how many people count, all (K, K).

    The interval is over people, or over `pictures` (N,) where people share one. NaN where fewer than LEAST of them count.
    """
    known, (owner, units) = np.isfinite(values), owners(pictures, len(values))
    filled, count = np.nan_to_num(values).reshape(len(values), -1), known.reshape(len(values), -1).astype(float)
    filled, count = summed(filled, owner), summed(count, owner)
    weights = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=1000)
    with np.errstate(invalid="ignore", divide="ignore"):
        draws = (weights @ filled) / (weights @ count)
        mean = filled.sum(0) / count.sum(0)
    enough = (count > 0).sum(0) >= LEAST
    low, high = np.full((2, len(mean)), np.nan)
    if enough.any():
        low[enough], high[enough] = np.nanquantile(draws[:, enough], [0.025, 0.975], axis=0)
    shape = values.shape[1:]
    table = {"mean": np.where(enough, mean, np.nan), "low": low, "high": high, "people": count.sum(0).astype(int)}
    return {name: column.reshape(shape) for name, column in table.items()}


def influence(effect: np.ndarray, skeleton: Skeleton, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict[str, dict]:
    """How far hiding each joint moves the others on average, {"mean", "low", "high", "people"} by joint, of effects (N, K, K).

    Intervals are over people, or over `pictures` (N,) where people share one. Joints of which nothing is known are left out.
    """
    others = np.where(np.eye(len(skeleton), dtype=bool), np.nan, effect)
    found = {
        joint: mean_interval(np.nansum(others[:, k], 1), np.isfinite(others[:, k]).sum(1), pictures=pictures, seed=seed)
        for k, joint in enumerate(skeleton.joints)
    }
    return {joint: block for joint, block in found.items() if np.isfinite(block["mean"])}


def on_counterparts(effect: np.ndarray, skeleton: Skeleton, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict:
    """How far hiding a joint moves its counterpart on the other side, {"mean", "low", "high", "people"}, of effects (N, K, K).

    The interval is over people, or over `pictures` (N,) where people share one.
    """
    mirrored = np.array(skeleton.mirrored)
    paired = np.flatnonzero(mirrored != np.arange(len(skeleton)))
    twin = effect[:, paired, mirrored[paired]]
    return mean_interval(np.nansum(twin, 1), np.isfinite(twin).sum(1), pictures=pictures, seed=seed)


def agreement(
    values: np.ndarray, other: np.ndarray, *, pictures: np.ndarray | None = None, seed: int = 0, resamples: int = 1000
) -> dict:  # fmt: skip
    """Do two matrices of joints by joints put the pairs in the same order? Spearman's correlation off the diagonal.

    Args:
        values: (N, K, K) of people, a `Dependency.effect` say.
        other: (K, K), `hops` say; or (N, K, K) of the same people, attention say, whose mean is taken.
        pictures: (N,) numbers of their pictures, where people share some: the interval is over pictures.

    Returns:
        `mean`, `low`, `high`, `p` and `pairs`. The 95 % interval is a bootstrap over the N people, the same for both matrices, moved
        so that its middle is `mean`, since the noise of people drawn twice pulls each draw towards 0. The noise of N people pulls
        `mean` towards 0, too: the interval is of what N people give, not all. `p` is Mantel's (1967) test, in which joints change
        names, since pairs that share a joint are not independent. None where fewer than 6 pairs are known; of one person or picture the
        interval is NaN.

    Raises:
        PosekitError: `other` is of more or fewer people.
    """
    random = np.random.default_rng(seed)
    if other.ndim == 3 and len(other) != len(values):
        raise PosekitError(f"matrices of {len(values)} and of {len(other)} people: agreement is measured on the same people")

    def mean(matrices: np.ndarray, weights: np.ndarray) -> np.ndarray:
        if matrices.ndim == 2:
            return matrices
        counted = np.einsum("n,nij->ij", weights, np.isfinite(matrices).astype(float))
        return np.where(counted > 0, np.einsum("n,nij->ij", weights, np.nan_to_num(matrices)) / np.maximum(counted, 1), np.nan)

    def correlation(one: np.ndarray, two: np.ndarray) -> float:
        there = np.isfinite(one) & np.isfinite(two) & ~np.eye(len(one), dtype=bool)
        return rank_correlation(one[there], two[there])

    everybody = np.ones(len(values))
    once, twice = mean(values, everybody), mean(other, everybody)
    there = int((np.isfinite(once) & np.isfinite(twice) & ~np.eye(len(once), dtype=bool)).sum())
    if there < 6:
        return {"mean": None, "low": None, "high": None, "p": None, "pairs": there}
    found = correlation(once, twice)
    owner, units = owners(pictures, len(values))
    weights = random.multinomial(units, np.full(units, 1 / units), size=resamples).astype(float)
    weights = weights if owner is None else weights[:, owner]
    draws = [correlation(mean(values, row), mean(other, row)) for row in weights]
    low, high = np.clip(found + np.quantile(draws, [0.025, 0.975]) - np.median(draws), -1, 1) if units > 1 else (np.nan, np.nan)
    orders = [random.permutation(len(once)) for _ in range(resamples)]
    chance = np.array([correlation(once, twice[np.ix_(order, order)]) for order in orders])
    p = (1 + (np.abs(chance) >= abs(found)).sum()) / (1 + resamples)
    return {"mean": found, "low": float(low), "high": float(high), "p": float(p), "pairs": there}


def attended(maps: np.ndarray, points: np.ndarray, side: float) -> np.ndarray:
    """What one person's maps of joints (K, R, R), attention say, hold of the joints at points (K, 2): a matrix (K, K) to compare.

    Row A, column B: the share of B's map, what is negative left out, in the square of `side` pixels round A. NaN where A or B is not
    labelled (NaN), or where the square holds B as well.
    """
    positive = np.clip(maps, 0, None)
    y, x = np.mgrid[: maps.shape[1], : maps.shape[2]]
    known = np.isfinite(points[:, 0])
    with np.errstate(invalid="ignore"):
        squares = np.maximum(np.abs(x - points[:, 0, None, None]), np.abs(y - points[:, 1, None, None])) <= side / 2  # (K, R, R)
        apart = np.abs(points[:, None] - points[None]).max(-1) > side / 2
    total = np.maximum(positive.sum((1, 2)), np.finfo(float).tiny)
    shares = np.einsum("ayx,byx->ab", squares.astype(float), positive) / total
    return np.where(known[:, None] & known[None] & (apart | np.eye(len(points), dtype=bool)), shares, np.nan)


def hops(skeleton: Skeleton) -> np.ndarray:
    """How many limbs lie between two joints (K, K); infinite where no way leads from one to the other."""
    from scipy.sparse.csgraph import shortest_path

    limbs = np.zeros((len(skeleton), len(skeleton)))
    for a, b in skeleton.limb_indices:
        limbs[a, b] = limbs[b, a] = 1
    return shortest_path(limbs, unweighted=True)


def person_view(crops: Crops, row: int, card: Card) -> tuple[Tensor, np.ndarray]:
    """One person as the network sees them (1, 3, R, R), and their joints (K, 2) in its pixels, NaN where not labelled or out of sight."""
    card.check(crops)
    picture, keypoints = eval_view(*load_batch(crops, np.array([row])), card.resolution)
    points = keypoints[0].double().numpy()
    inside = ((points[:, :2] >= -0.5) & (points[:, :2] <= card.resolution - 0.5)).all(1) & (points[:, 2] > 0)
    return picture, np.where(inside[:, None], points[:, :2], np.nan)


def _on_limbs(points: np.ndarray, skeleton: Skeleton, random: np.random.Generator) -> np.ndarray:
    """Points (CONTROLS, 2) on the person: anywhere on limbs both of whose ends (K, 2) are known."""
    limbs = [limb for limb in skeleton.limb_indices if np.isfinite(points[list(limb)]).all()]
    if not limbs:
        return np.zeros((0, 2))
    chosen = points[np.array(limbs)[random.integers(len(limbs), size=CONTROLS)]]  # (CONTROLS, 2 ends, 2)
    along = random.random((CONTROLS, 1))
    return chosen[:, 0] + along * (chosen[:, 1] - chosen[:, 0])
