"""What Spark brings together of each question: the rules themselves are tried in test_release_rules.py.

Every question of the frame is a case of its own; all are assembled once and collected once.
"""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.config import ReleaseConfig
from conf.tables import (
    CASES,
    CHAINS,
    CHECKS,
    EDGES,
    LINKS,
    NODES,
    PREFERENCE_PAIRS,
    QUESTIONS,
    RELEASE,
    SCREENED,
    VERDICTS,
)
from kg_spark.columns import conform
from kg_spark.stages import assemble_release
from tests.kg_spark.frames import frame
from tests.medreason_ray.drawn import case

pytestmark = pytest.mark.slow

Row = dict[str, Any]

NUMBERS = {
    name: number
    for number, name in enumerate(
        (
            "right",
            "grounded",
            "first",
            "closed_book",
            "wrong",
            "ungrounded",
            "bare",
            "foil",
            "quoted",
            "withheld",
            "copied",
        )
    )
}
LONG = " Is it one of these?"
SHARED_LICENCE = "CC-BY-SA-4.0"


def drawn(name: str) -> Row:
    """The case of a question: one path of two hops to the answer, and one that no chain cites."""
    return case(NUMBERS[name])


def chain(of: str, name: str, **changes: Any) -> Row:
    """A chain of one step that cites the first edge of the answer's path, of two hops."""
    known = drawn(of)
    path = known["pairs"][0]["paths"][0]["path_id"]
    edge = {"path_id": path, "hop": 0} | {key: known["edges"][0][key] for key in ("edge_id", "src", "relation", "dst")}
    step = {"text": "So it is.", "support": "kg", "edges": [edge], "quote": None, "mentions": []}
    return {
        "chain_id": name,
        "question_id": known["question_id"],
        "sample": 0,
        "arm": "answer",
        "steps": [step],
        "evidence": [path],
        "reasoning": name,
        "conclusion": "So C it is.",
        "model": "m",
        "kg_version": "drawn",
    } | changes


def quoting(of: str, name: str) -> Row:
    found = chain(of, name)
    quoted = found["steps"][0] | {"support": "question", "edges": [], "quote": {"start": 5, "end": 9}}
    return found | {"steps": [found["steps"][0], quoted]}


def foil(of: str, name: str) -> Row:
    return chain(of, name, arm="foil")


CHAINS_OF = {
    "right": [chain("right", "r0"), chain("right", "r1", sample=1), chain("right", "r2", sample=2)],
    "grounded": [chain("grounded", "g0"), chain("grounded", "g1", sample=1)],
    "first": [chain("first", "b", sample=1), chain("first", "a")],
    "closed_book": [chain("closed_book", "c0"), chain("closed_book", "c1", sample=1)],
    "wrong": [chain("wrong", "w0"), chain("wrong", "w1", sample=1)],
    "ungrounded": [chain("ungrounded", "u0")],
    "bare": [chain("bare", "n0", steps=[], evidence=[])],
    "foil": [foil("foil", "f0"), chain("foil", "f1")],
    "quoted": [quoting("quoted", "q0")],
    "withheld": [chain("withheld", "h0")],
    "copied": [chain("copied", "p0", reasoning=f"{drawn('copied')['question']}{LONG}")],
}
CHECKED = {
    "g0": {"grounded": 0.5, "bad_edges": ["e"]},
    "u0": {"grounded": 0.0, "bad_edges": ["e", "f"]},
    "n0": {"grounded": None, "cited_share": None, "flags": ["NO_STEPS"]},
    "q0": {"cited_share": 0.5, "flags": ["QUOTE_NOT_FOUND"]},
}
SAID = [
    ("r0", "chain", False), ("r1", "chain", None), ("r2", "chain", True), ("r2", "masked", True),
    ("c0", "closed_book", False), ("c1", "closed_book", True), ("w0", "chain", False), ("w1", "chain", False),
    ("g0", "chain", True), ("g1", "chain", True),
]  # fmt: skip


