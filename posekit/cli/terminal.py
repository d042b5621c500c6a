"""What the command line tells of work under way: bars, and a line an epoch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from posekit.display.html import number

say = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)  # what is said may hold ":abc:"


class Bars:
    """Progress bars on stderr, where a person watches."""

    def __init__(self, progress: Progress):
        self.progress = progress
        self.tasks: dict[str, Any] = {}

    @contextmanager
    def task(self, what: str, total: int | None) -> Iterator[Callable]:
        """A bar of its own; what is handed out moves it on, or with a second argument of True, to the given count.

        Without a total it shows only when there is something to show.
        """
        task = self.progress.add_task(what, total=total, note="", visible=total is not None)

        def move(count: int, absolute: bool = False) -> None:
            done, more = (count, None) if absolute else (None, count)
            self.progress.update(task, completed=done, advance=more, visible=True)

        try:
            yield move
        finally:
            self.progress.remove_task(task)

    def follow(self, what: str, done: int, total: int | None, note: str = "") -> None:
        """Set the bar of this name, which is made where there is none yet."""
        if what not in self.tasks:
            self.tasks[what] = self.progress.add_task(what, total=total, note="")
        self.progress.update(self.tasks[what], completed=done, total=total, note=note)


@contextmanager
def bars(wanted: bool = True) -> Iterator[Bars]:
    """Bars that go when the work is done; none where nobody watches or they are not wanted."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=say, transient=True, disable=not (wanted and say.is_terminal)) as progress:
        yield Bars(progress)


class Report:
    """Follows training: moves the bar, prints a line an epoch, and warns when the heatmaps have collapsed."""

    def __init__(self, bars: Bars, loss: str, cells: int, target_peak: float):
        self.bars, self.loss, self.cells, self.target_peak = bars, loss, cells, target_peak
        self.pck = ""

    def __call__(self, figures: dict[str, Any]) -> None:
        if not figures.get("validated"):
            note = f"epoch {figures['epoch']}  loss {figures['loss']:.4g}  peak {self._share(figures['peak'])}{self.pck}"
            self.bars.follow("training", figures["step"], figures["steps"], note)
            return
        self.pck = f"  PCK {number(figures['pck'])}"
        peaks = self._share(figures["val_peak"])
        say.print(f"epoch {figures['epoch']}: loss {figures['loss']:.4g}, on validation {number(figures['val_loss'], '.4g')}, "
                  f"PCK@0.2·torso {number(figures['pck'])}, peaks {peaks} of the target's, {figures['seconds']:.0f} s")  # fmt: skip
        if figures["pck"] is None and figures["epoch"] == 1:
            say.print("warning: PCK@0.2·torso is not defined, since nobody of validation has a shoulder and the opposite hip labelled; "
                      "the best epoch is that of the lowest loss on validation")  # fmt: skip
        if figures["val_peak"] is not None and collapsed(self.loss, figures["val_peak"], self.cells):
            say.print(f"warning: {_COLLAPSED[self.loss]}")

    def _share(self, peak: float | None) -> str:
        return number(None if peak is None else peak / self.target_peak, ".0%")


_COLLAPSED = {
    "mse": "the heatmaps' peaks have collapsed: mean squared error is all but satisfied with maps of zeros, and no joint is "
    "found; more epochs may lead out of it, --loss cross-entropy has no such trap",
    "cross-entropy": "the heatmaps' peaks have collapsed: the maps are all but uniform, and no joint is found; where this "
    "lasts, lower --lr, or look at the crops and their keypoints",
}


def collapsed(loss: str, peak: float, cells: int) -> bool:
    """Whether validated peaks are so low that the maps say nothing: near zero, or for a softmax near uniform."""
    return peak < (0.05 if loss == "mse" else 3 / cells)
