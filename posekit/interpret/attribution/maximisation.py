"""Pictures that nobody took: made so that a target of the network is as large as can be.

goal = target("window", "left wrist", card, middle)
found = maximise(model, card, [goal], colours(pictures))

Simonyan et al. (2014, section 2) climb the gradient in the picture itself; the result is noise of high frequency. Here, as Olah et al.
(2017, "The enemy of feature visualization") propose, the picture is a sum of waves whose strength falls with their frequency, its
colours vary together as those of photographs do, and each step sees it moved, turned and scaled a little, so that only what
survives that can grow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from posekit.coordinates import CONTEXT, view, warp
from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import load_batch
from posekit.data.people import iterate
from posekit.engine.weights import Card
from posekit.errors import PosekitError, whole
from posekit.hooks import trace
from posekit.interpret.activations.walks import random_directions
from posekit.interpret.analysis.components import pca_of
from posekit.interpret.attribution.explain import differentiated
from posekit.interpret.attribution.targets import Target, answered, target
from posekit.skeleton import skeleton_of

MOVED = 1 / 16  # of the picture's width, the farthest that a step moves it, either way and in x and y
TURNED, SCALED = 8.0, 0.08  # degrees and share, either way
BATCH = 32  # people looked at at once
DEVIATION, START = 0.15, 0.25  # of pixels about grey, of waves of strength 1; and the strength of the first ones


@dataclass(frozen=True)
class Seen:
    """What a network makes of N people.

    Attributes:
        codes: (N, C, h, w) of the hook point.
        raws: (N, K, H, W), the last stack's raw maps.
        cells: (N, K, 2), column and row of where it puts each joint.
        palette: (3, 3), the `colours` of some of the pictures.
    """

    hook_point: str
    codes: Tensor
    raws: Tensor
    cells: Tensor
    palette: Tensor


@dataclass(frozen=True)
class Goal:
    """A target for `maximise`, and what people reach of it."""

    kind: str  # "joints", "channels" or "directions"
    target: Target
    reached: np.ndarray  # (N,)

    def deviations(self, score: float) -> float:
        """How many standard deviations over people the score lies above their mean; NaN where all reach the same."""
        spread = float(self.reached.std())
        return float((score - self.reached.mean()) / spread) if spread > 0 else math.nan


def seen(model: nn.Module, card: Card, crops: Crops, hook_point: str) -> Seen:
    """What the network makes of people, whole: a few hundred fit in memory."""
    card.check(crops)
    device = next(model.parameters()).device
    codes, raws, cells, views = [], [], [], []
    for part in iterate(len(crops), BATCH):
        batch = eval_view(*load_batch(crops, part), card.resolution)[0].to(device)
        raw, code = _run(model, card, batch, hook_point)
        codes.append(code)
        raws.append(raw)
        cells.append(answered(model, card, batch)[1])
        views.append(batch.cpu())
    return Seen(hook_point, torch.cat(codes), torch.cat(raws), torch.cat(cells), colours(torch.cat(views[:2])))


def goals(of: Seen, card: Card, joints: Sequence[str], *, channels: int = 5, components: int = 4, seed: int = 0) -> dict[str, Goal]:
    """By name: joints in the middle of the picture, the channels that vary most over people, principal components of the code and one
    random direction.

    A joint's `reached` is taken where the network puts it. Joints that the skeleton lacks are left out.
    """
    skeleton, found = skeleton_of(card.skeleton), {}
    for name in joints:
        if name in skeleton.joints:
            there = target("window", name, card, of.cells[:, skeleton.joints.index(name)])
            found[name] = Goal("joints", target("window", name, card, middle(card)), there.of(of.raws).numpy())
    if of.codes.ndim != 4:
        raise PosekitError(f"{of.hook_point}: its activation is {tuple(of.codes.shape[1:])} for a picture, and no map whose channels "
                           "can be told from positions; name a code that is one")  # fmt: skip
    for number in of.codes.mean((2, 3)).std(0).argsort(descending=True)[:channels].tolist():
        of_channel = channel(of.hook_point, number)
        found[f"channel {number}"] = Goal("channels", of_channel, of_channel.of(of.codes).numpy())
    axes = pca_of(of.codes.flatten(1).numpy(), components)
    vectors = {f"component {c + 1}": axes.directions[c].astype(np.float32) for c in range(len(axes))}
    vectors["random direction"] = random_directions(1, axes.directions, axes.variances, seed=seed)[0]
    for name, vector in vectors.items():
        along = direction(name, of.hook_point, vector, axes.mean)
        found[name] = Goal("directions", along, along.of(of.codes).numpy())
    return found


def goal_scores(model: nn.Module, card: Card, pictures: Tensor, wanted: Sequence[Goal], hook_point: str) -> list[float]:
    """What the i-th of pictures (G, 3, R, R) reaches of the i-th goal."""
    raw, code = _run(model, card, pictures.to(next(model.parameters()).device), hook_point)
    return [float(goal.target.of((raw if goal.target.hook_point is None else code)[i : i + 1])) for i, goal in enumerate(wanted)]


def _run(model: nn.Module, card: Card, pictures: Tensor, hook_point: str) -> tuple[Tensor, Tensor]:
    """The last stack's raw maps and the activation at the hook point, both on the CPU in float32."""
    with torch.no_grad(), trace(model, [hook_point]) as activations:
        raw = model.eval()(card.centred(pictures))[:, -1].float().cpu()
    return raw, activations[hook_point].float().cpu()


