"""Principal components of codes: exact, and in one pass whose memory does not grow with the number of people.

moments = moments_of(codes for _, codes in stream(model, card, crops, hook_point))
components = pca(moments, 20)
scores = components.transform(codes)

What is kept of N people is their number, their mean and the (D, D) matrix of their scatter around it, to which batch after
batch is added; two such triples can be merged, those of different processes too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from posekit.data.people import iterate
from posekit.engine.learning import parallel
from posekit.errors import PosekitError, whole
from posekit.interpret.analysis.shared import owners, people_of

ROWS = 2048  # people whose products are taken at once: enough that arithmetic, not memory, is what takes the time
NEGLIGIBLE = 1e-6  # of the largest variance: below it is rounding of the float32 products


@dataclass
class Moments:
    """The first two moments of `count` codes of D numbers: `mean` (D,) and `scatter` (D, D), the sum over people of the outer
    products of their deviations from the mean; float64.
    """

    count: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def none(cls, dimensions: int, device: torch.device | str = "cpu") -> "Moments":
        """Those of nobody, to begin with."""
        return cls(0, torch.zeros(dimensions, dtype=torch.float64, device=device),
                   torch.zeros(dimensions, dimensions, dtype=torch.float64, device=device))  # fmt: skip

    def add(self, codes: Tensor) -> None:
        """Add codes (B, D).

        They are centred on their own mean before they are multiplied, so that a mean much larger than the spread costs no
        digits, and the batch is merged as Chan, Golub & LeVeque (1983) do. Products are taken in float32, or in float64 for
        codes of that; they are summed in float64.

        Raises:
            PosekitError: a value is not finite.
        """
        if not len(codes):
            return
        codes = codes if codes.dtype == torch.float64 else codes.float()
        near = codes.mean(0)  # to a few digits, so that the difference is exact to as many more
        centred = codes - near
        rest = centred.mean(0, dtype=torch.float64)
        centred -= rest.to(centred.dtype)
        self._join(len(codes), _finite(near.double() + rest), centred.T @ centred)

    def merge(self, other: "Moments") -> None:
        """Add the people of other moments."""
        if other.count:
            self._join(other.count, other.mean.to(self.mean.device), other.scatter.to(self.scatter.device))

    def _join(self, count: int, mean: Tensor, scatter: Tensor) -> None:
        total = self.count + count
        shift = mean - self.mean
        self.scatter += scatter
        self.scatter.addr_(shift, shift, alpha=self.count * count / total)
        self.mean += shift * (count / total)
        self.count = total

    def summed(self) -> "Moments":
        """The moments of the people of all processes that `torchrun` started, in each of them."""
        if parallel.world().size == 1:
            return self
        count = int(parallel.total(torch.tensor(float(self.count), dtype=torch.float64, device=self.mean.device)))
        if not count:
            return self
        mean = parallel.total(self.mean * (self.count / count))
        shift = self.mean - mean
        return Moments(count, mean, parallel.total(self.scatter.addr(shift, shift, alpha=float(self.count))))


def _finite(mean: Tensor) -> Tensor:
    """The mean of codes; PosekitError where one of them is not finite."""
    if not mean.isfinite().all():
        raise PosekitError("codes: a value is not finite; leave that person out, or look at the weights")
    return mean


def moments_of(batches: Iterable[Tensor], rows: int = ROWS) -> Moments:
    """The moments of all codes in the batches (B, D), gathered to `rows` people before they are multiplied.

    Raises:
        PosekitError: there is no batch, or a value is not finite.
    """
    moments, waiting = None, []
    for batch in batches:
        moments = moments or Moments.none(batch.shape[1], batch.device)
        waiting.append(batch)
        if sum(map(len, waiting)) >= rows:
            moments.add(torch.cat(waiting))
            waiting = []
    if moments is None:
        raise PosekitError("codes: nobody to take moments of")
    if waiting:
        moments.add(torch.cat(waiting))
    return moments


def batches_of(codes: np.ndarray, index: np.ndarray | None = None, rows: int = ROWS) -> Iterator[Tensor]:
    """Codes (N, D), those of an index array or all, as batches; of a memory-mapped file no more is read at a time."""
    index = np.arange(len(codes)) if index is None else index
    for part in iterate(len(index), rows):
        yield torch.from_numpy(np.asarray(codes[index[part]], np.float32))


@dataclass(frozen=True)
class Components:
    """The first K principal components of `count` codes of D numbers."""

    count: int
    mean: np.ndarray  # (D,) float64
    directions: np.ndarray  # (K, D) float64, orthonormal
    spectrum: np.ndarray  # (R,) float64: the variance along every component that there is, falling; the first K are `directions`'

    def __len__(self) -> int:
        return len(self.directions)

    @property
    def variances(self) -> np.ndarray:
        """(K,): the variance along each direction."""
        return self.spectrum[: len(self)]

    @property
    def shares(self) -> np.ndarray:
        """(R,): each component's share of the total variance."""
        return self.spectrum / self.spectrum.sum()

    @property
    def participation_ratio(self) -> float:
        """(Σλ)² / Σλ²: the number of equally strong components that would have this same ratio."""
        return float(self.spectrum.sum() ** 2 / np.square(self.spectrum).sum())

    def components_for(self, share: float) -> int:
        """How many components hold this share of the variance, above 0 and up to 1."""
        if not 0 < share <= 1:
            raise PosekitError(f"share is {share!r}; it lies above 0 and is 1 at most, 0.95 say")
        return int(np.searchsorted(np.cumsum(self.shares), share * (1 - 1e-12)) + 1)

    def first(self, k: int) -> "Components":
        """With the first k directions only."""
        return Components(self.count, self.mean, self.directions[:k], self.spectrum)

    def transform(self, codes: np.ndarray) -> np.ndarray:
        """Scores (N, K) of codes (N, D)."""
        return (np.asarray(codes) - self.mean) @ self.directions.T

    def inverse(self, scores: np.ndarray) -> np.ndarray:
        """The codes (N, D) that have these scores (N, K) and nothing else."""
        return self.mean + np.asarray(scores) @ self.directions


