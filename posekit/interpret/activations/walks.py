"""Walks through code space: whose codes are near, and what the network predicts when its code is replaced.

hook_point = code_hook_point(model)
near = nearest(codes, mean + steps[:, None] * sd * vector)  # real people, and how near "nearest" is
means = ablation.means(model, card, crops, skips_beside(model, hook_point))
maps, keypoints = answers(model, card, picture, hook_point, codes, "mean", means)  # to look at
control = random_directions(CONTROLS, components, variances)
found = causal(model, card, crops, hook_point, direction, control, attribute="sitting", skips="mean", means=means)
family = holm_corrected([found, ...])  # for how many walks are looked at
family[0].effect, family[0].effect_verdict  # is there more of it in the answer?

A walk is *causal*: the code is the only thing that changes, and what changes in the answer changes because of it. It is compared
with walks as long in directions drawn at random.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import t as student
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from posekit import heatmaps as hm
from posekit.coordinates import view
from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import batches
from posekit.data.people import iterate
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import by_modules, decode
from posekit.engine.weights import Card
from posekit.errors import PosekitError, whole
from posekit.hooks import Edit, edit
from posekit.interpret.analysis.attributes import attributes
from posekit.interpret.analysis.probes import Direction
from posekit.metrics import interval, torso
from posekit.models.hourglass import Hourglass
from posekit.skeleton import Skeleton, skeleton_of
from posekit.stats import holm

SKIPS = ("intact", "mean", "off")
UNMOVED = 0.01  # trunk lengths: an answer that moves less than this on average has not moved
CONTROLS = 20  # random directions, at the least, by which a walk is judged


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
    count = whole("count", count, 1)
    if len(codes) < max(count, 2):
        raise PosekitError(f"{len(codes)} people are too few to look for the nearest {count}; take more")
    if not (np.isfinite(codes).all() and np.isfinite(points).all()):
        raise PosekitError("a code, or a point to look near, is not finite; leave it out")
    search = NearestNeighbors().fit(codes)
    distance, index = search.kneighbors(points, n_neighbors=count)
    among = search.kneighbors(codes, n_neighbors=2)[0][:, 1]
    return Nearest(index, distance, float(np.median(among)))


def random_directions(count: int, components: np.ndarray, variances: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Directions (count, D) of length 1, drawn as codes are spread: from principal components (C, D) with variances (C,).

    A direction drawn evenly from all of code space is mostly one along which no two people differ, and an easier control.
    """
    count, seed = whole("count", count), whole("seed", seed)
    if not np.any(np.asarray(variances) > 0):
        raise PosekitError("random directions are drawn along components that vary, and none of these does")
    drawn = np.random.default_rng(seed).normal(size=(count, len(components))) * np.sqrt(variances) @ components
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def skips_beside(model: Hourglass, hook_point: str) -> list[str]:
    """The skip connections of the stack that `hook_point` is in; none where the network has none."""
    stage = model.stage_of(hook_point)
    return [name for names in model.skip_groups().values() for name in names if model.stage_of(name) == stage]


def answers(
    model: Hourglass, card: Card, pictures: Tensor, hook_point: str, codes: np.ndarray | Tensor | None, skips: str = "intact",
    means: Mapping[str, Tensor] | None = None, *, backend: Backend | None = None,
) -> tuple[Tensor, np.ndarray]:  # fmt: skip
    """The heatmaps (B, K, R/4, R/4) and keypoints (B, K, 3), in input pixels, of the stack whose code is replaced.

    Args:
        pictures: (B, 3, R, R) in [0, 1].
        place: whose activation is replaced, `code_hook_point(model, stack)`.
        codes: (B, D), or (1, D) for all; None leaves each picture its own.
        skips: `intact`, or each skip connection of the stack replaced by its `mean` over people (from `means`, which
            `ablation.means` gives) or by zero, `off`.
    """
    card.need_heatmaps()
    card.check_pictures(pictures)
    backend = backend or Backend.best()
    edits = skip_edits(model, hook_point, skips, means)
    if codes is not None:
        given = torch.as_tensor(codes)
        if given.ndim != 2 or len(given) not in (1, len(pictures)):
            raise PosekitError(f"codes are ({len(pictures)}, D), one a picture, or (1, D), not {tuple(given.shape)}")

        def replace(activation: Tensor, name: str) -> Tensor:
            return _shaped(given, activation, name).expand_as(activation).clone()

        edits[hook_point] = replace
    with edit(model, edits):
        maps = _maps(by_modules(model, backend), card, pictures, model.stage_of(hook_point))
    return maps, _decoded(maps, card)


