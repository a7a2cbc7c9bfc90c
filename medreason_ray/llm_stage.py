"""rows -> replies: what every stage that asks a model shares; asked first, parsed afterwards.

Two passes over the same rows. The first renders requests on actors that hold an engine, asks what the ledger does not
know and appends the replies as they come; it hands on nothing but counts. The second renders again, looks the replies
up and parses. So what is parsed is what the ledger holds, however often the first pass was killed, and a mended parser
asks nothing.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import ray
from ray.data import ActorPoolStrategy, Dataset

from conf.config import EngineConfig
from conf.outcome import Rejected
from conf.tables import REPLIES
from medreason_ray.engines.choice import open_engine as choose_engine
from medreason_ray.engines.request import Engine, ModelReply, Request
from medreason_ray.ledger import Known, Ledger

Row = dict[str, Any]
Requests = Callable[[Row], list[Request]]
"""The requests of a row; pure. Raises Rejected where the row cannot be asked about."""
OpenEngine = Callable[[EngineConfig], Engine]

# Blocks that an actor works on at once, so that the next one's requests are in flight while the last of one come back:
# with 64 in flight and replies after 0.1 to 1 s, 10,000 requests took 116 s block by block, 91 s so; 86 s is ideal.
_CALLS = 4

# New objects before Python looks for cycles, which rows do not have; at 700, its default, a batch of 256 cases took
# 830 us a case, at this 330.
_COLLECT_AFTER = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the first pass did."""

    rows: int
    asked: int
    """Requests that the ledger did not hold before, or held as failed."""
    known: Known
    """The ledger behind it."""


def ask_missing(
    rows: Dataset,
    requests: Requests,
    *,
    stage: str,
    ledger: Ledger,
    engine: EngineConfig,
    batch_rows: int,
    open_engine: OpenEngine = choose_engine,
) -> Asked:
    """Ask what the ledger does not know; a kill at any point costs an actor `commit_rows` replies and those in flight.

    Args:
        rows: carry all that `requests` needs.
        requests: the requests of one row.
        stage: replies.stage of them all.
        ledger: where replies go.
        engine: who is asked, how many at once, by how many actors.
        batch_rows: rows rendered at a time; some batches of an actor are in work at once.
        open_engine: makes the engine on each actor.
    """
    ledger.create()
    known = ledger.read(stage)
    counted = rows.map_batches(
        Asker,
        batch_size=batch_rows,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ActorPoolStrategy(size=_actors(engine), max_concurrent_calls_per_actor=_CALLS),
        fn_constructor_kwargs={
            "requests": requests,
            "stage": stage,
            "ledger": ledger,
            "known": ray.put(known),
            "engine": engine,
            "open_engine": open_engine,
        },
    )
    seen = sum(pc.sum(batch["rows"]).as_py() or 0 for batch in counted.iter_batches(batch_format="pyarrow"))
    # Counted in the ledger: an actor that dies takes its own counts with it.
    since = ledger.read(stage, skip=known.files())
    return Asked(rows=seen, asked=len(since), known=ledger.read(stage) if len(since) else known)


def _actors(engine: EngineConfig) -> int:
    """Actors that the cluster has CPUs for, one left to those who read: with none left both wait for ever."""
    cpus = int(ray.cluster_resources().get("CPU", 1))
    return max(1, min(engine.actors, cpus - 1))


def with_replies(
    batch: pa.Table, requests: Requests, known: Known
) -> Iterator[tuple[Row, list[tuple[Request, Row]] | Rejected]]:
    """Each row of a batch with its requests and their rows of `replies`, or with why it was not asked about.

    Raises:
        KeyError: a request is not in the ledger: the rows are not those that were asked about.
    """
    gc.set_threshold(_COLLECT_AFTER)
    found = [(row, _requests_or_reason(row, requests)) for row in batch.to_pylist()]
    ids = [request.request_id for _, asked in found if not isinstance(asked, Rejected) for request in asked]
    replies = iter(known.replies(ids).to_pylist())
    for row, asked in found:
        yield row, asked if isinstance(asked, Rejected) else [(request, next(replies)) for request in asked]


def _requests_or_reason(row: Row, requests: Requests) -> list[Request] | Rejected:
    try:
        return requests(row)
    except Rejected as reason:
        return reason


