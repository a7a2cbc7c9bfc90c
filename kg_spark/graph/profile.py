"""Degree, number and component of every node, and the counts of the graph."""

from graphframes import GraphFrame
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from kg_spark.graph.merge import Merged
from kg_spark.sources.graph import union


def placed(nodes: DataFrame, edges: DataFrame) -> DataFrame:
    """Add degree, number (rank of node_id) and component (smallest number in it).

    Components come from GraphFrames, by its GraphX algorithm: 4 s on 50,389 nodes and 109,643 edges on 2 cores, where
    the default one took 129 s in checkpoints. Its label of a component is an arbitrary node's, so the smallest number
    is taken over each.
    """
    ends = edges.select(F.explode(F.array("src", "dst")).alias("node_id"))
    degrees = ends.groupBy("node_id").agg(F.count("*").cast("int").alias("degree"))
    numbered = nodes.withColumn("number", (F.row_number().over(Window.orderBy("node_id")) - 1).cast("int"))
    numbered = numbered.join(degrees, "node_id", "left").fillna(0, ["degree"]).localCheckpoint()
    number = numbered.select("node_id", "number")
    pairs = (
        edges.select("src", "dst")
        .join(number.select(F.col("node_id").alias("src"), F.col("number").alias("a")), "src")
        .join(number.select(F.col("node_id").alias("dst"), F.col("number").alias("b")), "dst")
        .select(F.col("a").alias("src"), F.col("b").alias("dst"))
        .distinct()
    )
    found = GraphFrame(numbered.select(F.col("number").alias("id")), pairs).connectedComponents(algorithm="graphx")
    smallest = F.min("id").over(Window.partitionBy("component")).cast("int")
    component = found.select(F.col("id").alias("number"), smallest.alias("component"))
    return numbered.join(component, "number")


Count = tuple[str, str, float]
"""section, name, value of conf.tables.GRAPH_PROFILE."""

_QUANTILES = (0.5, 0.9, 0.99, 1.0)


def profile(nodes: DataFrame, edges: DataFrame, merged: Merged) -> list[Count]:
    """The counts of the graph; a few hundred, so they are collected."""
    sizes = nodes.groupBy("component").count().agg(F.count("*"), F.max("count")).first()
    conflicts = merged.nodes.agg(F.count_if("name_conflict"), F.count_if("type_conflict")).first()
    degrees = nodes.select(F.percentile("degree", F.array(*[F.lit(q) for q in _QUANTILES]))).first()
    assert sizes is not None
    assert conflicts is not None
    assert degrees is not None
    shared = nodes.where(F.size("sources") > 1)
    named = [
        _named("nodes_by_type", nodes, F.col("type")),
        _named("nodes_by_source", nodes, F.explode("sources")),
        _named("edges_by_relation", edges, F.concat_ws(" | ", "relation", "display_relation")),
        _named("edges_by_kind", edges, F.col("kind")),
        _named("edges_by_source", edges, F.explode("sources")),
        _named("shared_by_type", shared, F.col("type")),
        _named("merged_by", shared, F.col("merged_by")),
    ]
    counted = union(named).groupBy("section", "name").count().orderBy("section", "name").collect()
    return [
        ("graph", "nodes", float(nodes.count())),
        ("graph", "edges", float(edges.count())),
        ("graph", "components", float(sizes[0])),
        ("graph", "largest_component", float(sizes[1] or 0)),
        ("graph", "shared_nodes_with_other_names", float(conflicts[0])),
        ("graph", "shared_nodes_of_other_types", float(conflicts[1])),
        ("graph", "ambiguous_xrefs", float(len(merged.ambiguous))),
        *[("degree_quantile", str(q), float(v)) for q, v in zip(_QUANTILES, degrees[0] or [], strict=False)],
        *[(row["section"], row["name"], float(row["count"])) for row in counted],
        *[("ambiguous_xref", pair, 1.0) for pair in merged.ambiguous],
    ]


def _named(section: str, frame: DataFrame, name: Column) -> DataFrame:
    return frame.select(F.lit(section).alias("section"), name.alias("name"))
