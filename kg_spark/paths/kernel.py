"""graph arrays, pairs -> flat arrays: the cheapest paths of each pair up to a few hops beyond its shortest, in compiled loops.

A pair is searched from both ends, always from the end whose frontier has fewer edges, until the two meet; on a graph of
PrimeKG's shape that touches some 4,000 edges a pair where a search from one end touches millions. That gives the length
of the shortest path, hence the longest that may be listed. Both searches go on until they cover that length, every node
near them learns how far the other end is, and what can lie on a listed path becomes a small graph of arcs. There the
least cost left is known for every node, number of hops left and state of the rules, so the listing (depth first)
leaves a branch as soon as it cannot beat the k-th best path. Arcs are walked in the order of node numbers, hence of two
paths of one cost the one listed first has the smaller nodes and stays: the order (cost, hops, nodes) costs nothing, and
every machine gives the same bytes. A key is 16 * cost + hops, so that both compare as one number.

Rules that hang on one step and the pair's ends close entries (`is_open`). Rules that hang on the steps before (changes
of direction, two edges that meet in a shared trait) are a small automaton: a path stands if some choice of one edge a
step is accepted, and costs the least of these choices. So a prefix carries a cost for each state, not one.

Nothing is allocated for a pair: marks carry the pair's epoch, so they need no clearing. All compiled functions stand in
this one file, longer than others for it, because numba's cache on disk sees changes of a function's own file only.
Loops stand where a slice would do: a slice assignment costs seconds of compilation.

Source: bidirectional search, Pohl 1971; bounded listing with exact remaining cost, Byers & Waterman 1984.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kg_spark.paths.search import I32, I64, Ask, Found, Graph, Scratch

F = TypeVar("F", bound=Callable[..., Any])

# A mark is epoch + 16 * hops from the source + hops to the target; two bytes a node keep the hot loop in the cache.
_FAR = 15
_EPOCH = 256
_LAST_EPOCH = 2**16 - 2 * _EPOCH
_MANY = 2**62
_ROW_BITS = 20
"""Of a key that carries its row: a path of eight hops costs less than 2^34, its key less than 2^38."""

SRC_HERE, SRC_THERE, END_ONLY, TRAIT_HERE, TRAIT_THERE, HUB_HERE, HUB_THERE, BANNED = (1 << bit for bit in range(8))
"""Bits of an entry's rule; `here` is the row's node, `there` the other one. A symmetric edge has both SRC bits."""


def compiled(function: F) -> F:
    """The function in machine code, without the interpreter's lock, kept on disk between processes."""
    return cast("F", numba.njit(nogil=True, cache=True, _nrt=False)(function))


@compiled
def is_open(rule: int, walk: int, here_is_end: bool, there_is_end: bool) -> bool:  # noqa: FBT001  compiled: no keywords
    """Whether a path may take this entry, whatever came before; walk: the bits it must have, SRC ones where followed."""
    if rule & BANNED or rule & walk != walk:
        return False
    if rule & END_ONLY and not (here_is_end or there_is_end):
        return False
    return (here_is_end or not rule & HUB_HERE) and (there_is_end or not rule & HUB_THERE)


@compiled
def _passes(g: Graph, w: Scratch, e: int, u: int, v: int, side: int) -> bool:
    """Whether the pair at hand may walk entry e of u's row, to v from the source's side or from v on the target's."""
    s, t, rule = w.pair[0], w.pair[1], g.rule[e]
    here, there = u in (s, t), v in (s, t)
    if not is_open(rule, g.walk[side], here, there) or (g.node_rule[v] and not there):
        return False
    if w.pair[2] and here and there:
        return False
    flag = w.flag[v] - w.pair[3]
    if flag == 0 and not there:
        return False
    return not ((flag == 1 and u == t) or (v == t and w.flag[u] - w.pair[3] == 1))


