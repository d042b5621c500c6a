"""What a score is held against: the median pose, which needs no picture, and what the labels allow.

book/studies/lspet/people/1a2b3c4d5e6f.json     the median pose's scores, for whoever reads results where the people are not
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posekit import metrics
from posekit.coordinates import MARGIN, cropping, person_square, transform_keypoints
from posekit.data.people import People
from posekit.errors import PosekitError
from posekit.files import write_json
from posekit.studies.job import fingerprints

FLOOR = 3.0  # times the median pose's score: below it a network has not learned, and decides nothing
SCORED = ("val", "test")
# The share of limb joints on which two networks of different training do not agree with each other against the label: at least one label in
# ten is wrong, so that no network can be credited with more.
CEILINGS = {"lspet": 0.9}


def median_pose(people: People, split: str = "test") -> float:
    """PCK@0.2·torso of answering everybody with the median pose of the training people, in the frame of their boxes."""
    middle = np.nanmedian(_in_view(people.split("train")), axis=0)
    chosen = people.split(split)
    back = np.linalg.inv(_views(chosen))
    found = transform_keypoints(back, np.repeat(np.pad(middle, ((0, 0), (0, 1)))[None], len(chosen), 0))
    hits = metrics.hits(found, chosen.keypoints, 0.2 * metrics.torso(chosen.keypoints, chosen.skeleton))
    return float(np.nanmean(hits))


def remember(people: People, folder: Path) -> Path:
    """Keep the median pose's scores of these people below the folder of their results, unless they are kept."""
    path = _file(fingerprints(people), folder)
    if not path.exists():
        scores = {split: median_pose(people, split) for split in SCORED}
        write_json(path, {"source": people.source.partition(":")[0], "median pose": scores})
    return path


def recall(keys: Mapping[str, str], folder: Path) -> dict[str, float] | None:
    """The median pose's scores by split, of the people with these fingerprints; None where they are not kept.

    Raises:
        PosekitError: the file is damaged.
    """
    path = _file(keys, folder)
    if not path.is_file():
        return None
    try:
        return {split: float(json.loads(path.read_text("utf-8"))["median pose"][split]) for split in SCORED}
    except (ValueError, KeyError, TypeError):
        raise PosekitError(f"{path}: cut short or damaged; delete it, and `posekit study` writes it again") from None


def _file(keys: Mapping[str, str], folder: Path) -> Path:
    return folder / "people" / f"{hashlib.sha256(json.dumps(dict(keys), sort_keys=True).encode()).hexdigest()[:12]}.json"


def _views(people: People) -> np.ndarray:
    return cropping(*person_square(people.boxes, MARGIN), 1)


def _in_view(people: People) -> np.ndarray:
    return transform_keypoints(_views(people), people.keypoints)[..., :2]
