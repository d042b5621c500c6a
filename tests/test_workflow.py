"""What is stale and why, and a book of which a notebook fails, on notebooks of a few lines."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from posekit.errors import PosekitError
from posekit.workflow import book as workflow
from posekit.workflow import pages, parameters, staleness

REPOSITORY = Path(__file__).parents[1]

FIRST = """\
# %% [markdown]
# # The first

# %% tags=["parameters"]
data = ""  # a file
people = 20  # how many

# %%
from pathlib import Path

from posekit import runs

run = runs.current()
assert not Path("broken").exists(), "no power"
run.write_metrics({"say": {"people": f"{people} people"}})
"""

SECOND = """\
# %% [markdown]
# # The second
#
# It counted {{ runs["02_second"].say.counted }}.

# %% tags=["parameters"]
counted = ""  # the metrics of the first

# %%
import json

from posekit import runs

runs.current().write_metrics({"say": {"counted": json.load(open(counted))["say"]["people"]}})
"""

THIRD = """\
# %% [markdown]
# # The third

# %% tags=["parameters"]
factor = 2  # of nothing

# %%
import matplotlib.pyplot as plt

from posekit import runs

figure, ax = plt.subplots()
runs.current().save_figure(figure, "plain")
runs.current().write_metrics({"say": {"factor": str(factor)}})
"""

INDEX = """\
# Of three chapters

There are {{ runs["01_first"].say.people }}, {{ runs['02_second'].say.counted }} and {{ runs["03_third"].say.factor }}.

```{figure} figures/03_third/plain.svg
:alt: plain
Plain
```

{{ parameters }}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    for folder in ("notebooks", "presets", "book/reference"):
        (tmp_path / folder).mkdir(parents=True)
    for name, text in (("01_first", FIRST), ("02_second", SECOND), ("03_third", THIRD)):
        (tmp_path / "notebooks" / f"{name}.py").write_text(text)
    (tmp_path / "presets" / "small.yaml").write_text(
        "01_first:\n  people: 3\n02_second:\n  counted: run:01_first/metrics.json\n03_third:\n"
    )
    (tmp_path / "_config.yml").write_text(
        "title: Small\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"
        "parse: {myst_enable_extensions: [colon_fence, substitution]}\n"
    )
    (tmp_path / "book" / "index.md").write_text(INDEX)
    (tmp_path / "book" / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters: [{file: 01_first}, {file: 02_second}, {file: 03_third}]\n"
    )
    for kept in (REPOSITORY / "book" / "reference").glob("bench-*.json"):
        shutil.copy(kept, tmp_path / "book" / "reference")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.delenv("POSEKIT_RUN", raising=False)
    return tmp_path


@pytest.fixture
def library(project, monkeypatch):
    """A library of two modules in place of the real one, which may be edited while the tests run."""
    (project / "library" / "workflow").mkdir(parents=True)
    (project / "library" / "errors.py").write_text("X = 1\n")
    (project / "library" / "workflow" / "runs.py").write_text("from ..errors import X\n")
    monkeypatch.setattr(staleness, "__file__", str(project / "library" / "workflow" / "staleness.py"))
    return project / "library"


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def pretend(step: workflow.Step, seconds: float | None = 100.0) -> None:
    """Leave the run of a step as `execute` would, without making it."""
    step.out.mkdir(parents=True, exist_ok=True)
    made_of = staleness.ingredients(step.notebook, step.params, step.upstream, "small")
    (step.out / "params.json").write_text(json.dumps({"parameters": step.params, "ingredients": made_of}))
    (step.out / "provenance.json").write_text(json.dumps({"wall_seconds": seconds}))
    step.stamp.touch()


def reasons(name: str) -> list[str]:
    return workflow.why_stale(workflow.plan("small")[name])


