"""posekit: train the Stacked Hourglass for 2D human pose, look inside it, redesign it.

    import posekit

    poses = posekit.load("lspet-hg1").predict("photograph.jpg")  # a notebook shows it drawn
    scores = posekit.evaluate("lspet-hg1", "lspet:photographs/lspet@test", flip=True)

Modules and functions are imported when they are first used, so that `import posekit` itself is quick.

The modules at this level are the mathematics of poses, and what needs nothing else: files, hooks, process, errors. On them stand the
rooms, each on those before it alone: `display`; `data` and `models`, which know nothing of each other; `engine`; `interpret`;
`auditing`; `plots`; `workflow`; `studies`; `cli`. Contracts in pyproject.toml hold this.
"""

import importlib
import importlib.metadata
import warnings
from typing import Any

try:
    __version__ = importlib.metadata.version("posekit")
except importlib.metadata.PackageNotFoundError:  # a source folder that was not installed
    __version__ = "0+source"

EXPORTS = {  # by name, the module that defines it
    "load": "engine.inference.prediction",
    "trace": "hooks",
    "edit": "hooks",
    "adapt": "engine.outside.adapting",
    "explain": "interpret.attribution.explain",
    "audit": "auditing.judging",
    "Audit": "auditing.judging",
    "Poses": "engine.inference.poses",
    "patch": "interpret.activations.patching",
    "Predictor": "engine.inference.prediction",
    "predict_crops": "engine.inference.prediction",
    "evaluate": "engine.evaluation",
    "calibrate": "engine.trust.calibrate",
    "errors_of": "engine.trust.mistakes",
    "robustness": "engine.trust.robustness",
    "fit": "engine.learning.fitting",
    "fit_parts": "engine.learning.fitting",
    "train": "engine.learning.training",
    "Recipe": "engine.learning.training",
    "load_people": "data",
    "crops": "data.crops",
    "Crops": "data.crops",
    "People": "data.people",
    "Hourglass": "models.hourglass",
    "HourglassConfig": "models.hourglass",
    "Backend": "engine.backend",
    "PosekitError": "errors",
    "Card": "engine.weights",
    "SKELETONS": "skeleton",
    "Skeleton": "skeleton",
}
MODULES = {  # by the short name under which `posekit.NAME` gives it, where it lies
    "adapters": "engine.outside.adapters", "auditing": "auditing", "bench": "cli.hardware.bench", "convert": "engine.outside.convert",
    "coordinates": "coordinates", "data": "data", "display": "display", "drawing": "display.drawing", "engine": "engine",
    "errors": "errors", "evaluation": "engine.evaluation", "execution": "workflow.execution", "fitting": "engine.learning.fitting",
    "heatmaps": "heatmaps", "hooks": "hooks", "interchange": "engine.interchange", "interpret": "interpret", "losses": "losses",
    "backend": "engine.backend", "metrics": "metrics", "models": "models", "parameters": "workflow.parameters", "plots": "plots",
    "prediction": "engine.inference.prediction", "runs": "workflow.runs", "skeleton": "skeleton", "stats": "stats", "studies": "studies",
    "training": "engine.learning.training", "weights": "engine.weights", "workflow": "workflow",
}  # fmt: skip
FORMER = {"Machine": "Backend", "machine": "backend"}  # names before 0.1.0, kept for one version

__all__ = ["__version__", *EXPORTS]


def __getattr__(name: str) -> Any:
    if name in EXPORTS:
        value = getattr(importlib.import_module(f"{__name__}.{EXPORTS[name]}"), name)
        globals()[name] = value
        return value
    if name in FORMER:
        warnings.warn(f"posekit.{name} is called posekit.{FORMER[name]} now", DeprecationWarning, stacklevel=2)
        return __getattr__(FORMER[name])
    if name in MODULES:
        return importlib.import_module(f"{__name__}.{MODULES[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *MODULES})
