"""rows of lists -> files of the lake that no commit names yet: what a pass finds is laid out as it comes, never held as a whole.

A stage's last pass gives rows that hold lists, one list a table. Workers lay each list's structs out as Parquet beside the
table; the driver is told of the files, and the store commits each table's at once, when the row law holds. A job that dies in
between, or whose row law is broken, leaves files that no commit names (a full VACUUM removes them) and the tables as they were.
Ray's own `write_delta` cannot carry commit metadata, and a write of one table a pass over kept results put all of them into the
object store and read them four times.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.transaction import AddAction, create_table_with_add_actions
from ray.data import Dataset

from conf.storage import file_system

StorageOptions = dict[str, str] | None


class Kept(NamedTuple):
    """What a pass found."""

    tables: Mapping[str, "Files | pa.Table"]
    rest: pa.Table
    """The other columns of its rows, in memory."""


Keep = Callable[[Dataset, Mapping[str, pa.Schema], pa.Schema, int], Kept]
"""results, schema of the structs by column, schema of the other columns, results laid out at a time -> what is kept."""


def in_memory(results: Dataset, tables: Mapping[str, pa.Schema], rest: pa.Schema, rows: int) -> Kept:
    """The tables in the driver's memory, for few rows."""
    del rows
    found = list(results.iter_batches(batch_format="pyarrow", batch_size=None))
    left = [batch.select(rest.names).cast(rest) for batch in found]
    kept = {name: _gathered(found, name, schema) for name, schema in tables.items()}
    return Kept(kept, pa.concat_tables([rest.empty_table(), *left]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files of a table that no commit names yet."""

    uri: str
    """Of the table."""
    schema: pa.Schema
    actions: Sequence[AddAction]
    keys: pa.Table
    """The units of all rows by their key columns, once a file; no column where nobody counts them."""
    storage_options: StorageOptions = None

    def commit(self, metadata: str) -> None:
        """Replace the table's rows by those of the files."""
        commit = CommitProperties(custom_metadata={"userMetadata": metadata})
        schema, actions = Schema.from_arrow(self.schema), list(self.actions)
        if DeltaTable.is_deltatable(self.uri, storage_options=self.storage_options):
            table = DeltaTable(self.uri, storage_options=self.storage_options)
            table.create_write_transaction(actions, "overwrite", schema, commit_properties=commit)
            return
        create_table_with_add_actions(
            self.uri, schema, actions, mode="error", storage_options=self.storage_options, commit_properties=commit
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToFiles:
    """Lays results out beside the tables of a lake."""

    uris: Mapping[str, str]
    """By table."""
    keys: Mapping[str, list[str]]
    """Columns by which a table's units are told apart, of those whose units are counted."""
    storage_options: StorageOptions = None

    def __call__(self, results: Dataset, tables: Mapping[str, pa.Schema], rest: pa.Schema, rows: int) -> Kept:
        """Write the files; see `Keep`."""

        def write(batch: pa.Table) -> pa.Table:
            flat = {name: flatten(batch, name, schema) for name, schema in tables.items()}
            files = {name: [self._write(name, table)] if len(table) else [] for name, table in flat.items()}
            return pa.table(
                {f"files {name}": pa.array([each], pa.list_(_FILE)) for name, each in files.items()}
                | {
                    f"keys {name}": _one_list(flat[name].group_by(columns).aggregate([]))
                    for name, columns in self.keys.items()
                }
                | {"rest": _one_list(batch.select(rest.names).cast(rest))}
            )

        written = results.map_batches(write, batch_format="pyarrow", batch_size=rows, zero_copy_batch=True)
        found = list(written.iter_batches(batch_format="pyarrow", batch_size=None))
        kept = {name: self._files(name, schema, found) for name, schema in tables.items()}
        return Kept(kept, _gathered(found, "rest", rest))

    def _files(self, name: str, schema: pa.Schema, found: list[pa.Table]) -> Files:
        """What the workers told of a table."""
        told = _gathered(found, f"files {name}", pa.schema(list(_FILE))).to_pylist()
        keys = pa.schema([schema.field(each) for each in self.keys.get(name, ())])
        return Files(
            uri=self.uris[name],
            schema=schema,
            actions=[_add_action(row) for row in told],
            keys=_gathered(found, f"keys {name}", keys) if len(keys) else keys.empty_table(),
            storage_options=self.storage_options,
        )

    def _write(self, name: str, table: pa.Table) -> dict[str, str | int]:
        """One file; runs on a worker."""
        system, root = file_system(self.uris[name], self.storage_options)
        system.create_dir(root, recursive=True)
        path = f"part-{uuid.uuid4()}.snappy.parquet"
        with system.open_output_stream(f"{root}/{path}") as stream:
            pq.write_table(table, stream)
        return {"path": path, "size": system.get_file_info(f"{root}/{path}").size, "rows": table.num_rows}


_FILE = pa.struct([("path", pa.string()), ("size", pa.int64()), ("rows", pa.int64())])


def _add_action(file: dict[str, str | int]) -> AddAction:
    stats = json.dumps({"numRecords": file["rows"]})
    return AddAction(file["path"], file["size"], {}, int(time.time() * 1000), data_change=True, stats=stats)


def flatten(results: pa.Table, column: str, schema: pa.Schema) -> pa.Table:
    """The structs of a list column, one row each."""
    return pa.Table.from_struct_array(results[column].combine_chunks().flatten()).cast(schema)


def _one_list(table: pa.Table) -> pa.Array:
    """(1,) its rows as a list of structs."""
    return pa.ListArray.from_arrays(pa.array([0, len(table)], pa.int32()), table.to_struct_array().combine_chunks())


def _gathered(found: Sequence[pa.Table], column: str, schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *(flatten(batch, column, schema) for batch in found)])
