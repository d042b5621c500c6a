"""Commands of many minutes to hours: run, sweep, study."""

import itertools
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from posekit.cli.app import Cache, Device, app, command
from posekit.cli.terminal import bars, say
from posekit.display.tables import show_table
from posekit.errors import PosekitError
from posekit.process import cores


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    options_metavar="[-p NAME VALUE]... [--preset NAME]",
    add_help_option=False,
)
@command
def run(
    context: typer.Context,
    notebook: Annotated[str | None, typer.Argument(help="02_training, say", show_default=False)] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="start from the values of presets/NAME.yaml, not from the notebook's own"),
    ] = None,
    help: Annotated[bool, typer.Option("--help", help="show this, or a notebook's parameters, and exit")] = False,
) -> None:
    """Re-execute a notebook with other parameters and say where the result is: posekit run 02_training -p stacks 2"""
    from posekit.workflow import parameters
    from posekit.workflow.execution import run_notebook

    if help and notebook:
        show_table(Console(emoji=False), _parameters(parameters.rows(parameters.notebook_path(notebook))))
        return
    if help or notebook is None:
        print(context.get_help())
        raise typer.Exit(0 if help else 2)
    given = {}
    for name, values in _given(context.args).items():
        if len(values) != 1:
            raise PosekitError(f"-p NAME VALUE takes one value, and {name} has {len(values)}; posekit sweep runs several")
        given[name] = values[0]
    try:
        print(run_notebook(notebook, given, preset))
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from here") from None


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    options_metavar="-p NAME VALUE... [-p NAME VALUE...]... [--preset NAME]",
)
@command
def sweep(
    context: typer.Context,
    notebook: Annotated[str, typer.Argument(help="02_training, say")],
    preset: Annotated[str | None, typer.Option(help="start from the values of presets/NAME.yaml")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="runs at a time")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="cores for each run; by default all, shared by the jobs")] = None,
    profile: Annotated[str | None, typer.Option(help="of Snakemake, for a cluster: slurm is in profiles/")] = None,
) -> None:
    """Run a notebook for all combinations of values and compare: posekit sweep 02_training -p stacks 1 2 -p seed 0 1 2

    Runs that are there are not repeated, and the same command goes on where it was stopped.
    """
    from posekit.workflow import sweep as sweeping

    grid = _given(context.args)
    if not grid or not all(grid.values()):
        raise PosekitError("what is to vary? Write -p NAME VALUE VALUE..., for each parameter")
    planned = sweeping.plan(notebook, grid, preset)
    say.print(sweeping.describe(planned))
    try:
        sweeping.run(planned, jobs, threads or max(cores() // jobs, 1), profile)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from here") from None
    finally:
        if planned.done:
            print(sweeping.report(planned) / "sweep.md")


@app.command()
@command
def study(
    name: Annotated[str, typer.Argument(help="redesign, stacks, skips, losses, estimators ...; any other word lists them")],
    data: Annotated[
        str | None, typer.Option(help="people, NAME\\[:PATH], with the splits train, val and test; mannequins by default")
    ] = None,
    seeds: Annotated[str, typer.Option(help="seeds of the trainings, with commas between them; three at least for an interval")] = "0,1,2",
    variant: Annotated[list[str] | None, typer.Option(help="train this variant alone; may be given several times; all without")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="trainings at a time; one a GPU, or one a core, by default")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="say what there is to do, and the table of what is kept, and train nothing")] = False,
    profile: Annotated[str | None, typer.Option(help="of Snakemake, for a cluster: slurm is in profiles/")] = None,
    device: Device = None,
    cache: Cache = Path("data"),
) -> None:
    """Train what is missing of a study, keep each result in book/studies, and print the table: posekit study redesign --data lspet:FOLDER

    Ctrl-C keeps what is done, and the same command goes on with the rest.
    """
    from posekit.studies import designs, execute, verdict

    try:
        numbers = tuple(int(seed) for seed in seeds.replace(" ", ",").split(",") if seed)
    except ValueError:
        numbers = ()
    if not numbers:
        raise PosekitError(f"--seeds {seeds!r}: write whole numbers with commas between them, as 0,1,2")
    designs.check_variants(name, variant or ())
    data = data or designs.people_of(name)
    with bars() as bar, bar.task("rendering", None) as rendered:
        planned = execute.plan(name, data, numbers, cache=cache, progress=rendered)
    at_once = workers or execute.usual_workers()
    say.print(execute.describe(planned, at_once, variant or ()))
    try:
        if not plan:
            execute.run(planned, variant or (), workers=at_once, device=device, profile=profile, cache=cache, report=say.print)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from here") from None
    finally:
        if planned.results:
            verdict.print_table(planned, Console(emoji=False))


def _given(arguments: list[str]) -> dict[str, list[str]]:
    """The values behind each `-p NAME` among what a command was given besides its options."""
    given: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest:
        if rest[0] not in ("-p", "--parameter") or len(rest) < 2:
            raise PosekitError(f"{rest[0]!r} is not understood; parameters are given as -p NAME VALUE, each with its own -p")
        name, rest = rest[1], rest[2:]
        if name in given:
            raise PosekitError(f"-p {name} is given twice")
        given[name] = list(itertools.takewhile(lambda word: word != "-p" and not word.startswith("--"), rest))
        rest = rest[len(given[name]) :]
    return given


def _parameters(rows: list[tuple[str, str, str, str]]) -> Any:
    """A notebook's parameters as a table for the terminal."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("parameter", "default", "type", "meaning"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
