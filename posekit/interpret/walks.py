"""Walks through code space: who lives there, and what the network answers when its code is replaced.

place = code_place(model)
near = nearest(codes, mean + steps[:, None] * sd * vector)  # real people, and how near "nearest" is
means = skip_means(model, card, crops, place)
walked = walk(model, card, crops, place, vector, sd * steps, skips="mean", means=means)
effect(walked, "sitting", crops.people.skeleton)  # is there more of it in the answer?

A walk is *causal*: the code is the only thing that changes, and what changes in the answer changes because of it. It is compared
with walks as long in directions drawn at random, `random_directions`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from posekit import heatmaps as hm
from posekit.data.augment import centre_view
from posekit.data.crops import Crops
from posekit.data.loading import batches
from posekit.data.people import iterate
from posekit.errors import PosekitError
from posekit.interpret.attributes import attributes
from posekit.interpret.trace import Edit, edit, places, trace
from posekit.machine import Machine
from posekit.metrics import interval, torso
from posekit.models.hourglass import Hourglass
from posekit.prediction import by_modules, decode
from posekit.skeleton import SKELETONS, Skeleton
from posekit.weights import Card

SKIPS = ("intact", "mean", "off")
UNMOVED = 0.01  # trunk lengths: an answer that moves less than this on average has not moved


@dataclass(frozen=True)
class Nearest:
    """The people nearest to each of P points."""

    index: np.ndarray  # (P, n) int, the nearest first
    distance: np.ndarray  # (P, n) Euclidean
    typical: float  # median distance of a person to the nearest other one

    @property
    def relative(self) -> np.ndarray:
        """(P, n): distances as multiples of the typical one. Far above 1, "nearest" is not near."""
        return self.distance / self.typical


def nearest(codes: np.ndarray, points: np.ndarray, count: int = 1) -> Nearest:
    """The `count` people whose codes (N, D) are nearest to each of points (P, D)."""
    if len(codes) < max(count, 2):
        raise PosekitError(f"{len(codes)} people are too few to look for the nearest {count}; take more")
    search = NearestNeighbors().fit(codes)
    distance, index = search.kneighbors(points, n_neighbors=count)
    among = search.kneighbors(codes, n_neighbors=2)[0][:, 1]
    return Nearest(index, distance, float(np.median(among)))


def random_directions(count: int, components: np.ndarray, variances: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Directions (count, D) of length 1, drawn as codes are spread: from principal components (C, D) with variances (C,).

    A direction drawn evenly from all of code space is mostly one along which no two people differ, and an easier control.
    """
    drawn = np.random.default_rng(seed).normal(size=(count, len(components))) * np.sqrt(variances) @ components
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def skip_places(model: Hourglass, place: str) -> list[str]:
    """The skip connections of the stack that `place` is in; none where the network has none."""
    stack = place.partition(".")[0]
    return [name for name in places(model) if name.startswith(f"{stack}.skip")]


def skip_means(
    model: Hourglass, card: Card, crops: Crops, place: str, *, machine: Machine | None = None, batch: int = 64
) -> dict[str, Tensor]:
    """The mean over people of each skip connection's activation (C, H, W), in the stack that `place` is in."""
    machine = machine or Machine.best()
    network, names = by_modules(model, machine), skip_places(model, place)
    sums: dict[str, Tensor] = {}
    with trace(model, names) as activations:
        for pictures in _pictures(crops, card, machine, batch):
            _maps(network, card, pictures)
            for name in names:
                sums[name] = sums.get(name, 0) + activations[name].double().sum(0)
    return {name: (total / len(crops)).float() for name, total in sums.items()}


def answers(
    model: Hourglass, card: Card, pictures: Tensor, place: str, codes: np.ndarray | Tensor | None, skips: str = "intact",
    means: Mapping[str, Tensor] | None = None, *, machine: Machine | None = None,
) -> tuple[Tensor, np.ndarray]:  # fmt: skip
    """The heatmaps (B, K, R/4, R/4) and keypoints (B, K, 3), in input pixels, of the stack whose code is replaced.

    Args:
        pictures: (B, 3, R, R) in [0, 1].
        place: whose activation is replaced, `code_place(model, stack)`.
        codes: (B, D), or (1, D) for all; None leaves each picture its own.
        skips: `intact`, or each skip connection of the stack replaced by its `mean` over people (from `means`, which
            `skip_means` gives) or by zero, `off`.
    """
    machine = machine or Machine.best()
    edits = _skip_edits(model, place, skips, means)
    if codes is not None:
        given = torch.as_tensor(codes)

        def replace(activation: Tensor, name: str) -> Tensor:
            return given.to(activation).reshape(-1, *activation.shape[1:]).expand_as(activation).clone()

        edits[place] = replace
    with edit(model, edits):
        maps = _maps(by_modules(model, machine), card, pictures, _stack(place))
    return maps, _decoded(maps, card)


