"""Which of a file's entries is of which picture: by path, then by number; never by a bare name that two pictures share."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from posekit.data.readers.json_values import Id
from posekit.errors import PosekitError

REMOTE = re.compile(r"^(/|[A-Za-z]:/|[a-z0-9]+://)")  # a path of its own, perhaps of another machine
NUMBERED = re.compile(r"(?:COCO_[A-Za-z0-9]+_)?([0-9]+)")  # as COCO names its pictures


class Named(Protocol):
    """An entry: the picture's path in the file, or "", and its number or word."""

    name: str
    number: Id


E = TypeVar("E", bound=Named)


def match(file: Path, entries: Sequence[E], paths: Sequence[str | Path]) -> list[E | None]:
    """The entry of each picture, None where the file has none.

    An entry's path has to end the picture's (`a/001.png` is `photos/a/001.png`), or be it; a full path of another machine has to share
    the folder's name and the file's. An entry without a path goes by the number or word that is the picture's name. The longest match
    counts.

    Raises:
        PosekitError: two entries fit one picture equally well, or one entry two pictures.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for i, entry in enumerate(entries):
        places[_key(entry.name or str(entry.number))].append(i)
    best: list[tuple[int, int] | None] = []
    for path in paths:
        keys = {_key(Path(path).name), _key(Path(path).stem)}
        if number := NUMBERED.fullmatch(Path(path).stem):
            keys.add(str(int(number[1])))
        ranked = sorted(((_fit(entries[i], Path(path)), i) for key in keys for i in places.get(key, [])), reverse=True)
        ranked = [(fit, i) for fit, i in ranked if fit]
        if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
            first, second = (entries[i].name or entries[i].number for _, i in ranked[:2])
            raise PosekitError(f"{file}: {path} may be {first} or {second}; give its whole path in the file")
        best.append(ranked[0] if ranked else None)
    owners: dict[int, tuple[int, Path]] = {}
    for found, path in zip(best, paths, strict=True):
        if found is None:
            continue
        fit, i = found
        rank, owner = owners.get(i, (0, Path(path)))
        if rank == fit and owner.resolve() != Path(path).resolve():
            raise PosekitError(f"{file}: {entries[i].name or entries[i].number} may be {owner} or {path}; write it with its folder")
        if fit > rank:
            owners[i] = fit, Path(path)
    return [None if found is None or found[0] < owners[found[1]][0] else entries[found[1]] for found in best]


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", PurePosixPath(name).name)


def _fit(entry: Named, path: Path) -> int:
    """How well an entry fits a picture: 0 not at all, more where more folders are the same, most where it is this very path."""
    if not entry.name:
        return 1
    name = unicodedata.normalize("NFC", entry.name)
    given, whole = (unicodedata.normalize("NFC", p.as_posix()) for p in (path, path.absolute()))
    if name in (given, whole):
        return 1000
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", ".", "..")]
    there = [part for part in PurePosixPath(whole).parts if part != "/"]
    shared = 0
    while shared < min(len(parts), len(there)) and parts[-1 - shared] == there[-1 - shared]:
        shared += 1
    if REMOTE.match(name):
        return shared if shared > 1 and not Path(name).exists() else 0
    if len(parts) == 1 and parts[0] in (path.stem, str(int(n[1])) if (n := NUMBERED.fullmatch(path.stem)) else ""):
        return 1
    return shared if shared == len(parts) else 0
