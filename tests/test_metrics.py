"""Metrics against slow loops, closed forms, planted data and pycocotools."""

import doctest
import math
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit import metrics
from posekit.errors import PosekitError
from posekit.skeleton import COCO, LSP, MPII

often = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 2**32)


def people(seed, skeleton=COCO, count=30, noise=8.0):
    """Keypoints (N, K, 3), a third of them unlabelled, predictions (N, K, 3) around them, and areas (N,)."""
    random = np.random.default_rng(seed)
    shape = (count, len(skeleton))
    xy = random.uniform(0, 200, (*shape, 2))
    flags = random.integers(0, 3, shape)
    predicted = np.concatenate([xy + random.normal(0, noise, xy.shape), random.uniform(size=(*shape, 1))], -1)
    keypoints = np.concatenate([np.where(flags[..., None] > 0, xy, np.nan), flags[..., None]], -1)
    return predicted, keypoints, random.uniform(200, 40_000, count)


def slow_torso(person, skeleton):
    lengths = []
    for a, b in (("left shoulder", "right hip"), ("right shoulder", "left hip")):
        a, b = person[skeleton.joints.index(a)], person[skeleton.joints.index(b)]
        if a[2] > 0 and b[2] > 0:
            lengths.append(math.hypot(a[0] - b[0], a[1] - b[1]))
    return sum(lengths) / len(lengths) if lengths else None


def slow_pck(predicted, keypoints, normalisers, factor):
    """Mean over labelled joints, and by joint, with nothing but loops."""
    found = [[] for _ in range(keypoints.shape[1])]
    for person, truth, normaliser in zip(predicted, keypoints, normalisers, strict=True):
        for k, (p, t) in enumerate(zip(person, truth, strict=True)):
            if t[2] > 0 and normaliser is not None:
                found[k].append(math.hypot(p[0] - t[0], p[1] - t[1]) <= factor * normaliser)
    flat = [hit for joint in found for hit in joint]
    return sum(flat) / len(flat), [sum(joint) / len(joint) if joint else math.nan for joint in found]


def test_doctests():
    result = doctest.testmod(metrics)
    assert result.attempted and not result.failed


@often
@given(seeds, st.sampled_from([COCO, LSP, MPII]))
def test_pck_equals_the_slow_loops(seed, skeleton):
    predicted, keypoints, _ = people(seed, skeleton, noise=30)
    heads, cells = np.random.default_rng(seed).uniform(20, 60, (2, 30))
    heads[3] = np.nan
    scores = metrics.score(predicted, keypoints, skeleton, heads=heads, heatmap_cell=cells / 5, heatmap_width=64, resamples=5)
    expected = {
        "pck@0.2·torso": ([slow_torso(person, skeleton) for person in keypoints], 0.2),
        "pckh@0.5": ([None if math.isnan(h) else h for h in heads], 0.5),
        "pck@0.5·hm/10": (cells / 5 * 6.4, 0.5),
    }
    if "neck" in skeleton.joints:
        neck, top = skeleton.joints.index("neck"), skeleton.joints.index("head top")
        lengths = [math.dist(p[neck, :2], p[top, :2]) if p[neck, 2] > 0 and p[top, 2] > 0 else None for p in keypoints]
        expected["pck@0.5·head"] = (lengths, 0.5)
    if "pelvis" in skeleton.joints:  # of 14 joints; tested by itself
        expected["pckh@0.5·16"] = expected.pop("pckh@0.5")
    assert set(scores) - {"pckh@0.5"} == set(expected) - {"pckh@0.5"}
    for name, (normalisers, factor) in expected.items():
        mean, joints = slow_pck(predicted, keypoints, normalisers, factor)
        assert scores[name]["mean"] == pytest.approx(mean)
        assert list(scores[name]["joints"].values()) == pytest.approx(joints, nan_ok=True)
        assert scores[name]["low"] <= scores[name]["high"]