@dataclass(frozen=True)
class Walk:
    """What the network answers along a direction: S steps, N people."""

    lengths: np.ndarray  # (S,) Euclidean, from each person's own code
    keypoints: np.ndarray  # (S, N, K, 3), input pixels and score
    start: np.ndarray  # (N, K, 3): the answer before the first step, with the same treatment of the skip connections
    variation: np.ndarray  # (S, N): total variation between heatmap and that of the start, mean over joints, 0 to 1
    trunk: np.ndarray  # (N,) annotated trunk length in input pixels, NaN where not labelled: the ruler

    @property
    def displacement(self) -> np.ndarray:
        """(S, N): how far the joints move from the start, mean over joints, in trunk lengths."""
        return np.linalg.norm(self.keypoints[..., :2] - self.start[..., :2], axis=-1).mean(-1) / self.trunk

    def change(self, name: str, skeleton: Skeleton) -> np.ndarray:
        """(N,): how much more of an attribute the answer has at the last step than at the first."""
        first, last = (attributes(_sure(points), skeleton)[name] for points in (self.keypoints[0], self.keypoints[-1]))
        return last - first


def walks(
    model: Hourglass, card: Card, crops: Crops, hook_point: str, vectors: np.ndarray, lengths: np.ndarray, *, skips: str = "intact",
    means: Mapping[str, Tensor] | None = None, backend: Backend | None = None, batch: int = 64,
) -> list[Walk]:  # fmt: skip
    """Move each person's own code at `hook_point` along each of vectors (V, D) by each of `lengths` (S,); see `answers` for the skips."""
    card.need_heatmaps()
    backend = backend or Backend.best()
    network, stack = by_modules(model, backend), model.stage_of(hook_point)
    shift = torch.zeros(())

    def move(activation: Tensor, name: str) -> Tensor:
        return activation + _shaped(shift[None], activation, name)

    start, points, changes = [], [], []
    with edit(model, skip_edits(model, hook_point, skips, means)):
        for pictures in _pictures(crops, card, backend, batch):
            first = _maps(network, card, pictures, stack)
            start.append(_decoded(first, card))
            with edit(model, {hook_point: move}):
                for vector in vectors:
                    for length in lengths:
                        shift = torch.as_tensor(vector * length)
                        maps = _maps(network, card, pictures, stack)
                        points.append(_decoded(maps, card))
                        changes.append(_total_variation(maps, first))
    shape = (len(start), len(vectors), len(lengths))  # batches, which become people side by side
    keypoints = [np.concatenate([points[i] for i in row], 0) for row in _rows(shape)]
    variation = [np.concatenate([changes[i] for i in row]) for row in _rows(shape)]
    origin, ruler = np.concatenate(start), _rulers(crops, card)
    s = len(lengths)
    return [
        Walk(np.asarray(lengths), np.stack(keypoints[v * s : v * s + s]), origin, np.stack(variation[v * s : v * s + s]), ruler)
        for v in range(len(vectors))
    ]


@dataclass(frozen=True)
class Causal:
    """What walking along a direction does to the network's answer, and what random directions do.

    Blocks are {"mean", "low", "high", "people", "left_out"}, the interval a 95 % bootstrap over people, or over pictures where people
    share one. Of the control there is one mean a direction.
    """

    direction: str
    skips: str
    moved: dict[str, float]  # trunk lengths that a joint moves, mean over joints and both ends of the walk
    moved_control: list[float]
    varied: dict[str, float]  # share of a heatmap's mass that moves, mean over joints and both ends
    varied_control: list[float]
    attribute: str | None
    effect: dict[str, float] | None  # how much more of the attribute at the far end than at the near end
    effect_control: list[float]
    p: float  # `chance_of_effect`; of this walk by itself, until `corrected` has seen the family

    @property
    def moved_verdict(self) -> str:
        """`nothing` where the whole interval lies below UNMOVED, else `moved`; `undecided` where too few people leave no interval."""
        return "undecided" if np.isnan(self.moved["high"]) else "nothing" if self.moved["high"] < UNMOVED else "moved"

    @property
    def effect_verdict(self) -> str | None:
        return None if self.effect is None else verdict(self.effect, self.p)

    def row(self) -> dict:
        """What a table or metrics.json keeps."""
        kept = {"direction": self.direction, "skips": self.skips, "moved": self.moved, "moved_control": max(self.moved_control),
                "varied": self.varied, "varied_control": max(self.varied_control), "moved_verdict": self.moved_verdict}  # fmt: skip
        if self.effect is None:
            return kept
        return kept | {"attribute": self.attribute, "effect": self.effect, "effect_control": max(map(abs, self.effect_control)),
                       "p": self.p, "effect_verdict": self.effect_verdict}  # fmt: skip


