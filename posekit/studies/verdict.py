"""From the results of a study to its table: what each variant finds, by how much that is more than the reference, and who wins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posekit import metrics
from posekit.coordinates import MARGIN, cropping, person_square, transform_keypoints
from posekit.data.people import People
from posekit.errors import PosekitError
from posekit.stats import Interval, over_seeds, over_seeds_and_people
from posekit.studies.execute import Plan
from posekit.studies.redesign.variants import winner
from posekit.studies.results import Result

LEAST_SEEDS = 3  # of an interval by Student's t
FLOOR = 3.0  # times the median pose's score: below it a network has not learned, and decides nothing


@dataclass(frozen=True)
class Row:
    """What the trainings of one variant say together.

    Attributes:
        variant: its name.
        seeds: those whose result is kept.
        val: mean PCK on val.
        test: PCK on test, over seeds.
        difference: of PCK on test from the reference's, paired by seed, over seeds and people; None for the reference itself.
        relative: that difference over the reference's PCK.
        parameters, multiply_adds, epochs: what it costs.
        plateau: whether every training is at its plateau.
        learned: whether test PCK is FLOOR times the median pose's or more.
    """

    variant: str
    seeds: tuple[int, ...]
    val: float
    test: Interval
    difference: Interval | None
    relative: float | None
    parameters: int
    multiply_adds: int
    epochs: int
    plateau: bool
    learned: bool


def rows(planned: Plan) -> list[Row]:
    """A row for each variant of which a result is kept, in the order of the study."""
    floor = median_pose(planned.people)
    by_variant = {name: _results(planned, name) for name in planned.study.variants}
    reference = by_variant[planned.study.reference]
    out = []
    for name, found in by_variant.items():
        if not found:
            continue
        test = over_seeds(np.array([r.scores["test"] for r in found.values()]))
        difference = relative = None
        if name != planned.study.reference and (shared := [seed for seed in found if seed in reference]):
            difference = paired([found[s] for s in shared], [reference[s] for s in shared])
            relative = difference.mean / float(np.mean([reference[s].scores["test"] for s in shared]))
        first = next(iter(found.values())).content
        out.append(Row(
            name, tuple(found), float(np.mean([r.scores["val"] for r in found.values()])), test, difference, relative,
            first["parameters"], first["multiply_adds"], sum(len(curve) for curve in first["curve"]),
            all(r.plateau for r in found.values()), test.mean >= FLOOR * floor,
        ))  # fmt: skip
    return out


def paired(ours: Sequence[Result], theirs: Sequence[Result]) -> Interval:
    """The difference of PCK on test between two kinds of training, seed by seed and person by person."""
    a, b = (np.stack([result.hits("test") for result in side]) for side in (ours, theirs))
    both = np.isfinite(a) & np.isfinite(b)
    return over_seeds_and_people(np.where(both, a - b, 0).sum(-1), both.sum(-1))


def named_winner(planned: Plan) -> str:
    """Who has the best mean PCK on val among those that cost no more than the reference; the rule was fixed before test was looked at.

    Raises:
        PosekitError: of the reference nothing is kept.
    """
    by_variant = {name: list(_results(planned, name).values()) for name in planned.study.variants}
    reference = planned.study.reference
    if not by_variant[reference]:
        raise PosekitError(f"{planned.study.name}: no result of {reference} is kept; run posekit study {planned.study.name}")
    scores: dict[str, Sequence[float]] = {name: [r.scores["val"] for r in found] for name, found in by_variant.items() if found}
    costs: dict[str, Sequence[float]] = {
        name: [found[0].content["parameters"], found[0].content["multiply_adds"], sum(len(curve) for curve in found[0].content["curve"])]
        for name, found in by_variant.items() if found
    }  # fmt: skip
    return winner(scores, costs, reference)


def median_pose(people: People, split: str = "test") -> float:
    """PCK@0.2·torso of answering everybody with the median pose of the training people, in the frame of their boxes."""
    middle = np.nanmedian(_in_view(people.split("train")), axis=0)
    asked = people.split(split)
    back = np.linalg.inv(_views(asked))
    found = transform_keypoints(back, np.repeat(np.pad(middle, ((0, 0), (0, 1)))[None], len(asked), 0))
    hits = metrics.hits(found, asked.keypoints, 0.2 * metrics.torso(asked.keypoints, asked.skeleton))
    return float(np.nanmean(hits))


def _views(people: People) -> np.ndarray:
    return cropping(*person_square(people.boxes, MARGIN), 1)


def _in_view(people: People) -> np.ndarray:
    return transform_keypoints(_views(people), people.keypoints)[..., :2]


def _results(planned: Plan, variant: str) -> dict[int, Result]:
    pairs = ((t.seed, planned.result(t)) for t in planned.study.trainings if t.variant == variant)
    return {seed: found for seed, found in pairs if found is not None}


def undecided(planned: Plan, found: Sequence[Row]) -> str:
    """Why a study with these rows decides nothing, in a sentence; empty where it does decide."""
    if missing := planned.missing:
        names = "; ".join(dict.fromkeys(training.variant for training in missing))
        return f"{len(missing)} of {len(planned.study.trainings)} trainings are missing: nothing is decided yet. Missing: {names}."
    seeds = len({training.seed for training in planned.study.trainings})
    if seeds < LEAST_SEEDS:
        return f"Nothing is decided: an interval needs {LEAST_SEEDS} seeds, and there {'is one' if seeds == 1 else 'are two'}."
    if unfit := [row.variant for row in found if not (row.plateau and row.learned)]:
        return f"Nothing is decided: not at the plateau, or not learned: {'; '.join(unfit)}."
    return ""


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
            "" if row.relative is None else f"{100 * row.relative:+.1f} %", f"{row.parameters:,}", f"{row.multiply_adds / 1e6:.1f}",
            str(row.epochs), ", ".join(notes),
        )  # fmt: skip
    console.print(shown)
    reference = planned.study.reference
    lines = [
        f"PCK@0.2·torso with flip test; 95 % intervals over seeds (test) and over seeds and people (differences from {reference}), "
        f"three seeds at least. The median pose finds {100 * median_pose(planned.people):.1f} %."
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
