"""YOLO's pose labels, as Ultralytics, Roboflow and CVAT write them: a `data.yaml`, pictures, and a text file beside each."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from posekit.data.people import SKIP, People
from posekit.data.pictures import read_picture
from posekit.data.readers import coco, coco_people, frames
from posekit.errors import PosekitError
from posekit.skeleton import COCO

PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
FORM = "YOLO's pose labels have a data.yaml with train, val and kpt_shape"


def load(path: str | Path, *, on_error: str = "raise") -> People:
    """People of a folder with `data.yaml`, or of that file, who have a labelled joint.

    A line of a label file is a class, the box's centre, width and height, then each joint's x, y and flag, all
    lengths over the picture's width and height. The joints are COCO's 17 in COCO's order, of which `flip_idx` must
    speak too where it is given, or go by the names in `kpt_names`. With two numbers a joint it is not labelled
    where they are 0. Splits, checks and what is left out are as of `posekit.data.readers.coco.load`; ids are numbered by
    label file and line. Raises PosekitError naming the file where something is missing or is no pose.
    """
    path = Path(path)
    file = _yaml(path)
    about = _read_yaml(file)
    count, numbers = _shape(file, about)
    categories = _categories(file, about, count)
    parts: dict[str, dict[str, np.ndarray]] = {}
    left_out: dict[str, int] = {}
    turned = frozenset[str]()
    root = _base(file, about)
    for split in ("train", "val", "test"):
        pictures = list(dict.fromkeys(picture for entry in _entries(about.get(split)) for picture in _pictures(file, root, entry)))
        if not pictures:
            continue
        if not any(_labels(picture).is_file() for picture in pictures):
            raise PosekitError(
                f"{file}: none of the {len(pictures):,} pictures of {split} has a label file, such as {_expected(pictures[0])}"
            )
        content, unread = _content(root, pictures, count, numbers, categories, on_error)
        columns, lost, upright, _ = coco_people.read(root, file, dict, on_error, content)
        lost |= {"with an unreadable picture": unread}
        parts[split], turned = columns, turned | upright
        left_out = {reason: left_out.get(reason, 0) + lost.get(reason, 0) for reason in left_out | lost}
    if not parts:
        raise PosekitError(f"{file}: no pictures for train, val or test; {FORM}")
    return coco.assemble(root, f"yolo:{path}", parts, left_out, turned)


def _yaml(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise PosekitError(f"{path}: no such folder; {FORM}")
    found = [path / "data.yaml"] if (path / "data.yaml").is_file() else sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    if len(found) != 1:
        raise PosekitError(f"{path}: {'several *.yaml; name one, yolo:FILE' if found else 'no data.yaml'}; {FORM}")
    return found[0]


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        about = yaml.safe_load(file.read_text("utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError) as error:  # a ValueError of a date that is none, among others
        raise PosekitError(f"{file}: not a readable YAML file ({str(error).splitlines()[0]})") from None
    if not isinstance(about, dict):
        raise PosekitError(f"{file}: not a table of names and values; {FORM}")
    return about


def _shape(file: Path, about: dict[str, Any]) -> tuple[int, int]:
    """How many joints there are, and how many numbers each has."""
    shape = about.get("kpt_shape")
    if not isinstance(shape, list) or len(shape) != 2 or not all(isinstance(n, int) for n in shape) or shape[1] not in (2, 3):
        raise PosekitError(f"{file}: no 'kpt_shape' such as [17, 3]: boxes or outlines are not poses; {FORM}")
    return shape[0], shape[1]


def _categories(file: Path, about: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The classes as COCO's categories, with names of joints where there are any."""
    named = about.get("names") or ["person"]
    classes = dict(enumerate(named)) if isinstance(named, list) else named
    if not isinstance(classes, dict) or not all(str(number).isdecimal() for number in classes):
        raise PosekitError(f"{file}: 'names' is neither a list of the classes' names nor a table of them by number, 0: person")
    joints = about.get("kpt_names")
    of = joints if isinstance(joints, dict) else dict.fromkeys(classes, joints)
    flips = about.get("flip_idx")
    for name in of.values():
        if name and (not isinstance(name, list) or len(name) != count):
            raise PosekitError(f"{file}: 'kpt_names' is not a list of {count} names")
    if not any(of.values()) and (count != len(COCO) or (flips is not None and flips != list(COCO.mirrored))):
        what = f"{count} joints" if count != len(COCO) else "a 'flip_idx' that is not of COCO's joints"
        raise PosekitError(f"{file}: {what}; without names only COCO's {len(COCO)} joints in COCO's order can be read: add 'kpt_names'")
    return [{"id": int(number), "name": str(name), "keypoints": of.get(number) or []} for number, name in classes.items()]