@compiled
def _class(rule: int, side: int) -> int:
    """What the automaton sees of an entry, walked towards the target: 4 * direction + 2 * trait at tail + trait at head."""
    here, there = rule & SRC_HERE, rule & SRC_THERE
    tail, head = rule & TRAIT_HERE, rule & TRAIT_THERE
    if side == 1:
        here, there, tail, head = there, here, head, tail
    way = 0 if here and there else 1 if here else 2
    return 4 * way + 2 * int(tail > 0) + int(head > 0)


@compiled
def _hops(mark: int, base: int, side: int) -> int:
    """Hops to the source (side 0) or the target that a mark tells; _FAR where it does not."""
    if mark < base:
        return _FAR
    return (mark - base) >> 4 if side == 0 else (mark - base) & 15


@compiled
def _learn(w: Scratch, v: int, base: int, side: int, hops: int) -> None:
    """Write a node's hops to the source or to the target."""
    to_source, to_target = _hops(w.mark[v], base, 0), _hops(w.mark[v], base, 1)
    w.mark[v] = base + (16 * hops + to_target if side == 0 else 16 * to_source + hops)


@compiled
def _note(g: Graph, w: Scratch, arcs: int, side: int, u: int, v: int, first: int) -> int:
    """Keep the step between u and v, whose entries in u's row start at `first`, as arcs that lead towards the target.

    One arc with the cheapest price; where the automaton tells edges apart, one for each class of them.
    """
    ruled, classes = len(g.rule) > 0, g.delta.shape[0] > 1
    seen = 0
    e, end = first, g.offsets[u + 1]
    while e < end and g.target[e] == v:
        if not ruled or _passes(g, w, e, u, v, side):
            kind = _class(g.rule[e], side) if classes else 0
            if not seen & (1 << kind):
                if arcs == len(w.tail):
                    w.spent[0] = _MANY
                    return arcs
                seen |= 1 << kind
                w.tail[arcs] = u if side == 0 else v
                w.head[arcs] = v if side == 0 else u
                w.price[arcs] = 16 * np.int64(g.cost[e]) + 1
                w.ref[arcs] = 2 * first + side
                w.kind[arcs] = kind
                arcs += 1
                if not classes:
                    break
        e += 1
    return arcs


@compiled
def _expand(g: Graph, w: Scratch, side: int, base: int, limit: int, budget: int) -> int:
    """Walk one side's frontier one hop; arcs to the other side, 0 while it is not met.

    `limit`: longest path that will be listed should the sides meet here, 0 when they have met.
    """
    depth, ruled = w.depth[side], len(g.rule) > 0
    arcs, end = 0, w.level[side, depth + 1]
    for i in range(w.level[side, depth], w.level[side, depth + 1]):
        u = w.queue[side, i]
        w.spent[0] += g.offsets[u + 1] - g.offsets[u]
        if w.spent[0] > budget:
            break
        if ruled:
            arcs, end = _walk_by_rules(g, w, side, base, u, limit, arcs, end)
        else:
            arcs, end = _walk(g, w, side, base, u, limit, arcs, end)
    w.level[side, depth + 2] = end
    return arcs


@compiled
def _walk(g: Graph, w: Scratch, side: int, base: int, u: int, limit: int, arcs: int, end: int) -> tuple[int, int]:
    """Walk from one node to its neighbours, without rules: arcs to the other side, and where the queue ends.

    Where no longer path is asked for, nothing is queued once the sides have met: 28,500 pairs a second, not 22,800.
    """
    last = limit == w.depth[0] + w.depth[1] + 1
    mark, target, queue = w.mark, g.target, w.queue[side]
    hops = w.depth[side] + 1
    fresh = base + (16 * hops + _FAR if side == 0 else 16 * _FAR + hops)
    own, other = (16 * _FAR, _FAR) if side == 0 else (_FAR, 16 * _FAR)
    before = -1
    for e in range(g.offsets[u], g.offsets[u + 1]):
        v = target[e]
        if v == before:
            continue
        before = v
        known = mark[v]
        if known < base:
            if last and arcs > 0:
                continue
            mark[v] = fresh
            queue[end] = v
            end += 1
            continue
        if known & own == own:
            mark[v] = known & fresh
            queue[end] = v
            end += 1
        if limit > 0 and known & other != other:
            arcs = _note(g, w, arcs, side, u, v, e)
    return arcs, end