def colours(pictures: Tensor) -> Tensor:
    """How the colours of pictures (B, 3, R, R) vary together: the symmetric root (3, 3) of their covariance, of norm 1.

    Raises:
        PosekitError: each is of one colour, and all of the same.
    """
    values, vectors = torch.linalg.eigh(torch.cov(pictures.transpose(0, 1).flatten(1).double()))
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    if not torch.linalg.matrix_norm(root) > 0:
        raise PosekitError("the pictures are of one colour throughout, and no palette can be had of them; give others")
    return (root / torch.linalg.matrix_norm(root)).float()


def channel(hook_point: str, number: int) -> Target:
    """The mean of a channel of the activation at `hook_point` over its positions.

    Where it is asked for, it raises PosekitError if there is no such channel.
    """
    number = whole("number", number)

    def mean(activation: Tensor) -> Tensor:
        if number >= activation.shape[1]:
            raise PosekitError(f"{hook_point} has channels 0 to {activation.shape[1] - 1}, not {number}")
        return activation[:, number].mean((-2, -1))

    return Target(f"channel {number} of {hook_point}", mean, hook_point)


def direction(name: str, hook_point: str, vector, mean) -> Target:
    """How far the activation at `hook_point`, flattened, lies along `vector` (D,) of length 1 from `mean` (D,): its score."""
    along, middle = (torch.as_tensor(values, dtype=torch.float32) for values in (vector, mean))
    return Target(name, lambda activation: (activation.flatten(1) - middle.to(activation)) @ along.to(activation), hook_point)


def middle(card: Card) -> Tensor:
    """The cell (2,) in the middle of the heatmap."""
    return torch.full((2,), card.resolution // card.stride // 2)


@torch.inference_mode(False)
@torch.enable_grad()
def maximise(
    model: nn.Module, card: Card, goals: Sequence[Target], palette: Tensor | None = None, *, steps: int = 128, lr: float = 0.05,
    seed: int = 0,
) -> Tensor:  # fmt: skip
    """One picture a goal, (G, 3, R, R) in [0, 1], that makes the goal large, by `steps` of Adam.

    `palette` (3, 3) is what `colours` finds; without one, channels vary independently. The goals see the pictures moved, turned and
    scaled at random; score what comes out with `Scored` to know how large it is.
    """
    steps, draw = whole("steps", steps), torch.Generator().manual_seed(whole("seed", seed))
    if not len(goals):
        raise PosekitError("no goal is named; give one target at least, each has a picture")
    device = next(model.parameters()).device
    size, wide = card.resolution, round(card.resolution * CONTEXT)  # a margin, so that a moved view shows no border
    waves = torch.randn(len(goals), 3, wide, wide // 2 + 1, 2, generator=draw)
    palette = torch.eye(3) / math.sqrt(3) if palette is None else palette.cpu()
    # A sigmoid's slope at grey is a quarter.
    palette = palette * (4 * DEVIATION / float(_logits(waves, palette).std()))
    waves, palette = (START * waves).to(device).requires_grad_(), palette.to(device)
    plain = torch.as_tensor(view(wide, size), dtype=torch.float32, device=device)
    names = {goal.hook_point for goal in goals if goal.hook_point is not None}
    climb = torch.optim.Adam([waves], lr=lr)
    for _ in range(steps):
        seen = warp(_logits(waves, palette).sigmoid(), _jitter(len(goals), size, draw).to(device) @ plain, size)
        with trace(model, names) as activations:
            raw = model.eval()(card.centred(seen))[:, -1]
        reached = [goal.of((raw if goal.hook_point is None else activations[goal.hook_point])[i : i + 1]) for i, goal in enumerate(goals)]
        with differentiated(card):
            (gradient,) = torch.autograd.grad(-torch.cat(reached).sum(), [waves])
        waves.grad = gradient
        climb.step()
    with torch.no_grad():
        return warp(_logits(waves, palette).sigmoid(), plain.expand(len(goals), 3, 3), size)


def _logits(waves: Tensor, palette: Tensor) -> Tensor:
    """Pictures before the sigmoid (G, 3, W, W): waves (G, 3, W, W // 2 + 1, 2), each divided by its frequency, in the palette's colours."""
    wide = waves.shape[2]
    frequency = torch.hypot(torch.fft.fftfreq(wide)[:, None], torch.fft.rfftfreq(wide)[None]).clamp(min=1 / wide).to(waves.device)
    plane = torch.fft.irfft2(torch.view_as_complex(waves) / frequency, s=(wide, wide))
    return torch.einsum("ij,bjhw->bihw", palette, plane)


def _jitter(count: int, size: int, draw: torch.Generator) -> Tensor:
    """Random matrices (count, 3, 3) that move, turn and scale pictures of `size` about their middle."""
    move, turn, scale = (torch.rand(count, n, generator=draw) * 2 - 1 for n in (2, 1, 1))
    angle, factor = torch.deg2rad(turn[:, 0] * TURNED), 1 + scale[:, 0] * SCALED
    cos, sin = factor * angle.cos(), factor * angle.sin()
    matrices = torch.eye(3).repeat(count, 1, 1)
    matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 0], matrices[:, 1, 1] = cos, -sin, sin, cos
    centre = torch.full((2,), (size - 1) / 2)
    matrices[:, :2, 2] = centre + move * MOVED * size - matrices[:, :2, :2] @ centre
    return matrices
