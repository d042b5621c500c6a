"""`audit`: how likely each label of a data set is wrong, and in which way."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from posekit.auditing import features, handedness, opinions
from posekit.auditing.calibration import FOLDS, LIMIT, Calibrated, calibrate
from posekit.auditing.evidence import OWN, Opinion
from posekit.auditing.quality import planted
from posekit.auditing.quality.planted import groups
from posekit.coordinates import CONTEXT
from posekit.data import load_people
from posekit.data.crops import crops
from posekit.data.people import People
from posekit.data.pictures import Folder
from posekit.data.readers.frames import FramedFolder, headers
from posekit.engine.inference.prediction import Predictor
from posekit.engine.weights import fingerprint
from posekit.errors import PosekitError, whole

UNJUDGED = "not judged"
WORDS = {"whole": "left and right exchanged: whole", "arms": "left and right exchanged: arms", "legs": "left and right exchanged: legs",
         "pair": "left and right exchanged", "person": "box or person wrong", "displaced": "joint displaced",
         "another person": "another person's joint", "flag": "flag wrong"}  # fmt: skip
OUTSIDE = 0.02  # of the longer side of the box, how far out of the picture a label may lie


@dataclass(frozen=True)
class Audit:
    """What an audit finds of N people with K joints. Probabilities are NaN where nothing can be judged.

    Attributes:
        people: who was judged, with their labels.
        exchanged: (N,) that left and right are exchanged, or that box or person is wrong: the sum over `persons`' kinds.
        kinds: (N,) the likeliest of these kinds in words, whatever its probability; UNJUDGED without a number.
        wrong: (N, K) that a label is wrong, for whatever reason.
        joint_kinds: (N, K) the likeliest reason.
        expected: (N,) how many of a person's labels are wrong, in the mean.
        swaps: (N, K) bool: the joints that the likeliest exchange concerns, both of each pair.
        persons: of people, the probabilities by kind, and the rates found.
        joints: the same of labels.
        opinions: the network's, then the second one's.
        notes: what there is to know about these numbers, a line each.

    >>> import posekit
    >>> found = posekit.audit(posekit.load_people("mannequins:40,size=64"), "mannequins-hg1")
    >>> len(found), found.wrong.shape, found.order().shape
    (40, (40, 17), (40,))
    """

    people: People
    exchanged: np.ndarray
    kinds: np.ndarray
    wrong: np.ndarray
    joint_kinds: np.ndarray
    expected: np.ndarray
    swaps: np.ndarray
    persons: Calibrated
    joints: Calibrated
    opinions: tuple[Opinion, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.people)

    def __repr__(self) -> str:
        return f"<Audit of {self.people.source}: {self.summary()}>"

    def order(self) -> np.ndarray:
        """The people's rows, the likeliest to be wrong as a whole first, then those of whom more labels are expected to be wrong.

        Those who cannot be judged are last.
        """
        return np.lexsort([-np.nan_to_num(self.expected, nan=-1.0), -np.nan_to_num(self.exchanged, nan=-1.0).round(3)])

    def summary(self) -> str:
        """One line."""
        judged, doubtful = np.isfinite(self.expected), np.nan_to_num(self.exchanged) > 0.5
        labels = int((np.nan_to_num(self.wrong) > 0.5).sum())
        line = (
            f"{judged.sum():,} people judged; {doubtful.sum() or 'nobody'} {'is' if doubtful.sum() < 2 else 'are'} more likely wrong than "
        )
        line += f"right as a whole, {f'{labels:,}' if labels else 'none'} of {np.isfinite(self.wrong).sum():,} labels are"
        return line + (f"; {(~judged).sum():,} cannot be judged" if (~judged).any() else "")

    def table(self) -> pd.DataFrame:
        """One row for each person (`joint` empty) and labelled joint, in the order of `order`: picture, id, joint, probability, kind."""
        rows: list[dict[str, Any]] = []
        joints = self.people.skeleton.joints
        for i in self.order():
            name, number = str(self.people.names[i]), int(self.people.ids[i])
            rows.append({"picture": name, "id": number, "joint": "", "probability": self.exchanged[i], "kind": self.kinds[i],
                         "expected": self.expected[i]})  # fmt: skip
            for k in np.flatnonzero(self.people.keypoints[i, :, 2] > 0):
                rows.append({"picture": name, "id": number, "joint": joints[k], "probability": self.wrong[i, k],
                             "kind": self.joint_kinds[i, k], "expected": np.nan})  # fmt: skip
        return pd.DataFrame(rows, columns=["picture", "id", "joint", "probability", "kind", "expected"])


def audit(
    people: People | str, weights: str | Path | Predictor | Sequence[str | Path | Predictor] = "lspet-hg1",
    against: str | Path | Predictor | None = None, *, flip: bool = True, cache: str | Path = "data", on_error: str = "raise", seed: int = 0,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Audit:  # fmt: skip
    """How likely each labelled joint, and each person's annotation as a whole, is wrong, and in which way.

    Args:
        people: whose labels, or a data spec.
        weights: a network, by name or file, or several: each person is judged by those that did not learn from their picture.
        against: a second opinion, another network or a JSON file of COCO's results.
        flip: take the networks' answers for the mirror image as well.
        seed: of the planted errors that the probabilities are calibrated by.
        progress: called with what is done, how many are done and of how many.

    Raises:
        PosekitError: the skeleton has no left and right, people are in fewer than five pictures, the second opinion is of other people
            or of another skeleton, or a picture cannot be read.

    >>> import posekit
    >>> found = audit(posekit.load_people("mannequins:40,size=64"), "mannequins-hg1")
    >>> found.table().columns.tolist()
    ['picture', 'id', 'joint', 'probability', 'kind', 'expected']
    """
    seed = whole("seed", seed)
    everybody = load_people(people, on_error=on_error, cache=cache) if isinstance(people, str) else people
    check(everybody)
    networks = opinions.predictors(weights)
    many = len(everybody)
    done = {"judging": 0}

    def report(count: int) -> None:
        done["judging"] += count
        if progress:
            progress("judging", done["judging"], many * rounds)

    cut = functools.cache(functools.partial(crops, everybody, cache=cache, on_error=on_error))
    card = networks[0].card
    there = cut(round(card.resolution * CONTEXT), aspect=card.aspect).people  # whose picture cannot be read is left out
    rival = None if against is None or str(against).lower().endswith((".json", ".json.gz")) else opinions.predictors([against])
    rounds = len(networks) + (rival is not None)
    if rival and fingerprint(rival[0].model) in [fingerprint(network.model) for network in networks]:
        raise PosekitError(f"{rival[0].card.name} is the network that judges already; a second opinion is another's")
    sets = label_sets(there, seed)
    second, more = None, []
    if against is not None and rival is None:  # before hours of prediction, since the file may be of others
        second = opinions.of_file(against, there, sets)  # type: ignore[arg-type]
        if silent := int((~np.isfinite(second.predicted[..., 0]).any(1)).sum()):
            more = [f"{second.name}: says nothing about {silent:,} of {len(there):,} people"]
    first, notes = opinions.collect(networks, cut, sets, flip=flip, progress=report)
    if rival:
        second, more = opinions.collect(rival, cut, sets, flip=flip, progress=report)
    return judge(there, [first] if second is None else [first, second], sets, [*notes, *more])


def check(people: People) -> None:
    """Refuse with PosekitError people whose labels cannot be audited: too few of them, or without left and right."""
    planted.pairs(people.skeleton)
    if (count := len(set(people.names.tolist()))) < FOLDS:
        raise PosekitError(f"{people.source}: {count} pictures of people; an audit calibrates itself by others and needs {FOLDS} at least")


def label_sets(people: People, seed: int = 0) -> list[np.ndarray]:
    """The labels as they are, then those of planted errors that opinions are to be asked about, (N, K, 3) each."""
    rng = np.random.default_rng(seed)
    return [people.keypoints, planted.displaced(people, rng), planted.flagged(people, rng), planted.others(people),
            planted.another_pose(people, rng)]  # fmt: skip


def judge(people: People, given: Sequence[Opinion], sets: Sequence[np.ndarray], notes: Sequence[str] = ()) -> Audit:
    """The audit of people by opinions about their `label_sets`."""
    known = np.any([np.isfinite(opinion.likelihoods[0, ..., OWN]) for opinion in given], 0)
    if not known.any():
        raise PosekitError(f"{people.source}: no labelled joint is one that {given[0].name} finds; audit with another network")
    persons, joints = _persons(people, given, sets), _joints(people, given, sets, known)
    members, names = _members(people, given[0].likelihoods[0])
    by_kind = {kind: persons.probabilities[:, i, None] * members[kind] for i, kind in enumerate(persons.kinds)}
    as_a_whole = np.sum(list(by_kind.values()), 0)
    by_kind |= {kind: np.where(known, joints.probabilities[..., i], 0) * (1 - as_a_whole) for i, kind in enumerate(joints.kinds)}
    kinds, every = np.array(list(by_kind), dtype=object), np.stack(list(by_kind.values()))
    wrong, joint_kinds = np.minimum(every.sum(0), 1), np.vectorize(WORDS.get, otypes=[object])(kinds[every.argmax(0)])
    outside = _outside(people)
    wrong, joint_kinds = np.where(outside, 1.0, wrong), np.where(outside, WORDS["flag"], joint_kinds)
    judged = known | outside
    wrong, joint_kinds = np.where(judged, wrong, np.nan), np.where(judged, joint_kinds, UNJUDGED)
    of_person = persons.probabilities.argmax(1)
    likeliest = [persons.kinds[i] for i in of_person]
    there = known.any(1)
    words = [f"{WORDS[kind]}: {name}" if kind == "pair" else WORDS[kind] for kind, name in zip(likeliest, names, strict=True)]
    exchanges = [i for i, kind in enumerate(persons.kinds) if kind != "person"]
    best = [persons.kinds[exchanges[i]] for i in persons.probabilities[:, exchanges].argmax(1)] if exchanges else ["whole"] * len(people)
    swaps = np.stack([members[kind][i] > 0 for i, kind in enumerate(best)])
    return Audit(
        people,
        exchanged=np.where(there, np.minimum(persons.probabilities.sum(1), 1), np.nan),
        kinds=np.where(there, np.array(words, object), UNJUDGED),
        wrong=wrong,
        joint_kinds=joint_kinds,
        expected=np.where(judged.any(1), np.nansum(wrong, 1), np.nan),
        swaps=(swaps | swaps[:, list(people.skeleton.mirrored)]) > 0,
        persons=persons,
        joints=joints,
        opinions=tuple(given),
        notes=(*notes, *_too_many(persons, joints, given[0].name)),
    )


def _too_many(persons: Calibrated, joints: Calibrated, name: str) -> list[str]:
    """A line where an opinion contradicts more labels than can be wrong."""
    kinds = zip(persons.kinds + joints.kinds, [*persons.rates, *joints.rates], strict=True)
    if not (over := [WORDS[kind] for kind, rate in kinds if rate >= LIMIT]):
        return []
    return [
        f"{name} contradicts too many labels to judge these ({', '.join(over)}): probabilities are too high; audit with a better network"
    ]


def _persons(people: People, given: Sequence[Opinion], sets: Sequence[np.ndarray]) -> Calibrated:
    """Probabilities of the kinds of error of a whole annotation, calibrated by each planted in everybody who can have it."""
    skeleton, labels, rng = people.skeleton, sets[0], np.random.default_rng(0)
    as_is, strangers = ([opinion.likelihoods[i] for opinion in given] for i in (0, 3))
    judged = np.isfinite(as_is[0][..., OWN])
    rows, weights = {}, handedness.weights(people)
    for kind, joints in planted.groups(skeleton).items():
        able = judged[:, joints].sum(1) >= 2
        swapped = [features.exchanged(each, skeleton, joints) for each in as_is]
        found = features.of_people(swapped, strangers, planted.exchanged(labels, skeleton, joints), people, weights)
        rows[kind] = (found[able], np.flatnonzero(able))
    choice = planted.one_pair(judged, skeleton, rng)
    by_pair = []
    for pair in planted.pairs(skeleton):
        able = np.flatnonzero((choice == pair[0]) & judged[:, list(pair)].all(1))
        swapped = [features.exchanged(each[able], skeleton, list(pair)) for each in as_is]
        near, turned = [each[able] for each in strangers], planted.exchanged(labels[able], skeleton, list(pair))
        by_pair.append((features.of_people(swapped, near, turned, people[able], weights[able]), able))
    rows["pair"] = (np.concatenate([found for found, _ in by_pair]), np.concatenate([able for _, able in by_pair]))
    able = np.isfinite(given[0].likelihoods[4, ..., OWN]).any(1)
    found = features.of_people([opinion.likelihoods[4] for opinion in given], strangers, sets[4], people, weights)
    rows["person"] = (found[able], np.flatnonzero(able))
    return calibrate(features.of_people(as_is, strangers, labels, people, weights), rows, people.names)


def _joints(people: People, given: Sequence[Opinion], sets: Sequence[np.ndarray], known: np.ndarray) -> Calibrated:
    """Probabilities (N, K, kinds) of the kinds of error of one joint."""
    labels, strangers = sets[0], sets[3]
    usual, near = ([opinion.likelihoods[i] for opinion in given] for i in (0, 3))
    apart = np.linalg.norm(strangers[..., :2] - labels[..., :2], axis=-1) > planted.NEAR * people.boxes[:, 2:].max(1)[:, None]
    rows = {}
    for kind, number in (("displaced", 1), ("another person", 3), ("flag", 2)):
        able = np.isfinite(given[0].likelihoods[number, ..., OWN]) & (apart if number == 3 else True)
        likelihoods = [opinion.likelihoods[number] for opinion in given]
        rows[kind] = (features.of_joints(likelihoods, usual, near, sets[number], labels, strangers, people)[able], np.nonzero(able)[0])
    as_is = features.of_joints(usual, usual, near, labels, labels, strangers, people)
    owner = np.nonzero(known)[0]
    place = np.full(len(people), -1)  # a row of each person in what is judged, for whose picture it is
    place[owner] = np.arange(len(owner))
    there = {kind: place[whose] >= 0 for kind, (_, whose) in rows.items()}
    rows = {kind: (found[there[kind]], place[whose[there[kind]]]) for kind, (found, whose) in rows.items()}
    found = calibrate(as_is[known], rows, people.names[owner])
    out = np.zeros((*known.shape, len(found.kinds)))
    out[known] = found.probabilities
    return Calibrated(found.kinds, out, found.rates)


def _members(people: People, likelihoods: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
    """The labels (N, K) that each kind of error of a whole annotation makes wrong, 1 or 0; and each person's likeliest pair by name."""
    skeleton, labelled = people.skeleton, people.keypoints[..., 2] > 0
    found = {"person": labelled.astype(float)}
    for kind, joints in groups(skeleton).items():
        found[kind] = labelled * np.isin(np.arange(len(skeleton)), joints)
    pairs = planted.pairs(skeleton)
    ratios = np.stack([features.gains(likelihoods)[:, list(pair)].sum(1) for pair in pairs], 1)
    best = ratios.argmax(1)
    found["pair"] = labelled * np.stack([np.isin(np.arange(len(skeleton)), pairs[i]) for i in best])
    return found, [f"{skeleton.joints[pairs[i][0]]}, {skeleton.joints[pairs[i][1]]}" for i in best]


def _outside(people: People) -> np.ndarray:
    """Which labels (N, K) lie out of their picture, where these are files."""
    if not isinstance(people.read, Folder):
        return np.zeros(people.keypoints.shape[:2], bool)
    names, row = np.unique(people.names, return_inverse=True)
    turned = people.read.turned if isinstance(people.read, FramedFolder) else frozenset()
    found = headers(Path(people.read.root) / name for name in names)
    sizes = np.array([each.shown if name in turned else each.stored for name, each in zip(names.tolist(), found, strict=True)])[row][
        :, None
    ]
    limit = OUTSIDE * people.boxes[:, 2:].max(1)[:, None, None]
    xy = people.keypoints[..., :2]
    return ((xy < -0.5 - limit) | (xy > sizes - 0.5 + limit)).any(-1)
