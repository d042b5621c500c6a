"""Hourglasses that studies train: the bases, redesigns of them, stacks, skips, losses. A function a study, for so many joints."""

from dataclasses import replace

import numpy as np

from posekit.engine.learning.training import Recipe
from posekit.models.hourglass import HourglassConfig
from posekit.studies.job import Training
from posekit.studies.redesign.budget import parameters, widened, within
from posekit.studies.redesign.variants import Variant, own_variants, study_variants
from posekit.studies.results import MOST

BEST = ("sharper targets", "all three")  # on val, of the study at 64 px, the best first: what studies of other sizes and people repeat
DIMENSIONS = 50  # of the autoencoder's code, the thesis's
UNMOTIVATED = 5  # redesigns drawn at random, as many as those that a finding suggests
EXTRA = 10  # epochs that a squeezed network is trained on, and its control


def base_64(joints: int) -> Training:
    """About 0.46 M parameters at 64 px, to its plateau."""
    config = HourglassConfig.narrow(88, joints=joints, bottleneck_residuals=3)
    return Training("base", config, Recipe(resolution=64, epochs=40), why="the network as it is")


def base_128(joints: int) -> Training:
    """About 0.97 M parameters at 128 px, as `lspet-hg1-128px-30` was trained."""
    config = HourglassConfig.narrow(128, joints=joints, bottleneck_residuals=3)
    return Training("base", config, Recipe(resolution=128, epochs=30), why="the network as it is")


def base_192(joints: int) -> Training:
    """The same network trained on at 192 px, as `lspet-hg1` was."""
    before = base_128(joints)
    recipe = replace(before.recipe, resolution=192, epochs=36, lr=before.recipe.lr / 2)
    return replace(before, recipe=recipe, start=replace(before, variant="base, 128 px"))


