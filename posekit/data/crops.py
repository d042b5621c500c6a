"""Square crops around people, cut out once and stored once (`posekit.data.stored.shards`)."""

import hashlib
import math
import operator
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from posekit.coordinates import CONTEXT, MARGIN, cropping, person_square, transform_keypoints
from posekit.data.people import SKIP, People, check_on_error, iterate
from posekit.data.pictures import Folder
from posekit.data.stored import seen
from posekit.data.stored.shards import QUALITY, Item, LeftOut, Shards, build, check_side, encode, is_complete, open_store
from posekit.display.drawing import sheet
from posekit.display.html import webp
from posekit.errors import PosekitError, whole
from posekit.process import cores

CHUNK = 32  # people that a thread cuts at a time
PIXEL = 12  # bytes that a thread needs for each pixel of a crop: Pillow's, the crop's and what is filled in
SHOWN = 12  # crops that a notebook shows


def cut(picture: np.ndarray, centre: np.ndarray, side: float, size: int) -> np.ndarray:
    """The square of `side` pixels around `centre` (x, y) of a picture (H, W, 3), as (size, size, 3); black outside.

    Antialiased when it shrinks. The square's position is kept to the fraction of a pixel: a point of the
    picture lies where `cropping(centre, side, size)` takes it.
    """
    crop = np.zeros((size, size, 3), np.uint8)
    factor = side / size  # picture pixels to a crop pixel
    reach = max(factor, 1.0)  # half the width of the triangular filter
    if factor > max(picture.shape[:2]):  # the picture would be a speck
        return crop
    low = np.asarray(centre, float) + 0.5 - side / 2  # outer edges, where the picture spans [0, W] and [0, H]
    columns, rows = (_touching(low[a], factor, reach, picture.shape[1 - a], size) for a in (0, 1))
    if not columns or not rows:
        return crop
    edges = [(low[a] + part[0] * factor, low[a] + part[-1] * factor + factor) for a, part in enumerate((columns, rows))]
    (x0, x1), (y0, y1) = ((math.floor(a - reach) - 1, math.ceil(b + reach) + 1) for a, b in edges)
    inside = picture[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    canvas = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
    top, left = max(-y0, 0), max(-x0, 0)
    canvas[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    box = (edges[0][0] - x0, edges[1][0] - y0, edges[0][1] - x0, edges[1][1] - y0)
    part = Image.fromarray(canvas).resize((len(columns), len(rows)), Image.Resampling.BILINEAR, box=box)
    crop[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = np.asarray(part)
    return crop


def _touching(low: float, factor: float, reach: float, length: int, size: int) -> range:
    """The crop pixels, along one axis, whose filter reaches the picture's [0, length]."""
    first = math.floor((-reach - low) / factor - 0.5)
    last = math.ceil((length + reach - low) / factor - 0.5)
    return range(max(first, 0), min(last + 1, size))


@dataclass(frozen=True)
class Crops:
    """N stored crops.

    Attributes:
        people: who was cut, in order.
        size: pixels a side.
        keypoints: (N, K, 3) float32, in crop pixels.
        matrices: (N, 3, 3) float64, from picture pixels to crop pixels.
        store: the crops themselves, read when they are needed.
        pictures: (N,) uint64: numbers of the pictures that they were cut from, by what these show (`posekit.data.stored.seen`).
        aspect: width over height of the network input that they were cut for.

    >>> import posekit
    >>> stored = posekit.crops(posekit.load_people("mannequins:4,size=40"), 24)
    >>> stored
    <Crops of 24 x 24 pixels; mannequins:4,size=40,seed=0: 4 people, 17.0 of 17 joints labelled>
    >>> stored[0].shape, stored.keypoints.shape  # a crop; everybody's joints in pixels of the crops
    ((24, 24, 3), (4, 17, 3))
    >>> len(stored.select(slice(2)))
    2
    """

    people: People
    size: int
    keypoints: np.ndarray
    matrices: np.ndarray
    store: Shards
    pictures: np.ndarray
    aspect: float = 1.0

    def __len__(self) -> int:
        return len(self.store)

    def __repr__(self) -> str:
        return f"<Crops of {self.size} x {self.size} pixels; {self.people.summary()}>"

    def _repr_html_(self) -> str:
        if not len(self):
            return f"<p>{escape(repr(self)[1:-1])}</p>"
        few = [self[i] for i in range(min(len(self), SHOWN))]
        drawn = sheet(few, list(self.keypoints[: len(few)]), self.people.skeleton, side=150, columns=6)
        return f'<p>{escape(repr(self)[1:-1])}</p>\n<img src="{webp(drawn, 85)}" alt="The first {len(few)}, with their annotated joints">'

    def __getitem__(self, index: int) -> np.ndarray:
        """Crop (size, size, 3) uint8. Damaged bytes raise PosekitError."""
        try:
            index = operator.index(index)
        except TypeError:
            raise PosekitError("crops[...] takes one number; select chooses several: crops.select(slice(3)) for crops[:3]") from None
        return self.store[index]

    def select(self, index: int | slice | Sequence[int] | np.ndarray) -> "Crops":
        """The crops that an index array, a boolean mask or a slice selects; a number selects one."""
        index = np.atleast_1d(np.arange(len(self))[index])
        return Crops(
            self.people[index],
            self.size,
            self.keypoints[index],
            self.matrices[index],
            self.store.select(index),
            self.pictures[index],
            self.aspect,
        )


def crops(
    people: People, size: int, cache: str | Path = "data", *, aspect: float = 1.0, workers: int | None = None, on_error: str = "raise",
    progress: Callable[[int], None] | None = None,
) -> Crops:  # fmt: skip
    """The stored crops of `people`, `size` pixels a side; cut now, in parallel, where they are not yet in `cache`.

    A crop is the square MARGIN * CONTEXT times the longer side of the person's box, or so much larger that the box fits into a network's
    input of `aspect`, its width over its height, in the middle (`Card.aspect`). The store's name follows
    from who is cut, how, and what the pictures' files hold, so that others under the same names are cut anew.
    `cache` remembers what a file held, and `posekit.data.stored.digests` says when it is read again: as soon as its
    length or one of its times changes. Whoever gives `people` another `read` gives them another `version` too. A store that has all of
    `people` and more serves as well. People whose picture cannot be read or whose box lies outside it or has
    no area raise PosekitError, or with `on_error="skip"` are left out and counted; a size that memory or JPEG do not
    allow, and a labelled joint that is not finite, raise PosekitError. `progress` is called with how many more are done.

    >>> import posekit
    >>> people = posekit.load_people("mannequins:4,size=40")
    >>> stored = posekit.crops(people, 24, cache="data")
    >>> len(stored), stored.size
    (4, 24)
    """
    if not isinstance(people, People):
        what = f"the data spec {people!r}" if isinstance(people, str) else f"a {type(people).__name__}"
        raise PosekitError(f"people is {what}; crops are cut of People, which posekit.load_people(SPEC) gives")
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise PosekitError(f"size is {size!r}; it is how many pixels a crop has a side, a whole number from 1")
    if isinstance(aspect, bool) or not isinstance(aspect, int | float | np.number) or not 0 < aspect < math.inf:
        raise PosekitError(f"aspect is {aspect!r}; it is a network input's width over its height, above 0")
    workers = (None if workers is None else whole("workers", workers)) or cores()
    check_side(int(size), min(workers, math.ceil(len(people) / CHUNK) or 1), PIXEL)
    check_on_error(on_error)
    shapes = {"boxes": (len(people), 4), "keypoints": (len(people), len(people.skeleton), 3)}
    for name, shape in shapes.items():
        if not isinstance(column := getattr(people, name), np.ndarray) or column.shape != shape:
            raise PosekitError(f"{people.source}: {name} is no array of shape {shape}, which {len(people)} people have")
    if (nowhere := (people.keypoints[..., 2] > 0) & ~np.isfinite(people.keypoints[..., :2]).all(-1)).any():
        i, k = np.argwhere(nowhere)[0]
        raise PosekitError(f"person {people.ids[i]} of {people.source}: {people.skeleton.joints[k]} is labelled and lies at "
                           f"{people.keypoints[i, k, :2].tolist()}; its flag is 0 where it is not labelled")  # fmt: skip
    if not isinstance(people.names, np.ndarray) or people.names.dtype.kind != "U":
        raise PosekitError(f"{people.source}: names is no array of text; give numpy.array(names, dtype=str)")
    if not len(people):
        raise PosekitError(f"{people.source}: nobody to cut out ({people.summary()})")
    root = Path(cache) / "crops"
    kind = f"{people.source.partition(':')[0]}-{size}px"
    numbers = seen.pictures(people, cache)
    keys = _keys(people, numbers, aspect)
    folder = root / f"{kind}-{len(people)}-{hashlib.sha256(keys.tobytes()).hexdigest()[:12]}"
    store = None if is_complete(folder, len(people)) else _larger(root, kind, keys)
    if store is None:
        cutting = partial(_produce, people, keys, size, aspect, workers, on_error)
        store = build(folder, len(people), cutting, strict=on_error == "raise", progress=progress)
    elif progress:
        progress(len(people))
    kept, numbers = (people[store.index], numbers[store.index]) if len(store) < len(people) else (people, numbers)
    kept = replace(kept, left_out=people.left_out | store.left_out)
    if not len(kept):
        raise PosekitError(f"{people.source}: nobody could be cut out ({kept.summary()})")
    return Crops(kept, size, store.table["keypoints"], store.table["matrices"], store, numbers, aspect)


def _keys(people: People, pictures: np.ndarray, aspect: float) -> np.ndarray:
    """A number (N,) uint64 for each person's crop, which follows from everything that decides it but its size.

    The pixels go in as a hash of the picture's file, which is the same in every copy of a folder.
    """
    shape = "" if aspect == 1 else f" {aspect:.6f}"
    how = hashlib.sha256(f"{people.version} {MARGIN * CONTEXT} {QUALITY}{shape}".encode()).digest()
    numbers = np.concatenate([people.boxes, people.keypoints.reshape(len(people), -1)], 1).astype(np.float64)
    letters = np.ascontiguousarray(people.names).view(np.uint32).reshape(len(people), -1)
    keys = np.full(len(people), int.from_bytes(how[:8], "little"), np.uint64)
    for words in np.ascontiguousarray(numbers.view(np.uint64).T):
        keys = _mixed(keys ^ words)
    for words in letters.astype(np.uint64).T:
        keys = np.where(words == 0, keys, _mixed(keys ^ words))  # a longer name beside this one pads it
    if isinstance(people.read, Folder):
        keys = _mixed(keys ^ pictures)
    return keys


def _mixed(words: np.ndarray) -> np.ndarray:
    """Every bit of (N,) uint64 depends on every bit, one to one (the constants are splitmix64's)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _larger(root: Path, kind: str, keys: np.ndarray) -> Shards | None:
    """The wanted crops out of a finished store that has all of them and more."""
    for folder in sorted(root.glob(f"{kind}-*-*")):
        count = int(folder.name.split("-")[-2])
        if count < len(keys) or not is_complete(folder, count):
            continue
        store = open_store(folder, count)
        theirs = store.table.get("keys", keys[:0])
        if np.isin(keys, theirs).all():
            order = np.argsort(theirs)
            rows = order[np.searchsorted(theirs, keys, sorter=order)]
            return replace(store.select(rows), index=np.arange(len(keys)), left_out={})
    return None


def _produce(
    people: People, keys: np.ndarray, size: int, aspect: float, workers: int, on_error: str, index: np.ndarray
) -> Iterator[Item | LeftOut]:  # fmt: skip
    """Cut the people of an index array, in order, a few chunks ahead of whoever takes them."""
    pool = ThreadPoolExecutor(workers)  # decoding, resizing and encoding release the interpreter lock
    waiting: deque = deque()
    try:
        for chunk in iterate(len(index), CHUNK):
            waiting.append(pool.submit(_cut_chunk, people[index[chunk]], keys[index[chunk]], size, aspect, on_error))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _cut_chunk(people: People, keys: np.ndarray, size: int, aspect: float, on_error: str) -> list[Item | LeftOut]:
    centres, sides = person_square(people.boxes, MARGIN * CONTEXT, aspect)
    out: list[Item | LeftOut] = []
    last, picture = None, np.zeros((0, 0, 3), np.uint8)
    for i, name in enumerate(people.names):
        reason, message = _unusable_box(people.boxes[i]), "its box has no area"
        try:
            if not reason and name != last:
                picture, last = people.read(str(name)), name
        except PosekitError as error:
            reason, message, last = "with an unreadable picture", str(error), None
        if not reason:
            reason = _outside(people.boxes[i], picture)
            pixels = f"{picture.shape[1]} x {picture.shape[0]} pixels of {name}"
            message = f"its box {people.boxes[i].round(1).tolist()} lies outside the {pixels}"
        if reason:
            message = f"person {people.ids[i]} of {people.source}: {message}"
            if on_error == "raise":
                raise PosekitError(f"{message}; {SKIP}")
            out.append(LeftOut(reason, message))
            continue
        matrix = cropping(centres[i], sides[i], size)
        keypoints = transform_keypoints(matrix, people.keypoints[i]).astype(np.float32)
        jpeg = encode(cut(picture, centres[i], float(sides[i]), size))
        out.append(Item(jpeg, {"keypoints": keypoints, "matrices": matrix, "keys": keys[i]}))
    return out


def _unusable_box(box: np.ndarray) -> str:
    return "" if np.isfinite(box).all() and box[2:].max() > 0 and box[2:].min() >= 0 else "whose box has no area"


def _outside(box: np.ndarray, picture: np.ndarray) -> str:
    """A reason where no part of the box (4,) lies on the picture (H, W, 3)."""
    low, high = box[:2] + 0.5, box[:2] + box[2:] + 0.5
    inside = (high > 0).all() and (low < picture.shape[1::-1]).all()
    return "" if inside else "whose box lies outside the picture"
