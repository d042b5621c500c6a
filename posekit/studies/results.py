"""What is kept of a training: a few kilobytes of JSON with its curve, its scores, and which joints of whom it found."""

import base64
import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from posekit import metrics
from posekit.data.people import People
from posekit.engine import evaluation
from posekit.engine import weights as weight_files
from posekit.engine.backend import Backend
from posekit.engine.costs import fitted_numbers, multiply_adds
from posekit.engine.inference.prediction import Predictor, predict_crops
from posekit.errors import PosekitError
from posekit.files import plain, write_json
from posekit.studies.job import METRIC, Training, fingerprints, stores
from posekit.workflow.execution import provenance

FORMAT = 1
SCORED = ("val", "test")
PLATEAU = 0.005  # of PCK on val: what the last fifth of the epochs may still gain
MOST = 60  # epochs; so many are a plateau by themselves


@dataclass(frozen=True)
class Result:
    """A kept training. `content` is the file's."""

    content: dict[str, Any]

    @property
    def variant(self) -> str:
        return self.content["variant"]

    @property
    def seed(self) -> int:
        return self.content["seed"]

    @property
    def key(self) -> str:
        return self.content["key"]

    def hits(self, split: str) -> np.ndarray:
        """(N, K) float: 1 for a joint that was found, 0 for one that was not, NaN for one that does not count."""
        block = self.content["hits"][split]
        shape = (block["people"], block["joints"])
        found, counted = (_unpacked(block[name], shape) for name in ("found", "counted"))
        return np.where(counted, found.astype(float), np.nan)

    @cached_property
    def scores(self) -> dict[str, float]:
        """PCK by split: found joints over those that count."""
        return {split: float(np.nanmean(self.hits(split))) for split in SCORED}


