"""A target of rows is reached in rounds over a copy of the demo's lake; a larger one goes on where it stopped."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, QueryBuilder

from jobs import run_pipeline
from tests.jobs.conftest import copied, run_here

pytestmark = pytest.mark.slow

# Of the first four cases one has no path of a single edge, so a first round of four is one short.
TARGET, LARGER = 4, 6


def ask(lake: Path, query: str, *tables: str) -> list[Any]:
    builder = QueryBuilder()
    for name in tables:
        builder = builder.register(name, DeltaTable(str(lake / name)))
    return [column for row in builder.execute(query).read_all().columns for column in row.to_pylist()]


def in_turn(question_ids: list[str]) -> list[str]:
    return sorted(question_ids, key=lambda each: hashlib.sha256(each.encode()).hexdigest())


def files(lake: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in lake.rglob("*") if path.is_file()}


def pipeline(lake: Path, target: int) -> dict[str, Any]:
    wanted = (f"lake.root={lake}", "chains.max_edges=1", f"release.target_rows={target}", "tracking.enabled=false")
    return run_here(run_pipeline, "profile=demo", *wanted)


def released(lake: Path) -> list[str]:
    return in_turn(ask(lake, "select question_id from release", "release"))


def test_a_target_is_reached_in_rounds_then_found_again_and_a_larger_one_goes_on(demo, spark, ray_cluster, tmp_path):
    lake = copied(demo[0].folder / "lake" / "demo", tmp_path / "lake")
    first = pipeline(lake, TARGET)
    cases = in_turn(ask(lake, "select question_id from cases", "cases"))
    said = first["round"]
    assert (said["target"], said["cases"], said["another_round"]) == (TARGET, len(cases), False)
    assert TARGET < said["taken"] < len(cases)
    small = released(lake)
    failed = ask(lake, "select key from rejects where entity = 'question' and reason <> 'NOT_NEEDED'", "rejects")
    assert small == [each for each in cases if each not in failed][:TARGET]

    before = files(lake)
    again = pipeline(lake, TARGET)
    assert all(step["up_to_date"] for step in again["steps"].values())
    assert (again["round"], files(lake)) == (said, before)

    paid = ask(lake, "select request_id from replies", "replies")
    larger = pipeline(lake, LARGER)
    assert not larger["round"]["another_round"]
    assert (len(released(lake)), released(lake)[:TARGET]) == (LARGER, small)
    replies = ask(lake, "select request_id from replies", "replies")
    assert (set(replies) > set(paid), len(replies)) == (True, len(set(replies)))
    closed = ask(lake, "select key from rejects where entity = 'question'", "rejects")
    work = ask(lake, "select question_id from questions where role = 'work'", "questions")
    assert sorted([*released(lake), *closed]) == sorted(work)
