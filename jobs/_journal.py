"""Calls to MLflow, which must not cost a run: made in order, kept where it does not answer, made later or named.

A job that has paid for a night of replies must not fail because a server was restarted. So each call waits behind those
before it; once one finds no answer the rest are kept without asking, are tried again half a minute later at the
earliest and when the run ends, and what could not be logged even then is said in one line.
"""

import time
from collections import deque
from collections.abc import Callable

from jobs._mlflow import without_password
from jobs._say import Show, say

# A dead server is asked at most so often: an attempt costs some seconds.
_AGAIN_S = 30.0

# The store answers, and will answer so again: a value it does not take, a right that is missing, a run that was deleted.
_FINAL = {400, 403, 404, 409, 501}


class Journal:
    """What waits to be logged, oldest first; one for a run and its children."""

    def __init__(self, show: Show = say, clock: Callable[[], float] = time.monotonic) -> None:
        self._waiting: deque[tuple[str, Callable[[], object]]] = deque()
        self._show = show
        self._clock = clock
        self._not_before: float | None = None

    def log(self, what: str, call: Callable[[], object]) -> None:
        """Make a call, or keep it where MLflow does not answer.

        Args:
            what: what it logs, in words, should it never be made.
            call: made at most once more after an attempt without an answer, so it must bear being repeated.
        """
        self._waiting.append((what, call))
        if self._not_before is None or self._clock() >= self._not_before:
            self._drain()

    def close(self) -> None:
        """Try what waits for the last time, and name what is lost."""
        self._drain()
        if self._waiting:
            lost = ", ".join(dict.fromkeys(what for what, _ in self._waiting))
            self._show(f"MLflow still does not answer; the tables are whole, but this was not logged: {lost}")
            self._waiting.clear()

    def _drain(self) -> None:
        while self._waiting:
            what, call = self._waiting[0]
            try:
                call()
            except Exception as error:  # noqa: BLE001  whatever a store, a database or a network raises is said, not fatal
                if not _may_pass(error):
                    self._show(f"MLflow does not take {what} ({_first(error)}); the job goes on")
                    self._waiting.popleft()
                    continue
                if self._not_before is None:
                    self._show(f"MLflow does not answer ({_first(error)}); the job goes on, and logs later if it can")
                self._not_before = self._clock() + _AGAIN_S
                return
            self._waiting.popleft()
        if self._not_before is not None:
            self._show("MLflow answers again: what waited is logged")
            self._not_before = None


def _may_pass(error: Exception) -> bool:
    """True when the same call may be answered later."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.get_http_status_code() not in _FINAL
    return isinstance(error, OSError)


def _first(error: Exception) -> str:
    return without_password(" ".join(str(error).split()))[:160] or type(error).__name__
