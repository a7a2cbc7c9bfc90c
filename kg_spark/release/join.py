"""A release that gives questions by id, and the dataset's own file -> the release with its questions.

A row and a record belong together when they bear one id and the question's SHA-256 is the row's: so another edition of a
file, or another file, joins nothing. The options are held to theirs as well, for two editions may share their stems
(MedBullets has one with four options and one with five).
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from conf.outcome import ConfigError, ContractError, Rejected
from kg_spark.questions.adapters import parse_line, parse_record, split_object
from kg_spark.questions.record import Question
from kg_spark.release.settle import printed, text_digest

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The release with what the file had."""

    rows: list[Row]
    joined: int
    left: int
    """Rows that are still without their question."""


def join(release: Iterable[Row], questions: Iterable[Question], what: str) -> Joined:
    """Put question and options into the rows that lack them, and the words into their quotes.

    Args:
        release: rows of release.jsonl.
        questions: of the file.
        what: the file's name, for errors.

    Raises:
        ContractError: no row lacks its question, or the file has none of those that lack it.
    """
    known = {(each.id_in_dataset, text_digest(each.question)): each for each in questions}
    ids = {key[0] for key in known}
    rows = list(release)
    bare = [row for row in rows if row["question"] is None]
    if not bare:
        raise ContractError("every row of the release has its question already: there is nothing to join")
    found = {row["question_id"]: known.get((row["id_in_dataset"], row["question_sha256"])) for row in bare}
    done = [_with_text(row, found.get(row["question_id"])) for row in rows]
    joined = sum(row["question"] is None and new["question"] is not None for row, new in zip(rows, done, strict=True))
    if not joined:
        raise ContractError(_why_none(bare, found, ids, what))
    return Joined(rows=done, joined=joined, left=len(bare) - joined)


def _with_text(row: Row, question: Question | None) -> Row:
    """The row with its question where this is it."""
    if question is None or not _same_options(row, question):
        return row
    quotes = [each | {"text": question.question[each["start"] : each["end"]]} for each in row["quotes"] or ()]
    return row | {"question": question.question, "options": _printed(question), "quotes": quotes}


def _same_options(row: Row, question: Question) -> bool:
    return bool(row["options_sha256"] == text_digest(_printed(question)))


def _printed(question: Question) -> str:
    return printed([{"key": key, "text": text} for key, text in question.options])


def _why_none(bare: list[Row], found: dict[str, Question | None], ids: set[str], what: str) -> str:
    names = " and ".join(sorted({row["dataset_name"] for row in bare}))
    other = next((row for row in bare if found[row["question_id"]] is not None), None)
    if other:
        return f"{what} is another edition of {names}: '{other['id_in_dataset']}' has that question but other options"
    other = next((row for row in bare if row["id_in_dataset"] in ids), None)
    if other:
        return (
            f"{what} is not the file that {names} was read from: '{other['id_in_dataset']}' is another question in it"
        )
    return f"{what} is not the file that {names} was read from: it has no '{bare[0]['id_in_dataset']}'"


def read_release(path: str) -> list[Row]:
    """The rows of release.jsonl.

    Raises:
        ConfigError: the file is not there, or is not a release of this version.
        ContractError: it is gzipped and not whole.
    """
    wanted = {"question", "options", "question_id", "id_in_dataset", "question_sha256", "options_sha256", "quotes"}
    try:
        rows = [json.loads(line) for line in _text(path, "release").split("\n") if line.strip()]
    except ValueError as error:
        raise ConfigError(f"release={path} is not JSON Lines ({error}): give a release.jsonl") from error
    if not rows or any(not isinstance(row, dict) or wanted - row.keys() for row in rows):
        raise ConfigError(f"release={path} holds no rows with {', '.join(sorted(wanted))}: give a release.jsonl")
    return rows


def read_questions(path: str, layout: str) -> Iterator[Question]:
    """The readable questions of a file, numbered as load_questions numbers them; what it rejects is left out here too.

    Raises:
        ConfigError: the file is not there or its format is unknown.
        ContractError: it is not what its ending says.
    """
    for number, record in _records(path, layout):
        try:
            yield (
                parse_line(layout, record, number) if isinstance(record, str) else parse_record(layout, record, number)
            )
        except Rejected:
            continue


def _records(path: str, layout: str) -> Iterator[tuple[int, str | Row]]:
    if path.endswith((".parquet", ".pq")):
        yield from enumerate(_rows_of_parquet(path), start=1)
        return
    text = _text(path, "questions")
    whole = layout == "pubmedqa" and path.removesuffix(".gz").endswith(".json")
    lines = split_object(text) if whole else text.split("\n")
    yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _rows_of_parquet(path: str) -> Iterator[Row]:
    if not Path(path).is_file():
        raise ConfigError(f"questions={path} is not a file")
    try:
        for batch in pq.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise _spoilt("questions", path, error) from error


def _spoilt(key: str, path: str, error: Exception) -> ContractError:
    return ContractError(f"{key}={path} cannot be read to its end ({' '.join(str(error).split())}): fetch it again")


def _text(path: str, key: str) -> str:
    """A file's text with its lines ended by a line feed alone; what is not UTF-8 stands as the replacement character."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", errors="replace")
            if path.endswith(".gz")
            else Path(path).open(encoding="utf-8", errors="replace") as file
        ):
            return str(file.read())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _spoilt(key, path, error) from error
    except OSError as error:
        raise ConfigError(f"{key}={path} cannot be read: {error.strerror or error}") from error


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write JSON Lines beside the name and rename.

    Raises:
        ConfigError: the file cannot be written.
    """
    partial = path.with_name(f"{path.name}.part")
    try:
        partial.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8", newline="\n"
        )
        partial.replace(path)
    except OSError as error:
        raise ConfigError(f"out={path} cannot be written: {error.strerror}") from error
