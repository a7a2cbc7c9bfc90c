"""Does every node of a Ray cluster see the folder of the lake? Else each would write a lake of its own."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from conf.outcome import ConfigError


@cache
def check_shared(root: str) -> None:
    """Have each node look for a file that was just written; asked once a process.

    Raises:
        ConfigError: a node does not see it.
    """
    missing, nodes = unseen(root)
    if missing:
        raise ConfigError(
            f"lake.root '{root}' is not seen by {len(missing)} of {nodes} Ray nodes ({', '.join(missing)}): give a URI, or a"
            " folder that every node mounts at this path"
        )


def unseen(root: str) -> tuple[list[str], int]:
    """Addresses of the nodes that do not see a local folder, and how many nodes there are; a URI is everyone's."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if "://" in root or len(nodes) < 2:
        return [], len(nodes)
    look = ray.remote(num_cpus=0, max_retries=0)(_is_file)
    with _probe(Path(root)) as path:
        asked = [
            look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(path)
            for node in nodes
        ]
        seen = ray.get(asked)
    return [node["NodeManagerAddress"] for node, sees in zip(nodes, seen, strict=True) if not sees], len(nodes)


def _is_file(path: str) -> bool:
    return Path(path).is_file()


@contextmanager
def _probe(root: Path) -> Iterator[str]:
    path = root / f".probe-{uuid.uuid4().hex}"
    root.mkdir(parents=True, exist_ok=True)
    path.touch()
    try:
        yield str(path)
    finally:
        path.unlink(missing_ok=True)
