"""nodes.tsv, edges.tsv.gz, gold_paths.jsonl.gz -> graph arrays and gold paths: DrugMechDB as the ranking benchmark sees it.

The arrays are those of an index (kg_spark.paths.csr.layout), made without Spark: the benchmark starts in a second. Costs
follow kg_spark.graph.edges.with_cost and can be had without what one drug-disease pair has brought into the graph.

Source: DrugMechDB (https://github.com/SuLab/DrugMechDB, CC0-1.0).
"""

import csv
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from conf import semantics
from conf.identity import digest, edge_id
from conf.outcome import ConfigError
from kg_spark.graph.edges import END
from kg_spark.paths.csr import layout
from kg_spark.paths.rank_features import Meaning, RankGraph, rank_graph
from kg_spark.paths.rules import Rules, ruled
from kg_spark.paths.search import I32, Graph

Triple = tuple[str, str, str]
T = TypeVar("T", bound=np.generic)

VOCABULARY = "biolink"
DAMPING = 0.4
"""Exponent of the path-degree product, conf.config's default (Himmelstein & Baranzini 2015)."""

_FIXED_POINT = 65536


@dataclass(frozen=True, kw_only=True)
class GoldPair:
    """A drug, a disease and what its curators drew between them."""

    drug: int
    disease: int
    paths: frozenset[tuple[int, ...]]
    """Directed paths from drug to disease in the pair's gold graphs, as node numbers."""
    own: tuple[int, ...]
    """Edges that no other pair's gold graph holds."""
    key: str = ""
    """8 hex digits that follow from the two ids alone, so that a ranker knows a pair again in any file."""


@dataclass(frozen=True, kw_only=True)
class MechanismGraph:
    """Edges by number, in the order of their ids; m edges, n nodes."""

    types: Sequence[str]
    node_type: NDArray[np.int16]  # (n)
    relations: Sequence[Meaning]
    src: I32  # (m)
    dst: I32
    relation: I32
    symmetric: NDArray[np.bool_]

    def costs(self, without: Sequence[int] = ()) -> I32:
        """(m) costs in 1/65536: the edges of `without` count in no degree, and a degree is at least 1."""
        codes = 2 * len(self.relations)
        ends = [
            (np.asarray(end, np.int64) * codes + 2 * self.relation + np.where(self.symmetric, 0, side))
            for side, end in enumerate((self.src, self.dst))
        ]
        degree = np.bincount(np.concatenate(ends), minlength=len(self.node_type) * codes)
        np.subtract.at(degree, np.concatenate([end[list(without)] for end in ends]), 1)
        product = np.maximum(degree[ends[0]], 1) * np.maximum(degree[ends[1]], 1)
        return cast("I32", np.floor(np.log(product) * (DAMPING * _FIXED_POINT) + 0.5).astype(np.int32))

    @cached_property
    def whole(self) -> RankGraph:
        """What search and ranker read; the entries of a row are sorted by (target, cost, edge)."""
        made = self._layout
        return rank_graph(
            made["offsets"],
            made["target"],
            made["cost"],
            made["step"],
            _frozen(self.node_type.copy()),
            types=self.types,
            relations=self.relations,
        )

    def arrays(self, without: Sequence[int]) -> RankGraph:
        """`whole` at the costs that leave out some edges' part in the degrees: only parallel edges change places."""
        made = self._layout
        cost = self.costs(without)[made["edge_row"]]
        owner = np.repeat(np.arange(len(self.node_type)), np.diff(made["offsets"]))
        between = owner * len(self.node_type) + made["target"]
        order = np.lexsort((made["edge_row"], cost, between))
        return self.whole._replace(cost=_frozen(cost[order]), step=_frozen(made["step"][order]))

    def ruled(self, rules: Rules) -> Graph:
        """What a search by these rules reads, at the costs of `whole`."""
        whole = self.whole
        relations = [{"relation": row.predicate, **row._asdict()} for row in self.relations]
        graph = Graph(whole.offsets, whole.target, whole.cost)
        return ruled(graph, whole.step, whole.node_type, rules, relations=relations, types=self.types)

    @cached_property
    def _layout(self) -> Mapping[str, NDArray[Any]]:
        m = len(self.src)
        return layout(
            len(self.node_type),
            edge_ids=np.arange(m, dtype=">u8").view(np.uint8).reshape(m, 8),
            src=self.src,
            dst=self.dst,
            symmetric=self.symmetric,
            relation=self.relation,
            cost=self.costs(),
        )

    def with_noise(self, times: int, seed: int) -> "MechanismGraph":
        """The graph with noise edges, about `times` as many as its own; they come last.

        Within a relation and its two end types the targets are dealt out anew, so that noise has the types, relations and
        degrees of the curated edges; what is a loop or already there is left out.

        Raises:
            ConfigError: nothing else is left.
        """
        rng = np.random.default_rng(seed)
        known = {*zip(self.src.tolist(), self.relation.tolist(), self.dst.tolist(), strict=True)}
        kind = (self.relation.astype(np.int64) * 256 + self.node_type[self.src]) * 256 + self.node_type[self.dst]
        added: list[tuple[int, int, int]] = []
        for _ in range(times):
            dealt = self.dst.copy()
            for one in np.unique(kind):
                rows = np.flatnonzero(kind == one)
                dealt[rows] = dealt[rng.permutation(rows)]
            for row in zip(self.src.tolist(), self.relation.tolist(), dealt.tolist(), strict=True):
                if row[0] != row[2] and row not in known:
                    known.add(row)
                    added.append(row)
        if not added:
            raise ConfigError(f"noise={times} adds no edge: whatever is dealt is a loop or already there; leave it out")
        src, relation, dst = (np.array(column, np.int32) for column in zip(*added, strict=True))
        flags = np.zeros(len(self.relations), np.bool_)
        flags[self.relation] = self.symmetric
        return replace(
            self,
            src=np.concatenate([self.src, src]),
            dst=np.concatenate([self.dst, dst]),
            relation=np.concatenate([self.relation, relation]),
            symmetric=np.concatenate([self.symmetric, flags[relation]]),
        )


