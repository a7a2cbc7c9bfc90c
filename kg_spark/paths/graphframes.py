"""pairs, nodes, edges -> pairs with their paths, through GraphFrames: csr's answers for graphs beyond a memory.

All pairs go in one job. Every end of a pair is a landmark (kg_spark.paths.landmarks), and half of max_hops rounds give all
distances that two searches need to meet. Then, for one length after the other, joins walk from the node in the middle
back to the source and on to the target, one hop each, never to a node from which the end is out of reach. A pair is done
`slack` lengths after its first path. There is no `max_expansions` here: every simple path of the lengths asked for is
listed before the best are kept, so nothing is ever truncated, and slack costs disk.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.config import PathsConfig
from kg_spark.paths.arrow import COST_UNIT
from kg_spark.paths.graph_columns import RELATION
from kg_spark.paths.landmarks import distances, ends_of
from kg_spark.paths.rules import DELTA, hub_limit

PAIR = ("source", "target", "keep", "around")

_RULES = ("edge_id", "forward", "cost", "class", "end_only", "hub_here", "hub_there")
"""What a step knows of each of its edges; class as in kg_spark.paths.rules."""


def search(pairs: DataFrame, nodes: DataFrame, edges: DataFrame, config: PathsConfig) -> DataFrame:
    """The cheapest simple paths of each pair, by (cost, hops, nodes), as kg_spark.paths.search.search gives them.

    Args:
        pairs: source, target (node ids), keep (how many paths at most), around (Ask.around); distinct, source and target
            differ.
        nodes: node_id, number, type.
        edges: edge_id, src, dst, symmetric, cost and RELATION.
        config: how far, and by which rules.

    Returns:
        PAIR, paths (list<BARE_PATH>); no row where a pair has none.
    """
    both = _both_ways(edges, config)
    walks = edges.where("src != dst").select(F.explode(F.array("src", "dst")).alias("node_id")).groupBy("node_id")
    there = nodes.join(walks.agg(F.count("*").alias("walks")), "node_id").select(
        F.col("node_id").alias("there"), F.col("number").alias("there_number"), _barred(config).alias("barred")
    )
    here = nodes.select(F.col("node_id").alias("here"), F.col("number").alias("here_number"))
    steps = both.groupBy("here", "there").agg(F.collect_list(F.struct(*_RULES)).alias("edges"))
    steps = steps.join(there, "there").join(here, "here").localCheckpoint()
    near = distances(nodes, steps, ends_of(pairs), rounds=math.ceil(config.max_hops / 2)).localCheckpoint()
    found: list[DataFrame] = []
    for hops in range(1, config.max_hops + 1):
        active = _active(pairs, found, hops, config.slack)
        found.append(_of_length(active, steps, near, hops, config).localCheckpoint())
    return _nested(_best(reduce(DataFrame.union, found)), steps, config)


def _active(pairs: DataFrame, found: Sequence[DataFrame], hops: int, slack: int) -> DataFrame:
    """Pairs that have no path yet, or whose shortest is at most `slack` hops shorter than `hops`."""
    if hops - 1 <= slack:
        return pairs
    done = reduce(DataFrame.union, found[: hops - 1 - slack]).select(*PAIR).distinct()
    return pairs.join(done, [*PAIR], "left_anti")


def _both_ways(edges: DataFrame, config: PathsConfig) -> DataFrame:
    """Every edge that the rules know, walked either way: here, there and _RULES."""
    clinical = config.semantics == "clinical"
    ends = edges.where("src != dst").withColumn("star", F.concat_ws("|", *RELATION))
    along = F.when(F.col("symmetric"), 0).otherwise(1)
    there = ends.select(F.col("src").alias("here"), F.col("dst").alias("there"), F.lit(True).alias("forward"),
                        along.alias("way"), F.lit("src").alias("near"), F.lit("dst").alias("far"), "*")  # fmt: skip
    back = ends.select(F.col("dst").alias("here"), F.col("src").alias("there"), F.col("symmetric").alias("forward"),
                       (2 * along).alias("way"), F.lit("dst").alias("near"), F.lit("src").alias("far"), "*")  # fmt: skip
    both = there.union(back)
    if clinical:
        both = _with_hubs(both, config)
        trait = 2 * (F.col("no_passage") == F.col("near")).cast("int") + (F.col("no_passage") == F.col("far")).cast(
            "int"
        )
        kind = 4 * F.col("way") + F.when(F.col("symmetric"), 0).otherwise(trait)
        both = both.withColumn("class", kind).withColumn("end_only", ~F.col("may_carry"))
    else:
        nothing = {name: F.lit(False) for name in ("end_only", "hub_here", "hub_there")}
        both = both.withColumns({**nothing, "class": F.lit(0)})
    excluded = F.col("relation").isin(config.exclude_relations) | F.col("predicate").isin(config.exclude_relations)
    kept = both.where(~excluded) if config.exclude_relations else both
    return kept.select("here", "there", *_RULES)


def _with_hubs(both: DataFrame, config: PathsConfig) -> DataFrame:
    """Add hub_here and hub_there: the node has more such edges than kg_spark.paths.rules.hub_limit allows."""
    degrees = both.groupBy("here", "star", "way").agg(F.count("*").alias("degree")).localCheckpoint()
    counted = degrees.groupBy("star", "way", "degree").count().collect()
    limits = []
    for star, way in sorted({(row["star"], row["way"]) for row in counted}):
        each = [(row["degree"], row["count"]) for row in counted if (row["star"], row["way"]) == (star, way)]
        limits.append(
            (star, way, hub_limit(np.repeat(*np.array(each, np.int64).T), config.hub_quantile, config.hub_floor))
        )
    limit = F.broadcast(both.sparkSession.createDataFrame(limits, "star string, way int, most long"))
    hubs = degrees.join(limit, ["star", "way"]).where("degree > most").select("here", "star", "way")
    mine = hubs.withColumn("hub_here", F.lit(True))
    # Seen from the other end an edge that runs along runs against.
    turned = F.when(F.col("way") == 0, 0).otherwise(3 - F.col("way"))
    theirs = hubs.select(F.col("here").alias("there"), "star", turned.alias("way"), F.lit(True).alias("hub_there"))
    joined = both.join(mine, ["here", "star", "way"], "left").join(theirs, ["there", "star", "way"], "left")
    return joined.fillna(False, ["hub_here", "hub_there"])


def _barred(config: PathsConfig) -> Column:
    """Whether a path may not pass through a node, of `type` and `walks` edges."""
    barred = F.col("type").isin(config.exclude_types) if config.exclude_types else F.lit(False)
    return barred | (F.col("walks") > config.max_degree) if config.max_degree else barred


def _of_length(active: DataFrame, steps: DataFrame, near: DataFrame, hops: int, config: PathsConfig) -> DataFrame:
    """All paths of one length that the rules let stand: PAIR, nodes, cost, hops."""
    back = math.ceil(hops / 2)
    to_source = near.where(F.col("hops") <= back).select(F.col("landmark").alias("source"), "node")
    to_target = near.where(F.col("hops") <= hops - back).select(F.col("landmark").alias("target"), "node")
    found = active.join(to_source, "source").join(to_target, ["target", "node"])
    inside = ~F.col("node").isin(F.col("source"), F.col("target")) if hops > 1 else F.col("node") == F.col("target")
    found = found.where(inside).select(
        *PAIR,
        F.array("node").alias("nodes"),
        F.array().cast("array<array<struct<class:int,cost:int>>>").alias("prices"),
    )
    for left in range(back - 1, -1, -1):
        found = _walk(found, steps, near, "source", left, config)
    for left in range(hops - back - 1, -1, -1):
        found = _walk(found, steps, near, "target", left, config)
    cost = F.udf(_least, "bigint", useArrow=False)("prices")
    return (
        found.withColumn("cost", cost)
        .where("cost is not null")
        .select(*PAIR, "nodes", "cost", F.lit(hops).alias("hops"))
    )


def _walk(found: DataFrame, steps: DataFrame, near: DataFrame, end: str, left: int, config: PathsConfig) -> DataFrame:
    """One hop nearer to an end of the pair, to nodes with at most `left` hops to go."""
    back = end == "source"
    tip, new = ("there", "here") if back else ("here", "there")
    reach = near.where(F.col("hops") <= left).select(F.col("landmark").alias(end), F.col("node").alias(new))
    moved = (
        found.withColumn(tip, F.element_at("nodes", 1 if back else -1))
        .join(steps, tip)
        .join(reach, [end, new])
        .where(~F.array_contains("nodes", F.col(new)))
        .where(F.col(new) == F.col(end) if left == 0 else ~F.col(new).isin(F.col("source"), F.col("target")))
    )
    taken = F.transform(
        F.filter("edges", _open(config)), lambda e: F.struct(e["class"].alias("class"), e["cost"].alias("cost"))
    )
    moved = moved.where(_passes(config)).withColumn("taken", taken).where("size(taken) > 0")
    nodes = F.concat(F.array(new), "nodes") if back else F.concat("nodes", F.array(new))
    prices = F.concat(F.array("taken"), "prices") if back else F.concat("prices", F.array("taken"))
    return moved.select(*PAIR, nodes.alias("nodes"), prices.alias("prices")).localCheckpoint()


def _ends(name: str) -> Column:
    return F.col(name).isin(F.col("source"), F.col("target"))


def _open(config: PathsConfig) -> Callable[[Column], Column]:
    """Whether an edge of the step from here to there may be taken, whatever the others are."""

    def stands(edge: Column) -> Column:
        fits = ~edge["end_only"] | _ends("here") | _ends("there")
        fits &= (~edge["hub_here"] | _ends("here")) & (~edge["hub_there"] | _ends("there"))
        return fits & edge["forward"] if config.directed else fits

    return stands


def _passes(config: PathsConfig) -> Column:
    """Whether the step's nodes may be walked by this pair."""
    blocked = F.array_contains("around", 2 * F.col("there_number"))
    passes = _ends("there") | ~(F.col("barred") | blocked)
    passes &= _ends("here") | ~F.array_contains("around", 2 * F.col("here_number"))
    if config.drop_direct:
        passes &= ~(_ends("here") & _ends("there"))
    peer = [F.array_contains("around", 2 * F.col(f"{end}_number") + 1) for end in ("here", "there")]
    return passes & ~((F.col("there") == F.col("target")) & peer[0]) & ~((F.col("here") == F.col("target")) & peer[1])


