"""The learnt ranker: what it may see, and that its scores are the same everywhere."""

from itertools import pairwise

import numba
import numpy as np
import pytest

from kg_spark.paths.rank_data import DAMPING, MechanismGraph
from kg_spark.paths.rank_evaluation import POOL, SEARCH, joined
from kg_spark.paths.rank_features import Batch, Meaning
from kg_spark.paths.ranking import (
    graph_of,
    load_model,
    load_ranker,
    ordered,
    pattern_key,
    ranker_name,
    ranker_of,
    rerank,
    score,
)
from kg_spark.paths.search import Found, Graph, scratch, search
from tests.kg_spark.path_graphs import Edge, index_of

TYPES = ["biological_process", "disease", "drug", "gene/protein"]
RELATIONS = [
    Meaning("decreases_activity_of", "causal", "-", may_carry=True),
    Meaning("positively_regulates", "causal", "+", may_carry=True),
    Meaning("positively_correlated_with", "association", "+", may_carry=True),
]


def drawn(seed: int, n: int = 60, m: int = 240) -> MechanismGraph:
    rng = np.random.default_rng(seed)
    src, dst, relation = rng.integers(0, n, m), rng.integers(0, n, m), rng.integers(0, len(RELATIONS), m)
    triples = np.unique(np.stack([src, relation, dst], axis=1)[src != dst], axis=0).astype(np.int32)
    return MechanismGraph(
        types=TYPES,
        node_type=rng.integers(0, len(TYPES), n).astype(np.int16),
        relations=RELATIONS,
        src=triples[:, 0],
        relation=triples[:, 1],
        dst=triples[:, 2],
        symmetric=triples[:, 1] == 2,
    )


def relabelled(graph: MechanismGraph, to: np.ndarray) -> MechanismGraph:
    """The same graph under other numbers, its edges in another order."""
    order = np.random.default_rng(9).permutation(len(graph.src))
    return MechanismGraph(
        types=graph.types,
        node_type=graph.node_type[np.argsort(to)],
        relations=graph.relations,
        src=to[graph.src][order].astype(np.int32),
        dst=to[graph.dst][order].astype(np.int32),
        relation=graph.relation[order],
        symmetric=graph.symmetric[order],
    )


def found(graph: MechanismGraph, pairs: list[tuple[int, int]]) -> Found:
    arrays = graph.whole
    csr = Graph(arrays.offsets, arrays.target, arrays.cost)
    room = scratch(csr, max_hops=SEARCH["max_hops"], max_expansions=SEARCH["max_expansions"], top_k=POOL)
    ends = [np.array(column, np.int32) for column in zip(*pairs, strict=True)]
    return search(csr, room, *ends, np.full(len(pairs), POOL, np.int32), **SEARCH)


def batch(paths: Found) -> Batch:
    return Batch(paths.pair_offsets, paths.path_offsets, paths.nodes, paths.cost)


def by_path(graph: MechanismGraph, paths: Found, name: np.ndarray) -> dict[tuple[int, ...], int]:
    scores, _ = score(graph.whole, paths, load_ranker())
    bounds = pairwise(paths.path_offsets.tolist())
    return {
        tuple(name[paths.nodes[a:b]].tolist()): value for (a, b), value in zip(bounds, scores.tolist(), strict=True)
    }


def test_a_score_knows_no_node_and_no_edge_by_its_identity():
    graph, to = drawn(1), np.random.default_rng(2).permutation(60)
    other = relabelled(graph, to)
    one = by_path(graph, found(graph, [(0, 1)]), np.arange(60))
    assert 20 < len(one) < POOL  # a full pool would be cut among equals by number
    assert by_path(other, found(other, [(int(to[0]), int(to[1]))]), np.argsort(to)) == one


def test_a_score_is_the_same_however_the_pairs_are_split():
    graph, pairs = drawn(3), [(0, 1), (2, 3), (4, 4), (5, 6)]
    model, arrays = load_ranker(), graph.whole
    together = score(arrays, found(graph, pairs), model)[0]
    apart = [score(arrays, found(graph, [pair]), model)[0] for pair in pairs]
    assert np.concatenate(apart).tobytes() == together.tobytes()


@pytest.mark.parametrize(
    "text",
    [
        "1 ^ drug >decreases_activity_of gene/protein",
        "1 gene/protein =positively_correlated_with disease $",
        "1 ^ drug >decreases_activity_of gene/protein =positively_correlated_with disease $",
        "2 drug >causal(-) gene/protein =association(+) disease",
        "3 ^ drug gene/protein",
        "4 >decreases_activity_of 0",
        "5 gene/protein 1",
        "6 0",
        "7 0",
        "8 2 0",
    ],
)
def test_a_pattern_as_written_in_the_file_is_found_in_the_path(text):
    graph = MechanismGraph(
        types=TYPES,
        node_type=np.array([2, 3, 1], np.int16),
        relations=RELATIONS,
        src=np.array([0, 1], np.int32),
        dst=np.array([1, 2], np.int32),
        relation=np.array([0, 2], np.int32),
        symmetric=np.array([False, True]),
    )
    model = ranker_of({}, [pattern_key(text)], [0.25])
    assert score(graph.whole, found(graph, [(0, 2)]), model)[0].tolist() == [250_000]


