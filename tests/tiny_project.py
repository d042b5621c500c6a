"""A small project of two notebooks, of which the second reads the first's run."""

from pathlib import Path

from posekit.workflow import parameters, staleness

REPOSITORY = Path(__file__).parents[1]

FIRST = """\
# %% [markdown]
# # First

# %% tags=["parameters"]
data = "mannequins"  # which people: NAME[:PATH][@SPLIT]
people: int = 20
rate = 0.5  # of what
flip = True
sizes = [64, 128]
sources: list[str] = []
start: str | None = None

# %%
from posekit import runs

run = runs.current()
run.write_metrics({"metrics": {"people": people, "rate": float("nan")}})

# %%
kept = run.path("checkpoint")
print("taken up" if kept.exists() else "from the start")
kept.touch()
assert not run.path("../../../broken").exists(), "no power"
"""

SECOND = """\
# %% tags=["parameters"]
counted = ""  # the metrics of the first
factor = 2

# %%
print(counted)
"""


def made(tmp_path: Path, monkeypatch) -> Path:
    """The project, where the process is from now on."""
    for folder in ("notebooks", "presets"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks" / "01_first.py").write_text(FIRST)
    (tmp_path / "notebooks" / "02_second.py").write_text(SECOND)
    (tmp_path / "presets" / "small.yaml").write_text("01_first:\n  people: 3\n02_second:\n  counted: run:01_first/metrics.json\n")
    (tmp_path / "_config.yml").write_text("title: Small")
    (tmp_path / "library" / "workflow").mkdir(parents=True)  # the real one may be edited while the tests run
    (tmp_path / "library" / "errors.py").write_text("class Mistake(Exception):\n    pass\n")
    (tmp_path / "library" / "workflow" / "runs.py").write_text("from ..errors import Mistake\n")
    monkeypatch.setattr(staleness, "__file__", str(tmp_path / "library" / "workflow" / "staleness.py"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.delenv("POSEKIT_RUN", raising=False)
    return tmp_path


def first() -> Path:
    return parameters.notebook_path("01_first")


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
