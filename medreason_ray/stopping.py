"""SIGTERM while a model is asked: what is in flight ends, its replies are committed, then the run does.

Ray Data ends its actors, and with them what they hold, as soon as whoever iterates lets go. So the batches are taken in a thread
of their own, and the signal meets the main thread, which has the actors finish before it gives up. Until then the thread takes
on, batches of which nothing is asked any more among them.
"""

import asyncio
import signal
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import ray

from conf.outcome import Stopped

T = TypeVar("T")

_LOOK_S = 1.0


class Pool:
    """What the actors of one pool share: how often they were started, the engines they hold, whether they are to finish."""

    def __init__(self) -> None:
        self._starts = 0
        self._last_words = "the process ended without a word: killed, or out of memory"
        self._open: set[str] = set()
        self._at_work: set[str] = set()
        self._told = False
        self._finished = asyncio.Event()

    async def started(self, actor: str) -> tuple[int, str]:
        """One more start, for Ray starts an actor that died again for ever and we do not; the number, and why one died last.

        An actor keeps its id when it dies; when it starts it has no engine, and nothing in flight.
        """
        self._starts += 1
        self._open.discard(actor)
        self._left(actor)
        return self._starts, self._last_words

    async def died(self, actor: str, why: str) -> None:
        """An actor's last words; its engine is gone with it."""
        self._last_words = why
        self._open.discard(actor)

    async def opened(self, actor: str) -> None:
        """An actor has an engine."""
        self._open.add(actor)

    async def closed(self, actor: str) -> None:
        """An actor has closed its engine."""
        self._open.discard(actor)

    async def open(self) -> int:
        """Engines that are open; one of an actor that was killed from outside and has not come back, too."""
        return len(self._open)

    async def join(self, actor: str) -> bool:
        """An actor is about to ask; False where it must not, as the run has been told to end."""
        if self._told:
            return False
        self._at_work.add(actor)
        return True

    async def is_told(self) -> bool:
        """Whether the run is told to end."""
        return self._told

    async def over(self) -> None:
        """The pass has ended: who waits for actors to leave waits no more."""
        self._told = True
        self._finished.set()

    async def leave(self, actor: str) -> None:
        """All that the actor was sent is committed, and it asks no more."""
        self._left(actor)

    async def finish(self) -> None:
        """Tell the actors to end, and wait until all have left."""
        self._told = True
        if self._at_work:
            await self._finished.wait()

    def _left(self, actor: str) -> None:
        self._at_work.discard(actor)
        if self._told and not self._at_work:
            self._finished.set()


class Shift:
    """One actor's part in it; used on one event loop."""

    def __init__(self, pool: "ray.actor.ActorHandle[Pool]", stop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """`stop`, a method, is called once, when the run is told to end; its object is not kept from being dropped."""
        self._pool, self._stop = pool, weakref.WeakMethod(stop)
        self._me: str = ray.get_runtime_context().get_actor_id()
        self._joining: asyncio.Task[bool] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._batches = 0
        self._idle = asyncio.Event()
        """No batch is in work."""
        self._idle.set()

    async def joined(self) -> bool:
        """Whether the actor may ask; the pool is asked once."""
        self._joining = self._joining or asyncio.create_task(self._join())
        return await self._joining

    @contextmanager
    def batch(self) -> Iterator[None]:
        """A batch in work; some may be at once."""
        self._batches += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._batches -= 1
            if not self._batches:
                self._idle.set()

    async def _join(self) -> bool:
        may: bool = await self._pool.join.remote(self._me)
        if may:
            self._ending = asyncio.create_task(self._end())
        return may

    async def _end(self) -> None:
        # Asked again and again: a call that waited would be open when Ray ends this actor behind its pass, and Ray 2.60 then
        # ends the pool's process at times ("Check failed: erased == 1" in core_worker.cc).
        while self._stop() is not None and not await self._pool.is_told.remote():  # noqa: ASYNC110  another process says so
            await asyncio.sleep(_LOOK_S)
        if (stop := self._stop()) is not None:
            await stop()
        await self._idle.wait()
        await self._pool.leave.remote(self._me)


def until_told(take: Callable[[], T], finish: Callable[[], None]) -> T:
    """What `take` returns. A signal while it runs calls `finish`, and a second one ends the run at once.

    Raises:
        Stopped: the run was told to end, and `finish` or `take` has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        return take()  # only the main thread meets signals
    taken: Future[T] = Future()
    finished: Future[None] = Future()
    before = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
    try:
        signal.signal(signal.SIGTERM, _stop)
        _in_thread(take, taken)
        _first_of(taken)
        return taken.result()
    except Stopped:
        signal.signal(signal.SIGTERM, before)
        # An actor that died with nothing left to do never says that it has left; then the last batch does.
        _in_thread(finish, finished)
        for each in _first_of(taken, finished):
            each.result()  # an actor that gave up took what it had in flight with it: that is an error
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped(
        "told to end (SIGTERM): what was in flight has ended and the replies that came are kept; run again to go on"
    )


def _first_of(*futures: "Future[Any]") -> set["Future[Any]"]:
    """Those that are done, as soon as one is.

    The kernel may hand a signal to any thread of Ray's; this one meets it when it next runs, so it never waits for long.
    """
    while True:
        done, _ = wait(futures, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
        if done:
            return done


def _in_thread(call: Callable[[], T], returned: "Future[T]") -> None:
    """Call in a thread that does not keep the process from ending; what it returns or raises is then in `returned`."""

    def run() -> None:
        try:
            returned.set_result(call())
        except BaseException as error:  # noqa: BLE001  raised again in the main thread
            returned.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