@compiled
def _walk_by_rules(
    g: Graph, w: Scratch, side: int, base: int, u: int, limit: int, arcs: int, end: int
) -> tuple[int, int]:
    """The same where entries may be closed: a neighbour counts when one of the entries that lead to it is open."""
    before, run = -1, -1
    for e in range(g.offsets[u], g.offsets[u + 1]):
        v = g.target[e]
        if v == before:
            continue
        if e == g.offsets[u] or g.target[e - 1] != v:
            run = e
        if not _passes(g, w, e, u, v, side):
            continue
        before = v
        if _hops(w.mark[v], base, side) == _FAR:
            _learn(w, v, base, side, w.depth[side] + 1)
            w.queue[side, end] = v
            end += 1
        if limit > 0 and _hops(w.mark[v], base, 1 - side) != _FAR:
            arcs = _note(g, w, arcs, side, u, v, run)
    return arcs, end


@compiled
def _grow(g: Graph, w: Scratch, side: int) -> None:
    """Count the hop that `_expand` has walked, and the edges of the new frontier."""
    w.depth[side] += 1
    edges = 0
    for i in range(w.level[side, w.depth[side]], w.level[side, w.depth[side] + 1]):
        u = w.queue[side, i]
        edges += g.offsets[u + 1] - g.offsets[u]
    w.edges[side] = edges


@compiled
def _join(g: Graph, w: Scratch, side: int, base: int, budget: int) -> int:
    """Arcs from the outermost level of one side to the other side's; both ends of each learn how far they are."""
    here, there, arcs = w.depth[side], w.depth[1 - side], 0
    for i in range(w.level[side, here], w.level[side, here + 1]):
        u = w.queue[side, i]
        w.spent[0] += g.offsets[u + 1] - g.offsets[u]
        if w.spent[0] > budget:
            break
        before = -1
        for e in range(g.offsets[u], g.offsets[u + 1]):
            v = g.target[e]
            if v == before:
                continue
            before = v
            if _hops(w.mark[v], base, 1 - side) != there:
                continue
            more = _note(g, w, arcs, side, u, v, e)
            if more > arcs:
                arcs = more
                if _hops(w.mark[u], base, 1 - side) == _FAR:
                    _learn(w, u, base, 1 - side, there + 1)
                if _hops(w.mark[v], base, side) == _FAR:
                    _learn(w, v, base, side, here + 1)
    return arcs


@compiled
def _reach(g: Graph, w: Scratch, side: int, base: int, shortest: int, limit: int) -> None:
    """Tell the nodes inside one side's outermost level how far the other end is, where a path within `limit` passes."""
    for hops in range(w.depth[1 - side] + 1, limit + 1):
        inner = min(w.depth[side] - 1, limit - hops)
        for i in range(w.level[side, max(0, shortest - hops)], w.level[side, inner + 1] if inner >= 0 else 0):
            u = w.queue[side, i]
            if _hops(w.mark[u], base, 1 - side) != _FAR:
                continue
            for e in range(g.offsets[u], g.offsets[u + 1]):
                v = g.target[e]
                if _hops(w.mark[v], base, 1 - side) == hops - 1 and (len(g.rule) == 0 or _passes(g, w, e, u, v, side)):
                    _learn(w, u, base, 1 - side, hops)
                    break


