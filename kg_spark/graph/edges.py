"""Statements of edges -> the facts of the graph, each once, oriented as relations.yaml declares.

A fact that a source states twice (PrimeKG states each from both ends) becomes one edge. Parallel relations between two
nodes stay apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.licences import licence
from conf.outcome import Reason
from conf.semantics import Relation, find_relation
from kg_spark.columns import digest

END = {None: "", "subject": "src", "object": "dst"}
"""edges.no_passage by conf.semantics.Relation.no_passage: subject and object are src and dst once a fact is turned."""

_FIXED_POINT = 65536
_RELATION = (
    ("relation", "string"),
    ("display", "string"),
    ("subject", "string"),
    ("object", "string"),
    ("predicate", "string"),
    ("symmetric", "boolean"),
    ("phrase", "string"),
    ("inverse_phrase", "string"),
    ("polarity", "string"),
    ("kind", "string"),
    ("may_carry", "boolean"),
    ("no_passage", "string"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Edges and what became of the statements."""

    edges: DataFrame
    """The columns of `edges`, without cost."""
    rejected: DataFrame
    """file, line, reason, detail."""
    accepted_lines: int


def orient(
    session: SparkSession,
    statements: DataFrame,
    nodes: tuple[DataFrame, DataFrame],
    extra: Path | None,
    order: Sequence[str],
) -> Facts:
    """State each fact once.

    Args:
        session: Spark.
        statements: the columns of RawGraph.edges.
        nodes: SourceNodes.keys and Merged.moved.
        extra: the user's own rows beside relations.yaml.
        order: sources, the most trusted first.
    """
    judged = _judge(_declared(session, _ends(statements, *nodes), extra)).localCheckpoint()
    good = _turned(judged.where("reason is null"))
    detail = F.concat_ws(" | ", "src_key", "relation", "display_relation", "dst_key")
    return Facts(
        edges=_once(good, order),
        rejected=judged.where("reason is not null").select("file", "line", "reason", detail.alias("detail")),
        accepted_lines=judged.where("reason is null").count(),
    )


def _ends(statements: DataFrame, keys: DataFrame, moved: DataFrame) -> DataFrame:
    """Each end's merged node_id, raw type, and why it cannot stand (null when it can)."""
    placed = keys.join(F.broadcast(moved), "node_id", "left")
    placed = placed.withColumn("node_id", F.coalesce("merged_id", "node_id"))
    ends = statements
    for end in ("src", "dst"):
        columns = [F.col(c).alias(f"{end}_{c}") for c in ("key", "node_id", "raw_type", "names", "reason")]
        ends = ends.join(placed.select("source", *columns), ["source", f"{end}_key"], "left")
        ends = ends.withColumn(f"{end}_reason", _end_flaw(end))
    return ends


def _end_flaw(end: str) -> Column:
    """A line that states its ends' names (PrimeKG's) is judged by them; else the node's own line was."""
    named = F.col(f"{end}_name").isNotNull()
    missing = F.col(f"{end}_key").isNull()
    states_nodes = F.col("vocabulary") == "primekg"
    return (
        F.when(missing, F.lit(Reason.MISSING_FIELD.name))
        .when(states_nodes & ~named, F.lit(Reason.MISSING_FIELD.name))
        .when(states_nodes & F.col(f"{end}_reason").isNotNull(), F.col(f"{end}_reason"))
        .when(F.col(f"{end}_node_id").isNull(), F.lit(Reason.UNKNOWN_NODE.name))
        .when(named & ~F.array_contains(f"{end}_names", F.col(f"{end}_name")), F.lit(Reason.CONFLICTING_NODE.name))
    )


def _declared(session: SparkSession, ends: DataFrame, extra: Path | None) -> DataFrame:
    """The row of relations.yaml that each statement falls under, as r_ columns; null where there is none."""
    columns = ("source", "vocabulary", "relation", "display_relation")
    rows = []
    for stated in ends.select(*columns).where("relation is not null").distinct().collect():
        found = find_relation(stated["vocabulary"], stated["relation"], stated["display_relation"] or "", extra)
        if found is not None:
            spdx = found.licence or licence(stated["source"], found.relation).spdx
            rows.append((*stated, *[_declared_value(found, name) for name, _ in _RELATION], spdx))
    schema = ", ".join(f"{name} string" for name in columns)
    schema += "".join(f", r_{name} {kind}" for name, kind in _RELATION) + ", r_licence string"
    table = F.broadcast(session.createDataFrame(rows, schema)).alias("declared")
    same = [ends[name].eqNullSafe(F.col(f"declared.{name}")) for name in columns]
    return ends.join(table, reduce(and_, same), "left").drop(*[F.col(f"declared.{name}") for name in columns])


def _declared_value(row: Relation, name: str) -> str | bool | None:
    """A column of _RELATION."""
    if name == "no_passage":
        return END[row.no_passage]
    value: str | bool | None = getattr(row, name)
    return value


