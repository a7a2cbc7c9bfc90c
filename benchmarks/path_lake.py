"""A lake with a drawn graph and links that make pairs, the index through Spark, and the step find_paths, Delta to Delta."""

import time
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, write_deltalake
from pyspark.sql import SparkSession

from benchmarks import shape
from conf.config import Config
from conf.flow import step
from conf.lake import Lake, user_metadata
from conf.loading import load
from conf.tables import TABLES
from kg_spark.paths import csr
from kg_spark.paths.engine import has_index
from kg_spark.session import open_session
from kg_spark.stages import build_kg, find_paths
from kg_spark.store import SparkStore

KG = "0123456789abcdef"
_WRITTEN = {"nodes": "build_kg", "edges": "build_kg", "graph_profile": "build_kg"} | {
    "links": "link_entities",
    "mentions": "link_entities",
    "screened": "screen_questions",
}


def config(lake: str, slack: int = 0, engine: str = "csr") -> Config:
    """MedReason's walk: every relation, either way."""
    return load([f"lake.root={lake}", "paths.semantics=any", f"paths.engine={engine}", f"paths.slack={slack}"])


def session() -> SparkSession:
    """The session that jobs open by default."""
    return open_session(Config().spark)


def _write(lake: str, tables: dict[str, dict[str, Any]]) -> None:
    """Tables as one run of their step would leave them; columns that are not given are null."""
    stamp = uuid.uuid4().hex[:16]
    place = Lake(config(lake))
    for name, columns in tables.items():
        schema = TABLES[name].schema
        rows = len(next(iter(columns.values()), []))
        arrays = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(rows, f.type) for f in schema]
        metadata = user_metadata(step(_WRITTEN[name]), TABLES[name], stamp, {"kg_version": KG})
        table = pa.table(arrays, schema=schema)
        properties = CommitProperties(custom_metadata={"userMetadata": metadata})
        write_deltalake(place.uri(name), table, mode="overwrite", commit_properties=properties)


def write_graph(data: str, lake: str, scale: float) -> int:
    """Nodes and edges of a drawn graph; how many edges."""
    counts = shape.read(data)
    assert counts is not None, "the command looks first"
    drawn = shape.draw(counts, scale)
    ids = pa.array(shape.node_ids(drawn))
    raw = shape.edge_ids(drawn)
    digits = np.array([f"{byte:02x}".encode() for byte in range(256)]).view("<u2")[raw]
    offsets = np.arange(0, 16 * len(raw) + 1, 16, dtype=np.int32)
    edges: dict[str, Any] = {
        "edge_id": pa.StringArray.from_buffers(len(raw), pa.py_buffer(offsets), pa.py_buffer(digits)),
        "src": ids.take(pa.array(drawn.src)),
        "dst": ids.take(pa.array(drawn.dst)),
        "cost": shape.costs(drawn),
    }
    for field in TABLES["edges"].schema:
        if field.name not in edges and field.name not in {"sources", "licence"}:
            each = pa.array([getattr(known, field.name, None) or _NONE.get(field.name) for known in drawn.relations])
            edges[field.name] = each.cast(field.type).take(pa.array(drawn.relation))
    nodes = {
        "node_id": ids,
        "name": ids,
        "type": np.repeat(list(drawn.count), list(drawn.count.values())),
        "generic": np.zeros(drawn.n, np.bool_),
        "degree": np.bincount(np.concatenate([drawn.src, drawn.dst]), minlength=drawn.n).astype(np.int32),
        "number": np.arange(drawn.n, dtype=np.int32),
        "component": np.zeros(drawn.n, np.int32),
    }
    _write(lake, {"nodes": nodes, "edges": edges, "graph_profile": {}})
    return len(raw)


_NONE: dict[str, Any] = {"symmetric": False, "may_carry": False, "display_relation": "", "no_passage": ""}
"""What stands for None and False in columns that may not be null."""


