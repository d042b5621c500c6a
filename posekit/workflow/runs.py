"""Runs: the folder that keeps what came out of a notebook executed with given parameters (`execution`).

    runs/laptop/02_training/
        params.json        every parameter, and all that the result depends on, with its fingerprint
        metrics.json       written by the notebook
        figures/           written by the notebook
        02_training.ipynb  the executed notebook
        provenance.json    commit, package versions, hardware, wall time

In a notebook:

    run = posekit.workflow.runs.current()
    run.save_figure(figure, "loss")
    run.write_metrics({"metrics": {...}})
"""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posekit.display.html import facts, scores
from posekit.errors import PosekitError
from posekit.files import read_json, write_json
from posekit.workflow.parameters import root

FOLDER = "POSEKIT_RUN"  # the environment variable that tells a notebook its run's folder
PARTIAL = ".partial"  # how the folder of a run under way ends
REFERENCES = ("laptop", "lspet")  # presets whose numbers are kept in book/reference


@dataclass(frozen=True)
class Run:
    """A run's folder, as its notebook sees it. As the last value of a notebook's cell it shows what it holds.

    >>> run = Run("runs/adhoc/example")
    >>> run.write_metrics({"metrics": {"pck": {"mean": 0.5, "low": 0.4, "high": 0.6, "people": 40}}})
    >>> run.path("metrics.json").exists()
    True
    """

    folder: Path  # or its name

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def name(self) -> str:
        """What the folder is called when the run is whole."""
        return self.folder.name.removeprefix(".").removesuffix(PARTIAL)

    def path(self, name: str) -> Path:
        """Where `name` belongs in this run; the folders on the way are made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Keep the run's numbers as metrics.json; NumPy's are taken too; what is not finite becomes null."""
        write_json(self.path("metrics.json"), metrics)

    def save_figure(self, figure: Any, name: str) -> None:
        """Keep a matplotlib figure as figures/NAME.svg and .pdf, for page and print."""
        for ending, date in (("svg", "Date"), ("pdf", "CreationDate")):
            figure.savefig(self.path(f"figures/{name}.{ending}"), bbox_inches="tight", metadata={date: None})

    def _repr_html_(self) -> str:
        params, metrics, made = (self._kept(name) for name in ("params", "metrics", "provenance"))
        figures = sorted(path.stem for path in self.folder.glob("figures/*.svg"))
        commit = f"{made['commit'][:9]}{' and changes' if made['dirty'] else ''}" if made else ""
        return facts({
            "run": self.name, "folder": relative(self.folder),
            "parameters": ", ".join(f"{name} = {value}" for name, value in params.get("parameters", {}).items()),
            **scores(metrics), "figures": ", ".join(figures),
            "made": f"{made['started']}, in {made['wall_seconds']:.0f} s" if made else "not whole yet", "commit": commit,
            "by": made["hardware"]["processor"] if made else "",
        })  # fmt: skip

    def _kept(self, name: str) -> dict[str, Any]:
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def current() -> Run:
    """The run of the notebook that asks; `runs/adhoc/NAME` where it was opened by hand.

    In the latter case its working directory becomes the checkout, as it is in the workflow: paths and caches are the same.
    """
    if folder := os.environ.get(FOLDER):
        return Run(Path(folder))
    os.chdir(root())
    source = os.environ.get("JPY_SESSION_NAME") or getattr(sys.modules["__main__"], "__file__", None)
    return Run(root() / "runs" / "adhoc" / Path(source or "notebook").stem)


def reference(notebook: str, preset: str = "lspet") -> dict[str, Any] | None:
    """The metrics of the notebook's run in a preset, kept with the sources: one too long, or on data too big, for every edition.

    They are book/reference/PRESET/NOTEBOOK.json, a copy of that run's metrics.json with its provenance.
    None where there is none.
    """
    path = root() / "book" / "reference" / preset / f"{notebook}.json"
    return read_json(path) if path.is_file() else None


def keep_reference(preset: str, notebook: str) -> Path:
    """Copy the metrics of a preset's finished run to where `reference` finds them."""
    folder = root() / "runs" / preset / notebook
    try:
        metrics, facts, params = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("metrics", "provenance", "params"))
    except OSError:
        raise PosekitError(f"{relative(folder)} is not a finished run: make book PRESET={preset}") from None
    quoted = ("posekit", "torch", "numpy", "scikit-learn", "umap-learn")
    facts["packages"] = {name: version for name, version in facts["packages"].items() if name in quoted}
    path = root() / "book" / "reference" / preset / f"{notebook}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, metrics | {"provenance": facts | {"parameters": params["parameters"]}})
    return path


def relative(path: Path) -> str:
    """As a person says it who is in the present folder."""
    return os.path.relpath(path)