def test_why_a_run_is_stale(library, project):
    assert reasons("01_first") == ["not run yet"]
    (project / "photographs.txt").write_text("one")
    replace(project / "presets" / "small.yaml", "people: 3", "people: 3\n  data: photographs.txt")
    for step in workflow.plan("small").values():
        pretend(step)

    first = project / "notebooks" / "01_first.py"
    changes = [
        (first, '"no power"', '"no light"', "the notebook's code has changed"),
        (project / "presets" / "small.yaml", "people: 3", "people: 4", "other parameters: people = 4"),
        (project / "photographs.txt", "one", "two", "what is behind data has changed"),
        (library / "errors.py", "X = 1", "X = 2", "library: errors.py"),
    ]
    for path, old, new, reason in changes:
        replace(path, old, new)
        assert reasons("01_first") == [reason]
        replace(path, new, old)

    replace(first, '"no power"', '"no light"')
    replace(library / "workflow" / "runs.py", "import X", "import X as x")
    assert reasons("01_first") == ["the notebook's code has changed", "library: workflow/runs.py"]
    assert reasons("02_second") == ["another run of 01_first is read", "library: workflow/runs.py"]
    (project / "runs" / "small" / "03_third" / "params.json").write_text('{"parameters": {}}')
    assert reasons("03_third") == ["what the last run was made of is not known"]


def test_what_is_to_be_done_is_said_with_its_time(library, project):
    told = workflow.describe("small", workflow.plan("small"))
    assert "01_first: to run, not run yet (time unknown)" in told and "in all" not in told
    for step in workflow.plan("small").values():
        pretend(step)
    assert workflow.describe("small", workflow.plan("small")).count("up to date") == 3
    replace(project / "notebooks" / "01_first.py", '"no power"', '"no light"')
    told = workflow.describe("small", workflow.plan("small"))
    assert "01_first: to run, the notebook's code has changed (about 2 min)" in told
    assert "02_second: to run, another run of 01_first is read" in told and "03_third: up to date" in told
    assert "in all about 3 min one after the other, by the last time each was run" in told

    folder = project / "book" / "reference" / "small"
    folder.mkdir()
    shutil.rmtree(project / "runs")
    (folder / "02_second.json").write_text('{"provenance": {"wall_seconds": 7.2}}')
    told = workflow.describe("small", workflow.plan("small"))
    assert "02_second: to run, not run yet (about 7 s)" in told and "in all about 7 s one after the other, and 2 of unknown length" in told


def test_gaps_are_failures_and_what_reads_them(library, project):
    steps = workflow.plan("small")
    with pytest.raises(PosekitError, match="01_first is not up to date"):
        workflow.gaps(steps)
    pretend(steps["03_third"])
    failure = {"fingerprint": steps["01_first"].fingerprint, "message": "no power"}
    (steps["01_first"].out.parent / "01_first.failed.json").write_text(json.dumps(failure))
    assert workflow.gaps(steps) == {"01_first": "no power.", "02_second": "It reads 01_first, and there is no run of that."}
    assert reasons("01_first") == ["failed last time"]
    replace(project / "notebooks" / "01_first.py", '"no power"', '"no light"')
    with pytest.raises(PosekitError, match="01_first is not up to date"):
        workflow.gaps(workflow.plan("small"))  # another notebook's failure says nothing of this one


def test_pages_leave_open_what_is_not_there(tmp_path):
    text = 'A {{ runs["03_skips"].say.x }} b {{ runs[\'04_stacks\']["say"].y }} ![c](figures/03_skips/fig-a.png)'
    (tmp_path / "a.md").write_text(text)
    (tmp_path / "b.ipynb").write_text(json.dumps({"source": text + " figures/03_skips/b.svg figures/03_skips/c.*"}))
    pages.leave_open(tmp_path, {"03_skips"})
    left = "A (no result in this edition) b {{ runs['04_stacks'][\"say\"].y }}"
    assert (tmp_path / "a.md").read_text().startswith(left)
    assert json.loads((tmp_path / "b.ipynb").read_text())["source"].startswith(left)
    assert sorted(path.name for path in (tmp_path / "figures" / "03_skips").iterdir()) == ["b.svg", "c.png", "fig-a.png"]


