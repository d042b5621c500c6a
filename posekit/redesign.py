"""Redesigns of a network, trained on equal terms: the same people, passes over them, and seeds.

    jobs = [job for seed in (0, 1, 2) for variant in variants for job in jobs_of(variant, ...)]
    train_all(jobs, report=print)

A variant is trained in two turns: `epochs` passes from nothing, then `extra` more at a lower rate. The study inserts its
autoencoder between the two, so that whoever is compared with it gets the second turn as well. A variant that changes a
trained base (`begins` is set) shares the base's first turn.

Jobs are done by processes beside the caller's (`python -m posekit.redesign`), as many as there are GPUs, or cores. What is
finished is not done again, and what was interrupted goes on.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from posekit import weights
from posekit.comparison import multiply_adds
from posekit.coordinates import CONTEXT
from posekit.data import load_people
from posekit.data.augment import Augmentation
from posekit.data.crops import Crops, crops
from posekit.errors import PosekitError
from posekit.fitting import fit
from posekit.interpret import ablation
from posekit.interpret.codes import collect
from posekit.interpret.components import batches_of, moments_of, pca
from posekit.interpret.trace import code_place
from posekit.machine import Machine
from posekit.models.hourglass import Hourglass, HourglassConfig, Stack
from posekit.models.squeeze import Linear
from posekit.training import Recipe

BEGINS = ("trained", "components", "random")


@dataclass(frozen=True)
class Alone:
    """How the study trains the autoencoder before it is placed in the network: SGD, the rate halved now and then."""

    epochs: int = 50
    rate: float = 5e-4
    momentum: float = 0.9
    halved: int = 25  # every so many epochs
    batch: int = 16

    def rate_at(self, epoch: int) -> float:
        """Epochs count from 0."""
        return self.rate * 0.5 ** (epoch // self.halved)


@dataclass(frozen=True)
class Variant:
    """One way of building the network."""

    name: str
    config: HourglassConfig
    begins: str | None = None  # how its squeeze begins in the trained base: trained alone, from components, at random
    continued: bool = False  # it is the trained base itself, trained on
    sigma: float = 1.0  # of the target Gaussians, in heatmap pixels
    why: str = ""  # what it is there for, in a few words


@dataclass(frozen=True)
class Job:
    """One training, all of whose values JSON can hold."""

    folder: str
    config: dict  # of HourglassConfig
    recipe: dict  # of Recipe
    data: str  # NAME[:PATH]; its splits train and val are used
    people: int | None = None  # at most so many training people, drawn by chance, the same for every job
    start: str | None = None  # weights to begin with
    begins: str | None = None  # what is between the start's network and this one; see `BEGINS`
    alone: dict = field(default_factory=lambda: asdict(Alone()))
    after: tuple[str, ...] = ()  # folders whose weights must be there first

    @property
    def weights(self) -> Path:
        return Path(self.folder) / "weights.safetensors"


def study_variants(base: HourglassConfig, dimensions: int, side: int, noise: float = 0.1) -> list[Variant]:
    """The study's autoencoder, of `dimensions` numbers behind a code of `side` cells, and what it must be compared with."""
    squeezed = replace(base, squeeze="autoencoder", dimensions=dimensions, code_side=side, code_noise=noise)
    linear = replace(base, squeeze="linear", dimensions=dimensions, code_side=side)
    wider = widened(base, parameters(squeezed))
    return [
        Variant("base", base, continued=True, why="the network as it is, trained as long as the others"),
        Variant("autoencoder", squeezed, "trained", why="the study's redesign"),
        Variant("linear", linear, "components", why="as few dimensions, begun with the principal components"),
        Variant("random", linear, "random", why="as few dimensions, begun with directions drawn by chance"),
        Variant("wider", wider, why="the autoencoder's parameters spent on width"),
    ]


def own_variants(base: HourglassConfig, resolution: int) -> list[Variant]:
    """What the chapters on skips, stacks and codes suggest, each at no more parameters and multiply-adds than the base."""
    lean = "coarse skips and bottleneck residuals are hardly missed, and the stem costs half: spent on width"
    far = "most errors are far off and codes redundant: modules that see further, of fewer channels"
    slim = {"skips": (1, 2), "bottleneck_residuals": 1, "early_pool": True}
    return [
        Variant("noisy code", replace(base, code_noise=0.1), why="codes are redundant: noise may regularise"),
        Variant("lean", within(base, resolution, **slim), why=lean),
        Variant("basic modules", within(base, resolution, basic=True), why=far),
        Variant("sharper targets", base, sigma=0.7, why="targets that say more exactly where"),
        Variant("all three", within(base, resolution, basic=True, **slim), sigma=0.7, why="the three before in one"),
    ]  # fmt: skip


