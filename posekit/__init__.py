"""posekit: train the Stacked Hourglass for 2D human pose, look inside it, redesign it.

    import posekit

    poses = posekit.load("lspet-hg1").predict("photograph.jpg")  # a notebook shows it drawn
    scores = posekit.evaluate("lspet-hg1", "lspet:photographs/lspet@test", flip=True)

Modules and functions are imported when they are first asked for, so that `import posekit` itself is quick.
"""

import importlib
import importlib.metadata
from typing import Any

try:
    __version__ = importlib.metadata.version("posekit")
except importlib.metadata.PackageNotFoundError:  # a source folder that was not installed
    __version__ = "0+source"

EXPORTS = {  # by name, the module that defines it
    "load": "prediction",
    "trace": "interpret.trace",
    "edit": "interpret.trace",
    "explain": "interpret.attribution",
    "Poses": "prediction",
    "Predictor": "prediction",
    "predict_crops": "prediction",
    "evaluate": "evaluation",
    "fit": "fitting",
    "fit_parts": "fitting",
    "train": "training",
    "Recipe": "training",
    "load_people": "data",
    "crops": "data.crops",
    "Crops": "data.crops",
    "People": "data.people",
    "Hourglass": "models.hourglass",
    "HourglassConfig": "models.hourglass",
    "Machine": "machine",
    "PosekitError": "errors",
    "Card": "weights",
    "SKELETONS": "skeleton",
}
_MODULES = (
    "bench", "convert", "coordinates", "data", "drawing", "errors", "evaluation", "execution", "fitting", "heatmaps",
    "interchange", "interpret", "losses", "machine", "metrics", "models", "parameters", "plots", "prediction", "runs", "skeleton",
    "training", "weights",
)  # fmt: skip

__all__ = ["__version__", *EXPORTS]


def __getattr__(name: str) -> Any:
    if name in EXPORTS:
        value = getattr(importlib.import_module(f"{__name__}.{EXPORTS[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
