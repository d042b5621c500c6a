"""How fast this machine renders, crops, loads, trains and predicts, each against the plain way."""

import copy
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from posekit.cli.hardware import bench_components
from posekit.coordinates import CONTEXT
from posekit.data.augment import Augmentation, augment
from posekit.data.crops import Crops, crops
from posekit.data.loading import batches, shuffled
from posekit.data.people import People
from posekit.engine.backend import Backend
from posekit.engine.costs import multiply_adds
from posekit.engine.inference import runtime
from posekit.engine.inference.prediction import Fast
from posekit.engine.learning.training import targets
from posekit.losses import loss_sum
from posekit.models.hourglass import Hourglass, HourglassConfig
from posekit.process import cores, keep_memory
from posekit.workflow.words.bench import PLAIN, accuracy_cells

SIZES = ((64, 128, 32, 32), (256, 256, 8, 2))  # features, resolution, people in a training step, people predicted at once
GOALS = {"training": {True: 3.5, False: 1.3}, "prediction": {True: 2.0, False: 2.0}}  # ratios, with and without bfloat16


def bench(quick: bool = False, *, backend: Backend | None = None, compiled: bool | None = None) -> dict:
    """Measure everything; `quick` with a small network on small pictures.

    `compiled` (by default unless `quick`) measures torch.compile too, which first compiles for minutes.

    Returns `processor`, `backend`, `limits` and `rows`. `limits` are the GFLOP/s that a large matrix product reaches, for bfloat16
    None where the processor lacks it. A row has `name`, `unit`, `plain` and `fast` (rates, medians of alternating measurements),
    `ratio`, `against` (what plain is), `expected` (the least ratio) and, where a network computes, `gflops` (of its convolutions, as
    the plain network counts them; a training step is three forward passes), `share` (of the rate of a matrix product in the precision used)
    and `at_most` (the ratio at that rate); a prediction also has `openvino`, the rate of OpenVINO given the plain network, or None
    where it is not installed.
    """
    backend = backend or Backend.best()
    compiled = backend.can_compile and not quick if compiled is None else compiled
    repeats = 2 if quick else 3
    sizes = SIZES[:1] if quick else SIZES
    limits = {
        "float32": product_rate(torch.float32, backend),
        "bfloat16": product_rate(torch.bfloat16, backend) if backend.bf16 else None,
    }
    rows = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(rendering(128 if quick else 512))
            size = round(sizes[-1][1] * CONTEXT)
            people = _people(folder, 64 if quick else 256, size)
            row, stored = cropping(people, size, folder)
            rows.append(row)
            loaded = loading(stored, sizes[-1][1], 16, backend)
        for features, resolution, trained, predicted in sizes:
            config = HourglassConfig.narrow(features)
            what = f"{features} features, {resolution} px"
            plain, fast, macs = training(config, resolution, trained, backend, repeats)
            rows.append(_network_row(limits, backend, "training", f"{what}, batch {trained}", plain, fast, 3 * macs))
            need = fast
            if compiled:
                fast, seconds = compiled_training(config, resolution, trained, backend, 3)
                row = _network_row(limits, backend, "training", f"{what}, batch {trained}, compiled", plain, fast, 3 * macs)
                rows.append({**row, "compiling_seconds": seconds})
            plain, fast, exported, macs = prediction(config, resolution, predicted, backend, repeats)
            row = _network_row(limits, backend, "prediction", f"{what}, batch {predicted}", plain, fast, macs)
            rows.append({**row, "openvino": exported})
        rows.insert(2, _row("loading + augmenting", need, loaded, f"what training takes at {sizes[-1][1]} px", 1.0))
    finally:
        keep_memory(False)
    return {
        "processor": processor(), "machine": str(backend), "torch": torch.__version__, "quick": quick, "limits": limits,
        "rows": rows,
    }  # fmt: skip


