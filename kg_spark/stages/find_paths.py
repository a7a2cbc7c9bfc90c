"""screened, links, nodes, edges -> paths: the best paths between the entities of a question and of each of its options.

A pair joins a node that the question names with one that the answer or another option names; where two options name one
node, each has its pair. Generic nodes neither start nor end one. Every option is searched, not only the answer, because
a path alone says little: with plain matching a wrong option has one within 4 hops as often as the right one.

Source: MedReason (arXiv:2504.00993) takes all shortest paths, undirected; the order is the path-degree product of
Himmelstein & Baranzini 2015 (doi:10.1371/journal.pcbi.1004259), which edges.cost carries.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from conf.outcome import ConfigError, Outcome, Reason
from conf.tables import PATHS
from kg_spark.columns import digest, struct_type
from kg_spark.paths import graphframes
from kg_spark.paths.arrow import BARE_PATH, SEARCHED, search_batches
from kg_spark.paths.engine import choose_engine
from kg_spark.paths.ranking import ranker_name

if TYPE_CHECKING:
    from conf.config import PathsConfig
    from kg_spark.paths.csr import Index

_PAIRS_PER_TASK = 2_000
"""A tenth of a second of search, and 30 MB of paths."""

NEGATIVE = ("absent", "family")
"""Assertions of what is no finding of the patient."""

_GOAL = ("question_id", "side", "option_key", "target")


def run(
    screened: DataFrame,
    links: DataFrame,
    nodes: DataFrame,
    edges: DataFrame,
    *,
    config: PathsConfig,
    kg_version: str,
    open_csr: Callable[[DataFrame, DataFrame], Callable[[], Index]],
    has_index: Callable[[], bool],
) -> Outcome:
    """The paths of every pair; a pair of one node, or without a path, is a reject.

    A pair that `max_expansions` cut before its ends met has a row without paths, `truncated`: there may be some.

    Args:
        screened: question_id.
        links: question_id, side, option_key, node_id, assertion; what the question denies or a relative has starts no path.
        nodes: node_id, name, type, generic, number.
        edges: edge_id, src, dst, symmetric, cost and kg_spark.paths.graph_columns.RELATION.
        config: how far and how wide.
        kg_version: written into every row.
        open_csr: kg_spark.paths.csr.ensure_index, bound to its folders; called only when the engine is csr.
        has_index: kg_spark.paths.engine.has_index, bound likewise.

    Raises:
        ConfigError: the engine knows no such ranker, or a relation or type to exclude is not in the graph.
    """
    if config.ranker == "learned" and config.engine == "graphframes":
        raise ConfigError("paths.ranker=learned needs paths.engine=csr")
    _check_excluded(nodes, edges, config)
    pairs = _pairs(screened, links, nodes, config).persist()
    engine, why = choose_engine(nodes, edges, config, has_index=has_index)
    apart = _with_around(pairs.where("source != target"), nodes, config)
    if engine == "csr":
        found = _by_csr(apart, nodes, open_csr(nodes, edges), config).persist()
    else:
        found = _by_graphframes(apart, nodes, edges, config).persist()
    missing = (F.size("paths") == 0) & ~F.col("truncated")
    paths = found.where(~missing).select(
        *PATHS.key,
        "truncated",
        F.lit(ranker_name(config.ranker)).alias("ranker"),
        _with_ids(F.col("paths")).alias("paths"),
        F.lit(kg_version).alias("kg_version"),
    )
    rejects = _rejects(pairs.where("source = target"), Reason.SAME_NODE, nodes)
    rejects = rejects.union(_rejects(found.where(missing), Reason.NO_PATH, nodes))
    return Outcome(
        tables={"paths": paths},
        rejects=rejects,
        units_in=pairs.count(),
        facts={"kg_version": kg_version},
        notices=(f"engine {engine}: {why}",),
    )


def _check_excluded(nodes: DataFrame, edges: DataFrame, config: PathsConfig) -> None:
    """Refuse names that the graph does not have: a misspelt one would exclude nothing, and nobody would see it.

    Raises:
        ConfigError: paths.exclude_relations or paths.exclude_types names what is not in the graph.
    """
    for key, named, frame, columns in (
        ("exclude_relations", config.exclude_relations, edges, ("relation", "predicate")),
        ("exclude_types", config.exclude_types, nodes, ("type",)),
    ):
        if named:
            rows = frame.select(*columns).distinct().collect()
            known = {value for row in rows for value in row if value is not None}
            if unknown := sorted(set(named) - known):
                raise ConfigError(f"paths.{key}: '{unknown[0]}' is not in the graph; it has {', '.join(sorted(known))}")


def _with_around(pairs: DataFrame, nodes: DataFrame, config: PathsConfig) -> DataFrame:
    """Add `around` where a rule asks for it: kg_spark.paths.search.Ask.around of each pair, never null."""
    if not (config.avoid_rivals or config.drop_direct):
        return pairs
    numbers = nodes.select(F.col("node_id").alias("id"), "number")
    goals = pairs.select("question_id", "option_key", F.col("target").alias("id")).distinct().join(numbers, "id")
    rivals = goals.select("question_id", F.col("option_key").alias("theirs"), (2 * F.col("number")).alias("word"))
    starts = pairs.select("question_id", F.col("source").alias("id")).distinct().join(numbers, "id")
    peers = starts.select("question_id", F.col("id").alias("theirs"), (2 * F.col("number") + 1).alias("word"))
    words = []
    if config.avoid_rivals:
        words.append(pairs.join(rivals, "question_id").where("theirs != option_key").select(*PATHS.key, "word"))
    if config.drop_direct:
        words.append(pairs.join(peers, "question_id").where("theirs != source").select(*PATHS.key, "word"))
    both = reduce(DataFrame.union, words)
    # Falling, so that of the two words of one node the stronger, 2 * node, is read last.
    around = both.groupBy(*PATHS.key).agg(
        F.sort_array(F.collect_set(F.col("word").cast("int")), asc=False).alias("around")
    )
    return pairs.join(around, [*PATHS.key], "left").withColumn(
        "around", F.coalesce("around", F.array().cast("array<int>"))
    )


def _pairs(screened: DataFrame, links: DataFrame, nodes: DataFrame, config: PathsConfig) -> DataFrame:
    """PATHS' key, and keep: how many paths the pair may have."""
    generic = nodes.where("generic").select("node_id")
    ends = links.join(screened.select("question_id"), "question_id", "left_semi").join(generic, "node_id", "left_anti")
    said = ends.where("side = 'question'").where(~F.coalesce("assertion", F.lit("")).isin(*NEGATIVE))
    starts = said.select("question_id", F.col("node_id").alias("source")).distinct()
    goals = ends.where("side != 'question'").withColumnRenamed("node_id", "target")
    keep = F.when(F.col("side") == "answer", config.top_k).otherwise(config.option_top_k).cast("int")
    return starts.join(goals.select(*_GOAL).distinct(), "question_id").select(*PATHS.key, keep.alias("keep"))


