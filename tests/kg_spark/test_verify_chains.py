"""The stage hands every chain what it is held to, whatever the partitions; what it says is what `check` says."""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.tables import CASES, CHAINS, CHECKS, EDGES, LINKS, NODES, QUESTIONS
from kg_spark.columns import conform
from kg_spark.stages import verify_chains
from kg_spark.verification.check import check
from tests.kg_spark.frames import frame
from tests.kg_spark.verified import EDGES as FACTS
from tests.kg_spark.verified import HD, HP, NAMES, OPTIONS, STEM, case, chain, cited, context, general, kg, walked
from tests.kg_spark.verified import LINKS as LINKED

pytestmark = pytest.mark.slow

CHAINED = [
    chain(*walked(), chain_id="sound"),
    chain(*walked(), kg("Heparin causes PE.", cited(HP, "short")), chain_id="opposite", sample=1),
    chain(
        *walked()[:2], kg("So it is.", cited(HD, "long", dst="P"), mentions=("W",)), chain_id="another end", sample=2
    ),
    chain(chain_id="no steps", sample=3),
    chain(*[general("So.")] * 10_000, chain_id="10,000 steps", sample=4),
    chain(*walked(), chain_id="another graph", kg_version="w", sample=5),
    chain(*walked(), chain_id="orphan", question_id="gone"),
    chain(*walked(), chain_id="other question", question_id="r"),
]


def checks(spark: SparkSession, partitions: int) -> dict[str, dict[str, Any]]:
    """The checks of all chains, by chain_id."""
    nodes = [{"node_id": node, "name": name, "synonyms": more or None} for node, (name, *more) in NAMES.items()]
    asked = [
        {"question_id": name, "question": STEM, "options": OPTIONS, "answer_key": "A", "answer": "Heparin"}
        for name in "qr"
    ]
    tables = {
        "chains": frame(spark, CHAINS, CHAINED),
        "cases": frame(spark, CASES, [case(), case(question_id="r", pairs=[], edges=[])]),
        "questions": frame(spark, QUESTIONS, asked),
        "links": frame(spark, LINKS, LINKED),
        "nodes": frame(spark, NODES, nodes),
        "edges": frame(spark, EDGES, list(FACTS)),
    }
    spread = {name: table.repartition(partitions) for name, table in tables.items()}
    outcome = verify_chains.run(**spread, kg_version="v", max_steps=8)
    assert outcome.units_in == len(CHAINED)
    return {row.chain_id: row.asDict(recursive=True) for row in conform(outcome.tables["checks"], CHECKS).collect()}


def test_every_chain_is_checked_as_check_would_whatever_the_partitions(spark: SparkSession) -> None:
    found = checks(spark, 1)
    assert checks(spark, 7) == found
    own = {each["chain_id"]: check(each, context()) for each in CHAINED if each["question_id"] == "q"}
    assert {name: found[name] for name in own} == own
    assert {name: row["flags"] for name, row in found.items()} == {
        "sound": [],
        "opposite": ["OPPOSITE_POLARITY"],
        "another end": ["UNGROUNDED"],
        "no steps": ["NO_STEPS"],
        "10,000 steps": ["NO_CITATION", "TOO_MANY_STEPS"],
        "another graph": ["OTHER_GRAPH"],
        "orphan": ["OTHER_GRAPH", "UNGROUNDED", "WRONG_CONCLUSION"],
        "other question": ["UNGROUNDED"],
    }
    assert (found["sound"]["grounded"], found["other question"]["grounded"]) == (1.0, 0.0)
