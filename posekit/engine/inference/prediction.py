"""From pictures to keypoints: `load(name).predict(picture)`, and the same for a store of crops."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image, ImageOps
from torch import Tensor, nn

from posekit import heatmaps as hm
from posekit.coordinates import MARGIN, STRIDE, cropping, mirroring, person_square, transform, transform_keypoints, view
from posekit.data.augment import eval_view
from posekit.data.crops import Crops, cut
from posekit.data.loading import batches
from posekit.data.people import iterate
from posekit.data.pictures import is_wide, read_picture, rgb
from posekit.data.readers import frames
from posekit.deprecated import renamed
from posekit.display.html import listing
from posekit.display.overview import overview
from posekit.engine import weights
from posekit.engine.backend import Backend
from posekit.engine.inference import runtime
from posekit.engine.inference.poses import Poses
from posekit.engine.trust import signals
from posekit.engine.trust.calibration import Calibration
from posekit.engine.weights import Card
from posekit.errors import PosekitError, whole
from posekit.skeleton import Skeleton, skeleton_of

BATCH = 16  # people predicted at once
Network = Callable[[Tensor], Tensor]


class Predictor:
    """A trained network ready to predict. `model` is the network itself, to trace and edit; `card` says what it is.

    >>> network = load("mannequins-hg1")
    >>> network.card.resolution, network.skeleton.joints[0]
    (128, 'nose')
    >>> network.predict(np.zeros((48, 64, 3), np.uint8), boxes=[[10, 5, 30, 40], [5, 5, 20, 20]])
    <Poses of 2 people, coco skeleton, in a picture of 64 x 48 px>
    """

    @torch.inference_mode(False)  # tensors that were made within it take part in no gradient ever after
    def __init__(self, model: Any, card: Card, backend: Backend | None = None):
        self.card, self.backend = card, backend or Backend.best()
        self.model = model.eval()
        self.backend.place(model)
        self._network = Fast(model, self.backend)

    def __reduce__(self) -> tuple:
        """Pickled, for another process say, is the network itself; what makes it fast is made there anew."""
        return type(self), (self.model, self.card, self.backend)

    @property
    def skeleton(self) -> Skeleton:
        return skeleton_of(self.card.skeleton)

    def __repr__(self) -> str:
        c = self.card
        return f"<Predictor {c.name}: {c.architecture}, {c.skeleton} skeleton, {c.resolution} px, on {self.backend}>"

    def _repr_html_(self) -> str:
        count, size = sum(p.numel() for p in self.model.parameters()), self.card.resolution
        caption = f"{self.card.name}, {self.card.architecture}: {count:,} parameters; shapes for a picture of {size} x {size} pixels"
        found = overview(self.model, size)
        return listing(caption, found.itertuples(index=False), list(found))

    def predict(
        self, image: str | Path | Image.Image | np.ndarray, boxes: ArrayLike | None = None, *, flip: bool = False,
        calibration: Calibration | None = None,
    ) -> Poses:  # fmt: skip
        """The people in a picture.

        Args:
            image: a file, a Pillow image or an array (H, W, 3) uint8 RGB. A file's EXIF rotation is applied.
            boxes: one person each, (N, 4) of x, y, w, h in picture pixels, x and y of the upper left outer edge (-½ for
                the first pixel's); without boxes one person is looked for in the whole picture.
            flip: predict the mirror image too and take the mean of the heatmaps.
            calibration: gives each joint a probability and a radius, which hold for people cut out as those that it was fitted on; what
                `posekit.calibrate` fitted to this network. By default that of the card, where it has one that was fitted with as without
                `flip`.

        Raises:
            PosekitError: no picture can be read, or a box has no area, is not finite or lies outside the picture; the calibration is of
                another network, or was fitted with `flip` and this is without, or the other way round.
        """
        if calibration is None:
            calibration = self.card.calibrated if self.card.calibrated and self.card.calibrated.flip == flip else None
        else:
            calibration.check(self.card.name, weights.fingerprint(self.model, self.card), flip)
        picture, name = as_picture(image)
        height, width = picture.shape[:2]
        label = name or "the picture"
        if boxes is None:
            boxes = np.array([[-0.5, -0.5, width, height]])
            centres, sides = person_square(boxes, 1.0, self.card.aspect)
        else:
            boxes = check_boxes(boxes, width, height, label)
            centres, sides = person_square(boxes, MARGIN, self.card.aspect)
        size, found, sure = self.card.resolution, [], []
        matrices = cropping(centres, sides, size)
        for index in iterate(len(boxes), BATCH):
            crops = np.stack([cut(picture, centres[i], sides[i], size) for i in index])
            pictures = torch.from_numpy(crops).to(self.backend.device).permute(0, 3, 1, 2).float() / 255
            maps = predict_heatmaps(self._network, self.card, pictures, flip=flip)
            found.append(decode(maps[:, -1], self.card, matrices[index]))
            if calibration is not None:
                sure.append(calibrated(maps[:, -1], self.card, matrices[index], calibration))
        nobody = np.zeros((0, len(self.skeleton), 3))
        keypoints = np.concatenate(found) if found else nobody
        if calibration is None:
            return Poses(keypoints, boxes, self.skeleton, picture, name)
        probabilities, radii = (np.concatenate(parts) for parts in zip(*sure, strict=True)) if sure else (nobody[..., 0], nobody[..., 0])
        return Poses(keypoints, boxes, self.skeleton, picture, name, probabilities, radii)


def load(name_or_path: str | Path, device: str | torch.device | None = None) -> Predictor:
    """A predictor from a weights file or from the name of shipped weights. `device` as torch names it: cpu, cuda:1.

    >>> import posekit
    >>> posekit.load("mannequins-hg1", device="cpu")
    <Predictor mannequins-hg1: hourglass, coco skeleton, 128 px, on ...>
    >>> posekit.load("mannequins-hg7")
    Traceback (most recent call last):
    posekit.errors.PosekitError: no weights named 'mannequins-hg7'; shipped by name: ...
    """
    return Predictor(*weights.load(name_or_path), backend_for(device))


def backend_for(device: str | torch.device | None = None) -> Backend:
    """The fast path of this machine or of the named device; a device that is not there raises PosekitError."""
    device = None if device is None else str(device)
    try:
        known = device is None or torch.device(device).type in ("cpu", "cuda")
    except RuntimeError:
        known = False
    if not known:
        raise PosekitError(f"no device {device!r}; there are cpu, cuda, cuda:0, cuda:1, ...")
    if device and device.startswith("cuda") and (torch.device(device).index or 0) >= torch.cuda.device_count():
        raise PosekitError(f"no device {device!r} here: torch sees {torch.cuda.device_count()} GPUs; cpu is everywhere")
    return Backend.best(device)


class Fast:
    """The function from pictures (B, 3, R, R) to heatmaps (B, stacks, K, R/4, R/4), float32, that is fastest on this machine.

    It gives the network's heatmaps to the precision that the machine has chosen. Backend.plain() calls the network itself. On a
    CPU, OpenVINO computes as soon as its conversion is won back: at once where so many pictures are `expected`, else once so many
    have been asked for. What it cannot do is computed by the network's own modules, and so is what `trace` or `edit` look on.
    """

    def __init__(self, model: Any, backend: Backend, expected: float = 0):
        self.model, self.backend, self.pictures = model, backend, expected
        self._plain = backend == Backend.plain(str(backend.device))
        self._worth: dict[tuple[int, ...], float] = {}

    def __call__(self, pictures: Tensor) -> Tensor:
        if self._plain:
            return self.model.eval()(pictures.to(self.backend.device))
        size = tuple(pictures.shape[-2:])
        if size not in self._worth:
            self._worth[size] = runtime.pictures_worth(self.model, size)
        if self.pictures >= self._worth[size]:
            found = runtime.answer(self.model, self.backend, pictures)
            if found is not None:
                return found
        self.pictures += len(pictures)
        return by_modules(self.model, self.backend)(pictures)


@torch.inference_mode()
def predict_heatmaps(
    network: Network, card: Card, pictures: Tensor, *, flip: bool = False, backend: Backend | None = None,
) -> Tensor:  # fmt: skip
    """Pictures (B, 3, R, R) in [0, 1] to heatmaps (B, stacks, K, R/4, R/4) of the network's own kind.

    A network trained with cross-entropy gives probabilities that sum to 1, others what they were trained towards; a regressor
    gives coordinates (B, stages, K, 2) in input pixels. With
    `flip` the mean of the answers to picture and mirror image. With a
    `backend` the network is prepared for it; to do so once for many batches, hand in `Fast`.
    """
    if backend is not None:
        assert isinstance(network, nn.Module)
        network = Fast(network, backend)
    if isinstance(network, nn.Module):
        network.eval()

    def maps(batch: Tensor) -> Tensor:
        output = network(card.centred(batch)).float()
        return hm.probabilities(output) if card.loss == "cross-entropy" else output

    found = maps(pictures)
    return (found + mirrored_back(maps(pictures.flip(-1)), card, pictures.shape[-1])) / 2 if flip else found


def mirrored_back(answer: Tensor, card: Card, width: int) -> Tensor:
    """Heatmaps (..., K, h, w) or coordinates (..., K, 2) of a picture's mirror image, `width` pixels wide, as they lie in the picture."""
    counterparts = skeleton_of(card.skeleton).mirrored
    if card.loss == "coordinates":
        return transform(torch.as_tensor(mirroring(width)).to(answer), answer)[..., list(counterparts), :]
    answer = hm.mirror(answer, counterparts)
    (across, _, first), side = card.cells[0], answer.shape[-1]
    apart = (width - 1 - 2 * first) / across - (side - 1)  # cells, where they do not lie alike on both sides
    return answer if abs(apart) < 1e-6 else hm.shifted(answer, apart)


def decode(heatmaps: Tensor, card: Card, matrices: np.ndarray, method: str = "dark") -> np.ndarray:
    """Heatmaps (B, ..., K, h, w) to keypoints (B, ..., K, 3): picture pixels and score; matrices (B, 3, 3) lead to the input.

    Heatmaps are read by `heatmaps.decode_output`. The score is the peak over that of a target, 1 where the network is as sure as it
    was asked to be. A regressor's coordinates (B, ..., K, 2) are only moved, and their score is 1.
    """
    if card.loss == "coordinates":
        found, cells = np.pad(heatmaps.double().cpu().numpy(), [(0, 0)] * (heatmaps.ndim - 1) + [(0, 1)], constant_values=1), np.eye(3)
    else:
        found, cells = hm.decode_output(heatmaps, card.loss, method).double().cpu().numpy(), card.cells
        found[..., 2] /= target_peak(card.loss, card.resolution, card.recipe.get("sigma", 1.0), card.stride)
    back = np.linalg.inv(matrices) @ cells
    return transform_keypoints(back.reshape(len(back), *(1,) * (found.ndim - 3), 3, 3), found)


def calibrated(maps: Tensor, card: Card, matrices: np.ndarray, calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (B, K), and radii (B, K) in picture pixels, of heatmaps (B, K, h, w); matrices (B, 3, 3) lead to the input."""
    skeleton = skeleton_of(card.skeleton)
    points = decode(maps, card, np.tile(np.eye(3), (len(maps), 1, 1)))
    told = signals.of_maps(maps, points, card, skeleton)
    probabilities = np.where([joint in calibration.radius for joint in skeleton.joints], calibration.probabilities(told["mass"]), np.nan)
    return probabilities, calibration.radii(-told["spread"] / matrices[:, :1, 0], skeleton)


def target_peak(loss: str, resolution: int, sigma: float = 1.0, stride: int = STRIDE) -> float:
    """The height of the heatmap's peak that training asks for: 1, or of a Gaussian that sums to 1."""
    if loss != "cross-entropy":
        return 1.0
    cells = resolution // stride
    return 1.0 / float(hm.encode(torch.tensor([[float(cells // 2)] * 2]), cells, sigma).sum())


def by_modules(model: Any, backend: Backend) -> Network:
    """What `Fast` is, but through the network's own modules, as within `trace` and `edit`; slower."""
    backend.place(model.eval())

    def network(pictures: Tensor) -> Tensor:
        with backend.autocast():
            return model(backend.pictures(pictures)).float()

    return network


@renamed(machine="backend")
def predict_crops(
    model: Any, card: Card, crops: Crops, *, flip: bool = False, backend: Backend | None = None, batch: int = 64,
    decoder: str = "dark", network: Network | None = None, progress: Callable[[int], None] | None = None,
) -> np.ndarray:  # fmt: skip
    """Keypoints (stacks, N, K, 3) of stored crops, in the pixels of the pictures that they were cut from, with scores.

    `decoder` is one of `heatmaps.DECODERS`. `network` computes the heatmaps in place of `Fast(model, backend)`. `progress` is called with
    how many people were done.

    Raises:
        PosekitError: there are no crops, or they were cut for an input of another shape.

    >>> import posekit
    >>> people = posekit.load_people("mannequins:4,size=64")
    >>> network = load("mannequins-hg1")
    >>> predict_crops(network.model, network.card, posekit.crops(people, 160)).shape  # stacks, people, joints, and x, y, score
    (1, 4, 17, 3)
    """
    if not len(crops):
        raise PosekitError(f"{crops.people.source}: nobody to predict")
    card.check(crops)
    batch = whole("batch", batch, 1)
    backend = backend or Backend.best()
    backend.place(model.eval())
    network = network or Fast(model, backend, expected=len(crops) * (1 + flip))
    matrices = view(crops.size, card.resolution) @ crops.matrices
    found = []
    indices = list(iterate(len(crops), batch))
    for index, (pictures, keypoints) in zip(indices, batches(crops, indices), strict=True):
        seen, _ = eval_view(pictures.to(backend.device), keypoints.to(backend.device), card.resolution)
        maps = predict_heatmaps(network, card, seen, flip=flip)
        found.append(decode(maps, card, matrices[index], decoder))
        if progress:
            progress(len(index))
    return np.concatenate(found).swapaxes(0, 1)


def as_picture(image: str | Path | Image.Image | np.ndarray) -> tuple[np.ndarray, str | None]:
    """Any of the forms that `predict` takes, as (H, W, 3) uint8 RGB, and the file's name where there is one."""
    if isinstance(image, str | Path):
        return read_picture(image), str(image)
    if isinstance(image, Image.Image):
        wide = is_wide(image)
        try:
            return np.array(rgb(ImageOps.exif_transpose(image), wide)), None
        except PosekitError as error:
            raise PosekitError(f"the picture {error}") from None
    if not isinstance(image, np.ndarray):
        raise PosekitError(f"a picture is a file, a Pillow image or an array, one a call, and no {type(image).__name__}")
    array = image[..., None].repeat(3, -1) if image.ndim == 2 else image
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        hint = "; in [0, 1] it becomes so by (255 * picture).round().astype(np.uint8)" if array.dtype.kind == "f" else ""
        hint = "; leave the fourth channel out: picture[..., :3]" if array.ndim == 3 and array.shape[2] == 4 else hint
        raise PosekitError(f"a picture is an array (H, W, 3) of uint8, red first; this one is {image.shape} of {image.dtype}{hint}")
    return array, None


def check_boxes(boxes: Any, width: int, height: int, label: str) -> np.ndarray:
    """Boxes as (N, 4) float.

    Raises:
        PosekitError: names the first that is not finite, has no area or lies outside the picture, or is a share of it; most are corners.
    """
    try:
        boxes = np.asarray(boxes, float)
    except (TypeError, ValueError):
        raise PosekitError(f"{label}: boxes are lists of four numbers, x, y, width, height") from None
    boxes = boxes.reshape(0, 4) if boxes.size == 0 else boxes[None] if boxes.shape == (4,) else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise PosekitError(f"{label}: boxes are (N, 4), x, y, width, height, not {boxes.shape}")
    for number, (x, y, w, h) in enumerate(boxes):
        box = f"{label}: box {number + 1} ({x:g}, {y:g}, {w:g}, {h:g})"
        if not np.isfinite((x, y, w, h)).all():
            raise PosekitError(f"{box} is not finite")
        if w <= 0 or h <= 0:
            raise PosekitError(f"{box} has no area; a box is x, y, width, height")
        if x >= width - 0.5 or y >= height - 0.5 or x + w <= -0.5 or y + h <= -0.5:
            raise PosekitError(f"{box} lies outside the picture of {width} x {height} pixels")
        if max(abs(x), abs(y), w, h) <= 1:
            raise PosekitError(f"{box} is smaller than a pixel; boxes are pixels, not shares of the picture's size")
    corner, sides, limits = boxes[:, :2], boxes[:, 2:], (1 + frames.SLACK) * np.array([width, height]) + 1
    leave, fit = (corner + sides > limits).any(1), ((sides > corner) & (sides <= limits)).all(1)
    if len(boxes) > 1 and (leave & fit).mean() > 0.5:  # of one alone it cannot be told: the picture's edge may cut people off
        raise PosekitError(f"{label}: {(leave & fit).sum()} of {len(boxes)} boxes leave the picture of {width} x {height} pixels, and fit "
                           "as corners, x, y, x, y; subtract the first two numbers from the last two")  # fmt: skip
    return boxes
