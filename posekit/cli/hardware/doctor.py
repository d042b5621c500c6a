"""What this machine has, what posekit makes of it, and what is missing."""

import importlib.metadata
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from posekit.data import FOLDERS
from posekit.data.people import parse_spec
from posekit.errors import PosekitError
from posekit.files import expand_user
from posekit.process import cores, memory_there_is
from posekit.workflow.parameters import load_preset, root

OPTIONAL = {  # by program, what is not possible without it
    "g++": "no compiling of networks, which makes long trainings a fifth faster",
    "git": "no commit in the provenance of runs",
    "make": "no `make book`",
    "chromium": "no tests of the pages in a browser",
    "xelatex": "no `make pdf`",
    "sbatch": "no sweeps on a cluster from here",
}


EXTRAS = {  # of posekit, what is not possible without it
    "plots": "no figures",
    "interpret": "no explanations and no UMAP",
    "parts": "no networks of templates",
    "tensorboard": "no TensorBoard events of trainings",
    "fetch": "no `posekit data fetch`",
    "onnx": "no networks written as ONNX",
    "blazepose": "no BlazePose",
    "book": "no notebooks, sweeps or book",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report; `lacking` says what is wrong and what to do, and is empty where nothing is."""

    what: str
    found: str
    lacking: str = ""
    essential: bool = False


def examine() -> list[Finding]:
    """Everything that `posekit doctor` says, in its order."""
    return [*machine(), *packages(), *programs(), *data()]


def machine() -> Iterator[Finding]:
    """Cores, memory, disk, and GPUs, and how posekit will compute with them."""
    try:
        import torch

        from posekit.engine.backend import Backend
    except ImportError as error:
        yield Finding("torch", "not importable", f"{error}; install requirements.lock", essential=True)
        return
    best = Backend.best()
    yield Finding("cores", f"{cores()}, {torch.get_num_threads()} threads in torch")
    yield Finding("bfloat16", "native" if Backend.best("cpu").bf16 else "not native, float32 on the CPU")
    gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    yield Finding("GPUs", ", ".join(f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in gpus) or "none")
    memory = memory_there_is() / 2**30
    yield Finding(
        "memory",
        f"{memory:.1f} GiB" if memory else "not known",
        "under 4 GiB: take fewer people and smaller pictures" if 0 < memory < 4 else "",
    )
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield Finding("free disk", f"{free:.0f} GiB here", "under 5 GiB: crops and runs may not fit" if free < 5 else "")
    yield Finding("will compute with", str(best))
    if best.device.type == "cpu":
        found = _version("openvino")
        without = "" if found else 'predicts many pictures at a half to a quarter of the speed: pip install "posekit[openvino]"'
        yield Finding("will predict with", f"OpenVINO {found}" if found else "torch", without)
    yield Finding("will compile", "trainings of more than 1,500 steps (torch.compile)" if best.worth_compiling(1501) else "no training")


def packages() -> Iterator[Finding]:
    """Python, posekit's own requirements, and what is installed against the lock."""
    yield Finding("Python", sys.version.split()[0])
    try:
        needs = [Requirement(text) for text in importlib.metadata.requires("posekit") or []]
    except importlib.metadata.PackageNotFoundError:
        yield Finding("posekit", "not installed", "pip install --no-deps -e .", essential=True)
        return
    for need in needs:
        installed = _version(need.name)
        if (need.marker is None or need.marker.evaluate({"extra": ""})) and not (installed and need.specifier.contains(installed)):
            yield Finding(need.name, installed or "not installed", f"{need} is needed: install requirements.lock", essential=True)
    for extra, without in EXTRAS.items():
        own = [need.name for need in needs if need.marker and need.marker.evaluate({"extra": extra}) and need.name != "posekit"]
        if missing := [name for name in own if not _version(name)]:
            yield Finding(f"posekit[{extra}]", f"without {', '.join(missing)}", f'{without}: pip install "posekit[{extra}]"')
    try:
        lock = (root() / "requirements.lock").read_text("utf-8").split()
    except (PosekitError, OSError):
        yield Finding("requirements.lock", "none here", "not in a checkout: run this where notebooks/ and presets/ are")
        return
    wanted = dict(line.split("==") for line in lock)
    other = [f"{name} {_version(name) or 'missing'} (lock: {v})" for name, v in wanted.items() if _version(name) != v]
    found = f"{len(wanted) - len(other)} of {len(wanted)} packages as locked"
    yield Finding("requirements.lock", found, f"{', '.join(other[:5])}{' …' if len(other) > 5 else ''}" if other else "")


def programs() -> Iterator[Finding]:
    """Programs that are not Python's, none of which is essential."""
    for name, without in OPTIONAL.items():
        path = shutil.which(name)
        yield Finding(name, path or "not found", "" if path else without)


def data() -> Iterator[Finding]:
    """The photographs that the presets name, by folder; mannequins need none."""
    try:
        folder = root()
        presets = {path.stem: load_preset(path.stem) for path in sorted((folder / "presets").glob("*.yaml"))}
    except PosekitError as error:
        yield Finding("presets", "not readable", str(error))
        return
    users: dict[str, set[str]] = {}
    for preset, notebooks in presets.items():
        for value in (value for values in notebooks.values() for value in values.values()):
            for item in value if isinstance(value, list) else [value]:
                name, path, _ = parse_spec(str(item))
                if path and name in FOLDERS:
                    users.setdefault(path, set()).add(preset)
    for path, by in sorted(users.items()):
        there = (folder / expand_user(path)).exists()
        whose = f"preset {', '.join(sorted(by))}"
        yield Finding(path, f"there, for {whose}" if there else "no such folder", "" if there else f"{whose} cannot run")


def _version(name: str) -> str | None:
    """The installed version without its local part (`+cpu`)."""
    try:
        return importlib.metadata.version(canonicalize_name(name)).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None
