"""What this process and all that it started hold while a block runs, by kind of process."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

from benchmarks.measure import LOOKING

_EVERY_S = 2.0
# Beginnings of a worker's title while it works; any other worker waits for work or is an actor of Ray's own.
_KINDS = {"ray::MapWorker": "actors that ask", "ray::": "workers", "raylet": "raylet", "gcs_server": "gcs_server"}


@dataclass(slots=True)
class Held:
    """The most that was held at one of the moments looked at, and what was used in all."""

    peak_mb: float = 0.0
    """Memory and mapped files of all at once (proportional set size), shared memory apart."""
    store_mb: float = 0.0
    """Shared memory: the object store."""
    by_kind: dict[str, float] = field(default_factory=dict)
    """MB of each kind when all held `peak_mb`."""
    processes: dict[str, int] = field(default_factory=dict)
    """How many there were of each kind then."""
    cpu_s: dict[str, float] = field(default_factory=dict)
    """CPU seconds of each kind in all."""
    looks_mb: list[float] = field(default_factory=list)
    """What was held at each look, the same time apart."""

    def thirds_mb(self) -> list[float]:
        """The most that was held in each third of the time: memory that grows with what is done shows as a slope."""
        ends = [len(self.looks_mb) * third // 3 for third in range(4)]
        return [max(self.looks_mb[a:b], default=0.0) for a, b in pairwise(ends)]


@contextmanager
def watched() -> Iterator[Held]:
    """What is held and used from here to the end of the block, looked at every two seconds.

    At memory more rarely where that takes more than LOOKING: to add up the pages of an object store process by process does.
    """
    held, used, done = Held(), dict[int, tuple[str, float]](), threading.Event()

    def watch() -> None:
        next_s = time.monotonic()
        while not done.wait(_EVERY_S):
            began, is_due = time.thread_time(), time.monotonic() >= next_s
            _look(held, used, memory=is_due)
            if is_due:
                next_s = time.monotonic() + (time.thread_time() - began) / LOOKING

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield held
    finally:
        done.set()
        watching.join()
        for kind, seconds in used.values():
            held.cpu_s[kind] = held.cpu_s.get(kind, 0.0) + seconds


def _look(held: Held, used: dict[int, tuple[str, float]], *, memory: bool) -> None:
    own, count, shared = Counter[str](), Counter[str](), 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.NoSuchProcess, OSError):
            times = process.cpu_times()
            kind = _kind(process)
            used[process.pid] = kind, times.user + times.system
            if not memory:
                continue
            private, store = _held_mb(process.pid)
            own[kind] += private
            count[kind] += 1
            shared += store
    if not memory:
        return
    held.store_mb = max(held.store_mb, shared)
    held.looks_mb.append(own.total())
    if own.total() > held.peak_mb:
        held.peak_mb, held.by_kind, held.processes = own.total(), dict(own), dict(count)


def _kind(process: psutil.Process) -> str:
    """What a process is; whatever Ray runs beside its two servers are agents."""
    if process.pid == psutil.Process().pid:
        return "driver"
    title = process.name() if process.name() in _KINDS else " ".join(process.cmdline())
    return next((kind for begin, kind in _KINDS.items() if title.startswith(begin)), "agents")


def _held_mb(pid: int) -> tuple[float, float]:
    """MB of proportional set size: memory and files, and apart from them what lies in shared memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return (kib["Pss_Anon"] + kib["Pss_File"]) * 1024 / 1e6, kib["Pss_Shmem"] * 1024 / 1e6
