"""The command line. Heavy modules are imported where they are needed, so that `posekit --help` answers at once."""

import functools
import itertools
import os
import re
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from posekit.display import interval
from posekit.errors import PosekitError
from posekit.memory import keep_memory
from posekit.output import make_folder, no_file, save_picture, show_like_signs, spare, writable, write_json
from posekit.terminal import Report, bars, say

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
    help="Train the Stacked Hourglass for 2D human pose, score it, and find people's joints in pictures.",
    epilog="Data are named NAME\\[:PATH]\\[@SPLIT]: mannequins@test, lspet:photographs/lspet@train, coco:/data/coco@val2017.",
)  # fmt: skip


class OnError(StrEnum):
    raise_ = "raise"
    skip = "skip"


class Loss(StrEnum):
    cross_entropy = "cross-entropy"
    mse = "mse"


class Optimiser(StrEnum):
    adamw = "adamw"
    rmsprop = "rmsprop"


Weights = Annotated[str, typer.Argument(help="a weights file, a run's folder, or the name of shipped weights")]
OnErrorOption = Annotated[OnError, typer.Option(help="what a record that cannot be read does: stop, or be left out and counted")]
Cache = Annotated[Path, typer.Option(help="where crops are kept")]
Flip = Annotated[bool, typer.Option("--flip", help="predict the mirror image too and take the mean of the heatmaps")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ...; the best there is by default")]


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        hint = f"; write a point, {text.replace(',', '.')}" if re.fullmatch(r"\d+,\d+", text) else ""
        raise typer.BadParameter(f"{text!r} is not a number{hint}") from None
    if not 0 <= rate < float("inf"):
        raise typer.BadParameter(f"{text} is not a number from 0")
    return rate


def _command(function: Callable) -> Callable:
    """Register a command whose mistakes of use end in one line on stderr and exit code 1, and Ctrl-C in 130."""

    @functools.wraps(function)
    def wrapper(*arguments, **options):
        try:
            return function(*arguments, **options)
        except PosekitError as error:
            say.print(f"posekit: {error}")
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


@app.command()
@_command
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
    epochs: Annotated[int, typer.Option(min=1, help="passes over the people")] = 24,
    batch: Annotated[int, typer.Option(min=1, help="people in a step, over all processes")] = 32,
    rate: Annotated[
        float, typer.Option(parser=_rate, metavar="NUMBER", help="highest learning rate; Newell's with rmsprop is 2.5e-4")
    ] = 2e-3,
    loss: Annotated[Loss, typer.Option(help="what is minimised; mse is Newell's")] = Loss.cross_entropy,
    optimiser: Annotated[Optimiser, typer.Option(help="how it is minimised; rmsprop is Newell's")] = Optimiser.adamw,
    seed: Annotated[int, typer.Option(help="where everything drawn by chance begins")] = 0,
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
    from posekit import parallel, prediction, weights
    from posekit.coordinates import CONTEXT
    from posekit.data import crops, load_people
    from posekit.data.people import parse_spec
    from posekit.fitting import fit
    from posekit.machine import Machine
    from posekit.models.hourglass import HourglassConfig
    from posekit.training import Recipe

    keep_memory()
    if resolution % (4 * 2**depth):
        raise PosekitError(f"--resolution {resolution} is not a multiple of {4 * 2**depth}, which --depth {depth} needs")
    no_file(out)
    if (out / "last.pt").exists() and not resume:
        raise PosekitError(f"{out} holds a training already; --resume goes on with it, another --out starts anew")
    make_folder(out)
    world = parallel.world()
    machine = prediction.machine_for(device or _own_gpu(world))
    machine = Machine.plain(str(machine.device)) if plain else machine
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
        rate=rate,
        seed=seed,
    )
    config = HourglassConfig.narrow(
        features,
        joints=len(people.skeleton),
        stacks=stacks,
        depth=depth,
        bottleneck_residuals=bottleneck_residuals,
    )
    compiled = machine.worth_compiling(epochs * (len(people) // batch)) if compile is None else compile
    compiled = compiled and not plain and world.size == 1
    if compiled and not machine.can_compile:
        say.print("no compiler is installed (g++, or for a GPU gcc), so the network is trained without being compiled")
        compiled = False
    if first:
        say.print(f"{machine}{', compiled' if compiled else ''}{f', {world.size} processes' if world.size > 1 else ''}")
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
                    config, recipe, training, validation, out, name=name, note=note, start=start, resume=resume, machine=machine,
                    compiled=compiled, report=Report(bar, loss.value, (resolution // 4) ** 2, peak),
                    progress=lambda done: scored(done, True),
                )  # fmt: skip
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the same command with --resume goes on from here") from None
    if first:
        card = weights.load(written)[1]
        say.print(f"{written}: PCK@0.2·torso {interval(card.metrics['metrics']['pck@0.2·torso'])} on {card.metrics['data']}, "
                  f"best of {len(card.history)} epochs is number {card.metrics['epoch']}")  # fmt: skip


@app.command()
@_command
def evaluate(
    weights: Weights,
    data: Annotated[str, typer.Option(help="people to score on, NAME\\[:PATH]\\[@SPLIT]; the test split by default")],
    flip: Flip = False,
    against: Annotated[str | None, typer.Option(help="other weights: adds the paired difference on the same people")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result here; - is standard output")] = None,
    device: Device = None,
    seed: Annotated[int, typer.Option(help="where the bootstrap behind the intervals begins")] = 0,
    cache: Cache = Path("data"),
    on_error: OnErrorOption = OnError.raise_,
) -> None:
    """Score a network: every metric that the data allow, per joint and per stack, with 95 % intervals."""
    from posekit import evaluation
    from posekit.prediction import machine_for

    keep_memory()
    writable(json_file)
    with bars() as bar:
        result = evaluation.evaluate(
            weights, data, against=against, flip=flip, on_error=on_error, cache=cache, seed=seed, machine=machine_for(device),
            progress=bar.follow,
        )  # fmt: skip
    if json_file is not None:
        write_json(json_file, evaluation.plain(result))
    if json_file is None or str(json_file) != "-":
        evaluation.print_table(result, Console(emoji=False))


@app.command()
@_command
def predict(
    weights: Weights,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="pictures, or folders of pictures")],
    boxes: Annotated[
        Path | None,
        typer.Option(
            help='JSON: {"name.jpg": \\[\\[x, y, width, height], ...]}, or COCO\'s annotations or results, of which people are taken whose '
            "score is 0.3 or more, and no crowds"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder for the pictures with the skeletons drawn on")] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="write COCO results here; standard output where neither is given"),
    ] = None,
    flip: Flip = False,
    device: Device = None,
) -> None:
    """Find people's joints in pictures. Without --boxes, one person is looked for in the whole picture.

    The boxes of a picture are found by its path, with as many folders as the file gives, or by its number. A picture of which the
    file says nothing is named, and nobody is looked for there; a file that is of none of the pictures is an error.

    A picture that cannot be read is said in one line, the rest goes on, and the exit code is 1 at the end.
    """
    from posekit import boxes as people_in
    from posekit import prediction

    keep_memory()
    known = people_in.read(boxes) if boxes else None
    if out is None and json_file is None:
        json_file = Path("-")
    writable(json_file)
    paths = _pictures(images)
    if known and known.left_out:
        say.print(f"{boxes}: left out: {', '.join(f'{count:,} {reason}' for reason, count in known.left_out.items())}")
    wanted = people_in.of_pictures(known, paths) if known else [people_in.Wanted(None)] * len(paths)
    names: set[str] = set()
    drawn = [out / _unused(path.stem, names) if out else None for path in paths]
    for target in drawn:
        spare(target, paths)
    predictor = prediction.load(weights, device)
    if out is not None:
        make_folder(out)
    results: list[dict[str, Any]] = []
    failed = unknown = 0
    with bars() as bar, bar.task("predicting", len(paths)) as done:
        for path, asked, number, target in zip(paths, wanted, _image_ids(paths, [w.number for w in wanted]), drawn, strict=True):
            try:
                if asked.fault:
                    raise PosekitError(f"{path} {asked.fault}")
                if known and asked.boxes is None:
                    say.print(f"{path}: not in {boxes}, so nobody is looked for in it")
                    unknown += 1
                    done(1)
                    continue
                poses = predictor.predict(path, asked.boxes, flip=flip)
                results += poses.to_coco(number)
                if target is not None:
                    save_picture(poses.draw(), target)
            except PosekitError as error:  # what was found in the other pictures is written all the same
                say.print(f"posekit: {error}")
                failed += 1
            done(1)
    if json_file is not None:
        write_json(json_file, results)
    places = [str(place) for place in (out, json_file) if place is not None and str(place) != "-"]
    what = f"{_count(len(results), 'person', 'people')} in {_count(len(paths) - failed - unknown, 'picture', 'pictures')}"
    say.print(f"{what}: {' and '.join(places)}" if places else what)
    if failed:
        raise PosekitError(f"{failed} of {len(paths)} pictures could not be predicted")


@app.command()
@_command
def explain(
    weights: Weights,
    image: Annotated[Path, typer.Argument(help="a picture")],
    out: Annotated[Path, typer.Option(help="the PNG file to write: picture, heatmap and map side by side")],
    joint: Annotated[str, typer.Option(help="which joint's answer is explained")] = "left wrist",
    method: Annotated[
        str,
        typer.Option(help="saliency, guided-backprop, deconvnet, grad-cam, occlusion, integrated-gradients; of a transformer, attention"),
    ] = "grad-cam",
    target: Annotated[
        str, typer.Option(help="what of its heatmap: peak, window, mean, probability, or 'distance to right wrist', say")
    ] = "window",
    layer: Annotated[
        str | None, typer.Option(help="the activation that Grad-CAM weighs, stack0.skip2 say; by default the finest sum")
    ] = None,
    box: Annotated[
        tuple[float, float, float, float] | None, typer.Option(help="the person: x y width height; by default the whole picture")
    ] = None,
    device: Device = None,
) -> None:
    """Show which pixels the network's answer for a joint hangs on."""
    from posekit import prediction
    from posekit.interpret import attribution

    keep_memory()
    if out.suffix.lower() != ".png":
        raise PosekitError(f"--out {out}: a PNG is written; let its name end in .png")
    writable(out)
    spare(out, [image])
    predictor = prediction.load(weights, device)
    found = attribution.explain(predictor, image, joint, method, target, layer=layer, box=box)
    save_picture(found.draw(), out)
    say.print(f"{out}: {found.target}, {found.method}")


@app.command()
@_command
def convert(
    checkpoint: Annotated[
        Path,
        typer.Argument(help="a file of princeton-vl/pytorch_stacked_hourglass, bearpaw/pytorch-pose or anibali's package"),
    ],
    out: Annotated[Path, typer.Option(help="the weights file to write")],
) -> None:
    """Turn a public checkpoint into a weights file; which code it is of is recognised by what it holds."""
    from posekit.convert import convert as run

    card = run(checkpoint, out)
    say.print(f"{out}: {card.architecture} of {card.config['stacks']} stacks, {card.skeleton} skeleton, {card.resolution} px")


@app.command()
@_command
def bench(
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result here; - is standard output")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="small and rough, in seconds")] = False,
) -> None:
    """Time rendering, cropping, loading, training and prediction against plain float32, and principal components against scikit-learn's."""
    from posekit import bench as benchmark
    from posekit import bench_components

    writable(json_file)
    result = benchmark.bench(quick=quick) | {"components": bench_components.bench_components(quick)}
    if json_file is not None:
        write_json(json_file, result)
    if json_file is None or str(json_file) != "-":
        Console().print(benchmark.table(result))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    options_metavar="[-p NAME VALUE]... [--preset NAME]",
    add_help_option=False,
)
@_command
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
    from posekit import parameters
    from posekit.execution import run_notebook

    if help and notebook:
        Console(soft_wrap=True).print(_parameters(parameters.rows(parameters.notebook_path(notebook))))
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
@_command
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
    from posekit import sweep as sweeping

    grid = _given(context.args)
    if not grid or not all(grid.values()):
        raise PosekitError("what is to vary? Write -p NAME VALUE VALUE..., for each parameter")
    planned = sweeping.plan(notebook, grid, preset)
    say.print(sweeping.describe(planned))
    try:
        sweeping.run(planned, jobs, threads or max((os.cpu_count() or 1) // jobs, 1), profile)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from here") from None
    finally:
        if planned.done:
            print(sweeping.report(planned) / "sweep.md")


@app.command()
@_command
def study(
    name: Annotated[str, typer.Argument(help="redesign, stacks or skips")],
    data: Annotated[str, typer.Option(help="people, NAME\\[:PATH], with the splits train, val and test")] = "mannequins:5000",
    seeds: Annotated[str, typer.Option(help="seeds of the trainings, with commas between them; three at least for an interval")] = "0,1,2",
    workers: Annotated[int | None, typer.Option(min=1, help="trainings at a time; one a GPU, or one a core, by default")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="say what there is to do, and the table of what is kept, and train nothing")] = False,
    profile: Annotated[str | None, typer.Option(help="of Snakemake, for a cluster: slurm is in profiles/")] = None,
    device: Device = None,
    cache: Cache = Path("data"),
) -> None:
    """Train what is missing of a study, keep each result in book/studies, and print the table: posekit study redesign --data lspet:FOLDER

    Ctrl-C keeps what is done, and the same command goes on with the rest.
    """
    from posekit.studies import execute, verdict

    try:
        numbers = tuple(int(seed) for seed in seeds.replace(" ", ",").split(",") if seed)
    except ValueError:
        numbers = ()
    if not numbers:
        raise PosekitError(f"--seeds {seeds!r}: write whole numbers with commas between them, as 0,1,2")
    with bars() as bar, bar.task("rendering", None) as rendered:
        planned = execute.plan(name, data, numbers, cache=cache, progress=rendered)
    at_once = workers or execute.usual_workers()
    say.print(execute.describe(planned, at_once))
    try:
        if not plan:
            execute.run(planned, workers=at_once, device=device, profile=profile, cache=cache, report=say.print)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from here") from None
    finally:
        if planned.results:
            verdict.print_table(planned, Console(emoji=False, width=max(Console().width, 130)))  # a row is a line, in a pipe as well


@app.command()
@_command
def doctor() -> None:
    """Say what this machine has, what will be made of it, and what is missing; exit code 1 where that is essential."""
    from posekit import doctor as examination

    findings = examination.examine()
    wide = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark = "✗" if finding.essential else "–" if finding.lacking else "✓"
        lacking = f": {finding.lacking}" if finding.lacking else ""
        print(f"{mark} {finding.what:{wide}}  {finding.found}{lacking}")
    if any(finding.essential for finding in findings):
        raise PosekitError("what is marked ✗ has to be put right first")


data_app = typer.Typer(no_args_is_help=True, help="Fetch data sets of photographs from their publishers.")
app.add_typer(data_app, name="data")


@data_app.command("fetch")
@_command
def fetch_data(
    name: Annotated[str, typer.Argument(help="coco, lsp, lspet or mpii")],
    out: Annotated[Path | None, typer.Option(help="folder to unpack in; data/NAME by default")] = None,
) -> None:
    """Fetch a data set's archives, unpack them, and say where they are. What breaks off is gone on with."""
    from posekit.data import fetch

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


@app.command("crops")
@_command
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


@app.command()
@_command
def codes(
    weights: Weights,
    data: Annotated[str, typer.Option(help="whose codes, NAME\\[:PATH]\\[@SPLIT]; everybody's by default")],
    out: Annotated[Path, typer.Option(help="the file to write, NAME.npy (NAME.json is written beside it); with --statistics NAME.npz")],
    stack: Annotated[int, typer.Option(help="whose bottleneck, from 0; the last one by default")] = -1,
    statistics: Annotated[
        bool, typer.Option("--statistics", help="number, mean and scatter only, all that principal components need")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, help="people predicted at once")] = 64,
    device: Device = None,
    cache: Cache = Path("data"),
    on_error: OnErrorOption = OnError.raise_,
) -> None:
    """Write people's codes, the activations at a stack's bottleneck, as float16 with a description beside them.

    Statistics can be shared out over processes: torchrun --nproc-per-node N -m posekit codes ... --statistics
    """
    from posekit import parallel, prediction
    from posekit import weights as files
    from posekit.coordinates import CONTEXT
    from posekit.data import crops, load_people
    from posekit.interpret import codes as coding
    from posekit.interpret.components import moments_of
    from posekit.interpret.trace import code_place

    keep_memory()
    ending = ".npz" if statistics else ".npy"
    if out.suffix != ending:
        raise PosekitError(f"--out {out}: {'statistics' if statistics else 'codes'} are a NumPy file; let its name end in {ending}")
    writable(out)
    world = parallel.world()
    if world.size > 1 and not statistics:
        raise PosekitError("codes are written by one process; with --statistics several can share the people")
    model, card = files.load(weights)
    place = code_place(model, stack)
    machine, first = prediction.machine_for(device or _own_gpu(world)), world.rank == 0
    with bars(first) as bar, bar.task("rendering", None) as rendered:
        people = load_people(data, default_split="all", on_error=on_error, cache=cache, progress=rendered)
    with bars(first) as bar:
        with bar.task("cutting out", len(people)) as cut:
            stored = crops.crops(people, round(card.resolution * CONTEXT), cache, on_error=on_error, progress=cut)
        if len(stored) < world.size:
            raise PosekitError(f"{world.size} processes for {len(stored)} people; start fewer")
        mine = stored.select(world.rows(len(stored)))
        with bar.task("coding", len(mine)) as done:
            options: dict[str, Any] = {"machine": machine, "batch": batch, "progress": done}
            if statistics:
                moments = moments_of(values for _, values in coding.stream(model, card, mine, place, **options)).summed()
                if first:
                    coding.write_moments(out, moments, model, card, stored, place)
            else:
                coding.write_codes(out, model, card, stored, place, **options)
    if first:
        dimensions = " x ".join(map(str, coding.activation_shape(model, card, place)))
        what = "the moments of the codes" if statistics else "codes"
        say.print(f"{out}: {what} of {len(stored):,} people, {dimensions} numbers each, {place} of {card.name}")


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
        given[name] = list(itertools.takewhile(lambda word: word not in ("-p", "--parameter"), rest))
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


def _own_gpu(world: Any) -> str | None:
    """The GPU of this one of several processes, where there are GPUs."""
    import torch

    return f"cuda:{os.environ['LOCAL_RANK']}" if world.size > 1 and torch.cuda.is_available() else None


def _pictures(paths: list[Path]) -> list[Path]:
    """The pictures that are named, and those in the folders that are."""
    from posekit.data.pictures import in_folder

    found = []
    for path in paths:
        inside, others = in_folder(path) if path.is_dir() else ([path], [])
        told = f"{_count(len(others), 'file', 'files')} of kinds that are not read, {others[0].name if others else ''} say; convert to JPEG"
        if not inside:
            raise PosekitError(f"{path}: no pictures in this folder{f', but {told}' if others else ''}")
        if others:
            say.print(f"{path}: passed over {told}")
        found += inside
    return found


def _count(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _unused(stem: str, names: set[str]) -> str:
    """STEM.png, or STEM-2.png and so on where another picture has taken that name; `names` holds those taken."""
    name, number = f"{stem}.png", 1
    while name in names:
        number += 1
        name = f"{stem}-{number}.png"
    names.add(name)
    return name


def _image_ids(paths: list[Path], known: list[int | str | None]) -> list[int | str]:
    """Each picture's number in COCO's results: the one that the boxes' file gives it, else its name where that is one, else a free one."""
    named = [int(path.stem) if path.stem.isdecimal() else None for path in paths]
    ids = known if any(number is not None for number in known) else named
    free = (number for number in itertools.count(1) if number not in ids)
    return [next(free) if number is None or number in ids[:i] else number for i, number in enumerate(ids)]


def main() -> None:
    """What the command `posekit` runs."""
    show_like_signs()
    app([re.sub(r"^(--[\w-]+=)?~(?=/|$)", lambda match: (match[1] or "") + os.path.expanduser("~"), word) for word in sys.argv[1:]])


if __name__ == "__main__":
    main()
