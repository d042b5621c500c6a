"""Activation patching: run A with an activation of B's, and see how far the answer goes from A's towards B's.

    pairs = counterfactuals("left arm", 32)
    found = posekit.patch("mannequins-hg1", *views(pairs, card), ["stack0.skip1", "stack0.bottleneck3"])
    found.lands("stack0.skip1", ["left wrist"])  # the share of wrists that stay at A's answer, go to B's, or go elsewhere
    found.toward("stack0.skip1", ["left wrist"])  # how far they go, 0 not at all and 1 all the way

A and B are pictures: of counterfactual pairs (`posekit.data.mannequins.counterfactuals`), where one factor differs and what is patched can
carry that factor alone; or photographs of two people, where everything differs (resample ablation, with the difference known).
Heimersheim & Nanda (2024), How to use and interpret activation patching, has the vocabulary.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from posekit.coordinates import MARGIN, cropping, person_square, transform
from posekit.data.augment import eval_view
from posekit.data.crops import Crops, cut
from posekit.data.loading import load_batch
from posekit.data.mannequins import KEYPOINTS, Pairs
from posekit.data.people import iterate
from posekit.engine.inference.prediction import Predictor, by_modules, decode, load, predict_heatmaps
from posekit.engine.weights import Card
from posekit.errors import PosekitError, whole
from posekit.hooks import Edit, edit
from posekit.interpret.activations.codes import activation_shape
from posekit.skeleton import Skeleton, skeleton_of
from posekit.stats import Interval, over_people

BATCH = 32
NEAR = 0.05  # shares of the view's side, about a fifth of a trunk: within it an answer is at another one
MANY = 5  # pairs in which a joint has to move for a table to show it


@dataclass(frozen=True)
class Part:
    """What of a network is patched: one or several activations together, whole or in part.

    Attributes:
        hook_points: whose activations are replaced by B's, all at once.
        channels: of them only these, where given; of maps (B, C, h, w).
        directions: (m, D), where given: of an activation flattened to D numbers only what lies in their span. A component, a
            probe's direction, a random one.
    """

    hook_points: Sequence[str] | str
    channels: Sequence[int] | None = None
    directions: np.ndarray | None = None

    @property
    def points(self) -> list[str]:
        return [self.hook_points] if isinstance(self.hook_points, str) else list(self.hook_points)


@dataclass(frozen=True)
class Patched:
    """What became of the answers to N pictures A, part by part.

    Attributes:
        a: (N, K, 3) keypoints that the network gives for A, x, y in pixels of the view, and the score.
        b: those for B.
        patched: by part, (N, K, 3) those for A with the part's activation from B.
        size: side of the view in pixels.
        skeleton: whose joints they are.
        counted: (N, K) bool, which joints count; by default all.
    """

    a: np.ndarray
    b: np.ndarray
    patched: dict[str, np.ndarray]
    size: int
    skeleton: Skeleton
    counted: np.ndarray | None = None

    def select(self, index: np.ndarray) -> "Patched":
        """The pairs that an index array or a boolean mask (N,) selects."""
        patched = {name: found[index] for name, found in self.patched.items()}
        return replace(self, a=self.a[index], b=self.b[index], patched=patched, counted=self._counted()[index])

    def where_right(self, truth: tuple[np.ndarray, np.ndarray]) -> "Patched":
        """The same, where a joint counts in those pairs alone in which the network finds it in A and in B: within twice NEAR, a
        twentieth of the view's side, of its true place (`truth`). A joint whose place is not known, NaN, does not count."""
        with np.errstate(invalid="ignore"):
            pairs = zip((self.a, self.b), truth, strict=True)
            found = [np.linalg.norm(one[..., :2] - true, axis=-1) <= 2 * NEAR * self.size for one, true in pairs]
        return replace(self, counted=self._counted() & found[0] & found[1])

    def moving(self) -> list[str]:
        """The joints whose answers to A and B are farther apart than twice NEAR in MANY pairs or more."""
        many = self._apart(None).sum(0)
        return [name for name, count in zip(self.skeleton.joints, many, strict=True) if count >= MANY]

    def toward(self, part: str, joints: Sequence[str] | None = None, *, seed: int = 0) -> Interval:
        """How far joints go from A's answer towards B's: the way's projection on B − A as a share of it, 0 not at all, 1 all the way.

        A ratio of sums over pairs and joints, so that one whose answers hardly differ hardly counts, with its 95 % bootstrap
        interval over pairs. NaN where no answer differs. `joints` are names, all by default. An answer that falls apart goes some of
        the way towards anything, half of it on average where it has nothing to do with A or B: `lands` tells the two apart.
        """
        rows = self._rows(joints)
        way = (self.b - self.a)[:, rows, :2] * self._counted()[:, rows, None]
        gone = (self._of(part) - self.a)[:, rows, :2]
        return over_people((gone * way).sum((1, 2)), np.square(way).sum((1, 2)), seed=seed)

    def lands(self, part: str, joints: Sequence[str] | None = None, *, seed: int = 0) -> dict[str, Interval]:
        """Where joints go: "A", they stay; "B", they follow; or "elsewhere".

        Shares of the joints whose answers to A and B are farther apart than twice NEAR, within NEAR of the one or the other, with 95 %
        bootstrap intervals over pairs; NaN where there are none.
        """
        rows = self._rows(joints)
        a, b, gone = (found[:, rows, :2] for found in (self.a, self.b, self._of(part)))
        near = NEAR * self.size
        apart = self._apart(joints)
        at = {name: apart & (np.linalg.norm(gone - one, axis=-1) <= near) for name, one in (("A", a), ("B", b))}
        at["elsewhere"] = apart & ~at["A"] & ~at["B"]
        return {name: over_people(hit.sum(1), apart.sum(1), seed=seed) for name, hit in at.items()}

    def aside(self, part: str, joints: Sequence[str] | None = None, *, seed: int = 0) -> Interval:
        """What else moves: how far joints land from the line from A's answer to B's, in shares of the view's side; a mean over pairs and
        joints with its 95 % bootstrap interval over pairs."""
        rows = self._rows(joints)
        way = (self.b - self.a)[:, rows, :2]
        gone = (self._of(part) - self.a)[:, rows, :2]
        along = (gone * way).sum(-1) / np.maximum(np.square(way).sum(-1), 1e-9)
        counted = self._counted()[:, rows]
        off = np.where(counted, np.linalg.norm(gone - along[..., None] * way, axis=-1) / self.size, 0)
        return over_people(off.sum(1), counted.sum(1), seed=seed)

    def follows_more(self, part: str, other: str, joints: Sequence[str] | None = None, *, seed: int = 0) -> Interval:
        """How much larger the share of joints that follow B is with one part patched than with another; paired, over pairs."""
        rows = self._rows(joints)
        b, apart = self.b[:, rows, :2], self._apart(joints)
        one, two = (apart & (np.linalg.norm(self._of(name)[:, rows, :2] - b, axis=-1) <= NEAR * self.size) for name in (part, other))
        return over_people(one.sum(1) - two.sum(1), apart.sum(1), seed=seed)

    def table(self, *, seed: int = 0) -> dict[str, dict[str, dict[str, float]]]:
        """By part and joint, {"mean", "low", "high"} of the share that follows B (`lands`), for the joints that move (`moving`)."""
        return {part: {joint: block(self.lands(part, [joint], seed=seed)["B"]) for joint in self.moving()} for part in self.patched}

    def _counted(self) -> np.ndarray:
        return np.ones(self.a.shape[:2], bool) if self.counted is None else self.counted

    def _apart(self, joints: Sequence[str] | None) -> np.ndarray:
        """The joints (N, J) that count and whose answers to A and B are far enough apart to tell where an answer lands."""
        rows = self._rows(joints)
        way = np.linalg.norm(self.b[:, rows, :2] - self.a[:, rows, :2], axis=-1)
        return self._counted()[:, rows] & (way > 2 * NEAR * self.size)

    def _rows(self, joints: Sequence[str] | None) -> list[int]:
        names = self.skeleton.joints if joints is None else [joints] if isinstance(joints, str) else joints
        try:
            return self.skeleton.index(*names)
        except ValueError as error:
            raise PosekitError(str(error)) from None

    def _of(self, part: str) -> np.ndarray:
        if part not in self.patched:
            raise PosekitError(f"no part {part!r} was patched; there are {', '.join(self.patched) or 'none'}")
        return self.patched[part]


