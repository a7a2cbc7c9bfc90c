"""PrimeKG's kg.csv: each row is an edge that also states its two nodes.

Source: Chandak et al. 2023, kg.csv (relation, display_relation, x_index, x_id, x_type, x_name, x_source, y_…). Every
fact stands there twice, once from each end, under one label.
"""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.config import SourceConfig
from kg_spark.sources.graph import RawGraph, edge_statement, no_strings, node_statement
from kg_spark.sources.lines import read_delimited

_END = ("id", "type", "name", "source")
_REQUIRED = ("relation", "display_relation", *(f"{end}_{field}" for end in "xy" for field in _END))


def read(session: SparkSession, source: SourceConfig, key: str) -> RawGraph:
    """kg.csv as statements; `key` is the config key of the source, for errors."""
    raw = read_delimited(session, source.edges, [(name,) for name in _REQUIRED], source=source.name, key=f"{key}.edges")
    edges = raw.rows.select(
        *edge_statement(source, _key("x"), _key("y"), F.col("relation"), F.col("display_relation")),
        F.col("x_name").alias("src_name"),
        F.col("y_name").alias("dst_name"),
    )
    nodes = _nodes(raw.rows, source, "x").unionByName(_nodes(raw.rows, source, "y"))
    return RawGraph(nodes=nodes, edges=edges, bad=raw.bad, lines={raw.name: raw.lines}, notices=raw.notices)


def _key(end: str) -> Column:
    return F.concat_ws("|", *[F.coalesce(F.col(f"{end}_{field}"), F.lit("")) for field in ("source", "type", "id")])


def _nodes(rows: DataFrame, source: SourceConfig, end: str) -> DataFrame:
    identity = (F.col(f"{end}_id"), F.col(f"{end}_type"), F.col(f"{end}_name"))
    return rows.select(
        *node_statement(source, _key(end), *identity),
        F.col(f"{end}_source").alias("raw_source"),
        no_strings().alias("synonyms"),
        no_strings().alias("xrefs"),
        F.lit(False).alias("own_line"),
    )
