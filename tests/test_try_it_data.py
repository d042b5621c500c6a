"""The data of the page Try it: what it says of people is what the library says of them, and it is made once."""

import base64
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import posekit
from posekit import Hourglass, HourglassConfig
from posekit.engine import weights
from posekit.engine.backend import Backend
from posekit.engine.weights import Card
from posekit.interpret.activations import ablation
from posekit.workflow.pages import try_it

PEOPLE = "mannequins:60,size=32"


def numbers(text):
    return np.frombuffer(base64.b64decode(text), "<f2").astype(float)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small network's file, and the page's data of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("made"))
        torch.manual_seed(0)
        model = Hourglass(HourglassConfig.narrow(12, joints=14, depth=2)).eval()
        weights.save("small.safetensors", model, Card("small", model.config.to_dict(), "lsp", 32, "cross-entropy"), half=True)
        yield "small.safetensors", try_it.data("small.safetensors", PEOPLE, gallery=4)


def test_the_data_are_plain_and_whole(made):
    _, found = made
    text = try_it.as_script(found)
    assert json.loads(text.removeprefix("tryIt = ")) == found
    assert len(found["people"]) == 4 and found["count"] == 54
    assert all(person["picture"].startswith("data:image/webp;base64,") and person["view"][2] > 0 for person in found["people"])
    joints = found["network"]["joints"]
    assert len(joints) == len(found["radii"]) == len(found["colours"]) == 14
    assert all(0 < radius < 100 for radius in found["radii"])


def test_means_and_walks_are_those_of_the_library(made):
    path, found = made
    network = posekit.load(path, "cpu")
    crops = posekit.crops(posekit.load_people(PEOPLE), 40)
    known = crops.select(crops.people.splits != "test")
    means = ablation.means(network.model, network.card, known, found["means"], backend=Backend.plain())
    for place, mean in means.items():
        ours = numbers(found["means"][place]).reshape(*mean.shape[1:], -1).transpose(2, 0, 1)
        np.testing.assert_allclose(ours, mean.numpy(), atol=2e-3, rtol=2e-3)
    names = [walk["name"] for walk in found["walks"]]
    assert names == [f"component {i + 1}" for i in range(8)] + [f"probe: {name}" for name in try_it.ATTRIBUTES]
    steps = np.array([numbers(walk["step"]) for walk in found["walks"]])
    lengths = np.linalg.norm(steps[:8], axis=1)
    assert (np.diff(lengths) <= 1e-3).all()  # components come by falling variance
    across = steps[:8] / lengths[:, None]
    np.testing.assert_allclose(across @ across.T, np.eye(8), atol=0.01)


@given(st.integers(0, 10_000), st.integers(try_it.LEAST, 300))
def test_circles_hold_the_share_that_they_promise(seed, people):
    """Of the people whom the circles were measured on, and of others to within chance."""
    random = np.random.default_rng(seed)
    ratios = random.gamma(2, 1, (2 * people, 2))
    ratios[:people, 1][try_it.LEAST // 2 :] = np.nan  # too few are labelled: that joint takes the quantile of all
    radii = np.array(try_it._radii(ratios[:people]))
    held = ratios[:people, 0] <= radii[0]
    assert try_it.COVERED <= held.mean() <= try_it.COVERED + 2 / people
    others = (ratios[people:] <= radii).mean(0)
    assert (others > 0.8 - 6 * np.sqrt(0.32 / people)).all()


def test_the_data_are_made_once(tmp_path, monkeypatch):
    for folder in ("notebooks", "presets"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    made = []
    monkeypatch.setattr(try_it, "data", lambda *_: made.append(1) or {"people": []})
    monkeypatch.setattr(try_it, "still", lambda *_: try_it.Image.new("RGB", (4, 4)))
    for name in ("one", "two"):
        try_it.lay(tmp_path / name)
        assert (tmp_path / name / "_extra" / "try_it" / "data.js").read_text() == 'tryIt = {"people": []}\n'
        assert (tmp_path / name / "figures" / "try_it" / "still.png").is_file()
    assert made == [1]
    monkeypatch.setattr(try_it, "WEIGHTS", "lspet-64px-hg2")
    try_it.lay(tmp_path / "three")
    assert len(made) == 2 and len(list((tmp_path / "build").iterdir())) == 2  # the old ones are gone


def test_the_still_shows_each_person_above_the_heatmaps(made):
    path, found = made
    assert try_it.still(path, found["people"][:3]).size == (3 * 256, 2 * 256)