def pca(moments: Moments, k: int | None = None) -> Components:
    """The first k principal components, or all that vary: eigenvectors of the covariance (divided by N − 1), in float64.

    An eigenvector's sign is free; each gets the one with which its largest number is positive, as in scikit-learn.

    Raises:
        PosekitError: fewer than two people, codes that are all the same, or fewer components than `k`.

    >>> codes = torch.from_numpy(np.random.default_rng(0).normal(size=(400, 3)) * [3.0, 1.0, 0.1])
    >>> components = pca(moments_of(codes.split(50)), 2)
    >>> components.variances.round().tolist(), components.components_for(0.95)
    ([9.0, 1.0], 2)
    >>> components.inverse(components.transform(codes)).shape
    (400, 3)
    """
    if moments.count < 2:
        raise PosekitError(f"principal components need at least two people, there is {moments.count or 'none'}")
    values, vectors = torch.linalg.eigh(moments.scatter)
    spectrum = values.flip(0).cpu().numpy() / (moments.count - 1)
    # Of a constant, what is left is the rounding of its mean.
    if spectrum[0] <= (1e-7 * float(moments.mean.abs().max())) ** 2:
        raise PosekitError(f"the codes of all {moments.count:,} people are the same; take another hook point or other weights")
    rank = min(int((spectrum > NEGLIGIBLE * spectrum[0]).sum()), moments.count - 1)
    if k is not None and not 1 <= k <= rank:
        raise PosekitError(
            f"{k} components asked for; codes of {moments.count:,} people vary along {rank:,} directions: ask for 1 to {rank:,}, or take "
            f"more people"
        )
    k = rank if k is None else k
    directions = vectors[:, -k:].flip(1).T.cpu().numpy()
    largest = np.abs(directions).argmax(1)
    signs = np.sign(directions[np.arange(k), largest])
    return Components(moments.count, moments.mean.cpu().numpy(), directions * signs[:, None], spectrum[:rank].clip(0))


