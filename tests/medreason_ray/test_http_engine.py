"""An endpoint is asked as often as makes sense, and what it says is read: against a server that fails as real ones do."""

import asyncio
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from medreason_ray.engines import http
from medreason_ray.engines.http_reply import NotACompletion, read
from medreason_ray.engines.request import ModelReply
from tests.medreason_ray.endpoint import (
    USAGE,
    Answer,
    Endpoint,
    ask,
    broken_off,
    completion,
    error,
    hung_up,
    refused,
    reply_to,
    request,
    says,
    silent,
    trickling,
)

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


def test_many_requests_are_in_flight_at_once(endpoint: Endpoint) -> None:
    met = asyncio.Event()

    async def together(_: web.Request) -> web.StreamResponse:
        if len(endpoint.seen) == 8:
            met.set()
        await met.wait()
        return web.json_response(completion())

    endpoint.answers += [together] * 8
    assert len(ask(endpoint.config(), *[request() for _ in range(8)])) == 8
