"""Flesh, hair and clothes: the solids of a posed body."""

from dataclasses import dataclass

import numpy as np

from posekit.data.mannequins.bodies import ADULT, BONES, PART_OF_BONE, Build, cross, head_scale
from posekit.data.mannequins.solids import SOLID

SKIN, HAIR, TOP, BOTTOM, SHOE, DARK, LIP = range(7)
MATERIALS = 7

# One solid: bone, start, end (metres, in the bone's frame of an average adult), radii at both, flattening of its own x and z,
# material, and what scales it.
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
