"""kill -9 at ten random points of generate_chains: is anything lost, and how much is asked twice? One JSON line a kill.

    python -m benchmarks.kills lake=folder [rows=2000] [kills=10] [seed=0] [work=folder]

Cases are drawn from those of a lake (lake=: the demo's) as in benchmarks/generate.py. The step runs once unbroken. On another
copy it runs with an engine that takes 0.1 s a request (2 actors, 8 in flight each, commits of 50 replies), and is killed at
points drawn over the requests, the last two behind the asking, where replies are read and tables written. In turn what is
killed is the driver, one actor (the run goes on), and all of the run: driver, actors, Ray's own processes, each by the id of a
process that this benchmark started. The run is started again until it ends.

A kill's line: requests asked at the engine when it fell, the replies then in the ledger, `again` what was asked a second time
before the next kill, and `allowed`, (50 + 8) an actor killed. The last line: whether the tables chains, verdicts and rejects
equal those of the unbroken run, row for row and byte for byte; exit code 1 where not, or where more was asked twice.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks import generate_lake
from benchmarks.arguments import told
from benchmarks.kill_step import ACTORS, COMMIT_ROWS, CONCURRENCY
from benchmarks.measure import apart

_KINDS = ("driver", "actor", "all")
_KEYS = {"lake", "rows", "kills", "seed", "work"}
_PATIENCE_S = 300.0


class Killed:
    """A lake whose step is killed, and what the engine was asked."""

    def __init__(self, root: Path, rows: int) -> None:
        self._root = root
        self._rows = rows
        self._run: subprocess.Popen[bytes] | None = None
        self._before = 0
        """Requests asked before the run began that goes on."""

    def asked(self) -> list[str]:
        """Every request that reached the engine, in order."""
        log = self._root / "asked"
        return log.read_text(encoding="ascii").split() if log.exists() else []

    def begun(self) -> subprocess.Popen[bytes]:
        """The step's process; a new one where the last was killed."""
        if self._run is None or self._run.poll() is not None:
            (self._root / "ended").unlink(missing_ok=True)
            self._before = len(self.asked())
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.kill_step", str(self._root)]
            with (self._root / "errors").open("ab") as errors:
                self._run = subprocess.Popen(command, stdout=errors, stderr=errors)
        return self._run

    def kill(self, kind: str, point: float) -> dict[str, object] | None:
        """End by SIGKILL at a point from 0 to 1 of the requests, or so many seconds behind 1; None where the run had ended."""
        run = self.begun()
        self._wait(run, min(point, 1.0))
        if point > 1:
            time.sleep(point - 1)
        below = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
        actors = [each for each in below if "Asker" in _title(each)]
        if run.poll() is not None or (kind == "actor" and not actors):
            return None
        dead = {"driver": [run.pid], "actor": [each.pid for each in actors[:1]], "all": [run.pid, *_pids(below)]}[kind]
        for pid in dead:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if kind != "actor":
            run.wait()
            _gone(below)
        asked = len(self.asked())
        replies = apart(count_replies, str(self._root))[0]
        lost = (COMMIT_ROWS + CONCURRENCY) * (1 if kind == "actor" else ACTORS)
        return {"killed": kind, "point": round(point, 3), "asked": asked, "replies": replies, "allowed": lost}

    def _wait(self, run: subprocess.Popen[bytes], share: float) -> None:
        """Until so many requests are asked, one at least by this run; else, and with 1, until it has asked its last."""
        deadline = time.monotonic() + _PATIENCE_S
        ended = self._root / "ended"
        while run.poll() is None and time.monotonic() < deadline:
            asked = self.asked()
            if share < 1 and len(asked) > self._before and len(set(asked)) >= share * self._rows:
                return
            if ended.exists() and ended.read_text(encoding="ascii") == str(self._rows):
                return
            time.sleep(0.01)


def count_replies(root: str) -> int:
    """Requests that the ledger holds."""
    from medreason_ray.ledger import Ledger
    from medreason_ray.stages.generate_chains import STAGES

    return len(Ledger(f"{root}/replies").read(STAGES))


def _title(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def _pids(processes: Iterable[psutil.Process]) -> list[int]:
    return [each.pid for each in processes]


def _gone(processes: Sequence[psutil.Process]) -> None:
    """Ray's processes end with their driver; one that has not after a while is ended, so that no two runs overlap."""
    _, alive = psutil.wait_procs(processes, timeout=20)
    for each in alive:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    psutil.wait_procs(alive, timeout=20)


def main(arguments: Iterable[str]) -> int:
    given = told(arguments, _KEYS, "benchmarks/kills.py")
    if given is None:
        return 2
    rows, kills = int(given.get("rows", "2000")), int(given.get("kills", "10"))
    with generate_lake.sources(given) as (source, work):
        whole, broken = work / "unbroken", work / "killed"
        generate_lake.write_cases(source, str(whole), rows)
        shutil.copytree(whole, broken)
        _end(Killed(whole, rows))
        return _compare(Killed(broken, rows), whole, broken, _points(kills, int(given.get("seed", "0"))))


def _points(kills: int, seed: int) -> list[float]:
    """Ascending; the last two behind the asking."""
    draws = random.Random(seed)
    return sorted(draws.random() for _ in range(kills - 2)) + [1 + draws.random() for _ in range(2)]


def _compare(lake: Killed, whole: Path, broken: Path, points: list[float]) -> int:
    found = [lake.kill(_KINDS[number % len(_KINDS)], point) for number, point in enumerate(points)]
    fell = [each for each in found if each is not None]
    _end(lake)
    asked = lake.asked()
    seen: set[str] = set()
    first = [not (each in seen or seen.add(each)) for each in asked]
    ends = [int(str(each["asked"])) for each in fell[1:]] + [len(asked)]
    for each, end in zip(fell, ends, strict=True):
        again = first[int(str(each["asked"])) : end].count(False)
        print(json.dumps({"name": "kill", **each, "again": again}), flush=True)
    twice, allowed = len(asked) - len(seen), sum(int(str(each["allowed"])) for each in fell)
    same = apart(generate_lake.digests, str(broken))[0] == apart(generate_lake.digests, str(whole))[0]
    line = {"name": "kills", "kills": len(fell), "requests": len(seen), "twice": twice, "allowed": allowed}
    print(json.dumps({**line, "same_tables": same}), flush=True)
    return int(not same or twice > allowed)


def _end(lake: Killed) -> None:
    """Start the step until it ends by itself."""
    for _ in range(3):
        if lake.begun().wait() == 0:
            return
    raise RuntimeError("the step fails: see the file `errors` in its lake, with work=")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
