"""What a network can do without: activations replaced after training, and what the predictions lose by it.

    crops = crops.select(mixed(crops.people.names))
    ways = {"zero": zero, "mean": mean(model, card, others, skip_hook_points(model)), "another's": resample}
    keypoints = ablate(model, card, crops, skip_groups(model), ways)["skip1"]["mean"]

A network never saw its activations replaced while it was trained, so what it loses is an upper bound of what it needs: zero
may lie far outside what the next layer knows, the mean over people lies amidst it, and another person's activation is one
that occurs, only not here. What a network needs that could adapt shows when it is trained without (`HourglassConfig.skips`).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count

import numpy as np
import torch
from scipy.stats import permutation_test, rankdata
from torch import Tensor, nn

from posekit import metrics
from posekit.data.crops import Crops
from posekit.data.people import People
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import by_modules, predict_crops
from posekit.engine.weights import Card
from posekit.errors import PosekitError
from posekit.hooks import Edit, edit, hook_points
from posekit.interpret.analysis.shared import owners, people_of
from posekit.skeleton import Skeleton

BATCH = 64  # people predicted at once, among whom another person is looked for


def tested_and_others(people: People, most: int, seed: int = 0) -> tuple[People, People]:
    """Test people, at most `most`, and as many others for means: the splits test and val, or halves where there is one split alone."""
    if {"test", "val"} <= set(people.splits):
        return people.split("test").at_most(most, seed), people.split("val").at_most(most, seed)
    half = np.random.default_rng(seed).permutation(len(people))
    return people[np.sort(half[::2])].at_most(most, seed), people[np.sort(half[1::2])].at_most(most, seed)


def zero(activation: Tensor, name: str) -> Tensor:
    """The edit that leaves nothing."""
    return torch.zeros_like(activation)


def resample(activation: Tensor, name: str) -> Tensor:
    """The edit that gives each person (B, C, H, W) the activation of the one half a batch away; see `mixed`.

    Raises:
        PosekitError: a batch of one person.
    """
    if len(activation) < 2:
        raise PosekitError(f"{name}: a batch of one person has nobody else's activation; give more people")
    return activation.roll(len(activation) // 2, 0)


def mixed(pictures: np.ndarray, seed: int = 0, batch: int = BATCH) -> np.ndarray:
    """An order (N,) of people in which `resample` takes from nobody the activation of a person in the same picture.

    Batches are drawn at random; each is sorted by picture, so that half a batch away is another one. `pictures` (N,) names
    each person's picture; predict with batches of `batch_size(N, batch)`.

    Raises:
        PosekitError: fewer than two people, or half of those who meet in a batch are in one picture.
    """
    order = np.random.default_rng(seed).permutation(len(pictures))
    size = batch_size(len(pictures), batch)
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        rows = rows[np.argsort(pictures[rows], kind="stable")]
        if (pictures[rows] == pictures[np.roll(rows, len(rows) // 2)]).any():
            raise PosekitError(
                f"half of {len(rows)} people are in the picture {pictures[rows][len(rows) // 2]}, so another picture's person "
                "cannot stand in for each; give more people"
            )
        order[start : start + size] = rows
    return order


def batch_size(people: int, batch: int = BATCH) -> int:
    """The largest batch up to `batch` that leaves nobody alone in the last one, or if there is none, the least above.

    Raises:
        PosekitError: fewer than two people.
    """
    if people < 2:
        raise PosekitError(f"{people} people: another person's activation needs at least two")
    return next(size for size in chain(range(batch, 1, -1), count(batch + 1)) if people % size != 1)


def means(
    model: nn.Module, card: Card, crops: Crops, names: Iterable[str], *, backend: Backend | None = None, batch: int = BATCH,
) -> dict[str, Tensor]:  # fmt: skip
    """The mean over people of each named activation (C, H, W), float32, a value for each channel and position."""
    names = list(names)
    sums: dict[str, Tensor] = {}
    if not names:
        return {}
    backend = backend or Backend.best()
    network = by_modules(model, backend)

    def add(activation: Tensor, name: str) -> None:
        total = activation.sum(0, dtype=torch.float64)
        sums[name] = sums[name] + total if name in sums else total

    with edit(model, dict.fromkeys(names, add)):
        predict_crops(model, card, crops, backend=backend, network=network, batch=batch)
    return {name: (total / len(crops)).float() for name, total in sums.items()}


def mean(
    model: nn.Module, card: Card, others: Crops, names: Iterable[str], *, backend: Backend | None = None, batch: int = BATCH,
) -> Edit:  # fmt: skip
    """The edit that gives everybody the mean activation of `others`.

    `others` are people on whom nothing is measured: of the validation split, say. Only at `names` does it know a mean.
    """
    known = means(model, card, others, names, backend=backend, batch=batch)

    def averaged(activation: Tensor, name: str) -> Tensor:
        if name not in known:
            raise PosekitError(f"{name}: its mean is not known, but those of {', '.join(known) or 'nothing'}; name it for the means")
        return known[name].to(activation.dtype).expand_as(activation)

    return averaged


def skip_hook_points(model: nn.Module) -> list[str]:
    """The hook points of all skip connections: `stack0.skip1`, ... of an hourglass, level 1 (the finest) first.

    Raises:
        PosekitError: the network has none, or does not name them.
    """
    groups = getattr(model, "skip_groups", None)
    if groups is None:
        raise PosekitError(f"a {type(model).__name__} names no skip connections to replace; give an hourglass")
    if not groups():
        raise PosekitError("this network was built without skip connections (config: skips false), or adapted without naming them "
                           "(posekit.adapt(..., skips=NAMES)); give one that has them")  # fmt: skip
    named = {name for names in groups().values() for name in names}
    return [name for name in hook_points(model) if name in named]


def skip_groups(model: nn.Module) -> dict[str, list[str]]:
    """What is replaced together: each level in all stacks, by `skip1`, ..., and `all`.

    Raises:
        PosekitError: as `skip_hook_points`; or a group of the network's own is called `all` and is not all of them.
    """
    every = skip_hook_points(model)
    groups = model.skip_groups()  # type: ignore[operator]
    if set(groups.get("all", every)) != set(every):
        raise PosekitError(f"skips: the group 'all' is {', '.join(groups['all'])}, but 'all' is taken: it is every skip connection; give "
                           "it another name")  # fmt: skip
    return {**groups, "all": every}


def ablate(
    model: nn.Module, card: Card, crops: Crops, groups: Mapping[str, Sequence[str]], ways: Mapping[str, Edit], *,
    backend: Backend | None = None, batch: int = BATCH,
) -> dict[str, dict[str, np.ndarray]]:  # fmt: skip
    """Keypoints (stacks, N, K, 3), as `predict_crops` gives them, by group of hook points and way of replacing them.

    All hook points of a group are replaced at once. `crops` are in the order of `mixed` for the way `resample`.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    for group, names in groups.items():
        if not len(names):
            raise PosekitError(f"{group}: no hook point to replace; name one at least, or leave the group out")
        for way, function in ways.items():
            with edit(model, dict.fromkeys(names, function)):
                found.setdefault(group, {})[way] = intact(model, card, crops, backend=backend, batch=batch)
    return found


