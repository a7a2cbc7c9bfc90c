"""Graphs for the tests of the path search: made, searched by brute force, and as the frames that a stage reads."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from conf import identity
from conf.config import PathsConfig
from conf.outcome import Outcome
from kg_spark.paths import csr, search
from kg_spark.paths.csr import Index, Manifest, ensure_index
from kg_spark.stages import find_paths

KG = "0123456789abcdef"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An edge between numbers; its id follows from what it is and from `twin`."""

    src: int
    dst: int
    symmetric: bool = False
    cost: int = 1
    twin: int = 0

    @property
    def edge_id(self) -> str:
        return identity.digest(str(self.src), str(self.dst), str(self.symmetric), str(self.twin))


def name(number: int) -> str:
    return f"N:{number:05d}"


def relation(edge: Edge) -> str:
    return f"relation {edge.twin % 3}"


def index_of(n: int, edges: Sequence[Edge]) -> Index:
    """The index of a graph, in memory."""
    arrays = csr.layout(
        n,
        edge_ids=np.array([list(bytes.fromhex(e.edge_id)) for e in edges], np.uint8).reshape(-1, 8),
        src=np.array([e.src for e in edges], np.int32),
        dst=np.array([e.dst for e in edges], np.int32),
        symmetric=np.array([e.symmetric for e in edges], np.bool_),
        relation=np.array([e.twin for e in edges], np.int32),
        cost=np.array([e.cost for e in edges], np.int32),
    )
    return Index(
        manifest=Manifest(format=1, kg_version=KG, nodes=n, edges=len(edges), entries=0, relations=[], files={}),
        graph=search.Graph(arrays["offsets"], arrays["target"], arrays["cost"]),
        edge_row=arrays["edge_row"],
        step=arrays["step"],
        edge_ids=arrays["edge_ids"],
        node_ids=pa.array([name(number) for number in range(n)], pa.large_string()),
    )


def oracle(n: int, edges: Sequence[Edge], s: int, t: int, keep: int, max_hops: int) -> tuple[int, list[Any]]:
    """How many shortest paths there are, and the best as rows of BARE_PATH, by brute force."""
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    for e in edges:
        if e.src != e.dst:
            known = graph.get_edge_data(e.src, e.dst, {"cost": e.cost})["cost"]
            graph.add_edge(e.src, e.dst, cost=min(known, e.cost))
    if s == t or s not in graph or t not in graph or not nx.has_path(graph, s, t):
        return 0, []
    found = [path for path in nx.all_shortest_paths(graph, s, t) if len(path) <= max_hops + 1]
    best = sorted((nx.path_weight(graph, path, "cost"), path) for path in found)[:keep]
    return len(found), [shown(edges, path, cost, rank) for rank, (cost, path) in enumerate(best, start=1)]


def shown(edges: Sequence[Edge], path: list[int], cost: int, rank: int) -> dict[str, Any]:
    steps = [between(edges, a, b) for a, b in pairwise(path)]
    return {
        "nodes": [name(number) for number in path],
        "edges": [[e.edge_id for e in step] for step in steps],
        "forward": [[e.symmetric or e.src == a for e in step] for a, step in zip(path[:-1], steps, strict=True)],
        "hops": len(path) - 1,
        "cost": cost,
        "rank": rank,
        "score": -cost / 65536,
    }


def between(edges: Sequence[Edge], a: int, b: int) -> list[Edge]:
    return sorted((e for e in edges if {e.src, e.dst} == {a, b}), key=lambda e: e.edge_id)


def random_graph(seed: int, n: int, m: int) -> list[Edge]:
    """Heavy-tailed, with ties in cost and parallel edges."""
    rng = random.Random(seed)
    ends = [(int(n * rng.random() ** 2), rng.randrange(n)) for _ in range(m)]
    return [
        Edge(src=a, dst=b, symmetric=rng.random() < 0.4, cost=rng.randrange(3), twin=i)
        for i, (a, b) in enumerate(ends)
        if a != b
    ]


@dataclass(frozen=True, kw_only=True)
class World:
    """The frames that find_paths reads, in a given order of rows."""

    spark: SparkSession
    n: int
    edges: Sequence[Edge]
    links: Sequence[tuple[str, str, str, str]]
    generic: frozenset[int] = frozenset()
    seed: int | None = None

    def frame(self, rows: list[tuple[Any, ...]], schema: str) -> DataFrame:
        if self.seed is not None:
            random.Random(self.seed).shuffle(rows)
        return self.spark.createDataFrame(rows, schema)

    @property
    def nodes(self) -> DataFrame:
        rows = [(name(i), f"node {i}", i in self.generic, i) for i in range(self.n)]
        return self.frame(rows, "node_id string, name string, generic boolean, number int")

    @property
    def edge_frame(self) -> DataFrame:
        rows = [(e.edge_id, name(e.src), name(e.dst), e.symmetric, relation(e), e.cost) for e in self.edges]
        return self.frame(rows, "edge_id string, src string, dst string, symmetric boolean, relation string, cost int")

    def run(self, folder: Path, **config: Any) -> Outcome:
        questions = sorted({(row[0],) for row in self.links} - {("unscreened",)})
        return find_paths.run(
            self.frame(questions, "question_id string"),
            self.frame(list(self.links), "question_id string, side string, option_key string, node_id string"),
            self.nodes,
            self.edge_frame,
            config=PathsConfig(top_k=5, option_top_k=2, **config),
            kg_version=KG,
            open_csr=partial(ensure_index, folder=str(folder / "lake"), local_dir=str(folder / "local"), kg_version=KG),
        )
