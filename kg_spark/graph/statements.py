"""Statements of nodes -> the nodes of each source, with a verdict on every statement.

Within one source an id has one name and one type. Where lines disagree, the version that more than half of them state
is kept and the others are rejected; without such a majority all are (a shifted or mixed-up file).
"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType

from conf.identity import member_xrefs, name_key, node_id
from conf.outcome import Reason
from conf.semantics import canonical_type

_IDENTITY = ("source", "vocabulary", "key", "raw_id", "raw_source", "raw_type", "name")
_NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$"


def _curie(vocabulary: str, raw_id: str | None, raw_type: str | None, raw_source: str | None) -> str | None:
    return node_id(vocabulary, raw_id, raw_type, raw_source or "") if raw_id and raw_type else None


def _members(vocabulary: str, raw_id: str | None, raw_type: str | None, raw_source: str | None) -> list[str]:
    return list(member_xrefs(vocabulary, raw_id, raw_type, raw_source or "")) if raw_id and raw_type else []


_node_id = F.udf(_curie, StringType(), useArrow=True)
_member_xrefs = F.udf(_members, ArrayType(StringType()), useArrow=True)
_type = F.udf(lambda vocabulary, raw: canonical_type(vocabulary, raw) if raw else None, StringType(), useArrow=True)
_name_key = F.udf(lambda name: name_key(name) if name else None, StringType(), useArrow=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNodes:
    """The nodes of each source before sources are merged."""

    nodes: DataFrame
    """source, node_id, name, name_key, type, synonyms, xrefs, own_line; key (source, node_id)."""
    keys: DataFrame
    """source, key, node_id, raw_type, names (accepted spellings), reason (null when accepted); key (source, key)."""
    verdicts: DataFrame
    """source, key, raw_type, name -> reason, detail; reason null when accepted."""


def resolve(statements: DataFrame) -> SourceNodes:
    """`statements`: the columns of RawGraph.nodes."""
    distinct = statements.groupBy(*_IDENTITY).agg(
        F.count("*").alias("lines"),
        F.max("own_line").alias("own_line"),
        F.array_distinct(F.flatten(F.collect_list("synonyms"))).alias("synonyms"),
        F.array_distinct(F.flatten(F.collect_list("xrefs"))).alias("xrefs"),
    )
    named = (
        distinct.withColumn("node_id", _node_id("vocabulary", "raw_id", "raw_type", "raw_source"))
        .withColumn("xrefs", F.array_union("xrefs", _member_xrefs("vocabulary", "raw_id", "raw_type", "raw_source")))
        .withColumn("type", _type("vocabulary", "raw_type"))
        .withColumn("name_key", _name_key("name"))
        .withColumn("reason", _flaw())
    )
    judged = _settle_conflicts(named).localCheckpoint()
    return SourceNodes(nodes=_accepted(judged), keys=_keys(judged), verdicts=_verdicts(judged))


def _flaw() -> Column:
    return (
        F.when(
            F.col("raw_id").isNull() | F.col("raw_type").isNull() | F.col("name").isNull(), _name(Reason.MISSING_FIELD)
        )
        .when(F.col("name").rlike(_NUMBER), _name(Reason.NAME_IS_NUMBER))
        .when(F.col("type").isNull(), _name(Reason.UNKNOWN_TYPE))
        .when(F.col("node_id").isNull(), _name(Reason.UNKNOWN_PREFIX))
    )


def _name(reason: Reason) -> Column:
    return F.lit(reason.name)


def _settle_conflicts(named: DataFrame) -> DataFrame:
    """Mark the statements of an id that the majority of its lines contradicts."""
    flawed = F.col("reason").isNotNull()
    sound = F.when(flawed, F.lit(0)).otherwise(F.col("lines"))
    all_lines = F.sum(sound).over(Window.partitionBy("source", "node_id"))
    same = F.sum(sound).over(Window.partitionBy("source", "node_id", "name_key", "type"))
    lost = ~flawed & (same * 2 <= all_lines)
    return named.withColumn("reason", F.when(lost, _name(Reason.CONFLICTING_NODE)).otherwise(F.col("reason")))


def _accepted(judged: DataFrame) -> DataFrame:
    """One row an id; of several spellings the commonest, then the first in order, is its name."""
    good = judged.where("reason is null")
    first = F.struct((-F.col("lines")).alias("often"), F.col("name"))
    grouped = good.groupBy("source", "node_id").agg(
        F.min(first).getField("name").alias("name"),
        F.min("name_key").alias("name_key"),
        F.min("type").alias("type"),
        F.max("own_line").alias("own_line"),
        F.array_distinct(F.flatten(F.collect_list("synonyms"))).alias("synonyms"),
        F.array_distinct(F.flatten(F.collect_list("xrefs"))).alias("xrefs"),
    )
    return grouped.localCheckpoint()


def _keys(judged: DataFrame) -> DataFrame:
    accepted = F.col("reason").isNull()
    return judged.groupBy("source", "key").agg(
        F.min(F.when(accepted, F.col("node_id"))).alias("node_id"),
        F.min(F.when(accepted, F.col("raw_type"))).alias("raw_type"),
        F.collect_set(F.when(accepted, F.col("name"))).alias("names"),
        F.when(F.max(accepted), F.lit(None)).otherwise(F.min("reason")).alias("reason"),
    )


def _verdicts(judged: DataFrame) -> DataFrame:
    detail = F.concat_ws(" | ", "raw_id", "raw_type", "name")
    return judged.select("source", "key", "raw_type", "name", "reason", detail.alias("detail"))
