"""The command audit: which labels are likely wrong, and the corrected copy that a review's decisions make."""

from pathlib import Path
from typing import Annotated

import typer

from posekit.cli.app import Cache, Device, OnError, OnErrorOption, app, command
from posekit.cli.output import make_folder, no_file
from posekit.cli.terminal import bars, say
from posekit.errors import PosekitError
from posekit.process import keep_memory


@app.command()
@command
def audit(
    data: Annotated[str, typer.Argument(help="whose labels, NAME\\[:PATH]\\[@SPLIT]; everybody's by default")],
    weights: Annotated[
        list[str] | None,
        typer.Option(help="a network; several, each given so, judge the people whom they did not learn from; lspet-hg1 by default"),
    ] = None,
    against: Annotated[str | None, typer.Option(help="a second opinion: another network, or a JSON file of COCO's results")] = None,
    out: Annotated[Path, typer.Option(help="folder for the table, the JSON and the page; with --apply for the corrected copy")] = Path(
        "audit"
    ),
    folds: Annotated[
        int | None, typer.Option(min=2, help="train so many small networks (hours), so that nobody is judged by one that learned from them")
    ] = None,
    apply: Annotated[Path | None, typer.Option(help="decisions that the page downloaded: write a corrected copy of the data")] = None,
    most: Annotated[int, typer.Option(min=1, help="people on the page, the most doubtful ones")] = 400,
    device: Device = None,
    cache: Cache = Path("data"),
    on_error: OnErrorOption = OnError.raise_,
) -> None:
    """Find the labels that are likely wrong: a table, COCO JSON, and a page to review them by keyboard.

    The page holds the photographs that it shows. What it downloads, --apply turns into a corrected copy; the original is only read.
    """
    from posekit.auditing import decisions, judging, writing
    from posekit.auditing import folds as folding
    from posekit.data import load_people
    from posekit.engine.inference.prediction import backend_for

    keep_memory()
    with bars() as bar, bar.task("rendering", None) as rendered:
        people = load_people(data, on_error=on_error, cache=cache, progress=rendered)
    if apply is not None:
        if weights or against or folds:
            raise PosekitError("--apply takes no --weights, --against and --folds: it judges nothing")
        copy, changed = decisions.apply(apply, people, out)
        say.print(f"{copy}: a copy in which {changed:,} {'annotation differs' if changed == 1 else 'annotations differ'}")
        return
    if folds and weights:
        raise PosekitError("--folds trains the networks; give no --weights beside it")
    no_file(out)
    judging.check(people)
    writing.spare(people, out)
    make_folder(out)
    given: list = list(weights or ["lspet-hg1"])
    if folds:
        given = list(folding.train(people, folds, out / "folds", cache=cache, on_error=on_error, backend=backend_for(device)))
    with bars() as bar:
        found = judging.audit(people, given, against, cache=cache, on_error=on_error, progress=bar.follow)
    for note in found.notes:
        say.print(note)
    for path in writing.write(found, out, most=most):
        print(path)
    say.print(f"{found.people.source}: {found.summary()}")
