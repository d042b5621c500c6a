"""`posekit.robustness`: what a worse picture costs, family by family and level by level, on the same people."""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posekit import metrics
from posekit.coordinates import view, warp
from posekit.data.crops import Crops
from posekit.data.loading import batches
from posekit.data.people import People, iterate
from posekit.display import html as display
from posekit.engine import evaluation
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Predictor, by_modules, decode, predict_heatmaps
from posekit.engine.trust.corruption import CORRUPTIONS, Corruption, moved
from posekit.errors import PosekitError, whole
from posekit.hooks import trace

BATCH = 32
LOSS = 0.25  # of the joints found: where families are compared


class Robustness(dict[str, Any]):
    """What `robustness` returns. As the last value of a notebook's cell it shows itself as a table."""

    def _repr_html_(self) -> str:
        head = ["family", "level", self["metric"], "change", "the code moves by"]
        rows = [
            [f"{name}, {family['unit']}", f"{step['level']:g}", *(display.interval(step[key]) for key in ("pck", "change")),
             display.interval(step["code"] or {})]
            for name, family in self["families"].items() for step in family["levels"]
        ]  # fmt: skip
        line = f"{self['weights']} on {self['data']}: {self['people']:,} people; as it is {display.interval(self['clean'])}"
        return f"<p>{escape(line)}</p>\n{display.table(rows, head)}"