def tables(result: dict):
    """The result as rich tables, one or two."""
    from rich.table import Table

    limits = result["limits"]
    half = f"{limits['bfloat16']:.0f} in bfloat16" if limits["bfloat16"] else "and the processor has no bfloat16"
    report = Table(
        padding=(0, 0, 0, 1),
        title=result["machine"],
        caption=f"A matrix product reaches {limits['float32']:.0f} GFLOP/s in float32, "
        f"{half}; 'limit' is the share, in the precision used, that the convolutions "
        f"reach, 'at most' the ratio if it were all of it; 'openvino' is OpenVINO given the plain network. "
        f"Plain networks are {PLAIN}; plain rendering and cropping use one core; loading "
        f"is against what training takes.",
    )  # fmt: skip
    report.add_column("")
    for name in ("plain", "fast", "openvino", "ratio", "goal", "limit", "at most"):
        report.add_column(name, justify="right")
    for row in result["rows"]:
        near = (f"{100 * row['share']:.0f} %", f"{row['at_most']:.1f}×") if "share" in row else ("", "")
        report.add_row(
            row["name"], f"{row['plain']:.1f}/s", f"{row['fast']:.1f}/s", f"{row['openvino']:.1f}/s" if row.get("openvino") else "",
            f"{row['ratio']:.2f}×",
            f"≥ {row['expected']:g}×" if row["expected"] else "",
            *near,
        )  # fmt: skip
    return [report, *([bench_components.table(result["components"])] if "components" in result else [])]


def accuracy_table(result: dict):
    """What `posekit.studies.accuracy.compare` found as a rich table."""
    from rich.table import Table

    head, *rows = accuracy_cells(result)
    report = Table(title="minutes of one core until so many joints are found on val", padding=(0, 0, 0, 1))
    for name in head:
        report.add_column(name, justify="right" if report.columns else "left")
    for row in rows:
        report.add_row(*row)
    return report


def product_rate(dtype: torch.dtype, backend: Backend, side: int = 2048) -> float:
    """GFLOP/s of a product of two square matrices, the best of five."""
    a = torch.rand(side, side, device=backend.device).to(dtype)
    return 2 * side**3 / min(_seconds(lambda: a @ a, backend) for _ in range(6)) / 1e9


