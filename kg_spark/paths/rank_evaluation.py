"""graph, gold pairs -> how high each ranker puts a curated path: hits, reciprocal rank, edge-F1, folds, strata, intervals.

Every pair's pool is searched as the pipeline would (slack 2, 7 hops, any relation, the best 500 by path-degree product) and
ordered by each ranker. A pair whose pool holds no gold path is a miss of all of them. Degrees are counted twice: over all
edges, and over all but those that the pair's own gold graph alone has brought in. Neither is neutral: the first lets a gold
edge weigh on the degrees it is judged by, the second makes just the gold edges cheaper; the lower figure counts. The same
pairs are searched by the pipeline's rules too (SEARCHES): curators do not heed these, and what that costs must be seen.

Source: DrugMechDB (Gonzalez-Cavazos et al. 2023); filtered ranks as usual in link prediction (Bordes et al. 2013).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from conf.config import PathsConfig
from kg_spark.paths.rank_data import GoldPair, MechanismGraph
from kg_spark.paths.rank_features import I64, U64, Batch, Ranker, RankGraph
from kg_spark.paths.rank_learning import Weights, design, fit, pattern_texts
from kg_spark.paths.ranking import ordered, ranker_of, score
from kg_spark.paths.rules import rules_of
from kg_spark.paths.search import Graph, scratch, search

POOL = 500
HITS = (1, 3, 10, 50)
METRICS = (*[f"hit_at_{k}" for k in HITS], "mrr", "edge_f1")
SEARCH: dict[str, Any] = {"max_hops": 7, "slack": 2, "max_expansions": 20_000_000}
WIDE = PathsConfig(semantics="any", **SEARCH)
SEARCHES = {"clinical": PathsConfig(semantics="clinical", **SEARCH), "defaults": PathsConfig()}
"""Reported beside WIDE: the same reach by the rules of relations.yaml, and what the pipeline does unless told otherwise."""
SCHEMES = ("drug", "disease", "both")
_RESAMPLES = 1000


class Pool(NamedTuple):
    """The candidate paths of one pair, best first by (cost, hops, nodes), and which are gold."""

    pair: GoldPair
    batch: Batch
    gold: NDArray[np.bool_]


class Outcome(NamedTuple):
    """What one ranker does with one pair: rank of the first gold path (0: none), edge-F1 of the path it puts first."""

    rank: int
    edge_f1: float


Order = Callable[[int], Sequence[int] | I64]
"""Number of a pool -> its paths in a ranker's order; a ranker may leave paths out."""


class Bench:
    """The pools of all pairs under one search and one way of counting degrees."""

    def __init__(
        self, graph: MechanismGraph, pairs: Sequence[GoldPair], *, without_own: bool = False, config: PathsConfig = WIDE
    ) -> None:
        assert config.semantics == "any" or not without_own, (
            "rules go by entry, and a pair's own costs re-order entries"
        )
        self.graph = graph
        self.without_own = without_own
        self.whole = graph.whole
        self.pools = list(self._searched(pairs, config))

    def seen_by(self, pair: GoldPair) -> RankGraph:
        """The graph that a pair is searched and ranked in."""
        return self.graph.arrays(pair.own) if self.without_own and pair.own else self.whole

    def _searched(self, pairs: Sequence[GoldPair], config: PathsConfig) -> Iterator[Pool]:
        graph = self.graph.ruled(rules_of(config))
        reach: dict[str, Any] = {"max_hops": config.max_hops, "max_expansions": config.max_expansions}
        room = scratch(graph, top_k=POOL, **reach)
        for pair in pairs:
            ask = [np.array([value], np.int32) for value in (pair.drug, pair.disease, POOL)]
            own = _csr(self.seen_by(pair)) if self.without_own else graph
            found = search(own, room, *ask, slack=config.slack, **reach)
            batch = Batch(found.pair_offsets, found.path_offsets, found.nodes, found.cost)
            gold = [tuple(batch.nodes[a:b].tolist()) in pair.paths for a, b in pairwise(batch.path_offsets.tolist())]
            yield Pool(pair, batch, np.array(gold, np.bool_))

    def outcomes(self, order: Order) -> list[Outcome]:
        """What a ranker does with every pair."""
        return [_outcome(pool, order(number)) for number, pool in enumerate(self.pools)]

    def by_model(self, model: Callable[[int], Ranker], diversity: float) -> Order:
        """The order by a learnt score; `model` gives the ranker for the number of a pool."""

        def order(number: int) -> I64:
            pool = self.pools[number]
            if not len(pool.gold):
                return np.zeros(0, np.int64)
            scores, sequences = score(self.seen_by(pool.pair), pool.batch, model(number))
            return ordered(pool.batch.pair_offsets, scores, sequences, diversity)

        return order

    def baselines(self, seed: int) -> dict[str, Order]:
        """Random order of the pool; MedReason's rule (shortest paths only, random order); path-degree product."""

        def shuffled(number: int) -> I64:
            return np.random.default_rng([seed, number]).permutation(len(self.pools[number].gold))

        def shortest(number: int) -> I64:
            hops = np.diff(self.pools[number].batch.path_offsets)
            return cast("I64", shuffled(number)[hops[shuffled(number)] == hops.min(initial=99)])

        return {
            "random": shuffled,
            "shortest": shortest,
            "path_degree_product": lambda number: range(len(self.pools[number].gold)),
        }


