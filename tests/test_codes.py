"""Codes: the stream is the network's own activation; files are whole, or refused, or not there."""

import json

import numpy as np
import pytest
import torch
from planted import planted
from typer.testing import CliRunner

from posekit.cli import commands as cli
from posekit.data.augment import eval_view
from posekit.data.loading import load_batch
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import by_modules, predict_crops
from posekit.engine.weights import Card, fingerprint, save
from posekit.errors import PosekitError
from posekit.hooks import edit
from posekit.interpret.activations.codes import (
    code_hook_point,
    codes_and_predictions,
    collect,
    open_codes,
    open_moments,
    stream,
    write_codes,
    write_moments,
)
from posekit.interpret.analysis.components import moments_of, pca
from posekit.models.hourglass import Hourglass, HourglassConfig

PLAIN = Backend.plain()


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """A network of two stacks that knows nothing, its card, and crops of 12 people."""
    torch.manual_seed(0)
    config = HourglassConfig.narrow(8, joints=14, depth=2, stacks=2, bottleneck_residuals=2)
    card = Card("toy", config.to_dict(), "lsp", 32, "cross-entropy", input_mean=(0.4, 0.5, 0.6))
    return Hourglass(config).eval(), card, planted(tmp_path_factory.mktemp("planted"))[1]


def test_stream_is_the_activation_flattened(setting):
    model, card, crops = setting
    pictures, keypoints = load_batch(crops, np.arange(12))
    x = model.stem(eval_view(pictures, keypoints, 32)[0] - torch.tensor(card.input_mean).view(3, 1, 1))
    stack = model.stack0
    for level in (1, 2):
        x = getattr(stack, f"encoder{level}")(stack.pool(x))
    expected = stack.bottleneck2(stack.bottleneck1(x)).detach().flatten(1)
    heard = []
    found = list(stream(model, card, crops, code_hook_point(model, 0), backend=PLAIN, batch=5, progress=heard.append))
    assert [list(index) for index, _ in found] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]] and heard == [5, 5, 2]
    assert torch.allclose(torch.cat([codes for _, codes in found]), expected, atol=1e-5)
    assert np.allclose(collect(model, card, crops, code_hook_point(model, 0), backend=PLAIN), expected, atol=1e-5)


@pytest.mark.parametrize("stack", [0, 1])
def test_codes_and_predictions_are_those_of_the_stack(setting, stack):
    model, card, crops = setting
    hook_point = code_hook_point(model, stack)
    codes, predicted = codes_and_predictions(model, card, crops, hook_point, backend=PLAIN, batch=5)
    assert np.allclose(codes, collect(model, card, crops, hook_point, backend=PLAIN), atol=1e-5)
    expected = predict_crops(model, card, crops, backend=PLAIN, network=by_modules(model, PLAIN), batch=5)[stack]
    assert np.array_equal(predicted, expected) and not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_codes_that_say_nothing_are_refused(setting, value):
    model, card, crops = setting
    hook_point = code_hook_point(model)
    with edit(model, {hook_point: lambda activation, name: torch.full_like(activation, value)}):
        with pytest.raises(PosekitError, match=r"bottleneck2: the codes are constant or not finite"):
            codes_and_predictions(model, card, crops, hook_point, backend=PLAIN)


def test_file_holds_codes_and_whose_they_are(setting, tmp_path):
    model, card, crops = setting
    hook_point = code_hook_point(model)
    write_codes(tmp_path / "codes.npy", model, card, crops, hook_point, backend=PLAIN, batch=5)
    found = open_codes(tmp_path / "codes.npy")
    expected = collect(model, card, crops, hook_point, backend=PLAIN)
    assert isinstance(found.values, np.memmap) and found.values.dtype == np.float16
    assert len(found) == 12 and np.allclose(found.values, expected, rtol=1e-3, atol=1e-6)
    assert (found.ids == crops.people.ids).all() and (found.names == crops.people.names).all()
    assert found.shape == (8, 2, 2) and found.hook_point == "stack1.bottleneck2"
    assert (found.weights, found.weights_fingerprint, found.source) == ("toy", fingerprint(model), "planted")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["codes.json", "codes.npy"]


def test_fingerprint_is_of_the_weights(setting):
    other = Hourglass(setting[0].config)
    assert fingerprint(other) != fingerprint(setting[0])
    other.load_state_dict(setting[0].state_dict())
    assert fingerprint(other) == fingerprint(setting[0])


def test_an_interrupted_file_is_not_there_and_an_older_one_stays(setting, tmp_path):
    model, card, crops = setting

    def stop(_):
        raise KeyboardInterrupt

    def write(**options):
        write_codes(tmp_path / "codes.npy", model, card, crops, code_hook_point(model), backend=PLAIN, batch=5, **options)

    with pytest.raises(KeyboardInterrupt):
        write(progress=stop)
    assert not list(tmp_path.iterdir())
    write()
    with pytest.raises(KeyboardInterrupt):
        write(progress=stop)
    assert len(open_codes(tmp_path / "codes.npy")) == 12


