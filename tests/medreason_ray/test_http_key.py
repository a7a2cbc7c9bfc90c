"""Nobody learns the key of an endpoint, however often the endpoint echoes it."""

import asyncio
import logging
import traceback
from typing import Any

import pytest

from medreason_ray.block_writer import ledger_row
from medreason_ray.engines.http import HttpEngine
from medreason_ray.engines.http_faults import one_line, without_key
from medreason_ray.engines.request import reply_of
from tests.medreason_ray.endpoint import (
    ATTEMPTS,
    KEY,
    Answer,
    Endpoint,
    completion,
    error,
    parts_of_key,
    refused,
    reply_to,
    request,
    says,
)

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