def test_joined_pools_are_what_one_search_gives():
    graph, pairs = drawn(3), [(0, 1), (4, 4), (5, 6)]
    one = batch(found(graph, pairs))
    assert all(map(np.array_equal, joined([batch(found(graph, [pair])) for pair in pairs]), one))


def test_without_diversity_the_order_is_by_score_then_as_found():
    order = ordered(np.array([0, 3, 5], np.int32), np.array([1, 9, 1, 4, 4]), np.zeros(5, np.uint64), 0)
    assert order.tolist() == [1, 0, 2, 3, 4]


def test_diversity_is_the_greedy_choice_with_a_loss_for_each_like_path_before():
    rng = np.random.default_rng(4)
    scores, sequences = rng.integers(0, 3_000_000, 40), rng.integers(0, 4, 40).astype(np.uint64)
    left, chosen = list(range(40)), []
    while left:
        used = [int(sequences[path]) for path in chosen]
        worth = [scores[path] - 500_000 * used.count(int(sequences[path])) for path in left]
        best = max(range(len(left)), key=lambda at: (worth[at], scores[left[at]], -left[at]))
        chosen.append(left.pop(best))
    assert ordered(np.array([0, 40], np.int32), scores, sequences, 0.5).tolist() == chosen


def test_reranked_paths_are_the_found_ones_with_their_own_steps_and_costs():
    graph = drawn(5)
    paths = found(graph, [(0, 1), (2, 3)])
    ranked = rerank(graph.whole, paths, load_ranker(), keep=[4, 1000])
    known = {rows[0]: rows[1:] for rows in _rows(paths)}
    kept = _rows(ranked.found)
    assert np.diff(ranked.found.pair_offsets).tolist() == [4, min(1000, paths.pair_offsets[2] - paths.pair_offsets[1])]
    assert all(known[rows[0]] == rows[1:] for rows in kept)


def _rows(paths: Found) -> list[tuple[tuple[int, ...], tuple[int, ...], int]]:
    return [
        (tuple(paths.nodes[a:b].tolist()), tuple(paths.ref[a - i : b - i - 1].tolist()), int(paths.cost[i]))
        for i, (a, b) in enumerate(pairwise(paths.path_offsets.tolist()))
    ]


def test_costs_leave_out_the_edges_of_the_pair():
    graph = drawn(7)
    without = [3, 8]
    rest = np.setdiff1d(np.arange(len(graph.src)), without)
    ends = [[(int(node), int(r), 0 if s else side) for node, r, s in zip(end, graph.relation, graph.symmetric, strict=True)]
            for side, end in ((1, graph.src), (2, graph.dst))]  # fmt: skip
    degree = [max(1, sum(ends[x][i] == key for i in rest for x in (0, 1))) for key in (ends[0][20], ends[1][20])]
    assert graph.costs(without)[20] == round(DAMPING * 65536 * np.log(degree[0] * degree[1]))


def test_the_benchmark_compiles_nothing_that_the_pipeline_has_not():
    graph = drawn(7)
    known = numba.typeof(graph_of(index_of(2, [Edge(src=0, dst=1)])))
    assert numba.typeof(graph.whole) == numba.typeof(graph.arrays([3])) == known


def test_noise_keeps_types_relations_and_degrees():
    graph = drawn(8)
    noisy = graph.with_noise(5, seed=1)
    m = len(graph.src)
    triples = set(zip(noisy.src.tolist(), noisy.relation.tolist(), noisy.dst.tolist(), strict=True))
    kinds = lambda rows: {(int(graph.node_type[s]), r, int(graph.node_type[d])) for s, r, d in rows}  # noqa: E731
    added = np.bincount(noisy.src[m:], minlength=60) <= 5 * np.bincount(graph.src, minlength=60)
    assert len(triples) == len(noisy.src) > 2 * m
    assert kinds(triples) == kinds(zip(graph.src.tolist(), graph.relation.tolist(), graph.dst.tolist(), strict=True))
    assert added.all()


def test_the_ranker_that_ships_says_which_pairs_it_has_learnt_from():
    made = load_model()["made"]
    assert len(set(made["pairs_seen"])) == made["pairs"]


def test_a_learnt_order_is_named_with_the_rankers_version():
    assert ranker_name("path_degree_product") == "path_degree_product"
    assert ranker_name("learned") == f"learned/{load_model()['made']['version']}"
