"""What files hold, told in 64 bits each: read once, and remembered for as long as the file is left alone."""

import hashlib
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

COARSE = 2e9  # nanoseconds; clocks of file systems go in steps of up to this
PART = 64  # files that a thread reads at a time

Mark = tuple[int, int, int]  # a file's length, mtime and ctime in nanoseconds
Known = dict[str, tuple[Mark, int]]  # file to its mark and its digest


def digests(root: str | Path, names: np.ndarray, memory: str | Path | None = None) -> np.ndarray:
    """A hash (N,) uint64 of the content of each file `names` (N,) under `root`; 0 for one that cannot be read.

    With a folder `memory` a file is read once, and again when its length, the time of its last change (mtime)
    or that of the last change to its entry (ctime) is another, to the nanosecond. So a file that is replaced
    by one of the same length is read anew, even under the old mtime: programs set that as they like, ctime the
    system alone. Where ctime is something else, on Windows, whoever replaces a file and puts its mtime back is
    not noticed. A file that changed less than two seconds ago is not remembered yet, since it may change again
    within one tick of its file system's clock. A memory that is damaged or cannot be written costs time only.
    """
    root = os.path.realpath(os.path.expanduser(root))
    store = None if memory is None else Path(memory).expanduser() / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.npz"
    files, rows = np.unique(names, return_inverse=True)
    marks = {file: mark for file in files.tolist() if (mark := _mark(os.path.join(root, file)))}
    known = _recall(store) if store else {}
    found = {file: known[file][1] for file, mark in marks.items() if file in known and known[file][0] == mark}
    unread = [file for file in marks if file not in found]
    began = time.time_ns()
    found.update(_read(root, unread))
    settled: Known = {file: (marks[file], found[file]) for file in unread if found[file] and max(marks[file][1:]) < began - COARSE}
    if store and settled:
        _remember(store, known | settled)
    return np.array([found.get(file, 0) for file in files.tolist()], np.uint64)[rows]


def _mark(file: str) -> Mark | None:
    try:
        found = os.stat(file)
    except (OSError, ValueError):  # whoever reads it says what is wrong with it
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read(root: str, files: list[str]) -> dict[str, int]:
    """Digests of files, by threads: reading and hashing release the interpreter lock."""
    parts = [files[i : i + PART] for i in range(0, len(files), PART)]
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        values = pool.map(lambda part: [_digest(os.path.join(root, file)) for file in part], parts)
        return {file: value for part, some in zip(parts, values, strict=True) for file, value in zip(part, some, strict=True)}


def _digest(file: str) -> int:
    try:
        with open(file, "rb") as content:
            return int.from_bytes(hashlib.file_digest(content, "sha256").digest()[:8], "little")
    except OSError:
        return 0


def _recall(store: Path) -> Known:
    try:
        with open(store, "rb") as file, np.load(file) as table:
            names: Sequence[str] = os.fsdecode(table["names"].tobytes()).split("\0")
            rows = zip(names, map(tuple, table["marks"].tolist()), table["digests"].tolist(), strict=True)
            return {name: (mark, digest) for name, mark, digest in rows}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return {}


def _remember(store: Path, known: Known) -> None:
    """Written whole under a name of its own, then renamed: of two processes that do so the last one is right too."""
    columns: dict[str, Any] = {
        "names": np.frombuffer(os.fsencode("\0".join(known)), np.uint8),
        "marks": np.array([mark for mark, _ in known.values()], np.int64),
        "digests": np.array([digest for _, digest in known.values()], np.uint64),
    }
    with suppress(OSError):
        store.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=store.parent, suffix=".tmp", delete=False) as file:
            try:
                np.savez(file, **columns)
                file.close()
                os.replace(file.name, store)
            except BaseException:
                file.close()
                os.unlink(file.name)
                raise
