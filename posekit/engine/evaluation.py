"""How good a network is: every metric that the data allow, per joint and per stack, with intervals."""

import math
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from posekit import metrics
from posekit.coordinates import CONTEXT, view
from posekit.data import load_people
from posekit.data.crops import Crops, crops
from posekit.data.people import People
from posekit.deprecated import renamed
from posekit.display import html as display
from posekit.display.html import number
from posekit.display.tables import show_table
from posekit.engine import weights
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Predictor, predict_crops
from posekit.engine.overlap import overlap, words
from posekit.errors import PosekitError, extra, whole
from posekit.skeleton import Skeleton, skeleton_of

PAIRED = "pck@0.2·torso"  # what two networks are compared by


class Scores(dict[str, Any]):
    """What `evaluate` returns. As the last value of a notebook's cell it shows itself as tables."""

    def _repr_html_(self) -> str:
        lines = [f"<p>{escape(line)}</p>" for line in _people_words(self)]
        for title, head, rows in _tables(self):
            lines += [f"<p>{escape(title)}</p>", display.table(rows, head)]
        lines += [f"<p>{escape(_against_words(self['against']))}</p>"] if "against" in self else []
        return "\n".join(lines)


@renamed(machine="backend")
def evaluate(
    model: Predictor | str | Path, data: str | People | Crops, *, against: Predictor | str | Path | None = None, flip: bool = False,
    on_error: str = "raise", cache: str | Path = "data", seed: int = 0, backend: Backend | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Scores:  # fmt: skip
    """Score a network on people.

    Args:
        model: what `posekit.load` gives, or the name or file of weights.
        data: a spec, `NAME[:PATH][@SPLIT]` (no split is the test split where there is one), people, or their crops.
        against: another network, compared with on the same people: the paired difference is under `"against"`.
        flip: take the mean of the heatmaps of picture and mirror image.
        on_error: `skip` leaves out, and counts, people whose picture cannot be read.
        cache: where crops are kept.
        seed: of the bootstrap.
        backend: where weights are put that are given by name or file; a predictor has its own.
        progress: called with what is being done, how many are done and of how many, where that is known.

    Returns:
        a dictionary, what `posekit evaluate --json` writes. `"metrics"` holds the last stack's scores by name, each with its
        definition, 95 % interval and joints; `"stacks"` the same for each stack. The scores run over `"joints"`: those
        that network and data both have. `"overlap"` says how many of the people are in pictures that the network was trained on, and
        is None where its card does not tell.
        `"without"` says which metrics the skeleton has not. What a metric is divided by comes from the data's annotation alone.

    Raises:
        PosekitError: weights or data cannot be read, they have too few joints in common, or crops are smaller than what the network sees.

    >>> scores = evaluate("mannequins-hg1", "mannequins:10,size=64@all")
    >>> scores["people"], sorted(scores["metrics"])
    (10, ['oks', 'oks-ap', 'pck@0.2·torso', 'pck@0.5·hm/10'])
    >>> sorted(scores["metrics"]["pck@0.2·torso"])
    ['definition', 'high', 'joints', 'labelled', 'low', 'mean', 'people']
    """
    seed = whole("seed", seed)
    predictor = predictor_of(model, backend)
    card = predictor.card
    people = data if isinstance(data, People | Crops) else people_of(data, on_error, cache, _counting(progress, "rendering", None))
    predicted, truth, joints, store = predictions(predictor, people, flip, on_error, cache, progress)
    stacks = [_score(found, truth, joints, store, card, seed) for found in predicted]
    splits = sorted(set(store.people.splits))
    out = Scores({
        "weights": card.name,
        "architecture": card.architecture,
        "data": f"{store.people.source}@{splits[0] if len(splits) == 1 else 'all'}",
        "people": len(store),
        "left_out": {reason: count for reason, count in store.people.left_out.items() if count},
        "overlap": overlap(card, store),
        "flip": flip,
        "resolution": card.resolution,
        "joints": list(joints.joints),
        "joints_of_the_network": list(skeleton_of(card.skeleton).joints),
        "joints_of_the_data": list(store.people.skeleton.joints),
        "without": _without(joints),
        "metrics": stacks[-1],
        "stacks": [{"metrics": block} for block in stacks],
    })  # fmt: skip
    if against is not None:
        rival = predictor_of(against, backend)
        metrics.torso(store.people.keypoints[:0], store.people.skeleton)  # by which the two are compared
        theirs, _, their_joints, their_store = predictions(rival, people, flip, on_error, cache, progress)
        if len(their_store) != len(store):
            raise PosekitError("the two networks were given different people, since some pictures cannot be read; repair or remove these")
        out["against"] = {"weights": rival.card.name, "overlap": overlap(rival.card, store)} | _compare(
            predicted[-1], theirs[-1], truth, joints, their_joints, store, seed
        )
    return out


def common(network: Skeleton, data: Skeleton) -> Skeleton:
    """The data's skeleton, less the joints whose names the network does not know.

    Raises:
        PosekitError: hips and shoulders, which the scores need where the data have them, are not all among them; or no joint is.
    """
    kept = [joint for joint in data.joints if joint in network.joints]
    lacking = "they have no joint in common" if not kept else ""
    if metrics.has_torso(data) and not set(metrics.TORSO) <= set(kept):
        lacking = lacking or "both must have shoulders and hips"
    if lacking:
        other = {re.sub("[_-]", " ", joint).lower(): joint for joint in network.joints if joint not in data.joints}
        like = next((f"; its {other[joint]!r} is to be called {joint!r}, and so on" for joint in data.joints if joint in other), "")
        raise PosekitError(f"a network of the {network.name} skeleton cannot be scored on {data.name}: {lacking}{like}")
    limbs = tuple(limb for limb in data.limbs if set(limb) <= set(kept))
    sigmas = tuple(sigma for joint, sigma in zip(data.joints, data.sigmas, strict=True) if joint in kept) if data.sigmas else ()
    pairs = data.pairs and tuple(pair for pair in data.pairs if set(pair) <= set(kept))
    return Skeleton(data.name, tuple(kept), limbs, sigmas, pairs)


def _without(skeleton: Skeleton) -> str:
    """Why metrics are missing that people are scored by elsewhere, or ""."""
    torso = "" if metrics.has_torso(skeleton) else "no PCK by the torso, for it has no shoulders and hips"
    sigmas = "" if len(skeleton.sigmas) == len(skeleton) else "no OKS, for it has no sigmas"
    return f"of the {skeleton.name} skeleton there is {' and '.join(filter(None, (torso, sigmas)))}" if torso or sigmas else ""


def people_of(spec: str, on_error: str, cache: str | Path, progress: Callable[[int], None] | None = None) -> People:
    return load_people(spec, default_split="test", on_error=on_error, cache=cache, progress=progress)


def _counting(progress: Callable | None, what: str, total: int | None) -> Callable[[int], None] | None:
    """A function of how many more are done, which calls `progress` with how many that is in all."""
    if progress is None:
        return None
    done = 0

    def count_on(count: int) -> None:
        nonlocal done
        done += count
        progress(what, done, total)

    return count_on


def predictor_of(model: Predictor | str | Path, backend: Backend | None) -> Predictor:
    return model if isinstance(model, Predictor) else Predictor(*weights.load(model), backend)


def crops_of(
    predictor: Predictor, people: People | Crops, on_error: str, cache: str | Path, progress: Callable | None = None
) -> tuple[Crops, Skeleton]:  # fmt: skip
    """People's crops for a network, and the joints that both have.

    Raises:
        PosekitError: the crops are too small for the network, or hips and shoulders are not among the joints.
    """
    card, size = predictor.card, round(predictor.card.resolution * CONTEXT)
    if isinstance(people, Crops):
        store = people
    else:
        common(skeleton_of(card.skeleton), people.skeleton)  # refused before anything is cut
        store = crops(people, size, cache, aspect=card.aspect, on_error=on_error, progress=_counting(progress, "cutting out", len(people)))
    if store.size < size:
        raise PosekitError(f"crops of {store.size} px are too small for {card.name}: give people, or crops of {size} px")
    return store, common(skeleton_of(card.skeleton), store.people.skeleton)


def predictions(predictor, people, flip, on_error, cache, progress):
    """Predictions (stacks, N, J, 3) and truth (N, J, 3) of the common joints, their skeleton, and the crops."""
    card = predictor.card
    store, joints = crops_of(predictor, people, on_error, cache, progress)
    counted = _counting(progress, "predicting", len(store))
    found = predict_crops(predictor.model, card, store, flip=flip, backend=predictor.backend, progress=counted)
    of_network = skeleton_of(card.skeleton).index(*joints.joints)
    of_data = store.people.skeleton.index(*joints.joints)
    return found[:, :, of_network], store.people.keypoints[:, of_data], joints, store


def _score(found: np.ndarray, truth: np.ndarray, joints: Skeleton, store: Crops, card: weights.Card, seed: int) -> dict[str, Any]:
    people = store.people
    to_input = view(store.size, card.resolution) @ store.matrices
    return metrics.score(
        found, truth, joints, heads=people.heads, heatmap_cell=card.stride / to_input[:, 0, 0],
        heatmap_width=card.resolution // card.stride, areas=people.areas, image_ids=people.picture_ids(), boxes=people.boxes,
        ignored=people.ignored_in_pictures(), seed=seed,
    )  # fmt: skip


def _compare(
    found: np.ndarray, theirs: np.ndarray, truth: np.ndarray, joints: Skeleton, their_joints: Skeleton, store: Crops, seed: int
) -> dict[str, Any]:
    both = [joint for joint in joints.joints if joint in their_joints.joints]
    ours, lengths = joints.index(*both), 0.2 * metrics.torso(store.people.keypoints, store.people.skeleton)
    hits = metrics.hits(found[:, ours], truth[:, ours], lengths)
    their_hits = metrics.hits(theirs[:, their_joints.index(*both)], truth[:, ours], lengths)
    difference = metrics.paired_difference(hits, their_hits, pictures=store.people.picture_ids(), seed=seed)
    words = "mean difference of the share of labelled joints found, positive where the first is better; on the same people and joints"
    return {"metric": PAIRED, "joints": both, **difference,
            "own": float(np.nanmean(their_hits)) if np.isfinite(their_hits).any() else math.nan, "definition": words}  # fmt: skip


def print_table(result: dict[str, Any], console=None) -> None:
    """The result of `evaluate` as tables: metrics by stack, then by joint, then what each metric means."""
    with extra("cli", "printing tables"):
        from rich.console import Console
        from rich.table import Table

    console = console or Console()
    for line in _people_words(result):
        console.print(line, highlight=False, markup=False)
    for title, head, rows in _tables(result):
        shown = Table(title=title, title_justify="left", title_style="")
        for i, name in enumerate(head):
            shown.add_column(name, justify="right" if i else "left")
        for row in rows:
            shown.add_row(*row)
        show_table(console, shown)
    for name, block in result["metrics"].items():
        console.print(f"{name}: {block['definition']}", highlight=False, markup=False)
    if "against" in result:
        console.print(f"\n{_against_words(result['against'])}", highlight=False, markup=False)


def _people_words(result: dict[str, Any]) -> list[str]:
    few = [joint for joint in result["joints_of_the_data"] if joint not in result["joints"]]
    lacking = f" (without {', '.join(few)}, which the network lacks)" if few else ""
    first = f"{result['weights']} on {result['data']}: {result['people']:,} people, {len(result['joints'])} joints{lacking}"
    against = result.get("against", {})
    return [
        first + (", flip test" if result["flip"] else ""), *filter(None, [result.get("without")]),
        *(f"left out: {n:,} {reason}" for reason, n in result["left_out"].items()),
        *words(result["weights"], result["overlap"], result["people"]),
        *words(against.get("weights", ""), against.get("overlap"), result["people"]),
    ]  # fmt: skip


def _tables(result: dict[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, head and rows of each table."""
    last, stage = len(result["stacks"]), "stack" if result["architecture"] == "hourglass" else "stage"
    columns = [f"{stage} {number}" for number in range(1, last + 1)] if last > 1 else ["score"]
    means = [
        [name, *(_interval(stack["metrics"][name]) for stack in result["stacks"]), f"{block['people']:,}"]
        for name, block in result["metrics"].items()
    ]
    named = {name: block for name, block in result["metrics"].items() if block["joints"]}
    joints = [[joint, *(number(block["joints"].get(joint)) for block in named.values())] for joint in result["joints"]]
    return [
        ("mean over labelled joints, 95 % interval", ["metric", *columns, "people"], means),
        ("by joint" + (f", {stage} {last}" if last > 1 else ""), ["joint", *named], joints),
    ]


def _against_words(other: dict[str, Any]) -> str:
    return (
        f"{other['metric']} less that of {other['weights']} ({number(other['own'])}), over {len(other['joints'])} joints: "
        f"{number(other['mean'], '+.3f')} ({number(other['low'], '+.3f')} to {number(other['high'], '+.3f')}, "
        f"95 % interval over {other['people']:,} people)"
    )


def _interval(block: dict[str, Any]) -> str:
    return f"{number(block['mean'])} ({number(block['low'])}–{number(block['high'])})"