def write_drawn_links(data: str, lake: str, scale: float, pairs: int) -> None:
    """Links of questions whose pairs are the drawn ones, ten a question."""
    counts = shape.read(data)
    assert counts is not None, "the command looks first"
    drawn = shape.draw(counts, scale)
    write_links(lake, [(ends, shape.node_ids(drawn)) for ends in shape.questions(drawn, pairs // 10)])


def write_links(lake: str, sides: list[tuple[np.ndarray, list[str]]]) -> None:
    """Links from (questions, k) node numbers of questions and of answers."""
    parts = []
    for side, (ends, ids) in zip(("question", "answer"), sides, strict=True):
        question = np.repeat(np.arange(len(ends)), ends.shape[1])
        names = pa.array(ids).take(pa.array(ends.ravel()))
        texts = pa.array([f"{number:016x}" for number in question.tolist()])
        parts.append(pa.table({"question_id": texts, "side": [side] * len(names), "node_id": names}))
    links = pa.concat_tables(parts)
    columns = {name: links[name].combine_chunks() for name in links.column_names}
    columns["option_key"] = pa.array([""] * len(links))
    questions = {"question_id": [f"{number:016x}" for number in range(len(sides[0][0]))]}
    _write(lake, {"links": columns, "mentions": {}})
    _write(lake, {"screened": questions})


def build_index(lake: str) -> dict[str, float]:
    """Seconds from `edges` to the index, the session apart, and its bytes."""
    settings = config(lake)
    store = SparkStore(settings, Lake(settings))
    nodes, edges = store.read("nodes"), store.read("edges")
    nodes.count()  # the JVM is up and has read a table
    folder = _index(lake)
    started = time.perf_counter()
    manifest = csr.build_index(nodes, edges, folder, kg_version=KG)
    seconds = time.perf_counter() - started
    held = sum(path.stat().st_size for path in Path(folder).iterdir())
    return {"seconds": seconds, "mb": held / 1e6, "entries": manifest.entries}


def _index(lake: str) -> str:
    return f"{lake}/_index/{KG}"


def open_index(lake: str) -> float:
    """Seconds to open the index in this process; the first on a machine copies and checks it."""
    started = time.perf_counter()
    csr.open_index(_index(lake), f"{lake}/_local", KG)
    return time.perf_counter() - started


def find(lake: str, slack: int, engine: str) -> dict[str, float]:
    """The step as the job runs it, Spark's start and all commits included; the index may stand already."""
    settings = config(lake, slack, engine)
    place = Lake(settings)
    version = place.checked("nodes", reader="find_paths").facts["kg_version"]
    folder = f"{lake}/_index/{version}"
    opener = partial(csr.ensure_index, folder=folder, local_dir=f"{lake}/_local", kg_version=version)
    there = partial(has_index, folder, version)
    stage = partial(find_paths.run, kg_version=version, open_csr=opener, has_index=there)
    report = SparkStore(settings, place).run(step("find_paths"), stage, config=settings.paths)
    table = place.open("paths")
    assert table is not None
    actions = pa.table(table.get_add_actions(flatten=True))
    return {
        "seconds": report.seconds,
        "pairs": report.units_in,
        "rejected": sum(report.rejected.values()),
        "mb": sum(actions["size_bytes"].to_pylist()) / 1e6,
    }


def same_paths(one: str, other: str) -> float:
    """Share of the pairs that the `paths` of two lakes give the same paths for."""
    rows = []
    for lake in (one, other):
        table = Lake(config(lake)).open("paths")
        assert table is not None
        listed = table.to_pyarrow_table(columns=["source", "target", "paths"]).to_pylist()
        rows.append({(row["source"], row["target"]): row["paths"] for row in listed})
    same = sum(rows[0].get(pair) == paths for pair, paths in rows[1].items())
    return same / max(1, len(rows[0].keys() | rows[1].keys()))


def write_hetionet(data: str, lake: str, pairs: int) -> int:
    """The graph that build_kg makes of Hetionet, and links from its drugs to its diseases; how many edges."""
    from deltalake import DeltaTable

    source = {"nodes": f"{data}/hetionet/hetionet-v1.0-nodes.tsv", "edges": f"{data}/hetionet/edges-5k.sif.gz"}
    named = ", ".join(f"{key}: '{value}'" for key, value in source.items())
    settings = load([f"lake.root={lake}", f"kg.sources=[{{name: hetionet, format: hetionet, {named}}}]"])
    store = SparkStore(settings, Lake(settings))
    store.run(step("build_kg"), build_kg.run, load=partial(build_kg.load, config=settings.kg), config=settings.kg)
    nodes = DeltaTable(f"{lake}/nodes").to_pyarrow_table(columns=["node_id", "type", "degree", "generic"]).to_pylist()
    nodes = [row for row in nodes if row["degree"] > 1 and not row["generic"]]
    rng = np.random.default_rng(shape.SEED)
    ids = [row["node_id"] for row in nodes]
    kinds = [np.array([i for i, row in enumerate(nodes) if row["type"] == kind]) for kind in ("drug", "disease")]
    drawn = [rng.choice(places, (pairs, 1)) for places in kinds]
    write_links(lake, [(ends, ids) for ends in drawn])
    return int(Lake(settings).report("edges").rows)
