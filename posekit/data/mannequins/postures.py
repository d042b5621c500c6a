"""What mannequins do: postures as ranges of joint angles, drawn at random."""

import math
from dataclasses import dataclass

import numpy as np

from posekit.data.mannequins.bodies import LIMITS, MIRROR, TRUNK_ANGLES, clip_angles, mirror_angles, rest_angles, rotation


@dataclass
class Pose:
    """A posture with its angles, the turn of the whole body (heading apart), and what it rests on."""

    posture: int
    angles: dict[str, float]
    root: np.ndarray  # (3, 3)
    lift: float = 0.0  # metres between the ground and the lowest point
    prop: str = ""  # "seat", "bar", "wall", "block" or nothing


def _both(angles, **values):
    for name, value in values.items():
        angles["left " + name] = angles["right " + name] = value


def _left(angles, **values):
    angles.update({"left " + name: value for name, value in values.items()})


def _right(angles, **values):
    angles.update({"right " + name: value for name, value in values.items()})


def _flat_feet(angles, pitch=0.0):
    for side in ("left ", "right "):
        angles[side + "ankle"] = angles[side + "hip"] - angles[side + "knee"] - pitch


def _casual_arms(angles, u):
    for side in ("left ", "right "):
        kind = u(0, 1)
        if kind < 0.5:
            change = {"elevation": u(3, 25), "azimuth": u(-10, 70), "elbow": u(3, 45)}
        elif kind < 0.65:  # hand on the hip
            change = {"elevation": u(30, 50), "azimuth": u(-25, 10), "roll": u(40, 70), "elbow": u(85, 115)}
        elif kind < 0.85:  # something held in front of the body
            change = {"elevation": u(10, 45), "azimuth": u(50, 100), "roll": u(10, 60), "elbow": u(60, 120)}
        else:
            change = {"elevation": u(40, 110), "azimuth": u(0, 100), "elbow": u(0, 60)}
        angles.update({side + name: value for name, value in change.items()})


def _standing(a, u):
    shift = u(-1, 1)
    a.update(side=4 * shift, twist=u(-12, 12))
    _casual_arms(a, u)
    _left(a, knee=max(0.0, 18 * shift), hip=max(0.0, 10 * shift), abduction=u(1, 12))
    _right(a, abduction=u(1, 12))
    _flat_feet(a)
    return np.eye(3), 0.0, ""


def _walking(a, u):
    phase, stride = u(0, 2 * math.pi), u(18, 32)
    s, c = math.sin(phase), math.cos(phase)
    a.update(lean=u(0, 8), twist=8 * s)
    _left(
        a,
        hip=5 + stride * s,
        knee=8 + 45 * max(0.0, c) ** 1.5,
        elevation=abs(-stride * s) + 4,
        azimuth=90 if s < 0 else -80,
        elbow=u(10, 45),
    )
    _right(
        a,
        hip=5 - stride * s,
        knee=8 + 45 * max(0.0, -c) ** 1.5,
        elevation=abs(stride * s) + 4,
        azimuth=90 if s > 0 else -80,
        elbow=u(10, 45),
    )
    a["left azimuth"], a["right azimuth"] = max(a["left azimuth"], -45), max(a["right azimuth"], -45)
    return np.eye(3), 0.0, ""


def _running(a, u):
    phase, stride = u(0, 2 * math.pi), u(35, 62)
    s, c = math.sin(phase), math.cos(phase)
    pitch = u(3, 18)
    a.update(lean=u(0, 14), twist=18 * s, nod=-u(0, 12))
    for side, sign in (("left ", 1), ("right ", -1)):
        swing = sign * s
        a[side + "hip"] = 22 + stride * swing
        a[side + "knee"] = 18 + 85 * max(0.0, sign * c) + 45 * max(0.0, swing) * (1 - max(0.0, sign * c))
        a[side + "ankle"] = 25 * max(0.0, -swing)
        a[side + "elevation"] = 12 + 42 * abs(swing)
        a[side + "azimuth"] = 80 if swing < 0 else -40
        a[side + "elbow"] = u(70, 115)
        a[side + "roll"] = u(0, 35)
    return rotation(0, pitch), u(0, 0.25) * (u(0, 1) < 0.5), ""


