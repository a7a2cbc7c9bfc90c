"""Raw text files -> rows of fields, with every line accounted for.

Graph files are read as lines, not as CSV, so that each line has a key of its own (file, content, occurrence), a bad one
can be quarantined with its content, and a file cut in mid-line is recognised. No format here puts a line break inside a
field.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa
from pyarrow import fs
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from conf.outcome import ConfigError, ContractError, Reason

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFile:
    """One delimited file: lines that could be split, and those that could not."""

    name: str
    rows: DataFrame
    """file, line and a string column a header field; blank fields are null."""
    bad: DataFrame
    """file, line, reason, detail."""
    lines: int
    """Lines read, header and blank lines apart."""
    notices: tuple[str, ...]


def read_delimited(
    session: SparkSession, path: str, required: Sequence[Sequence[str]], *, source: str, key: str
) -> RawFile:
    """Split a TSV or CSV file (by its ending, .gz apart) with a header.

    Args:
        session: Spark.
        path: local path or URI.
        required: columns that must be there, each as its accepted names.
        source: name of the source; the file is named <source>/<file> in `rejects`.
        key: the config key that names the file, for errors.

    Raises:
        ConfigError: the file is missing, empty or not readable.
        ContractError: not UTF-8, a wrong delimiter, a required column missing, or a gzip stream cut short.
    """
    name = f"{source}/{PurePosixPath(path).name}"
    separator = "," if name.removesuffix(".gz").endswith(".csv") else "\t"
    header, tail = _ends(path, name, key)
    columns = [column.strip().strip('"') for column in header.lstrip("\ufeff").split(separator)]
    _check_columns(name, columns, required, separator)
    lines = session.read.text(path).select(
        F.lit(name).alias("file"), F.regexp_replace("value", "\r$", "").alias("line")
    )
    lines = lines.where((F.col("line") != header) & (F.trim("line") != ""))
    split = lines.withColumn("fields", _split(separator, columns))
    whole = F.size("fields") == len(columns)
    utf8 = ~F.col("line").contains("\ufffd")
    cut = F.lit(tail is not None) & (F.col("line") == F.lit(tail or ""))
    reason = (
        F.when(~utf8, Reason.NOT_UTF8.name)
        .when(cut & ~whole, Reason.TRUNCATED_LINE.name)
        .when(~whole, Reason.WRONG_COLUMNS.name)
    )
    checked = split.withColumn("reason", reason).persist()
    fields = [_clean(F.col("fields")[number]).alias(column) for number, column in enumerate(columns)]
    bad = checked.where("reason is not null").select("file", "line", "reason", F.col("line").alias("detail"))
    notices = (f"{name} ends without a line break; its last line counts if it is whole",) if tail is not None else ()
    return RawFile(
        name=name,
        rows=checked.where("reason is null").select("file", "line", *fields),
        bad=bad,
        lines=checked.count(),
        notices=notices,
    )


def with_line_key(rejected: DataFrame) -> DataFrame:
    """file, line, reason, detail -> rows of `rejects`; identical lines are told apart by their occurrence.

    Identical lines meet the same fate, so it does not matter which of them is the first.
    """
    place = F.row_number().over(Window.partitionBy("file", "line").orderBy("reason"))
    key = F.concat_ws(":", "file", F.substring(F.sha2("line", 256), 1, 16), place.cast("string"))
    return rejected.select(F.lit("row").alias("entity"), key.alias("key"), "reason", "detail")


def pick(row_columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of the accepted names that the file has."""
    return next((name for name in names if name in row_columns), None)


def _split(separator: str, columns: Sequence[str]) -> Column:
    if separator == "\t":
        return F.split("line", "\t", -1)
    # from_csv marks a line of another number of fields as corrupt and then gives nulls: an empty list stands for it.
    schema = ", ".join(f"c{number} string" for number in range(len(columns))) + ", corrupt string"
    options = {"sep": separator, "quote": '"', "escape": '"', "columnNameOfCorruptRecord": "corrupt"}
    parsed = F.from_csv(F.col("line"), F.lit(schema), options)
    fields = F.array(*[parsed[f"c{number}"] for number in range(len(columns))])
    return F.when(parsed["corrupt"].isNull(), fields).otherwise(F.array().cast("array<string>"))


def _clean(field: Column) -> Column:
    trimmed = F.trim(field)
    return F.when(F.lower(trimmed).isin("", "nan", "null"), F.lit(None)).otherwise(trimmed)


def _check_columns(name: str, columns: Sequence[str], required: Sequence[Sequence[str]], separator: str) -> None:
    for accepted in required:
        if pick(columns, accepted) is not None:
            continue
        found = ", ".join(columns[:12])
        hint = ""
        if len(columns) == 1:
            expected = "a tab" if separator == "\t" else "a comma"
            hint = f"; the header is one field: {expected} was expected between fields, by the file's ending"
        raise ContractError(f"{name}: column '{accepted[0]}' is missing; found: {found}{hint}")


def _ends(path: str, name: str, key: str) -> tuple[str, str | None]:
    """The header, and the last line where no line break ends the file (else None)."""
    try:
        system, inner = fs.FileSystem.from_uri(path) if "://" in path else (fs.LocalFileSystem(), path)
        compressed = name.endswith(".gz")
        head, tail = _compressed_ends(system, inner) if compressed else _plain_ends(system, inner)
    except FileNotFoundError as error:
        raise ConfigError(f"{key}: '{path}' is not a file") from error
    except (OSError, zlib.error, pa.ArrowInvalid) as error:
        raise ContractError(f"{name} cannot be read to its end ({error}): fetch it again") from error
    if not head.strip():
        raise ConfigError(f"{key}: '{path}' is empty")
    try:
        header = head.split(b"\n", 1)[0].decode("utf-8").rstrip("\r")
    except UnicodeDecodeError as error:
        raise ContractError(f"{name} is not UTF-8: byte {error.start} of the header; convert it first") from error
    if tail.endswith(b"\n"):
        return header, None
    return header, tail.rsplit(b"\n", 1)[-1].decode("utf-8", errors="replace")


def _plain_ends(system: fs.FileSystem, path: str) -> tuple[bytes, bytes]:
    with system.open_input_file(path) as file:
        size = file.size()
        head = file.read(min(_CHUNK_BYTES, size))
        file.seek(max(0, size - _CHUNK_BYTES))
        return head, file.read()


def _compressed_ends(system: fs.FileSystem, path: str) -> tuple[bytes, bytes]:
    """Reads the whole stream: a gzip file that was cut says so only at its end."""
    head = tail = b""
    decompressor = zlib.decompressobj(wbits=31)
    with system.open_input_stream(path, compression=None) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            text = decompressor.decompress(chunk)
            while decompressor.eof and decompressor.unused_data:
                rest = decompressor.unused_data
                decompressor = zlib.decompressobj(wbits=31)
                text += decompressor.decompress(rest)
            head = head or text
            tail = (tail + text)[-_CHUNK_BYTES:]
    if not decompressor.eof:
        raise OSError("the gzip stream is cut short")
    return head, tail
