"""A network's named activations as a table."""

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

from posekit.hooks import hook_points, trace

if TYPE_CHECKING:
    import pandas as pd


def overview(model: nn.Module, resolution: int) -> "pd.DataFrame":
    """The named activations of a posekit network in the order of computation, for a picture of `resolution` pixels a side.

    Columns: `activation`, its name; `shape`, what one picture gives there, C x H x W; `parameters`, how many its module owns. No picture
    is computed: the shapes are those of a copy of the network that holds no numbers. A part that is no activation has no shape.

    >>> from posekit import Hourglass, HourglassConfig
    >>> overview(Hourglass(HourglassConfig.narrow(16, joints=14)), 128).head(3)
            activation         shape  parameters
    0             stem  16 x 32 x 32        2120
    1     stack0.skip1  16 x 32 x 32         928
    2  stack0.encoder1  16 x 16 x 16         928
    """
    import pandas as pd  # here: it takes longer to import than all that prediction needs besides torch

    names = hook_points(model)
    if isinstance(known := getattr(model, "shapes", None), dict):  # an outside network's are known, and it need not compute without data
        shapes = {name: " x ".join(map(str, shape)) for name, shape in known.items()}
        rows = [(name, shapes[name], sum(p.numel() for p in model.get_submodule(name).parameters())) for name in names]
        return pd.DataFrame(rows, columns=["activation", "shape", "parameters"])
    copied, picture = copy.deepcopy(model).to("meta").eval(), torch.zeros(1, 3, resolution, resolution, device="meta")
    with torch.no_grad(), trace(copied, names) as activations:
        if names:
            copied(picture)
    rows = []
    for name in names:
        shape = " x ".join(map(str, activations[name].shape[1:])) if name in activations else ""
        rows.append((name, shape, sum(p.numel() for p in model.get_submodule(name).parameters())))
    return pd.DataFrame(rows, columns=["activation", "shape", "parameters"])
