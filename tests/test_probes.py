"""Probes of planted attributes: what must be found, what must not, and the direction."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import KFold, cross_val_predict

from posekit import PosekitError
from posekit.interpret.analysis import probes as pr

N, C, D = 600, 8, 20
SD = np.linspace(3, 0.5, C)


@pytest.fixture(scope="module")
def planted():
    """Scores of falling spread, orthonormal components, and an attribute that is linear in the scores but for noise."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(N, C)) * SD
    components = np.linalg.qr(random.normal(size=(D, C)))[0].T
    weights = random.normal(size=C)
    signal = scores @ weights
    return scores, components, weights, signal, random.normal(size=N)


@pytest.mark.parametrize("share", [0.9, 0.5])
def test_the_share_of_a_planted_attribute_that_is_not_noise_is_its_r2(planted, share):
    scores, _, _, signal, noise = planted
    found = pr.probe("planted", scores, signal / signal.std() * np.sqrt(share) + noise * np.sqrt(1 - share), resamples=300)
    assert found.low < share < found.high
    assert found.r2 == pytest.approx(share, abs=0.06)
    assert found.above_chance and found.chance < 0.05
    assert found.people == N and found.left_out == 0
    assert found.r2 == pytest.approx(r2_score(found.truth, found.predicted))


def test_without_noise_it_is_exact(planted):
    found = pr.probe("exact", planted[0], planted[3])
    assert found.r2 > 0.9999


def test_noise_is_not_found(planted):
    scores, _, _, _, noise = planted
    found = pr.probe("noise", scores, noise)
    assert abs(found.r2) < 0.03 and not found.above_chance


def test_nobody_is_told_by_a_probe_that_saw_them():
    """Of a few people and many scores of mere noise, a probe that saw them tells much; one that did not tells worse than the mean."""
    random = np.random.default_rng(0)
    scores, values = random.normal(size=(60, 40)), random.normal(size=60)
    found = pr.probe("noise", scores, values, permutations=0, resamples=20)
    ridge = RidgeCV(pr.PENALTIES * scores.var(0).mean())
    expected = cross_val_predict(ridge, scores, values, cv=KFold(pr.FOLDS, shuffle=True, random_state=0))
    assert found.r2 < 0 and found.predicted == pytest.approx(expected, abs=0.02)


def test_people_of_one_picture_are_left_out_together():
    """All that the scores know is the picture: of another one nothing can be read."""
    random = np.random.default_rng(0)
    pictures = np.repeat(np.arange(100), 4)
    scores, values = random.normal(size=(100, 60))[pictures] + 0.1 * random.normal(size=(400, 60)), random.normal(size=100)[pictures]
    order = random.permutation(400)
    scores, values, pictures = scores[order], values[order], pictures[order]
    assert pr.probe("hue", scores, values, permutations=0).low > 0.3
    read = pr.probe("hue", scores, values, pictures=pictures)
    assert read.r2 < read.chance and not read.above_chance
    held = pr.probe("hue", scores, values, permutations=0, pictures=np.arange(400))  # where nobody shares one, nothing changes
    assert held.row() == pr.probe("hue", scores, values, permutations=0).row()
    with pytest.raises(PosekitError, match="from 2 to the 3 pictures"):
        pr.probe("hue", scores, values, pictures=pictures % 3)


