"""Question files: every line becomes a question or a reject with a reason, whatever the format."""

import json
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.outcome import ConfigError, ContractError, Reason, Rejected
from kg_spark.questions.adapters import FORMATS, parse_line, parse_record, split_object
from kg_spark.questions.record import Question

SHARED = Path(__file__).parents[3] / "shared" / "data" / "qa"

REAL = {
    # file: format, lines, rejects by reason
    "medqa_test.jsonl": ("medqa", 1273, {}),
    "medbullets_op4.jsonl": ("medbullets", 308, {}),
    "medbullets_op5.jsonl": ("medbullets", 308, {}),
    "MedXpertQA_test.jsonl": ("medxpertqa", 1449, {"DUPLICATE_OPTIONS": 1}),
    "HLE_biomed.jsonl": ("hle", 103, {"DUPLICATE_OPTIONS": 2}),
    "pubmedqa_pqal.json": ("pubmedqa", 1000, {}),
}


def parsed(format_name: str, line: str, number: int) -> Question | Rejected:
    """The question, or the reject in its place."""
    try:
        return parse_line(format_name, line, number)
    except Rejected as reject:
        return reject


@cache
def real(file: str) -> list[Question | Rejected]:
    """What a real file's lines become; skips where the shared data is not there."""
    path = SHARED / file
    if not path.exists():
        pytest.skip(f"needs the real question files in {SHARED}")
    text = path.read_text(encoding="utf-8")
    lines = split_object(text) if path.suffix == ".json" else text.splitlines()
    return [parsed(REAL[file][0], line, number) for number, line in enumerate(lines, start=1)]


def questions(file: str) -> list[Question]:
    """The questions of a real file."""
    return [one for one in real(file) if isinstance(one, Question)]


def reason(format_name: str, record: Mapping[str, object]) -> str:
    """Why a record is rejected."""
    with pytest.raises(Rejected) as reject:
        parse_record(format_name, record, 1)
    return reject.value.reason.name


def ask(format_name: str, **record: object) -> Question:
    """The question of a record that is none's but ours."""
    return parse_record(format_name, record, 7)


MEDQA = {
    "question": "Which drug slows the heart?",
    "options": {"B": "Atropine", "A": "Metoprolol"},
    "answer": "Metoprolol",
    "answer_idx": "A",
}


@pytest.mark.parametrize("file", REAL)
def test_every_line_of_a_real_file_is_a_question_or_a_reject(file: str) -> None:
    found = real(file)
    rejects = Counter(one.reason.name for one in found if isinstance(one, Rejected))
    assert (len(found), dict(rejects)) == REAL[file][1:]


@pytest.mark.parametrize("file", REAL)
def test_the_answer_of_a_real_question_is_one_of_its_options(file: str) -> None:
    assert all((one.answer_key, one.answer) in one.options for one in questions(file))


@pytest.mark.parametrize("file", REAL)
def test_ids_of_a_real_file_are_unique(file: str) -> None:
    found = [one.id_in_dataset for one in questions(file)]
    assert len(set(found)) == len(found)


def test_a_question_is_trimmed_composed_and_otherwise_as_published() -> None:
    found = ask("medqa", **{**MEDQA, "question": "  Which drug  treats Me\u0301nière? \n"})
    assert found.question == "Which drug  treats Ménière?"


def test_options_are_in_the_order_of_their_keys() -> None:
    assert ask("medqa", **MEDQA).options == (("A", "Metoprolol"), ("B", "Atropine"))


