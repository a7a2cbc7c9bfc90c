"""A graph that grew beside the questions and at one place of theirs: only what is shown otherwise is asked about again."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder

from jobs import run_pipeline
from tests.jobs.conftest import copied, last_line, run_here

pytestmark = pytest.mark.slow

DEMO = "{name: demo, format: triples, nodes: '${bundled:demo/nodes.tsv}', edges: '${bundled:demo/edges.tsv}'}"
GROWN = "{name: grown, format: triples, nodes: FOLDER/nodes.tsv, edges: FOLDER/edges.tsv}"


def rows(lake: Path, table: str) -> list[dict[str, Any]]:
    read = QueryBuilder().register("t", DeltaTable(str(lake / table))).execute("select * from t").read_all()
    return pa.table(read).to_pylist()


def by_question(lake: Path, table: str) -> dict[str, dict[str, Any]]:
    """The rows without the version of the graph."""
    return {row["question_id"]: {**row, "kg_version": ""} for row in rows(lake, table)}


def put_source(folder: Path, lake: Path, ends: list[str]) -> None:
    """Two things that no question names, with ids before all others, and one more fact between two of the demo's nodes."""
    known = [(row["node_id"], row["name"], row["type"]) for row in rows(lake, "nodes") if row["node_id"] in ends]
    nodes = [("id", "name", "label"), ("AA:1", "qzwxvite", "Drug"), ("AA:2", "jkvqzosis", "Disease"), *known]
    edges = [("source", "predicate", "target"), ("AA:1", "treats", "AA:2"), (ends[0], "coexists with", ends[1])]
    for name, lines in (("nodes", nodes), ("edges", edges)):
        (folder / f"{name}.tsv").write_text("".join("\t".join(line) + "\n" for line in lines))


def test_only_cases_that_changed_are_asked_about_and_the_others_keep_their_chains(demo, spark, ray_cluster, tmp_path):
    place, done = demo
    lake = copied(place.folder / "lake" / "demo", tmp_path / "lake")
    old = {table: by_question(lake, table) for table in ("cases", "chains")}
    paid = {row["request_id"] for row in rows(lake, "replies")}
    pair = old["cases"][min(old["cases"])]["pairs"][0]
    put_source(tmp_path, lake, [pair["source"], pair["target"]])

    sources = f"kg.sources=[{DEMO},{GROWN.replace('FOLDER', str(tmp_path))}]"
    again = run_here(run_pipeline, "profile=demo", f"lake.root={lake}", "tracking.enabled=false", sources)
    graphs = [run["steps"]["build_kg"]["facts"]["kg_version"] for run in (last_line(done), again)]
    assert graphs[0] != graphs[1]

    new = {table: by_question(lake, table) for table in ("cases", "chains")}
    same = {key for key, row in new["cases"].items() if row == old["cases"].get(key)}
    asked = {row["question_id"] for row in rows(lake, "replies") if row["request_id"] not in paid}
    assert 0 < len(asked) < len(same)
    assert not asked & same
    assert {key: new["chains"][key] for key in same} == {key: old["chains"][key] for key in same}
