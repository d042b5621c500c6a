"""MPII Human Pose (Andriluka et al., CVPR 2014), in the JSON that the community trains from.

The JSON comes from MPII's MATLAB file by Convolutional Pose Machines' genJSON
(github.com/bearpaw/pytorch-pose, `miscs/gen_mpii.m`), which copies its numbers as they are. So:

- joints and centres count pixels from 1;
- a joint is absent where it is (0, 0, 0): exactly the joints that the validation set of Tompson et al. marks as missing;
- elsewhere the third number is MPII's `is_visible`: 0 is annotated but hidden, and 1 also where MPII does not say;
- `scale_provided` is the person's height over 200 pixels;
- `isValidation` is the split of Tompson et al. (CVPR 2015): 22,246 people to train on, 2,958 to validate. The test people
  of MPII are not in it.
"""

from pathlib import Path

import numpy as np

from posekit.data.people import Check, People, existing, read_json, sift
from posekit.data.pictures import Folder
from posekit.errors import PosekitError
from posekit.skeleton import MPII

FILES = ("mpii_annotations.json", "mpii_annotations.json.gz")
HEAD = 0.75  # head size over the distance from upper neck to head top


def load(folder: str | Path, *, on_error: str = "raise") -> People:
    """People of an MPII folder: `mpii_annotations.json` or `.json.gz`, and `images/`.

    The box is the square of 200 scale pixels around the centre, moved down by 15 scale: MARGIN times that is
    what networks of the hourglass lineage see. `heads` is MPII's head size, 0.6 of the head box's diagonal,
    where the JSON has the box (`head_rect`: x1, y1, x2, y2). It usually lacks it, but upper neck and head top
    lie on the box's centre line, 0.8 diagonals apart: 0.75 of their distance is the head size, to 0.001 px
    for nine in ten of the 2,932 validation people who have both, and to 0.7 px for 99 in 100. `ids` are rows
    of the JSON, from 0.

    Raises PosekitError naming file and row where something is missing or makes no sense; with
    `on_error="skip"` such people are left out and counted.
    """
    folder = Path(folder)
    file = _find(folder)
    rows = _parse(file)
    try:
        joints = np.array([row["joint_self"] for row in rows], float).reshape(len(rows), -1, 3)
        centres = np.array([row["objpos"] for row in rows], float).reshape(len(rows), 2) - 1
        scales = np.array([row["scale_provided"] for row in rows], float)
        names = np.array([str(row["img_paths"]) for row in rows], dtype=str)
        validation = np.array([bool(row.get("isValidation")) for row in rows], bool)
        rects = np.array([row.get("head_rect") or [np.nan] * 4 for row in rows], float).reshape(-1, 4)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PosekitError(f"{file}: {_first_bad(rows) or error}; is this MPII in the community's JSON?") from None
    if joints.shape[1] != len(MPII):
        raise PosekitError(f"{file}: people have {joints.shape[1]} joints; MPII has {len(MPII)}")

    absent = (joints[..., :2] == 0).all(-1)
    broken = ~np.isfinite(joints).all((1, 2))
    keypoints = joints.copy()
    keypoints[..., :2] = np.where(absent[..., None], np.nan, joints[..., :2] - 1)
    keypoints[..., 2] = np.where(absent, 0, np.where(joints[..., 2] > 0, 2, 1))
    centres[:, 1] += 15 * scales
    boxes = np.concatenate([centres - 100 * scales[:, None], np.repeat(200 * scales[:, None], 2, 1)], 1)

    missing, flat = ~existing(folder / "images", names), ~(np.isfinite(boxes).all(1) & (scales > 0))

    def absence(i: int) -> str:
        return f"{folder / 'images' / names[i]}: no such picture, row {i} of {file.name} names it"

    checks = (
        Check("without a picture", missing, absence),
        Check("with NaN coordinates", broken, lambda i: f"{file}: row {i} has NaN coordinates"),
        Check("without a labelled joint", absent.all(1), lambda i: f"{file}: row {i} has no labelled joint"),
        Check("whose box has no area", flat, lambda i: f"{file}: row {i} has no centre or scale"),
    )
    keep, left_out = sift(len(rows), checks, on_error)
    return People(
        MPII, names[keep], boxes[keep], keypoints[keep], np.flatnonzero(keep), np.where(validation, "val", "train")[keep],
        read=Folder(str(folder / "images")), source=f"mpii:{folder}", heads=_heads(keypoints, rects)[keep],
        image_ids=np.unique(names, return_inverse=True)[1][keep], left_out=left_out,
    )  # fmt: skip


def _find(folder: Path) -> Path:
    if not folder.is_dir():
        raise PosekitError(f"{folder}: no such folder; an MPII folder has {' or '.join(FILES)} and images/")
    for file in FILES:
        if (folder / file).is_file():
            return folder / file
    raise PosekitError(f"{folder}: neither {' nor '.join(FILES)}; MPII's own MATLAB file is not read")


def _parse(file: Path) -> list[dict]:
    rows = read_json(file)
    if not isinstance(rows, list) or not rows:
        raise PosekitError(f"{file}: not a list of people; is this MPII in the community's JSON?")
    return rows


def _first_bad(rows: list[dict]) -> str:
    """What is wrong with the first row that is."""
    for i, row in enumerate(rows):
        for name, shape in (
            ("joint_self", (len(MPII), 3)),
            ("objpos", (2,)),
            ("scale_provided", ()),
            ("img_paths", None),
        ):
            if not isinstance(row, dict) or name not in row:
                return f"row {i} has no {name!r}"
            try:
                if shape is not None and np.array(row[name], float).shape != shape:
                    return f"{name!r} of row {i} has shape {np.array(row[name], float).shape} instead of {shape}"
            except (TypeError, ValueError):
                return f"{name!r} of row {i} is not made of numbers"
    return ""


def _heads(keypoints: np.ndarray, rects: np.ndarray) -> np.ndarray:
    """Head sizes (N,) in pixels, NaN where there is neither a head box (N, 4) nor both ends of the head."""
    neck, top = (keypoints[:, i, :2] for i in MPII.index("neck", "head top"))
    sizes = 0.6 * np.hypot(rects[:, 2] - rects[:, 0], rects[:, 3] - rects[:, 1])
    sizes = np.where(np.isfinite(sizes), sizes, HEAD * np.linalg.norm(top - neck, axis=1))
    return np.where(sizes > 0, sizes, np.nan)
