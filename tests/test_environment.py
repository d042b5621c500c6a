"""The lock, environment.yml and pyproject.toml say the same, and the lock is whole."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().split()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def test_lock_holds_names_and_versions_only():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert lines == sorted(lines, key=str.lower)
    assert len(locked()) == len(lines)


@pytest.mark.parametrize("extra", ["core", *PROJECT["optional-dependencies"]])
def test_lock_satisfies_pyproject(extra):
    wanted = PROJECT["dependencies"] if extra == "core" else PROJECT["optional-dependencies"][extra]
    for requirement in map(Requirement, wanted):
        if requirement.name == "posekit":
            assert requirement.extras <= {*PROJECT["optional-dependencies"]}
            continue
        assert requirement.specifier.contains(locked()[canonicalize_name(requirement.name)]), requirement


def test_lock_holds_what_its_packages_need():
    """Nothing is left to the resolver, which would take the newest."""
    lock = locked()
    needs = [(name, Requirement(text)) for name in lock for text in importlib.metadata.requires(name) or []]
    unmet = [
        f"{name} needs {requirement}"
        for name, requirement in needs
        if (requirement.marker is None or requirement.marker.evaluate({"extra": ""}))
        and not requirement.specifier.contains(lock.get(canonicalize_name(requirement.name), "0"), True)
    ]
    assert unmet == []


def test_installed_is_what_the_lock_says():
    installed = {name: importlib.metadata.version(name).partition("+")[0] for name in locked()}
    assert installed == locked()


def test_conda_environment_is_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, section = environment["dependencies"]
    assert section == {"pip": ["-r requirements.lock", "-e ."]}
    assert pip == "pip"
    minor = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert minor.contains(python.removeprefix("python="))
