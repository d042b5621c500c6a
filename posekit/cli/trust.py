"""Commands on what a network's answers are worth: confidence and errors."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from posekit.cli.app import Cache, Device, Flip, OnError, OnErrorOption, Weights, app, command
from posekit.cli.output import json_target, report, writable
from posekit.cli.terminal import bars, say
from posekit.display.tables import show_table
from posekit.errors import PosekitError
from posekit.process import keep_memory


@app.command()
@command
def calibrate(
    weights: Weights,
    data: Annotated[
        str, typer.Option(help="NAME\\[:PATH]: fitted on its val split, measured on its test split; or NAME\\[:PATH]@SPLIT to fit on")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="the file to write: NAME.json, which `predict --calibration` takes, or NAME.safetensors, the weights with it"),
    ] = None,
    test: Annotated[str | None, typer.Option(help="people to measure on, NAME\\[:PATH]@SPLIT")] = None,
    level: Annotated[float, typer.Option(help="how often the radius is to hold the true joint")] = 0.9,
    most: Annotated[int | None, typer.Option(min=1, help="people at most, to fit on and to measure on each")] = None,
    flip: Flip = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the measurements here; - is standard output")] = None,
    device: Device = None,
    seed: Annotated[int, typer.Option(min=0, help="where the bootstrap behind the intervals begins")] = 0,
    cache: Cache = Path("data"),
    on_error: OnErrorOption = OnError.raise_,
) -> None:
    """Fit probabilities and radii to a network's confidence on held-out people, and measure what they are worth on others."""
    from posekit.engine.inference import prediction
    from posekit.engine.trust import calibrate as trust
    from posekit.engine.trust import calibration

    keep_memory()
    writable(out)
    json_target(json_file, out)
    if out is not None and out.suffix not in (".json", ".safetensors"):
        raise PosekitError(f"--out {out}: a calibration is written as JSON, or into weights; let its name end in .json or .safetensors")
    predictor = prediction.load(weights, device)
    with bars() as bar:
        found = trust.calibrate(
            predictor, data, test=test, level=level, flip=flip, most=most, on_error=on_error, cache=cache, seed=seed, progress=bar.follow
        )
    if out is not None and out.suffix == ".json":
        calibration.save(out, found.calibration)
    elif out is not None:
        trust.into(out, predictor, found.calibration)
    if report(json_file, found.scores):
        _print(trust.words(found.scores), [("", *table) for table in trust.tables(found.scores)])
    if out is not None:
        say.print(f"{out}: the calibration of {found.calibration.network}")


@app.command()
@command
def errors(
    weights: Weights,
    data: Annotated[str, typer.Option(help="people to look at, NAME\\[:PATH]\\[@SPLIT]; the test split by default")],
    flip: Flip = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result here; - is standard output")] = None,
    device: Device = None,
    seed: Annotated[int, typer.Option(min=0, help="where the bootstrap behind the intervals begins")] = 0,
    cache: Cache = Path("data"),
    on_error: OnErrorOption = OnError.raise_,
) -> None:
    """Say which kinds of errors a network makes: jitter, left and right exchanged, another person's joint, missed altogether."""
    from posekit.engine.inference.prediction import backend_for
    from posekit.engine.trust import mistakes

    keep_memory()
    json_target(json_file)
    with bars() as bar:
        result = mistakes.errors_of(
            weights, data, flip=flip, on_error=on_error, cache=cache, seed=seed, backend=backend_for(device), progress=bar.follow
        )
    if report(json_file, result):
        _print(mistakes.words(result), mistakes.tables(result))


def _print(line: str, tables: list[tuple[str, list[str], list[list[str]]]]) -> None:
    console = Console(emoji=False)
    console.print(line, highlight=False, markup=False)
    for title, head, rows in tables:
        shown = Table(title=title or None, title_justify="left", title_style="")
        for i, name in enumerate(head):
            shown.add_column(name, justify="right" if i else "left")
        for row in rows:
            shown.add_row(*row)
        show_table(console, shown)
