"""Jobs by Snakemake that are ended from outside."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("snakemake")
psutil = pytest.importorskip("psutil")

SOURCE = Path(__file__).parents[1]

WAIT = """
import signal, sys, time
from pathlib import Path
def stop(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, stop)
try:
    Path(sys.argv[1] + "-begun").touch()
    time.sleep(600)
except KeyboardInterrupt:
    Path(sys.argv[1] + "-stopped").touch()
    sys.exit(130)
"""

RUN = f"""
import sys
from pathlib import Path
from posekit.workflow.graph import Job, run_jobs
jobs = [Job(name, [sys.executable, "-c", {WAIT!r}, name]) for name in ("a", "b", "c")]
try:
    run_jobs(jobs, Path("waiting"), 2, 1)
except KeyboardInterrupt:
    sys.exit(130)
"""


def heed():
    """Be stopped by Ctrl-C even where the tests themselves run in the background, whose children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ignore():
    """Be as what a script starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def begun(folder):
    return [name for name in "abc" if (folder / f"{name}-begun").exists()]


def wait_for(count, folder):
    for _ in range(1200):
        if len(begun(folder)) == count:
            return
        time.sleep(0.1)
    raise AssertionError(f"not {count} jobs in two minutes")


@pytest.mark.parametrize("begin", [heed, ignore])
def test_sigterm_stops_the_jobs_as_ctrl_c_does(tmp_path, begin):
    for name in ("notebooks", "presets"):
        (tmp_path / name).mkdir()
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen([sys.executable, "-c", RUN], cwd=tmp_path, env=environment, start_new_session=True, preexec_fn=begin)
    try:
        wait_for(2, tmp_path)
        started = psutil.Process(process.pid).children(recursive=True)
        assert len(started) >= 3  # Snakemake and two jobs
        process.terminate()
        assert process.wait(120) == 130
        assert len(begun(tmp_path)) == 2, "the third is not begun"
        assert all((tmp_path / f"{name}-stopped").exists() for name in begun(tmp_path))
        assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in started)
        assert not list((tmp_path / "waiting").iterdir())
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
