"""The trainings of a study whose results are not kept yet: what there is to do, about how long it takes, and doing it.

book/studies/lspet/base-0-1a2b3c4d5e6f.json     what is kept of a training, of whatever study it is part
runs/studies/1a2b3c4d5e6f/                      its checkpoint and weights, not in the repository
"""

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from posekit.data import load_people
from posekit.data.people import People, parse_spec
from posekit.data.rendered import as_shown
from posekit.engine.backend import Backend
from posekit.errors import PosekitError
from posekit.files import write_json
from posekit.process import cores, keep_memory
from posekit.studies import hours, results
from posekit.studies.designs import Study, check_variants, design
from posekit.studies.floor import recall, remember
from posekit.studies.job import SPLITS, Training, do, fingerprints, stores
from posekit.studies.kept import Trainings
from posekit.studies.results import Result
from posekit.workflow.execution import hardware
from posekit.workflow.graph import Job, run_jobs
from posekit.workflow.parameters import root


@dataclass(frozen=True)
class Plan(Trainings):
    """A study, its people, and what is kept of it."""

    study: Study
    data: str
    people: People
    keys: dict[str, str]
    results: dict[str, Result]  # by key

    @property
    def source(self) -> str:
        return self.people.source.partition(":")[0]

    @cached_property
    def floor(self) -> dict[str, float]:
        """The median pose's PCK by split, kept beside the results from now on."""
        remember(self.people, kept_folder(self.people))
        found = recall(self.keys, kept_folder(self.people))
        assert found is not None
        return found


def usual_workers() -> int:
    """One a GPU, or else one a core."""
    return torch.cuda.device_count() or cores()


def kept_folder(people: People) -> Path:
    return root() / "book" / "studies" / people.source.partition(":")[0]


def work_folder() -> Path:
    return root() / "runs" / "studies"


def plan(
    study: str, data: str, seeds: tuple[int, ...], *, cache: str | Path = "data", progress: Callable[[int], None] | None = None
) -> Plan:
    """What a study of these people consists of, and which of its results are kept.

    Raises:
        PosekitError: no such study or data; data without the splits train, val and test; a kept result is damaged.
    """
    if (split := parse_spec(data)[2]) is not None:
        raise PosekitError(f"{data}: a study takes the splits {', '.join(SPLITS)}; give its people without @{split}")
    people = as_shown(load_people(f"{data}@all", cache=cache, progress=progress))
    lacking = [name for name in SPLITS if name not in people.splits]
    if lacking:
        have = ", ".join(sorted(set(people.splits.tolist())))
        raise PosekitError(f"{data}: a study needs train, val and test people, and these have {have} alone; give data with "
                           f"{' and '.join(lacking)} as well, or more people, of whom some fall into each")  # fmt: skip
    designed, keys = design(study, len(people.skeleton), seeds), fingerprints(people)
    found = {}
    for training in designed.trainings:
        key = training.key(keys)
        result = results.kept(kept_folder(people), key)
        if result is not None:
            found[key] = result
    return Plan(designed, data, people, keys, found)


def asked(planned: Plan, variants: Sequence[str] = ()) -> list[Training]:
    """The trainings that are missing, of these variants or all.

    Raises:
        PosekitError: the study has no such variant.
    """
    check_variants(planned.study.name, variants)
    return [training for training in planned.missing if not variants or training.variant in variants]


def describe(planned: Plan, workers: int, variants: Sequence[str] = ()) -> str:
    """How many trainings there are and are missing, and about how many hours those take that are asked for."""
    study, missing = planned.study, asked(planned, variants)
    line = f"{study.name} on {planned.people.source}: {len(study.trainings)} trainings, {len(planned.results)} kept"
    if not missing:
        return line
    rates = hours.measured(results.all_kept(kept_folder(planned.people).parent), hardware())
    basis = "by the results that this machine made" if rates else "a guess until this machine has made one"
    weights = work_folder()
    stages = {planned.key(stage): stage for training in missing for stage in training.needed}
    left = [stage for key, stage in stages.items() if not (weights / key / "weights.safetensors").exists()]
    seconds = hours.seconds(left, len(planned.people.split("train")), rates)
    return f"{line}, {len(missing)} to train, about {seconds / 3600 / workers:.1f} hours with {workers} at a time ({basis})"


