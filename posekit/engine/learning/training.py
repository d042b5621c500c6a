"""Training: the recipe and the loop."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from posekit import heatmaps as hm
from posekit import metrics
from posekit.coordinates import CONTEXT, STRIDE, rescaling, transform_keypoints, view
from posekit.data.augment import Augmentation, augment, eval_view
from posekit.data.crops import Crops
from posekit.data.loading import batches, shuffled
from posekit.data.people import iterate
from posekit.deprecated import renamed
from posekit.engine import weights
from posekit.engine.backend import Backend, own_random_state, seed_generators
from posekit.engine.learning import checkpoints, parallel
from posekit.errors import PosekitError, whole
from posekit.losses import LOSSES, loss_sum
from posekit.models import REGRESSORS, architecture_of

OPTIMISERS = ("adamw", "rmsprop")
COUNTS = ("resolution", "epochs", "batch", "seed")  # whole numbers of a recipe
MOST_SEED = 9 * 10**12  # so that the seed of each step's chance, a million times as large, is one that torch takes


@dataclass(frozen=True)
class Recipe:
    """Everything that training depends on besides the network and the data.

    Attributes:
        resolution: side of the network's input in pixels.
        epochs: how often everybody is seen.
        batch: people in a step, over all processes.
        loss: cross-entropy, or mse, Newell's; coordinates for a regressor.
        optimiser: adamw, or rmsprop, Newell's.
        lr: highest learning rate; Newell's RMSProp has 2.5e-4.
        warm_up: share of the steps over which the rate rises; it falls to 0 along a cosine.
        weight_decay: of the kernels; biases and batch normalisation's scales are not decayed.
        clip: highest norm of the gradient.
        average: decay of the running mean of the weights, which is what is validated and kept; 0 for none.
        sigma: of the target Gaussians, in heatmap pixels.
        seed: of all chance.
        augmentation: how pictures are changed.

    >>> recipe = Recipe(lr=1e-3, warm_up=0.1)
    >>> [round(recipe.lr_at(step, steps=100), 5) for step in (0, 4, 10, 55, 99)]
    [0.0001, 0.0005, 0.001, 0.0005, 0.0]
    """

    resolution: int = 128
    epochs: int = 24
    batch: int = 32
    loss: str = "cross-entropy"
    optimiser: str = "adamw"
    lr: float = 2e-3
    warm_up: float = 0.05
    weight_decay: float = 1e-2
    clip: float = 2.0
    average: float = 0.999
    sigma: float = 1.0
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self):
        for name in COUNTS:  # NumPy's too, which a card cannot hold
            value = getattr(self, name)
            object.__setattr__(self, name, int(value) if isinstance(value, np.integer) else value)

    def lr_at(self, step: int, steps: int) -> float:
        warm = max(round(self.warm_up * steps), 1)
        if step < warm:
            return self.lr * (step + 1) / warm
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1)))


Recipe.__init__ = renamed(rate="lr")(Recipe.__init__)  # type: ignore[method-assign]


def targets(keypoints: Tensor, resolution: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Gaussians (B, K, R/4, R/4) and the mask (B, K) of the labelled joints, for keypoints in input pixels."""
    scaled = transform_keypoints(torch.as_tensor(rescaling(1 / STRIDE)).to(keypoints), keypoints)
    return hm.encode(scaled[..., :2], resolution // STRIDE, sigma), keypoints[..., 2] > 0


def check(config: Any, training: Crops, validation: Crops, recipe: Recipe) -> None:
    """Refuse with PosekitError what training, or the scores at its end, would stumble over."""
    architecture = architecture_of(config)
    if architecture == "parts":
        raise PosekitError("config is a PartsConfig, which is fitted and not trained; give the people to posekit.fit_parts")
    if not isinstance(recipe, Recipe):
        raise PosekitError(f"recipe is a {type(recipe).__name__}; give a posekit.Recipe")
    for name in COUNTS:
        whole(name, getattr(recipe, name), 0 if name == "seed" else 1)
    if recipe.seed > MOST_SEED:
        raise PosekitError(f"seed is {recipe.seed}; it must be a whole number from 0 to {MOST_SEED}")
    goes = [loss for loss in LOSSES if (loss == "coordinates") == (architecture in REGRESSORS)]
    if recipe.loss not in goes:
        raise PosekitError(f"loss {recipe.loss!r}: {architecture} cannot be trained by it; give {' or '.join(goes)}")
    if recipe.optimiser not in OPTIMISERS:
        raise PosekitError(f"optimiser {recipe.optimiser!r} is not known; give {' or '.join(OPTIMISERS)}")
    multiple = getattr(config, "multiple", 1 if architecture in REGRESSORS else STRIDE)
    if recipe.resolution % multiple:
        raise PosekitError(f"resolution is {recipe.resolution}; for this {architecture} it must be a multiple of {multiple}")
    if getattr(config, "squeeze", None) and recipe.resolution != config.code_side * multiple:
        raise PosekitError(f"code_side is {config.code_side}; at resolution {recipe.resolution} it must be {recipe.resolution // multiple}")
    check_crops(training, validation, recipe.resolution)
    skeleton, other = training.people.skeleton, validation.people.skeleton
    if config.joints != len(skeleton):
        raise PosekitError(f"{config.joints} joints, the {skeleton.name} skeleton has {len(skeleton)}: give joints={len(skeleton)}")
    if other.joints != skeleton.joints:
        raise PosekitError(f"validation has the joints of {other.name}, training those of {skeleton.name}; both must be the same")


def check_crops(training: Crops, validation: Crops, resolution: int) -> None:
    """Refuse with PosekitError what are no crops, nobody's, or smaller than what a network of this resolution sees."""
    size = round(resolution * CONTEXT)
    for name, given in (("training", training), ("validation", validation)):
        if not isinstance(given, Crops):
            raise PosekitError(f"{name} is a {type(given).__name__}; give crops: posekit.crops(people, {size})")
        if not len(given):
            raise PosekitError(f"{name} is empty: nobody of {given.people.source}; give at least one person")
        if given.size < size:
            raise PosekitError(f"{name} has crops of {given.size} px, too small for resolution {resolution}; cut them at {size} px")
        if given.aspect != 1:
            raise PosekitError(f"{name} has crops for an input that is no square (aspect {given.aspect:g}); cut them without aspect=")


@torch.inference_mode(False)
@torch.enable_grad()
@renamed(machine="backend")
def train(
    model: Any, training: Crops, validation: Crops, recipe: Recipe, folder: str | Path, *, start: str = "", teacher: Any = None,
    resume: bool = False, backend: Backend | None = None, compiled: bool = False, report: Callable[[dict], None] | None = None,
) -> dict:  # fmt: skip
    """Train `model` in place; on return it holds the weights of the best epoch on `validation`, by `pck@0.2·torso`.

    Where nobody there has a labelled torso, that score is None, and the best epoch is that of the lowest loss.

    `folder` gets `history.jsonl`, `last.pt` (all that resuming needs), `best.pt`, and where TensorBoard is installed its events. Ctrl-C
    finishes the step, keeps the state and raises KeyboardInterrupt. With `resume` the work goes on where it stopped
    and ends in the same weights as if it had not; without, what the folder held of another training is deleted. `start` says what
    `model` begins with where that is not random, and a training that began with anything else is not resumed. With a `teacher`, a
    trained network, the target of `cross-entropy` is half the Gaussian and half its answer (distillation, as in F. Zhang, X. Zhu, M. Ye:
    Fast Human Pose Estimation, CVPR 2019, where it is by squared error).
    `report` is called with each step's and each epoch's figures. The caller's random state stays as it is. Of several processes the
    first alone reads and writes `folder` and reports, and a Ctrl-C that reaches any of them stops all after the same step.

    Returns:
        the best epoch's figures, as in the history.

    Raises:
        PosekitError: model, people and recipe do not go together; nothing can be compiled; the loss is not finite; `folder` holds
            another training's checkpoint or a damaged one, or cannot be written; or a step has fewer people than there are processes.
        KeyboardInterrupt: after a Ctrl-C or SIGTERM.

    >>> import posekit
    >>> people = posekit.crops(posekit.load_people("mannequins:8,size=40"), 40)
    >>> network = posekit.Hourglass(posekit.HourglassConfig.narrow(8, joints=17, depth=1))
    >>> best = train(network, people, people, Recipe(resolution=32, epochs=1, batch=4), "runs/tiny", backend=Backend.plain())
    >>> best["epoch"], best["step"], Path("runs/tiny/history.jsonl").exists()
    (1, 2, True)
    """
    check(getattr(model, "config", None), training, validation, recipe)
    if teacher and recipe.loss != "cross-entropy":
        raise PosekitError(f"loss {recipe.loss!r}: a teacher's answer is learnt by cross-entropy alone")
    backend = backend or Backend.best()
    if compiled and not backend.can_compile:
        raise PosekitError(f"compiled is True, and {backend.device} has no compiler here, or its Backend says not to; give compiled=False")
    folder = Path(folder)
    world = parallel.world()
    per_epoch = len(shuffled(len(training), recipe.batch, recipe.seed, 0))
    steps = recipe.epochs * per_epoch
    if min(len(training), recipe.batch) < world.size:
        raise PosekitError(f"a step of {min(len(training), recipe.batch)} people is too small for {world.size} processes")
    backend.place(model)
    if teacher:
        backend.place(teacher.eval())
    if world.size > 1:
        parallel.synchronise_batch_norm(model)
    optimiser = _optimiser(model, recipe)
    identity = json.dumps({
        "recipe": asdict(recipe), "config": model.config.to_dict(), "people": training.people.fingerprint(),
        "validation": validation.people.fingerprint(), "crops": [training.size, validation.size], **({"start": start} if start else {}),
        **({"teacher": weights.fingerprint(teacher)} if teacher else {}), **checkpoints.photographs(training, validation),
    }, sort_keys=True)  # fmt: skip
    last, history = folder / "last.pt", folder / "history.jsonl"
    state = checkpoints.read(last, backend) if resume else None
    if state:
        if unlike := checkpoints.differences(state["identity"], identity):
            raise PosekitError(f"{last} is of another recipe, network, start or data: {unlike}; {checkpoints.ANEW}")
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
    network: Callable = parallel.wrap(model, backend)  # every process now has the first one's weights
    if state:
        average, done, best, sums, before = (state[name] for name in ("average", "step", "best", "sums", "seconds"))
    else:
        average = {name: value.detach().clone() for name, value in model.state_dict().items()} if recipe.average else None
        done, best, sums, before = 0, {}, {}, 0.0
    writer = None
    if world.rank == 0:
        with checkpoints.writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if not state:
                for name in ("last.pt", "best.pt"):
                    (folder / name).unlink(missing_ok=True)
            checkpoints.trim(history, done)
            writer = checkpoints.tensorboard(folder, done)
    if compiled and world.size == 1:  # the sums over processes within the network are not for the compiler
        network = torch.compile(network, dynamic=False)
    skeleton, began = training.people.skeleton, time.monotonic() - before

    def keep(step: int) -> None:
        checkpoints.write(last, {
            "model": model.state_dict(), "optimiser": optimiser.state_dict(), "average": average, "step": step,
            "best": best, "sums": sums, "seconds": time.monotonic() - began, "identity": identity,
        })  # fmt: skip

    with own_random_state(backend.device), checkpoints.Interrupt() as stop, checkpoints.closing(writer):
        for epoch in range(done // per_epoch, recipe.epochs):
            model.train()
            order = shuffled(len(training), recipe.batch, recipe.seed, epoch)
            first = max(done - epoch * per_epoch, 0)
            shares = [index[world.rows(len(index))] for index in order[first:]]
            for step, (crops, keypoints) in enumerate(batches(training, shares), epoch * per_epoch + first):
                total = len(order[step - epoch * per_epoch])
                number = recipe.seed * 1_000_003
                generator = torch.Generator().manual_seed(number + step)
                pictures, points = augment(
                    crops.to(backend.device), keypoints.to(backend.device), skeleton, recipe.resolution,
                    recipe.augmentation, generator, world.rows(total), total,
                )  # fmt: skip
                # Noise within the network: negative, so that it is never drawn by augmentation's seed as well.
                seed_generators(-1 - (number + step * world.size + world.rank), backend.device)
                figures = _step(network, model, optimiser, backend.pictures(pictures), points, recipe, step, steps, backend, teacher)
                if average is not None:
                    _average(average, model, recipe.average, step)
                for name, value in figures.items():
                    sums[name] = sums.get(name, 0.0) + value
                if report and world.rank == 0:
                    report({"step": step + 1, "steps": steps, "epoch": epoch + 1, **figures})
                # At an epoch's end the epoch is finished first.
                if parallel.any_of(stop.asked) and step + 1 < (epoch + 1) * per_epoch:
                    if world.rank == 0:
                        keep(step + 1)
                    raise KeyboardInterrupt
            figures = {name: value / per_epoch for name, value in sums.items()} | _validate(model, average, validation, recipe, backend)
            sums = {}
            line = {"epoch": epoch + 1, "step": (epoch + 1) * per_epoch, "seconds": round(time.monotonic() - began, 1),
                    "lr": recipe.lr_at(step, steps), **figures}  # fmt: skip
            better = _is_better(line, best)
            best = line if better else best
            if world.rank == 0:
                with checkpoints.writing(history):
                    with open(history, "a") as file:
                        file.write(json.dumps(line) + "\n")
                    for name, value in figures.items():
                        if writer and value is not None:
                            writer.add_scalar(name, value, line["step"])
                # The best before the last: if that is as far as it comes, the epoch is done again, to the same end.
                if better:
                    checkpoints.write(folder / "best.pt", average or model.state_dict())
                keep(line["step"])
            if report and world.rank == 0:
                report({"validated": True, "steps": steps, **line})
            if parallel.any_of(stop.asked):
                raise KeyboardInterrupt
    parallel.barrier()
    state = checkpoints.read(folder / "best.pt", backend)
    if state is None:
        raise PosekitError(f"{folder / 'best.pt'}: the best epoch's weights are gone; {checkpoints.ANEW}")
    model.load_state_dict(state)
    model.eval()
    return parallel.from_first(best)


def _step(network, model, optimiser, pictures, points, recipe, step, steps, backend, teacher=None) -> dict[str, float]:
    for group in optimiser.param_groups:
        group["lr"] = recipe.lr_at(step, steps)
    with backend.autocast():
        output = network(pictures, points) if recipe.loss == "coordinates" else network(pictures)
    with torch.no_grad(), backend.autocast():
        taught = teacher(pictures)[:, -1].float() if teacher else None
    total, labelled = _loss(output, points, recipe, taught)
    count = parallel.total(_weights(points)[labelled].sum()).clamp_min(1)
    # Processes' gradients are averaged, so each takes its share of the sum times the number of processes.
    loss = total * parallel.world().size / (count * output.shape[1])
    optimiser.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    peaks = _peaks(output.detach()[:, -1].float(), recipe.loss)[labelled].sum()
    loss_sums = parallel.total(torch.stack([loss.detach(), peaks]))
    mean_loss, peak = float(loss_sums[0]) / parallel.world().size, float(loss_sums[1] / parallel.total(labelled.sum()).clamp_min(1))
    if not math.isfinite(mean_loss) or not torch.isfinite(norm):
        raise PosekitError(f"step {step + 1}: the loss is {mean_loss} and the gradient's norm {float(norm)}; lower the learning rate (now "
                           f"{recipe.lr_at(step, steps):.2g}); the last epoch's weights are kept")  # fmt: skip
    optimiser.step()
    return {"loss": mean_loss, "gradient": float(norm), "peak": peak}


def _loss(output: Tensor, points: Tensor, recipe: Recipe, taught: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The loss, summed over stages and labelled joints, and the mask (B, K) of these. `taught` (B, K, H, W) is a teacher's answer."""
    if recipe.loss == "coordinates":
        target, labelled, output = points[..., :2] / recipe.resolution, points[..., 2] > 0, output / recipe.resolution
    else:
        target, labelled = targets(points, recipe.resolution, recipe.sigma)
        if taught is not None:
            target = (target / target.sum((-2, -1), keepdim=True).clamp_min(1e-12) + hm.probabilities(taught)) / 2
    return loss_sum(output, target, labelled, recipe.loss, _weights(points)), labelled


def _weights(points: Tensor) -> Tensor:
    """How much each label (B, K) counts: its flag where that is below 1."""
    return points[..., 2].clamp(max=1)


def _peaks(output: Tensor, kind: str) -> Tensor:
    """How high the peak of each map is, (B, K); 1 where a network answers with coordinates."""
    if kind == "coordinates":
        return torch.ones_like(output[..., 0])
    return (hm.probabilities(output) if kind == "cross-entropy" else output).amax((-2, -1))


def _keypoints(output: Tensor, kind: str) -> Tensor:
    """An answer as keypoints (B, K, 3) in input pixels, with the height of the peak; as prediction reads it."""
    if kind == "coordinates":
        return torch.cat([output, torch.ones_like(output[..., :1])], -1)
    found = hm.decode_output(hm.probabilities(output) if kind == "cross-entropy" else output, kind)
    return transform_keypoints(torch.as_tensor(rescaling(STRIDE)).to(found), found)


@torch.no_grad()
def _validate(model, average, validation: Crops, recipe: Recipe, backend: Backend) -> dict[str, float | None]:
    kept = None
    if average is not None:
        kept = {name: value.clone() for name, value in model.state_dict().items()}
        model.load_state_dict(average)
    model.eval()
    predicted, losses, labelled_count, peaks = [], 0.0, 0.0, []
    for crops, keypoints in batches(validation, iterate(len(validation), 64)):
        pictures, points = eval_view(crops.to(backend.device), keypoints.to(backend.device), recipe.resolution)
        with backend.autocast():
            output = model(backend.pictures(pictures)).float()
        total, labelled = _loss(output, points, recipe)
        losses += float(total) / output.shape[1]
        labelled_count += float(_weights(points)[labelled].sum())
        found = _keypoints(output[:, -1], recipe.loss)
        peaks.append(found[..., 2][labelled])
        predicted.append(found.cpu().numpy())
    if kept is not None:
        model.load_state_dict(kept)
    matrix = view(validation.size, recipe.resolution)
    truth = transform_keypoints(matrix, validation.keypoints)
    hit = metrics.hits(np.concatenate(predicted), truth, 0.2 * metrics.torso(truth, validation.people.skeleton))
    peak = torch.cat(peaks)
    return {"val_loss": losses / labelled_count if labelled_count else None, "val_peak": float(peak.mean()) if len(peak) else None,
            "pck": float(np.nanmean(hit)) if np.isfinite(hit).any() else None}  # fmt: skip


def _is_better(line: dict[str, Any], best: dict[str, Any]) -> bool:
    """Whether an epoch is at least as good as the best before: by PCK, or where that is undefined, by the loss."""
    if line["pck"] is not None or line["val_loss"] is None:
        return (line["pck"] or 0) >= (best.get("pck") or 0)
    return line["val_loss"] <= best.get("val_loss", math.inf)


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]  # biases and batch-norm scales are not decayed
    groups = [{"params": weights, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if recipe.optimiser == "rmsprop":
        return torch.optim.RMSprop(groups, lr=recipe.lr, alpha=0.99)
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.99), fused=True)


@torch.no_grad()
def _average(average: dict[str, Tensor], model: nn.Module, decay: float, step: int) -> None:
    weight = max(1 - decay, 9 / (step + 10))  # follows closely at first
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, weight)
        else:
            average[name].copy_(value)
