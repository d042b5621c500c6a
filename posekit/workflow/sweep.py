"""A notebook run over a grid of parameters, in parallel, here or on a cluster, and what came out side by side.

    runs/sweeps/02_training-stacks-seed-1a2b3c4d/
        sweep.csv     a row a run: the parameters that vary, every number that all the runs have, the run's folder
        sweep.md      the same with intervals, shorter, and the means over seeds
        figures/      the numbers that have intervals, by parameter

The runs themselves are those of `posekit run`, in runs/custom: one that is there, from a sweep or not, is not
repeated. Snakemake runs the others by `graph`.
"""

import csv
import hashlib
import itertools
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posekit.display.html import number
from posekit.errors import PosekitError
from posekit.workflow import execution, graph, runs, staleness
from posekit.workflow.parameters import notebook_path, parse, root

SEED = "seed"  # the parameter over which means are taken
MOST = 8  # numbers shown in the short table and in the figure

Block = dict[str, float]  # mean, and low and high where there is an interval


@dataclass(frozen=True)
class Point:
    """One run of the grid."""

    varied: dict[str, Any]
    params: dict[str, Any]
    out: Path
    fingerprint: str
    command: list[str]  # of `posekit run`

    @property
    def done(self) -> bool:
        return staleness.is_fresh(self.out, self.fingerprint)


@dataclass(frozen=True)
class Sweep:
    notebook: Path
    varying: list[str]  # the parameters that have several values
    points: list[Point]
    folder: Path

    @property
    def done(self) -> list[Point]:
        return [point for point in self.points if point.done]

    @property
    def waiting(self) -> list[Point]:
        return [point for point in self.points if not point.done]


def plan(name: str, grid: dict[str, list[str]], preset: str | None = None) -> Sweep:
    """The runs of a grid of values as a person types them, on top of the notebook's defaults or of a preset's.

    Raises:
        PosekitError: no such notebook, parameter or value, a value twice, or a preset's own run that is not there.
    """
    notebook = notebook_path(name)
    values: dict[str, list[Any]] = {}
    for key, texts in grid.items():
        values[key] = [parse(notebook, {key: text})[key] for text in texts]
        twice = [text for text, value in zip(texts, values[key], strict=True) if values[key].count(value) > 1]
        if twice:
            raise PosekitError(f"-p {key} has the value {twice[0]} twice")
    varying = [key for key, several in values.items() if len(several) > 1] or list(values)
    points = []
    for combination in itertools.product(*grid.values()):
        given = dict(zip(grid, combination, strict=True))
        _, params, out = execution.custom(name, given, preset)
        command = [sys.executable, "-m", "posekit", "run", notebook.stem, *(["--preset", preset] if preset else [])]
        command += [word for pair in given.items() for word in ("-p", *pair)]
        key = staleness.fingerprint(notebook, params)
        points.append(Point({name: params[name] for name in varying}, params, out, key, command))
    rest = {key: value for key, value in points[0].params.items() if key not in grid}
    key = hashlib.sha256(json.dumps([values, rest]).encode()).hexdigest()[:8]
    folder = root() / "runs" / "sweeps" / "-".join([notebook.stem, *varying, key])
    return Sweep(notebook, varying, points, folder)


def describe(sweep: Sweep) -> str:
    """How many runs there are, how many are to be made, and about how long that takes in all."""
    known = [_seconds(point) for point in sweep.done]
    each = sum(known) / len(known) if known else None
    time = f", about {each:.0f} s each by those that are done" if each and sweep.waiting else ""
    return f"{sweep.notebook.stem}: {len(sweep.points)} runs, {len(sweep.done)} done, {len(sweep.waiting)} to run{time}"


def run(sweep: Sweep, at_once: int, threads: int, profile: str | None = None) -> None:
    """Make the runs that are not there, `at_once` at a time, each on so many cores; what fails does not stop the others.

    Args:
        profile: Snakemake's, by folder: profiles/NAME of the checkout, or where Snakemake looks itself.

    Raises:
        PosekitError: there is no such profile, or runs failed; the others are done.
    """
    waiting = sweep.waiting
    if not waiting:
        return
    jobs = [graph.Job(str(staleness.stamp(point.out, point.fingerprint)), point.command) for point in waiting]
    status = graph.run_jobs(jobs, sweep.folder, at_once, threads, profile)
    if sweep.waiting:
        why = [failure for point in sweep.waiting if (failure := execution.failure(point.out, point.fingerprint))]
        count = f"{len(sweep.waiting)} of {len(sweep.points)} runs are not there, and the same command makes only those"
        raise PosekitError(f"{count}; {why[0] if why else 'see above'}")
    if status:
        raise PosekitError(f"Snakemake ended with code {status}: see above")


