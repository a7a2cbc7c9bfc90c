"""A target of rows is reached in rounds over a copy of the demo's lake; a larger one goes on where it stopped."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, QueryBuilder

from tests.jobs.conftest import Place, last_line

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


@pytest.fixture(scope="module")
def reached(demo: tuple[Place, Any]) -> tuple[Place, Path, dict[str, Any]]:
    """The lake of a target that was reached, and the last line that said so."""
    place, _ = demo
    shutil.copytree(place.folder / "lake" / "demo", place.folder / "lake" / "target")
    return place, place.folder / "lake" / "target", pipeline(place, TARGET)


def pipeline(place: Place, target: int) -> dict[str, Any]:
    wanted = ("lake.root=lake/target", "chains.max_edges=1", f"release.target_rows={target}", "tracking.enabled=false")
    done = place.run("medreason-run-pipeline", "profile=demo", *wanted)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return last_line(done)


def released(lake: Path) -> list[str]:
    return in_turn(ask(lake, "select question_id from release", "release"))


def test_a_target_is_reached_in_rounds_then_found_again_and_a_larger_one_goes_on(reached):
    place, lake, first = reached
    cases = in_turn(ask(lake, "select question_id from cases", "cases"))
    said = first["round"]
    assert (said["target"], said["cases"], said["another_round"]) == (TARGET, len(cases), False)
    assert TARGET < said["taken"] < len(cases)
    small = released(lake)
    failed = ask(lake, "select key from rejects where entity = 'question' and reason <> 'NOT_NEEDED'", "rejects")
    assert small == [each for each in cases if each not in failed][:TARGET]

    before = files(lake)
    again = pipeline(place, TARGET)
    assert all(step["up_to_date"] for step in again["steps"].values())
    assert (again["round"], files(lake)) == (said, before)

    paid = ask(lake, "select request_id from replies", "replies")
    larger = pipeline(place, LARGER)
    assert not larger["round"]["another_round"]
    assert (len(released(lake)), released(lake)[:TARGET]) == (LARGER, small)
    replies = ask(lake, "select request_id from replies", "replies")
    assert (set(replies) > set(paid), len(replies)) == (True, len(set(replies)))
    closed = ask(lake, "select key from rejects where entity = 'question'", "rejects")
    work = ask(lake, "select question_id from questions where role = 'work'", "questions")
    assert sorted([*released(lake), *closed]) == sorted(work)
