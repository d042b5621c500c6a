"""`posekit calibrate`, `posekit errors`, and what `predict` makes of a calibration."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import posekit
from posekit.cli import commands as cli

PEOPLE = "mannequins:100,size=64"


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trust")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 40, 3), np.uint8)).save(folder / "a.png")
    return folder


@pytest.fixture(scope="module")
def calibrated(folder):
    made = run("calibrate", "mannequins-hg1", "--data", PEOPLE, "--level", 0.5, "--out", folder / "c.json", "--cache", folder / "cache")
    assert made.exit_code == 0, made.output
    assert "fitted on 10 people of mannequins@val, measured on 10 of mannequins@test" in " ".join(made.stdout.split())
    return folder / "c.json"


def test_predict_gives_what_a_calibration_knows(calibrated, folder):
    plain, told = (
        json.loads(run("predict", "mannequins-hg1", folder / "a.png", *more).stdout) for more in ((), ("--calibration", calibrated))
    )
    assert "radii" not in plain[0] and len(told[0]["probabilities"]) == len(told[0]["radii"]) == 17
    assert plain[0]["keypoints"] == told[0]["keypoints"]
    drawn = run("predict", "mannequins-hg1", folder / "a.png", "--calibration", calibrated, "--out", folder / "drawn")
    assert drawn.exit_code == 0 and (folder / "drawn" / "a.png").is_file()


def test_weights_carry_their_calibration(folder, calibrated):
    target = folder / "own.safetensors"
    options = ("--data", f"{PEOPLE}@val", "--level", 0.5, "--out", target, "--json", folder / "m.json", "--cache", folder / "cache")
    made = run("calibrate", "mannequins-hg1", *options)
    assert made.exit_code == 0, made.output
    assert "errors" not in json.loads((folder / "m.json").read_text()), "nobody was measured on"
    assert len(json.loads(run("predict", target, folder / "a.png").stdout)[0]["radii"]) == 17
    shipped, own = (posekit.load(name) for name in ("mannequins-hg1", target))
    assert target.stat().st_size < 1.05 * (posekit.weights.SHIPPED / "mannequins-hg1.safetensors").stat().st_size
    assert posekit.weights.fingerprint(shipped.model) == posekit.weights.fingerprint(own.model), "to the bit"


def test_errors_are_a_table_and_a_file(folder):
    made = run("errors", "mannequins-hg1", "--data", PEOPLE, "--json", folder / "e.json", "--cache", folder / "cache")
    assert made.exit_code == 0, made.output
    assert "inversion" in made.stdout and "no swap can be seen" in " ".join(made.stdout.split())
    assert json.loads((folder / "e.json").read_text())["people"] == 10


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["calibrate", "mannequins-hg1", "--data", PEOPLE, "--out", "TMP/c.txt"], "let its name end in .json or .safetensors"),
        (["calibrate", "mannequins-hg1", "--data", PEOPLE, "--out", "TMP/no/c.json"], "there is no folder"),
        (["calibrate", "mannequins-hg1", "--data", PEOPLE, "--level", "2", "--cache", "TMP/cache"], "it lies between 0 and 1"),
        (["calibrate", "mannequins-hg1", "--data", PEOPLE, "--level", "0.95", "--cache", "TMP/cache"], "it takes 19 at least"),
        (
            ["calibrate", "mannequins-hg1", "--data", "mannequins:5,size=64", "--cache", "TMP/cache"],
            "has no validation split to calibrate on",
        ),
        (["calibrate", "nonsense", "--data", PEOPLE], "no weights named 'nonsense'"),
        (["errors", "mannequins-hg1", "--data", "nonsense"], "no data set 'nonsense'"),
        (["predict", "mannequins-hg1", "TMP/a.png", "--calibration", "TMP/none.json"], "none.json: no such file"),
        (["predict", "mannequins-hg1", "TMP/a.png", "--calibration", "TMP/a.png"], "not a whole JSON file"),
        (["predict", "lspet-64px-hg1", "TMP/a.png", "--calibration", "TMP/c.json"], "and not of these weights of lspet-64px-hg1"),
        (["predict", "mannequins-hg1", "TMP/a.png", "--calibration", "TMP/c.json", "--flip"], "was fitted without the flip test"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(arguments, says, folder, calibrated):
    result = run(*(argument.replace("TMP", str(folder)) for argument in arguments))
    assert result.exit_code == 1, result.output
    assert says in result.stderr and result.stderr.startswith("posekit: ") and "Traceback" not in result.output
