"""Kinds of wrong joints: planted ones are counted, and pictures without structure have none of a kind beyond chance."""

from dataclasses import replace

import numpy as np
import pytest

import posekit
from posekit import PosekitError
from posekit.engine.trust import mistakes as wrong
from posekit.skeleton import LSP, Skeleton

PEOPLE = 200
TWINS = np.array(LSP.mirrored)


@pytest.fixture(scope="module")
def truth():
    """People (N, 14, 3) whose joints lie far apart, in a torso of length 10 · √5."""
    points = np.stack(np.meshgrid(np.arange(14) * 40.0, np.arange(PEOPLE)), -1)
    points[..., 1] = 1000 * np.arange(PEOPLE)[:, None]
    for joint, at in (("left shoulder", (0, 0)), ("right shoulder", (10, 0)), ("left hip", (0, 20)), ("right hip", (10, 20))):
        points[:, LSP.index(joint)[0]] = np.array(at) + [-100, 0] + 1000 * np.arange(PEOPLE)[:, None] * [0, 1]
    return np.concatenate([points, np.full((PEOPLE, 14, 1), 2.0)], -1)


TORSO = 10 * np.sqrt(5)
ONE = LSP.index("left wrist")[0]


def kinds(predicted, truth, pictures=None, skeleton=LSP):
    return wrong.by_torso(predicted, truth, np.full(len(truth), TORSO), skeleton, pictures)


def test_a_perfect_answer_has_no_errors(truth):
    assert (kinds(truth, truth) == 0).all()
    block = wrong.summary(kinds(truth, truth), LSP)
    assert block["kinds"]["found"]["mean"] == 1 and block["repaired"]["miss"]["mean"] == 1 and np.isnan(block["of errors"]["miss"]["mean"])


@pytest.mark.parametrize(
    ("kind", "share"), [(kind, share) for kind in wrong.KINDS[1:] for share in (0.1, 0.5)], ids=lambda value: str(value)
)
def test_planted_errors_of_each_kind_are_counted(truth, kind, share):
    """Of the left wrist, in a share of the people, and of nobody and nothing else."""
    predicted, some = truth.copy(), np.arange(PEOPLE) < share * PEOPLE
    pictures = np.arange(PEOPLE) // 2
    placed = {
        "jitter": truth[:, ONE, :2] + [0.3 * TORSO, 0],
        "inversion": truth[:, TWINS[ONE], :2] + [0.1 * TORSO, 0],
        "swap": truth[np.arange(PEOPLE) ^ 1, ONE, :2] + [0, 0.3 * TORSO],
        "miss": truth[:, ONE, :2] + [0, 3 * TORSO],
    }
    predicted[some, ONE, :2] = placed[kind][some]
    found = kinds(predicted, truth, pictures)
    assert (found[some, ONE] == wrong.KINDS.index(kind)).all()
    assert (np.delete(found, ONE, 1) == 0).all() and (found[~some] == 0).all()
    block = wrong.summary(found, LSP, pictures)
    assert block["kinds"][kind]["mean"] == pytest.approx(some.mean() / 14) and block["of errors"][kind]["mean"] == 1
    assert block["repaired"][kind]["mean"] == 1 and sum(part["mean"] for part in block["kinds"].values()) == pytest.approx(1)
    assert block["joints"]["left wrist"][kind] == pytest.approx(some.mean())
    chosen = found == wrong.KINDS.index(kind)
    assert (kinds(wrong.repair(predicted, truth, chosen), truth, pictures) == 0).all()


