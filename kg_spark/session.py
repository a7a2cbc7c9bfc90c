"""The Spark session: ours with Delta and GraphFrames on a plain machine, the runtime's own where one is provided."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from conf.config import SparkConfig
from conf.outcome import ConfigError

OWN_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # With Delta's default of 50 a table of ten rows takes seconds to read.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Spark's 10,000 rows a batch are 1 GB where a row holds a question's case, edges and chains.
    "spark.sql.execution.arrow.maxBytesPerBatch": "67108864",
    "spark.sql.session.timeZone": "UTC",
    # Plans of nested caches are printed at each adaptive step; unbounded they have filled a heap of 1 GB.
    "spark.sql.maxPlanStringLength": "16384",
    # Spark's 1 GB is reached when the edges of a path index, 33 bytes each, are collected; kg_spark.paths.engine bounds these.
    "spark.driver.maxResultSize": "0",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""What the stages rely on; deploy/spark-defaults.conf says the same to spark-submit."""


def open_session(config: SparkConfig) -> SparkSession:
    """The session that `config` describes; one that runs already is taken as it is.

    Raises:
        ConfigError: no session can be had: there is no Java, the JARs cannot be fetched, or none is provided.
    """
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    # Without it Python workers start whatever `python3` is on the PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("medreason-ray")
    if not config.provided:
        builder = builder.master(config.master).config(map=_settings(config))
    log = Path(tempfile.gettempdir()) / f"medreason-spark-{os.getpid()}.log"
    try:
        with _stderr_to(log):
            session = builder.getOrCreate()
    except (PySparkException, RuntimeError, OSError) as error:
        first = " ".join(str(error).split())[:160]
        raise ConfigError(
            f"Spark does not start ({first}): it needs Java 17 or newer and its JARs; see {log}"
        ) from error
    if not config.provided:
        session.sparkContext.setLogLevel("ERROR")
    return session


def _settings(config: SparkConfig) -> dict[str, str]:
    temp = tempfile.gettempdir()
    return {
        **OWN_SETTINGS,
        "spark.jars.packages": ",".join(config.packages),
        "spark.driver.memory": config.driver_memory,
        "spark.sql.shuffle.partitions": str(config.shuffle_partitions),
        # GraphFrames' iterations checkpoint there; every executor must see it.
        "spark.checkpoint.dir": config.checkpoint_dir or f"{temp}/medreason-checkpoint",
        "spark.sql.warehouse.dir": f"{temp}/spark-warehouse",
        **config.conf,
    }


@contextmanager
def _stderr_to(log: Path) -> Iterator[None]:
    """A JVM that starts inside keeps its stderr in `log`: 60 lines of dependency resolution are nobody's reading."""
    sys.stderr.flush()
    kept = os.dup(2)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(target, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(target)


if __name__ == "__main__":
    # Set-up: a first session fetches the JARs, which later ones find in the cache.
    open_session(SparkConfig(driver_memory="1g")).stop()
