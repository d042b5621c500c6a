"""The trainings of a comparison: which there are, in which order, and several at a time."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from posekit.coordinates import CONTEXT
from posekit.data import load_people
from posekit.data.augment import Augmentation
from posekit.data.crops import Crops, crops
from posekit.engine.backend import Backend
from posekit.engine.fitting import fit
from posekit.engine.training import Recipe
from posekit.errors import PosekitError
from posekit.files import write_json
from posekit.models.hourglass import HourglassConfig
from posekit.studies.redesign.squeezed import Pretraining, init_squeeze
from posekit.studies.redesign.variants import Variant


@dataclass(frozen=True)
class Job:
    """One training, all of whose values JSON can hold."""

    folder: str
    config: dict  # of HourglassConfig
    recipe: dict  # of Recipe
    data: str  # NAME[:PATH]; its splits train and val are used
    people: int | None = None  # at most so many training people, drawn by chance, the same for every job
    start: str | None = None  # weights to begin with
    init: str | None = None  # how the squeeze between the start's network and this one is initialised: "trained", "components", "random"
    pretraining: dict = field(default_factory=lambda: asdict(Pretraining()))
    after: tuple[str, ...] = ()  # folders whose weights must be there first

    @property
    def weights(self) -> Path:
        """The file that there is when the job is done."""
        return Path(self.folder) / "weights.safetensors"


def jobs_of(
    variant: Variant, base: HourglassConfig, recipe: Recipe, extra: int, folder: str | Path, data: str, *,
    people: int | None = None, pretraining: Pretraining = Pretraining(), slower: float = 0.5,
) -> list[Job]:  # fmt: skip
    """The two turns of a variant with one seed, `recipe.seed`, in `folder`; the second is `folder`/SEED/NAME.

    The base's first turn is `folder`/SEED/first, which the base and those that change it share. The second turn lasts `extra`
    epochs, its highest learning rate `slower` times the first's.
    """
    folder = Path(folder) / str(recipe.seed)
    of_base = variant.continued or variant.init
    first = Job(
        str(folder / ("first" if of_base else f"{variant.name}-first")), (base if of_base else variant.config).to_dict(),
        asdict(replace(recipe, sigma=1.0 if of_base else variant.sigma)), data, people,
    )  # fmt: skip
    turn = replace(recipe, epochs=extra, lr=recipe.lr * slower, sigma=variant.sigma)
    second = Job(
        str(folder / variant.name), variant.config.to_dict(), asdict(turn), data, people, str(first.weights), variant.init,
        asdict(pretraining), (first.folder,),
    )  # fmt: skip
    return [first, second]


def train_all(jobs: Iterable[Job], *, workers: int | None = None, report: Callable[[str], None] = print) -> None:
    """Do every job that is not done yet, each after those that it needs, several at a time.

    `workers`: how many at a time; by default one a GPU, or one a core that torch may use. `report` hears a line when a job ends.

    Raises:
        PosekitError: a job failed; the others under way are finished first.
        KeyboardInterrupt: each job keeps its state and goes on from there the next time.
    """
    waiting = {job.folder: job for job in jobs if not job.weights.exists()}
    if not waiting:
        return
    unfinished, failed, done = set(waiting), None, 0
    gpus = torch.cuda.device_count()
    cores = torch.get_num_threads()  # this process's share, which Snakemake sets
    count = min(workers or gpus or cores, len(waiting))
    threads = max(cores // count, 1)
    free = [_worker(threads, number if gpus else None) for number in range(count)]
    started = list(free)
    try:
        with ThreadPoolExecutor(count) as pool:
            running: dict = {}
            while running or (waiting and not failed):
                ready = [job for job in waiting.values() if not (set(job.after) & unfinished)]
                while free and ready and not failed:
                    job, worker = ready.pop(0), free.pop(0)
                    del waiting[job.folder]
                    running[pool.submit(_do, job, worker)] = (job, worker)
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    job, worker = running.pop(future)
                    free.append(worker)
                    seconds, error = future.result()
                    if error:
                        failed = f"{job.folder}: {error}"
                    else:
                        unfinished.discard(job.folder)
                        done += 1
                        left = len(waiting) + len(running)
                        report(f"{'/'.join(Path(job.folder).parts[-2:])}: {seconds:.0f} s ({done} done, {left} to go)")
    finally:
        for worker in started:
            worker.communicate()  # an end of its input ends it
    if failed:
        raise PosekitError(failed)


def _worker(threads: int, gpu: int | None) -> subprocess.Popen:
    """A process that does the jobs whose files it is told, a line each, and answers each with a line."""
    few = str(threads)  # torch goes by the one that names MKL, which Snakemake sets, where there is one
    environment = os.environ | {"OMP_NUM_THREADS": few, "MKL_NUM_THREADS": few, "OMP_WAIT_POLICY": "PASSIVE"}
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = str(gpu)
    command = [sys.executable, "-m", "posekit.studies.redesign"]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _do(job: Job, worker: subprocess.Popen) -> tuple[float, str]:
    """Have a worker do a job: how many seconds it took, and what went wrong, if anything did."""
    began = time.monotonic()
    file = Path(job.folder).resolve() / "job.json"
    write_json(file, asdict(job))
    assert worker.stdin and worker.stdout
    try:
        worker.stdin.write(f"{file}\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
    except BrokenPipeError:
        answer = ""
    error = json.loads(answer) if answer else f"its process ended with status {worker.wait()}"
    return time.monotonic() - began, error


def work(job: Job, backend: Backend | None = None) -> Path:
    """Do one job; returns its weights file."""
    backend = backend or Backend.best()
    recipe = Recipe(**{**job.recipe, "augmentation": Augmentation(**job.recipe["augmentation"])})
    config = HourglassConfig.from_dict(job.config)
    training, validation = stores(job.data, recipe.resolution, job.people)
    start: str | Path | None = job.start
    if job.init and job.start:
        start = Path(job.folder) / "begin.safetensors"
        if not start.exists():
            init_squeeze(job.start, config, job.init, training, validation, start, Pretraining(**job.pretraining), recipe.seed, backend)
    return fit(config, recipe, training, validation, job.folder, start=start, backend=backend, compiled=False)


def stores(data: str, resolution: int, people: int | None = None) -> tuple[Crops, Crops]:
    """Crops of the training and the validation people; of the former at most `people`, the same ones whenever asked."""
    found = load_people(data)
    training, validation = (crops(found.split(split), round(resolution * CONTEXT)) for split in ("train", "val"))
    if people is not None and people < len(training):
        training = training.select(np.sort(np.random.default_rng(0).permutation(len(training))[:people]))
    return training, validation


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
