"""Runs: a notebook executed with given parameters, and the folder that keeps what came out.

    runs/laptop/02_training/
        params.json        every parameter, and all that the result depends on, with its fingerprint
        metrics.json       written by the notebook
        figures/           written by the notebook
        02_training.ipynb  the executed notebook
        provenance.json    commit, package versions, hardware, wall time

A run that is under way lives beside it in `.02_training.partial/` and is renamed when whole. An interrupted
one is taken up again as long as its fingerprint is still the same, so what a notebook keeps in its folder on
the way (a checkpoint, say) is there the next time. A notebook that fails leaves `02_training.failed.ipynb`.

In a notebook:

    run = posekit.runs.current()
    run.save_figure(figure, "loss")
    run.write_metrics({"metrics": {...}})
"""

import contextlib
import fcntl
import functools
import hashlib
import importlib.metadata
import json
import logging
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import posekit

from .dependencies import code_hash, imported
from .display import facts, scores
from .errors import PosekitError
from .parameters import cells, check, is_parameters, load_preset, notebook_path, parse, root

_FOLDER = "POSEKIT_RUN"  # the environment variable that tells a notebook its run's folder
_PARTIAL = ".partial"  # how the folder of a run under way ends
ANNOTATIONS = (".json", ".json.gz", ".mat")  # files of a data set whose contents count: a correction may leave their size
REFERENCES = ("laptop", "lspet")  # presets whose numbers are kept in book/reference


@dataclass(frozen=True)
class Run:
    """A run's folder, as its notebook sees it. As the last value of a notebook's cell it shows what it holds.

    >>> run = Run("runs/adhoc/example")
    >>> run.write_metrics({"metrics": {"pck": {"mean": 0.5, "low": 0.4, "high": 0.6, "people": 40}}})
    >>> run.path("metrics.json").exists()
    True
    """

    folder: Path  # or its name

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def name(self) -> str:
        """What the folder is called when the run is whole."""
        return self.folder.name.removeprefix(".").removesuffix(_PARTIAL)

    def path(self, name: str) -> Path:
        """Where `name` belongs in this run; the folders on the way are made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Keep the run's numbers as metrics.json; NumPy's are taken too; what is not finite becomes null."""
        _write_json(self.path("metrics.json"), metrics)

    def save_figure(self, figure: Any, name: str) -> None:
        """Keep a matplotlib figure as figures/NAME.svg and .pdf, for page and print."""
        for ending, date in (("svg", "Date"), ("pdf", "CreationDate")):
            figure.savefig(self.path(f"figures/{name}.{ending}"), bbox_inches="tight", metadata={date: None})

    def _repr_html_(self) -> str:
        params, metrics, made = (self._kept(name) for name in ("params", "metrics", "provenance"))
        figures = sorted(path.stem for path in self.folder.glob("figures/*.svg"))
        commit = f"{made['commit'][:9]}{' and changes' if made['dirty'] else ''}" if made else ""
        return facts({
            "run": self.name, "folder": _relative(self.folder),
            "parameters": ", ".join(f"{name} = {value}" for name, value in params.get("parameters", {}).items()),
            **scores(metrics), "figures": ", ".join(figures),
            "made": f"{made['started']}, in {made['wall_seconds']:.0f} s" if made else "not whole yet", "commit": commit,
            "by": made["hardware"]["processor"] if made else "",
        })  # fmt: skip

    def _kept(self, name: str) -> dict[str, Any]:
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def current() -> Run:
    """The run of the notebook that asks; `runs/adhoc/NAME` where it was opened by hand."""
    if folder := os.environ.get(_FOLDER):
        return Run(Path(folder))
    source = os.environ.get("JPY_SESSION_NAME") or getattr(sys.modules["__main__"], "__file__", None)
    return Run(root() / "runs" / "adhoc" / Path(source or "notebook").stem)