def test_an_interval_is_over_pictures_where_people_share_some():
    """Four copies of everybody say no more than one."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(150, 3))
    values, pictures = scores[:, 0] + random.normal(size=150), np.repeat(np.arange(150), 4)
    one = pr.probe("x", scores, values, permutations=0)
    four = pr.probe("x", scores[pictures], values[pictures], permutations=0, pictures=pictures)
    assert four.high - four.low == pytest.approx(one.high - one.low, rel=0.15)
    wide = pr.advantage(four, pr.probe("x", scores[pictures][:, 1:], values[pictures], permutations=0, pictures=pictures))
    assert wide["high"] - wide["low"] > 0.15


def test_what_the_first_k_scores_do_not_hold_is_not_found(planted):
    scores = planted[0]
    found = pr.probes(scores, {"last": scores[:, -1], "first": scores[:, 0]}, (1, C, 99), permutations=5, resamples=20)
    (none, all_), (first, _) = found["last"], found["first"]
    assert (none.k, all_.k) == (1, C)
    assert none.r2 < 0.01 and all_.r2 > 0.999 and first.r2 > 0.999


def test_people_left_out_change_nothing_for_the_others(planted):
    scores, _, _, signal, noise = planted
    values = signal + noise
    gone = np.arange(N) % 3 == 0
    with_gaps = pr.probe("gaps", scores, np.where(gone, np.nan, values))
    without = pr.probe("gaps", scores[~gone], values[~gone])
    assert (with_gaps.people, with_gaps.left_out) == (N - gone.sum(), gone.sum())
    assert with_gaps.r2 == without.r2 and with_gaps.index.tolist() == np.flatnonzero(~gone).tolist()


def test_the_same_seed_gives_the_same_probe_and_scale_does_not_matter(planted):
    scores, _, _, signal, noise = planted
    first, again = (pr.probe("a", scores, signal + noise, seed=3, permutations=4, resamples=50) for _ in range(2))
    assert first.row() == again.row()
    scaled = pr.probe("a", scores * 1000, 7 * (signal + noise) - 5, seed=3, permutations=4, resamples=50)
    assert scaled.r2 == pytest.approx(first.r2, abs=1e-6) and scaled.low == pytest.approx(first.low, abs=1e-6)


def test_a_binary_attribute_has_an_area_under_the_curve(planted):
    scores, _, _, signal, noise = planted
    found = pr.probe("binary", scores, (signal + noise > 0).astype(float), resamples=200)
    area, low, high = found.auc
    assert area == pytest.approx(roc_auc_score(found.truth, found.predicted)) and low < area < high
    assert pr._auc(found.truth, found.predicted)(np.ones(N)) == pytest.approx(area)
    assert pr._r2(found.truth, found.predicted)(np.ones(N)) == pytest.approx(found.r2)
    assert pr.probe("not", scores, signal).auc is None
    assert {"auc", "auc low", "auc high"} <= set(found.row())


def test_advantage_of_one_set_of_scores_over_another(planted):
    scores, _, _, signal, noise = planted
    random = np.random.default_rng(1).normal(size=(N, C))
    good, bad = (pr.probe("a", x, signal + noise, resamples=50) for x in (scores, random))
    better = pr.advantage(good, bad)
    assert better["low"] > 0.5 and better["low"] < better["mean"] < better["high"]
    assert pr.advantage(good, good) == {"mean": 0, "low": 0, "high": 0}
    with pytest.raises(PosekitError, match="same attribute and people"):
        pr.advantage(good, pr.probe("b", scores, signal))


def test_the_direction_is_the_planted_one(planted):
    scores, components, weights, signal, _ = planted
    found = pr.reading_direction("planted", scores, signal, components)
    assert np.linalg.norm(found.vector) == pytest.approx(1, abs=1e-6)
    assert found.vector @ (weights / np.linalg.norm(weights) @ components) > 0.99
    assert found.sd == pytest.approx((scores @ components @ found.vector).std(), rel=1e-5)
    # A step of one sd changes the attribute, which is linear here, by its gradient.
    step = found.sd * (found.vector @ components.T) @ weights
    assert found.per_sd == pytest.approx(step, rel=1e-3)


def test_what_a_probe_reads_is_not_how_people_differ():
    """The textbook case of Haufe et al.: a channel of mere noise is read only to take the noise out of the other."""
    random = np.random.default_rng(0)
    signal, noise = random.normal(size=(2, 2000))
    reading = pr.reading_direction("a", np.stack([signal + noise, noise], 1), signal, np.eye(2)).vector
    assert reading == pytest.approx([np.sqrt(0.5), -np.sqrt(0.5)], abs=0.01)


def test_correlations_are_scipys_with_fishers_interval(planted):
    scores, _, _, signal, noise = planted
    values = np.where(np.arange(N) < 50, np.nan, signal + 3 * noise)
    shown = pr.correlations(np.concatenate([scores, np.ones((N, 1))], 1), {"a": values})
    assert len(shown) == C + 1 and not shown.isna().any(axis=None)
    for row in shown[:C].itertuples():
        expected = stats.pearsonr(scores[50:, row.component - 1], values[50:])
        bounds = expected.confidence_interval()
        assert (row.r, row.low, row.high) == pytest.approx((expected.statistic, bounds.low, bounds.high), abs=1e-6)
        assert (row.people, row.left_out) == (N - 50, 50)
    assert shown["r"].iloc[-1] == 0  # a component that does not vary


def test_values_may_be_truth_values_or_a_list(planted):
    scores, _, _, signal, noise = planted
    values = signal + noise > 0
    for same in (values, values.tolist(), values.astype(int)):
        found = pr.probe("binary", scores, same, permutations=2, resamples=20)
        assert found.row() == pr.probe("binary", scores, values.astype(float), permutations=2, resamples=20).row()
        assert pr.correlations(scores, {"a": same}).equals(pr.correlations(scores, {"a": values.astype(float)}))


def test_there_is_one_value_a_person(planted):
    scores, components, _, signal, _ = planted
    for function in (
        lambda v: pr.probe("a", scores, v),
        lambda v: pr.correlations(scores, {"a": v}),
        lambda v: pr.reading_direction("a", scores, v, components),
    ):
        with pytest.raises(PosekitError, match=r"^a: give one number for each of the 600 people, not an array of 599$"):
            function(signal[1:])
        with pytest.raises(PosekitError, match=r"^a: give one number for each of the 600 people, not an array of 600 x 1$"):
            function(signal[:, None])
        with pytest.raises(PosekitError, match=r"^a: not all values are numbers; give one a person$"):
            function(["yes"] * N)


def test_bad_input_is_named(planted):
    scores = planted[0]
    for function in (lambda v: pr.probe("a", scores, v), lambda v: pr.correlations(scores, {"a": v})):
        with pytest.raises(PosekitError, match="a: constant, 4 for all 600 people"):
            function(np.full(N, 4.0))
        with pytest.raises(PosekitError, match="a: defined for 0 people only"):
            function(np.full(N, np.nan))
    with pytest.raises(PosekitError, match="a: 9 scores asked for, there are 8"):
        pr.probe("a", scores, planted[3], 9)
    with pytest.raises(PosekitError, match="pixels: 9 components asked for"):
        pr.pixel_scores(np.ones((8, 100)), np.ones((8, 100)), 9)


def test_pixels_are_the_mean_of_the_networks_view(tmp_path, monkeypatch):
    from planted import people

    from posekit import crops

    stored = crops(people(range(5)), 40, tmp_path)
    monkeypatch.setattr(pr, "SIDE", 8)
    seen = pr.pixels(stored, 32)
    assert seen.shape == (5, 64) and 0 <= seen.min() and seen.max() <= 1
    middle = np.stack([stored[i] for i in range(5)])[:, 4:36, 4:36].mean(-1) / 255
    assert seen.reshape(5, 8, 8) == pytest.approx(middle.reshape(5, 8, 4, 8, 4).mean((2, 4)), abs=0.01)
    assert pr.pixel_scores(seen, seen, 3).shape == (5, 3)


def test_kinds_that_lie_apart_are_named_and_noise_is_not():
    random = np.random.default_rng(0)
    kinds = np.repeat([0, 1, 2], [150, 100, 50])
    centres = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0]])
    apart = pr.classified(centres[kinds] + random.normal(size=(300, 3)), kinds)
    assert apart["correct"]["mean"] > 0.99 and apart["most common"]["mean"] == 0.5
    assert apart["most common"]["low"] < 0.5 < apart["most common"]["high"]
    noise = pr.classified(random.normal(size=(300, 3)), kinds)["correct"]
    assert noise["low"] < 0.5 < noise["high"] + 0.05


def test_a_kind_of_two_people_warns_nobody():
    kinds = np.array([0] * 30 + [1] * 28 + [2] * 2)
    assert 0 <= pr.classified(np.random.default_rng(0).normal(size=(60, 2)), kinds)["correct"]["mean"] <= 1


@pytest.mark.parametrize("levels", [1, 2, 5, 1000])
def test_the_area_is_scikit_learns_whatever_ties_there_are(levels):
    random = np.random.default_rng(levels)
    predicted, truth, counts = random.integers(levels, size=80) / levels, np.sort(random.integers(2, size=80)), random.integers(4, size=80)
    expected = roc_auc_score(truth, predicted, sample_weight=counts)
    for order in (slice(None), slice(None, None, -1)):
        assert pr._auc(truth[order].astype(float), predicted[order])(counts[order]) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused_by_person(planted, wrong):
    scores, components, _, signal, _ = planted
    scores = scores.copy()
    scores[7, 2] = wrong
    for ask in (
        lambda: pr.probe("x", scores, signal), lambda: pr.correlations(scores, {"x": signal}),
        lambda: pr.reading_direction("x", scores, signal, components), lambda: pr.classified(scores, (signal > 0).astype(int)),
    ):  # fmt: skip
        with pytest.raises(PosekitError, match="the scores of person 7 are not finite") as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_what_no_score_tells_has_no_direction_and_what_is_of_one_kind_no_classifier(planted):
    scores, components, _, signal, _ = planted
    with pytest.raises(PosekitError, match="x: no score tells it"):
        pr.reading_direction("x", np.ones_like(scores), signal, components)
    for kinds in (np.zeros(N, int), np.arange(N)):
        with pytest.raises(PosekitError, match="classifying takes two kinds, and 5 people of one"):
            pr.classified(scores, kinds)
    with pytest.raises(PosekitError, match=r"the first score, .* is the same for everybody"):
        pr.classified(np.concatenate([np.ones((N, 1)), scores], 1), (signal > 0).astype(int))


def test_kinds_may_be_words_and_everybody_has_one(planted):
    scores, _, _, signal, _ = planted
    kinds = (signal > 0).astype(int)
    assert pr.classified(scores, np.array(["sitting", "standing"])[kinds]) == pr.classified(scores, kinds)
    for given in (np.where(kinds, 1.0, np.nan), np.where(kinds, "standing", None), kinds[:-1]):
        with pytest.raises(PosekitError, match=f"kinds are .*; give one for each of the {N} people"):
            pr.classified(scores, given)


def test_pictures_of_others_are_refused(planted):
    with pytest.raises(PosekitError, match=rf"x: pictures are \(9,\); give one for each of the {N} people"):
        pr.probe("x", planted[0], planted[3], pictures=np.arange(9))


@pytest.mark.parametrize("given", [{"k": 2.0}, {"folds": 1}, {"folds": 601}, {"folds": 2.0}, {"permutations": -1}, {"seed": 0.5}], ids=str)
def test_counts_of_a_probe_are_refused_by_name(planted, given):
    with pytest.raises(PosekitError, match=f"{next(iter(given))} is {next(iter(given.values()))}; it"):
        pr.probe("x", planted[0], planted[3], **given)