def block(interval: Interval) -> dict[str, float]:
    """An interval as metrics.json keeps it."""
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def parts(model: torch.nn.Module) -> dict[str, Part]:
    """The parts that a network names: each skip connection and `all skips`, each stack's code and all as `code`, everything of these, and
    what each stack hands over; of an adapted network those that it was adapted with.

    With `all skips and codes` patched, an hourglass of one stack answers as it does to B: the measure's upper end.

    Raises:
        PosekitError: a group of skip connections has the name of another part, `code` say.
    """
    groups: dict[str, list[str]] = getattr(model, "skip_groups", dict)()
    found: dict[str, Part] = {}

    def add(name: str, points: list[str]) -> None:
        if name in found and found[name].points != points:
            raise PosekitError(f"skips: the group {name!r} is {', '.join(found[name].points)}, but {name!r} is taken: it is "
                               f"{', '.join(points)}; give it another name")  # fmt: skip
        found[name] = Part(points)

    for name, points in groups.items():
        for part, one in [(name, points)] if len(points) == 1 else [(point, [point]) for point in points]:
            add(part, one)
    skips = [point for points in groups.values() for point in points]
    try:
        codes = list(model.code_hook_points())  # type: ignore[operator]
    except (AttributeError, PosekitError):
        codes = []
    if skips:
        add("all skips", skips)
    if len(codes) > 1:
        for point in codes:
            add(point, [point])
    if codes:
        add("code", codes)
    if skips and codes:
        add("all skips and codes", [*skips, *codes])
    for stack, points in enumerate(getattr(model, "hand_overs", list)(), 1):
        add(f"hand-over of stack {stack}", [points.handed])
    return found


