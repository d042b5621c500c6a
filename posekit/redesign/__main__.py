"""A process that does jobs, which `train_all` starts."""

import contextlib
import json
import sys
from pathlib import Path

from posekit.errors import PosekitError
from posekit.redesign.jobs import Job, work


def serve() -> None:
    """Do the jobs whose files come in, a line each; answer each with a line of JSON, what went wrong or an empty string."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed is no answer
    for line in sys.stdin:
        try:
            values = json.loads(Path(line.strip()).read_text())
            work(Job(**{**values, "after": tuple(values["after"])}))
            error = ""
        except Exception as problem:  # it is told to whoever waits for the answer
            error = str(problem) if isinstance(problem, PosekitError) else f"{type(problem).__name__}: {problem}"
        print(json.dumps(error), file=answers, flush=True)


with contextlib.suppress(KeyboardInterrupt):
    serve()
