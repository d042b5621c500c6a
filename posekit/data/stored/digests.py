"""What files hold, identified in 64 bits each: read once, and remembered for as long as the file is left alone."""

import hashlib
import os
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from posekit.errors import PosekitError
from posekit.files import atomic_write, expand_user, file_hash
from posekit.process import cores

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
    store = None if memory is None else expand_user(memory) / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.npz"
    files, rows = np.unique(names, return_inverse=True)
    marks = {file: mark for file in files.tolist() if (mark := _mark(os.path.join(root, file)))}
    known = _recall(store) if store else {}
    found = {file: known[file][1] for file, mark in marks.items() if file in known and known[file][0] == mark}
    unread = [file for file in marks if file not in found]
    began = time.time_ns()
    found.update(_read(root, unread, _digest))
    settled: Known = {file: (marks[file], found[file]) for file in unread if found[file] and max(marks[file][1:]) < began - COARSE}
    if store and settled:
        _remember(store, known | settled)
    return np.array([found.get(file, 0) for file in files.tolist()], np.uint64)[rows]


def alike(root: str | Path, names: np.ndarray) -> np.ndarray:
    """Numbers (N,) of what the files `names` (N,) under `root` hold: the same for files that are the same byte by byte.

    Only files of the same length and the same last 4 KB are read. One that cannot be read is like no other.
    """
    root = os.path.realpath(os.path.expanduser(root))
    files, rows = np.unique(names, return_inverse=True)
    groups = [0] * len(files)
    for look in (_length, _tail, _digest):
        suspects = [i for i, count in enumerate(_shared(groups)) if count > 1]
        seen = _read(root, [files[i] for i in suspects], look)
        identified = {i: (groups[i], seen[files[i]] or -1 - i) for i in suspects}
        keys = [identified.get(i, (-1, i)) for i in range(len(files))]
        order = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        groups = [order[key] for key in keys]
    return np.array(groups, np.int64)[rows]


def _shared(groups: list[int]) -> list[int]:
    """How many are in the group of each."""
    counts = Counter(groups)
    return [counts[group] for group in groups]


def _length(file: str) -> int:
    mark = _mark(file)
    return mark[0] + 1 if mark else 0


def _tail(file: str) -> int:
    try:
        with open(file, "rb") as content:
            content.seek(max(os.fstat(content.fileno()).st_size - 4096, 0))
            return hash(content.read()) or 1
    except OSError:
        return 0


def _mark(file: str) -> Mark | None:
    try:
        found = os.stat(file)
    except (OSError, ValueError):  # whoever reads it says what is wrong with it
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read(root: str, files: list[str], look: Callable[[str], int]) -> dict[str, int]:
    """What `look` says of each file, by threads: reading and hashing release the interpreter lock."""
    parts = [files[i : i + PART] for i in range(0, len(files), PART)]
    with ThreadPoolExecutor(min(cores(), 8)) as pool:
        values = pool.map(lambda part: [look(os.path.join(root, file)) for file in part], parts)
        return {file: value for part, some in zip(parts, values, strict=True) for file, value in zip(part, some, strict=True)}


def _digest(file: str) -> int:
    try:
        return int.from_bytes(bytes.fromhex(file_hash(file))[:8], "little")
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
    """Of two processes that do so the last one is right too."""
    columns: dict[str, Any] = {
        "names": np.frombuffer(os.fsencode("\0".join(known)), np.uint8),
        "marks": np.array([mark for mark, _ in known.values()], np.int64),
        "digests": np.array([digest for _, digest in known.values()], np.uint64),
    }
    with suppress(PosekitError), atomic_write(store) as file:
        np.savez(file, **columns)
