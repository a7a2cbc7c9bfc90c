"""An OpenAI-compatible endpoint that fails as real ones do, and what is asked of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from conf.config import EngineConfig, HttpConfig
from medreason_ray.engines.http import HttpEngine
from medreason_ray.engines.http_faults import EndpointError
from medreason_ray.engines.request import Model, ModelReply, Request

KEY = "sk-proj-Zq81LmV03xTtRw77"
ATTEMPTS = 3
USAGE = {"prompt_tokens": 40, "completion_tokens": 5}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class NoRule:
    """The engine reads; nothing is answered by rule."""

    def by_rule(self) -> str:
        raise NotImplementedError


def request(schema: str = "", prompt: str = "Which drug?", max_tokens: int = 100) -> Request:
    return Request.of(
        Model(label="http/tiny"),
        stage="write_chains",
        question_id="q1",
        prompt=prompt,
        prompt_hash="p",
        schema=schema,
        max_tokens=max_tokens,
        seed=7,
        shown=NoRule(),
    )


def completion(content: str | None = "metformin", finish_reason: str | None = "stop", **rest: Any) -> dict[str, Any]:
    usage = rest.pop("usage", USAGE)
    message = {"role": "assistant", "content": content} | rest
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], "usage": usage}


def says(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """An answer with that body: JSON, or text as it is."""

    async def answer(_: web.Request) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(text=body, status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    return answer


def error(status: int, message: str = "no", code: str | None = None, headers: dict[str, str] | None = None) -> Answer:
    return says({"error": {"message": message, "code": code, "type": "error"}}, status, headers)


async def broken_off(asked: web.Request) -> web.StreamResponse:
    """Half a body, then the line is cut."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "400"})
    await response.prepare(asked)
    await response.write(b'{"choices": [')
    assert asked.transport
    asked.transport.close()
    return response


async def hung_up(asked: web.Request) -> web.StreamResponse:
    """No answer at all."""
    assert asked.transport
    asked.transport.abort()
    return web.Response()


async def silent(_: web.Request) -> web.StreamResponse:
    """An answer that never comes."""
    await asyncio.Event().wait()
    return web.Response()


async def trickling(asked: web.Request) -> web.StreamResponse:
    """A body that never ends, a byte at a time, as of a server that keeps the line alive."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(asked)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


@dataclass(kw_only=True)
class Endpoint:
    """What the server answers, used up from the front, then `metformin` for ever; and what it was asked."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def handle(self, asked: web.Request) -> web.StreamResponse:
        self.seen.append(await asked.json())
        self.headers.append({name.lower(): value for name, value in asked.headers.items()})
        self.paths.append(asked.path_qs)
        answer = self.answers.pop(0) if self.answers else says(completion())
        return await answer(asked)

    def config(self, **settings: Any) -> EngineConfig:
        given = {"base_url": self.url, "attempts": ATTEMPTS, "timeout_s": 20.0} | settings
        return EngineConfig(name="http", model="tiny", http=HttpConfig(**given))


async def serve(endpoint: Endpoint) -> web.AppRunner:
    application = web.Application()
    application.router.add_post("/{any:.*}", endpoint.handle)
    # Else the handler of an answer that never comes outlives its test.
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    return runner


def ask(config: EngineConfig, *requests: Request) -> list[ModelReply]:
    """The replies to the requests, all of which are in flight at once."""

    async def run() -> list[ModelReply]:
        engine = HttpEngine(config)
        try:
            return await asyncio.gather(*(engine.ask(each) for each in requests or (request(),)))
        finally:
            await engine._client.close()

    return asyncio.run(run())


def refused(config: EngineConfig, asked: Request | None = None) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        ask(config, asked or request())
    return caught.value


def reply_to(endpoint: Endpoint, body: dict[str, Any]) -> ModelReply:
    endpoint.answers += [says(body)]
    [reply] = ask(endpoint.config())
    return reply


def parts_of_key(text: str) -> list[str]:
    return [part for start in range(len(KEY) - 7) if (part := KEY[start : start + 8]) in text]
