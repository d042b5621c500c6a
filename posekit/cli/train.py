"""posekit train."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from posekit.cli.app import Cache, Device, OnError, OnErrorOption, app, command, own_gpu
from posekit.cli.output import make_folder, no_file
from posekit.cli.terminal import Report, bars, say
from posekit.display.html import interval
from posekit.errors import PosekitError
from posekit.process import keep_memory


class Loss(StrEnum):
    cross_entropy = "cross-entropy"
    mse = "mse"


class Optimiser(StrEnum):
    adamw = "adamw"
    rmsprop = "rmsprop"


def _learning_rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        hint = f"; write a point, {text.replace(',', '.')}" if re.fullmatch(r"\d+,\d+", text) else ""
        raise typer.BadParameter(f"{text!r} is not a number{hint}") from None
    if not 0 <= value < float("inf"):
        raise typer.BadParameter(f"{text} is not a number from 0")
    return value


@app.command()
@command
def train(
    data: Annotated[str, typer.Option(help="people to train on, NAME\\[:PATH]\\[@SPLIT]")],
    out: Annotated[Path, typer.Option(help="folder for weights, checkpoints and history")],
    val: Annotated[
        str | None,
        typer.Option(help="people to choose the best epoch by; the split val of the same data by default"),
    ] = None,
    features: Annotated[int, typer.Option(min=4, help="channels of the hourglass; Newell's and the study's is 256")] = 128,
    stacks: Annotated[int, typer.Option(min=1, help="hourglasses in a row")] = 1,
    depth: Annotated[int, typer.Option(min=1, help="levels of pooling in an hourglass")] = 4,
    bottleneck_residuals: Annotated[int, typer.Option(min=1, help="residual modules at the lowest resolution")] = 3,
    resolution: Annotated[int, typer.Option(min=8, help="side of the network's input in pixels")] = 128,
    epochs: Annotated[int, typer.Option(min=1, help="times that everybody is seen")] = 24,
    batch: Annotated[int, typer.Option(min=1, help="people in a step, over all processes")] = 32,
    lr: Annotated[
        float,
        typer.Option(
            "--lr", "--rate", parser=_learning_rate, metavar="NUMBER", help="highest learning rate; Newell's with rmsprop is 2.5e-4"
        ),
    ] = 2e-3,
    loss: Annotated[Loss, typer.Option(help="what is minimised; mse is Newell's")] = Loss.cross_entropy,
    optimiser: Annotated[Optimiser, typer.Option(help="how it is minimised; rmsprop is Newell's")] = Optimiser.adamw,
    seed: Annotated[int, typer.Option(min=0, help="where everything drawn by chance begins")] = 0,
    start: Annotated[
        str | None,
        typer.Option(help="weights to begin with, a file or a shipped name, of the same network; by default none"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on where the training in the folder stopped")] = False,
    compile: Annotated[
        bool | None,
        typer.Option("--compile/--no-compile", help="compile the network; by default where that pays"),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="float32, contiguous, not compiled: slow, to compare with")] = False,
    device: Device = None,
    name: Annotated[str | None, typer.Option(help="the network's name on its card; the folder's by default")] = None,
    note: Annotated[str, typer.Option(help="a remark on the card: terms of use, say")] = "",
    cache: Cache = Path("data"),
    on_error: OnErrorOption = OnError.raise_,
) -> None:
    """Train a network; OUT/weights.safetensors holds its best epoch and its card.

    Ctrl-C keeps what is done, and --resume goes on to the very same weights. Several processes:
    torchrun --nproc-per-node N -m posekit train ...
    """
    from posekit.coordinates import CONTEXT
    from posekit.data import crops, load_people
    from posekit.data.people import parse_spec
    from posekit.engine import weights
    from posekit.engine.backend import Backend
    from posekit.engine.inference import prediction
    from posekit.engine.learning import parallel
    from posekit.engine.learning.fitting import fit
    from posekit.engine.learning.training import Recipe
    from posekit.engine.overlap import words
    from posekit.models.hourglass import HourglassConfig

    keep_memory()
    if resolution % (4 * 2**depth):
        raise PosekitError(f"--resolution {resolution} is not a multiple of {4 * 2**depth}, which --depth {depth} needs")
    no_file(out)
    if (out / "last.pt").exists() and not resume:
        raise PosekitError(f"{out} holds a training already; --resume goes on with it, another --out starts anew")
    if (out / "weights.safetensors").exists() and not (out / "last.pt").exists():
        raise PosekitError(f"{out} holds a trained network, and no last.pt to go on with: it would be written over; give another --out")
    make_folder(out)
    world = parallel.world()
    backend = prediction.backend_for(device or own_gpu(world))
    backend = Backend.plain(str(backend.device)) if plain else backend
    first = world.rank == 0
    spec, path, _ = parse_spec(data)
    source = f"{spec}:{path}" if path else spec
    with bars(first) as bar, bar.task("rendering", None) as rendered:
        reading: dict[str, Any] = {"on_error": on_error, "cache": cache, "progress": rendered}
        people = load_people(data, default_split="train", **reading)
        judges = load_people(val or f"{source}@val", default_split="val", **reading)
    if judges.skeleton.joints != people.skeleton.joints:
        raise PosekitError(f"--val has the joints of {judges.skeleton.name}, --data those of {people.skeleton.name}; both must be the same")
    recipe = Recipe(
        resolution=resolution,
        epochs=epochs,
        batch=batch,
        loss=loss.value,
        optimiser=optimiser.value,
        lr=lr,
        seed=seed,
    )
    config = HourglassConfig.narrow(
        features,
        joints=len(people.skeleton),
        stacks=stacks,
        depth=depth,
        bottleneck_residuals=bottleneck_residuals,
    )
    compiled = backend.worth_compiling(epochs * (len(people) // batch)) if compile is None else compile
    compiled = compiled and not plain and world.size == 1
    if compiled and not backend.can_compile:
        say.print("no compiler is installed (g++, or for a GPU gcc), so the network is trained without being compiled")
        compiled = False
    if first:
        say.print(f"{backend}{', compiled' if compiled else ''}{f', {world.size} processes' if world.size > 1 else ''}")
        say.print(people.summary())
        say.print(judges.summary())
    with bars(first) as bar:
        size = round(resolution * CONTEXT)
        with bar.task("cutting out", len(people) + len(judges)) as cut:
            training = crops.crops(people, size, cache, on_error=on_error, progress=cut)
            validation = crops.crops(judges, size, cache, on_error=on_error, progress=cut)
        peak = prediction.target_peak(loss.value, resolution, recipe.sigma)
        try:
            with bar.task("scoring", len(validation)) as scored:
                written = fit(
                    config, recipe, training, validation, out, name=name, note=note, start=start, resume=resume, backend=backend,
                    compiled=compiled, report=Report(bar, loss.value, (resolution // 4) ** 2, peak),
                    progress=lambda done: scored(done, True),
                )  # fmt: skip
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the same command with --resume goes on from here") from None
    if first:
        card = weights.load(written)[1]
        for line in words(card.name, card.metrics["overlap"], card.metrics["people"]):
            say.print(f"of validation, {line}")
        say.print(f"{written}: PCK@0.2·torso {interval(card.metrics['metrics']['pck@0.2·torso'])} on {card.metrics['data']}, "
                  f"best of {len(card.history)} epochs is number {card.metrics['epoch']}")  # fmt: skip
