"""A release by ids and the dataset's own file give the release with its questions; another file gives one clear line."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.config import ReleaseConfig
from conf.identity import question_id
from conf.tables import RELEASE
from jobs.join_questions import main
from kg_spark.release.join import read_questions
from kg_spark.release.settle import settle
from tests.conf.shared_data import DATA
from tests.kg_spark.drawn_release import asked, chain

MEDQA = [
    {
        "question": f"Patient {n}\u2028 has näusea.\r\nWhich drug?",
        "options": {"B": f"E{n}", "A": f"C {n}"},
        "answer_idx": "A",
    }
    for n in range(3)
]


def released(questions, config=None, dataset="medqa"):
    """Rows of release.jsonl for questions as the adapter reads them."""
    rows = []
    for each in questions:
        options = [{"key": key, "text": text} for key, text in each.options]
        quotes = [{"step": 1, "start": 0, "end": 9}]
        own = {name: getattr(each, name) for name in ("question", "id_in_dataset", "answer_key", "answer")}
        own["question_id"] = question_id(dataset, each.id_in_dataset, each.question)
        question = asked(chain(quotes=quotes), dataset=dataset, licence=None, options=options, **own)
        rows.append(dict.fromkeys(RELEASE.schema.names) | settle(question, config or ReleaseConfig())["release"])
    return rows


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def joined(folder, release, questions, layout="medqa"):
    """Exit code and rows."""
    out = folder / "out.jsonl"
    code = main([f"release={release}", f"questions={questions}", f"format={layout}", f"out={out}"])
    return code, [json.loads(line) for line in out.read_text().split("\n") if line] if out.exists() else None


@pytest.fixture
def files(tmp_path):
    """The dataset as published (with a blank line and one that cannot be read), and its release by ids."""
    path = tmp_path / "medqa.jsonl"
    text = [json.dumps(row) for row in MEDQA]
    path.write_text("\n".join([text[0], "", "{broken", *text[1:]]))
    questions = list(read_questions(str(path), "medqa"))
    assert [each.id_in_dataset for each in questions] == ["1", "4", "5"]
    return write(tmp_path / "release.jsonl", released(questions)), path


def test_joined_again_it_is_what_would_have_been_released_in_full(files, tmp_path):
    code, rows = joined(tmp_path, *files)
    full = released(list(read_questions(str(files[1]), "medqa")), ReleaseConfig(questions="full"))
    assert code == 0
    for row, whole in zip(rows, full, strict=True):
        [quote] = row["quotes"]
        assert quote.pop("text") == whole["question"][:9] == row["question"][:9]
        assert row == whole


@pytest.mark.parametrize("kind", ["gzip", "parquet"])
def test_other_ways_to_store_the_file_join_the_same(files, tmp_path, kind):
    release, path = files
    if kind == "gzip":
        other = tmp_path / "again.jsonl.gz"
        other.write_bytes(gzip.compress(path.read_bytes()))
    else:
        # Parquet rows are numbered without blank lines, so its ids are its own release's.
        other = tmp_path / "again.parquet"
        pq.write_table(pa.Table.from_pylist(MEDQA), other)
        release = write(tmp_path / "own.jsonl", released(list(read_questions(str(other), "medqa"))))
    code, rows = joined(tmp_path, release, other)
    assert (code, [row["question"] is None for row in rows]) == (0, [False] * 3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ([{**row, "question": row["question"] + "!"} for row in MEDQA], "'1' is another question in it"),
        (
            [{**row, "options": row["options"] | {"C": "more"}} for row in MEDQA],
            "'1' has that question but other options",
        ),
        ([{**row, "id": f"x{n}"} for n, row in enumerate(MEDQA)], "it has no '1'"),
    ],
)
def test_another_file_is_one_clear_line(files, tmp_path, capsys, changed, said):
    other = write(tmp_path / "other.jsonl", changed)
    assert joined(tmp_path, files[0], other) == (2, None)
    [line] = capsys.readouterr().err.strip().split("\n")
    assert said in line
    assert "medqa" in line


def test_a_release_of_two_files_is_joined_in_two_goes(files, tmp_path, capsys):
    other = write(tmp_path / "other.jsonl", [{**row, "question": row["question"] + "?"} for row in MEDQA])
    both = [*released(read_questions(str(files[1]), "medqa")), *released(read_questions(str(other), "medqa"))]
    code, half = joined(tmp_path, write(tmp_path / "both.jsonl", both), files[1])
    assert (code, [row["question"] is None for row in half]) == (0, [False] * 3 + [True] * 3)
    assert json.loads(capsys.readouterr().out.strip().split("\n")[-1])["left"] == 3
    code, whole = joined(tmp_path, write(tmp_path / "half.jsonl", half), other)
    assert (code, [row["question"] is None for row in whole]) == (0, [False] * 6)
    assert main([f"release={tmp_path / 'out.jsonl'}", f"questions={other}", "format=medqa", "out=x"]) == 2
    assert "nothing to join" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "wants release=… questions=… format=… out=…"),
        (("release=none", "questions=none", "format=medqa", "out=x"), "release=none cannot be read"),
        (("release={own}", "questions=none", "format=medqa", "out=x"), "questions=none cannot be read"),
        (("release={own}", "questions={own}", "format=nope", "out=x"), "unknown question format 'nope'"),
        (("release={other}", "questions={own}", "format=medqa", "out=x"), "give a release.jsonl"),
    ],
)
def test_what_the_user_can_put_right_is_one_line(files, capsys, arguments, said):
    assert main([each.format(own=files[0], other=files[1]) for each in arguments]) == 2
    [line] = capsys.readouterr().err.strip().split("\n")
    assert said in line


@pytest.mark.parametrize("key", ["release", "questions"])
@pytest.mark.parametrize("harm", ["cut short", "spoilt inside", "no gzip at all"])
def test_a_gzipped_file_that_is_not_whole_is_one_line(files, tmp_path, capsys, key, harm):
    whole = gzip.compress(files[key == "questions"].read_bytes())
    content = {
        "cut short": whole[:-20],
        "spoilt inside": whole[:12] + b"\xff" * 20 + whole[32:],
        "no gzip at all": b"{}",
    }
    path = tmp_path / "part.jsonl.gz"
    path.write_bytes(content[harm])
    given = dict(zip(("release", "questions"), files, strict=True)) | {key: path}
    assert joined(tmp_path, **given) == (2, None)
    [line] = capsys.readouterr().err.strip().split("\n")
    assert f"{key}={path} cannot be read to its end" in line
    assert line.endswith("fetch it again")


@pytest.mark.parametrize("harm", ["cut short", "spoilt inside", "empty"])
def test_a_parquet_file_that_is_not_whole_is_one_line(files, tmp_path, capsys, harm):
    path = tmp_path / "part.parquet"
    pq.write_table(pa.Table.from_pylist(MEDQA), path)
    whole = path.read_bytes()
    # Behind the magic bytes stands the head of the first page.
    content = {"cut short": whole[:-20], "spoilt inside": whole[:4] + b"\xff" * 40 + whole[44:], "empty": b""}
    path.write_bytes(content[harm])
    assert joined(tmp_path, files[0], path) == (2, None)
    [line] = capsys.readouterr().err.strip().split("\n")
    assert f"questions={path} cannot be read to its end" in line
    assert line.endswith("fetch it again")


def test_real_questions_survive_the_way_there_and_back(tmp_path):
    path = DATA / "qa" / "medbullets_op4.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not there: this test reads the shared data")
    questions = list(read_questions(str(path), "medbullets"))
    release = write(tmp_path / "release.jsonl", released(questions, dataset="medbullets"))
    code, rows = joined(tmp_path, release, path, "medbullets")
    assert (code, [row["question"] for row in rows]) == (0, [each.question for each in questions])
    assert joined(tmp_path, release, DATA / "qa" / "medbullets_op5.jsonl", "medbullets")[0] == 2
