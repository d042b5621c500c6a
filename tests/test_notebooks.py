"""The notebooks: what of their code a page shows, and that they run by hand, outside the workflow."""

import os
import re
from pathlib import Path

import jupytext
import papermill
import pytest

from posekit.workflow.parameters import cells, is_parameters

REPOSITORY = Path(__file__).parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.py"))
SHOWN = {"remove-cell", "hide-input", "show-input"}
HIDDEN = re.compile(r"^(import|from posekit\b.* import) |\bruns\.current\(\)|\.write_metrics\(", re.MULTILINE)
DRAWING = re.compile(r"plt\.show\(\)|run\.save_figure\(|\.savefig\(")


def code(notebook):
    return [(cell, {*cell.metadata.get("tags", [])}) for cell in cells(notebook) if cell.cell_type == "code" and not is_parameters(cell)]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_shows_the_science_and_no_set_up(notebook):
    for cell, tags in code(notebook):
        first = cell.source.partition("\n")[0]
        assert len(tags & SHOWN) == 1 and "remove-input" not in tags, f"{first}: a cell is one of {SHOWN}"
        if "remove-cell" in tags:
            assert not DRAWING.search(cell.source), f"{first}: what makes a figure can be unfolded above it"
        else:
            assert not HIDDEN.search(cell.source), f"{first}: set-up and bookkeeping are hidden"
        if "show-input" in tags:
            lines = [line for line in cell.source.splitlines() if line.strip()]
            assert len(lines) <= 10, f"{first}: {len(lines)} lines stand open; split the cell"
    assert any("show-input" in tags for _, tags in code(notebook)), "no call stands open"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A checkout of which nothing but what a notebook reads is there."""
    for folder in ("book", "presets"):
        (tmp_path / folder).symlink_to(REPOSITORY / folder)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]))
    for variable in ("POSEKIT_RUN", "JPY_SESSION_NAME"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "given"), [("01_dataset", {"data": "mannequins:40,size=80", "size": 80, "examples": 8}), ("10_claims", {})]
)
def test_a_notebook_runs_in_jupyter(elsewhere, name, given):
    """As `jupytext --to notebook` and "Run all" do it, in the folder that it lies in."""
    opened = elsewhere / "notebooks" / f"{name}.ipynb"
    jupytext.write(jupytext.read(REPOSITORY / "notebooks" / f"{name}.py"), opened)
    done = papermill.execute_notebook(opened, opened, parameters=given, kernel_name="python3", cwd=opened.parent, progress_bar=False)
    assert not [output for cell in done.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    assert (elsewhere / "runs" / "adhoc" / "notebook" / "metrics.json").is_file()
    assert [path.name for path in opened.parent.iterdir()] == [opened.name], "caches are the checkout's"
