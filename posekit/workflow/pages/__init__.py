"""The book's pages out of a preset's runs: prose, executed notebooks, figures and numbers laid in one folder, and built from there."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import yaml

from posekit.errors import PosekitError
from posekit.workflow.book import Step, book_stamp, gaps, plan
from posekit.workflow.parameters import is_parameters, parameters, root, table
from posekit.workflow.words import bench as bench_words

_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def build(preset: str, *, with_gaps: bool = False) -> Path:
    """Build the book of a preset from its runs, into build/PRESET/html. A warning is an error.

    A book with gaps says in each chapter that has no run why; references into such a chapter lead nowhere, so there
    warnings are none, and the book does not count as built.

    Raises:
        PosekitError: a run is missing (`with_gaps`: and not because of a failure), or the pages do not build.
    """
    steps = plan(preset)
    missing = gaps(steps)
    if missing and not with_gaps:
        raise PosekitError(f"{' and '.join(missing)} failed: make book PRESET={preset}")
    stamp = book_stamp(preset, steps)
    folder = stamp.parent
    for old in folder.glob(".book-*"):
        old.unlink()
    pages = _sphinx(_lay(preset, steps, missing, folder), "html", strict=not missing)
    html = folder / "html"
    shutil.rmtree(html, ignore_errors=True)
    pages.rename(html)
    if not missing:
        stamp.touch()
    print(f"{_named(missing)} is in {(html / 'index.html').relative_to(root())}")
    return html


def pdf(preset: str) -> Path:
    """Build the book of a preset on paper, into build/PRESET/posekit-PRESET.pdf, with gaps where runs have failed.

    Raises:
        PosekitError: a run is missing, and not because of a failure; the pages do not build; a sign is in no font or a
            reference leads nowhere (where there are gaps that may be); TeX is not there.
    """
    from posekit.workflow.pages import typeset

    typeset.require()
    steps = plan(preset)
    missing = gaps(steps)
    folder = root() / "build" / preset / "paper"
    pages = _sphinx(_lay(preset, steps, missing, folder), "latex", strict=not missing)
    file = root() / "build" / preset / f"posekit-{preset}.pdf"
    typeset.typeset(pages / "book.tex", strict=not missing).replace(file)
    print(f"{_named(missing)} is in {file.relative_to(root())}")
    return file


def _named(missing: dict[str, str]) -> str:
    return f"the book, with gaps for {' and '.join(missing)}," if missing else "the book"


def _lay(preset: str, steps: dict[str, Step], missing: dict[str, str], folder: Path) -> Path:
    """Put all that the book is built from into `folder`/source: prose, executed notebooks, figures, the runs' numbers."""
    source = folder / "laid"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root() / "book", source)
    for name, step in steps.items():
        if name in missing:
            (source / f"{name}.md").write_text(gap(step, missing[name]), encoding="utf-8")
            continue
        (source / f"{name}.ipynb").write_text(page(step), encoding="utf-8")
        if (step.out / "figures").is_dir():
            shutil.copytree(step.out / "figures", source / "figures" / name)
    lay_scripts(source)
    if (source / "try_it.md").is_file():
        from posekit.workflow.pages import try_it

        try_it.lay(source)
    done = {name: step for name, step in steps.items() if name not in missing}
    measured, made = _written(done, "metrics"), _written(done, "provenance")
    leave_open(source, {path.stem for path in (root() / "notebooks").glob("*.py")} - set(measured))

    benches = (root() / "book" / "reference").glob("bench-*.json")
    timed = {path.stem.removeprefix("bench-"): json.loads(path.read_text("utf-8")) for path in benches}
    bench = {"components": bench_words.components(timed.pop("components")), "accuracy": bench_words.accuracy(timed.pop("accuracy"))}
    bench |= {name: bench_words.words(result) for name, result in timed.items()}
    numbers = {
        "preset": preset, "runs": measured, "provenance": made, "bench": bench, "parameters": table(),
    }  # fmt: skip
    (source / "numbers.json").write_text(json.dumps(numbers, sort_keys=True), encoding="utf-8")
    for name in steps.keys() - missing.keys():
        offer(source / f"{name}.ipynb", preset, numbers)
    shutil.copyfile(root() / "_config.yml", source / "_config.yml")
    toc = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    _write_yaml(source / "_toc.yml", _without_absent(toc, steps))
    return _as_far_as_changed(source, folder / "source")


