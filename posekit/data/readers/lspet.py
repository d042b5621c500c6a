"""Leeds Sports Pose (Johnson & Everingham, BMVC 2010) and its extended set (CVPR 2011): `joints.mat` and `images/`."""

import os
import re
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from posekit.data.people import Check, People, joints_box, sift
from posekit.data.pictures import Folder
from posekit.data.readers import duplicates, frames
from posekit.errors import PosekitError
from posekit.skeleton import LSP

TEST_SHARE, VAL_SHARE = 0.25, 0.0625


def load(folder: str | Path, *, on_error: str = "raise", cache: str | Path = "data") -> People:
    """People of an LSP or LSPET folder, or of a file like its `joints.mat`.

    Both sets count pixels from 1; they mean different things by their flag.

    LSPET stores joints as (14, 3, N); flag 1 is an annotated joint, elsewhere the coordinates are garbage. It
    is split 68.75 : 6.25 : 25 into train, val and test by a fixed permutation. LSP stores (3, 14, N) and
    annotates every joint; flag 1 is a hidden joint (as github.com/akanazawa/hmr and
    github.com/bearpaw/pytorch-pose read it too, whatever the archive's README calls it). Its first half is
    for training, a tenth of that becomes val, the second half is test. In both a joint whose coordinates are both
    0, both -1 or both NaN is not labelled. Pictures may be .jpg or .png (HR-LSPET) and lie beside `joints.mat`.
    Photographs that look alike (`posekit.data.readers.duplicates`) are then brought to one side, that of training where
    one of them is there.

    Raises PosekitError naming the file, or the picture and person, where something is missing or makes no
    sense; with `on_error="skip"` such people are left out and counted.
    """
    path = Path(folder)
    folder, file = (path.parent, path) if path.is_file() else (path, path / "joints.mat")
    joints = _read(file)
    extended = joints.shape[0] == 14
    keypoints = joints.transpose(2, 0, 1) if extended else joints.transpose(2, 1, 0)
    keypoints = keypoints.astype(float)
    raw, xy = keypoints[..., 2].copy(), keypoints[..., :2]
    nowhere = np.isnan(xy).all(-1) | (xy == 0).all(-1) | (xy == -1).all(-1)
    flags = np.where(nowhere, 0, np.where(raw > 0, 2, 0) if extended else np.where(raw > 0, 1, 2))
    broken = (~np.isfinite(keypoints).all(-1) & ((flags > 0) | (np.isnan(raw) & ~nowhere))).any(1)
    odd = ((flags > 0) & ~np.isin(raw, (0, 1)) & ~np.isnan(raw)).any(1)
    keypoints[..., :2] -= 1  # MATLAB counts from 1
    keypoints[..., 2] = flags
    keypoints[flags == 0, :2] = np.nan

    place, images = _pictures(folder)
    ids = np.arange(1, len(keypoints) + 1)
    names = np.array([images.get(int(i), "") for i in ids], dtype=str)
    sizes = np.array([header.stored for header in frames.headers(place / name for name in names.tolist())], float).reshape(-1, 2)
    labelled = (flags > 0).sum(1)
    boxes = np.zeros((len(ids), 4))
    sound = (labelled > 0) & ~broken
    boxes[sound] = joints_box(keypoints[sound])
    checks = (
        Check("without a picture", names == "", lambda i: f"{place}: no picture for person {ids[i]} of {file.name}"),
        Check("with flags other than 0 and 1", odd, lambda i: f"{file}: person {ids[i]} has a joint whose flag is not 0 or 1", file=True),
        Check("with NaN coordinates", broken, lambda i: f"{file}: person {ids[i]} has NaN coordinates"),
        Check("without a labelled joint", labelled == 0, lambda i: f"{file}: person {ids[i]} has no labelled joint"),
        *frames.of_another_frame(keypoints, sizes, lambda i: f"{file}: person {ids[i]}, {names[i]},"),
        Check("whose joints all lie on one point", boxes[:, 2:].max(1) <= 0,
              lambda i: f"{file}: the joints of person {ids[i]} all lie on one point"),
    )  # fmt: skip
    keep, left_out = sift(len(ids), checks, on_error)
    group = duplicates.groups([place / name for name in names[keep].tolist()], cache)
    splits, _ = duplicates.on_one_side(_splits(len(ids), extended)[keep], group)
    return People(
        LSP, names[keep], boxes[keep], keypoints[keep], ids[keep], splits,
        read=Folder(str(place)), source=f"lspet:{folder if file.name == 'joints.mat' else file}", image_ids=ids[keep], left_out=left_out,
    )  # fmt: skip


def _pictures(folder: Path) -> tuple[Path, dict[int, str]]:
    """Where the pictures lie, in `images/` or beside `joints.mat`, and their names by number: `im00001.jpg`, `im00001.png`."""
    for place in (folder / "images", folder):
        names = sorted(os.listdir(place), reverse=True) if place.is_dir() else []  # of two of one number the .jpg
        found = {int(match[1]): name for name in names if (match := re.fullmatch(r"im(\d+)\.(?:jpe?g|png)", name, re.IGNORECASE))}
        if found:
            return place, found
    return folder / "images", {}


def _read(file: Path) -> np.ndarray:
    """The array `joints`, (14, 3, N) or (3, 14, N)."""
    if not file.parent.is_dir():
        raise PosekitError(f"{file.parent}: no such folder; an LSP or LSPET folder has joints.mat and images/")
    if not file.is_file():
        raise PosekitError(f"{file}: no such file; an LSP or LSPET folder has joints.mat and images/")
    try:
        joints = loadmat(file)["joints"]
    except KeyError:
        raise PosekitError(f"{file}: no variable 'joints'; is this the file of the LSP archive?") from None
    except Exception as error:  # scipy raises whatever the bytes lead it to
        raise PosekitError(f"{file}: not a readable MATLAB file ({str(error) or type(error).__name__})") from None
    if joints.ndim != 3 or sorted(joints.shape[:2]) != [3, 14] or not np.issubdtype(joints.dtype, np.number):
        raise PosekitError(f"{file}: 'joints' has shape {joints.shape}; expected (14, 3, N) or (3, 14, N)")
    return joints


def _splits(count: int, extended: bool) -> np.ndarray:
    splits = np.full(count, "train", dtype="<U5")
    if extended:
        order = np.random.default_rng(0).permutation(count)
        tests, vals = round(TEST_SHARE * count), round(VAL_SHARE * count)
        splits[order[:tests]], splits[order[tests : tests + vals]] = "test", "val"
    else:
        half = count // 2
        splits[half:] = "test"
        splits[np.random.default_rng(0).permutation(half)[: round(0.1 * half)]] = "val"
    return splits
