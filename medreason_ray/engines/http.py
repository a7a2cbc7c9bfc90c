"""An OpenAI-compatible endpoint as an engine."""

from conf.config import EngineConfig
from medreason_ray.engines.request import ModelReply, Request


class HttpEngine:
    """Asks an endpoint."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config

    async def ask(self, request: Request) -> ModelReply:
        """One reply."""
        raise NotImplementedError
