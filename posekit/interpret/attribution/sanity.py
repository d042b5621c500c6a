"""Maps put to the test: do they say anything about the network, and about what it hangs on?

cases = draw_cases(model, card, crops)
found = by(card, "grad-cam", "stack0.sum4")(model, cases)  # maps (N, R, R)

- `randomisation`: does the map change when weights are set back to random ones, from the head downwards (Adebayo et al., 2018,
  cascading randomisation)?
- `removal`: is the answer gone when what the map points at is taken away first (deletion), and there when it is brought back first
  (insertion; Petsiuk et al., 2018)?
- `pointing`: does the map's peak lie on the joint (the pointing game of Zhang et al., 2018)?
- `share_within`: how much of the map lies on the limbs that end in the joint, where the true silhouettes are known?

A test is worth as much as its controls: `edges` ignores the network, `noise` the picture too, and `answer` is nothing but the joint's own
heatmap, which points well and explains nothing.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from posekit import metrics
from posekit.coordinates import STRIDE, transform, view
from posekit.data.augment import eval_view
from posekit.data.crops import Crops
from posekit.data.loading import load_batch
from posekit.data.mannequins import PARTS, render_silhouettes
from posekit.data.mannequins.bodies import KEYPOINT_PARTS
from posekit.data.people import iterate
from posekit.data.rendered import parse_options
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Fast
from posekit.engine.weights import Card
from posekit.errors import PosekitError, whole
from posekit.hooks import hook_points
from posekit.interpret.attribution.explain import attribute, blurred, softened
from posekit.interpret.attribution.targets import Scored, answered, joint_index, target
from posekit.skeleton import skeleton_of

SHARES = (0.0, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)  # of the picture, taken away or brought back
TOLERANCE = 0.2  # torso lengths: a peak within it points at the joint, as a joint within it is found in PCK@0.2·torso
BATCH = 8  # people explained at once
STEPS = 16  # of integrated gradients, whose sums do not count here: maps of lspet-hg1 correlate with those of 160 steps by 0.98


@dataclass(frozen=True)
class Cases:
    """N people, one joint of each. Points are (x, y) in the network's input pixels."""

    rows: np.ndarray  # (N,) of the crops
    pictures: Tensor  # (N, 3, R, R) in [0, 1]
    joints: np.ndarray  # (N,) index of the joint
    names: list[str]  # (N,) and its name
    truth: np.ndarray  # (N, 2) annotated
    predicted: np.ndarray  # (N, 2) where the network puts it
    cells: Tensor  # (N, 2) the heatmap cell of that
    torsos: np.ndarray  # (N,) length in pixels

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: np.ndarray) -> "Cases":
        """Some of the people."""
        names = [self.names[i] for i in index]
        return Cases(
            self.rows[index], self.pictures[index], self.joints[index], names, self.truth[index], self.predicted[index], self.cells[index],
            self.torsos[index],
        )  # fmt: skip


def counterparts(model: nn.Module, card: Card, cases: Cases) -> Cases:
    """The same people and the same joint of the other side, where the network puts that one; its true position stays unknown."""
    skeleton = skeleton_of(card.skeleton)
    joints, device = np.array(skeleton.mirrored)[cases.joints], next(model.parameters()).device
    cells = torch.cat([answered(model, card, cases.pictures[part].to(device))[1] for part in iterate(len(cases), BATCH)])
    chosen = cells[torch.arange(len(cases)), torch.as_tensor(joints)]
    unknown = np.full_like(cases.truth, np.nan)
    names = [skeleton.joints[k] for k in joints]
    return replace(cases, joints=joints, names=names, truth=unknown, predicted=unknown, cells=chosen)


Maps = Callable[[nn.Module, Cases], np.ndarray]  # a way to explain: a network and N people to maps (N, R, R)


