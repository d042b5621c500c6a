"""Commands that take a trained network: evaluate, predict, explain, codes, convert."""

import itertools
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from posekit.cli.app import Cache, Device, Flip, OnError, OnErrorOption, Weights, app, command, own_gpu
from posekit.cli.output import json_target, make_folder, report, save_picture, spare, writable, write_json
from posekit.cli.terminal import bars, say
from posekit.errors import PosekitError
from posekit.process import keep_memory


@app.command()
@command
def evaluate(
    weights: Weights,
    data: Annotated[str, typer.Option(help="people to score on, NAME\\[:PATH]\\[@SPLIT]; the test split by default")],
    flip: Flip = False,
    against: Annotated[str | None, typer.Option(help="other weights: adds the paired difference on the same people")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result here; - is standard output")] = None,
    device: Device = None,
    seed: Annotated[int, typer.Option(min=0, help="where the bootstrap behind the intervals begins")] = 0,
    cache: Cache = Path("data"),
    on_error: OnErrorOption = OnError.raise_,
) -> None:
    """Score a network: every metric that the data allow, per joint and per stack, with 95 % intervals."""
    from posekit.engine import evaluation
    from posekit.engine.inference.prediction import backend_for

    keep_memory()
    json_target(json_file)
    with bars() as bar:
        result = evaluation.evaluate(
            weights, data, against=against, flip=flip, on_error=on_error, cache=cache, seed=seed, backend=backend_for(device),
            progress=bar.follow,
        )  # fmt: skip
    if report(json_file, result):
        evaluation.print_table(result, Console(emoji=False))


@app.command()
@command
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
    calibration: Annotated[
        Path | None, typer.Option(help="what `posekit calibrate` wrote for these weights: gives each joint a probability and a radius")
    ] = None,
    device: Device = None,
) -> None:
    """Find people's joints in pictures. Without --boxes, one person is looked for in the whole picture.

    The boxes of a picture are found by its path, with as many folders as the file gives, or by its number. A picture of which the
    file says nothing is named, and nobody is looked for there; a file that is of none of the pictures is an error.

    A picture that cannot be read is said in one line, the rest goes on, and the exit code is 1 at the end. Ctrl-C keeps what was found
    so far.
    """
    from posekit.engine.inference import boxes as people_in
    from posekit.engine.inference import prediction
    from posekit.engine.trust import calibration as calibrations
    from posekit.engine.weights import fingerprint

    keep_memory()
    fitted = calibrations.load(calibration) if calibration else None
    known = people_in.read(boxes) if boxes else None
    if out is None and json_file is None:
        json_file = Path("-")
    json_target(json_file, boxes, calibration)
    paths = _pictures(images)
    if known and known.left_out:
        say.print(f"{boxes}: left out: {', '.join(f'{count:,} {reason}' for reason, count in known.left_out.items())}")
    wanted = people_in.of_pictures(known, paths) if known else [people_in.Wanted(None)] * len(paths)
    names: set[str] = set()
    drawn = [out / _unused(path.stem, names) if out else None for path in paths]
    for target in drawn:
        spare(target, paths)
    predictor = prediction.load(weights, device)
    if fitted:
        fitted.check(predictor.card.name, fingerprint(predictor.model, predictor.card), flip)
    if out is not None:
        make_folder(out)
    results: list[dict[str, Any]] = []
    failed = unknown = predicted = 0
    stopped = False
    try:
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
                    poses = predictor.predict(path, asked.boxes, flip=flip, calibration=fitted)
                    results += poses.to_coco(number)
                    predicted += 1
                    if target is not None:
                        save_picture(poses.draw(), target)
                except PosekitError as error:  # what was found in the other pictures is written all the same
                    say.print(f"posekit: {error}")
                    failed += 1
                done(1)
    except KeyboardInterrupt:
        stopped = True
    if stopped and not predicted:
        raise KeyboardInterrupt("no picture was done yet")
    if json_file is not None:
        write_json(json_file, results)
    places = [str(place) for place in (out, json_file) if place is not None and str(place) != "-"]
    pictures = f"{predicted:,} of {len(paths):,} pictures" if stopped else _count(predicted, "picture", "pictures")
    what = f"{_count(len(results), 'person', 'people')} in {pictures}{': ' if places else ''}{' and '.join(places)}"
    if stopped:
        raise KeyboardInterrupt(what)
    say.print(what)
    if failed:
        raise PosekitError(f"{failed} of {len(paths)} pictures could not be predicted")


