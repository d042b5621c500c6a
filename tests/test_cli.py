import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from typer.testing import CliRunner

import posekit
from posekit.cli import commands as cli
from posekit.cli import terminal
from posekit.engine import weights
from posekit.engine.inference import prediction
from posekit.engine.weights import Card, save
from posekit.models.hourglass import Hourglass, HourglassConfig

SMALL = [
    "--resolution",
    "32",
    "--features",
    "8",
    "--depth",
    "2",
    "--bottleneck-residuals",
    "1",
    "--batch",
    "4",
    "--no-compile",
]


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def leeds(tmp_path_factory):
    """A folder in the form of Leeds Sports Pose Extended: 32 people, of whom 22 are in train, 2 in val, 8 in test."""
    folder = tmp_path_factory.mktemp("leeds")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    joints = np.ones((14, 3, 32))
    joints[:, :2] = rng.uniform(10, 60, (14, 2, 32))
    for i in range(32):
        Image.fromarray(rng.integers(0, 256, (70, 70, 3), np.uint8)).save(folder / "images" / f"im{i + 1:05}.jpg")
    savemat(folder / "joints.mat", {"joints": joints})
    return folder


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    torch.manual_seed(0)
    config = HourglassConfig.narrow(8, joints=14, depth=2, stacks=2)
    path = tmp_path_factory.mktemp("toy") / "toy.safetensors"
    save(path, Hourglass(config), Card("toy", config.to_dict(), "lsp", 32, "cross-entropy"))
    return path


