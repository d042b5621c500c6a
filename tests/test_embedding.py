"""Maps of people: what they keep is measured as others measure it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.manifold import trustworthiness

from posekit.errors import PosekitError
from posekit.interpret.analysis import embedding


def cloud(people=120, dimensions=5, seed=0):
    return np.random.default_rng(seed).normal(size=(people, dimensions))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), neighbours=st.integers(1, 40))
def test_trustworthiness_and_continuity_are_scikit_learns(seed, neighbours):
    points = cloud(seed=seed)
    plane = points[:, :2]
    found = embedding.faithfulness(points, plane, neighbours=neighbours)
    for name, spaces in (("trustworthiness", (points, plane)), ("continuity", (plane, points))):
        assert found[name]["mean"] == pytest.approx(trustworthiness(*spaces, n_neighbors=neighbours))
        assert found[name]["low"] <= found[name]["mean"] <= found[name]["high"]


def test_a_true_picture_is_perfect_and_a_random_one_is_at_half():
    plane = cloud(400, 2)
    true = embedding.faithfulness(np.concatenate([plane, np.zeros((400, 3))], 1), plane)
    assert all(block == {"mean": 1, "low": 1, "high": 1} for block in true.values())
    chance = embedding.faithfulness(plane, np.random.default_rng(1).permutation(plane))
    assert all(block["mean"] == pytest.approx(0.5, abs=0.03) for block in chance.values())


def test_intervals_hold_what_many_samples_give():
    random = np.random.default_rng(0)
    clouds = [random.normal(size=(150, 5)) for _ in range(150)]
    found = [embedding.faithfulness(points, points[:, :2], neighbours=10)["trustworthiness"] for points in clouds]
    truth = np.mean([block["mean"] for block in found])
    held = [block["low"] <= truth <= block["high"] for block in found]
    widths = [block["high"] - block["low"] for block in found]
    assert np.mean(held) >= 0.94
    assert np.mean(widths) < 1.6 * 2 * 1.96 * np.std([block["mean"] for block in found]), "nor are they much wider than they must be"


def test_people_who_share_a_picture_are_left_out_together():
    points = cloud(60)
    three = np.repeat(points, 3, 0) + np.random.default_rng(1).normal(0, 0.01, (180, 5))
    asked = [embedding.faithfulness(three, three[:, :2], pictures=ids) for ids in (np.repeat(np.arange(60), 3), np.arange(180), None)]
    assert asked[1] == asked[2]
    shared, alone = (block["trustworthiness"] for block in asked[:2])
    assert shared["mean"] == alone["mean"] and shared["high"] - shared["low"] > 1.2 * (alone["high"] - alone["low"])


def test_left_out_people_are_no_neighbours():
    points, people = cloud(40), np.random.default_rng(0).random(40) < 0.7
    some = points[people]
    ranks = embedding._ranks(embedding._order(points), people)
    assert np.array_equal(ranks, embedding._ranks(embedding._order(some), np.ones(len(some), bool)))


def test_far_distances_are_spearmans():
    points = cloud(80)
    found = embedding.far_distances(points, points[:, :2])
    assert found["mean"] == pytest.approx(spearmanr(pdist(points), pdist(points[:, :2])).statistic)
    assert found["low"] < found["mean"] < found["high"]


@settings(max_examples=15, deadline=None)
@given(angle=st.floats(0, 6), scale=st.floats(0.1, 10), mirror=st.booleans())
def test_planes_alike_but_for_pose_have_no_disparity(angle, scale, mirror):
    plane = cloud(50, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    other = scale * plane @ turn * (-1 if mirror else 1, 1) + (3, -2)
    assert embedding.disparity(plane, other)["mean"] == pytest.approx(0, abs=1e-9)
    assert np.allclose(embedding.aligned(other, plane), plane)


def test_unrelated_planes_have_nearly_full_disparity():
    assert embedding.disparity(cloud(400, 2), cloud(400, 2, seed=1))["low"] > 0.9


def test_umap_is_repeatable_and_keeps_planted_clusters_together():
    truth = np.arange(90) % 3
    points = cloud(90, 6) + 20 * np.eye(6)[truth]
    plane = embedding.umap(points, neighbours=10)
    assert plane.shape == (90, 2)
    assert np.array_equal(plane, embedding.umap(points, neighbours=10))
    distances = np.linalg.norm(plane[:, None] - plane[None], axis=-1) + 1e9 * np.eye(90)
    assert (truth[distances.argmin(1)] == truth).all()


@pytest.mark.parametrize(
    "points, neighbours, said",
    [
        (cloud(10), 10, "fewer than the people, 10"),
        (cloud(10), 1, "at least 2"),
        (np.ones((30, 4)), 5, "all 30 codes are the same"),
        (np.full((30, 4), np.nan), 5, "not finite"),
    ],
)
def test_bad_input_is_refused(points, neighbours, said):
    with pytest.raises(PosekitError, match=said):
        embedding.umap(points, neighbours=neighbours)


def test_measures_refuse_what_does_not_fit():
    with pytest.raises(PosekitError, match="does not go with"):
        embedding.faithfulness(cloud(30), cloud(29, 2))
    with pytest.raises(PosekitError, match="fewer than half"):
        embedding.faithfulness(cloud(30), cloud(30, 2), neighbours=15)


def test_neighbours_of_what_is_not_finite_are_refused():
    points = np.random.default_rng(0).normal(size=(40, 3))
    damaged = np.where(np.arange(120).reshape(40, 3) == 7, np.nan, points)
    for ask in (embedding.faithfulness, embedding.far_distances):
        for pair in ((damaged, points[:, :2]), (points, damaged[:, :2])):
            with pytest.raises(PosekitError, match="is not finite; leave that person out"):
                ask(*pair)
