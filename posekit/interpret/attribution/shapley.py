"""Shapley values of joints: how much each joint in sight holds every other one in its place, whatever else is in sight.

The players are joints, or groups of joints (XPose: Qiu et al., 2024). Without some of them, the squares over them are blurred away as in
`dependency`. A coalition is worth, for joint B, how near B's answer stays to that on the whole picture: less the distance in torso lengths,
at most 1. Shapley values share out what showing everything is worth over showing nothing: they are sampled by random orders of the players,
each with its reverse, and add up to that in every order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from posekit import metrics
from posekit.coordinates import view
from posekit.data.crops import Crops
from posekit.data.people import iterate
from posekit.engine.backend import Backend
from posekit.engine.inference.prediction import Fast, decode, predict_heatmaps
from posekit.engine.weights import Card
from posekit.errors import PosekitError, whole
from posekit.interpret.attribution.dependency import BATCH, FARTHEST, SIDE, person_view
from posekit.interpret.attribution.explain import blurred
from posekit.interpret.attribution.sanity import mean_interval
from posekit.skeleton import skeleton_of


@dataclass(frozen=True)
class Shapley:
    """N people's Shapley values.

    Attributes:
        values: (N, G, K) how many torso lengths nearer each joint (last axis) stays because a player is in sight; NaN where the player
            or the joint is not labelled.
        players: (G,) names.
        total: (N, K) what showing all players is worth over showing none: the sum of `values` over players.
    """

    values: np.ndarray
    players: tuple[str, ...]
    total: np.ndarray


def shapley(
    model: nn.Module, card: Card, crops: Crops, *, groups: Mapping[str, Sequence[str]] | None = None, orders: int = 4, seed: int = 0,
    backend: Backend | None = None,
) -> Shapley:  # fmt: skip
    """Sampled Shapley values of each joint, or of `groups` of joints by name, for where the network puts each joint.

    Args:
        orders: of the players, an even number; each takes as many pictures of a person as there are players, and one.

    Raises:
        PosekitError: the people have other joints than the network; nobody has a torso; an unknown joint in a group, or one in two;
            `orders` is odd or below 2.
    """
    orders, seed = whole("orders", orders, None), whole("seed", seed)
    skeleton = skeleton_of(card.skeleton)
    if crops.people.skeleton.joints != skeleton.joints:
        raise PosekitError(f"{card.name} knows the joints of {skeleton.name}, these people have those of {crops.people.skeleton.name}")
    if orders < 2 or orders % 2:
        raise PosekitError(f"orders is {orders}; each order comes with its reverse, so give 2, 4, 6, ...")
    try:
        players = {name: skeleton.index(*joints) for name, joints in (groups or {joint: [joint] for joint in skeleton.joints}).items()}
    except ValueError as error:
        raise PosekitError(str(error)) from None
    members = [k for joints in players.values() for k in joints]
    if twice := [skeleton.joints[k] for k in sorted(set(members)) if members.count(k) > 1]:
        raise PosekitError(f"{twice[0]} is in two groups; each joint is in one at most")
    backend = backend or Backend.best()
    network, random = Fast(model, backend, expected=len(crops) * (1 + orders * len(players))), np.random.default_rng(seed)
    torsos = metrics.torso(crops.keypoints, skeleton) * view(crops.size, card.resolution)[0, 0]
    values, totals = [], []
    for row in np.flatnonzero(torsos > 0).tolist():
        picture, points = person_view(crops, row, card)
        masks = player_masks(picture, points, SIDE * torsos[row], list(players.values()))
        playing = np.flatnonzero(masks.flatten(1).any(1).numpy())
        coalitions, ways = _coalitions(playing, len(players), orders, random)
        shown = torch.cat([picture, without(picture, masks, ~coalitions)])
        answers = [
            decode(predict_heatmaps(network, card, shown[part].to(backend.device))[:, -1], card, np.tile(np.eye(3), (len(part), 1, 1)))
            for part in iterate(len(shown), BATCH)
        ]
        found = np.concatenate(answers)[..., :2]
        worth = -np.minimum(np.linalg.norm(found[1:] - found[0], axis=-1) / torsos[row], FARTHEST)  # (coalitions, K)
        known = np.isfinite(points[:, 0])
        values.append(np.where(known, contributions(worth, ways, len(players), playing), np.nan))
        totals.append(np.where(known, worth[ways[0][len(playing)]] - worth[ways[0][0]], np.nan))
    if not values:
        raise PosekitError(f"{crops.people.source}: nobody has a torso to measure by; take people with shoulders and hips labelled")
    return Shapley(np.stack(values), tuple(players), np.stack(totals))


def own_share(found: Shapley, *, pictures: np.ndarray | None = None, seed: int = 0) -> dict:
    """How much of what showing all joints is worth for a joint is that joint's own value: {"mean", "low", "high", "people"} over people.

    The interval is over `pictures` (N,) where people share one. Players are single joints, in the skeleton's order.
    """
    own = np.einsum("nkk->nk", found.values)
    known = np.isfinite(own)
    return mean_interval(np.where(known, own, 0).sum(1), np.where(known, found.total, 0).sum(1), pictures=pictures, seed=seed)


def player_masks(picture: Tensor, points: np.ndarray, side: float, players: Sequence[Sequence[int]]) -> Tensor:
    """Which pixels (G, R, R) of a picture (1, 3, R, R) the squares over each player's joints cover; none of a joint at NaN."""
    grid = torch.arange(picture.shape[-1], dtype=torch.float64)
    middle = torch.as_tensor(np.nan_to_num(points, nan=-1e9))
    across, down = ((grid - middle[:, axis : axis + 1]).abs() <= side / 2 for axis in (0, 1))
    each = down[:, :, None] & across[:, None, :]
    return torch.stack([each[list(joints)].any(0) for joints in players])


