"""Of a question's chains the best is released, and none that was answered wrong or cites what is not there."""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.tables import CASES, CHAINS, EDGES, QUESTIONS, VERDICTS
from kg_spark.stages import assemble_release
from tests.kg_spark.frames import frame
from tests.medreason_ray.drawn import case

pytestmark = pytest.mark.slow

CASE = case(1, ("A treats B, B presents C",))
REAL, SECOND = CASE["edges"]


def chain(name: str, *, sample: int = 0, arm: str = "answer", cites: dict[str, Any] = REAL) -> dict[str, Any]:
    path = CASE["pairs"][0]["paths"][0]["path_id"]
    edge = {"path_id": path, "hop": 0} | {key: cites[key] for key in ("edge_id", "src", "relation", "dst")}
    steps = [{"text": "So it is.", "support": "kg", "edges": [edge], "quote": None, "mentions": []}]
    own = {"chain_id": name, "sample": sample, "arm": arm, "steps": steps, "evidence": [path], "reasoning": name}
    return {"question_id": CASE["question_id"], "model": "m", "kg_version": "drawn"} | own


def verdict(name: str, agrees: bool | None, arm: str = "chain") -> dict[str, Any]:
    return {"chain_id": name, "arm": arm, "agrees": agrees, "method": "match", "judge_model": "m"}


BEST = {
    "right before unasked before wrong": (
        [chain("wrong"), chain("unasked", sample=1), chain("right", sample=2)],
        [verdict("wrong", False), verdict("unasked", None), verdict("right", True)],
        "right",
    ),
    "the better grounded of two that are right": (
        [chain("loose", cites=REAL | {"relation": "cures"}), chain("sound", sample=1)],
        [verdict("loose", True), verdict("sound", True)],
        "sound",
    ),
    "the first of equals": ([chain("b", sample=1), chain("a", sample=0)], [], "a"),
    "a foil never": ([chain("foil", arm="foil"), chain("own", sample=1)], [verdict("foil", True, "foil")], "own"),
    "the closed book says nothing of a chain": (
        [chain("a"), chain("b", sample=1)],
        [verdict("a", False, "closed_book"), verdict("b", True, "closed_book")],
        "a",
    ),
}


def assembled(spark: SparkSession, chains: list[dict[str, Any]], verdicts: list[dict[str, Any]]) -> tuple[Any, Any]:
    question = {name: CASE[name] for name in ("question_id", "question", "options", "answer_key", "answer")}
    edges = [edge | {"sources": ["drawn"], "licence": "CC0-1.0"} for edge in CASE["edges"]]
    outcome = assemble_release.run(
        frame(spark, QUESTIONS, [question | {"dataset": "drawn", "id_in_dataset": "1"}]),
        frame(spark, CASES, [CASE]),
        frame(spark, CHAINS, chains),
        frame(spark, VERDICTS, verdicts),
        frame(spark, EDGES, edges),
    )
    return outcome.tables["release"].collect(), outcome.rejects.collect()


@pytest.mark.parametrize("name", BEST)
def test_the_best_chain_of_a_question_is_released(spark, name):
    chains, verdicts, best = BEST[name]
    released, lost = assembled(spark, chains, verdicts)
    assert ([row.chain_id for row in released], lost) == ([best], [])


def test_a_question_whose_chains_were_all_answered_wrong_is_not_released(spark):
    found = assembled(spark, [chain("a"), chain("b", sample=1)], [verdict("a", False), verdict("b", False)])
    assert (found[0], [(row.reason, row.detail) for row in found[1]]) == ([], [("WRONG_BLIND", "a")])


@pytest.mark.parametrize("changed", [{"dst": "Z"}, {"relation": "cures"}, {"src": REAL["dst"], "dst": REAL["src"]}])
def test_a_chain_that_cites_an_edge_otherwise_than_it_is_is_not_released(spark, changed):
    released, [lost] = assembled(spark, [chain("a", cites=REAL | changed)], [verdict("a", True)])
    assert (released, lost.reason, lost.detail) == ([], "UNGROUNDED", f"a {REAL['edge_id']}")


def test_a_chain_that_cites_nothing_is_not_released(spark):
    bare = chain("a")
    bare["steps"] = [bare["steps"][0] | {"support": "background", "edges": []}]
    released, [lost] = assembled(spark, [bare], [verdict("a", True)])
    assert (released, lost.reason) == ([], "NO_CITATION")
