"""Staleness and the life of a run, on notebooks of a few lines."""

import json
import os

import nbformat
import papermill
import pytest
import tiny_project
from tiny_project import first, replace

from posekit.errors import PosekitError
from posekit.workflow import book as workflow
from posekit.workflow import execution, pages, parameters, runs, staleness


@pytest.fixture
def project(tmp_path, monkeypatch):
    return tiny_project.made(tmp_path, monkeypatch)


def key(**given) -> str:
    return staleness.fingerprint(first(), parameters.check(first(), given))


def test_fingerprint_knows_parameters_and_code(project):
    before = key()
    assert key() == before
    assert key(people=21) != before
    replace(first(), "# # First", "# # The first, better put")
    replace(first(), "kept.touch()", "kept.touch()   # a comment")
    replace(first(), "people: int = 20", "people: int = 20  # more help")
    os.utime(first(), (0, 0))
    assert key() == before, "prose, comments and file times change nothing"
    replace(first(), '"no power"', '"no light"')
    assert key() != before


def test_fingerprint_knows_the_library(project):
    module = project / "library" / "errors.py"
    before = key()
    os.utime(module, (0, 0))
    replace(module, "class ", "# only a comment\nclass ")
    replace(module, "    pass", '    """Whose fault it is."""\n    pass')
    (project / "library" / "cli.py").write_text("X = 1")  # what the notebook does not import
    assert key() == before, "comments and docstrings change nothing"
    replace(module, "class ", "X = 1\n\n\nclass ")
    assert key() != before
    before, named = key(), key(start="one")
    (project / "library" / "shipped").mkdir()
    (project / "library" / "shipped" / "one.safetensors").write_bytes(b"weights")
    assert key() == before and key(start="one") != named, "shipped weights count where they are named"


def test_fingerprint_knows_the_data(project, monkeypatch):
    folder = project / "photographs" / "images"
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(b"one")
    monkeypatch.setenv("HOME", str(project))
    assert key(data="lspet:~/photographs") != key(data="lspet:~/paintings")
    at_home = key(data="lspet:~/photographs")
    (folder / "0.jpg").write_bytes(b"none")
    assert key(data="lspet:~/photographs") != at_home
    before = key(data="lspet:photographs@test")
    os.utime(folder / "1.jpg", (0, 0))
    assert key(data="lspet:photographs@test") == before
    (folder / "2.jpg").write_bytes(b"two")
    assert key(data="lspet:photographs@test") != before
    before = key(sources=["lspet:photographs"])
    (folder / "1.jpg").write_bytes(b"another")
    assert key(sources=["lspet:photographs"]) != before


def test_fingerprint_knows_the_files_of_a_folder_that_a_parameter_names(project):
    folder = project / "kept" / "lspet"
    folder.mkdir(parents=True)
    (folder / "base.json").write_text("1")
    seen = [key(start="kept/lspet")]
    (folder / "base.json").write_text("2")
    seen.append(key(start="kept/lspet"))
    (folder / "lean.json").write_text("1")
    seen.append(key(start="kept/lspet"))
    os.utime(folder / "lean.json", (0, 0))
    assert len(set(seen)) == 3 and key(start="kept/lspet") == seen[-1]


def test_fingerprint_knows_corrected_annotations_of_the_same_length_and_links_that_lead_nowhere(project):
    folder = project / "photographs"
    folder.mkdir()
    (folder / "people.json").write_text('{"left": 1}')
    (folder / "x.jpg").symlink_to(project / "nowhere")
    (folder / "round").symlink_to(folder)
    before = key(data="coco:photographs")
    (folder / "people.json").write_text('{"left": 2}')
    assert key(data="coco:photographs") != before


@pytest.mark.parametrize(
    "data", ["coco:photographs", "coco:photographs/annotations/people.json", "lspet:photographs@train", "coco:a@home@a"]
)
def test_fingerprint_knows_pictures_that_others_of_as_many_bytes_replaced(project, data):
    for folder in ("photographs", "a@home"):
        (project / folder / "annotations").mkdir(parents=True)
        (project / folder / "annotations" / "people.json").write_text("{}")
        (project / folder / "1.jpg").write_bytes(b"one")
    before = key(data=data)
    os.utime(project / "photographs" / "1.jpg", (0, 0))
    assert key(data=data) == before
    for folder in ("photographs", "a@home"):
        (project / folder / "1.jpg").write_bytes(b"two")
    assert key(data=data) != before


