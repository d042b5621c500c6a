"""Arrays of other people than the metrics are asked about."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posekit import metrics
from posekit.errors import PosekitError
from posekit.skeleton import LSP


@given(st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=20)
def test_arrays_that_numpy_would_repeat_are_refused(predicted, values):
    """One person's prediction, or one normaliser, was taken for everybody's in silence."""
    keypoints, area = np.full((5, 14, 3), 2.0), np.ones(values)
    for function, more in ((metrics.hits, ()), (metrics.oks, (LSP.sigmas,)), (metrics.similarity, (LSP.sigmas,))):
        if predicted == values == 5:
            assert function(keypoints[:predicted], keypoints, area, *more).min() == 1
        else:
            with pytest.raises(PosekitError, match=r"are \(\d, 14, 3\), \(5, 14, 3\), \(\d,\), and not"):
                function(keypoints[:predicted], keypoints, area, *more)
    if predicted != 5:
        with pytest.raises(PosekitError, match=r"hits are \(5, 14\) and \(\d, 14\); a paired difference is over the same people"):
            metrics.paired_difference(np.ones((5, 14)), np.ones((predicted, 14)))
    with pytest.raises(PosekitError, match=r"areas: that of person 0, counted from 0, is -1\.0"):
        metrics.oks(keypoints, keypoints, -np.ones(5), LSP.sigmas)  # of which everybody was found
