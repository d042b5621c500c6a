"""Foreign checkpoints are made here, with random weights, and run by functions that walk their state dicts.

The functions follow the forward passes of princeton-vl/pytorch_stacked_hourglass (`models/posenet.py`) and
bearpaw/pytorch-pose (`pose/models/hourglass.py`); they share nothing with posekit's network. Both sides run
in float64, so that the bound holds however large random weights make the heatmaps.
"""

import argparse
import collections

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F

from posekit.engine.outside.convert import BEARPAW, PRINCETON, convert, hourglass
from posekit.engine.weights import load
from posekit.errors import PosekitError

FEATURES = 16


class Maker:
    """Random weights under foreign names."""

    def __init__(self, seed: int):
        self.state: dict[str, torch.Tensor] = {}
        self.random = torch.Generator().manual_seed(seed)

    def conv(self, name, inputs, outputs, kernel=1):
        scale = (inputs * kernel**2) ** -0.5
        self.state[f"{name}.weight"] = scale * torch.randn(outputs, inputs, kernel, kernel, generator=self.random)
        self.state[f"{name}.bias"] = 0.1 * torch.randn(outputs, generator=self.random)

    def norm(self, name, channels):
        for leaf, low in (("weight", 0.5), ("bias", -0.5), ("running_mean", -0.5), ("running_var", 0.5)):
            self.state[f"{name}.{leaf}"] = low + torch.rand(channels, generator=self.random)
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def residual(self, name, inputs, outputs, *, wrapped):
        """`wrapped`: princeton's, each convolution in a module of its own and a shortcut always."""
        conv = ".conv" if wrapped else ""
        middle = outputs // 2
        for i, (a, b, kernel) in enumerate(((inputs, middle, 1), (middle, middle, 3), (middle, outputs, 1)), 1):
            self.norm(f"{name}.bn{i}", a)
            self.conv(f"{name}.conv{i}{conv}", a, b, kernel)
        if wrapped:
            self.conv(f"{name}.skip_layer.conv", inputs, outputs)
        elif inputs != outputs:
            self.conv(f"{name}.downsample.0", inputs, outputs)


def princeton(stacks, joints=16, features=FEATURES, increase=0, seed=0):
    make = Maker(seed)
    make.conv("pre.0.conv", 3, 64, 7), make.norm("pre.0.bn", 64)
    for name, a, b in (("pre.1", 64, 128), ("pre.3", 128, 128), ("pre.4", 128, features)):
        make.residual(name, a, b, wrapped=True)
    for i in range(stacks):
        name, f = f"hgs.{i}.0.", features
        for _ in range(4):
            make.residual(f"{name}up1", f, f, wrapped=True)
            make.residual(f"{name}low1", f, f + increase, wrapped=True)
            make.residual(f"{name}low3", f + increase, f, wrapped=True)
            f += increase
            name += "low2."
        make.residual(name.removesuffix("."), f, f, wrapped=True)
        make.residual(f"features.{i}.0", features, features, wrapped=True)
        make.conv(f"features.{i}.1.conv", features, features), make.norm(f"features.{i}.1.bn", features)
        make.conv(f"outs.{i}.conv", features, joints)
        if i < stacks - 1:
            make.conv(f"merge_features.{i}.conv.conv", features, features)
            make.conv(f"merge_preds.{i}.conv.conv", joints, features)
    return make.state


