"""A reviewer's decisions about labels, and the corrected copy of a data set that they make. The original is only read."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat, savemat

from posekit.data.people import People, parse_spec
from posekit.data.readers import coco, coco_folder, coco_json, json_values, mpii
from posekit.errors import NotPeople, PosekitError
from posekit.files import not_written, read_json, replacing, text_hash, write_json
from posekit.skeleton import Skeleton

FORM = "posekit decisions"
KEYS = ("id", "decision", "exchange", "remove")  # of a decision in a file


@dataclass(frozen=True)
class Decision:
    """What becomes of one annotation: joints, by index, whose labels are exchanged, and joints whose labels are removed."""

    id: int
    exchange: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()


Decisions = dict[int, Decision]  # by annotation


def read(file: str | Path, people: People) -> list[Decision]:
    """The decisions of a file that a review of these very people downloaded.

    Raises:
        PosekitError: the file is no such file, is of other people or labels, or names what these do not have.
    """
    file = Path(file)
    content = read_json(file)
    if not isinstance(content, dict) or content.get("form") != FORM or not isinstance(content.get("decisions"), list):
        raise PosekitError(f"{file}: not decisions about labels; the page review.html of an audit downloads them")
    if content.get("fingerprint") != people.fingerprint() or content.get("ids", numbers(people)) != numbers(people):
        raise PosekitError(
            f"{file}: decisions about {content.get('data')}, and not about {people.source} as it is now; give them as they were audited, "
            "with the same @split; nothing was written"
        )
    known, found = people.ids.tolist(), []
    for number, entry in enumerate(content["decisions"], 1):
        where = f"{file}: decision {number}"
        if isinstance(entry, dict) and (unknown := [key for key in entry if key not in KEYS]):
            raise PosekitError(f"{where} has {unknown[0]!r}, which is none of {', '.join(KEYS)}")
        if not isinstance(entry, dict) or type(entry.get("id")) is not int or entry["id"] not in known:
            raise PosekitError(f"{where} is of annotation {entry.get('id') if isinstance(entry, dict) else entry!r}, which is not there")
        if known.count(entry["id"]) > 1:
            raise PosekitError(f"{where}: {people.source} has annotation {entry['id']} more than once; audit one file at a time")
        joints = {name: _joints(where, entry.get(name, []), people.skeleton) for name in ("exchange", "remove")}
        if any(people.skeleton.mirrored[k] not in set(joints["exchange"]) - {k} for k in joints["exchange"]):
            raise PosekitError(f"{where} exchanges a joint without the other side's; name both")
        if entry.get("decision") not in (None, "change" if any(joints.values()) else "keep"):
            raise PosekitError(f"{where} is {entry['decision']!r} and {'names' if any(joints.values()) else 'names no'} joints to change")
        found.append(Decision(entry["id"], **joints))
    if len({decision.id for decision in found}) != len(found):
        raise PosekitError(f"{file}: decides about an annotation twice")
    return found


def numbers(people: People) -> str:
    """Twelve hexadecimal digits of who has which number: decisions name people by it, and their fingerprint does not hold it."""
    return text_hash(" ".join(map(str, people.ids.tolist())))[:12]


def corrected(people: People, decisions: list[Decision]) -> People:
    """The people with their labels changed as decided: exchanges first, then removals. Boxes stay as they are."""
    row, keypoints = {int(number): i for i, number in enumerate(people.ids)}, people.keypoints.copy()
    for decision in decisions:
        i = row[decision.id]
        keypoints[i] = _changed(people.keypoints[i], decision, people.skeleton, np.array([np.nan, np.nan, 0]))
    return replace(people, keypoints=keypoints)


def apply(file: str | Path, people: People, out: str | Path) -> tuple[str, int]:
    """Write the data set with its labels changed as a file decides, in its own form, into a new folder; pictures are linked to.

    Returns:
        the data spec of the copy, and how many annotations differ.

    Raises:
        PosekitError: the decisions are of other people, the folder is there already, or the data set is of a form that is not written.
    """
    decisions = [decision for decision in read(file, people) if decision.exchange or decision.remove]
    name, path, _ = parse_spec(people.source)
    if name not in _WRITERS or not path:
        raise PosekitError(
            f"{people.source}: corrected copies are written of {', '.join(_WRITERS)}; in Python, auditing.decisions.corrected"
        )
    source, out = Path(path), Path(out)
    if out.exists():
        raise PosekitError(f"{out}: is there already; give a new folder for the corrected copy")
    if coco_folder.root(source).resolve() in out.resolve().parents:
        raise PosekitError(f"{out}: is in the folder of the data themselves; give one beside it for the corrected copy")
    copy = _WRITERS[name](source, out, people, {decision.id: decision for decision in decisions})
    return f"{name}:{copy}", len(decisions)


def _changed(joints: Any, decision: Decision, skeleton: Skeleton, nothing: Any) -> Any:
    """Joints (K, ...) of one person, an array or a list, as decided."""
    after = joints.copy()
    for k in decision.exchange:
        after[k] = joints[skeleton.mirrored[k]]
    for k in decision.remove:
        after[k] = nothing
    return after


def _joints(where: str, names: Any, skeleton: Skeleton) -> tuple[int, ...]:
    if not isinstance(names, list) or any(name not in skeleton.joints for name in names):
        raise PosekitError(f"{where}: {names!r} are not joints of the {skeleton.name} skeleton")
    return tuple(skeleton.joints.index(name) for name in names)


def _link(source: Path, out: Path, written: set[Path]) -> None:
    """All of a folder that is not written anew, as links; of folders in which something is, their content."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in sorted(source.iterdir()):
            if path in written:
                continue
            if any(path in each.parents for each in written):
                _link(path, out / path.name, written)
            else:
                os.symlink(path.resolve(), out / path.name)
    except OSError as error:
        raise not_written(out, error) from None


