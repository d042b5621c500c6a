"""What turns a heatmap into a probability and a radius: a curve and a factor for each joint, fitted on held-out people, a few numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from posekit.errors import PosekitError
from posekit.files import expand_user, read_json, write_json
from posekit.skeleton import Skeleton

LEVEL = 0.9  # how often a radius holds the true joint
FORMAT = "posekit calibration"


@dataclass(frozen=True)
class Calibration:
    """Fitted on held-out people of one network: from what its heatmaps say to a probability and a radius for each joint.

    Attributes:
        network: its name.
        fingerprint: of its weights and how it was adapted, as `posekit.engine.weights.fingerprint` gives it.
        data: whom it was fitted on, without a path.
        people: how many they were.
        flip: whether it is of the mean of picture and mirror image.
        level: how often the true joint lies within the radius, of people like these.
        mass: (M,) rising, the share of a joint's heatmap within 0.2 torso lengths of the prediction, the torso as predicted.
        probability: (M,) not falling, how often such a joint lies within 0.2 torso lengths of the annotation (isotonic regression, straight
            lines between).
        radius: by joint, the factor from the spread of its heatmap to the radius (normalised split-conformal prediction). A joint that
            too few people have labelled for the level is not in it, and gets no probability either.
    """

    network: str
    fingerprint: str
    data: str
    people: int
    flip: bool
    level: float
    mass: tuple[float, ...]
    probability: tuple[float, ...]
    radius: dict[str, float]

    to_dict = asdict

    def probabilities(self, mass: np.ndarray) -> np.ndarray:
        """How likely a joint is found, whose heatmap has `mass` (...) within 0.2 torso lengths; NaN stays."""
        return np.interp(mass, self.mass, self.probability)

    def radii(self, spreads: np.ndarray, skeleton: Skeleton) -> np.ndarray:
        """The radii (..., K), in the unit of spreads (..., K); NaN for a joint that too few people had labelled in the fit."""
        return spreads * np.array([self.radius.get(joint, np.nan) for joint in skeleton.joints])

    def check(self, name: str, fingerprint: str, flip: bool) -> None:
        """Raises PosekitError where this is of other weights than those of a fingerprint, or of another way to predict."""
        if self.fingerprint != fingerprint:
            raise PosekitError(f"this calibration is of {self.network}, fitted on {self.data}, and not of these weights of {name}; make "
                               "one by `posekit calibrate`")  # fmt: skip
        if self.flip != flip:
            fitted, asked = ("with", "without") if self.flip else ("without", "with")
            raise PosekitError(f"this calibration was fitted {fitted} the flip test, and this prediction is {asked} it; give the other")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Calibration":
        """The calibration of a mapping.

        Raises:
            ValueError: entries are missing, of another type, or make no curve.
        """
        missing = [f.name for f in fields(cls) if f.name not in values]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
        try:
            mass, probability = (tuple(float(v) for v in values[name]) for name in ("mass", "probability"))
            radius = {str(joint): float(v) for joint, v in values["radius"].items()}
            level, people = float(values["level"]), int(values["people"])
        except (TypeError, ValueError, AttributeError):
            raise ValueError("mass, probability, radius, level and people are numbers") from None
        if not mass or len(mass) != len(probability) or not np.all(np.diff(mass) > 0) or not np.all(np.diff(probability) >= 0):
            raise ValueError("mass and probability are as many numbers, mass rising and probability not falling")
        if values["flip"] not in (True, False):
            raise ValueError("flip is true or false")
        within = (0 <= min(part) and max(part) <= 1 + 1e-6 for part in (mass, probability))
        if not (all(within) and 0 < level < 1 and np.isfinite([*radius.values()]).all() and min(radius.values(), default=0) >= 0):
            raise ValueError("mass, probabilities and level lie between 0 and 1, and radii are finite and not negative")
        names = {name: str(values[name]) for name in ("network", "fingerprint", "data")}
        return cls(**names, people=people, flip=bool(values["flip"]), level=level, mass=mass, probability=probability, radius=radius)


def save(path: str | Path, calibration: Calibration) -> None:
    """Write a calibration as JSON, whole or not at all."""
    write_json(Path(path), {"format": FORMAT} | calibration.to_dict())


def load(path: str | Path) -> Calibration:
    """The calibration of a JSON file that `posekit calibrate` wrote.

    Raises:
        PosekitError: the file cannot be read, or holds no calibration.
    """
    path = expand_user(path)
    if not path.is_file():
        raise PosekitError(f"{path}: no such file; `posekit calibrate` writes a calibration")
    content = read_json(path)
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise PosekitError(f"{path}: no calibration; `posekit calibrate` writes one")
    try:
        return Calibration.from_dict(content)
    except ValueError as error:
        raise PosekitError(f"{path}: a damaged calibration: {error}; make it anew by `posekit calibrate`") from None


def isotonic(confidence: np.ndarray, hits: np.ndarray, digits: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """The not-falling curve that fits hits (N,), 0 or 1, best over confidence (N,): its corners, confidences and shares, (M,) each.

    Shares are rounded and confidences are not: of two corners that fall together one goes, and a step becomes a slope.
    """
    from sklearn.isotonic import IsotonicRegression

    fit = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(confidence, hits)
    return fit.X_thresholds_, np.round(fit.y_thresholds_, digits)


def temperature(confidence: np.ndarray, hits: np.ndarray) -> float:
    """The temperature T by which the logits of confidence (N,) are divided so that hits (N,) are likeliest; above 1 where overconfident."""
    from scipy.optimize import minimize_scalar

    logits = _logits(confidence)

    def loss(log_temperature: float) -> float:
        z = logits * np.exp(-log_temperature)
        return float(np.mean(np.logaddexp(0, z) - hits * z))

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-6}).x))


def tempered(confidence: np.ndarray, by: float) -> np.ndarray:
    """Confidence (...) with its logits divided by a temperature."""
    return 1 / (1 + np.exp(-_logits(confidence) / by))


def _logits(confidence: np.ndarray) -> np.ndarray:
    inside = np.clip(confidence, 1e-4, 1 - 1e-4)
    return np.log(inside) - np.log1p(-inside)


def conformal(errors: np.ndarray, level: float = LEVEL, who: str = "these errors") -> float:
    """Of errors (N,), NaN left out, the quantile that one more exchangeable error stays below with at least probability `level`.

    The ceil((n + 1) level)-th smallest (split-conformal prediction: Vovk et al., 2005; Lei et al., 2018).

    Raises:
        PosekitError: there are too few for the level; `who` is named.
    """
    if not 0 < level < 1:
        raise PosekitError(f"level is {level!r}; it lies between 0 and 1, 0.9 say")
    known = np.sort(errors[~np.isnan(errors)])
    if len(known) < (least := least_people(level)):
        raise PosekitError(f"{who}: {len(known)} people are too few for a radius at {100 * level:g} %; it takes {least} at least")
    return float(known[ceil(round((len(known) + 1) * level, 9)) - 1])


def least_people(level: float) -> int:
    """How many errors a quantile takes that one more stays below with probability `level`.

    >>> least_people(0.9)
    9
    """
    return ceil(round(level / (1 - level), 9))


def conformal_factors(
    distances: np.ndarray, spreads: np.ndarray, joints: Sequence[str], level: float = LEVEL
) -> dict[str, float]:  # fmt: skip
    """By joint, `conformal` of distances (N, K) over spreads (N, K); joints labelled (not NaN) on too few people are left out.

    Raises:
        PosekitError: that is every joint.
    """
    ratios = distances / np.maximum(spreads, 1e-9)
    people = np.isfinite(ratios).sum(0)
    most = int(people.argmax())
    if people[most] < least_people(level):
        conformal(ratios[:, most], level, f"{joints[most]}, the joint that most people have labelled")  # raises
    return {joint: round(conformal(ratios[:, k], level, joint), 4) for k, joint in enumerate(joints) if people[k] >= least_people(level)}
