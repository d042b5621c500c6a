"""The streamed components as scikit-learn has its estimators."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from posekit import PosekitError
from posekit.interpret.analysis.streamed import StreamedPCA


@parametrize_with_checks([StreamedPCA()])
def test_it_has_the_manners_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def codes():
    return np.random.default_rng(0).normal(size=(5000, 8)) * np.arange(8, 0, -1) + 100


@pytest.mark.parametrize("k", [3, None])
def test_it_finds_what_scikit_learns_pca_finds(codes, k):
    ours, theirs = StreamedPCA(k).fit(codes), PCA(k).fit(codes)
    for name in ("components_", "explained_variance_", "explained_variance_ratio_", "mean_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-9)
    np.testing.assert_allclose(ours.transform(codes), theirs.transform(codes), atol=1e-8)
    np.testing.assert_allclose(ours.inverse_transform(ours.transform(codes)), theirs.inverse_transform(theirs.transform(codes)), atol=1e-8)
    assert (ours.n_components_, ours.n_samples_seen_) == (theirs.n_components_, 5000)


def test_batch_by_batch_is_all_at_once(codes):
    streamed = StreamedPCA(4)
    for part in np.array_split(codes, 7):
        streamed.partial_fit(part)
    whole = StreamedPCA(4).fit(codes)
    np.testing.assert_allclose(streamed.components_, whole.components_, atol=1e-9)
    streamed.partial_fit(codes[:100] * [1, 1, 1, 1, 1, 1, 1, 50])  # what was found before is not kept
    assert abs(streamed.components_[0, 7]) > 0.9 and streamed.n_samples_seen_ == 5100
    np.testing.assert_allclose(streamed.fit(codes).components_, whole.components_, atol=1e-9)


def test_it_stands_in_a_pipeline(codes):
    kind = codes[:, 1] > 100
    search = GridSearchCV(make_pipeline(StreamedPCA(), LogisticRegression()), {"streamedpca__n_components": [1, 4]}, cv=2)
    search.fit(codes[:400], kind[:400])
    assert search.best_params_ == {"streamedpca__n_components": 4} and search.score(codes[400:], kind[400:]) > 0.9
    assert list(clone(StreamedPCA(2)).fit(codes).get_feature_names_out()) == ["streamedpca0", "streamedpca1"]


def test_more_components_than_there_are_is_told_when_it_is_fitted(codes):
    with pytest.raises(PosekitError, match="9 components asked for"):
        StreamedPCA(9).fit(codes)
