"""vLLM as an engine: one AsyncLLM an actor, asked many requests at once.

vLLM and torch are imported when an engine is opened, for they take seconds and stand on the machines of the actors only.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from conf.config import EngineConfig, VllmConfig
from conf.outcome import ConfigError
from medreason_ray.engines import vllm_settings
from medreason_ray.engines.chat import Chat
from medreason_ray.engines.request import EngineDead, ModelReply, Request

T = TypeVar("T")


class VllmEngine:
    """Asks a model that vLLM runs on this machine's GPUs or CPUs."""

    def __init__(self, config: EngineConfig) -> None:
        """Load the model: seconds to minutes.

        Raises:
            ConfigError: something that the user can put right keeps vLLM from starting.
        """
        vllm_settings.check(config)
        self._config = config
        before = _processes()
        self._engine = _off_loop(lambda: _start(config))
        self._started = _processes() - before
        self._lora = _adapter(config)
        tokenizer = self._engine.get_tokenizer()
        self._tokenizer = tokenizer
        self._chat = Chat(tokenizer, thinking=config.thinking_tokens > 0)
        self._parser = _reasoning_parser(config, tokenizer)

    async def ask(self, request: Request) -> ModelReply:
        """One reply.

        Raises:
            EngineDead: vLLM's engine process has ended.
            ValueError: the prompt leaves no room for a reply, or vLLM cannot decode under the schema.
            RuntimeError: vLLM gave up on this request.
        """
        prompt = self._chat.encode(request.prompt)
        if len(prompt) >= self._config.max_model_len:
            raise ValueError(f"a prompt of {len(prompt)} tokens; engine.max_model_len={self._config.max_model_len}")
        try:
            output = await self._generate(prompt, request)
        except Exception as error:
            if self._engine.errored:
                self._end()
                raise EngineDead("vLLM's engine process has ended; its own log says why") from error
            # vLLM wraps what it did not expect into an exception without a text.
            raise (error if str(error) else error.__cause__ or error) from None
        return self._reply(prompt, output, free=not request.schema)

    async def _generate(self, prompt: list[int], request: Request) -> Any:
        """The RequestOutput, whole."""
        from vllm.inputs.engine import tokens_input

        parameters = self._sampling(request)
        outputs = self._engine.generate(tokens_input(prompt), parameters, request.request_id, lora_request=self._lora)
        return [output async for output in outputs][-1]

    def _sampling(self, request: Request) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        config = self._config
        return SamplingParams(
            temperature=config.temperature,
            top_p=config.top_p,
            max_tokens=request.max_tokens + config.thinking_tokens,
            seed=request.seed,
            structured_outputs=StructuredOutputsParams(json=request.schema) if request.schema else None,
            thinking_token_budget=config.thinking_tokens if self._budgets else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
            detokenize=False,
            skip_clone=True,
        )

    @property
    def _budgets(self) -> bool:
        """Whether vLLM can end the model's thinking."""
        return self._parser is not None and bool(self._engine.vllm_config.reasoning_config.enabled)

    def _reply(self, prompt: list[int], output: Any, *, free: bool) -> ModelReply:
        written = output.outputs[0]
        if written.finish_reason not in {"stop", "length"}:
            raise RuntimeError(f"vLLM ended the request: {written.finish_reason}")
        ids = list(written.token_ids)
        kept = ids
        if self._parser is not None and not self._parser.is_reasoning_end(prompt):
            kept = list(self._parser.extract_content_ids(ids))
        text = self._tokenizer.decode(kept, skip_special_tokens=True)
        return ModelReply(
            # Held to a schema, a model without a parser cannot think, but may quote the mark.
            reply=text.rpartition("</think>")[2].lstrip() if free else text,
            finish_reason=written.finish_reason,
            tokens_in=len(prompt),
            tokens_out=len(ids),
            tokens_cached=output.num_cached_tokens,
        )

    def close(self) -> None:
        """End vLLM's processes."""
        self._engine.shutdown()
        self._end()

    def _end(self) -> None:
        """Kill what is left of them: a worker whose engine was killed stays, busy, and keeps its memory from the next one."""
        for each in self._started:
            if each.is_running():
                each.kill()


def _processes() -> set[Any]:
    """What this process has started, and what that has."""
    import psutil

    return set(psutil.Process().children(recursive=True))


def _off_loop(make: Callable[[], T]) -> T:
    """What `make` returns, called where no event loop runs: an AsyncLLM made on one belongs to it.

    Ray Data makes an actor's class on one thread and awaits its calls on the loop of another.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return make()
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(make).result()


def _start(config: EngineConfig) -> Any:
    gpus = _on_gpus(config.vllm)
    vllm_settings.set_environment(config, gpus=gpus)
    from vllm import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    try:
        settings = AsyncEngineArgs(**vllm_settings.arguments(config, gpus=gpus))
        made = settings.create_engine_config()
    except (ValueError, OSError, RuntimeError) as error:
        raise ConfigError(f"engine: vLLM refuses these settings: {' '.join(str(error).split())[:400]}") from error
    return AsyncLLM.from_vllm_config(made, disable_log_stats=True)


def _on_gpus(vllm: VllmConfig) -> bool:
    """Whether the model runs on GPUs; over nodes they are those of the workers, and this actor sees none."""
    if vllm.pipeline_parallel > 1:
        return True
    import torch

    seen = int(torch.cuda.device_count())
    if seen < vllm.tensor_parallel and (seen or vllm.tensor_parallel > 1):
        raise ConfigError(
            f"engine.vllm.tensor_parallel={vllm.tensor_parallel}, but this actor sees {seen} GPUs: set no more"
        )
    return seen > 0


def _adapter(config: EngineConfig) -> Any:
    if not config.lora:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest("adapter", 1, config.lora)


def _reasoning_parser(config: EngineConfig, tokenizer: Any) -> Any:
    name = config.vllm.reasoning_parser
    if not name:
        return None
    from vllm.reasoning import ReasoningParserManager

    return ReasoningParserManager.get_reasoning_parser(name)(tokenizer)
