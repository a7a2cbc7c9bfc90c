"""graph arrays, pairs -> flat arrays: the cheapest shortest paths of each pair, exactly, in compiled loops.

A pair is searched from both ends, always from the end whose frontier has fewer edges, until the two meet; on a graph of
PrimeKG's shape that touches some 4,000 edges a pair where a search from one end touches millions. What was met is
traced back into a small graph of arcs that lie on shortest paths, in layers; the cost left from each of its nodes is
known exactly, so the listing (depth first) leaves a branch as soon as it cannot beat the k-th best path. Arcs are
walked in the order of node numbers, hence of two paths of one cost the one listed first has the smaller nodes and
stays: the order (cost, hops, nodes) costs nothing, and every machine gives the same bytes.

Nothing is allocated for a pair: marks carry the pair's epoch, so they need no clearing. All compiled functions stand in
this one file, because numba's cache on disk sees changes of a function's own file only. Loops stand where a slice would
do: a slice assignment costs seconds of compilation.

Source: bidirectional search, Pohl 1971; bounded listing with exact remaining cost, Byers & Waterman 1984.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np

if TYPE_CHECKING:
    from kg_spark.paths.search import I32, I64, Found, Graph, Scratch

F = TypeVar("F", bound=Callable[..., Any])

# A mark is epoch + side + used + level; one int32 a node keeps the hot loop in the cache (0.5 MB for PrimeKG).
_USED = 16
_SIDE = 32
_EPOCH = 64
_LAST_EPOCH = 2**31 - 2 * _EPOCH
_MANY = 2**62


def _compiled(function: F) -> F:
    """The function in machine code, without the interpreter's lock, kept on disk between processes."""
    return cast("F", numba.njit(nogil=True, cache=True)(function))


@_compiled
def _frontier_edges(g: Graph, w: Scratch, side: int, depth: int) -> int:
    edges = 0
    for i in range(w.level[side, depth], w.level[side, depth + 1]):
        u = w.queue[side, i]
        edges += g.offsets[u + 1] - g.offsets[u]
    return edges


@_compiled
def _note(g: Graph, w: Scratch, arc: int, side: int, u: int, v: int, entry: int) -> None:
    """Keep the step between u and v, found in u's row, as an arc that leads towards the target."""
    w.tail[arc] = u if side == 0 else v
    w.head[arc] = v if side == 0 else u
    w.price[arc] = g.cost[entry]
    w.ref[arc] = 2 * entry + side


@_compiled
def _expand(g: Graph, w: Scratch, side: int, base: int, spent: int, budget: int) -> tuple[int, int]:
    """Walk one side's frontier one hop: arcs to the other side (none until they meet), edges touched.

    When they meet, every node of the other side stands in its outermost level: a nearer one would have met before.
    """
    depth = w.depth[side]
    fresh = base + side * _SIDE + depth + 1
    arcs, end = 0, w.level[side, depth + 1]
    for i in range(w.level[side, depth], w.level[side, depth + 1]):
        u = w.queue[side, i]
        spent += g.offsets[u + 1] - g.offsets[u]
        if spent > budget:
            break
        before = -1
        for e in range(g.offsets[u], g.offsets[u + 1]):
            v = g.target[e]
            if v == before:
                continue
            before = v
            mark = w.mark[v]
            if mark < base:
                w.mark[v] = fresh
                w.queue[side, end] = v
                end += 1
            elif (mark - base) // _SIDE != side:
                _note(g, w, arcs, side, u, v, e)
                arcs += 1
    w.level[side, depth + 2] = end
    return arcs, spent


@_compiled
def _meet(g: Graph, w: Scratch, s: int, t: int, base: int, max_hops: int, budget: int) -> tuple[int, int]:
    """Search from both ends until they meet: arcs that join the two sides, edges touched; `w.depth` says how far."""
    for side, end in ((0, s), (1, t)):
        w.mark[end] = base + side * _SIDE
        w.queue[side, 0] = end
        w.level[side, 0], w.level[side, 1] = 0, 1
        w.depth[side], w.edges[side] = 0, g.offsets[end + 1] - g.offsets[end]
    arcs = spent = 0
    while w.depth[0] + w.depth[1] < max_hops and min(w.edges[0], w.edges[1]) > 0 and spent <= budget:
        side = 0 if w.edges[0] <= w.edges[1] else 1
        arcs, spent = _expand(g, w, side, base, spent, budget)
        if arcs > 0:
            break
        w.depth[side] += 1
        w.edges[side] = _frontier_edges(g, w, side, w.depth[side])
    return arcs, spent


