"""A process that does jobs, which `train_all` starts."""

import contextlib

from posekit.redesign.jobs import serve

if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve()
