"""How alike two layers arrange the same people: linear centred kernel alignment (Kornblith et al., 2019).

    found = cka(codes, other_codes)                       # of (N, D) and (N, D'), the same people in the same order
    table = cka_table({"encoder2": a, "encoder3": b}, {"encoder2": c, "encoder3": d})

The numbers of two layers do not correspond, but their people do: compared are the two (N, N) matrices of scalar products between people.
1 means that one layer is the other turned and scaled as a whole. The common estimate is far above 0 for unrelated layers of more numbers
than people; the unbiased one, which is the default, is not: there 0 is chance, and a value a little below it is possible.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import batches
from posekit.data.people import iterate
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import by_modules
from posekit.engine.weights import Card
from posekit.errors import PosekitError, whole
from posekit.hooks import trace
from posekit.interpret.analysis.shared import owners, people_of

COLUMNS = 1 << 14  # numbers of a code that are multiplied at a time: what bounds the memory beside the codes'
BATCH = 32  # people who pass through a network at once
FEWEST = 4  # people, of the unbiased estimate
NEGLIGIBLE = 1e-12  # of the mean square of a matrix: below it there is nothing but rounding


def gram(codes: np.ndarray) -> np.ndarray:
    """The scalar products (N, N) between people of codes (N, ...), each number taken less its mean over people; float64.

    All 0 where all people have the same code, but for rounding.

    Raises:
        PosekitError: a value is not finite.
    """
    flat = np.asarray(codes).reshape(len(codes), -1)
    products, largest = np.zeros((len(flat), len(flat))), 0.0
    for start in range(0, flat.shape[1], COLUMNS):
        part = np.asarray(flat[:, start : start + COLUMNS], np.float64)
        if not np.isfinite(part).all():
            raise PosekitError("codes: a value is not finite; leave that person out, or look at the weights")
        largest = max(largest, float(np.abs(part).max(initial=0)))
        part = part - part.mean(0)
        products += part @ part.T
    return products if np.trace(products) > NEGLIGIBLE * largest**2 * flat.size else np.zeros_like(products)


def cka(one: np.ndarray, other: np.ndarray, *, unbiased: bool = True) -> float:
    """Linear CKA of codes (N, ...) and (N, ...) of the same people in the same order.

    A layer that is the same for everybody has nothing in common with any: 0.

    Args:
        unbiased: with the estimate of HSIC of Song et al. (2012), whose expectation is 0 for layers that have nothing in common; else
            with the common one, which is never negative and grows with the number of dimensions to a person.

    Raises:
        PosekitError: other people, too few of them, or codes that are not finite.

    >>> codes = np.random.default_rng(0).normal(size=(50, 8))
    >>> turned = 3 * codes @ np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0] + 5
    >>> unrelated = np.random.default_rng(2).normal(size=(50, 400))
    >>> round(cka(codes, turned), 6), round(cka(codes, unrelated), 1), round(cka(codes, unrelated, unbiased=False), 1)
    (1.0, 0.0, 0.4)
    """
    return of_grams(gram(one), gram(other), unbiased=unbiased)


def of_grams(one: np.ndarray, other: np.ndarray, *, unbiased: bool = True) -> float:
    """CKA of two matrices (N, N) of `gram`.

    Raises:
        PosekitError: they are of other people, or of too few.
    """
    if one.shape != other.shape:
        raise PosekitError(f"CKA: codes of {len(one):,} and of {len(other):,} people; give those of the same people in the same order")
    if len(one) < FEWEST:
        raise PosekitError(f"CKA needs {FEWEST} people, and there are {len(one)}")
    hsic = unbiased_hsic if unbiased else _biased
    own = hsic(one, one) * hsic(other, other)
    return float(hsic(one, other) / np.sqrt(own)) if own > 0 else 0.0


def cka_table(ones: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]) -> np.ndarray:
    """CKA (L, L'), unbiased, of every layer of one network with every layer of another, given as codes (N, ...) by name."""
    columns = {name: gram(codes) for name, codes in others.items()}
    return table_of_grams(columns if ones is others else {name: gram(codes) for name, codes in ones.items()}, columns)


def table_of_grams(rows: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same of layers given as matrices (N, N) of `gram`, of which many fit in memory."""
    return np.array([[of_grams(row, column) for column in columns.values()] for row in rows.values()])


def layers(
    model: nn.Module, card: Card, crops: Crops, hook_points: Sequence[str], *, side: int = 16, backend: Backend | None = None
) -> dict[str, np.ndarray]:  # fmt: skip
    """The activations (N, C, h, w), float32, at several hook points in one pass; maps of more than `side` cells are averaged to so many.

    That keeps a few hundred people in memory, and compares where things are no finer than layers of few cells can. What is no map, tokens
    (N, T, C) say, is whole.
    """
    card.check(crops)
    backend, found = backend or Backend.best(), {}  # type: ignore[var-annotated]
    network, indices = by_modules(model, backend), list(iterate(len(crops), BATCH))
    with trace(model, list(hook_points)) as activations, torch.inference_mode():
        for pictures, keypoints in batches(crops, indices):
            seen, _ = eval_view(pictures.to(backend.device), keypoints.to(backend.device), card.resolution)
            network(card.centred(seen))
            for name in hook_points:
                maps = activations[name].float()
                smaller = maps if maps.ndim != 4 or maps.shape[-1] <= side else nn.functional.adaptive_avg_pool2d(maps, side)
                found.setdefault(name, []).append(smaller.cpu())
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


def interval(
    one: np.ndarray, other: np.ndarray, *, groups: int = 20, permutations: int = 200, pictures: np.ndarray | None = None, seed: int = 0
) -> dict[str, float]:  # fmt: skip
    """`interval_of_grams` of codes (N, ...) and (N, ...)."""
    return interval_of_grams(gram(one), gram(other), groups=groups, permutations=permutations, pictures=pictures, seed=seed)


def interval_of_grams(
    one: np.ndarray, other: np.ndarray, *, groups: int = 20, permutations: int = 200, pictures: np.ndarray | None = None, seed: int = 0
) -> dict[str, float]:  # fmt: skip
    """Unbiased CKA of two layers, matrices (N, N) of `gram`: {"mean", "low", "high", "chance"}.

    The 95 % interval is over people, or over `pictures` (N,) where people share one, by the grouped jackknife: they are dealt at random
    into `groups`, each of which is left out once. A bootstrap would not do: a person drawn twice is most like himself in both layers,
    which makes any two layers look alike. Of fewer than 8 people, or pictures, there is none, NaN. `chance` is the 97.5 % quantile with
    the people of `other` exchanged at random.

    Raises:
        PosekitError: as `of_grams` does.
    """
    groups, permutations = whole("groups", groups, 2), whole("permutations", permutations)
    random, people = np.random.default_rng(whole("seed", seed)), len(one)
    owner, units = owners(pictures, people)
    mean, rest = of_grams(one, other), []
    for group in np.array_split(random.permutation(units), min(groups, units)) if units >= 2 * FEWEST else ():
        kept = np.ix_(*[np.setdiff1d(np.arange(people), people_of(group, owner))] * 2)
        rest.append(of_grams(one[kept], other[kept]))  # what all are moved by does not change it
    width = 1.959964 * np.sqrt((len(rest) - 1) * np.var(rest)) if rest else np.nan
    orders = [random.permutation(people) for _ in range(permutations)]
    chance = np.quantile([of_grams(one, other[np.ix_(order, order)]) for order in orders], 0.975) if orders else np.nan
    return {"mean": mean, "low": float(mean - width), "high": float(mean + width), "chance": float(chance)}


def _biased(one: np.ndarray, other: np.ndarray) -> float:
    return float((_centred(one) * _centred(other)).sum())


def _centred(matrix: np.ndarray) -> np.ndarray:
    return matrix - matrix.mean(0) - matrix.mean(1)[:, None] + matrix.mean()


def unbiased_hsic(one: np.ndarray, other: np.ndarray) -> float:
    """The unbiased estimate of HSIC of matrices (N, N): Song et al. (2012), eq. 5."""
    count = len(one)
    one, other = (matrix - np.diag(np.diag(matrix)) for matrix in (one, other))
    sums = one.sum(0), other.sum(0)
    together = sums[0].sum() * sums[1].sum() / ((count - 1) * (count - 2))
    return float((one * other).sum() + together - 2 * (sums[0] @ sums[1]) / (count - 2)) / (count * (count - 3))
