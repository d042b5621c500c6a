"""Data sets of a few people, written in the layouts of the real ones."""

import json

import numpy as np
from PIL import Image
from scipy.io import savemat

from posekit.data.people import People, joints_box
from posekit.skeleton import COCO


def picture(path, width=64, height=48, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def lspet(folder, joints, digits=5):
    """`joints` as MATLAB has them, pixels counted from 1."""
    for i in range(joints.shape[2]):
        picture(folder / "images" / f"im{i + 1:0{digits}}.jpg", seed=i)
    savemat(folder / "joints.mat", {"joints": joints})
    return folder


def coco_person(number, image=1, visible=17, **changes):
    """An annotation whose joints lie on a diagonal, the first `visible` labelled."""
    joints = [number for i in range(17) for number in ((10 + i, 12 + i, 2) if i < visible else (0, 0, 0))]
    person = {"id": number, "image_id": image, "iscrowd": 0, "category_id": 1, "bbox": [8, 10, 20, 21], "area": 123.0,
              "num_keypoints": visible, "keypoints": joints}  # fmt: skip
    return person | changes


def coco(folder, annotations, name="train2017", images=None, file=None):
    numbers = sorted({a["image_id"] for a in annotations}) if images is None else images
    listed = [{"id": i, "file_name": f"{i:012}.jpg", "width": 64, "height": 48} for i in numbers]
    for image in listed:
        picture(folder / name / image["file_name"], seed=[image["id"], *name.encode()])
    file = folder / (file or f"annotations/person_keypoints_{name}.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"images": listed, "annotations": annotations, "categories": []}))
    return folder


def mpii_person(**changes):
    joints = [[20.0 + i, 10.0 + i, 1.0] for i in range(16)]
    return {"dataset": "MPI", "isValidation": 0.0, "img_paths": "000000001.jpg", "img_width": 64.0, "img_height": 48.0,
            "objpos": [30.0, 20.0], "joint_self": joints, "scale_provided": 0.2} | changes  # fmt: skip


def mpii(folder, people):
    for name in {person["img_paths"] for person in people}:
        picture(folder / "images" / name)
    (folder / "mpii_annotations.json").write_text(json.dumps(people))
    return folder


class Memory:
    """Reads pictures from memory."""

    def __init__(self, pictures):
        self.pictures = pictures
        self.reads = 0

    def __call__(self, name):
        self.reads += 1
        return self.pictures[name]


def people(count=5, width=64, height=48, seed=0):
    """COCO people on smooth pictures in memory."""
    rng = np.random.default_rng(seed)
    keypoints = np.full((count, 17, 3), 2.0)
    keypoints[..., :2] = rng.uniform(4, 40, (count, 17, 2))
    keypoints[:, 3] = (np.nan, np.nan, 0)
    y, x = np.mgrid[:height, :width]
    pictures = {f"{i:03}": np.stack([x + 3 * i, y + i, x + y], -1).astype(np.uint8) for i in range(count)}
    return People(
        COCO, np.array(sorted(pictures)), joints_box(keypoints), keypoints, np.arange(count) + 1,
        np.array(["train", "train", "val", "test", "train"] * count)[:count], read=Memory(pictures), source="memory",
    )  # fmt: skip