def learnt(
    bench: Bench, schemes: Sequence[str], folds: int, seed: int, say: Callable[[str], None]
) -> dict[str, list[Ranker]]:
    """A ranker for every pool that has not seen its drug, its disease, or (both) either of them, by scheme."""
    data = design(bench.whole, joined([pool.batch for pool in bench.pools]), _gold(bench))
    rankers: dict[str, list[Ranker]] = {}
    for scheme in schemes:
        of_pool: dict[int, Ranker] = {}
        for test, train in splits([pool.pair for pool in bench.pools], scheme, folds, seed):
            model = ranker_of(*_hashed(fit(data, train)))
            of_pool |= dict.fromkeys(test.tolist(), model)
        rankers[f"learnt_{scheme}"] = [of_pool[number] for number in range(len(bench.pools))]
        say(f"learnt in {folds} folds by {scheme}")
    return rankers


def learn_all(bench: Bench) -> tuple[Weights, list[str]]:
    """The weights from all pairs, with the texts of their patterns."""
    batch = joined([pool.batch for pool in bench.pools])
    data = design(bench.whole, batch, _gold(bench))
    weights = fit(data, np.arange(len(bench.pools)))
    return weights, pattern_texts(data, weights.keys, bench.graph, batch)


def splits(pairs: Sequence[GoldPair], scheme: str, folds: int, seed: int) -> Iterator[tuple[I64, I64]]:
    """Numbers of the test pairs and of the pairs to learn from.

    By `both`, drugs and diseases are dealt into folds each for itself; a test cell is a fold of drugs crossed with one of
    diseases, and what is learnt from shares neither, so a pair is tested once, on 64 % of the others with 5 folds.
    """
    drug = _folds([pair.drug for pair in pairs], folds, seed)
    disease = _folds([pair.disease for pair in pairs], folds, seed + 1)
    for i in range(folds):
        if scheme in {"drug", "disease"}:
            at = drug if scheme == "drug" else disease
            yield np.flatnonzero(at == i), np.flatnonzero(at != i)
            continue
        for j in range(folds):
            yield np.flatnonzero((drug == i) & (disease == j)), np.flatnonzero((drug != i) & (disease != j))


def _folds(ids: Sequence[int], folds: int, seed: int) -> I64:
    unique, which = np.unique(ids, return_inverse=True)
    dealt = np.random.default_rng(seed).permutation(len(unique)) % folds
    return dealt[which].astype(np.int64)


