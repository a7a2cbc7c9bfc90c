"""Path search: the kernel against networkx on random multigraphs, and its bounds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.config import PathsConfig
from kg_spark.paths import arrow, search
from kg_spark.paths.arrow import nested
from kg_spark.paths.csr import Index
from kg_spark.paths.rules import rules_of, with_rules
from tests.kg_spark.path_graphs import Edge, index_of
from tests.kg_spark.path_oracle import Oracle, every_pair

BOUND = 1_000_000


def find(index: Index, pairs: Sequence[tuple[int, int]], config: PathsConfig, **beside: Any) -> search.Found:
    memory = search.scratch(
        index.graph, max_hops=config.max_hops, max_expansions=config.max_expansions, top_k=config.top_k
    )
    sources, targets = np.array(pairs, np.int32).reshape(-1, 2).T.copy()
    return search.search(
        index.graph,
        memory,
        sources,
        targets,
        np.full(len(pairs), config.top_k, np.int32),
        max_hops=config.max_hops,
        slack=config.slack,
        max_expansions=config.max_expansions,
        drop_direct=config.drop_direct,
        **beside,
    )


SHORTEST = PathsConfig(semantics="any", slack=0, max_expansions=BOUND)


@st.composite
def multigraphs(draw: st.DrawFn) -> tuple[int, list[Edge]]:
    """Few nodes, many edges, few costs: ties, parallel edges, loops and parts that nothing joins."""
    n = draw(st.integers(1, 9))
    ends = st.integers(0, n - 1)
    each = st.tuples(ends, ends, st.booleans(), st.integers(0, 3))
    edges = draw(st.lists(each, max_size=30))
    return n, [Edge(src=a, dst=b, symmetric=s, cost=c, twin=i) for i, (a, b, s, c) in enumerate(edges)]


ANY_NODE = st.integers(-1, 9)


CONFIGS = st.builds(
    PathsConfig,
    semantics=st.just("any"),
    max_hops=st.integers(1, 6),
    slack=st.integers(0, 3),
    top_k=st.integers(1, 6),
)
RULES = st.builds(
    PathsConfig,
    semantics=st.sampled_from(["clinical", "clinical", "any"]),
    max_hops=st.integers(1, 6),
    slack=st.integers(0, 2),
    top_k=st.integers(1, 6),
    hub_quantile=st.sampled_from([0.5, 0.9, 1.0]),
    hub_floor=st.just(1),
    directed=st.booleans(),
    exclude_relations=st.sampled_from([[], [], ["ends"], ["p2"]]),
    exclude_types=st.sampled_from([[], [], ["type 1"]]),
    max_degree=st.sampled_from([0, 0, 4]),
    drop_direct=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(multigraphs(), st.lists(st.tuples(ANY_NODE, ANY_NODE), max_size=8), CONFIGS)
def test_the_kernel_finds_what_networkx_finds(
    graph: tuple[int, list[Edge]], pairs: list[tuple[int, int]], config: PathsConfig
) -> None:
    n, edges = graph
    index = index_of(n, edges)
    found = find(index, pairs, config)
    wanted = [Oracle(n, edges, config).paths(s, t, config.top_k) for s, t in pairs]
    assert found.ways.tolist() == [ways for ways, _ in wanted]
    assert nested(index, found, -found.cost / 65536).to_pylist() == [paths for _, paths in wanted]
    assert not found.truncated.any()


@settings(max_examples=300, deadline=None)
@given(multigraphs(), RULES, st.frozensets(st.integers(0, 8), max_size=2), st.frozensets(st.integers(0, 8), max_size=2))
def test_the_kernel_keeps_the_rules(
    graph: tuple[int, list[Edge]], config: PathsConfig, blocked: frozenset[int], peers: frozenset[int]
) -> None:
    n, edges = graph
    index, oracle = index_of(n, edges), Oracle(n, edges, config)
    rules = rules_of(config)._replace(by_pair=True, exclude_relations=frozenset(config.exclude_relations))
    index = replace(index, graph=with_rules(index, rules))
    pairs = list(every_pair(n))
    words = sorted([2 * node for node in blocked] + [2 * node + 1 for node in peers - blocked])
    around = (np.arange(len(pairs) + 1) * len(words), np.array(words * len(pairs), np.int32))
    found = find(index, pairs, config, around=around)
    assert nested(index, found, -found.cost / 65536).to_pylist() == [
        oracle.paths(s, t, config.top_k, blocked, peers - blocked)[1] for s, t in pairs
    ]


@settings(max_examples=400, deadline=None)
@given(multigraphs(), RULES, st.integers(1, 400))
def test_a_cut_pair_lists_true_paths_only(graph: tuple[int, list[Edge]], config: PathsConfig, bound: int) -> None:
    n, edges = graph
    index, oracle = index_of(n, edges), Oracle(n, edges, config)
    rules = rules_of(config)._replace(by_pair=True, exclude_relations=frozenset(config.exclude_relations))
    index = replace(index, graph=with_rules(index, rules))
    pairs = list(every_pair(n))
    # One pair after the other in one memory, so that what an earlier one has left behind is there to be misread.
    found = find(index, pairs, replace(config, max_expansions=bound))
    whole = find(index, pairs, config)
    listed, exact = (nested(index, each, -each.cost / 65536).to_pylist() for each in (found, whole))
    for number, (s, t) in enumerate(pairs):
        if not found.truncated[number]:
            assert listed[number] == exact[number]
            continue
        every = {tuple(path["nodes"]): path["cost"] for path in oracle.paths(s, t, 10**6)[1]}
        assert all(every.get(tuple(path["nodes"])) == path["cost"] for path in listed[number])


def test_marks_of_earlier_pairs_are_forgotten_when_the_epochs_run_out() -> None:
    index = index_of(4, [Edge(src=0, dst=1), Edge(src=1, dst=2), Edge(src=2, dst=3)])
    memory = search.scratch(index.graph, max_hops=4, max_expansions=BOUND, top_k=3)
    memory.epoch[0] = 2**16 - 256 * 4
    many = 6
    ask = [np.full(many, number, np.int32) for number in (0, 3, 3)]
    found = search.search(index.graph, memory, *ask, max_hops=4, max_expansions=BOUND)
    assert found.nodes.reshape(many, 4).tolist() == [[0, 1, 2, 3]] * many
    assert memory.epoch[0] < 256 * (many + 1)


def bipartite(side: int) -> list[Edge]:
    """Source 0, target 1, and two layers of `side` nodes, all joined: side^2 paths, the costlier listed first."""
    left, right = range(2, 2 + side), range(2 + side, 2 + 2 * side)
    cross = [Edge(src=a, dst=b, cost=10**6 - side * a - b) for a in left for b in right]
    return [*cross, *[Edge(src=0, dst=a) for a in left], *[Edge(src=1, dst=b) for b in right]]


def test_a_bound_that_bites_is_said_and_still_gives_shortest_paths() -> None:
    index = index_of(302, bipartite(150))
    whole, cut = find(index, [(0, 1)], SHORTEST), find(index, [(0, 1)], replace(SHORTEST, max_expansions=30_000))
    assert (whole.truncated[0], cut.truncated[0]) == (False, True)
    assert (len(whole.cost), len(cut.cost)) == (50, 50)
    assert whole.ways[0] == cut.ways[0] == 150 * 150
    assert sorted(whole.cost) == list(whole.cost)
    assert cut.cost.min() > whole.cost.min()


def test_a_pair_cut_before_its_ends_meet_has_no_path_and_says_so() -> None:
    found = find(index_of(302, bipartite(150)), [(0, 1)], replace(SHORTEST, max_expansions=200))
    assert (found.truncated[0], len(found.cost)) == (True, 0)


def star(leaves: int) -> list[Edge]:
    return [Edge(src=0, dst=leaf) for leaf in range(1, leaves + 1)]


def chain(nodes: int) -> list[Edge]:
    return [Edge(src=node, dst=node + 1) for node in range(nodes - 1)]


@pytest.mark.parametrize(
    ("n", "edges", "pair", "paths"),
    [
        (302, bipartite(150), (0, 1), 50),
        (401, star(400), (7, 400), 1),
        (20_001, chain(20_000), (0, 8), 1),
        (20_001, chain(20_000), (0, 9), 0),
        # A hub of degree 10,000, and two of its neighbours joined beside it.
        (10_003, [*star(10_001), Edge(src=1, dst=10_002), Edge(src=2, dst=10_002)], (1, 2), 2),
    ],
    ids=["complete bipartite", "star", "chain", "chain too long", "hub"],
)
def test_memory_is_bounded_by_the_expansions_not_by_the_paths(
    n: int, edges: list[Edge], pair: tuple[int, int], paths: int
) -> None:
    config = replace(SHORTEST, slack=2, max_hops=8, max_expansions=50_000)
    index = index_of(n, edges)
    memory = search.scratch(index.graph, max_hops=8, max_expansions=50_000, top_k=50)
    assert sum(array.nbytes for array in memory) < 20 * n + 100 * min(50_000, len(index.graph.target) + 1) + 20_000
    assert len(find(index, [pair], config).cost) == paths


def test_pairs_that_many_questions_share_go_out_in_bounded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "_CHUNK_NODES", 100)
    index = index_of(22, bipartite(10))
    batch = pa.RecordBatch.from_pydict(
        {"source_number": [0] * 40, "target_number": [1] * 40, "keep": [7] * 40, "row": list(range(40))},
        pa.schema([(name, pa.int32()) for name in ("source_number", "target_number", "keep", "row")]),
    )
    found = list(arrow.search_batches(iter([batch]), open_index=lambda: index, config=SHORTEST))
    assert sorted(row for each in found for row in each["row"].to_pylist()) == list(range(40))
    assert len(found) > 10
    assert {len(paths) for each in found for paths in each["paths"].to_pylist()} == {7}


def test_a_graph_without_edges_has_no_paths() -> None:
    index = index_of(2, [])
    index = replace(index, graph=with_rules(index, rules_of(PathsConfig())))
    assert len(find(index, [(0, 1)], PathsConfig()).cost) == 0
