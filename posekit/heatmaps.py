"""Keypoints to heatmaps and back: pure functions.

Coordinates are (x, y) in heatmap pixels, and the centre of the first is (0, 0).
"""

import math

import torch
from torch import Tensor

DECODERS = ("argmax", "quarter", "dark", "soft-argmax")
BLUR = 1 / 24  # sigma of the blur before decoding, as a share of the map's width; chosen on lspet@val
BACKGROUND = 0.3  # share of a raw map's peak up to which soft-argmax takes a cell for background; noise of a tenth of the peak stays below


def encode(keypoints: Tensor, size: int, sigma: float = 1.0) -> Tensor:
    """Gaussians of height 1 at sub-pixel centres: keypoints (..., K, >=2) to heatmaps (..., K, size, size).

    A joint with NaN coordinates gives a map of zeros; masking it is the loss's business.

    >>> encode(torch.tensor([[1.0, 2.0]]), 4).argmax().item()  # row 2, column 1
    9
    """
    grid = torch.arange(size, dtype=keypoints.dtype, device=keypoints.device)
    x = torch.exp(-((grid - keypoints[..., 0, None]) ** 2) / (2 * sigma**2))
    y = torch.exp(-((grid - keypoints[..., 1, None]) ** 2) / (2 * sigma**2))
    return torch.nan_to_num(y[..., :, None] * x[..., None, :])


def probabilities(logits: Tensor) -> Tensor:
    """Softmax over the cells of each map (..., H, W): what a network trained with cross-entropy predicts."""
    return logits.flatten(-2).softmax(-1).view_as(logits)


