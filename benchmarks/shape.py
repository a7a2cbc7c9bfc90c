"""primekg_shape.json -> a graph with PrimeKG's counts, and pairs drawn like a question set's.

PrimeKG itself cannot be shipped, its shape can: nodes by type and edges by relation are exact (a relation's rows stand
twice in kg.csv, so half of them are its edges). Ends are drawn by popularity: each node has one for all relations, by a
power of its rank within its type, so that a well-known gene is well known everywhere, and a log-normal share of each
relation. A draw that stands already is drawn again, from flatter popularities when hubs are full.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conf.semantics import Relation, find_relation

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

SEED = 2023
DAMPING = 0.4
_TAIL = 0.5
"""Popularity falls with rank to this power."""

_SPREAD = 0.3
"""Deviation of a node's log share of one relation."""

_FAME = 0.5
"""Questions ask after nodes by popularity to this power."""

_PREFIXES = {
    "drug": "DrugBank:DB",
    "biological_process": "GO:1",
    "cellular_component": "GO:2",
    "molecular_function": "GO:3",
    "effect/phenotype": "HP:",
    "exposure": "MESH:E",
    "disease": "MONDO:",
    "gene/protein": "NCBIGene:",
    "pathway": "Reactome:R",
    "anatomy": "UBERON:",
}
"""By type, in the order of their text, so that a node's number is the rank of its id."""

_ASKED = {"disease": 0.35, "effect/phenotype": 0.3, "drug": 0.2, "gene/protein": 0.15}
_ANSWERED = {"drug": 0.4, "disease": 0.4, "effect/phenotype": 0.1, "gene/protein": 0.1}
_ENDS = (5, 2)
"""Entities of a question and of its answer: ten pairs a question, as in MedReason (12)."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A graph; nodes by number, edges in the order of their relations."""

    first: dict[str, int]
    """Number of the first node of each type; a type's nodes follow each other."""
    count: dict[str, int]
    fame: F64
    """(n) popularity, 1 the highest of its type."""
    relations: list[Relation]
    relation: I32
    """(m) row of `relations`."""
    src: I32
    dst: I32

    @property
    def n(self) -> int:
        """How many nodes."""
        return len(self.fame)

    @property
    def symmetric(self) -> NDArray[np.bool_]:
        """(m) True where the relation has no direction."""
        return np.array([each.symmetric for each in self.relations])[self.relation]


def read(data: str) -> dict[str, list[dict[str, str | int]]] | None:
    """The shape file of a data folder; None where there is none."""
    path = Path(data) / "primekg_shape.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def draw(shape: dict, scale: float = 1.0) -> Drawn:
    """A graph of `scale` times the shape's nodes of each type and edges of each relation."""
    rng = np.random.default_rng(SEED)
    count = {kind: max(2, round(scale * shape["node_types"][kind])) for kind in _PREFIXES}
    first = dict(zip(count, np.cumsum([0, *count.values()]).tolist(), strict=False))
    fame = np.concatenate([rng.permutation(np.arange(1.0, size + 1) ** -_TAIL) for size in count.values()])
    relations, parts = [], []
    for row in shape["relations"]:
        known = find_relation("primekg", row["relation"], row["display_relation"])
        assert known is not None, f"relations.yaml lacks {row['relation']}"
        ends = (row["x_type"], row["y_type"])
        if known.subject == row["y_type"]:
            ends = ends[::-1]
        popular = [fame[first[kind] : first[kind] + count[kind]] for kind in ends]
        pairs = _edges(rng, popular, same=ends[0] == ends[1], size=max(1, round(scale * row["rows"] / 2)))
        parts.append(pairs + np.array([[first[ends[0]]], [first[ends[1]]]]))
        relations.append(known)
    src, dst = np.concatenate(parts, axis=1).astype(np.int32)
    relation = np.repeat(np.arange(len(parts), dtype=np.int32), [part.shape[1] for part in parts])
    return Drawn(first=first, count=count, fame=fame, relations=relations, relation=relation, src=src, dst=dst)


