"""LabelMe's JSON, a file beside each picture: points called like joints, and boxes, joined to people by `group_id`."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.people import People
from posekit.data.readers import coco, coco_folder, coco_people, joint_names, json_values
from posekit.data.readers.json_values import missing, number
from posekit.errors import NotPeople, PosekitError
from posekit.files import read_json

HIDDEN = ("occluded", "hidden", "invisible")  # flags of a point, set by who annotates
FORM = "LabelMe's JSON has 'imagePath' and 'shapes'"


def load(path: str | Path, *, on_error: str = "raise") -> People:
    """People of a folder of LabelMe files, in folders of its own or not, who have a labelled joint.

    A person is the points of one `group_id`, called like COCO's joints ("left wrist", "left_wrist", "LWrist"), and
    the rectangle of the same, if there is one. In a picture of one person the group may be missing. A point with a
    flag that is called occluded, hidden or invisible is hidden. Where older files give no `shape_type`, one point is a
    point, and three or more are an outline, which is not read. Coordinates are taken as they are, as other converters do.
    Folders called train, val and test are the splits. Checks and what is left out are as of
    `posekit.data.readers.coco.load`. Raises PosekitError naming the file where something is missing or ambiguous.
    """
    path = Path(path)
    if not path.exists():
        raise PosekitError(f"{path}: no such folder; it has LabelMe's JSON files and the pictures")
    root = path.parent if path.is_file() else path
    found = [path] if path.is_file() else sorted(file for file in path.rglob("*.json") if file.name[0] != ".")
    pages = {file: content for file in found if isinstance(content := read_json(file), dict) and "shapes" in content}
    if not pages:
        raise PosekitError(f"{path}: no JSON of LabelMe's; {FORM}")
    people = {file: _people(file, content) for file, content in pages.items()}
    labels = sorted({label for some in people.values() for points, _ in some for label in points})
    if not labels:
        raise NotPeople(f"{path}: nobody has points; outlines and boxes are not joints")
    parts: dict[str, dict[str, np.ndarray]] = {}
    left_out: dict[str, int] = {}
    turned = frozenset[str]()
    names = {file: file.relative_to(root).parts[0] if file.parent != root else "" for file in pages}
    said = coco_folder.kinds(sorted(set(names.values()) - {""}))
    for part in sorted({said.get(name, "") for name in names.values()}):
        files = [file for file in pages if said.get(names[file], "") == part]
        content = _content(root, {file: (pages[file], people[file]) for file in files}, labels)
        columns, lost, upright, _ = coco_people.read(root, path, dict, on_error, content)
        parts[part or "all"], turned = columns, turned | upright
        left_out = {reason: left_out.get(reason, 0) + lost.get(reason, 0) for reason in left_out | lost}
    return coco.assemble(root, f"labelme:{path}", parts, left_out, turned)


Person = tuple[dict[str, list[float]], list[float] | None]  # joints by label, x, y and flag; the box


def _people(file: Path, content: dict[str, Any]) -> list[Person]:
    if not isinstance(content["shapes"], list) or not all(isinstance(shape, dict) for shape in content["shapes"]):
        raise PosekitError(f"{file}: 'shapes' is not a list of objects; {FORM}")
    groups: dict[Any, list[dict]] = defaultdict(list)
    for shape in content["shapes"]:
        kind = _kind(file, shape)
        if kind in ("point", "rectangle"):
            try:
                group = json_values.identity(shape.get("group_id"))
            except ValueError:
                raise PosekitError(f"{file}: 'group_id' of a {kind} is no number and no word") from None
            groups[group].append(shape | {"shape_type": kind})
    return [person for group, shapes in groups.items() if (person := _person(file, group, shapes))[0]]


def _kind(file: Path, shape: dict) -> str:
    """The `shape_type`; where it is missing, what the number of points allows and LabelMe takes it for."""
    kind, points = shape.get("shape_type"), shape.get("points")
    if not missing(kind):
        return str(kind)
    count = len(points) if isinstance(points, list) else 0
    if count in (0, 2):
        raise PosekitError(f"{file}: a shape {str(shape.get('label', ''))!r} has {count} points and no 'shape_type'; give it one, "
                           "\"point\", \"rectangle\" or another")  # fmt: skip
    return "point" if count == 1 else "polygon"


def _person(file: Path, group: Any, shapes: list[dict]) -> Person:
    points: dict[str, list[float]] = {}
    boxes: list[list[float]] = []
    whose = "without 'group_id'" if group is None else f"with group_id {group}"
    for shape in shapes:
        label = str(shape.get("label", ""))
        label = joint_names.spelled(label) or label
        try:
            xy = [[number(value) for value in point] for point in shape["points"]]
            if any(len(point) != 2 for point in xy) or len(xy) != (1 if shape["shape_type"] == "point" else 2):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise PosekitError(f"{file}: 'points' of a {shape['shape_type']} {label!r} are not pairs of numbers, one or two") from None
        if shape["shape_type"] == "rectangle":
            (x0, y0), (x1, y1) = xy
            boxes.append([min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)])
        elif label in points:
            raise PosekitError(f"{file}: two points {label!r} {whose}; give all shapes of a person one group_id")
        else:
            flags = shape.get("flags") or {}
            if not isinstance(flags, dict):
                raise PosekitError(f"{file}: 'flags' of a point {label!r} are not names with true or false")
            points[label] = [*xy[0], 1 if any(flags.get(name) for name in HIDDEN) else 2]
    if len(boxes) > 1 and points:
        raise PosekitError(f"{file}: {len(boxes)} rectangles {whose} and points with them; give all shapes of a person one group_id")
    return points, boxes[0] if boxes else None


def _content(root: Path, pages: dict[Path, tuple[dict[str, Any], list[Person]]], labels: list[str]) -> dict[str, list]:
    """The pages in COCO's form."""
    images, annotations = [], []
    for file, (content, people) in pages.items():
        listed = content.get("imagePath")
        if not isinstance(listed, str) or missing(listed):
            raise PosekitError(f"{file}: no 'imagePath'; {FORM}")
        listed = json_values.path(listed)
        name = (file.parent.relative_to(root) / coco_folder.locate(file.parent, ("",), {0: listed})[0]).as_posix()
        key = file.relative_to(root).as_posix()
        images.append({"id": key, "file_name": name, "width": content.get("imageWidth"), "height": content.get("imageHeight")})
        for i, (points, box) in enumerate(people):
            keypoints = [value for label in labels for value in points.get(label, [0, 0, 0])]
            annotations.append({"id": f"{key} person {i + 1}", "image_id": key, "category_id": 1, "bbox": box, "keypoints": keypoints})
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person", "keypoints": labels}]}
