"""A Ray cluster on the workers of a Spark cluster, for as long as a step of Ray's runs.

On Databricks there is no other cluster. Each Ray node is one long Spark task that holds its cores, so the cluster goes
before the next Spark step begins, and whatever happens. Source: Ray's `ray.util.spark` (setup_ray_cluster).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ray

from conf.config import RayOnSparkConfig
from conf.outcome import ConfigError


@contextmanager
def ray_on_spark(config: RayOnSparkConfig) -> Iterator[None]:
    """A cluster for the block where one is asked for, and nothing is connected to Ray yet; it is shut down behind it.

    Raises:
        ConfigError: Spark cannot carry it: no session, no worker of that size, no GPU where one was asked for.
    """
    if not config.workers or ray.is_initialized():
        yield
        return
    from pyspark.sql import SparkSession
    from ray.util.spark import setup_ray_cluster, shutdown_ray_cluster

    # Ray takes the active session, and names its own cluster in RAY_ADDRESS, where `start_ray` finds it.
    SparkSession.builder.getOrCreate()
    try:
        setup_ray_cluster(**arguments(config))
    except BaseException as error:
        # A start that a signal or a notebook's "interrupt" ended leaves a cluster, for which the next start would be refused;
        # where none was left this raises.
        with suppress(RuntimeError):
            shutdown_ray_cluster()
        if not isinstance(error, RuntimeError | ValueError | TimeoutError):
            raise
        first = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"Ray does not start on Spark ({first}): see ray.on_spark.* and the cluster's workers"
        ) from error
    try:
        yield
    finally:
        try:
            ray.shutdown()
        finally:
            shutdown_ray_cluster()


def arguments(config: RayOnSparkConfig) -> dict[str, Any]:
    """What setup_ray_cluster is told; what is 0 or empty is left to it. It takes a node's CPUs and GPUs both or neither.

    Raises:
        ConfigError: GPUs of a node are given without its CPUs.
    """
    if config.gpus_worker and not config.cpus_worker:
        raise ConfigError("ray.on_spark.gpus_worker needs ray.on_spark.cpus_worker: Ray takes both or neither")
    told: dict[str, Any] = {
        "max_worker_nodes": config.workers,
        "min_worker_nodes": config.min_workers or None,
        "num_cpus_worker_node": config.cpus_worker or None,
        "num_gpus_worker_node": config.gpus_worker if config.cpus_worker else None,
        "num_cpus_head_node": config.cpus_head,
        "collect_log_to_path": config.logs or None,
    }
    return {name: value for name, value in told.items() if value is not None}
