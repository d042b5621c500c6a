"""How people call the library and the command: from workers, within inference mode, into plain terminals, with names of their own."""

import functools
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from PIL import Image

import posekit
from posekit import files, process
from posekit.cli import output
from posekit.data.mannequins import render
from posekit.engine import weights
from posekit.errors import PosekitError
from posekit.interpret.analysis import components
from posekit.interpret.attribution import explain as attribution
from posekit.interpret.attribution.maximisation import maximise
from posekit.interpret.attribution.targets import target
from posekit.models.hourglass import Hourglass, HourglassConfig
from posekit.skeleton import SKELETONS
from posekit.workflow import parameters, runs

PICTURE = render(3, size=64).picture


@pytest.fixture(scope="module")
def network():
    return posekit.load("mannequins-hg1", device="cpu")


def command(*arguments, cwd=None, **environment):
    """The command in a process of its own: exit code, standard output and error as bytes."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    done = subprocess.run(
        [sys.executable, "-m", "posekit", *map(str, arguments)], capture_output=True, cwd=cwd, env=known | environment, timeout=300
    )
    return done.returncode, done.stdout, done.stderr


# Workers


def test_a_predictor_works_in_another_process(network):
    wanted = network.predict(PICTURE).keypoints  # has been used, so that what makes it fast is there
    copy = pickle.loads(pickle.dumps(network))
    assert np.array_equal(copy.predict(PICTURE).keypoints, wanted) and copy.card == network.card and copy.backend == network.backend
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert np.allclose(pool.submit(network.predict, PICTURE).result().keypoints, wanted, atol=0.02)


# Inference mode


@pytest.mark.parametrize("method", attribution.METHODS)
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_explanations_are_the_same_in_every_mode(network, method, mode):
    wanted = posekit.explain(network, PICTURE, method=method)
    with mode():
        found = posekit.explain(network, PICTURE, method=method)
        loaded = posekit.explain("mannequins-hg1", PICTURE, method=method)  # its weights are made within
    assert np.abs(wanted.map).max() > 0
    for other in (found, loaded):
        assert np.allclose(other.map, wanted.map, atol=1e-4 * np.abs(wanted.map).max())


def test_gradients_and_maximisation_have_their_own_in_inference_mode(network):
    card = network.card
    asked = target("mean", "nose", card)
    with torch.inference_mode():
        pictures = torch.rand(2, 3, 128, 128)
        assert np.abs(attribution.attribute(network.model, card, pictures, asked, "saliency")).max() > 0
        assert maximise(network.model, card, [asked], steps=1).shape == (1, 3, 128, 128)


def test_a_network_without_gradients_is_told_in_one_line():
    with torch.inference_mode():
        model = Hourglass(HourglassConfig.narrow(8, joints=17, depth=2)).eval()
        card = weights.Card("x", model.config.to_dict(), "coco", 64, "cross-entropy")
        with pytest.raises(PosekitError, match=r"made inside torch.inference_mode\(\)"):
            attribution.attribute(model, card, torch.rand(1, 3, 64, 64), target("mean", "nose", card), "saliency")


def test_training_within_inference_mode_or_no_grad(tmp_path):
    people = posekit.crops(posekit.load_people("mannequins:8,size=40", cache=tmp_path), 40, tmp_path)
    config = HourglassConfig.narrow(8, joints=17, depth=1)
    recipe = posekit.Recipe(resolution=32, epochs=1, batch=4)
    states = []
    for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with mode():
            path = posekit.fit(config, recipe, people, people, tmp_path / mode.__name__, backend=posekit.Backend.plain())
        states.append(weights.load(path)[0].state_dict())
    assert all(torch.equal(value, other[name]) for other in states[1:] for name, value in states[0].items())


# Names and functions


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=str)
def test_joints_are_known_by_names_as_others_write_them(skeleton):
    for i, joint in enumerate(skeleton.joints):
        for name in (joint, joint.replace(" ", "_"), joint.replace(" ", "-"), joint.title(), joint.upper().replace(" ", "_")):
            assert skeleton.index(name) == [i]
    with pytest.raises(ValueError, match="has no joint 'left_toe'; it has"):
        skeleton.index("left_toe")


def test_explain_takes_names_with_underscores(network):
    found = posekit.explain(network, PICTURE, "left_wrist", "saliency", target="distance to right_wrist")
    assert found.joint == "left wrist"
    keypoints = network.predict(PICTURE).keypoints[0]
    assert posekit.explain(network, PICTURE, "left_wrist", "saliency", keypoints=keypoints).joint == "left wrist"


def nothing(activation, name=None):
    return torch.zeros_like(activation)


def scaled(activation, factor=0.0):
    return factor * activation


class Zero(torch.nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)


@pytest.mark.parametrize(
    "function",
    [
        lambda a, name: torch.zeros_like(a), lambda a: torch.zeros_like(a), lambda a, *rest: 0 * a, lambda *both: 0 * both[0],
        torch.zeros_like, nothing, scaled, functools.partial(scaled, factor=0.0), Zero(), lambda a, *, factor=0: factor * a,
    ],
)  # fmt: skip
def test_functions_of_one_and_of_two_arguments_edit(function):
    torch.manual_seed(0)
    model, pictures = Hourglass(HourglassConfig.narrow(8, joints=14, depth=2)).eval(), torch.rand(1, 3, 32, 32)
    with posekit.edit(model, {"stack0.skip1": lambda activation, name: torch.zeros_like(activation)}):
        wanted = model(pictures)
    with posekit.edit(model, {"stack0.skip1": function}):
        assert torch.equal(model(pictures), wanted)
    assert not torch.equal(model(pictures), wanted)


@pytest.mark.parametrize("count", [4, 5, 19, 20, 40])
def test_a_jackknife_of_few_people(count):
    codes = np.random.default_rng(0).normal(size=(count, 4))
    found = components.jackknife(codes, {"ratio": lambda c: c.participation_ratio})["ratio"]
    assert found["low"] < found["mean"] < found["high"]


def test_a_jackknife_of_too_few_people_says_how_many_it_needs():
    with pytest.raises(PosekitError, match="needs 4 people, and there are 2"):
        components.jackknife(np.eye(2), {"ratio": lambda c: c.participation_ratio})


# Memory


def test_predicting_changes_nothing_of_the_process(network, monkeypatch):
    def refuse(*_):
        raise AssertionError("the library asked the C library to keep memory")

    monkeypatch.setattr(process, "keep_memory", refuse)
    monkeypatch.setattr(process.ctypes, "CDLL", refuse)
    posekit.load("mannequins-hg1", device="cpu").predict(PICTURE)


# Compilers


@pytest.mark.parametrize(("programs", "variables", "cpu", "gpu"), [
    ([], {}, False, False), (["g++"], {}, True, False), (["gcc"], {}, False, True), (["g++", "cc"], {}, True, True),
    ([], {"CXX": "g++", "CC": "gcc"}, False, False), (["mine"], {"CXX": "mine", "CC": "mine"}, True, True),
])  # fmt: skip
def test_a_machine_compiles_where_there_is_a_compiler(monkeypatch, tmp_path, programs, variables, cpu, gpu):
    for name in programs:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert (posekit.Backend.best("cpu").can_compile, posekit.Backend.best("cuda").can_compile) == (cpu, gpu)


def test_compiling_without_a_compiler_is_refused_by_the_library_and_left_out_by_the_command(tmp_path):
    people = posekit.crops(posekit.load_people("mannequins:8,size=40", cache=tmp_path), 40, tmp_path)
    recipe, config = posekit.Recipe(resolution=32, epochs=1, batch=4), HourglassConfig.narrow(8, joints=17, depth=1)
    with pytest.raises(PosekitError, match="compiled is True, and cpu has no compiler"):
        posekit.fit(config, recipe, people, people, tmp_path / "fit", backend=posekit.Backend.plain(), compiled=True)
    (tmp_path / "empty").mkdir()
    data = ("--data", "mannequins:40,size=40@train", "--val", "mannequins:40,size=40@val", "--cache", tmp_path)
    shape = ("--features", 8, "--depth", 2, "--resolution", 32, "--epochs", 1, "--out", tmp_path / "out", "--compile")
    code, _, told = command("train", *data, *shape, PATH=str(tmp_path / "empty"))
    assert code == 0 and b"no compiler is installed" in told and b"Traceback" not in told


# Parameters and places


@pytest.mark.parametrize(
    ("type_", "value", "form"),
    [
        (list[str], "x", """'["x"]'"""),
        (list[str] | None, "a.jpg b.jpg", """'["a.jpg", "b.jpg"]'"""),
        (list[int], "1,2", "'[1, 2]'"),
        (list, "x", """'["x"]'"""),
        (float, "0,002", "0.002"),
        (float | None, "-1,5", "-1.5"),
        (dict, "a=1", "'{"),
        (int, "x", ""),
        (float, "x", ""),
    ],
)
def test_the_form_of_a_value_is_shown(type_, value, form):
    told = parameters._form(type_, value)
    assert (form in told and told.startswith("; ")) if form else not told


def test_outside_a_checkout_it_is_said_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(runs.FOLDER, raising=False)
    with pytest.raises(PosekitError, match="go into one, in a notebook by %cd FOLDER"):
        runs.current()


@pytest.mark.parametrize(
    ("text", "says"), [("0,002", "write a point, 0.002"), ("1e", "not a number"), ("nan", "number from 0"), ("-1", "from 0")]
)
def test_a_rate_that_is_no_number(tmp_path, text, says):
    code, _, told = command("train", "--data", "mannequins:8", "--out", tmp_path / "out", "--lr", text, COLUMNS="200")
    assert code == 2 and says in told.decode() and b"Traceback" not in told and not (tmp_path / "out").exists()


def test_paths_with_spaces_and_a_home_that_cannot_be_written(tmp_path):
    home = tmp_path / "my home"
    home.mkdir()
    Image.fromarray(PICTURE).save(home / "a picture.png")
    home.chmod(0o555)
    work = tmp_path / "elsewhere"
    work.mkdir()
    try:
        code, _, told = command("predict", "mannequins-hg1", "~/a picture.png", f"--json={work}/found here.json", cwd=work, HOME=str(home))
    finally:
        home.chmod(0o755)
    assert code == 0, told
    assert json.loads((work / "found here.json").read_text("utf-8"))[0]["file_name"] == f"{home}/a picture.png"


# Terminals


class Plain:
    """A stream of an encoding, as sys.stdout is one."""

    def __new__(cls, encoding):
        import io

        return io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", ". - ... x ?"), ("cp1252", "· – … × ?"), ("latin-1", "· - ... × ?"), ("utf-8", "· – … × 猫")]
)
def test_signs_that_cannot_be_shown_are_replaced(monkeypatch, encoding, shown):
    stream = Plain(encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    output.show_like_signs()
    print("· – … × 猫")
    assert stream.buffer.getvalue().decode(encoding).rstrip("\n") == shown


@pytest.mark.parametrize("content", [{"señal.png": "猫"}, [os.fsdecode(b"caf\xe9.png")], {"plain": 1}])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_json_comes_back_whole_from_every_encoding(content, encoding):
    assert json.loads(files.json_text(content, encoding).encode(encoding).decode(encoding)) == content


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
def test_names_that_are_not_utf8_lose_no_prediction(tmp_path, environment):
    name = os.fsencode(tmp_path) + b"/caf\xe9 \xc3\xb1.png"
    try:
        with open(name, "wb") as file:
            Image.fromarray(PICTURE).save(file, "PNG")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    arguments = [
        sys.executable,
        "-m",
        "posekit",
        "predict",
        "mannequins-hg1",
        name,
        "--json",
        tmp_path / "found.json",
        "--out",
        tmp_path / "out",
    ]
    done = subprocess.run(arguments, capture_output=True, env=os.environ | environment, timeout=300)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    found = json.loads((tmp_path / "found.json").read_text("ascii"))
    assert len(found) == 1 and len(list((tmp_path / "out").iterdir())) == 1
    assert found[0]["file_name"].endswith(".png") and len(found[0]["keypoints"]) == 51


def test_what_was_found_is_written_though_a_drawing_fails(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from posekit.cli import commands, networks

    for i in range(2):
        Image.fromarray(PICTURE).save(tmp_path / f"{i}.png")

    def fail(picture, path):
        raise PosekitError(f"{path}: could not be written: no room")

    monkeypatch.setattr(networks, "save_picture", fail)
    words = ["predict", "mannequins-hg1", *(str(tmp_path / f"{i}.png") for i in range(2)), "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(commands.app, [*words, str(tmp_path / "found.json")])
    assert result.exit_code == 1 and result.stderr.count("no room") == 2
    assert len(json.loads((tmp_path / "found.json").read_text("utf-8"))) == 2


def test_a_folder_of_kinds_that_are_not_read(tmp_path):
    from posekit.data.pictures import in_folder

    names = ["a.JPG", "b.png", "c.HEIC", "d.pdf", "._a.jpg", "notes.txt", "e.cr2", "f.mpg"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    inside, others = in_folder(tmp_path)
    assert [path.name for path in inside] == ["a.JPG", "b.png"] and [path.name for path in others] == ["c.HEIC", "e.cr2"]
    for path in inside:
        path.unlink()
    code, _, told = command("predict", "mannequins-hg1", tmp_path)
    assert code == 1 and b"no pictures in this folder, but 2 files of kinds that are not read" in told and told.count(b"\n") == 1
