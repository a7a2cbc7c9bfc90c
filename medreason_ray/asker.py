"""The actor that asks: an engine, a view of the ledger and the replies not yet committed."""

import asyncio
import gc
import logging
import os
import time
import weakref
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa
import ray

from conf.config import EngineConfig
from conf.outcome import ConfigError, Stopped
from medreason_ray.block_writer import BlockWriter, Committed, Leave, ledger_row
from medreason_ray.conversation import Converse, LastRound, Row, Talk, advance, look_up_in
from medreason_ray.engines.request import Engine, EngineDead, ModelReply, Request, reply_of
from medreason_ray.ledger import Known, Ledger
from medreason_ray.stopping import Pool, Shift

T = TypeVar("T")

OpenEngine = Callable[[EngineConfig], Engine]

# New objects before Python looks for cycles, which rows do not have; at 700, its default, a batch of 256 cases took
# 830 us a case, at this 330.
COLLECT_AFTER = 500_000

BATCHES = 4
"""Blocks in work at once on an actor, and batches of each, so that the next one's requests are in flight while the last of one
come back: with 64 in flight and replies after 0.1 to 1 s, 10,000 requests took 116 s batch by batch, 91 s so; 86 s is ideal.
BENCHMARKS.md has the share of these 64 that is in flight (`benchmarks/busy.py`)."""

# Cases in work at once on an actor, at least, and for each request in flight, as a batch is in work until its slowest case ends:
# 4,096 cases were 90 MB more of Python objects than 1,024.
_CASES, _CASES_A_REQUEST = 1024, 8

# Requests an actor has asked before a share of failures says anything.
_ENOUGH = 100


class EngineGone(Exception):
    """No actor can answer any more; the replies that came are kept."""


class TooManyFailures(Exception):
    """Requests fail in such numbers that asking on is waste; the replies that came are kept."""


REFUSALS = {kind.__name__: kind for kind in (ConfigError, EngineGone, TooManyFailures)}
"""Why an actor has given up. It travels to the driver as data: what a worker raises arrives there as text alone. `Stopped` is
none: a driver that let go of the batches would end the actors with what they have in flight."""


class _Stop(Exception):
    """Ends a talk of an actor that asks nothing more."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was asked for one batch."""

    rows: int = 0
    """Rows whose conversations have ended."""
    asked: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    errors: list[str] = field(default_factory=list)
    """The kind of each failure, the error's class."""
    refusal: BaseException | None = None
    """Why the actor asks nothing more."""

    def add(self, reply: ModelReply) -> None:
        """Count a reply."""
        self.asked += 1
        self.tokens_in += reply.tokens_in or 0
        self.tokens_out += reply.tokens_out or 0
        self.tokens_cached += reply.tokens_cached or 0
        if reply.error is not None:
            self.failed += 1
            self.errors.append(reply.error.partition(":")[0])

    def table(self) -> pa.Table:
        """One row."""
        kind = type(self.refusal).__name__
        why = [kind, str(self.refusal)] if kind in REFUSALS else []
        texts = {"errors": pa.array([self.errors], _TEXTS), "refusal": pa.array([why], _TEXTS)}
        return pa.table({name: [getattr(self, name)] for name in SUMS} | texts)


@dataclass(frozen=True, slots=True)
class _Work:
    """A batch in work."""

    tally: Tally
    leave: Leave
    committed: set[Committed] = field(default_factory=set)
    """What says that its replies are."""


SUMS = ("rows", "asked", "failed", "tokens_in", "tokens_out", "tokens_cached")
_TEXTS = pa.list_(pa.string())


