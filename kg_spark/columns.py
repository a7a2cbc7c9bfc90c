"""Spark columns that both engines must agree on: ids, schemas, content digests."""

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from conf import identity
from conf.table import Table


def struct_type(schema: pa.Schema) -> StructType:
    """Spark's form of an Arrow schema (a private path of pyspark's, wrapped here once)."""
    return from_arrow_schema(schema, prefer_timestamp_ntz=True)


def digest(*parts: Column) -> Column:
    """conf.identity.digest over columns, computed in the JVM; no part may be null."""
    return F.substring(F.sha2(F.concat_ws(identity.SEPARATOR, *parts), 256), 1, 16)


def conform(frame: DataFrame, table: Table) -> DataFrame:
    """The declared columns in the declared order and types; what the frame lacks is null."""
    wanted = struct_type(table.schema)
    have = set(frame.columns)
    return frame.select(
        *[
            (F.col(each.name) if each.name in have else F.lit(None)).cast(each.dataType).alias(each.name)
            for each in wanted.fields
        ]
    )


def content_digest(frame: DataFrame, columns: Sequence[str]) -> str:
    """A digest of the rows that no order, partitioning or machine changes (16 hex digits).

    Each row's SHA-256 is cut into four 60-bit words, which are summed: equal multisets of rows give equal sums, and
    to find another multiset of the same sums is as hard as it is for AdHash (Bellare & Micciancio 1997).
    """
    row = F.sha2(F.to_json(F.struct(*columns), {"ignoreNullFields": "false"}), 256)
    words = [F.conv(F.substring(row, start, 15), 16, 10).cast("decimal(38,0)") for start in (1, 16, 31, 46)]
    sums = frame.select(*[F.sum(word).alias(f"w{n}") for n, word in enumerate(words)]).first()
    assert sums is not None
    text = "|".join(str(value or 0) for value in sums)
    return identity.digest(text)
