"""A sweep on a Slurm of one node, started on this machine: complete, and stopped and gone on with."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
LOOPBACK = REPOSITORY / "tests" / "slurm" / "loopback.sh"

COUNT = """\
# %% tags=["parameters"]
stacks = 1  # of what
seed = 0  # of chance

# %%
import os
import time
from pathlib import Path

from posekit import runs

with open("ran.txt", "a") as file:
    print(stacks, seed, os.environ.get("SLURM_JOB_ID"), file=file)
while Path(f"wait-{stacks}").exists():
    time.sleep(0.1)
runs.current().write_metrics({"metrics": {"score": {"mean": stacks, "low": stacks - 0.1, "high": stacks + 0.1}}})
"""

pytestmark = pytest.mark.skipif(
    not (shutil.which("slurmctld") and shutil.which("munged") and os.geteuid() == 0) or Path("/etc/slurm/slurm.conf").exists(),
    reason="needs root, Debian's packages slurm-wlm and munge, and no other Slurm",
)


@pytest.fixture
def cluster(tmp_path):
    folder = tmp_path / "slurm"
    subprocess.run([LOOPBACK, "start", folder], check=True)
    yield folder
    subprocess.run([LOOPBACK, "stop", folder], check=True)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout with the repository's own profile, less patient and less greedy."""
    project = tmp_path / "checkout"
    for folder in ("notebooks", "presets", "profiles/slurm"):
        (project / folder).mkdir(parents=True)
    (project / "notebooks" / "02_count.py").write_text(COUNT)
    profile = (REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text().replace("mem_mb: 8000", "mem_mb: 500")
    patience = "slurm-init-seconds-before-status-checks: 3\nslurm-no-account: true\nslurm-status-command: squeue\nlatency-wait: 10"
    (project / "profiles" / "slurm" / "config.yaml").write_text(profile.replace("latency-wait: 60", patience))
    monkeypatch.chdir(project)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.delenv("POSEKIT_RUN", raising=False)
    return project


def heed() -> None:
    """Be stopped by Ctrl-C even where the tests themselves run in the background, whose children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ran(project: Path) -> list[list[str]]:
    return sorted(line.split() for line in (project / "ran.txt").read_text().splitlines())


def test_a_sweep_of_six_is_stopped_and_gone_on_with(cluster, project):
    (project / "wait-2").touch()
    sweep = [sys.executable, "-m", "posekit", "sweep", "02_count", "-p", "stacks", "1", "2", "-p", "seed", "0", "1", "2"]
    command = [*sweep, "--profile", "slurm", "--jobs", "2", "--threads", "1"]
    said = project / "said.txt"
    with said.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True, preexec_fn=heed)
        for _ in range(18_000):
            if process.poll() is not None or ((project / "ran.txt").exists() and any(line[0] == "2" for line in ran(project))):
                break
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(600) == 130, said.read_text()
    finished = {path.name for path in (project / "runs" / "custom").glob("02_*") if list(path.glob(".fingerprint-*"))}
    begun = ran(project)
    assert 0 < len(finished) < 6, said.read_text()
    assert all(job.isdecimal() for _, _, job in begun), "each in a job of the cluster"

    (project / "wait-2").unlink()
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"6 runs, {len(finished)} done, {6 - len(finished)} to run" in result.stderr
    after = ran(project)
    assert {(stacks, seed) for stacks, seed, _ in after} == {(s, n) for s in "12" for n in "012"}
    assert len(after) == len(begun) + 6 - len(finished), "finished runs are not repeated"
    folder = Path(result.stdout.split()[-1]).parent
    assert len((folder / "sweep.csv").read_text().splitlines()) == 7 and (folder / "figures" / "sweep.svg").exists()
