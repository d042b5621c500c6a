"""The code of a network in a few numbers: each is that of the function which a chapter computes it with."""

import numpy as np
import pytest
import torch

from posekit import Backend, HourglassConfig, crops, load_people
from posekit.data.people import People
from posekit.engine.weights import Card
from posekit.interpret.activations.codes import code_hook_point, collect
from posekit.interpret.activations.portrait import READ, portrait
from posekit.interpret.analysis import probes
from posekit.interpret.analysis.attributes import attributes, usable
from posekit.models.hourglass import Hourglass


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    people: People = load_people("mannequins:140,size=48@all", cache=cache)
    return crops(people, 40, cache)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    config = HourglassConfig.narrow(8, joints=17, depth=2)
    card = Card(
        name="tiny", config=config.to_dict(), skeleton="coco", resolution=32, loss="cross-entropy", data="made", recipe={}, metrics={}
    )
    return Hourglass(config).eval(), card


def test_a_portrait_is_of_the_last_code(network, seen):
    model, card = network
    values, _ = usable(attributes(seen.people.keypoints, seen.people.skeleton, seen.people.boxes))
    probed = ["upright", "sitting"]
    found = portrait(model, card, seen, values, probed, backend=Backend.plain())
    codes = collect(model, card, seen, code_hook_point(model), backend=Backend.plain())
    assert found["numbers"] == codes.shape[1] and 1 <= found["components95"] <= codes.shape[1]
    spread = np.linalg.eigvalsh(np.cov(codes.T))[::-1]
    assert found["components95"] == 1 + int(np.searchsorted(np.cumsum(spread) / spread.sum(), 0.95))
    np.testing.assert_allclose(found["spectrum"][:3], (spread / spread.sum())[:3], rtol=1e-3)
    assert set(found["walks"]) == {"intact", "mean"} and {walk["attribute"] for walk in found["walks"].values()} == {"upright"}
    centred = codes - codes.mean(0)
    scores = (centred @ np.linalg.svd(centred, full_matrices=False)[2].T)[:, :READ]
    expected = probes.probe("sitting", scores, values["sitting"], permutations=0)
    assert found["probes"]["sitting"]["mean"] == pytest.approx(expected.r2, abs=0.02)


def test_without_an_attribute_nothing_is_probed_or_walked(network, seen):
    model, card = network
    found = portrait(model, card, seen, {}, [], backend=Backend.plain())
    assert found["probes"] == found["walks"] == {} and found["silhouette"]["low"] <= found["silhouette"]["mean"]
    few = seen.select(np.arange(36))
    values = {"upright": (np.arange(36) % 2).astype(float)}
    assert portrait(model, card, few, values, ["upright"], backend=Backend.plain())["walks"] == {}, "27 are too few to fit a direction by"
