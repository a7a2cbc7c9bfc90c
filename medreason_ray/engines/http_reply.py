"""The body of a chat completion -> ModelReply; what is no completion is refused, whatever its status said.

Read with a form of our own: the client's types are not checked when a body comes in, so a proxy's error page or a reply
without choices would surface as an AttributeError far from here. Fields that are not read are allowed to be anything.

Source: OpenAI's API reference (chat completions); vLLM keeps a model's thinking in `reasoning_content` where it has a
parser for it, and leaves it in the content as <think>…</think> where it has none.
"""

from pydantic import BaseModel, Field, ValidationError

from medreason_ray.engines.request import ModelReply

FILTERED = "stopped by the endpoint's content filter"
# vLLM's, when the server gave up on the request, and that of routers, when the one behind them did.
_BROKEN = {"abort", "error"}


class NotACompletion(Exception):
    """The body does not hold a reply; the text is one line saying why."""


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def read(body: str) -> ModelReply:
    """The first choice of a completion.

    Raises:
        NotACompletion: it is not JSON, or has no choice, or the choice no content.
    """
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NotACompletion(f"{place}: {first['msg']}" if place else first["msg"]) from None
    text, finish_reason = _outcome(completion.choices[0])
    usage = completion.usage or _Usage()
    details = usage.prompt_tokens_details or _Details()
    return ModelReply(
        reply=text,
        finish_reason=finish_reason,
        tokens_in=usage.prompt_tokens,
        tokens_out=usage.completion_tokens,
        tokens_cached=details.cached_tokens,
    )


def _outcome(choice: _Choice) -> tuple[str, str]:
    """Text and finish_reason, in the ledger's words."""
    message, said = choice.message, choice.finish_reason
    if message.refusal:
        return message.refusal, "refusal"
    if said == "content_filter":
        return FILTERED, "refusal"
    if said in _BROKEN:
        raise NotACompletion(f"finish_reason {said}")
    if said == "length":
        return without_thinking(message.content or ""), "length"
    if message.content is None:
        raise NotACompletion("the message has no content")
    return without_thinking(message.content), "stop"


def without_thinking(text: str) -> str:
    """The answer behind a model's thinking; nothing where it is still thinking when the text ends.

    Templates of DeepSeek-R1 and others write <think> into the prompt, so the reply may begin within it; a JSON answer
    that only quotes the tag begins with a brace.
    """
    before, end, after = text.partition("</think>")
    if before.lstrip().startswith("<think>"):
        return after.lstrip()
    return after.lstrip() if end and not before.lstrip().startswith("{") else text
