"""A run that was killed ends like an unbroken one, and asks again no more than what was not committed."""

from functools import partial
from pathlib import Path

import pytest

from conf.config import RayConfig
from conf.tables import CHAINS, VERDICTS
from medreason_ray.ledger import Ledger
from medreason_ray.session import start_ray
from medreason_ray.stages import write_chains
from tests.medreason_ray.generating import KILLED, MANY, Run, asked, generate, logged, rows_of, stable_replies
from tests.medreason_ray.killing import start_and_kill

pytestmark = pytest.mark.slow


def commits(lake: Path) -> int:
    return len(list((lake / "replies" / "_delta_log").glob("*.json")))


def generate_slowly(cases: str, lake: str, log: str) -> None:
    """The step on a Ray of its own, in some seconds; what is killed."""
    start_ray(RayConfig(num_cpus=3))
    generate(Path(cases), Path(lake), partial(logged, log=Path(log), delay_s=0.02), KILLED)


@pytest.fixture(scope="module")
def killed(ray_cluster, many, tmp_path_factory) -> tuple[Run, int]:
    """A run killed in the middle and then run to the end; with the requests committed before the kill."""
    lake = tmp_path_factory.mktemp("killed")
    log = lake / "log"
    start_and_kill(generate_slowly, many, lake, log, until=lambda: commits(lake) > 4)
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
