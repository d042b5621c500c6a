"""Attributes of a pose, one number a person, from its keypoints; and the true factors of mannequins.

values = attributes(people.keypoints, people.skeleton, people.boxes) | factors(people)
table(values)  # what each means, for how many it is defined, how it is spread

An attribute is NaN for a person who lacks the joints that it needs; whoever uses it leaves those people out and counts them.

Written in terms of the trunk, which is the mean of the vectors from each labelled hip to the shoulder of its side. *Up* is
its direction and *across* the direction that an upright person's picture shows on the right; both turn with the person, so
that most attributes do not change when the picture is turned. Angles in the picture are foreshortened: they are what can be
seen of a pose, not the pose. `factors` are the pose.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from posekit.data.people import People
from posekit.errors import PosekitError
from posekit.skeleton import Skeleton

PROFILE = 0.15  # of `facing`: with shoulders and hips less wide apart than this, the order of left and right says nothing
LEAST = 30  # people for whom an attribute must be defined to say anything


@dataclass(frozen=True)
class Attribute:
    unit: str  # "" for a plain number, "0 or 1" for a binary attribute
    definition: str


ATTRIBUTES: dict[str, Attribute] = {
    "sitting": Attribute(
        "",
        "1 − 2 × thigh along the downward trunk / (thigh + shank), mean of the legs: "
        "0 stands straight, 1 sits, 2 has the knees at the chest",
    ),
    "hip flexion": Attribute("°", "angle between the thigh and the trunk’s continuation, mean of the legs; 0 is straight"),
    "knee flexion": Attribute("°", "angle between the shank and the thigh’s continuation, mean of the legs; 0 is straight"),
    "lean": Attribute("", "sine of the trunk’s angle from the vertical; positive leans to the right of the picture"),
    "upright": Attribute("", "cosine of the trunk’s angle from the vertical: 1 upright, 0 horizontal, −1 upside down"),
    "tilt": Attribute("°", "the trunk’s angle from the vertical, without its sign: 0 upright, 180 upside down"),
    "upside down": Attribute("0 or 1", "1 where the head is lower in the picture than the middle of the hips"),
    "arm elevation": Attribute("°", "angle between the upper arm and the downward trunk, mean of the arms: 0 hanging, 180 overhead"),
    "spread": Attribute("limbs", "mean distance of both wrists and both ankles from the middle of the trunk, over the limbs' mean length"),
    "facing": Attribute(
        "",
        "how far the left shoulder and hip lie across from the right ones, over the diagonal of their distance and the trunk: "
        "positive from the front, negative from behind, 0 in profile",
    ),
    "from behind": Attribute("0 or 1", f"1 where facing is negative; undefined in profile, within ±{PROFILE}"),
    "left on the right": Attribute(
        "", "as facing, but towards the right of the picture: being seen from behind turns its sign, and so does being upside down"
    ),
    "turn": Attribute("", "how far the nose lies across from the middle of the shoulders, over the diagonal of its distance and the trunk"),
    "arms crossed": Attribute("arms", "how far the wrists lie across in the opposite order to shoulders and hips; undefined in profile"),
    "legs crossed": Attribute("legs", "how far the ankles lie across in the opposite order to shoulders and hips; undefined in profile"),
    "labelled joints": Attribute("joints", "how many joints are labelled"),
    "trunk size": Attribute("", "trunk length over the longer side of the person’s box, which fixes the crop"),
    "box size": Attribute("octaves", "binary logarithm of the longer side of the person’s box in pixels: how sharp the crop can be"),
}

FACTORS: dict[str, Attribute] = {
    "true heading sin": Attribute("", "sine of the heading in space; positive faces the right edge of the picture"),
    "true heading cos": Attribute("", "cosine of the heading in space: 1 faces the camera, −1 turns its back"),
    "true elevation": Attribute("rad", "height of the camera above the person’s horizon"),
    "true roll sin": Attribute("", "sine of the trunk’s turn in the picture"),
    "true roll cos": Attribute("", "cosine of the trunk’s turn in the picture: 1 upright, −1 upside down"),
    "true trunk slant": Attribute("rad", "angle between the trunk and the picture plane; positive leans towards the camera"),
    "true hips": Attribute("rad", "flexion of the hips, mean of left and right"),
    "true knees": Attribute("rad", "bending of the knees, mean of left and right"),
    "true shoulders": Attribute("rad", "angle between trunk and upper arm in space, mean of left and right"),
    "true elbows": Attribute("rad", "bending of the elbows, mean of left and right"),
    "true size": Attribute("", "longer side of the keypoints' box over the picture’s"),
    "true girth": Attribute("", "girth of the body, 1 for an average adult"),
    "true body height": Attribute("m", "standing height"),
    "true occlusion": Attribute("", "share of the silhouette that something hides"),
    "true visible joints": Attribute("joints", "how many joints are visible"),
    "true brightness": Attribute("", "mean brightness of the picture"),
    "true contrast": Attribute("", "brightness of the person minus that of the rest"),
}
# Of mannequins, too, and made of their posture by 05_probes.
POSTURE = {
    "true posture: sitting, not standing": Attribute("0 or 1", "1 where the posture drawn is sitting, 0 where standing; else undefined"),
}


def attributes(keypoints: np.ndarray, skeleton: Skeleton, boxes: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Every attribute that the skeleton allows, by name: (N,) float, NaN for those who lack a joint that it needs.

    Args:
        keypoints: (N, K, 3), x, y and the flag, 0 where not labelled. Predictions, whose third column is a score, do as well.
        boxes: (N, 4) of x, y, w, h in the keypoints' pixels, for the two sizes; without them those are not computed.

    `turn` needs a skeleton with a nose. `ATTRIBUTES` has the definitions.
    """
    body = _Body(np.asarray(keypoints, float), skeleton)
    shoulder, hip, knee, ankle = (body.sides(joint) for joint in ("shoulder", "hip", "knee", "ankle"))
    elbow, wrist = body.sides("elbow"), body.sides("wrist")
    trunk = _mean(shoulder - hip)  # (N, 2), as everything below unless said otherwise; sides are (2, N, 2)
    length = _length(trunk)
    up = trunk / length[:, None]
    across = np.stack([-up[:, 1], up[:, 0]], -1)
    thigh, shank, upper_arm = knee - hip, ankle - knee, elbow - shoulder
    # The ruler of what limbs do is the limbs: a trunk that points at the camera has next to no length.
    arm, leg = _length(upper_arm) + _length(wrist - elbow), _length(thigh) + _length(shank)  # (2, N)

    def order(pair: np.ndarray) -> np.ndarray:
        """How far the left one of a pair (2, N, 2) lies across from the right one."""
        return _dot(pair[0] - pair[1], across)

    # A trunk that points at the camera would make these ratios endless; with the width in the ruler they stay within ±1.
    wide = np.stack([shoulder[0] - shoulder[1], hip[0] - hip[1]])
    ruler = np.hypot(length, _mean(np.linalg.norm(wide, axis=-1)))
    facing = _mean(np.stack([order(shoulder), order(hip)])) / ruler
    sign = np.where(np.abs(facing) >= PROFILE, np.sign(facing), np.nan)
    middle = (shoulder.mean(0) + hip.mean(0)) / 2
    ends = np.concatenate([wrist, ankle])
    head = _mean(np.stack([body.joint(joint) for joint in skeleton.joints if _of_head(joint)]))
    below = head[:, 1] - _mean(hip)[:, 1]
    found = {
        "sitting": _mean(1 + 2 * _dot(thigh, up) / leg),
        "hip flexion": _mean(_angle(thigh, -up)),
        "knee flexion": _mean(_angle(thigh, shank)),
        "lean": up[:, 0],
        "upright": -up[:, 1],
        "tilt": np.abs(trunk_angle(keypoints, skeleton)),
        "upside down": np.where(np.isfinite(below), below > 0, np.nan),
        "arm elevation": _mean(_angle(upper_arm, -up)),
        "spread": _length(ends - middle).mean(0) / np.concatenate([arm, leg]).mean(0),
        "facing": facing,
        "from behind": np.where(np.isfinite(sign), sign < 0, np.nan),
        "left on the right": _mean(wide[..., 0]) / ruler,
        "arms crossed": -sign * order(wrist) / arm.mean(0),
        "legs crossed": -sign * order(ankle) / leg.mean(0),
        "labelled joints": body.labelled.sum(1).astype(float),
    }
    if "nose" in skeleton.joints:
        nose = body.joint("nose") - shoulder.mean(0)
        found["turn"] = _dot(nose, across) / np.hypot(length, np.linalg.norm(nose, axis=-1))
    if boxes is not None:
        longer = np.asarray(boxes, float)[:, 2:].max(1)
        longer = np.where(longer > 0, longer, np.nan)
        found |= {"trunk size": length / longer, "box size": np.log2(longer)}
    return {name: found[name] for name in ATTRIBUTES if name in found}


