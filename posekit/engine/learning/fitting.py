"""From a recipe to a weights file: training, then the card that says what was trained, on whom, and how well."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from posekit.coordinates import STRIDE
from posekit.data.augment import Augmentation, eval_view
from posekit.data.crops import Crops
from posekit.data.loading import batches
from posekit.data.people import iterate
from posekit.deprecated import renamed
from posekit.engine import evaluation, weights
from posekit.engine.backend import Backend, own_random_state, seed_generators
from posekit.engine.inference.prediction import Predictor
from posekit.engine.learning import checkpoints, parallel
from posekit.engine.learning.training import Recipe, check, check_crops, train
from posekit.engine.overlap import trained_on
from posekit.errors import PosekitError, whole
from posekit.files import plain
from posekit.models import architecture_of, build, parts
from posekit.skeleton import SKELETONS, Skeleton


@torch.inference_mode(False)
@renamed(machine="backend")
def fit(
    config: Any, recipe: Recipe, training: Crops, validation: Crops, folder: str | Path, *, name: str | None = None,
    note: str = "", start: str | Path | None = None, teacher: str | Path | None = None, resume: bool = True,
    backend: Backend | None = None, compiled: bool | None = None, report: Callable[[dict], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Path:  # fmt: skip
    """Train a network into `folder`, or take up where that stopped; returns the path of its `weights.safetensors`.

    The caller's random state stays as it is.

    Args:
        config: of the network, of any architecture; that of `Parts` is fitted by `fit_parts`.
        name: of the network, on its card; the folder's by default.
        note: for the card: terms of use, say.
        start: weights to begin with, of the same network; by default it begins at random, by the recipe's seed.
        teacher: weights of a trained network from which this one learns too (distillation; see `train`); it may be larger, but both
            answer the same pictures with heatmaps of the same joints, by cross-entropy.
        compiled: whether the network is compiled; by default where that pays.
        report: called with each step's and each epoch's figures; see `train`.
        progress: called with how many people were scored in the end.

    Raises:
        PosekitError, KeyboardInterrupt: as `train`; or the people's skeleton is none of posekit.SKELETONS; or `start` is of another
            network, or not what an earlier training in `folder` began with; or the network cannot learn from `teacher`.

    >>> import posekit
    >>> people = posekit.crops(posekit.load_people("mannequins:8,size=40"), 40)
    >>> config = posekit.HourglassConfig.narrow(8, joints=17, depth=1)
    >>> recipe = Recipe(resolution=32, epochs=1, batch=4)
    >>> str(fit(config, recipe, people, people, "runs/tiny", backend=Backend.plain()))
    'runs/tiny/weights.safetensors'
    >>> posekit.load("runs/tiny").card.data
    'mannequins@train'
    """
    check(config, training, validation, recipe)
    _check_named(training.people.skeleton)
    folder, backend, world = Path(folder), backend or Backend.best(), parallel.world()
    skeleton = training.people.skeleton
    began: dict[str, Any] = {}
    earlier: list[weights.Card] = []  # whose people it has learnt from as well
    if start:
        network, before = _begin(start, config, skeleton.name, recipe.loss)
        began["start"], began["start_epochs"] = before.name, before.trained_for
        earlier.append(before)
    else:
        with own_random_state(backend.device):
            seed_generators(recipe.seed, backend.device)
            network = build(config)
    taught_by = None
    if teacher:
        taught_by, master = _teacher(teacher, recipe, skeleton.name)
        began["teacher"] = master.name
        earlier.append(master)
    if compiled is None:
        compiled = world.size == 1 and backend.worth_compiling(recipe.epochs * (len(training) // recipe.batch))
    with checkpoints.alone(folder):
        best = train(
            network, training, validation, recipe, folder, start=weights.fingerprint(network) if start else "", teacher=taught_by,
            resume=resume, backend=backend, compiled=compiled, report=report,
        )  # fmt: skip
    path = folder / "weights.safetensors"
    if world.rank:
        return path
    network = network.float().cpu()
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    card = weights.Card(
        name or folder.resolve().name, network.config.to_dict(), skeleton.name, recipe.resolution, recipe.loss,
        architecture_of(config), **_source(training, *earlier), recipe=asdict(recipe) | began, history=history, seed=recipe.seed, note=note,
        metrics={"epoch": best["epoch"]},
    )  # fmt: skip
    return _save(path, network, card, validation, backend, progress)


@renamed(machine="backend")
def fit_parts(
    training: Crops, validation: Crops, folder: str | Path, *, resolution: int = 64, mixtures: int = 4, seed: int = 0,
    name: str | None = None, note: str = "", backend: Backend | None = None, progress: Callable[[int], None] | None = None,
) -> Path:  # fmt: skip
    """Fit templates and springs (`posekit.models.parts`) to people; returns the path of its `weights.safetensors`.

    Args:
        resolution: side of the view in pixels.
        mixtures: templates of a joint.
        name, note, progress: as of `fit`.

    >>> import posekit
    >>> people = posekit.crops(posekit.load_people("mannequins:12,size=40"), 40)
    >>> str(fit_parts(people, people, "runs/parts", resolution=32, mixtures=1))
    'runs/parts/weights.safetensors'
    >>> posekit.load("runs/parts").card.architecture
    'parts'
    """
    resolution, mixtures, seed = whole("resolution", resolution, 1), whole("mixtures", mixtures, 1), whole("seed", seed)
    check_crops(training, validation, resolution)
    _check_named(training.people.skeleton)
    folder, skeleton = Path(folder), training.people.skeleton
    began, views, points = time.monotonic(), [], []
    for crops, keypoints in batches(training, iterate(len(training), 64)):
        pictures, moved = eval_view(crops, keypoints, resolution)
        views.append(pictures.mul(255).round().byte())
        points.append(moved)
    network = parts.fit(torch.cat(views), torch.cat(points).double().numpy(), skeleton.limb_indices, mixtures=mixtures, seed=seed)
    line = {"epoch": 1, "seconds": round(time.monotonic() - began, 1)}
    card = weights.Card(
        name or folder.resolve().name, network.config.to_dict(), skeleton.name, resolution, "cross-entropy", "parts",
        **_source(training), recipe={"resolution": resolution, "epochs": 1, "seed": seed}, history=[line], seed=seed, note=note,
    )  # fmt: skip
    return _save(folder / "weights.safetensors", network, card, validation, backend, progress)


def _check_named(skeleton: Skeleton) -> None:
    """Refuse, before anything is trained, joints that a weights file cannot say the network has: it has a skeleton's name alone."""
    known = SKELETONS.get(skeleton.name)
    if known is None or (known.joints, known.mirrored) != (skeleton.joints, skeleton.mirrored):
        fault = "has other joints than posekit's of that name" if known else f"is none of {', '.join(SKELETONS)}"
        raise PosekitError(f"weights name their skeleton, and the training people's {skeleton.name!r} {fault}: give people of such, "
                           "or train by posekit.train, which writes no weights file")  # fmt: skip


