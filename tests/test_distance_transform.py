"""The generalised distance transform equals the search over all pairs of places."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.models.distance import distance_transform


def brute_force(scores, stiffness, rest):
    n, h, w = scores.shape
    y, x = np.mgrid[:h, :w]
    out = np.empty_like(scores)
    for i in range(n):
        for v in range(h):
            for u in range(w):
                cost = stiffness[i, 0] * (x - u - rest[i, 0]) ** 2 + stiffness[i, 1] * (y - v - rest[i, 1]) ** 2
                out[i, v, u] = (scores[i] - cost).max()
    return out


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 3), height=st.integers(1, 7), width=st.integers(1, 7), seed=st.integers(0, 10_000),
    spread=st.sampled_from([0.0, 0.01, 1.0, 1e4]), stiff=st.sampled_from([1e-4, 0.1, 1.0, 50.0]), far=st.sampled_from([0.0, 2.0, 30.0]),
)  # fmt: skip
def test_equals_the_search_over_all_pairs(n, height, width, seed, spread, stiff, far):
    random = np.random.default_rng(seed)
    scores = spread * random.normal(size=(n, height, width))
    stiffness = stiff * random.uniform(0.5, 2, (n, 2))
    rest = far * random.uniform(-1, 1, (n, 2))
    found = distance_transform(scores, stiffness, rest)
    np.testing.assert_allclose(found, brute_force(scores, stiffness, rest), rtol=1e-9, atol=1e-9 * max(spread, 1))


def test_ties_and_whole_offsets():
    scores = np.zeros((1, 4, 5))
    scores[0, 1, 3] = 1
    found = distance_transform(scores, np.array([[1.0, 1.0]]), np.array([[2.0, -1.0]]))
    assert found[0, 2, 1] == 1  # the peak lies two to the right and one up from there
    np.testing.assert_array_equal(found, brute_force(scores, np.array([[1.0, 1.0]]), np.array([[2.0, -1.0]])))


def test_without_a_spring_to_speak_of_the_best_place_serves_all():
    scores = np.random.default_rng(0).normal(size=(2, 6, 6))
    found = distance_transform(scores, np.full((2, 2), 1e-12), np.zeros((2, 2)))
    np.testing.assert_allclose(found, np.broadcast_to(scores.max((1, 2), keepdims=True), found.shape), atol=1e-9)
