"""The page's network computes what torch computes, for other networks than the page's too, and reads maps as the library does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_networks import hourglass

from posekit import heatmaps as hm
from posekit.coordinates import STRIDE, rescaling, transform
from posekit.engine import browser

NETWORK = Path(__file__).parents[2] / "book" / "_extra" / "try_it" / "network.js"
CASES = [
    {"depth": 1, "stacks": 2, "residuals": 2},
    {"depth": 2, "basic": True, "early_pool": True},
    {"depth": 2, "skips": (2,), "shortcut_kernel": 3, "normalised_heatmaps": True},
    {"depth": 1, "skips": False, "stacks": 2},
]


@pytest.fixture
def script(page):
    page.add_script_tag(path=NETWORK)
    return page


@pytest.mark.parametrize("changes", CASES, ids=lambda changes: " ".join(changes))
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_any_hourglass_is_computed(script, changes, loss):
    model, card = hourglass(**changes)
    description = browser.export(model, card) | {"loss": loss, "mean": [0.1, 0.2, 0.3]}
    size = card.resolution
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    found = script.evaluate(
        "([description, view]) => poseNetwork(description).answer({view: Uint8Array.from(view)}).heatmaps.map(map => [...map])",
        [description, picture.ravel().tolist()],
    )
    with torch.inference_mode():
        expected = model((torch.from_numpy(picture).permute(2, 0, 1) / 255 - torch.tensor([0.1, 0.2, 0.3])[:, None, None])[None])[0, -1]
    expected = hm.probabilities(expected) if loss == "cross-entropy" else expected
    np.testing.assert_allclose(found, expected.flatten(1).numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_maps_are_read_as_the_library_reads_them(script, loss):
    random, size = np.random.default_rng(1), 16
    centres = torch.from_numpy(random.uniform(-2, size + 1, (60, 2)))
    bells = hm.encode(torch.cat([centres, torch.tensor([[0.0, 0.0], [15.0, 15.0], [0.5, 7.5], [-0.5, 15.5]])]), size, 1.3)
    rough = hm.probabilities(torch.from_numpy(random.normal(0, 3, (60, size, size))))
    maps = torch.cat([bells + 1e-9 * rough[:1], rough]).float()
    model, card = hourglass(depth=1)
    description = browser.export(model, card) | {"loss": loss, "resolution": STRIDE * size}
    found = script.evaluate(
        "([description, maps]) => poseNetwork(description).keypoints(maps.map(map => Float32Array.from(map))).map(({x, y}) => [x, y])",
        [description, maps.flatten(1).tolist()],
    )
    expected = transform(rescaling(STRIDE), hm.decode_output(maps.double(), loss)[..., :2].numpy())
    np.testing.assert_allclose(found, expected, atol=1e-3)
