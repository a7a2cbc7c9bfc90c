"""graph arrays, pairs -> flat arrays: the cheapest shortest paths of each pair, exactly, in compiled loops.

A pair is searched from both ends, always from the end whose frontier has fewer edges, until the two meet; on a graph of
PrimeKG's shape that touches some 4,000 edges a pair where a search from one end touches millions. What was met is
traced back into a small graph of arcs that lie on shortest paths, in layers; the cost left from each of its nodes is
known exactly, so the listing (depth first) leaves a branch as soon as it cannot beat the k-th best path. Arcs are
walked in the order of node numbers, hence of two paths of one cost the one listed first has the smaller nodes and
stays: the order (cost, hops, nodes) costs nothing, and every machine gives the same bytes.

Nothing is allocated for a pair: marks carry the pair's epoch, so they need no clearing.

Source: bidirectional search, Pohl 1971; bounded listing with exact remaining cost, Byers & Waterman 1984.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

MAX_HOPS = 8
"""Longest path: a mark has four bits for the level."""

# A mark is epoch + side + used + level; one int32 a node keeps the hot loop in the cache (0.5 MB for PrimeKG).
_USED = 16
_SIDE = 32
_EPOCH = 64
_LAST_EPOCH = 2**31 - 2 * _EPOCH
_MANY = 2**62


def compiled(function: F) -> F:
    """The function in machine code, without the interpreter's lock, kept on disk between processes."""
    return cast("F", numba.njit(nogil=True, cache=True)(function))


class Graph(NamedTuple):
    """Both directions of every edge, by node; entries of a node sorted by (target, cost, edge)."""

    offsets: I64
    """(n + 1)"""
    target: I32
    """(entries) node at the other end."""
    cost: I32
    """(entries) 1/65536."""


class Scratch(NamedTuple):
    """Memory of one thread, used again for every pair; pages that no pair needs are never touched."""

    epoch: I64
    mark: I32
    slot: I32
    """(n) row of a node in `nodes`, valid where the mark says used."""
    queue: I32
    """(2, n) nodes reached from the source and from the target, level by level."""
    level: I64
    """(2, hops + 2) where each level starts in its queue."""
    tail: I32
    head: I32
    """(arcs) an arc leads one hop from tail to head, towards the target."""
    price: I32
    ref: I64
    """(arcs) 2 * first entry of the step, + 1 where the entry is the head's."""
    order: I64
    """(2, arcs)"""
    start: I64
    """(nodes + 2) where each node's arcs start in `order`."""
    nodes: I32
    """(nodes) numbers of the nodes on shortest paths, by layer, then number."""
    togo: I64
    """(nodes) least cost from here to the target."""
    ways: I64
    """(nodes) shortest paths from here to the target."""
    kept_cost: I64
    kept_arcs: I64
    """(2 k, hops) arcs of the paths kept so far."""
    spare_cost: I64
    spare_arcs: I64
    """(k, hops)"""
    trail: I64
    """(4, hops + 1) where the listing stands: row, place in its arcs, cost so far, arc taken."""


class Found(NamedTuple):
    """Paths of a batch of pairs, best first."""

    pair_offsets: I32
    """(pairs + 1) where each pair's paths start."""
    path_offsets: I32
    """(paths + 1) where each path's nodes start in `nodes`; its steps start at that less its own number."""
    nodes: I32
    ref: I64
    """(steps) 2 * first entry of the step, + 1 where the entry belongs to the step's second node."""
    cost: I64
    """(paths) 1/65536"""
    ways: I64
    """(pairs) shortest paths there are, listed or not; stops at 2^62."""
    truncated: NDArray[np.bool_]
    """(pairs)"""


