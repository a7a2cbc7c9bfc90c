"""paths of a pair -> the same paths, best first, by a learnt score; of one sequence of relations not too many.

The score is a sum of weights over the features of a path (kg_spark.paths.rank_features) in integer millionths of a logit, so
that it is the same on any machine and in any batch. It orders the paths of one pair; what two pairs have in common (their own
ends) has been free to cancel out in learning, so scores of different pairs are only roughly comparable. What is learnt lies
beside this file in ranker.json, with how it was made.

Source: Lao & Cohen 2010 (weights of relation sequences); K-Paths, Abdullahi et al. 2025 (diverse relation sequences).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from conf.outcome import ConfigError
from kg_spark.paths.rank_features import (
    I32,
    I64,
    MEASURES,
    U64,
    Batch,
    Meaning,
    Ranker,
    RankGraph,
    memory,
    rank_graph,
    symbols,
)
from kg_spark.paths.rank_kernel import score_paths

if TYPE_CHECKING:
    from kg_spark.paths.csr import Index
    from kg_spark.paths.search import Found

FORMAT = 1
MILLION = 1_000_000
DIVERSITY = 0.3
"""Logits a path loses for each better one of its pair with the same sequence of relations and types. 0, 0.3, 1 give Hit@10 0.671,
0.676, 0.675, Hit@50 0.812, 0.810, 0.803, and 8.0, 8.4, 8.9 sequences among the first ten (folds by drug and disease)."""

_START, _END = "^", "$"

F64 = NDArray[np.float64]
A = TypeVar("A", I32, I64)


class Ranked(NamedTuple):
    """Paths in their new order."""

    found: Found
    score: F64  # (paths) higher is better; before the loss for sameness


@cache
def load_ranker(file: Path | None = None) -> Ranker:
    """The ranker of a file, by default the one that ships; read once a process.

    Raises:
        ConfigError: as `load_model`.
    """
    model = load_model(file)
    patterns: dict[str, float] = model["patterns"]
    return ranker_of(model["measures"], [pattern_key(text) for text in patterns], list(patterns.values()))


def load_model(file: Path | None = None) -> dict[str, Any]:
    """A ranker as written: `made` (how), `measures` and `patterns` (weights in logits).

    Raises:
        ConfigError: the file is missing or holds no ranker of this format.
    """
    name = file or "ranker.json"
    try:
        model = json.loads((file or files("kg_spark.paths") / "ranker.json").read_text(encoding="utf-8"))
        fits = model["format"] == FORMAT and set(model["measures"]) <= set(MEASURES)
        model = {part: dict(model[part]) for part in ("made", "measures", "patterns")}
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}; name a file written by jobs.rank_benchmark") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{name}: no ranker ({error!r}); write it again with jobs.rank_benchmark") from error
    if not fits:
        raise ConfigError(f"{name}: made for another version of the ranker; write it again with jobs.rank_benchmark")
    return model


def ranker_name(ranker: str) -> str:
    """What `paths.ranker` writes into the table: learned stands with the version that ships, as another may follow it."""
    return f"learned/{load_model()['made']['version']}" if ranker == "learned" else ranker


def ranker_of(measures: Mapping[str, float], keys: Sequence[int] | U64, weights: Sequence[float] | F64) -> Ranker:
    """The arrays of a ranker from its weights in logits, by measure and by pattern key."""
    slots = 1 << (2 * len(keys) + 1).bit_length()
    table, values = np.zeros(slots, np.uint64), np.zeros(slots, np.int64)
    for key, weight in zip(map(int, keys), weights, strict=True):
        slot = key & (slots - 1)
        while table[slot]:
            slot = (slot + 1) & (slots - 1)
        table[slot], values[slot] = key, round(float(weight) * MILLION)
    return Ranker(table, values, np.array([round(measures.get(name, 0.0) * MILLION) for name in MEASURES], np.int64))


def pattern_key(text: str) -> int:
    """The key of a pattern's text: level, `^` where it starts the path, types and steps in turn, `$` where it ends it."""
    level, *words = text.split()
    mark = (words[0] == _START) + 2 * (words[-1] == _END)
    parts = symbols([word for word in words if word not in {_START, _END}]).tolist()
    key = int(level)
    for part in [*parts, *([mark] if mark else [])]:
        key = ((key ^ part) * 0x9E3779B97F4A7C15) % 2**64
        key ^= key >> 29
    return key