@app.command()
@command
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
    from posekit.engine.inference import prediction
    from posekit.interpret.attribution import explain as attribution

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
@command
def convert(
    checkpoint: Annotated[
        Path,
        typer.Argument(help="a file of princeton-vl/pytorch_stacked_hourglass, bearpaw/pytorch-pose or anibali's package"),
    ],
    out: Annotated[Path, typer.Option(help="the weights file to write")],
) -> None:
    """Turn a public checkpoint into a weights file; which code it is of is recognised by what it holds."""
    from posekit.engine.outside.convert import convert as run

    card = run(checkpoint, out)
    say.print(f"{out}: {card.architecture} of {card.config['stacks']} stacks, {card.skeleton} skeleton, {card.resolution} px")


@app.command()
@command
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
    from posekit.coordinates import CONTEXT
    from posekit.data import crops, load_people
    from posekit.engine import weights as files
    from posekit.engine.inference import prediction
    from posekit.engine.learning import parallel
    from posekit.interpret.activations import codes as coding
    from posekit.interpret.analysis.components import moments_of

    keep_memory()
    ending = ".npz" if statistics else ".npy"
    if out.suffix != ending:
        raise PosekitError(f"--out {out}: {'statistics' if statistics else 'codes'} are a NumPy file; let its name end in {ending}")
    writable(out)
    world = parallel.world()
    if world.size > 1 and not statistics:
        raise PosekitError("codes are written by one process; with --statistics several can share the people")
    model, card = files.load(weights)
    hook_point = coding.code_hook_point(model, stack)
    backend, first = prediction.backend_for(device or own_gpu(world)), world.rank == 0
    with bars(first) as bar, bar.task("rendering", None) as rendered:
        people = load_people(data, default_split="all", on_error=on_error, cache=cache, progress=rendered)
    with bars(first) as bar:
        with bar.task("cutting out", len(people)) as cut:
            stored = crops.crops(people, round(card.resolution * CONTEXT), cache, aspect=card.aspect, on_error=on_error, progress=cut)
        if len(stored) < world.size:
            raise PosekitError(f"{world.size} processes for {len(stored)} people; start fewer")
        mine = stored.select(world.rows(len(stored)))
        with bar.task("coding", len(mine)) as done:
            options: dict[str, Any] = {"backend": backend, "batch": batch, "progress": done}
            if statistics:
                moments = moments_of(values for _, values in coding.stream(model, card, mine, hook_point, **options)).summed()
                if first:
                    coding.write_moments(out, moments, model, card, stored, hook_point)
            else:
                coding.write_codes(out, model, card, stored, hook_point, **options)
    if first:
        dimensions = " x ".join(map(str, coding.activation_shape(model, card, hook_point)))
        what = "the moments of the codes" if statistics else "codes"
        say.print(f"{out}: {what} of {len(stored):,} people, {dimensions} numbers each, {hook_point} of {card.name}")


def _pictures(paths: list[Path]) -> list[Path]:
    """The pictures that are named, and those in the folders that are, once each: results tell them apart by a number."""
    from posekit.data.pictures import in_folder

    found = []
    for path in paths:
        inside, others = in_folder(path) if path.is_dir() else ([path], [])
        unread = (
            f"{_count(len(others), 'file', 'files')} of kinds that are not read ({others[0].name if others else ''}, say); convert to JPEG"
        )
        if not inside:
            raise PosekitError(f"{path}: no pictures in this folder{f', but {unread}' if others else ''}")
        if others:
            say.print(f"{path}: left out {unread}")
        found += inside
    return list(dict.fromkeys(found))


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
