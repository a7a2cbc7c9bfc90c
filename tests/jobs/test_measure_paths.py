"""measure_paths on a lake of a few rows, index included."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from conf.flow import writer
from conf.lake import Lake, user_metadata
from conf.loading import load
from conf.tables import TABLES
from jobs import measure_paths
from jobs._run import execute
from kg_spark.paths.csr import Index
from tests.kg_spark.path_graphs import Edge, index_of, name

KG = "v"


def put(lake: Lake, table: str, rows: list[dict[str, Any]]) -> None:
    """Write a table, and its siblings empty; a column that a row lacks is null, or what stands for nothing."""
    step = writer(table)
    assert step is not None
    for each in step.writes:
        declared = TABLES[each]
        empty = {field.name: _NOTHING.get(field.type) for field in declared.schema}
        text = user_metadata(step, declared, "f", {"kg_version": KG})
        write_deltalake(
            lake.uri(each),
            pa.Table.from_pylist([empty | row for row in rows] if each == table else [], declared.schema),
            commit_properties=CommitProperties(custom_metadata={"userMetadata": text}),
        )


_NOTHING: dict[pa.DataType, Any] = {pa.string(): "", pa.bool_(): False}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """One question with a key whose wrong option has no path, and one of a dataset without keys."""
    made = Lake(load([f"lake.root={tmp_path}/lake"]))
    options = [{"key": key, "text": key} for key in "AB"]
    asked = [("keyed", "one", "A"), ("unkeyed", "two", "")]
    put(made, "nodes", [{"node_id": name(number), "name": "n", "generic": False} for number in range(4)])
    put(made, "questions", [{"question_id": q, "dataset": d, "answer_key": k, "options": options} for d, q, k in asked])
    put(made, "screened", [{"question_id": q} for _, q, _ in asked])
    ends = [("question", "", 0), ("answer", "A", 1), ("option", "B", 3)]
    put(made, "links", [
        {"question_id": q, "side": side, "option_key": key, "node_id": name(node)}
        for _, q, _ in asked for side, key, node in ends
    ])  # fmt: skip
    return made


def measured(lake: Lake, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, what was printed before the last line, and that."""
    code = execute("measure_paths", measure_paths.main, [f"lake.root={lake.root}", "tracking.enabled=false"])
    *before, last = capsys.readouterr().out.splitlines()
    return code, "\n".join(before), last


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Index:
    """The lake's index: of the pairs only the one to the right option has a path."""
    made = index_of(4, [Edge(src=0, dst=2), Edge(src=2, dst=1)])
    monkeypatch.setattr(measure_paths, "has_index", lambda *_: True)
    monkeypatch.setattr(measure_paths, "open_index", lambda *_: made)
    return made


@pytest.mark.usefixtures("index")
def test_a_dataset_without_answer_keys_is_left_out_and_no_figure_is_not_a_number(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told, last = measured(lake, capsys)
    assert code == 0
    assert "unkeyed is left out: its questions have no answer key" in told
    assert "truncated" in told
    shown = json.loads(last, parse_constant=pytest.fail)
    assert {row["dataset"] for row in shown["separation"]} == {"keyed"}
    assert {(row["auc"], row["auc_both"], row["low_both"]) for row in shown["separation"]} == {(1.0, None, None)}


@pytest.mark.usefixtures("index")
def test_only_the_links_of_the_questions_that_are_compared_are_read(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def read_pairs(options: Any, links: pa.Table, *others: Any) -> Any:
        seen.extend(links["question_id"].to_pylist())
        return original(options, links, *others)

    original = measure_paths.read_pairs
    monkeypatch.setattr(measure_paths, "read_pairs", read_pairs)
    assert measured(lake, capsys)[0] == 0
    assert set(np.unique(seen)) == {"one"}


def test_a_lake_without_an_index_says_which_engine_makes_one(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, last = measured(lake, capsys)
    assert code == 2
    assert "needs the index of paths.engine=csr: run find_paths paths.engine=csr" in json.loads(last)["error"]


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("options", [[], [{"key": "A", "text": "A"}, {"key": "B", "text": "B"}]])
def test_nothing_to_compare_is_said_in_a_line(
    tmp_path: Path, options: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bare = Lake(load([f"lake.root={tmp_path}/bare"]))
    put(bare, "nodes", [])
    put(bare, "questions", [{"question_id": "q", "dataset": "d", "answer_key": "", "options": options}])
    put(bare, "screened", [{"question_id": "q"}])
    put(bare, "links", [])
    code, _, last = measured(bare, capsys)
    assert code == 2
    assert "nothing to measure" in json.loads(last)["error"]
