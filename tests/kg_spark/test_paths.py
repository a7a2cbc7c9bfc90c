"""Path search: the kernel against networkx on random multigraphs, the engines against each other, the index refused."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf import identity
from conf.config import PathsConfig
from conf.outcome import ConfigError, ContractError, Outcome
from conf.table import PATH
from conf.tables import PATHS
from kg_spark.columns import conform
from kg_spark.paths import arrow, graphframes, search
from kg_spark.paths.arrow import nested
from kg_spark.paths.csr import Index, build_index, open_index
from kg_spark.paths.ranking import ranker_name
from kg_spark.paths.rules import rules_of, with_rules
from kg_spark.stages import find_paths
from tests.kg_spark.path_graphs import KG, Edge, World, index_of, name, node_type, random_graph
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
    assert sum(array.nbytes for array in memory) < 20 * n + 300 * min(50_000, len(index.graph.target) + 1) + 20_000
    assert len(find(index, [pair], config).cost) == paths


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    found = conform(outcome.tables["paths"], PATHS).toArrow().to_pylist()
    return sorted(found, key=lambda row: tuple(row[key] for key in PATHS.key))


def rejects(outcome: Outcome) -> set[tuple[str, str, str, str]]:
    return {(r["entity"], r["key"], r["reason"], r["detail"]) for r in outcome.rejects.collect()}


@pytest.fixture(scope="module")
def world(spark: SparkSession) -> World:
    """60 nodes, 12 questions that name 2 nodes and have 3 options; 59 is apart."""
    rng = random.Random(7)
    links = []
    for question in range(12):
        links += [(f"q{question}", "question", "", name(rng.randrange(59))) for _ in range(2)]
        goals = {"A": ("answer", rng.randrange(60)), "B": ("option", rng.randrange(60)), "C": ("option", 59)}
        links += [(f"q{question}", side, key, name(number)) for key, (side, number) in goals.items()]
    return World(spark=spark, n=60, edges=random_graph(1, 59, 90), links=sorted(set(links)), generic=frozenset({3}))


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What the csr engine gives for the world."""

    rows: list[dict[str, Any]]
    rejects: set[tuple[str, str, str, str]]
    units_in: int


