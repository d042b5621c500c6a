"""Notebooks executed with given parameters, each into a run's folder; see `runs`.

A run that is under way lives beside its folder in `.02_training.partial/` and is renamed when whole. An interrupted
one is taken up again as long as its fingerprint is still the same, so what a notebook keeps in its folder on
the way (a checkpoint, say) is there the next time. A run that fails leaves what went wrong in `02_training.failed.json`, and
its notebook, if it began, as `02_training.failed.ipynb`.
"""

import contextlib
import importlib.metadata
import json
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from posekit.errors import PosekitError, extra
from posekit.files import write_json
from posekit.process import KEEPING, cores
from posekit.workflow.parameters import check, load_preset, notebook_path, parse, root
from posekit.workflow.runs import FOLDER, PARTIAL, relative
from posekit.workflow.staleness import fingerprint, hashed, ingredients, is_fresh, stamp

STARTS = 3  # attempts to start a notebook's kernel


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


def execute(notebook: Path, params: dict[str, Any], out: Path, upstream: dict[str, str] | None = None) -> Path:
    """Run a notebook with all its parameters and keep the result in `out`; at once where that is fresh.

    Raises:
        PosekitError: a cell failed, a file of another run is missing, or the same run is under way elsewhere.
    """
    made_of = ingredients(notebook, params, upstream, out.parent.name)
    key = hashed(notebook, made_of)
    if is_fresh(out, key):
        print(f"{notebook.stem}: nothing to do, {relative(out)} is up to date")
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    with _locked(out), _failure_kept(out, key):
        for name in upstream or {}:
            if not (root() / params[name]).exists():
                raise PosekitError(f"{notebook.stem}: {name} is {params[name]}; its run has not written that")
        partial = out.parent / f".{out.name}{PARTIAL}"
        if not is_fresh(partial, key):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            stamp(partial, key).touch()
        about = {"notebook": notebook.stem, "fingerprint": key, "parameters": params}
        write_json(partial / "params.json", about | {"ingredients": made_of})
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
        write_json(partial / "provenance.json", facts | {"wall_seconds": seconds})
        old = out.parent / f".{out.name}.old"
        shutil.rmtree(old, ignore_errors=True)
        if out.exists():
            out.rename(old)
        partial.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    print(f"{notebook.stem}: done in {seconds:.0f} s, {relative(out)}", flush=True)
    return out


def failure(out: Path, fingerprint: str) -> str:
    """What went wrong when just this run was last tried; nothing where it was not, or went well."""
    try:
        found = json.loads(_failure_file(out).read_text("utf-8"))
    except OSError:
        return ""
    return found["message"] if found["fingerprint"] == fingerprint else ""


def _failure_file(out: Path) -> Path:
    return out.parent / f"{out.name}.failed.json"


@contextlib.contextmanager
def _failure_kept(out: Path, fingerprint: str) -> Iterator[None]:
    """Keep what goes wrong meanwhile, for `failure`."""
    _failure_file(out).unlink(missing_ok=True)
    try:
        yield
    except PosekitError as error:
        write_json(_failure_file(out), {"fingerprint": fingerprint, "message": str(error)})
        raise


def provenance() -> dict[str, Any]:
    """What made a result: the commit, the package versions and the machine, without its name."""
    packages = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return {
        "commit": _output("git", "rev-parse", "HEAD"),
        "dirty": bool(_output("git", "status", "--porcelain")),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
        "hardware": hardware(),
    }


def hardware() -> dict[str, Any]:
    """The machine, without its name."""
    memory = int(_first_match("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0)
    return {
        "processor": _first_match("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.processor(),
        "cores": cores(),
        "memory_gib": round(memory / 2**20, 1),
        "gpus": _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _papermill(notebook: Path, params: dict[str, Any], folder: Path, failed: Path) -> None:
    """Execute the notebook in this interpreter's own kernel, at the checkout's root; `folder` is its run."""
    with extra("book", "running a notebook"):
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
            with _environment(JUPYTER_PATH=temporary, **{FOLDER: str(folder.resolve())}, **KEEPING):
                _started(
                    lambda: papermill.execute_notebook(
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
                    ),
                    notebook.stem,
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
                what = "the kernel died, most often because memory ran out"
            raise PosekitError(
                f"{notebook.stem} failed in {' '.join(what.split())} | with {_said(params)} | see {relative(failed)}"
            ) from error
    failed.unlink(missing_ok=True)


def _started(run: Callable[[], object], name: str) -> None:
    """Run a notebook, again where its kernel does not start: its ports are chosen before it takes them, and may be another's by then."""
    from nbclient.exceptions import DeadKernelError

    for left in reversed(range(STARTS)):
        try:
            run()
            return
        except DeadKernelError:  # it did start
            raise
        except RuntimeError as error:  # jupyter_client's, which has no class of its own; no cell has run yet
            if not left:
                raise PosekitError(f"{name}: its kernel does not start ({error}); run it again") from error
            print(f"{name}: its kernel did not start ({error}); once more", flush=True)


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
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PosekitError(f"{relative(out)} is being written by another process") from None
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):  # on Windows, where a file that is open stays
            path.unlink()
        lock.release()


def _said(params: dict[str, Any]) -> str:
    return " ".join(f"{name}={value!r}" for name, value in params.items()) or "no parameters"


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
