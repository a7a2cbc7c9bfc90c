"""graph arrays, paths -> features and scores, path by path, in compiled loops (rank_features says what they mean).

All compiled functions stand in this one file, because numba's cache on disk sees changes of a function's own file only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np

from kg_spark.paths.rank_features import MOST_HOPS, NUMBERS, UNIT

if TYPE_CHECKING:
    from kg_spark.paths.rank_features import I32, I64, U64, Batch, Memory, Ranker, RankGraph

F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    """The function in machine code, without the interpreter's lock, kept on disk between processes."""
    return cast("F", numba.njit(nogil=True, cache=True)(function))


@_compiled
def _log2(x: int) -> int:
    """Log2 in 1/65536, linear between powers of two; 0 for x < 2."""
    whole = 0
    while (x >> (whole + 1)) > 0:
        whole += 1
    return whole * UNIT + ((x * UNIT) >> whole) - UNIT if x > 1 else 0


@_compiled
def _first_entry(g: RankGraph, u: int, v: int) -> int:
    low, high = g.offsets[u], g.offsets[u + 1]
    while low < high:
        middle = (low + high) >> 1
        if g.target[middle] < v:
            low = middle + 1
        else:
            high = middle
    return int(low)


@_compiled
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


@_compiled
def _mix(key: np.uint64, part: np.uint64) -> np.uint64:
    """A key with one more part (64-bit multiplication, as `pattern_key` does it in Python)."""
    key = (key ^ part) * np.uint64(0x9E3779B97F4A7C15)
    return np.uint64(key ^ (key >> np.uint64(29)))


@_compiled
def _patterns(g: RankGraph, w: Memory, nodes: I32, first: int, hops: int) -> int:
    """Fill `keys`; how many. Level 1 predicates, 2 kinds and polarities, 3 types alone; marks 1 start, 2 end, 3 whole."""
    count = 0
    for level in range(1, 4):
        for begin in range(hops):
            key = _mix(np.uint64(level), g.symbol[g.node_type[nodes[first + begin]]])
            for end in range(begin, hops):
                if level == 1:
                    key = _mix(key, g.fine[w.label[end]])
                elif level == 2:
                    key = _mix(key, g.coarse[w.label[end]])
                key = _mix(key, g.symbol[g.node_type[nodes[first + end + 1]]])
                mark = (1 if begin == 0 else 0) + (2 if end == hops - 1 else 0)
                if end - begin < 3:
                    w.keys[count] = key
                    count += 1
                if (end - begin < 3 and mark > 0) or mark == 3:
                    w.keys[count] = _mix(key, np.uint64(mark))
                    count += 1
    return count


@_compiled
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


@_compiled
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


@_compiled
def _amounts(g: RankGraph, w: Memory, nodes: I32, first: int, hops: int, count: int) -> int:
    """Add to `keys` what patterns of steps leave out, levels 4 to 8 of LEVELS; how many there are now."""
    for i in range(hops):
        price = min(g.cost[w.entry[i]] >> 15, NUMBERS - 1)
        w.keys[count] = _mix(_mix(np.uint64(4), g.fine[w.label[i]]), g.number[price])
        count += 1
    for i in range(1, hops):
        node = nodes[first + i]
        degree = _log2(g.offsets[node + 1] - g.offsets[node]) >> 16
        w.keys[count] = _mix(_mix(np.uint64(5), g.symbol[g.node_type[node]]), g.number[degree])
        count += 1
    w.keys[count] = _mix(np.uint64(6), g.number[w.measures[5] >> 16])
    w.keys[count + 1] = _mix(np.uint64(7), g.number[min(w.measures[4] >> 15, NUMBERS - 1)])
    over = (w.measures[1] >> 16) + 2 * (w.measures[2] >> 16)
    w.keys[count + 2] = _mix(_mix(np.uint64(8), g.number[hops]), g.number[over])
    return count + 3


@_compiled
def _describe(g: RankGraph, w: Memory, batch: Batch, pair: int, path: int, shortest: int, place: int) -> int:
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
    return _amounts(g, w, batch.nodes, first, hops, _patterns(g, w, batch.nodes, first, hops))


@_compiled
def _shortest(batch: Batch, pair: int) -> int:
    """The fewest hops of a pair's paths."""
    least = MOST_HOPS
    for path in range(batch.pair_offsets[pair], batch.pair_offsets[pair + 1]):
        least = min(least, batch.path_offsets[path + 1] - batch.path_offsets[path] - 1)
    return least


@_compiled
def _sequence(g: RankGraph, w: Memory, batch: Batch, path: int) -> np.uint64:
    """Key of the relation and type sequence of the path that `describe` has read last."""
    first = batch.path_offsets[path]
    key = g.symbol[g.node_type[batch.nodes[first]]]
    for i in range(batch.path_offsets[path + 1] - first - 1):
        key = _mix(key, g.fine[w.label[i]])
        key = _mix(key, g.symbol[g.node_type[batch.nodes[first + i + 1]]])
    return np.uint64(key)


@_compiled
def _weight(model: Ranker, key: np.uint64) -> np.int64:
    slots = len(model.keys)
    slot = np.int64(key & np.uint64(slots - 1))
    while model.keys[slot] != 0:
        if model.keys[slot] == key:
            return np.int64(model.weights[slot])
        slot = (slot + 1) & (slots - 1)
    return np.int64(0)


@_compiled
def score_paths(g: RankGraph, w: Memory, batch: Batch, model: Ranker, score: I64, sequences: U64) -> None:
    """Write every path's score in millionths of a logit, and the key of its sequence of relations and types."""
    for pair in range(len(batch.pair_offsets) - 1):
        begin = batch.pair_offsets[pair]
        shortest, place = _shortest(batch, pair), 1
        for path in range(begin, batch.pair_offsets[pair + 1]):
            if path > begin and batch.cost[path] > batch.cost[path - 1]:
                place = path - begin + 1
            keys = _describe(g, w, batch, pair, path, shortest, place)
            total = np.int64(0)
            for i in range(len(w.measures)):
                total += model.measures[i] * w.measures[i]
            total >>= 16
            for i in range(keys):
                total += _weight(model, w.keys[i])
            score[path], sequences[path] = total, _sequence(g, w, batch, path)


@_compiled
def list_features(g: RankGraph, w: Memory, batch: Batch, keys: U64, counts: I64, measures: I64) -> int:
    """The features of every path, one path's keys after the other's; how many keys."""
    filled = 0
    for pair in range(len(batch.pair_offsets) - 1):
        begin = batch.pair_offsets[pair]
        shortest, place = _shortest(batch, pair), 1
        for path in range(begin, batch.pair_offsets[pair + 1]):
            if path > begin and batch.cost[path] > batch.cost[path - 1]:
                place = path - begin + 1
            counts[path] = _describe(g, w, batch, pair, path, shortest, place)
            for i in range(counts[path]):
                keys[filled + i] = w.keys[i]
            filled += counts[path]
            for i in range(len(w.measures)):
                measures[path, i] = w.measures[i]
    return filled