@dataclass(frozen=True)
class Walk:
    """What the network answers along a direction: S steps, N people."""

    lengths: np.ndarray  # (S,) Euclidean, from each person's own code
    keypoints: np.ndarray  # (S, N, K, 3), input pixels and score
    start: np.ndarray  # (N, K, 3): the answer before the first step, with the same treatment of the skip connections
    variation: np.ndarray  # (S, N): total variation between heatmap and that of the start, mean over joints, 0 to 1
    trunk: np.ndarray  # (N,) annotated trunk length in input pixels, NaN where not labelled: the ruler


def walk(
    model: Hourglass, card: Card, crops: Crops, place: str, vector: np.ndarray, lengths: np.ndarray, *, skips: str = "intact",
    means: Mapping[str, Tensor] | None = None, machine: Machine | None = None, batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Walk:  # fmt: skip
    """Move each person's own code at `place` by each of `lengths` (S,) along `vector` (D,); see `answers` for the skips.

    `progress` hears how many people were done.
    """
    return walks(model, card, crops, place, np.asarray(vector)[None], lengths, skips=skips, means=means, machine=machine,
                 batch=batch, progress=progress)[0]  # fmt: skip


def walks(
    model: Hourglass, card: Card, crops: Crops, place: str, vectors: np.ndarray, lengths: np.ndarray, *, skips: str = "intact",
    means: Mapping[str, Tensor] | None = None, machine: Machine | None = None, batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> list[Walk]:  # fmt: skip
    """As `walk`, along each of vectors (V, D), `lengths` (S,) the same for all or (V, S); pictures are read once."""
    machine = machine or Machine.best()
    network, stack = by_modules(model, machine), _stack(place)
    lengths = np.broadcast_to(lengths, (len(vectors), np.shape(lengths)[-1]))
    shift = torch.zeros(())

    def move(activation: Tensor, name: str) -> Tensor:
        return activation + shift.to(activation).reshape(activation.shape[1:])

    moved: list[list[np.ndarray]] = []
    varied: list[list[np.ndarray]] = []
    start = []
    with edit(model, _skip_edits(model, place, skips, means)):
        for pictures in _pictures(crops, card, machine, batch):
            first = _maps(network, card, pictures, stack)
            start.append(_decoded(first, card))
            shares = _shares(first, card)
            points, changes = [], []
            with edit(model, {place: move}):
                for vector, along in zip(vectors, lengths, strict=True):
                    for length in along:
                        shift = torch.as_tensor(np.asarray(vector) * length)
                        maps = _maps(network, card, pictures, stack)
                        points.append(_decoded(maps, card))
                        changes.append((_shares(maps, card) - shares).abs().sum((-2, -1)).mean(-1).numpy() / 2)
            moved.append(points)
            varied.append(changes)
            if progress:
                progress(len(pictures))
    # (V, S, N, ...): batches side by side
    keypoints = np.concatenate([np.stack(points) for points in moved], 1).reshape(*lengths.shape, len(crops), -1, 3)
    variation = np.concatenate([np.stack(changes) for changes in varied], 1).reshape(*lengths.shape, len(crops))
    origin, ruler = np.concatenate(start), _rulers(crops, card)
    return [Walk(lengths[i], keypoints[i], origin, variation[i], ruler) for i in range(len(vectors))]


def displacement(walked: Walk) -> list[dict[str, float]]:
    """How far the joints move, in trunk lengths: mean over joints and people, with its 95 % interval over people, a step.

    People without an annotated trunk are left out, and counted.
    """
    known = np.isfinite(walked.trunk)
    moved = np.linalg.norm(walked.keypoints[..., :2] - walked.start[None, ..., :2], axis=-1).mean(-1) / walked.trunk
    return [_block(row[known]) | {"left_out": int((~known).sum())} for row in moved]


def variation(walked: Walk) -> list[dict[str, float]]:
    """How much of the heatmaps' mass moves, 0 to 1: mean over joints and people, with its 95 % interval, a step."""
    return [_block(row) for row in walked.variation]


def effect(walked: Walk, name: str, skeleton: Skeleton) -> dict[str, float]:
    """How much more of an attribute the answer has at the last step than at the first, for steps from − to +.

    The attribute is measured on the predicted keypoints; mean over people with its 95 % interval. Those for whom it is not
    defined at both ends are left out, and counted. For a step of c standard deviations either way this is the effect of 2c.
    """
    ends = [attributes(_sure(points), skeleton)[name] for points in (walked.keypoints[0], walked.keypoints[-1])]
    change = ends[1] - ends[0]
    known = np.isfinite(change)
    if not known.any():
        raise PosekitError(f"{name}: defined for nobody at both ends of the walk; take another attribute or shorter steps")
    return _block(change[known]) | {"left_out": int((~known).sum())}


def verdict(own: Mapping[str, float], control: list[float], unmoved: float = 0.0) -> str:
    """What an interval says beside the same measure of random directions: `nothing`, `no more than chance` or `more than chance`.

    `nothing`: zero lies in the interval, or all of it is within `unmoved` of zero. `more than chance`: the whole interval is
    farther from zero than every control.
    """
    if own["low"] <= 0 <= own["high"] or max(abs(own["low"]), abs(own["high"])) < unmoved:
        return "nothing"
    least = min(abs(own["low"]), abs(own["high"]))
    return "more than chance" if least > max(map(abs, control), default=0.0) else "no more than chance"


def _skip_edits(model: Hourglass, place: str, skips: str, means: Mapping[str, Tensor] | None) -> dict[str, Edit]:
    if skips not in SKIPS:
        raise PosekitError(f"skips are {', '.join(SKIPS)}, not {skips!r}")
    names = skip_places(model, place)
    if skips == "intact":
        return {}
    if skips == "off":
        return dict.fromkeys(names, lambda activation, name: torch.zeros_like(activation))
    missing = [name for name in names if name not in (means or {})]
    if missing:
        raise PosekitError(f"skips='mean' needs the means of {', '.join(missing)}; skip_means gives them")
    return dict.fromkeys(names, lambda activation, name: means[name].to(activation).expand_as(activation).clone())


def _stack(place: str) -> int:
    return int(place.partition(".")[0].removeprefix("stack"))


def _pictures(crops: Crops, card: Card, machine: Machine, batch: int):
    indices = list(iterate(len(crops), batch))
    for pictures, keypoints in batches(crops, indices):
        yield centre_view(pictures.to(machine.device), keypoints.to(machine.device), card.resolution)[0]


@torch.inference_mode()
def _maps(network, card: Card, pictures: Tensor, stack: int = -1) -> Tensor:
    """Heatmaps (B, K, h, w) of one stack, on the CPU."""
    if any(card.input_mean):
        pictures = pictures - torch.tensor(card.input_mean, device=pictures.device).view(3, 1, 1)
    output = network(pictures)[:, stack].float().cpu()
    return hm.probabilities(output) if card.loss == "cross-entropy" else output


def _shares(maps: Tensor, card: Card) -> Tensor:
    """Heatmaps as shares of 1, whatever they were trained towards."""
    positive = maps.clamp(min=0)
    return positive / positive.sum((-2, -1), keepdim=True).clamp(min=1e-12)


def _decoded(maps: Tensor, card: Card) -> np.ndarray:
    return decode(maps, card, np.tile(np.eye(3), (len(maps), 1, 1)))


def _sure(keypoints: np.ndarray) -> np.ndarray:
    """Predictions as annotations: every joint labelled."""
    return np.concatenate([keypoints[..., :2], np.full_like(keypoints[..., :1], 2)], -1)


def _rulers(crops: Crops, card: Card) -> np.ndarray:
    """Annotated trunk lengths (N,) in input pixels."""
    from posekit.coordinates import view

    lengths = torso(crops.keypoints, SKELETONS[crops.people.skeleton.name]) * view(crops.size, card.resolution)[0, 0]
    return np.where(lengths > 0, lengths, np.nan)


def _block(values: np.ndarray) -> dict[str, float]:
    mean, low, high = interval(values, np.ones(len(values)))
    return {"mean": mean, "low": low, "high": high, "people": len(values)}
