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
from medreason_ray.on_spark import ray_on_spark
from medreason_ray.results import Keep, ToFiles
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
            stage: called by name with the driving table as a Dataset, the others as Arrow tables, `keep`, which its tables
                are to come from, and `arguments`.
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
            outcome = stage(**frames, keep=self._keep(step), **arguments)
            return self._replace(step, wanted, outcome, inputs, started)

    def _replace(
        self, step: Step, wanted: str, outcome: Outcome, inputs: Mapping[str, Any], started: float
    ) -> StageReport:
        assert set(outcome.tables) == set(step.writes), f"{step.name} wrote {tuple(outcome.tables)}"
        rejects = _named(step, outcome.rejects)
        counted = rejects.group_by(["entity", "reason"]).aggregate([([], "count_all")]).to_pylist()
        rejected = {(row["entity"], row["reason"]): row["count_all"] for row in counted}
        assert step.unit_table is not None
        keys = outcome.tables[step.unit_table].keys
        units_out = len(keys.group_by(keys.column_names).aggregate([]))
        check_row_law(step, outcome, units_out, rejected)
        self._write_rejects(step, rejects, user_metadata(step, REJECTS, wanted, {}))
        for name, files in outcome.tables.items():
            files.commit(user_metadata(step, TABLES[name], wanted, outcome.facts))
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

    def _keep(self, step: Step) -> Keep:
        """Where the results of a step go until they are committed."""
        assert step.unit_table is not None
        return ToFiles(
            uris={name: self._lake.uri(name) for name in step.writes},
            keys={step.unit_table: list(step.unit_key)},
            storage_options=self._lake.storage_options,
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


def _named(step: Step, found: pa.Table | None) -> pa.Table:
    """The stage's rejects as rows of the table: with the step, and each reason's sentence."""
    if not found:
        return REJECTS.schema.empty_table()
    reasons = found["reason"].to_pylist()
    table = found.append_column("step", pa.array([step.name] * len(found), pa.string()))
    table = table.append_column("meaning", pa.array([Reason[name].value for name in reasons], pa.string()))
    return table.select(REJECTS.schema.names).cast(REJECTS.schema)
