"""EngineConfig -> the engine it names. Engines are imported when opened: vllm and torch are not on every machine."""

import json
from pathlib import Path

from conf.config import EngineConfig
from conf.fingerprint import folder_digest
from conf.outcome import ConfigError
from medreason_ray.engines.request import Engine, Model
from medreason_ray.engines.tokens import TokenCounter


def open_engine(config: EngineConfig) -> Engine:
    """The engine, ready to be asked; called once on each actor."""
    match config.name:
        case "template":
            from medreason_ray.engines.template import TemplateEngine

            return TemplateEngine()
        case "http":
            from medreason_ray.engines.http import HttpEngine

            return HttpEngine(config)
        case "vllm":
            from medreason_ray.engines.vllm import VllmEngine

            return VllmEngine(config)


def model_of(config: EngineConfig) -> Model:
    """Who the engine will answer as; holds whatever can change a reply.

    Raises:
        ConfigError: no model is named, or the endpoint's settings cannot be right.
    """
    if config.name == "template":
        return Model(label="template/1", reads=False)
    if not config.model:
        raise ConfigError(f"engine.model must be given for engine.name={config.name}")
    if config.name == "http":
        # On the driver: an error in an actor's constructor comes back as Ray's.
        from medreason_ray.engines.http import check

        check(config)
    sampling: dict[str, float | str] = {
        "temperature": config.temperature,
        "top_p": config.top_p,
        "thinking": config.thinking_tokens,
    }
    label = f"{config.name}/{_named(config.model)}" + (f"@{config.revision}" if config.revision else "")
    tokenizer = config.tokenizer
    if config.name == "vllm":
        vllm = config.vllm
        sampling |= {"dtype": vllm.dtype, "quantization": vllm.quantization, "load": vllm.load}
        label += f"+{_named(config.lora)}" if config.lora else ""
        tokenizer = tokenizer or config.model
    return Model(
        label=label,
        sampling=json.dumps(sampling, sort_keys=True),
        tokens=TokenCounter(tokenizer, config.revision),
        max_model_len=config.max_model_len - config.thinking_tokens,
    )


def _named(model: str) -> str:
    """A local folder by its name and content, so that it may lie elsewhere tomorrow; a hub name as it is."""
    folder = Path(model)
    return f"{folder.name}-{folder_digest(folder)[:12]}" if folder.is_dir() else model