class Asker:
    """One actor of the first pass: an engine, a view of the ledger and the replies not yet committed."""

    def __init__(
        self,
        *,
        requests: Requests,
        stage: str,
        ledger: Ledger,
        known: "ray.ObjectRef[Known]",
        engine: EngineConfig,
        open_engine: OpenEngine,
    ) -> None:
        gc.set_threshold(_COLLECT_AFTER)
        self._requests = requests
        self._known = ray.get(known)
        # An actor that Ray starts again must not ask what the one before it has committed since.
        self._since = ledger.read(stage, skip=self._known.files())
        self._config = engine
        self._engine = open_engine(engine)
        self._in_flight = asyncio.Semaphore(engine.concurrency)
        self._writer = BlockWriter(ledger, engine.commit_rows, engine.concurrency)

    async def __call__(self, batch: pa.Table) -> pa.Table:
        """Ask what is missing of a batch; one row, its number of rows, once the last reply is committed."""
        missing = self._missing(batch)
        self._writer.expect(len(missing))
        await asyncio.gather(*(self._ask(request) for request in missing))
        return pa.table({"rows": [len(batch)]})

    def _missing(self, batch: pa.Table) -> list[Request]:
        """The batch's requests that the ledger does not hold, each once."""
        found = (_requests_or_reason(row, self._requests) for row in batch.to_pylist())
        asked = {request.request_id: request for each in found if not isinstance(each, Rejected) for request in each}
        ids = list(asked)
        retry = self._config.retry
        known = self._known.known(ids, retry=retry) | self._since.known(ids, retry=retry)
        return [request for request, is_known in zip(asked.values(), known.tolist(), strict=True) if not is_known]

    async def _ask(self, request: Request) -> None:
        """Ask one request and wait until its reply is committed."""
        await self._writer.reserve()
        async with self._in_flight:
            started = time.monotonic()
            reply = await _reply(self._engine, request)
            seconds = time.monotonic() - started
        await self._writer.put(_ledger_row(request, reply, seconds))


async def _reply(engine: Engine, request: Request) -> ModelReply:
    """The engine's reply; whatever it raises is a failed request, so that one bad row costs one row."""
    try:
        return await engine.ask(request)
    except Exception as error:  # noqa: BLE001  an engine may raise anything, and all of it is data here
        return ModelReply(reply=None, finish_reason="error", error=f"{type(error).__name__}: {error}")


def _ledger_row(request: Request, reply: ModelReply, seconds: float) -> Row:
    return {
        "request_id": request.request_id,
        "stage": request.stage,
        "question_id": request.question_id,
        "model": request.model,
        "prompt_hash": request.prompt_hash,
        "reply": reply.reply,
        "finish_reason": reply.finish_reason,
        "error": reply.error,
        "tokens_in": reply.tokens_in,
        "tokens_out": reply.tokens_out,
        "seconds": seconds,
    }


class BlockWriter:
    """Gathers an actor's replies and commits them in blocks of `block_rows`, or sooner when no more are on their way.

    `reserve` lets at most `block_rows` replies and those in flight be uncommitted, whatever the commit takes: that is
    what a kill costs. Used on one event loop.
    """

    def __init__(self, ledger: Ledger, block_rows: int, in_flight: int) -> None:
        self._ledger = ledger
        self._block_rows = block_rows
        self._free = asyncio.Semaphore(block_rows + in_flight)
        self._expected = 0
        self._rows: list[Row] = []
        self._committed: asyncio.Future[None] | None = None

    def expect(self, rows: int) -> None:
        """Say how many rows will be put."""
        self._expected += rows

    async def reserve(self) -> None:
        """Wait until one more uncommitted row is allowed."""
        await self._free.acquire()

    async def put(self, row: Row) -> None:
        """Add a row; returns when it is committed."""
        self._expected -= 1
        self._rows.append(row)
        self._committed = committed = self._committed or asyncio.get_running_loop().create_future()
        if len(self._rows) >= self._block_rows or not self._expected:
            rows, self._rows, self._committed = self._rows, [], None
            await self._commit(rows, committed)
        await committed

    async def _commit(self, rows: list[Row], committed: "asyncio.Future[None]") -> None:
        table = pa.Table.from_pylist(rows, REPLIES.schema)
        try:
            await asyncio.to_thread(self._ledger.append, table)
        except Exception as error:  # noqa: BLE001  raised again by everyone who waits for this block
            committed.set_exception(error)
            return
        committed.set_result(None)
        for _ in rows:
            self._free.release()