def _least(prices: list[list[tuple[int, int]]]) -> int | None:
    """The least sum over choices of one edge a step that the automaton accepts; none where there is no such choice."""
    sums = {0: 0}
    for step in prices:
        after: dict[int, int] = {}
        for state, total in sums.items():
            for kind, cost in step:
                to = int(DELTA[state, kind])
                if to >= 0:
                    after[to] = min(after.get(to, total + cost), total + cost)
        sums = after
    return min(sums.values(), default=None)


def _best(found: DataFrame) -> DataFrame:
    """The `keep` best of each pair by (cost, hops, nodes), with their rank from 1."""
    order = Window.partitionBy(*PAIR).orderBy("cost", "hops", "nodes")
    return found.withColumn("rank", F.row_number().over(order)).where("rank <= keep")


def _nested(found: DataFrame, steps: DataFrame, config: PathsConfig) -> DataFrame:
    """One row a pair: PAIR, paths, with all edges of each step that the rules leave open, ordered by edge_id."""
    hop = F.explode(F.sequence(F.lit(1), F.col("hops"))).alias("hop")
    stepped = found.select(*PAIR, "rank", "nodes", "cost", "hops", hop)
    ends = {"here": F.col("nodes")[F.col("hop") - 1], "there": F.col("nodes")[F.col("hop")]}
    open_edges = F.sort_array(F.filter("edges", _open(config))).alias("edges")
    step = stepped.withColumns(ends).join(steps, ["here", "there"])
    path = step.select(*PAIR, "rank", "nodes", "cost", "hops", "hop", open_edges)
    paths = path.groupBy(*PAIR, "rank", "nodes", "cost", "hops")
    listed = paths.agg(F.sort_array(F.collect_list(F.struct("hop", "edges"))).alias("steps")).select(
        *PAIR,
        F.struct(
            "rank",
            "nodes",
            F.expr("transform(steps, s -> s.edges.edge_id)").alias("edges"),
            F.expr("transform(steps, s -> s.edges.forward)").alias("forward"),
            F.col("hops").cast("int").alias("hops"),
            F.col("cost").cast("long").alias("cost"),
            (-F.col("cost") / F.lit(COST_UNIT)).alias("score"),
        ).alias("path"),
    )
    ordered = F.sort_array(F.collect_list("path"))
    kept = F.transform(ordered, lambda p: F.struct(*[p[name].alias(name) for name in _FIELDS]))
    return listed.groupBy(*PAIR).agg(kept.alias("paths"))


_FIELDS = ("nodes", "edges", "forward", "hops", "cost", "rank", "score")
