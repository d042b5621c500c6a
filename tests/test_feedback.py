"""Error feedback: steps are bounded, begin at the mean pose, and in training follow the fixed path."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from posekit.models.feedback import Feedback, FeedbackConfig, bounded, mean_pose

START = ((0.0, -0.25), (0.125, 0.25))
CONFIG = FeedbackConfig(2, START, steps=4, bound=0.1, features=8)


@given(st.floats(1e-3, 1.0), st.integers(0, 1000), st.sampled_from([1e-4, 0.1, 1.0, 1e3]))
def test_a_step_is_never_longer_than_its_bound_and_keeps_its_direction(bound, seed, scale):
    step = scale * torch.randn(5, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = bounded(step, bound)
    length, before = found.norm(dim=-1), step.norm(dim=-1)
    assert (length <= bound * (1 + 1e-9)).all()
    assert torch.allclose(length, before.clamp_max(bound))
    assert torch.allclose(found / length[:, None], step / before[:, None])


def test_a_step_of_nothing_has_a_gradient():
    step = torch.zeros(3, 2, requires_grad=True)
    bounded(step, 0.1).sum().backward()
    assert torch.equal(step.grad, torch.ones(3, 2))


def test_every_step_of_the_network_is_bounded_and_the_first_begins_at_the_mean_pose():
    torch.manual_seed(0)
    model = Feedback(CONFIG).eval()
    for parameter in model.network[-1].parameters():
        torch.nn.init.normal_(parameter, std=3)  # far longer steps than allowed
    poses = model(torch.rand(3, 3, 64, 64)).detach()
    start = 31.5 + 64 * torch.tensor(START).expand(3, 1, -1, -1)
    steps = torch.cat([start, poses], 1).diff(dim=1).norm(dim=-1)
    assert poses.shape == (3, 4, 2, 2)
    assert (steps <= 0.1 * 64 + 1e-3).all() and (steps > 0.1 * 64 - 1e-1).any()


def training_answers(config):
    """A network that corrects nothing: its training answers (steps, K, 2), and the truth, one joint of which has no label."""
    model = Feedback(config)
    for parameter in model.network[-1].parameters():
        torch.nn.init.zeros_(parameter)
    truth = torch.tensor([[[31.5 + 16, 15.5, 2.0], [torch.nan, torch.nan, 0.0]]]).expand(2, -1, -1)
    return model(torch.rand(2, 3, 64, 64), truth)[0], truth[0]


def test_in_training_the_truth_minus_the_answer_is_the_bounded_correction():
    found, truth = training_answers(CONFIG)
    # 16 pixels away, and no step is ever made: each lacks the whole bound, 0.1 of 64 pixels.
    assert torch.allclose(truth[0, 0] - found[:, 0, 0], torch.full((4,), 6.4), atol=1e-4)
    assert torch.allclose(found[:, 0, 1], truth[0, 1].expand(4), atol=1e-4)
    assert found.isfinite().all()


def test_on_the_fixed_path_steps_begin_where_bounded_corrections_lead():
    found, truth = training_answers(replace(CONFIG, fixed_path=True))
    assert torch.allclose(truth[0, 0] - found[:, 0, 0], torch.tensor([6.4, 6.4, 3.2, 0.0]), atol=1e-4)
    assert torch.allclose(found[:, 1], 31.5 + 64 * torch.tensor(START[1]).expand(4, 2), atol=1e-4)  # unlabelled: its own answers


def test_a_step_beyond_the_bound_still_has_a_gradient_in_training():
    model = Feedback(CONFIG)
    torch.nn.init.constant_(model.network[-1].bias, 50)
    model(torch.rand(2, 3, 64, 64), torch.rand(2, 2, 3) * 64)[:, :, 0, 0].sum().backward()
    assert model.network[-1].bias.grad[0] == pytest.approx(2 * 4 * 64 * 0.1, rel=1e-5)


def test_the_network_sees_where_the_pose_is():
    torch.manual_seed(0)
    other = Feedback(FeedbackConfig(2, (START[1], START[0]), steps=1, bound=0.1, features=8)).eval()
    model = Feedback(CONFIG).eval()
    model.load_state_dict(other.state_dict())
    picture = torch.zeros(1, 3, 64, 64)
    corrections = [m(picture)[0, 0] - 31.5 - 64 * torch.tensor(m.config.start) for m in (model, other)]
    assert not torch.allclose(*corrections, atol=1e-3)


def test_the_mean_pose_is_the_median_of_labelled_joints():
    keypoints = np.full((5, 2, 3), np.nan)
    keypoints[:, 0, :2] = [[31.5, 15.5], [0, 15.5], [63, 15.5], [31.5, 15.5], [31.5, 15.5]]
    keypoints[0, 1, :2] = [63.5, 63.5]
    assert mean_pose(keypoints, 64) == ((0.0, -0.25), (0.5, 0.5))
