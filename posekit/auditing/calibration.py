"""From rows of evidence to probabilities, by planted errors, without knowing which labels are right.

A multinomial logistic regression and boosted trees tell labels as they are from planted errors, all kinds alike frequent. The mean of
their log-odds gives for each label the ratio of densities, of an error of a kind over the labels as they are: the linear model holds with
few people, and only the trees can say that a network contradicts itself about a person. Among the labels as they are there are real
errors of that kind at an unknown rate; the probability that a label is one is the rate times the ratio (Elkan and Noto, KDD 2008). The
rate can be no higher than where the labels as they are, beyond some threshold, are as many as so many planted errors (Blanchard, Lee and
Scott, JMLR 2010), and is taken to be that: the most suspicious labels count as wrong. Nobody's planted errors take part in the fit that
judges them (`FOLDS`, by picture).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from posekit.errors import PosekitError

FOLDS = 5
LEAST = 0.1  # share of the planted errors that a threshold must keep
LIMITS = {"person": 0.02, "flag": 0.02}  # the highest rate of kinds that an opinion that fails on a person looks like
LIMIT = 0.15  # of any other kind: more contradictions say that an opinion is no good, not that so many labels are wrong
STRENGTH = 0.1  # inverse of the penalty of the linear model's coefficients, of standardised columns
ROUNDS, LEAVES = 60, 6  # of boosting, and of each tree: few, for a few hundred people


@dataclass(frozen=True)
class Calibrated:
    """Probabilities (N, kinds) of each kind of error, in the order of `kinds`, which sum to 1 at most; and the rate of each kind."""

    kinds: tuple[str, ...]
    probabilities: np.ndarray
    rates: np.ndarray


def calibrate(as_is: np.ndarray, planted: Mapping[str, tuple[np.ndarray, np.ndarray]], owners: np.ndarray) -> Calibrated:
    """Probabilities for rows `as_is` (N, F) by planted errors, a kind each: rows (n, F), and whose they are (n,), an index into `owners`.

    `owners` (N,) are the pictures: what is of one is judged by fits on the others. Kinds without a planted error are left out.

    Raises:
        PosekitError: there are fewer pictures than FOLDS, or nothing can be planted.
    """
    kinds = tuple(kind for kind, (rows, _) in planted.items() if len(rows))
    names, picture = np.unique(owners, return_inverse=True)
    if len(names) < FOLDS:
        raise PosekitError(
            f"people who can be judged are in {len(names)} of the pictures; an audit needs {FOLDS}, to calibrate itself by others"
        )
    if not kinds:
        raise PosekitError("no error can be planted in these labels, so that none can be recognised; are enough joints labelled?")
    fold = np.random.default_rng(0).permutation(len(names))[picture] % FOLDS
    whose = {kind: planted[kind][1] for kind in kinds}
    ratios = np.zeros((len(as_is), len(kinds)))
    of_planted = {kind: np.zeros((len(whose[kind]), len(kinds))) for kind in kinds}
    for held in range(FOLDS):
        rows = [as_is[fold != held], *(planted[kind][0][fold[whose[kind]] != held] for kind in kinds)]
        model = _fit(rows)
        ratios[fold == held] = _log_ratios(model, as_is[fold == held], len(rows))
        for kind in kinds:
            theirs = fold[whose[kind]] == held
            of_planted[kind][theirs] = _log_ratios(model, planted[kind][0][theirs], len(rows))
    rates = np.array([min(rate(ratios[:, i], of_planted[kind][:, i]), LIMITS.get(kind, LIMIT)) for i, kind in enumerate(kinds)])
    found = np.exp(np.clip(ratios, -50, 50)) * rates
    return Calibrated(kinds, found / np.maximum(found.sum(1, keepdims=True), 1), rates)


def rate(as_is: np.ndarray, planted: np.ndarray) -> float:
    """The highest rate (in [0, 1]) of errors among scores as they are (N,) that planted errors' scores (n,) allow.

    A standard deviation and one label more than there are beyond a threshold are allowed for, lest the fewest by chance decide.

    >>> rate(np.r_[np.zeros(84), np.full(16, 5.0)], np.full(50, 5.0))
    0.21
    """
    thresholds = np.quantile(planted, np.linspace(0, 1 - LEAST, 91))
    beyond = (as_is[:, None] >= thresholds).sum(0)
    share = (planted[:, None] >= thresholds).mean(0)
    return float(min(((beyond + np.sqrt(beyond) + 1) / (len(as_is) * share)).min(), 1.0))


def _fit(rows: list[np.ndarray]):
    """The two models, fitted on rows (n, F) of each kind, and the log of how many rows there are of each of their classes."""
    there = [i for i, part in enumerate(rows) if len(part)]
    if there == [0]:
        return None
    features, kinds = np.concatenate(rows), np.repeat(range(len(rows)), [len(part) for part in rows])
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000))
    trees = HistGradientBoostingClassifier(
        max_iter=ROUNDS, max_leaf_nodes=LEAVES, l2_regularization=1.0, early_stopping=False, random_state=0
    )
    return [model.fit(features, kinds) for model in (linear, trees)], np.log([len(rows[i]) for i in there])


def _log_ratios(fitted, rows: np.ndarray, classes: int) -> np.ndarray:
    """Log-ratios (n, kinds) of each kind to the labels as they are, the mean of the models'; far down for kinds that a fit has not seen."""
    out = np.full((len(rows), classes - 1), -50.0)
    if fitted is None or not len(rows):
        return out
    models, counts = fitted
    score = np.mean([_scores(model, rows) for model in models], 0) - counts  # as if there were as many rows of each
    for column, kind in enumerate(models[0].classes_[1:], 1):  # the first are the labels as they are
        out[:, kind - 1] = score[:, column] - score[:, 0]
    return out


def _scores(model, rows: np.ndarray) -> np.ndarray:
    score = model.decision_function(rows)
    return np.stack([np.zeros(len(rows)), score], 1) if score.ndim == 1 else score
