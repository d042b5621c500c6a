"""The graph behind `make book`: a preset's runs, what they read of each other, and the book made of them.

    python -m posekit.workflow run PRESET NOTEBOOK
    python -m posekit.workflow build PRESET
    python -m posekit.workflow reference PRESET

The Snakefile calls the first two, and asks `plan` for the graph. The third keeps the finished
runs' numbers in book/reference, for the other presets' books to quote.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import runs
from .errors import PosekitError
from .parameters import is_parameters, load_preset, notebook_path, parameters, root

_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


@dataclass(frozen=True)
class Step:
    """One notebook's run in a preset."""

    notebook: Path
    params: dict[str, Any]
    out: Path
    upstream: dict[str, str]  # what identifies the result behind each parameter that names another run's
    reads: tuple[str, ...]  # the notebooks whose runs it reads
    fingerprint: str

    @property
    def stamp(self) -> Path:
        return runs.stamp(self.out, self.fingerprint)


def plan(preset: str) -> dict[str, Step]:
    """The runs of a preset by notebook, each after those that it reads.

    Raises:
        PosekitError: the preset is wrong, or a `run:` names a notebook that does not come earlier in it.
    """
    steps: dict[str, Step] = {}
    for name, values in load_preset(preset).items():
        params, upstream, reads = {}, {}, set()
        for key, value in values.items():
            params[key], read = runs.resolve(value, preset)
            if read is not None:
                if read not in steps:
                    raise PosekitError(f"presets/{preset}.yaml: {name} takes {value}; {read} must come first")
                upstream[key] = f"{params[key]} {steps[read].fingerprint}"
                reads.add(read)
        notebook = notebook_path(name)
        steps[name] = Step(
            notebook=notebook,
            params=params,
            out=root() / "runs" / preset / name,
            upstream=upstream,
            reads=tuple(sorted(reads)),
            fingerprint=runs.fingerprint(notebook, params, upstream, preset),
        )
    return steps


def describe(preset: str, steps: dict[str, Step]) -> str:
    """What `make book` has to do, a line a run."""
    lines = [f"preset {preset}:"]
    for name, step in steps.items():
        lines.append(f"  {name}: {'up to date' if step.stamp.exists() else 'to run'}")
    lines.append(f"  the book: {'up to date' if book_stamp(preset, steps).exists() else 'to build'}")
    return "\n".join(lines)


def book_stamp(preset: str, steps: dict[str, Step]) -> Path:
    """The empty file whose presence says that the built book is of just these runs and this prose."""
    sources = [p for p in (root() / "book").rglob("*") if p.is_file()]
    sources += [root() / "_config.yml", Path(__file__), *(step.notebook for step in steps.values())]
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for step in steps.values():
        digest.update(f"{step.fingerprint}\n".encode())
    return root() / "build" / preset / f".book-{digest.hexdigest()[:16]}"


def build(preset: str) -> Path:
    """Build the book of a preset from its runs, into build/PRESET/html. A warning is an error."""
    from . import bench  # and with it torch, which the plan does without

    steps = plan(preset)
    for name, step in steps.items():
        if not step.stamp.exists():
            raise PosekitError(f"{name} is not up to date: make book PRESET={preset}")
    stamp = book_stamp(preset, steps)
    folder = stamp.parent
    source = folder / "source"
    for old in (source, folder / "_build", *folder.glob(".book-*")):
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    shutil.copytree(root() / "book", source)
    for name, step in steps.items():
        (source / f"{name}.ipynb").write_text(page(step), encoding="utf-8")
        if (step.out / "figures").is_dir():
            shutil.copytree(step.out / "figures", source / "figures" / name)
    lay_scripts(source)

    config = yaml.safe_load((root() / "_config.yml").read_text(encoding="utf-8"))
    measured = json.loads((root() / "book" / "reference" / "bench.json").read_text("utf-8"))
    config["parse"]["myst_substitutions"] = {"preset": preset, "runs": _metrics(steps), "bench": bench.words(measured)}
    _write_yaml(source / "_config.yml", config)
    toc = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    _write_yaml(source / "_toc.yml", _without_absent(toc, steps))

    jupyter_book = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    strictly = ["-W", "-n", "--keep-going", "-q"]
    command = [*jupyter_book, "build", *strictly, "--path-output", str(folder), str(source)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        print(result.stdout, result.stderr, sep="\n", file=sys.stderr)
        raise PosekitError(f"the book of preset {preset} does not build: see above")
    html = folder / "html"
    shutil.rmtree(html, ignore_errors=True)
    (folder / "_build" / "html").rename(html)
    shutil.rmtree(folder / "_build")
    stamp.touch()
    print(f"the book is in {(html / 'index.html').relative_to(root())}")
    return html


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
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        done = next(ran)
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
        tags = cell.metadata.setdefault("tags", [])
        if is_parameters(cell):
            lines = [_line(name, value, declared[name].help) for name, value in step.params.items()]
            cell.source = "\n".join(lines)
        if not any(tag.startswith(("hide-", "remove-")) or tag == "show-input" for tag in tags):
            tags.append("hide-input")
    notebook.metadata = {"language_info": executed.metadata["language_info"], "kernelspec": _KERNEL}
    return nbformat.writes(notebook)


def lay_scripts(source: Path) -> None:
    """Put Bokeh's scripts where interactive figures look for them, from the installed package, if there are such figures."""
    from .plots import interactive

    if any(f"{interactive.FOLDER}/{interactive.SCRIPTS[0]}" in page.read_text("utf-8") for page in source.glob("*.ipynb")):
        folder = source / "_extra" / interactive.FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for script in interactive.scripts():
            shutil.copy(script, folder)


def _injected(cell: Any) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


def _line(name: str, value: Any, help: str) -> str:
    return f"{name} = {value!r}  # {help}" if help else f"{name} = {value!r}"


def _metrics(steps: dict[str, Step]) -> dict[str, Any]:
    """What each run measured, by notebook: what the prose may quote."""
    files = {name: step.out / "metrics.json" for name, step in steps.items()}
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


def main(arguments: list[str]) -> None:
    try:
        match arguments:
            case ["run", preset, notebook]:
                step = plan(preset)[notebook]
                runs.execute(step.notebook, step.params, step.out, step.upstream)
            case ["build", preset]:
                build(preset)
            case ["reference", preset]:
                for notebook in plan(preset):
                    print(runs.keep_reference(preset, notebook).relative_to(root()))
            case _:
                raise PosekitError("usage: python -m posekit.workflow run PRESET NOTEBOOK | build PRESET | reference PRESET")
    except PosekitError as error:
        sys.exit(f"posekit: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