def reference(notebook: str, preset: str = "lspet") -> dict[str, Any] | None:
    """The metrics of the notebook's run in a preset, kept with the sources: one too long, or on data too big, for every edition.

    They are book/reference/PRESET/NOTEBOOK.json, a copy of that run's metrics.json with its provenance.
    None where there is none.
    """
    path = root() / "book" / "reference" / preset / f"{notebook}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def keep_reference(preset: str, notebook: str) -> Path:
    """Copy the metrics of a preset's finished run to where `reference` finds them."""
    folder = root() / "runs" / preset / notebook
    try:
        metrics, facts, params = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("metrics", "provenance", "params"))
    except OSError:
        raise PosekitError(f"{_relative(folder)} is not a finished run: make book PRESET={preset}") from None
    told = ("posekit", "torch", "numpy", "scikit-learn", "umap-learn")
    facts["packages"] = {name: version for name, version in facts["packages"].items() if name in told}
    path = root() / "book" / "reference" / preset / f"{notebook}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_json(path, metrics | {"provenance": facts | {"parameters": params["parameters"]}})
    return path


def run_notebook(name: str, given: dict[str, str], preset: str | None = None) -> Path:
    """Execute a notebook with values as a person types them, on top of its defaults or of a preset's.

    Returns:
        the run's folder, `runs/custom/NAME-HASH`; at once if the same run is already there.
    """
    return execute(*custom(name, given, preset))


def custom(name: str, given: dict[str, str], preset: str | None = None) -> tuple[Path, dict[str, Any], Path]:
    """The notebook, all its parameters and the run's folder that `run_notebook` executes with the same arguments.

    Raises:
        PosekitError: a name or a value is wrong, or the preset has another run come first that is not there.
    """
    notebook = notebook_path(name)
    values: dict[str, Any] = {}
    if preset:
        blocks = load_preset(preset)
        if notebook.stem not in blocks:
            raise PosekitError(f"preset {preset} has no {notebook.stem}; it has {', '.join(blocks)}")
        for key, value in blocks[notebook.stem].items():
            values[key], upstream = resolve(value, preset)
            if upstream and key not in given and not (root() / values[key]).exists():
                raise PosekitError(f"{key} is to be {values[key]}: run {upstream} of preset {preset} first")
    values = check(notebook, values | parse(notebook, given))
    return notebook, values, root() / "runs" / "custom" / f"{notebook.stem}-{fingerprint(notebook, values)[:8]}"


def resolve(value: Any, preset: str) -> tuple[Any, str | None]:
    """A preset's value as its notebook gets it, and the notebook whose run it reads, if any.

    >>> resolve("run:02_training", "smoke")
    ('runs/smoke/02_training/weights.safetensors', '02_training')
    >>> resolve(3, "smoke")
    (3, None)
    """
    if not (isinstance(value, str) and value.startswith("run:")):
        return value, None
    upstream, _, file = value.removeprefix("run:").partition("/")
    return f"runs/{preset}/{upstream}/{file or 'weights.safetensors'}", upstream


def ingredients(notebook: Path, params: dict[str, Any], upstream: dict[str, str] | None = None, preset: str = "") -> dict[str, Any]:
    """Everything that the run's result depends on, by kind; of no file the time, only what is in it.

    That is the notebook's code, the parameters, the modules of the library that it imports, directly or
    through others, the data or weights that a parameter names, the runs that it reads (`upstream` holds what
    identifies the result behind each parameter that names one), and the numbers kept: its own of other presets
    than this one, and all of the other notebooks that its code names.
    """
    upstream = upstream or {}
    sources = [c.source for c in cells(notebook) if c.cell_type == "code" and not is_parameters(c)]
    data = {name: _data(value) for name, value in params.items() if name not in upstream}
    named = set(re.findall(r"\b\d\d_[a-z]\w*", "\n".join(sources))) - {notebook.stem}
    kept = {other: reference(notebook.stem, other) for other in REFERENCES if other != preset}
    kept |= {f"{other}/{name}": reference(name, other) for other in REFERENCES for name in sorted(named)}
    return {
        "notebook": [code_hash(source) for source in sources],
        "parameters": params,
        "data": {name: found for name, found in data.items() if found},
        "upstream": upstream,
        "kept": {where: _hash(json.dumps(metrics)) for where, metrics in kept.items() if metrics},
        "library": _library("\n".join(sources)),
    }