def test_a_page_offers_its_notebook_with_its_numbers(tmp_path):
    cells = [
        nbformat.v4.new_markdown_cell('{{ runs["1_a"].say.x }} of {{ runs["1_a"]["n"] | round(1) }}'),
        nbformat.v4.new_code_cell("d = {{1: 2}: 3}"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "1_a.ipynb")
    pages.offer(tmp_path / "1_a.ipynb", "small", {"runs": {"1_a": {"n": 2.04, "say": {"x": "two"}}}})
    page, kept = (nbformat.read(tmp_path / name, as_version=4).cells for name in ("1_a.ipynb", "notebooks/1_a.ipynb"))
    assert page[0].source == cells[0].source and "posekit run 1_a --preset small" in page[-1].source
    assert [cell.source for cell in kept] == ["two of 2.0", cells[1].source]
    script = (tmp_path / "_extra" / "notebooks" / "1_a.ipynb.js").read_text()
    assert json.loads(script.removeprefix('keep("1_a.ipynb", ').rstrip().removesuffix(")"))["cells"][0]["source"] == ["two of 2.0"]


def test_the_table_holds_every_parameter(project):
    table = parameters.table()
    _, _, second = table.partition("```{rubric} 02_second\n```\n\n")
    assert table.startswith("[01_first](parameters-01_first) · [02_second](parameters-02_second)")
    assert second.splitlines()[2] == "| `counted` | `''` | `str` | the metrics of the first |"
    assert parameters.rows(parameters.notebook_path("01_first"))[1] == ("people", "20", "int", "how many")


def test_every_parameter_of_the_projects_notebooks_says_what_it_means(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    for notebook in Path("notebooks").glob("*.py"):
        assert [name for name, _, _, meaning in parameters.rows(notebook) if not meaning] == [], notebook.stem


def make_book() -> subprocess.CompletedProcess:
    """As `make book PRESET=small` does it."""
    command = re.search(r"\.venv/bin/snakemake (.*?-- book)", (REPOSITORY / "Makefile").read_text(), re.DOTALL)[1]
    options = command.replace("\\\n", " ").replace("$(CORES)", "2").replace("$(PRESET)", "small").split()
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    return subprocess.run([*snakemake, *options], capture_output=True, text=True)


def test_a_notebook_that_fails_leaves_a_gap_and_the_rest_is_built(project):
    (project / "broken").touch()
    result = make_book()
    assert result.returncode != 0
    told = result.stdout + result.stderr
    assert "01_first: to run, not run yet (time unknown)" in told
    assert "01_first failed in cell" in told and "no power" in told and "people=3" in told
    assert "with gaps for 01_first and 02_second, is in build/small/html/index.html" in told
    html = project / "build" / "small" / "html"
    gap = " ".join((html / "01_first.html").read_text().split())
    assert "This edition has a gap here" in gap and "no power" in gap and "01_first.failed.ipynb" in gap
    assert "It reads 01_first" in (html / "02_second.html").read_text()
    index = (html / "index.html").read_text()
    assert index.count("(no result in this edition)") == 2 and "and 2." in index
    assert "The third" in (html / "03_third.html").read_text()
    assert not list((project / "build" / "small").glob(".book-*")), "a book with gaps does not count as built"
    assert (project / "runs" / "small" / "01_first.failed.ipynb").exists()
    before = (project / "runs" / "small" / "03_third" / "metrics.json").stat().st_mtime_ns

    (project / "broken").unlink()
    result = make_book()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "There are 3 people, 3 people and 2." in (html / "index.html").read_text()
    assert "gap here" not in (html / "01_first.html").read_text()
    assert (project / "runs" / "small" / "03_third" / "metrics.json").stat().st_mtime_ns == before, "what was done is not repeated"
    assert sorted(path.name for path in (project / "runs" / "small").iterdir()) == ["01_first", "02_second", "03_third"]

    replace(project / "notebooks" / "02_second.py", "It counted", "In all it counted")
    ran = (project / "runs" / "small" / "02_second" / "02_second.ipynb").stat().st_mtime_ns
    result = make_book()
    assert result.returncode == 0 and "02_second: up to date" in result.stdout + result.stderr
    assert "In all it counted 3 people." in (html / "02_second.html").read_text()
    assert (project / "runs" / "small" / "02_second" / "02_second.ipynb").stat().st_mtime_ns == ran, "a change of prose runs nothing"
