"""Boxes that a file gives people, for `predict --boxes`: who is a person, and of which picture each box is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from posekit.data.people import FEW, joints_box
from posekit.data.readers import coco_json, frames, json_values
from posekit.data.readers.coco_json import Labels
from posekit.data.readers.json_values import Id
from posekit.engine.inference.matching import match
from posekit.errors import PosekitError
from posekit.files import expand_user, read_json

SCORE = 0.3  # a detection below it is not taken for a person
FORM = 'it holds {"name.jpg": [[x, y, w, h], ...]}, COCO\'s annotations, or a list of {"file_name": "name.jpg", "bbox": [x, y, w, h]}'


@dataclass
class Entry:
    """A picture of the file: its name or "", its number, its size (NaN where not given), and a row of boxes and of joints a person."""

    name: str
    number: Id = None
    size: tuple[float, float] = (np.nan, np.nan)
    boxes: list[np.ndarray] = field(default_factory=list)  # (4,) as written, from the picture's outer edge
    joints: list[np.ndarray] = field(default_factory=list)  # (K, 3), NaN where not labelled


@dataclass(frozen=True)
class Boxes:
    """What a file says: its pictures, and who in it is left out and why."""

    file: Path
    entries: list[Entry]
    left_out: dict[str, int]


@dataclass(frozen=True)
class Wanted:
    """What is to be predicted in a picture.

    Attributes:
        boxes: (N, 4) in pixels of the picture as it is shown, the centre of the first at (0, 0); None where the file does not have it.
        number: the file's number for the picture, a number or a word.
        fault: what is wrong with its boxes, or "".
    """

    boxes: np.ndarray | None
    number: Id = None
    fault: str = ""


def read(file: str | Path) -> Boxes:
    """The boxes of people in a JSON file, plain or gzipped, of one of three forms.

    `{"name.jpg": [[x, y, w, h], ...]}`; COCO's annotations; or COCO's results, with `file_name` or `image_id`. Boxes there are measured
    from the picture's outer edge. Categories that are not people, crowds, and detections with a score below `SCORE` are left out and
    counted. An entry without a box has that of its labelled joints.

    Raises:
        PosekitError: the file cannot be read, is of another form, or does not tell who is a person.
    """
    file = expand_user(file)
    if not file.is_file():
        raise PosekitError(f"{file}: No such file" if not file.exists() else f"{file}: a folder; give the JSON file in it")
    content = read_json(file)
    if isinstance(content, dict) and "annotations" in content:
        return _labelled(coco_json.annotations(file, content, jointed=False))
    if isinstance(content, list):
        if any(isinstance(entry, dict) and not {"file_name", "image_id"} & entry.keys() for entry in content):
            raise PosekitError(f"{file}: not a file of boxes; {FORM}")
        return _labelled(coco_json.results(file, content, jointed=False))
    if not isinstance(content, dict):
        raise PosekitError(f"{file}: not a file of boxes; {FORM}")
    entries: dict[str, Entry] = {}
    for name, rows in content.items():
        entry = entries.setdefault(json_values.path(name), Entry(json_values.path(name)))
        try:
            rows = [rows] if rows and not isinstance(rows[0], list) else rows
            entry.boxes += [np.array([json_values.number(side) for side in row]).reshape(4) for row in rows]
        except (TypeError, ValueError, KeyError):
            raise PosekitError(f"{file}: not a file of boxes, for {name!r} has no list of them; {FORM}") from None
        entry.joints += [np.zeros((0, 3))] * len(rows)
    return Boxes(file, list(entries.values()), {})


def _labelled(labels: Labels) -> Boxes:
    """The boxes of annotations or results, by picture; a picture that is listed twice under one name is one."""
    entries: dict[Id, Entry] = {}
    ids: dict[Id, Id] = {}
    for number, picture in labels.pictures.items():
        ids[number] = f"name {picture.name}"
        entries.setdefault(ids[number], Entry(picture.name, number, picture.size))
    left_out: Counter[str] = Counter(labels.left_out)
    boxes, scores = labels.boxes(), np.fmax.reduce([labels.numbers(name) for name in ("score", "confidence", "conf")])
    for i, (entry, number) in enumerate(zip(labels.entries, labels.image_ids, strict=True)):
        name = entry.get("file_name")
        joints = _joints(labels, i)
        if not len(joints) and scores[i] > 1:
            raise PosekitError(f"{labels.file}: {labels.who(i)} has a score of {scores[i]:g}; scores are between 0 and 1")
        if not len(joints) and scores[i] < SCORE:
            left_out[f"with a score below {SCORE}"] += 1
            continue
        if np.isnan(boxes[i]).any() and len(joints):
            boxes[i] = joints_box(joints[None])[0] + (0.5, 0.5, 0, 0)
        if not (boxes[i, 2:] > 0).any():
            left_out["without a box"] += 1
            continue
        if number in ids:
            key: Id = ids[number]
        elif labels.pictures and not isinstance(name, str):
            left_out["whose picture is not listed"] += 1
            continue
        else:
            key = f"name {json_values.path(name)}" if isinstance(name, str) else number
        if key is None:
            raise PosekitError(f"{labels.file}: {labels.who(i)} has no 'image_id'; {FORM}")
        picture_of = entries.setdefault(key, Entry(json_values.path(name) if isinstance(name, str) else "", number))
        if not any(np.array_equal(box, boxes[i]) for box in picture_of.boxes):
            picture_of.boxes.append(boxes[i])
            picture_of.joints.append(joints if labels.pictures else joints[:0])  # what a network found is no evidence
    return Boxes(labels.file, list(entries.values()), {reason: count for reason, count in left_out.items() if count})


def _joints(labels: Labels, i: int) -> np.ndarray:
    """The labelled joints (K, 3) of an entry, of whatever skeleton."""
    value = labels.entries[i].get("keypoints")
    if not isinstance(value, list):
        return np.zeros((0, 3))
    try:
        found = json_values.joints(value, len(value) if any(isinstance(joint, list) for joint in value) else len(value) // 3)
    except ValueError:
        found = None
    return np.zeros((0, 3)) if found is None else found[~json_values.unlabelled(found) & np.isfinite(found[:, :2]).all(1)]


def of_pictures(found: Boxes, paths: Sequence[str | Path]) -> list[Wanted]:
    """What is to be predicted in each picture of `paths` (N).

    Raises:
        PosekitError: none of the file's pictures is among them, it cannot be told which one an entry is of, or the boxes do not fit the
            pictures: they are corners or shares, or the pictures are of another size than the file gives them.
    """
    known = match(found.file, found.entries, paths)
    if paths and not found.entries:
        raise PosekitError(f"{found.file}: no box of a person")
    if paths and not any(entry is not None for entry in known):
        first = found.entries[0].name or found.entries[0].number
        raise PosekitError(
            f"{found.file}: of none of the pictures given ({paths[0]}, ...); it is of {len(found.entries):,} others ({first}, ...)"
        )
    rows = [i for i, entry in enumerate(known) if entry is not None and entry.boxes]
    seen = dict(zip(rows, frames.headers(paths[i] for i in rows), strict=True))
    boxes: dict[int, np.ndarray] = {i: np.stack(entry.boxes) for i in rows if (entry := known[i]) is not None}
    sizes = np.array([entry.size for i in rows if (entry := known[i]) is not None], float).reshape(-1, 2)
    reach = np.array([(b[:, :2] + b[:, 2:]).max(0) for b in boxes.values()]).reshape(-1, 2)
    kinds = dict(zip(rows, frames.frames(list(seen.values()), sizes, reach), strict=True))
    resized = [i for i in rows if kinds[i] == frames.RESIZED]
    words = {i: frames.mismatch(seen[i], sizes[rows.index(i)]) for i in resized}
    if resized and (len(resized) == len(rows) or len(resized) > max(1, FEW * len(rows))):
        raise PosekitError(f"{paths[resized[0]]} {words[resized[0]]} (by {found.file}; so for {len(resized):,} of {len(rows):,} pictures)")
    if rows and (cause := _wrong(boxes, {i: known[i].joints for i in rows}, seen, kinds)):  # type: ignore[union-attr]
        raise PosekitError(f"{found.file}: its boxes are not x, y, width, height in pixels; {cause}")
    return [_wanted(entry, boxes.get(i), seen.get(i), kinds.get(i, ""), words.get(i, "")) for i, entry in enumerate(known)]


def _wrong(
    boxes: dict[int, np.ndarray], joints: dict[int, list[np.ndarray]], seen: dict[int, frames.Header], kinds: dict[int, str]
) -> str | None:
    people = [person for i in boxes for person in joints[i]]
    keypoints = np.zeros((len(people), max((len(person) for person in people), default=0), 3))
    for row, person in zip(keypoints, people, strict=True):
        row[: len(person)] = person
        row[: len(person), 2] = 1
    size = {i: header.stored if kinds[i] == frames.STORED else header.shown for i, header in seen.items()}
    limits = np.concatenate([np.broadcast_to(size[i], (len(rows), 2)) for i, rows in boxes.items()])
    return frames.wrong_boxes(np.concatenate(list(boxes.values())), limits, keypoints if keypoints.size else None)


def _wanted(entry: Entry | None, boxes: np.ndarray | None, seen: frames.Header | None, kind: str, mismatch: str) -> Wanted:
    if entry is None or boxes is None or seen is None:
        return Wanted(None if entry is None else np.zeros((0, 4)), None if entry is None else entry.number)
    fault = mismatch
    if kind == frames.UNCLEAR:
        fault = f"is turned by an EXIF tag, and nothing says whether its boxes are; give its width and height in 'images', or {frames.TURN}"
    elif (np.abs(boxes).max(1) <= 1).any():
        fault = "has a box smaller than a pixel; boxes are pixels, not shares of the picture's size"
    elif kind == frames.STORED and seen.orientation > 1:
        boxes = frames.turn(boxes, seen)
    return Wanted(boxes - (0.5, 0.5, 0, 0), entry.number, fault)
