"""Replies on their way into the ledger."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pyarrow as pa

from conf.tables import REPLIES
from medreason_ray.engines.request import ModelReply, Request
from medreason_ray.ledger import Ledger

Row = dict[str, Any]
Committed = asyncio.Future[None]
Leave = Callable[[int], Awaitable[None]]


class BlockWriter:
    """Gathers an actor's replies and commits them in blocks of `block_rows`, or sooner where the engine would else idle.

    Whoever waits for a commit keeps a place that others could ask from. So what is gathered is committed as soon as there is
    room for another request and all who may still add a row have theirs in flight: with blocks of 500 and fewer cases in work,
    an actor asked all of these, and nothing more before the slowest had come.

    `reserve` lets at most `block_rows` replies and those in flight be uncommitted, whatever the commit takes: that is
    what a kill costs. Used on one event loop.
    """

    def __init__(self, ledger: Ledger, block_rows: int, in_flight: int) -> None:
        self._ledger = ledger
        self._block_rows = block_rows
        self._in_flight = in_flight
        self._most = block_rows + in_flight
        self._uncommitted = 0
        self._asked = 0
        """Rows that are reserved and have not come."""
        self._room = asyncio.Event()
        self._error: Exception | None = None
        self._givers = 0
        self._waiting = 0
        self._rows: list[Row] = []
        self._committed: Committed | None = None
        self._committing = asyncio.Lock()

    @asynccontextmanager
    async def giving(self, givers: int) -> AsyncIterator[Leave]:
        """So many may put rows in the block; what it gives is told how many do no more."""
        left = givers
        self._givers += givers

        async def leave(gone: int) -> None:
            nonlocal left
            left -= gone
            self._givers -= gone
            await self._keep_busy()

        try:
            yield leave
        finally:
            await leave(left)

    async def wait(self, committed: Iterable[Committed]) -> None:
        """Until all of these are.

        Raises:
            Exception: that of a commit that failed.
        """
        self._waiting += 1
        try:
            await self._keep_busy()
            for each in committed:
                await each
        finally:
            self._waiting -= 1

    async def reserve(self) -> None:
        """Wait until one more uncommitted row is allowed.

        Raises:
            Exception: that of a commit that failed; no room comes of it any more.
        """
        # A semaphore looks at all that it has woken before at each release: 500 releases in a row were a tenth of all asking.
        while self._uncommitted >= self._most and self._error is None:
            self._room.clear()
            await self._room.wait()
        if self._error is not None:
            raise self._error
        self._uncommitted += 1
        self._asked += 1

    def release(self) -> None:
        """A row that was reserved will not come."""
        self._asked -= 1
        self._made_room(1)

    async def put(self, row: Row) -> Committed:
        """Add a row that was reserved; the future is done when it is committed, and fails as the commit fails."""
        self._asked -= 1
        self._rows.append(row)
        self._committed = committed = self._committed or asyncio.get_running_loop().create_future()
        if len(self._rows) >= self._block_rows:
            await self.flush()
        return committed

    async def hurry(self) -> None:
        """Commit what is gathered, and from now on each row as soon as it comes."""
        self._block_rows = 1
        await self.flush()

    async def flush(self) -> None:
        """Commit what is gathered; what comes while a commit is on its way goes into the next one."""
        async with self._committing:
            await self._flush()

    async def _keep_busy(self) -> None:
        """Commit for those who wait where the engine has room and nothing else to do, and behind the last who may put rows."""
        if (self._waiting or not self._givers) and self._givers <= self._asked < self._in_flight:
            await self.flush()

    def _made_room(self, rows: int) -> None:
        self._uncommitted -= rows
        self._room.set()

    async def _flush(self) -> None:
        rows, self._rows = self._rows, []
        committed, self._committed = self._committed, None
        if committed is None:
            return
        table = pa.Table.from_pylist(rows, REPLIES.schema)
        try:
            await asyncio.to_thread(self._ledger.append, table)
        except Exception as error:  # noqa: BLE001  raised again by everyone who waits for this block
            committed.set_exception(error)
            self._error = error
            self._room.set()
            return
        committed.set_result(None)
        self._made_room(len(rows))


def ledger_row(request: Request, reply: ModelReply, seconds: float) -> Row:
    """The row of `replies`."""
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
        "tokens_cached": reply.tokens_cached,
        "seconds": seconds,
    }