def test_thresholds_in_closed_form():
    keypoints = np.zeros((1, 14, 3))
    keypoints[..., 2] = 2
    ls, rh, rs, lh = LSP.index("left shoulder", "right hip", "right shoulder", "left hip")
    keypoints[0, ls, :2], keypoints[0, rh, :2] = (0, 0), (30, 40)  # 50 apart
    keypoints[0, rs, :2], keypoints[0, lh, :2] = (0, 0), (0, 30)  # 30 apart
    assert metrics.torso(keypoints, LSP).tolist() == [40]
    keypoints[0, lh] = (np.nan, np.nan, 0)
    assert metrics.torso(keypoints, LSP).tolist() == [50]
    moved = keypoints.copy()
    moved[0, 0, 0] += 10  # exactly on the threshold counts
    moved[0, 1, 0] += 10.001
    joints = metrics.score(moved, keypoints, LSP)["pck@0.2·torso"]["joints"]
    assert joints["right ankle"] == 1 and joints["right knee"] == 0 and math.isnan(joints["left hip"])


def test_the_study_s_threshold_is_in_heatmap_cells():
    keypoints = np.full((2, 17, 3), 2.0)
    predicted = keypoints.copy()
    predicted[:, :, 0] += 9.6  # 3.2 cells of 3 pixels is half a tenth of 64 cells
    cells = np.array([3.0001, 2.9999])
    hits = metrics.score(predicted, keypoints, COCO, heatmap_cell=cells, heatmap_width=64)["pck@0.5·hm/10"]
    assert hits["mean"] == 0.5


@often
@given(seeds, st.floats(0.01, 100))
def test_scores_do_not_depend_on_the_unit(seed, factor):
    predicted, keypoints, areas = people(seed)
    scale = np.array([factor, factor, 1])
    before = metrics.score(predicted, keypoints, COCO, areas=areas, heads=np.sqrt(areas), resamples=1)
    after = metrics.score(
        predicted * scale,
        keypoints * scale,
        COCO,
        areas=areas * factor**2,
        heads=np.sqrt(areas) * factor,
        resamples=1,
    )
    assert [b["mean"] for b in after.values()] == pytest.approx([b["mean"] for b in before.values()])


