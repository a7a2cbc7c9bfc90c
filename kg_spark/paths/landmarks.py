"""steps, landmarks -> hops: how far every node is from the landmarks near it, all at once, through GraphFrames.

Every landmark has a bit of its own; in each round a node tells its neighbours which landmarks it knows
(aggregateMessages, one bit_or a word of 64 landmarks).

Why not shortestPaths: it has no bound and carries a map a node; 20 landmarks on PrimeKG's shape took 144 s, and they
would be walked to the rim of the graph where two hops are enough.
"""

import math
from collections.abc import Iterator
from functools import reduce

from graphframes import GraphFrame
from graphframes.lib import AggregateMessages
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_WORD = 64
_BLOCK = 1024
"""Landmarks of one sweep: 16 words a node."""


def ends_of(pairs: DataFrame) -> list[str]:
    """The node ids at either end of `pairs` (source, target), each once."""
    ends = pairs.select("source").union(pairs.select("target")).distinct()
    return sorted(row["source"] for row in ends.collect())


def distances(nodes: DataFrame, steps: DataFrame, landmarks: list[str], *, rounds: int) -> DataFrame:
    """Hops between landmarks and the nodes that lie within `rounds` of them: landmark, node, hops."""
    # A pair of neighbours once: messages go both ways along it.
    links = steps.where("here < there").select(F.col("here").alias("src"), F.col("there").alias("dst"))
    blocks = [landmarks[first : first + _BLOCK] for first in range(0, len(landmarks), _BLOCK)]
    nowhere = nodes.sparkSession.createDataFrame([], "landmark string, node string, hops int")
    return reduce(DataFrame.union, (each for block in blocks for each in _sweep(nodes, links, block, rounds)), nowhere)


def _sweep(nodes: DataFrame, links: DataFrame, landmarks: list[str], rounds: int) -> Iterator[DataFrame]:
    """What each round learns, the first that a landmark is at itself; as `distances`."""
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
