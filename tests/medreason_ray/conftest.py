"""One Ray for all tests of this package."""

import warnings
from collections.abc import Iterator

import pytest
import ray

from conf.config import RayConfig
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
