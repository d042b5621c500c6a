"""How image, crop, network input and heatmap pixels relate; no other module does this arithmetic.

Coordinates are (x, y) in pixels and the centre of the first pixel is (0, 0): pixel i covers [i - 1/2, i + 1/2].
A map between two pixel grids is a 3 x 3 matrix acting on (x, y, 1). Functions take NumPy arrays or torch tensors alike
where they only multiply.
"""

import numpy as np
import torch
from torch import Tensor

CONTEXT = 1.25  # a stored crop is this many times as wide as what the network sees, so that a shift shows real pixels
MARGIN = 1.25  # the network's view is this many times as large as the person's box, and of its input's shape
STRIDE = 4  # network input pixels to a heatmap cell
ALIGNMENTS = ("centres", "msra", "udp")  # of heatmap cells with the input's pixels; see `cells`


def transform(matrix, points):
    """Apply matrices (..., 3, 3) to points (..., N, 2)."""
    return points @ matrix[..., :2, :2].swapaxes(-1, -2) + matrix[..., None, :2, 2]


def transform_keypoints(matrix, keypoints):
    """Apply matrices (..., 3, 3) to keypoints (..., K, 3); flags stay."""
    cat = torch.cat if isinstance(keypoints, Tensor) else np.concatenate
    return cat([transform(matrix, keypoints[..., :2]), keypoints[..., 2:]], -1)


def rescaling(factor: float) -> np.ndarray:
    """Matrix (3, 3) of a resize by `factor`: x to factor (x + 1/2) - 1/2.

    >>> transform(rescaling(0.25), np.array([[1.5, 1.5]])).tolist()
    [[0.0, 0.0]]
    """
    offset = (factor - 1) / 2
    return np.array([[factor, 0, offset], [0, factor, offset], [0, 0, 1.0]])


def cropping(centre, side, size: int) -> np.ndarray:
    """Matrices (..., 3, 3) from image pixels to a crop of `size` x `size` pixels.

    The crop is the square of `side` (...) image pixels around `centre` (..., 2).

    >>> transform(cropping([9.5, 9.5], 20, 20), np.array([[3.0, 4.0]])).tolist()  # pixels 0 to 19, unscaled
    [[3.0, 4.0]]
    """
    centre, factor = np.asarray(centre, float), size / np.asarray(side, float)
    matrix = np.zeros((*np.shape(factor), 3, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = factor
    matrix[..., :2, 2] = (size - 1) / 2 - factor[..., None] * centre
    matrix[..., 2, 2] = 1
    return matrix


def person_square(boxes: np.ndarray, scale: float, aspect: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Centre (..., 2) and side (...) of the square `scale` times the longer side of boxes (..., 4) of x, y, w, h.

    Of an input that is no square but `aspect`, its width over its height, the square is that of its longer side, and large enough that
    the box fits into the input in its middle.

    >>> boxes = np.array([[0, 0, 30, 40], [0, 0, 60, 40]])
    >>> person_square(boxes, 1.0)[1].tolist(), person_square(boxes, 1.0, 192 / 256)[1].tolist()
    ([40.0, 60.0], [40.0, 80.0])
    """
    boxes = np.asarray(boxes, float)
    return boxes[..., :2] + boxes[..., 2:] / 2, scale * (boxes[..., 2:] / (min(aspect, 1.0), min(1 / aspect, 1.0))).max(-1)


def view(crop_size: int, resolution: int) -> np.ndarray:
    """Matrix (3, 3) from a stored crop's pixels to the network's input: its middle, 1 / CONTEXT wide."""
    centre = (crop_size - 1) / 2
    return cropping([centre, centre], crop_size / CONTEXT, resolution)


def cells(resolution: int, stride: int, alignment: str = "centres", aspect: float = 1.0) -> np.ndarray:
    """Matrix (3, 3) from heatmap cells to the pixels of an input of `resolution` along its longer side.

    `centres`: a cell covers its pixels. `msra`: cell i is at pixel i times stride, as targets have it in SimpleBaseline's, HRNet's and
    mmpose's MSRAHeatmap. `udp`: the first and the last cell are at the first and the last pixel (Huang et al., CVPR 2020).

    >>> transform(cells(64, 4), np.array([[0.0, 15.0]])).tolist(), transform(cells(64, 4, "msra"), np.array([[0.0, 15.0]])).tolist()
    ([[1.5, 61.5]], [[0.0, 60.0]])
    >>> transform(cells(64, 4, "udp"), np.array([[0.0, 15.0]])).tolist()
    [[0.0, 63.0]]
    """
    if alignment == "centres":
        return rescaling(stride)
    if alignment == "msra":
        return np.diag([stride, stride, 1.0])
    matrix = np.eye(3)
    for axis, share in enumerate((min(aspect, 1), min(1 / aspect, 1))):
        pixels = round(resolution * share)
        beside = (resolution - pixels) / 2  # of an input that is no square
        matrix[axis, axis] = factor = (pixels - 1) / (pixels / stride - 1)
        matrix[axis, 2] = beside - beside / stride * factor
    return matrix


def mirroring(size: int) -> np.ndarray:
    """Matrix (3, 3) of a left-right mirror of a grid `size` pixels wide: x to size - 1 - x."""
    return np.array([[-1.0, 0, size - 1], [0, 1, 0], [0, 0, 1]])


def warp(pictures: Tensor, matrices: Tensor, size: int) -> Tensor:
    """Move pictures (B, C, H, W), float, by matrices (B, 3, 3) onto a grid (B, C, size, size), bilinear, black outside."""
    height, width = pictures.shape[-2:]

    def normalising(w: int, h: int) -> Tensor:  # pixels to [-1, 1], whose ends are the outer edges of the grid
        return torch.tensor([[2 / w, 0, 1 / w - 1], [0, 2 / h, 1 / h - 1], [0, 0, 1.0]], dtype=matrices.dtype)

    to_source = normalising(width, height).to(matrices) @ torch.linalg.inv(matrices)
    theta = to_source @ torch.linalg.inv(normalising(size, size)).to(matrices)
    grid = torch.nn.functional.affine_grid(
        theta[:, :2].to(pictures.dtype), [len(pictures), pictures.shape[1], size, size], align_corners=False
    )
    return torch.nn.functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