def _base(file: Path, about: dict[str, Any]) -> Path:
    """The folder from which pictures are named: `path`, where it is here, or that of the YAML file."""
    said = about.get("path")
    for base in (file.parent / str(said), Path(str(said))) if said else ():
        if base.is_dir():
            return base
    return file.parent


def _entries(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)] if value else []


def _pictures(file: Path, root: Path, entry: str) -> Iterator[Path]:
    """The pictures of a folder or of a list in a text file; `../train/images`, as Roboflow writes it, may be `train/images`."""
    entry = entry.replace("\\", "/")
    tries = [base / name for name in dict.fromkeys((entry, entry.removeprefix("../"))) for base in (root, file.parent)]
    there = next((path for path in tries if path.exists()), None)
    if there is None:
        raise PosekitError(f"{file}: {entry}: no such folder under {root}; set 'path' in {file.name} to the data set's folder")
    if there.is_dir():
        found = (Path(folder) / name for folder, _, names in sorted(os.walk(there)) for name in sorted(names))
        yield from (path for path in found if path.suffix.lower() in PICTURES and path.name[0] != ".")
    else:
        lines = (line.strip().replace("\\", "/") for line in _lines(there))
        yield from (Path(line) if Path(line).is_absolute() else there.parent / line for line in lines if line)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or f"it is no text in UTF-8: {error.reason}"  # type: ignore[union-attr]
        raise PosekitError(f"{file}: cannot be read: {reason}; save it as UTF-8") from None


def _content(
    root: Path, pictures: list[Path], count: int, numbers: int, categories: list[dict], on_error: str
) -> tuple[dict[str, list], int]:  # fmt: skip
    """The labels of pictures in COCO's form, and how many are of a picture that cannot be read, so that nobody knows its size."""
    images, annotations, unread = [], [], 0
    for path, header in zip(pictures, frames.headers(pictures), strict=True):
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
        width, height = header.shown  # the labels are of the picture as it is shown
        labels = _labels(path)
        lines = [(number, line) for number, line in enumerate(_lines(labels) if labels.is_file() else (), 1) if line.strip()]
        if lines and np.isnan(width):
            try:
                height, width = read_picture(path).shape[:2]
            except PosekitError as error:
                if on_error == "raise":
                    raise PosekitError(f"{error}; {SKIP}") from None
                unread += len(lines)
                continue
        images.append({"id": name, "file_name": name, "width": width, "height": height})
        for number, line in lines:
            values = _numbers(labels, number, line, count, numbers)
            entry = _annotation(values, width, height, count, numbers)
            annotations.append(entry | {"id": f"{_short(root, labels)} line {number}", "image_id": name})
    return {"images": images, "annotations": annotations, "categories": categories}, unread


def _short(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _expected(picture: Path) -> Path:
    """Where the text file of a picture belongs: in `labels` in place of the last folder `images`, or beside it."""
    parts = list(picture.parts)
    at = max((i for i, part in enumerate(parts[:-1]) if part.lower() == "images"), default=None)
    if at is not None:
        parts[at] = "labels"
    return Path(*parts).with_suffix(".txt")


def _labels(picture: Path) -> Path:
    """The text file of a picture, or beside it where there is none in `labels`."""
    file = _expected(picture)
    return file if file.is_file() else picture.with_suffix(".txt")


def _numbers(file: Path, number: int, line: str, count: int, size: int) -> np.ndarray:
    words = line.split()
    try:
        values = np.array(words, float)
    except ValueError:
        raise PosekitError(f"{file}: line {number} is not made of numbers") from None
    if not float(values[0]).is_integer():
        raise PosekitError(f"{file}: line {number} begins with {words[0]}; that is the number of its class, 0 say")
    if len(values) != 5 + count * size:
        raise PosekitError(
            f"{file}: line {number} has {len(values)} numbers; a class, a box and {count} x {size} for joints are {5 + count * size}"
        )
    if values[1:5].max() > 1.5 or values[1:5].min() < -0.5:
        raise PosekitError(f"{file}: line {number} has a box of {words[1:5]}; YOLO's numbers are shares of the picture's width and height")
    return values


def _annotation(values: np.ndarray, width: float, height: float, count: int, size: int) -> dict[str, Any]:
    x, y, w, h = (values[1:5] * (width, height, width, height)).tolist()
    joints = values[5:].reshape(count, size)
    flags = joints[:, 2] if size == 3 else np.where((joints > 0).any(1), 2, 0)
    scaled = np.where(flags[:, None] > 0, joints[:, :2] * (width, height), 0)
    keypoints = np.column_stack([scaled, flags])
    return {"category_id": int(values[0]), "iscrowd": 0, "bbox": [x - w / 2, y - h / 2, w, h], "keypoints": keypoints.ravel().tolist()}