def test_without_others_in_the_picture_nothing_is_a_swap(truth):
    predicted = truth[np.arange(PEOPLE) ^ 1]
    assert (kinds(predicted, truth) == wrong.KINDS.index("miss")).all()
    assert (kinds(predicted, truth, np.arange(PEOPLE) // 2) == wrong.KINDS.index("swap")).all()
    mirrored = predicted[:, TWINS]
    assert (kinds(mirrored, truth, np.arange(PEOPLE) // 2) == wrong.KINDS.index("swap")).all(), "a counterpart of somebody else"


def test_all_sides_exchanged_are_inversions_but_of_the_middle(truth):
    found = kinds(truth[:, TWINS], truth)
    middle = TWINS == np.arange(14)
    far = np.linalg.norm(truth[0, :, :2] - truth[0, TWINS, :2], axis=-1) > wrong.FARTHER * 0.2 * TORSO
    assert (found[:, middle] == 0).all() and (found[:, far & ~middle] == wrong.KINDS.index("inversion")).all()


def test_what_is_near_two_is_the_nearer(truth):
    near = truth.copy()
    near[:, TWINS[ONE], :2] = near[:, ONE, :2] + [0.7 * TORSO, 0]  # the counterpart is close by
    for share, kind in ((0.3, "jitter"), (0.34, "jitter"), (0.36, "inversion"), (0.5, "inversion")):
        predicted = near.copy()
        predicted[:, ONE, 0] += share * TORSO
        assert (kinds(predicted, near)[:, ONE] == wrong.KINDS.index(kind)).all(), share


def test_what_is_not_annotated_is_not_counted(truth):
    lacking = truth.copy()
    lacking[::2, ONE] = [np.nan, np.nan, 0]
    lacking[:, TWINS[ONE]] = [np.nan, np.nan, 0]
    predicted = truth.copy()
    predicted[:, ONE, :2] = truth[:, TWINS[ONE], :2]
    found = kinds(predicted, lacking)
    assert (found[::2, ONE] == -1).all() and (found[1::2, ONE] == wrong.KINDS.index("miss")).all(), (
        "of an unknown counterpart nothing is said"
    )
    assert wrong.summary(found, LSP)["labelled"] == (found >= 0).sum()
    assert (wrong.by_torso(truth, truth, np.full(PEOPLE, np.nan), LSP) == -1).all()


def test_a_prediction_that_is_none_is_a_miss(truth):
    predicted = truth.copy()
    predicted[:, ONE, :2] = np.nan
    assert (kinds(predicted, truth)[:, ONE] == wrong.KINDS.index("miss")).all()


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_errors_that_know_nothing_of_the_other_side_are_no_inversions_beyond_chance(spread):
    random = np.random.default_rng(0)
    people = random.normal(0, TORSO, (600, 14, 2))
    truth = np.concatenate([people, np.full((600, 14, 1), 2.0)], -1)
    torsos = np.full(600, TORSO)
    predicted = truth + np.concatenate([random.normal(0, spread * TORSO, (600, 14, 2)), np.zeros((600, 14, 1))], -1)
    share = wrong.summary(wrong.by_torso(predicted, truth, torsos, LSP), LSP)["kinds"]["inversion"]
    chance = wrong.inversions_by_chance(predicted, truth, torsos, LSP)
    assert abs(share["mean"] - chance["mean"]) < 0.02 and share["mean"] > 0
    exchanged = wrong.inversions_by_chance(truth[:, TWINS], truth, torsos, LSP)
    assert exchanged["mean"] < 0.25 < wrong.summary(wrong.by_torso(truth[:, TWINS], truth, torsos, LSP), LSP)["kinds"]["inversion"]["mean"]


def test_by_similarity_the_thresholds_are_those_of_the_paper(truth):
    areas = np.full(PEOPLE, 4 * TORSO**2)
    for similarity, kind in ((0.86, "found"), (0.84, "jitter"), (0.51, "jitter"), (0.49, "miss")):
        predicted = truth.copy()
        predicted[:, ONE, 1] += np.sqrt(-2 * np.log(similarity) * areas) * 2 * LSP.sigmas[ONE]
        assert posekit.metrics.similarity(predicted, truth, areas, LSP.sigmas)[0, ONE] == pytest.approx(similarity)
        assert (wrong.by_similarity(predicted, truth, areas, LSP)[:, ONE] == wrong.KINDS.index(kind)).all(), similarity


def test_a_network_is_asked_stack_by_stack_and_by_oks(tmp_path):
    found = posekit.errors_of("mannequins-hg1", "mannequins:20,size=64@all", cache=tmp_path)
    scores = posekit.evaluate("mannequins-hg1", "mannequins:20,size=64@all", cache=tmp_path)
    (stack,) = found["stacks"]
    assert stack["kinds"]["found"]["mean"] == pytest.approx(scores["metrics"]["pck@0.2·torso"]["mean"])
    assert stack["kinds"]["swap"]["mean"] == 0 and found["others"] == 0
    ap = found["oks"]["ap"]
    assert ap["as it is"]["mean"] == pytest.approx(scores["metrics"]["oks-ap"]["mean"])
    assert all(ap[kind]["mean"] >= ap["as it is"]["mean"] for kind in wrong.KINDS[1:])
    assert "no swap can be seen" in found._repr_html_()


def test_an_adapted_network_is_asked(tmp_path):
    import torch

    network = posekit.adapt(torch.nn.Conv2d(3, 17, 8, stride=8), "coco", 64, name="foreign", report=None, backend=posekit.Backend.plain())
    found = posekit.errors_of(network, posekit.load_people("mannequins:6,size=64@all", cache=tmp_path), cache=tmp_path)
    assert found["weights"] == "foreign" and found["stacks"][0]["kinds"]["miss"]["mean"] > 0
    assert found["others"] == 0


def test_who_shares_a_picture_by_its_name_can_be_swapped_with(tmp_path):
    people = posekit.load_people("mannequins:6,size=64@all", cache=tmp_path)
    pairs = replace(people, names=people.names[[0, 0, 2, 2, 4, 5]], image_ids=None)
    assert posekit.errors_of("mannequins-hg1", pairs, cache=tmp_path)["others"] == 4


def test_a_skeleton_without_sides_has_no_inversions():
    middle = Skeleton("middle", ("a", "b"))
    truth = np.array([[[0, 0, 2.0], [50, 0, 2]]])
    found = wrong.classify(truth[:, ::-1], truth, np.ones((1, 2)), middle)
    assert (found == wrong.KINDS.index("miss")).all()


def test_without_a_torso_nobody_can_be_measured(tmp_path):
    from dataclasses import replace

    people = posekit.load_people("mannequins:6,size=64@all", cache=tmp_path)
    keypoints = people.keypoints.copy()
    keypoints[:, people.skeleton.index("left shoulder", "right shoulder")] = [np.nan, np.nan, 0]
    with pytest.raises(PosekitError, match="nobody has a torso to measure by"):
        posekit.errors_of("mannequins-hg1", replace(people, keypoints=keypoints), cache=tmp_path)
