"""Mannequins as people: rendered once into a store (`posekit.data.stored.shards`), read from there ever after."""

import math
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posekit.data.people import Check, People, joints_box, sift
from posekit.data.stored.shards import Item, Shards, build, check_side, encode, open_store
from posekit.errors import PosekitError
from posekit.files import code_hash, text_hash
from posekit.process import cores, keep_memory
from posekit.skeleton import COCO

if TYPE_CHECKING:
    from posekit.data.mannequins import Mannequin

COUNT, SIZE, SEED = 8000, 160, 0
PICTURES = "8e67b5d173c5"  # what the pictures show, for results that are kept beyond a change of code: another value when they change
CHUNK = 16  # people that a process renders at a time
PIXEL = 120  # bytes that a process needs for each pixel of a picture: up to 90 to render it, and those of the chunk
WORKER = "import pickle, sys; sys.path[:], *task = pickle.load(sys.stdin.buffer); from posekit.data import rendered; rendered.work(*task)"
FACTOR = "factor "


def load(
    options: str | None = None, *, cache: str | Path = "data", workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> People:  # fmt: skip
    """The people of `[COUNT][,size=PIXELS][,seed=NUMBER]`, rendered now where they are not yet in `cache`.

    Of every ten people the ninth is for val, the tenth for test. The store's name follows from the options
    and from the renderer's code, so that pictures of an older renderer are never taken for those of this one.
    `areas` are 0.53 of the silhouette's box: the same measure as COCO's segments, which fill about half their
    boxes. A size that memory or JPEG do not allow raises PosekitError.
    """
    count, size, seed = parse_options(options)
    workers = cores() if workers is None else workers
    check_side(size, max(min(workers, math.ceil(count / CHUNK)), 1), PIXEL)
    version = renderer_version()
    folder = Path(cache) / "pictures" / f"mannequins-{count}-{size}px-seed{seed}-{version}"

    def produce(index: np.ndarray) -> Iterator[Item]:
        for person in _render(index.tolist(), seed, size, workers):
            row = {"keypoints": person.keypoints.astype(np.float32), "boxes": person.box.astype(np.float32)}
            factors = {FACTOR + name: np.float32(value) for name, value in person.factors.items()}
            yield Item(encode(person.picture), row | factors)

    store = build(folder, count, produce, progress=progress)
    keypoints = store.table["keypoints"].astype(float)
    labelled = (keypoints[..., 2] > 0).sum(1) > 0
    boxes = np.zeros((count, 4))
    boxes[labelled] = joints_box(keypoints[labelled])
    silhouettes = store.table["boxes"].astype(float)
    checks = (
        Check("without labelled joints in the picture", ~labelled, str, expected=True),
        Check("with labelled joints in one point only", boxes[:, 2:].max(1) <= 0, str, expected=True),
    )
    keep, left_out = sift(count, checks, "raise")
    index = np.flatnonzero(keep)
    factors = {name[len(FACTOR) :]: values[index] for name, values in store.table.items() if name.startswith(FACTOR)}
    return People(
        COCO, np.char.mod("%06d", index), boxes[index], keypoints[index], index, split_of(index),
        read=Rendered(str(folder), count, f"mannequins, seed {seed}"), source=_source(count, size, seed), image_ids=index,
        areas=0.53 * silhouettes[index, 2] * silhouettes[index, 3], factors=factors, left_out=left_out, version=version,
    )  # fmt: skip


def _render(indices: list[int], seed: int, size: int, workers: int) -> Iterator["Mannequin"]:
    """What `render_many` gives, by processes that do not run the caller's script again, which need not guard itself by `__name__`.

    Raises:
        PosekitError: one of the processes ends before its time.
    """
    chunks = [indices[i : i + CHUNK] for i in range(0, len(indices), CHUNK)]
    workers = min(workers, len(chunks))
    if workers <= 1:
        yield from render_chunk(indices, seed, size)
        return
    with ExitStack() as ending:
        pipes = []
        try:
            for first in range(workers):
                process = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                ending.enter_context(process)
                ending.callback(process.kill)
                assert process.stdin and process.stdout
                with process.stdin as task:
                    pickle.dump((sys.path, chunks[first::workers], seed, size), task)
                pipes.append(process.stdout)
            for number in range(len(chunks)):
                yield from pickle.load(pipes[number % workers])  # who is ahead waits
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            raise PosekitError("rendering: one of its processes ended before its time, most often because memory ran out") from None


def work(chunks: list[list[int]], seed: int, size: int) -> None:
    """Render in a process that does nothing else; each chunk goes to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who ends this
    keep_memory()
    for chunk in chunks:
        pickle.dump(render_chunk(chunk, seed, size), sys.stdout.buffer)
        sys.stdout.buffer.flush()


def render_chunk(indices: list[int], seed: int, size: int) -> list["Mannequin"]:
    from posekit.data.mannequins import render_many

    return list(render_many(indices, seed=seed, size=size, workers=1))


def parse_options(options: str | None) -> tuple[int, int, int]:
    """Count, size and seed.

    >>> parse_options("300,size=96"), parse_options(None), parse_options("seed=3")
    ((300, 96, 0), (8000, 160, 0), (8000, 160, 3))
    """
    values = {"count": COUNT, "size": SIZE, "seed": SEED}
    for i, part in enumerate(options.split(",") if options else ()):
        name, equals, number = part.strip().partition("=")
        if not equals and i == 0:
            name, number = "count", name
        least = {"count": 1, "size": 16, "seed": 0}.get(name)
        if least is None or not number.isdecimal() or int(number) < least:
            raise PosekitError(f"mannequins:{options}: {part!r} is not understood; write mannequins:COUNT,size=PIXELS,seed=NUMBER")
        values[name] = int(number)
    return values["count"], values["size"], values["seed"]


def _source(count: int, size: int, seed: int) -> str:
    return f"mannequins:{count},size={size},seed={seed}"


def split_of(index: np.ndarray) -> np.ndarray:
    """The splits (N,) of people by their number."""
    return np.select([index % 10 == 8, index % 10 == 9], ["val", "test"], "train")


def renderer_version() -> str:
    """Twelve hexadecimal digits of the renderer's code, without comments and formatting; pairs of pictures are in no store."""
    sources = sorted(path for path in Path(__file__).with_name("mannequins").glob("*.py") if path.name != "pairs.py")
    return text_hash("".join(code_hash(source.read_text("utf-8")) for source in sources))[:12]


def as_shown(people: People) -> People:
    """The same people; mannequins with PICTURES for their version, for what is trained and kept beyond a change of the renderer's code."""
    return replace(people, version=PICTURES) if people.version == renderer_version() else people


@dataclass(frozen=True)
class Rendered:
    """Reads rendered pictures by their number from a store of `count`; `source` tells those of another seed apart, and not another size."""

    folder: str
    count: int
    source: str

    def __call__(self, name: str) -> np.ndarray:
        return _store(self.folder, self.count)[int(name)]


@lru_cache(maxsize=8)
def _store(folder: str, count: int) -> Shards:
    return open_store(Path(folder), count)
