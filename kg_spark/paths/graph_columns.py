"""nodes, edges -> columns: what an index is laid out from. Numbers are joined in Spark, arrays come over by Arrow."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.outcome import ContractError

RELATION = ("relation", "predicate", "kind", "polarity", "may_carry", "no_passage")
"""What the search and the ranker know of an edge; edges that agree in these share a code."""

_ID_DIGITS = 16

_NULL_MEANS = {
    "edge_ids": "an edge_id is not 16 hex digits",
    "src": "a src is not among the nodes",
    "dst": "a dst is not among the nodes",
    "symmetric": "a symmetric is null",
    "relation": "a relation, or what is known of it, is null",
    "cost": "a cost is null",
}


def node_columns(nodes: DataFrame) -> tuple[pa.LargeStringArray, list[str], NDArray[np.int16]]:
    """Node ids by number, the types there are, and the code of each node's.

    Raises:
        ContractError: numbers are not the ranks of the ids.
    """
    table = nodes.select("number", "node_id", "type").toArrow()
    number = table["number"].to_numpy()
    order = pa.array(np.argsort(number))
    ids = pc.take(table["node_id"].combine_chunks().cast(pa.large_string()), order)
    ranked = np.array_equal(np.sort(number), np.arange(len(ids)))
    if not ranked or not pc.all(pc.less(ids[:-1], ids[1:]), min_count=0).as_py():
        raise ContractError("nodes.number is not the rank of node_id: run build_kg again")
    types = sorted(pc.unique(table["type"]).to_pylist())
    codes = pc.index_in(pc.take(table["type"].combine_chunks(), order), pa.array(types, pa.string()))
    return ids, types, codes.to_numpy().astype(np.int16)


def edge_columns(nodes: DataFrame, edges: DataFrame, relations: list[tuple[Any, ...]]) -> dict[str, NDArray[Any]]:
    """The arguments of `kg_spark.paths.csr.layout` for a graph, edges in any order.

    Raises:
        ContractError: an edge's end is not in `nodes`, a value is null, or an edge_id is no id or stands twice.
    """
    ends = [F.col("node_id").alias("end"), F.col("number")]
    schema = ", ".join(f"{name} {'boolean' if name == 'may_carry' else 'string'}" for name in RELATION)
    rows = [(code, *relation) for code, relation in enumerate(relations)]
    names = edges.sparkSession.createDataFrame(rows, f"code int, {schema}")
    joined = (
        edges.join(F.broadcast(names), [*RELATION], "left")
        .join(nodes.select(*ends), F.col("src") == F.col("end"), "left")
        .select(*edges.columns, "code", F.col("number").alias("src_number"))
        .join(nodes.select(*ends), F.col("dst") == F.col("end"), "left")
    )
    table = joined.select(
        F.when(F.length("edge_id") == _ID_DIGITS, F.unhex("edge_id")).alias("edge_ids"),
        F.col("src_number").alias("src"),
        F.col("number").alias("dst"),
        "symmetric",
        F.col("code").alias("relation"),
        "cost",
    ).toArrow()
    for name in table.column_names:
        if table[name].null_count:
            raise ContractError(f"edges cannot be indexed, {_NULL_MEANS[name]}: run build_kg again")
    raw = table["edge_ids"].combine_chunks().cast(pa.binary(8))
    ids = np.frombuffer(raw.buffers()[1], np.uint8, 8 * len(raw), 8 * raw.offset).reshape(-1, 8)
    if len(np.unique(ids.view(">u8"))) < len(ids):
        raise ContractError("edges cannot be indexed, an edge_id stands twice: run build_kg again")
    return {"edge_ids": ids, **{name: table[name].to_numpy() for name in table.column_names[1:]}}
