"""Lines for the person at the terminal: rich where there is one, plain text in a job's log."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


@cache
def _console() -> Console:
    # A log is not 80 characters wide: without a terminal nothing is wrapped or coloured.
    terminal = sys.stdout.isatty()
    return Console(soft_wrap=not terminal, width=None if terminal else 200, highlight=False, markup=False)


def say(line: str) -> None:
    """One line."""
    _console().print(line)


def say_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A small table; the last column of numbers is set right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row])
    _console().print(table)


@contextmanager
def working(step: str) -> Iterator[None]:
    """On a terminal a spinner with the step and its time, gone when the block ends; in a log nothing."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=_console(), transient=True, disable=not sys.stdout.isatty()) as progress:
        progress.add_task(step, total=None)
        yield