def without(picture: Tensor, masks: Tensor, absent: np.ndarray) -> Tensor:
    """A picture (1, 3, R, R) for each coalition (C, 3, R, R), the squares (G, R, R) of who is `absent` (C, G) blurred away.

    Where the squares of one who is there and one who is not overlap, the pixels stay.
    """
    gone = torch.as_tensor(absent)
    hidden = torch.stack([masks[row].any(0) & ~masks[~row].any(0) for row in gone])
    return torch.where(hidden[:, None].to(picture.device), blurred(picture), picture)


def contributions(worth: np.ndarray, ways: Sequence[np.ndarray], count: int, playing: np.ndarray) -> np.ndarray:
    """The mean gain (G, K) of each of `count` players, of coalitions' worth (C, K); NaN for who does not play.

    Each of `ways` has the rows of P + 1 coalitions, from nobody to everybody, and behind them the P players as they join.
    """
    gains = np.full((count, worth.shape[1]), np.nan)
    gains[playing] = 0
    for way in ways:
        steps, order = way[: len(playing) + 1], way[len(playing) + 1 :]
        gains[order] += (worth[steps[1:]] - worth[steps[:-1]]) / len(ways)
    return gains


def _coalitions(playing: np.ndarray, count: int, orders: int, random: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
    """All coalitions of the drawn orders, each once, as rows (C, count) bool of who is there; and for each order the rows of the coalitions
    on the way from nobody to everybody, and behind them the players as they join.

    Who does not play is always there: nothing of them can be hidden.
    """
    rows: dict[bytes, int] = {}
    ways: list[np.ndarray] = []
    kept: list[np.ndarray] = []
    for _ in range(orders // 2):
        drawn = random.permutation(playing)
        for order in (drawn, drawn[::-1]):
            there = np.ones(count, bool)
            there[playing] = False
            way = []
            for player in (None, *order):
                if player is not None:
                    there[player] = True
                key = there.tobytes()
                if key not in rows:
                    rows[key] = len(kept)
                    kept.append(there.copy())
                way.append(rows[key])
            ways.append(np.concatenate([way, order]).astype(int))
    return np.stack(kept), ways
