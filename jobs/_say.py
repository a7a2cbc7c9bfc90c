"""Lines for the person at the terminal: rich where there is one, plain text in a job's log."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
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


def say_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> None:
    """A small table; the first `left` columns are text, the others numbers, set right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right")
    for row in rows:
        table.add_row(*[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row])
    _console().print(table)


# A job's log is kept: one line in so many seconds tells of a night's run in a thousand.
_LOG_EVERY_S = 30.0

Show = Callable[[str], None]
"""Shows how far the work has come."""


@contextmanager
def working(step: str) -> Iterator[Show]:
    """While the block runs, a terminal has a spinner with the step, what is shown last and the time, gone when it ends.

    In a log what is shown is a line now and then, and none where the block is short.
    """
    if not sys.stdout.isatty():
        yield now_and_then(lambda text: say(f"{step}: {text}"))
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=_console(), transient=True) as progress:
        task = progress.add_task(step, total=None)
        yield lambda text: progress.update(task, description=f"{step}: {text}")


def now_and_then(show: Show, every_s: float = _LOG_EVERY_S, clock: Callable[[], float] = time.monotonic) -> Show:
    """Shows a text when `every_s` seconds have gone since the last one, or since now."""
    last = clock()

    def shown(text: str) -> None:
        nonlocal last
        if clock() - last >= every_s:
            last = clock()
            show(text)

    return shown