def test_fingerprint_knows_the_reference_run(project):
    before = key()
    assert runs.reference("01_first") is None
    (project / "book" / "reference" / "lspet").mkdir(parents=True)
    (project / "book" / "reference" / "lspet" / "01_first.json").write_text('{"pck": 0.5}')
    assert runs.reference("01_first") == {"pck": 0.5}
    assert key() != before
    own = staleness.fingerprint(first(), parameters.check(first(), {}), preset="lspet")
    assert own == before, "a run does not depend on what was kept of itself"
    (project / "book" / "reference" / "lspet" / "01_first.json").write_text('{"pck": 0.5')
    with pytest.raises(PosekitError, match=r"lspet/01_first\.json: not a whole JSON file"):
        runs.reference("01_first")


def test_fingerprint_knows_the_reference_runs_of_notebooks_that_the_code_names(project):
    kept = project / "book" / "reference" / "lspet" / "02_second.json"
    kept.parent.mkdir(parents=True)
    before = key()
    kept.write_text('{"pck": 0.5}')
    assert key() == before, "the first does not speak of the second"
    replace(first(), "run = runs.current()", 'run, known = runs.current(), runs.reference("02_second")')
    for preset in ("small", "lspet"):
        kept.write_text('{"pck": 0.5}')
        before = staleness.fingerprint(first(), parameters.check(first(), {}), preset=preset)
        kept.write_text('{"pck": 0.6}')
        assert staleness.fingerprint(first(), parameters.check(first(), {}), preset=preset) != before


def test_a_run_is_kept_as_a_reference(project):
    values = parameters.check(first(), {"people": 3})
    with pytest.raises(PosekitError, match="runs/lspet/01_first is not a finished run: make book PRESET=lspet"):
        runs.keep_reference("lspet", "01_first")
    execution.execute(first(), values, project / "runs" / "lspet" / "01_first")
    path = runs.keep_reference("lspet", "01_first")
    assert path == project / "book" / "reference" / "lspet" / "01_first.json"
    kept = runs.reference("01_first", "lspet")
    assert kept["metrics"] == {"people": 3, "rate": None}
    assert kept["provenance"]["parameters"] == values and "torch" in kept["provenance"]["packages"]


def test_a_part_without_chapters_is_left_out_of_the_contents(project):
    contents = {"root": "index", "parts": [{"caption": "A", "chapters": [{"file": "01_first"}, {"file": "desk"}]},
                                           {"caption": "B", "chapters": [{"file": "02_second"}]}]}  # fmt: skip
    steps = {"01_first": workflow.plan("small")["01_first"]}
    found = pages._without_absent(contents, steps)
    assert found == {"root": "index", "parts": [contents["parts"][0]]}


def test_a_run_from_start_to_end(project, capfd):
    """Fails, is taken up again where it was, is kept when whole, and is not run twice."""
    out = project / "runs" / "small" / "01_first"
    values = parameters.check(first(), {"people": 3})
    stale = out.parent / ".01_first.partial"
    stale.mkdir(parents=True)
    (stale / "checkpoint").touch()  # another fingerprint's

    (project / "broken").touch()
    with pytest.raises(PosekitError) as error:
        execution.execute(first(), values, out)
    line = 'assert not run.path("../../../broken").exists(), "no power"'
    assert f"failed in cell 4 (`{line}`): AssertionError: no power" in str(error.value)
    assert "people=3" in str(error.value)
    assert "\n" not in str(error.value)
    assert "from the start" in capfd.readouterr().out
    assert not out.exists()
    failed = out.parent / "01_first.failed.ipynb"
    assert any("no power" in str(cell.get("outputs")) for cell in nbformat.read(failed, as_version=4).cells)

    (project / "broken").unlink()
    execution.execute(first(), values, out)
    assert "taken up" in capfd.readouterr().out
    assert json.loads((out / "metrics.json").read_text()) == {"metrics": {"people": 3, "rate": None}}
    assert json.loads((out / "params.json").read_text())["parameters"] == values
    made = json.loads((out / "provenance.json").read_text())
    assert set(made) == {"commit", "dirty", "started", "python", "packages", "hardware", "wall_seconds"}
    assert made["packages"]["papermill"]
    assert made["hardware"]["cores"] >= 1
    assert [p.name for p in out.parent.iterdir()] == ["01_first"], "nothing temporary is left"

    before = (out / "01_first.ipynb").stat().st_mtime_ns
    execution.execute(first(), values, out)
    assert (out / "01_first.ipynb").stat().st_mtime_ns == before
    assert "up to date" in capfd.readouterr().out


