"""index, config -> the rules that the search heeds: one byte an entry, one a node, and a small automaton.

`any` is MedReason's walk, over every relation in either direction. `clinical` reads conf/relations.yaml:

- an edge that may not carry (place, taxon, likeness, contraindication) touches an end of the path;
- no path passes through a node from one edge to another where both have their shared trait (edges.no_passage) there:
  two drugs with one side effect, two genes of one tissue, two substrates of one enzyme;
- a path changes direction at most once; symmetric edges have none;
- an interior node whose degree in a relation lies above a quantile of that relation's degrees is not left or entered by
  that relation: such a hub says nothing about those who share it.

The graphframes engine reads the same table of transitions (DELTA) and the same quantiles.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from kg_spark.paths.kernel import BANNED, END_ONLY, HUB_HERE, HUB_THERE, SRC_HERE, SRC_THERE, TRAIT_HERE, TRAIT_THERE
from kg_spark.paths.search import NO_STATES, U8, Graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conf.config import PathsConfig
    from kg_spark.paths.csr import Index
    from kg_spark.paths.search import I32, I64


def _transitions() -> NDArray[np.int8]:
    """(states, classes) -> state, or -1.

    State: 2 * way + (the last step ended in its trait); way 0 none yet, 1 along, 2 against, 3 along after a change,
    4 against after a change. Class: 4 * direction (0 none, 1 along, 2 against) + 2 * (trait at tail) + (trait at head).
    """
    ways = ((0, 1, 2), (1, 1, 4), (2, 3, 2), (3, 3, -1), (4, -1, 4))
    table = np.full((10, 12), -1, np.int8)
    for state in range(10):
        for kind in range(12):
            way = ways[state >> 1][kind >> 2]
            if way >= 0 and not (state & 1 and kind & 2):
                table[state, kind] = 2 * way + (kind & 1)
    return table


DELTA = _transitions()


class Rules(NamedTuple):
    """The fields of the same names of PathsConfig, as a key; `by_pair`: avoid_rivals or drop_direct."""

    semantics: str
    hub_quantile: float
    hub_floor: int
    directed: bool
    exclude_relations: frozenset[str]
    exclude_types: frozenset[str]
    max_degree: int
    by_pair: bool


def rules_of(config: PathsConfig) -> Rules:
    """What of the config changes the graph that is searched."""
    return Rules(
        config.semantics,
        config.hub_quantile,
        config.hub_floor,
        config.directed,
        frozenset(config.exclude_relations),
        frozenset(config.exclude_types),
        config.max_degree,
        config.avoid_rivals or config.drop_direct,
    )


@lru_cache(maxsize=1)
def with_rules(index: Index, config: Rules) -> Graph:
    """The index's graph with its rules, as it is where there are none; made once a process (0.5 s for PrimeKG's shape)."""
    manifest = index.manifest
    return ruled(index.graph, index.step, index.node_type, config, relations=manifest.relations, types=manifest.types)


def ruled(
    graph: Graph,
    step: NDArray[np.int16],
    node_type: NDArray[np.int16],
    config: Rules,
    *,
    relations: Sequence[Mapping[str, object]],
    types: Sequence[str],
) -> Graph:
    """The graph with its rules, as it is where there are none.

    Args:
        graph: n nodes.
        step: (entries) as in an index.
        node_type: (n) a place in `types`.
        config: the rules.
        relations: by code: relation, predicate, may_carry, no_passage.
        types: names of node types.
    """
    clinical = config.semantics == "clinical"
    options = config.directed, config.exclude_relations, config.exclude_types, config.max_degree, config.by_pair
    if not (clinical or any(options)) or not len(step):
        return graph
    words = np.concatenate([_words(row, config, clinical=clinical) for row in relations]).astype(np.uint8)
    rule = words[step]
    offsets, target = graph.offsets, graph.target
    if clinical:
        thresholds = _thresholds(offsets, step, 4 * len(relations), config)
        _mark_hubs(offsets, target, step, thresholds, rule)
    degree = np.diff(offsets)
    banned = np.array([kind in config.exclude_types for kind in types], np.bool_)[node_type]
    if config.max_degree:
        banned |= degree > config.max_degree
    walk = np.array([SRC_HERE, SRC_THERE] if config.directed else [0, 0], np.uint8)
    return graph._replace(
        rule=rule, node_rule=banned.astype(np.uint8), walk=walk, delta=DELTA if clinical else NO_STATES
    )


def _words(row: Mapping[str, object], config: Rules, *, clinical: bool) -> U8:
    """(4) The rule of a relation's entries by the two bits that say where its src stands."""
    word = BANNED if {row["relation"], row["predicate"]} & config.exclude_relations else 0
    if clinical and not row["may_carry"]:
        word |= END_ONLY
    # Bits of an index's step: 1 where the row's own node is src, 2 where the other is; both where symmetric.
    turns = np.array([0, SRC_HERE, SRC_THERE, SRC_HERE | SRC_THERE], np.uint8)
    trait = {"src": (0, TRAIT_HERE, TRAIT_THERE, 0), "dst": (0, TRAIT_THERE, TRAIT_HERE, 0)}
    shared = np.array(trait.get(str(row["no_passage"]), (0, 0, 0, 0)) if clinical else (0, 0, 0, 0), np.uint8)
    return turns | shared | np.uint8(word)


