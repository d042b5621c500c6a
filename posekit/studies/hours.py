"""About how long trainings take on this machine, by those that it has done."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from posekit.engine.costs import multiply_adds
from posekit.models import architecture_of, build
from posekit.models.feedback import FeedbackConfig
from posekit.studies.job import Training
from posekit.studies.results import Result

USUAL = 1.5e-10  # seconds of training a multiply-add, one core with bfloat16; used where no result of this machine is kept


def seconds(stages: Iterable[Training], people: int, rates: dict[str, float]) -> float:
    """Of training these, one at a time, each without what it goes on from, on so many people."""
    usual = statistics.median(rates.values()) if rates else USUAL
    return sum(
        rates.get(architecture_of(stage.config), usual) * _macs(stage.config, stage.recipe.resolution) * people * stage.recipe.epochs
        for stage in stages
    )


def measured(results: Sequence[Result], hardware: dict[str, Any]) -> dict[str, float]:
    """Seconds a multiply-add by architecture, the median of the results that this hardware made. Times of other machines say nothing."""
    found: dict[str, list[float]] = {}
    for result in results:
        if result.content["made"]["hardware"] == hardware and (work := _work(result)):
            found.setdefault(result.content["spec"]["architecture"], []).append(result.content["seconds"] / work)
    return {architecture: statistics.median(rates) for architecture, rates in found.items()}


@lru_cache(maxsize=4096)
def _macs(config: Any, resolution: int) -> int:
    """Of one person's forward pass; templates, which are fitted within minutes, count as nothing."""
    if architecture_of(config) == "parts":
        return 0
    if isinstance(config, FeedbackConfig):
        config = replace(config, start=((0.0, 0.0),) * config.joints)
    return multiply_adds(build(config), resolution)


def _work(result: Result) -> float:
    """Multiply-adds of all people and epochs; a stage at a lower resolution costs less by its area. Of templates 0."""
    spec, sides = result.content["spec"], list[int]()
    if spec["architecture"] == "parts":
        return 0.0
    stage: dict[str, Any] | None = spec
    while stage:
        sides.insert(0, stage["recipe"]["resolution"])
        stage = stage.get("start")
    epochs = sum(len(curve) * (side / sides[-1]) ** 2 for curve, side in zip(result.content["curve"], sides, strict=True))
    return result.content["multiply_adds"] * result.content["data"]["people"]["train"]["count"] * epochs
