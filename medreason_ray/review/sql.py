"""SQL over tables of the lake with delta-rs alone: no JVM, no Ray."""

from collections.abc import Sequence

import pyarrow as pa
from deltalake import QueryBuilder

from conf.lake import Lake


def select(lake: Lake, tables: Sequence[str], query: str) -> pa.Table:
    """What a SQL query (DataFusion's) finds over tables of the lake, which are there."""
    builder = QueryBuilder()
    for name in tables:
        table = lake.open(name)
        assert table is not None, name
        builder = builder.register(name, table)
    return pa.table(builder.execute(query).read_all())


def ask(lake: Lake, tables: Sequence[str], query: str) -> list[tuple[object, ...]]:
    """The same as rows."""
    found = select(lake, tables, query)
    return list(zip(*[column.to_pylist() for column in found.columns], strict=True)) if found.num_rows else []
