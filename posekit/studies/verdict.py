"""From the results of a study to its table: what each variant finds, by how much that is more than the reference, and who wins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posekit.display.tables import show_table
from posekit.errors import PosekitError
from posekit.stats import Interval, over_seeds, over_seeds_and_people
from posekit.studies import comparison
from posekit.studies.designs import Study
from posekit.studies.execute import Plan
from posekit.studies.floor import FLOOR
from posekit.studies.kept import Trainings
from posekit.studies.redesign.variants import winner
from posekit.studies.results import Result, at_plateau

LEAST_SEEDS = 3  # of an interval by Student's t
RANDOM = "random redesign"  # how the variants begin that no finding suggests; they are controls, and cannot win


@dataclass(frozen=True)
class Row:
    """What the trainings of one variant say together.

    Attributes:
        variant: its name.
        seeds: those whose result is kept.
        val: mean PCK on val.
        test: PCK on test, over seeds.
        against: whom it is compared with (`compared_with`); None for the reference itself.
        difference: of PCK on test from theirs, paired by seed, over seeds and people; None where no seed is there of both.
        relative: that difference over their PCK.
        parameters, multiply_adds, epochs: what it costs.
        plateau: whether the mean of its learning curves is at its plateau.
        learned: whether test PCK is FLOOR times the median pose's or more; None where that is not known.
    """

    variant: str
    seeds: tuple[int, ...]
    val: float
    test: Interval
    against: str | None
    difference: Interval | None
    relative: Interval | None
    parameters: int
    multiply_adds: int
    epochs: int
    plateau: bool
    learned: bool | None


def rows(planned: Trainings) -> list[Row]:
    """A row for each variant of which a result is kept, in the order of the study."""
    floor = planned.floor
    by_variant = {name: planned.of(name) for name in planned.study.variants}
    out = []
    for name, found in by_variant.items():
        if not found:
            continue
        test = over_seeds(np.array([r.scores["test"] for r in found.values()]))
        difference = relative = None
        against = compared_with(planned.study, name)
        if against and (shared := [seed for seed in found if seed in by_variant[against]]):
            ours, theirs = ([side[seed] for seed in shared] for side in (found, by_variant[against]))
            difference, relative = paired(ours, theirs), ratio(ours, theirs)
        first = next(iter(found.values())).content
        out.append(Row(
            name, tuple(found), float(np.mean([r.scores["val"] for r in found.values()])), test, against, difference, relative,
            first["parameters"], first["multiply_adds"], sum(len(curve) for curve in first["curve"]),
            at_plateau(list(found.values())), None if floor is None else test.mean >= FLOOR * floor["test"],
        ))  # fmt: skip
    return out


def compared_with(study: Study, variant: str) -> str | None:
    """The reference; for what goes on from the reference's weights the reference itself trained on, which has seen everybody as often.

    >>> from posekit.studies.designs import design
    >>> [compared_with(design("redesign", 14), name) for name in ("base", "lean", "linear", "base, trained on")]
    [None, 'base', 'base, trained on', 'base']
    """
    if variant == study.reference:
        return None
    training = next(t for t in study.trainings if t.variant == variant)
    if training.start is None or training.start.variant != study.reference:
        return study.reference
    control = next((t for t in study.trainings if t.start and t.start == training.start and t.config == t.start.config), None)
    return control.variant if control and control.variant != variant else study.reference


def contrast(sides: Sequence[tuple[float, Sequence[Result]]]) -> Interval:
    """The sum of weighted PCKs on test, by seed and by person: of each side the weight and its results, the seeds in one order."""
    hits = [(weight, _hits(found)) for weight, found in sides]
    counted = np.logical_and.reduce([np.isfinite(h) for _, h in hits])
    return over_seeds_and_people(sum(weight * np.where(counted, h, 0).sum(-1) for weight, h in hits), counted.sum(-1))


def paired(ours: Sequence[Result], theirs: Sequence[Result]) -> Interval:
    """The difference of PCK on test between two kinds of training, seed by seed and person by person."""
    return comparison.difference(_hits(ours), _hits(theirs))


def ratio(ours: Sequence[Result], theirs: Sequence[Result]) -> Interval:
    """That difference as a share of what the others find."""
    return comparison.relative(_hits(ours), _hits(theirs))


def candidates(study: Study) -> list[str]:
    """The variants that may win. Redesigns drawn at random are controls, and what learns from a teacher costs more to train: they cannot.

    >>> from posekit.studies.designs import design
    >>> {"base", "lean"} <= set(found := candidates(design("redesign", 14))), "base, distilled" in found, "random redesign 1" in found
    (True, False, False)
    """
    out_of_it = {training.variant for training in study.trainings if training.teacher or training.variant.startswith(RANDOM)}
    return [name for name in study.variants if name not in out_of_it]


def named_winner(planned: Trainings) -> str:
    """Which candidate has the best mean PCK on val among those that cost no more than the reference; the rule was fixed before test was
    looked at.

    Raises:
        PosekitError: of the reference nothing is kept.
    """
    by_variant = {name: list(planned.of(name).values()) for name in candidates(planned.study)}
    reference = planned.study.reference
    if not by_variant[reference]:
        name = planned.study.name
        raise PosekitError(f"{name}: no result of {reference} is kept, with which all are compared; `posekit study {name}` trains it")
    scores: dict[str, Sequence[float]] = {name: [r.scores["val"] for r in found] for name, found in by_variant.items() if found}
    costs: dict[str, Sequence[float]] = {
        name: [found[0].content["parameters"], found[0].content["multiply_adds"], sum(len(curve) for curve in found[0].content["curve"])]
        for name, found in by_variant.items() if found
    }  # fmt: skip
    return winner(scores, costs, reference)


def undecided(planned: Trainings, found: Sequence[Row]) -> str:
    """Why a study with these rows names no winner, in a sentence; empty where it does."""
    may_win = candidates(planned.study)
    if missing := [training for training in planned.missing if training.variant in may_win]:
        names = "; ".join(dict.fromkeys(training.variant for training in missing))
        return f"{len(missing)} trainings of networks that may win are missing: there is no winner yet. Missing: {names}."
    seeds = len({training.seed for training in planned.study.trainings})
    if seeds < LEAST_SEEDS:
        there = "is one" if seeds == 1 else "are two"
        return f"Nothing is decided: a 95 % interval over trainings needs {LEAST_SEEDS} seeds, and there {there}; give more by --seeds."
    if unfit := [row.variant for row in found if row.variant in may_win and not (row.plateau and row.learned)]:
        return f"Nothing is decided: not at the plateau, or not learned: {'; '.join(unfit)}."
    return ""


def _hits(found: Sequence[Result]) -> np.ndarray:
    return np.stack([result.hits("test") for result in found])


def print_table(planned: Plan, console) -> None:
    """The study as a table, floor and winner below it."""
    from rich.table import Table

    shown = Table(title=planned.study.question, title_justify="left", title_style="")
    for column in ("variant", "seeds", "val", "test", "points", "relative", "parameters", "M MACs", "epochs", ""):
        shown.add_column(column, justify="left" if column in ("variant", "") else "right", no_wrap=True)
    found = rows(planned)
    for row in found:
        notes = [*([] if row.plateau else ["no plateau"]), *([] if row.learned else ["has not learned"])]
        shown.add_row(
            row.variant, str(len(row.seeds)), f"{100 * row.val:.1f} %", _percent(row.test), _points(row.difference),
            "" if row.relative is None else f"{100 * row.relative.mean:+.1f} %", f"{row.parameters:,}", f"{row.multiply_adds / 1e6:.1f}",
            str(row.epochs), ", ".join(notes),
        )  # fmt: skip
    show_table(console, shown)
    reference = planned.study.reference
    lines = [
        f"PCK@0.2·torso with flip test; 95 % intervals over seeds (test) and over seeds and people (differences from {reference}, "
        f"or from it trained on), three seeds at least. The median pose finds {100 * planned.floor['test']:.1f} %."
    ]
    lines.append(undecided(planned, found) or f"Best on val at no more cost than {reference}: {named_winner(planned)}.")
    for line in lines:
        console.print(line, highlight=False, markup=False)


def _percent(interval: Interval) -> str:
    ends = "" if np.isnan(interval.low) else f" [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    return f"{100 * interval.mean:.1f} %{ends}"


def _points(interval: Interval | None) -> str:
    if interval is None:
        return ""
    ends = "" if np.isnan(interval.low) else f" [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"
    return f"{100 * interval.mean:+.1f}{ends}"
