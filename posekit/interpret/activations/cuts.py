"""What a network needs of its code: its score when the code is cut to k components, beside k random directions.

    frame = pca_of(codes)  # of other people than those whose codes are cut
    cut = cut_scores(model, card, crops, code_hook_point(model), frame, [1, 10, 100], skips="mean", means=means)
    cut["components"][10]["relative"]  # how many joints more or fewer than with the whole code, as a share, over the same people

A component is noise to the network if it answers as well without it, whatever the component's variance.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from posekit import metrics
from posekit.data.crops import Crops
from posekit.engine.backend import Backend
from posekit.engine.evaluation import common
from posekit.engine.inference.prediction import by_modules, predict_crops
from posekit.engine.weights import Card
from posekit.errors import PosekitError
from posekit.errors import whole as whole_number
from posekit.hooks import Edit, edit
from posekit.interpret.activations.walks import skip_edits
from posekit.interpret.analysis.components import Components
from posekit.models.hourglass import Hourglass
from posekit.skeleton import skeleton_of
from posekit.stats import relative_change


def project(mean: np.ndarray, directions: np.ndarray) -> Edit:
    """The edit that leaves of a code (D,) its projection onto orthonormal `directions` (k, D), around `mean` (D,)."""
    centre, frame = (torch.as_tensor(np.asarray(values), dtype=torch.float32) for values in (mean, directions))

    def projected(activation: Tensor, name: str) -> Tensor:
        if activation[0].numel() != len(centre):
            raise PosekitError(f"components of {len(centre)} numbers do not fit {name}, where a code has {activation[0].numel()}")
        own, along = centre.to(activation.device), frame.to(activation.device)
        return (own + (activation.flatten(1).float() - own) @ along.T @ along).reshape(activation.shape).to(activation.dtype)

    return projected


def rotated(directions: np.ndarray, seed: int = 0) -> np.ndarray:
    """As many orthonormal directions (R, D) of the same span, drawn at random."""
    random = np.random.default_rng(seed).normal(size=(len(directions), len(directions)))
    return np.linalg.qr(random)[0].T @ directions


def cut_scores(
    model: Hourglass, card: Card, crops: Crops, hook_point: str, frame: Components, ks: Iterable[int], *, skips: str = "intact",
    means: Mapping[str, Tensor] | None = None, backend: Backend | None = None, batch: int = 64, seed: int = 0,
) -> dict:  # fmt: skip
    """PCK@0.2·torso of the answers to codes cut to the first k components of `frame`, and to k random directions of its span.

    Of k there is what `ks` gives, up to as many components as there are, and always all of them. Skips as in `walks.answers`.

    Returns:
        {"whole": {"mean", "low", "high"}, "mean code": the same and "change" where everybody has the mean of `frame`,
        "components": {k: {"mean", "low", "high", "change", "relative"}}, "random directions": the same and "behind"}.
        Intervals (95 %) are over people, or over pictures where people share one. `change` is that of PCK from the whole code,
        `relative` that of the number of joints found, as a share of it, and `behind` what random directions have less than as many
        components; all three are paired, {"mean", "low", "high", "people"}.
    """
    tried = sorted({k for k in (whole_number("ks", k) for k in ks) if k < len(frame)})
    backend = backend or Backend.best()
    network, stage, known = by_modules(model, backend), model.stage_of(hook_point), skeleton_of(card.skeleton)
    people, pictures = crops.people, crops.people.names
    skeleton = common(known, people.skeleton)
    own = known.index(*skeleton.joints)
    truth = people.keypoints[:, people.skeleton.index(*skeleton.joints)]

    def hits(code: dict[str, Edit]) -> np.ndarray:
        with edit(model, skip_edits(model, hook_point, skips, means) | code):
            found = predict_crops(model, card, crops, backend=backend, network=network, batch=batch)[stage]
        return metrics.hits(found[:, own], truth, 0.2 * metrics.torso(truth, skeleton))

    def block(found: np.ndarray) -> dict[str, float]:
        low_high = metrics.interval(np.nansum(found, 1), np.isfinite(found).sum(1), pictures=pictures, seed=seed)
        return dict(zip(("mean", "low", "high"), low_high, strict=True))

    def change(found: np.ndarray, reference: np.ndarray) -> dict[str, float]:
        return metrics.paired_difference(found, reference, pictures=pictures, seed=seed)

    whole, nobodys = hits({}), hits({hook_point: project(frame.mean, frame.directions[:0])})
    result: dict = {"whole": block(whole), "mean code": block(nobodys) | {"change": change(nobodys, whole)}}
    kept: dict[int, np.ndarray] = {}
    for name, directions in (("components", frame.directions), ("random directions", rotated(frame.directions, seed))):
        result[name] = {}
        for k in [*tried, len(frame)]:
            same = name != "components" and k == len(frame)  # the same span
            found = kept[k] if same else hits({hook_point: project(frame.mean, directions[:k])})
            less = change(found, whole)
            more = relative_change(np.nansum(found, 1), np.nansum(whole, 1), pictures=pictures, seed=seed)
            relative = {"mean": more.mean, "low": more.low, "high": more.high, "people": less["people"]}
            result[name][k] = block(found) | {"change": less, "relative": relative}
            if name == "components":
                kept[k] = found
            else:
                result[name][k]["behind"] = change(found, kept[k])
    return result
