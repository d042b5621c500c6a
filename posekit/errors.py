"""What posekit says when the person who called it can put it right."""


class PosekitError(Exception):
    """A mistake of use, told in one line; the command line prints it and exits with 1."""