def draw_cases(
    model: nn.Module, card: Card, crops: Crops, joints: Sequence[str] | None = None, *, people: int = 32, seed: int = 0
) -> Cases:
    """Up to `people` people, each with one of `joints` (any by default) drawn from those that are visible in the network's view.

    Raises:
        PosekitError: the skeleton lacks a joint, the people have other joints than the network, or nobody has one of them visible.
    """
    people, seed = whole("people", people, 1), whole("seed", seed)
    skeleton = skeleton_of(card.skeleton)
    if crops.people.skeleton.joints != skeleton.joints:
        raise PosekitError(f"{card.name} knows the joints of {skeleton.name}, these people have those of {crops.people.skeleton.name}")
    card.check(crops)
    wanted = np.isin(np.arange(len(skeleton)), joint_index(skeleton, *(joints or skeleton.joints)))
    random = np.random.default_rng(seed)
    points = transform(view(crops.size, card.resolution), crops.keypoints[..., :2].astype(float))
    with np.errstate(invalid="ignore"):
        inside = ((points >= 0) & (points <= card.resolution - 1)).all(-1)
    torsos = metrics.torso(crops.keypoints, skeleton) * view(crops.size, card.resolution)[0, 0]
    able = (crops.keypoints[..., 2] == 2) & inside & wanted & (np.nan_to_num(torsos) > 0)[:, None]
    rows = np.sort(random.permutation(np.flatnonzero(able.any(1)))[:people])
    if not len(rows):
        raise PosekitError(f"{crops.people.source}: nobody has a torso and a visible joint among {', '.join(joints or skeleton.joints)}")
    chosen = np.array([random.choice(np.flatnonzero(able[row])) for row in rows])
    pictures = eval_view(*load_batch(crops, rows), card.resolution)[0]
    answers = [answered(model, card, pictures[part].to(next(model.parameters()).device))[1:] for part in iterate(len(rows), BATCH)]
    each = np.arange(len(rows))
    return Cases(
        rows, pictures, chosen, [skeleton.joints[k] for k in chosen], points[rows, chosen],
        np.concatenate([keypoints for _, keypoints in answers])[each, chosen, :2], torch.cat([cells for cells, _ in answers])[each, chosen],
        torsos[rows],
    )  # fmt: skip


