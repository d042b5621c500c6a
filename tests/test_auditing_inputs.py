"""What a network's maps say of a label is read where the label lies, whatever the shape of its input and the alignment of its cells."""

import numpy as np
import pytest
from test_adapters import Sampled

import posekit
from posekit import PosekitError, adapt
from posekit.auditing import evidence
from posekit.data.people import People
from posekit.skeleton import COCO

PLAIN = posekit.Backend.plain()


class Everywhere(Sampled):
    """All joints at the red spot."""

    def forward(self, pictures):
        return super().forward(pictures).repeat(1, 17, 1, 1)


def picture(name: str) -> np.ndarray:
    x, y = map(float, name.split())
    grid = np.mgrid[:240, :240]
    red = np.exp(-((grid[1] - x) ** 2 + (grid[0] - y) ** 2) / (2 * 14.0**2))
    return np.stack([255 * red, 0 * red, 0 * red], -1).round().astype(np.uint8)


def people(count: int = 6) -> People:
    spots = np.random.default_rng(0).uniform(80, 160, (count, 2)).round(1)
    keypoints = np.concatenate([np.repeat(spots[:, None], 17, 1), np.full((count, 17, 1), 2.0)], -1)
    return People(
        COCO, np.array([f"{x} {y}" for x, y in spots]), np.tile([59.5, 59.5, 120.0, 120.0], (count, 1)), keypoints, np.arange(count),
        np.full(count, "test"), picture, "spots",
    )  # fmt: skip


@pytest.mark.parametrize("size", [(64, 64), (64, 48), (48, 64)])
@pytest.mark.parametrize("alignment", ["centres", "msra", "udp"])
def test_a_label_is_likeliest_where_the_joint_is(alignment, size, tmp_path):
    network = adapt(Everywhere(alignment), "coco", size, alignment=alignment, report=None, backend=PLAIN)
    crops = posekit.crops(people(), 80, tmp_path, aspect=network.card.aspect)
    cell = network.card.stride / np.linalg.norm((posekit.coordinates.view(80, 64) @ crops.matrices)[0, :2, 0])
    shifts = [(dx * cell, dy * cell) for dx in (-0.6, 0, 0.6) for dy in (-0.6, 0, 0.6)]
    sets = []
    for shift in shifts:
        moved = crops.people.keypoints.copy()
        moved[..., :2] += shift
        sets.append(moved)
    found = evidence.of_network(network, crops, sets, flip=False)
    own = found.likelihoods[..., evidence.OWN].mean((1, 2))
    assert own.argmax() == 4, "the label as it is, among its neighbours six tenths of a cell away"
    assert np.allclose(found.predicted[..., :2], crops.people.keypoints[..., :2], atol=0.2 * cell)
    # Labels to the left and right are as likely as each other, and so are those above and below.
    spread = own.max() - own.min()
    assert abs(own[1] - own[7]) < 0.35 * spread and abs(own[3] - own[5]) < 0.35 * spread


def test_crops_of_another_shape_are_refused(tmp_path):
    network = adapt(Everywhere("centres"), "coco", (64, 48), report=None, backend=PLAIN)
    with pytest.raises(PosekitError, match=r"cut for an input whose width is 1 of its height"):
        evidence.of_network(network, posekit.crops(people(), 80, tmp_path), [people().keypoints])


def test_networks_of_several_shapes_audit_together(tmp_path):
    networks = [adapt(Everywhere("msra"), "coco", size, alignment="msra", name=str(size), report=None, backend=PLAIN)
                for size in ((64, 48), 64)]  # fmt: skip
    found = posekit.audit(people(40), networks, cache=tmp_path)
    assert np.allclose(found.opinions[0].predicted[..., :2], found.people.keypoints[..., :2], atol=3)
