"""Poses and networks to and from other programs: COCO's results, `supervision`, ONNX."""

import contextlib
import copy
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from posekit.data.pictures import in_folder
from posekit.data.readers import coco_json, json_values
from posekit.engine import weights
from posekit.engine.inference.prediction import Poses, Predictor, as_picture
from posekit.engine.weights import Card
from posekit.errors import PosekitError, extra
from posekit.files import read_json, replacing
from posekit.heatmaps import probabilities
from posekit.skeleton import COCO, SKELETONS, Skeleton, skeleton_of

OPSET = 20  # of the ONNX operators; onnxruntime has known it since version 1.17


def from_coco(
    entries: Sequence[dict[str, Any]], image: str | Path | Image.Image | np.ndarray, skeleton: Skeleton | str = COCO,
) -> Poses:  # fmt: skip
    """The people that entries of COCO's results find in one picture: `Poses.to_coco` read back.

    Args:
        entries: one a person, with `keypoints`, a flat list of x, y and score by joint (cocodataset.org/#format-results). `bbox`,
            measured from the picture's outer edge, may be missing; the box is then that of the keypoints, wherever they lie.
        image: the picture, in any of the forms that `Predictor.predict` takes.
        skeleton: whose joints these are, in which order; one of posekit.SKELETONS, or its name.

    An entry's own `score` is not kept: `Poses.scores` is the mean over the joints.

    Raises:
        PosekitError: the picture cannot be read, or an entry's numbers are not those of a person with this skeleton.

    >>> entry = {"keypoints": [10.0, 12.0, 1.0] * 17, "bbox": [5, 5, 20, 30]}
    >>> poses = from_coco([entry], np.zeros((48, 64, 3), np.uint8))
    >>> poses
    <Poses of 1 person, coco skeleton, in a picture of 64 x 48 px>
    >>> poses.boxes[0].tolist()
    [4.5, 4.5, 20.0, 30.0]
    """
    if isinstance(skeleton, str):
        if skeleton not in SKELETONS:
            raise PosekitError(f"no skeleton {skeleton!r}; there are {', '.join(SKELETONS)}")
        skeleton = SKELETONS[skeleton]
    if isinstance(entries, dict):
        raise PosekitError("entries are a list, one a person; put the one that there is into a list")
    picture, name = as_picture(image)
    entries, keypoints, boxes = list(entries), [], []
    for number, entry in enumerate(entries):
        label = f"{name or 'the picture'}: result {number + 1}"
        form = f"x, y and score of the {len(skeleton)} joints of the skeleton {skeleton.name}; is it of another one?"
        person = _numbers(entry, "keypoints", 3 * len(skeleton), label, form).reshape(-1, 3)
        if not json_values.missing(entry.get("bbox")):
            box = _numbers(entry, "bbox", 4, label, "x, y, width, height; or leave it out") - (0.5, 0.5, 0, 0)
        else:
            low, high = person[:, :2].min(0), person[:, :2].max(0)
            box = np.concatenate([low, high - low])
        keypoints.append(person)
        boxes.append(box)
    shape = (len(entries), len(skeleton), 3)
    return Poses(np.reshape(keypoints, shape), np.reshape(boxes, (len(entries), 4)), skeleton, picture, name)


def read_coco(file: str | Path, folder: str | Path, skeleton: Skeleton = COCO) -> list[Poses]:
    """The poses of a JSON file of COCO's results, a picture each, in the order in which the file first names them.

    A picture is found in `folder` by the entry's `file_name`, which `posekit predict --json` writes, with or without the folders in
    it; or else by `image_id`: it is the one whose name is that number, as in COCO (`000000000785.jpg`), or that word.

    Raises:
        PosekitError: the file cannot be read, is not a list of results, or names a picture that is not there or one of several.
    """
    file, folder = Path(file), Path(folder)
    content = read_json(file)
    if not isinstance(content, list) or not all(isinstance(entry, dict) and "keypoints" in entry for entry in content):
        raise PosekitError(f'{file}: not COCO\'s results; it holds a list of {{"image_id": ..., "keypoints": [x, y, score, ...]}}')
    labels = coco_json.results(file, content)
    there: dict[json_values.Id, list[Path]] = {}
    pictures = in_folder(folder)[0] if folder.is_dir() else []
    for path in sorted(folder.glob("*")):
        for key in {json_values.identity(path.stem), path.stem}:
            there.setdefault(key, []).append(path)
    found: dict[Path, list[dict[str, Any]]] = {}
    owners: dict[Path, str] = {}
    for number, (entry, image) in enumerate(zip(labels.entries, labels.image_ids, strict=True)):
        if isinstance(entry.get("file_name"), str):
            name = json_values.path(entry["file_name"])
            path = folder / name if (folder / name).exists() else folder / Path(name).name
            if (other := owners.setdefault(path, name)) != name:
                raise PosekitError(f"{file}: {other} and {name} would both be {path}; give the folder that has both")
        elif len(paths := there.get(image, [])) == 1 or len(paths := [path for path in paths if path in pictures] or paths) == 1:
            path = paths[0]  # a file of labels beside it may have the same name
        else:
            few = "no file" if not paths else "more than one file"
            raise PosekitError(f"{file}: result {number + 1} is of picture {image}, and {few} in {folder} has that number for a name")
        found.setdefault(path, []).append(entry)
    return [from_coco(entries, path, skeleton) for path, entries in found.items()]


