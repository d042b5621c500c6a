"""A study as plain numbers, for the pages and the ledger of claims: every variant, and the contrasts that decide claims.

summary = summarise(read("redesign", "lspet"))
summary["variants"]["lean"]["difference"], summary["contrasts"]["autoencoder"]

A contrast is written down here before its results are looked at. It has a number only when every training of the variants that it
compares is kept, and decides only when each of these networks is at its plateau and has learned. A winner needs every training of the
variants that may win.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from posekit.files import plain
from posekit.interpret.activations.ablation import small_joints
from posekit.models.hourglass import HourglassConfig
from posekit.skeleton import SKELETONS
from posekit.stats import Interval, welch
from posekit.studies import verdict
from posekit.studies.floor import CEILINGS, FLOOR
from posekit.studies.kept import Kept
from posekit.studies.redesign.budget import macs, parameters
from posekit.studies.redesign.variants import own_variants
from posekit.studies.verdict import RANDOM

# By the claim's key: how PCKs on test are weighted.
AUTOENCODER: dict[str, dict[str, float]] = {
    "autoencoder": {"autoencoder": 1, "base, trained on": -1},
    # Each beside its own control: the autoencoder goes on from the base, the wider network begins anew.
    "autoencoder, wider": {"autoencoder": 1, "base, trained on": -1, "wider": -1, "base": 1},
    "autoencoder, linear": {"autoencoder": 1, "linear": -1},
    "autoencoder, random": {"autoencoder": 1, "random": -1},
}
CONTRASTS: dict[str, dict[str, dict[str, float]]] = {
    **dict.fromkeys(("redesign", "redesign-128", "redesign-mannequins"), AUTOENCODER),
    "stacks": {
        "redesigned stacks": {"2 stacks, redesigned": 1, "2 stacks, equal parameters": -1},
        "2 stacks": {"2 stacks, equal parameters": 1, "1 wide stack": -1},
        "4 stacks": {"4 stacks, equal parameters": 1, "1 wide stack": -1},
        "2 stacks, large": {"2 stacks, equal width": 1, "1 large stack": -1},
    },
    "audit": {name: {name: 1, "labels as they are": -1} for name in ("without doubtful labels", "exchanges put right", "weighted labels")},
    "skips": {name: {name: 1, "all skips": -1} for name in ("no skips", "without the finest", "without the coarsest")},
    "estimators": {
        name: {name: 1, "hourglass, 1 stack": -1}
        for name in ("hourglass, 2 stacks", "hourglass, redesigned", "DeepPose", "error feedback", "TransPose", "templates on springs")
    },
}
# By the claim's key: whose PCK is taken as a share of whose.
SHARES: dict[str, dict[str, tuple[str, str]]] = {"skips": {"no skips, share": ("no skips", "all skips")}}
# The studies that decide claims, by what claims call them and by kind of people: name and data set.
LEDGER = {
    "redesign": {"mannequins": ("redesign-mannequins", "mannequins"), "photographs": ("redesign", "lspet")},
    "skips": {"photographs": ("skips", "lspet")},
    "audit": {"photographs": ("audit", "lspet")},
    "stacks": {"photographs": ("stacks", "lspet")},
}


def summarise(kept: Kept) -> dict[str, Any]:
    """The study in plain numbers; what has no interval has None at both its ends.

    Returns:
        `study`, `question`, `source`, `reference`, `seeds`; `people` by split, and `test people` with a joint that counts; how many
        `trainings` there are and are `kept`, and by variant the seeds that are `missing`; `floor` by split and `ceiling`, None where not
        known; `variants`, by name; `winner`, None while nothing is decided; and `contrasts`, each {"mean", "low", "high", "seeds",
        "people", "why"}, of which `why` says what keeps it from being decided, and `absent` that this study cannot decide it.
    """
    study = kept.study
    missing: dict[str, list[int]] = {}
    for training in kept.missing:
        missing.setdefault(training.variant, []).append(training.seed)
    rows = {row.variant: row for row in verdict.rows(kept)}
    about = {name: _variant(kept, name, rows.get(name)) for name in study.variants}
    first = next(iter(kept.results.values()), None)
    out: dict[str, Any] = {
        "study": study.name, "question": study.question, "source": kept.source, "reference": study.reference,
        "seeds": sorted({training.seed for training in study.trainings}),
        "people": {name: block["count"] for name, block in first.content["data"]["people"].items()} if first else {},
        "trainings": len(study.trainings), "kept": len(study.trainings) - len(kept.missing), "missing": missing,
        "floor": kept.floor, "ceiling": CEILINGS.get(kept.source), "variants": about,
    }  # fmt: skip
    unfit = _unfit([name for name, block in about.items() if block["kind"] in ("reference", "found")], about, kept.floor)
    why = _because(kept, verdict.candidates(study)) or unfit
    out["winner"] = None if why else verdict.named_winner(kept)
    out["test people"] = _people(kept) if kept.results else 0
    out["contrasts"] = {name: _decided(kept, about, weights) for name, weights in CONTRASTS.get(study.name, {}).items()}
    out["contrasts"] |= {name: _share(kept, about, *sides) for name, sides in SHARES.get(study.name, {}).items()}
    if study.name == "skips":
        out["contrasts"]["small joints"] = _small_joints(kept, about, "no skips", "all skips")
    out["contrasts"] |= _of_winner(kept, out, why) | _of_random(kept, about)
    return plain(out)


def learning(kept: Kept) -> dict[str, list[dict[str, list[float]]]]:
    """What each training cost up to each epoch and how good it was then, by variant, a dict a seed: `seconds` of wall time on the machine
    that trained, `macs`, the multiply-adds of the forward passes, and `pck` on val. Of variants with a single stage of training.
    """
    found: dict[str, list[dict[str, list[float]]]] = {}
    for training in kept.study.trainings:
        result = kept.result(training)
        if result is None or training.start:
            continue
        (curve,) = result.content["curve"]
        epoch = result.content["multiply_adds"] * result.content["data"]["people"]["train"]["count"]
        found.setdefault(training.variant, []).append({
            "seconds": [line["seconds"] for line in curve], "macs": [epoch * (i + 1) for i in range(len(curve))],
            "pck": [line["pck"] for line in curve],
        })  # fmt: skip
    return found


def _variant(kept: Kept, name: str, row: verdict.Row | None) -> dict[str, Any]:
    training = next(t for t in kept.study.trainings if t.variant == name)
    against = verdict.compared_with(kept.study, name)
    block: dict[str, Any] = {"kind": _kind(kept, name), "why": training.why, "against": against, "seeds": [], "epochs": training.epochs}
    if isinstance(training.config, HourglassConfig):
        resolution = training.recipe.resolution
        block |= {"parameters": parameters(training.config), "macs": macs(training.config, resolution)}
    if row is None:
        return block
    results, others = kept.of(name), kept.of(against) if against else {}
    block |= {
        "seeds": list(row.seeds), "val": row.val, "test": _block(row.test), "difference": _block(row.difference),
        "relative": _block(row.relative), "parameters": row.parameters, "macs": row.multiply_adds, "epochs": row.epochs,
        "plateau": row.plateau, "learned": row.learned,
        "curves": {seed: [[line["pck"] for line in stage] for stage in found.content["curve"]] for seed, found in results.items()},
        "differences": {seed: found.scores["test"] - others[seed].scores["test"] for seed, found in results.items() if seed in others},
    }  # fmt: skip
    return block


def _kind(kept: Kept, name: str) -> str:
    """What a variant is there for: reference, suggested by a finding, drawn at random, with a teacher, or the thesis's and its controls."""
    if name == kept.study.reference:
        return "reference"
    if name.startswith(RANDOM):
        return "random"
    if any(training.teacher for training in kept.study.trainings if training.variant == name):
        return "distilled"
    return "found" if name in _suggested(kept) else "study"