@pytest.mark.parametrize("failures", [1, 3])
def test_a_kernel_that_does_not_start_is_started_again_but_not_for_ever(project, monkeypatch, capfd, failures):
    """As where another process takes its ports after they were chosen: jupyter_client waits for an answer and gives up."""
    begun, out = [], project / "runs" / "small" / "01_first"
    execute_notebook = papermill.execute_notebook

    def execute(*arguments, **options):
        begun.append(options)
        if len(begun) <= failures:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return execute_notebook(*arguments, **options)

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    if failures == 3:
        with pytest.raises(
            PosekitError, match=r"^01_first: its kernel does not start \(Kernel didn't respond in 60 seconds\); run it again$"
        ):
            execution.execute(first(), parameters.check(first(), {}), out)
        assert len(begun) == 3 and not out.exists()
    else:
        execution.execute(first(), parameters.check(first(), {}), out)
        assert len(begun) == 2 and (out / "metrics.json").exists()
        assert "its kernel did not start" in capfd.readouterr().out


def test_run_notebook_and_its_page(project):
    out = execution.run_notebook("01_first", {"flip": "no"}, preset="small")
    assert out.parent == project / "runs" / "custom"
    ran = json.loads((out / "params.json").read_text())
    assert (ran["parameters"]["people"], ran["parameters"]["flip"]) == (3, False)

    replace(first(), "# # First", "# # Put better")
    step = workflow.Step(first(), ran["parameters"], out, {}, (), ran["fingerprint"])
    page = nbformat.reads(pages.page(step), as_version=4)
    assert [cell.cell_type for cell in page.cells] == ["markdown", "code", "code", "code"]
    assert page.cells[0].source == "# Put better"
    assert "people = 3\nrate = 0.5  # of what\nflip = False" in page.cells[1].source
    assert "from the start" in page.cells[3].outputs[0].text
    assert all("hide-input" in cell.metadata.tags for cell in page.cells[1:])
    assert "papermill" not in str(page)


def test_run_notebook_says_what_is_missing(project):
    with pytest.raises(PosekitError, match="run 01_first of preset small first"):
        execution.run_notebook("02_second", {}, preset="small")
    with pytest.raises(PosekitError, match="no notebook named '02_secnd'; there is 02_second"):
        execution.run_notebook("02_secnd", {})
    with pytest.raises(PosekitError, match="02_second has no parameter 'stacks'"):
        execution.run_notebook("02_second", {"stacks": "2"})


def test_two_processes_do_not_write_one_run(project):
    out = project / "01_first"
    with execution._locked(out), pytest.raises(PosekitError, match="01_first is being written"):
        execution.execute(first(), parameters.check(first(), {}), out)


def test_plan_follows_what_runs_read(project):
    steps = workflow.plan("small")
    second = steps["02_second"]
    assert second.reads == ("01_first",)
    assert second.params["counted"] == "runs/small/01_first/metrics.json"
    assert "to run" in workflow.describe("small", steps)

    replace(project / "presets" / "small.yaml", "people: 3", "people: 4")
    assert workflow.plan("small")["02_second"].fingerprint != second.fingerprint
    replace(project / "presets" / "small.yaml", "run:01_first", "run:03_third")
    with pytest.raises(PosekitError, match="03_third must come first"):
        workflow.plan("small")


def test_the_book_is_stale_when_its_prose_is(project):
    (project / "book").mkdir()
    (project / "book" / "index.md").write_text("# One")
    steps = workflow.plan("small")
    before = workflow.book_stamp("small", steps)
    os.utime(project / "book" / "index.md", (0, 0))
    assert workflow.book_stamp("small", steps) == before
    replace(first(), "# # First", "# # The first")
    assert workflow.plan("small")["01_first"].stamp == steps["01_first"].stamp, "nothing runs again"
    assert workflow.book_stamp("small", steps) != before


def test_current_outside_a_run_has_a_place_of_its_own(project, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/01_first.ipynb")
    assert runs.current().folder == project / "runs" / "adhoc" / "01_first"
    monkeypatch.setenv("POSEKIT_RUN", str(project / ".01_first.partial"))
    assert runs.current().name == "01_first"
    assert runs.current().path("figures/loss.svg").parent.is_dir()