def at_plateau(found: Sequence[Result]) -> bool:
    """Whether trainings of one variant, one a seed, gained less than PLATEAU on val in the last fifth of their epochs, or had MOST.

    It is the mean of their curves that is judged: a single curve, of a few hundred people, moves by as much as PLATEAU by chance.
    Templates are fitted once, to their end.
    """
    first = found[0].content
    if first["spec"]["architecture"] == "parts" or sum(len(stage) for stage in first["curve"]) >= MOST:
        return True
    curve = np.mean([[line["pck"] for line in result.content["curve"][-1]] for result in found], axis=0)
    last = max(len(curve) // 5, 1)
    return len(curve) > last and bool(curve.max() - curve[:-last].max() < PLATEAU)


def result(training: Training, people: People, path: Path, *, backend: Backend | None = None, cache: str | Path = "data") -> Result:
    """Score trained weights on val and test, flip test, and put together what is kept of them."""
    backend = backend or Backend.best()
    network, card = weight_files.load(path)
    cost = {"parameters": fitted_numbers(network), "multiply_adds": multiply_adds(network, card.resolution)}
    predictor, seen = Predictor(network, card, backend), stores(people, card.resolution, cache)
    hits, scores = {}, {}
    for split in SCORED:
        store = seen[split]
        scores[split] = evaluation.evaluate(predictor, store, flip=True)["metrics"]
        found = predict_crops(predictor.model, card, store, flip=True, backend=backend)[-1]
        truth = store.people.keypoints
        hits[split] = _block(metrics.hits(found, truth, 0.2 * metrics.torso(truth, store.people.skeleton)))
    made = provenance()
    keys = fingerprints(people)
    if card.architecture == "parts":
        curves = [[{**card.history[-1], "loss": None, "val_loss": None, "pck": scores["val"]["pck@0.2·torso"]["mean"]}]]
    else:
        curves = [_history(path.parent.parent / stage.key(keys)) for stage in training.stages]
    return Result(plain({
        "format": FORMAT, "metric": METRIC, "key": training.key(keys), "variant": training.variant, "seed": training.seed,
        "why": training.why, "spec": training.spec(),
        "data": {"source": people.source.partition(":")[0], "skeleton": people.skeleton.name,
                 "people": {name: {"count": len(people.split(name)), "fingerprint": value} for name, value in keys.items()}},
        **cost, "epoch": card.metrics.get("epoch", 1), "curve": curves,
        "scores": {split: {name: {k: v for k, v in block.items() if k != "joints"} for name, block in found.items()}
                   for split, found in scores.items()},
        "joints": scores["test"]["pck@0.2·torso"]["joints"],
        "hits": hits, "seconds": sum(curve[-1]["seconds"] for curve in curves if curve),
        "made": {"device": str(backend), "commit": made["commit"], "started": made["started"], "python": made["python"],
                 "hardware": made["hardware"], "versions": card.versions},
    }))  # fmt: skip


def save(found: Result, folder: Path) -> Path:
    """Write it whole or not at all as `folder`/VARIANT-SEED-KEY.json."""
    path = folder / f"{found.variant.replace(' ', '-')}-{found.seed}-{found.key}.json"
    write_json(path, found.content)
    return path


def kept(folder: Path, key: str) -> Result | None:
    """The result of this key, under whatever variant it is kept; None where there is none.

    Raises:
        PosekitError: its file is damaged, of another format or metric, or not what its name says.
    """
    paths = sorted(folder.glob(f"*-{key}.json"))
    return load(paths[0]) if paths else None


def all_kept(folder: Path) -> list[Result]:
    """Every sound result in a folder and below, of whatever study and people."""
    found = []
    for path in sorted(folder.rglob("*.json")):
        with suppress(PosekitError):
            found.append(load(path))
    return found


def load(path: Path) -> Result:
    """A result from its file.

    Raises:
        PosekitError: the file is damaged, of another format or metric, or not what its name says.
    """
    anew = "move it elsewhere, and `posekit study` trains it again"
    try:
        content = json.loads(path.read_text("utf-8"))
        found = Result(content)
        if content["format"] != FORMAT or content["metric"] != METRIC:
            raise PosekitError(f"{path}: made by another version of posekit: its format is {content['format']} and its metric "
                               f"{content['metric']!r}, and this version reads {FORMAT} and {METRIC!r}; {anew}")  # fmt: skip
        for split in SCORED:
            recorded = content["scores"][split]["pck@0.2·torso"]["mean"]
            if recorded is None or not math.isclose(found.scores[split], recorded, abs_tol=1e-9):
                raise PosekitError(f"{path}: contradicts itself: PCK on {split} is {found.scores[split]:.4f} by its people's hits, and "
                                   f"{recorded} by its score; {anew}")  # fmt: skip
        if not path.stem.endswith(f"-{found.key}"):
            raise PosekitError(f"{path}: renamed: its content is the result of key {found.key}, with which its name must end; {anew}")
    except OSError as error:
        raise PosekitError(f"{path}: cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise PosekitError(f"{path}: cut short or damaged, no JSON from line {error.lineno} on; {anew}") from None
    except KeyError as error:
        raise PosekitError(f"{path}: cut short or damaged, without {error}; {anew}") from None
    except (ValueError, TypeError):
        raise PosekitError(f"{path}: cut short or damaged, not what a result holds; {anew}") from None
    return found


def _history(folder: Path) -> list[dict[str, Any]]:
    """The curve of one stage: epoch, seconds, losses and PCK on val."""
    names = ("epoch", "seconds", "loss", "val_loss", "pck")
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text("utf-8").splitlines()]
    return [{name: round(line[name], 5) if isinstance(line[name], float) else line[name] for name in names} for line in lines]


def _block(hits: np.ndarray) -> dict[str, Any]:
    counted = np.isfinite(hits)
    return {"people": len(hits), "joints": hits.shape[1], "found": _packed(hits == 1), "counted": _packed(counted)}


def _packed(bits: np.ndarray) -> str:
    return base64.b64encode(np.packbits(bits.ravel()).tobytes()).decode("ascii")


def _unpacked(text: str, shape: tuple[int, int]) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text, validate=True), np.uint8))
    count = shape[0] * shape[1]
    if len(bits) != -(-count // 8) * 8:
        raise ValueError(f"{len(bits)} bits for {shape[0]} people of {shape[1]} joints")
    return bits[:count].reshape(shape).astype(bool)
