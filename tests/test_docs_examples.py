"""What the documentation shows runs: Python in pages, and the examples in docstrings."""

import doctest
import importlib
import inspect
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import posekit

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "book/index.md", "book/desk.md", "book/your_network.md")
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FEWER = {"mannequins:500@test": "mannequins:40,size=80@test"}  # a test needs no more people
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "posekit").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


def run(code, folder, monkeypatch):
    """Execute an example where `photograph.jpg` lies and `pictures` is a batch."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3), np.uint8)
    Image.fromarray(noise).save(folder / "photograph.jpg")
    monkeypatch.chdir(folder)
    for written, instead in FEWER.items():
        code = code.replace(written, instead)
    names = {"pictures": torch.zeros(1, 3, 64, 64)}
    exec(compile(code, "example", "exec"), names)
    return names


@pytest.mark.parametrize("page", PAGES)
def test_python_in_pages(page, tmp_path, monkeypatch):
    examples = FENCE.findall((ROOT / page).read_text(encoding="utf-8"))
    assert examples, f"{page} has no Python any more: take it off the list"
    for code in examples:
        run(code, tmp_path, monkeypatch)


def test_python_that_would_not_run_is_noticed(tmp_path, monkeypatch):
    (code,) = FENCE.findall("text\n```python\nimport posekit\n\nposekit.lode\n```\n```bash\nls\n```\n")
    with pytest.raises(AttributeError, match="lode"):
        run(code, tmp_path, monkeypatch)


def test_example_of_the_package(tmp_path, monkeypatch):
    """Its first lines; the evaluation needs photographs."""
    lines = [line for line in posekit.__doc__.splitlines() if line.startswith("    ") and "evaluate" not in line]
    names = run(textwrap.dedent("\n".join(lines)), tmp_path, monkeypatch)
    assert len(names["poses"]) == 1


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("name", posekit.EXPORTS)
def test_every_name_of_the_package_stands_on_its_page(name):
    assert re.search(rf"^\.\. [a-z:]+:: {name}$", (ROOT / "book" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", posekit.EXPORTS)
def test_every_name_of_the_package_has_an_example(name):
    """Its own; a plain value's stands in its module's docstring."""
    value = getattr(posekit, name)
    owner = value if callable(value) else importlib.import_module(f"posekit.{posekit.EXPORTS[name]}")
    assert ">>>" in (owner.__doc__ or "")


@pytest.mark.parametrize("name", posekit.EXPORTS)
def test_every_name_of_the_package_says_its_types(name):
    value = getattr(posekit, name)
    members = vars(value).values() if inspect.isclass(value) else [value]
    for function in (inspect.unwrap(getattr(member, "__func__", member)) for member in members):
        if inspect.isfunction(function) and not function.__name__.startswith("_") and function.__module__.startswith("posekit"):
            signature = inspect.signature(function)
            untyped = {p.name for p in signature.parameters.values() if p.annotation is p.empty and p.kind is not p.VAR_KEYWORD}
            assert untyped <= {"self", "cls"}, f"{function.__qualname__}: {untyped}"
            assert signature.return_annotation is not inspect.Signature.empty, function.__qualname__
