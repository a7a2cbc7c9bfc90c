"""paths as node numbers -> features: what a ranker may know of a path, in integers.

It knows types, relations and degrees, never which node or edge it looks at. Two kinds of features: *patterns*, the
n-grams of steps (a step is predicate and direction between two node types) as 64-bit keys made from their text, so that
they mean the same on every graph; each stands a second time with the predicate backed off to (kind, polarity), which
graphs with other predicates share. And *measures*, MEASURES below, in 1/65536. All arithmetic is on integers, logarithms
included (linear between powers of two), so every machine and every split of the pairs gives the same bytes.

Source: relation and type sequences, Lao & Cohen 2010 (PRA); degrees, Himmelstein & Baranzini 2015.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

I16 = NDArray[np.int16]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

F = TypeVar("F", bound=Callable[..., Any])

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

UNIT = 65536
_MOST_PATTERNS = 128
_MOST_HOPS = 8
_SIGNS = {"+": 1, "-": -1, "0": 0, "contraindicated": 2}
_WAYS = ("", ">", "<", "=")


class Meaning(NamedTuple):
    """What the ranker reads of a relation (conf/relations.yaml)."""

    predicate: str
    kind: str
    polarity: str
    may_carry: bool

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
    )


def symbols(texts: Sequence[str]) -> U64:
    """A 64-bit symbol a text; blanks in it count as `_`, for a blank parts the words of a pattern."""
    raw = b"".join(hashlib.sha256("_".join(text.split()).encode()).digest()[:8] for text in texts)
    return cast("U64", np.frombuffer(raw, "<u8").astype(np.uint64))


def compiled(function: F) -> F:
    """The function in machine code, without the interpreter's lock, kept on disk between processes."""
    return cast("F", numba.njit(nogil=True, cache=True)(function))


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
        entry=np.zeros(_MOST_HOPS, np.int64),
        label=np.zeros(_MOST_HOPS, np.int64),
        keys=np.zeros(_MOST_PATTERNS, np.uint64),
        measures=np.zeros(len(MEASURES), np.int64),
    )


@compiled
def _log2(x: int) -> int:
    """Log2 in 1/65536, linear between powers of two; 0 for x < 2."""
    whole = 0
    while (x >> (whole + 1)) > 0:
        whole += 1
    return whole * UNIT + ((x * UNIT) >> whole) - UNIT if x > 1 else 0


@compiled
def _first_entry(g: RankGraph, u: int, v: int) -> int:
    low, high = g.offsets[u], g.offsets[u + 1]
    while low < high:
        middle = (low + high) >> 1
        if g.target[middle] < v:
            low = middle + 1
        else:
            high = middle
    return int(low)


@compiled
def read_steps(g: RankGraph, w: Memory, nodes: I32, first: int, hops: int) -> int:
    """Fill `entry` and `label`; how many edges stand beside those shown.

    The cheapest edge stands for its step; of equals the one with the smaller symbol, so that ids decide nothing.
    """
    beside = 0
    for i in range(hops):
        u, v = nodes[first + i], nodes[first + i + 1]
        entry = _first_entry(g, u, v)
        w.entry[i] = entry
        best = g.step[entry]
        other = entry + 1
        while other < g.offsets[u + 1] and g.target[other] == v:
            beside += 1
            if g.cost[other] == g.cost[entry] and g.fine[g.step[other]] < g.fine[best]:
                best = g.step[other]
            other += 1
        w.label[i] = best
    return beside


@compiled
def mix(key: np.uint64, part: np.uint64) -> np.uint64:
    """A key with one more part (64-bit multiplication, as `pattern_key` does it in Python)."""
    key = (key ^ part) * np.uint64(0x9E3779B97F4A7C15)
    return np.uint64(key ^ (key >> np.uint64(29)))


