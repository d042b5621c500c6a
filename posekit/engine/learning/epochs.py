"""A training looked at while it goes on: the network before it, after some of its epochs, and at its end."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from posekit.data.crops import Crops
from posekit.engine import weights
from posekit.engine.backend import Backend, own_random_state, seed_generators
from posekit.engine.inference.prediction import Predictor
from posekit.engine.learning import checkpoints
from posekit.engine.learning.training import Recipe, check, train
from posekit.errors import PosekitError, whole
from posekit.models import architecture_of, build


def epochs_of(
    config: Any, recipe: Recipe, training: Crops, validation: Crops, folder: str | Path, keep: Iterable[int] = (1, 2, 5, 10),
    *, backend: Backend | None = None,
) -> dict[int, Predictor]:  # fmt: skip
    """The networks of one training by epoch: 0 is the untrained one, then the epochs of `keep`, and the last.

    They have the weights that an epoch is validated with, the running mean where the recipe has one; none is the best. The training is as
    that of `fit`, anew in `folder`.

    Raises:
        PosekitError: as `fit` does, or an epoch is not one of the training's.

    >>> import posekit
    >>> people = posekit.crops(posekit.load_people("mannequins:8,size=40"), 40)
    >>> config = posekit.HourglassConfig.narrow(8, joints=17, depth=1)
    >>> recipe = Recipe(resolution=32, epochs=3, batch=4)
    >>> list(epochs_of(config, recipe, people, people, "runs/epochs", [1], backend=Backend.plain()))
    [0, 1, 3]
    """
    check(config, training, validation, recipe)
    wanted = {whole("keep", epoch, 1) for epoch in keep} | {recipe.epochs}
    if max(wanted) > recipe.epochs:
        raise PosekitError(f"keep has epoch {max(wanted)}, and the training has {recipe.epochs}; give epochs from 1 to {recipe.epochs}")
    backend, folder, skeleton = backend or Backend.best(), Path(folder), training.people.skeleton
    with own_random_state(backend.device):
        seed_generators(recipe.seed, backend.device)
        network = build(config)
    found = {0: copy.deepcopy(network)}

    def report(figures: dict) -> None:
        if figures.get("validated") and figures["epoch"] in wanted:
            state = checkpoints.read(folder / "last.pt", backend)
            assert state is not None  # written before an epoch is reported
            found[figures["epoch"]] = copy.deepcopy(found[0])
            found[figures["epoch"]].load_state_dict(state["average"] or state["model"])

    train(network, training, validation, recipe, folder, backend=backend, report=report)

    def card(epoch: int) -> weights.Card:
        name = "untrained" if not epoch else f"epoch {epoch}"
        return weights.Card(
            name, config.to_dict(), skeleton.name, recipe.resolution, recipe.loss, architecture_of(config), seed=recipe.seed
        )

    return {epoch: Predictor(model, card(epoch), backend) for epoch, model in found.items()}
