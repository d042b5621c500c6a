"""Confidence: predictors that are right as often as they say, too rarely and too often, and radii that hold as often as they should."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import posekit
from posekit import PosekitError, Skeleton
from posekit.engine.trust import calibration as cal
from posekit.engine.trust import reliability as rel
from posekit.engine.trust import signals
from posekit.engine.trust.calibrate import calibrate, into, measure, tables, words
from posekit.engine.trust.observe import observe
from posekit.plots.trust import radii
from posekit.skeleton import COCO

random = np.random.default_rng


def joints(share, people=2000, count=4, seed=0):
    """Confidences (N, K), uniform, and hits of which `share(confidence)` are found."""
    confidence = random(seed).random((people, count))
    return confidence, (random(seed + 1).random((people, count)) < share(confidence)).astype(float)


@pytest.mark.parametrize(
    ("share", "error", "over"),
    [
        (lambda c: c, 0.0, 0.0),
        (lambda c: 0.5 * c, 0.25, 0.25),  # overconfident by half of what it says
        (lambda c: np.minimum(c + 0.2, 1), 0.18, -0.18),  # 0.2, less where it says more than 0.8
        (lambda c: 1 - c, 0.5, 0.0),  # upside down: no bias on the whole, and no bin right
    ],
)
def test_a_predictor_has_the_calibration_error_that_was_planted(share, error, over):
    confidence, hits = joints(share)
    block = rel.calibration_error(confidence, hits)
    assert block["mean"] == pytest.approx(error + (block["floor"] if not error else 0), abs=0.012)
    assert block["low"] <= block["mean"] + 0.005 and block["over"]["mean"] == pytest.approx(over, abs=0.015)
    assert block["over"]["low"] - 0.005 <= over <= block["over"]["high"] + 0.005
    assert block["joints"] == 8000 and block["people"] == 2000


def test_a_diagram_has_the_share_of_each_bin():
    bins = rel.diagram(*joints(lambda c: c**2))
    assert len(bins) == rel.BINS and sum(b["joints"] for b in bins) == 8000
    for b in bins:
        assert b["low end"] <= b["confidence"] <= b["high end"]
        assert b["mean"] == pytest.approx(b["confidence"] ** 2, abs=0.06) and b["low"] <= b["mean"] <= b["high"]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_planted_temperature_is_found(temperature):
    confidence, hits = joints(lambda c: cal.tempered(c, temperature))
    assert cal.temperature(confidence.ravel(), hits.ravel()) == pytest.approx(temperature, rel=0.12)


@pytest.mark.parametrize("share", [lambda c: c, lambda c: 0.5 * c, lambda c: c**3, lambda c: np.full_like(c, 0.7)])
def test_the_curve_puts_a_predictor_right(share):
    x, y = cal.isotonic(*(values.ravel() for values in joints(share)))
    assert (np.diff(x) > 0).all() and (np.diff(y) >= 0).all()
    confidence, hits = joints(share, seed=7)
    assert rel.calibration_error(np.interp(confidence, x, y), hits)["mean"] < 0.03


@pytest.mark.parametrize("crowded", [False, True], ids=["all over", "next to 1"])
def test_the_curve_is_scikit_learns(crowded):
    from sklearn.isotonic import IsotonicRegression

    confidence, hits = (values.ravel() for values in joints(lambda c: c, people=300))
    confidence = 1 - 10 ** (-7 * confidence) if crowded else confidence
    fitted = IsotonicRegression(out_of_bounds="clip").fit(confidence, hits)
    assert np.interp(confidence, *cal.isotonic(confidence, hits)) == pytest.approx(fitted.predict(confidence), abs=1e-4)


def test_confidence_without_structure_ranks_nothing():
    confidence, hits = joints(lambda c: np.full_like(c, 0.4))
    block = rel.ranking(confidence, hits)
    assert block["low"] < 0.5 < block["high"] and block["high"] - block["low"] < 0.06
    risk = rel.risk_coverage(confidence, hits)
    assert risk["half"]["low"] < 0.6 < risk["half"]["high"] and risk["risk"][-1] == pytest.approx(0.6, abs=0.02)


def test_ranking_is_the_area_under_the_curve():
    from sklearn.metrics import roc_auc_score

    confidence, hits = joints(lambda c: c, people=300)
    confidence = confidence.round(1)  # with ties
    hits[::7, 1] = np.nan
    known = np.isfinite(hits)
    block = rel.ranking(confidence, hits)
    assert block["mean"] == pytest.approx(roc_auc_score(hits[known], confidence[known])) and block["low"] < block["mean"] < block["high"]
    assert np.isnan(rel.ranking(confidence, np.ones_like(hits))["mean"]), "all are found"


def test_of_one_person_or_picture_there_is_no_interval():
    hits, confidence = np.array([[1.0, 0, 1, 0]]), np.array([[0.9, 0.2, 0.8, 0.4]])
    several = [np.repeat(values, 3, 0) for values in (confidence, hits)]
    for score in (rel.calibration_error, rel.ranking):
        for found in (score(confidence, hits), score(*several, pictures=np.zeros(3))):
            assert np.isfinite(found["mean"]) and np.isnan([found["low"], found["high"]]).all()
        assert np.isfinite(score(*several)["low"])


def test_people_who_share_a_picture_are_drawn_together():
    """All joints of a picture are found, or none: the interval is that of so many pictures."""
    pictures = np.repeat(np.arange(50), 20)
    found = random(3).random(50)[pictures] < 0.5
    hits, confidence = np.repeat(found[:, None].astype(float), 4, 1), np.full((1000, 4), 0.5)
    wide, narrow = (rel.calibration_error(confidence, hits, pictures=p)["high"] for p in (pictures, None))
    assert wide > 2 * narrow


@given(st.integers(9, 200), st.sampled_from([0.5, 0.8, 0.9]))
def test_the_quantile_is_the_one_of_split_conformal_prediction(count, level):
    errors = random(count).permutation(np.arange(1.0, count + 1))
    assert cal.conformal(errors, level) == np.ceil(round((count + 1) * level, 9))


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_radii_hold_as_often_as_they_should(level):
    """Over many draws of people to fit on, the share held is the level, at most 1 / (n + 1) above it; whatever the errors are like."""
    shares = []
    for draw in range(400):
        errors = random(draw).standard_cauchy(60) ** 2
        shares.append((random(draw + 1000).standard_cauchy(200) ** 2 <= cal.conformal(errors, level)).mean())
    assert level - 0.007 <= np.mean(shares) <= level + 1 / 61 + 0.007


def test_the_radius_is_that_of_mapie():
    regression = pytest.importorskip("mapie.regression", reason="an oracle for conformal intervals")
    from sklearn.dummy import DummyRegressor

    errors = np.abs(random(0).normal(size=57))
    nothing = np.zeros((57, 1))
    base = DummyRegressor(strategy="constant", constant=0.0).fit(nothing, np.zeros(57))
    oracle = regression.SplitConformalRegressor(base, confidence_level=0.9, prefit=True).conformalize(nothing, errors)
    assert cal.conformal(errors, 0.9) == pytest.approx(oracle.predict_interval(nothing[:1])[1][0, 1, 0])


@pytest.mark.parametrize(("count", "level", "least"), [(8, 0.9, 9), (0, 0.9, 9), (18, 0.95, 19), (3, 0.8, 4), (98, 0.99, 99)])
def test_too_few_people_for_the_level_are_refused(count, level, least):
    with pytest.raises(PosekitError, match=f"left wrist: {count} people are too few for a radius at {100 * level:g} %; it takes {least}"):
        cal.conformal(np.append(np.ones(count), np.nan), level, "left wrist")
    assert cal.conformal(np.ones(least), level) == 1


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.sampled_from([0.5, 0.8, 0.9]))
def test_a_rare_joint_goes_without_and_the_others_keep_their_radius(labelled, level):
    """Joint k is labelled on labelled[k] of 12 people, at distances 1, 2, 3, ... and spread 2."""
    names = [f"joint {k}" for k in range(len(labelled))]
    distances = np.stack([np.where(np.arange(12) < count, np.arange(1.0, 13), np.nan) for count in labelled], 1)
    least = cal.least_people(level)
    if max(labelled) < least:
        with pytest.raises(PosekitError, match=f"the joint that most people have labelled: {max(labelled)} people are too few"):
            cal.conformal_factors(distances, np.full_like(distances, 2), names, level)
        return
    factors = cal.conformal_factors(distances, np.full_like(distances, 2), names, level)
    assert list(factors) == [name for name, count in zip(names, labelled, strict=True) if count >= least]
    for name, count in zip(names, labelled, strict=True):
        assert name not in factors or factors[name] == np.ceil(round((count + 1) * level, 9)) / 2


def maps_of(points, cells=24, sigma=1.5):
    grid = torch.arange(cells).double()
    x, y = (torch.as_tensor(points[..., i]).double()[..., None] for i in (0, 1))
    maps = torch.exp(-((grid - y) ** 2)[..., :, None] / (2 * sigma**2) - ((grid - x) ** 2)[..., None, :] / (2 * sigma**2))
    return maps / maps.sum((-2, -1), keepdim=True)


def test_signals_of_a_gaussian_are_those_of_the_formula():
    card = posekit.Card("planted", {}, COCO, 96, "mse", architecture="adapted")
    points = np.tile(np.array([[11.0, 12.0]]), (2, 17, 1))
    left_shoulder, right_shoulder, left_hip, right_hip = COCO.index("left shoulder", "right shoulder", "left hip", "right hip")
    for k, at in ((left_shoulder, (14, 7)), (right_shoulder, (9, 7)), (left_hip, (14, 19)), (right_hip, (9, 19))):
        points[:, k] = at
    maps = maps_of(points)
    keypoints = np.concatenate([points * 4 + 1.5, np.full((2, 17, 1), 0.4)], -1)
    told = signals.of_maps(maps, keypoints, card, COCO)
    assert np.allclose(told["peak"], 0.4)
    assert np.allclose(told["spread"], -4 * 1.5 * np.sqrt(2), rtol=0.03), "in input pixels, the standard deviation of both axes"
    torso = np.hypot(5, 12)
    assert np.allclose(told["mass"], 1 - np.exp(-((0.2 * torso) ** 2) / (2 * 1.5**2)), atol=0.06), "within 0.2 torso of the centre"
    flat = signals.of_maps(torch.zeros_like(maps), keypoints, card, COCO)
    assert np.allclose(flat["entropy"], 0, atol=1e-9) and (flat["mass"] < told["mass"]).all() and (flat["spread"] < told["spread"]).all()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def fitted(cache):
    return calibrate("mannequins-hg1", "mannequins:200,size=64", level=0.8, cache=cache)


def test_it_is_fitted_on_val_and_measured_on_test(fitted):
    scores = fitted.scores
    assert fitted.calibration.people == 20 and fitted.calibration.data == "mannequins@val" and scores["data"] == "mannequins@test"
    assert set(fitted.calibration.radius) == set(COCO.joints) == set(scores["joints"])
    assert scores["errors"]["mass, isotonic"]["mean"] < scores["errors"]["peak"]["mean"]
    assert 0.65 < scores["held"]["mean"] < 0.95
    assert len(json.dumps(fitted.calibration.to_dict())) < 6000, "a card's worth"
    assert "fitted on 20 people" in fitted._repr_html_()


def test_a_calibration_comes_back_from_its_file_and_from_a_card(fitted, tmp_path):
    cal.save(tmp_path / "c.json", fitted.calibration)
    assert cal.load(tmp_path / "c.json") == fitted.calibration
    network, picture = posekit.load("mannequins-hg1"), np.random.default_rng(0).integers(0, 255, (80, 60, 3), np.uint8)
    assert network.predict(picture).probabilities is None
    poses = network.predict(picture, calibration=fitted.calibration)
    assert poses.probabilities.shape == poses.radii.shape == (1, 17)
    assert (poses.radii > 0).all() and ((poses.probabilities >= 0) & (poses.probabilities <= 1)).all()
    assert np.array_equal(poses.keypoints, network.predict(picture).keypoints)
    into(tmp_path / "w.safetensors", network, fitted.calibration)
    again = posekit.load(tmp_path / "w.safetensors")
    assert again.card.calibrated == fitted.calibration
    assert np.allclose(again.predict(picture).radii, poses.radii) and again.predict(picture, flip=True).radii is None
    assert again.predict(picture, []).radii.shape == (0, 17)
    (entry,) = poses.to_coco(3)
    assert len(entry["probabilities"]) == len(entry["radii"]) == 17
    plain, circled = (np.asarray(p.draw()) for p in (replace(poses, radii=None), poses))
    assert plain.shape == circled.shape and (plain != circled).any(), "circles are drawn"


def test_a_joint_labelled_on_too_few_people_has_a_dash_and_is_named(cache, tmp_path):
    people = posekit.load_people("mannequins:200,size=64", cache=cache)
    keypoints = people.keypoints.copy()
    for joint, kept in (("left wrist", 2), ("nose", 0)):
        some = np.flatnonzero(people.splits == "val")[kept:]
        keypoints[some, COCO.index(joint)[0]] = (np.nan, np.nan, 0)
    people = replace(people, keypoints=keypoints)
    network = posekit.load("mannequins-hg1")
    found = calibrate(network, people.split("val"), test=people.split("test"), level=0.8, cache=cache)
    assert found.scores["left out"] == {"nose": 0, "left wrist": 2}
    assert set(found.calibration.radius) == set(COCO.joints) - {"left wrist", "nose"}
    line = "; neither probability nor radius, which take 4 people with the joint labelled: nose (0), left wrist (2)"
    assert words(found.scores).endswith(line) and "nose (0)" in found._repr_html_()
    rows = {row[0]: row for row in tables(found.scores)[2][1]}
    assert rows["left wrist"][2:] == rows["nose"][2:] == ["–", "–"] and "–" not in rows["left knee"], "found, but no radius"
    radii(found.scores["joints"], 0.8).savefig(tmp_path / "radii.png")
    rare = list(COCO.index("nose", "left wrist"))
    into(tmp_path / "w.safetensors", network, found.calibration)
    cal.save(tmp_path / "c.json", found.calibration)
    assert cal.load(tmp_path / "c.json") == posekit.load(tmp_path / "w.safetensors").card.calibrated == found.calibration
    poses = posekit.load(tmp_path / "w.safetensors").predict(np.zeros((50, 40, 3), np.uint8))
    for values, entry in ((poses.probabilities, "probabilities"), (poses.radii, "radii")):
        assert np.flatnonzero(np.isnan(values[0])).tolist() == rare
        assert [k for k, value in enumerate(poses.to_coco()[0][entry]) if value is None] == rare
    assert poses.draw().size and poses._repr_png_()


def test_radii_grow_with_the_picture(fitted):
    network, picture = posekit.load("mannequins-hg1"), posekit.data.mannequins.render(3, size=128).picture
    small, large = (network.predict(p, calibration=fitted.calibration) for p in (picture, picture.repeat(2, 0).repeat(2, 1)))
    assert np.median(large.radii / small.radii) == pytest.approx(2, rel=0.15)


def test_an_adapted_network_is_calibrated(fitted, cache):
    torch.manual_seed(0)
    module = torch.nn.Conv2d(3, 17, 8, stride=8)
    network = posekit.adapt(module, "coco", 64, name="foreign", report=None, backend=posekit.Backend.plain())
    people = posekit.load_people("mannequins:200,size=64@val", cache=cache)
    seen = observe(network.model, network.card, posekit.crops(people, 80, cache), backend=posekit.Backend.plain())
    assert all(values.shape == (20, 17) and np.isfinite(values).all() for values in seen.signals.values())
    found = calibrate(network, people, cache=cache)
    assert found.calibration.network == "foreign" and "weights" in found.scores and "errors" not in found.scores
    assert network.predict(np.zeros((9, 9, 3), np.uint8), calibration=found.calibration).radii.shape == (1, 17)
    with pytest.raises(PosekitError, match=r"foreign is an adapted network and has no weights file; write its calibration as \.json"):
        into(cache / "w.safetensors", network, found.calibration)


class OneCell(torch.nn.Module):
    """Every map is empty but for one cell: all joints in that of the picture's middle, or each in one of its own."""

    def __init__(self, apart):
        super().__init__()
        self.apart, self.nothing = apart, torch.nn.Parameter(torch.zeros(()))

    def forward(self, pictures):
        maps = torch.zeros(len(pictures), 17, 8, 8)
        for k in range(17):
            maps[:, k, *((k // 4 + 1, k % 4 + 2) if self.apart else (4, 4))] = 1
        return maps + self.nothing


@pytest.mark.parametrize("apart", [True, False])
def test_radii_of_a_network_that_is_always_sure_have_a_bound(apart, cache):
    """A spread of nothing tells nobody from another: the radius is the quantile of the distances, of all people in the same scale."""
    network = posekit.adapt(OneCell(apart), "coco", 64, name="sure", report=None, backend=posekit.Backend.plain())
    people = posekit.load_people("mannequins:200,size=64", cache=cache)
    store = posekit.crops(people.split("val"), 80, cache)
    seen = measure(network, store)
    scale = seen.spreads / (8 * signals.CELL)  # picture pixels to an input pixel
    assert np.allclose(scale, scale[:, :1]) and ((scale > 0.2) & (scale < 5)).all(), "the spread of one cell of eight pixels"
    assert all(np.isfinite(values).all() for values in seen.signals.values())
    if not apart:
        assert np.allclose(seen.signals["spread"], -signals.CELL), "in its own torso lengths, of which each is one cell"
    factors = cal.conformal_factors(seen.distances, seen.spreads, seen.joints.joints, 0.8)
    by_hand = [cal.conformal(column, 0.8) for column in (seen.distances / scale / (8 * signals.CELL)).T]
    assert np.allclose(list(factors.values()), by_hand, atol=1e-3)
    torsos = seen.torsos[:, None]
    assert (np.median(np.array(list(factors.values())) * seen.spreads / torsos, 0) < 6).all()


def test_without_a_split_to_calibrate_on_it_says_so(fitted, cache):
    people = posekit.load_people("mannequins:200,size=64", cache=cache)
    with pytest.raises(PosekitError, match=r"mannequins:6,size=64,seed=0 has no validation split to calibrate on; it has train: name one"):
        calibrate("mannequins-hg1", "mannequins:6,size=64", cache=cache)
    for level in (0, 1, 1.5, -0.1):
        with pytest.raises(PosekitError, match=r"level is .*; it lies between 0 and 1"):
            calibrate("mannequins-hg1", people.split("val"), level=level, cache=cache)
    with pytest.raises(PosekitError, match=r"34 joints .* too few for a curve; it takes 50 at least|too few for a curve"):
        calibrate("mannequins-hg1", people.split("val")[:2], cache=cache)
    with pytest.raises(PosekitError, match="people are too few for a radius at 90 %; it takes 9 at least"):
        calibrate("mannequins-hg1", people.split("val")[:6], cache=cache)
    with pytest.raises(PosekitError, match="people to measure on are in pictures that were calibrated on"):
        calibrate("mannequins-hg1", people.split("val"), test=people.split("val"), level=0.8, cache=cache)


def test_what_has_no_confidence_is_refused():
    card = posekit.Card("numbers", {}, COCO, 64, "coordinates", architecture="adapted")
    with pytest.raises(PosekitError, match="numbers answers with coordinates and has no heatmap"):
        signals.need_heatmaps(card)
    hand = Skeleton("hand", ("wrist", "thumb"))
    with pytest.raises(PosekitError, match="its skeleton lacks left shoulder, left hip, right shoulder, right hip"):
        signals.need_heatmaps(posekit.Card("hand", {}, hand, 64, "mse", architecture="adapted"))


def test_people_that_were_trained_on_are_refused(monkeypatch, fitted, cache):
    from posekit.engine.trust import calibrate as module

    monkeypatch.setattr(module, "overlap", lambda card, crops: {"people": 3, "complete": True})
    with pytest.raises(PosekitError, match="3 of these 20 people are in pictures that mannequins-hg1 was trained on"):
        calibrate("mannequins-hg1", "mannequins:200,size=64", cache=cache)


def test_a_calibration_of_other_weights_or_another_way_is_refused(fitted):
    picture = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(PosekitError, match="this calibration is of mannequins-hg1, fitted on mannequins@val, and not of these weights"):
        posekit.load("lspet-64px-hg1").predict(picture, calibration=fitted.calibration)
    with pytest.raises(PosekitError, match="fitted without the flip test, and this prediction is with it"):
        posekit.load("mannequins-hg1").predict(picture, flip=True, calibration=fitted.calibration)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mass": [0.2, 0.1]}, "mass rising"),
        ({"probability": [0.5]}, "as many numbers"),
        ({"probability": [0.5, 1.2]}, "between 0 and 1"),
        ({"probability": [0.5, 0.2]}, "not falling"),
        ({"level": 2}, "between 0 and 1"),
        ({"radius": {"nose": None}}, "are numbers"),
        ({"radius": {"nose": -2.0}}, "radii are finite and not negative"),
        ({"mass": [10, 90]}, "mass, probabilities and level lie between 0 and 1"),
        ({"flip": "false"}, "flip is true or false"),
        ({"radius": ...}, "it lacks radius"),
    ],
)
def test_a_damaged_calibration_is_refused(tmp_path, change, said):
    sound = cal.Calibration("n", "f", "d", 9, False, 0.9, (0.1, 0.9), (0.2, 0.8), {"nose": 2.0})
    assert cal.Calibration.from_dict(sound.to_dict()) == sound
    values = {name: v for name, v in (sound.to_dict() | {"format": cal.FORMAT} | change).items() if v is not ...}
    (tmp_path / "c.json").write_text(json.dumps(values))
    with pytest.raises(PosekitError, match=f"c.json: a damaged calibration: .*{said}"):
        cal.load(tmp_path / "c.json")


def test_what_is_no_calibration_is_refused(tmp_path):
    (tmp_path / "c.json").write_text("[1]")
    for name, said in (("c.json", "no calibration"), ("d.json", "no such file")):
        with pytest.raises(PosekitError, match=said):
            cal.load(tmp_path / name)
