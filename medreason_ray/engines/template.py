"""A writer that follows rules: it walks the best paths and states each edge's own sentence, nothing more.

No model is needed, so the demo, the tests and a first look at one's own graph run anywhere. It claims no cause,
excludes no option and draws no inference: what it says is as true as the graph.
"""

import json
from collections.abc import Iterator

from medreason_ray.engines.request import ModelReply, Request, Shown


class TemplateEngine:
    """One step per hop of the best paths, each citing the hop's first edge; an edge is stated once."""

    async def ask(self, request: Request) -> ModelReply:
        """The chain as JSON of the asked form."""
        shown = request.shown
        steps = [{"text": shown.facts[label].sentence, "support": "kg", "edges": [label]} for label in _walked(shown)]
        chain = {"steps": steps, "conclusion": f"Dataset answer: {shown.answer}"}
        return ModelReply(reply=json.dumps(chain, ensure_ascii=False), finish_reason="stop")


def _walked(shown: Shown) -> Iterator[str]:
    """Labels of the facts stated, in order."""
    return iter(dict.fromkeys(hop[0] for path in shown.paths[: shown.keep] for hop in path.hops))