def _suggested(kept: Kept) -> list[str]:
    base = next(t for t in kept.study.trainings if t.variant == kept.study.reference)
    if not isinstance(base.config, HourglassConfig):
        return []
    return [variant.name for variant in own_variants(base.config, base.recipe.resolution)]


def _because(kept: Kept, variants: Sequence[str]) -> str | None:
    """What keeps the study from deciding anything about these variants."""
    if missing := [t for t in kept.missing if t.variant in variants]:
        of = [t for t in kept.study.trainings if t.variant in variants]
        return f"{len(missing)} of {len(of)} trainings are missing"
    if len({training.seed for training in kept.study.trainings}) < verdict.LEAST_SEEDS:
        return f"an interval needs {verdict.LEAST_SEEDS} seeds"
    if kept.floor is None:
        return "the median pose's score is not kept with the results"
    return None


def _unfit(names: Sequence[str], about: Mapping[str, Mapping], floor: Mapping | None) -> str | None:
    """Which of the networks that a number rests on may decide nothing, and why; None where all may."""
    trained = [name for name in names if about[name]["seeds"]]
    if floor and (low := [name for name in trained if not about[name]["learned"]]):
        return f"under {FLOOR:g} times the median pose's score: {', '.join(low)}"
    if early := [name for name in trained if not about[name]["plateau"]]:
        return f"not at the plateau: {', '.join(early)}"
    return None


