"""EngineConfig -> what an actor that holds the engine needs of Ray."""

from functools import partial
from typing import Any

import ray
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from conf.config import EngineConfig, VllmConfig
from conf.outcome import ConfigError


def resources(config: EngineConfig) -> dict[str, Any]:
    """Arguments of `map_batches` for the actors of an engine; asked on the driver, with Ray connected.

    An engine that computes elsewhere (template, http) takes a CPU. vLLM takes `tensor_parallel` GPUs of one node, its
    workers being processes of the actor; with `pipeline_parallel` a placement group of all its GPUs, over nodes if need
    be, in which vLLM starts its workers as Ray actors, as `ray.data.llm` does; on a cluster without GPUs `cpus` CPUs. A
    cluster that starts its GPU nodes on demand must have one when the job starts.

    Tried: the engines without GPUs. Read in Ray 2.60 and vLLM 0.29, not tried for want of GPUs: the others.

    Raises:
        ConfigError: there are too few GPUs, or none for what is to share them.
    """
    if config.name != "vllm":
        return {"num_cpus": 1}
    vllm = config.vllm
    by_node = [int(node["Resources"].get("GPU", 0)) for node in ray.nodes() if node["Alive"]]
    _check(vllm, by_node)
    if not sum(by_node):
        return {"num_cpus": vllm.cpus}
    if vllm.pipeline_parallel == 1:
        return {"num_cpus": vllm.cpus, "num_gpus": vllm.tensor_parallel}
    return {"num_cpus": 0, "num_gpus": 0, "ray_remote_args_fn": partial(_group, vllm)}


def _check(vllm: VllmConfig, by_node: list[int]) -> None:
    wanted, there = vllm.tensor_parallel * vllm.pipeline_parallel, sum(by_node)
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
