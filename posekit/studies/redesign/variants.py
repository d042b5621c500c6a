"""What is built otherwise: the study's autoencoder and its controls, our own redesigns, and how the best is named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from posekit.models.hourglass import HourglassConfig
from posekit.studies.redesign.budget import parameters, widened, within


@dataclass(frozen=True)
class Variant:
    """One way of building the network."""

    name: str
    config: HourglassConfig
    init: str | None = None  # how its squeeze is initialised in the trained base: pre-trained, from components, at random
    sigma: float = 1.0  # of the target Gaussians, in heatmap pixels
    why: str = ""  # what it is there for, in a few words


def study_variants(base: HourglassConfig, dimensions: int, side: int, noise: float = 0.1) -> list[Variant]:
    """The study's autoencoder, of `dimensions` numbers behind a code of `side` cells, and what it must be compared with."""
    squeezed = replace(base, squeeze="autoencoder", dimensions=dimensions, code_side=side, code_noise=noise)
    linear = replace(base, squeeze="linear", dimensions=dimensions, code_side=side)
    wider = widened(base, parameters(squeezed))
    return [
        Variant("autoencoder", squeezed, "trained", why="the redesign of the bachelor thesis"),
        Variant("linear", linear, "components", why="linear, as many dimensions, initialised with the principal components"),
        Variant("random", linear, "random", why="linear, as many dimensions, initialised with random directions"),
        Variant("wider", wider, why="the autoencoder’s parameters in more channels instead"),
    ]


def own_variants(base: HourglassConfig, resolution: int) -> list[Variant]:
    """What the chapters on skips, stacks and codes suggest, each at no more parameters and multiply-adds than the base."""
    lean = "without coarse skips and bottleneck residuals, which ablation shows to matter little; a cheaper stem; wider"
    far = "most errors are large and codes redundant: modules with larger receptive fields and fewer channels"
    slim = {"skips": (1, 2), "bottleneck_residuals": 1, "early_pool": True}
    return [
        Variant("noisy code", replace(base, code_noise=0.1), why="codes are redundant: noise may regularise"),
        Variant("lean", within(base, resolution, **slim), why=lean),
        Variant("basic modules", within(base, resolution, basic=True), why=far),
        Variant("sharper targets", base, sigma=0.7, why="some errors are small: narrower targets"),
        Variant("all three", within(base, resolution, basic=True, **slim), sigma=0.7, why="lean, basic modules, sharper targets"),
    ]  # fmt: skip


def winner(scores: dict[str, Sequence[float]], costs: dict[str, Sequence[float]], base: str) -> str:
    """Who has the best mean validation score over seeds among those that cost no more than the base in anything.

    The rule by which the book names its redesign, fixed before the test people are looked at; the base itself may win.
    """
    affordable = [name for name in scores if all(a <= b for a, b in zip(costs[name], costs[base], strict=True))]
    return max(affordable, key=lambda name: float(np.mean(scores[name])))
