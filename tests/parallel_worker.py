"""What tests/test_parallel.py runs in one process and, through torchrun, in two; results go to a folder."""

import contextlib
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from planted import RECIPE, planted

from posekit.data.augment import augment
from posekit.data.loading import load_batch
from posekit.engine.backend import Backend
from posekit.engine.learning import parallel, training
from posekit.engine.learning.training import Recipe, train
from posekit.models.hourglass import Hourglass, HourglassConfig

# Of cross-entropy a constant over a map changes nothing: the bias has a gradient of rounding alone, which
# AdamW would blow up to a step of its own.
WHOLE = Recipe(**{**vars(RECIPE), "loss": "mse"})
CONFIG = HourglassConfig.narrow(16, joints=14, depth=2, stacks=2)


class Exact(Hourglass):
    """In float64, so that the order of a sum does not show."""

    def forward(self, x):
        return super().forward(x.double())


def network(seed: int = 1) -> Exact:
    torch.manual_seed(seed)
    return Exact(CONFIG).double()


def one_step(folder: Path, crops) -> dict:
    """Gradients, statistics and figures of one step on a batch of 7 people."""
    recipe, backend, world = (
        Recipe(**{**vars(RECIPE), "clip": 1e9, "batch": 7}),
        Backend.plain(),
        parallel.world(),
    )
    model = network(seed=1 if world.rank == 0 else 2)  # the first process's weights are everybody's
    if world.size > 1:
        parallel.synchronise_batch_norm(model)
    wrapped = parallel.wrap(model, backend)
    rows = world.rows(7)

    def augmented(some: slice):
        crop, keypoints = load_batch(crops, np.arange(20, 27)[some])
        return augment(
            crop, keypoints, crops.people.skeleton, recipe.resolution, recipe.augmentation, torch.Generator().manual_seed(5), some, 7,
        )  # fmt: skip

    pictures, points = augmented(rows)
    # The step is on the whole batch's pictures: those of a part are rounded otherwise on some processors, by float32's last digits.
    inputs, targets = (each[rows] for each in augmented(slice(0, 7)))
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    figures = training._step(wrapped, model, optimiser, inputs, targets, recipe, 3, 10, backend)
    return {
        "pictures": pictures, "points": points, "figures": figures,
        "gradients": {name: p.grad for name, p in model.named_parameters()},
        "statistics": {name: b for name, b in model.named_buffers()},
    }  # fmt: skip


def interrupted(folder: Path, crops) -> dict:
    """A training that Ctrl-C on the last process stops in its second epoch, and that is resumed."""
    model, calls = network(), []

    def press(*_):
        calls.append(model.training)
        if sum(calls) == 6 and parallel.world().rank == parallel.world().size - 1:
            signal.raise_signal(signal.SIGINT)

    handle = model.register_forward_pre_hook(press)
    stopped = False
    try:
        train(model, *crops, WHOLE, folder / "interrupted", backend=Backend.plain())
    except KeyboardInterrupt:
        stopped = True
    handle.remove()
    model = network(seed=parallel.world().rank)
    best = train(model, *crops, WHOLE, folder / "interrupted", backend=Backend.plain(), resume=True)
    return {
        "stopped": stopped,
        "steps": sum(calls),
        "weights": dict(model.state_dict()),
        "best": best["epoch"],
    }


def main(folder: Path, cache: Path) -> None:
    torch.set_num_threads(1)
    world = parallel.world()
    crops = planted(cache, hidden=0.4)
    model = network(seed=1 if world.rank == 0 else 2)
    result = {"step": one_step(folder, crops[0])}
    heard: list = []
    best = train(model, *crops, WHOLE, folder / "whole", backend=Backend.plain(), report=heard.append)
    result["whole"] = {"weights": dict(model.state_dict()), "best": best["epoch"], "heard": len(heard)}
    result["interrupted"] = interrupted(folder, crops)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    torch.save(result, folder / f"rank{world.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
