"""Heatmaps: what encoding promises, the error bounds that `decode` states, and mirror images."""

import doctest
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from posekit import heatmaps as hm
from posekit.skeleton import COCO, LSP, MPII

SIZE = 16
often = settings(deadline=None, max_examples=100)
inside = st.floats(-0.5, SIZE - 0.5)  # the outer edges of the first and the last cell
middle = st.floats(1, SIZE - 2)
sigmas = st.floats(0.5, 4)


def decoded(x, y, sigma, method, dtype=torch.float64, size=SIZE):
    """Error (dx, dy) of a point that went through a heatmap."""
    points = torch.tensor([[x, y]], dtype=dtype)
    return (hm.decode(hm.encode(points, size, sigma), method)[0, :2] - points[0]).abs()


def random_maps(seed, joints=17, dtype=torch.float64):
    return torch.rand(2, joints, SIZE, SIZE + 4, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_doctests():
    result = doctest.testmod(hm)
    assert result.attempted and not result.failed


def test_gaussian_has_its_heights_at_known_distances():
    maps = hm.encode(torch.tensor([[3.0, 5.0]]), 8, sigma=2.0)[0]
    assert maps[5, 3] == 1
    assert maps[5, 5] == pytest.approx(math.exp(-0.5))  # one sigma to the right
    assert maps[7, 1] == pytest.approx(math.exp(-1.0))  # one sigma left and one down


def test_a_joint_without_coordinates_gives_zeros():
    maps = hm.encode(torch.tensor([[torch.nan, torch.nan, 0.0], [1.0, 1.0, 2.0]]), 4)
    assert not maps[0].any() and maps[1].max() == 1


def test_centres_are_not_rounded():
    assert hm.encode(torch.tensor([[1.5, 1.0]]), 4)[0, 1].tolist() == pytest.approx([math.exp(-((1.5 - x) ** 2) / 2) for x in range(4)])


@often
@given(inside, inside, sigmas)
def test_argmax_is_within_half_a_pixel(x, y, sigma):
    assert decoded(x, y, sigma, "argmax").max() <= 0.5 + 1e-9  # two cells that are as near but for rounding tie


@often
@given(middle, middle, sigmas)
def test_quarter_is_within_a_quarter(x, y, sigma):
    assert decoded(x, y, sigma, "quarter").max() <= 0.25 + 1e-9


@often
@given(inside, inside, sigmas)
def test_quarter_at_the_border_is_within_half(x, y, sigma):
    assert decoded(x, y, sigma, "quarter").max() <= 0.5 + 1e-9


@often
@given(inside, inside, sigmas)
def test_dark_is_exact_borders_included(x, y, sigma):
    assert decoded(x, y, sigma, "dark").max() < 1e-9


@often
@given(st.floats(-0.5, SIZE - 0.5, width=32), st.floats(-0.5, SIZE - 0.5, width=32), sigmas)
def test_dark_is_exact_up_to_rounding_in_single_precision(x, y, sigma):
    assert decoded(x, y, sigma, "dark", torch.float32).max() < 1e-4


def zhangs(maps, kernel=11):
    """Keypoints (N, 2) of maps (N, H, W) by DARK as it is published, after mmpose's `refine_keypoints_dark`: the highest cell, and a step
    on the log of the map blurred by the target's own width, its derivatives over two cells."""
    sigma = 0.3 * ((kernel - 1) / 2 - 1) + 0.8  # OpenCV's for a kernel
    weights = np.exp(-((np.arange(kernel) - kernel // 2) ** 2) / (2 * sigma**2))
    found = []
    for one in maps.numpy():
        y, x = divmod(int(one.argmax()), one.shape[1])
        log = correlate1d(correlate1d(one, weights / weights.sum(), 0, mode="constant"), weights / weights.sum(), 1, mode="constant")
        log = np.log(log.clip(1e-10))
        gradient = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
        across = (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]) / 4
        dxx, dyy = ((log[there] - 2 * log[y, x] + log[back]) / 4 for there, back in (((y, x + 2), (y, x - 2)), ((y + 2, x), (y - 2, x))))
        found.append(np.array([x, y]) - np.linalg.solve([[dxx, across], [across, dyy]], gradient))
    return np.array(found)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05, 0.1])
def test_dark_of_a_smoothed_map_is_that_of_zhang_and_others(noise):
    """And without the smoothing, which `decode` leaves to its caller, noise costs as much more as its docstring says."""
    random = torch.Generator().manual_seed(0)
    places = 8 + 31 * torch.rand(300, 1, 2, generator=random, dtype=torch.float64)
    maps = hm.encode(places, 48, 2.0) + noise * torch.randn(300, 1, 48, 48, generator=random, dtype=torch.float64)
    smoothed, raw = (hm.decode(each)[:, 0, :2].numpy() for each in (hm.smooth(maps, 2.0), maps))
    theirs, truth = zhangs(maps[:, 0]), places[:, 0].numpy()
    errors = {name: np.linalg.norm(found - truth, axis=1).mean() for name, found in (("ours", smoothed), ("theirs", theirs), ("raw", raw))}
    assert np.linalg.norm(smoothed - theirs, axis=1).mean() <= 0.01 + 0.3 * noise
    assert errors["ours"] == pytest.approx(errors["theirs"], abs=0.005) and errors["ours"] <= 1.1 * noise + 0.001
    if noise == 0.1:
        assert errors["raw"] > 4 * errors["ours"]


@often
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.75, 3.5))
def test_soft_argmax_is_within_a_hundredth_four_sigmas_inside(u, v, sigma):
    low, high = 4 * sigma, 31 - 4 * sigma
    error = decoded(low + u * (high - low), low + v * (high - low), sigma, "soft-argmax", size=32)
    assert error.max() < 0.01