def _sitting(a, u):
    kind = u(0, 1)
    _casual_arms(a, u)
    if kind < 0.55:
        back = u(-18, 12)
        a.update(lean=u(-5, 25), twist=u(-10, 10))
        spread = u(0, 25)
        _both(a, hip=90 + back, abduction=spread, rotation=-spread * u(0, 0.6))
        _left(a, knee=u(60, 105))
        _right(a, knee=u(60, 105))
        _flat_feet(a, back)
        return rotation(0, back), 0.0, "seat"
    back = -u(5, 35)
    a.update(lean=u(10, 45))
    for side in ("left ", "right "):
        if u(0, 1) < 0.6:
            a[side + "hip"], a[side + "knee"] = 85 + u(0, 40) + back, u(70, 130)
        else:
            a[side + "hip"], a[side + "knee"] = 85 + back, u(0, 15)
        a[side + "abduction"] = u(0, 40)
        a[side + "rotation"] = u(0, 35)
        a[side + "ankle"] = u(0, 35)
    return rotation(0, back), 0.0, ""


def _squatting(a, u):
    pitch = u(15, 50)
    depth = u(60, 105)
    a.update(lean=u(5, 35), nod=-u(0, 35))
    for side in ("left ", "right "):
        a[side + "hip"] = depth + pitch * 0.6 + u(-12, 12)
        a[side + "knee"] = depth + 15 + u(-15, 15)
        a[side + "abduction"], a[side + "rotation"] = u(5, 35), u(0, 25)
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(15, 95), u(40, 110), u(0, 90)
    _flat_feet(a, pitch)
    return rotation(0, pitch), 0.0, "block" if u(0, 1) < 0.25 else ""


def _kneeling(a, u):
    a.update(lean=u(0, 35))
    _casual_arms(a, u)
    if u(0, 1) < 0.5:
        _left(a, hip=u(75, 100), knee=u(80, 110))
        _right(a, hip=u(-10, 15), knee=u(80, 105), ankle=u(10, 50))
    else:
        sit = u(0, 1)
        _both(a, hip=75 * sit, knee=90 + 50 * sit, ankle=50)
    return rotation(0, u(-5, 15)), 0.0, ""


def _bending(a, u):
    pitch, knee = u(30, 95), u(0, 50)
    a.update(lean=u(5, 50), nod=-u(-10, 40))
    _both(a, hip=pitch + knee * 0.5, knee=knee)
    for side in ("left ", "right "):
        a[side + "hip"] += u(-15, 15)
        a[side + "abduction"] = u(0, 22)
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(30, 130), u(50, 110), u(0, 45)
    _flat_feet(a, pitch)
    return rotation(0, pitch), 0.0, "block" if u(0, 1) < 0.2 else ""


def _reaching(a, u):
    _casual_arms(a, u)
    a.update(lean=u(-10, 30), side=u(-20, 20), twist=u(-30, 30))
    _left(a, elevation=u(60, 170), azimuth=u(0, 110), elbow=u(0, 35))
    _left(a, hip=u(-10, 45), knee=u(0, 50), abduction=u(0, 30))
    _right(a, hip=u(-15, 25), knee=u(0, 30), abduction=u(0, 30))
    _flat_feet(a)
    return rotation(0, u(-5, 15)), 0.0, ""


def _arms_raised(a, u):
    wide = u(0, 80)
    for side in ("left ", "right "):
        a[side + "elevation"] = u(115, 176) if u(0, 1) < 0.7 else u(80, 110)
        a[side + "azimuth"], a[side + "elbow"], a[side + "roll"] = (
            wide + u(-15, 15),
            u(0, 1) ** 2 * 110,
            u(-30, 30),
        )
        a[side + "abduction"] = u(0, 25)
    a.update(lean=u(-15, 8), nod=u(-30, 15))
    _left(a, hip=u(-5, 15), knee=u(0, 25))
    _flat_feet(a)
    return np.eye(3), 0.0, ""


def _lying(a, u):
    _casual_arms(a, u)
    for side in ("left ", "right "):
        if u(0, 1) < 0.5:
            a[side + "hip"], a[side + "knee"] = u(20, 90), u(30, 120)
        a[side + "abduction"], a[side + "ankle"] = u(0, 30), u(10, 45)
        if u(0, 1) < 0.35:
            a[side + "elevation"], a[side + "azimuth"] = u(80, 175), u(-10, 60)
    kind = u(0, 1)
    if kind < 0.45:
        root = rotation(0, -90 + u(-8, 25))
    elif kind < 0.75:
        root = rotation(0, 90 + u(-30, 5))
        a["lean"] = u(-30, 0)
        _both(a, hip=u(-15, 10))
    else:
        root = rotation(2, 90) @ rotation(1, u(-50, 50))
    return root, 0.0, ""


