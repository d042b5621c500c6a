"""Numbers beside other implementations: scipy's, scikit-learn's, or the formula written out."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.ndimage import gaussian_filter
from sklearn.metrics import r2_score, roc_auc_score

from posekit import heatmaps as hm
from posekit.engine.trust import reliability
from posekit.interpret.analysis import clusters, components, probes, sparse
from posekit.interpret.attribution import indices, sanity


@pytest.fixture
def random():
    return np.random.default_rng(0)


def partial_spearman(a, b, given):
    """What is left of two ranks when a line in the third is taken off both."""
    a, b, given = (stats.rankdata(values) for values in (a, b, given))
    line = np.stack([np.ones_like(given), given], 1)
    return np.corrcoef(*(values - line @ np.linalg.lstsq(line, values, rcond=None)[0] for values in (a, b)))[0, 1]


def test_likeness_given_the_distance_is_a_correlation_of_residuals(random):
    one = random.random((5, 32, 32))
    other, around = 0.5 * one + random.random((5, 32, 32)), random.uniform(5, 27, (5, 2))
    y, x = np.mgrid[:32, :32]

    def cells(values):
        return values.reshape(8, 4, 8, 4).mean((1, 3)).ravel()

    away = [cells(np.hypot(x - left, y - top)) for left, top in around]
    expected = [partial_spearman(cells(a), cells(b), far) for a, b, far in zip(one, other, away, strict=True)]
    assert np.allclose(sanity.likeness(one, other, around), expected)


def test_few_people_have_students_interval(random):
    values = random.normal(size=12)
    found = sanity.student_interval(values)
    assert (found["low"], found["high"]) == pytest.approx(stats.t.interval(0.95, 11, values.mean(), stats.sem(values)))


def test_ginis_coefficient_is_half_the_relative_mean_difference(random):
    maps = random.normal(size=(3, 10, 10))
    strength = np.abs(maps.reshape(3, -1))
    assert np.allclose(indices.gini(maps), np.abs(strength[:, :, None] - strength[:, None]).mean((1, 2)) / strength.mean(1) / 2)


def test_measures_of_resampled_people_are_scikit_learns_with_weights(random):
    truth = (random.random(100) < 0.4).astype(float)
    told, counts = np.round(random.normal(size=100) + truth, 1), random.integers(0, 3, 100)
    assert probes._auc(truth, told)(counts) == pytest.approx(roc_auc_score(truth, told, sample_weight=counts))
    assert probes._r2(truth, told)(counts) == pytest.approx(r2_score(truth, told, sample_weight=counts))


def test_areas_of_all_features_are_scikit_learns(random):
    features, marked = np.round(random.normal(size=(200, 4)), 1), random.random((200, 3)) < 0.3
    expected = [[roc_auc_score(mark, feature) for mark in marked.T] for feature in features.T]
    assert np.allclose(sparse.areas(features, marked), expected)


@pytest.mark.parametrize("people", [300, 40])
def test_the_noise_floor_is_horns_loop(people, random):
    codes = (random.normal(size=(people, 60)) * np.linspace(3, 0.5, 60)).astype(np.float32)
    found = [np.linalg.eigvalsh(np.cov([random.permutation(column) for column in codes.T]))[::-1] for _ in range(60)]
    floor = components.noise_floor(codes, permutations=60)
    first = slice(min(people, 60) // 2)
    assert np.allclose(floor[first], np.quantile(found, 0.95, axis=0)[: len(floor)][first], rtol=0.06)


def test_orthogonal_atoms_explain_what_their_largest_coefficients_hold(random):
    cells = random.normal(size=(500, 10)).astype(np.float32)
    centred = (cells - cells.mean(0)).astype(float)
    scores = np.square(centred @ np.linalg.svd(centred)[2].T)
    assert sparse.components(cells, 3).explained(cells) == pytest.approx(np.sort(scores, 1)[:, -3:].sum() / scores.sum(), abs=1e-5)


def test_the_calibration_error_and_the_risk_are_their_formulas(random):
    confidence, hits = random.random((200, 5)), (random.random((200, 5)) < 0.5).astype(float)
    bins = [np.floor(10 * confidence) == b for b in range(10)]
    expected = sum(abs(confidence[one].mean() - hits[one].mean()) * one.mean() for one in bins)
    assert reliability.calibration_error(confidence, hits)["mean"] == pytest.approx(expected)
    missed = 1 - hits.ravel()[np.argsort(-confidence.ravel())]
    found = reliability.risk_coverage(confidence, hits)
    assert found["risk"] == pytest.approx([missed[: round(1000 * share)].mean() for share in found["coverage"]])


def test_the_valley_is_of_scipys_density(random):
    density = stats.gaussian_kde(places := random.normal(0.5, 0.5, 200))
    assert clusters.valley(places)["mean"] == pytest.approx(density(0.5)[0] / min(density(0)[0], density(1)[0]))


def test_the_blur_and_the_entropy_of_heatmaps_are_scipys():
    maps = hm.probabilities(torch.randn(2, 3, 40, 36, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    expected = gaussian_filter(maps.numpy(), 2.0, mode="constant", truncate=3.0, axes=(-2, -1))
    assert np.allclose(hm.smooth(maps, 2.0), expected, atol=1e-12)
    assert np.allclose(hm.entropy(maps), stats.entropy(maps.flatten(-2).numpy(), axis=-1) / np.log(40 * 36))
