"""Sparse features: a TopK sparse autoencoder of single cells, with principal components and NMF at the same sparsity beside it.

    cells = sampled(network, pictures, "stack0.skip1", joints)
    dictionaries = [autoencoder(cells.values, 256, 8, seed=seed) for seed in range(3)]
    atom_stability([dictionary.atoms for dictionary in dictionaries])  # do they find the same atoms?

A cell is the vector (C,) of an activation's channels at one place. An autoencoder writes it as a sum of at most k of its atoms (Gao et
al., Scaling and evaluating sparse autoencoders, 2024). Whether atoms mean more than components is measured, not assumed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata
from sklearn.decomposition import MiniBatchNMF
from torch import Tensor, nn

from posekit.errors import PosekitError, whole

STEPS, BATCH, LR = 400, 256, 1e-2
DRAWS = 5  # of random dictionaries, for what chance agrees on


@dataclass(frozen=True)
class Dictionary:
    """Atoms (A, C), and how cells are written in them.

    Attributes:
        name: how it was found.
        atoms: (A, C) of length 1.
        mean: (C,) taken off a cell before it is written in atoms.
        k: atoms that a cell has at most.
        code: from cells (M, C) to all their coefficients (M, A), before all but the k largest are dropped.
    """

    name: str
    atoms: np.ndarray
    mean: np.ndarray
    k: int
    code: Callable[[np.ndarray], np.ndarray]

    def coefficients(self, cells: np.ndarray) -> np.ndarray:
        """Coefficients (M, A) of cells (M, C): the k largest in size of each cell, the others 0."""
        found = self.code(np.asarray(cells, np.float32))
        if self.k >= found.shape[1]:
            return found
        size = np.abs(found)
        least = np.partition(size, -self.k, axis=1)[:, -self.k, None]
        return np.where(size >= least, found, 0)

    def explained(self, cells: np.ndarray) -> float:
        """The share of the variance of cells (M, C) that is written with k atoms a cell, whose sizes least squares gives; NaN where there
        is no variance.
        """
        chosen = np.argpartition(-np.abs(self.coefficients(cells)), self.k - 1, axis=1)[:, : self.k]
        total = 0.0
        for index in np.array_split(np.arange(len(cells)), max(1, len(cells) // 2048)):
            atoms, wanted = self.atoms[chosen[index]].astype(float), (cells[index] - self.mean).astype(float)
            gram = atoms @ atoms.swapaxes(1, 2) + 1e-6 * np.eye(self.k)
            sizes = np.linalg.solve(gram, atoms @ wanted[..., None])
            total += np.square(wanted - (sizes * atoms).sum(1)).sum()
        spread = np.square(cells - cells.mean(0)).sum() if len(cells) else 0
        return float(1 - total / spread) if spread else np.nan

    def dead(self, cells: np.ndarray) -> float:
        """The share of atoms that none of the cells (M, C) has."""
        return float((self.coefficients(cells) == 0).all(0).mean())


def autoencoder(cells: np.ndarray, atoms: int = 256, k: int = 8, *, seed: int = 0, steps: int = STEPS, batch: int = BATCH) -> Dictionary:
    """A TopK sparse autoencoder of cells (M, C): atoms begin as cells drawn at random and are trained by Adam.

    Raises:
        PosekitError: fewer cells than atoms, k not among 1 to atoms, cells that are all the same or not finite.
    """
    atoms, steps, batch, seed = whole("atoms", atoms, 1), whole("steps", steps, 1), whole("batch", batch, 1), whole("seed", seed)
    check(cells, atoms, k)
    random = torch.Generator().manual_seed(seed)
    data = torch.from_numpy(np.asarray(cells, np.float32))
    mean = data.mean(0)
    data = data - mean
    scale = data.square().mean().sqrt()
    data = data / scale
    drawn = data[torch.randperm(len(data), generator=random)[:atoms]]
    drawn = drawn + 1e-3 * torch.randn(drawn.shape, generator=random)
    with torch.inference_mode(False), torch.enable_grad():
        decoder = nn.Parameter(nn.functional.normalize(drawn, dim=1).clone())
        encoder, bias = nn.Parameter(decoder.detach().clone()), nn.Parameter(torch.zeros(atoms))
        optimiser = torch.optim.Adam([encoder, bias, decoder], LR)
        for _ in range(steps):
            x = data[torch.randint(len(data), (batch,), generator=random)]
            value, index = torch.topk(torch.relu(x @ encoder.T + bias), k)
            written = torch.zeros(len(x), atoms).scatter(1, index, value) @ nn.functional.normalize(decoder, dim=1)
            loss = (written - x).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        weight, offset = encoder.detach().numpy(), bias.detach().numpy()
        found = nn.functional.normalize(decoder.detach(), dim=1).numpy()
    centre, unit = mean.numpy(), float(scale)

    def code(given: np.ndarray) -> np.ndarray:
        return np.maximum((given - centre) / unit @ weight.T + offset, 0) * unit

    return Dictionary("sparse autoencoder", found, centre, k, code)


def components(cells: np.ndarray, k: int = 8) -> Dictionary:
    """All principal components of cells (M, C) as a dictionary: each cell keeps its k largest coefficients, of either sign."""
    check(cells, 1, k, cells.shape[-1])
    mean = cells.mean(0)
    vectors = np.linalg.svd(np.atleast_2d(np.cov(cells, rowvar=False)))[2].astype(np.float32)
    return Dictionary("principal components", vectors, mean, k, lambda given: (given - mean) @ vectors.T)


def nmf(cells: np.ndarray, k: int = 8, *, atoms: int | None = None, seed: int = 0) -> Dictionary:
    """Non-negative matrix factorisation of cells (M, C) counted from their lowest values, with as many atoms as channels by default."""
    atoms, seed = cells.shape[-1] if atoms is None else whole("atoms", atoms, 1), whole("seed", seed)
    check(cells, 1, k, atoms)
    lowest = cells.min(0)
    fitted = MiniBatchNMF(atoms, init="nndsvda", batch_size=BATCH, max_iter=20, random_state=seed, tol=0, max_no_improvement=None)
    fitted.fit(cells - lowest)
    length = np.maximum(np.linalg.norm(fitted.components_, axis=1), 1e-12)

    def code(given: np.ndarray) -> np.ndarray:
        return fitted.transform(np.maximum(given - lowest, 0)) * length

    return Dictionary("NMF", (fitted.components_ / length[:, None]).astype(np.float32), lowest, k, code)


def check(cells: np.ndarray, least: int, k: int, atoms: int | None = None) -> None:
    """Raises PosekitError for what are no cells (M, C), at least so many, or a k that is not among 1 to `atoms`, by default as many."""
    atoms = least if atoms is None else atoms
    if cells.ndim != 2 or len(cells) < least:
        raise PosekitError(f"cells of shape {cells.shape}: {least} atoms need (M, C), M {least} or more; take more people or fewer atoms")
    if not np.isfinite(cells).all() or not cells.std(0).any():
        raise PosekitError("cells are all the same or not finite; take another hook point or other weights")
    if not 1 <= whole("k", k) <= atoms:
        raise PosekitError(f"k is {k}; a cell has 1 to {atoms} of {atoms} atoms")


def dictionaries(cells: np.ndarray, atoms: int = 256, k: int = 8, *, seed: int = 0) -> dict[str, list[Dictionary]]:
    """Three dictionaries of each kind for cells (M, C), each of another half of them."""
    halves = [cells[np.random.default_rng(seed + 10 + i).permutation(len(cells))[: len(cells) // 2]] for i in range(3)]
    return {
        "sparse autoencoder": [autoencoder(half, atoms, k, seed=seed + i) for i, half in enumerate(halves)],
        "principal components": [components(half, k) for half in halves],
        "NMF": [nmf(half, k, seed=seed + i) for i, half in enumerate(halves)],
    }


def atom_stability(dictionaries: Sequence[np.ndarray], *, seed: int = 0) -> dict[str, float]:
    """Whether trainings find the same atoms: the mean cosine, without its sign, of atoms (A, C) of two dictionaries, matched one to one.

    Returns:
        `mean`, `least` and `most` over pairs, and `chance`, the highest mean of five pairs of dictionaries drawn at random, spread over
        the channels as these atoms are. Atoms are stable where `least` is above `chance`.

    Raises:
        PosekitError: fewer than two dictionaries, or of different shapes.
    """
    shapes = {one.shape for one in dictionaries}
    if len(dictionaries) < 2 or len(shapes) > 1:
        raise PosekitError(f"stability compares two or more dictionaries of one shape, not {', '.join(map(str, shapes)) or 'none'}")
    found = [matched(a, b).mean() for i, a in enumerate(dictionaries) for b in dictionaries[:i]]
    random, (atoms, channels) = np.random.default_rng(seed), shapes.pop()
    every = np.concatenate(dictionaries).astype(float)
    every /= np.maximum(np.linalg.norm(every, axis=1, keepdims=True), 1e-12)
    spread = np.linalg.cholesky(every.T @ every / len(every) + 1e-9 * np.eye(channels))
    drawn = [[random.normal(size=(atoms, channels)) @ spread.T for _ in range(2)] for _ in range(DRAWS)]
    chance = max(float(matched(a, b).mean()) for a, b in drawn)
    return {"mean": float(np.mean(found)), "least": float(min(found)), "most": float(max(found)), "chance": chance}


def matched(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """cosine without its sign (A,) of each atom of (A, C) with the one of (A, C) that is matched to it, so that their sum is largest."""
    one, other = (atoms / np.maximum(np.linalg.norm(atoms, axis=1, keepdims=True), 1e-12) for atoms in (one, other))
    across = np.abs(one @ other.T)
    return across[linear_sum_assignment(-across)]


def areas(features: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """The area under the ROC curve (F, J) of each feature (M, F) for each mark (M, J) bool of a cell; NaN for a mark that no cell has.

    Half is chance; below it, less of the feature marks the cell.
    """
    ranks = rankdata(features, axis=0)
    there = marked.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (ranks.T @ marked - there * (there + 1) / 2) / (there * (len(marked) - there))


def atom_detection(features: np.ndarray, marked: np.ndarray, fitted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each mark, which single feature, with which sign, tells it best on the cells of mask `fitted` (M,), and how well on the others.

    Returns:
        The feature of each mark (J,), and its area under the ROC curve (J,) on the cells that did not choose it.
    """
    chosen, tested = (areas(features[rows], marked[rows]) for rows in (fitted, ~fitted))
    best = np.nanargmax(np.where(np.isnan(chosen), 0, np.abs(chosen - 0.5)), axis=0)
    marks = np.arange(marked.shape[1])
    return best, 0.5 + np.sign(chosen[best, marks] - 0.5) * (tested[best, marks] - 0.5)


def without_atom(dictionary: Dictionary, atom: int, direction: np.ndarray | None = None) -> Callable[[Tensor], Tensor]:
    """The edit that takes an atom out of an activation (B, C, h, w): its coefficient times the atom, from every cell.

    With a `direction` (C,) of length 1, as much is taken along that one: the control.
    """
    if not 0 <= atom < len(dictionary.atoms):
        raise PosekitError(f"no atom {atom}; {dictionary.name} has {len(dictionary.atoms)}, counted from 0")
    taken = torch.from_numpy(np.asarray(dictionary.atoms[atom] if direction is None else direction, np.float32))

    def edit(activation: Tensor) -> Tensor:
        flat = activation.float().movedim(1, -1)
        amount = dictionary.coefficients(flat.reshape(-1, flat.shape[-1]).cpu().numpy())[:, atom]
        part = torch.from_numpy(amount.astype(np.float32)).to(activation.device).reshape(flat.shape[:-1])
        return activation - (part[..., None] * taken.to(activation.device)).movedim(-1, 1).to(activation.dtype)

    return edit
