"""Where the command line writes its results: complaints before the work, and files or standard output."""

import codecs
import os
import sys
from pathlib import Path
from typing import Any

from posekit import files
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
    if path is not None and str(path) == "-" and sys.stdout is None:
        raise PosekitError("standard output is closed; name a file to write to by --json")
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise PosekitError(f"{path}: is a folder, a file is wanted")
    if not path.absolute().parent.is_dir():
        raise PosekitError(f"{path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise PosekitError(f"{path}: cannot be written")


def json_target(path: Path | None, *others: Path | None) -> None:
    """`writable` of what --json names; complain as well where it is one of the command's other files, or holds something else."""
    writable(path)
    if path is None or str(path) == "-":
        return
    if path.resolve() in {other.resolve() for other in others if other is not None}:
        raise PosekitError(f"--json {path} is a file of another option as well; give another name")
    if path.is_file():
        with open(path, "rb") as file:
            head = file.read(64).lstrip()
        if head and not head.startswith((b"[", b"{")):
            raise PosekitError(f"--json {path} holds something else than JSON and would be written over; give another name")


def spare(target: Path | None, pictures: list[Path]) -> None:
    """Complain where a drawing would take the place of a picture that it is made from."""
    if target is not None and target.resolve() in {picture.resolve() for picture in pictures}:
        raise PosekitError(f"{target} would be written over the picture itself; give another --out")


def write_json(path: Path, content: Any) -> None:
    """Into a file, or for `-` onto stdout."""
    if str(path) == "-":
        sys.stdout.write(files.json_text(files.plain(content), sys.stdout.encoding, indent=1, allow_nan=False) + "\n")
    else:
        files.write_json(path, content)


def report(json_file: Path | None, content: Any) -> bool:
    """Write a result where `--json` names a file, and say whether it is to be shown as well: unless it is on standard output already."""
    if json_file is not None:
        write_json(json_file, content)
    return json_file is None or str(json_file) != "-"


_LIKE = str.maketrans({"·": ".", "–": "-", "−": "-", "×": "x", "…": "...", "✓": "+", "✗": "x", "→": "->", "½": "1/2", "²": "2", "±": "+-"})


def show_like_signs() -> None:
    """From now on, for signs that the terminal's encoding lacks (cp1252, ASCII) show others that are like them, or `?`, and go on."""

    def like(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        signs = error.object[error.start : error.end].translate(_LIKE)
        return "".join(sign if sign.isascii() else "?" for sign in signs), error.end

    codecs.register_error("posekit", like)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="posekit")


def save_picture(picture: Any, path: Path) -> None:
    """A Pillow image as PNG, whatever the file is called."""
    with files.replacing(path) as temporary:
        picture.save(temporary, "PNG")
