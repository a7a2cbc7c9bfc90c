"""EngineConfig -> the engine it names. Engines are imported when opened: vllm and torch are not on every machine."""

from conf.config import EngineConfig
from medreason_ray.engines.request import Engine, Model


def open_engine(config: EngineConfig) -> Engine:
    """The engine, ready to be asked; called once on each actor."""
    match config.name:
        case "template":
            from medreason_ray.engines.template import TemplateEngine

            return TemplateEngine()


def model_of(config: EngineConfig) -> Model:
    """Who the engine will answer as."""
    match config.name:
        case "template":
            return Model(label="template/1")