@pytest.mark.parametrize("background", [-0.1, -0.01, 0.0, 0.01, 0.05])
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("height", [0.2, 1.0, 3.0])
def test_raw_maps_are_read_by_soft_argmax_whatever_their_background_and_noise(background, noise, height):
    random = torch.Generator().manual_seed(0)
    places = 8 + 48 * torch.rand(300, 1, 2, generator=random)
    raw = hm.encode(places, 64) + background + noise * torch.randn(300, 1, 64, 64, generator=random)
    found = hm.decode_output(height * raw, "mse", "soft-argmax")
    error = (found[..., :2] - places).norm(dim=-1)
    assert error.max() < (0.1 if noise == 0 else 0.5) and error.mean() < 0.1
    assert torch.equal(found[..., 2], (height * raw).amax((-2, -1)))


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_raw_maps_without_a_peak_are_read_as_a_place_in_them(value):
    found = hm.decode_output(torch.full((1, 1, 8, 8), value), "mse", "soft-argmax")[0, 0, :2]
    assert ((found >= 0) & (found <= 7)).all()


def test_soft_argmax_of_negative_cells_is_refused():
    with pytest.raises(ValueError, match="without negative cells"):
        hm.decode(torch.full((1, 1, 8, 8), -0.01), "soft-argmax")


def test_height_is_the_third_column():
    maps = random_maps(0)
    for method in hm.DECODERS:
        assert torch.equal(hm.decode(maps, method)[..., 2], maps.amax((-2, -1)))


@pytest.mark.parametrize("method", hm.DECODERS)
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.uint8, torch.int32])
def test_maps_in_other_kinds_of_number_are_read_as_floats(method, kind):
    maps = (200 * hm.encode(torch.tensor([[70.3, 33.6], [80.8, 91.2]]), 96, 2.0)).to(kind)
    assert torch.equal(hm.decode(maps, method), hm.decode(maps.float(), method))


@pytest.mark.parametrize("method", hm.DECODERS)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_maps_without_a_peak_decode_to_a_place_in_them(method, value):
    found = hm.decode(torch.full((1, 1, 8, 8), value), method)[0, 0, :2]
    assert ((found >= 0) & (found <= 7)).all()


@often
@given(st.integers(0, 2**32))
def test_dark_moves_at_most_a_pixel_and_stays_in_the_map(seed):
    maps = random_maps(seed)
    rough, fine = hm.decode(maps, "argmax"), hm.decode(maps, "dark")
    assert (rough - fine).abs().max() <= 1
    assert (fine[..., :2] >= -0.5).all() and (fine[..., 0] <= SIZE + 3.5).all() and (fine[..., 1] <= SIZE - 0.5).all()


@pytest.mark.parametrize("skeleton", [COCO, LSP, MPII], ids=lambda s: s.name)
@pytest.mark.parametrize("method", hm.DECODERS)
def test_decoding_a_mirror_image_is_mirroring_what_was_decoded(skeleton, method):
    for seed in range(5):
        maps = random_maps(seed, len(skeleton))
        plain, mirrored = hm.decode(maps, method), hm.decode(hm.mirror(maps, skeleton.mirrored), method)
        expected = plain[:, list(skeleton.mirrored)]
        expected[..., 0] = maps.shape[-1] - 1 - expected[..., 0]
        assert (mirrored - expected).abs().max() < 1e-6


@pytest.mark.parametrize("skeleton", [COCO, LSP, MPII], ids=lambda s: s.name)
def test_mirroring_twice_is_nothing(skeleton):
    maps = random_maps(1, len(skeleton))
    assert torch.equal(hm.mirror(hm.mirror(maps, skeleton.mirrored), skeleton.mirrored), maps)


def test_probabilities_sum_to_one_and_entropy_spans_zero_to_one():
    chances = hm.probabilities(random_maps(2) * 20)
    assert torch.allclose(chances.sum((-2, -1)), torch.ones(2, 17, dtype=torch.float64))
    one_cell = torch.zeros(8, 8)
    one_cell[3, 4] = 1
    assert hm.entropy(one_cell) == 0
    assert hm.entropy(torch.full((8, 8), 1 / 64)) == pytest.approx(1)


def test_softmax_of_the_logarithm_decodes_alike():
    points = torch.tensor([[3.3, 7.8], [11.2, 4.6]], dtype=torch.float64)
    maps = hm.probabilities(hm.encode(points, SIZE).log())
    assert (hm.decode(maps)[:, :2] - points).abs().max() < 1e-9


def test_an_unknown_decoder_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no decoder 'taylor'; there are argmax, quarter, dark"):
        hm.decode(torch.zeros(1, 1, 8, 8), "taylor")


def test_smoothing_widens_a_gaussian_and_leaves_its_centre():
    from posekit.heatmaps import decode, encode, smooth

    keypoints = torch.tensor([[13.3, 17.8], [16.0, 14.5]], dtype=torch.float64)
    blurred = smooth(encode(keypoints, 32, sigma=1.5), 1.0)
    wide = encode(keypoints, 32, sigma=(1.5**2 + 1.0) ** 0.5)
    assert torch.allclose(blurred / blurred.amax((-2, -1), keepdim=True), wide / wide.amax((-2, -1), keepdim=True), atol=0.02)
    assert torch.allclose(decode(blurred)[..., :2], keypoints, atol=0.02)
    assert torch.allclose(smooth(torch.ones(1, 9, 9, dtype=torch.float64), 1.0)[0, 4, 4], torch.tensor(1.0, dtype=torch.float64))
