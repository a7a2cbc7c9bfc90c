"""One measurement: a function in a process of its own, the memory it took, and the JSON line that says so."""

import json
import multiprocessing
import os
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import psutil

_EVERY_S = 0.3
LOOKING = 0.05
"""Share of one CPU's time that looks at memory may take: three a second at fourteen processes with an object store of 1 GB took a
fifth of both CPUs of the machine whose speed was measured."""


def apart(
    function: Callable[..., Any], *arguments: Any, one_core: bool = False, look: bool = True
) -> tuple[Any, float]:
    """What the function returns in a fresh process, and the most MB held at once by it and all that it started.

    Memory is proportional set size, seen up to three times a second: a page that processes share counts once, and the pages
    of a mapped file count. With `look` false it is not seen (0.0): the function measures itself.

    Raises:
        RuntimeError: the function failed.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_answer, args=(theirs, one_core, function, arguments))
    process.start()
    theirs.close()
    peak, pause = 0.0, _EVERY_S
    while not ours.poll(pause) and process.is_alive():
        if look:
            began = time.process_time()
            peak = max(peak, _held_mb(process.pid))
            pause = max(_EVERY_S, (time.process_time() - began) / LOOKING)
    try:
        fate, answer = ours.recv()
    except EOFError:
        fate, answer = "failed", "it was killed"
    process.join()
    if fate == "failed":
        raise RuntimeError(f"{function.__name__}: {answer}")
    return answer, peak


def _answer(pipe: Connection, one_core: bool, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:  # noqa: FBT001
    if one_core:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        pipe.send(("done", function(*arguments)))
    except Exception:  # noqa: BLE001  the parent raises it again
        pipe.send(("failed", traceback.format_exc()))


def _held_mb(pid: int | None) -> float:
    held = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for process in processes:
        try:
            held += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return held / 1e6


def say(
    name: str,
    value: float,
    unit: str,
    *,
    n: int,
    peak_mb: float | None = None,
    peer: str | None = None,
    ratio: float | None = None,
) -> None:
    """Print one measurement; `ratio` is ours over the peer's, `n` how many pairs (or edges) it is over."""
    line = {"name": name, "value": _short(value), "unit": unit, "peer": peer, "ratio": _short(ratio)}
    print(json.dumps({**line, "peak_mb": None if peak_mb is None else round(peak_mb), "n": n}), flush=True)


def _short(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else float(f"{value:.4g}")
