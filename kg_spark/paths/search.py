"""graph arrays, pairs -> paths as flat arrays: the arrays that the compiled kernel works on, and the call into it.

Flat arrays all the way: a million paths are seven arrays, not a million objects.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kg_spark.paths.kernel import search_pairs

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

MAX_HOPS = 8
"""Longest path: a mark of the kernel has four bits for the hops to either end."""

NO_STATES = np.zeros((1, 1), np.int8)
"""The automaton of a search without rules: one state, one class of steps."""


class Graph(NamedTuple):
    """Both directions of every edge, by node; entries of a node sorted by (target, cost, edge)."""

    offsets: I64  # (n + 1)
    target: I32  # (entries) node at the other end
    cost: I32  # (entries) 1/65536
    rule: U8 = np.zeros(0, np.uint8)  # (entries) bits of kg_spark.paths.kernel; none where there are no rules
    node_rule: U8 = np.zeros(0, np.uint8)  # (n) 1 where a path may only end; none where there are no rules
    walk: U8 = np.zeros(2, np.uint8)  # (2) bits an entry must have, seen from the tail's row and from the head's
    delta: NDArray[np.int8] = NO_STATES  # (states, classes) state after a step, -1: not allowed


class Scratch(NamedTuple):
    """Memory of one thread, used again for every pair; pages that no pair needs are never touched."""

    epoch: I64  # (1)
    spent: I64  # (1) edges touched and steps listed for the pair at hand
    pair: I64  # (4) source, target, whether their own edges are left out, the pair's number in `flag`
    mark: NDArray[np.uint16]  # (n)
    flag: I32  # (n) the pair's number: no path passes; one more: no edge to the target
    slot: I32  # (n) row of a node in `nodes`, where it has one
    queue: I32  # (2, n) nodes reached from the source and from the target, level by level
    level: I64  # (2, hops + 3) where each level starts in its queue
    depth: I64  # (2) levels walked from either side
    edges: I64  # (2) edges of either frontier: what its next step costs
    tail: I32  # (arcs) an arc leads one hop towards the target, from tail to head
    head: I32  # (arcs)
    kind: NDArray[np.int8]  # (arcs) class of the step
    price: I64  # (arcs) 16 * cost + 1
    ref: I64  # (arcs) 2 * first entry of the step, + 1 where that entry stands in the head's row
    order: I64  # (2, arcs)
    start: I64  # (nodes + 2) where each node's arcs start in `order`
    nodes: I32  # (nodes) numbers of the nodes that may lie on a path
    gone: NDArray[np.int8]  # (nodes) hops from the source
    left: NDArray[np.int8]  # (nodes) hops to the target
    walked: NDArray[np.int8]  # (nodes) 1 while the listing stands on it
    togo: I64  # (hops + 1, nodes * states) least key from here to the target
    ways: I64  # (nodes) shortest paths from here to the target
    prefix: I64  # (hops + 1, states) key of the path so far
    kept_key: I64  # (2 k) 16 * cost + hops
    kept_arcs: I64  # (2 k, hops) arcs of the paths kept so far
    spare_key: I64  # (2 k)
    spare_arcs: I64  # (k, hops)
    trail: I64  # (3, hops + 1) where the listing stands: row, place in its arcs, arc taken


class Ask(NamedTuple):
    """Pairs, and how far to look."""

    sources: I32  # (pairs)
    targets: I32  # (pairs)
    keep: I32  # (pairs)
    around_offsets: I64  # (pairs + 1)
    around: I32  # 2 * node that no path passes through, or 2 * node + 1 that has no step to the target
    max_hops: int
    slack: int
    max_expansions: int
    drop_direct: bool


class Found(NamedTuple):
    """Paths of a batch of pairs, best first."""

    pair_offsets: I32  # (pairs + 1) where each pair's paths start
    path_offsets: I32  # (paths + 1) where each path's nodes start; its steps start at that less the path's number
    nodes: I32
    ref: I64  # (steps) as in Scratch
    cost: I64  # (paths) 1/65536
    ways: I64  # (pairs) shortest paths there are, listed or not; stops at 2^62; 0 where steps depend on earlier ones
    truncated: NDArray[np.bool_]  # (pairs)


def scratch(graph: Graph, *, max_hops: int, max_expansions: int, top_k: int) -> Scratch:
    """Memory for one thread: 18 bytes a node, and what a pair needs of 90 bytes an expansion and, without rules, 10 (hops + 2).

    Under `clinical` ten states take the place of one: on a graph of 10 million nodes 2,000,000 expansions are at most 2.0 GB
    at 4 hops and 3.2 GB at 8, of which a pair touches what it walks.
    """
    n, entries = len(graph.offsets) - 1, len(graph.target)
    arcs = min(max_expansions, entries) + 1
    local = min(n, 2 * arcs + 2)
    states = len(graph.delta)
    return Scratch(
        epoch=np.zeros(1, np.int64),
        spent=np.zeros(1, np.int64),
        pair=np.zeros(4, np.int64),
        mark=np.zeros(n, np.uint16),
        flag=np.zeros(n, np.int32),
        slot=np.empty(n, np.int32),
        queue=np.empty((2, n), np.int32),
        level=np.zeros((2, max_hops + 3), np.int64),
        depth=np.zeros(2, np.int64),
        edges=np.zeros(2, np.int64),
        tail=np.empty(arcs, np.int32),
        head=np.empty(arcs, np.int32),
        kind=np.empty(arcs, np.int8),
        price=np.empty(arcs, np.int64),
        ref=np.empty(arcs, np.int64),
        order=np.empty((2, arcs), np.int64),
        start=np.empty(local + 2, np.int64),
        nodes=np.empty(local, np.int32),
        gone=np.empty(local, np.int8),
        left=np.empty(local, np.int8),
        walked=np.zeros(local, np.int8),
        togo=np.empty((max_hops + 1, local * states), np.int64),
        ways=np.empty(local, np.int64),
        prefix=np.empty((max_hops + 1, states), np.int64),
        kept_key=np.empty(2 * top_k, np.int64),
        kept_arcs=np.empty((2 * top_k, max_hops), np.int64),
        spare_key=np.empty(2 * top_k, np.int64),
        spare_arcs=np.empty((top_k, max_hops), np.int64),
        trail=np.empty((3, max_hops + 1), np.int64),
    )


def search(
    graph: Graph,
    memory: Scratch,
    sources: I32,
    targets: I32,
    keep: I32,
    *,
    max_hops: int,
    max_expansions: int,
    slack: int = 0,
    drop_direct: bool = False,
    around: tuple[I64, I32] | None = None,
) -> Found:
    """The cheapest simple paths of each pair, by (cost, hops, node numbers); a step costs its cheapest edge.

    Under rules a path stands when some choice of one edge a step keeps them all, and costs the least of these choices.

    Args:
        graph: n nodes.
        memory: made by `scratch` for this graph and these bounds, with a top_k no less than any of `keep`.
        sources: (pairs) node numbers; a number outside [0, n), or equal to the target, gives no path.
        targets: (pairs)
        keep: (pairs) how many paths of each at most, from 1.
        max_hops: longest path, at most MAX_HOPS.
        slack: hops a path may be longer than the shortest of its pair.
        max_expansions: edges touched and steps listed for one pair before it is cut and marked `truncated`; a pair cut
            after its ends have met lists of its shortest paths what is found by then.
        drop_direct: leave out the edges between the two ends themselves. Heeded where the graph has rules.
        around: (pairs + 1) offsets and Ask.around. Heeded where the graph has rules.
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
    offsets, nodes = around or (np.zeros(len(sources) + 1, np.int64), np.zeros(0, np.int32))
    ask = Ask(sources, targets, keep, offsets, nodes, max_hops, slack, max_expansions, drop_direct)
    search_pairs(graph, memory, ask, found)
    paths = found.pair_offsets[-1]
    width = found.path_offsets[paths]
    return found._replace(
        path_offsets=found.path_offsets[: paths + 1],
        nodes=found.nodes[:width],
        ref=found.ref[: width - paths],
        cost=found.cost[:paths],
    )
