"""JSON in COCO's form, annotations or results, as many tools write it: the only place that parses it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from posekit.data.readers import coco_categories, json_values
from posekit.data.readers.coco_categories import STANDARD, Category, Order
from posekit.data.readers.json_values import Id, identity, missing, number
from posekit.errors import NotPeople, PosekitError
from posekit.skeleton import COCO

ANEW = "where files are joined, renumber id and image_id"
CROWD = ("iscrowd", "is_crowd", "isCrowd", "crowd")
LABEL = ("category", "category_name", "label", "class", "class_name")
T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """A listed picture: its file's name with `/` between folders, width and height in pixels, NaN where they are not given."""

    name: str
    size: tuple[float, float] = (np.nan, np.nan)


@dataclass(frozen=True)
class Labels:
    """The N single people of a file.

    Attributes:
        file: where they come from.
        pictures: the listed pictures by id; none in results.
        entries: the N annotations or results as they stand in the file.
        image_ids: (N) of what picture each is, None where it is not said.
        orders: (N) where COCO's joints stand in its keypoints.
        counts: (N) how many joints its keypoints must be.
        left_out: how many others there are: crowds, and by category.
        crowds: the crowds, each with its picture's id.
        official: whether these are COCO's own pictures, whose labels count in the pictures as stored, whatever their EXIF tags say.
    """

    file: Path
    pictures: dict[Id, Picture]
    entries: list[dict[str, Any]]
    image_ids: list[Id]
    orders: list[Order]
    counts: list[int]
    left_out: dict[str, int]
    crowds: list[tuple[Id, dict[str, Any]]] = field(default_factory=list)
    official: bool = False

    def __len__(self) -> int:
        return len(self.entries)

    def who(self, i: int) -> str:
        """What a message calls an entry."""
        return f"annotation {self.entries[i]['id']}" if "id" in self.entries[i] else f"entry {i + 1}"

    def keypoints(self) -> tuple[np.ndarray, np.ndarray]:
        """The joints (N, 17, 3) of COCO's skeleton in pixels, x, y and flag, and which entries (N,) have a list of as many as they must.

        What is not labelled is NaN, NaN, 0; so are joints that the file does not have. PosekitError where a joint is no number.
        """
        out = np.zeros((len(self), len(COCO), 3))
        complete = np.zeros(len(self), bool)
        given = [entry.get("keypoints") for entry in self.entries]
        flat = [isinstance(value, list) and len(value) == 3 * count for value, count in zip(given, self.counts, strict=True)]
        for order, count in {(tuple(o), c) for o, c in zip(self.orders, self.counts, strict=True)}:
            rows = [i for i in range(len(self)) if self.counts[i] == count and tuple(self.orders[i]) == order]
            quick = [i for i in rows if flat[i]]
            values = {}
            try:  # a million numbers at once; what is odd is looked at one by one
                values = dict(zip(quick, np.array([given[i] for i in quick], float).reshape(-1, count, 3), strict=True))
            except (TypeError, ValueError, OverflowError):
                quick = []
            for i in set(rows) - set(quick):
                found = self._of(i, "keypoints", lambda value, count=count: json_values.joints(value, count))  # type: ignore[misc]
                if found is not None:
                    values[i] = found
            there = [joint for joint, place in enumerate(order) if place is not None]
            places = [place for place in order if place is not None]
            if index := sorted(values):
                out[np.ix_(index, there)] = np.stack([values[i] for i in index])[:, places]
                complete[index] = True
        out[json_values.unlabelled(out)] = (np.nan, np.nan, 0)
        return out, complete

    def boxes(self) -> np.ndarray:
        """The boxes (N, 4) as they are written, x, y, width, height; NaN where there is none, or none with width and height.

        PosekitError where a box is no list of four numbers.
        """
        for i, entry in enumerate(self.entries):
            if not missing(box := entry.get("bbox")) and not (isinstance(box, list) and len(box) == 4):
                raise PosekitError(f"{self.file}: 'bbox' of {self.who(i)} is not a list of 4 numbers")
        out = np.array([self._of(i, "bbox", _box) for i in range(len(self))], float).reshape(len(self), 4)
        out[~((out[:, 2:] > 0).all(1) & np.isfinite(out).all(1))] = np.nan
        return out

    def ids(self, name: str) -> list[Id]:
        """An id of each entry (N), None where it has none. PosekitError where it is neither number nor word."""
        return [_id(self.file, i, entry, name) for i, entry in enumerate(self.entries)]

    def numbers(self, name: str) -> np.ndarray:
        """A number of each entry (N,), NaN where it has none. PosekitError where it is none."""
        return np.array([self._of(i, name, number) for i in range(len(self))], float).reshape(len(self))

    def sizes(self) -> np.ndarray:
        """Width and height (N, 2) that the file gives the entries' pictures, NaN where it does not."""
        unknown = Picture("")
        return np.array([self.pictures.get(i, unknown).size for i in self.image_ids], float).reshape(len(self), 2)

    def _of(self, i: int, name: str, read: Callable[[Any], T]) -> T:
        try:
            return read(self.entries[i].get(name))
        except (TypeError, ValueError):
            raise PosekitError(f"{self.file}: {name!r} of {self.who(i)} is not made of numbers") from None