def robustness(
    model: Predictor | str | Path, data: str | People | Crops, *, families: Sequence[str] = tuple(CORRUPTIONS), flip: bool = False,
    on_error: str = "raise", cache: str | Path = "data", seed: int = 0, backend: Backend | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Robustness:  # fmt: skip
    """What `pck@0.2·torso` falls to as the network's view of people gets worse, and how far the code moves; arguments as of `evaluate`.

    Args:
        families: of `corruption.CORRUPTIONS`.
        seed: of the corruptions, the same for all levels of a family, and of the bootstrap.

    Returns:
        `"clean"`, the score as it is; `"families"`, by name its `unit` and `levels`, each with `level`, `pck`, `change` (of the same
        people), `code`, how far the code moves, in distances between two people's codes (None of a network without a code), and under
        `code at loss` how far it has moved where a quarter of the joints found is lost, between the levels on a straight line (None where
        it never is). Joints that leave the view count as they do elsewhere: they are annotated, and most are not found.

    Raises:
        PosekitError: no such family; else as `evaluate`.

    >>> found = robustness("mannequins-hg1", "mannequins:10,size=64@all", families=["noise"])
    >>> [step["level"] for step in found["families"]["noise"]["levels"]]
    [0.05, 0.1, 0.2, 0.4]
    """
    families = [families] if isinstance(families, str) else families
    for name in families:
        if name not in CORRUPTIONS:
            raise PosekitError(f"no family {name!r} of corruptions; there are {', '.join(CORRUPTIONS)}")
    seed = whole("seed", seed)
    predictor = evaluation.predictor_of(model, backend)
    people = data if isinstance(data, People | Crops) else evaluation.people_of(data, on_error, cache)
    store, joints = evaluation.crops_of(predictor, people, on_error, cache)
    of_network, truth = predictor.skeleton.index(*joints.joints), store.people.keypoints[:, store.people.skeleton.index(*joints.joints)]
    lengths = 0.2 * metrics.torso(store.people.keypoints, store.people.skeleton)
    steps = [("clean", Corruption("", (0,), 0), 0.0)] + [
        (name, CORRUPTIONS[name], level) for name in families for level in CORRUPTIONS[name].levels
    ]
    keypoints, codes = _answers(predictor, store, steps, flip, seed, progress)
    hits = [metrics.hits(found[:, of_network], truth, lengths) for found in keypoints]
    apart = None if codes is None else _between(codes[0], seed)

    def block(values: np.ndarray) -> dict[str, Any]:
        known = np.isfinite(values)
        mean, low, high = metrics.interval(np.nansum(values, -1), known.sum(-1), pictures=store.people.picture_ids(), seed=seed)
        return {"mean": mean, "low": low, "high": high, "people": int(known.any(-1).sum())}

    out: dict[str, Any] = {name: {"unit": CORRUPTIONS[name].unit, "clean": CORRUPTIONS[name].clean, "levels": []} for name in families}
    for number, (name, _, level) in enumerate(steps[1:], 1):
        moves = None
        if codes is not None and apart:
            moves = block(np.linalg.norm(codes[number] - codes[0], axis=1)[:, None] / apart)
        out[name]["levels"].append({
            "level": level, "pck": block(hits[number]), "code": moves,
            "change": metrics.paired_difference(hits[number], hits[0], pictures=store.people.picture_ids(), seed=seed),
        })  # fmt: skip
    clean = block(hits[0])
    for family in out.values():
        family["code at loss"] = _at_loss(clean["mean"], family["levels"])
    return Robustness({
        "weights": predictor.card.name, "data": store.people.source, "people": len(store), "metric": evaluation.PAIRED, "clean": clean,
        "families": out,
    })  # fmt: skip


def _answers(
    predictor: Predictor, store: Crops, steps: list[tuple[str, Corruption, float]], flip: bool, seed: int,
    progress: Callable[[str, int, int | None], None] | None,
) -> tuple[list[np.ndarray], list[np.ndarray] | None]:  # fmt: skip
    """For each step the keypoints (N, K, 3) of the last stack in picture pixels, and the codes (N, D) where there are any."""
    model, card, backend = predictor.model, predictor.card, predictor.backend
    try:
        point = model.code_hook_point()
    except (AttributeError, PosekitError):  # a network without a code
        point = None
    network, size = by_modules(model, backend), card.resolution
    keypoints: list[list[np.ndarray]] = [[] for _ in steps]
    codes: list[list[np.ndarray]] = [[] for _ in steps]
    indices = list(iterate(len(store), BATCH))
    with trace(model, [point] if point else []) as activations:
        for start, (index, (pixels, _)) in enumerate(zip(indices, batches(store, indices), strict=True)):
            pixels = pixels.to(backend.device).float() / 255
            plain = np.tile(view(store.size, size), (len(index), 1, 1))
            for number, (name, corruption, level) in enumerate(steps):
                random = np.random.default_rng([seed, start, list(CORRUPTIONS).index(name) if name in CORRUPTIONS else 99])
                matrices = moved(plain, size, corruption, level, random)
                pictures = warp(pixels, torch.as_tensor(matrices).to(pixels), size)
                if corruption.pixels is not None:
                    pictures = corruption.pixels(pictures, level, random)
                found = predict_heatmaps(network, card, pictures)
                if point:
                    codes[number].append(activations[point].detach().flatten(1).float().cpu().numpy())
                if flip:
                    found = predict_heatmaps(network, card, pictures, flip=True)
                keypoints[number].append(decode(found[:, -1], card, matrices @ store.matrices[index]))
            if progress:
                progress("predicting worse pictures", int(index[-1]) + 1, len(store))
    return [np.concatenate(parts) for parts in keypoints], [np.concatenate(parts) for parts in codes] if point else None


def _between(codes: np.ndarray, seed: int) -> float:
    """The mean distance between the codes (N, D) of two people."""
    order = np.random.default_rng(seed).permutation(len(codes))
    return float(np.linalg.norm(codes[order] - codes[np.roll(order, 1)], axis=1).mean())


def _at_loss(clean: float, levels: list[dict[str, Any]]) -> float | None:
    """How far the code has moved where LOSS of the joints found is lost; None where that is never so, or there is no code."""
    limit, before, moved_before = (1 - LOSS) * clean, clean, 0.0
    for step in levels:
        if step["code"] is None:
            return None
        score, moves = step["pck"]["mean"], step["code"]["mean"]
        if score <= limit:
            share = (before - limit) / (before - score) if before > score else 1.0
            return float(moved_before + share * (moves - moved_before))
        before, moved_before = score, moves
    return None
