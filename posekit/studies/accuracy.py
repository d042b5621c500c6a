"""Time to accuracy: how long two ways of training one network take until it finds a given share of the joints."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from posekit.coordinates import CONTEXT
from posekit.data.crops import crops
from posekit.data.people import People
from posekit.engine.backend import Backend, own_random_state, seed_generators
from posekit.engine.learning.training import Recipe, train
from posekit.errors import PosekitError
from posekit.files import read_json, write_json
from posekit.models.hourglass import Hourglass, HourglassConfig

TARGETS = (0.40, 0.55)  # PCK@0.2·torso on val
LIMIT = 8  # the second way is given so many times what the first one took


@dataclass(frozen=True)
class Way:
    """How a network is trained: stage after stage, each on the backend's path."""

    name: str
    stages: tuple[Recipe, ...]
    backend: Backend


def ways(backend: Backend | None = None) -> tuple[Way, Way]:
    """The project's own, at growing resolutions, and that of public code: 256 px, mean squared error, Newell's RMSProp, plain float32."""
    backend = backend or Backend.best()
    ours = (Recipe(64, 6, sigma=0.7), Recipe(128, 10, sigma=0.7), Recipe(192, 12, lr=1e-3, sigma=0.7))
    public = Recipe(
        256, 100, batch=6, loss="mse", optimiser="rmsprop", lr=2.5e-4, warm_up=0.0, weight_decay=0.0, clip=math.inf, average=0.0
    )
    return Way("posekit", ours, backend), Way("public", (public,), Backend.plain(backend.device.type))


class _Enough(Exception):
    """The last target is reached, or the time is over."""


def follow(
    way: Way, config: HourglassConfig, people: People, folder: Path, *, targets: Sequence[float] = TARGETS, limit: float = math.inf,
    cache: str | Path = "data", report: Callable[[dict], None] = lambda line: None,
) -> dict[str, Any]:  # fmt: skip
    """Train by one way until the last target is reached or `limit` seconds have gone; what an earlier call did in `folder` is gone on with.

    Returns:
        `seconds` in all, and `lines`, one an epoch: `resolution`, `epoch`, `seconds` since the beginning and `pck` on val. Seconds are of
        the processor on a CPU, where other work beside then counts little, and of the clock elsewhere.
    """
    clock = time.process_time if way.backend.device.type == "cpu" else time.monotonic
    kept = folder / "curve.json"
    done: dict[str, Any] = read_json(kept) if kept.exists() else {"seconds": 0.0, "lines": []}
    lines, before = done["lines"], done["seconds"]
    stores = {
        recipe: [crops(people.split(name), round(recipe.resolution * CONTEXT), cache) for name in ("train", "val")] for recipe in way.stages
    }
    began = clock()
    with own_random_state(way.backend.device):
        seed_generators(way.stages[0].seed, way.backend.device)
        network = Hourglass(config)

    def watch(figures: dict) -> None:
        seconds = before + clock() - began
        if figures.get("validated"):
            lines.append({"resolution": recipe.resolution, "epoch": figures["epoch"], "seconds": round(seconds, 1), "pck": figures["pck"]})
            write_json(kept, {"seconds": seconds, "lines": lines})
            report(lines[-1])
        if _over(lines, targets, seconds, limit):
            raise _Enough

    try:
        for recipe in way.stages:
            if _over(lines, targets, before, limit):
                break
            training, validation = stores[recipe]
            train(network, training, validation, recipe, folder / str(recipe.resolution), start=way.name, resume=True,
                  backend=way.backend, report=watch)  # fmt: skip
    except _Enough:
        pass
    finally:  # a step that Ctrl-C interrupted is kept by `train`, and its time here
        done = {"seconds": before + clock() - began, "lines": lines}
        folder.mkdir(parents=True, exist_ok=True)
        write_json(kept, done)
    return done


def _over(lines: Sequence[dict], targets: Sequence[float], seconds: float, limit: float) -> bool:
    return seconds >= limit or any(line["pck"] >= targets[-1] for line in lines)


def compare(
    people: People, folder: Path, *, config: HourglassConfig | None = None, targets: Sequence[float] = TARGETS,
    pair: tuple[Way, Way] | None = None, cache: str | Path = "data", report: Callable[[str, dict], None] = lambda name, line: None,
) -> dict:  # fmt: skip
    """Train by our way until the last target, then by the public one for at most LIMIT times as long, on one thread.

    Raises:
        PosekitError: the people have no split train or val, or our way ends before the last target.
    """
    lacking = [name for name in ("train", "val") if name not in people.splits]
    if lacking:
        raise PosekitError(f"{people.source}: time to accuracy needs the splits train and val; {' and '.join(lacking)} is missing")
    first, second = pair or ways()
    config = config or HourglassConfig.narrow(128, joints=len(people.skeleton), bottleneck_residuals=3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours = follow(first, config, people, folder / first.name, targets=targets, cache=cache, report=partial(report, first.name))
        best = max(line["pck"] for line in ours["lines"])
        if best < targets[-1]:
            raise PosekitError(f"{first.name} ends at {best:.3f} on val, before {targets[-1]:g}: there is nothing to compare with")
        limit = LIMIT * ours["seconds"]
        theirs = follow(second, config, people, folder / second.name, targets=targets, limit=limit, cache=cache,
                        report=partial(report, second.name))  # fmt: skip
        machine = str(first.backend)
    finally:
        torch.set_num_threads(threads)
    found = {way.name: {"stages": [asdict(recipe) for recipe in way.stages], **run} for way, run in ((first, ours), (second, theirs))}
    counts = {"people": len(people.split("train")), "validated": len(people.split("val"))}
    parameters = sum(weight.numel() for weight in Hourglass(config).parameters())
    return {"machine": machine, "torch": torch.__version__, "targets": list(targets), **counts, "parameters": parameters, "ways": found}
