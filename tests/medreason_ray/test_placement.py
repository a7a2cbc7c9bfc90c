"""What the actors of an engine ask of Ray; the clusters are made up."""

import pytest
import ray

from conf.config import EngineConfig, VllmConfig
from conf.outcome import ConfigError
from medreason_ray.engines import placement
from medreason_ray.engines.placement import resources


@pytest.fixture
def cluster(monkeypatch):
    def make(*gpus: int) -> None:
        nodes = [{"Alive": True, "Resources": {"CPU": 8.0, **({"GPU": float(n)} if n else {})}} for n in gpus]
        monkeypatch.setattr(ray, "nodes", lambda: nodes)

    return make


def vllm(**settings) -> EngineConfig:
    return EngineConfig(name="vllm", vllm=VllmConfig(**settings))


def test_an_engine_that_computes_elsewhere_takes_a_cpu():
    assert resources(EngineConfig(name="http")) == {"num_cpus": 1}


def test_without_gpus_an_actor_takes_its_cpus(cluster, monkeypatch):
    cluster(0, 0)
    monkeypatch.setattr(placement, "_built_for_gpus", lambda: False)
    assert resources(vllm(cpus=3)) == {"num_cpus": 3}


def test_a_vllm_built_for_gpus_is_not_put_on_a_cpu(cluster, monkeypatch):
    cluster(0, 0)
    monkeypatch.setattr(placement, "_built_for_gpus", lambda: True)
    with pytest.raises(ConfigError, match="asks for a GPU, and Ray has none"):
        resources(vllm())
    assert resources(vllm(device="cpu", cpus=2)) == {"num_cpus": 2}


def test_a_node_that_starts_on_demand_is_asked_for_and_waited_for(cluster, monkeypatch):
    cluster(0)
    asked = []
    monkeypatch.setattr(placement, "_LOOK_S", 0)
    monkeypatch.setattr("ray.autoscaler.sdk.request_resources", lambda bundles: (asked.append(bundles), cluster(0, 2)))
    assert resources(vllm(device="gpu", gpu_wait_s=60, tensor_parallel=2))["num_gpus"] == 2
    assert asked == [[{"GPU": 1}, {"GPU": 1}], []]


def test_an_actor_takes_the_gpus_that_share_a_layer(cluster):
    cluster(0, 4)
    assert resources(vllm(tensor_parallel=4, cpus=2)) == {"num_cpus": 2, "num_gpus": 4}


def test_over_nodes_an_actor_lives_in_a_group_of_gpus(cluster):
    cluster(2, 2)
    given = resources(vllm(tensor_parallel=2, pipeline_parallel=2))
    assert (given["num_gpus"], given["num_cpus"], "ray_remote_args_fn" in given) == (0, 0, True)


@pytest.mark.parametrize(
    ("gpus", "settings", "said"),
    [
        ((0,), {"tensor_parallel": 2}, "Ray has no GPUs"),
        ((0, 0), {"device": "gpu"}, "asks for a GPU, and Ray has none: start a GPU node"),
        ((2,), {"tensor_parallel": 4}, "Ray has 2 GPUs"),
        ((2, 2), {"tensor_parallel": 4}, "largest node has 2 GPUs"),
        ((2,), {"tensor_parallel": 2, "pipeline_parallel": 2}, "Ray has 2 GPUs"),
    ],
)
def test_too_few_gpus_are_said(cluster, gpus, settings, said):
    cluster(*gpus)
    with pytest.raises(ConfigError, match=said):
        resources(vllm(**settings))
