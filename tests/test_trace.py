"""Hooks that read and replace activations: what they see, what they change, and that none remains."""

import numpy as np
import pytest
import torch
from torch import nn

from posekit import HourglassConfig, PosekitError, edit, trace
from posekit.hooks import hook_points
from posekit.interpret.activations.codes import code_hook_point
from posekit.models.hourglass import Hourglass

CONFIG = HourglassConfig.narrow(16, joints=5, depth=2, stacks=2, bottleneck_residuals=2)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Hourglass(CONFIG).eval()


@pytest.fixture(scope="module")
def pictures():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


class Doubler(nn.Module):
    """y = 2 (3 x + 1), with a name for what is within the brackets."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Conv2d(1, 1, 1)
        nn.init.constant_(self.inner.weight, 3.0)
        nn.init.constant_(self.inner.bias, 1.0)

    def forward(self, x):
        return 2 * self.inner(x)


def test_places_are_in_the_order_of_computation_and_run_once(model, pictures):
    called = []
    with edit(model, dict.fromkeys(hook_points(model), lambda _, name: called.append(name))):
        model(pictures)
    assert sorted(called) == sorted(hook_points(model))
    assert called[0] == "stem" and called[-1] == "stack1.heatmaps"
    assert {"stack0.skip1", "stack0.sum2", "stack0.bottleneck2", "stack0.merge", "stack1.features"} <= set(called)
    assert "stack1.merge" not in called and not any("pool" in name for name in called)


def test_reading_changes_no_bit_and_sees_every_place(model, pictures):
    plain = model(pictures)
    with trace(model, hook_points(model)) as activations:
        traced = model(pictures)
    assert torch.equal(traced, plain)
    assert set(activations) == set(hook_points(model))
    assert activations["stem"].shape == (2, 16, 8, 8) and activations["stack1.bottleneck2"].shape == (2, 16, 2, 2)
    assert torch.equal(activations["stack1.heatmaps"], plain[:, 1])
    assert activations["stem"].requires_grad  # attributions need the gradient's way


def test_an_edit_in_closed_form():
    x = torch.rand(2, 1, 3, 3)
    model = Doubler()
    with edit(model, {"inner": lambda y, name: torch.zeros_like(y)}):
        assert torch.equal(model(x), torch.zeros_like(x))
    with edit(model, {"inner": lambda y, name: y + 5}):
        assert torch.allclose(model(x), 2 * (3 * x + 1 + 5))
    assert torch.allclose(model(x), 2 * (3 * x + 1))


def test_nested_edits_and_traces_follow_the_order_of_the_statements():
    x, model = torch.rand(1, 1, 2, 2), Doubler()
    inner = 3 * x + 1
    with (
        trace(model, "inner") as before,
        edit(model, {"inner": lambda y, name: y * 10}),
        edit(model, {"inner": lambda y, name: y - 1}),
        trace(model, ["inner"]) as after,
    ):
        y = model(x)
    assert torch.allclose(before["inner"], inner)
    assert torch.allclose(after["inner"], inner * 10 - 1)
    assert torch.allclose(y, 2 * (inner * 10 - 1))


def test_replacing_the_code_cuts_off_everything_before_it(model, pictures):
    """With the code and every skip replaced, the first stack's heatmaps no longer depend on the picture."""
    names = ["stack0.skip1", "stack0.skip2", code_hook_point(model, 0)]
    with edit(model, dict.fromkeys(names, lambda y, name: torch.ones_like(y))):
        heatmaps = model(pictures)
    assert torch.equal(heatmaps[0, 0], heatmaps[1, 0])
    assert not torch.equal(heatmaps[0, 1], heatmaps[1, 1])  # the stem's features go on to the second


def test_nothing_remains_also_after_an_error(model, pictures):
    def fail(activation, name):
        raise RuntimeError(f"at {name}")

    with pytest.raises(RuntimeError, match=r"at stack0\.sum1"), trace(model, ["stem"]), edit(model, {"stack0.sum1": fail}):
        model(pictures)
    assert hooks(model) == 0
    with pytest.raises(PosekitError), edit(model, {"stem": fail, "stack9.skip1": fail}):
        pass
    assert hooks(model) == 0


def test_a_replacement_of_another_shape_is_refused(model, pictures):
    with (
        pytest.raises(PosekitError, match=r"stack0.skip1: the replacement is \(2, 16\), the activation \(2, 16, 8, 8\)"),
        edit(model, {"stack0.skip1": lambda y, name: y.mean((-2, -1))}),
    ):
        model(pictures)


@pytest.mark.parametrize("given", [0.0, np.zeros((2, 16, 8, 8)), (torch.zeros(2, 16, 8, 8),)], ids=["float", "ndarray", "tuple"])
def test_a_replacement_that_is_no_tensor_is_refused(model, pictures, given):
    said = f"stack0.skip1: the edit gives a {type(given).__name__}; give a tensor"
    with pytest.raises(PosekitError, match=said), edit(model, {"stack0.skip1": lambda y: given}):
        model(pictures)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("edits", [["stem"], {"stem": torch.zeros(1)}, {"stem": 0}, {"stem": "zero"}], ids=str)
def test_an_edit_that_is_no_function_is_refused_before_the_pass(model, edits):
    with pytest.raises(PosekitError, match=r"stem: the edit is a (list|Tensor|int|str); give {name: function}"), edit(model, edits):
        pass
    with pytest.raises(PosekitError, match="no activation named 3"), trace(model, [3]):
        pass


@pytest.mark.parametrize("name, near", [("stack0.botleneck1", "stack0.bottleneck1"), ("stack0.skip7", "stack0.skip1"), ("stack0.pool", "")])
def test_an_unknown_name_lists_the_near_ones(model, name, near):
    with pytest.raises(PosekitError, match=rf"no activation named '{name}'.*{near}"), trace(model, [name]):
        pass


def test_a_layer_within_a_place_can_be_named(model, pictures):
    with trace(model, ["stack0.skip1.0.conv2"]) as activations:
        model(pictures)
    assert activations["stack0.skip1.0.conv2"].shape == (2, 8, 8, 8)


def test_the_place_of_the_code(model):
    assert code_hook_point(model) == code_hook_point(model, 1) == "stack1.bottleneck2"
    assert code_hook_point(model, 0) == "stack0.bottleneck2"
    with pytest.raises(PosekitError, match="no stack 2: this network has 2"):
        code_hook_point(model, 2)
