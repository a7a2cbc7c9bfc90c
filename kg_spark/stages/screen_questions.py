"""questions, mentions, links -> screened: a verdict a question, so that nothing is asked about one that cannot be used.

Closed: published test sets when the release is for training, repeated questions, questions that repeat an item of a benchmark
that the set is kept apart from (a flag where the release is for evaluation: there the set itself is what is published),
answers no path can lead to, questions of which nothing is in the graph, and of those left near-duplicates. Flags close
nothing. The first reason in that order is the one that is given.

Rules, scores and what grows how: docs/decontamination.md, kg_spark/screening.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from conf.config import ScreenConfig
from conf.outcome import Outcome, Reason
from kg_spark.columns import struct_type
from kg_spark.screening.apart import benchmarks as kept_apart
from kg_spark.screening.apart import squeezed
from kg_spark.screening.batches import FOUND, TEXTS, Benchmarks, screener
from kg_spark.screening.duplicates import Alike
from kg_spark.screening.within import near_duplicates

_KINDS = {
    "yes_no_maybe": Reason.ANSWER_YES_NO_MAYBE,
    "numeric": Reason.ANSWER_NUMERIC,
    "ordering": Reason.ANSWER_ORDERING,
    "combination": Reason.ANSWER_COMBINATION,
    "statement": Reason.ANSWER_STATEMENT,
}


def run(
    questions: DataFrame,
    mentions: DataFrame,
    links: DataFrame,
    *,
    purpose: str,
    benchmarks: Sequence[str],
    config: ScreenConfig,
) -> Outcome:
    """Screen the questions of role `work`.

    Args:
        questions: the table; rows of role `benchmark` are what the others are compared with.
        mentions: the table; those of the answer tell how much of it is linked.
        links: the table.
        purpose: release.purpose.
        benchmarks: questions.benchmarks.
        config: screen.
    """
    apart = kept_apart(questions, links, benchmarks, purpose, config)
    judged = _judged(questions.where("role = 'work'"), mentions, links, apart, config)
    judged = judged.withColumn("reason", _reason(purpose)).persist()
    counts = _counts(judged, apart)
    open_ones = judged.where("reason is null")
    repeated = _frame(judged, near_duplicates(open_ones, config))
    final = judged.join(F.broadcast(repeated), "question_id", "left").withColumn(
        "reason", F.coalesce("reason", F.when(F.col("why").isNotNull(), F.lit(Reason.NEAR_DUPLICATE.name)))
    )
    going = final.where("reason is null")
    columns = ("question_id", "answer_coverage", _flags(), "nearest_benchmark", "similarity")
    return Outcome(
        tables={"screened": going.select(*columns)},
        units_in=sum(row.n for row in counts),
        rejects=_closed(final.where("reason is not null")),
        facts={"contamination": json.dumps(_contamination(counts, apart))} if apart else {},
        notices=(*_answers_by_dataset(counts), *_notices(counts, apart)),
    )


def _closed(questions: DataFrame) -> DataFrame:
    """Rows of `rejects`."""
    told = F.create_map(*[part for reason, name in _DETAILS.items() for part in (F.lit(reason.name), F.col(name))])
    return questions.select(
        F.lit("question").alias("entity"),
        F.col("question_id").alias("key"),
        "reason",
        F.coalesce(told[F.col("reason")], F.substring("answer", 1, 200)).alias("detail"),
    )


_DETAILS = {
    Reason.CONTAMINATED: "where",
    Reason.DUPLICATE_QUESTION: "first",
    Reason.COPIES_BENCHMARK: "match",
    Reason.NEAR_DUPLICATE: "why",
}
"""The column that says more of a reason; the others show the answer."""


def _judged(
    work: DataFrame, mentions: DataFrame, links: DataFrame, apart: Benchmarks | None, config: ScreenConfig
) -> DataFrame:
    """Every work question with what is told of it, but for its fate."""
    spoken = F.col("side") == "question"
    entities = F.collect_set(F.when(spoken, F.col("node_id"))) if apart else F.lit(None).cast("array<string>")
    sides = (
        links.where("side in ('question', 'answer')")
        .where("side = 'answer' or coalesce(assertion, '') not in ('absent', 'family')")
        .groupBy("question_id")
        .agg(
            F.max(spoken).alias("question_linked"),
            F.max(F.col("side") == "answer").alias("answer_linked"),
            entities.alias("entities"),
        )
    )
    text = F.sha2(F.concat_ws("\u001f", squeezed("question"), squeezed("answer"), _options()), 256)
    same = Window.partitionBy(text).orderBy("question_id")
    known = (
        work.join(sides, "question_id", "left")
        .join(_spans(mentions, links), "question_id", "left")
        .withColumn("first", F.first("question_id").over(same))
        .withColumn("where", F.concat_ws(" ", "dataset", "split"))
        .withColumn("options", F.col("options.text"))
        .select(*_KNOWN, *TEXTS)
    )
    kept = known.drop(*TEXTS).schema
    schema = type(kept)([*kept.fields, *struct_type(FOUND).fields])
    return known.mapInArrow(screener(apart, config), schema)


_KNOWN = (
    "question_id",
    "dataset",
    "split",
    "where",
    "is_test_set",
    "answer",
    "answer_kind",
    "flags",
    "first",
    "question_linked",
    "answer_linked",
)


def _counts(judged: DataFrame, apart: Benchmarks | None) -> list[Row]:
    """Sums by dataset and what was repeated, in order; `any_0`, `any_1` … count the literal rule by origin."""
    linked = F.coalesce("answer_linked", F.lit(False)).cast("long")
    anything = [
        F.sum(F.shiftright(F.coalesce("origins", F.lit(0)), number).bitwiseAND(1)).alias(f"any_{number}")
        for number in range(len(apart.origins) if apart else 0)
    ]
    by = ("dataset", "match_from", "match_rule", "near_from")
    sums = judged.groupBy(*by).agg(
        F.count("*").alias("n"),
        F.sum(linked).alias("linked"),
        F.sum((F.col("answer_coverage") == 1).cast("long")).alias("whole"),
        *anything,
    )
    return sorted(sums.collect(), key=lambda row: tuple(str(row[name]) for name in by))


def _answers_by_dataset(counts: Sequence[Row]) -> Iterator[str]:
    """A line a dataset: how much of its answers the graph knows, closed questions included."""
    for dataset in dict.fromkeys(row.dataset for row in counts):
        n, linked, whole = (
            sum(row[name] for row in counts if row.dataset == dataset) for name in ("n", "linked", "whole")
        )
        yield f"{dataset}: {n:,} answers, {linked / n:.0%} name a node, {whole / n:.0%} wholly"


def _contamination(counts: Sequence[Row], apart: Benchmarks | None) -> list[tuple[str, str, int]]:
    """Benchmark, rule, questions; beside them those that the literal rule would name."""
    found: Counter[tuple[str, str]] = Counter()
    for row in counts:
        if row.match_rule:
            found[row.match_from, row.match_rule] += row.n
        if row.near_from:
            found[row.near_from, "entities"] += row.n
        for number, origin in enumerate(apart.origins if apart else ()):
            found[origin, "any 8-gram"] += row[f"any_{number}"]
    return [(dataset, rule, count) for (dataset, rule), count in sorted(found.items()) if count]


def _notices(counts: Sequence[Row], apart: Benchmarks | None) -> Iterator[str]:
    """What was compared, and what an unweighted rule would have said."""
    if apart is None:
        return
    by_benchmark: dict[str, dict[str, int]] = {}
    for dataset, rule, count in _contamination(counts, apart):
        by_benchmark.setdefault(dataset, {})[rule] = count
    for dataset, rules in by_benchmark.items():
        near = rules.get("entities", 0)
        literal = rules.get("any 8-gram", 0)
        repeats = sum(rules.values()) - near - literal
        yield f"benchmark {dataset}: {repeats:,} questions repeat an item, {near:,} to review; {literal:,} share any 8-gram"
    for place, bits in sorted(apart.barred.items()):
        others = ", ".join(name for number, name in enumerate(apart.origins) if bits >> number & 1)
        yield f"{place} is not compared with {others}: its own set"


def _reason(purpose: str) -> Column:
    """Name of the first reason to close the question; null when it goes on."""
    training = F.lit(purpose == "training")
    found = F.when(F.col("is_test_set") & training, F.lit(Reason.CONTAMINATED.name))
    found = found.when(F.col("first") != F.col("question_id"), F.lit(Reason.DUPLICATE_QUESTION.name))
    found = found.when(F.col("match").isNotNull() & training, F.lit(Reason.COPIES_BENCHMARK.name))
    for kind, reason in _KINDS.items():
        found = found.when(F.col("answer_kind") == kind, F.lit(reason.name))
    found = found.when(~F.coalesce("answer_linked", F.lit(False)), F.lit(Reason.NO_ANSWER_LINK.name))
    return found.when(~F.coalesce("question_linked", F.lit(False)), F.lit(Reason.NO_QUESTION_LINK.name))


def _flags() -> Column:
    """questions.flags and what screening adds: a path to "DNA" is none to "cross-linking of DNA"."""
    added = {
        "PARTIAL_ANSWER": F.col("answer_coverage") < 1,
        Reason.COPIES_BENCHMARK.name: F.col("match").isNotNull(),
        "NEAR_BENCHMARK": F.col("near").isNotNull(),
    }
    names = [F.when(holds, F.lit(name)) for name, holds in added.items()]
    return F.array_sort(F.array_union("flags", F.array_compact(F.array(*names)))).alias("flags")


def _frame(like: DataFrame, closed: Mapping[str, Alike]) -> DataFrame:
    """The near-duplicates as rows of question_id and why."""
    rows = [(key, f"{pair.rule} {pair.score:.2f} {pair.first}") for key, pair in sorted(closed.items())]
    return like.sparkSession.createDataFrame(rows, "question_id string, why string")


def _options() -> Column:
    texts = F.transform("options", lambda option: F.lower(F.trim(option["text"])))
    return F.array_join(F.array_sort(texts), "\n")


def _spans(mentions: DataFrame, links: DataFrame) -> DataFrame:
    """question_id, spans: the stretches of the answer that a link stands for."""
    best = F.get("candidates", F.lit(0))["node_id"]
    told = mentions.where("side = 'answer'").select("question_id", "start", "end", best.alias("node_id"))
    linked = links.where("side = 'answer'").select("question_id", "node_id").distinct()
    return (
        told.join(linked, ["question_id", "node_id"])
        .groupBy("question_id")
        .agg(F.collect_list(F.struct("start", "end")).alias("spans"))
    )
