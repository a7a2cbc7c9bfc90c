"""Told to end: who is at work finishes, who comes later does not begin, and the signal meets whoever waits. No cluster."""

import asyncio
import os
import queue
import signal
import sys
import threading
from types import SimpleNamespace

import pytest
import ray

from conf.outcome import Stopped
from medreason_ray import stopping
from medreason_ray.asker import Tally, _close
from medreason_ray.block_writer import BlockWriter
from medreason_ray.stopping import Pool, Shift, until_told


class Handle:
    """A pool as an actor sees it, without a cluster."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=getattr(self._pool, name))


class Actor:
    """One that can be stopped; a shift does not keep it."""

    def __init__(self, name: str, stopped: "asyncio.Queue[str]") -> None:
        self._name, self._stopped = name, stopped

    async def stop(self) -> None:
        self._stopped.put_nowait(self._name)


@pytest.fixture
def shifts(monkeypatch):
    """Makes the shift of an actor; those that were stopped are told of."""
    monkeypatch.setattr(stopping, "_LOOK_S", 0.01)
    stopped: asyncio.Queue[str] = asyncio.Queue()
    actors: list[Actor] = []

    def make(pool: Pool, name: str) -> Shift:
        monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(get_actor_id=lambda: name))
        actors.append(Actor(name, stopped))
        return Shift(Handle(pool), actors[-1].stop)

    return make, stopped


def test_the_pool_has_finished_when_the_last_batch_has(shifts):
    make, stopped = shifts

    async def run() -> list[bool]:
        pool = Pool()
        busy, idle = make(pool, "busy"), make(pool, "idle")
        assert [await busy.joined(), await idle.joined(), await busy.joined()] == [True, True, True]
        with busy.batch():
            finishing = asyncio.create_task(pool.finish())
            assert {await stopped.get(), await stopped.get()} == {"busy", "idle"}
            with busy.batch():
                before = finishing.done()
            still = finishing.done()
        await finishing
        return [before, still, await make(pool, "late").joined()]

    assert asyncio.run(run()) == [False, False, False]


def test_a_pool_that_no_actor_has_joined_finishes_at_once():
    asyncio.run(asyncio.wait_for(Pool().finish(), 5))


def test_an_actor_that_died_and_comes_back_when_told_has_left():
    async def run() -> bool:
        pool = Pool()
        await pool.join("dead")
        finishing = asyncio.create_task(pool.finish())
        await asyncio.sleep(0)  # it has told
        await pool.started("dead")
        await asyncio.wait_for(finishing, 5)
        return await pool.join("dead")

    assert asyncio.run(run()) is False


def test_whoever_waits_for_a_pool_waits_no_more_when_the_pass_is_over():
    async def run() -> None:
        pool = Pool()
        await pool.join("dead")
        finishing = asyncio.create_task(pool.finish())
        await pool.over()
        await asyncio.wait_for(finishing, 5)

    asyncio.run(run())


def test_the_engine_of_an_actor_that_was_killed_is_gone_when_it_starts_again():
    async def run() -> list[int]:
        pool = Pool()
        for actor in ("killed", "other"):
            await pool.started(actor)
            await pool.opened(actor)
        await pool.started("killed")
        left = [await pool.open()]
        await pool.opened("killed")
        for actor in ("killed", "other"):
            await pool.closed(actor)
        return [*left, await pool.open()]

    assert asyncio.run(run()) == [1, 0]


def test_an_engine_that_fails_to_close_is_not_waited_for(monkeypatch):
    def fail() -> None:
        raise OSError("busy")

    closed = []
    pool = SimpleNamespace(closed=SimpleNamespace(remote=closed.append))
    monkeypatch.setattr(ray, "get", lambda *_, **__: None)
    with pytest.raises(OSError, match="busy"):
        _close(SimpleNamespace(close=fail), pool, "me")
    assert closed == ["me"]


def test_a_stopped_actor_s_batch_does_not_end_the_pass():
    assert Tally(refusal=Stopped()).table()["refusal"].to_pylist() == [[]]


class Kept:
    """A ledger that remembers its commits."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []

    def append(self, table) -> None:
        self.commits.append(table["request_id"].to_pylist())


def test_in_a_hurry_what_came_is_committed_and_then_each_row_as_it_comes():
    ledger = Kept()

    async def run() -> None:
        writer = BlockWriter(ledger, block_rows=10, in_flight=4)
        for name in "ab":
            await writer.put({"request_id": name})
        assert ledger.commits == []
        await writer.hurry()
        assert ledger.commits == [["a", "b"]]
        await writer.put({"request_id": "c"})
        assert ledger.commits == [["a", "b"], ["c"]]

    asyncio.run(run())


def test_a_signal_calls_finish_and_leaves_the_handler_as_it_was():
    before, let_go, finished = signal.getsignal(signal.SIGTERM), threading.Event(), []

    def take() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        let_go.wait(10)

    with pytest.raises(Stopped, match="run again to go on"):
        until_told(take, lambda: finished.append(signal.getsignal(signal.SIGTERM)))
    let_go.set()
    assert (finished, signal.getsignal(signal.SIGTERM)) == ([before], before)


def test_a_pass_that_ends_behind_a_signal_is_not_waited_for_in_vain():
    let_go, finished = threading.Event(), []

    def finish() -> None:
        let_go.wait(10)
        finished.append("too late")

    with pytest.raises(Stopped):
        until_told(lambda: os.kill(os.getpid(), signal.SIGTERM), finish)
    in_time = not finished
    let_go.set()
    assert in_time


def test_an_actor_that_gives_up_behind_a_signal_is_an_error():
    let_go = threading.Event()

    def take() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        until_told(take, lambda: let_go.wait(10))
    let_go.set()


def test_without_a_signal_the_result_or_the_error_comes_through():
    assert until_told(lambda: 7, lambda: None) == 7
    with pytest.raises(ZeroDivisionError):
        until_told(lambda: 1 // 0, lambda: None)


def test_a_signal_that_another_thread_was_given_ends_the_wait():
    """The kernel may choose any thread; the main one, asleep, is not woken then."""
    let_go, met = threading.Event(), queue.Queue()
    main = threading.main_thread().ident

    def take() -> None:
        while sys._current_frames()[main].f_code.co_name != "wait":
            pass
        let_go.wait(0.1)  # from the call to the lock beneath it
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        met.put(let_go.wait(10))

    with pytest.raises(Stopped):
        until_told(take, let_go.set)
    assert met.get(timeout=15) is True
