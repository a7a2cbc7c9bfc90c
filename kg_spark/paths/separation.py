"""links, questions, index -> how well paths tell the right option from the wrong ones.

A path alone proves little: a wrong option often has one too. So each option of a question is scored by its best pair, and the
right one compared with the wrong ones of the same question: by the length of the shortest path (MedReason's rule), by the
path-degree product and by the learnt ranker, under both semantics. 0.5 is what a coin does. The pipeline keeps only questions
whose right option is linked, so a wrong option lacks a path more often for want of a link, not of medicine: `auc` rewards that,
`auc_both` does not.

Source: AUC as the chance that the right option beats a wrong one, ties half (Hanley & McNeil 1982); percentile bootstrap over
questions, whose options are no independent samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kg_spark.paths.ranking import graph_of, load_ranker, rerank
from kg_spark.paths.rules import rules_of, with_rules
from kg_spark.paths.search import scratch, search

if TYPE_CHECKING:
    from conf.config import PathsConfig
    from kg_spark.paths.csr import Index
    from kg_spark.paths.search import Found

SAMPLE = 2_000
"""Questions of a dataset that are measured at most, the first by question_id, which is a digest."""

SEMANTICS: tuple[Literal["any", "clinical"], ...] = ("any", "clinical")
RULES = ("shortest", "path_degree_product", "learned")
_RESAMPLES = 2_000
_BATCH = 2_000

F64 = NDArray[np.float64]
B1 = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """How one rule under one semantics tells the options of a dataset's questions apart."""

    dataset: str
    semantics: str
    rule: str
    questions: int
    chance: float
    """What guessing gets: the mean of 1 / options."""
    right_best: float
    """Share of the questions whose right option has the best path; of n that are equally good each counts 1 / n."""
    auc: float
    """Chance that the right option beats a wrong one; without a path an option loses to every one with, ties are half."""
    low: float
    high: float
    """95 % interval of auc."""
    auc_both: float
    """auc over the (right, wrong) pairs that both have a path, which no gap in linking moves; NaN where there is none."""
    low_both: float
    high_both: float
    """95 % interval of auc_both."""
    right_has_path: float
    wrong_has_path: float
    """Shares of the right and of the wrong options."""
    truncated: float
    """Share of the searches that paths.max_expansions cut."""


class Pairs(NamedTuple):
    """What is searched: one row an (option, source, target) of a sampled question."""

    options: pd.DataFrame  # as in `Options`
    rows: pd.DataFrame  # option (row of `options`), source, target (node numbers)


class Options(NamedTuple):
    """What is compared: one row an option of a sampled question, linked or not."""

    rows: pd.DataFrame  # dataset, question_id, option_key, right
    unkeyed: tuple[str, ...]
    """Datasets that give options and never say which is right."""


def read_options(screened: pa.Table, questions: pa.Table) -> Options:
    """The options of each dataset's first questions that have at least two, just one of them right.

    Args:
        screened: question_id.
        questions: question_id, dataset, options, answer_key.
    """
    kept = questions.filter(pc.is_in(questions["question_id"], screened["question_id"]))
    asked = kept.select(["dataset", "question_id", "answer_key", "options"]).to_pandas()
    asked = asked[asked["options"].str.len() >= 2].sort_values("question_id").explode("options")
    asked["option_key"] = asked["options"].str["key"]
    asked["right"] = asked["option_key"] == asked["answer_key"]
    keyed = asked[asked.groupby("question_id")["right"].transform("sum") == 1]
    sample = keyed.drop_duplicates("question_id").groupby("dataset", sort=True).head(SAMPLE)["question_id"]
    rows = keyed[keyed["question_id"].isin(sample)].sort_values(["dataset", "question_id"], kind="stable")
    unkeyed = sorted(set(asked["dataset"]) - set(keyed["dataset"]))
    return Options(rows[["dataset", "question_id", "option_key", "right"]].reset_index(drop=True), tuple(unkeyed))


def read_pairs(options: pd.DataFrame, links: pa.Table, nodes: pa.Table, index: Index) -> Pairs:
    """The pairs of the options' questions; generic nodes neither start nor end one.

    Args:
        options: as in `Options`.
        links: question_id, side, option_key, node_id; of these questions at least.
        nodes: node_id, generic.
        index: of the same graph.
    """
    special = nodes.filter(nodes["generic"])["node_id"]
    links = links.filter(pc.invert(pc.is_in(links["node_id"], special)))
    numbers = pc.index_in(links["node_id"].cast(pa.large_string()), index.node_ids)
    ends = links.select(["question_id", "side", "option_key"]).append_column("number", numbers).to_pandas().dropna()
    starts = ends[ends["side"] == "question"][["question_id", "number"]].rename(columns={"number": "source"})
    goals = ends[ends["side"] != "question"][["question_id", "option_key", "number"]].rename(
        columns={"number": "target"}
    )
    rows = options.reset_index(names="option").merge(goals, on=["question_id", "option_key"])
    rows = rows.merge(starts, on="question_id").query("source != target")
    return Pairs(options, rows[["option", "source", "target"]].astype(np.int32).drop_duplicates())