def bearpaw(stacks, blocks=1, joints=16, planes=FEATURES // 2, seed=0):
    make, f = Maker(seed), 2 * planes
    make.conv("conv1", 3, 8, 7), make.norm("bn1", 8)
    for name, a, b in (("layer1.0", 8, 16), ("layer2.0", 16, f), ("layer3.0", f, f)):
        make.residual(name, a, b, wrapped=False)
    for i in range(stacks):
        for block in range(blocks):
            for part in [f"hg.{i}.hg.{n}.{j}" for n in range(4) for j in range(4 if n == 0 else 3)] + [f"res.{i}"]:
                make.residual(f"{part}.{block}", f, f, wrapped=False)
        make.conv(f"fc.{i}.0", f, f), make.norm(f"fc.{i}.1", f)
        make.conv(f"score.{i}", f, joints)
        if i < stacks - 1:
            make.conv(f"fc_.{i}", f, f), make.conv(f"score_.{i}", joints, f)
    return make.state


def conv(state, name, x, stride=1):
    kernel = state[f"{name}.weight"]
    return F.conv2d(x, kernel, state[f"{name}.bias"], stride, kernel.shape[-1] // 2)


def norm_relu(state, name, x):
    mean, variance, weight, bias = (state[f"{name}.{leaf}"][:, None, None] for leaf in ("running_mean", "running_var", "weight", "bias"))
    return ((x - mean) / (variance + 1e-5).sqrt() * weight + bias).relu()


def residual(state, name, x, wrapped):
    y = x
    for i in (1, 2, 3):
        y = conv(state, f"{name}.conv{i}{'.conv' if wrapped else ''}", norm_relu(state, f"{name}.bn{i}", y))
    shortcut = f"{name}.skip_layer.conv" if wrapped else f"{name}.downsample.0"
    return y + (conv(state, shortcut, x) if x.shape[1] != y.shape[1] else x)


def double(x):
    return x.repeat_interleave(2, -1).repeat_interleave(2, -2)


def run_princeton(state, pictures):
    """Pictures (B, H, W, 3) to heatmaps (B, stacks, K, H/4, W/4)."""

    def inner(name, x, n):
        low = residual(state, f"{name}low1", F.max_pool2d(x, 2), True)
        low = inner(f"{name}low2.", low, n - 1) if n > 1 else residual(state, f"{name}low2", low, True)
        return residual(state, f"{name}up1", x, True) + double(residual(state, f"{name}low3", low, True))

    x = norm_relu(state, "pre.0.bn", conv(state, "pre.0.conv", pictures.permute(0, 3, 1, 2), 2))
    x = F.max_pool2d(residual(state, "pre.1", x, True), 2)
    x = residual(state, "pre.4", residual(state, "pre.3", x, True), True)
    heatmaps, i = [], 0
    while f"outs.{i}.conv.weight" in state:
        y = residual(state, f"features.{i}.0", inner(f"hgs.{i}.0.", x, 4), True)
        y = norm_relu(state, f"features.{i}.1.bn", conv(state, f"features.{i}.1.conv", y))
        heatmaps.append(conv(state, f"outs.{i}.conv", y))
        if f"merge_preds.{i}.conv.conv.weight" in state:
            x = x + conv(state, f"merge_preds.{i}.conv.conv", heatmaps[-1])
            x = x + conv(state, f"merge_features.{i}.conv.conv", y)
        i += 1
    return torch.stack(heatmaps, 1)


def run_bearpaw(state, pictures):
    """Pictures (B, 3, H, W) to heatmaps (B, stacks, K, H/4, W/4)."""

    def several(name, x):
        block = 0
        while f"{name}.{block}.bn1.weight" in state:
            x = residual(state, f"{name}.{block}", x, False)
            block += 1
        return x

    def inner(name, x, n):
        low = several(f"{name}.{n - 1}.1", F.max_pool2d(x, 2))
        low = inner(name, low, n - 1) if n > 1 else several(f"{name}.0.3", low)
        return several(f"{name}.{n - 1}.0", x) + double(several(f"{name}.{n - 1}.2", low))

    x = several("layer1", norm_relu(state, "bn1", conv(state, "conv1", pictures, 2)))
    x = several("layer3", several("layer2", F.max_pool2d(x, 2)))
    heatmaps, i = [], 0
    while f"score.{i}.weight" in state:
        y = several(f"res.{i}", inner(f"hg.{i}.hg", x, 4))
        y = norm_relu(state, f"fc.{i}.1", conv(state, f"fc.{i}.0", y))
        heatmaps.append(conv(state, f"score.{i}", y))
        if f"fc_.{i}.weight" in state:
            x = x + conv(state, f"fc_.{i}", y) + conv(state, f"score_.{i}", heatmaps[-1])
        i += 1
    return torch.stack(heatmaps, 1)


PICTURES = torch.randn(2, 3, 64, 128, generator=torch.Generator().manual_seed(9)).double()


def same(model, run, state, pictures):
    expected = run({name: value.double() for name, value in state.items()}, pictures)
    assert expected.shape == (2, model.config.stacks, model.config.joints, 16, 32) and expected.std() > 0.1
    return (model.double()(PICTURES) - expected).abs().max() < 1e-8 * expected.abs().max()


@pytest.mark.parametrize("stacks, features", [(1, 16), (3, 16), (2, 128)])  # 128: no shortcut in the stem is used
def test_princeton_parity(tmp_path, stacks, features):
    state = princeton(stacks, features=features)
    wrapped = {f"model.module.{name}": value for name, value in state.items()}
    checkpoint = {
        "state_dict": wrapped,
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3}]},
        "epoch": 3,
    }
    torch.save(checkpoint, tmp_path / "checkpoint.pt")
    card = convert(tmp_path / "checkpoint.pt", tmp_path / "converted.safetensors")
    model, read = load(tmp_path / "converted.safetensors")
    assert read.recipe == card.recipe and card.recipe["converted from"] == PRINCETON
    assert (read.name, read.skeleton, read.loss, read.input_mean) == ("converted", "mpii", "mse", (0, 0, 0))
    assert same(model, run_princeton, state, PICTURES.permute(0, 2, 3, 1))


