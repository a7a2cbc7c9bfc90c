"""graph arrays, pairs -> paths as flat arrays: the arrays that the compiled kernel works on, and the call into it.

Flat arrays all the way: a million paths are seven arrays, not a million objects.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kg_spark.paths.kernel import search_pairs

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

MAX_HOPS = 8
"""Longest path: a mark of the kernel has four bits for the level."""


class Graph(NamedTuple):
    """Both directions of every edge, by node; entries of a node sorted by (target, cost, edge)."""

    offsets: I64  # (n + 1)
    target: I32  # (entries) node at the other end
    cost: I32  # (entries) 1/65536


class Scratch(NamedTuple):
    """Memory of one thread, used again for every pair; pages that no pair needs are never touched."""

    epoch: I64  # (1)
    mark: I32  # (n)
    slot: I32  # (n) row of a node in `nodes`, where its mark says used
    queue: I32  # (2, n) nodes reached from the source and from the target, level by level
    level: I64  # (2, hops + 3) where each level starts in its queue
    depth: I64  # (2) levels walked from either side
    edges: I64  # (2) edges of either frontier: what its next step costs
    tail: I32  # (arcs) an arc leads one hop towards the target, from tail to head
    head: I32  # (arcs)
    price: I32  # (arcs) 1/65536
    ref: I64  # (arcs) 2 * first entry of the step, + 1 where that entry stands in the head's row
    order: I64  # (2, arcs)
    start: I64  # (nodes + 2) where each node's arcs start in `order`
    nodes: I32  # (nodes) numbers of the nodes on shortest paths, by layer, then number
    togo: I64  # (nodes) least cost from here to the target
    ways: I64  # (nodes) shortest paths from here to the target
    kept_cost: I64  # (2 k)
    kept_arcs: I64  # (2 k, hops) arcs of the paths kept so far
    spare_cost: I64  # (k)
    spare_arcs: I64  # (k, hops)
    trail: I64  # (4, hops + 1) where the listing stands: row, place in its arcs, cost so far, arc taken


class Found(NamedTuple):
    """Paths of a batch of pairs, best first."""

    pair_offsets: I32  # (pairs + 1) where each pair's paths start
    path_offsets: I32  # (paths + 1) where each path's nodes start; its steps start at that less the path's number
    nodes: I32
    ref: I64  # (steps) as in Scratch
    cost: I64  # (paths) 1/65536
    ways: I64  # (pairs) shortest paths there are, listed or not; stops at 2^62
    truncated: NDArray[np.bool_]  # (pairs)


def scratch(graph: Graph, *, max_hops: int, max_expansions: int, top_k: int) -> Scratch:
    """Memory for one thread: 16 bytes a node, and at most 60 bytes an expansion once a pair needs them."""
    n, entries = len(graph.offsets) - 1, len(graph.target)
    arcs = min(max_expansions, entries) + 1
    local = min(n, arcs + 1) + 2
    return Scratch(
        epoch=np.zeros(1, np.int64),
        mark=np.zeros(n, np.int32),
        slot=np.empty(n, np.int32),
        queue=np.empty((2, n), np.int32),
        level=np.zeros((2, max_hops + 3), np.int64),
        depth=np.zeros(2, np.int64),
        edges=np.zeros(2, np.int64),
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
    """The cheapest shortest paths of each pair, by (cost, hops, node numbers); a step costs its cheapest edge.

    Args:
        graph: n nodes.
        memory: made by `scratch` for this graph and these bounds, with a top_k no less than any of `keep`.
        sources: (pairs) node numbers; a number outside [0, n), or equal to the target, gives no path.
        targets: (pairs)
        keep: (pairs) how many paths of each at most, from 1.
        max_hops: longest path, at most MAX_HOPS.
        max_expansions: edges touched and steps listed for one pair before it is cut and marked `truncated`; a pair cut
            after its ends have met still lists `keep` of its shortest paths, if not the best ones.
    """
    assert max_hops <= MAX_HOPS, "the kernel's marks hold eight levels"
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
    search_pairs(graph, memory, sources, targets, keep, max_hops, max_expansions, found)
    paths = found.pair_offsets[-1]
    width = found.path_offsets[paths]
    return found._replace(
        path_offsets=found.path_offsets[: paths + 1],
        nodes=found.nodes[:width],
        ref=found.ref[: width - paths],
        cost=found.cost[:paths],
    )


def compile_kernel() -> None:
    """Set-up: compile the kernel for the types that an index gives it; later processes find it in the cache (11 s saved)."""
    graph = Graph(np.array([0, 1, 2], np.int64), np.array([1, 0], np.int32), np.array([0, 0], np.int32))
    for array in (graph.offsets, graph.target, graph.cost):
        array.flags.writeable = False  # as a memory-mapped file's
    memory = scratch(graph, max_hops=4, max_expansions=10, top_k=1)
    one = np.array([0], np.int32)
    search(graph, memory, one, one + 1, one + 1, max_hops=4, max_expansions=10)
