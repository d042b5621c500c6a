"""One training of a study: what it is, the key that its result is kept under, and how it is done."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from posekit.coordinates import CONTEXT, transform_keypoints, view
from posekit.data.crops import Crops, crops
from posekit.data.people import People
from posekit.engine.backend import Backend
from posekit.engine.learning.fitting import fit, fit_parts
from posekit.engine.learning.training import Recipe
from posekit.models import architecture_of
from posekit.models.feedback import FeedbackConfig, mean_pose
from posekit.studies.redesign.squeezed import Pretraining, init_squeeze

METRIC = "pck@0.2·torso, flip test, version 1"  # part of every key: other definitions make other results
SPLITS = ("train", "val", "test")
FOLDS = 3  # networks that judge the labels which others learn from


@dataclass(frozen=True)
class Training:
    """One network trained by one recipe from one seed, which is the recipe's.

    Attributes:
        variant: what the study calls it, with the same name for every seed.
        config: of the network, of any architecture. What depends on the people is left empty: where error feedback begins, and the tree of
            templates.
        recipe: how it is trained.
        start: the training whose weights it begins with; at random without.
        teacher: a larger one whose network this one learns from too; its epochs are not counted.
        squeeze_init: how the squeeze that `config` has and `start` has not begins: "trained", "components", "random".
        labels: what becomes of the training people's labels after an audit, one of `posekit.auditing.labels.WAYS`; as they are without.
        why: what the variant is there for, in a few words; no part of the key.
    """

    variant: str
    config: Any
    recipe: Recipe
    start: "Training | None" = None
    squeeze_init: str | None = None
    teacher: "Training | None" = None
    labels: str | None = None
    why: str = ""

    @property
    def seed(self) -> int:
        return self.recipe.seed

    @property
    def stages(self) -> list["Training"]:
        """This training and those that it goes on from, the first one first."""
        return [*(self.start.stages if self.start else []), self]

    @property
    def needed(self) -> list["Training"]:
        """All that must be trained: this one, what it goes on from, and teachers."""
        return [*(self.teacher.needed if self.teacher else []), *(self.start.needed if self.start else []), self]

    @property
    def epochs(self) -> int:
        return sum(stage.recipe.epochs for stage in self.stages)

    def spec(self) -> dict[str, Any]:
        """All that the weights depend on besides the people, as JSON has it. Fields of the network that are as by default are left out."""
        architecture, default = architecture_of(self.config), {}
        try:
            default = type(self.config)().to_dict()
        except TypeError:  # a network without defaults
            pass
        config = {name: value for name, value in self.config.to_dict().items() if name not in default or default[name] != value}
        spec: dict[str, Any] = {"architecture": architecture, "config": config, "recipe": _named(self.recipe)}
        if self.start:
            spec["start"] = self.start.spec()
        if self.squeeze_init:
            spec["squeeze_init"] = self.squeeze_init
        if self.teacher:
            spec["teacher"] = self.teacher.spec()
        if self.labels:
            spec["labels"] = {"way": self.labels, "folds": FOLDS, "version": 1}
        return json.loads(json.dumps(spec))

    def key(self, people: dict[str, str]) -> str:
        """Twelve hexadecimal digits of the spec, the people by split (`fingerprints`) and the metric. Source text is no part of it."""
        content = json.dumps({"spec": self.spec(), "people": people, "metric": METRIC}, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def fingerprints(people: People) -> dict[str, str]:
    """The content of each split, by its name."""
    return {name: people.split(name).fingerprint() for name in SPLITS}


def stores(people: People, resolution: int, cache: str | Path = "data", progress: Callable[[int], None] | None = None) -> dict[str, Crops]:
    """The crops of each split that a network of this resolution sees."""
    return {name: crops(people.split(name), round(resolution * CONTEXT), cache, progress=progress) for name in SPLITS}


def do(
    training: Training, people: People, folder: Path, *, backend: Backend | None = None, cache: str | Path = "data",
    report: Callable[[dict], None] | None = None,
) -> Path:  # fmt: skip
    """Train, or go on where that stopped; returns the weights, in `folder`/KEY.

    What it goes on from and its teacher are trained first; where another process is at those, it is waited for. Whoever calls sees to
    it that no other process is at `training` itself.

    Raises:
        PosekitError, KeyboardInterrupt: as `posekit.fit`.
    """
    keys = fingerprints(people)

    def first(other: Training | None) -> Path | None:
        if other is None:
            return None
        before = folder / other.key(keys)
        before.mkdir(parents=True, exist_ok=True)
        with FileLock(before / "lock"):
            return do(other, people, folder, backend=backend, cache=cache, report=report)

    start, teacher = first(training.start), first(training.teacher)
    own = folder / training.key(keys)
    weights = own / "weights.safetensors"
    if weights.exists():
        return weights
    seen = stores(people, training.recipe.resolution, cache)
    if training.labels:
        audited = _audited(people.split("train"), training.labels, folder, backend, cache, report)
        seen["train"] = crops(audited, round(training.recipe.resolution * CONTEXT), cache)
    name, config = f"{training.variant}-{training.seed}", training.config
    if architecture_of(config) == "parts":
        return fit_parts(seen["train"], seen["val"], own, resolution=training.recipe.resolution, mixtures=config.mixtures,
                         seed=training.seed, name=name, backend=backend)  # fmt: skip
    if isinstance(config, FeedbackConfig):
        points = transform_keypoints(view(seen["train"].size, training.recipe.resolution), seen["train"].keypoints)
        config = replace(config, start=mean_pose(points, training.recipe.resolution))
    if training.squeeze_init and start:
        begun = own / "begin.safetensors"
        if not begun.exists():
            own.mkdir(parents=True, exist_ok=True)
            init_squeeze(start, config, training.squeeze_init, seen["train"], seen["val"], begun, Pretraining(), training.seed, backend)
        start = begun
    return fit(config, training.recipe, seen["train"], seen["val"], own, name=name, start=start, teacher=teacher, backend=backend,
               report=report)  # fmt: skip


def _audited(
    people: People, way: str, folder: Path, backend: Backend | None, cache: str | Path, report: Callable[[dict], None] | None
) -> People:
    """People whose labels an audit has mended, by networks that did not learn from them, trained first and once for all in `folder`."""
    from posekit.auditing import folds  # with pandas and scikit-learn, a second of every other training's start
    from posekit.auditing.judging import audit
    from posekit.auditing.labels import relabelled

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "folds.lock"):
        networks = folds.train(people, FOLDS, folder / "folds", cache=cache, backend=backend, report=report)
    return relabelled(audit(people, networks, cache=cache), way)


def _named(recipe: Recipe) -> dict[str, Any]:
    """A recipe under names of its own, so that renaming a field in the code makes no result stale."""
    return {
        "resolution": recipe.resolution, "epochs": recipe.epochs, "batch size": recipe.batch, "loss": recipe.loss,
        "optimizer": recipe.optimiser, "learning rate": recipe.lr, "warm-up": recipe.warm_up, "weight decay": recipe.weight_decay,
        "gradient norm": recipe.clip, "weight average": recipe.average, "sigma": recipe.sigma, "seed": recipe.seed,
        "augmentation": asdict(recipe.augmentation),
    }  # fmt: skip


def with_seed(training: Training, seed: int) -> Training:
    """The same training, what it goes on from and its teacher, with another seed."""
    start, teacher = (other and with_seed(other, seed) for other in (training.start, training.teacher))
    return replace(training, recipe=replace(training.recipe, seed=seed), start=start, teacher=teacher)
