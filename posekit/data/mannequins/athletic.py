"""Postures of sport, as in `everyday`."""

import math

from posekit.data.mannequins.angles import both, left, right
from posekit.data.mannequins.bodies import LIMITS, TRUNK_ANGLES, rotation


def handstand(a, u):
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
        both(a, hip=u(-10, 15), knee=u(0, 12), abduction=u(0, 8))
    elif kind < 0.75:
        left(a, hip=u(0, 80), knee=u(0, 60), abduction=u(0, 45))
        right(a, hip=u(-30, 20), knee=u(0, 80), abduction=u(0, 45))
    else:
        both(a, hip=u(40, 110), knee=u(20, 130), abduction=u(0, 50))
    return rotation(2, 180 + u(-25, 25)) @ rotation(0, u(-25, 25)), 0.0, ""


def cartwheel(a, u):
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


def somersault(a, u):
    tuck = u(0, 1)
    for side in ("left ", "right "):
        a[side + "hip"] = 25 + 95 * tuck + u(-12, 12)
        a[side + "knee"] = 125 * tuck * u(0.5, 1)
        a[side + "ankle"], a[side + "abduction"] = u(5, 50), u(0, 20)
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(20, 150), u(10, 100), u(0, 90)
    a.update(lean=60 * tuck * u(0.4, 1), nod=u(0, 40) * tuck)
    return rotation(0, u(-180, 180)) @ rotation(2, u(-25, 25)), u(0.3, 1.5), ""


def jumping(a, u):
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
        both(a, hip=20 + 90 * tuck, knee=20 + 105 * tuck)
        a["right hip"] += u(-15, 15)
        a["right knee"] += u(-15, 15)
    a.update(lean=u(-25, 35), twist=u(-20, 20), side=u(-10, 10))
    return rotation(0, u(-30, 40)) @ rotation(2, u(-20, 20)), u(0.15, 1.3), "block" if u(0, 1) < 0.15 else ""


def splits(a, u):
    for side in ("left ", "right "):
        a[side + "knee"], a[side + "ankle"] = u(0, 20), u(20, 55)
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(50, 160), u(0, 60), u(0, 30)
    if u(0, 1) < 0.6:
        opening = u(60, 125)
        left(a, hip=opening)
        right(a, hip=u(-30, 0), abduction=u(0, 30), knee=u(0, 70))
        root = rotation(0, u(-10, 30))
    else:
        spread = u(50, 80)
        both(a, abduction=spread, hip=u(0, 75))
        root = rotation(0, u(-10, 25))
    a.update(lean=u(-15, 20), twist=u(-20, 20))
    return root, u(0, 0.9) * (u(0, 1) < 0.6), ""


def climbing(a, u):
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(70, 172), u(30, 95), u(5, 115)
        a[side + "hip"], a[side + "knee"] = u(0, 115), u(10, 125)
        a[side + "abduction"], a[side + "rotation"], a[side + "ankle"] = u(5, 50), u(0, 40), u(-10, 45)
    a.update(lean=u(-10, 15), nod=-u(0, 45), turn=u(-40, 40), side=u(-15, 15))
    return rotation(0, u(-15, 20)), u(0.2, 2.0), "wall" if u(0, 1) < 0.7 else ""


def hanging(a, u):
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = (
            u(155, 177),
            u(0, 90),
            u(0, 1) ** 2 * 110,
        )
    legs = u(0, 1)
    both(
        a,
        hip=u(-15, 20) if legs < 0.5 else u(20, 110),
        knee=u(0, 100),
        ankle=u(10, 50),
        abduction=u(0, 15 if legs < 0.7 else 55),
    )
    a["left hip"] += u(-15, 15)
    a["left knee"] += u(-15, 15)
    return rotation(0, u(-45, 45)), u(0.3, 1.5), "bar"


def kicking(a, u):
    a.update(lean=u(-15, 25), side=u(-20, 20), twist=u(-30, 30))
    left(a, hip=u(35, 120), knee=u(0, 70), abduction=u(0, 50), ankle=u(0, 50))
    right(a, hip=u(-20, 20), knee=u(0, 40))
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(20, 110), u(-30, 90), u(10, 120)
    return rotation(0, u(-25, 10)) @ rotation(2, u(-15, 15)), u(0, 0.5) * (u(0, 1) < 0.3), ""


def lunging(a, u):
    left(a, hip=u(50, 110), knee=u(50, 105), abduction=u(0, 35))
    right(a, hip=-u(0, 28), knee=u(0, 50), ankle=-u(0, 20), abduction=u(0, 25))
    a.update(lean=u(-10, 40), twist=u(-35, 35))
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(10, 130), u(-40, 110), u(0, 115)
    return rotation(0, u(-5, 40)), 0.0, ""


def throwing(a, u):
    left(a, elevation=u(70, 130), azimuth=u(-40, 30), elbow=u(40, 120), roll=-u(40, 80))
    right(a, elevation=u(40, 110), azimuth=u(30, 110), elbow=u(0, 80))
    left(a, hip=u(-25, 30), knee=u(10, 70), abduction=u(0, 30))
    right(a, hip=u(0, 80), knee=u(0, 80), abduction=u(0, 30))
    a.update(lean=u(-20, 35), twist=u(-40, 40), side=u(-25, 15))
    return rotation(0, u(-15, 20)), 0.0, ""


def vaulting(a, u):
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
        both(a, hip=u(-10, 15), knee=u(0, 15))
    if u(0, 1) < 0.3:
        left(a, elevation=u(20, 120), azimuth=u(-30, 60))
    a.update(lean=u(-15, 35), nod=-u(0, 45))
    return rotation(0, pitch) @ rotation(2, u(-25, 25)), 0.0, "block" if u(0, 1) < 0.5 else ""


def bridging(a, u):
    for side in ("left ", "right "):
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(140, 178), u(20, 90), u(0, 30)
        a[side + "hip"], a[side + "knee"], a[side + "abduction"] = u(-30, 0), u(30, 90), u(0, 20)
    a.update(lean=-u(20, 40), nod=-u(10, 50))
    return rotation(0, -u(40, 140)), 0.0, ""


def wild(a, u):
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
