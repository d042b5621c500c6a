"""Redesigns of a network, trained on equal terms: the same people, epochs, and seeds.

    jobs = [job for seed in (0, 1, 2) for variant in variants for job in jobs_of(variant, ...)]
    train_all(jobs, report=print)

A variant is trained in two turns: `epochs` from nothing, then `extra` more at a lower learning rate. The study inserts its
autoencoder between the two, so that whoever is compared with it gets the second turn as well. A variant that changes a
trained base (`init` is set) shares the base's first turn.

Jobs are done by processes beside the caller's (`python -m posekit.studies.redesign`), as many as there are GPUs, or cores. What is
finished is not done again, and what was interrupted goes on.
"""

from posekit.studies.redesign.budget import macs, parameters, scaled, widened, within
from posekit.studies.redesign.jobs import Job, jobs_of, stores, train_all, work
from posekit.studies.redesign.squeezed import Pretraining, init_squeeze, pretrain, random_directions
from posekit.studies.redesign.surgery import doubled, without_bottleneck
from posekit.studies.redesign.variants import Variant, own_variants, study_variants, winner

__all__ = [
    "Job", "Pretraining", "Variant", "doubled", "init_squeeze", "jobs_of", "macs", "own_variants", "parameters",
    "pretrain", "random_directions", "scaled", "stores", "study_variants", "train_all", "widened", "winner", "within",
    "without_bottleneck", "work",
]  # fmt: skip