def report(sweep: Sweep) -> Path:
    """Write sweep.csv, sweep.md and the figure of the runs that are there; returns the folder.

    Raises:
        PosekitError: no run is there, or the runs have no number in common.
    """
    done = sweep.done
    if not done:
        raise PosekitError(f"{sweep.notebook.stem}: no run of the sweep is there")
    found = [dict(numbers(json.loads((point.out / "metrics.json").read_text("utf-8")))) for point in done]
    common = [key for key in found[0] if all(key in blocks for blocks in found)]
    if not common:
        raise PosekitError(f"{sweep.notebook.stem}: its runs have no number in common")
    sweep.folder.mkdir(parents=True, exist_ok=True)
    _write_csv(sweep, done, found, common)
    shown = [key for key in common if "low" in found[0][key]][:MOST] or common[:MOST]
    (sweep.folder / "sweep.md").write_text(_markdown(sweep, done, found, shown), encoding="utf-8")
    _draw(sweep, done, found, shown)
    return sweep.folder


def numbers(metrics: Any, path: str = "") -> Iterator[tuple[str, Block]]:
    """Every number of a run's metrics by its path; of a block with a mean, that and its interval."""
    if isinstance(metrics, dict):
        if isinstance(metrics.get("mean", ""), int | float | None):
            kept = {key: metrics[key] for key in ("mean", "low", "high") if isinstance(metrics.get(key), int | float)}
            yield path, kept if len(kept) == 3 else {"mean": kept.get("mean", math.nan)}  # null where it is not defined
            return
        for key, value in metrics.items():
            yield from numbers(value, f"{path} / {key}" if path else key)
    elif isinstance(metrics, int | float) and not isinstance(metrics, bool):
        yield path, {"mean": metrics}


def over_seeds(values: list[float]) -> Block:
    """Their mean and its 95 % interval, `stats.over_seeds`: of fewer than three values, or where one is not finite, no interval."""
    from posekit import stats  # needs SciPy: not where a job imports this module

    interval = stats.over_seeds(np.array(values, float))
    if not np.isfinite(interval.low):
        return {"mean": interval.mean}
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def by_setting(sweep: Sweep, done: list[Point], found: list[dict[str, Block]], key: str) -> dict[str, list[Block]]:
    """The blocks of one number by all that varies but the seed: `stacks 2, features 32`."""
    settings: dict[str, list[Block]] = {}
    for point, blocks in zip(done, found, strict=True):
        name = ", ".join(f"{k} {v}" for k, v in point.varied.items() if k != SEED or len(sweep.varying) == 1)
        settings.setdefault(name, []).append(blocks[key])
    return settings


def _write_csv(sweep: Sweep, done: list[Point], found: list[dict[str, Block]], common: list[str]) -> None:
    columns = [(key, part) for key in common for part in ("mean", "low", "high") if all(part in blocks[key] for blocks in found)]
    with (sweep.folder / "sweep.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*sweep.varying, *(key if part == "mean" else f"{key} / {part}" for key, part in columns), "seconds", "run"])
        for point, blocks in zip(done, found, strict=True):
            values = ["" if math.isnan(blocks[key][part]) else blocks[key][part] for key, part in columns]
            writer.writerow([*point.varied.values(), *values, _seconds(point), point.out.relative_to(root())])


def _markdown(sweep: Sweep, done: list[Point], found: list[dict[str, Block]], shown: list[str]) -> str:
    rows = [[*p.varied.values(), *(_said(blocks[key]) for key in shown)] for p, blocks in zip(done, found, strict=True)]
    lines = [f"`{sweep.notebook.stem}`: {len(done)} of {len(sweep.points)} runs. In brackets are the runs' own 95 % intervals.", ""]
    lines += _table([*sweep.varying, *shown], rows)
    if SEED in sweep.varying and len(sweep.varying) > 1:
        lines += ["", "Means over seeds. In brackets are 95 % intervals over seeds, by Student's t, from three seeds on.", ""]
        settings = {key: by_setting(sweep, done, found, key) for key in shown}
        means = {key: {name: [b["mean"] for b in blocks] for name, blocks in settings[key].items()} for key in shown}
        rows = [[name, len(values), *(_said(over_seeds(means[key][name])) for key in shown)] for name, values in means[shown[0]].items()]
        lines += _table(["", "seeds", *shown], rows)
    return "\n".join([*lines, ""])


def _table(header: list[str], rows: list[list[Any]]) -> list[str]:
    lines = [header, ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]


def _said(block: Block) -> str:
    interval = f" [{number(block['low'], '.4g')}, {number(block['high'], '.4g')}]" if "low" in block else ""
    return number(block["mean"], ".4g") + (interval if math.isfinite(block["mean"]) else "")


def _draw(sweep: Sweep, done: list[Point], found: list[dict[str, Block]], shown: list[str]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from posekit import plots
    from posekit.plots.comparisons.sweeps import settings

    plots.style()
    figure = settings({key: by_setting(sweep, done, found, key) for key in shown}, over_seeds)
    runs.Run(sweep.folder).save_figure(figure, "sweep")


def _seconds(point: Point) -> float:
    return json.loads((point.out / "provenance.json").read_text("utf-8"))["wall_seconds"]
