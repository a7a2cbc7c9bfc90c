"""The Spark session: ours with Delta and GraphFrames on a plain machine, the runtime's own where one is provided."""

import os
import sys
import tempfile

from pyspark.sql import SparkSession

from conf.config import SparkConfig
from conf.outcome import ConfigError

_OWN_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # With Delta's default of 50 a table of ten rows takes seconds to read.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def open_session(config: SparkConfig) -> SparkSession:
    """The session that `config` describes; one that runs already is taken as it is.

    Raises:
        ConfigError: a session should be provided and there is none.
    """
    active = SparkSession.getActiveSession()
    if config.provided and active is None:
        active = _provided()
    if active is not None:
        return active
    # Without it Python workers start whatever `python3` is on the PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("medreason-ray").master(config.master)
    settings = {
        **_OWN_SETTINGS,
        "spark.jars.packages": ",".join(config.packages),
        "spark.driver.memory": config.driver_memory,
        "spark.sql.shuffle.partitions": str(config.shuffle_partitions),
        # GraphFrames' iterations checkpoint there; every executor must see it.
        "spark.checkpoint.dir": config.checkpoint_dir or f"{tempfile.gettempdir()}/medreason-checkpoint",
        "spark.sql.warehouse.dir": tempfile.gettempdir() + "/spark-warehouse",
        **config.conf,
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def _provided() -> SparkSession:
    try:
        return SparkSession.builder.getOrCreate()
    except Exception as error:
        raise ConfigError(f"spark.provided is true and no Spark session can be had: {error}") from error


if __name__ == "__main__":
    # Set-up: a first session fetches the JARs, which later ones find in the cache.
    open_session(SparkConfig(driver_memory="1g")).stop()
