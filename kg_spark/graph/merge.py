"""Nodes of each source -> nodes of the graph: merged by CURIE, by declared cross-references and, where asked, by name.

A cross-reference of an id with several targets in one source merges nothing and is listed, for which of them is meant
nobody has said; several ids may have one target (MESH has an id for a drug and one for its salt, DrugBank one for
both). A shared name must be one to one. Merging is done on the driver with scipy: it looks at cross-references alone,
of which the largest ontologies have under a million.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_GROUPED = "MONDO_grouped:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The result of merging."""

    nodes: DataFrame
    """node_id, name, name_key, type, synonyms, xrefs, sources, merged_by, own_line, name_conflict, type_conflict."""
    moved: DataFrame
    """node_id, merged_id: only the ids that were given up."""
    ambiguous: tuple[str, ...]
    """Cross-references that merged nothing because they have several targets, as `a|b`."""


def merge(
    session: SparkSession, nodes: DataFrame, xrefs: DataFrame, order: Sequence[str], *, merge_names: bool
) -> Merged:
    """Merge the nodes of several sources.

    Args:
        session: Spark.
        nodes: SourceNodes.nodes.
        xrefs: a, b: the id and what it is declared to mean.
        order: sources, the most trusted first.
        merge_names: also merge by name within a type.
    """
    moved: dict[str, tuple[str, str]] = {}
    ambiguous: list[str] = []
    if len(order) > 1:
        for rule, pairs in _candidates(nodes, xrefs, merge_names=merge_names):
            found, unclear = _settle(pairs, order, moved)
            moved |= {old: (new, rule) for old, new in found.items()}
            ambiguous += unclear
    rows = [(old, _end(moved, old), rule) for old, (_, rule) in sorted(moved.items())]
    table = session.createDataFrame(rows, "node_id string, merged_id string, rule string")
    return Merged(
        nodes=_fold(nodes, table, order).localCheckpoint(),
        moved=table.select("node_id", "merged_id"),
        ambiguous=tuple(sorted(set(ambiguous))),
    )


def _end(moved: dict[str, tuple[str, str]], node: str) -> str:
    while node in moved:
        node = moved[node][0]
    return node


Pair = tuple[str, str, str, str]
"""source and node_id of what refers, source and node_id of its target."""


def _candidates(nodes: DataFrame, xrefs: DataFrame, *, merge_names: bool) -> list[tuple[str, list[Pair]]]:
    one, other = nodes.alias("one"), nodes.alias("other")
    own = nodes.select(F.col("node_id").alias("a"), F.explode("xrefs").alias("b"))
    declared = xrefs.select("a", "b").unionByName(own)
    declared = declared.where(~F.col("a").startswith(_GROUPED) & ~F.col("b").startswith(_GROUPED))
    by_xref = (
        declared.where("a <> b")
        .distinct()
        .join(one, F.col("one.node_id") == F.col("a"))
        .join(other, F.col("other.node_id") == F.col("b"))
    )
    found = [("xref", _collect(by_xref))]
    if merge_names:
        same = (F.col("one.type") == F.col("other.type")) & (F.col("one.name_key") == F.col("other.name_key"))
        found.append(("name", _collect(one.join(other, same & (F.col("one.node_id") != F.col("other.node_id"))))))
    return found


def _collect(joined: DataFrame) -> list[Pair]:
    across = joined.where(F.col("one.source") != F.col("other.source"))
    rows = across.select("one.source", "one.node_id", "other.source", "other.node_id").distinct().collect()
    return sorted((row[0], row[1], row[2], row[3]) for row in rows)


def _settle(
    pairs: Sequence[Pair], order: Sequence[str], before: dict[str, tuple[str, str]]
) -> tuple[dict[str, str], list[str]]:
    """The ids that give way, and the pairs whose target is not clear."""
    targets: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for source, a, target, b in pairs:
        targets[source, a, target].add(b)
    clear: list[Pair] = []
    unclear: list[Pair] = []
    for source, a, target, b in pairs:
        (clear if len(targets[source, a, target]) == 1 else unclear).append((source, a, target, b))
    found: dict[str, str] = {}
    for members, among in _groups(clear):
        meant = {(target, b) for _, _, target, b in among}
        if len({target for target, _ in meant}) < len(meant):
            unclear += among
            continue
        ranked = sorted({(order.index(source), node) for source, node in members})
        keep = _end(before, ranked[0][1])
        found |= {node: keep for _, node in ranked if node != keep and node not in before}
    return found, [f"{a}|{b}" for _, a, _, b in unclear]


def _groups(pairs: Sequence[Pair]) -> list[tuple[list[tuple[str, str]], list[Pair]]]:
    """Connected groups of (source, node_id), each with the pairs inside it; a CURIE two sources share joins them too."""
    ids = sorted({node for _, a, _, b in pairs for node in (a, b)})
    number = {node: n for n, node in enumerate(ids)}
    if not ids:
        return []
    ends = np.array([(number[a], number[b]) for _, a, _, b in pairs])
    weights = np.ones(len(ends), dtype=np.int8)
    graph = coo_array((weights, (ends[:, 0], ends[:, 1])), shape=(len(ids), len(ids)))
    _, labels = connected_components(graph, directed=False)
    members: dict[int, set[tuple[str, str]]] = defaultdict(set)
    inside: dict[int, list[Pair]] = defaultdict(list)
    for pair in pairs:
        label = int(labels[number[pair[1]]])
        members[label] |= {(pair[0], pair[1]), (pair[2], pair[3])}
        inside[label].append(pair)
    return [(sorted(members[label]), inside[label]) for label in sorted(members)]


def _fold(nodes: DataFrame, moved: DataFrame, order: Sequence[str]) -> DataFrame:
    """One row a merged id: name and type of the most trusted source, all other names as synonyms."""
    ranks = F.create_map(*[F.lit(part) for rank, name in enumerate(order) for part in (name, rank)])
    placed = (
        nodes.join(F.broadcast(moved), "node_id", "left")
        .withColumn("merged_id", F.coalesce("merged_id", "node_id"))
        .withColumn("rank", ranks[F.col("source")])
    )
    best = F.struct("rank", "node_id", "name", "name_key", "type")
    names = F.array_union(F.flatten(F.collect_list("synonyms")), F.collect_list("name"))
    grouped = placed.groupBy("merged_id").agg(
        F.min(best).alias("best"),
        F.array_sort(names).alias("names"),
        F.flatten(F.collect_list("xrefs")).alias("xrefs"),
        F.collect_set("node_id").alias("ids"),
        F.array_sort(F.collect_set(F.struct("rank", "source"))).getField("source").alias("sources"),
        F.collect_set("rule").alias("rules"),
        F.max("own_line").alias("own_line"),
        (F.count_distinct("name_key") > 1).alias("name_conflict"),
        (F.count_distinct("type") > 1).alias("type_conflict"),
    )
    met = F.when(F.size("sources") > F.size("ids"), F.array(F.lit("curie"))).otherwise(_empty())
    return grouped.select(
        F.col("merged_id").alias("node_id"),
        "best.name",
        "best.name_key",
        "best.type",
        F.array_except("names", F.array("best.name")).alias("synonyms"),
        F.array_sort(F.array_except(F.array_union("xrefs", "ids"), F.array("merged_id"))).alias("xrefs"),
        "sources",
        F.array_join(F.array_sort(F.array_union(met, "rules")), "+").alias("merged_by"),
        "own_line",
        "name_conflict",
        "type_conflict",
    )


def _empty() -> Column:
    return F.array().cast("array<string>")
