"""The people of one file of COCO keypoints, each checked against its picture, its box and its joints."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.people import Check, existing, joints_box, sift
from posekit.data.readers import frames, json_values
from posekit.data.readers.coco_json import ANEW, Labels, annotations
from posekit.data.readers.json_values import Id
from posekit.errors import NotPeople, PosekitError
from posekit.files import read_json
from posekit.skeleton import COCO

NEAR, FAR = 1.5, 10.0  # longer sides of the box between its centre and a joint; in COCO they are hardly more than 1
Ignored = tuple[str, list[float]]  # the picture's name, and a row of `People.ignored`
FILLED = 0.53  # of its box is what a segment fills


def read(
    root: Path, file: Path, locate: Callable[[dict[Id, str]], dict[Id, str]], on_error: str, content: Any = None
) -> tuple[dict[str, np.ndarray], dict[str, int], set[str], list[Ignored]]:
    """Columns of the table of people, who was left out, the pictures that are to be read turned by their EXIF tag, and on whom no
    prediction counts: crowds and people without labelled joints.

    `locate` gives each picture's name under `root` for the names in the file, by id; `content` is what a file of another form says.
    `ids` and `image_ids` are objects, numbers or words. Raises PosekitError as `posekit.data.readers.coco.load` says.
    """
    labels = annotations(file, read_json(file) if content is None else content)
    _check_ids(labels)
    pictures = locate({key: picture.name for key, picture in labels.pictures.items()})
    names: np.ndarray = np.array([pictures.get(i, "") for i in labels.image_ids], dtype=str)
    keypoints, complete = labels.keypoints()
    jointless = np.array([not entry.get("keypoints") for entry in labels.entries], bool)
    if len(labels) and not complete.any():
        first = int(jointless.argmin())
        why = f"nobody here has {labels.counts[first]} joints; instances or captions are not keypoints"
        raise NotPeople(f"{_unfit(labels, jointless, first)}, and {why}")
    boxes, areas = labels.boxes(), labels.numbers("area")
    shown = _shown(root, labels, names, boxes, keypoints)
    if cause := frames.wrong_boxes(boxes, shown.sizes, keypoints):
        raise PosekitError(f"{file}: its boxes are not x, y, width, height in pixels; {cause}")
    boxes[:, :2] -= 0.5
    boxless = np.isnan(boxes).any(1)
    rows = boxless & (keypoints[..., 2] > 0).any(1) & ~_broken(keypoints)
    boxes[rows] = joints_box(keypoints[rows])
    whole = np.where(boxes[:, 2:].min(1) > 0, boxes[:, 2] * boxes[:, 3], boxes[:, 2:].max(1) ** 2)  # joints on one line have no area
    areas = np.where(np.isfinite(areas) & (areas > 0), areas, FILLED * whole)
    checks = _checks(root, labels, names, jointless, complete, boxes, keypoints, shown)
    keep, left_out = sift(len(labels), checks, on_error)
    columns = {"names": names, "boxes": boxes, "keypoints": keypoints, "areas": areas,
               "ids": _objects(labels.ids("id")), "image_ids": _objects(labels.image_ids)}  # fmt: skip
    turned = set(names[shown.turned & keep].tolist())
    nobody = complete & ~(keypoints[..., 2] > 0).any(1) & ~boxless
    ignored = [(str(names[i]), [*boxes[i], areas[i], 0.0]) for i in np.flatnonzero(nobody)] + _crowds(labels, pictures)
    return {name: column[keep] for name, column in columns.items()}, labels.left_out | left_out, turned, ignored


def _crowds(labels: Labels, pictures: dict[Id, str]) -> list[Ignored]:
    """The crowds that have a box and an area in numbers."""
    found = []
    for picture, entry in labels.crowds:
        try:
            box, area = [json_values.number(side) for side in entry["bbox"]], json_values.number(entry["area"])
        except (KeyError, TypeError, ValueError):
            continue
        if picture in pictures and len(box) == 4 and np.isfinite([*box, area]).all():
            found.append((pictures[picture], [box[0] - 0.5, box[1] - 0.5, *box[2:], area, 1.0]))
    return found


@dataclass(frozen=True)
class _Shown:
    """What the N people's pictures are like: size (N, 2) in the frame of the labels, whether read turned, what is wrong."""

    sizes: np.ndarray
    turned: np.ndarray
    resized: np.ndarray
    unclear: np.ndarray
    mismatch: list[str]


def _shown(root: Path, labels: Labels, names: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray) -> _Shown:
    listed, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    seen = frames.headers(root / name for name in listed)
    sizes = labels.sizes()
    reach = np.full((len(listed), 2), -np.inf)
    for reached in (boxes[:, :2] + boxes[:, 2:], np.where(keypoints[..., 2:] > 0, keypoints[..., :2], -np.inf).max(1, initial=-np.inf)):
        np.maximum.at(reach, inverse, np.where(np.isfinite(reached), reached, -np.inf))
    found = frames.frames(seen, sizes[first], reach, official=labels.official)
    size = np.array([header.shown if frame == frames.TURNED else header.stored for header, frame in zip(seen, found, strict=True)])
    words = [frames.mismatch(seen[i], sizes[first[i]]) if found[i] == frames.RESIZED else "" for i in range(len(listed))]
    kinds = np.array(found, dtype=str)[inverse]
    return _Shown(
        size.reshape(-1, 2)[inverse], kinds == frames.TURNED, kinds == frames.RESIZED, kinds == frames.UNCLEAR, [words[i] for i in inverse]
    )


