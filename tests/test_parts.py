"""Templates and springs: the best pose is the best of all, a planted tree is found, and templates find planted parts."""

import itertools

import numpy as np
import pytest
import torch
from planted import planted

from posekit import PosekitError, evaluate
from posekit.data.augment import eval_view
from posekit.data.loading import load_batch
from posekit.engine import weights
from posekit.engine.backend import Backend
from posekit.engine.learning.fitting import fit_parts
from posekit.models import parts
from posekit.skeleton import COCO, LSP

pytest.importorskip("skimage")


def pose_score(pose, kinds, scores, parents, rest, stiffness, together):
    """The score of one pose: cells (x, y) and mixtures of all joints."""
    height, width = scores.shape[-2:]
    total = 0.0
    for i, ((x, y), kind) in enumerate(zip(pose, kinds, strict=True)):
        above = pose[parents[i]] if parents[i] >= 0 else ((width - 1) / 2, (height - 1) / 2)
        stretch = np.array([x - above[0], y - above[1]]) - rest[i, kind]
        other = kinds[parents[i]] if parents[i] >= 0 else 0
        total += scores[i, kind, y, x] + together[i, kind, other] - (stiffness[i, kind] * stretch**2).sum()
    return total


@pytest.mark.parametrize("parents", [(-1, 0, 1), (1, -1, 1), (2, 2, -1)])
def test_max_marginals_equal_the_search_over_all_poses(parents):
    random = np.random.default_rng(0)
    k, t, h, w = 3, 2, 3, 2
    scores = random.normal(size=(2, k, t, h, w))
    rest, stiffness = random.normal(size=(k, t, 2)), random.uniform(0.1, 1, (k, t, 2))
    together = random.normal(size=(k, t, t))
    found = parts.max_marginals(scores, parents, rest, stiffness, together)
    cells = list(itertools.product(range(w), range(h)))
    expected = np.full((2, k, h, w), -np.inf)
    for b in range(2):
        for pose in itertools.product(cells, repeat=k):
            for kinds in itertools.product(range(t), repeat=k):
                score = pose_score(pose, kinds, scores[b], parents, rest, stiffness, together)
                for i, (x, y) in enumerate(pose):
                    expected[b, i, y, x] = max(expected[b, i, y, x], score)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.ptp(found.max((2, 3)), axis=1).max() < 1e-9  # one best pose, in all joints' maps


def test_a_planted_tree_is_found():
    random = np.random.default_rng(0)
    true = (1, -1, 1, 2, 2)
    keypoints = np.zeros((300, 5, 2))
    for i in (1, 0, 2, 3, 4):
        spread = 0.5 if true[i] < 0 else 1.0
        keypoints[:, i] = (keypoints[:, true[i]] if true[i] >= 0 else 0) + random.normal(3, spread, (300, 2))
    keypoints[:20, 3] = np.nan
    assert parts.tree(keypoints, []) == true


@pytest.mark.parametrize("skeleton", [LSP, COCO])
def test_every_limb_that_closes_no_loop_is_in_the_tree(skeleton):
    keypoints = np.random.default_rng(0).normal(size=(50, len(skeleton), 2))
    parents = parts.tree(keypoints, skeleton.limb_indices)
    edges = {frozenset((i, p)) for i, p in enumerate(parents) if p >= 0}
    limbs = {frozenset(limb) for limb in skeleton.limb_indices}
    assert len(edges) == len(skeleton) - 1 and parents.count(-1) == 1
    joined = {skeleton.joints[i] for limb in limbs for i in limb}
    # The torso's four limbs close a loop, so one is left out; the head is joined by a pair that is no limb.
    assert len(edges & limbs) == len(limbs) - 1 and joined == set(skeleton.joints)


def test_gradients_of_a_cell_say_its_direction_and_move_with_the_picture():
    picture = torch.zeros(2, 3, 32, 32)
    picture[0, :, :, 16:] = 1
    picture[1, :, 16:] = 1
    across, down = parts.oriented_gradients(picture)
    assert across.shape == (13, 8, 8)
    edge_across, edge_down = across[:9, 2:6, 3].mean(1), down[:9, 3, 2:6].mean(1)
    assert edge_across.argmax() != edge_down.argmax()
    assert abs(edge_across.max() - edge_down.max()) < 1e-6
    assert not across[:, :, 0].any()
    moved = parts.oriented_gradients(torch.roll(picture, 4, -1))[0]
    np.testing.assert_allclose(moved[:, :, 3:6], across[:, :, 2:5], atol=1e-6)


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("crops"), size=80)


@pytest.fixture(scope="module")
def fitted(crops, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    return fit_parts(*crops, folder, resolution=64, mixtures=2, backend=Backend.plain())


def test_fitted_parts_go_through_the_same_door(crops, fitted):
    model, card = weights.load(fitted)
    assert card.architecture == "parts" and isinstance(model, parts.Parts)
    assert model.config.parents.count(-1) == 1 and card.history[0]["seconds"] >= 0
    result = evaluate(fitted, crops[1], backend=Backend.plain())
    assert len(result["stacks"]) == 1
    assert result["metrics"]["pck@0.2·torso"]["mean"] == pytest.approx(card.metrics["metrics"]["pck@0.2·torso"]["mean"])


def test_fitting_twice_gives_the_same(crops, fitted, tmp_path):
    again = fit_parts(*crops, tmp_path, resolution=64, mixtures=2, backend=Backend.plain())
    for a, b in zip(weights.load(fitted)[0].buffers(), weights.load(again)[0].buffers(), strict=True):
        assert torch.equal(a, b)


def test_templates_know_the_dots_that_they_were_fitted_to(crops, fitted):
    """All joints are alike, dots; a template answers more at joints than elsewhere."""
    model, _ = weights.load(fitted)
    pictures, points = load_batch(crops[0], np.arange(8))
    views, points = eval_view(pictures, points, 64)
    cells = torch.from_numpy(parts.oriented_gradients(views))
    scores = torch.nn.functional.conv2d(cells, model.templates, model.bias, padding=2).unflatten(1, (14, -1)).amax(2)
    places = ((points[..., :2] + 0.5) / 4 - 0.5).round().long().clamp(0, 15)
    at = scores.flatten(2).gather(2, (places[..., 1] * 16 + places[..., 0])[..., None])[..., 0]
    assert (at > scores.mean((2, 3))).float().mean() > 0.9


def test_too_few_people_are_refused(crops, tmp_path):
    with pytest.raises(PosekitError, match="too few for 4 mixtures"):
        fit_parts(*crops, tmp_path, resolution=64, mixtures=4)
