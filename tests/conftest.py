"""What the tests of several packages share: one Spark session and one Ray for the whole run."""

import os
import warnings
from collections.abc import Iterator

import pytest
import ray
from pyspark.sql import SparkSession

from conf.config import RayConfig, SparkConfig
from kg_spark.session import open_session
from medreason_ray.session import start_ray


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
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC",
        },
    )
    session = open_session(config)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local cluster of four logical CPUs; only this process's own is ended."""
    with warnings.catch_warnings():
        # Ray 2.60 warns of its own defaults when it makes its first DataContext.
        warnings.simplefilter("ignore", DeprecationWarning)
        start_ray(RayConfig(num_cpus=4))
    yield
    ray.shutdown()
