"""People, their pictures and crops; mannequins; readers of data sets. Imports the mathematics and `display`, nothing of `models`.

`load_people("NAME[:PATH][@SPLIT]")` reads a data set; `posekit.data.crops.crops(people, size)` cuts people out. `readers` has a module
a format, `mannequins` the renderer, `stored` what is kept of pictures, `download` what fetches archives.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from posekit.data.people import People, parse_spec
from posekit.errors import PosekitError, whole
from posekit.files import expand_user

__all__ = ["Crops", "People", "held_out", "load_people"]

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")
FOLDERS = {  # data sets of the user's, and the files that may be named in place of a folder
    "lspet": (".mat",), "lsp": (".mat",), "coco": (".json",), "mpii": (".json",), "yolo": (".yaml", ".yml"), "labelme": (".json",),
}  # fmt: skip
KNOWN = "mannequins[:COUNT,size=PX,seed=N], lspet:FOLDER, coco:FOLDER, mpii:FOLDER, yolo:FOLDER, labelme:FOLDER, each with @SPLIT or not"


def load_people(
    spec: str, *, default_split: str = "all", on_error: str = "raise", cache: str | Path = "data",
    workers: int | None = None, progress: Callable[[int], None] | None = None,
) -> People:  # fmt: skip
    """The people that a data spec names: `mannequins@test`, `lspet:photographs/lspet@train`, `coco:/data/coco@val2017`.

    `default_split` is taken where the spec has none. Mannequins are rendered into `cache` by `workers`
    processes, and `progress` is called with how many more are done. Unknown names, folders and splits raise
    PosekitError saying what there is.

    >>> import posekit
    >>> people = posekit.load_people("mannequins:20,size=40@test", cache="data")
    >>> len(people), people.skeleton.name, people.keypoints.shape
    (2, 'coco', (2, 17, 3))
    >>> posekit.load_people("lspet:nowhere")
    Traceback (most recent call last):
    posekit.errors.PosekitError: nowhere: no such folder; an LSP or LSPET folder has joints.mat and images/
    """
    workers = None if workers is None else whole("workers", workers)
    name, path, split = parse_spec(spec)
    split = split or default_split
    if name == "mannequins":
        from posekit.data import rendered

        return rendered.load(path, cache=cache, workers=workers, progress=progress).split(split)
    if name not in FOLDERS:
        raise PosekitError(f"{spec!r}: no data set {name!r}; there are {KNOWN}")
    if not path:
        raise PosekitError(f"{spec!r}: where is it? Write {name}:FOLDER")
    folder = _folder(name, expand_user(path))
    if name == "coco":
        from posekit.data.readers import coco, coco_folder

        split = coco_folder.SPLITS.get(split, split)
        named = split != "all" and split not in coco_folder.SPLITS and split in coco_folder.files(folder)
        return coco.load(folder, file=split if named else None, split=split, on_error=on_error).split(split)
    if name in ("yolo", "labelme"):
        from posekit.data.readers import coco_folder, labelme, yolo

        return (yolo if name == "yolo" else labelme).load(folder, on_error=on_error).split(coco_folder.SPLITS.get(split, split))
    if name == "mpii":
        from posekit.data.readers import mpii

        return mpii.load(folder, on_error=on_error).split(split)
    from posekit.data.readers import lspet

    return lspet.load(folder, on_error=on_error, cache=cache).split(split)


def held_out(spec: str, most: int | None = None, seed: int = 0, *, on_error: str = "raise") -> People:
    """The people of a data spec outside its training split, at most `most`, drawn by `seed` and left in their order.

    A spec that names a split is taken at its word, and so is a data set whose people are all of the training split.

    >>> from posekit.data import held_out
    >>> people = held_out("mannequins:20,size=40", 3)
    >>> len(people), "train" in people.splits
    (3, False)
    """
    people = load_people(spec, on_error=on_error)
    others = people.splits != "train"
    if parse_spec(spec)[2] is None and others.any():
        people = people[others]
    return people.at_most(most, seed)


def _folder(name: str, path: Path) -> Path:
    """Where the data are: a folder, or the file of annotations in it. Any other file raises PosekitError saying what to give."""
    if not path.is_file() or path.name.lower().removesuffix(".gz").endswith(FOLDERS[name]):
        return path
    if path.suffix.lower() in ARCHIVES:
        raise PosekitError(f"{path}: an archive; unpack it and give the folder, {name}:FOLDER")
    raise PosekitError(f"{path}: a file; give the folder that it is in, {name}:FOLDER, or its {FOLDERS[name][0]} file")


def __getattr__(name: str) -> Any:
    if name == "Crops":  # needs torch, which takes a second to import
        from posekit.data.crops import Crops

        return Crops
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