def channel_groups(network: Predictor, hook_point: str, count: int = 4) -> dict[str, Part]:
    """The channels of a hook point in `count` parts of neighbours, as large as each other or one apart: `skip1, channels 0 to 15`, ...

    Raises:
        PosekitError: no such hook point, one whose activation is no map (C, h, w), or one of fewer channels.
    """
    count = whole("count", count, None)
    shape = activation_shape(network.model, network.card, hook_point)
    if len(shape) != 3 or not 1 <= count <= shape[0]:
        raise PosekitError(f"{hook_point}: an activation of shape {shape} has no {count} groups of channels")
    groups = [group.tolist() for group in np.array_split(np.arange(shape[0]), count)]
    return {f"{hook_point}, channels {group[0]} to {group[-1]}": Part([hook_point], channels=group) for group in groups}


def views(pairs: Pairs, card: Card) -> tuple[Tensor, Tensor]:
    """Pictures A and B (N, 3, R, R) in [0, 1] of counterfactual pairs, as the network of a card sees people, each pair cut out alike."""
    return cropped_views(pairs.a, pairs.boxes, card), cropped_views(pairs.b, pairs.boxes, card)


def cropped_views(pictures: Iterable[np.ndarray], boxes: np.ndarray, card: Card) -> Tensor:
    """People (N, 3, R, R) in [0, 1] as the network of a card sees them, of one picture (H, W, 3) uint8 each, by boxes (N, 4)."""
    centres, sides = person_square(boxes, MARGIN, card.aspect)
    found = [cut(picture, at, float(side), card.resolution) for picture, at, side in zip(pictures, centres, sides, strict=True)]
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).float() / 255


def truth(pairs: Pairs, card: Card) -> tuple[np.ndarray, np.ndarray]:
    """The true joints (N, K, 2) of A and B in pixels of `views`, in the network's order; NaN for one that mannequins do not have."""
    return joints_seen(pairs.keypoints_a, pairs.boxes, card), joints_seen(pairs.keypoints_b, pairs.boxes, card)