def test_what_is_not_labelled_is_nan_and_warns_nobody():
    predicted, keypoints, areas = people(0, LSP)
    keypoints[:] = (np.nan, np.nan, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = metrics.score(predicted, keypoints, LSP, areas=areas, heads=areas)
    assert {"pck@0.2·torso", "pckh@0.5", "oks", "oks-ap", "pck@0.5·head"} == set(scores)
    for block in scores.values():
        assert block["people"] == block["labelled"] == 0
        assert all(math.isnan(block[name]) for name in ("mean", "low", "high"))
        assert all(math.isnan(value) for value in block["joints"].values())


def test_an_unlabelled_joint_counts_for_nothing_whatever_is_predicted():
    predicted, keypoints, areas = people(1)
    other = predicted.copy()
    other[keypoints[..., 2] == 0, :2] = 1e4
    assert metrics.score(predicted, keypoints, COCO) == metrics.score(other, keypoints, COCO)
    assert np.array_equal(
        metrics.oks(predicted, keypoints, areas, COCO.sigmas),
        metrics.oks(other, keypoints, areas, COCO.sigmas),
    )


def test_a_missing_prediction_is_a_miss():
    predicted, keypoints, _ = people(2, noise=0)
    predicted[0] = np.nan
    hits = metrics.hits(predicted, keypoints, np.ones(len(keypoints)))
    assert np.nansum(hits[0]) == 0 and np.nanmean(hits[1:]) == 1
    assert np.array_equal(np.isnan(hits), keypoints[..., 2] == 0)


def test_a_head_without_size_is_left_out():
    predicted, keypoints, _ = people(3, MPII, count=4)
    heads = np.array([40.0, np.nan, 0.0, 40.0])
    block = metrics.score(predicted, keypoints, MPII, heads=heads)["pckh@0.5·16"]
    assert block["labelled"] == (keypoints[[0, 3], :, 2] > 0).sum() and block["people"] == 2


def test_definitions_stand_next_to_the_numbers():
    predicted, keypoints, areas = people(4, MPII)
    for name, block in metrics.score(predicted, keypoints, MPII, areas=areas, heads=areas**0.5).items():
        if name.startswith("pck"):
            count = "14 of the mpii skeleton, without pelvis and thorax" if name == "pckh@0.5" else "16 of the mpii skeleton"
            assert f"{count}, each labelled joint counts once" in block["definition"]
        assert len(block["definition"]) > 40


@pytest.mark.parametrize("seed", range(3))
def test_pckh_is_mpiis_own_mean_and_that_of_all_joints_has_its_own_name(seed):
    """The standard evaluation masks joints 6 and 7, and weighs each joint's share by how often it is labelled."""
    predicted, keypoints, areas = people(seed, MPII)
    heads = areas**0.5 / 4
    scores = metrics.score(predicted, keypoints, MPII, heads=heads)
    labelled = keypoints[..., 2] > 0
    near = labelled & (np.linalg.norm(predicted[..., :2] - np.nan_to_num(keypoints[..., :2]), axis=-1) <= 0.5 * heads[:, None])
    own = np.delete(np.arange(16), [6, 7])
    by_joint = near.sum(0) / labelled.sum(0)
    assert scores["pckh@0.5"]["mean"] == pytest.approx(np.average(by_joint[own], weights=labelled.sum(0)[own]))
    assert scores["pckh@0.5·16"]["mean"] == pytest.approx(near.sum() / labelled.sum())
    assert "pckh@0.5·14" not in metrics.score(*people(seed, LSP)[:2], LSP, heads=heads)


def test_people_who_share_a_picture_are_resampled_together():
    random, draws, held = np.random.default_rng(0), 300, np.zeros(2)
    pictures = np.repeat(np.arange(60), 4)
    for seed in range(draws):
        ease = 0.35 * random.uniform(-1, 1, 60)[pictures]  # of everybody in the picture
        hit = (random.random((240, 14)) < (0.5 + ease)[:, None]).sum(1)
        ends = [metrics.interval(hit, np.full(240, 14), pictures=p, seed=seed, resamples=300)[1:] for p in (pictures, None)]
        held += [low <= 0.5 <= high for low, high in ends]
    assert 0.93 - 0.025 <= held[0] / draws <= 0.97 + 0.025 and held[1] / draws < 0.8


def test_where_nobody_shares_a_picture_people_are_resampled():
    predicted, keypoints, areas = people(6)
    alone = metrics.score(predicted, keypoints, COCO, areas=areas)
    one_each = metrics.score(predicted, keypoints, COCO, areas=areas, image_ids=np.random.default_rng(0).permutation(len(areas)))
    shared = metrics.score(predicted, keypoints, COCO, areas=areas, image_ids=np.arange(len(areas)) // 3)
    for name in ("pck@0.2·torso", "oks"):
        assert one_each[name] == alone[name]
        assert shared[name]["mean"] == pytest.approx(alone[name]["mean"]) and shared[name]["low"] != alone[name]["low"]


def test_bootstrap_interval_covers_a_planted_share():
    """Of 200 experiments with a known share about 95 % of the intervals hold it."""
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        skill = random.beta(3, 2, (100, 1))  # a mean of 0.6; some people are easier than others
        hits = (random.uniform(size=(100, 14)) < skill).astype(float)
        _, low, high = metrics.interval(hits.sum(1), np.full(100, 14), seed=seed, resamples=300)
        covered += low <= 0.6 <= high
    assert 180 <= covered <= 199


def test_bootstrap_interval_of_a_binomial_has_the_right_width():
    hits = np.repeat([1.0, 0.0], [300, 200])
    mean, low, high = metrics.interval(hits, np.ones(500))
    half = 1.96 * math.sqrt(0.6 * 0.4 / 500)
    assert mean == 0.6 and low == pytest.approx(0.6 - half, abs=0.01) and high == pytest.approx(0.6 + half, abs=0.01)


def test_intervals_come_from_the_seed():
    predicted, keypoints, areas = people(5)
    first, second, third = (metrics.score(predicted, keypoints, COCO, areas=areas, seed=s, resamples=50) for s in (0, 0, 1))
    assert first == second != third


def test_a_paired_difference_is_sharper_than_two_intervals():
    random = np.random.default_rng(0)
    skill = random.uniform(size=(300, 1))
    draws = random.uniform(size=(300, 14))
    a, b = (draws < skill).astype(float), (draws < skill - 0.03).astype(float)
    a[random.uniform(size=a.shape) < 0.1] = np.nan
    paired = metrics.paired_difference(a, b)
    both = np.isfinite(a)
    assert paired["mean"] == pytest.approx((a[both] - b[both]).mean())
    assert 0 < paired["low"] < paired["mean"] < paired["high"]
    _, low, high = metrics.interval(np.nansum(a, 1), both.sum(1))
    assert paired["high"] - paired["low"] < (high - low) / 2
    nothing = metrics.paired_difference(np.full((3, 2), np.nan), np.ones((3, 2)))
    assert math.isnan(nothing["mean"]) and nothing["people"] == 0


@pytest.mark.parametrize("skeleton", [COCO, LSP], ids=lambda s: s.name)
@pytest.mark.parametrize("seed", range(3))
def test_oks_equals_pycocotools(skeleton, seed):
    predicted, keypoints, areas = people(seed, skeleton)
    keypoints[0] = (np.nan, np.nan, 0)
    truth = metrics.coco_dataset(keypoints, skeleton, areas)
    evaluation = metrics.coco_evaluation(truth, metrics.coco_results(predicted, np.ones(30)), skeleton.sigmas)
    theirs = [evaluation.ious[i, 1][0, 0] for i in range(1, 30)]
    ours = metrics.oks(predicted, keypoints, areas, skeleton.sigmas)
    assert math.isnan(ours[0]) and np.allclose(ours[1:], theirs, rtol=1e-12)


def test_oks_in_closed_form():
    keypoints = np.zeros((1, 17, 3))
    keypoints[0, 0] = (10, 10, 2)  # the nose, sigma 0.026
    predicted = keypoints + np.array([2 * 0.026 * 100, 0, 0])  # one of COCO's k off, for an area of 100 x 100
    assert metrics.oks(predicted, keypoints, np.array([1e4]), COCO.sigmas)[0] == pytest.approx(math.exp(-0.5))


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_cocos_and_both_packages_agree(seed):
    """COCOeval on several people to a picture gives one figure, whichever package computes it."""
    faster = pytest.importorskip("faster_coco_eval")
    predicted, keypoints, areas = people(seed, count=80)
    keypoints[0] = (np.nan, np.nan, 0)
    pictures = np.random.default_rng(seed).integers(0, 30, 80) * 1000
    block = metrics.oks_ap(predicted, keypoints, COCO, areas, image_ids=pictures, resamples=200)
    keypoints, predicted, areas, pictures = keypoints[1:], predicted[1:], areas[1:], pictures[1:]  # the first has no labelled joint
    truth = metrics.coco_dataset(keypoints, COCO, areas, pictures)
    found = metrics.coco_results(predicted, predicted[..., 2].mean(-1), pictures)
    theirs = metrics.coco_evaluation(truth, found, COCO.sigmas, faster)
    assert list(block["stats"].values()) == pytest.approx(np.asarray(theirs.stats)[:10].tolist(), abs=1e-9)
    assert 0 < block["low"] <= block["mean"] <= block["high"] < 1


def test_average_precision_of_one_picture_has_no_interval():
    predicted, keypoints, areas = people(3, count=5)
    block = metrics.oks_ap(predicted, keypoints, COCO, areas, image_ids=np.zeros(5, int))
    assert math.isfinite(block["mean"]) and math.isnan(block["low"]) and math.isnan(block["high"])


@pytest.mark.parametrize("boxed", [False, True])
def test_what_is_predicted_on_people_without_a_labelled_joint_does_not_count(boxed):
    """Theirs have the highest scores: as errors they would halve the precision."""
    keypoints = np.concatenate([np.random.default_rng(0).uniform(0, 300, (40, 17, 2)), np.full((40, 17, 1), 2.0)], -1)
    predicted, boxes = keypoints.copy(), np.concatenate([keypoints[..., :2].min(1), np.ptp(keypoints[..., :2], axis=1)], -1)
    predicted[1::2, :, 2], keypoints[::2] = 1, (np.nan, np.nan, 0)
    block = metrics.oks_ap(predicted, keypoints, COCO, np.full(40, 1e4), boxes=boxes if boxed else None, resamples=20)
    assert block["mean"] == pytest.approx(1) and block["people"] == 20


def test_average_precision_of_whole_weights_is_that_of_the_evaluation(monkeypatch):
    predicted, keypoints, areas = people(7, count=80)
    pictures = np.random.default_rng(7).integers(0, 30, 80)
    monkeypatch.setattr(metrics, "draws", lambda count, seed, resamples: [np.ones(count, int)])
    block = metrics.oks_ap(predicted, keypoints, COCO, areas, image_ids=pictures)
    assert block["low"] == pytest.approx(block["mean"], abs=1e-12) and block["high"] == block["low"]


@often
@given(seeds, st.floats(0, 1), st.booleans())
def test_a_missing_prediction_is_a_miss_of_average_precision_as_one_far_away_is(seed, share, scored):
    """To pycocotools an OKS that is NaN is a match."""
    predicted, keypoints, areas = people(seed, count=20)
    missing = np.random.default_rng(seed).random(predicted.shape[:2]) < share
    away = np.where(missing[..., None], (3e4, 3e4, 0.0), predicted)
    lacking = np.where(missing[..., None], (np.nan, np.nan, np.nan if scored else 0.0), predicted)
    a, b = (metrics.oks_ap(each, keypoints, COCO, areas, resamples=20) for each in (away, lacking))
    assert (a["mean"], a["low"], a["high"]) == (b["mean"], b["low"], b["high"])
    nobody = metrics.score(np.full_like(predicted, np.nan), keypoints, COCO, areas=areas, resamples=20)
    assert {name: block["mean"] for name, block in nobody.items()} == dict.fromkeys(nobody, 0)


@often
@given(seeds, st.sampled_from([np.float32, np.float16, np.uint16, np.int16, np.uint8]))
def test_scores_do_not_depend_on_the_kind_of_number(seed, kind):
    """Squares and differences of such numbers overflow."""
    predicted, keypoints, areas = people(seed, noise=20)
    predicted, keypoints = np.nan_to_num(predicted).round().clip(0, 255), np.nan_to_num(keypoints).round()
    if kind == np.float16:
        predicted[..., :2], keypoints[..., :2], areas = 8 * predicted[..., :2], 8 * keypoints[..., :2], 64 * areas
    a, b = (metrics.score(*each, COCO, areas=areas, resamples=2) for each in (
        (predicted, keypoints), (predicted.astype(kind), keypoints.astype(kind))))  # fmt: skip
    assert {name: block["mean"] for name, block in a.items()} == {name: block["mean"] for name, block in b.items()}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"predicted": np.ones((1, 17, 3))}, "predicted has shape (1, 17, 3); of 30 people of the coco skeleton it is (30, 17, 3)"),
        ({"predicted": np.ones((30, 17, 2))}, "predicted has shape (30, 17, 2); of 30"),
        ({"keypoints": np.ones((30, 14, 3))}, "keypoints has shape (30, 14, 3); of 30"),
        ({"areas": np.ones(1)}, "areas has shape (1,); of 30 people it is (30,)"),
        ({"heads": np.ones(1)}, "heads has shape (1,); of 30 people it is (30,)"),
        ({"image_ids": np.arange(29)}, "image_ids has shape (29,); of 30"),
        ({"boxes": np.ones((30, 2))}, "boxes has shape (30, 2); of 30 people it is (30, 4)"),
        ({"areas": np.r_[1, -1, np.ones(28)]}, "areas: that of person 1, counted from 0, is -1.0"),
        ({"areas": np.r_[np.ones(29), np.nan]}, "areas: that of person 29, counted from 0, is nan"),
        ({"keypoints": np.full((30, 17, 3), [np.nan, 1, 2])}, "keypoints: nose of person 0, counted from 0, is labelled and not finite"),
    ],
)
def test_arrays_of_others_are_refused(changes, words):
    predicted, keypoints, areas = people(0)
    with pytest.raises(PosekitError, match=re.escape(words)):
        metrics.score(**{"predicted": predicted, "keypoints": keypoints, "skeleton": COCO, "areas": areas, "resamples": 2} | changes)


