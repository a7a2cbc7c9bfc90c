"""Files of questions -> numbered JSON lines, whatever they are stored as.

A line's number is its id where a dataset has none, so it must be that of the file, however Spark splits it: lines are
counted block by block (`_metadata.file_block_start`) and the blocks' counts summed.
"""

from itertools import accumulate
from pathlib import PurePosixPath

from pyarrow import fs
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from conf.config import QuestionFileConfig
from conf.outcome import ConfigError, ContractError
from kg_spark.questions.adapters import split_object


def read_records(session: SparkSession, file: QuestionFileConfig, key: str) -> DataFrame:
    """Number (from 1) and line (a JSON object as text) of every record; blank lines are none.

    Args:
        session: Spark.
        file: JSONL (may be gzipped), one JSON object of records (PubMedQA's form), or Parquet.
        key: the config key that names the file, for errors.

    Raises:
        ConfigError: the file is missing or holds no record.
        ContractError: it cannot be read as what its ending says.
    """
    if file.path.endswith((".parquet", ".pq")):
        rows = session.read.parquet(file.path)
        placed = rows.select(F.to_json(F.struct("*")).alias("line"), "_metadata.file_block_start")
        records = _numbered(placed)
    elif file.format == "pubmedqa" and file.path.removesuffix(".gz").endswith(".json"):
        lines = list(enumerate(split_object(_text(file.path, key)), start=1))
        records = session.createDataFrame(lines, "number long, line string")
    else:
        text = session.read.text(file.path).select(F.col("value").alias("line"), "_metadata.file_block_start")
        records = _numbered(text).withColumn("line", F.regexp_replace("line", "^\ufeff", ""))
    found = records.where(F.trim("line") != "").persist()
    if found.isEmpty():
        raise ConfigError(f"{key}: '{file.path}' holds no record")
    return found


def _numbered(lines: DataFrame) -> DataFrame:
    """Add the line's number in the file; rows within one block keep the file's order."""
    ordered = lines.withColumn("order", F.monotonically_increasing_id()).persist()
    counts = ordered.groupBy("file_block_start").count().orderBy("file_block_start").collect()
    ends = accumulate(row["count"] for row in counts)
    before = [(row["file_block_start"], end - row["count"]) for row, end in zip(counts, ends, strict=True)]
    offsets = lines.sparkSession.createDataFrame(before, "file_block_start long, before long")
    within = F.row_number().over(Window.partitionBy("file_block_start").orderBy("order"))
    joined = ordered.withColumn("within", within).join(F.broadcast(offsets), "file_block_start")
    return joined.select((F.col("before") + F.col("within")).alias("number"), "line")


def _text(path: str, key: str) -> str:
    name = PurePosixPath(path).name
    try:
        system, inner = fs.FileSystem.from_uri(path) if "://" in path else (fs.LocalFileSystem(), path)
        with system.open_input_stream(inner) as stream:
            return bytes(stream.read()).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{key}: '{path}' is not a file") from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{name} is not UTF-8 (byte {error.start}); convert it first") from error
    except OSError as error:
        raise ContractError(f"{name} cannot be read to its end ({error}): fetch it again") from error
