"""The step find_paths: the engines against each other and networkx, and what no pair is."""

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf import identity
from conf.config import PathsConfig
from conf.outcome import ConfigError, Outcome
from conf.table import PATH
from conf.tables import PATHS
from kg_spark.columns import conform
from kg_spark.paths import landmarks
from kg_spark.paths.ranking import ranker_name
from kg_spark.stages import find_paths
from tests.kg_spark.path_graphs import KG, Edge, World, name, random_graph
from tests.kg_spark.path_oracle import Oracle


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
    monkeypatch.setattr(landmarks, "_WORD", 8)
    monkeypatch.setattr(landmarks, "_BLOCK", 24)
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
