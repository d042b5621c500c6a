"""Whose opinions an audit takes: networks, each about people it did not learn from where it can be told, and files of COCO's results."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from posekit.auditing import evidence
from posekit.auditing.evidence import Opinion
from posekit.auditing.quality.planted import another_pose
from posekit.coordinates import CONTEXT
from posekit.data.crops import Crops
from posekit.data.people import People, joints_box, parse_spec
from posekit.data.readers import json_values
from posekit.data.stored import seen
from posekit.engine import weights
from posekit.engine.inference.matching import match
from posekit.engine.inference.prediction import Predictor
from posekit.errors import PosekitError
from posekit.files import read_json

SAME = 0.1  # overlap (intersection over union) of two boxes that can be of one person
LEAST = 1e-3  # score: below it, entries are told apart by their boxes alone
FARTHEST = 1e6  # pixels: a coordinate beyond is none
CLOSER, ENOUGH = 2 / 3, 20  # the share of people, of so many or more, whose labels an opinion fits better than another person's


class _Entry:
    def __init__(self, name: str, number: json_values.Id):
        self.name, self.number = name, number
        self.people: list[np.ndarray] = []
        self.scores: list[float] = []


def predictors(given: str | Path | Predictor | Sequence[str | Path | Predictor]) -> list[Predictor]:
    """One network or several, by name, file or as they are. None, or a folder without weights, raises PosekitError."""
    several = [given] if isinstance(given, str | Path | Predictor) else list(given)
    if not several:
        raise PosekitError("weights is empty; an audit needs a network at least")
    return [each if isinstance(each, Predictor) else Predictor(*weights.load(each)) for each in several]


def collect(
    networks: Sequence[Predictor], cut: Callable[..., Crops], labels: Sequence[np.ndarray], *, flip: bool = True,
    progress: Callable[[int], None] | None = None,
) -> tuple[Opinion, list[str]]:  # fmt: skip
    """One opinion out of several networks' about sets of labels (N, K, 3), and what there is to say of it, a line each.

    A person is judged by the networks whose cards say that they saw no picture of theirs in training, by the mean log-likelihood of those;
    where there is none of them, by all. `cut` is called with a size and with `aspect=`, and gives everybody's crops.
    """
    found, who, lines = [], [], []
    for network in networks:
        crops = cut(round(network.card.resolution * CONTEXT), aspect=network.card.aspect)
        known = network.card.trained_on
        learned = seen.among(crops.pictures, seen.unpack(known)) if known else np.zeros(len(crops), bool)
        rows = np.flatnonzero(~learned)
        if len(networks) == 1 or not len(rows):
            rows = np.arange(len(crops))
        some = evidence.of_network(network, crops.select(rows), [each[rows] for each in labels], flip=flip, progress=progress)
        found.append((rows, some))
        who.append(learned)
        if not known and (line := _by_name(network, crops.people)):
            lines.append(line)
    name = networks[0].card.name if len(networks) == 1 else f"{len(networks)} networks ({', '.join(n.card.name for n in networks)})"
    every = np.all(who, 0)
    if every.any():
        lines.append(f"{name}: {every.sum():,} of {len(every):,} people are in pictures that it learned from; {_WARNING}")
    if len(found) == 1:
        return found[0][1], lines
    sets, people, joints = len(labels), len(labels[0]), labels[0].shape[1]
    total, count = np.zeros((sets, people, joints, 3)), np.zeros((people, 1, 1))
    predicted = np.full((people, joints, 3), np.nan)
    for (rows, some), learned in zip(found, who, strict=True):
        fair = (~learned | every)[rows]
        total[:, rows[fair]] += some.likelihoods[:, fair]
        count[rows[fair]] += 1
        predicted[rows[fair]] = some.predicted[fair]
    return Opinion(name, predicted, total / np.where(count, count, np.nan)), lines


_WARNING = (
    "errors that it has learned look right, so that fewer are found than there are; --folds judges everybody by a network that did not"
)


def _by_name(network: Predictor, people: People) -> str:
    """A line where a card does not list its pictures, but names people of the same data set and split."""
    card, source = network.card, people.source.partition(":")[0]
    named, _, split = parse_spec(card.data)[0], None, parse_spec(card.data)[2] or "train"
    if named != source or split not in people.splits:
        return ""
    return (
        f"{card.name}: trained on {named}@{split}, as {(people.splits == split).sum():,} of these {len(people):,} people may be; {_WARNING}"
    )


def of_file(file: str | Path, people: People, labels: Sequence[np.ndarray]) -> Opinion:
    """The opinion of a JSON file in the form of COCO's results about sets of labels: keypoints in the order of the people's skeleton.

    Entries belong to pictures by `file_name` or `image_id`, and within one to the people whose boxes they overlap most, one each. Of
    several of one person, as detectors write them, it is the one of the higher `score`; what is twice the same is one.

    Raises:
        PosekitError: the file cannot be read, is of another skeleton, or of other people.
    """
    file, count = Path(file), len(people.skeleton)
    content = read_json(file)
    if not isinstance(content, list) or not all(isinstance(entry, dict) and isinstance(entry.get("keypoints"), list) for entry in content):
        raise PosekitError(f'{file}: not COCO\'s results; it holds a list of {{"image_id": ..., "keypoints": [x, y, score, ...]}}')
    entries: dict[tuple, _Entry] = {}
    for number, entry in enumerate(content, 1):
        try:
            points = json_values.joints(entry["keypoints"], count)
        except ValueError:
            raise PosekitError(f"{file}: result {number} has keypoints that are no numbers") from None
        if points is None:
            raise PosekitError(
                f"{file}: result {number} has {len(entry['keypoints'])} numbers for keypoints, the {people.skeleton.name} skeleton of the "
                f"labels needs {3 * count}; give an opinion with the same joints"
            )
        try:
            image = json_values.identity(entry.get("image_id"))
        except ValueError as error:
            raise PosekitError(f"{file}: image_id of result {number}: {error}") from None
        try:
            score = json_values.number(entry.get("score"))
        except ValueError:
            raise PosekitError(f"{file}: score of result {number} is {entry['score']!r}, which is no number") from None
        name = json_values.path(str(entry.get("file_name") or ""))
        points[json_values.unlabelled(points) | ~(np.abs(points) < FARTHEST).all(-1)] = [np.nan, np.nan, 0]
        if (points[:, 2] > 0).any():
            picture = entries.setdefault((name, image), _Entry(name, image))
            if not any(np.array_equal(points, other, equal_nan=True) for other in picture.people):
                picture.people.append(points)
                picture.scores.append(max(score, LEAST) if np.isfinite(score) else 1.0)
    predicted = np.full((len(people), count, 3), np.nan)
    for rows, entry in _of_pictures(file, list(entries.values()), people):
        found = np.stack(entry.people)
        boxes = joints_box(np.where(found[..., 2:] > 0, found, [np.nan, np.nan, 0]))
        pairs = linear_sum_assignment(-_overlap(people.boxes[rows], boxes) * entry.scores)
        overlap = _overlap(people.boxes[rows], joints_box(found))
        for row, column in zip(*pairs, strict=True):
            if overlap[row, column] >= SAME:
                predicted[rows[row]] = found[column]
    if not np.isfinite(predicted).any():
        raise PosekitError(f"{file}: has nobody of {people.source}; give a second opinion on the same people")
    _check_owners(file, predicted, people)
    return evidence.of_keypoints(file.name, predicted, people, labels)


def _check_owners(file: Path, predicted: np.ndarray, people: People) -> None:
    """Raises PosekitError where keypoints (N, K, 3) fit these people's labels hardly better than those of others put into their boxes."""

    def apart(labels: np.ndarray) -> np.ndarray:
        distance = np.where(labels[..., 2] > 0, np.linalg.norm(predicted[..., :2] - labels[..., :2], axis=-1), np.nan)
        known = np.isfinite(distance)
        return np.where(known.any(1), np.where(known, distance, 0).sum(1) / np.maximum(known.sum(1), 1), np.nan)

    own, of_others = apart(people.keypoints), apart(another_pose(people, np.random.default_rng(0)))
    judged = np.isfinite(own) & np.isfinite(of_others)
    if judged.sum() >= ENOUGH and (own < of_others)[judged].mean() < CLOSER:
        raise PosekitError(
            f"{file}: its joints fit these people's labels no better than other people's; are the ids and the order of joints "
            f"those of {people.source}?"
        )


def _of_pictures(file: Path, entries: list[_Entry], people: People):
    """The rows of a picture's people with the file's entry of that picture."""
    names, owner = np.unique(people.names, return_inverse=True)
    by_number = {}
    if people.image_ids is not None:
        by_number = {int(people.image_ids[row]): str(people.names[row]) for row in range(len(people))}
    numbered = {by_number[entry.number]: entry for entry in entries if not entry.name and entry.number in by_number}
    named = [entry for entry in entries if entry.name or (not by_number and entry.number is not None)]
    matched = match(file, named, names.tolist())
    for i, (name, entry) in enumerate(zip(names.tolist(), matched, strict=True)):
        if entry := entry or numbered.get(name):
            yield np.flatnonzero(owner == i), entry


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (A, B) of boxes (A, 4) and (B, 4); 0 where one is NaN."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    common = np.maximum(high - low, 0).prod(-1)
    return np.nan_to_num(common / (a[:, None, 2:].prod(-1) + b[None, :, 2:].prod(-1) - common + 1e-9))