def _as_far_as_changed(new: Path, old: Path) -> Path:
    """Make a folder's content that of a new one, which goes; files whose content is the same keep their times, by which Sphinx goes."""
    for path in [p for p in old.rglob("*") if p.is_file()]:
        if not (new / path.relative_to(old)).is_file():
            path.unlink()
    for path in [p for p in new.rglob("*") if p.is_file()]:
        place = old / path.relative_to(new)
        if not place.is_file() or place.read_bytes() != path.read_bytes():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    shutil.rmtree(new)
    return old


_SETTINGS = """
import json, pathlib
numbers = pathlib.Path(__file__).parent / "numbers.json"
myst_substitutions = json.loads(numbers.read_text("utf-8")) if numbers.is_file() else globals().get("myst_substitutions", {})
del numbers
latex_documents = [("index", "book.tex", html_title, author, "manual")]
"""


def _sphinx(source: Path, builder: str, *, strict: bool) -> Path:
    """What Sphinx makes of Jupyter Book's settings and a source, `builder` html or latex; with `strict` a warning is an error.

    Every page is written; read are only those that have changed, as long as nothing else has: numbers, figures, extensions, the library.
    """
    _python("from jupyter_book.cli.main import main; main()", "config", "sphinx", str(source), source=source)
    with open(source / "conf.py", "a", encoding="utf-8") as settings:  # of JSON, which is read in no time, where YAML takes seconds
        settings.write(_SETTINGS)
    built = source.parent / "_build"
    others = [p for p in source.rglob("*") if p.is_file() and p.suffix not in (".md", ".ipynb")]
    others += Path(__file__).parents[2].rglob("*.py")
    digest = hashlib.sha256("".join(f"{p} {hashlib.sha256(p.read_bytes()).hexdigest()}\n" for p in sorted(others)).encode())
    key = built / f"of-{digest.hexdigest()[:16]}"
    if not key.exists():
        shutil.rmtree(built, ignore_errors=True)
    shutil.rmtree(built / builder, ignore_errors=True)
    strictly = ["-W", "-n", "--keep-going"] if strict else []
    places = ["-d", str(built / "doctrees"), str(source), str(built / builder)]
    try:
        _python(
            "from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))", "-a", "-q", "-b", builder, *strictly, *places, source=source
        )
    except PosekitError:
        shutil.rmtree(built, ignore_errors=True)  # what has been read gives no warning again
        raise
    key.touch()
    return built / builder


def _python(code: str, *arguments: str, source: Path) -> None:
    """Run Python in a process of its own, with the source's extensions; what it prints is shown when it fails.

    It ends soon and what it makes are trees that it keeps: collecting garbage would take a third of its time.
    """
    command = [
        sys.executable,
        "-c",
        f"import gc, sys; gc.disable(); {code}",
        *arguments,
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(source / "_ext"), *filter(None, [os.environ.get("PYTHONPATH")])])}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode:
        print(result.stdout, result.stderr, sep="\n", file=sys.stderr)
        raise PosekitError(f"the book in {source} does not build: see above")


