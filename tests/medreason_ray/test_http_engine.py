"""An endpoint is asked as often as makes sense, and nobody learns its key: against a server that fails as real ones do."""

import asyncio
import json
import logging
import socket
import threading
import time
import traceback
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import stamina
from aiohttp import web

from conf.config import EngineConfig, HttpConfig
from conf.outcome import ConfigError
from medreason_ray.asker import ledger_row, reply_of
from medreason_ray.engines import http
from medreason_ray.engines.choice import model_of, open_engine
from medreason_ray.engines.http import HttpEngine, wanted
from medreason_ray.engines.http_faults import EndpointError, one_line, without_key
from medreason_ray.engines.http_reply import NotACompletion, read
from medreason_ray.engines.pace import Pace
from medreason_ray.engines.request import Model, ModelReply, Request
from medreason_ray.stages import choose_nodes, extract_mentions, write_chains

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


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    """One server in a thread of its own."""
    endpoint, loop = Endpoint(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(serve(endpoint), loop).result(20)
    yield endpoint
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def endpoint(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """The server, forgetful; tries follow each other without a wait."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for seen in (server.answers, server.seen, server.headers, server.paths):
        seen.clear()
    with stamina.set_testing(True, attempts=100, cap=True):
        yield server


@pytest.fixture
def waits(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The seconds that would have been waited between tries; only stamina's own sleep is another."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("stamina._core._smart_sleep", sleep)
    with stamina.set_testing(False):
        yield waited


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


# What passes, passes.

PASSING = {
    "429 with Retry-After": error(429, headers={"Retry-After": "2"}),
    "429": error(429),
    "408": error(408),
    "409": error(409),
    "500 as text": says("Internal Server Error", 500),
    "500 as JSON": error(500),
    "503": says("<html>\n<h1>starting</h1></html>", 503),
    "529": error(529),
    "malformed JSON": says('{"choices": [{"mess'),
    "a page": says("<html>login</html>"),
    "no choices": says({"choices": []}),
    "choices missing": says({"id": "x"}),
    "no content": says(completion(content=None)),
    "an aborted reply": says(completion(content="met", finish_reason="abort")),
    "half a body": broken_off,
    "no answer": hung_up,
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_tried_again_until_it_has_passed(endpoint: Endpoint, fault: Answer) -> None:
    endpoint.answers += [fault, fault]
    [reply] = ask(endpoint.config())
    assert (reply.reply, reply.error, len(endpoint.seen)) == ("metformin", None, 3)


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_does_not_pass_is_tried_as_often_as_said_and_not_once_more(endpoint: Endpoint, fault: Answer) -> None:
    endpoint.answers += [fault] * 10
    refused(endpoint.config(attempts=4))
    assert len(endpoint.seen) == 4


def test_a_single_attempt_is_a_single_request(endpoint: Endpoint) -> None:
    endpoint.answers += [error(503)] * 2
    refused(endpoint.config(attempts=1))
    assert len(endpoint.seen) == 1


def test_a_reply_slower_than_the_timeout_is_given_up_and_asked_again(endpoint: Endpoint) -> None:
    endpoint.answers += [silent]
    [reply] = ask(endpoint.config(timeout_s=0.3))
    assert (reply.reply, len(endpoint.seen)) == ("metformin", 2)


@pytest.mark.parametrize("slow", [silent, trickling])
def test_a_try_ends_at_its_timeout_whatever_dribbles_in_and_names_the_setting(endpoint: Endpoint, slow: Answer) -> None:
    endpoint.answers += [slow] * 2
    started = time.monotonic()
    text = str(refused(endpoint.config(timeout_s=0.1, attempts=2)))
    assert text == "TimeoutError: no reply within engine.http.timeout_s=0.1"
    assert time.monotonic() - started < 4


def test_an_endpoint_where_nothing_listens_says_so_on_one_line(endpoint: Endpoint) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = str(refused(endpoint.config(base_url=f"http://127.0.0.1:{port}/v1")))
    assert text.startswith("APIConnectionError: ConnectError ")
    assert "\n" not in text


LASTING = {
    "400": error(400, "max_tokens is too large"),
    "401": error(401),
    "403": error(403),
    "404": error(404),
    "422": says({"detail": [{"msg": "field required"}]}, 422),
    "no quota": error(429, code="insufficient_quota", headers={"Retry-After": "1"}),
}


@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING)
def test_what_cannot_pass_is_not_asked_again(endpoint: Endpoint, fault: Answer) -> None:
    endpoint.answers += [fault]
    refused(endpoint.config())
    assert len(endpoint.seen) == 1


@pytest.mark.parametrize(
    ("status", "named"),
    [(401, "OPENAI_API_KEY"), (403, "OPENAI_API_KEY"), (404, "engine.model and engine.http.base_url")],
)
def test_an_error_that_every_request_would_meet_says_what_to_look_at(
    endpoint: Endpoint, status: int, named: str
) -> None:
    endpoint.answers += [error(status, "no such thing")]
    text = str(refused(endpoint.config()))
    assert f" {status} (" in text
    assert named in text
    assert text.endswith("no such thing")


# How long one waits.


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "2500", "Retry-After": "9"}, 2.5),
        ({"Retry-After": "86400"}, 60),
        ({"Retry-After": "inf"}, 60),
    ],
)
def test_a_server_that_says_how_long_to_wait_is_obeyed(
    endpoint: Endpoint, waits: list[float], headers: dict[str, str], seconds: float
) -> None:
    endpoint.answers += [error(429, headers=headers)]
    ask(endpoint.config())
    assert len(waits) == 1
    assert seconds <= waits[0] <= seconds + 1


def test_a_server_that_says_until_when_to_wait_is_obeyed(endpoint: Endpoint, waits: list[float]) -> None:
    until = datetime.now(UTC) + timedelta(seconds=30)
    endpoint.answers += [error(503, headers={"Retry-After": format_datetime(until, usegmt=True)})]
    ask(endpoint.config())
    assert 20 < waits[0] <= 31


@pytest.mark.parametrize("wish", ["", "0", "-3", "soon", "nan", "Mon, 02 May 2022 10:00:00 GMT", "Mon, 99 May"])
def test_without_a_wish_that_can_be_read_the_waits_grow(endpoint: Endpoint, waits: list[float], wish: str) -> None:
    endpoint.answers += [error(429, headers={"Retry-After": wish} if wish else {})] * 5
    ask(endpoint.config(attempts=6))
    least = [1, 2, 4, 8, 16]
    assert all(low <= wait <= low + 2 for low, wait in zip(least, waits, strict=True))


def test_those_who_were_told_the_same_do_not_come_back_together(endpoint: Endpoint, waits: list[float]) -> None:
    endpoint.answers += [error(429, headers={"Retry-After": "5"})] * 8
    ask(endpoint.config(), *[request() for _ in range(8)])
    assert len(set(waits)) == len(waits) == 8


# What comes back.


def reply_to(endpoint: Endpoint, body: dict[str, Any]) -> ModelReply:
    endpoint.answers += [says(body)]
    [reply] = ask(endpoint.config())
    return reply


def test_a_reply_comes_with_its_tokens(endpoint: Endpoint) -> None:
    usage = USAGE | {"prompt_tokens_details": {"cached_tokens": 32, "audio_tokens": 0}}
    reply = reply_to(endpoint, completion(usage=usage))
    assert reply == ModelReply(reply="metformin", finish_reason="stop", tokens_in=40, tokens_out=5, tokens_cached=32)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (USAGE, (40, 5, None)),
        (USAGE | {"prompt_tokens_details": None}, (40, 5, None)),
        (USAGE | {"prompt_tokens_details": {}}, (40, 5, None)),
        (None, (None, None, None)),
        ({}, (None, None, None)),
    ],
)
def test_what_is_not_counted_is_null(endpoint: Endpoint, usage: Any, tokens: tuple[int | None, ...]) -> None:
    reply = reply_to(endpoint, completion(usage=usage))
    assert (reply.tokens_in, reply.tokens_out, reply.tokens_cached) == tokens


def test_a_reply_cut_at_its_limit_says_so(endpoint: Endpoint) -> None:
    reply = reply_to(endpoint, completion("metfor", "length"))
    assert (reply.reply, reply.finish_reason) == ("metfor", "length")


def test_a_model_that_spends_its_limit_on_thinking_is_cut_short_not_asked_again(endpoint: Endpoint) -> None:
    reply = reply_to(endpoint, completion(None, "length", reasoning_content="Let me"))
    assert (reply.reply, reply.finish_reason, len(endpoint.seen)) == ("", "length", 1)


def test_a_refusal_is_a_reply_with_the_models_own_words(endpoint: Endpoint) -> None:
    reply = reply_to(endpoint, completion(None, "stop", refusal="I cannot advise on doses."))
    assert (reply.reply, reply.finish_reason, reply.error) == ("I cannot advise on doses.", "refusal", None)


def test_a_filtered_reply_is_a_refusal(endpoint: Endpoint) -> None:
    reply = reply_to(endpoint, completion("met", "content_filter"))
    assert (reply.reply, reply.finish_reason) == ("stopped by the endpoint's content filter", "refusal")


def test_a_filtered_prompt_is_a_refusal_and_not_a_failure(endpoint: Endpoint) -> None:
    endpoint.answers += [error(400, "The response was filtered", code="content_filter")]
    [reply] = ask(endpoint.config())
    assert (reply.reply, reply.finish_reason, reply.error) == (http.FILTERED, "refusal", None)


THOUGHTS = {
    "in a field": completion(reasoning_content="Sugar is high, so"),
    "in vLLM's newer field": completion(reasoning="Sugar is high, so"),
    "in the text": completion("<think>\nSugar is high, so\n</think>\n\nmetformin"),
    "begun by the template": completion("Sugar is high, so\n</think>\n\nmetformin"),
    "empty": completion("<think></think>metformin"),
}


@pytest.mark.parametrize("body", THOUGHTS.values(), ids=THOUGHTS)
def test_what_a_model_thinks_first_is_not_kept(endpoint: Endpoint, body: dict[str, Any]) -> None:
    assert reply_to(endpoint, body).reply == "metformin"


def test_a_thought_that_is_cut_off_is_no_answer() -> None:
    assert read(json.dumps(completion("<think>Sugar is", "length"))).reply == ""


def test_an_answer_that_quotes_the_end_of_a_thought_is_kept_whole() -> None:
    answer = '{"conclusion": "it wrote </think> here"}'
    assert read(json.dumps(completion(answer))).reply == answer


def test_a_body_that_is_no_completion_says_where() -> None:
    with pytest.raises(NotACompletion, match=r"^choices\.0\.message: Field required$"):
        read('{"choices": [{}]}')


# What is sent.

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"steps": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 40}},
        "required": ["steps"],
    }
)


def sent(endpoint: Endpoint, config: EngineConfig, asked: Request | None = None) -> dict[str, Any]:
    ask(config, asked or request())
    return endpoint.seen[-1]


def test_a_request_is_one_message_with_the_sampling_and_its_seed(endpoint: Endpoint) -> None:
    config = replace(endpoint.config(), temperature=0.0, top_p=1.0, thinking_tokens=50)
    assert sent(endpoint, config) == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Which drug?"}],
        "temperature": 0.0,
        "top_p": 1.0,
        "seed": 7,
        "max_tokens": 150,
    }
    assert endpoint.paths == ["/v1/chat/completions"]
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"


def test_a_schema_is_sent_as_it_stands_and_strict(endpoint: Endpoint) -> None:
    form = sent(endpoint, endpoint.config(), request(SCHEMA))["response_format"]
    assert form == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": json.loads(SCHEMA), "strict": True},
    }


@pytest.mark.parametrize(("mode", "form"), [("json_object", {"type": "json_object"}), ("none", None)])
def test_an_endpoint_that_knows_no_schema_is_sent_none(endpoint: Endpoint, mode: str, form: Any) -> None:
    assert sent(endpoint, endpoint.config(schema=mode), request(SCHEMA)).get("response_format") == form


def test_free_text_is_asked_for_without_a_form(endpoint: Endpoint) -> None:
    assert "response_format" not in sent(endpoint, endpoint.config(schema="json_object"), request(""))


def test_azure_is_asked_for_a_deployment_in_a_version(endpoint: Endpoint) -> None:
    address = endpoint.url.removesuffix("/v1")
    body = sent(endpoint, endpoint.config(base_url=address, azure_api_version="2025-04-01"))
    assert endpoint.paths == ["/openai/deployments/tiny/chat/completions?api-version=2025-04-01"]
    assert endpoint.headers[0]["api-key"] == KEY
    assert body["max_completion_tokens"] == 100


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "max_completion_tokens"),
        ({"base_url": "https://eu.api.openai.com/v1"}, "max_completion_tokens"),
        ({"base_url": "https://r.openai.azure.com/openai/v1"}, "max_completion_tokens"),
        ({"base_url": "https://r.example.com", "azure_api_version": "2025-04-01"}, "max_completion_tokens"),
        ({"base_url": "http://127.0.0.1:8000/v1"}, "max_tokens"),
        ({"base_url": "https://openai.com.example.com/v1"}, "max_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_endpoint_knows(settings: dict[str, str], name: str) -> None:
    body = wanted(request(), EngineConfig(name="http", model="m", http=HttpConfig(**settings)))
    assert [key for key in body if key.startswith("max_")] == [name]


def test_a_sampling_of_one_is_left_out_where_it_is_the_default_and_may_be_refused() -> None:
    config = EngineConfig(name="http", model="gpt-5", temperature=1.0, top_p=1.0)
    assert not {"temperature", "top_p"} & wanted(request(), config).keys()
    assert {"temperature", "top_p"} <= wanted(request(), replace(config, temperature=0.5, top_p=0.9)).keys()


SCHEMAS = {
    "write_chains": write_chains.schema(3, 8, 300),
    "choose_nodes": choose_nodes.schema(2, 5),
    "extract_mentions": extract_mentions.schema(("disease",), ("question",)),
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_every_stages_schema_is_one_that_openai_takes_as_strict(schema: str) -> None:
    form = wanted(request(schema), EngineConfig(name="http", model="m"))["response_format"]["json_schema"]["schema"]
    assert [text for text in _objects(form) if not _is_strict(text)] == []


def _objects(form: Any) -> Iterator[dict[str, Any]]:
    if isinstance(form, dict):
        yield form
    for each in form.values() if isinstance(form, dict) else form if isinstance(form, list) else ():
        yield from _objects(each)


def _is_strict(form: dict[str, Any]) -> bool:
    """Source: OpenAI, structured outputs, supported schemas: objects are closed, all of them required, no lengths."""
    closed = (
        form.get("additionalProperties") is False and set(form.get("required", ())) == form.get("properties", {}).keys()
    )
    unknown = {name for name in ("minLength", "maxLength", "minItems", "maxItems") if name in form}
    return not unknown and (form.get("type") != "object" or closed)


# Nobody learns the key.

ECHOES = {
    "as it is": error(401, f"Incorrect API key provided: {KEY}."),
    "in plain text": says(f"bad key\n  {KEY}", 401),
    "most of it": error(403, f"key {KEY[:-4]}**** is not allowed"),
    "its end": error(401, f"key …{KEY[-10:]}"),
    "while it is busy": error(429, f"{KEY} asks too much"),
    "at the cut": error(400, "x" * 290 + KEY),
    "in a page that says 200": says(f"<html>{KEY}</html>"),
    "as a finish_reason": says(completion(finish_reason="error", usage={"prompt_tokens": KEY})),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_a_key_that_the_endpoint_echoes_stands_in_no_error(
    endpoint: Endpoint, echo: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.answers += [echo] * ATTEMPTS
    caplog.set_level(logging.DEBUG)
    raised = refused(endpoint.config())
    told = "".join(traceback.format_exception(raised)) + repr(raised) + "".join(str(r.__dict__) for r in caplog.records)
    assert parts_of_key(told) == []
    assert raised.__context__ is None


def parts_of_key(text: str) -> list[str]:
    return [part for start in range(len(KEY) - 7) if (part := KEY[start : start + 8]) in text]


def test_a_key_that_the_endpoint_echoes_stands_in_no_row_of_the_ledger(endpoint: Endpoint) -> None:
    endpoint.answers += [error(401, f"Incorrect API key provided: {KEY}."), says(completion(f"I know {KEY}"))]

    async def rows() -> list[dict[str, Any]]:
        engine = HttpEngine(endpoint.config())
        found = [ledger_row(request(), await reply_of(engine, request()), 0.1) for _ in range(2)]
        await engine._client.close()
        return found

    failed, answered = asyncio.run(rows())
    assert failed["error"] == (
        "EndpointError: AuthenticationError 401 (is the key in the environment variable OPENAI_API_KEY the right one?):"
        " Incorrect API key provided: [key]."
    )
    assert answered["reply"] == "I know [key]"


def test_the_engine_does_not_show_its_key(endpoint: Endpoint) -> None:
    engine = HttpEngine(endpoint.config())
    assert parts_of_key(repr(engine) + str(engine) + repr(engine._client)) == []


def test_a_placeholder_for_a_key_changes_no_reply(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    assert reply_to(endpoint, completion("EMPTY sella")).reply == "EMPTY sella"


def test_an_error_is_one_short_line_whatever_the_body_holds(endpoint: Endpoint) -> None:
    endpoint.answers += [says("<html>\n\x1b[31m" + "oops\n" * 100_000, 400)]
    text = str(refused(endpoint.config()))
    assert text.startswith("BadRequestError 400: <html> [31moops oops")
    assert text.isprintable()
    assert len(text) < 350


def test_a_short_text_is_not_cut() -> None:
    assert one_line("a\n b") == "a b"


def test_a_masked_key_is_left_as_the_endpoint_masked_it() -> None:
    assert without_key("Incorrect API key provided: sk-pr***w77.", KEY) == "Incorrect API key provided: sk-pr***w77."


# What can be wrong before anything is asked.


def opened(**settings: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        open_engine(EngineConfig(name="http", model="m", http=HttpConfig(**settings)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"base_url": "127.0.0.1:8000/v1"}, "engine.http.base_url"),
        ({"base_url": "ftp://127.0.0.1/v1"}, "engine.http.base_url"),
        ({"base_url": "http://"}, "engine.http.base_url"),
        ({"base_url": "http://host:port/v1"}, "engine.http.base_url"),
        ({"base_url": "http://[::1/v1"}, "engine.http.base_url"),
        ({"base_url": "http://127.0.0.1:8000/v1/chat/completions"}, "engine.http.base_url"),
        ({"azure_api_version": "2025-04-01"}, "engine.http.base_url"),
        ({"base_url": "https://r.openai.azure.com"}, "engine.http.azure_api_version"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named(
    settings: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert opened(**settings).startswith(named)
    with pytest.raises(ConfigError, match=named):
        model_of(EngineConfig(name="http", model="m", http=HttpConfig(**settings)))


@pytest.mark.parametrize(
    "settings",
    [{}, {"base_url": "https://r.openai.azure.com/", "azure_api_version": "2025-04-01"}],
    ids=["OpenAI", "Azure"],
)
@pytest.mark.parametrize("key", [None, "", " \n"])
def test_openai_and_azure_are_not_opened_without_a_key(
    settings: dict[str, str], key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    monkeypatch.delenv("MY_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("MY_KEY", key)
    assert "MY_KEY (engine.http.key_env)" in opened(key_env="MY_KEY", **settings)


def test_a_text_that_cannot_be_a_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nand another line")
    assert parts_of_key(opened()) == []


def test_a_server_of_ones_own_needs_no_key(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    [reply] = ask(endpoint.config())
    assert reply.reply == "metformin"


def test_the_newline_behind_a_key_is_not_part_of_it(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    ask(endpoint.config())
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"


def test_no_other_variable_turns_openais_own_address_into_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere/v1")
    engine = HttpEngine(EngineConfig(name="http", model="m"))
    assert str(engine._client.base_url) == "https://api.openai.com/v1/"


# How fast one asks.


class Clock:
    """A time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pace(self, per_minute: int) -> Pace:
        return Pace(per_minute, clock=self, sleep=self.sleep)


def starts(pace: Pace, clock: Clock, amounts: list[int]) -> list[float]:
    async def run() -> list[float]:
        found = []
        for amount in amounts:
            await pace.take(amount)
            found.append(clock.now - 1000)
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("per_minute", [1, 7, 60, 6000])
def test_in_no_minute_more_is_asked_than_allowed(per_minute: int) -> None:
    clock = Clock()
    found = starts(clock.pace(per_minute), clock, [1] * (3 * per_minute + 3))
    most = max(bisect_left(found, first + 60) - position for position, first in enumerate(found))
    assert per_minute <= most <= per_minute + max(1, per_minute // 60) + 1


def test_tokens_are_paid_off_before_the_next_are_taken() -> None:
    clock = Clock()
    assert starts(clock.pace(600), clock, [100, 50, 300, 1]) == pytest.approx([0, 9, 14, 44])


def test_more_than_a_minutes_allowance_is_asked_for_all_the_same() -> None:
    clock = Clock()
    assert starts(clock.pace(10), clock, [100, 1]) == pytest.approx([0, 599])


def test_what_a_reply_did_not_use_is_handed_back() -> None:
    clock = Clock()
    pace = clock.pace(600)
    starts(pace, clock, [1000])
    pace.settle(1000, 200)
    assert starts(pace, clock, [1]) == pytest.approx([19])


def test_what_a_reply_used_beyond_is_paid_for() -> None:
    clock = Clock()
    pace = clock.pace(600)
    starts(pace, clock, [10])
    pace.settle(10, 110)
    assert starts(pace, clock, [1]) == pytest.approx([10])


def test_no_allowance_is_no_limit() -> None:
    clock = Clock()
    assert starts(clock.pace(0), clock, [10**9] * 3) == [0, 0, 0]


@dataclass
class Taken:
    """A pace that keeps what was asked of it."""

    amounts: list[int] = field(default_factory=list)
    settled: list[tuple[int, int]] = field(default_factory=list)

    async def take(self, amount: int) -> None:
        self.amounts.append(amount)

    def settle(self, taken: int, used: int) -> None:
        self.settled.append((taken, used))


def test_every_try_counts_and_only_what_came_back_is_settled(endpoint: Endpoint) -> None:
    endpoint.answers += [error(429), error(503), says(completion())]

    async def run() -> tuple[Taken, Taken]:
        engine = HttpEngine(replace(endpoint.config(), thinking_tokens=50))
        engine._requests, engine._tokens = requests, tokens = Taken(), Taken()  # type: ignore[assignment]
        await engine.ask(request(prompt="x" * 31))
        await engine._client.close()
        return requests, tokens

    requests, tokens = asyncio.run(run())
    assert requests.amounts == [1, 1, 1]
    assert tokens.amounts == [161, 161, 161]  # 31 characters are 11 tokens; 100 of the reply, 50 of its thoughts
    assert tokens.settled == [(161, 45)]


def test_many_requests_are_in_flight_at_once(endpoint: Endpoint) -> None:
    met = asyncio.Event()

    async def together(_: web.Request) -> web.StreamResponse:
        if len(endpoint.seen) == 8:
            met.set()
        await met.wait()
        return web.json_response(completion())

    endpoint.answers += [together] * 8
    assert len(ask(endpoint.config(), *[request() for _ in range(8)])) == 8
