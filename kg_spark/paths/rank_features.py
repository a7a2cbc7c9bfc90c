"""paths as node numbers -> features: what a ranker may know of a path, in integers.

It knows types, relations and degrees, never which node or edge it looks at. Two kinds of features: *patterns*, the
n-grams of steps (a step is predicate and direction between two node types) as 64-bit keys made from their text, so that
they mean the same on every graph; each stands a second time with the predicate backed off to (kind, polarity), which
graphs with other predicates share. Amounts are patterns too, in steps of a power of two or half a natural logarithm, because
a weight a step bends where a measure's one weight cannot (MRR 0.441 with them, 0.429 without). And *measures*, MEASURES below,
in 1/65536. All arithmetic is on integers, logarithms
included (linear between powers of two), so every machine and every split of the pairs gives the same bytes.

Source: relation and type sequences, Lao & Cohen 2010 (PRA); degrees, Himmelstein & Baranzini 2015.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

I16 = NDArray[np.int16]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

MEASURES = (
    "hops",
    "one_over_shortest",
    "two_over_shortest",
    "cost",
    "cost_over_best",
    "log_place",
    "dearest_step",
    "first_step",
    "last_step",
    "log_degrees",
    "log_degree_max",
    "log_degree_min",
    "leaves",
    "backward_steps",
    "turns",
    "sign_opposes",
    "sign_agrees",
    "unsigned_steps",
    "parallel_edges",
    "contraindicated",
    "must_not_carry",
    "distinct_types",
)
"""Of a path: hops, and whether one or two more than the shortest of its pair's pool; path-degree product cost, over the pool's
least, log2 of its place in the pool by it, cost of the dearest, first and last step; degrees of interior nodes (log2; how many
have at most two edges); steps against the edge's direction, changes of direction; composed polarity, steps without one; edges
beside the one shown; edges that contraindicate or must not lie inside a path; distinct node types. How many of the pool's paths
share a node or step was tried and gave nothing (Hit@10 0.703 without, 0.695 with)."""

LEVELS = """
1 types and predicates in turn, ^ where the path starts, $ where it ends     5 type and log2 degree of an interior node
2 the same with kind and polarity for predicates                             6 log2 of the path's place in the pool by cost
3 the same with types alone                                                  7 its cost over the pool's least, in halves
4 predicate and cost of a step, in halves                                    8 hops, hops over the pool's fewest
"""
"""What the number that opens a pattern's text means."""

UNIT = 65536
_MOST_PATTERNS = 128
NUMBERS = 64
"""Amounts in patterns stop at 63."""
MOST_HOPS = 8
_SIGNS = {"+": 1, "-": -1, "0": 0, "contraindicated": 2}
_WAYS = ("", ">", "<", "=")


class Meaning(NamedTuple):
    """What the ranker reads of a relation (conf/relations.yaml), and `no_passage`, which the rules of a search read."""

    predicate: str
    kind: str
    polarity: str
    may_carry: bool
    no_passage: str = ""

    def words(self, way: int) -> tuple[str, str]:
        """A step's word with its predicate, and the one that is backed off to kind and polarity; `way` as in `step`."""
        return f"{_WAYS[way]}{'_'.join(self.predicate.split())}", f"{_WAYS[way]}{self.kind}({self.polarity})"


class RankGraph(NamedTuple):
    """A graph as the ranker sees it; entries of a row sorted by (target, cost), as in kg_spark.paths.csr."""

    offsets: I64  # (n + 1)
    target: I32  # (entries)
    cost: I32  # (entries) 1/65536
    step: I16  # (entries) 4 * relation + direction
    node_type: I16  # (n)
    fine: U64  # (4 * relations) symbol of predicate and direction, by `step`
    coarse: U64  # (4 * relations) symbol of kind, polarity and direction
    sign: NDArray[np.int8]  # (4 * relations) 2 = contraindicated
    carries: NDArray[np.bool_]  # (4 * relations)
    symbol: U64  # (types)
    number: U64  # (NUMBERS) symbols of whole numbers


def rank_graph(
    offsets: I64,
    target: I32,
    cost: I32,
    step: I16,
    node_type: I16,
    *,
    types: Sequence[str],
    relations: Sequence[Meaning],
) -> RankGraph:
    """The arrays of an index with what its relations and types mean; `relations` by code."""
    words = [relation.words(way) for relation in relations for way in range(4)]
    each = [relation for relation in relations for _ in range(4)]
    return RankGraph(
        offsets=offsets,
        target=target,
        cost=cost,
        step=step,
        node_type=node_type,
        fine=symbols([fine for fine, _ in words]),
        coarse=symbols([coarse for _, coarse in words]),
        sign=np.array([_SIGNS[relation.polarity] for relation in each], np.int8),
        carries=np.array([relation.may_carry for relation in each], np.bool_),
        symbol=symbols(types),
        number=symbols([str(number) for number in range(NUMBERS)]),
    )


def symbols(texts: Sequence[str]) -> U64:
    """A 64-bit symbol a text; blanks in it count as `_`, for a blank parts the words of a pattern."""
    raw = b"".join(hashlib.sha256("_".join(text.split()).encode()).digest()[:8] for text in texts)
    return cast("U64", np.frombuffer(raw, "<u8").astype(np.uint64))


class Batch(NamedTuple):
    """The paths of some pairs: the first arrays of kg_spark.paths.search.Found."""

    pair_offsets: I32  # (pairs + 1)
    path_offsets: I32  # (paths + 1)
    nodes: I32
    cost: I64  # (paths)


class Memory(NamedTuple):
    """Working memory of one thread."""

    entry: I64  # (hops) first entry of each step of the path at hand
    label: I64  # (hops) `step` of the edge that stands for each step
    keys: U64  # (_MOST_PATTERNS)
    measures: I64  # (MEASURES)


def memory() -> Memory:
    """Memory for one thread, a few kB."""
    return Memory(
        entry=np.zeros(MOST_HOPS, np.int64),
        label=np.zeros(MOST_HOPS, np.int64),
        keys=np.zeros(_MOST_PATTERNS, np.uint64),
        measures=np.zeros(len(MEASURES), np.int64),
    )


class Ranker(NamedTuple):
    """What is learnt; weights in millionths of a logit."""

    keys: U64  # (slots) pattern keys, an open hash table; 0 = free
    weights: I64  # (slots)
    measures: I64  # (MEASURES) weight of one
