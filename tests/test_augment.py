from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit.coordinates import transform, view
from posekit.data.augment import Augmentation, augment, eval_view
from posekit.skeleton import COCO, LSP

NOTHING = Augmentation(rotation=0, scale=0, shift=0, flip=0, colour=0, occlusion=0, upside_down=0)
GEOMETRY = replace(Augmentation(), colour=0, occlusion=0, flip=0)
S, R = 80, 64
PLACES = [(30.3, 33.8), (50.1, 30.2), (41.7, 52.4)]  # one dot a colour channel, in crop pixels


def dots(copies=1, places=PLACES, radius=2.5):
    """Crops (B, 3, S, S) with a smooth dot in each channel, and keypoints (B, 14, 3) whose first three are the dots."""
    y, x = np.mgrid[:S, :S]
    channels = [255 * np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * radius**2)) for u, v in places]
    keypoints = torch.full((14, 3), torch.nan)
    keypoints[:, 2] = 0
    for i, place in enumerate(places):
        keypoints[i] = torch.tensor([*place, 1 + i % 2])
    crops = torch.tensor(np.stack(channels).round().astype(np.uint8))
    return crops.expand(copies, 3, S, S), keypoints.expand(copies, 14, 3).contiguous()


def found(pictures):
    """Centres of brightness (B, 3, 2) of the channels."""
    y, x = torch.meshgrid(torch.arange(R), torch.arange(R), indexing="ij")
    weight = pictures.double()
    total = weight.sum((-1, -2))
    return torch.stack([(weight * x).sum((-1, -2)) / total, (weight * y).sum((-1, -2)) / total], -1)


def run(crops, keypoints, strength, seed=0, skeleton=LSP, **more):
    return augment(crops, keypoints, skeleton, R, strength, torch.Generator().manual_seed(seed), **more)


def equal(a, b):
    return torch.equal(torch.nan_to_num(a, -1e9), torch.nan_to_num(b, -1e9))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), rotation=st.floats(0, 90), scale=st.floats(0, 0.3))
def test_pixels_and_keypoints_move_together(seed, rotation, scale):
    crops, keypoints = dots(8)
    pictures, points = run(crops, keypoints, replace(GEOMETRY, rotation=rotation, scale=scale, shift=0.05), seed)
    inside = ((points[:, :3, :2] > 8) & (points[:, :3, :2] < R - 9)).all(-1)  # the whole dot is
    assert inside.any()
    assert (found(pictures) - points[:, :3, :2])[inside].abs().max() < 0.12


def test_flip_exchanges_joints_and_mirrors_pixels():
    crops, keypoints = dots()
    plain, before = run(crops, keypoints, NOTHING)
    mirrored, after = run(crops, keypoints, replace(NOTHING, flip=1.0))
    assert torch.allclose(mirrored, plain.flip(-1), atol=1e-4)
    partner = list(LSP.mirrored)
    wanted = before[:, partner].clone()
    wanted[..., 0] = R - 1 - wanted[..., 0]
    assert torch.allclose(after, wanted, atol=1e-4, equal_nan=True)
    assert (after[0, LSP.index("left ankle")[0], 2] == before[0, LSP.index("right ankle")[0], 2]).all()


def test_mirrored_twice_is_the_same():
    crops, keypoints = dots(4)
    once = run(crops.flip(-1), keypoints, NOTHING)[0]
    twice = run(crops.flip(-1), keypoints, replace(NOTHING, flip=1.0))[0]
    assert torch.allclose(twice, run(crops, keypoints, NOTHING)[0], atol=1e-4) and not torch.allclose(once, twice, atol=1e-2)
    for skeleton in (LSP, COCO):
        partner = np.array(skeleton.mirrored)
        assert (partner[partner] == np.arange(len(skeleton))).all()


def test_nothing_is_the_centre_view():
    crops, keypoints = dots(3)
    crops = torch.randint(0, 256, crops.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (pictures, points), (wanted, places) = run(crops, keypoints, NOTHING), eval_view(crops, keypoints, R)
    assert torch.allclose(pictures, wanted, atol=1e-5) and torch.allclose(points, places, atol=1e-5, equal_nan=True)
    assert wanted.min() >= 0 and wanted.max() <= 1


def test_the_centre_view_of_an_unscaled_crop_is_its_middle():
    crops = torch.randint(0, 256, (2, 3, S, S), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pictures, points = eval_view(crops, torch.tensor([[[8.0, 8, 2]], [[71.0, 71, 2]]]), R)
    assert torch.allclose(pictures, crops[..., 8:72, 8:72] / 255, atol=1e-4)
    assert torch.allclose(points, torch.tensor([[[0.0, 0, 2]], [[63.0, 63, 2]]]), atol=1e-4)
    assert np.allclose(transform(view(S, R), np.array([[8.0, 8]])), 0)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_unlabelled_stays_unlabelled(flip):
    crops, keypoints = dots(16)
    points = run(crops, keypoints, replace(Augmentation(), flip=flip))[1]
    unlabelled = points[..., 2] == 0
    assert torch.isnan(points[..., :2]).all(-1).equal(unlabelled)
    order = list(LSP.mirrored) if flip else list(range(14))
    assert unlabelled[:, np.argsort(order)][:, 3:].all()
    assert ((points[..., 2] == keypoints[:, order, 2]) | unlabelled).all()


def test_a_joint_that_leaves_the_view_becomes_unlabelled():
    crops, keypoints = dots(1, places=[(7.4, 40), (7.6, 40), (71.4, 40)])  # the view runs from 7.5 to 71.5
    points = run(crops, keypoints, NOTHING)[1][0]
    assert torch.isnan(points[0, :2]).all() and points[:3, 2].tolist() == [0, 2, 1]


@pytest.mark.parametrize("strength", [Augmentation(), NOTHING, replace(Augmentation(), upside_down=1.0)])
def test_a_share_of_a_batch_is_changed_as_within_the_whole(strength):
    crops, keypoints = dots(10)
    whole = run(crops, keypoints, strength)
    for rows in (slice(0, 4), slice(4, 10)):
        part = run(crops[rows], keypoints[rows], strength, rows=rows, total=10)
        assert torch.allclose(part[0], whole[0][rows], atol=1e-6) and equal(part[1], whole[1][rows])


def test_the_generator_decides():
    crops, keypoints = dots(6)
    first, again, other = (run(crops, keypoints, Augmentation(), seed) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0]) and equal(first[1], again[1]) and not torch.equal(first[0], other[0])
    assert not torch.equal(first[0][0], first[0][1])  # each person draws for itself


def test_colour_and_patches_leave_joints_and_range():
    crops, keypoints = dots(32)
    plain = run(crops, keypoints, NOTHING)
    pictures, points = run(crops, keypoints, replace(NOTHING, colour=0.9, occlusion=1.0))
    assert pictures.min() >= 0 and pictures.max() <= 1 and torch.isfinite(pictures).all()
    assert torch.allclose(points, plain[1], atol=1e-5, equal_nan=True)
    assert ((pictures - plain[0]).abs().amax((1, 2, 3)) > 0.05).all()


def test_rotation_turns_all_around_when_upside_down():
    crops, keypoints = dots(64)
    points = run(crops, keypoints, replace(NOTHING, upside_down=1.0))[1]
    arm = points[:, 1, :2] - points[:, 0, :2]
    angles = torch.atan2(arm[:, 1], arm[:, 0])
    assert angles[torch.isfinite(angles)].abs().max() > 2.5 and torch.isfinite(angles).any()
