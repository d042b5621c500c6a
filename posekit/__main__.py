"""`python -m posekit`: the command line; torchrun starts it so."""

from posekit.cli.commands import main

if __name__ == "__main__":
    main()
