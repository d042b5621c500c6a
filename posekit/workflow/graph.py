"""Many jobs by Snakemake: here, several at a time, or on a cluster by a profile. Sweeps and studies run this way."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from posekit.errors import PosekitError, extra
from posekit.files import expand_user
from posekit.workflow.parameters import root


@dataclass(frozen=True)
class Job:
    """A command that makes one file. Where {threads} stands in it, Snakemake puts the job's cores."""

    output: str
    command: list[str]


def run_jobs(
    jobs: list[Job], folder: Path, at_once: int, threads: int, profile: str | None = None, watch: Callable[[], None] | None = None
) -> int:
    """Do the jobs, `at_once` at a time, each on so many cores; what fails does not stop the others. Returns Snakemake's status.

    Args:
        folder: where the list of jobs is put while they run.
        profile: Snakemake's, by folder: profiles/NAME of the checkout, or where Snakemake looks itself.
        watch: called every two seconds meanwhile.

    Raises:
        PosekitError: there is no such profile.
        KeyboardInterrupt: after Ctrl-C or SIGTERM; the jobs are interrupted too and have stopped.
    """
    with extra("book", "running jobs"):
        if not importlib.util.find_spec("snakemake"):
            raise ModuleNotFoundError(name="snakemake")
    profile = profile and find_profile(profile)
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / f"waiting-{os.getpid()}.json"
    listed.write_text(json.dumps([asdict(job) for job in jobs], indent=1), encoding="utf-8")
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(Path(__file__).with_name("jobs.smk")), "--directory", str(root()),
        "--config", f"waiting={listed}", f"threads={threads}", "--keep-going", "--nolock", "--rerun-incomplete",
        "--rerun-triggers", "mtime", "--quiet", "all",
    ]  # fmt: skip
    command += ["--profile", profile, "--jobs", str(at_once)] if profile else ["--cores", str(at_once * threads)]
    try:
        with _heeding_sigterm():
            process = subprocess.Popen(command, cwd=root())
            try:
                while True:
                    try:
                        return process.wait(timeout=2)
                    except subprocess.TimeoutExpired:
                        if watch:
                            watch()
            except KeyboardInterrupt as stop:
                if isinstance(stop, _Terminated):
                    _interrupt(process.pid)
                process.wait()
                raise
    finally:
        listed.unlink(missing_ok=True)


class _Terminated(KeyboardInterrupt):
    """After SIGTERM, which unlike Ctrl-C reaches this process alone."""


@contextmanager
def _heeding_sigterm() -> Iterator[None]:
    """SIGTERM raises `_Terminated` meanwhile; outside of the main thread, whoever owns that decides."""

    def heed(*_: object) -> None:
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, heed)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(pid: int) -> None:
    """Let Snakemake begin no more jobs, and give those that it has begun what Ctrl-C would.

    What a script has started in the background ignores Ctrl-C, and so does all that it starts itself: this gets SIGTERM.
    """
    import psutil  # which Snakemake needs too

    stop = signal.SIGTERM if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else signal.SIGINT
    with suppress(psutil.NoSuchProcess):
        snakemake = psutil.Process(pid)
        snakemake.terminate()
        for process in snakemake.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(stop)


def find_profile(name: str) -> str:
    """The folder of a profile of Snakemake: the checkout's own, or its name where Snakemake finds one itself."""
    own = root() / "profiles" / name
    if own.is_dir():
        return str(own)
    if not any((folder / name).exists() for folder in (Path(), expand_user("~/.config/snakemake"), Path("/etc/xdg/snakemake"))):
        there = ", ".join(sorted(path.name for path in own.parent.glob("*/"))) or "nothing"
        raise PosekitError(f"no profile {name!r} of Snakemake; profiles/ has {there}")
    return name
