"""What the tests of several packages share: one Spark session for the whole run."""

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from conf.config import SparkConfig
from kg_spark.session import open_session


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A local session with Delta and GraphFrames, two cores, two partitions behind a shuffle."""
    # Without it Spark asks the name server for this machine's address, which a sandbox may not have.
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    config = SparkConfig(
        master="local[2]",
        shuffle_partitions=2,
        driver_memory="2g",
        checkpoint_dir=str(tmp_path_factory.mktemp("checkpoints")),
        # On tables of a hundred rows most of the time is compilation, of plans and by the JVM.
        conf={
            "spark.sql.adaptive.enabled": "false",
            "spark.sql.codegen.wholeStage": "false",
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m",
        },
    )
    session = open_session(config)
    yield session
    session.stop()
