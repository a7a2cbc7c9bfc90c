"""A reply is found again where it lies, one an id; at most `commit_rows` and those in flight are not yet there."""

import asyncio
import time
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from conf.config import Config, LakeConfig
from conf.lake import Lake
from conf.tables import REPLIES
from medreason_ray.block_writer import BlockWriter
from medreason_ray.ledger import Ledger


def reply_row(request: int, reply: str | None = "r", error: str | None = None, stage: str = "s") -> dict:
    row = dict.fromkeys(REPLIES.schema.names)
    return row | {"request_id": f"{request:064x}", "stage": stage, "reply": reply, "error": error}


def ledger_of(root: Path, *commits: list[dict]) -> Ledger:
    ledger = Ledger(str(root / "replies"))
    ledger.create()
    for rows in commits:
        ledger.append(pa.Table.from_pylist(rows, REPLIES.schema))
    return ledger


def ids(*requests: int) -> list[str]:
    return [f"{request:064x}" for request in requests]


def test_a_ledger_that_is_not_there_knows_nothing(tmp_path):
    known = Ledger(str(tmp_path / "replies")).read(["s"])
    assert (known.known(ids(1, 2)).tolist(), known.replies([]).num_rows) == ([False, False], 0)


def test_a_ledger_knows_what_its_stage_asked(tmp_path):
    known = ledger_of(tmp_path, [reply_row(1), reply_row(2, stage="t")], [reply_row(3)]).read(["s"])
    assert known.known(ids(3, 2, 1, 4)).tolist() == [True, False, True, False]


def test_replies_come_in_the_order_asked_for(tmp_path):
    ledger = ledger_of(tmp_path, *([reply_row(n, f"r{n}") for n in range(k, 30, 3)] for k in range(3)))
    wanted = [17, 2, 29, 2, 0, 16]
    assert ledger.read(["s"]).replies(ids(*wanted))["reply"].to_pylist() == [f"r{n}" for n in wanted]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_of_several_rows_of_an_id_the_smallest_answer_counts(tmp_path, order):
    rows = [reply_row(1, None, "A"), reply_row(1, "b"), reply_row(1, "a"), reply_row(1, None, "B")]
    known = ledger_of(tmp_path, *([rows[n], reply_row(n + 10)] for n in order)).read(["s"])
    assert (len(known), known.replies(ids(1))["reply"].to_pylist()) == (5, ["a"])


def test_a_failure_is_known_unless_it_is_to_be_tried_again(tmp_path):
    known = ledger_of(tmp_path, [reply_row(1), reply_row(2, None, "E")]).read(["s"])
    masks = [known.known(ids(1, 2, 3), retry=retry).tolist() for retry in ("none", "failed")]
    assert masks == [[True, True, False], [True, False, False]]


def test_a_ledger_is_read_on_from_where_it_was_read(tmp_path):
    ledger = ledger_of(tmp_path, [reply_row(1)], [reply_row(2, stage="t")])
    read = ledger.read(["s"]).files()
    ledger.append(pa.Table.from_pylist([reply_row(3)], REPLIES.schema))
    assert ledger.read(["s"], skip=read).known(ids(1, 3)).tolist() == [False, True]


def test_a_ledger_reads_the_same_when_compacted(tmp_path):
    ledger = ledger_of(tmp_path, *([reply_row(n, f"r{n}")] for n in range(6)))
    DeltaTable(str(tmp_path / "replies")).optimize.compact()
    assert ledger.read(["s"]).replies(ids(4, 1))["reply"].to_pylist() == ["r4", "r1"]


def test_commits_of_the_ledger_carry_its_schema_version(tmp_path):
    ledger_of(tmp_path, [reply_row(1)])
    lake = Lake(Config(lake=LakeConfig(root=str(tmp_path))))
    assert lake.checked("replies", reader="a test").schema_version == REPLIES.version


# Replies on their way into the ledger


class CountingLedger:
    """Takes rows slowly, and remembers the sizes of its commits."""

    def __init__(self, error: Exception | None = None) -> None:
        self.commits: list[int] = []
        self._error = error

    def append(self, rows: pa.Table) -> None:
        time.sleep(0.01)
        if self._error:
            raise self._error
        self.commits.append(len(rows))


async def written_through(writer: BlockWriter, rows: int, seen: list[int], ledger: CountingLedger) -> None:
    started = 0

    async def one(number: int) -> None:
        nonlocal started
        await writer.reserve()
        started += 1
        seen.append(started - sum(ledger.commits))
        committed = await writer.put(reply_row(number))
        await leave(1)
        await writer.wait([committed])

    async with writer.giving(rows) as leave:
        await asyncio.gather(*(one(number) for number in range(rows)))


def test_no_more_replies_are_uncommitted_than_a_kill_may_cost():
    ledger, seen = CountingLedger(), []
    asyncio.run(written_through(BlockWriter(ledger, 10, 3), 95, seen, ledger))
    assert (sum(ledger.commits), max(ledger.commits), max(seen) <= 13) == (95, 10, True)


@pytest.mark.parametrize(("slow", "commits"), [(1, [2, 1]), (2, [4])])
def test_who_waits_is_committed_for_as_soon_as_the_engine_has_room_and_nobody_who_may_ask(slow, commits):
    """Two of a batch have come, and of another `slow` are in flight, of two that are at once: one more may be asked, or none."""
    ledger = CountingLedger()

    async def run() -> None:
        writer = BlockWriter(ledger, block_rows=500, in_flight=2)
        async with writer.giving(slow):
            async with writer.giving(2):
                put = []
                for number in range(2):
                    await writer.reserve()
                    put.append(await writer.put(reply_row(number)))
            for _ in range(slow):
                await writer.reserve()
            waiting = asyncio.create_task(writer.wait(put))
            await (asyncio.wait_for(asyncio.shield(waiting), 10) if slow == 1 else asyncio.sleep(0))
            for number in range(slow):
                await writer.put(reply_row(number))
        await waiting

    asyncio.run(run())
    assert ledger.commits == commits


def test_a_failed_commit_fails_everyone_who_waits_for_it_or_for_room():
    ledger = CountingLedger(OSError("disk full"))

    async def run() -> list[BaseException | None]:
        writer = BlockWriter(ledger, 10, 3)

        async def one(number: int) -> None:
            async with writer.giving(1):
                await writer.reserve()
                committed = await writer.put(reply_row(number))
            await writer.wait([committed])

        return await asyncio.wait_for(asyncio.gather(*map(one, range(40)), return_exceptions=True), 10)

    assert [str(each) for each in asyncio.run(run())] == ["disk full"] * 40
