"""The compiled search on a drawn graph: from pairs to arrays, on one core, without Spark."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks import shape
from benchmarks.shape import I32, Drawn
from kg_spark.paths import csr, search
from kg_spark.paths.search import Found, Graph

TOP_K = 50
MAX_HOPS = 4
CHECKED = 40
"""Pairs on which peers are compared with ours, at most."""

_EXPANSIONS = 2_000_000
_BATCH = 2_000
_ARRAYS = ("offsets", "target", "cost")


def prepare(data: str, folder: str, scale: float) -> int:
    """Draw a graph once and keep its arrays, and its node pairs without what joins them twice; how many edges it has."""
    drawn = _drawn(data, scale)
    arrays = csr.layout(
        drawn.n,
        edge_ids=shape.edge_ids(drawn),
        src=drawn.src,
        dst=drawn.dst,
        symmetric=drawn.symmetric,
        relation=drawn.relation,
        cost=shape.costs(drawn),
    )
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in _ARRAYS:
        np.save(f"{folder}/{name}.npy", arrays[name])
    ends = np.stack([np.minimum(drawn.src, drawn.dst), np.maximum(drawn.src, drawn.dst)], axis=1)
    np.save(f"{folder}/simple.npy", np.unique(ends.astype(np.int64) @ np.array([drawn.n, 1])))
    return len(drawn.src)


def keep_pairs(data: str, folder: str, scale: float, size: int) -> None:
    """Draw pairs of the same graph."""
    np.save(f"{folder}/pairs.npy", np.stack(shape.pairs(_drawn(data, scale), size)))


def _drawn(data: str, scale: float) -> Drawn:
    counts = shape.read(data)
    assert counts is not None, "the command looks first"
    return shape.draw(counts, scale)


def read_pairs(folder: str, size: int) -> tuple[I32, I32]:
    """`size` pairs, spread over all that were drawn, so that few of them share a question."""
    drawn = np.load(f"{folder}/pairs.npy")
    sources, targets = drawn[:, :: drawn.shape[1] // size][:, :size]
    return np.ascontiguousarray(sources), np.ascontiguousarray(targets)


def read_checked(folder: str, size: int) -> tuple[I32, I32]:
    """The first `size` of the pairs that ours is compared on: every peer gets a beginning of the same list."""
    sources, targets = read_pairs(folder, CHECKED)
    return sources[:size], targets[:size]


def read_simple(folder: str) -> tuple[int, shape.I64]:
    """How many nodes, and (m, 2) pairs of neighbours, each once."""
    n = len(np.load(f"{folder}/offsets.npy", mmap_mode="r")) - 1
    keys = np.load(f"{folder}/simple.npy")
    return n, np.stack([keys // n, keys % n], axis=1)


def run_kernel(graph: Graph, sources: I32, targets: I32, *, slack: int, max_hops: int = MAX_HOPS) -> Iterator[Found]:
    """The best TOP_K paths of each pair, with edge choice and cost, in the batches of the Spark job."""
    memory = search.scratch(graph, max_hops=max_hops, max_expansions=_EXPANSIONS, top_k=TOP_K)
    for begin in range(0, len(sources), _BATCH):
        asked = [np.ascontiguousarray(ends[begin : begin + _BATCH]) for ends in (sources, targets)]
        keep = np.full(len(asked[0]), TOP_K, np.int32)
        yield search.search(graph, memory, *asked, keep, max_hops=max_hops, max_expansions=_EXPANSIONS, slack=slack)


def open_graph(folder: str) -> Graph:
    """The arrays, mapped."""
    return Graph(*[np.asarray(np.load(f"{folder}/{name}.npy", mmap_mode="r")) for name in _ARRAYS])


def rate(folder: str, size: int, slack: int) -> dict[str, float]:
    """Pairs a second of this process's core after a warm-up, and what the pairs are like."""
    graph = open_graph(folder)
    sources, targets = read_pairs(folder, size)
    # Compiles, and reads the maps into memory.
    for _ in run_kernel(graph, *read_pairs(folder, 500), slack=slack):
        pass
    started = time.process_time()
    counts = [
        (found.ways, found.truncated, found.pair_offsets, np.diff(found.path_offsets))
        for found in run_kernel(graph, sources, targets, slack=slack)
    ]
    seconds = time.process_time() - started
    ways = np.concatenate([each[0] for each in counts])
    hops = np.concatenate([nodes[np.minimum(starts[:-1], len(nodes) - 1)][np.diff(starts) > 0] - 1
                           for _, _, starts, nodes in counts])  # fmt: skip
    return {
        "pairs_s": len(sources) / seconds,
        "hops": float(hops.mean()),
        "paths": sum(len(each[3]) for each in counts) / len(sources),
        "ways": float(ways.mean()),
        "ways_p99": float(np.percentile(ways, 99)),
        "truncated": float(np.concatenate([each[1] for each in counts]).mean()),
    }


def answers(folder: str) -> list[tuple[int, set[tuple[int, ...]]]]:
    """By pair, how many shortest paths there are, and the best as node numbers; as far as the search can go."""
    kept = []
    for found in run_kernel(open_graph(folder), *read_pairs(folder, CHECKED), slack=0, max_hops=search.MAX_HOPS):
        lines = [tuple(found.nodes[a:b].tolist()) for a, b in pairwise(found.path_offsets.tolist())]
        runs = pairwise(found.pair_offsets.tolist())
        kept += [(int(ways), set(lines[a:b])) for ways, (a, b) in zip(found.ways, runs, strict=True)]
    return kept
