"""All commands, in the order in which `posekit --help` lists them, and the entry point."""

import os
import re
import sys

from posekit.cli import audit, data, machine, networks, notebooks, train, trust  # noqa: F401
from posekit.cli.app import app
from posekit.cli.output import show_like_signs


def main() -> None:
    """What the command `posekit` runs."""
    show_like_signs()
    app([re.sub(r"^(--[\w-]+=)?~(?=/|$)", lambda match: (match[1] or "") + os.path.expanduser("~"), word) for word in sys.argv[1:]])


if __name__ == "__main__":
    main()
