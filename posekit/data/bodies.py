"""Articulated bodies for the mannequins: skeleton, postures, anthropometry and clothing.

A body stands in a right-handed frame of its own: x to the person's left, y up, z forward, metres, the
middle of the hips at the origin. Angles are degrees. Every right limb is the mirror image of the left one,
so that nothing in here prefers a side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

BONES = (
    "pelvis", "abdomen", "chest", "neck", "head",
    "left upper arm", "left forearm", "left hand", "right upper arm", "right forearm", "right hand",
    "left thigh", "left shin", "left foot", "right thigh", "right shin", "right foot",
)  # fmt: skip
PARENTS = (-1, 0, 1, 2, 3, 2, 5, 6, 2, 8, 9, 0, 11, 12, 0, 14, 15)
# Where a bone begins in its parent's frame, for an average adult of 1.73 m.
OFFSETS = np.array([
    (0, 0, 0), (0, 0.10, 0), (0, 0.12, 0), (0, 0.27, -0.01), (0, 0.09, 0.01),
    (0.18, 0.225, -0.01), (0, -0.29, 0), (0, -0.26, 0), (-0.18, 0.225, -0.01), (0, -0.29, 0), (0, -0.26, 0),
    (0.095, 0, 0), (0, -0.42, 0), (0, -0.42, 0), (-0.095, 0, 0), (0, -0.42, 0), (0, -0.42, 0),
])  # fmt: skip
ADULT = 1.73

_RIGHT = [8, 9, 10, 14, 15, 16]
# Bones as far from the pelvis as each other, and their parents.
_GENERATIONS = tuple(
    (list(bones), [PARENTS[bone] for bone in bones]) for bones in ((1, 11, 14), (2, 12, 15), (3, 5, 8, 13, 16), (4, 6, 9), (7, 10))
)

PARTS = (
    "not the person", "head", "torso",
    "left upper arm", "left forearm", "left hand", "right upper arm", "right forearm", "right hand",
    "left thigh", "left shin", "left foot", "right thigh", "right shin", "right foot",
)  # fmt: skip
PART_OF_BONE = np.array([2, 2, 2, 2, 1, *range(3, 15)])

KEYPOINTS = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee",
    "left ankle",
    "right ankle",
)  # fmt: skip
KEYPOINT_BONES = np.array([4, 4, 4, 4, 4, 5, 8, 6, 9, 7, 10, 11, 14, 12, 15, 13, 16])
# In the bone's frame: places on the surface of the head; the other joints are where their bones begin.
KEYPOINT_PLACES = np.zeros((17, 3))
KEYPOINT_PLACES[:5] = [
    (0, 0.072, 0.124), (0.032, 0.108, 0.094), (-0.032, 0.108, 0.094), (0.092, 0.092, -0.005), (-0.092,
    0.092, -0.005),
]  # fmt: skip
# How deep a visible joint may lie under its own body's surface, metres for an average adult.
KEYPOINT_DEPTHS = np.array([0.03, 0.03, 0.03, 0.03, 0.03] + [0.1] * 2 + [0.075] * 2 + [0.06] * 2 + [0.155] * 2 + [0.1] * 2 + [0.075] * 2)
# Parts whose surface shows the joint however deep it lies.
KEYPOINT_PARTS = (
    (), (), (), (), (), (3,), (6,), (3, 4), (6, 7), (4, 5), (7, 8), (9,), (12,), (9, 10), (12, 13), (10,
    11), (13, 14),
)  # fmt: skip
PART_SHOWS = np.array([[part in shown for part in range(len(PARTS))] for shown in KEYPOINT_PARTS])  # (17, 15)

TRUNK_ANGLES = ("lean", "side", "twist", "nod", "tilt", "turn")
LIMB_ANGLES = (
    "elevation",
    "azimuth",
    "roll",
    "elbow",
    "wrist",
    "hip",
    "abduction",
    "rotation",
    "knee",
    "ankle",
)
LIMITS = {
    "lean": (-40, 65), "side": (-35, 35), "twist": (-45, 45), "nod": (-50, 50), "tilt": (-30, 30),
    "turn": (-70, 70),
    "elevation": (0, 178), "azimuth": (-45, 130), "roll": (-80, 80), "elbow": (0, 148), "wrist": (-50, 50),
    "hip": (-30, 128), "abduction": (-18, 80), "rotation": (-35, 45), "knee": (0, 145), "ankle": (-25, 55),
}  # fmt: skip
REST = {
    "lean": 0, "side": 0, "twist": 0, "nod": 0, "tilt": 0, "turn": 0, "elevation": 10, "azimuth": 20,
    "roll": 10, "elbow": 12,
    "wrist": 0, "hip": 0, "abduction": 4, "rotation": 6, "knee": 3, "ankle": 0,
}  # fmt: skip


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Rotate by right-handed `degrees` about x, y or z (0, 1, 2): a matrix (3, 3)."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    if axis == 0:
        return np.array([(1, 0, 0), (0, c, -s), (0, s, c)])
    if axis == 1:
        return np.array([(c, 0, s), (0, 1, 0), (-s, 0, c)])
    return np.array([(c, -s, 0), (s, c, 0), (0, 0, 1)])


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Vector product (..., 3); for a few short vectors far quicker than numpy's."""
    (ax, ay, az), (bx, by, bz) = np.asarray(a).T, np.asarray(b).T
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]).T


