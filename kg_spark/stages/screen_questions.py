"""questions, mentions, links -> screened: a verdict a question, so that nothing is asked about one that cannot be used.

Closed: published test sets when the release is for training, repeated questions, answers no path can lead to, questions
of which nothing is in the graph. Flags close nothing. The first reason in that order is the one that is given.
"""

import re
from collections.abc import Iterator

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType

from conf.outcome import Outcome, Reason

_KINDS = {
    "yes_no_maybe": Reason.ANSWER_YES_NO_MAYBE,
    "numeric": Reason.ANSWER_NUMERIC,
    "ordering": Reason.ANSWER_ORDERING,
    "combination": Reason.ANSWER_COMBINATION,
    "statement": Reason.ANSWER_STATEMENT,
}
_EMPTY_WORDS = frozenset(
    ["a", "an", "and", "as", "at", "by", "for", "from", "in", "into", "of", "on", "or", "the", "to", "with", "without"]
)
_WORD = re.compile(r"\w+")


def run(questions: DataFrame, mentions: DataFrame, links: DataFrame, *, purpose: str) -> Outcome:
    """Screen the questions of role `work`.

    Args:
        questions: the table.
        mentions: the table; those of the answer tell how much of it is linked.
        links: the table.
        purpose: release.purpose.
    """
    work = questions.where("role = 'work'")
    sides = (
        links.where("side in ('question', 'answer')")
        .where("side = 'answer' or coalesce(assertion, '') not in ('absent', 'family')")
        .groupBy("question_id")
        .agg(
            F.max(F.col("side") == "question").alias("question_linked"),
            F.max(F.col("side") == "answer").alias("answer_linked"),
        )
    )
    same = Window.partitionBy(*[_squeezed(name) for name in ("question", "answer")], _options()).orderBy("question_id")
    judged = (
        work.join(sides, "question_id", "left")
        .join(_spans(mentions, links), "question_id", "left")
        .withColumn("first", F.first("question_id").over(same))
        .withColumn("reason", _reason(purpose))
        .withColumn("answer_coverage", _coverage("answer", F.coalesce("spans", F.array().cast(_SPANS))))
        .persist()
    )
    detail = F.when(F.col("reason") == Reason.DUPLICATE_QUESTION.name, F.col("first"))
    detail = detail.when(F.col("reason") == Reason.CONTAMINATED.name, F.concat_ws(" ", "dataset", "split"))
    closed = judged.where("reason is not null").select(
        F.lit("question").alias("entity"),
        F.col("question_id").alias("key"),
        "reason",
        F.coalesce(detail, F.substring("answer", 1, 200)).alias("detail"),
    )
    return Outcome(
        tables={"screened": judged.where("reason is null").select("question_id", "answer_coverage", _flags())},
        units_in=judged.count(),
        rejects=closed,
        notices=tuple(_answers_by_dataset(judged)),
    )


def _answers_by_dataset(judged: DataFrame) -> Iterator[str]:
    """A line a dataset: how much of its answers the graph knows, closed questions included."""
    linked = F.coalesce("answer_linked", F.lit(False)).cast("double")
    whole = (F.col("answer_coverage") == 1).cast("double")
    shares = judged.groupBy("dataset").agg(
        F.count("*").alias("n"), F.avg(linked).alias("linked"), F.avg(whole).alias("whole")
    )
    for row in shares.orderBy("dataset").collect():
        yield f"{row.dataset}: {row.n:,} answers, {row.linked:.0%} name a node, {row.whole:.0%} wholly"


_SPANS = "array<struct<start:int,end:int>>"


def _reason(purpose: str) -> Column:
    """Name of the first reason to close the question; null when it goes on."""
    barred = F.col("is_test_set") & F.lit(purpose == "training")
    found = F.when(barred, F.lit(Reason.CONTAMINATED.name))
    found = found.when(F.col("first") != F.col("question_id"), F.lit(Reason.DUPLICATE_QUESTION.name))
    for kind, reason in _KINDS.items():
        found = found.when(F.col("answer_kind") == kind, F.lit(reason.name))
    found = found.when(~F.coalesce("answer_linked", F.lit(False)), F.lit(Reason.NO_ANSWER_LINK.name))
    return found.when(~F.coalesce("question_linked", F.lit(False)), F.lit(Reason.NO_QUESTION_LINK.name))


def _flags() -> Column:
    """questions.flags and PARTIAL_ANSWER: a path to "DNA" is none to "cross-linking of DNA"."""
    partial = F.array_sort(F.array_union("flags", F.array(F.lit("PARTIAL_ANSWER"))))
    return F.when(F.col("answer_coverage") < 1, partial).otherwise(F.col("flags")).alias("flags")


def _squeezed(name: str) -> Column:
    return F.lower(F.regexp_replace(F.trim(F.col(name)), r"\s+", " "))


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


def coverage(answer: str, spans: list[tuple[int, int]]) -> float:
    """Share of the answer's content words that lie in a span, in [0, 1]; 0 where it has none."""
    words = [found for found in _WORD.finditer(answer) if found.group().lower() not in _EMPTY_WORDS]
    inside = [any(start <= word.start() and word.end() <= end for start, end in spans) for word in words]
    return sum(inside) / len(inside) if inside else 0.0


_coverage = F.udf(coverage, DoubleType(), useArrow=False)