def redesigns(base: Training) -> list[Training]:
    """The base, our own redesigns, and the study's autoencoder with its controls."""
    config, recipe = base.config, base.recipe
    turn = replace(recipe, epochs=EXTRA, lr=recipe.lr / 2)
    squeezed = study_variants(config, DIMENSIONS, recipe.resolution // config.multiple)
    return [
        base,
        *(redone(base, variant) for variant in own_variants(config, recipe.resolution)),
        *(redone(base, variant) for variant in squeezed if variant.name == "wider"),
        Training("base, trained on", config, turn, base, why="as many epochs as the networks with a narrower code"),
        *(Training(v.name, v.config, turn, base, v.init, why=v.why) for v in squeezed if v.init),
    ]


def redone(base: Training, variant: Variant) -> Training:
    """The base's training with another network and other targets, from its first stage on."""
    start = base.start and redone(base.start, variant)
    recipe = replace(base.recipe, sigma=variant.sigma)
    return replace(base, variant=variant.name, config=variant.config, recipe=recipe, start=start, why=variant.why)


def named(trainings: list[Training], *variants: str) -> list[Training]:
    """Those of these variants, in this order."""
    by_name = {training.variant: training for training in trainings}
    return [by_name[variant] for variant in variants]


def redesign_64(joints: int) -> list[Training]:
    base = base_64(joints)
    variants = redesigns(base)
    (best,) = named(variants, BEST[0])
    return [*variants, *unmotivated(base), *(distilled(training, base) for training in (base, best))]


def distilled(training: Training, base: Training) -> Training:
    """The same training with a teacher of two stacks, each as wide as the base."""
    teacher = replace(base, variant="teacher", config=replace(base.config, stacks=2))
    why = "also learns from a network of two stacks"
    return replace(training, variant=f"{training.variant}, distilled", teacher=teacher, why=why)


def redesign_128(joints: int) -> list[Training]:
    return named(redesigns(base_128(joints)), "base", *BEST, "wider", "base, trained on", "autoencoder")


def redesign_192(joints: int) -> list[Training]:
    return named(redesigns(base_192(joints)), "base", *BEST)


def redesign_mannequins(joints: int) -> list[Training]:
    base = base_64(joints)
    longer = replace(base, recipe=replace(base.recipe, epochs=MOST))  # after 40 epochs the base still gains on rendered people
    return named(redesigns(longer), "base", BEST[0], "wider", "base, trained on", "autoencoder", "linear")


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
            out.append(Training(name, config, replace(base.recipe, sigma=sigma), why="changes drawn at random, at no higher cost"))
    return out


def stacks_64(joints: int) -> list[Training]:
    """Stacks at equal cost and at equal width, and one alone of the width and of the parameters of each pair."""
    base = base_64(joints)
    config = base.config

    def stacked(count: int) -> HourglassConfig:
        return widened(replace(config, stacks=count), parameters(config))

    why = "as many parameters"
    best = next(v for v in own_variants(config, base.recipe.resolution) if v.name == BEST[0])
    changed = {name: getattr(best.config, name) for name in vars(config) if name not in ("features", "stem")}
    redesigned = within(config, base.recipe.resolution, **changed | {"stacks": 2})
    large = widened(config, parameters(replace(config, stacks=2)))
    narrow = HourglassConfig.narrow(64, joints=joints, bottleneck_residuals=3)
    return [
        replace(base, variant="1 wide stack"),
        *(Training(f"{n} stacks, equal parameters", stacked(n), base.recipe, why=why) for n in (2, 4)),
        *(Training(f"{n} stacks, equal width", replace(config, stacks=n), base.recipe, why="as many features") for n in (2, 4)),
        Training("1 narrow stack", narrow, base.recipe, why="one of the two stacks, of the same width"),
        Training("1 large stack", large, base.recipe, why="the parameters of two stacks of equal width in one"),
        Training("2 stacks, redesigned", redesigned, replace(base.recipe, sigma=best.sigma), why=f"{BEST[0]}, at no more cost"),
    ]


def skips_64(joints: int) -> list[Training]:
    """With and without skip connections. Without any, a network still learns when the others have reached their plateau: it goes on."""
    base = base_64(joints)

    def with_skips(name: str, skips: bool | tuple[int, ...]) -> Training:
        return Training(name, replace(base.config, skips=skips), base.recipe, why="trained without these skips, otherwise the same")

    bare = with_skips(f"no skips, {base.recipe.epochs} epochs", False)
    more = replace(base.recipe, epochs=MOST - base.recipe.epochs, lr=base.recipe.lr / 2)
    return [
        replace(base, variant="all skips"),
        bare,
        replace(
            bare, variant="no skips", recipe=more, start=bare, why=f"the same, for {more.epochs} epochs more, as it learns more slowly"
        ),
        with_skips("without the finest", (2, 3, 4)),
        with_skips("without the coarsest", (1, 2, 3)),
    ]


def losses_64(joints: int) -> list[Training]:
    """Each loss at learning rates of a factor of four. Mean squared error learns more slowly, and gets the most epochs that are needed."""
    base = base_64(joints)

    def trained(name: str, **changes) -> Training:
        recipe = replace(base.recipe, **changes)
        return Training(f"{name}, {recipe.lr:g}", base.config, recipe, why=f"{recipe.epochs} epochs at this highest learning rate")

    rates = (base.recipe.lr, base.recipe.lr / 4, base.recipe.lr * 4)
    return [
        *(trained("cross-entropy", lr=rate) for rate in rates),
        *(trained("mean squared error", loss="mse", lr=rate, epochs=MOST) for rate in rates),
        trained("mean squared error, RMSProp", loss="mse", optimiser="rmsprop", lr=2.5e-4, epochs=MOST),  # Newell's
    ]


def audit_64(joints: int) -> list[Training]:
    """One recipe on labels as they are, and on what three ways make of them after an audit by networks that did not learn from them."""
    base = replace(base_64(joints), variant="labels as they are", why="every label counts alike")
    return [
        base,
        replace(base, variant="without doubtful labels", labels="without doubtful", why="labels more likely wrong than right are left out"),
        replace(
            base, variant="exchanges put right", labels="exchanged", why="left and right are exchanged where that is more likely right"
        ),
        replace(base, variant="weighted labels", labels="weighted", why="each label counts by the probability that it is right"),
    ]
