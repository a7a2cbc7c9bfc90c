"""What is asked of an engine and what it answers: the same for a rule, a local model and an endpoint.

`request_id` holds whatever could change the reply and nothing else, so that the ledger knows what was paid for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, Self

from conf.identity import request_id
from medreason_ray.engines.tokens import TokenCounter

CHAT_TOKENS = 64
"""Room for what a chat template writes around a prompt: 5 to 40 tokens in the templates of Llama, Qwen, Gemma, SmolLM2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Who answers, as far as it can change a reply; known without opening the engine."""

    label: str
    """engine/model, with the digest of a local model's files."""
    sampling: str = ""
    """JSON of the sampling parameters; empty where nothing is sampled."""
    reads: bool = True
    """False for an engine that follows rules: there is no use in asking it what it thinks."""
    tokens: TokenCounter = TokenCounter()
    """Measures prompts."""
    max_model_len: int = 0
    """Tokens of a prompt and its reply together; 0: any number."""

    def is_same_as(self, other: "Model") -> bool:
        """Whether both are one model, whichever engine runs it."""
        return self.label.partition("/")[2] == other.label.partition("/")[2]

    def fits(self, prompt: str, max_tokens: int) -> bool:
        """Whether the model can read the prompt and still answer at full length."""
        room = self.max_model_len - max_tokens - CHAT_TOKENS
        # A token is at least a byte, so most prompts need not be counted.
        return not self.max_model_len or len(prompt.encode()) <= room or self.tokens.count(prompt) <= room


class Ruled(Protocol):
    """What a prompt shows, for an engine that follows rules instead of reading."""

    def by_rule(self) -> str:
        """The reply that the stage's rule gives, JSON of the asked form."""
        ...


class Fact(NamedTuple):
    """An edge as the prompt shows it."""

    sentence: str
    path_id: str
    """The first shown path that holds it."""
    hop: int
    """Where on that path, from 0."""
    edge: int
    """Its row of cases.edges, from 0."""


class ShownPath(NamedTuple):
    """A path as the prompt shows it."""

    path_id: str
    text: str
    hops: list[list[str]]
    """Labels of the facts of each hop, the hop's first edge first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the prompt of a chain shows."""

    answer: str
    facts: Mapping[str, Fact]
    """By label, E1 first."""
    paths: list[ShownPath]
    """Best first."""
    keep: int
    """Paths the writer may walk."""
    left_out: int = 0
    """Paths that were at hand and are not shown."""

    def leaving_out(self, paths: int) -> Self:
        """The same, with the number of paths that are not shown."""
        return replace(self, left_out=paths)

    def by_rule(self) -> str:
        """One step per hop of the best paths, each citing the hop's first edge; an edge is stated once.

        It claims no cause, excludes no option and draws no inference: what it says is as true as the graph.
        """
        walked = dict.fromkeys(hop[0] for path in self.paths[: self.keep] for hop in path.hops)
        steps = [{"support": "kg", "edges": [label], "text": self.facts[label].sentence} for label in walked]
        chain = {"steps": steps, "conclusion": f"Dataset answer: {self.answer}"}
        return json.dumps(chain, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to a model."""

    request_id: str
    stage: str
    question_id: str
    prompt: str
    prompt_hash: str
    schema: str
    """JSON schema of the reply, as text; empty for free text."""
    max_tokens: int
    """Longest reply; the longest legal one under the schema fits."""
    model: str
    seed: int
    shown: Ruled

    @classmethod
    def of(
        cls,
        model: Model,
        *,
        stage: str,
        question_id: str,
        prompt: str,
        prompt_hash: str,
        schema: str,
        max_tokens: int,
        seed: int,
        shown: Ruled,
    ) -> Self:
        """The request with its id."""
        sampling = f"{model.sampling} max_tokens={max_tokens}" if model.sampling else ""
        return cls(
            request_id=request_id(stage, prompt, schema, model.label, sampling, seed),
            stage=stage,
            question_id=question_id,
            prompt=prompt,
            prompt_hash=prompt_hash,
            schema=schema,
            max_tokens=max_tokens,
            model=model.label,
            seed=seed,
            shown=shown,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """What came back; `reply` is null exactly when `error` is not."""

    reply: str | None
    finish_reason: str
    """stop, length (cut at max_tokens), refusal (the reply says why) or error."""
    error: str | None = None
    """Class and text of the failure."""
    tokens_in: int | None = None
    """Null where the engine does not count."""
    tokens_out: int | None = None
    tokens_cached: int | None = None
    """Prompt tokens that the engine did not have to read again."""


class EngineDead(Exception):
    """The engine will answer nothing any more: its actor ends, and Ray starts another, which asks the rows again."""


class Engine(Protocol):
    """Whatever answers requests. It is opened once an actor; `ask` runs many times at once on one event loop."""

    async def ask(self, request: Request) -> ModelReply:
        """One reply.

        Raises:
            EngineDead: it can answer nothing more.
            Exception: any other is a failed request, kept in the ledger with its class and text.
        """
        ...

    def close(self) -> None:
        """Give back what it holds: the memory of a model."""
        ...


async def reply_of(engine: Engine, request: Request) -> ModelReply:
    """The engine's reply; whatever it raises is a failed request, so that one bad row costs one row.

    Raises:
        EngineDead: it can answer nothing more.
    """
    try:
        return await engine.ask(request)
    except EngineDead:
        raise
    except Exception as error:  # noqa: BLE001  an engine may raise anything, and all of it is data here
        return ModelReply(reply=None, finish_reason="error", error=f"{type(error).__name__}: {error}")
