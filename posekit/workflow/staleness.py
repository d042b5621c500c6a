"""What a run's result depends on, and whether what is there is still of just that: by content, never by time."""

import functools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import posekit
from posekit.data.readers import coco_folder
from posekit.data.stored.digests import digests
from posekit.files import code_hash, expand_user, file_hash, text_hash
from posekit.workflow.dependencies import imported
from posekit.workflow.parameters import cells, is_parameters, root
from posekit.workflow.runs import REFERENCES, reference

ANNOTATIONS = (".json", ".json.gz", ".mat", ".yaml", ".yml")  # files that may be named in place of a data set's folder


def ingredients(notebook: Path, params: dict[str, Any], upstream: dict[str, str] | None = None, preset: str = "") -> dict[str, Any]:
    """Everything that the run's result depends on, by kind; of no file the time, only what is in it.

    That is the notebook's code, the parameters, the modules of the library that it imports, directly or
    through others, the data or weights that a parameter names, the runs that it reads (`upstream` holds what
    identifies the result behind each parameter that names one), and the numbers kept: its own of other presets
    than this one, and all of the other notebooks that its code names.
    """
    upstream = upstream or {}
    sources = [c.source for c in cells(notebook) if c.cell_type == "code" and not is_parameters(c)]
    data = {name: _data(value) for name, value in params.items() if name not in upstream}
    named = set(re.findall(r"\b\d\d_[a-z]\w*", "\n".join(sources))) - {notebook.stem}
    kept = {other: reference(notebook.stem, other) for other in REFERENCES if other != preset}
    kept |= {f"{other}/{name}": reference(name, other) for other in REFERENCES for name in sorted(named)}
    return {
        "notebook": [code_hash(source) for source in sources],
        "parameters": params,
        "data": {name: found for name, found in data.items() if found},
        "upstream": upstream,
        "kept": {where: _hash(json.dumps(metrics)) for where, metrics in kept.items() if metrics},
        "library": _library("\n".join(sources)),
    }


def fingerprint(notebook: Path, params: dict[str, Any], upstream: dict[str, str] | None = None, preset: str = "") -> str:
    """A hash of the run's ingredients."""
    return hashed(notebook, ingredients(notebook, params, upstream, preset))


def hashed(notebook: Path, made_of: dict[str, Any]) -> str:
    """The same of ingredients that are known."""
    return _hash(json.dumps([notebook.stem, made_of], sort_keys=True))


def is_fresh(out: Path, fingerprint: str) -> bool:
    """Whether the run folder holds the whole result of just this fingerprint."""
    return stamp(out, fingerprint).exists()


def stamp(out: Path, fingerprint: str) -> Path:
    """The empty file whose presence says that the run in `out` is whole and has this fingerprint."""
    return out / f".fingerprint-{fingerprint}"


def _library(source: str) -> dict[str, str]:
    """A hash of each of the library's modules that the code depends on."""
    package = Path(__file__).parents[1]
    files = imported(source, package, {**posekit.MODULES, **posekit.EXPORTS})
    return {p.relative_to(package).as_posix(): code_hash(p.read_text("utf-8")) for p in files}


def _data(value: Any) -> str | None:
    """What lies behind a value that names a file, shipped weights or a data set `NAME:PATH[@SPLIT]`.

    A file is known by its contents, a folder by the contents of its files, which are read again when their length or times change
    (`posekit.data.stored.digests`). A file of annotations stands for the folder that it is in.
    """
    if isinstance(value, list):
        return _hash(str([_data(item) for item in value]))
    if not isinstance(value, str):
        return None
    if (own := re.fullmatch(r"(.+\.py):[A-Za-z_]\w*", value)) and (path := root() / expand_user(own[1])).is_file():
        return file_hash(path)[:16]  # a network of one's own, by a function
    match = re.fullmatch(r"[\w-]+:(.+?)(@[\w-]+)?", value)
    written = (match[1], value.partition(":")[2]) if match else (value,)  # a folder's name may have an @
    path = next((path for name in written if (path := root() / expand_user(name)).exists()), root() / written[0])
    shipped = Path(__file__).parents[1] / "shipped" / f"{value}.safetensors"
    if not match and shipped.is_file():
        return file_hash(shipped)[:16]
    if path.is_file() and not (match and path.name.endswith(ANNOTATIONS)):
        return file_hash(path)[:16]
    if not match and "/" in value and path.is_dir():  # a word may be the name of a folder by accident
        return _hash("\n".join(sorted(_listing(path))))
    if match and path.exists():
        return _hash("\n".join(sorted(_listing(coco_folder.root(path)))) + f"\n{path.name}" * path.is_file())
    return None


def _listing(folder: Path) -> Iterator[str]:
    others = []
    for name, path in _walk(folder, ""):
        if not os.path.exists(path):
            yield f"{name} leads nowhere"
        elif name.endswith(ANNOTATIONS):
            yield f"{name} {_annotations_hash(path, os.stat(path).st_size, os.stat(path).st_mtime_ns)}"
        else:
            others.append(name)
    for name, digest in zip(others, digests(folder, np.array(others, str), root() / "data" / "digests").tolist(), strict=True):
        yield f"{name} {digest:x}"


def _walk(folder: Path | str, prefix: str, above: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Names and paths of the files in a folder."""
    above = (*above, os.path.realpath(folder))
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield prefix + entry.name, entry.path
            elif os.path.realpath(entry.path) not in above:  # a link back would lead round and round
                yield from _walk(entry.path, f"{prefix}{entry.name}/", above)


@functools.cache
def _annotations_hash(path: str, _size: int, _changed: int) -> str:
    """A file's hash, made once for each notebook that reads it: COCO's annotations are long."""
    return file_hash(path)[:16]


def _hash(text: str) -> str:
    return text_hash(text)[:16]
