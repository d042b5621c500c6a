"""Square crops around people, cut out once and stored once.

A store is a folder of shards. `shard-00000.jpegs` is the crops' JPEG bytes end to end, read through a memory map;
`shard-00000.npz` says where each begins, its CRC-32, its keypoints in crop pixels and the matrix from picture to crop.
A shard is written under a temporary name and counts once its `.npz` stands, so that an interrupted build goes on
with the shard that it was at. Memory does not grow with the number of people.
"""

import errno
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from posekit.coordinates import CONTEXT, MARGIN, cropping, person_square, transform_keypoints
from posekit.data.people import People, iterate
from posekit.errors import PosekitError

SHARD = 4096  # crops in a shard
QUALITY = 95


def cut(picture: np.ndarray, centre: np.ndarray, side: float, size: int) -> np.ndarray:
    """The square of `side` pixels around `centre` (x, y) of a picture (H, W, 3), as (size, size, 3); black outside.

    Antialiased when it shrinks. The square's position is kept to the fraction of a pixel.
    """
    height, width = picture.shape[:2]
    low = np.asarray(centre) + 0.5 - side / 2  # outer edges, in the convention where the picture spans [0, W]
    x0, y0 = np.floor(low).astype(int) - 1
    x1, y1 = np.ceil(low + side).astype(int) + 1
    inside = picture[max(y0, 0) : max(min(y1, height), 0), max(x0, 0) : max(min(x1, width), 0)]
    canvas = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
    if inside.size:
        top, left = max(-y0, 0), max(-x0, 0)
        canvas[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    box = (low[0] - x0, low[1] - y0, low[0] - x0 + side, low[1] - y0 + side)
    return np.asarray(Image.fromarray(canvas).resize((size, size), Image.Resampling.BILINEAR, box=box))


@dataclass(frozen=True)
class Crops:
    """N stored crops. `people` are those that were cut, in order."""

    people: People
    size: int  # pixels a side
    keypoints: np.ndarray  # (N, K, 3) float32, in crop pixels
    matrices: np.ndarray  # (N, 3, 3) float64, from picture pixels to crop pixels
    spans: np.ndarray  # (N, 4) int64: shard, first byte, one past the last byte, CRC-32
    shards: tuple[np.ndarray, ...]  # memory-mapped bytes

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, index: int) -> np.ndarray:
        """Crop (size, size, 3) uint8. Damaged bytes raise PosekitError."""
        shard, start, stop, crc = self.spans[index]
        data = self.shards[shard][start:stop].tobytes()
        if zlib.crc32(data) != crc:
            raise PosekitError(f"crop {index} of {self.people.source} is damaged on disk; delete its folder to cut it again: "
                               f"{self.shards[shard].filename}")  # fmt: skip
        return simplejpeg.decode_jpeg(data, "RGB")

    def select(self, index) -> "Crops":
        """The crops that an index array or boolean mask selects."""
        index = np.arange(len(self))[index]
        return Crops(self.people[index], self.size, self.keypoints[index], self.matrices[index], self.spans[index], self.shards)


def _cut_chunk(people: People, size: int, on_error: str) -> list[tuple[bytes, np.ndarray, np.ndarray] | str]:
    out: list[tuple[bytes, np.ndarray, np.ndarray] | str] = []
    centres, sides = person_square(people.boxes, MARGIN * CONTEXT)
    matrices = cropping(centres, sides, size)
    keypoints = transform_keypoints(matrices, people.keypoints).astype(np.float32)
    last, picture = None, None
    for i, name in enumerate(people.names):
        try:
            if name != last:
                picture, last = people.read(str(name)), name
            crop = cut(picture, centres[i], sides[i], size)
        except PosekitError as error:
            if on_error == "raise":
                raise PosekitError(f"person {people.ids[i]}: {error}") from None
            out.append(str(error))
            last = None
            continue
        jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(crop), QUALITY, "RGB", "444")
        out.append((jpeg, keypoints[i], matrices[i]))
    return out


