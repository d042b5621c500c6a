"""Clusters: planted ones are found, one cloud is told from several, and bad input is refused in a line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import adjusted_rand_score, silhouette_score

from posekit.errors import PosekitError
from posekit.interpret.analysis import clusters


def planted(k: int, people: int = 240, apart: float = 12.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """k round clouds in 6 dimensions, pairwise `apart` standard deviations or more, with their true labels."""
    random = np.random.default_rng(seed)
    truth = np.sort(np.arange(people) % k)
    centres = np.zeros((k, 6))
    centres[np.arange(k), np.arange(k) % 6] = apart * (1 + np.arange(k) // 6)
    return centres[truth] + random.normal(size=(people, 6)), truth


@settings(max_examples=15, deadline=None)
@given(k=st.integers(2, 6), seed=st.integers(0, 1000))
def test_planted_clusters_are_found(k, seed):
    points, truth = planted(k, seed=seed)
    found = clusters.kmeans(points, k, seed=seed)
    assert adjusted_rand_score(truth, found.labels) == 1
    assert (np.diff(found.sizes) <= 0).all() and found.sizes.sum() == len(points)
    for cluster, members in enumerate(clusters.nearest_to_centres(points, found, 5)):
        assert len(members) == 5 and (found.labels[members] == cluster).all()


def test_mini_batches_find_them_too(monkeypatch):
    monkeypatch.setattr(clusters, "EXACT", 100)
    points, truth = planted(3)
    assert adjusted_rand_score(truth, clusters.kmeans(points, 3).labels) == 1


def test_silhouette_is_scikit_learns_and_a_sample_estimates_it():
    points, _ = planted(3, people=600, apart=4)
    found = {k: clusters.kmeans(points, k) for k in (2, 3, 4)}
    values = clusters.silhouettes(points, found)
    assert values[3].mean() == pytest.approx(silhouette_score(points, found[3].labels))
    some = clusters.mean_over_people(clusters.silhouettes(points, found, sample=200)[3])
    assert some["low"] < values[3].mean() < some["high"]
    whole = clusters.over_halves(values[3].mean(), clusters.halves(points, [2, 3])[3])
    assert whole["mean"] == values[3].mean() and whole["low"] > values[2].mean()


def test_the_planted_k_is_best_and_leads():
    points, _ = planted(3)
    values, halved = (
        clusters.silhouettes(points, {k: clusters.kmeans(points, k) for k in (2, 3, 4, 5)}),
        clusters.halves(points, (2, 3, 4, 5)),
    )
    first, second, lead = clusters.best(values, halved)
    assert first == 3 and second != 3 and lead["low"] > 0
    with pytest.raises(PosekitError, match="at least two"):
        clusters.best({2: values[2]}, halved)


def test_there_is_a_valley_between_planted_clusters_and_none_within_a_cloud():
    points, _ = planted(2, people=1000, apart=6)
    for cloud, split in ((points, True), (clusters.structureless(points), False)):
        places = clusters.between(cloud, clusters.kmeans(cloud, 2))
        found = clusters.valley(places)
        assert found["high"] < 0.5 if split else found["low"] > 0.8
    clustering = clusters.Clustering(np.zeros(2, int), np.array([[1.0, 1.0], [3.0, 1.0]]))
    assert clusters.between(np.array([[1.0, 5.0], [2.0, 0.0], [3.0, 1.0]]), clustering) == pytest.approx([0, 0.5, 1])


@pytest.mark.slow
def test_a_cloud_is_above_structureless_ones_as_seldom_as_it_may():
    """The excess of a normal cloud excludes 0 in 5 % of draws, and that of planted clusters always."""
    random, draws, excluded = np.random.default_rng(0), 300, 0
    for draw in range(draws):
        cloud = random.normal(size=(60, 3)) * [2, 1, 0.5]
        value = clusters.silhouettes(cloud, {2: clusters.kmeans(cloud, 2, restarts=1)})[2].mean()
        found = clusters.excess(value, clusters.controls(cloud, [2], restarts=1, seed=1000 * draw)[2])
        excluded += found["low"] > 0 or found["high"] < 0
    assert 0.03 <= excluded / draws <= 0.07
    points, _ = planted(2, apart=6)
    value = clusters.silhouettes(points, {2: clusters.kmeans(points, 2)})[2].mean()
    assert clusters.excess(value, clusters.controls(points, [2], restarts=2)[2])["low"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("apart", [0.0, 4.0])
def test_intervals_by_halves_hold_the_mean_of_many_samples(apart):
    random, draws = np.random.default_rng(0), 120

    def drawn():
        return random.normal(size=(120, 2)) * [2, 1] + apart * random.integers(2, size=120)[:, None] * [1, 0]

    def value(points):
        return clusters.silhouettes(points, {2: clusters.kmeans(points, 2, restarts=1)})[2].mean()

    truth = np.mean([value(drawn()) for _ in range(400)])
    held = 0
    for _ in range(draws):
        points = drawn()
        found = clusters.over_halves(value(points), clusters.halves(points, [2], restarts=1)[2])
        held += found["low"] <= truth <= found["high"]
    noise = 2 * np.sqrt(0.95 * 0.05 / draws)
    assert 0.93 - noise <= held / draws <= min(0.97 + noise, 1)


def test_a_valley_is_seen_from_nearer_by_more_people_and_never_in_one_cloud():
    few, many = (clusters.valley_seen_from(people, draws=5) for people in (60, 600))
    assert 2 <= many < few < 8
    random, draws = np.random.default_rng(0), 40
    shown = 0
    for _ in range(draws):
        cloud = random.normal(size=(300, 2)) * [2, 1]
        shown += clusters.valley(clusters.between(cloud, clusters.kmeans(cloud, 2, restarts=1)))["high"] < 1
    assert shown / draws <= 0.07


def test_difference_of_two_groups_means():
    inside, outside = np.random.default_rng(0).normal(size=10), np.random.default_rng(1).normal(1, 3, size=400)
    theirs = stats.ttest_ind(inside, outside, equal_var=False).confidence_interval()
    found = clusters.against(inside, outside)
    assert found == pytest.approx({"mean": inside.mean() - outside.mean(), "low": theirs.low, "high": theirs.high})
    assert clusters.against(np.ones(3), np.zeros(4)) == {"mean": 1, "low": 1, "high": 1}


def test_structureless_points_keep_mean_and_covariance_and_lose_the_clusters():
    points, _ = planted(3, people=6000)
    control = clusters.structureless(points)
    scale = np.sqrt(np.diag(np.cov(points.T)).max())
    assert np.allclose(control.mean(0), points.mean(0), atol=1e-9 * scale)
    assert np.allclose(np.cov(control.T), np.cov(points.T), atol=1e-9 * scale**2)
    means = []
    for cloud in (points, control):
        means.append(clusters.silhouettes(cloud, {3: clusters.kmeans(cloud, 3)})[3].mean())
    assert means[0] > 0.7 > 0.4 > means[1]


def test_stability_is_one_for_planted_clusters_and_low_for_a_round_cloud():
    points, _ = planted(3)
    assert clusters.cluster_stability(points, 3, pairs=5) == {"mean": 1, "low": 1, "high": 1}
    round_cloud = np.random.default_rng(0).normal(size=(240, 6))
    assert clusters.cluster_stability(round_cloud, 3, pairs=5)["mean"] < 0.5


def test_agreement_of_labellings():
    labels = np.arange(300) % 3
    assert clusters.rand_index(labels, (labels + 1) % 3) == {"mean": 1, "low": 1, "high": 1}
    covered = 0
    for seed in range(40):  # many small groups of few people, where a bootstrap interval would lie above 0
        random = np.random.default_rng(seed)
        chance = clusters.rand_index(random.integers(20, size=60), random.integers(3, size=60))
        assert chance["low"] <= chance["mean"] <= chance["high"]
        covered += chance["low"] <= 0 <= chance["high"]
    assert covered >= 32


def test_density_finds_planted_clusters_and_noise():
    points, truth = planted(3)
    scattered = np.random.default_rng(1).uniform(-40, 40, (20, 6))
    labels = clusters.dense(np.concatenate([points, scattered]), 20)
    assert labels.max() + 1 == 3 and adjusted_rand_score(truth, labels[:240]) > 0.9
    assert (labels[240:] == -1).mean() > 0.8
    for smallest in (1, 1000):
        with pytest.raises(PosekitError, match="smallest cluster"):
            clusters.dense(points, smallest)


@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-3, 3), scale=st.floats(0.01, 100))
def test_enrichment_is_in_standard_deviations(shift, scale):
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2
    values = random.normal(size=400) + shift * (labels == 1)
    plain = clusters.enrichment(labels, {"height": values})
    scaled = clusters.enrichment(labels, {"height": scale * values + 7})
    expected = (values[labels == 1].mean() - values[labels == 0].mean()) / values.std()
    assert plain[1]["difference"] == pytest.approx(expected)
    assert plain[0]["difference"] == pytest.approx(-expected)
    assert plain[1]["low"] < expected < plain[1]["high"]
    assert [entry["difference"] for entry in scaled] == pytest.approx([entry["difference"] for entry in plain])


def test_enrichment_leaves_out_what_is_undefined():
    labels = np.repeat([0, 1, -1], 40)
    random = np.random.default_rng(0)
    rare = np.where(np.arange(120) < 45, random.normal(size=120), np.nan)  # 5 people of cluster 1 have it
    attributes = {"constant": np.ones(120), "nobody's": np.full(120, np.nan), "rare": rare, "all": random.normal(size=120)}
    found = clusters.enrichment(labels, attributes)
    assert {(entry["attribute"], entry["cluster"]) for entry in found} == {("all", 0), ("all", 1)}
    assert np.isfinite([[entry["difference"], entry["low"], entry["high"]] for entry in found]).all()


@pytest.mark.parametrize(
    "points, k, said",
    [
        (np.zeros((50, 4)), 2, "all 50 codes are the same"),
        (np.repeat(np.eye(4)[:2], 20, 0), 3, "1 of the clusters are empty"),
        (np.random.default_rng(0).normal(size=(5, 4)), 5, "less than the number of people, 5"),
        (np.random.default_rng(0).normal(size=(50, 4)), 1, "at least 2"),
        (np.where(np.arange(50)[:, None] == 7, np.nan, np.arange(50)[:, None] * np.ones(4)), 2, "person 7 is not finite"),
        (np.zeros(5), 2, r"not \(5,\)"),
    ],
)
def test_bad_input_is_refused(points, k, said):
    with pytest.raises(PosekitError, match=said):
        clusters.kmeans(points, k)


def test_silhouettes_of_other_people_than_were_clustered_are_refused():
    points = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(PosekitError, match="silhouettes for K = 2: 30 people were clustered, and 20 are given"):
        clusters.silhouettes(points[:20], {2: clusters.kmeans(points, 2)})


def test_a_sample_too_small_for_silhouettes_is_refused():
    points, _ = planted(2)
    with pytest.raises(PosekitError, match="too small"):
        clusters.silhouettes(points, {2: clusters.kmeans(points, 2)}, sample=1)


def test_possible_ks():
    assert clusters.possible([2, 5, 10], 60) == [2, 5]


def test_nearness_of_rings_is_that_of_their_radii():
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    points = np.concatenate([centre + radius * ring for centre in ([0.0, 0.0], [50.0, 0.0]) for radius in (1, 3)])
    found = clusters.kmeans(points, 2)
    assert clusters.nearness(points, found, 8) == pytest.approx([0.5, 0.5])
    assert clusters.nearness(points, found, 16) == pytest.approx([1, 1])


@pytest.mark.parametrize("exact", [100, 10_000])
def test_a_trial_at_scale_says_what_it_took(monkeypatch, exact):
    monkeypatch.setattr(clusters, "EXACT", exact)
    points, _ = planted(2, people=100)
    tried = clusters.at_scale(points, 500, seed=0)
    assert tried["by mini-batches"] == (exact == 100) and tried["sample"] == 500 and tried["points megabytes"] == 500 * 6 * 4 / 1e6
    assert 0 < tried["k-means seconds"] <= tried["seconds"] and tried["megabytes"] > 0
    assert tried["silhouette"]["low"] <= tried["silhouette"]["mean"] <= tried["silhouette"]["high"]
