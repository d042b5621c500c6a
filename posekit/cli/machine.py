"""Commands about this machine: doctor, bench."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from posekit.cli.app import Cache, app, command
from posekit.cli.output import json_target, report
from posekit.cli.terminal import say
from posekit.display.tables import show_table
from posekit.errors import PosekitError


@app.command()
@command
def doctor() -> None:
    """Say what this machine has, how posekit will use it, and what is missing; exit code 1 where that is needed."""
    from posekit.cli.hardware import doctor as examination

    findings = examination.examine()
    wide = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark = "✗" if finding.essential else "–" if finding.lacking else "✓"
        lacking = f": {finding.lacking}" if finding.lacking else ""
        print(f"{mark} {finding.what:{wide}}  {finding.found}{lacking}")
    print("✓ there   – optional: what is not possible without it   ✗ needed")
    if any(finding.essential for finding in findings):
        raise PosekitError("what is marked ✗ is needed and has to be put right first, as its line says")


@app.command()
@command
def bench(
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result here; - is standard output")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="a small network on small pictures: rough, and done in seconds")] = False,
    accuracy: Annotated[
        str | None, typer.Option(help="instead, in hours: train on these people, NAME\\[:PATH], until joints are found, in two ways")
    ] = None,
    cache: Cache = Path("data"),
) -> None:
    """Measure how fast this machine works: rendering, cropping, loading, training and prediction, and principal components of codes.

    Each is timed beside the plain way: a network in float32 by PyTorch's own modules, components by scikit-learn. The whole takes minutes;
    --quick takes a small network on small pictures. Nothing else should run meanwhile, since other work changes the ratios.
    """
    from posekit.cli.hardware import bench as benchmark
    from posekit.cli.hardware import bench_components

    json_target(json_file)
    if accuracy:
        return _time_to_accuracy(accuracy, cache, json_file)
    result = benchmark.bench(quick=quick) | {"components": bench_components.bench_components(quick)}
    if report(json_file, result):
        for table in benchmark.tables(result):
            show_table(Console(emoji=False), table)


def _time_to_accuracy(data: str, cache: Path, json_file: Path | None) -> None:
    from posekit.cli.hardware import bench as benchmark
    from posekit.data import load_people
    from posekit.studies import accuracy
    from posekit.workflow.parameters import root

    def follow(way: str, line: dict) -> None:
        say.print(
            f"{way}, {line['resolution']} px, epoch {line['epoch']}: PCK on val {line['pck']:.3f} after {line['seconds'] / 60:.1f} min"
        )

    people = load_people(f"{data}@all", cache=cache)
    try:
        result = {"processor": benchmark.processor()} | accuracy.compare(people, root() / "runs" / "accuracy", cache=cache, report=follow)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from here") from None
    if report(json_file, result):
        show_table(Console(emoji=False), benchmark.accuracy_table(result))