def _handstand(a, u):
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = (
            u(150, 178),
            u(0, 90),
            u(0, 1) ** 3 * 70,
        )
        a[side + "ankle"] = u(15, 55)
    a.update(lean=u(-25, 12), nod=-u(0, 45))
    kind = u(0, 1)
    if kind < 0.4:
        _both(a, hip=u(-10, 15), knee=u(0, 12), abduction=u(0, 8))
    elif kind < 0.75:
        _left(a, hip=u(0, 80), knee=u(0, 60), abduction=u(0, 45))
        _right(a, hip=u(-30, 20), knee=u(0, 80), abduction=u(0, 45))
    else:
        _both(a, hip=u(40, 110), knee=u(20, 130), abduction=u(0, 50))
    return rotation(2, 180 + u(-25, 25)) @ rotation(0, u(-25, 25)), 0.0, ""


def _cartwheel(a, u):
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(110, 175), u(-10, 35), u(0, 25)
        a[side + "abduction"], a[side + "hip"], a[side + "knee"], a[side + "ankle"] = (
            u(20, 65),
            u(-15, 25),
            u(0, 25),
            u(10, 50),
        )
    a.update(side=u(-25, 25))
    return rotation(2, u(50, 180)) @ rotation(0, u(-20, 20)), u(0, 0.3) * (u(0, 1) < 0.4), ""


def _somersault(a, u):
    tuck = u(0, 1)
    for side in ("left ", "right "):
        a[side + "hip"] = 25 + 95 * tuck + u(-12, 12)
        a[side + "knee"] = 125 * tuck * u(0.5, 1)
        a[side + "ankle"], a[side + "abduction"] = u(5, 50), u(0, 20)
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(20, 150), u(10, 100), u(0, 90)
    a.update(lean=60 * tuck * u(0.4, 1), nod=u(0, 40) * tuck)
    return rotation(0, u(-180, 180)) @ rotation(2, u(-25, 25)), u(0.3, 1.5), ""


def _jumping(a, u):
    for side in ("left ", "right "):
        a[side + "hip"], a[side + "knee"], a[side + "abduction"] = u(-20, 100), u(0, 120), u(0, 40)
        a[side + "ankle"] = u(0, 50)
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = (
            u(20, 175),
            u(-30, 110),
            u(0, 1) ** 1.5 * 110,
        )
    if u(0, 1) < 0.4:
        tuck = u(0, 1)
        _both(a, hip=20 + 90 * tuck, knee=20 + 105 * tuck)
        a["right hip"] += u(-15, 15)
        a["right knee"] += u(-15, 15)
    a.update(lean=u(-25, 35), twist=u(-20, 20), side=u(-10, 10))
    return rotation(0, u(-30, 40)) @ rotation(2, u(-20, 20)), u(0.15, 1.3), "block" if u(0, 1) < 0.15 else ""


def _splits(a, u):
    for side in ("left ", "right "):
        a[side + "knee"], a[side + "ankle"] = u(0, 20), u(20, 55)
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(50, 160), u(0, 60), u(0, 30)
    if u(0, 1) < 0.6:
        opening = u(60, 125)
        _left(a, hip=opening)
        _right(a, hip=u(-30, 0), abduction=u(0, 30), knee=u(0, 70))
        root = rotation(0, u(-10, 30))
    else:
        spread = u(50, 80)
        _both(a, abduction=spread, hip=u(0, 75))
        root = rotation(0, u(-10, 25))
    a.update(lean=u(-15, 20), twist=u(-20, 20))
    return root, u(0, 0.9) * (u(0, 1) < 0.6), ""


def _climbing(a, u):
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(70, 172), u(30, 95), u(5, 115)
        a[side + "hip"], a[side + "knee"] = u(0, 115), u(10, 125)
        a[side + "abduction"], a[side + "rotation"], a[side + "ankle"] = u(5, 50), u(0, 40), u(-10, 45)
    a.update(lean=u(-10, 15), nod=-u(0, 45), turn=u(-40, 40), side=u(-15, 15))
    return rotation(0, u(-15, 20)), u(0.2, 2.0), "wall" if u(0, 1) < 0.7 else ""


def _hanging(a, u):
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = (
            u(155, 177),
            u(0, 90),
            u(0, 1) ** 2 * 110,
        )
    legs = u(0, 1)
    _both(
        a,
        hip=u(-15, 20) if legs < 0.5 else u(20, 110),
        knee=u(0, 100),
        ankle=u(10, 50),
        abduction=u(0, 15 if legs < 0.7 else 55),
    )
    a["left hip"] += u(-15, 15)
    a["left knee"] += u(-15, 15)
    return rotation(0, u(-45, 45)), u(0.3, 1.5), "bar"