@_compiled
def _trace(g: Graph, w: Scratch, side: int, base: int, arcs: int, spent: int) -> tuple[int, int]:
    """Arcs from one side's outermost level back to its end, over nodes that lie on shortest paths."""
    for level in range(w.depth[side] - 1, -1, -1):
        wanted = base + side * _SIDE + _USED + level + 1
        for i in range(w.level[side, level], w.level[side, level + 1]):
            u = w.queue[side, i]
            spent += g.offsets[u + 1] - g.offsets[u]
            before, known = -1, arcs
            for e in range(g.offsets[u], g.offsets[u + 1]):
                v = g.target[e]
                if w.mark[v] == wanted and v != before:
                    before = v
                    _note(g, w, arcs, side, u, v, e)
                    arcs += 1
            if arcs > known:
                w.mark[u] += _USED
    return arcs, spent


@_compiled
def _number(w: Scratch, base: int) -> int:
    """Give the nodes of shortest paths rows by (layer, number), the source first and the target last; how many."""
    count = 0
    last = w.depth[0] + w.depth[1] + 1
    for layer in range(last + 1):
        side = 0 if layer <= w.depth[0] else 1
        level = layer if side == 0 else last - layer
        begin = count
        for i in range(w.level[side, level], w.level[side, level + 1]):
            v = w.queue[side, i]
            if (w.mark[v] - base) & _USED:
                w.nodes[count] = v
                count += 1
        w.nodes[begin:count].sort()
    for row in range(count):
        w.slot[w.nodes[row]] = row
    return count


@_compiled
def _counting_pass(key: I32, old: I64, new: I64, start: I64, arcs: int, count: int) -> None:
    """`new` is `old` ordered by key, stably; start[x] is left as the first place of key x."""
    for x in range(count + 2):
        start[x] = 0
    for arc in range(arcs):
        start[key[arc] + 2] += 1
    for x in range(2, count + 2):
        start[x] += start[x - 1]
    for place in range(arcs):
        after = key[old[place]] + 1
        new[start[after]] = old[place]
        start[after] += 1


@_compiled
def _layer(w: Scratch, base: int, arcs: int) -> None:
    """Order the arcs by (tail, head), as rows of `nodes`, and know from every node the least cost and the ways left."""
    count = _number(w, base)
    for arc in range(arcs):
        w.tail[arc], w.head[arc] = w.slot[w.tail[arc]], w.slot[w.head[arc]]
        w.order[0, arc] = arc
    _counting_pass(w.head, w.order[0], w.order[1], w.start, arcs, count)
    _counting_pass(w.tail, w.order[1], w.order[0], w.start, arcs, count)
    w.togo[count - 1], w.ways[count - 1] = 0, 1
    for row in range(count - 2, -1, -1):
        w.togo[row], w.ways[row] = _MANY, 0
        for place in range(w.start[row], w.start[row + 1]):
            arc = w.order[0, place]
            w.togo[row] = min(w.togo[row], w.price[arc] + w.togo[w.head[arc]])
            w.ways[row] = min(w.ways[row] + w.ways[w.head[arc]], _MANY)


@_compiled
def _copy_path(cost: I64, arcs: I64, row: int, to_cost: I64, to_arcs: I64, to_row: int, hops: int) -> None:
    to_cost[to_row] = cost[row]
    for hop in range(hops):
        to_arcs[to_row, hop] = arcs[row, hop]


