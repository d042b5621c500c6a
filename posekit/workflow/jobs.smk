# Jobs of which each makes one file. `posekit sweep` and `posekit study` write the list and call this (posekit/graph.py).

import json
import shlex
from pathlib import Path

waiting = json.loads(Path(config["waiting"]).read_text("utf-8"))


rule all:
    input:
        [job["output"] for job in waiting],


for number, job in enumerate(waiting):

    rule:
        name:
            f"job_{number}"
        output:
            job["output"],
        params:
            command=shlex.join(job["command"]),
        threads: int(config["threads"])
        priority: len(waiting) - number
        # Numba, which UMAP uses, else takes all cores.
        shell:
            "NUMBA_NUM_THREADS={threads} {params.command}"
