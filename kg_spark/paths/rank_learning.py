"""pools of candidate paths, gold paths -> weights: how what ranker.json holds is learnt.

A conditional logit: within a pair's pool the chance that a gold path is picked is its share of exp(score), and the weights
maximise the sum of logarithms over the pairs, less a quadratic loss (a prior around 0). The loss for a pattern does not hang
on how often it occurs, so a rare n-gram moves little and what it has in common with others (its kind and polarity, its types)
moves more: that is the back-off. Boosted trees over the measures and the logit's out-of-fold score were tried beside it
(LightGBM, lambdarank) on three strict folds: Hit@10 0.66 against 0.68, Hit@1 0.36 against 0.32; not worth a second model.

Source: McFadden 1974 (conditional logit); Cao et al. 2007 (listwise ranking).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize

from conf.outcome import ConfigError
from kg_spark.paths.rank_data import MechanismGraph
from kg_spark.paths.rank_features import (
    I64,
    MEASURES,
    NUMBERS,
    U64,
    UNIT,
    Batch,
    RankGraph,
    memory,
)
from kg_spark.paths.rank_kernel import list_features, read_steps
from kg_spark.paths.ranking import FORMAT, pattern_key

F64 = NDArray[np.float64]
BOOL = NDArray[np.bool_]

MIN_PAIRS = 100
"""A pattern is kept when the pools of so many pairs hold it: 7,000 of DrugMechDB's, which rank as well as the 98,000 that five
pairs hold (Hit@10 0.697 and 0.703 on 475 pairs)."""

PATTERN_LOSS, MEASURE_LOSS = 6.0, 0.1
"""Half the inverse variance of the priors; 1, 5, 20, 50 gave Hit@10 0.678, 0.703, 0.695, 0.701 for patterns."""

MIN_WEIGHT = 0.01
"""Logits; lighter patterns are dropped, which keeps the file small."""

_ITERATIONS = 60


class Design(NamedTuple):
    """The features of all paths of all pairs."""

    pair_offsets: I64  # (pairs + 1)
    gold: BOOL  # (paths)
    patterns: Any  # (paths, keys) CSR matrix of ones
    measures: F64  # (paths, MEASURES) in units, each column divided by `spread`
    keys: U64  # (keys)
    sample: I64  # (keys) a path that holds the pattern
    spread: F64  # (MEASURES)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What is learnt, in logits."""

    keys: U64
    patterns: F64
    measures: Mapping[str, float]


def design(graph: RankGraph, batch: Batch, gold: BOOL) -> Design:
    """Features of all paths; patterns that the pools of fewer than MIN_PAIRS pairs hold are left out."""
    room = memory()
    paths = len(batch.cost)
    keys, counts = np.zeros(paths * len(room.keys), np.uint64), np.zeros(paths, np.int64)
    measures = np.zeros((paths, len(MEASURES)), np.int64)
    keys = keys[: list_features(graph, room, batch, keys, counts, measures)]
    known, first, column = np.unique(keys, return_index=True, return_inverse=True)
    path = np.repeat(np.arange(paths), counts)
    pairs = len(batch.pair_offsets) - 1
    pair = np.repeat(np.arange(pairs), np.diff(batch.pair_offsets))[path]
    held = np.bincount(np.unique(column * pairs + pair) // pairs, minlength=len(known)) >= MIN_PAIRS
    place, use = np.cumsum(held) - 1, held[column]
    shape = (paths, int(held.sum()))
    matrix = sp.csr_matrix((np.ones(int(use.sum()), np.float32), (path[use], place[column[use]])), shape=shape)
    units = measures / UNIT
    spread = np.maximum(units.std(axis=0), 1e-9)
    return Design(
        pair_offsets=batch.pair_offsets.astype(np.int64),
        gold=gold,
        patterns=matrix,
        measures=units / spread,
        keys=known[held],
        sample=path[first[held]],
        spread=spread,
    )


def fit(data: Design, pairs: NDArray[Any]) -> Weights:
    """The weights that fit some pairs best; pairs whose pool holds no gold path, or nothing else, teach nothing.

    Raises:
        ConfigError: that leaves none.
    """
    golds = np.add.reduceat(np.append(data.gold, False), data.pair_offsets[:-1]) * (np.diff(data.pair_offsets) > 0)
    pairs = pairs[(golds[pairs] > 0) & (golds[pairs] < np.diff(data.pair_offsets)[pairs])]
    if not len(pairs):
        raise ConfigError("too few gold pairs to learn from; learn=false scores them with what ships")
    begin, sizes = data.pair_offsets[pairs], np.diff(data.pair_offsets)[pairs]
    rows = np.concatenate([np.arange(b, b + size) for b, size in zip(begin, sizes, strict=True)])
    wide, tall, gold = data.patterns[rows], data.measures[rows], data.gold[rows]
    back = wide.T.tocsr()
    starts, owner = np.cumsum(sizes) - sizes, np.repeat(np.arange(len(sizes)), sizes)
    width = wide.shape[1]
    loss = np.concatenate([np.full(width, PATTERN_LOSS), np.full(tall.shape[1], MEASURE_LOSS)])

    def objective(w: F64) -> tuple[float, F64]:
        score = wide @ w[:width].astype(np.float32) + tall @ w[width:]
        mass = np.exp(score - np.maximum.reduceat(score, starts)[owner])
        whole, right = np.add.reduceat(mass, starts), np.add.reduceat(mass * gold, starts)
        pull = mass / whole[owner] - mass * gold / right[owner]
        slope = np.concatenate([back @ pull.astype(np.float32), tall.T @ pull])
        return float(np.log(whole / right).sum() + 0.5 * (loss * w * w).sum()), slope + loss * w

    found = minimize(objective, np.zeros(len(loss)), jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}).x
    weighty = np.abs(found[:width]) >= MIN_WEIGHT
    return Weights(
        keys=data.keys[weighty],
        patterns=found[:width][weighty].round(3),
        measures=dict(zip(MEASURES, (found[width:] / data.spread).round(6).tolist(), strict=True)),
    )


