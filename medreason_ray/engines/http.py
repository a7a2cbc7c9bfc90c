"""An OpenAI-compatible endpoint as an engine: a vLLM server, OpenAI, Azure.

A request is one chat message. What may pass (too many requests, a server that starts, half a body) is tried again here,
so that a failed request in the ledger is one that failed for good; the client's own retries are off, or tries would
multiply.

Source: OpenAI's API reference (chat completions, structured outputs); Retry-After is RFC 9110, 10.2.3.
"""

import asyncio
import json
import os
from typing import Any
from urllib.parse import urlsplit

import openai
import stamina

from conf.config import EngineConfig, HttpConfig
from conf.outcome import ConfigError
from medreason_ray.engines.http_faults import LONGEST_WAIT_S, again, fault, is_filtered
from medreason_ray.engines.http_reply import FILTERED, read
from medreason_ray.engines.pace import Pace
from medreason_ray.engines.request import ModelReply, Request
from medreason_ray.engines.tokens import TokenCounter

OPENAI_URL = "https://api.openai.com/v1"
# Between two tries: 1, 2, 4 … seconds and up to this many more.
_JITTER_S = 2.0
# A server that is not there need not take the time of a long reply to say so.
_CONNECT_S = 20.0
# A key of this length is one, and would stand in no reply by chance; a shorter one is a placeholder, such as EMPTY.
_KEY_CHARS = 16
# OpenAI's strict schemas know none of these, or not everywhere (Azure), and answer 400; a reply is held to them where it
# is read.
_NOT_STRICT = {"minLength", "maxLength", "minItems", "maxItems"}


class HttpEngine:
    """Asks an endpoint; opening it asks nothing."""

    def __init__(self, config: EngineConfig) -> None:
        check(config)
        self._config = config
        self._key = _key(config.http)
        self._client = _client(config.http, self._key)
        self._requests = Pace(config.http.requests_per_minute)
        self._tokens = Pace(config.http.tokens_per_minute)
        self._retry = stamina.AsyncRetryingCaller(
            attempts=config.http.attempts,
            timeout=None,
            wait_initial=1.0,
            wait_max=LONGEST_WAIT_S,
            wait_jitter=_JITTER_S,
        )

    async def ask(self, request: Request) -> ModelReply:
        """One reply.

        Raises:
            EndpointError: there is none, after as many tries as made sense.
        """
        return await self._retry(again, self._try, request)

    def close(self) -> None:
        """It holds nothing but connections, which end with the process."""

    async def _try(self, request: Request) -> ModelReply:
        # A try that fails keeps what it took: endpoints count it too.
        tokens = TokenCounter().count(request.prompt) + request.max_tokens + self._config.thinking_tokens
        await self._requests.take(1)
        await self._tokens.take(tokens)
        try:
            reply = read(await self._post(request))
        except Exception as error:  # noqa: BLE001  all of it goes to the ledger, on one line and without the key
            if is_filtered(error):
                return ModelReply(reply=FILTERED, finish_reason="refusal")
            told = fault(error, self._config.http, self._key)
        else:
            if reply.tokens_in is not None and reply.tokens_out is not None:
                self._tokens.settle(tokens, reply.tokens_in + reply.tokens_out)
            return reply
        raise told  # not within the handler: `error`, whose text may hold the key, would travel along

    async def _post(self, request: Request) -> str:
        """The body that comes back."""
        create: Any = self._client.chat.completions.with_raw_response.create
        async with asyncio.timeout(self._config.http.timeout_s):
            response = await create(**wanted(request, self._config))
        text = str(response.text)
        return text.replace(self._key, "[key]") if len(self._key) >= _KEY_CHARS else text