MIRROR = np.array([(1, -1, -1), (-1, 1, 1), (-1, 1, 1)])


def rest_angles() -> dict[str, float]:
    """The angles of a relaxed upright stance: `TRUNK_ANGLES`, and `LIMB_ANGLES` with `left ` and `right `
    before."""
    angles = {name: float(REST[name]) for name in TRUNK_ANGLES}
    for name in LIMB_ANGLES:
        angles["left " + name] = angles["right " + name] = float(REST[name])
    return angles


def mirror_angles(angles: dict[str, float]) -> dict[str, float]:
    """Exchange left and right: the same posture in a mirror."""
    mirrored = {name: value * (1 if name in ("lean", "nod") else -1) for name, value in angles.items() if name in TRUNK_ANGLES}
    for name in LIMB_ANGLES:
        mirrored["left " + name], mirrored["right " + name] = angles["right " + name], angles["left " + name]
    return mirrored


def clip_angles(angles: dict[str, float]) -> dict[str, float]:
    """Keep every angle within its anatomical limits."""
    return {name: min(max(value, LIMITS[name.split()[-1]][0]), LIMITS[name.split()[-1]][1]) for name, value in angles.items()}


@dataclass(frozen=True)
class Build:
    """Anthropometry as factors on an average adult."""

    height: float = ADULT  # metres, standing
    girth: float = 1.0  # thickness of trunk and limbs
    shoulders: float = 1.0  # breadth
    hips: float = 1.0  # breadth
    legs: float = 1.0  # length relative to the rest
    arms: float = 1.0
    head: float = 1.0
    bust: float = 0.0  # 0 flat to 1


def bone_offsets(build: Build) -> np.ndarray:
    """Place each bone's beginning in its parent's frame for this build: (17, 3) metres."""
    offsets = OFFSETS.copy()
    offsets[[5, 8], 0] *= build.shoulders
    offsets[[11, 14], 0] *= build.hips
    offsets[[6, 7, 9, 10]] *= build.arms
    offsets[[12, 13, 15, 16]] *= build.legs
    return offsets * (build.height / ADULT)


def _turn(degrees: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) about y, x, z and y again, applied from the right, from angles (n, 4)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    factors = np.zeros((4, len(degrees), 3, 3))
    for factor, axis, cos, sin in zip(factors, (1, 0, 2, 1), c.T, s.T, strict=True):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        factor[:, axis, axis] = 1
        factor[:, i, i] = factor[:, j, j] = cos
        factor[:, i, j], factor[:, j, i] = -sin, sin
    return factors[0] @ factors[1] @ factors[2] @ factors[3]


