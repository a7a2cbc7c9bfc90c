"""Rows of the lake's tables as Spark frames."""

from typing import Any

from pyspark.sql import DataFrame, SparkSession

from conf.table import Table
from kg_spark.columns import struct_type


def frame(spark: SparkSession, table: Table, rows: list[dict[str, Any]]) -> DataFrame:
    """Rows of a table; what they lack is null."""
    schema = struct_type(table.schema)
    return spark.createDataFrame([{**dict.fromkeys(schema.names), **row} for row in rows], schema)