def _thresholds(offsets: I64, step: NDArray[np.int16], codes: int, config: Rules) -> I64:
    """(codes) By relation and direction: the largest degree that is no hub's."""
    code = np.empty(len(step), np.int16)
    count = np.empty(len(step), np.int32)
    filled = _count_steps(offsets, step, codes, code, count)
    code, count = code[:filled], count[:filled]
    limits = np.full(codes, np.iinfo(np.int64).max, np.int64)
    for each in np.unique(code):
        limits[each] = hub_limit(count[code == each], config.hub_quantile, config.hub_floor)
    return limits


def hub_limit(degrees: I32 | I64, quantile: float, floor: int) -> int:
    """The largest degree that is no hub's, of all degrees of a relation in one direction."""
    return max(floor, int(np.quantile(degrees, quantile, method="inverted_cdf")))


def _count(
    offsets: I64, step: NDArray[np.int16], codes: int, code: NDArray[np.int16], count: I32
) -> int:  # pragma: no cover  compiled
    """Degrees of every node by step code, one after the other; how many there are."""
    degree, filled = np.zeros(codes, np.int32), 0
    for u in range(len(offsets) - 1):
        for e in range(offsets[u], offsets[u + 1]):
            degree[step[e]] += 1
        for e in range(offsets[u], offsets[u + 1]):
            if degree[step[e]] > 0:
                code[filled], count[filled] = step[e], degree[step[e]]
                filled += 1
                degree[step[e]] = 0
    return filled


def _mark(
    offsets: I64, target: I32, step: NDArray[np.int16], thresholds: I64, rule: U8
) -> None:  # pragma: no cover  compiled
    """Set the hub bits of entries."""
    codes = len(thresholds)
    hub = np.zeros((len(offsets) - 1, codes), np.bool_)
    degree = np.zeros(codes, np.int32)
    for u in range(len(offsets) - 1):
        for e in range(offsets[u], offsets[u + 1]):
            degree[step[e]] += 1
        for e in range(offsets[u], offsets[u + 1]):
            hub[u, step[e]] = degree[step[e]] > thresholds[step[e]]
        for e in range(offsets[u], offsets[u + 1]):
            degree[step[e]] = 0
    for u in range(len(offsets) - 1):
        for e in range(offsets[u], offsets[u + 1]):
            # The same edge in the other row: its two bits change places.
            back = (step[e] & ~3) | ((step[e] & 1) << 1) | ((step[e] >> 1) & 1)
            if hub[u, step[e]]:
                rule[e] |= HUB_HERE
            if hub[target[e], back]:
                rule[e] |= HUB_THERE


_count_steps = numba.njit(cache=True)(_count)
_mark_hubs = numba.njit(cache=True)(_mark)
