"""A process that does jobs, which `train_all` starts."""

import contextlib

from posekit.memory import keep_memory
from posekit.studies.redesign.jobs import serve

if __name__ == "__main__":
    keep_memory()  # this process does nothing else
    with contextlib.suppress(KeyboardInterrupt):
        serve()