def test_perfect_predictions_have_perfect_scores():
    _, keypoints, areas = people(8, LSP)
    keypoints[:, LSP.index("neck"), 2] = 2
    predicted = np.nan_to_num(keypoints)
    keypoints[..., :2] = predicted[..., :2]
    scores = metrics.score(predicted, keypoints, LSP, areas=np.maximum(areas, 40**2))
    assert [block["mean"] for block in scores.values()] == pytest.approx([1.0] * 4)


def test_a_torso_without_length_measures_nothing():
    keypoints = np.zeros((1, len(LSP), 3))
    keypoints[..., 2] = 2
    assert np.isnan(metrics.torso(keypoints, LSP)).all()


@often
@given(seeds)
def test_a_persons_error_is_the_mean_over_labelled_joints(seed):
    predicted, keypoints, _ = people(seed)
    found = metrics.person_error(predicted, keypoints, COCO)
    for n, (guess, truth) in enumerate(zip(predicted, keypoints, strict=True)):
        torso = slow_torso(truth, COCO)
        errors = [min(math.dist(guess[k, :2], truth[k, :2]) / torso, 1) for k in range(len(COCO)) if truth[k, 2] > 0] if torso else []
        assert found[n] == pytest.approx(np.mean(errors)) if errors else np.isnan(found[n])
    missing, away = predicted.copy(), predicted.copy()
    missing[:, ::3, :2], away[:, ::3, :2] = np.nan, 1e6
    assert np.array_equal(*(metrics.person_error(each, keypoints, COCO, 0.5) for each in (missing, away)), equal_nan=True)
    keypoints[:, :, 2] = 0
    assert np.isnan(metrics.person_error(predicted, keypoints, COCO)).all()


@given(scale=st.floats(0.1, 10), x=st.floats(-100, 100), y=st.floats(-100, 100))
def test_normalised_places_do_not_depend_on_where_and_how_large_the_person_is(scale, x, y):
    keypoints = np.concatenate([np.random.default_rng(0).uniform(0, 100, (3, len(LSP), 2)), np.full((3, len(LSP), 1), 2.0)], -1)
    moved = keypoints * [scale, scale, 1] + [x, y, 0]
    np.testing.assert_allclose(metrics.normalised(moved, LSP), metrics.normalised(keypoints, LSP), atol=1e-6)
    hips = metrics.normalised(keypoints, LSP)[:, LSP.index("left hip", "right hip")].mean(1)
    np.testing.assert_allclose(hips, 0, atol=1e-9)