def trunk_angle(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The trunk's angle (N,) from the vertical in degrees, within ±180; positive leans to the right of the picture.

    It jumps from 180 to −180: what is to be linear takes `lean` and `upright`, its sine and cosine.
    """
    body = _Body(np.asarray(keypoints, float), skeleton)
    trunk = _mean(body.sides("shoulder") - body.sides("hip"))
    trunk = np.where(_length(trunk)[:, None] > 0, trunk, np.nan)
    return np.degrees(np.arctan2(trunk[:, 0], -trunk[:, 1]))


def factors(people: People) -> dict[str, np.ndarray]:
    """The factors that made mannequins, by name, (N,) float; empty for people who were not made. `FACTORS` has the definitions.

    Angles all around come as sine and cosine. `postures` has the posture, which is a category.
    """
    if not people.factors:
        return {}
    known = {name: values.astype(float) for name, values in people.factors.items()}
    known |= {"roll sin": np.sin(known["roll"]), "roll cos": np.cos(known["roll"])}
    known |= {joint + "s": (known[f"left {joint}"] + known[f"right {joint}"]) / 2 for joint in ("hip", "knee", "shoulder", "elbow")}
    known["occlusion"] = known["occluded"]
    return {name: known[name.removeprefix("true ")] for name in FACTORS}


def postures(people: People) -> dict[str, np.ndarray]:
    """For each posture of the mannequins, `posture: sitting` say, 1 for those who have it and 0 for the others, (N,) float."""
    from posekit.data.mannequins import POSTURES

    if not people.factors:
        return {}
    return {f"posture: {name}": (people.factors["posture"] == i).astype(float) for i, name in enumerate(POSTURES)}


def binary(values: ArrayLike) -> bool:
    """Whether an attribute (N,) is 0 or 1 wherever it is defined."""
    values = np.asarray(values, float)
    return bool(np.isin(values[np.isfinite(values)], (0, 1)).all())


def usable(values: Mapping[str, np.ndarray], least: int = LEAST) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The attributes that vary among at least `least` people, and the others' names with the reason.

    At least `least` / 3 people must differ from the commonest value: a score over fewer is decided by chance.
    """
    kept, refused = {}, {}
    for name, column in values.items():
        try:
            defined(name, column, least)
            kept[name] = column
        except PosekitError as error:
            refused[name] = str(error)
    return kept, refused


def numbers(name: str, values: ArrayLike, people: int | None = None) -> np.ndarray:
    """An attribute of `people` people as an array (N,) of floats, whatever it came as: a list, or truth values.

    Raises:
        PosekitError: it is not one number a person.
    """
    try:
        found = np.asarray(values, float)
    except (TypeError, ValueError):
        raise PosekitError(f"{name}: not all values are numbers; give one a person") from None
    if found.ndim != 1 or len(found) != (len(found) if people is None else people):
        wanted = "one number a person" if people is None else f"one number for each of the {people:,} people"
        raise PosekitError(f"{name}: give {wanted}, not an array of {' x '.join(map(str, found.shape)) or 'no axis'}")
    return found


def defined(name: str, values: ArrayLike, least: int = LEAST) -> np.ndarray:
    """For whom an attribute is defined, as a mask (N,).

    Raises:
        PosekitError: for too few, or it is the same for all of them, or nearly; or it is not one number a person.
    """
    values = numbers(name, values)
    mask = np.isfinite(values)
    column = values[mask]
    if len(column) < least:
        raise PosekitError(f"{name}: defined for {len(column)} people only, {least} are needed; take more people or another attribute")
    if np.ptp(column) <= 1e-9 * max(1.0, np.abs(column).max()):
        raise PosekitError(f"{name}: constant, {column[0]:g} for all {len(column):,} people; leave it out")
    others = len(column) - np.unique(column, return_counts=True)[1].max()  # than have the commonest value
    if others < least / 3:
        raise PosekitError(f"{name}: only {others} of {len(column):,} people differ from the rest; leave it out")
    return mask


def table(values: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A row an attribute: unit, definition, for how many people it is defined, and its 5, 50 and 95 % quantiles.

    Those that are defined for nobody have no row.
    """
    known = ATTRIBUTES | FACTORS | POSTURE
    rows = []
    for name, column in values.items():
        column = numbers(name, column)
        column = column[np.isfinite(column)]
        if not len(column):
            continue
        about = known.get(name, Attribute("0 or 1" if binary(column) else "", name))
        low, median, high = np.quantile(column, [0.05, 0.5, 0.95])
        rows.append({"attribute": name, "unit": about.unit, "people": len(column), "5 %": low, "median": median, "95 %": high,
                     "definition": about.definition})  # fmt: skip
    return pd.DataFrame(rows, columns=["attribute", "unit", "people", "5 %", "median", "95 %", "definition"])


class _Body:
    """Keypoints by joint, NaN where not labelled."""

    def __init__(self, keypoints: np.ndarray, skeleton: Skeleton):
        self.skeleton = skeleton
        self.labelled = (keypoints[..., 2] > 0) & np.isfinite(keypoints[..., :2]).all(-1)
        self.xy = np.where(self.labelled[..., None], keypoints[..., :2], np.nan)

    def joint(self, name: str) -> np.ndarray:
        return self.xy[:, self.skeleton.index(name)[0]]

    def sides(self, name: str) -> np.ndarray:
        """Left and right joint, (2, N, 2)."""
        return np.stack([self.joint(f"left {name}"), self.joint(f"right {name}")])


def _of_head(joint: str) -> bool:
    return joint in ("nose", "head top") or joint.endswith((" eye", " ear"))


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over the first axis of what is not NaN; NaN where everything is."""
    counted = np.isfinite(values)
    number = counted.sum(0)
    return np.where(number > 0, np.where(counted, values, 0).sum(0) / np.maximum(number, 1), np.nan)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1)


def _length(vectors: np.ndarray) -> np.ndarray:
    """Lengths (...,) of vectors (..., 2); NaN in place of 0, which has no direction."""
    lengths = np.linalg.norm(vectors, axis=-1)
    return np.where(lengths > 0, lengths, np.nan)


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles in degrees between vectors (..., 2), 0 to 180; NaN where one is 0."""
    angle = np.degrees(np.abs(np.arctan2(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0], _dot(a, b))))
    return np.where(np.isfinite(_length(a) * _length(b)), angle, np.nan)


def distinct(values: Mapping[str, np.ndarray], ranked: Iterable[str], count: int, limit: float = 0.6) -> list[str]:
    """The first `count` attributes of a ranking that are not nearly one of those before them: no |r| above `limit`.

    Correlations of `values`, name to (N,), are over the people for whom both are defined (are not NaN).
    """
    related, kept = pd.DataFrame(values).corr().abs(), list[str]()
    for name in ranked:
        if len(kept) < count and not (related.loc[name, kept] > limit).any():
            kept.append(name)
    return kept
