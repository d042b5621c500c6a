import json
import shutil

import pytest
import torch
from torch import nn

from posekit.errors import PosekitError
from posekit.models.hourglass import Hourglass, HourglassConfig, upsample

SMALL = {"joints": 5, "depth": 2}
VARIANTS = {
    "newell": HourglassConfig.narrow(16, **SMALL),
    "study": HourglassConfig.study(features=16, stem=(4, 8, 8), **SMALL),
    "two residuals": HourglassConfig.narrow(16, residuals=2, bottleneck_residuals=2, **SMALL),
    "two stacks": HourglassConfig.narrow(16, stacks=2, **SMALL),
    "the study's, three stacks": HourglassConfig.study(features=16, stem=(4, 8, 8), stacks=3, **SMALL),
    "no skips": HourglassConfig.narrow(16, stacks=2, skips=False, **SMALL),
    "one skip, early pool, noise": HourglassConfig.narrow(16, skips=(2,), early_pool=True, code_noise=0.1, **SMALL),
    "basic, study": HourglassConfig.study(features=16, basic=True, stem=(4, 8, 12), **SMALL),
    "wide stem": HourglassConfig(features=16, stem=(8, 16, 16), stacks=2, **SMALL),
}
COMPILER = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
every_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)


def network(config: HourglassConfig) -> Hourglass:
    torch.manual_seed(0)
    return Hourglass(config)


@pytest.mark.parametrize("stacks, millions", [(1, 3.43), (2, 6.57), (4, 12.9), (8, 25.4)])
def test_live_parameters(stacks, millions):
    with torch.device("meta"):
        model = Hourglass(HourglassConfig(stacks=stacks))
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(millions * 1e6, rel=0.01)


@every_variant
def test_every_parameter_gets_a_gradient(config):
    model = network(config)
    for training in (True, False):
        model.train(training).zero_grad()
        output = model(torch.rand(2, 3, 32, 32))
        (output - torch.rand_like(output)).square().sum().backward()
        assert [n for n, p in model.named_parameters() if p.grad is None] == []
    # Batch statistics take a bias before them out again; with fixed ones (eval mode) every gradient shows.
    assert [n for n, p in model.named_parameters() if not p.grad.abs().max() > 1e-6] == []


@every_variant
def test_shapes_finite_values_and_determinism(config):
    model = network(config).eval()
    pictures = torch.rand(2, 3, 32, 48)
    with torch.no_grad():
        heatmaps = model(pictures)
        assert torch.equal(heatmaps, model(pictures))
        alone = model(pictures[:1])  # a picture's heatmaps do not depend on its batch
    assert heatmaps.shape == (2, config.stacks, 5, 8, 12)
    assert heatmaps.isfinite().all()
    assert torch.allclose(heatmaps[:1], alone, atol=1e-5)


