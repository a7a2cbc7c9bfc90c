"""The Ray cluster: the one of the environment, else a local one of our own with logical CPUs."""

import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import ray

from conf.config import RayConfig
from conf.outcome import ConfigError

# Bytes of blocks that a pass may hold in the object store: for each CPU, and at least. Ray Data reads ahead into half the store,
# however far behind those are who ask or parse: 300,000 cases then took 985 MB, with this 260 MB at the same speed.
_AHEAD, _LEAST_AHEAD = 128 * 2**20, 512 * 2**20

_MOST_SHARE = 0.5  # of the store, Ray Data's own


@contextmanager
def open_ray(config: RayConfig) -> Iterator[None]:
    """A connected Ray for the block; only a cluster that was started here is shut down behind it.

    Raises:
        ConfigError: an address is given and nothing answers there.
    """
    if ray.is_initialized():
        yield
        return
    start_ray(config)
    try:
        yield
    finally:
        ray.shutdown()


def start_ray(config: RayConfig) -> None:
    """Connect to the cluster that `config` or RAY_ADDRESS names, or start a local one.

    Raises:
        ConfigError: an address is given and nothing answers there.
    """
    address = config.address or os.environ.get("RAY_ADDRESS", "")
    # Ray Data's progress bars and per-operator logs drown the job's own lines.
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    common = {"log_to_driver": False, "logging_level": logging.ERROR, "ignore_reinit_error": True}
    with _own_sigterm():
        if not address:
            ray.init(num_cpus=config.num_cpus, include_dashboard=False, **common)
        else:
            try:
                ray.init(address=address, **common)
            except ConnectionError as error:
                raise ConfigError(f"ray.address '{address}': nothing answers there; {error}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.override_object_store_memory_limit_fraction = share_ahead(cluster_resources())
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    # Its one warning says that the progress bars are off.
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)


def cluster_resources() -> Mapping[str, float]:
    """What the connected cluster has in all, by kind (CPU, GPU)."""
    there: Mapping[str, float] = ray.cluster_resources()
    return there


def share_ahead(there: Mapping[str, float]) -> float:
    """The share of a cluster's object store that a pass may fill.

    Args:
        there: what the cluster has in all, by kind, as `cluster_resources` says.
    """
    bound = max(_LEAST_AHEAD, there.get("CPU", 0) * _AHEAD)
    return min(_MOST_SHARE, bound / max(there.get("object_store_memory", 0), 1))


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """ray.init replaces the handler of SIGTERM by one that exits with code 15 or 1 and leaves what is in flight; ours stays."""
    ours = signal.getsignal(signal.SIGTERM)
    yield
    if ours is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, ours)
