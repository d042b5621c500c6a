"""How good a network is: every metric that the data allow, per joint and per stack, with intervals."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from posekit import metrics, weights
from posekit.coordinates import CONTEXT, STRIDE, view
from posekit.data import load_people
from posekit.data.crops import Crops, crops
from posekit.data.people import People
from posekit.errors import PosekitError
from posekit.machine import Machine
from posekit.prediction import predict_crops
from posekit.skeleton import SKELETONS, Skeleton

PAIRED = "pck@0.2·torso"  # what two networks are compared by


def evaluate(
    source: str | Path, data: str | People | Crops, *, against: str | Path | None = None, flip: bool = False,
    on_error: str = "raise", cache: str | Path = "data", seed: int = 0, machine: Machine | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Score a weights file, or shipped weights by name, on people.

    Args:
        source: the weights.
        data: a spec, `NAME[:PATH][@SPLIT]` (no split is the test split where there is one), people, or their crops.
        against: other weights, compared with on the same people: the paired difference is under `"against"`.
        flip: take the mean of the heatmaps of picture and mirror image.
        on_error: `skip` leaves out, and counts, people whose picture cannot be read.
        cache: where crops are kept.
        seed: of the bootstrap.
        progress: hears what is being done, how many are done and of how many, where that is known.

    Returns:
        what `posekit evaluate --json` writes. `"metrics"` holds the last stack's scores by name, each with its
        definition, 95 % interval and joints; `"stacks"` the same for each stack. The scores run over `"joints"`: those
        that network and data both have. What a metric is divided by comes from the data's annotation alone.

    Raises:
        PosekitError: weights or data cannot be read, or they have too few joints in common.

    >>> scores = evaluate("mannequins-hg1", "mannequins:10,size=64@all")
    >>> scores["people"], sorted(scores["metrics"])
    (10, ['oks', 'oks-ap', 'pck@0.2·torso', 'pck@0.5·hm/10'])
    >>> sorted(scores["metrics"]["pck@0.2·torso"])
    ['definition', 'high', 'joints', 'labelled', 'low', 'mean', 'people']
    """
    model, card = weights.load(source)
    return evaluate_model(
        model,
        card,
        data,
        against=against,
        flip=flip,
        on_error=on_error,
        cache=cache,
        seed=seed,
        machine=machine,
        progress=progress,
    )


