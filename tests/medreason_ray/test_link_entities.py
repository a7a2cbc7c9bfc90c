"""What becomes of the names that stand in a question."""

import json
from typing import Any

import pyarrow as pa
import pytest
import ray

from conf.config import LinksConfig
from conf.flow import step
from conf.outcome import Outcome, check_row_law
from conf.tables import QUESTIONS
from medreason_ray.linking.linker import Linker
from medreason_ray.linking.vectors import in_memory
from medreason_ray.stages import link_entities
from medreason_ray.stages.link_question import link_question
from tests.medreason_ray.drawn import Row, graph, question

NODES_OF_A_CASE = graph(
    {"name": "fever", "type": "effect/phenotype", "synonyms": ["pyrexia"]},
    {"node_id": "fever of old", "name": "fever", "type": "biological_process"},
    {"name": "neoplasm", "type": "disease", "generic": True},
    {"name": "blood pressure", "type": "biological_process"},
    ("hypertension", "disease"),
    ("cough", "effect/phenotype"),
    ("aspirin", "drug"),
    ("ibuprofen", "drug"),
)
A_CASE = question(
    question="Fever, neoplasm and pyrexia; no cough. Blood pressure is 182/110 mm Hg, pulse 70. Aspirin?",
    options=[{"key": "A", "text": "Aspirin"}, {"key": "B", "text": "Ibuprofen for fever"}],
    answer="Aspirin",
)


@pytest.fixture(scope="module")
def case() -> Row:
    return link_question(A_CASE, Linker(NODES_OF_A_CASE, LinksConfig()))


def test_a_node_is_linked_once_a_side_by_its_first_span(case: Row) -> None:
    columns = ("side", "option_key", "mention", "method", "runner_up")
    assert [tuple(row[name] for name in columns) for row in case["links"]] == [
        ("question", "", "Fever", "exact", "fever of old"),
        ("question", "", "cough", "exact", None),
        ("question", "", "Blood pressure is 182/110 mm Hg", "rule", None),
        ("question", "", "Aspirin", "exact", None),
        ("answer", "A", "Aspirin", "exact", None),
        ("option", "B", "Ibuprofen", "exact", None),
        ("option", "B", "fever", "exact", "fever of old"),
    ]


def test_a_generic_node_is_rejected_and_its_mention_kept(case: Row) -> None:
    rejected = [mention["text"] for mention in case["mentions"] if mention["mention_id"] == case["rejects"][0]["key"]]
    assert (rejected, case["rejects"][0]["reason"]) == (["neoplasm"], "GENERIC_NODE")


def test_a_link_says_what_is_asserted(case: Row) -> None:
    said = {row["mention"]: row["assertion"] for row in case["links"]}
    assert (said["Fever"], said["cough"]) == ("present", "absent")


@pytest.mark.parametrize(
    ("text", "choice", "linked", "rejected"),
    [
        ("Ibuprofenn", "typo", ["ibuprofen"], []),
        ("Ibuprofane", "typo", [], ["NO_LINK"]),
        ("Ibuprofane", "score", [], ["NO_LINK"]),
        ("Ibuprofan", "score", ["ibuprofen"], []),
        ("sit and wait", "typo", [], []),
    ],
)
def test_an_option_that_no_name_covers_is_looked_up_whole(
    text: str, choice: Any, linked: list[str], rejected: list[str]
) -> None:
    config = LinksConfig(choice=choice)
    linker = Linker(NODES_OF_A_CASE, config, in_memory(NODES_OF_A_CASE, config.embedding))
    linker.look_up([text])
    row = question(options=[{"key": "A", "text": "aspirin"}, {"key": "B", "text": text}])
    case = link_question(row, linker)
    assert [each["node_id"] for each in case["links"] if each["side"] == "option"] == linked
    assert [each["reason"] for each in case["rejects"]] == rejected


def test_the_row_law_holds_for_one_question(case: Row) -> None:
    assert case["named"] == len(case["mentions"]) == 9
    assert case["named"] == len(case["links"]) + len(case["rejects"]) + case["merged"]


def test_an_open_question_is_answered_by_its_text() -> None:
    row = question(question=None, options=None, answer_key=None, answer="aspirin")
    linked = link_question(row, Linker(NODES_OF_A_CASE, LinksConfig()))["links"]
    assert [(link["side"], link["option_key"]) for link in linked] == [("answer", "")]


def link(rows: list[Row], batch_rows: int) -> Outcome:
    questions = ray.data.from_arrow(pa.Table.from_pylist(rows, schema=QUESTIONS.schema))
    return link_entities.run(questions, NODES_OF_A_CASE, config=LinksConfig(), batch_rows=batch_rows)


def as_rows(outcome: Outcome) -> dict[str, list[str]]:
    tables = {**outcome.tables, "rejects": outcome.rejects}
    return {name: sorted(json.dumps(row) for row in table.to_pylist()) for name, table in tables.items()}


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_links_do_not_depend_on_batches_or_order() -> None:
    texts = ["", "\x00\x1f\x07", "a" * 100_000, "fever " * 200, "Fever and neoplasm"]
    rows = [question(f"q{number}", question=text) for number, text in enumerate(texts * 6)]
    rows += [question("bench", role="benchmark", question="fever"), A_CASE]
    one, other = link(rows, 1), link(rows[::-1], 64)
    written = as_rows(one)
    assert written == as_rows(other)
    assert (one.units_in, one.merged) == (other.units_in, other.merged) == (6 * 202 + 9, {"same_node": 6 * 199 + 1})
    rejected = {("mention", "GENERIC_NODE"): len(written["rejects"])}
    check_row_law(step("link_entities"), one, len(written["links"]), rejected)
    assert len(written["mentions"]) == one.units_in
