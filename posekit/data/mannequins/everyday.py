"""Postures of every day: a function each sets joint angles, drawn by `u(low, high)`, and returns the body's turn, lift and prop."""

import math

import numpy as np

from posekit.data.mannequins.angles import both, casual_arms, flat_feet, left, right
from posekit.data.mannequins.bodies import rotation


def standing(a, u):
    shift = u(-1, 1)
    a.update(side=4 * shift, twist=u(-12, 12))
    casual_arms(a, u)
    left(a, knee=max(0.0, 18 * shift), hip=max(0.0, 10 * shift), abduction=u(1, 12))
    right(a, abduction=u(1, 12))
    flat_feet(a)
    return np.eye(3), 0.0, ""


def walking(a, u):
    phase, stride = u(0, 2 * math.pi), u(18, 32)
    s, c = math.sin(phase), math.cos(phase)
    a.update(lean=u(0, 8), twist=8 * s)
    left(
        a,
        hip=5 + stride * s,
        knee=8 + 45 * max(0.0, c) ** 1.5,
        elevation=abs(-stride * s) + 4,
        azimuth=90 if s < 0 else -80,
        elbow=u(10, 45),
    )
    right(
        a,
        hip=5 - stride * s,
        knee=8 + 45 * max(0.0, -c) ** 1.5,
        elevation=abs(stride * s) + 4,
        azimuth=90 if s > 0 else -80,
        elbow=u(10, 45),
    )
    a["left azimuth"], a["right azimuth"] = max(a["left azimuth"], -45), max(a["right azimuth"], -45)
    return np.eye(3), 0.0, ""


def running(a, u):
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


def sitting(a, u):
    kind = u(0, 1)
    casual_arms(a, u)
    if kind < 0.55:
        back = u(-18, 12)
        a.update(lean=u(-5, 25), twist=u(-10, 10))
        spread = u(0, 25)
        both(a, hip=90 + back, abduction=spread, rotation=-spread * u(0, 0.6))
        left(a, knee=u(60, 105))
        right(a, knee=u(60, 105))
        flat_feet(a, back)
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


def squatting(a, u):
    pitch = u(15, 50)
    depth = u(60, 105)
    a.update(lean=u(5, 35), nod=-u(0, 35))
    for side in ("left ", "right "):
        a[side + "hip"] = depth + pitch * 0.6 + u(-12, 12)
        a[side + "knee"] = depth + 15 + u(-15, 15)
        a[side + "abduction"], a[side + "rotation"] = u(5, 35), u(0, 25)
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(15, 95), u(40, 110), u(0, 90)
    flat_feet(a, pitch)
    return rotation(0, pitch), 0.0, "block" if u(0, 1) < 0.25 else ""


def kneeling(a, u):
    a.update(lean=u(0, 35))
    casual_arms(a, u)
    if u(0, 1) < 0.5:
        left(a, hip=u(75, 100), knee=u(80, 110))
        right(a, hip=u(-10, 15), knee=u(80, 105), ankle=u(10, 50))
    else:
        sit = u(0, 1)
        both(a, hip=75 * sit, knee=90 + 50 * sit, ankle=50)
    return rotation(0, u(-5, 15)), 0.0, ""


def bending(a, u):
    pitch, knee = u(30, 95), u(0, 50)
    a.update(lean=u(5, 50), nod=-u(-10, 40))
    both(a, hip=pitch + knee * 0.5, knee=knee)
    for side in ("left ", "right "):
        a[side + "hip"] += u(-15, 15)
        a[side + "abduction"] = u(0, 22)
        a[side + "elevation"], a[side + "azimuth"], a[side + "elbow"] = u(30, 130), u(50, 110), u(0, 45)
    flat_feet(a, pitch)
    return rotation(0, pitch), 0.0, "block" if u(0, 1) < 0.2 else ""


def reaching(a, u):
    casual_arms(a, u)
    a.update(lean=u(-10, 30), side=u(-20, 20), twist=u(-30, 30))
    left(a, elevation=u(60, 170), azimuth=u(0, 110), elbow=u(0, 35))
    left(a, hip=u(-10, 45), knee=u(0, 50), abduction=u(0, 30))
    right(a, hip=u(-15, 25), knee=u(0, 30), abduction=u(0, 30))
    flat_feet(a)
    return rotation(0, u(-5, 15)), 0.0, ""


def arms_raised(a, u):
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
    left(a, hip=u(-5, 15), knee=u(0, 25))
    flat_feet(a)
    return np.eye(3), 0.0, ""


def lying(a, u):
    casual_arms(a, u)
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
        both(a, hip=u(-15, 10))
    else:
        root = rotation(2, 90) @ rotation(1, u(-50, 50))
    return root, 0.0, ""