def jobs_of(
    variant: Variant, base: HourglassConfig, recipe: Recipe, extra: int, folder: str | Path, data: str, *,
    people: int | None = None, alone: Alone = Alone(), slower: float = 0.5,
) -> list[Job]:  # fmt: skip
    """The two turns of a variant with one seed, `recipe.seed`, in `folder`; the second is `folder`/SEED/NAME.

    The base's first turn is `folder`/SEED/first, which the base and those that change it share. The second turn lasts `extra`
    epochs, its highest rate `slower` times the first's.
    """
    folder = Path(folder) / str(recipe.seed)
    of_base = variant.continued or variant.begins
    first = Job(
        str(folder / ("first" if of_base else f"{variant.name}-first")), (base if of_base else variant.config).to_dict(),
        asdict(replace(recipe, sigma=1.0 if of_base else variant.sigma)), data, people,
    )  # fmt: skip
    turn = replace(recipe, epochs=extra, rate=recipe.rate * slower, sigma=variant.sigma)
    second = Job(
        str(folder / variant.name), variant.config.to_dict(), asdict(turn), data, people, str(first.weights), variant.begins,
        asdict(alone), (first.folder,),
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
    command = [sys.executable, "-m", "posekit.redesign"]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _do(job: Job, worker: subprocess.Popen) -> tuple[float, str]:
    """Have a worker do a job: how many seconds it took, and what went wrong, if anything did."""
    began = time.monotonic()
    file = Path(job.folder).resolve() / "job.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(job)))
    assert worker.stdin and worker.stdout
    try:
        worker.stdin.write(f"{file}\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
    except BrokenPipeError:
        answer = ""
    error = json.loads(answer) if answer else f"its process ended with status {worker.wait()}"
    return time.monotonic() - began, error


def work(job: Job, machine: Machine | None = None) -> Path:
    """Do one job; returns its weights file."""
    machine = machine or Machine.best()
    recipe = Recipe(**{**job.recipe, "augmentation": Augmentation(**job.recipe["augmentation"])})
    config = HourglassConfig.from_dict(job.config)
    training, validation = stores(job.data, recipe.resolution, job.people)
    start: str | Path | None = job.start
    if job.begins and job.start:
        start = Path(job.folder) / "begin.safetensors"
        if not start.exists():
            begin(job.start, config, job.begins, training, validation, start, Alone(**job.alone), recipe.seed, machine)
    return fit(config, recipe, training, validation, job.folder, start=start, machine=machine, compiled=False)


def stores(data: str, resolution: int, people: int | None = None) -> tuple[Crops, Crops]:
    """Crops of the training and the validation people; of the former at most `people`, the same ones whenever asked."""
    found = load_people(data)
    training, validation = (crops(found.split(split), round(resolution * CONTEXT)) for split in ("train", "val"))
    if people is not None and people < len(training):
        training = training.select(np.sort(np.random.default_rng(0).permutation(len(training))[:people]))
    return training, validation


def begin(
    base: str | Path, config: HourglassConfig, begins: str, training: Crops, validation: Crops, path: str | Path,
    alone: Alone = Alone(), seed: int = 0, machine: Machine | None = None,
) -> None:  # fmt: skip
    """Write `path`: the base's weights with a squeeze behind its code, which begins as `begins` says.

    `trained`: trained alone to give each training person's code back (`train_alone`); its losses go to alone.json beside
    `path`. `components`: linear, the projection onto the first principal components. `random`: the same onto as many directions
    drawn by chance.

    Raises:
        PosekitError: the base is not this network without its squeeze, or there are fewer people than dimensions.
    """
    network, card = weights.load(base)
    if _plain(config) != _plain(network.config):
        raise PosekitError(f"{base}: is {network.config}, to which a squeeze alone does not make {config}")
    codes = collect(network, card, training, code_place(network), machine=machine)
    torch.manual_seed(seed)
    squeezed = Hourglass(config).eval()
    squeezed.load_state_dict(network.state_dict(), strict=False)
    stack = cast(Stack, squeezed.get_submodule(f"stack{config.stacks - 1}"))
    assert stack.squeeze is not None
    if begins == "trained":
        held_out = collect(network, card, validation, code_place(network), machine=machine)
        shape = (config.features, config.code_side, config.code_side)
        history = train_alone(stack.squeeze, stack.noise, _shaped(codes, shape), _shaped(held_out, shape), alone, seed)
        Path(path).with_name("alone.json").write_text(json.dumps(history))
    else:
        components = pca(moments_of(batches_of(codes)), config.dimensions)
        directions = components.directions
        if begins == "random":
            directions = random_directions(len(directions), directions.shape[1], seed)
        cast(Linear, stack.squeeze).start(torch.from_numpy(directions).float(), torch.from_numpy(components.mean).float())
    weights.save(path, squeezed, replace(card, config=config.to_dict()))


def doubled(network: Hourglass) -> Hourglass:
    """The same function of pictures twice as large, by hourglasses at an eighth: its heatmaps of a picture are this network's
    of the picture's means over 2 x 2 pixels, each cell four times.

    Only the first filters and the heads grow, at 2 x 2 times their weights; trained on, they can use the finer detail.

    Raises:
        PosekitError: the network works at an eighth already, or its heatmaps are normalised.
    """
    config = network.config
    if config.eighth or config.normalised_heatmaps:
        raise PosekitError(f"{config}: cannot be doubled: it must work at a quarter, its heatmaps not normalised")
    larger = Hourglass(replace(config, eighth=True)).train(network.training)
    state = dict(network.state_dict())
    state["stem.conv.weight"] = state["stem.conv.weight"].repeat_interleave(2, 2).repeat_interleave(2, 3) / 4
    for i in range(config.stacks):
        for parameter in ("weight", "bias"):
            head = state.pop(f"stack{i}.heatmaps.{parameter}")
            state[f"stack{i}.heatmaps.0.{parameter}"] = head.repeat_interleave(4, 0)
        back = f"stack{i}.merge_heatmaps.weight"
        if back in state:
            state[back] = state[back].expand(-1, -1, 2, 2) / 4
    larger.load_state_dict(state)
    return larger


def without_bottleneck(network: Hourglass, which: int) -> Hourglass:
    """The network without one of each stack's bottleneck residuals, 1 the first; the others keep their weights.

    Raises:
        PosekitError: there is no such residual, or it is the only one.
    """
    count = network.config.bottleneck_residuals
    if count < 2 or not 1 <= which <= count:
        raise PosekitError(f"bottleneck residual {which} cannot be left out of {count}; there must be others")
    smaller = Hourglass(replace(network.config, bottleneck_residuals=count - 1)).train(network.training)
    state = network.state_dict()
    for number in range(which, count):  # each later one moves up
        for name in [name for name in state if f".bottleneck{number + 1}." in name]:
            state[name.replace(f".bottleneck{number + 1}.", f".bottleneck{number}.")] = state[name]
    smaller.load_state_dict({name: value for name, value in state.items() if f".bottleneck{count}." not in name})
    return smaller


def random_directions(count: int, dimensions: int, seed: int) -> np.ndarray:
    """Orthonormal directions (count, dimensions), uniform over all of them."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimensions, count)))
    return (q * np.sign(np.diag(r))).T


def train_alone(
    squeeze: nn.Module, noise: nn.Module | None, codes: Tensor, held_out: Tensor, how: Alone = Alone(), seed: int = 0
) -> list[dict[str, float]]:
    """Train a squeeze to give codes (N, F, S, S) back from their noisy version, by the mean squared error; in place.

    Returns:
        by epoch, {"epoch", "loss", "explained"}: the mean loss, and the share of the variance of `held_out` (M, F, S, S),
        without noise, that it gives back.
    """
    optimiser = torch.optim.SGD(squeeze.parameters(), lr=how.rate, momentum=how.momentum)
    generator = torch.Generator().manual_seed(seed)
    spread = (held_out - codes.mean(0)).square().sum()
    history = []
    for epoch in range(how.epochs):
        for group in optimiser.param_groups:
            group["lr"] = how.rate_at(epoch)
        total = 0.0
        for index in torch.randperm(len(codes), generator=generator).split(how.batch):
            clean = codes[index]
            noisy = clean if noise is None else noise.train()(clean)
            loss = (squeeze.train()(noisy) - clean).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(index)
        with torch.no_grad():
            rest = (squeeze.eval()(held_out) - held_out).square().sum()
        history.append({"epoch": epoch + 1, "loss": total / len(codes), "explained": float(1 - rest / spread)})
    return history


def crossed(sums: np.ndarray, counts: np.ndarray, *, seed: int = 0, resamples: int = 2000) -> list[float]:
    """The total of `sums` (S, N) over that of `counts` (S, N), with its 95 % interval over both seeds and people.

    Seeds and people are resampled independently of each other (the pigeonhole bootstrap of Owen, "The pigeonhole bootstrap",
    Annals of Applied Statistics 1, 2007), which for effects of both is on the safe side. Few seeds say little about how
    trainings differ, however they are resampled.

    >>> crossed(np.ones((3, 5)), np.full((3, 5), 2))
    [0.5, 0.5, 0.5]
    """
    return _percentiles(lambda a, b: (a @ sums @ b) / (a @ counts @ b), len(sums), np.shape(sums)[1], seed, resamples)


def relative(hits: np.ndarray, reference: np.ndarray, *, seed: int = 0, resamples: int = 2000) -> list[float]:
    """By how much the share of `hits` (S, N, K) is more than that of `reference` (S, N, K), as a share of the latter.

    With its 95 % interval over seeds and people, as `crossed`; seeds are paired.
    """
    ours, theirs, _ = _sums(hits, reference)
    return _percentiles(lambda a, b: (a @ ours @ b) / (a @ theirs @ b) - 1, len(ours), ours.shape[1], seed, resamples)


def difference(hits: np.ndarray, reference: np.ndarray, *, seed: int = 0) -> dict[str, float | int]:
    """{"mean", "low", "high", "people", "seeds"} of the paired difference of hits (S, N, K) from reference (S, N, K)."""
    ours, theirs, counts = _sums(hits, reference)
    mean, low, high = crossed(ours - theirs, counts, seed=seed)
    return {"mean": mean, "low": low, "high": high, "people": int((counts.sum(0) > 0).sum()), "seeds": len(counts)}


def _sums(hits: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S, N) each: joints found by both sides, and joints that count in both."""
    both = np.isfinite(hits) & np.isfinite(reference)
    return np.where(both, hits, 0).sum(-1), np.where(both, reference, 0).sum(-1), both.sum(-1)


def _percentiles(statistic: Callable, seeds: int, people: int, seed: int, resamples: int) -> list[float]:
    random = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        a = np.bincount(random.integers(seeds, size=seeds), minlength=seeds)
        values.append(statistic(a, np.bincount(random.integers(people, size=people), minlength=people)))
    low, high = np.quantile(values, [0.025, 0.975])
    return [float(statistic(np.ones(seeds), np.ones(people))), float(low), float(high)]


def macs(config: HourglassConfig, resolution: int) -> int:
    """Multiply-adds of one person's forward pass; see `comparison.multiply_adds`."""
    return multiply_adds(Hourglass(config), resolution)


def parameters(config: HourglassConfig) -> int:
    with torch.device("meta"):
        return ablation.parameter_count(Hourglass(config))


def scaled(config: HourglassConfig, features: int) -> HourglassConfig:
    """The same network with other features, the stem scaled alike."""
    first, second, third = (max(round(width * features / config.features), 1) for width in config.stem)
    return replace(config, features=features, stem=(first, second, third))


def widened(config: HourglassConfig, wanted: int) -> HourglassConfig:
    """The same network with as many features, a multiple of 4, as come closest to `wanted` parameters."""
    widths = range(8, 1025, 4)
    first = bisect_left(widths, wanted, key=lambda features: parameters(scaled(config, features)))
    near = [scaled(config, widths[i]) for i in (first - 1, first) if 0 <= i < len(widths)]
    return min(near, key=lambda candidate: abs(parameters(candidate) - wanted))


def within(base: HourglassConfig, resolution: int, **changes) -> HourglassConfig:
    """The base with `changes`, with as many features, an even number, as the base's parameters and multiply-adds allow."""
    limit = (parameters(base), macs(base, resolution))

    def too_much(features: int) -> bool:
        config = scaled(replace(base, **changes), features)
        return parameters(config) > limit[0] or macs(config, resolution) > limit[1]

    widths = range(2, 2 * base.features + 1, 2)
    return scaled(replace(base, **changes), widths[max(bisect_left(widths, True, key=too_much) - 1, 0)])


def winner(scores: dict[str, Sequence[float]], costs: dict[str, Sequence[float]], base: str) -> str:
    """Who has the best mean validation score over seeds among those that cost no more than the base in anything.

    The rule by which the book names its redesign, fixed before the test people are looked at; the base itself may win.
    """
    affordable = [name for name in scores if all(a <= b for a, b in zip(costs[name], costs[base], strict=True))]
    return max(affordable, key=lambda name: float(np.mean(scores[name])))


def _plain(config: HourglassConfig) -> HourglassConfig:
    """Without anything done to the code."""
    fields = ("squeeze", "code_noise", "dimensions", "code_side")
    return replace(config, **{name: getattr(HourglassConfig, name) for name in fields})


def _shaped(codes: np.ndarray, shape: tuple[int, int, int]) -> Tensor:
    return torch.from_numpy(codes).reshape(-1, *shape)


def _serve() -> None:
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


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _serve()