def scratch(graph: Graph, *, max_hops: int, max_expansions: int, top_k: int) -> Scratch:
    """Memory for one thread: 16 bytes a node, and at most 40 bytes an expansion once a pair needs them."""
    n, entries = len(graph.offsets) - 1, len(graph.target)
    arcs = min(max_expansions, entries) + 1
    local = min(n, arcs + 1) + 2
    return Scratch(
        epoch=np.zeros(1, np.int64),
        mark=np.zeros(n, np.int32),
        slot=np.empty(n, np.int32),
        queue=np.empty((2, n), np.int32),
        level=np.zeros((2, max_hops + 3), np.int64),
        tail=np.empty(arcs, np.int32),
        head=np.empty(arcs, np.int32),
        price=np.empty(arcs, np.int32),
        ref=np.empty(arcs, np.int64),
        order=np.empty((2, arcs), np.int64),
        start=np.empty(local, np.int64),
        nodes=np.empty(local, np.int32),
        togo=np.empty(local, np.int64),
        ways=np.empty(local, np.int64),
        kept_cost=np.empty(2 * top_k, np.int64),
        kept_arcs=np.empty((2 * top_k, max_hops), np.int64),
        spare_cost=np.empty(top_k, np.int64),
        spare_arcs=np.empty((top_k, max_hops), np.int64),
        trail=np.empty((4, max_hops + 1), np.int64),
    )


def search(
    graph: Graph, memory: Scratch, sources: I32, targets: I32, keep: I32, *, max_hops: int, max_expansions: int
) -> Found:
    """The cheapest shortest paths of each pair.

    Args:
        graph: n nodes.
        memory: made by `scratch` for this graph, these bounds and a top_k no less than any of `keep`.
        sources: (pairs) node numbers; a number outside [0, n), or equal to the target, gives no path.
        targets: (pairs)
        keep: (pairs) how many paths of each, at least 1.
        max_hops: longest path, at most MAX_HOPS.
        max_expansions: edges touched and steps listed for one pair before it is cut and marked `truncated`; a pair cut
            after its ends have met still lists `keep` of its shortest paths, if not the best ones.
    """
    assert max_hops <= MAX_HOPS
    most = int(keep.sum())
    found = Found(
        pair_offsets=np.zeros(len(sources) + 1, np.int32),
        path_offsets=np.zeros(most + 1, np.int32),
        nodes=np.empty(most * (max_hops + 1), np.int32),
        ref=np.empty(most * max_hops, np.int64),
        cost=np.empty(most, np.int64),
        ways=np.zeros(len(sources), np.int64),
        truncated=np.zeros(len(sources), np.bool_),
    )
    _search_pairs(graph, memory, sources, targets, keep, max_hops, max_expansions, found)
    paths = found.pair_offsets[-1]
    width = found.path_offsets[paths]
    return found._replace(
        path_offsets=found.path_offsets[: paths + 1],
        nodes=found.nodes[:width],
        ref=found.ref[: width - paths],
        cost=found.cost[:paths],
    )


@compiled
def _search_pairs(
    g: Graph, w: Scratch, sources: I32, targets: I32, keep: I32, max_hops: int, budget: int, out: Found
) -> None:
    n = len(g.offsets) - 1
    paths = 0
    for pair in range(len(sources)):
        s, t = sources[pair], targets[pair]
        if s != t and 0 <= s < n and 0 <= t < n:
            listed, hops, ways, cut = _search_pair(g, w, s, t, keep[pair], max_hops, budget)
            for i in range(listed):
                _emit(w, i, hops, paths + i, out)
            paths += listed
            out.ways[pair] = ways
            out.truncated[pair] = cut
        out.pair_offsets[pair + 1] = paths


@compiled
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


