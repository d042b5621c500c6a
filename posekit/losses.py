"""What training minimises, over the labelled joints alone. Heatmaps are (B, stacks, K, H, W)."""

from torch import Tensor

LOSSES = ("cross-entropy", "mse")


def loss_sum(heatmaps: Tensor, target: Tensor, labelled: Tensor, kind: str) -> Tensor:
    """Sum over stacks and labelled joints; divide by the number of labelled joints (of all processes) for the mean.

    `target` (B, K, H, W) holds Gaussians of height 1, `labelled` (B, K) is boolean.

    - `cross-entropy`: of a softmax over the map's cells against the Gaussian normalised to sum 1, less the Gaussian's
      own entropy, so that 0 is perfect.
    - `mse`: mean squared difference over the cells (Newell et al., section 3.3). A map of zeros costs almost nothing,
      the trap that the book's chapter on training shows.
    """
    heatmaps = heatmaps.float()
    if kind == "mse":
        per_joint = (heatmaps - target[:, None]).square().mean((-2, -1))
    elif kind == "cross-entropy":
        mass = target.flatten(-2)
        mass = (mass / mass.sum(-1, keepdim=True).clamp_min(1e-12))[:, None]
        log_probability = heatmaps.flatten(-2).log_softmax(-1)
        per_joint = (mass * (mass.clamp_min(1e-12).log() - log_probability)).sum(-1)
    else:
        raise ValueError(f"no loss {kind!r}; there are {', '.join(LOSSES)}")
    return per_joint.masked_fill(~labelled[:, None], 0).sum()
