"""A Dataset -> one atomic commit that replaces a Delta table.

Ray's own `write_delta` cannot carry commit metadata, and a step's fingerprint must land in the same commit as its rows.
Workers write Parquet files, the driver commits them all at once; a job that dies in between leaves files that no commit
names (VACUUM removes them) and the table as it was.
"""

import json
import time
import uuid
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.transaction import AddAction, create_table_with_add_actions
from ray.data import Datasink
from ray.data._internal.execution.interfaces import TaskContext
from ray.data.block import Block, BlockAccessor
from ray.data.datasource import WriteResult

from conf.storage import file_system


class ReplaceTable(Datasink[list[AddAction]]):  # type: ignore[misc]  # Ray ships no types
    """Replaces the table at `uri` by the rows of a Dataset."""

    def __init__(self, uri: str, schema: pa.Schema, metadata: str, storage_options: dict[str, str] | None) -> None:
        self._uri = uri
        self._schema = schema
        self._metadata = metadata
        self._storage_options = storage_options

    def write(self, blocks: Iterable[Block], ctx: TaskContext) -> list[AddAction]:
        """Write each block that holds rows as one Parquet file; runs on a worker."""
        del ctx
        system, root = file_system(self._uri, self._storage_options)
        system.create_dir(root, recursive=True)
        actions = []
        for block in blocks:
            table = BlockAccessor.for_block(block).to_arrow()
            if table.num_rows == 0:
                continue
            name = f"part-{uuid.uuid4()}.snappy.parquet"
            with system.open_output_stream(f"{root}/{name}") as stream:
                pq.write_table(table.select(self._schema.names).cast(self._schema), stream)
            size = system.get_file_info(f"{root}/{name}").size
            stats = json.dumps({"numRecords": table.num_rows})
            actions.append(AddAction(name, size, {}, int(time.time() * 1000), data_change=True, stats=stats))
        return actions

    def on_write_complete(self, write_result: WriteResult[list[AddAction]]) -> None:
        """Commit every file at once; runs on the driver."""
        actions = [action for written in write_result.write_returns for action in written or []]
        commit = CommitProperties(custom_metadata={"userMetadata": self._metadata})
        schema = Schema.from_arrow(self._schema)
        if DeltaTable.is_deltatable(self._uri, storage_options=self._storage_options):
            table = DeltaTable(self._uri, storage_options=self._storage_options)
            table.create_write_transaction(actions, "overwrite", schema, commit_properties=commit)
            return
        create_table_with_add_actions(
            self._uri,
            schema,
            actions,
            mode="error",
            storage_options=self._storage_options,
            commit_properties=commit,
        )
