"""A run that was killed ends like an unbroken one, and asks again no more than what was not committed."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from conf.config import RayConfig
from conf.tables import CHAINS, VERDICTS
from medreason_ray.ledger import Ledger
from medreason_ray.session import start_ray
from medreason_ray.stages import write_chains
from tests.medreason_ray.generating import KILLED, MANY, ROOT, Run, asked, generate, logged, rows_of, stable_replies

pytestmark = pytest.mark.slow


def commits(lake: Path) -> int:
    return len(list((lake / "replies" / "_delta_log").glob("*.json")))


def descendants(pid: int) -> list[int]:
    """Processes that a process and its children started."""
    found = [pid]
    for each in found:
        tasks = Path(f"/proc/{each}/task").glob("*/children")
        found += [int(child) for task in tasks for child in task.read_text().split()]
    return found[1:]


def kill_all(process: subprocess.Popen) -> None:
    """kill -9 of the driver, then of the Ray processes it had started."""
    children = descendants(process.pid)
    process.kill()
    process.wait()
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def generate_slowly(cases: str, lake: str, log: str) -> None:
    """The step on a Ray of its own, in some seconds; what is killed."""
    start_ray(RayConfig(num_cpus=3))
    generate(Path(cases), Path(lake), partial(logged, log=Path(log), delay_s=0.02), KILLED)


def start_and_kill(cases: Path, lake: Path, log: Path, behind: int) -> None:
    """Run the step in a process of its own with a slow engine, and kill it behind some commits."""
    run = "import sys; from tests.medreason_ray.test_killed_run import generate_slowly as g; g(*sys.argv[1:])"
    command = [sys.executable, "-W", "ignore", "-c", run, cases, lake, log]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while commits(lake) <= behind and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    kill_all(process)


@pytest.fixture(scope="module")
def killed(ray_cluster, many, tmp_path_factory) -> tuple[Run, int]:
    """A run killed in the middle and then run to the end; with the requests committed before the kill."""
    lake = tmp_path_factory.mktemp("killed")
    log = lake / "log"
    start_and_kill(many, lake, log, behind=4)
    before = len(Ledger(str(lake / "replies")).read([write_chains.STAGE]))
    return Run(lake, log, generate(many, lake, partial(logged, log=log), KILLED)), before


def test_a_killed_run_had_begun_and_not_ended(killed):
    assert 0 < killed[1] < MANY


def test_a_killed_run_asks_again_no_more_than_what_was_not_committed(killed):
    counts = asked(killed[0].log)
    twice = sum(count - 1 for count in counts.values())
    allowed = KILLED.actors * (KILLED.commit_rows + KILLED.concurrency)
    assert (len(counts), max(counts.values()) <= 2, twice <= allowed) == (MANY, True, True)


def test_a_killed_run_ends_with_the_replies_of_an_unbroken_one(killed, unbroken):
    assert stable_replies(killed[0].lake) == stable_replies(unbroken.lake)


@pytest.mark.parametrize("table", [CHAINS, VERDICTS], ids=lambda table: table.name)
def test_a_killed_run_ends_with_the_tables_of_an_unbroken_one(killed, unbroken, table):
    assert rows_of(killed[0].outcome, table) == rows_of(unbroken.outcome, table)
