"""The cascade: where its sub-images are cut, what its later stages begin with, and that they learn."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from posekit.models.deeppose import DeepPose, DeepPoseConfig, simulated

CONFIG = DeepPoseConfig(joints=3, stages=3, features=8, window=0.5, pixels=16)


def test_a_sub_image_is_the_part_of_the_picture_around_its_joint():
    """At the picture's own scale and a whole number of pixels away, it is a slice of the picture, black outside."""
    picture = torch.rand(2, 3, 32, 32)
    centres = torch.tensor([[[0.0, 0.0], [-0.25, 0.125], [0.5, 0.0]]]).expand(2, -1, -1)  # from the middle, of the side
    cut = DeepPose(CONFIG)._windows(picture, centres).unflatten(0, (2, 3))
    assert cut.shape == (2, 3, 3, 16, 16)
    assert torch.allclose(cut[:, 0], picture[:, :, 8:24, 8:24], atol=1e-5)
    assert torch.allclose(cut[:, 1], picture[:, :, 12:28, 0:16], atol=1e-5)
    assert torch.allclose(cut[:, 2, :, :, :8], picture[:, :, 8:24, 24:], atol=1e-5)
    assert not cut[:, 2, :, :, 8:].abs().max() > 1e-5


@given(st.integers(1, 6), st.integers(0, 1000))
def test_simulated_answers_are_as_far_off_as_the_answers(people, seed):
    generator = torch.Generator().manual_seed(seed)
    answer, truth = (torch.randn(people, 4, 2, generator=generator) for _ in range(2))
    start = simulated(answer, truth)
    # The displacements of a joint are those of the answers, with the people in another order.
    assert torch.allclose((start - truth).sort(0).values, (answer - truth).sort(0).values, atol=1e-5)


def test_a_joint_without_a_label_begins_at_the_answer():
    answer, truth = torch.rand(3, 4, 2), torch.rand(3, 4, 2)
    truth[1, 2] = torch.nan
    start = simulated(answer, truth)
    assert start.isfinite().all()
    assert torch.equal(start[1, 2], answer[1, 2]) and torch.equal(start[0, 2], answer[0, 2])
    assert not torch.equal(start[2, 2], answer[2, 2])


def test_a_stage_changes_no_more_than_it_answers():
    """With its last layer at zero, a later stage leaves the answer of the one before."""
    model = DeepPose(CONFIG).eval()
    for stage in model.stages:
        torch.nn.init.zeros_(stage[-1].weight)
        torch.nn.init.zeros_(stage[-1].bias)
    poses = model(torch.rand(2, 3, 32, 32))
    assert poses.shape == (2, 3, 3, 2)
    assert torch.allclose(poses[:, 0], poses[:, 1]) and torch.allclose(poses[:, 0], poses[:, 2])


def test_stages_are_trained_apart():
    """The second stage's error reaches the second stage alone."""
    model = DeepPose(CONFIG)
    model(torch.rand(4, 3, 32, 32), torch.rand(4, 3, 3) * 32)[:, 1].sum().backward()
    reached = [any(p.grad.any() for p in part.parameters()) for part in (model.whole, *model.stages)]
    assert reached == [False, True, False]


def test_a_later_stage_mends_what_the_first_got_wrong():
    """Bright dots that the first stage, held fixed at the middle, misses: a second stage is taught to find them."""
    torch.manual_seed(0)
    config = DeepPoseConfig(joints=1, stages=2, features=8, window=1.0, pixels=32)
    model = DeepPose(config)
    for parameter in model.whole[-1].parameters():
        torch.nn.init.zeros_(parameter)
    grid = torch.arange(32.0)
    optimiser = torch.optim.Adam(model.stages.parameters(), 3e-3)
    for _ in range(60):
        place = torch.rand(32, 1, 2) * 16 + 8
        dots = torch.exp(-((grid - place[..., 0:1]) ** 2)[:, :, None] / 8 - ((grid - place[..., 1:2]) ** 2)[:, :, :, None] / 8)
        found = model(dots.expand(-1, 3, -1, -1), torch.cat([place, place[..., :1]], -1))
        loss = (found[:, 1] - place).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    first, second = ((found[:, stage] - place).norm(dim=-1).mean().item() for stage in (0, 1))
    assert second < 0.5 * first