@pytest.mark.parametrize("stacks, blocks, joints", [(1, 1, 16), (3, 1, 17), (2, 3, 16)])
def test_bearpaw_parity(tmp_path, stacks, blocks, joints):
    state = bearpaw(stacks, blocks, joints)
    wrapped = collections.OrderedDict((f"module.{name}", value) for name, value in state.items())
    checkpoint = {"epoch": 1, "arch": "hg", "state_dict": wrapped, "best_acc": np.float64(0.5)}
    torch.save(checkpoint, tmp_path / "checkpoint.pth.tar")
    convert(tmp_path / "checkpoint.pth.tar", tmp_path / "converted.safetensors")
    model, card = load(tmp_path / "converted.safetensors")
    assert card.recipe["converted from"] == BEARPAW
    assert card.skeleton == {16: "mpii", 17: "coco"}[joints] and card.input_mean[0] > 0.4
    assert (model.config.residuals, model.config.bottleneck_residuals) == (blocks, blocks)
    assert same(model, run_bearpaw, state, PICTURES)


def test_a_bare_state_dict_in_the_old_format_before_batches_were_counted(
    tmp_path,
):  # as anibali's releases are
    state = {name: value for name, value in bearpaw(1).items() if "num_batches" not in name}
    torch.save(state, tmp_path / "hg1.pth", _use_new_zipfile_serialization=False)
    convert(tmp_path / "hg1.pth", tmp_path / "hg1.safetensors")
    assert same(load(tmp_path / "hg1.safetensors")[0], run_bearpaw, state, PICTURES)


PREFIXES = [
    "",
    "module.",
    "_orig_mod.",
    "model.",
    "net.",
    "_orig_mod.module.",
    "module._orig_mod.",
    "model.net.module._orig_mod.",
    "pose.backbone.",
]
PLACES = [
    "",
    "state_dict",
    "model_state",
    "model_state_dict",
    "net",
    "weights",
    "ema",
    "model",
    "params",
    "ema.model",
    "checkpoint.state.model",
]


def saved(path, state, place=""):
    content = state
    for name in reversed(place.split(".") if place else []):
        content = {name: content, "epoch": 3, "best_acc": np.float64(0.5), "args": argparse.Namespace(rate=0.1)}
        content["optimizer"] = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    torch.save(content, path)


@pytest.mark.parametrize("family", [princeton, bearpaw])
@pytest.mark.parametrize(("prefix", "place"), [*((prefix, "") for prefix in PREFIXES), *(("model.", place) for place in PLACES)])
def test_weights_are_found_under_any_names_that_trainers_give(tmp_path, family, prefix, place):
    state = family(1)
    saved(tmp_path / "a.pt", {prefix + name: value for name, value in state.items()}, place)
    convert(tmp_path / "a.pt", tmp_path / "out.safetensors")
    wanted, _ = hourglass(state)
    found = load(tmp_path / "out.safetensors")[0].state_dict()
    assert all(torch.equal(found[name], value) for name, value in wanted.state_dict().items())


def compiled_in_parts(state):
    return {name.replace("hgs.0.0.", "hgs.0._orig_mod.0.").replace("pre.0.conv", "pre.0._orig_mod.conv"): v for name, v in state.items()}


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {name: value.numpy() for name, value in state.items()},
        lambda state: {name: value.half().numpy() for name, value in state.items()},
        lambda state: {name: torch.nn.Parameter(value, requires_grad=False) for name, value in state.items()},
        lambda state: {"n_averaged": torch.tensor(9)} | {f"module.{name}": value for name, value in state.items()},
        lambda state: {"criterion.weight": torch.ones(2)} | {f"net.{name}": value for name, value in state.items()},
        lambda state: {"epoch": 3, "acc": np.float32(0.5)} | state,
        lambda state: {"model": state, "ema": {f"module.{name}": value.clone() for name, value in state.items()}},  # the same twice
        compiled_in_parts,
    ],
)
def test_weights_in_other_forms_are_the_same_weights(tmp_path, change):
    state = princeton(1)
    saved(tmp_path / "a.pt", change(state))
    convert(tmp_path / "a.pt", tmp_path / "out.safetensors")
    wanted, found = hourglass(state)[0].state_dict(), load(tmp_path / "out.safetensors")[0].state_dict()
    assert all(torch.allclose(found[name].float(), value.float(), rtol=1e-3, atol=1e-4) for name, value in wanted.items())


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_safetensors_of_others_are_read(tmp_path, name):
    state = bearpaw(1)
    safetensors.torch.save_file({f"model.{name}": value for name, value in state.items()}, tmp_path / name)
    convert(tmp_path / name, tmp_path / "out.safetensors")
    assert same(load(tmp_path / "out.safetensors")[0], run_bearpaw, state, PICTURES)