def run(
    planned: Plan, variants: Sequence[str] = (), *, workers: int | None = None, device: str | None = None, profile: str | None = None,
    cache: str | Path = "data", report: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Do the trainings that are missing, of these variants or all, several at a time, and keep the result of each as soon as it is there.

    Raises:
        PosekitError: trainings failed; the others are done and kept.
        KeyboardInterrupt: each training keeps its state and goes on from there the next time.
    """
    missing = asked(planned, variants)
    if not missing:
        return
    workers = min(workers or usual_workers(), len(missing))
    threads = max(cores() // workers, 1)
    for resolution in sorted({stage.recipe.resolution for training in missing for stage in training.needed}):
        stores(planned.people, resolution, cache)  # once, before several would
    folder, jobs = work_folder(), []
    for training in missing:
        own = folder / planned.key(training)
        own.mkdir(parents=True, exist_ok=True)
        (own / "failed.txt").unlink(missing_ok=True)
        what = {"study": planned.study.name, "data": planned.data, "variant": training.variant, "seed": training.seed, "device": device,
                "cache": str(cache)}  # fmt: skip
        write_json(own / "job.json", what)
        jobs.append(Job(str(own / "kept"), [sys.executable, "-m", "posekit.studies.execute", str(own / "job.json")]))
        (own / "kept").unlink(missing_ok=True)  # its result is gone

    def watch() -> None:
        for training in missing:
            key = planned.key(training)
            if key not in planned.results:
                result = results.kept(kept_folder(planned.people), key)  # of a job here, or of another machine's
                if result:
                    planned.results[key] = result
                    report(f"{training.variant}, seed {training.seed}: PCK on val {result.scores['val']:.3f}, "
                           f"{result.content['seconds'] / 60:.0f} min; {len(asked(planned, variants))} to go")  # fmt: skip

    def meanwhile() -> None:
        with suppress(PosekitError):  # of a result that another machine's copy is not whole of yet; at the end it is told
            watch()

    run_jobs(jobs, folder, workers, threads, profile, meanwhile)
    watch()
    if lacking := asked(planned, variants):
        first = lacking[0]
        failure = folder / planned.key(first) / "failed.txt"
        why = failure.read_text("utf-8") if failure.exists() else "its process was ended from outside (out of memory, say)"
        raise PosekitError(f"{len(lacking)} of {len(missing)} trainings were not finished, and the same command goes on with those; "
                           f"{first.variant}, seed {first.seed}: {why}")  # fmt: skip


def work(file: Path) -> None:
    """Do the training that a job file names, unless another process does it, and keep its result.

    Raises:
        PosekitError: as `plan` and `posekit.fit`; or another process is at it.
    """
    what, own = json.loads(file.read_text("utf-8")), file.parent
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(own / "lock", timeout=0))
        except Timeout:
            raise PosekitError(f"{own}: another process is doing this training; wait for it, or end it first") from None
        planned = plan(what["study"], what["data"], (what["seed"],), cache=what["cache"])
        training = next(t for t in planned.study.trainings if t.variant == what["variant"])
        if planned.key(training) != own.name:
            raise PosekitError(f"{own}: {what['data']} or the study has changed since this was planned; give the command again")
        if planned.result(training):  # another machine kept it since this job was planned
            (own / "kept").touch()
            return
        backend = Backend.best(what["device"] or _free_gpu(stack))
        path = do(training, planned.people, work_folder(), backend=backend, cache=what["cache"])
        found = results.result(training, planned.people, path, backend=backend, cache=what["cache"])
        results.save(found, kept_folder(planned.people))
        (own / "last.pt").unlink(missing_ok=True)  # nothing is gone on with any more
    (own / "kept").touch()


def _free_gpu(stack: ExitStack) -> str | None:
    """A GPU that no other training uses, which it keeps until the stack is closed; None where there is none."""
    for number in range(torch.cuda.device_count()):
        with suppress(Timeout):
            stack.enter_context(FileLock(work_folder() / f"gpu{number}.lock", timeout=0))
            return f"cuda:{number}"
    return None


def main(file: Path) -> None:
    keep_memory()  # this process does nothing else
    try:
        work(file)
    except (PosekitError, OSError) as error:
        with suppress(OSError):  # of a full disk
            file.with_name("failed.txt").write_text(str(error), encoding="utf-8")
        sys.exit(f"posekit: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
