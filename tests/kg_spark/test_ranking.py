"""The learnt ranker: what it may see, that its scores are the same everywhere, and its benchmark."""

import gzip
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numba
import numpy as np
import pytest

from conf.identity import digest
from jobs.rank_benchmark import main
from kg_spark.paths.rank_data import DAMPING, GoldPair, MechanismGraph
from kg_spark.paths.rank_evaluation import POOL, SEARCH, joined, splits
from kg_spark.paths.rank_features import Batch, Meaning
from kg_spark.paths.ranking import (
    FORMAT,
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

DRUGMECHDB = Path(os.environ.get("DRUGMECHDB", "../shared/data/drugmechdb"))

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


@pytest.mark.parametrize("scheme", ["drug", "disease", "both"])
def test_folds_share_no_drug_and_no_disease_and_test_each_pair_once(scheme):
    rng = np.random.default_rng(6)
    ends = {(int(a), int(b)) for a, b in rng.integers(0, 40, (300, 2))}
    pairs = [GoldPair(drug=a, disease=100 + b, paths=frozenset(), own=()) for a, b in sorted(ends)]
    tested: list[int] = []
    for test, train in splits(pairs, scheme, folds=4, seed=0):
        tested += test.tolist()
        for end in ("drug", "disease") if scheme == "both" else (scheme,):
            assert not {getattr(pairs[i], end) for i in test} & {getattr(pairs[i], end) for i in train}
    assert sorted(tested) == list(range(len(pairs)))


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


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("data=nowhere", "nowhere/nodes.tsv does not exist"),
        ("lern=true", "unknown key 'lern'"),
        ("folds=1", "folds must be at least 2"),
        ("folds=many", "folds"),
        ("seed=-1", "at least 0"),
        ("diversity=nan", "at least 0"),
        ("learn", "not key=value"),
        ("schemes=both", "say 'schemes=[both]'"),
    ],
)
def test_what_the_user_can_put_right_is_one_line(argument, told, capsys):
    code = main([argument])
    line = capsys.readouterr().err
    assert code == 2
    assert told in line
    assert line.count("\n") == 1


def mechanisms(folder: Path, chains: list[str]) -> None:
    """DrugMechDB's files of some gold paths, each written `D1 relation P1 relation X1`; a node's letter is its type."""
    types = {"D": "Drug", "P": "Protein", "A": "GrossAnatomicalStructure", "X": "Disease"}
    paths = [
        [
            [src, name.replace("_", " "), dst]
            for src, name, dst in zip(words[::2], words[1::2], words[2::2], strict=False)
        ]
        for words in map(str.split, chains)
    ]
    nodes = sorted({node for path in paths for src, _, dst in path for node in (src, dst)})
    tables = {
        "nodes.tsv": ["id\tname\ttype", *[f"{node}\t{node}\t{types[node[0]]}" for node in nodes]],
        "edges.tsv.gz": ["src\trelation\tdst", *["\t".join(link) for path in paths for link in path]],
        "gold_paths.jsonl.gz": [
            json.dumps({"drug_id": path[0][0], "disease_id": path[-1][2], "links": path}) for path in paths
        ],
    }
    for name, lines in tables.items():
        with (gzip.open if name.endswith(".gz") else open)(folder / name, "wt", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


def test_what_the_pipelines_rules_and_defaults_cost_stands_beside_the_wide_search(tmp_path, capsys):
    mechanisms(
        tmp_path,
        [
            "D1 decreases_activity_of P1 causes X1",
            "D2 causes P2 causes P3 causes P4 causes P5 causes X2",  # five hops: beyond the defaults
            "D3 causes P6 occurs_in A1 causes X3",  # an edge that may not carry, inside the path
            "D4 located_in A2 location_of X4",  # two such edges at the ends, but they meet in what they share
        ],
    )
    assert main([f"data={tmp_path}"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert shown["reachable"] == shown["hit_at_1"] == 1.0
    shares = {"clinical": 0.5, "defaults": 0.25}
    assert {name: one["reachable"] for name, one in shown["searches"].items()} == shares
    for ranker in ("shipped", "path_degree_product", "shortest"):
        assert {name: one["rankers"][ranker]["hit_at_1"] for name, one in shown["searches"].items()} == shares


def test_an_edge_that_ends_nowhere_is_one_line(tmp_path, capsys):
    mechanisms(tmp_path, ["D1 causes P1 causes X1"])
    rows = (tmp_path / "nodes.tsv").read_text().splitlines()
    (tmp_path / "nodes.tsv").write_text("\n".join(row for row in rows if not row.startswith("P1")) + "\n")
    assert main([f"data={tmp_path}"]) == 2
    line = capsys.readouterr().err
    assert "edges.tsv.gz: 1 ends are not in nodes.tsv, the first is 'P1'" in line
    assert line.count("\n") == 1


def test_noise_that_has_nothing_to_add_is_one_line(tmp_path, capsys):
    mechanisms(tmp_path, ["D1 causes P1 causes X1"])
    assert main([f"data={tmp_path}", "noise=3"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("rank_benchmark: noise=3 adds no edge")
    assert line.count("\n") == 1


def test_a_pair_that_the_ranker_has_learnt_from_is_known_again_in_another_file(tmp_path, capsys):
    mechanisms(tmp_path, ["D1 causes P1 causes X1", "D2 causes P2 causes X2"])
    seen = digest("D1", "X1")[:8]
    made = {"version": "1", "gold_sha256": "of a larger file", "pairs_seen": [seen, "ffffffff"]}
    (tmp_path / "ranker.json").write_text(json.dumps({"format": FORMAT, "made": made, "measures": {}, "patterns": {}}))
    assert main([f"data={tmp_path}", f"model={tmp_path / 'ranker.json'}"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1])["shipped_has_seen"] == 0.5
    assert "learnt from 50.0% of these pairs" in out


def test_the_ranker_that_ships_says_which_pairs_it_has_learnt_from():
    made = load_model()["made"]
    assert len(set(made["pairs_seen"])) == made["pairs"]


def test_a_learnt_order_is_named_with_the_rankers_version():
    assert ranker_name("path_degree_product") == "path_degree_product"
    assert ranker_name("learned") == f"learned/{load_model()['made']['version']}"


def test_a_folder_that_is_not_there_to_write_to_is_told_before_anything_is_learnt(capsys):
    assert main(["learn=true", "write=nowhere/ranker.json"]) == 2
    assert capsys.readouterr().err.startswith("rank_benchmark: nowhere does not exist")


@pytest.mark.slow
@pytest.mark.skipif(not DRUGMECHDB.is_dir(), reason="DrugMechDB is not there (DRUGMECHDB=folder)")
def test_the_benchmark_ends_with_its_figures_in_json():
    command = [sys.executable, "-m", "jobs.rank_benchmark", f"data={DRUGMECHDB}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    strict = load_model()["made"]["figures"]["learnt_both"]
    assert figures["rankers"]["shipped"] == {name: figures[name] for name in figures["rankers"]["shipped"]}
    assert figures["hit_at_10"] > figures["rankers"]["path_degree_product"]["hit_at_10"]
    assert strict["hit_at_10"] >= 0.65
    assert strict["hit_at_50"] >= 0.78
    assert strict["mrr"] >= 0.42
