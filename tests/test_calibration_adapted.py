"""Calibrations of adapted networks: of the maps that they are predicted by, and of the way in which they were adapted."""

import numpy as np
import pytest
import torch

import posekit
from posekit import PosekitError, Skeleton
from posekit.engine.trust.calibration import Calibration
from posekit.engine.trust.observe import observe
from posekit.engine.weights import fingerprint
from posekit.skeleton import COCO


@pytest.mark.parametrize(
    "change", [{"alignment": "msra"}, {"mean": (0.5, 0.5, 0.5)}, {"std": (0.2, 0.2, 0.2)}, {"values": "softmax"}, {"size": 96},
               {"skeleton": Skeleton("mine", COCO.joints[:5] + COCO.joints[5:][::-1])}],
)  # fmt: skip
def test_the_calibration_of_weights_that_are_adapted_otherwise_is_refused(change):
    """Of the same weights with another alignment, normalisation or order of joints, it was applied in silence."""
    torch.manual_seed(0)
    module = torch.nn.Conv2d(3, 17, 8, stride=8)
    one, same, other = (
        posekit.adapt(module, **{"skeleton": "coco", "size": 64, "values": "raw"} | given, name="foreign", report=None)
        for given in ({}, {}, change)
    )
    known = fingerprint(one.model, one.card)
    of_one = Calibration("foreign", known, "mannequins@val", 9, False, 0.9, (0.1, 0.9), (0.2, 0.8), dict.fromkeys(COCO.joints, 2.0))
    picture = np.zeros((9, 9, 3), np.uint8)
    assert same.predict(picture, calibration=of_one).radii.shape == (1, 17)
    with pytest.raises(PosekitError, match="this calibration is of foreign, fitted on mannequins@val, and not of these weights of foreign"):
        other.predict(picture, calibration=of_one)


@pytest.mark.parametrize("size", [64, (64, 48)])
@pytest.mark.parametrize("alignment", ["centres", "msra", "udp"])
def test_with_flip_the_maps_that_are_calibrated_are_those_that_are_predicted_by(alignment, size, tmp_path):
    """Of msra's, whose cells do not lie alike on both sides, picture and mirror image were three pixels apart."""
    torch.manual_seed(0)
    module = torch.nn.Conv2d(3, 17, 7, stride=4, padding=3)
    network = posekit.adapt(module, "coco", size, alignment=alignment, report=None, backend=posekit.Backend.plain())
    store = posekit.crops(posekit.load_people("mannequins:20,size=64", cache=tmp_path), 80, tmp_path, aspect=network.card.aspect)
    seen = observe(network.model, network.card, store, flip=True, backend=network.backend)
    predicted = posekit.predict_crops(network.model, network.card, store, flip=True, backend=network.backend)[-1]
    np.testing.assert_allclose(seen.keypoints, predicted, atol=1e-6)
