"""What is kept of a study, read from its files alone: whoever reads the book need not have its people."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posekit.errors import PosekitError
from posekit.studies import floor, results
from posekit.studies.designs import SEEDS, Study, design
from posekit.studies.job import Training
from posekit.studies.results import Result

JOINTS = {"mannequins": 17, "coco": 17}  # of a data set of which no result is there yet; else 14


class Trainings:
    """A study beside those of its results that are there."""

    study: Study
    keys: dict[str, str]  # what the people of each split are known by; empty where there is no result
    results: dict[str, Result]  # by key

    @property
    def missing(self) -> list[Training]:
        return [training for training in self.study.trainings if self.result(training) is None]

    @property
    def floor(self) -> dict[str, float] | None:
        """The median pose's PCK by split; None where it is not known."""
        raise NotImplementedError

    def key(self, training: Training) -> str:
        return training.key(self.keys)

    def result(self, training: Training) -> Result | None:
        return self.results.get(self.key(training)) if self.results else None

    def of(self, variant: str) -> dict[int, Result]:
        """The results of a variant by seed."""
        pairs = ((t.seed, self.result(t)) for t in self.study.trainings if t.variant == variant)
        return {seed: found for seed, found in pairs if found is not None}


@dataclass(frozen=True)
class Kept(Trainings):
    """What was read of a study.

    Attributes:
        source: the data set, by name.
        median_pose: its PCK by split; None where it is not kept.
    """

    study: Study
    source: str
    keys: dict[str, str]
    results: dict[str, Result]
    median_pose: dict[str, float] | None

    @property
    def floor(self) -> dict[str, float] | None:
        return self.median_pose


def read(study: str, folder: str | Path, seeds: Sequence[int] = SEEDS) -> Kept:
    """What is kept of a study of a data set, in `folder`/*.json, `book/studies/SOURCE` as a rule; where several sets of people have
    results, of that with the most.

    Raises:
        PosekitError: no such study; a result is damaged; two sets of people have as many results.
    """
    folder = Path(folder)
    source = folder.name
    by_people: dict[tuple, list[Result]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        found = results.load(path)
        by_people[tuple(sorted((name, block["fingerprint"]) for name, block in found.content["data"]["people"].items()))].append(found)
    candidates = []
    for people, all_found in by_people.items():
        keys, joints = dict(people), all_found[0].content["hits"]["test"]["joints"]
        designed, by_key = design(study, joints, seeds), {found.key: found for found in all_found}
        wanted = {training.key(keys) for training in designed.trainings}
        own = {key: found for key, found in by_key.items() if key in wanted}
        if own:
            candidates.append(Kept(designed, source, keys, own, floor.recall(keys, folder)))
    if not candidates:
        return Kept(design(study, JOINTS.get(source, 14), seeds), source, {}, {}, None)
    candidates.sort(key=lambda kept: -len(kept.results))
    if len(candidates) > 1 and len(candidates[0].results) == len(candidates[1].results):
        raise PosekitError(f"{folder}: two sets of people have {len(candidates[0].results)} results of the study {study} each; "
                           "move those of one elsewhere")  # fmt: skip
    return candidates[0]