def graph_of(index: Index) -> RankGraph:
    """A graph as the ranker sees it, from its kg_spark.paths.csr.Index."""
    return rank_graph(
        index.graph.offsets,
        index.graph.target,
        index.graph.cost,
        index.step,
        index.node_type,
        types=index.manifest.types,
        relations=[Meaning(*[relation[name] for name in Meaning._fields]) for relation in index.manifest.relations],
    )


def score(graph: RankGraph, found: Found | Batch, model: Ranker) -> tuple[I64, U64]:
    """Scores of paths in millionths of a logit, and the key of each path's sequence of relations and types.

    Args:
        graph: the graph that was searched.
        found: paths of some pairs, each pair's by (cost, hops, nodes); all that are to be compared.
        model: what is learnt.
    """
    batch = Batch(found.pair_offsets, found.path_offsets, found.nodes, found.cost)
    scores, sequences = np.zeros(len(batch.cost), np.int64), np.zeros(len(batch.cost), np.uint64)
    score_paths(graph, memory(), batch, model, scores, sequences)
    return scores, sequences


def ordered(pair_offsets: I32, score: I64, sequences: U64, diversity: float) -> I64:
    """(paths) the paths of every pair in their new order, as places in the arrays given.

    The n-th best path of one sequence counts as if its score were n - 1 times `diversity` less: greedy choice with a loss
    for each one of the sequence that is chosen already, in one sort. Equals stay by (cost, hops, nodes).
    """
    paths = np.arange(len(score))
    pair = np.repeat(np.arange(len(pair_offsets) - 1), np.diff(pair_offsets))
    alike = np.lexsort((paths, -score, sequences, pair))
    fresh = np.ones(len(score), np.bool_)
    fresh[1:] = (np.diff(pair[alike]) != 0) | (sequences[alike][1:] != sequences[alike][:-1])
    begin = np.maximum.accumulate(np.where(fresh, paths, 0))
    worth = score.copy()
    worth[alike] -= (paths - begin) * round(diversity * MILLION)
    return cast("I64", np.lexsort((paths, -score, -worth, pair)))


def rerank(
    graph: RankGraph,
    found: Found,
    model: Ranker,
    *,
    keep: Sequence[int] | I32,
) -> Ranked:
    """The best paths of each pair by score, under the loss for sameness.

    Args:
        graph: the graph that was searched.
        found: as in `score`: each pair's whole pool.
        model: what is learnt.
        keep: (pairs) how many paths of each to return at most.
    """
    scores, sequences = score(graph, found, model)
    order = ordered(found.pair_offsets, scores, sequences, DIVERSITY)
    place = np.arange(len(order)) - np.repeat(found.pair_offsets[:-1], np.diff(found.pair_offsets))
    order = order[place < np.repeat(np.asarray(keep), np.diff(found.pair_offsets))]
    counts = np.minimum(np.diff(found.pair_offsets), keep)
    nodes_of = np.diff(found.path_offsets)[order]
    path_offsets = _offsets(nodes_of)
    taken = found._replace(
        pair_offsets=_offsets(counts),
        path_offsets=path_offsets,
        nodes=_gathered(found.nodes, found.path_offsets[:-1][order], nodes_of),
        ref=_gathered(found.ref, (found.path_offsets[:-1] - np.arange(len(scores)))[order], nodes_of - 1),
        cost=found.cost[order],
    )
    return Ranked(taken, scores[order] / MILLION)


def _offsets(lengths: NDArray[Any]) -> I32:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _gathered(values: A, begin: NDArray[Any], lengths: NDArray[Any]) -> A:
    """The runs of `values` that start at `begin`, one after the other."""
    ends = np.cumsum(lengths)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    return cast("A", values[np.repeat(begin, lengths) + within])
