"""The house: which room may import which (the contracts in pyproject.toml), and that no file of it grows beyond what one reads."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES = 400

linted = pytest.mark.skipif(not importlib.util.find_spec("importlinter"), reason="import-linter is not installed: pip install -e '.[dev]'")


def lint(folder):
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache", "--no-logo"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@linted
def test_rooms_import_from_those_below_alone():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@linted
@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("hooks.py", "import pandas", "Hooks know torch alone"),
        ("files.py", "from posekit import skeleton", "Hooks know torch alone"),
        ("metrics.py", "from posekit.display import html", "No room imports"),
        ("data/people.py", "def f():\n    from posekit.models import parts", "No room imports"),
        ("models/parts.py", "from posekit.data import people", "No room imports"),
        ("models/hourglass.py", "from posekit.files import atomic_write", "Networks know nothing of files"),
        ("engine/costs.py", "from posekit.interpret.activations import codes", "No room imports"),
        ("interpret/analysis/probes.py", "from posekit.plots import clusters", "No room imports"),
        ("interpret/activations/ablation.py", "from posekit.engine.learning import training", "What looks inside"),
        ("plots/claims.py", "from posekit.workflow.claims import MARKS", "No room imports"),
        ("attic.py", "", "No room imports"),  # a room of no floor
    ],
)
def test_an_import_from_above_is_found(tmp_path, file, line, broken):
    shutil.copytree(ROOT / "posekit", tmp_path / "posekit", ignore=shutil.ignore_patterns("shipped", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with open(tmp_path / "posekit" / file, "a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    done = lint(tmp_path)
    said = " ".join(done.stdout.split())
    assert done.returncode == 1 and re.search(rf"{broken}((?!KEPT).)*BROKEN", said), done.stdout


def test_no_file_is_longer_than_one_reads():
    counts = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / "posekit").rglob("*.py")}
    assert not [f"{path}: {count}" for path, count in counts.items() if count > LINES]


def test_one_name_is_one_thing():
    """No two modules of `interpret` and `plots` have a public function or class of the same name."""
    defined = defaultdict(list)
    for room in ("interpret", "plots"):
        for path in (ROOT / "posekit" / room).rglob("*.py"):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                    defined[node.name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in defined.items() if len(paths) > 1} == {}