@compiled
def _search_pair(
    g: Graph, w: Scratch, s: int, t: int, keep: int, max_hops: int, budget: int
) -> tuple[int, int, int, bool]:
    """Paths kept in `w`, their hops, how many shortest paths there are, and whether the budget was spent."""
    if w.epoch[0] >= _LAST_EPOCH:
        w.mark[:] = 0
        w.epoch[0] = 0
    w.epoch[0] += _EPOCH
    base = w.epoch[0]
    near, far, arcs, spent = _meet(g, w, s, t, base, max_hops, budget)
    cut = spent > budget
    if arcs == 0:
        return 0, 0, 0, cut
    for i in range(arcs):
        w.mark[w.tail[i]] = base + _USED + near
        w.mark[w.head[i]] = base + _SIDE + _USED + far
    arcs, spent = _trace(g, w, 0, near, base, arcs, spent)
    arcs, spent = _trace(g, w, 1, far, base, arcs, spent)
    count = _number(w, near, far, base)
    _sort_arcs(w, arcs, count)
    _cost_to_go(w, count)
    hops = near + far + 1
    listed, spent = _list(w, hops, keep, spent, budget)
    return listed, hops, w.ways[0], cut or spent > budget


@compiled
def _meet(
    g: Graph, w: Scratch, s: int, t: int, base: int, max_hops: int, budget: int
) -> tuple[int, int, int, int]:
    """Search from both ends until they meet: levels walked from s and from t, arcs that join them, edges touched."""
    w.mark[s], w.mark[t] = base, base + _SIDE
    w.queue[0, 0], w.queue[1, 0] = s, t
    w.level[:, 0] = 0
    w.level[:, 1] = 1
    depth_s = depth_t = spent = 0
    edges_s, edges_t = g.offsets[s + 1] - g.offsets[s], g.offsets[t + 1] - g.offsets[t]
    while depth_s + depth_t < max_hops and edges_s > 0 and edges_t > 0 and spent <= budget:
        if edges_s <= edges_t:
            arcs, spent = _expand(g, w, 0, depth_s, base, spent, budget)
            if arcs:
                return depth_s, depth_t, arcs, spent
            depth_s += 1
            edges_s = _frontier_edges(g, w, 0, depth_s)
        else:
            arcs, spent = _expand(g, w, 1, depth_t, base, spent, budget)
            if arcs:
                return depth_s, depth_t, arcs, spent
            depth_t += 1
            edges_t = _frontier_edges(g, w, 1, depth_t)
    return depth_s, depth_t, 0, spent


@compiled
def _frontier_edges(g: Graph, w: Scratch, side: int, depth: int) -> int:
    edges = 0
    for i in range(w.level[side, depth], w.level[side, depth + 1]):
        u = w.queue[side, i]
        edges += g.offsets[u + 1] - g.offsets[u]
    return edges


@compiled
def _expand(
    g: Graph, w: Scratch, side: int, depth: int, base: int, spent: int, budget: int
) -> tuple[int, int]:
    """Walk one side's frontier one hop: arcs to the other side, of which there are none until they meet; edges touched.

    Before they meet, any node of the other side lies in its outermost level: a nearer one would have been met before.
    """
    fresh = base + side * _SIDE + depth + 1
    arcs = 0
    end = w.level[side, depth + 1]
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


@compiled
def _note(g: Graph, w: Scratch, arc: int, side: int, u: int, v: int, entry: int) -> None:
    """Keep the step between u and v, found in u's row, as an arc that leads towards the target."""
    w.tail[arc] = u if side == 0 else v
    w.head[arc] = v if side == 0 else u
    w.price[arc] = g.cost[entry]
    w.ref[arc] = 2 * entry + side


@compiled
def _trace(
    g: Graph, w: Scratch, side: int, depth: int, base: int, arcs: int, spent: int
) -> tuple[int, int]:
    """Arcs from one side's outermost level back to its end, over nodes that lie on shortest paths."""
    for level in range(depth - 1, -1, -1):
        wanted = base + side * _SIDE + _USED + level + 1
        for i in range(w.level[side, level], w.level[side, level + 1]):
            u = w.queue[side, i]
            before, known = -1, arcs
            for e in range(g.offsets[u], g.offsets[u + 1]):
                v = g.target[e]
                if w.mark[v] == wanted and v != before:
                    before = v
                    _note(g, w, arcs, side, u, v, e)
                    arcs += 1
            spent += g.offsets[u + 1] - g.offsets[u]
            if arcs > known:
                w.mark[u] += _USED
    return arcs, spent


