"""How a squeeze behind the code of a trained network is initialised: pre-trained, from components, or at random."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from posekit.data.crops import Crops
from posekit.engine import weights
from posekit.engine.backend import Backend, own_random_state
from posekit.errors import PosekitError
from posekit.files import write_json
from posekit.interpret.activations.codes import code_hook_point, collect
from posekit.interpret.analysis.components import pca_of
from posekit.models.hourglass import Hourglass, HourglassConfig, Stack
from posekit.models.squeeze import Linear


@dataclass(frozen=True)
class Pretraining:
    """How the study trains the autoencoder before it is placed in the network: SGD, the learning rate halved now and then."""

    epochs: int = 50
    lr: float = 5e-4
    momentum: float = 0.9
    halved: int = 25  # every so many epochs
    batch: int = 16

    def lr_at(self, epoch: int) -> float:
        """Epochs count from 0."""
        return self.lr * 0.5 ** (epoch // self.halved)


@own_random_state(torch.device("cpu"))
def init_squeeze(
    base: str | Path, config: HourglassConfig, init: str, training: Crops, validation: Crops, path: str | Path,
    pretraining: Pretraining = Pretraining(), seed: int = 0, backend: Backend | None = None,
) -> None:  # fmt: skip
    """Write `path`: the base's weights with a squeeze behind its code, initialised as `init` says.

    `trained`: pre-trained to give each training person's code back (`pretrain`); its losses go to pretraining.json beside
    `path`. `components`: linear, the projection onto the first principal components. `random`: the same onto as many directions
    drawn by chance.

    Raises:
        PosekitError: the base is not this network without its squeeze, or there are fewer people than dimensions.
    """
    network, card = weights.load(base)
    if _plain(config) != _plain(network.config):
        raise PosekitError(f"{base}: is {network.config}, to which a squeeze alone does not make {config}")
    codes = collect(network, card, training, code_hook_point(network), backend=backend)
    torch.default_generator.manual_seed(seed)
    squeezed = Hourglass(config).eval()
    squeezed.load_state_dict(network.state_dict(), strict=False)
    stack = cast(Stack, squeezed.get_submodule(f"stack{config.stacks - 1}"))
    assert stack.squeeze is not None
    if init == "trained":
        held_out = collect(network, card, validation, code_hook_point(network), backend=backend)
        shape = (config.features, config.code_side, config.code_side)
        history = pretrain(stack.squeeze, stack.noise, _shaped(codes, shape), _shaped(held_out, shape), pretraining, seed)
        write_json(Path(path).with_name("pretraining.json"), history)
    else:
        components = pca_of(codes, config.dimensions)
        directions = components.directions
        if init == "random":
            directions = orthonormal_directions(len(directions), directions.shape[1], seed)
        cast(Linear, stack.squeeze).start(torch.from_numpy(directions).float(), torch.from_numpy(components.mean).float())
    weights.save(path, squeezed, replace(card, config=config.to_dict()))


def pretrain(
    squeeze: nn.Module, noise: nn.Module | None, codes: Tensor, held_out: Tensor, how: Pretraining = Pretraining(), seed: int = 0
) -> list[dict[str, float]]:
    """Train a squeeze to give codes (N, F, S, S) back from their noisy version, by the mean squared error; in place.

    Returns:
        by epoch, {"epoch", "loss", "explained"}: the mean loss, and the share of the variance of `held_out` (M, F, S, S),
        without noise, that it gives back.
    """
    optimiser = torch.optim.SGD(squeeze.parameters(), lr=how.lr, momentum=how.momentum)
    generator = torch.Generator().manual_seed(seed)
    spread = (held_out - codes.mean(0)).square().sum()
    history = []
    for epoch in range(how.epochs):
        for group in optimiser.param_groups:
            group["lr"] = how.lr_at(epoch)
        total = 0.0
        for index in torch.randperm(len(codes), generator=generator).split(how.batch):
            clean = codes[index]
            noisy = clean if noise is None else noise.train()(clean)
            loss = (squeeze.train()(noisy) - clean).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(index)
        with torch.no_grad():
            rest = (squeeze.eval()(held_out) - held_out).square().sum()
        history.append({"epoch": epoch + 1, "loss": total / len(codes), "explained": float(1 - rest / spread)})
    return history


def orthonormal_directions(count: int, dimensions: int, seed: int) -> np.ndarray:
    """Orthonormal directions (count, dimensions), uniform over all of them."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimensions, count)))
    return (q * np.sign(np.diag(r))).T


def _plain(config: HourglassConfig) -> HourglassConfig:
    """Without anything done to the code."""
    fields = ("squeeze", "code_noise", "dimensions", "code_side")
    return replace(config, **{name: getattr(HourglassConfig, name) for name in fields})


def _shaped(codes: np.ndarray, shape: tuple[int, int, int]) -> Tensor:
    return torch.from_numpy(codes).reshape(-1, *shape)
