"""Pictures stored once, as JPEG, with a table beside them: the container of crops and of rendered pictures.

A store is a folder of shards. `shard-00000.jpegs` holds the JPEG bytes of up to `SHARD` pictures end to end,
read through a memory map; `shard-00000.npz` says where each begins, its CRC-32, and whatever else belongs to
it. A shard is written under a temporary name, and counts once its `.npz` stands: an interrupted build goes on
with the shard that it was at. One process builds at a time, others wait for it. Memory does not grow with the
number of pictures.
"""

import math
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from filelock import FileLock

from posekit.data.people import iterate
from posekit.errors import PosekitError
from posekit.files import atomic_write, not_written
from posekit.process import memory_there_is

SHARD = 4096  # pictures in a shard
QUALITY = 95
WIDEST = 65_500  # pixels of a JPEG a side
COLUMNS = ("index", "spans", "reasons", "messages")  # that every table has
AGAIN = "run it again, what is done already is kept"


@dataclass(frozen=True)
class Item:
    """A picture to be stored, and its row of the table."""

    jpeg: bytes
    row: dict[str, Any]


@dataclass(frozen=True)
class LeftOut:
    """A picture that is not stored."""

    reason: str  # completes "12 people …"
    message: str  # one line that names file and record


@dataclass(frozen=True)
class Shards:
    """N stored pictures."""

    folder: Path
    index: np.ndarray  # (N,) int64: which of those that were asked for each one is
    spans: np.ndarray  # (N, 4) int64: shard, first byte, one past the last byte, CRC-32
    table: dict[str, np.ndarray]  # name to (N, ...)
    left_out: dict[str, int]  # reason to count
    data: tuple[np.ndarray, ...]  # memory-mapped bytes, one array a shard

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, i: int) -> np.ndarray:
        """Picture (H, W, 3) uint8. Damaged bytes raise PosekitError."""
        shard, start, stop, crc = self.spans[i]
        jpeg = self.data[shard][start:stop].tobytes()
        if zlib.crc32(jpeg) != crc:
            raise PosekitError(f"{_paths(self.folder, shard)[0]}: picture {i} is damaged on disk; delete {self.folder} to make it again")
        return simplejpeg.decode_jpeg(jpeg, "RGB")

    def select(self, index) -> "Shards":
        """The pictures that an index array, a boolean mask or a slice selects."""
        index = np.arange(len(self))[index]
        table = {name: values[index] for name, values in self.table.items()}
        return Shards(self.folder, self.index[index], self.spans[index], table, self.left_out, self.data)


def encode(picture: np.ndarray) -> bytes:
    """JPEG bytes of a picture (H, W, 3) uint8, its colours at full resolution."""
    return simplejpeg.encode_jpeg(np.ascontiguousarray(picture), QUALITY, "RGB", "444")


