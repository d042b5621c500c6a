"""Tables for terminals and pipes: rows in columns where these fit, else a block of lines a row. Nothing is cut."""

from typing import Any

LINE = 200  # characters of the longest line that a table in a pipe has: wider ones are of prose, which wraps


def show_table(console: Any, table: Any) -> None:
    """Print a rich table whole. In a pipe a row is a line; in a terminal the widest column wraps between words, and where that is not
    enough a row becomes lines of `column: value`.
    """
    from rich.console import Console
    from rich.measure import Measurement

    columns = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    if not console.is_terminal and console.width < needed <= LINE:
        console = Console(file=console.file, width=needed, emoji=False)
    *others, widest = sorted([0, *(max(map(len, cells)) for cells in columns)])
    word = max((len(word) for cells in columns for cell in cells for word in cell.split()), default=0)
    wraps = not any(column.no_wrap for column in table.columns) and widest - (needed - console.width) >= max(*others, word)
    if needed <= console.width or wraps:
        console.print(table)
        return
    for text in filter(None, (table.title, *_blocks(columns), table.caption)):
        console.print(text, highlight=False, markup=False, soft_wrap=text is not table.caption)


def _blocks(columns: list[list[str]]) -> list[str]:
    heads, *rows = zip(*columns, strict=True)
    lines = []
    for first, *cells in rows:
        lines += [first, *(f"  {head}: {cell}" for head, cell in zip(heads[1:], cells, strict=True) if cell)]
    return lines