def _by_csr(pairs: DataFrame, nodes: DataFrame, open_index: Callable[[], Index], config: PathsConfig) -> DataFrame:
    """The pairs with `truncated` and `paths`, from the compiled search."""
    for end in ("source", "target"):
        numbers = nodes.select(F.col("node_id").alias(end), F.col("number").alias(f"{end}_number"))
        pairs = pairs.join(numbers, end, "left")
    numbered = pairs.fillna(-1, ["source_number", "target_number"])
    # Equal pairs meet in one batch, where they are searched once. The number is stated: pairs are small, so Spark's own
    # rule, by bytes, would make it one task.
    order = ["source_number", "target_number", "keep"]
    tasks = max(1, math.ceil(pairs.count() / _PAIRS_PER_TASK))
    spread = numbered.repartition(tasks, *order[:2]).sortWithinPartitions(*order)
    kept = [field for field in spread.schema.fields if field.name != "around"]
    schema = StructType([*kept, *struct_type(SEARCHED).fields])
    return spread.mapInArrow(partial(search_batches, open_index=open_index, config=config), schema)


def _by_graphframes(pairs: DataFrame, nodes: DataFrame, edges: DataFrame, config: PathsConfig) -> DataFrame:
    """The pairs with `truncated` and `paths`, from joins."""
    if "around" not in pairs.columns:
        pairs = pairs.withColumn("around", F.array().cast("array<int>"))
    found = graphframes.search(pairs.select(*graphframes.PAIR).distinct(), nodes, edges, config)
    joined = pairs.join(found, [*graphframes.PAIR], "left").drop("around")
    return joined.withColumns({"truncated": F.lit(False), "paths": F.coalesce("paths", F.array())})


def _with_ids(paths: Column) -> Column:
    """list<BARE_PATH> as list<PATH>: conf.identity.path_id, computed in the JVM."""
    names = [field.name for field in BARE_PATH]
    return F.transform(
        paths, lambda p: F.struct(digest(p["nodes"]).alias("path_id"), *[p[name].alias(name) for name in names])
    )


def _rejects(pairs: DataFrame, reason: Reason, nodes: DataFrame) -> DataFrame:
    """A row of `rejects` for each pair, with the names of its ends."""
    for end in ("source", "target"):
        names = nodes.select(F.col("node_id").alias(end), F.col("name").alias(f"{end}_name"))
        pairs = pairs.join(names, end, "left").fillna("?", [f"{end}_name"])
    return pairs.select(
        F.lit("pair").alias("entity"),
        F.concat_ws("|", *PATHS.key).alias("key"),
        F.lit(reason.name).alias("reason"),
        F.concat_ws(" - ", "source_name", "target_name").alias("detail"),
    )