def read_mechanisms(folder: Path, gold: Path) -> tuple[MechanismGraph, list[GoldPair]]:
    """The graph of `nodes.tsv` and `edges.tsv.gz`, and the pairs of a gold file that have a path from drug to disease.

    What the graph lacks of a gold path has number -1, so that it can't be found and counts as missed.

    Raises:
        ConfigError: a file is missing or not of this form.
    """
    nodes = {row[0]: row[2] for row in _rows(folder / "nodes.tsv", 3)}
    number = {node: rank for rank, node in enumerate(sorted(nodes))}
    triples = sorted({_triple(*row) for row in _rows(folder / "edges.tsv.gz", 3)}, key=_identity)
    lost = sorted({end for src, _, dst in triples for end in (src, dst)} - number.keys())
    if lost:
        raise ConfigError(f"{folder / 'edges.tsv.gz'}: {len(lost)} ends are not in nodes.tsv, the first is {lost[0]!r}")
    names = sorted({triple[1] for triple in triples})
    meanings = [_meaning(name) for name in names]
    code = {name: rank for rank, name in enumerate(names)}
    kinds = [semantics.canonical_type(VOCABULARY, nodes[node]) or nodes[node] for node in sorted(nodes)]
    types = sorted(set(kinds))
    graph = MechanismGraph(
        types=types,
        node_type=np.array([types.index(kind) for kind in kinds], np.int16),
        relations=[
            Meaning(row.predicate, row.kind, row.polarity, row.may_carry, END[row.no_passage]) for row in meanings
        ],
        src=np.array([number[triple[0]] for triple in triples], np.int32),
        dst=np.array([number[triple[2]] for triple in triples], np.int32),
        relation=np.array([code[triple[1]] for triple in triples], np.int32),
        symmetric=np.array([meanings[code[triple[1]]].symmetric for triple in triples]),
    )
    return graph, _gold_pairs(gold, number, {triple: row for row, triple in enumerate(triples)})


def _gold_pairs(file: Path, number: Mapping[str, int], edge: Mapping[Triple, int]) -> list[GoldPair]:
    links: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    edges: dict[tuple[str, str], set[int]] = defaultdict(set)
    for line, text in enumerate(_lines(file), start=1):
        try:
            record = json.loads(text)
            pair = (record["drug_id"], record["disease_id"])
            links[pair] |= {(link[0], link[2]) for link in record["links"]}
            edges[pair] |= {edge[triple] for link in record["links"] if (triple := _triple(*link)) in edge}
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ConfigError(f"{file}, line {line}: no gold record ({error!r})") from error
    holders = Counter(row for rows in edges.values() for row in rows)
    pairs = [
        GoldPair(
            drug=number.get(drug, -1),
            disease=number.get(disease, -1),
            paths=frozenset(tuple(number.get(node, -1) for node in path) for path in _walks(rows, drug, disease)),
            own=tuple(sorted(row for row in edges[drug, disease] if holders[row] == 1)),
            key=digest(str(drug), str(disease))[:8],
        )
        for (drug, disease), rows in sorted(links.items(), key=str)  # some ids are null; such pairs have no path
    ]
    return [pair for pair in pairs if pair.paths]


def _walks(links: Iterable[tuple[str, str]], start: str, end: str) -> Iterator[tuple[str, ...]]:
    """The simple directed paths of a small graph."""
    after: dict[str, list[str]] = defaultdict(list)
    for a, b in links:
        after[a].append(b)
    open_paths: list[tuple[str, ...]] = [(start,)]
    while open_paths:
        path = open_paths.pop()
        if path[-1] == end:
            yield path
        else:
            open_paths += [(*path, node) for node in after[path[-1]] if node not in path]


def _triple(src: str, relation: str, dst: str) -> Triple:
    """A statement as the graph holds it: a symmetric one with its ends in order."""
    key = semantics.relation_key(VOCABULARY, relation)
    if dst < src and _meaning(key).symmetric:
        src, dst = dst, src
    return src, key, dst


def _meaning(relation: str) -> semantics.Relation:
    found = semantics.find_relation(VOCABULARY, relation)
    if found is None:
        raise ConfigError(f"relation {relation!r} has no row in conf/relations.yaml")
    return found


def _identity(triple: Triple) -> str:
    src, relation, dst = triple
    return edge_id(src, relation, relation, dst, symmetric=_meaning(relation).symmetric)


def _frozen(array: NDArray[T]) -> NDArray[T]:
    """Read-only, as an index's: to numba other types, for which it would compile search and ranker anew, a minute's work."""
    array.setflags(write=False)
    return array


def _rows(file: Path, width: int) -> Iterator[list[str]]:
    """The rows of a tab-separated file after its head."""
    rows = csv.reader(_lines(file), delimiter="\t", quoting=csv.QUOTE_NONE)
    next(rows, None)
    for line, row in enumerate(rows, start=2):
        if len(row) != width:
            raise ConfigError(f"{file}, line {line}: {width} columns were expected, not {len(row)}")
        yield row


def _lines(file: Path) -> Iterator[str]:
    try:
        opened: Any = gzip.open if file.suffix == ".gz" else open
        with opened(file, "rt", encoding="utf-8", newline="") as lines:
            yield from lines
    except (OSError, UnicodeDecodeError, EOFError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(
            f"{file}: {reason}; data= is a folder with DrugMechDB's files, gold= a file of gold paths"
        ) from error
