"""Graphs for the tests of the path search: made, searched by brute force, and as the frames that a stage reads."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from conf import identity
from conf.config import PathsConfig
from conf.outcome import Outcome
from kg_spark.paths import csr, search
from kg_spark.paths.csr import Index, Manifest, ensure_index
from kg_spark.paths.engine import has_index
from kg_spark.paths.graph_columns import RELATION
from kg_spark.stages import find_paths

KG = "0123456789abcdef"


MEANINGS = (
    {"relation": "carries", "may_carry": True, "no_passage": ""},
    {"relation": "ends", "may_carry": False, "no_passage": "", "kind": "location"},
    {"relation": "side effect", "may_carry": True, "no_passage": "dst"},
    {"relation": "expresses", "may_carry": False, "no_passage": "src"},
    {"relation": "holds", "may_carry": True, "no_passage": "src"},
)


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

    @property
    def code(self) -> int:
        """Place in MEANINGS; only the first two are symmetric."""
        return self.twin % (2 if self.symmetric else len(MEANINGS))

    @property
    def relation(self) -> dict[str, Any]:
        return {"predicate": f"p{self.code}", "kind": "causal", "polarity": "0", **MEANINGS[self.code]}


def name(number: int) -> str:
    return f"N:{number:05d}"


def node_type(number: int) -> str:
    return f"type {number % 3}"


def index_of(n: int, edges: Sequence[Edge]) -> Index:
    """The index of a graph, in memory."""
    arrays = csr.layout(
        n,
        edge_ids=np.array([list(bytes.fromhex(e.edge_id)) for e in edges], np.uint8).reshape(-1, 8),
        src=np.array([e.src for e in edges], np.int32),
        dst=np.array([e.dst for e in edges], np.int32),
        symmetric=np.array([e.symmetric for e in edges], np.bool_),
        relation=np.array([e.code for e in edges], np.int32),
        cost=np.array([e.cost for e in edges], np.int32),
    )
    relations = [
        {"predicate": f"p{code}", "kind": "causal", "polarity": "0", **meaning} for code, meaning in enumerate(MEANINGS)
    ]
    types = [node_type(number) for number in range(3)]
    codes = np.arange(n, dtype=np.int16) % 3
    codes.setflags(write=False)  # as a memory-mapped file's: another type to numba
    return Index(
        manifest=Manifest(
            format=2, kg_version=KG, nodes=n, edges=len(edges), entries=0, relations=relations, types=types, files={}
        ),
        graph=search.Graph(arrays["offsets"], arrays["target"], arrays["cost"]),
        edge_row=arrays["edge_row"],
        step=arrays["step"],
        edge_ids=arrays["edge_ids"],
        node_type=codes,
        node_ids=pa.array([name(number) for number in range(n)], pa.large_string()),
    )


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
    links: Sequence[tuple[str, ...]]
    """question_id, side, option_key, node_id and, where it is not present, assertion."""
    generic: frozenset[int] = frozenset()
    seed: int | None = None

    def frame(self, rows: list[tuple[Any, ...]], schema: str) -> DataFrame:
        if self.seed is not None:
            random.Random(self.seed).shuffle(rows)
        return self.spark.createDataFrame(rows, schema)

    @property
    def nodes(self) -> DataFrame:
        rows = [(name(i), f"node {i}", node_type(i), i in self.generic, i) for i in range(self.n)]
        return self.frame(rows, "node_id string, name string, type string, generic boolean, number int")

    @property
    def edge_frame(self) -> DataFrame:
        rows = [
            (e.edge_id, name(e.src), name(e.dst), e.symmetric, e.cost, *[e.relation[column] for column in RELATION])
            for e in self.edges
        ]
        known = "relation string, predicate string, kind string, polarity string, may_carry boolean, no_passage string"
        return self.frame(rows, f"edge_id string, src string, dst string, symmetric boolean, cost int, {known}")

    def run(self, folder: Path, **config: Any) -> Outcome:
        questions = sorted({(row[0],) for row in self.links} - {("unscreened",)})
        return find_paths.run(
            self.frame(questions, "question_id string"),
            self.frame(
                [(*link, "present")[:5] for link in self.links],
                "question_id string, side string, option_key string, node_id string, assertion string",
            ),
            self.nodes,
            self.edge_frame,
            config=PathsConfig(**{"top_k": 5, "option_top_k": 2, **config}),
            kg_version=KG,
            open_csr=partial(ensure_index, folder=str(folder / "lake"), local_dir=str(folder / "local"), kg_version=KG),
            has_index=partial(has_index, str(folder / "lake"), KG),
        )