def _checks(
    root: Path, labels: Labels, names: np.ndarray, jointless: np.ndarray, complete: np.ndarray, boxes: np.ndarray,
    keypoints: np.ndarray, shown: _Shown,
) -> tuple[Check, ...]:  # fmt: skip
    """Reasons to leave people out, in the order in which they are told."""
    file, xy, flags = labels.file, keypoints[..., :2], keypoints[..., 2]
    labelled, longer = flags > 0, boxes[:, 2:].max(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        away: np.ndarray = np.abs(xy - (boxes[:, :2] + boxes[:, 2:] / 2)[:, None]).max(-1) / longer[:, None]
        normalised = np.asarray(((np.abs(xy) <= 1).all(-1) | ~labelled).all(1))
        beyond = frames.beyond(keypoints, shown.sizes)
        corner = np.asarray(labelled & (xy == 0).all(-1) & (boxes[:, None, :2] > 2).any(-1))
    outside = np.asarray(beyond.sum(1) > 0.5 * labelled.sum(1))

    def at(i: int) -> str:
        return f"{file}: {labels.who(i)}"

    def astray(i: int) -> str:
        joint = int((away[i] > FAR).argmax())
        return f"{at(i)} has its {COCO.joints[joint]} far from its box, at ({xy[i, joint, 0]:g}, {xy[i, joint, 1]:g})"

    def picture(i: int) -> str:
        return f"{root / names[i]}, of {labels.who(i)} of {file.name},"

    return (
        Check("without keypoints", jointless, lambda i: _unfit(labels, jointless, i)),
        Check("with a wrong number of keypoints", ~complete, lambda i: _unfit(labels, jointless, i), file=True),
        Check("with flags other than 0, 1, 2", np.asarray(~np.isin(flags, (0, 1, 2)).all(1)),
              lambda i: f"{at(i)} has a joint whose flag is not 0, 1 or 2", file=True),
        Check("without labelled joints", np.asarray(~labelled.any(1)), at, expected=True),
        Check("with NaN coordinates", _broken(keypoints), lambda i: f"{at(i)} has NaN coordinates"),
        Check("whose picture is not listed", names == "", lambda i: f"{at(i)} is of picture {labels.image_ids[i]}, which is not listed"),
        Check("without a picture", ~existing(root, names),
              lambda i: f"{root / names[i]}: no such picture, {labels.who(i)} of {file.name} is of it"),
        Check("whose picture is not of the labels' size", shown.resized, lambda i: f"{picture(i)} {shown.mismatch[i]}", file=True),
        Check("whose picture is turned by its EXIF tag, and perhaps the labels are not", shown.unclear,
              lambda i: f"{picture(i)} is turned by an EXIF tag, and nothing says whether its labels are; {frames.TURN}"),
        Check("with normalised keypoints", normalised,
              lambda i: f"{at(i)} has all joints between 0 and 1; keypoints must be pixels", file=True),
        Check("whose joints all lie on one point, without a box", ~(longer > 0),
              lambda i: f"{at(i)} has no box, and its joints all lie on one point"),
        Check("with joints outside their picture", outside,
              lambda i: f"{at(i)} has most of its joints outside {names[i]}; made smaller after it was labelled?", file=True),
        Check("with an absent joint that is called labelled", np.asarray(corner.any(1)),
              lambda i: f"{at(i)} has its {COCO.joints[int(corner[i].argmax())]} at (0, 0), far from its box, as labelled; "
              "the flag of an absent joint is 0", file=True),
        Check("without joints near their box", np.asarray(~(away <= NEAR).any(1)),
              lambda i: f"{at(i)}: no labelled joint is near its box; are the keypoints pixels?", file=True),
        Check("with a joint far from their box", np.asarray((away > FAR).any(1)), astray, file=True),
    )  # fmt: skip


def _broken(keypoints: np.ndarray) -> np.ndarray:
    return np.asarray(((keypoints[..., 2] != 0) & ~np.isfinite(keypoints[..., :2]).all(-1)).any(1))


def _unfit(labels: Labels, jointless: np.ndarray, i: int) -> str:
    if jointless[i]:
        return f"{labels.file}: {labels.who(i)} has no 'keypoints'"
    return f"{labels.file}: 'keypoints' of {labels.who(i)} is not a list of {3 * labels.counts[i]} numbers"


def _check_ids(labels: Labels) -> None:
    """Raises PosekitError where an annotation has no number, or two have one."""
    seen: dict[Any, int] = {}
    ids = labels.ids("id")
    for i, entry in enumerate(labels.entries):
        for name in ("id", "image_id"):
            if (labels.image_ids if name == "image_id" else ids)[i] is None:
                raise PosekitError(f"{labels.file}: annotation {entry.get('id', '?')} has no {name!r}; every annotation needs one")
        if (other := seen.setdefault(ids[i], i)) != i:
            first, second = labels.image_ids[other], labels.image_ids[i]
            raise PosekitError(f"{labels.file}: two annotations, of pictures {first} and {second}, both have id {entry['id']}; {ANEW}")


def _objects(values: list) -> np.ndarray:
    out = np.empty(len(values), object)
    out[:] = values
    return out