def intact(model: nn.Module, card: Card, crops: Crops, *, backend: Backend | None = None, batch: int = BATCH) -> np.ndarray:
    """Keypoints (stacks, N, K, 3) of the network as it is, through the very path that `ablate` takes."""
    backend = backend or Backend.best()
    network = by_modules(model, backend)
    size = batch_size(len(crops), batch) if len(crops) > 1 else 1
    return predict_crops(model, card, crops, backend=backend, network=network, batch=size)


def summary(
    hits: np.ndarray, reference: np.ndarray, skeleton: Skeleton, *, pictures: np.ndarray | None = None, seed: int = 0
) -> dict:  # fmt: skip
    """The score of hits (N, K) and its paired change from `reference` (N, K), for all joints and for each.

    Intervals are over people, or over `pictures` (N,) where people share one.

    Returns:
        `mean`, `low` and `high` of the score; under `change` those of the change, and the number of people; under `joints` the share
        found by name, and under `joint changes` the change of each. A joint that nobody has labelled is left out.
    """
    counted = np.isfinite(hits)
    low_high = metrics.interval(np.nansum(hits, 1), counted.sum(1), pictures=pictures, seed=seed)
    known = [(k, name) for k, name in enumerate(skeleton.joints) if counted[:, k].any()]
    return {
        **dict(zip(("mean", "low", "high"), low_high, strict=True)),
        "change": metrics.paired_difference(hits, reference, pictures=pictures, seed=seed),
        "joints": {name: float(np.nanmean(hits[:, k])) for k, name in known},
        "joint changes": {
            name: metrics.paired_difference(hits[:, [k]], reference[:, [k]], pictures=pictures, seed=seed) for k, name in known
        },
    }  # fmt: skip


def by_person(hits: np.ndarray) -> np.ndarray:
    """The share of each person's labelled joints found, (N,); NaN where none is labelled."""
    counts = np.isfinite(hits).sum(1)
    return np.where(counts > 0, np.nansum(hits, 1) / np.maximum(counts, 1), np.nan)