def joined(batches: Sequence[Batch]) -> Batch:
    """The batches as one."""
    paths = np.cumsum([0] + [len(batch.cost) for batch in batches])
    nodes = np.cumsum([0] + [len(batch.nodes) for batch in batches])
    starts = [batch.path_offsets[:-1] + at for batch, at in zip(batches, nodes[:-1], strict=True)]
    return Batch(
        paths.astype(np.int32),
        np.concatenate([*starts, nodes[-1:]]).astype(np.int32),
        np.concatenate([batch.nodes for batch in batches]),
        np.concatenate([batch.cost for batch in batches]),
    )


def summary(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """METRICS over pairs."""
    means = _values(outcomes).mean(axis=0) if outcomes else np.zeros(len(METRICS))
    return dict(zip(METRICS, means.round(4).tolist(), strict=True))


def interval(outcomes: Sequence[Outcome], drugs: Sequence[int], seed: int) -> dict[str, list[float]]:
    """95 % intervals of METRICS, by drawing drugs anew (a drug's pairs are no independent samples)."""
    unique, which = np.unique(drugs, return_inverse=True)
    sums = np.zeros((len(unique), len(METRICS) + 1))
    np.add.at(sums, which, np.column_stack([_values(outcomes), np.ones(len(outcomes))]))
    drawn = (
        np.random.default_rng(seed).multinomial(len(unique), np.full(len(unique), 1 / len(unique)), _RESAMPLES) @ sums
    )
    low, high = np.quantile(drawn[:, :-1] / drawn[:, -1:], [0.025, 0.975], axis=0).round(4).tolist()
    return {name: [a, b] for name, a, b in zip(METRICS, low, high, strict=True)}


def strata(bench: Bench) -> dict[str, list[int]]:
    """Numbers of the pools by how many neighbours their drug has: with one, the first hop is forced."""
    groups: dict[str, list[int]] = {"1": [], "2": [], "3-5": [], "6+": []}
    for number, pool in enumerate(bench.pools):
        begin, end = bench.whole.offsets[pool.pair.drug], bench.whole.offsets[pool.pair.drug + 1]
        count = len(np.unique(bench.whole.target[begin:end])) if pool.pair.drug >= 0 else 0
        groups["1" if count <= 1 else "2" if count == 2 else "3-5" if count <= 5 else "6+"].append(number)
    return groups


def lower(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    """Metric by metric the lower of two summaries."""
    return {name: min(a[name], b[name]) for name in METRICS}


def reachable(bench: Bench) -> float:
    """Share of the pairs whose pool holds a gold path: no ranker can do better."""
    return float(np.mean([pool.gold.any() for pool in bench.pools]))


def _csr(graph: RankGraph) -> Graph:
    return Graph(graph.offsets, graph.target, graph.cost)


def _gold(bench: Bench) -> NDArray[np.bool_]:
    return np.concatenate([pool.gold for pool in bench.pools])


def _hashed(weights: Weights) -> tuple[Mapping[str, float], U64, NDArray[np.float64]]:
    return weights.measures, weights.keys, weights.patterns


def _outcome(pool: Pool, order: Sequence[int] | I64) -> Outcome:
    places = np.asarray(order, np.int64)
    if not len(places):
        return Outcome(0, 0.0)
    hits = np.flatnonzero(pool.gold[places])
    first = pool.batch.nodes[pool.batch.path_offsets[places[0]] : pool.batch.path_offsets[places[0] + 1]].tolist()
    steps = _steps(first)
    best = max(2 * len(steps & _steps(path)) / (len(steps) + len(path) - 1) for path in pool.pair.paths)
    return Outcome(int(hits[0]) + 1 if len(hits) else 0, best)


def _steps(path: Sequence[int]) -> set[tuple[int, int]]:
    return set(pairwise(path))


def _values(outcomes: Sequence[Outcome]) -> NDArray[np.float64]:
    rank = np.array([outcome.rank or np.inf for outcome in outcomes])
    return np.column_stack([*[rank <= k for k in HITS], 1 / rank, [outcome.edge_f1 for outcome in outcomes]])