def separation(pairs: Pairs, index: Index, config: PathsConfig) -> Iterator[Separation]:
    """One row a dataset, semantics and rule.

    Args:
        pairs: made by `read_pairs`.
        index: of the same graph.
        config: how far and how wide; its semantics, ranker and slack under `shortest` give way. Rules that hang on the question
            (avoid_rivals, drop_direct) are not heeded.
    """
    for semantics in SEMANTICS:
        setting = replace(config, semantics=semantics, avoid_rivals=False, drop_direct=False)
        for rule in RULES:
            best, cut = _best(pairs, index, replace(setting, slack=0) if rule == "shortest" else setting, rule)
            for dataset, part in pairs.options.assign(score=best).groupby("dataset", sort=True):
                yield _separation(part, dataset=str(dataset), semantics=semantics, rule=rule, truncated=cut)


def _best(pairs: Pairs, index: Index, config: PathsConfig, rule: str) -> tuple[F64, float]:
    """(options) score of each option's best path, -inf without one, and the share of searches that were cut."""
    unique, which = np.unique(pairs.rows[["source", "target"]].to_numpy(), axis=0, return_inverse=True)
    keep = config.rerank_pool if rule == "learned" else 1
    score, cut = np.full(len(unique), -np.inf), 0
    ranked = graph_of(index) if rule == "learned" else None
    for begin, found in searched(unique, index, config, keep):
        cut += int(found.truncated.sum())
        if ranked is not None:
            found, value = rerank(ranked, found, load_ranker(), keep=np.ones(len(found.truncated), np.int32))  # noqa: PLW2901
        else:
            value = -(np.diff(found.path_offsets) - 1.0) if rule == "shortest" else -found.cost.astype(np.float64)
        has = np.diff(found.pair_offsets) > 0
        score[begin : begin + len(has)][has] = value
    best = np.full(len(pairs.options), -np.inf)
    np.maximum.at(best, pairs.rows["option"].to_numpy(), score[which])
    return best, cut / max(1, len(unique))


def searched(pairs: NDArray[np.int32], index: Index, config: PathsConfig, keep: int) -> Iterator[tuple[int, Found]]:
    """The paths of (pairs, 2) node numbers, batch by batch, with the number of the batch's first pair."""
    graph = with_rules(index, rules_of(config))
    memory = scratch(graph, max_hops=config.max_hops, max_expansions=config.max_expansions, top_k=keep)
    for begin in range(0, len(pairs), _BATCH):
        sources, targets = (np.ascontiguousarray(column) for column in pairs[begin : begin + _BATCH].T)
        yield (
            begin,
            search(
                graph,
                memory,
                sources,
                targets,
                np.full(len(sources), keep, np.int32),
                max_hops=config.max_hops,
                slack=config.slack,
                max_expansions=config.max_expansions,
            ),
        )


def _separation(options: pd.DataFrame, **what: Any) -> Separation:
    """The figures of one dataset from its options with their scores."""
    has = np.isfinite(options["score"])
    right = options[options["right"]].set_index("question_id")["score"].rename("best")
    wrong = options[~options["right"]].join(right, on="question_id")
    wins = np.select([wrong["best"] > wrong["score"], wrong["best"] == wrong["score"]], [1.0, 0.5], 0.0)
    by_question = pd.Series(wins, wrong["question_id"].to_numpy()).groupby(level=0).mean()
    count = options.groupby("question_id").size().loc[by_question.index]
    ahead = (wrong["score"] > wrong["best"]).groupby(wrong["question_id"]).sum()
    level = (wrong["score"] == wrong["best"]).groupby(wrong["question_id"]).sum()
    both = np.isfinite(wrong["best"]) & np.isfinite(wrong["score"])
    of_question = pd.DataFrame({"wins": wins * both, "pairs": both}).groupby(wrong["question_id"]).sum()
    values = np.column_stack([by_question, np.ones(len(by_question)), of_question["wins"], of_question["pairs"]])
    drawn = (
        np.random.default_rng(0).multinomial(len(values), np.full(len(values), 1 / len(values)), _RESAMPLES) @ values
    )
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    paired = drawn[drawn[:, 3] > 0]
    low_both, high_both = np.quantile(paired[:, 2] / paired[:, 3], [0.025, 0.975]) if len(paired) else (np.nan, np.nan)
    return Separation(
        **what,
        questions=len(values),
        chance=float((1 / count).mean()),
        right_best=float(np.where(ahead == 0, 1 / (1 + level), 0.0).mean()),
        auc=float(by_question.mean()),
        low=float(low),
        high=float(high),
        auc_both=float(wins[both].mean()) if both.any() else float("nan"),
        low_both=float(low_both),
        high_both=float(high_both),
        right_has_path=float(has[options["right"]].mean()),
        wrong_has_path=float(has[~options["right"]].mean()),
    )