@pytest.fixture
def photographs(tmp_path):
    """Three good pictures and three that are none."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("000000000139.jpg", "b.png", "c.gif"):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(folder / name)
    (folder / "empty.jpg").touch()
    (folder / "foreign.jpg").write_text("not a picture")
    (folder / "truncated.jpg").write_bytes((folder / "000000000139.jpg").read_bytes()[:900])
    return folder


def fresh(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_and_helping_load_no_torch():
    assert fresh("import sys, posekit; print('torch' in sys.modules, 'numpy' in sys.modules)").split() == [
        "False",
        "False",
    ]
    assert fresh("import sys, posekit.cli.commands; print('torch' in sys.modules, 'numpy' in sys.modules)").split() == ["False", "False"]


def test_everything_that_the_package_promises_is_there():
    for name in posekit.__all__:
        assert getattr(posekit, name) is not None
    assert set(posekit.__all__) <= set(dir(posekit))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        posekit.nonsense  # noqa: B018


def test_help_names_every_command():
    result = run("--help")
    assert result.exit_code == 0
    for command in ("train", "evaluate", "predict", "convert", "bench", "run", "crops", "codes", "sweep", "doctor"):
        assert command in result.output
        assert run(command, "--help").exit_code == 0
    assert run("data", "fetch", "--help").exit_code == 0
    assert "[[x, y, width, height]" in run("predict", "--help").output  # brackets are not taken for markup
    assert "NAME[:PATH][@SPLIT]" in " ".join(result.output.split())
    told = run("run", "01_dataset", "--help")
    assert told.exit_code == 0 and "side of a stored crop" in told.output and "160" in told.output
    assert run("--version").output.strip() == posekit.__version__


def test_predict_draws_and_writes_json_and_goes_on_after_bad_pictures(photographs, toy, tmp_path):
    result = run("predict", toy, photographs, "--out", tmp_path / "out", "--json", tmp_path / "found.json")
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("posekit: ")]
    assert len(lines) == 4 and "3 of 6 pictures" in lines[-1]
    for name in ("empty.jpg", "foreign.jpg", "truncated.jpg"):
        assert sum(name in line for line in lines) == 1
    assert "Traceback" not in result.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["000000000139.png", "b.png", "c.png"]
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found) == 3 and found[0]["image_id"] == 139 and found[0]["file_name"].endswith("000000000139.jpg")
    assert all(len(person["keypoints"]) == 42 and person["bbox"] == [0, 0, 50, 40] for person in found)


@pytest.mark.parametrize("after", [0, 2])
def test_ctrl_c_keeps_the_predictions_made_so_far(photographs, toy, tmp_path, monkeypatch, after):
    pictures = [photographs / name for name in ("b.png", "c.gif", "000000000139.jpg")]
    whole, told = prediction.Predictor.predict, []

    def stopped(self, path, *given, **options):
        told.append(path)
        if len(told) > after:
            raise KeyboardInterrupt
        return whole(self, path, *given, **options)

    (tmp_path / "found.json").write_text("[1]")
    monkeypatch.setattr(prediction.Predictor, "predict", stopped)
    result = run("predict", toy, *pictures, "--out", tmp_path / "out", "--json", tmp_path / "found.json")
    assert result.exit_code == 130 and len(told) == after + 1
    found = json.loads((tmp_path / "found.json").read_text())
    if after:
        assert [person["file_name"] for person in found] == [str(path) for path in pictures[:2]]
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.png", "c.png"]
        assert "stopped; 2 people in 2 of 3 pictures: " in result.stderr and str(tmp_path / "found.json") in result.stderr
        monkeypatch.undo()
        run("predict", toy, *pictures[:2], "--json", tmp_path / "alone.json")
        assert found == json.loads((tmp_path / "alone.json").read_text())
    else:
        assert found == [1] and "stopped; no picture was done yet" in result.stderr


def test_predict_takes_boxes_and_writes_to_standard_output(photographs, toy, tmp_path):
    boxes = {"b.png": [[5, 5, 30, 30], [1, 1, 20, 39]], "c.gif": []}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    result = run(
        "predict",
        toy,
        photographs / "b.png",
        photographs / "c.gif",
        "--boxes",
        tmp_path / "boxes.json",
        "--flip",
    )
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [person["bbox"] for person in found] == boxes["b.png"]
    result = run("predict", toy, photographs / "000000000139.jpg", "--boxes", tmp_path / "boxes.json")
    assert result.exit_code == 1 and "boxes.json: of none of the pictures given" in result.stderr and not result.stdout
    result = run("predict", toy, photographs / "000000000139.jpg", photographs / "b.png", "--boxes", tmp_path / "boxes.json")
    assert "139.jpg: not in" in result.stderr and "nobody is looked for" in result.stderr and "2 people in 1 picture" in result.stderr
    assert [person["bbox"] for person in json.loads(result.stdout)] == boxes["b.png"]


def test_pictures_of_the_same_name_do_not_overwrite_each_other(photographs, toy, tmp_path):
    (tmp_path / "b.png").write_bytes((photographs / "b.png").read_bytes())
    result = run("predict", toy, tmp_path / "b.png", photographs / "b.png", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["b-2.png", "b.png"]


def test_no_drawing_takes_the_place_of_its_picture(photographs, toy):
    before = (photographs / "b.png").read_bytes()
    for command in ("predict", "explain"):
        where = photographs if command == "predict" else photographs / "b.png"
        result = run(command, toy, photographs / "b.png", "--out", where)
        assert result.exit_code == 1 and "written over the picture itself" in result.stderr
    assert (photographs / "b.png").read_bytes() == before and len(list(photographs.iterdir())) == 6


def test_results_have_the_numbers_of_the_file_of_boxes(photographs, toy, tmp_path):
    images = [{"id": 7, "file_name": "b.png"}, {"id": 139, "file_name": "c.gif"}]
    content = {"images": images, "annotations": [{"image_id": image["id"], "bbox": [1, 1, 30, 30]} for image in images]}
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    pictures = [photographs / name for name in ("000000000139.jpg", "b.png", "c.gif")]
    found = json.loads(run("predict", toy, *pictures, "--boxes", tmp_path / "boxes.json").stdout)
    assert [person["image_id"] for person in found] == [7, 139]
    for given in (pictures, [*pictures, pictures[0]]):  # one that is given twice is one picture
        found = json.loads(run("predict", toy, *given).stdout)
        assert [person["image_id"] for person in found] == [139, 1, 2]


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["predict", "nonsense", "x.jpg"], "no weights named 'nonsense'"),
        (["predict", "TOY", "missing.jpg"], "missing.jpg: no such picture"),
        (["predict", "TOY", "missing.jpg", "--json", "no/such/folder.json"], "there is no folder no/such"),
        (["predict", "TOY", "missing.jpg", "--boxes", "missing.json"], "missing.json: No such file"),
        (["predict", "TOY", "x.jpg", "--device", "abacus"], "no device 'abacus'"),
        (["predict", "TOY", "TMP/folder"], "no pictures in this folder"),
        (["predict", "TMP/foreign.safetensors", "x.jpg"], "not a weights file"),
        (["evaluate", "TOY", "--data", "nonsense"], "no data set 'nonsense'"),
        (["evaluate", "TOY", "--data", "lspet:TMP/missing"], "missing"),
        (["evaluate", "TOY", "--data", "lspet:LEEDS@nobody"], "has no split 'nobody'"),
        (
            ["train", "--data", "lspet:LEEDS", "--out", "TMP/out", "--resolution", "100"],
            "not a multiple of 64",
        ),
        (["run", "01_dataset", "-p", "stacks"], "-p NAME VALUE"),
        (["run", "01_dataset", "-p", "size", "1", "2"], "posekit sweep runs several"),
        (["run", "01_datset", "--help"], "there is 01_dataset"),
        (["data", "fetch", "imagenet"], "no data set named 'imagenet'"),
        (["run", "01_dataset", "--nonsense", "1", "2"], "'--nonsense' is not understood"),
        (["sweep", "01_dataset", "-p", "data", "mannequins", "--prest", "smoke"], "'--prest' is not understood"),
        (["predict", "TOY", "x" * 300 + ".jpg"], "x.jpg: File name too long"),
        (["predict", "TOY", "x.jpg", "--json", "TMP/foreign.safetensors"], "holds something else than JSON and would be written over"),
        (["predict", "TOY", "x.jpg", "--json", "TMP/old.json", "--boxes", "TMP/old.json"], "is a file of another option as well"),
        (["calibrate", "TOY", "--data", "mannequins", "--out", "TMP/c.json", "--json", "TMP/c.json"], "of another option as well"),
        (["train", "--data", "lspet:LEEDS", "--out", "TMP/trained"], "no last.pt to go on with: it would be written over"),
        (["train", "--data", "lspet:LEEDS", "--out", "TMP/trained", "--resume"], "no last.pt to go on with: it would be written over"),
        (["evaluate", "TOY", "--data", "mannequins:abc"], "mannequins:abc: 'abc' is not understood"),  # and no emoji named abc
        (["predict", "TOY", "x.jpg", "--out", "TMP/foreign.safetensors"], "is a file, a folder is wanted"),
        (["train", "--data", "lspet:LEEDS", "--out", "TMP/foreign.safetensors"], "is a file, a folder is wanted"),
        (["data", "fetch", "lsp", "--out", "TMP/foreign.safetensors"], "is a file, a folder is wanted"),
        (["explain", "TOY", "x.jpg", "--out", "TMP/x.jpg"], "let its name end in .png"),
        (["convert", "missing.pth", "--out", "TMP/x.safetensors"], "missing.pth"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(arguments, says, toy, leeds, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "foreign.safetensors").write_text("not safetensors")
    (tmp_path / "old.json").write_text('{"x.jpg": []}')
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "weights.safetensors").write_bytes(toy.read_bytes())
    places = {"TOY": toy, "LEEDS": leeds, "TMP": tmp_path}
    before = sorted(tmp_path.iterdir())
    for name, place in places.items():
        arguments = [argument.replace(name, str(place)) for argument in arguments]
    result = run(*arguments, *(["--cache", tmp_path / "cache"] if arguments[0] in ("train", "evaluate") else []))
    assert result.exit_code == 1, result.output
    assert says in result.stderr and "Traceback" not in result.output
    assert all(line.startswith("posekit: ") for line in result.stderr.splitlines()[:1])
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "cache"] == before  # nothing half-written


def test_a_number_out_of_range_is_refused(tmp_path):
    result = run("train", "--data", "mannequins", "--out", tmp_path / "out", "--lr", "-1")
    assert result.exit_code == 2 and "--lr" in result.stderr and not (tmp_path / "out").exists()


def test_a_result_goes_into_what_is_no_file_as_it_comes(photographs, toy, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
    result = run("predict", toy, photographs / "b.png", "--json", pipe)
    assert result.exit_code == 0 and "1 person in 1 picture:" in result.stderr
    assert len(json.loads(reader.communicate(timeout=60)[0])) == 1 and pipe.is_fifo()


@pytest.mark.parametrize("where, says", [(">&-", "standard output is closed"), (">/dev/full", "No space left on device")])
def test_standard_output_that_takes_nothing_is_told(photographs, toy, where, says):
    pictures = " ".join([str(photographs / "b.png")] * 9)  # more than is held back until the end
    result = subprocess.run(f"{sys.executable} -m posekit predict {toy} {pictures} {where}", shell=True, capture_output=True, text=True)
    assert result.returncode == 1 and f"posekit: {says}" in result.stderr and "Traceback" not in result.stderr


def test_evaluate_prints_tables_and_writes_json(leeds, toy, tmp_path):
    arguments = ["evaluate", toy, "--data", f"lspet:{leeds}", "--cache", tmp_path / "cache", "--flip"]
    result = run(*arguments, "--json", tmp_path / "scores.json", "--against", toy)
    assert result.exit_code == 0, result.output
    assert "pck@0.2·torso" in result.stdout and "left wrist" in result.stdout and "stack 2" in result.stdout
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["people"] == 8 and len(scores["stacks"]) == 2 and scores["flip"]
    assert scores["metrics"] == scores["stacks"][-1]["metrics"]
    assert scores["against"]["mean"] == 0
    assert json.loads(run(*arguments, "--json", "-").stdout)["metrics"] == scores["metrics"]


def test_evaluate_skips_and_counts_unreadable_pictures(leeds, toy, tmp_path):
    people = posekit.load_people(f"lspet:{leeds}@test")
    broken = tmp_path / "leeds"
    (broken / "images").mkdir(parents=True)
    for path in (leeds / "images").iterdir():
        (broken / "images" / path.name).write_bytes(path.read_bytes() if path.name != people.names[3] else b"")
    (broken / "joints.mat").write_bytes((leeds / "joints.mat").read_bytes())
    arguments = [
        "evaluate",
        toy,
        "--data",
        f"lspet:{broken}",
        "--cache",
        tmp_path / "cache",
        "--json",
        tmp_path / "scores.json",
    ]
    result = run(*arguments)
    assert result.exit_code == 1 and str(people.names[3]) in result.stderr
    assert not (tmp_path / "scores.json").exists()
    assert run(*arguments, "--on-error", "skip").exit_code == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["people"] == 7 and sum(scores["left_out"].values()) == 1


def test_train_leaves_weights_with_a_card_and_resumes(leeds, tmp_path):
    out = tmp_path / "out"
    arguments = ["train", "--data", f"lspet:{leeds}", "--out", out, "--cache", tmp_path / "cache", *SMALL]
    result = run(*arguments, "--epochs", "2", "--plain", "--note", "a toy")
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[0].endswith("float32, contiguous")
    assert "epoch 2: loss" in result.stderr
    _, card = weights.load(out)
    assert card.name == "out" and card.note == "a toy" and card.skeleton == "lsp" and card.data == "lspet@train"
    assert card.recipe["epochs"] == 2 and len(card.history) == 2 and card.metrics["data"].endswith("@val")
    assert card.metrics["metrics"]["pck@0.2·torso"]["people"] == 2
    result = run(*arguments, "--epochs", "2", "--plain")
    assert result.exit_code == 1 and "--resume" in result.stderr
    assert run(*arguments, "--epochs", "2", "--plain", "--resume").exit_code == 0
    assert run("predict", out, leeds / "images" / "im00001.jpg").exit_code == 0


def test_ctrl_c_keeps_the_training_and_says_how_to_go_on(leeds, tmp_path):
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "posekit",
        "train",
        "--data",
        f"lspet:{leeds}",
        "--out",
        out,
        "--cache",
        tmp_path / "cache",
        *SMALL,
    ]
    process = subprocess.Popen([*map(str, command), "--epochs", "100000"], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("epoch 1:"):
            break
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "--resume" in rest and "Traceback" not in rest
    assert (out / "last.pt").exists() and not (out / "weights.safetensors").exists()


def test_collapsed_peaks_are_reported(capsys):
    class Bars:
        def follow(self, *_):
            pass

    report = terminal.Report(Bars(), "mse", 256, 1.0)
    figures = {
        "validated": True,
        "epoch": 1,
        "loss": 1e-3,
        "val_loss": 1e-3,
        "pck": 0.0,
        "val_peak": 0.01,
        "seconds": 1.0,
    }
    report(figures)
    assert "warning: the heatmaps' peaks have collapsed" in capsys.readouterr().err
    report(figures | {"val_peak": 0.4})
    assert "warning" not in capsys.readouterr().err
    assert terminal.collapsed("cross-entropy", 2 / 256, 256) and not terminal.collapsed("cross-entropy", 4 / 256, 256)


def test_a_notebook_gets_its_parameters(monkeypatch, tmp_path):
    from posekit.workflow import execution

    heard = []
    monkeypatch.setattr(execution, "run_notebook", lambda *given: heard.append(given) or tmp_path)
    result = run("run", "02_training", "-p", "stacks", "2", "--preset", "smoke", "-p", "learning_rate", "-1")
    assert result.exit_code == 0, result.output
    assert heard == [("02_training", {"stacks": "2", "learning_rate": "-1"}, "smoke")]
    assert result.stdout.strip() == str(tmp_path)
