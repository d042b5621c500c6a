"""The graph behind `make book`: a preset's runs and what they read of each other; `pages` makes the book of them.

    python -m posekit.workflow.book run PRESET NOTEBOOK
    python -m posekit.workflow.book build PRESET
    python -m posekit.workflow.book gaps PRESET
    python -m posekit.workflow.book pdf PRESET
    python -m posekit.workflow.book reference PRESET

The Snakefile calls the first three, and asks `plan` for the graph. `gaps` builds the book without the
chapters whose notebooks failed. `pdf` makes the book on paper once the runs are there. `reference` keeps the finished
runs' numbers in book/reference, for the other presets' books to quote.
"""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posekit.errors import PosekitError
from posekit.workflow import execution, runs, staleness
from posekit.workflow.parameters import load_preset, notebook_path, root


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
        return staleness.stamp(self.out, self.fingerprint)

    @property
    def failure(self) -> str:
        """What went wrong when just this run was last tried; nothing where it was not."""
        return execution.failure(self.out, self.fingerprint)


def plan(preset: str) -> dict[str, Step]:
    """The runs of a preset by notebook, each after those that it reads.

    Raises:
        PosekitError: the preset is wrong, or a `run:` names a notebook that does not come earlier in it.
    """
    steps: dict[str, Step] = {}
    for name, values in load_preset(preset).items():
        params, upstream, reads = {}, {}, set()
        for key, value in values.items():
            params[key], read = execution.resolve(value, preset)
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
            fingerprint=staleness.fingerprint(notebook, params, upstream, preset),
        )
    return steps


def describe(preset: str, steps: dict[str, Step]) -> str:
    """What `make book` has to do, a line a run: why, and about how long it takes."""
    lines, running, known = [f"preset {preset}:"], [], []
    for name, step in steps.items():
        if step.stamp.exists():
            lines.append(f"  {name}: up to date")
            continue
        seconds = last_seconds(preset, step)
        running.append(name)
        known += [seconds] if seconds else []
        lines.append(f"  {name}: to run, {'; '.join(why_stale(step))} ({f'about {_duration(seconds)}' if seconds else 'time unknown'})")
    lines.append(f"  the book: {'up to date' if book_stamp(preset, steps).exists() else 'to build'}")
    if known:
        rest = "" if len(known) == len(running) else f", and {len(running) - len(known)} of unknown length"
        lines.append(f"  in all about {_duration(sum(known))} one after the other{rest}, by the last time each was run")
    return "\n".join(lines)


def why_stale(step: Step) -> list[str]:
    """What a run that is not up to date differs in from the one that is there: a phrase a kind of reason."""
    try:
        old = json.loads((step.out / "params.json").read_text("utf-8"))
    except OSError:
        return ["failed last time" if step.failure else "not run yet"]
    if "ingredients" not in old:
        return ["what the last run was made of is not known"]
    old, new = old["ingredients"], staleness.ingredients(step.notebook, step.params, step.upstream, step.out.parent.name)

    def differing(kind: str) -> list[str]:
        return [name for name in sorted({*old[kind], *new[kind]}) if old[kind].get(name) != new[kind].get(name)]

    given = [name for name in differing("parameters") if name not in step.upstream]
    data = [name for name in differing("data") if name not in given]
    reasons = {
        "the notebook's code has changed": old["notebook"] != new["notebook"],
        f"other parameters: {', '.join(f'{n} = {step.params.get(n)!r}' for n in given)}": given,
        f"what is behind {' and '.join(data)} has changed": data,
        f"another run of {' and '.join(step.reads)} is read": differing("upstream"),
        f"library: {_few(differing('library'))}": differing("library"),
        f"the numbers kept of {' and '.join(differing('kept'))} have changed": differing("kept"),
    }
    return [reason for reason, holds in reasons.items() if holds] or ["the last run is not whole"]


def last_seconds(preset: str, step: Step) -> float | None:
    """How long the run took when it was last made, here or, where its numbers are kept, elsewhere."""
    for file in (step.out / "provenance.json", root() / "book" / "reference" / preset / f"{step.notebook.stem}.json"):
        if file.is_file():
            facts = json.loads(file.read_text("utf-8"))
            return facts.get("provenance", facts).get("wall_seconds")
    return None


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _few(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def book_stamp(preset: str, steps: dict[str, Step]) -> Path:
    """The empty file whose presence says that the built book is of just these runs, this prose and these docstrings."""
    sources = [p for p in (root() / "book").rglob("*") if p.is_file()]
    sources += [root() / "_config.yml", *Path(__file__).parents[1].rglob("*.py"), *(root() / "notebooks").glob("*.py")]
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for step in steps.values():
        digest.update(f"{step.fingerprint}\n".encode())
    return root() / "build" / preset / f".book-{digest.hexdigest()[:16]}"


def gaps(steps: dict[str, Step]) -> dict[str, str]:
    """By notebook, why there is no run of it: its own failure, or that of one which it reads.

    Raises:
        PosekitError: there is a run that has neither been made nor failed.
    """
    found: dict[str, str] = {}
    for name, step in steps.items():
        if step.stamp.exists():
            continue
        absent = [read for read in step.reads if read in found]
        if step.failure:
            found[name] = f"{step.failure}."
        elif absent:
            found[name] = f"It reads {' and '.join(absent)}, and there is no run of that."
        else:
            raise PosekitError(f"{name} is not up to date: make book PRESET={step.out.parent.name}")
    return found


def main(arguments: list[str]) -> None:
    """The commands above."""
    try:
        match arguments:
            case ["run", preset, notebook]:
                step = plan(preset)[notebook]
                execution.execute(step.notebook, step.params, step.out, step.upstream)
            case ["build" | "gaps" | "pdf" as made, preset]:
                from posekit.workflow import pages  # they import this module, and torch, which a run need not wait for here

                match made:
                    case "build":
                        pages.build(preset)
                    case "gaps" if gaps(plan(preset)):  # otherwise it is the pages that do not build
                        pages.build(preset, with_gaps=True)
                    case "pdf":
                        pages.pdf(preset)
            case ["reference", preset]:
                for notebook in plan(preset):
                    print(runs.keep_reference(preset, notebook).relative_to(root()))
            case _:
                raise PosekitError(
                    "usage: posekit.workflow.book run PRESET NOTEBOOK | build PRESET | gaps PRESET | pdf PRESET | reference PRESET"
                )
    except PosekitError as error:
        sys.exit(f"posekit: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
