"""pairs, nodes, edges -> pairs with their paths, through GraphFrames: csr's answers for graphs beyond a memory.

All pairs go in one job. Every end of a pair is a landmark with a bit of its own; in each round a node tells its
neighbours which landmarks it knows (aggregateMessages, one bit_or a word of 64 landmarks), so half of max_hops rounds
give all distances that two searches need to meet. Joins then walk back from where they met, one hop each.

Why not shortestPaths: it has no bound and carries a map a node; 20 landmarks on PrimeKG's shape took 144 s, and they
would be walked to the rim of the graph where two hops are enough. There is no `max_expansions` here: after each hop,
of the pieces with the same ends only the `keep` best stay, which loses no path that could be among the best, since what
is added to either end is the same for all of them. So nothing is ever truncated.
"""

import math
from collections.abc import Iterator
from functools import reduce

from graphframes import GraphFrame
from graphframes.lib import AggregateMessages
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from kg_spark.paths.arrow import COST_UNIT

_WORD = 64
_BLOCK = 1024
"""Landmarks of one sweep: 16 words a node."""

PAIR = ("source", "target", "keep")


def shortest(pairs: DataFrame, nodes: DataFrame, edges: DataFrame, *, max_hops: int) -> DataFrame:
    """The cheapest shortest paths of each pair, by (cost, hops, nodes); a step costs its cheapest edge.

    Args:
        pairs: source, target (node ids), keep (how many paths at most); distinct, source and target differ.
        nodes: node_id.
        edges: edge_id, src, dst, symmetric, cost.
        max_hops: longest path.

    Returns:
        source, target, keep, paths (list<BARE_PATH>); no row where a pair has none.
    """
    both = _both_ways(edges)
    steps = both.groupBy("here", "there").agg(F.min("cost").alias("cost")).persist()
    near = _distances(nodes, steps, _landmarks(pairs), rounds=math.ceil(max_hops / 2)).localCheckpoint()
    found = _meetings(pairs, near, max_hops)
    for _ in range(math.ceil(max_hops / 2)):
        found = _walk(found, steps, near, "source").localCheckpoint()
    for _ in range(max_hops // 2):
        found = _walk(found, steps, near, "target").localCheckpoint()
    return _nested(_best(found, *PAIR, name="rank"), both)


def _both_ways(edges: DataFrame) -> DataFrame:
    """Every edge walked either way: here, there, edge_id, forward, cost."""
    ends = edges.where("src != dst")
    there = ends.select(F.col("src").alias("here"), F.col("dst").alias("there"), "edge_id", F.lit(True), "cost")
    back = ends.select("dst", "src", "edge_id", "symmetric", "cost")
    return there.union(back).toDF("here", "there", "edge_id", "forward", "cost")


def _landmarks(pairs: DataFrame) -> list[str]:
    ends = pairs.select("source").union(pairs.select("target")).distinct()
    return sorted(row["source"] for row in ends.collect())


def _distances(nodes: DataFrame, steps: DataFrame, landmarks: list[str], *, rounds: int) -> DataFrame:
    """Hops between landmarks and the nodes that lie within `rounds` of them: landmark, node, hops."""
    # A pair of neighbours once: messages go both ways along it.
    links = steps.where("here < there").select(F.col("here").alias("src"), F.col("there").alias("dst"))
    blocks = [landmarks[first : first + _BLOCK] for first in range(0, len(landmarks), _BLOCK)]
    nowhere = nodes.sparkSession.createDataFrame([], "landmark string, node string, hops int")
    return reduce(DataFrame.union, (each for block in blocks for each in _sweep(nodes, links, block, rounds)), nowhere)


def _sweep(nodes: DataFrame, links: DataFrame, landmarks: list[str], rounds: int) -> Iterator[DataFrame]:
    """What each round learns, the first that a landmark is at itself; as `_distances`."""
    width = math.ceil(len(landmarks) / _WORD)
    rows = [(name, bit, _words(bit, width)) for bit, name in enumerate(landmarks)]
    bits = F.broadcast(nodes.sparkSession.createDataFrame(rows, "landmark string, bit int, words array<bigint>"))
    nothing = F.array_repeat(F.lit(0).cast("bigint"), width)
    known = nodes.select(F.col("node_id").alias("id")).join(bits, F.col("id") == F.col("landmark"), "left")
    known = known.select("id", F.coalesce("words", nothing).alias("known"))
    yield bits.select("landmark", F.col("landmark").alias("node"), F.lit(0).alias("hops"))
    for hops in range(1, rounds + 1):
        # Cut here, or every round computes all earlier ones three times.
        known = known.localCheckpoint()
        learnt = known.join(_heard(GraphFrame(known, links), width), "id").select(
            "id",
            "known",
            F.zip_with("heard", "known", lambda new, old: new.bitwiseAND(F.bitwise_not(old))).alias("news"),
        )
        learnt = learnt.where(F.exists("news", lambda word: word != 0)).localCheckpoint()
        yield _spelled(learnt).join(bits, "bit").select("landmark", "node", F.lit(hops).alias("hops"))
        known = known.join(learnt.select("id", "news"), "id", "left").select(
            "id", F.zip_with("known", F.coalesce("news", nothing), lambda old, new: old.bitwiseOR(new)).alias("known")
        )


def _words(bit: int, width: int) -> list[int]:
    """One bit set in `width` signed words."""
    value = 1 << bit % _WORD
    words = [0] * width
    words[bit // _WORD] = value - (1 << _WORD) if value >> (_WORD - 1) else value
    return words


def _heard(graph: GraphFrame, width: int) -> DataFrame:
    """One round: id, heard (words), for every node that has a neighbour.

    Words travel as one array: as a column each, the optimiser's constraints double with every column, and 16 of them
    kept it busy for minutes.
    """
    heard = F.array(*[F.bit_or(AggregateMessages.msg[word]) for word in range(width)]).alias("heard")
    told: DataFrame = graph.aggregateMessages(
        heard, sendToSrc=AggregateMessages.dst["known"], sendToDst=AggregateMessages.src["known"]
    )
    return told.select("id", "heard")


def _spelled(learnt: DataFrame) -> DataFrame:
    """One row a set bit: node, bit."""
    word = learnt.select(F.col("id").alias("node"), F.posexplode("news").alias("word", "value")).where("value != 0")
    places = F.expr(f"filter(sequence(0, {_WORD - 1}), place -> getbit(value, place) = 1)")
    place = word.select("node", "word", F.explode(places).alias("place"))
    return place.select("node", (F.col("word") * _WORD + F.col("place")).alias("bit"))


def _meetings(pairs: DataFrame, near: DataFrame, max_hops: int) -> DataFrame:
    """The nodes in the middle of each pair's shortest paths, as beginnings of paths: PAIR, nodes, cost, hops."""
    here = near.select(F.col("landmark").alias("source"), "node", F.col("hops").alias("to_source"))
    there = near.select(F.col("landmark").alias("target"), "node", F.col("hops").alias("to_target"))
    hops = F.col("to_source") + F.col("to_target")
    middle = pairs.join(here, "source").join(there, ["target", "node"])
    # Of each shortest path just the node half-way, nearer to the target where there are two.
    middle = middle.where((F.col("to_source") - F.col("to_target")).isin(0, 1) & (hops <= max_hops))
    least = F.min(hops).over(Window.partitionBy(*PAIR))
    nearest = middle.withColumn("hops", hops).withColumn("least", least).where("hops = least")
    nodes, cost = F.array("node").alias("nodes"), F.lit(0).cast("long").alias("cost")
    return nearest.select(*PAIR, nodes, cost, "to_source", "to_target")


def _walk(found: DataFrame, steps: DataFrame, near: DataFrame, end: str) -> DataFrame:
    """One hop nearer to an end of the pair, for the paths that have not reached it."""
    left, back = f"to_{end}", end == "source"
    tip = F.element_at("nodes", 1 if back else -1)
    nearer = near.select(F.col("landmark").alias(end), F.col("node").alias("there"), (F.col("hops") + 1).alias(left))
    moved = (
        found.where(F.col(left) > 0)
        .withColumn("here", tip)
        .join(steps.withColumnRenamed("cost", "price"), "here")
        .join(nearer, [end, "there", left])
        .withColumn("nodes", F.concat(F.array("there"), "nodes") if back else F.concat("nodes", F.array("there")))
        .withColumn("cost", F.col("cost") + F.col("price"))
        .withColumn(left, F.col(left) - 1)
    )
    both = found.where(F.col(left) == 0).unionByName(moved.select(*found.columns))
    return _best(both, *PAIR, F.element_at("nodes", 1), F.element_at("nodes", -1), name="place").drop("place")


def _best(found: DataFrame, *group: str | Column, name: str) -> DataFrame:
    """The `keep` best of each group by (cost, hops, nodes), with their place from 1."""
    order = Window.partitionBy(*group).orderBy("cost", F.size("nodes"), "nodes")
    return found.withColumn(name, F.row_number().over(order)).where(F.col(name) <= F.col("keep"))


def _nested(found: DataFrame, both: DataFrame) -> DataFrame:
    """One row a pair: PAIR, paths, with all edges of each step ordered by edge_id."""
    hops = F.size("nodes") - 1
    stepped = found.select(
        *PAIR, "rank", "nodes", "cost", hops.alias("hops"), F.explode(F.sequence(F.lit(1), hops)).alias("hop")
    )
    ends = {"here": F.col("nodes")[F.col("hop") - 1], "there": F.col("nodes")[F.col("hop")]}
    stepped = stepped.withColumns(ends)
    step = stepped.join(both.drop("cost"), ["here", "there"]).groupBy(*PAIR, "rank", "nodes", "cost", "hops", "hop")
    edges = F.sort_array(F.collect_list(F.struct("edge_id", "forward"))).alias("edges")
    path = step.agg(edges).groupBy(*PAIR, "rank", "nodes", "cost", "hops")
    paths = path.agg(F.sort_array(F.collect_list(F.struct("hop", "edges"))).alias("steps")).select(
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
    listed = F.transform(ordered, lambda p: F.struct(*[p[name].alias(name) for name in _FIELDS]))
    return paths.groupBy(*PAIR).agg(listed.alias("paths"))


_FIELDS = ("nodes", "edges", "forward", "hops", "cost", "rank", "score")