@compiled
def _inner_arcs(g: Graph, w: Scratch, side: int, base: int, arcs: int, limit: int) -> int:
    """Arcs that touch a node inside one side's outermost level; the target's side leaves out those the source's noted."""
    for i in range(w.level[side, w.depth[side]]):
        u = w.queue[side, i]
        here = _hops(w.mark[u], base, side)
        if here + _hops(w.mark[u], base, 1 - side) > limit:
            continue
        before = -1
        for e in range(g.offsets[u], g.offsets[u + 1]):
            v = g.target[e]
            if v == before:
                continue
            before = v
            there = _hops(w.mark[v], base, 1 - side)
            if here + 1 + there > limit or (side == 1 and there < w.depth[0]):
                continue
            # False only where a search was cut.
            if _hops(w.mark[v], base, side) <= here + 1 and _hops(w.mark[u], base, 1 - side) <= there + 1:
                arcs = _note(g, w, arcs, side, u, v, e)
    return arcs


@compiled
def _sort(values: I32 | I64, count: int) -> None:
    """Sort the first `count` values, which are some hundred; Shell 1959, gaps of Knuth."""
    gap = 1
    while gap < count:
        gap = 3 * gap + 1
    while gap > 1:
        gap //= 3
        for i in range(gap, count):
            value, at = values[i], i
            while at >= gap and values[at - gap] > value:
                values[at] = values[at - gap]
                at -= gap
            values[at] = value


@compiled
def _number(w: Scratch, base: int, limit: int) -> int:
    """Give the nodes that may lie on a listed path rows in the order of their numbers; how many."""
    count = 0
    for side in range(2):
        for i in range(w.level[side, w.depth[side] + 1]):
            v = w.queue[side, i]
            if _hops(w.mark[v], base, 0) + _hops(w.mark[v], base, 1) <= limit and (
                side == 0 or _hops(w.mark[v], base, 0) > w.depth[0]
            ):
                w.nodes[count] = v
                count += 1
    _sort(w.nodes, count)
    for row in range(count):
        v = w.nodes[row]
        w.slot[v] = row
        w.gone[row], w.left[row] = _hops(w.mark[v], base, 0), _hops(w.mark[v], base, 1)
        w.walked[row] = 0
    return count


@compiled
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


@compiled
def _local(w: Scratch, base: int, arcs: int, limit: int) -> int:
    """The arcs as a graph of rows, ordered by (tail, head); how many rows."""
    count = _number(w, base, limit)
    for arc in range(arcs):
        w.tail[arc], w.head[arc] = w.slot[w.tail[arc]], w.slot[w.head[arc]]
        w.order[0, arc] = arc
    _counting_pass(w.head, w.order[0], w.order[1], w.start, arcs, count)
    _counting_pass(w.tail, w.order[1], w.order[0], w.start, arcs, count)
    return count


@compiled
def _price(  # noqa: C901  one pass over the arcs
    w: Scratch, delta: NDArray[np.int8], count: int, shortest: int, limit: int
) -> None:
    """Least key from every row to the target by hops left and state; on shortest paths also the number of ways."""
    states = delta.shape[0]
    goal = w.slot[w.pair[1]]
    for hops in range(limit + 1):
        for row in range(count):
            if w.gone[row] + hops > limit or w.left[row] > hops:
                continue
            at = row * states
            for q in range(states):
                w.togo[hops, at + q] = 0 if row == goal else _MANY
            if row == goal:
                w.ways[row] = 1
                continue
            counts = w.left[row] == hops and w.gone[row] + hops == shortest
            if counts:
                w.ways[row] = 0
            for place in range(w.start[row], w.start[row + 1]):
                arc = w.order[0, place]
                head = w.head[arc]
                if w.left[head] > hops - 1:
                    continue
                if counts:
                    w.ways[row] = min(w.ways[row] + w.ways[head], _MANY)
                for q in range(states):
                    after = delta[q, w.kind[arc]]
                    if after >= 0:
                        total = w.price[arc] + w.togo[hops - 1, head * states + after]
                        w.togo[hops, at + q] = min(w.togo[hops, at + q], total)


