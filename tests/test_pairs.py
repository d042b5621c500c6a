"""Counterfactual pairs: what differs is what was said, pixel by pixel, and pairs that differ in more are refused by name."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from posekit import PosekitError
from posekit.data.mannequins import COUNTERFACTUALS, KEYPOINTS, PARTS, counterfactuals
from posekit.data.mannequins import pairs as p
from posekit.data.mannequins.rendering import scene_silhouettes
from posekit.data.mannequins.scenes import draw_staging

SIZE, COUNT = 64, 3
PARTS_OF = {  # that a factor changes; of the others, the whole person
    "left arm": [PARTS.index(f"left {part}") for part in ("upper arm", "forearm", "hand")],
    "right arm": [PARTS.index(f"right {part}") for part in ("upper arm", "forearm", "hand")],
}
JOINTS_OF = {  # that may move
    "left arm": ["left shoulder", "left elbow", "left wrist"],
    "right arm": ["right shoulder", "right elbow", "right wrist"],
    "trunk lean": [*KEYPOINTS[:11]],
    "light": [], "clothing": [], "occluder": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return {factor: counterfactuals(factor, COUNT, seed=5, size=SIZE) for factor in COUNTERFACTUALS}


@pytest.mark.parametrize("factor", COUNTERFACTUALS)
def test_a_pair_differs_in_its_factor_alone(found, factor):
    pairs = found[factor]
    assert len(pairs) == COUNT and pairs.factor == factor
    assert [p.differences(*pair) for pair in pairs.stagings] == [[factor]] * COUNT
    assert all(not np.array_equal(a, b) for a, b in zip(pairs.a, pairs.b, strict=True))
    staying = [k for k, name in enumerate(KEYPOINTS) if name not in JOINTS_OF.get(factor, KEYPOINTS)]
    np.testing.assert_allclose(pairs.keypoints_a[:, staying, :2], pairs.keypoints_b[:, staying, :2], atol=1e-4)


@pytest.mark.parametrize("factor", [name for name in COUNTERFACTUALS if name not in ("light", "occluder")])
def test_pixels_outside_of_what_changed_are_equal(found, factor):
    """Outside the silhouettes of the changed parts in either picture, and the reach of the blur (at most 0.7 % of the side, cut at two)."""
    pairs = found[factor]
    for a, b, stagings in zip(pairs.a, pairs.b, pairs.stagings, strict=True):
        parts = PARTS_OF.get(factor, list(range(1, len(PARTS))))
        region = np.isin(scene_silhouettes(stagings[0].scene(), SIZE), parts) | np.isin(scene_silhouettes(stagings[1].scene(), SIZE), parts)
        region = binary_dilation(region, np.ones((3, 3)), iterations=3)
        assert region.mean() < 0.6, "the region is not the whole picture"
        np.testing.assert_array_equal(a[~region], b[~region])


def test_an_occluder_changes_one_patch_of_the_picture(found):
    for a, b in zip(found["occluder"].a, found["occluder"].b, strict=True):
        rows, columns = np.nonzero((a != b).any(-1))
        assert max(np.ptp(rows), np.ptp(columns)) < SIZE / 2


def test_light_changes_no_outline(found):
    for a, b in found["light"].stagings:
        np.testing.assert_array_equal(scene_silhouettes(a.scene(), SIZE), scene_silhouettes(b.scene(), SIZE))


def test_exchanged_sides_put_each_joint_where_its_counterpart_was(found):
    pairs = found["sides"]
    apart = np.linalg.norm(pairs.keypoints_b[:, p._SWAP, :2] - pairs.keypoints_a[..., :2], axis=-1)
    straight = np.linalg.norm(pairs.keypoints_b[..., :2] - pairs.keypoints_a[..., :2], axis=-1)
    assert apart.mean() < straight.mean() / 2 and apart.mean() < p.ALIKE * SIZE
    for a, _ in pairs.stagings:
        assert p.differences(a, p.exchange(p.exchange(a))) == []


def test_pairs_of_one_seed_are_the_same_and_nobody_was_in_a_store():
    one, again = (counterfactuals("left arm", 2, seed=1, size=32) for _ in range(2))
    np.testing.assert_array_equal(one.b, again.b)
    assert not np.array_equal(one.a, counterfactuals("left arm", 2, seed=2, size=32).a)
    assert p.FIRST > 10**6


@pytest.mark.parametrize("factor", COUNTERFACTUALS)
@pytest.mark.parametrize("other", ["light", "left arm", "sides", "camera", "backdrop"])
def test_a_pair_that_differs_in_more_is_refused_by_name(found, factor, other):
    if other == factor:
        pytest.skip("the same")
    a, b = found[factor].stagings[0]
    if other == "camera":
        b = replace(b, camera=replace(b.camera, focal=b.camera.focal * 1.1))
    elif other == "backdrop":
        b = replace(b, backdrop=b.backdrop + 1)
    else:
        b = p._CHANGES[other](b, np.random.default_rng(0))
    with pytest.raises(PosekitError, match=rf"pair 0: differs in .*; a pair of this set differs in {factor}") as error:
        p.rendered(factor, [(a, b)], 16)
    named = str(error.value).partition(";")[0]
    assert other in named and " and " in named


def test_what_is_no_pair_is_refused(found):
    a, _ = draw_staging(3)
    with pytest.raises(PosekitError, match="pair 0: does not differ; a pair of this set differs in size"):
        p.rendered("size", [(a, a)])
    with pytest.raises(PosekitError, match="differs in left arm; a pair of this set differs in size"):
        p.rendered("size", [found["left arm"].stagings[0]])
    with pytest.raises(PosekitError, match="no factor 'hair'; pairs can differ in left arm, right arm"):
        counterfactuals("hair", 1)
    with pytest.raises(PosekitError, match="n is 0; it must be a whole number from 1"):
        counterfactuals("light", 0)
    with pytest.raises(PosekitError, match="there is no pair"):
        p.rendered("light", [])
