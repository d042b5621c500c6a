"""Which trainings each study consists of. A design is written down before its results are looked at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from posekit.engine.training import Recipe
from posekit.errors import PosekitError
from posekit.models.hourglass import HourglassConfig
from posekit.studies.job import Training, with_seed
from posekit.studies.redesign.budget import parameters, widened, within
from posekit.studies.redesign.variants import own_variants, study_variants

SEEDS = (0, 1, 2)  # three at least, for an interval by Student's t
DIMENSIONS = 50  # of the autoencoder's code, the thesis's
UNMOTIVATED = 5  # redesigns drawn at random, as many as those that a finding suggests


@dataclass(frozen=True)
class Study:
    """A question, and the trainings that answer it.

    Attributes:
        name: what `posekit study` takes.
        question: that it decides.
        reference: the variant that the others are compared with.
        trainings: every seed of a variant before the next variant, the reference first: what is finished early can already be compared.
    """

    name: str
    question: str
    reference: str
    trainings: tuple[Training, ...]

    @property
    def variants(self) -> list[str]:
        return list(dict.fromkeys(training.variant for training in self.trainings))


def design(name: str, joints: int, seeds: Sequence[int] = SEEDS) -> Study:
    """The study of this name for a skeleton of `joints`.

    Raises:
        PosekitError: there is no such study, or a seed is given twice.
    """
    if name not in DESIGNS:
        raise PosekitError(f"no study {name!r}; there are {', '.join(DESIGNS)}")
    if len(set(seeds)) != len(seeds):
        raise PosekitError(f"seeds {list(seeds)}: one is given twice")
    question, variants = DESIGNS[name]
    once = variants(joints)
    return Study(name, question, once[0].variant, tuple(with_seed(training, seed) for training in once for seed in seeds))


def base_64(joints: int) -> Training:
    """About 0.46 M parameters at 64 px, to its plateau."""
    config = HourglassConfig.narrow(88, joints=joints, bottleneck_residuals=3)
    return Training("base", config, Recipe(resolution=64, epochs=40), why="the network as it is")


def redesign_64(joints: int) -> list[Training]:
    base = base_64(joints)
    config, recipe = base.config, base.recipe
    turn = replace(recipe, epochs=10, lr=recipe.lr / 2)
    own = [Training(v.name, v.config, replace(recipe, sigma=v.sigma), why=v.why) for v in own_variants(config, recipe.resolution)]
    squeezed = study_variants(config, DIMENSIONS, recipe.resolution // config.multiple)
    trained_on = [
        Training("base, trained on", config, turn, base, why="what the squeezed networks are compared with: as many epochs"),
        *(Training(v.name, v.config, turn, base, v.init, why=v.why) for v in squeezed if v.init),
    ]
    wider = next(v for v in squeezed if v.name == "wider")
    return [base, *own, Training("wider", wider.config, recipe, why=wider.why), *unmotivated(base), *trained_on]


def unmotivated(base: Training, count: int = UNMOTIVATED) -> list[Training]:
    """Redesigns that no finding suggests: changes drawn at random from the same list, at no more parameters and multiply-adds."""
    random = np.random.default_rng(2016)
    out: list[Training] = []
    while len(out) < count:
        levels = base.config.depth
        kept = tuple(sorted((random.permutation(levels)[: random.integers(1, levels + 1)] + 1).tolist()))
        changes = {
            "skips": True if len(kept) == levels else kept,
            "bottleneck_residuals": int(random.integers(1, 6)),
            "early_pool": bool(random.integers(2)),
            "basic": bool(random.integers(2)),
            "shortcut_kernel": int(random.choice([1, 3])),
            "code_noise": float(random.choice([0.0, 0.1])),
        }
        sigma = float(random.choice([0.7, 1.0, 1.5]))
        config = within(base.config, base.recipe.resolution, **changes)
        if config.features >= 8:
            name = f"random redesign {len(out) + 1}"
            out.append(Training(name, config, replace(base.recipe, sigma=sigma), why="changes drawn at random at equal cost"))
    return out


def stacks_64(joints: int) -> list[Training]:
    base = base_64(joints)
    config = base.config
    of_64 = replace(HourglassConfig.narrow(64, joints=joints, bottleneck_residuals=3))

    def stacked(count: int) -> HourglassConfig:
        return widened(replace(config, stacks=count), parameters(config))

    why = "as many parameters"
    return [
        replace(base, variant="1 wide stack"),
        *(Training(f"{n} stacks, equal parameters", stacked(n), base.recipe, why=why) for n in (2, 4)),
        *(Training(f"{n} stacks, equal width", replace(config, stacks=n), base.recipe, why="as many features") for n in (2, 4)),
        Training("1 narrow stack", of_64, base.recipe, why="one of the two stacks alone, as wide"),
    ]


def skips_64(joints: int) -> list[Training]:
    base = base_64(joints)

    def with_skips(name: str, skips: bool | tuple[int, ...]) -> Training:
        return Training(name, replace(base.config, skips=skips), base.recipe, why="trained without, else the same")

    return [
        replace(base, variant="all skips"),
        with_skips("no skips", False),
        with_skips("without the finest", (2, 3, 4)),
        with_skips("without the coarsest", (1, 2, 3)),
    ]


def smoke(joints: int) -> list[Training]:
    """As small as it can be, for tests: it decides nothing."""
    config = HourglassConfig.narrow(8, joints=joints, depth=2)
    base = Training("base", config, Recipe(resolution=32, epochs=2, batch=16))
    squeezed = replace(config, squeeze="linear", dimensions=4, code_side=2)
    return [
        base,
        Training("sharper targets", config, replace(base.recipe, sigma=0.7)),
        Training("linear", squeezed, replace(base.recipe, epochs=1), base, "components"),
    ]


DESIGNS: dict[str, tuple[str, Callable[[int], list[Training]]]] = {
    "redesign": ("Which redesign helps a trained network of 64 px?", redesign_64),
    "stacks": ("Do stacks help at equal cost, at 64 px?", stacks_64),
    "skips": ("What are skip connections worth to a network trained without them, at 64 px?", skips_64),
    "smoke": ("Does the workflow of studies run?", smoke),
}