def grad_cams(model: nn.Module, card: Card, cases: Cases, layers: Sequence[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Grad-CAM's maps (N, R, R) at each of the layers; and why it cannot be had at others: a small picture leaves the code one cell."""
    found, refused = {}, {}
    for layer in layers:
        try:
            found[layer] = by(card, "grad-cam", layer)(model, cases)
        except PosekitError as error:
            refused[layer] = str(error)
    return found, refused


def by(card: Card, method: str, layer: str | None = None, name: str = "window") -> Maps:
    """One of `attribution.METHODS`, of the target `name` of each person's joint."""

    def maps(model: nn.Module, cases: Cases) -> np.ndarray:
        device = next(model.parameters()).device
        found = []
        for part in iterate(len(cases), BATCH):
            some = cases.take(part)
            asked = target(name, some.names, card, some.cells)
            found.append(attribute(model, card, some.pictures.to(device), asked, method, layer, steps=STEPS))
        return np.concatenate(found)

    return maps


def edges(model: nn.Module, cases: Cases) -> np.ndarray:
    """Maps (N, R, R) that ignore the network: how steep the brightness of the picture is."""
    return steepness(cases.pictures.mean(1).numpy())


def steepness(grey: np.ndarray) -> np.ndarray:
    """How steep pictures (N, R, R) are in each pixel, after a blur of a pixel: a detector of edges."""
    down, across = torch.gradient(softened(torch.as_tensor(grey)[:, None], 1.0)[:, 0], dim=(-2, -1))
    return torch.hypot(down, across).numpy()


def noise(model: nn.Module, cases: Cases, seed: int = 0) -> np.ndarray:
    """Maps (N, R, R) that ignore network and picture: noise, blurred by a heatmap cell, each person's own by `seed`."""
    drawn = np.stack([np.random.default_rng([row, seed]).random(cases.pictures.shape[-2:]) for row in cases.rows])
    return softened(torch.from_numpy(drawn)[:, None], STRIDE)[:, 0].numpy()


def answer_maps(card: Card) -> Maps:
    """Maps (N, R, R) that are the joint's own heatmap, enlarged."""

    def maps(model: nn.Module, cases: Cases) -> np.ndarray:
        device = next(model.parameters()).device
        found = []
        for part in iterate(len(cases), BATCH):
            own = answered(model, card, cases.pictures[part].to(device))[0][torch.arange(len(part)), torch.as_tensor(cases.joints[part])]
            size = cases.pictures.shape[-2:]
            found.append(nn.functional.interpolate(own[:, None], size=size, mode="bilinear", align_corners=False)[:, 0].cpu().numpy())
        return np.concatenate(found)

    return maps


def cascade_levels(model: nn.Module, most: int = 10) -> dict[str, list[str]]:
    """What is randomised, from the head downwards: name of the last part reached to the hook points of all parts so far.

    A part without weights of its own is no level. Of more than `most` levels those at even distances are taken, the last among them, and
    the first decoder: each takes as long as all methods together, and a step of the cascade may go over several parts.
    """
    part_of = getattr(model, "part_of", lambda hook_point: hook_point)
    reached: list[str] = []
    levels: dict[str, list[str]] = {}
    inside: set[int] = set()
    for hook_point in reversed(hook_points(model)):
        reached.append(hook_point)
        values = {id(value) for value in model.get_submodule(hook_point).parameters()}
        if not levels or part_of(hook_point) in levels or values - inside:
            levels[part_of(hook_point)] = list(reached)
        inside |= values
    if any(id(value) not in inside for value in model.parameters()):  # of modules that are no hook points
        levels[list(levels)[-1]].append("")
    names = list(levels)
    if len(names) > most:
        decoder = next((name for name in names if name.startswith("decoder")), names[-1])
        kept = {names[i] for i in np.linspace(0, len(names) - 1, most).round().astype(int)} | {decoder}
        levels = {name: hooked for name, hooked in levels.items() if name in kept}
    return levels


def randomised(model: nn.Module, names: Sequence[str], seed: int = 0) -> nn.Module:
    """A copy of the network in which what is behind the named hook points is as it was before any training: new weights, no statistics."""
    anew = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in names:
            for module in anew.get_submodule(name).modules():
                if callable(reset := getattr(module, "reset_parameters", None)):
                    reset()
                else:  # a parameter of which nobody says how it begins
                    for value in module.parameters(recurse=False):
                        value.data = value.data.flatten()[torch.randperm(value.numel())].view_as(value)
    return anew.eval()


def randomisation(
    model: nn.Module, cases: Cases, ways: Mapping[str, Maps], levels: Mapping[str, Sequence[str]], *, seed: int = 0
) -> dict[str, dict[str, np.ndarray]]:  # fmt: skip
    """The maps (N, R, R) of each way and level of the cascade; `likeness` compares them with the trained one's.

    Each person has a random network of its own, the same for all ways: people who share one are not independent, and an interval over
    them would be too narrow.
    """
    shape = (len(cases), *cases.pictures.shape[-2:])
    found = {label: {level: np.zeros(shape, np.float32) for level in levels} for label in ways}
    for level, names in levels.items():
        for person in range(len(cases)):
            anew = randomised(model, names, seed + person)
            for label, maps in ways.items():
                found[label][level][person] = maps(anew, cases.take(np.array([person])))[0]
    return found


def likeness(maps: np.ndarray, others: np.ndarray, around: np.ndarray | None = None, aspect: float = 1.0) -> np.ndarray:
    """Spearman's correlation (N,) of the strengths of maps (N, R, R) and others, cell by cell; 0 where one does not vary.

    With `around` (N, 2), x and y, it is the partial correlation given the distance from there. What is asked about a cell of a
    heatmap depends on the pixels near by in any network, a random one too; that the maps share this says nothing. Nor does what lies beside
    an input that is no square but `aspect`, its width over its height: no network sees it, and no map has anything there.
    """
    size = np.array(maps.shape[1:])
    rows, columns = np.round(size * [min(1 / aspect, 1), min(aspect, 1)]).astype(int)
    top, left = (size - [rows, columns]) // 2
    maps, others = (values[:, top : top + rows, left : left + columns] for values in (maps, others))
    around = None if around is None else around - [left, top]
    one, other = (_ranks(in_cells(np.abs(values))) for values in (maps, others))
    alike = (one * other).sum(1)
    if around is None:
        return alike
    y, x = np.mgrid[:rows, :columns]
    away = _ranks(in_cells(np.hypot(x - around[:, 0, None, None], y - around[:, 1, None, None])))
    near_one, near_other = (one * away).sum(1), (other * away).sum(1)
    rest = np.sqrt((1 - near_one**2).clip(0) * (1 - near_other**2).clip(0))
    return np.where(rest > 1e-9, (alike - near_one * near_other) / np.maximum(rest, 1e-9), 0.0)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of rows (N, M), of mean 0 and length 1; 0 for a row that does not vary."""
    ranks = stats.rankdata(values, axis=1)
    ranks = ranks - ranks.mean(1, keepdims=True)
    length = np.sqrt((ranks**2).sum(1, keepdims=True))
    return np.where(length > 0, ranks / np.maximum(length, 1e-12), 0.0)


def in_cells(maps: np.ndarray) -> np.ndarray:
    """The mean of maps (N, R, R) in each heatmap cell, flattened: (N, (R/4)²)."""
    return nn.functional.avg_pool2d(torch.as_tensor(maps, dtype=torch.float64)[:, None], STRIDE).flatten(1).numpy()


def removal(score: Callable[[Tensor], Tensor], pictures: Tensor, replacement: Tensor, maps: np.ndarray) -> np.ndarray:
    """The score (N, S) of pictures (N, 3, R, R) of which the cells with the largest values of maps (N, R, R) are replaced first.

    SHARES says how much of the picture is replaced at each step. Deletion puts the blurred picture in place of the picture, insertion
    the other way round.
    """
    order = np.argsort(-in_cells(maps), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(order.shape[1])[None], 1)
    cells = pictures.shape[-1] // STRIDE
    at = np.minimum(np.arange(pictures.shape[-1]) // STRIDE, cells - 1)  # what is left over at the end goes with the last cell
    rank = rank.reshape(-1, 1, cells, cells)[..., at, :][..., at]
    curve = []
    with torch.no_grad():
        for share in SHARES:
            gone = torch.from_numpy(rank < round(share * cells**2)).to(pictures.device)
            curve.append(score(torch.where(gone, replacement, pictures)).cpu().numpy())
    return np.stack(curve, 1)


def curves(model: nn.Module, card: Card, cases: Cases, maps: np.ndarray, backend: Backend | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Deletion and insertion (N, S) each: the probability of the joint where the network put it, over SHARES.

    What lies beside an input that is no square comes last, whatever the maps have there.
    """
    backend = backend or Backend.best()
    (left, top, width, height), seen = card.window, np.zeros(maps.shape[1:], bool)
    seen[top : top + height, left : left + width] = True
    maps = np.where(seen, maps, -np.inf)
    network = Fast(model, backend, expected=2 * len(SHARES) * len(cases))
    found: list[list[np.ndarray]] = [[], []]
    for part in iterate(len(cases), 4 * BATCH):
        some = cases.take(part)
        pictures = some.pictures.to(backend.device)
        score = Scored(network, card, target("probability", some.names, card, some.cells))
        soft = blurred(pictures)
        found[0].append(removal(score, pictures, soft, maps[part]))
        found[1].append(removal(score, soft, pictures, maps[part]))
    return np.concatenate(found[0]), np.concatenate(found[1])


def area(curve: np.ndarray) -> np.ndarray:
    """The area (N,) under curves (N, S) over SHARES, by trapezes."""
    return np.trapezoid(curve, SHARES, axis=1)


def pointing(maps: np.ndarray, truth: np.ndarray, torsos: np.ndarray) -> np.ndarray:
    """1.0 where the peak of a map (N, R, R) lies within TOLERANCE of the joint (N, 2), else 0.0: (N,). A flat map does not point."""
    flat = maps.reshape(len(maps), -1)
    row, column = np.divmod(flat.argmax(1), maps.shape[-1])
    near = np.hypot(column - truth[:, 0], row - truth[:, 1]) <= TOLERANCE * torsos
    return (near & (np.ptp(flat, axis=1) > 0)).astype(float)


def part_masks(crops: Crops, rows: np.ndarray, resolution: int) -> np.ndarray:
    """Which part of a mannequin each pixel of the network's view shows: (N, R, R) indices into `PARTS`, 0 for anything else.

    Raises:
        PosekitError: the people are no mannequins.
    """
    name, _, options = crops.people.source.partition(":")
    if name != "mannequins":
        raise PosekitError(f"{crops.people.source}: only mannequins have true silhouettes")
    _, size, seed = parse_options(options)
    y, x = np.mgrid[:resolution, :resolution]
    pixels = np.stack([x, y], -1).reshape(-1, 2).astype(float)
    found = np.zeros((len(rows), resolution * resolution), np.uint8)
    for i, row in enumerate(rows):
        parts = render_silhouettes(int(crops.people.ids[row]), seed=seed, size=size)
        back = np.linalg.inv(view(crops.size, resolution) @ crops.matrices[row])
        column, line = np.round(transform(back, pixels)).astype(int).T
        inside = (column >= 0) & (column < size) & (line >= 0) & (line < size)
        found[i, inside] = parts[line[inside], column[inside]]
    return found.reshape(-1, resolution, resolution)


def limb_masks(parts: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Where the limbs that end in each person's joint (N,), of the COCO skeleton, show in silhouettes (N, R, R): bool.

    For nose, eyes and ears it is the head.
    """
    head = (PARTS.index("head"),)
    return np.stack([np.isin(part, KEYPOINT_PARTS[joint] or head) for part, joint in zip(parts, joints, strict=True)])


def share_within(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """How much of what is positive in maps (N, R, R) lies within masks (N, R, R): (N,); NaN for a map without anything positive."""
    positive = np.clip(maps, 0, None).astype(float)
    total = positive.sum((1, 2))
    return np.where(total > 0, (positive * masks).sum((1, 2)) / np.where(total > 0, total, 1), np.nan)


def mean_interval(values: np.ndarray, per: np.ndarray | None = None, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict:
    """{"mean", "low", "high", "people"} of values (N,) over people, or of their total over that of `per` (N,); NaN is left out.

    Where people share `pictures` (N,), the interval is over pictures.
    """
    counted = np.isfinite(values)
    under = (np.ones(len(values)) if per is None else per)[counted]
    shared = None if pictures is None else np.asarray(pictures)[counted]
    block = dict(zip(("mean", "low", "high"), metrics.interval(values[counted], under, pictures=shared, seed=seed), strict=True))
    return block | {"people": int(counted.sum())}


def student_interval(values: np.ndarray, *, family: int = 1) -> dict:
    """{"mean", "low", "high", "people"} of values (N,) over few people, by Student's t; by Bonferroni for a `family` of as many.

    Of a dozen people the percentile bootstrap of `mean_interval` holds the truth in 87 to 91 % of cases, this in 92 to 96 %.
    """
    spread = values.std(ddof=1) if len(values) > 1 else np.nan
    width = float(stats.t.ppf(1 - 0.025 / family, len(values) - 1) * spread / np.sqrt(len(values)))
    mean = float(values.mean())
    return {"mean": mean, "low": mean - width, "high": mean + width, "people": len(values)}