@compiled
def _best(w: Scratch, kept: int, keep: int) -> int:
    """Order the kept paths by key, of equals the one listed first, and leave the best; how many are left."""
    for row in range(kept):
        w.spare_key[row] = w.kept_key[row] << _ROW_BITS | row
    _sort(w.spare_key, kept)
    left = min(kept, keep)
    for rank in range(left):
        row = w.spare_key[rank] & (1 << _ROW_BITS) - 1
        for hop in range(w.kept_key[row] & 15):
            w.spare_arcs[rank, hop] = w.kept_arcs[row, hop]
    for rank in range(left):
        w.kept_key[rank] = w.spare_key[rank] >> _ROW_BITS
        for hop in range(w.kept_key[rank] & 15):
            w.kept_arcs[rank, hop] = w.spare_arcs[rank, hop]
    return left


@compiled
def _step(w: Scratch, delta: NDArray[np.int8], depth: int, run: int, end: int, left: int) -> int:
    """Take the arcs of one step after a prefix: its key by state into w.prefix, and the least key of a whole path."""
    states = delta.shape[0]
    head = w.head[w.order[0, run]]
    if states == 1:
        w.prefix[depth + 1, 0] = w.prefix[depth, 0] + w.price[w.order[0, run]]
        return int(w.prefix[depth + 1, 0] + w.togo[left, head])
    for q in range(states):
        w.prefix[depth + 1, q] = _MANY
    for place in range(run, end):
        arc = w.order[0, place]
        for q in range(states):
            after = delta[q, w.kind[arc]]
            if after >= 0:
                total = w.prefix[depth, q] + w.price[arc]
                w.prefix[depth + 1, after] = min(w.prefix[depth + 1, after], total)
    least = np.int64(_MANY)
    for q in range(states):
        if w.prefix[depth + 1, q] < _MANY:
            least = min(least, w.prefix[depth + 1, q] + w.togo[left, head * states + q])
    return int(least)


@compiled
def _list(  # noqa: C901  a stack, not recursion
    w: Scratch, delta: NDArray[np.int8], keep: int, stop: int, limit: int, budget: int
) -> int:
    """List simple paths of at most `limit` hops depth first, in the order of their nodes; how many are kept, best first.

    It ends early when `stop` paths are at hand.
    """
    at, place, taken = w.trail
    start, goal = w.slot[w.pair[0]], w.slot[w.pair[1]]
    at[0], place[0], w.walked[start] = start, w.start[start], 1
    for q in range(delta.shape[0]):
        w.prefix[0, q] = 0 if q == 0 else _MANY
    depth = kept = 0
    worst = np.int64(_MANY)
    while depth >= 0 and kept < stop and (w.spent[0] <= budget or (kept < keep and w.spent[0] <= 2 * budget)):
        run, last = place[depth], w.start[at[depth] + 1]
        if run == last:
            w.walked[at[depth]] = 0
            depth -= 1
            continue
        head, end = w.head[w.order[0, run]], run + 1
        while end < last and w.head[w.order[0, end]] == head:
            end += 1
        place[depth] = end
        w.spent[0] += 1
        left = limit - depth - 1
        if w.walked[head] or w.left[head] > left:
            continue
        least = _step(w, delta, depth, run, end, left)
        if least >= worst:
            continue
        taken[depth] = w.order[0, run]
        depth += 1
        if head != goal:
            at[depth], place[depth], w.walked[head] = head, w.start[head], 1
            continue
        w.kept_key[kept] = least
        for hop in range(depth):
            w.kept_arcs[kept, hop] = taken[hop]
        kept += 1
        depth -= 1
        if kept == 2 * keep:
            kept = _best(w, kept, keep)
            worst = w.kept_key[kept - 1]
    while depth >= 0:
        w.walked[at[depth]] = 0
        depth -= 1
    return _best(w, kept, keep)