@pytest.mark.parametrize("value, said", [(7e4, "7e.04, and float16 ends at 65504"), (float("nan"), "nan"), (-float("inf"), "inf")])
def test_what_float16_cannot_hold_is_refused(setting, tmp_path, value, said):
    model, card, crops = setting
    hook_point = code_hook_point(model)

    def spoil(activation, name):
        activation = activation.clone()
        activation[-1, 0, 0, 0] = value
        return activation

    with edit(model, {hook_point: spoil}), pytest.raises(PosekitError, match=f"person 104: an activation at {hook_point} is {said}"):
        write_codes(tmp_path / "codes.npy", model, card, crops, hook_point, backend=PLAIN, batch=5)
    assert not list(tmp_path.iterdir())


def test_files_that_are_not_whole_are_refused(setting, tmp_path):
    model, card, crops = setting
    file, beside = tmp_path / "codes.npy", tmp_path / "codes.json"
    with pytest.raises(PosekitError, match="no whole file of codes"):
        open_codes(file)
    write_codes(file, model, card, crops, code_hook_point(model), backend=PLAIN)
    whole, text = file.read_bytes(), beside.read_text()
    file.write_bytes(whole[:-10])
    with pytest.raises(PosekitError, match="no whole file of codes"):
        open_codes(file)
    file.write_bytes(whole)
    beside.write_text(json.dumps(json.loads(text) | {"ids": [1, 2]}))
    with pytest.raises(PosekitError, match="describes another file"):
        open_codes(file)
    beside.write_text("{}")
    with pytest.raises(PosekitError, match="does not describe codes"):
        open_codes(file)
    beside.unlink()
    with pytest.raises(PosekitError, match=r"codes\.json"):
        open_codes(file)
    with pytest.raises(PosekitError, match=r"end in \.npy"):
        write_codes(tmp_path / "codes.bin", model, card, crops, code_hook_point(model), backend=PLAIN)


def test_moments_in_a_file(setting, tmp_path):
    model, card, crops = setting
    hook_point = code_hook_point(model)
    moments = moments_of(codes for _, codes in stream(model, card, crops, hook_point, backend=PLAIN, batch=5))
    write_moments(tmp_path / "moments.npz", moments, model, card, crops, hook_point)
    found, about = open_moments(tmp_path / "moments.npz")
    assert found.count == 12 and torch.equal(found.mean, moments.mean) and torch.equal(found.scatter, moments.scatter)
    assert about["hook_point"] == hook_point and about["weights"] == "toy" and about["shape"] == [8, 2, 2]
    (tmp_path / "moments.npz").write_bytes(b"PK")
    with pytest.raises(PosekitError, match="no whole file of moments"):
        open_moments(tmp_path / "moments.npz")
    with pytest.raises(PosekitError, match=r"end in \.npz"):
        write_moments(tmp_path / "moments.npy", moments, model, card, crops, hook_point)


@pytest.fixture
def command(setting, tmp_path, monkeypatch):
    """`posekit codes` for the toy network and the planted people."""
    save(tmp_path / "toy.safetensors", *setting[:2])
    people = setting[2].people
    monkeypatch.setattr("posekit.data.load_people", lambda spec, **_: people)

    def run(*arguments):
        given = [tmp_path / "toy.safetensors", "--data", "planted", "--cache", tmp_path, "--device", "cpu", *arguments]
        return CliRunner().invoke(cli.app, ["codes", *map(str, given)])

    return run


def test_command_writes_codes_and_statistics(command, tmp_path):
    done = command("--out", tmp_path / "codes.npy", "--stack", 0)
    assert done.exit_code == 0 and "codes of 12 people, 8 x 2 x 2 numbers each, stack0.bottleneck2 of toy" in done.stderr
    done = command("--out", tmp_path / "moments.npz", "--stack", 0, "--statistics")
    assert done.exit_code == 0 and "the moments of the codes of 12 people" in done.stderr
    values = np.asarray(open_codes(tmp_path / "codes.npy").values, float)
    found = pca(open_moments(tmp_path / "moments.npz")[0], 3)
    # The file rounds each number to float16, at most by 2^-11 of it, and no singular value moves further than the change's norm.
    rounding = 2**-11 * np.linalg.norm(values) / np.sqrt(len(values) - 1)
    assert np.allclose(found.mean, values.mean(0), rtol=2**-10, atol=2**-11 * np.abs(values).max())
    deviations = np.linalg.svd(values - values.mean(0), compute_uv=False)[:3] / np.sqrt(len(values) - 1)
    assert np.allclose(np.sqrt(found.variances), deviations, rtol=0, atol=rounding) and rounding < deviations[0] / 10


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--out", "codes.txt"], "let its name end in .npy"),
        (["--out", "codes.npy", "--statistics"], "let its name end in .npz"),
        (["--out", "missing/codes.npy"], "there is no folder missing"),
        (["--out", "codes.npy", "--stack", "2"], "no stack 2: this network has 2"),
    ],
)
def test_command_refuses_in_one_line(command, arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command(*arguments)
    assert done.exit_code == 1 and said in done.stderr and done.stderr.count("\n") == 1
