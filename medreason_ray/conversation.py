"""What a stage asks about one row, as a generator: it yields requests, is sent their rows of `replies`, returns a result.

The same generator is driven twice. While asking, an actor answers from the ledger what it holds and from the engine what it
does not; afterwards the ledger alone answers, and what the generator returns is the stage's result. So a later request may
hang on an earlier reply (a chain on the paths that were kept, a judge on a blind answer), all requests of a row go through
one engine, and the result is still a pure function of row and ledger.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from conf.outcome import Rejected
from medreason_ray.engines.request import Request
from medreason_ray.ledger import Known

Row = dict[str, Any]
Conversation = Generator[list[Request], list[Row], Any]
"""Yields the requests of a round, which may be asked at once; raises Rejected where the row ends without a result."""
Converse = Callable[[Row], Conversation]
"""Pure: the same row and replies give the same requests and result."""
LookUp = Callable[[list[str]], list[Row | None]]
"""The rows of `replies` of some request_ids, None where there is none."""


class LastRound(list[Request]):
    """The requests of a round behind which nothing is asked, whatever comes back: who only asks need not send the replies."""


class Talk:
    """The conversation about one row, as far as it has come."""

    def __init__(self, row: Row, converse: Converse) -> None:
        self.row = row
        self.requests: list[Request] = []
        """What it waits for; empty once it has ended."""
        self.result: Any = None
        """What the generator returned, or the Rejected that it raised."""
        self._talk = converse(row)
        self._step(lambda: next(self._talk))

    def send(self, replies: list[Row]) -> None:
        """Go on with the replies to `requests`, in their order."""
        self._step(lambda: self._talk.send(replies))

    def _step(self, advance: Callable[[], list[Request]]) -> None:
        try:
            self.requests = advance()
            while not self.requests:
                self.requests = self._talk.send([])
        except StopIteration as end:
            self.requests, self.result = [], end.value
        except Rejected as reason:
            # Without its traceback, which would keep whoever drives the talk, and an engine with it, until the next collection.
            self.requests, self.result = [], reason.with_traceback(None)


def advance(talks: Iterable[Talk], look_up: LookUp, *, results: bool = True) -> list[Talk]:
    """Go on with each talk as long as all its requests have replies; one look-up a round, for a round may touch many files.

    Args:
        talks: about a batch's rows.
        look_up: what is known.
        results: whether what the talks return is wanted; if not, none is sent the replies to its last round.

    Returns:
        The talks that wait for a reply which is not there.
    """
    waiting: list[Talk] = []
    open_talks = [talk for talk in talks if talk.requests]
    while open_talks:
        found = iter(look_up([request.request_id for talk in open_talks for request in talk.requests]))
        going: list[Talk] = []
        for talk in open_talks:
            replies = [next(found) for _ in talk.requests]
            held = [reply for reply in replies if reply is not None]
            if len(held) < len(replies):
                waiting.append(talk)
                continue
            if not results and isinstance(talk.requests, LastRound):
                continue
            talk.send(held)
            going.append(talk)
        open_talks = [talk for talk in going if talk.requests]
    return waiting


def look_up_in(*ledgers: Known, retry: str = "none", given: Sequence[Known] = ()) -> LookUp:
    """Look-up in views of the ledger, the first that knows a request counting.

    Args:
        ledgers: the views.
        retry: with `failed` failures are not known.
        given: further views, in which failures are known: what another engine is asked.
    """
    views = [(known, "none") for known in given if len(known)] + [(known, retry) for known in ledgers if len(known)]

    def look_up(request_ids: list[str]) -> list[Row | None]:
        found: list[Row | None] = [None] * len(request_ids)
        for known, again in views:
            missing = [number for number, row in enumerate(found) if row is None]
            mask = known.known([request_ids[number] for number in missing], retry=again).tolist()
            places = [number for number, is_known in zip(missing, mask, strict=True) if is_known]
            rows = known.replies([request_ids[number] for number in places]).to_pylist()
            for number, row in zip(places, rows, strict=True):
                found[number] = row
        return found

    return look_up


def replay(rows: Sequence[Row], converse: Converse, *known: Known) -> list[Talk]:
    """The ended talks of rows that were asked about before, in their order.

    Raises:
        KeyError: a request is not in the ledger: the rows are not those that were asked about.
    """
    talks = [Talk(row, converse) for row in rows]
    for talk in advance(talks, look_up_in(*known)):
        raise KeyError(f"a request of {talk.requests[0].question_id} is not in the ledger")
    return talks


def in_one_round(requests: Callable[[Row], list[Request]], row: Row) -> Conversation:
    """The conversation of a stage that asks once: returns its requests, each with its row of `replies`."""
    asked = LastRound(requests(row))
    replies = yield asked
    return list(zip(asked, replies, strict=True))
