"""MPII Human Pose (Andriluka et al., CVPR 2014), in the two kinds of JSON that the community trains from.

The one comes from MPII's MATLAB file by Convolutional Pose Machines' genJSON (github.com/bearpaw/pytorch-pose,
`miscs/gen_mpii.m`), which copies its numbers as they are: `joint_self`, `objpos`, `scale_provided`, `img_paths`,
`isValidation`. The other is what HRNet and mmpose ship, in a file a split: `joints`, `joints_vis`, `center`, `scale`,
`image`. In both

- joints and centres count pixels from 1 (github.com/leoxiaobin/deep-high-resolution-net.pytorch, `lib/dataset/mpii.py`);
- a joint is absent where both its coordinates are 0 (exactly the joints that the validation set of Tompson et al. marks as
  missing), both -1, or nothing (NaN, null); in `joints_vis` also where it is 0, which says no more than that;
- the third number in `joint_self` is MPII's `is_visible`: 0 is annotated but hidden, and 1 also where MPII does not say;
- the scale is the person's height over 200 pixels;
- the splits are those of Tompson et al. (CVPR 2015): 22,246 people to train on, 2,958 to validate, by `isValidation` or by
  the file's name. The test people of MPII have no joints.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.people import Check, People, existing, sift
from posekit.data.pictures import Folder
from posekit.data.readers import coco_folder, frames, json_values, photographs
from posekit.data.readers.json_values import missing, number
from posekit.errors import PosekitError
from posekit.files import read_json
from posekit.skeleton import MPII

FILES = ("mpii_annotations.json", "mpii_annotations.json.gz")
HEAD = 0.75  # head size over the distance from upper neck to head top
KEYS = {"joints": ("joint_self", "joints"), "centre": ("objpos", "center"), "scale": ("scale_provided", "scale"),
        "picture": ("img_paths", "image")}  # fmt: skip
FORM = "is this MPII in the community's JSON?"


def load(path: str | Path, *, on_error: str = "raise") -> People:
    """People of an MPII folder: `mpii_annotations.json`, or `train.json` and `valid.json` in `annot/`, and `images/`.

    Files may be gzipped, be called `mpii_train.json` and `mpii_val.json`, and lie in `annotations/` or beside
    `images/`; `path` may be one of them. The box is the square of 200 scale pixels around the centre, moved down
    by 15 scale: MARGIN times that is what networks of the hourglass lineage see. `heads` is MPII's head size,
    0.6 of the head box's diagonal, where the JSON has the box (`head_rect`: x1, y1, x2, y2). It usually lacks it,
    but upper neck and head top lie on the box's centre line, 0.8 diagonals apart: 0.75 of their distance is the
    head size, to 0.001 px for nine in ten of the 2,932 validation people who have both, and to 0.7 px for 99 in
    100. `ids` are rows of the JSON, from 0; of a second file they go on.

    Raises PosekitError naming file and row where something is missing or makes no sense; with
    `on_error="skip"` such people are left out and counted.
    """
    path = Path(path)
    root = coco_folder.root(path)
    root = root / "images" if (root / "images").is_dir() else root
    tables = [_table(root, file, split) for file, split in find(path).items()]
    rows = [(table, i) for table in tables for i in range(len(table.names))]
    joints, flags, centres, scales, names, splits, rects, sizes = (
        np.concatenate([getattr(table, column) for table in tables])
        for column in ("joints", "flags", "centres", "scales", "names", "splits", "rects", "sizes")
    )
    absent = json_values.unlabelled(np.dstack([joints, flags])) | (joints == 0).all(-1)
    broken = (~np.isfinite(joints).all(-1) & ~absent).any(1)
    keypoints = np.dstack([np.where(absent[..., None], np.nan, joints - 1), np.where(absent, 0, flags)])
    centres = np.where((centres == -1).all(1, keepdims=True), np.nan, centres - 1)
    centres[:, 1] += 15 * scales
    boxes = np.concatenate([centres - 100 * scales[:, None], np.repeat(200 * scales[:, None], 2, 1)], 1)

    there, flat = existing(root, names), ~(np.isfinite(boxes).all(1) & (scales > 0))
    listed, place = np.unique(names, return_inverse=True)
    headers = frames.headers(root / name for name in listed)
    stored = np.array([header.stored for header in headers], float).reshape(-1, 2)[place]
    resized = (np.isfinite(stored) & np.isfinite(sizes) & (stored != sizes)).any(1)

    def at(i: int) -> str:
        return f"{rows[i][0].file}: row {rows[i][1]}"

    def unfit(i: int) -> str:
        table, row = rows[i]
        return f"{root / names[i]}, of row {row} of {table.file.name}, {frames.mismatch(headers[place[i]], sizes[i])}"

    def absence(i: int) -> str:
        return f"{root / names[i]}: no such picture, row {rows[i][1]} of {rows[i][0].file.name} names it"

    checks = (
        Check("without a picture", ~there, absence),
        Check("whose picture has another size", resized, unfit, file=True),
        Check("with flags other than 0 and 1", (((flags > 2) | (flags < 0)) & ~absent).any(1),
              lambda i: f"{at(i)} has a joint whose flag is not 0 or 1", file=True),
        Check("with NaN coordinates", broken, lambda i: f"{at(i)} has NaN coordinates"),
        Check("without a labelled joint", absent.all(1), lambda i: f"{at(i)} has no labelled joint"),
        *frames.of_another_frame(keypoints, stored, at),
        Check("whose box has no area", flat, lambda i: f"{at(i)} has no centre or scale"),
    )  # fmt: skip
    keep, left_out = sift(len(names), checks, on_error)
    columns: dict[str, Any] = {
        "names": names, "boxes": boxes, "keypoints": keypoints, "ids": np.arange(len(names)), "heads": _heads(keypoints, rects),
        "image_ids": np.unique(names, return_inverse=True)[1], "files": splits,
    }  # fmt: skip
    columns = {name: column[keep] for name, column in columns.items()}
    keep, merged, remarks = photographs.merge(root, columns, columns["files"])
    columns = {name: column[keep] for name, column in columns.items() if name != "photos"}
    return People(
        MPII, splits=columns.pop("files"), read=Folder(str(root)), source=f"mpii:{path}", left_out=left_out | merged, remarks=remarks,
        **columns,
    )  # fmt: skip


@dataclass(frozen=True)
class _Table:
    """The N rows of a file, in its own pixels, which count from 1; what is not there is NaN."""

    file: Path
    joints: np.ndarray  # (N, 16, 2)
    flags: np.ndarray  # (N, 16): 0 not labelled, 1 hidden, 2 visible, 3 something else
    centres: np.ndarray  # (N, 2)
    scales: np.ndarray  # (N)
    names: np.ndarray  # (N) of the pictures
    splits: np.ndarray  # (N)
    rects: np.ndarray  # (N, 4)
    sizes: np.ndarray  # (N, 2)


def find(path: Path) -> dict[Path, str]:
    """The files to read, each with the split of all its people, "" where its rows say it."""
    if path.is_file():
        name = path.name.partition(".")[0]
        return {path: coco_folder.kinds([name]).get(name, "")}
    if not path.is_dir():
        raise PosekitError(f"{path}: no such folder; an MPII folder has {' or '.join(FILES)} and images/")
    for file in FILES:
        if (path / file).is_file():
            return {path / file: ""}
    for folder in (path / "annot", path / "annotations", path):
        found = {file.name: file for file in coco_folder.jsons(folder)}
        said = coco_folder.kinds(name.partition(".")[0] for name in found)
        split = {name: said.get(name.partition(".")[0], "") for name in found}
        whole = [name for name in found if "trainval" in name.lower()]
        parts = [name for name in found if split[name] in ("train", "val") and name not in whole]
        if parts or whole:
            return {found[name]: split[name] for name in parts or whole}
    raise PosekitError(
        f"{path}: neither {' nor '.join(FILES)}, nor train.json and valid.json in annot/; MPII's own MATLAB file is not read"
    )


def _table(root: Path, file: Path, split: str) -> _Table:
    rows = read_json(file)
    if not isinstance(rows, list) or not rows:
        raise PosekitError(f"{file}: not a list of people; {FORM}")
    found = [_row(file, i, row) for i, row in enumerate(rows)]
    names = {name: json_values.path(name) for *_, name in found}
    located = coco_folder.locate(root, ("",), names)
    joints = np.array([row[0] for row in found]).reshape(-1, len(MPII), 3)
    try:
        validation = np.array([json_values.yes(row.get("isValidation")) for row in rows], bool)
        rects = np.array([_rect(row.get("head_rect")) for row in rows], float)
        sizes = np.array([[number(row.get(side)) for side in ("img_width", "img_height")] for row in rows], float)
    except (TypeError, ValueError) as error:
        raise PosekitError(f"{file}: isValidation, head_rect, img_width or img_height of a row makes no sense ({error}); {FORM}") from None
    return _Table(
        file, joints[..., :2], joints[..., 2],
        np.array([row[1] for row in found], float), np.array([row[2] for row in found], float),
        np.array([located[row[3]] for row in found], dtype=str),
        np.where(validation, "val", "train") if not split else np.full(len(rows), split, dtype="<U5"), rects, sizes,
    )  # fmt: skip


def _row(file: Path, i: int, row: Any) -> tuple[list[list[float]], list[float], float, str]:
    """Joints (16 times x, y, flag), centre, scale and picture of a row. PosekitError where it is another form."""
    if not isinstance(row, dict):
        raise PosekitError(f"{file}: row {i} is not an object with names and values; {FORM}")
    key = {what: next((name for name in names if name in row), "") for what, names in KEYS.items()}
    for what, names in KEYS.items():
        if not key[what]:
            raise PosekitError(f"{file}: row {i} has no {names[0]!r} and no {names[1]!r}; {FORM}")

    def read(what: str, take: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
        value = row[key[what]]
        try:
            return take(value)
        except (TypeError, ValueError):
            fault = _unlike(value, shape)
            raise PosekitError(f"{file}: {key[what]!r} of row {i} {fault}; {FORM}") from None

    joints = read("joints", _joints, (len(MPII), 3))
    if len(joints) != len(MPII):
        raise PosekitError(f"{file}: row {i} has {len(joints)} joints; MPII has {len(MPII)}")
    if "joints_vis" in row:
        try:
            seen = [number(value) for value in row["joints_vis"]]
        except (TypeError, ValueError):
            seen = []
        if len(seen) != len(MPII):
            raise PosekitError(f"{file}: 'joints_vis' of row {i} is not a list of {len(MPII)} numbers")
        flags = [{1.0: 2.0, 0.0: 0.0, -1.0: 0.0}.get(value, 0.0 if missing(value) else 3.0) for value in seen]
    else:
        flags = [{1.0: 2.0, 0.0: 1.0, -1.0: -1.0}.get(joint[2], 2.0 if missing(joint[2]) else 3.0) for joint in joints]
    centre, scale, picture = read("centre", _pair, (2,)), read("scale", number, ()), row[key["picture"]]
    if not isinstance(picture, str) or missing(picture):
        raise PosekitError(f"{file}: {key['picture']!r} of row {i} is not a picture's name; {FORM}")
    return [[x, y, flag] for (x, y, _), flag in zip(joints, flags, strict=True)], centre, scale, picture


def _joints(value: list) -> list[list[float]]:
    out = []
    for joint in value:
        numbers = [np.nan, np.nan] if missing(joint) else [number(item) for item in joint]
        if len(numbers) not in (2, 3):
            raise ValueError
        out.append([*numbers, np.nan][:3])
    return out


def _pair(value: Any) -> list[float]:
    x, y = [np.nan, np.nan] if missing(value) else [number(item) for item in value]
    return [x, y]


def _rect(value: Any) -> list[float]:
    x1, y1, x2, y2 = [number(side) for side in value] if value else [np.nan] * 4
    return [x1, y1, x2, y2]


def _unlike(value: Any, shape: tuple[int, ...]) -> str:
    """What is wrong with a value that is not numbers of this shape."""
    try:
        found = np.array(value, float).shape
    except (TypeError, ValueError, OverflowError):
        return "is not made of numbers"
    return f"has shape {found} instead of {shape}"


def _heads(keypoints: np.ndarray, rects: np.ndarray) -> np.ndarray:
    """Head sizes (N,) in pixels, NaN where there is neither a head box (N, 4) nor both ends of the head."""
    neck, top = (keypoints[:, i, :2] for i in MPII.index("neck", "head top"))
    sizes = 0.6 * np.hypot(rects[:, 2] - rects[:, 0], rects[:, 3] - rects[:, 1])
    sizes = np.where(sizes > 0, sizes, HEAD * np.linalg.norm(top - neck, axis=1))
    return np.where(sizes > 0, sizes, np.nan)
