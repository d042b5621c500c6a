"""Joints by their names, however a tool spells them: `left_wrist`, `left wrist`, `LeftWrist`, `l wrist`, `wrist_L`, `lwrist`."""

import re
from collections.abc import Sequence

from posekit.skeleton import COCO, Skeleton

_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}


def spelled(name: str, skeleton: Skeleton = COCO) -> str | None:
    """A joint's name as the skeleton has it, or None where it is not one of its joints.

    >>> [spelled(name) for name in ("LeftWrist", "r_knee", "LEar", "Nose", "head")]
    ['left wrist', 'right knee', 'left ear', 'nose', None]
    """
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]
    joined = "".join(words)
    options = {" ".join(words)}
    for given, side in _SIDES.items():
        if given in words:  # a word of its own, before or behind the part
            rest = list(words)
            rest.remove(given)
            options.add(" ".join([side, *rest]))
        options |= {f"{side} {joined[len(given) :]}"} if joined.startswith(given) else set()
    found = options & set(skeleton.joints)
    return found.pop() if len(found) == 1 else None


def order(names: Sequence[str], skeleton: Skeleton = COCO) -> list[int | None] | str:
    """Where each of the skeleton's joints stands among `names`, None where it is not there; or, as text, why they are not its joints.

    All of the skeleton's joints may be there and others beside them, or some of the skeleton's joints and no others. Anything else is
    another skeleton, though it may have as many joints.

    >>> order(["left_hip", "right_hip"])[10:14]
    [None, 0, 1, None]
    >>> order(["root", "spine", "left_hip"])
    'names joints that the coco skeleton has not: root, spine'
    """
    known = [spelled(name, skeleton) for name in names]
    places: dict[str, int] = {}
    for place, joint in enumerate(known):
        if joint is not None and joint in places:
            return f"names {joint} twice: {names[places[joint]]!r} and {names[place]!r}"
        if joint is not None:
            places[joint] = place
    others = [name for name, joint in zip(names, known, strict=True) if joint is None]
    if others and len(places) < len(skeleton):
        few = ", ".join(others[:4]) + (", ..." if len(others) > 4 else "")
        return f"names joints that the {skeleton.name} skeleton has not: {few}"
    return [places.get(joint) for joint in skeleton.joints]
