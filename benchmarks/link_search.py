"""What benchmarks.linking measures, each a function for a process of its own."""

import csv
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import shape
from conf.config import Config, EmbeddingConfig, LakeConfig, RayConfig
from conf.semantics import canonical_type
from medreason_ray.linking.arrays import Vectors
from medreason_ray.linking.perturb import Mistaken, Recovered, mistaken, recovered

SIZE = 384
TOP_K = 10
SEED = 2025


def clock() -> tuple[float, float]:
    """Seconds by the wall, and of CPU of this process and the children it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used)


def since(start: tuple[float, float]) -> tuple[float, float]:
    """Wall and CPU seconds since."""
    wall, cpu = clock()
    return wall - start[0], cpu - start[1]


def drawn(data: str, mentions: int, scale: float) -> Iterator[tuple[Vectors, Vectors]]:
    """Unit vectors of mentions and of nodes, type by type, by PrimeKG's shares; every tenth mention is near a node."""
    found = shape.read(data)
    assert found is not None
    counts = {kind: max(2, round(scale * count)) for kind, count in found["node_types"].items()}
    total = sum(counts.values())
    rng = np.random.default_rng(SEED)
    nodes = {kind: _unit(rng.standard_normal((count, SIZE), np.float32)) for kind, count in counts.items()}
    for kind, count in counts.items():
        asked = rng.standard_normal((round(mentions * count / total), SIZE), np.float32)
        near = nodes[kind][rng.integers(0, count, len(asked[::10]))]
        asked[::10] = near + 0.02 * asked[::10]
        yield _unit(asked), nodes[kind]


def _unit(vectors: Vectors) -> Vectors:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def ours(data: str, mentions: int, scale: float, floor: float) -> dict[str, float]:
    """Time of `nearest`, data and compilation apart; rows are digested for the peer."""
    from medreason_ray.linking.nearest import nearest

    few = _unit(np.ones((2, SIZE), np.float32))
    nearest(few, few, TOP_K, floor)
    return _timed(data, mentions, scale, lambda asked, nodes: nearest(asked, nodes, TOP_K, floor)[0])


def faiss(data: str, mentions: int, scale: float) -> dict[str, float]:
    """The same by faiss' flat index, building it included."""
    import faiss as peer

    def search(asked: Vectors, nodes: Vectors) -> np.ndarray:
        index = peer.IndexFlatIP(SIZE)
        index.add(nodes)
        return index.search(asked, TOP_K)[1]

    return _timed(data, mentions, scale, search)


def _timed(
    data: str, mentions: int, scale: float, search: Callable[[Vectors, Vectors], np.ndarray]
) -> dict[str, float]:
    wall = cpu = 0.0
    asked_in_all, best = 0, 0
    for asked, nodes in drawn(data, mentions, scale):
        start = clock()
        rows = search(asked, nodes)
        took = since(start)
        wall, cpu, asked_in_all = wall + took[0], cpu + took[1], asked_in_all + len(asked)
        best += int(rows[:, 0].sum())
    return {"wall_s": wall, "cpu_s": cpu, "mentions": asked_in_all, "rows": best}


def hetionet(data: str) -> pa.Table | None:
    """node_id, name, type of Hetionet's nodes; None where the file is not there."""
    path = Path(data) / "hetionet" / "hetionet-v1.0-nodes.tsv"
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    kinds = [canonical_type("hetionet", row[2]) for row in rows]
    return pa.table({"node_id": [row[0] for row in rows], "name": [row[1] for row in rows], "type": kinds})


def perturbed(data: str, typos: int, model: str) -> tuple[list[Recovered], float]:
    """What is found again by type; CPU seconds in all."""
    start = clock()
    found = recovered(hetionet(data), _encoder(model), typos=typos)
    return found, since(start)[1]


def absent(data: str, model: str) -> list[Mistaken]:
    """What names find whose nodes were taken out, by type."""
    return mistaken(hetionet(data), _encoder(model))


def _encoder(model: str) -> EmbeddingConfig:
    return EmbeddingConfig(encoder="sentence-transformers", model=model) if model else EmbeddingConfig()


def vectors(data: str, lake: str) -> dict[str, float]:
    """Hetionet's vectors through Ray into Delta, then read again; Ray's start apart."""
    from conf.lake import Lake
    from medreason_ray.linking.vectors import node_vectors
    from medreason_ray.session import open_ray

    nodes, config = hetionet(data), Config(lake=LakeConfig(root=lake))
    found = {}
    with open_ray(RayConfig(num_cpus=4)):
        for name in ("made", "read"):
            start = time.perf_counter()
            made = node_vectors(nodes, kg_version="drawn", config=config.links.embedding, lake=Lake(config))
            found[name] = time.perf_counter() - start
    size = sum(path.stat().st_size for path in Path(lake).rglob("*.parquet"))
    return {**found, "mb": size / 1e6, "nodes": len(made.vectors)}
