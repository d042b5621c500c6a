"""The application and what its commands share. Heavy modules are imported where they are needed, so that --help answers at once."""

import errno
import functools
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from posekit.cli.terminal import say
from posekit.errors import PosekitError

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
    help="Train the Stacked Hourglass for 2D human pose, score it, and find people's joints in pictures.",
    epilog="Data are named NAME\\[:PATH]\\[@SPLIT]: mannequins@test, lspet:photographs/lspet@train, coco:/data/coco@val2017.",
)  # fmt: skip


class OnError(StrEnum):
    raise_ = "raise"
    skip = "skip"


Weights = Annotated[str, typer.Argument(help="a weights file, a run's folder, or the name of shipped weights")]


OnErrorOption = Annotated[OnError, typer.Option(help="what a record that cannot be read does: stop, or be left out and counted")]


Cache = Annotated[Path, typer.Option(help="where crops are kept")]


Flip = Annotated[bool, typer.Option("--flip", help="predict the mirror image too and take the mean of the heatmaps")]


Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ...; the best there is by default")]


def command(function: Callable) -> Callable:
    """Register a command whose mistakes of use, and what the system refuses, end in one line on stderr and exit code 1; Ctrl-C in 130."""

    @functools.wraps(function)
    def wrapper(*arguments, **options):
        try:
            return function(*arguments, **options)
        except PosekitError as error:
            say.print(f"posekit: {error}")
            raise typer.Exit(1) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever reads has enough
                raise
            where = f"{error.filename}: " if error.filename else ""
            say.print(f"posekit: {where}{error.strerror or error}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt as stop:
            say.print(f"posekit: stopped{f'; {stop}' if str(stop) else ''}")
            raise typer.Exit(130) from None

    return wrapper


def _version(wanted: bool) -> None:
    if wanted:
        from posekit import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")] = False,
) -> None:
    pass


def own_gpu(world: Any) -> str | None:
    """The GPU of this one of several processes, where there are GPUs."""
    import torch

    return f"cuda:{os.environ['LOCAL_RANK']}" if world.size > 1 and torch.cuda.is_available() else None
