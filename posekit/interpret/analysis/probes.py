"""What can be read from codes: correlations of components with attributes, linear probes, and the directions they find.

scores = (codes - mean) @ components.T  # (N, C); components do not know the attribute, so those of the same people do
correlations(scores, values)  # a row a component and attribute
found = probe("sitting", scores, values["sitting"], k=20)
found.r2, found.low, found.high, found.chance  # chance: the same with people's values exchanged at random
reading_direction("sitting", scores, values["sitting"], components)  # where in code space a probe looks

Whoever an attribute is not defined for is left out of what concerns it, and counted.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from torch.nn.functional import interpolate

from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import batches
from posekit.data.people import iterate
from posekit.errors import PosekitError, whole
from posekit.interpret.analysis.attributes import binary, defined, numbers
from posekit.interpret.analysis.shared import half_width, owners
from posekit.metrics import interval
from posekit.stats import draws as resampled

PENALTIES = np.logspace(-2, 6, 9)  # that the ridge chooses from, in units of the scores' mean variance
FOLDS, PERMUTATIONS, RESAMPLES = 5, 40, 1000
SIDE = 24  # of the grey pictures, in pixels
BATCH = 256  # pictures made grey at once


def correlations(scores: np.ndarray, values: Mapping[str, np.ndarray], *, pictures: np.ndarray | None = None) -> pd.DataFrame:
    """Pearson's correlation of each of scores (N, C) with each attribute (N,), with Fisher's 95 % interval.

    Where people share `pictures` (N,), its width is over pictures, by `shared.half_width`.

    One row for each component (numbered from 1) and attribute: component, attribute, r, low, high, people, left_out. A component that
    does not vary correlates with nothing, 0.

    Raises:
        PosekitError: an attribute is constant or defined for too few, which `attributes.usable` sorts out, or not one number a person; a
            score is not finite.
    """
    rows = []
    _finite(scores, "correlations")
    for name, column in values.items():
        column = numbers(name, column, len(scores))
        mask = defined(name, column)
        y, x = stats.zscore(column[mask]), scores[mask] - scores[mask].mean(0)
        sd = x.std(0)
        r = np.clip((x * y[:, None]).mean(0) / np.where(sd > 0, sd, np.inf), -1, 1)
        centre, width = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)), 1.959964 / np.sqrt(mask.sum() - 3)
        if (owner := owners(None if pictures is None else np.asarray(pictures)[mask], len(y))[0]) is not None:
            x, y = x / np.where(sd > 0, sd, np.inf), y[:, None]
            width = half_width((x * y - r * (x**2 + y**2) / 2) / len(y), owner) / (1 - np.tanh(centre) ** 2)
        low, high = np.tanh(centre - width), np.tanh(centre + width)
        rows += [
            {"component": c + 1, "attribute": name, "r": r[c], "low": low[c], "high": high[c],
             "people": int(mask.sum()), "left_out": int((~mask).sum())}
            for c in range(scores.shape[1])
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=["component", "attribute", "r", "low", "high", "people", "left_out"])


@dataclass(frozen=True)
class Probe:
    """How well a linear probe tells an attribute of people that it was not fitted to.

    R² is 1 − (sum of squared errors) / (sum of squares around the mean), over all folds' people together, so at most 1, and below
    0 where the mean would have predicted better.
    """

    attribute: str
    k: int  # how many scores it had
    r2: float
    low: float  # 95 % bootstrap interval over people, the fitted probes as they are
    high: float
    chance: float  # 97.5 % quantile of R² where people's values are exchanged at random
    auc: tuple[float, float, float] | None  # of a binary attribute: area under the ROC curve and its interval
    people: int
    left_out: int
    index: np.ndarray  # (people,) who was not left out
    truth: np.ndarray  # (people,)
    predicted: np.ndarray  # (people,) each by the probe that had not seen the person
    pictures: np.ndarray | None = None  # (people,) a number for each one's picture, where some share one

    @property
    def above_chance(self) -> bool:
        return self.low > max(self.chance, 0.0)

    def row(self) -> dict[str, float | int | str]:
        """What a table or metrics.json keeps."""
        kept = {name: getattr(self, name) for name in ("attribute", "k", "r2", "low", "high", "chance", "people", "left_out")}
        return kept | ({"auc": self.auc[0], "auc low": self.auc[1], "auc high": self.auc[2]} if self.auc else {})


def probe(
    name: str, scores: np.ndarray, values: np.ndarray, k: int | None = None, *, folds: int = FOLDS,
    pictures: np.ndarray | None = None, permutations: int = PERMUTATIONS, seed: int = 0, resamples: int = RESAMPLES,
) -> Probe:  # fmt: skip
    """Tell the attribute `values` (N,) from the first `k` of `scores` (N, C), cross-validated.

    The ridge's penalty is chosen within the training folds, by leave-one-out. Chance is the same probe of values that were
    permuted among people. Where people share `pictures` (N,), all of one are left out together, and intervals are over pictures: they see
    much the same.

    Raises:
        PosekitError: the attribute is constant, defined for too few or not one number a person, there are fewer than k scores, or one is
            not finite; fewer pictures than folds.
    """
    k = scores.shape[1] if k is None else whole("k", k)
    permutations, seed = whole("permutations", permutations), whole("seed", seed)
    _finite(scores, name)
    if not 0 < k <= scores.shape[1]:
        raise PosekitError(f"{name}: {k} scores asked for, there are {scores.shape[1]}; k is 1 to {scores.shape[1]}")
    values = numbers(name, values, len(scores))
    mask = defined(name, values)
    x, y = scores[mask, :k].astype(float), values[mask]
    if pictures is not None and np.shape(pictures) != (len(scores),):
        raise PosekitError(f"{name}: pictures are {np.shape(pictures)}; give one for each of the {len(scores):,} people")
    owner, most = owners(None if pictures is None else np.asarray(pictures)[mask], len(y))
    who = "people" if owner is None else "pictures"
    if not 2 <= whole("folds", folds) <= most:
        raise PosekitError(f"{name}: folds is {folds}; it is from 2 to the {most:,} {who}")
    random = np.random.default_rng(seed)
    targets = np.stack([y] + [random.permutation(y) for _ in range(permutations)], 1)
    told = np.empty_like(targets)
    split = (KFold if owner is None else GroupKFold)(folds, shuffle=True, random_state=seed)
    for fitted, held in split.split(x, groups=owner):
        told[held] = _ridge(x[fitted], targets[fitted]).predict(x[held]).reshape(len(held), -1)
    r2 = 1 - np.square(targets - told).sum(0) / np.square(targets - targets.mean(0)).sum(0)
    low, high = _bootstrap(_r2(y, told[:, 0]), len(y), seed, resamples, owner)
    auc = None
    if binary(y):
        auc = (float(roc_auc_score(y, told[:, 0])), *_bootstrap(_auc(y, told[:, 0]), len(y), seed, resamples, owner))
    return Probe(
        name, k, float(r2[0]), low, high, float(np.quantile(r2[1:], 0.975)) if permutations else 0.0, auc, len(y),
        int((~mask).sum()), np.flatnonzero(mask), y, told[:, 0], owner,
    )  # fmt: skip


def probes(scores: np.ndarray, values: Mapping[str, np.ndarray], ks: Sequence[int], **options) -> dict[str, list[Probe]]:
    """For each attribute a probe from the first k scores, for each k in `ks` that there are so many scores for."""
    ks = [k for k in ks if k <= scores.shape[1]]
    return {name: [probe(name, scores, column, k, **options) for k in ks] for name, column in values.items()}


def classified(
    scores: np.ndarray, kinds: np.ndarray, *, folds: int = FOLDS, pictures: np.ndarray | None = None, seed: int = 0
) -> dict[str, dict[str, float]]:  # fmt: skip
    """How often a linear classifier (logistic regression) of scores (N, C) names the kind (N,) of people that it was not fitted to.

    A kind is a number or a word. Where people share `pictures` (N,), all of one are left out together, and intervals are over pictures.

    Returns:
        {"correct", "most common"}, each {"mean", "low", "high"}: the share of people, with its 95 % interval over them. The second is that
        of always naming the most common kind.

    Raises:
        PosekitError: a person has no kind, all are of one, or none has a person for each of the folds; a score is not finite, or the first
            does not vary; fewer pictures than folds, or all of a fold's others are of one kind.
    """
    _finite(scores, "kinds")
    if np.shape(kinds) != (len(scores),) or pd.isna(np.asarray(kinds)).any():
        raise PosekitError(f"kinds are {np.shape(kinds)}, or missing for some; give one for each of the {len(scores):,} people")
    kinds, sizes = np.unique(kinds, return_inverse=True, return_counts=True)[1:]
    if len(sizes) < 2 or sizes.max() < folds:
        raise PosekitError(f"kinds: {len(sizes)} of them, the largest of {sizes.max(initial=0)} people; classifying takes two kinds, and "
                           f"{folds} people of one")  # fmt: skip
    if not scores[:, 0].std() > 0:
        raise PosekitError("kinds: the first score, in whose spread all are measured, is the same for everybody; leave it out")
    owner, units = owners(pictures, len(scores))
    if units < folds:
        raise PosekitError(f"kinds: {folds} folds of {units} pictures; take people of more pictures")
    split = (StratifiedKFold if owner is None else StratifiedGroupKFold)(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of kinds of fewer people than folds
        parts = list(split.split(scores, kinds, owner))
        if any(np.ptp(kinds[fitted]) == 0 for fitted, _ in parts):
            raise PosekitError("kinds: those who are not left out are all of one; take more people of the others")
        named = cross_val_predict(LogisticRegression(C=1.0, max_iter=300), scores / scores[:, 0].std(), kinds, cv=parts)
    hits = {"correct": named == kinds, "most common": kinds == np.bincount(kinds).argmax()}
    return {
        name: dict(zip(("mean", "low", "high"), interval(hit.astype(float), np.ones(len(hit)), pictures=owner, seed=seed), strict=True))
        for name, hit in hits.items()
    }


def advantage(one: Probe, other: Probe, *, seed: int = 0) -> dict[str, float]:
    """How much higher the R² of one probe is than another's of the same attribute and people: mean, low, high (95 %).

    The bootstrap draws people, or pictures, the same for both.
    """
    if one.attribute != other.attribute or not np.array_equal(one.index, other.index):
        raise PosekitError(f"{one.attribute}, {other.attribute}: probes are compared on the same attribute and people only")
    first, second = _r2(one.truth, one.predicted), _r2(one.truth, other.predicted)
    low, high = _bootstrap(lambda counts: first(counts) - second(counts), len(one.truth), seed, RESAMPLES, one.pictures)
    return {"mean": one.r2 - other.r2, "low": low, "high": high}


@dataclass(frozen=True)
class Direction:
    """A direction in code space and how an attribute changes along it."""

    name: str
    vector: np.ndarray  # (D,) of length 1
    sd: float  # standard deviation of people's codes along it: a natural step
    per_sd: float  # change of the attribute, as a linear probe reads it, from a step of one `sd`


def reading_direction(name: str, scores: np.ndarray, values: np.ndarray, components: np.ndarray) -> Direction:
    """Where a ridge probe looks: the gradient of what it reads, from scores (N, C) on orthonormal components (C, D).

    It is the shortest change of a code that changes the probe's answer. It need not be how codes of people with more of the
    attribute differ (Haufe et al., NeuroImage 2014).
    """
    values = numbers(name, values, len(scores))
    mask = defined(name, values)
    x = scores[mask].astype(float)
    gradient = _ridge(_finite(x, name), values[mask]).coef_
    if not np.linalg.norm(gradient) > 0:
        raise PosekitError(f"{name}: no score tells it, so that there is no direction; take other scores or another attribute")
    along = gradient / np.linalg.norm(gradient)
    sd = float((x @ along).std())
    return Direction(name, (along @ components).astype(np.float32), sd, float(gradient @ along) * sd)


def _finite(scores: np.ndarray, name: str) -> np.ndarray:
    """Scores (N, C); PosekitError where a person's are not finite."""
    wrong = np.flatnonzero(~np.isfinite(scores).all(1))
    if len(wrong):
        raise PosekitError(f"{name}: the scores of person {wrong[0]} are not finite; leave that person out")
    return scores