@compiled
def _meet(g: Graph, w: Scratch, s: int, t: int, base: int, at_least: int, slack: int, ask: Ask) -> tuple[int, int]:
    """Search from both ends until they meet: arcs that join the two sides, and the side that was walked last."""
    budget = ask.max_expansions
    for side, end in ((0, s), (1, t)):
        w.mark[end] = base + (_FAR if side == 0 else 16 * _FAR)
        w.queue[side, 0] = end
        w.level[side, 0], w.level[side, 1] = 0, 1
        w.depth[side], w.edges[side] = 0, g.offsets[end + 1] - g.offsets[end]
    while w.depth[0] + w.depth[1] < ask.max_hops and min(w.edges[0], w.edges[1]) > 0 and w.spent[0] <= budget:
        side = 0 if w.edges[0] <= w.edges[1] else 1
        arcs = _expand(g, w, side, base, _limit(w.depth[0] + w.depth[1] + 1, at_least, slack, ask), budget)
        if arcs > 0:
            return arcs, side
        _grow(g, w, side)
    return 0, 0


@compiled
def _limit(shortest: int, at_least: int, slack: int, ask: Ask) -> int:
    """Longest path that the small graph of a pair must hold."""
    return min(max(shortest + slack, at_least), ask.max_hops)


@compiled
def _surround(g: Graph, w: Scratch, s: int, t: int, at_least: int, slack: int, ask: Ask) -> tuple[int, int]:
    """The small graph of a pair: hops of its shortest path (0: none), longest path it holds (0: cut before it was made).

    `at_least`: hops that it must hold even if the shortest path and the slack ask for fewer.
    """
    if w.epoch[0] >= _LAST_EPOCH:
        w.mark.fill(0)
        w.epoch[0] = 0
    w.epoch[0] += _EPOCH
    base = w.epoch[0]
    arcs, side = _meet(g, w, s, t, base, at_least, slack, ask)
    if arcs == 0:
        return 0, 0
    shortest = w.depth[0] + w.depth[1] + 1
    limit = _limit(shortest, at_least, slack, ask)
    if limit == shortest:
        # Not before: a node that knows its hops is no longer queued, which a longer search relies on.
        for arc in range(arcs):
            _learn(w, w.tail[arc], base, 1, _hops(w.mark[w.head[arc]], base, 1) + 1)
            _learn(w, w.head[arc], base, 0, _hops(w.mark[w.tail[arc]], base, 0) + 1)
    else:
        arcs = _widen(g, w, side, base, limit, ask.max_expansions)
        if w.spent[0] > ask.max_expansions:
            return shortest, 0
    for end in range(2):
        _reach(g, w, end, base, shortest, limit)
    for end in range(2):
        arcs = _inner_arcs(g, w, end, base, arcs, limit)
    w.slot[s] = w.slot[t] = -1
    rows = _local(w, base, arcs, limit)
    if w.slot[s] < 0 or w.slot[t] < 0:
        return 0, 0
    _price(w, g.delta, rows, shortest, limit)
    return shortest, limit


@compiled
def _widen(g: Graph, w: Scratch, side: int, base: int, limit: int, budget: int) -> int:
    """Walk on from the meeting until both sides cover `limit` hops; the arcs that join them, of no use when it was cut."""
    _grow(g, w, side)
    while w.depth[0] + w.depth[1] < limit - 1 and w.spent[0] <= budget:
        next_side = 0 if w.edges[0] <= w.edges[1] else 1
        _expand(g, w, next_side, base, 0, budget)
        _grow(g, w, next_side)
    if w.spent[0] > budget:
        return 0
    return _join(g, w, 0 if w.edges[0] <= w.edges[1] else 1, base, budget)


@compiled
def _fewest(w: Scratch, delta: NDArray[np.int8], shortest: int, limit: int, budget: int) -> int:
    """Hops of the shortest path that the rules let stand; 0 where none has at most `limit`."""
    if delta.shape[0] == 1:
        return shortest
    start = w.slot[w.pair[0]] * delta.shape[0]
    for hops in range(shortest, limit + 1):
        if w.togo[hops, start] < _MANY and _list(w, delta, 1, 1, hops, budget) > 0:
            return hops
    return 0


