"""A study whose results are made up: what each variant finds is known, and no network is trained."""

import json

import numpy as np

from posekit.files import write_json
from posekit.models import architecture_of
from posekit.studies import results
from posekit.studies.designs import SEEDS, design
from posekit.studies.floor import _file
from posekit.studies.job import METRIC
from posekit.studies.results import Result

KEYS = {"train": "1", "val": "2", "test": "3"}
COUNTS = {"train": 60, "val": 40, "test": 80}


def plant(folder, found, *, study="redesign", source="lspet", joints=14, seeds=SEEDS, leave_out=(), climbing=(), floor=0.06):
    """Results below `folder`/`source`: of each variant the share of joints that it finds, `found` by name, else 0.4.

    Of those in `leave_out`, variants or (variant, seed), there is none; those in `climbing` are not at their plateau.
    """
    people = folder / source
    people.mkdir(parents=True, exist_ok=True)
    for training in design(study, joints, seeds).trainings:
        if training.variant in leave_out or (training.variant, training.seed) in leave_out:
            continue
        share = found.get(training.variant, 0.4)
        hits = {split: _hits(share, COUNTS[split], joints, training.seed) for split in results.SCORED}
        curves = [
            [0.1 + (share - 0.1) * (i / n if training.variant in climbing else min(4 * i / n, 1)) for i in range(1, n + 1)]
            for n in (stage.recipe.epochs for stage in training.stages)
        ]
        content = {
            "format": results.FORMAT, "metric": METRIC, "key": training.key(KEYS), "variant": training.variant, "seed": training.seed,
            "why": training.why, "spec": {"architecture": architecture_of(training.config)},
            "data": {"source": source, "skeleton": "lsp" if joints == 14 else "coco",
                     "people": {name: {"count": COUNTS[name], "fingerprint": KEYS[name]} for name in KEYS}},
            "parameters": 1000 + 10 * (training.variant == "wider" or training.squeeze_init is not None), "multiply_adds": 5000,
            "curve": [[{"epoch": i + 1, "pck": value, "seconds": i} for i, value in enumerate(curve)] for curve in curves],
            "hits": {split: results._block(h) for split, h in hits.items()}, "seconds": 60,
            "scores": {split: {"pck@0.2·torso": {"mean": float(np.nanmean(h))}} for split, h in hits.items()},
        }  # fmt: skip
        results.save(Result(json.loads(json.dumps(content))), people)
    if floor is not None:
        write_json(_file(KEYS, people), {"source": source, "median pose": {"val": floor, "test": floor}})
    return folder


def _hits(share, people, joints, seed):
    """Whole people are found or not, the same ones at every share, a seed of its own shifting it a little."""
    random = np.random.default_rng(0)
    ease = random.uniform(size=(people, joints))
    jitter = np.random.default_rng((seed, int(share * 1e6))).normal(0, 0.002)
    hits = (ease < np.quantile(ease, np.clip(share + jitter, 0, 1))).astype(float)
    hits[:3] = np.nan
    return hits
