"""pairs -> pairs with their nested `paths` column, batch by batch, without an object a path.

Every level of the nesting is a run of offsets that the search has made anyway; ids are taken from the index by number.
`path_id` is left to Spark, which computes SHA-256 faster than Python can call it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.table import PATH
from kg_spark.paths.kernel import step_entries
from kg_spark.paths.ranking import graph_of, load_ranker, rerank
from kg_spark.paths.rules import rules_of, with_rules
from kg_spark.paths.search import scratch, search

if TYPE_CHECKING:
    from conf.config import PathsConfig
    from kg_spark.paths.csr import Index
    from kg_spark.paths.rank_features import RankGraph
    from kg_spark.paths.search import I32, I64, Found

COST_UNIT = 65536.0
"""Costs are fixed-point: a score is -cost / 65536."""

BARE_PATH = pa.struct([field for field in PATH if field.name != "path_id"])
"""conf.table.PATH without path_id."""

SEARCHED = pa.schema([("truncated", pa.bool_()), ("paths", pa.list_(BARE_PATH))])
"""The columns that the search adds to a pair."""

_CHUNK_NODES = 500_000
"""Nodes of all paths that one batch may hold: some 50 MB of ids."""

_HEX = np.array([f"{byte:02x}".encode() for byte in range(256)]).view("<u2")


def search_batches(
    batches: Iterator[pa.RecordBatch], *, open_index: Callable[[], Index], config: PathsConfig
) -> Iterator[pa.RecordBatch]:
    """The rows of each batch in another order, with `truncated` and `paths` (list<BARE_PATH>) behind their columns.

    Args:
        batches: with source_number, target_number (int32, -1 where the graph lacks the node) and keep (int32), how many
            paths to list; equal triples of one batch are searched once. Where a rule hangs on the question also around
            (list<int32>, as Ask.around), which the rows lose.
        open_index: called once.
        config: how far, and by which rules.
    """
    whole = open_index()
    index = replace(whole, graph=with_rules(whole, rules_of(config)))
    learned = config.ranker == "learned"
    ranked = _rank_graph(whole) if learned else None
    most = max(config.top_k, config.option_top_k, config.rerank_pool if learned else 0)
    memory = scratch(index.graph, max_hops=config.max_hops, max_expansions=config.max_expansions, top_k=most)
    for batch in batches:
        pairs = np.stack([batch[name].to_numpy() for name in ("source_number", "target_number", "keep")], axis=1)
        around, which = None, np.arange(len(pairs))
        if "around" in batch.schema.names:
            around, batch = batch["around"], batch.drop_columns(["around"])  # noqa: PLW2901
        else:
            pairs, which = np.unique(pairs, axis=0, return_inverse=True)
        pool = np.maximum(pairs[:, 2], config.rerank_pool) if learned else pairs[:, 2]
        for begin, end in _chunks(pool, config.max_hops):
            sources, targets, keep = (np.ascontiguousarray(column) for column in pairs[begin:end].T)
            beside = None if around is None else _around(around.slice(begin, end - begin))
            found = search(
                index.graph,
                memory,
                sources,
                targets,
                np.ascontiguousarray(pool[begin:end]),
                max_hops=config.max_hops,
                slack=config.slack,
                max_expansions=config.max_expansions,
                drop_direct=config.drop_direct,
                around=beside,
            )
            score = -found.cost / COST_UNIT
            if ranked is not None:
                found, score = rerank(ranked, found, load_ranker(), keep=keep)
            paths = nested(index, found, score)
            rows = np.flatnonzero((which >= begin) & (which < end))
            # A pair that many questions share stands once until here; its rows go out in batches of bounded size too.
            held = np.diff(found.pair_offsets)[which[rows] - begin]
            for first, last in _chunks(held.astype(np.int32), config.max_hops):
                part = rows[first:last]
                yield _with_paths(batch, part, which[part] - begin, found.truncated, paths)


def _around(lists: pa.ListArray) -> tuple[I64, I32]:
    """Ask.around_offsets and Ask.around of some pairs."""
    lengths = lists.value_lengths().to_numpy()
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), lists.flatten().to_numpy().astype(np.int32)


def _chunks(keep: I32, max_hops: int) -> Iterator[tuple[int, int]]:
    """Bounds of runs of pairs whose paths fit into a batch."""
    full = np.cumsum(keep, dtype=np.int64) * (max_hops + 1) // _CHUNK_NODES
    return pairwise([0, *(np.flatnonzero(np.diff(full)) + 1), len(keep)])


def _with_paths(
    batch: pa.RecordBatch, rows: I64, which: I64, truncated: NDArray[np.bool_], paths: pa.ListArray
) -> pa.RecordBatch:
    """Rows of the batch with their pair's paths: a copy only where pairs repeat or are out of order."""
    if not np.array_equal(which, np.arange(len(paths))):
        truncated, paths = truncated[which], paths.take(pa.array(which))
    if not np.array_equal(rows, np.arange(batch.num_rows)):
        batch = batch.take(pa.array(rows))
    return pa.RecordBatch.from_arrays(
        [*batch.columns, pa.array(truncated), paths], names=[*batch.schema.names, "truncated", "paths"]
    )