@compiled
def _number(w: Scratch, near: int, far: int, base: int) -> int:
    """Give the nodes of shortest paths rows by (layer, number), the source first and the target last; how many."""
    count = 0
    for layer in range(near + far + 2):
        side = 0 if layer <= near else 1
        level = layer if side == 0 else near + far + 1 - layer
        wanted = base + side * _SIDE + _USED + level
        begin = count
        for i in range(w.level[side, level], w.level[side, level + 1]):
            v = w.queue[side, i]
            if w.mark[v] == wanted:
                w.nodes[count] = v
                count += 1
        w.nodes[begin:count].sort()
    for i in range(count):
        w.slot[w.nodes[i]] = i
    return count


@compiled
def _sort_arcs(w: Scratch, arcs: int, count: int) -> None:
    """Put rows in place of numbers, and order the arcs by (tail, head): two stable counting passes."""
    for i in range(arcs):
        w.tail[i] = w.slot[w.tail[i]]
        w.head[i] = w.slot[w.head[i]]
        w.order[0, i] = i
    _counting_pass(w.head, w.order[0], w.order[1], w.start, arcs, count)
    _counting_pass(w.tail, w.order[1], w.order[0], w.start, arcs, count)


@compiled
def _counting_pass(key: I32, old: I64, new: I64, start: I64, arcs: int, count: int) -> None:
    """`new` is `old` ordered by key; start[x] is left as the first place of key x."""
    start[: count + 2] = 0
    for i in range(arcs):
        start[key[i] + 2] += 1
    for x in range(2, count + 2):
        start[x] += start[x - 1]
    for i in range(arcs):
        place = key[old[i]] + 1
        new[start[place]] = old[i]
        start[place] += 1


@compiled
def _cost_to_go(w: Scratch, count: int) -> None:
    """From the target back: the least cost that is left, and how many paths."""
    w.togo[count - 1], w.ways[count - 1] = 0, 1
    for x in range(count - 2, -1, -1):
        least, ways = np.int64(_MANY), np.int64(0)
        for place in range(w.start[x], w.start[x + 1]):
            arc = w.order[0, place]
            least = min(least, w.price[arc] + w.togo[w.head[arc]])
            ways = min(ways + w.ways[w.head[arc]], _MANY)
        w.togo[x], w.ways[x] = least, ways


@compiled
def _list(w: Scratch, hops: int, keep: int, spent: int, budget: int) -> tuple[int, int]:
    """List paths depth first, in the order of their nodes; how many are kept, best first, and expansions so far."""
    at, place, cost, arcs = w.trail
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
        arcs[depth] = arc
        if depth + 1 < hops:
            depth += 1
            at[depth], place[depth], cost[depth] = head, w.start[head], total
            continue
        w.kept_cost[kept] = total
        w.kept_arcs[kept, :hops] = arcs[:hops]
        kept += 1
        if kept == 2 * keep:
            kept = _best(w, kept, keep)
            worst = w.kept_cost[kept - 1]
    return _best(w, kept, keep), spent


@compiled
def _best(w: Scratch, kept: int, keep: int) -> int:
    """Order the kept paths by cost, of equals the one listed first, and leave the best; how many are left."""
    order = np.argsort(w.kept_cost[:kept], kind="mergesort")[:keep]
    for i in range(len(order)):
        w.spare_cost[i] = w.kept_cost[order[i]]
        w.spare_arcs[i] = w.kept_arcs[order[i]]
    for i in range(len(order)):
        w.kept_cost[i] = w.spare_cost[i]
        w.kept_arcs[i] = w.spare_arcs[i]
    return len(order)