def rendering(count: int, size: int = 128) -> dict:
    """Mannequins a second on all cores, once the processes have started, against one core."""
    from posekit.data.mannequins import render_many

    def rate(count: int, workers: int | None) -> float:
        finished = [time.perf_counter() for _ in render_many(range(count), size=size, workers=workers)]
        begun = count // 4
        return (count - begun) / (finished[-1] - finished[begun - 1])

    return _row(f"rendering, {size} px", rate(count // 4, 1), rate(count, None), "one core")


def cropping(people: People, size: int, folder: str) -> tuple[dict, Crops]:
    """Crops cut and stored a second on all cores, against one core; and the crops."""
    seconds = {}
    for workers in (1, cores()):
        began = time.perf_counter()
        stored = crops(people, size, Path(folder) / f"{workers} workers", workers=workers, on_error="skip")
        seconds[workers] = time.perf_counter() - began
    rates = [len(stored) / s for s in seconds.values()]
    return _row(f"cropping, {size} px", rates[0], rates[-1], "one core"), stored


def loading(stored: Crops, resolution: int, batch: int, backend: Backend, seconds: float = 2.0) -> float:
    """Pictures a second that are decoded and augmented with nothing else to do."""
    generator, done, began, epoch = torch.Generator().manual_seed(0), 0, time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for pixels, keypoints in batches(stored, shuffled(len(stored), batch, 0, epoch)):
            augment(
                pixels.to(backend.device), keypoints.to(backend.device), stored.people.skeleton, resolution,
                Augmentation(), generator,
            )  # fmt: skip
            done += len(pixels)
        epoch += 1
    _wait(backend)
    return done / (time.perf_counter() - began)


def training(config: HourglassConfig, resolution: int, batch: int, backend: Backend, repeats: int):
    """Pictures a second of training steps, plain and fast, and a forward pass's multiply-adds for one."""
    plain = Backend.plain(str(backend.device))
    steps = [_training_step(config, resolution, batch, m) for m in (plain, backend)]
    rates = _alternating(steps, batch, backend, repeats)
    return *rates, multiply_adds(Hourglass(config), resolution)


def compiled_training(config: HourglassConfig, resolution: int, batch: int, backend: Backend, repeats: int):
    """Pictures a second of compiled training steps, and the seconds that compiling took."""
    keep_memory()
    step = _training_step(config, resolution, batch, backend, compiled=True)
    compiling = _seconds(step, backend)
    return batch / statistics.median(_seconds(step, backend) for _ in range(repeats)), compiling


def prediction(config: HourglassConfig, resolution: int, batch: int, backend: Backend, repeats: int):
    """Pictures a second from pictures to heatmaps, plain, fast and by OpenVINO given the plain network, and one picture's multiply-adds."""
    plain = Backend.plain(str(backend.device))
    model, pictures = Hourglass(config).eval(), torch.rand(batch, 3, resolution, resolution, device=backend.device)
    plain.place(model)
    fast = Fast(backend.place(copy.deepcopy(model)), backend, expected=math.inf)
    ways = [lambda: model(pictures), lambda: fast(pictures)]
    if backend.device.type == "cpu" and runtime.installed():
        exported = runtime.plain_export(model, pictures)
        ways.append(lambda: exported(pictures.numpy()))
    with torch.inference_mode():
        rates = _alternating(ways, batch, backend, repeats)
    return rates[0], rates[1], rates[2] if len(rates) > 2 else None, multiply_adds(model, resolution)


def _training_step(config, resolution: int, batch: int, backend: Backend, compiled: bool = False) -> Callable[[], None]:
    torch.manual_seed(0)
    model = backend.place(Hourglass(config)).train()
    network = torch.compile(model, dynamic=False) if compiled else model
    plain = backend == Backend.plain(str(backend.device))
    optimiser = torch.optim.AdamW(model.parameters(), fused=not plain)  # as `training` has it
    pictures = torch.rand(batch, 3, resolution, resolution, device=backend.device)
    points = torch.rand(batch, config.joints, 3, device=backend.device) * resolution

    def step() -> None:
        target, labelled = targets(points, resolution, 1.0)
        with backend.autocast():
            output = network(backend.pictures(pictures))
        loss = loss_sum(output, target, labelled, "cross-entropy") / labelled.sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()

    return step


def _alternating(ways: Sequence[Callable[[], object]], count: int, backend: Backend, repeats: int) -> list[float]:
    """Median rates of functions, the plain one first, in turns of at least half a second; the plain one with the C library's habits."""
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(repeats):
        for which, function in enumerate(ways):
            keep_memory(which == 1)
            function()  # warms up, and lets the threads of the one before fall asleep
            until = time.perf_counter() + 0.5
            while not seconds[which] or time.perf_counter() < until:
                seconds[which].append(_seconds(function, backend))
    return [count / statistics.median(times) for times in seconds]


def _seconds(function: Callable[[], object], backend: Backend) -> float:
    _wait(backend)
    began = time.perf_counter()
    function()
    _wait(backend)
    return time.perf_counter() - began


def processor() -> str:
    """The processor's name, and what the environment keeps from use of it."""
    held = [f"{name}={os.environ[name]}" for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA") if name in os.environ]
    name = torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine()
    return f"{name}, held to {' '.join(held)}" if held else str(name)


def _wait(backend: Backend) -> None:
    if backend.device.type == "cuda":
        torch.cuda.synchronize(backend.device)


def _people(folder: str, count: int, size: int) -> People:
    from posekit.data import rendered

    return rendered.load(f"{count},size={size}", cache=folder)


def _row(name: str, plain: float, fast: float, against: str, expected: float | None = None) -> dict:
    return {"name": name, "unit": "pictures/s", "plain": plain, "fast": fast, "ratio": fast / plain,
            "against": against, "expected": expected}  # fmt: skip


def _network_row(limits: dict, backend: Backend, kind: str, what: str, plain: float, fast: float, macs: int) -> dict:
    gflops = 2 * macs * fast / 1e9
    share = gflops / limits["bfloat16" if backend.bf16 else "float32"]
    row = _row(f"{kind}, {what}", plain, fast, PLAIN, GOALS[kind][backend.bf16])
    return {**row, "gflops": gflops, "share": share, "at_most": row["ratio"] / share}
