"""The skeleton of a mannequin: bones, angles, anthropometry and where the keypoints lie.

A body stands in a right-handed frame of its own: x to the person's left, y up, z forward, metres, the
middle of the hips at the origin. Angles are degrees. Every right limb is the mirror image of the left one,
so that nothing in here prefers a side.
"""

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
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle",
)  # fmt: skip
KEYPOINT_BONES = np.array([4, 4, 4, 4, 4, 5, 8, 6, 9, 7, 10, 11, 14, 12, 15, 13, 16])
# In the bone's frame: places on the surface of the head; the other joints are where their bones begin.
KEYPOINT_PLACES = np.zeros((17, 3))
KEYPOINT_PLACES[:5] = [
    (0, 0.072, 0.124), (0.032, 0.108, 0.094), (-0.032, 0.108, 0.094), (0.092, 0.092, -0.005), (-0.092, 0.092, -0.005),
]  # fmt: skip
# How deep a visible joint may lie under its own body's surface, metres for an average adult.
KEYPOINT_DEPTHS = np.array([0.03, 0.03, 0.03, 0.03, 0.03] + [0.1] * 2 + [0.075] * 2 + [0.06] * 2 + [0.155] * 2 + [0.1] * 2 + [0.075] * 2)
# Parts whose surface shows the joint however deep it lies.
KEYPOINT_PARTS = (
    (), (), (), (), (), (3,), (6,), (3, 4), (6, 7), (4, 5), (7, 8), (9,), (12,), (9, 10), (12, 13),
    (10, 11), (13, 14),
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


def keypoint_positions(origins: np.ndarray, frames: np.ndarray, build: Build) -> np.ndarray:
    """The 17 COCO keypoints (17, 3) of posed bones, metres."""
    places = KEYPOINT_PLACES * (head_scale(build))
    return origins[KEYPOINT_BONES] + np.einsum("kij,kj->ki", frames[KEYPOINT_BONES], places)


def head_scale(build: Build) -> float:
    """The head's size against an average adult's; small people have relatively large heads."""
    return build.head * (build.height / ADULT) ** 0.6


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


# Flesh and clothes
