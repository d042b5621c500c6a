"""What a training keeps while it runs, and how it is stopped and taken up again."""

import contextlib
import hashlib
import io
import json
import signal
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from posekit.data.crops import Crops
from posekit.data.pictures import Folder
from posekit.engine.backend import Backend
from posekit.engine.learning import parallel
from posekit.errors import PosekitError
from posekit.files import not_written, replacing, write_text

RESUME = "go on with resume=True (--resume)"
ANEW = "train into another folder (--out) or with resume=False"
PHOTOGRAPHS = {"photographs": "photographs (content)", "validation photographs": "validation photographs (content)"}  # newer than the rest


@contextlib.contextmanager
def writing(path: Path):
    """Tell in one line what could not be written, and how to go on."""
    try:
        yield
    except OSError as error:
        raise not_written(path, error, RESUME) from None
    except RuntimeError as error:  # torch's writer says so when the disk is full
        reason = str(error).partition("\n")[0]
        raise PosekitError(f"{path}: could not be written: {reason}; free some room and {RESUME}") from None


@contextlib.contextmanager
def alone(folder: Path):
    """No other process trains into the folder meanwhile; the lock goes with the process, however it ends."""
    if parallel.world().rank:  # the first process alone writes
        yield
        return
    made = not folder.exists()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "training.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PosekitError(f"{folder}: another process is training into it; train into another folder, or wait for it") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / "training.lock").unlink()
            if made:
                folder.rmdir()  # fails unless nothing was kept
        lock.release()


def write(path: Path, state: dict) -> None:
    """Write whole or not at all."""
    with writing(path), replacing(path, RESUME) as temporary:
        torch.save(state, temporary)


def read(path: Path, backend: Backend) -> dict | None:
    """What the first process finds at `path`; None if there is nothing."""
    data = parallel.from_first(path.read_bytes() if parallel.world().rank == 0 and path.exists() else None)
    if data is None:
        return None
    try:
        return torch.load(io.BytesIO(data), map_location=backend.device, weights_only=True)
    except Exception:  # damaged files end in many ways, and all of them mean the same
        raise PosekitError(f"{path}: damaged; {ANEW}") from None


def photographs(training: Crops, validation: Crops) -> dict[str, str]:
    """What the files hold that crops were cut from, as it was when they were cut: the people's fingerprint has only their names.

    Of pictures in no file it has all there is to say.
    """
    seen = {"photographs": training, "validation photographs": validation}
    return {name: hashlib.sha256(crops.pictures.astype("<u8").tobytes()).hexdigest()[:12]
            for name, crops in seen.items() if isinstance(crops.people.read, Folder)}  # fmt: skip


def differences(before: str, now: str) -> str:
    """What differs between two trainings' identities, JSON both, each setting with its two values; "" where they are the same.

    A checkpoint of before photographs were part of it is of whatever they are now.

    >>> differences('{"recipe": {"epochs": 1, "batch": 8}, "people": "a"}', '{"recipe": {"epochs": 2, "batch": 8}, "people": "b"}')
    'epochs is 2, was 1 (more epochs are another training, since the rate falls over all of them; --start takes up its weights); people ...'
    """
    identity = json.loads(now)
    old = _settings({name: identity[name] for name in PHOTOGRAPHS if name in identity} | json.loads(before))
    new = _settings(identity)
    unlike = [name for name in new | old if new.get(name) != old.get(name)]
    more = " (more epochs are another training, since the rate falls over all of them; --start takes up its weights)"
    return "; ".join(f"{name} is {new.get(name)}, was {old.get(name)}{more if name == 'epochs' else ''}" for name in unlike)


def _settings(identity: dict) -> dict:
    """The settings of an identity by name, those of the data under words."""
    data = {"people": "people (fingerprint)", "validation": "validation people (fingerprint)", "start": "start (fingerprint)",
            "teacher": "teacher (fingerprint)", **PHOTOGRAPHS}  # fmt: skip
    found = {data.get(name, name): value for name, value in identity.items() if name not in ("recipe", "config")}
    recipe = dict(identity.get("recipe", {}))
    changes = {f"augmentation.{name}": value for name, value in recipe.pop("augmentation", {}).items()}
    config = {f"the network's {name}" if name in recipe else name: value for name, value in identity.get("config", {}).items()}
    return recipe | changes | config | found


def trim(history: Path, step: int) -> None:
    """Drop lines of epochs after the step that training goes on from, and one that was cut off."""
    lines = []
    for line in history.read_text().splitlines() if history.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            if json.loads(line)["step"] <= step:
                lines.append(line)
    write_text(history, "".join(line + "\n" for line in lines))


def tensorboard(folder: Path, step: int):
    """A writer of events, which drops those after the step that training goes on from; None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:  # the history has all the figures
        return None

    return SummaryWriter(str(folder / "tensorboard"), purge_step=step)


@contextlib.contextmanager
def closing(writer):
    """Close a writer at the end, where there is one."""
    try:
        yield
    finally:
        if writer:
            with contextlib.suppress(OSError):  # of a full disk the checkpoints have told
                writer.close()


class Interrupt:
    """Turns Ctrl-C and SIGTERM into a wish that the loop heeds after its step; a second Ctrl-C stops at once."""

    def __enter__(self) -> "Interrupt":
        self.asked = False
        self.before = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._ask)
        except ValueError:  # not the main thread: whoever owns it decides
            pass
        return self

    def _ask(self, number: int, _) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *_) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
