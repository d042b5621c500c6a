"""Trained networks made over into others that go on from their weights."""

from dataclasses import replace

from posekit.errors import PosekitError
from posekit.models.hourglass import Hourglass


def doubled(network: Hourglass) -> Hourglass:
    """The same function of pictures twice as large, by hourglasses at an eighth: its heatmaps of a picture are this network's
    of the picture's means over 2 x 2 pixels, each cell four times.

    Only the first filters and the heads grow, at 2 x 2 times their weights; trained on, they can use the finer detail.

    Raises:
        PosekitError: the network works at an eighth already, or its heatmaps are normalised.
    """
    config = network.config
    if config.eighth or config.normalised_heatmaps:
        raise PosekitError(f"{config}: cannot be doubled: it must work at a quarter, its heatmaps not normalised")
    larger = Hourglass(replace(config, eighth=True)).train(network.training)
    state = dict(network.state_dict())
    state["stem.conv.weight"] = state["stem.conv.weight"].repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
    for i in range(config.stacks):
        for parameter in ("weight", "bias"):
            head = state.pop(f"stack{i}.heatmaps.{parameter}")
            state[f"stack{i}.heatmaps.0.{parameter}"] = head.repeat_interleave(4, 0)
        back = f"stack{i}.merge_heatmaps.weight"
        if back in state:
            state[back] = state[back].expand(-1, -1, 2, 2) / 4
    larger.load_state_dict(state)
    return larger


def without_bottleneck(network: Hourglass, which: int) -> Hourglass:
    """The network without one of each stack's bottleneck residuals, 1 the first; the others keep their weights.

    Raises:
        PosekitError: there is no such residual, or it is the only one.
    """
    count = network.config.bottleneck_residuals
    if count < 2 or not 1 <= which <= count:
        raise PosekitError(f"bottleneck residual {which} cannot be left out of {count}; there must be others")
    smaller = Hourglass(replace(network.config, bottleneck_residuals=count - 1)).train(network.training)
    state = network.state_dict()
    for number in range(which, count):  # each later one moves up
        for name in [name for name in state if f".bottleneck{number + 1}." in name]:
            state[name.replace(f".bottleneck{number + 1}.", f".bottleneck{number}.")] = state[name]
    smaller.load_state_dict({name: value for name, value in state.items() if f".bottleneck{count}." not in name})
    return smaller
