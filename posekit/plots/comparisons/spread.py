"""Where to draw dots that would cover each other."""

import numpy as np
from scipy.optimize import isotonic_regression

APART = 0.025  # of the range of the costs lie between two dots at least


def side_by_side(costs: np.ndarray) -> np.ndarray:
    """Where to draw dots of costs (N,): as near to them as their order allows and a distance of APART of their range.

    >>> side_by_side(np.array([40.0, 40.0, 60.0])).round(2).tolist()
    [39.75, 40.25, 60.0]
    """
    out, order = costs.astype(float), np.argsort(costs, kind="stable")
    if len(costs):
        steps = APART * np.ptp(costs) * np.arange(len(costs))
        out[order] = isotonic_regression(costs[order] - steps).x + steps
    return out
