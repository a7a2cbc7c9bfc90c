"""A step through Ray replaces its tables in one commit each, once, and leaves other steps' rejects alone."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import ray
from deltalake import CommitProperties, DeltaTable, write_deltalake
from ray.data import Dataset

from conf.config import Config, LakeConfig
from conf.flow import step
from conf.lake import Lake, user_metadata
from conf.outcome import Outcome
from conf.tables import LINKS, MENTIONS, NODES, QUESTIONS, REJECTS, TABLES
from medreason_ray.store import RayStore, arrow_table

STEP = step("link_entities")


def put(lake: Lake, name: str, writer: str, rows: list[dict[str, Any]]) -> None:
    """Replace a table as another step would."""
    table = TABLES[name]
    full = [dict.fromkeys(table.schema.names) | row for row in rows]
    write_deltalake(
        lake.uri(name),
        pa.Table.from_pylist(full, schema=table.schema),
        mode="overwrite",
        partition_by=list(table.partition_by),
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": user_metadata(step(writer), table, f"{writer} of {len(rows)}", {})}
        ),
    )


def stage(questions: Dataset, nodes: pa.Table, *, refused: list[str]) -> Outcome:
    """A link and a mention a question, and a reject for each name in `refused`."""

    def named(schema: pa.Schema, batch: pa.Table) -> pa.Table:
        rows = [
            dict.fromkeys(schema.names)
            | {"question_id": key, "side": "question", "option_key": "", "node_id": nodes["node_id"][0].as_py()}
            for key in batch["question_id"].to_pylist()
        ]
        return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)

    def table(schema: pa.Schema) -> Dataset:
        return questions.map_batches(lambda batch: named(schema, batch), batch_format="pyarrow", batch_size=1)

    rejects = [{"entity": "mention", "key": key, "reason": "GENERIC_NODE", "detail": ""} for key in refused]
    return Outcome(
        tables={"mentions": table(MENTIONS.schema), "links": table(LINKS.schema)},
        units_in=questions.count() + len(refused),
        rejects=ray.data.from_items(rejects) if rejects else None,
    )


def rows(lake: Lake, name: str, order: str) -> list[Any]:
    found = lake.open(name)
    assert found is not None
    return sorted(arrow_table(found, TABLES[name].schema)[order].to_pylist())


def history(lake: Lake, name: str) -> int:
    return DeltaTable(lake.uri(name)).version()


@pytest.mark.usefixtures("ray_cluster")
def test_a_step_replaces_its_tables_once(tmp_path: Path) -> None:
    config = Config(lake=LakeConfig(root=str(tmp_path / "a lake")))
    lake = Lake(config)
    store = RayStore(config, lake)
    put(lake, "nodes", "build_kg", [{"node_id": "n"}])
    put(lake, "edges", "build_kg", [{"edge_id": "e"}])
    put(lake, "graph_profile", "build_kg", [{"name": "p"}])
    put(lake, "rejects", "build_kg", [{"step": "build_kg", "entity": "row", "key": "line", "reason": "SELF_LOOP"}])
    put(lake, "questions", "load_questions", [{"question_id": each} for each in "abc"])

    first = store.run(STEP, stage, refused=["one", "two"])
    assert (first.units_in, first.units_out, first.rejected) == (5, 3, {"GENERIC_NODE": 2})
