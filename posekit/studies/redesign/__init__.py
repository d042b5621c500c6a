"""Redesigns of a network: what is changed, at which cost, and how a squeeze behind its code begins.

base = HourglassConfig.narrow(88, joints=14, bottleneck_residuals=3)
for variant in own_variants(base, resolution=64):  # each at no more parameters and multiply-adds
    posekit.fit(variant.config, replace(recipe, sigma=variant.sigma), training, validation, folder)
"""

from posekit.studies.redesign.budget import macs, parameters, scaled, widened, within
from posekit.studies.redesign.squeezed import Pretraining, init_squeeze, orthonormal_directions, pretrain
from posekit.studies.redesign.variants import Variant, own_variants, study_variants, winner

__all__ = [
    "Pretraining",
    "Variant",
    "init_squeeze",
    "macs",
    "orthonormal_directions",
    "own_variants",
    "parameters",
    "pretrain",
    "scaled",
    "study_variants",
    "widened",
    "winner",
    "within",
]  # fmt: skip
