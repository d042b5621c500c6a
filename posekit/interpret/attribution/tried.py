"""Which methods can be tried on a network: the layers of Grad-CAM, and why a method cannot be had of it."""

import time
from collections.abc import Mapping

import numpy as np
from torch import nn

from posekit.errors import PosekitError
from posekit.hooks import hook_points
from posekit.interpret.attribution.explain import default_layer
from posekit.interpret.attribution.sanity import Cases, Maps

LAYERS = 6  # of a network that is no hourglass, from its first map to its last


def cam_layers(model: nn.Module, code: str) -> tuple[list[str], dict[str, str]]:
    """The hook points at which Grad-CAM is tried, and by name those whose maps are tested.

    An hourglass's are at skip connections, the code and the way up; of another network evenly spaced maps, its skip connections', the
    code and where Grad-CAM looks by default.
    """
    names, default = hook_points(model), default_layer(model)
    if callable(own := getattr(model, "cam_layers", None)):
        layers, finest = own(code)
        return [layer for layer in layers if layer in names], {"code": code, "skip 1": finest, "sum 1": default}
    maps = [name for name, shape in getattr(model, "shapes", {}).items() if len(shape) == 3 and shape[1] * shape[2] > 1]
    skips = [name for group in getattr(model, "skip_groups", dict)().values() for name in group]
    spaced = {maps[i] for i in np.linspace(0, len(maps) - 1, min(LAYERS, len(maps))).round().astype(int)} if maps else set()
    cams = {"code": code, "before the head": maps[-2] if len(maps) > 1 else default} | ({"first skip": skips[0]} if skips else {})
    return [name for name in names if name in {*spaced, *skips[:1], code, default, *cams.values()}], cams


def attempted(model: nn.Module, cases: Cases, ways: Mapping[str, Maps]) -> tuple[dict[str, np.ndarray], dict[str, float], dict[str, str]]:
    """The maps (N, R, R) of each way and the seconds that a map takes; and why others cannot be had: the network has no ReLUs, say."""
    found, spent, refused = {}, {}, {}
    for label, way in ways.items():
        begun = time.monotonic()
        try:
            found[label] = way(model, cases)
        except PosekitError as error:
            refused[label] = str(error)
        spent[label] = (time.monotonic() - begun) / len(cases)
    return found, spent, refused
