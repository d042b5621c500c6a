"""COCO person keypoints (Lin et al., ECCV 2014), official or of the same form: `annotations/*.json` and pictures."""

import hashlib
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from posekit.data.people import People
from posekit.data.pictures import Folder
from posekit.data.readers import coco_folder, coco_people, photographs
from posekit.data.readers.frames import FramedFolder
from posekit.errors import NotPeople
from posekit.skeleton import COCO

SHARE = 0.1  # of the pictures, for val or test where the folder brings neither a file nor a measure for it


def load(path: str | Path, *, file: str | None = None, split: str | None = None, on_error: str = "raise") -> People:
    """People of a COCO folder, or of one JSON file, who have a labelled joint, sorted by picture.

    `file` names one annotation file (`posekit.data.readers.coco_folder.files`), which alone is read and whose name is the
    split of all. Otherwise the splits are the study's. Files that are called train, val or test are of that
    split: val is the people of the val file; test, where it has no file, is as many people, drawn by whole
    pictures without replacement from the train file; train is the rest of it. Without a val file, val and test
    are a tenth of the pictures each. The draw is always the same and does not depend on the order in the file.

    A photograph that is listed several times, under several ids or names or in several files, is one picture and
    lies on one side (`posekit.data.readers.photographs.merge`); whose annotation is there twice counts once, and is
    counted among those left out. A file without people's joints is passed over where others stand for its split,
    or where `split`, val or test, is all that is asked for and has a file.

    The study has 5,064 people in val and in test and 124,040 in train. COCO 2017 has 6,352 in val and 149,813
    in its train file (other readers count the same). The study left out more, by a rule that is not known: it
    keeps 80 % of the one and 86 % of the other, which hardly comes from one threshold on the joints.

    Crowds and people without a labelled joint are left out and counted, and are in `ignored`: OKS-AP takes no notice of what is predicted
    on them. COCO's boxes run from 0 to the
    picture's width and height; its keypoints are indices of pixels, whose centres posekit counts from 0 too.
    So boxes shift by half a pixel, keypoints do not.

    Raises PosekitError naming file and annotation where something is missing or makes no sense; with
    `on_error="skip"` people whose keypoints, box or picture do are left out and counted. Numbers (`id`) that
    are missing or given twice, and what is no number at all, raise nevertheless.
    """
    path = Path(path)
    folder, found = coco_folder.root(path), coco_folder.files(path)
    parts, left_out, turned, ignored = _read(folder, found, [file] if file else list(coco_folder.chosen(found)), split, on_error)
    return replace(assemble(folder, f"coco:{path}", parts, left_out, turned, file=file), ignored=ignored)


def assemble(
    folder: Path, source: str, parts: dict[str, dict[str, np.ndarray]], left_out: dict[str, int], turned: frozenset[str],
    *, file: str | None = None,
) -> People:  # fmt: skip
    """The table of people from columns by annotation file (`posekit.data.readers.coco_people.read`), with splits; `file` as of `load`."""
    names = list(parts[next(iter(parts))])
    columns: dict[str, Any] = {name: np.concatenate([part[name] for part in parts.values()]) for name in names}
    columns["files"] = np.repeat(list(parts), [len(part["ids"]) for part in parts.values()])
    columns |= {name: numbered(columns[name]) for name in ("ids", "image_ids")}
    order = np.lexsort((columns["ids"], columns["image_ids"], np.repeat(range(len(parts)), [len(part["ids"]) for part in parts.values()])))
    columns = {name: column[order] for name, column in columns.items()}
    files = columns["files"]
    keep, merged, remarks = photographs.merge(folder, columns, np.full(len(files), "train") if file else of_files(files))
    columns = {name: column[keep] for name, column in columns.items()}
    files, photos = columns.pop("files"), columns.pop("photos")
    splits = files if file else draw_splits(files, photographs.sources(photos, columns["names"]))
    return People(
        COCO,
        splits=splits,
        read=FramedFolder(str(folder), turned) if turned else Folder(str(folder)),
        version=hashlib.sha256("\0".join(sorted(turned)).encode()).hexdigest()[:12] if turned else "",
        source=source,
        left_out=left_out | merged,
        remarks=remarks,
        **columns,
    )


def of_files(files: np.ndarray) -> np.ndarray:
    """The splits (N,) that the names of annotation files (N,) say; train where they say none."""
    said = coco_folder.kinds(np.unique(files).tolist())
    return np.array([said.get(name, "train") for name in files.tolist()], dtype="<U5")


def draw_splits(files: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """The study's splits (N,) for people of annotation files (N,) and pictures (N,)."""
    splits = of_files(files)
    rng = np.random.default_rng(0)
    vals = int((splits == "val").sum())
    for kind in ("test", "val"):
        pool = splits == "train"
        if not pool.any() or (splits == kind).any():
            continue
        pictures, people = np.unique(image_ids[pool], return_counts=True)
        order = rng.permutation(len(pictures))
        if kind == "test" and 0 < vals < pool.sum() / 2:
            order = _fill(order, people, vals)
        else:
            order = order[: round(SHARE * len(np.unique(image_ids)))]
        splits[pool & np.isin(image_ids, pictures[order])] = kind
    return splits


def _fill(order: np.ndarray, people: np.ndarray, wanted: int) -> np.ndarray:
    """Pictures in `order` with `wanted` people in all; one that has too many for what is left to fill is passed over."""
    taken, left = [], wanted
    for picture in order:
        if people[picture] <= left:
            taken.append(picture)
            left -= people[picture]
        if not left:
            break
    return np.array(taken, int)


def _read(
    folder: Path, found: dict[str, Path], wanted: list[str], asked: str | None, on_error: str
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, int], frozenset[str], dict[str, np.ndarray]]:
    """Columns of the table by annotation file, who was left out, which pictures are read turned, and `People.ignored`."""
    parts, others = {}, {}
    ignored: dict[str, set[tuple[float, ...]]] = {}  # a photograph may be listed in several files
    left_out, turned = Counter[str](), frozenset[str]()
    for name in wanted:
        locate = partial(coco_folder.pictures, folder, name, found[name])
        try:
            columns, lost, upright, unlabelled = coco_people.read(folder, found[name], locate, on_error)
        except NotPeople as error:
            others[name] = error
            continue
        parts[name] = columns
        left_out.update(lost)
        turned |= upright
        for picture, row in unlabelled:
            ignored.setdefault(picture, set()).add(tuple(row))
    said = coco_folder.kinds(wanted) if len(wanted) > 1 else {}
    there = {said.get(name) for name in parts}
    for name, why in others.items():
        if not parts or (name in said and said[name] not in there and not (asked in ("val", "test") and asked in there)):
            raise why
        left_out[f"file without people's {len(COCO)} joints ({found[name].name})"] = 1
    return parts, dict(left_out), turned, {picture: np.array(sorted(rows)) for picture, rows in ignored.items()}


def numbered(ids: np.ndarray) -> np.ndarray:
    """Ids (N,), whole numbers or words, as numbers: words, and what is beyond 64 bits, are numbered from 1 in alphabetical order."""
    if all(isinstance(i, int) and abs(i) < 2**63 for i in ids):
        return np.array(ids, np.int64)
    return np.unique(np.array([str(i) for i in ids]), return_inverse=True)[1] + 1