def fingerprint(notebook: Path, params: dict[str, Any], upstream: dict[str, str] | None = None, preset: str = "") -> str:
    """A hash of the run's ingredients."""
    return _fingerprint(notebook, ingredients(notebook, params, upstream, preset))


def _fingerprint(notebook: Path, made_of: dict[str, Any]) -> str:
    return _hash(json.dumps([notebook.stem, made_of], sort_keys=True))


def is_fresh(out: Path, fingerprint: str) -> bool:
    """Whether the run folder holds the whole result of just this fingerprint."""
    return stamp(out, fingerprint).exists()


def stamp(out: Path, fingerprint: str) -> Path:
    """The empty file whose presence says that the run in `out` is whole and has this fingerprint."""
    return out / f".fingerprint-{fingerprint}"


def execute(notebook: Path, params: dict[str, Any], out: Path, upstream: dict[str, str] | None = None) -> Path:
    """Run a notebook with all its parameters and keep the result in `out`; at once where that is fresh.

    Raises:
        PosekitError: a cell failed, a file of another run is missing, or the same run is under way elsewhere.
    """
    made_of = ingredients(notebook, params, upstream, out.parent.name)
    key = _fingerprint(notebook, made_of)
    if is_fresh(out, key):
        print(f"{notebook.stem}: nothing to do, {_relative(out)} is up to date")
        return out
    for name in upstream or {}:
        if not (root() / params[name]).exists():
            raise PosekitError(f"{notebook.stem}: {name} is {params[name]}; its run has not written that")
    out.parent.mkdir(parents=True, exist_ok=True)
    with _locked(out):
        partial = out.parent / f".{out.name}{_PARTIAL}"
        if not is_fresh(partial, key):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            stamp(partial, key).touch()
        told = {"notebook": notebook.stem, "fingerprint": key, "parameters": params}
        _write_json(partial / "params.json", told | {"ingredients": made_of})
        print(f"{notebook.stem}: {_said(params)}", flush=True)
        start = time.monotonic()
        facts = provenance()
        try:
            _papermill(notebook, params, partial, failed=out.parent / f"{out.name}.failed.ipynb")
        except PosekitError:
            if {path.name for path in partial.iterdir()} <= {"params.json", stamp(partial, key).name}:  # nothing to go on with
                shutil.rmtree(partial)
            raise
        seconds = round(time.monotonic() - start, 1)
        _write_json(partial / "provenance.json", facts | {"wall_seconds": seconds})
        old = out.parent / f".{out.name}.old"
        shutil.rmtree(old, ignore_errors=True)
        if out.exists():
            out.rename(old)
        partial.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    print(f"{notebook.stem}: done in {seconds:.0f} s, {_relative(out)}", flush=True)
    return out