@compiled
def _search_pair(g: Graph, w: Scratch, s: int, t: int, keep: int, ask: Ask) -> int:
    """How many paths are kept in `w`. A pair that is cut on the way to longer paths lists of its shortest ones."""
    at_least, budget = 0, ask.max_expansions
    while True:
        before = w.spent[0]
        shortest, limit = _surround(g, w, s, t, at_least, ask.slack, ask)
        if shortest > 0 and limit == 0:
            # Levels that were walked in part tell no distances: back to the meeting, which cost no more than it did before.
            w.spent[0] = before
            shortest, limit = _surround(g, w, s, t, 0, 0, ask)
            w.spent[0] = max(w.spent[0], budget + 1)
        if shortest == 0:
            return 0
        cut = w.spent[0] > budget
        fewest = _fewest(w, g.delta, shortest, limit, budget)
        wanted = min(fewest + ask.slack if fewest else limit + 1, ask.max_hops)
        if wanted <= limit or cut:
            if not fewest and not cut:
                return 0
            return _list(w, g.delta, keep, 2 * keep + 1, min(wanted, limit), budget)
        at_least = wanted


@compiled
def _emit(w: Scratch, row: int, path: int, out: Found) -> None:
    """Write a kept path as number `path` of the batch."""
    first, hops = out.path_offsets[path], w.kept_key[row] & 15
    for hop in range(hops):
        arc = w.kept_arcs[row, hop]
        out.nodes[first + hop] = w.nodes[w.tail[arc]]
        out.nodes[first + hop + 1] = w.nodes[w.head[arc]]
        out.ref[first - path + hop] = w.ref[arc]
    out.cost[path] = w.kept_key[row] >> 4
    out.path_offsets[path + 1] = first + hops + 1


@compiled
def search_pairs(g: Graph, w: Scratch, ask: Ask, out: Found) -> None:
    """Write the paths of each pair to `out`, whose arrays are as long as the bounds allow (kg_spark.paths.search)."""
    n = len(g.offsets) - 1
    paths = 0
    for pair in range(len(ask.sources)):
        s, t = ask.sources[pair], ask.targets[pair]
        if s != t and 0 <= s < n and 0 <= t < n:
            w.spent[0] = 0
            w.pair[0], w.pair[1], w.pair[2] = s, t, ask.drop_direct
            w.pair[3] += 2
            for i in range(ask.around_offsets[pair], ask.around_offsets[pair + 1]):
                if 0 <= ask.around[i] >> 1 < n:
                    w.flag[ask.around[i] >> 1] = w.pair[3] + (ask.around[i] & 1)
            kept = _search_pair(g, w, s, t, ask.keep[pair], ask)
            out.truncated[pair] = w.spent[0] > ask.max_expansions
            out.ways[pair] = w.ways[w.slot[s]] if kept and g.delta.shape[0] == 1 else 0
            for row in range(kept):
                _emit(w, row, paths + row, out)
            paths += kept
        out.pair_offsets[pair + 1] = paths


@compiled
def step_entries(g: Graph, edge_row: I32, found: Found, offsets: I32, entries: I64) -> int:
    """Fill the offsets of each step's edges, and `entries` too when it has room, by edge row; how many entries there are."""
    fill, ruled = len(entries) > 0, len(g.rule) > 0
    count = 0
    for path in range(len(found.cost)):
        first, last = found.path_offsets[path], found.path_offsets[path + 1] - 2
        for place in range(first, last + 1):
            step = place - path
            entry, in_second_row = found.ref[step] >> 1, found.ref[step] & 1
            end = g.offsets[found.nodes[place + in_second_row] + 1]
            ends = (place == first, place == last)
            begin, other = count, g.target[entry]
            while entry < end and g.target[entry] == other:
                if not ruled or is_open(
                    g.rule[entry], g.walk[in_second_row], ends[in_second_row], ends[1 - in_second_row]
                ):
                    at = count
                    while fill and at > begin and edge_row[entries[at - 1]] > edge_row[entry]:
                        entries[at] = entries[at - 1]
                        at -= 1
                    if fill:
                        entries[at] = entry
                    count += 1
                entry += 1
            offsets[step + 1] = count
    return count