class Asker:
    """Asks what the ledger does not know, batch by batch."""

    def __init__(
        self,
        *,
        converse: Converse,
        stages: tuple[str, ...],
        ledger: Ledger,
        known: "ray.ObjectRef[Known]",
        engine: EngineConfig,
        batch_rows: int,
        open_engine: OpenEngine,
        pool: "ray.actor.ActorHandle[Pool]",
        most_starts: int,
        given: "Sequence[ray.ObjectRef[Known]]" = (),
    ) -> None:
        gc.set_threshold(COLLECT_AFTER)
        self._converse = converse
        self._stages = stages
        held: Known = ray.get(known)
        # An actor that Ray starts again must not ask what the one before it has committed since.
        since = ledger.read(stages, skip=held.files())
        self._look_up = look_up_in(held, since, retry=engine.retry, given=ray.get(list(given)))
        self._config = engine
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self._opening = asyncio.Lock()
        self._pool = pool
        self._me: str = ray.get_runtime_context().get_actor_id()
        started, last_words = ray.get(pool.started.remote(self._me))
        self._refusal: BaseException | None = None
        if started > most_starts:
            self._refusal = EngineGone(f"the engine died {started - 1} times: {last_words}")
            return
        self._in_flight = asyncio.Semaphore(engine.concurrency)
        self._writer = BlockWriter(ledger, engine.commit_rows, engine.concurrency)
        self._asking: dict[str, asyncio.Future[tuple[Row, Committed]]] = {}
        """Requests that are asked just now: two rows with one prompt ask it once."""
        self._asked, self._failed = 0, 0
        self._shift = Shift(pool, self._stop)
        cases = max(_CASES, _CASES_A_REQUEST * engine.concurrency)
        self._places = asyncio.Semaphore(max(BATCHES, cases // batch_rows))

    async def __call__(self, batch: pa.Table) -> pa.Table:
        """Ask what is missing of a batch; one row of counts, once the last reply is committed."""
        if not self._refusal and not await self._shift.joined():
            self._refusal = Stopped()
        tally = Tally(refusal=self._refusal)
        if self._refusal:
            return tally.table()
        with self._shift.batch():
            async with self._writer.giving(len(batch)) as leave, self._places:
                work = _Work(tally, leave)
                await self._work_on(batch, work)
            # Outside its place: a commit waits for replies of other batches.
            await self._writer.wait(work.committed)
        return tally.table()

    async def _work_on(self, batch: pa.Table, work: _Work) -> None:
        """Ask what is missing of a batch."""
        if self._refusal:
            work.tally.refusal = self._refusal
            return
        talks = advance([Talk(row, self._converse) for row in batch.to_pylist()], self._look_up, results=False)
        ended = len(batch) - len(talks)
        work.tally.rows = ended
        await work.leave(ended)
        await _all_of([self._go_on(talk, work) for talk in talks])

    async def _stop(self) -> None:
        """Ask nothing more; commit what has come, and what still comes as it comes."""
        self._refusal = self._refusal or Stopped()
        await self._writer.hurry()

    async def _go_on(self, talk: Talk, work: _Work) -> None:
        """Ask round by round until the talk ends."""
        try:
            while talk.requests:
                replies = await self._round(talk.requests, work)
                # What the last replies say is read from the ledger afterwards: to read it here too took a sixth of all asking.
                if isinstance(talk.requests, LastRound):
                    break
                talk.send(replies)
            work.tally.rows += 1
        except _Stop:
            work.tally.refusal = self._refusal
        finally:
            await work.leave(1)

    async def _round(self, requests: list[Request], work: _Work) -> list[Row]:
        held = self._look_up([request.request_id for request in requests])
        missing = [request for request, row in zip(requests, held, strict=True) if row is None]
        asked = [await self._once(missing[0], work.tally)] if len(missing) == 1 else []
        if len(missing) > 1:
            asked = await _all_of([self._once(request, work.tally) for request in missing])
        work.committed.update(future for _, future in asked)
        answers = iter(row for row, _ in asked)
        return [row if row is not None else next(answers) for row in held]

    async def _once(self, request: Request, tally: Tally) -> tuple[Row, Committed]:
        """Ask, unless the same is being asked already."""
        if same := self._asking.get(request.request_id):
            return await asyncio.shield(same)
        self._asking[request.request_id] = future = asyncio.get_running_loop().create_future()
        try:
            found = await self._ask(request, tally)
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # read, so that it is not reported as forgotten where no one else waits
            raise
        future.set_result(found)
        found[1].add_done_callback(lambda _: self._asking.pop(request.request_id, None))
        return found

    async def _ask(self, request: Request, tally: Tally) -> tuple[Row, Committed]:
        assert request.stage in self._stages, f"{request.stage} is asked of another engine"
        await self._writer.reserve()
        async with self._in_flight:
            engine = await self._opened()
            if engine is None or self._refusal:
                self._writer.release()
                raise _Stop
            started = time.monotonic()
            reply = await self._reply(engine, request)
            seconds = time.monotonic() - started
        tally.add(reply)
        self._count(reply)
        row = ledger_row(request, reply, seconds)
        return row, await self._writer.put(row)

    async def _opened(self) -> Engine | None:
        """The engine, opened for the first request that is not in the ledger: a run that asks nothing loads no model.

        None where it cannot be opened as configured.
        """
        if self._engine is not None:
            return self._engine
        async with self._opening:
            if self._engine is None and self._refusal is None:
                try:
                    self._engine = await asyncio.to_thread(self._open_engine, self._config)
                except ConfigError as error:
                    self._refusal = error
                    return None
                await self._pool.opened.remote(self._me)
                weakref.finalize(self, _close, self._engine, self._pool, self._me)
        return self._engine

    async def _reply(self, engine: Engine, request: Request) -> ModelReply:
        try:
            return await reply_of(engine, request)
        except EngineDead as error:
            await self._die(error)
            raise

    async def _die(self, error: EngineDead) -> None:
        """End the process: Ray starts an actor anew, which asks the rows of this one's batches again, only where it crashes."""
        await self._writer.flush()
        await self._pool.died.remote(self._me, str(error))
        logging.getLogger(__name__).error("the engine is dead, its actor ends: %s", error)
        os._exit(1)

    def _count(self, reply: ModelReply) -> None:
        """Give up where so many requests fail that asking on is waste."""
        self._asked += 1
        if reply.error is None:
            return
        self._failed += 1
        if self._asked >= _ENOUGH and self._failed > self._config.max_failed_share * self._asked:
            text = f"{self._failed} of {self._asked} requests of an actor failed, the last with {reply.error}"
            self._refusal = self._refusal or TooManyFailures(text)


def _close(engine: Engine, pool: "ray.actor.ActorHandle[Pool]", me: str) -> None:
    """Close an engine, which a next pass waits for: when Ray Data drops the Asker behind its pass, or the process ends."""
    try:
        engine.close()
    finally:
        ray.get(pool.closed.remote(me), timeout=10)


async def _all_of(asking: list[Coroutine[Any, Any, T]]) -> list[T]:
    """What each returns. Where one raises, the others end first: no reply may come behind the last commit."""
    found = await asyncio.gather(*asking, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return [each for each in found if not isinstance(each, BaseException)]