def gap(step: Step, why: str) -> str:
    """The page that stands where the chapter of a run that failed would."""
    import jupytext

    prose = "\n".join(c.source for c in jupytext.read(step.notebook, fmt="py:percent").cells if c.cell_type == "markdown")
    title = re.search(r"^# (.+)$", prose, re.MULTILINE)
    shape: dict[str, Any] = {"width": 60, "subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}
    lines = "\n".join(textwrap.fill(part, **shape) for part in why.split(" | "))
    return (
        f"# {title[1] if title else step.notebook.stem}\n\n"
        "::::{admonition} This edition has a gap here\n:class: error\n"
        f"`{step.notebook.stem}` has no run with these parameters.\n\n```text\n{lines}\n```\n::::\n"
    )


def leave_open(source: Path, absent: set[str]) -> None:
    """In pages that quote runs which are not there, say so in their place; the same for such runs' figures."""
    names = "|".join(map(re.escape, sorted(absent)))
    if not names:
        return
    quoted = re.compile(rf"""\{{\{{[^{{}}]*runs\[\\?["'](?:{names})\\?["']\][^{{}}]*\}}\}}""")
    figures = re.compile(rf"figures/(?:{names})/[\w-]+\.(?:png|svg|\*)")
    for file in (*source.glob("*.md"), *source.glob("*.ipynb")):
        text = file.read_text("utf-8")
        file.write_text(quoted.sub("(no result in this edition)", text), encoding="utf-8")
        for figure in figures.findall(text):
            _no_picture(source / figure.replace(".*", ".png"))


def _no_picture(path: Path) -> None:
    """An empty picture of the wanted format."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".svg":
        path.write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="200"><rect width="100%" height="100%" fill="#ccc"/></svg>'
        )
    else:
        Image.new("L", (800, 200), 204).save(path)


def page(step: Step) -> str:
    """A run's notebook as a page: the source's cells as they are now, with the run's outputs and parameters.

    Prose can so be put right without running again; a fresh run's code is the same but for comments.
    """
    import jupytext
    import nbformat

    executed = nbformat.read(step.out / f"{step.notebook.stem}.ipynb", as_version=4)
    ran = iter([c for c in executed.cells if c.cell_type == "code" and not _injected(c)])
    notebook = jupytext.read(step.notebook, fmt="py:percent")
    declared = parameters(step.notebook)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # not one by chance: the same notebook is the same page
        if cell.cell_type != "code":
            continue
        done = next(ran)
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
        tags = cell.metadata.setdefault("tags", [])
        if is_parameters(cell):
            lines = [_line(name, value, declared[name].help) for name, value in step.params.items()]
            cell.source = "\n".join(lines)
            cell.metadata["mystnb"] = {"code_prompt_show": "Show the parameters", "code_prompt_hide": "Hide the parameters"}
        if not any(tag.startswith(("hide-", "remove-")) or tag == "show-input" for tag in tags):
            tags.append("hide-input")
    notebook.metadata = {"language_info": executed.metadata["language_info"], "kernelspec": _KERNEL}
    return nbformat.writes(notebook)


_AGAIN = """\
:::{{admonition}} Run this chapter
:class: again
```bash
posekit run {name} --preset {preset}
```
{{download}}`The executed notebook <notebooks/{name}.ipynb>` has all of its code and results, and opens in Jupyter.
:::"""


def offer(page: Path, preset: str, numbers: dict[str, Any]) -> None:
    """End a laid page with how it was run and its notebook to download, whose prose has its numbers filled in."""
    import nbformat
    from jinja2 import Environment

    def said(quoted: re.Match) -> str:
        return str(Environment().compile_expression(quoted[1])(**numbers))

    executed = nbformat.read(page, as_version=4)
    for cell in executed.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\{\{(.+?)\}\}", said, cell.source)
    text = nbformat.writes(executed)
    script = f'keep("{page.name}", {text.rstrip()})\n'  # what book.js needs where the book is opened from a disk
    for copy, content in ((f"notebooks/{page.name}", text), (f"_extra/notebooks/{page.name}.js", script)):
        path = page.parent / copy
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    notebook = nbformat.read(page, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell(_AGAIN.format(name=page.stem, preset=preset), id="again"))
    nbformat.write(notebook, page)


def lay_scripts(source: Path) -> None:
    """Put those of Bokeh's scripts that interactive figures load where they look for them, from the installed package."""
    wanted = {name for page in source.glob("*.ipynb") for name in re.findall(r'src=\\"bokeh/([\w.-]+)\\"', page.read_text("utf-8"))}
    for name in sorted(wanted):
        folder = source / "_extra" / "bokeh"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(distribution("bokeh").locate_file(f"bokeh/server/static/js/{name}")), folder)  # without importing it for seconds


def _injected(cell: Any) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


def _line(name: str, value: Any, help: str) -> str:
    return f"{name} = {value!r}  # {help}" if help else f"{name} = {value!r}"


def _written(steps: dict[str, Step], what: str) -> dict[str, Any]:
    """What each run kept as `what`.json, by notebook: the metrics, which the prose may quote, or the provenance."""
    files = {name: step.out / f"{what}.json" for name, step in steps.items()}
    return {name: json.loads(file.read_text("utf-8")) for name, file in files.items() if file.exists()}


def _write_yaml(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _without_absent(toc: Any, steps: dict[str, Step]) -> Any:
    """The table of contents without the notebooks that this preset does not run."""
    absent = {path.stem for path in (root() / "notebooks").glob("*.py")} - set(steps)
    if isinstance(toc, dict):
        return {key: _without_absent(value, steps) for key, value in toc.items()}
    if isinstance(toc, list):
        kept = [item for item in toc if not (isinstance(item, dict) and item.get("file") in absent)]
        kept = [_without_absent(item, steps) for item in kept]
        return [item for item in kept if not (isinstance(item, dict) and item.get("chapters") == [])]  # a part without any
    return toc
