# The runs of a sweep that are not there yet, each a job of its own. `posekit sweep` writes the list and calls this.

import json
import sys
from pathlib import Path

waiting = json.loads(Path(config["waiting"]).read_text("utf-8"))


rule all:
    input:
        [run["stamp"] for run in waiting],


for number, run in enumerate(waiting):

    rule:
        name:
            f"run_{number}"
        output:
            run["stamp"],
        params:
            python=sys.executable,
            waiting=config["waiting"],
            number=number,
        threads: int(config["threads"])
        priority: len(waiting) - number
        shell:
            "NUMBA_NUM_THREADS={threads} {params.python:q} -m posekit.sweep {params.waiting:q} {params.number}"
