"""What every reader of a graph gives: statements of nodes and of edges, and the lines that say neither."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.config import SourceConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RawGraph:
    """One source as read.

    `nodes`: file, line, source, vocabulary, key (id within the source), raw_id, raw_type, raw_source, name, synonyms,
    xrefs, own_line (true when the line states nothing but this node).
    `edges`: file, line, source, vocabulary, src_key, dst_key, src_name, dst_name (null where the line states no names),
    relation, display_relation (null = the relation's own).
    `bad`: file, line, reason, detail.
    """

    nodes: DataFrame
    edges: DataFrame
    bad: DataFrame
    lines: dict[str, int]
    """Lines by file name."""
    notices: tuple[str, ...] = ()


def vocabulary(source: SourceConfig) -> str:
    """The rows of relations.yaml and types.yaml that apply."""
    return source.vocabulary or ("biolink" if source.format == "triples" else source.format)


def split_list(field: Column) -> Column:
    """A `|`-separated field as a list of strings; empty where the field is null."""
    parts = F.filter(F.transform(F.split(field, r"\|"), F.trim), lambda part: part != "")
    return F.coalesce(parts, F.array().cast("array<string>"))


def no_strings() -> Column:
    """An empty list of strings."""
    return F.array().cast("array<string>")


def no_names() -> list[Column]:
    """src_name and dst_name of formats whose edges do not carry names."""
    return [F.lit(None).cast("string").alias(name) for name in ("src_name", "dst_name")]


def node_statement(source: SourceConfig, key: Column, raw_id: Column, raw_type: Column, name: Column) -> list[Column]:
    """The columns of `RawGraph.nodes` that every format fills alike."""
    return [
        F.col("file"),
        F.col("line"),
        F.lit(source.name).alias("source"),
        F.lit(vocabulary(source)).alias("vocabulary"),
        key.alias("key"),
        raw_id.alias("raw_id"),
        raw_type.alias("raw_type"),
        name.alias("name"),
    ]


def edge_statement(
    source: SourceConfig, src_key: Column, dst_key: Column, relation: Column, display_relation: Column | None
) -> list[Column]:
    """The columns of `RawGraph.edges` that every format fills alike."""
    return [
        F.col("file"),
        F.col("line"),
        F.lit(source.name).alias("source"),
        F.lit(vocabulary(source)).alias("vocabulary"),
        src_key.alias("src_key"),
        dst_key.alias("dst_key"),
        relation.alias("relation"),
        (F.lit(None).cast("string") if display_relation is None else display_relation).alias("display_relation"),
    ]


def union(frames: Sequence[DataFrame]) -> DataFrame:
    """One frame of several with the same columns."""
    first, *others = frames
    for other in others:
        first = first.unionByName(other)
    return first


def read_graph(session: SparkSession, source: SourceConfig, number: int) -> RawGraph:
    """One source by its format; `number` is its place in kg.sources, for errors."""
    from kg_spark.sources import hetionet, primekg, triples

    reader = {"primekg": primekg.read, "hetionet": hetionet.read, "triples": triples.read}[source.format]
    return reader(session, source, f"kg.sources[{number}]")
