"""The kinds of wrong joints, after Ronchi and Perona (ICCV 2017), and what the score would be without each.

A joint that is not found is put where the nearest of these is, or nowhere near any:

- *jitter*: near its own true place, but not near enough;
- *inversion*: near the same person's joint of the other side;
- *swap*: near the same joint, or its counterpart, of another person in the picture;
- *miss*: near none of them.

*Near* is 2.07 times as far as what counts as found: the ratio of the distances at which a joint's similarity is 0.5 and 0.85 in their
paper. Who else is in the picture is known as far as they are annotated and among the people that are given.

Their own code (github.com/matteorr/coco-analyze) differs in two things, which is one joint in 50: a joint that is near enough but nearer
still to its counterpart is an inversion there, and a swap is measured by the other person's size.
"""

from collections.abc import Callable
from html import escape
from math import log, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from posekit import metrics
from posekit.data.crops import Crops
from posekit.data.people import People
from posekit.display import html as display
from posekit.engine import evaluation
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Predictor
from posekit.errors import PosekitError, whole
from posekit.skeleton import Skeleton

KINDS = ("found", "jitter", "inversion", "swap", "miss")
GOOD, NEAR = 0.85, 0.5  # similarity of a joint that is right, and of one that is near, in OKS
FARTHER = sqrt(log(NEAR) / log(GOOD))  # how much farther than what is found near reaches
REACH = 0.2  # torso lengths: found


class Mistakes(dict[str, Any]):
    """What `errors_of` returns. As the last value of a notebook's cell it shows itself as tables."""

    def _repr_html_(self) -> str:
        lines = [f"<p>{escape(words(self))}</p>"]
        for title, head, rows in tables(self):
            lines += [f"<p>{escape(title)}</p>", display.table(rows, head)]
        return "\n".join(lines)


def errors_of(
    model: Predictor | str | Path, data: str | People | Crops, *, flip: bool = False, on_error: str = "raise", cache: str | Path = "data",
    seed: int = 0, backend: Backend | None = None, progress: Callable[[str, int, int | None], None] | None = None,
) -> Mistakes:  # fmt: skip
    """Which kinds of errors a network makes, and what `pck@0.2·torso` would be with each kind repaired; arguments as of `evaluate`.

    Returns:
        `"stacks"` has for each stack what `summary` gives, the share of all labelled joints that each of KINDS has, with its interval, and
        `repaired`. `"oks"`, where the data have areas, has the same of the last stack by COCO's similarity, and under `"ap"` the average
        precision as it is and with each kind repaired (by pycocotools). `"others"` is how many people share their picture with another
        annotated one; without any there are no swaps to be seen. `"inversions by chance"` is `inversions_by_chance` of the last stack.

    Raises:
        PosekitError: as `evaluate` does, or nobody has a torso.

    >>> found = errors_of("mannequins-hg1", "mannequins:10,size=64@all")
    >>> list(found["stacks"][-1]["kinds"])
    ['found', 'jitter', 'inversion', 'swap', 'miss']
    """
    seed = whole("seed", seed)
    predictor = evaluation.predictor_of(model, backend)
    people = data if isinstance(data, People | Crops) else evaluation.people_of(data, on_error, cache)
    predicted, truth, joints, store = evaluation.predictions(predictor, people, flip, on_error, cache, progress)
    who, pictures = store.people, store.people.picture_ids()
    torsos = metrics.torso(who.keypoints, who.skeleton)
    if not np.isfinite(torsos).any():
        raise PosekitError(f"{who.source}: nobody has a torso to measure by; take people with shoulders and hips labelled")
    out = Mistakes({
        "weights": predictor.card.name, "data": who.source, "people": len(store), "flip": flip, "joints": list(joints.joints),
        "others": int((np.unique(pictures, return_counts=True)[1][_places(pictures)] > 1).sum()),
        "stacks": [summary(by_torso(found, truth, torsos, joints, pictures), joints, pictures, seed=seed) for found in predicted],
        "inversions by chance": inversions_by_chance(predicted[-1], truth, torsos, joints, pictures, seed=seed),
    })  # fmt: skip
    if who.areas is not None and joints.sigmas:
        out["oks"] = _by_oks(predicted[-1], truth, joints, who, seed)
    return out


