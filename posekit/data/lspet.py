"""Leeds Sports Pose (Johnson & Everingham, BMVC 2010) and its extended set (CVPR 2011): `joints.mat` and `images/`."""

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from posekit.data.people import People, joints_box
from posekit.data.pictures import Folder
from posekit.errors import PosekitError
from posekit.skeleton import LSP

TEST_SHARE, VAL_SHARE = 0.25, 0.0625


def load(folder: str | Path, *, on_error: str = "raise") -> People:
    """People of an LSP or LSPET folder, split 68.75 : 6.25 : 25 into train, val and test by a fixed permutation.

    LSPET stores joints as (14, 3, N), its flag says whether the joint is annotated; elsewhere its coordinates are
    garbage. LSP stores (3, 14, N), annotates every joint, and its flag says whether it is hidden. Both count pixels
    from 1.
    """
    folder = Path(folder)
    file = folder / "joints.mat"
    if not file.is_file():
        raise PosekitError(f"{file}: no such file; an LSP or LSPET folder has joints.mat and images/")
    try:
        joints = loadmat(file)["joints"]
    except KeyError:
        raise PosekitError(f"{file}: no variable 'joints'; is this the file of the LSP archive?") from None
    except Exception as error:
        raise PosekitError(f"{file}: not a readable MATLAB file ({error})") from None
    if joints.ndim != 3 or sorted(joints.shape[:2]) != [3, 14]:
        raise PosekitError(f"{file}: 'joints' has shape {joints.shape}; expected (14, 3, N) or (3, 14, N)")
    extended = joints.shape[0] == 14
    keypoints = joints.transpose(2, 0, 1) if extended else joints.transpose(2, 1, 0)
    keypoints = keypoints.astype(float)
    keypoints[..., :2] -= 1  # MATLAB counts from 1
    raw = keypoints[..., 2]
    flags = np.where(raw > 0, 2, 0) if extended else np.where(raw > 0, 1, 2)
    broken = ~np.isfinite(keypoints).all(-1) & (flags > 0)
    flags[broken] = 0
    keypoints[..., 2] = flags
    keypoints[flags == 0, :2] = np.nan

    images = {int(path.stem[2:]): path.name for path in (folder / "images").glob("im*.jpg") if path.stem[2:].isdigit()}
    ids = np.arange(1, len(keypoints) + 1)
    left_out = {"joints with NaN coordinates (taken as not labelled)": int(broken.sum())}
    missing = np.array([i not in images for i in ids], bool)
    if missing.any() and on_error == "raise":
        raise PosekitError(f"{folder / 'images'}: no picture for person {ids[missing][0]} of joints.mat "
                           f"({missing.sum()} missing); --on-error skip goes on without")  # fmt: skip
    few = (flags > 0).sum(1) < 2
    boxes = np.zeros((len(ids), 4))
    boxes[~few] = joints_box(keypoints[~few])
    flat = ~few & (boxes[:, 2:].max(1) <= 0)
    left_out |= {"without picture": int(missing.sum()), "with fewer than two labelled joints": int((few & ~missing).sum()),
                 "whose joints all lie on one point": int((flat & ~missing).sum())}  # fmt: skip

    order = np.random.default_rng(0).permutation(len(ids))
    splits = np.full(len(ids), "train", dtype="<U5")
    tests, vals = round(TEST_SHARE * len(ids)), round(VAL_SHARE * len(ids))
    splits[order[:tests]], splits[order[tests : tests + vals]] = "test", "val"
    keep = ~(missing | few | flat)
    names = np.array([images.get(i, "") for i in ids])
    return People(
        LSP, names[keep], boxes[keep], keypoints[keep], ids[keep], splits[keep],
        read=Folder(str(folder / "images")), source=f"lspet:{folder}", image_ids=ids[keep], left_out=left_out,
    )  # fmt: skip
