"""Joint angles in degrees, set on both sides of the body or on one."""


def both(angles, **values):
    for name, value in values.items():
        angles["left " + name] = angles["right " + name] = value


def left(angles, **values):
    angles.update({"left " + name: value for name, value in values.items()})


def right(angles, **values):
    angles.update({"right " + name: value for name, value in values.items()})


def flat_feet(angles, pitch=0.0):
    for side in ("left ", "right "):
        angles[side + "ankle"] = angles[side + "hip"] - angles[side + "knee"] - pitch


def casual_arms(angles, u):
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
