"""Files: written whole or not at all, JSON, and hashes of what they hold. Locks are `filelock`'s.

with atomic_write("codes.npy") as file:  # takes its name when everything is on the disk
    numpy.save(file, codes)
"""

import ast
import errno
import functools
import gc
import gzip
import hashlib
import json
import math
import os
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from posekit.errors import PosekitError


@contextmanager
def replacing(path: str | Path, then: str = "") -> Iterator[Path]:
    """A path to write to, beside `path`, which takes its name when everything is on the disk; on an error nothing stays.

    Folders on the way are made. What is no file, /dev/stdout say, is written to as it is. `then` says what to do after room was
    made on a full disk.

    Raises:
        PosekitError: it cannot be written: any OSError within the block.
    """
    path, temporary = Path(path), None
    try:
        if path.exists() and not path.is_file():
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.tmp")
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise not_written(path, error, then) from None
    finally:
        if temporary:
            with suppress(OSError):  # of the disk that it cannot be written to
                temporary.unlink()


@contextmanager
def atomic_write(path: str | Path, then: str = "") -> Iterator[IO[bytes]]:
    """`replacing`, with the file open for bytes."""
    with replacing(path, then) as temporary, open(temporary, "wb") as file:
        yield file


def expand_user(path: str | Path) -> Path:
    """The path with the home folder in place of ~ or ~NAME at its beginning; where there is no such user, ~NAME is a file's name.

    >>> expand_user("~nobody-of-this-name.jpg").name
    '~nobody-of-this-name.jpg'
    """
    return Path(os.path.expanduser(path))


def write_text(path: str | Path, text: str) -> None:
    """Whole or not at all, in UTF-8."""
    with atomic_write(path) as file:
        file.write(text.encode())


def not_written(path: Path, error: OSError, then: str = "") -> PosekitError:
    """What to say of a file or folder that cannot be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = f"; the disk is full: free some room{' and ' if then else ''}{then}" if full else ""
    return PosekitError(f"{path}: could not be written: {error.strerror or error}{advice}")


def plain(value: Any) -> Any:
    """The value as JSON holds it: arrays, tensors and NumPy numbers unwrapped, what is not finite None, paths as text.

    >>> import numpy as np
    >>> plain({"mean": np.float32(0.5), "low": float("nan"), 3: np.arange(2), "file": Path("a.png")})
    {'mean': 0.5, 'low': None, '3': [0, 1], 'file': 'a.png'}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def json_text(content: Any, encoding: str | None = "utf-8", **options: Any) -> str:
    """JSON with its signs as they are, or escaped where the encoding lacks one: file names that are not UTF-8 come back whole."""
    text = json.dumps(content, ensure_ascii=False, **options)
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(content, **options)
    return text


def write_json(path: str | Path, content: Any) -> None:
    """What `plain` makes of the content, indented, whole or not at all."""
    write_text(path, json_text(plain(content), indent=1, allow_nan=False) + "\n")


def read_json(file: Path) -> Any:
    """The content of a JSON file, or of a gzipped one. One that cannot be read or is not whole raises PosekitError."""
    collecting = gc.isenabled()
    gc.disable()  # a million small lists are not garbage: looking for it takes most of the time
    try:
        data = file.read_bytes()
        return json.loads(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        fault = f"cannot be read: {error.strerror}" if isinstance(error, OSError) and error.strerror else f"not a whole JSON file ({error})"
        raise PosekitError(f"{file}: {fault}") from None
    finally:
        if collecting:
            gc.enable()


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """SHA-256 of a text in UTF-8, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def code_hash(source: str) -> str:
    """Sixteen hexadecimal digits of Python without comments, docstrings and formatting; of anything else (magics, say) as it stands."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return text_hash(source)[:16]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return text_hash(ast.dump(tree))[:16]