def _decided(kept: Kept, about: Mapping[str, Mapping], weights: Mapping[str, float]) -> dict[str, Any]:
    if absent := [name for name in weights if name not in about]:
        return _undecided(f"this study does not train {', '.join(f'*{name}*' for name in absent)}") | {"absent": True}
    if why := _because(kept, list(weights)):
        return _undecided(why)
    found = verdict.contrast([(weight, [kept.of(name)[seed] for seed in sorted(kept.of(name))]) for name, weight in weights.items()])
    return _block(found) | {"people": _people(kept), "why": _unfit(list(weights), about, kept.floor)}


def _share(kept: Kept, about: Mapping[str, Mapping], ours: str, theirs: str) -> dict[str, Any]:
    """What `ours` finds as a share of what `theirs` finds."""
    if why := _because(kept, [ours, theirs]):
        return _undecided(why)
    block = _block(verdict.ratio(*([kept.of(name)[seed] for seed in sorted(kept.of(name))] for name in (ours, theirs))))
    shifted = {end: None if block[end] is None else 1 + block[end] for end in ("mean", "low", "high")}
    return block | shifted | {"people": _people(kept), "why": _unfit([ours, theirs], about, kept.floor)}


def _small_joints(kept: Kept, about: Mapping[str, Mapping], ours: str, theirs: str) -> dict[str, Any]:
    """`ablation.small_joints` of the mean over seeds: the interval is over people, and "p" over kinds of joint."""
    if why := _because(kept, [ours, theirs]):
        return _undecided(why)
    sides = [list(kept.of(name).values()) for name in (ours, theirs)]
    skeleton = SKELETONS[sides[0][0].content["data"]["skeleton"]]
    hits, reference = (np.mean([found.hits("test") for found in side], axis=0) for side in sides)
    block = small_joints(hits, reference, skeleton)
    why = _unfit([ours, theirs], about, kept.floor)
    if block["mean"] is None:
        why = "too few kinds of joint have a size, or all lose alike"
    return block | {"seeds": len(sides[0]), "people": _people(kept), "why": why}


def _of_winner(kept: Kept, out: Mapping, why: str | None) -> dict[str, dict[str, Any]]:
    """By how much the winner finds more, relative to the base; and what it costs, as a share of the base's multiply-adds."""
    winner, base = out["winner"], kept.study.reference
    if why or winner is None:
        return {"winner": _undecided(why or "no winner"), "winner's cost": _undecided(why or "no winner")}
    ours, theirs = ([kept.of(name)[seed] for seed in sorted(kept.of(base))] for name in (winner, base))
    cost = out["variants"][winner]["macs"] / out["variants"][base]["macs"]
    relative = _block(verdict.ratio(ours, theirs)) | {"people": _people(kept)}
    return {
        "winner": relative | {"why": None},
        "winner's cost": {"mean": cost, "low": cost, "high": cost, "seeds": relative["seeds"], "people": None, "why": None},
    }


def _of_random(kept: Kept, about: Mapping[str, Mapping]) -> dict[str, dict[str, Any]]:
    """Redesigns that a finding suggests less those drawn at random, by Welch's t: each is a sample of what there might have been."""
    sides = [[name for name, block in about.items() if block["kind"] == kind] for kind in ("found", "random")]
    if not all(sides):
        return {"found, random": _undecided("this study has no redesigns drawn at random") | {"absent": True}}
    if why := _because(kept, [*sides[0], *sides[1]]):
        return {"found, random": _undecided(why)}
    ours, theirs = (np.array([about[name]["test"]["mean"] for name in side]) for side in sides)
    block = _block(welch(ours, theirs, "redesigns")) | {"seeds": len(kept.of(kept.study.reference)), "people": _people(kept)}
    return {"found, random": block | {"why": _unfit([*sides[0], *sides[1]], about, kept.floor)}}


def _people(kept: Kept) -> int:
    """Test people with a joint that counts."""
    return int(np.isfinite(next(iter(kept.results.values())).hits("test")).any(-1).sum())


def _block(interval: Interval | None) -> dict[str, Any]:
    if interval is None:
        return {"mean": None, "low": None, "high": None, "seeds": 0}
    return {"mean": interval.mean, "low": interval.low, "high": interval.high, "seeds": interval.n[0]}


def _undecided(why: str) -> dict[str, Any]:
    return {"mean": None, "low": None, "high": None, "seeds": 0, "people": None, "why": why}