def decode(heatmaps: Tensor, method: str = "dark") -> Tensor:
    """Heatmaps (..., K, H, W) to keypoints (..., K, 3): x, y and the peak's height.

    Heatmaps are not negative and have at least 3 cells a side; those of another kind than float64 are read as float32.

    Methods, and the error in each coordinate for a Gaussian whose centre lies in the map, that is in one of
    its cells:

    - `argmax`: the highest cell; at most 1/2 pixel.
    - `quarter`: and a quarter of a pixel towards the higher neighbour (Newell et al., section 3.1); at most
      1/4, but 1/2 in the cells at the border, which lack a neighbour.
    - `dark`: and a Newton step on the log of the map (Zhang et al., CVPR 2020, equation 9), never further than a
      pixel and never out of the map; exact for a Gaussian up to rounding. At the border the derivatives come from
      the cells next to it. Left out is their smoothing before it ("distribution modulation", section 3.2), which
      `decode_output` does for probabilities: on a Gaussian of sigma 2 with independent noise of a tenth of its
      height the error is 0.47 cells without it, and 0.10 of a map that went through `smooth`, as by their own code.
    - `soft-argmax`: the mean of the map normalised to sum 1 (Sun et al., ECCV 2018); below 0.01 pixel for a
      Gaussian with sigma of at least 0.75 that lies four sigmas inside; biased towards the middle by any
      background, and refused (ValueError) where a cell is negative, which leaves no mass to take the mean of.

    Of equally high cells the first counts; a map without a peak (constant, or all zero) decodes to a position in
    it, not to NaN.
    """
    if method not in DECODERS:
        raise ValueError(f"no decoder {method!r}; there are {', '.join(DECODERS)}")
    if heatmaps.dtype not in (torch.float32, torch.float64):  # parts of a cell are beyond half precision, signs beyond uint8
        heatmaps = heatmaps.float()
    height, width = heatmaps.shape[-2:]
    flat = heatmaps.flatten(-2)
    score, cell = flat.max(-1)
    row, column = cell // width, cell % width
    if method == "soft-argmax":
        if (heatmaps < 0).any():
            raise ValueError("soft-argmax is of maps without negative cells: give probabilities, or read raw maps by `decode_output`")
        mass = heatmaps / heatmaps.sum((-2, -1), keepdim=True).clamp_min(torch.finfo(heatmaps.dtype).tiny)
        x = (mass.sum(-2) * torch.arange(width, device=mass.device)).sum(-1)
        y = (mass.sum(-1) * torch.arange(height, device=mass.device)).sum(-1)
        return torch.stack([x, y, score], -1)
    x, y = column.to(heatmaps.dtype), row.to(heatmaps.dtype)
    if method == "argmax":
        return torch.stack([x, y, score], -1)

    def at(r: Tensor, c: Tensor) -> Tensor:
        return flat.gather(-1, (r * width + c)[..., None])[..., 0]

    # The cell around which neighbours are read: the highest, or the next one inside if that is at the border.
    r, c = row.clamp(1, height - 2), column.clamp(1, width - 2)
    if method == "quarter":
        x = x + torch.where(c == column, 0.25 * torch.sign(at(r, c + 1) - at(r, c - 1)), 0)
        y = y + torch.where(r == row, 0.25 * torch.sign(at(r + 1, c) - at(r - 1, c)), 0)
        return torch.stack([x, y, score], -1)
    floor = torch.finfo(heatmaps.dtype).tiny
    log = {(dy, dx): at(r + dy, c + dx).clamp_min(floor).log() for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    gx, gy = (log[0, 1] - log[0, -1]) / 2, (log[1, 0] - log[-1, 0]) / 2
    hxx = log[0, 1] - 2 * log[0, 0] + log[0, -1]
    hyy = log[1, 0] - 2 * log[0, 0] + log[-1, 0]
    hxy = (log[1, 1] - log[1, -1] - log[-1, 1] + log[-1, -1]) / 4
    determinant = hxx * hyy - hxy**2
    peaked = (hxx < 0) & (determinant > 1e-9) & (score > 0)
    determinant = torch.where(peaked, determinant, 1)

    def refined(cell: Tensor, centre: Tensor, step: Tensor, size: int) -> Tensor:
        place = torch.where(peaked, centre + step / determinant, cell)
        return place.clamp(cell - 1, cell + 1).clamp(-0.5, size - 0.5)

    x = refined(x, c, hxy * gy - hyy * gx, width)
    y = refined(y, r, hxy * gx - hxx * gy, height)
    return torch.stack([x, y, score], -1)


def decode_output(heatmaps: Tensor, loss: str, method: str = "dark") -> Tensor:
    """What a network's heatmaps (..., K, H, W) say, as keypoints (..., K, 3): x, y and the peak's height.

    Maps of a network trained with cross-entropy are probabilities; they are first blurred by `BLUR` of their width, so that a joint
    is put where most of the mass lies close by and not on a lone peak. DARK as published takes the cell before the blur and refines
    after it, which is no better: of lspet-hg1 on 400 people of lspet@val PCK@0.2·torso is 0.666 here, 0.664 by that, and 0.651 without any
    blur (of 500 by lspet-64px-hg1: 0.360, 0.343, 0.352). The height is that before the blur. Raw maps of other networks
    have noise around their peak, on both sides of 0; soft-argmax takes the mean of what stands above `BACKGROUND` of the peak.
    """
    if loss != "cross-entropy":
        if method != "soft-argmax":
            return decode(heatmaps, method)
        peak = heatmaps.amax((-2, -1), keepdim=True)
        found = decode((heatmaps - BACKGROUND * peak.clamp_min(0)).clamp_min(0), method)
        found[..., 2] = peak[..., 0, 0]
        return found
    # In float64: rounding moves the peak of a flat map, and differently in the mirror image.
    found = decode(smooth(heatmaps.double(), BLUR * heatmaps.shape[-1]), method)
    found[..., 2] = heatmaps.amax((-2, -1))
    return found


def mirror(heatmaps: Tensor, mirrored: tuple[int, ...]) -> Tensor:
    """Heatmaps (..., K, H, W) of the mirror image, joints exchanged by `Skeleton.mirrored`, unshifted."""
    return heatmaps.flip(-1)[..., list(mirrored), :, :]


def shifted(heatmaps: Tensor, right: float) -> Tensor:
    """Heatmaps (..., H, W) moved to the right by a part of a cell, between 0 and 1, linearly; what comes in from the left is 0."""
    return (1 - right) * heatmaps + right * torch.nn.functional.pad(heatmaps, (1, 0))[..., :-1]


def entropy(probability: Tensor) -> Tensor:
    """Spread of maps that sum to 1 (..., H, W), between 0 (one cell) and 1 (uniform)."""
    flat = probability.flatten(-2)
    return -torch.special.xlogy(flat, flat).sum(-1) / math.log(flat.shape[-1])


def smooth(heatmaps: Tensor, sigma: float) -> Tensor:
    """Heatmaps (..., H, W) blurred with a Gaussian of `sigma` cells that sums to 1; outside they are 0.

    Zhang et al. (CVPR 2020, section 3.2) blur with the training target's own width before they refine. Of maps that are
    probabilities, the highest cell is then where most of the mass lies close by, which is what PCK rewards.
    """
    # As products with banded matrices: convolutions in float64 take ten times as long.
    radius = math.ceil(3 * sigma)
    total = torch.exp(-(torch.arange(-radius, radius + 1, dtype=heatmaps.dtype) ** 2) / (2 * sigma**2)).sum()

    def band(size: int) -> Tensor:
        cells = torch.arange(size, dtype=heatmaps.dtype, device=heatmaps.device)
        apart = (cells[:, None] - cells).abs()
        return torch.where(apart <= radius, torch.exp(-(apart**2) / (2 * sigma**2)) / total, 0)

    return band(heatmaps.shape[-2]) @ heatmaps @ band(heatmaps.shape[-1])
