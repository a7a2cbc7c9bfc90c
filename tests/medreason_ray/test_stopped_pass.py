"""SIGTERM while two actors ask: the one that is done first does not take what the other has in flight with it."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import ray

from conf.config import EngineConfig
from conf.outcome import Stopped
from conf.tables import CASES
from medreason_ray.engines.request import ModelReply
from medreason_ray.ledger import Ledger
from medreason_ray.llm_stage import Progress
from medreason_ray.stages.generate_chains import STAGES, ask, passes
from tests.medreason_ray.drawn import case
from tests.medreason_ray.generating import CHAINS_CONFIG, VERIFY, LoggedEngine, asked

pytestmark = pytest.mark.slow

ACTORS, AT_ONCE, IN_FLIGHT = 2, 2, 2
"""Of each actor, so many requests are answered at once; behind them so many are held."""
BATCHES, BATCH_ROWS = 20, 8
ENGINE = EngineConfig(actors=ACTORS, concurrency=IN_FLIGHT, commit_rows=50)


class HeldEngine(LoggedEngine):
    """Its first requests are answered at once, the others when the first door is open, one of all actors behind a second."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "log", 0.0, {})
        self._folder, self._answered = folder, 0

    async def ask(self, request) -> ModelReply:
        reply = await super().ask(request)
        self._answered += 1
        if self._answered > AT_ONCE:
            door = self._folder / ("second" if self._is_last() else "first")
            while not door.exists():  # noqa: ASYNC110  another process opens it
                await asyncio.sleep(0.01)
        return reply

    def _is_last(self) -> bool:
        try:
            (self._folder / "last").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def held(_: EngineConfig, folder: Path) -> HeldEngine:
    return HeldEngine(folder)


@pytest.fixture
def loud() -> Iterator[None]:
    """A second signal fails the test, which else would wait for ever where the pass does not end."""

    def fail(*_: object) -> None:
        raise AssertionError("the pass does not end")

    before = signal.signal(signal.SIGTERM, fail)
    yield
    signal.signal(signal.SIGTERM, before)


def stop(folder: Path, told: list[Progress]) -> None:
    """Signal when all is in flight, open the first door when both actors know, the second when others' batches have ended."""

    def until(true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 150
        while not true():
            if time.monotonic() > deadline:
                os.kill(os.getpid(), signal.SIGTERM)
                raise TimeoutError
            time.sleep(0.02)

    until(lambda: len(asked(folder / "log")) == ACTORS * (AT_ONCE + IN_FLIGHT))
    os.kill(os.getpid(), signal.SIGTERM)
    until(lambda: kept(folder) == ACTORS * AT_ONCE)
    (folder / "first").touch()
    # Each of them has rows that are not asked about.
    until(lambda: len(told) >= BATCHES // 2)
    (folder / "second").touch()


def kept(folder: Path) -> int:
    return len(Ledger(str(folder / "replies")).read(STAGES))


def test_every_reply_that_any_actor_has_in_flight_is_kept(ray_cluster, loud, tmp_path):
    rows = [case(number) for number in range(BATCHES * BATCH_ROWS)]
    blocks = [rows[first : first + BATCH_ROWS] for first in range(0, len(rows), BATCH_ROWS)]
    [one] = passes(ENGINE, CHAINS_CONFIG, VERIFY)
    told: list[Progress] = []
    stopping = threading.Thread(target=stop, args=(tmp_path, told), daemon=True)
    stopping.start()
    with pytest.raises(Stopped):
        ask(
            ray.data.from_arrow([pa.Table.from_pylist(each, CASES.schema) for each in blocks]),
            one,
            ledger=Ledger(str(tmp_path / "replies")),
            batch_rows=BATCH_ROWS,
            open_engine=partial(held, folder=tmp_path),
            report=told.append,
        )
    assert kept(tmp_path) == len(asked(tmp_path / "log")) == ACTORS * (AT_ONCE + IN_FLIGHT)
