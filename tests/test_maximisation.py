"""Pictures that maximise, and patches that excite."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from planted import people
from tiny_data import Memory
from tiny_networks import CARD, SIZE, Tiny, hooks

from posekit import PosekitError, crops
from posekit.data.people import People, joints_box
from posekit.interpret.attribution import maximisation as mx
from posekit.interpret.attribution.patches import deconvnet_projection, top_patches
from posekit.interpret.attribution.targets import Scored, target
from posekit.skeleton import LSP


def test_what_is_maximised_grows_and_is_the_same_again():
    model = Tiny()
    goals = [target("window", "neck", CARD, mx.middle(CARD)), mx.channel("features", 2)]
    before, after = (mx.maximise(model, CARD, goals, steps=steps, seed=4) for steps in (0, 40))
    assert after.shape == (2, 3, SIZE, SIZE) and after.min() >= 0 and after.max() <= 1
    for i, goal in enumerate(goals):
        score = Scored(model, CARD, goal)
        assert score(after[i : i + 1]) > score(before[i : i + 1]) + 0.1
    assert torch.equal(after, mx.maximise(model, CARD, goals, steps=40, seed=4))
    assert hooks(model) == 0 and all(p.requires_grad and p.grad is None for p in model.parameters())


def test_goals_do_not_touch_each_other():
    model = Tiny(bias=2.0)
    goals = [mx.channel("features", 0), mx.channel("features", 1)]
    pair, alone = mx.maximise(model, CARD, goals, steps=0), mx.maximise(model, CARD, goals[:1], steps=0)
    assert pair.shape[0] == 2 and alone.shape[0] == 1
    raised = mx.maximise(model, CARD, goals, steps=30)
    scores = torch.stack([Scored(model, CARD, goal)(raised) for goal in goals]).detach()
    assert scores[0, 0] > scores[0, 1] and scores[1, 1] > scores[1, 0]


def test_a_direction_is_the_score_on_it():
    random = np.random.default_rng(0)
    vector, mean = random.normal(size=(2, 4 * 8 * 8)).astype(np.float32)
    activation = torch.randn(3, 4, 8, 8)
    expected = (activation.flatten(1).numpy() - mean) @ vector
    assert np.allclose(mx.direction("first", "features", vector, mean).of(activation), expected, atol=1e-3)


def test_colours_are_those_of_the_pictures():
    grey = torch.rand(50, 1, 8, 8).expand(-1, 3, -1, -1)
    assert torch.allclose(mx.colours(grey), torch.full((3, 3), 1 / 3), atol=1e-3)  # all channels together
    assert torch.linalg.matrix_norm(mx.colours(torch.rand(50, 3, 8, 8))) == pytest.approx(1)


@pytest.fixture(scope="module")
def dots(tmp_path_factory):
    """Black pictures with one dot, brighter from person to person."""
    keypoints, pictures = np.full((8, 14, 3), 2.0), {}
    keypoints[..., 0], keypoints[..., 1] = np.tile([10.0, 54.0], 7), np.repeat(np.linspace(10, 54, 7), 2)
    for i in range(8):
        pictures[str(i)] = np.zeros((64, 64, 3), np.uint8)
        pictures[str(i)][20:26, 40:46] = 30 + 25 * i
    known = People(LSP, np.array(sorted(pictures)), joints_box(np.tile(keypoints[:1], (8, 1, 1))), keypoints, np.arange(8),
                   np.full(8, "test"), Memory(pictures), "memory")  # fmt: skip
    return crops(known, 40, tmp_path_factory.mktemp("dots"))


def bright():
    """The channels answer to brightness, the more the later."""
    model = Tiny()
    with torch.no_grad():
        model.mix.weight.copy_(torch.arange(1.0, 5.0)[:, None, None, None].expand(4, 3, 1, 1))
        model.mix.bias.zero_()
    return model


def test_the_strongest_patches_are_the_brightest_people_and_hold_the_dot(dots):
    (found,) = top_patches(bright(), CARD, dots, "features", [3], count=3)
    assert found.channel == 3 and found.people.tolist() == [7, 6, 5] and (np.diff(found.values) < 0).all()
    assert found.pictures.shape == (3, 16, 16, 3) and found.projections.shape == (3, 16, 16, 3)
    assert found.pictures.max((1, 2, 3)).min() > 100  # the dot is in each patch
    column, row = found.positions[0]
    (corner,) = found.corners[:1]
    assert corner[0] <= 4 * column < corner[0] + 16 and corner[1] <= 4 * row < corner[1] + 16


def test_a_projection_lies_in_the_cell_that_it_is_of():
    model = bright()
    found = deconvnet_projection(model, CARD, torch.rand(1, 3, SIZE, SIZE), "features", 1, torch.tensor([8 * 2 + 5]))
    expected = np.zeros((SIZE, SIZE, 3))
    expected[8:12, 20:24] = 2 / 16
    assert np.allclose(found[0], expected)


def test_too_few_people_and_no_such_channel(dots):
    with pytest.raises(PosekitError, match="9 patches of different people asked for, there are 8 people"):
        top_patches(bright(), CARD, dots, "features", [0])
    with pytest.raises(PosekitError, match="features has channels 0 to 3, not all of 0, 4"):
        top_patches(bright(), CARD, dots, "features", [0, 4], count=2)


class Shifted(Tiny):
    """The answers of Tiny, for pictures less a mean."""

    def forward(self, x):
        return super().forward(x + torch.tensor(SHIFTED.input_mean).view(3, 1, 1))


SHIFTED = replace(CARD, input_mean=(0.1, 0.2, 0.3))


def test_the_mean_of_the_input_is_taken_off_pictures(dots):
    goals = [mx.channel("features", 2)]
    torch.testing.assert_close(*(mx.maximise(m, card, goals, steps=5) for m, card in ((Shifted(), SHIFTED), (Tiny(), CARD))))
    (found,), (expected,) = (top_patches(m, card, dots, "features", [1], count=3) for m, card in ((Shifted(), SHIFTED), (Tiny(), CARD)))
    assert found.people.tolist() == expected.people.tolist() and np.allclose(found.values, expected.values, atol=1e-5)
    assert np.allclose(found.projections, expected.projections, atol=1e-5)


def test_goals_are_what_people_reach_and_scores_what_pictures_do(tmp_path):
    stored = crops(people(range(12)), 40, tmp_path)
    model = Tiny()
    found = mx.seen(model, CARD, stored, "features")
    assert len(found.codes) == len(found.raws) == len(found.cells) == 12 and found.palette.shape == (3, 3)
    goals = mx.goals(found, CARD, ["neck", "tail", "left wrist"], channels=2, components=2)
    assert [goal.kind for goal in goals.values()] == ["joints"] * 2 + ["channels"] * 2 + ["directions"] * 3
    assert "tail" not in goals and list(goals)[-1] == "random direction"
    assert all(goal.reached.shape == (12,) for goal in goals.values())
    pictures = mx.maximise(model, CARD, [goal.target for goal in goals.values()], found.palette, steps=0)
    reached = mx.goal_scores(model, CARD, pictures, list(goals.values()), "features")
    for score, (i, goal) in zip(reached, enumerate(goals.values()), strict=True):
        with torch.no_grad():
            assert score == pytest.approx(float(Scored(model, CARD, goal.target)(pictures[i : i + 1])), abs=1e-4)
    goal = next(iter(goals.values()))
    assert goal.deviations(float(goal.reached.mean())) == pytest.approx(0, abs=1e-5)
    assert goal.deviations(float(goal.reached.mean() + goal.reached.std())) == pytest.approx(1, abs=1e-4)


def test_what_nobody_can_be_shown_is_refused():
    pictures = torch.full((2, 3, 8, 8), 0.5)
    with pytest.raises(PosekitError, match="of one colour throughout"):
        mx.colours(pictures)
    with pytest.raises(PosekitError, match="no goal is named"):
        mx.maximise(Tiny(), CARD, [])
    with pytest.raises(PosekitError, match="features has channels 0 to 3, not 4"):
        mx.maximise(Tiny(), CARD, [mx.channel("features", 4)], steps=1)
