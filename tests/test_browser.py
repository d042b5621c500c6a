"""What a browser is given of a network computes the network's heatmaps: here, by an interpreter of a few lines."""

import base64

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_networks import hourglass
from torch import nn

from posekit import PosekitError
from posekit.engine import browser
from posekit.engine.weights import load


def computed(description, pictures, edits=()):
    """The outputs of a description for pictures (B, 3, R, R); `edits` are functions by place."""
    kernels = torch.from_numpy(np.frombuffer(base64.b64decode(description["kernels"]), "<f2").astype(np.float32))
    constants = torch.from_numpy(np.frombuffer(base64.b64decode(description["constants"]), "<f4").copy())
    names = {number: place for place, number in description["places"].items()}
    results = []
    for number, step in enumerate(description["operations"]):
        x, *more = [results[i] for i in step["of"]] or [pictures - torch.tensor(description["mean"])[:, None, None]]
        if step["op"] == "conv":
            k, count = step["kernel"], step["outputs"]
            weights = kernels[step["weights"] :][: count * k * k * x.shape[1]].view(count, k, k, -1).permute(0, 3, 1, 2)
            x = F.conv2d(x, weights, stride=step["stride"], padding=step["padding"])
        for key, change in (("scale", torch.mul), ("shift", torch.add)):
            if step.get(key) is not None:
                x = change(x, constants[step[key] :][: x.shape[1]][:, None, None])
        x = x.relu() if step.get("relu") else x
        plain = {"pool": lambda x: F.max_pool2d(x, 2), "upsample": lambda x: F.interpolate(x, scale_factor=2), "add": torch.add}
        x = plain[step["op"]](x, *more) if step["op"] in plain else x
        results.append(dict(edits).get(names.get(number), lambda x: x)(x))
    return torch.stack([results[i] for i in description["outputs"]], 1)


CONFIGS = st.fixed_dictionaries({
    "stacks": st.integers(1, 2), "depth": st.integers(1, 2), "residuals": st.integers(1, 2), "bottleneck_residuals": st.integers(1, 2),
    "shortcut_kernel": st.sampled_from([1, 3]), "skips": st.sampled_from([True, False, (1,)]), "basic": st.booleans(),
    "normalised_heatmaps": st.booleans(), "early_pool": st.booleans(), "code_noise": st.sampled_from([0.0, 0.1]),
})  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(CONFIGS, st.integers(0, 99))
def test_any_hourglass_is_described(changes, seed):
    model, card = hourglass(seed, **changes)
    description = browser.export(model, card)
    pictures = torch.rand(2, 3, card.resolution, card.resolution)
    with torch.inference_mode():
        torch.testing.assert_close(computed(description, pictures), model(pictures), rtol=1e-3, atol=1e-4)


def test_places_are_those_of_edits():
    import posekit

    model, card = hourglass(stacks=2, depth=2, residuals=2)
    description = browser.export(model, card)
    assert set(description["places"]) == {f"stack{i}.{name}" for i in (0, 1) for name in ("skip1", "skip2", "bottleneck1")}
    pictures = torch.rand(2, 3, card.resolution, card.resolution)
    seen = []
    for place in description["places"]:
        with torch.inference_mode(), posekit.edit(model, {place: lambda x, name: 0.5 * x + 1}):
            expected = model(pictures)
        torch.testing.assert_close(computed(description, pictures, {place: lambda x: 0.5 * x + 1}), expected, rtol=1e-3, atol=1e-4)
        seen.append(expected)
    assert all(not torch.allclose(a, b) for i, a in enumerate(seen) for b in seen[:i])


def test_shipped_kernels_are_kept_exactly():
    model, card = load("lspet-64px-hg1")
    description = browser.export(model, card)
    kernels = np.frombuffer(base64.b64decode(description["kernels"]), "<f2")
    first = model.stem.conv.weight.detach().permute(0, 2, 3, 1).numpy().ravel()
    assert np.array_equal(kernels[: first.size].astype(np.float32), first)
    assert len(kernels) == sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Conv2d))
    assert len(description["kernels"]) + len(description["constants"]) < 1_500_000


def test_what_a_browser_does_not_compute_is_refused():
    model, card = hourglass(squeeze="linear", dimensions=3, code_side=1)
    with pytest.raises(PosekitError, match=r"small: a squeeze of linear is not computed in the browser"):
        browser.export(model, card)
    model, card = hourglass()
    model.stem.residual1.relu1 = nn.GELU()
    with pytest.raises(PosekitError, match=r"small: GELU\(.*\) is not computed in the browser"):
        browser.export(model, card)
    with pytest.raises(PosekitError, match="give a plain hourglass"):
        browser.export(nn.Conv2d(3, 3, 1), card)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_a_weight_that_float16_does_not_hold_is_refused(value):
    model, card = hourglass()
    model.stem.conv.weight.data[0, 0, 0, 0] = value
    with pytest.raises(PosekitError, match="small: a weight is not finite, or beyond what float16 holds"):
        browser.export(model, card)
