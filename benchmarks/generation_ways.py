"""The ways to have a model write, each in a process of its own: -> {tokens, seconds, requests}, start-up apart."""

import asyncio
import json
import os
import time
from typing import Any

from conf.config import EngineConfig, VllmConfig

REQUESTS, WARM, TOKENS, BATCH = 192, 32, 96, 16

_WARM_FROM = 1_000_000
"""Number of the first prompt that warms, behind all that are timed."""

SCHEMA = {
    "type": "object",
    "properties": {
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "minLength": 1, "maxLength": 120},
                    "support": {"enum": ["kg", "question", "background"]},
                    "edges": {"type": "array", "items": {"enum": [f"E{n}" for n in range(1, 51)]}, "maxItems": 3},
                },
                "required": ["text", "support", "edges"],
                "additionalProperties": False,
            },
            "minItems": 2,
            "maxItems": 6,
        },
        "conclusion": {"type": "string", "minLength": 1, "maxLength": 120},
    },
    "required": ["steps", "conclusion"],
    "additionalProperties": False,
}

Measured = dict[str, float]

_SAME_NICENESS = "0"
"""Ray's workers are nicer than others by 15, which on a machine that is shared would be what is measured."""


def engine_config(model: str) -> EngineConfig:
    """Greedy, since sorting the vocabulary for top_p takes a CPU longer than the model: it would hide what the ways cost."""
    # vLLM's scheduler spins on a core of its own.
    vllm = VllmConfig(max_num_seqs=32, eager=True, cpus=max(1, (os.cpu_count() or 1) - 1), kv_cache_gib=1)
    return EngineConfig(name="vllm", model=model, max_model_len=1024, temperature=0.0, top_p=1.0, vllm=vllm)


def prompts(first: int, count: int) -> list[str]:
    head = "Explain step by step, from the facts E1 to E50, why the answer follows from the question. " * 4
    return [
        f"{head}\nQuestion {n}: which drug of class {n % 7} helps at stage {n}?" for n in range(first, first + count)
    ]


def bare(model: str, requests: int, backend: str) -> Measured:
    """LLM.chat, all prompts in one call."""
    from medreason_ray.engines import vllm_settings

    config = engine_config(model)
    vllm_settings.set_environment(config, gpus=False)
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    arguments = vllm_settings.arguments(config, gpus=False)
    arguments["structured_outputs_config"] |= {"backend": backend}
    llm = LLM(**arguments)

    def chat(first: int, count: int) -> int:
        sampling = [
            SamplingParams(
                temperature=config.temperature,
                top_p=config.top_p,
                seed=seed,
                max_tokens=TOKENS,
                structured_outputs=StructuredOutputsParams(json=json.dumps(SCHEMA)),
            )
            for seed in range(first, first + count)
        ]
        messages = [[{"role": "user", "content": prompt}] for prompt in prompts(first, count)]
        return sum(len(each.outputs[0].token_ids) for each in llm.chat(messages, sampling, use_tqdm=False))

    chat(_WARM_FROM, WARM)
    started = time.monotonic()
    tokens = chat(0, requests)
    return {"tokens": tokens, "seconds": time.monotonic() - started, "requests": requests}


class Writer:
    """The least actor around VllmEngine: it asks a batch at once, several batches at a time."""

    def __init__(self, config: EngineConfig) -> None:
        from medreason_ray.engines.vllm import VllmEngine

        self._engine = VllmEngine(config)
        self._warm: asyncio.Task[Any] | None = None

    async def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Tokens of a batch's replies, and when it was asked and done."""
        if self._warm is None:
            self._warm = asyncio.create_task(self._ask(_WARM_FROM, prompts(_WARM_FROM, WARM)))
        await self._warm
        started = time.monotonic()
        tokens = await self._ask(int(batch["number"][0]), list(batch["prompt"]))
        return {"tokens": [tokens], "started": [started], "ended": [time.monotonic()]}

    async def _ask(self, first: int, asked: list[str]) -> int:
        replies = await asyncio.gather(
            *(self._engine.ask(_request(prompt, seed)) for seed, prompt in enumerate(asked, start=first))
        )
        return sum(reply.tokens_out or 0 for reply in replies)


def _request(prompt: str, seed: int) -> Any:
    from medreason_ray.engines.request import Model, Request

    shown: Any = None
    return Request.of(
        Model(label="bench"),
        stage="bench",
        question_id=str(seed),
        prompt=prompt,
        prompt_hash="",
        schema=json.dumps(SCHEMA),
        max_tokens=TOKENS,
        seed=seed,
        shown=shown,
    )


