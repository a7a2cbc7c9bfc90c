"""Hetionet v1.0: nodes TSV (id, name, kind) and edges as SIF (source, metaedge, target).

Source: Himmelstein et al. 2017, hetionet-v1.0-nodes.tsv and hetionet-v1.0-edges.sif.gz.
"""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.config import SourceConfig
from conf.outcome import ConfigError
from kg_spark.sources.graph import RawGraph, edge_statement, no_names, no_strings, node_statement
from kg_spark.sources.lines import read_delimited


def read(session: SparkSession, source: SourceConfig, key: str) -> RawGraph:
    """The two files as statements; `key` is the config key of the source, for errors."""
    if source.nodes is None:
        raise ConfigError(f"{key}.nodes must be given: Hetionet's edges do not carry names")
    nodes = read_delimited(
        session, source.nodes, [("id",), ("name",), ("kind",)], source=source.name, key=f"{key}.nodes"
    )
    edges = read_delimited(
        session, source.edges, [("source",), ("metaedge",), ("target",)], source=source.name, key=f"{key}.edges"
    )
    stated = nodes.rows.select(
        *node_statement(source, F.col("id"), F.col("id"), F.col("kind"), F.col("name")),
        F.lit("").alias("raw_source"),
        no_strings().alias("synonyms"),
        no_strings().alias("xrefs"),
        F.lit(True).alias("own_line"),
    )
    facts = edges.rows.select(
        *edge_statement(source, F.col("source"), F.col("target"), F.col("metaedge"), None),
        *no_names(),
    )
    return RawGraph(
        nodes=stated,
        edges=facts,
        bad=nodes.bad.unionByName(edges.bad),
        lines={nodes.name: nodes.lines, edges.name: edges.lines},
        notices=nodes.notices + edges.notices,
    )
