"""Delta tables through delta-rs and Ray Data, with the verbs of kg_spark.store: `read(table)`, `run(step, stage)`.

The first table of `step.reads` drives: it streams as a Dataset. The others are small and go to every worker as Arrow
tables, for Ray never joins.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import ray
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake
from ray.data import Dataset

from conf.config import Config
from conf.flow import Step
from conf.lake import Lake, user_metadata
from conf.outcome import Outcome, Reason, StageReport, check_row_law, replaced, unchanged
from conf.tables import REJECTS, TABLES
from medreason_ray.delta_sink import ReplaceTable
from medreason_ray.on_spark import ray_on_spark
from medreason_ray.session import start_ray
from medreason_ray.shared_root import check_shared


class RayStore:
    """The lake through Ray; the cluster is joined when the first Dataset is asked for."""

    def __init__(self, config: Config, lake: Lake) -> None:
        self._config = config
        self._lake = lake

    def read(self, table: str, *, reader: str = "the reader") -> Dataset:
        """A table at its newest version as a Dataset.

        Raises:
            ContractError: it is missing, of another schema version, or torn between two runs.
        """
        found = self._open(table, reader)
        self._join()
        if not found.file_uris():
            return ray.data.from_arrow(TABLES[table].schema.empty_table())
        uri, options = self._lake.uri(table), self._lake.storage_options
        return ray.data.read_delta(uri, version=found.version(), storage_options=options)

    def read_arrow(self, table: str, *, reader: str = "the reader") -> pa.Table:
        """A small table as it is now.

        Raises:
            ContractError: it is missing, of another schema version, or torn between two runs.
        """
        return arrow_table(self._open(table, reader), TABLES[table].schema)

    def run(self, step: Step, stage: Callable[..., Outcome], **arguments: Any) -> StageReport:
        """Run a stage and replace its tables, unless they are up to date.

        Args:
            step: the step of the flow.
            stage: called by name with the driving table as a Dataset, the others as Arrow tables, and `arguments`.
            arguments: passed on as they are.
        """
        started = time.monotonic()
        wanted = self._lake.fingerprint(step)
        inputs = {name: self._lake.report(name) for name in step.reads}
        if self._lake.is_current(step, wanted):
            return unchanged(step, wanted, inputs, {name: self._lake.report(name) for name in step.writes})
        with ray_on_spark(self._config.ray.on_spark):
            driving, *others = step.reads
            frames: dict[str, Any] = {driving: self.read(driving, reader=step.name)}
            frames |= {name: self.read_arrow(name, reader=step.name) for name in others}
            outcome = stage(**frames, **arguments)
            return self._replace(step, wanted, outcome, inputs, started)

    def _replace(
        self, step: Step, wanted: str, outcome: Outcome, inputs: Mapping[str, Any], started: float
    ) -> StageReport:
        assert set(outcome.tables) == set(step.writes), f"{step.name} wrote {tuple(outcome.tables)}"
        rejects = _named(step, outcome.rejects)
        counted = rejects.group_by(["entity", "reason"]).aggregate([([], "count_all")]).to_pylist()
        rejected = {(row["entity"], row["reason"]): row["count_all"] for row in counted}
        assert step.unit_table is not None
        units_out = _units_out(outcome.tables[step.unit_table], step)
        check_row_law(step, outcome, units_out, rejected)
        self._write_rejects(step, rejects, user_metadata(step, REJECTS, wanted, {}))
        for name, dataset in outcome.tables.items():
            table = TABLES[name]
            metadata = user_metadata(step, table, wanted, outcome.facts)
            sink = ReplaceTable(self._lake.uri(name), table.schema, metadata, self._lake.storage_options)
            dataset.write_datasink(sink)
        return replaced(
            step,
            wanted,
            outcome,
            inputs=inputs,
            tables={name: self._lake.report(name) for name in step.writes},
            units_out=units_out,
            rejected=rejected,
            seconds=time.monotonic() - started,
        )

    def _write_rejects(self, step: Step, rejects: pa.Table, metadata: str) -> None:
        exists = self._lake.commit(REJECTS.name) is not None
        write_deltalake(
            self._lake.uri(REJECTS.name),
            rejects,
            mode="overwrite",
            predicate=f"step = '{step.name}'" if exists else None,
            partition_by=list(REJECTS.partition_by),
            storage_options=self._lake.storage_options,
            commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}),
        )

    def _open(self, table: str, reader: str) -> DeltaTable:
        version = self._lake.checked(table, reader=reader).version
        found = self._lake.open(table, version)
        assert found is not None
        return found

    def _join(self) -> None:
        if not ray.is_initialized():
            start_ray(self._config.ray)
        check_shared(self._lake.root)


def arrow_table(table: DeltaTable, schema: pa.Schema, where: str = "true") -> pa.Table:
    """The rows of a Delta table as Arrow, in the declared schema.

    DeltaTable.to_pyarrow_table makes the process abort at exit in every second run (deltalake 1.6.6); the query builder
    does not.
    """
    names = ", ".join(f'"{name}"' for name in schema.names)
    rows = QueryBuilder().register("t", table).execute(f"select {names} from t where {where}").read_all()  # noqa: S608  our own names
    return pa.table(rows).cast(schema)


def flatten(results: Dataset, column: str, schema: pa.Schema, *, lists: int | None = None) -> Dataset:
    """The structs of a list column, one row each, as a Dataset of `schema`.

    Args:
        results: rows of lists.
        column: the one that is wanted.
        schema: of its structs.
        lists: rows laid out at a time, from as many blocks as it takes; None: block by block.
    """

    def spread(batch: pa.Table) -> pa.Table:
        structs = batch[column].combine_chunks().flatten()
        return pa.Table.from_struct_array(structs).cast(schema)

    return results.map_batches(spread, batch_format="pyarrow", batch_size=lists, zero_copy_batch=True)


def _named(step: Step, found: Dataset | None) -> pa.Table:
    """The stage's rejects as rows of the table: with the step, and each reason's sentence."""
    if found is None or found.count() == 0:
        return REJECTS.schema.empty_table()
    table = pa.concat_tables(list(found.iter_batches(batch_format="pyarrow", batch_size=None)))
    reasons = table["reason"].to_pylist()
    table = table.append_column("step", pa.array([step.name] * len(table), pa.string()))
    table = table.append_column("meaning", pa.array([Reason[name].value for name in reasons], pa.string()))
    return table.select(REJECTS.schema.names).cast(REJECTS.schema)


def _units_out(dataset: Dataset, step: Step) -> int:
    """Distinct units of the written table."""
    keys = [
        batch.group_by(list(step.unit_key)).aggregate([])
        for batch in dataset.select_columns(list(step.unit_key)).iter_batches(batch_format="pyarrow", batch_size=None)
        if len(batch)
    ]
    return len(pa.concat_tables(keys).group_by(list(step.unit_key)).aggregate([])) if keys else 0
