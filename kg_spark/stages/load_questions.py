"""raw files -> questions: every record of every file a question or a reject.

Records are parsed one by one in Python (kg_spark/questions), for the published layouts have little in common but that a
record is a JSON object or a Parquet row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from conf.config import QuestionFileConfig, QuestionsConfig
from conf.identity import question_id
from conf.licences import dataset_licence, is_test_set
from conf.outcome import ConfigError, ContractError, Outcome, Reason, Rejected
from conf.tables import QUESTIONS
from kg_spark.columns import struct_type
from kg_spark.questions.adapters import parse_line
from kg_spark.questions.answer_kind import answer_kind
from kg_spark.questions.files import read_records
from kg_spark.questions.flags import flags
from kg_spark.sources.graph import union
from kg_spark.sources.lines import with_line_key

_FATE = pa.struct([("reason", pa.string()), ("detail", pa.string())])
_PARSED = QUESTIONS.schema.append(pa.field("line", pa.string())).append(pa.field("fate", _FATE))


@dataclass(frozen=True, slots=True, kw_only=True)
class RawQuestions:
    """One file of questions as read."""

    file: QuestionFileConfig
    name: str
    """Name in `rejects`: the dataset and the file."""
    records: DataFrame
    """number, line."""


def load(session: SparkSession, config: QuestionsConfig) -> dict[str, object]:
    """The files as numbered records: what `run` takes.

    Raises:
        ConfigError: no file is given, one is given twice, missing or empty.
        ContractError: a file cannot be read as what its ending says.
    """
    if not config.files:
        raise ConfigError("questions.files names no file")
    names = [f"{file.dataset}/{file.split or 'all'}/{PurePosixPath(file.path).name}" for file in config.files]
    if len(set(names)) < len(names):
        raise ConfigError(f"questions.files names a dataset, split and file twice: {', '.join(sorted(names))}")
    raw = [
        RawQuestions(file=file, name=name, records=read_records(session, file, f"questions.files[{number}].path"))
        for number, (file, name) in enumerate(zip(config.files, names, strict=True))
    ]
    return {"raw": raw}


def run(raw: Sequence[RawQuestions], *, config: QuestionsConfig) -> Outcome:
    """Parse every record.

    Raises:
        ContractError: a file has more unreadable records than questions.max_reject_share.
    """
    parsed = {each.name: _parse(each) for each in raw}
    counts = {name: _check_share(name, frame, config.max_reject_share) for name, frame in parsed.items()}
    readable = union([frame.where("fate is null") for frame in parsed.values()])
    # The same question under the same id again is the same question: the first by its text stays.
    place = F.row_number().over(Window.partitionBy("question_id").orderBy("line"))
    questions = readable.withColumn("place", place).where("place = 1").drop("place").persist()
    bad = [frame.where("fate is not null").withColumn("file", F.lit(name)) for name, frame in parsed.items()]
    rejected = union(bad).select("file", "line", "fate.reason", F.col("fate.detail").alias("why"))
    detail = F.concat_ws(" | ", F.when(F.col("why") != "", F.col("why")), F.substring("line", 1, 1000))
    return Outcome(
        tables={"questions": questions},
        units_in=sum(counts.values()),
        rejects=with_line_key(rejected.withColumn("detail", detail)),
        merged={"question_stated_again": readable.count() - questions.count()},
    )


def _parse(raw: RawQuestions) -> DataFrame:
    return raw.records.mapInArrow(_parser(raw.file), struct_type(_PARSED)).persist()


def _parser(file: QuestionFileConfig) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    told = {
        "licence": dataset_licence(file.dataset, file.split or None).spdx,
        "is_test_set": is_test_set(file.dataset, file.split or None, file.format),
    }

    def parse(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = [
                _row(file, number, line) | told
                for number, line in zip(*[c.to_pylist() for c in batch.columns], strict=True)
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=_PARSED)

    return parse


def _row(file: QuestionFileConfig, number: int, line: str) -> dict[str, Any]:
    """One record as a row of `questions`, or with its fate."""
    if "\ufffd" in line:
        return {"line": line, "fate": {"reason": Reason.NOT_UTF8.name, "detail": ""}}
    try:
        found = parse_line(file.format, line, number)
    except Rejected as error:
        return {"line": line, "fate": {"reason": error.reason.name, "detail": error.detail}}
    options = [{"key": key, "text": text} for key, text in found.options]
    said = {*found.flags, *flags(found.question, found.options)}
    return {
        "question_id": question_id(file.dataset, found.id_in_dataset, found.question),
        "dataset": file.dataset,
        "id_in_dataset": found.id_in_dataset,
        "split": found.split or file.split,
        "role": file.role,
        "question": found.question,
        "options": options,
        "answer_key": found.answer_key,
        "answer": found.answer,
        "answer_kind": answer_kind(found.question, found.options, found.answer_key, found.answer),
        "context": found.context,
        "flags": sorted(said),
        "line": line,
    }


def _check_share(name: str, parsed: DataFrame, share: float) -> int:
    """Records of the file."""
    rows = parsed.groupBy("fate.reason").count().collect()
    total = sum(int(row["count"]) for row in rows)
    bad = {row["reason"]: row["count"] for row in rows if row["reason"]}
    if sum(bad.values()) > share * total:
        worst = max(sorted(bad), key=lambda reason: bad[reason])
        example = parsed.where(F.col("fate.reason") == worst).agg(F.min("fate.detail"), F.min("line")).first()
        text = " | ".join(str(part)[:100] for part in example or () if part)
        raise ContractError(
            f"{name}: {sum(bad.values())} of {total} records rejected, over questions.max_reject_share={share};"
            f" {bad[worst]} are {worst}, such as '{text}': is the format right? (the questions stay as they were)"
        )
    return total