def pca_of(codes: np.ndarray, k: int | None = None, index: np.ndarray | None = None) -> Components:
    """The first k components, or all that vary, of codes (N, D), those of an index array or all; `codes` may be a memory-mapped file.

    Of fewer people than numbers they come from the (N, N) products of people: the (D, D) products of numbers, which `pca` takes, are as
    many as the square of the code's size, and hold nothing more.

    Raises:
        PosekitError: as `pca` does.

    >>> codes = np.random.default_rng(0).normal(size=(20, 300)).astype(np.float32)
    >>> one, other = pca_of(codes, 3), pca(moments_of([torch.from_numpy(codes)]), 3)
    >>> bool(np.allclose(one.directions, other.directions, atol=1e-5) and np.allclose(one.spectrum, other.spectrum, rtol=1e-4))
    True
    """
    k = None if k is None else whole("k", k)
    index = np.flatnonzero(index) if index is not None and np.asarray(index).dtype == bool else index
    count = len(codes) if index is None else len(index)
    if count >= codes.shape[1]:
        return pca(moments_of(batches_of(codes, index)), k)
    values = torch.from_numpy(np.asarray(codes if index is None else codes[index])).double()
    mean = _finite(values.mean(0))
    centred = values - mean
    small = pca(Moments(count, mean.abs().max().expand(count), centred @ centred.T), k)
    directions = small.directions @ centred.numpy()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    largest = np.abs(directions).argmax(1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    return Components(count, mean.numpy(), directions * signs[:, None], small.spectrum)


def noise_floor(codes: np.ndarray, *, permutations: int = 20, seed: int = 0, rows: int = 2 * ROWS) -> np.ndarray:
    """Parallel analysis (Horn, 1965): the variances (R,) that components would have if no number of a code went with another.

    In each of `permutations` turns every column of codes (N, D) is permuted among people, which keeps its distribution
    and breaks all ties between columns; of the variances found, the 95 % quantile is taken component by component. `codes` may be
    a memory-mapped file: people are dealt at random into parts of at most `rows`, within which the columns are permuted.
    """
    permutations, random = whole("permutations", permutations, 1), np.random.default_rng(whole("seed", seed))
    parts, found = max(1, -(-len(codes) // rows)), []
    if len(codes) < codes.shape[1]:
        everybody = np.asarray(codes, np.float32)
        for _ in range(permutations):
            random.permutation(len(codes))  # as many numbers drawn as below
            values = torch.from_numpy(random.permuted(everybody, axis=0)).double()
            values -= _finite(values.mean(0))
            found.append(torch.linalg.eigvalsh(values @ values.T).flip(0).numpy() / (len(codes) - 1))
        return np.quantile(found, 0.95, axis=0)[: len(codes) - 1].clip(0)
    for _ in range(permutations):
        dealt, total = random.permutation(len(codes)), None
        for index in np.array_split(dealt, parts):
            part = np.asarray(codes[np.sort(index)], np.float32)
            moments = moments_of([torch.from_numpy(random.permuted(part, axis=0))])
            if parts > 1:  # parts differ in their means, by chance and along the true components: taken out, and made up for
                moments.scatter *= len(part) / (len(part) - 1)
                moments.mean.zero_()
            if total is None:
                total = moments
            else:
                total.merge(moments)
        assert total is not None
        found.append(torch.linalg.eigvalsh(total.scatter).flip(0).numpy() / (total.count - 1))
    rank = min(codes.shape[1], len(codes) - 1)
    return np.quantile(found, 0.95, axis=0)[:rank].clip(0)


def count_above_floor(spectrum: np.ndarray, floor: np.ndarray) -> int:
    """How many leading components of a spectrum (R,) vary more than noise would: up to the first that does not."""
    count = min(len(spectrum), len(floor))
    beaten = spectrum[:count] <= floor[:count]
    return int(beaten.argmax()) if beaten.any() else count


def jackknife(
    codes: np.ndarray, measures: Mapping[str, Callable[[Components], float]], groups: int = 20, seed: int = 0, *,
    pictures: np.ndarray | None = None,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """Measures of everybody's components, each {"mean", "low", "high"} with its 95 % interval over people, of codes (N, D).

    By the grouped jackknife: people, or `pictures` (N,) where people share one, are dealt at random into groups, each of which is left out
    once. A bootstrap would not do, since people drawn twice make codes look to have fewer dimensions than they have. Of fewer people, or
    pictures, each is a group of its own.

    Raises:
        PosekitError: fewer than 4 people, or pictures.
    """
    owner, units = owners(pictures, len(codes))
    groups, seed = min(whole("groups", groups, 1), units), whole("seed", seed)
    if groups < 4:
        who = "people" if owner is None else "pictures"
        raise PosekitError(f"an interval by the jackknife needs 4 {who}, and there are {units}")
    dealt = [people_of(part, owner) for part in np.array_split(np.random.default_rng(seed).permutation(units), groups)]
    wide = len(codes) < codes.shape[1]
    parts = [] if wide else [moments_of(batches_of(codes, np.sort(index))) for index in dealt]

    def without(left_out: int | None) -> Components:
        if wide:
            return pca_of(codes, index=np.sort(np.concatenate([part for i, part in enumerate(dealt) if i != left_out])))
        moments = Moments.none(codes.shape[1])
        for number, part in enumerate(parts):
            if number != left_out:
                moments.merge(part)
        return pca(moments)

    every, others = without(None), [without(number) for number in range(groups)]
    found = {}
    for name, measure in measures.items():
        value, rest = float(measure(every)), np.array([measure(one) for one in others], float)
        width = 1.959964 * np.sqrt((groups - 1) * rest.var())
        found[name] = {"mean": value, "low": value - width, "high": value + width}
    return found


@dataclass(frozen=True)
class Stability:
    """What two halves of the people agree on, over S random ways to halve them; and what two random subspaces do (mean)."""

    cosines: np.ndarray  # (S, K): |cos| between a component of one half and the one matched to it of the other
    angles: np.ndarray  # (S, K): largest principal angle, in degrees, between the subspaces of the first 1 ... K components
    chance_cosines: np.ndarray  # (K,)
    chance_angles: np.ndarray  # (K,)


def stability(codes: np.ndarray, k: int, *, splits: int = 10, pictures: np.ndarray | None = None, seed: int = 0) -> Stability:
    """Whether halves of the people have the same first k components. `codes` (N, D) may be a memory-mapped file.

    People who share a picture, by its number in `pictures` (N,), are in the same half.

    A component of one half is matched to one of the other's first 2k, each to another one, so that the sum of |cos| is
    largest: components of nearly the same variance may have changed places, which `angles` does not mind either.

    Raises:
        PosekitError: a half has fewer than k components.
    """
    k, splits, random = whole("k", k, 1), whole("splits", splits, 1), np.random.default_rng(whole("seed", seed))
    owner, units = owners(pictures, len(codes))
    found, chance = [], []
    for _ in range(splits):
        dealt = random.permutation(units)
        halves = [np.sort(people_of(part, owner)) for part in (dealt[: units // 2], dealt[units // 2 :])]
        pair = [pca_of(codes, index=half) for half in halves]
        if min(map(len, pair)) < k:
            raise PosekitError(f"half of {len(codes):,} people have {min(map(len, pair))} components, not {k}; ask for fewer")
        one, other = (half.directions[: 2 * k] for half in pair)
        found.append(_agreement(one[:k], other))
        drawn = random.normal(size=(2, codes.shape[1], min(len(one), len(other))))
        one, other = (np.linalg.qr(frame)[0].T for frame in drawn)
        chance.append(_agreement(one[:k], other))
    cosines, angles = (np.array(values) for values in zip(*found, strict=True))
    return Stability(cosines, angles, *np.mean(chance, axis=0))


def _agreement(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|cos| of matched directions, and largest principal angles in degrees of leading subspaces, of frames (K, D) and (≥ K, D)."""
    across = one @ other.T
    matched = np.abs(across)[linear_sum_assignment(-np.abs(across))]
    # The singular values of a leading block are the cosines of the principal angles (Björck & Golub, 1973).
    least = [np.linalg.svd(across[:m, :m], compute_uv=False)[-1] for m in range(1, len(one) + 1)]
    return matched, np.degrees(np.arccos(np.clip(least, 0, 1)))