@lru_cache(maxsize=1)
def _rank_graph(index: Index) -> RankGraph:
    """What the ranker sees; once a process, for an index is opened once."""
    return graph_of(index)


def nested(index: Index, found: Found, score: NDArray[np.float64]) -> pa.ListArray:
    """One list of paths a pair, of type list<BARE_PATH>; empty, never null, where a pair has none.

    Args:
        index: the graph that was searched.
        found: its paths, each pair's best first.
        score: (paths) higher is better.
    """
    paths = len(found.cost)
    edge_offsets, entries, reverse = entries_of(index, found)
    step_offsets = pa.array(found.path_offsets - np.arange(paths + 1, dtype=np.int32))
    step = index.step[entries]
    # Bit 0: the entry's own row is the edge's src; bit 1: the other end is. Read from the other row they change places.
    forward = np.where(reverse, step & 2, step & 1) != 0
    lists = {
        "nodes": pa.ListArray.from_arrays(pa.array(found.path_offsets), _node_ids(index, found.nodes)),
        "edges": _twice(step_offsets, edge_offsets, _edge_ids(index, entries)),
        "forward": _twice(step_offsets, edge_offsets, pa.array(forward)),
        "hops": pa.array(np.diff(found.path_offsets) - np.int32(1)),
        "cost": pa.array(found.cost),
        "rank": pa.array(_ranks(found.pair_offsets, paths)),
        "score": pa.array(score),
    }
    structs = pa.StructArray.from_arrays([lists[field.name] for field in BARE_PATH], fields=list(BARE_PATH))
    return pa.ListArray.from_arrays(pa.array(found.pair_offsets), structs)


def entries_of(index: Index, found: Found) -> tuple[I32, I64, NDArray[np.bool_]]:
    """All edges of each step that the rules leave open: (steps + 1) offsets, by edge its entry and if in the second row.

    The edges of a step are ordered by edge row, that is by edge_id.
    """
    offsets = np.zeros(len(found.ref) + 1, np.int32)
    entries = np.empty(step_entries(index.graph, index.edge_row, found, offsets, np.empty(0, np.int64)), np.int64)
    step_entries(index.graph, index.edge_row, found, offsets, entries)
    return offsets, entries, np.repeat((found.ref & 1).astype(np.bool_), np.diff(offsets))


def _twice(outer: pa.Array, inner: I32, values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(outer, pa.ListArray.from_arrays(pa.array(inner), values))


def _ranks(pair_offsets: I32, paths: int) -> I32:
    first = np.repeat(pair_offsets[:-1], np.diff(pair_offsets))
    return cast("I32", np.arange(1, paths + 1, dtype=np.int32) - first)


def _node_ids(index: Index, numbers: I32) -> pa.StringArray:
    return index.node_ids.take(pa.array(numbers)).cast(pa.string())


def _edge_ids(index: Index, entries: I64) -> pa.StringArray:
    """Two hex digits a byte, looked up, and read as strings of 16 bytes each."""
    raw = index.edge_ids[index.edge_row[entries]]
    offsets = np.arange(0, 16 * len(entries) + 1, 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(entries), pa.py_buffer(offsets), pa.py_buffer(_HEX[raw]))
