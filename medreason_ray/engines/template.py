"""An engine that follows rules: each stage says beside its prompt what the rule is (`Ruled.by_rule`).

No model is needed, so the demo, the tests and a first look at one's own graph run anywhere.
"""

from medreason_ray.engines.request import ModelReply, Request


class TemplateEngine:
    """Answers with the rule of the stage that asks."""

    async def ask(self, request: Request) -> ModelReply:
        """The rule's reply."""
        return ModelReply(reply=request.shown.by_rule(), finish_reason="stop")

    def close(self) -> None:
        """It holds nothing."""