def joints_seen(keypoints: np.ndarray, boxes: np.ndarray, card: Card) -> np.ndarray:
    """Mannequins' keypoints (N, 17, 3) as joints (N, K, 2) of the network, in pixels of `cropped_views` by boxes (N, 4)."""
    matrices = cropping(*person_square(boxes, MARGIN, card.aspect), card.resolution)
    names = skeleton_of(card.skeleton).joints
    found = np.full((len(keypoints), len(names), 2), np.nan)
    rows = [k for k, name in enumerate(names) if name in KEYPOINTS]
    chosen = keypoints[:, [KEYPOINTS.index(names[k]) for k in rows], :2].astype(float)
    found[:, rows] = transform(matrices, chosen)
    return found


def stage_answers(network: Predictor, pictures: Tensor, *, stage: int = -1, batch: int = BATCH) -> np.ndarray:
    """Keypoints (N, K, 3) in pixels of pictures (N, 3, R, R), through the very path that `patch` takes: within `edit`, the edited ones."""
    run, found = by_modules(network.model, network.backend), []
    for index in iterate(len(pictures), batch):
        maps = predict_heatmaps(run, network.card, pictures[index].to(network.backend.device))
        if not -maps.shape[1] <= stage < maps.shape[1]:
            raise PosekitError(f"{network.card.name} has no stage {stage}; it has {maps.shape[1]}, counted from 0")
        maps = maps[:, stage]
        found.append(decode(maps, network.card, np.tile(np.eye(3), (len(maps), 1, 1))))
    return np.concatenate(found)


def photographs(crops: Crops, card: Card, index: np.ndarray | None = None) -> Tensor:
    """Pictures (N, 3, R, R) in [0, 1] of stored crops, all or those of an index array, as the network of a card sees them."""
    pictures, keypoints = load_batch(crops, np.arange(len(crops)) if index is None else index)
    return eval_view(pictures, keypoints, card.resolution)[0]


def patch(
    network: Predictor | str | Path, a: Tensor, b: Tensor, hook_points: Mapping[str, Part] | Iterable[str], *, stage: int = -1,
    batch: int = BATCH,
) -> Patched:  # fmt: skip
    """Run each picture A with activations of its partner B, one part after the other.

    Args:
        network: what `posekit.load` or `posekit.adapt` gives, or the name or file of weights.
        a: pictures (N, 3, R, R) in [0, 1].
        b: their partners, in the same rows.
        hook_points: names of hook points, each a part of its own; or parts by name, see `Part` and `parts`.
        stage: whose answer counts, the last by default.

    Raises:
        PosekitError: A and B are not of the same number or size; no such hook point; an activation of another shape in B; channels or
            directions that an activation does not have; a network without heatmaps.

    >>> from posekit.data.mannequins import counterfactuals
    >>> network = load("mannequins-hg1")
    >>> a, b = views(counterfactuals("left arm", 2), network.card)
    >>> found = patch(network, a, b, parts(network.model))
    >>> round(found.toward("all skips and codes", ["left wrist"]).mean, 3)
    1.0
    """
    stage, batch = whole("stage", stage, None), whole("batch", batch, 1)
    predictor = network if isinstance(network, Predictor) else load(network)
    model, card = predictor.model, predictor.card
    if card.loss == "coordinates":
        raise PosekitError(f"{card.name} answers with coordinates and not with heatmaps; give a network with heatmaps, an hourglass say")
    if len(a) != len(b) or not len(a):
        raise PosekitError(f"{len(a)} pictures A and {len(b)} pictures B; give one B for each A, and at least one")
    for pictures in (a, b):
        # Of another size, the hook point is named at which they differ.
        if pictures is a or not isinstance(b, Tensor) or b.shape == a.shape or b.ndim != 4 or b.shape[1] != 3:
            card.check_pictures(pictures)
    points = [hook_points] if isinstance(hook_points, str) else hook_points
    given = dict(points) if isinstance(points, Mapping) else {name: Part([name]) for name in points}
    for name, part in given.items():
        if not isinstance(part, Part) or not part.points or isinstance(part.channels, int):
            raise PosekitError(f"{name}: a part is Part(HOOK_POINTS) of one hook point at least, and its channels are a list")
    needed = list(dict.fromkeys(point for part in given.values() for point in part.points))
    spans = {name: _span(name, part) for name, part in given.items()}
    theirs: dict[str, Tensor] = {}

    def keep(activation: Tensor, name: str) -> None:
        theirs[name] = activation

    of_a, of_b, found = [], [], {name: [] for name in given}  # type: ignore[var-annotated]
    for index in iterate(len(a), batch):
        with edit(model, dict.fromkeys(needed, keep)):
            of_b.append(stage_answers(predictor, b[index], stage=stage))
        of_a.append(stage_answers(predictor, a[index], stage=stage))
        for name, part in given.items():
            with edit(model, {point: _edit(theirs[point], part, spans[name]) for point in part.points}):
                found[name].append(stage_answers(predictor, a[index], stage=stage))
    joined = {name: np.concatenate(batches) for name, batches in found.items()}
    return Patched(np.concatenate(of_a), np.concatenate(of_b), joined, card.resolution, predictor.skeleton)


