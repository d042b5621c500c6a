"""Networks that judge only people whom they did not learn from: one a fold, each trained on all the others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from posekit.coordinates import CONTEXT
from posekit.data.crops import crops
from posekit.data.people import People
from posekit.engine.backend import Backend
from posekit.engine.learning.fitting import fit
from posekit.engine.learning.training import Recipe
from posekit.errors import PosekitError
from posekit.models.hourglass import HourglassConfig

RECIPE = Recipe(resolution=64, epochs=40)  # of the study at 64 px, whose network reaches its plateau so
FEATURES = 88
CHECKED = 0.1  # of those who train, by whom the best epoch is chosen


def train(
    people: People, folds: int, folder: str | Path, recipe: Recipe = RECIPE, config: HourglassConfig | None = None, *,
    cache: str | Path = "data", on_error: str = "raise", backend: Backend | None = None, report: Callable[[dict], None] | None = None,
) -> list[Path]:  # fmt: skip
    """The weights of `folds` networks, in `folder`; what is trained already is not trained again, and what was stopped goes on.

    A picture is in one fold, whoever is in it. Which people a network learned from is on its card, and `posekit.audit` keeps to that.

    Raises:
        PosekitError: there are fewer than two folds, or fewer pictures than folds.
    """
    store = crops(people, round(recipe.resolution * CONTEXT), cache, on_error=on_error)
    pictures, number = np.unique(store.pictures, return_inverse=True)
    if folds < 2:
        raise PosekitError(f"{folds} folds; at least two, so that nobody is judged by a network that learned from them")
    if len(pictures) < 2 * folds:
        raise PosekitError(f"{folds} folds of people in {len(pictures)} pictures; give fewer folds, two pictures or more in each")
    draw = np.random.default_rng(recipe.seed)
    fold = draw.permutation(len(pictures))[number] % folds
    checked = (draw.random(len(pictures)) < CHECKED)[number]
    config = config or HourglassConfig.narrow(FEATURES, joints=len(people.skeleton), bottleneck_residuals=3)
    found = []
    for held in range(folds):
        own = Path(folder) / f"{store.people.fingerprint()}-fold-{held + 1}-of-{folds}"
        training, rest = np.flatnonzero((fold != held) & ~checked), np.flatnonzero((fold != held) & checked)
        weights = own / "weights.safetensors"
        if not weights.is_file():
            rest = rest if len(rest) else training
            weights = fit(config, replace(recipe, seed=recipe.seed + held), store.select(training), store.select(rest), own,
                          name=own.name, backend=backend, report=report)  # fmt: skip
        found.append(weights)
    return found
