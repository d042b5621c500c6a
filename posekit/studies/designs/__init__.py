"""Which trainings each study consists of. A design is written down before its results are looked at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from posekit.engine.learning.training import Recipe
from posekit.errors import PosekitError
from posekit.models.hourglass import HourglassConfig
from posekit.skeleton import COCO
from posekit.studies.designs import hourglasses
from posekit.studies.designs.estimators import estimators_64
from posekit.studies.job import Training, with_seed

SEEDS = (0, 1, 2)  # three at least, for an interval by Student's t


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


@dataclass(frozen=True)
class Design:
    """A study before its people are known.

    Attributes:
        question: that it decides.
        variants: its trainings for a skeleton of so many joints, once each, the reference first.
        data: the people that it is made for, where these can be had anywhere; None for photographs, which are somewhere on each machine.
    """

    question: str
    variants: Callable[[int], list[Training]]
    data: str | None = "mannequins:5000"


def find(name: str) -> Design:
    """The design of this name.

    Raises:
        PosekitError: there is none.
    """
    if name not in DESIGNS:
        raise PosekitError(f"no study {name!r}; there are {', '.join(DESIGNS)}")
    return DESIGNS[name]


def people_of(name: str) -> str:
    """The people that a study is of where nobody says which.

    Raises:
        PosekitError: there is no such study, or it is of photographs.
    """
    data = find(name).data
    if data is None:
        raise PosekitError(f"{name} is a study of photographs; say where they are: --data lspet:FOLDER")
    return data


def check_variants(name: str, variants: Sequence[str]) -> None:
    """Complain of a variant that the study of this name has not, before its people are there: it is of the same ones for any skeleton.

    Raises:
        PosekitError: there is no such study, or a variant is none of its.
    """
    known = [training.variant for training in find(name).variants(len(COCO))] if variants else []
    if unknown := [variant for variant in variants if variant not in known]:
        raise PosekitError(f"{name} has no variant {unknown[0]!r}; its variants: {'; '.join(known)}")


def design(name: str, joints: int, seeds: Sequence[int] = SEEDS) -> Study:
    """The study of this name for a skeleton of `joints`.

    Raises:
        PosekitError: there is no such study, or a seed is given twice.
    """
    found = find(name)
    if len(set(seeds)) != len(seeds):
        raise PosekitError(f"seeds {list(seeds)}: one is given twice")
    once = found.variants(joints)
    return Study(name, found.question, once[0].variant, tuple(with_seed(training, seed) for training in once for seed in seeds))


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


DESIGNS = {
    "redesign": Design("Which redesign helps a trained network of 64 px?", hourglasses.redesign_64),
    "redesign-128": Design("Does it help at 128 px as well?", hourglasses.redesign_128, None),
    "redesign-192": Design("Does it help at 192 px, the size of what is shipped?", hourglasses.redesign_192, None),
    "redesign-mannequins": Design("Does it help with other people, rendered ones of 64 px?", hourglasses.redesign_mannequins),
    "stacks": Design("Do stacks help at equal cost, at 64 px?", hourglasses.stacks_64),
    "skips": Design("What are skip connections worth to a network trained without them, at 64 px?", hourglasses.skips_64),
    "losses": Design("Does mean squared error reach cross-entropy at some learning rate, at 64 px?", hourglasses.losses_64),
    "audit": Design("Is learning from audited labels better than from labels as they are, at 64 px?", hourglasses.audit_64, None),
    "estimators": Design("What does each kind of estimator find at its own plateau, at 64 px, and at what cost?", estimators_64),
    "smoke": Design("Does the workflow of studies run?", smoke),
}
