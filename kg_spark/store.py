"""Delta tables through Spark: `read(table)`, `run(step, stage)`.

`run` is the whole shell around a pure stage: nothing is done when the step is up to date; else the inputs are checked
and read, the stage is called with a frame a table, the row law is verified on its outcome, and the tables are replaced,
`rejects` first, each in one commit. A stage that fails leaves every table as it was.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from conf.config import Config
from conf.flow import Step
from conf.lake import Lake, user_metadata
from conf.outcome import Outcome, Reason, StageReport, check_row_law, replaced, unchanged
from conf.table import Table
from conf.tables import REJECTS, TABLES
from kg_spark.catalog import check_catalog, register
from kg_spark.columns import conform, struct_type
from kg_spark.session import open_session

Load = Callable[[SparkSession], Mapping[str, Any]]


class SparkStore:
    """The lake through Spark; the session starts when the first frame is asked for."""

    def __init__(self, config: Config, lake: Lake) -> None:
        self._config = config
        self._lake = lake

    @property
    def session(self) -> SparkSession:
        """The Spark session, started at first use."""
        return open_session(self._config.spark)

    def read(self, table: str, *, reader: str = "the reader") -> DataFrame:
        """A table at its newest version, which later commits don't change under the reader.

        Raises:
            ContractError: it is missing, of another schema version, or torn between two runs.
        """
        version = self._lake.checked(table, reader=reader).version
        reading = self.session.read.format("delta").option("versionAsOf", version)
        return reading.load(self._lake.uri(table)).select(*TABLES[table].schema.names)

    def run(self, step: Step, stage: Callable[..., Outcome], load: Load | None = None, **arguments: Any) -> StageReport:
        """Run a stage and replace its tables, unless they are up to date.

        Args:
            step: the step of the flow.
            stage: called with a DataFrame for each table of `step.reads`, by name, and with `arguments`.
            load: makes further arguments from the session, when there is work to do.
            arguments: passed on as they are.
        """
        started = time.monotonic()
        wanted = self._lake.fingerprint(step)
        inputs = {name: self._lake.report(name) for name in step.reads}
        if self._config.lake.catalog:
            check_catalog(self.session, self._config.lake)
        if self._lake.is_current(step, wanted):
            self._register(step)
            return unchanged(step, wanted, inputs, {name: self._lake.report(name) for name in step.writes})
        frames = {name: self.read(name, reader=step.name) for name in step.reads}
        loaded = load(self.session) if load else {}
        try:
            outcome = stage(**frames, **loaded, **arguments)
            return self._replace(step, wanted, outcome, inputs, started)
        finally:
            self.session.catalog.clearCache()

    def _replace(
        self, step: Step, wanted: str, outcome: Outcome, inputs: Mapping[str, Any], started: float
    ) -> StageReport:
        frames = {name: conform(frame, TABLES[name]) for name, frame in outcome.tables.items()}
        assert set(frames) == set(step.writes), f"{step.name} must write {step.writes}, wrote {tuple(frames)}"
        frames = {name: frame.persist(StorageLevel.MEMORY_AND_DISK) for name, frame in frames.items()}
        rejects = self._rejects(step, outcome.rejects).persist(StorageLevel.MEMORY_AND_DISK)
        units_out = self._units_out(step, outcome, frames)
        rejected = {(row["entity"], row["reason"]): row["count"] for row in _by_reason(rejects)}
        check_row_law(step, outcome, units_out, rejected)
        self._write(REJECTS, rejects, user_metadata(step, REJECTS, wanted, {}), slice_of=step.name)
        for name, frame in frames.items():
            self._write(TABLES[name], frame, user_metadata(step, TABLES[name], wanted, outcome.facts))
        self._register(step)
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

    def _register(self, step: Step) -> None:
        """Make the step's tables known to the catalog; those it reads, which Ray may have written, too."""
        if self._config.lake.catalog:
            tables = (*step.reads, REJECTS.name, *step.writes)
            register(self.session, self._config.lake, self._lake, tables)

    def _rejects(self, step: Step, found: DataFrame | None) -> DataFrame:
        """The stage's rejects as rows of the table: with the step, and each reason's sentence."""
        if found is None:
            return self.session.createDataFrame([], struct_type(REJECTS.schema))
        meanings = F.create_map(*[F.lit(text) for reason in Reason for text in (reason.name, reason.value)])
        named = found.withColumn("step", F.lit(step.name)).withColumn("meaning", meanings[F.col("reason")])
        return conform(named, REJECTS)

    def _units_out(self, step: Step, outcome: Outcome, frames: Mapping[str, DataFrame]) -> int:
        if step.unit_table is None:
            assert outcome.units_out is not None, f"{step.name} must count its units out"
            return outcome.units_out
        return int(frames[step.unit_table].select(*step.unit_key).distinct().count())

    def _write(self, table: Table, frame: DataFrame, metadata: str, slice_of: str | None = None) -> None:
        """Replace a table, or one step's slice of it, in one commit."""
        # Else an empty table over an empty one is no commit, and the table keeps the fingerprint of an earlier run.
        self.session.conf.set("spark.databricks.delta.skipRecordingEmptyCommits", "false")
        writing = frame.write.format("delta").mode("overwrite").option("userMetadata", metadata)
        if table.partition_by:
            writing = writing.partitionBy(*table.partition_by)
        if slice_of is not None and self._lake.commit(table.name) is not None:
            writing = writing.option("replaceWhere", f"step = '{slice_of}'")
        else:
            writing = writing.option("overwriteSchema", "true")
        writing.save(self._lake.uri(table.name))


def _by_reason(rejects: DataFrame) -> list[Any]:
    return list(rejects.groupBy("entity", "reason").count().collect())
