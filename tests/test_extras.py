"""posekit with what it requires and nothing else: all of it works but what an extra is for, and that says which extra."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from posekit.errors import MissingPackage, PosekitError, extra

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def needed(requirements: list[str]) -> set[str]:
    """The distributions that are installed with these, themselves among them."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        need = waiting.pop()
        name = canonicalize_name(need.name)
        if name not in found and (need.marker is None or need.marker.evaluate({"extra": ""})):
            found.add(name)
            waiting += map(Requirement, importlib.metadata.requires(name) or [])
    return found


HIDING = """
import importlib.machinery, json, sys
hidden = set(json.loads(sys.argv[1]))

class Others:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else importlib.machinery.PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, Others]
"""


def bare(code: str, folder: Path) -> subprocess.CompletedProcess:
    """Run code in `folder`, where nothing can be imported that posekit does not require."""
    kept = needed(PROJECT["dependencies"]) | {"posekit"}
    modules = importlib.metadata.packages_distributions()
    hidden = [module for module, names in modules.items() if not kept & {canonicalize_name(name) for name in names}]
    assert {"typer", "matplotlib", "tensorboard", "captum", "pooch"} <= {*hidden} and not {"torch", "sklearn", "yaml"} & {*hidden}
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", HIDING + code, json.dumps(hidden)], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_library_works_without_its_extras(tmp_path):
    done = bare(
        """
import importlib, pkgutil, numpy as np, posekit
from posekit.errors import MissingPackage
network = posekit.load("mannequins-hg1", device="cpu")
assert len(network.predict(np.zeros((48, 64, 3), np.uint8))) == 1
people = posekit.load_people("mannequins:12,size=40")
assert posekit.evaluate(network, people)["people"] == 12
assert network._repr_html_() and posekit.evaluate(network, people)._repr_html_()
crops = posekit.crops(people, 40)
recipe = posekit.Recipe(resolution=32, epochs=1, batch=4)
config = posekit.HourglassConfig.narrow(8, joints=17, depth=1)
posekit.load(posekit.fit(config, recipe, crops, crops, "run", backend=posekit.Backend.plain()))
for module in pkgutil.walk_packages(posekit.__path__, "posekit.", onerror=lambda name: None):
    if not module.name.startswith(("posekit.cli", "posekit.plots", "posekit.__main__")):
        try:
            importlib.import_module(module.name)
        except MissingPackage:
            print(module.name)
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["posekit.data.download.fetch", "posekit.display.overlay"]
    assert (tmp_path / "run" / "history.jsonl").exists() and not (tmp_path / "run" / "tensorboard").exists()


USES = {  # what needs an extra: which one
    "from posekit.data.download import fetch": "fetch",
    "from posekit.plots import clusters": "plots",
    "from posekit.display import overlay": "plots",
    "posekit.explain('mannequins-hg1', np.zeros((64, 64, 3), np.uint8), 'nose', 'integrated-gradients')": "interpret",
    "embedding.umap(np.random.default_rng(0).normal(size=(30, 5)))": "interpret",
    "parts.oriented_gradients(torch.zeros(1, 3, 32, 32))": "parts",
    "interchange.export_onnx('mannequins-hg1', 'net.onnx')": "onnx",
    "parameters.cells(pathlib.Path('notebook.py'))": "book",
    "evaluation.print_table({})": "cli",
    "blazepose.convolutions(b'....TFL3')": "blazepose",
}


def test_what_is_missing_is_told_in_one_line(tmp_path):
    (tmp_path / "notebook.py").write_text("# %%\n1\n")
    done = bare(
        f"""
import pathlib, numpy as np, torch, posekit
from posekit.engine import evaluation, interchange
from posekit.engine.outside import blazepose
from posekit.interpret.analysis import embedding
from posekit.models import parts
from posekit.workflow import parameters
for use in {list(USES)!r}:
    try:
        exec(use)
    except posekit.PosekitError as error:
        print(error)
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == len(USES), said
    for line, name in zip(said, USES.values(), strict=True):
        assert re.fullmatch(rf'.+ needs \w+, which is not installed: pip install "posekit\[{name}\]"', line), line


def test_the_command_says_what_it_needs(tmp_path):
    done = bare("from posekit.__main__ import main; main()", tmp_path)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr == 'posekit: the command line needs typer, which is not installed: pip install "posekit[cli]"\n'


def test_every_extra_that_is_named_exists():
    for path in (ROOT / "posekit").rglob("*.py"):
        for name in re.findall(r'\bextra\("(\w+)"|posekit\[(\w+)\]', path.read_text("utf-8")):
            assert "".join(name) in {*EXTRAS, "name"}, path


@pytest.mark.parametrize("kind", [PosekitError, ImportError])
def test_a_missing_package_is_a_mistake_of_use_and_of_importing(kind):
    with pytest.raises(kind, match="drawing needs no_such_package"), extra("plots", "drawing"):
        import no_such_package.part  # noqa: F401


def test_other_errors_of_an_import_are_not_hidden():
    with pytest.raises(ImportError, match="cannot import name") as error, extra("plots", "drawing"):
        from json import nothing_of_the_kind  # noqa: F401
    assert not isinstance(error.value, MissingPackage)
