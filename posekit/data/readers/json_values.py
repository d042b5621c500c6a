"""What annotation tools write where a number, an id or yes and no is meant: one table, read in one place.

| meant | written |
| --- | --- |
| nothing | the key is missing, `null`, `NaN`, `""`, `"nan"`, `"null"`, `"none"`, `"n/a"`, `[]` |
| 12.5 | `12.5`, `"12.5"` |
| an id | `36`, `36.0`, `"36"`, `"000036"` (all the same id), or a word, `"img-7f-b7"` |
| yes, no | `1`, `true`, `"1"`, `"true"`, `"yes"`; `0`, `false`, `"0"`, `"false"`, `"no"`, `-1`, or nothing |
| a joint that is not labelled | flag 0; or x and y are both nothing or both -1; or flag -1 or nothing with x and y 0 |
"""

import re
from typing import Any

import numpy as np

Id = int | str | None  # a number or a word; None where it is missing

_NOTHING = {"", "nan", "null", "none", "n/a"}
_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "-1": False}


def missing(value: Any) -> bool:
    """Whether a value stands for nothing."""
    if isinstance(value, str):
        return value.strip().lower() in _NOTHING
    return value is None or value == [] or (isinstance(value, float) and value != value)


def number(value: Any) -> float:
    """A number, NaN for nothing. ValueError for what is neither.

    >>> number("12.5"), number(""), number(True)
    (12.5, nan, 1.0)
    """
    if missing(value):
        return np.nan
    if not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number beyond all floats") from None


def identity(value: Any) -> Id:
    """An id: a whole number, however it is written, or a word; None for nothing. ValueError for lists and the like.

    >>> identity("000036"), identity(36.0), identity(" img-7 "), identity(None)
    (36, 36, 'img-7', None)
    """
    if missing(value):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no id")
    word = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    return int(word) if re.fullmatch(r"-?[0-9]+", word) else word


def yes(value: Any) -> bool:
    """Yes or no; nothing is no. ValueError for what is neither.

    >>> yes("True"), yes(0), yes(None), yes(-1)
    (True, False, False, False)
    """
    if missing(value):
        return False
    word = str(value).strip().lower().removesuffix(".0")
    if word not in _WORDS:
        raise ValueError(f"{value!r} is neither yes nor no")
    return _WORDS[word]


def path(name: str) -> str:
    """A file's name with `/` between folders, as Windows reads it too, without `./` in front.

    >>> path("val2017\\\\a.jpg"), path("./a.jpg")
    ('val2017/a.jpg', 'a.jpg')
    """
    name = name.strip().replace("\\", "/")
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def joints(value: Any, count: int) -> np.ndarray | None:
    """A person's joints (count, 3) of x, y and flag, flat or one list a joint; None where it is no list of as many.

    A joint that is nothing, `null` or `[]`, is three times nothing. ValueError for what is no number.
    """
    if not isinstance(value, list):
        return None
    if len(value) == 3 * count and not any(isinstance(item, list) for item in value):
        flat = value
    elif len(value) == count and count and all(missing(joint) or (isinstance(joint, list) and len(joint) == 3) for joint in value):
        flat = [item for joint in value for item in ((None, None, None) if missing(joint) else joint)]
    else:
        return None
    return np.array([number(item) for item in flat]).reshape(count, 3)


def unlabelled(keypoints: np.ndarray) -> np.ndarray:
    """Which joints of (..., 3), x, y and flag, are not labelled, by the table above; a mask (...,)."""
    xy, flags = keypoints[..., :2], keypoints[..., 2]
    nowhere = np.isnan(xy).all(-1) | (xy == -1).all(-1)
    return (flags == 0) | nowhere | ((np.isnan(flags) | (flags == -1)) & (xy == 0).all(-1))