def by_torso(
    predicted: np.ndarray, truth: np.ndarray, torsos: np.ndarray, skeleton: Skeleton, pictures: np.ndarray | None = None
) -> np.ndarray:  # fmt: skip
    """The kind of each predicted joint (N, K, >=2), an index into KINDS: (N, K) int; -1 where it or the torso (N,) is not annotated.

    `truth` (N, K, 3); `pictures` (N,) an id of each person's picture: who shares one can be swapped with. Found is within 0.2 of the
    person's torso, for others' joints too.
    """
    scale = np.broadcast_to(np.where(torsos > 0, REACH * torsos, np.nan)[:, None], truth.shape[:2])
    return classify(predicted, truth, scale, skeleton, pictures)


def by_similarity(
    predicted: np.ndarray, truth: np.ndarray, areas: np.ndarray, skeleton: Skeleton, pictures: np.ndarray | None = None
) -> np.ndarray:  # fmt: skip
    """As `by_torso`, by COCO's similarity: found is at 0.85 or above, near at 0.5 or above, with the person's own area (N,)."""
    reach = np.sqrt(-2 * log(GOOD)) * 2 * np.asarray(skeleton.sigmas)
    return classify(predicted, truth, reach * np.sqrt(areas)[:, None], skeleton, pictures)


def classify(
    predicted: np.ndarray, truth: np.ndarray, reach: np.ndarray, skeleton: Skeleton, pictures: np.ndarray | None = None
) -> np.ndarray:  # fmt: skip
    """The kind (N, K) of each joint, where `reach` (N, K) is how far off a joint is still found."""
    true = np.where(truth[..., 2:] > 0, truth[..., :2], np.nan)
    twins = np.array(skeleton.mirrored)
    own, twin = (np.linalg.norm(predicted[..., :2] - places, axis=-1) / reach for places in (true, true[:, twins]))
    twin[:, twins == np.arange(len(skeleton))] = np.nan  # a joint without a counterpart
    candidates = np.nan_to_num(np.stack([own, twin, _others(predicted, true, reach, twins, pictures)]), nan=np.inf)
    nearest = candidates.argmin(0)  # of equals the first
    kinds = np.where(candidates.min(0) <= FARTHER, nearest + 1, KINDS.index("miss"))
    kinds = np.where(np.nan_to_num(own, nan=np.inf) <= 1, KINDS.index("found"), kinds)
    return np.where(np.isfinite(true[..., 0]) & np.isfinite(reach), kinds, -1)


def _others(predicted: np.ndarray, true: np.ndarray, reach: np.ndarray, twins: np.ndarray, pictures: np.ndarray | None) -> np.ndarray:
    """How far each joint is from the nearest same one, or its counterpart, of another person in the picture: (N, K), in `reach`."""
    found = np.full(true.shape[:2], np.inf)
    if pictures is None:
        return found
    order = np.argsort(pictures, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(pictures[order])) + 1):
        for i in group if len(group) > 1 else ():
            rest = true[group[group != i]]  # (M, K, 2)
            near = [np.linalg.norm(predicted[i, :, :2] - places, axis=-1) for places in (rest, rest[:, twins])]
            found[i] = np.nan_to_num(np.concatenate(near), nan=np.inf).min(0) / reach[i]
    return found


def summary(kinds: np.ndarray, skeleton: Skeleton, pictures: np.ndarray | None = None, *, seed: int = 0) -> dict[str, Any]:
    """Of kinds (N, K): `kinds`, the share of labelled joints that is of each kind, {"mean", "low", "high", "people"}; `of errors`, the same
    as a share of the joints not found; `repaired`, the share that would be found with all joints of a kind put right; `joints`, by joint,
    the share of each kind; `labelled`.
    """
    labelled = kinds >= 0
    wrong = labelled & (kinds != KINDS.index("found"))

    def share(chosen: np.ndarray, of: np.ndarray) -> dict[str, Any]:
        mean, low, high = metrics.interval((chosen & of).sum(1), of.sum(1), pictures=pictures, seed=seed)
        return {"mean": mean, "low": low, "high": high, "people": int(of.any(1).sum())}

    each = {kind: kinds == number for number, kind in enumerate(KINDS)}
    found = each["found"]
    counted = np.maximum(labelled.sum(0), 1)
    return {
        "labelled": int(labelled.sum()), "kinds": {kind: share(chosen, labelled) for kind, chosen in each.items()},
        "of errors": {kind: share(each[kind], wrong) for kind in KINDS[1:]},
        "repaired": {kind: share(found | each[kind], labelled) for kind in KINDS[1:]},
        "joints": {
            joint: {kind: float(chosen[:, k].sum() / counted[k]) for kind, chosen in each.items()}
            for k, joint in enumerate(skeleton.joints) if labelled[:, k].any()
        },
    }  # fmt: skip