def check_side(side: int, at_once: int, pixel: int) -> None:
    """Complain where pictures of `side` pixels do not fit into a JPEG, or `at_once` of them, `pixel` bytes a pixel, into the memory.

    >>> check_side(10**6, 2, 12)
    Traceback (most recent call last):
    posekit.errors.PosekitError: size is 1000000: pictures of so many pixels a side ...; ... is the most here
    """
    memory, need = memory_there_is(), at_once * pixel * side**2
    most = math.isqrt(memory // (at_once * pixel)) if memory else WIDEST
    if side > min(most, WIDEST):
        why = f"need {need // 2**30:,} GiB of memory, and there are {memory // 2**30:,} GiB" if most < WIDEST else "fit into no JPEG"
        raise PosekitError(f"size is {side}: pictures of so many pixels a side {why}; {min(most, WIDEST):,} is the most here")


def build(
    folder: Path, count: int, produce: Callable[[np.ndarray], Iterable[Item | LeftOut]], *, strict: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Shards:  # fmt: skip
    """Store `count` pictures in `folder`, those that are not there yet, and open the store.

    `produce` takes an index array and yields one item an index, in order. `progress` is called with how many more are
    done, those already there included. `strict` makes again what was left out before, so that `produce` may
    complain about it. A full disk and other failures to write raise PosekitError; what is whole by then is
    kept.
    """
    parts = list(enumerate(iterate(count, SHARD)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if all(_stands(folder, number, strict) for number, _ in parts):
            if progress:
                progress(count)
        else:
            with _alone(folder):
                for number, index in parts:
                    if not _stands(folder, number, strict):
                        _write(folder, number, index, produce, progress)
                    elif progress:
                        progress(len(index))
    except OSError as error:
        raise not_written(folder, error, AGAIN) from None
    return open_store(folder, count)


def is_complete(folder: Path, count: int) -> bool:
    """Whether all shards of the store of `count` pictures stand."""
    return all(_stands(folder, number, False) for number in range(-(-count // SHARD)))


def open_store(folder: Path, count: int) -> Shards:
    """Open the store of `count` pictures in a folder. Missing, damaged or cut off files raise PosekitError."""
    tables, data, reasons = [], [], []
    for number in range(-(-count // SHARD)):
        jpegs, npz = _paths(folder, number)
        table = _read_table(npz, folder)
        reasons.extend(table.pop("reasons").tolist())
        table.pop("messages")
        tables.append(table)
        length = int(table["spans"][-1, 2]) if len(table["spans"]) else 0
        if not jpegs.is_file() or jpegs.stat().st_size != length:
            raise PosekitError(f"{jpegs}: missing or of the wrong length; delete {folder} to make it again")
        data.append(np.memmap(jpegs, np.uint8, "r") if length else np.zeros(0, np.uint8))
    tables = [table for table in tables if len(table["spans"])] or tables[:1]
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]} if tables else {}
    index, spans = (
        columns.pop("index", np.zeros(0, np.int64)),
        columns.pop("spans", np.zeros((0, 4), np.int64)),
    )
    return Shards(folder, index, spans, columns, {r: reasons.count(r) for r in dict.fromkeys(reasons)}, tuple(data))


def _paths(folder: Path, number: int) -> tuple[Path, Path]:
    return folder / f"shard-{number:05}.jpegs", folder / f"shard-{number:05}.npz"


def _read_table(npz: Path, folder: Path, *columns: str) -> dict[str, np.ndarray]:
    try:
        with open(npz, "rb") as file, np.load(file) as table:  # NumPy leaves a broken file open
            return {name: table[name] for name in columns or dict.fromkeys([*table.files, *COLUMNS])}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise PosekitError(f"{npz}: not a whole table ({error}); delete {folder} to make it again") from None


def _stands(folder: Path, number: int, strict: bool) -> bool:
    npz = _paths(folder, number)[1]
    return npz.exists() and not (strict and len(_read_table(npz, folder, "messages")["messages"]))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; what a killed one left half-written is removed."""
    with FileLock(folder / ".lock"):
        for leftover in folder.glob("*.tmp"):
            leftover.unlink()
        yield


def _write(folder: Path, number: int, index: np.ndarray, produce, progress) -> None:
    kept, rows, spans, lost, end = [], [], [], [], 0
    jpegs, npz = _paths(folder, number)
    with atomic_write(jpegs, AGAIN) as file:
        for i, item in zip(index, produce(index), strict=True):
            if isinstance(item, LeftOut):
                lost.append(item)
            else:
                file.write(item.jpeg)
                kept.append(i)
                rows.append(item.row)
                spans.append((number, end, end + len(item.jpeg), zlib.crc32(item.jpeg)))
                end += len(item.jpeg)
            if progress:
                progress(1)
    columns: dict[str, Any] = {name: np.stack([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    columns["reasons"] = np.array([item.reason for item in lost], str)
    columns["messages"] = np.array([item.message for item in lost], str)
    with atomic_write(npz, AGAIN) as file:
        np.savez(
            file, index=np.array(kept, np.int64), spans=np.array(spans, np.int64).reshape(-1, 4),
            **columns,
        )  # fmt: skip
