"""Which categories of a file in COCO's form are people, and where each of COCO's joints stands in their keypoints."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posekit.data.readers import joint_names
from posekit.data.readers.json_values import Id, identity
from posekit.errors import NotPeople, PosekitError
from posekit.skeleton import COCO

PEOPLE = (
    "person persons people human humans humanbody humanpose pedestrian pedestrians body pose skeleton man woman men women boy girl child "
    "adult player athlete personkeypoints"
).split()  # what tools and those who use them call the category, small letters without separators
Order = list[int | None]  # where each of COCO's joints stands, None where the file does not have it
STANDARD: Order = list(range(len(COCO)))


@dataclass(frozen=True)
class Category:
    """One of a file's categories: its name and the names of its joints, if it says any."""

    name: str
    joints: tuple[str, ...] = ()

    @property
    def human(self) -> bool:
        return re.sub(r"[\W_]", "", self.name).lower() in PEOPLE

    @property
    def order(self) -> Order | str:
        """Where COCO's joints stand, COCO's own order where none has a name; as text, why they cannot be told."""
        return joint_names.order(self.joints) if self.joints else STANDARD


def read(file: Path, listed: Any) -> dict[Id, Category]:
    """The `categories` of a file by their id. PosekitError where they are no list of objects or one id has two names."""
    if listed is None:
        return {}
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise PosekitError(f"{file}: 'categories' is not a list of objects with id and name")
    found: dict[Id, Category] = {}
    for entry in listed:
        number, name, joints = _identity(entry.get("id")), str(entry.get("name", "")), entry.get("keypoints") or []
        if number is None:
            raise PosekitError(f"{file}: category {name!r} has no 'id'")
        if not isinstance(joints, list) or not all(isinstance(joint, str) for joint in joints):
            raise PosekitError(f"{file}: 'keypoints' of category {name!r} is not a list of the joints' names")
        category = Category(name, tuple(joints))
        if found.setdefault(number, category) != category:
            raise PosekitError(f"{file}: two categories, {found[number].name!r} and {name!r}, both have id {number}; renumber them")
    return found


def people(file: Path, categories: dict[Id, Category], *, jointed: bool) -> dict[Id, Category]:
    """Those of a file's categories, not none, that are people; with `jointed` people whose joints are read.

    People are the categories that are called so (`PEOPLE`). Where joints are read, of these the ones with COCO's joints by name; or
    else any that names all of COCO's; or else those called so without names of joints. PosekitError where none is left.
    """
    called = {number: category for number, category in categories.items() if category.human}
    usable = {number: category for number, category in categories.items() if category.joints and not isinstance(category.order, str)}
    whole = {number: category for number, category in usable.items() if None not in category.order}
    if not jointed and (called or whole):
        return called or whole
    for chosen in ({n: c for n, c in called.items() if n in usable}, whole):
        if chosen:
            return chosen
    for category in [*called.values(), *categories.values()]:
        if isinstance(category.order, str):
            raise NotPeople(f"{file}: category {category.name!r} {category.order}; only people with COCO's joints can be read")
    if called:
        return called
    names = ", ".join(repr(category.name) for category in list(categories.values())[:5])
    lacking = " and names all of COCO's joints" if jointed else ""
    raise NotPeople(f"{file}: none of its categories ({names}) is called 'person'{lacking}; rename the one of the people")


def nameless(file: Path, ids: Iterable[Id], *, jointed: bool) -> set[Id]:
    """Which category ids are people in a file that lists no categories: its only one, or 1, which is COCO's person.

    Without joints, which show that it is a person, an only one has to be COCO's 1, or 0, which is a person where classes are counted
    from 0. PosekitError where it cannot be told.
    """
    there = set(ids)
    if len(there) <= 1 and (jointed or there <= {None, 0, 1}):
        return there
    if 1 in there and 0 not in there and None not in there:
        return {1}
    shown = ", ".join(sorted(str(number) for number in there)[:5])
    raise PosekitError(f"{file}: which of its categories ({shown}) are people is not said; add 'categories' with their names")


def _identity(value: Any) -> Id:
    try:
        return identity(value)
    except ValueError:
        return None
