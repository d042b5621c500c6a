"""What mannequins do: postures as ranges of joint angles, drawn at random."""

from dataclasses import dataclass

import numpy as np

from posekit.data.mannequins import athletic, everyday
from posekit.data.mannequins.bodies import MIRROR, TRUNK_ANGLES, clip_angles, mirror_angles, rest_angles


@dataclass
class Pose:
    """A posture with its angles, the turn of the whole body (heading apart), and what it rests on."""

    posture: int
    angles: dict[str, float]
    root: np.ndarray  # (3, 3)
    lift: float = 0.0  # metres between the ground and the lowest point
    prop: str = ""  # "seat", "bar", "wall", "block" or nothing


# Posture: how often, how much independent noise is added to every angle (degrees), and the function that draws it.
_POSTURES = {
    "standing": (5, 5, everyday.standing),
    "walking": (4, 5, everyday.walking),
    "running": (7, 8, everyday.running),
    "sitting": (5, 8, everyday.sitting),
    "squatting": (5, 8, everyday.squatting),
    "kneeling": (3, 8, everyday.kneeling),
    "bending": (8, 8, everyday.bending),
    "reaching": (4, 8, everyday.reaching),
    "arms raised": (4, 6, everyday.arms_raised),
    "lying": (4, 8, everyday.lying),
    "handstand": (13, 7, athletic.handstand),
    "cartwheel": (9, 7, athletic.cartwheel),
    "somersault": (10, 8, athletic.somersault),
    "jumping": (9, 8, athletic.jumping),
    "splits": (4, 6, athletic.splits),
    "climbing": (6, 8, athletic.climbing),
    "hanging": (4, 6, athletic.hanging),
    "kicking": (4, 8, athletic.kicking),
    "lunging": (4, 8, athletic.lunging),
    "throwing": (3, 8, athletic.throwing),
    "vaulting": (10, 8, athletic.vaulting),
    "bridging": (6, 6, athletic.bridging),
    "wild": (12, 0, athletic.wild),
}
POSTURES: tuple[str, ...] = tuple(_POSTURES)
_WEIGHTS = np.cumsum([weight for weight, _, _ in _POSTURES.values()]) / sum(weight for weight, _, _ in _POSTURES.values())


def draw_pose(rng: np.random.Generator, posture: int | None = None) -> Pose:
    """Draw a posture and its angles within the anatomical limits; left and right are exchangeable."""
    if posture is None:
        posture = int(np.searchsorted(_WEIGHTS, rng.random(), side="right"))
    _, spread, draw = _POSTURES[POSTURES[posture]]
    angles = rest_angles()
    angles.update(turn=rng.normal(0, 18), tilt=rng.normal(0, 5), nod=rng.normal(0, 8))
    root, lift, prop = draw(angles, lambda low, high: low + (high - low) * rng.random())
    noise = rng.normal(0, spread, len(angles))
    angles = {
        name: value + (0.5 if name in TRUNK_ANGLES else 1) * float(e) for (name, value), e in zip(angles.items(), noise, strict=False)
    }
    if rng.random() < 0.5:
        angles, root = mirror_angles(angles), root * MIRROR
    return Pose(posture, clip_angles(angles), root, float(lift), prop)
