"""From a recipe to a weights file: training, then the card that says what was trained, on whom, and how well."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from posekit import evaluation, parallel, weights
from posekit.data.crops import Crops
from posekit.errors import PosekitError
from posekit.machine import Machine
from posekit.models.hourglass import Hourglass, HourglassConfig
from posekit.training import Recipe, train


def fit(
    config: HourglassConfig, recipe: Recipe, training: Crops, validation: Crops, folder: str | Path, *, name: str | None = None,
    note: str = "", start: str | Path | None = None, resume: bool = True, machine: Machine | None = None,
    compiled: bool | None = None, report: Callable[[dict], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Path:  # fmt: skip
    """Train a network into `folder`, or take up where that stopped; returns `folder`/weights.safetensors.

    Args:
        name: of the network, on its card; the folder's by default.
        note: for the card: terms of use, say.
        start: weights to begin with, of the same network; by default it begins at random, by the recipe's seed.
        compiled: whether the network is compiled; by default where that pays.
        report: hears each step's and each epoch's figures; see `train`.
        progress: hears how many people were scored in the end.

    Raises:
        PosekitError, KeyboardInterrupt: as `train`; or `start` is of another network.
    """
    folder, machine, world = Path(folder), machine or Machine.best(), parallel.world()
    skeleton = training.people.skeleton
    torch.manual_seed(recipe.seed)
    network = _begin(start, config, skeleton.name, recipe.loss) if start else Hourglass(config)
    if compiled is None:
        compiled = world.size == 1 and machine.worth_compiling(recipe.epochs * (len(training) // recipe.batch))
    best = train(network, training, validation, recipe, folder, resume=resume, machine=machine, compiled=compiled, report=report)
    path = folder / "weights.safetensors"
    if world.rank:
        return path
    network = network.float().cpu()
    splits = sorted(set(training.people.splits))
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    card = weights.Card(
        name or folder.resolve().name, network.config.to_dict(), skeleton.name, recipe.resolution, recipe.loss,
        data=f"{training.people.source.partition(':')[0]}@{splits[0] if len(splits) == 1 else 'all'}",
        data_fingerprint=training.people.fingerprint(), recipe=asdict(recipe) | ({"start": Path(start).stem} if start else {}),
        history=history, seed=recipe.seed, note=note,
    )  # fmt: skip
    result = evaluation.evaluate_model(
        network, card, validation, machine=machine, progress=lambda _, done, __: progress and progress(done)
    )
    keep = ("data", "people", "flip", "joints", "metrics", "stacks")
    card.metrics.update(evaluation.plain({"epoch": best["epoch"]} | {key: result[key] for key in keep}))
    weights.save(path, network.cpu(), card)
    return path


def _begin(start: str | Path, config: HourglassConfig, skeleton: str, loss: str) -> Hourglass:
    network, card = weights.load(start)
    if (network.config, card.skeleton, card.loss) != (config, skeleton, loss):
        raise PosekitError(
            f"{start}: cannot be begun with: it is {network.config} for {card.skeleton} by {card.loss}, "
            f"and this training is of {config} for {skeleton} by {loss}; make them the same"
        )
    return network
