"""Commands about people in pictures: data fetch, crops; and fetch, of a network that others trained."""

from pathlib import Path
from typing import Annotated

import typer

from posekit.cli.app import Cache, OnError, OnErrorOption, app, command
from posekit.cli.output import no_file
from posekit.cli.terminal import bars, say
from posekit.errors import PosekitError

data_app = typer.Typer(no_args_is_help=True, help="Fetch data sets of photographs from their publishers.")


app.add_typer(data_app, name="data")


@data_app.command("fetch")
@command
def fetch_data(
    name: Annotated[str, typer.Argument(help="coco, lsp, lspet or mpii")],
    out: Annotated[Path | None, typer.Option(help="folder to unpack in; data/NAME by default")] = None,
) -> None:
    """Fetch a data set's archives, unpack them, and say where they are. What breaks off is gone on with."""
    from posekit.data.download import fetch

    if out is not None:
        no_file(out)
    with bars() as bar:

        def follow(file: str, done: int, total: int | None) -> None:
            bar.follow(f"{file} (MB)", done // 10**6, total // 10**6 if total else None)

        try:
            folder = fetch.fetch(name, out or Path("data") / name, follow)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the same command goes on from here") from None
    if note := fetch.SOURCES[name].note:
        say.print(f"{name}: {note}")
    print(folder)


@app.command("fetch")
@command
def fetch_network(name: Annotated[str, typer.Argument(help="blazepose")]) -> None:
    """Fetch a network that others trained, to stand where weights are taken: BlazePose, from MediaPipe's wheel, by pip."""
    from posekit.data.download import wheels
    from posekit.engine.outside import blazepose

    if name != "blazepose":
        raise PosekitError(f"no network named {name!r} to fetch; there is blazepose")
    say.print(f"{name}: {blazepose.PACKED.requirement}, {blazepose.PACKED.wheel_size / 1e6:.0f} MB, of which one file is kept (Apache-2.0)")
    print(wheels.fetch(blazepose.PACKED, blazepose.FOLDER))


@app.command("crops")
@command
def cut(
    data: Annotated[str, typer.Argument(help="NAME\\[:PATH]\\[@SPLIT]")],
    size: Annotated[int, typer.Option(min=8, help="pixels a side: 1.25 times the network's resolution")],
    cache: Cache = Path("data"),
    on_error: OnErrorOption = OnError.raise_,
) -> None:
    """Cut people out of their pictures ahead of training, so that it can begin at once, or elsewhere with a copy of the cache."""
    from posekit.data import crops, load_people

    with bars() as bar, bar.task("rendering", None) as rendered:
        people = load_people(data, default_split="all", on_error=on_error, cache=cache, progress=rendered)
    with bars() as bar, bar.task("cutting out", len(people)) as done:
        store = crops.crops(people, size, cache, on_error=on_error, progress=done)
    print(store.people.summary())
