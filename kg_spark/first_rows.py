"""Questions that passed -> the first of them in the order of their turns, as many as were asked for (conf.rounds)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.outcome import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRows:
    """What a target leaves of the questions that passed."""

    rows: DataFrame
    """Those that are released."""
    rejects: DataFrame
    """entity, key, reason, detail: the others are NOT_NEEDED."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the next round follows from, for the release's commit; empty without a target."""


def first_rows(passed: DataFrame, target: int, taken: str) -> FirstRows:
    """The first `target` questions; with 0 all.

    Args:
        passed: one row a question, with question_id; read more than once.
        target: release.target_rows.
        taken: cases that chains were asked for, as generate_chains says in its commit.
    """
    if not target:
        return FirstRows(rows=passed, rejects=_not_needed(passed.where("false")))
    turn = F.sha2("question_id", 256)
    turns = passed.select(turn.alias("turn"))
    [last] = turns.orderBy("turn").limit(target).agg(F.max("turn")).collect()
    within = turn <= F.lit(last[0] or "")
    facts = {"taken": taken, "passed": str(turns.count())}
    return FirstRows(rows=passed.where(within), rejects=_not_needed(passed.where(~within)), facts=facts)


def _not_needed(spare: DataFrame) -> DataFrame:
    return spare.select(
        F.lit("question").alias("entity"),
        F.col("question_id").alias("key"),
        F.lit(Reason.NOT_NEEDED.name).alias("reason"),
        F.lit("").alias("detail"),
    )
