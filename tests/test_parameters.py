"""Parameters of notebooks, as a person types them and as presets have them."""

import re
from pathlib import Path

import pytest
import tiny_project
from tiny_project import REPOSITORY, first, replace

from posekit.errors import PosekitError
from posekit.workflow import book as workflow
from posekit.workflow import parameters


@pytest.fixture
def project(tmp_path, monkeypatch):
    return tiny_project.made(tmp_path, monkeypatch)


def test_parameters_have_name_default_type_and_help(project):
    found = parameters.parameters(first())
    assert list(found) == ["data", "people", "rate", "flip", "sizes", "sources", "start"]
    assert found["data"] == parameters.Parameter("data", "mannequins", str, "which people: NAME[:PATH][@SPLIT]")
    assert found["people"].type is int
    assert found["people"].help == ""
    assert found["sizes"].type == list[int]
    assert found["start"].type == str | None


@pytest.mark.parametrize("line", ["people: int = 1.5", "people = 2 * 10", "import os", "people: int", "people: Path = 'x'"])
def test_parameters_that_are_no_literals_are_refused(project, line):
    replace(first(), "people: int = 20", line)
    with pytest.raises(PosekitError, match=r"01_first\.py: a parameter is"):
        parameters.parameters(first())


def test_check_fills_in_defaults(project):
    values = parameters.check(first(), {"people": 3, "rate": 1})
    assert values == {
        "data": "mannequins", "people": 3, "rate": 1.0, "flip": True, "sizes": [64, 128], "sources": [],
        "start": None,
    }  # fmt: skip
    assert isinstance(values["rate"], float)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"poeple": 3}, "01_first has no parameter 'poeple'; there is people"),
        ({"people": "3"}, "people takes int, not '3' (default 20)"),
        ({"people": True}, "people takes int, not True"),  # a bool is no number
        ({"people": 1.5}, "people takes int, not 1.5"),
        ({"flip": 1}, "flip takes bool, not 1"),
        ({"sizes": [64, "x"]}, "sizes takes list[int], not [64, 'x']"),
        ({"start": 4}, "start takes str | None, not 4"),
        ({"people": -5}, "people cannot be negative, as -5 is (default 20)"),
        ({"sizes": [64, -1]}, "sizes cannot be negative, as [64, -1] is"),
    ],
)
def test_check_refuses_by_name(project, given, said):
    with pytest.raises(PosekitError) as error:
        parameters.check(first(), given)
    assert said in str(error.value)


def test_what_is_negative_by_default_may_be_so(project):
    replace(first(), "people: int = 20", "people: int = -1")
    assert parameters.check(first(), {"people": -2, "rate": 0})["people"] == -2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ({"people": "7"}, 7),
        ({"rate": "1e-3"}, 1e-3),
        ({"rate": "2"}, 2.0),
        ({"flip": "False"}, False),
        ({"flip": "yes"}, True),
        ({"data": "7"}, "7"),
        ({"sizes": "[32]"}, [32]),
        ({"start": "none"}, None),
        ({"start": "here"}, "here"),
    ],
)
def test_parse_gives_the_parameters_type(project, text, value):
    [parsed] = parameters.parse(first(), text).values()
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize("text", [{"people": "7.5"}, {"flip": "2"}, {"sizes": "32"}, {"sizes": "[1"}, {"rate": "x"}])
def test_parse_refuses_by_name(project, text):
    with pytest.raises(PosekitError, match=f"01_first: {next(iter(text))} takes"):
        parameters.parse(first(), text)


def test_preset_is_checked(project):
    preset = project / "presets" / "small.yaml"
    assert parameters.load_preset("small")["01_first"]["people"] == 3
    replace(preset, "people: 3", "people: 3\n  rate: 1e-3")
    assert parameters.load_preset("small")["01_first"]["rate"] == 1e-3
    replace(preset, "people", "peopel")
    with pytest.raises(PosekitError, match=r"small\.yaml: 01_first has no parameter 'peopel'.*people"):
        parameters.load_preset("small")
    replace(preset, "01_first:", "01_frist:")
    with pytest.raises(PosekitError, match="no notebook named '01_frist'; there is 01_first"):
        parameters.load_preset("small")
    with pytest.raises(PosekitError, match="no preset named 'smal'; there is small"):
        parameters.load_preset("smal")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("01_first: {people: 3}\n02_second: {}\n01_first: {flip: true}\n", "01_first is given twice, the second time in line 3"),
        ("01_first:\n  people: 3\n  people: 4\n", "people is given twice, the second time in line 3"),
        ("1: {people: 3}\n", "no notebook named '1'"),
        ("01_first: {rate: .nan}\n", "01_first: rate is nan; give a finite number"),
        ("01_first: {people: 3}  # caf\xe9\n", "not in UTF-8; save it so"),
    ],
)
def test_a_preset_that_would_be_read_otherwise_than_meant_is_refused(project, text, said):
    (project / "presets" / "odd.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(PosekitError, match=rf"presets/odd\.yaml: {re.escape(said)}"):
        parameters.load_preset("odd")


def test_a_preset_may_repeat_by_an_anchor_and_change_what_it_repeats(project):
    (project / "presets" / "odd.yaml").write_text("01_first: {<<: {people: 3, flip: false}, flip: true}\n")
    assert {name: parameters.load_preset("odd")["01_first"][name] for name in ("people", "flip")} == {"people": 3, "flip": True}


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_parameters_are_finite(project, number):
    with pytest.raises(PosekitError, match=f"01_first: rate is {number}; give a finite number"):
        parameters.check(first(), parameters.parse(first(), {"rate": number}))


def test_the_projects_own_presets_hold(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    for preset in Path("presets").glob("*.yaml"):
        workflow.plan(preset.stem)
