"""Can it be read whether a joint is hidden? From the code by a linear probe, and from the heatmap's own confidence."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from posekit.engine.trust.reliability import ranking
from posekit.errors import PosekitError
from posekit.interpret.analysis.probes import probe

LEAST = 20  # people in whom a joint is hidden, and in whom it is visible


def hidden(flags: np.ndarray, joint: str) -> np.ndarray:
    """1 where a joint of COCO's flags (N,) is labelled but hidden, 0 where it is visible, NaN where it is not labelled.

    Raises:
        PosekitError: fewer than LEAST people have it hidden, or visible.
    """
    of = {"hidden": int((flags == 1).sum()), "visible": int((flags == 2).sum())}
    few = [kind for kind, count in of.items() if count < LEAST]
    if few:
        counts = " and ".join(f"{kind} in {of[kind]:,}" for kind in few)
        raise PosekitError(f"{joint}: {counts} of {len(flags):,} people; telling hidden joints from visible ones takes {LEAST} of each at "
                           "least, and mannequins have both")  # fmt: skip
    return np.where(flags > 0, (flags == 1).astype(float), np.nan)


def askable(flags: np.ndarray, joints: Sequence[str]) -> dict[str, str]:
    """Of COCO's flags (N, K) of `joints`: by joint, why it cannot be told whether it is hidden; none for those of which it can.

    Raises:
        PosekitError: it can be told of no joint.
    """
    left_out = {}
    for k, joint in enumerate(joints):
        try:
            hidden(flags[:, k], joint)
        except PosekitError as error:
            left_out[joint] = str(error)
    if len(left_out) == len(joints):
        raise PosekitError(
            f"no joint is marked as hidden in some people and as visible in others: {next(iter(left_out.values()), 'there are no joints')}"
        )
    return left_out


def visibility(
    scores: np.ndarray, flags: np.ndarray, signals: Mapping[str, np.ndarray], joints: Sequence[str], *,
    pictures: np.ndarray | None = None, folds: int = 5, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """How well hidden joints are told from visible ones: areas under the ROC curve, 0.5 is chance.

    Args:
        scores: (N, C) of codes on components that do not know the flags.
        flags: (N, K) COCO's, of `joints`.
        signals: by name, (N, K) confidences, larger where surer: a hidden joint should have less.
        pictures: (N,) numbers of their pictures, where people share some.

    Returns:
        `joints`, by joint, `code`, a linear probe's area for people that it was not fitted to, and each signal's, {"mean", "low", "high",
        "people"}; `left out`, by joint, why it could not be asked.

    Raises:
        PosekitError: no joint has both kinds of people.
    """
    found: dict[str, dict[str, Any]] = {}
    left_out = askable(flags, joints)
    for k, joint in enumerate(joints):
        if joint in left_out:
            continue
        truth = hidden(flags[:, k], joint)
        read = probe(f"{joint} hidden", scores, truth, pictures=pictures, folds=folds, permutations=0, seed=seed)
        assert read.auc is not None
        block = dict(zip(("mean", "low", "high"), read.auc, strict=True)) | {"people": read.people}
        found[joint] = {"code": block} | {
            name: ranking(-values[:, k : k + 1], truth[:, None], pictures=pictures, seed=seed) for name, values in signals.items()
        }  # fmt: skip
    return {"joints": found, "left out": left_out}