@_compiled
def _best(w: Scratch, kept: int, keep: int, hops: int) -> int:
    """Order the kept paths by cost, of equals the one listed first, and leave the best; how many are left."""
    order = np.argsort(w.kept_cost[:kept], kind="mergesort")[:keep]
    for row in range(len(order)):
        _copy_path(w.kept_cost, w.kept_arcs, order[row], w.spare_cost, w.spare_arcs, row, hops)
    for row in range(len(order)):
        _copy_path(w.spare_cost, w.spare_arcs, row, w.kept_cost, w.kept_arcs, row, hops)
    return len(order)


@_compiled
def _list(w: Scratch, hops: int, keep: int, spent: int, budget: int) -> tuple[int, int]:
    """List paths depth first, in the order of their nodes; how many are kept, best first, and expansions so far."""
    at, place, cost, taken = w.trail
    at[0], place[0], cost[0] = 0, w.start[0], 0
    depth = kept = 0
    worst = np.int64(_MANY)
    while depth >= 0 and (spent <= budget or kept < keep):
        if place[depth] == w.start[at[depth] + 1]:
            depth -= 1
            continue
        arc = w.order[0, place[depth]]
        head, total = w.head[arc], cost[depth] + w.price[arc]
        place[depth] += 1
        spent += 1
        if total + w.togo[head] >= worst:
            continue
        taken[depth] = arc
        if depth + 1 < hops:
            depth += 1
            at[depth], place[depth], cost[depth] = head, w.start[head], total
            continue
        w.kept_cost[kept] = total
        for hop in range(hops):
            w.kept_arcs[kept, hop] = taken[hop]
        kept += 1
        if kept == 2 * keep:
            kept = _best(w, kept, keep, hops)
            worst = w.kept_cost[kept - 1]
    return _best(w, kept, keep, hops), spent


@_compiled
def _search_pair(g: Graph, w: Scratch, s: int, t: int, keep: int, max_hops: int, budget: int) -> tuple[int, bool]:
    """How many paths are kept in `w`, and whether the budget was spent; `w.depth` tells their hops."""
    if w.epoch[0] >= _LAST_EPOCH:
        w.mark.fill(0)
        w.epoch[0] = 0
    w.epoch[0] += _EPOCH
    base = w.epoch[0]
    arcs, spent = _meet(g, w, s, t, base, max_hops, budget)
    cut = spent > budget
    if arcs == 0:
        return 0, cut
    for arc in range(arcs):
        w.mark[w.tail[arc]] = base + _USED + w.depth[0]
        w.mark[w.head[arc]] = base + _SIDE + _USED + w.depth[1]
    for side in range(2):
        arcs, spent = _trace(g, w, side, base, arcs, spent)
    _layer(w, base, arcs)
    kept, spent = _list(w, w.depth[0] + w.depth[1] + 1, keep, spent, budget)
    return kept, cut or spent > budget


@_compiled
def _emit(w: Scratch, row: int, hops: int, path: int, out: Found) -> None:
    """Write a kept path as number `path` of the batch."""
    first = out.path_offsets[path]
    for hop in range(hops):
        arc = w.kept_arcs[row, hop]
        out.nodes[first + hop] = w.nodes[w.tail[arc]]
        out.nodes[first + hop + 1] = w.nodes[w.head[arc]]
        out.ref[first - path + hop] = w.ref[arc]
    out.cost[path] = w.kept_cost[row]
    out.path_offsets[path + 1] = first + hops + 1


@_compiled
def search_pairs(
    g: Graph, w: Scratch, sources: I32, targets: I32, keep: I32, max_hops: int, budget: int, out: Found
) -> None:
    """Write the paths of each pair to `out`, whose arrays are as long as the bounds allow (kg_spark.paths.search)."""
    n = len(g.offsets) - 1
    paths = 0
    for pair in range(len(sources)):
        s, t = sources[pair], targets[pair]
        if s != t and 0 <= s < n and 0 <= t < n:
            kept, cut = _search_pair(g, w, s, t, keep[pair], max_hops, budget)
            out.truncated[pair] = cut
            out.ways[pair] = w.ways[0] if kept else 0
            for row in range(kept):
                _emit(w, row, w.depth[0] + w.depth[1] + 1, paths + row, out)
            paths += kept
        out.pair_offsets[pair + 1] = paths
