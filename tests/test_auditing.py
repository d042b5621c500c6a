"""Audits of planted errors by a network that knows the truth, and of what cannot be audited."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planted_labels import exchanged, people, predictor

import posekit
from posekit.auditing import calibration, evidence, features, labels, opinions
from posekit.auditing.judging import UNJUDGED
from posekit.auditing.quality import baselines, measure, planted
from posekit.errors import PosekitError
from posekit.losses import loss_sum
from posekit.skeleton import COCO, LSP, Skeleton

COUNT = 40
WHOLE = planted.groups(LSP)["whole"]
HAND = Skeleton("hand", tuple(f"joint {i}" for i in range(14)))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def right():
    return people(range(COUNT))


def audited(there, cache, **options):
    return posekit.audit(there, predictor(), flip=False, cache=cache, **options)


def relabelled(right, keypoints):
    return replace(right, keypoints=keypoints)


@pytest.mark.parametrize("kind", ["whole", "arms", "legs"])
def test_exchanges_come_first_by_their_kind(right, cache, kind):
    joints = planted.groups(LSP)[kind]
    found = audited(relabelled(right, exchanged(right.keypoints, [3, 11], joints, LSP.mirrored)), cache)
    assert {*found.order()[:2]} == {3, 11} and (found.exchanged[[3, 11]] > 0.5).all()
    assert found.exchanged[[i for i in range(COUNT) if i not in (3, 11)]].max() < 0.5
    assert (found.kinds[[3, 11]] == f"left and right exchanged: {kind}").all()
    assert (np.flatnonzero(found.swaps[3]) == joints).all()


@pytest.mark.parametrize("pair", [("left knee", "right knee"), ("left wrist", "right wrist")])
def test_one_exchanged_pair_is_named(right, cache, pair):
    joints = LSP.index(*pair)
    found = audited(relabelled(right, exchanged(right.keypoints, [5], joints, LSP.mirrored)), cache)
    assert found.order()[0] == 5 and set(pair) <= set(found.kinds[5].partition(": ")[2].split(", "))
    assert (found.wrong[5, joints] > 0.5).all() and np.delete(found.wrong[5], joints).max() < 0.5


def test_a_displaced_joint(right, cache):
    keypoints = right.keypoints.copy()
    keypoints[7, 2, :2] += (25, -20)
    found = audited(relabelled(right, keypoints), cache)
    assert np.unravel_index(np.nanargmax(found.wrong), found.wrong.shape) == (7, 2) and found.joint_kinds[7, 2] == "joint displaced"


def test_right_labels_stay_right(right, cache):
    found = audited(right, cache)
    assert found.exchanged.max() < 0.5 and np.nanmax(found.wrong) < 0.5
    assert "nobody is more likely wrong" in found.summary() and "none of 560 labels are" in found.summary()


def test_the_table_has_a_row_a_person_and_a_row_a_label(right, cache):
    keypoints = right.keypoints.copy()
    keypoints[0, :4] = (np.nan, np.nan, 0)
    table = audited(relabelled(right, keypoints), cache).table()
    assert len(table) == COUNT + COUNT * 14 - 4 and (table[table.joint == ""].id.nunique()) == COUNT
    assert table.probability.between(0, 1).all() and (table.kind != "").all()


def test_who_cannot_be_judged_has_no_number(right, cache):
    keypoints = right.keypoints.copy()
    keypoints[4] = (np.nan, np.nan, 0)
    found = audited(relabelled(right, keypoints), cache)
    assert np.isnan(found.exchanged[4]) and np.isnan(found.wrong[4]).all() and found.kinds[4] == UNJUDGED and found.order()[-1] == 4
    assert "1 cannot be judged" in found.summary()


def test_joints_that_a_network_lacks_are_not_judged(right, cache):
    seventeen = np.full((COUNT, 17, 3), np.nan)
    seventeen[..., 2] = 0
    common = [j for j in LSP.joints if j in COCO.joints]
    seventeen[:, COCO.index(*common)] = right.keypoints[:, LSP.index(*common)]
    seventeen[:, 0] = (50, 50, 2)
    found = audited(replace(right, skeleton=COCO, keypoints=seventeen), cache)
    assert np.isnan(found.wrong[:, 0]).all() and np.isfinite(found.wrong[:, COCO.index(*common)]).all()


def test_a_second_opinion_of_a_file(right, cache, tmp_path):
    file = tmp_path / "results.json"
    said = [{"file_name": str(n), "keypoints": k.ravel().tolist()} for n, k in zip(right.names, right.keypoints, strict=True)]
    file.write_text(json.dumps(said))
    there = relabelled(right, exchanged(right.keypoints, [3], WHOLE, LSP.mirrored))
    found = audited(there, cache, against=file)
    assert len(found.opinions) == 2 and found.order()[0] == 3 and np.allclose(found.opinions[1].predicted, right.keypoints)


@pytest.mark.parametrize("scores", [(0.9, 0.05), ("0.9", "0.05"), (90, 5), (0.2, -3), (None, 0.05)])
@pytest.mark.parametrize("first", [True, False])
def test_of_several_entries_of_a_person_the_one_of_the_highest_score_is_the_opinion(right, tmp_path, scores, first):
    """Detectors write dozens of hardly likely people a picture; whichever filled a box best was taken."""
    said = []
    for name, person in zip(right.names, right.keypoints, strict=True):
        both = [{"file_name": str(name), "keypoints": k.ravel().tolist(), "score": score}
                for k, score in zip((person, person[::-1]), scores, strict=True)]  # fmt: skip
        said += [*(both if first else both[::-1]), both[0]]  # and merged files hold one twice
    (tmp_path / "results.json").write_text(json.dumps(said))
    found = opinions.of_file(tmp_path / "results.json", right, [right.keypoints])
    assert np.allclose(found.predicted, right.keypoints)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"file_name": "elsewhere.jpg", "keypoints": [1.0] * 42}], "has nobody of planted"),
        ([{"image_id": 10**6, "keypoints": [1.0] * 42}], "has nobody of planted"),
        ([{"file_name": "1", "keypoints": [1.0] * 51}], "51 numbers for keypoints, the lsp skeleton of the labels needs 42"),
        ([{"file_name": "1", "keypoints": ["x"] * 42}], "keypoints that are no numbers"),
        ([{"file_name": "1", "keypoints": [1.0] * 42, "score": "high"}], "score of result 1 is 'high', which is no number"),
        ({"annotations": []}, "not COCO's results"),
        ([{"file_name": "1", "bbox": [1, 2, 3, 4]}], "not COCO's results"),
    ],
)
def test_a_second_opinion_of_others_is_refused(right, cache, tmp_path, entries, words):
    (tmp_path / "results.json").write_text(json.dumps(entries))
    with pytest.raises(PosekitError, match=words) as error:
        audited(right, cache, against=tmp_path / "results.json")
    assert "results.json" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: replace(p, skeleton=HAND), "hand skeleton has no left and right"),
        (lambda p: p[:4], "4 pictures of people"),
        (lambda p: replace(p[:8], names=np.full(8, "1")), "1 pictures of people"),
        (lambda p: replace(p, skeleton=Skeleton("paw", tuple(f"left {i}" if i % 2 else f"right {i - 1 + 2}" for i in range(14)))),
         "none is in both"),
    ],
)  # fmt: skip
def test_what_cannot_be_audited_is_said_in_one_line(right, cache, change, words):
    with pytest.raises(PosekitError, match=words) as error:
        audited(change(right), cache)
    assert "\n" not in str(error.value)


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(planted.groups(LSP))))
def test_evidence_of_exchanged_labels_is_exchanged_evidence(seed, kind):
    """What the features make of likelihoods is what opinions say of the exchanged labels, and exchanging twice changes nothing."""
    rng = np.random.default_rng(seed)
    there = people(range(3))
    predicted = there.keypoints + rng.normal(0, 5, there.keypoints.shape) * (1, 1, 0)
    joints = planted.groups(LSP)[kind]
    swapped = planted.exchanged(there.keypoints, LSP, joints)
    found = evidence.of_keypoints("x", predicted, there, [there.keypoints, swapped]).likelihoods
    assert np.allclose(features.exchanged(found[0], LSP, joints), found[1], equal_nan=True)
    assert np.allclose(features.exchanged(features.exchanged(found[0], LSP, joints), LSP, joints), found[0], equal_nan=True)
    ratio = features.by_exchange(found[0], LSP)[kind]
    assert np.allclose(ratio, found[1][..., 0].sum(1) - found[0][..., 0].sum(1)) and np.allclose(
        features.by_exchange(found[1], LSP)[kind], -ratio
    )


@given(st.floats(0.02, 0.3))
def test_the_rate_of_clear_errors_is_found(share):
    wrong, found = round(share * 400), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        as_is = np.r_[rng.normal(-5, 1, 400 - wrong), rng.normal(5, 1, wrong)]
        found.append(calibration.rate(as_is, rng.normal(5, 1, 300)))
    highest = (wrong + np.sqrt(wrong) + 1) / 400  # of the threshold that all errors pass; others say less by chance
    assert max(found) <= highest + 1e-9 and np.mean(found) == pytest.approx(highest, abs=0.05)


def test_probabilities_are_calibrated_where_the_truth_is_known():
    rng = np.random.default_rng(0)
    truth = rng.random(3000) < 0.1
    as_is = rng.normal(np.where(truth, 2.5, -2.5), 2)[:, None]
    found = calibration.calibrate(as_is, {"wrong": (rng.normal(2.5, 2, (3000, 1)), np.arange(3000))}, np.arange(3000))
    for part in measure.calibration(truth, found.probabilities[:, 0]):
        assert part["labels"] < 50 or part["share"] == pytest.approx(part["mean"], abs=0.2), part


@pytest.mark.parametrize("kind", [*planted.PERSON, *planted.JOINT])
def test_planted_errors_are_where_they_are_said_to_be(right, kind):
    before = right.keypoints.copy()
    before[::2, 5] = (np.nan, np.nan, 0)  # something to flag
    both = replace(right, keypoints=before, names=np.repeat(right.names[: COUNT // 2], 2))  # two a picture
    changed, wrong = planted.plant(both, kind, 0.3)
    differs = ~np.isclose(changed.keypoints, before, equal_nan=True).all(-1)
    assert wrong.any() and ((differs & (changed.keypoints[..., 2] > 0)) == wrong).all() and (changed.keypoints[wrong][:, 2] > 0).all()
    again, same = planted.plant(both, kind, 0.3)
    assert (same == wrong).all() and np.array_equal(again.keypoints, changed.keypoints, equal_nan=True)


def test_how_good_an_audit_is(right, cache):
    found = measure.measured(right, predictor(), ["whole", "displaced"], [0.1], flip=False, cache=cache, resamples=20)
    rows = {(row["kind"], row["method"]): row for row in found["rows"]}
    assert found["doubted"] == {"people": 0, "labels": 0}
    assert {method for kind, method in rows if kind == "whole"} == set(measure.METHODS)
    assert {method for kind, method in rows if kind == "displaced"} == {*measure.METHODS} - {"labels alone"}  # says nothing of places
    assert rows["whole", "audit"]["auc"] == 1 and rows["whole", "audit"]["recall"]["mean"] == 1 and rows["whole", "audit"]["planted"] == 4
    assert rows["displaced", "audit"]["auc"] > 0.95


def test_counting_takes_who_is_sure_of_another_joint():
    likelihoods = np.full((4, 14, 3), 2.0)
    likelihoods[..., 1] = -2.0
    likelihoods[0, 0, :2] = -2, 3  # the other side's
    likelihoods[1, 3] = (-2, -2, 3)  # elsewhere
    likelihoods[2, 5, 0] = np.nan
    doubts = baselines.counted(likelihoods, LSP)
    assert {tuple(at) for at in np.argwhere(doubts > 50)} == {(0, 0), (1, 3)} and np.isnan(doubts[2, 5])
    assert np.argmax(baselines.of_people(baselines.loss(likelihoods))) in (0, 1)


def test_ways_to_learn_from_audited_labels(right, cache):
    wrong = relabelled(right, exchanged(right.keypoints, [3, 11], WHOLE, LSP.mirrored))
    wrong.keypoints[3, LSP.index("left knee")] = (np.nan, np.nan, 0)
    found = audited(wrong, cache)
    without, put_right, weighted = (labels.relabelled(found, way).keypoints for way in labels.WAYS)
    assert not without[3, WHOLE, 2].any() and np.array_equal(without[5], wrong.keypoints[5], equal_nan=True)
    assert np.array_equal(put_right[11], right.keypoints[11]) and put_right[3, LSP.index("right knee"), 2].item() == 0
    assert (weighted[3, WHOLE, 2] < 0.5).all() and (weighted[5, :, 2] > 0.5).all() and weighted[3, LSP.index("left knee"), 2].item() == 0
    with pytest.raises(PosekitError, match="no way 'better'"):
        labels.relabelled(found, "better")


@given(st.floats(0.1, 1), st.sampled_from(["cross-entropy", "mse"]))
def test_a_label_of_half_weight_costs_half(weight, kind):
    output, target = torch.randn(2, 1, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.rand(2, 3, 4, 4)
    labelled = torch.ones(2, 3, dtype=torch.bool)
    whole = loss_sum(output, target, labelled, kind)
    assert torch.allclose(loss_sum(output, target, labelled, kind, torch.full((2, 3), weight)), weight * whole)
    assert torch.equal(loss_sum(output, target, labelled, kind, torch.ones(2, 3)), whole)


def test_an_opinion_that_contradicts_every_label_says_so(right, cache):
    rng = np.random.default_rng(0)
    half = rng.permutation(COUNT)[: COUNT // 2]
    found = audited(relabelled(right, exchanged(right.keypoints, half, WHOLE, LSP.mirrored)), cache)
    assert any("contradicts too many labels" in note for note in found.notes) and "\n" not in found.notes[-1]


def test_evidence_that_only_together_says_something():
    """Two numbers of the same sign are of labels as they are, of different signs of errors; no weighted sum tells them apart."""
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], (600, 1)) * np.array([1.0, 1.0])
    as_is, errors = signs + rng.normal(0, 0.3, signs.shape), signs * [1, -1] + rng.normal(0, 0.3, signs.shape)
    as_is[:12] = errors[:12]
    found = calibration.calibrate(as_is, {"pair": (errors[300:], np.arange(300, 600))}, np.arange(600)).probabilities[:, 0]
    assert set(np.argsort(-found)[:12]) == set(range(12)) and found[:12].min() > 5 * found[12:].mean()
