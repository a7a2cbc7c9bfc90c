"""Compaction beside a job: no append is lost, and who knows the old files reads on."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from conf.tables import REPLIES
from jobs import maintain
from jobs._run import execute
from medreason_ray.ledger import Ledger
from medreason_ray.upkeep import tidy

BLOCKS, ROWS = 24, 5


def ids(block: int) -> list[str]:
    return [sha256(f"{block} {row}".encode()).hexdigest() for row in range(ROWS)]


def append(ledger: Ledger, block: int) -> None:
    rows = [{"request_id": each, "stage": "s", "reply": each} for each in ids(block)]
    ledger.append(pa.Table.from_pylist(rows, REPLIES.schema))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(str(tmp_path / "lake" / "replies"))
    made.create()
    for block in range(4):
        append(made, block)
    return made


def test_no_append_is_lost_that_meets_a_compaction(ledger, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        appending = [pool.submit(append, ledger, block) for block in range(4, BLOCKS)]
        while not all(each.done() for each in appending):
            tidy(str(tmp_path / "lake" / "replies"), 168)
    every = [each for block in range(BLOCKS) for each in ids(block)]
    assert ledger.read(["s"]).replies(every)["reply"].to_pylist() == every


def test_who_read_the_list_of_files_before_reads_on(ledger, tmp_path):
    known = ledger.read(["s"])
    kept = tidy(str(tmp_path / "lake" / "replies"), 168)
    assert (kept.before.files, kept.after.files, kept.after.stored_files) == (4, 1, 5)
    assert known.replies(ids(2))["reply"].to_pylist() == ids(2)


def test_without_retention_replaced_files_go_and_those_of_a_commit_on_its_way_stay(ledger, tmp_path):
    table = tmp_path / "lake" / "replies"
    (table / "part-being-written.parquet").write_bytes(b"PAR1")
    kept = tidy(str(table), 0)
    assert (kept.after.files, kept.after.stored_files) == (1, 2)
    assert (table / "part-being-written.parquet").exists()


def test_a_second_time_commits_nothing(ledger, tmp_path):
    table = tmp_path / "lake" / "replies"
    tidy(str(table), 0)
    log = sorted((table / "_delta_log").iterdir())
    tidy(str(table), 0)
    assert sorted((table / "_delta_log").iterdir()) == log


def test_a_lake_that_is_not_there_is_one_line_and_exit_code_2(tmp_path, capsys):
    code = execute("maintain", maintain.main, [f"lake.root={tmp_path}/nowhere", "tracking.enabled=false"])
    assert code == 2
    assert "is lake.root right?" in capsys.readouterr().err