def test_named_activations():
    """Every named place is a module that runs once a forward pass, with the shape that its level has."""
    config = HourglassConfig.study(features=16, stem=(4, 8, 8), stacks=2, joints=5, depth=4)
    model = network(config).eval()
    expected = {"stem": (16, 32)}  # channels, side
    for i in range(2):
        for level in range(1, 5):
            side = 32 // 2 ** (level - 1)
            expected[f"stack{i}.skip{level}"] = expected[f"stack{i}.sum{level}"] = (16, side)
            expected[f"stack{i}.encoder{level}"] = expected[f"stack{i}.decoder{level}"] = (16, side // 2)
        for n in (1, 2, 3):
            expected[f"stack{i}.bottleneck{n}"] = (16, 2)
        expected[f"stack{i}.features"], expected[f"stack{i}.heatmaps"] = (16, 32), (5, 32)
    expected["stack0.merge"] = (16, 32)
    seen: dict[str, list] = {name: [] for name in expected}
    modules = dict(model.named_modules())
    for name in expected:
        modules[name].register_forward_hook(lambda _, __, y, name=name: seen[name].append((y.shape[1], y.shape[-1])))
    model(torch.rand(1, 3, 128, 128))
    assert seen == {name: [shape] for name, shape in expected.items()}


def test_the_last_stack_merges_nothing():
    names = dict(network(VARIANTS["two stacks"]).named_modules())
    assert "stack0.merge_features" in names and "stack1.merge_features" not in names and "stack1.merge" not in names


@pytest.mark.parametrize("side", [(100, 128), (128, 100), (8, 8)])
def test_a_wrong_side_is_refused(side):
    with pytest.raises(ValueError, match=rf"depth-2 .* multiples of 16, not {side[1]} x {side[0]}"):
        network(VARIANTS["newell"])(torch.rand(1, 3, *side))


@every_variant
def test_relus_are_modules_of_their_own_and_not_in_place(config):
    """Each batch normalisation (but of the last layer) is followed by a ReLU module that runs once a pass."""
    model, calls = network(config).eval(), []
    relus = [m for m in model.modules() if isinstance(m, nn.ReLU)]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(m.inplace for m in relus)
    assert len(relus) == len(norms) - config.stacks * config.normalised_heatmaps
    for relu in relus:
        relu.register_forward_hook(lambda module, _, __: calls.append(module))
    operators = []

    class Count(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function in (torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_, torch.clamp):
                operators.append(function)
            return function(*args, **(kwargs or {}))

    with Count():
        model(torch.rand(1, 3, 32, 32))
    assert sorted(map(id, calls)) == sorted(map(id, relus)) and operators == []


def test_configurations_survive_json_and_refuse_unknown_entries():
    for config in VARIANTS.values():
        assert HourglassConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(TypeError, match="wings"):
        HourglassConfig.from_dict(HourglassConfig().to_dict() | {"wings": 2})


def test_lists_are_taken_as_tuples():
    listed, tuples = HourglassConfig(stem=[4, 8, 8], skips=[2, 1]), HourglassConfig(stem=(4, 8, 8), skips=(2, 1))
    assert listed == tuples and hash(listed) == hash(tuples) and listed.skip_levels == (1, 2)


COUNTS = ("joints", "stacks", "features", "depth", "residuals", "bottleneck_residuals", "shortcut_kernel", "dimensions")


@pytest.mark.parametrize(
    "field, value, depth",
    [(name, value, 4) for name in COUNTS for value in (0, -1, 1.5, "3", True, None) if name != "depth"]
    + [("depth", 0, None), ("shortcut_kernel", 2, 4), ("stem", (0, 1, 1), 4), ("stem", (4, 8), 4), ("stem", 8, 4)]
    + [("skips", (9,), 1), ("skips", (0,), 4), ("skips", 3, 4), ("skips", None, 4), ("skips", ("1",), 4)],
)
def test_a_field_that_makes_no_sense_is_refused_by_name(field, value, depth):
    with pytest.raises(PosekitError, match=rf"^{field} is .*; it must be ") as told:
        HourglassConfig(**({"depth": depth} | {field: value}))
    assert "\n" not in str(told.value) and repr(value) in str(told.value)


@pytest.mark.parametrize("basic", [False, True])
@pytest.mark.parametrize("features", [1, 2, 3])
def test_the_narrowest_networks_work(features, basic):
    config = HourglassConfig.narrow(features, joints=5, depth=1, basic=basic)
    assert min(config.stem) == 1
    assert network(config)(torch.rand(2, 3, 16, 16)).isfinite().all()


def test_the_studys_variant():
    with torch.device("meta"):
        model = Hourglass(HourglassConfig.study(joints=17))
    assert model.stem.residual1.shortcut.kernel_size == (3, 3)
    assert isinstance(model.stack0.heatmaps[-1], nn.BatchNorm2d)
    assert hasattr(model.stack0, "bottleneck3") and not hasattr(model.stack0, "bottleneck4")


@pytest.mark.filterwarnings("ignore")  # the compiler's own
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=COMPILER)])
def test_up_sampling_is_nearest_neighbour_with_its_gradient(layout, compiled):
    x = torch.rand(2, 4, 3, 5).to(memory_format=layout).requires_grad_()
    y = torch.compile(upsample, dynamic=False)(x) if compiled else upsample(x)
    assert torch.equal(y, x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert compiled or y.is_contiguous(memory_format=layout)
    weight = torch.rand_like(y)
    (y * weight).sum().backward()
    assert torch.allclose(x.grad, nn.functional.avg_pool2d(weight, 2) * 4)