@compiled
def _patterns(g: RankGraph, w: Memory, nodes: I32, first: int, hops: int) -> int:
    """Fill `keys`; how many. Level 1 predicates, 2 kinds and polarities, 3 types alone; marks 1 start, 2 end, 3 whole."""
    count = 0
    for level in range(1, 4):
        for begin in range(hops):
            key = mix(np.uint64(level), g.symbol[g.node_type[nodes[first + begin]]])
            for end in range(begin, hops):
                if level == 1:
                    key = mix(key, g.fine[w.label[end]])
                elif level == 2:
                    key = mix(key, g.coarse[w.label[end]])
                key = mix(key, g.symbol[g.node_type[nodes[first + end + 1]]])
                mark = (1 if begin == 0 else 0) + (2 if end == hops - 1 else 0)
                if end - begin < 3:
                    w.keys[count] = key
                    count += 1
                if (end - begin < 3 and mark > 0) or mark == 3:
                    w.keys[count] = mix(key, np.uint64(mark))
                    count += 1
    return count


@compiled
def _measure_steps(g: RankGraph, w: Memory, hops: int) -> None:
    way, sign = 0, -2
    for i in range(hops):
        label = w.label[i]
        price = g.cost[w.entry[i]]
        w.measures[6] = max(w.measures[6], price)
        w.measures[7] = price if i == 0 else w.measures[7]
        w.measures[8] = price
        if (label & 3) != 3:
            w.measures[13] += UNIT * ((label & 3) == 2)
            w.measures[14] += UNIT * (way != 0 and way != (label & 3))
            way = label & 3
        value = g.sign[label]
        w.measures[17] += UNIT * (value == 0)
        w.measures[19] += UNIT * (value == 2)
        w.measures[20] += UNIT * (not g.carries[label])
        value = value if abs(value) == 1 else 0
        sign = value if sign == -2 else sign * value
    w.measures[15] = UNIT * (sign == -1)
    w.measures[16] = UNIT * (sign == 1)


@compiled
def _measure_nodes(g: RankGraph, w: Memory, nodes: I32, first: int, hops: int) -> None:
    least = 1 << 40
    seen = np.uint64(0)
    for i in range(hops + 1):
        seen |= np.uint64(1) << np.uint64(g.node_type[nodes[first + i]] & 63)
    while seen:
        w.measures[21] += UNIT
        seen &= seen - np.uint64(1)
    for i in range(1, hops):
        node = nodes[first + i]
        edges = g.offsets[node + 1] - g.offsets[node]
        degree = _log2(edges)
        w.measures[9] += degree
        w.measures[10] = max(w.measures[10], degree)
        least = min(least, degree)
        w.measures[12] += UNIT * (edges <= 2)
    w.measures[11] = least if hops > 1 else 0


@compiled
def describe(g: RankGraph, w: Memory, batch: Batch, pair: int, path: int, shortest: int, place: int) -> int:
    """Fill `keys` and `measures` for one path of a pair; how many keys.

    `shortest` is the fewest hops of the pair's paths, `place` the path's by cost, from 1, the same for equals.
    """
    first, begin = batch.path_offsets[path], batch.pair_offsets[pair]
    hops = batch.path_offsets[path + 1] - first - 1
    w.measures[:] = 0
    w.measures[18] = UNIT * read_steps(g, w, batch.nodes, first, hops)
    w.measures[0] = UNIT * hops
    w.measures[1] = UNIT * (hops == shortest + 1)
    w.measures[2] = UNIT * (hops >= shortest + 2)
    w.measures[3] = batch.cost[path]
    w.measures[4] = batch.cost[path] - batch.cost[begin]
    w.measures[5] = _log2(place)
    _measure_steps(g, w, hops)
    _measure_nodes(g, w, batch.nodes, first, hops)
    return _patterns(g, w, batch.nodes, first, hops)


@compiled
def shortest_of(batch: Batch, pair: int) -> int:
    """The fewest hops of a pair's paths."""
    least = _MOST_HOPS
    for path in range(batch.pair_offsets[pair], batch.pair_offsets[pair + 1]):
        least = min(least, batch.path_offsets[path + 1] - batch.path_offsets[path] - 1)
    return least


@compiled
def sequence(g: RankGraph, w: Memory, batch: Batch, path: int) -> np.uint64:
    """Key of the relation and type sequence of the path that `describe` has read last."""
    first = batch.path_offsets[path]
    key = g.symbol[g.node_type[batch.nodes[first]]]
    for i in range(batch.path_offsets[path + 1] - first - 1):
        key = mix(key, g.fine[w.label[i]])
        key = mix(key, g.symbol[g.node_type[batch.nodes[first + i + 1]]])
    return np.uint64(key)