def pixels(crops: Crops, resolution: int) -> np.ndarray:
    """Grey pictures (N, SIDE²) float32 of what a network at `resolution` sees: the other thing to read attributes from."""
    found = []
    indices = list(iterate(len(crops), BATCH))
    for pictures, keypoints in batches(crops, indices):
        seen, _ = eval_view(pictures, keypoints, resolution)
        found.append(interpolate(seen.mean(1, keepdim=True), size=(SIDE, SIDE), mode="area").flatten(1).numpy())
    return np.concatenate(found)


def pixel_scores(fitted: np.ndarray, pictures: np.ndarray, k: int, *, seed: int = 0) -> np.ndarray:
    """Scores (N, k) of pictures (N, P) on the principal components of the pictures `fitted` (M, P), which may be the same."""
    if k > min(fitted.shape):
        raise PosekitError(f"pixels: {k} components asked for, {len(fitted)} pictures of {fitted.shape[1]} pixels have {min(fitted.shape)}")
    return PCA(k, svd_solver="randomized", random_state=seed).fit(fitted).transform(pictures)


def _ridge(x: np.ndarray, y: np.ndarray) -> RidgeCV:
    # Not standardised: a penalty that is the same for all prefers the components along which people differ most. Measured on
    # mannequins and photographs, this reads as well from few scores and better from many. Each target has its own penalty.
    scale = max(x.var(0).mean(), 1e-300)
    return RidgeCV(PENALTIES * scale, alpha_per_target=y.ndim > 1).fit(x, y)