def _source(training: Crops, *earlier: weights.Card) -> dict[str, Any]:
    """What a card says of the people that were trained on, here and by the networks that this began with or learnt from."""
    return {"data": _data(training), "data_fingerprint": training.people.fingerprint(),
            "trained_on": trained_on(training, *earlier)}  # fmt: skip


def _data(crops: Crops) -> str:
    splits = sorted(set(crops.people.splits))
    return f"{crops.people.source.partition(':')[0]}@{splits[0] if len(splits) == 1 else 'all'}"


def _save(
    path: Path, network: Any, card: weights.Card, validation: Crops, backend: Backend | None, progress: Callable[[int], None] | None,
) -> Path:  # fmt: skip
    """Write the network with its scores on `validation` on the card."""
    predictor = Predictor(network, card, backend)
    result = evaluation.evaluate(predictor, validation, progress=lambda _, done, __: progress and progress(done))
    keep = ("people", "overlap", "flip", "joints", "metrics", "stacks")
    card.metrics.update(plain({key: result[key] for key in keep} | {"data": _data(validation)}))
    weights.save(path, network.cpu(), card)
    return path


def _begin(start: str | Path, config: Any, skeleton: str, loss: str) -> tuple[Any, weights.Card]:
    """The network of `start` and its card."""
    network, card = weights.load(start)
    if card.architecture == "adapted":
        raise PosekitError(f"{start}: cannot be begun with, since it is an adapted network, which its own library trains")
    given, wanted = (
        {"architecture": architecture_of(c), **c.to_dict(), "skeleton": s, "loss": x}
        for c, s, x in ((network.config, card.skeleton, card.loss), (config, skeleton, loss))
    )
    if unlike := [f"{name} {given.get(name)}, not {wanted.get(name)}" for name in wanted | given if given.get(name) != wanted.get(name)]:
        raise PosekitError(f"{start}: cannot be begun with, since its network is another: {'; '.join(unlike)}")
    return network, card


def _teacher(teacher: str | Path, recipe: Recipe, skeleton: str) -> tuple[Any, weights.Card]:
    """The network to learn from and its card."""
    network, card = weights.load(teacher)
    given = (card.resolution, str(card.skeleton), card.loss, card.stride, card.aspect, card.alignment)
    wanted = (recipe.resolution, skeleton, "cross-entropy", STRIDE, 1.0, "centres")
    names = zip(("resolution", "skeleton", "loss", "stride", "aspect", "alignment"), given, wanted, strict=True)
    unlike = [f"{name} {its}, not {needed}" for name, its, needed in names if its != needed]
    if unlike:
        raise PosekitError(f"{teacher}: cannot be learnt from: {'; '.join(unlike)}")
    return network, card


def recipe_of(card: weights.Card, **changes) -> Recipe:
    """The recipe on a card, to train another network by.

    Raises:
        PosekitError: the card has none, or one that this version does not know.
    """
    # What it learnt from is no setting.
    known = {name: value for name, value in card.recipe.items() if name not in ("start", "start_epochs", "teacher", "labels")}
    try:
        augmentation = Augmentation(**known.pop("augmentation"))
        return Recipe(**{**known, "augmentation": augmentation, **changes})
    except (KeyError, TypeError):
        raise PosekitError(f"{card.name}: its card has no recipe to train another network by; give that network's weights") from None


def same_recipe(a: weights.Card, b: weights.Card) -> list[str]:
    """What differs between the recipes and the training data of two cards, `name: a, b` each; nothing where they are alike."""
    x, y = a.recipe | {"data": a.data_fingerprint}, b.recipe | {"data": b.data_fingerprint}
    return [f"{name}: {x.get(name)}, {y.get(name)}" for name in sorted(x.keys() | y.keys()) if x.get(name) != y.get(name)]