def patch_pairs(
    network: Predictor, pairs: Pairs, hook_points: Mapping[str, Part] | Iterable[str], joints: Sequence[str] = (), *, batch: int = BATCH
) -> Patched:  # fmt: skip
    """`patch` of counterfactual pairs, where joints count that the network finds in both pictures; see `Patched.where_right`.

    Where `joints` are given, of the pairs in which it finds one of them in both; of all, if there is none.
    """
    first, second = views(pairs, network.card)
    true = truth(pairs, network.card)
    if joints:
        known = patch(network, first, second, {}, batch=batch).where_right(true)
        rows = np.flatnonzero(known.counted[:, known._rows(joints)].any(1)) if known.counted is not None else np.arange(0)
        rows = rows if len(rows) else np.arange(len(first))
        first, second, true = first[rows], second[rows], (true[0][rows], true[1][rows])
    return patch(network, first, second, hook_points, batch=batch).where_right(true)


def _span(name: str, part: Part) -> Tensor | None:
    """An orthonormal basis (m, D) of a part's directions."""
    if part.directions is None:
        return None
    directions = np.atleast_2d(np.asarray(part.directions, float))
    if not np.isfinite(directions).all() or not np.linalg.norm(directions, axis=1).all():
        raise PosekitError(f"{name}: a direction is zero or not finite; give directions (m, D) with a length")
    return torch.from_numpy(np.linalg.svd(directions, full_matrices=False)[2][: np.linalg.matrix_rank(directions)]).float()


def _edit(theirs: Tensor, part: Part, span: Tensor | None) -> Edit:
    def patched(activation: Tensor, name: str) -> Tensor:
        if activation.shape != theirs.shape:
            shapes = [f"{tuple(one.shape[1:])} in {which}" for which, one in (("A", activation), ("B", theirs))]
            raise PosekitError(f"{name}: the activation is {' and '.join(shapes)}; give pictures of one size")
        change = theirs - activation
        if part.channels is not None:
            if activation.ndim != 4:
                raise PosekitError(f"{name}: an activation of shape {tuple(activation.shape)} has no channels (B, C, h, w) to choose from")
            chosen = list(part.channels)
            if (
                not chosen
                or not all(isinstance(k, int | np.integer) for k in chosen)
                or min(chosen) < 0
                or max(chosen) >= activation.shape[1]
            ):
                raise PosekitError(f"{name} has channels 0 to {activation.shape[1] - 1}, not {', '.join(map(str, chosen)) or 'none'}")
            mask = torch.zeros(activation.shape[1], dtype=torch.bool, device=activation.device)
            mask[chosen] = True
            change = change * mask.view(1, -1, 1, 1)
        if span is not None:
            flat = change.flatten(1).float()
            if flat.shape[1] != span.shape[1]:
                raise PosekitError(f"{name}: directions of {span.shape[1]} numbers do not fit an activation of {flat.shape[1]}")
            basis = span.to(flat.device)
            change = (flat @ basis.T @ basis).reshape(change.shape).to(activation.dtype)
        elif part.channels is None:
            return theirs.clone()
        return activation + change

    return patched