def _numbers(entry: dict[str, Any], name: str, count: int, label: str, form: str) -> np.ndarray:
    """A list of an entry, flat or one list a joint, as (count,) float; PosekitError where it has not this form."""
    value = entry.get(name)
    try:
        joints = json_values.joints(value, count // 3) if name == "keypoints" else None
        values = np.asarray(value, float) if joints is None else joints.ravel()
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise PosekitError(f"{label}: {name!r} is not a flat list of {count} finite numbers, {form}")
    return values


def to_supervision(poses: Poses) -> dict[str, np.ndarray]:
    """The arrays that `supervision.KeyPoints(**arrays)` takes, from its version 0.29 on; it need not be installed.

    `xy` (N, K, 2), `keypoint_confidence` (N, K) and `detection_confidence` (N,), the mean over a person's joints, are float32, and
    `class_id` (N,) is 0, for a person. `supervision.EdgeAnnotator` counts joints from 1:
    `edges=[(a + 1, b + 1) for a, b in poses.skeleton.limb_indices]`.

    >>> poses = from_coco([{"keypoints": [10.0, 12.0, 0.5] * 17}], np.zeros((48, 64, 3), np.uint8))
    >>> {name: values.shape for name, values in to_supervision(poses).items()}
    {'xy': (1, 17, 2), 'keypoint_confidence': (1, 17), 'detection_confidence': (1,), 'class_id': (1,)}
    """
    keypoints = poses.keypoints.astype(np.float32)
    return {
        "xy": keypoints[..., :2],
        "keypoint_confidence": keypoints[..., 2],
        "detection_confidence": poses.scores.astype(np.float32),
        "class_id": np.zeros(len(poses), int),
    }


class _Answering(nn.Module):
    """A network together with what `predict_heatmaps` does before and behind it."""

    mean: Tensor

    def __init__(self, model: nn.Module, card: Card):
        super().__init__()
        self.model, self.normalised = model, card.loss == "cross-entropy"
        self.register_buffer("mean", torch.tensor(card.input_mean).view(3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        answer = self.model(pictures - self.mean)
        return probabilities(answer) if self.normalised else answer


def export_onnx(network: Predictor | str | Path, path: str | Path) -> None:
    """Write a network as ONNX: what `posekit.load` gives, or the name or file of weights.

    The input `pictures` (B, 3, R, R) is float32 RGB in [0, 1], with R the card's resolution and any B. The output is named `heatmaps`
    (B, stages, K, R/4, R/4), where the mean of the input is taken off and heatmaps are made probabilities inside, as
    `predict_heatmaps` does; a regressor's is `keypoints` (B, stages, K, 2), in pixels of the input. The file's metadata hold `card`, as
    JSON, and `joints`, a JSON list of their names. `posekit.engine.inference.prediction.decode` reads keypoints off the output.

    Raises:
        PosekitError: the packages of the extra `onnx` are missing, the weights cannot be loaded, the network has an operation without
            counterpart in ONNX, or the file cannot be written.
    """
    path = Path(path)
    with extra("onnx", f"{path}: not written; an export"):
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401  # torch's exporter imports it
    model, card = (copy.deepcopy(network.model).cpu(), network.card) if isinstance(network, Predictor) else weights.load(network)
    output = "keypoints" if card.loss == "coordinates" else "heatmaps"
    example = torch.zeros(2, 3, card.resolution, card.resolution)
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        warnings.simplefilter("ignore")  # of torch's own code about torch's own code
        try:
            program = torch.onnx.export(
                _Answering(model, card).eval(), (example,), input_names=["pictures"], output_names=[output],
                dynamic_shapes=({0: torch.export.Dim("batch")},), opset_version=OPSET, dynamo=True, verbose=False,
            )  # fmt: skip
        except torch.onnx.OnnxExporterError as error:
            why = " ".join(str(error.__cause__ or error).split())
            raise PosekitError(f"{path}: not written, for torch cannot put the {card.architecture} {card.name} into ONNX: {why}") from None
    assert program is not None
    if (shape := program.model.graph.inputs[0].shape) and isinstance(fixed := shape[0], int):
        raise PosekitError(
            f"{path}: not written, for the {card.architecture} {card.name} in ONNX would take {fixed} pictures at a time only; "
            "predict with posekit itself"
        )
    program.model.metadata_props.update(
        card=json.dumps(card.to_dict(), ensure_ascii=False), joints=json.dumps(skeleton_of(card.skeleton).joints)
    )
    with replacing(path) as temporary:
        program.save(str(temporary), external_data=False)


@contextlib.contextmanager
def _quiet(name: str):
    """Only errors of a logger meanwhile: torch warns of packages that are not needed."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