def test_a_question_without_an_id_is_called_by_its_line() -> None:
    assert ask("medqa", **MEDQA).id_in_dataset == "7"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"question": " \n"}, "NO_QUESTION"),
        ({"question": None}, "NO_QUESTION"),
        ({"answer": "", "answer_idx": None}, "NO_ANSWER"),
        ({"answer": "Digoxin", "answer_idx": None}, "ANSWER_NOT_AN_OPTION"),
        ({"answer": "", "answer_idx": "F"}, "ANSWER_NOT_AN_OPTION"),
        ({"answer": "Atropine", "answer_idx": "A"}, "ANSWER_NOT_AN_OPTION"),
        ({"options": {}}, "ANSWER_NOT_AN_OPTION"),
        ({"options": {"A": "Metoprolol", "B": "metoprolol "}}, "DUPLICATE_OPTIONS"),
        ({"options": [{"key": "A", "value": "Metoprolol"}, {"key": "a", "value": "Atropine"}]}, "DUPLICATE_OPTIONS"),
        ({"question": "half a pair: \ud83d"}, "NOT_UTF8"),
    ],
)
def test_a_bad_record_is_rejected_with_its_reason(changed: dict[str, object], expected: str) -> None:
    assert reason("medqa", {**MEDQA, **changed}) == expected


@pytest.mark.parametrize("line", ["", "{", "[1]", "null", '"text"', "[" * 100_000, '{"question": 1' + "0" * 5000 + "}"])
def test_a_line_that_is_no_json_object_is_rejected(line: str) -> None:
    assert str(parsed("medqa", line, 1)).startswith(Reason.NOT_JSON.name)


def test_an_unknown_format_is_the_users_to_mend() -> None:
    with pytest.raises(ConfigError, match="medbullets, medmcqa"):
        parse_record("medqq", MEDQA, 1)


@pytest.mark.parametrize("answer", ["Metoprolol", "A", "(a)", "A. Metoprolol\n", "a) metoprolol", "A:Metoprolol"])
def test_an_answer_may_be_text_letter_or_both(answer: str) -> None:
    found = ask("generic", question="Which?", options=["Metoprolol", "Atropine"], answer=answer)
    assert (found.answer_key, found.answer) == ("A", "Metoprolol")


def test_where_texts_and_keys_cross_the_text_is_meant() -> None:
    found = ask("generic", question="Which vitamin?", options={"A": "B", "B": "A", "C": "K"}, answer="A")
    assert found.answer_key == "B"


def test_an_empty_option_is_left_out() -> None:
    assert ask("medqa", **{**MEDQA, "options": {**MEDQA["options"], "C": " "}}).options == ask("medqa", **MEDQA).options  # type: ignore[dict-item]


PUBLISHED: dict[str, tuple[str, dict[str, object]]] = {
    "medqa, bigbio": (
        "medqa",
        {**MEDQA, "options": [{"key": "A", "value": "Metoprolol"}, {"key": "B", "value": "No"}]},
    ),
    "medbullets, table": (
        "medbullets",
        {**{k: v for k, v in MEDQA.items() if k != "options"}, "opa": "Metoprolol", "opb": "Atropine", "ope": None},
    ),
    "medmcqa, parquet": (
        "medmcqa",
        {"id": "a-1", "question": "Slows?", "opa": "Metoprolol", "opb": "Atropine", "opc": "X", "opd": "Y", "cop": 0},
    ),
    "medmcqa, json": (
        "medmcqa_json",
        {"id": "a-1", "question": "Slows?", "opa": "Metoprolol", "opb": "Atropine", "opc": "X", "opd": "Y", "cop": "1"},
    ),
    "mmlu, index": ("mmlu", {"question": "Slows?", "subject": "anatomy", "choices": ["Metoprolol", "X"], "answer": 0}),
    "mmlu, letter": ("mmlu", {"question": "Slows?", "choices": ["Metoprolol", "X"], "answer": "A"}),
    "mmlu, arrays": ("mmlu", {"question": "Slows?", "choices": np.array(["Metoprolol", "X"]), "answer": np.int64(0)}),
    "medxpertqa, parquet": (
        "medxpertqa",
        {
            "id": "T-1",
            "question": "Slows?\nAnswer Choices: (A) Metoprolol (B) Atropine",
            "options": {"A": "Metoprolol", "B": "Atropine", "C": None},
            "label": "A",
        },
    ),
    "huatuo": ("huatuo", {"Open-ended Verifiable Question": "Slows?", "Ground-True Answer": "Metoprolol"}),
    "hle, shared": (
        "hle",
        {"idx": 3, "question": "Slows?", "options": MEDQA["options"], "answer": "A. Metoprolol\n", "answer_idx": "A"},
    ),
    "hle, parquet": (
        "hle",
        {
            "id": "h1",
            "question": "Slows?\n\nAnswer Choices:\nA. Metoprolol\nB. Atropine (B) or so\nC. Neither",
            "answer": "A",
            "answer_type": "multipleChoice",
            "image": "",
        },
    ),
    "hle, open": ("hle", {"question": "Slows?", "answer": "Metoprolol", "answer_type": "exactMatch", "image": ""}),
    "generic": ("generic", {"question": "Slows?", "answer": "Metoprolol", "options": float("nan")}),
}


