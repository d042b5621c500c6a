"""The streamed principal components as an estimator of scikit-learn: in a pipeline, in a grid search, or batch by batch.

make_pipeline(StreamedPCA(20), KMeans(2)).fit(codes)
for batch in batches:
    estimator.partial_fit(batch)
"""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from posekit.data.people import iterate
from posekit.interpret.analysis.components import ROWS, Components, Moments, pca


class StreamedPCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """`posekit.interpret.analysis.components.pca` with the names and manners of `sklearn.decomposition.PCA`.

    Args:
        n_components: how many are kept, K; None keeps all that vary.

    After fitting to codes (N, D): `components_` (K, D), `explained_variance_` and `explained_variance_ratio_` (K,), `mean_` (D,),
    `n_components_` K, `n_samples_seen_` N, and `pca_`, the same as `Components`. Memory is D x D numbers, however many people
    there are; `partial_fit` takes them batch by batch, and components are computed when they are first used.

    Raises:
        PosekitError: as `pca`.

    >>> random = np.random.default_rng(0)
    >>> codes = random.normal(size=(500, 3)) * [3.0, 1.0, 0.1]
    >>> estimator = StreamedPCA(2).fit(codes)
    >>> estimator.explained_variance_.round(0).tolist()
    [9.0, 1.0]
    >>> estimator.transform(codes).shape
    (500, 2)
    >>> bool(np.abs(estimator.inverse_transform(estimator.transform(codes)) - codes).max() < 0.5)
    True
    """

    def __init__(self, n_components: int | None = None):
        self.n_components = n_components

    def fit(self, X: Any, y: Any = None) -> "StreamedPCA":
        """Find the components of codes (N, D), and forget those of before."""
        self.__dict__.pop("moments_", None)
        self._add(validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2))
        self.pca_  # noqa: B018  # what cannot be found is told here
        return self

    def partial_fit(self, X: Any, y: Any = None) -> "StreamedPCA":
        """Add a batch of codes (B, D) to those seen."""
        self._add(validate_data(self, X, dtype=[np.float64, np.float32], reset=not hasattr(self, "moments_")))
        return self

    def _add(self, codes: np.ndarray) -> None:
        if not hasattr(self, "moments_"):
            self.moments_ = Moments.none(codes.shape[1])
        for part in iterate(len(codes), ROWS):
            self.moments_.add(torch.tensor(codes[part]))
        self.__dict__.pop("pca_", None)

    @cached_property
    def pca_(self) -> Components:
        return pca(self.moments_, self.n_components)

    @property
    def components_(self) -> np.ndarray:
        return self.pca_.directions

    @property
    def explained_variance_(self) -> np.ndarray:
        return self.pca_.variances

    @property
    def explained_variance_ratio_(self) -> np.ndarray:
        return self.pca_.shares[: len(self.pca_)]

    @property
    def mean_(self) -> np.ndarray:
        return self.pca_.mean

    @property
    def n_components_(self) -> int:
        return len(self.pca_)

    @property
    def n_samples_seen_(self) -> int:
        return self.moments_.count

    _n_features_out = n_components_

    def transform(self, X: Any) -> np.ndarray:
        """Scores (N, K) of codes (N, D)."""
        check_is_fitted(self)
        return self.pca_.transform(validate_data(self, X, dtype=[np.float64, np.float32], reset=False))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """The codes (N, D) that have these scores (N, K) and nothing else."""
        check_is_fitted(self)
        return self.pca_.inverse(X)