def _judge(declared: DataFrame) -> DataFrame:
    """Add `reason`, and `turned`: the statement runs against the declared direction."""
    src, dst = F.col("src_raw_type"), F.col("dst_raw_type")
    subject, target = F.coalesce("r_subject", src), F.coalesce("r_object", dst)
    as_stated = (src == subject) & (dst == target)
    turned = ~as_stated & (src == F.coalesce("r_object", src)) & (dst == F.coalesce("r_subject", dst))
    reason = (
        F.when(F.col("src_reason").isNotNull(), F.col("src_reason"))
        .when(F.col("dst_reason").isNotNull(), F.col("dst_reason"))
        .when(F.col("relation").isNull(), F.lit(Reason.MISSING_FIELD.name))
        .when(F.col("r_relation").isNull(), F.lit(Reason.UNKNOWN_RELATION.name))
        .when(F.col("src_node_id") == F.col("dst_node_id"), F.lit(Reason.SELF_LOOP.name))
        .when(~as_stated & ~turned, F.lit(Reason.WRONG_END_TYPES.name))
    )
    return declared.withColumn("turned", turned).withColumn("reason", reason)


def _turned(good: DataFrame) -> DataFrame:
    """Src and dst as the fact runs: declared types first, sorted when symmetric."""
    back = F.col("turned") | (F.col("r_symmetric") & (F.col("dst_node_id") < F.col("src_node_id")))
    back = F.when(F.col("r_symmetric"), F.col("dst_node_id") < F.col("src_node_id")).otherwise(back)
    return good.withColumn("src", F.when(back, F.col("dst_node_id")).otherwise(F.col("src_node_id"))).withColumn(
        "dst", F.when(back, F.col("src_node_id")).otherwise(F.col("dst_node_id"))
    )


def _once(good: DataFrame, order: Sequence[str]) -> DataFrame:
    """One row a fact; relation.yaml's columns come from the most trusted source that states it."""
    ranks = F.create_map(*[F.lit(part) for rank, name in enumerate(order) for part in (name, rank)])
    shown = F.coalesce("display_relation", "r_display", "r_relation")
    stated = (
        good.withColumn("rank", ranks[F.col("source")])
        .withColumn("display_relation", shown)
        .withColumn("relation", F.col("r_relation"))
    )
    declared = (
        "rank",
        "r_predicate",
        "r_symmetric",
        "r_phrase",
        "r_inverse_phrase",
        "r_polarity",
        "r_kind",
        "r_may_carry",
        "r_no_passage",
    )
    grouped = stated.groupBy("src", "relation", "display_relation", "dst").agg(
        F.min(F.struct(*declared)).alias("best"),
        F.array_sort(F.collect_set(F.struct("rank", "source"))).getField("source").alias("sources"),
        F.array_sort(F.collect_set("r_licence")).alias("licences"),
        F.count_if(F.col("r_licence").isNull()).alias("unknown"),
    )
    return grouped.select(
        digest(F.col("src"), F.col("relation"), F.col("display_relation"), F.col("dst")).alias("edge_id"),
        "src",
        "relation",
        "display_relation",
        "dst",
        *[F.col(f"best.{name}").alias(name.removeprefix("r_")) for name in declared[1:]],
        "sources",
        # SPDX of every source that states the fact; null when one is unknown.
        F.when(F.col("unknown") == 0, F.array_join("licences", " OR ")).alias("licence"),
    )


def with_cost(edges: DataFrame, damping: float) -> DataFrame:
    """Add `cost`: the edge's part of the path-degree product, as a sum of logarithms in 1/65536.

    A relation's degree of a node counts the edges of that relation at that end; both ends of a symmetric one are alike.

    Source: Himmelstein & Baranzini 2015 (path-degree product, damping 0.4).
    """
    end = F.when(F.col("symmetric"), F.lit("either"))
    ends = edges.select(
        F.explode(
            F.array(
                F.struct(F.col("src").alias("node"), F.coalesce(end, F.lit("src")).alias("end")),
                F.struct(F.col("dst").alias("node"), F.coalesce(end, F.lit("dst")).alias("end")),
            )
        ).alias("at"),
        "relation",
        "display_relation",
    )
    degrees = ends.groupBy("at.node", "at.end", "relation", "display_relation").agg(F.count("*").alias("degree"))
    priced = edges
    for side in ("src", "dst"):
        at = degrees.select(
            F.col("node").alias(side),
            F.col("end").alias(f"{side}_end"),
            "relation",
            "display_relation",
            F.col("degree").alias(f"{side}_degree"),
        )
        priced = priced.withColumn(f"{side}_end", F.coalesce(end, F.lit(side)))
        priced = priced.join(at, [side, f"{side}_end", "relation", "display_relation"])
    logs = F.log(F.col("src_degree").cast("double")) + F.log(F.col("dst_degree").cast("double"))
    cost = F.round(logs * F.lit(damping * _FIXED_POINT)).cast("int")
    return priced.withColumn("cost", cost).drop("src_end", "dst_end", "src_degree", "dst_degree")
