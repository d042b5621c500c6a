# The graph of a preset: a run for each notebook, and the book made of them all. `make book PRESET=...` calls it.
#
# What is stale is decided by content: a rule's output is an empty file whose name holds the fingerprint of all that the
# result depends on (posekit/workflow/staleness.py), so a change makes Snakemake miss it, and new file times alone do not.

import subprocess
import sys

from posekit.errors import PosekitError
from posekit.workflow.parameters import root
from posekit.workflow.book import book_stamp, describe, last_seconds, plan

preset = config.get("preset", "laptop")
try:
    steps = plan(preset)
except PosekitError as error:
    sys.exit(f"posekit: {error}")
book_built = book_stamp(preset, steps).relative_to(root())
done = {name: step.stamp.relative_to(root()) for name, step in steps.items()}
# Small networks gain little from a second core, so two notebooks run at a time; one that is alone has all cores.
alone = sum(not step.stamp.exists() for step in steps.values()) == 1
share = workflow.cores if alone else max(workflow.cores // 2, 1)

print(describe(preset, steps), file=sys.stderr)


# What did not depend on a notebook that failed has been run, and the book says what is missing.
onerror:
    subprocess.run([sys.executable, "-m", "posekit.workflow.book", "gaps", preset])


rule book:
    input:
        book_built,


rule build:
    input:
        list(done.values()),
    output:
        book_built,
    params:
        python=sys.executable,
        preset=preset,
    shell:
        "{params.python:q} -m posekit.workflow.book build {params.preset}"


for name, step in steps.items():

    rule:
        name:
            f"run_{name}"
        input:
            [done[read] for read in step.reads],
        output:
            done[name],
        params:
            python=sys.executable,
            preset=preset,
            notebook=name,
        threads: share
        # The longest first, by the last time each was run: then no core waits at the end.
        priority: int(last_seconds(preset, step) or 0)
        # Numba, which UMAP uses, else takes all cores, and scikit-learn then does too: many times slower beside another notebook.
        shell:
            "NUMBA_NUM_THREADS={threads} {params.python:q} -m posekit.workflow.book run {params.preset} {params.notebook}"
