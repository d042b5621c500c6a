"""What posekit says when the person who called it can put it right."""


class PosekitError(Exception):
    """A mistake of use, told in one line; the command line prints it and exits with 1.

    >>> import posekit
    >>> try:
    ...     posekit.load("nonsense.safetensors")
    ... except posekit.PosekitError as error:
    ...     print(error)
    nonsense.safetensors: no such weights file; shipped by name: ...
    """


class NotPeople(PosekitError):
    """A sound file of something else than people with joints."""
