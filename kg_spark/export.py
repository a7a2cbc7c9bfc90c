"""release, preference_pairs -> release.jsonl, release.parquet, sft.jsonl, preference_pairs.jsonl and .parquet.

The same rows in the same order, so the same bytes each time. Rows stream through the driver; each file is
written beside its name, and all are renamed when the last is whole, so that a reader never meets half of one.

What may not be printed is in no file for training, and a release for evaluation has no row in them: a test set that lies
about as a chat file is soon trained on.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from conf.tables import RELEASE
from kg_spark.release.chat import preference_row, sft_row

Row = dict[str, Any]

FILES = ("release.jsonl", "release.parquet", "sft.jsonl", "preference_pairs.jsonl", "preference_pairs.parquet")

_ROWS_PER_GROUP = 5_000
_TEXT = pa.string()
_MESSAGES = pa.list_(pa.struct([("role", _TEXT), ("content", _TEXT)]))
PREFERENCE_SCHEMA = pa.schema(
    [
        ("pair_id", _TEXT),
        ("question_id", _TEXT),
        ("pair_kind", _TEXT),
        ("prompt", _MESSAGES),
        ("chosen", _MESSAGES),
        ("rejected", _MESSAGES),
    ]
)
"""TRL's columns, and whose pair it is."""


def rows(release: DataFrame) -> Iterator[Row]:
    """The rows of `release` in the order of question_id."""
    return _collected(release.orderBy("question_id"))


def pair_rows(preference_pairs: DataFrame, release: DataFrame) -> Iterator[Row]:
    """The pairs that carry text, with `question`, `options` and `answer`, in the order of question_id."""
    told = preference_pairs.where("chosen_text is not null and rejected_text is not null")
    asked = release.select("question_id", "question", "options", "answer")
    return _collected(told.join(asked, "question_id").orderBy("question_id", "pair_id"))


def export(release: Iterable[Row], pairs: Iterable[Row], folder: Path, *, training: bool) -> dict[str, int]:
    """Write the files and return how many rows each holds.

    Args:
        release: rows of the table.
        pairs: as `pair_rows`.
        folder: made where it is not there.
        training: False: the files for training hold no row.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as open_files:
        every = {name: open_files.enter_context(closing(_opened(folder / name))) for name in FILES}
        for row in release:
            every["release.jsonl"].add(row)
            every["release.parquet"].add(row)
            if training and row["question"] is not None:
                every["sft.jsonl"].add(sft_row(row))
        for pair in pairs if training else ():
            row = preference_row(pair)
            every["preference_pairs.jsonl"].add(row)
            every["preference_pairs.parquet"].add(row)
    for name in FILES:
        _partial(folder, name).replace(folder / name)
    return {name: each.rows for name, each in every.items()}


def write_whole(path: Path, text: str) -> None:
    """Write a text beside its name and rename it.

    Raises:
        OSError: it cannot be written.
    """
    partial = _partial(path.parent, path.name)
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)


class _Lines:
    """A JSON Lines file that grows row by row."""

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def add(self, row: Row) -> None:
        self.rows += 1
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()


class _Parquet:
    """A Parquet file that grows row by row, and is written group by group."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._table = pq.ParquetWriter(path, schema)
        self._group: list[Row] = []

    def add(self, row: Row) -> None:
        self.rows += 1
        self._group.append(row)
        if len(self._group) == _ROWS_PER_GROUP:
            self._write_group()

    def close(self) -> None:
        self._write_group()
        self._table.close()

    def _write_group(self) -> None:
        if self._group:
            self._table.write_table(pa.Table.from_pylist(self._group, schema=self._table.schema))
            self._group.clear()


def _opened(path: Path) -> _Lines | _Parquet:
    """The file of that name, still partial."""
    partial = _partial(path.parent, path.name)
    if path.suffix == ".jsonl":
        return _Lines(partial)
    return _Parquet(partial, RELEASE.schema if path.name == "release.parquet" else PREFERENCE_SCHEMA)


def _partial(folder: Path, name: str) -> Path:
    return folder / f"{name}.part"


def _collected(frame: DataFrame) -> Iterator[Row]:
    for row in frame.toLocalIterator(prefetchPartitions=True):
        yield row.asDict(recursive=True)
