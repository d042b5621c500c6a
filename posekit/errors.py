"""What posekit says when the person who called it can put it right."""

from collections.abc import Iterator
from contextlib import contextmanager
from operator import index
from typing import Any


class PosekitError(Exception):
    """A mistake of use, said in one line; the command line prints it and exits with 1.

    >>> import posekit
    >>> try:
    ...     posekit.load("nonsense.safetensors")
    ... except posekit.PosekitError as error:
    ...     print(error)
    nonsense.safetensors: no such weights file; shipped by name: ...
    """


class NotPeople(PosekitError):
    """A sound file of something else than people with joints."""


class MissingPackage(PosekitError, ImportError):
    """A package is not installed that only a part of posekit needs: one of its extras."""


def whole(name: str, value: Any, least: int | None = 0) -> int:
    """A parameter that is a whole number, Python's or NumPy's, from `least` on.

    Raises:
        PosekitError: it is none, True or False or 2.0 say, or less.

    >>> whole("seed", 3)
    3
    >>> whole("seed", 0.5)
    Traceback (most recent call last):
    posekit.errors.PosekitError: seed is 0.5; it must be a whole number from 0
    """
    try:
        number = None if isinstance(value, bool) or bool(getattr(value, "shape", None)) else index(value)
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        raise PosekitError(f"{name} is {value!r}; it must be a whole number" + ("" if least is None else f" from {least}"))
    return number


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Imports of packages that `pip install "posekit[name]"` brings, for `what`.

    Raises:
        MissingPackage: one of them is not installed; in one line, with the command that installs it.

    >>> with extra("fetch", "fetching data"):
    ...     import no_such_package
    Traceback (most recent call last):
    posekit.errors.MissingPackage: fetching data needs no_such_package, which is not installed: pip install "posekit[fetch]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise MissingPackage(f'{what} needs {package}, which is not installed: pip install "posekit[{name}]"') from None
