"""Principal components of generated codes whose spectrum is known: time, memory and error, each in a process of its own.

python -m posekit.cli.hardware.bench_components streamed 124040 4096   # one measurement, as JSON
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from posekit.errors import PosekitError
from posekit.interpret.analysis.components import ROWS, moments_of, pca

STUDY = (124_040, 4_096)  # people and numbers of a code in the study
BUDGET_GB = 2.5  # of memory, for those
K = 20  # components that scikit-learn is asked for, and that are compared
MEAN = 3.0  # of every number: three times the first component's standard deviation


def spectrum(dimensions: int) -> np.ndarray:
    """The variances (D,) of the generated codes, 1/1, 1/2, 1/3, ...; of 4,096 numbers about 2,600 hold 95 %."""
    return 1 / np.arange(1, dimensions + 1)


def reflections(dimensions: int) -> torch.Tensor:
    """Three unit vectors (3, D): codes are mirrored at the planes that they stand on, which mixes all numbers at little cost."""
    drawn = torch.randn(3, dimensions, generator=torch.Generator().manual_seed(1))
    return drawn / drawn.norm(dim=1, keepdim=True)


def reflected(codes: torch.Tensor, mirrors: torch.Tensor) -> torch.Tensor:
    for mirror in mirrors:
        codes = codes.addr(codes @ mirror, mirror, alpha=-2)
    return codes


def generated(people: int, dimensions: int, rows: int = ROWS) -> Iterator[torch.Tensor]:
    """Codes (rows, D) float32 of normal distribution, `people` in all, the same each time."""
    random, mirrors = torch.Generator().manual_seed(0), reflections(dimensions)
    spread = torch.from_numpy(np.sqrt(spectrum(dimensions))).float()
    for start in range(0, people, rows):
        codes = torch.randn(min(rows, people - start), dimensions, generator=random) * spread
        yield reflected(codes, mirrors).add_(MEAN)


def streamed(people: int, dimensions: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Seconds without those of generating codes, leading variances (K,) and directions (K, D), as posekit finds them."""
    timed = _Timed(generated(people, dimensions))
    began = time.perf_counter()
    found = pca(moments_of(timed), K)
    return time.perf_counter() - began - timed.seconds, found.variances, found.directions


def full(people: int, dimensions: int) -> tuple[float, np.ndarray, np.ndarray]:
    """As `streamed`, by scikit-learn's exact PCA, which holds all codes."""
    from sklearn.decomposition import PCA

    codes = np.empty((people, dimensions), np.float32)
    start = 0
    for part in generated(people, dimensions):
        codes[start : start + len(part)] = part
        start += len(part)
    began = time.perf_counter()
    found = PCA(K, svd_solver="covariance_eigh").fit(codes)
    return time.perf_counter() - began, found.explained_variance_, found.components_


def incremental(people: int, dimensions: int) -> tuple[float, np.ndarray, np.ndarray]:
    """As `streamed`, by scikit-learn's incremental PCA, which forgets what K components do not hold."""
    from sklearn.decomposition import IncrementalPCA

    found, timed = IncrementalPCA(K), _Timed(generated(people, dimensions))
    began = time.perf_counter()
    for part in timed:
        found.partial_fit(part.numpy())
    return time.perf_counter() - began - timed.seconds, found.explained_variance_, found.components_


METHODS: dict[str, Callable[[int, int], tuple[float, np.ndarray, np.ndarray]]] = {
    "streamed": streamed, "scikit-learn's PCA": full, "scikit-learn's IncrementalPCA": incremental,
}  # fmt: skip


def measure(method: str, people: int, dimensions: int) -> dict:
    """Time, memory and error of a method, here and now.

    `gb` is the most memory that this process ever held, in 10⁹ bytes, with Python and torch. `variance_error` is the
    relative error of the first K variances (root mean square) and `least_cosine` the smallest |cos| of the first five
    directions, against those that the codes were drawn with; `expected_error` is what is due to having only so many people.
    """
    seconds, variances, directions = METHODS[method](people, dimensions)
    true = reflected(torch.eye(dimensions)[:5], reflections(dimensions)).numpy()
    return {
        "method": method, "people": people, "dimensions": dimensions, "seconds": round(seconds, 2), "gb": round(peak() / 1e9, 2),
        "variance_error": float(np.sqrt(np.square(variances / spectrum(dimensions)[:K] - 1).mean())),
        "expected_error": float(np.sqrt(2 / people)),
        "least_cosine": float(np.abs((directions[:5] * true).sum(1)).min()),
    }  # fmt: skip


def bench_components(quick: bool = False) -> list[dict]:
    """`measure` for the study's size and fractions of it, and for scikit-learn where the codes fit; `quick` much smaller."""
    people, dimensions = (5_000, 512) if quick else STUDY
    plan = [("streamed", people // part) for part in ((4, 1) if quick else (16, 8, 4, 2, 1))]
    plan += [(method, people // part) for part in ((4,) if quick else (16, 8)) for method in list(METHODS)[1:]]
    return [_apart(method, size, dimensions) for method, size in plan]


def table(rows: Sequence[dict]):
    """The measurements as a rich table."""
    from rich.table import Table

    report = Table(
        title=f"Principal components of generated codes of {rows[0]['dimensions']:,} numbers",
        padding=(0, 0, 0, 1),
        caption=f"Time without generating the codes; memory is the most the process held. Error: of the first {K} variances, root "
        "mean square; due: from having only so many people. Cosine: of the first five directions with the true ones, the least.",
    )
    report.add_column("")
    for name in ("people", "time", "memory", "error", "due", "cosine"):
        report.add_column(name, justify="right")
    for row in rows:
        report.add_row(
            row["method"], f"{row['people']:,}", f"{row['seconds']:.1f} s", f"{row['gb']:.2f} GB",
            f"{100 * row['variance_error']:.1f} %", f"{100 * row['expected_error']:.1f} %", f"{row['least_cosine']:.4f}",
        )  # fmt: skip
    return report


def peak() -> int:
    """The most bytes that this process has held at once."""
    try:
        # Not getrusage's, which a new process inherits from the one that started it.
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class _Timed:
    """An iterable that counts the seconds spent in making its items."""

    def __init__(self, items: Iterator[torch.Tensor]):
        self.items, self.seconds = items, 0.0

    def __iter__(self) -> Iterator[torch.Tensor]:
        while True:
            began = time.perf_counter()
            item = next(self.items, None)
            self.seconds += time.perf_counter() - began
            if item is None:
                return
            yield item


def _apart(method: str, people: int, dimensions: int) -> dict:
    """`measure` in a fresh process, whose memory is its own."""
    command = [sys.executable, "-m", "posekit.cli.hardware.bench_components", method, str(people), str(dimensions)]
    paths = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["killed, most often because memory ran out"])[-1]
        raise PosekitError(f"{method} for {people:,} codes of {dimensions:,} numbers: {said}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
