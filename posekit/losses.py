"""What training minimises, over the labelled joints alone. Heatmaps are (B, stages, K, H, W), coordinates (B, stages, K, 2)."""

from torch import Tensor
from torch.nn.functional import smooth_l1_loss

LOSSES = ("cross-entropy", "mse", "coordinates")


def loss_sum(output: Tensor, target: Tensor, labelled: Tensor, kind: str, weights: Tensor | None = None) -> Tensor:
    """Sum over stages and labelled joints; divide by the number of labelled joints (of all processes) for the mean.

    `target` (B, K, H, W) holds Gaussians of height 1, or (B, K, 2) coordinates in the output's units; `labelled` (B, K) is boolean.
    `weights` (B, K) say how much each label counts; then divide by their sum.

    - `cross-entropy`: of a softmax over the map's cells against the Gaussian normalised to sum 1, less the Gaussian's
      own entropy, so that 0 is perfect.
    - `mse`: mean squared difference over the cells (Newell et al., section 3.3). A map of zeros costs almost nothing,
      the trap that the book's chapter on training shows.
    - `coordinates`: smooth L1, quadratic below a twentieth, about a sixth of a torso where the unit is the view's side.
    """
    output = output.float()
    if kind == "mse":
        per_joint = (output - target[:, None]).square().mean((-2, -1))
    elif kind == "cross-entropy":
        mass = target.flatten(-2)
        mass = (mass / mass.sum(-1, keepdim=True).clamp_min(1e-12))[:, None]
        log_probability = output.flatten(-2).log_softmax(-1)
        per_joint = (mass * (mass.clamp_min(1e-12).log() - log_probability)).sum(-1)
    elif kind == "coordinates":
        target = target.nan_to_num()[:, None].expand_as(output)  # a NaN would reach the gradient even where it is masked
        per_joint = smooth_l1_loss(output, target, beta=0.05, reduction="none").sum(-1)
    else:
        raise ValueError(f"no loss {kind!r}; there are {', '.join(LOSSES)}")
    if weights is not None:
        per_joint = per_joint * weights[:, None]
    return per_joint.masked_fill(~labelled[:, None], 0).sum()
