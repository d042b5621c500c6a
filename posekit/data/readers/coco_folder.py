"""What lies where in a folder of COCO's form: annotation files, of which split each is, and the pictures that they list."""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from posekit.errors import PosekitError

PREFIX = "person_keypoints_"
JSON = re.compile(r"\.json(\.gz)?$", re.IGNORECASE)
BESIDE = ("captions", "image_info", "instances", "panoptic", "stuff")  # how COCO's other files begin
INSIDE = ("annotations", "annotation", "annot")  # folders of a data set that hold its JSON
SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
WORDS = SPLITS | {"trainval": "train"}
WEAK = {"dev": "val", "eval": "val"}  # where none of those is there: test-dev is of test
Key = TypeVar("Key")


def root(path: str | Path) -> Path:
    """The folder of the data set that `path` is, or whose JSON file or folder `annotations` it is."""
    path = Path(path)
    folder = path.parent if path.is_file() else path
    return folder.parent if folder.name.lower() in INSIDE else folder


def files(path: str | Path) -> dict[str, Path]:
    """The annotation files of a folder by the name that a spec gives them behind `@`, short names first.

    That is the file's name without `person_keypoints_` and `.json` or `.json.gz`: `train2017`, `val2017`; or, where
    splits have folders of their own with one file in each, the folder's name: `train`, `valid`. `path` may be one
    JSON file too. Raises PosekitError where there is none.
    """
    path = Path(path)
    if path.is_file():
        return {_name(path): path}
    if not path.is_dir():
        raise PosekitError(f"{path}: no such folder; a COCO folder has annotations/{PREFIX}train2017.json and train2017/")
    for found in (_named(jsons(path / "annotations")), _of_folders(path), _named(jsons(path))):
        if found:
            return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))
    inner = [folder.name for folder in path.iterdir() if (folder / "annotations").is_dir()]
    hint = f"; is it yolo:{path}?" if (path / "data.yaml").is_file() else f"; is it {path / inner[0]}?" if inner else ""
    raise PosekitError(f"{path}: no annotations/{PREFIX}*.json, no other annotations/*.json, no train/*.json or the like, no *.json{hint}")


def chosen(found: Mapping[str, Path]) -> dict[str, str]:
    """Which of a folder's annotation files are read where none is asked for by name, each with its split or "".

    Where COCO's `person_keypoints_*` are there, none of COCO's other files, and no other file of the same split.
    """
    said = kinds(found)
    prefixed = {name for name, file in found.items() if file.name.startswith(PREFIX)}
    there = {said.get(name, "") or "train" for name in prefixed}

    def beside(name: str) -> bool:
        return bool(prefixed) and name not in prefixed and (name.lower().startswith(BESIDE) or (said.get(name, "") or "train") in there)

    return {name: said.get(name, "") for name in found if not beside(name)}


def kinds(names: Iterable[str]) -> dict[str, str]:
    """Of which split, train, val or test, the annotation files of these names are; those that do not say it are missing.

    Raises PosekitError for a name that says two.

    >>> kinds(["coco_train", "instances_val2017", "people", "test-dev2017"])
    {'coco_train': 'train', 'instances_val2017': 'val', 'test-dev2017': 'test'}
    """
    names = list(names)
    said = {name: kind for name in names if (kind := _kind(name))}
    within = {name: [word for word in ("train", "val", "test") if word in name.lower()] for name in names if name not in said}
    joined = said | {name: words[0] for name, words in within.items() if len(words) == 1}  # cocotrain, cocoval
    return joined if len(set(joined.values())) > 1 else said  # a lone carnival says nothing


def pictures(folder: Path, name: str, file: Path, listed: Mapping[Key, str]) -> dict[Key, str]:
    """Where under `folder` each picture lies that the annotation file `file`, called `name`, lists.

    Pictures lie in a folder called like the file or like a part of its name, there within `images`, in `images`
    or `data`, or beside the file. All are taken to lie where most of them are: a missing one does not lose the
    others. What the file calls a picture may begin with folders that are not here (`C:\\me\\1.jpg`), or differ
    from the picture's name in capital letters or in how accents are composed, where one picture fits one entry.
    """
    return locate(folder, _places(folder, name, file), listed)


def locate(folder: Path, places: Sequence[str], listed: Mapping[Key, str]) -> dict[Key, str]:
    """Where under `folder` each listed picture lies: at the one of the `places`, each "" or ending in /, where most do."""
    names = {key: value.replace("\\", "/") for key, value in listed.items()}
    distinct = list(dict.fromkeys(names.values()))
    listing = _Listing(folder)
    best: dict[str, str] = {}
    place = places[0]
    for without in range(max((value.count("/") for value in distinct), default=0) + 1):  # leading folders
        for candidate in places:
            found = _match(listing, candidate, distinct, without)
            if len(found) > len(best):
                best, place = found, candidate
            if len(best) == len(distinct):
                break
        if best:
            break
    for name in distinct:
        if "/" in name and name not in best and (found := _match(listing, "", [name], 0)):  # some are written from the top
            best |= found
    return {key: best.get(value, place + value) for key, value in names.items()}


