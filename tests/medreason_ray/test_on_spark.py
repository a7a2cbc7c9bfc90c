"""Ray on Spark, with Ray's own functions stood in for: what it is told, and that it goes whatever happens."""

import pytest
import ray
import ray.util.spark
from pyspark.sql import SparkSession

from conf.config import RayOnSparkConfig
from conf.outcome import ConfigError
from medreason_ray.on_spark import ray_on_spark


@pytest.fixture
def calls(monkeypatch):
    made: list[object] = []
    monkeypatch.setattr(ray.util.spark, "setup_ray_cluster", lambda **told: made.append(told))
    monkeypatch.setattr(ray.util.spark, "shutdown_ray_cluster", lambda: made.append("shut down"))
    monkeypatch.setattr(SparkSession.Builder, "getOrCreate", lambda self: made.append("session"))
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: made.append("disconnected"))
    return made


def test_without_workers_nothing_is_started(calls):
    with ray_on_spark(RayOnSparkConfig()):
        pass
    assert calls == []


def test_the_cluster_goes_when_the_step_fails(calls):
    with (
        pytest.raises(ZeroDivisionError),
        ray_on_spark(RayOnSparkConfig(workers=2, cpus_worker=8, logs="/Volumes/c/s/v")),
    ):
        raise ZeroDivisionError
    told = {
        "max_worker_nodes": 2,
        "num_cpus_worker_node": 8,
        "num_gpus_worker_node": 0,
        "num_cpus_head_node": 0,
        "collect_log_to_path": "/Volumes/c/s/v",
    }
    assert calls == ["session", told, "disconnected", "shut down"]


def test_a_spark_cluster_that_cannot_carry_it_is_told(calls, monkeypatch):
    def refuse(**_):
        raise ValueError("`num_gpus_worker_node` is only available on a cluster with\n'gpu' resources")

    monkeypatch.setattr(ray.util.spark, "setup_ray_cluster", refuse)
    refused = pytest.raises(ConfigError, match=r"does not start on Spark \(.*with 'gpu' resources\): see ray.on_spark")
    with refused, ray_on_spark(RayOnSparkConfig(workers=2)):
        pytest.fail("it began")


def test_a_start_that_is_interrupted_leaves_no_cluster(calls, monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ray.util.spark, "setup_ray_cluster", interrupted)
    with pytest.raises(KeyboardInterrupt), ray_on_spark(RayOnSparkConfig(workers=2)):
        pytest.fail("it began")
    assert calls == ["session", "shut down"]


def test_a_node_s_gpus_are_told_with_its_cpus_as_ray_wants_it(calls):
    refused = pytest.raises(ConfigError, match="gpus_worker needs ray.on_spark.cpus_worker")
    with refused, ray_on_spark(RayOnSparkConfig(workers=2, gpus_worker=1)):
        pytest.fail("it began")