def kinds(skeleton: Skeleton) -> dict[str, list[int]]:
    """Joints without their side: `wrist` to the indices of both wrists, `nose` to that of the nose."""
    found: dict[str, list[int]] = {}
    for k, name in enumerate(skeleton.joints):
        found.setdefault(name.removeprefix("left ").removeprefix("right "), []).append(k)
    return found


def kind_changes(
    hits: np.ndarray, reference: np.ndarray, skeleton: Skeleton, *, pictures: np.ndarray | None = None, seed: int = 0
) -> dict[str, dict]:  # fmt: skip
    """The paired change of hits (N, K) from `reference` (N, K) by kind of joint, left and right together; kinds nobody has are left out.

    Intervals as in `summary`.
    """
    return {
        kind: metrics.paired_difference(hits[:, index], reference[:, index], pictures=pictures, seed=seed)
        for kind, index in kinds(skeleton).items()
        if np.isfinite(reference[:, index]).any()
    }


def sizes(skeleton: Skeleton) -> dict[str, float]:
    """How large each kind of joint is: COCO's sigma, the spread of annotators over the person's scale.

    Kinds that COCO gives none (`Skeleton.borrowed`) are left out.
    """
    return {
        kind: skeleton.sigmas[index[0]] for kind, index in kinds(skeleton).items() if skeleton.joints[index[0]] not in skeleton.borrowed
    }


def small_joints(
    hits: np.ndarray, reference: np.ndarray, skeleton: Skeleton, *, relative: bool = False, pictures: np.ndarray | None = None,
    seed: int = 0, resamples: int = 1000,
) -> dict:  # fmt: skip
    """Do small joints lose most? Spearman's correlation over kinds of joint, of the joint's size with what it loses.

    Over the kinds whose size is known: see `sizes`. The loss is the fall of the share found from `reference` (N, K) to `hits`
    (N, K), or with `relative` that fall over the share found before. Negative: the smaller, the more it loses.

    Returns:
        `mean`, `low`, `high`, `p`, `kinds` and `loss`. `low` and `high` are a 95 % bootstrap interval over people (or pictures), for
        these joints; `p` is the two-sided permutation test over joints, which are few: a correlation that it does not support may
        be chance however many people there are. `loss` is by kind. All but `loss` are None where fewer than 4 kinds are
        labelled or all lose alike.
    """
    known = sizes(skeleton)
    groups = {kind: index for kind, index in kinds(skeleton).items() if kind in known}
    valid = np.isfinite(hits) & np.isfinite(reference)
    before = np.stack([np.where(valid, reference, 0)[:, k].sum(1) for k in groups.values()], 1)
    after = np.stack([np.where(valid, hits, 0)[:, k].sum(1) for k in groups.values()], 1)
    counts = np.stack([valid[:, k].sum(1) for k in groups.values()], 1)
    under = before if relative else counts
    some = under.sum(0) > 0
    before, after, under, size = before[:, some], after[:, some], under[:, some], np.array(list(known.values()))[some]

    def loss(weight: np.ndarray) -> np.ndarray:
        return weight @ (before - after) / np.maximum(weight @ under, 1)

    once = loss(np.ones(len(hits)))
    names = [name for name, kept in zip(groups, some, strict=True) if kept]
    result = dict.fromkeys(("mean", "low", "high", "p")) | {"kinds": len(names), "loss": dict(zip(names, once.tolist(), strict=True))}
    if len(names) < 4 or np.ptp(once) == 0 or np.ptp(size) == 0:
        return result
    random = np.random.default_rng(seed)
    owner, units = owners(pictures, len(hits))
    drawn = (people_of(random.integers(units, size=units), owner) for _ in range(resamples))
    draws = [loss(np.bincount(people, minlength=len(hits))) for people in drawn]
    low, high = np.quantile([rank_correlation(size, draw) for draw in draws], [0.025, 0.975])
    test = permutation_test(
        (once,), lambda x: rank_correlation(size, x), permutation_type="pairings", n_resamples=resamples * 10 - 1, rng=random,
    )  # fmt: skip
    return result | {"mean": rank_correlation(size, once), "low": float(low), "high": float(high), "p": float(test.pvalue)}


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's correlation of x (N,) and y (N,), ties at their mean rank; 0 where one of them does not vary."""
    x, y = rankdata(x), rankdata(y)
    x, y = x - x.mean(), y - y.mean()
    norm = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / norm) if norm else 0.0


def parameter_count(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
