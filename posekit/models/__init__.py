"""The networks, a file an idea. Imports the mathematics and `display`, nothing of files, `data` or `interpret`.

An architecture is a network and its configuration, a frozen dataclass with `to_dict` and `from_dict`. A network takes pictures
(B, 3, R, R) in [0, 1] and answers with heatmaps (B, stages, K, R/4, R/4); a regressor answers with keypoints (B, stages, K, 2)
in input pixels, and in training it is given the true ones (B, K, 3) as well. A stage is a whole answer: a stack, a step.
"""

from importlib import import_module
from typing import Any

from posekit.errors import PosekitError

# Module, network, configuration. Modules are imported when they are used: a chapter on hourglasses depends on no other.
ARCHITECTURES = {
    "hourglass": ("hourglass", "Hourglass", "HourglassConfig"),
    "deeppose": ("deeppose", "DeepPose", "DeepPoseConfig"),
    "feedback": ("feedback", "Feedback", "FeedbackConfig"),
    "transpose": ("transpose", "TransPose", "TransPoseConfig"),
    "parts": ("parts", "Parts", "PartsConfig"),
}
REGRESSORS = ("deeppose", "feedback")


def classes(architecture: str) -> tuple[Any, Any]:
    """The network's class and its configuration's."""
    module, network, config = ARCHITECTURES[architecture]
    found = import_module(f"{__name__}.{module}")
    return getattr(found, network), getattr(found, config)


def architecture_of(config: Any) -> str:
    """The architecture that a configuration is of; what is no configuration raises PosekitError."""
    known = {config: name for name, (_, _, config) in ARCHITECTURES.items()}
    if type(config).__name__ not in known:
        raise PosekitError(f"config is a {type(config).__name__}, which describes no network; give a {', '.join(known)}")
    return known[type(config).__name__]


def build(config: Any) -> Any:
    """The network of a configuration, at random."""
    return classes(architecture_of(config))[0](config)
