"""What `posekit doctor` says of this machine, and of machines that lack something."""

import os
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posekit.cli import commands as cli
from posekit.cli.hardware import doctor

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A checkout whose presets name photographs, some of which are there."""
    for folder in ("notebooks", "presets", "photographs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks" / "01_first.py").write_text('# %% tags=["parameters"]\ndata = "mannequins"\nothers: list[str] = []\n')
    (tmp_path / "presets" / "mine.yaml").write_text("01_first:\n  data: lspet:photographs@train\n  others: ['coco:nowhere@val', one]\n")
    (tmp_path / "requirements.lock").write_text((REPOSITORY / "requirements.lock").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told() -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine()}


def test_a_sound_machine_lacks_nothing_essential(here):
    findings = told()
    assert not any(finding.essential for finding in findings.values())
    assert findings["cores"].found.startswith(str(len(os.sched_getaffinity(0))))
    assert float(findings["memory"].found.split()[0]) > 0
    assert {"GPUs", "free disk", "bfloat16", "will compute with", "will compile", "requirements.lock"} <= set(findings)
    result = CliRunner().invoke(cli.app, ["doctor"])
    assert result.exit_code == 0 and "will compute with" in result.output and "– optional" in result.output


def test_photographs_that_presets_name_are_looked_for(here):
    findings = told()
    assert findings["photographs"].found == "there, for preset mine" and not findings["photographs"].lacking
    assert findings["nowhere"].lacking == "preset mine cannot run"


def test_what_differs_from_the_lock_is_named(here):
    lock = here / "requirements.lock"
    lock.write_text(lock.read_text().replace("pooch==", "pooch==0.") + "nonsense==1.0\n")
    lacking = told()["requirements.lock"].lacking
    assert "(lock: 0." in lacking and "nonsense missing (lock: 1.0)" in lacking


def test_a_missing_requirement_ends_in_exit_code_1(here, monkeypatch):
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda _: ["numpy>=99", "typer", 'playwright>=99; extra == "dev"'])
    essential = [finding for finding in doctor.packages() if finding.essential]
    assert [finding.what for finding in essential] == ["numpy"] and "numpy>=99 is needed" in essential[0].lacking
    result = CliRunner().invoke(cli.app, ["doctor"])
    assert result.exit_code == 1 and "put right first" in result.stderr


def test_missing_extras_say_what_is_not_possible(here, monkeypatch):
    needs = ['nonsense>=1; extra == "plots"', 'numpy>=1; extra == "fetch"', 'posekit[plots]; extra == "book"', "typer"]
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda _: needs)
    (finding,) = [finding for finding in doctor.packages() if finding.what.startswith("posekit[")]
    assert (finding.what, finding.found, finding.essential) == ("posekit[plots]", "without nonsense", False)
    assert finding.lacking == 'no figures: pip install "posekit[plots]"'


def test_the_extras_of_the_package_are_known():
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert {*extras} == {*doctor.EXTRAS, "cli", "openvino", "dev"}  # without the first nothing is said, of the second much


def test_missing_programs_say_what_is_not_possible(here, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    assert {finding.what for finding in doctor.programs() if finding.lacking} == set(doctor.OPTIONAL)


def test_outside_a_checkout_it_still_answers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    findings = told()
    assert "not in a checkout" in findings["requirements.lock"].lacking and "presets" in findings