def causal(
    model: Hourglass, card: Card, crops: Crops, hook_point: str, direction: Direction, control: np.ndarray, *,
    attribute: str | None = None, scale: float = 1.0, step: float = 2.0, skips: str = "intact",
    means: Mapping[str, Tensor] | None = None, backend: Backend | None = None, batch: int = 64,
) -> Causal:  # fmt: skip
    """Move each person's code by `step` standard deviations along a direction, either way, and as far along the control's (V, D).

    Of the control's directions only what is at right angles to the direction is walked.

    Args:
        attribute: the effect on it is measured, on the predicted keypoints.
        scale: its unit: with the standard deviation over people, effects on different attributes can be compared.
        skips: see `answers`.

    Raises:
        PosekitError: no control, or one of the direction itself; the attribute is none of the network's skeleton, or defined for nobody
            at both ends; nobody has a trunk to measure by.
    """
    if not len(control):
        raise PosekitError("a walk needs at least one random direction to be compared with; random_directions gives them")
    skeleton = skeleton_of(card.skeleton)
    measurable = attributes(np.zeros((1, len(skeleton), 3)), skeleton)
    if attribute is not None and attribute not in measurable:
        raise PosekitError(f"{attribute}: cannot be measured on a prediction; {skeleton.name} has {', '.join(measurable)}")
    vectors = np.concatenate([direction.vector[None], _across(control, direction.vector)])
    walked = walks(
        model, card, crops, hook_point, vectors, direction.sd * np.array([-step, step]),
        skips=skips, means=means, backend=backend, batch=batch,
    )  # fmt: skip
    pictures = crops.people.picture_ids()
    moved = [_block(one.displacement.mean(0), pictures) for one in walked]
    if not moved[0]["people"]:
        raise PosekitError(f"{crops.people.source}: nobody has a trunk to measure by; take people with shoulders and hips labelled")
    varied = [_block(one.variation.mean(0), pictures) for one in walked]
    effects = []
    if attribute is not None:
        effects = [_block(one.change(attribute, skeleton) / scale, pictures) for one in walked]
        if not effects[0]["people"]:
            raise PosekitError(f"{attribute}: defined for nobody at both ends of the walk; take another attribute or shorter steps")
    measured = [i for i, block in enumerate(effects[1:]) if block["people"]]
    others = [effects[1 + i]["mean"] for i in measured]
    p = chance_of_effect(effects[0]["mean"], others, freedom_of(vectors[1:][measured])) if measured else float("nan")
    return Causal(
        direction.name, skips, moved[0], [block["mean"] for block in moved[1:]], varied[0], [block["mean"] for block in varied[1:]],
        attribute, effects[0] if effects else None, others, p,
    )  # fmt: skip


def chance_of_effect(own: float, control: Sequence[float], freedom: float) -> float:
    """The two-sided p of an effect beside those of random directions (V,); NaN of fewer than CONTROLS.

    A direction and its opposite are as likely to be drawn, so a random direction's effect is spread around 0, and Gaussian where it is
    about linear in the direction, as for small steps. Then its ratio to the controls' root mean square is Student's, with the degrees of
    freedom that `freedom_of` gives. Ranks among V controls could give no p below 1 / (V + 1), too much for a family of tests.
    """
    if len(control) < CONTROLS:
        return float("nan")
    spread = float(np.sqrt(np.square(control).mean()))
    if spread > 0:
        return float(min(2 * student.sf(abs(own) / spread, freedom), 1))
    return 0.0 if abs(own) > 1e-9 else 1.0


def freedom_of(vectors: np.ndarray) -> float:
    """How many independent directions (V, D), of length 1, count for: V where all are at right angles, 1 where all are the same.

    Satterthwaite's degrees of freedom of the mean square of what they do, by the cosines between them.

    >>> freedom_of(np.eye(5)), freedom_of(np.ones((5, 1)))
    (5.0, 1.0)
    """
    return float(len(vectors) ** 2 / np.square(vectors.astype(float) @ vectors.T).sum())


def holm_corrected(family: Sequence[Causal]) -> list[Causal]:
    """The same walks, with the p of their effects as Holm has it for so many."""
    found = holm(np.array([walk.p for walk in family]))
    return [replace(walk, p=float(p)) for walk, p in zip(family, found, strict=True)]


