"""Two networks that are alike but for their skip connections: what ablation says of the one and retraining of the other."""

from dataclasses import dataclass

import numpy as np

from posekit.coordinates import STRIDE
from posekit.data.crops import Crops
from posekit.engine import weights
from posekit.engine.backend import Backend
from posekit.engine.weights import Card
from posekit.errors import PosekitError
from posekit.interpret.activations import ablation
from posekit.models.hourglass import Hourglass


@dataclass(frozen=True)
class Twins:
    """A network with skip connections, and one trained without."""

    network: Hourglass
    card: Card
    bare: Hourglass
    bare_card: Card

    @property
    def names(self) -> list[str]:
        return [self.card.name, self.bare_card.name]

    @property
    def parameters(self) -> list[int]:
        return [ablation.parameter_count(self.network), ablation.parameter_count(self.bare)]

    @property
    def numbers(self) -> int:
        """How many numbers the bottleneck holds, through which all has to pass in the network without skip connections."""
        config = self.bare.config
        return config.features * (self.bare_card.resolution // STRIDE // 2**config.depth) ** 2

    def keypoints(self, crops: Crops, others: Crops, backend: Backend | None = None) -> dict[str, np.ndarray]:
        """Keypoints (stacks, N, K, 3) of `with`, with all skip connections at `zero`, at `the mean` of others or `another person's`, and of
        `without`. `crops` are in the order of `ablation.mixed`."""  # fmt: skip
        every = {"all": ablation.skip_hook_points(self.network)}
        ways = {
            "zero": ablation.zero,
            "the mean": ablation.mean(self.network, self.card, others, every["all"], backend=backend),
            "another person's": ablation.resample,
        }
        return {
            "with": ablation.intact(self.network, self.card, crops, backend=backend),
            **ablation.ablate(self.network, self.card, crops, every, ways, backend=backend)["all"],
            "without": ablation.intact(self.bare, self.bare_card, crops, backend=backend),
        }


def load_twins(baseline: str, retrained: str, skeleton: str) -> Twins:
    """Weights of a network with skip connections and of one without, by files or names of shipped ones.

    Raises:
        PosekitError: the second has skip connections or the first has none, they take pictures of different sizes, or their joints are
            not those of `skeleton`.
    """
    twins = Twins(*weights.load(baseline), *weights.load(retrained))
    for name, network, card in ((baseline, twins.network, twins.card), (retrained, twins.bare, twins.bare_card)):
        if card.architecture != "hourglass":
            raise PosekitError(f"{name}: a {type(network).__name__}; give hourglasses, one with skip connections and one without")
    if twins.bare.config.skips:
        raise PosekitError(f"retrained {retrained}: this network has skip connections; give one trained without")
    ablation.skip_hook_points(twins.network)
    if {twins.card.skeleton, twins.bare_card.skeleton} != {skeleton}:
        raise PosekitError(f"baseline {baseline}, retrained {retrained}: give networks with the joints of {skeleton}, as weights has")
    if twins.card.resolution != twins.bare_card.resolution:
        raise PosekitError(
            f"baseline {baseline} takes {twins.card.resolution} px and retrained {retrained} {twins.bare_card.resolution} px; give two "
            "of one size"
        )
    return twins
