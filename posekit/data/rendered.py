"""Mannequins as people: rendered once into a store (`posekit.data.shards`), read from there ever after."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import ModuleType

import numpy as np

from posekit.data.people import Check, People, joints_box, sift
from posekit.data.shards import Item, Shards, build, encode, open_store
from posekit.errors import PosekitError
from posekit.files import code_hash, text_hash
from posekit.skeleton import COCO

COUNT, SIZE, SEED = 8000, 160, 0
FACTOR = "factor "


def load(
    options: str | None = None, *, cache: str | Path = "data", workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> People:  # fmt: skip
    """The people of `[COUNT][,size=PIXELS][,seed=NUMBER]`, rendered now where they are not yet in `cache`.

    Of every ten people the ninth is for val, the tenth for test. The store's name follows from the options
    and from the renderer's code, so that pictures of an older renderer are never taken for those of this one.
    `areas` are 0.53 of the silhouette's box: the same measure as COCO's segments, which fill about half their
    boxes.
    """
    count, size, seed = parse_options(options)
    version = renderer_version()
    folder = Path(cache) / "pictures" / f"mannequins-{count}-{size}px-seed{seed}-{version}"

    def produce(index: np.ndarray) -> Iterator[Item]:
        from posekit.data.mannequins import render_many

        people = render_many(index.tolist(), seed=seed, size=size, workers=workers)
        with _nameless_main():  # the processes start with the first person
            first = next(iter(people))
        for person in chain([first], people):
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
        read=Rendered(str(folder), count), source=_source(count, size, seed), image_ids=index,
        areas=0.53 * silhouettes[index, 2] * silhouettes[index, 3], factors=factors, left_out=left_out, version=version,
    )  # fmt: skip


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
    """Twelve hexadecimal digits of the renderer's code, without comments and formatting."""
    sources = sorted(Path(__file__).with_name("mannequins").glob("*.py"))
    return text_hash("".join(code_hash(source.read_text("utf-8")) for source in sources))[:12]


@contextmanager
def _nameless_main() -> Iterator[None]:
    """Processes started within do not run the caller's script again, which need not guard itself by `__name__`."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@dataclass(frozen=True)
class Rendered:
    """Reads rendered pictures by their number from a store of `count`."""

    folder: str
    count: int

    def __call__(self, name: str) -> np.ndarray:
        return _store(self.folder, self.count)[int(name)]


@lru_cache(maxsize=8)
def _store(folder: str, count: int) -> Shards:
    return open_store(Path(folder), count)
