"""Weights in files: safetensors with a card and a checksum. Nothing of a weights file is ever executed.

save("mine.safetensors", model, Card("mine", model.config.to_dict(), "lsp", 128, "cross-entropy"))
model, card = load("mine.safetensors")
model, card = load("lspet-hg1")  # a shipped name
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import re
import sys
import traceback
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from posekit import coordinates
from posekit.coordinates import STRIDE
from posekit.data.crops import Crops
from posekit.data.signatures import HEAD, no_content
from posekit.display.html import facts, scores
from posekit.engine.trust.calibration import Calibration
from posekit.errors import PosekitError
from posekit.files import atomic_write, expand_user, json_text
from posekit.losses import LOSSES
from posekit.models import ARCHITECTURES, REGRESSORS, architecture_of, classes
from posekit.skeleton import SKELETONS, Skeleton, skeleton_of

SHIPPED = Path(__file__).parents[1] / "shipped"


def _versions() -> dict[str, str]:
    found = {}
    for package in ("posekit", "torch", "numpy"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # posekit itself, used from its source folder
            continue
    return found


@dataclass(frozen=True)
class Card:
    """What a reader of a weights file must know. Plain JSON values only.

    Attributes:
        name: of the network.
        config: the fields of the architecture's configuration.
        skeleton: whose joints the network finds, the name of one of posekit.SKELETONS; of an adapted network a Skeleton, too.
        resolution: side of the network's input in pixels.
        loss: "cross-entropy": the heatmaps are the softmax of the outputs over cells; "mse", "coordinates": the outputs.
        architecture: one of posekit.models.ARCHITECTURES, by name.
        input_mean: RGB, subtracted from pictures in [0, 1].
        data: spec of the training data, without a path of the machine it was on.
        data_fingerprint: of the training people, as People.fingerprint gives it.
        trained_on: the pictures of these people, as `posekit.engine.overlap.trained_on` gives them; empty where that is not known.
        recipe: the fields of the Recipe that the network was trained by.
        metrics: its scores on the validation people, as posekit.evaluate gives them.
        history: one line an epoch.
        seed: of all chance in the training.
        versions: of posekit, torch and NumPy.
        note: terms of use, say.
        stride: input pixels to a heatmap cell.
        calibration: of its confidence, the fields of a `Calibration`; empty where it has none.
        aspect: width over height of the input; where it is no square, `resolution` is its longer side.
        alignment: of the heatmap's cells with the input's pixels, one of `coordinates.ALIGNMENTS`.

    >>> card = load("mannequins-hg1")[1]
    >>> card.architecture, card.skeleton, card.resolution, card.loss
    ('hourglass', 'coco', 128, 'cross-entropy')
    >>> Card.from_dict(card.to_dict()) == card
    True
    """

    name: str
    config: dict[str, Any]
    skeleton: str | Skeleton
    resolution: int
    loss: str
    architecture: str = "hourglass"
    input_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    data: str = ""
    data_fingerprint: str = ""
    trained_on: dict[str, Any] = field(default_factory=dict, repr=False)
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    seed: int | None = None
    versions: dict[str, str] = field(default_factory=_versions)
    note: str = ""
    stride: int = STRIDE
    calibration: dict[str, Any] = field(default_factory=dict, repr=False)
    aspect: float = 1.0
    alignment: str = "centres"

    to_dict = asdict

    @property
    def calibrated(self) -> Calibration | None:
        """What turns this network's heatmaps into probabilities and radii."""
        return Calibration.from_dict(self.calibration) if self.calibration else None

    @property
    def trained_for(self) -> list[int]:
        """Epochs of each training that the weights went through, the first one first; empty where that is not known."""
        return [*self.recipe.get("start_epochs", []), self.recipe["epochs"]] if "epochs" in self.recipe else []

    @property
    def cells(self) -> np.ndarray:
        """Matrix (3, 3) from heatmap cells to the input's pixels."""
        return coordinates.cells(self.resolution, self.stride, self.alignment, self.aspect)

    @property
    def window(self) -> tuple[int, int, int, int]:
        """What the network sees of its square view, x, y, width and height in pixels: all, or the middle where its input is no square.

        >>> Card("tall", {}, "coco", 256, "mse", aspect=0.75).window
        (32, 0, 192, 256)
        """
        width, height = (round(self.resolution * min(share, 1)) for share in (self.aspect, 1 / self.aspect))
        return (self.resolution - width) // 2, (self.resolution - height) // 2, width, height

    def check(self, crops: Crops) -> None:
        """Raises PosekitError where crops were cut for an input of another shape: the network would see people cut off, or too small; and
        where there are none."""  # fmt: skip
        if not len(crops):
            raise PosekitError(f"{crops.people.source}: nobody to look at")
        if abs(crops.aspect - self.aspect) > 1e-6:
            raise PosekitError(
                f"{crops.people.source}: crops were cut for an input whose width is {crops.aspect:g} of its height, and that of "
                f"{self.name} is {self.aspect:g}; cut them by posekit.crops(people, size, aspect={self.aspect:g})"
            )

    def check_pictures(self, pictures: Any) -> None:
        """Raises PosekitError unless pictures are (N, 3, R, R), R the card's resolution, float32 in [0, 1]."""
        if not isinstance(pictures, Tensor) or pictures.shape[1:] != (3, self.resolution, self.resolution):
            given = f"a tensor {tuple(pictures.shape)}" if isinstance(pictures, Tensor) else f"a {type(pictures).__name__}"
            raise PosekitError(f"{self.name} takes pictures as a tensor (N, 3, {self.resolution}, {self.resolution}), not {given}")
        if pictures.dtype != torch.float32 or not len(pictures) or not -0.01 <= float(pictures.min()) <= float(pictures.max()) <= 1.01:
            there = f"{pictures.min():.3g} to {pictures.max():.3g}" if len(pictures) else "none"
            raise PosekitError(f"{self.name} takes pictures of red, green and blue in [0, 1], float32, not {there}, {pictures.dtype}")

    def centred(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [0, 1] as the network takes them: less `input_mean`."""
        return pictures - pictures.new_tensor(self.input_mean).view(3, 1, 1) if any(self.input_mean) else pictures

    def need_heatmaps(self) -> None:
        """Raises PosekitError where the network answers with coordinates: what is asked of heatmaps cannot be asked of it."""
        if self.loss == "coordinates":
            raise PosekitError(f"{self.name} answers with coordinates and has no heatmaps to ask about; occlusion, dependency, ablation, "
                               "components and probes can be asked of it")  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Card":
        """The card of a mapping; entries that this version does not know are passed over.

        Raises:
            TypeError, ValueError: an entry is missing or makes no sense.
        """
        known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        if "rate" in known.get("recipe", {}):  # what the learning rate was called before 0.1.0
            known["recipe"] = {{"rate": "lr"}.get(name, name): value for name, value in known["recipe"].items()}
        card = cls(**{"versions": {}, **known})
        if card.architecture not in ARCHITECTURES:
            raise ValueError(f"no architecture {card.architecture!r}")
        if card.loss not in LOSSES or (card.loss == "coordinates") != (card.architecture in REGRESSORS):
            raise ValueError(f"no loss {card.loss!r} of {card.architecture}")
        if card.skeleton not in SKELETONS:
            raise ValueError(f"no skeleton {card.skeleton!r}")
        joints, wanted = card.config["joints"], len(skeleton_of(card.skeleton))
        if joints != wanted:
            raise ValueError(f"{joints} joints, the {card.skeleton} skeleton has {wanted}")
        if card.calibration:
            Calibration.from_dict(card.calibration)
        mean = tuple(float(value) for value in card.input_mean)
        if len(mean) != 3:
            raise ValueError(f"an input mean of {len(mean)} channels")
        object.__setattr__(card, "input_mean", mean)
        return card

    def _repr_html_(self) -> str:
        trained = f"{len(self.history)} epochs, seed {self.seed}" if self.history else ""
        return facts({
            "name": self.name,
            "architecture": ": ".join(filter(None, (self.architecture, ", ".join(f"{n} {v}" for n, v in self.config.items())))),
            "skeleton": f"{self.skeleton}, {len(skeleton_of(self.skeleton))} joints",
            "input": "{} x {} pixels".format(*(round(self.resolution * min(share, 1)) for share in (self.aspect, 1 / self.aspect))),
            "loss": self.loss, "trained": trained, "on": self.data,
            "scored on": self.metrics.get("data"), **scores(self.metrics),
            "versions": ", ".join(f"{name} {version}" for name, version in self.versions.items()), "note": self.note,
        })  # fmt: skip


def shipped() -> list[str]:
    """Names of the weights that come with posekit."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def save(path: str | Path, model: Any, card: Card, *, half: bool = False) -> None:
    """Write a network's weights and its card, whole or not at all.

    `half` stores the kernels of convolutions in float16, half the size; `load` gives float32 back either way.

    Raises:
        ValueError: the card does not describe this network.
        PosekitError: a weight is not finite, the network is an adapted one, or the file cannot be written.

    >>> model, card = load("mannequins-hg1")
    >>> save("copy.safetensors", model, card, half=True)
    >>> load("copy.safetensors")[1] == card
    True
    """
    path = Path(path)
    if card.architecture == "adapted":
        raise PosekitError(f"{path}: not written, for {card.name} is an adapted network: its own library saves it, and FILE.py:FUNCTION "
                           "stands wherever weights do")  # fmt: skip
    Card.from_dict(card.to_dict())
    if card.architecture != architecture_of(model.config) or type(model.config).from_dict(card.config) != model.config:
        raise ValueError(f"the card's config {card.config} is not the network's {model.config.to_dict()}")
    tensors = {}
    for name, value in model.state_dict().items():
        value = value.detach().to("cpu", memory_format=torch.contiguous_format)
        if value.is_floating_point():
            value = value.to(torch.float16 if half and value.ndim > 1 else torch.float32)
            if not value.isfinite().all():
                raise PosekitError(f"{path}: not written, since {name} has values that are not finite")
        tensors[name] = value
    text = json_text(card.to_dict())
    metadata = {"format": "posekit", "card": text, "sha256": _checksum(text, tensors)}
    with atomic_write(path) as file:
        file.write(safetensors.torch.save(tensors, metadata))


@torch.inference_mode(False)  # tensors that were made within it take part in no gradient ever after
def load(name_or_path: str | Path) -> tuple[Any, Card]:
    """The network, of the architecture on its card and in eval mode, and the card of a shipped name, a file, or a run's folder.

    `network.py:make` is what the function `make` of a Python file of one's own returns, `posekit.adapt` say: the file is executed, which
    of no other weights is anything. `blazepose` and its kin (`posekit.engine.outside.blazepose`) are names of weights, too, once fetched.

    Raises:
        PosekitError: no such name or file; or a file that is foreign or damaged.

    >>> model, card = load("mannequins-hg1")
    >>> type(model).__name__, card.name
    ('Hourglass', 'mannequins-hg1')
    """
    if own := re.fullmatch(r"(.+\.py):([A-Za-z_]\w*)", str(name_or_path)):
        return _own(expand_user(own[1]), own[2])
    if str(name_or_path).startswith("blazepose"):
        from posekit.engine.outside import blazepose  # which is adapted, by what imports this module

        if str(name_or_path) in blazepose.NAMES:
            predictor = blazepose.load(str(name_or_path))
            return predictor.model, predictor.card
    path = _find(name_or_path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PosekitError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        tensors = safetensors.torch.load(data)
        metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, TypeError):
        if fault := no_content(data[:HEAD]):
            raise PosekitError(f"{path}: {fault}") from None
        raise PosekitError(
            f"{path}: damaged, or not a weights file of posekit; get a fresh copy, or make one of a public "
            "checkpoint with `posekit convert`"
        ) from None
    if "card" not in metadata:
        raise PosekitError(f"{path}: safetensors without posekit's card, so of another program; `posekit convert` takes public checkpoints")
    if _checksum(metadata["card"], tensors) != metadata.get("sha256"):
        raise PosekitError(f"{path}: damaged, its checksum does not match; get a fresh copy")
    try:
        card = Card.from_dict(json.loads(metadata["card"]))
        network, config = classes(card.architecture)
        with torch.device("meta"):  # nothing is allocated or drawn at random
            model = network(config.from_dict(card.config))
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        raise PosekitError(
            f"{path}: its card makes no sense to this version of posekit ({_line(error)}); get a fresh copy or another version"
        ) from None
    _check_tensors(path, tensors, model.state_dict())
    tensors = {name: v.float() if v.is_floating_point() else v for name, v in tensors.items()}
    model.load_state_dict(tensors, assign=True)
    return model.eval(), card


def _own(path: Path, function: str) -> tuple[Any, Card]:
    """The network that a function of a Python file gives, which imports what lies beside it, as with `python FILE.py`.

    Raises:
        PosekitError: no such file or function, it raises an error, or it gives no network.
    """
    if not path.is_file():
        raise PosekitError(f"{path}: no such Python file")
    place = path.resolve()
    spec = importlib.util.spec_from_file_location(path.stem, place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    if getattr(sys.modules.get(path.stem), "__file__", str(place)) == str(place):  # its classes can be pickled
        sys.modules[path.stem] = module
    beside = str(place.parent)
    sys.path.insert(0, beside)
    try:
        spec.loader.exec_module(module)
        if not callable(make := getattr(module, function, None)):
            raise PosekitError(f"{path}: has no function {function}")
        network = make()
    except PosekitError:
        raise
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(place)]
        where = f", line {lines[-1]}" if lines else ""
        raise PosekitError(f"{path}{where}: {type(error).__name__}: {_line(error)}") from error
    finally:
        sys.path.remove(beside)
    if not isinstance(getattr(network, "card", None), Card):
        raise PosekitError(f"{path}: {function} gives a {type(network).__name__}; let it return what posekit.adapt gives")
    return network.model, network.card


def _find(name_or_path: str | Path) -> Path:
    if not isinstance(name_or_path, str | Path):
        raise PosekitError(f"weights are a shipped name, a file or a run's folder, and no {type(name_or_path).__name__}")
    if str(name_or_path) in shipped():
        return SHIPPED / f"{name_or_path}.safetensors"
    path = expand_user(name_or_path)
    if path.is_dir():
        path = path / "weights.safetensors"
    if path.exists() and path.suffix != ".py":
        return path
    names = ", ".join(shipped()) or "none in this installation"
    if ".py" in path.name:
        raise PosekitError(f"{path}: no such Python file and function; FILE.py:FUNCTION names a function that returns the network")
    if path.suffix or len(path.parts) > 1:
        raise PosekitError(f"{path}: no such weights file; shipped by name: {names}")
    raise PosekitError(f"no weights named '{name_or_path}'; shipped by name: {names}; or give a file's path")


def _check_tensors(path: Path, tensors: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name in sorted(tensors.keys() ^ expected.keys()):
        what = "lacks" if name in expected else "has an unexpected"
        raise PosekitError(f"{path}: {what} {name}, so it is not the network of its card; get a fresh copy")
    for name, value in tensors.items():
        wanted = expected[name]
        if value.shape != wanted.shape or value.is_floating_point() != wanted.is_floating_point():
            raise PosekitError(f"{path}: {name} is {_describe(value)} and should be {_describe(wanted)}; get a fresh copy")
        if not value.isfinite().all():
            raise PosekitError(f"{path}: {name} has values that are not finite; get a fresh copy or train again")


def _describe(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {' x '.join(map(str, value.shape)) or 'scalar'}"


def _checksum(card: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 over the card and every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(card.encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"\0{name}\0{_describe(value)}\0".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def fingerprint(model: Any, card: Card | None = None) -> str:
    """SHA-256 over a network's weights, whatever file they came from, 64 hexadecimal digits.

    With the `card` of an adapted network also over what `posekit.adapt` was told of it: its answers depend on that as much.
    """
    digest = hashlib.sha256()
    if card is not None and card.architecture == "adapted":
        colours = [value.flatten().tolist() for value in (model.mean, model.std)]
        told = (model.size, *colours, model.kind, card.alignment, skeleton_of(card.skeleton).joints)
        digest.update(repr(told).encode())
    for name, value in model.state_dict().items():
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"no {text}" if isinstance(error, KeyError) else text