def _lspet(source: Path, out: Path, people: People, decisions: Decisions) -> Path:
    folder, file = (source.parent, source) if source.is_file() else (source, source / "joints.mat")
    content = {name: value for name, value in loadmat(file).items() if not name.startswith("__")}
    joints = content["joints"]
    extended = joints.shape[0] == 14  # (14, 3, N); LSP itself has (3, 14, N)
    by_person = (joints.transpose(2, 0, 1) if extended else joints.transpose(2, 1, 0)).copy()
    for number, decision in decisions.items():
        by_person[number - 1] = _changed(by_person[number - 1], decision, people.skeleton, 0)
    _link(folder, out, {file})
    with replacing(out / file.name) as temporary, open(temporary, "wb") as target:
        savemat(target, content | {"joints": by_person.transpose(1, 2, 0) if extended else by_person.transpose(2, 1, 0)})
    return out / file.name if source.is_file() else out


def _coco(source: Path, out: Path, people: People, decisions: Decisions) -> Path:
    root, left, found = coco_folder.root(source), set(decisions), coco_folder.files(source)
    row = {number: int(np.flatnonzero(people.ids == number)[0]) for number in decisions}
    contents, there = {}, {}
    for name, file in found.items():
        content = read_json(file)
        with suppress(NotPeople):
            there[name] = file, content, coco_json.annotations(file, content)
    ids = [json_values.identity(entry.get("id")) for _, _, labels in there.values() for entry in labels.entries]
    numbers = iter(coco.numbered(np.array(ids, object)).tolist())
    for name, (file, content, labels) in there.items():
        keypoints, _ = labels.keypoints()
        for i, (entry, order) in enumerate(zip(labels.entries, labels.orders, strict=True)):
            number = next(numbers)
            if number not in decisions or not np.array_equal(keypoints[i], people.keypoints[row[number]], equal_nan=True):
                continue
            _entry(entry, decisions[number], people.skeleton, order)
            contents[file] = content
            left.discard(number)
        if source.is_file() or name in coco_folder.chosen(found):
            contents[file] = content
    if left:
        raise PosekitError(f"{source}: annotation {min(left)} is not in its files by that number; give every 'id' as a whole number")
    return _write(root, source, out, contents)


def _entry(entry: dict[str, Any], decision: Decision, skeleton: Skeleton, order: Sequence[int | None]) -> None:
    """Change an annotation in place. `order` says where each of the joints stands in its keypoints, None where it does not."""
    value, nothing = entry["keypoints"], [0, 0, 0]
    nested = any(isinstance(item, list) for item in value)
    before = list(value) if nested else [value[i : i + 3] for i in range(0, len(value), 3)]
    after = list(before)
    for k in decision.exchange:
        ours, theirs = order[k], order[skeleton.mirrored[k]]
        if ours is not None:
            after[ours] = before[theirs] if theirs is not None else nothing
    for k in decision.remove:
        if (place := order[k]) is not None:
            after[place] = nothing
    entry["keypoints"] = after if nested else [number for joint in after for number in joint]
    if "num_keypoints" in entry:
        entry["num_keypoints"] = sum(bool(joint) and bool(joint[2]) for joint in after)


def _mpii(source: Path, out: Path, people: People, decisions: Decisions) -> Path:
    contents, begin = {}, 0
    for file in mpii.find(source):
        contents[file] = read_json(file)
        for number, entry in enumerate(contents[file], begin):
            for name, nothing in (("joint_self", [0, 0, 0]), ("joints", [0, 0]), ("joints_vis", 0)):
                if number in decisions and name in entry:
                    entry[name] = _changed(entry[name], decisions[number], people.skeleton, nothing)
        begin += len(contents[file])
    return _write(coco_folder.root(source), source, out, contents)


def _write(root: Path, source: Path, out: Path, contents: dict[Path, Any]) -> Path:
    """JSON files anew, all else of the folder `root` as links; returns where the data set's copy is that was at `source`."""
    _link(root, out, set(contents))
    for file, content in contents.items():
        write_json(out / _unzipped(file.relative_to(root)), content)
    return out / _unzipped(source.relative_to(root))


def _unzipped(file: Path) -> Path:
    return file.with_name(file.name.removesuffix(".gz")) if file.name.endswith(".gz") else file


_WRITERS: dict[str, Callable[[Path, Path, People, Decisions], Path]] = {"lspet": _lspet, "lsp": _lspet, "coco": _coco, "mpii": _mpii}
