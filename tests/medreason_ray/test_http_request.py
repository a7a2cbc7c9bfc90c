"""What an endpoint is sent, and which settings are refused before anything is."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from conf.config import EngineConfig, HttpConfig
from conf.outcome import ConfigError
from medreason_ray.engines.choice import model_of, open_engine
from medreason_ray.engines.http import HttpEngine, wanted
from medreason_ray.engines.request import Request
from medreason_ray.stages import (
    answer_blind,
    choose_nodes,
    extract_mentions,
    judge_answers,
    prune_paths,
    write_chains,
)
from tests.medreason_ray.endpoint import KEY, Endpoint, ask, parts_of_key, request

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
    "prune_paths": prune_paths.schema(4, 3),
    "answer_blind": answer_blind.schema(4),
    "answer_blind of an open question": answer_blind.schema(0),
    "judge_answers": judge_answers.SCHEMA,
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
