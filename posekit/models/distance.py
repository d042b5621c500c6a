"""The generalised distance transform: the best of all positions, each less a quadratic in its distance, in time linear in the positions.

P. Felzenszwalb, D. Huttenlocher: Distance Transforms of Sampled Functions, Theory of Computing 8 (2012). Section 2 has the lower
envelope of parabolas, here upside down, since scores are maximised. Many lines are taken at once; each is exact.
"""

import numpy as np


def distance_transform(scores: np.ndarray, stiffness: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """max over q of scores[q] - a (q_x - p_x - r_x)^2 - b (q_y - p_y - r_y)^2 for every cell p: (N, H, W) to (N, H, W).

    Args:
        scores: (N, H, W), finite.
        stiffness: (N, 2), a and b, above 0.
        rest: (N, 2), r_x and r_y in cells: where q costs nothing, as seen from p.
    """
    along_x = _lines(scores, stiffness[:, 0], rest[:, 0])
    return _lines(along_x.swapaxes(1, 2), stiffness[:, 1], rest[:, 1]).swapaxes(1, 2)


def _lines(scores: np.ndarray, stiffness: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The transform along the last axis of (N, L, n)."""
    count, lines, n = scores.shape
    values = scores.reshape(-1, n)
    a, r = np.repeat(stiffness, lines), np.repeat(rest, lines)
    rows = np.arange(len(values))
    # Of each line: the parabolas that are anywhere the highest, and from where each of them is.
    roots = np.zeros((len(values), n), int)
    begins = np.full((len(values), n + 1), np.inf)
    begins[:, 0] = -np.inf
    last = np.zeros(len(values), int)
    for q in range(1, n):
        crossing = np.empty(len(values))
        active = rows
        while len(active):
            top = roots[active, last[active]]
            rise = (values[active, q] - values[active, top]) / a[active]
            crossing[active] = (q * q - top * top - rise) / (2 * (q - top))
            # Where the new one overtakes before the last begins, the last is nowhere the highest.
            active = active[crossing[active] <= begins[active, last[active]]]
            last[active] -= 1
        last += 1
        roots[rows, last], begins[rows, last] = q, crossing
        begins[rows, last + 1] = np.inf
    out = np.empty_like(values)
    at = np.zeros(len(values), int)
    for p in range(n):
        place = p + r
        while (behind := begins[rows, at + 1] < place).any():
            at += behind
        root = roots[rows, at]
        out[:, p] = values[rows, root] - a * (place - root) ** 2
    return out.reshape(count, lines, n)
