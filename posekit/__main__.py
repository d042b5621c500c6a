"""`posekit` and `python -m posekit`: the command line, where what it needs is installed; torchrun starts it so."""

import sys

from posekit.errors import MissingPackage, extra


def main() -> None:
    """What the command `posekit` runs."""
    try:
        with extra("cli", "the command line"):
            from posekit.cli import commands
    except MissingPackage as error:
        sys.exit(f"posekit: {error}")
    commands.main()


if __name__ == "__main__":
    main()
