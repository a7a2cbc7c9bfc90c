"""What the card tells of a lake, read from its tables without a JVM."""

import re
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from conf.config import Config, LakeConfig, ReleaseConfig
from conf.flow import step
from conf.lake import Lake, user_metadata
from conf.outcome import Flag, Reason
from conf.tables import TABLES
from kg_spark.export import FILES
from kg_spark.release.settle import settle
from medreason_ray.review.card import card, tell
from medreason_ray.review.funnel import check_closed, funnel, numbers
from medreason_ray.review.released import QUESTION_FLAGS
from tests.kg_spark.drawn_release import asked, chain

Row = dict[str, Any]

QUESTIONS = {
    "strict": asked(chain(chain=True, closed_book=False, judge_model="m", same_model=True), dataset="open | set"),
    "loose": asked(chain(cited_share=0.1, flags=["QUOTE_NOT_FOUND"]), flags=["NEEDS_IMAGE"], answer_margin=-1.0),
    "open": asked(chain(), options=[], answer_margin=None, answer_coverage=0.9),
    "withheld": asked(
        chain(),
        chain("worse", flags=["WRONG_CONCLUSION"]),
        licence=None,
        dataset="bank",
        options=[],
        answer_margin=None,
    ),
    "lost": asked(chain(chain=False)),
}


def put(lake: Lake, name: str, writer: str, rows: list[Row], **facts: str) -> None:
    table = TABLES[name]
    schema = table.schema
    content = pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema=schema)
    text = user_metadata(step(writer), table, "f", facts)
    properties = CommitProperties(custom_metadata={"userMetadata": text})
    write_deltalake(lake.uri(name), content, mode="overwrite", commit_properties=properties)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(Config(lake=LakeConfig(root=str(tmp_path_factory.mktemp("released")))))
    told = [settle(row | {"question_id": name}, ReleaseConfig()) for name, row in QUESTIONS.items()]
    kinds = {name: "phrase" if name == "loose" else "entity" for name in QUESTIONS}
    work = [{"question_id": name, "role": "work", "answer_kind": kind} for name, kind in kinds.items()]
    put(lake, "questions", "load_questions", [*work, {"question_id": "b", "role": "benchmark"}])
    put(lake, "nodes", "build_kg", [], kg_version="k")
    rejects = [
        {"step": "assemble_release", "entity": "question", "key": each["question_id"], "reason": each["reason"]}
        for each in told
        if each["reason"]
    ]
    put(lake, "rejects", "assemble_release", rejects)
    put(lake, "release", "assemble_release", [each["release"] for each in told if each["release"]], release_digest="d")
    put(lake, "preference_pairs", "assemble_release", [pair for each in told for pair in each["pairs"]])
    return lake


@pytest.fixture(scope="module")
def told(lake):
    return tell(Config(), lake, dict.fromkeys(FILES, 4), "f")


def section(sections, title):
    [found] = [each for each in sections if title in each.title]
    return found.rows


def test_the_tables_count_every_released_row_once(told):
    assert (told.rows, told.strict) == (4, 3)
    for title in ("by dataset", "by kind of answer", "answer's words", "answer's margin"):
        counts = [row[1] + row[2] for row in section(told.released, title)]
        assert sum(counts) == 4, title
    assert section(told.released, "by dataset") == (("bank", 1, 0, 0), ("drawn", 1, 1, 2), ("open | set", 1, 0, 1))
    assert Counter(dict(row[:2] for row in section(told.released, "margin"))) == {
        "above 0": 1,
        "0 or below": 0,
        "no options, so none is needed": 2,
    }


def test_flags_bear_their_sentences_and_licences_count_a_row_under_each(told):
    assert section(told.released, "flags") == (
        ("NEEDS_IMAGE", "the question refers to a picture that no row carries", 1, 0),
        ("QUOTE_NOT_FOUND", Flag.QUOTE_NOT_FOUND.value, 1, 0),
    )
    assert section(told.released, "by licence") == (("CC0-1.0", 4), ("Apache-2.0", 3), ("unknown", 1))
    assert section(told.released, "preference pairs") == ((Reason.WRONG_CONCLUSION.name, 1, 0),)


def test_every_flag_that_a_question_may_bear_has_its_sentence():
    columns = [column for name in ("questions", "screened", "cases") for column in TABLES[name].columns]
    docs = " ".join(column.metadata[b"doc"].decode() for column in columns if column.name == "flags")
    assert set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+|INVERTED", docs)) == set(QUESTION_FLAGS)


def test_what_blind_answering_says_stands_beside_what_was_not_asked(told):
    assert section(told.released, "blind answering") == (
        ("closed_book_correct", 0, 1, 3),
        ("masked_correct", 0, 0, 4),
        ("foil_persuaded", 0, 0, 4),
        ("same_model", 1, 0, 3),
    )
    assert (told.judges, told.same_model, told.by_id) == (("m",), 1, ("bank",))


def test_the_example_is_a_strict_row_whose_question_is_printed(told):
    assert (told.example["tier"], told.example["question"]) == ("strict", QUESTIONS["open"]["question"])


def test_the_funnel_s_numbers_bear_stable_names_and_add_up(lake):
    found = numbers(lake)
    assert found == {
        "funnel/read": 6.0,
        "funnel/work": 5.0,
        "funnel/released": 4.0,
        "funnel/released_strict": 3.0,
        "funnel/closed_WRONG_BLIND": 1.0,
    }
    check_closed(lake)
    way = dict(funnel(lake)[0].rows)
    assert (way["of role work"], way["released"], way["released, and strict"]) == (5, 4, 3)


def test_the_card_of_a_lake_holds_what_was_told_and_no_row_breaks_its_tables(told):
    text = card(told)
    assert "| open \\| set | 1 | 0 | 1 |" in text
    assert "- kg_version: k\n- release_digest: d\n" in text
    assert QUESTIONS["withheld"]["question"] not in text.replace(told.example["question"], "")


def test_an_empty_release_has_a_card_too(tmp_path):
    lake = Lake(Config(lake=LakeConfig(root=str(tmp_path))))
    put(lake, "release", "assemble_release", [])
    text = card(tell(Config(), lake, dict.fromkeys(FILES, 0), "f"))
    assert "nobody: no row was released" in text
    assert "rows: 0" in text