def _kicking(a, u):
    a.update(lean=u(-15, 25), side=u(-20, 20), twist=u(-30, 30))
    _left(a, hip=u(35, 120), knee=u(0, 70), abduction=u(0, 50), ankle=u(0, 50))
    _right(a, hip=u(-20, 20), knee=u(0, 40))
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(20, 110), u(-30, 90), u(10, 120)
    return rotation(0, u(-25, 10)) @ rotation(2, u(-15, 15)), u(0, 0.5) * (u(0, 1) < 0.3), ""


def _lunging(a, u):
    _left(a, hip=u(50, 110), knee=u(50, 105), abduction=u(0, 35))
    _right(a, hip=-u(0, 28), knee=u(0, 50), ankle=-u(0, 20), abduction=u(0, 25))
    a.update(lean=u(-10, 40), twist=u(-35, 35))
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(10, 130), u(-40, 110), u(0, 115)
    return rotation(0, u(-5, 40)), 0.0, ""


def _throwing(a, u):
    _left(a, elevation=u(70, 130), azimuth=u(-40, 30), elbow=u(40, 120), roll=-u(40, 80))
    _right(a, elevation=u(40, 110), azimuth=u(30, 110), elbow=u(0, 80))
    _left(a, hip=u(-25, 30), knee=u(10, 70), abduction=u(0, 30))
    _right(a, hip=u(0, 80), knee=u(0, 80), abduction=u(0, 30))
    a.update(lean=u(-20, 35), twist=u(-40, 40), side=u(-25, 15))
    return rotation(0, u(-15, 20)), 0.0, ""


def _vaulting(a, u):
    """Hands on an obstacle or on the ground, the body above, to the side or stretched out behind."""
    pitch = u(25, 110)
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = (
            u(50, 110) * 0.5 + pitch * 0.5,
            u(60, 100),
            u(0, 45),
        )
        a[side + "hip"], a[side + "knee"] = u(-20, 115), u(0, 115)
        a[side + "abduction"], a[side + "ankle"] = u(0, 55), u(0, 45)
    if u(0, 1) < 0.35:
        _both(a, hip=u(-10, 15), knee=u(0, 15))
    if u(0, 1) < 0.3:
        _left(a, elevation=u(20, 120), azimuth=u(-30, 60))
    a.update(lean=u(-15, 35), nod=-u(0, 45))
    return rotation(0, pitch) @ rotation(2, u(-25, 25)), 0.0, "block" if u(0, 1) < 0.5 else ""


def _bridging(a, u):
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(140, 178), u(20, 90), u(0, 30)
        a[side + "hip"], a[side + "knee"], a[side + "abduction"] = u(-30, 0), u(30, 90), u(0, 20)
    a.update(lean=-u(20, 40), nod=-u(10, 50))
    return rotation(0, -u(40, 140)), 0.0, ""


def _wild(a, u):
    for name in a:
        low, high = LIMITS[name.split()[-1]]
        middle, half = (low + high) / 2, (high - low) / 2
        a[name] = middle + half * u(-1, 1)
    for name in TRUNK_ANGLES:
        a[name] *= 0.7
    if u(0, 1) < 0.25:
        return rotation(0, u(-40, 50)) @ rotation(2, u(-30, 30)), u(0, 1.5) * (u(0, 1) < 0.5), ""
    return (
        rotation(1, u(-180, 180)) @ rotation(0, math.degrees(math.acos(u(-1, 1)))) @ rotation(1, u(-180, 180)),
        u(0, 1.5),
        "",
    )


# Posture: how often, how much independent noise is added to every angle (degrees), and the function that draws it.
_POSTURES = {
    "standing": (5, 5, _standing), "walking": (4, 5, _walking), "running": (7, 8, _running), "sitting": (5, 8, _sitting),
    "squatting": (5, 8, _squatting), "kneeling": (3, 8, _kneeling), "bending": (8, 8, _bending), "reaching": (4, 8, _reaching),
    "arms raised": (4, 6, _arms_raised), "lying": (4, 8, _lying), "handstand": (13, 7, _handstand),
    "cartwheel": (9, 7, _cartwheel), "somersault": (10, 8, _somersault), "jumping": (9, 8, _jumping),
    "splits": (4, 6, _splits), "climbing": (6, 8, _climbing), "hanging": (4, 6, _hanging), "kicking": (4, 8, _kicking),
    "lunging": (4, 8, _lunging), "throwing": (3, 8, _throwing), "vaulting": (10, 8, _vaulting), "bridging": (6, 6, _bridging),
    "wild": (12, 0, _wild),
}  # fmt: skip
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