def evaluate_model(
    model: Any, card: weights.Card, data: str | People | Crops, *, against: str | Path | None = None, flip: bool = False,
    on_error: str = "raise", cache: str | Path = "data", seed: int = 0, machine: Machine | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """`evaluate` for a network in memory and its card."""
    people = data if isinstance(data, People | Crops) else _people(data, on_error, cache, _counting(progress, "rendering", None))
    predicted, truth, joints, store = _predict(model, card, people, flip, on_error, cache, machine, progress)
    stacks = [_score(found, truth, joints, store, card, seed) for found in predicted]
    splits = sorted(set(store.people.splits))
    out = {
        "weights": card.name,
        "architecture": card.architecture,
        "data": f"{store.people.source}@{splits[0] if len(splits) == 1 else 'all'}",
        "people": len(store),
        "left_out": {reason: count for reason, count in store.people.left_out.items() if count},
        "flip": flip,
        "resolution": card.resolution,
        "joints": list(joints.joints),
        "joints_of_the_network": list(SKELETONS[card.skeleton].joints),
        "joints_of_the_data": list(store.people.skeleton.joints),
        "metrics": stacks[-1],
        "stacks": [{"metrics": block} for block in stacks],
    }
    if against is not None:
        out["against"] = _compare(
            against,
            people,
            predicted[-1],
            truth,
            joints,
            store,
            flip,
            on_error,
            cache,
            seed,
            machine,
            progress,
        )
    return out


def common(network: Skeleton, data: Skeleton) -> Skeleton:
    """The data's skeleton, less the joints whose names the network does not know.

    Raises:
        PosekitError: hips and shoulders, which the scores need, are not all among them.
    """
    kept = [joint for joint in data.joints if joint in network.joints]
    needed = {f"{side} {joint}" for side in ("left", "right") for joint in ("shoulder", "hip")}
    if needed - set(kept):
        raise PosekitError(f"a network of the {network.name} skeleton cannot be scored on {data.name}: both must have shoulders and hips")
    limbs = tuple(limb for limb in data.limbs if set(limb) <= set(kept))
    sigmas = tuple(sigma for joint, sigma in zip(data.joints, data.sigmas, strict=True) if joint in kept)
    return Skeleton(data.name, tuple(kept), limbs, sigmas)


def _people(spec: str, on_error: str, cache: str | Path, progress: Callable[[int], None] | None) -> People:
    return load_people(spec, default_split="test", on_error=on_error, cache=cache, progress=progress)


def _counting(progress: Callable | None, what: str, total: int | None) -> Callable[[int], None] | None:
    """What hears how many more are done, and passes on how many that is in all."""
    if progress is None:
        return None
    done = 0

    def hear(count: int) -> None:
        nonlocal done
        done += count
        progress(what, done, total)

    return hear


def _predict(model, card, people, flip, on_error, cache, machine, progress):
    """Predictions (stacks, N, J, 3) and truth (N, J, 3) of the common joints, their skeleton, and the crops."""
    store = people
    if isinstance(people, People):
        common(SKELETONS[card.skeleton], people.skeleton)  # refused before anything is cut
        size = round(card.resolution * CONTEXT)
        store = crops(people, size, cache, on_error=on_error, progress=_counting(progress, "cutting out", len(people)))
    joints = common(SKELETONS[card.skeleton], store.people.skeleton)
    found = predict_crops(model, card, store, flip=flip, machine=machine, progress=_counting(progress, "predicting", len(store)))
    of_network = SKELETONS[card.skeleton].index(*joints.joints)
    of_data = store.people.skeleton.index(*joints.joints)
    return found[:, :, of_network], store.people.keypoints[:, of_data], joints, store


def _score(found: np.ndarray, truth: np.ndarray, joints: Skeleton, store: Crops, card: weights.Card, seed: int) -> dict[str, Any]:
    people = store.people
    to_input = view(store.size, card.resolution) @ store.matrices
    return metrics.score(
        found, truth, joints, heads=people.heads, heatmap_cell=STRIDE / to_input[:, 0, 0], heatmap_width=card.resolution // STRIDE,
        areas=people.areas, image_ids=people.image_ids, boxes=people.boxes, seed=seed,
    )  # fmt: skip


def _compare(against, people, found, truth, joints, store, flip, on_error, cache, seed, machine, progress) -> dict[str, Any]:
    model, card = weights.load(against)
    other, other_truth, other_joints, other_store = _predict(model, card, people, flip, on_error, cache, machine, progress)
    both = [joint for joint in joints.joints if joint in other_joints.joints]
    lengths = 0.2 * metrics.torso(store.people.keypoints, store.people.skeleton)
    if len(other_store) != len(store):
        raise PosekitError("the two networks were given different people, since some pictures cannot be read; repair or remove these")
    hits = metrics.hits(found, truth, lengths)[:, joints.index(*both)]
    other_hits = metrics.hits(other[-1], other_truth, lengths)[:, other_joints.index(*both)]
    difference = metrics.paired_difference(hits, other_hits, seed=seed)
    words = "mean difference of the share of labelled joints found, positive where the first is better; on the same people and joints"
    return {"weights": card.name, "metric": PAIRED, "joints": both, **difference,
            "own": float(np.nanmean(other_hits)) if np.isfinite(other_hits).any() else math.nan, "definition": words}  # fmt: skip


def plain(value: Any) -> Any:
    """The result as JSON holds it: what is not finite becomes None."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(result: dict[str, Any], console=None) -> None:
    """The result of `evaluate` as tables: metrics by stack, then by joint, then what each metric means."""
    from rich.console import Console
    from rich.table import Table

    console = console or Console()
    few = [joint for joint in result["joints_of_the_data"] if joint not in result["joints"]]
    console.print(f"{result['weights']} on {result['data']}: {result['people']:,} people, {len(result['joints'])} joints"
                  + (f" (without {', '.join(few)}, which the network lacks)" if few else "")
                  + (", flip test" if result["flip"] else ""), highlight=False)  # fmt: skip
    for reason, count in result["left_out"].items():
        console.print(f"left out: {count:,} {reason}", highlight=False)

    table = Table(title="mean over labelled joints, 95 % interval", title_justify="left", title_style="")
    table.add_column("metric")
    last, stage = len(result["stacks"]), "stack" if result["architecture"] == "hourglass" else "stage"
    for number in range(1, last + 1):
        table.add_column(f"{stage} {number}" if last > 1 else "score", justify="right")
    table.add_column("people", justify="right")
    for name, block in result["metrics"].items():
        cells = [_interval(stack["metrics"][name]) for stack in result["stacks"]]
        table.add_row(name, *cells, f"{block['people']:,}")
    console.print(table)

    named = {name: block for name, block in result["metrics"].items() if block["joints"]}
    table = Table(title="by joint" + (f", {stage} {last}" if last > 1 else ""), title_justify="left", title_style="")
    table.add_column("joint")
    for name in named:
        table.add_column(name, justify="right")
    for joint in result["joints"]:
        table.add_row(joint, *(_number(block["joints"].get(joint)) for block in named.values()))
    console.print(table)
    for name, block in result["metrics"].items():
        console.print(f"{name}: {block['definition']}", highlight=False, markup=False)
    if "against" in result:
        other = result["against"]
        console.print(f"\n{other['metric']} less that of {other['weights']} ({_number(other['own'])}), over {len(other['joints'])} joints: "
                      f"[bold]{other['mean']:+.3f}[/bold] ({other['low']:+.3f} to {other['high']:+.3f}, 95 % interval over "
                      f"{other['people']:,} people)", highlight=False)  # fmt: skip


def _number(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}"


def _interval(block: dict[str, Any]) -> str:
    return f"{_number(block['mean'])} ({_number(block['low'])}–{_number(block['high'])})"
