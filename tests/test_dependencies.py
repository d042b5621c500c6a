"""What a notebook depends on: files found by following imports."""

from pathlib import Path

import pytest

import posekit
from posekit.workflow.dependencies import imported

FILES = {
    "__init__.py": "",
    "a.py": "import numpy\n",
    "b.py": "def f():\n    from posekit.deep import c\n",
    "deep/__init__.py": "from posekit.a import x\n",
    "deep/c.py": "from .d import y\nfrom ..e import z\n",
    "deep/d.py": "",
    "e.py": "from posekit import b\n",  # a circle
    "f.py": "",
}


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


CHAIN = ["a.py", "b.py", "deep/__init__.py", "deep/c.py", "deep/d.py", "e.py"]


@pytest.mark.parametrize(
    "code, expected",
    [
        ("import posekit, numpy", []),
        ("import posekit.a", ["a.py"]),
        ("from posekit import f", ["f.py"]),
        ("from posekit import thing", ["f.py"]),  # a name that the package passes on
        ("import posekit\nposekit.thing()", ["f.py"]),
        ("import posekit\nposekit.a.x", ["a.py"]),
        ("%matplotlib inline\nfrom posekit.a import x", ["a.py"]),
        ("from posekit.deep.d import y", ["a.py", "deep/__init__.py", "deep/d.py"]),  # importing runs the subpackage's __init__
        ("from posekit import b", CHAIN),
        ("from posekits import b", []),
    ],
)
def test_imports_are_followed(package, code, expected):
    found = imported(code, package, {"thing": "f"})
    assert [path.relative_to(package).as_posix() for path in found] == expected


def test_every_exported_name_has_its_module():
    package = Path(posekit.__file__).parent
    for name, module in posekit.EXPORTS.items():
        files = imported(f"from posekit import {name}", package, posekit.EXPORTS)
        assert any(path.with_suffix("").as_posix().endswith(module.replace(".", "/")) for path in files) or (
            package / module.replace(".", "/") / "__init__.py" in files
        )
