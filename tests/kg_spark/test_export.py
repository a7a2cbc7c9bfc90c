"""The files of a release: the same bytes each time, whole or not at all, and nothing in them that may not be printed."""

import json

import pyarrow.parquet as pq
import pytest

from conf.config import ReleaseConfig
from conf.tables import RELEASE
from kg_spark.export import FILES, export
from kg_spark.release.settle import settle
from tests.kg_spark.drawn_release import STEM, asked, chain

ROWS = [
    dict.fromkeys(RELEASE.schema.names) | settle(asked(**changes), ReleaseConfig())["release"]
    for changes in (
        {"question_id": "open", "options": [], "answer_key": "", "answer": "Ünit\u2028ed | C"},
        {"question_id": "printed"},
        {"question_id": "withheld", "licence": None},
    )
]
WORSE = chain("worse", flags=["WRONG_CONCLUSION"])
PAIRS = [
    pair | {"question": STEM, "options": "Answer Choices:\nA. C", "answer": "C"}
    for pair in settle(asked(chain(), WORSE), ReleaseConfig())["pairs"]
]


def lines(folder, name):
    return [json.loads(line) for line in (folder / name).read_bytes().decode().split("\n") if line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    counts = export(ROWS, PAIRS, folder, training=True)
    assert counts == dict(zip(FILES, (3, 3, 2, 1, 1), strict=True))
    return folder


def test_a_second_export_has_the_same_bytes_and_leaves_no_partial_file(folder, tmp_path):
    export(iter(ROWS), iter(PAIRS), tmp_path, training=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    assert [(tmp_path / name).read_bytes() for name in FILES] == [(folder / name).read_bytes() for name in FILES]


def test_json_lines_and_parquet_hold_the_table_s_rows(folder):
    assert lines(folder, "release.jsonl") == ROWS
    assert pq.read_table(folder / "release.parquet").to_pylist() == ROWS


def test_chat_rows_are_question_and_options_then_thinking_and_answer(folder):
    [open_question, printed] = lines(folder, "sft.jsonl")
    assert open_question["messages"][0] == {"role": "user", "content": STEM}
    asked_of, answered = printed["messages"]
    assert asked_of == {"role": "user", "content": f"{STEM}\nAnswer Choices:\nA. C\nB. E"}
    reasoning = ROWS[1]["reasoning"]
    assert answered == {
        "role": "assistant",
        "content": f"## Thinking\n\n{reasoning}\n\n## Final Answer\n\nC",
    }


def test_a_pair_is_one_prompt_and_two_completions_that_differ_in_the_reasoning_alone(folder):
    [pair] = lines(folder, "preference_pairs.jsonl")
    assert pair == pq.read_table(folder / "preference_pairs.parquet").to_pylist()[0]
    [chosen], [rejected] = pair["chosen"], pair["rejected"]
    assert (pair["pair_kind"], pair["prompt"][0]["role"]) == ("WRONG_CONCLUSION", "user")
    assert chosen["content"].replace("1. a by A.", "1. worse by A.") == rejected["content"] != chosen["content"]


def test_an_evaluation_release_has_no_row_for_training(tmp_path):
    counts = export(ROWS, PAIRS, tmp_path, training=False)
    assert list(counts.values()) == [3, 3, 0, 0, 0]


def test_what_fails_half_way_leaves_the_files_as_they_were(folder, tmp_path):
    export(ROWS, PAIRS, tmp_path, training=True)

    def broken():
        yield ROWS[0]
        raise OSError("the lake is gone")

    with pytest.raises(OSError, match="the lake is gone"):
        export(broken(), PAIRS, tmp_path, training=True)
    assert [(tmp_path / name).read_bytes() for name in FILES] == [(folder / name).read_bytes() for name in FILES]
