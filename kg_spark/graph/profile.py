"""Degree, number and component of every node, and the counts of the graph."""

from graphframes import GraphFrame
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from kg_spark.graph.merge import Merged


def placed(nodes: DataFrame, edges: DataFrame) -> DataFrame:
    """Add degree, number (rank of node_id) and component (smallest number in it).

    Components come from GraphFrames, by its GraphX algorithm: 4 s on 50,389 nodes and 109,643 edges on 2 cores, where
    the default one took 129 s in checkpoints. Its label of a component is an arbitrary node's, so the smallest number
    is taken over each.
    """
    ends = edges.select(F.explode(F.array("src", "dst")).alias("node_id"))
    degrees = ends.groupBy("node_id").agg(F.count("*").cast("int").alias("degree"))
    numbered = nodes.withColumn("number", (F.row_number().over(Window.orderBy("node_id")) - 1).cast("int"))
    numbered = numbered.join(degrees, "node_id", "left").fillna(0, ["degree"]).persist()
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


def profile(nodes: DataFrame, edges: DataFrame, merged: Merged) -> DataFrame:
    """section, name, value: see conf.tables.GRAPH_PROFILE."""
    session = nodes.sparkSession
    sizes = nodes.groupBy("component").count()
    top = sizes.agg(F.count("*"), F.max("count")).first()
    conflicts = merged.nodes.agg(
        F.count_if(F.col("name_conflict")), F.count_if(F.col("type_conflict"))
    ).first()
    assert top is not None
    assert conflicts is not None
    single = [
        ("graph", "nodes", nodes.count()),
        ("graph", "edges", edges.count()),
        ("graph", "components", top[0]),
        ("graph", "largest_component", top[1] or 0),
        ("graph", "shared_nodes_with_other_names", conflicts[0]),
        ("graph", "shared_nodes_of_other_types", conflicts[1]),
        ("graph", "ambiguous_xrefs", len(merged.ambiguous)),
        *[("ambiguous_xref", pair, 1) for pair in merged.ambiguous],
    ]
    degrees = nodes.select(F.percentile("degree", F.array(*[F.lit(q) for q in (0.5, 0.9, 0.99, 1.0)]))).first()
    assert degrees is not None
    quantiles = [("degree_quantile", str(q), value) for q, value in zip((0.5, 0.9, 0.99, 1.0), degrees[0] or [], strict=False)]
    rows = [(section, name, float(value)) for section, name, value in single + quantiles]
    frame = session.createDataFrame(rows, "section string, name string, value double")
    shared = nodes.where(F.size("sources") > 1)
    for section, counted, name in (
        ("nodes_by_type", nodes, F.col("type")),
        ("edges_by_relation", edges, F.concat_ws(" | ", "relation", "display_relation")),
        ("edges_by_kind", edges, F.col("kind")),
        ("shared_by_type", shared, F.col("type")),
        ("merged_by", shared, F.col("merged_by")),
        ("nodes_by_source", nodes.withColumn("source", F.explode("sources")), F.col("source")),
        ("edges_by_source", edges.withColumn("source", F.explode("sources")), F.col("source")),
    ):
        counts = counted.groupBy(name.alias("name")).agg(F.count("*").cast("double").alias("value"))
        frame = frame.unionByName(counts.select(F.lit(section).alias("section"), "name", "value"))
    return frame