def crops(
    people: People, size: int, cache: str | Path = "data", *, workers: int | None = None, on_error: str = "raise",
    progress: Callable[[int], None] | None = None,
) -> Crops:  # fmt: skip
    """The stored crops of `people`, `size` pixels a side; cut now, in parallel, where they are not yet in `cache`.

    A crop is the square MARGIN * CONTEXT times the longer side of the person's box. People whose picture cannot be
    read raise PosekitError, or with `on_error="skip"` are left out and counted. `progress` hears how many were cut.
    """
    folder = Path(cache) / "crops" / f"{people.source.partition(':')[0]}-{len(people)}-{size}px-{people.fingerprint()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pending = [
            (number, index) for number, index in enumerate(iterate(len(people), SHARD))
            if not (folder / f"shard-{number:05}.npz").exists()
        ]  # fmt: skip
        if pending:
            _build(folder, people, size, pending, workers or os.cpu_count() or 1, on_error, progress)
    except OSError as error:
        full = " (the disk is full; free some room, what is cut already is kept)" if error.errno == errno.ENOSPC else ""
        raise PosekitError(f"{folder}: {error.strerror}{full}") from None
    return _open(folder, people, size)


def _build(folder: Path, people: People, size: int, pending, workers: int, on_error: str, progress) -> None:
    with ThreadPoolExecutor(workers) as pool:  # decoding, resizing and encoding release the interpreter lock
        for number, index in pending:
            chunks = [index[c] for c in iterate(len(index), 64)]
            results = pool.map(_cut_chunk, (people[c] for c in chunks), [size] * len(chunks), [on_error] * len(chunks))
            temporary = folder / f"shard-{number:05}.{os.getpid()}.tmp"
            kept, keypoints, matrices, spans, end = [], [], [], [], 0
            try:
                with open(temporary, "wb") as file:
                    for chunk, done in zip(chunks, results, strict=True):
                        for i, item in zip(chunk, done, strict=True):
                            if isinstance(item, str):
                                continue
                            jpeg, k, m = item
                            file.write(jpeg)
                            kept.append(i), keypoints.append(k), matrices.append(m)
                            spans.append((number, end, end + len(jpeg), zlib.crc32(jpeg)))
                            end += len(jpeg)
                        if progress:
                            progress(len(chunk))
                os.replace(temporary, folder / f"shard-{number:05}.jpegs")
                with open(temporary, "wb") as file:
                    np.savez(
                        file, people=np.array(kept, np.int64), spans=np.array(spans, np.int64).reshape(-1, 4),
                        keypoints=np.array(keypoints, np.float32).reshape(-1, len(people.skeleton), 3),
                        matrices=np.array(matrices).reshape(-1, 3, 3),
                    )  # fmt: skip
                os.replace(temporary, folder / f"shard-{number:05}.npz")
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                temporary.unlink(missing_ok=True)
                raise


def _open(folder: Path, people: People, size: int) -> Crops:
    tables, shards = [], []
    for number, _ in enumerate(iterate(len(people), SHARD)):
        data = folder / f"shard-{number:05}.jpegs"
        with np.load(folder / f"shard-{number:05}.npz") as table:
            tables.append({name: table[name] for name in table.files})
        length = int(tables[-1]["spans"][-1, 2]) if len(tables[-1]["spans"]) else 0
        if not data.is_file() or data.stat().st_size != length:
            raise PosekitError(f"{data}: missing or of the wrong length; delete {folder} to cut the crops again")
        shards.append(np.memmap(data, np.uint8, "r") if length else np.zeros(0, np.uint8))
    if not tables:
        raise PosekitError(f"{people.source}: nobody to cut out; {people.summary()}")
    column = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    kept = people[column["people"]]
    if len(kept) < len(people):
        kept.left_out["with an unreadable picture"] = len(people) - len(kept)
    return Crops(kept, size, column["keypoints"], column["matrices"], column["spans"], tuple(shards))