def wanted(request: Request, config: EngineConfig) -> dict[str, Any]:
    """The body of a request."""
    openai_own = _is_openai(config.http)
    limit = request.max_tokens + config.thinking_tokens
    body: dict[str, Any] = {
        "model": config.model,
        "messages": [{"role": "user", "content": request.prompt}],
        "seed": request.seed,
        # OpenAI's newer models refuse the old name; servers of others may not know the new one, and a limit that is not
        # known is no limit.
        "max_completion_tokens" if openai_own else "max_tokens": limit,
    }
    # OpenAI's reasoning models refuse both; 1 is what they take and what OpenAI assumes. A vLLM server assumes what the
    # model's generation_config.json says.
    sampling = {"temperature": config.temperature, "top_p": config.top_p}
    body |= {name: value for name, value in sampling.items() if not (openai_own and value == 1)}
    form = _response_format(request.schema, config.http, openai_own=openai_own)
    return body | ({"response_format": form} if form else {})


def _response_format(schema: str, config: HttpConfig, *, openai_own: bool) -> dict[str, Any] | None:
    if not schema or config.schema == "none":
        return None
    if config.schema == "json_object":
        return {"type": "json_object"}
    form = json.loads(schema)
    form = _strict(form) if openai_own else form
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": form, "strict": True}}


def _strict(form: Any) -> Any:
    """A schema without what OpenAI's strict schemas do not know."""
    match form:
        case dict():
            # A property of that name is a schema, the limit a number.
            limits = {name for name, value in form.items() if name in _NOT_STRICT and isinstance(value, int)}
            return {name: _strict(value) for name, value in form.items() if name not in limits}
        case list():
            return [_strict(each) for each in form]
    return form


def check(config: EngineConfig) -> None:
    """Whether the endpoint's settings can be right, as far as it shows without asking it; needs no key.

    Raises:
        ConfigError: they cannot.
    """
    url, version = config.http.base_url, config.http.azure_api_version
    if not url:
        if version:
            raise ConfigError(
                "engine.http.base_url must be the Azure resource's when engine.http.azure_api_version is given"
            )
        return
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise ConfigError(f"engine.http.base_url must be an address such as http://127.0.0.1:8000/v1, not '{url}'")
    if parts.path.rstrip("/").endswith("/completions"):
        raise ConfigError(f"engine.http.base_url ends before /chat/completions, which is added to it; it is '{url}'")
    if _host(url).endswith(".openai.azure.com") and not version and "/v1" not in parts.path:
        raise ConfigError(
            f"engine.http.azure_api_version must be given for '{url}', or engine.http.base_url end in /openai/v1"
        )


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_openai(config: HttpConfig) -> bool:
    """Whether OpenAI's own rules hold: at its address and at Azure's."""
    host = _host(config.base_url or OPENAI_URL)
    return bool(config.azure_api_version) or host.endswith((".openai.com", ".azure.com"))


def _key(config: HttpConfig) -> str:
    """The key; empty where there is none and the endpoint may do without.

    Raises:
        ConfigError: OpenAI or Azure would be asked without one, or it cannot be one.
    """
    key = os.environ.get(config.key_env, "").strip()
    if not key and _is_openai(config):
        raise ConfigError(
            f"the environment variable {config.key_env} (engine.http.key_env) must hold the endpoint's key"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigError(f"the environment variable {config.key_env} (engine.http.key_env) holds what cannot be a key")
    return key


def _client(config: HttpConfig, key: str) -> openai.AsyncOpenAI:
    timeout = openai.Timeout(None, connect=min(_CONNECT_S, config.timeout_s))  # the rest is bounded around each try
    if config.azure_api_version:
        return openai.AsyncAzureOpenAI(
            azure_endpoint=config.base_url,
            api_version=config.azure_api_version,
            api_key=key,
            timeout=timeout,
            max_retries=0,
        )
    # Given even where it is OpenAI's own, or the client would take OPENAI_BASE_URL. A server of one's own often wants no
    # key, but the client does.
    url = config.base_url or OPENAI_URL
    return openai.AsyncOpenAI(base_url=url, api_key=key or "none", timeout=timeout, max_retries=0)
