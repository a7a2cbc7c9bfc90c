"""The step screen_questions: every fate in one frame, however the rows lie."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.config import ScreenConfig
from conf.licences import dataset_licence
from conf.outcome import ContractError, Outcome
from conf.tables import LINKS, MENTIONS, QUESTIONS
from kg_spark.stages import screen_questions
from tests.kg_spark.frames import frame
from tests.kg_spark.test_screening import CASE, LEAD, OPTIONS, OTHER_CASE

pytestmark = pytest.mark.slow

ANSWER = OPTIONS[0]
THIRD_CASE = "After a week on a raft two brothers of 12 and 15 drink from a drum that held antifreeze; crystals fill their urine."
FOURTH_CASE = (
    "Bronze skin, a failing pancreas and stiff knuckles bring a beekeeper of 48 to ask why his ferritin keeps rising."
)


def reworded(text: str) -> str:
    """The same words from end to start: no 8-gram is left, every content word is."""
    return " ".join(reversed(text.split()))


def question(name: str, text: str, options: Sequence[str] = OPTIONS, **more: Any) -> dict[str, Any]:
    listed = [{"key": chr(65 + place), "text": option} for place, option in enumerate(options)]
    row = {"question_id": name, "dataset": "ours", "id_in_dataset": name, "split": "train", "role": "work"}
    fixed = {"options": listed, "answer": ANSWER, "answer_kind": "entity", "flags": [], "is_test_set": False}
    return {**row, "question": text, **fixed, **more}


BENCHMARK = {"role": "benchmark", "dataset": "medqa", "split": "test"}
ROWS = [
    question("b1", f"{CASE} {LEAD}", **BENCHMARK),
    question("b2", f"{OTHER_CASE} {LEAD}", ("Myasthenia gravis", ANSWER), **{**BENCHMARK, "dataset": "hle"}),
    question("b3", f"Two sisters sing. {LEAD}", (ANSWER, "Echo"), **{**BENCHMARK, "dataset": "unlisted"}),
    question("b4", "Fever, chills, gout and ulcers in a singer.", (ANSWER, "Echo"), **BENCHMARK),
    question("q0", f"{CASE} {LEAD}", tuple(reversed(OPTIONS))),
    question("q1", reworded(f"{OTHER_CASE} {LEAD}"), ("Myasthenia gravis", ANSWER)),
    question("q2", f"{THIRD_CASE} {LEAD}"),
    question("q3", f"{THIRD_CASE}   {LEAD.upper()}"),
    question("q4", f"{reworded(THIRD_CASE)} {LEAD}"),
    question("q5", f"{THIRD_CASE} {LEAD}", ("Glycolaldehyde toxicity", ANSWER), answer="Glycolaldehyde toxicity"),
    question("q6", f"{FOURTH_CASE} {LEAD}", answer_kind="numeric"),
    question("q7", f"{FOURTH_CASE} What next?", is_test_set=True),
    question("q8", f"Two sisters sing. {LEAD}", (ANSWER, "Echo")),
    question(
        "q9",
        "Ulcers, gout, chills, fever: a tenor left Lima for a lighthouse, painted boats, sold stamps.",
        ("Nothing", ANSWER),
    ),
    question("qa", "Which nerve lifts the lid?", (ANSWER,)),
]
LINKED = [row["question_id"] for row in ROWS if row["role"] == "work" and row["question_id"] != "qa"]
NAMES = {"fever": "P1", "chills": "P2", "gout": "D2", "ulcers": "P3"}


@dataclass(frozen=True)
class Screened:
    going: dict[str, Any]
    closed: dict[str, tuple[str, str]]
    outcome: Outcome


def screen(spark: SparkSession, rows: Sequence[dict[str, Any]] = ROWS, partitions: int = 1, **more: Any) -> Screened:
    links = [{"question_id": name, "side": "answer", "node_id": "N1", "mention": ANSWER.lower()} for name in LINKED]
    links += [{"question_id": name, "side": "question", "node_id": "N2", "mention": "case"} for name in LINKED]
    links += [
        {"question_id": "q9", "side": "question", "node_id": node, "mention": name} for name, node in NAMES.items()
    ]
    spans = [
        {"mention_id": name, "question_id": name, "side": "answer", "start": 0, "end": len(ANSWER)} for name in LINKED
    ]
    known = [{**span, "candidates": [{"node_id": "N1", "score": 1.0, "method": "exact"}]} for span in spans]
    given = {"purpose": "training", "benchmarks": ["medqa", "hle"], "config": ScreenConfig(), **more}
    outcome = screen_questions.run(
        frame(spark, QUESTIONS, list(rows)).repartition(partitions),
        frame(spark, MENTIONS, known),
        frame(spark, LINKS, links),
        **given,
    )
    return Screened(
        {row.question_id: row for row in outcome.tables["screened"].collect()},
        {row.key: (row.reason, row.detail) for row in outcome.rejects.collect()},
        outcome,
    )


@pytest.fixture(scope="module")
def training(spark: SparkSession) -> Screened:
    return screen(spark)


def test_each_question_is_closed_for_its_own_reason_which_names_what_it_repeats(training: Screened):
    assert training.closed == {
        "q0": ("COPIES_BENCHMARK", "grams 1.00 medqa b1 b1"),
        "q1": ("COPIES_BENCHMARK", "jaccard 1.00 hle b2 b2"),
        "q3": ("DUPLICATE_QUESTION", "q2"),
        "q4": ("NEAR_DUPLICATE", "jaccard 1.00 q2"),
        "q6": ("ANSWER_NUMERIC", ANSWER),
        "q7": ("CONTAMINATED", "ours train"),
        "qa": ("NO_ANSWER_LINK", ANSWER),
    }
    assert training.outcome.units_in == len(training.closed) + len(training.going) == 11


def test_what_goes_on_has_its_flags_and_names_what_is_near(training: Screened):
    going = training.going
    assert {name: row.flags for name, row in going.items()} == {
        "q2": [], "q5": ["PARTIAL_ANSWER"], "q8": [], "q9": ["NEAR_BENCHMARK"],
    }  # fmt: skip
    assert (going["q9"].nearest_benchmark, going["q8"].nearest_benchmark) == ("b4", "b4")
    assert all(0 <= row.similarity < 0.5 for row in going.values())


def test_rules_are_counted_by_benchmark_and_the_literal_one_beside(training: Screened):
    told = {(origin, rule): n for origin, rule, n in json.loads(training.outcome.facts["contamination"])}
    literal = {origin: told.pop((origin, "any 8-gram")) for origin in ("hle/test", "medqa/test")}
    assert told == {("hle/test", "jaccard"): 1, ("medqa/test", "entities"): 1, ("medqa/test", "grams"): 1}
    assert literal == {"hle/test": 7, "medqa/test": 7}
    assert any("medqa/test" in line and "1 to review; 7 share any 8-gram" in line for line in training.outcome.notices)


def test_neither_partitions_nor_the_order_of_rows_change_a_verdict(spark: SparkSession, training: Screened):
    other = screen(spark, list(reversed(ROWS)), partitions=5)
    assert (other.going, other.closed) == (training.going, training.closed)


def test_in_an_evaluation_release_a_copy_is_flagged_and_stays(spark: SparkSession):
    found = screen(spark, purpose="evaluation")
    assert "COPIES_BENCHMARK" in found.going["q0"].flags
    assert "q0" not in found.closed


def test_without_benchmarks_nothing_is_compared(spark: SparkSession):
    found = screen(spark, [row for row in ROWS if row["role"] == "work"], benchmarks=[])
    assert {row.similarity for row in found.going.values()} == {None}
    assert found.outcome.facts == {}
    assert "q0" in found.going


def test_a_benchmark_that_is_not_there_is_named(spark: SparkSession):
    with pytest.raises(ContractError, match="names 'medqb', of which no question has the role benchmark"):
        screen(spark, benchmarks=["medqb"])


def edition(name: str, role: str, dataset: str, **more: Any) -> list[dict[str, Any]]:
    return [
        question(f"{name}{n}", f"{chr(97 + n) * 9} {n} {CASE} {LEAD}", role=role, dataset=dataset, **more)
        for n in range(22)
    ]


def test_a_set_is_not_compared_with_its_own_edition(spark: SparkSession):
    ours = edition("w", "work", "op4", is_test_set=True)
    rows = [*ours, *edition("x", "benchmark", "op5"), *edition("y", "benchmark", "op4"), ROWS[1]]
    found = screen(spark, rows, benchmarks=[], purpose="evaluation")
    assert "op4/train is not compared with op4/train, op5/train: its own set" in found.outcome.notices


def test_a_training_set_that_is_an_edition_of_a_benchmark_stops_the_step(spark: SparkSession):
    rows = [*edition("w", "work", "op4"), *edition("x", "benchmark", "op5")]
    with pytest.raises(ContractError, match="op4/train shares 100% of its stems with the benchmark op5/train"):
        screen(spark, rows, benchmarks=[])


@pytest.mark.parametrize(
    ("dataset", "split"), [("medxpertqa", "test"), ("medxpertqa", ""), ("hle", "test"), ("hle", "train")]
)
def test_no_setting_releases_medxpertqa_s_test_set_or_hle_for_training(dataset: str, split: str):
    assert dataset_licence(dataset, split or None).benchmark
