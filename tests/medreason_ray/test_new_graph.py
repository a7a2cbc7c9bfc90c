"""A new version of the graph asks where a prompt changed and nowhere else, and its chains are those of a run from nothing."""

from functools import partial
from pathlib import Path

import pytest

from conf.tables import CHAINS, VERDICTS
from tests.medreason_ray.drawn import case
from tests.medreason_ray.generating import asked, generate, logged, put_cases, rows_of

pytestmark = pytest.mark.slow

OLD = [case(number) for number in range(12)]
BETTER, WORSE = ("A cures C",), ("A treats B, B presents C",)
CHANGED = {2: BETTER, 5: WORSE}
NEW = [case(number, *([CHANGED[number]] if number in CHANGED else []), kg_version="new") for number in range(13)]


@pytest.mark.usefixtures("ray_cluster")
def test_a_new_graph_asks_where_a_prompt_changed_and_ends_like_a_full_run(tmp_path: Path) -> None:
    old, new = put_cases(tmp_path / "old", OLD), put_cases(tmp_path / "new", NEW)
    lake, fresh = tmp_path / "lake", tmp_path / "fresh"
    first = generate(old, lake, partial(logged, log=tmp_path / "first"))
    second = generate(new, lake, partial(logged, log=tmp_path / "second"))
    full = generate(new, fresh, partial(logged, log=tmp_path / "full"))

    # Two cases with other paths, and a case that is new.
    assert (asked(tmp_path / "second").total(), asked(tmp_path / "full").total()) == (3, len(NEW))
    for table in (CHAINS, VERDICTS):
        assert rows_of(second, table) == rows_of(full, table)

    def without_version(rows: list[dict]) -> dict[str, dict]:
        return {row["question_id"]: row | {"kg_version": ""} for row in rows}

    before, after = without_version(rows_of(first, CHAINS)), without_version(rows_of(second, CHAINS))
    changed = {OLD[number]["question_id"] for number in CHANGED}
    assert {key for key, row in before.items() if row != after[key]} == changed
