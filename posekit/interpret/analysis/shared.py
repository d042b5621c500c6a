"""People who share a picture. They are much alike, so that intervals are over pictures: of their own each would count too much."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student


def owners(pictures: ArrayLike | None, people: int) -> tuple[np.ndarray | None, int]:
    """The numbers (N,) of the pictures of so many people, from 0, None where nobody shares one; and how many pictures, or people."""
    if pictures is None:
        return None, people
    names, owner = np.unique(np.asarray(pictures), return_inverse=True)
    return (owner if len(names) < people else None), len(names)


def people_of(drawn: np.ndarray, owner: np.ndarray | None) -> np.ndarray:
    """The people, as indices, who are in the pictures `drawn`, each as often as the picture; without `owner` those drawn themselves.

    >>> people_of(np.array([1, 1]), np.array([0, 1, 1])).tolist()
    [1, 1, 2, 2]
    """
    if owner is None:
        return drawn
    return np.repeat(np.arange(len(owner)), np.bincount(drawn, minlength=owner.max() + 1)[owner])


def summed(values: np.ndarray, owner: np.ndarray | None) -> np.ndarray:
    """Values (N, ...) of people added up within their pictures (P, ...); without `owner` as they are.

    >>> summed(np.array([1, 2, 3]), np.array([0, 1, 1])).tolist()
    [1.0, 5.0]
    """
    if owner is None:
        return values
    sums = np.zeros((owner.max() + 1, *values.shape[1:]))
    np.add.at(sums, owner, values)
    return sums


def half_width(shares: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Half of the 95 % interval (...) of an estimate over pictures, by each person's share (N, ...) in its error, 0 in the mean.

    The sandwich estimator (Liang & Zeger, Biometrika 1986): shares are added up within a picture, and the sums of different ones are
    independent. Student's, with as many degrees of freedom as pictures less one; of one picture NaN.
    """
    count = owner.max() + 1
    if count < 2:
        return np.full(shares.shape[1:], np.nan)
    return student.ppf(0.975, count - 1) * np.sqrt(count / (count - 1) * np.square(summed(shares, owner)).sum(0))
