"""Where the command line writes its results: complaints before the work, and files whole or not at all."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from posekit.errors import PosekitError


def no_file(folder: Path) -> None:
    """Complain where a file has the name of a folder that is to be made."""
    if folder.exists() and not folder.is_dir():
        raise PosekitError(f"{folder}: is a file, a folder is wanted")


def make_folder(folder: Path) -> None:
    """Make a folder, and complain where nothing can be written into it."""
    no_file(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PosekitError(f"{folder}: cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise PosekitError(f"{folder}: nothing can be written into it")


def writable(path: Path | None) -> None:
    """Complain about a result file before the work that leads to it, not after."""
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise PosekitError(f"{path}: is a folder, a file is wanted")
    if not path.absolute().parent.is_dir():
        raise PosekitError(f"{path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise PosekitError(f"{path}: cannot be written")


def spare(target: Path | None, pictures: list[Path]) -> None:
    """Complain where a drawing would take the place of a picture that it is made from."""
    if target is not None and target.resolve() in {picture.resolve() for picture in pictures}:
        raise PosekitError(f"{target} would be written over the picture itself; give another --out")


def write_json(path: Path, content: Any) -> None:
    """Into a file, or for `-` onto stdout."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        return
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def save_picture(picture: Any, path: Path) -> None:
    """A Pillow image as PNG, whatever the file is called."""
    write(path, lambda temporary: picture.save(temporary, "PNG"))


def write(path: Path, into: Callable[[Path], Any]) -> None:
    """Whole or not at all; into what is no file, /dev/stdout say, as it comes."""
    direct = path.exists() and not path.is_file()
    temporary = path if direct else path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        into(temporary)
        if not direct:
            temporary.replace(path)
    except OSError as error:
        raise PosekitError(f"{path}: could not be written: {error.strerror or error}") from None
    finally:
        if not direct:
            with suppress(OSError):  # of the disk that it cannot be written to
                temporary.unlink()
