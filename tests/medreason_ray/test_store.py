"""A step through Ray replaces its tables in one commit each, once, and leaves other steps' rejects alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from ray.data import Dataset

from conf.config import Config, LakeConfig, LinksConfig
from conf.flow import step
from conf.lake import Lake, user_metadata
from conf.outcome import Outcome
from conf.tables import LINKS, MENTIONS, REJECTS_FOUND, TABLES
from medreason_ray.results import Keep
from medreason_ray.stages import link_entities
from medreason_ray.store import RayStore, arrow_table

STEP = step("link_entities")


def put(lake: Lake, name: str, writer: str, rows: list[dict[str, Any]], run: str = "one") -> None:
    """Replace a table as another step would in that run."""
    table = TABLES[name]
    full = [dict.fromkeys(table.schema.names) | row for row in rows]
    write_deltalake(
        lake.uri(name),
        pa.Table.from_pylist(full, schema=table.schema),
        mode="overwrite",
        partition_by=list(table.partition_by) or None,
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": user_metadata(step(writer), table, run, {})}
        ),
    )


def stage(questions: Dataset, nodes: pa.Table, *, keep: Keep, refused: list[str]) -> Outcome:
    """A link and a mention a question, and a reject for each name in `refused`."""
    named = {"side": "question", "option_key": "", "node_id": nodes["node_id"][0].as_py()}
    schemas = {"mentions": MENTIONS.schema, "links": LINKS.schema}

    def lists(batch: pa.Table) -> pa.Table:
        keys = batch["question_id"].to_pylist()
        found = {
            name: [
                [
                    dict.fromkeys(schema.names)
                    | {k: v for k, v in (named | {"question_id": key}).items() if k in schema.names}
                ]
                for key in keys
            ]
            for name, schema in schemas.items()
        }
        columns = {name: pa.array(found[name], pa.list_(pa.struct(list(schema)))) for name, schema in schemas.items()}
        return pa.table(columns | {"question": batch["question_id"]})

    results = questions.map_batches(lists, batch_format="pyarrow", batch_size=1)
    kept = keep(results, schemas, pa.schema([("question", pa.string())]), 2)
    rejects = [{"entity": "mention", "key": key, "reason": "GENERIC_NODE", "detail": ""} for key in refused]
    return Outcome(
        tables=kept.tables,
        units_in=len(kept.rest) + len(refused),
        rejects=pa.Table.from_pylist(rejects, REJECTS_FOUND) if rejects else None,
    )


def rows(lake: Lake, name: str, order: str) -> list[Any]:
    found = lake.open(name)
    assert found is not None
    return sorted(arrow_table(found, TABLES[name].schema)[order].to_pylist())


def versions(lake: Lake) -> list[int]:
    return [DeltaTable(lake.uri(name)).version() for name in (*STEP.writes, "rejects")]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three questions, a node, and a reject of the step that built the graph; a blank in the path on purpose."""
    lake = Lake(Config(lake=LakeConfig(root=str(tmp_path / "a lake"))))
    put(lake, "nodes", "build_kg", [{"node_id": "n", "name": "renal", "synonyms": []}])
    put(lake, "edges", "build_kg", [])
    put(lake, "graph_profile", "build_kg", [])
    put(lake, "rejects", "build_kg", [{"step": "build_kg", "entity": "row", "key": "line", "reason": "SELF_LOOP"}])
    put(lake, "questions", "load_questions", [{"question_id": each} for each in "abc"])
    return lake


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_step_replaces_its_tables_in_one_commit_and_once(lake: Lake) -> None:
    store = RayStore(Config(lake=LakeConfig(root=lake.root)), lake)

    report = store.run(STEP, stage, refused=["one", "two"])
    assert (report.units_in, report.units_out, report.rejected) == (5, 3, {"GENERIC_NODE": 2})
    assert rows(lake, "links", "question_id") == ["a", "b", "c"]
    assert rows(lake, "rejects", "key") == ["line", "one", "two"]
    assert {lake.checked(name, reader="a test").fingerprint for name in STEP.writes} == {report.fingerprint}
    assert versions(lake) == [0, 0, 1]

    assert store.run(STEP, stage, refused=[]).up_to_date
    assert versions(lake) == [0, 0, 1]

    put(lake, "questions", "load_questions", [], run="two")
    emptied = store.run(STEP, link_entities.run, config=LinksConfig(), batch_rows=8)
    assert (emptied.up_to_date, emptied.units_in, emptied.tables["links"].rows) == (False, 0, 0)
    assert rows(lake, "rejects", "key") == ["line"]
    assert versions(lake) == [1, 1, 2]

    put(lake, "questions", "load_questions", [], run="three")
    again = store.run(STEP, link_entities.run, config=LinksConfig(), batch_rows=8)
    assert (again.up_to_date, versions(lake)[:2]) == (False, [2, 2])
    assert {lake.checked(name, reader="a test").fingerprint for name in STEP.writes} == {again.fingerprint}


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_row_that_is_lost_leaves_every_table_as_it_was(lake: Lake) -> None:
    def losing(**given: Any) -> Outcome:
        outcome = stage(**given, refused=[])
        return replace(outcome, units_in=outcome.units_in + 1)

    store = RayStore(Config(lake=LakeConfig(root=lake.root)), lake)
    with pytest.raises(RuntimeError, match="row law broken"):
        store.run(STEP, losing)
    assert ([lake.open(name) for name in STEP.writes], rows(lake, "rejects", "key")) == ([None, None], ["line"])
    assert list(Path(lake.uri("links")).glob("*.parquet")), "they are laid out, and no commit names them"
