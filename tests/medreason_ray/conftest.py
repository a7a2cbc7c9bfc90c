"""One Ray for all tests of this package."""

from collections.abc import Iterator

import pytest
import ray

from conf.config import RayConfig
from medreason_ray.session import start_ray


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local cluster of four logical CPUs; only this process's own is ended."""
    start_ray(RayConfig(num_cpus=4))
    yield
    ray.shutdown()