def pattern_texts(data: Design, keys: U64, graph: MechanismGraph, batch: Batch) -> list[str]:
    """The text of each pattern, read from a path that holds it."""
    arrays, room = graph.whole, memory()
    sample = dict(zip(data.keys.tolist(), data.sample.tolist(), strict=True))
    texts = {pattern_key(text): text for text in _amount_texts(graph)}
    for path in sorted({sample[key] for key in keys.tolist()}):
        first = int(batch.path_offsets[path])
        hops = int(batch.path_offsets[path + 1]) - first - 1
        read_steps(arrays, room, batch.nodes, first, hops)
        types = [
            "_".join(graph.types[code].split()) for code in arrays.node_type[batch.nodes[first : first + hops + 1]]
        ]
        words = [graph.relations[label >> 2].words(label & 3) for label in room.label[:hops].tolist()]
        texts |= {pattern_key(text): text for text in _texts(types, words)}
    return [texts[key] for key in keys.tolist()]


def _texts(types: Sequence[str], words: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Every pattern of a path, as kg_spark.paths.rank_features makes their keys, and some more."""
    hops = len(words)
    for level, begin in product(range(1, 4), range(hops)):
        shown = [str(level), types[begin]]
        for end in range(begin, hops):
            shown += [words[end][level - 1]] if level < 3 else []
            shown.append(types[end + 1])
            yield " ".join(shown)
            marked = [*(["^"] if begin == 0 else []), *shown[1:], *(["$"] if end == hops - 1 else [])]
            yield " ".join([shown[0], *marked])


def _amount_texts(graph: MechanismGraph) -> Iterator[str]:
    """Every pattern of levels 4 to 8 that the graph can have."""
    steps = [meaning.words(way)[0] for meaning in graph.relations for way in range(1, 4)]
    types = ["_".join(name.split()) for name in graph.types]
    for number in range(NUMBERS):
        yield from (f"4 {step} {number}" for step in steps)
        yield from (f"5 {name} {number}" for name in types)
        yield from (f"6 {number}", f"7 {number}", *(f"8 {number} {over}" for over in range(4)))


def write_model(file: Path, weights: Weights, texts: Sequence[str], made: Mapping[str, Any]) -> None:
    """Write a ranker that `load_ranker` reads, a pattern a line, in the order of its text."""
    patterns = dict(sorted(zip(texts, weights.patterns.tolist(), strict=True)))
    model = {"format": FORMAT, "made": made, "measures": weights.measures, "patterns": patterns}
    file.write_text(json.dumps(model, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