@pytest.mark.parametrize("published", PUBLISHED)
def test_every_published_form_gives_the_same_answer(published: str) -> None:
    found = parse_record(*PUBLISHED[published], 1)
    key = "A" if found.options else ""
    assert (found.answer, found.answer_key, found.flags) == ("Metoprolol", key, ())


@pytest.mark.parametrize("published", ["medxpertqa, parquet", "hle, parquet"])
def test_options_are_cut_from_the_stem(published: str) -> None:
    assert parse_record(*PUBLISHED[published], 1).question == "Slows?"


def test_options_read_from_the_stem_are_split_at_the_next_letter_only() -> None:
    found = parse_record(*PUBLISHED["hle, parquet"], 1)
    assert found.options == (("A", "Metoprolol"), ("B", "Atropine (B) or so"), ("C", "Neither"))


@pytest.mark.parametrize(("format_name", "cop"), [("medmcqa", 4), ("medmcqa_json", 0)])
def test_an_index_of_the_other_medmcqa_file_is_rejected_by_name(format_name: str, cop: int) -> None:
    record = {**PUBLISHED["medmcqa, parquet"][1], "cop": cop}
    with pytest.raises(Rejected, match="is of format medmcqa"):
        parse_record(format_name, record, 1)


@pytest.mark.parametrize("hidden", [{"cop": -1}, {"cop": None}, {"cop": float("nan")}])
def test_a_medmcqa_test_row_has_no_answer(hidden: dict[str, object]) -> None:
    assert reason("medmcqa", {**PUBLISHED["medmcqa, parquet"][1], **hidden}) == "NO_ANSWER"


def test_pubmedqa_is_read_alike_from_object_and_parquet() -> None:
    whole = json.dumps({"123": {"QUESTION": "Does it?", "CONTEXTS": ["One.", "Two."], "final_decision": "maybe"}})
    row = {"pubid": 123, "question": "Does it?", "context": {"contexts": ["One.", "Two."]}, "final_decision": "maybe"}
    assert parse_line("pubmedqa", split_object(whole)[0], 1) == parse_record("pubmedqa", row, 1)


@pytest.mark.parametrize("text", ['{"1": {}, "1": {}}', "[]", "{", '{"1": {}} {"2": {}}'])
def test_a_file_that_is_no_one_object_stops_the_step(text: str) -> None:
    with pytest.raises(ContractError):
        split_object(text)


def test_an_image_in_the_record_is_flagged() -> None:
    assert ask("hle", question="What is it?", answer="A cat", image="data:image/png;base64,AA").flags == (
        "NEEDS_IMAGE",
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
NAMES = [
    "id",
    "idx",
    "pubid",
    "question",
    "QUESTION",
    "options",
    "choices",
    "answer",
    "answer_idx",
    "answer_key",
    "answer_type",
    "label",
    "cop",
    "opa",
    "opb",
    "context",
    "CONTEXTS",
    "final_decision",
    "image",
    "images",
    "split",
]
records = st.dictionaries(st.sampled_from([*NAMES, "Ground-True Answer", "Open-ended Verifiable Question"]), values)


@given(format_name=st.sampled_from(sorted(FORMATS)), record=records)
@settings(max_examples=300, deadline=None)
def test_any_object_is_a_question_or_a_reject(format_name: str, record: dict[str, object]) -> None:
    found = parsed(format_name, json.dumps(record), 1)
    assert isinstance(found, Rejected) or found.question.encode()
