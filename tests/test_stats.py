import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from posekit.stats import Interval, holm, over_people, over_seeds, over_seeds_and_people, relative_change


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=12))
def test_over_seeds_is_students_t(values):
    interval = over_seeds(np.array(values))
    expected = ttest_1samp(values, 0).confidence_interval(0.95) if np.ptp(values) > 1e-6 else (interval.mean, interval.mean)
    assert [interval.low, interval.high] == pytest.approx(list(expected), abs=1e-5)
    assert interval.n == (len(values),)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_seeds_have_a_mean_and_no_interval(count):
    for interval in (over_seeds(np.arange(count)), over_seeds_and_people(np.ones((count, 5)), np.ones((count, 5)))):
        assert np.isnan([interval.low, interval.high]).all() and np.isfinite(interval.mean)
        assert not interval.excludes(0)


def test_the_gains_that_were_once_taken_for_certain_are_not():
    interval = over_seeds(np.array([3.17, 0.90, 2.44]))
    assert [interval.mean, interval.low, interval.high] == pytest.approx([2.17, -0.70, 5.04], abs=0.01)


def test_where_every_training_agrees_people_alone_decide():
    """Then it is the interval of a ratio over people, of the variance of its linearisation."""
    random = np.random.default_rng(0)
    counts = random.integers(1, 15, 400).astype(float)
    sums = random.binomial(counts.astype(int), 0.4).astype(float)
    interval = over_seeds_and_people(np.tile(sums, (4, 1)), np.tile(counts, (4, 1)))
    share = sums.sum() / counts.sum()
    error = np.sqrt(np.square(sums - share * counts).sum() / (399 * 400)) / counts.mean()
    assert interval.mean == pytest.approx(share)
    assert (interval.high - interval.low) / 2 == pytest.approx(1.966 * error, rel=0.01)


def test_where_all_people_fare_alike_seeds_alone_decide():
    gains = np.array([0.01, 0.02, 0.06])
    both = over_seeds_and_people(np.repeat(gains[:, None], 50, 1), np.ones((3, 50)))
    seeds = over_seeds(gains)
    assert [both.mean, both.low, both.high] == pytest.approx([seeds.mean, seeds.low, seeds.high])


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize(
    ("of_seeds", "of_people"),
    [(0.0, 0.0), (0.02, 0.0), (0.02, 0.3), (0.0, 0.3), (0.005, 0.2), (0.06, 0.2)],
)
def test_coverage(seeds, of_people, of_seeds):
    """95 % intervals hold the true difference 93 to 97 times in a hundred, whatever makes trainings and people differ."""
    random, people, draws, truth = np.random.default_rng(7), 300, 1500, 0.02
    held = 0
    for _ in range(draws):
        counts = np.tile(random.integers(1, 15, people).astype(float), (seeds, 1))
        effect = truth + of_seeds * random.standard_normal((seeds, 1)) + of_people * random.standard_normal(people)
        interval = over_seeds_and_people((effect + 0.3 * random.standard_normal((seeds, people))) * counts, counts)
        held += interval.low <= truth <= interval.high
    noise = 2 * np.sqrt(0.95 * 0.05 / draws)
    assert 0.93 - noise <= held / draws <= 0.97 + noise


def test_an_interval_excludes_what_lies_outside():
    assert Interval(1, 0.5, 2, "seeds", (3,)).excludes(0)
    assert not Interval(1, -0.5, 2, "seeds", (3,)).excludes(0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_as_its_steps_do(values):
    """Step down: the smallest against 0.05 / T, the next against 0.05 / (T - 1), until one is not rejected."""
    p, rejected = np.array(values), np.zeros(len(values), bool)
    for step, test in enumerate(np.argsort(p, kind="stable")):
        if p[test] * (len(p) - step) >= 0.05:
            break
        rejected[test] = True
    assert ((holm(p) < 0.05) == rejected).all()
    assert (holm(p) >= p).all()


def test_tests_that_were_not_made_are_none_of_the_family():
    assert holm(np.array([0.02, np.nan, 0.03])) == pytest.approx([0.04, np.nan, 0.04], nan_ok=True)
    assert len(holm(np.array([]))) == 0 and np.isnan(holm(np.array([np.nan]))).all()


@given(st.integers(2, 30), st.integers(0, 2**16), st.floats(-0.9, 3))
def test_a_relative_change_that_all_share_is_sure(people, seed, change):
    b = np.random.default_rng(seed).integers(1, 9, people)
    found = relative_change((1 + change) * b, b, seed=seed, resamples=50)
    assert np.allclose([found.mean, found.low, found.high], change) and (found.over, found.n) == ("people", (people,))


def test_who_had_nothing_before_counts_in_a_relative_change():
    assert relative_change(np.array([3, 1]), np.array([0, 2])).mean == pytest.approx(1)


def test_a_relative_change_of_nothing_is_none_and_of_nearly_nothing_has_no_interval():
    assert np.isnan(relative_change(np.ones(4), np.zeros(4)).mean)
    rare = relative_change(np.ones(4), np.eye(4)[0])
    assert rare.mean == 3 and np.isnan(rare.low) and np.isnan(rare.high)


def test_a_relative_change_is_resampled_by_picture():
    a, b, pictures = np.array([1.0, 1, 5, 5]), np.array([2.0, 2, 4, 4]), np.array(["x", "x", "y", "y"])
    found, merged = relative_change(a, b, pictures=pictures), relative_change(np.array([2.0, 10]), np.array([4.0, 8]))
    assert found.over == "pictures" and found.n == (2,) and (found.low, found.high) == (merged.low, merged.high)


def test_of_one_person_or_picture_there_is_no_interval():
    one, several = np.array([3.0]), np.array([3.0, 0.0, 0.0])
    for found in (over_people(one, one + 1), over_people(several, several), relative_change(one, one + 1)):
        assert np.isfinite(found.mean) and np.isnan([found.low, found.high]).all() and found.n == (1,)
        assert not found.excludes(0)
    pictures = np.array(["x", "x", "x"])
    for found in (over_people(several, several + 1, pictures=pictures), relative_change(several, several + 1, pictures=pictures)):
        assert np.isfinite(found.mean) and np.isnan([found.low, found.high]).all() and (found.over, found.n) == ("pictures", (1,))
    assert np.isfinite(over_people(np.array([1.0, 0.0]), np.ones(2)).low)


@pytest.mark.slow
def test_the_interval_of_a_relative_change_covers_it():
    random, inside = np.random.default_rng(0), 0
    for turn in range(400):
        b = random.binomial(14, 0.3, 150)
        a = random.binomial(14, 0.25, 150)
        found = relative_change(a, b, seed=turn, resamples=300)
        inside += found.low <= 0.25 / 0.3 - 1 <= found.high
    assert 0.92 <= inside / 400 <= 0.98
