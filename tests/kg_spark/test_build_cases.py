"""cases: what a model is shown, and in which order."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pyspark.sql import Row, SparkSession

from conf.config import CasesConfig
from conf.tables import EDGES, LINKS, NODES, PATHS, QUESTIONS, SCREENED
from kg_spark.stages import build_cases
from tests.kg_spark.frames import frame

START = "N:start"
SYNONYMS = {"N:a": ["zeta", "alpha", "x" * 101], START: ["never shown"]}


def path(node: str, target: str, *, rank: int, cost: int, score: float) -> dict[str, Any]:
    """Two hops over `node`; edges are named by their ends."""
    nodes = [START, node, target]
    return {
        "path_id": node,
        "nodes": nodes,
        "edges": [[f"{a}>{b}"] for a, b in pairwise(nodes)],
        "forward": [[True], [True]],
        "hops": 2,
        "cost": cost,
        "rank": rank,
        "score": score,
    }


def case_of(
    spark: SparkSession,
    pairs: dict[str, list[dict[str, Any]]],
    links: Sequence[tuple[str, str, str]] = (),
    **config: int,
) -> Row:
    """The only case; targets are the answer's, or option B's where they begin so; links are (side, node, assertion)."""
    key = {"question_id": "q", "source": START, "kg_version": "v"}
    sides = {target: ("option", "B") if target.startswith("B:") else ("answer", "") for target in pairs}
    paths = [
        {**key, "side": sides[target][0], "option_key": sides[target][1], "target": target, "paths": found}
        for target, found in pairs.items()
    ]
    every = [one for found in pairs.values() for one in found]
    nodes = {node for one in every for node in one["nodes"]}
    edges = {(*edge.split(">"), edge) for one in every for [edge] in one["edges"]}
    cases = build_cases.run(
        frame(spark, SCREENED, [{"question_id": "q", "flags": []}]),
        frame(spark, QUESTIONS, [{"question_id": "q", "question": "?", "options": [], "answer": "a", "flags": []}]),
        frame(spark, LINKS, [{"question_id": "q", "side": side, "node_id": n, "assertion": a} for side, n, a in links]),
        frame(spark, PATHS, paths),
        frame(
            spark, NODES, [{"node_id": node, "name": node, "synonyms": SYNONYMS.get(node)} for node in sorted(nodes)]
        ),
        frame(
            spark,
            EDGES,
            [
                {"edge_id": i, "src": a, "dst": b, "relation": "r", "phrase": "p", "inverse_phrase": "ip"}
                for a, b, i in sorted(edges)
            ],
        ),
        config=CasesConfig(**config),
    ).tables["cases"]
    [case] = cases.collect()
    return case


def shown(spark: SparkSession, pairs: dict[str, list[dict[str, Any]]], **config: int) -> list[list[str]]:
    """path_ids by pair as the case shows them."""
    return [[one.path_id for one in pair.paths] for pair in case_of(spark, pairs, **config).pairs]


def test_a_case_keeps_the_order_of_the_ranker_not_of_the_cost(spark: SparkSession) -> None:
    learnt = [
        path("dear", "T", rank=1, cost=9, score=2.0),
        path("mid", "T", rank=2, cost=5, score=1.0),
        path("cheap", "T", rank=3, cost=1, score=-1.0),
    ]
    assert shown(spark, {"T": learnt}, max_paths=2) == [["dear", "mid"]]


def test_each_pairs_best_comes_before_any_pairs_second_then_by_score(spark: SparkSession) -> None:
    weak = [path("a1", "A", rank=1, cost=1, score=0.5), path("a2", "A", rank=2, cost=2, score=0.25)]
    strong = [path("b1", "B", rank=1, cost=9, score=3.0), path("b2", "B", rank=2, cost=9, score=2.0)]
    assert shown(spark, {"A": weak, "B": strong}, max_paths=3) == [["b1", "b2"], ["a1"]]


def test_a_quarter_of_the_places_is_for_the_other_options_so_that_a_foil_can_be_written(spark: SparkSession) -> None:
    many = {f"A{n:02}": [path(f"a{n:02}", f"A{n:02}", rank=1, cost=n, score=-float(n))] for n in range(12)}
    rivals = [path(f"b{n}", "B:x", rank=n, cost=n, score=-float(n)) for n in (1, 2, 3)]
    assert shown(spark, many | {"B:x": rivals}, max_paths=8) == [*[[f"a{n:02}"] for n in range(6)], ["b1", "b2"]]
    assert shown(spark, {"A00": many["A00"], "B:x": rivals}, max_paths=8) == [["a00"], ["b1", "b2", "b3"]]


def test_what_the_question_denies_is_told_beside_the_paths(spark: SparkSession) -> None:
    links = [("question", START, "present"), ("question", "N:a", "absent"), ("question", "N:b", "family")]
    links.append(("option", "N:t", "absent"))
    pairs = {
        "N:t": [path(node, "N:t", rank=n, cost=n, score=-float(n)) for n, node in enumerate(("N:a", "N:b"), start=1)]
    }
    told = [(each.name, each.assertion) for each in case_of(spark, pairs, links).negatives]
    assert told == [("N:a", "absent"), ("N:b", "family")]


def test_the_names_of_the_answer_s_nodes_ride_along_and_no_other_s(spark: SparkSession) -> None:
    links = [("answer", "N:a", "present"), ("answer", "N:t", "present"), ("question", START, "present")]
    pairs = {"N:t": [path("N:a", "N:t", rank=1, cost=1, score=-1.0)]}
    assert case_of(spark, pairs, links).answer_names == ["N:a", "N:t", "alpha", "zeta"]