def pose_bones(angles: dict[str, float], build: Build, root: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Forward kinematics: bone beginnings (17, 3) in metres and bone frames (17, 3, 3), the pelvis at the
    origin.

    `root` turns the whole body. Elevation of an arm counts from hanging (0) to overhead (180) in the
    vertical plane at `azimuth`: 0 sideways, 90 forward.
    """
    turns = np.zeros((17, 4))  # about y, x, z and y again, in this order from the left
    turns[1:3, 1:] = angles["lean"] / 2, angles["side"] / 2, angles["twist"] / 2
    turns[3:5, 1:] = angles["nod"] / 2, angles["tilt"] / 2, angles["turn"] / 2
    offsets = bone_offsets(build)
    for side, arm, leg, outwards in (("left ", 5, 11, 1.0), ("right ", 8, 14, -1.0)):
        elevation, azimuth, roll, elbow, wrist, hip, abduction, out, knee, ankle = (angles[side + name] for name in LIMB_ANGLES)
        raised = math.sin(math.radians(elevation) / 2) ** 2
        turns[arm] = -azimuth, 0, elevation, azimuth - roll + 60 * raised
        turns[arm + 1, 1], turns[arm + 2, 2] = -elbow, -wrist
        turns[leg, 1:] = -hip, abduction, out
        turns[leg + 1, 1], turns[leg + 2, 1] = knee, ankle
        offsets[arm] += np.array([-0.03 * outwards, 0.06, 0.0]) * (raised * build.height / ADULT)
    local = _turn(turns)
    local[_RIGHT] *= MIRROR
    if root is not None:
        local[0] = root
    origins, frames = np.zeros((17, 3)), local.copy()
    for bones, parents in _GENERATIONS:
        origins[bones] = origins[parents] + (frames[parents] @ offsets[bones, :, None])[..., 0]
        frames[bones] = frames[parents] @ local[bones]
    return origins, frames


def keypoint_places(origins: np.ndarray, frames: np.ndarray, build: Build) -> np.ndarray:
    """The 17 COCO keypoints (17, 3) of posed bones, metres."""
    places = KEYPOINT_PLACES * (head_scale(build))
    return origins[KEYPOINT_BONES] + np.einsum("kij,kj->ki", frames[KEYPOINT_BONES], places)


def head_scale(build: Build) -> float:
    """The head's size against an average adult's; small people have relatively large heads."""
    return build.head * (build.height / ADULT) ** 0.6


# ----------------------------------------------------------------------------------------------------------
# Postures


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


# Posture: how often, how much independent noise is added to every angle (degrees), and the function that
# draws it.
_POSTURES = {
    "standing": (5, 5, _standing), "walking": (4, 5, _walking), "running": (7, 8, _running), "sitting": (5,
    8, _sitting),
    "squatting": (5, 8, _squatting), "kneeling": (3, 8, _kneeling), "bending": (8, 8, _bending),
    "reaching": (4, 8, _reaching),
    "arms raised": (4, 6, _arms_raised), "lying": (4, 8, _lying), "handstand": (13, 7, _handstand),
    "cartwheel": (9, 7, _cartwheel), "somersault": (10, 8, _somersault), "jumping": (9, 8, _jumping),
    "splits": (4, 6, _splits),
    "climbing": (6, 8, _climbing), "hanging": (4, 6, _hanging), "kicking": (4, 8, _kicking), "lunging": (4,
    8, _lunging),
    "throwing": (3, 8, _throwing), "vaulting": (10, 8, _vaulting), "bridging": (6, 6, _bridging),
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


def draw_build(rng: np.random.Generator) -> Build:
    """Draw a build: mostly adults, some children."""
    u = rng.random(8)
    sex = u[0] < 0.5
    height = rng.normal(1.64, 0.07) if sex else rng.normal(1.77, 0.07)
    girth = float(np.clip(rng.normal(1.0, 0.11), 0.78, 1.4))
    if u[1] < 0.12:
        height, girth = 1.15 + 0.4 * u[2], girth * 0.95
    return Build(
        height=float(np.clip(height, 1.1, 2.02)),
        girth=girth,
        shoulders=(0.93 if sex else 1.04) + 0.08 * (u[3] - 0.5),
        hips=(1.05 if sex else 0.97) + 0.1 * (u[4] - 0.5),
        legs=1 + 0.1 * (u[5] - 0.5),
        arms=1 + 0.08 * (u[6] - 0.5),
        head=1 + 0.12 * (u[7] - 0.5),
        bust=float(rng.random() * sex),
    )


# ----------------------------------------------------------------------------------------------------------
# Flesh and clothes

SKIN, HAIR, TOP, BOTTOM, SHOE, DARK, LIP = range(7)
MATERIALS = 7

# One solid: bone, start, end (metres, in the bone's frame of an average adult), radii at both, flattening
# of its own x
# and z, material, and what scales it.
_LEFT_AND_MIDDLE = [
    ("head", (0, 0.118, -0.005), (0, 0.122, -0.005), 0.101, 0.101, 0.82, 1.0, SKIN, "skull"),
    ("head", (0, 0.062, 0.03), (0, 0.042, 0.045), 0.064, 0.050, 0.95, 1.0, SKIN, "head"),
    ("head", (0, 0.102, 0.094), (0, 0.074, 0.111), 0.010, 0.015, 1.0, 1.0, SKIN, "head"),
    ("head", (-0.017, 0.044, 0.089), (0.017, 0.044, 0.089), 0.008, 0.008, 1.0, 1.0, LIP, "head"),
    ("head", (0.031, 0.106, 0.0825), (0.036, 0.106, 0.081), 0.0105, 0.0105, 1.0, 1.0, DARK, "head"),
    ("head", (0.020, 0.125, 0.088), (0.046, 0.126, 0.077), 0.0075, 0.006, 1.0, 1.0, HAIR, "head"),
    ("head", (0.082, 0.106, -0.005), (0.082, 0.086, 0.0), 0.021, 0.014, 0.6, 1.0, SKIN, "head"),
    ("head", (0, 0.135, -0.03), (0, 0.125, -0.035), 0.086, 0.084, 0.98, 1.0, HAIR, "hair"),
    ("neck", (0, -0.03, -0.005), (0, 0.10, 0.008), 0.062, 0.053, 1.0, 1.0, SKIN, "trunk"),
    ("chest", (0, 0.02, 0), (0, 0.165, -0.005), 0.138, 0.152, 1.0, 0.72, TOP, "trunk"),
    ("chest", (-0.12, 0.212, -0.01), (0.12, 0.212, -0.01), 0.066, 0.066, 1.0, 1.0, TOP, "trunk"),
    ("chest", (0, 0.2, -0.015), (0, 0.285, -0.015), 0.10, 0.056, 1.0, 0.75, TOP, "trunk"),
    ("chest", (0.062, 0.12, 0.075), (0.064, 0.12, 0.075), 0.062, 0.062, 1.0, 1.0, TOP, "bust"),
    ("abdomen", (0, -0.03, 0), (0, 0.12, 0), 0.130, 0.126, 1.0, 0.74, TOP, "trunk"),
    ("abdomen", (0, 0.0, 0.02), (0, 0.06, 0.02), 0.098, 0.095, 1.1, 0.9, TOP, "belly"),
    ("pelvis", (-0.062, 0.025, 0), (0.062, 0.025, 0), 0.103, 0.103, 1.0, 0.95, BOTTOM, "trunk"),
    ("pelvis", (0.063, -0.012, -0.04), (0.064, -0.014, -0.04), 0.088, 0.088, 1.0, 1.0, BOTTOM, "trunk"),
    ("left upper arm", (0, 0, 0), (0, -0.29, 0), 0.060, 0.042, 1.0, 1.0, TOP, "arm"),
    ("left upper arm", (0, -0.10, 0.008), (0, -0.19, 0.008), 0.050, 0.046, 1.0, 1.0, TOP, "arm"),
    ("left forearm", (0, 0, 0), (0, -0.255, 0), 0.042, 0.029, 1.0, 1.0, TOP, "arm"),
    ("left forearm", (0, -0.05, 0), (0, -0.11, 0), 0.042, 0.039, 1.0, 1.0, TOP, "arm"),
    ("left hand", (0, -0.01, 0), (0, -0.08, 0.004), 0.034, 0.040, 0.5, 1.0, SKIN, "hand"),
    ("left hand", (0, -0.09, 0.004), (0.004, -0.155, 0.006), 0.034, 0.020, 0.5, 1.0, SKIN, "hand"),
    ("left hand", (0, -0.03, 0.02), (-0.006, -0.085, 0.052), 0.015, 0.011, 1.0, 1.0, SKIN, "hand"),
    ("left thigh", (0, 0, 0), (0, -0.42, 0), 0.090, 0.057, 1.0, 1.0, BOTTOM, "leg"),
    ("left thigh", (0, -0.1, 0.012), (0, -0.24, 0.012), 0.083, 0.073, 1.0, 1.0, BOTTOM, "leg"),
    ("left shin", (0, 0, 0), (0, -0.42, 0), 0.057, 0.037, 1.0, 1.0, BOTTOM, "leg"),
    ("left shin", (0, -0.08, -0.018), (0, -0.20, -0.014), 0.049, 0.042, 1.0, 1.0, BOTTOM, "leg"),
    ("left foot", (0, -0.035, -0.035), (0.006, -0.05, 0.10), 0.043, 0.036, 1.0, 1.0, SHOE, "foot"),
    ("left foot", (0.004, -0.052, 0.09), (0.008, -0.06, 0.16), 0.040, 0.026, 1.0, 1.0, SHOE, "foot"),
    ("left thigh", (0, 0.03, 0), (0, -0.30, 0), 0.10, 0.15, 1.0, 1.0, BOTTOM, "skirt"),
]  # fmt: skip


def _mirror_rows(rows):
    mirrored = []
    for bone, start, end, *rest in rows:
        if "left" in bone or (start[0] > 0 and end[0] > 0):
            mirrored.append((bone.replace("left", "right"), (-start[0], *start[1:]), (-end[0], *end[1:]), *rest))
    return rows + mirrored


_ROWS = _mirror_rows(_LEFT_AND_MIDDLE)
_BONE = np.array([BONES.index(row[0]) for row in _ROWS])
_START = np.array([row[1] for row in _ROWS], float)
_END = np.array([row[2] for row in _ROWS], float)
_RADII = np.array([row[3:5] for row in _ROWS])
_FLAT = np.array([row[5:7] for row in _ROWS])
_MATERIAL = np.array([row[7] for row in _ROWS])
_GROUP = np.array([row[8] for row in _ROWS])
_IS = {name: name == _GROUP for name in set(_GROUP)}
_UPPER_ARM, _FOREARM = np.isin(_BONE, (5, 8)), np.isin(_BONE, (6, 9))
_TRUNK = np.isin(_BONE, (0, 1, 2)) & _IS["trunk"]
_HEAD = _IS["skull"] | _IS["head"] | _IS["hair"]
_EXTREMITIES, _LIMBS = _IS["hand"] | _IS["foot"], _IS["arm"] | _IS["leg"]
_THIGH, _SHIN = np.isin(_BONE, (11, 14)), np.isin(_BONE, (12, 15))

# Solids of a scene, in whichever frame they have been brought to. `inverse` takes that frame to the solid's
# own, where
# a cone's axis is y from 0 to `length` and a box reaches from -1 to 1.
SOLID = np.dtype([
    ("kind", "i4"), ("start", "f8", 3), ("inverse", "f8", (3, 3)), ("length", "f8"), ("radii", "f8", 2),
    ("owner", "i4"),
    ("part", "i4"), ("materials", "i4", 2), ("plane", "f8", 4),
])  # fmt: skip
CONE, BOX = 0, 1


@dataclass(frozen=True)
class Clothes:
    """What a body wears. Lengths run along a limb: 0 none, 1 to the elbow or knee, 2 to the wrist or
    ankle."""

    sleeves: float = 0.6
    legs: float = 1.9
    skirt: float = 0.0  # length in metres, 0 for none
    loose_top: float = 1.05
    loose_legs: float = 1.05
    hairline: float = 0.005  # the higher, the less hair
    hair_length: float = 0.0  # metres below the skull
    hair_volume: float = 1.0
    beard: bool = False


def draw_clothes(rng: np.random.Generator) -> Clothes:
    """Draw clothes and hair."""
    u = rng.random(12)
    sleeves = 0.02 if u[0] < 0.2 else (0.35 + 0.4 * u[1] if u[0] < 0.65 else 1.7 + 0.3 * u[1])
    legs = 0.1 if u[2] < 0.1 else (0.35 + 0.6 * u[3] if u[2] < 0.4 else 1.5 + 0.5 * u[3])
    skirt = 0.15 + 0.25 * u[4] if u[5] < 0.08 else 0.0
    return Clothes(
        sleeves=sleeves,
        legs=0.05 if skirt else legs,
        skirt=skirt,
        loose_top=1.0 + 0.25 * u[6] ** 2,
        loose_legs=1.0 + 0.25 * u[7] ** 2,
        hairline=0.2 if u[8] < 0.06 else -0.012 + 0.035 * u[9],
        hair_length=0.08 + 0.2 * u[10] if u[11] < 0.3 else 0.0,
        hair_volume=0.97 + 0.2 * u[10] ** 2,
        beard=bool(u[11] > 0.9),
    )


def body_solids(origins: np.ndarray, frames: np.ndarray, build: Build, clothes: Clothes, owner: int = 1) -> np.ndarray:
    """Flesh out posed bones: an array (n,) of `SOLID` in the frame of the bones. Materials count from 0."""
    scale = build.height / ADULT
    head, girth = head_scale(build), build.girth * scale
    length = np.full(len(_ROWS), scale)  # along the bone
    breadth = np.full(len(_ROWS), scale)  # across it
    length[_HEAD] = breadth[_HEAD] = head
    length[_IS["arm"]] *= build.arms
    length[_IS["leg"]] *= build.legs
    breadth[_BONE == 2] *= build.shoulders
    breadth[_BONE == 0] *= build.hips
    thick = np.full(len(_ROWS), girth)
    thick[_HEAD] = head
    thick[_EXTREMITIES] = scale * (0.6 + 0.4 * build.girth)
    thick[_LIMBS] = scale * (0.15 + 0.85 * build.girth)
    thick[_IS["trunk"] & (_BONE == 2)] *= 0.4 + 0.6 * build.shoulders
    thick[_IS["bust"]] *= 0.55 + 0.5 * build.bust
    thick[_IS["belly"]] *= max(0.6, 2.2 * build.girth - 1.3)

    factors = np.stack([breadth, length, thick], 1)
    start, end = _START * factors, _END * factors
    radii = _RADII * thick[:, None]
    materials = np.stack([_MATERIAL, _MATERIAL], 1)
    plane = np.zeros((len(_ROWS), 4))
    plane[:, 1], plane[:, 3] = 1.0, 9.0

    long_hair = _IS["hair"] & (clothes.hair_length > 0)
    end[long_hair, 1] -= clothes.hair_length * head
    end[long_hair, 2] -= 0.02 * head
    radii[_IS["hair"]] *= clothes.hair_volume if clothes.hairline < 0.1 else 0.6
    materials[_IS["hair"]] = HAIR if clothes.hairline < 0.1 else SKIN
    materials[_IS["skull"], 1] = HAIR
    plane[_IS["skull"]] = (0, 0.55, -0.83, clothes.hairline)
    if clothes.beard:
        materials[1, 1] = HAIR
        plane[1] = (0, 0.8, 0.35, 0.02)

    axis_length = np.maximum(np.linalg.norm(end - start, axis=1), 1e-4)
    for upper, lower, cloth, reach, loose in (
        (_UPPER_ARM, _FOREARM, TOP, clothes.sleeves, clothes.loose_top),
        (_THIGH, _SHIN, BOTTOM, clothes.legs, clothes.loose_legs),
    ):
        bone = np.where(upper, 0.29, 0.26) if cloth == TOP else np.full(len(_ROWS), 0.42)
        for rows, share in ((upper, reach), (lower, reach - 1)):
            materials[rows, 0], materials[rows, 1] = cloth, SKIN
            plane[rows, 3] = share * bone[rows] * length[rows] + _START[rows, 1] * length[rows]
            if share > 0.6:
                radii[rows] *= loose
    radii[_TRUNK] *= 0.6 + 0.4 * clothes.loose_top
    materials[_IS["skirt"]] = BOTTOM
    end[_IS["skirt"], 1] = -clothes.skirt * scale - 0.03
    axis_length[_IS["skirt"]] = np.linalg.norm((end - start)[_IS["skirt"]], axis=1)

    keep = np.ones(len(_ROWS), bool) if clothes.skirt else ~_IS["skirt"]
    if build.bust < 0.15:
        keep &= ~_IS["bust"]
    bones = _BONE[keep]
    start, end, radii, axis_length = start[keep], end[keep], radii[keep], axis_length[keep]

    y = (end - start) / np.linalg.norm(end - start, axis=1, keepdims=True)
    z = np.where(np.abs(y[:, 2:]) < 0.8, np.array([0.0, 0, 1]), np.array([0.0, 1, 0]))
    x = cross(y, z)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    local = np.stack([x, y, cross(x, y)], 1)  # rows are the solid's axes in the bone's frame
    squeeze = np.ones((len(bones), 3))
    squeeze[:, [0, 2]] = 1 / _FLAT[keep]

    solids = np.zeros(len(bones), SOLID)
    solids["start"] = origins[bones] + np.einsum("nij,nj->ni", frames[bones], start)
    solids["inverse"] = squeeze[:, :, None] * (local @ frames[bones].transpose(0, 2, 1))
    solids["length"] = axis_length
    solids["radii"] = radii
    solids["owner"] = owner
    solids["part"] = PART_OF_BONE[bones]
    solids["materials"] = materials[keep]
    solids["plane"] = plane[keep]
    return solids