def _edges(rng: np.random.Generator, popular: list[F64], *, same: bool, size: int) -> I64:
    """(2, size) distinct pairs of places in the two types; sorted, and never of one node, where these are the same."""
    shares = [fame * np.exp(_SPREAD * rng.standard_normal(len(fame))) for fame in popular]
    if same:
        shares[1] = shares[0]
    width = len(shares[1])
    size = min(size, width * (width - 1) // 2 if same else len(shares[0]) * width)
    keys, flatter = np.empty(0, np.int64), 1.0
    while len(keys) < size:
        sides = [_places(rng, share**flatter, 2 * (size - len(keys)) + 16) for share in shares]
        if same:
            sides = [np.minimum(*sides), np.maximum(*sides)]
        fresh = sides[0] * width + sides[1]
        keys = np.concatenate([keys, fresh[sides[0] != sides[1]] if same else fresh])
        _, place = np.unique(keys, return_index=True)
        keys, flatter = keys[np.sort(place)][:size], flatter * 0.8
    return np.stack([keys // width, keys % width])


def _places(rng: np.random.Generator, share: F64, size: int) -> I64:
    total = np.cumsum(share)
    return np.minimum(np.searchsorted(total, rng.random(size) * total[-1]), len(share) - 1)


def node_ids(graph: Drawn) -> list[str]:
    """node_id by number, in ascending order."""
    return [f"{_PREFIXES[kind]}{i:07d}" for kind, size in graph.count.items() for i in range(size)]


def edge_ids(graph: Drawn) -> NDArray[np.uint8]:
    """(m, 8) distinct bytes; random ones, which digests look like."""
    rng = np.random.default_rng((SEED, 1))
    ids = rng.integers(0, 2**63, len(graph.src), np.int64)
    assert len(np.unique(ids)) == len(ids), "two edges drew one id"
    return ids.astype(">u8").view(np.uint8).reshape(-1, 8)


def costs(graph: Drawn) -> I32:
    """(m) as kg_spark.graph.edges.with_cost: damped logarithms of both ends' degrees in the relation, in 1/65536."""
    n = graph.n
    ends = [graph.relation.astype(np.int64) * n + end for end in (graph.src, graph.dst)]
    out, into = (np.bincount(end, minlength=n * len(graph.relations)) for end in ends)
    both = graph.symmetric
    degrees = [np.where(both, (out + into)[end], own[end]) for end, own in zip(ends, (out, into), strict=True)]
    return np.round(sum(np.log(degree) for degree in degrees) * DAMPING * 65536).astype(np.int32)


def questions(graph: Drawn, size: int) -> tuple[I32, I32]:
    """(size, 5) nodes of questions and (size, 2) of their answers, well-known ones first of all; none stands twice."""
    rng = np.random.default_rng((SEED, 2))
    asked, answered = (_popular(graph, kinds) for kinds in (_ASKED, _ANSWERED))
    rows = list(_distinct(rng, graph.n, asked, answered, size))
    ends = np.concatenate(rows)[:size].astype(np.int32)
    return ends[:, : _ENDS[0]], ends[:, _ENDS[0] :]


def _popular(graph: Drawn, kinds: dict[str, float]) -> F64:
    """(n) odds that a node is asked after."""
    odds = np.zeros(graph.n)
    for kind, share in kinds.items():
        place = slice(graph.first[kind], graph.first[kind] + graph.count[kind])
        odds[place] = graph.fame[place] ** _FAME
        odds[place] *= share / odds[place].sum()
    return odds


def _distinct(rng: np.random.Generator, n: int, asked: F64, answered: F64, size: int) -> Iterator[I64]:
    """Rows of seven different nodes, drawn until there are enough."""
    done = 0
    while done < size:
        sides = [
            _places(rng, odds, k * (size + 64)).reshape(-1, k) for odds, k in ((asked, _ENDS[0]), (answered, _ENDS[1]))
        ]
        rows = np.concatenate(sides, axis=1)
        rows = rows[(np.diff(np.sort(rows, axis=1), axis=1) > 0).all(axis=1)]
        assert rows.size == 0 or rows.max() < n
        done += len(rows)
        yield rows


def pairs(graph: Drawn, size: int) -> tuple[I32, I32]:
    """Sources and targets of the first `size` pairs of the questions: each node of a question with each of its answer."""
    ways = _ENDS[0] * _ENDS[1]
    asked, answered = questions(graph, -(-size // ways))
    sources, targets = np.repeat(asked, _ENDS[1], axis=1).ravel(), np.tile(answered, (1, _ENDS[0])).ravel()
    return sources[:size], targets[:size]