def annotations(file: Path, content: Any, *, jointed: bool = True) -> Labels:
    """The people of COCO's annotations, `{"images": [...], "annotations": [...], "categories": [...]}`.

    `jointed` people are read for their joints, others for their boxes only. Raises PosekitError naming file and entry where the form is
    another, ids are missing or given twice, or it cannot be told who is a person.
    """
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise NotPeople(f"{file}: no 'images' and 'annotations'; is this a file of COCO person keypoints?")
    for kind in ("images", "annotations"):
        if not isinstance(content[kind], list):
            raise PosekitError(f"{file}: {kind!r} is not a list; is this a file of COCO person keypoints?")
        _check_objects(file, kind, content[kind])
    pictures: dict[Id, Picture] = {}
    for i, image in enumerate(content["images"]):
        key, picture = _picture(file, i, image)
        if pictures.setdefault(key, picture).name != picture.name:
            raise PosekitError(f"{file}: pictures {pictures[key].name} and {picture.name} both have id {key}; {ANEW}")
    found = _people(file, content["annotations"], pictures, coco_categories.read(file, content.get("categories")), jointed)
    return replace(found, official=any("cocodataset.org/" in str(image.get("coco_url")) for image in content["images"]))


def results(file: Path, content: Any, *, jointed: bool = True) -> Labels:
    """The people of COCO's results, `[{"image_id": ..., "category_id": 1, ...}, ...]`, whose categories are numbers, or names (`LABEL`)."""
    if not isinstance(content, list):
        raise PosekitError(f"{file}: not a list of results")
    _check_objects(file, "the list", content)
    return _people(file, content, {}, {}, jointed)


def _people(file: Path, entries: list[dict], pictures: dict[Id, Picture], categories: dict[Id, Category], jointed: bool) -> Labels:
    ids = [_category(file, i, entry, categories) for i, entry in enumerate(entries)]
    if not categories and any(isinstance(name, str) for name in ids):
        categories = {name: Category(str(name)) for name in ids}
    if categories and entries:
        known = {**coco_categories.people(file, categories, jointed=jointed)}
        if len(categories) == 1:  # then it need not be said
            known |= {None: next(iter(known.values()))}
    else:
        known = dict.fromkeys(coco_categories.nameless(file, ids, jointed=jointed), Category("person")) if entries else {}
    left_out: Counter[str] = Counter({"crowds": 0})
    kept, image_ids, orders, counts, crowds = [], [], [], [], []
    ordered = {key: (STANDARD if isinstance(c.order, str) else c.order, len(c.joints) or len(COCO)) for key, c in known.items()}
    for i, (entry, category) in enumerate(zip(entries, ids, strict=True)):
        if category not in known:
            if categories and category not in categories:
                listed = ", ".join(f"{key}: {c.name}" for key, c in list(categories.items())[:5])
                raise PosekitError(f"{file}: {_who(i, entry)} is of category {category}, which is not listed; there are {listed}")
            name = categories[category].name if category in categories else category
            left_out[f"of category {name}"] += 1
        elif _crowd(file, i, entry):
            left_out["crowds"] += 1
            crowds.append((_id(file, i, entry, "image_id"), entry))
        else:
            order, count = ordered[category]
            kept.append(entry)
            image_ids.append(_id(file, i, entry, "image_id"))
            orders.append(order)
            counts.append(count)
    return Labels(file, pictures, kept, image_ids, orders, counts, dict(left_out), crowds)


def _picture(file: Path, i: int, image: dict) -> tuple[Id, Picture]:
    """Id, name and size of entry `i` of the pictures."""
    name = image.get("file_name")
    if not isinstance(name, str) or missing(name):
        raise PosekitError(f"{file}: picture {image.get('id', '?')} has no 'file_name' (entry {i} of 'images', counted from 0)")
    try:
        key = identity(image.get("id"))
    except ValueError:
        key = None
    if key is None:
        raise PosekitError(f"{file}: picture {name} has no 'id' (entry {i} of 'images', counted from 0)")
    try:
        width, height = (number(image.get(side)) for side in ("width", "height"))
    except ValueError:
        raise PosekitError(f"{file}: width and height of picture {name} are not numbers") from None
    return key, Picture(json_values.path(name), (width, height) if width > 0 and height > 0 else (np.nan, np.nan))


def _category(file: Path, i: int, entry: dict, categories: dict[Id, Category]) -> Id:
    """The id of an entry's category, or its name where the file lists none."""
    label = next((entry[name] for name in LABEL if not categories and isinstance(entry.get(name), str)), None)
    return _id(file, i, entry, "category_id") if label is None else label


def _crowd(file: Path, i: int, entry: dict) -> bool:
    """Whether an entry is of a crowd."""
    name = next((name for name in CROWD if name in entry), None)
    try:
        return name is not None and json_values.yes(entry[name])
    except ValueError:
        raise PosekitError(f"{file}: {name!r} of {_who(i, entry)} is {entry[name]!r}; it is 0 or 1") from None


def _id(file: Path, i: int, entry: dict, name: str) -> Id:
    try:
        return identity(entry.get(name))
    except ValueError:
        raise PosekitError(f"{file}: {name!r} of {_who(i, entry)} is no number and no word") from None


def _who(i: int, entry: dict) -> str:
    return f"annotation {entry['id']}" if "id" in entry else f"entry {i + 1}"


def _check_objects(file: Path, kind: str, entries: list) -> None:
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict):
            name = kind if kind == "the list" else repr(kind)
            raise PosekitError(f"{file}: entry {i} of {name}, counted from 0, is not an object with names and values")


def _box(value: Any) -> list[float]:
    return [np.nan] * 4 if missing(value) else [number(side) for side in value]