@pytest.fixture(scope="module")
def compiled(world: World, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    outcome = world.run(tmp_path_factory.mktemp("world"))
    return Compiled(rows=rows(outcome), rejects=rejects(outcome), units_in=outcome.units_in)


ENGINES = (
    {
        "semantics": "clinical",
        "slack": 1,
        "hub_quantile": 0.9,
        "hub_floor": 1,
        "avoid_rivals": True,
        "drop_direct": True,
    },
    {
        "semantics": "any",
        "slack": 2,
        "directed": True,
        "max_degree": 30,
        "exclude_types": ["type 1"],
        "exclude_relations": ["p2", "holds"],
    },
)


@pytest.mark.slow
@pytest.mark.parametrize("config", ENGINES, ids=lambda config: "-".join(map(str, config.values())))
def test_both_engines_give_equal_tables(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    # So that a few landmarks fill more than one word and more than one block.
    monkeypatch.setattr(graphframes, "_WORD", 8)
    monkeypatch.setattr(graphframes, "_BLOCK", 24)
    compiled, joined = (world.run(tmp_path, engine=engine, **config) for engine in ("csr", "graphframes"))
    assert len(rows(compiled)) > 4
    assert rows(joined) == rows(compiled)
    assert rejects(joined) == rejects(compiled)


@pytest.mark.slow
def test_the_stage_gives_what_networkx_gives(world: World, compiled: Compiled) -> None:
    brute = Oracle(world.n, world.edges, PathsConfig())
    for row in compiled.rows:
        keep = 5 if row["side"] == "answer" else 2
        ends = [int(row[end][2:]) for end in ("source", "target")]
        _, wanted = brute.paths(*ends, keep)
        ids = [{"path_id": identity.path_id(path["nodes"]), **path} for path in wanted]
        assert row["paths"] == [{field.name: path[field.name] for field in PATH} for path in ids]
        assert (row["ranker"], row["kg_version"], row["truncated"]) == ("path_degree_product", KG, False)
    assert compiled.units_in == len(compiled.rows) + len(compiled.rejects)


@pytest.mark.slow
def test_the_learnt_ranker_orders_the_same_paths(world: World, tmp_path: Path) -> None:
    by_cost, learnt = (rows(world.run(tmp_path, ranker=r, top_k=90)) for r in ("path_degree_product", "learned"))
    sets = [[{path["path_id"] for path in row["paths"]} for row in found if row["side"] == "answer"]
            for found in (by_cost, learnt)]  # fmt: skip
    assert sets[0] == sets[1]
    assert {row["ranker"] for row in learnt} == {ranker_name("learned")}
    assert [row["paths"] for row in learnt] != [row["paths"] for row in by_cost]


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "seed"), [(1, 11), (4, 12), (16, 13)])
def test_partitions_and_row_order_change_nothing(
    world: World, compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: int, seed: int
) -> None:
    monkeypatch.setattr(find_paths, "_PAIRS_PER_TASK", -(-compiled.units_in // tasks))
    assert rows(replace(world, seed=seed).run(tmp_path)) == compiled.rows


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


@pytest.mark.slow
def test_an_exclusion_that_excludes_nothing_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"paths.exclude_types: 'type 7' is not in the graph; it has type 0, type 1"):
        world.run(tmp_path, exclude_types=["type 7"])


@pytest.mark.slow
def test_what_is_no_pair_and_what_has_no_path(spark: SparkSession, tmp_path: Path) -> None:
    links = [
        ("q", "question", "", name(0)),
        ("q", "question", "", name(3)),
        ("q", "question", "", name(2), "absent"),
        ("q", "question", "", name(4), "family"),
        ("q", "answer", "A", name(1)),
        ("q", "option", "B", name(0)),
        ("q", "option", "C", name(1)),
        ("q", "option", "D", name(4)),
        ("q", "option", "E", name(3)),
        ("q", "option", "F", "N:unknown"),
        ("unscreened", "question", "", name(0)),
        ("unscreened", "answer", "A", name(1)),
    ]
    edges = [Edge(src=0, dst=1), Edge(src=0, dst=3), Edge(src=3, dst=4)]
    outcome = World(spark=spark, n=5, edges=edges, links=links, generic=frozenset({3})).run(tmp_path, max_hops=1)
    assert [(row["side"], row["option_key"], row["target"]) for row in rows(outcome)] == [
        ("answer", "A", name(1)),
        ("option", "C", name(1)),
    ]
    assert rejects(outcome) == {
        ("pair", f"q|option|B|{name(0)}|{name(0)}", "SAME_NODE", "node 0 - node 0"),
        ("pair", f"q|option|D|{name(0)}|{name(4)}", "NO_PATH", "node 0 - node 4"),
        ("pair", f"q|option|F|{name(0)}|N:unknown", "NO_PATH", "node 0 - ?"),
    }
    assert outcome.units_in == 5


@pytest.fixture
def small(spark: SparkSession, tmp_path: Path) -> Path:
    """The folder of a small index."""
    world = World(spark=spark, n=4, edges=random_graph(2, 4, 12), links=[])
    build_index(world.nodes, world.edge_frame, str(tmp_path / "lake"), kg_version=KG)
    return tmp_path / "lake"


@pytest.mark.slow
def test_an_index_opens_as_it_was_built(small: Path, tmp_path: Path) -> None:
    index, wanted = open_index(str(small), str(tmp_path / "local"), KG), index_of(4, random_graph(2, 4, 12))
    assert index.node_ids.to_pylist() == wanted.node_ids.to_pylist()
    assert np.array_equal(index.edge_ids, wanted.edge_ids)
    assert all(np.array_equal(have, want) for have, want in zip(index.graph, wanted.graph, strict=True))
    relations = [e.relation for e in sorted(random_graph(2, 4, 12), key=lambda e: e.edge_id)]
    assert [index.manifest.relations[code] for code in index.step >> 2] == [relations[row] for row in index.edge_row]
    assert [index.manifest.types[code] for code in index.node_type] == [node_type(number) for number in range(4)]


@pytest.mark.slow
def test_a_corrupted_index_is_refused(small: Path, tmp_path: Path) -> None:
    path = small / "target.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ContractError, match=r"corrupted, target\.npy has another checksum"):
        open_index(str(small), str(tmp_path / "local"), KG)
    path.unlink()
    with pytest.raises(ContractError, match=r"corrupted, target\.npy is missing"):
        open_index(str(small), str(tmp_path / "local"), KG)
    assert not any(each.is_dir() for each in (tmp_path / "local").iterdir())


@pytest.mark.slow
def test_a_stale_index_is_refused_and_one_of_another_format_too(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=f"is of graph {KG}, not fedcba9876543210"):
        open_index(str(small), str(tmp_path / "local"), "fedcba9876543210")
    manifest = json.loads((small / "manifest.json").read_text())
    (small / "manifest.json").write_text(json.dumps({**manifest, "format": 1}))
    with pytest.raises(ContractError, match="has format 1, not 2"):
        open_index(str(small), str(tmp_path / "local"), KG)
    with pytest.raises(ContractError, match="no path index in"):
        open_index(str(tmp_path / "nowhere"), str(tmp_path / "local"), KG)


@pytest.mark.slow
def test_a_damaged_local_copy_is_made_again(small: Path, tmp_path: Path) -> None:
    first = open_index(str(small), str(tmp_path / "local"), KG)
    [copied] = (tmp_path / "local").glob("*/target.npy")
    copied.unlink()
    assert np.array_equal(open_index(str(small), str(tmp_path / "local"), KG).graph.target, first.graph.target)


@pytest.mark.slow
def test_a_graph_whose_numbers_are_no_ranks_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    nodes = spark.createDataFrame([(name(1), 0, "t"), (name(0), 1, "t")], "node_id string, number int, type string")
    edges = World(spark=spark, n=2, edges=[Edge(src=0, dst=1)], links=[]).edge_frame
    with pytest.raises(ContractError, match="not the rank of node_id"):
        build_index(nodes, edges, str(tmp_path / "lake"), kg_version=KG)
    fewer = nodes.selectExpr("node_id", "1 - number as number", "type").where("number = 0")
    with pytest.raises(ContractError, match="a dst is not among the nodes"):
        build_index(fewer, edges, str(tmp_path / "lake"), kg_version=KG)
    assert not (tmp_path / "lake").exists()