def known_edge(shown: Row) -> Row:
    return {name: shown[name] for name in ("edge_id", "src", "relation", "dst")}


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[str, Any]:
    """Released rows, rejects and pairs, by the question's name."""
    names = {drawn(name)["question_id"]: name for name in NUMBERS}
    questions, cases, written, checks = [], [], [], []
    for name in NUMBERS:
        row = drawn(name)
        asked = {key: row[key] for key in ("question_id", "question", "options", "answer_key", "answer")}
        asked["question"] += LONG
        licence = None if name in {"withheld", "copied"} else "Apache-2.0"
        fixed = {"dataset": "drawn", "id_in_dataset": name, "licence": licence, "is_test_set": False}
        questions.append(asked | fixed)
        cases.append(row)
        written += CHAINS_OF[name]
    for each in written:
        sound = {"cited_share": 1.0, "background_share": 0.0, "grounded": 1.0, "bad_edges": [], "flags": []}
        ids = {key: each[key] for key in ("chain_id", "question_id", "arm")}
        checks.append(ids | sound | CHECKED.get(each["chain_id"], {}))
    [first, second] = drawn("right")["edges"][:2]
    facts = {
        "predicate": "treats",
        "display_relation": "treats",
        "kind": "therapeutic",
        "polarity": "-",
        "symmetric": False,
    }
    edges = [
        {**known_edge(first), **facts, "sources": ["s1"], "licence": "CC0-1.0"},
        {**known_edge(second), **facts, "sources": ["s2", "s1"], "licence": SHARED_LICENCE},
    ]
    nodes = [
        {"node_id": edge[end], "type": "drug", "name": edge[end], "synonyms": []}
        for row in cases for edge in row["edges"] for end in ("src", "dst")
    ]  # fmt: skip
    nodes = list({node["node_id"]: node for node in nodes}.values())
    by = {"judge_model": "m", "same_model": True}
    verdicts = [{"chain_id": c, "arm": arm, "agrees": agrees, **by} for c, arm, agrees in SAID]
    of_foil = {"question_id": drawn("foil")["question_id"], "agrees": False, "persuaded": True}
    verdicts.append({"chain_id": "f0", "arm": "foil", **of_foil, **by})
    screened = [{"question_id": q, "flags": [], "answer_coverage": 1.0} for q in names]
    outcome = assemble_release.run(
        frame(spark, QUESTIONS, questions),
        frame(spark, SCREENED, screened),
        frame(spark, CASES, cases),
        frame(spark, CHAINS, written),
        frame(spark, VERDICTS, verdicts),
        frame(spark, CHECKS, checks),
        frame(spark, LINKS, []),
        frame(spark, NODES, nodes),
        frame(spark, EDGES, edges),
        config=ReleaseConfig(mutant_pairs=1),
    )
    release = conform(outcome.tables["release"], RELEASE).collect()
    pairs = conform(outcome.tables["preference_pairs"], PREFERENCE_PAIRS).collect()
    return {
        "release": {names[row.question_id]: row for row in release},
        "lost": {names[row.key]: (row.entity, row.reason, row.detail) for row in outcome.rejects.collect()},
        "pairs": sorted((row.chosen, row.rejected, row.pair_kind, row.chosen_text) for row in pairs),
        "units_in": outcome.units_in,
    }


def test_the_best_chain_of_each_question_is_released(found):
    assert {name: row.chain_id for name, row in found["release"].items()} == {
        "right": "r2", "grounded": "g1", "first": "a", "closed_book": "c0", "foil": "f1", "quoted": "q0", "withheld": "h0",
    }  # fmt: skip


def test_every_other_question_is_closed_with_what_is_wrong_with_its_best_chain(found):
    assert found["lost"] == {
        "wrong": ("question", "WRONG_BLIND", "w0"),
        "ungrounded": ("question", "UNGROUNDED", "u0 e f"),
        "bare": ("question", "NO_STEPS", "n0"),
        "copied": ("question", "COPIES_STEM", "p0 what does finding 10 lead to is it"),
    }
    assert found["units_in"] == len(NUMBERS) == len(found["lost"]) + len(found["release"])


def test_a_released_chain_is_set_against_those_that_are_worse(found):
    told = [pair for pair in found["pairs"] if not pair[2].startswith("mutant:")]
    assert told == [("g1", "g0", "UNGROUNDED", "g1"), ("r2", "r0", "WRONG_BLIND", "r2")]


def test_and_against_one_copy_that_is_wrong_where_its_question_is_printed(found):
    planted = [pair[0] for pair in found["pairs"] if pair[2].startswith("mutant:")]
    shown = {row.chain_id for row in found["release"].values() if row.question is not None}
    assert "r2" in planted
    assert len(planted) == len(set(planted))
    assert set(planted) <= shown


def test_a_row_holds_the_paths_it_cites_and_the_terms_of_every_edge_on_them(found):
    row, known = found["release"]["right"], drawn("right")
    [shown] = row.evidence
    assert (shown.text, shown.edge_ids) == (
        "A treats B, B presents C",
        [[known["edges"][0]["edge_id"]], [known["edges"][1]["edge_id"]]],
    )
    assert (row.sources, row.licences) == (["s1", "s2"], ["Apache-2.0", "CC-BY-SA-4.0", "CC0-1.0"])
    assert (row.tier, row.answer_margin, row.kg_version) == ("strict", 1.0, "drawn")


def test_verdicts_stand_in_the_row_by_arm_and_null_where_nobody_was_asked(found):
    told = {
        name: (row.closed_book_correct, row.masked_correct, row.foil_persuaded, row.judge_model, row.same_model)
        for name, row in found["release"].items()
    }
    assert told["right"] == (None, True, None, "m", True)
    assert told["closed_book"] == (False, None, None, "m", True)
    assert told["foil"] == (None, None, True, None, None)


def test_quotes_are_told_by_step_and_offset_and_a_flag_makes_the_row_loose(found):
    row = found["release"]["quoted"]
    assert [tuple(quote) for quote in row.quotes] == [(2, 5, 9)]
    assert (row.flags, row.tier) == (["QUOTE_NOT_FOUND"], "loose")


def test_a_question_that_may_not_be_passed_on_is_given_by_its_hash(found):
    row = found["release"]["withheld"]
    assert (row.question, row.options, row.answer, len(row.question_sha256)) == (None, None, "C", 64)