def jsons(folder: Path) -> list[Path]:
    """The JSON files in a folder, by name; of one that is there twice the one that is not gzipped."""
    if not folder.is_dir():
        return []
    found = {path.name: path for path in folder.iterdir() if JSON.search(path.name) and path.name[0] != "." and path.is_file()}
    return [found[name] for name in sorted(found) if not (name.lower().endswith(".gz") and name[:-3] in found)]


def _name(file: Path) -> str:
    return JSON.sub("", file.name).removeprefix(PREFIX)


def _named(found: list[Path]) -> dict[str, Path]:
    return {_name(path): path for path in found}


def _of_folders(path: Path) -> dict[str, Path]:
    """The annotation files in folders that are called like splits: `train/_annotations.coco.json`, `val/labels.json`."""
    out: dict[str, Path] = {}
    for folder in sorted(path.iterdir()):
        if folder.is_dir() and _words(folder.name) & WORDS.keys():
            found = _named(jsons(folder / "annotations") or jsons(folder))
            out |= {folder.name if len(found) == 1 else f"{folder.name}/{name}": file for name, file in found.items()}
    return out


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def _kind(name: str) -> str:
    """The split that a name says, "" where it says none."""
    words = _words(name.partition("/")[0] if "/" in name else name)
    said = {WORDS[word] for word in words & WORDS.keys()} or {WEAK[word] for word in words & WEAK.keys()}
    if len(said) > 1:
        two = " and ".join(sorted(said))
        raise PosekitError(
            f"annotation file {name!r}: of which split is it? Its name says {two}; rename it, or ask for it by name: @{name}"
        )
    return said.pop() if said else ""


def _places(folder: Path, name: str, file: Path) -> list[str]:
    """Where under `folder` the pictures of an annotation file may lie, the likeliest first; each ends in / or is ""."""
    home = file.parent.parent if file.parent.name.lower() in INSIDE and file.parent != folder else file.parent
    own = f"{home.relative_to(folder).as_posix()}/" if home.is_relative_to(folder) and home != folder else ""
    parts = [name, *re.findall(r"[A-Za-z0-9]+", name), *sorted(words := _words(name))]
    parts += [word for word, kind in WORDS.items() if kind in {WORDS.get(word) for word in words}]  # val and valid
    called = [f"{within}{part}/" for part in dict.fromkeys(parts) for within in ("", "images/", "data/")]
    beside = f"{file.parent.relative_to(folder).as_posix()}/" if file.parent != folder and file.is_relative_to(folder) else ""
    return list(dict.fromkeys([*called, f"{own}images/", f"{own}data/", own, "images/", "data/", "", beside]))


def _match(listing: "_Listing", place: str, names: list[str], without: int) -> dict[str, str]:
    """Those of the `names` that are files at `place`, each less its first folders; no two are the same file."""
    found = {name: file for name in names if (file := listing.find(place + "/".join(name.split("/")[without:])))}
    if without or any(file != place + name for name, file in found.items()):
        claims = Counter(found.values())
        literal = {file for name, file in found.items() if file == place + name}
        found = {name: file for name, file in found.items() if claims[file] == 1 or (file in literal and file == place + name)}
    return found


class _Listing:
    """The files under a folder, each of its folders listed once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listed: dict[str, dict[str, list[str]]] = {}
        self.actual: dict[str, str] = {}  # folders as they are called on the disk

    def find(self, name: str) -> str:
        """A file's name as it is on the disk: as given, or the only one that differs in case and composition alone; else ""."""
        parent, slash, base = name.rpartition("/")
        if parent not in self.listed:
            self.actual[parent] = parent if not parent or os.path.isdir(self.folder / parent) else self.find(parent)
            self.listed[parent] = self._list(self.actual[parent]) if self.actual[parent] or not parent else {}
        there = self.listed[parent]
        fits = there.get(_folded(base), [])
        if base in fits:
            return f"{self.actual[parent]}{slash}{base}"
        stem = os.path.splitext(base)[0]
        closer = [fit for fit in fits if unicodedata.normalize("NFC", os.path.splitext(fit)[0]) == unicodedata.normalize("NFC", stem)]
        fits = closer or fits
        return f"{self.actual[parent]}{slash}{fits[0]}" if len(fits) == 1 else ""

    def _list(self, parent: str) -> dict[str, list[str]]:
        there: dict[str, list[str]] = defaultdict(list)
        try:
            for base in os.listdir(self.folder / parent):
                there[_folded(base)].append(base)
        except (OSError, ValueError):
            pass
        return there


def _folded(name: str) -> str:
    return name if name.isascii() and name.islower() else unicodedata.normalize("NFC", name).casefold()