def provenance() -> dict[str, Any]:
    """What made a result: the commit, the package versions and the machine, without its name."""
    packages = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    processor = _first_match("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.processor()
    memory = int(_first_match("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0)
    return {
        "commit": _output("git", "rev-parse", "HEAD"),
        "dirty": bool(_output("git", "status", "--porcelain")),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
        "hardware": {
            "processor": processor,
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_gib": round(memory / 2**20, 1),
            "gpus": _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines(),
            "system": f"{platform.system()} {platform.machine()}",
        },
    }


def _papermill(notebook: Path, params: dict[str, Any], folder: Path, failed: Path) -> None:
    """Execute the notebook in this interpreter's own kernel, at the checkout's root; `folder` is its run."""
    import ipykernel.kernelspec
    import jupytext
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.ERROR)  # it does not know every type that `check` does
    result = folder / f"{notebook.stem}.ipynb"
    with tempfile.TemporaryDirectory() as temporary:
        # A kernel of that name may be missing, or be another environment's: this one is found first.
        # What it says of itself when it is stopped in the middle is of no use to anybody.
        ipykernel.kernelspec.write_kernel_spec(Path(temporary) / "kernels" / "python3", extra_arguments=["--log-level=50"])
        source = Path(temporary) / result.name
        nbformat.write(jupytext.read(notebook, fmt="py:percent"), source)
        try:
            with _environment(JUPYTER_PATH=temporary, **{_FOLDER: str(folder.resolve())}):
                papermill.execute_notebook(
                    source,
                    result,
                    parameters=params,
                    kernel_name="python3",
                    language="python",
                    cwd=root(),
                    progress_bar={"desc": notebook.stem, "disable": None},  # None: not where nobody watches
                    stdout_file=sys.stdout,
                    stderr_file=sys.stderr,
                    config=Config(KernelManager={"transport_encryption": "auto"}),
                )
        except (PapermillExecutionError, DeadKernelError) as error:
            if result.exists():
                result.replace(failed)
            if isinstance(error, PapermillExecutionError):
                shown = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback))
                line = re.search(r"^-+> +\d+ (.*)$", shown, re.MULTILINE)  # first: the cell itself
                where = f" (`{line[1].strip()}`)" if line else ""
                what = f"cell {error.exec_count}{where}: {error.ename}: {error.evalue}"
            else:
                what = "the kernel died, most often for want of memory"
            raise PosekitError(
                f"{notebook.stem} failed in {' '.join(what.split())} | with {_said(params)} | see {_relative(failed)}"
            ) from error
    failed.unlink(missing_ok=True)


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Nobody else writes this run meanwhile; the lock goes with the process, however it ends."""
    path = out.parent / f".{out.name}.lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PosekitError(f"{_relative(out)} is being written by another process") from None
        try:
            yield
        finally:
            path.unlink()


def _library(source: str) -> dict[str, str]:
    """A hash of each of the library's modules that the code depends on."""
    package = Path(__file__).parent
    files = imported(source, package, posekit.EXPORTS)
    return {p.relative_to(package).as_posix(): code_hash(p.read_text("utf-8")) for p in files}


def _data(value: Any) -> str | None:
    """What lies behind a value that names a file, shipped weights or a data set `NAME:PATH[@SPLIT]`.

    A file is known by its contents, a folder by the contents of its annotations and the names and sizes of its other files.
    """
    if isinstance(value, list):
        return _hash(str([_data(item) for item in value]))
    if not isinstance(value, str):
        return None
    match = re.fullmatch(r"[\w-]+:(.+?)(@[\w-]+)?", value)
    path = root() / Path(match[1] if match else value).expanduser()
    shipped = Path(__file__).parent / "shipped" / f"{value}.safetensors"
    if not match and shipped.is_file():
        return _file_hash(shipped)
    if path.is_file():
        return _file_hash(path)
    if match and path.is_dir():
        return _hash("\n".join(sorted(_listing(path, ""))))
    return None


def _listing(folder: Path | str, prefix: str, above: tuple[str, ...] = ()) -> Iterator[str]:
    above = (*above, os.path.realpath(folder))
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if os.path.realpath(entry.path) not in above:  # a link back would lead round and round
                    yield from _listing(entry.path, f"{prefix}{entry.name}/", above)
            elif not os.path.exists(entry.path):
                yield f"{prefix}{entry.name} leads nowhere"
            elif entry.name.endswith(ANNOTATIONS):
                yield f"{prefix}{entry.name} {_annotations_hash(entry.path, entry.stat().st_size, entry.stat().st_mtime_ns)}"
            else:
                yield f"{prefix}{entry.name} {entry.stat().st_size}"


@functools.cache
def _annotations_hash(path: str, _size: int, _changed: int) -> str:
    """A file's hash, made once for each notebook that reads it: COCO's annotations are long."""
    return _file_hash(Path(path))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """The value as JSON holds it: arrays and NumPy numbers unwrapped, what is not finite null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _said(params: dict[str, Any]) -> str:
    return " ".join(f"{name}={value!r}" for name, value in params.items()) or "no parameters"


def _relative(path: Path) -> str:
    return os.path.relpath(path)


def _output(*command: str) -> str:
    """What a command prints, or nothing where it is missing or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=root(), check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _first_match(path: str, pattern: str) -> str | None:
    try:
        match = re.search(pattern, Path(path).read_text())
    except OSError:
        return None
    return match[1] if match else None