def ours(model: str, requests: int) -> Measured:
    """Ray Data, an async actor around VllmEngine; from the first ask to the last reply."""
    import ray
    from ray.data import ActorPoolStrategy

    from conf.config import RayConfig
    from medreason_ray.engines.placement import resources
    from medreason_ray.session import start_ray

    os.environ["RAY_worker_niceness"] = _SAME_NICENESS  # noqa: SIM112  Ray spells it so
    start_ray(RayConfig(num_cpus=8))
    config = engine_config(model)
    rows = [{"number": n, "prompt": prompt} for n, prompt in enumerate(prompts(0, requests))]
    done = (
        ray.data.from_items(rows, override_num_blocks=requests // BATCH)
        .map_batches(
            Writer,
            batch_size=BATCH,
            compute=ActorPoolStrategy(size=1, max_concurrent_calls_per_actor=6),
            fn_constructor_kwargs={"config": config},
            **resources(config),
        )
        .take_all()
    )
    ray.shutdown()
    return {
        "tokens": sum(row["tokens"] for row in done),
        "seconds": max(row["ended"] for row in done) - min(row["started"] for row in done),
        "requests": requests,
    }


def _start_rays_own(config: EngineConfig) -> None:
    """A Ray for Ray's own ways, in the environment that our engine sets for itself."""
    from medreason_ray.engines import vllm_settings

    vllm_settings.set_environment(config, gpus=False)
    import ray

    os.environ["RAY_worker_niceness"] = _SAME_NICENESS  # noqa: SIM112  Ray spells it so
    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


def ray_llm(model: str, requests: int) -> Measured:
    """ray.data.llm in the steady state: the tokens of all rows but the first 32, from the end of the row before them."""
    config = engine_config(model)
    _start_rays_own(config)
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    processor = build_processor(
        vLLMEngineProcessorConfig(
            model_source=model,
            engine_kwargs=_engine_arguments(config),
            runtime_env={"env_vars": {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}},
            batch_size=BATCH,
            max_concurrent_batches=6,
            concurrency=1,
            placement_group_config={"bundles": [{"CPU": config.vllm.cpus}]},
            log_engine_metrics=False,
        ),
        preprocess=_row,
        postprocess=lambda row: {"tokens": row["num_generated_tokens"], "ended": time.monotonic()},
    )
    return _steady(processor, requests)


def _engine_arguments(config: EngineConfig) -> dict[str, Any]:
    """Those of our own engine's arguments that Ray's do not set themselves."""
    from medreason_ray.engines import vllm_settings

    arguments = vllm_settings.arguments(config, gpus=False)
    given = ("max_num_seqs", "max_model_len", "enforce_eager", "kv_cache_memory_bytes", "structured_outputs_config",
             "enable_chunked_prefill")  # fmt: skip
    return {key: arguments[key] for key in given}


def _steady(processor: Any, requests: int) -> Measured:
    """The rows behind those that warm through a processor of Ray's, counted from the end of the row before them."""
    import ray

    asked = [{"number": n, "prompt": prompt} for n, prompt in enumerate(prompts(0, WARM + requests))]
    rows = ray.data.from_items(asked, override_num_blocks=(WARM + requests) // BATCH)
    done = sorted(processor(rows).take_all(), key=lambda row: row["ended"])
    ray.shutdown()
    counted = done[WARM:]
    return {
        "tokens": sum(row["tokens"] for row in counted),
        "seconds": counted[-1]["ended"] - done[WARM - 1]["ended"],
        "requests": requests,
    }


_ENVIRONMENT = (
    "HF_HUB_OFFLINE",
    "OMP_NUM_THREADS",
    "VLLM_CPU_OMP_THREADS_BIND",
    "VLLM_LOGGING_LEVEL",
    "VLLM_WORKER_MULTIPROC_METHOD",
)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": row["prompt"]}],
        "sampling_params": {**_GREEDY, "seed": row["number"], "structured_outputs": {"json": json.dumps(SCHEMA)}},
    }


_GREEDY = {"temperature": 0.0, "top_p": 1.0, "max_tokens": TOKENS}


def _chat(row: dict[str, Any]) -> dict[str, Any]:
    """The same as a request to an endpoint of OpenAI's kind, which is what a Serve deployment takes.

    The schema as text: of a dict Ray's rows make NumPy arrays, which vLLM takes for no JSON (EngineGenerateError).
    """
    asked = {"model": "bench", "messages": [{"role": "user", "content": row["prompt"]}], "stream": False}
    request = {**asked, **_GREEDY, "seed": row["number"], "structured_outputs": {"json": json.dumps(SCHEMA)}}
    return {"method": "chat", "dtype": "ChatCompletionRequest", "request_kwargs": request}


def ray_serve(model: str, requests: int) -> Measured:
    """ray.data.llm with a shared Serve deployment that holds the engine, in the steady state as `ray_llm`."""
    config = engine_config(model)
    _start_rays_own(config)
    from ray import serve
    from ray.data.llm import ServeDeploymentProcessorConfig, build_processor
    from ray.serve.llm import LLMConfig, build_llm_deployment
    from ray.serve.llm.openai_api_models import ChatCompletionRequest

    deployment = LLMConfig(
        model_loading_config={"model_id": "bench", "model_source": model},
        engine_kwargs=_engine_arguments(config),
        placement_group_config={"bundles": [{"CPU": config.vllm.cpus}]},
        runtime_env={"env_vars": {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}},
        deployment_config={"autoscaling_config": {"min_replicas": 1, "max_replicas": 1}, "max_ongoing_requests": 256},
        log_engine_metrics=False,
    )
    serve.run(
        build_llm_deployment(deployment, override_serve_options={"name": "bench"}), name="bench", route_prefix=None
    )
    processor = build_processor(
        ServeDeploymentProcessorConfig(
            deployment_name="bench",
            app_name="bench",
            dtype_mapping={"ChatCompletionRequest": ChatCompletionRequest},
            concurrency=1,
            batch_size=BATCH,
        ),
        preprocess=_chat,
        postprocess=lambda row: {"tokens": row["usage"]["completion_tokens"], "ended": time.monotonic()},
    )
    return _steady(processor, requests)
