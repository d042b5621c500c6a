"""Tables of the command line are whole, however wide the terminal is."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from posekit.cli.hardware import bench, bench_components
from posekit.display.tables import LINE, show_table

ROW = {"name": "prediction, 64 features, 128 px, 1 at a time", "plain": 12.3, "fast": 56.7, "openvino": 60.0, "ratio": 4.6, "expected": 2.0,
       "share": 0.5, "at_most": 9.0}  # fmt: skip
COMPONENTS = {"dimensions": 2048, "method": "streamed", "people": 4000, "seconds": 1.5, "gb": 0.5, "variance_error": 0.01,
              "expected_error": 0.02, "least_cosine": 0.999}  # fmt: skip
MEASURED = {"machine": "a machine", "limits": {"float32": 50.0, "bfloat16": None}, "rows": [ROW, ROW | {"name": "rendering"}]}


def prose(no_wrap):
    table = Table(title="parameters")
    for name in ("parameter", "default", "meaning"):
        table.add_column(name, no_wrap=no_wrap)
    table.add_row("seed", "0", "of everything that is drawn by chance " * 8)
    table.add_row("people", "", "at most so many")
    return table


TABLES = {
    "bench": lambda: bench.tables(MEASURED)[0],
    "components": lambda: bench_components.table([COMPONENTS]),
    "wraps": lambda: prose(False),
    "does not wrap": lambda: prose(True),
    "one column": lambda: Table("a head of several words"),
    "no rows": lambda: Table("a", "b"),
}


def shown(table, width, terminal):
    file = io.StringIO()
    show_table(Console(file=file, width=width, force_terminal=terminal, color_system=None, emoji=False), table)
    return file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 140, 400])
@pytest.mark.parametrize("name", TABLES)
def test_no_cell_is_cut_and_no_word_is_broken(name, width, terminal):
    table = TABLES[name]()
    text = shown(table, width, terminal)
    words = {word for line in text.splitlines() for word in line.replace("│", " ").replace("┃", " ").split()}
    heads = [str(column.header) for column in table.columns] if "─" in text or table.row_count else []
    wanted = {word for column in table.columns for cell in column.cells for word in str(cell).split()}
    assert "…" not in text and wanted <= words, (wanted - words, text)
    assert all(word in text for head in heads[1:] for word in head.split())


@pytest.mark.parametrize("name", ["bench", "components"])
def test_in_a_pipe_a_row_is_a_line(name):
    table = TABLES[name]()
    lines = shown(table, 80, False).splitlines()
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        assert any(all(str(cell) in line for cell in cells) for line in lines)
    assert max(map(len, lines)) <= LINE