def test_one_of_several_networks_is_not_chosen(tmp_path):
    one, other = bearpaw(1), bearpaw(1, seed=1)
    for content, words in (
        ({"model": one, "ema": other}, r"several networks \(model, ema\)"),
        ({f"{who}.{name}": value for who, state in (("student", one), ("teacher", other)) for name, value in state.items()},
         r"several networks \(: student\.\*, : teacher\.\*\)"),
    ):  # fmt: skip
        torch.save(content, tmp_path / "a.pt")
        with pytest.raises(PosekitError, match=words):
            convert(tmp_path / "a.pt", tmp_path / "out.safetensors")


@pytest.mark.parametrize("name", ["a.pt", "a.pth.tar", "a.safetensors"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a Git LFS pointer .*git lfs pull"),
        (b"<!DOCTYPE html>\n<html><head><title>Sign in</title>", "a web page"),
        (b"\n  <html lang='en'>", "a web page"),
    ],
)
def test_what_was_saved_in_place_of_weights_is_called_what_it_is(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    for read in (load, lambda path: convert(path, tmp_path / "out.safetensors")):
        with pytest.raises(PosekitError, match=says) as error:
            read(tmp_path / name)
        assert str(error.value).startswith(str(tmp_path / name)) and "\n" not in str(error.value)


def test_no_dead_parameter_comes_along():
    model, _ = hourglass(princeton(2))
    model.train()(PICTURES.float()).square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())


def without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


@pytest.mark.parametrize(
    "state, words",
    [
        ({"fc.weight": torch.zeros(3, 3)}, "not a hourglass of princeton-vl.* its first entry is fc.weight"),
        (princeton(1, increase=4), "made with `increase`"),
        (princeton(1) | {"extra.weight": torch.zeros(1)}, "no place for extra.weight"),
        (without(princeton(1), "pre.1.bn1.weight"), r"lacks pre\.1\.bn1\.weight"),
        (without(princeton(2), "merge_preds.0.conv.conv.bias"), r"lacks merge_preds\.0\.conv\.conv\.bias"),
        (bearpaw(1) | {"fc.0.0.bias": torch.zeros(3)}, r"fc\.0\.0\.bias is \(3,\) where \(16,\) belongs"),
        (
            bearpaw(1) | {"fc.0.0.bias": torch.full((16,), torch.nan)},
            r"fc\.0\.0\.bias has values that are not finite",
        ),
        ({n: v for n, v in bearpaw(1).items() if "running" not in n}, "group normalisation"),
        (bearpaw(1, joints=12), "12 joints in an unknown order"),
        ({}, "holds no state dict"),
    ],
)
def test_another_network_is_told_in_one_line(tmp_path, state, words):
    torch.save({"state_dict": state}, tmp_path / "a.pt")
    with pytest.raises(PosekitError, match=words) as error:
        convert(tmp_path / "a.pt", tmp_path / "out.safetensors")
    assert str(error.value).startswith(str(tmp_path / "a.pt")) and "\n" not in str(error.value)
    assert not (tmp_path / "out.safetensors").exists()


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_code_in_a_checkpoint_is_not_executed(tmp_path):
    torch.save({"state_dict": bearpaw(1), "extra": Bomb()}, tmp_path / "a.pt")
    with pytest.raises(PosekitError, match="posekit executes no code of a file"):
        convert(tmp_path / "a.pt", tmp_path / "out.safetensors")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04" + bytes(100)])
def test_damaged_checkpoints(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(PosekitError, match=r"a\.pt: damaged, or not a checkpoint of torch"):
        convert(tmp_path / "a.pt", tmp_path / "out.safetensors")


def test_a_truncated_checkpoint(tmp_path):
    torch.save(bearpaw(1), tmp_path / "a.pt")
    (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-5000])
    with pytest.raises(PosekitError, match="damaged"):
        convert(tmp_path / "a.pt", tmp_path / "out.safetensors")


def test_a_missing_checkpoint(tmp_path):
    with pytest.raises(PosekitError, match=r"a\.pt: cannot be read: No such file"):
        convert(tmp_path / "a.pt", tmp_path / "out.safetensors")