def inversions_by_chance(
    predicted: np.ndarray, truth: np.ndarray, torsos: np.ndarray, skeleton: Skeleton, pictures: np.ndarray | None = None, *, seed: int = 0
) -> dict[str, Any]:  # fmt: skip
    """The share of labelled joints that would be called inversions if errors knew nothing of the other side, with its interval.

    Each counterpart is put where it lies for another person, drawn by `seed`, in torso lengths from the joint.
    """
    twins, order = np.array(skeleton.mirrored), np.random.default_rng(seed).permutation(len(truth))
    true = np.where(truth[..., 2:] > 0, truth[..., :2], np.nan)
    away = (true[:, twins] - true) / torsos[:, None, None]
    elsewhere = true + np.roll(away[order], 1, 0)[np.argsort(order)] * torsos[:, None, None]
    scale = np.where(torsos > 0, REACH * torsos, np.nan)[:, None]
    own, other = (np.linalg.norm(predicted[..., :2] - places, axis=-1) / scale for places in (true, elsewhere))
    other[:, twins == np.arange(len(skeleton))] = np.nan
    known = np.isfinite(own)
    with np.errstate(invalid="ignore"):
        called = known & (own > 1) & (other < own) & (other <= FARTHER)
    mean, low, high = metrics.interval(called.sum(1), known.sum(1), pictures=pictures, seed=seed)
    return {"mean": mean, "low": low, "high": high, "people": int(known.any(1).sum())}


def repair(predicted: np.ndarray, truth: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Predictions (N, K, 3) with the `chosen` (N, K) ones put where they are annotated (N, K, 3); scores stay."""
    return np.where(chosen[..., None], np.concatenate([truth[..., :2], predicted[..., 2:]], -1), predicted)


def _by_oks(predicted: np.ndarray, truth: np.ndarray, joints: Skeleton, people: People, seed: int) -> dict[str, Any]:
    assert people.areas is not None
    areas = people.areas
    kinds = by_similarity(predicted, truth, areas, joints, people.picture_ids())

    def precision(keypoints: np.ndarray) -> dict[str, Any]:
        also: dict[str, Any] = {"image_ids": people.picture_ids(), "boxes": people.boxes, "seed": seed, "resamples": 200}
        block = metrics.oks_ap(keypoints, truth, joints, areas, ignored=people.ignored_in_pictures(), **also)
        return {name: block[name] for name in ("mean", "low", "high", "people")}

    repaired = {kind: precision(repair(predicted, truth, kinds == KINDS.index(kind))) for kind in KINDS[1:]}
    return summary(kinds, joints, people.picture_ids(), seed=seed) | {"ap": {"as it is": precision(predicted)} | repaired}


def _places(pictures: np.ndarray) -> np.ndarray:
    return np.unique(pictures, return_inverse=True)[1]


def words(result: dict[str, Any]) -> str:
    """Who was measured, in one line."""
    swaps = f"; {result['others']:,} share their picture with another annotated person" if result["others"] else (
        "; nobody shares a picture with another annotated person, so that no swap can be seen"
    )  # fmt: skip
    who = "1 person" if result["people"] == 1 else f"{result['people']:,} people"
    people = f"{result['weights']} on {result['data']}: {who}, {len(result['joints'])} joints"
    return people + (", flip test" if result["flip"] else "") + swaps


def tables(result: dict[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, head and rows of each table."""
    last, stacks = result["stacks"][-1], result["stacks"]
    columns = [f"stack {number}" for number in range(1, len(stacks) + 1)] if len(stacks) > 1 else ["share of labelled joints"]
    shares = [
        [kind, *(display.interval(stack["kinds"][kind]) for stack in stacks), display.interval(last["repaired"].get(kind, {}))]
        for kind in KINDS
    ]
    found = [(f"kinds of joints; found is within {REACH} torso lengths", ["kind", *columns, "found, were it repaired"], shares)]
    joints = [[joint, *(display.number(block[kind]) for kind in KINDS)] for joint, block in last["joints"].items()]
    found.append(("by joint", ["joint", *KINDS], joints))
    if "oks" in result:
        rows = [[kind, display.interval(result["oks"]["kinds"].get(kind, {})), display.interval(block)]
                for kind, block in result["oks"]["ap"].items()]  # fmt: skip
        head = ["kind", "share of labelled joints", "OKS-AP, were it repaired"]
        found.append((f"by COCO's similarity; found is {GOOD} or above", head, rows))
    return found