def _r2(truth: np.ndarray, predicted: np.ndarray) -> Callable[[np.ndarray], float]:
    """R² by how often each person is counted (people,)."""
    truth, errors = truth - truth.mean(), np.square(truth - predicted)
    return lambda counts: 1 - (counts @ errors) / _squares(truth, counts)


def _auc(truth: np.ndarray, predicted: np.ndarray) -> Callable[[np.ndarray], float]:
    """The area under the ROC curve by how often each person is counted (people,); equal predictions count half."""
    rank, positive = np.unique(predicted, return_inverse=True)[1], truth > 0

    def area(counts: np.ndarray) -> float:
        ones, zeros = (np.bincount(rank[side], counts[side], rank.max() + 1) for side in (positive, ~positive))
        return float(ones @ (np.cumsum(zeros) - zeros / 2) / max(ones.sum() * zeros.sum(), 1))

    return area


def _squares(truth: np.ndarray, counts: np.ndarray) -> float:
    """The sum of squares around the mean; `truth` (people,) is about centred."""
    return max(float(counts @ np.square(truth) - np.square(counts @ truth) / counts.sum()), 1e-300)


def _bootstrap(
    measure: Callable[[np.ndarray], float], people: int, seed: int, resamples: int, owner: np.ndarray | None = None
) -> tuple[float, float]:
    """The middle 95 % of a measure of resampled people, or where `owner` (people,) numbers their pictures, of resampled pictures."""
    owner = np.arange(people) if owner is None else owner
    low, high = np.quantile([measure(counts[owner]) for counts in resampled(owner.max() + 1, seed, resamples)], [0.025, 0.975])
    return float(low), float(high)