def verdict(own: Mapping[str, float], p: float) -> str:
    """What an effect's interval over people and its p beside random directions say.

    `nothing`: zero lies in the interval. Else `more than chance`: p is below 0.05; `no more than chance`: it is not; `undecided`: there
    were too few random directions, or too few people for an interval.
    """
    if own["low"] <= 0 <= own["high"]:
        return "nothing"
    return "undecided" if np.isnan(p) or np.isnan(own["low"]) else "more than chance" if p < 0.05 else "no more than chance"


def skip_edits(model: Hourglass, hook_point: str, skips: str, means: Mapping[str, Tensor] | None) -> dict[str, Edit]:
    """What `answers` does to the skip connections of the stack that `hook_point` is in, for `posekit.edit`."""
    if skips not in SKIPS:
        raise PosekitError(f"skips are {', '.join(SKIPS)}, not {skips!r}")
    names = skips_beside(model, hook_point)
    if skips == "intact":
        return {}
    if skips == "off":
        return dict.fromkeys(names, lambda activation, name: torch.zeros_like(activation))
    known = means or {}
    missing = [name for name in names if name not in known]
    if missing:
        raise PosekitError(f"skips='mean' needs the means of {', '.join(missing)}; ablation.means gives them")
    return dict.fromkeys(names, lambda activation, name: known[name].to(activation).expand_as(activation).clone())


def _shaped(codes: Tensor, activation: Tensor, name: str) -> Tensor:
    """Codes (n, D) as activations (n, C, H, W)."""
    if codes.shape[1] != activation[0].numel():
        raise PosekitError(f"{codes.shape[1]} numbers do not fit {name}, where a code has {activation[0].numel()}")
    if not codes.isfinite().all():
        raise PosekitError(f"{name}: a code or a step is not finite; leave it out")
    return codes.to(activation).reshape(-1, *activation.shape[1:])


def _pictures(crops: Crops, card: Card, backend: Backend, batch: int):
    card.check(crops)
    indices = list(iterate(len(crops), batch))
    for pictures, keypoints in batches(crops, indices):
        yield eval_view(pictures.to(backend.device), keypoints.to(backend.device), card.resolution)[0]


@torch.inference_mode()
def _maps(network, card: Card, pictures: Tensor, stack: int = -1) -> Tensor:
    """Heatmaps (B, K, h, w) of one stack, on the CPU."""
    output = network(card.centred(pictures))[:, stack].float().cpu()
    return hm.probabilities(output) if card.loss == "cross-entropy" else output


def _total_variation(one: Tensor, other: Tensor) -> np.ndarray:
    """(B,): half the sum of absolute differences between heatmaps (B, K, h, w) as shares of 1, mean over joints."""
    shares = [maps.clamp(min=0) / maps.clamp(min=0).sum((-2, -1), keepdim=True).clamp(min=1e-12) for maps in (one, other)]
    return ((shares[0] - shares[1]).abs().sum((-2, -1)).mean(-1) / 2).numpy()


def _across(control: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Directions (V, D) without their part along `vector` (D,), of length 1 again."""
    rest = control - np.outer(control @ vector, vector)
    if (np.linalg.norm(rest, axis=1) < 1e-5 * np.linalg.norm(control, axis=1)).any():  # what is left is rounding
        raise PosekitError("a random direction is the walk's own, so that there is nothing to compare with; draw them from more components")
    return (rest / np.linalg.norm(rest, axis=1, keepdims=True)).astype(np.float32)


def _rows(shape: tuple[int, int, int]) -> list[np.ndarray]:
    """For each vector and length, the places of its batches in a list that has them batch by batch."""
    return list(np.arange(np.prod(shape)).reshape(shape[0], -1).T)


def _decoded(maps: Tensor, card: Card) -> np.ndarray:
    return decode(maps, card, np.tile(np.eye(3), (len(maps), 1, 1)))


def _sure(keypoints: np.ndarray) -> np.ndarray:
    """Predictions as annotations: every joint labelled."""
    return np.concatenate([keypoints[..., :2], np.full_like(keypoints[..., :1], 2)], -1)


def _rulers(crops: Crops, card: Card) -> np.ndarray:
    """Annotated trunk lengths (N,) in input pixels."""
    lengths = torso(crops.keypoints, crops.people.skeleton) * view(crops.size, card.resolution)[0, 0]
    return np.where(lengths > 0, lengths, np.nan)


def _block(values: np.ndarray, pictures: np.ndarray | None) -> dict[str, float]:
    known = np.isfinite(values)
    shared = None if pictures is None else pictures[known]
    mean, low, high = interval(values[known], np.ones(known.sum()), pictures=shared)
    return {"mean": mean, "low": low, "high": high, "people": int(known.sum()), "left_out": int((~known).sum())}
